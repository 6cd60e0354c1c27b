// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/hosted/references.c: what the kernel is compared with, in the same process.
//
// tcmalloc is opened, not linked, so that the rest of the process keeps its own malloc(); its file
// is named by the environment's HELIX_TCMALLOC.
#define _GNU_SOURCE
#include "rows.h"

#include "minimal_ring.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES 65536

static void *(*tc_malloc)(size_t size_bytes);
static void (*tc_free)(void *memory);

bool references_prepare(void) {
    const char *file = getenv("HELIX_TCMALLOC");
    void *library = file == NULL ? NULL : dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "tcmalloc: %s\n", file == NULL ? "no HELIX_TCMALLOC" : dlerror());
        return false;
    }
    *(void **)&tc_malloc = dlsym(library, "tc_malloc");
    *(void **)&tc_free = dlsym(library, "tc_free");
    return tc_malloc != NULL && tc_free != NULL;
}

uint64_t round_chain(uint32_t count) {
    uint64_t value = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count / 20; i++) {
        __asm__ volatile(".rept 20\n add $1, %0\n .endr" : "+r"(value));
    }
    return bench_took(start, value == count);
}

static inline uint64_t round_pairs(uint32_t count, void *(*take)(size_t), void (*give)(void *)) {
    uint32_t good = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        void *memory = take(64);
        good += memory != NULL;
        __asm__ volatile("" : "+r"(memory) : : "memory");
        give(memory);
    }
    return bench_took(start, good == count);
}

uint64_t round_tcmalloc(uint32_t count) {
    return round_pairs(count, tc_malloc, tc_free);
}

uint64_t round_glibc(uint32_t count) {
    return round_pairs(count, malloc, free);
}

// ---- stacks
// --------------------------------------------------------------------------------------

static uint32_t visits;
static ucontext_t here, there;
static char stack[STACK_BYTES] __attribute__((aligned(64)));

static void other_side(void) {
    for (;;) {
        visits++;
        swapcontext(&there, &here);
    }
}

uint64_t round_swapcontext(uint32_t count) {
    static bool made;
    if (!made) {
        getcontext(&there);
        there.uc_stack.ss_sp = stack;
        there.uc_stack.ss_size = sizeof(stack);
        makecontext(&there, other_side, 0);
        made = true;
    }
    visits = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count / 2; i++) {
        swapcontext(&here, &there);
    }
    return bench_took(start, visits == count / 2);
}

// The least that saves what the ABI says must be saved (System V ABI, AMD64 supplement, 3.2.1).
void minimal_switch(void **from, void *to);
__asm__(".text\n"
        ".balign 16\n"
        "minimal_switch:\n"
        " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
        " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
        " ret\n");

static void *minimal_here, *minimal_there;
static char minimal_stack[STACK_BYTES] __attribute__((aligned(64)));

static void minimal_side(void) {
    for (;;) {
        visits++;
        minimal_switch(&minimal_there, minimal_here);
    }
}

uint64_t round_minimal_switch(uint32_t count) {
    if (minimal_there == NULL) {
        void **top = (void **)(minimal_stack + STACK_BYTES);
        *--top = NULL; // where minimal_side() would return
        *--top = (void *)minimal_side;
        minimal_there = top - 6;
    }
    visits = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count / 2; i++) {
        minimal_switch(&minimal_here, minimal_there);
    }
    return bench_took(start, visits == count / 2);
}

// ---- a queue
// -------------------------------------------------------------------------------------

// 1,000 nodes in a ring list, a thread's size apart: the first goes behind the last.
struct node {
    struct node *next, *previous;
    char rest[1024];
};

uint64_t round_list(uint32_t count) {
    static struct node nodes[1000], head;
    if (head.next == NULL) {
        head.next = head.previous = &head;
        for (uint32_t i = 0; i < 1000; i++) {
            nodes[i] = (struct node){ .next = &head, .previous = head.previous };
            head.previous->next = &nodes[i];
            head.previous = &nodes[i];
        }
    }
    struct node *first = head.next;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        struct node *node = head.next;
        head.next = node->next;
        node->next->previous = &head;
        node->next = &head;
        node->previous = head.previous;
        head.previous->next = node;
        head.previous = node;
        __asm__ volatile("" : : : "memory");
    }
    return bench_took(start, head.next == first || count % 1000 != 0);
}

// ---- waiting
// -------------------------------------------------------------------------------------

static _Atomic uint32_t ping, pong;

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) {
    while (atomic_load(word) == seen) {
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
}

static void futex_wake(_Atomic uint32_t *word) {
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *partner_main(void *argument) {
    for (uint32_t seen = 0;; seen++) {
        futex_wait(&ping, seen);
        futex_wake(&pong);
    }
    return argument;
}

uint64_t round_futex(uint32_t count) {
    static pthread_t partner;
    if (partner == 0 && pthread_create(&partner, NULL, partner_main, NULL) != 0) {
        return BENCH_FAILED;
    }
    uint32_t first = atomic_load(&pong);
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        futex_wake(&ping);
        futex_wait(&pong, first + i);
    }
    return bench_took(start, atomic_load(&pong) == first + count);
}

// What a reader pays who counts himself in and out of an object.
uint64_t round_atomics(uint32_t count) {
    static _Atomic uint32_t references;
    uint32_t inside = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        inside += atomic_fetch_add_explicit(&references, 1, memory_order_acquire) == 0;
        atomic_fetch_sub_explicit(&references, 1, memory_order_release);
    }
    return bench_took(start, inside == count);
}

// The counter and three words into the next 32 bytes of a ring of one writer.
uint64_t round_stores(uint32_t count) {
    static struct {
        volatile uint64_t words[4];
    } events[256];
    static uint64_t next;
    const uint64_t before = next;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        volatile uint64_t *words = events[next++ % 256].words;
        words[0] = __builtin_ia32_rdtsc();
        words[1] = next;
        words[2] = i;
        words[3] = 0;
    }
    return bench_took(start, next == before + count);
}

// ---- a ring
// --------------------------------------------------------------------------------------

static struct minimal minimal_ring;

uint64_t round_minimal_ring(uint32_t count) {
    struct minimal_message in = { { 1 } }, out;
    struct minimal *ring = &minimal_ring;
    __asm__ volatile("" : "+r"(ring)); // mapped somewhere, as shared memory is
    uint64_t sum = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        __asm__ volatile("" : "+m"(in));
        (void)minimal_put(ring, &in);
        atomic_store_explicit(&ring->tail, ring->put, memory_order_release);
        sum += minimal_get(ring, &out) ? out.words[0] : 0;
        atomic_store_explicit(&ring->head, ring->got, memory_order_release);
    }
    return bench_took(start, sum == count);
}

#define MINIMAL_BATCH 16u

static struct minimal_message minimal_in[MINIMAL_BATCH], minimal_out[MINIMAL_BATCH];

uint64_t round_minimal_ring_batch(uint32_t count) {
    struct minimal *ring = &minimal_ring;
    __asm__ volatile("" : "+r"(ring));
    uint64_t sum = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i += MINIMAL_BATCH) {
        __asm__ volatile("" : "+m"(minimal_in));
        for (uint32_t k = 0; k < MINIMAL_BATCH; k++) {
            sum += minimal_put(ring, &minimal_in[k]);
        }
        atomic_store_explicit(&ring->tail, ring->put, memory_order_release);
        for (uint32_t k = 0; k < MINIMAL_BATCH; k++) {
            sum += minimal_get(ring, &minimal_out[k]);
        }
        atomic_store_explicit(&ring->head, ring->got, memory_order_release);
        __asm__ volatile("" : "+m"(minimal_out));
    }
    return bench_took(start, sum == 2 * count);
}
