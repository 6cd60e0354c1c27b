// SPDX-License-Identifier: MIT OR Apache-2.0
// The same as on a machine whose words are aligned.
#define HELIX_ALIGNED_WORDS 1
#include "test_string.c"
