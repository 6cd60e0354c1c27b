// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/hosted/archive.h: the archive of linked programs.
#pragma once

#include <stdint.h>

// How many bytes it has, a multiple of 4; then, those bytes.
uint64_t archive_bytes(void);
void archive_make(char *to);
