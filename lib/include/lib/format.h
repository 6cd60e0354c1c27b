// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/format.h>: printf-style formatting without a heap and without floating point.
//
// Conversions: %d %i %u %x %X %c %s %p %% with flags - 0 + space #, width and precision (also *),
// and lengths hh h l ll z t j. Anything else is copied as it stands.
#pragma once

#include <helix/types.h>

#include <stdarg.h>

// Where formatted text goes; called with runs of at least one character.
typedef void (*format_sink_t)(void *sink_context, const char *text, size_t length);

// Formats into a sink. Returns the number of characters handed over.
size_t format_to_sink(format_sink_t sink, void *sink_context, const char *format,
                      va_list arguments);

// Formats into a buffer of `capacity` bytes, always terminated when capacity > 0. Returns the
// length that the whole text has, which may be more than fits.
size_t format_string(char *buffer, size_t capacity, const char *format, ...) PRINTF(3, 4);
size_t format_string_list(char *buffer, size_t capacity, const char *format, va_list arguments);
