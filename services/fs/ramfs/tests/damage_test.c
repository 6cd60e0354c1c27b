// SPDX-License-Identifier: MIT OR Apache-2.0
// damage_test.c: objects in the arena that are not what the module writes: a life that would begin
// with them is refused, or lives with them.
#include "tree.h"

static void write_over(const void *object, size_t offset, const void *bytes, size_t size_bytes) {
    struct hx_update *update = arena_update_create(&arena);
    uint8_t *changed = arena_change(update, object);
    CHECK(changed != NULL && offset + size_bytes <= hx_object_of(object)->size_bytes);
    memcpy(changed + offset, bytes, size_bytes);
    arena_commit(update);
    arena_update_destroy(update);
}

static const void *new_object(uint32_t type, size_t size_bytes) {
    struct hx_update *update = arena_update_create(&arena);
    const void *object = arena_new(update, type, size_bytes);
    CHECK(object != NULL);
    arena_commit(update);
    arena_update_destroy(update);
    return object;
}

static void free_object(const void *object) {
    struct hx_update *update = arena_update_create(&arena);
    CHECK(arena_free(update, object));
    arena_commit(update);
    arena_update_destroy(update);
}

static const struct ramfs_entry *entry_called(const char *name) {
    void *object;
    uint32_t index = 0;
    while (arena_walk(&arena, &index, &object, 1) != 0) {
        const struct ramfs_entry *entry = object;
        if (hx_object_type(object) == RAMFS_ENTRY && entry->length == strlen(name) &&
            memcmp(entry->text, name, entry->length) == 0) {
            return entry;
        }
    }
    CHECK(false);
    return NULL;
}

static enum hx_status import(void) {
    life_end();
    return life_begin();
}

static uint64_t number_at(const void *object, size_t offset) {
    uint64_t number;
    memcpy(&number, (const uint8_t *)object + offset, sizeof(number));
    return number;
}

// As of a name that is in that directory.
static void hash_set(const struct ramfs_entry *entry, uint64_t directory) {
    const uint64_t hash = ramfs_hash(directory, (struct fs_name){ entry->text, entry->length });
    write_over(entry, offsetof(struct ramfs_entry, hash), &hash, sizeof(hash));
}

// What is written there is refused; what was there before is not.
static void refused(const void *object, size_t offset, uint64_t value, size_t size_bytes) {
    static char before[TEXT_BYTES], after[TEXT_BYTES];
    const uint64_t old = number_at(object, offset);
    const bool is_moved =
        hx_object_type(object) == RAMFS_ENTRY && offset == offsetof(struct ramfs_entry, directory);
    describe_all(before);
    write_over(object, offset, &value, size_bytes);
    if (is_moved) {
        hash_set(object, value);
    }
    CHECK(import() == HX_ERR_CORRUPT);
    write_over(object, offset, &old, size_bytes);
    if (is_moved) {
        hash_set(object, old);
    }
    CHECK(import() == HX_OK);
    describe_all(after);
    CHECK(strcmp(before, after) == 0);
}

#define REFUSED(object, type, field, value)                                                        \
    refused(object, offsetof(type, field), value, sizeof(((const type *)0)->field))

static const void *node(uint64_t number) {
    return hx_arena_at(NULL, number);
}

static void test_damaged_nodes(uint64_t other_instance) {
    struct fs_info info;
    CHECK(ops->lookup(instance, root_node, text("l"), &info) == HX_OK);
    REFUSED(node(info.node), struct ramfs_node, target_length, 4);
    REFUSED(node(info.node), struct ramfs_node, target_length, 4095);
    REFUSED(node(f_node), struct ramfs_node, info.node, d_node);
    REFUSED(node(f_node), struct ramfs_node, info.links, 1);
    REFUSED(node(f_node), struct ramfs_node, info.links, 3);
    REFUSED(node(f_node), struct ramfs_node, info.links, 0);
    REFUSED(node(f_node), struct ramfs_node, info.mode, FS_MODE_LINK | 0777);
    REFUSED(node(f_node), struct ramfs_node, mount, other_instance);
    REFUSED(node(d_node), struct ramfs_node, info.links, 2);
    REFUSED(node(d_node), struct ramfs_node, info.links, 0);
    REFUSED(node(e_node), struct ramfs_node, info.links, 0);
    REFUSED(node(d_node), struct ramfs_node, info.mode, FS_MODE_REGULAR | 0777);
    REFUSED(node(d_node), struct ramfs_node, mount, other_instance);
    REFUSED(node(gone_node), struct ramfs_node, info.links, 1);
    REFUSED(node(root_node), struct ramfs_node, info.links, 3);
    REFUSED(node((uintptr_t)instance), struct ramfs_mount, root, f_node);
    REFUSED(node((uintptr_t)instance), struct ramfs_mount, root, d_node);
    REFUSED(node((uintptr_t)instance), struct ramfs_mount, root,
            hx_object_number(entry_called("hard")));
}

static void test_damaged_entries(uint64_t other_instance, uint64_t other_root) {
    const struct ramfs_entry *hard = entry_called("hard"), *inner = entry_called("inner");
    const struct {
        size_t offset, size_bytes;
        uint64_t value;
    } of_file[] = {
#define FIELD(field) offsetof(struct ramfs_entry, field), sizeof(hard->field)
        { FIELD(length), 3 },
        { FIELD(length), 5 },
        { FIELD(length), UINT32_MAX },
        { FIELD(hash), 7 },
        { FIELD(cookie), 0 },
        { FIELD(cookie), UINT64_MAX },
        { FIELD(mode), FS_MODE_DIRECTORY },
        { FIELD(mount), other_instance },
        { FIELD(mount), root_node },
        { FIELD(mount), UINT64_C(12345) }, // none: f has a link too many
        { FIELD(directory), f_node },
        { FIELD(directory), gone_node },
        { FIELD(directory), other_root },
        { FIELD(directory), UINT64_C(12345) },
        { FIELD(directory), hx_object_number(hard) },
        { FIELD(directory), (uintptr_t)instance },
        { FIELD(node), gone_node },
        { FIELD(node), d_node },
        { FIELD(node), UINT64_C(12345) },
        { FIELD(node), hx_object_number(hard) },
        { FIELD(node), (uintptr_t)instance },
    };
    for (size_t i = 0; i < ARRAY_SIZE(of_file); i++) {
        refused(hard, of_file[i].offset, of_file[i].value, of_file[i].size_bytes);
    }
    REFUSED(inner, struct ramfs_entry, node, root_node);
    REFUSED(inner, struct ramfs_entry, node, e_node); // which has a name
    REFUSED(inner, struct ramfs_entry, directory, e_node);
}

static const struct ramfs_attribute *attribute_called(const char *name) {
    void *object;
    uint32_t index = 0;
    while (arena_walk(&arena, &index, &object, 1) != 0) {
        const struct ramfs_attribute *attribute = object;
        if (hx_object_type(object) == RAMFS_ATTRIBUTE && attribute->name_length == strlen(name) &&
            memcmp(attribute->text, name, attribute->name_length) == 0) {
            return attribute;
        }
    }
    CHECK(false);
    return NULL;
}

static void test_damaged_attributes(uint64_t other_instance) {
    const struct ramfs_attribute *one = attribute_called("user.one");
    const struct ramfs_attribute *large = attribute_called("user.large");
    const struct ramfs_piece *piece = node(large->pieces[0]);
    REFUSED(one, struct ramfs_attribute, mount, other_instance);
    REFUSED(one, struct ramfs_attribute, mount, root_node);
    REFUSED(one, struct ramfs_attribute, mount, UINT64_C(12345));
    REFUSED(one, struct ramfs_attribute, node, UINT64_C(12345));
    REFUSED(one, struct ramfs_attribute, node, (uintptr_t)instance);
    REFUSED(one, struct ramfs_attribute, node, hx_object_number(entry_called("hard")));
    REFUSED(one, struct ramfs_attribute, size_bytes, 4);
    REFUSED(one, struct ramfs_attribute, size_bytes, UINT32_MAX);
    REFUSED(one, struct ramfs_attribute, name_length, 0);
    REFUSED(one, struct ramfs_attribute, name_length, 9);
    REFUSED(one, struct ramfs_attribute, name_length, UINT32_MAX);
    REFUSED(one, struct ramfs_attribute, pieces[0], large->pieces[0]);
    REFUSED(large, struct ramfs_attribute, size_bytes, 33001);
    REFUSED(large, struct ramfs_attribute, size_bytes, 100);
    REFUSED(large, struct ramfs_attribute, pieces[0], 0);
    REFUSED(large, struct ramfs_attribute, pieces[0], large->pieces[1]);
    REFUSED(large, struct ramfs_attribute, pieces[1], large->pieces[0]);
    REFUSED(large, struct ramfs_attribute, pieces[3], large->pieces[0]);
    REFUSED(large, struct ramfs_attribute, pieces[1], f_node);
    REFUSED(piece, struct ramfs_piece, attribute, hx_object_number(one));
    REFUSED(piece, struct ramfs_piece, attribute, f_node);
    REFUSED(piece, struct ramfs_piece, attribute, UINT64_C(12345));
    REFUSED(piece, struct ramfs_piece, index, 2);
    REFUSED(piece, struct ramfs_piece, index, 0);
}

// Attributes that nobody could have set beside each other: of one name, or more than a list takes.
static void test_damaged_lists(void) {
    struct ramfs_attribute *twin = NULL;
    char name[FS_XATTR_NAME_MAX + 1];
    const struct ramfs_attribute *one = attribute_called("user.one");
    REFUSED(attribute_called("user.none"), struct ramfs_attribute, text[7], '\0');
    REFUSED(attribute_called("user.none"), struct ramfs_attribute, text[0], '\0');
    const size_t size_bytes = hx_object_of(one)->size_bytes;
    twin = (struct ramfs_attribute *)(uintptr_t)new_object(RAMFS_ATTRIBUTE, size_bytes);
    write_over(twin, 0, one, size_bytes);
    CHECK(import() == HX_ERR_CORRUPT);
    free_object(twin);
    CHECK(import() == HX_OK);
    uint32_t count = 0;
    enum hx_status status = HX_OK;
    while (status == HX_OK) {
        (void)snprintf(name, sizeof(name), "user.%0250u", count++);
        status = xattr_set(instance, e_node, name, 0);
    }
    CHECK(status == HX_ERR_NO_SPACE && import() == HX_OK);
    REFUSED(one, struct ramfs_attribute, node, e_node);
    (void)snprintf(name, sizeof(name), "user.%0250u", 0u);
    CHECK(ops->removexattr(instance, e_node, text(name)) == HX_OK && import() == HX_OK);
    write_over(one, offsetof(struct ramfs_attribute, node), &e_node, sizeof(e_node));
    CHECK(import() == HX_OK);
    write_over(one, offsetof(struct ramfs_attribute, node), &f_node, sizeof(f_node));
}

static void test_damaged_objects(void) {
    static const struct {
        uint32_t type;
        size_t size_bytes;
    } none[] = { { RAMFS_MOUNT, 8 },
                 { RAMFS_MOUNT, sizeof(struct ramfs_mount) + 1 },
                 { RAMFS_NODE, 8 },
                 { RAMFS_ENTRY, 8 },
                 { RAMFS_ENTRY, sizeof(struct ramfs_entry) },
                 { RAMFS_ENTRY, sizeof(struct ramfs_entry) + FS_NAME_MAX + 1 },
                 { RAMFS_ATTRIBUTE, 64 },
                 { RAMFS_ATTRIBUTE, 8 },
                 { RAMFS_PIECE, 8 },
                 { RAMFS_PIECE, 64 },
                 { RAMFS_PIECE + 1, 64 },
                 { 0, 64 } };
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        const void *object = new_object(none[i].type, none[i].size_bytes);
        CHECK(import() == HX_ERR_CORRUPT);
        free_object(object);
        CHECK(import() == HX_OK);
    }
}

// A file of the other instance, whose name is in a directory of this one behind names that are.
static void test_damaged_mount(uint64_t other_instance) {
    const struct ramfs_entry *name = entry_called("40");
    const uint64_t numbers[] = { other_instance, (uintptr_t)instance };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        write_over(node(name->node), offsetof(struct ramfs_node, mount), &numbers[i], 8);
        write_over(name, offsetof(struct ramfs_entry, mount), &numbers[i], 8);
        CHECK(import() == (i == 0 ? HX_ERR_CORRUPT : HX_OK));
    }
}

// The numbers of the next two objects: places are given again, the one freed last first.
static void next_numbers(uint64_t out_numbers[2]) {
    const void *objects[2] = { new_object(0, 64), new_object(0, 64) };
    for (int i = 1; i >= 0; i--) {
        out_numbers[i] = hx_object_number(objects[i]) + (UINT64_C(1) << 32);
        free_object(objects[i]);
    }
}

// Of an instance that is mounted next: nodes without links and a name, which it would take for its
// own in a life that does not check.
static void test_damaged_future(void) {
    uint64_t next[2], root;
    next_numbers(next);
    void *probe = mount_plain(&root);
    CHECK((uintptr_t)probe == next[0] && root == next[1]);
    CHECK(ops->unmount(probe) == HX_OK);
    next_numbers(next);
    write_over(node(gone_node), offsetof(struct ramfs_node, mount), &next[0], 8);
    CHECK(import() == HX_ERR_CORRUPT);
    const uint64_t own = (uintptr_t)instance;
    write_over(node(gone_node), offsetof(struct ramfs_node, mount), &own, 8);
    CHECK(import() == HX_OK);
}

static void test_damage(void) {
    begin();
    uint64_t other_root;
    void *other = mount_plain(&other_root);
    test_damaged_nodes((uintptr_t)other);
    test_damaged_entries((uintptr_t)other, other_root);
    test_damaged_attributes((uintptr_t)other);
    test_damaged_lists();
    test_damaged_objects();
    test_damaged_mount((uintptr_t)other);
    test_damaged_future();
    CHECK(ops->unmount(other) == HX_OK);
    end();
}

// Two names of one cookie: the directory cannot be read; all else goes on.
static void test_cookies(void) {
    struct fs_entry entries[9];
    struct fs_info info;
    uint32_t count;
    begin();
    write_over(entry_called("1"), offsetof(struct ramfs_entry, cookie), &entry_called("2")->cookie,
               sizeof(uint64_t));
    CHECK(import() == HX_OK);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(ops->readdir(instance, d_node, 0, entries, 9, &count) == HX_ERR_CORRUPT);
        CHECK(ops->lookup(instance, d_node, text("1"), &info) == HX_OK);
        CHECK(ops->getinfo(instance, d_node, &info) == HX_OK && info.size_bytes == 47 * 20);
    }
    CHECK(ops->unlink(instance, d_node, text("2"), false) == HX_OK);
    CHECK(ops->readdir(instance, d_node, 0, entries, 9, &count) == HX_OK && count == 9);
    end();
}

// Directories in each other, which nobody finds from the root: they are freed with the instance.
static void test_circle(void) {
    struct fs_info info;
    begin();
    CHECK(ops->lookup(instance, d_node, text("inner"), &info) == HX_OK);
    const uint32_t two = 3;
    write_over(entry_called("d"), offsetof(struct ramfs_entry, directory), &info.node,
               sizeof(info.node));
    hash_set(entry_called("d"), info.node);
    write_over(node(info.node), offsetof(struct ramfs_node, info.links), &two, sizeof(two));
    write_over(node(root_node), offsetof(struct ramfs_node, info.links), &two, sizeof(two));
    CHECK(import() == HX_OK);
    CHECK(ops->lookup(instance, root_node, text("d"), &info) == HX_ERR_NOT_FOUND);
    end();
}

// As many instances as ring 3 has updates for are believed, and no more; what is the kernel's
// own has no such limit.
static void test_too_many(void) {
    begin();
    for (uint32_t i = 1; i < HX_UPDATES_ISOLATED - RAMFS_SETTINGS; i++) {
        CHECK(new_object(RAMFS_MOUNT, sizeof(struct ramfs_mount)) != NULL);
    }
    CHECK(import() == HX_OK);
    const void *last = new_object(RAMFS_MOUNT, sizeof(struct ramfs_mount));
    CHECK(import() == HX_ERR_LIMIT);
    is_foreign = false;
    CHECK(import() == HX_OK);
    is_foreign = true;
    free_object(last);
    CHECK(import() == HX_OK);
    arena_fini(&arena);
    life_end();
}

// Some words of some objects are others: a life is refused, or whatever it does stays inside of its
// memory, and comes to an end.
#define ROUNDS 3000u

static uint64_t seed = 1;

static uint64_t some(uint64_t below) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static const void *some_object(void) {
    void *objects[256];
    uint32_t index = 0;
    const uint32_t count = arena_walk(&arena, &index, objects, 256);
    return objects[some(count)];
}

static uint64_t some_value(uint64_t old) {
    uint64_t next[2];
    switch (some(7)) {
    case 6:
        next_numbers(next);
        return next[some(2)];
    case 0:
        return hx_object_number(some_object());
    case 1:
        return some(4);
    case 2:
        return old + 1;
    case 3:
        return old - 1;
    case 4:
        return UINT64_MAX >> some(64);
    default:
        return old ^ UINT64_C(1) << some(64);
    }
}

static void damage_some(void) {
    const void *object = some_object();
    const size_t size_bytes = 4 << some(2);
    const size_t words = hx_object_of(object)->size_bytes / size_bytes;
    const size_t offset = some(words) * size_bytes;
    uint64_t old = 0;
    memcpy(&old, (const uint8_t *)object + offset, size_bytes);
    const uint64_t value = some_value(old);
    write_over(object, offset, &value, size_bytes);
}

// Another instance comes, and a life that believes what it finds: what was accepted is right.
static void live_with_it(void) {
    struct fs_entry entries[9];
    uint32_t count;
    uint64_t root;
    void *other = mount_plain(&root);
    is_foreign = false;
    CHECK(import() == HX_OK);
    is_foreign = true;
    for (uint32_t i = 0; i < 12; i++) {
        HX_IGNORE(changes[some(ARRAY_SIZE(changes) - 1)]()); // all but the last, which checks
        HX_IGNORE(ops->readdir(instance, d_node, some(80), entries, 9, &count));
    }
    CHECK(depth == 0);
    CHECK(ops->unmount(other) == HX_OK);
    HX_IGNORE(ops->unmount(instance));
}

static void test_damage_at_random(void) {
    uint32_t refusals = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        begin();
        for (uint64_t i = some(3) + 1; i > 0; i--) {
            damage_some();
        }
        enum hx_status status = import();
        CHECK(status == HX_OK || status == HX_ERR_CORRUPT);
        if (status == HX_OK) {
            live_with_it();
        }
        refusals += status != HX_OK;
        arena_fini(&arena);
    }
    CHECK(refusals > ROUNDS / 10 && refusals < ROUNDS);
    life_end();
}

int main(void) {
    test_damage();
    test_cookies();
    test_circle();
    test_too_many();
    test_damage_at_random();
    return 0;
}
