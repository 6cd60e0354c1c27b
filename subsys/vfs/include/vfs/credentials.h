// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/credentials.h>: who asks, as far as names and modes are concerned. Immutable once shared.
#pragma once

#include <core/object.h>
#include <helix/types.h>

#define CREDENTIALS_GROUPS_MAX 32u

// Linux's capability bits that the kernel looks at (capability.h's numbers).
#define CAPABILITY_CHOWN        0u
#define CAPABILITY_DAC_OVERRIDE 1u
#define CAPABILITY_DAC_READ     2u
#define CAPABILITY_FOWNER       3u
#define CAPABILITY_FSETID       4u
#define CAPABILITY_KILL         5u
#define CAPABILITY_SETGID       6u
#define CAPABILITY_SETUID       7u
#define CAPABILITY_SYS_CHROOT   18u
#define CAPABILITY_SYS_ADMIN    21u
#define CAPABILITY_SYS_BOOT     22u
#define CAPABILITY_SYS_NICE     23u
#define CAPABILITY_SYS_RESOURCE 24u
#define CAPABILITY_SYS_TIME     25u
#define CAPABILITY_MKNOD        27u
#define CAPABILITY_SETFCAP      31u
#define CAPABILITY_ALL          ((1ull << 41) - 1)

struct credentials {
    struct object object;
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    uint32_t group_count;
    uint32_t groups[CREDENTIALS_GROUPS_MAX];
    uint64_t effective, permitted, inheritable, bounding;
};

// uid 0 with everything. One reference, the caller's; NULL if there is no memory.
struct credentials *credentials_create_root(void);
// A private copy to change before it is shared.
struct credentials *credentials_copy(const struct credentials *from);
bool credentials_in_group(const struct credentials *credentials, uint32_t gid);
static inline bool credentials_capable(const struct credentials *credentials, uint32_t bit) {
    return (credentials->effective >> bit) & 1;
}
static inline struct credentials *credentials_get(struct credentials *credentials) {
    object_get(&credentials->object);
    return credentials;
}
static inline void credentials_put(struct credentials *credentials) {
    object_put(&credentials->object);
}
