// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_import.c: a version of ramfs that cannot make anything of what lasts.
#include "rfs.h"

static enum hx_status import(void *self, uint32_t schema_version) {
    enum hx_status status = ramfs_import(self, schema_version);
    return status == HX_OK ? HX_ERR_CORRUPT : status;
}

RFS(2, RAMFS_SCHEMA, 0, .import_state = import);
