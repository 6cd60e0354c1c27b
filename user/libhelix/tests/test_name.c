// SPDX-License-Identifier: MIT OR Apache-2.0
// test_name.c: names and patterns.
#include "check.h"

#include <libhelix/name.h>

#define LONGEST "a23456789/123456789/123456789/123456789/1234567" // 47 bytes

static void names(void) {
    static const char *const good[] = { "a", "helix.block/vda", "A/b/C", "0:1/_-.", LONGEST };
    static const char *const bad[] = { "",     "/", "a/",  "/a", "a//b",      "a b",
                                       "a\nb", "*", "a/*", "**", "a\xc3\xa9", "a,b",
                                       "a@",   "[", "`",   "{",  LONGEST "8" };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        CHECK(hx_name_is_valid(good[i]));
        CHECK(hx_pattern_is_valid(good[i]));
        CHECK(hx_pattern_has(good[i], good[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(!hx_name_is_valid(bad[i]));
    }
}

static void patterns(void) {
    static const char *const good[] = { "*", "**", "*/*", "a/*/b", "a/**", "*/**" };
    static const char *const bad[] = { "***",   "a*", "*a", "**/a", "a/**/b", "a/b*",
                                       "a/***", "",   "a/", "**/",  "*/",     "a/*b/c" };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        CHECK(hx_pattern_is_valid(good[i]));
        CHECK(!hx_name_is_valid(good[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(!hx_pattern_is_valid(bad[i]));
    }
    CHECK(hx_pattern_is_valid("a23456789/123456789/123456789/123456789/12345/*"));
    CHECK(hx_pattern_is_valid("a23456789/123456789/123456789/123456789/1234/**"));
    CHECK(!hx_pattern_is_valid("a23456789/123456789/123456789/123456789/12345/**"));
}

// A string that ends where memory does not go on: the sanitizer sees each byte too many.
static void unended(void) {
    char bytes[HX_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i % 2 == 0 ? 'a' : '/';
    }
    CHECK(!hx_name_is_valid(bytes));
    bytes[46] = '*';
    CHECK(!hx_pattern_is_valid(bytes));
    bytes[47] = '*';
    CHECK(!hx_pattern_is_valid(bytes));
    bytes[47] = '\0';
    CHECK(hx_pattern_is_valid(bytes));
}

static void has(void) {
    static const struct {
        const char *pattern, *name;
        bool yes;
    } cases[] = {
        { "a", "a", true },          { "a", "b", false },        { "a", "aa", false },
        { "aa", "a", false },        { "a", "a/b", false },      { "a/b", "a", false },
        { "*", "a", true },          { "*", "a/b", false },      { "a/*", "a/b", true },
        { "a/*", "a", false },       { "a/*", "a/b/c", false },  { "a/*/c", "a/b/c", true },
        { "a/*/c", "a/b/d", false }, { "**", "a", true },        { "**", "a/b/c", true },
        { "a/**", "a", false },      { "a/**", "a/b", true },    { "a/**", "a/b/c", true },
        { "a/**", "ab/c", false },   { "*/b/**", "a/b", false }, { "*/b/**", "a/b/c/d", true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CHECK(hx_pattern_has(cases[i].pattern, cases[i].name) == cases[i].yes);
    }
}

static void within(void) {
    static const struct {
        const char *pattern, *scope;
        bool yes;
    } cases[] = {
        { "a/*", "a/**", true },    { "a/**", "a/*", false },    { "a/**", "a/**", true },
        { "**", "**", true },       { "**", "*", false },        { "*", "**", true },
        { "a/*", "a/*", true },     { "a/*", "a/b", false },     { "a/b", "a/*", true },
        { "a/**", "**", true },     { "**", "a/**", false },     { "a", "a/**", false },
        { "*/b", "*/*", true },     { "*/*", "*/b", false },     { "*/b", "a/b", false },
        { "a/*/**", "a/**", true }, { "a/**", "a/*/**", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CHECK(hx_pattern_within(cases[i].pattern, cases[i].scope) == cases[i].yes);
    }
}

int main(void) {
    names();
    patterns();
    unended();
    has();
    within();
    return check_result();
}
