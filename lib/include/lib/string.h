// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/string.h>: memory and strings. The four mem functions have C's names because the compiler
// calls them; the rest has C's meaning where it has C's name.
//
// Context: any. Nothing here allocates or keeps a pointer.
#pragma once

#include <helix/types.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *to, int byte, size_t size_bytes);
int memcmp(const void *a, const void *b, size_t size_bytes);

// First `byte` in `size_bytes` bytes; NULL if there is none.
void *memchr(const void *from, int byte, size_t size_bytes);

size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *text, int character);
char *strrchr(const char *text, int character);

// Copies as much of `from` as fits and always terminates `to`; `capacity` is at least 1.
// Returns whether all of it fitted.
bool string_copy(char *to, size_t capacity, const char *from);

// Parses a whole unsigned number in the given base (0: 0x… is 16, else 10); false on anything else
// in the text, on an empty text, and on overflow.
bool string_to_u64(const char *text, unsigned base, uint64_t *out_value);
