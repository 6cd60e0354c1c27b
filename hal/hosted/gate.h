// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/gate.h: offsets for gate.S; asserted in gate.c.
#pragma once

#define PROCESSOR_CURRENT 0
#define PROCESSOR_ENTERED 32 // by number of the gate, 8 bytes each
#define PROCESSOR_LEFT    544
#define CONTEXT_GATES     40
#define GATE_NUMBER       0
#define GATE_CLOSED       4
