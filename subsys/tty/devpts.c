// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/devpts.c: the file system "devpts": the terminals of pairs, by their numbers, and
// ptmx. Every mount shows the same pairs (Linux: an instance each,
// Documentation/filesystems/devpts.rst); what a mount says of owners and modes holds for all later
// pairs, until another one says something else.
#include <core/lock.h>
#include <lib/format.h>
#include <lib/string.h>

#include "private.h"

#define MAJOR_TTY_AUX 5u
#define MINOR_PTMX    2u
#define MAJOR_PTS     136u
#define DEVPTS_MAGIC  0x1cd1u
#define NODE_ROOT     UINT64_C(1)
#define NODE_PTMX     UINT64_C(2)
#define NODE_FIRST    UINT64_C(3) // and a pair's identity
#define COOKIE_PTMX   UINT64_C(1)
#define COOKIE_FIRST  UINT64_C(2) // and a pair's number
#define MODE_BITS     07777u

struct settings {
    uint32_t mode, ptmx_mode;
    uint32_t uid, gid;
    bool has_uid, has_gid;
};

static const struct lock_class settings_class = { .name = "devpts", .rank = LOCK_RANK_LEAF };
static struct spinlock settings_lock = SPINLOCK_INIT(&settings_class);
static struct settings settings = { .mode = 0600 }; // [settings_lock]
static struct fs_type devpts_type;

static struct settings settings_get(void) {
    const unsigned long irq = spin_lock_irq(&settings_lock);
    const struct settings now = settings;
    spin_unlock_irq(&settings_lock, irq);
    return now;
}

void devpts_defaults(struct pty_node *node) {
    const struct settings now = settings_get();
    node->mode = now.mode;
    node->uid = now.has_uid ? now.uid : node->uid;
    node->gid = now.has_gid ? now.gid : node->gid;
}

bool devpts_is_node(struct inode *inode, uint64_t id) {
    return inode != NULL && inode->fs->type == &devpts_type && inode->node == NODE_FIRST + id;
}

// Options
// ------------------------------------------------------------------------------------------------

static bool to_number(const char *text, size_t length, uint32_t base, uint32_t most,
                      uint32_t *out_value) {
    uint64_t value = 0;
    for (size_t i = 0; i < length && value <= most; i++) {
        const uint32_t digit = (uint32_t)(uint8_t)text[i] - '0';
        value = digit < base ? value * base + digit : UINT64_MAX / 16;
    }
    *out_value = (uint32_t)value;
    return length > 0 && value <= most;
}

// One that stands before `end`.
static bool option_apply(struct settings *to, const char *option, const char *end) {
    const struct {
        const char *key;
        uint32_t base, most;
        uint32_t *value;
    } known[] = {
        { "mode=", 8, MODE_BITS, &to->mode },
        { "ptmxmode=", 8, MODE_BITS, &to->ptmx_mode },
        { "uid=", 10, UINT32_MAX - 1, &to->uid },
        { "gid=", 10, UINT32_MAX - 1, &to->gid },
    };
    const size_t length = (size_t)(end - option);
    for (uint32_t i = 0; i < ARRAY_SIZE(known); i++) {
        const size_t key = strlen(known[i].key);
        if (length > key && memcmp(option, known[i].key, key) == 0) {
            to->has_uid |= known[i].value == &to->uid;
            to->has_gid |= known[i].value == &to->gid;
            return to_number(option + key, length - key, known[i].base, known[i].most,
                             known[i].value);
        }
    }
    // Known, and of no consequence here.
    return length == 0 || (length == 11 && memcmp(option, "newinstance", 11) == 0) ||
           (length > 4 && memcmp(option, "max=", 4) == 0);
}

static bool options_apply(struct settings *to, const char *options) {
    bool is_valid = true;
    while (is_valid && *options != '\0') {
        const char *comma = strchr(options, ',');
        const char *end = comma != NULL ? comma : options + strlen(options);
        is_valid = option_apply(to, options, end);
        options = comma != NULL ? comma + 1 : end;
    }
    return is_valid;
}

// Nodes
// ------------------------------------------------------------------------------------------------

static void terminal_info(const struct pty_node *node, struct fs_info *out_info) {
    *out_info = (struct fs_info){ .node = NODE_FIRST + node->id,
                                  .mode = FS_MODE_CHAR | node->mode,
                                  .links = 1,
                                  .uid = node->uid,
                                  .gid = node->gid,
                                  .device = (uint64_t)MAJOR_PTS << 32 | node->number,
                                  .accessed = node->accessed,
                                  .modified = node->modified,
                                  .changed = node->changed };
}

static enum hx_status devpts_getinfo(void *fs, uint64_t number, struct fs_info *out_info) {
    struct pty_node node;
    (void)fs;
    if (number == NODE_ROOT) {
        *out_info =
            (struct fs_info){ .node = NODE_ROOT, .mode = FS_MODE_DIRECTORY | 0755, .links = 2 };
        return HX_OK;
    }
    if (number == NODE_PTMX) {
        *out_info = (struct fs_info){ .node = NODE_PTMX,
                                      .mode = FS_MODE_CHAR | settings_get().ptmx_mode,
                                      .links = 1,
                                      .device = (uint64_t)MAJOR_TTY_AUX << 32 | MINOR_PTMX };
        return HX_OK;
    }
    if (!pty_find(number - NODE_FIRST, &node)) {
        return HX_ERR_INVALID;
    }
    terminal_info(&node, out_info);
    return HX_OK;
}

static enum hx_status devpts_setinfo(void *fs, uint64_t number, const struct fs_info *info,
                                     uint32_t what) {
    (void)fs;
    if (number < NODE_FIRST || (what & FS_SET_SIZE) != 0) {
        return HX_ERR_NOT_PERMITTED;
    }
    return pty_change(number - NODE_FIRST, info, what) ? HX_OK : HX_ERR_INVALID;
}

static enum hx_status devpts_lookup(void *fs, uint64_t directory, struct fs_name name,
                                    struct fs_info *out_info) {
    struct pty_node node;
    uint32_t number;
    if (directory != NODE_ROOT) {
        return HX_ERR_INVALID;
    }
    if (name.length == 4 && memcmp(name.text, "ptmx", 4) == 0) {
        return devpts_getinfo(fs, NODE_PTMX, out_info);
    }
    const bool is_padded = name.length > 1 && name.text[0] == '0'; // another name
    if (is_padded || !to_number(name.text, name.length, 10, UINT32_MAX - 1, &number) ||
        !pty_next(number, &node) || node.number != number) {
        return HX_ERR_NOT_FOUND;
    }
    terminal_info(&node, out_info);
    return HX_OK;
}

static void entry_put(struct fs_entry *entry, uint64_t node, uint64_t cookie, const char *name) {
    entry->node = node;
    entry->cookie = cookie;
    entry->mode = FS_MODE_CHAR;
    entry->name_length = (uint32_t)strlen(name);
    memcpy(entry->name, name, entry->name_length);
}

static enum hx_status devpts_readdir(void *fs, uint64_t directory, uint64_t cookie,
                                     struct fs_entry *out_entries, uint32_t capacity,
                                     uint32_t *out_count) {
    uint32_t count = 0;
    struct pty_node node;
    (void)fs;
    if (directory != NODE_ROOT) {
        return HX_ERR_INVALID;
    }
    if (cookie < COOKIE_PTMX && count < capacity) {
        entry_put(&out_entries[count++], NODE_PTMX, COOKIE_PTMX, "ptmx");
    }
    // A cookie is where the next one stands.
    uint64_t from = cookie > COOKIE_PTMX ? cookie - COOKIE_FIRST + 1 : 0;
    while (count < capacity && from <= UINT32_MAX && pty_next((uint32_t)from, &node)) {
        char name[12];
        format_string(name, sizeof(name), "%u", node.number);
        entry_put(&out_entries[count++], NODE_FIRST + node.id, COOKIE_FIRST + node.number, name);
        from = (uint64_t)node.number + 1;
    }
    *out_count = count;
    return HX_OK;
}

static enum hx_status devpts_forget(void *fs, uint64_t node) {
    (void)fs, (void)node;
    return HX_OK;
}

static enum hx_status devpts_describe(void *self, uint32_t *out_kind) {
    (void)self;
    *out_kind = FS_GENERATED | FS_UNCACHED;
    return HX_OK;
}

static enum hx_status devpts_mount(void *self, const char *options, uint64_t memory_bytes,
                                   void **out_fs, struct fs_info *out_root) {
    struct settings asked = settings_get();
    (void)memory_bytes;
    if (!options_apply(&asked, options)) {
        return HX_ERR_INVALID;
    }
    const unsigned long irq = spin_lock_irq(&settings_lock);
    settings = asked;
    spin_unlock_irq(&settings_lock, irq);
    *out_fs = self;
    return devpts_getinfo(self, NODE_ROOT, out_root);
}

static enum hx_status devpts_usage(void *fs, struct fs_usage *out_usage) {
    (void)fs;
    *out_usage = (struct fs_usage){ .block_bytes = PAGE_SIZE, .magic = DEVPTS_MAGIC };
    return HX_OK;
}

static const struct fs_ops devpts_ops = {
    .describe = devpts_describe,
    .mount = devpts_mount,
    .lookup = devpts_lookup,
    .readdir = devpts_readdir,
    .getinfo = devpts_getinfo,
    .setinfo = devpts_setinfo,
    .forget = devpts_forget,
    .usage = devpts_usage,
};

static struct fs_type devpts_type = { .name = "devpts", .ops = &devpts_ops, .self = &devpts_type };

enum hx_status devpts_init(void) {
    return vfs_type_register(&devpts_type);
}
