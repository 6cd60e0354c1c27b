// SPDX-License-Identifier: MIT OR Apache-2.0
// Arenas: against a plain list of what was committed, with updates rolled back at every step, every
// allocation failing once, bytes that nobody changed in an update, and copies made while updates go
// on.
#include "check.h"

#include <lib/arena.h>

#include <stdlib.h>
#include <string.h>

static long blocks;
static long fail_after = -1; // allocations that still succeed; -1: all
static int depth;

static void *allocate(void *context, size_t size_bytes) {
    (void)context;
    CHECK(depth == 0); // never under the lock
    if (fail_after == 0) {
        return NULL;
    }
    fail_after -= fail_after > 0;
    blocks++;
    return calloc(1, size_bytes);
}

static void release(void *context, void *memory) {
    (void)context;
    CHECK(depth == 0);
    blocks -= memory != NULL;
    free(memory);
}

static void lock(void *context) {
    (void)context;
    CHECK(depth++ == 0);
}

static void unlock(void *context) {
    (void)context;
    CHECK(--depth == 0);
}

static const struct arena_memory memory = { allocate, release, lock, unlock, NULL };

// A plain object of the model: its bytes are all `fill`.
struct expected {
    uint64_t number;
    uint32_t size;
    uint8_t fill;
};

#define OBJECTS 700u

struct model {
    struct expected objects[OBJECTS];
    uint32_t count;
};

static uint32_t random_state = 1;

static uint32_t draw(uint32_t below) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static void expect(const struct arena *arena, const struct model *model) {
    void *out[7];
    uint32_t index = 0;
    uint32_t seen = 0;
    uint32_t count;
    for (uint32_t i = 0; i < model->count; i++) {
        const struct expected *it = &model->objects[i];
        const uint8_t *bytes = arena_at(arena, it->number);
        CHECK(bytes != NULL && hx_object_of(bytes)->size_bytes == it->size);
        CHECK(hx_object_number(bytes) == it->number && hx_object_type(bytes) == it->fill % 3u);
        for (uint32_t j = 0; j < it->size; j++) {
            CHECK(bytes[j] == it->fill);
        }
    }
    while ((count = arena_walk(arena, &index, out, 7)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            CHECK(arena_at(arena, hx_object_number(out[i])) == out[i]);
        }
        seen += count;
    }
    CHECK(seen == model->count && arena->objects == model->count);
}

// One step of an update, the same in arena and model. Whether there was memory for it.
static bool step(struct hx_update *update, struct model *model) {
    const uint32_t what = draw(8);
    const uint32_t at = model->count != 0 ? draw(model->count) : 0;
    const uint8_t fill = (uint8_t)draw(256);
    if (what < 4 && model->count < OBJECTS) {
        const uint32_t size = draw(16) == 0 ? 3000 + draw(40) : draw(90);
        uint8_t *bytes = arena_new(update, fill % 3u, size);
        if (bytes == NULL) {
            return false;
        }
        memset(bytes, fill, size);
        model->objects[model->count++] = (struct expected){ hx_object_number(bytes), size, fill };
    } else if (what < 6 && model->count != 0) {
        struct expected *it = &model->objects[at];
        uint8_t *bytes = arena_change(update, arena_at(update->arena, it->number));
        if (bytes == NULL) {
            return false;
        }
        it->fill = (uint8_t)(3u * (fill % 80u) + hx_object_type(bytes));
        memset(bytes, it->fill, it->size);
    } else if (model->count != 0) {
        if (!arena_free(update, arena_at(update->arena, model->objects[at].number))) {
            return false;
        }
        CHECK(arena_free(update, arena_at(update->arena, model->objects[at].number)));
        model->objects[at] = model->objects[--model->count];
    }
    return true;
}

// An object goes out of the model at once, but out of the arena with the commit: with none that is
// looked up twice in an update.
static bool update_random(struct hx_update *update, struct model *model, uint32_t steps) {
    for (uint32_t i = 0; i < steps; i++) {
        if (!step(update, model)) {
            return false;
        }
    }
    return true;
}

static struct hx_update *updater(struct arena *arena) {
    struct hx_update *update = arena_update_create(arena);
    CHECK(update != NULL);
    return update;
}

static struct model model, before;

static void test_updates(void) {
    struct arena arena;
    uint64_t bad;
    arena_init(&arena, &memory);
    model.count = 0;
    struct hx_update *update = updater(&arena);
    for (uint32_t round = 0; round < 3000; round++) {
        before = model;
        CHECK(update_random(update, &model, draw(12)));
        switch (draw(4)) {
        case 0:
            arena_roll_back(update);
            model = before;
            break;
        case 1: // death
            model = before;
            arena_settle(&arena);
            CHECK(arena_recover(&arena, &bad) == HX_OK);
            update = updater(&arena);
            break;
        default:
            arena_commit(update);
        }
        CHECK(update->records == NULL && update->used == 0);
        if (round % 50 == 0) {
            expect(&arena, &model);
            CHECK(arena_check(&arena, &bad) == HX_OK);
        }
    }
    expect(&arena, &model);
    CHECK(model.count > 100 && arena.used > ARENA_SLOTS);
    arena_fini(&arena);
    CHECK(blocks == 0);
}

static void test_numbers(void) {
    struct arena arena;
    arena_init(&arena, &memory);
    struct hx_update *update = updater(&arena);
    uint64_t last = 0;
    CHECK(arena_at(&arena, 0) == NULL && arena_at(&arena, UINT64_MAX) == NULL);
    for (uint32_t i = 0; i < 100; i++) {
        const void *bytes = arena_new(update, 1, 8);
        const uint64_t number = hx_object_number(bytes);
        arena_commit(update);
        CHECK(number != last && arena_at(&arena, number) == bytes && arena.used == 2);
        CHECK(last == 0 || arena_at(&arena, last) == NULL); // the same place, another number
        CHECK(arena_free(update, bytes));
        CHECK(arena_at(&arena, number) == bytes); // until it is committed
        arena_commit(update);
        CHECK(arena_at(&arena, number) == NULL);
        last = number;
    }
    // A place whose numbers are used up is not used again.
    struct arena_chunk *chunk =
        atomic_load(&((struct arena_leaf *)atomic_load(&arena.leaves[0]))->chunks[0]);
    chunk->slots[1].generation = UINT32_MAX - 1;
    const void *bytes = arena_new(update, 1, 8);
    CHECK(hx_object_number(bytes) == (((uint64_t)UINT32_MAX - 1) << 32 | 1));
    CHECK(arena_free(update, bytes));
    arena_commit(update);
    bytes = arena_new(update, 1, 8);
    CHECK(hx_object_number(bytes) == 2);
    arena_fini(&arena);
    CHECK(blocks == 0);
}

// Two updates at once have an object each; neither gets the other's.
static void test_two(void) {
    struct arena arena;
    uint64_t bad;
    arena_init(&arena, &memory);
    struct hx_update *one = updater(&arena);
    struct hx_update *two = updater(&arena);
    uint8_t *a = arena_new(one, 1, 16);
    uint8_t *b = arena_new(one, 1, 16);
    arena_commit(one);
    CHECK(arena_change(one, a) == a && arena_change(one, a) == a);
    CHECK(arena_change(two, a) == NULL && !arena_free(two, a));
    CHECK(arena_change(two, b) == b);
    a[0] = 1;
    b[0] = 2;
    arena_commit(two);
    arena_roll_back(one);
    CHECK(a[0] == 0 && b[0] == 2);
    CHECK(arena_check(&arena, &bad) == HX_OK);
    // An update that ends takes back what it did.
    a = arena_change(one, a);
    a[0] = 9;
    arena_update_destroy(one);
    CHECK(a[0] == 0 && arena_free(two, a));
    arena_commit(two);
    arena_fini(&arena);
    CHECK(blocks == 0);
}

// A store that no update was told of is found, in the bytes and in the header.
static void test_corruption(void) {
    for (uint32_t byte = 0; byte < 24; byte++) {
        struct arena arena, copy;
        uint64_t bad = 0;
        arena_init(&arena, &memory);
        arena_init(&copy, &memory);
        struct hx_update *update = updater(&arena);
        CHECK(arena_new(update, 1, 16) != NULL);
        uint8_t *bytes = arena_new(update, 1, 16);
        arena_commit(update);
        arena_settle(&arena);
        hx_object_of(bytes)->local = bytes; // no part of it
        CHECK(arena_recover(&arena, &bad) == HX_OK && hx_object_of(bytes)->local == NULL);
        uint8_t *at = byte < 16 ? bytes + byte : (uint8_t *)hx_object_of(bytes) + byte;
        *at ^= 0x10; // behind 16: its type and size
        CHECK(arena_check(&arena, &bad) == HX_ERR_CORRUPT && bad == 2);
        bad = 0;
        CHECK(arena_recover(&arena, &bad) == HX_ERR_CORRUPT && bad == 2);
        arena_sync_begin(&arena);
        bad = 0;
        CHECK(arena_sync(&arena, &copy, &bad) == HX_ERR_CORRUPT && bad == 2);
        *at ^= 0x10;
        CHECK(arena_sync(&arena, &copy, &bad) == HX_OK && copy.objects == 2);
        arena_fini(&arena);
        arena_fini(&copy);
        CHECK(blocks == 0);
    }
}

// The copy follows; then it goes on by itself, and the original follows it.
static void test_copies(void) {
    struct arena arena, copy;
    uint64_t bad;
    arena_init(&arena, &memory);
    arena_init(&copy, &memory);
    arena_sync_begin(&arena);
    CHECK(arena_sync(&arena, &copy, &bad) == HX_OK && copy.objects == 0);
    struct hx_update *update = updater(&arena);
    model.count = 0;
    CHECK(update_random(update, &model, 400));
    arena_commit(update);
    arena_sync_begin(&arena);
    for (uint32_t round = 0; round < 300; round++) {
        before = model;
        CHECK(update_random(update, &model, draw(12)));
        CHECK(arena_sync(&arena, &copy, &bad) == HX_OK); // in the middle of an update
        if (draw(3) == 0) {
            arena_roll_back(update);
            model = before;
        } else {
            arena_commit(update);
        }
        if (draw(2) == 0) {
            CHECK(arena_sync(&arena, &copy, &bad) == HX_OK);
            expect(&copy, &model);
        }
    }
    CHECK(arena_free(update, arena_at(&arena, model.objects[--model.count].number)));
    arena_commit(update);
    CHECK(arena.free != 0 && arena_sync(&arena, &copy, &bad) == HX_OK);
    expect(&copy, &model);
    CHECK(arena_check(&copy, &bad) == HX_OK);
    CHECK(copy.used == arena.used && copy.free == arena.free && copy.bytes == arena.bytes);
    struct hx_update *next = updater(&copy);
    for (uint32_t round = 0; round < 100; round++) {
        CHECK(update_random(next, &model, 5));
        arena_commit(next);
    }
    CHECK(arena_sync(&copy, &arena, &bad) == HX_OK);
    expect(&arena, &model);
    CHECK(update_random(update, &model, 20));
    arena_commit(update);
    expect(&arena, &model);
    arena_fini(&arena);
    arena_fini(&copy);
    CHECK(blocks == 0);
}

// What is not there is said, and nothing was done; then it goes on.
static bool try_all(struct arena *arena, struct arena *copy, uint32_t seed) {
    uint64_t bad;
    random_state = seed;
    struct hx_update *update = arena_update_create(arena);
    if (update == NULL) {
        return false;
    }
    model.count = 0;
    for (uint32_t round = 0; round < 8; round++) {
        before = model;
        if (!update_random(update, &model, 6)) {
            arena_roll_back(update);
            expect(arena, &before);
            return false;
        }
        arena_commit(update);
    }
    arena_sync_begin(arena);
    return arena_sync(arena, copy, &bad) == HX_OK;
}

// What an update does one by one, and takes back from its end.
static void test_undo(void) {
    struct arena arena;
    arena_init(&arena, &memory);
    struct hx_update *update = updater(&arena);
    struct hx_update *other = updater(&arena);
    arena_undo(update);
    uint8_t *kept = arena_new(update, 1, 2000);
    const uint64_t number = hx_object_number(kept);
    kept[0] = 1;
    arena_commit(update);
    for (uint32_t round = 0; round < 3; round++) { // as large as the room, and larger
        CHECK(arena_change(update, kept) == kept && arena_change(other, kept) == NULL);
        kept[0] = 2;
        const uint64_t made = hx_object_number(arena_new(update, 2, round * 700));
        CHECK(arena_free(update, kept));
        arena_undo(update); // it is the update's, still
        CHECK(arena_change(other, kept) == NULL && arena_at(&arena, made) != NULL);
        arena_undo(update);
        CHECK(arena_at(&arena, made) == NULL && kept[0] == 2);
        arena_undo(update);
        CHECK(kept[0] == 1 && update->records == NULL && update->used == 0);
        CHECK(arena_free(update, kept));
        arena_undo(update);
        CHECK(arena_change(other, kept) == kept);
        arena_roll_back(other);
    }
    arena_commit(update);
    CHECK(arena_at(&arena, number) == kept && arena.objects == 1);
    arena_fini(&arena);
    CHECK(blocks == 0);
}

static void *new_at(struct hx_update *update, uint32_t type, size_t size_bytes, uint64_t number) {
    void *bytes = arena_new_apart(update, type, size_bytes);
    return bytes != NULL && arena_place_at(update, bytes, number) ? bytes : NULL;
}

static const struct arena *twin;
static uint32_t fills; // that succeed

static enum hx_status fill_from_twin(const struct hx_object *object, void *bytes) {
    if (fills == 0) {
        return HX_ERR_BAD_ADDRESS;
    }
    fills--;
    memcpy(bytes, arena_at(twin, object->number), object->size_bytes);
    return HX_OK;
}

// As a module in another address space changes one, and the kernel the other.
static bool change_both(struct hx_update *mine, struct hx_update *its, struct hx_update *other) {
    for (uint32_t i = 0; i < 40; i++) {
        const uint32_t size = draw(60);
        const uint64_t number = hx_object_number(arena_new(mine, 3, size));
        uint8_t *bytes = new_at(its, 3, size, number);
        if (bytes == NULL) {
            arena_undo(mine);
            return false;
        }
        memset(bytes, (int)i, size);
        CHECK(hx_object_number(bytes) == number && arena_at(its->arena, number) == bytes);
        const uint64_t old = (uint64_t)draw((uint32_t)number);
        void *there = arena_at(mine->arena, old);
        if (there != NULL && arena_change(other, there) == NULL) {
            continue; // new, or going
        }
        arena_roll_back(other);
        if (there != NULL && arena_free(its, arena_at(its->arena, old)) && draw(2) == 0) {
            CHECK(arena_free(mine, there));
        } else if (there != NULL) {
            arena_undo(its);
        }
    }
    return true;
}

static void test_twins(void) {
    struct arena mine, its;
    uint64_t bad;
    void *out[16];
    arena_init(&mine, &memory);
    arena_init(&its, &memory);
    twin = &its;
    struct hx_update *here = updater(&mine);
    struct hx_update *there = updater(&its);
    struct hx_update *other = updater(&mine);
    for (uint32_t round = 0; round < 60; round++) {
        CHECK(change_both(here, there, other));
        fills = UINT32_MAX;
        CHECK(arena_fill(here, fill_from_twin) == HX_OK);
        arena_commit(here);
        arena_commit(there);
        CHECK(mine.objects == its.objects && mine.bytes == its.bytes);
        CHECK(arena_check(&mine, &bad) == HX_OK && arena_check(&its, &bad) == HX_OK);
    }
    CHECK(mine.used > 2 * ARENA_SLOTS && mine.used == its.used);
    uint32_t index = 0;
    uint32_t count;
    while ((count = arena_walk(&mine, &index, out, 16)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            const void *same = arena_at(&its, hx_object_number(out[i]));
            CHECK(same != NULL && memcmp(same, out[i], hx_object_of(out[i])->size_bytes) == 0);
        }
    }
    const uint64_t objects = mine.objects;
    CHECK(arena_change(here, out[0]) != NULL && arena_new(here, 1, 8) != NULL);
    fills = 0;
    CHECK(arena_fill(here, fill_from_twin) == HX_ERR_BAD_ADDRESS);
    arena_roll_back(here);
    CHECK(mine.objects == objects);
    CHECK(new_at(there, 1, 8, 0) == NULL);                        // no index
    CHECK(new_at(there, 1, 8, UINT32_MAX) == NULL);               // none that there can be
    CHECK(new_at(there, 1, 8, hx_object_number(out[0])) == NULL); // taken
    arena_fini(&mine);
    arena_fini(&its);
    CHECK(blocks == 0);
}

// The first chunks of a table are there, though nothing is in them.
static void test_twin_begins_late(void) {
    struct arena arena;
    void *out[4];
    uint32_t index = 0;
    for (long nth = 0;; nth++) {
        arena_init(&arena, &memory);
        struct hx_update *update = updater(&arena);
        fail_after = nth;
        const void *bytes = new_at(update, 1, 2000, UINT64_C(5) << 32 | 1000);
        fail_after = -1;
        if (bytes != NULL) {
            break;
        }
        CHECK(arena.objects == 0 && nth < 20);
        arena_fini(&arena);
        CHECK(blocks == 0);
    }
    CHECK(arena_walk(&arena, &index, out, 4) == 1 && arena.used == 1001);
    arena_fini(&arena);
    CHECK(blocks == 0);
}

static void test_no_memory(void) {
    for (uint32_t seed = 1; seed < 6; seed++) {
        bool is_done = false;
        for (long nth = 0; !is_done; nth++) {
            struct arena arena, copy;
            uint64_t bad;
            arena_init(&arena, &memory);
            arena_init(&copy, &memory);
            fail_after = nth;
            is_done = try_all(&arena, &copy, seed);
            fail_after = -1;
            CHECK(is_done || nth < 1000);
            CHECK(arena_check(&arena, &bad) == HX_OK);
            arena_sync_begin(&arena);
            CHECK(arena_sync(&arena, &copy, &bad) == HX_OK && copy.objects == arena.objects);
            arena_fini(&arena);
            arena_fini(&copy);
            CHECK(blocks == 0);
        }
    }
}

int main(void) {
    test_numbers();
    test_two();
    test_corruption();
    test_updates();
    test_copies();
    test_undo();
    test_twins();
    test_twin_begins_late();
    test_no_memory();
    return check_result();
}
