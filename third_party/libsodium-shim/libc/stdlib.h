// SPDX-License-Identifier: MIT OR Apache-2.0
// stdlib.h: what libsodium uses of it, in functions that nobody calls here.
#pragma once

#include <stddef.h>

#define abort __builtin_trap
