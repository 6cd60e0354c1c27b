# riscv64: an ELF file, and Image.
include(${CMAKE_CURRENT_LIST_DIR}/image-raw.cmake)
