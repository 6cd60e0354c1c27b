# aarch64: Linux's Image, which is a program of UEFI too, and an ELF file at a fixed place.
set(BOOT_SOURCES aarch64/entry.S aarch64/header.S aarch64/start.c aarch64/uefi.S aarch64/uefi.c src/memory.c src/tree.c
  src/uefi_files.c src/uefi_load.c src/uefi_memory.c src/uefi_words.c)
