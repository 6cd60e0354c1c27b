// SPDX-License-Identifier: MIT OR Apache-2.0
// A function of the kernel that is not in the SDK.
// PART: services/fs/ramfs/
// FAILS: a module may not call frame_alloc$
// HOW: symbols
#include <helix/env.h>

void *take(struct hx_env *env);

#ifdef BREAK_RULE
void *frame_alloc(uint32_t how); // a declaration of its own gets round the include paths

void *take(struct hx_env *env) {
    (void)env;
    return frame_alloc(0);
}
#else
void *take(struct hx_env *env) {
    return hx_alloc(env, 4096);
}
#endif
