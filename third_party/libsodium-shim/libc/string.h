// SPDX-License-Identifier: MIT OR Apache-2.0
// string.h: all that libsodium's Ed25519 needs from a C library, where there is none.
#pragma once

#include <lib/string.h>
