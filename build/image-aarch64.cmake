# aarch64: an ELF file, and Image.
set(HELIX_LD_MACHINE aarch64elf)
include(${CMAKE_CURRENT_LIST_DIR}/image-raw.cmake)
