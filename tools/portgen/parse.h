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

// parse_method.c: types, fields and methods.
struct field *parse_field(struct parser *parser);
void parse_method(struct parser *parser, struct method **list, const char *doc);
void parse_fails(struct parser *parser, struct status_name **list);
