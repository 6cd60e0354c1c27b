// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_calls.c: <core/ports/NAME_calls.h>: a port's methods as the kernel calls them.
#include "portgen.h"

static void put_call(const struct method *method, const char *head, struct text *out) {
    text_add(out, "%sops->%s(%s", head, method->name, first_parameter(method));
    emit_parameters(method, STYLE_PASS, out);
    text_add(out, ");\n");
}

static void put_event(const struct port *port, const struct method *method, const char *function,
                      struct text *out) {
    text_add(out, "        %s(%s_PORT_ABI >> 32, %s_METHOD_", function, port->upper, port->upper);
    text_upper(out, method->name);
}

static void put_method(const struct port *port, const struct method *method, struct text *out) {
    text_add(out, "static inline enum hx_status %s_call_%s(const struct %s_ops *ops, void *%s",
             port->prefix, method->name, port->prefix, first_parameter(method));
    emit_parameters(method, STYLE_DECLARE, out);
    text_add(out, ") {\n    if (__builtin_expect(trace_records(TRACE_METHODS), 0)) {\n");
    put_event(port, method, "trace_method", out);
    text_add(out, ");\n");
    put_call(method, "        const enum hx_status status_ = ", out);
    put_event(port, method, "trace_method_end", out);
    text_add(out, ", status_);\n        return status_;\n    }\n");
    put_call(method, "    return ", out);
    text_add(out, "}\n\n");
}

void emit_calls(const struct port *port, struct text *out) {
    text_add(
        out,
        "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
        "// <core/ports/%s_calls.h>: calls of %s, made from sdk/ports/%s.port: change that.\n//\n"
        "// Each calls the method of its name in a bound table, and is in the trace while\n"
        "// TRACE_METHODS is on.\n"
        "#pragma once\n\n#include <core/trace.h>\n#include <helix/ports/%s_port.h>\n\n",
        port->prefix, port->name, port->prefix, port->prefix);
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        put_method(port, method, out);
    }
}
