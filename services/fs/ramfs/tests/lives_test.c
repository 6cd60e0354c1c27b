// SPDX-License-Identifier: MIT OR Apache-2.0
// lives_test.c: calls that die, each at every call of the SDK that it makes: the next life has all
// of it or nothing. And what a life begins with, with every allocation failing once.
#include "tree.h"

static void live_again(void) {
    uint64_t bad;
    life_end();
    CHECK(ramfs_import(NULL, RAMFS_SCHEMA + 1) == HX_ERR_NOT_SUPPORTED);
    CHECK(ramfs_import(NULL, RAMFS_SCHEMA_LEAST - 1) == HX_ERR_NOT_SUPPORTED);
    CHECK(life_begin() == HX_OK);
    CHECK(arena_check(&arena, &bad) == HX_OK);
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
        life_end();
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
        tree_make();
        life_end();
        fail_after = nth;
        enum hx_status status = life_begin();
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

// A tree without attributes is what schema 1 has; one with them is not.
static void test_schema_1(void) {
    uint64_t root;
    arena_init(&arena, &arena_memory);
    void *fs = mount_plain(&root);
    const uint64_t file = make(fs, root, "f", &file_info);
    life_end();
    CHECK(life_begin_with(1) == HX_OK);
    CHECK(xattr_set(fs, file, "user.a", 9) == HX_OK && xattr_size(fs, file, text("user.a")) == 9);
    life_end();
    CHECK(life_begin_with(1) == HX_ERR_CORRUPT);
    life_end();
    CHECK(life_begin() == HX_OK && xattr_size(fs, file, text("user.a")) == 9);
    CHECK(ops->unmount(fs) == HX_OK && arena.objects == 0 && blocks_in_use == 0);
    arena_fini(&arena);
}

// What was set in part is not there in the next life, which says so.
static void test_pieces_die(void) {
    static const uint8_t piece[FS_XATTR_PIECE_MAX];
    uint32_t size_bytes, length;
    char byte;
    begin();
    const uint64_t objects = arena.objects;
    CHECK(ops->setxattr(instance, f_node, text("user.p"), 0, 20000, piece, sizeof(piece)) == HX_OK);
    live_again();
    CHECK(arena.objects == objects);
    CHECK(ops->setxattr(instance, f_node, text("user.p"), sizeof(piece), 20000, piece,
                        20000 - sizeof(piece)) == HX_ERR_NOT_FOUND);
    CHECK(ops->getxattr(instance, f_node, text("user.p"), 0, &size_bytes, &byte, 1, &length) ==
          HX_ERR_NO_DATA);
    CHECK(xattr_set(instance, f_node, "user.p", 20000) == HX_OK);
    end();
}

// Unmounting, which dies, and is done once more.
static void test_unmount_dies(void) {
    struct fs_info info;
    bool has_died = true;
    uint64_t nth = 1;
    for (; has_died; nth++) {
        begin();
        const volatile bool is_dead = setjmp(death) != 0;
        if (!is_dead) {
            die_after = nth;
            CHECK(ops->unmount(instance) == HX_OK);
        }
        has_died = is_dead;
        live_again();
        const bool is_there = hx_arena_at(NULL, (uintptr_t)instance) != NULL;
        CHECK(hx_arena_at(NULL, root_node) != NULL ||
              ops->lookup(instance, root_node, text("d"), &info) == HX_ERR_INVALID);
        CHECK(ops->unmount(instance) == (is_there ? HX_OK : HX_ERR_INVALID));
        CHECK(arena.objects == 0 && blocks_in_use == 0);
        arena_fini(&arena);
    }
    CHECK(nth > 50);
}

int main(void) {
    for (int i = 0; i < 2; i++) { // a life that checks, and one that does not
        is_foreign = i == 0;
        test_import();
        test_import_without_memory();
        test_deaths();
        test_schema_1();
        test_pieces_die();
        test_unmount_dies();
    }
    return 0;
}
