// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_files.c: tests of what is in files: bytes, holes, positions, directories, pipes in one
// thread, the initial archive.
#include "mount.h"
#include "selftest.h"

#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

static enum hx_status put(struct file *file, const char *text, size_t *out_done) {
    struct io_buffer from;
    io_buffer_kernel(&from, (void *)text, strlen(text));
    return file_write(file, &from, out_done);
}

static enum hx_status get(struct file *file, char *bytes, size_t capacity, size_t *out_done) {
    struct io_buffer to;
    io_buffer_kernel(&to, bytes, capacity);
    return file_read(file, &to, out_done);
}

static bool test_bytes(void) {
    struct file *file;
    char bytes[32];
    size_t done = 0;
    uint64_t position;
    const uint32_t flags = FILE_READ | FILE_WRITE | OPEN_CREATE;
    CHECK_STATUS(file_open(&vfs_test_lookup, "f", flags, 0600, &file), HX_OK);
    CHECK_STATUS(put(file, "hello", &done), HX_OK);
    CHECK_STATUS(file_seek(file, 3 * PAGE_SIZE - 2, SEEK_FROM_START, &position), HX_OK);
    CHECK_STATUS(put(file, "world", &done), HX_OK);
    CHECK(inode_size(file->inode) == 3 * PAGE_SIZE + 3);
    CHECK(memory_object_resident(file->inode->pages) == 3);
    CHECK_STATUS(file_seek(file, PAGE_SIZE, SEEK_TO_DATA, &position), HX_OK);
    CHECK(position == 2 * PAGE_SIZE);
    CHECK_STATUS(file_seek(file, 0, SEEK_TO_HOLE, &position), HX_OK);
    CHECK(position == PAGE_SIZE);
    CHECK_STATUS(file_seek(file, 3 * PAGE_SIZE + 3, SEEK_TO_DATA, &position), HX_ERR_NO_DEVICE);
    CHECK_STATUS(file_seek(file, -6, SEEK_FROM_END, &position), HX_OK);
    CHECK_STATUS(get(file, bytes, sizeof(bytes), &done), HX_OK);
    CHECK(done == 6 && memcmp(bytes, "\0world", 6) == 0);
    CHECK_STATUS(get(file, bytes, sizeof(bytes), &done), HX_OK);
    CHECK(done == 0);
    CHECK_STATUS(file_truncate(file, 2), HX_OK);
    CHECK_STATUS(file_truncate(file, 8), HX_OK);
    CHECK_STATUS(file_seek(file, 0, SEEK_FROM_START, &position), HX_OK);
    CHECK_STATUS(get(file, bytes, sizeof(bytes), &done), HX_OK);
    CHECK(done == 8 && memcmp(bytes, "he\0\0\0\0\0\0", 8) == 0);
    CHECK_STATUS(file_seek(file, -1, SEEK_FROM_START, &position), HX_ERR_INVALID);
    CHECK_STATUS(file_seek(file, 0, 9, &position), HX_ERR_INVALID);
    CHECK_STATUS(file_truncate(file, FILE_BYTES_MAX + 1), HX_ERR_FILE_TOO_BIG);
    struct io_buffer from;
    io_buffer_kernel(&from, bytes, 4);
    CHECK_STATUS(file_write_at(file, &from, FILE_BYTES_MAX, &done), HX_ERR_FILE_TOO_BIG);
    file_put(file);
    CHECK_STATUS(file_open(&vfs_test_lookup, "f", FILE_WRITE | FILE_APPEND, 0, &file), HX_OK);
    CHECK_STATUS(put(file, "end", &done), HX_OK);
    CHECK(file->position == 11);
    CHECK_STATUS(get(file, bytes, 1, &done), HX_ERR_BAD_HANDLE);
    file_put(file);
    return true;
}

static bool test_unlinked(void) {
    struct file *file;
    struct file *directory;
    struct fs_entry entries[2];
    char bytes[8];
    size_t done = 0;
    uint32_t count = 0;
    CHECK_STATUS(vfs_test_write("f", "kept"), HX_OK);
    CHECK_STATUS(vfs_test_directory("d"), HX_OK);
    CHECK_STATUS(file_open(&vfs_test_lookup, "f", FILE_READ, 0, &file), HX_OK);
    CHECK_STATUS(file_open(&vfs_test_lookup, "d", FILE_READ, 0, &directory), HX_OK);
    CHECK_STATUS(vfs_unlink(&vfs_test_lookup, "f", false), HX_OK);
    CHECK_STATUS(vfs_test_exists("d/nothing"), HX_ERR_NOT_FOUND);
    CHECK_STATUS(vfs_unlink(&vfs_test_lookup, "d", true), HX_OK);
    CHECK_STATUS(vfs_test_write("f", "new"), HX_OK);
    CHECK_STATUS(get(file, bytes, sizeof(bytes), &done), HX_OK);
    CHECK(done == 4 && memcmp(bytes, "kept", 4) == 0);
    CHECK_STATUS(file_readdir(directory, entries, 2, &count), HX_ERR_NOT_FOUND);
    struct lookup lookup = vfs_test_lookup;
    lookup.base = directory->path;
    CHECK_STATUS(vfs_create(&lookup, "x", FS_MODE_REGULAR | 0600, 0, NULL), HX_ERR_NOT_FOUND);
    struct path up;
    CHECK_STATUS(path_lookup(&lookup, "..", &up), HX_OK);
    path_put(up);
    file_put(directory);
    file_put(file);
    CHECK(vfs_test_holds("f", "new"));
    CHECK_STATUS(
        file_open(&vfs_test_lookup, ".", FILE_WRITE | FILE_READ | OPEN_TMPFILE, 0600, &file),
        HX_OK);
    CHECK_STATUS(put(file, "secret", &done), HX_OK);
    CHECK_STATUS(vfs_link(file->path, &vfs_test_lookup, "linked"), HX_OK);
    file_put(file);
    CHECK(vfs_test_holds("linked", "secret"));
    return true;
}

static bool test_open_flags(void) {
    struct file *file;
    struct file *other;
    const struct lookup *root = &vfs_test_lookup;
    const uint32_t create = FILE_WRITE | OPEN_CREATE;
    CHECK_STATUS(vfs_test_directory("d"), HX_OK);
    CHECK_STATUS(vfs_symlink(root, "target", "dangling"), HX_OK);
    CHECK_STATUS(file_open(root, "dangling", create | OPEN_EXCLUSIVE, 0600, &file), HX_ERR_EXISTS);
    CHECK_STATUS(file_open(root, "dangling", create | OPEN_NOFOLLOW, 0600, &file),
                 HX_ERR_TOO_MANY_LINKS);
    CHECK_STATUS(file_open(root, "dangling", create, 0600, &file), HX_OK);
    file_put(file);
    CHECK_STATUS(vfs_test_exists("target"), HX_OK);
    CHECK_STATUS(file_open(root, "target", create | OPEN_EXCLUSIVE, 0600, &file), HX_ERR_EXISTS);
    CHECK_STATUS(file_open(root, "d", FILE_WRITE, 0, &file), HX_ERR_IS_DIRECTORY);
    CHECK_STATUS(file_open(root, "d", FILE_READ | OPEN_CREATE, 0, &file), HX_ERR_IS_DIRECTORY);
    CHECK_STATUS(file_open(root, "new/", create, 0600, &file), HX_ERR_IS_DIRECTORY);
    CHECK_STATUS(file_open(root, "x/new", create, 0600, &file), HX_ERR_NOT_FOUND);
    CHECK_STATUS(file_open(root, "target", FILE_READ | OPEN_DIRECTORY, 0, &file),
                 HX_ERR_NOT_DIRECTORY);
    CHECK_STATUS(file_open(root, "dangling", FILE_PATH_ONLY | OPEN_NOFOLLOW, 0, &file), HX_OK);
    CHECK(inode_type(file->inode) == FS_MODE_LINK);
    file_put(file);
    CHECK_STATUS(file_open(root, "target", FILE_READ, 0, &file), HX_OK);
    CHECK_STATUS(inode_execute_begin(file->inode), HX_OK);
    CHECK_STATUS(file_open(root, "target", FILE_WRITE, 0, &other), HX_ERR_TEXT_BUSY);
    CHECK_STATUS(inode_truncate(file->inode, 0), HX_ERR_TEXT_BUSY);
    inode_execute_end(file->inode);
    CHECK_STATUS(file_open(root, "target", FILE_WRITE, 0, &other), HX_OK);
    CHECK_STATUS(inode_execute_begin(file->inode), HX_ERR_TEXT_BUSY);
    file_put(other);
    file_put(file);
    return true;
}

static bool remove_entry(const struct fs_entry *entry) {
    char name[16];
    format_string(name, sizeof(name), "d/%s", entry->name);
    CHECK_STATUS(vfs_unlink(&vfs_test_lookup, name, false), HX_OK);
    return true;
}

static bool remove_seen(const struct fs_entry *entries, uint32_t count, uint32_t *seen) {
    for (uint32_t i = 0; i < count; i++) {
        bool is_dots = entries[i].name[0] == '.';
        CHECK(is_dots ? entries[i].mode == FS_MODE_DIRECTORY && *seen == 0
                      : remove_entry(&entries[i]));
        *seen += is_dots ? 0 : 1;
    }
    return true;
}

// Reads a directory three entries at a time and removes each file that it sees.
static bool test_readdir(void) {
    struct file *directory;
    char name[16];
    uint32_t count = 0;
    uint32_t seen = 0;
    static struct fs_entry entries[3];
    CHECK_STATUS(vfs_test_directory("d"), HX_OK);
    for (uint32_t i = 0; i < 100; i++) {
        format_string(name, sizeof(name), "d/%u", i);
        CHECK_STATUS(vfs_test_write(name, ""), HX_OK);
    }
    CHECK_STATUS(file_open(&vfs_test_lookup, "d", FILE_READ, 0, &directory), HX_OK);
    do {
        CHECK_STATUS(file_readdir(directory, entries, 3, &count), HX_OK);
        CHECK(remove_seen(entries, count, &seen));
    } while (count != 0);
    CHECK(seen == 100);
    CHECK_STATUS(file_read(directory, NULL, NULL), HX_ERR_IS_DIRECTORY);
    file_put(directory);
    CHECK_STATUS(vfs_unlink(&vfs_test_lookup, "d", true), HX_OK);
    return true;
}

static bool test_pipe_ends(void) {
    struct file *reader;
    struct file *writer;
    static char bytes[PIPE_BYTES];
    size_t done = 0;
    CHECK_STATUS(pipe_create(FILE_NONBLOCK, &reader, &writer), HX_OK);
    CHECK(reader->id == writer->id && file_ready(reader) == 0);
    CHECK(file_ready(writer) == WAIT_WRITABLE);
    CHECK_STATUS(get(reader, bytes, 1, &done), HX_ERR_WOULD_BLOCK);
    CHECK_STATUS(put(writer, "abc", &done), HX_OK);
    CHECK(file_ready(reader) == WAIT_READABLE);
    CHECK_STATUS(get(reader, bytes, 2, &done), HX_OK);
    CHECK(done == 2 && memcmp(bytes, "ab", 2) == 0);
    struct io_buffer from;
    io_buffer_kernel(&from, bytes, PIPE_BYTES);
    CHECK_STATUS(file_write(writer, &from, &done), HX_OK);
    CHECK(done == PIPE_BYTES - PAGE_SIZE && file_ready(writer) == 0); // "c" has a page
    CHECK_STATUS(put(writer, "x", &done), HX_ERR_WOULD_BLOCK);
    CHECK_STATUS(get(reader, bytes, 1, &done), HX_OK);
    CHECK(file_ready(writer) == WAIT_WRITABLE);
    CHECK_STATUS(put(writer, "x", &done), HX_OK);
    CHECK(file_ready(writer) == 0);
    CHECK_STATUS(get(reader, bytes, PAGE_SIZE - 1, &done), HX_OK);
    CHECK(file_ready(writer) == 0); // an atomic write might not fit
    CHECK_STATUS(get(reader, bytes, 1, &done), HX_OK);
    CHECK(file_ready(writer) == WAIT_WRITABLE);
    file_put(writer);
    CHECK(file_ready(reader) == (WAIT_READABLE | WAIT_HANGUP));
    CHECK_STATUS(get(reader, bytes, PIPE_BYTES, &done), HX_OK);
    CHECK(done == PIPE_BYTES - 2 * PAGE_SIZE + 1);
    CHECK_STATUS(get(reader, bytes, 1, &done), HX_OK);
    CHECK(done == 0);
    file_put(reader);
    CHECK_STATUS(pipe_create(0, &reader, &writer), HX_OK);
    file_put(reader);
    CHECK(file_ready(writer) == (WAIT_WRITABLE | WAIT_ERROR));
    CHECK_STATUS(put(writer, "x", &done), HX_ERR_BROKEN_PIPE);
    file_put(writer);
    return true;
}

static bool test_fifo(void) {
    struct file *reader;
    struct file *writer;
    char bytes[4];
    size_t done = 0;
    CHECK_STATUS(vfs_create(&vfs_test_lookup, "p", FS_MODE_FIFO | 0600, 0, NULL), HX_OK);
    CHECK_STATUS(file_open(&vfs_test_lookup, "p", FILE_WRITE | FILE_NONBLOCK, 0, &writer),
                 HX_ERR_NO_DEVICE);
    CHECK_STATUS(file_open(&vfs_test_lookup, "p", FILE_READ | FILE_NONBLOCK, 0, &reader), HX_OK);
    CHECK(file_ready(reader) == 0);
    CHECK_STATUS(file_open(&vfs_test_lookup, "p", FILE_WRITE, 0, &writer), HX_OK);
    CHECK_STATUS(put(writer, "hey", &done), HX_OK);
    CHECK_STATUS(get(reader, bytes, 4, &done), HX_OK);
    CHECK(done == 3);
    file_put(writer);
    CHECK(file_ready(reader) == WAIT_HANGUP);
    file_put(reader);
    return true;
}

static bool test_devices(void) {
    struct path d;
    struct file *file;
    char bytes[16] = "xxxxxxxxxxxxxxx";
    size_t done = 0;
    CHECK_STATUS(vfs_test_directory("dev"), HX_OK);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "dev", &d), HX_OK);
    enum hx_status status = vfs_mount(vfs_test_space, "dev", "devtmpfs", d, 0, NULL);
    path_put(d);
    CHECK_STATUS(status, HX_OK);
    CHECK_STATUS(vfs_test_exists("dev/stdin"), HX_OK);
    CHECK_STATUS(file_open(&vfs_test_lookup, "dev/zero", FILE_READ | FILE_WRITE, 0, &file), HX_OK);
    CHECK_STATUS(get(file, bytes, 8, &done), HX_OK);
    CHECK(done == 8 && memcmp(bytes, "\0\0\0\0\0\0\0\0x", 9) == 0);
    CHECK_STATUS(put(file, "gone", &done), HX_OK);
    file_put(file);
    CHECK_STATUS(file_open(&vfs_test_lookup, "dev/null", FILE_READ, 0, &file), HX_OK);
    CHECK_STATUS(get(file, bytes, 8, &done), HX_OK);
    CHECK(done == 0);
    file_put(file);
    CHECK_STATUS(file_open(&vfs_test_lookup, "dev/full", FILE_WRITE, 0, &file), HX_OK);
    CHECK_STATUS(put(file, "x", &done), HX_ERR_NO_SPACE);
    file_put(file);
    CHECK_STATUS(file_open(&vfs_test_lookup, "dev/urandom", FILE_READ, 0, &file), HX_OK);
    CHECK_STATUS(get(file, bytes, 16, &done), HX_OK);
    CHECK(done == 16);
    file_put(file);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "dev", &d), HX_OK);
    status = vfs_unmount(vfs_test_space, d, 0);
    path_put(d);
    CHECK_STATUS(status, HX_OK);
    return true;
}

// The initial archive
// -----------------------------------------------------------------------------------------------

struct archive {
    uint8_t bytes[4096];
    size_t length;
};

struct archive_entry {
    const char *name;
    const char *data;
    uint32_t mode, links, inode;
};

static const struct archive_entry archive_entries[] = {
    { "dir", "", FS_MODE_DIRECTORY | 0750, 2, 1 },
    { "dir/file", "contents", FS_MODE_REGULAR | 0640, 1, 2 },
    { "/absolute", "a", FS_MODE_REGULAR | 0600, 1, 3 },
    { "../../escape", "e", FS_MODE_REGULAR | 0600, 1, 4 },
    { "no/parent", "n", FS_MODE_REGULAR | 0600, 1, 5 },
    { "link", "dir/file", FS_MODE_LINK | 0777, 1, 6 },
    { "hard1", "", FS_MODE_REGULAR | 0644, 2, 7 },
    { "hard2", "shared", FS_MODE_REGULAR | 0644, 2, 7 },
    { "fifo", "", FS_MODE_FIFO | 0600, 1, 8 },
    { "TRAILER!!!", "", 0, 1, 0 },
};

static void archive_pad(struct archive *archive) {
    while (archive->length % 4 != 0) {
        archive->bytes[archive->length++] = 0;
    }
}

static void archive_make(struct archive *archive) {
    archive->length = 0;
    for (size_t i = 0; i < ARRAY_SIZE(archive_entries); i++) {
        const struct archive_entry *entry = &archive_entries[i];
        char header[128];
        size_t name = strlen(entry->name) + 1;
        size_t data = strlen(entry->data);
        size_t length = format_string(header, sizeof(header),
                                      "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                                      entry->inode, entry->mode, 0u, 0u, entry->links, 1000u,
                                      (unsigned)data, 0u, 0u, 0u, 0u, (unsigned)name, 0u);
        memcpy(archive->bytes + archive->length, header, length);
        memcpy(archive->bytes + archive->length + length, entry->name, name);
        archive->length += length + name;
        archive_pad(archive);
        memcpy(archive->bytes + archive->length, entry->data, data);
        archive->length += data;
        archive_pad(archive);
    }
}

static uint32_t crc32(const uint8_t *bytes, size_t length) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (uint32_t bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~crc;
}

// Wraps an archive into a gzip member with one stored block.
static void archive_gzip(const struct archive *from, struct archive *to) {
    static const uint8_t header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
    uint16_t sizes[2] = { (uint16_t)from->length, (uint16_t)~from->length };
    uint32_t trailer[2] = { crc32(from->bytes, from->length), (uint32_t)from->length };
    memcpy(to->bytes, header, sizeof(header));
    to->bytes[10] = 1; // the last block, stored
    memcpy(to->bytes + 11, sizes, sizeof(sizes));
    memcpy(to->bytes + 15, from->bytes, from->length);
    memcpy(to->bytes + 15 + from->length, trailer, sizeof(trailer));
    to->length = from->length + 15 + sizeof(trailer);
}

static bool archive_is_unpacked(void) {
    struct path path;
    struct fs_info info;
    CHECK(vfs_test_holds("dir/file", "contents") && vfs_test_holds("absolute", "a"));
    CHECK(vfs_test_holds("escape", "e") && vfs_test_holds("link", "contents"));
    CHECK(vfs_test_holds("hard1", "shared") && vfs_test_holds("hard2", "shared"));
    CHECK_STATUS(vfs_test_exists("no"), HX_ERR_NOT_FOUND);
    CHECK_STATUS(vfs_test_exists("/escape"), HX_ERR_NOT_FOUND);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "dir", &path), HX_OK);
    inode_info(path_inode(path), &info);
    path_put(path);
    CHECK(info.mode == (FS_MODE_DIRECTORY | 0750));
    CHECK(info.modified == (time_ns_t)1000 * 1000000000);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "hard1", &path), HX_OK);
    inode_info(path_inode(path), &info);
    path_put(path);
    CHECK(info.links == 2 && info.modified == (time_ns_t)1000 * 1000000000);
    return true;
}

static bool test_archive(void) {
    static struct archive plain;
    static struct archive packed;
    struct path root;
    const char *reason = NULL;
    archive_make(&plain);
    archive_gzip(&plain, &packed);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, ".", &root), HX_OK);
    CHECK_STATUS(initramfs_unpack(plain.bytes, plain.length, root, &reason), HX_OK);
    CHECK(archive_is_unpacked());
    CHECK_STATUS(initramfs_unpack(packed.bytes, packed.length, root, &reason), HX_OK);
    CHECK(archive_is_unpacked()); // over itself
    CHECK_STATUS(initramfs_unpack(packed.bytes, packed.length - 1, root, &reason), HX_ERR_CORRUPT);
    CHECK(reason != NULL);
    plain.bytes[110 + 200] ^= 0x80;
    for (size_t length = 1; length < plain.length; length += 7) { // damaged, and cut anywhere
        reason = NULL;
        enum hx_status status = initramfs_unpack(plain.bytes, length, root, &reason);
        CHECK(status == HX_OK || reason != NULL);
    }
    path_put(root);
    return true;
}

const struct selftest vfs_tests_files[] = {
    { "bytes", test_bytes },     { "unlinked files", test_unlinked }, { "open", test_open_flags },
    { "readdir", test_readdir }, { "pipe ends", test_pipe_ends },     { "fifo", test_fifo },
    { "devices", test_devices }, { "initial archive", test_archive },
};
const uint32_t vfs_tests_files_count = ARRAY_SIZE(vfs_tests_files);
