// SPDX-License-Identifier: MIT OR Apache-2.0
// exports.c: the functions that headers declare, as a table by name. A declaration is a name that
// begins with hx_ in front of a parenthesis, outside all braces and parentheses.
#include "pack.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "hx_"

static const char *skip_line(const char *at) {
    while (*at != '\0' && *at != '\n') {
        at += *at == '\\' && at[1] != '\0' ? 2 : 1; // a macro may go on
    }
    return at;
}

static const char *skip_comment(const char *at) {
    const char *end = strstr(at, "*/");
    return end != NULL ? end + 2 : at + strlen(at);
}

static size_t name_length(const char *at) {
    size_t length = 0;
    while (isalnum((unsigned char)at[length]) || at[length] == '_') {
        length++;
    }
    return length;
}

// Writes the row of a name if it is a function's; where to go on.
static const char *read_name(const char *at, int depth, FILE *out) {
    const size_t length = name_length(at);
    if (depth == 0 && at[length] == '(' && strncmp(at, PREFIX, strlen(PREFIX)) == 0) {
        (void)fprintf(out, "    { \"%.*s\", (uint64_t)(uintptr_t)%.*s },\n", (int)length, at,
                      (int)length, at);
    }
    return at + length;
}

static void read_header(const char *at, FILE *out) {
    int depth = 0;
    while (*at != '\0') {
        if (*at == '#' || strncmp(at, "//", 2) == 0) {
            at = skip_line(at);
        } else if (strncmp(at, "/*", 2) == 0) {
            at = skip_comment(at);
        } else if (isalpha((unsigned char)*at) || *at == '_') {
            at = read_name(at, depth, out);
        } else {
            depth += *at == '(' || *at == '{' ? 1 : *at == ')' || *at == '}' ? -1 : 0;
            at++;
        }
    }
}

// "…/include/helix/env.h": as it is included.
static const char *included_as(const char *path) {
    const char *found = strstr(path, "/include/");
    if (found == NULL) {
        fail("%s is in no folder named include", path);
    }
    return found + strlen("/include/");
}

void write_exports(const char *path, char *const *headers, int count) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        fail("out of memory");
    }
    (void)fputs("// Made by tools/pack: all that a package may import.\n#include \"exports.h\"\n\n",
                out);
    for (int i = 0; i < count; i++) {
        (void)fprintf(out, "#include <%s>\n", included_as(headers[i]));
    }
    (void)fputs("\nconst struct export module_exports[] = {\n", out);
    for (int i = 0; i < count; i++) {
        char *header = read_file(headers[i], 0, &(size_t){ 0 });
        read_header(header, out);
        free(header);
    }
    (void)fputs("    { NULL, 0 },\n};\n", out);
    (void)fclose(out);
    write_file(path, text, size);
    free(text);
}
