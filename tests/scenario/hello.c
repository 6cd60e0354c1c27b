// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc musl-pie glibc-pie
// A static program starts, sees its arguments and environment, writes, and ends with a status.
// ARGS: one two
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int initialised = 42;
static int zeroed[4096];
static __thread int local = 7;

int main(int argc, char **argv) {
    if (argc != 3 || strcmp(argv[1], "one") != 0 || strcmp(argv[2], "two") != 0 || argv[3]) {
        return 1;
    }
    if (!getenv("PATH") || initialised != 42 || zeroed[4095] != 0 || local != 7) {
        return 2;
    }
    double third = 1.0 / argc;
    char text[64];
    int length = snprintf(text, sizeof text, "hello %.6f\n", third);
    if (length != 15 || write(1, text, (size_t)length) != length) {
        return 3;
    }
    char *heap = malloc(1 << 20);
    if (!heap) {
        return 4;
    }
    memset(heap, 1, 1 << 20);
    free(heap);
    return 0;
}
