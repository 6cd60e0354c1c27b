// SPDX-License-Identifier: MIT OR Apache-2.0
// Every section of the image has its rights; one that the script does not know has no place.
// PART: core/
// FAILS: \.patch.* is being placed
// HOW: link
#ifdef BREAK_RULE
#define SECTION ".patch,\"awx\",@progbits#"
#else
#define SECTION ".data.patch"
#endif

extern int patch;
__attribute__((used, section(SECTION))) int patch = 1;

// Something that stays refers to it, or the linker would drop it.
__attribute__((used, section("helix_modules"))) static int *const kept = &patch;
