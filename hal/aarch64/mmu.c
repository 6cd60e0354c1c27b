// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/mmu.c: the kernel half: direct map, image, core's and hal's own mappings.
//
// TTBR1 is the same for all processors and page tables. The direct map never is executable, and
// read-only where it shows the image's text and constants; nothing is mapped as memory that the
// loader does not call memory, since the processor may read ahead there.
#include "pagetable.h"

#include <lib/string.h>

#define DIRECT_MAX (HAL_DIRECT_END - HAL_DIRECT_BASE + 1)
#define CTR_IDC    (1u << 28) // instruction fetches see the data caches
#define CTR_DIC    (1u << 29) // instruction caches need no invalidation
#define SCTLR_WXN  (1u << 19) // what is writable is not executable (D17.2.118)

// Set by the linker script; the table by boot.
extern char image_start[];
extern char image_text_end[];
extern char image_rodata_end[];
extern char image_end[];
extern uint64_t boot_image_1[TABLE_ENTRIES];

extern char aarch64_signal_return[]; // a page of code for programs: start.S
extern char aarch64_start_page[];    // the page where processors start
extern char aarch64_mmu_switch[];    // on that page

typedef uint64_t table_t[TABLE_ENTRIES];

static struct hal_page_ops page_ops;
static struct paddr kernel_root;
static atomic_flag kernel_lock = ATOMIC_FLAG_INIT; // guards tables below the root, device_next
#define TEXT_WINDOW AARCH64_DEVICE_BASE            // one page, see aarch64_text_write()
static uint64_t device_next = AARCH64_DEVICE_BASE + PAGE_SIZE;
static const struct boot_info *boot;

// Tables that exist before there is memory for any: those of the device range, and what TTBR0 has
// without a program.
static table_t device_huge __attribute__((aligned(4096)));
static table_t device_large __attribute__((aligned(4096)));
static table_t device_pages __attribute__((aligned(4096)));
static table_t empty_root __attribute__((aligned(4096)));
static table_t start_tables[4] __attribute__((aligned(4096)));

void hal_page_ops_set(const struct hal_page_ops *ops) {
    page_ops = *ops;
}

struct paddr aarch64_table_page_alloc(void) {
    return page_ops.alloc();
}

void aarch64_table_page_free(struct paddr page) {
    page_ops.free(page);
}

struct paddr aarch64_block_alloc(size_t size_bytes) {
    return page_ops.alloc_block(size_bytes);
}

struct paddr aarch64_kernel_root(void) {
    return kernel_root;
}

uint64_t aarch64_image_phys(const void *address) {
    return (uint64_t)(uintptr_t)address - AARCH64_IMAGE_BASE + boot->kernel_start.value;
}

struct paddr aarch64_empty_root(void) {
    return paddr_make(aarch64_image_phys(empty_root));
}

static unsigned long kernel_lock_take(void) {
    unsigned long state = hal_irq_save();
    while (atomic_flag_test_and_set_explicit(&kernel_lock, memory_order_acquire)) {
        hal_relax();
    }
    return state;
}

static void kernel_lock_drop(unsigned long state) {
    atomic_flag_clear_explicit(&kernel_lock, memory_order_release);
    hal_irq_restore(state);
}

// The entry of `level` for a kernel address, tables made as needed; NULL: no memory.
static uint64_t *kernel_entry(uint64_t address, uint32_t level) {
    uint64_t *entries = hal_phys_to_virt(kernel_root);
    for (uint32_t at = LEVEL_ROOT; at > level; at--) {
        uint64_t *entry = &entries[table_index(address, at)];
        if (*entry == 0) {
            struct paddr page = aarch64_table_page_alloc();
            if (page.value == 0) {
                return NULL;
            }
            __atomic_store_n(entry, page.value | PTE_VALID | PTE_TABLE, __ATOMIC_RELEASE);
        }
        entries = table_of(*entry);
    }
    return &entries[table_index(address, level)];
}

// The last-level entry of an existing mapping; NULL if there is none.
static uint64_t *kernel_entry_find(uint64_t address) {
    uint64_t *entries = hal_phys_to_virt(kernel_root);
    for (uint32_t at = LEVEL_ROOT; at > LEVEL_PAGE; at--) {
        uint64_t entry = entries[table_index(address, at)];
        if (!(entry & PTE_VALID) || entry_is_block(entry)) {
            return NULL;
        }
        entries = table_of(entry);
    }
    return &entries[table_index(address, LEVEL_PAGE)];
}

// The caller publishes.
static bool map_page(uint64_t address, uint64_t page, uint32_t flags) {
    uint64_t *entry = kernel_entry(address, LEVEL_PAGE);
    if (entry == NULL) {
        return false;
    }
    __atomic_store_n(entry, page | entry_flags(flags), __ATOMIC_RELEASE);
    return true;
}

// What was mapped is found by the walks of all processors, and by this one's next access (D8.16.1).
static void publish(void) {
    dsb_stores();
    isb();
}

#define DATA (HAL_MAP_READ | HAL_MAP_WRITE)
#define TEXT (HAL_MAP_READ | HAL_MAP_EXECUTE)

static bool image_map(void) {
    for (const char *at = image_start; at < image_end; at += PAGE_SIZE) {
        uint32_t flags = at < image_text_end ? TEXT : at < image_rodata_end ? HAL_MAP_READ : DATA;
        if (!map_page((uint64_t)(uintptr_t)at, aarch64_image_phys(at), flags)) {
            return false;
        }
    }
    return true;
}

static bool direct_map_page(uint64_t page) {
    const bool constant =
        page >= aarch64_image_phys(image_start) && page < aarch64_image_phys(image_rodata_end);
    return map_page(HAL_DIRECT_BASE + page, page, constant ? HAL_MAP_READ : DATA);
}

static bool direct_map_block(uint64_t base, uint32_t level) {
    uint64_t *entry = kernel_entry(HAL_DIRECT_BASE + base, level);
    if (entry == NULL) {
        return false;
    }
    *entry = base | (entry_flags(DATA) & ~PTE_TABLE);
    return true;
}

// The largest piece that begins at `at`, ends at `end` at the latest, and is all data.
static uint32_t direct_level(uint64_t at, uint64_t end) {
    const uint64_t image = aarch64_image_phys(image_start);
    const uint64_t image_stop = aarch64_image_phys(image_rodata_end);
    for (uint32_t level = LEVEL_HUGE; level > LEVEL_PAGE; level--) {
        uint64_t bytes = 1ull << (PAGE_SHIFT + 9 * level);
        if (at % bytes == 0 && end - at >= bytes && (at + bytes <= image || at >= image_stop)) {
            return level;
        }
    }
    return LEVEL_PAGE;
}

static bool direct_map(void) {
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        const struct boot_memory *memory = &boot->memory[i];
        if (memory->kind == BOOT_MEMORY_RESERVED) {
            continue;
        }
        uint64_t at = memory->base.value;
        uint64_t end = MIN_OF(at + memory->size_bytes, DIRECT_MAX);
        while (at < end) {
            uint32_t level = direct_level(at, end);
            if (!(level == LEVEL_PAGE ? direct_map_page(at) : direct_map_block(at, level))) {
                return false;
            }
            at += 1ull << (PAGE_SHIFT + 9 * level);
        }
    }
    return true;
}

// The device range and the image share an entry of the root. Before hal_mmu_init() the tables of
// the former hang in boot's table for it.
void aarch64_mmu_early(const struct boot_info *info) {
    boot = info;
    device_large[0] = aarch64_image_phys(device_pages) | PTE_VALID | PTE_TABLE;
    device_huge[0] = aarch64_image_phys(device_large) | PTE_VALID | PTE_TABLE;
    boot_image_1[0] = device_huge[0];
}

volatile uint8_t *aarch64_early_map(uint64_t address) {
    const uint64_t at = device_next;
    device_next += PAGE_SIZE;
    device_pages[table_index(at, LEVEL_PAGE)] =
        ALIGN_DOWN(address, (uint64_t)PAGE_SIZE) | entry_flags(DATA | HAL_MAP_UNCACHED);
    publish();
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    return (volatile uint8_t *)(uintptr_t)(at + (address & PAGE_MASK));
}

static bool kernel_half_make(void) {
    kernel_root = aarch64_table_page_alloc();
    if (kernel_root.value == 0) {
        return false;
    }
    uint64_t *root = hal_phys_to_virt(kernel_root);
    root[table_index(AARCH64_DEVICE_BASE, LEVEL_ROOT)] =
        aarch64_image_phys(device_huge) | PTE_VALID | PTE_TABLE;
    return direct_map() && image_map() &&
           map_page(AARCH64_RETURN, aarch64_image_phys(aarch64_signal_return),
                    TEXT | HAL_MAP_USER) &&
           kernel_entry(HAL_VMAP_BASE, LEVEL_HUGE) != NULL;
}

// One page, one to one.
struct paddr aarch64_start_root(void) {
    const uint64_t page = aarch64_image_phys(aarch64_start_page);
    for (uint32_t level = LEVEL_ROOT; level > LEVEL_PAGE; level--) {
        start_tables[level][table_index(page, level)] =
            aarch64_image_phys(start_tables[level - 1]) | PTE_VALID | PTE_TABLE;
    }
    start_tables[LEVEL_PAGE][table_index(page, LEVEL_PAGE)] = page | entry_flags(TEXT);
    dsb_stores();
    return paddr_make(aarch64_image_phys(start_tables[LEVEL_ROOT]));
}

// Makes it the lower half, which nobody uses right now.
static void lower_half_set(struct paddr root) {
    sysreg_write("ttbr0_el1", aarch64_empty_root().value);
    isb();
    hal_tlb_flush_kernel(); // what boot mapped there counts as global
    sysreg_write("ttbr0_el1", root.value);
    isb();
}

enum hx_status hal_mmu_init(const struct boot_info *info) {
    (void)info; // aarch64_mmu_early() has it
    if (!kernel_half_make()) {
        return HX_ERR_NO_MEMORY;
    }
    typedef void (*switch_t)(uint64_t ttbr1, uint64_t nothing, uint64_t sctlr);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): one to one, below
    switch_t exchange = (switch_t)(uintptr_t)aarch64_image_phys(aarch64_mmu_switch);
    lower_half_set(aarch64_start_root());
    exchange(kernel_root.value, aarch64_empty_root().value, sysreg_read("sctlr_el1") | SCTLR_WXN);
    hal_tlb_flush_kernel(); // WXN may be kept in translations
    lower_half_set(aarch64_empty_root());
    return HX_OK;
}

enum hx_status hal_kernel_map(uint64_t address, struct paddr page, uint32_t flags) {
    if (address < HAL_VMAP_BASE || address >= HAL_VMAP_END ||
        ((address | page.value) & PAGE_MASK) != 0 || flags_are_wx(flags) ||
        (flags & HAL_MAP_USER)) {
        return HX_ERR_INVALID;
    }
    if ((flags & HAL_MAP_EXECUTE) != 0) {
        aarch64_code_publish(hal_phys_to_virt(page), PAGE_SIZE);
    }
    unsigned long state = kernel_lock_take();
    bool ok = map_page(address, page.value, flags);
    publish();
    kernel_lock_drop(state);
    return ok ? HX_OK : HX_ERR_NO_MEMORY;
}

// Processors do not keep that there was nothing (D8.13.1), and each page was published by itself.
void hal_kernel_publish(uint64_t address, size_t size_bytes) {
    (void)address;
    (void)size_bytes;
}

uint64_t hal_kernel_announced(void) {
    return 0;
}

bool hal_kernel_unmap(uint64_t address, struct paddr *out_page) {
    if (address < HAL_VMAP_BASE || address >= HAL_VMAP_END) {
        return false;
    }
    unsigned long state = kernel_lock_take();
    uint64_t *entry = kernel_entry_find(address);
    bool mapped = entry != NULL && entry_is_used(*entry);
    if (mapped) {
        *out_page = paddr_make(*entry & PTE_ADDRESS);
        __atomic_store_n(entry, 0, __ATOMIC_RELEASE);
        dsb_stores();
    }
    kernel_lock_drop(state);
    return mapped;
}

void *aarch64_device_map(uint64_t address, size_t size_bytes, uint32_t flags) {
    uint64_t first = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    uint64_t size = ALIGN_UP(address + size_bytes, (uint64_t)PAGE_SIZE) - first;
    if (first + size < first || first + size > PTE_ADDRESS) {
        return NULL;
    }
    unsigned long state = kernel_lock_take();
    uint64_t base = device_next;
    bool ok = size <= AARCH64_RETURN - base;
    for (uint64_t offset = 0; ok && offset < size; offset += PAGE_SIZE) {
        ok = map_page(base + offset, first + offset, flags);
    }
    if (ok) {
        device_next = base + size;
    }
    publish();
    kernel_lock_drop(state);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    return ok ? (void *)(uintptr_t)(base + (address - first)) : NULL;
}

// Fresh zeroed pages with an unmapped one below; NULL: no memory.
void *aarch64_stack_map(size_t size_bytes) {
    unsigned long state = kernel_lock_take();
    uint64_t base = device_next + PAGE_SIZE;
    bool ok = true;
    for (uint64_t offset = 0; ok && offset < size_bytes; offset += PAGE_SIZE) {
        struct paddr page = aarch64_table_page_alloc();
        ok = page.value != 0 && map_page(base + offset, page.value, DATA);
    }
    device_next = base + size_bytes;
    publish();
    kernel_lock_drop(state);
    return ok ? (void *)(uintptr_t)base : NULL; // NOLINT(performance-no-int-to-ptr)
}

static uint64_t cache_line(uint64_t ctr, uint32_t shift) {
    return 4ull << (ctr >> shift & 15);
}

// To the point of coherency (B2.8, D7.5: DC CVAC); DSB SY: for observers of all domains.
void aarch64_cache_clean(const void *start, size_t size_bytes) {
    const uint64_t line = cache_line(sysreg_read("ctr_el0"), 16);
    const uint64_t end = (uint64_t)(uintptr_t)start + size_bytes;
    for (uint64_t at = ALIGN_DOWN((uint64_t)(uintptr_t)start, line); at < end; at += line) {
        __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    }
    __asm__ volatile("dsb sy" : : : "memory");
}

// Data caches to the point of unification, then instruction caches, for all processors; each one
// that runs the code needs an ISB or an exception's return afterwards (B2.4.4). Instruction caches
// may be indexed by virtual address, and the programs' addresses are not this one: all go.
// Where the processor says that one or both of it is not needed, it is left out (D17.2.34).
void aarch64_code_publish(const void *start, size_t size_bytes) {
    const uint64_t ctr = sysreg_read("ctr_el0");
    const uint64_t line = cache_line(ctr, 16);
    uint64_t at = ALIGN_DOWN((uint64_t)(uintptr_t)start, line);
    const uint64_t end = (uint64_t)(uintptr_t)start + size_bytes;
    for (; (ctr & CTR_IDC) == 0 && at < end; at += line) {
        __asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
    }
    dsb_all();
    if ((ctr & CTR_DIC) == 0) {
        __asm__ volatile("ic ialluis" : : : "memory");
        dsb_all();
    }
    isb();
}

// Through a second mapping of the page that exists for a moment, writable and not executable.
void aarch64_text_write(uint64_t address, uint32_t instruction) {
    uint64_t *window = &device_pages[table_index(TEXT_WINDOW, LEVEL_PAGE)];
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    const void *text = (const void *)(uintptr_t)ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    uint32_t *at = (uint32_t *)(uintptr_t)(TEXT_WINDOW + (address & PAGE_MASK)); // NOLINT
    unsigned long state = kernel_lock_take();
    __atomic_store_n(window, aarch64_image_phys(text) | entry_flags(DATA), __ATOMIC_RELEASE);
    publish();
    __atomic_store_n(at, instruction, __ATOMIC_RELAXED);
    aarch64_code_publish(at, sizeof(*at));
    __atomic_store_n(window, 0, __ATOMIC_RELEASE);
    dsb_stores();
    // Other processors may have read ahead through the window.
    __asm__ volatile("tlbi vaae1is, %0"
                     :
                     : "r"(TEXT_WINDOW >> PAGE_SHIFT & 0xfffffffffffull)
                     : "memory");
    dsb_all();
    kernel_lock_drop(state);
}
