# x86_64: how the kernel's code is compiled and linked.
target_compile_options(helix_bare INTERFACE -ffreestanding -mno-red-zone -mgeneral-regs-only -fno-omit-frame-pointer -fstack-protector-strong -mstack-protector-guard=global
  -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -O2
  $<$<C_COMPILER_ID:Clang>:-nostdlibinc> $<$<C_COMPILER_ID:GNU>:-fno-pie>)
target_compile_options(helix_fixed INTERFACE -fno-pic -mcmodel=kernel)
target_compile_options(helix_movable INTERFACE
  $<IF:$<C_COMPILER_ID:Clang>,-fpie;-fvisibility=hidden;-fdirect-access-external-data,-fno-pic;-mcmodel=kernel>)
set(HELIX_LD_MACHINE elf_x86_64)
include(${CMAKE_CURRENT_LIST_DIR}/kernel.cmake)
