// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/usercopy.c: user memory, through this processor's translations.
//
// A translation stays until the kernel says that it must go (hal_tlb_flush_…, another page table):
// a forgotten shoot-down is then a write to somebody else's frame, as on a real machine. Nothing
// here is interrupted between a translation and the use of it.
#include <hal/usercopy.h>

#include "pagetable.h"
#include "user.h"

#include <lib/string.h>

// ---- translations ------------------------------------------------------------------------------

static struct tlb_entry *tlb_slot(struct processor *processor, uint64_t address) {
    return &processor->tlb[(address >> PAGE_SHIFT) % TLB_ENTRIES];
}

void hal_tlb_flush_page(uint64_t address) {
    tlb_slot(this_processor(), address)->page = 0;
}

void hal_tlb_flush_user(void) {
    memset(this_processor()->tlb, 0, sizeof(this_processor()->tlb));
}

void hal_tlb_flush_kernel(void) {
    hal_tlb_flush_user(); // "all, global ones included"
}

void hal_pagetable_activate(const struct hal_pagetable *table) {
    this_processor()->table = table;
    hal_tlb_flush_user();
}

// Fills in what a real page fault would say.
static void fault_make(struct hal_fault *fault, uint64_t address, uint32_t access) {
    *fault = (struct hal_fault){
        .kind = HAL_FAULT_PAGE,
        .access = access,
        .address = address,
        .code = access,
    };
}

uint8_t *user_translate(uint64_t address, uint32_t access, struct hal_fault *out_fault) {
    struct processor *processor = this_processor();
    struct tlb_entry *entry = tlb_slot(processor, address);
    uint64_t page = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    bool write = (access & HAL_ACCESS_WRITE) != 0;
    if (entry->page == (page | 1) && (entry->write || !write) && !(access & HAL_ACCESS_EXECUTE)) {
        return entry->frame + (address - page);
    }
    struct paddr frame;
    if (processor->table == NULL || address >= HAL_USER_END ||
        !pagetable_walk(processor->table, page, access, &frame)) {
        fault_make(out_fault, address, access);
        return NULL;
    }
    *entry = (struct tlb_entry){ page | 1, hal_phys_to_virt(frame), write };
    return entry->frame + (address - page);
}

// ---- copies of the kernel ----------------------------------------------------------------------

// The same, asking the kernel for the page. Interrupts are on, so threads may switch in between.
static uint8_t *kernel_translate(uint64_t address, uint32_t access) {
    struct hal_fault fault;
    uint8_t *at;
    if (hal_irq_is_on()) {
        hal_irq_on(); // a long copy takes interrupts
    }
    while ((at = user_translate(address, access, &fault)) == NULL) {
        if (address >= HAL_USER_END || !hal_irq_is_on() || !hosted_handlers.copy_fault(&fault)) {
            return NULL;
        }
    }
    return at;
}

size_t hal_copy_from_user(void *to, struct uaddr from, size_t size_bytes) {
    uint8_t *out = to;
    uint64_t at = from.value;
    while (size_bytes > 0) {
        size_t length = user_piece(at, size_bytes);
        const uint8_t *user = kernel_translate(at, HAL_ACCESS_READ);
        if (user == NULL) {
            break;
        }
        user_bytes_get(out, user, length);
        out += length;
        at += length;
        size_bytes -= length;
    }
    return size_bytes;
}

size_t hal_copy_to_user(struct uaddr to, const void *from, size_t size_bytes) {
    const uint8_t *in = from;
    uint64_t at = to.value;
    while (size_bytes > 0) {
        size_t length = user_piece(at, size_bytes);
        uint8_t *user = kernel_translate(at, HAL_ACCESS_WRITE);
        if (user == NULL) {
            break;
        }
        user_bytes_set(user, in, length);
        in += length;
        at += length;
        size_bytes -= length;
    }
    return size_bytes;
}

size_t hal_clear_user(struct uaddr to, size_t size_bytes) {
    static const uint8_t zeros[PAGE_SIZE];
    uint64_t at = to.value;
    while (size_bytes > 0) {
        size_t length = user_piece(at, size_bytes);
        size_t left = hal_copy_to_user(uaddr_make(at), zeros, length);
        at += length - left;
        size_bytes -= length - left;
        if (left > 0) {
            break;
        }
    }
    return size_bytes;
}

bool hal_copy_string_from_user(char *to, struct uaddr from, size_t capacity, size_t *out_length) {
    size_t done = 0;
    while (done < capacity) {
        uint64_t at = from.value + done;
        size_t length = user_piece(at, capacity - done);
        const uint8_t *user = kernel_translate(at, HAL_ACCESS_READ);
        if (user == NULL) {
            return false;
        }
        user_bytes_get((uint8_t *)to + done, user, length);
        size_t text = strnlen(to + done, length);
        done += text;
        if (text < length) {
            break;
        }
    }
    *out_length = done;
    return true;
}

bool hal_user_load32(struct uaddr from, uint32_t *out_value) {
    uint8_t *user = kernel_translate(from.value, HAL_ACCESS_READ);
    if (user == NULL) {
        return false;
    }
    *out_value = atomic_load_explicit((_Atomic uint32_t *)(void *)user, memory_order_seq_cst);
    return true;
}

bool hal_user_cas32(struct uaddr at, uint32_t expected, uint32_t desired, uint32_t *out_found) {
    uint8_t *user = kernel_translate(at.value, HAL_ACCESS_WRITE);
    if (user == NULL) {
        return false;
    }
    atomic_compare_exchange_strong_explicit((_Atomic uint32_t *)(void *)user, &expected, desired,
                                            memory_order_seq_cst, memory_order_seq_cst);
    *out_found = expected;
    return true;
}
