set(HAL_SOURCES hosted/branch.c hosted/clock.c hosted/context.c hosted/cpu.c hosted/disk.c hosted/gate.c hosted/gate.S hosted/host.c hosted/init.c hosted/irq.c hosted/mmu.c
  hosted/pagetable.c hosted/signal.c hosted/switch.S hosted/trap.c hosted/user.c
  hosted/uart.c hosted/usercopy.c)
if(HELIX_SANITIZE STREQUAL "simulation")
  list(APPEND HAL_SOURCES hosted/simulation.c)
else()
  list(APPEND HAL_SOURCES hosted/host_threads.c)
endif()
