// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_hang_start.c: never comes back from its start, in which it calls the SDK over and over, with
// its locks held.
#include "blk.h"

static enum hx_status start(void *self) {
    struct module *module = self;
    struct block_info info;
    hx_mutex_lock(&module->disks[0]->reset_lock);
    while (disk_identify(module->disks[0], &info) == HX_OK) {
        hx_free(module->disks[0]->env, hx_alloc(module->disks[0]->env, 64));
    }
    hx_mutex_unlock(&module->disks[0]->reset_lock);
    return HX_OK;
}

BLK(9, blk_init, .start = start, .stop = blk_stop);
