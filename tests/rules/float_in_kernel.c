// SPDX-License-Identifier: MIT OR Apache-2.0
// No floating point in the kernel, it would spoil the program's registers: the compiler calls
// functions for it, which nobody has.
// PART: core/
// FAILS: undefined symbol: __\w+df3
// HOW: link
#ifdef BREAK_RULE
typedef double number;
#else
typedef long number;
#endif

static number half(number value) {
    return value * (number)5;
}

// Something that stays refers to it, or the linker would drop it.
__attribute__((used, section("helix_modules"))) static number (*const kept)(number) = half;
