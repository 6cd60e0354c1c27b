set(HAL_SOURCES riscv64/branch.c riscv64/clock.c riscv64/code.c riscv64/console.c riscv64/context.c riscv64/describe.c riscv64/devices.c
  riscv64/features.c riscv64/firmware.c riscv64/gate.c riscv64/gate.S riscv64/init.c riscv64/mmu.c riscv64/pagetable.c
  riscv64/plic.c riscv64/power.c riscv64/sbi.c riscv64/signal.c riscv64/smp.c riscv64/start.S riscv64/switch.S riscv64/trap.c
  riscv64/trap.S riscv64/usercopy.c
  firmware/fdt/devices.c firmware/fdt/pci.c firmware/fdt/tree.c)
