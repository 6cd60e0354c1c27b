// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/vdso_function.h: what the vDSO (vdso(7)) has, found as libraries do it.
#pragma once

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

static const ElfW(Phdr) * vdso_segment(const char *image, uint32_t type) {
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)image;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(image + header->e_phoff);
    while (segment->p_type != type) { // it has those that are looked for
        segment++;
    }
    return segment;
}

static const char *vdso_dynamic(const char *image, ElfW(Sxword) tag) {
    const long bias = (long)(image - (const char *)vdso_segment(image, PT_LOAD)->p_vaddr);
    const ElfW(Dyn) *entry =
        (const ElfW(Dyn) *)(bias + (long)vdso_segment(image, PT_DYNAMIC)->p_vaddr);
    while (entry->d_tag != tag) {
        entry++;
    }
    return (const char *)(bias + (long)entry->d_un.d_ptr);
}

static bool vdso_has_version(const char *image, unsigned number, const char *version) {
    const ElfW(Verdef) *at = (const ElfW(Verdef) *)vdso_dynamic(image, DT_VERDEF);
    while (at->vd_ndx != number && at->vd_next != 0) {
        at = (const ElfW(Verdef) *)((const char *)at + at->vd_next);
    }
    const ElfW(Verdaux) *named = (const ElfW(Verdaux) *)((const char *)at + at->vd_aux);
    return at->vd_ndx == number &&
           strcmp(vdso_dynamic(image, DT_STRTAB) + named->vda_name, version) == 0;
}

// The function of that name and version in the image that AT_SYSINFO_EHDR names; NULL: none.
static void *vdso_function(const char *image, const char *name, const char *version) {
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)vdso_dynamic(image, DT_SYMTAB);
    const uint32_t count = ((const uint32_t *)vdso_dynamic(image, DT_HASH))[1];
    const uint16_t *versions = (const uint16_t *)vdso_dynamic(image, DT_VERSYM);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(vdso_dynamic(image, DT_STRTAB) + symbols[i].st_name, name) == 0 &&
            symbols[i].st_shndx != SHN_UNDEF &&
            vdso_has_version(image, versions[i] & 0x7fff, version)) {
            return (void *)(image + symbols[i].st_value);
        }
    }
    return NULL;
}
