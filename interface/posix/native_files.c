// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/native_files.c: between descriptors and handles.
//
// Both name capabilities, so going from one to the other copies a reference.
#include "descriptor.h"

#include <execution/handles.h>
#include <execution/native.h>
#include <helix/native.h>

static int64_t file_handle(const uint64_t *args) {
    struct capability *capability;
    handle_t handle;
    enum hx_status status = file_table_find(posix_current()->files, (int32_t)args[0], &capability);
    if (status != HX_OK) {
        return status;
    }
    status = handle_add(process_current(), capability, &handle);
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    return handle;
}

static int64_t file_descriptor(const uint64_t *args) {
    struct capability *capability;
    int32_t fd;
    enum hx_status status = handle_find(process_current(), (handle_t)args[0], &capability);
    if (status != HX_OK) {
        return status;
    }
    status = capability->object->type->kind == OBJECT_FILE
                 ? file_table_add(posix_current()->files, capability, args[1] != 0, 0, &fd)
                 : HX_ERR_BAD_HANDLE;
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    return fd;
}

static const native_call_t table[] = { file_handle, file_descriptor };

void native_files_init(void) {
    native_calls_register(HX_CALL_file_handle, table, ARRAY_SIZE(table));
}
