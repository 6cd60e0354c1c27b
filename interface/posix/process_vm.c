// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/process_vm.c: process_vm_readv(2), process_vm_writev(2): bytes from or to the
// memory of another process.
//
// Page by page, by way of a page of the kernel's: the other's is touched where nothing faults, with
// its protection, and what is written is its own; the caller's is reached as in any read or write.
#include "descriptor.h"
#include "inspect.h"
#include "pids.h"

#include <core/thread.h>
#include <memory/aspace.h>
#include <memory/heap.h>

// What goes from one side to the other.
struct move {
    struct aspace *aspace; // the other's
    struct io_buffer *local;
    bool writing;
    void *page; // the kernel's
    uint64_t done;
};

// Moves up to `length` bytes within one page. HX_ERR_BAD_ADDRESS, HX_ERR_NO_MEMORY,
// HX_ERR_CANCELED.
static enum hx_status move_in_page(struct move *move, uint64_t address, size_t length) {
    size_t moved = length;
    enum hx_status local = HX_OK;
    enum hx_status status = HX_OK;
    if (move->writing) {
        local = io_buffer_take(move->local, move->page, length, &moved);
        if (moved != 0) {
            status = aspace_store(move->aspace, uaddr_make(address), move->page, moved);
        }
    } else {
        status = aspace_load(move->aspace, uaddr_make(address), move->page, length);
        if (status == HX_OK) {
            local = io_buffer_put(move->local, move->page, length, &moved);
        }
    }
    if (status != HX_OK) {
        return status == HX_ERR_LIMIT ? HX_ERR_BAD_ADDRESS : status;
    }
    move->done += moved;
    return local;
}

// Ends early where nobody lives in the other memory any more: it would stay for this call alone.
static enum hx_status move_segment(struct move *move, const struct io_segment *remote) {
    enum hx_status status = HX_OK;
    uint64_t left = remote->length;
    uint64_t address = remote->base.value;
    while (status == HX_OK && left != 0 && move->local->remaining != 0) {
        const uint64_t in_page = MIN_OF(PAGE_SIZE - (address & PAGE_MASK), left);
        const uint64_t length = MIN_OF(in_page, (uint64_t)move->local->remaining);
        status = move_in_page(move, address, (size_t)length);
        left -= length;
        address += length;
        if ((thread_attention(thread_current()) & THREAD_KILL) != 0) {
            status = HX_ERR_CANCELED;
        } else if (atomic_load_explicit(&move->aspace->processes, memory_order_relaxed) == 0) {
            status = HX_ERR_NO_PROCESS;
        }
    }
    return status;
}

static enum hx_status move_all(struct move *move, const struct io_buffer *remote) {
    enum hx_status status = HX_OK;
    move->page = heap_alloc(PAGE_SIZE, MEMORY_SLEEP);
    if (move->page == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < remote->segment_count && status == HX_OK; i++) {
        status = move_segment(move, &remote->segments[i]);
    }
    heap_free(move->page);
    return status;
}

// The process of the thread `tid`, with a reference; NULL: there is none. A first thread that has
// ended has no memory, though others of its process have.
static struct posix_process *process_of_thread(int32_t tid) {
    struct posix_thread *thread = posix_thread_find(tid);
    if (thread == NULL) {
        return NULL;
    }
    process_get(thread->process->process);
    struct posix_process *process = thread->process;
    user_thread_put(thread->native);
    return process;
}

// What was moved before something went wrong counts.
static enum hx_status reach(struct call *call, struct io_buffer *local,
                            const struct io_buffer *remote, bool writing) {
    struct posix_process *process = process_of_thread(call_int(call, 0));
    if (process == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    struct move move = { .local = local, .writing = writing };
    enum hx_status status = inspect_aspace(process, INSPECT_REAL_IDS, &move.aspace);
    process_put(process->process);
    if (status != HX_OK) {
        return status;
    }
    status = move_all(&move, remote);
    aspace_put(move.aspace);
    return move.done != 0 ? call_ok(call, (int64_t)move.done) : status;
}

// Where one side has no bytes nobody looks whose the other is.
static enum hx_status process_vm(struct call *call, bool writing) {
    struct user_segments local, remote;
    if (call->args[5] != 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = segments_begin(call_address(call, 1), call->args[2], &local);
    if (status != HX_OK) {
        return status;
    }
    if (local.buffer.remaining != 0) {
        status = segments_begin(call_address(call, 3), call->args[4], &remote);
        if (status == HX_OK) {
            if (remote.buffer.remaining != 0) {
                status = reach(call, &local.buffer, &remote.buffer, writing);
            }
            segments_end(&remote);
        }
    }
    segments_end(&local);
    return status;
}

enum hx_status sys_process_vm_readv(struct call *call) {
    return process_vm(call, false);
}

enum hx_status sys_process_vm_writev(struct call *call) {
    return process_vm(call, true);
}
