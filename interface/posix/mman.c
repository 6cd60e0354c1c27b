// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/mman.c: mmap, mprotect, mremap, munmap, brk.
//
// W^X: memory is never writable and executable at once; asking for it is EACCES.
#include "descriptor.h"
#include "life.h"

#include <posix/files.h>
#include <posix/linux.h>

#define PROT_READ      1u
#define PROT_WRITE     2u
#define PROT_EXEC      4u
#define PROT_SEM       8u
#define PROT_GROWSDOWN 0x01000000u
#define PROT_GROWSUP   0x02000000u

#define MAP_SHARED          0x01u
#define MAP_PRIVATE         0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_TYPE            0x0fu
#define MAP_FIXED           0x10u
#define MAP_ANONYMOUS       0x20u
#define MAP_32BIT           0x40u
#define MAP_GROWSDOWN       0x0100u
#define MAP_LOCKED          0x2000u
#define MAP_POPULATE        0x8000u
#define MAP_NONBLOCK        0x10000u
#define MAP_HUGETLB         0x40000u
#define MAP_SYNC            0x80000u
#define MAP_FIXED_NOREPLACE 0x100000u

#define MREMAP_MAYMOVE   1u
#define MREMAP_FIXED     2u
#define MREMAP_DONTUNMAP 4u

static enum hx_status protection_from(uint64_t prot, uint32_t *out_protection) {
    if (prot & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) {
        return HX_ERR_INVALID;
    }
    // A writable or executable page is readable on all three machines, so saying so keeps it true.
    uint32_t protection = 0;
    protection |= (prot & PROT_READ) ? ASPACE_READ : 0;
    protection |= (prot & PROT_WRITE) ? ASPACE_READ | ASPACE_WRITE : 0;
    protection |= (prot & PROT_EXEC) ? ASPACE_READ | ASPACE_EXECUTE : 0;
    if ((protection & ASPACE_WRITE) && (protection & ASPACE_EXECUTE)) {
        return HX_ERR_PERMISSION;
    }
    *out_protection = protection;
    return HX_OK;
}

// mmap -------------------------------------------------------------------------------------------

static enum hx_status map_flags(uint64_t flags, uint32_t *out_flags) {
    const uint32_t type = (uint32_t)flags & MAP_TYPE;
    if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) {
        return HX_ERR_INVALID;
    }
    if (type == MAP_SHARED_VALIDATE && (flags & MAP_ANONYMOUS) != 0) {
        return HX_ERR_INVALID; // only files know more flags than they must
    }
    if (flags & MAP_HUGETLB) {
        return HX_ERR_NO_MEMORY; // the pool of huge pages is empty
    }
    if (type == MAP_SHARED_VALIDATE && (flags & MAP_SYNC)) {
        return HX_ERR_NO_OPERATION;
    }
    uint32_t result = type == MAP_PRIVATE ? 0 : ASPACE_SHARED;
    result |= (flags & MAP_FIXED) ? ASPACE_FIXED : 0;
    result |= (flags & MAP_FIXED_NOREPLACE) ? ASPACE_FIXED | ASPACE_NOREPLACE : 0;
    result |= (flags & MAP_GROWSDOWN) ? ASPACE_GROWSDOWN : 0;
    result |= (flags & MAP_32BIT) ? ASPACE_LOW_32 : 0;
    result |=
        (flags & (MAP_POPULATE | MAP_LOCKED)) && !(flags & MAP_NONBLOCK) ? ASPACE_POPULATE : 0;
    *out_flags = result;
    return HX_OK;
}

// What mapping a file so needs; a mapping that is not readable now may become so.
static rights_t map_needs(const struct aspace_map_request *request) {
    rights_t need = HX_RIGHT_MAP | HX_RIGHT_READ;
    need |= (request->protection & ASPACE_EXECUTE) != 0 ? HX_RIGHT_EXECUTE : 0;
    if ((request->flags & ASPACE_SHARED) != 0 && (request->protection & ASPACE_WRITE) != 0) {
        need |= HX_RIGHT_WRITE;
    }
    return need;
}

// What a mapping may ever be protected to.
static uint32_t map_limit(const struct descriptor *descriptor, bool is_shared) {
    const rights_t rights = capability_rights(descriptor->capability);
    const uint32_t open = file_flags(descriptor->file);
    uint32_t limit = ASPACE_READ | ASPACE_WRITE | ASPACE_EXECUTE;
    if (is_shared && ((open & FILE_WRITE) == 0 || (rights & HX_RIGHT_WRITE) == 0)) {
        limit &= ~ASPACE_WRITE;
    }
    return (rights & HX_RIGHT_EXECUTE) == 0 ? limit & ~ASPACE_EXECUTE : limit;
}

// A file's rights on the mapping, now and later; then its object, with a reference.
static enum hx_status map_file(const struct descriptor *descriptor,
                               struct aspace_map_request *request) {
    struct file *file = descriptor->file;
    const bool is_shared = (request->flags & ASPACE_SHARED) != 0;
    request->protection_max = map_limit(descriptor, is_shared);
    if ((file_flags(file) & FILE_READ) == 0) {
        return HX_ERR_PERMISSION;
    }
    if ((request->protection & ASPACE_WRITE & ~request->protection_max) != 0) {
        return HX_ERR_PERMISSION;
    }
    if (file->ops->map == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    if (request->flags & ASPACE_GROWSDOWN) {
        return HX_ERR_INVALID;
    }
    return file->ops->map(file, request->protection, is_shared, &request->object);
}

static enum hx_status map_descriptor(struct call *call, struct aspace_map_request *request,
                                     struct uaddr *out_address) {
    struct descriptor descriptor;
    enum hx_status status =
        descriptor_get(call, call_int(call, 4), map_needs(request), &descriptor);
    if (status != HX_OK) {
        return status;
    }
    status = map_file(&descriptor, request);
    if (status == HX_ERR_NO_DEVICE) {
        status = call_fail(call, status, ENODEV);
    }
    if (status == HX_OK) {
        request->file = &descriptor.file->object;
        request->under = descriptor.capability;
        status = aspace_map(aspace_current(), request, out_address);
        if (request->object != NULL) {
            memory_object_put(request->object);
        }
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_mmap(struct call *call) {
    const uint64_t size = call->args[1];
    const uint64_t offset = call->args[5];
    struct aspace_map_request request = { .hint = call_address(call, 0), .size_bytes = size };
    struct uaddr address;
    if ((offset & PAGE_MASK) != 0 || size == 0) {
        return HX_ERR_INVALID;
    }
    if (size > HAL_USER_END) {
        return HX_ERR_NO_MEMORY;
    }
    if (offset > UINT64_MAX - ALIGN_UP(size, (uint64_t)PAGE_SIZE)) {
        return HX_ERR_OVERFLOW;
    }
    enum hx_status status = map_flags(call->args[3], &request.flags);
    if (status == HX_OK) {
        status = protection_from(call->args[2] & (PROT_READ | PROT_WRITE | PROT_EXEC),
                                 &request.protection);
    }
    if (status != HX_OK) {
        return status;
    }
    if (call->args[3] & MAP_ANONYMOUS) {
        status = aspace_map(aspace_current(), &request, &address);
    } else {
        request.object_page = offset >> PAGE_SHIFT;
        status = map_descriptor(call, &request, &address);
    }
    if (status == HX_OK) {
        call->result = (int64_t)address.value;
    }
    return status;
}

// The others -------------------------------------------------------------------------------------

enum hx_status sys_munmap(struct call *call) {
    return aspace_unmap(aspace_current(), call_address(call, 0), call->args[1]);
}

enum hx_status sys_mprotect(struct call *call) {
    uint32_t protection;
    if ((call->args[0] & PAGE_MASK) != 0 || (call->args[2] & (PROT_GROWSDOWN | PROT_GROWSUP))) {
        return HX_ERR_INVALID;
    }
    if (call->args[1] == 0) {
        return HX_OK;
    }
    enum hx_status status = protection_from(call->args[2], &protection);
    if (status != HX_OK) {
        return status;
    }
    status = aspace_protect(aspace_current(), call_address(call, 0), call->args[1], protection);
    return status == HX_ERR_ACCESS_DENIED ? HX_ERR_PERMISSION : status;
}

enum hx_status sys_mremap(struct call *call) {
    const uint64_t flags = call->args[3];
    const uint64_t known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    if ((flags & ~known) != 0 || (flags != 0 && !(flags & MREMAP_MAYMOVE)) ||
        ((flags & MREMAP_DONTUNMAP) && call->args[1] != call->args[2]) ||
        (call->args[0] & PAGE_MASK) != 0 || call->args[1] == 0 || call->args[2] == 0) {
        return HX_ERR_INVALID;
    }
    const uint32_t remap_flags = ((flags & MREMAP_MAYMOVE) ? ASPACE_REMAP_MOVE : 0) |
                                 ((flags & MREMAP_FIXED) ? ASPACE_REMAP_FIXED : 0) |
                                 ((flags & MREMAP_DONTUNMAP) ? ASPACE_REMAP_LEAVE : 0);
    struct uaddr place = call_address(call, 4);
    const enum hx_status status = aspace_remap(aspace_current(), call_address(call, 0),
                                               call->args[1], call->args[2], remap_flags, &place);
    if (status == HX_OK) {
        call->result = (int64_t)place.value;
    }
    return status;
}

static bool brk_change(struct posix_process *process, uint64_t wanted) {
    const uint64_t old_end = ALIGN_UP(process->brk_end, (uint64_t)PAGE_SIZE);
    const uint64_t new_end = ALIGN_UP(wanted, (uint64_t)PAGE_SIZE);
    const uint64_t limit = posix_limit(process, RLIMIT_DATA);
    if (new_end < old_end) {
        return aspace_unmap(aspace_current(), uaddr_make(new_end), old_end - new_end) == HX_OK;
    }
    if (new_end == old_end) {
        return true;
    }
    if (limit != RLIMIT_INFINITY && wanted - process->brk_start > limit) {
        return false;
    }
    const struct aspace_map_request request = {
        .hint = uaddr_make(old_end),
        .size_bytes = new_end - old_end,
        .protection = ASPACE_READ | ASPACE_WRITE,
        .flags = ASPACE_FIXED | ASPACE_NOREPLACE,
        .label = "[heap]",
    };
    struct uaddr address;
    return aspace_map(aspace_current(), &request, &address) == HX_OK;
}

// Never fails: it gives the end as it is.
enum hx_status sys_brk(struct call *call) {
    struct posix_process *process = call->process;
    const uint64_t wanted = call->args[0];
    mutex_lock(&process->process->lock);
    if (wanted >= process->brk_start && wanted < HAL_USER_END - PAGE_SIZE &&
        brk_change(process, wanted)) {
        process->brk_end = wanted;
    }
    call->result = (int64_t)process->brk_end;
    mutex_unlock(&process->process->lock);
    return HX_OK;
}
