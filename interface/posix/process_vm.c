// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/process_vm.c: process_vm_readv(2), process_vm_writev(2): bytes from or to the
// memory of another process.
//
// Page by page: the other's is lent as for a device, so that its protection counts, and what is
// written is its own; the caller's is reached as in any read or write.
#include "descriptor.h"
#include "inspect.h"
#include "pids.h"

#include <core/thread.h>
#include <memory/aspace.h>
#include <memory/heap.h>

// Moves up to `length` bytes within one page; *out_moved: how many. HX_ERR_BAD_ADDRESS,
// HX_ERR_NO_MEMORY.
static enum hx_status move_in_page(struct aspace *aspace, uint64_t address, size_t length,
                                   struct io_buffer *local, bool writing, size_t *out_moved) {
    struct frame *frame;
    enum hx_status status =
        aspace_frames_lend(aspace, uaddr_make(ALIGN_DOWN(address, (uint64_t)PAGE_SIZE)), 1,
                           writing ? ASPACE_WRITE : ASPACE_READ, &frame);
    if (status != HX_OK) {
        return status == HX_ERR_NO_MEMORY ? status : HX_ERR_BAD_ADDRESS;
    }
    uint8_t *data = (uint8_t *)frame_data(frame) + (address & PAGE_MASK);
    status = writing ? io_buffer_take(local, data, length, out_moved)
                     : io_buffer_put(local, data, length, out_moved);
    frame_put(frame);
    return status;
}

static enum hx_status move_segment(struct aspace *aspace, const struct io_segment *remote,
                                   struct io_buffer *local, bool writing) {
    enum hx_status status = HX_OK;
    uint64_t done = 0;
    while (status == HX_OK && done < remote->length && local->remaining != 0) {
        const uint64_t address = remote->base.value + done;
        const uint64_t in_page = PAGE_SIZE - (address & PAGE_MASK);
        size_t moved = 0;
        status = move_in_page(aspace, address, (size_t)MIN_OF(in_page, remote->length - done),
                              local, writing, &moved);
        done += moved;
        if ((thread_attention(thread_current()) & THREAD_KILL) != 0) {
            status = HX_ERR_CANCELED;
        }
    }
    return status;
}

// The process that has the thread `tid`, with a reference; NULL: there is none.
static struct posix_process *process_of_thread(int32_t tid) {
    struct posix_process *process = posix_process_find(tid);
    if (process != NULL) {
        return process;
    }
    struct posix_thread *thread = posix_thread_find(tid);
    if (thread != NULL) {
        process = thread->process;
        process_get(process->process);
        user_thread_put(thread->native);
    }
    return process;
}

// What was moved before something went wrong counts.
static enum hx_status move(struct call *call, struct io_buffer *local,
                           const struct io_buffer *remote, bool writing) {
    struct posix_process *process = process_of_thread(call_int(call, 0));
    if (process == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    struct aspace *aspace;
    enum hx_status status = inspect_aspace(process, &aspace);
    process_put(process->process);
    if (status != HX_OK) {
        return status;
    }
    const uint64_t before = local->remaining;
    for (uint32_t i = 0; i < remote->segment_count && status == HX_OK; i++) {
        status = move_segment(aspace, &remote->segments[i], local, writing);
    }
    aspace_put(aspace);
    return local->remaining != before ? call_ok(call, (int64_t)(before - local->remaining))
                                      : status;
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
                status = move(call, &local.buffer, &remote.buffer, writing);
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
