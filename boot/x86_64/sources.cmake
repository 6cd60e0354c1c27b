# x86_64: PVH and Multiboot2.
set(BOOT_SOURCES x86_64/entry.S x86_64/start.c src/memory.c)
