// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/check_calls.c: what can be told once a file of calls was read: numbers, registers,
// and which types may stand where.
#include "portgen.h"

#include <string.h>

#define CALL_FIRST    4096u
#define CALL_LAST     8191u
#define REGISTERS     6u
#define ENTERED_MAX   2u   // THREAD_UNDER_MAX less what calls enter by themselves
#define COPIED_IN_MAX 256u // on the kernel's stack

// Names that the generated C has for itself.
static const char *const own[] = { "args", "result", "status" };

static bool is_number(enum kind kind) {
    return (kind < KIND_SCALARS && kind != KIND_REQUEST) || kind == KIND_ENUM || kind == KIND_FLAGS;
}

static bool is_handle(enum kind kind) {
    return kind == KIND_HANDLE || kind == KIND_OBJECT;
}

static bool is_buffer(enum kind kind) {
    return kind == KIND_BYTES || kind == KIND_ARRAY;
}

// A struct that the kernel reads has only fields of which every value is one.
static bool is_plain(const struct declaration *declaration) {
    for (const struct field *field = declaration->fields; field != NULL; field = field->next) {
        enum kind kind = field->type.kind;
        if (kind == KIND_BOOL || kind == KIND_ENUM || kind == KIND_FLAGS ||
            (kind == KIND_STRUCT && !is_plain(field->type.declaration))) {
            return false;
        }
    }
    return true;
}

static bool fits(const struct field *field) {
    enum kind kind = field->type.kind;
    switch (field->direction) {
    case DIRECTION_IN:
        return field->type.fixed == 0 && (is_number(kind) || is_handle(kind) || is_buffer(kind) ||
                                          kind == KIND_STRUCT || kind == KIND_STRING);
    case DIRECTION_OUT:
        return is_number(kind) || is_handle(kind) || is_buffer(kind) || kind == KIND_STRUCT;
    case DIRECTION_INOUT:
        return is_buffer(kind) || (kind == KIND_STRUCT && field->type.fixed == 0);
    case DIRECTION_RESULT:
        return field->type.fixed == 0 && (is_number(kind) || is_handle(kind));
    }
    return false;
}

static const char *mend(const struct field *field) {
    switch (field->direction) {
    case DIRECTION_IN:
        return "what goes in is a number, a handle, a struct, a string, bytes or an array";
    case DIRECTION_OUT:
        return "what comes out is numbers, handles, structs, bytes or an array";
    case DIRECTION_INOUT:
        return "only a struct, bytes and arrays go both ways";
    case DIRECTION_RESULT:
        return "the result is a number or a handle; write 'out' among the parameters for others";
    }
    return "";
}

static void check_parameter(struct compiler *compiler, const struct field *field) {
    const struct type *type = &field->type;
    const bool is_read = field->direction == DIRECTION_IN || field->direction == DIRECTION_INOUT;
    if (!fits(field)) {
        fail(compiler, &field->place, "'%s' cannot go this way; %s", field->name, mend(field));
        return;
    }
    check_element(compiler, field);
    if (type->rights != 0 && !is_read) {
        fail(compiler, &field->place, "'%s' is given, so it needs no rights; remove them",
             field->name);
    }
    const bool has_struct =
        type->kind == KIND_STRUCT || (type->kind == KIND_ARRAY && type->element == KIND_STRUCT);
    if (has_struct && is_read && !is_plain(type->declaration)) {
        fail(compiler, &field->place,
             "'%s' is read from a program and has fields that not every value fits; make them "
             "numbers that the call checks",
             field->name);
    }
    if (type->kind == KIND_STRUCT && field->direction == DIRECTION_IN &&
        type->declaration->size > COPIED_IN_MAX) {
        fail(compiler, &field->place, "'%s' has %llu bytes; pass it as an array of at most 1",
             field->name, (unsigned long long)type->declaration->size);
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(own[i], field->name) == 0) {
            fail(compiler, &field->place,
                 "'%s' is a word that the C code needs; choose another "
                 "name",
                 field->name);
        }
    }
}

static void check_registers(struct compiler *compiler, const struct method *call) {
    uint32_t registers = 0, results = 0, entered = 0;
    for (const struct field *field = call->fields; field != NULL; field = field->next) {
        const bool is_result = field->direction == DIRECTION_RESULT;
        results += is_result;
        registers += is_result ? 0 : is_buffer(field->type.kind) ? 2 : 1;
        entered += field->type.kind == KIND_OBJECT && field->direction == DIRECTION_IN;
    }
    if (results > 1) {
        fail(compiler, &call->place, "'%s' has %u results; a call has one, write 'out' for others",
             call->name, results);
    }
    if (registers > REGISTERS) {
        fail(compiler, &call->place,
             "'%s' needs %u registers; keep to %u (bytes and arrays take two), or use a struct",
             call->name, registers, REGISTERS);
    }
    if (entered > ENTERED_MAX) {
        fail(compiler, &call->place, "'%s' acts under %u objects; keep to %u, or take handles",
             call->name, entered, ENTERED_MAX);
    }
}

static void check_number(struct compiler *compiler, const struct port *port,
                         const struct method *call) {
    if (call->call < CALL_FIRST || call->call > CALL_LAST) {
        fail(compiler, &call->place, "%llu is not for a native call; choose one from %u to %u",
             (unsigned long long)call->call, CALL_FIRST, CALL_LAST);
    }
    for (const struct method *other = port->methods; other != call; other = other->next) {
        if (other->call == call->call) {
            fail(compiler, &call->place, "'%s' has the number %llu; give '%s' another one",
                 other->name, (unsigned long long)call->call, call->name);
        }
    }
}

void calls_check(struct compiler *compiler, const struct port *port) {
    for (const struct method *call = port->methods; call != NULL; call = call->next) {
        check_number(compiler, port, call);
        check_registers(compiler, call);
        for (const struct field *field = call->fields; field != NULL; field = field->next) {
            check_parameter(compiler, field);
        }
        check_names(compiler, call->fields);
    }
    if (port->methods == NULL) {
        fail(compiler, &port->place, "'%s' has no calls; give it at least one", port->name);
    }
}
