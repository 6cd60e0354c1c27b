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
    const bool same_user = uid == its->uid && uid == its->euid && uid == its->suid;
    const bool same_group = gid == its->gid && gid == its->egid && gid == its->sgid;
    const bool no_more = (its->permitted & ~capabilities) == 0;
    const bool allowed = (same_user && same_group && no_more && target->dumpable) ||
                         credentials_capable(mine, CAPABILITY_SYS_PTRACE);
    credentials_put(its);
    credentials_put(mine);
    return allowed;
}

bool inspect_begin(struct posix_process *target, enum inspect_ids ids) {
    mutex_lock(&target->exec_lock);
    if (inspect_allowed(target, ids)) {
        return true;
    }
    mutex_unlock(&target->exec_lock);
    return false;
}

void inspect_end(struct posix_process *target) {
    mutex_unlock(&target->exec_lock);
}

// Who shares the memory already may have it whatever else is so (mm_access() of Linux).
enum hx_status inspect_aspace(struct posix_process *target, enum inspect_ids ids,
                              struct aspace **out_aspace) {
    enum hx_status status = HX_ERR_NO_PROCESS;
    mutex_lock(&target->exec_lock);
    struct aspace *aspace = process_aspace(target->process);
    if (aspace != NULL) {
        const struct process *self = process_current();
        const bool shared = self != NULL && aspace == self->aspace;
        status = shared || inspect_allowed(target, ids) ? HX_OK : HX_ERR_NOT_PERMITTED;
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
        file_table_hold(table);
    }
    mutex_unlock(&native->lock);
    return table;
}

enum hx_status inspect_descriptor(struct posix_process *target, enum inspect_ids ids, int32_t fd,
                                  struct capability **out_capability, bool *out_close_on_exec) {
    enum hx_status status = HX_ERR_NO_PROCESS;
    if (!inspect_begin(target, ids)) {
        return HX_ERR_NOT_PERMITTED;
    }
    struct file_table *table = process_file_table(target);
    if (table != NULL) {
        status = file_table_find(table, fd, out_capability);
        *out_close_on_exec = false;
        HX_IGNORE(file_table_get_mark(table, fd, out_close_on_exec)); // closed: not marked
        file_table_drop(table);
    }
    inspect_end(target);
    return status;
}
