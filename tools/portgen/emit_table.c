// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_table.c: what the kernel has of calls: the functions that a part of it
// defines, and the table that leads there.
//
// What stands between the two decodes the registers by one rule: a number that has bits beyond its
// type or its allowed bits, or is no value of its enum, is refused (HX_ERR_INVALID; of an i32 the
// low half counts, as C passes it); a count beyond its bound too; a struct that goes in is copied
// in once; then the objects are entered and the other handles with rights found, in order, and the
// call is made. Other memory is a struct uaddr.
#include "portgen.h"

#include <string.h>

static bool is_number(enum kind kind) {
    return kind < KIND_SCALARS || kind == KIND_ENUM || kind == KIND_FLAGS;
}

static bool is_buffer(enum kind kind) {
    return kind == KIND_BYTES || kind == KIND_ARRAY;
}

// A handle that is looked up before the call: its capability goes along.
static bool is_found(const struct field *field) {
    return field->direction == DIRECTION_IN && field->type.kind == KIND_HANDLE &&
           field->type.rights != 0;
}

static bool is_entered(const struct field *field) {
    return field->direction == DIRECTION_IN && field->type.kind == KIND_OBJECT;
}

static bool is_copied(const struct field *field) {
    return field->direction == DIRECTION_IN && field->type.kind == KIND_STRUCT;
}

// Parameters --------------------------------------------------------------------------------------

static void put_c_type(const struct type *type, struct text *out) {
    if (type->kind == KIND_ENUM) {
        text_add(out, "enum hx_%s ", type->declaration->name);
    } else {
        emit_type(type->kind, type->declaration, out);
    }
}

// "(uint32_t)"
static void put_cast(const struct type *type, struct text *out) {
    text_add(out, "(");
    put_c_type(type, out);
    out->length--; // the space behind it
    text_add(out, ")");
}

static void put_parameter(const struct field *field, struct text *out) {
    const struct type *type = &field->type;
    if (field->direction == DIRECTION_RESULT) {
        put_c_type(type, out);
        text_add(out, "*out_%s", field->name);
    } else if (is_entered(field)) {
        text_add(out, "struct capability *%s", field->name);
    } else if (is_found(field)) {
        text_add(out, "handle_t %s, struct capability *%s_capability", field->name, field->name);
    } else if (is_copied(field)) {
        text_add(out, "const struct hx_%s *%s", type->declaration->name, field->name);
    } else if (field->direction == DIRECTION_IN &&
               (is_number(type->kind) || type->kind == KIND_HANDLE)) {
        put_c_type(type, out);
        text_add(out, "%s", field->name);
    } else {
        text_add(out, "struct uaddr %s%s", field->direction == DIRECTION_OUT ? "out_" : "",
                 field->name);
        if (is_buffer(type->kind)) {
            text_add(out, ", uint32_t %s_%s", field->name,
                     type->kind == KIND_BYTES ? "bytes" : "count");
        }
    }
}

static void put_prototype(const struct method *call, struct text *out) {
    text_add(out, "enum hx_status %s_%s(", call->by, call->name);
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        text_add(out, "%s", field == call->fields ? "" : ", ");
        put_parameter(field, out);
    }
    text_add(out, "%s", call->fields == NULL ? "void)" : ")");
}

// Decoding ----------------------------------------------------------------------------------------

static void put_refusal(const char *status, struct text *out) {
    text_add(out, ") {\n        return %s;\n    }\n", status);
}

static void put_enum_check(const struct type *type, uint32_t at, struct text *out) {
    text_add(out, "    if (");
    for (const struct constant *value = type->declaration->values; value != NULL;
         value = value->next) {
        text_add(out, "%sargs[%u] != %s", value == type->declaration->values ? "" : " && ", at,
                 value->literal);
    }
    put_refusal("HX_ERR_INVALID", out);
}

// The bits that a number may have; UINT64_MAX: all, or none are looked at.
static uint64_t bits_of(const struct type *type) {
    uint64_t bits = 0;
    if (type->within != 0) {
        return type->within;
    }
    switch (type->kind) {
    case KIND_U8:
        return UINT8_MAX;
    case KIND_U16:
        return UINT16_MAX;
    case KIND_U32:
        return UINT32_MAX;
    case KIND_BOOL:
        return 1;
    case KIND_FLAGS:
        for (const struct constant *bit = type->declaration->values; bit != NULL; bit = bit->next) {
            bits |= UINT64_C(1) << bit->value;
        }
        return bits;
    default:
        return UINT64_MAX;
    }
}

static void put_number_check(const struct field *field, uint32_t at, struct text *out) {
    const struct type *type = &field->type;
    if (field->direction == DIRECTION_IN && type->kind == KIND_ENUM) {
        put_enum_check(type, at, out);
    } else if (field->direction == DIRECTION_IN && is_number(type->kind) &&
               bits_of(type) != UINT64_MAX) {
        text_add(out, "    if ((args[%u] & ~UINT64_C(%llu)) != 0", at,
                 (unsigned long long)bits_of(type));
        put_refusal("HX_ERR_INVALID", out);
    } else if (field->direction == DIRECTION_IN && type->kind == KIND_HANDLE) {
        text_add(out, "    if (args[%u] > UINT32_MAX", at);
        put_refusal("HX_ERR_BAD_HANDLE", out);
    } else if (is_buffer(type->kind)) {
        text_add(out, "    if (args[%u] > %llu", at + 1, (unsigned long long)type->bound);
        put_refusal("HX_ERR_INVALID", out);
    }
}

static uint32_t registers_of(const struct field *field) {
    return field->direction == DIRECTION_RESULT ? 0 : is_buffer(field->type.kind) ? 2 : 1;
}

// Copying in and finding, after all that needs neither; what a failure leaves is undone behind it.
static void put_acquire(const struct field *field, uint32_t at, const struct field *undo,
                        struct text *out) {
    if (is_copied(field)) {
        text_add(out, "    result = copy_from_user(&%s, uaddr_make(args[%u]), sizeof(%s));\n",
                 field->name, at, field->name);
    } else if (is_entered(field)) {
        struct text kind = { 0 };
        text_upper(&kind, field->type.declaration->name);
        text_add(out, "    result = native_enter(args[%u], OBJECT_%s, %llu, &%s);\n", at, kind.data,
                 (unsigned long long)field->type.rights, field->name);
        text_free(&kind);
    } else {
        text_add(out, "    result = native_find((handle_t)args[%u], %llu, &%s);\n", at,
                 (unsigned long long)field->type.rights, field->name);
    }
    text_add(out, "    if (result != HX_OK) {\n        ");
    if (undo != NULL) {
        text_add(out, "goto undo_%s;\n    }\n", undo->name);
    } else {
        text_add(out, "return result;\n    }\n");
    }
}

static void put_argument(const struct field *field, uint32_t at, struct text *out) {
    const struct type *type = &field->type;
    if (field->direction == DIRECTION_RESULT) {
        text_add(out, "&out_%s", field->name);
    } else if (is_entered(field)) {
        text_add(out, "%s", field->name);
    } else if (is_found(field)) {
        text_add(out, "(handle_t)args[%u], %s", at, field->name);
    } else if (is_copied(field)) {
        text_add(out, "&%s", field->name);
    } else if (field->direction == DIRECTION_IN && type->kind == KIND_BOOL) {
        text_add(out, "args[%u] != 0", at);
    } else if (field->direction == DIRECTION_IN &&
               (is_number(type->kind) || type->kind == KIND_HANDLE)) {
        put_cast(type, out);
        text_add(out, "args[%u]", at);
    } else {
        text_add(out, "uaddr_make(args[%u])", at);
        if (is_buffer(type->kind)) {
            text_add(out, ", (uint32_t)args[%u]", at + 1);
        }
    }
}

static void put_locals(const struct method *call, struct text *out) {
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        if (is_entered(field) || is_found(field)) {
            text_add(out, "    struct capability *%s;\n", field->name);
        } else if (is_copied(field)) {
            text_add(out, "    struct hx_%s %s;\n", field->type.declaration->name, field->name);
        } else if (field->direction == DIRECTION_RESULT) {
            text_add(out, "    ");
            put_c_type(&field->type, out);
            text_add(out, "out_%s = 0;\n", field->name);
        }
    }
    const struct field *first = call->fields;
    const bool has_arguments = first != NULL && first->direction != DIRECTION_RESULT;
    text_add(out, "    int64_t result;\n%s", has_arguments ? "" : "    (void)args;\n");
}

static void put_checks(const struct method *call, struct text *out) {
    uint32_t at = 0;
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        put_number_check(field, at, out);
        at += registers_of(field);
    }
}

// The last one that was acquired before `until` (NULL: of all) and has to be given back.
static const struct field *acquired_before(const struct method *call, const struct field *until) {
    const struct field *last = NULL;
    for (const struct field *field = call->fields; field != until; field = field->next) {
        last = is_entered(field) || is_found(field) ? field : last;
    }
    return last;
}

static void put_acquires(const struct method *call, bool copies, struct text *out) {
    uint32_t at = 0;
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        if (copies ? is_copied(field) : is_entered(field) || is_found(field)) {
            put_acquire(field, at, copies ? NULL : acquired_before(call, field), out);
        }
        at += registers_of(field);
    }
}

static void put_releases(const struct method *call, struct text *out) {
    const struct field *last = acquired_before(call, NULL);
    for (const struct field *field = last; field != NULL; field = acquired_before(call, field)) {
        // A label only where somebody jumps: the last one's is passed.
        if (field != last) {
            text_add(out, "undo_%s:\n", field->name);
        }
        text_add(out, is_entered(field) ? "    handle_leave(%s);\n" : "    capability_put(%s);\n",
                 field->name);
    }
    text_add(out, "    return result;\n}\n\n");
}

static void put_call(const struct method *call, struct text *out) {
    const struct field *result = NULL;
    uint32_t at = 0;
    text_add(out, "static int64_t call_%s(const uint64_t *args) {\n", call->name);
    put_locals(call, out);
    put_checks(call, out);
    put_acquires(call, true, out);
    put_acquires(call, false, out);
    text_add(out, "    result = %s_%s(", call->by, call->name);
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        text_add(out, "%s", field == call->fields ? "" : ", ");
        put_argument(field, at, out);
        at += registers_of(field);
        result = field->direction == DIRECTION_RESULT ? field : result;
    }
    text_add(out, ");\n");
    if (result != NULL) {
        text_add(out, "    result = result == HX_OK ? (int64_t)out_%s : result;\n", result->name);
    }
    put_releases(call, out);
}

// Files -------------------------------------------------------------------------------------------

static const struct method *next_by(const struct method *call, const char *by) {
    while (call != NULL && strcmp(call->by, by) != 0) {
        call = call->next;
    }
    return call;
}

static void put_head(const struct port *port, const char *family, const char *ending,
                     struct text *out) {
    text_add(out,
             "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
             "// %s_table.%s: made from sdk/calls/%s.calls: change that.\n",
             family, ending, port->family);
}

void emit_table_header(const struct port *port, const char *family, struct text *out) {
    put_head(port, family, "h", out);
    text_add(out,
             "//\n// What serves the calls; arguments are checked and rights are there.\n"
             "#pragma once\n\n#include <core/capability.h>\n#include <execution/native.h>\n"
             "#include <helix/%s.h>\n\n",
             port->family);
    for (const struct method *call = next_by(port->methods, family); call != NULL;
         call = next_by(call->next, family)) {
        put_prototype(call, out);
        text_add(out, ";\n");
    }
    text_add(out, "\nextern const struct native_calls %s_calls;\n", family);
}

static uint64_t first_number(const struct port *port, const char *family) {
    uint64_t first = UINT64_MAX;
    for (const struct method *call = next_by(port->methods, family); call != NULL;
         call = next_by(call->next, family)) {
        first = call->call < first ? call->call : first;
    }
    return first;
}

void emit_table_source(const struct port *port, const char *family, struct text *out) {
    const uint64_t first = first_number(port, family);
    put_head(port, family, "c", out);
    text_add(out,
             "#include \"%s_table.h\"\n\n#include <execution/handles.h>\n"
             "#include <memory/usercopy.h>\n\n",
             family);
    for (const struct method *call = next_by(port->methods, family); call != NULL;
         call = next_by(call->next, family)) {
        put_call(call, out);
    }
    text_add(out, "static const struct native_call_entry table[] = {\n");
    for (const struct method *call = next_by(port->methods, family); call != NULL;
         call = next_by(call->next, family)) {
        text_add(out, "    [%llu] = { call_%s, \"%s\" },\n",
                 (unsigned long long)(call->call - first), call->name, call->name);
    }
    text_add(out,
             "};\n\nconst struct native_calls %s_calls = {\n"
             "    .first = %llu, .entries = table, .count = sizeof(table) / sizeof(table[0])\n};\n",
             family, (unsigned long long)(first == UINT64_MAX ? 0 : first));
}
