// SPDX-License-Identifier: MIT OR Apache-2.0
// credentials.c: see <vfs/credentials.h>.
#include <lib/string.h>
#include <memory/heap.h>
#include <vfs/credentials.h>

static void credentials_destroy(struct object *object) {
    heap_free(CONTAINER_OF(object, struct credentials, object));
}

static const struct object_type credentials_type = { .kind = OBJECT_PROCESS,
                                                     .name = "credentials",
                                                     .destroy = credentials_destroy };

struct credentials *credentials_create_root(void) {
    struct credentials *credentials = heap_alloc_zero(sizeof(*credentials), MEMORY_SLEEP);
    if (credentials != NULL) {
        object_init(&credentials->object, &credentials_type);
        credentials->effective = CAPABILITY_ALL;
        credentials->permitted = CAPABILITY_ALL;
        credentials->bounding = CAPABILITY_ALL;
    }
    return credentials;
}

struct credentials *credentials_copy(const struct credentials *from) {
    struct credentials *credentials = heap_alloc(sizeof(*credentials), MEMORY_SLEEP);
    if (credentials != NULL) {
        const size_t head = offsetof(struct credentials, uid); // references come and go meanwhile
        memcpy((char *)credentials + head, (const char *)from + head, sizeof(*from) - head);
        object_init(&credentials->object, &credentials_type);
    }
    return credentials;
}

bool credentials_in_group(const struct credentials *credentials, uint32_t gid) {
    if (credentials->fsgid == gid) {
        return true;
    }
    for (uint32_t i = 0; i < credentials->group_count; i++) {
        if (credentials->groups[i] == gid) {
            return true;
        }
    }
    return false;
}
