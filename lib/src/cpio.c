// SPDX-License-Identifier: MIT OR Apache-2.0
// cpio.c: the "newc" format. A header of 110 characters: a magic number of 6 and 13 fields of 8 hex
// digits; then the name with its terminator, zeros up to a multiple of 4, the data, zeros again.
// Offsets are multiples of 4 counted from the start of the image, as in Linux.
#include <lib/cpio.h>
#include <lib/inflate.h>
#include <lib/string.h>

#define HEADER_BYTES 110u
#define FIELD_CHARS  8u

enum field {
    FIELD_INODE,
    FIELD_MODE,
    FIELD_USER,
    FIELD_GROUP,
    FIELD_LINKS,
    FIELD_TIME,
    FIELD_SIZE,
    FIELD_DEVICE_MAJOR,
    FIELD_DEVICE_MINOR,
    FIELD_SPECIAL_MAJOR,
    FIELD_SPECIAL_MINOR,
    FIELD_NAME_SIZE,
    FIELD_CHECK,
    FIELD_COUNT,
};
_Static_assert(6 + FIELD_COUNT * FIELD_CHARS == HEADER_BYTES, "the header is its fields");

static const char trailer_name[] = "TRAILER!!!";

void cpio_init(struct cpio_reader *reader, const void *image, size_t size_bytes) {
    *reader = (struct cpio_reader){ .image = image, .size_bytes = size_bytes };
}

enum hx_status cpio_skip(struct cpio_reader *reader, size_t size_bytes) {
    if (size_bytes > reader->size_bytes - reader->offset) {
        return HX_ERR_RANGE;
    }
    reader->offset += size_bytes;
    return HX_OK;
}

static bool parse_hex(const uint8_t *text, uint32_t *out_value) {
    uint32_t value = 0;
    for (unsigned i = 0; i < FIELD_CHARS; i++) {
        uint8_t c = text[i];
        unsigned digit = c >= '0' && c <= '9'   ? c - (unsigned)'0'
                         : c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10
                         : c >= 'A' && c <= 'F' ? c - (unsigned)'A' + 10
                                                : 16;
        if (digit == 16) {
            return false;
        }
        value = value << 4 | digit;
    }
    *out_value = value;
    return true;
}

static bool parse_fields(const uint8_t *header, uint32_t fields[FIELD_COUNT]) {
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        if (!parse_hex(header + 6 + (size_t)i * FIELD_CHARS, &fields[i])) {
            return false;
        }
    }
    return true;
}

// The sum that 070702 carries: of all data bytes, as unsigned numbers.
static uint32_t data_sum(const uint8_t *data, size_t size_bytes) {
    uint32_t sum = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        sum += data[i];
    }
    return sum;
}

// Rounds up to 4, but not beyond the end: the last padding of an image may be missing.
static size_t padded(const struct cpio_reader *reader, size_t offset) {
    size_t left = reader->size_bytes - offset;
    return offset + MIN_OF((4 - offset % 4) % 4, left);
}

static void fill_entry(struct cpio_entry *entry, const uint32_t fields[FIELD_COUNT]) {
    entry->size_bytes = fields[FIELD_SIZE];
    entry->mode = fields[FIELD_MODE];
    entry->user = fields[FIELD_USER];
    entry->group = fields[FIELD_GROUP];
    entry->link_count = fields[FIELD_LINKS];
    entry->modified_s = fields[FIELD_TIME];
    entry->inode = fields[FIELD_INODE];
    entry->device_major = fields[FIELD_DEVICE_MAJOR];
    entry->device_minor = fields[FIELD_DEVICE_MINOR];
    entry->special_major = fields[FIELD_SPECIAL_MAJOR];
    entry->special_minor = fields[FIELD_SPECIAL_MINOR];
}

// Reads the entry at reader->offset, which is left alone if it is not well-formed.
static enum hx_status read_entry(struct cpio_reader *reader, enum cpio_kind *out_kind,
                                 struct cpio_entry *out_entry) {
    size_t left = reader->size_bytes - reader->offset;
    const uint8_t *header = reader->image + reader->offset;
    uint32_t fields[FIELD_COUNT];
    if (left < HEADER_BYTES || memcmp(header, "07070", 5) != 0 ||
        (header[5] != '1' && header[5] != '2') || !parse_fields(header, fields)) {
        return HX_ERR_CORRUPT;
    }
    uint32_t name_size = fields[FIELD_NAME_SIZE];
    if (name_size < 1 || name_size > CPIO_NAME_MAX || name_size > left - HEADER_BYTES ||
        header[HEADER_BYTES + name_size - 1] != '\0') {
        return HX_ERR_CORRUPT;
    }
    size_t data = padded(reader, reader->offset + HEADER_BYTES + name_size);
    if (fields[FIELD_SIZE] > reader->size_bytes - data) {
        return HX_ERR_CORRUPT;
    }
    struct cpio_entry entry = { .name = (const char *)header + HEADER_BYTES,
                                .data = reader->image + data };
    entry.name_length = strnlen(entry.name, name_size);
    fill_entry(&entry, fields);
    if (header[5] == '2' && data_sum(entry.data, entry.size_bytes) != fields[FIELD_CHECK]) {
        return HX_ERR_CORRUPT;
    }
    reader->offset = padded(reader, data + entry.size_bytes);
    if (strcmp(entry.name, trailer_name) == 0) {
        *out_kind = CPIO_TRAILER;
        return HX_OK;
    }
    *out_kind = CPIO_ENTRY;
    *out_entry = entry;
    return HX_OK;
}

enum hx_status cpio_next(struct cpio_reader *reader, enum cpio_kind *out_kind,
                         struct cpio_entry *out_entry) {
    while (reader->offset < reader->size_bytes && reader->image[reader->offset] == 0) {
        reader->offset++;
    }
    if (reader->offset == reader->size_bytes) {
        *out_kind = CPIO_END;
        return HX_OK;
    }
    if (gzip_is_member(reader->image + reader->offset, reader->size_bytes - reader->offset)) {
        *out_kind = CPIO_GZIP;
        return HX_OK;
    }
    if (reader->offset % 4 != 0) {
        return HX_ERR_CORRUPT;
    }
    return read_entry(reader, out_kind, out_entry);
}
