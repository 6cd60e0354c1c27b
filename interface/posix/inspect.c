// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/inspect.c: who may look into another process, and what it finds there.
#include "inspect.h"

#include "descriptor.h"

#include <memory/aspace.h>

#define CAPABILITY_SYS_PTRACE 19u

bool inspect_allowed(struct posix_process *target, enum inspect_ids ids) {
    struct posix_process *self = posix_current();
    if (self == NULL || self == target) {
        return true;
    }
    struct credentials *mine = posix_credentials(self);
    struct credentials *its = posix_credentials(target);
    const bool real = ids == INSPECT_REAL_IDS;
    const uint32_t uid = real ? mine->uid : mine->fsuid;
    const uint32_t gid = real ? mine->gid : mine->fsgid;
    const uint64_t capabilities = real ? mine->permitted : mine->effective;
    const bool same = uid == its->uid && uid == its->euid && uid == its->suid && gid == its->gid &&
                      gid == its->egid && gid == its->sgid;
    const bool allowed = (same && target->dumpable && (its->permitted & ~capabilities) == 0) ||
                         credentials_capable(mine, CAPABILITY_SYS_PTRACE);
    credentials_put(its);
    credentials_put(mine);
    return allowed;
}

// Who shares the memory already may have it whatever else is so (mm_access() of Linux).
enum hx_status inspect_aspace(struct posix_process *target, struct aspace **out_aspace) {
    enum hx_status status = HX_ERR_NO_PROCESS;
    mutex_lock(&target->exec_lock);
    struct aspace *aspace = process_aspace(target->process);
    if (aspace != NULL) {
        const bool shared = aspace == posix_current()->process->aspace;
        status = shared || inspect_allowed(target, INSPECT_REAL_IDS) ? HX_OK : HX_ERR_NOT_PERMITTED;
    }
    mutex_unlock(&target->exec_lock);
    if (status == HX_OK) {
        *out_aspace = aspace;
    } else if (aspace != NULL) {
        aspace_put(aspace);
    }
    return status;
}

struct file_table *process_file_table(const struct posix_process *process) {
    struct process *native = process->process;
    mutex_lock(&native->lock);
    struct file_table *table = process->files;
    if (table != NULL) {
        file_table_get(table);
    }
    mutex_unlock(&native->lock);
    return table;
}

static enum hx_status find(struct posix_process *target, int32_t fd,
                           struct capability **out_capability) {
    struct file_table *table = process_file_table(target);
    if (table == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    enum hx_status status = file_table_find(table, fd, out_capability);
    file_table_put(table);
    if (status == HX_OK && (capability_rights(*out_capability) & HX_RIGHT_DELEGATE) == 0) {
        status = capability_refusal(*out_capability);
        capability_put(*out_capability);
    }
    return status;
}

enum hx_status inspect_descriptor(struct posix_process *target, int32_t fd,
                                  struct capability **out_capability) {
    mutex_lock(&target->exec_lock);
    const enum hx_status status = inspect_allowed(target, INSPECT_REAL_IDS)
                                      ? find(target, fd, out_capability)
                                      : HX_ERR_NOT_PERMITTED;
    mutex_unlock(&target->exec_lock);
    return status;
}
