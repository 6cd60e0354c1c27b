// SPDX-License-Identifier: MIT OR Apache-2.0
// hostilefs.c: a file system that lies. What it says of a name depends on the name:
//
//   d f l p c     what it says it is: directory, file, link, pipe, device
//
//   m             a directory that lists more than fits
//
//   e             a directory with a name that is longer than there may be
//
//   r             the root, under another name
//
//   z             of no type
//
//   b             a file of 2^63 bytes and more
//
//   n             a link that is longer than there may be
//
//   s             what it is changes with each look
//
//   w             nothing: no answer
//
//   x             a fault
//
// Whatever is created is what the name says, under number 1000 (of all of them) or the root's (R…).
// Other directories list names that are none, cookies that do not grow, more than fits. Of a text
// it gives more than fits, and takes more than there is.
#include <helix/env.h>
#include <helix/ports/fs_port.h>
#include <lib/string.h>

// NOLINTBEGIN(performance-no-int-to-ptr): numbers are what instances are

#define ROOT      UINT64_C(7)
#define COOKIES   UINT64_C(0x0f66666666666640)
#define LONG_NAME (FS_NAME_MAX + 1 + 16)

static struct hx_env *env;
static uint32_t looks;
static uint32_t nothings; // instances that are NULL

static uint32_t type_of(char what) {
    static const uint32_t changes[] = { FS_MODE_REGULAR, FS_MODE_DIRECTORY, FS_MODE_LINK,
                                        FS_MODE_FIFO };
    switch (what) {
    case 'd':
    case 'm':
    case 'e':
    case 'r':
        return FS_MODE_DIRECTORY;
    case 'l':
    case 'n':
        return FS_MODE_LINK;
    case 'p':
        return FS_MODE_FIFO;
    case 'c':
        return FS_MODE_CHAR;
    case 'z':
        return 0;
    case 's':
        return changes[looks++ % ARRAY_SIZE(changes)];
    default:
        return FS_MODE_REGULAR;
    }
}

static void info_of(char what, struct fs_info *out_info) {
    *out_info = (struct fs_info){ .node = what == 'r' ? ROOT : (uint64_t)what,
                                  .mode = type_of(what) | 0777,
                                  .links = 1,
                                  .size_bytes = what == 'b' ? UINT64_MAX : 4096,
                                  .device = UINT64_MAX };
    if (what == 'w') {
        for (volatile uint32_t i = 0;; i++) {
        }
    }
    if (what == 'x') {
        __builtin_trap();
    }
}

static enum hx_status lying_describe(void *self, uint32_t *out_kind) {
    (void)self;
    *out_kind = (uint32_t)(uintptr_t)self;
    return HX_OK;
}

static enum hx_status lying_mount(void *self, const char *options, uint64_t memory_bytes,
                                  void **out_fs, struct fs_info *out_root) {
    (void)self;
    (void)memory_bytes;
    info_of('d', out_root);
    out_root->node = ROOT;
    *out_fs = (void *)(uintptr_t)(options[0] == '0' ? 0 : UINT64_C(0xffff800000000000));
    nothings += options[0] == '0';
    if (options[0] == 'f') {
        out_root->mode = FS_MODE_REGULAR | 0777;
    } else if (options[0] == 'z') {
        out_root->mode = 0777;
    }
    return HX_OK;
}

static enum hx_status lying_unmount(void *fs) {
    nothings -= fs == NULL;
    return HX_OK;
}

static enum hx_status lying_lookup(void *fs, uint64_t directory, struct fs_name name,
                                   struct fs_info *out_info) {
    (void)fs;
    (void)directory;
    if (name.text[0] == '-') {
        return HX_ERR_NOT_FOUND;
    }
    info_of(name.text[0], out_info);
    return HX_OK;
}

static enum hx_status lying_create(void *fs, uint64_t directory, struct fs_name name,
                                   const struct fs_info *wanted, struct fs_info *out_info) {
    (void)fs;
    (void)directory;
    (void)wanted;
    info_of(name.text[name.length > 1], out_info); // O_TMPFILE's is empty: a file
    out_info->node = 1000;
    return HX_OK;
}

static enum hx_status lying_symlink(void *fs, uint64_t directory, struct fs_name name,
                                    struct fs_name target, const struct fs_info *wanted,
                                    struct fs_info *out_info) {
    (void)target;
    return lying_create(fs, directory, name, wanted, out_info);
}

static enum hx_status lying_link(void *fs, uint64_t node, uint64_t directory, struct fs_name name) {
    (void)fs;
    (void)node;
    (void)directory;
    (void)name;
    return HX_OK;
}

static enum hx_status lying_unlink(void *fs, uint64_t directory, struct fs_name name,
                                   bool is_directory) {
    (void)fs;
    (void)directory;
    (void)name;
    (void)is_directory;
    return HX_OK;
}

static enum hx_status lying_rename(void *fs, uint64_t from_directory, struct fs_name from,
                                   uint64_t to_directory, struct fs_name to, uint32_t how) {
    (void)fs;
    (void)from_directory;
    (void)from;
    (void)to_directory;
    (void)to;
    (void)how;
    return HX_OK;
}

static enum hx_status lying_readlink(void *fs, uint64_t node, void *buffer, uint32_t capacity,
                                     uint32_t *out_length) {
    (void)fs;
    *out_length = node == 'n' ? capacity + 1 : 3;
    memcpy(buffer, "l/l", 3); // of which the first one is this one
    return HX_OK;
}

// Names that are right, but for one thing. A name is followed by no zero, so that one which is too
// long goes on in the next.
static enum hx_status list_names(uint64_t directory, uint64_t cookie, struct fs_entry *entries,
                                 uint32_t capacity, uint32_t *out_count) {
    memset(entries, 'f', capacity * sizeof(*entries));
    for (uint32_t i = 0; i < capacity; i++) {
        entries[i].cookie = COOKIES + i;
        entries[i].name_length = directory == 'e' ? LONG_NAME : 1;
    }
    *out_count = cookie != 0 ? 0 : capacity + (directory == 'm');
    return HX_OK;
}

static enum hx_status lying_readdir(void *fs, uint64_t directory, uint64_t cookie,
                                    struct fs_entry *entries, uint32_t capacity,
                                    uint32_t *out_count) {
    static const char *const names[] = { "a/../../etc", "..", "", ".", "f", "d" };
    (void)fs;
    if (directory == 'm' || directory == 'e') {
        return list_names(directory, cookie, entries, capacity, out_count);
    }
    looks++;
    for (uint32_t i = 0; i < capacity && i < ARRAY_SIZE(names); i++) {
        entries[i] = (struct fs_entry){ .node = ROOT, .cookie = UINT64_MAX - looks % 7 };
        entries[i].mode = UINT32_MAX;
        entries[i].name_length = (uint32_t)strlen(names[(i + looks) % ARRAY_SIZE(names)]);
        memcpy(entries[i].name, names[(i + looks) % ARRAY_SIZE(names)], entries[i].name_length + 1);
    }
    *out_count = looks % 5 == 0 ? capacity + 1 : MIN_OF(capacity, (uint32_t)ARRAY_SIZE(names));
    return HX_OK;
}

static enum hx_status lying_getinfo(void *fs, uint64_t node, struct fs_info *out_info) {
    (void)fs;
    info_of(node > 'z' ? 's' : 'f', out_info);
    out_info->links = looks++ % 3 == 0 ? 0 : UINT32_MAX;
    return HX_OK;
}

static enum hx_status lying_setinfo(void *fs, uint64_t node, const struct fs_info *info,
                                    uint32_t what) {
    (void)fs;
    (void)node;
    (void)info;
    return (what & FS_SET_SIZE) != 0 && looks++ % 2 == 0 ? HX_ERR_WOULD_BLOCK : HX_OK;
}

static enum hx_status lying_usage(void *fs, struct fs_usage *out_usage) {
    (void)fs;
    *out_usage = (struct fs_usage){ UINT64_MAX, INT64_MAX / 4096, UINT64_MAX, 1, UINT64_MAX, 0 };
    return HX_OK;
}

static enum hx_status lying_read_text(void *fs, uint64_t node, uint64_t offset, void *buffer,
                                      uint32_t capacity, uint32_t *out_length) {
    (void)fs;
    (void)node;
    (void)offset;
    memset(buffer, 'f', capacity);
    *out_length = capacity + 1;
    return HX_OK;
}

static enum hx_status lying_write_text(void *fs, uint64_t node, uint64_t offset, const void *data,
                                       uint32_t size_bytes, uint32_t *out_length) {
    (void)fs;
    (void)node;
    (void)offset;
    (void)data;
    *out_length = size_bytes + 1;
    return HX_OK;
}

static bool is_called(struct fs_name name, const char *text) {
    return name.length == strlen(text) && memcmp(name.text, text, name.length) == 0;
}

// Now there is one and now there is none, of any length, of which it gives more than fits, or none.
// The capability is always there, and "user.lost" never.
// NOLINTNEXTLINE(readability-function-size): what the method of the port has
static enum hx_status lying_getxattr(void *fs, uint64_t node, struct fs_name name, uint32_t offset,
                                     uint32_t *out_size_bytes, void *piece, uint32_t capacity,
                                     uint32_t *out_length) {
    static const uint32_t sizes[] = { 0, 100, FS_XATTR_BYTES_MAX, FS_XATTR_BYTES_MAX + 1,
                                      UINT32_MAX };
    (void)fs;
    (void)node;
    (void)offset;
    memset(piece, 'f', capacity);
    if (is_called(name, "security.capability") || is_called(name, "user.lost")) {
        *out_size_bytes = 20;
        *out_length = MIN_OF(capacity, 20u);
        return is_called(name, "user.lost") ? HX_ERR_NO_DATA : HX_OK;
    }
    looks++;
    *out_size_bytes = sizes[looks % ARRAY_SIZE(sizes)];
    *out_length = looks % 3 == 0 ? capacity + 1 : looks % 3 == 1 ? capacity : 0;
    return looks % 7 < 2 ? HX_ERR_NO_DATA : HX_OK;
}

// NOLINTNEXTLINE(readability-function-size): what the method of the port has
static enum hx_status lying_setxattr(void *fs, uint64_t node, struct fs_name name, uint32_t offset,
                                     uint32_t size_bytes, const void *piece, uint32_t length) {
    (void)fs;
    (void)node;
    (void)offset;
    (void)size_bytes;
    (void)piece;
    (void)length;
    return is_called(name, "user.lost") || looks++ % 2 == 0 ? HX_ERR_NOT_FOUND : HX_OK;
}

static enum hx_status lying_removexattr(void *fs, uint64_t node, struct fs_name name) {
    (void)fs;
    (void)node;
    return is_called(name, "security.capability") ? HX_ERR_IO : HX_OK;
}

static enum hx_status lying_listxattr(void *fs, uint64_t node, void *names, uint32_t capacity,
                                      uint32_t *out_length) {
    (void)fs;
    (void)node;
    memset(names, 'f', capacity);
    *out_length = capacity + looks++ % 2;
    return HX_OK;
}

static const struct fs_ops ops = {
    .describe = lying_describe,
    .mount = lying_mount,
    .unmount = lying_unmount,
    .lookup = lying_lookup,
    .create = lying_create,
    .symlink = lying_symlink,
    .link = lying_link,
    .unlink = lying_unlink,
    .rename = lying_rename,
    .readlink = lying_readlink,
    .readdir = lying_readdir,
    .getinfo = lying_getinfo,
    .setinfo = lying_setinfo,
    .usage = lying_usage,
    .read_text = lying_read_text,
    .write_text = lying_write_text,
    .getxattr = lying_getxattr,
    .setxattr = lying_setxattr,
    .removexattr = lying_removexattr,
    .listxattr = lying_listxattr,
};

static enum hx_status lying_init(struct hx_env *its, void **out_self) {
    static const struct {
        const char *name;
        uint32_t kind;
    } types[] = { { "lies", FS_NO_PAGER },
                  { "lies_paged", 0 },
                  { "lies_uncached", FS_NO_PAGER | FS_UNCACHED },
                  { "lies_generated", FS_GENERATED | FS_UNCACHED } };
    enum hx_status status = HX_OK;
    env = its;
    *out_self = its;
    for (uint32_t i = 0; i < ARRAY_SIZE(types) && status == HX_OK; i++) {
        status =
            hx_port_provide(its, "helix.fs", types[i].name, &ops, (void *)(uintptr_t)types[i].kind);
    }
    return status;
}

// In ring 3 nobody can unmount what is nothing, since nobody was told of it.
static enum hx_status lying_stop(void *self) {
    (void)self;
    return nothings > 1 ? HX_ERR_INVALID : HX_OK;
}

static enum hx_status lying_import(void *self, uint32_t schema) {
    (void)self;
    return schema == 1 ? HX_OK : HX_ERR_CORRUPT;
}

static const struct hx_port_provided provides[] = { FS_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = lying_init,
                                                 .stop = lying_stop,
                                                 .import_state = lying_import };

HX_MODULE(hostilefs, .name = "hostilefs", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides), .arena_version = 1,
          .ops = &operations);

// NOLINTEND(performance-no-int-to-ptr)
