// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/token.c: capabilities that travel as bytes.
//
// A token says which derived capability it is for, which rights, and until when, under a code that
// this kernel alone can make: its key is born with the first token and never leaves it. Nothing in
// a token is looked at before the code was compared.
#include "native.h"

#include <core/lock.h>
#include <core/log.h>
#include <core/random.h>
#include <core/time.h>
#include <lib/hmac.h>
#include <lib/string.h>
#include <memory/usercopy.h>

struct token {
    uint64_t number; // of the derived capability
    rights_t rights;
    time_ns_t expiry;
    uint64_t zero;
    uint8_t code[HMAC_SHA256_BYTES]; // of what stands before it
};
_Static_assert(sizeof(struct token) == sizeof(struct hx_token), "programs carry it");

static const struct lock_class key_class = { "key of tokens", LOCK_RANK_LEAF, false };
static struct spinlock key_lock = SPINLOCK_INIT(&key_class);
static uint8_t key[HMAC_SHA256_BYTES]; // [key_lock] until it is there; then it stays
static _Atomic bool has_key;

// With the first token rather than at boot: by then drivers have brought what entropy there is.
static void key_make(void) {
    uint8_t fresh[sizeof(key)] = { 0 };
    const bool is_weak = random_is_weak();
    random_bytes(fresh, sizeof(fresh));
    spin_lock(&key_lock);
    const bool mine = !atomic_load_explicit(&has_key, memory_order_relaxed);
    if (mine) {
        memcpy(key, fresh, sizeof(key));
        // Release: who finds it set finds all of the key.
        atomic_store_explicit(&has_key, true, memory_order_release);
    }
    spin_unlock(&key_lock);
    memset(fresh, 0, sizeof(fresh));
    __asm__ volatile("" : : "r"(&fresh) : "memory"); // the wipe is not dead code
    if (mine && is_weak) {
        log_warning("tokens: the key is weak: there was no entropy when the first one was sealed");
    }
}

static void code_of(const struct token *token, uint8_t out_code[HMAC_SHA256_BYTES]) {
    if (!atomic_load_explicit(&has_key, memory_order_acquire)) {
        key_make();
    }
    hmac_sha256(key, sizeof(key), token, offsetof(struct token, code), out_code);
}

enum hx_status native_handle_seal(handle_t handle, struct capability *handle_capability,
                                  uint64_t rights, time_ns_t expiry, struct uaddr out_token) {
    (void)handle;
    if (handle_capability->parent == NULL) {
        return HX_ERR_NOT_PERMITTED; // nobody could take it back
    }
    struct token token = { .number = native_number(handle_capability),
                           .rights = rights & capability_rights(handle_capability),
                           .expiry = expiry };
    code_of(&token, token.code);
    return copy_to_user(out_token, &token, sizeof(token));
}

// Whether it was sealed here since boot, and still counts.
static enum hx_status token_check(const struct token *token) {
    uint8_t code[HMAC_SHA256_BYTES];
    code_of(token, code);
    if (!hmac_is_equal(code, token->code)) {
        return HX_ERR_ACCESS_DENIED;
    }
    return token->expiry != TIME_NEVER && token->expiry <= time_now() ? HX_ERR_TIMED_OUT : HX_OK;
}

enum hx_status native_handle_redeem(const struct hx_token *token, handle_t *out_handle) {
    struct token opened;
    memcpy(&opened, token, sizeof(opened));
    enum hx_status status = token_check(&opened);
    if (status != HX_OK) {
        return status;
    }
    struct capability *capability = native_numbered(opened.number);
    if (capability == NULL) {
        return HX_ERR_REVOKED;
    }
    status = native_derive(capability, opened.rights, out_handle);
    capability_put(capability);
    return status;
}
