// SPDX-License-Identifier: MIT OR Apache-2.0
// pack.h: what the files of the packer share. A failure ends the program with a line.
#pragma once

#include <stddef.h>

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

// A whole file, with `more` bytes behind it and a 0 behind those; the caller's to free.
char *read_file(const char *path, size_t more, size_t *out_size);
void write_file(const char *path, const void *bytes, size_t size);

// `pack exports`: arguments are the file to write, and the headers.
void write_exports(const char *path, char *const *headers, int count);
