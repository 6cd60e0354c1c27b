// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton.c: a disk in memory, through helix.block. What is on it outlives the module's deaths,
// swaps and moves: it lies in the module's arena, as objects of a page each.
#include <helix/env.h>
#include <helix/ports/block_port.h>
#include <lib/string.h>

#define SECTOR_BYTES BLOCK_SECTOR_MIN
#define DISK_BYTES   ((size_t)256 << 10)
#define SECTORS      (DISK_BYTES / SECTOR_BYTES)
#define PART_BYTES   PAGE_SIZE
#define PARTS        (DISK_BYTES / PART_BYTES)

#define SCHEMA 1u // of the arena: another number when the objects look otherwise

enum { SKELETON_PART = 1 }; // the one type of objects

struct part {
    uint64_t number; // of it on the disk
    uint8_t bytes[PART_BYTES];
};

struct skeleton {
    struct hx_env *env;
    struct hx_mutex lock;
    struct hx_update *update;          // [lock]
    const struct part *parts[PARTS];   // set by init or import, before the first transfer
    const struct block_events *events; // set once, before the first transfer
    void *client;
};

static enum hx_status skeleton_attach(void *self, const struct block_events *events, void *client) {
    struct skeleton *skeleton = self;
    skeleton->events = events;
    skeleton->client = client;
    return HX_OK;
}

static enum hx_status skeleton_identify(void *self, struct block_info *out_info) {
    (void)self;
    *out_info = (struct block_info){ .sectors = SECTORS,
                                     .sector_bytes = SECTOR_BYTES,
                                     .transfer_pages = BLOCK_PAGES_MAX };
    return HX_OK;
}

static void tell(const struct skeleton *skeleton, uint64_t id, enum block_outcome outcome) {
    const struct block_completion done = { .id = id, .outcome = outcome };
    skeleton->events->completed(skeleton->client, &done, 1);
}

// Whether a transfer is of whole sectors of the disk, and of pages of its call.
static bool is_valid(const struct block_transfer *transfer, uint32_t page_count) {
    const uint64_t pages = ALIGN_UP((uint64_t)transfer->bytes, PAGE_SIZE) / PAGE_SIZE;
    return transfer->bytes != 0 && transfer->bytes % SECTOR_BYTES == 0 &&
           transfer->sector < SECTORS &&
           transfer->bytes / SECTOR_BYTES <= SECTORS - transfer->sector &&
           transfer->page < page_count && pages <= page_count - transfer->page;
}

static enum hx_status write_bytes(struct skeleton *skeleton, const struct part *part, size_t at,
                                  void *page, size_t offset, size_t length) {
    struct part *changed = hx_arena_change(skeleton->update, part);
    return changed != NULL ? hx_page_read(skeleton->env, page, offset, changed->bytes + at, length)
                           : HX_ERR_NO_MEMORY;
}

// Between the disk and the pages; `is_write`: to the disk. A write is done as a whole, or not at
// all, whenever the module dies.
static enum hx_status move(struct skeleton *skeleton, const struct block_transfer *transfer,
                           void *const *pages, bool is_write) {
    enum hx_status status = HX_OK;
    size_t length;
    hx_mutex_lock(&skeleton->lock);
    for (size_t at = 0; at < transfer->bytes && status == HX_OK; at += length) {
        const uint64_t place = transfer->sector * SECTOR_BYTES + at;
        const struct part *part = skeleton->parts[place / PART_BYTES];
        const size_t offset = at % PAGE_SIZE, inside = place % PART_BYTES;
        void *page = pages[transfer->page + at / PAGE_SIZE];
        length = MIN_OF(transfer->bytes - at, MIN_OF(PAGE_SIZE - offset, PART_BYTES - inside));
        status = is_write
                     ? write_bytes(skeleton, part, inside, page, offset, length)
                     : hx_page_write(skeleton->env, page, offset, part->bytes + inside, length);
    }
    if (is_write && status == HX_OK) {
        hx_arena_commit(skeleton->update);
    } else if (is_write) {
        hx_arena_abort(skeleton->update);
    }
    hx_mutex_unlock(&skeleton->lock);
    return status;
}

static enum hx_status skeleton_read(void *self, const struct block_transfer *transfers,
                                    uint32_t count, void *const *pages, uint32_t page_count,
                                    uint32_t *out_accepted) {
    struct skeleton *skeleton = self;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_good = is_valid(&transfers[i], page_count) &&
                             move(skeleton, &transfers[i], pages, false) == HX_OK;
        tell(skeleton, transfers[i].id, is_good ? BLOCK_DONE : BLOCK_FAILED);
    }
    *out_accepted = count;
    return HX_OK;
}

static enum hx_status skeleton_write(void *self, const struct block_transfer *transfers,
                                     uint32_t count, const void *const *pages, uint32_t page_count,
                                     uint32_t *out_accepted) {
    struct skeleton *skeleton = self;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_good = is_valid(&transfers[i], page_count) &&
                             // Which are read alone.
                             move(skeleton, &transfers[i], (void *const *)pages, true) == HX_OK;
        tell(skeleton, transfers[i].id, is_good ? BLOCK_DONE : BLOCK_FAILED);
    }
    *out_accepted = count;
    return HX_OK;
}

// There is nothing behind the memory.
static enum hx_status skeleton_flush(void *self, uint64_t id) {
    tell(self, id, BLOCK_DONE);
    return HX_OK;
}

// Nothing is ever under way.
static enum hx_status skeleton_reset(void *self) {
    (void)self;
    return HX_OK;
}

static const struct block_ops skeleton_ops = {
    .attach = skeleton_attach,
    .identify = skeleton_identify,
    .read = skeleton_read,
    .write = skeleton_write,
    .flush = skeleton_flush,
    .reset = skeleton_reset,
};

static void skeleton_fini(void *self) {
    struct skeleton *skeleton = self;
    if (skeleton->update != NULL) {
        hx_update_destroy(skeleton->update);
    }
    hx_free(skeleton->env, skeleton);
}

// In the module's first life. Before its port is provided: who is there may call at once.
static enum hx_status make_parts(struct skeleton *skeleton) {
    for (uint64_t i = 0; i < PARTS; i++) {
        struct part *part = hx_arena_new(skeleton->update, SKELETON_PART, sizeof(*part));
        if (part == NULL) {
            hx_arena_abort(skeleton->update);
            return HX_ERR_NO_MEMORY;
        }
        part->number = i;
        skeleton->parts[i] = part;
    }
    hx_arena_commit(skeleton->update);
    return HX_OK;
}

static enum hx_status skeleton_init(struct hx_env *env, void **out_self) {
    struct skeleton *skeleton = hx_alloc(env, sizeof(*skeleton));
    if (skeleton == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    skeleton->env = env;
    hx_mutex_init(&skeleton->lock, "skeleton");
    skeleton->update = hx_update_create(env);
    enum hx_status status = skeleton->update == NULL ? HX_ERR_NO_MEMORY : HX_OK;
    void *object;
    uint32_t index = 0;
    if (status == HX_OK && hx_arena_walk(env, &index, &object, 1) == 0) {
        status = make_parts(skeleton);
    }
    if (status == HX_OK) {
        status = hx_port_provide(env, "helix.block", "skeleton", &skeleton_ops, skeleton);
    }
    if (status != HX_OK) {
        skeleton_fini(skeleton);
        return status;
    }
    *out_self = skeleton;
    return HX_OK;
}

// What an earlier life left, or a version in ring 3, where a fault may have written anything.
static enum hx_status skeleton_import(void *self, uint32_t schema) {
    struct skeleton *skeleton = self;
    void *object;
    uint32_t index = 0;
    while (hx_arena_walk(skeleton->env, &index, &object, 1) != 0) {
        const struct part *part = object;
        if (schema != SCHEMA || hx_object_type(object) != SKELETON_PART ||
            hx_object_of(object)->size_bytes != sizeof(*part) || part->number >= PARTS ||
            skeleton->parts[part->number] != NULL) {
            return HX_ERR_CORRUPT;
        }
        skeleton->parts[part->number] = part;
    }
    for (uint32_t i = 0; i < PARTS; i++) {
        if (skeleton->parts[i] == NULL) {
            return HX_ERR_CORRUPT;
        }
    }
    return HX_OK;
}

static const struct hx_port_provided provided[] = { BLOCK_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = skeleton_init,
                                                 .import_state = skeleton_import,
                                                 .fini = skeleton_fini };

HX_MODULE(skeleton, .name = "skeleton", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .arena_version = SCHEMA,
          .ops = &operations);
