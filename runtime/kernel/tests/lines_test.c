// SPDX-License-Identifier: MIT OR Apache-2.0
// Lines that modules share, when one of them dies: of lines.c, with stand-ins for what it calls.
// Also run under ThreadSanitizer.
#include "../lines.c"

#include <check.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

static struct gate gates[2];
static const struct hx_module manifest = { .name = "test" };
static struct hx_env envs[2] = { { .module = &manifest, .gate = &gates[0] },
                                 { .module = &manifest, .gate = &gates[1] } };
static struct io_device devices[2];
static struct irq *registered; // the last line's
static uint32_t taken;         // lines
static bool is_busy;
static jmp_buf waiting;
static uint32_t heard[2];
static const struct io_device *silenced;
static bool may_pull[16];       // ISA devices
static void (*meanwhile)(void); // what happens before somebody gets the lock
static void go(void);

// What it calls -----------------------------------------------------------------------------------

int64_t hal_gate_call(struct hal_gate *gate, int64_t (*method)(void *argument), void *argument) {
    struct gate *whole = gate == &gates[0].hal ? &gates[0] : &gates[1];
    return gate_is_dead(whole) ? HX_ERR_PEER_DIED : method(argument);
}

enum hx_status gate_call_slow(struct gate *gate, int64_t (*method)(void *argument),
                              void *argument) {
    (void)gate;
    (void)method;
    (void)argument;
    abort();
}

void *kernel_stack_alloc(size_t size_bytes) {
    return malloc(size_bytes);
}

void kernel_stack_free(void *stack, size_t size_bytes) {
    (void)size_bytes;
    free(stack);
}

enum hx_status irq_register(struct irq *irq, uint32_t line, const char *name, void *stack_low,
                            size_t stack_bytes, void (*handler)(void *context), void *context) {
    (void)line;
    (void)name;
    (void)stack_bytes;
    if (is_busy) {
        return HX_ERR_BUSY;
    }
    irq->handler = handler;
    irq->context = context;
    registered = irq;
    taken++;
    free(stack_low);
    return HX_OK;
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return calloc(1, size_bytes);
}

void heap_free(void *memory) {
    free(memory);
}

HX_ATTR(no_thread_safety_analysis) void mutex_lock(struct mutex *mutex) {
    void (*const now)(void) = meanwhile;
    if (now != NULL && (mutex == &lines_lock) == (meanwhile != go)) {
        meanwhile = NULL;
        now();
    }
}

HX_ATTR(no_thread_safety_analysis) void mutex_unlock(struct mutex *mutex) {
    (void)mutex;
}

void mutex_init(struct mutex *mutex, const struct lock_class *lock_class) {
    (void)mutex;
    (void)lock_class;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    atomic_init(&waitable->state, state);
    atomic_init(&waitable->sequence, 0);
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add(&waitable->sequence, 1);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load(&waitable->sequence);
}

enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    CHECK(waitable_sequence(object) == sequence && deadline == TIME_NEVER && flags == 0);
    longjmp(waiting, 1);
}

void io_device_line_off(const struct io_device *device) {
    CHECK(silenced == NULL);
    silenced = device;
}

void hal_irq_isa_pull(uint32_t isa, bool may) {
    may_pull[isa] = may;
}

// Tests -------------------------------------------------------------------------------------------

static void handler(void *context) {
    uint32_t *count = context;
    ++*count;
}

static enum hx_status listen(uint32_t line, uint32_t who, bool is_shared) {
    const struct line_user user = { &envs[who], is_shared ? &devices[who] : NULL, handler,
                                    &heard[who], 0 };
    return line_register(line, &user, is_shared);
}

// False: the line's thread waits, and the line stays masked.
static bool pull(void) {
    if (setjmp(waiting) != 0) {
        return false;
    }
    registered->handler(registered->context);
    return true;
}

static void reset(void) {
    for (uint32_t i = 0; i < 2; i++) {
        atomic_store(&gates[i].hal.closed, 0);
        heard[i] = 0;
    }
    silenced = NULL;
    taken = 0;
}

static void die(uint32_t who) {
    atomic_store(&gates[who].hal.closed, GATE_DEAD);
}

// Whoever of the two dies, the other one is heard on, and the dead one's device is quiet.
static void test_shared(uint32_t line, uint32_t dead) {
    reset();
    CHECK(listen(line, 0, true) == HX_OK && listen(line, 1, true) == HX_OK && taken == 1);
    CHECK(pull() && heard[0] == 1 && heard[1] == 1);
    die(dead);
    CHECK(pull() && heard[dead] == 1 && heard[1 - dead] == 2 && silenced == &devices[dead]);
    CHECK(pull() && heard[1 - dead] == 3); // and it is silenced once
    silenced = NULL;
    die(1 - dead);
    CHECK(pull() && silenced == &devices[1 - dead]);
}

static void test_alone(void) {
    reset();
    CHECK(listen(3, 0, false) == HX_OK && pull() && heard[0] == 1);
    is_busy = true;
    CHECK(listen(3, 1, false) == HX_ERR_BUSY && listen(3, 1, true) == HX_ERR_BUSY);
    is_busy = false;
    die(0);
    CHECK(!pull() && heard[0] == 1);
}

// The kernel itself listens to a line beside a module that dies.
static void test_kernel(void) {
    reset();
    const struct line_user kernel = { NULL, &devices[0], handler, &heard[0], 0 };
    CHECK(line_register(4, &kernel, true) == HX_OK && listen(4, 1, true) == HX_OK && taken == 1);
    die(1);
    CHECK(pull() && pull() && heard[0] == 2 && heard[1] == 0 && silenced == &devices[1]);
}

// A function of PCI has an ISA device's place, beside a device of the list: it pulls no more, once
// its module is found dead, and once that is silenced.
static void test_isa_shared(void) {
    const struct line_user user = {
        .env = &envs[0], .handler = handler, .context = &heard[0], .isa = 3
    };
    reset();
    CHECK(listen(11, 1, true) == HX_OK && line_register(11, &user, true) == HX_OK && taken == 1);
    may_pull[3] = true;
    CHECK(pull() && heard[0] == 1 && heard[1] == 1 && may_pull[3]);
    die(0);
    CHECK(pull() && heard[0] == 1 && heard[1] == 2 && !may_pull[3] && silenced == NULL);
    lines_silence(&envs[0]);
    atomic_store(&gates[0].hal.closed, 0);
    CHECK(line_register(11, &user, true) == HX_OK && taken == 1);
    may_pull[3] = true;
    die(0);
    lines_silence(&envs[0]);
    CHECK(!may_pull[3] && pull() && heard[0] == 1 && heard[1] == 3);
}

// A module that was started anew listens again: to the same line, in the same thread. What it heard
// with in its last life is not called any more, even if a line is pulled before it listens.
static void test_again(uint32_t line, bool is_shared) {
    uint32_t anew = 0;
    reset();
    CHECK(listen(line, 0, is_shared) == HX_OK && pull() && heard[0] == 1 && taken == 1);
    die(0);
    CHECK(pull() == is_shared && heard[0] == 1 && (silenced != NULL) == is_shared);
    silenced = NULL;
    lines_silence(&envs[0]);
    atomic_store(&gates[0].hal.closed, 0);
    CHECK(pull() == is_shared && heard[0] == 1 && silenced == NULL);
    const struct line_user user = { &envs[0], is_shared ? &devices[0] : NULL, handler, &anew, 0 };
    CHECK(line_register(line, &user, is_shared) == HX_OK && taken == 1);
    CHECK(pull() && anew == 1 && heard[0] == 1);
    // It dies before anybody pulls the line: the thread finds nobody to call.
    die(0);
    lines_silence(&envs[0]);
    atomic_store(&gates[0].hal.closed, 0);
    CHECK(pull() == is_shared && anew == 1 && silenced == NULL);
}

static void live_again(void) {
    lines_silence(&envs[0]);
    atomic_store(&gates[0].hal.closed, 0);
    CHECK(listen(7, 0, true) == HX_OK);
}

// The line's thread finds its module dead, and comes to say so when that lives again.
static void test_late(void) {
    reset();
    CHECK(listen(7, 0, true) == HX_OK && pull() && heard[0] == 1);
    die(0);
    meanwhile = live_again;
    CHECK(pull() && silenced == NULL && meanwhile == NULL);
    CHECK(pull() && heard[0] == 2);
}

// It is unloaded, and where it was, there is something else.
static void go(void) {
    lines_silence(&envs[0]);
    die(0);
    lines_forget(&envs[0]);
    memset(&envs[0], 0xa5, sizeof(envs[0]));
}

static void come(void) {
    envs[0] = (struct hx_env){ .module = &manifest, .gate = &gates[0] };
    reset();
}

// Who has been unloaded is not looked at any more, also by a thread that was about to call it;
// another module may have its line, and hears it in the same thread.
static void test_unloaded(uint32_t line, bool is_shared) {
    const struct line_user other = { &envs[1], is_shared ? &devices[0] : NULL, handler, &heard[1],
                                     0 };
    reset();
    CHECK(listen(line, 0, is_shared) == HX_OK && pull() && heard[0] == 1 && taken == 1);
    meanwhile = go;
    CHECK(pull() == is_shared && meanwhile == NULL && heard[0] == 1);
    CHECK(pull() == is_shared && heard[0] == 1);
    is_busy = true;
    CHECK(line_register(line, &other, is_shared) == HX_OK && pull() && heard[1] == 1 && taken == 1);
    is_busy = false;
    come();
}

static void *wait_inside(void *argument) {
    const uint32_t *count = argument;
    while (*count == 0) {
        (void)call_inside(registered->context);
    }
    return NULL;
}

// The line's thread waited at the gate and comes in while init is about to listen again: it calls
// what the present life told, or nothing. ThreadSanitizer sees what the processor may not show.
static void test_early(void) {
    uint32_t anew = 0;
    pthread_t thread;
    reset();
    CHECK(listen(8, 0, true) == HX_OK);
    lines_silence(&envs[0]);
    CHECK(pthread_create(&thread, NULL, wait_inside, &anew) == 0);
    const struct line_user user = { &envs[0], &devices[0], handler, &anew, 0 };
    CHECK(line_register(8, &user, true) == HX_OK && taken == 1);
    CHECK(pthread_join(thread, NULL) == 0 && anew == 1 && heard[0] == 0);
}

int main(void) {
    test_early();
    test_late();
    test_again(5, false);
    test_again(6, true);
    test_unloaded(9, false);
    test_unloaded(10, true);
    test_shared(1, 0);
    test_shared(2, 1);
    test_alone();
    test_kernel();
    test_isa_shared();
    return check_result();
}
