// SPDX-License-Identifier: MIT OR Apache-2.0
// <hosted/program.h>: what a linked program may do. It is a function of the kernel's process, but
// has the kernel's services only through hosted_call() and its memory only through hosted_load()
// and its relatives, which go through the software MMU: demand paging, copy-on-write and SIGSEGV
// are the kernel's own. Each of them may be interrupted, and signal handlers run in them; plain
// computing is not interrupted.
//
// Addresses are user addresses, as numbers. Host pointers are the program's locals: they live on a
// stack of their own, which fork() does not copy. Variables of a file are those of all processes.
#pragma once

#include <boot_arch/program.h>
#include <hal_arch/syscall_numbers.h>
#include <stddef.h>
#include <stdint.h>

// Call numbers by name: HOSTED_CALL_read, …
enum hosted_call_number {
#define X(name, number) HOSTED_CALL_##name = (number),
    HAL_SYSCALL_TABLE(X)
#undef X
};

// The result as Linux has it: below 0, a negated errno.
int64_t hosted_call(uint64_t number, const uint64_t arguments[6]);

// clone(2) with its arguments in this machine's order: flags, stack, parent_tid, tls, child_tid.
// The child begins with function(argument) on a host stack of its own; what the function returns is
// its exit status.
int64_t hosted_clone(int (*function)(uint64_t argument), uint64_t argument,
                     const uint64_t arguments[5]);

void hosted_read(void *to, uint64_t from, size_t size_bytes);
void hosted_write(uint64_t to, const void *from, size_t size_bytes);
// Atomic, of 1, 2, 4 or 8 bytes, aligned.
uint64_t hosted_load(uint64_t from, size_t size_bytes);
void hosted_store(uint64_t to, uint64_t value, size_t size_bytes);
uint32_t hosted_swap32(uint64_t at, uint32_t expected, uint32_t desired); // gives what it found
void hosted_pause(void); // inside a loop that waits for others

// The user address of a signal handler: it gets the number, the address of siginfo and that of the
// context (0 without SA_SIGINFO). At most CODE_FUNCTIONS functions have one.
uint64_t hosted_address(void (*handler)(uint64_t number, uint64_t info, uint64_t context));

void hosted_say(const char *text); // to the machine's console, past the kernel
