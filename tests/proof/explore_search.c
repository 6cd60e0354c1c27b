// SPDX-License-Identifier: MIT OR Apache-2.0
// explore_search.c: the explorer's search, see explore.h.
//
// A state is the proof's data, the live parts of all stacks, and struct machine. Search is
// breadth first, so the way to a failure that is printed is a shortest one. A state is
// found again by 128 bits of hash.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_machine.h"

#define STATES_MAX (1u << 22)

// States ------------------------------------------------------------------------------------------

static struct {
    void *at;
    size_t size;
} ignored[32];
static uint32_t ignored_count;

void explore_ignore(void *at, size_t size) {
    ignored[ignored_count].at = at;
    ignored[ignored_count++].size = size;
}

bool explore_is_ignored(const volatile void *at) {
    for (uint32_t i = 0; i < ignored_count; i++) {
        if ((uintptr_t)at - (uintptr_t)ignored[i].at < ignored[i].size) {
            return true;
        }
    }
    return false;
}

// Weak: a proof may have none.
__attribute__((weak)) extern char __start_explored_data[], __stop_explored_data[];
__attribute__((weak)) extern char __start_explored_bss[], __stop_explored_bss[];

static struct region {
    char *base, *first; // first: as it was at the beginning
    size_t lines;
} regions[4];

// A state, kept: the lines that differ from the beginning.
struct kept {
    uint32_t count;
    struct kept_line {
        uint32_t region, line;
        uint64_t words[LINE / 8];
    } lines[];
};

static struct {
    uint64_t hash[2];
    uint32_t parent;
    struct step step;
    bool good; // the end can be reached
} *states;
static uint32_t state_count;
static uint32_t *table; // state + 1 by hash
#define TABLE (2 * STATES_MAX)

static struct edge {
    uint32_t from, to;
} *edges;
static uint64_t edge_count, edge_capacity;

static void *allocated(void *memory) {
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        exit(3);
    }
    return memory;
}

static void region_add(uint32_t index, char *start, const char *stop) {
    char *base = (char *)((uintptr_t)start & ~(uintptr_t)(LINE - 1));
    const size_t size = ((size_t)(stop - base) + LINE - 1) & ~(size_t)(LINE - 1);
    regions[index] = (struct region){ base, allocated(malloc(size)), size / LINE };
    memcpy(regions[index].first, base, size);
}

static void regions_init(void) {
    region_add(0, __start_explored_data, __stop_explored_data);
    region_add(1, __start_explored_bss, __stop_explored_bss);
    region_add(2, (char *)&explore_machine, (char *)(&explore_machine + 1));
    region_add(3, explore_stacks[0], explore_stacks[explore_machine.stack_count]);
}

// What is below the stack pointers is no part of the state.
static void state_clean(void) {
    for (uint32_t i = 0; i < ignored_count; i++) {
        memset(ignored[i].at, 0, ignored[i].size);
    }
    for (uint32_t i = 0; i < explore_machine.stack_count; i++) {
        const uint64_t *end = (const uint64_t *)(const void *)explore_stacks[i];
        if (*end != 0) {
            fputs("a stack is too small\n", stderr);
            exit(3);
        }
        memset(explore_stacks[i], 0,
               (size_t)((char *)explore_machine.stack_sp[i] - explore_stacks[i]));
    }
}

static void state_load(const struct kept *kept) {
    for (uint32_t i = 0; i < 4; i++) {
        memcpy(regions[i].base, regions[i].first, regions[i].lines * LINE);
    }
    for (uint32_t i = 0; i < kept->count; i++) {
        const struct kept_line *line = &kept->lines[i];
        memcpy(regions[line->region].base + (size_t)line->line * LINE, line->words, LINE);
    }
}

static bool is_same(const char *a, const char *b) {
    const uint64_t *x = (const uint64_t *)(const void *)a, *y = (const uint64_t *)(const void *)b;
    uint64_t different = 0;
    for (uint32_t i = 0; i < LINE / 8; i++) {
        different |= x[i] ^ y[i];
    }
    return different == 0;
}

static struct kept *state_keep(void) {
    static struct kept *all;
    if (all == NULL) {
        size_t lines = 0;
        for (uint32_t i = 0; i < 4; i++) {
            lines += regions[i].lines;
        }
        all = allocated(malloc(sizeof(*all) + lines * sizeof(all->lines[0])));
    }
    all->count = 0;
    state_clean();
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < regions[i].lines; j++) {
            const char *line = regions[i].base + (size_t)j * LINE;
            if (!is_same(line, regions[i].first + (size_t)j * LINE)) {
                struct kept_line *to = &all->lines[all->count++];
                to->region = i;
                to->line = j;
                memcpy(to->words, line, LINE);
            }
        }
    }
    return all;
}

static size_t kept_bytes(const struct kept *kept) {
    return sizeof(*kept) + kept->count * sizeof(kept->lines[0]);
}

static void hash_of(const struct kept *kept, uint64_t out_hash[2]) {
    const uint64_t *word = (const uint64_t *)(const void *)kept->lines;
    uint64_t a = kept->count, b = ~a;
    for (size_t i = 0; i < kept->count * sizeof(kept->lines[0]) / 8; i++) {
        a = (a ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
        a ^= a >> 32;
        b = (b + word[i]) * UINT64_C(0xc2b2ae3d27d4eb4f);
        b = b << 27 | b >> 37;
    }
    out_hash[0] = a;
    out_hash[1] = b;
}

// The number of a state; *out_new: it was not seen before.
static uint32_t state_number(const struct kept *kept, bool *out_new) {
    uint64_t hash[2];
    hash_of(kept, hash);
    uint64_t at = (hash[0] ^ hash[1]) % TABLE;
    for (; table[at] != 0; at = (at + 1) % TABLE) {
        if (memcmp(states[table[at] - 1].hash, hash, sizeof(hash)) == 0) {
            *out_new = false;
            return table[at] - 1;
        }
    }
    if (state_count == STATES_MAX) {
        fputs("too many states\n", stderr);
        exit(3);
    }
    memcpy(states[state_count].hash, hash, sizeof(hash));
    table[at] = state_count + 1;
    *out_new = true;
    return state_count++;
}

// The search --------------------------------------------------------------------------------------

static const char *command_name(struct step step) {
    static const char *const names[] = { "goes on at", "is interrupted at", "chooses at",
                                         "store arrives; it is at" };
    return names[step.command];
}

// Takes the steps that led to a state once more, and says what they are.
static void way_show(uint32_t state, const struct kept *start) {
    uint32_t length = 0;
    for (uint32_t at = state; at != 0; at = states[at].parent) {
        length++;
    }
    struct step *way = allocated(malloc((length + 1) * sizeof(*way)));
    uint32_t place = length;
    for (uint32_t at = state; at != 0; at = states[at].parent) {
        way[--place] = states[at].step;
    }
    state_load(start);
    memset((void *)explore_where, 0, sizeof(explore_where));
    for (uint32_t i = 0; i < length; i++) {
        const char *where = explore_where[way[i].processor];
        printf("  processor %u %s %s", way[i].processor, command_name(way[i]),
               where == NULL ? "its start" : where);
        puts("");
        explore_step(way[i]);
    }
    free(way);
}

static void edge_add(uint32_t from, uint32_t to) {
    if (edge_count == edge_capacity) {
        edge_capacity = edge_capacity == 0 ? 1u << 20 : 2 * edge_capacity;
        edges = allocated(realloc(edges, edge_capacity * sizeof(*edges)));
    }
    edges[edge_count++] = (struct edge){ from, to };
}

static struct kept **waiting; // by number of the state; NULL once it was looked at

static void state_see(uint32_t from, struct step step) {
    bool is_new;
    const struct kept *kept = state_keep();
    const uint32_t to = state_number(kept, &is_new);
    if (is_new) {
        states[to].parent = from;
        states[to].step = step;
        states[to].good = explore_final();
        waiting[to] = allocated(malloc(kept_bytes(kept)));
        memcpy(waiting[to], kept, kept_bytes(kept));
    }
    edge_add(from, to);
}

// All steps from a state. False: one of them failed.
static bool expand(uint32_t state, const struct kept *start) {
    struct step steps[STEPS_MAX];
    state_load(waiting[state]);
    const uint32_t count = explore_steps(steps);
    for (uint32_t i = 0; i < count; i++) {
        if (i != 0) {
            state_load(waiting[state]);
        }
        explore_step(steps[i]);
        if (explore_failure[0] != 0) {
            printf("%s\n", explore_failure);
            way_show(state, start);
            printf("  processor %u %s …\n", steps[i].processor, command_name(steps[i]));
            return false;
        }
        state_see(state, steps[i]);
    }
    return true;
}

static void search_forget(void) {
    for (uint32_t i = 1; i < state_count; i++) {
        free(waiting[i]);
        waiting[i] = NULL;
    }
    memset(states, 0, state_count * sizeof(*states));
    memset(table, 0, TABLE * sizeof(*table));
    state_count = 0;
    edge_count = 0;
    explore_marks_reached = 0;
    explore_learnt = false;
}

static bool search_once(struct kept *start) {
    bool is_new;
    search_forget();
    state_load(start);
    (void)state_number(start, &is_new);
    for (uint32_t state = 0; state < state_count && !explore_learnt; state++) {
        if (!expand(state, start)) {
            return false;
        }
        if (state != 0) {
            free(waiting[state]);
            waiting[state] = NULL;
        }
    }
    return true;
}

static bool search(struct kept *start) {
    do {
        if (!search_once(start)) {
            return false;
        }
    } while (explore_learnt);
    return true;
}

// From the ends backwards: which states can still come to one.
static bool all_can_end(const struct kept *start) {
    for (bool more = true; more;) {
        more = false;
        for (uint64_t i = edge_count; i > 0; i--) {
            const struct edge *edge = &edges[i - 1];
            if (states[edge->to].good && !states[edge->from].good) {
                states[edge->from].good = true;
                more = true;
            }
        }
    }
    for (uint32_t i = 0; i < state_count; i++) {
        if (!states[i].good) {
            puts("it cannot come to its end any more");
            way_show(i, start);
            return false;
        }
    }
    return true;
}

static bool all_reached(void) {
    for (uint32_t i = 0; i < explore_marks; i++) {
        if ((explore_marks_reached >> i & 1) == 0) {
            printf("mark %u is never reached\n", i);
            return false;
        }
    }
    return true;
}

int main(void) {
    states = allocated(calloc(STATES_MAX, sizeof(*states)));
    table = allocated(calloc(TABLE, sizeof(*table)));
    waiting = (struct kept **)allocated(calloc(STATES_MAX, sizeof(*waiting)));
    explore_setup();
    state_clean();
    regions_init();
    struct kept *kept = state_keep();
    struct kept *start = allocated(calloc(1, kept_bytes(kept)));
    memcpy(start, kept, kept_bytes(kept));
    waiting[0] = start;
    const bool good = search(start) && all_can_end(start) && all_reached();
    printf("%u states, %lu steps\n", state_count, (unsigned long)edge_count);
    return good ? 0 : 1;
}
