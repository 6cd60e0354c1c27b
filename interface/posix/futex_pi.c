// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/futex_pi.c: locks that lend the priority of who waits to who holds them
// (futex(2), "Priority-inheritance futexes").
//
// The word has the number of the thread that holds the lock, and FUTEX_WAITERS if that must come
// here to give it up. User memory cannot be touched under a spin lock, so each change of the word
// is a compare-and-swap between two looks at the queue:
// - Who waits queues first, then sets FUTEX_WAITERS, then lends and sleeps.
// - Who gives the lock up chooses an heir, then writes the heir's number, then tells it. Until then
//   the heir neither leaves nor lends to somebody else. If there was no heir, who has come
//   meanwhile looks at the word again.
// - Each time that a lock changes hands, all that wait for it count that (`turn`). Who has read
//   which thread holds the lock lends to that one only if it has not counted since.
//
// Who lends to whom is a forest, across locks and processes: one spin lock for all of it, which
// only those take that have to wait, and those that they wait for. A thread that waits for nothing
// is at a root, and only such a one is given a lock.
#include "futex.h"
#include "life.h"

#include <memory/usercopy.h>

#define SLOTS      64u
#define STEPS_MOST 1024u // from lender to lender, as on Linux
#define TRIES      1000u // each one only fails if another thread stored, or the lock changed hands

enum pi_state {
    PI_WAITS,
    PI_CHOSEN, // the word is being written; it stays where it is
    PI_HAS,    // the word has its number
};

struct pi_waiter {
    struct list link;    // [lending] in its slot, in order of arrival; unlinked: not PI_WAITS
    struct list lending; // [lending] in its owner's pi_lenders; unlinked: it lends nothing
    struct futex_key key;
    struct posix_thread *thread;
    struct posix_thread *owner; // [lending] whom it lends to; NULL: nobody
    int32_t dead;               // [lending] the owner's number, if that has ended; 0: it has not
    uint32_t turn;              // [lending] how often the lock changed hands
    enum pi_state state;        // [lending]
    struct waitable woken;      // its sequence: something changed
};

struct pi_slot {
    struct list waiters;    // [lending]
    _Atomic uint32_t count; // of them; [lending for writing]
};

static const struct lock_class lending_class = { .name = "lending", .rank = LOCK_RANK_FUTEX };
static struct spinlock lending = SPINLOCK_INIT(&lending_class);
static struct pi_slot slots[SLOTS];

void futex_pi_init(void) {
    for (unsigned i = 0; i < SLOTS; i++) {
        list_init(&slots[i].waiters);
    }
}

static struct pi_slot *slot_of(const struct futex_key *key) {
    return &slots[futex_key_slot(key, SLOTS)];
}

bool futex_pi_has_waiters(const struct futex_key *key) {
    bool has = false;
    const struct pi_slot *slot = slot_of(key);
    if (atomic_load_explicit(&slot->count, memory_order_relaxed) == 0) {
        return false;
    }
    spin_lock(&lending);
    list_for_each (link, &slot->waiters) {
        has = has || futex_key_equal(&LIST_ENTRY(link, struct pi_waiter, link)->key, key);
    }
    spin_unlock(&lending);
    return has;
}

// Lending ----------------------------------------------------------------------------------------

static uint32_t urgency(const struct posix_thread *thread) {
    return thread_urgency(&thread->native->thread);
}

// Gives a thread the priority of the most urgent of those that wait for it; and so on, if it waits
// itself. `lent` of a thread is written with this lock alone.
static void relend_locked(struct posix_thread *owner) {
    while (owner != NULL) {
        uint32_t most = 0;
        list_for_each (link, &owner->pi_lenders) {
            most = MAX_OF(most, urgency(LIST_ENTRY(link, struct pi_waiter, lending)->thread));
        }
        if (most == owner->native->thread.lent) {
            return;
        }
        thread_lend(&owner->native->thread, most);
        owner = owner->pi_waits != NULL ? owner->pi_waits->owner : NULL;
    }
}

// The same where somebody was added: nobody else is looked at.
static void raise_locked(struct posix_thread *owner, uint32_t least) {
    while (owner != NULL && owner->native->thread.lent < least) {
        thread_lend(&owner->native->thread, least);
        owner = owner->pi_waits != NULL ? owner->pi_waits->owner : NULL;
    }
}

// Ends its lending; gives whom it has lent to, or NULL.
static struct posix_thread *unlink_locked(struct pi_waiter *waiter) {
    struct posix_thread *owner = waiter->owner;
    if (owner != NULL) {
        list_remove(&waiter->lending);
        waiter->owner = NULL;
    }
    return owner;
}

static void link_locked(struct pi_waiter *waiter, struct posix_thread *owner) {
    waiter->owner = owner;
    waiter->dead = 0;
    list_push_back(&owner->pi_lenders, &waiter->lending);
}

static void take_back_locked(struct pi_waiter *waiter) {
    struct posix_thread *owner = unlink_locked(waiter);
    if (owner != NULL && owner->native->thread.lent != 0) {
        relend_locked(owner);
    }
}

static void lend_locked(struct pi_waiter *waiter, struct posix_thread *owner) {
    if (waiter->owner != owner) {
        take_back_locked(waiter);
        link_locked(waiter, owner);
    }
    raise_locked(owner, urgency(waiter->thread));
}

// Whether `owner` waits, in however many steps, for what `thread` holds; or in too many.
static bool waits_for_locked(const struct posix_thread *owner, const struct posix_thread *thread) {
    unsigned steps = 0;
    while (owner != NULL && owner != thread && steps++ < STEPS_MOST) {
        owner = owner->pi_waits != NULL ? owner->pi_waits->owner : NULL;
    }
    return owner != NULL;
}

void futex_pi_reschedule(struct posix_thread *thread) {
    spin_lock(&lending);
    if (thread->pi_waits != NULL) {
        relend_locked(thread->pi_waits->owner);
    }
    spin_unlock(&lending);
}

void futex_pi_exit(struct posix_thread *thread, bool ends) {
    spin_lock(&lending);
    thread->pi_ended = ends;
    list_for_each_safe (link, &thread->pi_lenders) {
        struct pi_waiter *waiter = LIST_ENTRY(link, struct pi_waiter, lending);
        list_remove(&waiter->lending);
        waiter->owner = NULL;
        waiter->dead = thread->tid;
        waitable_pulse(&waiter->woken);
    }
    relend_locked(thread);
    spin_unlock(&lending);
}

// The queue --------------------------------------------------------------------------------------

static void enter(struct pi_waiter *waiter) {
    waitable_init(&waiter->woken, 0);
    list_init(&waiter->lending);
    struct pi_slot *slot = slot_of(&waiter->key);
    spin_lock(&lending);
    atomic_fetch_add_explicit(&slot->count, 1, memory_order_relaxed);
    list_push_back(&slot->waiters, &waiter->link);
    waiter->thread->pi_waits = waiter;
    spin_unlock(&lending);
}

static void leave_locked(struct pi_waiter *waiter) {
    if (list_is_linked(&waiter->link)) {
        list_remove(&waiter->link);
    }
    take_back_locked(waiter);
    waiter->thread->pi_waits = NULL;
    atomic_fetch_sub_explicit(&slot_of(&waiter->key)->count, 1, memory_order_relaxed);
}

// How it stands with a waiter, and the sequence to wait at until that changes.
struct standing {
    enum pi_state state;
    int32_t dead;
    uint32_t turn;
    uint32_t sequence;
};

static struct standing standing_of(struct pi_waiter *waiter) {
    spin_lock(&lending);
    const struct standing standing = { waiter->state, waiter->dead, waiter->turn,
                                       waitable_sequence(&waiter->woken) };
    spin_unlock(&lending);
    return standing;
}

// Of one that was chosen: whether it has the lock. If not it waits as before.
static bool was_given(struct pi_waiter *waiter) {
    struct standing standing = standing_of(waiter);
    while (standing.state == PI_CHOSEN) { // for as long as an access to user memory takes
        (void)wait_change(&waiter->woken, standing.sequence, TIME_NEVER, 0);
        standing = standing_of(waiter);
    }
    return standing.state == PI_HAS;
}

// Returns whether it was given the lock meanwhile. Nobody refers to the waiter after.
static bool leave(struct pi_waiter *waiter) {
    for (;;) {
        spin_lock(&lending);
        const bool waits = waiter->state == PI_WAITS;
        if (waits) {
            leave_locked(waiter);
        }
        spin_unlock(&lending);
        if (waits || was_given(waiter)) {
            return !waits;
        }
    }
}

// The lock has a new holder, who waits for nothing: all that wait for it lend to that one. NULL: it
// has none, and all look again.
static void changed_hands_locked(const struct futex_key *key, struct posix_thread *owner) {
    struct posix_thread *before = NULL;
    const struct list *waiters = &slot_of(key)->waiters;
    list_for_each (link, waiters) {
        struct pi_waiter *waiter = LIST_ENTRY(link, struct pi_waiter, link);
        if (!futex_key_equal(&waiter->key, key)) {
            continue;
        }
        struct posix_thread *its = unlink_locked(waiter);
        if (its != before && before != NULL) {
            relend_locked(before); // what programs write can make that several
        }
        before = its != NULL ? its : before;
        waiter->turn++;
        waiter->dead = 0;
        if (owner != NULL) {
            link_locked(waiter, owner);
        } else {
            waitable_pulse(&waiter->woken);
        }
    }
    relend_locked(before);
    relend_locked(owner);
}

// The most urgent one that waits for the lock, the first of equals; NULL: none. It is given the
// lock, or goes on to wait, by give().
static struct pi_waiter *choose(const struct futex_key *key, struct posix_thread *giver) {
    struct pi_waiter *heir = NULL;
    const struct list *waiters = &slot_of(key)->waiters;
    spin_lock(&lending);
    list_for_each (link, waiters) {
        struct pi_waiter *waiter = LIST_ENTRY(link, struct pi_waiter, link);
        if (futex_key_equal(&waiter->key, key) &&
            (heir == NULL || urgency(waiter->thread) > urgency(heir->thread))) {
            heir = waiter;
        }
    }
    if (heir != NULL) {
        list_remove(&heir->link);
        heir->state = PI_CHOSEN;
        lend_locked(heir, giver); // it may not have come to that yet, and waits for the giver now
    }
    spin_unlock(&lending);
    return heir;
}

// Who has found no heir has written the word: who came since then looks at it again.
static void give_nobody(const struct futex_key *key) {
    spin_lock(&lending);
    changed_hands_locked(key, NULL);
    spin_unlock(&lending);
}

static void give(struct pi_waiter *heir, bool is_written) {
    spin_lock(&lending);
    if (is_written) {
        heir->state = PI_HAS;
        leave_locked(heir);
        changed_hands_locked(&heir->key, heir->thread);
    } else {
        heir->state = PI_WAITS;
        list_push_front(&slot_of(&heir->key)->waiters, &heir->link);
    }
    waitable_pulse(&heir->woken); // under the lock: it is gone as soon as it sees its state
    spin_unlock(&lending);
}

// Taking -----------------------------------------------------------------------------------------

// Takes a lock that nobody holds, or whose holder has ended. `waiter`: the caller's, which ends; or
// NULL. HX_ERR_WOULD_BLOCK: the word has changed; HX_ERR_BAD_ADDRESS.
static enum hx_status take(const struct futex_key *key, struct posix_thread *thread,
                           struct pi_waiter *waiter, struct uaddr word, uint32_t value) {
    const uint32_t died = (value & FUTEX_TID_MASK) != 0 ? FUTEX_OWNER_DIED : 0;
    const uint32_t mine =
        (uint32_t)thread->tid | (value & (FUTEX_WAITERS | FUTEX_OWNER_DIED)) | died;
    uint32_t found;
    const enum hx_status status = user_cas32(word, value, mine, &found);
    if (status != HX_OK || found != value) {
        return status != HX_OK ? HX_ERR_BAD_ADDRESS : HX_ERR_WOULD_BLOCK;
    }
    if (waiter != NULL) {
        (void)leave(waiter);
    }
    spin_lock(&lending);
    changed_hands_locked(key, thread);
    spin_unlock(&lending);
    return HX_OK;
}

// Nobody has the number that the word has, if that is still so: HX_ERR_NO_PROCESS.
// HX_ERR_WOULD_BLOCK: it has changed.
static enum hx_status nobody(struct uaddr word, uint32_t value) {
    uint32_t now;
    if (user_load32(word, &now) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return now == value ? HX_ERR_NO_PROCESS : HX_ERR_WOULD_BLOCK;
}

// Lends to the holder that the word had at that turn. HX_ERR_WOULD_BLOCK: look at the word again;
// HX_ERR_NO_PROCESS: that one has ended; HX_ERR_DEADLOCK.
static enum hx_status lend(struct pi_waiter *waiter, uint32_t turn, struct posix_thread *owner) {
    enum hx_status status = HX_OK;
    spin_lock(&lending);
    if (waiter->state != PI_WAITS || waiter->turn != turn) {
        status = HX_ERR_WOULD_BLOCK;
    } else if (owner->pi_ended) {
        status = HX_ERR_NO_PROCESS;
    } else if (waits_for_locked(owner, waiter->thread)) {
        status = HX_ERR_DEADLOCK;
    } else {
        lend_locked(waiter, owner);
    }
    spin_unlock(&lending);
    return status;
}

// Makes the holder come here to give the lock up, and lends to it. As lend().
static enum hx_status bind(struct pi_waiter *waiter, struct uaddr word, uint32_t value,
                           uint32_t turn) {
    const uint32_t marked = value | FUTEX_WAITERS;
    uint32_t found;
    if (user_cas32(word, value, marked, &found) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (found != value) {
        return HX_ERR_WOULD_BLOCK;
    }
    struct posix_thread *owner = posix_thread_find((int32_t)(value & FUTEX_TID_MASK));
    if (owner == NULL) {
        return nobody(word, marked);
    }
    enum hx_status status = lend(waiter, turn, owner);
    user_thread_put(owner->native);
    if (status == HX_ERR_NO_PROCESS) {
        return nobody(word, marked);
    }
    // An exec gives up what its thread holds, and could not know of this lender yet.
    status = status == HX_OK ? nobody(word, marked) : status;
    return status == HX_ERR_NO_PROCESS ? HX_OK : status;
}

// One look at the word, and the wait that follows from it. HX_OK: the lock is the caller's;
// HX_ERR_WOULD_BLOCK: look again.
static enum hx_status look_and_wait(struct pi_waiter *waiter, struct uaddr word,
                                    time_ns_t deadline) {
    const uint32_t turn = standing_of(waiter).turn; // before the word is read
    uint32_t value;
    if (user_load32(word, &value) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    // Behind the look: the word has its number if it was given the lock meanwhile.
    const struct standing standing = standing_of(waiter);
    const int32_t holder = (int32_t)(value & FUTEX_TID_MASK);
    if (standing.state != PI_WAITS) {
        return was_given(waiter) ? HX_OK : HX_ERR_WOULD_BLOCK;
    }
    if (holder == waiter->thread->tid) {
        return HX_ERR_DEADLOCK;
    }
    if (holder == 0 || holder == standing.dead) {
        return take(&waiter->key, waiter->thread, waiter, word, value);
    }
    const enum hx_status status = bind(waiter, word, value, turn);
    if (status != HX_OK) {
        return status;
    }
    const enum hx_status end =
        wait_change(&waiter->woken, standing.sequence, deadline, WAIT_INTERRUPTIBLE);
    return end == HX_OK ? HX_ERR_WOULD_BLOCK : end;
}

// HX_ERR_RESTART: interrupted, or too many tries. What the program asked for is told in full by the
// word, and its limit is a moment: it starts again as it was, whatever a handler's flags say.
static enum hx_status restart(struct call *call) {
    call->thread->restart_always = true;
    return HX_ERR_RESTART;
}

static bool is_interrupted(enum hx_status status) {
    return status == HX_ERR_INTERRUPTED || status == HX_ERR_CANCELED;
}

// HX_ERR_WOULD_BLOCK: too many tries.
static enum hx_status lock_word(struct call *call, const struct futex_key *key, struct uaddr word,
                                time_ns_t deadline) {
    struct pi_waiter waiter = { .key = *key, .thread = call->thread };
    enum hx_status status = HX_ERR_WOULD_BLOCK;
    enter(&waiter);
    for (unsigned tries = 0; tries < TRIES && status == HX_ERR_WOULD_BLOCK; tries++) {
        status = look_and_wait(&waiter, word, deadline);
    }
    if (status != HX_OK && leave(&waiter)) {
        status = HX_OK;
    }
    return status;
}

// The calls --------------------------------------------------------------------------------------

enum hx_status futex_pi_lock(struct call *call, bool is_private, time_ns_t deadline) {
    const struct uaddr word = call_address(call, 0);
    struct futex_key key;
    struct memory_object *object;
    enum hx_status status = futex_key_make(word, is_private, &key, &object);
    if (status != HX_OK) {
        return status;
    }
    status = lock_word(call, &key, word, deadline);
    futex_key_drop(object);
    return is_interrupted(status) || status == HX_ERR_WOULD_BLOCK ? restart(call) : status;
}

// HX_ERR_WOULD_BLOCK: somebody holds it, or, with *out_again, the word has changed.
static enum hx_status try_once(struct call *call, const struct futex_key *key, struct uaddr word,
                               bool *out_again) {
    uint32_t value;
    enum hx_status status = HX_ERR_WOULD_BLOCK;
    *out_again = false;
    if (user_load32(word, &value) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    const int32_t holder = (int32_t)(value & FUTEX_TID_MASK);
    if (holder == call->thread->tid) {
        return HX_ERR_DEADLOCK;
    }
    if (holder == 0) {
        status = take(key, call->thread, NULL, word, value);
        *out_again = status == HX_ERR_WOULD_BLOCK;
        return status;
    }
    struct posix_thread *owner = posix_thread_find(holder);
    if (owner == NULL) {
        status = nobody(word, value);
        *out_again = status == HX_ERR_WOULD_BLOCK;
    } else {
        user_thread_put(owner->native);
    }
    return status;
}

enum hx_status futex_pi_try_lock(struct call *call, bool is_private) {
    const struct uaddr word = call_address(call, 0);
    struct futex_key key;
    struct memory_object *object;
    enum hx_status status = futex_key_make(word, is_private, &key, &object);
    if (status != HX_OK) {
        return status;
    }
    bool again = true;
    for (unsigned tries = 0; tries < TRIES && again; tries++) {
        status = try_once(call, &key, word, &again);
    }
    futex_key_drop(object);
    return status;
}

static enum hx_status load_own(struct call *call, struct uaddr word, uint32_t *out_value) {
    // It may be anywhere: who holds nothing is told so first.
    if (copy_from_user(out_value, word, sizeof(*out_value)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    const int32_t holder = (int32_t)(*out_value & FUTEX_TID_MASK);
    return holder == call->thread->tid ? HX_OK : HX_ERR_NOT_PERMITTED;
}

// HX_ERR_WOULD_BLOCK: the word has changed.
static enum hx_status give_up(struct call *call, const struct futex_key *key, struct uaddr word) {
    uint32_t value;
    uint32_t found;
    enum hx_status status = load_own(call, word, &value);
    if (status != HX_OK) {
        return status;
    }
    struct pi_waiter *heir = choose(key, call->thread);
    const uint32_t next = heir != NULL ? (uint32_t)heir->thread->tid | FUTEX_WAITERS : 0;
    status = user_cas32(word, value, next, &found);
    const bool is_written = status == HX_OK && found == value;
    if (heir != NULL) {
        give(heir, is_written);
    } else if (is_written) {
        give_nobody(key);
    }
    if (status != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return is_written ? HX_OK : HX_ERR_WOULD_BLOCK;
}

enum hx_status futex_pi_unlock(struct call *call, bool is_private) {
    const struct uaddr word = call_address(call, 0);
    struct futex_key key;
    struct memory_object *object;
    uint32_t value;
    enum hx_status status = load_own(call, word, &value);
    if (status == HX_OK) {
        status = futex_key_make(word, is_private, &key, &object);
    }
    if (status != HX_OK) {
        return status;
    }
    status = HX_ERR_WOULD_BLOCK;
    for (unsigned tries = 0; tries < TRIES && status == HX_ERR_WOULD_BLOCK; tries++) {
        status = give_up(call, &key, word);
    }
    futex_key_drop(object);
    return status == HX_ERR_WOULD_BLOCK ? restart(call) : status;
}

static enum hx_status wait_then_lock(struct call *call, struct futex_waiter *waiter,
                                     time_ns_t deadline) {
    if (futex_key_equal(&waiter->key, &waiter->second)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status =
        futex_wait_once(waiter, call_address(call, 0), call_uint(call, 2), deadline);
    if (is_interrupted(status)) {
        return restart(call);
    }
    if (status == HX_OK) {
        // It cannot start again: the first word has had its wake. The program looks at both.
        status = lock_word(call, &waiter->second, call_address(call, 4), deadline);
        return is_interrupted(status) ? HX_ERR_WOULD_BLOCK : status;
    }
    return status;
}

enum hx_status futex_pi_wait(struct call *call, bool is_private, time_ns_t deadline) {
    struct futex_waiter waiter = { .bits = FUTEX_ANY, .moves = true };
    struct memory_object *first;
    struct memory_object *second;
    enum hx_status status = futex_key_make(call_address(call, 0), is_private, &waiter.key, &first);
    if (status != HX_OK) {
        return status;
    }
    status = futex_key_make(call_address(call, 4), is_private, &waiter.second, &second);
    if (status == HX_OK) {
        status = wait_then_lock(call, &waiter, deadline);
        futex_key_drop(second);
    }
    futex_key_drop(first);
    return status;
}
