// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/uefi_files.c: the initial archive and the file of words, from the firmware's file system
// or from whoever loads us.
#include "uefi_load.h"

#include <lib/string.h>

#define NAME_MAX 256u

static const struct uefi_guid file_system_guid = {
    0x964e5b22, 0x6459, 0x11d2, { 0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b }
};
static const struct uefi_guid file_info_guid = {
    0x09576e92, 0x6d3f, 0x11d2, { 0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b }
};
static const struct uefi_guid load_file_guid = {
    0x4006c0c1, 0xfcb3, 0x403e, { 0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d }
};

// LINUX_EFI_INITRD_MEDIA_GUID as a device path: a vendor's medium (10.3.5.3), and the end (10.3.1).
static const struct {
    struct uefi_device_path vendor;
    struct uefi_guid guid;
    struct uefi_device_path end;
} initrd_path = {
    { 4, 3, { 20, 0 } },
    { 0x5568e427, 0x68fc, 0x4f3d, { 0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 } },
    { 0x7f, 0xff, { 4, 0 } },
};

// The root of the file system that the image came from; NULL: it came from elsewhere.
static struct uefi_file *volume_open(const struct uefi_load *load) {
    struct uefi_file_system *system;
    struct uefi_file *root;
    if (load->image->device == NULL ||
        load->boot->handle_protocol(load->image->device, &file_system_guid, (void **)&system) !=
            UEFI_OK ||
        system->open_volume(system, &root) != UEFI_OK) {
        return NULL;
    }
    return root;
}

// A file, and its size. A directory is none; nor is an empty name, which opens one (13.5.2).
static uefi_status_t file_open(struct uefi_file *root, const uint16_t *name,
                               struct uefi_file **out_file, uint64_t *out_size_bytes) {
    struct uefi_file_info info;
    size_t info_bytes = sizeof(info);
    uefi_status_t status = root->open(root, out_file, name, UEFI_FILE_READ, 0);
    if (status != UEFI_OK) {
        return status;
    }
    status = (*out_file)->get_info(*out_file, &file_info_guid, &info_bytes, &info);
    if (status == UEFI_OK && (info.attribute & UEFI_FILE_DIRECTORY) != 0) {
        status = UEFI_UNSUPPORTED;
    }
    if (status != UEFI_OK) {
        (void)(*out_file)->close(*out_file);
        return status;
    }
    *out_size_bytes = info.file_bytes;
    return UEFI_OK;
}

// Exactly `size_bytes`.
static uefi_status_t file_read(struct uefi_file *file, char *to, uint64_t size_bytes) {
    while (size_bytes > 0) {
        size_t piece = size_bytes;
        uefi_status_t status = file->read(file, &piece, to);
        if (status != UEFI_OK) {
            return status;
        }
        if (piece == 0 || piece > size_bytes) {
            return UEFI_LOAD_ERROR;
        }
        to += piece;
        size_bytes -= piece;
    }
    return UEFI_OK;
}

// The files that the command line names, into `to`, which has room for `capacity` bytes, or (NULL)
// only their size.
static uefi_status_t files_read(const struct uefi_load *load, struct uefi_file *root, char *to,
                                uint64_t capacity, uint64_t *out_size_bytes) {
    uint16_t name[NAME_MAX];
    size_t at = 0;
    uint64_t used = 0;
    while (uefi_initrd_word(load->info->command_line, &at, name, NAME_MAX)) {
        struct uefi_file *file;
        uint64_t size_bytes;
        uefi_status_t status = file_open(root, name, &file, &size_bytes);
        if (status != UEFI_OK) {
            return status;
        }
        if (size_bytes > capacity - used) {
            status = UEFI_LOAD_ERROR;
        } else if (to != NULL) {
            status = file_read(file, to + used, size_bytes);
        }
        (void)file->close(file);
        if (status != UEFI_OK) {
            return status;
        }
        used += size_bytes;
    }
    *out_size_bytes = used;
    return UEFI_OK;
}

static uefi_status_t initrd_from_files(struct uefi_load *load) {
    struct uefi_file *root = volume_open(load);
    uint64_t size_bytes = 0;
    void *memory = NULL;
    if (root == NULL) {
        return UEFI_NOT_FOUND;
    }
    uefi_status_t status = files_read(load, root, NULL, UINT32_MAX, &size_bytes);
    if (status == UEFI_OK && size_bytes > 0) {
        status = uefi_pages(load, size_bytes, &memory);
        if (status == UEFI_OK) {
            status = files_read(load, root, memory, size_bytes, &size_bytes);
        }
    }
    (void)root->close(root);
    if (status == UEFI_OK) {
        load->info->initrd = paddr_make((uint64_t)(uintptr_t)memory);
        load->info->initrd_bytes = size_bytes;
    }
    return status;
}

// Who brings an archive; NULL: nobody.
static struct uefi_load_file *loader_find(const struct uefi_load *load,
                                          const struct uefi_device_path **out_path) {
    struct uefi_load_file *file;
    void *handle;
    *out_path = &initrd_path.vendor;
    return load->boot->locate_device_path(&load_file_guid, out_path, &handle) == UEFI_OK &&
                   load->boot->handle_protocol(handle, &load_file_guid, (void **)&file) == UEFI_OK
               ? file
               : NULL;
}

static uefi_status_t initrd_from_loader(struct uefi_load *load, struct uefi_load_file *file,
                                        const struct uefi_device_path *path) {
    size_t size_bytes = 0;
    void *memory;
    uefi_status_t status = file->load_file(file, path, false, &size_bytes, NULL);
    if (status != UEFI_BUFFER_TOO_SMALL || size_bytes == 0) {
        return status == UEFI_OK ? UEFI_LOAD_ERROR : status;
    }
    const size_t capacity = size_bytes;
    status = uefi_pages(load, capacity, &memory);
    if (status == UEFI_OK) {
        status = file->load_file(file, path, false, &size_bytes, memory);
    }
    if (status != UEFI_OK || size_bytes > capacity) {
        return status == UEFI_OK ? UEFI_LOAD_ERROR : status;
    }
    load->info->initrd = paddr_make((uint64_t)(uintptr_t)memory);
    load->info->initrd_bytes = size_bytes;
    return UEFI_OK;
}

// Whoever brings one and then fails, whatever he says, is not asked for files instead.
uefi_status_t uefi_initrd(struct uefi_load *load) {
    uint16_t name[NAME_MAX];
    size_t at = 0;
    uefi_status_t status = UEFI_OK;
    const struct uefi_device_path *path;
    struct uefi_load_file *loader = loader_find(load, &path);
    if (loader != NULL) {
        status = initrd_from_loader(load, loader, path);
    } else if (uefi_initrd_word(load->info->command_line, &at, name, NAME_MAX)) {
        status = initrd_from_files(load);
    }
    return status == UEFI_OK ? UEFI_OK : uefi_refuse(load, "the initrd cannot be loaded", status);
}

void uefi_words_file(const struct uefi_load *load) {
    static const uint16_t name[] = UEFI_WORDS_FILE;
    struct boot_info *info = load->info;
    struct uefi_file *root = volume_open(load);
    struct uefi_file *file;
    uint64_t size_bytes;
    if (root == NULL) {
        return;
    }
    if (file_open(root, name, &file, &size_bytes) == UEFI_OK) {
        const uint64_t kept = MIN_OF(size_bytes, BOOT_COMMAND_MAX - 1);
        info->command_line_cut = kept < size_bytes;
        const bool read = file_read(file, info->command_line, kept) == UEFI_OK;
        uefi_words_clean(info->command_line, read ? kept : 0);
        (void)file->close(file);
    }
    (void)root->close(root);
}
