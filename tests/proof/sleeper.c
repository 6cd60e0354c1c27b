// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// sleeper.c: who goes to sleep over a ring interrupts only the processors on which an address space
// is loaded that has the ring mapped, and no wake is lost: core/aspace.c, cpu_call(),
// core/trap.c and lock_spin.c, on three processors. The first goes to sleep; on the second, a
// thread of the peer shows a message and looks for the sleeper, then goes on on the third one, and
// shows another; or it hands the ring over there, to an address space that maps it only then.
#include "explore.h"

#include "machine.h"

#include "flat.h"

#include "../../core/aspace.c"
#include "../../core/lock_spin.c"

#define MESSAGES 2u

const uint32_t explore_marks = 5;

static struct core_aspace peer, heir;          // who has the other end, who gets it
static struct core_aspace *mapped[2];          // [mappings_lock] as an object's list of mappings
static const struct lock_class mappings_class; // stands for the object's mutex
static struct spinlock mappings_lock = SPINLOCK_INIT(&mappings_class);
static _Atomic uint32_t shown, asleep; // in the shared memory
static _Atomic uint32_t told;          // the level of the kernel's waitable
static _Atomic uint32_t moved;         // the peer's thread goes on on the third processor
static bool ended;

// What they call ----------------------------------------------------------------------------------

void hal_pagetable_activate(const struct hal_pagetable *table) {
    (void)table;
}

void hal_tlb_flush_page(uint64_t address) {
    (void)address;
}

void hal_tlb_flush_user(void) {}

void hal_tlb_flush_kernel(void) {}

void timer_interrupt(void) {}

void irq_interrupt(uint32_t line) {
    (void)line;
}

// The proof ---------------------------------------------------------------------------------------

// As memory_object_processors().
static uint64_t processors(void) {
    uint64_t mask = 0;
    spin_lock(&mappings_lock);
    for (uint32_t i = 0; i < 2; i++) {
        if (mapped[i] != NULL) {
            mask |= core_aspace_processors(mapped[i]);
        }
    }
    spin_unlock(&mappings_lock);
    return mask;
}

// Until all messages are seen. As native_channel_arm(), and a wait.
static void sleeper_run(void *argument) {
    (void)argument;
    while (atomic_load_explicit(&shown, memory_order_acquire) != MESSAGES) {
        const uint32_t seen = atomic_load_explicit(&shown, memory_order_acquire);
        atomic_store_explicit(&asleep, 1, memory_order_relaxed);
        (void)atomic_exchange_explicit(&told, 0, memory_order_seq_cst);
        const uint64_t mask = processors();
        cpu_barrier_on(mask);
        if (mask == 0) {
            REACHED(0);
        }
        if (atomic_load_explicit(&shown, memory_order_acquire) == seen && seen != MESSAGES) {
            while (atomic_load_explicit(&told, memory_order_seq_cst) == 0) {
                hal_relax();
            }
            REACHED(1);
        }
        atomic_store_explicit(&asleep, 0, memory_order_relaxed);
    }
    ended = true;
}

// As hx_ring_publish(), which has no fence.
static void show(uint32_t message) {
    atomic_store_explicit(&shown, message, memory_order_release);
    if (atomic_load_explicit(&asleep, memory_order_relaxed) != 0) {
        (void)atomic_exchange_explicit(&told, 1, memory_order_seq_cst);
        REACHED(2);
    }
}

static void load(struct core_aspace *aspace) {
    hal_irq_off();
    core_aspace_activate(aspace);
    hal_irq_on();
}

static void peer_run(void *argument) {
    (void)argument;
    show(1);
    // The thread is taken off its processor before or after another table is loaded there.
    if (explore_choose(2) == 0) {
        load(NULL);
        atomic_store_explicit(&moved, 1, memory_order_release);
    } else {
        atomic_store_explicit(&moved, 1, memory_order_release);
        load(NULL);
    }
}

static void later_run(void *argument) {
    (void)argument;
    while (atomic_load_explicit(&moved, memory_order_acquire) == 0) {
        hal_relax();
    }
    if (explore_choose(2) == 0) {
        load(&heir);
        spin_lock(&mappings_lock);
        mapped[1] = &heir;
        spin_unlock(&mappings_lock);
        REACHED(3);
    } else {
        load(&peer);
        REACHED(4);
    }
    show(2);
    load(NULL);
}

void explore_setup(void) {
    static const struct object_type type = { .kind = OBJECT_ASPACE };
    object_init(&peer.object, &type);
    object_init(&heir.object, &type);
    mapped[0] = &peer;
    flat_processor(sleeper_run);
    flat_processor(peer_run);
    flat_processor(later_run);
    more_cpus[0].aspace = &peer;
    peer.active = 1u << 1;
}

bool explore_final(void) {
    return ended && explore_rests(0) && explore_rests(1) && explore_rests(2);
}
