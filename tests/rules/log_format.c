// SPDX-License-Identifier: MIT OR Apache-2.0
// A log line whose format does not fit its values.
// PART: core/
// FAILS: format specifies type
#include <core/log.h>

#include <helix/types.h>

void tell(uint64_t value);

void tell(uint64_t value) {
#ifdef BREAK_RULE
    log_info("value %s", value);
#else
    log_info("value %lu", value);
#endif
}
