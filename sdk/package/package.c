// SPDX-License-Identifier: MIT OR Apache-2.0
// package.c: what a package exports, and the guard of its stacks.
#include <helix/package.h>

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker and the
// compiler chose the names
extern const struct hx_module *const __start_helix_modules[];
extern const struct hx_module *const __stop_helix_modules[];
extern uintptr_t __stack_chk_guard;
NORETURN void __stack_chk_fail(void);

// Kept with what is constant once it is loaded.
__attribute__((section(".data.rel.ro"))) uintptr_t __stack_chk_guard;

// A stack that was written over is the module's fault, and ends the call as others do.
void __stack_chk_fail(void) {
    __builtin_trap();
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

extern const struct hx_package hx_package;

__attribute__((visibility("default"), used)) const struct hx_package hx_package = {
    .first = __start_helix_modules,
    .end = __stop_helix_modules,
    .guard = &__stack_chk_guard,
};
