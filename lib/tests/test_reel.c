// SPDX-License-Identifier: MIT OR Apache-2.0
// test_reel.c: a reel of bodies, by one thread, and by a writer that overtakes its readers (also
// under ThreadSanitizer).
#include "check.h"

#include <helix/reel.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BYTES   256u
#define ROUNDS  200000u
#define READERS 3u

static struct hx_reel *reel_new(void) {
    return aligned_alloc(64, HX_REEL_HEAD_BYTES + BYTES);
}

static void fill(uint8_t *body, uint32_t number, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) {
        body[i] = (uint8_t)(number * 7 + i);
    }
}

// Each body is found until the circle has come round to it, and not afterwards.
static void one_after_another(void) {
    struct hx_reel *reel = reel_new();
    uint8_t body[BYTES], found[BYTES];
    uint64_t at[600];
    memset(reel, 0, HX_REEL_HEAD_BYTES + BYTES);
    struct hx_reel_writer writer = hx_reel_writer_make(reel, BYTES);
    for (uint32_t i = 0; i < ARRAY_SIZE(at); i++) {
        const uint32_t length = i % (BYTES + 1);
        fill(body, i, length);
        CHECK(hx_reel_whole_after(&writer, length) <= writer.position);
        at[i] = hx_reel_write(&writer, body, length);
        for (uint32_t j = i < 40 ? 0 : i - 40; j <= i; j++) {
            const uint32_t its = j % (BYTES + 1);
            const bool is_whole = at[j] + BYTES >= writer.position;
            enum hx_status status = hx_reel_read(reel, BYTES, at[j], found, its);
            CHECK(status == (is_whole ? HX_OK : HX_ERR_NO_DATA));
            fill(body, j, its);
            CHECK(!is_whole || memcmp(found, body, its) == 0);
        }
    }
    CHECK(hx_reel_read(reel, BYTES, writer.position, found, BYTES + 1) == HX_ERR_INVALID);
    CHECK(hx_reel_read(reel, BYTES, UINT64_MAX - 3, found, BYTES) ==
          HX_OK); // not beyond the circle
    free(reel);
}

static struct hx_reel *shared;
static _Atomic uint64_t latest; // number << 32 | position

// What is read whole is one body; what is not is said to be lost.
static void *reader(void *argument) {
    uint8_t found[64], body[64];
    uint64_t seen, whole = 0;
    do {
        seen = atomic_load_explicit(&latest, memory_order_acquire);
        const uint32_t number = (uint32_t)(seen >> 32), length = 1 + number % 64;
        if (number != 0 && hx_reel_read(shared, BYTES, (uint32_t)seen, found, length) == HX_OK) {
            fill(body, number, length);
            if (memcmp(found, body, length) != 0) {
                abort();
            }
            whole++;
        }
    } while (seen >> 32 != ROUNDS);
    *(uint64_t *)argument = whole;
    return NULL;
}

static void overtaken(void) {
    pthread_t threads[READERS];
    uint64_t whole[READERS] = { 0 };
    uint8_t body[64];
    shared = reel_new();
    memset(shared, 0, HX_REEL_HEAD_BYTES + BYTES);
    struct hx_reel_writer writer = hx_reel_writer_make(shared, BYTES);
    for (uint32_t i = 0; i < READERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, reader, &whole[i]) == 0);
    }
    for (uint32_t number = 1; number <= ROUNDS; number++) {
        fill(body, number, 1 + number % 64);
        const uint64_t at = hx_reel_write(&writer, body, 1 + number % 64);
        atomic_store_explicit(&latest, (uint64_t)number << 32 | at, memory_order_release);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(whole[i] != 0); // the last one at least
    }
    free(shared);
}

int main(void) {
    one_after_another();
    overtaken();
    return check_result();
}
