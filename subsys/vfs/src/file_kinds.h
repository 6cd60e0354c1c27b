// SPDX-License-Identifier: MIT OR Apache-2.0
// file_kinds.h: the kinds of open files, inside the VFS.
#pragma once

#include "inode.h"

#include <vfs/pipe.h>

extern const struct file_ops regular_ops;
extern const struct file_ops generated_ops;
extern const struct file_ops directory_ops;

enum hx_status files_init(void);
enum hx_status pipes_init(void);
enum hx_status char_devices_init(void);

static inline uint32_t file_flags(const struct file *file) {
    return atomic_load_explicit(&file->flags, memory_order_relaxed);
}

// file_open_path() that takes the path's references, on HX_OK only.
enum hx_status file_open_taking(struct path path, uint32_t flags, struct file **out_file);

// Sets ops and data of a file whose path and inode are set; the counterpart is ops->release. They
// check nothing but what is particular to the kind. May block (fifo, device).
enum hx_status regular_open(struct file *file);
enum hx_status device_open(struct file *file);
enum hx_status fifo_open(struct file *file);
// Another file on the same end of a pipe.
enum hx_status pipe_reopen(struct file *file, uint32_t flags, struct file **out_file);
// Levels of a pipe's file.
uint32_t pipe_levels(const struct file *file);

// A write at *offset, which is set to the end of the file first if `append`.
enum hx_status regular_write_at(struct file *file, struct io_buffer *from, bool append,
                                uint64_t *offset, size_t *out_moved);
#define SEEK_FROM_START   0u
#define SEEK_FROM_CURRENT 1u
#define SEEK_FROM_END     2u
#define SEEK_TO_DATA      3u
#define SEEK_TO_HOLE      4u

// A wait's end as read(2) and write(2) tell it: restarted if the signal's handler allows it.
static inline enum hx_status wait_result(enum hx_status status) {
    return status == HX_ERR_INTERRUPTED ? HX_ERR_RESTART : status;
}
