// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_stores.c: a version of ramfs that stores to what lasts, and then finds that it does not work.
#include "rfs.h"

static enum hx_status import(void *self, uint32_t schema_version) {
    rfs_first()->info.mode = 0;
    return ramfs_import(self, schema_version);
}

static enum hx_status test(void *self) {
    (void)self;
    return HX_ERR_CORRUPT;
}

RFS(3, RAMFS_SCHEMA, 0, .import_state = import, .self_test = test);
