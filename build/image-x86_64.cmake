# x86_64: an ELF file, which loaders of PVH and Multiboot2 take as it is.
include(${CMAKE_CURRENT_LIST_DIR}/image.cmake)
