// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/rseq.h: restartable sequences, rseq(2): what others tell rseq.c. Private to
// posix.
//
// All are for the thread itself, in thread context with nothing held, but rseq_begin().
#pragma once

#include <posix/process.h>

// A new thread, whose data is filled and which does not run yet: what it inherited is brought up to
// date before its first instruction.
void rseq_begin(struct posix_thread *thread);
// The program that registered it is gone.
void rseq_forget(struct posix_thread *thread);
// THREAD_SWITCHED is set: writes the processor where it is, and gives up the section that it was
// in. SIGSEGV if user memory does not let it.
void rseq_after_switch(struct posix_thread *thread, struct hal_frame *frame);
// The same, whether it was switched or not, before the frame of signal `number` is made of `frame`.
void rseq_before_handler(struct posix_thread *thread, struct hal_frame *frame, int32_t number);
