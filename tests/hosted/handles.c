// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/handles.c: native handles and descriptors as capabilities: rights, derivation, and
// revocation while others use what is revoked.
#include "check.h"

#define USER(n) (1u << (8 + (n)))
#define EVENT   (HX_RIGHT_SIGNAL | HX_RIGHT_WAIT | HX_RIGHT_ADMIN)
#define ITEM_AT PAD
#define NEVER   0x7fffffffffffffffull

static uint64_t event_new(uint32_t state) {
    const int64_t handle = NATIVE(event_create, state);
    NEED(handle > 0);
    return (uint64_t)handle;
}

// What a wait says about one handle: its state, or a negative status.
static int64_t look(uint64_t handle, uint32_t mask, uint64_t deadline) {
    const struct hx_wait_item item = { .handle = (handle_t)handle, .mask = mask };
    hosted_write(ITEM_AT, &item, sizeof(item));
    const int64_t result = NATIVE(wait, ITEM_AT, 1, deadline);
    return result == 1 ? (int64_t)hosted_load(ITEM_AT + 8, 4) : result;
}

static void events_have_states(void) {
    const uint64_t event = event_new(USER(1));
    SAME(look(event, USER(1) | USER(2), 0), USER(1));
    SAME(NATIVE(event_update, event, USER(1), USER(2)), HX_OK);
    SAME(look(event, USER(1), 0), HX_ERR_TIMED_OUT);
    SAME(look(event, USER(2), 0), USER(2));
    SAME(NATIVE(handle_close, event), HX_OK);
    SAME(look(event, USER(2), 0), HX_ERR_BAD_HANDLE);
}

static void rights_only_shrink(void) {
    const uint64_t event = event_new(0);
    const uint64_t waits = (uint64_t)NATIVE(handle_derive, event, HX_RIGHT_WAIT);
    SAME(NATIVE(event_update, waits, 0, USER(0)), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(event_update, event, 0, USER(0)), HX_OK);
    SAME(look(waits, USER(0), 0), USER(0));
    SAME(NATIVE(handle_revoke, waits), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(handle_revoke, event), HX_ERR_NOT_PERMITTED); // it is the root
}

static void revocation_takes_all_below(void) {
    const uint64_t event = event_new(USER(0));
    const uint64_t child = (uint64_t)NATIVE(handle_derive, event, EVENT | HX_RIGHT_DELEGATE);
    const uint64_t below = (uint64_t)NATIVE(handle_derive, child, EVENT);
    SAME(look(below, USER(0), 0), USER(0));
    SAME(NATIVE(handle_revoke, child), HX_OK);
    SAME(NATIVE(event_update, below, 0, USER(1)), HX_ERR_REVOKED);
    SAME(NATIVE(handle_derive, child, EVENT), HX_ERR_REVOKED);
    SAME(look(event, USER(0), 0), USER(0));
}

// ---- under load --------------------------------------------------------------------------------

#define CHILD_AT (PAD + 256) // the handle that the threads use
#define READY_AT (PAD + 320)
#define TIDS_AT  (PAD + 512)

// Uses the handle until it is gone.
static int uses(uint64_t unused) {
    (void)unused;
    const uint64_t handle = hosted_load(CHILD_AT, 8);
    int64_t status;
    while ((status = NATIVE(event_update, handle, 0, USER(3))) == HX_OK) {
        hosted_store(READY_AT, 1, 4);
    }
    SAME(status, HX_ERR_REVOKED);
    return 0;
}

static void after_a_revocation_nobody_acts(void) {
    const uint64_t event = event_new(0);
    for (uint32_t round = 0; round < 30; round++) {
        hosted_store(CHILD_AT, (uint64_t)NATIVE(handle_derive, event, EVENT), 8);
        hosted_store(READY_AT, 0, 4);
        (void)thread_new(uses, 1, TIDS_AT);
        (void)thread_new(uses, 2, TIDS_AT + 4);
        spin_while(READY_AT, 0);
        SAME(NATIVE(handle_revoke, hosted_load(CHILD_AT, 8)), HX_OK);
        SAME(NATIVE(event_update, event, USER(3), 0), HX_OK);
        SAME(look(event, USER(3), 0), HX_ERR_TIMED_OUT);
        thread_join(TIDS_AT);
        thread_join(TIDS_AT + 4);
        SAME(look(event, USER(3), 0), HX_ERR_TIMED_OUT);
    }
}

static int waits_for_it(uint64_t unused) {
    (void)unused;
    const struct hx_wait_item item = { .handle = (handle_t)hosted_load(CHILD_AT, 8),
                                       .mask = USER(5) };
    hosted_write(PAD + 1024, &item, sizeof(item));
    hosted_store(READY_AT, 1, 4);
    SAME(NATIVE(wait, PAD + 1024, 1, NEVER), 1);
    SAME(hosted_load(PAD + 1032, 4), HX_STATE_REVOKED);
    return 0;
}

static void revocation_ends_waits(void) {
    const uint64_t event = event_new(0);
    for (uint32_t round = 0; round < 10; round++) {
        hosted_store(CHILD_AT, (uint64_t)NATIVE(handle_derive, event, EVENT), 8);
        hosted_store(READY_AT, 0, 4);
        (void)thread_new(waits_for_it, 1, TIDS_AT);
        spin_while(READY_AT, 0);
        SAME(NATIVE(handle_revoke, hosted_load(CHILD_AT, 8)), HX_OK);
        thread_join(TIDS_AT);
    }
}

// ---- descriptors -------------------------------------------------------------------------------

static int64_t descriptor_of(uint64_t handle) {
    return NATIVE(file_descriptor, handle, 0);
}

static int reads_pipe(uint64_t file) {
    return CALL(read, file, PAD + 64, 1) == -EBADF ? 0 : 1;
}

// A child that reads through a derived descriptor gets an error when it is revoked.
static void descriptors_are_revoked_everywhere(void) {
    int32_t ends[2];
    SAME(CALL(pipe2, PAD, 0), 0);
    hosted_read(ends, PAD, sizeof(ends));
    const uint64_t root = (uint64_t)NATIVE(file_handle, ends[0]);
    const uint64_t reads =
        (uint64_t)NATIVE(handle_derive, root, HX_RIGHT_READ | HX_RIGHT_WAIT | HX_RIGHT_ADMIN);
    const int64_t file = descriptor_of(reads);
    NEED(file >= 0);
    SAME(CALL(write, ends[1], PAD, 1), 1);
    SAME(CALL(read, file, PAD + 64, 1), 1);
    const int64_t pid = child_new(reads_pipe, (uint64_t)file);
    SAME(NATIVE(handle_revoke, reads), HX_OK);
    SAME(child_wait(pid), EXITED(0));
    SAME(CALL(read, file, PAD + 64, 1), -EBADF);
}

static void mappings_go_with_their_right(void) {
    const uint64_t at = PAD + PAD_BYTES;
    const int64_t file = CALL(memfd_create, text_at(PAD, "memory"), 0);
    NEED(file >= 0);
    SAME(CALL(ftruncate, file, PAGE), 0);
    const uint64_t root = (uint64_t)NATIVE(file_handle, file);
    const uint64_t maps = (uint64_t)NATIVE(
        handle_derive, root, HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_MAP | HX_RIGHT_ADMIN);
    SAME(CALL(mmap, at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor_of(maps),
              0),
         at);
    hosted_store(at, 5, 8);
    SAME(NATIVE(handle_revoke, maps), HX_OK);
    SAME(CALL(getrandom, at, 8, 0), -EFAULT);
    SAME(CALL(pread64, file, PAD, 8, 0), 8);
    SAME(hosted_load(PAD, 8), 5);
}

static const struct check_case cases[] = {
    CASE(events_have_states),           CASE(rights_only_shrink),
    CASE(revocation_takes_all_below),   CASE(after_a_revocation_nobody_acts),
    CASE(revocation_ends_waits),        CASE(descriptors_are_revoked_everywhere),
    CASE(mappings_go_with_their_right),
};
CHECK_PROGRAM(handles, cases);
