// SPDX-License-Identifier: MIT OR Apache-2.0
// Partition tables: sound ones, damaged ones, and ones that lead in circles.
#include "bytes.h"
#include "check.h"

#include <lib/hash.h>
#include <lib/partition.h>

#include <string.h>

#define SECTORS 256u

static uint8_t disk[SECTORS * 512];
static uint32_t reads;
static uint64_t bad_sector;

static enum hx_status disk_read(void *context, uint64_t sector, void *to) {
    const struct partition_source *source = context;
    CHECK(sector < source->sectors);
    reads++;
    if (sector == bad_sector) {
        return HX_ERR_IO;
    }
    memcpy(to, disk + sector * source->sector_bytes, source->sector_bytes);
    return HX_OK;
}

static struct partition found[8];

static int list(uint32_t sector_bytes) {
    static uint8_t scratch[PARTITION_SECTOR_MAX];
    struct partition_source source = { disk_read, NULL, sector_bytes, sizeof(disk) / sector_bytes };
    uint32_t count = 0;
    source.context = &source;
    memset(found, 0, sizeof(found));
    return partitions_read(&source, scratch, found, 8, &count) == HX_OK ? (int)count : -1;
}

static void setup(void) {
    memset(disk, 0, sizeof(disk));
    bad_sector = UINT64_MAX;
    reads = 0;
}

static void mbr(uint32_t sector, uint32_t index, uint8_t kind, uint32_t first, uint32_t sectors) {
    uint8_t *bytes = disk + sector * 512;
    uint8_t *entry = bytes + 446 + 16 * index;
    entry[4] = kind;
    put_u32(entry + 8, first);
    put_u32(entry + 12, sectors);
    put_u16(bytes + 510, 0xaa55);
}

static bool is_at(uint32_t index, uint32_t number, uint64_t first, uint64_t sectors) {
    return found[index].number == number && found[index].first == first &&
           found[index].sectors == sectors;
}

static void test_mbr(void) {
    setup();
    CHECK(list(512) == 0); // nothing there
    mbr(0, 0, 0x83, 8, 16);
    mbr(0, 1, 0x05, 64, 64);
    mbr(0, 3, 0x83, 250, 7); // one sector too many
    mbr(64, 0, 0x83, 2, 10);
    mbr(64, 1, 0x05, 32, 32);
    mbr(96, 0, 0x82, 1, 31);
    CHECK(list(512) == 4);
    CHECK(is_at(0, 1, 8, 16) && is_at(1, 2, 64, 2) && is_at(2, 5, 66, 10) && is_at(3, 6, 97, 31));
    mbr(0, 3, 0x83, 250, 6);
    CHECK(list(512) == 5 && is_at(2, 4, 250, 6));
    disk[446] = 0x12; // it is a file system's first sector
    CHECK(list(512) == 0);
    disk[446] = 0x80;
    CHECK(list(512) == 5);
}

static void test_mbr_circle(void) {
    setup();
    mbr(0, 0, 0x0f, 64, 64);
    mbr(64, 1, 0x05, 1, 32);
    mbr(65, 1, 0x05, 1, 32);
    CHECK(list(512) == 1 && reads < 200);
    mbr(65, 1, 0x05, 0xffffffff, 32);
    CHECK(list(512) == 1);
}

// A header at `at` whose entries are at `entries_at`; `bytes` a sector.
static void gpt(uint32_t at, uint32_t entries_at, uint32_t bytes) {
    uint8_t *header = disk + (size_t)at * bytes;
    uint8_t *entries = disk + (size_t)entries_at * bytes;
    memset(entries, 0, 4 * 128);
    memset(entries, 1, 16);
    put_u64(entries + 32, 4);
    put_u64(entries + 40, 7);
    memset(entries + 256, 2, 16);
    put_u64(entries + 256 + 32, 8);
    put_u64(entries + 256 + 40, 8);
    memset(entries + 384, 3, 16);
    put_u64(entries + 384 + 32, 9);
    put_u64(entries + 384 + 40, 4000); // beyond the disk
    memset(header, 0, 92);
    memcpy(header, "EFI PART", 8);
    put_u32(header + 12, 92);
    put_u64(header + 24, at);
    put_u64(header + 40, 4);
    put_u64(header + 48, 5000);
    put_u64(header + 72, entries_at);
    put_u32(header + 80, 4);
    put_u32(header + 84, 128);
    put_u32(header + 88, hash_crc32(0, entries, 4 * 128));
    put_u32(header + 16, hash_crc32(0, header, 92));
}

static void test_gpt(void) {
    setup();
    mbr(0, 0, 0xee, 1, 255);
    CHECK(list(512) == 0); // the protective entry is nobody's
    gpt(1, 2, 512);
    CHECK(list(512) == 2 && is_at(0, 1, 4, 4) && is_at(1, 3, 8, 1));
    disk[512 + 60]++; // the header is damaged
    CHECK(list(512) == 0);
    gpt(SECTORS - 1, SECTORS - 3, 512);
    CHECK(list(512) == 2); // the one at the end
    gpt(1, 2, 512);
    disk[2 * 512 + 60]++; // an entry is damaged
    CHECK(list(512) == 2);
    memset(disk + 512 * (SECTORS - 1), 0, 512);
    CHECK(list(512) == 0);
    setup();
    gpt(1, 2, 4096);
    CHECK(list(4096) == 2 && is_at(1, 3, 8, 1));
}

// Counts and sizes that the header's own checksum vouches for.
static void test_gpt_lies(void) {
    static const struct {
        uint32_t at;
        uint32_t value;
    } lies[] = { { 80, UINT32_MAX }, { 80, 1025 }, { 84, 0 },   { 84, 129 },
                 { 84, UINT32_MAX }, { 84, 1024 }, { 72, 300 }, { 76, UINT32_MAX },
                 { 12, 4096 },       { 12, 0 },    { 24, 2 } };
    for (uint32_t i = 0; i < ARRAY_SIZE(lies); i++) {
        setup();
        gpt(1, 2, 512);
        put_u32(disk + 512 + lies[i].at, lies[i].value);
        put_u32(disk + 512 + 16, 0);
        put_u32(disk + 512 + 16, hash_crc32(0, disk + 512, 92));
        CHECK(list(512) == 0);
        CHECK(reads < 300);
    }
}

static void test_errors(void) {
    setup();
    gpt(1, 2, 512);
    bad_sector = 1;
    CHECK(list(512) == -1);
    bad_sector = 2;
    CHECK(list(512) == -1);
    bad_sector = 0;
    CHECK(list(512) == 2);
    setup();
    bad_sector = 0;
    CHECK(list(512) == -1);
}

int main(void) {
    test_mbr();
    test_mbr_circle();
    test_gpt();
    test_gpt_lies();
    test_errors();
    return check_result();
}
