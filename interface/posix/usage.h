// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/usage.h: struct rusage. Private to posix.
#pragma once

#include <helix/types.h>

struct rusage_times {
    time_ns_t user, system;
    uint64_t maximum_resident_pages;
    uint64_t minor_faults, major_faults;
    uint64_t switches_voluntary, switches_forced;
};

// Writes Linux's struct rusage. HX_ERR_BAD_ADDRESS.
enum hx_status rusage_to_user(struct uaddr to, const struct rusage_times *times);
