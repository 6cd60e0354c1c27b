// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/execution/native.c: the table of native calls.
#include <execution/native.h>

static const native_call_t *calls; // written once, before programs run
static uint32_t call_count;

void native_calls_register(const native_call_t *table, uint32_t count) {
    calls = table;
    call_count = count;
}

bool native_call(struct hal_frame *frame) {
    const uint64_t index = hal_frame_syscall_number(frame) - NATIVE_CALL_FIRST;
    if (index >= call_count || calls[index] == NULL) {
        return false;
    }
    uint64_t args[6];
    for (uint32_t i = 0; i < ARRAY_SIZE(args); i++) {
        args[i] = hal_frame_argument(frame, i);
    }
    hal_frame_set_result(frame, calls[index](args));
    return true;
}
