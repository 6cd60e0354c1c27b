// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_none.c: a version of ramfs that has no durable state.
#include "rfs.h"

RFS(8, 0, 0);
