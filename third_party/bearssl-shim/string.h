// SPDX-License-Identifier: MIT OR Apache-2.0
// string.h: all that BearSSL's hashes need from a C library, in the place of the standard header.
#pragma once

#include <lib/string.h>
