// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/text.c: memory, growing text, the first error.
#include "portgen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    max_align_t data[];
};

static void *must(void *memory) {
    if (memory == NULL) {
        (void)fputs("portgen: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

void *arena_alloc(struct arena *arena, size_t size_bytes) {
    struct block *block = must(calloc(1, sizeof(*block) + size_bytes));
    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

char *arena_copy(struct arena *arena, const char *text, size_t length) {
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

void arena_free(struct arena *arena) {
    while (arena->blocks != NULL) {
        struct block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

static void add_list(struct text *text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) {
        length = 0;
    }
    size_t needed = text->length + (size_t)length + 1;
    if (needed > text->capacity) {
        text->capacity = needed * 2;
        text->data = must(realloc(text->data, text->capacity));
    }
    (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
    text->length += (size_t)length;
    va_end(again);
}

void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add_list(text, format, arguments);
    va_end(arguments);
}

void text_upper(struct text *text, const char *name) {
    for (; *name != '\0'; name++) {
        text_add(text, "%c", *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
    }
}

void text_comment(struct text *text, const char *indent, const char *doc) {
    while (doc != NULL && *doc != '\0') {
        size_t length = strcspn(doc, "\n");
        text_add(text, "%s//%s%.*s\n", indent, length > 0 ? " " : "", (int)length, doc);
        doc += length + (doc[length] == '\n');
    }
}

void text_free(struct text *text) {
    free(text->data);
    *text = (struct text){ 0 };
}

void fail(struct compiler *compiler, const struct place *place, const char *format, ...) {
    if (compiler->failed) {
        return;
    }
    compiler->failed = true;
    text_add(&compiler->errors, "%s:%u:%u: ", place->path, place->line, place->column);
    va_list arguments;
    va_start(arguments, format);
    add_list(&compiler->errors, format, arguments);
    va_end(arguments);
    text_add(&compiler->errors, "\n");
}
