// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_1_0.c: crumb as it was built when helix.char was 1.0.
#define CRUMB_VERSION 1, 0, 0
#include "crumb.h"

_Static_assert(sizeof(struct char_ops) == 3 * sizeof(void *), "what comes behind is not its own");
