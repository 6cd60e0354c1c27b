// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/describe.c: the processor in Linux's words (arch/arm64/kernel/cpuinfo.c of
// Linux 6.1).
#include "private.h"

#include <lib/format.h>
#include <lib/string.h>

// Names of AT_HWCAP's bits.
static const char *const names[] = {
    "fp",     "asimd",   "evtstrm",  "aes",     "pmull", "sha1",     "sha2",
    "crc32",  "atomics", "fphp",     "asimdhp", "cpuid", "asimdrdm", "jscvt",
    "fcma",   "lrcpc",   "dcpop",    "sha3",    "sm3",   "sm4",      "asimddp",
    "sha512", "sve",     "asimdfhm", "dit",     "uscat", "ilrcpc",   "flagm",
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

// MIDR_EL1 is that of the processor that asks: machines with several kinds are not told apart.
size_t hal_cpu_describe(uint32_t cpu, char *buffer, size_t capacity) {
    (void)cpu;
    if (capacity == 0) {
        return 0;
    }
    struct text text = { buffer, capacity, 0 };
    const uint64_t hz = hal_counter_hz();
    const uint32_t midr = (uint32_t)sysreg_read("midr_el1");
    text_add(&text, "BogoMIPS\t: %u.%02u\nFeatures\t:", (uint32_t)(hz / 500000),
             (uint32_t)(hz / 5000 % 100));
    for (uint32_t bit = 0; bit < ARRAY_SIZE(names); bit++) {
        if (aarch64_features.hwcap >> bit & 1) {
            text_add(&text, " %s", names[bit]);
        }
    }
    text_add(&text, "\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\n",
             midr >> 24, midr >> 20 & 15);
    text_add(&text, "CPU part\t: 0x%03x\nCPU revision\t: %u\n", midr >> 4 & 0xfff, midr & 15);
    return text.length;
}
