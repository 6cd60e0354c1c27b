// SPDX-License-Identifier: MIT OR Apache-2.0
// Paths, component by component.
#include "check.h"

#include <lib/path.h>

#include <stdio.h>
#include <string.h>

// Writes the components as "name:kind:last:directory" with spaces between.
static const char *taken_apart(const char *text) {
    static char result[256];
    struct path path = { text, strlen(text) };
    struct path_component component;
    size_t length = 0;
    result[0] = 0;
    while (path_next(&path, &component)) {
        length +=
            (size_t)snprintf(result + length, sizeof(result) - length, "%s%.*s:%d%d%d",
                             length != 0 ? " " : "", (int)component.length, component.name,
                             (int)component.kind, component.is_last, component.must_be_directory);
    }
    return result;
}

int main(void) {
    CHECK(strcmp(taken_apart(""), "") == 0);
    CHECK(strcmp(taken_apart("/"), "") == 0);
    CHECK(strcmp(taken_apart("///"), "") == 0);
    CHECK(strcmp(taken_apart("a"), "a:010") == 0);
    CHECK(strcmp(taken_apart("/a"), "a:010") == 0);
    CHECK(strcmp(taken_apart("a/"), "a:011") == 0);
    CHECK(strcmp(taken_apart("//usr//lib/"), "usr:001 lib:011") == 0);
    CHECK(strcmp(taken_apart("./../.../..a/.b"), ".:101 ..:201 ...:001 ..a:001 .b:010") == 0);
    CHECK(strcmp(taken_apart(".."), "..:210") == 0);
    CHECK(strcmp(taken_apart("./"), ".:111") == 0);
    struct path path = { "/x", 2 };
    CHECK(path_is_absolute(&path));
    path = (struct path){ "x/", 2 };
    CHECK(!path_is_absolute(&path));
    path = (struct path){ "/", 0 };
    CHECK(!path_is_absolute(&path));
    struct path_component component;
    path = (struct path){ "abcdef", 3 }; // not terminated where it ends
    CHECK(path_next(&path, &component) && component.length == 3 && component.is_last);
    return check_result();
}
