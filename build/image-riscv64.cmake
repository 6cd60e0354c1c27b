# riscv64: an ELF file, and Image.
set(HELIX_LD_MACHINE elf64lriscv)
include(${CMAKE_CURRENT_LIST_DIR}/image-raw.cmake)
