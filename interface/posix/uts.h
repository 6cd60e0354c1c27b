// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/uts.h: the names that uname(2) gives. Private to posix.
#pragma once

#include <execution/process.h>

// Fills them, for the vDSO, too. After vdso_init().
void uts_init(struct uts_names *names);
// Changes `field`, one of the two of `names` that change, to `name` (all its bytes; the last one is
// zero), for calls and for the vDSO. Any thread; takes names->lock.
void uts_set(struct uts_names *names, char *field, const char name[UTS_BYTES]);
