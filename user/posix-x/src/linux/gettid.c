// SPDX-License-Identifier: MIT OR Apache-2.0
// src/linux/gettid.c, in place of musl's: the number that musl has noted for the thread, if it was
// noted in this process. A child of vfork() or of a raw clone() has the notes of its parent, which
// musl's own gettid() takes for the child's.
#include "pthread_impl.h"

#include <unistd.h>

static volatile pid_t noted_in; // the process in which a note was found to be right; 0: none

pid_t gettid(void) {
    const pid_t pid = getpid();
    const pid_t noted = __pthread_self()->tid;
    if (pid == noted_in) {
        return noted;
    }
    // The first thread's note tells of all others: they have theirs from who made them.
    const pid_t tid = (pid_t)__syscall(SYS_gettid);
    if (tid == noted && tid == pid) {
        noted_in = pid;
    }
    return tid;
}
