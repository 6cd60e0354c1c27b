// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/parse.c: tokens into the tree. A name is declared before it is used, but for what
// `optional` and `completed by` name.
//
//   file    = { "use" NAME ";" } port
//   port    = ( "port" | "calls" ) NAME { "." NAME } NUMBER "." NUMBER "{" { item } "}"
//   since   = "since" NUMBER "." NUMBER "after" NUMBER ";", which is an item
#include "parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Tokens ------------------------------------------------------------------------------------------

void advance(struct parser *parser) {
    parser->token = lexer_next(&parser->lexer);
    if (parser->compiler->failed) {
        parser->token.kind = TOKEN_END;
    }
}

bool at_text(const struct parser *parser, const char *text) {
    const struct token *token = &parser->token;
    return token->kind != TOKEN_END && strlen(text) == token->length &&
           memcmp(token->start, text, token->length) == 0;
}

bool accept(struct parser *parser, const char *text) {
    bool found = at_text(parser, text);
    if (found) {
        advance(parser);
    }
    return found;
}

// What stands here instead of what was wanted.
static const char *found_text(struct parser *parser) {
    const struct token *token = &parser->token;
    if (token->kind == TOKEN_END) {
        return "the end of the file";
    }
    char *quoted = arena_alloc(&parser->compiler->arena, token->length + 3);
    quoted[0] = '\'';
    memcpy(quoted + 1, token->start, token->length);
    quoted[token->length + 1] = '\'';
    return quoted;
}

void expect(struct parser *parser, const char *text, const char *after) {
    if (!accept(parser, text)) {
        fail(parser->compiler, &parser->token.place, "'%s' is missing %s; put it before %s", text,
             after, found_text(parser));
        advance(parser);
    }
}

static bool is_upper(const char *name) {
    return strpbrk(name, "abcdefghijklmnopqrstuvwxyz") == NULL;
}

static bool is_lower(const char *name) {
    return strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL;
}

// A name in lower or upper case; "" after an error.
static const char *take_name(struct parser *parser, const char *what, bool upper) {
    const struct token token = parser->token;
    if (token.kind != TOKEN_NAME) {
        fail(parser->compiler, &token.place, "a name for %s is missing; put it before %s", what,
             found_text(parser));
        advance(parser);
        return "";
    }
    char *name = arena_copy(&parser->compiler->arena, token.start, token.length);
    if (upper ? !is_upper(name) : !is_lower(name)) {
        fail(parser->compiler, &token.place, "the name of %s is '%s'; write it in %s case", what,
             name, upper ? "upper" : "lower");
    }
    if (name[0] == '_' || name[token.length - 1] == '_') {
        fail(parser->compiler, &token.place,
             "'%s' begins or ends with '_', as names do that the C code has for itself; remove it",
             name);
    }
    advance(parser);
    return name;
}

const char *lower_name(struct parser *parser, const char *what) {
    return take_name(parser, what, false);
}

const char *upper_name(struct parser *parser, const char *what) {
    return take_name(parser, what, true);
}

// Decimal, octal with 0, hexadecimal with 0x.
uint64_t take_number(struct parser *parser, const char *what, const char **out_literal) {
    const struct token token = parser->token;
    if (token.kind != TOKEN_NUMBER) {
        fail(parser->compiler, &token.place, "%s must be a number; write one instead of %s", what,
             found_text(parser));
        advance(parser);
        return 0;
    }
    char *digits = arena_copy(&parser->compiler->arena, token.start, token.length);
    char *end;
    errno = 0;
    uint64_t value = strtoull(digits, &end, 0);
    if (*end != '\0' || errno != 0) {
        fail(parser->compiler, &token.place,
             "'%s' is not a number of 64 bits; write it in decimal, 0x… or 0…", digits);
    }
    *out_literal = digits;
    advance(parser);
    return value;
}

// A number or the name of a constant; *out_text is how C says it.
uint64_t take_bound(struct parser *parser, const char **out_text) {
    const struct token token = parser->token;
    if (token.kind != TOKEN_NAME) {
        return take_number(parser, "a bound", out_text);
    }
    const char *name = upper_name(parser, "a constant");
    const struct constant *constant = parser->port->constants;
    while (constant != NULL && strcmp(constant->name, name) != 0) {
        constant = constant->next;
    }
    if (constant == NULL) {
        fail(parser->compiler, &token.place,
             "there is no constant '%s'; declare it above with const", name);
        return 0;
    }
    char *text =
        arena_alloc(&parser->compiler->arena, strlen(parser->port->upper) + strlen(name) + 2);
    (void)strcat(strcat(strcat(text, parser->port->upper), "_"), name);
    *out_text = text;
    return constant->value;
}

// The comment of a declaration: the lines above it and, once its end was taken, what stands behind.
const char *take_doc(struct parser *parser, const char *above) {
    const char *trailing = parser->token.trailing;
    if (above == NULL || trailing == NULL) {
        return above == NULL ? trailing : above;
    }
    char *both = arena_alloc(&parser->compiler->arena, strlen(above) + strlen(trailing) + 2);
    return strcat(strcat(strcat(both, above), "\n"), trailing);
}

// Values ------------------------------------------------------------------------------------------

struct constant *constant_rest(struct parser *parser, const char *doc) {
    struct constant *constant = arena_alloc(&parser->compiler->arena, sizeof(*constant));
    constant->place = parser->token.place;
    constant->name = upper_name(parser, "a constant");
    expect(parser, "=", "behind the name of a constant");
    constant->value = take_number(parser, "a constant", &constant->literal);
    expect(parser, ";", "behind a constant");
    constant->doc = take_doc(parser, doc);
    return constant;
}

void add_constant(struct parser *parser, struct constant **list, struct constant *constant,
                  const struct place *place) {
    for (struct name_seen *seen = parser->seen; seen != NULL; seen = seen->next) {
        if (strcmp(seen->name, constant->name) == 0) {
            fail(parser->compiler, place, "'%s' is declared twice; rename one of the two",
                 constant->name);
        }
    }
    struct name_seen *seen = arena_alloc(&parser->compiler->arena, sizeof(*seen));
    *seen = (struct name_seen){ parser->seen, constant->name };
    parser->seen = seen;
    while (*list != NULL) {
        list = &(*list)->next;
    }
    constant->since = parser->port->version_count - 1;
    *list = constant;
}

static void parse_const(struct parser *parser, const char *doc) {
    const struct place place = parser->token.place;
    add_constant(parser, &parser->port->constants, constant_rest(parser, doc), &place);
}

// Declarations ------------------------------------------------------------------------------------

struct declaration *declare(struct parser *parser, enum kind kind, const char *doc) {
    struct declaration *made = arena_alloc(&parser->compiler->arena, sizeof(*made));
    made->place = parser->token.place;
    made->kind = kind;
    made->port = parser->port;
    made->since = parser->port->version_count - 1;
    made->doc = doc;
    made->name = lower_name(parser, "a type");
    for (const struct declaration *other = parser->port->declarations; other != NULL;
         other = other->next) {
        if (strcmp(other->name, made->name) == 0) {
            fail(parser->compiler, &made->place, "'%s' is declared twice; rename one of the two",
                 made->name);
        }
    }
    return made;
}

void add_declaration(struct parser *parser, struct declaration *made) {
    struct declaration **list = &parser->port->declarations;
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = made;
}

static void parse_simple(struct parser *parser, enum kind kind, const char *doc) {
    struct declaration *made = declare(parser, kind, doc);
    expect(parser, ";", "behind the declaration");
    made->doc = take_doc(parser, doc);
    add_declaration(parser, made);
}

static void parse_values(struct parser *parser, enum kind kind, const char *doc) {
    struct declaration *made = declare(parser, kind, doc);
    expect(parser, "{", "behind the name of the type");
    while (parser->token.kind != TOKEN_END && !at_text(parser, "}")) {
        const struct token token = parser->token;
        struct constant *value = constant_rest(parser, token.doc);
        uint64_t limit = kind == KIND_FLAGS ? 31 : UINT32_MAX;
        if (value->value > limit) {
            fail(parser->compiler, &token.place, "'%s' is out of range; %s", value->name,
                 kind == KIND_FLAGS ? "a flag is given by the number of its bit, 0 to 31"
                                    : "a value of an enum has 32 bits");
        }
        add_constant(parser, &made->values, value, &token.place);
    }
    expect(parser, "}", "at the end of the type");
    if (made->values == NULL) {
        fail(parser->compiler, &made->place, "'%s' has no values; give it at least one",
             made->name);
    }
    add_declaration(parser, made);
}

static void parse_struct(struct parser *parser, const char *doc) {
    struct declaration *made = declare(parser, KIND_STRUCT, doc);
    expect(parser, "{", "behind the name of the struct");
    struct field **end = &made->fields;
    while (parser->token.kind != TOKEN_END && !at_text(parser, "}")) {
        *end = parse_field(parser);
        end = &(*end)->next;
    }
    expect(parser, "}", "at the end of the struct");
    add_declaration(parser, made);
}

// The port ----------------------------------------------------------------------------------------

// One number of a version, as a manifest can hold it, and the one behind it, too.
static uint32_t take_version(struct parser *parser) {
    const struct place place = parser->token.place;
    const char *literal = "";
    const uint64_t number = take_number(parser, "a version", &literal);
    if (!parser->compiler->failed &&
        (number >= UINT16_MAX || (literal[0] == '0' && literal[1] != '\0'))) {
        fail(parser->compiler, &place,
             "'%s' is no part of a version; write MAJOR.MINOR in decimal, each below %u", literal,
             UINT16_MAX);
    }
    return (uint32_t)number;
}

// The version that begins: what was before is the version that was.
static struct version *add_version(struct parser *parser) {
    struct version *made = arena_alloc(&parser->compiler->arena, sizeof(*made));
    struct version **end = &parser->port->versions;
    made->place = parser->token.place;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = made;
    parser->port->version_count++;
    return made;
}

static void parse_since(struct parser *parser) {
    struct version *version = add_version(parser);
    const char *literal;
    version->major = take_version(parser);
    expect(parser, ".", "in the version (MAJOR.MINOR)");
    version->minor = take_version(parser);
    expect(parser, "after", "behind the version, with the ABI of the one before");
    version->after = take_number(parser, "an ABI", &literal);
    expect(parser, ";", "behind the ABI");
}

static void parse_context(struct parser *parser, const struct place *place) {
    if (parser->port->has_context) {
        fail(parser->compiler, place, "the context is said twice; remove one of the two");
    }
    parser->port->has_context = true;
    parser->port->atomic = accept(parser, "atomic");
    if (!parser->port->atomic) {
        expect(parser, "thread", "behind 'context' (or 'atomic')");
    }
    expect(parser, ";", "behind the context");
}

static void parse_port_fails(struct parser *parser) {
    parse_fails(parser, &parser->port->fails);
    expect(parser, ";", "behind the statuses");
}

// What only ports have.
static bool parse_port_item(struct parser *parser, const char *doc) {
    const struct place place = parser->token.place;
    if (parser->port->version_count > 1 &&
        (at_text(parser, "context") || at_text(parser, "fails"))) {
        fail(parser->compiler, &place, "%s is about all versions; write it above the first 'since'",
             found_text(parser));
    }
    if (accept(parser, "since")) {
        parse_since(parser);
    } else if (accept(parser, "context")) {
        parse_context(parser, &place);
    } else if (accept(parser, "id")) {
        parse_simple(parser, KIND_ID, doc);
    } else if (accept(parser, "instance")) {
        parse_simple(parser, KIND_INSTANCE, doc);
    } else if (accept(parser, "text")) {
        parse_simple(parser, KIND_TEXT, doc);
    } else if (accept(parser, "method")) {
        parse_method(parser, &parser->port->methods, doc);
    } else if (accept(parser, "event")) {
        parse_method(parser, &parser->port->events, doc);
    } else {
        return false;
    }
    return true;
}

static void parse_item(struct parser *parser) {
    const bool is_calls = parser->port->is_calls;
    const char *doc = parser->token.doc;
    if (is_calls ? parse_calls_item(parser, doc) : parse_port_item(parser, doc)) {
        return;
    }
    if (accept(parser, "fails")) {
        parse_port_fails(parser);
    } else if (accept(parser, "const")) {
        parse_const(parser, doc);
    } else if (accept(parser, "flags")) {
        parse_values(parser, KIND_FLAGS, doc);
    } else if (accept(parser, "enum")) {
        parse_values(parser, KIND_ENUM, doc);
    } else if (accept(parser, "struct")) {
        parse_struct(parser, doc);
    } else {
        fail(parser->compiler, &parser->token.place,
             is_calls ? "%s does not begin a part of calls; write fails, const, flags, enum, "
                        "struct, object or call"
                      : "%s does not begin a part of a port; write context, fails, const, flags, "
                        "enum, struct, id, instance, text, method, event or since",
             found_text(parser));
        advance(parser);
    }
}

static void parse_use(struct parser *parser) {
    const struct place place = parser->token.place;
    const char *name = lower_name(parser, "a port");
    expect(parser, ";", "behind the name of the port");
    const char *path = "";
    char *text = NULL;
    if (!parser->compiler->failed && parser->compiler->depth < NESTING_MAX) {
        text = parser->compiler->load(parser->compiler, name, &path);
    }
    if (text == NULL) {
        fail(parser->compiler, &place,
             "there is no %s.port beside this file, or it uses this one; name a port below it",
             name);
        return;
    }
    struct use *use = arena_alloc(&parser->compiler->arena, sizeof(*use));
    use->port = port_read(parser->compiler, path, text, strlen(text));
    if (use->port != NULL && (use->port->is_calls || strcmp(use->port->prefix, name) != 0)) {
        fail(parser->compiler, &place, "%s.port describes '%s'; name the file after the port", name,
             use->port->name);
    }
    use->next = parser->port->uses;
    parser->port->uses = use;
}

// The name, "helix.fs", and what names in C begin with.
static void parse_port_name(struct parser *parser) {
    struct port *port = parser->port;
    struct arena *arena = &parser->compiler->arena;
    struct text name = { 0 };
    port->place = parser->token.place;
    do {
        port->family = lower_name(parser, "a port");
        text_add(&name, "%s%s", name.length > 0 ? "." : "", port->family);
    } while (accept(parser, "."));
    port->name = arena_copy(arena, name.data, name.length);
    text_free(&name);
    port->prefix = port->is_calls ? "hx" : port->family;
    char *upper = arena_copy(arena, port->prefix, strlen(port->prefix));
    for (char *c = upper; *c != '\0'; c++) {
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    port->upper = upper;
}

static void parse_port(struct parser *parser) {
    struct port *port = parser->port;
    parse_port_name(parser);
    port->major = take_version(parser);
    expect(parser, ".", "in the version (MAJOR.MINOR)");
    port->minor = take_version(parser);
    add_version(parser)->place = port->place;
    expect(parser, "{", "behind the version");
    while (parser->token.kind != TOKEN_END && !at_text(parser, "}")) {
        parse_item(parser);
    }
    expect(parser, "}", "at the end of the port");
    if (parser->token.kind != TOKEN_END) {
        fail(parser->compiler, &parser->token.place,
             "%s stands behind the end of the port; a file has one port", found_text(parser));
    }
}

struct port *port_read(struct compiler *compiler, const char *path, const char *text,
                       size_t length) {
    struct parser parser = { .compiler = compiler };
    parser.port = arena_alloc(&compiler->arena, sizeof(*parser.port));
    compiler->depth++;
    lexer_init(&parser.lexer, compiler, path, text, length);
    advance(&parser);
    while (accept(&parser, "use")) {
        parse_use(&parser);
    }
    parser.port->doc = parser.token.doc;
    parser.port->is_calls = accept(&parser, "calls");
    if (!parser.port->is_calls) {
        expect(&parser, "port", "at the start of the file");
    }
    parse_port(&parser);
    if (!compiler->failed) {
        port_check(compiler, parser.port);
    }
    compiler->depth--;
    return compiler->failed ? NULL : parser.port;
}
