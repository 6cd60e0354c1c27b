// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/fdinfo.c: /proc/PID/fdinfo/N: a descriptor as proc(5) tells of it.
#include "procfs.h"

#include "../inspect.h"
#include "../pidfd.h"

// With a zero before it, as C has octal numbers.
static void put_octal(struct proc_text *text, uint32_t value) {
    uint32_t shift = 0;
    while (shift + 3 < 32 && value >> (shift + 3) != 0) {
        shift += 3;
    }
    text_put(text, "0");
    for (;; shift -= 3) {
        text_put(text, "%u", (unsigned)(value >> shift & 7));
        if (shift == 0) {
            return;
        }
    }
}

// The position is looked at without its lock, which a reader of /proc has for a file of its own.
static void put_common(struct file *file, bool close_on_exec, struct proc_text *text) {
    struct file_identity identity;
    file_identity(file, &identity);
    const uint64_t position = __atomic_load_n(&file->position, __ATOMIC_RELAXED);
    text_put(text, "pos:\t%llu\nflags:\t", (unsigned long long)position);
    put_octal(text, file_linux_flags(file) | (close_on_exec ? O_CLOEXEC : 0));
    text_put(text, "\nmnt_id:\t%u\nino:\t%llu\n", identity.mount_id,
             (unsigned long long)identity.info.node);
}

enum hx_status proc_fdinfo(const struct proc_target *target, struct proc_text *text) {
    struct capability *capability;
    bool close_on_exec;
    int32_t pid;
    const enum hx_status status = inspect_descriptor(target->process, INSPECT_FS_IDS, target->fd,
                                                     &capability, &close_on_exec);
    if (status != HX_OK) {
        return status == HX_ERR_NOT_PERMITTED ? HX_ERR_PERMISSION : HX_ERR_NOT_FOUND;
    }
    struct file *file = capability_file(capability);
    put_common(file, close_on_exec, text);
    if (pidfd_number(file, &pid)) {
        text_put(text, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
    }
    capability_put(capability);
    return HX_OK;
}
