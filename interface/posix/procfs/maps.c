// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/maps.c: mappings and mounts: maps, smaps, mounts.
#include "procfs.h"

#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

#define NAME_COLUMN 73u // as Linux's show_map_vma() has it with 64-bit pointers

// What is needed to write one mapping's line.
struct maps_writer {
    struct proc_text *text;
    struct path root; // the caller's
    char *path;       // PATH_BYTES_MAX
    bool detailed;    // smaps
};

// The file that is mapped; NULL if there is none.
static struct file *mapped_file(const struct mapping_info *info) {
    return info->file != NULL ? CONTAINER_OF(info->file, struct file, object) : NULL;
}

static void put_name(struct maps_writer *writer, const struct mapping_info *info, size_t column) {
    const char *name = info->label;
    const struct file *file = mapped_file(info);
    size_t length;
    if (file != NULL && file->path.name != NULL &&
        path_to_text(file->path, writer->root, writer->path, PATH_BYTES_MAX, &length) == HX_OK) {
        name = writer->path;
    }
    if (name != NULL) {
        text_put(writer->text, "%*s%s", (int)(NAME_COLUMN > column ? NAME_COLUMN - column : 1), "",
                 name);
    }
    text_put(writer->text, "\n");
}

static void put_head(struct maps_writer *writer, const struct mapping_info *info) {
    uint64_t device = 0;
    uint64_t node = 0;
    struct file *file = mapped_file(info);
    if (file != NULL) {
        struct file_identity identity;
        file_identity(file, &identity);
        device = identity.device;
        node = identity.info.node;
    }
    char line[128];
    const size_t column =
        format_string(line, sizeof(line), "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ",
                      (unsigned long long)info->start, (unsigned long long)info->end,
                      (info->protection & ASPACE_READ) != 0 ? 'r' : '-',
                      (info->protection & ASPACE_WRITE) != 0 ? 'w' : '-',
                      (info->protection & ASPACE_EXECUTE) != 0 ? 'x' : '-',
                      (info->flags & ASPACE_SHARED) != 0 ? 's' : 'p',
                      (unsigned long long)(file != NULL ? info->offset_bytes : 0),
                      (unsigned)(device >> 32), (unsigned)device, (unsigned long long)node);
    text_bytes(writer->text, line, column);
    put_name(writer, info, column);
}

static void put_details(struct maps_writer *writer, const struct mapping_info *info) {
    struct proc_text *text = writer->text;
    const unsigned long long size_kb = (info->end - info->start) >> 10;
    const unsigned long long resident_kb = info->resident_pages << (PAGE_SHIFT - 10);
    text_put(text, "Size:           %8llu kB\n", size_kb);
    text_put(text, "KernelPageSize: %8u kB\n", (unsigned)(PAGE_SIZE >> 10));
    text_put(text, "MMUPageSize:    %8u kB\n", (unsigned)(PAGE_SIZE >> 10));
    text_put(text, "Rss:            %8llu kB\n", resident_kb);
    text_put(text, "VmFlags:%s%s%s%s \n", (info->protection & ASPACE_READ) != 0 ? " rd" : "",
             (info->protection & ASPACE_WRITE) != 0 ? " wr" : "",
             (info->protection & ASPACE_EXECUTE) != 0 ? " ex" : "",
             (info->flags & ASPACE_SHARED) != 0 ? " sh" : "");
}

static void put_mappings(struct maps_writer *writer, struct aspace *aspace) {
    struct mapping_info info;
    uint64_t address = 0;
    while (!text_is_full(writer->text) && aspace_next_mapping(aspace, address, &info)) {
        put_head(writer, &info);
        if (writer->detailed) {
            put_details(writer, &info);
        }
        if (info.file != NULL) {
            object_put(info.file);
        }
        address = info.end;
    }
}

static enum hx_status put_maps(const struct proc_target *target, struct proc_text *text,
                               bool detailed) {
    enum hx_status status = proc_may_inspect(target->process);
    if (status != HX_OK) {
        return status;
    }
    struct aspace *aspace = process_aspace(target->process->process);
    if (aspace == NULL) {
        return HX_OK; // a zombie has none
    }
    struct maps_writer writer = { .text = text, .detailed = detailed };
    writer.path = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    status = HX_ERR_NO_MEMORY;
    if (writer.path != NULL) {
        writer.root = fs_context_root(posix_current()->fs);
        put_mappings(&writer, aspace);
        path_put(writer.root);
        status = HX_OK;
    }
    heap_free(writer.path);
    aspace_put(aspace);
    return status;
}

enum hx_status proc_maps(const struct proc_target *target, struct proc_text *text) {
    return put_maps(target, text, false);
}

enum hx_status proc_smaps(const struct proc_target *target, struct proc_text *text) {
    return put_maps(target, text, true);
}

enum hx_status proc_mounts(const struct proc_target *target, struct proc_text *text) {
    uint32_t length = 0;
    enum hx_status status = vfs_mounts_text(target->process->process->ns->mounts, text->skip,
                                            text->buffer, text->capacity, &length);
    if (status == HX_OK) {
        text->length = length;
    }
    return status;
}

// mem: the process's memory at the file's position, as far as it is mapped. HX_ERR_IO: it is not.
enum hx_status proc_memory(const struct proc_target *target, struct proc_text *text) {
    enum hx_status status = proc_may_inspect(target->process);
    if (status != HX_OK) {
        return status;
    }
    struct aspace *aspace = process_aspace(target->process->process);
    if (aspace == NULL) {
        return HX_OK; // dead: the end of the file
    }
    status = HX_OK;
    while (text->length < text->capacity && status == HX_OK) {
        const uint64_t address = text->skip + text->length;
        const uint32_t in_page = (uint32_t)(PAGE_SIZE - (address & PAGE_MASK));
        const uint32_t count = MIN_OF(in_page, text->capacity - text->length);
        status = aspace_read_other(aspace, uaddr_make(address), text->buffer + text->length, count);
        text->length += status == HX_OK ? count : 0;
    }
    aspace_put(aspace);
    return text->length > 0 ? HX_OK : HX_ERR_IO;
}
