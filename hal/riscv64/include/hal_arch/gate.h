// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/gate.h>: the machine's part of <hal/gate.h>.
#pragma once

#define HAL_GATE_FAULTS 1
