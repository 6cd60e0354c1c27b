// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/native.h>: the native system calls: numbers from 4,096 up, for programs of any
// personality.
//
// A call is made like a Linux call of the machine; its result is a value from 0 up, or a negative
// enum hx_status. Linux's calls and these mix in one program. What a handle allows is checked by
// every call that takes one: HX_ERR_BAD_HANDLE (not a handle, or of another kind of object),
// HX_ERR_ACCESS_DENIED (a right is missing), HX_ERR_REVOKED. Calls that make a handle may fail with
// HX_ERR_NO_MEMORY, HX_ERR_LIMIT and HX_ERR_TABLE_FULL, those that take an address with
// HX_ERR_BAD_ADDRESS. Handles are a process's own: fork passes none on (but see
// handle_bequeath), exec closes all.
#pragma once

#include <helix/types.h>

// What a handle is for.
enum hx_object {
    HX_OBJECT_OTHER = 0,
    HX_OBJECT_EVENT = 1,
    HX_OBJECT_FILE = 2,    // an open file description: what POSIX descriptors name
    HX_OBJECT_CHANNEL = 3, // one end of a channel
};

struct hx_handle_info {
    uint32_t object; // enum hx_object
    uint32_t live;   // 0: it was revoked
    uint64_t rights; // HX_RIGHT_…; 0 if it was revoked
};

// An end of a channel as channel_map has mapped it; <helix/channel.h> has what lies there.
struct hx_channel_view {
    uint64_t address;
    uint32_t slots; // of each of the two rings
    uint32_t end;   // 0 or 1
};

// One object that hx_wait looks at.
struct hx_wait_item {
    handle_t handle;
    uint32_t mask;      // HX_STATE_… that make it ready
    uint32_t out_state; // what is set now, within the mask; HX_STATE_REVOKED always counts
    uint32_t zero;      // must be 0
};

#define HX_STATE_READABLE (1u << 0)
#define HX_STATE_WRITABLE (1u << 1)
#define HX_STATE_ERROR    (1u << 2)
#define HX_STATE_CLOSED   (1u << 3)    // there is no peer any more
#define HX_STATE_USER     (0xffu << 8) // an event's, with the program's meaning
#define HX_STATE_REVOKED  (1u << 31)   // the handle was revoked
#define HX_WAIT_MAX       64u

// X(name, number): the calls. Their arguments, in order:
//   handle_close(handle)
//   handle_derive(handle, rights) -> handle         with those of the rights that `handle` has
//   handle_revoke(handle)                           kills a derived handle in every process, and
//   all
//                                                   derived from it; needs ADMIN. On return no call
//                                                   acts under it. HX_ERR_NOT_PERMITTED: not
//                                                   derived
//   handle_info(handle, struct hx_handle_info *)
//   event_create(state) -> handle                   state: bits of HX_STATE_USER
//   event_update(handle, clear, set)                needs SIGNAL; bits of HX_STATE_USER
//   wait(struct hx_wait_item *, count, deadline) -> number of items that are ready; needs WAIT on
//        each. The deadline is a moment of CLOCK_MONOTONIC in nanoseconds, TIME_NEVER: none.
//        HX_ERR_TIMED_OUT, HX_ERR_INTERRUPTED (a signal), HX_ERR_INVALID
//   channel_create(slots, handle_t handles[2])      two ends that share a pair of rings of so many
//        slots (a power of two, up to 4,096). HX_ERR_INVALID
//   channel_map(handle, struct hx_channel_view *)   maps the rings; needs READ, WRITE and MAP. What
//        is mapped stays so when the handle is closed or handed over, not when it is revoked; fork
//        does not pass it on. Also HX_ERR_NO_MEMORY (no room)
//   channel_notify(handle, states)                  wakes the other end: sets READABLE (there are
//        messages) or WRITABLE (there is room) there; needs SIGNAL. HX_ERR_PEER_DIED: it is closed
//   channel_arm(handle, states)                     the barrier of <helix/ring.h>: clears READABLE
//        or WRITABLE here; needs WAIT. Between it and a wait the caller looks at its ring. CLOSED
//        is set once the other end is closed in every process
//   channel_send(handle, sent)                      hands the handle `sent`, which needs DELEGATE,
//        to the other end; it is closed here. Needs WRITE. HX_ERR_WOULD_BLOCK (16 are on their way
//        there), HX_ERR_PEER_DIED, HX_ERR_INVALID (it is that other end), HX_ERR_BUSY (an end that
//        has been sent an end and has not received it)
//   channel_receive(handle) -> handle               the first one that is on its way here; needs
//        READ. HX_ERR_WOULD_BLOCK: none. Those that nobody receives are closed with the end
//   handle_bequeath(handle)                         the next child that is forked is given it; it
//        is closed here, and what was bequeathed before is closed. Needs DELEGATE
//   handle_given() -> handle                        what this process was given at its fork, once;
//        exec keeps it. HX_ERR_NOT_FOUND
#define HX_NATIVE_CALLS(X)                                                                         \
    X(handle_close, 4096)                                                                          \
    X(handle_derive, 4097)                                                                         \
    X(handle_revoke, 4098)                                                                         \
    X(handle_info, 4099)                                                                           \
    X(event_create, 4100)                                                                          \
    X(event_update, 4101)                                                                          \
    X(wait, 4102)                                                                                  \
    X(channel_create, 4103)                                                                        \
    X(channel_map, 4104)                                                                           \
    X(channel_notify, 4105)                                                                        \
    X(channel_arm, 4106)                                                                           \
    X(channel_send, 4107)                                                                          \
    X(channel_receive, 4108)                                                                       \
    X(handle_bequeath, 4109)                                                                       \
    X(handle_given, 4110)

// Calls of the POSIX personality, which only its processes have:
//   file_handle(descriptor) -> handle               what the descriptor names, to derive from
//   file_descriptor(handle, close_on_exec) -> descriptor   the lowest free one; HX_ERR_TABLE_FULL
//        A descriptor of a derived handle allows what that allows: READ to read (and map), WRITE to
//        write, cut, lock, set a timer and map shared, EXECUTE to start a path at it and to map so,
//        MAP, WAIT to poll, ADMIN to change attributes and flags and for ioctl. It cannot be
//        watched by epoll, become the working directory, be named by an empty path (AT_EMPTY_PATH),
//        nor be opened anew through /proc.
#define HX_POSIX_NATIVE_CALLS(X)                                                                   \
    X(file_handle, 4224)                                                                           \
    X(file_descriptor, 4225)

enum hx_native_call {
#define X(name, number) HX_CALL_##name = number,
    HX_NATIVE_CALLS(X) HX_POSIX_NATIVE_CALLS(X)
#undef X
};
