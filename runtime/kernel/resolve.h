// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/resolve.h: in which order modules are started, by what they need and provide, and
// why one is left out. Pure: manifests in, numbers and a line out. Manifests are checked ones; what
// they say of each other may be anything.
#pragma once

#include <helix/module.h>
#include <lib/package.h>

#define RESOLVE_MOST 64u

// Whether the module provides a port in a version that is wanted.
bool module_provides(const struct hx_module *module, const struct hx_port_required *wanted);

// Why a module is not who provides what is wanted: a version that it does not have, or another
// description of it, with what was expected and found: HX_ERR_NOT_SUPPORTED, HX_ERR_BAD_IMAGE.
// False: it has nothing to do with that port.
bool module_refuses(const struct hx_module *provider, const struct hx_port_required *wanted,
                    struct package_refusal *refusal, enum hx_status *out_status);

// Modules that are to be started, beside those that run.
struct resolve {
    const struct hx_module *const *modules;
    uint32_t count; // up to RESOLVE_MOST
    // Whether a module that runs provides what is wanted.
    bool (*is_met)(const struct hx_port_required *wanted);
    uint32_t order[RESOLVE_MOST]; // set by resolve_order(): numbers of modules
    uint32_t ordered;             // how many
};

// Puts those that can be started into an order in which each comes behind all that it needs, as
// near to the given one as that allows. Of two with one name the first counts.
void resolve_order(struct resolve *resolve);

// Why a module is not in the order, with names: nobody provides a port; somebody does, in another
// version, or built against another description of it; they need each other; what it needs is left
// out itself; or there are two of that name. Returns HX_ERR_NOT_FOUND, HX_ERR_NOT_SUPPORTED,
// HX_ERR_BAD_IMAGE, HX_ERR_INVALID (a cycle), HX_ERR_WOULD_BLOCK, HX_ERR_EXISTS, with the line.
enum hx_status resolve_why(const struct resolve *resolve, uint32_t number,
                           struct package_refusal *refusal);
