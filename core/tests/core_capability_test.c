// SPDX-License-Identifier: MIT OR Apache-2.0
// How long the revocation of a large tree holds the tree's lock, and so keeps preemption off, in
// capabilities looked at: of core/capability.c, with stand-ins for what it calls.
#include "../capability.c"

#include <stdlib.h>
#include <string.h>

#define CAPABILITIES 50000u
#define HOLD_MAX     (KILL_BATCH + CAPABILITY_DEPTH_MAX)

static struct object thing;
static struct capability root;
static struct capability_derived *nodes;
static struct thread self;
static struct hosted_processor processor; // the host's, that only this test has
_Thread_local struct hosted_processor *hosted_processor;
static bool is_revoking;
static uint32_t holds, dead, longest; // times that the lock was taken; killed, in all and in one

// What it calls -----------------------------------------------------------------------------------

void panic(const char *format, ...) {
    (void)format;
    abort();
}

NO_LOCK_ANALYSIS void spin_lock(struct spinlock *lock) {
    (void)lock;
    holds++;
}

NO_LOCK_ANALYSIS void spin_unlock(struct spinlock *lock) {
    (void)lock;
    uint32_t now = 0;
    for (uint32_t i = 0; i < CAPABILITIES && is_revoking; i++) {
        now += !capability_is_live(&nodes[i].capability);
    }
    longest = MAX_OF(longest, now - dead);
    dead = now;
}

void object_init(struct object *object, const struct object_type *type) {
    object->type = type;
    atomic_store_explicit(&object->references, 1, memory_order_relaxed);
}

struct object *object_get(struct object *object) {
    atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
    return object;
}

bool object_try_get(struct object *object) {
    return object_get(object) != NULL;
}

void object_put(struct object *object) {
    ASSERT(atomic_fetch_sub_explicit(&object->references, 1, memory_order_relaxed) !=
           1); // all are kept
}

void cpu_barrier(void) {}

void preempt_slow(void) {
    abort(); // nobody asked for it
}

void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item)) {
    (void)item;
    (void)reclaim;
    abort();
}

void thread_for_each(bool (*visit)(struct thread *thread, void *context), void *context) {
    (void)visit(&self, context);
}

void thread_notify(struct thread *thread, uint32_t attention) {
    (void)thread;
    (void)attention;
    abort(); // there is only the one that asks
}

void thread_attention_clear(struct thread *thread, uint32_t attention) {
    (void)thread;
    (void)attention;
}

void trace(enum trace_type type, uint64_t first, uint64_t second) {
    (void)type;
    (void)first;
    (void)second;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    (void)waitable;
    (void)state;
}

void waitable_pulse(struct waitable *waitable) {
    (void)waitable;
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    (void)waitable;
    return 0;
}

enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    (void)object;
    (void)sequence;
    (void)deadline;
    (void)flags;
    abort();
}

// The test ----------------------------------------------------------------------------------------

static void no_release(struct capability_derived *derived) {
    (void)derived;
}

// A tree below nodes[0]: chains side by side, `width` of them; 0: pseudo-random.
static void tree_make(uint32_t width) {
    uint32_t random = 1;
    memset(nodes, 0, CAPABILITIES * sizeof(*nodes));
    capability_init_root(&root, &thing, HX_RIGHT_READ);
    ASSERT(capability_derive(&root, HX_RIGHT_READ, &nodes[0], no_release) == HX_OK);
    for (uint32_t i = 1; i < CAPABILITIES; i++) {
        random = random * 1664525 + 1013904223;
        const uint32_t parent = width == 0 ? (random >> 8) % i : i <= width ? 0 : i - width;
        ASSERT(capability_derive(&nodes[parent].capability, HX_RIGHT_READ, &nodes[i], no_release) ==
               HX_OK);
    }
}

static void test_tree_of(uint32_t width) {
    tree_make(width);
    holds = dead = longest = 0;
    is_revoking = true;
    ASSERT(capability_revoke(&nodes[0].capability) == HX_OK);
    is_revoking = false;
    ASSERT(dead == CAPABILITIES);
    ASSERT(longest <= HOLD_MAX);
    // Down to each and up from each: no more.
    ASSERT(holds <= 2 * CAPABILITIES / KILL_BATCH + 1);
    uint32_t references = 0;
    for (uint32_t i = 0; i < CAPABILITIES; i++) {
        references += atomic_load_explicit(&nodes[i].own.references, memory_order_relaxed);
    }
    ASSERT(references == CAPABILITIES + CAPABILITIES - 1); // ours, and those of their children
}

int main(void) {
    static const struct object_type type = { .kind = OBJECT_EVENT };
    nodes = calloc(CAPABILITIES, sizeof(*nodes));
    ASSERT(nodes != NULL);
    hosted_processor = &processor;
    hal_current_set(&self);
    object_init(&thing, &type);
    const uint32_t widths[] = { CAPABILITIES, CAPABILITIES / 2, CAPABILITIES / 60, 0 };
    for (uint32_t i = 0; i < ARRAY_SIZE(widths); i++) {
        test_tree_of(widths[i]);
    }
    free(nodes);
    return 0;
}
