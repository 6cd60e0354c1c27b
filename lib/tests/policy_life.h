// SPDX-License-Identifier: MIT OR Apache-2.0
// "policy_life.h": how a scheduling policy begins as a module, which is the same for each: with an
// allocation refused, and for a number of processors.
#pragma once

#include <helix/ports/sched_port.h>
#include <host/host.h>

#include <assert.h>

// The module of this program; its two blocks and its port are all that it needs.
static void policy_life(const struct sched_ops *expected) {
    struct sched_ops ops;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        host_begin();
        host_fail_nth(nth);
        assert(host_load() == HX_ERR_NO_MEMORY && host.blocks == 0 && host_provided() == 0);
    }
    host_begin();
    host.cpu_count = 3;
    host_fail_nth(4);
    assert(host_load() == HX_OK && host_operations("helix.sched", "sched") == expected);
    assert(HOST_BIND(sched, "sched", &ops) == HX_OK);
    assert(ops.cpu_add(host_self(), 2) == HX_OK && ops.cpu_add(host_self(), 3) == HX_ERR_LIMIT);
    host_begin();
}
