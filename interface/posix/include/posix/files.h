// SPDX-License-Identifier: MIT OR Apache-2.0
// <posix/files.h>: descriptors: small integers that name open file descriptions.
//
// A table is shared by CLONE_FILES. Look-ups take a spin lock for a moment and a reference on the
// file. Lowest free number first; close-on-exec is the number's, not the file's.
#pragma once

#include <vfs/file.h>

struct file_table;
struct lookup;
struct call;

struct file_table *file_table_create(void);
struct file_table *file_table_copy(struct file_table *from); // fork; NULL: no memory
struct file_table *file_table_get(struct file_table *table);
void file_table_put(struct file_table *table); // the last one closes all
bool file_table_is_shared(const struct file_table *table);
// For who only looks into another's table: it stays, but is empty once its last user has put it, so
// that files are closed by those whose they are.
struct file_table *file_table_hold(struct file_table *table);
void file_table_drop(struct file_table *table);
void file_table_close_on_exec(struct file_table *table);

// Adds what its files keep (<memory/tally.h>).
void file_table_tally(struct file_table *table, struct tally *tally);
// The capability at `fd`, with a reference, whatever it allows. HX_ERR_BAD_HANDLE.
enum hx_status file_table_find(struct file_table *table, int32_t fd,
                               struct capability **out_capability);
// Puts a capability for a file at the lowest free number >= `from`; takes the reference on HX_OK.
// HX_ERR_TABLE_FULL beyond RLIMIT_NOFILE of the current process.
enum hx_status file_table_add(struct file_table *table, struct capability *capability,
                              bool close_on_exec, int32_t from, int32_t *out_fd);
enum hx_status file_table_close(struct file_table *table, int32_t fd);
// For /proc/PID/fd: the first used number >= `from` with a reference on its capability; false at
// the end.
bool file_table_next(struct file_table *table, int32_t from, int32_t *out_fd,
                     struct capability **out_capability);

// Copies a path from the program into fresh kernel memory (freed with heap_free()).
// HX_ERR_NAME_TOO_LONG, HX_ERR_BAD_ADDRESS, HX_ERR_NO_MEMORY.
enum hx_status path_from_user(struct uaddr from, char **out_path);
// A lookup for `directory_fd` (AT_FDCWD is -100) of the current process; the references are dropped
// by lookup_end().
enum hx_status lookup_begin(struct call *call, int32_t directory_fd, uint32_t flags,
                            struct lookup *out_lookup);
void lookup_end(struct lookup *lookup);
// Opens what PID 1 starts with: /dev/console as 0, 1, 2.
enum hx_status files_open_console(struct file_table *table, struct fs_context *context,
                                  struct credentials *credentials);
// procfs: registers the file system type "proc".
enum hx_status procfs_init(void);
