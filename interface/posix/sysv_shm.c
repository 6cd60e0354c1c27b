// SPDX-License-Identifier: MIT OR Apache-2.0
// sysv_shm.c: System V shared memory: shmget(2), shmop(2), shmctl(2).
//
// A segment is a memory object with an id. Each shmat(2) makes a file on it, which the mapping
// keeps, and what becomes of the mapping by fork, munmap, mprotect, exec and exit: so the segment
// is told of each mapping that comes or goes, and the file with the last of them ends. A segment
// that was removed lasts as long as it is attached.
// Lock: the table's guards everything that changes in a segment.
#include "descriptor.h"
#include "life.h"
#include "sysv.h"

#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15

#define SHM_HUGETLB    04000u
#define SHM_HUGE_SHIFT 26u

#define SHM_RDONLY 010000u
#define SHM_RND    020000u
#define SHM_REMAP  040000u
#define SHM_EXEC   0100000u

#define SHM_DEST   01000u // in a mode: it goes when nobody has it attached
#define SHM_LOCKED 02000u

#define CAPABILITY_IPC_LOCK 14u

struct linux_shmid {
    struct linux_ipc_perm perm;
    uint64_t size_bytes;
    int64_t attached_at, detached_at, changed_at;
    int32_t creator, last;
    uint64_t attached;
    uint64_t unused[2];
};
_Static_assert(sizeof(struct linux_shmid) == 112, "struct shmid64_ds of 64-bit machines");

struct linux_shm_limits {
    uint64_t size_max, size_min, segments_max, segments_of_one, pages_max;
    uint64_t unused[4];
};

struct linux_shm_usage {
    int32_t segments;
    uint64_t pages, resident_pages, swapped_pages, swap_attempts, swap_successes;
};

struct shm_segment {
    struct ipc_entry entry;
    struct memory_object *memory; // keeps
    uint64_t size_bytes;
    int32_t name;                     // the key that it was made with
    int32_t creator, last;            // [table lock] last: who attached or detached it
    uint64_t attached;                // [table lock] mappings
    uint64_t attaching;               // [table lock] calls that are about to make one
    int64_t attached_at, detached_at; // [table lock]
};

// Mappings come and go under the locks of memory.
static const struct lock_class shm_class = { .name = "shared memory segments",
                                             .rank = LOCK_RANK_SIGNAL - 5 };
static struct ipc_table segments = IPC_TABLE(&shm_class, SHM_SEGMENTS_MAX);

static struct shm_segment *segment_of(const struct ipc_entry *entry) {
    return CONTAINER_OF(entry, struct shm_segment, entry);
}

// Segments ---------------------------------------------------------------------------------------

static void segment_destroy(struct object *object) {
    struct shm_segment *segment = CONTAINER_OF(object, struct shm_segment, entry.object);
    memory_object_put(segment->memory);
    ipc_entry_fini(&segment->entry);
    heap_free(segment);
}

static const struct object_type segment_type = { .kind = OBJECT_IPC,
                                                 .name = "shared memory segment",
                                                 .destroy = segment_destroy };

// There are no huge pages: what Linux says where the pool is empty. Its 21 and 0 are the size of
// all machines.
static enum hx_status refuse_huge(uint32_t flags) {
    const uint32_t size_log = flags >> SHM_HUGE_SHIFT;
    if (size_log != 0 && size_log != 21) {
        return HX_ERR_INVALID;
    }
    return posix_capable(CAPABILITY_IPC_LOCK) ? HX_ERR_NO_MEMORY : HX_ERR_NOT_PERMITTED;
}

static enum hx_status segment_create(int32_t key, uint32_t flags, uint64_t size,
                                     struct ipc_entry **out_entry) {
    if (size == 0 || size > SHM_SIZE_MAX) {
        return HX_ERR_INVALID;
    }
    if ((flags & SHM_HUGETLB) != 0) {
        return refuse_huge(flags);
    }
    struct shm_segment *segment =
        size <= HAL_USER_END ? heap_alloc_zero(sizeof(*segment), MEMORY_SLEEP) : NULL;
    if (segment == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    segment->memory = memory_object_create_plain(account_current(), size);
    if (segment->memory == NULL) {
        goto fail_memory;
    }
    if (ipc_entry_init(&segment->entry, &segment_type, key, flags, 0) != HX_OK) {
        goto fail_entry;
    }
    segment->size_bytes = size;
    segment->name = key;
    segment->creator = ipc_caller();
    *out_entry = &segment->entry;
    return HX_OK;
fail_entry:
    memory_object_put(segment->memory);
fail_memory:
    heap_free(segment);
    return HX_ERR_NO_MEMORY;
}

static bool segment_fits(const struct ipc_entry *entry, uint64_t size) {
    return segment_of(entry)->size_bytes >= size;
}

enum hx_status sys_shmget(struct call *call) {
    static const struct ipc_maker maker = { .create = segment_create, .fits = segment_fits };
    return ipc_get(call, &segments, call_uint(call, 2), call->args[1], &maker);
}

// True: the table has let go of it, and the caller drops that reference.
static bool end_if_unused_locked(struct shm_segment *segment) {
    return (segment->entry.mode & SHM_DEST) != 0 && segment->attached == 0 &&
           segment->attaching == 0 && ipc_remove_locked(&segments, &segment->entry);
}

// Attaching --------------------------------------------------------------------------------------

// A mapping of the file came, or went.
static void shm_mapped(struct file *file, bool is_there) {
    struct shm_segment *segment = file->data;
    const int64_t now = ipc_now();
    const int32_t caller = ipc_caller();
    spin_lock(&segments.lock);
    if (is_there) {
        segment->attached++;
        segment->attached_at = now;
    } else {
        segment->attached--;
        segment->detached_at = now;
    }
    segment->last = caller;
    const bool ends = end_if_unused_locked(segment);
    spin_unlock(&segments.lock);
    if (ends) {
        ipc_put(&segment->entry); // not the last one: the file has one
    }
}

static enum hx_status shm_sync(struct file *file) {
    (void)file;
    return HX_OK;
}

static void shm_release(struct file *file) {
    struct shm_segment *segment = file->data;
    ipc_put(&segment->entry);
}

static const struct file_ops shm_ops = {
    .name = "shm",
    .mapped = shm_mapped,
    .sync = shm_sync,
    .release = shm_release,
};

bool shm_mapping_name(const struct file *file, char name[SHM_NAME_BYTES]) {
    if (file->ops != &shm_ops) {
        return false;
    }
    const struct shm_segment *segment = file->data;
    format_string(name, SHM_NAME_BYTES, "/SYSV%08x (deleted)", (unsigned)segment->name);
    return true;
}

// Where to, and how. HX_ERR_INVALID
static enum hx_status choose_place(uint64_t address, uint32_t flags,
                                   struct aspace_map_request *request) {
    request->flags = ASPACE_SHARED;
    if (address == 0) {
        return (flags & SHM_REMAP) != 0 ? HX_ERR_INVALID : HX_OK;
    }
    if ((address & PAGE_MASK) != 0) {
        address = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
        if ((flags & SHM_RND) == 0 || (address == 0 && (flags & SHM_REMAP) != 0)) {
            return HX_ERR_INVALID;
        }
    }
    request->hint = uaddr_make(address);
    request->flags |= ASPACE_FIXED | ((flags & SHM_REMAP) != 0 ? 0 : ASPACE_NOREPLACE);
    return HX_OK;
}

static uint32_t choose_protection(uint32_t flags, struct aspace_map_request *request) {
    const bool writes = (flags & SHM_RDONLY) == 0;
    request->protection =
        ASPACE_READ | (writes ? ASPACE_WRITE : 0) | ((flags & SHM_EXEC) != 0 ? ASPACE_EXECUTE : 0);
    request->protection_max = ASPACE_READ | ASPACE_EXECUTE | (writes ? ASPACE_WRITE : 0);
    return IPC_READ | (writes ? IPC_WRITE : 0) | ((flags & SHM_EXEC) != 0 ? 0111u : 0);
}

// The one of that id, which does not end until attach_end(); with a reference.
static enum hx_status attach_begin(int32_t id, uint32_t wanted, struct shm_segment **out_segment) {
    struct ipc_entry *entry;
    const enum hx_status status = ipc_hold(&segments, id, wanted, &entry);
    if (status != HX_OK) {
        return status;
    }
    struct shm_segment *segment = segment_of(entry);
    spin_lock(&segments.lock);
    const bool is_there = entry->is_listed;
    segment->attaching += is_there ? 1 : 0;
    spin_unlock(&segments.lock);
    if (!is_there) {
        ipc_put(entry);
        return HX_ERR_REVOKED;
    }
    *out_segment = segment;
    return HX_OK;
}

static void attach_end(struct shm_segment *segment) {
    spin_lock(&segments.lock);
    segment->attaching--;
    const bool ends = end_if_unused_locked(segment);
    spin_unlock(&segments.lock);
    if (ends) {
        ipc_put(&segment->entry);
    }
    ipc_put(&segment->entry);
}

static enum hx_status attach(struct shm_segment *segment, struct aspace_map_request *request,
                             struct uaddr *out_address) {
    // A mapping under W^X may not be both.
    if ((request->protection & ASPACE_WRITE) != 0 && (request->protection & ASPACE_EXECUTE) != 0) {
        return HX_ERR_PERMISSION;
    }
    struct file *file = file_create(&shm_ops, FILE_READ | FILE_WRITE, segment);
    if (file == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    object_get(&segment->entry.object); // the file's
    file->id = (uint64_t)segment->entry.id;
    request->size_bytes = segment->size_bytes;
    request->object = segment->memory;
    request->file = &file->object;
    const enum hx_status status = aspace_map(aspace_current(), request, out_address);
    file_put(file);
    return status == HX_ERR_EXISTS ? HX_ERR_INVALID : status;
}

enum hx_status sys_shmat(struct call *call) {
    struct aspace_map_request request = { 0 };
    struct shm_segment *segment;
    struct uaddr address;
    const uint32_t flags = call_uint(call, 2);
    if (call_int(call, 0) < 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = choose_place(call->args[1], flags, &request);
    if (status == HX_OK) {
        status = attach_begin(call_int(call, 0), choose_protection(flags, &request), &segment);
    }
    if (status != HX_OK) {
        return ipc_refusal(call, status);
    }
    status = attach(segment, &request, &address);
    attach_end(segment);
    return status == HX_OK ? call_ok(call, (int64_t)address.value) : status;
}

// Whether it is a part of a segment that was attached at `base`, of that file or (NULL) of any.
static bool is_attached_at(const struct mapping_info *info, uint64_t base,
                           const struct object *file) {
    if (info->file == NULL || (file != NULL && info->file != file)) {
        return false;
    }
    return CONTAINER_OF(info->file, struct file, object)->ops == &shm_ops && info->start >= base &&
           info->start - base == info->offset_bytes;
}

// The first part decides which segment it is; of that, all that is still in its place goes.
enum hx_status sys_shmdt(struct call *call) {
    const uint64_t base = call->args[0];
    struct object *file = NULL;
    uint64_t end = UINT64_MAX;
    enum hx_status status = HX_ERR_INVALID;
    if ((base & PAGE_MASK) != 0) {
        return HX_ERR_INVALID;
    }
    struct mapping_info info;
    for (uint64_t at = base; at < end && aspace_next_mapping(aspace_current(), at, &info);
         at = info.end) {
        const bool is_part = is_attached_at(&info, base, file) && info.end <= end;
        if (is_part) {
            status = aspace_unmap(aspace_current(), uaddr_make(info.start), info.end - info.start);
        }
        if (is_part && file == NULL) {
            file = object_get(info.file);
            const struct shm_segment *segment = (CONTAINER_OF(file, struct file, object))->data;
            end = base + ALIGN_UP(segment->size_bytes, (uint64_t)PAGE_SIZE);
        }
        if (info.file != NULL) {
            object_put(info.file);
        }
    }
    if (file != NULL) {
        object_put(file);
    }
    return status;
}

// shmctl -----------------------------------------------------------------------------------------

static enum hx_status tell_limits(struct call *call) {
    const struct linux_shm_limits limits = {
        .size_max = SHM_SIZE_MAX,
        .size_min = 1,
        .segments_max = SHM_SEGMENTS_MAX,
        .segments_of_one = SHM_SEGMENTS_MAX,
        .pages_max = SHM_SIZE_MAX,
    };
    call->result = ipc_highest_index(&segments);
    return copy_to_user(call_address(call, 2), &limits, sizeof(limits));
}

static uint64_t pages_of(const struct shm_segment *segment) {
    return ALIGN_UP(segment->size_bytes, (uint64_t)PAGE_SIZE) / PAGE_SIZE;
}

// The first one from that index on, with a reference; NULL: there is none.
static struct shm_segment *segment_from(int32_t index) {
    spin_lock(&segments.lock);
    struct ipc_entry *entry = ipc_from_index_locked(&segments, index);
    if (entry != NULL) {
        object_get(&entry->object);
    }
    spin_unlock(&segments.lock);
    return entry != NULL ? segment_of(entry) : NULL;
}

static enum hx_status tell_usage(struct call *call) {
    struct linux_shm_usage usage = { .segments = ipc_count(&segments) };
    struct shm_segment *segment;
    for (int32_t index = 0; (segment = segment_from(index)) != NULL;) {
        index = ipc_index(&segment->entry) + 1;
        usage.pages += pages_of(segment);
        usage.resident_pages += memory_object_resident(segment->memory);
        ipc_put(&segment->entry);
    }
    call->result = ipc_highest_index(&segments);
    return copy_to_user(call_address(call, 2), &usage, sizeof(usage));
}

static void describe(struct shm_segment *segment, struct linux_shmid *out) {
    *out = (struct linux_shmid){ .size_bytes = segment->size_bytes, .creator = segment->creator };
    ipc_describe(&segments, &segment->entry, &out->perm, &out->changed_at);
    spin_lock(&segments.lock);
    out->attached_at = segment->attached_at;
    out->detached_at = segment->detached_at;
    out->last = segment->last;
    out->attached = segment->attached;
    spin_unlock(&segments.lock);
}

static enum hx_status tell(struct call *call, bool by_index, bool any) {
    struct ipc_entry *entry;
    const enum hx_status status =
        ipc_hold_to_tell(&segments, call_int(call, 0), by_index, any, &entry);
    if (status != HX_OK) {
        return status;
    }
    struct linux_shmid state;
    describe(segment_of(entry), &state);
    call->result = by_index ? entry->id : 0;
    ipc_put(entry);
    return copy_to_user(call_address(call, 2), &state, sizeof(state));
}

static enum hx_status remove_or_set(struct call *call, bool removes,
                                    const struct linux_ipc_perm *perm) {
    struct ipc_entry *entry;
    enum hx_status status = ipc_hold_owned(&segments, call_int(call, 0), &entry);
    if (status != HX_OK) {
        return status;
    }
    bool ends = false;
    spin_lock(&segments.lock);
    if (!entry->is_listed) {
        status = HX_ERR_REVOKED;
    } else if (removes) {
        entry->mode |= SHM_DEST;
        ipc_forget_key_locked(&segments, entry);
        ends = end_if_unused_locked(segment_of(entry));
    } else {
        status = ipc_change_locked(entry, perm);
    }
    spin_unlock(&segments.lock);
    if (ends) {
        ipc_put(entry);
    }
    ipc_put(entry);
    return ipc_refusal(call, status);
}

static enum hx_status set(struct call *call) {
    struct linux_shmid state;
    const enum hx_status status = copy_from_user(&state, call_address(call, 2), sizeof(state));
    return status == HX_OK ? remove_or_set(call, false, &state.perm) : status;
}

// What is in memory stays there anyway. Needs the table's lock.
static enum hx_status lock_locked(struct ipc_entry *entry, const struct credentials *credentials,
                                  uint64_t limit, bool locks) {
    if (!credentials_capable(credentials, CAPABILITY_IPC_LOCK)) {
        const uint64_t size = segment_of(entry)->size_bytes;
        const bool is_owner = credentials->euid == entry->uid || credentials->euid == entry->cuid;
        if (!is_owner || (locks && limit == 0)) {
            return HX_ERR_NOT_PERMITTED;
        }
        if (locks && (entry->mode & SHM_LOCKED) == 0 && size > limit) {
            return HX_ERR_NO_MEMORY;
        }
    }
    entry->mode = locks ? entry->mode | SHM_LOCKED : entry->mode & ~SHM_LOCKED;
    return HX_OK;
}

static enum hx_status lock_or_unlock(struct call *call, bool locks) {
    struct credentials *credentials = posix_credentials(call->process);
    const uint64_t limit = posix_limit(call->process, RLIMIT_MEMLOCK);
    spin_lock(&segments.lock);
    struct ipc_entry *entry = ipc_find_locked(&segments, call_int(call, 0));
    const enum hx_status status =
        entry != NULL ? lock_locked(entry, credentials, limit, locks) : HX_ERR_INVALID;
    spin_unlock(&segments.lock);
    credentials_put(credentials);
    return status;
}

enum hx_status sys_shmctl(struct call *call) {
    const int32_t command = call_int(call, 1);
    if (command < 0 || call_int(call, 0) < 0) {
        return HX_ERR_INVALID;
    }
    switch (command) {
    case IPC_INFO:
        return tell_limits(call);
    case SHM_INFO:
        return tell_usage(call);
    case IPC_STAT:
        return tell(call, false, false);
    case SHM_STAT:
        return tell(call, true, false);
    case SHM_STAT_ANY:
        return tell(call, true, true);
    case IPC_SET:
        return set(call);
    case IPC_RMID:
        return remove_or_set(call, true, NULL);
    case SHM_LOCK:
    case SHM_UNLOCK:
        return lock_or_unlock(call, command == SHM_LOCK);
    default:
        return HX_ERR_INVALID;
    }
}

int32_t shm_line(int32_t index, struct ipc_line *out_line) {
    struct shm_segment *segment = segment_from(index);
    if (segment == NULL) {
        return -1;
    }
    struct linux_shmid state;
    describe(segment, &state);
    out_line->perm = state.perm;
    out_line->id = segment->entry.id;
    out_line->values[0] = (int64_t)state.size_bytes;
    out_line->values[1] = state.creator;
    out_line->values[2] = state.last;
    out_line->values[3] = (int64_t)state.attached;
    out_line->values[4] = state.attached_at;
    out_line->values[5] = state.detached_at;
    out_line->values[6] = state.changed_at;
    out_line->values[7] = (int64_t)(memory_object_resident(segment->memory) * PAGE_SIZE);
    const int32_t found = ipc_index(&segment->entry);
    ipc_put(&segment->entry);
    return found;
}
