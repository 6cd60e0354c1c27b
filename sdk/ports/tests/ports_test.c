// SPDX-License-Identifier: MIT OR Apache-2.0
// ports_test.c: what portgen makes for binding: a bound table has no holes, refuses what the rights
// do not allow, and answers for what is absent.
#include <check.h>
#include <helix/ports/char_port.h>
#include <helix/ports/char_wire.h>
#include <helix/ports/console_port.h>
#include <helix/ports/fs_port.h>
#include <helix/ports/sched_port.h>
#include <lib/port.h>

#include <string.h>

#define ALL (~(rights_t)0)

static int here; // the instance of every call

static enum hx_status describe(void *self, uint32_t *out_kind) {
    *out_kind = FS_GENERATED;
    return self == &here ? HX_OK : HX_ERR_INVALID;
}

static enum hx_status mount(void *self, const char *options, uint64_t memory_bytes, void **out_fs,
                            struct fs_info *out_root) {
    (void)memory_bytes;
    (void)options;
    *out_fs = self;
    *out_root = (struct fs_info){ .node = 1 };
    return HX_OK;
}

static enum hx_status lookup(void *fs, uint64_t directory, struct fs_name name,
                             struct fs_info *out_info) {
    (void)fs;
    (void)name;
    *out_info = (struct fs_info){ .node = directory };
    return HX_OK;
}

static enum hx_status readdir(void *fs, uint64_t directory, uint64_t cookie,
                              struct fs_entry *entries, uint32_t capacity, uint32_t *out_count) {
    (void)fs;
    (void)directory;
    (void)cookie;
    (void)entries;
    (void)capacity;
    *out_count = 7;
    return HX_OK;
}

static enum hx_status readlink(void *fs, uint64_t node, void *buffer, uint32_t capacity,
                               uint32_t *out_length) {
    (void)fs;
    (void)node;
    (void)buffer;
    *out_length = capacity;
    return HX_OK;
}

static enum hx_status unlink(void *fs, uint64_t directory, struct fs_name name, bool is_directory) {
    (void)fs;
    (void)directory;
    (void)name;
    (void)is_directory;
    return HX_OK;
}

static const struct fs_ops least = {
    .describe = describe,
    .mount = mount,
    .lookup = lookup,
    .readdir = readdir,
};

// No table has a hole, with whatever rights.
static void test_holes(void) {
    for (rights_t rights = 0; rights < 4; rights++) {
        struct fs_ops bound;
        memset(&bound, 0, sizeof(bound));
        CHECK(fs_bind(&bound, &least, rights) == HX_OK);
        void (*methods[sizeof(bound) / sizeof(void (*)(void))])(void);
        memcpy(methods, &bound, sizeof(bound));
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
            CHECK(methods[i] != NULL);
        }
    }
}

static void test_missing(void) {
    struct fs_ops bound;
    struct fs_ops without = least;
    without.readdir = NULL;
    CHECK(fs_bind(&bound, &without, ALL) == HX_ERR_BAD_IMAGE);
    without = least;
    without.describe = NULL;
    CHECK(fs_bind(&bound, &without, ALL) == HX_ERR_BAD_IMAGE);
    const struct sched_ops no_policy = { 0 };
    struct sched_ops policy;
    CHECK(sched_bind(&policy, &no_policy, ALL) == HX_ERR_BAD_IMAGE);
    const struct console_ops no_console = { 0 };
    struct console_ops console;
    CHECK(console_bind(&console, &no_console, ALL) == HX_ERR_BAD_IMAGE);
}

static void test_absent(void) {
    struct fs_ops bound;
    struct fs_info info = { .node = 5 };
    struct fs_usage usage = { .blocks = 5 };
    const struct fs_name name = { "a", 1 };
    uint32_t length = 5;
    char buffer[8];
    CHECK(fs_bind(&bound, &least, ALL) == HX_OK);
    CHECK(bound.create(&here, 1, name, &info, &info) == HX_ERR_NOT_PERMITTED && info.node == 5);
    CHECK(bound.readlink(&here, 1, buffer, 8, &length) == HX_ERR_NOT_LINK);
    CHECK(bound.follow(&here, 1, buffer, 8, &length) == HX_ERR_NOT_LINK && length == 5);
    CHECK(bound.setinfo(&here, 1, &info, FS_SET_MODE) == HX_OK);
    CHECK(bound.usage(&here, &usage) == HX_OK && usage.blocks == 0);
    struct fs_ops links = least;
    links.readlink = readlink;
    CHECK(fs_bind(&bound, &links, ALL) == HX_OK && bound.follow == readlink);
}

static void test_rights(void) {
    struct fs_ops full = least;
    struct fs_ops bound;
    struct fs_info info = { 0 };
    uint32_t kind = 0;
    uint32_t count = 0;
    const struct fs_name name = { "a", 1 };
    full.unlink = unlink;
    full.readlink = readlink;
    CHECK(fs_bind(&bound, &full, HX_RIGHT_READ) == HX_OK);
    CHECK(bound.unlink(&here, 1, name, false) == HX_ERR_ACCESS_DENIED);
    CHECK(bound.create(&here, 1, name, &info, &info) == HX_ERR_ACCESS_DENIED); // absent or not
    CHECK(bound.lookup(&here, 9, name, &info) == HX_OK && info.node == 9);
    CHECK(fs_bind(&bound, &full, HX_RIGHT_WRITE) == HX_OK);
    CHECK(bound.unlink == unlink);
    CHECK(bound.lookup(&here, 9, name, &info) == HX_ERR_ACCESS_DENIED);
    CHECK(bound.follow(&here, 9, NULL, 0, &count) == HX_ERR_ACCESS_DENIED);
    CHECK(bound.readdir(&here, 9, 0, NULL, 0, &count) == HX_ERR_ACCESS_DENIED && count == 0);
    CHECK(bound.describe(&here, &kind) == HX_OK && kind == FS_GENERATED); // needs none
}

static void test_numbers(void) {
    CHECK(FS_METHOD_DESCRIBE == 0 && FS_METHOD_COUNT == sizeof(struct fs_ops) / sizeof(void *));
    CHECK(strcmp(fs_method_names[FS_METHOD_WRITE_TEXT], "fs.write_text") == 0);
    CHECK(strcmp(char_method_names[CHAR_METHOD_READ], "char.read") == 0);
    CHECK(char_method_idempotent[CHAR_METHOD_DESCRIBE] &&
          !char_method_idempotent[CHAR_METHOD_READ]);
    const struct hx_port_provided provided = CHAR_PORT_VERSION;
    const struct hx_port_provided all[] = { CHAR_PORT_PROVIDED };
    const struct hx_port_required required = CHAR_PORT_REQUIRED;
    CHECK(strcmp(provided.port, "helix.char") == 0 && provided.abi == CHAR_PORT_ABI);
    CHECK(required.below.major == 2 && required.abi == provided.abi);
    CHECK(ARRAY_SIZE(all) == char_versions.count && char_versions.count == 2);
    for (uint32_t i = 0; i < ARRAY_SIZE(all); i++) {
        CHECK(port_common(&char_versions, &all[i], 1) == &char_versions.minors[i]);
    }
    CHECK(char_versions.minors[0].ops_bytes == sizeof(struct char_ops));
    CHECK(char_versions.minors[1].ops_bytes == offsetof(struct char_ops, sync));
    CHECK(char_wire.versions == &char_versions);
}

int main(void) {
    test_holes();
    test_missing();
    test_absent();
    test_rights();
    test_numbers();
    return check_result();
}
