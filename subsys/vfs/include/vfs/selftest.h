// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/selftest.h>: the VFS tests itself in a running kernel (command line: selftest=vfs).
#pragma once

#include <helix/types.h>

// Exercises names, renames, mounts, files, pipes, the initial archive, on all processors and with
// allocations made to fail, and checks that nothing leaks. Needs the types "rootfs" and "tmpfs".
// Logs what failed. Thread context, interrupts on, nobody else busy with files or memory. Takes
// seconds.
bool vfs_selftest(void);
