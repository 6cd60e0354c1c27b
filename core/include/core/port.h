// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/port.h>: which part of the kernel uses which port.
//
// The user of a port (the scheduler for helix.sched, the name space for helix.fs, …) registers an
// installer before modules start; when a module provides the port, the installer gets its
// operations. Thread or boot context.
#pragma once

#include <helix/module.h>
#include <helix/types.h>

// Takes a provider into `slot`. Borrows all of it for good. Returns HX_OK, HX_ERR_EXISTS (the slot
// is taken), or its own reason to refuse.
typedef enum hx_status (*port_installer_t)(const char *slot, struct hx_version version,
                                           const void *operations, void *self);

// Registers the only user of `port` (borrowed text). HX_ERR_EXISTS: it has one already;
// HX_ERR_LIMIT: the table is full.
enum hx_status port_installer_register(const char *port, port_installer_t installer);

// Hands a provider to the user of the port. HX_ERR_NOT_FOUND: nobody uses this port; else what the
// installer returns.
enum hx_status port_provide(const char *port, const char *slot, struct hx_version version,
                            const void *operations, void *self);
