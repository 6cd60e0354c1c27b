// SPDX-License-Identifier: MIT OR Apache-2.0
// Command lines: what Linux makes of them.
#include "check.h"

#include <lib/cmdline.h>

#include <stdlib.h>
#include <string.h>

static struct cmdline cmdline;
static char *text; // of exactly the line's size

static enum hx_status parse(const char *line) {
    free(text);
    text = malloc(strlen(line) + 1);
    memcpy(text, line, strlen(line) + 1);
    return cmdline_parse(&cmdline, text);
}

static bool value_is(const char *key, const char *value) {
    const char *found = cmdline_get(&cmdline, key);
    return value == NULL ? found == NULL : found != NULL && strcmp(found, value) == 0;
}

static void test_words(void) {
    CHECK(parse("") == HX_OK && cmdline.word_count == 0);
    CHECK(parse(" \t\n ") == HX_OK && cmdline.word_count == 0);
    CHECK(parse("quiet  root=/dev/vda\tro") == HX_OK && cmdline.word_count == 3);
    CHECK(value_is("quiet", "") && value_is("root", "/dev/vda") && value_is("ro", ""));
    CHECK(value_is("rootfstype", NULL) && value_is("roo", NULL) && value_is("", NULL));
    CHECK(parse("a=1 a=2 a") == HX_OK && value_is("a", "")); // the last one wins
    CHECK(parse("a=b=c empty= =x") == HX_OK && value_is("a", "b=c") && value_is("empty", ""));
    CHECK(value_is("=x", "")); // no key: a bare word
    CHECK(parse("foo-bar=1 a_b") == HX_OK && value_is("foo_bar", "1") && value_is("a-b", ""));
    uint32_t cursor = 0;
    CHECK(parse("console=tty0 x console=ttyS0,115200 console") == HX_OK);
    CHECK(strcmp(cmdline_next(&cmdline, "console", &cursor), "tty0") == 0);
    CHECK(strcmp(cmdline_next(&cmdline, "console", &cursor), "ttyS0,115200") == 0);
    CHECK(strcmp(cmdline_next(&cmdline, "console", &cursor), "") == 0);
    CHECK(cmdline_next(&cmdline, "console", &cursor) == NULL);
}

static void test_quotes(void) {
    CHECK(parse("a=\"x y\" b") == HX_OK && value_is("a", "x y") && value_is("b", ""));
    CHECK(strcmp(cmdline.words[0].text, "a=x y") == 0);
    CHECK(parse("\"a=x y\" b") == HX_OK && value_is("a", "x y") && cmdline.word_count == 2);
    CHECK(parse("\"two words\"") == HX_OK && value_is("two words", ""));
    CHECK(parse("a=\"\" b") == HX_OK && value_is("a", "") && value_is("b", ""));
    CHECK(parse("a=x\" \"y") == HX_OK && value_is("a", "x\" \"y"));
    CHECK(parse("a=\"open end") == HX_OK && value_is("a", "open end"));
    CHECK(parse("\"") == HX_OK && cmdline.word_count == 1 && cmdline.words[0].text[0] == 0);
    CHECK(parse("a=\"") == HX_OK && value_is("a", ""));
    CHECK(parse("\"\" x") == HX_OK && cmdline.word_count == 2 && value_is("x", ""));
    CHECK(parse("\"a=\"") == HX_OK && cmdline.word_count == 1);
}

static bool is_list(const char *const *list, uint32_t count, const char *expected) {
    char joined[256] = "";
    uint32_t i = 0;
    for (; list[i] != NULL; i++) {
        strcat(strcat(joined, i != 0 ? "|" : ""), list[i]);
    }
    return i == count && strcmp(joined, expected) == 0;
}

// Whether the line gives init these arguments and, after HOME and TERM, this environment.
static bool init_gets(const char *line, const char *arguments, const char *environment) {
    static const char *const known[] = { "console", "root", "quiet", "init", "rdinit" };
    struct cmdline_init init;
    if (parse(line) != HX_OK ||
        cmdline_init_words(&cmdline, known, ARRAY_SIZE(known), &init) != HX_OK) {
        return false;
    }
    char all[256];
    snprintf(all, sizeof(all), "HOME=/|TERM=linux%s%s", environment[0] ? "|" : "", environment);
    return is_list(init.arguments, init.argument_count, arguments) &&
           is_list(init.environment, init.environment_count, all);
}

static void test_init(void) {
    CHECK(init_gets("console=ttyS0 quiet", "", ""));
    CHECK(init_gets("single quiet FOO=bar 5", "single|5", "FOO=bar"));
    CHECK(init_gets("FOO=bar FOO=baz FO=1", "", "FOO=baz|FO=1"));
    CHECK(init_gets("usbcore.nousb nvme.x=1 a.b", "", "")); // for modules
    CHECK(init_gets("a=b.c", "", "a=b.c"));
    CHECK(init_gets("x -- -c \"echo hi\" A=1 quiet", "x|-c|echo hi|A=1|quiet", ""));
    CHECK(init_gets("-- a -- b", "a|--|b", ""));
    CHECK(init_gets("auto X=1 init=/bin/sh late", "late", "X=1"));
    CHECK(init_gets("auto rdinit=/init", "", ""));
    CHECK(init_gets("V=\"a b\"", "", "V=a b"));
    CHECK(init_gets("--=x", "", "--=x"));
    struct cmdline_init init;
    CHECK(parse("TERM=vt100 HOME=/root HOMER=1") == HX_OK);
    CHECK(cmdline_init_words(&cmdline, NULL, 0, &init) == HX_OK);
    CHECK(is_list(init.environment, init.environment_count, "HOME=/root|TERM=vt100|HOMER=1"));
    CHECK(parse("root=/dev/vda -- root=x") == HX_OK && value_is("root", "/dev/vda"));
}

static void test_limits(void) {
    char line[4096] = "";
    for (unsigned i = 0; i < CMDLINE_WORDS_MAX; i++) {
        strcat(line, "a ");
    }
    CHECK(parse(line) == HX_OK && cmdline.word_count == CMDLINE_WORDS_MAX);
    struct cmdline_init init;
    CHECK(cmdline_init_words(&cmdline, NULL, 0, &init) == HX_ERR_TOO_BIG);
    CHECK(init.argument_count == CMDLINE_INIT_MAX && init.arguments[CMDLINE_INIT_MAX] == NULL);
    strcat(line, "b");
    CHECK(parse(line) == HX_ERR_TOO_BIG && cmdline.word_count == CMDLINE_WORDS_MAX);
    line[0] = 0;
    for (unsigned i = 0; i < CMDLINE_INIT_MAX; i++) {
        snprintf(line + strlen(line), sizeof(line) - strlen(line), "v%u=1 ", i);
    }
    CHECK(parse(line) == HX_OK);
    CHECK(cmdline_init_words(&cmdline, NULL, 0, &init) == HX_ERR_TOO_BIG);
    CHECK(init.environment_count == CMDLINE_INIT_MAX && init.environment[CMDLINE_INIT_MAX] == NULL);
}

int main(void) {
    test_words();
    test_quotes();
    test_init();
    test_limits();
    free(text);
    return check_result();
}
