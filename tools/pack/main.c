// SPDX-License-Identifier: MIT OR Apache-2.0
// main.c: keys, signatures and tables for packages of modules.
#include "pack.h"

#include <lib/package.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("pack: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

char *read_file(const char *path, size_t more, size_t *out_size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fail("%s: %m", path);
    }
    const long size = ftell(file);
    rewind(file);
    char *bytes = size < 0 ? NULL : calloc(1, (size_t)size + more + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        fail("%s cannot be read", path);
    }
    (void)fclose(file);
    *out_size = (size_t)size;
    return bytes;
}

void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        fail("%s: %m", path);
    }
}

static void read_key(const char *path, uint8_t out_seed[ED25519_SEED_BYTES]) {
    size_t size;
    char *bytes = read_file(path, 0, &size);
    if (size != ED25519_SEED_BYTES) {
        fail("%s is not a key", path);
    }
    memcpy(out_seed, bytes, size);
    free(bytes);
}

static void read_public(const char *path, uint8_t out_key[ED25519_KEY_BYTES]) {
    uint8_t seed[ED25519_SEED_BYTES];
    read_key(path, seed);
    ed25519_public(seed, out_key);
}

static void show_public(const char *path) {
    uint8_t key[ED25519_KEY_BYTES];
    read_public(path, key);
    for (size_t i = 0; i < sizeof(key); i++) {
        (void)printf("%02x", key[i]);
    }
    (void)putchar('\n');
}

// Whether the two are one is what the bytes say, wherever the files lie.
static void write_public(const char *path, const char *key_path, const char *development_path,
                         bool takes_development) {
    uint8_t key[ED25519_KEY_BYTES];
    uint8_t development[ED25519_KEY_BYTES];
    char text[1024] = "// Made by tools/pack: who may sign modules.\n#include \"exports.h\"\n\n"
                      "const uint8_t module_key[ED25519_KEY_BYTES] = {";
    size_t length = strlen(text);
    read_public(key_path, key);
    read_public(development_path, development);
    const bool is_development = memcmp(key, development, sizeof(key)) == 0;
    if (is_development && !takes_development) {
        fail("this profile takes no development key: ./helix key FILE makes one of yours, "
             "--key FILE gives it");
    }
    for (size_t i = 0; i < sizeof(key); i++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s0x%02x,",
                                   i % 8 == 0 ? "\n    " : " ", key[i]);
    }
    length += (size_t)snprintf(text + length, sizeof(text) - length,
                               "\n};\nconst bool module_key_is_development = %s;\n",
                               is_development ? "true" : "false");
    write_file(path, text, length);
}

static uint64_t number_at(const char *bytes, size_t size) {
    uint64_t value = 0;
    memcpy(&value, bytes, size); // of this machine's order, which is ELF's
    return value;
}

// Where the last part ends: names for debuggers lie behind it, and stay out.
static size_t loaded_bytes(const char *path, const char *elf, size_t size) {
    const uint64_t first = size < ELF_HEADER_BYTES ? size : number_at(elf + 32, 8);
    const uint64_t count = size < ELF_HEADER_BYTES ? 0 : number_at(elf + 56, 2);
    size_t end = 0;
    if (count == 0 || first > size || count * ELF_PROGRAM_BYTES > size - first) {
        fail("%s is not a linked file", path);
    }
    for (uint64_t i = 0; i < count; i++) {
        const char *program = elf + first + i * ELF_PROGRAM_BYTES;
        const uint64_t last = number_at(program + 8, 8) + number_at(program + 32, 8);
        if (number_at(program, 4) == 1 && last <= size && last > end) {
            end = last;
        }
    }
    return end;
}

static void sign(const char *key_path, const char *from, const char *to) {
    uint8_t seed[ED25519_SEED_BYTES];
    size_t size;
    char *elf = read_file(from, PACKAGE_TRAILER_BYTES, &size);
    const size_t end = loaded_bytes(from, elf, size);
    memset(elf + 40, 0, 8);     // e_shoff: the table of sections is behind that end, too,
    memset(elf + 58, 0, 3 * 2); // with its size, its number and its names
    read_key(key_path, seed);
    package_sign(seed, elf, end);
    write_file(to, elf, end + PACKAGE_TRAILER_BYTES);
    free(elf);
}

int main(int count, char **words) {
    if (count == 3 && strcmp(words[1], "show") == 0) {
        show_public(words[2]);
    } else if (count == 6 && strcmp(words[1], "public") == 0) {
        write_public(words[2], words[3], words[4], strcmp(words[5], "refuse") != 0);
    } else if (count == 5 && strcmp(words[1], "sign") == 0) {
        sign(words[2], words[3], words[4]);
    } else if (count >= 4 && strcmp(words[1], "exports") == 0) {
        write_exports(words[2], words + 3, count - 3);
    } else {
        fail("show KEY | public OUT.c KEY DEVELOPMENT-KEY take|refuse | sign KEY IN OUT.hxm | "
             "exports OUT.c HEADER...");
    }
    return 0;
}
