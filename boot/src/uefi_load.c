// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/uefi_load.c: the way through UEFI's services, from its entry to where they end.
#include "uefi_load.h"

#include <lib/fdt.h>
#include <lib/string.h>

#define LINE_MAX     128u
#define REACHED_END  (1ull << 32) // boot's first page tables reach as far
#define MAP_SPARE    8u           // descriptors that getting the map's own memory may add
#define MAP_ATTEMPTS 2u           // 7.4.6: the map may have changed once

static const struct uefi_guid loaded_image_guid = {
    0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b }
};
static const struct uefi_guid device_tree_guid = {
    0xb1b621d5, 0xf19c, 0x41a5, { 0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0 }
};

// A map of memory, in memory of its own.
struct map {
    void *bytes;
    size_t capacity_bytes;
    size_t size_bytes;
    size_t descriptor_bytes;
    size_t key;
};

static void say(const struct uefi_load *load, const char *text) {
    uint16_t line[LINE_MAX];
    size_t length = 0;
    while (text[length] != '\0' && length < LINE_MAX - 1) {
        line[length] = (uint8_t)text[length];
        length++;
    }
    line[length] = 0;
    struct uefi_text_output *output = load->system->output;
    if (output != NULL) {
        (void)output->output_string(output, line);
    }
}

uefi_status_t uefi_refuse(const struct uefi_load *load, const char *text, uefi_status_t status) {
    say(load, "Helix: ");
    say(load, text);
    say(load, "\r\n");
    return status;
}

uefi_status_t uefi_pages(struct uefi_load *load, uint64_t size_bytes, void **out_memory) {
    struct uefi_taken taken = { REACHED_END - 1, ALIGN_UP(size_bytes, PAGE_SIZE) / PAGE_SIZE };
    if (size_bytes == 0 || size_bytes > REACHED_END || load->taken_count == UEFI_TAKEN_MAX) {
        return UEFI_OUT_OF_RESOURCES;
    }
    uefi_status_t status = load->boot->allocate_pages(UEFI_ALLOCATE_MAX_ADDRESS, UEFI_LOADER_DATA,
                                                      taken.npages, &taken.address);
    if (status == UEFI_OK) {
        load->taken[load->taken_count++] = taken;
        *out_memory = (void *)(uintptr_t)taken.address; // NOLINT(performance-no-int-to-ptr)
    }
    return status;
}

static void give_back(struct uefi_load *load) {
    while (load->taken_count > 0) {
        const struct uefi_taken *taken = &load->taken[--load->taken_count];
        (void)load->boot->free_pages(taken->address, taken->npages);
    }
}

// The firmware's device tree (4.6.1.3), as a copy where boot reaches it.
static uefi_status_t tree_copy(struct uefi_load *load) {
    const struct uefi_system_table *system = load->system;
    const void *tree = NULL;
    size_t size_bytes;
    void *copy;
    for (size_t i = 0; i < system->table_count && tree == NULL; i++) {
        if (memcmp(&system->tables[i].guid, &device_tree_guid, sizeof(device_tree_guid)) == 0) {
            tree = system->tables[i].table;
        }
    }
    if (tree == NULL) {
        return uefi_refuse(load, "this firmware brings no device tree (QEMU: -M virt,acpi=off)",
                           UEFI_UNSUPPORTED);
    }
    if (fdt_size(tree, &size_bytes) != HX_OK) {
        return uefi_refuse(load, "the firmware's device tree makes no sense", UEFI_UNSUPPORTED);
    }
    uefi_status_t status = uefi_pages(load, size_bytes, &copy);
    if (status != UEFI_OK) {
        return uefi_refuse(load, "no memory for the device tree", status);
    }
    memcpy(copy, tree, size_bytes);
    load->info->device_tree = paddr_make((uint64_t)(uintptr_t)copy);
    load->info->device_tree_bytes = size_bytes;
    return UEFI_OK;
}

// An empty one leaves the tree's to be taken.
static void words(const struct uefi_load *load) {
    struct boot_info *info = load->info;
    const struct uefi_loaded_image *image = load->image;
    if (image->load_options != NULL) {
        info->command_line_cut = !uefi_text(info->command_line, BOOT_COMMAND_MAX,
                                            image->load_options, image->load_options_bytes);
    }
    if (info->command_line[0] == '\0') {
        uefi_words_file(load);
    }
}

static uefi_status_t map_get(const struct uefi_load *load, struct map *map) {
    uint32_t version;
    map->size_bytes = map->capacity_bytes;
    return load->boot->get_memory_map(&map->size_bytes, map->bytes, &map->key,
                                      &map->descriptor_bytes, &version);
}

// Memory for the map, which gets longer by this.
static uefi_status_t map_make(struct uefi_load *load, struct map *map) {
    *map = (struct map){ 0 };
    uefi_status_t status = map_get(load, map);
    if (status != UEFI_BUFFER_TOO_SMALL) {
        return status == UEFI_OK ? UEFI_LOAD_ERROR : status;
    }
    const size_t size_bytes = map->size_bytes + MAP_SPARE * map->descriptor_bytes;
    status = uefi_pages(load, size_bytes, &map->bytes);
    map->capacity_bytes = ALIGN_UP(size_bytes, PAGE_SIZE);
    return status;
}

// From the first attempt on only these two functions may be called (7.4.6).
static uefi_status_t services_end(const struct uefi_load *load, void *image, struct map *map) {
    uefi_status_t status = UEFI_LOAD_ERROR;
    for (uint32_t i = 0; i < MAP_ATTEMPTS && status != UEFI_OK; i++) {
        status = map_get(load, map);
        if (status != UEFI_OK) {
            return status;
        }
        status = load->boot->exit_boot_services(image, map->key);
    }
    return status;
}

static uefi_status_t place_get(struct uefi_load *load, size_t size_bytes, size_t alignment,
                               void **out_place) {
    void *memory;
    uefi_status_t status = uefi_pages(load, size_bytes + alignment, &memory);
    if (status == UEFI_OK) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): memory is mapped one to one
        *out_place = (void *)ALIGN_UP((uintptr_t)memory, (uintptr_t)alignment);
    }
    return status;
}

// All that is asked of the firmware before its services end.
static uefi_status_t gather(struct uefi_load *load, size_t size_bytes, size_t alignment,
                            struct map *map, void **out_place) {
    words(load);
    uefi_status_t status = tree_copy(load);
    if (status == UEFI_OK) {
        status = uefi_initrd(load);
    }
    if (status != UEFI_OK) {
        return status;
    }
    status = place_get(load, size_bytes, alignment, out_place);
    if (status == UEFI_OK) {
        status = map_make(load, map);
    }
    return status == UEFI_OK ? UEFI_OK : uefi_refuse(load, "no memory for the kernel", status);
}

uefi_status_t uefi_load(void *image, struct uefi_system_table *system, size_t size_bytes,
                        size_t alignment, struct boot_info *info, void **out_place) {
    struct uefi_load load = { .system = system, .boot = system->boot, .info = info };
    struct map map;
    memset(info, 0, sizeof(*info));
    uefi_status_t status =
        load.boot->handle_protocol(image, &loaded_image_guid, (void **)&load.image);
    if (status != UEFI_OK) {
        return uefi_refuse(&load, "the firmware does not say how it was loaded", status);
    }
    status = gather(&load, size_bytes, alignment, &map, out_place);
    if (status != UEFI_OK) {
        give_back(&load);
        return status;
    }
    status = services_end(&load, image, &map);
    if (status == UEFI_OK) {
        uefi_memory(info, map.bytes, map.size_bytes, map.descriptor_bytes);
    }
    return status;
}
