// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/mmu.c: the kernel half: direct map, image, core's and hal's own mappings.
//
// Its entries in the root are all made in hal_mmu_init() and never change, so that every page table
// shares everything below them. The direct map never is executable, and read-only where it shows
// the image's text and constants.
#include "pagetable.h"

#include <lib/string.h>

#define ROOT_KERNEL_MAX 132u // 128 of the direct map and the others
#define DIRECT_MAX      (HAL_DIRECT_END - HAL_DIRECT_BASE + 1)

// Set by the linker script.
extern char image_start[];
extern char image_text_end[];
extern char image_rodata_end[];
extern char image_end[];

static struct hal_page_ops page_ops;
static struct hal_pagetable kernel_table;
static uint16_t root_used[ROOT_KERNEL_MAX]; // indices in use, in the order of their making
static uint32_t root_used_count;
static atomic_flag kernel_lock = ATOMIC_FLAG_INIT; // guards tables below the root, device_next
#define TEXT_WINDOW X86_DEVICE_BASE                // one page, see x86_text_write()
static uint64_t device_next = X86_DEVICE_BASE + PAGE_SIZE;

// For the start of other processors: a root with the low page in it, below 4 GiB as CR3 is loaded
// in 32-bit mode.
static uint64_t trampoline_tables[4][TABLE_ENTRIES] __attribute__((aligned(4096)));

static uint64_t *text_window; // its entry; guarded by kernel_lock

static const struct boot_info *boot;

void hal_page_ops_set(const struct hal_page_ops *ops) {
    page_ops = *ops;
}

struct paddr x86_table_page_alloc(void) {
    return page_ops.alloc();
}

void x86_table_page_free(struct paddr page) {
    page_ops.free(page);
}

struct paddr x86_kernel_root(void) {
    return kernel_table.root;
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

static uint64_t image_phys(const char *address) {
    return (uint64_t)(uintptr_t)address - X86_IMAGE_BASE;
}

// Before the final tables are active, table pages are reached through the boot tables' direct map
// of the first 4 GiB, afterwards through the final one: the same addresses.
void x86_kernel_half_copy(uint64_t *root) {
    const uint64_t *from = hal_phys_to_virt(kernel_table.root);
    for (uint32_t i = 0; i < root_used_count; i++) {
        root[root_used[i]] = from[root_used[i]];
    }
}

// The entry of `level` for a kernel address, tables made as needed; NULL: no memory.
static uint64_t *kernel_entry(uint64_t address, uint32_t level) {
    uint64_t *entries = hal_phys_to_virt(kernel_table.root);
    for (uint32_t at = LEVEL_ROOT; at > level; at--) {
        uint64_t *entry = &entries[table_index(address, at)];
        if (*entry == 0) {
            struct paddr page = x86_table_page_alloc();
            if (page.value == 0) {
                return NULL;
            }
            *entry = page.value | PTE_PRESENT | PTE_WRITE;
            if (at == LEVEL_ROOT) {
                root_used[root_used_count++] = (uint16_t)table_index(address, at);
            }
        }
        entries = table_of(*entry);
    }
    return &entries[table_index(address, level)];
}

// The last-level entry of an existing mapping; NULL if there is none.
static uint64_t *kernel_entry_find(uint64_t address) {
    uint64_t *entries = hal_phys_to_virt(kernel_table.root);
    for (uint32_t at = LEVEL_ROOT; at > LEVEL_PAGE; at--) {
        uint64_t entry = entries[table_index(address, at)];
        if (!(entry & PTE_PRESENT) || (entry & PTE_LARGE)) {
            return NULL;
        }
        entries = table_of(entry);
    }
    return &entries[table_index(address, LEVEL_PAGE)];
}

static bool map_page(uint64_t address, uint64_t page, uint64_t entry_bits) {
    uint64_t *entry = kernel_entry(address, LEVEL_PAGE);
    if (entry == NULL) {
        return false;
    }
    *entry = page | entry_bits | PTE_GLOBAL;
    return true;
}

#define BITS_DATA (PTE_PRESENT | PTE_WRITE | PTE_NX | PTE_ACCESSED | PTE_DIRTY)
#define BITS_READ (PTE_PRESENT | PTE_NX | PTE_ACCESSED)
#define BITS_TEXT (PTE_PRESENT | PTE_ACCESSED)

static bool image_map(void) {
    for (uint64_t page = image_phys(image_start); page < image_phys(image_end); page += PAGE_SIZE) {
        uint64_t bits = page < image_phys(image_text_end)     ? BITS_TEXT
                        : page < image_phys(image_rodata_end) ? BITS_READ
                                                              : BITS_DATA;
        if (!map_page(X86_IMAGE_BASE + page, page, bits)) {
            return false;
        }
    }
    return true;
}

// One 2 MiB piece of the direct map that shows the image: page by page.
static bool direct_map_image(uint64_t base) {
    for (uint64_t page = base; page < base + LARGE_BYTES; page += PAGE_SIZE) {
        bool constant = page >= image_phys(image_start) && page < image_phys(image_rodata_end);
        if (!map_page(HAL_DIRECT_BASE + page, page, constant ? BITS_READ : BITS_DATA)) {
            return false;
        }
    }
    return true;
}

static bool direct_map_piece(uint64_t base, uint32_t level) {
    uint64_t *entry = kernel_entry(HAL_DIRECT_BASE + base, level);
    if (entry == NULL) {
        return false;
    }
    *entry = base | BITS_DATA | PTE_LARGE | PTE_GLOBAL;
    return true;
}

// Whole pieces of 2 MiB, also where memory begins or ends inside one: what else lies there has its
// memory type from the MTRRs, which win over the page tables (SDM 3A 12.5.2).
static bool direct_map(void) {
    uint64_t next = 0; // below it everything is done
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        const struct boot_memory *memory = &boot->memory[i];
        if (memory->kind == BOOT_MEMORY_RESERVED) {
            continue;
        }
        uint64_t end = ALIGN_UP(memory->base.value + memory->size_bytes, LARGE_BYTES);
        end = MIN_OF(end, DIRECT_MAX);
        uint64_t at = MAX_OF(next, ALIGN_DOWN(memory->base.value, LARGE_BYTES));
        while (at < end) {
            bool image =
                at < image_phys(image_rodata_end) && at + LARGE_BYTES > image_phys(image_start);
            bool huge = x86_features.pages_1g && at % HUGE_BYTES == 0 && end - at >= HUGE_BYTES &&
                        at > image_phys(image_end);
            if (!(image  ? direct_map_image(at)
                  : huge ? direct_map_piece(at, LEVEL_HUGE)
                         : direct_map_piece(at, LEVEL_LARGE))) {
                return false;
            }
            at += huge ? HUGE_BYTES : LARGE_BYTES;
        }
        next = MAX_OF(next, at);
    }
    return true;
}

enum hx_status hal_mmu_init(const struct boot_info *info) {
    boot = info;
    kernel_table.root = x86_table_page_alloc();
    if (kernel_table.root.value == 0 || !direct_map() || !image_map() ||
        kernel_entry(HAL_VMAP_BASE, LEVEL_HUGE) == NULL ||
        kernel_entry(X86_DEVICE_BASE, LEVEL_HUGE) == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    text_window = kernel_entry(TEXT_WINDOW, LEVEL_PAGE);
    if (text_window == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    cr3_write(kernel_table.root.value);
    hal_tlb_flush_kernel();
    return HX_OK;
}

bool x86_direct_covers(uint64_t address, size_t size_bytes) {
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        const struct boot_memory *memory = &boot->memory[i];
        if (memory->kind != BOOT_MEMORY_RESERVED && address >= memory->base.value &&
            address - memory->base.value < memory->size_bytes) {
            return size_bytes <= memory->size_bytes - (address - memory->base.value);
        }
    }
    return false;
}

enum hx_status hal_kernel_map(uint64_t address, struct paddr page, uint32_t flags) {
    if (address < HAL_VMAP_BASE || address >= HAL_VMAP_END ||
        ((address | page.value) & PAGE_MASK) != 0 || flags_are_wx(flags) ||
        (flags & HAL_MAP_USER)) {
        return HX_ERR_INVALID;
    }
    unsigned long state = kernel_lock_take();
    bool ok = map_page(address, page.value, entry_flags(flags));
    kernel_lock_drop(state);
    return ok ? HX_OK : HX_ERR_NO_MEMORY;
}

// Processors do not keep that there was nothing (SDM 3A 4.10.2.3).
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
        *entry = 0;
    }
    kernel_lock_drop(state);
    return mapped;
}

void *x86_device_map(uint64_t address, size_t size_bytes, uint32_t flags) {
    uint64_t first = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    uint64_t size = ALIGN_UP(address + size_bytes, (uint64_t)PAGE_SIZE) - first;
    if (first + size < first || first + size > 1ull << x86_features.phys_bits) {
        return NULL;
    }
    unsigned long state = kernel_lock_take();
    uint64_t base = device_next;
    bool ok = size <= X86_IMAGE_BASE - base;
    for (uint64_t offset = 0; ok && offset < size; offset += PAGE_SIZE) {
        ok = map_page(base + offset, first + offset, entry_flags(flags));
    }
    if (ok) {
        device_next = base + size;
    }
    kernel_lock_drop(state);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    return ok ? (void *)(uintptr_t)(base + (address - first)) : NULL;
}

void x86_device_unmap(const void *mapped, size_t size_bytes) {
    uint64_t first = ALIGN_DOWN((uint64_t)(uintptr_t)mapped, (uint64_t)PAGE_SIZE);
    uint64_t end = ALIGN_UP((uint64_t)(uintptr_t)mapped + size_bytes, (uint64_t)PAGE_SIZE);
    unsigned long state = kernel_lock_take();
    for (uint64_t address = first; address < end; address += PAGE_SIZE) {
        uint64_t *entry = kernel_entry_find(address);
        if (entry != NULL) {
            *entry = 0;
        }
        hal_tlb_flush_page(address);
    }
    if (end == device_next) {
        device_next = first;
    }
    kernel_lock_drop(state);
}

void *x86_stack_map(size_t size_bytes) {
    unsigned long state = kernel_lock_take();
    uint64_t base = device_next + PAGE_SIZE; // one page below stays unmapped
    bool ok = true;
    for (uint64_t offset = 0; ok && offset < size_bytes; offset += PAGE_SIZE) {
        struct paddr page = x86_table_page_alloc();
        ok = page.value != 0 && map_page(base + offset, page.value, BITS_DATA);
    }
    device_next = base + size_bytes;
    kernel_lock_drop(state);
    return ok ? (void *)(uintptr_t)base : NULL; // NOLINT(performance-no-int-to-ptr)
}

// Through a second mapping of the page that exists for a moment, writable and not executable. It is
// flushed before, too: this processor may have translated the window's last use on its own.
void x86_text_write(uint64_t address, uint8_t byte) {
    const uint64_t page = ALIGN_DOWN(address - X86_IMAGE_BASE, (uint64_t)PAGE_SIZE);
    const uint64_t at = TEXT_WINDOW + (address & PAGE_MASK);
    unsigned long state = kernel_lock_take();
    *text_window = page | BITS_DATA;
    hal_tlb_flush_page(TEXT_WINDOW);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    *(volatile uint8_t *)(uintptr_t)at = byte;
    *text_window = 0;
    hal_tlb_flush_page(TEXT_WINDOW);
    kernel_lock_drop(state);
}

static uint64_t trampoline_phys(uint32_t table) {
    return image_phys((const char *)trampoline_tables[table]);
}

struct paddr trampoline_root_open(void) {
    x86_kernel_half_copy(trampoline_tables[0]);
    trampoline_tables[0][0] = trampoline_phys(1) | PTE_PRESENT | PTE_WRITE;
    trampoline_tables[1][0] = trampoline_phys(2) | PTE_PRESENT | PTE_WRITE;
    trampoline_tables[2][0] = trampoline_phys(3) | PTE_PRESENT | PTE_WRITE;
    trampoline_tables[3][table_index(X86_TRAMPOLINE, LEVEL_PAGE)] = X86_TRAMPOLINE | PTE_PRESENT;
    return paddr_make(trampoline_phys(0));
}

void trampoline_root_close(void) {
    memset(trampoline_tables, 0, sizeof(trampoline_tables));
}
