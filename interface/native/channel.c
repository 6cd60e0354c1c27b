// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/channel.c: channels: two ends that share a pair of rings and hand each other
// handles.
//
// A program does all but sleeping, waking and handing over by itself (<helix/ring.h>,
// <helix/channel.h>). In the shared memory the kernel looks at one position, and only compares it
// to what the caller says. Both ends and what they share are one block of memory, which goes with
// the second end.
//
// Handles on their way lie in the queue of the end that will take them. An end lies there like any
// other object, so ends could keep each other alive in a circle: therefore an end in whose queue an
// end lies is not handed over. For each circle one of its members would have to be.
#include "native.h"

#include <core/cpu.h>
#include <core/drop.h>
#include <helix/channel.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

#define ARRIVALS_MAX 16u // handles on their way to one end
#define END_RIGHTS                                                                                 \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_MAP | HX_RIGHT_SIGNAL | HX_RIGHT_WAIT |             \
     HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)
#define END_STATES (HX_STATE_READABLE | HX_STATE_WRITABLE)

struct end {
    struct object object;
    struct capability root;
    struct waitable waitable; // END_STATES: told since the last arm; HANGUP: no peer
    struct channel *channel;
    uint32_t number;
    bool is_closed;                           // [channels_lock] nothing more arrives
    struct capability *arrived[ARRIVALS_MAX]; // [channels_lock] keeps `count` from `first` on
    uint32_t first, count;                    // [channels_lock]
    uint32_t promised;                        // [channels_lock] places in use or about to be
    uint32_t ends_inside;      // [channels_lock] of those promised, how many are ends
    struct epoch_item dropped; // once nobody holds it
    struct tally_mark tally;
};

struct channel {
    struct end ends[2];
    _Atomic uint32_t living;      // ends
    struct memory_object *memory; // keeps
    struct frame *head;           // keeps; its first page, with the positions
    struct account *account;      // keeps; charged for two objects
    uint32_t slots;               // of each ring
};

static const struct lock_class channels_class = { "channels", LOCK_RANK_LEAF, false };
static struct spinlock channels_lock = SPINLOCK_INIT(&channels_class);

static const struct object_type end_type;

static struct end *end_of(struct object *object) {
    return CONTAINER_OF(object, struct end, object);
}

static struct end *peer_of(struct end *end) {
    return &end->channel->ends[1 - end->number];
}

static bool is_end(const struct capability *capability) {
    return capability->object->type == &end_type;
}

// ---- the end of an end

static void channel_free(struct channel *channel) {
    frame_put(channel->head);
    memory_object_put(channel->memory);
    account_release(channel->account, ACCOUNT_OBJECTS, 2);
    object_put(&channel->account->object);
    heap_free(channel);
}

static void end_empty(struct epoch_item *item) {
    struct end *end = CONTAINER_OF(item, struct end, dropped);
    struct channel *channel = end->channel;
    for (uint32_t i = 0; i < end->count; i++) { // closed: nobody else looks at it
        capability_put(end->arrived[(end->first + i) % ARRIVALS_MAX]);
    }
    if (atomic_fetch_sub_explicit(&channel->living, 1, memory_order_acq_rel) == 1) {
        channel_free(channel);
    }
}

// What lies in the queue may be an end, whose queue has another one.
static void end_destroy(struct object *object) {
    struct end *end = end_of(object);
    waitable_update(&peer_of(end)->waitable, 0, WAIT_HANGUP);
    spin_lock(&channels_lock);
    end->is_closed = true;
    spin_unlock(&channels_lock);
    drop(&end->dropped, end_empty);
}

static struct waitable *end_waitable(struct object *object) {
    return &end_of(object)->waitable;
}

static void end_revoked(struct object *object) {
    memory_object_revoke(end_of(object)->channel->memory);
}

static void end_tally(struct object *object, struct tally *tally) {
    struct end *end = end_of(object);
    tally_memory(tally, end->channel->memory);
    if (tally_meet(tally, &end->tally)) {
        tally_later(tally, &end->tally, object);
    }
}

// What is on its way here.
static void end_tally_inside(struct object *object,
                             void (*each)(struct tally *tally, struct object *inside),
                             struct tally *tally) {
    struct end *end = end_of(object);
    struct capability *arrived[ARRIVALS_MAX];
    spin_lock(&channels_lock);
    const uint32_t count = end->is_closed ? 0 : end->count;
    for (uint32_t i = 0; i < count; i++) {
        arrived[i] = capability_get(end->arrived[(end->first + i) % ARRIVALS_MAX]);
    }
    spin_unlock(&channels_lock);
    for (uint32_t i = 0; i < count; i++) {
        each(tally, arrived[i]->object);
        capability_put(arrived[i]);
    }
}

static const struct object_type end_type = {
    .kind = OBJECT_CHANNEL,
    .name = "channel end",
    .destroy = end_destroy,
    .waitable = end_waitable,
    .revoked = end_revoked,
    .tally = end_tally,
    .tally_inside = end_tally_inside,
};

// ---- making one

static void end_init(struct channel *channel, uint32_t number) {
    struct end *end = &channel->ends[number];
    object_init(&end->object, &end_type);
    capability_init_root(&end->root, &end->object, END_RIGHTS);
    waitable_init(&end->waitable, 0);
    end->channel = channel;
    end->number = number;
}

// NULL: no memory.
static struct channel *channel_alloc(struct account *account, uint32_t slots) {
    struct channel *channel = heap_alloc_zero(sizeof(*channel), MEMORY_SLEEP);
    if (channel == NULL) {
        return NULL;
    }
    channel->memory = memory_object_create_plain(account, hx_channel_bytes(slots));
    if (channel->memory == NULL) {
        heap_free(channel);
        return NULL;
    }
    if (memory_object_page(channel->memory, 0, MEMORY_GET_CREATE | MEMORY_GET_WRITE,
                           &channel->head) != HX_OK) {
        memory_object_put(channel->memory);
        heap_free(channel);
        return NULL;
    }
    atomic_init(&channel->living, 2);
    object_get(&account->object);
    channel->account = account;
    channel->slots = slots;
    end_init(channel, 0);
    end_init(channel, 1);
    return channel;
}

// Both ends get handles, or neither; takes the references.
static enum hx_status give_ends(struct channel *channel, struct uaddr out_handles) {
    handle_t handles[2];
    enum hx_status status = native_give(&channel->ends[0].root, &handles[0]);
    if (status != HX_OK) {
        capability_put(&channel->ends[1].root);
        return status;
    }
    status = native_give(&channel->ends[1].root, &handles[1]);
    if (status != HX_OK) {
        HX_IGNORE(handle_close(process_current(), handles[0]));
        return status;
    }
    status = copy_to_user(out_handles, handles, sizeof(handles));
    if (status != HX_OK) {
        HX_IGNORE(handle_close(process_current(), handles[0]));
        HX_IGNORE(handle_close(process_current(), handles[1]));
    }
    return status;
}

enum hx_status native_channel_create(uint32_t slots, struct uaddr out_ends) {
    struct account *account = process_current()->account;
    if (!hx_ring_count_is_valid(slots)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = account_charge(account, ACCOUNT_OBJECTS, 2);
    if (status != HX_OK) {
        return status;
    }
    struct channel *channel = channel_alloc(account, slots);
    if (channel == NULL) {
        account_release(account, ACCOUNT_OBJECTS, 2);
        return HX_ERR_NO_MEMORY;
    }
    return give_ends(channel, out_ends);
}

// ---- the shared memory, sleeping and waking

enum hx_status native_channel_map(struct capability *end, struct uaddr out_view) {
    const struct end *self = end_of(end->object);
    struct uaddr address;
    const struct aspace_map_request request = {
        .size_bytes = hx_channel_bytes(self->channel->slots),
        .protection = ASPACE_READ | ASPACE_WRITE,
        .protection_max = ASPACE_READ | ASPACE_WRITE,
        .flags = ASPACE_SHARED | ASPACE_NO_FORK, // a child has no handle, either
        .object = self->channel->memory,
        .under = end,
        .label = "[channel]",
    };
    enum hx_status status = aspace_map(aspace_current(), &request, &address);
    if (status != HX_OK) {
        return status;
    }
    const struct hx_channel_view view = { .address = address.value,
                                          .slots = self->channel->slots,
                                          .end = self->number };
    status = copy_to_user(out_view, &view, sizeof(view));
    if (status != HX_OK) {
        HX_IGNORE(aspace_unmap(aspace_current(), address, request.size_bytes));
    }
    return status;
}

enum hx_status native_channel_notify(struct capability *end, uint32_t states) {
    struct end *self = end_of(end->object);
    // The memory of a closed peer is there as long as this end is.
    waitable_update(&peer_of(self)->waitable, 0, states);
    return (waitable_state(&self->waitable) & WAIT_HANGUP) == 0 ? HX_OK : HX_ERR_PEER_DIED;
}

enum hx_status native_channel_arm(struct capability *end, uint32_t states) {
    struct end *self = end_of(end->object);
    waitable_update(&self->waitable, states, 0);
    // Of <helix/ring.h>: what the peer showed before is seen, or it sees the sleeper.
    cpu_barrier_on(memory_object_processors(self->channel->memory));
    return HX_OK;
}

// ---- sleeping, and handing over the processor

// What a sleeper knows, and where the peer shows more.
struct seen {
    const _Atomic uint64_t *shown, *woken;
    uint64_t position, sleep;
};

static bool has_news(const void *context) {
    const struct seen *seen = context;
    return atomic_load_explicit(seen->shown, memory_order_seq_cst) != seen->position ||
           atomic_load_explicit(seen->woken, memory_order_relaxed) == seen->sleep;
}

static struct seen seen_by(const struct end *end, uint32_t state, uint64_t position,
                           uint64_t sleep) {
    const struct hx_ring *rings = frame_data(end->channel->head);
    const struct hx_ring *in = &rings[1 - end->number], *out = &rings[end->number];
    if (state == HX_STATE_READABLE) {
        return (struct seen){ &in->tail, &in->consumer_woken, position, sleep };
    }
    return (struct seen){ &out->head, &out->producer_woken, position, sleep };
}

// The barrier is not needed if the peer was asleep when it was told: it had no store pending, and
// when it is awake it finds the sleeper.
static enum hx_status told_or_news(struct end *end, struct wait_item *item, bool tells,
                                   const struct seen *seen, time_ns_t deadline) {
    const struct wait_hand hand = {
        .to = &peer_of(end)->waitable, .set = HX_STATE_READABLE, .look = has_news, .context = seen
    };
    if (tells) {
        enum hx_status status = wait_handing(&hand, item, deadline, WAIT_INTERRUPTIBLE);
        if (status != HX_ERR_WOULD_BLOCK) {
            return status;
        }
    }
    cpu_barrier_on(memory_object_processors(end->channel->memory));
    return has_news(seen) ? HX_OK : wait_for(item, 1, deadline, WAIT_INTERRUPTIBLE, NULL);
}

// What is there comes before the news that nothing more will.
static enum hx_status end_wait(struct end *end, uint32_t state, bool tells, const struct seen *seen,
                               time_ns_t deadline) {
    struct wait_item item = { .object = &end->waitable, .mask = state | HX_STATE_CLOSED };
    waitable_update(&end->waitable, state, 0);
    enum hx_status status = told_or_news(end, &item, tells, seen, deadline);
    if (status == HX_OK && (waitable_state(&end->waitable) & item.mask) == HX_STATE_CLOSED &&
        !has_news(seen)) {
        return HX_ERR_PEER_DIED;
    }
    return status;
}

enum hx_status native_channel_wait(struct capability *end, uint32_t state, uint64_t position,
                                   uint64_t sleep, time_ns_t deadline) {
    struct end *self = end_of(end->object);
    if (state != HX_STATE_READABLE && state != HX_STATE_WRITABLE) {
        return HX_ERR_INVALID;
    }
    const struct seen seen = seen_by(self, state, position, sleep);
    return end_wait(self, state, false, &seen, deadline);
}

enum hx_status native_channel_call(struct capability *end, uint64_t position, uint64_t sleep,
                                   time_ns_t deadline) {
    struct end *self = end_of(end->object);
    const struct seen seen = seen_by(self, HX_STATE_READABLE, position, sleep);
    return end_wait(self, HX_STATE_READABLE, true, &seen, deadline);
}

// ---- handing over

// A place in the queue of `to`, which is filled or given back.
static enum hx_status place_promise(struct end *to, const struct capability *sent) {
    enum hx_status status = HX_OK;
    spin_lock(&channels_lock);
    if (to->is_closed) {
        status = HX_ERR_PEER_DIED;
    } else if (to->promised == ARRIVALS_MAX) {
        status = HX_ERR_WOULD_BLOCK;
    } else if (is_end(sent) && sent->object == &to->object) {
        status = HX_ERR_INVALID;
    } else if (is_end(sent) && end_of(sent->object)->ends_inside != 0) {
        status = HX_ERR_BUSY; // see the top
    } else {
        to->promised++;
        to->ends_inside += is_end(sent);
    }
    spin_unlock(&channels_lock);
    return status;
}

static void place_give_back(struct end *to, const struct capability *sent) {
    spin_lock(&channels_lock);
    to->promised--;
    to->ends_inside -= is_end(sent);
    spin_unlock(&channels_lock);
}

// Takes the reference.
static void place_fill(struct end *to, struct capability *sent) {
    spin_lock(&channels_lock);
    const bool is_lost = to->is_closed;
    if (!is_lost) {
        to->arrived[(to->first + to->count++) % ARRIVALS_MAX] = sent;
    }
    spin_unlock(&channels_lock);
    if (is_lost) {
        capability_put(sent); // as what was on its way then
    }
}

enum hx_status native_channel_send(struct capability *end, handle_t sent,
                                   struct capability *sent_capability) {
    struct end *to = peer_of(end_of(end->object));
    enum hx_status status = place_promise(to, sent_capability);
    if (status != HX_OK) {
        return status;
    }
    status = handle_close(process_current(), sent); // one of two that send it succeeds
    if (status == HX_OK) {
        place_fill(to, capability_get(sent_capability));
    } else {
        place_give_back(to, sent_capability);
    }
    return status;
}

// The oldest one; its place stays promised. NULL: there is none.
static struct capability *arrival_take(struct end *end) {
    struct capability *arrived = NULL;
    spin_lock(&channels_lock);
    if (end->count != 0) {
        arrived = end->arrived[end->first];
        end->first = (end->first + 1) % ARRIVALS_MAX;
        end->count--;
    }
    spin_unlock(&channels_lock);
    return arrived;
}

static void arrival_put_back(struct end *end, struct capability *arrived) {
    spin_lock(&channels_lock);
    end->first = (end->first + ARRIVALS_MAX - 1) % ARRIVALS_MAX;
    end->arrived[end->first] = arrived;
    end->count++;
    spin_unlock(&channels_lock);
}

enum hx_status native_channel_receive(struct capability *end, handle_t *out_received) {
    struct end *self = end_of(end->object);
    struct capability *arrived = arrival_take(self);
    if (arrived == NULL) {
        return HX_ERR_WOULD_BLOCK;
    }
    const bool was_end = is_end(arrived);
    enum hx_status status = handle_add(process_current(), arrived, out_received);
    if (status != HX_OK) {
        arrival_put_back(self, arrived);
        return status;
    }
    spin_lock(&channels_lock);
    self->promised--;
    self->ends_inside -= was_end;
    spin_unlock(&channels_lock);
    return HX_OK;
}
