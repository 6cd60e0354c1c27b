// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/execution/native.c: who serves which native calls.
#include <core/log.h>
#include <execution/native.h>

static struct {
    uint64_t first;
    const native_call_t *calls;
    uint32_t count;
} tables[NATIVE_TABLES]; // written before programs run
static uint32_t table_count;

void native_calls_register(uint64_t first, const native_call_t *table, uint32_t count) {
    ASSERT(table_count < NATIVE_TABLES && first >= NATIVE_CALL_FIRST);
    tables[table_count].first = first;
    tables[table_count].calls = table;
    tables[table_count].count = count;
    table_count++;
}

static native_call_t call_find(uint64_t number) {
    for (uint32_t i = 0; i < table_count; i++) {
        const uint64_t index = number - tables[i].first;
        if (index < tables[i].count) {
            return tables[i].calls[index];
        }
    }
    return NULL;
}

bool native_call(struct hal_frame *frame) {
    const native_call_t call = call_find(hal_frame_syscall_number(frame));
    if (call == NULL) {
        return false;
    }
    uint64_t args[6];
    for (uint32_t i = 0; i < ARRAY_SIZE(args); i++) {
        args[i] = hal_frame_argument(frame, i);
    }
    hal_frame_set_result(frame, call(args));
    return true;
}
