// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/parse.h: what the two halves of the parser share.
#pragma once

#include "portgen.h"

struct name_seen {
    struct name_seen *next;
    const char *name;
};

struct parser {
    struct compiler *compiler;
    struct lexer lexer;
    struct token token; // the one that comes next
    struct port *port;
    struct name_seen *seen; // constants
};

void advance(struct parser *parser);
bool at_text(const struct parser *parser, const char *text);
bool accept(struct parser *parser, const char *text);
// Takes it, or fails: "'TEXT' is missing AFTER".
void expect(struct parser *parser, const char *text, const char *after);
// Names in the right case; "" after an error. The result lies in the arena.
const char *lower_name(struct parser *parser, const char *what);
const char *upper_name(struct parser *parser, const char *what);
uint64_t take_number(struct parser *parser, const char *what, const char **out_literal);
uint64_t take_bound(struct parser *parser, const char **out_text);
const char *take_doc(struct parser *parser, const char *above);

// Numbers, names of constants: what a bound or a mask is given by.
struct constant *constant_rest(struct parser *parser, const char *doc);
// A declaration counts from its end on, so that nothing contains itself.
struct declaration *declare(struct parser *parser, enum kind kind, const char *doc);
void add_declaration(struct parser *parser, struct declaration *made);
// All constants of a file share one name space in C.
void add_constant(struct parser *parser, struct constant **list, struct constant *constant,
                  const struct place *place);

// parse_calls.c: what files of calls have in place of methods. False: not one of their words.
bool parse_calls_item(struct parser *parser, const char *doc);

// parse_method.c: types, fields and methods.
uint64_t take_rights(struct parser *parser);
// Those between parentheses go to the list's end.
void take_parameters(struct parser *parser, struct field **list, bool is_result);
struct field *parse_field(struct parser *parser);
void parse_method(struct parser *parser, struct method **list, const char *doc);
void parse_fails(struct parser *parser, struct status_name **list);
