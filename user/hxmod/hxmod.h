// SPDX-License-Identifier: MIT OR Apache-2.0
// user/hxmod/hxmod.h: what the files of hxmod share.
#pragma once

#include <helix/native.h>
#include <helix/types.h>

#define EXIT_REFUSED 1
#define EXIT_WORDS   2

// Says on stderr that something was refused, and why ("" if nobody said). EXIT_REFUSED.
int refused(const char *what, enum hx_status status, const char *why);

// Prints what happened to modules and what happens, a line for each, until it is killed. `modules`
// needs WAIT. EXIT_REFUSED.
int watch(handle_t modules);
// The same on the event bus: as topics modules/NAME, on the connection that the program was given
// when it was started. Ends when the bus has gone. EXIT_REFUSED.
int publish(handle_t modules);
