// SPDX-License-Identifier: MIT OR Apache-2.0
// <runtime/boot.h>: what the start of the kernel leaves for those who come last: the personality.
//
// A personality (interface/posix) is a module of phase HX_PHASE_PERSONALITY: it defines an
// HX_MODULE(), and its init, called after all other modules', reads this and starts the first
// program in a thread of its own. Everything here lives for good and is not changed any more.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>
#include <lib/cmdline.h>

struct kernel_boot {
    const struct boot_info *info;
    const struct cmdline *cmdline; // the parsed command line
    // The words that are not the kernel's: arguments and environment of the first program.
    const struct cmdline_init *init;
    const void *initrd; // mapped for reading; NULL if there is none
    size_t initrd_bytes;
    uint64_t entry_counter; // the counter as the kernel was entered
};

// What the kernel was started with. Valid from before the first module's init.
const struct kernel_boot *kernel_boot(void);

// The end: modules are stopped, then the machine powers off, starts again, or stands still. Thread
// context, nothing held.
NORETURN void kernel_power_off(void);
NORETURN void kernel_restart(void);
NORETURN void kernel_halt(void);

// Gives the memory of the initial archive back; its contents must not be used any more. Once.
void kernel_boot_release_initrd(void);
