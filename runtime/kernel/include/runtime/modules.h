// SPDX-License-Identifier: MIT OR Apache-2.0
// <runtime/modules.h>: modules of the running system: loaded from packages, listed, unloaded.
//
// Thread context, nothing held: a module's init, start, stop and fini are called from here. Who may
// ask for it is the caller's matter. Refusals come with a line that says what was expected and what
// was found.
#pragma once

#include <helix/module.h>
#include <lib/package.h>

#define MODULE_PORTS_BYTES 256u

// Where a module runs: the same package either way.
enum module_placement {
    MODULE_IN_KERNEL,
    MODULE_ISOLATED, // in ring 3, a process of its own: decision 044
};

// What there is to say about a module.
struct module_description {
    char name[32];
    struct hx_version version;
    uint32_t capabilities;
    bool is_loaded; // from a package
    bool is_isolated;
    bool runs;                      // no: its start failed, or it is only looked at
    uint64_t memory_bytes;          // of its code and data; 0: it is in the image
    char ports[MODULE_PORTS_BYTES]; // a line for each: "provides helix.char 1.0", "needs …"
};

#define MODULE_LIVES           128u // events that are kept
#define MODULE_LIFE_TEXT_BYTES 80u

enum module_life_kind {
    LIFE_STARTED = 1,     // for the first time
    LIFE_DIED = 2,        // how
    LIFE_RESTARTED = 3,   // after a death
    LIFE_SWAPPED = 4,     // for another version, or for itself
    LIFE_MOVED = 5,       // where to
    LIFE_ROLLED_BACK = 6, // to the version before
    LIFE_GIVEN_UP = 7,    // why
    LIFE_UNLOADED = 8,
    LIFE_REFUSED = 9, // a load, swap or move was not done; what became of it, others say
};

// What happened to a module.
struct module_life {
    uint64_t number; // from 1 on, without gaps
    time_ns_t at;
    enum module_life_kind kind;
    char name[32];
    char text[MODULE_LIFE_TEXT_BYTES]; // for people
};

// The event of that number, or, if it is not kept any more, the oldest one that is; waits for one
// that has not happened. HX_ERR_TIMED_OUT, HX_ERR_INTERRUPTED, or the capability under which the
// caller acts is revoked. Thread context.
enum hx_status modules_life(uint64_t number, time_ns_t deadline, struct module_life *out_life);

// Verifies a package, loads it and starts its module. Borrows the bytes, the caller's own copy.
// Returns HX_OK; what <lib/package.h> refuses with;
//         HX_ERR_NOT_SUPPORTED  it was built for another SDK
//         HX_ERR_EXISTS         there is a module of that name
//         HX_ERR_NOT_FOUND      nobody provides a port that it needs
//         HX_ERR_LIMIT, HX_ERR_NO_MEMORY
//         or what its init or start returned; HX_ERR_PEER_DIED: a fault
enum hx_status modules_load(const void *bytes, size_t size_bytes, enum module_placement placement,
                            struct package_refusal *refusal);

// The same up to the start, which is not done: what the package has. Refusals as above.
enum hx_status modules_check(const void *bytes, size_t size_bytes,
                             struct module_description *out_description,
                             struct package_refusal *refusal);

// Stops a module and takes back all that it held.
// Returns HX_OK
//         HX_ERR_NOT_FOUND      there is none of that name
//         HX_ERR_NOT_PERMITTED  it is in the image
//         HX_ERR_BUSY           somebody uses it, or another module needs it; nothing was done
enum hx_status modules_unload(const char *name, struct package_refusal *refusal);

// Puts another version in the place of a module that runs: that of a package, or, if `size_bytes`
// is 0, its own once more. Its clients wait meanwhile and go on with the new one; if that refuses
// or dies, also for a while afterwards, with the old one. Decision 040. Returns HX_OK; what
// <lib/package.h> refuses with, and
//         HX_ERR_NOT_FOUND      there is none of that name, or nobody provides a port that the new
//                               one needs
//         HX_ERR_INVALID        the package has a module of another name
//         HX_ERR_NOT_SUPPORTED  it was built for another SDK, does not provide what the old one
//                               does, or clients of the old one need what it has
//         HX_ERR_BUSY           somebody does not leave it, or it does not stop
//         HX_ERR_PEER_DIED      it is dead, or the new one died; HX_ERR_IO: a device does not stop
//         HX_ERR_NO_MEMORY; or what the new one's init, start or self-test returned
enum hx_status modules_swap(const char *name, const void *bytes, size_t size_bytes,
                            struct package_refusal *refusal);

// The same into that placement, whatever it has been; modules_swap() keeps the one that it has.
// HX_ERR_NOT_SUPPORTED also: it cannot be there.
enum hx_status modules_move(const char *name, const void *bytes, size_t size_bytes,
                            enum module_placement placement, struct package_refusal *refusal);

// The modules, by numbers from 0; false: no more. Numbers may change from call to call.
bool modules_describe(uint32_t number, struct module_description *out_description);

struct fs_context;

// Loads the packages of the profile from /lib/helix of a root, which is borrowed: those that the
// system begins with, before its first program. What cannot be loaded is left out, and the log says
// why; with helix.safe on the command line, so are all.
void profile_load(struct fs_context *root);
// The same for those that can be had later, by a thread of their own; borrows the root for good.
void profile_load_later(struct fs_context *root);
