// SPDX-License-Identifier: MIT OR Apache-2.0
// path.c: the iterator of <lib/path.h>.
#include <lib/path.h>

static void skip_slashes(struct path *path) {
    while (path->length != 0 && path->text[0] == '/') {
        path->text++;
        path->length--;
    }
}

bool path_next(struct path *path, struct path_component *out_component) {
    skip_slashes(path);
    if (path->length == 0) {
        return false;
    }
    const char *name = path->text;
    size_t length = 0;
    while (length < path->length && name[length] != '/') {
        length++;
    }
    path->text += length;
    path->length -= length;
    bool slash = path->length != 0;
    skip_slashes(path);
    bool dot = name[0] == '.';
    *out_component = (struct path_component){
        .name = name,
        .length = length,
        .kind = dot && length == 1                     ? PATH_SELF
                : dot && length == 2 && name[1] == '.' ? PATH_PARENT
                                                       : PATH_NAME,
        .is_last = path->length == 0,
        .must_be_directory = slash,
    };
    return true;
}
