// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/levels.h>: queues of a fixed number of levels, level 0 the best, with links inside the
// elements. Each operation but a search takes the same short time, whatever is queued.
//
// A zeroed struct levels is empty, and a zeroed link is in no level. The levels own nothing; the
// caller's lock guards them. Who puts an element in remembers at which level.
#pragma once

#include <helix/types.h>

#define LEVELS_COUNT 104u

struct level_link {
    struct level_link *next; // circular within the level; NULL: in none
    struct level_link *previous;
};

struct levels {
    uint64_t bits[2];                       // set exactly for levels that are not empty
    struct level_link *first[LEVELS_COUNT]; // NULL: empty
    uint32_t count;                         // of all elements
};

static inline bool level_link_is_in(const struct level_link *link) {
    return link->next != NULL;
}

// The best level that is not empty; LEVELS_COUNT: all are.
static inline uint32_t levels_best(const struct levels *levels) {
    if (levels->bits[0] != 0) {
        return (uint32_t)__builtin_ctzll(levels->bits[0]);
    }
    return levels->bits[1] != 0 ? 64u + (uint32_t)__builtin_ctzll(levels->bits[1]) : LEVELS_COUNT;
}

// Puts an element that is in none behind all others of its level, or before them.
static inline void levels_insert(struct levels *levels, uint32_t level, struct level_link *link,
                                 bool at_front) {
    struct level_link *first = levels->first[level];
    levels->count++;
    if (first == NULL) {
        link->next = link;
        link->previous = link;
        levels->first[level] = link;
        levels->bits[level / 64] |= UINT64_C(1) << (level % 64);
        return;
    }
    link->next = first;
    link->previous = first->previous;
    first->previous->next = link;
    first->previous = link;
    if (at_front) {
        levels->first[level] = link;
    }
}

// Takes an element out of the level that it is in.
static inline void levels_remove(struct levels *levels, uint32_t level, struct level_link *link) {
    levels->count--;
    if (link->next == link) {
        levels->first[level] = NULL;
        levels->bits[level / 64] &= ~(UINT64_C(1) << (level % 64));
    } else {
        link->next->previous = link->previous;
        link->previous->next = link->next;
        if (levels->first[level] == link) {
            levels->first[level] = link->next;
        }
    }
    link->next = NULL;
    link->previous = NULL;
}

// The first element of the best level that `fits`; NULL: none does.
static inline struct level_link *
levels_find(const struct levels *levels,
            bool (*fits)(const struct level_link *link, uint64_t context), uint64_t context) {
    for (uint32_t level = levels_best(levels); level < LEVELS_COUNT; level++) {
        struct level_link *link = levels->first[level];
        while (link != NULL) {
            if (fits(link, context)) {
                return link;
            }
            link = link->next == levels->first[level] ? NULL : link->next;
        }
    }
    return NULL;
}
