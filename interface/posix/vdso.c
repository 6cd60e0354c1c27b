// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/vdso.c: the shared object with the clocks in each program: one object of the
// machine's memory, the clocks' page and the image behind it, copied on write by who writes it.
#include "vdso.h"

#include <core/time.h>
#include <helix/clock_page.h>

extern const uint8_t vdso_image_start[], vdso_image_end[]; // build/vdso.cmake

static struct memory_object *vdso_object; // NULL: there is none
static uint64_t vdso_bytes;               // of the object

enum hx_status vdso_init(void) {
    const size_t image_bytes = (size_t)(vdso_image_end - vdso_image_start);
    if (image_bytes == 0) {
        return HX_OK;
    }
    vdso_bytes = PAGE_SIZE + ALIGN_UP(image_bytes, (size_t)PAGE_SIZE);
    vdso_object = memory_object_create_plain(&account_root, vdso_bytes);
    if (vdso_object == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status =
        memory_object_write(vdso_object, PAGE_SIZE, vdso_image_start, image_bytes);
    struct frame *clocks; // its reference stays: the kernel writes there
    if (status == HX_OK) {
        status = memory_object_page(vdso_object, 0, MEMORY_GET_CREATE | MEMORY_GET_WRITE, &clocks);
    }
    if (status == HX_OK) {
        time_page_use(frame_data(clocks));
    }
    return status;
}

enum hx_status vdso_map(struct aspace *aspace, uint64_t *out_address) {
    *out_address = 0;
    if (vdso_object == NULL) {
        return HX_OK;
    }
    struct uaddr image, clocks;
    struct aspace_map_request request = {
        .size_bytes = vdso_bytes - PAGE_SIZE,
        .protection = ASPACE_READ | ASPACE_EXECUTE, // a debugger may write its copy
        .object = vdso_object,
        .object_page = 1,
        .label = "[vdso]",
    };
    enum hx_status status = aspace_map(aspace, &request, &image);
    if (status != HX_OK) {
        return status;
    }
    // New mappings go below what is there, and here is next to nothing.
    request.hint = uaddr_make(image.value - PAGE_SIZE);
    request.size_bytes = PAGE_SIZE;
    request.protection = ASPACE_READ;
    request.protection_max = ASPACE_READ;
    request.flags = ASPACE_FIXED | ASPACE_NOREPLACE;
    request.object_page = 0;
    request.label = "[vvar]";
    status = aspace_map(aspace, &request, &clocks);
    *out_address = image.value;
    return status == HX_ERR_EXISTS ? HX_ERR_NO_MEMORY : status;
}
