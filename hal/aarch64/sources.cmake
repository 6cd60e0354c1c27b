set(HAL_SOURCES aarch64/branch.c aarch64/clock.c aarch64/console.c aarch64/context.c aarch64/describe.c aarch64/devices.c aarch64/features.c
  aarch64/firmware.c aarch64/gate.c aarch64/gate.S aarch64/gic.c aarch64/gic_its.c aarch64/gic_v2m.c aarch64/init.c aarch64/mmu.c aarch64/pagetable.c aarch64/power.c aarch64/signal.c aarch64/smp.c
  aarch64/start.S aarch64/switch.S aarch64/trap.c aarch64/trap.S aarch64/usercopy.c aarch64/usercopy.S
  firmware/fdt/devices.c firmware/fdt/pci.c firmware/fdt/tree.c)
