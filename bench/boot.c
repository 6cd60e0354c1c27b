// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/boot.c: an init that reads the counter with its first instruction, prints it and ends the
// machine. Without a C library: nothing of it runs before.
#include <stdint.h>

#define LINUX_REBOOT_MAGIC1        0xfee1dead
#define LINUX_REBOOT_MAGIC2        672274793
#define LINUX_REBOOT_CMD_POWER_OFF 0x4321fedc
#define SYS_WRITE                  1
#define SYS_EXIT                   60
#define SYS_REBOOT                 169

static char line[] = "bench: init                     \n";

static long call(long number, long first, long second, long third) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((noreturn, used)) static void report(uint64_t counter) {
    char *digit = line + sizeof line - 3;
    do {
        *digit-- = (char)('0' + counter % 10);
        counter /= 10;
    } while (counter != 0);
    call(SYS_WRITE, 1, (long)line, sizeof line - 1);
    call(SYS_REBOOT, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF);
    call(SYS_EXIT, 0, 0, 0);
    __builtin_unreachable();
}

__attribute__((naked, noreturn)) void _start(void);
__attribute__((naked, noreturn)) void _start(void) {
    __asm__ volatile("rdtsc\n"
                     "shl $32, %rdx\n"
                     "or %rdx, %rax\n"
                     "mov %rax, %rdi\n"
                     "and $-16, %rsp\n"
                     "call report\n");
}
