// SPDX-License-Identifier: MIT OR Apache-2.0
// <boot_arch/program.h>: linked programs: functions of this process that the kernel runs as
// programs (what they may do: <hosted/program.h>). Boot adds an archive in which each is an ELF
// file of a page of code, which has no bytes; the machine knows that function i lies at its place
// there.
#pragma once

#include <stdint.h>

#define HOSTED_ELF_MACHINE 0x4858u // no other machine has it

#define CODE_BASE      0x10000u
#define CODE_STEP      16u
#define CODE_FUNCTIONS 256u
#define CODE_FIRST     8u // the file's headers lie below

// Begins with its stack pointer, where argc, argv, … lie as the ABI has them; what it returns is
// its exit status.
struct hosted_program {
    const char *name; // of the file in /
    int (*main)(uint64_t stack);
};

#define HOSTED_PROGRAM(identifier, function)                                                       \
    __attribute__((used, section("hosted_programs"))) static const struct hosted_program           \
        hosted_program_##identifier = { #identifier, function }

// The ends of the section, as the linker names them. Program i is function CODE_FIRST + i.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern const struct hosted_program __start_hosted_programs[];
extern const struct hosted_program __stop_hosted_programs[];
// NOLINTEND(bugprone-reserved-identifier)
