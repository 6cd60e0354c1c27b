// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/log.c: what the module logs is kept, as far as there is room.
#include "private.h"

#include <lib/format.h>

#include <string.h>

#define LINES_MAX  64u
#define LINE_BYTES 256u
#define LEVELS     8u

static char lines[LINES_MAX][LINE_BYTES];
static uint32_t count; // of all lines
static uint32_t by_level[LEVELS];
static void (*watcher)(enum hx_log_level level, const char *line);

void hx_log(struct hx_env *env, enum hx_log_level level, const char *format, ...) {
    char text[LINE_BYTES];
    va_list arguments;
    (void)env;
    va_start(arguments, format);
    (void)format_string_list(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (level < HX_LOG_ERROR || level > HX_LOG_DEBUG || strchr(text, '\n') != NULL) {
        host_broken("a line of the log with level %u and text '%s'", level, text);
    }
    if (watcher != NULL) {
        watcher(level, text);
    }
    memcpy(lines[count++ % LINES_MAX], text, sizeof(text));
    by_level[level]++;
}

uint32_t host_logged(enum hx_log_level level) {
    return by_level[level];
}

const char *host_log_find(const char *text) {
    const uint32_t kept = MIN_OF(count, LINES_MAX);
    for (uint32_t back = 1; back <= kept; back++) {
        const char *line = lines[(count - back) % LINES_MAX];
        if (strstr(line, text) != NULL) {
            return line;
        }
    }
    return NULL;
}

void host_log_watch(void (*watch)(enum hx_log_level level, const char *line)) {
    watcher = watch;
}

void log_reset(void) {
    count = 0;
    memset(by_level, 0, sizeof(by_level));
}
