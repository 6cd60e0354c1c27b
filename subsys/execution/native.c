// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/execution/native.c: who serves which native calls.
#include <core/log.h>
#include <execution/handles.h>
#include <execution/native.h>

static const struct native_calls *tables[NATIVE_TABLES]; // written before programs run
static uint32_t table_count;

void native_calls_register(const struct native_calls *calls) {
    ASSERT(table_count < NATIVE_TABLES && calls->first >= NATIVE_CALL_FIRST);
    tables[table_count++] = calls;
}

static const struct native_call_entry *entry_find(uint64_t number) {
    for (uint32_t i = 0; i < table_count; i++) {
        const uint64_t index = number - tables[i]->first;
        if (index < tables[i]->count && tables[i]->entries[index].serve != NULL) {
            return &tables[i]->entries[index];
        }
    }
    return NULL;
}

const char *native_call_name(uint64_t number) {
    const struct native_call_entry *entry = entry_find(number);
    return entry != NULL ? entry->name : NULL;
}

enum hx_status native_enter(uint64_t handle, enum object_kind kind, rights_t need,
                            struct capability **out_capability) {
    return handle <= UINT32_MAX
               ? handle_enter(process_current(), (handle_t)handle, kind, need, out_capability)
               : HX_ERR_BAD_HANDLE;
}

enum hx_status native_find(handle_t handle, rights_t need, struct capability **out_capability) {
    struct capability *capability;
    enum hx_status status = handle_find(process_current(), handle, &capability);
    if (status != HX_OK) {
        return status;
    }
    if ((capability_rights(capability) & need) != need) {
        status = capability_refusal(capability);
        capability_put(capability);
        return status;
    }
    *out_capability = capability;
    return HX_OK;
}

bool native_call(struct hal_frame *frame) {
    const struct native_call_entry *entry = entry_find(hal_frame_syscall_number(frame));
    if (entry == NULL) {
        return false;
    }
    uint64_t args[6];
    for (uint32_t i = 0; i < ARRAY_SIZE(args); i++) {
        args[i] = hal_frame_argument(frame, i);
    }
    hal_frame_set_result(frame, entry->serve(args));
    return true;
}
