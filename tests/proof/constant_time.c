// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: memcheck
// constant_time.c: neither the code of a message nor the comparison of codes tells by its time what
// is in key, message or codes: they are memory that was never written, and memcheck refuses each
// branch and each address that depends on such. With an argument, one does.
#include <lib/hmac.h>

#include <stdlib.h>

#define MESSAGE_BYTES 100u

int main(int argc, char **argv) {
    (void)argv;
    uint8_t *key = malloc(HMAC_SHA256_BYTES), *message = malloc(MESSAGE_BYTES);
    uint8_t *claimed = malloc(HMAC_SHA256_BYTES), code[HMAC_SHA256_BYTES];
    hmac_sha256(key, HMAC_SHA256_BYTES, message, MESSAGE_BYTES, code);
    volatile bool is_equal = hmac_is_equal(code, claimed);
    if (argc > 1 && is_equal) { // what the proof could not see if it saw nothing
        return 1;
    }
    free(key);
    free(message);
    free(claimed);
    return 0;
}
