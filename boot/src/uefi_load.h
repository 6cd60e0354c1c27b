// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/uefi_load.h: what a firmware of UEFI says, turned into struct boot_info while its
// services run. Nothing here has an address that the linker gave it (boot/aarch64/uefi.c).
//
// Context: a program of UEFI, on the firmware's stack, memory mapped one to one.
#pragma once

#include "uefi.h"

#include <boot/boot_info.h>

#define UEFI_TAKEN_MAX 4u // tree, archive, kernel, map

// What the parts of a load share.
struct uefi_load {
    struct uefi_system_table *system;
    struct uefi_boot_services *boot;
    const struct uefi_loaded_image *image;
    struct boot_info *info;
    struct uefi_taken {
        uint64_t address;
        size_t npages;
    } taken[UEFI_TAKEN_MAX]; // what was got so far
    uint32_t taken_count;
};

// Fills `info`: device tree (a copy), initial archive, command line, memory; gets memory for the
// kernel, `size_bytes` at a multiple of `alignment`; ends the firmware's services. All that it gets
// lies below 4 GiB. After an error it has given everything back, the services still run, and a line
// on the console says what is wrong; unless the firmware would not let go, when nothing may be
// called.
uefi_status_t uefi_load(void *image, struct uefi_system_table *system, size_t size_bytes,
                        size_t alignment, struct boot_info *info, void **out_place);

// Says a line on the firmware's console; gives `status` back.
uefi_status_t uefi_refuse(const struct uefi_load *load, const char *text, uefi_status_t status);

// Pages below 4 GiB for `size_bytes`, noted in load->taken; refused once that is full.
uefi_status_t uefi_pages(struct uefi_load *load, uint64_t size_bytes, void **out_memory);

// The archive of the loader (LoadFile2 at Linux's device path), or else the files that the words
// initrd=… of the command line name on the file system that the image came from, one behind the
// other; none if there are neither. Says what is wrong.
uefi_status_t uefi_initrd(struct uefi_load *load);

// The command line of a program that was started without words: the file UEFI_WORDS_FILE of the
// file system that the image came from, if there is one.
#define UEFI_WORDS_FILE u"\\helix.cmd"
void uefi_words_file(const struct uefi_load *load);

// Pure functions, of bytes that nobody checked.

// UTF-16 to a terminated text of UTF-8, as far as it fits and up to a zero; halves of pairs become
// '?'. False: it was cut.
bool uefi_text(char *to, size_t capacity, const void *from, size_t size_bytes);
// A text of bytes to a terminated one, up to a zero; a line's end becomes a space. In place.
void uefi_words_clean(char *words, size_t size_bytes);
// The next word initrd=NAME at or behind words[*at] that is not empty: the name, '/' as '\\', and
// *at behind it. A name that does not fit, or has other than ASCII, is an empty one. False: no
// more.
bool uefi_initrd_word(const char *words, size_t *at, uint16_t *name, size_t capacity);
// Adds the firmware's map: what is neither usable nor free once its services have ended first, so
// that it wins where ranges overlap.
void uefi_memory(struct boot_info *info, const void *map, size_t map_bytes,
                 size_t descriptor_bytes);
