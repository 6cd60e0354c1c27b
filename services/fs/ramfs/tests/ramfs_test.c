// SPDX-License-Identifier: MIT OR Apache-2.0
// ramfs_test.c: the module against its port, on the host: the calls' results, cookies while names
// come and go, every allocation failing once, and nothing left at the end (the sanitizers watch).
// All of it twice: by direct calls, and through the messages of the isolated form. Then by calls
// that die, each at every call of the SDK that it makes: the next life has all of it or nothing.
#include "../ramfs.h"
#include "wire_model.h"

#include <helix/ports/fs_wire.h>
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

struct hx_update *hx_update_create(struct hx_env *env) {
    (void)env;
    pass();
    return arena_update_create(&arena);
}

void hx_update_destroy(struct hx_update *update) {
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
static struct ramfs_type strict = {
    .name = "tmpfs", .limits_contents = true, .limits_names = true, .refuses_options = true
};
static const struct fs_ops *ops = &ramfs_ops;
static void *plain_self = &plain;
static void *strict_self = &strict;
static const struct fs_info file_info = { .mode = FS_MODE_REGULAR | 0644 };
static const struct fs_info directory_info = { .mode = FS_MODE_DIRECTORY | 0755 };

static struct fs_name text(const char *name) {
    return (struct fs_name){ name, (uint32_t)strlen(name) };
}

static uint64_t links_of(void *fs, uint64_t node) {
    struct fs_info info;
    CHECK(ops->getinfo(fs, node, &info) == HX_OK);
    return info.links;
}

static void *mount_plain(uint64_t *out_root) {
    struct fs_info root;
    void *fs;
    CHECK(ops->mount(plain_self, "", MEMORY_BYTES, &fs, &root) == HX_OK);
    CHECK(root.mode == (FS_MODE_DIRECTORY | 0755) && root.links == 2);
    *out_root = root.node;
    return fs;
}

static uint64_t make(void *fs, uint64_t in, const char *name, const struct fs_info *info) {
    struct fs_info made;
    CHECK(ops->create(fs, in, text(name), info, &made) == HX_OK);
    return made.node;
}

static void test_names(void) {
    uint64_t root;
    struct fs_info info;
    void *fs = mount_plain(&root);
    uint64_t file = make(fs, root, "file", &file_info);
    uint64_t d = make(fs, root, "d", &directory_info);
    CHECK(links_of(fs, root) == 3 && links_of(fs, d) == 2 && links_of(fs, file) == 1);
    CHECK(ops->create(fs, root, text("file"), &file_info, &info) == HX_ERR_EXISTS);
    CHECK(ops->create(fs, file, text("x"), &file_info, &info) == HX_ERR_INVALID);
    CHECK(ops->lookup(fs, root, text("d"), &info) == HX_OK && info.node == d);
    CHECK(ops->lookup(fs, root, text("dd"), &info) == HX_ERR_NOT_FOUND);
    CHECK(ops->link(fs, file, d, text("hard")) == HX_OK && links_of(fs, file) == 2);
    CHECK(ops->link(fs, d, root, text("hard")) == HX_ERR_INVALID);
    CHECK(ops->unlink(fs, root, text("d"), false) == HX_ERR_IS_DIRECTORY);
    CHECK(ops->unlink(fs, root, text("file"), true) == HX_ERR_NOT_DIRECTORY);
    CHECK(ops->unlink(fs, root, text("d"), true) == HX_ERR_NOT_EMPTY);
    CHECK(ops->unlink(fs, d, text("hard"), false) == HX_OK);
    CHECK(ops->unlink(fs, root, text("d"), true) == HX_OK);
    CHECK(ops->create(fs, d, text("x"), &file_info, &info) == HX_ERR_NOT_FOUND);
    CHECK(links_of(fs, d) == 0 && ops->forget(fs, d) == HX_OK);
    CHECK(ops->getinfo(fs, d, &info) == HX_ERR_INVALID);
    CHECK(ops->forget(fs, file) == HX_OK && links_of(fs, file) == 1); // it still has a name
    CHECK(ops->create(fs, root, text(""), &file_info, &info) == HX_OK && info.links == 0);
    CHECK(ops->link(fs, info.node, root, text("late")) == HX_OK);
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
}

static void test_links(void) {
    uint64_t root;
    struct fs_info info;
    char buffer[16];
    uint32_t length;
    void *fs = mount_plain(&root);
    CHECK(ops->symlink(fs, root, text("l"), text("some/where"), &file_info, &info) == HX_OK);
    CHECK(info.size_bytes == 10);
    CHECK(ops->readlink(fs, info.node, buffer, sizeof(buffer), &length) == HX_OK);
    CHECK(length == 10 && memcmp(buffer, "some/where", 10) == 0);
    CHECK(ops->readlink(fs, info.node, buffer, 4, &length) == HX_OK && length == 4);
    CHECK(ops->readlink(fs, root, buffer, 4, &length) == HX_ERR_NOT_LINK);
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
}

static void test_rename(void) {
    uint64_t root;
    struct fs_info info;
    void *fs = mount_plain(&root);
    uint64_t a = make(fs, root, "a", &directory_info);
    uint64_t b = make(fs, root, "b", &directory_info);
    uint64_t inner = make(fs, a, "inner", &directory_info);
    uint64_t file = make(fs, root, "f", &file_info);
    CHECK(ops->rename(fs, a, text("inner"), b, text("moved"), 0) == HX_OK);
    CHECK(links_of(fs, a) == 2 && links_of(fs, b) == 3);
    CHECK(ops->rename(fs, root, text("a"), root, text("b"), 0) == HX_ERR_NOT_EMPTY);
    CHECK(ops->rename(fs, root, text("f"), root, text("a"), FS_RENAME_NOREPLACE) == HX_ERR_EXISTS);
    CHECK(ops->rename(fs, root, text("x"), root, text("y"), 0) == HX_ERR_NOT_FOUND);
    CHECK(ops->rename(fs, root, text("f"), b, text("moved"), FS_RENAME_EXCHANGE) == HX_OK);
    CHECK(ops->lookup(fs, root, text("f"), &info) == HX_OK && info.node == inner);
    CHECK(ops->lookup(fs, b, text("moved"), &info) == HX_OK && info.node == file);
    CHECK(links_of(fs, b) == 2 && links_of(fs, root) == 5);
    CHECK(ops->rename(fs, root, text("a"), root, text("f"), 0) == HX_OK); // over an empty one
    CHECK(links_of(fs, inner) == 0 && links_of(fs, root) == 4);
    CHECK(ops->rename(fs, b, text("moved"), b, text("moved"), 0) == HX_OK);
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
}

// Reads a large directory in pieces, while each name that was read goes and another comes.
static void test_readdir(void) {
    enum { NAMES = 1000 };
    uint64_t root;
    struct fs_entry entries[7];
    uint64_t cookie = 0;
    uint32_t seen = 0;
    uint32_t count;
    char name[32];
    void *fs = mount_plain(&root);
    for (uint32_t i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%u", i);
        make(fs, root, name, &file_info);
    }
    do {
        CHECK(ops->readdir(fs, root, cookie, entries, 7, &count) == HX_OK);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(entries[i].cookie > cookie && entries[i].mode == FS_MODE_REGULAR);
            cookie = entries[i].cookie;
            if (entries[i].name[0] == 'n') {
                seen++;
                CHECK(ops->unlink(fs, root, text(entries[i].name), false) == HX_OK);
                if (seen % 100 == 0) {
                    (void)snprintf(name, sizeof(name), "late%u", seen);
                    make(fs, root, name, &file_info);
                }
            }
        }
    } while (count != 0);
    CHECK(seen == NAMES);
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
}

static const struct {
    const char *options;
    enum hx_status expected;
    uint32_t mode;
    uint64_t blocks;
    uint64_t nodes;
} option_cases[] = {
    { "", HX_OK, 0, 500, 500 },
    { "size=64k", HX_OK, 0, 16, 500 },
    { "size=1,mode=1777", HX_OK, 01777, 1, 500 },
    { ",size=2G,,uid=5,gid=6", HX_OK, 0, 524288, 500 },
    { "size=20%", HX_OK, 0, 200, 500 },
    { "size=0,nr_inodes=0", HX_OK, 0, 0, 1 },
    { "nr_blocks=3", HX_OK, 0, 3, 500 },
    { "nr_inodes=1k,huge=never", HX_OK, 0, 500, 1024 },
    { "size=", HX_ERR_INVALID, 0, 0, 0 },
    { "size=101%", HX_ERR_INVALID, 0, 0, 0 },
    { "size=k", HX_ERR_INVALID, 0, 0, 0 },
    { "size=99999999999999999999", HX_ERR_INVALID, 0, 0, 0 },
    { "mode=8", HX_ERR_INVALID, 0, 0, 0 },
    { "mode=17777", HX_ERR_INVALID, 0, 0, 0 },
    { "uid=-1", HX_ERR_INVALID, 0, 0, 0 },
    { "what=ever", HX_ERR_INVALID, 0, 0, 0 },
    { "a_key_that_is_much_longer_than_all_known_ones=1", HX_ERR_INVALID, 0, 0, 0 },
};

static void test_options(void) {
    for (size_t i = 0; i < sizeof(option_cases) / sizeof(option_cases[0]); i++) {
        struct fs_info root;
        struct fs_usage usage;
        void *fs;
        enum hx_status status =
            ops->mount(strict_self, option_cases[i].options, MEMORY_BYTES, &fs, &root);
        CHECK(status == option_cases[i].expected);
        if (status == HX_OK) {
            CHECK((root.mode & 07777) == option_cases[i].mode);
            CHECK(ops->usage(fs, &usage) == HX_OK && usage.blocks == option_cases[i].blocks);
            CHECK(usage.nodes == option_cases[i].nodes);
            CHECK(ops->unmount(fs) == HX_OK);
        }
        CHECK(blocks_in_use == 0);
    }
    struct fs_info root;
    void *fs;
    CHECK(ops->mount(plain_self, "what=ever", MEMORY_BYTES, &fs, &root) == HX_OK);
    CHECK(ops->unmount(fs) == HX_OK);
}

// Stops at the first failure; what was done before stays.
static enum hx_status sequence(void *fs, uint64_t root) {
    struct fs_info made;
    enum hx_status status = ops->create(fs, root, text("d"), &directory_info, &made);
    uint64_t d = made.node;
    if (status == HX_OK) {
        status = ops->create(fs, d, text("f"), &file_info, &made);
    }
    if (status == HX_OK) {
        status = ops->link(fs, made.node, root, text("hard"));
    }
    if (status == HX_OK) {
        status = ops->symlink(fs, root, text("l"), text("t"), &file_info, &made);
    }
    if (status == HX_OK) {
        status = ops->rename(fs, d, text("f"), root, text("l"), 0);
    }
    if (status == HX_OK) {
        struct fs_info info;
        CHECK(links_of(fs, root) == 3 && links_of(fs, d) == 2);
        CHECK(ops->lookup(fs, root, text("l"), &info) == HX_OK && info.links == 2);
    }
    return status;
}

static void test_no_memory(void) {
    for (uint64_t nth = 1;; nth++) {
        struct fs_info root;
        void *fs;
        fail_after = nth;
        enum hx_status status = ops->mount(plain_self, "", MEMORY_BYTES, &fs, &root);
        if (status == HX_OK) {
            status = sequence(fs, root.node);
            CHECK(ops->unmount(fs) == HX_OK);
        }
        CHECK(blocks_in_use == 0 && depth == 0 && arena.objects == 0);
        if (fail_after != 0) { // it was not reached any more
            CHECK(status == HX_OK && nth > 10);
            fail_after = 0;
            return;
        }
        CHECK(status == HX_ERR_NO_MEMORY);
    }
}

static void test_all(void) {
    test_names();
    test_links();
    test_rename();
    test_readdir();
    test_options();
    test_no_memory();
    CHECK(depth == 0);
}

// The same through messages, as if the module were on the other side of a wall.
static void test_isolated(void) {
    static struct model plain_model, strict_model;
    struct fs_ops bound;
    CHECK(fs_bind(&bound, &ramfs_ops, ~(rights_t)0) == HX_OK);
    model_init(&plain_model, &fs_wire, &bound, &plain);
    model_init(&strict_model, &fs_wire, &bound, &strict);
    ops = &fs_wire_client;
    plain_self = &plain_model.client.targets[0];
    strict_self = &strict_model.client.targets[0];
    test_all();
    CHECK(plain_model.server.refused == 0 && strict_model.server.refused == 0);
    model_fini(&plain_model);
    model_fini(&strict_model);
}

// Lives
// -----------------------------------------------------------------------------------------------

#define TEXT_BYTES 4096u

// What a directory looks like from outside, numbers apart.
static void describe(void *fs, uint64_t node, char *to) {
    struct fs_entry entries[5];
    struct fs_info info;
    uint64_t cookie = 0;
    uint32_t count;
    CHECK(ops->getinfo(fs, node, &info) == HX_OK && info.node == node);
    to += strlen(to);
    to += sprintf(to, "(%o %u %u %lu", info.mode, info.links, info.uid, info.size_bytes);
    if ((info.mode & FS_MODE_TYPE) != FS_MODE_DIRECTORY) {
        char target[16] = "";
        uint32_t length = 0;
        enum hx_status status = ops->readlink(fs, node, target, sizeof(target) - 1, &length);
        CHECK(status == ((info.mode & FS_MODE_TYPE) == FS_MODE_LINK ? HX_OK : HX_ERR_NOT_LINK));
        (void)sprintf(to, " %s)", target);
        return;
    }
    while (ops->readdir(fs, node, cookie, entries, 5, &count) == HX_OK && count != 0) {
        for (uint32_t i = 0; i < count; i++) {
            CHECK(entries[i].cookie > cookie);
            cookie = entries[i].cookie;
            CHECK(ops->lookup(fs, node, text(entries[i].name), &info) == HX_OK);
            CHECK(info.node == entries[i].node && (info.mode & FS_MODE_TYPE) == entries[i].mode);
            to += strlen(to);
            (void)sprintf(to, " %s", entries[i].name);
            describe(fs, info.node, to);
        }
    }
    to += strlen(to);
    (void)sprintf(to, ")");
}

static void *instance;
static uint64_t root_node, d_node, e_node, f_node, gone_node;

static void describe_all(char *to) {
    struct fs_usage usage;
    *to = '\0';
    describe(instance, root_node, to);
    CHECK(ops->usage(instance, &usage) == HX_OK);
    (void)sprintf(to + strlen(to), " %lu nodes", usage.nodes);
}

// A life ends, wherever it is, and the next one begins with what is in the arena.
static void live_again(void) {
    uint64_t bad;
    depth = 0;
    die_after = 0;
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    blocks_in_use = 0;
    arena_settle(&arena);
    CHECK(arena_recover(&arena, &bad) == HX_OK);
    CHECK(ramfs_import(NULL, RAMFS_SCHEMA + 1) == HX_ERR_NOT_SUPPORTED);
    CHECK(ramfs_import(NULL, RAMFS_SCHEMA) == HX_OK);
    CHECK(arena_check(&arena, &bad) == HX_OK);
}

static const struct fs_info link_info = { .mode = FS_MODE_LINK | 0777 };

static void tree_make(void) {
    struct fs_info info;
    char name[8];
    instance = mount_plain(&root_node);
    d_node = make(instance, root_node, "d", &directory_info);
    e_node = make(instance, root_node, "e", &directory_info);
    f_node = make(instance, d_node, "f", &file_info);
    make(instance, d_node, "inner", &directory_info);
    CHECK(ops->link(instance, f_node, root_node, text("hard")) == HX_OK);
    CHECK(ops->symlink(instance, root_node, text("l"), text("d/f"), &link_info, &info) == HX_OK);
    gone_node = make(instance, e_node, "gone", &file_info);
    CHECK(ops->unlink(instance, e_node, text("gone"), false) == HX_OK);
    for (uint32_t i = 0; i < 70; i++) { // more than one walk takes, and than the table has at first
        (void)snprintf(name, sizeof(name), "%u", i);
        make(instance, d_node, name, &file_info);
    }
    for (uint32_t i = 3; i < 30; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        CHECK(ops->unlink(instance, d_node, text(name), false) == HX_OK);
    }
}

static enum hx_status do_create(void) {
    struct fs_info made;
    return ops->create(instance, d_node, text("new"), &file_info, &made);
}

static enum hx_status do_mkdir(void) {
    struct fs_info made;
    return ops->create(instance, d_node, text("new"), &directory_info, &made);
}

static enum hx_status do_symlink(void) {
    struct fs_info made;
    return ops->symlink(instance, e_node, text("new"), text("x"), &link_info, &made);
}

static enum hx_status do_link(void) {
    return ops->link(instance, f_node, e_node, text("again"));
}

static enum hx_status do_unlink(void) {
    return ops->unlink(instance, root_node, text("hard"), false);
}

static enum hx_status do_rmdir(void) {
    return ops->unlink(instance, root_node, text("e"), true);
}

static enum hx_status do_rename(void) {
    return ops->rename(instance, d_node, text("inner"), e_node, text("outer"), 0);
}

static enum hx_status do_rename_over(void) {
    return ops->rename(instance, d_node, text("inner"), root_node, text("e"), 0);
}

static enum hx_status do_exchange(void) {
    return ops->rename(instance, d_node, text("inner"), root_node, text("hard"),
                       FS_RENAME_EXCHANGE);
}

static enum hx_status do_setinfo(void) {
    const struct fs_info info = { .uid = 7 };
    return ops->setinfo(instance, d_node, &info, FS_SET_OWNER);
}

static enum hx_status do_forget(void) {
    return ops->forget(instance, gone_node);
}

static enum hx_status do_mount(void) {
    uint64_t root;
    struct fs_info info;
    void *fs;
    enum hx_status status = ops->mount(plain_self, "", MEMORY_BYTES, &fs, &info);
    root = info.node;
    if (status == HX_OK) {
        CHECK(root != root_node);
        status = ops->unmount(fs);
    }
    return status;
}

static enum hx_status (*const changes[])(void) = {
    do_create, do_mkdir,       do_symlink,  do_link,    do_unlink, do_rmdir,
    do_rename, do_rename_over, do_exchange, do_setinfo, do_forget, do_mount,
};

static void begin(void) {
    arena_init(&arena, &arena_memory);
    tree_make();
}

static void end(void) {
    CHECK(ops->unmount(instance) == HX_OK && blocks_in_use == 0);
    arena_fini(&arena);
}

// Whether it died. It is done once more if it was not done.
static bool die_at(enum hx_status (*change)(void), uint64_t nth, const char *before,
                   const char *after) {
    static char now[TEXT_BYTES];
    begin();
    const volatile bool is_dead = setjmp(death) != 0;
    if (!is_dead) {
        die_after = nth;
        CHECK(change() == HX_OK);
    }
    const bool has_died = is_dead;
    if (has_died) {
        live_again();
        describe_all(now);
        CHECK(strcmp(now, before) == 0 || strcmp(now, after) == 0);
        if (strcmp(now, after) != 0) {
            CHECK(change() == HX_OK);
            describe_all(now);
            CHECK(strcmp(now, after) == 0);
        }
    }
    die_after = 0;
    if (has_died) { // what a dead mount has made nobody knows of
        arena_fini(&arena);
        for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
            free(blocks[i]);
            blocks[i] = NULL;
        }
        blocks_in_use = 0;
    } else {
        end();
    }
    return has_died;
}

static void test_deaths(void) {
    static char before[TEXT_BYTES], after[TEXT_BYTES];
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        begin();
        describe_all(before);
        CHECK(changes[i]() == HX_OK);
        describe_all(after);
        end();
        uint64_t nth = 1;
        while (die_at(changes[i], nth, before, after)) {
            nth++;
        }
        CHECK(nth > 3);
    }
}

// What was there is there, by name, number and cookie, and goes on: with each allocation of the
// first reading refused once.
static void test_import(void) {
    static char before[TEXT_BYTES], after[TEXT_BYTES];
    struct fs_entry entries[9];
    struct fs_info info;
    uint32_t count;
    begin();
    describe_all(before);
    CHECK(ops->readdir(instance, d_node, 0, entries, 9, &count) == HX_OK && count == 9);
    const uint64_t cookie = entries[8].cookie;
    CHECK(ops->readdir(instance, d_node, cookie, entries, 9, &count) == HX_OK);
    live_again();
    // Names come and go before anything is read.
    CHECK(ops->lookup(instance, d_node, text("69"), &info) == HX_OK);
    CHECK(ops->unlink(instance, d_node, text("69"), false) == HX_OK);
    CHECK(ops->forget(instance, info.node) == HX_OK);
    make(instance, d_node, "69", &file_info);
    CHECK(ops->getinfo(instance, gone_node, &info) == HX_OK && info.links == 0);
    CHECK(ops->unlink(instance, root_node, text("d"), true) == HX_ERR_NOT_EMPTY);
    for (uint64_t nth = 1;; nth++) {
        fail_after = nth;
        enum hx_status status = ops->readdir(instance, d_node, cookie, entries, 9, &count);
        const bool is_reached = fail_after == 0;
        fail_after = 0;
        if (status == HX_OK) {
            CHECK(!is_reached && nth > 2);
            break;
        }
        CHECK(status == HX_ERR_NO_MEMORY);
        CHECK(ops->getinfo(instance, root_node, &info) == HX_OK && info.size_bytes == 6 * 20);
    }
    CHECK(count == 9 && entries[0].cookie > cookie);
    describe_all(after);
    CHECK(strcmp(before, after) == 0);
    CHECK(ops->forget(instance, gone_node) == HX_OK);
    CHECK(ops->getinfo(instance, gone_node, &info) == HX_ERR_INVALID);
    CHECK(ops->unlink(instance, root_node, text("e"), true) == HX_OK);
    CHECK(ops->forget(instance, e_node) == HX_OK);
    end();
}

static void test_import_without_memory(void) {
    for (uint64_t nth = 1;; nth++) {
        begin();
        void *second = instance;
        uint64_t bad;
        tree_make();
        for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
            free(blocks[i]);
            blocks[i] = NULL;
        }
        blocks_in_use = 0;
        arena_settle(&arena);
        CHECK(arena_recover(&arena, &bad) == HX_OK);
        fail_after = nth;
        enum hx_status status = ramfs_import(NULL, RAMFS_SCHEMA);
        const bool is_reached = fail_after == 0;
        fail_after = 0;
        CHECK(status == HX_OK || (is_reached && status == HX_ERR_NO_MEMORY));
        live_again();
        CHECK(ops->forget(instance, gone_node) == HX_OK);
        CHECK(ops->unmount(instance) == HX_OK && ops->unmount(second) == HX_OK);
        CHECK(arena.objects == 0 && blocks_in_use == 0);
        arena_fini(&arena);
        if (!is_reached) {
            CHECK(nth > 5);
            return;
        }
    }
}

int main(void) {
    arena_init(&arena, &arena_memory);
    test_all();
    test_isolated();
    arena_fini(&arena);
    ops = &ramfs_ops;
    plain_self = &plain;
    test_import();
    test_import_without_memory();
    test_deaths();
    return 0;
}
