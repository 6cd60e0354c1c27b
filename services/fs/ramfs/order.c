// SPDX-License-Identifier: MIT OR Apache-2.0
// order.c: the entries of each directory in the order of their cookies, for reading it. An array:
// cookies only grow, so that new entries come to its end, and one is found by halving.
//
// In a life that was begun with entries it is made for all directories at the first reading of any;
// until then they are counted.
#include "ramfs.h"

#include <lib/string.h>

#define PLACES_AT_FIRST 8u
#define GONE_AT_LEAST   16u

// A directory's `local`: NULL: it is empty; an odd number, of whose lower half: twice how many
// entries it has, and 1 (the upper half is what import.c left there); else its order.
static uintptr_t local_of(const struct ramfs_node *directory) {
    return (uintptr_t)hx_object_of(directory)->local;
}

struct ramfs_order *ramfs_order_of(const struct ramfs_node *directory) {
    return (local_of(directory) & 1) == 0 ? hx_object_of(directory)->local : NULL;
}

static void order_set(const struct ramfs_node *directory, struct ramfs_order *order) {
    hx_object_of(directory)->local = order;
}

static void count_set(const struct ramfs_node *directory, uint64_t count) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a number
    hx_object_of(directory)->local = count == 0 ? NULL : (void *)(uintptr_t)(count * 2 + 1);
}

uint64_t ramfs_entries(const struct ramfs_node *directory) {
    const struct ramfs_order *order = ramfs_order_of(directory);
    return order != NULL ? order->count - order->gone : (uint32_t)local_of(directory) / 2;
}

void ramfs_order_destroy(const struct ramfs_node *node) {
    hx_free(ramfs_env, ramfs_order_of(node));
    order_set(node, NULL);
}

static struct ramfs_order *order_create(uint32_t capacity) {
    struct ramfs_order *order =
        hx_alloc(ramfs_env, sizeof(*order) + capacity * sizeof(order->at[0]));
    if (order != NULL) {
        order->capacity = capacity;
    }
    return order;
}

// Those that are there, one behind the other; `to` may be `from`.
static void compact(const struct ramfs_order *from, struct ramfs_order *to) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        if (from->at[i].entry != NULL) {
            to->at[count++] = from->at[i];
        }
    }
    to->count = count;
    to->gone = 0;
}

enum hx_status ramfs_order_reserve(struct ramfs *fs, const struct ramfs_node *directory) {
    struct ramfs_order *order = ramfs_order_of(directory);
    if (!fs->is_ordered || (order != NULL && order->count < order->capacity)) {
        return HX_OK;
    }
    struct ramfs_order *larger =
        order_create(order == NULL ? PLACES_AT_FIRST : order->capacity * 2);
    if (larger == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    if (order != NULL) {
        compact(order, larger);
        hx_free(ramfs_env, order);
    }
    order_set(directory, larger);
    return HX_OK;
}

void ramfs_order_append(const struct ramfs *fs, const struct ramfs_node *directory,
                        const struct ramfs_entry *entry) {
    struct ramfs_order *order = ramfs_order_of(directory);
    if (fs->is_ordered) {
        order->at[order->count++] = (struct ramfs_place){ entry->cookie, entry };
    } else {
        count_set(directory, ramfs_entries(directory) + 1);
    }
}

uint32_t ramfs_order_after(const struct ramfs_order *order, uint64_t cookie) {
    uint32_t low = 0;
    uint32_t high = order->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (order->at[middle].cookie > cookie) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void ramfs_order_remove(const struct ramfs *fs, const struct ramfs_node *directory,
                        const struct ramfs_entry *entry) {
    struct ramfs_order *order = ramfs_order_of(directory);
    if (!fs->is_ordered) {
        count_set(directory, ramfs_entries(directory) - 1);
        return;
    }
    order->at[ramfs_order_after(order, entry->cookie) - 1].entry = NULL;
    order->gone++;
    if (order->gone == order->count) { // its room stays: one more may be about to come
        order->count = 0;
        order->gone = 0;
    } else if (order->gone > GONE_AT_LEAST && order->gone > order->count / 2) {
        compact(order, order);
    }
}

// After a change of version
// -----------------------------------------------------------------------------------------------

// In a heap of the largest cookies, lets the one at `root` sink to its place.
static void sink(struct ramfs_place *at, uint32_t root, uint32_t count) {
    const struct ramfs_place sinking = at[root];
    for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && at[child + 1].cookie > at[child].cookie) {
            child++;
        }
        if (at[child].cookie <= sinking.cookie) {
            break;
        }
        at[root] = at[child];
        root = child;
    }
    at[root] = sinking;
}

static void sort(struct ramfs_order *order) {
    for (uint32_t i = order->count / 2; i > 0; i--) {
        sink(order->at, i - 1, order->count);
    }
    for (uint32_t end = order->count; end > 1; end--) {
        const struct ramfs_place last = order->at[0];
        order->at[0] = order->at[end - 1];
        order->at[end - 1] = last;
        sink(order->at, 0, end - 1);
    }
}

// Each is found by its cookie.
static bool is_strict(const struct ramfs_order *order) {
    uint32_t i = 1;
    while (i < order->count && order->at[i - 1].cookie < order->at[i].cookie) {
        i++;
    }
    return i >= order->count;
}

static enum hx_status collect(const struct ramfs_node *directory, const struct ramfs_entry *entry) {
    struct ramfs_order *order = ramfs_order_of(directory);
    if (order == NULL) {
        order = order_create((uint32_t)ramfs_entries(directory) + PLACES_AT_FIRST);
        if (order == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        order_set(directory, order);
    }
    order->at[order->count++] = (struct ramfs_place){ entry->cookie, entry };
    if (order->count == order->capacity - PLACES_AT_FIRST) { // that was the last one
        sort(order);
        return is_strict(order) ? HX_OK : HX_ERR_CORRUPT;
    }
    return HX_OK;
}

// As it was before.
static enum hx_status drop(const struct ramfs_node *directory, const struct ramfs_entry *entry) {
    struct ramfs_order *order = ramfs_order_of(directory);
    (void)entry;
    if (order != NULL) {
        count_set(directory, order->capacity - PLACES_AT_FIRST);
        hx_free(ramfs_env, order);
    }
    return HX_OK;
}

static enum hx_status for_all(const struct ramfs *fs,
                              enum hx_status (*visit)(const struct ramfs_node *directory,
                                                      const struct ramfs_entry *entry)) {
    enum hx_status status = HX_OK;
    for (uint64_t i = 0; i < fs->bucket_count && status == HX_OK; i++) {
        const struct ramfs_entry *entry = fs->buckets[i];
        for (; entry != NULL && status == HX_OK; entry = hx_object_of(entry)->local) {
            status = visit(hx_arena_at(ramfs_env, entry->directory), entry);
        }
    }
    return status;
}

enum hx_status ramfs_order_all(struct ramfs *fs) {
    enum hx_status status = fs->is_ordered ? HX_OK : for_all(fs, collect);
    fs->is_ordered = status == HX_OK;
    if (status != HX_OK) {
        HX_IGNORE(for_all(fs, drop)); // it refuses nothing
    }
    return status;
}
