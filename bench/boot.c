// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/boot.c: an init that reads the counter with its first instructions, prints it and ends the
// machine. Without a C library: nothing of it runs before.
#include "counter.h"

#define LINUX_REBOOT_MAGIC1        0xfee1dead
#define LINUX_REBOOT_MAGIC2        672274793
#define LINUX_REBOOT_CMD_POWER_OFF 0x4321fedc

#if defined(__x86_64__)
#define SYS_WRITE  1
#define SYS_EXIT   60
#define SYS_REBOOT 169
#define ENTRY      "and $-16, %rsp\n call report"

static long call(long number, long first, long second, long third) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}
#else
#define SYS_WRITE  64
#define SYS_EXIT   93
#define SYS_REBOOT 142

#if defined(__aarch64__)
#define ENTRY       "bl report"
#define CALL        "svc #0"
#define NUMBER      "x8"
#define ARGUMENT(n) "x" #n
#else
#define ENTRY                                                                                      \
    ".option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n call report"
#define CALL        "ecall"
#define NUMBER      "a7"
#define ARGUMENT(n) "a" #n
#endif

static long call(long number, long first, long second, long third) {
    register long which __asm__(NUMBER) = number;
    register long result __asm__(ARGUMENT(0)) = first;
    register long two __asm__(ARGUMENT(1)) = second;
    register long three __asm__(ARGUMENT(2)) = third;
    __asm__ volatile(CALL : "+r"(result) : "r"(which), "r"(two), "r"(three) : "memory");
    return result;
}
#endif

static char line[] = "bench: init                     \n";

__attribute__((noreturn, used)) static void report(void) {
    uint64_t counter = counter_now();
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

__asm__(".globl _start\n_start: " ENTRY);
