// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/user.c: linked programs: their stacks, their way into the kernel and back, their view
// of memory.
#include "user.h"

#include <hosted/program.h>

#define USER_STACK_BYTES 262144u

// At the top of the program's stack.
struct user_context {
    struct hal_context program;
    struct hal_context kernel; // where the trap goes
    struct hal_frame *frame;
    enum user_trap trap;
    struct hal_fault fault;
};

typedef int (*entry_t)(uint64_t argument);
typedef void (*handler_t)(uint64_t number, uint64_t info, uint64_t context);

// Functions that have a user address beside the programs, in the order of their first use.
static _Atomic uintptr_t functions[CODE_FUNCTIONS];

static uint32_t program_count(void) {
    return (uint32_t)(__stop_hosted_programs - __start_hosted_programs);
}

static uint64_t function_address(uintptr_t function) {
    for (uint32_t i = CODE_FIRST + program_count(); i < CODE_FUNCTIONS; i++) {
        uintptr_t found = 0;
        if (atomic_compare_exchange_strong_explicit(&functions[i], &found, function,
                                                    memory_order_relaxed, memory_order_relaxed) ||
            found == function) {
            return CODE_BASE + i * CODE_STEP;
        }
    }
    return 0;
}

// 0: no function lies there.
static uintptr_t function_at(uint64_t address) {
    uint64_t index = (address - CODE_BASE) / CODE_STEP;
    if (address < CODE_BASE || index < CODE_FIRST || index >= CODE_FUNCTIONS ||
        address % CODE_STEP != 0) {
        return 0;
    }
    return index < CODE_FIRST + program_count()
               ? (uintptr_t)__start_hosted_programs[index - CODE_FIRST].main
               : atomic_load_explicit(&functions[index], memory_order_relaxed);
}

uint64_t hosted_address(handler_t handler) {
    return function_address((uintptr_t)handler);
}

// ---- the program's side ------------------------------------------------------------------------

static struct user_context *user_this(void) {
    return stack_head(this_processor()->stack_top)->user;
}

// Into the kernel; back when it returns to this program.
static void enter(struct user_context *user, enum user_trap kind) {
    user->trap = kind;
    hal_switch(&user->program, &user->kernel);
}

static uintptr_t function_fetch(struct user_context *user);

// Runs the handlers that the kernel left in the frame, one over the other.
static void handlers_run(struct user_context *user) {
    struct hal_frame *frame = user->frame;
    while (frame->way == HOSTED_HANDLER) {
        const uint64_t *in = frame->function_arguments;
        const uint64_t arguments[3] = { in[0], in[1], in[2] };
        frame->way = HOSTED_RESUME;
        handler_t handler = (handler_t)function_fetch(user);
        handler(arguments[0], arguments[1], arguments[2]);
        frame->number = HOSTED_CALL_rt_sigreturn; // sp is where hal_signal_push() left it
        enter(user, TRAP_CALL);
    }
}

static void trap(struct user_context *user, enum user_trap kind) {
    enter(user, kind);
    handlers_run(user);
}

// Fetches from the frame's pc, as a processor would; the function that lies there.
static uintptr_t function_fetch(struct user_context *user) {
    for (;;) {
        const uint64_t pc = user->frame->pc;
        if (user_translate(pc, HAL_ACCESS_EXECUTE, &user->fault) != NULL) {
            const uintptr_t function = function_at(pc);
            if (function != 0) {
                return function;
            }
            user->fault = (struct hal_fault){ .kind = HAL_FAULT_INSTRUCTION };
        }
        trap(user, TRAP_FAULT); // it may end the program
    }
}

int64_t hosted_call(uint64_t number, const uint64_t arguments[6]) {
    struct user_context *user = user_this();
    struct hal_frame *frame = user->frame;
    do {
        memcpy(frame->arguments, arguments, sizeof(frame->arguments));
        frame->number = number;
        frame->way = HOSTED_RESUME;
        trap(user, TRAP_CALL);
        number = frame->number;
    } while (frame->way == HOSTED_AGAIN);
    return frame->result;
}

int64_t hosted_clone(int (*function)(uint64_t argument), uint64_t argument,
                     const uint64_t arguments[5]) {
    const uint64_t all[6] = { arguments[0], arguments[1], arguments[2], arguments[3],
                              arguments[4] };
    struct hal_frame *frame = user_this()->frame;
    // The child's frame is a copy of this one. It has no host stack yet, so it begins at the pc.
    frame->pc = function_address((uintptr_t)function);
    frame->function_arguments[0] = argument;
    return hosted_call(HOSTED_CALL_clone, all);
}

static void program_main(void *argument) {
    struct user_context *user = argument;
    handlers_run(user); // a signal may be faster than a thread's first moment
    const uint64_t value = user->frame->function_arguments[0];
    const int status = ((entry_t)function_fetch(user))(value);
    for (;;) {
        (void)hosted_call(HOSTED_CALL_exit, (const uint64_t[6]){ (uint64_t)status });
    }
}

// ---- its memory --------------------------------------------------------------------------------

// As an instruction would: until the page is there for it.
static uint8_t *touch(uint64_t address, uint32_t access) {
    struct user_context *user = user_this();
    if (atomic_load_explicit(&hosted_this()->pending, memory_order_relaxed) != 0) {
        trap(user, TRAP_INTERRUPT);
    }
    uint8_t *at;
    while ((at = user_translate(address, access, &user->fault)) == NULL) {
        trap(user, TRAP_FAULT);
    }
    return at;
}

void hosted_read(void *to, uint64_t from, size_t size_bytes) {
    char *out = to;
    while (size_bytes > 0) {
        size_t length = user_piece(from, size_bytes);
        user_bytes_get(out, touch(from, HAL_ACCESS_READ), length);
        out += length;
        from += length;
        size_bytes -= length;
    }
}

void hosted_write(uint64_t to, const void *from, size_t size_bytes) {
    const char *in = from;
    while (size_bytes > 0) {
        size_t length = user_piece(to, size_bytes);
        user_bytes_set(touch(to, HAL_ACCESS_WRITE), in, length);
        in += length;
        to += length;
        size_bytes -= length;
    }
}

uint64_t hosted_load(uint64_t from, size_t size_bytes) {
    const void *at = touch(from, HAL_ACCESS_READ);
    switch (size_bytes) {
    case 1:
        return atomic_load_explicit((const _Atomic uint8_t *)at, memory_order_seq_cst);
    case 2:
        return atomic_load_explicit((const _Atomic uint16_t *)at, memory_order_seq_cst);
    case 4:
        return atomic_load_explicit((const _Atomic uint32_t *)at, memory_order_seq_cst);
    default:
        return atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_seq_cst);
    }
}

void hosted_store(uint64_t to, uint64_t value, size_t size_bytes) {
    void *at = touch(to, HAL_ACCESS_WRITE);
    switch (size_bytes) {
    case 1:
        atomic_store_explicit((_Atomic uint8_t *)at, (uint8_t)value, memory_order_seq_cst);
        break;
    case 2:
        atomic_store_explicit((_Atomic uint16_t *)at, (uint16_t)value, memory_order_seq_cst);
        break;
    case 4:
        atomic_store_explicit((_Atomic uint32_t *)at, (uint32_t)value, memory_order_seq_cst);
        break;
    default:
        atomic_store_explicit((_Atomic uint64_t *)at, value, memory_order_seq_cst);
    }
}

uint32_t hosted_swap32(uint64_t at, uint32_t expected, uint32_t desired) {
    void *memory = touch(at, HAL_ACCESS_WRITE);
    atomic_compare_exchange_strong_explicit((_Atomic uint32_t *)memory, &expected, desired,
                                            memory_order_seq_cst, memory_order_seq_cst);
    return expected;
}

void hosted_pause(void) {
    if (atomic_load_explicit(&hosted_this()->pending, memory_order_relaxed) != 0) {
        trap(user_this(), TRAP_INTERRUPT);
    } else {
        hal_relax(); // interrupts are off here: nothing is delivered
    }
}

void hosted_say(const char *text) {
    host_write(text, strlen(text));
}

// ---- the kernel's side -------------------------------------------------------------------------

static struct user_context *user_create(struct stack_head *head) {
    char *low = host_stack_alloc(USER_STACK_BYTES);
    if (low == NULL) {
        return NULL;
    }
    struct user_context *user = (struct user_context *)(void *)(low + USER_STACK_BYTES) - 1;
    *user = (struct user_context){
        .program = { .stack_low = low, .stack_bytes = USER_STACK_BYTES },
    };
    head->user = user;
    return user;
}

// An empty stack that begins at the frame's pc.
static void user_begin(struct user_context *user, struct hal_frame *frame) {
    char *low = user->program.stack_low;
    void *top = low + ALIGN_DOWN((size_t)((char *)user - low), (size_t)64);
    user->frame = frame;
    context_release(&user->program);
    context_prepare(&user->program, low, USER_STACK_BYTES, top, program_main, user);
}

enum user_trap user_run(struct stack_head *head, struct hal_frame *frame) {
    struct user_context *user = head->user;
    const bool fresh = user == NULL;
    if (fresh) {
        user = user_create(head);
    }
    if (user == NULL) {
        return TRAP_INTERRUPT; // tried again; the host may have memory then
    }
    if (fresh || frame->way == HOSTED_START) {
        user_begin(user, frame);
    }
    if (frame->way == HOSTED_START) {
        frame->way = HOSTED_RESUME;
    }
    hal_switch(&user->kernel, &user->program);
    return user->trap;
}

const struct hal_fault *user_fault(const struct stack_head *head) {
    return &head->user->fault;
}

void user_release(struct stack_head *head) {
    struct user_context *user = head->user;
    if (user != NULL) {
        head->user = NULL;
        context_release(&user->program);
        host_stack_free(user->program.stack_low, USER_STACK_BYTES);
    }
}
