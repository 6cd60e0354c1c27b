// SPDX-License-Identifier: MIT OR Apache-2.0
// A pointer where a user address is wanted.
// PART: interface/posix/
// FAILS: incompatible type 'struct uaddr'
#include <memory/usercopy.h>

enum hx_status store(struct uaddr to, int *place);

enum hx_status store(struct uaddr to, int *place) {
    int value = 1;
#ifdef BREAK_RULE
    (void)to;
    return copy_to_user(place, &value, sizeof(value));
#else
    *place = value;
    return copy_to_user(to, &value, sizeof(value));
#endif
}
