// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/calls.c: what is the same for all native calls: which there are, and how registers
// are looked at that hold more than an argument.
// RUN: musl glibc
#include "native.h"

#include <libhelix/calls.h>

#define HIGH (UINT64_C(1) << 32)

static char listed[8192][64]; // names, by number
static int count;

static void is_listed(const char *name, int number) {
    CHECK(strcmp(listed[number], name) == 0);
    count--;
}

// The kernel says which it has: just those that programs know, of the same ABI.
static void listing(void) {
    unsigned long long abi = 0;
    unsigned number;
    char name[64];
    FILE *file = fopen("/proc/helix/calls", "r");
    NEED(file != NULL && fscanf(file, "abi %llx\n", &abi) == 1);
    CHECK(abi == HX_NATIVE_ABI);
    while (fscanf(file, "%u %63s\n", &number, name) == 2) {
        NEED(number < 8192);
        strcpy(listed[number], name);
        count++;
    }
    fclose(file);
#define X(name, number) is_listed(#name, number);
    HX_NATIVE_CALLS(X)
    HX_POSIX_CALLS(X)
#undef X
    SAME(count, 0);
}

static handle_t made(uint32_t state) {
    handle_t event = 0;
    NEED(hx_event_create(state, &event) == HX_OK);
    return event;
}

// A handle is all of its register.
static void wide_handles(void) {
    const uint64_t event = made(0) | HIGH;
    handle_t ends[2];
    struct hx_handle_info info;
    struct hx_channel_view view;
    NEED(hx_channel_create(4, ends) == HX_OK);
    const uint64_t end = ends[0] | HIGH;
    SAME(NATIVE(handle_close, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(handle_derive, event, HX_RIGHTS_ALL), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(handle_revoke, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(handle_info, event, &info), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(handle_bequeath, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(event_update, event, 0, 0x100), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_map, end, &view), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_notify, end, HX_STATE_READABLE), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_arm, end, HX_STATE_READABLE), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_send, end, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_send, ends[0], event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_receive, end), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(file_descriptor, event, 0), HX_ERR_BAD_HANDLE);
    SAME(hx_handle_info((handle_t)event, &info), HX_OK); // it is still there
}

// One object is not taken for another.
static void other_kinds(void) {
    handle_t timer = 0;
    NEED(hx_timer_create(&timer) == HX_OK);
    const handle_t event = made(0);
    char place[4096];
    SAME(NATIVE(event_update, timer, 0, 0x100), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_map, event, place), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_notify, event, HX_STATE_READABLE), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_arm, event, HX_STATE_READABLE), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_send, event, timer), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_receive, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_wait, event, HX_STATE_READABLE, 0, 0, 0), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_call, event, 0, 0, 0), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(memory_map, event, 0, 4096, 1), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(memory_resize, event, 4096), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(memory_size, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(timer_set, event, 1, 0), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(timer_take, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(account_create, event, place, place), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(account_limit, event, 0, 0), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(account_info, event, place), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(process_info, event, place), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(process_kill, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(file_descriptor, event, 0), HX_ERR_BAD_HANDLE);
}

// So are numbers, but for an int's, whose high half C does not define.
static void wide_numbers(void) {
    handle_t ends[2], event = made(0), file, derived = 0;
    int32_t descriptor = -1;
    NEED(hx_channel_create(4, ends) == HX_OK);
    SAME(NATIVE(event_create, HIGH | 0x100), HX_ERR_INVALID);
    SAME(NATIVE(event_create, 0x10000), HX_ERR_INVALID);
    SAME(NATIVE(event_update, event, HIGH, 0), HX_ERR_INVALID);
    SAME(NATIVE(event_update, event, 0, HIGH), HX_ERR_INVALID);
    SAME(NATIVE(event_update, event, 0, HX_STATE_READABLE), HX_ERR_INVALID);
    SAME(NATIVE(channel_create, HIGH | 4, ends), HX_ERR_INVALID);
    SAME(NATIVE(channel_notify, ends[0], HIGH), HX_ERR_INVALID);
    SAME(NATIVE(channel_arm, ends[0], HX_STATE_CLOSED), HX_ERR_INVALID);
    SAME(NATIVE(wait, NULL, HIGH, 0), HX_ERR_INVALID);
    SAME(NATIVE(wait, NULL, HX_WAIT_MAX + 1, 0), HX_ERR_INVALID);
    SAME(NATIVE(wait, NULL, HX_WAIT_MAX, 0), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(file_handle, -1), HX_ERR_BAD_HANDLE);
    const int64_t found = NATIVE(file_handle, HIGH | 1);
    NEED(found > 0);
    file = (handle_t)found;
    SAME(NATIVE(file_descriptor, file, 2), HX_ERR_INVALID);
    SAME(NATIVE(file_descriptor, file, HIGH), HX_ERR_INVALID);
    SAME(hx_file_descriptor(file, true, &descriptor), HX_OK);
    SAME(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
    SAME(hx_file_descriptor(event, true, &descriptor), HX_ERR_BAD_HANDLE);
    SAME(hx_handle_derive(file, HX_RIGHTS_ALL, &derived), HX_OK);
    SAME(hx_handle_revoke(derived), HX_OK);
    SAME(hx_file_descriptor(derived, true, &descriptor), HX_ERR_REVOKED);
}

static const struct check_case cases[] = {
    CASE(listing),
    CASE(wide_handles),
    CASE(other_kinds),
    CASE(wide_numbers),
};
CHECK_MAIN(cases)
