// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_next.c: the next version of ramfs.
#include "rfs.h"

RFS(1, RAMFS_SCHEMA, 0, .import_state = ramfs_import);
