// SPDX-License-Identifier: MIT OR Apache-2.0
// Every status of the table has its text and its name; every other number has the fallback.
#include "check.h"

#include <helix/status.h>

#include <string.h>

int main(void) {
    CHECK(strcmp(hx_status_name(HX_OK), "ok (HX_OK)") == 0);
    CHECK(strcmp(hx_status_name(HX_ERR_BUSY), "in use (HX_ERR_BUSY)") == 0);
#define X(name, value, errno_value, text)                                                          \
    CHECK(strcmp(hx_status_name(name), text " (" #name ")") == 0);
    HX_STATUS_TABLE(X)
#undef X
    CHECK(strcmp(hx_status_name((enum hx_status) - 9999), "unknown status") == 0);
    return check_result();
}
