// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/check.c: what can be told once a port was read: layouts, which types may stand
// where, what marks mean together, and that the C it becomes has no name twice.
#include "portgen.h"

#include <string.h>

// Structs -----------------------------------------------------------------------------------------

static uint64_t max_of(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

void type_layout(const struct type *type, uint64_t *out_size, uint64_t *out_align) {
    *out_align = 1;
    switch (type->kind) {
    case KIND_STRUCT:
        *out_size = type->declaration->size;
        *out_align = type->declaration->align;
        break;
    case KIND_TEXT: // a length, and the bytes with a zero
        *out_size = 4 + type->bound + 1;
        *out_align = 4;
        break;
    case KIND_STRING:
        *out_size = type->bound + 1;
        break;
    default:
        *out_size = scalar_size(type->kind);
        *out_align = max_of(*out_size, 1);
    }
}

static bool has_fixed_layout(enum kind kind) {
    return kind <= KIND_STRUCT || kind == KIND_TEXT || kind == KIND_STRING;
}

static void check_padding(struct compiler *compiler, const struct field *field, uint64_t offset,
                          uint64_t align) {
    uint64_t hidden = (align - offset % align) % align;
    if (hidden != 0) {
        fail(compiler, &field->place,
             "%llu bytes before '%s' would be hidden; put a field there, or change the order",
             (unsigned long long)hidden, field->name);
    }
}

static void check_field(struct compiler *compiler, struct declaration *declaration,
                        struct field *field) {
    uint64_t size = 0;
    uint64_t align = 1;
    if (!has_fixed_layout(field->type.kind)) {
        fail(compiler, &field->place,
             "'%s' has no fixed layout; a struct holds scalars, structs, text, string and T[N]",
             field->name);
        return;
    }
    type_layout(&field->type, &size, &align);
    align = max_of(align, field->type.align);
    check_padding(compiler, field, declaration->size, align);
    field->offset = declaration->size;
    declaration->size += size * max_of(field->type.fixed, 1);
    declaration->align = max_of(declaration->align, align);
    if (field->type.kind == KIND_STRUCT) {
        declaration->depth =
            (uint32_t)max_of(declaration->depth, field->type.declaration->depth + 1);
    }
    if (align > 8 && !declaration->port->atomic) {
        fail(compiler, &field->place,
             "'%s' is aligned to more than 8; only an atomic port can do that", field->name);
    }
    if (declaration->size > BODY_MAX || declaration->depth > NESTING_MAX) {
        fail(compiler, &field->place,
             "the struct is too large here; keep it below %u bytes and %u levels", BODY_MAX,
             NESTING_MAX);
        declaration->size = BODY_MAX;
    }
}

static void check_struct(struct compiler *compiler, struct declaration *declaration) {
    const struct field *last = NULL;
    declaration->align = 1;
    for (struct field *field = declaration->fields; field != NULL; field = field->next) {
        check_field(compiler, declaration, field);
        last = field;
    }
    if (last == NULL) {
        fail(compiler, &declaration->place, "'%s' has no fields; give it at least one",
             declaration->name);
    } else if (declaration->size % declaration->align != 0) {
        fail(compiler, &last->place, "%llu bytes behind '%s' would be hidden; put a field there",
             (unsigned long long)(declaration->align - declaration->size % declaration->align),
             last->name);
    }
}

// Names -------------------------------------------------------------------------------------------

static const char *const reserved[] = {
    "alignas",
    "alignof",
    "asm",
    "false",
    "linux",
    "true",
    "typeof",
    "unix",
    "auto",
    "bool",
    "break",
    "case",
    "char",
    "client",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "events",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "restrict",
    "register",
    "return",
    "self",
    "call_arguments",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "typedef",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    // of C23
    "constexpr",
    "nullptr",
    "static_assert",
    "thread_local",
    "typeof_unqual",
};

void check_name(struct compiler *compiler, const struct place *place, const char *name) {
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(reserved[i], name) == 0) {
            fail(compiler, place, "'%s' is a word that the C code needs; choose another name",
                 name);
        }
    }
}

// Types that each port has: struct fs_ops, struct fs_events, struct fs_port, enum fs_method.
static void check_type_name(struct compiler *compiler, const struct declaration *declaration) {
    static const char *const own[] = { "ops", "events", "port", "method" };
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(own[i], declaration->name) == 0) {
            fail(compiler, &declaration->place,
                 "'%s_%s' is a type of every port; choose another name", declaration->port->prefix,
                 declaration->name);
        }
    }
}

// Constants that each port has: FS_PORT_ABI, FS_METHOD_LOOKUP, FS_WIRE_SERVER_BYTES and so on.
static void check_constants(struct compiler *compiler, const struct port *port,
                            const struct constant *constant) {
    static const char *const own[] = { "PORT_", "METHOD_", "WIRE_" };
    for (; constant != NULL; constant = constant->next) {
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
            if (strncmp(own[i], constant->name, strlen(own[i])) == 0) {
                fail(compiler, &constant->place,
                     "names that begin with '%s_%s' are every port's; choose another name",
                     port->upper, own[i]);
            }
        }
    }
}

// "data" and "data_bytes" both become parameters for one `data: bytes<N>`.
static bool is_extension(const char *name, const char *of) {
    static const char *const endings[] = { "", "_bytes", "_count", "_length", "_capacity" };
    size_t length = strlen(of);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strncmp(name, of, length) == 0 && strcmp(name + length, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

void check_names(struct compiler *compiler, const struct field *fields) {
    for (const struct field *field = fields; field != NULL; field = field->next) {
        check_name(compiler, &field->place, field->name);
        for (const struct field *other = fields; other != NULL; other = other->next) {
            if (field != other && is_extension(field->name, other->name)) {
                fail(compiler, &field->place,
                     "'%s' would be one name in C with '%s'; rename one of the two", field->name,
                     other->name);
            }
        }
    }
}

// Parameters --------------------------------------------------------------------------------------

// What a direction can carry.
static bool fits_direction(const struct field *field, bool is_atomic) {
    enum kind kind = field->type.kind;
    switch (field->direction) {
    case DIRECTION_IN:
        return kind != KIND_REF || is_atomic;
    case DIRECTION_OUT:
        return kind == KIND_PAGES;
    case DIRECTION_INOUT:
        return kind == KIND_PAGES || kind == KIND_BYTES || kind == KIND_STRUCT;
    case DIRECTION_RESULT:
        return kind <= KIND_STRUCT || kind == KIND_INSTANCE || kind == KIND_BYTES ||
               kind == KIND_ARRAY || kind == KIND_HANDLE || (kind == KIND_REF && is_atomic);
    }
    return false;
}

static const char *direction_mend(const struct field *field) {
    switch (field->direction) {
    case DIRECTION_IN:
        return "a ref is a pointer; only a port or method of context atomic may have it";
    case DIRECTION_OUT:
        return "only pages are out; other results stand behind '->'";
    case DIRECTION_INOUT:
        return "only pages, bytes and structs are inout";
    case DIRECTION_RESULT:
        return "a result is a scalar, an id, a struct, an instance, a handle, bytes or an array";
    }
    return "";
}

void check_element(struct compiler *compiler, const struct field *field) {
    if (field->type.kind == KIND_ARRAY && field->type.element > KIND_STRUCT) {
        fail(compiler, &field->place,
             "'%s' is an array of what has no fixed layout; use a scalar or a struct", field->name);
    }
    if (field->type.kind == KIND_REF && field->type.declaration != NULL &&
        field->type.declaration->kind != KIND_STRUCT) {
        fail(compiler, &field->place, "'%s' refers to what is no struct; name a struct",
             field->name);
    }
}

static bool is_variable_result(const struct field *field) {
    return (field->direction == DIRECTION_RESULT &&
            (field->type.kind == KIND_BYTES || field->type.kind == KIND_ARRAY)) ||
           (field->direction == DIRECTION_INOUT && field->type.kind == KIND_BYTES);
}

// What <lib/wire.h> has room for: arguments, and pages of one of them.
static void check_room(struct compiler *compiler, const struct method *method) {
    uint32_t arguments = 0;
    const struct field *pages = NULL;
    for (const struct field *field = method->fields; field != NULL; field = field->next) {
        arguments++;
        if (field->type.kind == KIND_PAGES && (pages != NULL || field->type.bound > PAGES_MAX)) {
            fail(compiler, &field->place,
                 "'%s' is too many pages; a method has one such argument, of at most %u",
                 field->name, PAGES_MAX);
        }
        pages = field->type.kind == KIND_PAGES ? field : pages;
    }
    if (arguments > ARGUMENTS_MAX) {
        fail(compiler, &method->place, "'%s' has %u parameters; keep to %u, or use a struct",
             method->name, arguments, ARGUMENTS_MAX);
    }
}

static void check_parameters(struct compiler *compiler, const struct port *port,
                             const struct method *method) {
    bool is_atomic = !is_isolated(port, method);
    const struct field *variable = NULL;
    uint64_t sizes[2] = { 0, 0 };
    for (const struct field *field = method->fields; field != NULL; field = field->next) {
        if (!fits_direction(field, is_atomic)) {
            fail(compiler, &field->place, "'%s' cannot go this way; %s", field->name,
                 direction_mend(field));
        }
        check_element(compiler, field);
        if (field->type.kind == KIND_INSTANCE && field->direction == DIRECTION_IN &&
            field != method->fields) {
            fail(compiler, &field->place,
                 "'%s' is an instance; put it first, it takes the provider's place", field->name);
        }
        if (variable != NULL &&
            (is_variable_result(field) || field->direction == DIRECTION_RESULT)) {
            fail(compiler, &field->place,
                 "'%s' follows a result without fixed size; put '%s' last, alone", field->name,
                 variable->name);
        }
        variable = is_variable_result(field) ? field : variable;
        sizes[0] += body_size(field, false);
        sizes[1] += body_size(field, true);
    }
    if (!is_atomic && (sizes[0] > BODY_MAX || sizes[1] > BODY_MAX)) {
        fail(compiler, &method->place,
             "a message of '%s' could have %llu bytes; keep it below %u, or use pages",
             method->name, (unsigned long long)max_of(sizes[0], sizes[1]), BODY_MAX);
    }
    check_room(compiler, method);
    check_names(compiler, method->fields);
}

// Methods -----------------------------------------------------------------------------------------

static bool same_type(const struct type *a, const struct type *b) {
    return a->kind == b->kind && a->declaration == b->declaration && a->element == b->element &&
           a->bound == b->bound && a->rights == b->rights;
}

static bool same_parameters(const struct method *a, const struct method *b) {
    const struct field *x = a->fields;
    const struct field *y = b->fields;
    while (x != NULL && y != NULL && same_type(&x->type, &y->type) &&
           x->direction == y->direction) {
        x = x->next;
        y = y->next;
    }
    return x == NULL && y == NULL;
}

static bool has_status(const struct status_name *list, const char *name) {
    while (list != NULL && strcmp(list->name, name) != 0) {
        list = list->next;
    }
    return list != NULL;
}

// What stands for a method does no more, and says no more, than that may.
static void check_stand_in(struct compiler *compiler, const struct port *port,
                           const struct method *method, const struct method *other) {
    if (method->atomic != other->atomic) {
        fail(compiler, &method->place,
             "'%s' runs in another context than '%s'; name a method of the same one", other->name,
             method->name);
    }
    if (method->idempotent && !other->idempotent) {
        fail(compiler, &method->place,
             "'%s' may be repeated and '%s', which stands for it, may not; mark both idempotent",
             method->name, other->name);
    }
    if (method->ends != other->ends) {
        fail(compiler, &method->place,
             "only one of '%s' and '%s' ends its instance; mark both, or none", method->name,
             other->name);
    }
    for (const struct status_name *status = other->fails; status != NULL; status = status->next) {
        if (!has_status(method->fails, status->name) && !has_status(port->fails, status->name)) {
            fail(compiler, &method->place,
                 "'%s', which stands for '%s', may fail with %s; add that to what '%s' fails with",
                 other->name, method->name, status->name, method->name);
        }
    }
}

// Whether a value of all zeroes is one.
static bool has_zero(const struct type *type) {
    if (type->kind == KIND_ENUM) {
        const struct constant *value = type->declaration->values;
        while (value != NULL && value->value != 0) {
            value = value->next;
        }
        return value != NULL;
    }
    const struct field *field = type->kind == KIND_STRUCT ? type->declaration->fields : NULL;
    while (field != NULL && has_zero(&field->type)) {
        field = field->next;
    }
    return field == NULL && type->kind != KIND_INSTANCE && type->kind != KIND_HANDLE;
}

// What an absent method gives that stands for OK is zeroes.
static void check_nothing(struct compiler *compiler, const struct method *method) {
    for (const struct field *field = method->fields; field != NULL; field = field->next) {
        if (field->direction == DIRECTION_RESULT && !has_zero(&field->type)) {
            fail(compiler, &field->place,
                 "'%s' would be zero if '%s' is absent, and cannot be; write a status behind "
                 "'optional'",
                 field->name, method->name);
        }
    }
}

static void check_optional(struct compiler *compiler, const struct port *port,
                           struct method *method) {
    if (method->optional != NULL && strcmp(method->optional, "OK") == 0) {
        check_nothing(compiler, method);
    }
    if (method->optional == NULL || method->optional[0] < 'a' || method->optional[0] > 'z') {
        return;
    }
    const struct method *other = port->methods;
    while (other != NULL && strcmp(other->name, method->optional) != 0) {
        other = other->next;
    }
    if (other == NULL || other == method || !same_parameters(method, other) ||
        other->number > method->number) {
        fail(compiler, &method->place,
             "'%s' cannot stand for '%s'; name a method above it that has the same parameters",
             method->optional, method->name);
        return;
    }
    check_stand_in(compiler, port, method, other);
    method->optional_method = other;
}

static bool has_request(const struct field *fields) {
    for (const struct field *field = fields; field != NULL; field = field->next) {
        const struct type *type = &field->type;
        bool is_struct =
            type->kind == KIND_STRUCT || (type->kind == KIND_ARRAY && type->element == KIND_STRUCT);
        if (type->kind == KIND_REQUEST || (is_struct && has_request(type->declaration->fields))) {
            return true;
        }
    }
    return false;
}

static void check_completion(struct compiler *compiler, const struct port *port,
                             const struct method *method) {
    if (method->completed_by == NULL) {
        return;
    }
    const struct method *event = port->events;
    while (event != NULL && strcmp(event->name, method->completed_by) != 0) {
        event = event->next;
    }
    if (event == NULL) {
        fail(compiler, &method->place, "there is no event '%s'; declare it with event",
             method->completed_by);
    } else if (!has_request(method->fields) || !has_request(event->fields)) {
        fail(compiler, &method->place,
             "'%s' and '%s' do not both carry a request; give each a field of type request",
             method->name, event->name);
    }
}

static void check_ends(struct compiler *compiler, const struct method *method) {
    const struct field *first = method->fields;
    if (method->ends &&
        (first == NULL || first->type.kind != KIND_INSTANCE || first->direction != DIRECTION_IN)) {
        fail(compiler, &method->place,
             "'%s' ends no instance; make an instance its first parameter", method->name);
    }
}

// Nobody answers an event, so nobody would say when its pages are free again.
static void check_event(struct compiler *compiler, const struct method *event) {
    for (const struct field *field = event->fields; field != NULL; field = field->next) {
        if (field->type.kind == KIND_PAGES) {
            fail(compiler, &field->place,
                 "'%s' are pages, which an event cannot carry; let a method ask for them",
                 field->name);
        }
    }
}

static void check_methods(struct compiler *compiler, const struct port *port) {
    for (struct method *method = port->methods; method != NULL; method = method->next) {
        check_name(compiler, &method->place, method->name);
        if (port->events != NULL && strcmp(method->name, "attach") == 0) {
            fail(compiler, &method->place,
                 "a port with events has its own 'attach'; rename the method");
        }
        if (strcmp(method->name, "count") == 0) {
            fail(compiler, &method->place,
                 "'count' would be one name in C with the number of methods; rename the method");
        }
        check_parameters(compiler, port, method);
        check_optional(compiler, port, method);
        check_completion(compiler, port, method);
        check_ends(compiler, method);
    }
    for (struct method *event = port->events; event != NULL; event = event->next) {
        check_name(compiler, &event->place, event->name);
        check_parameters(compiler, port, event);
        check_event(compiler, event);
        if (port->atomic || (event->fields != NULL && event->fields->type.kind == KIND_INSTANCE)) {
            fail(compiler, &event->place,
                 "'%s' cannot be an event; an atomic port has none, and instances are not for "
                 "clients",
                 event->name);
        }
    }
    if (port->methods == NULL) {
        fail(compiler, &port->place, "'%s' has no methods; give it at least one", port->name);
    }
}

bool is_isolated(const struct port *port, const struct method *method) {
    return !port->atomic && !method->atomic;
}

// Bytes of one item in a body, each of which starts at a multiple of 8.
static uint64_t item_size(const struct type *type) {
    uint64_t size;
    uint64_t align;
    switch (type->kind) {
    case KIND_STRUCT:
        return type->declaration->size;
    case KIND_TEXT:
    case KIND_STRING:
    case KIND_BYTES:
        return 8 + type->bound + 1;
    case KIND_ARRAY:
        type_layout(&(struct type){ .kind = type->element, .declaration = type->declaration },
                    &size, &align);
        return 8 + type->bound * size;
    case KIND_PAGES:
        return 8 + type->bound * 4;
    case KIND_HANDLE:
    case KIND_INSTANCE:
        return 8;
    case KIND_REF:
        return 0;
    default:
        return scalar_size(type->kind);
    }
}

uint64_t body_size(const struct field *field, bool is_reply) {
    bool is_result = field->direction == DIRECTION_RESULT;
    uint64_t size = (item_size(&field->type) + 7) & ~UINT64_C(7);
    if (!is_reply) {
        return is_variable_result(field) && is_result ? 8 : is_result ? 0 : size;
    }
    return field->direction == DIRECTION_IN || field->type.kind == KIND_PAGES ? 0 : size;
}

void port_check(struct compiler *compiler, struct port *port) {
    if (!port->is_calls) {
        check_constants(compiler, port, port->constants);
    }
    for (struct declaration *declaration = port->declarations;
         declaration != NULL && !compiler->failed; declaration = declaration->next) {
        if (!port->is_calls) {
            check_type_name(compiler, declaration);
            check_constants(compiler, port, declaration->values);
        }
        if (declaration->kind == KIND_STRUCT) {
            check_struct(compiler, declaration);
            check_names(compiler, declaration->fields);
        }
    }
    if (!compiler->failed) {
        (port->is_calls ? calls_check : check_methods)(compiler, port);
    }
    if (!compiler->failed) {
        versions_check(compiler, port);
    }
}
