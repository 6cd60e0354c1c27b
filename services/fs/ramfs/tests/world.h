// SPDX-License-Identifier: MIT OR Apache-2.0
// world.h: a world for the module on the host: the SDK, with the n-th allocation refused, or the
// n-th call not coming back; what is left over is seen at the end.
#pragma once

#include "../ramfs.h"

#include <lib/arena.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t blocks_in_use;
static uint64_t fail_after; // 0: never; else the n-th allocation from now fails
static uint64_t die_after;  // 0: never; else the n-th call of the SDK from now does not return
static jmp_buf death;

static void pass(void) {
    if (die_after != 0 && --die_after == 0) {
        longjmp(death, 1);
    }
}

// Memory of one life, all of which is given back when it is over.
#define BLOCKS_MAX 4096u
static void *blocks[BLOCKS_MAX];

static void *give(size_t size_bytes) {
    return fail_after != 0 && --fail_after == 0 ? NULL : calloc(1, size_bytes);
}

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    (void)env;
    pass();
    void *memory = give(size_bytes);
    uint32_t place = 0;
    while (memory != NULL && blocks[place] != NULL) {
        place++;
    }
    if (memory != NULL) {
        blocks[place] = memory;
    }
    blocks_in_use += memory != NULL;
    return memory;
}

void hx_free(struct hx_env *env, void *memory) {
    (void)env;
    uint32_t place = 0;
    while (memory != NULL && blocks[place] != memory) {
        place++;
    }
    if (memory != NULL) {
        blocks[place] = NULL;
        blocks_in_use--;
        free(memory);
    }
}

struct hx_env *ramfs_env;
static struct arena arena;

static void *arena_give(void *context, size_t size_bytes) {
    (void)context;
    return give(size_bytes);
}

static void arena_take(void *context, void *memory) {
    (void)context;
    free(memory);
}

static void arena_lock(void *context) {
    (void)context;
}

static const struct arena_memory arena_memory = { arena_give, arena_take, arena_lock, arena_lock,
                                                  NULL };

static uint32_t updates_max; // 0: as many as there is memory for
static uint32_t updates;     // of those that were counted

struct hx_update *hx_update_create(struct hx_env *env) {
    (void)env;
    pass();
    if (updates_max != 0 && updates == updates_max) {
        return NULL;
    }
    updates += updates_max != 0;
    return arena_update_create(&arena);
}

void hx_update_destroy(struct hx_update *update) {
    updates -= updates_max != 0;
    arena_update_destroy(update);
}

void *hx_arena_new(struct hx_update *update, uint32_t type, size_t size_bytes) {
    pass();
    return arena_new(update, type, size_bytes);
}

void *hx_arena_change(struct hx_update *update, const void *object) {
    pass();
    return arena_change(update, object);
}

bool hx_arena_free(struct hx_update *update, const void *object) {
    pass();
    return arena_free(update, object);
}

void hx_arena_commit(struct hx_update *update) {
    pass();
    arena_commit(update);
    pass();
}

void hx_arena_abort(struct hx_update *update) {
    arena_roll_back(update);
}

void *hx_arena_at(struct hx_env *env, uint64_t number) {
    (void)env;
    return arena_at(&arena, number);
}

uint32_t hx_arena_walk(struct hx_env *env, uint32_t *inout_index, void **out_objects,
                       uint32_t capacity) {
    (void)env;
    return arena_walk(&arena, inout_index, out_objects, capacity);
}

static bool is_foreign = true;

bool hx_arena_is_foreign(struct hx_env *env) {
    (void)env;
    return is_foreign;
}

static int depth; // of the one lock

void hx_mutex_init(struct hx_mutex *mutex, const char *name) {
    (void)mutex;
    (void)name;
}

HX_ATTR(no_thread_safety_analysis) void hx_mutex_lock(struct hx_mutex *mutex) {
    (void)mutex;
    pass();
    depth++;
}

HX_ATTR(no_thread_safety_analysis) void hx_mutex_unlock(struct hx_mutex *mutex) {
    (void)mutex;
    pass();
    depth--;
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define MEMORY_BYTES (1000u * 4096u)

static struct ramfs_type plain = { .name = "ramfs", .root_mode = 0755, .magic = 1 };
static const struct fs_ops *ops = &ramfs_ops;
static void *plain_self = &plain;
static const struct fs_info file_info = { .mode = FS_MODE_REGULAR | 0644 };
static const struct fs_info directory_info = { .mode = FS_MODE_DIRECTORY | 0755 };

static struct fs_name text(const char *name) {
    return (struct fs_name){ name, (uint32_t)strlen(name) };
}

static void *mount_plain(uint64_t *out_root) {
    struct fs_info root;
    void *fs;
    CHECK(ops->mount(plain_self, "", MEMORY_BYTES, &fs, &root) == HX_OK);
    CHECK(root.mode == (FS_MODE_DIRECTORY | 0755) && root.links == 2);
    *out_root = root.node;
    return fs;
}

// A value of so many bytes, whose pieces are all set.
static enum hx_status xattr_set(void *fs, uint64_t node, const char *name, uint32_t size_bytes) {
    static uint8_t value[FS_XATTR_BYTES_MAX];
    uint32_t offset = 0;
    enum hx_status status;
    for (uint32_t i = 0; i < size_bytes; i++) {
        value[i] = (uint8_t)(i * 7 + i / 251 + size_bytes);
    }
    do {
        const uint32_t length = MIN_OF(size_bytes - offset, FS_XATTR_PIECE_MAX);
        status = ops->setxattr(fs, node, text(name), offset, size_bytes, value + offset, length);
        offset += length;
    } while (status == HX_OK && offset < size_bytes);
    return status;
}

// How long the value is, which is one of those that xattr_set() sets.
static uint32_t xattr_size(void *fs, uint64_t node, struct fs_name name) {
    static uint8_t piece[FS_XATTR_PIECE_MAX];
    uint32_t size_bytes, length;
    uint32_t offset = 0;
    do {
        CHECK(ops->getxattr(fs, node, name, offset, &size_bytes, piece, sizeof(piece), &length) ==
              HX_OK);
        CHECK(length == MIN_OF(size_bytes - offset, FS_XATTR_PIECE_MAX));
        for (uint32_t i = 0; i < length; i++) {
            const uint32_t at = offset + i;
            CHECK(piece[i] == (uint8_t)(at * 7 + at / 251 + size_bytes));
        }
        offset += length;
    } while (offset < size_bytes);
    return size_bytes;
}

static uint64_t make(void *fs, uint64_t in, const char *name, const struct fs_info *info) {
    struct fs_info made;
    CHECK(ops->create(fs, in, text(name), info, &made) == HX_OK);
    return made.node;
}
