// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/console.c: says each line that it reads again, until "bye"; then the machine ends.
#include "check.h"

#include <lib/string.h>
#include <linux/reboot.h>

#define LINE_BYTES 4096u

static int console_main(uint64_t stack) {
    static const char said[] = "said ";
    (void)stack;
    SAME(map_at(PAD, PAD_BYTES, PROT_READ | PROT_WRITE), PAD);
    hosted_write(PAD, said, sizeof(said) - 1);
    const uint64_t line = PAD + sizeof(said) - 1;
    int64_t length;
    while ((length = CALL(read, 0, line, LINE_BYTES)) > 0) {
        char bytes[4];
        const uint64_t count = (uint64_t)length + sizeof(said) - 1;
        SAME(CALL(write, 1, PAD, count), count);
        hosted_read(bytes, line, sizeof(bytes));
        if (length == 4 && memcmp(bytes, "bye\n", 4) == 0) {
            CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
        }
    }
    return 1;
}
HOSTED_PROGRAM(console, console_main);
