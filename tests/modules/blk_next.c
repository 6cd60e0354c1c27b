// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_next.c: the next version of virtio-blk, which tests itself.
#include "blk.h"

static enum hx_status test(void *self) {
    const struct module *module = self;
    struct block_info info;
    return module->disks[0] != NULL ? disk_identify(module->disks[0], &info) : HX_ERR_NO_DEVICE;
}

BLK(1, blk_init, .stop = blk_stop, .self_test = test);
