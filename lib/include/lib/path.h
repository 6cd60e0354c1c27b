// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/path.h>: takes a path apart, one component at a time (POSIX.1-2017, section 4.13).
//
// Slashes in a row count as one. Lengths are not limited here: NAME_MAX and PATH_MAX are the
// caller's. The iterator borrows the text, which need not be terminated.
#pragma once

#include <helix/types.h>

struct path {
    const char *text; // what is left
    size_t length;
};

enum path_kind {
    PATH_NAME,
    PATH_SELF,   // "."
    PATH_PARENT, // ".."
};

struct path_component {
    const char *name; // not terminated
    size_t length;    // at least 1
    enum path_kind kind;
    bool is_last;           // nothing but slashes follows
    bool must_be_directory; // a slash follows
};

// Whether the path starts at the root.
static inline bool path_is_absolute(const struct path *path) {
    return path->length != 0 && path->text[0] == '/';
}

// Takes the next component off the path; false if there is none, as in "" and "/".
bool path_next(struct path *path, struct path_component *out_component);
