// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_calls.c: <core/ports/NAME_calls.h>: a port's methods as the kernel calls them.
#include "portgen.h"

static void put_event(const struct port *port, const struct method *method, const char *function,
                      struct text *out) {
    text_add(out, "%s(%s_PORT_ABI >> 32, %s_METHOD_", function, port->upper, port->upper);
    text_upper(out, method->name);
}

static void put_head(const struct port *port, const struct method *method, const char *kind,
                     const char *bound, struct text *out) {
    text_add(out, "enum hx_status %s_%s_%s(const struct %s_%s *%s_, void *%s", port->prefix, kind,
             method->name, port->prefix, bound, bound, first_parameter(method));
    emit_parameters(method, STYLE_DECLARE, out);
    text_add(out, ") {\n");
}

// The call between two events.
static void put_events(const struct port *port, const struct method *method, const char *indent,
                       const char *call, struct text *out) {
    text_add(out, "%s", indent);
    put_event(port, method, "trace_method", out);
    text_add(out, ");\n%sconst enum hx_status status_ = %s;\n%s", indent, call, indent);
    put_event(port, method, "trace_method_end", out);
    text_add(out, ", status_);\n%sreturn status_;\n", indent);
}

// In atomic context: the method itself. What is in the trace is a function of its own, so that
// callers keep nothing for it.
static void put_atomic(const struct port *port, const struct method *method, const char *bound,
                       struct text *out) {
    struct text call = { 0 };
    // A module may fault there, too, and who called it goes on without it.
    text_add(&call, "HAL_GUARDED_CALL(%s%s, %s", port->atomic ? "ops_->" : "port_->ops.",
             method->name, first_parameter(method));
    emit_parameters(method, STYLE_PASS, &call);
    text_add(&call, ")");
    text_add(out, "static __attribute__((cold, noinline, unused)) ");
    put_head(port, method, "traced", bound, out);
    put_events(port, method, "    ", call.data, out);
    text_add(out, "}\nstatic inline ");
    put_head(port, method, "call", bound, out);
    text_add(out, "    if (__builtin_expect(trace_records(TRACE_METHODS), 0)) {\n");
    text_add(out, "        return %s_traced_%s(%s_, %s", port->prefix, method->name, bound,
             first_parameter(method));
    emit_parameters(method, STYLE_PASS, out);
    text_add(out, ");\n    }\n    return %s;\n}\n\n", call.data);
    text_free(&call);
}

// A module in the kernel says itself how much it gave; the decoder says it of one in ring 3.
static void put_limits(const struct method *method, struct text *out) {
    for (const struct field *field = method->fields; field != NULL; field = field->next) {
        const bool is_bytes = field->type.kind == KIND_BYTES;
        if (field->direction == DIRECTION_RESULT && (is_bytes || field->type.kind == KIND_ARRAY)) {
            text_add(out,
                     "    if (status_ == HX_OK && *call->out_%s_%s > call->%s_capacity) {\n"
                     "        return HX_ERR_IO;\n    }\n",
                     field->name, is_bytes ? "length" : "count", field->name);
        }
    }
}

static void put_inside(const struct port *port, const struct method *method, struct text *out) {
    text_add(out, "static inline int64_t %s_inside_%s_(void *call_) {\n", port->prefix,
             method->name);
    text_add(out,
             "    const struct %s_%s_call_ *call = call_;\n"
             "    const enum hx_status status_ = call->ops_->%s(call->%s",
             port->prefix, method->name, method->name, first_parameter(method));
    emit_parameters(method, STYLE_CALL, out);
    text_add(out, ");\n");
    put_limits(method, out);
    text_add(out, "    return status_;\n}\n");
}

// Through the gate, which passes one pointer: to all parameters.
static void put_gated(const struct port *port, const struct method *method, struct text *out) {
    struct text call = { 0 };
    const char *first = first_parameter(method);
    text_add(out, "struct %s_%s_call_ {\n    const struct %s_ops *ops_;\n    void *%s;\n",
             port->prefix, method->name, port->prefix, first);
    emit_parameters(method, STYLE_FIELD, out);
    text_add(out, "};\n");
    put_inside(port, method, out);
    text_add(out, "static inline ");
    put_head(port, method, "call", "port", out);
    text_add(out, "    struct %s_%s_call_ call_ = { &port_->ops, %s", port->prefix, method->name,
             first);
    emit_parameters(method, STYLE_PASS, out);
    text_add(out, " };\n");
    text_add(&call, "gate_call(port_->gate, %s_inside_%s_, &call_)", port->prefix, method->name);
    text_add(out, "    if (__builtin_expect(trace_records(TRACE_METHODS), 0)) {\n");
    put_events(port, method, "        ", call.data, out);
    text_add(out, "    }\n    return %s;\n}\n\n", call.data);
    text_free(&call);
}

static void put_bound(const struct port *port, struct text *out) {
    text_add(out,
             "// What the port's user calls: its bound table, and the gate of the slot.\n"
             "struct %s_port {\n    struct gate *gate;\n    struct %s_ops ops;\n};\n\n",
             port->prefix, port->prefix);
}

void emit_calls(const struct port *port, struct text *out) {
    text_add(
        out,
        "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
        "// <core/ports/%s_calls.h>: calls of %s, made from sdk/ports/%s.port: change that.\n//\n"
        "// Each calls the method of its name in a bound table, through the gate of the slot "
        "unless\n"
        "// it is for atomic context, and is in the trace while TRACE_METHODS is on. HX_ERR_IO, "
        "too:\n"
        "// it says that it gave more than there was room for.\n"
        "#pragma once\n\n#include <core/gate.h>\n#include <core/trace.h>\n"
        "#include <helix/ports/%s_port.h>\n\n",
        port->prefix, port->name, port->prefix, port->prefix);
    if (!port->atomic) {
        put_bound(port, out);
    }
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        if (port->atomic || method->atomic) {
            put_atomic(port, method, port->atomic ? "ops" : "port", out);
        } else {
            put_gated(port, method, out);
        }
    }
}
