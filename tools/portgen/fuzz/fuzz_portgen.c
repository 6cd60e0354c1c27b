// SPDX-License-Identifier: MIT OR Apache-2.0
// fuzz_portgen.c: any text is either refused with an error or a port whose outputs can be made. A
// text that says `use` uses a port that is fixed here.
#include "../portgen.h"

#include <fuzz.h>
#include <string.h>

static char *load(struct compiler *compiler, const char *name, const char **out_path) {
    static const char other[] = "port helix.a 1.0 { id n; struct s { a: n; } method m(a: s); }";
    *out_path = name;
    return strcmp(name, "a") == 0 ? arena_copy(&compiler->arena, other, strlen(other)) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct compiler compiler = { .load = load };
    struct text out = { 0 };
    struct port *port = port_read(&compiler, "fuzz.port", (const char *)data, size);
    FUZZ_ASSERT((port == NULL) == compiler.failed);
    FUZZ_ASSERT((compiler.errors.length > 0) == compiler.failed);
    if (port != NULL && port->is_calls) {
        emit_calls_header(port, &out);
        emit_calls_stubs(port, &out);
        emit_table_header(port, port->methods->by, &out);
        emit_table_source(port, port->methods->by, &out);
        emit_calls_page(port, &out);
    } else if (port != NULL) {
        emit_header(port, &out);
        emit_source(port, &out);
        emit_wire_header(port, &out);
        emit_wire_source(port, &out);
        emit_page(port, &out);
    }
    text_free(&out);
    text_free(&compiler.errors);
    arena_free(&compiler.arena);
    return 0;
}
