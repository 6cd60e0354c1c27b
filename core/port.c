// SPDX-License-Identifier: MIT OR Apache-2.0
// core/port.c: the table of who uses which port.
#include <core/gate.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/port.h>
#include <lib/port.h>
#include <lib/string.h>

#define PORTS_MAX 16u

static const struct lock_class ports_class = { "ports", LOCK_RANK_LEAF, false };
static struct spinlock ports_lock = SPINLOCK_INIT(&ports_class);

static struct {
    const struct port_used *used; // NULL: free
    port_installer_t installer;
} ports[PORTS_MAX]; // [ports_lock] filled from the front, never emptied

// The row of a port, or the first that is free; PORTS_MAX: neither.
static uint32_t row_find_locked(const char *port) {
    uint32_t row = 0;
    while (row < PORTS_MAX && ports[row].used != NULL &&
           strcmp(ports[row].used->versions->port, port) != 0) {
        row++;
    }
    return row;
}

enum hx_status port_installer_register(const struct port_used *used, port_installer_t installer) {
    enum hx_status status = HX_OK;
    spin_lock(&ports_lock);
    uint32_t row = row_find_locked(used->versions->port);
    if (row == PORTS_MAX) {
        status = HX_ERR_LIMIT;
    } else if (ports[row].used != NULL) {
        status = HX_ERR_EXISTS;
    } else {
        ports[row].used = used;
        ports[row].installer = installer;
    }
    spin_unlock(&ports_lock);
    return status;
}

// The slot that the module had in its last life; NULL: it had none of that name.
static struct gate *slot_of_last_life(const struct port_provider *provider, const char *port) {
    for (uint32_t i = 0; i < GATES_MAX; i++) {
        struct gate *gate = gate_at(i);
        if (gate != NULL && gate->port != NULL && strcmp(gate->port, port) == 0 &&
            strcmp(gate->slot, provider->slot) == 0 && gate_module(gate) == provider->name &&
            gate->is_vacant) {
            return gate;
        }
    }
    return NULL;
}

static enum hx_status replace(const struct port_used *used, struct port_provider *provider) {
    provider->gate->self = provider->self; // nobody is inside
    enum hx_status status = used->replace != NULL ? used->replace(provider) : HX_ERR_EXISTS;
    provider->gate->is_vacant = status != HX_OK;
    return status;
}

static enum hx_status install(const struct port_used *used, port_installer_t installer,
                              struct port_provider *provider) {
    provider->gate = slot_of_last_life(provider, used->versions->port);
    if (provider->gate != NULL) {
        return replace(used, provider);
    }
    enum hx_status status =
        gate_create(provider->slot, used->versions->port, provider->name, &provider->gate);
    if (status != HX_OK) {
        return status;
    }
    atomic_store_explicit(&provider->gate->supervisor, provider->supervisor, memory_order_relaxed);
    provider->gate->self = provider->self;
    status = installer(provider);
    if (status != HX_OK) {
        gate_release(provider->gate);
    }
    return status;
}

// Who uses a port, and how he is given a provider; NULL: nobody does.
static const struct port_used *user_find(const char *port, port_installer_t *out_installer) {
    spin_lock(&ports_lock);
    const uint32_t row = row_find_locked(port);
    const struct port_used *used = row < PORTS_MAX ? ports[row].used : NULL;
    *out_installer = used != NULL ? ports[row].installer : NULL;
    spin_unlock(&ports_lock);
    return used;
}

static const struct port_used *used_find(const char *port) {
    port_installer_t installer;
    return user_find(port, &installer);
}

// The version that the provider has of what the user has last; else its newest one.
static const struct hx_port_provided *found_of(const struct hx_port_versions *versions,
                                               const struct hx_port_provided *provides,
                                               uint32_t count) {
    const struct hx_port_provided *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_it = strcmp(provides[i].port, versions->port) == 0;
        if (is_it && (found == NULL || provides[i].version.minor == versions->minors[0].minor)) {
            found = &provides[i];
        }
    }
    return found;
}

static void log_difference(const struct hx_port_versions *versions,
                           const struct hx_port_provided *found) {
    const struct hx_port_minor *newest = &versions->minors[0];
    log_error("port %s: expected %u.%u with ABI %016llx, found %u.%u with ABI %016llx",
              versions->port, versions->major, newest->minor, (unsigned long long)newest->abi,
              found != NULL ? found->version.major : 0u, found != NULL ? found->version.minor : 0u,
              found != NULL ? (unsigned long long)found->abi : 0ull);
}

enum hx_status port_agree(const char *port, const struct hx_port_provided *provides, uint32_t count,
                          const struct hx_port_versions **out_versions,
                          const struct hx_port_minor **out_minor) {
    const struct port_used *used = used_find(port);
    if (used == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    const struct hx_port_versions *versions = used->versions;
    const struct hx_port_minor *common = port_common(versions, provides, count);
    if (common == NULL) {
        log_difference(versions, found_of(versions, provides, count));
        return HX_ERR_BAD_IMAGE;
    }
    if (common != &versions->minors[0]) {
        log_info("port %s: expected %u.%u, goes on with %u.%u", port, versions->major,
                 versions->minors[0].minor, versions->major, common->minor);
    }
    *out_versions = versions;
    *out_minor = common;
    return HX_OK;
}

enum hx_status port_provide(const char *port, struct port_provider *provider) {
    port_installer_t installer;
    const struct port_used *used = user_find(port, &installer);
    return used != NULL ? install(used, installer, provider) : HX_ERR_NOT_FOUND;
}

bool port_is_replaceable(const char *port, bool has_arena) {
    const struct port_used *used = used_find(port);
    return used != NULL && used->replace != NULL && (has_arena || !used->needs_arena);
}

void port_drop(const struct gate *gate) {
    const struct port_used *used = used_find(gate->port);
    if (used != NULL && used->drop != NULL) {
        used->drop(gate);
    }
}

void port_resume(const struct gate *gate) {
    const struct port_used *used = used_find(gate->port);
    if (used != NULL && used->resume != NULL) {
        used->resume(gate);
    }
}

const struct port_used *port_used_at(uint32_t number) {
    spin_lock(&ports_lock);
    const struct port_used *used = number < PORTS_MAX ? ports[number].used : NULL;
    spin_unlock(&ports_lock);
    return used;
}

enum hx_status port_leave(struct gate *gate, enum port_leaving step) {
    const struct port_used *used = used_find(gate->port);
    if (used == NULL || used->leave == NULL) {
        return HX_ERR_BUSY;
    }
    enum hx_status status = used->leave(gate, step);
    if (step == PORT_LEFT) {
        gate_release(gate);
    }
    return status;
}
