// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/partition.h>: partition tables: GPT (UEFI 2.10, chapter 5) and the MBR with its logical
// partitions.
//
// The medium is not trusted: partitions that are given lie inside it, reading ends whatever stands
// there, and no more memory is needed than one sector.
#pragma once

#include <helix/types.h>

#define PARTITION_SECTOR_MIN 512u
#define PARTITION_SECTOR_MAX 4096u

struct partition {
    uint32_t number; // from 1, as Linux counts: of a GPT the entry's, logical ones from 5 on
    uint64_t first;  // sector
    uint64_t sectors;
};

struct partition_source {
    // Reads one sector below `sectors` to `to`.
    enum hx_status (*read)(void *context, uint64_t sector, void *to);
    void *context;
    uint32_t sector_bytes; // a power of two from PARTITION_SECTOR_MIN to PARTITION_SECTOR_MAX
    uint64_t sectors;
};

// Lists the partitions, at most `capacity`, in the order of their table. A GPT counts if the header
// and all entries have their checksums, the first one or the one at the end; otherwise an MBR.
// `scratch` has room for a sector.
// HX_OK (also: none); or what the source failed with
enum hx_status partitions_read(const struct partition_source *source, void *scratch,
                               struct partition *out_partitions, uint32_t capacity,
                               uint32_t *out_count);
