// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/simulation.c: host threads as strands of one host thread, in an order that a seed
// draws, under a clock of its own. The same seed gives the same run, to the last instruction.
//
// All code of the kernel but hal/hosted is compiled to come by here at each of its branches
// (-fsanitize-coverage=trace-pc). At such a point another strand may be next, and an interrupt that
// waits may be taken, as between two instructions of a real machine. Strands follow each other
// in sequentially consistent order: weaker orders are for ThreadSanitizer and the proofs.
#include "machine.h"
#include "sanitize.h"

#include <boot_arch/settings.h>

#include <stdio.h>
#include <stdlib.h>

#define STRANDS_MAX  (HAL_CPU_MAX + 2u)
#define STACK_BYTES  262144u
#define NEVER        UINT64_MAX
#define FIRST_MOMENT 1000000u     // the counter of a machine that starts is not 0
#define POINTS_MAX   (1ull << 32) // the kernel does not end
#define YIELD_POINTS 64u          // that a spinning processor would have passed
#define BORN         1700000000u  // what its clock says, in seconds since 1970

#define SIMULATION_STUCK 3 // exit status

// Why somebody else may be next, beside the address of a branch.
enum { WHY_WAIT = 1, WHY_YIELD };

struct strand {
    void *sp;
    struct hosted_processor *processor;
    void *stack_low; // of the stack that it is on, as the sanitizer knows it
    size_t stack_bytes;
    void (*entry)(void *);
    void *argument;
    _Atomic uint32_t *word; // what it waits for; NULL: it runs
    uint64_t until;         // when it has waited long enough
    uint32_t weight;        // how often it is chosen, among those that run
};

static struct strand strands[STRANDS_MAX];
static uint32_t strand_count;
static struct strand *running; // NULL: not begun
static struct strand *left;    // across a switch
static uint64_t now = FIRST_MOMENT;
static uint64_t points;    // that were passed
static uint64_t countdown; // until the next choice
static uint64_t trace_sum = 0xcbf29ce484222325u;
static FILE *trace_file;

// What the seed makes of this run.
static struct {
    uint64_t state;      // of the generator
    uint32_t tick;       // nanoseconds between two points
    uint32_t patience;   // points between two choices, at most
    uint32_t interrupts; // one in so many points takes one that waits
} run;

// ---- chance (xorshift64*, Vigna 2016)
// ------------------------------------------------------------

static uint64_t draw(void) {
    run.state ^= run.state >> 12;
    run.state ^= run.state << 25;
    run.state ^= run.state >> 27;
    return run.state * 0x2545f4914f6cdd1du;
}

static uint32_t below(uint32_t limit) {
    return (uint32_t)((draw() >> 32) * limit >> 32);
}

// Few seeds are alike: some switch at every other point, some hardly ever; some have time fly.
static void run_begin(uint64_t seed) {
    run.state = seed * 0x9e3779b97f4a7c15u | 1;
    for (int i = 0; i < 4; i++) {
        (void)draw();
    }
    run.tick = 32u << below(6);
    run.patience = 2u << below(14);
    run.interrupts = 1u << below(6);
}

// ---- what happened
// -------------------------------------------------------------------------------

static void note(uint32_t what, uint64_t value) {
    const uint64_t record[3] = { points, (uint64_t)what << 32 | (uint32_t)(running - strands),
                                 value };
    for (size_t i = 0; i < 3; i++) {
        trace_sum = (trace_sum ^ record[i]) * 0x100000001b3u;
    }
    if (trace_file != NULL && fwrite(record, sizeof(record), 1, trace_file) != 1) {
        perror("helix-hosted: --trace");
        _Exit(2);
    }
}

void host_exit(int status) {
    if (trace_file != NULL && fclose(trace_file) != 0) {
        perror("helix-hosted: --trace");
        status = 2;
    }
    (void)fprintf(stderr, "simulation: seed %lu, %lu points, %lu ns, trace %016lx\n",
                  (unsigned long)hosted_settings.seed, (unsigned long)points, (unsigned long)now,
                  (unsigned long)trace_sum);
    _Exit(status);
}

static __attribute__((noreturn)) void stuck(const char *why) {
    (void)fprintf(stderr, "helix-hosted: %s\n", why);
    host_exit(SIMULATION_STUCK);
}

// ---- strands
// -------------------------------------------------------------------------------------

static void arrived(void) {
#if HOSTED_ASAN
    const void *low;
    __sanitizer_finish_switch_fiber(NULL, &low, &left->stack_bytes);
    left->stack_low = (void *)(uintptr_t)low;
#endif
}

static void strand_switch(struct strand *to) {
    left = running;
    left->processor = hosted_processor;
    running = to;
    hosted_processor = to->processor;
#if HOSTED_ASAN
    void *fake_stack;
    __sanitizer_start_switch_fiber(&fake_stack, to->stack_low, to->stack_bytes);
#endif
    hosted_switch(&left->sp, to->sp);
    arrived();
}

static bool is_due(const struct strand *strand) {
    return strand->word == NULL || strand->until <= now;
}

// One of those that run, by their weights; NULL: all wait.
static struct strand *choose(void) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < strand_count; i++) {
        sum += is_due(&strands[i]) ? strands[i].weight : 0;
    }
    uint32_t at = sum == 0 ? 0 : below(sum);
    for (uint32_t i = 0; i < strand_count && sum != 0; i++) {
        if (is_due(&strands[i])) {
            if (at < strands[i].weight) {
                return &strands[i];
            }
            at -= strands[i].weight;
        }
    }
    return NULL;
}

// To the moment for which the first of those that wait, waits.
static void skip(void) {
    uint64_t next = NEVER;
    for (uint32_t i = 0; i < strand_count; i++) {
        next = strands[i].until < next ? strands[i].until : next;
    }
    if (next == NEVER) {
        stuck("every processor waits, and no timer runs");
    }
    now = next;
}

// Somebody else's turn, or this one's again.
static void turn(uint64_t why) {
    if (points >= POINTS_MAX) {
        stuck("no end within 2^32 points");
    }
    if (below(64) == 0) { // the host is busy with others, from time to time
        strands[below(strand_count)].weight = 1u << below(8);
    }
    struct strand *to;
    while ((to = choose()) == NULL) {
        skip();
    }
    countdown = 1 + below(1 + below(run.patience));
    note((uint32_t)(to - strands), why);
    to->word = NULL;
    to->until = NEVER;
    if (to != running) {
        strand_switch(to);
    }
}

static void point(uint64_t why) {
    points++;
    now += run.tick;
    if (countdown-- == 0) {
        turn(why);
    }
    struct processor *processor = this_processor();
    if (processor != NULL && processor->base.irqs_on &&
        atomic_load_explicit(&processor->base.pending, memory_order_relaxed) != 0 &&
        below(run.interrupts) == 0) {
        note(UINT32_MAX, why);
        hosted_interrupts();
    }
}

// What the compiler calls at each branch of the kernel.
void __sanitizer_cov_trace_pc(void);  // NOLINT: the compiler's name
void __sanitizer_cov_trace_pc(void) { // NOLINT
    if (running != NULL) {
        point((uint64_t)(uintptr_t)__builtin_return_address(0));
    }
}

// ---- host.h
// --------------------------------------------------------------------------------------

static void strand_main(void *argument) {
    struct strand *self = argument;
    arrived();
    self->entry(self->argument);
    host_sleep_forever();
}

static bool strand_add(void *stack_low, size_t stack_bytes, void (*entry)(void *), void *argument) {
    if (stack_low == NULL || strand_count == STRANDS_MAX) {
        return false;
    }
    struct strand *strand = &strands[strand_count++];
    *strand = (struct strand){
        .sp = hosted_stack_begin((char *)stack_low + stack_bytes, strand_main, strand),
        .stack_low = stack_low,
        .stack_bytes = stack_bytes,
        .entry = entry,
        .argument = argument,
        .until = NEVER,
        .weight = 16,
    };
    return true;
}

bool host_thread_start(void (*entry)(void *), void *argument) {
    return strand_add(host_stack_alloc(STACK_BYTES), STACK_BYTES, entry, argument);
}

void host_run(void (*entry)(void *), void *stack_low, size_t stack_bytes) {
    run_begin(hosted_settings.seed);
    if (hosted_settings.trace_name != NULL) {
        trace_file = fopen(hosted_settings.trace_name, "wb");
        if (trace_file == NULL) {
            perror(hosted_settings.trace_name);
            _Exit(2);
        }
    }
    if (!strand_add(stack_low, stack_bytes, entry, NULL)) {
        abort(); // it is the first
    }
    static struct strand main_strand; // never returned to
    running = &main_strand;
    strand_switch(&strands[0]);
    abort();
}

void host_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t until) {
    if (atomic_load_explicit(word, memory_order_relaxed) == expected) {
        running->word = word;
        running->until = until;
        turn(WHY_WAIT);
    }
}

void host_wake(_Atomic uint32_t *word) {
    for (uint32_t i = 0; i < strand_count; i++) {
        if (strands[i].word == word) {
            strands[i].word = NULL;
            strands[i].until = NEVER;
        }
    }
}

void host_yield(void) {
    points++;
    now += YIELD_POINTS * run.tick;
    turn(WHY_YIELD);
}

void host_sleep_forever(void) {
    static _Atomic uint32_t never;
    for (;;) {
        host_wait(&never, 0, NEVER);
    }
}

// Nobody types: what comes from outside is not the seed's.
bool host_input_start(bool (*take)(const uint8_t *bytes, size_t count)) {
    (void)take;
    return true;
}

uint64_t host_counter(void) {
    now += run.tick; // who waits for a moment gets there
    return now;
}

uint64_t host_seconds(void) {
    return BORN + now / 1000000000u;
}

bool host_random(uint64_t *out_value) {
    *out_value = draw();
    return true;
}
