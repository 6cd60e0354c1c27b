// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/machine_x86_64.h: interrupts, flags, segments.
#pragma once

#include "machine.h"

#include <asm/prctl.h>

#define MACHINE_CODE_ALIGNMENT 1u // a jump to other addresses may be SIGBUS

// Puts system calls and privileged instructions among random bytes.
static void machine_splice(struct generator *generator, uint8_t *code, size_t size) {
    static const uint8_t parts[][4] = {
        { 0x0f, 0x05, 0x90, 0x90 }, // syscall
        { 0x0f, 0x34, 0x90, 0x90 }, // sysenter
        { 0xcd, 0x80, 0x90, 0x90 }, // int 0x80
        { 0x0f, 0x01, 0xf8, 0x90 }, // swapgs
        { 0x0f, 0x07, 0x90, 0x90 }, // sysret
        { 0x48, 0xcf, 0x90, 0x90 }, // iretq
        { 0xf4, 0xfa, 0xfb, 0x90 }, // hlt cli sti
        { 0x9d, 0x9d, 0x90, 0x90 }, // popf
        { 0x8e, 0xe0, 0x8e, 0xe8 }, // mov fs, gs
        { 0x0f, 0x30, 0x0f, 0x32 }, // wrmsr rdmsr
    };
    for (size_t at = 0; at + 4 < size; at += 1 + below(generator, 24)) {
        memcpy(code + at, ELEMENT(generator, parts), 4);
    }
}

static void interrupts(void) {
    for (int vector = 0; vector < 256; vector++) {
        const uint8_t code[] = { 0xcd, (uint8_t)vector };
        run_code(code, sizeof(code));
    }
}

static void instructions(void) {
    static const struct {
        uint8_t size;
        uint8_t bytes[10];
    } list[] = {
        { 1, { 0xfa } },                               // cli
        { 1, { 0xfb } },                               // sti
        { 1, { 0xf4 } },                               // hlt
        { 1, { 0xec } },                               // in
        { 1, { 0xee } },                               // out
        { 3, { 0x0f, 0x22, 0xd8 } },                   // mov cr3
        { 3, { 0x0f, 0x20, 0xc0 } },                   // mov from cr0
        { 3, { 0x0f, 0x23, 0xc0 } },                   // mov dr0
        { 2, { 0x0f, 0x30 } },                         // wrmsr
        { 2, { 0x0f, 0x32 } },                         // rdmsr
        { 2, { 0x0f, 0x33 } },                         // rdpmc
        { 2, { 0x0f, 0x06 } },                         // clts
        { 2, { 0x0f, 0x08 } },                         // invd
        { 2, { 0x0f, 0x09 } },                         // wbinvd
        { 3, { 0x0f, 0x01, 0xf8 } },                   // swapgs
        { 3, { 0x0f, 0x01, 0xd1 } },                   // xsetbv
        { 3, { 0x0f, 0x01, 0xcb } },                   // stac
        { 3, { 0x0f, 0x01, 0x3c } },                   // invlpg
        { 3, { 0x48, 0x0f, 0x07 } },                   // sysretq
        { 2, { 0x0f, 0x34 } },                         // sysenter
        { 2, { 0x0f, 0x35 } },                         // sysexit
        { 2, { 0x48, 0xcf } },                         // iretq
        { 1, { 0xcb } },                               // far return
        { 2, { 0x0f, 0x0b } },                         // ud2
        { 1, { 0xcc } },                               // int3
        { 1, { 0xf1 } },                               // int1
        { 4, { 0x31, 0xc0, 0x8e, 0xd0 } },             // ss = 0
        { 4, { 0x31, 0xc0, 0x8e, 0xd8 } },             // ds = 0
        { 4, { 0x31, 0xc0, 0x8e, 0xe8 } },             // gs = 0
        { 7, { 0xb8, 0x08, 0, 0, 0, 0x8e, 0xe8 } },    // gs = the kernel's
        { 7, { 0xb8, 0x10, 0, 0, 0, 0x8e, 0xd0 } },    // ss = the kernel's
        { 7, { 0xb8, 0xff, 0xff, 0, 0, 0x8e, 0xe0 } }, // fs = none
        { 3, { 0x0f, 0x00, 0xd8 } },                   // ltr
        { 3, { 0x0f, 0x00, 0xd0 } },                   // lldt
        { 3, { 0x0f, 0x01, 0x10 } },                   // lgdt
        { 3, { 0x0f, 0x01, 0x18 } },                   // lidt
        { 3, { 0x0f, 0x01, 0x00 } },                   // sgdt
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        run_code(list[i].bytes, list[i].size);
    }
}

// Flags at a system call and while stepping; 0x100 is TF, 0x4000 NT, 0x40000 AC, 0x400 DF.
static void flags(void) {
    static const uint32_t sets[] = { 0x100, 0x4000, 0x40000, 0x400, 0x44500, 0x3000, 0x200000 };
    for (size_t i = 0; i < COUNT(sets); i++) {
        const uint8_t *flag = (const uint8_t *)&sets[i];
        const uint8_t code[] = {
            0x9c,                                                 // pushfq
            0x81, 0x0c, 0x24, flag[0], flag[1], flag[2], flag[3], // orl $set, (%rsp)
            0x9d,                                                 // popfq
            0xb8, 39,   0,    0,       0,       0x0f,    0x05,    // getpid()
            0x68, 0,    2,    0,       0,       0x9d,             // push 0x200; popfq
        };
        run_code(code, sizeof(code));
    }
}

static void step_through_calls(void) {
    pid_t pid;
    CHILD(pid) {
        struct sigaction action = { .sa_handler = on_signal_count };
        sigaction(SIGTRAP, &action, NULL);
        for (int i = 0; i < 50; i++) {
            long result = 39;
            __asm__ volatile("pushfq\n orq $0x100, (%%rsp)\n popfq\n syscall\n nop\n"
                             "pushfq\n andq $~0x100, (%%rsp)\n popfq\n"
                             : "+a"(result)
                             :
                             : "rcx", "r11", "memory", "cc");
            SAME(result, getpid());
        }
    }
    EXITS(pid, 0);
}

static void machine_signal_on(uint64_t stack) {
    const uint64_t self = (uint64_t)getpid();
    __asm__ volatile("movq %0, %%rsp\n movl $62, %%eax\n syscall\n"  // kill
                     "movl $231, %%eax\n movl $4, %%edi\n syscall\n" // exit_group
                     :
                     : "r"(stack), "D"(self), "S"((uint64_t)SIGUSR1)
                     : "rax", "rcx", "r11", "memory");
}

static void machine_spoil(struct generator *generator, ucontext_t *frame) {
    greg_t *registers = frame->uc_mcontext.gregs;
    switch (below(generator, 9)) {
    case 0:
        registers[REG_RIP] = (greg_t)ELEMENT(generator, odd_addresses);
        break;
    case 1:
        registers[REG_RSP] = (greg_t)ELEMENT(generator, odd_addresses);
        registers[REG_RIP] = (greg_t)ELEMENT(generator, odd_addresses);
        break;
    case 2:
        registers[REG_EFL] = (greg_t)draw(generator);
        break;
    case 3:
        registers[REG_CSGSFS] = (greg_t)draw(generator);
        break;
    case 4: // the FPU image: garbage all over, or in the control words and the header alone
        fill_random(generator, frame->uc_mcontext.fpregs, one_in(generator, 2) ? 512 : 64);
        break;
    case 5:
        fill_random(generator, (char *)frame->uc_mcontext.fpregs + 512, 64);
        break;
    case 6:
        frame->uc_mcontext.fpregs = (void *)ELEMENT(generator, odd_addresses);
        break;
    case 7:
        fill_random(generator, (char *)frame->uc_mcontext.fpregs + 464, 48);
        break;
    default:
        fill_random(generator, frame, sizeof(*frame));
    }
}

static void segment_bases(void) {
    static const uint64_t odd[] = { 0x0000800000000000, 0xffff800000000000, 0xffffffff80100000,
                                    0x8000000000000000, UINT64_MAX,         0x00007ffffffff000 };
    static const uint64_t fine[] = { 0, 1, 0x1000, 0x00007fffffffefff };
    pid_t pid;
    CHILD(pid) {
        for (size_t i = 0; i < COUNT(odd); i++) {
            REFUSED(syscall(SYS_arch_prctl, ARCH_SET_GS, odd[i]), EPERM);
            REFUSED(syscall(SYS_arch_prctl, ARCH_SET_FS, odd[i]), EPERM);
        }
        for (size_t i = 0; i < COUNT(fine); i++) {
            SAME(syscall(SYS_arch_prctl, ARCH_SET_GS, fine[i]), 0);
            uint64_t got = 7;
            SAME(syscall(SYS_arch_prctl, ARCH_GET_GS, &got), 0);
            SAME(got, fine[i]);
            sched_yield();
        }
    }
    EXITS(pid, 0);
}

// wrgsbase and wrfsbase, where the processor lets programs use them: any canonical value.
static void segment_instructions(void) {
    static const uint64_t values[] = { 0,          0xffff800000000000, 0xffffffff80100000,
                                       UINT64_MAX, 0x0000800000000000, 0x00007ffffffff000 };
    for (size_t i = 0; i < 2 * COUNT(values); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            const uint64_t value = values[i / 2];
            if (i % 2) {
                __asm__ volatile("wrgsbase %0" : : "r"(value));
            } else {
                __asm__ volatile("wrfsbase %0" : : "r"(value));
            }
            for (int round = 0; round < 20; round++) {
                long result;
                __asm__ volatile("syscall"
                                 : "=a"(result)
                                 : "a"(24) // sched_yield
                                 : "rcx", "r11", "memory");
            }
            __asm__ volatile("syscall" : : "a"(231), "D"(0) : "rcx", "r11", "memory");
        }
        int status = check_wait(pid);
        CHECK(status == 0 || WIFSIGNALED(status));
    }
}

#define MACHINE_MORE_CASES                                                                         \
    CASE(interrupts), CASE(instructions), CASE(flags), CASE(step_through_calls),                   \
        CASE(segment_bases), CASE(segment_instructions),
