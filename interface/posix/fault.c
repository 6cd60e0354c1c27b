// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/fault.c: what a program did wrong becomes a signal, with the details of siginfo.
#include "life.h"
#include "signals.h"
#include "times.h"

#include <core/log.h>

#define LOG_LINES_MAX   10u // in each interval: a program cannot flood the log
#define LOG_INTERVAL_NS (5 * INT64_C(1000000000))

static bool log_is_allowed(void) {
    static _Atomic time_ns_t interval_start;
    static _Atomic uint32_t lines;
    const time_ns_t now = time_now();
    // Races only make the bound less exact.
    if (now - atomic_load_explicit(&interval_start, memory_order_relaxed) > LOG_INTERVAL_NS) {
        atomic_store_explicit(&interval_start, now, memory_order_relaxed);
        atomic_store_explicit(&lines, 0, memory_order_relaxed);
    }
    return atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed) < LOG_LINES_MAX;
}

// One line like Linux's, for a program that does not handle it itself.
static void log_fatal(struct posix_thread *thread, int32_t number, const struct hal_frame *frame,
                      const struct hal_fault *fault) {
    struct posix_process *process = thread->process;
    if (!log_is_allowed()) {
        return;
    }
    if (fault->kind == HAL_FAULT_PAGE) {
        log_info("%s[%d]: %s at %lx ip %lx sp %lx error %lx", process->command, thread->tid,
                 number == SIGBUS ? "bus error" : "segfault", (unsigned long)fault->address,
                 (unsigned long)hal_frame_pc(frame), (unsigned long)hal_frame_sp(frame),
                 (unsigned long)fault->code);
    } else {
        log_info("%s[%d]: trap %u, signal %d, ip %lx sp %lx error %lx", process->command,
                 thread->tid, fault->vector, number, (unsigned long)hal_frame_pc(frame),
                 (unsigned long)hal_frame_sp(frame), (unsigned long)fault->code);
    }
}

static void set_info(struct posix_siginfo *info, int32_t number, int32_t code, uint64_t address) {
    info->number = number;
    info->code = code;
    info->address = address;
}

// False: the page is there after all.
static bool page_fault(struct posix_thread *thread, const struct hal_fault *fault,
                       struct posix_siginfo *info) {
    uint32_t access = (fault->access & HAL_ACCESS_WRITE) ? ASPACE_WRITE : ASPACE_READ;
    if (fault->access & HAL_ACCESS_EXECUTE) {
        access = ASPACE_EXECUTE;
    }
    switch (aspace_fault(aspace_current(), fault->address, access)) {
    case HX_OK:
        return false;
    case HX_ERR_ACCESS_DENIED:
        set_info(info, SIGSEGV, SEGV_ACCERR, fault->address);
        return true;
    case HX_ERR_IO:
    case HX_ERR_OVERFLOW:
    case HX_ERR_LIMIT:
        set_info(info, SIGBUS, BUS_ADRERR, fault->address);
        return true;
    case HX_ERR_NO_MEMORY:
        HX_IGNORE(oom_wait(thread)); // a thread that is killed does not come back
        return false;
    default:
        set_info(info, SIGSEGV, SEGV_MAPERR, fault->address);
        return true;
    }
}

static int32_t float_code(enum hal_float_cause cause) {
    switch (cause) {
    case HAL_FLOAT_DIVIDE:
        return FPE_FLTDIV;
    case HAL_FLOAT_OVERFLOW:
        return FPE_FLTOVF;
    case HAL_FLOAT_UNDERFLOW:
        return FPE_FLTUND;
    case HAL_FLOAT_INEXACT:
        return FPE_FLTRES;
    case HAL_FLOAT_INVALID:
    case HAL_FLOAT_NONE:
        break;
    }
    return FPE_FLTINV;
}

// Fills `info`; false if there is nothing to signal.
static bool classify(struct posix_thread *thread, const struct hal_frame *frame,
                     const struct hal_fault *fault, struct posix_siginfo *info) {
    const uint64_t pc = hal_frame_pc(frame);
    switch (fault->kind) {
    case HAL_FAULT_PAGE:
        return page_fault(thread, fault, info);
    case HAL_FAULT_INSTRUCTION:
        set_info(info, SIGILL, HAL_SI_ILLEGAL, pc);
        return true;
    case HAL_FAULT_DIVIDE:
        set_info(info, SIGFPE, FPE_INTDIV, pc);
        return true;
    case HAL_FAULT_FLOAT:
        set_info(info, SIGFPE, float_code(fault->float_cause), pc);
        return true;
    case HAL_FAULT_BREAKPOINT:
        set_info(info, SIGTRAP, HAL_SI_BREAKPOINT, HAL_SI_BREAKPOINT == SI_KERNEL ? 0 : pc);
        return true;
    case HAL_FAULT_STEP:
        set_info(info, SIGTRAP, TRAP_TRACE, pc);
        return true;
    case HAL_FAULT_ALIGNMENT:
        set_info(info, SIGBUS, BUS_ADRALN, fault->address);
        return true;
    case HAL_FAULT_BUS:
        set_info(info, SIGBUS, BUS_OBJERR, fault->address);
        return true;
    case HAL_FAULT_PROTECTION:
    case HAL_FAULT_OVERFLOW:
    case HAL_FAULT_FATAL:
    case HAL_FAULT_STACK:
        break;
    }
    set_info(info, SIGSEGV, SI_KERNEL, 0);
    return true;
}

void posix_fault(struct thread *thread, struct hal_frame *frame, const struct hal_fault *fault) {
    struct posix_thread *self = thread->personality;
    struct posix_siginfo info = { 0 };
    if (classify(self, frame, fault, &info) && !signal_force(self, &info, fault)) {
        log_fatal(self, info.number, frame, fault);
    }
}
