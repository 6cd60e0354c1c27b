// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/lex.c: text into tokens. Comments are kept: lines directly above a token, and what
// stands behind one on its line, belong to what is declared there.
#include "portgen.h"

#include <string.h>

#define SIGNS "(){}[]<>,;:.|="

void lexer_init(struct lexer *lexer, struct compiler *compiler, const char *path, const char *text,
                size_t length) {
    *lexer = (struct lexer){ .compiler = compiler,
                             .path = path,
                             .at = text,
                             .end = text + length,
                             .line_start = text,
                             .line = 1 };
}

static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name_part(char c) {
    return is_name_start(c) || is_digit(c);
}

static struct place here(const struct lexer *lexer) {
    return (struct place){ lexer->path, lexer->line,
                           (uint32_t)(lexer->at - lexer->line_start) + 1 };
}

static void newline(struct lexer *lexer) {
    lexer->at++;
    lexer->line++;
    lexer->line_start = lexer->at;
}

// A line that ends so continues on the next one in C, which would be a comment there, too.
static bool joins_lines(const char *start, const char *end) {
    while (end > start && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) {
        end--;
    }
    return end > start && end[-1] == '\\';
}

// Takes "// text" up to the line's end; adds the text to `doc` as a line.
static void take_comment(struct lexer *lexer, struct text *doc) {
    const struct place place = here(lexer);
    lexer->at += 2;
    if (lexer->at < lexer->end && *lexer->at == ' ') {
        lexer->at++;
    }
    const char *start = lexer->at;
    while (lexer->at < lexer->end && *lexer->at != '\n') {
        lexer->at++;
    }
    if (joins_lines(start, lexer->at)) {
        fail(lexer->compiler, &place,
             "a comment that ends with '\\' goes on in C; remove the '\\'");
    }
    text_add(doc, "%s%.*s", doc->length > 0 ? "\n" : "", (int)(lexer->at - start), start);
}

static const char *keep(struct lexer *lexer, struct text *text) {
    if (text->length == 0) {
        return NULL;
    }
    return arena_copy(&lexer->compiler->arena, text->data, text->length);
}

// Passes white space and comments; the comments go into the token.
static void pass_space(struct lexer *lexer, struct token *token) {
    struct text doc = { 0 };
    struct text trailing = { 0 };
    uint32_t blank_lines = 0;
    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        if (c == '\n') {
            newline(lexer);
            blank_lines++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            lexer->at++;
        } else if (c == '/' && lexer->end - lexer->at > 1 && lexer->at[1] == '/') {
            if (blank_lines > 1) {
                doc.length = 0;
            }
            take_comment(lexer, lexer->line == lexer->token_line ? &trailing : &doc);
            blank_lines = 0;
        } else {
            break;
        }
    }
    if (blank_lines > 1) {
        doc.length = 0;
    }
    token->doc = keep(lexer, &doc);
    token->trailing = keep(lexer, &trailing);
    text_free(&doc);
    text_free(&trailing);
}

static void take(struct lexer *lexer, struct token *token) {
    char c = *lexer->at;
    token->start = lexer->at;
    if (is_name_start(c) || is_digit(c)) {
        token->kind = is_digit(c) ? TOKEN_NUMBER : TOKEN_NAME;
        while (lexer->at < lexer->end && is_name_part(*lexer->at)) {
            lexer->at++;
        }
    } else if (c == '-' && lexer->end - lexer->at > 1 && lexer->at[1] == '>') {
        token->kind = TOKEN_ARROW;
        lexer->at += 2;
    } else if (c != '\0' && strchr(SIGNS, c) != NULL) {
        token->kind = TOKEN_SIGN;
        lexer->at++;
    } else {
        fail(lexer->compiler, &token->place,
             c >= ' ' && c < 127 ? "'%c' means nothing here; remove it"
                                 : "byte %d means nothing here; remove it",
             c >= ' ' && c < 127 ? c : (unsigned char)c);
        return;
    }
    token->length = (size_t)(lexer->at - token->start);
    lexer->token_line = lexer->line;
}

struct token lexer_next(struct lexer *lexer) {
    struct token token = { .kind = TOKEN_END, .start = "", .length = 0 };
    pass_space(lexer, &token);
    token.place = here(lexer);
    if (!lexer->compiler->failed && lexer->at < lexer->end) {
        take(lexer, &token);
    }
    return token;
}
