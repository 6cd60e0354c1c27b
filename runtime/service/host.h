// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/host.h: what the files of the host share.
#pragma once

#include <helix/env.h>
#include <libhelix_arch/syscall.h>
#include <runtime/service.h>

// The one module's world.
struct hx_env {
    const struct hx_module *module; // NULL: it was not begun
    void *self;                     // what its init gave
};

// A call of the kernel with up to three arguments.
static inline int64_t service_call(enum service_call call, uint64_t a, uint64_t b, uint64_t c) {
    return libhelix_syscall(call, a, b, c, 0, 0, 0);
}

// The same with more.
static inline int64_t service_call5(enum service_call call, uint64_t a, uint64_t b, uint64_t c,
                                    uint64_t d, uint64_t e) {
    return libhelix_syscall(call, a, b, c, d, e, 0);
}

// What the kernel, or an area, says is an address here.
static inline void *service_pointer(int64_t address) {
    return (void *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr): that is what it is
}

static inline uint64_t service_address(const void *at) {
    return (uintptr_t)at;
}

// Never come back: enum service_doom.
void doom_null(void);
void doom_jump(void);
void doom_copy(void);
void doom_undefined(void);
void doom_divide(void);
void doom_loop(void);
void doom_spin(void);
void doom_overflow(void);

// Serves a call of slot area->number, which the area describes, and leaves the reply there.
void slots_serve(struct service_area *area);

// What lasts of the module's earlier lives, before its init. HX_ERR_NO_MEMORY; HX_ERR_TOO_BIG: an
// object is larger than it may be here.
enum hx_status arena_begin(struct hx_env *env);
// Calls who listens to interrupt `number`.
void interrupt_serve(uint32_t number);
