// SPDX-License-Identifier: MIT OR Apache-2.0
// ksigaction.h, in place of musl's, which has the restorer of other machines in the middle: on
// riscv64 the kernel would take it for the mask.
#include <features.h>

struct k_sigaction {
    void (*handler)(int);
    unsigned long flags;
    unsigned mask[2];
    void (*restorer)(void); // set by musl; the kernel does not look at it
};

hidden void __restore(), __restore_rt();
