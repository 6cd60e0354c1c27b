// SPDX-License-Identifier: MIT OR Apache-2.0
// A physical address where a user address is wanted.
// PART: subsys/memory/
// FAILS: incompatible type 'struct uaddr'
#include <memory/usercopy.h>

enum hx_status wipe(struct uaddr user, struct paddr physical);

enum hx_status wipe(struct uaddr user, struct paddr physical) {
#ifdef BREAK_RULE
    (void)user;
    return clear_user(physical, PAGE_SIZE);
#else
    (void)physical;
    return clear_user(user, PAGE_SIZE);
#endif
}
