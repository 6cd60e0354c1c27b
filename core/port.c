// SPDX-License-Identifier: MIT OR Apache-2.0
// core/port.c: the table of who uses which port.
#include <core/lock.h>
#include <core/port.h>
#include <lib/string.h>

#define PORTS_MAX 16u

static const struct lock_class ports_class = { "ports", LOCK_RANK_LEAF, false };
static struct spinlock ports_lock = SPINLOCK_INIT(&ports_class);

static struct {
    const char *port;
    port_installer_t installer;
} ports[PORTS_MAX]; // [ports_lock] filled from the front, never emptied

static port_installer_t installer_find_locked(const char *port) {
    for (uint32_t i = 0; i < PORTS_MAX && ports[i].port != NULL; i++) {
        if (strcmp(ports[i].port, port) == 0) {
            return ports[i].installer;
        }
    }
    return NULL;
}

enum hx_status port_installer_register(const char *port, port_installer_t installer) {
    enum hx_status status = HX_ERR_LIMIT;
    spin_lock(&ports_lock);
    if (installer_find_locked(port) != NULL) {
        status = HX_ERR_EXISTS;
    } else {
        for (uint32_t i = 0; i < PORTS_MAX; i++) {
            if (ports[i].port == NULL) {
                ports[i].port = port;
                ports[i].installer = installer;
                status = HX_OK;
                break;
            }
        }
    }
    spin_unlock(&ports_lock);
    return status;
}

enum hx_status port_provide(const char *port, const char *slot, struct hx_version version,
                            const void *operations, void *self) {
    spin_lock(&ports_lock);
    port_installer_t installer = installer_find_locked(port);
    spin_unlock(&ports_lock);
    return installer == NULL ? HX_ERR_NOT_FOUND : installer(slot, version, operations, self);
}
