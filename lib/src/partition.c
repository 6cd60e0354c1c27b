// SPDX-License-Identifier: MIT OR Apache-2.0
// partition.c: GPT and MBR. Sections: UEFI 2.10.
#include "bytes.h"

#include <lib/hash.h>
#include <lib/partition.h>
#include <lib/string.h>

#define MBR_ENTRIES     446u
#define MBR_ENTRY_BYTES 16u
#define MBR_SIGNATURE   510u // 0x55 0xaa
#define MBR_KIND        4u
#define MBR_FIRST       8u
#define MBR_SECTORS     12u
#define KIND_GPT        0xeeu // the protective entry (5.2.3)
#define LOGICAL_FIRST   5u
#define LOGICAL_MAX     64u // links that are followed

#define GPT_HEADER_MIN  92u // 5.3.2
#define GPT_HEADER_CRC  16u
#define GPT_ENTRY_MIN   128u
#define GPT_ENTRY_FIRST 32u // 5.3.3
#define GPT_ENTRY_LAST  40u
#define GPT_ENTRIES_MAX 1024u
#define GPT_ENTRY_MAX   PARTITION_SECTOR_MIN // so that none lies across two sectors

struct reading {
    const struct partition_source *source;
    uint8_t *sector; // what was read last
    struct partition *to;
    uint32_t capacity;
    uint32_t count;
};

struct gpt {
    uint64_t entries_at; // sector
    uint64_t first_usable, last_usable;
    uint32_t entries;
    uint32_t entry_bytes;
    uint32_t entries_crc;
};

static enum hx_status sector_read(const struct reading *reading, uint64_t sector) {
    if (sector >= reading->source->sectors) {
        return HX_ERR_NOT_FOUND;
    }
    return reading->source->read(reading->source->context, sector, reading->sector);
}

static void add(struct reading *reading, uint32_t number, uint64_t first, uint64_t sectors) {
    if (reading->count < reading->capacity && sectors != 0 &&
        range_fits(first, sectors, reading->source->sectors)) {
        reading->to[reading->count++] = (struct partition){ number, first, sectors };
    }
}

// GPT
// ------------------------------------------------------------------------------------------------

static bool gpt_header(const struct reading *reading, uint64_t at, struct gpt *out_gpt) {
    uint8_t *bytes = reading->sector;
    const uint32_t header_bytes = read_u32(bytes + 12);
    const uint32_t crc = read_u32(bytes + GPT_HEADER_CRC);
    if (memcmp(bytes, "EFI PART", 8) != 0 || header_bytes < GPT_HEADER_MIN ||
        header_bytes > reading->source->sector_bytes || read_u64(bytes + 24) != at) {
        return false;
    }
    write_u32(bytes + GPT_HEADER_CRC, 0);
    if (hash_crc32(0, bytes, header_bytes) != crc) {
        return false;
    }
    *out_gpt = (struct gpt){
        .first_usable = read_u64(bytes + 40),
        .last_usable = read_u64(bytes + 48),
        .entries_at = read_u64(bytes + 72),
        .entries = read_u32(bytes + 80),
        .entry_bytes = read_u32(bytes + 84),
        .entries_crc = read_u32(bytes + 88),
    };
    return out_gpt->entries <= GPT_ENTRIES_MAX && out_gpt->entry_bytes >= GPT_ENTRY_MIN &&
           out_gpt->entry_bytes <= GPT_ENTRY_MAX &&
           (out_gpt->entry_bytes & (out_gpt->entry_bytes - 1)) == 0;
}

static void gpt_entry(struct reading *reading, const struct gpt *gpt, uint32_t index,
                      const uint8_t *entry) {
    static const uint8_t unused[16]; // a kind of all zeroes
    const uint64_t first = read_u64(entry + GPT_ENTRY_FIRST);
    const uint64_t last = read_u64(entry + GPT_ENTRY_LAST);
    if (memcmp(entry, unused, sizeof(unused)) != 0 && first >= gpt->first_usable && first <= last &&
        last <= gpt->last_usable && last < reading->source->sectors) {
        add(reading, index + 1, first, last - first + 1);
    }
}

// All entries: their checksum, and what they say; the list counts only if HX_OK is returned.
static enum hx_status gpt_entries(struct reading *reading, const struct gpt *gpt) {
    const uint32_t sector_bytes = reading->source->sector_bytes;
    uint64_t left = (uint64_t)gpt->entries * gpt->entry_bytes;
    uint32_t crc = 0;
    uint32_t index = 0;
    for (uint64_t i = 0; left > 0; i++) {
        const uint32_t here = (uint32_t)MIN_OF(left, (uint64_t)sector_bytes);
        enum hx_status status = gpt->entries_at > reading->source->sectors
                                    ? HX_ERR_NOT_FOUND
                                    : sector_read(reading, gpt->entries_at + i);
        if (status != HX_OK) {
            return status;
        }
        crc = hash_crc32(crc, reading->sector, here);
        for (uint32_t at = 0; at < here; at += gpt->entry_bytes) {
            gpt_entry(reading, gpt, index++, reading->sector + at);
        }
        left -= here;
    }
    return crc == gpt->entries_crc ? HX_OK : HX_ERR_CORRUPT;
}

// HX_ERR_NOT_FOUND, HX_ERR_CORRUPT: there is none whose header is there.
static enum hx_status gpt_read(struct reading *reading, uint64_t header_at) {
    struct gpt gpt;
    enum hx_status status = sector_read(reading, header_at);
    if (status == HX_OK && !gpt_header(reading, header_at, &gpt)) {
        status = HX_ERR_NOT_FOUND;
    }
    if (status == HX_OK) {
        status = gpt_entries(reading, &gpt);
    }
    if (status != HX_OK) {
        reading->count = 0;
    }
    return status;
}

// MBR
// ------------------------------------------------------------------------------------------------

struct mbr_entry {
    uint8_t kind; // 0: unused
    uint32_t first;
    uint32_t sectors;
};

// A boot sector of a file system ends alike: what is no "active" flag of an entry tells.
static bool mbr_is_there(const struct reading *reading) {
    const uint8_t *bytes = reading->sector;
    bool is_there = bytes[MBR_SIGNATURE] == 0x55 && bytes[MBR_SIGNATURE + 1] == 0xaa;
    for (uint32_t i = 0; i < 4; i++) {
        is_there = is_there && (bytes[MBR_ENTRIES + MBR_ENTRY_BYTES * i] & 0x7f) == 0;
    }
    return is_there;
}

static struct mbr_entry mbr_entry(const struct reading *reading, uint32_t index) {
    const uint8_t *entry = reading->sector + MBR_ENTRIES + (size_t)MBR_ENTRY_BYTES * index;
    return (struct mbr_entry){ entry[MBR_KIND], read_u32(entry + MBR_FIRST),
                               read_u32(entry + MBR_SECTORS) };
}

static bool is_extended(uint8_t kind) {
    return kind == 0x05 || kind == 0x0f || kind == 0x85;
}

// The chain of logical partitions in an extended one: in each sector of it the partition, relative
// to that sector, and the next one's place, relative to the extended partition.
static enum hx_status logical_read(struct reading *reading, uint64_t extended) {
    uint64_t at = extended;
    for (uint32_t i = 0; i < LOGICAL_MAX; i++) {
        enum hx_status status = sector_read(reading, at);
        if (status != HX_OK || !mbr_is_there(reading)) {
            return status == HX_ERR_NOT_FOUND ? HX_OK : status;
        }
        const struct mbr_entry here = mbr_entry(reading, 0);
        const struct mbr_entry next = mbr_entry(reading, 1);
        if (here.kind != 0 && !is_extended(here.kind)) {
            add(reading, LOGICAL_FIRST + i, at + here.first, here.sectors);
        }
        if (!is_extended(next.kind) || next.first == 0) {
            return HX_OK;
        }
        at = extended + next.first;
    }
    return HX_OK;
}

static enum hx_status mbr_read(struct reading *reading) {
    uint64_t extended = 0;
    enum hx_status status = sector_read(reading, 0);
    if (status != HX_OK || !mbr_is_there(reading)) {
        return status;
    }
    for (uint32_t i = 0; i < 4; i++) {
        const struct mbr_entry entry = mbr_entry(reading, i);
        if (is_extended(entry.kind) && extended == 0) {
            extended = entry.first;
        }
        if (entry.kind != 0 && entry.kind != KIND_GPT) {
            // An extended one is seen, too, but for its first two sectors nobody should write it.
            add(reading, i + 1, entry.first, is_extended(entry.kind) ? 2 : entry.sectors);
        }
    }
    return extended == 0 ? HX_OK : logical_read(reading, extended);
}

static bool is_absent(enum hx_status status) {
    return status == HX_ERR_NOT_FOUND || status == HX_ERR_CORRUPT;
}

enum hx_status partitions_read(const struct partition_source *source, void *scratch,
                               struct partition *out_partitions, uint32_t capacity,
                               uint32_t *out_count) {
    struct reading reading = { source, scratch, out_partitions, capacity, 0 };
    enum hx_status status = HX_OK;
    if (source->sectors != 0) {
        status = gpt_read(&reading, 1);
        if (is_absent(status)) {
            status = gpt_read(&reading, source->sectors - 1);
        }
        if (is_absent(status)) {
            status = mbr_read(&reading);
        }
    }
    if (status == HX_OK) {
        *out_count = reading.count;
    }
    return status;
}
