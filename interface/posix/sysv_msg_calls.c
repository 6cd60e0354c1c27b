// SPDX-License-Identifier: MIT OR Apache-2.0
// sysv_msg_calls.c: msgget(2), msgop(2), msgctl(2): what they refuse, and in which order, is
// Linux's.
//
// Who made a queue pays for what is in it; who waits to send pays for its message meanwhile.
#include "life.h"
#include "mqueue.h"
#include "sysv_msg.h"

#include <memory/heap.h>
#include <memory/usercopy.h>
#include <posix/linux.h>

#define MSG_STAT     11
#define MSG_INFO     12
#define MSG_STAT_ANY 13

#define MSG_NOERROR 010000u
#define MSG_EXCEPT  020000u
#define MSG_COPY    040000u

#define TYPE_BYTES 8u   // of a message in user memory, before its text
#define ITEM_COST  128u // the most that the heap takes for a struct msg_item

// What Linux tells and does not use.
#define POOL_TOLD          (MSG_QUEUE_BYTES / 1024 * MSG_QUEUES_MAX)
#define SEGMENT_BYTES_TOLD 16
#define SEGMENTS_TOLD      0xffff

struct linux_msqid {
    struct linux_ipc_perm perm;
    int64_t sent_at, received_at, changed_at;
    uint64_t bytes, count, bytes_max;
    int32_t sender, receiver;
    uint64_t unused[2];
};
_Static_assert(sizeof(struct linux_msqid) == 120, "struct msqid64_ds of 64-bit machines");

struct linux_msginfo {
    int32_t pool, map, bytes_max, queue_bytes, queues_max, segment_bytes, total;
    uint16_t segments;
};

static const struct lock_class table_class = { .name = "System V message queues",
                                               .rank = LOCK_RANK_SIGNAL - 5 };
static const struct lock_class queue_class = { .name = "System V message queue",
                                               .rank = LOCK_RANK_SIGNAL - 3 };
static struct ipc_table queues = IPC_TABLE(&table_class, MSG_QUEUES_MAX);

static struct msg_queue *queue_of(struct ipc_entry *entry) {
    return CONTAINER_OF(entry, struct msg_queue, entry);
}

// Queues -----------------------------------------------------------------------------------------

static void queue_destroy(struct object *object) {
    struct msg_queue *queue = CONTAINER_OF(object, struct msg_queue, entry.object);
    ipc_entry_fini(&queue->entry);
    heap_free(queue);
}

static const struct object_type queue_type = { .kind = OBJECT_IPC,
                                               .name = "System V message queue",
                                               .destroy = queue_destroy };

static enum hx_status queue_create(int32_t key, uint32_t flags, uint64_t size,
                                   struct ipc_entry **out_entry) {
    (void)size;
    struct msg_queue *queue = heap_alloc_zero(sizeof(*queue), MEMORY_SLEEP);
    if (queue == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    if (ipc_entry_init(&queue->entry, &queue_type, key, flags, 0) != HX_OK) {
        heap_free(queue);
        return HX_ERR_NO_MEMORY;
    }
    spinlock_init(&queue->lock, &queue_class);
    list_init(&queue->messages);
    list_init(&queue->senders);
    list_init(&queue->receivers);
    queue->bytes_max = MSG_QUEUE_BYTES;
    *out_entry = &queue->entry;
    return HX_OK;
}

enum hx_status sys_msgget(struct call *call) {
    static const struct ipc_maker maker = { .create = queue_create };
    return ipc_get(call, &queues, call_uint(call, 1), 0, &maker);
}

// Messages ---------------------------------------------------------------------------------------

static enum hx_status item_create(struct uaddr text, uint64_t length, int64_t type,
                                  struct msg_item **out_item) {
    struct msg_item *item = heap_alloc(sizeof(*item), MEMORY_SLEEP);
    if (item == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const enum hx_status status = mqueue_message_create(text, length, 0, &item->body);
    if (status != HX_OK) {
        heap_free(item);
        return status;
    }
    list_init(&item->link);
    item->type = type;
    item->length = length;
    item->cost = mqueue_message_cost(length) + ITEM_COST;
    atomic_init(&item->references, 1);
    *out_item = item;
    return HX_OK;
}

// Takes the item on HX_OK.
static enum hx_status send(struct call *call, struct msg_item *item) {
    struct ipc_entry *entry;
    const bool waits = (call_uint(call, 3) & IPC_NOWAIT) == 0;
    enum hx_status status = ipc_hold(&queues, call_int(call, 0), 0, &entry);
    if (status != HX_OK) {
        return status;
    }
    do {
        status = ipc_check(&queues, entry, IPC_WRITE);
        if (status == HX_OK) {
            status = msg_queue_send(queue_of(entry), item, waits);
        }
    } while (status == HX_ERR_BUSY);
    ipc_put(entry);
    return ipc_refusal(call, status);
}

static enum hx_status send_paying(struct call *call, int64_t type) {
    struct account *account = account_current();
    const uint64_t length = call->args[2];
    const uint64_t cost = mqueue_message_cost(length) + ITEM_COST;
    const int64_t pages = (int64_t)(ALIGN_UP(cost, (uint64_t)PAGE_SIZE) / PAGE_SIZE);
    struct msg_item *item;
    if (account_charge(account, ACCOUNT_FRAMES, pages) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status =
        item_create(uaddr_add(call_address(call, 1), TYPE_BYTES), length, type, &item);
    if (status == HX_OK) {
        status = send(call, item);
        if (status != HX_OK) {
            msg_item_put(item);
        }
    }
    account_release(account, ACCOUNT_FRAMES, pages);
    return status;
}

enum hx_status sys_msgsnd(struct call *call) {
    int64_t type;
    if (copy_from_user(&type, call_address(call, 1), sizeof(type)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (call->args[2] > MSG_BYTES_MAX || call_int(call, 0) < 0 || type < 1) {
        return HX_ERR_INVALID;
    }
    return send_paying(call, type);
}

static void choose(int64_t type, uint32_t flags, struct msg_wanted *wanted) {
    wanted->type = type;
    if ((flags & MSG_COPY) != 0) {
        wanted->search = MSG_BY_PLACE;
    } else if (type == 0) {
        wanted->search = MSG_ANY;
    } else if (type < 0) {
        wanted->search = MSG_UP_TO_TYPE;
        wanted->type = type == INT64_MIN ? INT64_MAX : -type;
    } else {
        wanted->search = (flags & MSG_EXCEPT) != 0 ? MSG_OF_OTHER_TYPE : MSG_OF_TYPE;
    }
}

static enum hx_status receive(struct call *call, const struct msg_wanted *wanted,
                              struct msg_item **out_item) {
    struct ipc_entry *entry;
    const bool waits = (call_uint(call, 4) & IPC_NOWAIT) == 0;
    enum hx_status status = ipc_hold(&queues, call_int(call, 0), 0, &entry);
    if (status != HX_OK) {
        return status;
    }
    do {
        status = ipc_check(&queues, entry, IPC_READ);
        if (status == HX_OK) {
            status = msg_queue_receive(queue_of(entry), wanted, waits, out_item);
        }
    } while (status == HX_ERR_BUSY);
    ipc_put(entry);
    return status == HX_ERR_NOT_FOUND ? call_fail(call, status, ENOMSG) : ipc_refusal(call, status);
}

// One that cannot be given is lost.
static enum hx_status give(struct call *call, struct msg_item *item, uint64_t room) {
    const struct uaddr to = call_address(call, 1);
    const uint64_t length = MIN_OF(item->length, room);
    enum hx_status status = copy_to_user(to, &item->type, sizeof(item->type));
    if (status == HX_OK) {
        status = mqueue_message_copy(item->body, length, uaddr_add(to, TYPE_BYTES));
    }
    return status == HX_OK ? call_ok(call, (int64_t)length) : status;
}

enum hx_status sys_msgrcv(struct call *call) {
    const uint32_t flags = call_uint(call, 4);
    struct msg_wanted wanted = { .room = call->args[2], .is_cut = (flags & MSG_NOERROR) != 0 };
    struct msg_item *item;
    if (call_int(call, 0) < 0 || call->args[2] > INT64_MAX) {
        return HX_ERR_INVALID;
    }
    const bool copies = (flags & MSG_COPY) != 0;
    if (copies && ((flags & MSG_EXCEPT) != 0 || (flags & IPC_NOWAIT) == 0)) {
        return HX_ERR_INVALID;
    }
    choose((int64_t)call->args[3], flags, &wanted);
    enum hx_status status = receive(call, &wanted, &item);
    if (status != HX_OK) {
        return status;
    }
    status = copies && item->length > wanted.room ? HX_ERR_INVALID : give(call, item, wanted.room);
    msg_item_put(item);
    return status;
}

// msgctl -----------------------------------------------------------------------------------------

// The first one from that index on, with a reference; NULL: there is none.
static struct msg_queue *queue_from(int32_t index) {
    spin_lock(&queues.lock);
    struct ipc_entry *entry = ipc_from_index_locked(&queues, index);
    if (entry != NULL) {
        object_get(&entry->object);
    }
    spin_unlock(&queues.lock);
    return entry != NULL ? queue_of(entry) : NULL;
}

static void describe(struct msg_queue *queue, struct linux_msqid *out) {
    *out = (struct linux_msqid){ 0 };
    ipc_describe(&queues, &queue->entry, &out->perm, &out->changed_at);
    spin_lock(&queue->lock);
    out->sent_at = queue->sent_at;
    out->received_at = queue->received_at;
    out->bytes = queue->bytes;
    out->count = queue->count;
    out->bytes_max = queue->bytes_max;
    out->sender = queue->sender;
    out->receiver = queue->receiver;
    spin_unlock(&queue->lock);
}

static void add_usage(struct linux_msginfo *info) {
    struct msg_queue *queue;
    info->pool = ipc_count(&queues);
    info->map = 0;
    info->total = 0;
    for (int32_t index = 0; (queue = queue_from(index)) != NULL;) {
        struct linux_msqid state;
        describe(queue, &state);
        index = ipc_index(&queue->entry) + 1;
        info->map += (int32_t)state.count;
        info->total += (int32_t)state.bytes;
        ipc_put(&queue->entry);
    }
}

static enum hx_status tell_limits(struct call *call, bool usage) {
    struct linux_msginfo info = {
        .pool = POOL_TOLD,
        .map = MSG_QUEUE_BYTES,
        .bytes_max = MSG_BYTES_MAX,
        .queue_bytes = MSG_QUEUE_BYTES,
        .queues_max = MSG_QUEUES_MAX,
        .segment_bytes = SEGMENT_BYTES_TOLD,
        .total = MSG_QUEUE_BYTES,
        .segments = SEGMENTS_TOLD,
    };
    if (usage) {
        add_usage(&info);
    }
    call->result = ipc_highest_index(&queues);
    return copy_to_user(call_address(call, 2), &info, sizeof(info));
}

static enum hx_status tell(struct call *call, bool by_index, bool any) {
    struct ipc_entry *entry;
    const enum hx_status status =
        ipc_hold_to_tell(&queues, call_int(call, 0), by_index, any, &entry);
    if (status != HX_OK) {
        return status;
    }
    struct linux_msqid state;
    describe(queue_of(entry), &state);
    call->result = by_index ? entry->id : 0;
    ipc_put(entry);
    return copy_to_user(call_address(call, 2), &state, sizeof(state));
}

static enum hx_status remove_queue(struct call *call) {
    struct ipc_entry *entry;
    const enum hx_status status = ipc_hold_owned(&queues, call_int(call, 0), &entry);
    if (status != HX_OK) {
        return status;
    }
    spin_lock(&queues.lock);
    const bool ends = ipc_remove_locked(&queues, entry);
    spin_unlock(&queues.lock);
    if (ends) {
        msg_queue_end(queue_of(entry));
        ipc_put(entry);
    }
    ipc_put(entry);
    return ends ? HX_OK : ipc_refusal(call, HX_ERR_REVOKED);
}

static enum hx_status change(struct ipc_entry *entry, const struct linux_msqid *state) {
    if (state->bytes_max > MSG_QUEUE_BYTES && !posix_capable(CAPABILITY_SYS_RESOURCE)) {
        return HX_ERR_NOT_PERMITTED;
    }
    spin_lock(&queues.lock);
    const enum hx_status status =
        entry->is_listed ? ipc_change_locked(entry, &state->perm) : HX_ERR_REVOKED;
    spin_unlock(&queues.lock);
    if (status == HX_OK) {
        struct msg_queue *queue = queue_of(entry);
        spin_lock(&queue->lock);
        queue->bytes_max = state->bytes_max;
        msg_queue_changed_locked(queue);
        spin_unlock(&queue->lock);
    }
    return status;
}

static enum hx_status set(struct call *call) {
    struct linux_msqid state;
    struct ipc_entry *entry;
    enum hx_status status = copy_from_user(&state, call_address(call, 2), sizeof(state));
    if (status == HX_OK) {
        status = ipc_hold_owned(&queues, call_int(call, 0), &entry);
    }
    if (status != HX_OK) {
        return status;
    }
    status = change(entry, &state);
    ipc_put(entry);
    return ipc_refusal(call, status);
}

enum hx_status sys_msgctl(struct call *call) {
    const int32_t command = call_int(call, 1);
    if (command < 0 || call_int(call, 0) < 0) {
        return HX_ERR_INVALID;
    }
    switch (command) {
    case IPC_INFO:
    case MSG_INFO:
        return tell_limits(call, command == MSG_INFO);
    case IPC_STAT:
        return tell(call, false, false);
    case MSG_STAT:
    case MSG_STAT_ANY:
        return tell(call, true, command == MSG_STAT_ANY);
    case IPC_SET:
        return set(call);
    case IPC_RMID:
        return remove_queue(call);
    default:
        return HX_ERR_INVALID;
    }
}

int32_t msg_line(int32_t index, struct ipc_line *out_line) {
    struct msg_queue *queue = queue_from(index);
    if (queue == NULL) {
        return -1;
    }
    struct linux_msqid state;
    describe(queue, &state);
    out_line->perm = state.perm;
    out_line->id = queue->entry.id;
    out_line->values[0] = (int64_t)state.bytes;
    out_line->values[1] = (int64_t)state.count;
    out_line->values[2] = state.sender;
    out_line->values[3] = state.receiver;
    out_line->values[4] = state.sent_at;
    out_line->values[5] = state.received_at;
    out_line->values[6] = state.changed_at;
    const int32_t at = ipc_index(&queue->entry);
    ipc_put(&queue->entry);
    return at;
}
