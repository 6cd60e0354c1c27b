// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/main.c: the workers of a module in ring 3: each asks for work and does it.
#include "exports.h"
#include "host.h"

#include <helix/package.h>

static struct hx_env world;

static enum hx_status begin(const struct hx_package *package) {
    world.module = *package->first;
    const struct hx_module_ops *ops = world.module->ops;
    enum hx_status status = world.module->arena_version != 0 ? arena_begin(&world) : HX_OK;
    return status == HX_OK && ops->init != NULL ? ops->init(&world, &world.self) : status;
}

static enum hx_status live(const struct service_area *area) {
    const struct hx_module_ops *ops = world.module != NULL ? world.module->ops : NULL;
    if (area->number == SERVICE_INIT) {
        return begin(service_pointer((int64_t)area->argument));
    }
    if (ops == NULL) {
        return HX_ERR_INVALID;
    }
    switch (area->number) {
    case SERVICE_START:
        return ops->start != NULL ? ops->start(world.self) : HX_OK;
    case SERVICE_IMPORT:
        return ops->import_state != NULL ? ops->import_state(world.self, (uint32_t)area->argument)
                                         : HX_ERR_NOT_SUPPORTED;
    case SERVICE_STOP:
        return ops->stop != NULL ? ops->stop(world.self) : HX_OK;
    case SERVICE_SELF_TEST:
        return ops->self_test != NULL ? ops->self_test(world.self) : HX_OK;
    case SERVICE_FINI:
        if (ops->fini != NULL) {
            ops->fini(world.self);
        }
        return HX_OK;
    default:
        return HX_ERR_INVALID;
    }
}

static NORETURN void worker(void) {
    struct service_area *area = service_pointer(service_call(SERVICE_AREA, 0, 0, 0));
    for (;;) {
        // The kernel ends a thread that it has nothing more for.
        (void)service_call(SERVICE_NEXT, 0, 0, 0);
        if (area->kind == SERVICE_WORK_LIFE) {
            area->status = live(area);
        } else if (area->kind == SERVICE_WORK_CALL) {
            slots_serve(area);
        } else if (area->kind == SERVICE_WORK_INTERRUPT) {
            interrupt_serve(area->number);
        }
    }
}

static void start(void) {
    worker();
}

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the compiler chose them
extern uintptr_t __stack_chk_guard;
NORETURN void __stack_chk_fail(void);

// Constant once it is placed, as a package's.
__attribute__((section(".data.rel.ro"))) uintptr_t __stack_chk_guard;

void __stack_chk_fail(void) {
    __builtin_trap();
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

extern const struct service_image hx_package; // the name by which the kernel finds it

__attribute__((visibility("default"), used)) const struct service_image hx_package = {
    .start = start,
    .functions = module_exports,
    .guard = &__stack_chk_guard,
    .doom = { doom_null, doom_jump, doom_copy, doom_undefined, doom_divide, doom_loop, doom_spin,
              doom_overflow },
};
