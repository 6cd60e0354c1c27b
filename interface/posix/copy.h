// SPDX-License-Identifier: MIT OR Apache-2.0
// copy.h: what the calls have in common that move bytes from one descriptor to another one.
#pragma once

#include "descriptor.h"

// One end of a copy: a file, and an offset of the caller's or the file's own position.
struct copy_end {
    struct file *file; // borrows
    bool own_offset;
    uint64_t offset;
};

typedef enum hx_status (*copy_function_t)(struct call *call, struct copy_end *in,
                                          struct copy_end *out);
// Calls it with the files of two descriptors.
enum hx_status copy_with_ends(struct call *call, int32_t in_fd, int32_t out_fd,
                              copy_function_t copy);
// Whether the one can be read and the other written: HX_OK, HX_ERR_BAD_HANDLE.
enum hx_status copy_check_ends(const struct copy_end *in, const struct copy_end *out);
// Takes the offset that the program gave by address into the end; null: the file's position.
// HX_ERR_BAD_ADDRESS, HX_ERR_NOT_SEEKABLE, HX_ERR_INVALID.
enum hx_status copy_end_offset(struct copy_end *end, struct uaddr address);
// Tells the program the offset that it gave as it is now.
enum hx_status copy_end_offset_back(const struct copy_end *end, struct uaddr address);
// RLIMIT_FSIZE of what is to be written to an end; as call_limit_write().
enum hx_status copy_limit(struct call *call, const struct copy_end *out, uint64_t *size_bytes);
