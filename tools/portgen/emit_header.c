// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_header.c: the header of a port: constants, types, the operations table.
#include "portgen.h"

// Parameters --------------------------------------------------------------------------------------

void emit_type(enum kind kind, const struct declaration *declaration, struct text *out) {
    if (kind == KIND_STRUCT || kind == KIND_TEXT || kind == KIND_REF) {
        text_add(out, "struct %s_%s ", declaration->port->prefix, declaration->name);
    } else if (kind == KIND_HANDLE || kind == KIND_OBJECT) {
        text_add(out, "handle_t ");
    } else {
        text_add(out, "%s ", scalar_c_name(kind));
    }
}

struct writer {
    struct text *out;
    enum style style;
    const struct field *field;
};

// One C parameter: `before` and `after` surround the field's type or its name.
static void put(const struct writer *writer, const char *constant, bool typed, const char *type,
                const char *prefix, const char *suffix) {
    const struct field *field = writer->field;
    const bool declares = writer->style == STYLE_DECLARE || writer->style == STYLE_FIELD;
    static const char *const heads[] = {
        [STYLE_DECLARE] = ", ", [STYLE_PASS] = ", ",       [STYLE_UNUSED] = "    (void)",
        [STYLE_FIELD] = "    ", [STYLE_CALL] = ", call->",
    };
    text_add(writer->out, "%s", heads[writer->style]);
    if (declares) {
        text_add(writer->out, "%s", constant);
        if (typed) {
            bool is_array = field->type.kind == KIND_ARRAY;
            emit_type(is_array ? field->type.element : field->type.kind, field->type.declaration,
                      writer->out);
        }
        text_add(writer->out, "%s", type);
    }
    const bool ends = writer->style == STYLE_UNUSED || writer->style == STYLE_FIELD;
    text_add(writer->out, "%s%s%s%s", prefix, field->name, suffix, ends ? ";\n" : "");
}

static void put_result(const struct writer *writer) {
    switch (writer->field->type.kind) {
    case KIND_BYTES:
        put(writer, "", false, "void *", "", "");
        put(writer, "", false, "uint32_t ", "", "_capacity");
        put(writer, "", false, "uint32_t *", "out_", "_length");
        break;
    case KIND_ARRAY:
        put(writer, "", true, "*", "", "");
        put(writer, "", false, "uint32_t ", "", "_capacity");
        put(writer, "", false, "uint32_t *", "out_", "_count");
        break;
    case KIND_INSTANCE:
        put(writer, "", false, "void **", "out_", "");
        break;
    case KIND_REF:
        put(writer, "", true, "**", "out_", "");
        break;
    default:
        put(writer, "", true, "*", "out_", "");
    }
}

static void put_argument(const struct writer *writer) {
    bool is_in = writer->field->direction == DIRECTION_IN;
    const char *constant = is_in ? "const " : "";
    switch (writer->field->type.kind) {
    case KIND_STRING:
        put(writer, "", false, "const char *", "", "");
        break;
    case KIND_BYTES:
        put(writer, constant, false, "void *", "", "");
        put(writer, "", false, "uint32_t ", "", "_bytes");
        break;
    case KIND_ARRAY:
        put(writer, constant, true, "*", "", "");
        put(writer, "", false, "uint32_t ", "", "_count");
        break;
    case KIND_PAGES:
        put(writer, constant, false, "void *const *", "", "");
        put(writer, "", false, "uint32_t ", "", "_count");
        break;
    case KIND_STRUCT:
        put(writer, constant, true, "*", "", "");
        break;
    case KIND_REF:
        put(writer, "", true, "*", "", "");
        break;
    default:
        put(writer, "", true, "", "", "");
    }
}

static bool has_instance(const struct method *method) {
    const struct field *first = method->fields;
    return first != NULL && first->type.kind == KIND_INSTANCE && first->direction == DIRECTION_IN;
}

const char *first_parameter(const struct method *method) {
    return has_instance(method) ? method->fields->name : "self";
}

void emit_parameters(const struct method *method, enum style style, struct text *out) {
    const struct field *field = has_instance(method) ? method->fields->next : method->fields;
    for (; field != NULL; field = field->next) {
        const struct writer writer = { out, style, field };
        if (field->direction == DIRECTION_RESULT) {
            put_result(&writer);
        } else {
            put_argument(&writer);
        }
    }
}

// Declarations ------------------------------------------------------------------------------------

// A literal in C, as it was written: 0170000u, UINT64_C(0x…).
static void put_literal(const struct constant *constant, struct text *out) {
    text_add(out, constant->value > UINT32_MAX ? "UINT64_C(%s)" : "%su", constant->literal);
}

static void put_constants(const struct port *port, struct text *out) {
    for (const struct constant *each = port->constants; each != NULL; each = each->next) {
        text_comment(out, "", each->doc);
        text_add(out, "#define %s_%s ", port->upper, each->name);
        put_literal(each, out);
        text_add(out, "\n");
    }
}

static void put_values(const struct declaration *declaration, struct text *out) {
    const char *upper = declaration->port->upper;
    text_comment(out, "", declaration->doc);
    if (declaration->kind == KIND_ENUM) {
        text_add(out, "enum %s_%s {\n", declaration->port->prefix, declaration->name);
    }
    for (const struct constant *each = declaration->values; each != NULL; each = each->next) {
        text_comment(out, declaration->kind == KIND_ENUM ? "    " : "", each->doc);
        text_add(out,
                 declaration->kind == KIND_ENUM ? "    %s_%s = %s,\n"
                                                : "#define %s_%s (1u << %s)\n",
                 upper, each->name, each->literal);
    }
    if (declaration->kind == KIND_ENUM) {
        text_add(out, "};\n");
    }
}

static void put_field(const struct field *field, struct text *out) {
    const struct type *type = &field->type;
    text_comment(out, "    ", field->doc);
    if (type->kind == KIND_TEXT) {
        text_add(out, "    uint32_t %s_length;\n", field->name);
    }
    text_add(out, "    ");
    if (type->align != 0) {
        text_add(out, "alignas(%llu) ", (unsigned long long)type->align);
    }
    if (type->kind == KIND_TEXT || type->kind == KIND_STRING) {
        text_add(out, "char %s[%s + 1]", field->name, type->bound_text);
    } else {
        emit_type(type->kind, type->declaration, out);
        text_add(out, "%s", field->name);
    }
    if (type->fixed != 0) {
        text_add(out, "[%llu]", (unsigned long long)type->fixed);
    }
    text_add(out, ";\n");
}

static void put_struct(const struct declaration *declaration, struct text *out) {
    const char *prefix = declaration->port->prefix;
    text_comment(out, "", declaration->doc);
    text_add(out, "struct %s_%s {\n", prefix, declaration->name);
    for (const struct field *field = declaration->fields; field != NULL; field = field->next) {
        put_field(field, out);
    }
    text_add(out, "};\n_Static_assert(sizeof(struct %s_%s) == %llu, \"it crosses boundaries\");\n",
             prefix, declaration->name, (unsigned long long)declaration->size);
}

static void put_declaration(const struct declaration *declaration, struct text *out) {
    switch (declaration->kind) {
    case KIND_ENUM:
    case KIND_FLAGS:
        put_values(declaration, out);
        break;
    case KIND_STRUCT:
        put_struct(declaration, out);
        break;
    case KIND_TEXT:
        text_comment(out, "", declaration->doc);
        text_add(out, "struct %s_%s {\n    const char *text;\n    uint32_t length;\n};\n",
                 declaration->port->prefix, declaration->name);
        break;
    case KIND_OBJECT: // see put_objects() in emit_syscalls.c
        return;
    default: // ids and instances are numbers and pointers
        text_comment(out, "", declaration->doc);
    }
    text_add(out, "\n");
}

// Methods -----------------------------------------------------------------------------------------

static void put_marks(const struct port *port, const struct method *method, struct text *out) {
    const struct version *version = version_since(port, method->since);
    if (version != NULL) {
        text_add(out, "    // Since %u.%u.\n", version->major, version->minor);
    }
    if (method->fails != NULL) {
        text_add(out, "    // Fails:");
        put_statuses(method->fails, out);
        text_add(out, "\n");
    }
    if (method->optional_method != NULL) {
        text_add(out, "    // NULL: %s does it.\n", method->optional);
    } else if (method->optional != NULL) {
        text_add(out, "    // NULL stands for %s%s.\n",
                 method->optional[0] == 'O' ? "HX_" : "HX_ERR_", method->optional);
    }
    if (method->completed_by != NULL) {
        text_add(out, "    // Completed by the event %s.\n", method->completed_by);
    }
}

static void put_operations(const struct port *port, struct text *out) {
    const char *prefix = port->prefix;
    text_add(out, "struct %s_ops {\n", prefix);
    if (port->events != NULL) {
        text_add(out,
                 "    // Says to whom events go; `client` is what they get first.\n"
                 "    enum hx_status (*attach)(void *self, const struct %s_events *events, void "
                 "*client);\n",
                 prefix);
    }
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        text_comment(out, "    ", method->doc);
        put_marks(port, method, out);
        text_add(out, "    enum hx_status (*%s)(void *%s", method->name, first_parameter(method));
        emit_parameters(method, STYLE_DECLARE, out);
        text_add(out, ");\n");
    }
    text_add(out, "};\n\n");
}

static void put_events(const struct port *port, struct text *out) {
    if (port->events == NULL) {
        return;
    }
    text_add(out, "// What the provider tells its client. Thread context.\nstruct %s_events {\n",
             port->prefix);
    for (const struct method *event = port->events; event != NULL; event = event->next) {
        text_comment(out, "    ", event->doc);
        text_add(out, "    void (*%s)(void *client", event->name);
        emit_parameters(event, STYLE_DECLARE, out);
        text_add(out, ");\n");
    }
    text_add(out, "};\n\n");
}

static void put_numbers(const struct port *port, struct text *out) {
    text_add(out, "// Its methods by number, in messages and in the trace.\nenum %s_method {\n",
             port->prefix);
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        text_add(out, "    %s_METHOD_", port->upper);
        text_upper(out, method->name);
        text_add(out, ",\n");
    }
    text_add(out,
             "    %s_METHOD_COUNT,\n};\nextern const char *const %s_method_names[%s_METHOD_COUNT]; "
             "// \"%s.%s\", …\n"
             "// Which of them may be made again for the next life of a module that died.\n"
             "extern const bool %s_method_idempotent[%s_METHOD_COUNT];\n\n",
             port->upper, port->prefix, port->upper, port->prefix, port->methods->name,
             port->prefix, port->upper);
}

// "{ "helix.fs", { 1, 0, 0 }, UINT64_C(0x…) }"
static void put_version(const struct port *port, const struct version *version, struct text *out) {
    text_add(out, "{ \"%s\", { %u, %u, 0 }, UINT64_C(0x%016llx) }", port->name, version->major,
             version->minor, (unsigned long long)version->abi);
}

// From the newest one on: who provides a version provides those before it, too.
static void put_provided(const struct port *port, const struct version *version, struct text *out) {
    if (version->next != NULL) {
        put_provided(port, version->next, out);
        text_add(out, ", ");
    }
    put_version(port, version, out);
}

static void put_versions(const struct port *port, struct text *out) {
    text_add(out,
             "\n// For manifests and for the user of the port: its name, version and ABI. Who\n"
             "// provides it provides the versions before it, too; who requires it requires this\n"
             "// one, or, with the number of another one behind it, that one.\n"
             "#define %s_PORT_ABI UINT64_C(0x%016llx)\n"
             "#define %s_PORT_VERSION { \"%s\", { %u, %u, 0 }, %s_PORT_ABI }\n"
             "#define %s_PORT_PROVIDED ",
             port->upper, (unsigned long long)port->abi, port->upper, port->name, port->major,
             port->minor, port->upper, port->upper);
    put_provided(port, port->versions, out);
    text_add(out, "\n#define %s_PORT_REQUIRED %s_PORT_REQUIRED_%u_%u\n", port->upper, port->upper,
             port->major, port->minor);
    for (const struct version *each = port->versions; each != NULL; each = each->next) {
        text_add(out,
                 "#define %s_PORT_REQUIRED_%u_%u { \"%s\", { %u, %u, 0 }, { %u, 0, 0 }, "
                 "UINT64_C(0x%016llx) }\n",
                 port->upper, each->major, each->minor, port->name, each->major, each->minor,
                 each->major + 1, (unsigned long long)each->abi);
    }
    text_add(
        out,
        "// What two sides may agree on.\nextern const struct hx_port_versions %s_versions;\n\n",
        port->prefix);
}

static void put_head(const struct port *port, struct text *out) {
    text_add(
        out,
        "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
        "// <helix/ports/%s_port.h>: %s %u.%u, made from sdk/ports/%s.port: change that.\n//\n",
        port->prefix, port->name, port->major, port->minor, port->prefix);
    text_comment(out, "", port->doc);
    text_add(out, "//\n// Context: %s.%s", port->atomic ? "atomic" : "thread",
             port->fails != NULL ? " Every method may fail with" : "");
    put_statuses(port->fails, out);
    text_add(out, "\n#pragma once\n\n#include <helix/module.h>\n#include <helix/types.h>\n");
    for (const struct use *use = port->uses; use != NULL; use = use->next) {
        text_add(out, "#include <helix/ports/%s_port.h>\n", use->port->prefix);
    }
    put_versions(port, out);
}

void emit_types(const struct port *port, struct text *out) {
    put_constants(port, out);
    text_add(out, "\n");
    for (const struct declaration *each = port->declarations; each != NULL; each = each->next) {
        put_declaration(each, out);
    }
}

void emit_header(const struct port *port, struct text *out) {
    put_head(port, out);
    emit_types(port, out);
    put_events(port, out);
    put_operations(port, out);
    put_numbers(port, out);
    text_add(
        out,
        "// Makes the table that a client calls: without holes, and with methods that `rights`\n"
        "// do not allow refused with HX_ERR_ACCESS_DENIED. HX_ERR_BAD_IMAGE: `ops` lacks a\n"
        "// method that is not optional. Any context.\n"
        "enum hx_status %s_bind(struct %s_ops *out_bound, const struct %s_ops *ops, rights_t "
        "rights);\n",
        port->prefix, port->prefix, port->prefix);
}
