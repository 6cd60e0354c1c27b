// SPDX-License-Identifier: MIT OR Apache-2.0
// mqueue_message.c: what programs send through message queues. A message lies in single pages, each
// of which leads to the next one: so it needs no pages beside each other, and what it takes is
// known from its length alone.
#include "mqueue.h"

#include <memory/heap.h>
#include <memory/usercopy.h>

struct mqueue_part {
    struct mqueue_part *next;
    uint8_t bytes[];
};

#define FIRST_BYTES (PAGE_SIZE - sizeof(struct mqueue_message))
#define PART_BYTES  (PAGE_SIZE - sizeof(struct mqueue_part))

// The most that the heap takes for so many bytes, a page at most.
static uint64_t taken(uint64_t size_bytes) {
    uint64_t bytes = 16;
    while (bytes < size_bytes) {
        bytes *= 2;
    }
    return bytes;
}

uint64_t mqueue_message_cost(uint64_t length) {
    const uint64_t first = MIN_OF(length, FIRST_BYTES);
    const uint64_t rest = length - first;
    const uint64_t last = rest % PART_BYTES;
    return taken(sizeof(struct mqueue_message) + first) + rest / PART_BYTES * PAGE_SIZE +
           (last != 0 ? taken(sizeof(struct mqueue_part) + last) : 0);
}

void mqueue_message_free(struct mqueue_message *message) {
    struct mqueue_part *part = message->rest;
    heap_free(message);
    while (part != NULL) {
        struct mqueue_part *next = part->next;
        heap_free(part);
        part = next;
    }
}

static struct mqueue_message *create(uint64_t length) {
    uint64_t left = length - MIN_OF(length, FIRST_BYTES);
    struct mqueue_message *message = heap_alloc(sizeof(*message) + (length - left), MEMORY_SLEEP);
    if (message == NULL) {
        return NULL;
    }
    message->length = length;
    message->rest = NULL;
    struct mqueue_part **end = &message->rest;
    while (left != 0) {
        const uint64_t bytes = MIN_OF(left, PART_BYTES);
        struct mqueue_part *part = heap_alloc(sizeof(*part) + bytes, MEMORY_SLEEP);
        if (part == NULL) {
            mqueue_message_free(message);
            return NULL;
        }
        part->next = NULL;
        *end = part;
        end = &part->next;
        left -= bytes;
    }
    return message;
}

enum hx_status mqueue_message_create(struct uaddr from, uint64_t length, uint32_t priority,
                                     struct mqueue_message **out_message) {
    struct mqueue_message *message = create(length);
    if (message == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    message->priority = priority;
    uint64_t done = MIN_OF(length, FIRST_BYTES);
    enum hx_status status = copy_from_user(message->bytes, from, done);
    for (struct mqueue_part *part = message->rest; part != NULL && status == HX_OK;
         part = part->next) {
        const uint64_t bytes = MIN_OF(length - done, PART_BYTES);
        status = copy_from_user(part->bytes, uaddr_add(from, done), bytes);
        done += bytes;
    }
    if (status != HX_OK) {
        mqueue_message_free(message);
        return status;
    }
    *out_message = message;
    return HX_OK;
}

enum hx_status mqueue_message_copy(const struct mqueue_message *message, uint64_t length,
                                   struct uaddr to) {
    uint64_t done = MIN_OF(length, FIRST_BYTES);
    enum hx_status status = copy_to_user(to, message->bytes, done);
    for (const struct mqueue_part *part = message->rest;
         part != NULL && done < length && status == HX_OK; part = part->next) {
        const uint64_t bytes = MIN_OF(length - done, PART_BYTES);
        status = copy_to_user(uaddr_add(to, done), part->bytes, bytes);
        done += bytes;
    }
    return status;
}
