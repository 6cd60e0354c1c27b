// SPDX-License-Identifier: MIT OR Apache-2.0
// explore.c: the explorer's machine, see explore.h: processors as coroutines, what they do to
// memory, and one step of one of them, from a point to its next one.
#include "explore_machine.h"

#include <hal/context.h>
#include <hal/cpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USES   4096u
#define DIRECT UINT32_MAX // `running` while nothing is interleaved

struct machine explore_machine;
alignas(LINE) char explore_stacks[EXPLORE_STACKS][EXPLORE_STACK_BYTES];
const char *explore_where[EXPLORE_PROCESSORS];
char explore_failure[400];
uint64_t explore_marks_reached;
bool explore_learnt;
static uint32_t running = DIRECT;
static struct step step_now;
static void *explorer_sp;

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
    return (uint32_t)(((const char *)address - explore_stacks[0]) / EXPLORE_STACK_BYTES);
}

void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument) {
    void **sp = (void **)stack_top - 8;
    memset(sp, 0, 8 * sizeof(*sp));
    sp[2] = (void *)entry; // r13
    sp[3] = argument;      // r12
    sp[6] = (void *)explore_first;
    context->sp = sp;
    explore_machine.stack_sp[stack_of(sp)] = sp;
}

void hal_switch(struct hal_context *from, const struct hal_context *to) {
    const uint32_t mine = stack_of(__builtin_frame_address(0)), other = stack_of(to->sp);
    PROVE(!explore_machine.stack_used[other]); // a thread runs on one processor at a time
    explore_machine.stack_used[mine] = false;
    explore_machine.stack_used[other] = true;
    explore_swap(&from->sp, &explore_machine.stack_sp[mine], to->sp);
}

// To the explorer; it comes back with step_now set.
static void give_way(void) {
    const uint32_t stack = stack_of(__builtin_frame_address(0));
    explore_swap(&explore_machine.processors[running].sp, &explore_machine.stack_sp[stack],
                 explorer_sp);
}

static struct processor *self(void) {
    return &explore_machine.processors[running];
}

// Until the explorer says something else than to take an interrupt. The thread may find itself on
// another processor behind each.
static void await(enum mode mode, const char *where) {
    for (;;) {
        self()->mode = mode;
        explore_where[running] = where;
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
    return explore_machine.processors[processor].mode >= IDLE;
}

void *explore_stack(void) {
    return explore_stacks[explore_machine.stack_count++];
}

void explore_processor(void *current, void (*entry)(void *argument), void *argument) {
    struct processor *processor = &explore_machine.processors[explore_machine.processor_count++];
    char *low = explore_stack();
    void **top = (void **)(void *)(low + EXPLORE_STACK_BYTES) - 2;
    struct hal_context context;
    top[0] = (void *)entry;
    top[1] = argument;
    hal_context_init(&context, top, processor_run, (void *)top);
    processor->sp = context.sp;
    processor->current = current;
    explore_machine.stack_used[stack_of(low)] = true;
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
    bool ignored; // explore_ignore(): nobody decides by it
} uses[USES];

static bool is_shared(const struct use *use) {
    return !use->ignored && use->written && (use->users & (use->users - 1)) != 0;
}

static struct use *use_of(const volatile void *at) {
    size_t place = (uintptr_t)at / 4 % USES;
    while (uses[place].at != at && uses[place].at != NULL) {
        place = (place + 1) % USES;
    }
    if (uses[place].at == NULL) {
        uses[place].at = at;
        uses[place].ignored = explore_is_ignored(at);
    }
    return &uses[place];
}

// Whether others can tell when the running processor's access happens.
static bool access_note(const volatile void *at, bool writes) {
    struct use *use = use_of(at);
    const bool was_shared = is_shared(use);
    use->users |= 1u << (2 * running + self()->in_interrupt);
    use->written |= writes;
    explore_learnt |= is_shared(use) && !was_shared;
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
    (void)order;
    if (running == DIRECT) {
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
    explore_machine.processors[processor].interrupts |= 1u << kind;
}

// The processor, as <hal/cpu.h> has it
// -------------------------------------------------------------

uint32_t explore_number(void) {
    return running == DIRECT ? 0 : running;
}

void *explore_current(void) {
    return explore_machine.processors[explore_number()].current;
}

void explore_current_set(void *thread) {
    explore_machine.processors[explore_number()].current = thread;
}

void *explore_data(void) {
    return explore_machine.processors[explore_number()].data;
}

void hal_cpu_data_set(uint32_t cpu, void *data) {
    explore_machine.processors[cpu].data = data;
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

// Steps -------------------------------------------------------------------------------------------

static uint32_t steps_add(struct step *steps, uint32_t count, uint32_t processor,
                          enum command command, uint32_t value) {
    steps[count] = (struct step){ (uint8_t)processor, (uint8_t)command, (uint8_t)value };
    return count + 1;
}

// All that may happen in the state that is loaded.
uint32_t explore_steps(struct step *steps) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < explore_machine.processor_count; i++) {
        const struct processor *processor = &explore_machine.processors[i];
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

void explore_step(struct step step) {
    struct processor *processor = &explore_machine.processors[step.processor];
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
    explore_marks_reached |= UINT64_C(1) << mark;
}

void explore_fail(const char *file, int line, const char *what) {
    snprintf(explore_failure, sizeof(explore_failure), "%s:%d: %s", file, line, what);
    if (running == DIRECT) {
        puts(explore_failure);
        exit(1);
    }
    for (;;) {
        give_way();
    }
}
