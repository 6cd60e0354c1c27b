// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/loader.h: packages in memory.
#pragma once

#include <helix/module.h>
#include <lib/package.h>

#define MODULE_NAME_BYTES 32u // with its end

// A writable part of a package as it was before anything in the package had run.
struct loaded_data {
    struct loaded_data *next; // own
    uint8_t *at;              // the part
    size_t size_bytes;
    uint8_t first[];
};

// A package that is loaded: its code, constants and data, each with its own rights.
struct loaded {
    uint8_t *memory; // own
    size_t span_bytes;
    const struct hx_module *module; // in it, checked
    struct loaded_data *data;       // own
};

// Verifies a package, loads it and checks its manifest; nothing in it has run, and unless it
// `runs_here`, nothing can: all of it is for reading. Borrows the bytes, which must be the kernel's
// own. Thread context. Each status but HX_OK comes with a line.
// Returns what package_verify(), package_parse() and package_place() do, and
//         HX_ERR_NOT_SUPPORTED  built for another SDK
//         HX_ERR_BAD_IMAGE      its manifest is not one
//         HX_ERR_NO_MEMORY
enum hx_status loader_load(const void *bytes, size_t size_bytes, bool runs_here,
                           struct loaded *out_loaded, struct package_refusal *refusal);
// Its data are what they were at first. Nobody is in the code. Thread context.
void loader_restart(const struct loaded *loaded);
// Takes the memory back. Nobody is in the code, and nobody will be.
void loader_unload(struct loaded *loaded);

// Tells the log who may sign packages.
void loader_tell_key(void);

#define USER_PARTS_MAX 8u

// What goes into the address space of a module in ring 3, laid out for its address there.
struct user_image {
    uint8_t *bytes; // own: span_bytes, zero where nothing was; NULL: there is none
    size_t span_bytes;
    uint64_t address;
    uint64_t entry; // user address of what PACKAGE_SYMBOL names
    uint64_t start; // of the host: where a worker begins
    uint64_t guard; // of the number that guards its stacks
    uint32_t part_count;
    struct package_part parts[USER_PARTS_MAX];
};

// The host's, made once, for good. HX_ERR_NO_MEMORY; HX_ERR_NOT_SUPPORTED: this machine has none.
// Under the lock of modules' lives, or once a module runs in ring 3.
enum hx_status host_image(const struct user_image **out_image);
// That of a package which loader_load() has taken. What <lib/package.h> refuses with, and as above.
enum hx_status isolated_image(const void *bytes, size_t size_bytes, struct user_image *out_image,
                              struct package_refusal *refusal);
void user_image_free(struct user_image *image);
