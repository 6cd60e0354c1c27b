// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as sealed tokens, and tokens with bytes changed: only what was sealed, to the last bit,
// and in its time, gives a handle, with no more rights than it had. Of token.c, with stand-ins for
// what it calls.
#include "../token.c"

#include "fuzz.h"

#include <string.h>

#define TOKENS 3u

static time_ns_t now;
static uint8_t born[1 + TOKENS]; // what the key is made of: all that differs between seals
static struct hx_token sealed[TOKENS];
static struct capability parent;
static struct capability_derived thing;
static uint64_t number; // of it; 0: it is gone
static bool is_derived;
static rights_t derived_rights;

// What it calls -----------------------------------------------------------------------------------

HX_ATTR(no_thread_safety_analysis)
void spin_lock(struct spinlock *lock) {
    (void)lock;
}

HX_ATTR(no_thread_safety_analysis)
void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

void random_bytes(void *to, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++) {
        ((uint8_t *)to)[i] = (uint8_t)(born[i % sizeof(born)] + i);
    }
}

bool random_is_weak(void) {
    return false;
}

void log_write(enum log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

time_ns_t time_now(void) {
    return now;
}

enum hx_status copy_to_user(struct uaddr to, const void *from, size_t size_bytes) {
    memcpy(&sealed[to.value], from, size_bytes);
    return HX_OK;
}

uint64_t native_number(struct capability *capability) {
    FUZZ_ASSERT(capability == &thing.capability);
    return number;
}

struct capability *native_numbered(uint64_t wanted) {
    FUZZ_ASSERT(wanted != 0);
    return wanted == number ? &thing.capability : NULL;
}

enum hx_status native_derive(struct capability *from, rights_t rights, handle_t *out_derived) {
    FUZZ_ASSERT(from == &thing.capability);
    is_derived = true;
    derived_rights = rights;
    *out_derived = 1;
    return HX_OK;
}

struct object *object_get(struct object *object) {
    return object;
}

void object_put(struct object *object) {
    FUZZ_ASSERT(object == &thing.own);
}

// -------------------------------------------------------------------------------------------------

static void seal_all(const uint8_t *choices) {
    static const rights_t rights[TOKENS] = { HX_RIGHTS_ALL, HX_RIGHT_READ, HX_RIGHT_SIGNAL };
    for (uint32_t i = 0; i < TOKENS; i++) {
        const time_ns_t expiry = choices[i] % 2 == 0 ? TIME_NEVER : choices[i];
        FUZZ_ASSERT(native_handle_seal(1, &thing.capability, rights[i], expiry, uaddr_make(i)) ==
                    HX_OK);
    }
    FUZZ_ASSERT(native_handle_seal(1, &parent, HX_RIGHTS_ALL, TIME_NEVER, uaddr_make(0)) ==
                HX_ERR_NOT_PERMITTED);
}

// Which of the tokens it is; TOKENS: none.
static uint32_t known(const struct hx_token *token) {
    uint32_t i = 0;
    while (i < TOKENS && memcmp(token, &sealed[i], sizeof(*token)) != 0) {
        i++;
    }
    return i;
}

static void redeem(const struct hx_token *token) {
    struct token opened;
    handle_t handle = 0;
    is_derived = false;
    const enum hx_status status = native_handle_redeem(token, &handle);
    memcpy(&opened, token, sizeof(opened));
    FUZZ_ASSERT((status == HX_OK) == is_derived && (handle != 0) == is_derived);
    if (known(token) == TOKENS) {
        FUZZ_ASSERT(status == HX_ERR_ACCESS_DENIED);
    } else if (opened.expiry != TIME_NEVER && opened.expiry <= now) {
        FUZZ_ASSERT(status == HX_ERR_TIMED_OUT);
    } else {
        FUZZ_ASSERT(status == (number == 0 ? HX_ERR_REVOKED : HX_OK));
    }
    FUZZ_ASSERT(!is_derived ||
                derived_rights == (opened.rights & capability_rights(&thing.capability)));
}

// The moment, three tokens' ends, then changes: which token, where, how. Or a whole one of any
// bytes.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hx_token token;
    if (size < 1 + TOKENS) {
        return 0;
    }
    memcpy(born, data, sizeof(born));
    atomic_store_explicit(&has_key, false, memory_order_relaxed); // another start
    number = 77;
    thing.capability.parent = &parent;
    thing.capability.counted = &thing.own;
    atomic_store_explicit(&thing.capability.rights,
                          HX_RIGHT_READ | HX_RIGHT_SIGNAL | CAPABILITY_LIVE, memory_order_relaxed);
    seal_all(data + 1);
    now = data[0];
    for (size_t i = 1 + TOKENS; i + 2 < size; i += 3) {
        token = sealed[data[i] % TOKENS];
        ((uint8_t *)&token)[data[i + 1] % sizeof(token)] ^= data[i + 2];
        number = data[i] >= 0xf0 ? 0 : 77;
        redeem(&token);
    }
    memset(&token, 0, sizeof(token));
    memcpy(&token, data, size < sizeof(token) ? size : sizeof(token));
    redeem(&token);
    return 0;
}
