// SPDX-License-Identifier: MIT OR Apache-2.0
// A user address where a pointer is wanted.
// PART: subsys/vfs/
// FAILS: passing 'struct uaddr' to parameter of incompatible type
#include <lib/string.h>
#include <memory/usercopy.h>

enum hx_status fetch(struct uaddr from, int *out_value);

enum hx_status fetch(struct uaddr from, int *out_value) {
#ifdef BREAK_RULE
    memcpy(out_value, from, sizeof(*out_value));
    return HX_OK;
#else
    return copy_from_user(out_value, from, sizeof(*out_value));
#endif
}
