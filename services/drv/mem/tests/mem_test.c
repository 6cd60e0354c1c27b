// SPDX-License-Identifier: MIT OR Apache-2.0
// mem_test.c: null, zero, full, random and urandom as the core calls them: what it asks for beside
// what it does itself (the node's flags).
#include <helix/ports/char_port.h>
#include <host/host.h>

#include <check.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t minor, flags;
} expected[] = {
    { "null", 3, CHAR_NODE_SINK },
    { "zero", 5, CHAR_NODE_ZEROES | CHAR_NODE_SINK },
    { "full", 7, CHAR_NODE_ZEROES },
    { "random", 8, 0 },
    { "urandom", 9, 0 },
};

static struct char_ops ops;
static void *self;

static void begin(void) {
    host_begin();
    CHECK(host_load() == HX_OK && HOST_BIND(char, "mem", &ops) == HX_OK);
    self = host_instance("helix.char", "mem");
}

static void test_describe(void) {
    struct char_node nodes[CHAR_NODES_MAX];
    uint32_t count = 0;
    begin();
    CHECK(ops.describe(self, nodes, CHAR_NODES_MAX, &count) == HX_OK);
    CHECK(count == ARRAY_SIZE(expected));
    for (uint32_t i = 0; i < count; i++) {
        CHECK(strcmp(nodes[i].name, expected[i].name) == 0 && nodes[i].major == 1);
        CHECK(nodes[i].minor == expected[i].minor && nodes[i].flags == expected[i].flags);
        CHECK(nodes[i].mode == 0666);
    }
    memset(nodes, 1, sizeof(nodes));
    CHECK(ops.describe(self, nodes, 2, &count) == HX_OK && count == 2);
    CHECK(nodes[2].name[0] == 1); // behind the room
    CHECK(host_unload() == HX_OK && host.blocks == 0);
}

static void test_reads(void) {
    uint8_t bytes[2][16] = { { 0 } };
    uint32_t length = 9;
    begin();
    CHECK(ops.read(self, 3, 0, bytes[0], 16, &length) == HX_OK && length == 0);
    for (uint32_t minor = 8; minor <= 9; minor++) {
        CHECK(ops.read(self, minor, 5, bytes[minor - 8], 16, &length) == HX_OK && length == 16);
    }
    CHECK(memcmp(bytes[0], bytes[1], 16) != 0);
    host.random_status = HX_ERR_IO;
    CHECK(ops.read(self, 8, 0, bytes[0], 16, &length) == HX_ERR_IO);
}

static void test_writes(void) {
    uint32_t length = 0;
    begin();
    CHECK(ops.write(self, 9, 0, "seed", 4, &length) == HX_OK && length == 4);
    CHECK(ops.write(self, 7, 0, "more", 4, &length) == HX_ERR_NO_SPACE);
}

int main(void) {
    test_describe();
    test_reads();
    test_writes();
    CHECK(host_load_failing(NULL, NULL, false) == 1); // the port
    return check_result();
}
