// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton_test.c: the module on this machine, called as the kernel would call it.
#include <helix/ports/char_port.h>
#include <host/host.h>

#include <check.h>
#include <string.h>

static struct char_ops ops;
static void *self;

static void begin(void) {
    host_begin();
    CHECK(host_load() == HX_OK);
    CHECK(HOST_BIND(char, "skeleton", &ops) == HX_OK);
    self = host_instance("helix.char", "skeleton");
}

static void end(void) {
    CHECK(host_locks_held() == 0);
    CHECK(host_unload() == HX_OK && host.blocks == 0);
}

// What is in the file from `offset` on, as far as it goes into `capacity` bytes.
static bool reads(uint64_t offset, uint32_t capacity, const char *expected) {
    char bytes[256];
    uint32_t length = UINT32_MAX;
    CHECK(ops.read(self, 0, offset, bytes, capacity, &length) == HX_OK);
    return length == strlen(expected) && memcmp(bytes, expected, length) == 0;
}

static void test_describe(void) {
    struct char_node node;
    uint32_t count = 0;
    begin();
    CHECK(ops.describe(self, &node, 0, &count) == HX_OK && count == 0);
    CHECK(ops.describe(self, &node, 1, &count) == HX_OK && count == 1);
    CHECK(strcmp(node.name, "skeleton") == 0 && node.flags == 0);
    end();
}

static void test_read(void) {
    begin();
    CHECK(reads(0, 256, "hello from skeleton\n"));
    CHECK(reads(0, 5, "hello") && reads(6, 4, "from"));
    CHECK(reads(UINT32_MAX, 256, "") && reads(UINT64_MAX, 256, ""));
    end();
}

static void test_write(void) {
    char text[256] = "other";
    uint32_t length = 0;
    begin();
    CHECK(ops.write(self, 0, 7, text, 5, &length) == HX_OK && length == 5);
    CHECK(reads(0, 256, "other"));
    CHECK(ops.write(self, 0, 0, text, sizeof(text), &length) == HX_ERR_NO_SPACE);
    CHECK(reads(0, 256, "other"));
    end();
}

int main(void) {
    test_describe();
    test_read();
    test_write();
    CHECK(host_load_failing(NULL, NULL, false) >= 2); // its memory, and the port
    return check_result();
}
