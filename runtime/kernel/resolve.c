// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/resolve.c: the order of <resolve.h>. Pure.
#include "resolve.h"

#include <lib/format.h>
#include <lib/string.h>

#define NOBODY UINT32_MAX

static int version_compare(struct hx_version a, struct hx_version b) {
    if (a.major != b.major) {
        return a.major < b.major ? -1 : 1;
    }
    if (a.minor != b.minor) {
        return a.minor < b.minor ? -1 : 1;
    }
    return a.patch == b.patch ? 0 : a.patch < b.patch ? -1 : 1;
}

static bool is_in_range(struct hx_version version, const struct hx_port_required *wanted) {
    return version_compare(version, wanted->least) >= 0 &&
           version_compare(version, wanted->below) < 0;
}

bool module_provides(const struct hx_module *module, const struct hx_port_required *wanted) {
    for (uint32_t i = 0; i < module->provides_count; i++) {
        const struct hx_port_provided *port = &module->provides[i];
        if (strcmp(port->port, wanted->port) == 0 && port->abi == wanted->abi &&
            is_in_range(port->version, wanted)) {
            return true;
        }
    }
    return false;
}

// The first module of that name.
static bool is_first(const struct resolve *resolve, uint32_t number) {
    uint32_t first = 0;
    while (strcmp(resolve->modules[first]->name, resolve->modules[number]->name) != 0) {
        first++;
    }
    return first == number;
}

static bool is_ordered(const struct resolve *resolve, uint32_t number) {
    uint32_t i = 0;
    while (i < resolve->ordered && resolve->order[i] != number) {
        i++;
    }
    return i < resolve->ordered;
}

static bool is_there(const struct resolve *resolve, const struct hx_port_required *wanted) {
    bool found = resolve->is_met(wanted);
    for (uint32_t i = 0; i < resolve->ordered && !found; i++) {
        found = module_provides(resolve->modules[resolve->order[i]], wanted);
    }
    return found;
}

// The first that is not there; NULL: the module can be started.
static const struct hx_port_required *missing_of(const struct resolve *resolve, uint32_t number) {
    const struct hx_module *module = resolve->modules[number];
    for (uint32_t i = 0; i < module->needs_count; i++) {
        if (!is_there(resolve, &module->needs[i])) {
            return &module->needs[i];
        }
    }
    return NULL;
}

// Adds the first one that can be started; false: none can.
static bool add_next(struct resolve *resolve) {
    for (uint32_t i = 0; i < resolve->count; i++) {
        if (!is_ordered(resolve, i) && is_first(resolve, i) && missing_of(resolve, i) == NULL) {
            resolve->order[resolve->ordered++] = i;
            return true;
        }
    }
    return false;
}

void resolve_order(struct resolve *resolve) {
    resolve->ordered = 0;
    while (add_next(resolve)) {
    }
}

// Why not
// ------------------------------------------------------------------------------------------------

// One that would provide it if it were started; NOBODY.
static uint32_t provider_of(const struct resolve *resolve, const struct hx_port_required *wanted) {
    for (uint32_t i = 0; i < resolve->count; i++) {
        if (is_first(resolve, i) && module_provides(resolve->modules[i], wanted)) {
            return i;
        }
    }
    return NOBODY;
}

// Who comes behind `number` on the way from one to what it needs; NOBODY: it needs what nobody has.
static uint32_t next_of(const struct resolve *resolve, uint32_t number) {
    const struct hx_port_required *missing = missing_of(resolve, number);
    return missing != NULL ? provider_of(resolve, missing) : NOBODY;
}

static bool is_in_cycle(const struct resolve *resolve, uint32_t number) {
    uint32_t at = number;
    for (uint32_t steps = 0; steps < resolve->count && at != NOBODY; steps++) {
        at = next_of(resolve, at);
        if (at == number) {
            return true;
        }
    }
    return false;
}

// "a needs b needs a", as far as the line goes.
static enum hx_status cycle(const struct resolve *resolve, uint32_t number,
                            struct package_refusal *refusal) {
    char text[PACKAGE_REFUSAL_BYTES];
    size_t length = 0;
    uint32_t at = number;
    text[0] = '\0';
    do {
        at = next_of(resolve, at);
        (void)format_string(text + length, sizeof(text) - length, " needs %s",
                            resolve->modules[at]->name);
        length = strlen(text);
    } while (at != number);
    return package_refuse(refusal, HX_ERR_INVALID,
                          "expected modules that do not need each other, found that %s%s",
                          resolve->modules[number]->name, text);
}

// A port of that name, whose version or description is another one: the version that is wanted, or
// the newest one.
static const struct hx_port_provided *like(const struct hx_module *module,
                                           const struct hx_port_required *wanted) {
    const struct hx_port_provided *found = NULL;
    for (uint32_t i = 0; i < module->provides_count; i++) {
        const struct hx_port_provided *port = &module->provides[i];
        if (strcmp(port->port, wanted->port) == 0 &&
            (found == NULL || version_compare(port->version, wanted->least) == 0)) {
            found = port;
        }
    }
    return found;
}

static enum hx_status conflict(const struct hx_module *provider,
                               const struct hx_port_provided *found,
                               const struct hx_port_required *wanted,
                               struct package_refusal *refusal) {
    if (is_in_range(found->version, wanted)) {
        return package_refuse(refusal, HX_ERR_BAD_IMAGE,
                              "expected %s with ABI %016llx, found %s with ABI %016llx",
                              wanted->port, (unsigned long long)wanted->abi, provider->name,
                              (unsigned long long)found->abi);
    }
    return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                          "expected %s from %u.%u on, below %u.%u, found %s with %u.%u",
                          wanted->port, wanted->least.major, wanted->least.minor,
                          wanted->below.major, wanted->below.minor, provider->name,
                          found->version.major, found->version.minor);
}

bool module_refuses(const struct hx_module *provider, const struct hx_port_required *wanted,
                    struct package_refusal *refusal, enum hx_status *out_status) {
    const struct hx_port_provided *found = like(provider, wanted);
    if (found != NULL) {
        *out_status = conflict(provider, found, wanted, refusal);
    }
    return found != NULL;
}

static enum hx_status nobody(const struct resolve *resolve, const struct hx_port_required *wanted,
                             struct package_refusal *refusal) {
    enum hx_status status;
    for (uint32_t i = 0; i < resolve->count; i++) {
        if (module_refuses(resolve->modules[i], wanted, refusal, &status)) {
            return status;
        }
    }
    return package_refuse(refusal, HX_ERR_NOT_FOUND, "expected a provider of %s %u.%u, found none",
                          wanted->port, wanted->least.major, wanted->least.minor);
}

enum hx_status resolve_why(const struct resolve *resolve, uint32_t number,
                           struct package_refusal *refusal) {
    const struct hx_port_required *missing = missing_of(resolve, number);
    if (!is_first(resolve, number) || missing == NULL) {
        return package_refuse(refusal, HX_ERR_EXISTS,
                              "expected one module of that name, found two");
    }
    if (is_in_cycle(resolve, number)) {
        return cycle(resolve, number, refusal);
    }
    const uint32_t provider = provider_of(resolve, missing);
    return provider == NOBODY ? nobody(resolve, missing, refusal)
                              : package_refuse(refusal, HX_ERR_WOULD_BLOCK,
                                               "expected %s from %s, found that it is "
                                               "left out",
                                               missing->port, resolve->modules[provider]->name);
}
