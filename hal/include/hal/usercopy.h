// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/usercopy.h>: the only instructions that touch user memory.
//
// Called by subsys/memory/src/usercopy.c alone, which checked the range against HAL_USER_END. Where
// the processor can forbid the kernel user memory (SMAP, PAN), it is allowed only inside. All work
// on the page table that is active. A fault calls hal_handlers.copy_fault; if that says no, the
// copy ends. Thread context, interrupts on, no spin lock held. The copies order nothing and may
// read or write a byte more than once: who shares memory with a program copies once and then
// checks.
#pragma once

#include <helix/types.h>

// Copies from a program. Returns how many bytes were NOT copied (0: all); those at `to` are
// undefined.
size_t hal_copy_from_user(void *to, struct uaddr from, size_t size_bytes);
// Copies to a program. Returns how many bytes were NOT copied (0: all).
size_t hal_copy_to_user(struct uaddr to, const void *from, size_t size_bytes);
// Writes zeros to a program. Returns how many bytes were NOT written (0: all).
size_t hal_clear_user(struct uaddr to, size_t size_bytes);

// Copies up to and including a zero byte, at most `capacity` bytes, and reads no page behind the
// one that the zero byte is in. *out_length is the number of bytes before the zero, or `capacity`
// if there was none. False on a fault, or at HAL_USER_END.
bool hal_copy_string_from_user(char *to, struct uaddr from, size_t capacity, size_t *out_length);

// Loads a user word that is aligned to 4, in one access, relaxed: a lock orders it. False on a
// fault, and nothing is written.
bool hal_user_load32(struct uaddr from, uint32_t *out_value);
// If the word (aligned to 4) is `expected`, makes it `desired`; *out_found is what was there. One
// atomic access, sequentially consistent. False on a fault, and nothing is written.
bool hal_user_cas32(struct uaddr at, uint32_t expected, uint32_t desired, uint32_t *out_found);
