// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/end.c: one end of a channel.
//
// How a side sleeps without losing a wake stands in <helix/ring.h>; both sides of an end show and
// give back before it, so that two peers never wait for each other's unseen work.
#include <libhelix/end.h>

#include <string.h>
#include <sys/mman.h>

struct hx_slot hx_message(uint16_t kind, const void *data, size_t length) {
    struct hx_slot message = { .kind = kind,
                               .length =
                                   (uint8_t)(length < HX_SLOT_BYTES ? length : HX_SLOT_BYTES) };
    memcpy(message.data, data, message.length);
    return message;
}

enum hx_status hx_end_open(struct hx_end *end, handle_t handle) {
    struct hx_end made = { .handle = handle };
    enum hx_status status = hx_channel_map(handle, &made.view);
    if (status != HX_OK) {
        return status;
    }
    status = hx_channel_sides(&made.view, &made.out, &made.in);
    if (status == HX_OK) {
        *end = made;
    }
    return status;
}

void hx_end_close(struct hx_end *end) {
    munmap((void *)(uintptr_t)end->view.address, hx_channel_bytes(end->view.slots));
    HX_IGNORE(hx_handle_close(end->handle)); // it may have been revoked
    *end = (struct hx_end){ 0 };
}

static bool is_all_taken(struct hx_producer *out) {
    hx_ring_look_for_room(out);
    return !out->broken && out->limit - out->mask - 1 == out->tail;
}

// A peer that has taken it all and gone since was there for it: waking it may let it run to its
// end.
static enum hx_status show(struct hx_end *end) {
    enum hx_status status =
        hx_ring_publish(&end->out) ? hx_channel_notify(end->handle, HX_STATE_READABLE) : HX_OK;
    return status == HX_ERR_PEER_DIED && is_all_taken(&end->out) ? HX_OK : status;
}

// What was received counts even if its sender has gone.
static enum hx_status give_back(struct hx_end *end) {
    enum hx_status status =
        hx_ring_release(&end->in) ? hx_channel_notify(end->handle, HX_STATE_WRITABLE) : HX_OK;
    return status == HX_ERR_PEER_DIED ? HX_OK : status;
}

// Sleeps once, unless there is room by now.
static enum hx_status wait_for_room(struct hx_end *end, time_ns_t deadline) {
    struct hx_producer *out = &end->out;
    hx_producer_sleep(out);
    end->sleeps++;
    enum hx_status status = hx_channel_wait(end->handle, HX_STATE_WRITABLE,
                                            out->limit - end->view.slots, out->sleep, deadline);
    hx_producer_awake(out);
    return status;
}

// Sleeps once, unless there is a message by now; with `tells` the peer is told first.
static enum hx_status wait_for_message(struct hx_end *end, bool tells, time_ns_t deadline) {
    struct hx_consumer *in = &end->in;
    hx_consumer_sleep(in);
    end->sleeps++;
    enum hx_status status =
        tells ? hx_channel_call(end->handle, in->tail, in->sleep, deadline)
              : hx_channel_wait(end->handle, HX_STATE_READABLE, in->tail, in->sleep, deadline);
    hx_consumer_awake(in);
    return status;
}

static enum hx_status await_room(struct hx_end *end, time_ns_t deadline) {
    while (hx_ring_room(&end->out) == 0) {
        if (end->out.broken) {
            return HX_ERR_CORRUPT;
        }
        enum hx_status status = wait_for_room(end, deadline);
        if (status != HX_OK) {
            return status;
        }
    }
    return HX_OK;
}

// What came before a peer's end is still taken.
static enum hx_status await_message(struct hx_end *end, bool tells, time_ns_t deadline) {
    enum hx_status status = HX_OK;
    while (hx_ring_ready(&end->in) == 0) {
        if (end->in.broken || status != HX_OK) {
            return end->in.broken ? HX_ERR_CORRUPT : status;
        }
        status = wait_for_message(end, tells, deadline);
        tells = false;
    }
    return HX_OK;
}

enum hx_status hx_end_send(struct hx_end *end, const struct hx_slot *messages, uint32_t count,
                           time_ns_t deadline, uint32_t *out_sent) {
    enum hx_status status = await_room(end, deadline);
    if (status != HX_OK) {
        return status;
    }
    const uint32_t sent = hx_ring_put_many(&end->out, messages, count);
    if (sent == 0 && count != 0) { // there was room, so it must have lied since
        return HX_ERR_CORRUPT;
    }
    status = show(end);
    if (status == HX_OK) {
        *out_sent = sent;
    }
    return status;
}

enum hx_status hx_end_send_all(struct hx_end *end, const struct hx_slot *messages, uint32_t count,
                               time_ns_t deadline) {
    while (count != 0) {
        uint32_t sent;
        enum hx_status status = hx_end_send(end, messages, count, deadline, &sent);
        if (status != HX_OK) {
            return status;
        }
        messages += sent;
        count -= sent;
    }
    return HX_OK;
}

enum hx_status hx_end_send_handle(struct hx_end *end, const struct hx_slot *message, handle_t sent,
                                  time_ns_t deadline) {
    struct hx_slot with = *message;
    with.flags |= HX_MESSAGE_HANDLE;
    enum hx_status status = await_room(end, deadline); // nothing fails behind the handle
    if (status == HX_OK) {
        status = hx_channel_send(end->handle, sent);
    }
    return status == HX_OK ? hx_end_send_all(end, &with, 1, deadline) : status;
}

enum hx_status hx_end_receive(struct hx_end *end, struct hx_slot *messages, uint32_t max,
                              time_ns_t deadline, uint32_t *out_received) {
    enum hx_status status = await_message(end, false, deadline);
    if (status != HX_OK) {
        return status;
    }
    const uint32_t received = hx_ring_get_many(&end->in, messages, max);
    if (received == 0 && max != 0) {
        return HX_ERR_CORRUPT;
    }
    status = received != 0 ? give_back(end) : HX_OK; // who is woken finds room
    if (status == HX_OK) {
        *out_received = received;
    }
    return status;
}

enum hx_status hx_end_call(struct hx_end *end, const struct hx_slot *message,
                           struct hx_slot *out_answer, time_ns_t deadline) {
    enum hx_status status = await_room(end, deadline);
    if (status == HX_OK) {
        status = hx_ring_put(&end->out, message);
    }
    if (status != HX_OK) {
        return status;
    }
    const bool must_wake = hx_ring_publish(&end->out);
    if (must_wake && hx_ring_ready(&end->in) != 0) { // then nothing else tells it
        HX_IGNORE(hx_channel_notify(end->handle, HX_STATE_READABLE));
    }
    status = await_message(end, true, deadline);
    if (status == HX_OK) {
        status = hx_ring_get(&end->in, out_answer);
    }
    return status == HX_OK ? give_back(end) : status;
}

enum hx_status hx_end_take_handle(struct hx_end *end, const struct hx_slot *message,
                                  handle_t *out_handle) {
    return (message->flags & HX_MESSAGE_HANDLE) != 0 ? hx_channel_receive(end->handle, out_handle)
                                                     : HX_ERR_INVALID;
}
