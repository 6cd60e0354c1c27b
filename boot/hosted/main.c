// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/hosted/main.c: from a process's arguments to struct boot_info. The host's libc is used here
// and in hal/hosted alone.
//
//   helix-hosted [--smp N] [--mem MIB] [--initrd FILE] [--disk-faults N] [--late PROCESSOR] [WORD…]
//
// and, where it is built as a simulation, [--seed N] [--trace FILE].
// The words are the kernel's command line.
#define _GNU_SOURCE
#include "../src/memory.h"
#include "archive.h"

#include <boot_arch/program.h>
#include <boot_arch/settings.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_AT      ((void *)0x200000000000) // if the host agrees; runs are easier to compare
#define MEMORY_MIB     256u
#define PROCESSORS_MAX 64u

struct hosted_settings hosted_settings = { .processors = 1 };
static struct boot_info boot_info;

static NORETURN void fail(const char *what) {
    fprintf(stderr, "helix-hosted: %s\n", what);
    exit(2);
}

static void must(bool ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(2);
    }
}

static uint64_t number(const char *text, uint64_t most, const char *what) {
    char *end;
    uint64_t value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || *text == '\0' || *end != '\0' || value == 0 || value > most) {
        fail(what);
    }
    return value;
}

static void memory_make(uint64_t size_bytes) {
    int file = memfd_create("helix memory", MFD_CLOEXEC);
    must(file >= 0 && ftruncate(file, (off_t)size_bytes) == 0, "memory");
    void *memory = mmap(MEMORY_AT, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(memory != MAP_FAILED, "memory");
    hosted_settings.memory = memory;
    hosted_settings.memory_bytes = size_bytes;
    hosted_settings.memory_file = file;
    boot_memory_add(&boot_info, 0, PAGE_SIZE, BOOT_MEMORY_RESERVED); // 0 means none
    boot_memory_add(&boot_info, PAGE_SIZE, size_bytes - PAGE_SIZE, BOOT_MEMORY_USABLE);
}

static uint64_t file_bytes(int file, const char *name) {
    struct stat stat;
    must(fstat(file, &stat) == 0, name);
    return (uint64_t)stat.st_size;
}

static void file_read(int file, const char *name, char *to, uint64_t size_bytes) {
    uint64_t done = 0;
    while (done < size_bytes) {
        ssize_t got = read(file, to + done, size_bytes - done);
        must(got > 0, name);
        done += (uint64_t)got;
    }
}

// The archives lie at the end of the memory, as a loader would put them: the one of the command
// line, if any, behind the one of the linked programs.
static void initrd_make(const char *name) {
    int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    must(name == NULL || file >= 0, name);
    const uint64_t programs = archive_bytes();
    const uint64_t read_bytes = name == NULL ? 0 : file_bytes(file, name);
    const uint64_t size = programs + read_bytes;
    if (size + (16u << 20) > hosted_settings.memory_bytes) {
        fail("the archive does not fit into the memory");
    }
    uint64_t at = ALIGN_DOWN(hosted_settings.memory_bytes - size, (uint64_t)PAGE_SIZE);
    char *to = (char *)hosted_settings.memory + at;
    archive_make(to);
    if (name != NULL) {
        file_read(file, name, to + programs, read_bytes);
        close(file);
    }
    boot_info.initrd = paddr_make(at);
    boot_info.initrd_bytes = size;
}

static void word_add(const char *word) {
    size_t used = strlen(boot_info.command_line);
    int wanted = snprintf(boot_info.command_line + used, BOOT_COMMAND_MAX - used, "%s%s",
                          used == 0 ? "" : " ", word);
    boot_info.command_line_cut |= wanted < 0 || (size_t)wanted >= BOOT_COMMAND_MAX - used;
}

static NORETURN void usage(FILE *to, int status) {
    fprintf(to,
            "usage: helix-hosted [--smp N] [--mem MIB] [--initrd FILE] [--disk-faults N]\n"
            "       [--late PROCESSOR]%s [WORD...]\n"
            "The words are the kernel's command line; init=/NAME chooses the program, one of:\n",
            HOSTED_SIMULATION ? " [--seed N] [--trace FILE]" : "");
    for (const struct hosted_program *program = __start_hosted_programs;
         program < __stop_hosted_programs; program++) {
        fprintf(to, "  %s\n", program->name);
    }
    exit(status);
}

static void arguments_read(char **argument, const char **out_initrd, uint64_t *out_mib) {
    for (; *argument != NULL; argument++) {
        if (strcmp(*argument, "--smp") == 0) {
            hosted_settings.processors =
                (uint32_t)number(*++argument, PROCESSORS_MAX, "--smp wants 1 to 64");
        } else if (strcmp(*argument, "--mem") == 0) {
            *out_mib = number(*++argument, 1u << 20, "--mem wants a number of MiB");
        } else if (strcmp(*argument, "--initrd") == 0) {
            *out_initrd = *++argument;
        } else if (strcmp(*argument, "--disk-faults") == 0) {
            hosted_settings.disk_faults =
                (uint32_t)number(*++argument, UINT32_MAX, "--disk-faults wants: one in how many");
        } else if (strcmp(*argument, "--late") == 0) {
            hosted_settings.late =
                (uint32_t)number(*++argument, PROCESSORS_MAX - 1, "--late wants 1 to 63");
        } else if (HOSTED_SIMULATION && strcmp(*argument, "--seed") == 0) {
            hosted_settings.seed = number(*++argument, UINT64_MAX, "--seed wants a number");
        } else if (HOSTED_SIMULATION && strcmp(*argument, "--trace") == 0) {
            hosted_settings.trace_name = *++argument;
        } else if (strcmp(*argument, "--help") == 0) {
            usage(stdout, 0);
        } else if (strncmp(*argument, "--", 2) == 0 && (*argument)[2] != '\0') {
            usage(stderr, 2);
        } else {
            word_add(*argument);
        }
        if (*argument == NULL) {
            fail("an option without its value");
        }
    }
}

static void boot_main(void *argument) {
    (void)argument;
    kernel_main(&boot_info);
}

int main(int count, char **arguments) {
    (void)count;
    const char *initrd = NULL;
    uint64_t mib = MEMORY_MIB;
    arguments_read(arguments + 1, &initrd, &mib);
    memory_make(mib << 20);
    initrd_make(initrd);
    boot_info.loader = "a host process";
    host_run(boot_main, boot_stack_low, (size_t)(boot_stack_top - boot_stack_low));
}
