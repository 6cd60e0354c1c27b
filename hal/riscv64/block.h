// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/block.h: offsets in struct cpu_block for assembly; smp.c asserts them.
#pragma once

#define BLOCK_CURRENT   8
#define BLOCK_STACK_LOW 24
#define BLOCK_STACK_TOP 32
#define BLOCK_EMERGENCY 40
#define BLOCK_SCRATCH   48
#define BLOCK_SCRATCH2  56
#define BLOCK_GUARD     104 // stack pointer, way back, frame pointer
#define BLOCK_ENTERED   128 // by number of the gate, 8 bytes each
#define BLOCK_LEFT      640

// In struct hal_context and struct hal_gate.
#define CONTEXT_SP        0
#define CONTEXT_GATES     8
#define CONTEXT_STACK_LOW 16
#define GATE_NUMBER       0
#define GATE_CLOSED       4

#define EMERGENCY_BYTES 8192
// No kernel stack is larger: boot's.
#define STACK_BYTES_MOST 32768
