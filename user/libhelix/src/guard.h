// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/guard.h: memory that somebody else may take away.
//
// When the capability goes under which memory is mapped, a touch of it is SIGSEGV; SIGBUS, when the
// memory is made smaller. In guarded memory the touch finds zeroes of this process's own in its
// place, and goes on: for whoever checks what lies there that is one more lie of the peer, and the
// kernel then says HX_ERR_REVOKED.
#pragma once

#include <libhelix/calls.h>

// From now on; the first time it takes over both, whose handlers of then get all others.
// HX_ERR_LIMIT: there are too many.
HX_MUST_CHECK enum hx_status guard_begin(void *start, size_t size);

// Before it is unmapped. Nothing happens if it is not guarded.
void guard_end(void *start);
