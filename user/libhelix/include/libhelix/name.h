// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/name.h>: names of services and topics, and patterns for sets of them. Pure.
//
// A name is one or more components with '/' between them, at most HX_NAME_MAX bytes in all:
// "helix.block/vda". A component is one or more of the letters, digits and . _ - : of ASCII.
//
// In a pattern a component may be '*', which stands for any one component, and the last one may be
// '**', which stands for one or more: "disk/*/error" has "disk/vda/error", "disk/**" has that too,
// but not "disk"; "**" has every name. A name is a pattern for itself alone.
#pragma once

#include <helix/types.h>

#define HX_NAME_MAX 47u // bytes, without the zero behind them

// Whether a string is one. They read no further than HX_NAME_MAX + 1 bytes.
bool hx_name_is_valid(const char *name);
bool hx_pattern_is_valid(const char *pattern);

// Whether a valid pattern has a valid name.
bool hx_pattern_has(const char *pattern, const char *name);

// Whether every name that `pattern` has is had by `scope`, too; both valid.
bool hx_pattern_within(const char *pattern, const char *scope);

// The bytes of the component that begins at `at`.
uint32_t hx_component_length(const char *at);

// The component behind it; NULL: it is the last one.
const char *hx_component_next(const char *at);

// Whether the components that begin there are the same.
bool hx_component_is_same(const char *a, const char *b);

static inline bool hx_component_is_any(const char *at) {
    return at[0] == '*' && at[1] != '*';
}

static inline bool hx_component_is_rest(const char *at) {
    return at[0] == '*' && at[1] == '*';
}
