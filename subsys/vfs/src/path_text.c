// SPDX-License-Identifier: MIT OR Apache-2.0
// path_text.c: the text of a place in the tree (getcwd, /proc links, /proc/mounts).
#include "mount.h"
#include "name.h"

#include <lib/string.h>

#define DELETED " (deleted)"

struct text_builder { // fills its buffer from the end
    char *buffer;
    size_t start;
    bool is_full;
};

static void put_front(struct text_builder *builder, const char *text, size_t length) {
    if (builder->is_full || length > builder->start) {
        builder->is_full = true;
        return;
    }
    builder->start -= length;
    memcpy(builder->buffer + builder->start, text, length);
}

// Walks up from a place; inside an epoch. Whether `root` was met.
static bool build(struct text_builder *builder, struct path at, struct path root) {
    for (;;) {
        if (at.name == root.name && at.mount == root.mount) {
            return true;
        }
        if (at.name == at.mount->root) {
            struct mount *parent = mount_parent(at.mount);
            struct name *point = mount_point(at.mount);
            if (parent == NULL || point == NULL) {
                return false;
            }
            at = (struct path){ parent, point };
            continue;
        }
        struct name *parent = name_parent(at.name);
        if (parent == NULL) {
            return false; // the root of a file system whose mount shows only a part of it
        }
        const struct name_text *text = name_text(at.name);
        put_front(builder, text->bytes, text->length);
        put_front(builder, "/", 1);
        at.name = parent;
    }
}

static bool is_deleted(struct path path) {
    return name_is_dead(path.name) && name_parent(path.name) != NULL &&
           (name_inode(path.name)->fs->kind & FS_UNCACHED) == 0;
}

enum hx_status path_to_text(struct path path, struct path root, char *buffer, size_t capacity,
                            size_t *out_length) {
    struct text_builder builder;
    uint32_t sequence;
    bool is_reached;
    if (capacity == 0) {
        return HX_ERR_NAME_TOO_LONG;
    }
    epoch_enter();
    do { // again if the tree changed on the way
        sequence = tree_sequence();
        builder = (struct text_builder){ .buffer = buffer, .start = capacity - 1 };
        if (is_deleted(path)) {
            put_front(&builder, DELETED, sizeof(DELETED) - 1);
        }
        size_t end = builder.start;
        is_reached = build(&builder, path, root);
        if (builder.start == end) {
            put_front(&builder, "/", 1);
        }
    } while (tree_changed(sequence));
    epoch_leave();
    if (!is_reached) {
        put_front(&builder, PATH_UNREACHABLE, sizeof(PATH_UNREACHABLE) - 1);
    }
    if (builder.is_full) {
        return HX_ERR_NAME_TOO_LONG;
    }
    size_t length = capacity - 1 - builder.start;
    memmove(buffer, buffer + builder.start, length);
    buffer[length] = '\0';
    *out_length = length;
    return HX_OK;
}
