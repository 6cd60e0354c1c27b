// SPDX-License-Identifier: MIT OR Apache-2.0
// What harts can do, by both ways in which trees tell it.
#include "../isa.h"

#include "check.h"

#include <stdlib.h>

#define RV64GC                                                                                     \
    (1u << ('i' - 'a') | 1u << ('m' - 'a') | 1u | 1u << ('f' - 'a') | 1u << ('d' - 'a') | 1u << 2)

static void test_text(void) {
    CHECK(isa_letters("rv64imafdc_zicsr_sstc") == RV64GC && isa_letters("rv64gc") == RV64GC);
    CHECK(isa_letters("rv64imafdcsu") == RV64GC && isa_letters("rv64imafdcz") == RV64GC);
    CHECK(isa_letters("rv32imafdc") == 0 && isa_letters("") == 0 && isa_letters(NULL) == 0);
    CHECK(isa_has("rv64gc_zicsr_sstc", "sstc") && isa_has("rv64gc_sstc_zicsr", "sstc"));
    CHECK(!isa_has("rv64gc_sstcx", "sstc") && !isa_has("rv64gcsstc", "sstc"));
    CHECK(!isa_has("rv64gc", "sstc") && !isa_has(NULL, "sstc"));
}

#define JOIN(base, names, out) isa_join(base, names, sizeof(names), out)

static void test_names(void) {
    char out[ISA_CAPACITY];
    JOIN("rv64i", "i\0m\0zicsr\0a\0f\0sstc\0d\0c", out);
    CHECK(strcmp(out, "rv64imafdc_zicsr_sstc") == 0);
    CHECK(isa_letters(out) == RV64GC && isa_has(out, "sstc"));
    JOIN("rv64i", "", out);
    CHECK(strcmp(out, "rv64i") == 0);
    JOIN("", "m\0sstc", out);
    CHECK(isa_letters(out) == 0);
}

// A last name without an end is not read beyond the property; empty ones are none.
static void test_hostile(void) {
    char out[ISA_CAPACITY];
    char *names = malloc(7);
    memcpy(names, "\0\0m\0abc", 7);
    isa_join("rv64i", names, 7, out);
    CHECK(strcmp(out, "rv64im") == 0);
    free(names);
    char *many = malloc(4096);
    memset(many, 'm', 4096);
    for (uint32_t i = 9; i < 4096; i += 10) {
        many[i] = '\0';
    }
    isa_join("rv64i", many, 4096, out);
    CHECK(strlen(out) < ISA_CAPACITY && strlen(out) > ISA_CAPACITY - 12);
    isa_join("rv64imafdcrv64imafdc", many, 4096, out);
    CHECK(memcmp(out, "rv64imaf_mmm", 12) == 0);
    free(many);
}

int main(void) {
    test_text();
    test_names();
    test_hostile();
    return check_result();
}
