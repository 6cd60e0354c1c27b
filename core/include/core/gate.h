// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/gate.h>: slots, and the gate of each: the way into a module and out of it.
//
// Every call of a module's method goes through the gate of its slot (<core/ports/NAME_calls.h>). So
// it is known when nobody is inside; the gate can be closed, after which calls wait; and whoever is
// inside when the module faults comes out with HX_ERR_PEER_DIED and keeps what he held. A call
// costs no read-modify-write and no fence: who closes pays, with an interrupt on every processor.
//
// Methods in atomic context have no gate: they run with interrupts off, so that such an interrupt
// alone tells that nobody is inside any more. Those of policies are guarded (HAL_GUARDED_CALL): one
// that faults returns HX_ERR_PEER_DIED (core/policy.c).
//
// A slot is for good. Thread context, preemption on, unless said otherwise.
#pragma once

#include <core/lock.h>
#include <core/patience.h>
#include <core/wait.h>
#include <hal/gate.h>
#include <helix/types.h>

#define GATES_MAX HAL_GATES_MAX

// In `closed` of a gate.
#define GATE_CLOSED (1u << 0) // calls wait
#define GATE_DEAD   (1u << 1) // calls are refused
#define GATE_FAULTS (1u << 2) // calls may be refused on purpose: INJECT_METHOD
#define GATE_GONE   (1u << 3) // with GATE_DEAD: for good

// How a module died.
struct gate_death {
    time_ns_t at;       // when it was noticed; 0: it did not
    const char *what;   // "fault 1"; borrowed for good, as the symbol
    const char *symbol; // where, or what else is to be said of it; NULL: nothing
    uint64_t offset;    // if it is placed: how far behind that
    uint64_t address;   // the same: that it touched
    bool is_placed;     // it was a place in code: a fault
};

#define GATE_DEATH_BYTES 128u // that its words take at most

struct gate {
    struct hal_gate hal;
    const char *slot, *port;      // borrowed for good
    _Atomic(const char *) module; // the same; NULL: nobody has the gate
    struct waitable changed;      // pulsed when it opens and when the module dies or lives again
    // Pulsed when the module dies: whoever waits for that decides whether it lives again. NULL: it
    // is gone. Borrowed for good.
    _Atomic(struct waitable *) supervisor;
    struct gate_death death; // the last one
    bool is_vacant;          // the supervisor's: the module's next life is to provide it
    void *self;              // of who is installed: what he provides it with
};

// A gate for a slot. Borrows the names for good; `port` may be NULL: a module's own threads.
// HX_ERR_LIMIT: there are GATES_MAX.
enum hx_status gate_create(const char *slot, const char *port, const char *module,
                           struct gate **out_gate);
// Gives back a gate that nobody was told of.
void gate_release(struct gate *gate);
// By number from 0; NULL: there is none.
struct gate *gate_at(uint32_t number);

enum hx_status gate_call_slow(struct gate *gate, int64_t (*method)(void *argument), void *argument);

// Calls `method(argument)`, which returns a status, inside. Waits while the gate is closed, unless
// the thread is inside already. HX_ERR_PEER_DIED: the module is dead, or died meanwhile.
static inline enum hx_status gate_call(struct gate *gate, int64_t (*method)(void *argument),
                                       void *argument) {
    const int64_t result = hal_gate_call(&gate->hal, method, argument);
    if (__builtin_expect(result == HAL_GATE_CLOSED, 0)) {
        return gate_call_slow(gate, method, argument);
    }
    return (enum hx_status)result;
}

// The same, but for who must not wait, since somebody inside may wait for him: HX_ERR_WOULD_BLOCK
// while the gate is closed.
enum hx_status gate_try(struct gate *gate, int64_t (*method)(void *argument), void *argument);

// Lets nobody in any more and waits until nobody is inside. On HX_OK the gate is closed.
// HX_ERR_TIMED_OUT: somebody still was when the patience ended; the gate is open again.
// HX_ERR_BUSY: it is closed already, or the caller is inside. HX_ERR_PEER_DIED: its module is dead.
enum hx_status gate_close(struct gate *gate, struct patience *patience);
// Who waits goes in. After gate_close() alone.
void gate_open(struct gate *gate);
// Whose it is now; NULL: nobody's. Any context.
static inline const char *gate_module(const struct gate *gate) {
    // Acquire: what was installed before the gate got its name is seen.
    return atomic_load_explicit(&gate->module, memory_order_acquire);
}
// Whether the module is dead: no call gets in, and who is inside comes out when he gets a mutex of
// its. Any context.
static inline bool gate_is_dead(const struct gate *gate) {
    return (atomic_load_explicit(&gate->hal.closed, memory_order_relaxed) & GATE_DEAD) != 0;
}
// Whether it is so for good. Until then somebody may bring the module to life again, or give it up:
// `changed` tells. Any context.
static inline bool gate_is_gone(const struct gate *gate) {
    return (atomic_load_explicit(&gate->hal.closed, memory_order_relaxed) & GATE_GONE) != 0;
}
// Whether calls get in just now: it is neither closed nor dead. With interrupts off, what is
// installed stays until they are on again. Any context.
static inline bool gate_is_open(const struct gate *gate) {
    // Acquire: what was installed before it opened is seen.
    return (atomic_load_explicit(&gate->hal.closed, memory_order_acquire) &
            (GATE_CLOSED | GATE_DEAD)) == 0;
}
// All slots of the gate's module are dead from now on; its supervisor is told. Any context.
void gate_kill_module(const struct gate *gate, const struct gate_death *death);
// From now on pulses `heard` when a module dies whose gates have no supervisor: they are gone. Who
// brings modules to life or ends them has `lock` meanwhile. Borrows both for good. Any context.
void gate_ends_watch(struct waitable *heard, const struct mutex *lock);
// After a call that was refused with HX_ERR_PEER_DIED: waits until the module lives again.
// `*inout_sequence` is that of `changed` from before the call, then the one from before the next.
// HX_OK: the call can be made again. HX_ERR_PEER_DIED: it never will live; or it is not dead and
// was not, so that the refusal was on purpose; or the caller has the lock of lives, without which
// there is no next one; or that took 10 s, since who has the lock of lives may himself wait for
// what the caller holds. Not interrupted. Thread context, no spin lock held.
enum hx_status gate_await(struct gate *gate, uint32_t *inout_sequence);
// How it died last; `at` is 0: it never did. Any context.
void gate_death(const struct gate *gate, struct gate_death *out_death);
// Waits until nobody is inside a dead gate. HX_ERR_TIMED_OUT: somebody still is when the patience
// ends.
enum hx_status gate_drain(const struct gate *gate, struct patience *patience);
// The module lives again: calls get in, to what was installed before. After gate_drain(); thread
// context.
void gate_revive(struct gate *gate);
// It never will. Any context.
void gate_give_up(struct gate *gate);
// It may, after all: the gate is dead, but not for good. Any context.
void gate_return(struct gate *gate);

// A mutex of a module's. Who holds one when the module dies gives it back on the way out, and who
// waited for one goes out, too.
struct LOCKABLE("gate_mutex") gate_mutex {
    struct mutex mutex;
    struct gate_mutex *next;              // own: the one that its holder took before
    const struct hal_gate_record *record; // own: of the call that took it
};
void gate_mutex_lock(struct gate_mutex *mutex) ACQUIRES(*mutex);
void gate_mutex_unlock(struct gate_mutex *mutex) RELEASES(*mutex);

// A spin lock of a module's, interrupts off while it is held; given back in the same way. Any
// context.
struct LOCKABLE("gate_spin") gate_spin {
    struct spinlock lock;
    uint32_t irq_state;     // own, as what follows; no machine's is above these bits
    uint32_t taken_at;      // where its holder's stack ended: the lower half of the address
    struct gate_spin *next; // the one that its holder took before
};
void gate_spin_lock(struct gate_spin *spin) ACQUIRES(*spin);
void gate_spin_unlock(struct gate_spin *spin) RELEASES(*spin);

// The innermost call of this thread, which is in one, ends here and now with HX_ERR_PEER_DIED.
NORETURN void gate_leave(void);

// The same, and the innermost call's module dies of what it says itself; a policy, where one is
// called.
NORETURN void gate_die(const char *what, const char *where);
// The same for a module that does with its locks or its memory what nobody may do, also in a
// guarded call; its spin locks are given back. Where it cannot die, the kernel cannot go on.
NORETURN void gate_misuse(const char *what, const char *where);

// How it died, for people: "address at keep_get+0x12, address 0x8", "refusal (no device)", "no
// answer". Returns `text`. Any context.
const char *gate_death_text(const struct gate_death *death, char *text, size_t size);

// Says in the log how the gate's module died. Any context.
void gate_death_log(const struct gate *gate, const struct gate_death *death);

// What a fault of that kind is called in a death; static.
const char *gate_fault_name(enum hal_fault_kind kind);

// How often it was entered, and how many are inside; both are exact only while it is closed and
// nobody tries: an attempt counts as inside for a moment.
void gate_count(const struct gate *gate, uint64_t *out_calls, uint64_t *out_inside);
// The slot that the calling thread is in; NULL: none. Any context.
struct gate *gate_current(void);
// Of INJECT_METHOD: whether calls may be refused on purpose. Any context.
void gate_faults_set(bool on);
