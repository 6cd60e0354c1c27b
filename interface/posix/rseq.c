// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/rseq.c: restartable sequences, rseq(2), as Linux 6.1 has them
// (include/uapi/linux/rseq.h, kernel/rseq.c; there is no manual page of section 2).
//
// A thread registers a struct rseq. Before it runs user code after a switch, the processor is
// written there. Where rseq_cs points to a descriptor and the thread is between its start and its
// end, the thread goes on at abort_ip instead, if the four bytes before that are the signature. The
// pointer is cleared then, and wherever the thread is found outside.
//
// A switch away marks a thread that has registered (THREAD_SWITCHED), which the way to user mode
// looks for with everything else; the mark is cleared before the processor is looked at, so a
// switch in between sets it again, and all is done again.
#include "rseq.h"
#include "life.h"
#include "signals.h"

#include <memory/usercopy.h>

#define RSEQ_UNREGISTER  1
#define RSEQ_CPU_NOT_SET UINT32_MAX

struct rseq_user { // struct rseq
    uint32_t cpu_start;
    uint32_t cpu;
    uint64_t section; // address of a struct rseq_section, 0: none
    uint32_t flags;
    uint32_t padding[3];
};
_Static_assert(sizeof(struct rseq_user) == 32, "the ABI");
#define RSEQ_ALIGNMENT sizeof(struct rseq_user)

struct rseq_section { // struct rseq_cs
    uint32_t version;
    uint32_t flags;
    uint64_t start;
    uint64_t length;
    uint64_t abort;
};

static struct uaddr member(const struct posix_thread *thread, size_t offset) {
    return uaddr_make(thread->rseq + offset);
}

static enum hx_status section_get(uint64_t rseq, uint64_t *out_section) {
    return copy_from_user(out_section, uaddr_make(rseq + offsetof(struct rseq_user, section)),
                          sizeof(*out_section));
}

static enum hx_status section_clear(uint64_t rseq) {
    const uint64_t none = 0;
    return copy_to_user(uaddr_make(rseq + offsetof(struct rseq_user, section)), &none,
                        sizeof(none));
}

// Its end is at most the end of user addresses, and `abort` is not inside.
static bool is_sound(const struct rseq_section *section) {
    uint64_t end;
    return section->start < HAL_USER_END && section->abort < HAL_USER_END &&
           section->version == 0 &&
           !__builtin_add_overflow(section->start, section->length, &end) && end < HAL_USER_END &&
           section->abort - section->start >= section->length;
}

// The section that the thread has announced; none: one without length.
static enum hx_status section_load(const struct posix_thread *thread,
                                   struct rseq_section *section) {
    uint64_t address;
    enum hx_status status = section_get(thread->rseq, &address);
    *section = (struct rseq_section){ 0 };
    if (status != HX_OK || address == 0) {
        return status;
    }
    status = copy_from_user(section, uaddr_make(address), sizeof(*section));
    if (status != HX_OK) {
        return status;
    }
    if (!is_sound(section)) {
        return HX_ERR_INVALID;
    }
    uint32_t signature; // at any address: user_load32() wants whole words
    status = copy_from_user(&signature, uaddr_make(section->abort - sizeof(signature)),
                            sizeof(signature));
    return status == HX_OK && signature != thread->rseq_signature ? HX_ERR_INVALID : status;
}

// No flag is left that 6.1 takes, in either place.
static enum hx_status check_flags(const struct posix_thread *thread,
                                  const struct rseq_section *section) {
    uint32_t flags = 0;
    enum hx_status status = HX_ERR_INVALID;
    if (section->flags == 0) {
        status = copy_from_user(&flags, member(thread, offsetof(struct rseq_user, flags)),
                                sizeof(flags));
    }
    return status == HX_OK && flags != 0 ? HX_ERR_INVALID : status;
}

static enum hx_status section_give_up(const struct posix_thread *thread, struct hal_frame *frame) {
    struct rseq_section section;
    enum hx_status status = section_load(thread, &section);
    if (status != HX_OK) {
        return status;
    }
    const bool is_inside = hal_frame_pc(frame) - section.start < section.length;
    if (is_inside) {
        status = check_flags(thread, &section);
    }
    if (status == HX_OK) {
        status = section_clear(thread->rseq);
    }
    if (status == HX_OK && is_inside) {
        hal_frame_set_pc(frame, section.abort);
    }
    return status;
}

static enum hx_status write_cpu(const struct posix_thread *thread, uint32_t start, uint32_t cpu) {
    const uint32_t both[2] = { start, cpu };
    _Static_assert(offsetof(struct rseq_user, cpu) == sizeof(uint32_t), "one copy has both");
    return copy_to_user(member(thread, 0), both, sizeof(both));
}

static enum hx_status refresh(struct posix_thread *thread, struct hal_frame *frame) {
    thread_attention_clear(&thread->native->thread, THREAD_SWITCHED);
    if (thread->rseq == 0) {
        return HX_OK;
    }
    const enum hx_status status = section_give_up(thread, frame);
    const uint32_t cpu = hal_cpu_id();
    return status == HX_OK ? write_cpu(thread, cpu, cpu) : status;
}

static void force_fault(struct posix_thread *thread) {
    const struct posix_siginfo info = { .number = SIGSEGV, .code = SI_KERNEL };
    const struct hal_fault none = { 0 };
    (void)signal_force(thread, &info, &none);
}

void rseq_after_switch(struct posix_thread *thread, struct hal_frame *frame) {
    if (refresh(thread, frame) != HX_OK) {
        force_fault(thread);
    }
}

// Where SIGSEGV itself cannot be delivered for it, the process ends.
void rseq_before_handler(struct posix_thread *thread, struct hal_frame *frame, int32_t number) {
    if (thread->rseq == 0 || refresh(thread, frame) == HX_OK) {
        return;
    }
    if (number == SIGSEGV) {
        (void)group_exit_begin(thread->process, SIGSEGV);
    } else {
        force_fault(thread);
    }
}

// A thread that has registered hears of each switch from now on, and of one at once.
static void hear_switches(struct posix_thread *thread) {
    struct thread *core = &thread->native->thread;
    core->tells_switches = thread->rseq != 0;
    if (core->tells_switches) {
        atomic_fetch_or_explicit(&core->attention, THREAD_SWITCHED, memory_order_relaxed);
    }
}

void rseq_begin(struct posix_thread *thread) {
    hear_switches(thread);
}

void rseq_forget(struct posix_thread *thread) {
    thread->rseq = 0;
    thread->rseq_signature = 0;
    hear_switches(thread);
}

static enum hx_status unregister(struct posix_thread *thread, uint64_t address, uint32_t length,
                                 uint32_t signature) {
    if (thread->rseq == 0 || thread->rseq != address || length != sizeof(struct rseq_user)) {
        return HX_ERR_INVALID;
    }
    if (thread->rseq_signature != signature) {
        return HX_ERR_NOT_PERMITTED;
    }
    const enum hx_status status = write_cpu(thread, 0, RSEQ_CPU_NOT_SET);
    if (status == HX_OK) {
        rseq_forget(thread);
    }
    return status;
}

static enum hx_status register_again(const struct posix_thread *thread, uint64_t address,
                                     uint32_t length, uint32_t signature) {
    if (thread->rseq != address || length != sizeof(struct rseq_user)) {
        return HX_ERR_INVALID;
    }
    return thread->rseq_signature == signature ? HX_ERR_BUSY : HX_ERR_NOT_PERMITTED;
}

// The area has to be there, and what an earlier thread left in it is not looked at: C libraries use
// areas again (Linux since fd881d0a085f, which 6.1 got later).
static enum hx_status prepare_area(uint64_t address) {
    uint64_t section;
    if (address >= HAL_USER_END) { // aligned, so its end is one of user addresses, too
        return HX_ERR_BAD_ADDRESS;
    }
    const enum hx_status status = section_get(address, &section);
    return status == HX_OK && section != 0 ? section_clear(address) : status;
}

enum hx_status sys_rseq(struct call *call) {
    struct posix_thread *thread = call->thread;
    const uint64_t address = call->args[0];
    const uint32_t length = call_uint(call, 1);
    const int32_t flags = call_int(call, 2);
    const uint32_t signature = call_uint(call, 3);
    if (flags == RSEQ_UNREGISTER) {
        return unregister(thread, address, length, signature);
    }
    if (flags != 0) {
        return HX_ERR_INVALID;
    }
    if (thread->rseq != 0) {
        return register_again(thread, address, length, signature);
    }
    if (address % RSEQ_ALIGNMENT != 0 || length != sizeof(struct rseq_user)) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = prepare_area(address);
    if (status == HX_OK) {
        thread->rseq = address;
        thread->rseq_signature = signature;
        hear_switches(thread);
    }
    return status;
}
