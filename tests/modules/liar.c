// SPDX-License-Identifier: MIT OR Apache-2.0
// liar.c: a disk of 8 KiB in memory that lies once: what is written to its first byte says how it
// deals with the read that comes next. A lie that is refused is told in the log.
#include <helix/env.h>
#include <helix/ports/block_port.h>
#include <lib/string.h>

#define SECTOR_BYTES BLOCK_SECTOR_MIN
#define SECTORS      16u

struct liar {
    struct hx_env *env;
    const struct block_events *events;
    void *client;
    uint8_t lie;       // 0: none
    const void *stale; // a page that it was given once
    uint8_t bytes[SECTORS * SECTOR_BYTES];
};

static enum hx_status liar_attach(void *self, const struct block_events *events, void *client) {
    struct liar *liar = self;
    liar->events = events;
    liar->client = client;
    return HX_OK;
}

static enum hx_status liar_identify(void *self, struct block_info *out_info) {
    (void)self;
    *out_info = (struct block_info){ .sectors = SECTORS,
                                     .sector_bytes = SECTOR_BYTES,
                                     .transfer_pages = BLOCK_PAGES_MAX };
    return HX_OK;
}

static void tell(const struct liar *liar, uint64_t id, enum block_outcome outcome) {
    const struct block_completion done = { .id = id, .outcome = outcome };
    liar->events->completed(liar->client, &done, 1);
}

static void expect(const struct liar *liar, enum hx_status found, enum hx_status wanted) {
    hx_log(liar->env, HX_LOG_INFO, "lie %c is %s", liar->lie,
           found == wanted ? "refused" : hx_status_name(found));
}

static enum hx_status move(struct liar *liar, const struct block_transfer *transfer, void *page,
                           bool is_write) {
    uint8_t *at = liar->bytes + transfer->sector * SECTOR_BYTES;
    if (transfer->bytes > PAGE_SIZE || transfer->sector >= SECTORS ||
        transfer->bytes > (SECTORS - transfer->sector) * SECTOR_BYTES) {
        return HX_ERR_INVALID;
    }
    return is_write ? hx_page_read(liar->env, page, 0, at, transfer->bytes)
                    : hx_page_write(liar->env, page, 0, at, transfer->bytes);
}

// What the kernel refuses, or what the module dies of; false: it goes on as one that does not lie.
static bool lie(struct liar *liar, const struct block_transfer *transfer, void *page,
                uint32_t *out_accepted) {
    uint8_t bytes[SECTOR_BYTES] = { 0 };
    const uint8_t *stale = liar->stale;
    switch (liar->lie) {
    case 'u': // what it was not given
        tell(liar, transfer->id + 1, BLOCK_DONE);
        return true;
    case 't': // twice
        HX_IGNORE(move(liar, transfer, page, false));
        tell(liar, transfer->id, BLOCK_DONE);
        tell(liar, transfer->id, BLOCK_DONE);
        return true;
    case 'm': // looks where nothing is
        (void)*(volatile const uint8_t *)page;
        return true;
    case 'a': // says that it took more than there was
        *out_accepted = BLOCK_BATCH_MAX + 1;
        break;
    case 'r': // reads what it may but write
        expect(liar, hx_page_read(liar->env, page, 0, bytes, 1), HX_ERR_ACCESS_DENIED);
        break;
    case 'e': // behind the page's end
        expect(liar, hx_page_write(liar->env, page, PAGE_SIZE - 1, bytes, 2), HX_ERR_INVALID);
        break;
    case 'p': // another page than it was given
        expect(liar, hx_page_write(liar->env, (uint8_t *)page + PAGE_SIZE, 0, bytes, 1),
               HX_ERR_INVALID);
        break;
    case 'i': // into the middle of a page
        expect(liar, hx_page_write(liar->env, (uint8_t *)page + 1, 0, bytes, 1), HX_ERR_INVALID);
        break;
    case 'o': // memory of its own
        expect(liar, hx_page_write(liar->env, liar, 0, bytes, 1), HX_ERR_INVALID);
        break;
    case 's': // one that was given back: it has it again, or nobody has
        expect(liar, stale == page ? HX_ERR_INVALID : hx_page_read(liar->env, stale, 0, bytes, 1),
               HX_ERR_INVALID);
        break;
    default:
        break;
    }
    return false;
}

static enum hx_status liar_read(void *self, const struct block_transfer *transfers, uint32_t count,
                                void *const *pages, uint32_t page_count, uint32_t *out_accepted) {
    struct liar *liar = self;
    (void)page_count;
    *out_accepted = count;
    if (liar->lie != 0 && lie(liar, &transfers[0], pages[transfers[0].page], out_accepted)) {
        return HX_OK;
    }
    const bool refuses = liar->lie == 'n'; // and completes all the same
    liar->lie = 0;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_good = move(liar, &transfers[i], pages[transfers[i].page], false) == HX_OK;
        tell(liar, transfers[i].id, is_good ? BLOCK_DONE : BLOCK_FAILED);
    }
    return refuses ? HX_ERR_IO : HX_OK;
}

static enum hx_status liar_write(void *self, const struct block_transfer *transfers, uint32_t count,
                                 const void *const *pages, uint32_t page_count,
                                 uint32_t *out_accepted) {
    struct liar *liar = self;
    (void)page_count;
    *out_accepted = count;
    for (uint32_t i = 0; i < count; i++) {
        void *page = ((void *const *)pages)[transfers[i].page]; // which is read alone
        const bool is_good = move(liar, &transfers[i], page, true) == HX_OK;
        liar->lie = liar->bytes[0];
        liar->stale = page;
        tell(liar, transfers[i].id, is_good ? BLOCK_DONE : BLOCK_FAILED);
    }
    return HX_OK;
}

static enum hx_status liar_flush(void *self, uint64_t id) {
    tell(self, id, BLOCK_DONE);
    return HX_OK;
}

// Nothing is ever under way.
static enum hx_status liar_reset(void *self) {
    (void)self;
    return HX_OK;
}

static const struct block_ops liar_ops = {
    .attach = liar_attach,
    .identify = liar_identify,
    .read = liar_read,
    .write = liar_write,
    .flush = liar_flush,
    .reset = liar_reset,
};

static enum hx_status liar_init(struct hx_env *env, void **out_self) {
    struct liar *liar = hx_alloc(env, sizeof(*liar));
    if (liar == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    liar->env = env;
    *out_self = liar;
    return hx_port_provide(env, "helix.block", "liar", &liar_ops, liar);
}

static const struct hx_port_provided provided[] = { BLOCK_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = liar_init };

HX_MODULE(liar, .name = "liar", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .ops = &operations);
