// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/describe.c: the processor in Linux's words (arch/x86/kernel/cpu/proc.c of Linux 6.1).
#include "private.h"

#include <hal/time.h>
#include <lib/format.h>
#include <lib/string.h>

#define BRAND_BYTES 48u
#define WORD_BITS   32u

// Names of feature bits in Linux's order of words; NULL: without a name there.
static const char *const names_1_edx[WORD_BITS] = {
    "fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", NULL,
    "sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", NULL,   "dts",
    "acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe",
};
static const char *const names_ext_edx[WORD_BITS] = {
    [11] = "syscall", [19] = "mp",     [20] = "nx", [22] = "mmxext",   [25] = "fxsr_opt",
    [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow",
};
static const char *const names_1_ecx[WORD_BITS] = {
    "pni",    "pclmulqdq",  "dtes64", "monitor", "ds_cpl",
    "vmx",    "smx",        "est",    "tm2",     "ssse3",
    "cid",    "sdbg",       "fma",    "cx16",    "xtpr",
    "pdcm",   NULL,         "pcid",   "dca",     "sse4_1",
    "sse4_2", "x2apic",     "movbe",  "popcnt",  "tsc_deadline_timer",
    "aes",    "xsave",      NULL,     "avx",     "f16c",
    "rdrand", "hypervisor",
};
static const char *const names_ext_ecx[WORD_BITS] = {
    [0] = "lahf_lm", [1] = "cmp_legacy", [2] = "svm",         [4] = "cr8_legacy",
    [5] = "abm",     [6] = "sse4a",      [7] = "misalignsse", [8] = "3dnowprefetch",
};
static const char *const names_7_ebx[WORD_BITS] = {
    [0] = NULL,       [1] = "tsc_adjust",  [3] = "bmi1",      [5] = "avx2",
    [7] = "smep",     [8] = "bmi2",        [9] = "erms",      [10] = "invpcid",
    [16] = "avx512f", [17] = "avx512dq",   [18] = "rdseed",   [19] = "adx",
    [20] = "smap",    [23] = "clflushopt", [24] = "clwb",     [28] = "avx512cd",
    [29] = "sha_ni",  [30] = "avx512bw",   [31] = "avx512vl",
};
static const char *const names_7_ecx[WORD_BITS] = {
    [2] = "umip",        [3] = "pku",   [8] = "gfni",   [9] = "vaes",
    [10] = "vpclmulqdq", [16] = "la57", [22] = "rdpid",
};

// Text that grows in a buffer of fixed size.
struct text {
    char *buffer;
    size_t capacity;
    size_t length;
};

static void text_add(struct text *text, const char *format, ...) PRINTF(2, 3);

static void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = text->capacity - text->length;
    size_t wanted = format_string_list(text->buffer + text->length, room, format, arguments);
    va_end(arguments);
    text->length += MIN_OF(wanted, room - 1);
}

static void text_add_flags(struct text *text, uint32_t word, const char *const *names) {
    for (uint32_t bit = 0; bit < WORD_BITS; bit++) {
        if ((word >> bit & 1) && names[bit] != NULL) {
            text_add(text, " %s", names[bit]);
        }
    }
}

static void text_add_all_flags(struct text *text) {
    struct cpuid leaf1 = cpuid(1, 0);
    struct cpuid ext1 = cpuid(0x80000001u, 0);
    text_add(text, "flags\t\t:");
    text_add_flags(text, leaf1.edx, names_1_edx);
    text_add_flags(text, ext1.edx, names_ext_edx);
    text_add_flags(text, leaf1.ecx, names_1_ecx);
    text_add_flags(text, ext1.ecx, names_ext_ecx);
    if (x86_features.max_leaf >= 7) {
        struct cpuid leaf7 = cpuid(7, 0);
        text_add_flags(text, leaf7.ebx, names_7_ebx);
        text_add_flags(text, leaf7.ecx, names_7_ecx);
    }
    text_add(text, "\n");
}

// The name that the processor gives itself, without leading spaces.
static const char *brand(char buffer[BRAND_BYTES + 1]) {
    memset(buffer, 0, BRAND_BYTES + 1);
    if (cpuid(0x80000000u, 0).eax < 0x80000004u) {
        return "unknown";
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid part = cpuid(0x80000002u + i, 0);
        memcpy(buffer + (size_t)16 * i, &part, sizeof(part));
    }
    const char *start = buffer;
    while (*start == ' ') {
        start++;
    }
    return start;
}

// Family, model and stepping (SDM 2A, CPUID 01h, figure 3-6).
static void text_add_version(struct text *text, uint32_t eax, const char *model_name) {
    uint32_t family = eax >> 8 & 15;
    uint32_t model = eax >> 4 & 15;
    if (family == 6 || family == 15) {
        model |= (eax >> 16 & 15) << 4;
    }
    if (family == 15) {
        family += eax >> 20 & 255;
    }
    text_add(text, "cpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", family,
             model, model_name, eax & 15);
}

size_t hal_cpu_describe(uint32_t cpu, char *buffer, size_t capacity) {
    if (capacity == 0) {
        return 0;
    }
    struct text text = { buffer, capacity, 0 };
    struct cpuid leaf0 = cpuid(0, 0);
    char vendor[13] = { 0 };
    char name[BRAND_BYTES + 1];
    memcpy(vendor, &leaf0.ebx, 4);
    memcpy(vendor + 4, &leaf0.edx, 4);
    memcpy(vendor + 8, &leaf0.ecx, 4);
    uint64_t khz = hal_counter_hz() / 1000;
    uint32_t cache_kb =
        cpuid(0x80000000u, 0).eax >= 0x80000006u ? cpuid(0x80000006u, 0).ecx >> 16 : 0;
    struct cpuid leaf1 = cpuid(1, 0);
    text_add(&text, "vendor_id\t: %s\n", vendor);
    text_add_version(&text, leaf1.eax, brand(name));
    text_add(&text, "cpu MHz\t\t: %u.%03u\ncache size\t: %u KB\n", (uint32_t)(khz / 1000),
             (uint32_t)(khz % 1000), cache_kb);
    text_add(&text, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
             x86_cpu_total, cpu, x86_cpu_total);
    text_add(&text, "apicid\t\t: %u\ninitial apicid\t: %u\n", x86_cpu_apic_ids[cpu],
             x86_cpu_apic_ids[cpu]);
    text_add(&text, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n",
             x86_features.max_leaf);
    text_add_all_flags(&text);
    text_add(&text, "bugs\t\t:\nbogomips\t: %u.%02u\n", (uint32_t)(khz / 500),
             (uint32_t)(khz / 5 % 100));
    text_add(&text, "clflush size\t: %u\ncache_alignment\t: 64\n", (leaf1.ebx >> 8 & 255) * 8);
    text_add(&text, "address sizes\t: %u bits physical, 48 bits virtual\npower management:\n",
             x86_features.phys_bits);
    return text.length;
}

// Linux passes CPUID 01h's edx and, in the second word, whether ring 3 may use FSGSBASE: not here.
uint64_t hal_hwcap(void) {
    return cpuid(1, 0).edx;
}

uint64_t hal_hwcap2(void) {
    return 0;
}

const char *hal_platform(void) {
    return "x86_64";
}
