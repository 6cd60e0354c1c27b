# riscv64: how the kernel's code is compiled and linked. gp and tp are the kernel's own, which compiled code leaves alone
# (hal/riscv64/include/hal_arch/cpu.h): nothing is relaxed to gp.
target_compile_options(helix_bare INTERFACE -ffreestanding -march=rv64imac_zicsr_zifencei -mabi=lp64
  -mcmodel=medany -mno-relax -fno-omit-frame-pointer -fstack-protector-strong
  -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -O2 -nostdlibinc)
target_compile_definitions(helix_bare INTERFACE HELIX_ALIGNED_WORDS=1) # lib/src/string.c
target_compile_options(helix_fixed INTERFACE -fno-pic -msmall-data-limit=0)
target_compile_options(helix_movable INTERFACE -fpie -fvisibility=hidden -fdirect-access-external-data)
set(HELIX_LD_MACHINE elf64lriscv)
set(HELIX_PROGRAM_FLAGS -march=rv64gc -mabi=lp64d -mno-relax)
include(${CMAKE_CURRENT_LIST_DIR}/kernel.cmake)
