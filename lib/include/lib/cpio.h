// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/cpio.h>: reads an initramfs: cpio archives in the "newc" format (070701, and 070702 with
// checksums), one after another, with zero bytes between them, as Linux takes them
// (Documentation/driver-api/early-userspace/buffer-format.rst).
//
// The reader borrows the image, which must not change while it is read, and gives pointers into it.
// The image is hostile: nothing outside it is read, whatever it holds.
#pragma once

#include <helix/types.h>

#define CPIO_NAME_MAX 4096u // a name with its terminator

// The kinds in the file type bits of cpio_entry.mode.
#define CPIO_MODE_TYPE      0170000u
#define CPIO_MODE_SOCKET    0140000u
#define CPIO_MODE_LINK      0120000u
#define CPIO_MODE_FILE      0100000u
#define CPIO_MODE_BLOCK     0060000u
#define CPIO_MODE_DIRECTORY 0040000u
#define CPIO_MODE_CHARACTER 0020000u
#define CPIO_MODE_FIFO      0010000u

enum cpio_kind {
    CPIO_ENTRY,   // an entry; *out_entry describes it
    CPIO_TRAILER, // the end of one archive: inode numbers start anew, another archive may follow
    CPIO_GZIP,    // a gzip member starts at reader->offset; inflate it, then cpio_skip() over it
    CPIO_END,     // the end of the image
};

// A hard link has link_count > 1 and the (device, inode) of an earlier entry of the same archive;
// the contents stand at one of the names, usually the last.
struct cpio_entry {
    const char *name; // in the image, terminated; a leading "/" or "./" is as it stands there
    size_t name_length;
    const uint8_t *data; // in the image; a symbolic link's target (without terminator)
    size_t size_bytes;
    uint32_t mode;
    uint32_t user;
    uint32_t group;
    uint32_t link_count;
    uint32_t modified_s; // seconds since 1970
    uint32_t inode;
    uint32_t device_major; // of the file system that the archive was made from
    uint32_t device_minor;
    uint32_t special_major; // of the device that the entry is
    uint32_t special_minor;
};

struct cpio_reader {
    const uint8_t *image;
    size_t size_bytes;
    size_t offset; // of what is read next; on an error, of what is wrong
};

// Starts at the beginning of an image.
void cpio_init(struct cpio_reader *reader, const void *image, size_t size_bytes);

// Reads what comes next. At CPIO_END and CPIO_GZIP the reader stays where it is.
// HX_ERR_CORRUPT: not a well-formed archive; reader->offset says where, and stays there.
enum hx_status cpio_next(struct cpio_reader *reader, enum cpio_kind *out_kind,
                         struct cpio_entry *out_entry);

// Goes on `size_bytes` further, over a gzip member. HX_ERR_RANGE: that is beyond the end.
enum hx_status cpio_skip(struct cpio_reader *reader, size_t size_bytes);
