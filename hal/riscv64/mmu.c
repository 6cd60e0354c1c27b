// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/mmu.c: the kernel half: direct map, image, core's and hal's own mappings.
//
// The upper half of every root is the same. Its entries are all made in hal_mmu_init(), so that the
// page tables share everything below them. The direct map never is executable, and read-only where
// it shows the image's text and constants; nothing is mapped as memory that the loader does not
// call memory, since the hart may read ahead there.
#include "pagetable.h"

#include <lib/string.h>

#define DIRECT_MAX (HAL_DIRECT_END - HAL_DIRECT_BASE + 1)

#define SATP_MODE_SHIFT 60u
#define SATP_SV39       8ull // each level more is a mode more
#define LEVEL_SV39      2u
#define LEVEL_SV48      3u
#define LEVEL_SV57      4u
#define USER_BITS_SV39  38u      // and nine more for each level
#define NO_SV48         "no4lvl" // Linux's words
#define NO_SV57         "no5lvl"
#define WANT_SV57       "mmu=sv57"

// Set by the linker script; the table by boot.
extern char image_start[];
extern char image_text_end[];
extern char image_rodata_end[];
extern char image_end[];
extern uint64_t boot_root[TABLE_ENTRIES];

extern char riscv64_signal_return[]; // a page of code for programs: start.S

typedef uint64_t table_t[TABLE_ENTRIES];

uint64_t riscv64_user_end = 1ull << USER_BITS_SV39;
uint32_t riscv64_root_level = LEVEL_SV39;

static struct hal_page_ops page_ops;
static struct paddr kernel_root;
static atomic_flag kernel_lock = ATOMIC_FLAG_INIT; // guards tables below the root, and the next two
static bool tables_made;                           // since the last publish()
static bool code_mapped;                           // the same
static _Atomic uint64_t announced;                 // what others were interrupted for
#define TEXT_WINDOW RISCV64_DEVICE_BASE            // one page, see riscv64_text_write()
static uint64_t device_next = RISCV64_DEVICE_BASE + PAGE_SIZE;
static const struct boot_info *boot;

// Tables that exist before there is memory for any: those of the device range.
static table_t device_large __attribute__((aligned(4096)));
static table_t device_pages __attribute__((aligned(4096)));
// Roots of Sv48 and Sv57 above boot's, to see whether the hart has these.
static table_t trial_roots[LEVEL_SV57 - LEVEL_SV39] __attribute__((aligned(4096)));

void hal_page_ops_set(const struct hal_page_ops *ops) {
    page_ops = *ops;
}

struct paddr riscv64_table_page_alloc(void) {
    return page_ops.alloc();
}

void riscv64_table_page_free(struct paddr page) {
    page_ops.free(page);
}

struct paddr riscv64_kernel_root(void) {
    return kernel_root;
}

uint64_t riscv64_image_phys(const void *address) {
    return (uint64_t)(uintptr_t)address - RISCV64_IMAGE_BASE + boot->kernel_start.value;
}

static uint64_t satp_of(struct paddr root, uint32_t level) {
    return (SATP_SV39 + level - LEVEL_SV39) << SATP_MODE_SHIFT | root.value >> PAGE_SHIFT;
}

uint64_t riscv64_satp(struct paddr root) {
    return satp_of(root, riscv64_root_level);
}

void riscv64_kernel_half_copy(uint64_t *root) {
    const uint64_t *from = hal_phys_to_virt(kernel_root);
    memcpy(root + ROOT_USER_ENTRIES, from + ROOT_USER_ENTRIES,
           (TABLE_ENTRIES - ROOT_USER_ENTRIES) * sizeof(*root));
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

static uint64_t table_entry(const void *table_in_image) {
    return entry_make_for(paddr_make(riscv64_image_phys(table_in_image))) | PTE_VALID;
}

// The entry of `level` for a kernel address, tables made as needed; NULL: no memory.
static uint64_t *kernel_entry(uint64_t address, uint32_t level) {
    uint64_t *entries = hal_phys_to_virt(kernel_root);
    for (uint32_t at = riscv64_root_level; at > level; at--) {
        uint64_t *entry = &entries[table_index(address, at)];
        if (*entry == 0) {
            struct paddr page = riscv64_table_page_alloc();
            if (page.value == 0) {
                return NULL;
            }
            __atomic_store_n(entry, entry_make_for(page) | PTE_VALID, __ATOMIC_RELEASE);
            tables_made = true;
        }
        entries = table_of(*entry);
    }
    return &entries[table_index(address, level)];
}

// The last-level entry of an existing mapping; NULL if there is none.
static uint64_t *kernel_entry_find(uint64_t address) {
    uint64_t *entries = hal_phys_to_virt(kernel_root);
    for (uint32_t at = riscv64_root_level; at > LEVEL_PAGE; at--) {
        uint64_t entry = entries[table_index(address, at)];
        if (entry == 0 || entry_is_block(entry)) {
            return NULL;
        }
        entries = table_of(entry);
    }
    return &entries[table_index(address, LEVEL_PAGE)];
}

static bool map_piece(uint64_t address, uint64_t page, uint32_t level, uint32_t flags) {
    uint64_t *entry = kernel_entry(address, level);
    if (entry == NULL) {
        return false;
    }
    __atomic_store_n(entry, entry_make_for(paddr_make(page)) | entry_flags(flags),
                     __ATOMIC_RELEASE);
    return true;
}

static void announce(uint64_t others, uint64_t function, uint64_t address, uint64_t size_bytes) {
    atomic_fetch_add_explicit(&announced, 1, memory_order_relaxed);
    sbi_call_harts(others, SBI_FENCE, function, address, size_bytes);
}

// What was mapped is found by this hart's walks, and by those of the others, which would keep for
// as long as they like that there was nothing (privileged ISA, 4.2.1; Svvptc, which ends that, only
// says "a bounded time"). Programs may fault and try again then (trap.c); the kernel may not: what
// is new may be the stack on which the fault would be taken. A fence for addresses is one for the
// entries of their pages alone; what leads to a new table is ordered by one for all addresses
// (4.2.1, on rs1; SBI 1.0, chapter 8: the size of all of them is 2^64 - 1). Code is fetched anew by
// a FENCE.I behind the mapping, since a hart may have read ahead through it (code.c).
static void publish(uint64_t address, uint64_t size_bytes) {
    const bool all = tables_made;
    const bool code = code_mapped;
    tables_made = code_mapped = false;
    sfence_all();
    if (code) {
        fence_i();
    }
    const uint64_t others = smp_others();
    if (others != 0) {
        announce(others, SBI_FENCE_VMA, all ? 0 : address, all ? UINT64_MAX : size_bytes);
        if (code) {
            announce(others, SBI_FENCE_I, 0, 0);
        }
    }
}

#define DATA (HAL_MAP_READ | HAL_MAP_WRITE)
#define TEXT (HAL_MAP_READ | HAL_MAP_EXECUTE)

static bool image_map(void) {
    for (const char *at = image_start; at < image_end; at += PAGE_SIZE) {
        uint32_t flags = at < image_text_end ? TEXT : at < image_rodata_end ? HAL_MAP_READ : DATA;
        if (!map_piece((uint64_t)(uintptr_t)at, riscv64_image_phys(at), LEVEL_PAGE, flags)) {
            return false;
        }
    }
    return true;
}

// The largest piece that begins at `at`, ends at `end` at the latest, and is all data.
static uint32_t direct_level(uint64_t at, uint64_t end) {
    const uint64_t image = riscv64_image_phys(image_start);
    const uint64_t image_stop = riscv64_image_phys(image_rodata_end);
    for (uint32_t level = LEVEL_HUGE; level > LEVEL_PAGE; level--) {
        uint64_t bytes = 1ull << (PAGE_SHIFT + 9 * level);
        if (at % bytes == 0 && end - at >= bytes && (at + bytes <= image || at >= image_stop)) {
            return level;
        }
    }
    return LEVEL_PAGE;
}

static bool direct_map(void) {
    const uint64_t image = riscv64_image_phys(image_start);
    const uint64_t image_stop = riscv64_image_phys(image_rodata_end);
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        const struct boot_memory *memory = &boot->memory[i];
        if (memory->kind == BOOT_MEMORY_RESERVED) {
            continue;
        }
        uint64_t at = memory->base.value;
        uint64_t end = MIN_OF(at + memory->size_bytes, DIRECT_MAX);
        while (at < end) {
            const uint32_t level = direct_level(at, end);
            const bool constant = at >= image && at < image_stop;
            if (!map_piece(HAL_DIRECT_BASE + at, at, level, constant ? HAL_MAP_READ : DATA)) {
                return false;
            }
            at += 1ull << (PAGE_SHIFT + 9 * level);
        }
    }
    return true;
}

// Before hal_mmu_init() the tables of the device range hang in boot's root.
void riscv64_mmu_early(const struct boot_info *info) {
    boot = info;
    device_large[0] = table_entry(device_pages);
    boot_root[table_index(RISCV64_DEVICE_BASE, LEVEL_HUGE)] = table_entry(device_large);
}

volatile uint8_t *riscv64_early_map(uint64_t address) {
    const uint64_t at = device_next;
    device_next += PAGE_SIZE;
    device_pages[table_index(at, LEVEL_PAGE)] =
        entry_make_for(paddr_make(ALIGN_DOWN(address, (uint64_t)PAGE_SIZE))) |
        entry_flags(DATA | HAL_MAP_UNCACHED);
    sfence_all();
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    return (volatile uint8_t *)(uintptr_t)(at + (address & PAGE_MASK));
}

static bool has_word(const char *text, const char *word) {
    const size_t length = strlen(word);
    while (*text != '\0') {
        const char *end = strchr(text, ' ');
        const size_t here = end != NULL ? (size_t)(end - text) : strlen(text);
        if (here == length && memcmp(text, word, length) == 0) {
            return true;
        }
        text += here + (end != NULL ? 1 : 0);
    }
    return false;
}

// Who has Sv57 has Sv48, which is as good for all but programs that want more than 128 TiB, and a
// step shorter on each walk: so Sv57 has to be asked for.
static uint32_t level_wanted(const char *words) {
    if (has_word(words, NO_SV48)) {
        return LEVEL_SV39;
    }
    return has_word(words, WANT_SV57) && !has_word(words, NO_SV57) ? LEVEL_SV57 : LEVEL_SV48;
}

// A mode that the machine does not have leaves satp as it was (4.1.11). Its lower half is empty,
// and its upper half leads to what boot mapped.
static bool mode_try(uint32_t level) {
    const uint64_t *root = trial_roots[level - LEVEL_SV48];
    const uint64_t satp = satp_of(paddr_make(riscv64_image_phys(root)), level);
    csr_write("satp", satp);
    sfence_all();
    return csr_read("satp") == satp;
}

static void mode_choose(void) {
    uint32_t level = level_wanted(boot->command_line);
    trial_roots[0][TABLE_ENTRIES - 1] = table_entry(boot_root);
    trial_roots[1][TABLE_ENTRIES - 1] = table_entry(trial_roots[0]);
    sfence_all();
    while (level > LEVEL_SV39 && !mode_try(level)) {
        level--;
    }
    riscv64_root_level = level;
    riscv64_user_end = 1ull << (USER_BITS_SV39 + 9 * (level - LEVEL_SV39));
}

// The tables of core's range are made at once, as those of Sv39 hang in each root.
static bool vmap_make(void) {
    for (uint64_t at = HAL_VMAP_BASE; at < HAL_VMAP_END; at += HUGE_BYTES) {
        if (kernel_entry(at, LEVEL_LARGE) == NULL) {
            return false;
        }
    }
    return true;
}

static bool kernel_half_make(void) {
    kernel_root = riscv64_table_page_alloc();
    if (kernel_root.value == 0) {
        return false;
    }
    uint64_t *devices = kernel_entry(RISCV64_DEVICE_BASE, LEVEL_HUGE);
    if (devices == NULL) {
        return false;
    }
    *devices = table_entry(device_large);
    return direct_map() && image_map() && vmap_make() &&
           map_piece(RISCV64_RETURN, riscv64_image_phys(riscv64_signal_return), LEVEL_PAGE,
                     TEXT | HAL_MAP_USER);
}

enum hx_status hal_mmu_init(const struct boot_info *info) {
    (void)info; // riscv64_mmu_early() has it
    mode_choose();
    if (!kernel_half_make()) {
        return HX_ERR_NO_MEMORY;
    }
    sfence_all();
    csr_write("satp", riscv64_satp(kernel_root));
    sfence_all(); // what boot mapped counts as global
    atomic_store_explicit(&cpu_block()->root, kernel_root.value, memory_order_relaxed);
    return HX_OK;
}

enum hx_status hal_kernel_map(uint64_t address, struct paddr page, uint32_t flags) {
    if (address < HAL_VMAP_BASE || address >= HAL_VMAP_END ||
        ((address | page.value) & PAGE_MASK) != 0 || flags_are_wx(flags) ||
        (flags & HAL_MAP_USER)) {
        return HX_ERR_INVALID;
    }
    unsigned long state = kernel_lock_take();
    bool ok = map_piece(address, page.value, LEVEL_PAGE, flags);
    code_mapped = code_mapped || (flags & HAL_MAP_EXECUTE) != 0;
    kernel_lock_drop(state);
    return ok ? HX_OK : HX_ERR_NO_MEMORY;
}

// Who maps beside us may have made a table, or mapped code: our fences tell of that, too, and its
// own of what it maps afterwards.
void hal_kernel_publish(uint64_t address, size_t size_bytes) {
    unsigned long state = kernel_lock_take();
    publish(address, size_bytes);
    kernel_lock_drop(state);
}

uint64_t hal_kernel_announced(void) {
    return atomic_load_explicit(&announced, memory_order_relaxed);
}

bool hal_kernel_unmap(uint64_t address, struct paddr *out_page) {
    if (address < HAL_VMAP_BASE || address >= HAL_VMAP_END) {
        return false;
    }
    unsigned long state = kernel_lock_take();
    uint64_t *entry = kernel_entry_find(address);
    bool mapped = entry != NULL && entry_is_block(*entry);
    if (mapped) {
        *out_page = entry_page(*entry);
        __atomic_store_n(entry, 0, __ATOMIC_RELEASE);
    }
    kernel_lock_drop(state);
    return mapped;
}

void *riscv64_device_map(uint64_t address, size_t size_bytes, uint32_t flags) {
    uint64_t first = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    uint64_t size = ALIGN_UP(address + size_bytes, (uint64_t)PAGE_SIZE) - first;
    if (first + size < first || first + size > ADDRESS_END) {
        return NULL;
    }
    unsigned long state = kernel_lock_take();
    uint64_t base = device_next;
    bool ok = size <= RISCV64_RETURN - base;
    for (uint64_t offset = 0; ok && offset < size; offset += PAGE_SIZE) {
        ok = map_piece(base + offset, first + offset, LEVEL_PAGE, flags);
    }
    if (ok) {
        device_next = base + size;
        publish(base, size);
    }
    kernel_lock_drop(state);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    return ok ? (void *)(uintptr_t)(base + (address - first)) : NULL;
}

// Fresh zeroed pages with an unmapped one below; NULL: no memory.
void *riscv64_stack_map(size_t size_bytes) {
    unsigned long state = kernel_lock_take();
    uint64_t base = device_next + PAGE_SIZE;
    const bool fits = base < RISCV64_RETURN && size_bytes <= RISCV64_RETURN - base;
    bool ok = fits;
    for (uint64_t offset = 0; ok && offset < size_bytes; offset += PAGE_SIZE) {
        struct paddr page = riscv64_table_page_alloc();
        ok = page.value != 0 && map_piece(base + offset, page.value, LEVEL_PAGE, DATA);
    }
    if (fits) {
        device_next = base + size_bytes;
        publish(base, size_bytes);
    }
    kernel_lock_drop(state);
    return ok ? (void *)(uintptr_t)base : NULL; // NOLINT(performance-no-int-to-ptr)
}

// Through a second mapping of the page that exists for a moment, writable and not executable.
void riscv64_text_write(uint64_t address, uint32_t instruction) {
    uint64_t *window = &device_pages[table_index(TEXT_WINDOW, LEVEL_PAGE)];
    // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
    const void *text = (const void *)(uintptr_t)ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    uint32_t *at = (uint32_t *)(uintptr_t)(TEXT_WINDOW + (address & PAGE_MASK)); // NOLINT
    unsigned long state = kernel_lock_take();
    __atomic_store_n(window,
                     entry_make_for(paddr_make(riscv64_image_phys(text))) | entry_flags(DATA),
                     __ATOMIC_RELEASE);
    sfence_page(TEXT_WINDOW);
    __atomic_store_n(at, instruction, __ATOMIC_RELEASE);
    __atomic_store_n(window, 0, __ATOMIC_RELEASE);
    publish(TEXT_WINDOW, PAGE_SIZE); // other harts may have read ahead through the window
    kernel_lock_drop(state);
}
