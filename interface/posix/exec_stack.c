// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/exec_stack.c: what a program finds on its stack (the ABI's process
// initialisation; the auxiliary vector as Linux fills it).
//
// From the top down: eight zero bytes, the file name, environment strings, argument strings, the
// platform's name, 16 random bytes; then, aligned to 16, what the stack pointer points at: argc,
// argv, envp, the auxiliary vector.
#include "exec.h"

#include <hal/cpu.h>
#include <lib/string.h>
#include <memory/heap.h>

#define STRING_MAX   (32u * PAGE_SIZE) // MAX_ARG_STRLEN, with the terminator
#define LIMIT_LEAST  (32u * PAGE_SIZE) // ARG_MAX
#define LIMIT_MOST   ((size_t)6 << 20) // three quarters of the usual stack
#define POINTERS_MAX (LIMIT_MOST / sizeof(uint64_t))
#define FIRST_BYTES  PAGE_SIZE
#define HEAP_MOST    (16u * PAGE_SIZE) // larger buffers are mapped page by page
#define STACK_SPARE  (32u * PAGE_SIZE) // mapped below what is written
#define AUXV_MAX     24u
#define CLOCK_TICKS  100u

enum {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
    AT_SYSINFO_EHDR = 33,
};

// A growing buffer -------------------------------------------------------------------------------

static char *buffer_alloc(size_t size) {
    return size <= HEAP_MOST ? heap_alloc(size, MEMORY_SLEEP) : kernel_map_alloc(size);
}

static void buffer_free(char *bytes, size_t size) {
    if (size <= HEAP_MOST) {
        heap_free(bytes);
    } else {
        kernel_map_free(bytes, size);
    }
}

static enum hx_status buffer_grow(struct exec_stack *stack) {
    const size_t capacity = stack->capacity != 0 ? stack->capacity * 2 : FIRST_BYTES;
    if (stack->capacity > stack->limit) {
        return HX_ERR_TOO_BIG;
    }
    char *bytes = buffer_alloc(capacity);
    if (bytes == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    if (stack->bytes != NULL) {
        memcpy(bytes, stack->bytes, stack->used);
        buffer_free(stack->bytes, stack->capacity);
    }
    stack->bytes = bytes;
    stack->capacity = capacity;
    return HX_OK;
}

void exec_stack_fini(struct exec_stack *stack) {
    if (stack->bytes != NULL) {
        buffer_free(stack->bytes, stack->capacity);
        stack->bytes = NULL;
    }
}

// Collecting strings -----------------------------------------------------------------------------

static enum hx_status check_limit(const struct exec_stack *stack) {
    const size_t pointers = ((size_t)stack->argument_count + stack->environment_count) * 8;
    return stack->used + pointers > stack->limit ? HX_ERR_TOO_BIG : HX_OK;
}

static enum hx_status add_kernel(struct exec_stack *stack, const char *text) {
    const size_t size = strlen(text) + 1;
    while (stack->capacity - stack->used < size) {
        const enum hx_status status = buffer_grow(stack);
        if (status != HX_OK) {
            return status;
        }
    }
    memcpy(stack->bytes + stack->used, text, size);
    stack->used += size;
    return HX_OK;
}

static enum hx_status add_user(struct exec_stack *stack, struct uaddr from) {
    for (;;) {
        const size_t room = MIN_OF(stack->capacity - stack->used, (size_t)STRING_MAX);
        size_t length;
        enum hx_status status = HX_ERR_NAME_TOO_LONG;
        if (room != 0) {
            status = copy_string_from_user(stack->bytes + stack->used, from, room, &length);
        }
        if (status == HX_OK) {
            stack->used += length + 1;
            return HX_OK;
        }
        if (status != HX_ERR_NAME_TOO_LONG) {
            return status;
        }
        if (room == STRING_MAX) {
            return HX_ERR_TOO_BIG;
        }
        status = buffer_grow(stack);
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status add_user_array(struct exec_stack *stack, struct uaddr array, uint32_t skip,
                                     uint32_t *count) {
    for (uint64_t i = 0; i < POINTERS_MAX; i++) {
        uint64_t pointer;
        if (copy_from_user(&pointer, uaddr_add(array, i * sizeof(pointer)), sizeof(pointer)) !=
            HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        if (pointer == 0) {
            return HX_OK;
        }
        if (i < skip) {
            continue;
        }
        (*count)++;
        enum hx_status status = add_user(stack, uaddr_make(pointer));
        if (status == HX_OK) {
            status = check_limit(stack);
        }
        if (status != HX_OK) {
            return status;
        }
    }
    return HX_ERR_TOO_BIG;
}

// All strings of an array but the first `skip`.
static enum hx_status add_array(struct exec_stack *stack, const struct exec_strings *strings,
                                uint32_t skip, uint32_t *count) {
    if (strings->kernel == NULL) {
        return uaddr_is_null(strings->user) ? HX_OK
                                            : add_user_array(stack, strings->user, skip, count);
    }
    for (uint32_t i = 0; strings->kernel[i] != NULL; i++) {
        if (i < skip) {
            continue;
        }
        (*count)++;
        const enum hx_status status = add_kernel(stack, strings->kernel[i]);
        if (status != HX_OK) {
            return status;
        }
    }
    return HX_OK;
}

static enum hx_status add_argument(struct exec_stack *stack, const char *text) {
    stack->argument_count++;
    return add_kernel(stack, text);
}

// What scripts put in the place of argument 0: the interpreters with their arguments, innermost
// first, each followed by the script that it interprets; in the end the script that was named.
static enum hx_status add_scripts(struct exec_stack *stack, const struct exec_file *file,
                                  const char *name) {
    for (uint32_t i = file->script_count; i-- > 0;) {
        const struct exec_script *script = file->scripts[i];
        enum hx_status status = add_argument(stack, script->interpreter);
        if (status == HX_OK && script->argument[0] != '\0') {
            status = add_argument(stack, script->argument);
        }
        if (status != HX_OK) {
            return status;
        }
    }
    return add_argument(stack, name);
}

enum hx_status exec_stack_collect(struct exec_stack *stack, const struct exec_request *request,
                                  const struct exec_file *file, uint64_t stack_limit_bytes) {
    const uint64_t quarter = stack_limit_bytes / 4;
    *stack = (struct exec_stack){ .limit = MAX_OF(MIN_OF(quarter, LIMIT_MOST), LIMIT_LEAST) };
    const bool is_script = file->script_count != 0;
    enum hx_status status = HX_OK;
    if (is_script) {
        status = add_scripts(stack, file, request->name);
    }
    if (status == HX_OK) {
        status = add_array(stack, &request->arguments, is_script ? 1 : 0, &stack->argument_count);
    }
    if (status == HX_OK && stack->argument_count == 0) {
        status = add_argument(stack, ""); // nobody is started without a name, as on Linux
    }
    stack->arguments_bytes = stack->used;
    if (status == HX_OK) {
        status = add_array(stack, &request->environment, 0, &stack->environment_count);
    }
    return status == HX_OK ? check_limit(stack) : status;
}

// Building ---------------------------------------------------------------------------------------

// Addresses on the new stack, from the top down.
struct plan {
    uint64_t top, name, strings, platform, random, pointers;
    size_t pointer_count;
};

static struct plan make_plan(const struct exec_stack *stack, const char *name, uint64_t top) {
    struct plan plan = { .top = top };
    plan.name = top - 8 - (strlen(name) + 1);
    plan.strings = plan.name - stack->used;
    plan.platform = plan.strings - (strlen(hal_platform()) + 1);
    plan.random = plan.platform - 16;
    plan.pointer_count =
        1 + stack->argument_count + 1 + stack->environment_count + 1 + (size_t)2 * AUXV_MAX;
    plan.pointers = ALIGN_DOWN(plan.random - plan.pointer_count * 8, 16ull);
    return plan;
}

// Pointers to consecutive strings, and the null behind them.
static uint64_t *put_pointers(uint64_t *to, const char *text, uint64_t address, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        *to++ = address;
        const size_t size = strlen(text) + 1;
        text += size;
        address += size;
    }
    *to++ = 0;
    return to;
}

static void put_auxv(uint64_t *to, const struct plan *plan, const struct exec_layout *layout,
                     const struct exec_image *image) {
    const struct credentials *credentials = image->credentials;
    const uint64_t vector[][2] = {
        { AT_HWCAP, hal_hwcap() },
        { AT_PAGESZ, PAGE_SIZE },
        { AT_CLKTCK, CLOCK_TICKS },
        { AT_PHDR, layout->program_headers },
        { AT_PHENT, ELF_PROGRAM_BYTES },
        { AT_PHNUM, layout->program_count },
        { AT_BASE, layout->interpreter_base },
        { AT_FLAGS, 0 },
        { AT_ENTRY, layout->entry },
        { AT_UID, credentials->uid },
        { AT_EUID, credentials->euid },
        { AT_GID, credentials->gid },
        { AT_EGID, credentials->egid },
        { AT_SECURE, image->is_secure },
        { AT_RANDOM, plan->random },
        { AT_HWCAP2, hal_hwcap2() },
        { AT_EXECFN, plan->name },
        { AT_PLATFORM, plan->platform },
        { image->vdso != 0 ? AT_SYSINFO_EHDR : AT_NULL, image->vdso },
        { AT_NULL, 0 },
    };
    _Static_assert(ARRAY_SIZE(vector) <= AUXV_MAX, "make_plan() leaves room for it");
    memcpy(to, vector, sizeof(vector));
}

// Writes all of it into `bytes`, whose first byte is the stack pointer's.
static void write_stack(char *bytes, const struct exec_stack *stack, const char *name,
                        const struct plan *plan, const uint8_t random[16],
                        const struct exec_layout *layout, const struct exec_image *image) {
    uint64_t *pointers = (uint64_t *)(void *)bytes;
    memset(bytes, 0, plan->top - plan->pointers);
    memcpy(bytes + (plan->name - plan->pointers), name, strlen(name));
    memcpy(bytes + (plan->strings - plan->pointers), stack->bytes, stack->used);
    memcpy(bytes + (plan->platform - plan->pointers), hal_platform(), strlen(hal_platform()));
    memcpy(bytes + (plan->random - plan->pointers), random, 16);
    *pointers++ = stack->argument_count;
    pointers = put_pointers(pointers, stack->bytes, plan->strings, stack->argument_count);
    pointers = put_pointers(pointers, stack->bytes + stack->arguments_bytes,
                            plan->strings + stack->arguments_bytes, stack->environment_count);
    put_auxv(pointers, plan, layout, image);
}

static enum hx_status map_stack(const struct plan *plan, uint64_t stack_limit_bytes,
                                struct aspace *aspace) {
    const uint64_t used = ALIGN_UP(plan->top - plan->pointers, (uint64_t)PAGE_SIZE);
    uint64_t size = used + STACK_SPARE;
    if (size > stack_limit_bytes) {
        size = MAX_OF(used, ALIGN_DOWN(stack_limit_bytes, (uint64_t)PAGE_SIZE));
    }
    const struct aspace_map_request request = {
        .hint = uaddr_make(plan->top - size),
        .size_bytes = size,
        .protection = ASPACE_READ | ASPACE_WRITE,
        .flags = ASPACE_FIXED | ASPACE_NOREPLACE | ASPACE_GROWSDOWN,
        .label = "[stack]",
    };
    struct uaddr mapped;
    const enum hx_status status = aspace_map(aspace, &request, &mapped);
    return status == HX_ERR_EXISTS ? HX_ERR_NO_MEMORY : status;
}

enum hx_status exec_stack_build(const struct exec_stack *stack, const struct exec_request *request,
                                const struct exec_layout *layout, const uint8_t random[16],
                                uint64_t stack_limit_bytes, struct exec_image *image) {
    const struct plan plan = make_plan(stack, request->name, image->stack_top);
    const size_t size = plan.top - plan.pointers;
    enum hx_status status = map_stack(&plan, stack_limit_bytes, image->aspace);
    if (status != HX_OK) {
        return status;
    }
    char *bytes = buffer_alloc(size);
    if (bytes == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    write_stack(bytes, stack, request->name, &plan, random, layout, image);
    status = aspace_write_other(image->aspace, uaddr_make(plan.pointers), bytes, size);
    buffer_free(bytes, size);
    image->stack_pointer = plan.pointers;
    image->arguments_start = plan.strings;
    image->arguments_end = plan.strings + stack->arguments_bytes;
    image->environment_start = image->arguments_end;
    image->environment_end = plan.strings + stack->used;
    return status;
}
