# aarch64: how the kernel's code is compiled and linked. x18 is left to the entries (hal/aarch64/trap.S); atomics are
# inline, for there is no library that has them.
target_compile_options(helix_bare INTERFACE -ffreestanding -mgeneral-regs-only -march=armv8-a -ffixed-x18
  -mno-outline-atomics -fno-omit-frame-pointer -fstack-protector-strong -mstack-protector-guard=global
  -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -O2 -nostdlibinc)
target_compile_options(helix_fixed INTERFACE -fno-pic)
target_compile_options(helix_movable INTERFACE -fpie -fvisibility=hidden -fdirect-access-external-data)
set(HELIX_LD_MACHINE aarch64elf)
include(${CMAKE_CURRENT_LIST_DIR}/kernel.cmake)
