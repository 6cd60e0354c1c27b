// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_reacher.c: a disk's driver whose device is told to go beyond what was lent, once: after a
// transfer of one of the first pages of the disk from ARMS on, the next one reaches out as that
// page says. The module's next life does what it should, until it is asked again.
#include "../../services/drv/virtio_blk/queue.h"

#define ARMS      16u       // a page of the disk: outside; 17: behind the end; 18: given back
#define SOMEWHERE 0x200000u // memory that is not the module's
#define PAGE_8TH  8u        // sectors of a page

enum reach { REACH_NOWHERE, REACH_OUTSIDE, REACH_BEHIND, REACH_GIVEN_BACK, REACH_COUNT };

static _Atomic uint32_t reach;
static _Atomic uint64_t given_back; // where the transfer before had its pages

static bool reaching_add_locked(struct blk_queue *queue, uint64_t id, uint32_t kind,
                                uint64_t sector, struct virtqueue_piece *pieces, uint32_t count) {
    const uint64_t which = sector / PAGE_8TH - ARMS + 1;
    const uint32_t how = count != 0 ? atomic_exchange(&reach, REACH_NOWHERE) : REACH_NOWHERE;
    const uint64_t address = count != 0 ? pieces[1].address : 0;
    if (how == REACH_OUTSIDE) {
        pieces[1].address = SOMEWHERE;
    } else if (how == REACH_BEHIND) {
        pieces[count].size_bytes += 4096;
    } else if (how == REACH_GIVEN_BACK) {
        pieces[1].address = atomic_load(&given_back);
    } else if (count != 0 && which > REACH_NOWHERE && which < REACH_COUNT) {
        atomic_store(&given_back, address);
        atomic_store(&reach, (uint32_t)which);
    }
    return blk_queue_add_locked(queue, id, kind, sector, pieces, count);
}
// NOLINTNEXTLINE(readability-identifier-naming): it stands for the function of that name
#define blk_queue_add_locked reaching_add_locked
#include "blk.h"

BLK(8, blk_init, .stop = blk_stop);
