// SPDX-License-Identifier: MIT OR Apache-2.0
// sys/types.h: libsodium includes it, and uses nothing of it.
#pragma once

#include <stddef.h>
