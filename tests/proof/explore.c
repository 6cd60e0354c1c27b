// SPDX-License-Identifier: MIT OR Apache-2.0
// explore.c: the explorer, see explore.h.
//
// A state is the proof's data, the live parts of all stacks, and struct machine. Search is breadth
// first, so the way to a failure that is printed is a shortest one. A state is found again by 128
// bits of hash. A step runs one processor from a point to its next one.
#include <hal/context.h>
#include <hal/cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

#pragma clang section bss = "" data = ""

#define LINE       64u
#define QUEUE      4u // stores that a processor may hold back
#define KINDS      8u // of interrupts
#define CHOICES    8u // alternatives of a choice
#define STATES_MAX (1u << 22)
#define USES       4096u
#define DIRECT     UINT32_MAX // `running` while nothing is interleaved

enum mode { READY, CHOOSING, IDLE, DONE };

struct pending_store {
    volatile void *at;
    size_t size;
    uint64_t value;
};

struct processor {
    void *sp;
    void *current, *data; // hal_current(), hal_cpu_data()
    struct pending_store queue[QUEUE];
    uint32_t queued;
    uint32_t interrupts; // bit per kind
    enum mode mode;
    uint32_t choices;
    bool irq_on, in_interrupt;
};

// All that belongs to a state beside the proof's own memory.
static struct machine {
    alignas(LINE) struct processor processors[EXPLORE_PROCESSORS];
    void *stack_sp[EXPLORE_STACKS];  // of those that do not run
    bool stack_used[EXPLORE_STACKS]; // some processor runs on it
    uint32_t processor_count, stack_count;
} machine;

static alignas(LINE) char stacks[EXPLORE_STACKS][EXPLORE_STACK_BYTES];

// What the explorer tells a processor that it continues.
enum command { RUN, INTERRUPT, CHOOSE, FLUSH };
struct step {
    uint8_t processor, command, value;
};

static uint32_t running = DIRECT;
static struct step step_now;
static void *explorer_sp;
static const char *where_now[EXPLORE_PROCESSORS];
static char failure[400];
static uint64_t marks_reached;

// Coroutines --------------------------------------------------------------------------------------

void explore_swap(void **save, void **save_too, void *to);
void explore_first(void);

// Callee-saved registers go to the stack; `to` is where another one's are.
__asm__(".text\n"
        "explore_swap:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rsp, (%rdi)\n  mov %rsp, (%rsi)\n  mov %rdx, %rsp\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
        "  ret\n"
        "explore_first:\n"
        "  and $-16, %rsp\n  mov %r12, %rdi\n  call *%r13\n  ud2\n");

static uint32_t stack_of(const void *address) {
    return (uint32_t)(((const char *)address - stacks[0]) / EXPLORE_STACK_BYTES);
}

void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument) {
    void **sp = (void **)stack_top - 8;
    memset(sp, 0, 8 * sizeof(*sp));
    sp[2] = (void *)entry; // r13
    sp[3] = argument;      // r12
    sp[6] = (void *)explore_first;
    context->sp = sp;
    machine.stack_sp[stack_of(sp)] = sp;
}

void hal_switch(struct hal_context *from, const struct hal_context *to) {
    const uint32_t mine = stack_of(__builtin_frame_address(0)), other = stack_of(to->sp);
    PROVE(!machine.stack_used[other]); // a thread runs on one processor at a time
    machine.stack_used[mine] = false;
    machine.stack_used[other] = true;
    explore_swap(&from->sp, &machine.stack_sp[mine], to->sp);
}

// To the explorer; it comes back with step_now set.
static void give_way(void) {
    const uint32_t stack = stack_of(__builtin_frame_address(0));
    explore_swap(&machine.processors[running].sp, &machine.stack_sp[stack], explorer_sp);
}

static struct processor *self(void) {
    return &machine.processors[running];
}

// Until the explorer says something else than to take an interrupt. The thread may find itself on
// another processor behind each.
static void await(enum mode mode, const char *where) {
    for (;;) {
        self()->mode = mode;
        where_now[running] = where;
        give_way();
        self()->mode = READY;
        if (step_now.command != INTERRUPT) {
            return;
        }
        self()->irq_on = false;
        self()->in_interrupt = true;
        explore_interrupt(step_now.value);
        self()->in_interrupt = false;
        self()->irq_on = true;
        if (mode == IDLE) {
            return;
        }
    }
}

void explore_point(const char *where) {
    if (running != DIRECT) {
        await(READY, where);
    }
}

void explore_idle(const char *where) {
    self()->irq_on = true;
    await(IDLE, where);
}

uint32_t explore_choose(uint32_t below) {
    self()->choices = below;
    await(CHOOSING, "choice");
    return step_now.value;
}

static void processor_run(void *argument) {
    void **entry = argument;
    hal_irq_on();
    ((void (*)(void *))entry[0])(entry[1]);
    for (;;) {
        self()->irq_on = true;
        await(DONE, "done");
    }
}

bool explore_rests(uint32_t processor) {
    return machine.processors[processor].mode >= IDLE;
}

void *explore_stack(void) {
    return stacks[machine.stack_count++];
}

void explore_processor(void *current, void (*entry)(void *argument), void *argument) {
    struct processor *processor = &machine.processors[machine.processor_count++];
    char *low = explore_stack();
    void **top = (void **)(void *)(low + EXPLORE_STACK_BYTES) - 2;
    struct hal_context context;
    top[0] = (void *)entry;
    top[1] = argument;
    hal_context_init(&context, top, processor_run, (void *)top);
    processor->sp = context.sp;
    processor->current = current;
    machine.stack_used[stack_of(low)] = true;
}

// Memory ------------------------------------------------------------------------------------------

static uint64_t memory_get(const volatile void *at, size_t size) {
    uint64_t value = 0;
    memcpy(&value, (const void *)at, size);
    return value;
}

static void memory_set(volatile void *at, size_t size, uint64_t value) {
    memcpy((void *)at, &value, size);
}

static void flush_one(struct processor *processor) {
    struct pending_store *first = processor->queue;
    memory_set(first->at, first->size, first->value);
    memmove(first, first + 1, --processor->queued * sizeof(*first));
    memset(&processor->queue[processor->queued], 0, sizeof(*first));
}

static void flush_all(void) {
    while (running != DIRECT && self()->queued != 0) {
        flush_one(self());
    }
}

// What each address was used for, in all states seen so far. While nobody else uses it, or nobody
// changes it, it does not matter when an access to it happens, and the point before it is left out.
// As soon as that turns out to be wrong the search starts anew; what was learnt stays.
static struct use {
    const volatile void *at;
    uint32_t users; // bit per processor, and per processor's interrupts
    bool written;
} uses[USES];
static bool learnt;

static bool is_shared(const struct use *use) {
    return use->written && (use->users & (use->users - 1)) != 0;
}

static struct use *use_of(const volatile void *at) {
    size_t place = (uintptr_t)at / 4 % USES;
    while (uses[place].at != at && uses[place].at != NULL) {
        place = (place + 1) % USES;
    }
    uses[place].at = at;
    return &uses[place];
}

// Whether others can tell when the running processor's access happens.
static bool access_note(const volatile void *at, bool writes) {
    struct use *use = use_of(at);
    const bool was_shared = is_shared(use);
    use->users |= 1u << (2 * running + self()->in_interrupt);
    use->written |= writes;
    learnt |= is_shared(use) && !was_shared;
    return is_shared(use);
}

// The point before an access; one that writes at once empties the queue.
static void access_point(const volatile void *at, bool writes, const char *where) {
    if (running != DIRECT && (access_note(at, writes) || (writes && self()->queued != 0))) {
        explore_point(where);
    }
}

uint64_t explore_load(const volatile void *at, size_t size, const char *where) {
    access_point(at, false, where);
    for (uint32_t i = running == DIRECT ? 0 : self()->queued; i > 0; i--) {
        if (self()->queue[i - 1].at == at) {
            return self()->queue[i - 1].value;
        }
    }
    return memory_get(at, size);
}

void explore_store(volatile void *at, size_t size, uint64_t value, int order, const char *where) {
    if (order == memory_order_seq_cst || running == DIRECT) {
        (void)explore_change(at, size, EXPLORE_SET, value, where);
        return;
    }
    if (!access_note(at, true)) {
        memory_set(at, size, value); // nobody can tell when
        return;
    }
    if (self()->irq_on) {
        explore_point(where); // else nobody can tell: it arrives later anyway
    }
    struct processor *processor = self();
    if (processor->queued == QUEUE) {
        flush_one(processor);
    }
    processor->queue[processor->queued++] = (struct pending_store){ at, size, value };
}

uint64_t explore_change(volatile void *at, size_t size, enum explore_operation operation,
                        uint64_t value, const char *where) {
    access_point(at, true, where);
    flush_all();
    const uint64_t old = memory_get(at, size);
    switch (operation) {
    case EXPLORE_SET:
        break;
    case EXPLORE_ADD:
        value = old + value;
        break;
    case EXPLORE_SUB:
        value = old - value;
        break;
    case EXPLORE_OR:
        value |= old;
        break;
    case EXPLORE_AND:
        value &= old;
        break;
    }
    memory_set(at, size, value);
    return old;
}

bool explore_compare(volatile void *at, size_t size, void *expected, uint64_t desired,
                     const char *where) {
    access_point(at, true, where);
    flush_all();
    const uint64_t old = memory_get(at, size);
    if (old != memory_get(expected, size)) {
        memory_set(expected, size, old);
        return false;
    }
    memory_set(at, size, desired);
    return true;
}

void explore_fence(int order, const char *where) {
    explore_point(where);
    if (order == memory_order_seq_cst) {
        flush_all();
    }
}

void explore_interrupt_send(uint32_t processor, uint32_t kind) {
    explore_point("interrupt is sent");
    flush_all();
    machine.processors[processor].interrupts |= 1u << kind;
}

// The processor, as <hal/cpu.h> has it
// -------------------------------------------------------------

uint32_t explore_number(void) {
    return running == DIRECT ? 0 : running;
}

void *explore_current(void) {
    return machine.processors[explore_number()].current;
}

void explore_current_set(void *thread) {
    machine.processors[explore_number()].current = thread;
}

void *explore_data(void) {
    return machine.processors[explore_number()].data;
}

void hal_cpu_data_set(uint32_t cpu, void *data) {
    machine.processors[cpu].data = data;
}

// A point on the side where interrupts are on.
void explore_irq_set(bool on) {
    if (!on) {
        explore_point("interrupts off");
    }
    self()->irq_on = on;
    if (on) {
        explore_point("interrupts on");
    }
}

bool explore_irq_is_on(void) {
    return running != DIRECT && self()->irq_on;
}

void explore_relax(void) {
    explore_point("relax");
}

void hal_idle(void) {
    explore_idle("idle");
}

// States ------------------------------------------------------------------------------------------

static struct {
    void *at;
    size_t size;
} ignored[32];
static uint32_t ignored_count;

void explore_ignore(void *at, size_t size) {
    ignored[ignored_count].at = at;
    ignored[ignored_count++].size = size;
}

// Weak: a proof may have none.
__attribute__((weak)) extern char __start_explored_data[], __stop_explored_data[];
__attribute__((weak)) extern char __start_explored_bss[], __stop_explored_bss[];

static struct region {
    char *base, *first; // first: as it was at the beginning
    size_t lines;
} regions[4];

// A state, kept: the lines that differ from the beginning.
struct kept {
    uint32_t count;
    struct kept_line {
        uint32_t region, line;
        uint64_t words[LINE / 8];
    } lines[];
};

static struct {
    uint64_t hash[2];
    uint32_t parent;
    struct step step;
    bool good; // the end can be reached
} *states;
static uint32_t state_count;
static uint32_t *table; // state + 1 by hash
#define TABLE (2 * STATES_MAX)

static struct edge {
    uint32_t from, to;
} *edges;
static uint64_t edge_count, edge_capacity;

static void *allocated(void *memory) {
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        exit(3);
    }
    return memory;
}

static void region_add(uint32_t index, char *start, const char *stop) {
    char *base = (char *)((uintptr_t)start & ~(uintptr_t)(LINE - 1));
    const size_t size = ((size_t)(stop - base) + LINE - 1) & ~(size_t)(LINE - 1);
    regions[index] = (struct region){ base, allocated(malloc(size)), size / LINE };
    memcpy(regions[index].first, base, size);
}

static void regions_init(void) {
    region_add(0, __start_explored_data, __stop_explored_data);
    region_add(1, __start_explored_bss, __stop_explored_bss);
    region_add(2, (char *)&machine, (char *)(&machine + 1));
    region_add(3, stacks[0], stacks[machine.stack_count]);
}

// What is below the stack pointers is no part of the state.
static void state_clean(void) {
    for (uint32_t i = 0; i < ignored_count; i++) {
        memset(ignored[i].at, 0, ignored[i].size);
    }
    for (uint32_t i = 0; i < machine.stack_count; i++) {
        const uint64_t *end = (const uint64_t *)(const void *)stacks[i];
        if (*end != 0) {
            fputs("a stack is too small\n", stderr);
            exit(3);
        }
        memset(stacks[i], 0, (size_t)((char *)machine.stack_sp[i] - stacks[i]));
    }
}

static void state_load(const struct kept *kept) {
    for (uint32_t i = 0; i < 4; i++) {
        memcpy(regions[i].base, regions[i].first, regions[i].lines * LINE);
    }
    for (uint32_t i = 0; i < kept->count; i++) {
        const struct kept_line *line = &kept->lines[i];
        memcpy(regions[line->region].base + (size_t)line->line * LINE, line->words, LINE);
    }
}

static bool is_same(const char *a, const char *b) {
    const uint64_t *x = (const uint64_t *)(const void *)a, *y = (const uint64_t *)(const void *)b;
    uint64_t different = 0;
    for (uint32_t i = 0; i < LINE / 8; i++) {
        different |= x[i] ^ y[i];
    }
    return different == 0;
}

static struct kept *state_keep(void) {
    static struct kept *all;
    if (all == NULL) {
        size_t lines = 0;
        for (uint32_t i = 0; i < 4; i++) {
            lines += regions[i].lines;
        }
        all = allocated(malloc(sizeof(*all) + lines * sizeof(all->lines[0])));
    }
    all->count = 0;
    state_clean();
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < regions[i].lines; j++) {
            const char *line = regions[i].base + (size_t)j * LINE;
            if (!is_same(line, regions[i].first + (size_t)j * LINE)) {
                struct kept_line *to = &all->lines[all->count++];
                to->region = i;
                to->line = j;
                memcpy(to->words, line, LINE);
            }
        }
    }
    return all;
}

static size_t kept_bytes(const struct kept *kept) {
    return sizeof(*kept) + kept->count * sizeof(kept->lines[0]);
}

static void hash_of(const struct kept *kept, uint64_t out_hash[2]) {
    const uint64_t *word = (const uint64_t *)(const void *)kept->lines;
    uint64_t a = kept->count, b = ~a;
    for (size_t i = 0; i < kept->count * sizeof(kept->lines[0]) / 8; i++) {
        a = (a ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
        a ^= a >> 32;
        b = (b + word[i]) * UINT64_C(0xc2b2ae3d27d4eb4f);
        b = b << 27 | b >> 37;
    }
    out_hash[0] = a;
    out_hash[1] = b;
}

// The number of a state; *out_new: it was not seen before.
static uint32_t state_number(const struct kept *kept, bool *out_new) {
    uint64_t hash[2];
    hash_of(kept, hash);
    uint64_t at = (hash[0] ^ hash[1]) % TABLE;
    for (; table[at] != 0; at = (at + 1) % TABLE) {
        if (memcmp(states[table[at] - 1].hash, hash, sizeof(hash)) == 0) {
            *out_new = false;
            return table[at] - 1;
        }
    }
    if (state_count == STATES_MAX) {
        fputs("too many states\n", stderr);
        exit(3);
    }
    memcpy(states[state_count].hash, hash, sizeof(hash));
    table[at] = state_count + 1;
    *out_new = true;
    return state_count++;
}

// Steps -------------------------------------------------------------------------------------------

static uint32_t steps_add(struct step *steps, uint32_t count, uint32_t processor,
                          enum command command, uint32_t value) {
    steps[count] = (struct step){ (uint8_t)processor, (uint8_t)command, (uint8_t)value };
    return count + 1;
}

#define STEPS_MAX (EXPLORE_PROCESSORS * (2 + KINDS + CHOICES))

// All that may happen in the state that is loaded.
static uint32_t steps_of_state(struct step *steps) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < machine.processor_count; i++) {
        const struct processor *processor = &machine.processors[i];
        if (processor->mode == READY) {
            count = steps_add(steps, count, i, RUN, 0);
        }
        for (uint32_t j = 0; processor->mode == CHOOSING && j < processor->choices; j++) {
            count = steps_add(steps, count, i, CHOOSE, j);
        }
        for (uint32_t j = 0; processor->irq_on && j < KINDS; j++) {
            if ((processor->interrupts >> j & 1) != 0) {
                count = steps_add(steps, count, i, INTERRUPT, j);
            }
        }
        if (processor->queued != 0) {
            count = steps_add(steps, count, i, FLUSH, 0);
        }
    }
    return count;
}

static void step_take(struct step step) {
    struct processor *processor = &machine.processors[step.processor];
    if (step.command == FLUSH) {
        flush_one(processor);
        return;
    }
    if (step.command == INTERRUPT) {
        processor->interrupts &= ~(1u << step.value);
    }
    void *unused;
    step_now = step;
    running = step.processor;
    explore_swap(&explorer_sp, &unused, processor->sp);
    running = DIRECT;
}

void explore_reached(uint32_t mark) {
    marks_reached |= UINT64_C(1) << mark;
}

void explore_fail(const char *file, int line, const char *what) {
    snprintf(failure, sizeof(failure), "%s:%d: %s", file, line, what);
    if (running == DIRECT) {
        puts(failure);
        exit(1);
    }
    for (;;) {
        give_way();
    }
}

// The search --------------------------------------------------------------------------------------

static const char *command_name(struct step step) {
    static const char *const names[] = { "goes on at", "is interrupted at", "chooses at",
                                         "store arrives; it is at" };
    return names[step.command];
}

// Takes the steps that led to a state once more, and says what they are.
static void way_show(uint32_t state, const struct kept *start) {
    uint32_t length = 0;
    for (uint32_t at = state; at != 0; at = states[at].parent) {
        length++;
    }
    struct step *way = allocated(malloc((length + 1) * sizeof(*way)));
    uint32_t place = length;
    for (uint32_t at = state; at != 0; at = states[at].parent) {
        way[--place] = states[at].step;
    }
    state_load(start);
    memset((void *)where_now, 0, sizeof(where_now));
    for (uint32_t i = 0; i < length; i++) {
        const char *where = where_now[way[i].processor];
        printf("  processor %u %s %s", way[i].processor, command_name(way[i]),
               where == NULL ? "its start" : where);
        puts("");
        step_take(way[i]);
    }
    free(way);
}

static void edge_add(uint32_t from, uint32_t to) {
    if (edge_count == edge_capacity) {
        edge_capacity = edge_capacity == 0 ? 1u << 20 : 2 * edge_capacity;
        edges = allocated(realloc(edges, edge_capacity * sizeof(*edges)));
    }
    edges[edge_count++] = (struct edge){ from, to };
}

static struct kept **waiting; // by number of the state; NULL once it was looked at

static void state_see(uint32_t from, struct step step) {
    bool is_new;
    const struct kept *kept = state_keep();
    const uint32_t to = state_number(kept, &is_new);
    if (is_new) {
        states[to].parent = from;
        states[to].step = step;
        states[to].good = explore_final();
        waiting[to] = allocated(malloc(kept_bytes(kept)));
        memcpy(waiting[to], kept, kept_bytes(kept));
    }
    edge_add(from, to);
}

// All steps from a state. False: one of them failed.
static bool expand(uint32_t state, const struct kept *start) {
    struct step steps[STEPS_MAX];
    state_load(waiting[state]);
    const uint32_t count = steps_of_state(steps);
    for (uint32_t i = 0; i < count; i++) {
        if (i != 0) {
            state_load(waiting[state]);
        }
        step_take(steps[i]);
        if (failure[0] != 0) {
            printf("%s\n", failure);
            way_show(state, start);
            printf("  processor %u %s …\n", steps[i].processor, command_name(steps[i]));
            return false;
        }
        state_see(state, steps[i]);
    }
    return true;
}

static void search_forget(void) {
    for (uint32_t i = 1; i < state_count; i++) {
        free(waiting[i]);
        waiting[i] = NULL;
    }
    memset(states, 0, state_count * sizeof(*states));
    memset(table, 0, TABLE * sizeof(*table));
    state_count = 0;
    edge_count = 0;
    marks_reached = 0;
    learnt = false;
}

static bool search_once(struct kept *start) {
    bool is_new;
    search_forget();
    state_load(start);
    (void)state_number(start, &is_new);
    for (uint32_t state = 0; state < state_count && !learnt; state++) {
        if (!expand(state, start)) {
            return false;
        }
        if (state != 0) {
            free(waiting[state]);
            waiting[state] = NULL;
        }
    }
    return true;
}

static bool search(struct kept *start) {
    do {
        if (!search_once(start)) {
            return false;
        }
    } while (learnt);
    return true;
}

// From the ends backwards: which states can still come to one.
static bool all_can_end(const struct kept *start) {
    for (bool more = true; more;) {
        more = false;
        for (uint64_t i = edge_count; i > 0; i--) {
            const struct edge *edge = &edges[i - 1];
            if (states[edge->to].good && !states[edge->from].good) {
                states[edge->from].good = true;
                more = true;
            }
        }
    }
    for (uint32_t i = 0; i < state_count; i++) {
        if (!states[i].good) {
            puts("it cannot come to its end any more");
            way_show(i, start);
            return false;
        }
    }
    return true;
}

static bool all_reached(void) {
    for (uint32_t i = 0; i < explore_marks; i++) {
        if ((marks_reached >> i & 1) == 0) {
            printf("mark %u is never reached\n", i);
            return false;
        }
    }
    return true;
}

int main(void) {
    states = allocated(calloc(STATES_MAX, sizeof(*states)));
    table = allocated(calloc(TABLE, sizeof(*table)));
    waiting = (struct kept **)allocated(calloc(STATES_MAX, sizeof(*waiting)));
    explore_setup();
    state_clean();
    regions_init();
    struct kept *kept = state_keep();
    struct kept *start = allocated(calloc(1, kept_bytes(kept)));
    memcpy(start, kept, kept_bytes(kept));
    waiting[0] = start;
    const bool good = search(start) && all_can_end(start) && all_reached();
    printf("%u states, %lu steps\n", state_count, (unsigned long)edge_count);
    return good ? 0 : 1;
}
