// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/pipe.h>: what pipes and fifos can do besides reading and writing: other sizes, and moving
// bytes between them and other files without a program's memory (pipe(7), splice(2)).
#pragma once

#include <vfs/file.h>

#define PIPE_BYTES_MAX (UINT64_C(1) << 31)

bool file_is_pipe(const struct file *file);
// Whether both are files of one pipe.
bool pipe_is_same(const struct file *one, const struct file *other);

// How many bytes its pages have.
uint64_t pipe_size(const struct file *file);
// Sets it, to a power of two of pages that has so many bytes at least. Returns HX_OK; HX_ERR_BUSY
// (more pages are in use), HX_ERR_INVALID (more than 2 GiB), HX_ERR_NO_MEMORY. May sleep.
enum hx_status pipe_resize(struct file *file, uint64_t size_bytes);

// Writing and reading once, as much as there is room or bytes for. `nonblock`: HX_ERR_WOULD_BLOCK
// in place of waiting for the first byte. Else as write(2) and read(2).
enum hx_status pipe_put(struct file *file, struct io_buffer *from, bool nonblock,
                        size_t *out_moved);
enum hx_status pipe_get(struct file *file, struct io_buffer *to, bool nonblock, size_t *out_moved);

// The other file of a splice: its position, or one of the caller's, which moves on.
struct pipe_peer {
    struct file *file;
    uint64_t *offset;     // NULL: the file's own
    uint64_t limit_bytes; // nothing is written behind it
};
// How many bytes of its limit are left where it stands; 0: none.
uint64_t pipe_peer_room(const struct pipe_peer *peer);

// Move up to `size_bytes` bytes; `nonblock` is about the pipe, the peer's own flag about the peer.
// Fewer are moved where more would have to wait, or a signal has come. HX_OK with none: the end.
// HX_ERR_WOULD_BLOCK; HX_ERR_BROKEN_PIPE (nobody reads); HX_ERR_RESTART (a signal);
// HX_ERR_NO_MEMORY; HX_ERR_FILE_TOO_BIG (the limit); the peer's.
enum hx_status pipe_fill(struct file *file, const struct pipe_peer *from, uint64_t size_bytes,
                         bool nonblock, uint64_t *out_moved);
enum hx_status pipe_drain(struct file *file, const struct pipe_peer *to, uint64_t size_bytes,
                          bool nonblock, uint64_t *out_moved);
// From one pipe to another one, by reference. `keep`: they stay in the first, too (tee(2)).
enum hx_status pipe_pass(struct file *from, struct file *to, uint64_t size_bytes, bool keep,
                         bool nonblock, uint64_t *out_moved);
