// SPDX-License-Identifier: MIT OR Apache-2.0
// tree.h: an instance with a bit of everything in it, what can be done to it, and how it looks from
// outside; and lives of the module that follow each other.
#pragma once

#include "world.h"

#define TEXT_BYTES 4096u

// The attributes of a node, in no order.
static void describe_xattrs(void *fs, uint64_t node, char *to) {
    char names[256];
    uint32_t length;
    uint64_t sum = 0;
    CHECK(ops->listxattr(fs, node, names, sizeof(names), &length) == HX_OK);
    for (uint32_t at = 0; at < length; at += (uint32_t)strlen(names + at) + 1) {
        const struct fs_name name = text(names + at);
        sum += ramfs_hash(xattr_size(fs, node, name), name);
    }
    (void)sprintf(to, " <%u %lx>", length, sum);
}

// What a directory looks like from outside, numbers apart.
static void describe(void *fs, uint64_t node, char *to) {
    struct fs_entry entries[5];
    struct fs_info info;
    uint64_t cookie = 0;
    uint32_t count;
    CHECK(ops->getinfo(fs, node, &info) == HX_OK && info.node == node);
    to += strlen(to);
    to += sprintf(to, "(%o %u %u %lu", info.mode, info.links, info.uid, info.size_bytes);
    describe_xattrs(fs, node, to);
    to += strlen(to);
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

// A life ends, wherever it is.
static void life_end(void) {
    depth = 0;
    die_after = 0;
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    blocks_in_use = 0;
}

// The next one begins with what is in the arena, which has that schema.
static enum hx_status life_begin_with(uint32_t schema) {
    uint64_t bad;
    arena_settle(&arena);
    CHECK(arena_recover(&arena, &bad) == HX_OK);
    return ramfs_import(NULL, schema);
}

static enum hx_status life_begin(void) {
    return life_begin_with(RAMFS_SCHEMA);
}

static const struct fs_info link_info = { .mode = FS_MODE_LINK | 0777 };

static void xattrs_make(void) {
    CHECK(xattr_set(instance, f_node, "user.one", 3) == HX_OK);
    CHECK(xattr_set(instance, f_node, "user.large", 33000) == HX_OK);
    CHECK(xattr_set(instance, f_node, "user.none", 0) == HX_OK);
    CHECK(xattr_set(instance, root_node, "trusted.root", 20) == HX_OK);
    CHECK(xattr_set(instance, d_node, "user.d", 1) == HX_OK);
    CHECK(xattr_set(instance, gone_node, "user.gone", 5) == HX_OK);
}

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
    xattrs_make();
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

static enum hx_status do_setxattr(void) {
    return xattr_set(instance, d_node, "user.new", 50);
}

static enum hx_status do_replace_xattr(void) {
    return xattr_set(instance, f_node, "user.large", 60000);
}

static enum hx_status do_shorten_xattr(void) {
    return xattr_set(instance, f_node, "user.large", 2);
}

static enum hx_status do_removexattr(void) {
    return ops->removexattr(instance, f_node, text("user.large"));
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
    do_create,        do_mkdir,         do_symlink,     do_link,    do_unlink, do_rmdir,
    do_rename,        do_rename_over,   do_exchange,    do_setinfo, do_forget, do_setxattr,
    do_replace_xattr, do_shorten_xattr, do_removexattr, do_mount,
};

static void begin(void) {
    arena_init(&arena, &arena_memory);
    tree_make();
}

static void end(void) {
    CHECK(ops->unmount(instance) == HX_OK && blocks_in_use == 0);
    arena_fini(&arena);
}
