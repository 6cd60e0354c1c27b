// SPDX-License-Identifier: MIT OR Apache-2.0
// initramfs.c: unpacks the initial archive into a tree.
//
// A plain archive is read in place. A gzip member comes piece by piece: what belongs to an entry's
// header, name or link target is collected, what belongs to a file is written at once. Both feed
// the same three steps: an entry begins, gets data, ends. The archive is hostile: names are looked
// up with the tree's root as root, and whatever an entry cannot do is skipped, as Linux does.
#include "inode.h"

#include <core/log.h>
#include <lib/cpio.h>
#include <lib/hash.h>
#include <lib/inflate.h>
#include <lib/string.h>
#include <memory/heap.h>

#define HEADER_BYTES 110u
#define SIZE_OFFSET  54u // of the size's 8 digits in the header
#define NAME_OFFSET  94u // of the name size's
#define DIGITS       8u
#define HEAD_MAX     (HEADER_BYTES + CPIO_NAME_MAX + 4)
#define SECOND_NS    ((time_ns_t)1000000000)
#define LINK_BUCKETS 64u

struct hard_link { // the first name of a file that has more than one
    struct hard_link *next;
    uint32_t inode, device_major, device_minor;
    struct path path;
};

struct directory_time { // directories get their times when nothing more is put into them
    struct directory_time *next;
    struct path path;
    time_ns_t modified;
};

enum stream_state { STREAM_HEAD, STREAM_NAME, STREAM_DATA, STREAM_PADDING };

struct unpacker {
    struct lookup lookup;
    struct hard_link *links[LINK_BUCKETS];
    struct directory_time *directories;
    const char *reason;
    // The present entry.
    struct file *file; // NULL: its data are skipped
    uint64_t offset;   // in the file
    time_ns_t modified;
    // The stream out of a gzip member.
    enum stream_state state;
    uint64_t position;  // in the archive
    uint64_t data_left; // of the entry
    size_t head_length; // collected in `head`
    size_t head_needed;
    bool is_target; // the data are a link's target: collected behind the name
    struct cpio_entry entry;
    char head[HEAD_MAX + PATH_BYTES_MAX];
};

// Entries
// -----------------------------------------------------------------------------------------------

static void set_attributes(struct path path, const struct cpio_entry *entry) {
    struct inode *inode = path_inode(path);
    static const struct credentials all = { .effective = CAPABILITY_ALL };
    // Nothing here can be refused but for want of memory; the contents matter more.
    HX_IGNORE(inode_set_owner(inode, &all, entry->user, entry->group));
    if (inode_type(inode) != FS_MODE_LINK) {
        HX_IGNORE(inode_set_mode(inode, &all, entry->mode & MODE_BITS));
    }
    time_ns_t modified = (time_ns_t)entry->modified_s * SECOND_NS;
    HX_IGNORE(inode_set_times(inode, modified, modified));
}

static struct hard_link **link_bucket(struct unpacker *unpacker, const struct cpio_entry *entry) {
    uint64_t key =
        (uint64_t)entry->inode << 32 ^ (uint64_t)entry->device_major << 16 ^ entry->device_minor;
    return &unpacker->links[hash_u64(key) % LINK_BUCKETS];
}

static struct hard_link *link_find(struct unpacker *unpacker, const struct cpio_entry *entry) {
    struct hard_link *link = *link_bucket(unpacker, entry);
    while (link != NULL &&
           (link->inode != entry->inode || link->device_major != entry->device_major ||
            link->device_minor != entry->device_minor)) {
        link = link->next;
    }
    return link;
}

static void link_add(struct unpacker *unpacker, const struct cpio_entry *entry, struct path path) {
    struct hard_link **bucket = link_bucket(unpacker, entry);
    struct hard_link *link = heap_alloc(sizeof(*link), MEMORY_SLEEP);
    if (link == NULL) {
        return; // the next name becomes a file of its own
    }
    *link = (struct hard_link){
        .next = *bucket,
        .inode = entry->inode,
        .device_major = entry->device_major,
        .device_minor = entry->device_minor,
        .path = path_get(path),
    };
    *bucket = link;
}

static void links_forget(struct unpacker *unpacker) {
    for (uint32_t i = 0; i < LINK_BUCKETS; i++) {
        struct hard_link *link;
        while ((link = unpacker->links[i]) != NULL) {
            unpacker->links[i] = link->next;
            path_put(link->path);
            heap_free(link);
        }
    }
}

static void directories_finish(struct unpacker *unpacker) {
    struct directory_time *directory;
    while ((directory = unpacker->directories) != NULL) {
        unpacker->directories = directory->next;
        HX_IGNORE(
            inode_set_times(path_inode(directory->path), directory->modified, directory->modified));
        path_put(directory->path);
        heap_free(directory);
    }
}

// Removes what stands in the way of an entry of another type.
static void make_way(struct unpacker *unpacker, const char *name, uint32_t type) {
    struct path path;
    if (path_lookup(&unpacker->lookup, name, &path) != HX_OK) {
        return;
    }
    uint32_t found = inode_type(path_inode(path));
    path_put(path);
    bool is_kept = found == type && (type == FS_MODE_DIRECTORY || type == FS_MODE_REGULAR);
    if (!is_kept) {
        HX_IGNORE(vfs_unlink(&unpacker->lookup, name, found == FS_MODE_DIRECTORY));
    }
}

static void begin_file(struct unpacker *unpacker, const char *name,
                       const struct cpio_entry *entry) {
    struct hard_link *link = entry->link_count > 1 ? link_find(unpacker, entry) : NULL;
    uint32_t flags = FILE_WRITE | OPEN_CREATE | OPEN_NOFOLLOW;
    if (link != NULL) {
        HX_IGNORE(vfs_unlink(&unpacker->lookup, name, false)); // most often it is not there
        if (vfs_link(link->path, &unpacker->lookup, name) != HX_OK) {
            return;
        }
        if (entry->size_bytes == 0) {
            return;
        }
    }
    struct file *file;
    if (file_open(&unpacker->lookup, name, flags | OPEN_TRUNCATE, 0600, &file) != HX_OK) {
        return;
    }
    if (entry->link_count > 1 && link == NULL) {
        link_add(unpacker, entry, file->path);
    }
    set_attributes(file->path, entry);
    unpacker->file = file;
    unpacker->offset = 0;
    unpacker->modified = (time_ns_t)entry->modified_s * SECOND_NS;
}

static void begin_directory(struct unpacker *unpacker, const char *name,
                            const struct cpio_entry *entry) {
    struct path path;
    uint32_t mode = FS_MODE_DIRECTORY | (entry->mode & MODE_BITS);
    enum hx_status status = vfs_create(&unpacker->lookup, name, mode, 0, &path);
    if (status == HX_ERR_EXISTS) {
        status = path_lookup(&unpacker->lookup, name, &path);
    }
    if (status != HX_OK) {
        return;
    }
    set_attributes(path, entry);
    struct directory_time *directory = heap_alloc(sizeof(*directory), MEMORY_SLEEP);
    if (directory == NULL) {
        path_put(path);
        return;
    }
    directory->path = path;
    directory->modified = (time_ns_t)entry->modified_s * SECOND_NS;
    directory->next = unpacker->directories;
    unpacker->directories = directory;
}

static void begin_link(struct unpacker *unpacker, const char *name, const struct cpio_entry *entry,
                       const char *target) {
    struct path path;
    if (vfs_symlink(&unpacker->lookup, target, name) == HX_OK &&
        path_lookup(&unpacker->lookup, name, &path) == HX_OK) {
        set_attributes(path, entry);
        path_put(path);
    }
}

static void begin_special(struct unpacker *unpacker, const char *name,
                          const struct cpio_entry *entry) {
    struct path path;
    struct hard_link *link = entry->link_count > 1 ? link_find(unpacker, entry) : NULL;
    uint64_t device = (uint64_t)entry->special_major << 32 | entry->special_minor;
    if (link != NULL) {
        HX_IGNORE(vfs_link(link->path, &unpacker->lookup, name)); // or skipped
        return;
    }
    if (vfs_create(&unpacker->lookup, name, entry->mode, device, &path) == HX_OK) {
        if (entry->link_count > 1) {
            link_add(unpacker, entry, path);
        }
        set_attributes(path, entry);
        path_put(path);
    }
}

// Starts an entry. `target` is a symbolic link's text, terminated.
static void entry_begin(struct unpacker *unpacker, const struct cpio_entry *entry,
                        const char *target) {
    const char *name = entry->name;
    uint32_t type = entry->mode & FS_MODE_TYPE;
    while (*name == '/') {
        name++;
    }
    unpacker->file = NULL;
    if (*name == '\0') {
        return;
    }
    make_way(unpacker, name, type);
    switch (type) {
    case FS_MODE_REGULAR:
        begin_file(unpacker, name, entry);
        break;
    case FS_MODE_DIRECTORY:
        begin_directory(unpacker, name, entry);
        break;
    case FS_MODE_LINK:
        begin_link(unpacker, name, entry, target);
        break;
    case FS_MODE_CHAR:
    case FS_MODE_BLOCK:
    case FS_MODE_FIFO:
    case FS_MODE_SOCKET:
        begin_special(unpacker, name, entry);
        break;
    default:
        break;
    }
}

static enum hx_status entry_data(struct unpacker *unpacker, const uint8_t *bytes, size_t length) {
    size_t done = 0;
    struct io_buffer from;
    if (unpacker->file == NULL || length == 0) {
        return HX_OK;
    }
    io_buffer_kernel(&from, (void *)bytes, length);
    enum hx_status status = file_write_at(unpacker->file, &from, unpacker->offset, &done);
    unpacker->offset += done;
    if (status == HX_OK && done < length) {
        status = HX_ERR_NO_SPACE;
    }
    if (status != HX_OK) {
        unpacker->reason = "no memory for the contents of the archive";
    }
    return status;
}

static void entry_end(struct unpacker *unpacker) {
    if (unpacker->file != NULL) {
        // Memory is all that it could want, and it wants none.
        HX_IGNORE(inode_set_times(unpacker->file->inode, unpacker->modified, unpacker->modified));
        file_put(unpacker->file);
        unpacker->file = NULL;
    }
}

// In place
// -----------------------------------------------------------------------------------------------

static enum hx_status unpack_entry(struct unpacker *unpacker, const struct cpio_entry *entry) {
    char *target = unpacker->head;
    size_t length = MIN_OF(entry->size_bytes, PATH_BYTES_MAX);
    bool is_link = (entry->mode & FS_MODE_TYPE) == FS_MODE_LINK;
    if (is_link) {
        memcpy(target, entry->data, length);
        target[length] = '\0';
    }
    entry_begin(unpacker, entry, target);
    enum hx_status status = is_link ? HX_OK : entry_data(unpacker, entry->data, entry->size_bytes);
    entry_end(unpacker);
    return status;
}

// Out of a gzip member
// -----------------------------------------------------------------------------------------------

static bool parse_size(const char *digits, uint64_t *out_value) {
    char text[DIGITS + 1];
    memcpy(text, digits, DIGITS);
    text[DIGITS] = '\0';
    return string_to_u64(text, 16, out_value);
}

static enum hx_status corrupt(struct unpacker *unpacker, const char *reason) {
    unpacker->reason = reason;
    return HX_ERR_CORRUPT;
}

// The fixed part of a header is there: how long is the name?
static enum hx_status head_complete(struct unpacker *unpacker) {
    uint64_t name_size = 0;
    if (memcmp(unpacker->head, "07070", 5) != 0 ||
        !parse_size(unpacker->head + NAME_OFFSET, &name_size) || name_size == 0 ||
        name_size > CPIO_NAME_MAX ||
        !parse_size(unpacker->head + SIZE_OFFSET, &unpacker->data_left)) {
        return corrupt(unpacker, "no cpio header in the compressed archive");
    }
    unpacker->head_needed = ALIGN_UP(HEADER_BYTES + name_size, 4);
    unpacker->state = STREAM_NAME;
    return HX_OK;
}

// Header and name are there: reads them as an archive of one empty entry.
static enum hx_status name_complete(struct unpacker *unpacker) {
    struct cpio_reader reader;
    enum cpio_kind kind;
    memset(unpacker->head + SIZE_OFFSET, '0', DIGITS);
    unpacker->head[5] = '1'; // the sum over the data cannot be checked before they are there
    cpio_init(&reader, unpacker->head, unpacker->head_length);
    enum hx_status status = cpio_next(&reader, &kind, &unpacker->entry);
    if (status != HX_OK) {
        return corrupt(unpacker, "a damaged entry in the compressed archive");
    }
    unpacker->is_target = false;
    unpacker->state = STREAM_DATA;
    if (kind != CPIO_ENTRY) {
        links_forget(unpacker);
        unpacker->entry.name = NULL;
        return HX_OK;
    }
    unpacker->entry.size_bytes = unpacker->data_left;
    unpacker->is_target = (unpacker->entry.mode & FS_MODE_TYPE) == FS_MODE_LINK;
    if (unpacker->is_target && unpacker->data_left >= PATH_BYTES_MAX) {
        return corrupt(unpacker, "a link in the archive is too long");
    }
    if (!unpacker->is_target) {
        entry_begin(unpacker, &unpacker->entry, NULL);
    }
    return HX_OK;
}

static void data_complete(struct unpacker *unpacker) {
    if (unpacker->is_target) {
        unpacker->head[unpacker->head_length] = '\0';
        entry_begin(unpacker, &unpacker->entry, unpacker->head + unpacker->head_needed);
    }
    entry_end(unpacker);
    unpacker->state = STREAM_PADDING;
    unpacker->head_length = 0;
}

// Collects bytes in `head` up to `needed`; tells how many it took.
static size_t collect(struct unpacker *unpacker, const uint8_t *bytes, size_t length,
                      size_t needed) {
    size_t count = MIN_OF(length, needed - unpacker->head_length);
    memcpy(unpacker->head + unpacker->head_length, bytes, count);
    unpacker->head_length += count;
    return count;
}

// One step of the stream; takes at least one byte, or changes the state.
static enum hx_status stream_step(struct unpacker *unpacker, const uint8_t *bytes, size_t length,
                                  size_t *out_taken) {
    enum hx_status status = HX_OK;
    size_t taken = 0;
    switch (unpacker->state) {
    case STREAM_PADDING: // zeros up to a multiple of 4, and between archives
        while (taken < length && bytes[taken] == 0) {
            taken++;
        }
        if (taken < length) {
            unpacker->state = STREAM_HEAD;
        }
        break;
    case STREAM_HEAD:
        taken = collect(unpacker, bytes, length, HEADER_BYTES);
        if (unpacker->head_length == HEADER_BYTES) {
            status = head_complete(unpacker);
        }
        break;
    case STREAM_NAME:
        taken = collect(unpacker, bytes, length, unpacker->head_needed);
        if (unpacker->head_length == unpacker->head_needed) {
            status = name_complete(unpacker);
        }
        break;
    case STREAM_DATA:
        taken = MIN_OF(length, unpacker->data_left);
        if (unpacker->is_target) {
            collect(unpacker, bytes, taken, unpacker->head_length + taken);
        } else {
            status = entry_data(unpacker, bytes, taken);
        }
        unpacker->data_left -= taken;
        if (unpacker->data_left == 0) {
            data_complete(unpacker);
        }
        break;
    }
    *out_taken = taken;
    return status;
}

static enum hx_status stream_bytes(void *context, const uint8_t *bytes, size_t size_bytes) {
    struct unpacker *unpacker = context;
    enum hx_status status = HX_OK;
    while ((size_bytes > 0 || (unpacker->state == STREAM_DATA && unpacker->data_left == 0)) &&
           status == HX_OK) {
        size_t taken = 0;
        status = stream_step(unpacker, bytes, size_bytes, &taken);
        bytes += taken;
        size_bytes -= taken;
    }
    return status;
}

static void *inflate_allocate(void *context, size_t size_bytes) {
    (void)context;
    return heap_alloc(size_bytes, MEMORY_SLEEP);
}

static void inflate_release(void *context, void *block, size_t size_bytes) {
    (void)context;
    (void)size_bytes;
    heap_free(block);
}

static enum hx_status unpack_gzip(struct unpacker *unpacker, struct cpio_reader *reader) {
    static const struct inflate_memory memory = { inflate_allocate, inflate_release, NULL };
    size_t consumed = 0;
    unpacker->state = STREAM_PADDING;
    unpacker->head_length = 0;
    enum hx_status status =
        gzip_to_sink(&memory, reader->image + reader->offset, reader->size_bytes - reader->offset,
                     stream_bytes, unpacker, &consumed);
    entry_end(unpacker);
    if (status != HX_OK) {
        if (unpacker->reason == NULL) {
            unpacker->reason = status == HX_ERR_NO_MEMORY ? "no memory to decompress the archive"
                                                          : "the compressed archive is damaged";
        }
        return status;
    }
    if (unpacker->state != STREAM_PADDING) {
        return corrupt(unpacker, "the compressed archive ends inside an entry");
    }
    return cpio_skip(reader, consumed);
}

// -----------------------------------------------------------------------------------------------

static enum hx_status unpack(struct unpacker *unpacker, const void *image, size_t size_bytes) {
    struct cpio_reader reader;
    cpio_init(&reader, image, size_bytes);
    for (;;) {
        enum cpio_kind kind;
        struct cpio_entry entry;
        enum hx_status status = cpio_next(&reader, &kind, &entry);
        if (status != HX_OK) {
            unpacker->reason = "not a cpio archive, or damaged";
            return status;
        }
        if (kind == CPIO_END) {
            return HX_OK;
        }
        if (kind == CPIO_ENTRY) {
            status = unpack_entry(unpacker, &entry);
        } else if (kind == CPIO_GZIP) {
            status = unpack_gzip(unpacker, &reader);
        } else {
            links_forget(unpacker);
        }
        if (status != HX_OK) {
            return status;
        }
    }
}

enum hx_status initramfs_unpack(const void *image, size_t size_bytes, struct path root,
                                const char **out_reason) {
    struct unpacker *unpacker = heap_alloc_zero(sizeof(*unpacker), MEMORY_SLEEP);
    if (unpacker == NULL) {
        *out_reason = "no memory";
        return HX_ERR_NO_MEMORY;
    }
    unpacker->lookup.base = root; // without a context it is also the root: nothing leaves it
    enum hx_status status = unpack(unpacker, image, size_bytes);
    links_forget(unpacker);
    directories_finish(unpacker);
    if (status != HX_OK) {
        *out_reason = unpacker->reason;
    }
    heap_free(unpacker);
    return status;
}
