// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/usercopy.h>: the only instructions that touch user memory.
//
// Called by subsys/memory/usercopy.c alone, which checked the range against HAL_USER_END. SMAP is
// opened only inside. A fault asks hal_handlers.copy_fault; if that says no, the copy ends. Thread
// context, interrupts on, no spin lock held.
#pragma once

#include <helix/types.h>

// Return how many bytes were NOT copied (0: all).
size_t hal_copy_from_user(void *to, struct uaddr from, size_t size_bytes);
size_t hal_copy_to_user(struct uaddr to, const void *from, size_t size_bytes);
size_t hal_clear_user(struct uaddr to, size_t size_bytes);

// Copies up to and including a zero byte, at most `capacity` bytes. *out_length is the number of
// bytes before the zero, or `capacity` if there was none. False on a fault.
bool hal_copy_string_from_user(char *to, struct uaddr from, size_t capacity, size_t *out_length);

// 32-bit atomic operations on aligned user words, for futexes. False on a fault.
bool hal_user_load32(struct uaddr from, uint32_t *out_value);
bool hal_user_cas32(struct uaddr at, uint32_t expected, uint32_t desired, uint32_t *out_found);
