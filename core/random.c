// SPDX-License-Identifier: MIT OR Apache-2.0
// core/random.c: the kernel's random generator: lib's ChaCha20 state under a lock.
//
// It is seeded at the first use, which comes after the clocks are up, and takes a few fresh bits
// from the counter and, if there is one, the hardware generator each RESEED_CALLS calls. Small
// requests are served from a pool that is filled at once and wiped as it is used.
#include <core/random.h>

#include <core/input.h>
#include <core/lock.h>
#include <core/log.h>
#include <lib/random.h>
#include <lib/string.h>

#define RESEED_CALLS 1024u
#define POOL_BYTES   480u // seven blocks, and what the one that makes the next key leaves
#define SEED_WORDS   (RANDOM_SEED_BYTES / sizeof(uint64_t))

static const struct lock_class random_class = { .name = "random", .rank = LOCK_RANK_LEAF };
static struct spinlock random_lock = SPINLOCK_INIT(&random_class);
static struct random_state state; // [random_lock]
static uint8_t pool[POOL_BYTES];  // [random_lock] the last pool_left bytes are unused
static size_t pool_left;          // [random_lock]
static uint32_t calls;            // [random_lock] since the last reseed
static bool is_seeded;            // [random_lock]
static _Atomic uint32_t is_weak;
static size_t strong_bytes; // [random_lock] that drivers brought

// Fresh words: the hardware's, or else the counter's; says whether all were the hardware's.
static bool gather(uint64_t words[SEED_WORDS]) {
    bool strong = true;
    for (size_t i = 0; i < SEED_WORDS; i++) {
        if (!input_entropy(&words[i])) {
            words[i] = input_counter() * UINT64_C(0x9e3779b97f4a7c15) + i;
            strong = false;
        }
    }
    return strong;
}

static void seed_locked(void) {
    union {
        uint64_t words[SEED_WORDS];
        uint8_t bytes[RANDOM_SEED_BYTES];
    } seed;
    const bool strong = gather(seed.words);
    if (!is_seeded) {
        random_init(&state, seed.bytes);
        atomic_store_explicit(&is_weak, strong ? 0 : 1, memory_order_relaxed);
        is_seeded = true;
    } else {
        random_add(&state, seed.bytes, sizeof(seed.bytes));
    }
    const uint64_t moment = input_counter();
    random_add(&state, &moment, sizeof(moment));
    random_wipe(&seed, sizeof(seed));
    calls = 0;
    pool_left = 0;
}

void random_wipe(void *bytes, size_t size_bytes) {
    memset(bytes, 0, size_bytes);
    __asm__ volatile("" : : "r"(bytes) : "memory"); // the wipe is not dead code
}

static void prepare_locked(void) {
    if (!is_seeded || ++calls >= RESEED_CALLS) {
        seed_locked();
    }
}

// At most the whole pool. What is left of one that is too small is thrown away.
static void take_locked(void *to, size_t size_bytes) {
    if (pool_left < size_bytes) {
        random_fill(&state, pool, POOL_BYTES);
        pool_left = POOL_BYTES;
    }
    uint8_t *from = pool + POOL_BYTES - pool_left;
    memcpy(to, from, size_bytes);
    memset(from, 0, size_bytes); // nobody can find out later what was given
    pool_left -= size_bytes;
}

void random_bytes(void *to, size_t size_bytes) {
    const unsigned long irq = spin_lock_irq(&random_lock);
    prepare_locked();
    if (size_bytes > POOL_BYTES / 2) {
        random_fill(&state, to, size_bytes);
    } else {
        take_locked(to, size_bytes);
    }
    spin_unlock_irq(&random_lock, irq);
}

uint64_t random_number(uint64_t bound) {
    const unsigned long irq = spin_lock_irq(&random_lock);
    prepare_locked();
    const uint64_t number = random_below(&state, bound);
    spin_unlock_irq(&random_lock, irq);
    return number;
}

void random_mix(const void *bytes, size_t size_bytes) {
    const unsigned long irq = spin_lock_irq(&random_lock);
    prepare_locked();
    random_add(&state, bytes, size_bytes);
    pool_left = 0;
    spin_unlock_irq(&random_lock, irq);
}

void random_strengthen(const void *bytes, size_t size_bytes) {
    input_bytes(INPUT_ENTROPY, bytes, size_bytes);
    random_mix(bytes, size_bytes);
    const unsigned long irq = spin_lock_irq(&random_lock);
    strong_bytes += MIN_OF(size_bytes, RANDOM_STRONG_BYTES - strong_bytes);
    if (strong_bytes == RANDOM_STRONG_BYTES) {
        atomic_store_explicit(&is_weak, 0, memory_order_relaxed);
    }
    spin_unlock_irq(&random_lock, irq);
}

bool random_is_weak(void) {
    uint64_t ignored;
    random_bytes(&ignored, sizeof(ignored)); // seeds, if nobody did
    return atomic_load_explicit(&is_weak, memory_order_relaxed) != 0;
}
