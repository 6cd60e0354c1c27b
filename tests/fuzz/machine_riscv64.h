// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/machine_riscv64.h: instructions for the supervisor and the machine, the thread
// pointer.
#pragma once

#include "machine.h"

#define MACHINE_CODE_ALIGNMENT 1u // a jump to other addresses may be SIGBUS

__asm__(".pushsection .rodata\n .balign 4\n"
        "machine_words:\n"
        ".option push\n"
        ".option norvc\n"
        "ecall\n"
        "ebreak\n"
        "sret\n"
        "mret\n"
        "wfi\n"
        "sfence.vma\n"
        "fence.i\n"
        "csrw satp, a0\n"
        "csrw stvec, a0\n"
        "csrw sepc, a0\n"
        "csrw sstatus, a0\n"
        "csrw sscratch, a0\n"
        "csrw sie, zero\n"
        "csrw scounteren, a0\n"
        "csrw mstatus, a0\n"
        "csrw fcsr, a0\n"
        "csrr a0, cycle\n"
        "csrr a0, time\n"
        "csrr a0, instret\n"
        "csrr a0, sstatus\n"
        "csrr a0, satp\n"
        "csrr a0, mhartid\n"
        "mv tp, a0\n"
        "mv gp, a0\n"
        "mv sp, a0\n"
        "ld a0, (a1)\n"
        "sd a0, (a1)\n"
        "lr.d a0, (a1)\n"
        "sc.d a0, a0, (a1)\n"
        "fld fa0, (a0)\n"
        "jr a0\n"
        ".option pop\n"
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
    register uint64_t a7 __asm__("a7") = SYS_kill;
    register uint64_t a0 __asm__("a0") = self;
    register uint64_t a1 __asm__("a1") = SIGUSR1;
    __asm__ volatile("mv sp, %2\n ecall\n li a0, 4\n li a7, %3\n ecall\n"
                     : "+r"(a0)
                     : "r"(a1), "r"(stack), "i"(SYS_exit_group), "r"(a7)
                     : "memory");
}

static void machine_spoil(struct generator *generator, ucontext_t *frame) {
    mcontext_t *machine = &frame->uc_mcontext;
    switch (below(generator, 5)) {
    case 0:
        machine->__gregs[0] = ELEMENT(generator, odd_addresses); // pc
        break;
    case 1:
        machine->__gregs[2] = ELEMENT(generator, odd_addresses); // sp
        machine->__gregs[0] = ELEMENT(generator, odd_addresses);
        break;
    case 2:
        fill_random(generator, &machine->__fpregs, sizeof(machine->__fpregs));
        break;
    case 3: // the control word, and what is reserved behind the registers
        fill_random(generator, (char *)&machine->__fpregs + 256, 16);
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
            __asm__ volatile("mv tp, %0" : : "r"(odd_addresses[i]));
            for (int round = 0; round < 20; round++) {
                (void)machine_call(SYS_sched_yield, none);
            }
            (void)machine_call(SYS_exit_group, none);
        }
        EXITS(pid, 0);
    }
}

#define MACHINE_MORE_CASES CASE(instructions), CASE(thread_pointers),
