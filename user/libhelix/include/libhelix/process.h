// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/process.h>: children without fork, known by handles.
//
// A child gets what is listed and nothing else: descriptors by number, and one handle, usually an
// end of a channel through which it is sent others. POSIX's view stays true: it has a pid, is
// waited for by waitpid() or else stays a zombie, and its end is a SIGCHLD.
#pragma once

#include <libhelix/calls.h>

// Starts the program at `path` with these arguments (ends with NULL; the first one is its name) and
// the caller's environment. Its descriptor i is the caller's descriptors[i], -1: none. `given`
// (0: nothing) is what hx_handle_given() gives there; it is closed here on OK.
// What process_spawn returns, but for HX_ERR_INTERRUPTED: then it tries again.
HX_MUST_CHECK enum hx_status hx_spawn(const char *path, const char *const arguments[],
                                      const int32_t *descriptors, uint32_t descriptors_count,
                                      handle_t given, handle_t *out_process);

// The same with the program of a handle for a file (EXECUTE); `name` is what it is called.
HX_MUST_CHECK enum hx_status hx_spawn_file(handle_t file, const char *name,
                                           const char *const arguments[],
                                           const int32_t *descriptors, uint32_t descriptors_count,
                                           handle_t given, handle_t *out_process);

// The same, charged to the account of that handle, which needs CREATE (0: as the caller is).
HX_MUST_CHECK enum hx_status hx_spawn_into(handle_t account, const char *path,
                                           const char *const arguments[],
                                           const int32_t *descriptors, uint32_t descriptors_count,
                                           handle_t given, handle_t *out_process);

// Waits for its end and takes it out of the table of processes if it is the caller's child; the
// handle is closed then. *out_status is as waitpid() gives it.
// HX_ERR_TIMED_OUT, HX_ERR_INTERRUPTED, HX_ERR_REVOKED; and what wait and process_info return.
HX_MUST_CHECK enum hx_status hx_process_wait(handle_t process, time_ns_t deadline,
                                             int32_t *out_status);
