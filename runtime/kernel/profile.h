// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/profile.h: the packages of the profile, made from profiles/NAME.cmake by the
// build.
#pragma once

#include <helix/module.h>
#include <runtime/modules.h>

struct profile_package {
    const char *name; // NULL: the end
    enum hx_phase phase;
    enum module_placement placement;
};

extern const struct profile_package profile_packages[];
