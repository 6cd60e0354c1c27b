// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton_test.c: the module on this machine, called as the kernel would call it.
#include <helix/ports/fs_port.h>
#include <host/host.h>

#include <check.h>
#include <string.h>

static struct fs_ops ops;
static void *self;
static void *fs;
static struct fs_info root;

static void begin(void) {
    host_begin();
    host.time = 7000000000;
    CHECK(host_load() == HX_OK);
    CHECK(HOST_BIND(fs, "skeleton", &ops) == HX_OK);
    self = host_instance("helix.fs", "skeleton");
    CHECK(ops.mount(self, "", 1 << 20, &fs, &root) == HX_OK);
    CHECK((root.mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY);
}

static void end(void) {
    CHECK(ops.unmount(fs) == HX_OK && host_locks_held() == 0);
    CHECK(host_unload() == HX_OK && host.blocks == 0);
}

static struct fs_name name_of(const char *text) {
    return (struct fs_name){ text, (uint32_t)strlen(text) };
}

static void test_mount(void) {
    void *other;
    begin();
    CHECK(ops.mount(self, "size=1m", 1 << 20, &other, &root) == HX_ERR_INVALID);
    host_fail_nth(1);
    CHECK(ops.mount(self, "", 1 << 20, &other, &root) == HX_ERR_NO_MEMORY);
    CHECK(ops.mount(self, "", 1 << 20, &other, &root) == HX_OK && other != fs);
    CHECK(ops.unmount(other) == HX_OK);
    end();
}

static void test_names(void) {
    struct fs_info info, same;
    struct fs_usage usage;
    begin();
    CHECK(ops.lookup(fs, root.node, name_of("hello"), &info) == HX_OK && info.links == 1);
    CHECK(ops.getinfo(fs, info.node, &same) == HX_OK && same.mode == info.mode);
    CHECK(ops.lookup(fs, root.node, name_of("hell"), &info) == HX_ERR_NOT_FOUND);
    CHECK(ops.lookup(fs, root.node, name_of("jello"), &info) == HX_ERR_NOT_FOUND);
    CHECK(ops.lookup(fs, same.node, name_of("hello"), &info) == HX_ERR_INVALID); // a file
    CHECK(ops.getinfo(fs, 0, &info) == HX_ERR_NOT_FOUND);
    CHECK(ops.usage(fs, &usage) == HX_OK && usage.nodes == 2);
    // What it does not have, the port refuses.
    CHECK(ops.create(fs, root.node, name_of("x"), &same, &info) == HX_ERR_NOT_PERMITTED);
    CHECK(ops.unlink(fs, root.node, name_of("hello"), false) == HX_ERR_NOT_PERMITTED);
    end();
}

static void test_listing(void) {
    struct fs_entry entries[2];
    uint32_t count = 9;
    begin();
    CHECK(ops.readdir(fs, root.node, 0, entries, 0, &count) == HX_OK && count == 0);
    CHECK(ops.readdir(fs, root.node, 0, entries, 2, &count) == HX_OK && count == 1);
    CHECK(entries[0].name_length == 5 && strcmp(entries[0].name, "hello") == 0);
    CHECK(ops.readdir(fs, root.node, entries[0].cookie, entries, 2, &count) == HX_OK && count == 0);
    CHECK(ops.readdir(fs, entries[0].node, 0, entries, 2, &count) == HX_ERR_INVALID);
    end();
}

static void test_text(void) {
    struct fs_info info;
    char text[128];
    uint32_t length = 0, rest = 0;
    begin();
    CHECK(ops.lookup(fs, root.node, name_of("hello"), &info) == HX_OK);
    CHECK(ops.read_text(fs, info.node, 0, text, sizeof(text), &length) == HX_OK);
    text[length] = '\0';
    CHECK(strcmp(text, "hello from skeleton, mounted at second 7\n") == 0);
    CHECK(ops.read_text(fs, info.node, 6, text, 4, &rest) == HX_OK && rest == 4);
    CHECK(memcmp(text, "from", 4) == 0);
    CHECK(ops.read_text(fs, info.node, length, text, 4, &rest) == HX_OK && rest == 0);
    CHECK(ops.read_text(fs, info.node, UINT64_MAX, text, 4, &rest) == HX_OK && rest == 0);
    CHECK(ops.read_text(fs, root.node, 0, text, 4, &rest) == HX_ERR_INVALID);
    end();
}

int main(void) {
    test_mount();
    test_names();
    test_listing();
    test_text();
    CHECK(host_load_failing(NULL, NULL, false) >= 1); // the port
    return check_result();
}
