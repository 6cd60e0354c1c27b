// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/port.h>: two sides of a port that were built against different minor versions of it. Pure.
//
// Each side knows the versions that its description has, by number and ABI; what they have in
// common is a version that is equal in both. The operations table of a version is the first part of
// the next one's (tools/portgen sees to that), so a table is made longer, or read as a shorter one.
#pragma once

#include <helix/module.h>

// The newest version that a user of a port and a module have in common: `versions` are the user's,
// `provides` are `count` lines of a manifest, of which those of other ports are passed over.
// NULL: there is none. Any context.
const struct hx_port_minor *port_common(const struct hx_port_versions *versions,
                                        const struct hx_port_provided *provides, uint32_t count);

// Whether a table of that version lacks methods that the user knows.
bool port_is_older(const struct hx_port_versions *versions, const struct hx_port_minor *minor);

// Makes of a table of the version `minor` one of the user's newest version, in which methods that
// came later are absent. `out_ops` has room for that (minors[0].ops_bytes). Any context.
void port_widen(void *out_ops, const struct hx_port_versions *versions,
                const struct hx_port_minor *minor, const void *ops);
