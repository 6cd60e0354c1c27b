// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/vdso.c: the shared object in each program: one object of the machine's memory,
// copied on write. Page 0 is the process's: all zeroes, and an address space gets a page in its
// place when the pid is written there. Page 1 has the clocks and the names; the image follows.
#include "vdso.h"
#include "posix_table.h"

#include <core/time.h>
#include <helix/clock_page.h>
#include <helix/names_page.h>
#include <lib/string.h>

enum { PAGE_OF_PROCESS, PAGE_OF_CLOCKS, PAGE_OF_IMAGE };

extern const uint8_t vdso_image_start[], vdso_image_end[]; // build/vdso.cmake

static struct memory_object *vdso_object; // NULL: there is none
static uint64_t image_bytes;              // in whole pages
static struct hx_names_page *names_page;  // NULL: there is none

_Static_assert(sizeof(struct hx_clock_page) <= HX_NAMES_OFFSET &&
                   HX_NAMES_OFFSET + sizeof(struct hx_names_page) <= PAGE_SIZE,
               "both are in one page");

enum hx_status vdso_init(void) {
    const uint64_t start = (uint64_t)PAGE_OF_IMAGE << PAGE_SHIFT;
    const size_t bytes = (size_t)(vdso_image_end - vdso_image_start);
    if (bytes == 0) {
        return HX_OK;
    }
    image_bytes = ALIGN_UP(bytes, (size_t)PAGE_SIZE);
    vdso_object = memory_object_create_plain(&account_root, start + image_bytes);
    if (vdso_object == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = memory_object_write(vdso_object, start, vdso_image_start, bytes);
    struct frame *clocks; // its reference stays: the kernel writes there
    if (status == HX_OK) {
        status = memory_object_page(vdso_object, PAGE_OF_CLOCKS,
                                    MEMORY_GET_CREATE | MEMORY_GET_WRITE, &clocks);
    }
    if (status == HX_OK) {
        names_page = (void *)((uint8_t *)frame_data(clocks) + HX_NAMES_OFFSET);
        time_page_use(frame_data(clocks));
    }
    return status;
}

void vdso_names_set(const void *names) {
    uint64_t words[HX_NAMES_WORDS] = { 0 };
    if (names_page != NULL) {
        memcpy(words, names, HX_NAMES_BYTES);
        hx_names_write(names_page, words);
    }
}

static void pid_write_locked(struct posix_process *process, int32_t pid) {
    if (process->vdso_page != NULL) {
        struct hx_process_page *page = frame_data(process->vdso_page);
        atomic_store_explicit(&page->pid, pid, memory_order_relaxed); // who reads it asks on 0
    }
}

// What fails here leaves the program with calls.
enum hx_status posix_process_pid(uint64_t page, uint32_t *out_pid) {
    struct posix_process *process = posix_current();
    struct process *native = process->process;
    mutex_lock(&native->lock);
    if (vdso_object != NULL &&
        atomic_load_explicit(&native->aspace->processes, memory_order_relaxed) == 1) {
        if (process->vdso_page == NULL) {
            HX_IGNORE(aspace_own_page(native->aspace, uaddr_make(page), vdso_object,
                                      PAGE_OF_PROCESS, &process->vdso_page));
        }
        pid_write_locked(process, process->pid);
    }
    mutex_unlock(&native->lock);
    *out_pid = (uint32_t)process->pid;
    return HX_OK;
}

void vdso_pid_hide(struct posix_process *process) {
    mutex_lock(
        &process->process->lock); // whoever writes the pid now has seen one process, or sees two
    pid_write_locked(process, 0);
    mutex_unlock(&process->process->lock);
}

void vdso_pid_forget(struct posix_process *process) {
    if (process->vdso_page != NULL) {
        frame_put(process->vdso_page);
        process->vdso_page = NULL;
    }
}

enum hx_status vdso_map(struct aspace *aspace, uint64_t *out_address) {
    *out_address = 0;
    if (vdso_object == NULL) {
        return HX_OK;
    }
    struct uaddr pages, again;
    struct aspace_map_request request = {
        .size_bytes = (PAGE_OF_IMAGE << PAGE_SHIFT) + image_bytes,
        .protection = ASPACE_READ | ASPACE_EXECUTE, // a debugger may write its copy
        .object = vdso_object,
        .object_page = PAGE_OF_PROCESS,
        .label = "[vdso]",
    };
    enum hx_status status = aspace_map(aspace, &request, &pages);
    if (status != HX_OK) {
        return status;
    }
    // One place for both, whatever gaps there are: the pages of data lie over the first.
    request.size_bytes = (uint64_t)PAGE_OF_IMAGE << PAGE_SHIFT;
    request.hint = pages;
    request.protection = ASPACE_READ;
    request.protection_max = ASPACE_READ;
    request.flags = ASPACE_FIXED | ASPACE_WIPE_FORK; // a child has another pid
    request.label = "[vvar]";
    status = aspace_map(aspace, &request, &again);
    *out_address = pages.value + request.size_bytes;
    return status;
}
