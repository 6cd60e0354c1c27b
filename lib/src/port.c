// SPDX-License-Identifier: MIT OR Apache-2.0
// lib/src/port.c: see <lib/port.h>.
#include <lib/port.h>
#include <lib/string.h>

static bool provides_minor(const struct hx_port_versions *versions,
                           const struct hx_port_minor *minor,
                           const struct hx_port_provided *provided) {
    return strcmp(provided->port, versions->port) == 0 &&
           provided->version.major == versions->major && provided->version.minor == minor->minor &&
           provided->abi == minor->abi;
}

const struct hx_port_minor *port_common(const struct hx_port_versions *versions,
                                        const struct hx_port_provided *provides, uint32_t count) {
    for (uint32_t i = 0; i < versions->count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            if (provides_minor(versions, &versions->minors[i], &provides[j])) {
                return &versions->minors[i];
            }
        }
    }
    return NULL;
}

bool port_is_older(const struct hx_port_versions *versions, const struct hx_port_minor *minor) {
    return minor->ops_bytes < versions->minors[0].ops_bytes;
}

void port_widen(void *out_ops, const struct hx_port_versions *versions,
                const struct hx_port_minor *minor, const void *ops) {
    memset(out_ops, 0, versions->minors[0].ops_bytes);
    memcpy(out_ops, ops, minor->ops_bytes);
}
