// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/abi.c: the ABI hash of a port: FNV-1a over a plain text of its names, types, values
// and their order. Comments, statuses and rights are not in it: they change no byte that crosses.
//
// Each minor version has a hash of its own, over what it and those before it have: the same as when
// it was the newest one.
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

static void add_constants(struct text *text, const struct constant *constant, uint32_t version) {
    for (; constant != NULL && constant->since <= version; constant = constant->next) {
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

static void add_methods(struct text *text, const char *word, const struct method *method,
                        uint32_t version) {
    for (; method != NULL && method->since <= version; method = method->next) {
        text_add(text, "%s %s(", word, method->name);
        if (method->call != 0) {
            text_add(text, "%llu ", (unsigned long long)method->call);
        }
        add_fields(text, method->fields);
        text_add(text, ")");
    }
}

// The first version of another port that has all of it that these fields mention.
static uint32_t version_of_fields(const struct field *field, const struct port *used) {
    uint32_t version = 0;
    for (; field != NULL; field = field->next) {
        const struct declaration *declaration = field->type.declaration;
        if (declaration != NULL && declaration->port == used && declaration->since > version) {
            version = declaration->since;
        }
    }
    return version;
}

static uint32_t version_of_methods(const struct method *method, const struct port *used,
                                   uint32_t version) {
    uint32_t most = 0;
    for (; method != NULL && method->since <= version; method = method->next) {
        const uint32_t each = version_of_fields(method->fields, used);
        most = each > most ? each : most;
    }
    return most;
}

static uint32_t version_of_use(const struct port *port, const struct port *used, uint32_t version) {
    const uint32_t methods = version_of_methods(port->methods, used, version);
    const uint32_t events = version_of_methods(port->events, used, version);
    uint32_t most = methods > events ? methods : events;
    for (const struct declaration *each = port->declarations;
         each != NULL && each->since <= version; each = each->next) {
        const uint32_t fields = version_of_fields(each->fields, used);
        most = fields > most ? fields : most;
    }
    return most;
}

static const struct version *version_at(const struct port *port, uint32_t number) {
    const struct version *version = port->versions;
    for (; number > 0; number--) {
        version = version->next;
    }
    return version;
}

const struct version *version_since(const struct port *port, uint32_t since) {
    return since == 0 ? NULL : version_at(port, since);
}

uint64_t port_abi(const struct port *port, uint32_t version) {
    struct text text = { 0 };
    text_add(&text, "%s %u.%u ", port->name, port->major, version_at(port, version)->minor);
    for (const struct use *use = port->uses; use != NULL; use = use->next) {
        const uint32_t used = version_of_use(port, use->port, version);
        text_add(&text, "use %llx ", (unsigned long long)version_at(use->port, used)->abi);
    }
    add_constants(&text, port->constants, version);
    for (const struct declaration *each = port->declarations;
         each != NULL && each->since <= version; each = each->next) {
        text_add(&text, "%d %s{", (int)each->kind, each->name);
        add_constants(&text, each->values, version);
        add_fields(&text, each->fields);
        text_add(&text, "}");
    }
    add_methods(&text, "method", port->methods, version);
    add_methods(&text, "event", port->events, version);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.length; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    }
    text_free(&text);
    return hash;
}
