// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/online.c: says how many processors run, after a time in which a late one (--late)
// comes.
#include "check.h"

#include <lib/format.h>
#include <linux/reboot.h>

#define SPAN_SECONDS 2u

static int online_main(uint64_t stack) {
    const uint64_t span[2] = { SPAN_SECONDS, 0 };
    char line[32];
    (void)stack;
    SAME(map_at(PAD, PAD_BYTES, PROT_READ | PROT_WRITE), PAD);
    hosted_write(PAD, span, sizeof(span));
    SAME(CALL(nanosleep, PAD, 0), 0);
    SAME(CALL(sched_getaffinity, 0, 8, PAD), 8);
    (void)format_string(line, sizeof(line), "online: %d\n",
                        __builtin_popcountll(hosted_load(PAD, 8)));
    hosted_say(line);
    CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
    return 1;
}
HOSTED_PROGRAM(online, online_main);
