// SPDX-License-Identifier: MIT OR Apache-2.0
// usercopy.c: the one file that opens struct uaddr for access: range first, then the copy.
#include "internal.h"

#include <core/thread.h>
#include <hal/usercopy.h>
#include <memory/usercopy.h>

// A copy may fault and sleep.
static void check_context(void) {
    ASSERT(thread_current()->preempt_off == 0 && hal_irq_is_on());
}

static bool in_user_half(struct uaddr address, size_t size_bytes) {
    return address.value <= HAL_USER_END && size_bytes <= HAL_USER_END - address.value;
}

// How much of a range lies in the user half.
static size_t clip(struct uaddr address, size_t size_bytes) {
    if (address.value >= HAL_USER_END) {
        return 0;
    }
    return MIN_OF(size_bytes, HAL_USER_END - address.value);
}

enum hx_status copy_from_user(void *to, struct uaddr from, size_t size_bytes) {
    check_context();
    if (!in_user_half(from, size_bytes)) {
        return HX_ERR_BAD_ADDRESS;
    }
    return hal_copy_from_user(to, from, size_bytes) == 0 ? HX_OK : HX_ERR_BAD_ADDRESS;
}

enum hx_status copy_to_user(struct uaddr to, const void *from, size_t size_bytes) {
    check_context();
    if (!in_user_half(to, size_bytes)) {
        return HX_ERR_BAD_ADDRESS;
    }
    return hal_copy_to_user(to, from, size_bytes) == 0 ? HX_OK : HX_ERR_BAD_ADDRESS;
}

enum hx_status clear_user(struct uaddr to, size_t size_bytes) {
    check_context();
    if (!in_user_half(to, size_bytes)) {
        return HX_ERR_BAD_ADDRESS;
    }
    return hal_clear_user(to, size_bytes) == 0 ? HX_OK : HX_ERR_BAD_ADDRESS;
}

size_t copy_from_user_partial(void *to, struct uaddr from, size_t size_bytes) {
    check_context();
    size_t length = clip(from, size_bytes);
    return length - hal_copy_from_user(to, from, length);
}

size_t copy_to_user_partial(struct uaddr to, const void *from, size_t size_bytes) {
    check_context();
    size_t length = clip(to, size_bytes);
    return length - hal_copy_to_user(to, from, length);
}

enum hx_status copy_string_from_user(char *to, struct uaddr from, size_t capacity,
                                     size_t *out_length) {
    check_context();
    size_t length = clip(from, capacity);
    size_t got;
    if (length == 0) {
        return capacity == 0 ? HX_ERR_NAME_TOO_LONG : HX_ERR_BAD_ADDRESS;
    }
    if (!hal_copy_string_from_user(to, from, length, &got)) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (got == length) {
        return length < capacity ? HX_ERR_BAD_ADDRESS : HX_ERR_NAME_TOO_LONG;
    }
    *out_length = got;
    return HX_OK;
}

enum hx_status user_load32(struct uaddr from, uint32_t *out_value) {
    check_context();
    if (!in_user_half(from, sizeof *out_value) || (from.value & 3) != 0) {
        return HX_ERR_BAD_ADDRESS;
    }
    return hal_user_load32(from, out_value) ? HX_OK : HX_ERR_BAD_ADDRESS;
}

enum hx_status user_cas32(struct uaddr at, uint32_t expected, uint32_t desired,
                          uint32_t *out_found) {
    check_context();
    if (!in_user_half(at, sizeof desired) || (at.value & 3) != 0) {
        return HX_ERR_BAD_ADDRESS;
    }
    return hal_user_cas32(at, expected, desired, out_found) ? HX_OK : HX_ERR_BAD_ADDRESS;
}
