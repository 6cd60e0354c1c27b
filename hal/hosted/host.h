// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/host.h: what the machine needs of the host. host.c implements it with the host's libc,
// which no other file of the kernel includes; this header names none of the host's types.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Starts a host thread that runs entry(argument) and never ends. False: the host refuses.
bool host_thread_start(void (*entry)(void *), void *argument);

// Waits while *word == expected, at most until the moment of host_counter() (UINT64_MAX: for ever).
// May return early.
void host_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t until);
void host_wake(_Atomic uint32_t *word);
void host_yield(void);
void host_sleep_forever(void) __attribute__((noreturn));

uint64_t host_counter(void); // nanoseconds, monotonic
uint64_t host_seconds(void); // since 1970
bool host_random(uint64_t *out_value);

// Hands over what comes on standard input, as it comes, until its end; tried again while it is not
// taken. False: the host refuses.
bool host_input_start(bool (*take)(const uint8_t *bytes, size_t count));
void host_write(const char *text, size_t length); // to standard output
void host_exit(int status) __attribute__((noreturn));

// A range of addresses without memory, to be filled page by page; NULL: the host refuses.
void *host_reserve(size_t size_bytes);
// Shows a page of the machine's memory at an address of that range; takes it away again.
bool host_map(uint64_t address, uint64_t offset, bool write);
void host_unmap(uint64_t address);
// Readable and writable memory outside the machine, with a page without access below it.
void *host_stack_alloc(size_t size_bytes);
void host_stack_free(void *stack_low, size_t size_bytes);

// Calls `handler` when kernel code touches memory that it may not; not under sanitizers, which have
// their own. Each thread that runs kernel code calls the second one first.
void host_fault_handler(void (*handler)(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t address,
                                        bool write));
void host_fault_stack(void);
