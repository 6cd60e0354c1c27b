// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_names.c: tests of names: look-ups, links, removals, renames, permissions, mounts. The
// statuses are those of Linux's calls.
#include "mount.h"
#include "selftest.h"

#include <lib/format.h>
#include <lib/string.h>

// A file f, a directory d with a file d/f, an empty directory e, links of all kinds.
static bool make_tree(void) {
    CHECK_STATUS(vfs_test_write("f", "1"), HX_OK);
    CHECK_STATUS(vfs_test_directory("d"), HX_OK);
    CHECK_STATUS(vfs_test_write("d/f", "2"), HX_OK);
    CHECK_STATUS(vfs_test_directory("e"), HX_OK);
    CHECK_STATUS(vfs_symlink(&vfs_test_lookup, "f", "to-f"), HX_OK);
    CHECK_STATUS(vfs_symlink(&vfs_test_lookup, "d/", "to-d"), HX_OK);
    CHECK_STATUS(vfs_symlink(&vfs_test_lookup, "nothing", "to-nothing"), HX_OK);
    CHECK_STATUS(vfs_symlink(&vfs_test_lookup, "loop", "loop"), HX_OK);
    CHECK_STATUS(vfs_symlink(&vfs_test_lookup, "../test/d/../d/f", "to-far"), HX_OK);
    CHECK_STATUS(vfs_symlink(&vfs_test_lookup, "/test/to-d/f", "to-absolute"), HX_OK);
    return true;
}

struct lookup_case {
    const char *path;
    uint32_t flags;
    enum hx_status expected;
};

static const struct lookup_case lookups[] = {
    { "", 0, HX_ERR_NOT_FOUND },
    { "", LOOKUP_EMPTY, HX_OK },
    { ".", 0, HX_OK },
    { "..", 0, HX_OK },
    { "../../..", 0, HX_OK },
    { "/", 0, HX_OK },
    { "///", 0, HX_OK },
    { "f", 0, HX_OK },
    { "./f", 0, HX_OK },
    { "d/../f", 0, HX_OK },
    { "d//f", 0, HX_OK },
    { "d/.", 0, HX_OK },
    { "f/", 0, HX_ERR_NOT_DIRECTORY },
    { "f/x", 0, HX_ERR_NOT_DIRECTORY },
    { "f/..", 0, HX_ERR_NOT_DIRECTORY },
    { "x", 0, HX_ERR_NOT_FOUND },
    { "x/", 0, HX_ERR_NOT_FOUND },
    { "d/x/y", 0, HX_ERR_NOT_FOUND },
    { "to-f", 0, HX_OK },
    { "to-f", LOOKUP_FOLLOW, HX_OK },
    { "to-f/", 0, HX_ERR_NOT_DIRECTORY },
    { "to-f", LOOKUP_DIRECTORY | LOOKUP_FOLLOW, HX_ERR_NOT_DIRECTORY },
    { "to-d/f", 0, HX_OK },
    { "to-d/", 0, HX_OK },
    { "to-d", LOOKUP_DIRECTORY | LOOKUP_FOLLOW, HX_OK },
    { "to-d/f", LOOKUP_NO_LINKS, HX_ERR_TOO_MANY_LINKS },
    { "to-nothing", 0, HX_OK },
    { "to-nothing", LOOKUP_FOLLOW, HX_ERR_NOT_FOUND },
    { "loop", 0, HX_OK },
    { "loop", LOOKUP_FOLLOW, HX_ERR_TOO_MANY_LINKS },
    { "loop/x", 0, HX_ERR_TOO_MANY_LINKS },
    { "to-far", LOOKUP_FOLLOW, HX_OK },
    { "to-absolute", LOOKUP_FOLLOW, HX_OK },
    { "/test/d/f", 0, HX_OK },
    { "/test/../test/f", 0, HX_OK },
};

static bool test_lookups(void) {
    struct lookup lookup = vfs_test_lookup;
    CHECK(make_tree());
    for (uint32_t round = 0; round < 2; round++) { // not cached, then cached
        for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
            struct path path;
            lookup.flags = lookups[i].flags;
            enum hx_status status = path_lookup(&lookup, lookups[i].path, &path);
            if (status == HX_OK) {
                path_put(path);
            }
            if (status != lookups[i].expected) {
                log_error("selftest: look-up of '%s' gave: %s", lookups[i].path,
                          hx_status_name(status));
                return false;
            }
        }
    }
    CHECK(vfs_test_holds("to-far", "2") && vfs_test_holds("to-absolute", "2") &&
          vfs_test_holds("to-f", "1"));
    return true;
}

static bool test_lengths(void) {
    static char name[FS_NAME_MAX + 2];
    memset(name, 'n', FS_NAME_MAX);
    CHECK_STATUS(vfs_test_write(name, "x"), HX_OK);
    name[FS_NAME_MAX] = 'n';
    CHECK_STATUS(vfs_test_write(name, "x"), HX_ERR_NAME_TOO_LONG);
    CHECK_STATUS(vfs_test_exists(name), HX_ERR_NAME_TOO_LONG);
    char link[16];
    CHECK_STATUS(vfs_test_write("l0", "end"), HX_OK);
    for (uint32_t i = 1; i <= PATH_LINKS_MAX + 1; i++) {
        char target[16];
        format_string(link, sizeof(link), "l%u", i);
        format_string(target, sizeof(target), "l%u", i - 1);
        CHECK_STATUS(vfs_symlink(&vfs_test_lookup, target, link), HX_OK);
    }
    struct lookup follow = vfs_test_lookup;
    struct path path;
    follow.flags = LOOKUP_FOLLOW;
    CHECK(vfs_test_holds("l40", "end"));
    CHECK_STATUS(path_lookup(&follow, "l41", &path), HX_ERR_TOO_MANY_LINKS);
    return true;
}

static bool text_is(const char *path, const char *expected) {
    struct path found;
    char text[128];
    size_t length = 0;
    struct path root = fs_context_root(vfs_test_lookup.context);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, path, &found), HX_OK);
    enum hx_status status = path_to_text(found, root, text, sizeof(text), &length);
    path_put(found);
    path_put(root);
    CHECK_STATUS(status, HX_OK);
    return length == strlen(expected) && strcmp(text, expected) == 0;
}

static bool test_texts(void) {
    struct path held;
    char text[64];
    size_t length;
    CHECK(make_tree());
    CHECK(text_is("d/f", "/test/d/f") && text_is("..", "/") && text_is(".", "/test"));
    CHECK_STATUS(vfs_rename(&vfs_test_lookup, "d", &vfs_test_lookup, "e/moved", 0), HX_OK);
    CHECK(text_is("e/moved/f", "/test/e/moved/f"));
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e/moved/f", &held), HX_OK);
    CHECK_STATUS(vfs_unlink(&vfs_test_lookup, "e/moved/f", false), HX_OK);
    struct path root = fs_context_root(vfs_test_lookup.context);
    CHECK_STATUS(path_to_text(held, root, text, sizeof(text), &length), HX_OK);
    CHECK(strcmp(text, "/test/e/moved/f (deleted)") == 0);
    CHECK_STATUS(path_to_text(held, root, text, 8, &length), HX_ERR_NAME_TOO_LONG);
    path_put(root);
    path_put(held);
    return true;
}

struct change_case { // NOLINT(clang-analyzer-optin.performance.Padding): as the table reads
    char kind;       // u: unlink, d: rmdir, m: mkdir, n: mknod, s: symlink, l: link of f
    const char *path;
    enum hx_status expected;
};

static const struct change_case changes[] = {
    { 'm', "d", HX_ERR_EXISTS },
    { 'm', "f", HX_ERR_EXISTS },
    { 'm', "to-nothing", HX_ERR_EXISTS },
    { 'm', "new/", HX_OK },
    { 'm', "new/a/b", HX_ERR_NOT_FOUND },
    { 'm', "f/x", HX_ERR_NOT_DIRECTORY },
    { 'm', ".", HX_ERR_EXISTS },
    { 'm', "..", HX_ERR_EXISTS },
    { 'm', "/", HX_ERR_EXISTS },
    { 'm', "", HX_ERR_NOT_FOUND },
    { 'n', "node/", HX_ERR_NOT_FOUND },
    { 'n', "node", HX_OK },
    { 'n', "node", HX_ERR_EXISTS },
    { 's', "sym/", HX_ERR_NOT_FOUND },
    { 's', "d", HX_ERR_EXISTS },
    { 'l', "hard", HX_OK },
    { 'l', "hard", HX_ERR_EXISTS },
    { 'l', "hard2/", HX_ERR_NOT_FOUND },
    { 'u', "d", HX_ERR_IS_DIRECTORY },
    { 'u', "d/", HX_ERR_IS_DIRECTORY },
    { 'u', "f/", HX_ERR_NOT_DIRECTORY },
    { 'u', "x", HX_ERR_NOT_FOUND },
    { 'u', ".", HX_ERR_IS_DIRECTORY },
    { 'u', "..", HX_ERR_IS_DIRECTORY },
    { 'u', "/", HX_ERR_IS_DIRECTORY },
    { 'd', "d", HX_ERR_NOT_EMPTY },
    { 'd', "f", HX_ERR_NOT_DIRECTORY },
    { 'd', "to-d", HX_ERR_NOT_DIRECTORY },
    { 'd', "e/.", HX_ERR_INVALID },
    { 'd', "e/..", HX_ERR_NOT_EMPTY },
    { 'd', "/", HX_ERR_BUSY },
    { 'd', "/test", HX_ERR_BUSY },
    { 'd', "x", HX_ERR_NOT_FOUND },
    { 'd', "e/", HX_OK },
    { 'd', "e", HX_ERR_NOT_FOUND },
    { 'u', "to-d", HX_OK },
    { 'u', "hard", HX_OK },
    { 'u', "f", HX_OK },
    { 'u', "f", HX_ERR_NOT_FOUND },
};

static enum hx_status run_change(const struct change_case *change) {
    struct path from;
    enum hx_status status;
    switch (change->kind) {
    case 'm':
        return vfs_test_directory(change->path);
    case 'n':
        return vfs_create(&vfs_test_lookup, change->path, FS_MODE_FIFO | 0600, 0, NULL);
    case 's':
        return vfs_symlink(&vfs_test_lookup, "anywhere", change->path);
    case 'l':
        status = path_lookup(&vfs_test_lookup, "f", &from);
        if (status == HX_OK) {
            status = vfs_link(from, &vfs_test_lookup, change->path);
            path_put(from);
        }
        return status;
    default:
        return vfs_unlink(&vfs_test_lookup, change->path, change->kind == 'd');
    }
}

static bool test_changes(void) {
    CHECK(make_tree());
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        enum hx_status status = run_change(&changes[i]);
        if (status != changes[i].expected) {
            log_error("selftest: change %c '%s' gave: %s", changes[i].kind, changes[i].path,
                      hx_status_name(status));
            return false;
        }
    }
    return true;
}

struct rename_case {
    const char *from;
    const char *to;
    uint32_t flags;
    enum hx_status expected;
};

static const struct rename_case renames[] = {
    { "x", "y", 0, HX_ERR_NOT_FOUND },
    { "f", "f", 0, HX_OK },
    { "f", "g", 0, HX_OK },
    { "g", "f", FS_RENAME_NOREPLACE, HX_OK },
    { "f", "d", 0, HX_ERR_IS_DIRECTORY },
    { "d", "f", 0, HX_ERR_NOT_DIRECTORY },
    { "d", "e/", 0, HX_OK },
    { "e", "d", 0, HX_OK },
    { "d", "d/x", 0, HX_ERR_INVALID },
    { "d", "d/f/x", 0, HX_ERR_NOT_DIRECTORY },
    { "d/f", "d", 0, HX_ERR_NOT_EMPTY },
    { "f", "f2/", 0, HX_ERR_NOT_DIRECTORY },
    { "f/", "f2", 0, HX_ERR_NOT_DIRECTORY },
    { ".", "x", 0, HX_ERR_BUSY },
    { "f", "..", 0, HX_ERR_BUSY },
    { "f", ".", FS_RENAME_NOREPLACE, HX_ERR_EXISTS },
    { "f", "to-f", FS_RENAME_NOREPLACE, HX_ERR_EXISTS },
    { "f", "d", FS_RENAME_EXCHANGE | FS_RENAME_NOREPLACE, HX_ERR_INVALID },
    { "f", "x", FS_RENAME_EXCHANGE, HX_ERR_NOT_FOUND },
    { "d", "d/f", FS_RENAME_EXCHANGE, HX_ERR_INVALID },
    { "d/f", "d", FS_RENAME_EXCHANGE, HX_ERR_INVALID },
    { "f", "d", FS_RENAME_EXCHANGE, HX_OK }, // f is the directory now
    { "f/f", "d", 0, HX_OK },                // the inner file over the outer one
    { "d", "f/f", 0, HX_OK },
    { "f", "d", 0, HX_OK }, // the directory is d again
    { "d/f", "f", 0, HX_OK },
    { "f", "../outside", 0, HX_ERR_CROSS_DEVICE },
    { "../test", "../other", 0, HX_ERR_BUSY },
    { "/", "x", 0, HX_ERR_CROSS_DEVICE },
};

static bool test_renames(void) {
    CHECK(make_tree());
    for (size_t i = 0; i < ARRAY_SIZE(renames); i++) {
        const struct rename_case *one = &renames[i];
        enum hx_status status =
            vfs_rename(&vfs_test_lookup, one->from, &vfs_test_lookup, one->to, one->flags);
        if (status != one->expected) {
            log_error("selftest: rename %u '%s' to '%s' gave: %s", (unsigned)i, one->from, one->to,
                      hx_status_name(status));
            return false;
        }
    }
    CHECK(vfs_test_holds("f", "2"));
    CHECK_STATUS(vfs_test_exists("d/f"), HX_ERR_NOT_FOUND);
    CHECK_STATUS(vfs_test_directory("e"), HX_OK);
    CHECK_STATUS(vfs_test_write("e/inner", "x"), HX_OK);
    CHECK_STATUS(vfs_rename(&vfs_test_lookup, "d", &vfs_test_lookup, "e", 0), HX_ERR_NOT_EMPTY);
    struct path path;
    struct fs_info info;
    CHECK_STATUS(path_lookup(&vfs_test_lookup, ".", &path), HX_OK);
    inode_info(path_inode(path), &info);
    path_put(path);
    CHECK(info.links == 4); // itself twice, d, e
    return true;
}

static bool test_permissions(void) {
    struct path path;
    struct file *file;
    const struct lookup *user = &vfs_test_lookup_user;
    CHECK(make_tree());
    CHECK_STATUS(vfs_create(user, "mine", FS_MODE_DIRECTORY | 0700, 0, NULL), HX_OK); // mode 1777
    CHECK_STATUS(vfs_unlink(user, "f", false), HX_ERR_NOT_PERMITTED);                 // sticky
    CHECK_STATUS(vfs_unlink(user, "d/f", false), HX_ERR_PERMISSION);
    CHECK_STATUS(vfs_create(user, "d/new", FS_MODE_REGULAR | 0600, 0, NULL), HX_ERR_PERMISSION);
    CHECK_STATUS(vfs_create(user, "null", FS_MODE_CHAR | 0600, 1, NULL), HX_ERR_NOT_PERMITTED);
    CHECK_STATUS(file_open(user, "f", FILE_WRITE, 0, &file), HX_ERR_PERMISSION);
    CHECK_STATUS(file_open(user, "f", FILE_READ | OPEN_TRUNCATE, 0, &file), HX_ERR_PERMISSION);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "d", &path), HX_OK);
    CHECK_STATUS(inode_set_mode(path_inode(path), user->credentials, 0777), HX_ERR_NOT_PERMITTED);
    CHECK_STATUS(inode_set_mode(path_inode(path), vfs_test_lookup.credentials, 0600), HX_OK);
    path_put(path);
    CHECK_STATUS(path_lookup(user, "d/f", &path), HX_ERR_PERMISSION);
    CHECK_STATUS(path_lookup(user, "d/../f", &path), HX_ERR_PERMISSION);
    CHECK_STATUS(vfs_test_exists("d/f"), HX_OK);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "f", &path), HX_OK);
    CHECK_STATUS(inode_set_mode(path_inode(path), vfs_test_lookup.credentials, 06777), HX_OK);
    CHECK_STATUS(file_open(user, "f", FILE_WRITE | OPEN_TRUNCATE, 0, &file), HX_OK);
    CHECK((inode_mode(path_inode(path)) & MODE_BITS) == 0777);
    file_put(file);
    CHECK_STATUS(inode_set_owner(path_inode(path), user->credentials, 1000, UINT32_MAX),
                 HX_ERR_NOT_PERMITTED);
    path_put(path);
    CHECK_STATUS(vfs_unlink(user, "mine", true), HX_OK);
    return true;
}

static bool test_mounts(void) {
    struct path d;
    struct path e;
    struct path inside;
    CHECK(make_tree());
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "d", &d), HX_OK);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e", &e), HX_OK);
    CHECK_STATUS(vfs_mount(vfs_test_space, "x", "no such type", e, 0, NULL), HX_ERR_NO_DEVICE);
    CHECK_STATUS(vfs_mount(vfs_test_space, "x", "tmpfs", e, 0, "bogus=1"), HX_ERR_INVALID);
    CHECK_STATUS(vfs_mount(vfs_test_space, "x", "tmpfs", e, 0, "size=64k,mode=700"), HX_OK);
    CHECK_STATUS(vfs_test_write("e/in", "inside"), HX_OK);
    CHECK(text_is("e/in", "/test/e/in") && text_is("e/..", "/test"));
    CHECK_STATUS(vfs_unlink(&vfs_test_lookup, "e", true), HX_ERR_BUSY);
    CHECK_STATUS(vfs_rename(&vfs_test_lookup, "e", &vfs_test_lookup, "e2", 0), HX_ERR_BUSY);
    CHECK_STATUS(vfs_bind(vfs_test_space, d, e), HX_OK); // over the tmpfs
    CHECK_STATUS(vfs_test_exists("e/f"), HX_OK);
    CHECK_STATUS(vfs_unmount(vfs_test_space, e, 0), HX_ERR_INVALID); // the name below the mounts
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e", &inside), HX_OK);
    CHECK_STATUS(vfs_mount(vfs_test_space, NULL, NULL, inside,
                           MOUNT_REMOUNT | MOUNT_BIND | MOUNT_READ_ONLY, NULL),
                 HX_OK);
    CHECK_STATUS(vfs_test_write("e/f", "no"), HX_ERR_READ_ONLY);
    CHECK_STATUS(vfs_test_directory("e/g"), HX_ERR_READ_ONLY);
    CHECK_STATUS(vfs_test_directory("e/f"), HX_ERR_EXISTS);
    CHECK_STATUS(vfs_test_write("d/f", "yes"), HX_OK);
    CHECK_STATUS(vfs_unmount(vfs_test_space, inside, 0), HX_OK);
    path_put(inside);
    CHECK(vfs_test_holds("e/in", "inside"));
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e/in", &inside), HX_OK);
    struct path root;
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e", &root), HX_OK);
    CHECK_STATUS(vfs_unmount(vfs_test_space, root, 0), HX_ERR_BUSY);
    CHECK_STATUS(vfs_move(vfs_test_space, root, d), HX_OK);
    CHECK(vfs_test_holds("d/in", "inside") && text_is("d/in", "/test/d/in"));
    CHECK_STATUS(vfs_unmount(vfs_test_space, root, UNMOUNT_DETACH), HX_OK);
    CHECK(inode_size(path_inode(inside)) == 6);
    path_put(inside);
    path_put(root);
    path_put(d);
    path_put(e);
    CHECK_STATUS(vfs_test_exists("d/f"), HX_OK);
    return true;
}

// The module of a file system that is read-only is called with the right to read alone, whatever
// forgets to look; and with all rights again after a remount.
static bool test_rights(void) {
    struct path e;
    struct fs_info info = { .mode = FS_MODE_REGULAR | 0600 };
    const struct fs_name name = { "f", 1 };
    CHECK_STATUS(vfs_test_directory("e"), HX_OK);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e", &e), HX_OK);
    CHECK_STATUS(vfs_mount(vfs_test_space, "x", "tmpfs", e, MOUNT_READ_ONLY, ""), HX_OK);
    path_put(e);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e", &e), HX_OK);
    struct filesystem *fs = path_inode(e)->fs;
    uint64_t root = path_inode(e)->node;
    CHECK_STATUS(fs_call_create(filesystem_port(fs), fs->instance, root, name, &info, &info),
                 HX_ERR_ACCESS_DENIED);
    CHECK_STATUS(fs_call_unlink(filesystem_port(fs), fs->instance, root, name, false),
                 HX_ERR_ACCESS_DENIED);
    CHECK_STATUS(fs_call_lookup(filesystem_port(fs), fs->instance, root, name, &info),
                 HX_ERR_NOT_FOUND);
    CHECK_STATUS(vfs_mount(vfs_test_space, NULL, NULL, e, MOUNT_REMOUNT, NULL), HX_OK);
    CHECK_STATUS(fs_call_create(filesystem_port(fs), fs->instance, root, name, &info, &info),
                 HX_OK);
    CHECK_STATUS(vfs_mount(vfs_test_space, NULL, NULL, e, MOUNT_REMOUNT | MOUNT_READ_ONLY, NULL),
                 HX_OK);
    CHECK_STATUS(fs_call_unlink(filesystem_port(fs), fs->instance, root, name, false),
                 HX_ERR_ACCESS_DENIED);
    CHECK_STATUS(fs_call_lookup(filesystem_port(fs), fs->instance, root, name, &info), HX_OK);
    CHECK_STATUS(vfs_unmount(vfs_test_space, e, 0), HX_OK);
    path_put(e);
    return true;
}

static bool test_usage_limit(void) {
    struct path e;
    struct fs_usage usage;
    struct file *file;
    size_t done = 0;
    uint64_t written = 0;
    static char bytes[PAGE_SIZE];
    enum hx_status status = HX_OK;
    CHECK_STATUS(vfs_test_directory("e"), HX_OK);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e", &e), HX_OK);
    CHECK_STATUS(vfs_mount(vfs_test_space, "x", "tmpfs", e, 0, "size=64k"), HX_OK);
    path_put(e);
    CHECK_STATUS(
        file_open(&vfs_test_lookup, "e/f", FILE_READ | FILE_WRITE | OPEN_CREATE, 0600, &file),
        HX_OK);
    for (uint32_t i = 0; i < 32 && status == HX_OK; i++) {
        struct io_buffer from;
        io_buffer_kernel(&from, bytes, sizeof(bytes));
        status = file_write(file, &from, &done);
        written += status == HX_OK ? done : 0;
    }
    CHECK_STATUS(status, HX_ERR_NO_SPACE);
    CHECK(written == 65536);
    CHECK_STATUS(vfs_usage(file->path, &usage), HX_OK);
    CHECK(usage.blocks == 16 && usage.blocks_free == 0);
    CHECK_STATUS(file_truncate(file, 0), HX_OK);
    CHECK_STATUS(vfs_usage(file->path, &usage), HX_OK);
    CHECK(usage.blocks_free == 16);
    file_put(file);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "e", &e), HX_OK);
    CHECK_STATUS(vfs_unmount(vfs_test_space, e, 0), HX_OK);
    path_put(e);
    return true;
}

const struct selftest vfs_tests_names[] = {
    { "look-ups", test_lookups }, { "lengths", test_lengths },
    { "texts", test_texts },      { "changes", test_changes },
    { "renames", test_renames },  { "permissions", test_permissions },
    { "mounts", test_mounts },    { "usage", test_usage_limit },
    { "rights", test_rights },
};
const uint32_t vfs_tests_names_count = ARRAY_SIZE(vfs_tests_names);
