// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/usercopy.c: user memory, reached by the direct map.
//
// The kernel never touches a user address: sstatus.SUM is never set. The active page table is
// looked up here, as the hart would, and the page's own address is used, with interrupts off in
// between. That is a translation like one that the hart keeps: whoever takes a page away changes
// the entry first, then interrupts all processors on which the table is active, and waits for them
// (<core/aspace.h>), so the page is not somebody else's before interrupts are on again. The tables
// themselves stay until the table is active nowhere.
#include <hal/usercopy.h>

#include "pagetable.h"

#include <lib/string.h>

static const uint64_t *root_active(void) {
    const uint64_t root = atomic_load_explicit(&cpu_block()->root, memory_order_relaxed);
    return hal_phys_to_virt(paddr_make(root));
}

// Where the kernel reaches the user byte at `address`; NULL: a program's access would fault.
// Interrupts off.
static void *reach(uint64_t address, bool is_write) {
    struct paddr at;
    return address < HAL_USER_END && walk_reach(root_active(), riscv64_root_level, HAL_DIRECT_BASE,
                                                address, is_write, &at)
               ? hal_phys_to_virt(at)
               : NULL;
}

static bool is_device(uint64_t address) {
    uint32_t level;
    const unsigned long state = hal_irq_save();
    const uint64_t entry =
        walk_find(root_active(), riscv64_root_level, HAL_DIRECT_BASE, address, &level);
    hal_irq_restore(state);
    return (entry & PTE_DEVICE) != 0;
}

// Asks for the page at `address`. False: there is none, or none that is ever reached.
static bool resolve(uint64_t address, bool is_write) {
    const struct hal_fault fault = {
        .kind = HAL_FAULT_PAGE,
        .access = is_write ? HAL_ACCESS_WRITE : HAL_ACCESS_READ,
        .address = address,
    };
    return address < HAL_USER_END && !is_device(address) && riscv64_handlers.copy_fault(&fault);
}

static size_t piece_at(uint64_t address, size_t size_bytes) {
    return MIN_OF(size_bytes, PAGE_SIZE - (address & PAGE_MASK));
}

// Nearly every copy is of a page that is there. What does that alone keeps few registers; the rest
// is apart from it.
#define APART __attribute__((noinline))

// Copies what lies in one page. False: it is not there.
static inline bool read_piece(void *to, uint64_t at, size_t size_bytes) {
    const unsigned long state = hal_irq_save();
    const void *source = reach(at, false);
    if (source != NULL) {
        memcpy(to, source, size_bytes);
    }
    hal_irq_restore(state);
    return source != NULL;
}

static APART size_t read_pieces(uint8_t *to, uint64_t at, size_t size_bytes) {
    while (size_bytes > 0) {
        const size_t piece = piece_at(at, size_bytes);
        if (read_piece(to, at, piece)) {
            to += piece;
            at += piece;
            size_bytes -= piece;
        } else if (!resolve(at, false)) {
            break;
        }
    }
    return size_bytes;
}

size_t hal_copy_from_user(void *to, struct uaddr from, size_t size_bytes) {
    if (piece_at(from.value, size_bytes) == size_bytes && read_piece(to, from.value, size_bytes)) {
        return 0;
    }
    return read_pieces(to, from.value, size_bytes);
}

// Copies what lies in one page, or writes zeros if `from` is NULL. False: it is not there.
static inline bool write_piece(uint64_t at, const uint8_t *from, size_t size_bytes) {
    const unsigned long state = hal_irq_save();
    void *target = reach(at, true);
    if (target != NULL && from != NULL) {
        memcpy(target, from, size_bytes);
    } else if (target != NULL) {
        memset(target, 0, size_bytes);
    }
    hal_irq_restore(state);
    return target != NULL;
}

static APART size_t write_pieces(uint64_t at, const uint8_t *from, size_t size_bytes) {
    while (size_bytes > 0) {
        const size_t piece = piece_at(at, size_bytes);
        if (write_piece(at, from, piece)) {
            from += from != NULL ? piece : 0;
            at += piece;
            size_bytes -= piece;
        } else if (!resolve(at, true)) {
            break;
        }
    }
    return size_bytes;
}

static inline __attribute__((always_inline)) size_t write_user(uint64_t at, const uint8_t *from,
                                                               size_t size_bytes) {
    if (piece_at(at, size_bytes) == size_bytes && write_piece(at, from, size_bytes)) {
        return 0;
    }
    return write_pieces(at, from, size_bytes);
}

size_t hal_copy_to_user(struct uaddr to, const void *from, size_t size_bytes) {
    return write_user(to.value, from, size_bytes);
}

size_t hal_clear_user(struct uaddr to, size_t size_bytes) {
    return write_user(to.value, NULL, size_bytes);
}

bool hal_copy_string_from_user(char *to, struct uaddr from, size_t capacity, size_t *out_length) {
    size_t done = 0;
    while (done < capacity) {
        const uint64_t at = from.value + done;
        const size_t piece = piece_at(at, capacity - done);
        const char *end = NULL;
        const unsigned long state = hal_irq_save();
        const void *source = reach(at, false);
        if (source != NULL) {
            memcpy(to + done, source, piece);
        }
        hal_irq_restore(state);
        if (source == NULL) {
            if (!resolve(at, false)) {
                return false;
            }
            continue;
        }
        end = memchr(to + done, 0, piece);
        if (end != NULL) {
            *out_length = (size_t)(end - to);
            return true;
        }
        done += piece;
    }
    *out_length = done;
    return true;
}

bool hal_user_load32(struct uaddr from, uint32_t *out_value) {
    for (;;) {
        const unsigned long state = hal_irq_save();
        const uint32_t *word = reach(from.value, false);
        const uint32_t value = word != NULL ? __atomic_load_n(word, __ATOMIC_RELAXED) : 0;
        hal_irq_restore(state);
        if (word != NULL) {
            *out_value = value;
            return true;
        }
        if (!resolve(from.value, false)) {
            return false;
        }
    }
}

bool hal_user_cas32(struct uaddr at, uint32_t expected, uint32_t desired, uint32_t *out_found) {
    for (;;) {
        uint32_t found = expected;
        const unsigned long state = hal_irq_save();
        uint32_t *word = reach(at.value, true);
        if (word != NULL) {
            (void)__atomic_compare_exchange_n(word, &found, desired, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_SEQ_CST);
        }
        hal_irq_restore(state);
        if (word != NULL) {
            *out_found = found;
            return true;
        }
        if (!resolve(at.value, true)) {
            return false;
        }
    }
}
