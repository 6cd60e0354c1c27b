// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/native_calls.h: Helix's own calls with arguments that get past their first check often
// enough: handles that this process made, and structs that name them. Elsewhere there are none of
// these calls, which is one more answer.
#pragma once

#include "arguments.h"

#undef PAGE_SIZE // of musl's <limits.h>
#include <helix/native.h>

#define KINDS   9u // enum hx_object; 0: of whatever
#define HANDLES 4u // of each kind, that a process remembers

static uint32_t native_handles[KINDS][HANDLES];
static struct hx_token native_token; // the last one that was sealed

// Beside the letters of shapes.h: 0 … 8 a handle of that kind  d a derived one  Z protection
//   R rights  N bits of state  T moment  W items to wait for  C slots  E two handles come back here
//   D descriptors  S what is to be spawned  K token  Q amounts
static const struct native_shape {
    uint16_t number;
    uint8_t made; // the kind of handle that comes back
    const char *shape;
} native_shapes[] = {
    { HX_CALL_handle_close, 0, "0" },
    { HX_CALL_handle_derive, 0, "0R" },
    { HX_CALL_handle_revoke, 0, "d" },
    { HX_CALL_handle_info, 0, "0b" },
    { HX_CALL_event_create, 1, "N" },
    { HX_CALL_event_update, 0, "1NN" },
    { HX_CALL_wait, 0, "WkT" },
    { HX_CALL_channel_create, 0, "CE" },
    { HX_CALL_channel_map, 0, "3b" },
    { HX_CALL_channel_notify, 0, "3k" },
    { HX_CALL_channel_arm, 0, "3k" },
    { HX_CALL_channel_send, 0, "30" },
    { HX_CALL_channel_receive, 0, "3" },
    { HX_CALL_handle_bequeath, 0, "0" },
    { HX_CALL_handle_given, 0, "" },
    { HX_CALL_channel_wait, 0, "3knnT" },
    { HX_CALL_channel_call, 0, "3nnT" },
    { HX_CALL_memory_create, 4, "l" },
    { HX_CALL_memory_map, 0, "4llZ" },
    { HX_CALL_memory_resize, 0, "4l" },
    { HX_CALL_memory_size, 0, "4" },
    { HX_CALL_timer_create, 5, "" },
    { HX_CALL_timer_set, 0, "5Tn" },
    { HX_CALL_timer_take, 0, "5" },
    { HX_CALL_account_own, 7, "" },
    { HX_CALL_account_create, 7, "7Q" },
    { HX_CALL_account_limit, 0, "7kn" },
    { HX_CALL_account_info, 0, "7b" },
    { HX_CALL_handle_seal, 0, "dRTb" },
    { HX_CALL_handle_redeem, 0, "K" },
    { HX_CALL_process_spawn, 6, "SDk" },
    { HX_CALL_process_info, 0, "6b" },
    { HX_CALL_process_kill, 0, "6" },
    { HX_CALL_file_handle, 2, "f" },
    { HX_CALL_file_descriptor, 0, "2k" },
    { HX_CALL_process_pid, 0, "a" },
    { HX_CALL_module_all, 8, "" },
    { HX_CALL_module_load, 0, "8blb" },
    { HX_CALL_module_check, 0, "8blbb" },
    { HX_CALL_module_info, 0, "8kb" },
    { HX_CALL_module_unload, 0, "8bb" },
    { HX_CALL_module_swap, 0, "8bblb" },
    { HX_CALL_module_isolate, 0, "8blb" },
    { HX_CALL_module_life, 0, "8nTb" },
    { HX_CALL_module_move, 0, "8bkblb" },
};

// Each call of the table is described.
#define NATIVE_ONE(name, number) +1
_Static_assert(COUNT(native_shapes) == 0 HX_NATIVE_CALLS(NATIVE_ONE) HX_POSIX_CALLS(NATIVE_ONE),
               "a call is missing here");
#undef NATIVE_ONE

static inline uint32_t draw_handle(struct generator *generator, uint32_t kind) {
    if (one_in(generator, 16)) {
        return (uint32_t)draw_any(generator);
    }
    if (kind == 0 || one_in(generator, 8)) {
        kind = below(generator, KINDS);
    }
    return native_handles[kind][below(generator, HANDLES)];
}

// CLOCK_MONOTONIC: over, soon, or never, from which a signal wakes.
static inline uint64_t draw_moment(struct generator *generator) {
    struct timespec now;
    if (one_in(generator, 8)) {
        return one_in(generator, 2) ? draw_any(generator) : (uint64_t)TIME_NEVER;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + below(generator, 1000000);
}

static inline uint64_t draw_items(struct generator *generator) {
    static const uint32_t waitable[] = { HX_OBJECT_EVENT, HX_OBJECT_CHANNEL, HX_OBJECT_TIMER,
                                         HX_OBJECT_PROCESS, HX_OBJECT_FILE };
    struct hx_wait_item *items = (void *)(ARENA + below(generator, 6) * PAGE);
    for (uint32_t i = 0; i < HX_WAIT_MAX; i++) {
        items[i] =
            (struct hx_wait_item){ .handle = draw_handle(generator, ELEMENT(generator, waitable)),
                                   .mask =
                                       one_in(generator, 4) ? HX_STATE_USER : below(generator, 16),
                                   .zero = one_in(generator, 99) };
    }
    return (uint64_t)(uintptr_t)items;
}

static inline uint64_t draw_spawn(struct generator *generator) {
    struct hx_spawn *spawn = (void *)(ARENA + below(generator, 6) * PAGE + 1024);
    char *path = (char *)(ARENA + 7 * PAGE);
    strcpy(path, one_in(generator, 4) ? ELEMENT(generator, path_words) : "/bin/true");
    *spawn = (struct hx_spawn){
        .path = one_in(generator, 8) ? draw_path(generator) : (uint64_t)(uintptr_t)path,
        .arguments = one_in(generator, 2) ? 0 : draw_vector(generator, true),
        .environment = one_in(generator, 2) ? 0 : draw_vector(generator, true),
        .given = one_in(generator, 2) ? 0 : draw_handle(generator, 0),
        .account = one_in(generator, 2) ? 0 : draw_handle(generator, HX_OBJECT_ACCOUNT),
        .file = one_in(generator, 2) ? 0 : draw_handle(generator, HX_OBJECT_FILE),
        .zero = one_in(generator, 32),
    };
    return (uint64_t)(uintptr_t)spawn;
}

static inline uint64_t draw_words(struct generator *generator, uint32_t limit) {
    uint32_t *words = (void *)(ARENA + below(generator, 6) * PAGE + 2048);
    for (uint32_t i = 0; i < 64; i++) {
        words[i] = one_in(generator, 16) ? (uint32_t)draw_any(generator) : below(generator, limit);
    }
    return (uint64_t)(uintptr_t)words;
}

static inline uint64_t draw_amounts(struct generator *generator) {
    struct hx_account_amounts *amounts = (void *)(ARENA + below(generator, 6) * PAGE + 3072);
    for (uint32_t i = 0; i < HX_ACCOUNT_ITEMS; i++) {
        amounts->amounts[i] = one_in(generator, 8) ? draw_any(generator) : below(generator, 4);
    }
    return (uint64_t)(uintptr_t)amounts;
}

static inline uint64_t draw_token(struct generator *generator) {
    struct hx_token *token = (void *)(ARENA + below(generator, 6) * PAGE + 3584);
    *token = native_token;
    if (one_in(generator, 2)) {
        token->bytes[below(generator, HX_TOKEN_BYTES)] ^= (uint8_t)(1u << below(generator, 8));
    }
    return (uint64_t)(uintptr_t)token;
}

static inline uint64_t draw_native(struct generator *generator, char kind) {
    switch (one_in(generator, 24) ? '?' : kind) {
    case '0' ... '8':
        return draw_handle(generator, (uint32_t)(kind - '0'));
    case 'd':
        return native_handles[0][below(generator, HANDLES)];
    case 'C':
        return 2u << below(generator, 12);
    case 'Z':
        return one_in(generator, 4) ? draw_number(generator) : 1 | below(generator, 2) << 1;
    case 'R':
        return one_in(generator, 2) ? HX_RIGHTS_ALL : draw(generator) & HX_RIGHTS_ALL;
    case 'N':
        return (uint64_t)below(generator, 256) << 8;
    case 'T':
        return draw_moment(generator);
    case 'W':
        return draw_items(generator);
    case 'E':
        return ARENA + below(generator, 6) * PAGE + 512;
    case 'D':
        return draw_words(generator, 48);
    case 'S':
        return draw_spawn(generator);
    case 'K':
        return draw_token(generator);
    case 'Q':
        return draw_amounts(generator);
    case 'k':
        return one_in(generator, 4) ? draw_number(generator) : 1u << below(generator, 3);
    case 'n':
        return below(generator, 3) != 0 ? below(generator, 20) : draw_any(generator);
    case 'l':
        return below(generator, 3) != 0 ? below(generator, 16) * PAGE : draw_length(generator);
    default:
        return draw_argument(generator, kind, false);
    }
}

static inline void native_remember(struct generator *generator, uint32_t kind, uint32_t handle) {
    native_handles[kind][below(generator, HANDLES)] = handle;
}

// Keeps what came of a call, where later ones find it.
static inline void native_result(struct generator *generator, const struct native_shape *call,
                                 const uint64_t *arguments, long result) {
    const uint64_t at = arguments[call->number == HX_CALL_handle_seal ? 3 : 1];
    const bool is_there = at >= ARENA && at < ARENA + (ARENA_WRITABLE - 1) * PAGE;
    if (result > 0 && result <= UINT32_MAX) {
        native_remember(generator, call->made, (uint32_t)result);
    } else if (result == 0 && is_there && call->number == HX_CALL_channel_create) {
        uint32_t ends[2];
        memcpy(ends, (const void *)(uintptr_t)at, sizeof(ends));
        native_remember(generator, HX_OBJECT_CHANNEL, ends[0]);
        native_remember(generator, HX_OBJECT_CHANNEL, ends[1]);
    } else if (result == 0 && is_there && call->number == HX_CALL_handle_seal) {
        memcpy(&native_token, (const void *)(uintptr_t)at, sizeof(native_token));
    }
}
