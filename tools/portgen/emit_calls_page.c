// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_calls_page.c: the reference page of calls, in Markdown.
#include "portgen.h"

static void put_parameters(const struct port *port, const struct field *field, struct text *out) {
    static const char *const directions[] = { "", "out ", "inout ", "" };
    const char *separator = "";
    for (; field != NULL; field = field->next) {
        if (field->direction != DIRECTION_RESULT) {
            text_add(out, "%s%s: %s", separator, field->name, directions[field->direction]);
            put_page_type(port, &field->type, out);
            separator = ", ";
        }
    }
}

static void put_result(const struct port *port, const struct field *field, struct text *out) {
    for (; field != NULL; field = field->next) {
        if (field->direction == DIRECTION_RESULT) {
            text_add(out, " -> (%s: ", field->name);
            put_page_type(port, &field->type, out);
            text_add(out, ")");
        }
    }
}

static void put_call(const struct port *port, const struct method *call, struct text *out) {
    text_add(out, "\n### %s\n\n%llu: `%s(", call->name, (unsigned long long)call->call, call->name);
    put_parameters(port, call->fields, out);
    text_add(out, ")");
    put_result(port, call->fields, out);
    text_add(out, "`\n");
    if (call->doc != NULL) {
        text_add(out, "\n");
        put_page_doc(call->doc, out);
        text_add(out, "\n");
    }
    if (call->fails != NULL) {
        text_add(out, "\nFails with");
        put_statuses(call->fails, out);
        text_add(out, ".\n");
    }
}

void emit_calls_page(const struct port *port, struct text *out) {
    text_add(out,
             "# %s %u.%u\n\nMade from `sdk/calls/%s.calls`: change that.\n\n%s\n\n"
             "ABI `%016llx`.",
             port->name, port->major, port->minor, port->family, port->doc != NULL ? port->doc : "",
             (unsigned long long)port->abi);
    if (port->fails != NULL) {
        text_add(out, " Every call may fail with");
        put_statuses(port->fails, out);
        text_add(out, ".");
    }
    text_add(out, "\n\n## Calls\n");
    for (const struct method *call = port->methods; call != NULL; call = call->next) {
        put_call(port, call, out);
    }
    put_page_types(port, out);
}
