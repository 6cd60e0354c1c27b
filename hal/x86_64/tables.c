// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/tables.c: descriptor tables and system call registers (SDM 3A 3.4, 6.10, 8.7, 5.8.8).
#include "private.h"

#include "gs.h"

#include <hal/context.h>

_Static_assert(offsetof(struct cpu_block, self) == X86_GS_SELF, "<hal_arch/cpu.h>");
_Static_assert(offsetof(struct cpu_block, data) == X86_GS_DATA, "<hal_arch/cpu.h>");
_Static_assert(offsetof(struct cpu_block, current) == X86_GS_CURRENT, "<hal_arch/cpu.h>");
_Static_assert(offsetof(struct cpu_block, id) == X86_GS_ID, "<hal_arch/cpu.h>");
_Static_assert(offsetof(struct cpu_block, scratch) == GS_SCRATCH, "gs.h");
_Static_assert(offsetof(struct cpu_block, tss.rsp) == GS_STACK, "gs.h");
_Static_assert(offsetof(struct cpu_block, current) == GS_CURRENT, "gs.h");
_Static_assert(offsetof(struct cpu_block, gate_entered) == GS_ENTERED, "gs.h");
_Static_assert(offsetof(struct cpu_block, gate_left) == GS_LEFT, "gs.h");
_Static_assert(offsetof(struct cpu_block, guard.sp) == GS_GUARD_SP, "gs.h");
_Static_assert(offsetof(struct cpu_block, guard.fp) == GS_GUARD_FP, "gs.h");
_Static_assert(offsetof(struct cpu_block, guard.sp) == X86_GS_GUARD_SP, "<hal_arch/gate.h>");
_Static_assert(offsetof(struct cpu_block, guard.fp) == X86_GS_GUARD_FP, "<hal_arch/gate.h>");
_Static_assert(offsetof(struct hal_context, gates) == CONTEXT_GATES, "gs.h");
_Static_assert(offsetof(struct hal_gate, number) == GATE_NUMBER, "gs.h");
_Static_assert(offsetof(struct hal_gate_record, ticks) == 16, "gate.S");
_Static_assert(offsetof(struct hal_gate, closed) == GATE_CLOSED, "gs.h");
_Static_assert(sizeof(struct tss) == 104, "SDM 3A figure 8-11");
_Static_assert(sizeof(struct cpu_block) <= PAGE_SIZE, "one page each");

#define VECTORS    256u
#define STUB_BYTES 16u

#define GATE_INTERRUPT 0x8e00u // present, 64-bit interrupt gate
#define GATE_USER      0x6000u // also for INT n of ring 3

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t attributes; // interrupt stack, type, privilege
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM 3A figure 6-8");

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern char x86_trap_stubs[]; // 256 stubs of STUB_BYTES each, in trap.S
extern char x86_entry_nmi[];  // the four that come at any moment
extern char x86_entry_debug[];
extern char x86_entry_double_fault[];
extern char x86_entry_machine_check[];
extern char x86_syscall_entry[];
extern char x86_syscall_compat[];

static struct gate idt[VECTORS] __attribute__((aligned(16)));
static struct cpu_block boot_block __attribute__((aligned(4096)));
static uint8_t boot_ist_stacks[IST_COUNT][IST_STACK_BYTES] __attribute__((aligned(4096)));

static void gate_set(uint32_t vector, const char *entry, uint32_t attributes) {
    uint64_t offset = (uint64_t)(uintptr_t)entry;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset,
        .selector = X86_KERNEL_CS,
        .attributes = (uint16_t)attributes,
        .offset_middle = (uint16_t)(offset >> 16),
        .offset_high = (uint32_t)(offset >> 32),
    };
}

void x86_idt_init(void) {
    for (uint32_t vector = 0; vector < VECTORS; vector++) {
        gate_set(vector, x86_trap_stubs + (size_t)vector * STUB_BYTES, GATE_INTERRUPT);
    }
    idt[3].attributes |= GATE_USER;
    idt[4].attributes |= GATE_USER;
    gate_set(1, x86_entry_debug, GATE_INTERRUPT | IST_DEBUG);
    gate_set(2, x86_entry_nmi, GATE_INTERRUPT | IST_NMI);
    gate_set(8, x86_entry_double_fault, GATE_INTERRUPT | IST_DOUBLE_FAULT);
    gate_set(18, x86_entry_machine_check, GATE_INTERRUPT | IST_MACHINE_CHECK);
}

static void gdt_fill(struct cpu_block *block) {
    uint64_t tss = (uint64_t)(uintptr_t)&block->tss;
    block->gdt[0] = 0;
    block->gdt[X86_KERNEL_CS / 8] = 0x00af9b000000ffff;
    block->gdt[X86_KERNEL_DS / 8] = 0x00cf93000000ffff;
    block->gdt[X86_USER_CS32 / 8] = 0;
    block->gdt[X86_USER_DS / 8] = 0x00cff3000000ffff;
    block->gdt[X86_USER_CS / 8] = 0x00affb000000ffff;
    block->gdt[X86_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
                              (uint64_t)0x89 << 40 | (tss >> 24 & 0xff) << 56;
    block->gdt[X86_TSS / 8 + 1] = tss >> 32;
}

// Reloads all segment registers, code by a far return.
static void segments_load(void) {
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %1, %%ss\n\t"
                     "movl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%fs\n\t"
                     "movl %2, %%gs"
                     :
                     : "i"(X86_KERNEL_CS), "r"(X86_KERNEL_DS), "r"(0)
                     : "rax", "memory");
}

static void syscall_registers_load(void) {
    msr_write(MSR_STAR, (uint64_t)(X86_USER_CS32 | 3) << 48 | (uint64_t)X86_KERNEL_CS << 32);
    msr_write(MSR_LSTAR, (uint64_t)(uintptr_t)x86_syscall_entry);
    msr_write(MSR_CSTAR, (uint64_t)(uintptr_t)x86_syscall_compat);
    // Cleared on entry: trap, interrupt, direction, I/O level, nested, resume, alignment check.
    msr_write(MSR_FMASK,
              RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | 0x3000u | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
    msr_write(MSR_SYSENTER_CS, 0); // SYSENTER faults
}

void x86_tables_load(struct cpu_block *block, const uint64_t *ist_tops) {
    block->self = block;
    block->timer_target = UINT64_MAX;
    for (uint32_t i = 0; i < IST_COUNT; i++) {
        block->tss.ist[i] = ist_tops[i];
    }
    block->tss.io_map_base = sizeof(struct tss); // no ports for ring 3
    gdt_fill(block);
    struct table_pointer gdt = { sizeof(block->gdt) - 1, (uint64_t)(uintptr_t)block->gdt };
    struct table_pointer idt_pointer = { sizeof(idt) - 1, (uint64_t)(uintptr_t)idt };
    __asm__ volatile("lgdt %0" : : "m"(gdt));
    segments_load();
    msr_write(MSR_GS_BASE, (uint64_t)(uintptr_t)block);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_FS_BASE, 0);
    __asm__ volatile("lidt %0" : : "m"(idt_pointer));
    __asm__ volatile("lldt %w0" : : "r"(0));
    __asm__ volatile("ltr %w0" : : "r"(X86_TSS));
    syscall_registers_load();
}

void cpu_block_init_boot(void) {
    boot_block.self = &boot_block;
    msr_write(MSR_GS_BASE, (uint64_t)(uintptr_t)&boot_block);
}

void x86_boot_tables(void) {
    uint64_t tops[IST_COUNT];
    for (uint32_t i = 0; i < IST_COUNT; i++) {
        tops[i] = (uint64_t)(uintptr_t)boot_ist_stacks[i] + IST_STACK_BYTES;
    }
    x86_idt_init();
    x86_tables_load(&boot_block, tops);
}

void hal_kernel_stack_set(void *stack_top) {
    __asm__ volatile("movq %0, %%gs:%c1" : : "r"(stack_top), "i"(GS_STACK) : "memory");
}
