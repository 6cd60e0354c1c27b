// SPDX-License-Identifier: MIT OR Apache-2.0
// <boot_arch/settings.h>: what the process's command line makes of the hosted machine. Filled by
// boot before anything else runs; hal reads it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hosted_settings {
    uint32_t processors;
    void *memory; // the machine's, mapped once: its direct map
    uint64_t memory_bytes;
    int memory_file;      // the same memory, for other mappings of its pages
    uint32_t disk_faults; // one of so many requests of the disk goes wrong; 0: none
    uint32_t late;        // the processor that comes when nobody waits for it any more; 0: none
    // Of a simulation:
    uint64_t seed;
    const char *trace_name; // a file for each of its decisions; NULL: none
};

extern struct hosted_settings hosted_settings;

// Runs entry(NULL) as the first host thread (hal/hosted), on that stack.
void host_run(void (*entry)(void *), void *stack_low, size_t stack_bytes) __attribute__((noreturn));
