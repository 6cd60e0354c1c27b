// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/machine_aarch64.h: instructions for EL1 and above, the thread pointer.
#pragma once

#include "machine.h"

#define MACHINE_CODE_ALIGNMENT 4u // a jump to other addresses may be SIGBUS

__asm__(".pushsection .rodata\n .balign 4\n"
        "machine_words:\n"
        "svc #0\n"
        "svc #0xffff\n"
        "hvc #0\n"
        "smc #0\n"
        "brk #0\n"
        "hlt #0\n"
        "udf #0\n"
        "eret\n"
        "drps\n"
        "wfi\n"
        "wfe\n"
        "msr daifset, #15\n"
        "msr daifclr, #15\n"
        "msr spsel, #0\n"
        "tlbi vmalle1\n"
        "tlbi vmalle1is\n"
        "ic iallu\n"
        "ic ivau, x0\n"
        "dc zva, x0\n"
        "dc civac, x0\n"
        "dc isw, x0\n"
        "at s1e1r, x0\n"
        "msr sctlr_el1, x0\n"
        "msr ttbr0_el1, x0\n"
        "msr ttbr1_el1, x0\n"
        "msr vbar_el1, x0\n"
        "msr elr_el1, x0\n"
        "msr spsr_el1, x0\n"
        "msr sp_el0, x0\n"
        "msr tpidr_el0, x0\n"
        "msr tpidrro_el0, x0\n"
        "msr tpidr_el1, x0\n"
        "msr cntv_cval_el0, x0\n"
        "msr cntkctl_el1, x0\n"
        "msr mdscr_el1, x0\n"
        "msr oslar_el1, x0\n"
        "msr pmcr_el0, x0\n"
        "msr fpcr, x0\n"
        "msr nzcv, x0\n"
        "mrs x0, ctr_el0\n"
        "mrs x0, midr_el1\n"
        "mrs x0, id_aa64pfr0_el1\n"
        "mrs x0, currentel\n"
        "mrs x0, cntvct_el0\n"
        "mrs x0, cntpct_el0\n"
        "mrs x0, pmccntr_el0\n"
        "mrs x0, dczid_el0\n"
        "ldtr x0, [x1]\n"
        "sttr x0, [x1]\n"
        "ldxr x0, [x1]\n"
        "ldr q0, [x0]\n"
        "br x0\n"
        "machine_words_end:\n .popsection");
extern const uint32_t machine_words[];
extern const uint32_t machine_words_end[];

// Puts system calls and privileged instructions among random bytes.
static void machine_splice(struct generator *generator, uint8_t *code, size_t size) {
    const size_t count = (size_t)(machine_words_end - machine_words);
    for (size_t at = 0; at + 4 < size; at += 4 + 4 * below(generator, 6)) {
        memcpy(code + at, &machine_words[below(generator, (uint32_t)count)], 4);
    }
}

static void instructions(void) {
    for (const uint32_t *word = machine_words; word < machine_words_end; word++) {
        run_code(word, sizeof(*word));
    }
}

static void machine_signal_on(uint64_t stack) {
    const uint64_t self = (uint64_t)getpid();
    register uint64_t x8 __asm__("x8") = SYS_kill;
    register uint64_t x0 __asm__("x0") = self;
    register uint64_t x1 __asm__("x1") = SIGUSR1;
    __asm__ volatile("mov sp, %2\n svc #0\n mov x0, #4\n mov x8, %3\n svc #0\n"
                     : "+r"(x0)
                     : "r"(x1), "r"(stack), "i"(SYS_exit_group), "r"(x8)
                     : "memory");
}

static void machine_spoil(struct generator *generator, ucontext_t *frame) {
    mcontext_t *machine = &frame->uc_mcontext;
    switch (below(generator, 8)) {
    case 0:
        machine->pc = ELEMENT(generator, odd_addresses);
        break;
    case 1:
        machine->sp = ELEMENT(generator, odd_addresses);
        machine->pc = ELEMENT(generator, odd_addresses);
        break;
    case 2:
        machine->pstate = draw(generator);
        break;
    case 3:
        machine->pstate ^= 1ull << below(generator, 32);
        break;
    case 4: { // the records of further state: their heads, or all over
        static const uint32_t sizes[] = { 0, 4, 8, 16, 24, 528, 4096, 0xfffffff0 };
        const uint32_t head[2] = { (uint32_t)draw(generator), ELEMENT(generator, sizes) };
        memcpy(machine->__reserved, head, sizeof(head));
        break;
    }
    case 5:
        fill_random(generator, machine->__reserved, one_in(generator, 2) ? 528 : 4096);
        break;
    case 6:
        fill_random(generator, (char *)machine->__reserved + 528, 16);
        break;
    default:
        fill_random(generator, frame, sizeof(*frame));
    }
}

// Any value of the thread pointer is a program's own affair.
static void thread_pointers(void) {
    for (size_t i = 0; i < COUNT(odd_addresses); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            const uint64_t none[6] = { 0 };
            __asm__ volatile("msr tpidr_el0, %0" : : "r"(odd_addresses[i]));
            for (int round = 0; round < 20; round++) {
                (void)machine_call(SYS_sched_yield, none);
            }
            (void)machine_call(SYS_exit_group, none);
        }
        EXITS(pid, 0);
    }
}

#define MACHINE_MORE_CASES CASE(instructions), CASE(thread_pointers),
