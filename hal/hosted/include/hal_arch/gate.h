// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/gate.h>: the machine's part of <hal/gate.h>.
#pragma once

struct hal_guard {
    char nothing; // is left behind
};

#define HAL_GUARDED_CALL(method, ...) (method)(__VA_ARGS__)

#define HAL_GATE_FAULTS 0 // a fault of the kernel is one of the host's process
