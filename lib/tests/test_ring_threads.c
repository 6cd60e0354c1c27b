// SPDX-License-Identifier: MIT OR Apache-2.0
// A ring between two threads that sleep whenever they can: each message comes once, in order and
// whole, and both come to their end. Built under ThreadSanitizer, too.
#include "check.h"

#include <helix/ring.h>

#include <linux/membarrier.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MESSAGES 60000u
#define SLOTS    8u

static struct hx_ring ring;
static struct hx_slot slots[SLOTS];

// What the kernel is in between: a level, and who waits for it.
struct bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    bool told;
};
static struct bell for_consumer = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
static struct bell for_producer = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
static int barrier_failures; // of the thread that sleeps; both add under for_producer's lock
static uint32_t sleeps[2];

static void bell_ring(struct bell *bell) {
    (void)pthread_mutex_lock(&bell->lock);
    bell->told = true;
    (void)pthread_cond_signal(&bell->rung);
    (void)pthread_mutex_unlock(&bell->lock);
}

// The barrier of <helix/ring.h>.
static void bell_arm(struct bell *bell) {
    (void)pthread_mutex_lock(&bell->lock);
    bell->told = false;
    (void)pthread_mutex_unlock(&bell->lock);
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) != 0) {
        (void)pthread_mutex_lock(&for_producer.lock);
        barrier_failures++;
        (void)pthread_mutex_unlock(&for_producer.lock);
    }
}

static void bell_wait(struct bell *bell) {
    (void)pthread_mutex_lock(&bell->lock);
    while (!bell->told) {
        (void)pthread_cond_wait(&bell->rung, &bell->lock);
    }
    (void)pthread_mutex_unlock(&bell->lock);
}

static void show(struct hx_producer *producer) {
    if (hx_ring_publish(producer)) {
        bell_ring(&for_consumer);
    }
}

static void await_room(struct hx_producer *producer) {
    show(producer);
    hx_producer_sleep(producer);
    bell_arm(&for_producer);
    if (hx_producer_must_wait(producer)) {
        sleeps[0]++;
        bell_wait(&for_producer);
    }
    hx_producer_awake(producer);
}

static void *produce(void *argument) {
    struct hx_producer producer;
    bool *out_good = argument;
    HX_IGNORE(hx_producer_init(&producer, &ring, slots, SLOTS, 0));
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct hx_slot message = { .length = (uint8_t)(i % (HX_SLOT_BYTES + 1)) };
        memset(message.data, (int)(i % 251), sizeof(message.data));
        memcpy(message.data, &i, sizeof(i));
        while (hx_ring_put(&producer, &message) != HX_OK && !producer.broken) {
            await_room(&producer);
        }
        if (i % 3 == 0 || i == MESSAGES - 1) { // in batches of three
            show(&producer);
        }
    }
    *out_good = !producer.broken;
    return NULL;
}

static void give_back(struct hx_consumer *consumer) {
    if (hx_ring_release(consumer)) {
        bell_ring(&for_producer);
    }
}

static void await_message(struct hx_consumer *consumer) {
    give_back(consumer);
    hx_consumer_sleep(consumer);
    bell_arm(&for_consumer);
    if (hx_consumer_must_wait(consumer)) {
        sleeps[1]++;
        bell_wait(&for_consumer);
    }
    hx_consumer_awake(consumer);
}

static bool is_message(const struct hx_slot *message, uint32_t number) {
    uint32_t found;
    memcpy(&found, message->data, sizeof(found));
    for (uint32_t i = sizeof(found); i < HX_SLOT_BYTES; i++) {
        if (message->data[i] != number % 251) {
            return false;
        }
    }
    return found == number && message->length == number % (HX_SLOT_BYTES + 1);
}

static void consume(void) {
    struct hx_consumer consumer;
    struct hx_slot message;
    uint32_t wrong = 0;
    CHECK(hx_consumer_init(&consumer, &ring, slots, SLOTS, 0) == HX_OK);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        while (hx_ring_get(&consumer, &message) != HX_OK && !consumer.broken) {
            await_message(&consumer);
        }
        wrong += !is_message(&message, i);
        if (i % 5 == 0) {
            give_back(&consumer);
        }
    }
    CHECK(wrong == 0 && !consumer.broken);
}

int main(void) {
    pthread_t thread;
    bool good = false;
    CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0);
    CHECK(pthread_create(&thread, NULL, produce, &good) == 0);
    consume();
    CHECK(pthread_join(thread, NULL) == 0 && good);
    CHECK(barrier_failures == 0);
    printf("the producer slept %u times, the consumer %u\n", sleeps[0], sleeps[1]);
    CHECK(sleeps[0] + sleeps[1] != 0);
    return check_result();
}
