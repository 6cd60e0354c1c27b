// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_wire.c: the isolated form of a port: descriptions of all messages for
// <lib/wire.h>, the client's operations, which send, and what calls a module for a message that
// came.
#include "portgen.h"

#include <string.h>

// Layouts -----------------------------------------------------------------------------------------

static void put_layout_name(enum kind kind, const struct declaration *declaration,
                            struct text *out) {
    enum kind carrier = carrier_of(kind);
    if (kind == KIND_STRUCT || kind == KIND_ENUM || kind == KIND_FLAGS) {
        text_add(out, "&%s_layout_%s", declaration->port->prefix, declaration->name);
    } else if (carrier == KIND_BOOL) {
        text_add(out, "&wire_bool");
    } else {
        text_add(out, "&wire_u%llu", (unsigned long long)scalar_size(carrier) * 8);
    }
}

// What must hold for `count` values of a type in a row; nothing, if all bit patterns are right.
static uint32_t put_check(const struct type *type, uint64_t offset, struct text *out) {
    const struct declaration *declaration = type->declaration;
    uint64_t stride = 0;
    uint64_t align;
    unsigned long long mask = 0;
    uint64_t count = type->fixed == 0 ? 1 : type->fixed;
    type_layout(type, &stride, &align);
    const char *kind = type->kind == KIND_BOOL     ? "BOOL"
                       : type->kind == KIND_ENUM   ? "ENUM"
                       : type->kind == KIND_FLAGS  ? "FLAGS"
                       : type->kind == KIND_STRUCT ? "STRUCT"
                       : type->kind == KIND_TEXT   ? "TEXT"
                       : type->kind == KIND_STRING ? "STRING"
                                                   : NULL;
    if (kind == NULL) {
        return 0;
    }
    text_add(out, "    { .kind = WIRE_CHECK_%s, .offset = %llu, .count = %llu, .stride = %llu, ",
             kind, (unsigned long long)offset, (unsigned long long)count,
             (unsigned long long)stride);
    if (type->kind == KIND_STRUCT) {
        text_add(out, ".layout = &%s_layout_%s },\n", declaration->port->prefix, declaration->name);
        return 1;
    }
    if (type->kind == KIND_ENUM) {
        const char *prefix = declaration->port->prefix;
        text_add(out, ".values = %s_values_%s, .limit = ARRAY_SIZE(%s_values_%s) },\n", prefix,
                 declaration->name, prefix, declaration->name);
        return 1;
    }
    for (const struct constant *each = type->kind == KIND_FLAGS ? declaration->values : NULL;
         each != NULL; each = each->next) {
        mask |= 1ull << each->value;
    }
    text_add(out, ".limit = %llu },\n",
             type->kind == KIND_FLAGS ? mask : (unsigned long long)type->bound);
    return 1;
}

static void put_layout(const struct declaration *declaration, struct text *out) {
    const char *prefix = declaration->port->prefix;
    const char *name = declaration->name;
    const struct type self = { .kind = declaration->kind, .declaration = declaration };
    struct text checks = { 0 };
    uint32_t count = 0;
    if (declaration->kind == KIND_ENUM) {
        text_add(out, "static const uint32_t %s_values_%s[] = {", prefix, name);
        for (const struct constant *each = declaration->values; each != NULL; each = each->next) {
            text_add(out, " %s,", each->literal);
        }
        text_add(out, " };\n");
    }
    if (declaration->kind != KIND_STRUCT) {
        count = put_check(&self, 0, &checks);
    }
    for (const struct field *field = declaration->fields; field != NULL; field = field->next) {
        count += put_check(&field->type, field->offset, &checks);
    }
    if (count > 0) {
        text_add(out, "static const struct wire_check %s_checks_%s[] = {\n%s};\n", prefix, name,
                 checks.data);
    }
    text_add(out, "const struct wire_layout %s_layout_%s = { .size_bytes = %llu", prefix, name,
             declaration->kind == KIND_STRUCT ? (unsigned long long)declaration->size : 4ull);
    if (count > 0) {
        text_add(out, ", .check_count = %u, .checks = %s_checks_%s", count, prefix, name);
    }
    text_add(out, " };\n\n");
    text_free(&checks);
}

static bool has_layout(const struct declaration *declaration) {
    return declaration->kind == KIND_STRUCT || declaration->kind == KIND_ENUM ||
           declaration->kind == KIND_FLAGS;
}

// Descriptions ------------------------------------------------------------------------------------

// The fields that are arguments: not the instance that stands for the provider.
static const struct field *arguments_of(const struct method *method) {
    return strcmp(first_parameter(method), "self") == 0 ? method->fields : method->fields->next;
}

static const char *kind_name(enum kind kind) {
    switch (kind) {
    case KIND_TEXT:
        return "TEXT";
    case KIND_STRING:
        return "STRING";
    case KIND_BYTES:
        return "BYTES";
    case KIND_ARRAY:
        return "ARRAY";
    case KIND_PAGES:
        return "PAGES";
    case KIND_HANDLE:
        return "HANDLE";
    case KIND_INSTANCE:
        return "INSTANCE";
    default:
        return "VALUE";
    }
}

static uint32_t put_fields(const struct method *method, const char *what, struct text *out) {
    static const char *const directions[] = { "IN", "OUT", "INOUT", "RESULT" };
    uint32_t count = 0;
    const struct field *field = arguments_of(method);
    if (field == NULL) {
        return 0;
    }
    text_add(out, "static const struct wire_field %s_fields_%s[] = {\n", what, method->name);
    for (; field != NULL; field = field->next, count++) {
        const struct type *type = &field->type;
        text_add(out, "    { WIRE_%s, WIRE_%s, %llu, ", kind_name(type->kind),
                 directions[field->direction], (unsigned long long)type->bound);
        if (type->kind <= KIND_STRUCT || type->kind == KIND_ARRAY) {
            put_layout_name(type->kind == KIND_ARRAY ? type->element : type->kind,
                            type->declaration, out);
        } else {
            text_add(out, "NULL");
        }
        text_add(out, ", %llu },\n", (unsigned long long)type->rights);
    }
    text_add(out, "};\n");
    return count;
}

static uint32_t put_fail_list(const struct status_name *status, struct text *out) {
    uint32_t count = 0;
    for (; status != NULL; status = status->next, count++) {
        text_add(out, " HX_ERR_%s,", status->name);
    }
    return count;
}

// The statuses that may come back: the port's, the method's, and what stands for an absent one.
static uint32_t put_fails(const struct port *port, const struct method *method, struct text *out) {
    struct text list = { 0 };
    uint32_t count = put_fail_list(port->fails, &list);
    if (method != NULL) {
        const struct method *last = method; // that stands for it
        while (last->optional_method != NULL) {
            last = last->optional_method;
        }
        const char *optional = last->optional;
        count += put_fail_list(method->fails, &list);
        if (optional != NULL && strcmp(optional, "OK") != 0) {
            text_add(&list, " HX_ERR_%s,", optional);
            count++;
        }
    }
    if (count > 0) {
        text_add(out, "static const enum hx_status fails_%s[] = {%s };\n",
                 method != NULL ? method->name : "attach", list.data);
    }
    text_free(&list);
    return count;
}

static void put_row(const struct port *port, const struct method *method, const char *what,
                    uint32_t fields, uint32_t fails, struct text *rows) {
    bool is_event = strcmp(what, "event") == 0;
    text_add(rows, "    { ");
    if (is_event || is_isolated(port, method)) {
        text_add(rows, ".invoke = %s_%s, ", is_event ? "take" : "serve", method->name);
    }
    if (fields > 0) {
        text_add(rows, ".fields = %s_fields_%s, .field_count = %u, ", what, method->name, fields);
    }
    if (fails > 0) {
        text_add(rows, ".fails = fails_%s, .fail_count = %u, ", method->name, fails);
    }
    if (!is_event && method->since > 0) {
        text_add(rows, ".absent = HX_ERR_%s, ", method->optional);
    }
    text_add(rows, ".on_instance = %s, .ends = %s },\n",
             method->fields != arguments_of(method) ? "true" : "false",
             method->ends ? "true" : "false");
}

// The two ends of a call --------------------------------------------------------------------------

static void put_client_argument(const struct field *field, struct text *out) {
    const char *name = field->name;
    bool is_result = field->direction == DIRECTION_RESULT;
    switch (field->type.kind) {
    case KIND_TEXT:
        text_add(out, "{ .data = (void *)%s.text, .count = %s.length }", name, name);
        break;
    case KIND_BYTES:
    case KIND_ARRAY:
    case KIND_PAGES:
        text_add(out, "{ .data = (void *)%s, .count = %s_", name, name);
        if (is_result) {
            text_add(out, "capacity, .out_count = out_%s_%s }", name,
                     field->type.kind == KIND_BYTES ? "length" : "count");
        } else {
            text_add(out, "%s }", field->type.kind == KIND_BYTES ? "bytes" : "count");
        }
        break;
    case KIND_STRUCT:
    case KIND_STRING:
        text_add(out, "{ .data = (void *)%s%s }", is_result ? "out_" : "", name);
        break;
    default:
        text_add(out, "{ .data = %s%s }", is_result ? "out_" : "&", name);
    }
}

// "{ … }, { … }" of all arguments, or NULL.
static void put_client_arguments(const struct method *method, struct text *out) {
    const struct field *field = arguments_of(method);
    if (field == NULL) {
        text_add(out, "    struct wire_argument call_arguments[1] = { { .data = NULL } };\n");
        return;
    }
    text_add(out, "    struct wire_argument call_arguments[] = {\n");
    for (; field != NULL; field = field->next) {
        text_add(out, "        ");
        put_client_argument(field, out);
        text_add(out, ",\n");
    }
    text_add(out, "    };\n");
}

// `kind` is in front of its name; `call` is what sends.
static void put_client(const struct port *port, const struct method *method, const char *kind,
                       const char *call, struct text *out) {
    const char *first = first_parameter(method);
    text_add(out, "static enum hx_status %s_%s(void *%s", kind, method->name, first);
    emit_parameters(method, STYLE_DECLARE, out);
    text_add(out, ") {\n");
    if (is_isolated(port, method)) {
        put_client_arguments(method, out);
        text_add(out, "    return %s(%s, %s_METHOD_", call, first, port->upper);
        text_upper(out, method->name);
        text_add(out, ", call_arguments);\n}\n\n");
    } else {
        text_add(out, "    (void)%s;\n", first);
        emit_parameters(method, STYLE_UNUSED, out);
        text_add(out, "    return HX_ERR_NOT_SUPPORTED; // only the kernel form has it\n}\n\n");
    }
}

static void put_sender(const struct method *event, struct text *out) {
    text_add(out, "static void send_%s(void *client", event->name);
    emit_parameters(event, STYLE_DECLARE, out);
    text_add(out, ") {\n");
    put_client_arguments(event, out);
    text_add(out, "    wire_event(client, %u, call_arguments);\n}\n\n", event->number);
}

static void put_server_argument(const struct field *field, uint32_t index, struct text *out) {
    bool is_result = field->direction == DIRECTION_RESULT;
    switch (field->type.kind) {
    case KIND_TEXT:
        text_add(out, ", (struct %s_%s){ arguments[%u].data, arguments[%u].count }",
                 field->type.declaration->port->prefix, field->type.declaration->name, index,
                 index);
        break;
    case KIND_BYTES:
    case KIND_ARRAY:
    case KIND_PAGES:
        text_add(out, ", arguments[%u].data, arguments[%u].count", index, index);
        if (is_result) {
            text_add(out, ", arguments[%u].out_count", index);
        }
        break;
    case KIND_STRUCT:
    case KIND_STRING:
        text_add(out, ", arguments[%u].data", index);
        break;
    default:
        if (is_result) {
            text_add(out, ", arguments[%u].data", index);
        } else {
            text_add(out, ", *(const ");
            emit_type(field->type.kind, field->type.declaration, out);
            text_add(out, "*)arguments[%u].data", index);
        }
    }
}

static void put_server(const struct port *port, const struct method *method, bool is_event,
                       struct text *out) {
    uint32_t index = 0;
    text_add(out,
             "static enum hx_status %s_%s(const void *table, void *first,\n"
             "                           struct wire_argument *arguments) {\n"
             "    (void)arguments;\n    const struct %s_%s *operations = table;\n    "
             "%soperations->%s(first",
             is_event ? "take" : "serve", method->name, port->prefix, is_event ? "events" : "ops",
             is_event ? "" : "return ", method->name);
    for (const struct field *field = arguments_of(method); field != NULL; field = field->next) {
        put_server_argument(field, index++, out);
    }
    text_add(out, ");\n%s}\n\n", is_event ? "    return HX_OK;\n" : "");
}

// Files -------------------------------------------------------------------------------------------

static uint64_t largest(const struct port *port, const struct method *method, bool is_reply) {
    uint64_t most = 8;
    for (; method != NULL; method = method->next) {
        uint64_t size = 8; // the instance, or the status
        for (const struct field *field = arguments_of(method);
             is_isolated(port, method) && field != NULL; field = field->next) {
            size += body_size(field, is_reply);
        }
        most = size > most ? size : most;
    }
    return most;
}

static void put_methods(const struct port *port, struct text *out) {
    struct text rows = { 0 };
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        bool isolated = is_isolated(port, method);
        uint32_t fields = isolated ? put_fields(method, "method", out) : 0;
        uint32_t fails = isolated ? put_fails(port, method, out) : 0;
        if (isolated) {
            put_server(port, method, false, out);
        }
        put_client(port, method, "client", "wire_call", out);
        put_row(port, method, "method", fields, fails, &rows);
    }
    if (port->events != NULL) {
        uint32_t fails = put_fails(port, NULL, out);
        text_add(&rows, "    { .invoke = serve_attach, .fails = %s, .fail_count = %u },\n",
                 fails > 0 ? "fails_attach" : "NULL", fails);
        text_add(
            out,
            "static const struct %s_events port_events_sent;\n\n"
            "static enum hx_status serve_attach(const void *table, void *first,\n"
            "                                  struct wire_argument *arguments) {\n"
            "    const struct %s_ops *operations = table;\n"
            "    return operations->attach(first, &port_events_sent, arguments[0].data);\n}\n\n"
            "static enum hx_status client_attach(void *self, const struct %s_events *events,\n"
            "                                   void *client) {\n"
            "    return wire_attach(self, events, client);\n}\n\n",
            port->prefix, port->prefix, port->prefix);
    }
    text_add(out, "static const struct wire_method port_methods[] = {\n%s};\n\n", rows.data);
    text_free(&rows);
}

static void put_events(const struct port *port, struct text *out) {
    struct text rows = { 0 };
    struct text table = { 0 };
    if (port->events == NULL) {
        return;
    }
    for (const struct method *event = port->events; event != NULL; event = event->next) {
        uint32_t fields = put_fields(event, "event", out);
        put_server(port, event, true, out);
        put_sender(event, out);
        put_row(port, event, "event", fields, 0, &rows);
        text_add(&table, " send_%s,", event->name);
    }
    text_add(out,
             "static const struct wire_method port_events_taken[] = {\n%s};\n\n"
             "static const struct %s_events port_events_sent = {%s };\n\n",
             rows.data, port->prefix, table.data);
    text_free(&rows);
    text_free(&table);
}

static void put_tables(const struct port *port, struct text *out) {
    text_add(out,
             "static enum hx_status bind_any(void *out_bound, const void *ops, rights_t rights) {\n"
             "    return %s_bind(out_bound, ops, rights);\n}\n\n",
             port->prefix);
    text_add(out,
             "const struct wire_port %s_wire = {\n    .methods = port_methods,\n"
             "    .method_count = ARRAY_SIZE(port_methods),\n",
             port->prefix);
    if (port->events != NULL) {
        text_add(out, "    .events = port_events_taken,\n    .event_count = "
                      "ARRAY_SIZE(port_events_taken),\n");
    }
    text_add(out,
             "    .versions = &%s_versions,\n"
             "    .ops_bytes = sizeof(struct %s_ops),\n"
             "    .bind = bind_any,\n",
             port->prefix, port->prefix);
    text_add(
        out,
        "    .request_max = %llu,\n    .reply_max = %llu,\n    .event_max = %s_WIRE_CLIENT_BYTES,\n"
        "};\n\nconst struct %s_ops %s_wire_client = {\n",
        (unsigned long long)largest(port, port->methods, false),
        (unsigned long long)largest(port, port->methods, true), port->upper, port->prefix,
        port->prefix);
    text_add(out, "%s", port->events != NULL ? "    .attach = client_attach,\n" : "");
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        text_add(out, "    .%s = client_%s,\n", method->name, method->name);
    }
    text_add(out, "};\n");
}

void emit_wire_header(const struct port *port, struct text *out) {
    const char *prefix = port->prefix;
    text_add(
        out,
        "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
        "// <helix/ports/%s_wire.h>: the isolated form of %s, made from sdk/ports/%s.port: change "
        "that.\n#pragma once\n\n#include <helix/ports/%s_port.h>\n#include <lib/wire.h>\n\n",
        prefix, port->name, prefix, prefix);
    for (const struct declaration *each = port->declarations; each != NULL; each = each->next) {
        if (has_layout(each)) {
            text_add(out, "extern const struct wire_layout %s_layout_%s;\n", prefix, each->name);
        }
    }
    if (port->atomic) {
        text_add(out, "\n// The port is atomic: only the kernel has it.\n");
        return;
    }
    text_add(out,
             "\n// Scratch memory of a client and of a server.\n"
             "#define %s_WIRE_CLIENT_BYTES %lluu\n#define %s_WIRE_SERVER_BYTES %lluu\n\n"
             "extern const struct wire_port %s_wire;\n"
             "// The operations that send; their provider is the first target of a wire_client.\n"
             "extern const struct %s_ops %s_wire_client;\n",
             port->upper, (unsigned long long)largest(port, port->events, false), port->upper,
             (unsigned long long)(largest(port, port->methods, false) +
                                  largest(port, port->methods, true)),
             prefix, prefix, prefix);
}

void emit_wire_source(const struct port *port, struct text *out) {
    text_add(out,
             "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
             "// %s_wire.c: the isolated form of %s, made from sdk/ports/%s.port: change that.\n"
             "#include <helix/ports/%s_wire.h>\n",
             port->prefix, port->name, port->prefix, port->prefix);
    for (const struct use *use = port->uses; use != NULL; use = use->next) {
        text_add(out, "#include <helix/ports/%s_wire.h>\n", use->port->prefix);
    }
    text_add(out, "\n");
    for (const struct declaration *each = port->declarations; each != NULL; each = each->next) {
        if (has_layout(each)) {
            put_layout(each, out);
        }
    }
    if (!port->atomic) {
        put_methods(port, out);
        put_events(port, out);
        put_tables(port, out);
    }
}

void emit_numbered(const struct port *port, struct text *out) {
    text_add(out,
             "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
             "// <core/ports/%s_numbered.h>: the operations that send, as of "
             "<helix/ports/%s_wire.h>, of\n"
             "// clients whose instances are numbers; made from sdk/ports/%s.port: change that.\n"
             "#pragma once\n\n#include <helix/ports/%s_wire.h>\n\n",
             port->prefix, port->prefix, port->prefix, port->prefix);
    if (port->atomic || port->events != NULL) {
        text_add(out, "// It has no instances.\n");
        return;
    }
    text_add(out, "// Of who includes this: finds the client of the calling thread, and calls.\n"
                  "static enum hx_status call_numbered(void *instance, uint32_t method,\n"
                  "                                    struct wire_argument *arguments);\n\n");
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        const bool on_instance = method->fields != arguments_of(method);
        put_client(port, method, "numbered", on_instance ? "call_numbered" : "wire_call", out);
    }
    text_add(out, "static const struct %s_ops %s_numbered = {\n", port->prefix, port->prefix);
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        text_add(out, "    .%s = numbered_%s,\n", method->name, method->name);
    }
    text_add(out, "};\n");
}
