// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/emit_syscalls.c: what programs include of calls: types and numbers, and a typed
// function for each.
#include "portgen.h"

#include <string.h>

// Types and numbers -------------------------------------------------------------------------------

static void put_head(const struct port *port, const char *header, struct text *out) {
    text_add(out,
             "// SPDX-License-Identifier: MIT OR Apache-2.0\n"
             "// <%s>: %s %u.%u, made from sdk/calls/%s.calls: change that.\n",
             header, port->name, port->major, port->minor, port->family);
}

static void put_objects(const struct port *port, struct text *out) {
    text_add(out, "// What a handle is for.\nenum hx_object {\n    HX_OBJECT_OTHER = 0,\n");
    for (const struct declaration *each = port->declarations; each != NULL; each = each->next) {
        if (each->kind == KIND_OBJECT) {
            text_comment(out, "    ", each->doc);
            text_add(out, "    HX_%s = %s,\n", each->values->name, each->values->literal);
        }
    }
    text_add(out, "};\n\n");
}

static bool is_first_of_family(const struct port *port, const struct method *call) {
    for (const struct method *other = port->methods; other != call; other = other->next) {
        if (strcmp(other->by, call->by) == 0) {
            return false;
        }
    }
    return true;
}

static const struct method *next_by(const struct method *call, const char *by) {
    while (call != NULL && strcmp(call->by, by) != 0) {
        call = call->next;
    }
    return call;
}

// HX_NATIVE_CALLS(X), for all that go through a family's calls.
static void put_family(const struct port *port, const char *family, struct text *out) {
    text_add(out, "#define HX_");
    text_upper(out, family);
    text_add(out, "_CALLS(X)");
    for (const struct method *call = next_by(port->methods, family); call != NULL;
         call = next_by(call->next, family)) {
        text_add(out, " \\\n    X(%s, %llu)", call->name, (unsigned long long)call->call);
    }
    text_add(out, "\n\n");
}

static void put_numbers(const struct port *port, struct text *out) {
    text_add(out, "// X(name, number): the calls, by the part of the kernel that serves them.\n");
    for (const struct method *call = port->methods; call != NULL; call = call->next) {
        if (is_first_of_family(port, call)) {
            put_family(port, call->by, out);
        }
    }
    text_add(out, "enum hx_%s_call {\n", port->family);
    for (const struct method *call = port->methods; call != NULL; call = call->next) {
        text_add(out, "    HX_CALL_%s = %llu,\n", call->name, (unsigned long long)call->call);
    }
    text_add(out, "};\n");
}

void emit_calls_header(const struct port *port, struct text *out) {
    put_head(port, "helix/native.h", out);
    text_add(out, "//\n");
    text_comment(out, "", port->doc);
    text_add(out, "#pragma once\n\n#include <helix/types.h>\n\n#define HX_");
    text_upper(out, port->family);
    text_add(out, "_ABI UINT64_C(0x%016llx) // over names, numbers, types and their order\n\n",
             (unsigned long long)port->abi);
    put_objects(port, out);
    emit_types(port, out);
    put_numbers(port, out);
}

// Functions for programs --------------------------------------------------------------------------

static bool is_handle(enum kind kind) {
    return kind == KIND_HANDLE || kind == KIND_OBJECT;
}

// "uint32_t ", "enum hx_state ", "struct hx_info "; of an array its element.
static void put_c_type(const struct type *type, struct text *out) {
    enum kind kind = type->kind == KIND_ARRAY ? type->element : type->kind;
    if (kind == KIND_ENUM) {
        text_add(out, "enum hx_%s ", type->declaration->name);
    } else {
        emit_type(kind, type->declaration, out);
    }
}

static void put_pointer(const struct field *field, const char *mark, struct text *out) {
    text_add(out, "%s", field->direction == DIRECTION_IN ? "const " : "");
    if (field->type.kind == KIND_BYTES) {
        text_add(out, "void ");
    } else if (field->type.kind == KIND_STRING) {
        text_add(out, "char ");
    } else {
        put_c_type(&field->type, out);
    }
    text_add(out, "*%s%s", mark, field->name);
}

static void put_parameter(const struct field *field, struct text *out) {
    const struct type *type = &field->type;
    const char *mark =
        field->direction == DIRECTION_OUT || field->direction == DIRECTION_RESULT ? "out_" : "";
    if (type->kind == KIND_BYTES || type->kind == KIND_ARRAY) {
        put_pointer(field, mark, out);
        text_add(out, ", uint32_t %s_%s", field->name,
                 type->kind == KIND_BYTES ? "bytes" : "count");
    } else if (type->fixed != 0) {
        put_c_type(type, out);
        text_add(out, "%s%s[%llu]", mark, field->name, (unsigned long long)type->fixed);
    } else if (field->direction != DIRECTION_IN || type->kind == KIND_STRUCT ||
               type->kind == KIND_STRING) {
        put_pointer(field, mark, out);
    } else {
        put_c_type(type, out);
        text_add(out, "%s", field->name);
    }
}

static void put_parameters(const struct method *call, struct text *out) {
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        text_add(out, "%s", field == call->fields ? "" : ", ");
        put_parameter(field, out);
    }
    text_add(out, "%s", call->fields == NULL ? "void" : "");
}

// The registers' values, of which there are six.
static void put_registers(const struct method *call, struct text *out) {
    uint32_t used = 0;
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        const struct type *type = &field->type;
        const bool is_number = type->kind < KIND_SCALARS || type->kind == KIND_ENUM ||
                               type->kind == KIND_FLAGS || is_handle(type->kind);
        if (field->direction == DIRECTION_RESULT) {
            continue;
        }
        if (is_number && field->direction == DIRECTION_IN) {
            text_add(out, ", (uint64_t)%s", field->name);
        } else {
            text_add(out, ", (uintptr_t)%s%s", field->direction == DIRECTION_OUT ? "out_" : "",
                     field->name);
        }
        if (type->kind == KIND_BYTES || type->kind == KIND_ARRAY) {
            text_add(out, ", %s_%s", field->name, type->kind == KIND_BYTES ? "bytes" : "count");
            used++;
        }
        used++;
    }
    for (; used < 6; used++) {
        text_add(out, ", 0");
    }
}

static void put_stub(const struct method *call, struct text *out) {
    const struct field *result = call->fields;
    while (result != NULL && result->direction != DIRECTION_RESULT) {
        result = result->next;
    }
    text_comment(out, "", call->doc);
    if (call->fails != NULL) {
        text_add(out, "// Fails:");
        put_statuses(call->fails, out);
        text_add(out, "\n");
    }
    text_add(out, "HX_MUST_CHECK static inline enum hx_status hx_%s(", call->name);
    put_parameters(call, out);
    text_add(out, ") {\n    const int64_t result = libhelix_syscall(HX_CALL_%s", call->name);
    put_registers(call, out);
    text_add(out, ");\n");
    if (result == NULL) {
        text_add(out, "    return result < 0 ? (enum hx_status)result : HX_OK;\n}\n\n");
        return;
    }
    text_add(out,
             "    const enum hx_status status = result < 0 ? (enum hx_status)result : HX_OK;\n"
             "    if (status == HX_OK) {\n        *out_%s = (",
             result->name);
    put_c_type(&result->type, out);
    out->length--; // the space behind it
    text_add(out, ")result;\n    }\n    return status;\n}\n\n");
}

void emit_calls_stubs(const struct port *port, struct text *out) {
    put_head(port, "libhelix/calls.h", out);
    text_add(out,
             "//\n"
             "// The native calls as typed functions. A result goes where out_… points, which is\n"
             "// untouched unless HX_OK.\n"
             "#pragma once\n\n"
             "#include <helix/%s.h>\n"
             "#include <libhelix_arch/syscall.h>\n\n"
             "#define HX_MUST_CHECK __attribute__((warn_unused_result))\n\n",
             port->family);
    for (const struct method *call = port->methods; call != NULL; call = call->next) {
        put_stub(call, out);
    }
}
