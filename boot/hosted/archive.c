// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/hosted/archive.c: linked programs as an initramfs: newc headers (see lib/src/cpio.c) and ELF
// files of two headers each.
#include "archive.h"

#include <boot_arch/program.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>

#define HEADER_BYTES 110u
#define CODE_BYTES   (CODE_STEP * CODE_FUNCTIONS)
#define FILE_MODE    0100755u

struct program_file {
    Elf64_Ehdr header;
    Elf64_Phdr code;
};
_Static_assert(sizeof(struct program_file) <= (size_t)CODE_FIRST * CODE_STEP, "they lie below");
_Static_assert(sizeof(struct program_file) % 4 == 0, "the next header follows");

static const char last_name[] = "TRAILER!!!";

static uint64_t entry_bytes(const char *name, uint64_t size_bytes) {
    return ((HEADER_BYTES + strlen(name) + 1 + 3) & ~(uint64_t)3) + size_bytes;
}

uint64_t archive_bytes(void) {
    uint64_t sum = entry_bytes(last_name, 0);
    for (const struct hosted_program *program = __start_hosted_programs;
         program < __stop_hosted_programs; program++) {
        sum += entry_bytes(program->name, sizeof(struct program_file));
    }
    return sum;
}

// Gives the place behind it.
static char *entry_make(char *to, const char *name, uint32_t inode, const void *data,
                        uint32_t size_bytes) {
    uint32_t mode = inode == 0 ? 0 : FILE_MODE;
    uint64_t whole = entry_bytes(name, size_bytes);
    char header[HEADER_BYTES + 1];
    snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08zx%08x",
             inode, mode, 0, 0, 1, 0, size_bytes, 0, 0, 0, 0, strlen(name) + 1, 0);
    memset(to, 0, whole);
    memcpy(to, header, HEADER_BYTES);
    memcpy(to + HEADER_BYTES, name, strlen(name));
    memcpy(to + whole - size_bytes, data, size_bytes);
    return to + whole;
}

static struct program_file program_file(uint32_t index) {
    return (struct program_file){
        .header = {
            .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
            .e_type = ET_EXEC,
            .e_machine = HOSTED_ELF_MACHINE,
            .e_version = EV_CURRENT,
            .e_entry = CODE_BASE + (CODE_FIRST + index) * CODE_STEP,
            .e_phoff = sizeof(Elf64_Ehdr),
            .e_ehsize = sizeof(Elf64_Ehdr),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 1,
        },
        .code = {
            .p_type = PT_LOAD,
            .p_flags = PF_R | PF_X,
            .p_vaddr = CODE_BASE,
            .p_filesz = sizeof(struct program_file),
            .p_memsz = CODE_BYTES,
            .p_align = 4096,
        },
    };
}

void archive_make(char *to) {
    uint32_t count = (uint32_t)(__stop_hosted_programs - __start_hosted_programs);
    for (uint32_t i = 0; i < count; i++) {
        const struct program_file file = program_file(i);
        to = entry_make(to, __start_hosted_programs[i].name, i + 1, &file, sizeof(file));
    }
    entry_make(to, last_name, 0, "", 0);
}
