// SPDX-License-Identifier: MIT OR Apache-2.0
// ramfs_test.c: the module against its port, on the host: the calls' results, cookies while names
// come and go, every allocation failing once, and nothing left at the end (the sanitizers watch).
// All of it twice: by direct calls, and through the messages of the isolated form.
#include "wire_model.h"
#include "world.h"

#include <helix/ports/fs_wire.h>

static struct ramfs_type strict = {
    .name = "tmpfs", .limits_contents = true, .limits_names = true, .refuses_options = true
};
static void *strict_self = &strict;

static uint64_t links_of(void *fs, uint64_t node) {
    struct fs_info info;
    CHECK(ops->getinfo(fs, node, &info) == HX_OK);
    return info.links;
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

static void test_xattrs(void) {
    static const uint32_t sizes[] = { 0, 1, 15871, 15872, 15873, 31744, 65535, 65536, 3 };
    char names[64];
    uint32_t size_bytes, length;
    uint64_t root;
    void *fs = mount_plain(&root);
    const uint64_t file = make(fs, root, "file", &file_info);
    const uint64_t objects = arena.objects;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        CHECK(xattr_set(fs, file, "user.a", sizes[i]) == HX_OK);
        CHECK(xattr_set(fs, root, "user.a", sizes[i] / 2) == HX_OK);
        CHECK(xattr_size(fs, file, text("user.a")) == sizes[i]);
        CHECK(xattr_size(fs, root, text("user.a")) == sizes[i] / 2);
    }
    CHECK(arena.objects == objects + 2);
    CHECK(ops->getxattr(fs, file, text("user.a"), 1, &size_bytes, names, 64, &length) == HX_OK);
    CHECK(size_bytes == 3 && length == 2);
    CHECK(ops->getxattr(fs, file, text("user.a"), 9, &size_bytes, names, 64, &length) == HX_OK);
    CHECK(size_bytes == 3 && length == 0);
    CHECK(ops->getxattr(fs, file, text("user."), 0, &size_bytes, names, 64, &length) ==
          HX_ERR_NO_DATA);
    CHECK(xattr_set(fs, file, "user.bb", 7) == HX_OK);
    CHECK(ops->listxattr(fs, file, names, 64, &length) == HX_OK && length == 15);
    CHECK(ops->listxattr(fs, file, names, 14, &length) == HX_OK && length < 15); // what fits
    CHECK(ops->removexattr(fs, file, text("user.a")) == HX_OK);
    CHECK(ops->removexattr(fs, file, text("user.a")) == HX_OK);
    CHECK(ops->listxattr(fs, file, names, 64, &length) == HX_OK && length == 8);
    CHECK(memcmp(names, "user.bb", 8) == 0);
    CHECK(ops->unlink(fs, root, text("file"), false) == HX_OK && ops->forget(fs, file) == HX_OK);
    CHECK(ops->listxattr(fs, file, names, 64, &length) == HX_ERR_INVALID);
    CHECK(xattr_set(fs, file, "user.a", 1) == HX_ERR_INVALID);
    CHECK(ops->removexattr(fs, file, text("user.a")) == HX_ERR_INVALID);
    CHECK(arena.objects == objects - 1);
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
}

// Pieces that are none, or not of what was begun.
static void test_pieces(void) {
    static const char piece[FS_XATTR_PIECE_MAX];
    static const struct {
        uint32_t offset, size_bytes, length;
        enum hx_status expected;
    } tried[] = {
        { 0, 5, 4, HX_ERR_INVALID },
        { 0, 5, 6, HX_ERR_INVALID },
        { 5, 5, 1, HX_ERR_INVALID },
        { 0, 11777, 11777 - 1, HX_OK },
        { 11776, 11778, 2, HX_ERR_NOT_FOUND },
        { 11776, 11777, 1, HX_ERR_NOT_FOUND },
        { 0, 65537, 11776, HX_ERR_INVALID },
        { 0, 40000, 11776, HX_OK },
        { 23552, 40000, 11776, HX_ERR_NOT_FOUND },
    };
    uint32_t size_bytes, length;
    char byte;
    uint64_t root;
    void *fs = mount_plain(&root);
    const uint64_t objects = arena.objects;
    for (size_t i = 0; i < ARRAY_SIZE(tried); i++) {
        CHECK(ops->setxattr(fs, root, text("user.a"), tried[i].offset, tried[i].size_bytes, piece,
                            tried[i].length) == tried[i].expected);
    }
    CHECK(ops->setxattr(fs, root, text("user.a"), 0, 20000, piece, 11776) == HX_OK);
    CHECK(ops->setxattr(fs, root, text("user.b"), 11776, 20000, piece, 8224) == HX_ERR_NOT_FOUND);
    CHECK(ops->getxattr(fs, root, text("user.a"), 0, &size_bytes, &byte, 1, &length) ==
          HX_ERR_NO_DATA);
    CHECK(arena.objects == objects);
    CHECK(ops->setxattr(fs, root, text("user.a"), 0, 20000, piece, 11776) == HX_OK);
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
}

// Three pages of a request with a name, and five of a reply: a call in ring 3 takes eight.
_Static_assert(FS_XATTR_PIECE_MAX + FS_XATTR_NAME_MAX < 3 * 4096 - 64 &&
                   FS_XATTR_LIST_MAX < 5 * 4096 - 64,
               "the next power of two is sixteen");

// A value that goes needs no memory: its objects' records have room in any update.
_Static_assert((1 + RAMFS_PIECES) * sizeof(struct arena_record) <= ARENA_ROOM_BYTES,
               "attribute_free() may be ignored");

static void begin_value(void *fs, uint64_t node) {
    static const char piece[FS_XATTR_PIECE_MAX];
    const uint64_t objects = arena.objects;
    CHECK(ops->setxattr(fs, node, text("user.a"), 0, 20000, piece, sizeof(piece)) == HX_OK);
    CHECK(arena.objects == objects + 1);
}

// What was begun is let go: when the core says so, and with the node.
static void test_abandoned(void) {
    uint64_t root;
    void *fs = mount_plain(&root);
    const uint64_t file = make(fs, root, "file", &file_info);
    const uint64_t objects = arena.objects;
    begin_value(fs, file);
    CHECK(ops->setxattr(fs, file, text("user.a"), 20000, 20000, "", 0) == HX_OK);
    CHECK(arena.objects == objects);
    begin_value(fs, file);
    CHECK(ops->removexattr(fs, root, text("user.a")) == HX_OK && arena.objects == objects + 1);
    CHECK(ops->removexattr(fs, file, text("user.a")) == HX_OK && arena.objects == objects);
    begin_value(fs, file);
    CHECK(ops->unlink(fs, root, text("file"), false) == HX_OK && ops->forget(fs, file) == HX_OK);
    CHECK(arena.objects == objects - 2);
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
}

// However many instances there are in ring 3, values can be set.
static void test_few_updates(void) {
    static void *fs[HX_UPDATES_ISOLATED];
    struct fs_info info;
    uint32_t count = 0;
    uint64_t root = 0;
    updates_max = HX_UPDATES_ISOLATED;
    while (ops->mount(plain_self, "", MEMORY_BYTES, &fs[count], &info) == HX_OK) {
        count++;
        root = info.node;
    }
    CHECK(count == HX_UPDATES_ISOLATED - RAMFS_SETTINGS);
    CHECK(xattr_set(fs[count - 1], root, "user.a", 60000) == HX_OK);
    while (count != 0) {
        CHECK(ops->unmount(fs[--count]) == HX_OK);
    }
    updates_max = 0;
    CHECK(blocks_in_use == 0 && arena.objects == 0 && updates == 0);
}

// As many as one list can have; the table grows meanwhile.
static void test_many_xattrs(void) {
    static char names[FS_XATTR_LIST_MAX];
    char name[FS_XATTR_NAME_MAX + 1];
    uint32_t count = 0;
    uint32_t length;
    uint64_t root;
    void *fs = mount_plain(&root);
    enum hx_status status = HX_OK;
    while (status == HX_OK) {
        (void)snprintf(name, sizeof(name), "user.%0250u", count++);
        status = xattr_set(fs, root, name, count % 5);
    }
    CHECK(status == HX_ERR_NO_SPACE && count == FS_XATTR_LIST_MAX / 256 + 1);
    CHECK(ops->listxattr(fs, root, names, sizeof(names), &length) == HX_OK);
    CHECK(length == sizeof(names));
    (void)snprintf(name, sizeof(name), "user.%0250u", 40u);
    CHECK(xattr_set(fs, root, name, 40000) == HX_OK); // it is there already
    for (uint32_t i = 0; i + 1 < count; i++) {
        (void)snprintf(name, sizeof(name), "user.%0250u", i);
        CHECK(xattr_size(fs, root, text(name)) == (i == 40 ? 40000 : (i + 1) % 5));
    }
    CHECK(ops->unmount(fs) == HX_OK && blocks_in_use == 0 && arena.objects == 0);
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
        status = xattr_set(fs, made.node, "user.a", 100);
    }
    if (status == HX_OK) {
        status = xattr_set(fs, made.node, "user.a", 40000);
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
    test_xattrs();
    test_pieces();
    test_abandoned();
    test_many_xattrs();
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

int main(void) {
    arena_init(&arena, &arena_memory);
    test_all();
    test_few_updates();
    test_isolated();
    arena_fini(&arena);
    return 0;
}
