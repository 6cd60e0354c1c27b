// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of core/log_ring.c.
#include "../log_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// Compares with a plain array that keeps everything.
static void test_against_model(void) {
    enum { TOTAL = 4096 };
    static char all[TOTAL + 16];
    char bytes[64];
    struct log_ring ring = { bytes, sizeof(bytes), 0 };
    uint64_t position = 0;
    size_t seen = 0;
    srand(1);
    while (ring.end < TOTAL) {
        char text[16];
        size_t length = (size_t)rand() % sizeof(text);
        for (size_t i = 0; i < length; i++) {
            text[i] = (char)('a' + rand() % 26);
            all[ring.end + i] = text[i];
        }
        log_ring_append(&ring, text, length);
        char out[20];
        size_t got = log_ring_read(&ring, &position, out, (size_t)rand() % sizeof(out));
        assert(memcmp(out, all + position - got, got) == 0);
        seen += got;
    }
    assert(seen > 0 && position <= ring.end);
}

static void test_edges(void) {
    char bytes[8];
    struct log_ring ring = { bytes, sizeof(bytes), 0 };
    char out[16];
    uint64_t position = 0;
    assert(log_ring_read(&ring, &position, out, sizeof(out)) == 0);
    log_ring_append(&ring, "0123456789", 10); // longer than the ring
    assert(log_ring_read(&ring, &position, out, sizeof(out)) == 8);
    assert(memcmp(out, "23456789", 8) == 0 && position == 10);
    position = 99; // beyond the end
    assert(log_ring_read(&ring, &position, out, sizeof(out)) == 0 && position == 10);
}

static bool has_line(const struct log_ring *ring, uint64_t *position, const char *text, int level) {
    char line[12];
    int found = -1;
    size_t length = log_ring_line(ring, position, line, sizeof(line), &found);
    return length == strlen(text) && memcmp(line, text, length) == 0 && found == level;
}

static void test_lines(void) {
    char bytes[32];
    struct log_ring ring = { bytes, sizeof(bytes), 0 };
    uint64_t position = 0;
    assert(has_line(&ring, &position, "", -1));
    log_ring_append(&ring, "<6>one\n<4>two\n", 14);
    assert(has_line(&ring, &position, "one\n", 6) && position == 7);
    assert(has_line(&ring, &position, "two\n", 4) && position == 14);
    assert(has_line(&ring, &position, "", -1) && position == 14);
    log_ring_append(&ring, "<3>longer than there is room\n", 29); // over what was read
    assert(has_line(&ring, &position, "longer than ", 3));
    assert(has_line(&ring, &position, "there is roo", -1));
    assert(has_line(&ring, &position, "m\n", -1));
    log_ring_append(&ring, "<5>gone\n<5>half of it\n<2>whole\n<2>\n", 35);
    assert(has_line(&ring, &position, "half of it\n", 5)); // the first one is overwritten in part
    assert(has_line(&ring, &position, "whole\n", 2));
    assert(has_line(&ring, &position, "\n", 2) && position == ring.end);
}

int main(void) {
    test_against_model();
    test_edges();
    test_lines();
    return 0;
}
