// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/block.h: offsets in struct cpu_block for assembly; smp.c asserts them.
#pragma once

#define BLOCK_CURRENT   8
#define BLOCK_EMERGENCY 24
#define BLOCK_SCRATCH   32
