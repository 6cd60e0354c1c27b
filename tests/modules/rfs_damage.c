// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_damage.c: a version of ramfs that stores to what lasts, and does not notice.
#include "rfs.h"

static enum hx_status import(void *self, uint32_t schema_version) {
    rfs_first()->info.uid ^= 0x1000;
    return ramfs_import(self, schema_version);
}

RFS(4, RAMFS_SCHEMA, 0, .import_state = import);
