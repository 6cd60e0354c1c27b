// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/parse_calls.c: system calls, which files of calls have in place of methods.
//
//   object = "object" NAME "=" NUMBER ";"
//   call   = "call" NUMBER NAME "(" [ parameters ] ")" [ "->" "(" parameter ")" ] { mark } ";"
//   mark   = "fails" STATUS { "," STATUS } | "by" NAME
#include "parse.h"

#include <string.h>

// What a handle may name, with the number that programs know it by.
static void parse_object(struct parser *parser, const char *doc) {
    struct declaration *made = declare(parser, KIND_OBJECT, doc);
    struct constant *number = arena_alloc(&parser->compiler->arena, sizeof(*number));
    struct text name = { 0 };
    text_add(&name, "OBJECT_");
    text_upper(&name, made->name);
    number->name = arena_copy(&parser->compiler->arena, name.data, name.length);
    text_free(&name);
    expect(parser, "=", "behind the name of an object");
    const struct place place = parser->token.place;
    number->value = take_number(parser, "an object", &number->literal);
    if (!parser->compiler->failed && (number->value == 0 || number->value > INT32_MAX)) {
        fail(parser->compiler, &place, "%s is not for an object; count them from 1",
             number->literal);
    }
    for (const struct declaration *other = parser->port->declarations; other != NULL;
         other = other->next) {
        if (other->kind == KIND_OBJECT && other->values->value == number->value) {
            fail(parser->compiler, &place, "'%s' has this number; give '%s' another one",
                 other->name, made->name);
        }
    }
    add_constant(parser, &made->values, number, &place);
    expect(parser, ";", "behind an object");
    made->doc = take_doc(parser, doc);
    add_declaration(parser, made);
}

static void take_marks(struct parser *parser, struct method *call) {
    for (;;) {
        if (accept(parser, "fails")) {
            parse_fails(parser, &call->fails);
        } else if (accept(parser, "by")) {
            call->by = lower_name(parser, "a part of the kernel");
        } else {
            return;
        }
    }
}

static void parse_call(struct parser *parser, const char *doc) {
    struct method *call = arena_alloc(&parser->compiler->arena, sizeof(*call));
    struct method **end = &parser->port->methods;
    const char *literal;
    call->place = parser->token.place;
    call->call = take_number(parser, "a call", &literal);
    call->name = lower_name(parser, "a call");
    call->by = parser->port->family;
    for (; *end != NULL; end = &(*end)->next) {
        call->number++;
        if (strcmp((*end)->name, call->name) == 0) {
            fail(parser->compiler, &call->place, "'%s' is declared twice; rename one of the two",
                 call->name);
        }
    }
    take_parameters(parser, &call->fields, false);
    if (accept(parser, "->")) {
        take_parameters(parser, &call->fields, true);
    }
    take_marks(parser, call);
    expect(parser, ";", "behind a call and its marks");
    call->doc = take_doc(parser, doc);
    *end = call;
}

bool parse_calls_item(struct parser *parser, const char *doc) {
    if (accept(parser, "object")) {
        parse_object(parser, doc);
    } else if (accept(parser, "call")) {
        parse_call(parser, doc);
    } else {
        return false;
    }
    return true;
}
