// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/user.h: user memory as this folder's files see it.
#pragma once

#include "machine.h"
#include "sanitize.h"

#include <lib/string.h>

// A user address in the direct map for an access (HAL_ACCESS_…) inside one page; NULL: a fault.
// Valid until the next safe point.
uint8_t *user_translate(uint64_t address, uint32_t access, struct hal_fault *out_fault);

// Copies between a program's memory and the kernel's. What programs do to each other's memory is
// their own affair, so TSan sees the kernel's side only.
static inline void user_bytes_move(void *to, const void *from, size_t size_bytes) {
#if HOSTED_TSAN
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size_bytes) : : "memory");
#else
    memcpy(to, from, size_bytes);
#endif
}

#if HOSTED_TSAN
void __tsan_read_range(void *address, unsigned long size_bytes);
void __tsan_write_range(void *address, unsigned long size_bytes);
#endif

static inline void user_bytes_get(void *to, const void *user, size_t size_bytes) {
#if HOSTED_TSAN
    __tsan_write_range(to, size_bytes);
#endif
    user_bytes_move(to, user, size_bytes);
}

static inline void user_bytes_set(void *user, const void *from, size_t size_bytes) {
#if HOSTED_TSAN
    __tsan_read_range((void *)(uintptr_t)from, size_bytes);
#endif
    user_bytes_move(user, from, size_bytes);
}
