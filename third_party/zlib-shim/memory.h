// SPDX-License-Identifier: MIT OR Apache-2.0
// memory.h: all that zlib's decompressor needs from a C library, put before each of its files.
#pragma once

#include <lib/string.h>
