// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/tokens.c: says a token for its own event and what that is worth, then what each
// token is worth that it reads; at an empty line the machine ends. So one start's tokens can be
// brought to another one.
#include "check.h"

#include <lib/string.h>
#include <linux/reboot.h>

#define DIGITS   (2 * HX_TOKEN_BYTES)
#define TOKEN_AT (PAD + 0x1000)
#define LINE_AT  (PAD + 0x2000)

static const char hex[] = "0123456789abcdef";

static void say_token(void) {
    char line[6 + DIGITS + 1] = "token ";
    uint8_t bytes[HX_TOKEN_BYTES];
    hosted_read(bytes, TOKEN_AT, sizeof(bytes));
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        line[6 + 2 * i] = hex[bytes[i] >> 4];
        line[7 + 2 * i] = hex[bytes[i] & 15];
    }
    line[6 + DIGITS] = '\n';
    hosted_write(LINE_AT, line, sizeof(line));
    SAME(CALL(write, 1, LINE_AT, sizeof(line)), sizeof(line));
}

static void read_token(const char line[DIGITS]) {
    uint8_t bytes[HX_TOKEN_BYTES] = { 0 };
    for (uint32_t i = 0; i < DIGITS; i++) {
        const char *digit = strchr(hex, line[i]);
        NEED(digit != NULL);
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (digit - hex));
    }
    hosted_write(TOKEN_AT, bytes, sizeof(bytes));
}

static void say_worth(void) {
    const int64_t result = NATIVE(handle_redeem, TOKEN_AT);
    const char *text = result > 0                       ? "worth a handle\n"
                       : result == HX_ERR_ACCESS_DENIED ? "worth nothing\n"
                                                        : "worth an odd status\n";
    SAME(CALL(write, 1, text_at(LINE_AT, text), strlen(text)), strlen(text));
}

static int tokens_main(uint64_t stack) {
    char line[DIGITS + 1];
    (void)stack;
    SAME(map_at(PAD, PAD_BYTES, PROT_READ | PROT_WRITE), PAD);
    const int64_t event = NATIVE(event_create, 0);
    const int64_t derived = NATIVE(handle_derive, (uint64_t)event, HX_RIGHTS_ALL);
    NEED(event > 0 && derived > 0);
    SAME(NATIVE(handle_seal, (uint64_t)derived, HX_RIGHTS_ALL, (uint64_t)TIME_NEVER, TOKEN_AT),
         HX_OK);
    say_token();
    say_worth();
    while (CALL(read, 0, LINE_AT, 4096) == sizeof(line)) {
        hosted_read(line, LINE_AT, sizeof(line));
        read_token(line);
        say_worth();
    }
    CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
    return 1;
}
HOSTED_PROGRAM(tokens, tokens_main);
