// SPDX-License-Identifier: MIT OR Apache-2.0
// cpio archives: made here, entry by entry, and then damaged in each way.
#include "check.h"

#include <lib/cpio.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t image[8192];
static size_t image_bytes;

static void pad(void) {
    while (image_bytes % 4 != 0) {
        image[image_bytes++] = 0;
    }
}

// Appends an entry whose fields are numbered 1, 2, … apart from mode, size, name size and check.
static size_t append(const char *magic, const char *name, unsigned mode, const char *data) {
    size_t start = image_bytes;
    unsigned check = 0;
    for (const char *c = data; *c != 0; c++) {
        check += (unsigned char)*c;
    }
    snprintf((char *)image + image_bytes, 111,
             "%s%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zX%08x", magic, 1u, mode, 2u, 3u,
             4u, 5u, strlen(data), 6u, 7u, 8u, 9u, strlen(name) + 1, check);
    image_bytes += 110;
    memcpy(image + image_bytes, name, strlen(name) + 1);
    image_bytes += strlen(name) + 1;
    pad();
    memcpy(image + image_bytes, data, strlen(data));
    image_bytes += strlen(data);
    pad();
    return start;
}

// Reads a copy of exactly the image's size; gives the status and the number of entries.
static enum hx_status read_all(size_t *out_entries, size_t *out_offset, enum cpio_kind *out_kind) {
    uint8_t *copy = malloc(image_bytes);
    memcpy(copy, image, image_bytes);
    struct cpio_reader reader;
    cpio_init(&reader, copy, image_bytes);
    struct cpio_entry entry;
    enum hx_status status;
    *out_entries = 0;
    do {
        status = cpio_next(&reader, out_kind, &entry);
        if (status == HX_OK && *out_kind == CPIO_ENTRY) {
            ++*out_entries;
            unsigned sum = 0; // touches all that it was promised
            for (size_t i = 0; i < entry.size_bytes; i++) {
                sum += entry.data[i];
            }
            CHECK(strlen(entry.name) == entry.name_length && sum != 1);
        }
    } while (status == HX_OK && (*out_kind == CPIO_ENTRY || *out_kind == CPIO_TRAILER));
    *out_offset = reader.offset;
    free(copy);
    return status;
}

static void make_image(void) {
    image_bytes = 0;
    append("070701", ".", CPIO_MODE_DIRECTORY | 0755, "");
    append("070701", "init", CPIO_MODE_FILE | 0700, "hello");
    append("070702", "link", CPIO_MODE_LINK | 0777, "init");
    append("070701", "TRAILER!!!", 0, "");
}

static void test_fields(void) {
    make_image();
    struct cpio_reader reader;
    cpio_init(&reader, image, image_bytes);
    enum cpio_kind kind;
    struct cpio_entry entry;
    CHECK(cpio_next(&reader, &kind, &entry) == HX_OK && kind == CPIO_ENTRY);
    CHECK(strcmp(entry.name, ".") == 0 && entry.size_bytes == 0);
    CHECK((entry.mode & CPIO_MODE_TYPE) == CPIO_MODE_DIRECTORY);
    CHECK(cpio_next(&reader, &kind, &entry) == HX_OK && kind == CPIO_ENTRY);
    CHECK(strcmp(entry.name, "init") == 0 && entry.name_length == 4);
    CHECK(entry.size_bytes == 5 && memcmp(entry.data, "hello", 5) == 0);
    CHECK(entry.inode == 1 && entry.user == 2 && entry.group == 3 && entry.link_count == 4);
    CHECK(entry.modified_s == 5 && entry.device_major == 6 && entry.device_minor == 7);
    CHECK(entry.special_major == 8 && entry.special_minor == 9);
    CHECK(cpio_next(&reader, &kind, &entry) == HX_OK && strcmp(entry.name, "link") == 0);
    CHECK(cpio_next(&reader, &kind, &entry) == HX_OK && kind == CPIO_TRAILER);
    CHECK(cpio_next(&reader, &kind, &entry) == HX_OK && kind == CPIO_END);
    CHECK(cpio_next(&reader, &kind, &entry) == HX_OK && kind == CPIO_END);
}

static void test_concatenated(void) {
    size_t entries;
    size_t offset;
    enum cpio_kind kind;
    make_image();
    memset(image + image_bytes, 0, 512);
    image_bytes += 512;
    append("070701", "second", CPIO_MODE_FILE, "x");
    append("070701", "TRAILER!!!", 0, "");
    image_bytes += 3;
    CHECK(read_all(&entries, &offset, &kind) == HX_OK && entries == 4 && kind == CPIO_END);
    // Then a gzip member, wherever it starts, and behind it another archive.
    size_t start = image_bytes;
    memcpy(image + image_bytes, "\x1f\x8b\x08zzzzz", 8);
    image_bytes += 8;
    CHECK(read_all(&entries, &offset, &kind) == HX_OK && entries == 4 && kind == CPIO_GZIP);
    CHECK(offset == start);
    memset(image + image_bytes, 0, 4);
    pad();
    append("070701", "third", CPIO_MODE_FILE, "");
    struct cpio_reader reader = { image, image_bytes, start };
    struct cpio_entry entry;
    CHECK(cpio_skip(&reader, image_bytes - start + 1) == HX_ERR_RANGE && reader.offset == start);
    CHECK(cpio_skip(&reader, 8) == HX_OK);
    CHECK(cpio_next(&reader, &kind, &entry) == HX_OK && strcmp(entry.name, "third") == 0);
    image_bytes = 0;
    CHECK(read_all(&entries, &offset, &kind) == HX_OK && kind == CPIO_END && entries == 0);
}

// The whole image with one change must be refused, at the offset of the entry that it hit.
static void refused(size_t at, const char *bytes, size_t entry_offset) {
    uint8_t before[16];
    memcpy(before, image + at, strlen(bytes));
    memcpy(image + at, bytes, strlen(bytes));
    size_t entries;
    size_t offset;
    enum cpio_kind kind;
    CHECK(read_all(&entries, &offset, &kind) == HX_ERR_CORRUPT);
    CHECK(offset == entry_offset);
    memcpy(image + at, before, strlen(bytes));
}

static void test_refusals(void) {
    make_image();
    const size_t first = 0;
    const size_t second = 112;
    const size_t third = second + 116 + 8;
    refused(0, "070703", first);              // magic
    refused(0, "\xc7\x71", first);            // the old binary format
    refused(second + 6, "0000000g", second);  // not hex
    refused(second + 14, "+0000001", second); // no signs
    refused(second + 54, "ffffffff", second); // more data than there is
    refused(second + 94, "00000000", second); // no name
    refused(second + 94, "00001001", second); // too long a name
    refused(second + 94, "ffffffff", second); // beyond the end
    refused(second + 110 + 4, "x", second);   // a name without terminator
    refused(third + 102, "00000001", third);  // a checksum that is wrong
    refused(third + 110 + 6, "j", third);     // data that the checksum does not cover
    image[image_bytes++] = 0;                 // an archive that is not aligned
    append("070701", "x", 0, "");
    size_t entries;
    size_t offset;
    enum cpio_kind kind;
    CHECK(read_all(&entries, &offset, &kind) == HX_ERR_CORRUPT && entries == 3);
    CHECK(offset % 4 == 1);
}

static void test_damage(void) {
    size_t entries;
    size_t offset;
    enum cpio_kind kind;
    make_image();
    size_t whole = image_bytes;
    for (image_bytes = 0; image_bytes < whole; image_bytes++) {
        enum hx_status status = read_all(&entries, &offset, &kind);
        CHECK(status == HX_OK || status == HX_ERR_CORRUPT);
    }
    // Only the last padding may be missing.
    image_bytes = whole - 3;
    CHECK(read_all(&entries, &offset, &kind) == HX_OK && entries == 3);
    image_bytes = whole - 4;
    CHECK(read_all(&entries, &offset, &kind) == HX_ERR_CORRUPT);
    image_bytes = whole;
    for (size_t bit = 0; bit < whole * 8; bit++) {
        image[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum hx_status status = read_all(&entries, &offset, &kind);
        CHECK(status == HX_OK || status == HX_ERR_CORRUPT);
        image[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void) {
    test_fields();
    test_concatenated();
    test_refusals();
    test_damage();
    return check_result();
}
