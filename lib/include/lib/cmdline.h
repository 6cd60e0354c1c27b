// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/cmdline.h>: the kernel's command line, with the meaning that it has for Linux
// (Documentation/admin-guide/kernel-parameters.rst; lib/cmdline.c and init/main.c of Linux 6.1 for
// the details).
//
// Words are separated by white space outside double quotes. A word is `key` or `key=value`; quotes
// around the whole word or around its value are dropped. Behind a word `--` everything is for init.
// In keys, - and _ are the same. The parsed form keeps pointers into the caller's text, which it
// changes in place.
#pragma once

#include <helix/types.h>

#define CMDLINE_WORDS_MAX 256u
#define CMDLINE_INIT_MAX  32u // arguments, and environment strings, that init gets

struct cmdline_word {
    const char *text;  // `key` or `key=value`, without quotes, terminated
    const char *value; // behind the first =; NULL: a bare word
    size_t key_length;
};

struct cmdline {
    struct cmdline_word words[CMDLINE_WORDS_MAX];
    uint32_t word_count;   // the kernel's and init's
    uint32_t kernel_count; // the words before `--`
};

// What init gets. The strings belong to the text that was parsed; both arrays end with NULL.
struct cmdline_init {
    const char *arguments[CMDLINE_INIT_MAX + 1]; // without argument 0, which is init's own name
    uint32_t argument_count;
    const char *environment[CMDLINE_INIT_MAX + 1]; // starts with HOME=/ and TERM=linux
    uint32_t environment_count;
};

// Splits `text` (keeps and changes it). HX_ERR_TOO_BIG: more than CMDLINE_WORDS_MAX words; the
// first ones are then parsed all the same.
enum hx_status cmdline_parse(struct cmdline *cmdline, char *text);

// The value of the last word with that key; "" for a bare word; NULL if the key is not there.
const char *cmdline_get(const struct cmdline *cmdline, const char *key);

// The values of all words with that key in their order, "" for bare words; *cursor starts at 0.
// NULL at the end.
const char *cmdline_next(const struct cmdline *cmdline, const char *key, uint32_t *cursor);

// Sorts out what is for init: words that are not among the `known_count` known keys and have no dot
// in their key (Linux keeps those for modules). `key=value` goes into the environment, replacing a
// string of the same name; bare words and everything behind `--` are arguments. `init=` and
// `rdinit=` drop the arguments before them, as in Linux.
// HX_ERR_TOO_BIG: more than CMDLINE_INIT_MAX of either; the first ones are there all the same.
enum hx_status cmdline_init_words(const struct cmdline *cmdline, const char *const *known,
                                  size_t known_count, struct cmdline_init *out_init);
