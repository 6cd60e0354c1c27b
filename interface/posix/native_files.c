// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/native_files.c: between descriptors and handles.
//
// Both name capabilities, so going from one to the other copies a reference.
#include "descriptor.h"
#include "posix_table.h"

#include <execution/handles.h>

enum hx_status posix_file_handle(int32_t descriptor, handle_t *out_file) {
    struct capability *capability;
    enum hx_status status = file_table_find(posix_current()->files, descriptor, &capability);
    if (status != HX_OK) {
        return status;
    }
    status = handle_add(process_current(), capability, out_file);
    if (status != HX_OK) {
        capability_put(capability);
    }
    return status;
}

enum hx_status posix_file_descriptor(struct capability *file, bool close_on_exec,
                                     int32_t *out_descriptor) {
    enum hx_status status = file_table_add(posix_current()->files, capability_get(file),
                                           close_on_exec, 0, out_descriptor);
    if (status != HX_OK) {
        capability_put(file);
    }
    return status;
}

void native_files_init(void) {
    native_calls_register(&posix_calls);
}
