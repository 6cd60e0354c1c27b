// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/main.c: portgen IN OUTPUT…: makes what the name of each output says. From a port:
// *_port.h the header, *_port.c the binding, *_wire.h and *_wire.c the isolated form, *.md the
// page, *_calls.h the kernel's calls. From system calls: native.h types and numbers, calls.h
// functions for programs, FAMILY_table.h and FAMILY_table.c what the kernel has of them, *.md the
// page.
#include "portgen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(struct arena *arena, const char *path, size_t *out_length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    char *copy = NULL;
    if (length >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        copy = arena_alloc(arena, (size_t)length + 1);
        *out_length = fread(copy, 1, (size_t)length, file);
    }
    (void)fclose(file);
    return copy;
}

// NAME.port beside the file that was given.
static char *load_beside(struct compiler *compiler, const char *name, const char **out_path) {
    const char *path = compiler->context;
    const char *slash = strrchr(path, '/');
    struct text beside = { 0 };
    text_add(&beside, "%.*s%s.port", slash != NULL ? (int)(slash - path + 1) : 0, path, name);
    *out_path = arena_copy(&compiler->arena, beside.data, beside.length);
    text_free(&beside);
    size_t length;
    return read_file(&compiler->arena, *out_path, &length);
}

static const struct {
    const char *ending;
    bool is_calls; // of files of calls, or of ports
    void (*emit)(const struct port *port, struct text *out);
} outputs[] = {
    { "_port.h", false, emit_header },        { "_port.c", false, emit_source },
    { "_wire.h", false, emit_wire_header },   { "_wire.c", false, emit_wire_source },
    { "_calls.h", false, emit_calls },        { ".md", false, emit_page },
    { "_numbered.h", false, emit_numbered },  { "/calls.h", true, emit_calls_stubs },
    { "/native.h", true, emit_calls_header }, { ".md", true, emit_calls_page },
};

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool has_ending(const char *path, const char *ending) {
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcmp(path + length - tail, ending) == 0;
}

// FAMILY_table.h and FAMILY_table.c
static void emit_table(const struct port *port, const char *path, struct text *text) {
    struct text family = { 0 };
    text_add(&family, "%.*s", (int)strlen(base_of(path)) - (int)strlen("_table.h"), base_of(path));
    if (has_ending(path, "_table.h")) {
        emit_table_header(port, family.data, text);
    } else if (has_ending(path, "_table.c")) {
        emit_table_source(port, family.data, text);
    }
    text_free(&family);
}

static bool write_output(const struct port *port, const char *path) {
    struct text text = { 0 };
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        if (outputs[i].is_calls == port->is_calls && has_ending(path, outputs[i].ending)) {
            outputs[i].emit(port, &text);
        }
    }
    if (port->is_calls && text.length == 0) {
        emit_table(port, path, &text);
    }
    FILE *file = text.length > 0 ? fopen(path, "wb") : NULL;
    bool good = file != NULL && fwrite(text.data, 1, text.length, file) == text.length;
    good = (file == NULL || fclose(file) == 0) && good;
    text_free(&text);
    if (!good) {
        (void)fprintf(stderr, "portgen: cannot write %s\n", path);
    }
    return good;
}

// A port is found by the name of its file.
static void check_file_name(struct compiler *compiler, const struct port *port, const char *path) {
    const char *ending = port->is_calls ? ".calls" : ".port";
    const char *base = base_of(path);
    size_t length = strlen(port->family);
    if (strncmp(base, port->family, length) != 0 || strcmp(base + length, ending) != 0) {
        fail(compiler, &port->place, "this file describes '%s'; name it %s%s", port->name,
             port->family, ending);
    }
}

int main(int count, char **words) {
    if (count < 2) {
        (void)fputs("portgen IN.port OUTPUT...\n", stderr);
        return 2;
    }
    struct compiler compiler = { .load = load_beside, .context = words[1] };
    size_t length = 0;
    char *text = read_file(&compiler.arena, words[1], &length);
    struct port *port = NULL;
    if (text == NULL) {
        (void)fprintf(stderr, "portgen: cannot read %s\n", words[1]);
    } else {
        port = port_read(&compiler, words[1], text, length);
        if (port != NULL) {
            check_file_name(&compiler, port, words[1]);
        }
        (void)fputs(compiler.failed ? compiler.errors.data : "", stderr);
    }
    bool good = port != NULL && !compiler.failed;
    for (int i = 2; good && i < count; i++) {
        good = write_output(port, words[i]);
    }
    text_free(&compiler.errors);
    arena_free(&compiler.arena);
    return good ? 0 : 1;
}
