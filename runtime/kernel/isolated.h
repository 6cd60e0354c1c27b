// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/isolated.h: modules in ring 3, the kernel's end (docs/decisions/044).
//
//   domain.c      the process of one life of a module: its memory, its workers, its end
//   link.c        work on its way to a worker and back
//   slot.c        the ports that it provides: calls of the kernel become work
//   lend.c        helix.block: pages that are lent beyond a call
//   reach.c       its devices, their interrupts and the memory that they use
//   service.c     what its workers ask the kernel for
//   twin.c        of that, what lasts of the module: its arena
//   isolated.c    the operations that registry, swap and healing know of a module
#pragma once

#include "private.h"

#include <core/wait.h>
#include <execution/process.h>
#include <runtime/service.h>

struct domain;

// ---- link.c

// Something for a worker to do; on the stack of who wants it done, who waits.
struct work {
    struct list link; // [lock] in the queue
    enum service_work kind;
    uint32_t number; // see <runtime/service.h>
    uint64_t argument;
    struct wire_message message; // of a call: the request, then the reply
    const uint8_t *body;         // of a paged request, as many bytes as it says
    uint8_t *reply;              // where a paged reply goes
    uint32_t reply_bytes;        // as many at most
    enum hx_status status;       // of SERVICE_WORK_LIFE: the module's answer
    enum hx_status result;       // [lock] what link_do() returns
    bool is_done;                // [lock]
    struct waitable done;        // pulsed
};

struct worker {
    struct domain *domain;
    uint32_t number;
    struct user_thread *thread; // keeps
    struct work *work;          // [lock] what it does; NULL: nothing
    bool is_copying;            // [lock] it uses *work: who waits for that goes on waiting
    uint8_t *event;             // own: SERVICE_PAGE_REPLY pages for an event's body, and as many
                                // for what is made of it
};

struct link {
    struct spinlock lock;
    struct list queue;       // [lock] work that nobody has taken
    uint32_t idle;           // [lock] workers that wait
    bool is_dead;            // [lock] nothing is done any more
    struct waitable changed; // pulsed when there is work, and at the end
};

void link_init(struct link *link);
// Gives it to a worker and waits for the answer. HX_OK, and `status` or `message` is it, of which
// nothing was checked but that it fits; HX_ERR_PEER_DIED: the module has died, or does so of not
// answering in time; HX_ERR_CORRUPT: its answer is none. Thread context.
enum hx_status link_do(struct domain *domain, struct work *work);
// A worker asks: what it did is answered, what is next is in its area. HX_ERR_PEER_DIED: nothing
// is next; HX_ERR_BAD_ADDRESS: it has no area any more. Thread context, the worker's.
enum hx_status link_next(struct worker *worker);
// Whether the worker does the module's init or start.
bool link_begins(const struct worker *worker);
// Nothing is done any more, and who waits comes out. Thread context.
void link_end(struct domain *domain);

// ---- twin.c

struct twin_update {
    struct hx_update *update; // own, of the module's arena; NULL: free
    uint32_t done;            // steps since it was empty
};

struct twin {
    struct mutex lock;
    uint64_t bytes_max;                              // of the arena
    struct twin_update updates[HX_UPDATES_ISOLATED]; // [lock]
};

void twin_init(struct twin *twin);
// SERVICE_ARENA with its arguments, of a worker; gives its result, HX_ERR_NOT_SUPPORTED if the
// module has no arena. Thread context.
int64_t twin_call(struct domain *domain, uint64_t a, uint64_t b, uint64_t c);
// ---- lend.c

struct lender;
struct wire_target;

// What stands between helix.block's callers and `target`, who is the module's end; NULL: no memory.
// heap_free() ends it, once nobody has the slot and the workers are gone.
struct lender *lender_create(struct domain *domain, struct wire_target *target);
// The operations table of the port, whose `self` is the lender.
const void *lender_operations(void);
// The name below SERVICE_LENT_MAX of a page, in a call that the lender makes.
uint32_t lender_name(const struct lender *lender, const void *page);
// The page is used, by a device or to be copied, as long as lender_unuse() was not called: access
// is HX_DMA_…. HX_ERR_INVALID: nothing has that name, which is below SERVICE_LENT_MAX;
// HX_ERR_ACCESS_DENIED: it was not lent for that. Any thread of the module.
enum hx_status lender_use(struct lender *lender, uint32_t name, uint32_t access, void **out_page);
void lender_unuse(struct lender *lender, uint32_t name);

// ---- reach.c

// An interrupt that it hears.
struct reached_line {
    struct domain *domain; // NULL: none
    uint32_t number;
};

struct reach {
    struct spinlock lock;
    _Atomic uint32_t device_count;                 // [lock for writing]
    struct hx_device devices[SERVICE_DEVICES_MAX]; // each set once
    struct reached_line lines[SERVICE_LINES_MAX];  // [lock] each set once
    struct list memory;                            // [lock] own: that devices see
    struct list lendings;                          // [lock] own: pages lent on to devices
};

void reach_init(struct reach *reach);
// NULL: it has opened none of that number.
const struct hx_device *reach_device(const struct reach *reach, uint64_t number);
// borrow.c: what the module has lent on to devices is forgotten. Its workers are gone.
void borrowings_free(struct reach *reach);
// Nothing of it is in the module's address space any more; its workers are gone. Thread context.
void reach_end(struct domain *domain);

// ---- domain.c

struct slot; // slot.c's

struct domain {
    struct hx_env *env;
    struct process *process; // keeps
    struct uaddr pool;       // of all areas
    struct link link;
    uint32_t worker_count;                           // [link.lock]
    struct worker workers[SERVICE_WORKERS_MAX];      // [link.lock] as many as that
    _Atomic(struct slot *) slots[SERVICE_SLOTS_MAX]; // own; each set once
    struct waitable words;                           // pulsed by SERVICE_WAKE
    struct twin twin;
    struct reach reach;
};

// A process with the module of `env`'s package in it, and a first worker. HX_ERR_NO_MEMORY,
// HX_ERR_LIMIT. Thread context.
enum hx_status domain_create(struct hx_env *env, struct domain **out_domain);
// Its workers do nothing more, and are gone. Nobody waits for its work any more. Not by a worker.
// Thread context.
void domain_stop(struct domain *domain);
// Ends it, whatever its workers do, and waits for them. Nobody waits for its work any more, and
// nobody has its slots. NULL is allowed. Thread context.
void domain_end(struct domain *domain);
// One worker more, if there may be.
void domain_worker_add(struct domain *domain);
// Its workers are told to go, whatever they do, and nobody waits for its work any more. Any thread
// context.
void domain_kill(struct domain *domain);
// It has died; the orchestrator is told. Any thread context.
void domain_die(struct domain *domain, const struct gate_death *death);
// Where in the pool a worker's area is.
struct uaddr domain_area(const struct worker *worker);

// ---- slot.c

// The module provides a port in ring 3: calls go there from now on. Borrows the names. What
// hx_port_provide() returns; HX_ERR_INVALID: the number is used; HX_ERR_NOT_SUPPORTED.
enum hx_status slot_provide(struct domain *domain, const char *port, const char *name,
                            uint32_t number);
// An event of a slot came, whose body is in worker->event. HX_ERR_INVALID, HX_ERR_CORRUPT.
enum hx_status slot_event(struct worker *worker, uint32_t number, struct wire_message *message);
// Most bytes of an event of that slot; 0: there is none.
uint32_t slot_event_bytes(const struct domain *domain, uint32_t number);
// Of a slot whose port lends pages; NULL: there is none such.
struct lender *slot_lender(const struct domain *domain, uint32_t number);
void slots_free(struct domain *domain);

// ---- service.c

extern const struct thread_ops service_thread_ops;
// The calling worker ends.
NORETURN void worker_exit(void);

// ---- user_image.c

// Where the host's code for that is. Needs: a domain.
uint64_t host_doom(enum service_doom kind);

// ---- doom.c

// A module of that name, as its gates have it, calls the SDK: whether it is to fault now, and how.
bool doom_due(const char *module, enum service_doom *out_kind);

// ---- isolated.c

// In the place of a module's own operations.
extern const struct hx_module_ops isolated_ops;
