// SPDX-License-Identifier: MIT OR Apache-2.0
// cmdline.c: splits as next_arg() of Linux 6.1's lib/cmdline.c does, and sorts as
// unknown_bootoption() and set_init_arg() of its init/main.c do.
#include <lib/cmdline.h>
#include <lib/string.h>

static bool is_space(char character) {
    return character == ' ' || (character >= '\t' && character <= '\r');
}

// Takes the quotes off a word of `length` characters and finds its value. Quotes inside stay.
static struct cmdline_word make_word(char *text, size_t length, size_t equals, bool quoted) {
    if (quoted && length != 0 && text[length - 1] == '"') {
        length--;
    }
    text[length] = '\0';
    struct cmdline_word word = { .text = text, .key_length = length };
    if (equals == 0 || equals >= length) {
        return word;
    }
    char *value = text + equals + 1;
    if (*value == '"') {
        // The closing quote goes too, and the rest moves up, so that `text` is `key=value`.
        size_t rest = length - equals - 2;
        memmove(value, value + 1, rest + 1);
        if (rest != 0 && value[rest - 1] == '"') {
            value[rest - 1] = '\0';
        }
    }
    word.key_length = equals;
    word.value = value;
    return word;
}

// Takes the next word off *text; false if only white space is left.
static bool next_word(char **text, struct cmdline_word *out_word) {
    char *start = *text;
    while (is_space(*start)) {
        start++;
    }
    if (*start == '\0') {
        *text = start;
        return false;
    }
    bool quoted = *start == '"';
    bool in_quotes = quoted;
    if (quoted) {
        start++;
    }
    size_t equals = 0; // a word that begins with = has no key; this first one does not count
    size_t length = 0;
    for (; start[length] != '\0' && (in_quotes || !is_space(start[length])); length++) {
        if (equals == 0 && start[length] == '=') {
            equals = length;
        }
        if (start[length] == '"') {
            in_quotes = !in_quotes;
        }
    }
    *text = start + length + (start[length] != '\0' ? 1 : 0);
    *out_word = make_word(start, length, equals, quoted);
    return true;
}

enum hx_status cmdline_parse(struct cmdline *cmdline, char *text) {
    cmdline->word_count = 0;
    bool behind = false; // the `--`
    uint32_t kernel_count = 0;
    struct cmdline_word word;
    enum hx_status status = HX_OK;
    while (next_word(&text, &word)) {
        if (!behind && word.value == NULL && strcmp(word.text, "--") == 0) {
            behind = true;
            continue;
        }
        if (cmdline->word_count == CMDLINE_WORDS_MAX) {
            status = HX_ERR_TOO_BIG;
            break;
        }
        cmdline->words[cmdline->word_count++] = word;
        kernel_count += behind ? 0 : 1;
    }
    cmdline->kernel_count = kernel_count;
    return status;
}

static char key_character(char character) {
    return (char)(character == '-' ? '_' : character);
}

static bool key_equals(const struct cmdline_word *word, const char *key) {
    for (size_t i = 0; i < word->key_length; i++) {
        if (key_character(word->text[i]) != key_character(key[i]) || key[i] == '\0') {
            return false;
        }
    }
    return key[word->key_length] == '\0';
}

const char *cmdline_next(const struct cmdline *cmdline, const char *key, uint32_t *cursor) {
    while (*cursor < cmdline->kernel_count) {
        const struct cmdline_word *word = &cmdline->words[(*cursor)++];
        if (key_equals(word, key)) {
            return word->value != NULL ? word->value : "";
        }
    }
    return NULL;
}

const char *cmdline_get(const struct cmdline *cmdline, const char *key) {
    const char *last = NULL;
    uint32_t cursor = 0;
    for (;;) {
        const char *value = cmdline_next(cmdline, key, &cursor);
        if (value == NULL) {
            return last;
        }
        last = value;
    }
}

static bool is_known(const struct cmdline_word *word, const char *const *known,
                     size_t known_count) {
    for (size_t i = 0; i < known_count; i++) {
        if (key_equals(word, known[i])) {
            return true;
        }
    }
    return false;
}

static enum hx_status add_argument(struct cmdline_init *init, const char *text) {
    if (init->argument_count == CMDLINE_INIT_MAX) {
        return HX_ERR_TOO_BIG;
    }
    init->arguments[init->argument_count++] = text;
    init->arguments[init->argument_count] = NULL;
    return HX_OK;
}

static enum hx_status add_environment(struct cmdline_init *init, const struct cmdline_word *word) {
    uint32_t i = 0;
    // With the = compared too, TERMINAL= does not replace TERM=.
    while (i < init->environment_count &&
           strncmp(init->environment[i], word->text, word->key_length + 1) != 0) {
        i++;
    }
    if (i == CMDLINE_INIT_MAX) {
        return HX_ERR_TOO_BIG;
    }
    init->environment[i] = word->text;
    if (i == init->environment_count) {
        init->environment_count++;
        init->environment[init->environment_count] = NULL;
    }
    return HX_OK;
}

enum hx_status cmdline_init_words(const struct cmdline *cmdline, const char *const *known,
                                  size_t known_count, struct cmdline_init *out_init) {
    out_init->arguments[0] = NULL;
    out_init->argument_count = 0;
    out_init->environment[0] = "HOME=/";
    out_init->environment[1] = "TERM=linux";
    out_init->environment[2] = NULL;
    out_init->environment_count = 2;
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; i < cmdline->word_count; i++) {
        const struct cmdline_word *word = &cmdline->words[i];
        enum hx_status added = HX_OK;
        if (i >= cmdline->kernel_count) {
            added = add_argument(out_init, word->text);
        } else if (word->value != NULL &&
                   (key_equals(word, "init") || key_equals(word, "rdinit"))) {
            // A boot loader may have put words of its own before what its user wrote.
            out_init->argument_count = 0;
            out_init->arguments[0] = NULL;
        } else if (!is_known(word, known, known_count) &&
                   memchr(word->text, '.', word->key_length) == NULL) {
            added = word->value != NULL ? add_environment(out_init, word)
                                        : add_argument(out_init, word->text);
        }
        status = added != HX_OK ? added : status;
    }
    return status;
}
