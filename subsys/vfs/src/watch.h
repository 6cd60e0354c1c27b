// SPDX-License-Identifier: MIT OR Apache-2.0
// watch.h: what the VFS tells of as a whole.
#pragma once

#include <vfs/watch.h>

// The last mount of the file system is gone: its watches go. Thread context.
void watches_unmounted(const struct filesystem *fs);
