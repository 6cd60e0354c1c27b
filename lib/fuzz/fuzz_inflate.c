// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as a gzip member, into a buffer whose size the input chooses and into a sink. Working
// memory has come back afterwards, and both agree.
#include "fuzz.h"

#include <lib/inflate.h>

#include <stdlib.h>

#define RESULT_MAX ((size_t)1 << 20)

static long blocks;

static void *allocate(void *context, size_t size_bytes) {
    (void)context;
    blocks++;
    return malloc(size_bytes);
}

static void release(void *context, void *block, size_t size_bytes) {
    (void)context;
    (void)size_bytes;
    blocks--;
    free(block);
}

// Counts what comes, and stops when it is more than a fuzzer has time for.
static enum hx_status count(void *context, const uint8_t *bytes, size_t size_bytes) {
    size_t *total = context;
    fuzz_touch(bytes, size_bytes);
    *total += size_bytes;
    return *total > RESULT_MAX ? HX_ERR_LIMIT : HX_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct inflate_memory memory = { .allocate = allocate, .release = release };
    if (size < 2) {
        return 0;
    }
    size_t capacity = ((size_t)data[0] << 8) | data[1];
    data += 2;
    size -= 2;
    uint8_t *result = malloc(capacity);
    size_t consumed = 0;
    struct inflate_buffer buffer = { result, capacity, 0 };
    enum hx_status status = gzip_to_buffer(&memory, data, size, &buffer, &consumed);
    if (status == HX_OK) {
        FUZZ_ASSERT(consumed <= size && buffer.written <= capacity && gzip_is_member(data, size));
        fuzz_touch(result, buffer.written);
    }
    size_t total = 0;
    size_t consumed_too = 0;
    enum hx_status other = gzip_to_sink(&memory, data, size, count, &total, &consumed_too);
    FUZZ_ASSERT(status != HX_OK || (other == HX_OK && total == buffer.written));
    FUZZ_ASSERT(status != HX_OK || consumed == consumed_too);
    FUZZ_ASSERT(other != HX_OK || status == HX_OK || total > capacity);
    FUZZ_ASSERT(blocks == 0);
    (void)gzip_size_hint(data, size);
    free(result);
    return 0;
}
