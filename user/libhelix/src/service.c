// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/service.c: the loop of a service.
//
// Who has nothing to say stays asleep in both rings from one wait to the next, and is not armed
// again; so a sleep costs as much as there were connections that did something.
#include <libhelix/service.h>

#define LOOK_EVERY 64u // messages, after which peers are noticed that have gone

void hx_loop_init(struct hx_loop *loop, struct hx_peer *peers, uint32_t capacity) {
    *loop = (struct hx_loop){ .peers = peers, .capacity = capacity };
}

enum hx_status hx_loop_add(struct hx_loop *loop, handle_t handle, enum hx_class class,
                           enum hx_listen listen, struct hx_peer **out_peer) {
    struct hx_peer *peer = loop->peers;
    while (peer < loop->peers + loop->capacity && peer->is_open) {
        peer++;
    }
    if (peer == loop->peers + loop->capacity) {
        return HX_ERR_LIMIT;
    }
    *peer = (struct hx_peer){ .class = class, .listen = listen };
    enum hx_status status = hx_end_open(&peer->end, handle);
    if (status == HX_OK) {
        peer->is_open = true;
        *out_peer = peer;
    }
    return status;
}

enum hx_status hx_loop_accept(struct hx_loop *loop, const struct hx_turn *turn,
                              enum hx_listen listen, struct hx_peer **out_peer) {
    const uint16_t kind = turn->message.kind;
    const enum hx_class class = kind <= HX_CLASS_BACKGROUND ? kind : HX_CLASS_BACKGROUND;
    handle_t end;
    enum hx_status status = hx_end_take_handle(&turn->peer->end, &turn->message, &end);
    if (status != HX_OK) {
        return status;
    }
    status = hx_loop_add(loop, end, class, listen, out_peer);
    if (status != HX_OK) {
        HX_IGNORE(hx_handle_close(end)); // whose it was sees that
    }
    return status;
}

void hx_loop_remove(struct hx_peer *peer) {
    hx_end_close(&peer->end);
    *peer = (struct hx_peer){ 0 };
}

// ---- what there is to do

static bool has_room(struct hx_peer *peer) {
    const bool yes = hx_ring_room(&peer->end.out) != 0;
    peer->is_closed |= peer->end.out.broken;
    return yes;
}

static bool has_message(struct hx_peer *peer) {
    const bool yes = hx_ring_ready(&peer->end.in) != 0;
    peer->is_closed |= peer->end.in.broken;
    return yes;
}

// A message that may be taken now.
static bool is_ready(struct hx_peer *peer) {
    return peer->is_open && peer->listen != HX_LISTEN_NOT && has_message(peer) &&
           (peer->listen == HX_LISTEN_MESSAGES || has_room(peer));
}

static void end_sleep(struct hx_peer *peer, uint32_t states) {
    if ((states & HX_STATE_READABLE) != 0 && peer->in_sleeps) {
        hx_consumer_awake(&peer->end.in);
        peer->in_sleeps = false;
    }
    if ((states & HX_STATE_WRITABLE) != 0 && peer->out_sleeps) {
        hx_producer_awake(&peer->end.out);
        peer->out_sleeps = false;
    }
}

// Somebody who wants to know of room, and has it, or who has gone.
static bool find_news(struct hx_loop *loop, struct hx_turn *turn) {
    for (uint32_t i = 0; i < loop->capacity; i++) {
        struct hx_peer *peer = &loop->peers[i];
        if (!peer->is_open) {
            continue;
        }
        turn->peer = peer;
        if (peer->is_closed && !is_ready(peer)) {
            turn->kind = HX_TURN_CLOSED;
            return true;
        }
        if (peer->wants_room && has_room(peer)) {
            peer->wants_room = false;
            turn->kind = HX_TURN_ROOM;
            return true;
        }
    }
    return false;
}

static uint32_t ready_classes(struct hx_loop *loop) {
    uint32_t classes = 0;
    for (uint32_t i = 0; i < loop->capacity; i++) {
        if (is_ready(&loop->peers[i])) {
            classes |= 1u << loop->peers[i].class;
        }
    }
    return classes;
}

// The next one of a class behind who had the last turn; there is one.
static struct hx_peer *next_of(struct hx_loop *loop, enum hx_class class) {
    uint32_t *last = &loop->last[class];
    do {
        *last = (*last + 1) % loop->capacity;
    } while (loop->peers[*last].class != class || !is_ready(&loop->peers[*last]));
    return &loop->peers[*last];
}

static bool find_message(struct hx_loop *loop, struct hx_turn *turn) {
    const uint32_t classes = ready_classes(loop);
    if (classes == 0) {
        return false;
    }
    struct hx_peer *peer = next_of(loop, hx_pick(&loop->picker, classes));
    turn->kind = HX_TURN_MESSAGE;
    turn->peer = peer;
    if (hx_ring_get(&peer->end.in, &turn->message) != HX_OK) {
        peer->is_closed = true; // it lies
        turn->kind = HX_TURN_CLOSED;
        return true;
    }
    if (hx_ring_release(&peer->end.in)) { // if it has gone, that is noticed by itself
        HX_IGNORE(hx_channel_notify(peer->end.handle, HX_STATE_WRITABLE));
    }
    end_sleep(peer, HX_STATE_READABLE);
    return true;
}

// ---- sleeping

// What a connection is to be woken for.
static uint32_t awaited(struct hx_peer *peer) {
    const bool listens = peer->listen != HX_LISTEN_NOT;
    if (peer->wants_room) {
        return HX_STATE_WRITABLE | (listens ? HX_STATE_READABLE : 0);
    }
    if (!listens) {
        return 0;
    }
    return has_message(peer) ? HX_STATE_WRITABLE : HX_STATE_READABLE;
}

// Whether a side that sleeps, as far as it knows, has been woken from that.
static bool is_woken(const _Atomic uint64_t *woken, uint64_t sleep) {
    return atomic_load_explicit(woken, memory_order_relaxed) == sleep;
}

// A side that is to be woken sleeps from now on; what must be armed for that.
static uint32_t sleep_in(struct hx_peer *peer) {
    struct hx_consumer *in = &peer->end.in;
    if (peer->in_sleeps && is_woken(&in->ring->consumer_woken, in->sleep)) {
        end_sleep(peer, HX_STATE_READABLE);
    }
    if (peer->in_sleeps) {
        return 0;
    }
    hx_consumer_sleep(in);
    peer->in_sleeps = true;
    return HX_STATE_READABLE;
}

static uint32_t sleep_out(struct hx_peer *peer) {
    struct hx_producer *out = &peer->end.out;
    if (peer->out_sleeps && is_woken(&out->ring->producer_woken, out->sleep)) {
        end_sleep(peer, HX_STATE_WRITABLE);
    }
    if (peer->out_sleeps) {
        return 0;
    }
    hx_producer_sleep(out);
    peer->out_sleeps = true;
    return HX_STATE_WRITABLE;
}

// Both rings say that this side sleeps, as far as it waits for them. Whether it may.
static bool lie_down(struct hx_peer *peer) {
    const uint32_t states = peer->awaited = awaited(peer);
    const uint32_t arm = ((states & HX_STATE_READABLE) != 0 ? sleep_in(peer) : 0) |
                         ((states & HX_STATE_WRITABLE) != 0 ? sleep_out(peer) : 0);
    if (arm != 0 && hx_channel_arm(peer->end.handle, arm) != HX_OK) {
        peer->is_closed = true; // revoked
    }
    const bool is_quiet =
        !peer->is_closed && !is_ready(peer) && !(peer->wants_room && has_room(peer));
    return is_quiet && !peer->is_closed; // looking may have found a lie
}

static void note_state(struct hx_peer *peer, uint32_t state) {
    end_sleep(peer, state);
    peer->is_closed |= (state & (HX_STATE_CLOSED | HX_STATE_REVOKED)) != 0;
}

// One wait for all. HX_ERR_TIMED_OUT: nothing has happened.
static enum hx_status look(struct hx_loop *loop, time_ns_t deadline) {
    struct hx_wait_item items[HX_PEERS_MAX];
    struct hx_peer *whose[HX_PEERS_MAX];
    uint32_t count = 0, ready;
    for (uint32_t i = 0; i < loop->capacity; i++) {
        struct hx_peer *peer = &loop->peers[i];
        if (peer->is_open) {
            const uint32_t states = peer->awaited | HX_STATE_CLOSED;
            items[count] = (struct hx_wait_item){ peer->end.handle, states, 0, 0 };
            whose[count++] = peer;
        }
    }
    enum hx_status status = hx_wait(items, count, deadline, &ready);
    for (uint32_t i = 0; status == HX_OK && i < count; i++) {
        note_state(whose[i], items[i].out_state);
    }
    loop->taken = 0;
    return status;
}

static bool all_lie_down(struct hx_loop *loop) {
    bool quiet = true;
    for (uint32_t i = 0; i < loop->capacity; i++) {
        if (loop->peers[i].is_open) {
            quiet &= lie_down(&loop->peers[i]);
        }
    }
    return quiet;
}

enum hx_status hx_loop_next(struct hx_loop *loop, time_ns_t deadline, struct hx_turn *out_turn) {
    for (;;) {
        if (loop->taken++ >= LOOK_EVERY) {
            HX_IGNORE(look(loop, 0)); // what cannot be seen now is seen later
        }
        if (find_news(loop, out_turn) || find_message(loop, out_turn)) {
            return HX_OK;
        }
        if (all_lie_down(loop)) {
            enum hx_status status = look(loop, deadline);
            if (status != HX_OK) {
                return status;
            }
        }
    }
}

// ---- the way back

enum hx_status hx_loop_send(struct hx_peer *peer, const struct hx_slot *message) {
    enum hx_status status = hx_ring_put(&peer->end.out, message);
    if (status == HX_OK && hx_ring_publish(&peer->end.out)) {
        status = hx_channel_notify(peer->end.handle, HX_STATE_READABLE);
    }
    if (status != HX_OK && status != HX_ERR_WOULD_BLOCK) {
        peer->is_closed = true;
        status = HX_ERR_PEER_DIED;
    }
    return status;
}

void hx_loop_answer(struct hx_peer *peer, const struct hx_slot *answer) {
    if (hx_loop_send(peer, answer) == HX_ERR_WOULD_BLOCK) {
        peer->is_closed = true; // there was room when the request was taken
    }
}
