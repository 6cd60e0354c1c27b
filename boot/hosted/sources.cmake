# hosted: a process's main(), and nothing else.
set(BOOT_SOURCES hosted/archive.c hosted/main.c hosted/stack.S src/memory.c)
