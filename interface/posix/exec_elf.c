// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/exec_elf.c: ELF programs into an address space: static, position independent, or
// with an interpreter (the dynamic loader), which is mapped beside it and started instead.
#include "exec.h"

#include <hal/user_abi.h>
#include <lib/string.h>
#include <memory/heap.h>

// Where position-independent programs lie, before they are moved by a random distance. Two thirds
// up, as on Linux: room above for the interpreter, mappings and the stack.
#define PIE_BASE (ALIGN_DOWN(HAL_USER_LAYOUT_END / 3 * 2, (uint64_t)PAGE_SIZE))

// A file's headers, checked.
struct elf_file {
    struct file *file; // borrowed
    struct elf_image image;
    uint8_t programs[ELF_PROGRAM_MAX * ELF_PROGRAM_BYTES];
};

static enum hx_status read_headers(struct elf_file *elf, const uint8_t head[EXEC_HEAD_BYTES]) {
    const uint64_t size = inode_size(elf->file->inode);
    struct elf_header header;
    enum hx_status status =
        elf_read_header(head, EXEC_HEAD_BYTES, size, hal_elf_machine(), &header);
    if (status != HX_OK) {
        return status;
    }
    status = exec_read(elf->file, header.program_offset, elf->programs, header.program_bytes);
    if (status != HX_OK) {
        return status;
    }
    return elf_read_programs(&header, elf->programs, size, HAL_USER_END, &elf->image);
}

static uint32_t protection_of(uint32_t flags) {
    uint32_t protection = (flags & ELF_SEGMENT_READ) ? ASPACE_READ : 0;
    protection |= (flags & ELF_SEGMENT_WRITE) ? ASPACE_READ | ASPACE_WRITE : 0;
    protection |= (flags & ELF_SEGMENT_EXECUTE) ? ASPACE_READ | ASPACE_EXECUTE : 0;
    return protection;
}

// The rest of the last page behind the file's part has the file's next bytes, and must be zero.
static enum hx_status clear_tail(struct aspace *aspace, const struct elf_segment *segment,
                                 uint64_t bias) {
    static const uint8_t zeroes[PAGE_SIZE];
    const uint64_t end = bias + segment->address + segment->file_bytes;
    const uint64_t tail = ALIGN_UP(end, (uint64_t)PAGE_SIZE) - end;
    if (segment->memory_bytes == segment->file_bytes || tail == 0 ||
        (segment->flags & ELF_SEGMENT_WRITE) == 0) {
        return HX_OK;
    }
    return aspace_write_other(aspace, uaddr_make(end), zeroes, tail);
}

static enum hx_status map_segment(struct aspace *aspace, struct file *file,
                                  struct memory_object *object, const struct elf_segment *segment,
                                  uint64_t bias) {
    const uint64_t start = bias + segment->address;
    const uint64_t first = ALIGN_DOWN(start, (uint64_t)PAGE_SIZE);
    const uint64_t memory_end = ALIGN_UP(start + segment->memory_bytes, (uint64_t)PAGE_SIZE);
    uint64_t at = first;
    struct uaddr mapped;
    struct aspace_map_request request = {
        .protection = protection_of(segment->flags),
        .flags = ASPACE_FIXED,
    };
    if (segment->file_bytes != 0) {
        at = ALIGN_UP(start + segment->file_bytes, (uint64_t)PAGE_SIZE);
        request.hint = uaddr_make(first);
        request.size_bytes = at - first;
        request.object = object;
        request.object_page = segment->offset >> PAGE_SHIFT;
        request.file = &file->object;
        enum hx_status status = aspace_map(aspace, &request, &mapped);
        if (status == HX_OK) {
            status = clear_tail(aspace, segment, bias);
        }
        if (status != HX_OK) {
            return status;
        }
    }
    if (memory_end <= at) {
        return HX_OK;
    }
    request.hint = uaddr_make(at);
    request.size_bytes = memory_end - at;
    request.object = NULL;
    request.object_page = 0;
    request.file = NULL;
    return aspace_map(aspace, &request, &mapped);
}

static enum hx_status map_image(struct aspace *aspace, const struct elf_file *elf, uint64_t bias) {
    struct memory_object *object;
    enum hx_status status = file_map(elf->file, ASPACE_READ | ASPACE_EXECUTE, false, &object);
    if (status != HX_OK) {
        return status == HX_ERR_NO_DEVICE ? HX_ERR_BAD_IMAGE : status;
    }
    struct elf_segment segment;
    uint32_t cursor = 0;
    while (status == HX_OK && elf_next_segment(&elf->image, &cursor, &segment)) {
        if ((segment.flags & ELF_SEGMENT_WRITE) && (segment.flags & ELF_SEGMENT_EXECUTE)) {
            status = HX_ERR_PERMISSION; // W^X
        } else {
            status = map_segment(aspace, elf->file, object, &segment, bias);
        }
    }
    memory_object_put(object);
    return status;
}

// A free place for all of an image.
static enum hx_status find_place(struct aspace *aspace, const struct elf_image *image,
                                 uint64_t *out_bias) {
    const uint64_t spare = image->alignment - PAGE_SIZE;
    const struct aspace_map_request request = { .size_bytes = image->high - image->low + spare };
    struct uaddr address;
    const enum hx_status status = aspace_map(aspace, &request, &address);
    if (status == HX_OK) {
        *out_bias = ALIGN_UP(address.value, image->alignment) - image->low;
        return aspace_unmap(aspace, address, request.size_bytes);
    }
    return status;
}

static enum hx_status map_interpreter(struct aspace *aspace, const struct lookup *lookup,
                                      const struct elf_file *program, struct elf_file *elf,
                                      struct exec_layout *layout) {
    uint8_t head[EXEC_HEAD_BYTES] = { 0 };
    const struct elf_image *image = &program->image;
    struct lookup plain = { .context = lookup->context,
                            .credentials = lookup->credentials,
                            .flags = LOOKUP_FOLLOW };
    char *name = heap_alloc(ELF_INTERP_MAX, MEMORY_SLEEP);
    if (name == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status =
        exec_read(program->file, image->interp_offset, name, image->interp_bytes);
    if (status == HX_OK && name[image->interp_bytes - 1] != '\0') {
        status = HX_ERR_BAD_IMAGE;
    }
    if (status == HX_OK) {
        status = exec_open(&plain, name, &elf->file);
    }
    heap_free(name);
    if (status != HX_OK) {
        return status;
    }
    const uint64_t size = inode_size(elf->file->inode);
    uint64_t bias = 0;
    status = exec_read(elf->file, 0, head, MIN_OF(size, (uint64_t)sizeof(head)));
    if (status == HX_OK) {
        status = read_headers(elf, head);
    }
    if (status == HX_OK && !elf->image.header.is_position_independent) {
        status = HX_ERR_BAD_IMAGE;
    }
    if (status == HX_OK) {
        status = find_place(aspace, &elf->image, &bias);
    }
    if (status == HX_OK) {
        status = map_image(aspace, elf, bias);
    }
    if (status == HX_OK) {
        layout->start = bias + elf->image.header.entry;
        layout->interpreter_base = bias + elf->image.low;
        layout->is_unreadable = exec_is_unreadable(lookup, elf->file);
    }
    inode_execute_end(elf->file->inode);
    file_put(elf->file);
    return status;
}

static enum hx_status map_program(struct aspace *aspace, struct elf_file *elf,
                                  uint64_t random_pages, struct exec_layout *layout) {
    const struct elf_image *image = &elf->image;
    uint64_t bias = 0;
    if (image->header.is_position_independent) {
        const uint64_t base = ALIGN_DOWN(PIE_BASE + (random_pages << PAGE_SHIFT), image->alignment);
        if (image->high - image->low > HAL_USER_END - base) {
            return HX_ERR_NO_MEMORY;
        }
        bias = base - image->low;
    }
    const enum hx_status status = map_image(aspace, elf, bias);
    *layout = (struct exec_layout){
        .entry = bias + image->header.entry,
        .start = bias + image->header.entry,
        .program_headers = image->program_address != 0 ? bias + image->program_address : 0,
        .program_count = image->header.program_count,
        .end = bias + image->high,
    };
    return status;
}

enum hx_status exec_map(struct aspace *aspace, const struct lookup *lookup,
                        const struct exec_file *file, uint64_t random_pages,
                        struct exec_layout *out_layout) {
    struct elf_file *elf = heap_alloc(2 * sizeof(*elf), MEMORY_SLEEP); // and its interpreter
    if (elf == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    elf[0].file = file->file;
    enum hx_status status = read_headers(&elf[0], file->head);
    if (status == HX_OK) {
        status = map_program(aspace, &elf[0], random_pages, out_layout);
    }
    if (status == HX_OK && elf[0].image.interp_bytes != 0) {
        status = map_interpreter(aspace, lookup, &elf[0], &elf[1], out_layout);
    }
    heap_free(elf);
    return status;
}
