// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/capability.h>: capabilities: an object, rights on it, and a place in a derivation tree.
//
// An object that can be handed out has a root capability inside it. capability_derive() makes one
// with fewer rights below another; capability_revoke() kills one and all that were derived from it.
// A table of handles or descriptors holds references to capabilities; dup, fork and passing over
// share them. A root is not revoked: it ends with its object. What is to be taken back later is
// derived first.
//
// Each use is bracketed by capability_enter() and capability_leave(): the first checks the rights;
// between the two a revocation knows that the thread acts under the capability. It ends the
// thread's interruptible waits with HX_ERR_REVOKED, and returns only after the thread has left.
// Core allocates nothing: the storage of a derived capability is its creator's.
#pragma once

#include <core/epoch.h>
#include <core/object.h>
#include <core/thread.h>
#include <helix/types.h>
#include <lib/list.h>

#define CAPABILITY_LIVE      (UINT32_C(1) << 31) // beside the HX_RIGHT_…: not revoked
#define CAPABILITY_DEPTH_MAX 64u

struct capability {
    struct object *object;     // what it is for; a root lies in it, a derived one keeps it
    struct object *counted;    // whose references keep this structure
    struct capability *parent; // keeps; NULL: a root
    _Atomic uint32_t rights;   // HX_RIGHT_… and CAPABILITY_LIVE; 0 once revoked
    uint32_t depth;            // below its root
    struct list children;      // [tree] struct capability_derived.sibling
};

struct capability_derived {
    struct capability capability;
    struct object own;
    struct list sibling; // [tree]
    struct epoch_item retired;
    void (*release)(struct capability_derived *derived); // frees the storage; thread context
};

// The root of an object that `root` lies in; lives as long as that.
void capability_init_root(struct capability *root, struct object *object, rights_t rights);

// Makes one below `parent` with those of `rights` that the parent has. One reference, the caller's;
// the last put calls `release` after a grace period.
// Returns HX_OK; HX_ERR_REVOKED (the parent is, or is just being); HX_ERR_LIMIT (too deep).
enum hx_status capability_derive(struct capability *parent, rights_t rights,
                                 struct capability_derived *derived,
                                 void (*release)(struct capability_derived *derived));

// Kills a derived capability and all below it. On return no thread acts under any of them, none
// will, and what was made under them and outlives a call (mappings) is undone. Thread context,
// nothing held; the caller acts under none, so that two that revoke do not wait for each other.
// Returns HX_OK; HX_ERR_NOT_PERMITTED: it is a root; HX_ERR_CANCELED: the caller was killed while
//         it waited: the capabilities are dead, but calls may still be on their way out.
enum hx_status capability_revoke(struct capability *capability);

static inline struct capability *capability_get(struct capability *capability) {
    object_get(capability->counted);
    return capability;
}
static inline void capability_put(struct capability *capability) {
    object_put(capability->counted);
}

// What it allows now; 0 if it was revoked.
static inline rights_t capability_rights(const struct capability *capability) {
    return atomic_load_explicit(&capability->rights, memory_order_relaxed) & ~CAPABILITY_LIVE;
}
static inline bool capability_is_live(const struct capability *capability) {
    return atomic_load_explicit(&capability->rights, memory_order_relaxed) != 0;
}

// Whether anybody has a reference, for who knows it is not freed yet.
static inline bool capability_is_kept(const struct capability *capability) {
    return atomic_load_explicit(&capability->counted->references, memory_order_relaxed) != 0;
}

// Why capability_enter() refuses; traced.
enum hx_status capability_refusal(const struct capability *capability);
// The rest of capability_enter() and _leave(), for derived ones.
bool capability_enter_derived(struct capability *capability, rights_t need);
void capability_leave_derived(struct capability *capability);

// Whether it is a root that allows `need`: then a use needs no more than that it is not closed
// meanwhile, as nobody revokes it.
static inline bool capability_root_allows(const struct capability *capability, rights_t need) {
    const uint32_t rights = atomic_load_explicit(&capability->rights, memory_order_relaxed);
    return capability->parent == NULL && ((uint32_t)need & ~rights) == 0;
}

// Whether it is live and allows `need` at this moment.
static inline bool capability_allows(const struct capability *capability, rights_t need) {
    const uint32_t all = (uint32_t)need | CAPABILITY_LIVE;
    return (~atomic_load_explicit(&capability->rights, memory_order_relaxed) & all) == 0;
}

// capability_enter() of one that was seen to allow `need`: nobody takes that from a root.
static inline enum hx_status capability_enter_allowed(struct capability *capability,
                                                      rights_t need) {
    return capability->parent == NULL || capability_enter_derived(capability, need)
               ? HX_OK
               : capability_refusal(capability);
}

// Begins a use that needs the rights `need`. The caller holds a reference until it has left. Thread
// context; at most THREAD_UNDER_MAX at once. Returns HX_OK, HX_ERR_ACCESS_DENIED, HX_ERR_REVOKED.
static inline enum hx_status capability_enter(struct capability *capability, rights_t need) {
    return capability_allows(capability, need) ? capability_enter_allowed(capability, need)
                                               : capability_refusal(capability);
}
// Ends it; what was entered last is left first.
static inline void capability_leave(struct capability *capability) {
    if (capability->parent != NULL) {
        capability_leave_derived(capability);
    }
}

// Whether the running thread was told that it acts under a capability that was revoked; for what
// takes long, and ends then.
bool capability_lost(void);
