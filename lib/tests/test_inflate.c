// SPDX-License-Identifier: MIT OR Apache-2.0
// gzip members made by gzip(1): read back whole and in pieces, then damaged in each way; and no
// working memory.
#include "bytes.h"
#include "check.h"

#include <lib/inflate.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long blocks;
static long fail_after = -1;

static void *allocate(void *context, size_t size_bytes) {
    (void)context;
    if (fail_after == 0) {
        return NULL;
    }
    fail_after -= fail_after > 0;
    blocks++;
    size_t *block = malloc(size_bytes + 16);
    *block = size_bytes;
    return block + 2;
}

static void release(void *context, void *block, size_t size_bytes) {
    (void)context;
    size_t *start = (size_t *)block - 2;
    CHECK(*start == size_bytes);
    blocks--;
    free(start);
}

static const struct inflate_memory memory = { .allocate = allocate, .release = release };

struct bytes {
    uint8_t *data;
    size_t size;
};

// Runs gzip with `options` over the plain bytes.
static struct bytes compress(struct bytes plain, const char *options) {
    char name[] = "/tmp/helix-gzip-XXXXXX";
    int file = mkstemp(name);
    CHECK(file >= 0);
    FILE *out = fdopen(file, "wb");
    CHECK(out != NULL && fwrite(plain.data, 1, plain.size, out) == plain.size);
    CHECK(out != NULL && fclose(out) == 0);
    char command[128];
    snprintf(command, sizeof(command), "gzip %s -c %s", options, name);
    FILE *in = popen(command, "r"); // NOLINT: the command is made here
    struct bytes packed = { malloc(plain.size + 4096), 0 };
    CHECK(in != NULL);
    if (in != NULL) {
        packed.size = fread(packed.data, 1, plain.size + 4096, in);
        CHECK(pclose(in) == 0);
    }
    CHECK(unlink(name) == 0);
    return packed;
}

// Collects what a sink is given; stops with HX_ERR_IO after `limit` bytes.
struct collector {
    struct bytes bytes;
    size_t limit;
};

static enum hx_status collect(void *context, const uint8_t *bytes, size_t size_bytes) {
    struct collector *collector = context;
    CHECK(size_bytes != 0 && size_bytes <= 32768);
    if (collector->bytes.size + size_bytes > collector->limit) {
        return HX_ERR_IO;
    }
    memcpy(collector->bytes.data + collector->bytes.size, bytes, size_bytes);
    collector->bytes.size += size_bytes;
    return HX_OK;
}

static void round_trip(struct bytes plain, const char *options) {
    struct bytes packed = compress(plain, options);
    size_t whole = packed.size;
    uint8_t *input = malloc(whole + 5); // something follows the member
    memcpy(input, packed.data, whole);
    memcpy(input + whole, "after", 5);
    CHECK(gzip_is_member(input, whole) && gzip_size_hint(input, whole) == plain.size);

    uint8_t *result = malloc(plain.size);
    size_t consumed = 0;
    struct inflate_buffer buffer = { result, plain.size, 77 };
    CHECK(gzip_to_buffer(&memory, input, whole + 5, &buffer, &consumed) == HX_OK);
    CHECK(consumed == whole && buffer.written == plain.size);
    CHECK(memcmp(result, plain.data, plain.size) == 0);
    if (plain.size != 0) {
        buffer = (struct inflate_buffer){ result, plain.size - 1, 77 };
        consumed = 77;
        CHECK(gzip_to_buffer(&memory, input, whole + 5, &buffer, &consumed) == HX_ERR_RANGE);
        buffer.capacity = 0;
        CHECK(gzip_to_buffer(&memory, input, whole, &buffer, &consumed) == HX_ERR_RANGE);
        CHECK(consumed == 77 && buffer.written == 77);
    }
    memset(result, 0, plain.size);
    struct collector collector = { { result, 0 }, plain.size };
    CHECK(gzip_to_sink(&memory, input, whole + 5, collect, &collector, &consumed) == HX_OK);
    CHECK(consumed == whole && collector.bytes.size == plain.size);
    CHECK(memcmp(result, plain.data, plain.size) == 0);
    if (plain.size != 0) {
        collector = (struct collector){ { result, 0 }, plain.size - 1 };
        CHECK(gzip_to_sink(&memory, input, whole, collect, &collector, &consumed) == HX_ERR_IO);
    }
    CHECK(blocks == 0);
    free(result);
    free(input);
    free(packed.data);
}

// Both ways into a result of `capacity` bytes, from a copy of exactly `size` bytes; both must
// agree.
static enum hx_status try_both(const uint8_t *data, size_t size, size_t capacity) {
    uint8_t *input = malloc(size);
    memcpy(input, data, size);
    uint8_t *result = malloc(capacity);
    size_t consumed;
    struct inflate_buffer buffer = { result, capacity, 0 };
    enum hx_status status = gzip_to_buffer(&memory, input, size, &buffer, &consumed);
    struct collector collector = { { result, 0 }, capacity };
    enum hx_status other = gzip_to_sink(&memory, input, size, collect, &collector, &consumed);
    CHECK((status == HX_OK) == (other == HX_OK));
    CHECK(blocks == 0);
    free(result);
    free(input);
    return status;
}

static void test_damage(struct bytes packed, size_t plain_size) {
    for (size_t size = 0; size < packed.size; size++) {
        CHECK(try_both(packed.data, size, plain_size + 100) == HX_ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < packed.size * 8; bit++) {
        packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum hx_status status = try_both(packed.data, packed.size, plain_size + 100);
        // Of the flags (byte 3) the one for text means nothing, nor do time, extra flags and system
        // (4 to 9), nor the bits that fill the last byte before the trailer. The rest is under a
        // checksum.
        CHECK(status == HX_OK || status == HX_ERR_CORRUPT || status == HX_ERR_RANGE);
        CHECK(status != HX_OK || (bit / 8 >= 3 && bit / 8 <= 9) || bit / 8 == packed.size - 9);
        packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(try_both(packed.data, packed.size, plain_size) == HX_OK);
}

static void test_no_memory(struct bytes packed, size_t plain_size) {
    uint8_t *result = malloc(plain_size);
    size_t consumed;
    for (long n = 0;; n++) {
        fail_after = n;
        struct collector collector = { { result, 0 }, plain_size };
        enum hx_status status =
            gzip_to_sink(&memory, packed.data, packed.size, collect, &collector, &consumed);
        CHECK(blocks == 0 && n < 10);
        if (status == HX_OK) {
            CHECK(n > 0);
            break;
        }
        CHECK(status == HX_ERR_NO_MEMORY);
    }
    fail_after = 0;
    struct inflate_buffer buffer = { result, plain_size, 0 };
    CHECK(gzip_to_buffer(&memory, packed.data, packed.size, &buffer, &consumed) ==
          HX_ERR_NO_MEMORY);
    fail_after = -1;
    free(result);
}

int main(void) {
    struct bytes plain = { malloc(300000), 0 };
    round_trip(plain, "-n"); // empty
    uint64_t state = 5;
    for (size_t i = 0; i < 100000; i++) { // noise, which is stored
        plain.data[plain.size++] = (uint8_t)next_random(&state);
    }
    for (int i = 0; plain.size < 290000; i++) { // text, which is not
        plain.size += (size_t)sprintf((char *)plain.data + plain.size, "line %d of the text\n", i);
    }
    round_trip(plain, "-1");
    round_trip(plain, "-9");
    round_trip((struct bytes){ plain.data, 1 }, "-9");
    round_trip((struct bytes){ plain.data, 1000 }, "-n");
    round_trip((struct bytes){ plain.data + 100000, 50000 }, "-9 -n");

    struct bytes small = { plain.data + 100000, 600 };
    struct bytes packed = compress(small, "-9 -n");
    test_damage(packed, small.size);
    test_no_memory(packed, small.size);
    free(packed.data);

    CHECK(!gzip_is_member("\x1f\x8b\x08", 2) && !gzip_is_member("\x1f\x8b\x07", 3));
    CHECK(gzip_size_hint("\x1f\x8b\x08", 3) == 0);
    free(plain.data);
    return check_result();
}
