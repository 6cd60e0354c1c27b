// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/loader.c: from a package's bytes to a module that can be started.
//
// The image is laid out in memory that is written and never executed; then each part gets its own
// rights, and none can be written and executed at any time.
#include "loader.h"

#include "exports.h"

#include <core/log.h>
#include <core/random.h>
#include <hal/mmu.h>
#include <hal/user_abi.h>
#include <helix/package.h>
#include <lib/string.h>
#include <memory/heap.h>

#define PORTS_MAX 16u // that a manifest lists of each kind

static uint64_t resolve(const char *name) {
    for (const struct export *row = module_exports; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row->address;
        }
    }
    return 0;
}

// The manifest
// ------------------------------------------------------------------------------------------------

static bool is_in(const struct loaded *it, const void *at, size_t size_bytes) {
    const uintptr_t offset = (uintptr_t)at - (uintptr_t)it->memory;
    return offset < it->span_bytes && size_bytes <= it->span_bytes - offset;
}

static bool is_table(const struct loaded *it, const void *at, size_t count, size_t row_bytes) {
    return count <= PORTS_MAX && (count == 0 || is_in(it, at, count * row_bytes));
}

// Whether it ends within the image and within what a name may have.
static bool is_text(const struct loaded *it, const char *text) {
    for (uint32_t i = 0; i < MODULE_NAME_BYTES; i++) {
        if (!is_in(it, text + i, 1)) {
            return false;
        }
        if (text[i] == '\0') {
            return i != 0;
        }
    }
    return false;
}

// Letters, digits, '_' and '-'.
static bool is_name(const char *name) {
    for (; *name != '\0'; name++) {
        const bool is_letter = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9');
        if (!is_letter && *name != '_' && *name != '-') {
            return false;
        }
    }
    return true;
}

static bool ports_are_good(const struct loaded *it, const struct hx_module *module) {
    if (!is_table(it, module->provides, module->provides_count, sizeof(*module->provides)) ||
        !is_table(it, module->needs, module->needs_count, sizeof(*module->needs))) {
        return false;
    }
    for (uint32_t i = 0; i < module->provides_count; i++) {
        if (!is_text(it, module->provides[i].port)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < module->needs_count; i++) {
        if (!is_text(it, module->needs[i].port)) {
            return false;
        }
    }
    return true;
}

static bool devices_are_good(const struct loaded *it, const struct hx_module *module) {
    if (!is_table(it, (const void *)module->devices, module->devices_count,
                  sizeof(*module->devices)) ||
        !is_table(it, module->io_ports, module->io_ports_count, sizeof(*module->io_ports))) {
        return false;
    }
    for (uint32_t i = 0; i < module->devices_count; i++) {
        if (!is_text(it, module->devices[i])) {
            return false;
        }
    }
    return true;
}

static enum hx_status check_manifest(const struct loaded *it, const struct hx_module *module,
                                     struct package_refusal *refusal) {
    if (!is_in(it, module, sizeof(module->sdk_abi))) {
        return package_refuse(refusal, HX_ERR_BAD_IMAGE,
                              "expected a manifest within the package, found one outside");
    }
    if (module->sdk_abi != HX_SDK_ABI) {
        return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                              "expected a module for SDK %u, found one for SDK %u", HX_SDK_ABI,
                              module->sdk_abi);
    }
    if (!is_in(it, module, sizeof(*module)) || !is_text(it, module->name) ||
        !is_name(module->name) || !is_in(it, module->ops, sizeof(*module->ops)) ||
        !ports_are_good(it, module) || !devices_are_good(it, module)) {
        return package_refuse(refusal, HX_ERR_BAD_IMAGE,
                              "expected a manifest with a name, operations, ports and devices, "
                              "found something else");
    }
    return HX_OK;
}

// Reads what the package exports, and makes up the number that guards its stacks.
static enum hx_status read_entry(struct loaded *it, uint64_t entry,
                                 struct package_refusal *refusal) {
    const struct hx_package *package = (const void *)(it->memory + entry);
    if (!is_in(it, (const void *)package->first, sizeof(*package->first)) ||
        package->end - package->first != 1 || !is_in(it, package->guard, sizeof(uintptr_t)) ||
        (uintptr_t)package->guard % sizeof(uintptr_t) != 0) {
        return package_refuse(refusal, HX_ERR_BAD_IMAGE, "expected one manifest, found %td",
                              package->end - package->first);
    }
    random_bytes(package->guard, sizeof(*package->guard));
    it->module = *package->first;
    return check_manifest(it, it->module, refusal);
}

// Loading
// ------------------------------------------------------------------------------------------------

static uint32_t map_rights(uint32_t elf_rights) {
    return HAL_MAP_READ | ((elf_rights & ELF_SEGMENT_WRITE) != 0 ? HAL_MAP_WRITE : 0) |
           ((elf_rights & ELF_SEGMENT_EXECUTE) != 0 ? HAL_MAP_EXECUTE : 0);
}

static enum hx_status protect(const struct loaded *it, const struct package_image *image,
                              bool runs_here) {
    struct package_part part;
    uint32_t cursor = 0;
    enum hx_status status = HX_OK;
    while (status == HX_OK && package_next_part(image, &cursor, &part)) {
        status = kernel_module_protect(it->memory + part.offset, part.size_bytes,
                                       map_rights(runs_here ? part.rights : 0));
    }
    return status;
}

static enum hx_status data_keep(struct loaded *it, const struct package_image *image) {
    struct package_part part;
    uint32_t cursor = 0;
    while (package_next_part(image, &cursor, &part)) {
        if ((part.rights & ELF_SEGMENT_WRITE) == 0) {
            continue;
        }
        struct loaded_data *data = heap_alloc(sizeof(*data) + part.size_bytes, MEMORY_SLEEP);
        if (data == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        *data = (struct loaded_data){ it->data, it->memory + part.offset, part.size_bytes };
        memcpy(data->first, data->at, data->size_bytes);
        it->data = data;
    }
    return HX_OK;
}

static enum hx_status load_image(const struct package_image *image, bool runs_here,
                                 struct loaded *it, struct package_refusal *refusal) {
    const struct package_place place = { it->memory, (uintptr_t)it->memory, resolve };
    uint64_t entry;
    enum hx_status status = package_place(image, hal_package_machine(), &place,
                                          sizeof(struct hx_package), &entry, refusal);
    if (status == HX_OK) {
        status = read_entry(it, entry, refusal);
    }
    if (status != HX_OK) {
        return status;
    }
    status = protect(it, image, runs_here);
    status = status == HX_OK && runs_here ? data_keep(it, image) : status;
    return status == HX_OK ? HX_OK : package_refuse(refusal, status, "%s", hx_status_name(status));
}

enum hx_status loader_load(const void *bytes, size_t size_bytes, bool runs_here,
                           struct loaded *out_loaded, struct package_refusal *refusal) {
    struct package_image image;
    size_t elf_bytes;
    enum hx_status status = package_verify(bytes, size_bytes, module_key, &elf_bytes, refusal);
    if (status == HX_OK) {
        status = package_parse(bytes, elf_bytes, hal_package_machine(), &image, refusal);
    }
    if (status != HX_OK) {
        return status;
    }
    struct loaded loaded = { .span_bytes = image.span_bytes };
    loaded.memory = kernel_module_alloc(loaded.span_bytes);
    if (loaded.memory == NULL) {
        return package_refuse(refusal, HX_ERR_NO_MEMORY, "no memory for %zu bytes",
                              loaded.span_bytes);
    }
    status = load_image(&image, runs_here, &loaded, refusal);
    if (status != HX_OK) {
        loader_unload(&loaded);
        return status;
    }
    *out_loaded = loaded;
    return HX_OK;
}

void loader_tell_key(void) {
    log_info("packages are believed that key %s has signed%s", package_fingerprint(module_key).text,
             module_key_is_development ? ", the development key of a checkout" : "");
}

void loader_restart(const struct loaded *loaded) {
    for (const struct loaded_data *data = loaded->data; data != NULL; data = data->next) {
        memcpy(data->at, data->first, data->size_bytes);
    }
}

void loader_unload(struct loaded *loaded) {
    struct loaded_data *data;
    while ((data = loaded->data) != NULL) {
        loaded->data = data->next;
        heap_free(data);
    }
    kernel_map_free(loaded->memory, loaded->span_bytes);
    *loaded = (struct loaded){ 0 };
}
