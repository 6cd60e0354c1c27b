// SPDX-License-Identifier: MIT OR Apache-2.0
// <posix/release.h>: what uname(2) and /proc say that the system is: the Linux whose calls it
// serves.
#pragma once

#define POSIX_SYSTEM_NAME "Linux"
#define POSIX_RELEASE     "6.1.0-helix"
#define POSIX_VERSION     "#1 SMP PREEMPT Helix"
