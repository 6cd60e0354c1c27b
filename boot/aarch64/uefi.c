// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/aarch64/uefi.c: Image as a program of UEFI: what the firmware says goes into boot_uefi_info,
// then the whole image, with that in it, is copied to a boundary of 2 MiB and entered there.
//
// This runs where the firmware loaded it, not where it is linked: addresses of functions and data
// are made from the program counter, and nothing here may be a table of pointers.
#include "../src/uefi_load.h"

#include <lib/string.h>

#define IMAGE_ALIGNMENT (2u << 20)

// Set by the linker script and uefi.S.
extern char image_start[];
extern char image_end[];
extern char boot_uefi_entry[];
extern char boot_uefi_leave_end[];
extern struct boot_info boot_uefi_info; // start.c

uefi_status_t boot_uefi_main(void *image, struct uefi_system_table *system); // uefi.S calls it
void boot_uefi_clean(const void *start, const void *end);
NORETURN void boot_uefi_leave(const void *entry);

uefi_status_t boot_uefi_main(void *image, struct uefi_system_table *system) {
    const size_t size_bytes = (size_t)(image_end - image_start);
    char *copy;
    uefi_status_t status =
        uefi_load(image, system, size_bytes, IMAGE_ALIGNMENT, &boot_uefi_info, (void **)&copy);
    if (status != UEFI_OK) {
        return status;
    }
    memcpy(copy, image_start, size_bytes);
    boot_uefi_clean(copy, copy + size_bytes);
    boot_uefi_clean((const void *)boot_uefi_leave, boot_uefi_leave_end);
    boot_uefi_leave(copy + (boot_uefi_entry - image_start));
}
