# aarch64: Linux's Image, and an ELF file at a fixed place.
set(BOOT_SOURCES aarch64/entry.S aarch64/start.c src/memory.c src/tree.c)
