// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/text.c: texts of which a reader wants a part.
#include "procfs.h"

#include <lib/format.h>
#include <lib/string.h>

void text_init(struct proc_text *text, uint64_t offset, char *buffer, uint32_t capacity) {
    *text = (struct proc_text){ .buffer = buffer, .capacity = capacity, .skip = offset };
}

void text_bytes(struct proc_text *text, const char *bytes, size_t length) {
    if (length <= text->skip) {
        text->skip -= length;
        return;
    }
    bytes += text->skip;
    length -= text->skip;
    text->skip = 0;
    const size_t piece = MIN_OF(length, (size_t)(text->capacity - text->length));
    memcpy(text->buffer + text->length, bytes, piece);
    text->length += (uint32_t)piece;
}

static void sink(void *context, const char *bytes, size_t length) {
    text_bytes(context, bytes, length);
}

void text_put(struct proc_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)format_to_sink(sink, text, format, arguments); // the length is of no interest
    va_end(arguments);
}

bool text_is_full(const struct proc_text *text) {
    return text->length == text->capacity;
}
