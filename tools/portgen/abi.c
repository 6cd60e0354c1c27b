// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/abi.c: the ABI hash of a port: FNV-1a over a plain text of its names, types, values
// and their order. Comments, statuses and rights are not in it: they change no byte that crosses.
#include "portgen.h"

static void add_type(struct text *text, const struct type *type) {
    const struct declaration *declaration = type->declaration;
    text_add(text, "%d %d %s%s%s %llu %llu %llu %llu", (int)type->kind, (int)type->element,
             declaration != NULL ? declaration->port->name : "", declaration != NULL ? "." : "",
             declaration != NULL ? declaration->name : "", (unsigned long long)type->bound,
             (unsigned long long)type->fixed, (unsigned long long)type->align,
             (unsigned long long)type->rights);
    if (type->within != 0) {
        text_add(text, " within %llu", (unsigned long long)type->within);
    }
}

static void add_constants(struct text *text, const struct constant *constant) {
    for (; constant != NULL; constant = constant->next) {
        text_add(text, "%s=%llu;", constant->name, (unsigned long long)constant->value);
    }
}

static void add_fields(struct text *text, const struct field *field) {
    for (; field != NULL; field = field->next) {
        text_add(text, "%s:%d ", field->name, (int)field->direction);
        add_type(text, &field->type);
        text_add(text, ";");
    }
}

static void add_methods(struct text *text, const char *word, const struct method *method) {
    for (; method != NULL; method = method->next) {
        text_add(text, "%s %s(", word, method->name);
        if (method->call != 0) {
            text_add(text, "%llu ", (unsigned long long)method->call);
        }
        add_fields(text, method->fields);
        text_add(text, ")");
    }
}

uint64_t port_abi(const struct port *port) {
    struct text text = { 0 };
    text_add(&text, "%s %u.%u ", port->name, port->major, port->minor);
    for (const struct use *use = port->uses; use != NULL; use = use->next) {
        text_add(&text, "use %llx ", (unsigned long long)use->port->abi);
    }
    add_constants(&text, port->constants);
    for (const struct declaration *each = port->declarations; each != NULL; each = each->next) {
        text_add(&text, "%d %s{", (int)each->kind, each->name);
        add_constants(&text, each->values);
        add_fields(&text, each->fields);
        text_add(&text, "}");
    }
    add_methods(&text, "method", port->methods);
    add_methods(&text, "event", port->events);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    text_free(&text);
    return hash;
}
