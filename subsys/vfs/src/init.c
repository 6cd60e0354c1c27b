// SPDX-License-Identifier: MIT OR Apache-2.0
// init.c: brings the VFS up, in the order in which its parts need each other.
#include "file_kinds.h"
#include "mount.h"

enum hx_status vfs_init(void) {
    static enum hx_status (*const steps[])(void) = {
        names_init, inodes_init, mounts_init,       filesystems_init,
        files_init, pipes_init,  char_devices_init, devices_init,
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        enum hx_status status = steps[i]();
        if (status != HX_OK) {
            return status;
        }
    }
    return HX_OK;
}
