// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/file.h>: open file descriptions, and everything that can be one.
//
// A file is shared by the descriptors that dup, fork and passing made. Its ops table says what it
// is: regular file, directory, device, pipe, terminal, event. NULL methods refuse with the status
// that their wrapper documents.
#pragma once

#include <core/capability.h>
#include <core/object.h>
#include <core/wait.h>
#include <memory/usercopy.h>
#include <vfs/vfs.h>

// Linux's generic open flags (the three machines share them but for a few; interface/posix
// translates those).
#define FILE_READ      (1u << 0)
#define FILE_WRITE     (1u << 1)
#define FILE_APPEND    (1u << 2)
#define FILE_NONBLOCK  (1u << 3)
#define FILE_DIRECT    (1u << 4)
#define FILE_PATH_ONLY (1u << 5) // O_PATH
#define FILE_NOATIME   (1u << 6)
#define FILE_SYNC      (1u << 7)
// What open() was asked for, and F_GETFL tells; nothing else follows from it.
#define FILE_SAID_DIRECTORY (1u << 8)
#define FILE_SAID_NOFOLLOW  (1u << 9)
#define FILE_SAID_TMPFILE   (1u << 10)
#define FILE_SAID           (7u << 8)
// What fcntl(F_SETFL) may change; all other bits stay as they are.
#define FILE_SETTABLE    (FILE_APPEND | FILE_NONBLOCK | FILE_DIRECT | FILE_NOATIME)
#define FILE_KEEP_SETUID (1u << 30) // opened with CAP_FSETID: writing keeps set-user bits
#define FILE_WATCHED     (1u << 31) // file_watcher wants to know of its end

struct file {
    struct object object;
    struct capability root; // what descriptors of it name; with all rights
    const struct file_ops *ops;
    _Atomic uint32_t flags; // FILE_…
    struct path path;       // empty for anonymous files
    struct inode *inode;    // keeps; NULL for anonymous files
    struct mutex position_lock;
    uint64_t position;       // [position_lock]
    void *data;              // the ops' own
    uint64_t id;             // of anonymous files: st_ino; the two ends of a pipe have the same
    struct account *account; // keeps; an anonymous file's, charged for one object; else NULL
    _Atomic uint8_t signal;  // that the personality sends of it (F_SETSIG); 0: it was not said
};

struct file_ops {
    const char *name; // of anonymous files: "pipe", "eventfd", for /proc/self/fd
    // Move bytes; *out_moved may be short. `offset` is the position to use (ignored by streams).
    // Blocking is the file's own business: by FILE_NONBLOCK it says HX_ERR_WOULD_BLOCK. If some
    // bytes were moved, HX_OK.
    enum hx_status (*read)(struct file *file, struct io_buffer *to, uint64_t offset,
                           size_t *out_moved);
    enum hx_status (*write)(struct file *file, struct io_buffer *from, uint64_t offset,
                            size_t *out_moved);
    // Whether it keeps a position itself, under a lock of its own: `offset` is 0. Else
    // file->position is locked while it reads and writes, so that it must not wait there for what
    // others do.
    bool keeps_position;
    // NULL: not seekable. `whence` as Linux has it (0 … 4).
    enum hx_status (*seek)(struct file *file, int64_t offset, uint32_t whence,
                           uint64_t *out_position);
    // What to wait on for readiness; NULL: always readable and writable. `out_mask_*` translate.
    struct waitable *(*waitable)(struct file *file);
    // Levels that are set now, where they are not simply the waitable's. May be NULL.
    uint32_t (*ready)(const struct file *file);
    // Whether ready() answers for who asks: its levels may be there for one and not for another,
    // and are lowered by whom they are not there for.
    bool ready_by_caller;
    // Unknown requests: HX_ERR_NOT_TTY. `argument` may be a user address. Result in *out_result.
    enum hx_status (*control)(struct file *file, uint64_t request, uint64_t argument,
                              int64_t *out_result);
    // The object to map, with a reference. NULL: HX_ERR_NO_DEVICE.
    enum hx_status (*map)(struct file *file, uint32_t protection, bool shared,
                          struct memory_object **out_object);
    // Next entries; advances file->position (its lock is held).
    enum hx_status (*readdir)(struct file *file, struct fs_entry *out_entries, uint32_t capacity,
                              uint32_t *out_count);
    // A mapping of it came, or went: a fork, and what takes a mapping apart, makes more. Thread
    // context, locks of memory may be held. May be NULL.
    void (*mapped)(struct file *file, bool is_there);
    enum hx_status (*truncate)(struct file *file, uint64_t size_bytes);
    enum hx_status (*sync)(struct file *file);
    // A descriptor was closed by this process (POSIX locks); the description may live on.
    void (*flush)(struct file *file);
    // Adds the memory that goes with it (<memory/tally.h>). NULL: that of a file without a name.
    void (*tally)(struct file *file, struct tally *tally);
    // The last reference is gone.
    void (*release)(struct file *file);
};

// The file that a capability is for; it must be one for a file.
static inline struct file *capability_file(const struct capability *capability) {
    return CONTAINER_OF(capability->object, struct file, object);
}

static inline struct file *file_get(struct file *file) {
    object_get(&file->object);
    return file;
}
static inline void file_put(struct file *file) {
    object_put(&file->object);
}

// Called, if set, when the last reference to a file with FILE_WATCHED is gone, before its release,
// or (`dropped` is not NULL) to a capability that was derived for it (advisory locks, interest
// lists). Thread context. Set once, before the first such file.
extern void (*file_watcher)(struct file *file, const struct capability *dropped);

// An anonymous file, charged to the calling process's account; NULL if there is no memory, or the
// account refuses. One reference.
struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data);
// Another description of what `file` is open on (/proc/self/fd/N): by its path, or the same end of
// the same pipe. HX_ERR_NO_DEVICE: it cannot be opened twice.
enum hx_status file_reopen(struct file *file, uint32_t flags, struct file **out_file);
// Opens an inode that was looked up, by its type: regular, directory, device, fifo. Permissions
// were checked. May block (fifo). Borrows the path.
enum hx_status file_open_path(struct path path, uint32_t flags, struct file **out_file);
// open(2): look-up, create, checks, truncation.
#define OPEN_CREATE    (1u << 16)
#define OPEN_EXCLUSIVE (1u << 17)
#define OPEN_TRUNCATE  (1u << 18)
#define OPEN_DIRECTORY (1u << 19)
#define OPEN_NOFOLLOW  (1u << 20)
#define OPEN_TMPFILE   (1u << 21)
#define OPEN_NOCTTY    (1u << 22)
enum hx_status file_open(const struct lookup *lookup, const char *path, uint32_t flags,
                         uint32_t mode, struct file **out_file);

// read(2), write(2) on the current position, and at a given one.
// HX_ERR_BAD_HANDLE: not open for that; HX_ERR_IS_DIRECTORY; HX_ERR_NOT_SEEKABLE (the _at forms).
enum hx_status file_read(struct file *file, struct io_buffer *to, size_t *out_moved);
enum hx_status file_write(struct file *file, struct io_buffer *from, size_t *out_moved);
enum hx_status file_read_at(struct file *file, struct io_buffer *to, uint64_t offset,
                            size_t *out_moved);
enum hx_status file_write_at(struct file *file, struct io_buffer *from, uint64_t offset,
                             size_t *out_moved);
// lseek(2). HX_ERR_NOT_SEEKABLE, HX_ERR_INVALID, HX_ERR_OVERFLOW; HX_ERR_NO_DEVICE: SEEK_DATA and
// SEEK_HOLE beyond the end.
enum hx_status file_seek(struct file *file, int64_t offset, uint32_t whence,
                         uint64_t *out_position);
// For file_ops.seek where only a position is kept, up to `end` for SEEK_END; the position is
// locked. HX_ERR_INVALID, HX_ERR_OVERFLOW.
enum hx_status position_seek(struct file *file, int64_t offset, uint32_t whence, uint64_t end,
                             uint64_t *out_position);
// Levels that are set now (WAIT_…); files without a waitable are readable and writable.
uint32_t file_ready(struct file *file);
// The other methods, with the status of a missing one: getdents (takes the position's lock;
// HX_ERR_NOT_DIRECTORY), mmap (HX_ERR_NO_DEVICE), ftruncate (HX_ERR_INVALID), fsync
// (HX_ERR_INVALID), ioctl (HX_ERR_NOT_TTY).
enum hx_status file_readdir(struct file *file, struct fs_entry *out_entries, uint32_t capacity,
                            uint32_t *out_count);
enum hx_status file_map(struct file *file, uint32_t protection, bool shared,
                        struct memory_object **out_object);
enum hx_status file_truncate(struct file *file, uint64_t size_bytes);
// Changes the bytes of a regular file that is open for writing, as a write does: what it gives who
// runs it goes first, its times follow, and `change` has the inode's lock. Thread context. What
// `change` says, or why something could not go.
typedef enum hx_status (*file_change_t)(struct inode *inode, uint64_t from, uint64_t to);
enum hx_status file_change(struct file *file, file_change_t change, uint64_t from, uint64_t to);
enum hx_status file_sync(struct file *file);
enum hx_status file_control(struct file *file, uint64_t request, uint64_t argument,
                            int64_t *out_result);

// Pipes (<vfs/pipe.h>). Two files on one buffer of PIPE_BYTES at first; writes up to
// PIPE_ATOMIC_BYTES are atomic.
#define PIPE_ATOMIC_BYTES       4096u
#define PIPE_BYTES              65536u
#define PIPE_BYTES_UNPRIVILEGED 1048576u // how large anybody may make one
// `flags`: FILE_NONBLOCK, FILE_DIRECT (each write is a packet). HX_ERR_NO_MEMORY.
enum hx_status pipe_create(uint32_t flags, struct file **out_reader, struct file **out_writer);

// Device numbers whose open is special (terminals), and those of block devices, register here;
// others come by helix.char.
struct device_open {
    struct list link;
    bool is_block;
    uint32_t major;
    uint32_t minor_first, minor_last;
    // Fills ops, data, flags of a file being opened. Thread context; may block.
    enum hx_status (*open)(struct file *file, uint32_t minor);
};
// HX_ERR_EXISTS: a number of the range is taken.
enum hx_status device_open_register(struct device_open *device);
// Creates /dev/NAME in every devtmpfs, now and later. Borrows the name until then. `mode` are the
// permissions; FS_MODE_BLOCK in it makes a block device. HX_ERR_NO_MEMORY.
enum hx_status device_node_add(const char *name, uint32_t mode, uint32_t major, uint32_t minor);
// The opposite, by the name that was lent, which is given back. A file of another device that has
// taken the place in devtmpfs meanwhile stays there.
void device_node_remove(const char *name);
