# riscv64: Linux's Image, and an ELF file at a fixed place.
set(BOOT_SOURCES riscv64/entry.S riscv64/start.c src/memory.c src/tree.c)
