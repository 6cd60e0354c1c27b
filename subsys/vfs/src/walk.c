// SPDX-License-Identifier: MIT OR Apache-2.0
// walk.c: from the text of a path to a place in the tree; see walk.h.
//
// A text is walked component by component. A link's text is walked in between: the text that it
// interrupts goes onto a stack, unless nothing but slashes is left of it. So a component is the
// last one exactly if nothing but slashes follows it and the stack is empty.
#include "walk.h"

#include "inode.h"
#include "mount.h"
#include "repeat.h"

#include <core/ports/fs_calls.h>
#include <lib/string.h>
#include <memory/heap.h>

#define LIGHT_LINKS_MAX 8u // preemption is off in light mode: longer walks are counted

// Inside the walk only: start again in counted mode.
#define WALK_AGAIN HX_ERR_RESTART

// Loading names
// -----------------------------------------------------------------------------------------------

enum hx_status name_load_locked(struct name *directory, struct fs_name text, uint64_t hash,
                                struct name **out_name) {
    struct inode *inode = name_inode(directory);
    struct filesystem *fs = inode->fs;
    bool is_cached = (fs->kind & FS_UNCACHED) == 0 &&
                     (!name_is_dead(directory) || name_parent(directory) == NULL);
    struct name *name = is_cached ? name_find_get(directory, hash, text) : NULL;
    if (name != NULL) {
        *out_name = name;
        return HX_OK;
    }
    struct fs_info info;
    struct inode *found = NULL;
    enum hx_status status = node_lookup(fs, inode->node, text, &info);
    if (status == HX_OK) {
        status = inode_open(fs, &info, &found);
    } else if (status == HX_ERR_NOT_FOUND) {
        status = HX_OK;
    }
    if (status != HX_OK) {
        return status;
    }
    name = name_create(directory, text, found);
    if (name == NULL) {
        if (found != NULL) {
            inode_put(found);
        }
        return HX_ERR_NO_MEMORY;
    }
    *out_name = is_cached ? name_insert(name, hash) : name;
    return HX_OK;
}

enum hx_status name_load(struct name *directory, struct fs_name text, uint64_t hash,
                         struct name **out_name) {
    struct inode *inode = name_inode(directory);
    rwlock_read(&inode->lock);
    enum hx_status status = name_load_locked(directory, text, hash, out_name);
    rwlock_read_done(&inode->lock);
    return status;
}

struct path path_cross(struct path path) {
    while ((name_flags(path.name) & NAME_MOUNTED) != 0) {
        struct mount *over = mount_find_get(path.mount, path.name);
        if (over == NULL) {
            break;
        }
        path_put(path);
        path = (struct path){ over, name_get(over->root) };
    }
    return path;
}

// Modes
// -----------------------------------------------------------------------------------------------

// References on a place that was found in light mode; in an epoch. False: it went away.
static bool place_try_get(struct path place) {
    if (!name_try_get(place.name)) {
        return false;
    }
    if (object_try_get(&place.mount->object)) {
        return true;
    }
    epoch_leave(); // the put may sleep
    name_put(place.name);
    epoch_enter();
    return false;
}

// From light to counted at the present place; leaves the epoch. HX_OK or WALK_AGAIN.
static enum hx_status walk_count(struct walk *walk) {
    bool is_held = place_try_get(walk->at);
    bool is_true = is_held && !tree_changed(walk->sequence);
    epoch_leave();
    walk->root = (struct path){ NULL, NULL };
    if (!is_true) {
        if (is_held) {
            path_put(walk->at);
        }
        walk->at = (struct path){ NULL, NULL };
        return WALK_AGAIN;
    }
    walk->is_counted = true;
    walk->links = 0; // nothing is kept for those followed so far
    return HX_OK;
}

// A refusal in light mode, which counts only if the tree stood still; leaves the epoch.
static enum hx_status walk_refuse(struct walk *walk, enum hx_status status) {
    bool is_true = !tree_changed(walk->sequence);
    epoch_leave();
    walk->at = (struct path){ NULL, NULL };
    walk->root = (struct path){ NULL, NULL };
    walk->links = 0;
    return is_true ? status : WALK_AGAIN;
}

// Moves to a place; in counted mode takes its references.
static void walk_move(struct walk *walk, struct path to) {
    if (walk->is_counted) {
        path_put(walk->at);
    }
    walk->at = to;
}

static struct path context_path(const struct walk *walk, bool is_root) {
    const struct lookup *lookup = walk->lookup;
    struct fs_context *context = lookup->context;
    struct path path;
    if (context == NULL || (!is_root && lookup->base.name != NULL)) {
        path = lookup->base;
        return walk->is_counted ? path_get(path) : path;
    }
    spin_lock(&context->lock);
    path = is_root ? context->root : context->work;
    if (walk->is_counted) {
        path_get(path);
    }
    spin_unlock(&context->lock);
    return path;
}

static struct path walk_root(struct walk *walk) {
    if (walk->root.name == NULL) {
        walk->root = context_path(walk, true);
    }
    return walk->root;
}

static void walk_to_root(struct walk *walk) {
    struct path root = walk_root(walk);
    walk_move(walk, walk->is_counted ? path_get(root) : root);
}

// Steps
// -----------------------------------------------------------------------------------------------

// Where ".." leads: up, over mount points, but not above the root. In an epoch, without references.
static struct path place_above(struct path at, struct path root) {
    while (at.name == at.mount->root && !(at.name == root.name && at.mount == root.mount)) {
        struct mount *parent = mount_parent(at.mount);
        struct name *point = mount_point(at.mount);
        if (parent == NULL || point == NULL) {
            return at;
        }
        at = (struct path){ parent, point };
    }
    if (at.name != at.mount->root && !(at.name == root.name && at.mount == root.mount)) {
        at.name = name_parent(at.name);
    }
    return at;
}

static struct path place_over(struct path at) {
    for (struct mount *over; (name_flags(at.name) & NAME_MOUNTED) != 0 &&
                             (over = mount_find(at.mount, at.name)) != NULL;) {
        at = (struct path){ over, over->root };
    }
    return at;
}

static void walk_up(struct walk *walk) {
    struct path root = walk_root(walk);
    if (!walk->is_counted) {
        walk->at = place_over(place_above(walk->at, root));
        return;
    }
    struct path to;
    bool is_held;
    do { // again if a rename or an unmount has just taken the place away
        epoch_enter();
        to = place_over(place_above(walk->at, root));
        is_held = place_try_get(to);
        epoch_leave();
    } while (!is_held);
    walk_move(walk, to);
}

// Finds the component in `last` below the present place; counted: with a reference.
static enum hx_status walk_find(struct walk *walk, struct name **out_name) {
    struct name *directory = walk->at.name;
    struct name *name = NULL;
    if (walk->is_counted) {
        epoch_enter();
    }
    name = name_find(directory, walk->last_hash, walk->last.text, walk->last.length);
    if (!walk->is_counted) {
        if (name != NULL) {
            *out_name = name;
            return HX_OK;
        }
        enum hx_status status = walk->links == 0 ? walk_count(walk) : walk_refuse(walk, WALK_AGAIN);
        return status == HX_OK ? name_load(directory, walk->last, walk->last_hash, out_name)
                               : status;
    }
    if (name != NULL && !name_try_get(name)) {
        name = NULL;
    }
    epoch_leave();
    if (name != NULL) {
        *out_name = name;
        return HX_OK;
    }
    return name_load(directory, walk->last, walk->last_hash, out_name);
}

// Links
// -----------------------------------------------------------------------------------------------

// The text of a link that a file system makes up, in a buffer of the walk's.
static enum hx_status walk_read_link(struct walk *walk, struct inode *link, const char **out_text) {
    uint32_t length = 0;
    char *buffer = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    if (buffer == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    walk->link_buffers[walk->links - 1] = buffer;
    enum hx_status status = fs_call_follow(filesystem_port(link->fs), link->fs->instance,
                                           link->node, buffer, PATH_BYTES_MAX - 1, &length);
    if (status == HX_OK) {
        buffer[length] = '\0';
        *out_text = buffer;
    }
    return status;
}

// Goes on with the text of a link; the walk stands in the directory that has it.
static enum hx_status walk_follow(struct walk *walk, struct inode *link) {
    const char *text = NULL;
    if (walk->links == PATH_LINKS_MAX || (walk->flags & LOOKUP_NO_LINKS) != 0) {
        return HX_ERR_TOO_MANY_LINKS;
    }
    if (!walk->is_counted) {
        text = atomic_load_explicit(&link->target, memory_order_acquire);
        if (text == NULL || walk->links == LIGHT_LINKS_MAX || inode_has_flag(link, FS_UNCACHED)) {
            return walk_refuse(walk, WALK_AGAIN); // starts anew, counted
        }
        walk->links++;
    } else {
        enum hx_status status = HX_OK;
        walk->link_buffers[walk->links] = NULL;
        walk->link_inodes[walk->links++] = inode_get(link);
        const struct fs_type *type = link->fs->type;
        if (type->jump != NULL) {
            struct path to;
            status = type->jump(link->fs->instance, link->node, &to);
            if (status == HX_OK) {
                walk_move(walk, to);
                return HX_OK;
            }
            if (status == HX_ERR_NO_OPERATION && walk->jump == NULL) {
                walk->jump = inode_get(link);
            }
            if (status != HX_ERR_NOT_LINK) {
                return status;
            }
        }
        status = inode_has_flag(link, FS_UNCACHED) ? walk_read_link(walk, link, &text)
                                                   : inode_target(link, &text);
        if (status != HX_OK) {
            return status;
        }
    }
    if (*text == '\0') {
        return HX_ERR_NOT_FOUND;
    }
    if (*walk->rest != '\0') {
        walk->stack[walk->depth++] = walk->rest;
    }
    walk->rest = text;
    if (*text == '/') {
        walk_to_root(walk);
    }
    return HX_OK;
}

// The walk
// -----------------------------------------------------------------------------------------------

#define BYTES_ONE  UINT64_C(0x0101010101010101)
#define BYTES_HIGH UINT64_C(0x8080808080808080)
#define BYTES(c)   ((uint64_t)(c) * BYTES_ONE)

// Bit 7 of each zero byte, exact up to the first (Hacker's Delight, 6-1).
static inline uint64_t zero_bytes(uint64_t word) {
    return (word - BYTES_ONE) & ~word & BYTES_HIGH;
}

// The eight bytes at a place in a terminated text; those behind the end are anything. Memory behind
// the text is read, but never of another page; sanitizers would mind.
__attribute__((no_sanitize("address", "thread"))) static inline uint64_t word_at(const char *at) {
    uint64_t word = 0;
    if (((uintptr_t)at & PAGE_MASK) <= PAGE_SIZE - sizeof(word)) {
        __builtin_memcpy(&word, at, sizeof(word));
        return word;
    }
    for (uint32_t i = 0; i < sizeof(word) && at[i] != '\0'; i++) {
        word |= (uint64_t)(uint8_t)at[i] << 8 * i;
    }
    return word;
}

// Finds the end of the component that starts at `text`, and hashes it.
static inline const char *component_end(const char *text, uint64_t *out_hash) {
    uint64_t hash = name_hash_secret;
    uint64_t word;
    uint64_t ends;
    for (;;) {
        word = word_at(text);
        ends = zero_bytes(word) | zero_bytes(word ^ BYTES('/'));
        if (ends != 0) {
            break;
        }
        hash = name_hash_word(hash, word);
        text += sizeof(word);
    }
    *out_hash = name_hash_word(hash, word & (ends ^ (ends - 1)) >> 8);
    return text + __builtin_ctzll(ends) / 8;
}

// Takes the next component off the text into `last`; the slashes behind it, too.
static enum hx_status walk_component(struct walk *walk) {
    uint64_t hash;
    const char *end = component_end(walk->rest, &hash);
    if (end - walk->rest > (ptrdiff_t)FS_NAME_MAX) {
        return HX_ERR_NAME_TOO_LONG;
    }
    walk->last.text = walk->rest;
    walk->last.length = (uint32_t)(end - walk->rest);
    walk->last_hash = name_hash_end(hash, walk->at.name);
    walk->is_trailing = *end == '/';
    while (*end == '/') {
        end++;
    }
    walk->rest = end;
    return HX_OK;
}

// Light mode: goes over all components that ask for nothing but a look into the cache, and stops
// before the first other one, which walk_on() then treats.
static void walk_light(struct walk *walk) {
    struct name *at = walk->at.name;
    const struct inode *inode = name_inode(at);
    const char *rest = walk->rest;
    for (;;) {
        uint32_t mode = inode_mode(inode);
        uint64_t hash;
        if ((mode & FS_MODE_TYPE) != FS_MODE_DIRECTORY || (mode & 0111) != 0111 || *rest == '.' ||
            *rest == '\0') {
            break;
        }
        const char *end = component_end(rest, &hash);
        const char *next = end;
        while (*next == '/') {
            next++;
        }
        if (end - rest > (ptrdiff_t)FS_NAME_MAX ||
            (*next == '\0' && (next != end || walk->wants_parent))) {
            break;
        }
        struct name *name = name_find(at, name_hash_end(hash, at), rest, (uint32_t)(end - rest));
        if (name == NULL || (name_flags(name) & NAME_MOUNTED) != 0) {
            break;
        }
        inode = name_inode(name);
        if (inode == NULL || inode_type(inode) == FS_MODE_LINK) {
            break;
        }
        at = name;
        rest = next;
    }
    walk->at.name = at;
    walk->rest = rest;
}

static bool is_dots(struct fs_name text, uint32_t count) {
    return text.length == count && text.text[0] == '.' && text.text[count - 1] == '.';
}

// One step over the component in `last`.
static enum hx_status walk_step(struct walk *walk, bool is_last) {
    if (walk->last.text[0] == '.' && walk->last.length <= 2) {
        if (walk->last.length == 1) {
            return HX_OK;
        }
        if (is_dots(walk->last, 2)) {
            walk_up(walk);
            return HX_OK;
        }
    }
    struct name *name;
    enum hx_status status = walk_find(walk, &name);
    if (status != HX_OK) {
        return status;
    }
    struct inode *inode = name_inode(name);
    if (inode == NULL) {
        status = HX_ERR_NOT_FOUND;
    } else if (inode_type(inode) == FS_MODE_LINK &&
               (!is_last || walk->must_be_directory || (walk->flags & LOOKUP_FOLLOW) != 0)) {
        status = walk_follow(walk, inode);
    } else {
        struct path to = { walk->at.mount, name };
        if (walk->is_counted) {
            mount_get(to.mount);
        }
        if ((name_flags(name) & NAME_MOUNTED) != 0) {
            to = walk->is_counted ? path_cross(to) : place_over(to);
        }
        walk_move(walk, to);
        return HX_OK;
    }
    if (walk->is_counted) {
        name_put(name);
    }
    return status;
}

// Whether components may be looked up at the present place.
static enum hx_status walk_check(const struct walk *walk) {
    struct inode *inode = name_inode(walk->at.name);
    uint32_t mode = inode_mode(inode);
    if ((mode & FS_MODE_TYPE) != FS_MODE_DIRECTORY) {
        return HX_ERR_NOT_DIRECTORY;
    }
    if ((mode & 0111) == 0111 || walk->lookup->credentials == NULL) {
        return HX_OK;
    }
    return inode_permission(inode, walk->lookup->credentials, WANT_EXECUTE);
}

// Walks what is left. The epoch may have been left (is_counted) when this returns.
static enum hx_status walk_on(struct walk *walk) {
    for (;;) {
        while (*walk->rest == '/') {
            walk->rest++;
        }
        if (!walk->is_counted) {
            walk_light(walk);
        }
        if (*walk->rest == '\0') {
            if (walk->depth == 0) {
                break;
            }
            walk->rest = walk->stack[--walk->depth];
            continue;
        }
        enum hx_status status = walk_check(walk);
        if (status == HX_OK) {
            status = walk_component(walk);
        }
        if (status != HX_OK) {
            return status;
        }
        bool is_last = *walk->rest == '\0' && walk->depth == 0;
        if (is_last) {
            walk->must_be_directory |= walk->is_trailing;
            if (walk->wants_parent) {
                return HX_OK;
            }
        }
        status = walk_step(walk, is_last);
        if (status != HX_OK) {
            return status;
        }
    }
    walk->last.length = 0;
    if (walk->must_be_directory && inode_type(name_inode(walk->at.name)) != FS_MODE_DIRECTORY) {
        return HX_ERR_NOT_DIRECTORY;
    }
    return HX_OK;
}

static void walk_begin(struct walk *walk, bool is_counted) {
    walk->is_counted = is_counted;
    walk->at = (struct path){ NULL, NULL };
    walk->root = (struct path){ NULL, NULL };
    walk->rest = walk->path;
    walk->must_be_directory = (walk->flags & LOOKUP_DIRECTORY) != 0;
    walk->is_trailing = false;
    walk->depth = 0;
    walk->links = 0;
    walk->last = (struct fs_name){ walk->path, 0 };
    if (!is_counted) {
        epoch_enter();
        walk->sequence = tree_sequence();
    }
    walk->at = context_path(walk, walk->path[0] == '/');
}

enum hx_status walk_path(struct walk *walk, const struct lookup *lookup, const char *path,
                         bool wants_parent) {
    walk->lookup = lookup;
    walk->path = path;
    walk->flags = lookup->flags;
    walk->wants_parent = wants_parent;
    walk->jump = NULL;
    if (path[0] == '\0' && (walk->flags & LOOKUP_EMPTY) == 0) {
        walk->is_counted = false; // nothing to give back
        return HX_ERR_NOT_FOUND;
    }
    walk_begin(walk, false);
    enum hx_status status = walk_on(walk);
    if (!walk->is_counted && status != WALK_AGAIN) {
        status = status == HX_OK ? walk_count(walk) : walk_refuse(walk, status);
    }
    if (!walk->is_counted && status == WALK_AGAIN) {
        walk_begin(walk, true);
        status = walk_on(walk);
    }
    return status;
}

enum hx_status walk_over(struct walk *walk, struct inode *link) {
    enum hx_status status = walk_follow(walk, link);
    return status == HX_OK ? walk_on(walk) : status;
}

struct path walk_take(struct walk *walk) {
    struct path path = walk->at;
    walk->at = (struct path){ NULL, NULL };
    return path;
}

void walk_end(struct walk *walk) {
    if (!walk->is_counted) {
        return;
    }
    path_put(walk->at);
    path_put(walk->root);
    for (uint32_t i = 0; i < walk->links; i++) {
        inode_put(walk->link_inodes[i]);
        heap_free(walk->link_buffers[i]);
    }
    if (walk->jump != NULL) {
        inode_put(walk->jump);
    }
}

enum hx_status path_lookup(const struct lookup *lookup, const char *path, struct path *out_path) {
    struct walk walk;
    enum hx_status status = walk_path(&walk, lookup, path, false);
    if (status == HX_OK) {
        *out_path = walk_take(&walk);
    }
    walk_end(&walk);
    return status;
}

enum hx_status path_lookup_parent(const struct lookup *lookup, const char *path,
                                  struct path *out_directory, struct fs_name *out_last,
                                  bool *out_trailing_slash) {
    struct walk walk;
    enum hx_status status = walk_path(&walk, lookup, path, true);
    if (status == HX_OK) {
        *out_last = walk.last;
        *out_trailing_slash = walk.is_trailing;
        *out_directory = walk_take(&walk);
    }
    walk_end(&walk);
    return status;
}
