// SPDX-License-Identifier: MIT OR Apache-2.0
// options.c: mount options, as tmpfs of Linux has them (Documentation/filesystems/tmpfs.rst).
#include "ramfs.h"

#include <lib/string.h>

#define BLOCK_BYTES 4096u
#define VALUE_BYTES 32u

struct option {
    char key[VALUE_BYTES];
    char value[VALUE_BYTES]; // "" if there is none
};

// Copies up to a comma or `end`; gives where it stopped.
static const char *take_text(const char *at, char end, char *to, bool *out_valid) {
    size_t length = 0;
    for (; *at != '\0' && *at != ',' && *at != end; at++) {
        if (length + 1 < VALUE_BYTES) {
            to[length++] = *at;
        } else {
            *out_valid = false;
        }
    }
    to[length] = '\0';
    return at;
}

// Takes the next "key=value" off the list. False at the end; *out_valid: it fitted.
static bool next_option(const char **list, struct option *out_option, bool *out_valid) {
    const char *at = *list;
    while (*at == ',') {
        at++;
    }
    if (*at == '\0') {
        return false;
    }
    *out_valid = true;
    at = take_text(at, '=', out_option->key, out_valid);
    at += *at == '=' ? 1 : 0;
    *list = take_text(at, ',', out_option->value, out_valid);
    return true;
}

// "1234", "64k", "1g" in blocks; "50%" of `memory_blocks`.
static bool parse_size(struct option *option, uint64_t unit, uint64_t memory_blocks,
                       uint64_t *out_blocks) {
    static const char suffixes[] = "kmgt";
    size_t length = strlen(option->value);
    uint64_t number;
    unsigned shift = 0;
    bool is_percent = false;
    if (length > 0) {
        char last = option->value[length - 1];
        const char *found = strchr(suffixes, last | 0x20);
        is_percent = last == '%';
        if (last > '9' && found != NULL) {
            shift = 10 * (unsigned)(found - suffixes + 1);
        }
        if (shift != 0 || is_percent) {
            option->value[length - 1] = '\0';
        }
    }
    if (!string_to_u64(option->value, 10, &number) || (is_percent && number > 100) ||
        number > (UINT64_MAX >> 16 >> shift)) {
        return false;
    }
    *out_blocks = is_percent ? memory_blocks / 100 * number + memory_blocks % 100 * number / 100
                             : ((number << shift) * unit + BLOCK_BYTES - 1) / BLOCK_BYTES;
    return true;
}

static bool parse_octal(const char *text, uint32_t *out_value) {
    uint32_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7' || value > 07777) {
            return false;
        }
        value = value * 8 + (uint32_t)(*text - '0');
    }
    *out_value = value;
    return value <= 07777;
}

static bool parse_id(const char *text, uint32_t *out_value) {
    uint64_t value;
    if (!string_to_u64(text, 10, &value) || value >= UINT32_MAX) {
        return false;
    }
    *out_value = (uint32_t)value;
    return true;
}

// Known, and of no consequence here.
static bool is_ignored(const char *key) {
    static const char *const keys[] = { "huge", "mpol", "inode32", "inode64", "noswap" };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static bool apply(struct ramfs_mount *mount, struct option *option, bool refuses_unknown) {
    if (strcmp(option->key, "size") == 0) {
        return parse_size(option, 1, mount->memory_blocks, &mount->blocks);
    }
    if (strcmp(option->key, "nr_blocks") == 0) {
        return parse_size(option, BLOCK_BYTES, mount->memory_blocks, &mount->blocks);
    }
    if (strcmp(option->key, "nr_inodes") == 0) {
        return strchr(option->value, '%') == NULL &&
               parse_size(option, BLOCK_BYTES, 0, &mount->inodes_max);
    }
    if (strcmp(option->key, "mode") == 0) {
        return parse_octal(option->value, &mount->mode);
    }
    if (strcmp(option->key, "uid") == 0) {
        return parse_id(option->value, &mount->uid);
    }
    if (strcmp(option->key, "gid") == 0) {
        return parse_id(option->value, &mount->gid);
    }
    return is_ignored(option->key) || !refuses_unknown;
}

enum hx_status ramfs_options(struct ramfs_mount *mount, const char *options, bool refuses_unknown) {
    struct option option;
    bool is_valid;
    while (next_option(&options, &option, &is_valid)) {
        if (!is_valid || !apply(mount, &option, refuses_unknown)) {
            return HX_ERR_INVALID;
        }
    }
    return HX_OK;
}
