// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton.c: a file system with one file, whose text is made when it is read, through helix.fs.
#include <helix/env.h>
#include <helix/ports/fs_port.h>
#include <lib/format.h>
#include <lib/string.h>

// Nodes, and the place in the listing behind the file.
#define ROOT       UINT64_C(1)
#define HELLO      UINT64_C(2)
#define HELLO_NEXT UINT64_C(1)

#define SKELETON_MAGIC SKELETON_NUMBER // that statfs tells

static const char hello_name[] = "hello";

// A mounted one.
struct skeleton {
    struct hx_env *env;
    time_ns_t mounted_at; // since the machine began
};

static const struct fs_info infos[] = {
    { .node = ROOT, .mode = FS_MODE_DIRECTORY | 0555, .links = 2 },
    { .node = HELLO, .mode = FS_MODE_REGULAR | 0444, .links = 1 },
};

static enum hx_status skeleton_describe(void *self, uint32_t *out_kind) {
    (void)self;
    *out_kind = FS_GENERATED;
    return HX_OK;
}

static enum hx_status skeleton_mount(void *self, const char *options, uint64_t memory_bytes,
                                     void **out_fs, struct fs_info *out_root) {
    struct hx_env *env = self;
    (void)memory_bytes;
    if (options[0] != '\0') {
        return HX_ERR_INVALID;
    }
    struct skeleton *skeleton = hx_alloc(env, sizeof(*skeleton));
    if (skeleton == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    skeleton->env = env;
    skeleton->mounted_at = hx_time_now();
    *out_root = infos[0];
    *out_fs = skeleton;
    return HX_OK;
}

static enum hx_status skeleton_unmount(void *fs) {
    struct skeleton *skeleton = fs;
    hx_free(skeleton->env, skeleton);
    return HX_OK;
}

static enum hx_status skeleton_lookup(void *fs, uint64_t directory, struct fs_name name,
                                      struct fs_info *out_info) {
    (void)fs;
    if (directory != ROOT) {
        return HX_ERR_INVALID;
    }
    if (name.length != sizeof(hello_name) - 1 || memcmp(name.text, hello_name, name.length) != 0) {
        return HX_ERR_NOT_FOUND;
    }
    *out_info = infos[1];
    return HX_OK;
}

static enum hx_status skeleton_readdir(void *fs, uint64_t directory, uint64_t cookie,
                                       struct fs_entry *entries, uint32_t capacity,
                                       uint32_t *out_count) {
    (void)fs;
    if (directory != ROOT) {
        return HX_ERR_INVALID;
    }
    *out_count = cookie < HELLO_NEXT ? MIN_OF(capacity, 1u) : 0;
    if (*out_count != 0) {
        entries[0] = (struct fs_entry){ .node = HELLO,
                                        .cookie = HELLO_NEXT,
                                        .mode = FS_MODE_REGULAR,
                                        .name_length = sizeof(hello_name) - 1 };
        memcpy(entries[0].name, hello_name, sizeof(hello_name));
    }
    return HX_OK;
}

static enum hx_status skeleton_getinfo(void *fs, uint64_t node, struct fs_info *out_info) {
    (void)fs;
    if (node != ROOT && node != HELLO) {
        return HX_ERR_NOT_FOUND;
    }
    *out_info = infos[node - ROOT];
    return HX_OK;
}

static enum hx_status skeleton_usage(void *fs, struct fs_usage *out_usage) {
    (void)fs;
    *out_usage = (struct fs_usage){ .block_bytes = PAGE_SIZE,
                                    .nodes = ARRAY_SIZE(infos),
                                    .magic = SKELETON_MAGIC };
    return HX_OK;
}

static enum hx_status skeleton_read_text(void *fs, uint64_t node, uint64_t offset, void *buffer,
                                         uint32_t capacity, uint32_t *out_length) {
    const struct skeleton *skeleton = fs;
    char text[96];
    if (node != HELLO) {
        return HX_ERR_INVALID;
    }
    const long seconds = (long)(skeleton->mounted_at / 1000000000);
    const size_t length =
        format_string(text, sizeof(text), "hello from skeleton, mounted at second %ld\n", seconds);
    const size_t from = MIN_OF(offset, length);
    *out_length = (uint32_t)MIN_OF(length - from, (size_t)capacity);
    memcpy(buffer, text + from, *out_length);
    return HX_OK;
}

static const struct fs_ops skeleton_ops = {
    .describe = skeleton_describe,
    .mount = skeleton_mount,
    .unmount = skeleton_unmount,
    .lookup = skeleton_lookup,
    .readdir = skeleton_readdir,
    .getinfo = skeleton_getinfo,
    .usage = skeleton_usage,
    .read_text = skeleton_read_text,
};

static enum hx_status skeleton_init(struct hx_env *env, void **out_self) {
    *out_self = env;
    return hx_port_provide(env, "helix.fs", "skeleton", &skeleton_ops, env);
}

static const struct hx_port_provided provided[] = { FS_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = skeleton_init };

HX_MODULE(skeleton, .name = "skeleton", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .ops = &operations);
