// SPDX-License-Identifier: MIT OR Apache-2.0
// Any text as a command line; every string that comes out lies in it.
#include "fuzz.h"

#include <lib/cmdline.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const known[] = { "console", "root", "init", "quiet" };
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    struct cmdline cmdline;
    enum hx_status status = cmdline_parse(&cmdline, text);
    FUZZ_ASSERT(status == HX_OK || cmdline.word_count == CMDLINE_WORDS_MAX);
    FUZZ_ASSERT(cmdline.kernel_count <= cmdline.word_count);
    for (uint32_t i = 0; i < cmdline.word_count; i++) {
        const struct cmdline_word *word = &cmdline.words[i];
        size_t length = strlen(word->text);
        FUZZ_ASSERT(word->text >= text && word->text + length <= text + size);
        FUZZ_ASSERT(word->key_length <= length);
        FUZZ_ASSERT(word->value == NULL || word->value == word->text + word->key_length + 1);
        FUZZ_ASSERT(word->value == NULL || word->text[word->key_length] == '=');
    }
    (void)cmdline_get(&cmdline, "console");
    struct cmdline_init init;
    status = cmdline_init_words(&cmdline, known, ARRAY_SIZE(known), &init);
    FUZZ_ASSERT(status == HX_OK || status == HX_ERR_TOO_BIG);
    FUZZ_ASSERT(init.arguments[init.argument_count] == NULL);
    FUZZ_ASSERT(init.environment[init.environment_count] == NULL);
    free(text);
    return 0;
}
