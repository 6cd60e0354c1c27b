// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as a disk. Checksums of a GPT are made right where the first byte says so, so that the
// fuzzer gets behind them.
#include "fuzz.h"

#include <lib/hash.h>
#include <lib/partition.h>

#include <string.h>

#define SECTORS 32u

static uint8_t disk[SECTORS * PARTITION_SECTOR_MIN];
static uint32_t reads;

static enum hx_status disk_read(void *context, uint64_t sector, void *to) {
    (void)context;
    FUZZ_ASSERT(sector < SECTORS);
    FUZZ_ASSERT(++reads < 2000);
    memcpy(to, disk + sector * PARTITION_SECTOR_MIN, PARTITION_SECTOR_MIN);
    return HX_OK;
}

static void put(uint8_t *to, uint32_t value) {
    memcpy(to, &value, sizeof(value));
}

static void make_right(void) {
    uint8_t *header = disk + PARTITION_SECTOR_MIN;
    uint32_t count;
    uint32_t bytes;
    memcpy(header, "EFI PART\0\0\1\0\x5c\0\0\0", 16);
    put(header + 24, 1);
    put(header + 28, 0);
    put(header + 72, 2);
    put(header + 76, 0);
    memcpy(&count, header + 80, 4);
    memcpy(&bytes, header + 84, 4);
    if ((uint64_t)count * bytes <= (SECTORS - 2) * PARTITION_SECTOR_MIN) {
        put(header + 88, hash_crc32(0, disk + 2 * PARTITION_SECTOR_MIN, (size_t)count * bytes));
    }
    put(header + 16, 0);
    put(header + 16, hash_crc32(0, header, 92));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t scratch[PARTITION_SECTOR_MIN];
    struct partition partitions[8];
    const struct partition_source source = { disk_read, NULL, PARTITION_SECTOR_MIN, SECTORS };
    uint32_t count = 0;
    memset(disk, 0, sizeof(disk));
    memcpy(disk, data, size < sizeof(disk) ? size : sizeof(disk));
    reads = 0;
    if (size > 0 && data[0] % 2 != 0) {
        make_right();
    }
    if (partitions_read(&source, scratch, partitions, 8, &count) == HX_OK) {
        FUZZ_ASSERT(count <= 8);
        for (uint32_t i = 0; i < count; i++) {
            FUZZ_ASSERT(partitions[i].sectors != 0 && partitions[i].first < SECTORS);
            FUZZ_ASSERT(partitions[i].sectors <= SECTORS - partitions[i].first);
            FUZZ_ASSERT(partitions[i].number != 0);
        }
    }
    return 0;
}
