// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_source.c: what stands in the holes of a bound table: stubs that refuse a
// method whose rights are missing, stubs for absent methods, and the function that binds.
#include "portgen.h"

#include <string.h>

static void put_stub_head(const struct method *method, const char *what, struct text *out) {
    const char *first = first_parameter(method);
    text_add(out, "static enum hx_status %s_%s(void *%s", what, method->name, first);
    emit_parameters(method, STYLE_DECLARE, out);
    text_add(out, ") {\n    (void)%s;\n", first);
    emit_parameters(method, STYLE_UNUSED, out);
}

static void put_refusing(const struct method *method, struct text *out) {
    if (method->rights != 0) {
        put_stub_head(method, "refused", out);
        text_add(out, "    return HX_ERR_ACCESS_DENIED;\n}\n\n");
    }
}

// What a stub that succeeds gives: nothing.
static void put_nothing(const struct field *field, struct text *out) {
    if (field->direction != DIRECTION_RESULT) {
        return;
    }
    switch (field->type.kind) {
    case KIND_STRUCT:
        text_add(out, "    *out_%s = (", field->name);
        emit_type(field->type.kind, field->type.declaration, out);
        text_add(out, "){ 0 };\n");
        break;
    case KIND_BYTES:
        text_add(out, "    *out_%s_length = 0;\n", field->name);
        break;
    case KIND_ARRAY:
        text_add(out, "    *out_%s_count = 0;\n", field->name);
        break;
    default:
        text_add(out, "    *out_%s = 0;\n", field->name);
    }
}

static void put_absent(const struct method *method, struct text *out) {
    if (method->optional == NULL || method->optional_method != NULL) {
        return;
    }
    bool succeeds = strcmp(method->optional, "OK") == 0;
    put_stub_head(method, "absent", out);
    for (const struct field *field = method->fields; succeeds && field != NULL;
         field = field->next) {
        put_nothing(field, out);
    }
    text_add(out, "    return %s%s;\n}\n\n", succeeds ? "HX_" : "HX_ERR_", method->optional);
}

static void put_bound(const struct method *method, struct text *out) {
    const char *name = method->name;
    text_add(out, "    out_bound->%s = ", name);
    if (method->rights != 0) {
        text_add(out, "(rights & %llu) != %llu ? refused_%s : ", (unsigned long long)method->rights,
                 (unsigned long long)method->rights, name);
    }
    if (method->optional_method != NULL) {
        text_add(out, "ops->%s != NULL ? ops->%s : out_bound->%s;\n", name, name, method->optional);
    } else if (method->optional != NULL) {
        text_add(out, "ops->%s != NULL ? ops->%s : absent_%s;\n", name, name, name);
    } else {
        text_add(out, "ops->%s;\n", name);
    }
}

static void put_bind(const struct port *port, struct text *out) {
    const char *prefix = port->prefix;
    text_add(out,
             "enum hx_status %s_bind(struct %s_ops *out_bound, const struct %s_ops *ops, rights_t "
             "rights) {\n"
             "    (void)rights;\n",
             prefix, prefix, prefix);
    if (port->events != NULL) {
        text_add(out, "    if (ops->attach == NULL) {\n        return HX_ERR_BAD_IMAGE;\n    }\n");
    }
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        if (method->optional == NULL) {
            text_add(out, "    if (ops->%s == NULL) {\n        return HX_ERR_BAD_IMAGE;\n    }\n",
                     method->name);
        }
    }
    text_add(out, port->events != NULL ? "    out_bound->attach = ops->attach;\n" : "");
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        put_bound(method, out);
    }
    text_add(out, "    return HX_OK;\n}\n");
}

static void put_method_tables(const struct port *port, struct text *out) {
    text_add(out, "\nconst char *const %s_method_names[%s_METHOD_COUNT] = {\n", port->prefix,
             port->upper);
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        text_add(out, "    \"%s.%s\",\n", port->prefix, method->name);
    }
    text_add(out, "};\n\nconst bool %s_method_idempotent[%s_METHOD_COUNT] = {\n", port->prefix,
             port->upper);
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        text_add(out, "    %s, // %s\n", method->idempotent ? "true" : "false", method->name);
    }
    text_add(out, "};\n");
}

// What of the operations table a version has: all in front of the first method that came later.
static void put_minor(const struct port *port, const struct version *version, uint32_t number,
                      struct text *out) {
    const struct method *method = port->methods;
    if (version->next != NULL) {
        put_minor(port, version->next, number + 1, out);
    }
    while (method != NULL && method->since <= number) {
        method = method->next;
    }
    text_add(out, "    { %u, ", version->minor);
    if (method != NULL) {
        text_add(out, "offsetof(struct %s_ops, %s)", port->prefix, method->name);
    } else {
        text_add(out, "sizeof(struct %s_ops)", port->prefix);
    }
    text_add(out, ", UINT64_C(0x%016llx), ", (unsigned long long)version->abi);
    if (method != NULL) {
        text_add(out, "%u },\n", method->number);
    } else {
        text_add(out, "%s_METHOD_COUNT },\n", port->upper);
    }
}

static void put_minors(const struct port *port, struct text *out) {
    text_add(out, "\nstatic const struct hx_port_minor minors[%u] = {\n", port->version_count);
    put_minor(port, port->versions, 0, out);
    text_add(out, "};\nconst struct hx_port_versions %s_versions = { \"%s\", %u, %u, minors };\n",
             port->prefix, port->name, port->major, port->version_count);
}

void emit_source(const struct port *port, struct text *out) {
    text_add(out,
             "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
             "// %s_port.c: binding of %s, made from sdk/ports/%s.port: change that.\n"
             "#include <helix/ports/%s_port.h>\n\n",
             port->prefix, port->name, port->prefix, port->prefix);
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        put_refusing(method, out);
        put_absent(method, out);
    }
    put_bind(port, out);
    put_method_tables(port, out);
    put_minors(port, out);
}
