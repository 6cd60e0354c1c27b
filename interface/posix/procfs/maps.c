// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/maps.c: mappings and mounts: maps, smaps, smaps_rollup, mounts.
#include "procfs.h"

#include "../inspect.h"
#include "../sysv.h"

#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

#define NAME_COLUMN   73u   // as Linux's show_map_vma() has it with 64-bit pointers
#define DETAILS_BYTES 1024u // one mapping's lines in smaps take less

// What is needed to write one mapping's line.
struct maps_writer {
    struct proc_text *text;
    struct path root; // the caller's
    char *path;       // PATH_BYTES_MAX
    bool detailed;    // smaps
};

// What is resident, and whom its pages belong to: what smaps says of one mapping or of all.
struct maps_total {
    struct aspace_usage usage;
    uint64_t file_share, shmem_share; // of what is not anonymous
};

// The file that is mapped; NULL if there is none.
static struct file *mapped_file(const struct mapping_info *info) {
    return info->file != NULL ? CONTAINER_OF(info->file, struct file, object) : NULL;
}

static void put_name(struct maps_writer *writer, const struct mapping_info *info, size_t column) {
    const char *name = info->label;
    const struct file *file = mapped_file(info);
    char segment[SHM_NAME_BYTES];
    size_t length;
    if (file != NULL && file->path.name != NULL &&
        path_to_text(file->path, writer->root, writer->path, PATH_BYTES_MAX, &length) == HX_OK) {
        name = writer->path;
    } else if (file != NULL && shm_mapping_name(file, segment)) {
        name = segment;
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

static void put_kb(struct proc_text *text, const char *name, uint64_t kb) {
    text_put(text, "%-16s%8llu kB\n", name, (unsigned long long)kb);
}

static void put_pages(struct proc_text *text, const char *name, uint64_t pages) {
    put_kb(text, name, pages << (PAGE_SHIFT - 10));
}

static void put_share(struct proc_text *text, const char *name, uint64_t share) {
    put_kb(text, name, share >> (ASPACE_SHARE_SHIFT + 10));
}

// What __show_smap() of Linux writes. There are no huge pages and no swap; nothing is lazily freed.
static void put_total(struct proc_text *text, const struct maps_total *total, bool rollup) {
    static const char *const none[] = { "LazyFree:",      "AnonHugePages:",  "ShmemPmdMapped:",
                                        "FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:",
                                        "Swap:",          "SwapPss:",        "Locked:" };
    const struct aspace_usage *usage = &total->usage;
    put_pages(text, "Rss:",
              usage->pages[0][0] + usage->pages[0][1] + usage->pages[1][0] + usage->pages[1][1]);
    put_share(text, "Pss:", usage->share);
    put_share(text, "Pss_Dirty:", usage->dirty_share);
    if (rollup) {
        put_share(text, "Pss_Anon:", usage->anonymous_share);
        put_share(text, "Pss_File:", total->file_share);
        put_share(text, "Pss_Shmem:", total->shmem_share);
    }
    put_pages(text, "Shared_Clean:", usage->pages[1][0]);
    put_pages(text, "Shared_Dirty:", usage->pages[1][1]);
    put_pages(text, "Private_Clean:", usage->pages[0][0]);
    put_pages(text, "Private_Dirty:", usage->pages[0][1]);
    put_pages(text, "Referenced:", usage->referenced_pages);
    put_pages(text, "Anonymous:", usage->anonymous_pages);
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        put_kb(text, none[i], 0);
    }
}

static void put_flags(struct proc_text *text, const struct mapping_info *info) {
    const bool shared = (info->flags & ASPACE_SHARED) != 0;
    text_put(text, "VmFlags:%s%s%s%s%s%s%s%s%s%s%s \n",
             (info->protection & ASPACE_READ) != 0 ? " rd" : "",
             (info->protection & ASPACE_WRITE) != 0 ? " wr" : "",
             (info->protection & ASPACE_EXECUTE) != 0 ? " ex" : "", shared ? " sh" : "",
             (info->protection_max & ASPACE_READ) != 0 ? " mr" : "",
             (info->protection_max & ASPACE_WRITE) != 0 ? " mw" : "",
             (info->protection_max & ASPACE_EXECUTE) != 0 ? " me" : "", shared ? " ms" : "",
             (info->flags & ASPACE_GROWSDOWN) != 0 ? " gd" : "",
             (info->flags & ASPACE_NO_FORK) != 0 ? " dc" : "",
             (info->flags & ASPACE_WIPE_FORK) != 0 ? " wf" : "");
}

static enum hx_status measure(struct aspace *aspace, const struct mapping_info *info,
                              struct maps_total *total) {
    struct aspace_usage *usage = &total->usage;
    const uint64_t before = usage->share - usage->anonymous_share;
    const enum hx_status status = aspace_measure(aspace, info->start, info->end, usage);
    const uint64_t added = usage->share - usage->anonymous_share - before;
    if (info->file != NULL) {
        total->file_share += added;
    } else {
        total->shmem_share += added;
    }
    return status;
}

// What the reader does not want is as long with any figures: it is not measured.
static enum hx_status put_details(struct maps_writer *writer, struct aspace *aspace,
                                  const struct mapping_info *info) {
    struct proc_text *text = writer->text;
    struct maps_total total = { 0 };
    enum hx_status status = HX_OK;
    if (text->skip < DETAILS_BYTES && !text_is_full(text)) {
        status = measure(aspace, info, &total);
    }
    put_kb(text, "Size:", (info->end - info->start) >> 10);
    put_kb(text, "KernelPageSize:", PAGE_SIZE >> 10);
    put_kb(text, "MMUPageSize:", PAGE_SIZE >> 10);
    put_total(text, &total, false);
    text_put(text, "%-16s%8u\n", "THPeligible:", 0);
    put_flags(text, info);
    return status;
}

static enum hx_status put_mappings(struct maps_writer *writer, struct aspace *aspace) {
    struct mapping_info info;
    uint64_t address = 0;
    enum hx_status status = HX_OK;
    while (status == HX_OK && !text_is_full(writer->text) &&
           aspace_next_mapping(aspace, address, &info)) {
        put_head(writer, &info);
        if (writer->detailed) {
            status = put_details(writer, aspace, &info);
        }
        if (info.file != NULL) {
            object_put(info.file);
        }
        address = info.end;
    }
    return status;
}

static enum hx_status put_maps(const struct proc_target *target, struct proc_text *text,
                               bool detailed) {
    struct aspace *aspace;
    enum hx_status status = inspect_aspace(target->process, INSPECT_FS_IDS, &aspace);
    if (status != HX_OK) { // a zombie has none
        return status == HX_ERR_NO_PROCESS ? HX_OK : proc_refusal(status);
    }
    struct maps_writer writer = { .text = text, .detailed = detailed };
    writer.path = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    status = HX_ERR_NO_MEMORY;
    if (writer.path != NULL) {
        writer.root = fs_context_root(posix_current()->fs);
        status = put_mappings(&writer, aspace);
        path_put(writer.root);
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

// The sum over all mappings, under the line of one from the first to the last.
static enum hx_status put_rollup(struct aspace *aspace, struct proc_text *text) {
    struct maps_writer writer = { .text = text };
    struct mapping_info all = { .label = "[rollup]" };
    struct maps_total total = { 0 };
    struct mapping_info info;
    enum hx_status status = HX_OK;
    while (status == HX_OK && aspace_next_mapping(aspace, all.end, &info)) {
        all.start = all.end == 0 ? info.start : all.start;
        all.end = info.end;
        status = measure(aspace, &info, &total);
        if (info.file != NULL) {
            object_put(info.file);
        }
    }
    put_head(&writer, &all);
    put_total(text, &total, true);
    return status;
}

enum hx_status proc_smaps_rollup(const struct proc_target *target, struct proc_text *text) {
    struct aspace *aspace;
    enum hx_status status = inspect_aspace(target->process, INSPECT_FS_IDS, &aspace);
    if (status != HX_OK) {
        return proc_refusal(status); // a zombie has none, and Linux says so here
    }
    status = put_rollup(aspace, text);
    aspace_put(aspace);
    return status;
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
    struct aspace *aspace;
    enum hx_status status = inspect_aspace(target->process, INSPECT_FS_IDS, &aspace);
    if (status != HX_OK) { // dead: the end of the file
        return status == HX_ERR_NO_PROCESS ? HX_OK : proc_refusal(status);
    }
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
