// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/sanitize.h: what ASan and TSan want to know about stacks. Empty in a plain build.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HOSTED_ASAN __has_feature(address_sanitizer)
#define HOSTED_TSAN __has_feature(thread_sanitizer)

#if HOSTED_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if HOSTED_TSAN
#include <sanitizer/tsan_interface.h>
#endif

// Around a switch the sanitizer's record of calls must be left as it was entered.
#define NOT_INSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
