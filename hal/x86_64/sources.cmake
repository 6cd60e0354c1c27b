set(HAL_SOURCES x86_64/branch.c x86_64/clock.c x86_64/context.c x86_64/describe.c x86_64/devices.c x86_64/features.c
  x86_64/firmware.c x86_64/gate.c x86_64/gate.S x86_64/init.c x86_64/ioapic.c x86_64/lapic.c x86_64/mmu.c x86_64/pagetable.c
  x86_64/power.c x86_64/rtc.c x86_64/serial.c x86_64/signal.c x86_64/smp.c x86_64/switch.S
  x86_64/tables.c x86_64/trampoline.S x86_64/trap.c x86_64/trap.S x86_64/usercopy.c
  x86_64/usercopy.S)
