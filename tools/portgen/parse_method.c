// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/parse_method.c: types, fields and methods.
//
//   field  = NAME ":" type [ "align" NUMBER ] ";"
//   method = NAME "(" [ parameters ] ")" [ "->" "(" parameters ")" ] { mark } ";"
//   mark   = "rights" RIGHT { "|" RIGHT } | "fails" STATUS { "," STATUS } | "optional" ( STATUS |
//   METHOD )
//          | "idempotent" | "ends" | "context" "atomic" | "completed" "by" EVENT
//   type   = ["in" | "out" | "inout"] base [ "<" … ">" ] [ "[" N "]" ]
#include "parse.h"

#include <string.h>

// Types -------------------------------------------------------------------------------------------

static const struct declaration *find(const struct port *port, const char *name) {
    const struct declaration *found = port->declarations;
    while (found != NULL && strcmp(found->name, name) != 0) {
        found = found->next;
    }
    return found;
}

static const struct port *used_port(const struct parser *parser, const char *name) {
    for (const struct use *use = parser->port->uses; use != NULL; use = use->next) {
        if (use->port != NULL && strcmp(use->port->prefix, name) == 0) {
            return use->port;
        }
    }
    return NULL;
}

// NAME or PORT.NAME, of a declaration.
static const struct declaration *take_declaration(struct parser *parser) {
    const struct place place = parser->token.place;
    const struct port *port = parser->port;
    const char *name = lower_name(parser, "a type");
    if (accept(parser, ".")) {
        port = used_port(parser, name);
        if (port == NULL) {
            fail(parser->compiler, &place, "'%s' is not used here; write 'use %s;' at the top",
                 name, name);
            return NULL;
        }
        name = lower_name(parser, "a type");
    }
    const struct declaration *found = find(port, name);
    if (found == NULL) {
        fail(parser->compiler, &place,
             "there is no type '%s'; declare it above, or write one of u8 u16 u32 u64 i32 i64 bool "
             "time request string bytes array pages handle ref",
             name);
    }
    return found;
}

// "<N>" behind what has no size by itself.
static void take_size(struct parser *parser, struct type *type) {
    const struct place place = parser->token.place;
    if (!accept(parser, "<")) {
        fail(parser->compiler, &place, "the bound is missing; write it as <N>");
        return;
    }
    type->bound = take_bound(parser, &type->bound_text);
    expect(parser, ">", "behind the bound");
    if (!parser->compiler->failed && (type->bound == 0 || type->bound > BODY_MAX)) {
        fail(parser->compiler, &place,
             "the bound is %llu; it must be 1 to %u (what is larger goes as pages)",
             (unsigned long long)type->bound, BODY_MAX);
    }
}

static bool take_scalar(struct parser *parser, struct type *type) {
    for (enum kind kind = KIND_U8; kind < KIND_SCALARS; kind++) {
        if (accept(parser, scalar_name(kind))) {
            type->kind = kind;
            return true;
        }
    }
    return false;
}

// array<ELEMENT, N>
static void take_array(struct parser *parser, struct type *type) {
    struct type element = { 0 };
    expect(parser, "<", "behind 'array'");
    if (!take_scalar(parser, &element)) {
        element.declaration = take_declaration(parser);
        element.kind = element.declaration != NULL ? element.declaration->kind : KIND_U8;
    }
    expect(parser, ",", "between the type of an array and its bound");
    const struct place place = parser->token.place;
    type->kind = KIND_ARRAY;
    type->element = element.kind;
    type->declaration = element.declaration;
    type->bound = take_bound(parser, &type->bound_text);
    expect(parser, ">", "behind the bound");
    if (!parser->compiler->failed && (type->bound == 0 || type->bound > BODY_MAX)) {
        fail(parser->compiler, &place, "an array has 1 to %u elements; write such a bound",
             BODY_MAX);
    }
}

uint64_t take_rights(struct parser *parser) {
    uint64_t rights = 0;
    do {
        const struct place place = parser->token.place;
        const char *name = upper_name(parser, "a right");
        if (right_of(name) == 0) {
            fail(parser->compiler, &place,
                 "there is no right '%s'; it is one of READ WRITE EXECUTE MAP DELETE CREATE ADMIN "
                 "DELEGATE EXCLUSIVE SIGNAL WAIT",
                 name);
        }
        rights |= right_of(name);
    } while (accept(parser, "|"));
    return rights;
}

// "<RIGHTS>" behind what a handle is for.
static void take_needed(struct parser *parser, struct type *type) {
    type->rights = take_rights(parser);
    expect(parser, ">", "behind the rights");
}

static void take_declared(struct parser *parser, struct type *type) {
    type->declaration = take_declaration(parser);
    if (type->declaration != NULL) {
        type->kind = type->declaration->kind;
        if (type->kind == KIND_TEXT) {
            take_size(parser, type);
        }
        if (type->kind == KIND_OBJECT && accept(parser, "<")) {
            take_needed(parser, type);
        }
    }
}

// "handle<RIGHTS>"; in calls also "handle" alone.
static void take_handle(struct parser *parser, struct type *type) {
    type->kind = KIND_HANDLE;
    if (!parser->port->is_calls) {
        expect(parser, "<", "behind 'handle', with the rights that it must have");
        take_needed(parser, type);
    } else if (accept(parser, "<")) {
        take_needed(parser, type);
    }
}

// "u32<CONSTANT>", in calls: no other bits than the constant's.
static void take_within(struct parser *parser, struct type *type) {
    const struct place place = parser->token.place;
    const char *text;
    if (!parser->port->is_calls || !accept(parser, "<")) {
        return;
    }
    type->within = take_bound(parser, &text);
    expect(parser, ">", "behind the bits that are allowed");
    if (!parser->compiler->failed &&
        (type->within == 0 || (type->kind != KIND_U32 && type->kind != KIND_U64))) {
        fail(parser->compiler, &place,
             "only a u32 or a u64 is kept within bits, and at least one; "
             "write u32<CONSTANT>");
    }
}

static struct type take_type(struct parser *parser) {
    struct type type = { .bound_text = "0" };
    if (take_scalar(parser, &type)) {
        take_within(parser, &type);
        return type;
    }
    if (accept(parser, "string")) {
        type.kind = KIND_STRING;
        take_size(parser, &type);
    } else if (accept(parser, "bytes")) {
        type.kind = KIND_BYTES;
        take_size(parser, &type);
    } else if (accept(parser, "pages")) {
        type.kind = KIND_PAGES;
        take_size(parser, &type);
    } else if (accept(parser, "array")) {
        take_array(parser, &type);
    } else if (accept(parser, "handle")) {
        take_handle(parser, &type);
    } else if (accept(parser, "ref")) {
        type.declaration = take_declaration(parser);
        type.kind = KIND_REF;
    } else {
        take_declared(parser, &type);
    }
    return type;
}

// Fields ------------------------------------------------------------------------------------------

// NAME ":" type, in a struct or among parameters.
static struct field *take_field(struct parser *parser, const char *what, bool is_parameter) {
    struct field *field = arena_alloc(&parser->compiler->arena, sizeof(*field));
    field->place = parser->token.place;
    field->doc = parser->token.doc;
    field->name = lower_name(parser, what);
    expect(parser, ":", "between a name and its type");
    if (is_parameter) {
        field->direction = accept(parser, "out")     ? DIRECTION_OUT
                           : accept(parser, "inout") ? DIRECTION_INOUT
                                                     : DIRECTION_IN;
        (void)accept(parser, "in");
    }
    field->type = take_type(parser);
    return field;
}

// "[N]" behind the type of a field, and of a parameter of calls.
static void take_fixed(struct parser *parser, struct field *field) {
    const char *text;
    if (accept(parser, "[")) {
        field->type.fixed = take_bound(parser, &text);
        expect(parser, "]", "behind the number of elements");
        if (field->type.fixed == 0 || field->type.fixed > BODY_MAX) {
            fail(parser->compiler, &field->place,
                 "a field has 1 to %u elements; write such a number", BODY_MAX);
        }
    }
}

struct field *parse_field(struct parser *parser) {
    struct field *field = take_field(parser, "a field", false);
    const char *text;
    take_fixed(parser, field);
    if (accept(parser, "align")) {
        field->type.align = take_number(parser, "an alignment", &text);
        if (field->type.align == 0 || (field->type.align & (field->type.align - 1)) != 0 ||
            field->type.align > 64) {
            fail(parser->compiler, &field->place,
                 "an alignment is a power of two up to 64; write one");
        }
    }
    expect(parser, ";", "behind a field");
    field->doc = take_doc(parser, field->doc);
    return field;
}

void take_parameters(struct parser *parser, struct field **list, bool is_result) {
    while (*list != NULL) {
        list = &(*list)->next;
    }
    expect(parser, "(", is_result ? "behind '->'" : "behind the name of a method");
    bool more = !at_text(parser, ")");
    while (more && parser->token.kind != TOKEN_END) {
        *list = take_field(parser, "a parameter", !is_result);
        if (is_result) {
            (*list)->direction = DIRECTION_RESULT;
        }
        if (parser->port->is_calls) {
            take_fixed(parser, *list);
        }
        list = &(*list)->next;
        more = accept(parser, ",");
    }
    expect(parser, ")", "behind the parameters");
}

// Methods -----------------------------------------------------------------------------------------

void parse_fails(struct parser *parser, struct status_name **list) {
    do {
        const struct place place = parser->token.place;
        struct status_name *status = arena_alloc(&parser->compiler->arena, sizeof(*status));
        status->name = upper_name(parser, "a status");
        if (!is_status(status->name)) {
            fail(parser->compiler, &place,
                 "there is no status HX_ERR_%s; choose one from <helix/status.h>", status->name);
        }
        while (*list != NULL) {
            list = &(*list)->next;
        }
        *list = status;
    } while (accept(parser, ","));
}

// A status, OK, or the name of a method that does the work instead.
static void take_optional(struct parser *parser, struct method *method) {
    const struct token token = parser->token;
    method->optional = arena_copy(&parser->compiler->arena, token.start, token.length);
    bool is_method = token.kind == TOKEN_NAME && *token.start >= 'a' && *token.start <= 'z';
    if (!is_method && strcmp(method->optional, "OK") != 0 && !is_status(method->optional)) {
        fail(parser->compiler, &token.place,
             "'optional' is followed by what stands for the method; write OK, a status, or a "
             "method");
    }
    advance(parser);
}

static void take_rights_mark(struct parser *parser, struct method *method) {
    method->rights = take_rights(parser);
}

static void take_fails(struct parser *parser, struct method *method) {
    parse_fails(parser, &method->fails);
}

static void take_idempotent(struct parser *parser, struct method *method) {
    (void)parser;
    method->idempotent = true;
}

static void take_ends(struct parser *parser, struct method *method) {
    (void)parser;
    method->ends = true;
}

static void take_context(struct parser *parser, struct method *method) {
    method->atomic = true;
    expect(parser, "atomic", "behind 'context'");
}

static void take_completed(struct parser *parser, struct method *method) {
    expect(parser, "by", "behind 'completed'");
    method->completed_by = lower_name(parser, "an event");
}

static const struct {
    const char *word;
    void (*take)(struct parser *parser, struct method *method); // what follows the word
} marks[] = {
    { "rights", take_rights_mark },    { "fails", take_fails }, { "optional", take_optional },
    { "idempotent", take_idempotent }, { "ends", take_ends },   { "context", take_context },
    { "completed", take_completed },
};
#define MARKS (sizeof(marks) / sizeof(marks[0]))

// `seen` has a bit for each mark that was there already.
static bool take_mark(struct parser *parser, struct method *method, uint32_t *seen) {
    const struct token token = parser->token;
    uint32_t mark = 0;
    while (mark < MARKS && !at_text(parser, marks[mark].word)) {
        mark++;
    }
    if (mark == MARKS) {
        return false;
    }
    if ((*seen >> mark & 1) != 0) {
        fail(parser->compiler, &token.place, "'%s' is said twice; write it once", marks[mark].word);
    }
    *seen |= 1u << mark;
    advance(parser);
    marks[mark].take(parser, method);
    return true;
}

void parse_method(struct parser *parser, struct method **list, const char *doc) {
    struct method *method = arena_alloc(&parser->compiler->arena, sizeof(*method));
    bool is_event = list == &parser->port->events;
    uint32_t seen = 0;
    method->place = parser->token.place;
    method->since = parser->port->version_count - 1;
    method->name = lower_name(parser, is_event ? "an event" : "a method");
    for (; *list != NULL; list = &(*list)->next) {
        method->number++;
        if (strcmp((*list)->name, method->name) == 0) {
            fail(parser->compiler, &method->place, "'%s' is declared twice; rename one of the two",
                 method->name);
        }
    }
    take_parameters(parser, &method->fields, false);
    if (!is_event && accept(parser, "->")) {
        take_parameters(parser, &method->fields, true);
    }
    while (!is_event && take_mark(parser, method, &seen)) {
    }
    expect(parser, ";", is_event ? "behind an event" : "behind a method and its marks");
    method->doc = take_doc(parser, doc);
    *list = method;
}
