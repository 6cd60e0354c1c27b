// SPDX-License-Identifier: MIT OR Apache-2.0
// early.c: memory before there is an allocator, and bringing all of it up.
//
// A bump allocator over the loader's usable ranges. Until memory_init() all of it comes from below
// 4 GiB: that is what the boot's tables map at the direct map's base.
#include "internal.h"
#include "private.h"

#include <core/init.h>
#include <lib/string.h>

#define LOW_MEMORY  0x100000ull    // firmware's and the trampoline's
#define BOOT_MAPPED 0x100000000ull // what boot's direct map reaches
#define DIRECT_SIZE (HAL_DIRECT_END - HAL_DIRECT_BASE)

static struct ranges early_ranges; // what is free
static struct ranges whole_ranges; // and with the initial archive
static bool early_over;
static uint8_t *bump_at; // the rest of a page, for small requests
static size_t bump_left;

static void *early_pages(size_t size_bytes) {
    uint64_t start;
    if (!ranges_take(&early_ranges, ALIGN_UP(size_bytes, PAGE_SIZE), BOOT_MAPPED, false, &start)) {
        return NULL;
    }
    void *memory = hal_phys_to_virt(paddr_make(start));
    memset(memory, 0, ALIGN_UP(size_bytes, PAGE_SIZE));
    return memory;
}

static struct paddr early_table_alloc(void) {
    const void *page = early_pages(PAGE_SIZE);
    return page != NULL ? hal_virt_to_phys(page) : paddr_make(0);
}

static void early_table_free(struct paddr page) {
    (void)page; // lost: nothing frees tables this early but a failing boot
}

static struct paddr table_alloc(void) {
    struct frame *frame = frame_alloc_use(MEMORY_ATOMIC, true, FRAME_TABLE);
    return frame != NULL ? frame_address(frame) : paddr_make(0);
}

static void table_free(struct paddr page) {
    struct frame *frame = frame_of(page);
    if (frame != NULL && frame_use(frame) == FRAME_TABLE) { // else one of the boot's
        frame_put(frame);
    }
}

static struct paddr early_block_alloc(size_t size_bytes) {
    (void)size_bytes;
    return paddr_make(0);
}

static struct paddr block_alloc(size_t size_bytes) {
    uint32_t order = 0;
    while (((size_t)PAGE_SIZE << order) < size_bytes) {
        order++;
    }
    struct frame *frame = frame_alloc_order(order, MEMORY_ATOMIC);
    if (frame == NULL) {
        return paddr_make(0);
    }
    memset(frame_data(frame), 0, (size_t)PAGE_SIZE << order);
    return frame_address(frame);
}

static void *boot_alloc(size_t size_bytes) {
    if (early_over) {
        return heap_alloc_zero(size_bytes, MEMORY_ATOMIC);
    }
    size_t size = ALIGN_UP(size_bytes, (size_t)CACHE_LINE);
    if (size >= PAGE_SIZE) {
        return early_pages(size);
    }
    if (size > bump_left) {
        bump_at = early_pages(PAGE_SIZE);
        bump_left = bump_at != NULL ? PAGE_SIZE : 0;
    }
    if (bump_at == NULL || size == 0) {
        return NULL;
    }
    void *memory = bump_at;
    bump_at += size;
    bump_left -= size;
    return memory;
}

static const struct hal_page_ops early_page_ops = { early_table_alloc, early_table_free,
                                                    early_block_alloc };
static const struct hal_page_ops page_ops = { table_alloc, table_free, block_alloc };
static const struct core_memory_ops core_ops = { boot_alloc, kernel_stack_alloc,
                                                 kernel_stack_free };

#define MIB         (UINT64_C(1) << 20)
#define START_BYTES (MIB / 2) // what is free must be this much, or some step runs out

// Usable memory that is neither firmware's, the image's nor boot's.
static void usable_ranges(struct ranges *ranges, const struct boot_info *info) {
    ranges_from_map(ranges, info, DIRECT_SIZE);
    ranges_exclude(ranges, 0, LOW_MEMORY);
    ranges_exclude(ranges, info->kernel_start.value, info->kernel_end.value);
}

static uint64_t initrd_end(const struct boot_info *info) {
    uint64_t start = info->initrd.value;
    return info->initrd_bytes > UINT64_MAX - start ? UINT64_MAX : start + info->initrd_bytes;
}

// With too little memory a loader that does not look puts it there; what boot cleared is lost, and
// what is left of the kernel can still say so.
static void check_place(const struct boot_info *info) {
    if (info->initrd_bytes != 0 && info->initrd.value < info->kernel_end.value &&
        initrd_end(info) > info->kernel_start.value) {
        panic("the loader put the initramfs (%#lx to %#lx) over the kernel (%#lx to %#lx): "
              "this machine has too little memory for both",
              (unsigned long)info->initrd.value, (unsigned long)initrd_end(info),
              (unsigned long)info->kernel_start.value, (unsigned long)info->kernel_end.value);
    }
}

// Says it before any step runs out of memory for what only it needs.
static void check_enough(const struct boot_info *info) {
    struct ranges machine;
    ranges_from_map(&machine, info, DIRECT_SIZE);
    uint64_t machine_mib = (ranges_bytes(&machine) + MIB - 1) / MIB;
    uint64_t unused = ranges_bytes(&early_ranges);
    if (unused < START_BYTES) {
        uint64_t missing_mib = (START_BYTES - unused + MIB - 1) / MIB;
        panic("Helix with this initramfs needs at least %u MiB; this machine has %u",
              (unsigned)(machine_mib + missing_mib), (unsigned)machine_mib);
    }
}

void memory_init_early(const struct boot_info *info) {
    check_place(info);
    usable_ranges(&early_ranges, info);
    if (info->initrd_bytes != 0) {
        ranges_exclude(&early_ranges, info->initrd.value, initrd_end(info));
    }
    check_enough(info);
    hal_page_ops_set(&early_page_ops);
    core_memory_ops_set(&core_ops);
}

void memory_init(const struct boot_info *info) {
    usable_ranges(&whole_ranges, info);
    frames_init(&early_ranges, &whole_ranges);
    hal_page_ops_set(&page_ops);
    heap_init();
    early_over = true;
    vmap_init();
    account_init();
    objects_init();
    aspaces_init();
}

void memory_release_initrd(const struct boot_info *info) {
    static bool done;
    if (info->initrd_bytes == 0 || done) {
        return;
    }
    done = true;
    // What of the archive's pages is usable memory: all that is, less everything around them.
    struct ranges *ranges = &whole_ranges;
    ranges_exclude(ranges, 0, ALIGN_DOWN(info->initrd.value, (uint64_t)PAGE_SIZE));
    uint64_t end = initrd_end(info);
    if (end <= UINT64_MAX - PAGE_MASK) {
        ranges_exclude(ranges, ALIGN_UP(end, (uint64_t)PAGE_SIZE), UINT64_MAX);
    }
    for (uint32_t i = 0; i < ranges->count; i++) {
        frames_add(ranges->range[i].start, ranges->range[i].end);
    }
}
