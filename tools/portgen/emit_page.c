// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_page.c: the reference page of a port, in Markdown.
#include "portgen.h"

#include <string.h>

// "array<entry, 64>", "u8[96]": as in the .port file, with bounds as numbers.
void put_page_type(const struct port *port, const struct type *type, struct text *out) {
    static const char *const words[] = {
        [KIND_STRING] = "string", [KIND_BYTES] = "bytes", [KIND_ARRAY] = "array",
        [KIND_PAGES] = "pages",   [KIND_REF] = "ref ",
    };
    const struct declaration *declaration = type->declaration;
    bool is_array = type->kind == KIND_ARRAY;
    enum kind kind = is_array ? type->element : type->kind;
    const char *word = type->kind >= KIND_STRING && type->kind <= KIND_REF ? words[type->kind] : "";
    text_add(out, "%s%s", word == NULL ? "handle" : word, is_array ? "<" : "");
    if (declaration != NULL) {
        bool is_here = declaration->port == port;
        text_add(out, "%s%s%s", is_here ? "" : declaration->port->prefix, is_here ? "" : ".",
                 declaration->name);
    } else if (kind < KIND_SCALARS) {
        text_add(out, "%s", scalar_name(kind));
    }
    if (type->rights != 0) {
        text_add(out, "<");
        put_rights(type->rights, out);
        text_add(out, ">");
    } else if (type->within != 0) {
        text_add(out, "<0x%llx>", (unsigned long long)type->within);
    } else if (type->bound != 0) {
        text_add(out, is_array ? ", %llu>" : "<%llu>", (unsigned long long)type->bound);
    }
    if (type->fixed != 0) {
        text_add(out, "[%llu]", (unsigned long long)type->fixed);
    }
}

// Comments in a row, as running text.
void put_page_doc(const char *doc, struct text *out) {
    for (; doc != NULL && *doc != '\0'; doc++) {
        text_add(out, "%c", *doc == '\n' ? ' ' : *doc);
    }
}

static void put_paragraph(const char *doc, struct text *out) {
    put_page_doc(doc, out);
    text_add(out, doc != NULL ? "\n\n" : "");
}

// Values as a program passes them: the source gives a flag by the number of its bit.
static void put_values(const char *title, const struct port *port, const struct constant *value,
                       bool is_flags, struct text *out) {
    if (value != NULL) {
        text_add(out, "%s| name | value | |\n| --- | --- | --- |\n", title);
    }
    for (; value != NULL; value = value->next) {
        text_add(out, "| `%s_%s` | ", port->upper, value->name);
        if (is_flags) {
            text_add(out, "0x%llx | ", 1ull << value->value);
        } else {
            text_add(out, "%s | ", value->literal);
        }
        put_page_doc(value->doc, out);
        text_add(out, " |\n");
    }
}

static void put_declaration(const struct port *port, const struct declaration *declaration,
                            struct text *out) {
    static const char *const words[] = {
        [KIND_ID] = "id",         [KIND_ENUM] = "enum", [KIND_FLAGS] = "flags",
        [KIND_STRUCT] = "struct", [KIND_TEXT] = "text", [KIND_INSTANCE] = "instance",
        [KIND_OBJECT] = "object"
    };
    text_add(out, "\n### %s %s\n\n", words[declaration->kind], declaration->name);
    put_paragraph(declaration->doc, out);
    put_values("", port, declaration->values, declaration->kind == KIND_FLAGS, out);
    if (declaration->fields != NULL) {
        text_add(out, "%llu bytes.\n\n| at | field | type | |\n| --: | --- | --- | --- |\n",
                 (unsigned long long)declaration->size);
    }
    for (const struct field *field = declaration->fields; field != NULL; field = field->next) {
        text_add(out, "| %llu | `%s` | `", (unsigned long long)field->offset, field->name);
        put_page_type(port, &field->type, out);
        text_add(out, "` | ");
        put_page_doc(field->doc, out);
        text_add(out, " |\n");
    }
}

static void put_parameters(const struct port *port, const struct field *field, bool results,
                           struct text *out) {
    static const char *const directions[] = { "", "out ", "inout ", "" };
    const char *separator = "";
    for (; field != NULL; field = field->next) {
        if ((field->direction == DIRECTION_RESULT) == results) {
            text_add(out, "%s%s: %s", separator, field->name, directions[field->direction]);
            put_page_type(port, &field->type, out);
            separator = ", ";
        }
    }
}

static void put_method(const struct port *port, const struct method *method, const char *word,
                       struct text *out) {
    text_add(out, "\n### %s %s\n\n`%s(", word, method->name, method->name);
    put_parameters(port, method->fields, false, out);
    text_add(out, ") -> (");
    put_parameters(port, method->fields, true, out);
    text_add(out, ")`\n\n");
    put_paragraph(method->doc, out);
    if (method->rights != 0) {
        text_add(out, "- needs ");
        put_rights(method->rights, out);
        text_add(out, "\n");
    }
    if (method->fails != NULL) {
        text_add(out, "- fails with");
        put_statuses(method->fails, out);
        text_add(out, "\n");
    }
    const struct version *version = version_since(port, method->since);
    if (version != NULL) {
        text_add(out, "- since %u.%u\n", version->major, version->minor);
    }
    if (method->optional != NULL) {
        text_add(out, "- may be absent, which stands for %s\n", method->optional);
    }
    if (method->completed_by != NULL) {
        text_add(out, "- what it accepts is completed by the event %s\n", method->completed_by);
    }
    text_add(out, "%s%s%s", method->idempotent ? "- may be repeated\n" : "",
             method->ends ? "- ends its instance\n" : "",
             method->atomic ? "- in any context, and only in the kernel\n" : "");
}

void put_page_types(const struct port *port, struct text *out) {
    put_values("\n## Constants\n\n", port, port->constants, false, out);
    text_add(out, "\n## Types\n");
    for (const struct declaration *each = port->declarations; each != NULL; each = each->next) {
        put_declaration(port, each, out);
    }
}

void emit_page(const struct port *port, struct text *out) {
    text_add(out, "# %s %u.%u\n\n%s\n\nContext: %s. ABI `%016llx`.", port->name, port->major,
             port->minor, port->doc != NULL ? port->doc : "", port->atomic ? "atomic" : "thread",
             (unsigned long long)port->abi);
    if (port->fails != NULL) {
        text_add(out, " Every method may fail with");
        put_statuses(port->fails, out);
        text_add(out, ".");
    }
    text_add(out, "\n");
    put_page_types(port, out);
    text_add(out, "\n## Methods\n");
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        put_method(port, method, "method", out);
    }
    for (const struct method *event = port->events; event != NULL; event = event->next) {
        put_method(port, event, "event", out);
    }
}
