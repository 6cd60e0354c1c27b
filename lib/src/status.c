// SPDX-License-Identifier: MIT OR Apache-2.0
// status.c: the text and the name of a status, for logs.
#include <helix/status.h>

const char *hx_status_name(enum hx_status status) {
    switch (status) {
#define X(name, value, errno_value, text)                                                          \
    case name:                                                                                     \
        return text " (" #name ")";
        HX_STATUS_TABLE(X)
#undef X
    }
    return "unknown status"; // a number that came over a boundary
}
