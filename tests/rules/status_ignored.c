// SPDX-License-Identifier: MIT OR Apache-2.0
// A status that nobody looks at.
// PART: core/
// FAILS: ignoring return value
#include <helix/status.h>

enum hx_status step(void);
void walk(void);

void walk(void) {
#ifdef BREAK_RULE
    step();
#else
    HX_IGNORE(step()); // says that it is ignored
#endif
}
