// SPDX-License-Identifier: MIT OR Apache-2.0
// open_calls.c: calls that make descriptors of files by name, of pipes, of anonymous memory.
#include "descriptor.h"

#include <lib/string.h>
#include <memory/heap.h>

#define MODE_BITS 07777u

#define RESOLVE_NO_XDEV       0x01u
#define RESOLVE_NO_MAGICLINKS 0x02u
#define RESOLVE_NO_SYMLINKS   0x04u
#define RESOLVE_BENEATH       0x08u
#define RESOLVE_IN_ROOT       0x10u
#define RESOLVE_CACHED        0x20u
#define RESOLVE_ALL           0x3fu

#define MFD_CLOEXEC       0x1u
#define MFD_ALLOW_SEALING 0x2u
#define MEMFD_NAME_BYTES  250u

struct linux_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

// All flags that open(2) knows; the others are ignored by it, and refused by openat2(2).
#define O_KNOWN                                                                                    \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |          \
     O_ASYNC | HAL_O_DIRECT | HAL_O_LARGEFILE | HAL_O_DIRECTORY | HAL_O_NOFOLLOW | O_NOATIME |     \
     O_CLOEXEC | O_PATH | O_TMPFILE_BIT)

struct flag_pair {
    uint32_t linux_flag;
    uint32_t flag;
};

static const struct flag_pair open_flags[] = {
    { O_CREAT, OPEN_CREATE },      { O_EXCL, OPEN_EXCLUSIVE },
    { O_NOCTTY, OPEN_NOCTTY },     { O_TRUNC, OPEN_TRUNCATE },
    { O_APPEND, FILE_APPEND },     { O_NONBLOCK, FILE_NONBLOCK },
    { O_DSYNC, FILE_SYNC },        { HAL_O_DIRECTORY, OPEN_DIRECTORY | FILE_SAID_DIRECTORY },
    { O_NOATIME, FILE_NOATIME },   { HAL_O_NOFOLLOW, OPEN_NOFOLLOW | FILE_SAID_NOFOLLOW },
    { HAL_O_DIRECT, FILE_DIRECT },
};

// Linux's flags as ours. HX_ERR_INVALID for combinations that make no sense.
static enum hx_status translate_flags(uint32_t flags, uint32_t *out_flags) {
    if ((flags & O_PATH) != 0) {
        flags &= O_PATH | HAL_O_DIRECTORY | HAL_O_NOFOLLOW | O_CLOEXEC;
    }
    uint32_t result = (flags & O_PATH) != 0 ? FILE_PATH_ONLY : 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(open_flags); i++) {
        if ((flags & open_flags[i].linux_flag) != 0) {
            result |= open_flags[i].flag;
        }
    }
    const uint32_t access = flags & O_ACCMODE;
    if ((flags & O_PATH) == 0) {
        result |= access != O_WRONLY ? FILE_READ : 0;
        result |= access != 0 ? FILE_WRITE : 0;
    }
    if ((flags & O_TMPFILE_BIT) != 0) {
        if ((flags & HAL_O_DIRECTORY) == 0 || access == 0 || (flags & O_CREAT) != 0) {
            return HX_ERR_INVALID;
        }
        result = (result & ~OPEN_DIRECTORY) | OPEN_TMPFILE | FILE_SAID_TMPFILE;
    }
    if ((flags & O_CREAT) != 0 && (flags & HAL_O_DIRECTORY) != 0) {
        return HX_ERR_INVALID;
    }
    *out_flags = result;
    return HX_OK;
}

// Opens with a look-up that is ready, and makes a number of it.
static enum hx_status open_with(struct call *call, const struct lookup *lookup, const char *path,
                                uint32_t flags, uint32_t mode) {
    uint32_t translated;
    enum hx_status status = translate_flags(flags, &translated);
    if (status != HX_OK) {
        return status;
    }
    if (path[0] == '\0') {
        return HX_ERR_NOT_FOUND;
    }
    status = call_check_room(call); // before it creates a file or waits
    if (status != HX_OK) {
        return status;
    }
    struct file *file;
    status = file_open(lookup, path, translated, mode & MODE_BITS, &file);
    if (status != HX_OK) {
        return restart_if_interrupted(status);
    }
    return call_add_file(call, file, (flags & O_CLOEXEC) != 0);
}

static enum hx_status open_at(struct call *call, int32_t directory_fd, struct uaddr from,
                              uint32_t flags, uint32_t mode) {
    struct user_path path;
    uint32_t translated; // whose refusals come before those of the path
    enum hx_status status = translate_flags(flags, &translated);
    if (status == HX_OK) {
        status = user_path_begin(call, directory_fd, from, 0, &path);
    }
    if (status == HX_OK) {
        status = open_with(call, &path.lookup, path.text, flags, mode);
        user_path_end(&path);
    }
    return status;
}

enum hx_status sys_open(struct call *call) {
    return open_at(call, AT_FDCWD, call_address(call, 0), call_uint(call, 1), call_uint(call, 2));
}

enum hx_status sys_openat(struct call *call) {
    return open_at(call, call_int(call, 0), call_address(call, 1), call_uint(call, 2),
                   call_uint(call, 3));
}

enum hx_status sys_creat(struct call *call) {
    return open_at(call, AT_FDCWD, call_address(call, 0), O_CREAT | O_WRONLY | O_TRUNC,
                   call_uint(call, 1));
}

// RESOLVE_IN_ROOT: the directory is the root of this look-up.
static enum hx_status lookup_enter_root(struct lookup *lookup) {
    struct path root =
        lookup->base.name != NULL ? path_get(lookup->base) : fs_context_work(lookup->context);
    struct fs_context *context = fs_context_create(root);
    path_put(root);
    if (context == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    atomic_store_explicit(&context->umask,
                          atomic_load_explicit(&lookup->context->umask, memory_order_relaxed),
                          memory_order_relaxed);
    object_put(&lookup->context->object);
    lookup->context = context;
    return HX_OK;
}

// openat2(2): unlike open(2) it refuses what it does not know.
static enum hx_status check_how(const struct linux_open_how *how) {
    const bool creates = (how->flags & (O_CREAT | O_TMPFILE_BIT)) != 0;
    if ((how->flags & ~(uint64_t)O_KNOWN) != 0 || (how->resolve & ~(uint64_t)RESOLVE_ALL) != 0 ||
        (how->mode & ~(uint64_t)MODE_BITS) != 0 || (how->mode != 0 && !creates)) {
        return HX_ERR_INVALID;
    }
    const uint64_t path_flags = O_PATH | HAL_O_DIRECTORY | HAL_O_NOFOLLOW | O_CLOEXEC;
    if ((how->flags & O_PATH) != 0 && (how->flags & ~path_flags) != 0) {
        return HX_ERR_INVALID;
    }
    if ((how->resolve & RESOLVE_BENEATH) != 0 && (how->resolve & RESOLVE_IN_ROOT) != 0) {
        return HX_ERR_INVALID;
    }
    if ((how->resolve & RESOLVE_CACHED) != 0) {
        return HX_ERR_WOULD_BLOCK;
    }
    if ((how->resolve & (RESOLVE_NO_XDEV | RESOLVE_BENEATH)) != 0) {
        return HX_ERR_NO_OPERATION; // a promise that the look-up cannot keep yet
    }
    return HX_OK;
}

// Copies a structure that may grow in later versions: what we do not know must be zero.
static enum hx_status copy_how(struct call *call, struct linux_open_how *out_how) {
    const uint64_t size = call->args[3];
    if (size < sizeof(*out_how)) {
        return HX_ERR_INVALID;
    }
    if (size > PAGE_SIZE) {
        return HX_ERR_TOO_BIG;
    }
    uint8_t *memory = heap_alloc(size, MEMORY_SLEEP);
    if (memory == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = copy_from_user(memory, call_address(call, 2), size);
    for (uint64_t i = sizeof(*out_how); status == HX_OK && i < size; i++) {
        status = memory[i] != 0 ? HX_ERR_TOO_BIG : HX_OK;
    }
    if (status == HX_OK) {
        memcpy(out_how, memory, sizeof(*out_how));
        status = check_how(out_how);
    }
    heap_free(memory);
    return status;
}

enum hx_status sys_openat2(struct call *call) {
    struct linux_open_how how;
    enum hx_status status = copy_how(call, &how);
    if (status != HX_OK) {
        return status;
    }
    const bool no_links = (how.resolve & (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)) != 0;
    struct user_path path;
    status = user_text_begin(call_address(call, 1), &path.storage);
    if (status != HX_OK) {
        return status;
    }
    path.text = path.storage.text;
    const bool in_root = (how.resolve & RESOLVE_IN_ROOT) != 0;
    // In a root of its own even an absolute path starts at the directory.
    status = lookup_begin_path(call, call_int(call, 0), in_root ? "." : path.text,
                               no_links ? LOOKUP_NO_LINKS : 0, &path.lookup);
    if (status != HX_OK) {
        user_text_end(&path.storage);
        return status;
    }
    if (in_root) {
        status = lookup_enter_root(&path.lookup);
    }
    if (status == HX_OK) {
        status = open_with(call, &path.lookup, path.text, (uint32_t)how.flags, (uint32_t)how.mode);
    }
    user_path_end(&path);
    return status;
}

// Puts both ends into the table and tells the program; undoes it if that fails.
static enum hx_status add_pipe(struct call *call, struct file *reader, struct file *writer,
                               bool close_on_exec) {
    struct file_table *table = call->process->files;
    int32_t fds[2];
    enum hx_status status = file_table_add(table, &reader->root, close_on_exec, 0, &fds[0]);
    if (status != HX_OK) {
        goto fail_reader;
    }
    status = file_table_add(table, &writer->root, close_on_exec, 0, &fds[1]);
    if (status != HX_OK) {
        HX_IGNORE(file_table_close(table, fds[0])); // it was just added
        file_put(writer);
        return status;
    }
    status = copy_to_user(call_address(call, 0), fds, sizeof(fds));
    if (status != HX_OK) {
        HX_IGNORE(file_table_close(table, fds[0])); // both were just added
        HX_IGNORE(file_table_close(table, fds[1]));
    }
    return status;
fail_reader:
    file_put(reader);
    file_put(writer);
    return status;
}

static enum hx_status make_pipe(struct call *call, uint32_t flags) {
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK | HAL_O_DIRECT)) != 0) {
        return HX_ERR_INVALID;
    }
    const uint32_t file_flags = ((flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0) |
                                ((flags & HAL_O_DIRECT) != 0 ? FILE_DIRECT : 0);
    struct file *reader;
    struct file *writer;
    enum hx_status status = pipe_create(file_flags, &reader, &writer);
    return status == HX_OK ? add_pipe(call, reader, writer, (flags & O_CLOEXEC) != 0) : status;
}

enum hx_status sys_pipe(struct call *call) {
    return make_pipe(call, 0);
}

enum hx_status sys_pipe2(struct call *call) {
    return make_pipe(call, call_uint(call, 1));
}

// The root of a tmpfs that no path reaches; memfds are files without a name in it. Made by the
// first caller.
static enum hx_status memory_root(struct fs_context **out_context) {
    static _Atomic(struct fs_context *) shared;
    struct fs_context *context = atomic_load_explicit(&shared, memory_order_acquire);
    if (context == NULL) {
        struct path root;
        struct mount_space *space = mount_space_create(&root);
        if (space == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        context = fs_context_create(root);
        path_put(root);
        if (context == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        atomic_store_explicit(&context->umask, 0, memory_order_relaxed); // no one's
        struct fs_context *found = NULL;
        if (!atomic_compare_exchange_strong_explicit(&shared, &found, context, memory_order_acq_rel,
                                                     memory_order_acquire)) {
            object_put(&context->object); // somebody was faster
            context = found;
        }
    }
    *out_context = context;
    return HX_OK;
}

static enum hx_status open_memory_file(struct file **out_file) {
    struct fs_context *context;
    enum hx_status status = memory_root(&context);
    if (status != HX_OK) {
        return status;
    }
    struct credentials *root = credentials_create_root();
    if (root == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct lookup lookup = { .context = context, .credentials = root };
    lookup.base = fs_context_root(context);
    status = file_open(&lookup, "/", FILE_READ | FILE_WRITE | OPEN_TMPFILE, 0777, out_file);
    path_put(lookup.base);
    credentials_put(root);
    return status;
}

// The file is whose the maker's other new files are.
static enum hx_status give_memory_file(struct call *call, struct file *file) {
    struct credentials *own = posix_credentials(call->process);
    struct credentials *root = credentials_create_root();
    enum hx_status status = root == NULL
                                ? HX_ERR_NO_MEMORY
                                : inode_set_owner(file->inode, root, own->fsuid, own->fsgid);
    if (root != NULL) {
        credentials_put(root);
    }
    credentials_put(own);
    if (status != HX_OK) {
        file_put(file);
    }
    return status;
}

enum hx_status sys_memfd_create(struct call *call) {
    const uint32_t flags = call_uint(call, 1);
    if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0 || (flags & MFD_ALLOW_SEALING) != 0) {
        return HX_ERR_INVALID; // there are no seals
    }
    char *name;
    enum hx_status status =
        text_from_user(call_address(call, 0), MEMFD_NAME_BYTES, HX_ERR_INVALID, &name);
    if (status != HX_OK) {
        return status;
    }
    if (name == NULL) {
        return HX_ERR_BAD_ADDRESS;
    }
    heap_free(name);
    struct file *file;
    status = open_memory_file(&file);
    if (status == HX_OK) {
        status = give_memory_file(call, file);
    }
    return status == HX_OK ? call_add_file(call, file, (flags & MFD_CLOEXEC) != 0) : status;
}
