// SPDX-License-Identifier: MIT OR Apache-2.0
// src/misc/uname.c, in place of musl's: the vDSO's answer, if there is one.
#include "syscall.h"

#include <sys/utsname.h>

typedef int (*uname_function)(struct utsname *names);

static int find(struct utsname *names);

static volatile uname_function function = find; // as musl's clock_gettime() does it

static int call(struct utsname *names) {
    return (int)__syscall(SYS_uname, names);
}

static int find(struct utsname *names) {
    const uname_function found = (uname_function)__vdsosym("HELIX_1", "__helix_uname");
    function = found ? found : call;
    return function(names);
}

int uname(struct utsname *names) {
    return (int)__syscall_ret((unsigned long)(long)function(names));
}
