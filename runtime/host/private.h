// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/private.h: between the files of this folder.
#pragma once

#include <host/host.h>

struct hx_env {
    const struct hx_module *module;
    void *self;
};

// Whether the manifest asks for it.
bool env_is_granted(const struct hx_env *env, uint32_t capability);
// That, and whether its manifest names the device, or the I/O port.
bool env_may_open(const struct hx_env *env, const char *device);
bool env_may_use(const struct hx_env *env, uint16_t port);
// The call `what` may sleep: breaks under a spin lock.
void may_sleep(const char *what);
// Whether this call, which needs memory, is the one that fails.
bool fails_now(void);
// Runs the module's code from outside: no lock is held before and behind.
void module_call(void (*handler)(void *context), void *context);

// A block of memory, of whole pages if `is_paged`. Zeroed; NULL: it was to fail.
void *ledger_alloc(size_t size_bytes, bool is_paged);
// Gives it back; breaks if there is none at that address, or not of that kind.
void ledger_free(void *memory, bool is_paged);
size_t ledger_size(const void *memory);

// A life begins, with an arena that is new or recovered; it ends; there is none any more.
void state_begin(bool has_arena);
void state_end(void);
void state_reset(void);
// The schema of what is in the arena; 0: there is nothing in it, or no arena.
uint32_t state_schema(void);
// What is in the arena has this one.
void state_take(uint32_t schema);

void life_reset(void);
// All blocks are free.
void ledger_release(void);
void ledger_reset(void);
void locks_reset(void);
void log_reset(void);
// The module has none any more, and hears of none.
void devices_close(void);
void devices_reset(void);
void dma_reset(void);
