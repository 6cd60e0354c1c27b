// SPDX-License-Identifier: MIT OR Apache-2.0
// xattr.c: extended attributes: one hash table an instance, by node, whose chains go through the
// attributes' `local`.
//
// A value comes in pieces. Each is an object of its own (the first one with the name), made in an
// update that stays open until the last one has come: whoever dies before that has set nothing.
#include "ramfs.h"

#include <lib/hash.h>
#include <lib/string.h>

#define BUCKETS_AT_FIRST 16u

static const struct ramfs_attribute *next_of(const struct ramfs_attribute *attribute) {
    return hx_object_of(attribute)->local;
}

static void next_set(const struct ramfs_attribute *attribute, const struct ramfs_attribute *next) {
    hx_object_of(attribute)->local = (void *)next;
}

// There is a table.
static const struct ramfs_attribute **bucket_of(const struct ramfs *fs, uint64_t node) {
    return &fs->xattr.buckets[hash_u64(node) & (fs->xattr.bucket_count - 1)];
}

static void show(struct ramfs *fs, const struct ramfs_attribute *attribute) {
    const struct ramfs_attribute **bucket = bucket_of(fs, attribute->node);
    next_set(attribute, *bucket);
    *bucket = attribute;
    fs->xattr.count++;
}

static void hide(struct ramfs *fs, const struct ramfs_attribute *attribute) {
    const struct ramfs_attribute **bucket = bucket_of(fs, attribute->node);
    const struct ramfs_attribute *before = *bucket;
    if (before == attribute) {
        *bucket = next_of(attribute);
    } else {
        while (next_of(before) != attribute) {
            before = next_of(before);
        }
        next_set(before, next_of(attribute));
    }
    fs->xattr.count--;
}

// A table of another size, with all that is in the old one. HX_ERR_NO_MEMORY
static enum hx_status resize(struct ramfs *fs, uint64_t bucket_count) {
    struct ramfs_xattr old = fs->xattr;
    const struct ramfs_attribute **buckets = (const struct ramfs_attribute **)hx_alloc(
        ramfs_env, bucket_count * sizeof(struct ramfs_attribute *));
    if (buckets == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    fs->xattr.buckets = buckets;
    fs->xattr.bucket_count = bucket_count;
    fs->xattr.count = 0;
    for (uint64_t i = 0; i < old.bucket_count; i++) {
        const struct ramfs_attribute *attribute = old.buckets[i];
        while (attribute != NULL) {
            const struct ramfs_attribute *next = next_of(attribute);
            show(fs, attribute);
            attribute = next;
        }
    }
    hx_free(ramfs_env, (void *)old.buckets);
    return HX_OK;
}

// Room for one more. Without memory a table stays as it is: slower, but right.
static enum hx_status reserve(struct ramfs *fs) {
    if (fs->xattr.bucket_count == 0) {
        return resize(fs, BUCKETS_AT_FIRST);
    }
    if (fs->xattr.count >= fs->xattr.bucket_count) {
        HX_IGNORE(resize(fs, fs->xattr.bucket_count * 2));
    }
    return HX_OK;
}

// Looking
// -----------------------------------------------------------------------------------------------

// The first attribute of the node in what is left of a chain; NULL: none.
static const struct ramfs_attribute *of_node(const struct ramfs_attribute *attribute,
                                             uint64_t node) {
    while (attribute != NULL && attribute->node != node) {
        attribute = next_of(attribute);
    }
    return attribute;
}

static const struct ramfs_attribute *first_of(const struct ramfs *fs, uint64_t node) {
    return fs->xattr.count != 0 ? of_node(*bucket_of(fs, node), node) : NULL;
}

static bool is_called(const struct ramfs_attribute *attribute, struct fs_name name) {
    return attribute->name_length == name.length &&
           memcmp(attribute->text, name.text, name.length) == 0;
}

static const struct ramfs_attribute *find(const struct ramfs *fs, uint64_t node,
                                          struct fs_name name) {
    const struct ramfs_attribute *attribute = first_of(fs, node);
    while (attribute != NULL && !is_called(attribute, name)) {
        attribute = of_node(next_of(attribute), node);
    }
    return attribute;
}

static uint32_t piece_count(const struct ramfs_attribute *attribute) {
    return MAX_OF(1u, (attribute->size_bytes + FS_XATTR_PIECE_MAX - 1) / FS_XATTR_PIECE_MAX);
}

static const char *piece_of(const struct ramfs_attribute *attribute, uint32_t index) {
    if (index == 0) {
        return attribute->text + attribute->name_length;
    }
    const struct ramfs_piece *piece = hx_arena_at(ramfs_env, attribute->pieces[index - 1]);
    return piece->bytes;
}

enum hx_status ramfs_xattr_get(const struct ramfs *fs, uint64_t node, struct fs_name name,
                               uint32_t offset, struct ramfs_buffer *buffer,
                               uint32_t *out_size_bytes) {
    const struct ramfs_attribute *attribute = find(fs, node, name);
    if (attribute == NULL) {
        return HX_ERR_NO_DATA;
    }
    *out_size_bytes = attribute->size_bytes;
    buffer->length = 0;
    while (offset < attribute->size_bytes && buffer->length < buffer->capacity) {
        const uint32_t from = offset % FS_XATTR_PIECE_MAX;
        const uint32_t left = MIN_OF(attribute->size_bytes - offset, FS_XATTR_PIECE_MAX - from);
        const uint32_t length = MIN_OF(left, buffer->capacity - buffer->length);
        memcpy(buffer->bytes + buffer->length,
               piece_of(attribute, offset / FS_XATTR_PIECE_MAX) + from, length);
        buffer->length += length;
        offset += length;
    }
    return HX_OK;
}

void ramfs_xattr_list(const struct ramfs *fs, uint64_t node, struct ramfs_buffer *buffer) {
    const struct ramfs_attribute *attribute = first_of(fs, node);
    buffer->length = 0;
    while (attribute != NULL && attribute->name_length < buffer->capacity - buffer->length) {
        memcpy(buffer->bytes + buffer->length, attribute->text, attribute->name_length);
        buffer->length += attribute->name_length;
        buffer->bytes[buffer->length++] = '\0';
        attribute = of_node(next_of(attribute), node);
    }
}

// Removing
// -----------------------------------------------------------------------------------------------

// In the update. False: no memory, which so little does not need if nothing else is in it (a test
// counts).
static bool attribute_free(struct hx_update *update, const struct ramfs_attribute *attribute) {
    bool is_done = hx_arena_free(update, attribute);
    for (uint32_t i = 0; i + 1 < piece_count(attribute) && is_done; i++) {
        is_done = hx_arena_free(update, hx_arena_at(ramfs_env, attribute->pieces[i]));
    }
    return is_done;
}

static void attribute_remove(struct ramfs *fs, const struct ramfs_attribute *attribute) {
    (void)attribute_free(fs->update, attribute);
    hide(fs, attribute);
    hx_arena_commit(fs->update);
}

// A value of the node whose last piece will not come.
static void give_up_of(struct ramfs *fs, uint64_t node) {
    const struct ramfs_attribute *attribute = fs->xattr.setting.attribute;
    if (attribute != NULL && attribute->node == node) {
        ramfs_xattr_give_up(fs);
    }
}

void ramfs_xattr_remove(struct ramfs *fs, uint64_t node, struct fs_name name) {
    give_up_of(fs, node);
    const struct ramfs_attribute *attribute = find(fs, node, name);
    if (attribute != NULL) {
        attribute_remove(fs, attribute);
    }
}

void ramfs_xattr_forget(struct ramfs *fs, uint64_t node) {
    const struct ramfs_attribute *attribute;
    give_up_of(fs, node);
    while ((attribute = first_of(fs, node)) != NULL) {
        attribute_remove(fs, attribute);
    }
}

void ramfs_xattr_unmount(struct ramfs *fs) {
    ramfs_xattr_give_up(fs);
    for (uint64_t i = 0; i < fs->xattr.bucket_count; i++) {
        while (fs->xattr.buckets[i] != NULL) {
            attribute_remove(fs, fs->xattr.buckets[i]);
        }
    }
}

// Setting
// -----------------------------------------------------------------------------------------------

void ramfs_xattr_give_up(struct ramfs *fs) {
    struct ramfs_setting *setting = &fs->xattr.setting;
    if (setting->update != NULL) {
        hx_update_destroy(setting->update);
    }
    *setting = (struct ramfs_setting){ 0 };
}

static enum hx_status list_check(const struct ramfs *fs, uint64_t node, struct fs_name name) {
    uint32_t length = name.length + 1;
    if (find(fs, node, name) != NULL) {
        return HX_OK;
    }
    for (const struct ramfs_attribute *other = first_of(fs, node); other != NULL;
         other = of_node(next_of(other), node)) {
        length += other->name_length + 1;
    }
    return length <= FS_XATTR_LIST_MAX ? HX_OK : HX_ERR_NO_SPACE;
}

static enum hx_status first_piece(struct ramfs *fs, uint64_t node, struct fs_name name,
                                  const struct ramfs_value *value) {
    struct ramfs_setting *setting = &fs->xattr.setting;
    ramfs_xattr_give_up(fs);
    enum hx_status status = list_check(fs, node, name);
    if (status == HX_OK) {
        status = reserve(fs);
    }
    if (status != HX_OK) {
        return status;
    }
    setting->update = hx_update_create(ramfs_env);
    if (setting->update == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct ramfs_attribute *attribute = hx_arena_new(
        setting->update, RAMFS_ATTRIBUTE, sizeof(*attribute) + name.length + value->length);
    if (attribute == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    attribute->mount = fs->number;
    attribute->node = node;
    attribute->size_bytes = value->size_bytes;
    attribute->name_length = name.length;
    memcpy(attribute->text, name.text, name.length);
    memcpy(attribute->text + name.length, value->piece, value->length);
    setting->attribute = attribute;
    return HX_OK;
}

static enum hx_status next_piece(struct ramfs *fs, uint64_t node, struct fs_name name,
                                 const struct ramfs_value *value) {
    struct ramfs_setting *setting = &fs->xattr.setting;
    struct ramfs_attribute *attribute = setting->attribute;
    if (attribute == NULL || attribute->node != node || !is_called(attribute, name) ||
        attribute->size_bytes != value->size_bytes || setting->done != value->offset) {
        return HX_ERR_NOT_FOUND;
    }
    struct ramfs_piece *piece =
        hx_arena_new(setting->update, RAMFS_PIECE, sizeof(*piece) + value->length);
    if (piece == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    piece->attribute = hx_object_number(attribute);
    piece->index = value->offset / FS_XATTR_PIECE_MAX;
    memcpy(piece->bytes, value->piece, value->length);
    attribute->pieces[piece->index - 1] = hx_object_number(piece);
    return HX_OK;
}

// All pieces are there: the new value comes, and the old one goes.
static enum hx_status set(struct ramfs *fs, uint64_t node, struct fs_name name) {
    struct ramfs_setting *setting = &fs->xattr.setting;
    const struct ramfs_attribute *old = find(fs, node, name);
    if (old != NULL && !attribute_free(setting->update, old)) {
        return HX_ERR_NO_MEMORY;
    }
    if (old != NULL) {
        hide(fs, old);
    }
    hx_arena_commit(setting->update);
    show(fs, setting->attribute);
    ramfs_xattr_give_up(fs); // of nothing: it is done
    return HX_OK;
}

static bool is_piece(const struct ramfs_value *value) {
    return value->size_bytes <= FS_XATTR_BYTES_MAX && value->offset % FS_XATTR_PIECE_MAX == 0 &&
           value->offset <= value->size_bytes &&
           value->length == MIN_OF(value->size_bytes - value->offset, FS_XATTR_PIECE_MAX) &&
           (value->length != 0 || value->offset == 0);
}

static bool is_stop(const struct ramfs_value *value) {
    return value->offset != 0 && value->offset == value->size_bytes && value->length == 0;
}

enum hx_status ramfs_xattr_set(struct ramfs *fs, uint64_t node, struct fs_name name,
                               const struct ramfs_value *value) {
    if (is_stop(value)) {
        ramfs_xattr_give_up(fs);
        return HX_OK;
    }
    if (!is_piece(value) || name.length == 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status =
        value->offset == 0 ? first_piece(fs, node, name, value) : next_piece(fs, node, name, value);
    if (status == HX_OK) {
        fs->xattr.setting.done = value->offset + value->length;
        if (fs->xattr.setting.done == value->size_bytes) {
            status = set(fs, node, name);
        }
    }
    if (status != HX_OK) {
        ramfs_xattr_give_up(fs);
    }
    return status;
}

// What another life has left
// -----------------------------------------------------------------------------------------------

static uint64_t bytes_of(const struct ramfs_attribute *attribute, uint32_t index) {
    return MIN_OF(attribute->size_bytes - index * FS_XATTR_PIECE_MAX, FS_XATTR_PIECE_MAX);
}

static bool piece_is_whole(const struct ramfs_attribute *attribute, uint32_t index) {
    const struct ramfs_piece *piece = hx_arena_at(ramfs_env, attribute->pieces[index - 1]);
    return piece != NULL && hx_object_type(piece) == RAMFS_PIECE &&
           hx_object_of(piece)->size_bytes == sizeof(*piece) + bytes_of(attribute, index) &&
           piece->attribute == hx_object_number(attribute) && piece->index == index;
}

bool ramfs_attribute_is_whole(const void *object) {
    const struct ramfs_attribute *attribute = object;
    const uint32_t size_bytes = hx_object_of(object)->size_bytes;
    if (hx_object_type(object) != RAMFS_ATTRIBUTE || size_bytes < sizeof(*attribute) ||
        attribute->name_length - 1 >= FS_XATTR_NAME_MAX ||
        attribute->size_bytes > FS_XATTR_BYTES_MAX ||
        size_bytes != sizeof(*attribute) + attribute->name_length + bytes_of(attribute, 0) ||
        memchr(attribute->text, '\0', attribute->name_length) != NULL) {
        return false;
    }
    bool is_whole = true;
    for (uint32_t i = 1; i < RAMFS_PIECES; i++) {
        is_whole &= i < piece_count(attribute) ? piece_is_whole(attribute, i)
                                               : attribute->pieces[i - 1] == 0;
    }
    return is_whole;
}

bool ramfs_piece_is_owned(const void *object) {
    const struct ramfs_piece *piece = object;
    if (hx_object_of(object)->size_bytes <= sizeof(*piece)) {
        return false;
    }
    const struct ramfs_attribute *attribute = hx_arena_at(ramfs_env, piece->attribute);
    return attribute != NULL && ramfs_attribute_is_whole(attribute) &&
           piece->index - 1 < ARRAY_SIZE(attribute->pieces) &&
           attribute->pieces[piece->index - 1] == hx_object_number(object);
}

// Whether it can be there beside those that were shown: as one that was set.
static bool is_one_more(const struct ramfs *fs, const struct ramfs_attribute *attribute) {
    const struct fs_name name = { attribute->text, attribute->name_length };
    return find(fs, attribute->node, name) == NULL &&
           list_check(fs, attribute->node, name) == HX_OK;
}

enum hx_status ramfs_xattr_index(struct ramfs *fs, bool checks) {
    const struct ramfs_attribute *attribute = fs->xattr.collected;
    if (attribute == NULL) {
        return HX_OK;
    }
    uint64_t bucket_count = BUCKETS_AT_FIRST;
    while (bucket_count < fs->xattr.count) {
        bucket_count *= 2;
    }
    enum hx_status status = resize(fs, bucket_count);
    while (attribute != NULL && status == HX_OK) {
        const struct ramfs_attribute *next = next_of(attribute);
        if (checks && !is_one_more(fs, attribute)) {
            return HX_ERR_CORRUPT;
        }
        show(fs, attribute);
        attribute = next;
    }
    fs->xattr.collected = NULL;
    return status;
}
