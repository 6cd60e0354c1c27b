// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/uefi.h: of UEFI's tables (UEFI 2.10) what boot uses. Fields that it does not use have no
// type. Functions have the machine's ordinary calling convention, as on aarch64 and riscv64 (2.3).
#pragma once

#include <helix/types.h>

typedef uint64_t uefi_status_t; // appendix D

#define UEFI_OK                0ull
#define UEFI_ERROR(number)     (1ull << 63 | (number))
#define UEFI_LOAD_ERROR        UEFI_ERROR(1)
#define UEFI_INVALID_PARAMETER UEFI_ERROR(2)
#define UEFI_UNSUPPORTED       UEFI_ERROR(3)
#define UEFI_BUFFER_TOO_SMALL  UEFI_ERROR(5)
#define UEFI_OUT_OF_RESOURCES  UEFI_ERROR(9)
#define UEFI_NOT_FOUND         UEFI_ERROR(14)

#define UEFI_FILE_READ 1ull // 13.5.2
// 7.2.1
#define UEFI_ALLOCATE_MAX_ADDRESS 1u

// Kinds of memory, and what it can be mapped as (7.2.1, 7.2.3).
enum uefi_memory_type {
    UEFI_LOADER_CODE = 1,
    UEFI_LOADER_DATA = 2,
    UEFI_BOOT_SERVICES_CODE = 3,
    UEFI_BOOT_SERVICES_DATA = 4,
    UEFI_CONVENTIONAL = 7,
    UEFI_ACPI_RECLAIM = 9,
    UEFI_ACPI_NVS = 10,
};
#define UEFI_MEMORY_WB 8ull

struct uefi_memory_descriptor {
    uint32_t type;
    uint64_t physical_start;
    uint64_t virtual_start;
    uint64_t number_of_pages; // of 4 KiB
    uint64_t attribute;
};

struct uefi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

// 7.3.9: what a firmware has for whoever asks; each known by an address of its own.
struct uefi_device_path {
    uint8_t type, subtype;
    uint8_t length[2];
};

struct uefi_boot_services { // 4.4
    uint8_t header[24];
    void *raise_tpl, *restore_tpl;
    uefi_status_t (*allocate_pages)(uint32_t type, uint32_t memory_type, size_t npages,
                                    uint64_t *inout_address);
    uefi_status_t (*free_pages)(uint64_t address, size_t npages);
    uefi_status_t (*get_memory_map)(size_t *inout_size_bytes, void *map, size_t *out_key,
                                    size_t *out_descriptor_bytes, uint32_t *out_version);
    void *unused_1[11];
    uefi_status_t (*handle_protocol)(void *handle, const struct uefi_guid *protocol, void **out);
    void *unused_2[3];
    uefi_status_t (*locate_device_path)(const struct uefi_guid *protocol,
                                        const struct uefi_device_path **inout_path,
                                        void **out_handle);
    void *unused_3[5];
    uefi_status_t (*exit_boot_services)(void *image, size_t key);
};

struct uefi_text_output { // 12.4
    void *reset;
    uefi_status_t (*output_string)(struct uefi_text_output *self, const uint16_t *text);
};

struct uefi_table { // 4.6
    struct uefi_guid guid;
    void *table;
};

struct uefi_system_table { // 4.3
    uint8_t header[24];
    void *vendor;
    uint32_t revision;
    void *input_handle, *input, *output_handle;
    struct uefi_text_output *output;
    void *error_handle, *error, *runtime;
    struct uefi_boot_services *boot;
    size_t table_count;
    const struct uefi_table *tables;
};

struct uefi_loaded_image { // 9.1
    uint32_t revision;
    void *parent, *system, *device, *path, *reserved;
    uint32_t load_options_bytes;
    const void *load_options;
};

struct uefi_file { // 13.5
    uint64_t revision;
    uefi_status_t (*open)(struct uefi_file *self, struct uefi_file **out_file, const uint16_t *name,
                          uint64_t mode, uint64_t attributes);
    uefi_status_t (*close)(struct uefi_file *self);
    void *unused_1;
    uefi_status_t (*read)(struct uefi_file *self, size_t *inout_size_bytes, void *buffer);
    void *unused_2[3];
    uefi_status_t (*get_info)(struct uefi_file *self, const struct uefi_guid *type,
                              size_t *inout_size_bytes, void *buffer);
};

struct uefi_file_info { // 13.5.16
    uint64_t info_bytes;
    uint64_t file_bytes;
    uint64_t disk_bytes, times[6];
    uint64_t attribute;
    uint64_t rest[54]; // with room for the name
};
#define UEFI_FILE_DIRECTORY 0x10ull // its bytes are no file's

struct uefi_file_system { // 13.4
    uint64_t revision;
    uefi_status_t (*open_volume)(struct uefi_file_system *self, struct uefi_file **out_root);
};

struct uefi_load_file { // 13.2
    uefi_status_t (*load_file)(struct uefi_load_file *self, const struct uefi_device_path *path,
                               bool boot_policy, size_t *inout_size_bytes, void *buffer);
};
