// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of <lib/levels.h>: order, both ends, and a random run against a plain list.
#include <assert.h>
#include <lib/levels.h>
#include <stdlib.h>

enum { COUNT = 60, STEPS = 40000 };

static struct levels levels;

static void test_order(void) {
    struct level_link a = { 0 }, b = { 0 }, c = { 0 }, last = { 0 };
    assert(levels_best(&levels) == LEVELS_COUNT && levels.count == 0);
    levels_insert(&levels, LEVELS_COUNT - 1, &last, false);
    assert(levels_best(&levels) == LEVELS_COUNT - 1);
    levels_insert(&levels, 63, &a, false);
    levels_insert(&levels, 63, &b, false);
    levels_insert(&levels, 63, &c, true);
    assert(levels.count == 4 && levels_best(&levels) == 63);
    assert(levels.first[63] == &c && c.next == &a && a.next == &b && b.next == &c);
    levels_remove(&levels, 63, &c);
    assert(levels.first[63] == &a && !level_link_is_in(&c) && level_link_is_in(&a));
    levels_remove(&levels, 63, &b);
    assert(levels.first[63] == &a);
    levels_remove(&levels, 63, &a);
    assert(levels_best(&levels) == LEVELS_COUNT - 1);
    levels_remove(&levels, LEVELS_COUNT - 1, &last);
    assert(levels_best(&levels) == LEVELS_COUNT && levels.count == 0);
}

// Elements with their level and, while they are in, when they came; negative: at the front.
static struct element {
    struct level_link link;
    uint32_t level;
    long came; // 0: not in
} elements[COUNT];

static bool is_odd(const struct level_link *link, uint64_t rest) {
    const struct element *element = CONTAINER_OF(link, struct element, link);
    return (uint64_t)(element - elements) % 2 == rest;
}

static struct element *model_find(uint64_t rest) {
    struct element *best = NULL;
    for (uint32_t i = 0; i < COUNT; i++) {
        struct element *other = &elements[i];
        if (other->came != 0 && (rest > 1 || i % 2 == rest) &&
            (best == NULL || other->level < best->level ||
             (other->level == best->level && other->came < best->came))) {
            best = other;
        }
    }
    return best;
}

static void test_random(void) {
    srand(3);
    for (long step = 1; step < STEPS; step++) {
        struct element *element = &elements[rand() % COUNT];
        if (element->came != 0) {
            levels_remove(&levels, element->level, &element->link);
            element->came = 0;
        } else {
            const bool at_front = rand() % 4 == 0;
            element->level = (uint32_t)rand() % LEVELS_COUNT;
            element->came = at_front ? -step : step;
            levels_insert(&levels, element->level, &element->link, at_front);
        }
        const struct element *best = model_find(2), *odd = model_find(1);
        assert(levels_best(&levels) == (best == NULL ? LEVELS_COUNT : best->level));
        assert(best == NULL || levels.first[best->level] == &best->link);
        assert(levels_find(&levels, is_odd, 1) == (odd == NULL ? NULL : &odd->link));
    }
}

int main(void) {
    test_order();
    test_random();
    return 0;
}
