// SPDX-License-Identifier: MIT OR Apache-2.0
// keep.c: the smallest module with an arena: /dev/keep. A write is one update; a read tells what is
// there: how many objects, and the sum of what they say.
//
//   +N    N objects more, the first of which says 1, the next one 2, …
//   -N    N objects less, the last ones first
//   =N    each says N more
//   !N    the same, and N more of them; in the middle of that it dies
//   x     one is new, one is changed, one is freed, and nothing of that is done
//   ?     the first one says 1000 more, which no update knows
//   m     as many more as there may be in an update, and then one less, which is refused
//   fN    gives back memory that it does not have: 0 the same twice, 1 from the middle of a block,
//         2 of the stack, 3 of nobody; 4 logs what is nowhere, 5 writes that to a page,
//         6 has it filled with random bytes, 7 brings it as entropy
//   l     an object larger than there may be in ring 3; says so by its refusal
#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/format.h>
#include <lib/string.h>

#define SCHEMA 3u

enum { KEEP_ITEM = 7 };

struct item {
    uint64_t says;
    uint64_t before; // number of the one that came before it; 0: none
    uint8_t more[40];
};

static struct hx_env *env;
static struct hx_mutex lock;
static struct hx_update *update; // [lock]
static uint64_t last;            // [lock] number; 0: none
static uint64_t count;           // [lock]

static const struct item *item_at(uint64_t number) {
    const struct item *item = hx_arena_at(env, number);
    return item != NULL && hx_object_type(item) == KEEP_ITEM ? item : NULL;
}

static enum hx_status more(uint64_t wanted) {
    uint64_t before = last;
    for (uint64_t i = 0; i < wanted; i++) {
        struct item *item = hx_arena_new(update, KEEP_ITEM, sizeof(*item));
        if (item == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        item->says = count + i + 1;
        item->before = before;
        before = hx_object_number(item);
    }
    return HX_OK;
}

static enum hx_status less(uint64_t wanted) {
    uint64_t at = last;
    for (uint64_t i = 0; i < wanted && at != 0; i++) {
        const struct item *item = item_at(at);
        at = item->before;
        if (!hx_arena_free(update, item)) {
            return HX_ERR_NO_MEMORY;
        }
    }
    return HX_OK;
}

static enum hx_status change(uint64_t by) {
    for (uint64_t at = last; at != 0; at = item_at(at)->before) {
        struct item *item = hx_arena_change(update, item_at(at));
        if (item == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        item->says += by;
    }
    return HX_OK;
}

static void dies(void) {
    __builtin_trap();
}

static enum hx_status strays(void) {
    void *object;
    uint32_t index = 0;
    if (hx_arena_walk(env, &index, &object, 1) != 0) {
        ((struct item *)object)->says += 1000;
    }
    return HX_OK;
}

static enum hx_status half(void) {
    HX_IGNORE(more(1));
    HX_IGNORE(change(5));
    HX_IGNORE(less(1));
    return HX_ERR_IO;
}

// From what there is: objects are in the order of their numbers, or in none.
static void count_anew(void) {
    void *object;
    uint32_t index = 0;
    uint64_t sum = 0;
    count = 0;
    last = 0;
    while (hx_arena_walk(env, &index, &object, 1) != 0) {
        count++;
        sum ^= hx_object_number(object) ^ ((const struct item *)object)->before;
    }
    last = sum; // each but the last one is the one before of another
}

static enum hx_status most(void) {
    const struct item *item = item_at(last);
    return more(UINT32_MAX) != HX_OK && !hx_arena_free(update, item) ? HX_OK : HX_ERR_IO;
}

static enum hx_status frees_wrongly(uint64_t which) {
    uint8_t local[64] __attribute__((aligned(16))) = { 0 };
    uint8_t *block = hx_alloc(env, 64);
    if (block == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uintptr_t nowhere = 0xdeadbe00u;
    void *wrong[] = { block, block + 32, local + 32, NULL };
    memcpy((void *)&wrong[3], &nowhere, sizeof(nowhere));
    if (which == 0) {
        hx_free(env, block);
    }
    hx_free(env, wrong[which % ARRAY_SIZE(wrong)]);
    return HX_OK;
}

static enum hx_status points_nowhere(uint64_t which) {
    const uintptr_t nowhere = 0xdeadbe00u;
    char *wrong;
    memcpy((void *)&wrong, &nowhere, sizeof(nowhere));
    if (which == 4) {
        hx_log(env, HX_LOG_INFO, "%s", wrong);
        return HX_OK;
    }
    switch (which) {
    case 6:
        return hx_random_fill(env, wrong, 100);
    case 7:
        return hx_entropy_add(env, wrong, 100);
    default:
        return hx_page_write(env, hx_alloc(env, PAGE_SIZE), 0, wrong, 64);
    }
}

static enum hx_status do_locked(char what, uint64_t number) {
    switch (what) {
    case '+':
        return more(number);
    case '-':
        return less(number);
    case '=':
        return change(number);
    case '!': {
        enum hx_status status = change(number);
        status = status == HX_OK ? more(number) : status;
        dies();
        return status;
    }
    case 'x':
        return half();
    case '?':
        return strays();
    case 'm':
        return most();
    case 'f':
        return number < 4 ? frees_wrongly(number) : points_nowhere(number);
    case 'l':
        return hx_arena_new(update, KEEP_ITEM, 1 << 20) == NULL ? HX_ERR_IO : HX_OK;
    default:
        return HX_ERR_IO;
    }
}

static uint64_t number_of(const char *text, uint32_t length) {
    uint64_t number = 0;
    for (uint32_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    return number;
}

static enum hx_status keep_write(void *self, uint32_t minor, uint64_t offset, const void *data,
                                 uint32_t length, uint32_t *out_length) {
    const char *text = data;
    (void)self;
    (void)minor;
    (void)offset;
    hx_mutex_lock(&lock);
    const enum hx_status status = do_locked(text[0], number_of(text + 1, length - 1));
    if (status == HX_OK) {
        hx_arena_commit(update);
        count_anew();
    } else {
        hx_arena_abort(update);
    }
    hx_mutex_unlock(&lock);
    *out_length = length;
    return status;
}

static enum hx_status keep_read(void *self, uint32_t minor, uint64_t offset, void *buffer,
                                uint32_t capacity, uint32_t *out_length) {
    char line[64];
    uint64_t sum = 0;
    (void)self;
    (void)minor;
    hx_mutex_lock(&lock);
    for (uint64_t at = last; at != 0; at = item_at(at)->before) {
        sum += item_at(at)->says;
    }
    const size_t length = format_string(line, sizeof(line), "%llu %llu\n",
                                        (unsigned long long)count, (unsigned long long)sum);
    hx_mutex_unlock(&lock);
    *out_length = offset < length ? (uint32_t)MIN_OF(length - offset, capacity) : 0;
    memcpy(buffer, line + offset, *out_length);
    return HX_OK;
}

static enum hx_status keep_describe(void *self, struct char_node *to, uint32_t capacity,
                                    uint32_t *out_count) {
    static const struct char_node node = { "keep", 242, 0, 0666, 0 };
    (void)self;
    *out_count = MIN_OF(capacity, 1u);
    memcpy(to, &node, *out_count * sizeof(node));
    return HX_OK;
}

static const struct char_ops ops = {
    .describe = keep_describe,
    .read = keep_read,
    .write = keep_write,
};

static enum hx_status keep_init(struct hx_env *its, void **out_self) {
    env = its;
    *out_self = its;
    hx_mutex_init(&lock, "keep");
    update = hx_update_create(its);
    return update != NULL ? hx_port_provide(its, "helix.char", "keep", &ops, its)
                          : HX_ERR_NO_MEMORY;
}

static enum hx_status keep_import(void *self, uint32_t schema) {
    (void)self;
    count_anew();
    return schema == SCHEMA && last != 0 ? HX_OK : HX_ERR_CORRUPT;
}

static const struct hx_port_provided provides[] = { CHAR_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = keep_init, .import_state = keep_import };

HX_MODULE(keep, .name = "keep", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides), .arena_version = SCHEMA,
          .capabilities = HX_CAPABILITY_RANDOM | HX_CAPABILITY_ENTROPY, .ops = &operations);
