// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/code.h>: names of code that is not in the image, for backtraces and reports of faults.
#pragma once

#include <helix/types.h>

// From now on addresses in [start, end), which is not at 0, are told of as NAME+OFFSET. Borrows the
// name for good. What does not fit has no name. Calls of it are serialised by the
// callers; the opposite may come at any time.
void code_name_add(uint64_t start, uint64_t end, const char *name);
// The opposite.
void code_name_remove(uint64_t start);
