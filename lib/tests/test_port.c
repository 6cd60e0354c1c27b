// SPDX-License-Identifier: MIT OR Apache-2.0
// test_port.c: which version two sides have in common, and what becomes of a table.
#include <check.h>
#include <lib/port.h>
#include <lib/string.h>

static const struct hx_port_minor minors[] = { { 2, 40, 22, 5 },
                                               { 1, 24, 11, 3 },
                                               { 0, 16, 10, 2 } };
static const struct hx_port_versions used = { "helix.some", 3, 3, minors };

// What a module has in common with `used`, as a minor version; -1: nothing.
static int common(const struct hx_port_provided *provides, uint32_t count) {
    const struct hx_port_minor *found = port_common(&used, provides, count);
    return found != NULL ? found->minor : -1;
}

static void test_common(void) {
    const struct hx_port_provided same[] = { { "helix.some", { 3, 2, 0 }, 22 },
                                             { "helix.some", { 3, 1, 0 }, 11 },
                                             { "helix.some", { 3, 0, 0 }, 10 } };
    const struct hx_port_provided newer[] = { { "helix.other", { 3, 2, 0 }, 22 },
                                              { "helix.some", { 3, 3, 0 }, 33 },
                                              { "helix.some", { 3, 1, 0 }, 11 } };
    const struct hx_port_provided changed[] = { { "helix.some", { 3, 2, 0 }, 23 },
                                                { "helix.some", { 3, 1, 0 }, 12 },
                                                { "helix.some", { 3, 0, 0 }, 10 } };
    const struct hx_port_provided major = { "helix.some", { 4, 1, 0 }, 11 };
    const struct hx_port_provided minor = { "helix.some", { 3, 2, 0 }, 11 };
    CHECK(common(same, 3) == 2 && common(&same[1], 2) == 1 && common(&same[2], 1) == 0);
    CHECK(common(newer, 3) == 1 && common(newer, 2) == -1);
    CHECK(common(changed, 3) == 0 && common(changed, 2) == -1);
    CHECK(common(&major, 1) == -1 && common(&minor, 1) == -1 && common(same, 0) == -1);
}

static void test_widen(void) {
    uint8_t from[24], to[48];
    memset(from, 7, sizeof(from));
    memset(to, 9, sizeof(to));
    CHECK(!port_is_older(&used, &minors[0]) && port_is_older(&used, &minors[2]));
    port_widen(to, &used, &minors[1], from);
    for (uint32_t i = 0; i < sizeof(to); i++) {
        CHECK(to[i] == (i < 24 ? 7 : i < 40 ? 0 : 9));
    }
}

int main(void) {
    test_common();
    test_widen();
    return check_result();
}
