// SPDX-License-Identifier: MIT OR Apache-2.0
// Steps that read, write and change what is open, and its locks.
#include "program.h"

#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define MOST_READ 32768

static char buffer[MOST_READ];

static int is_nameless(int file) {
    struct stat stat;
    return fstat(file, &stat) == 0 && (stat.st_mode & S_IFMT) == 0;
}

static int is_same(int first, int second) {
    struct stat stats[2];
    return fstat(first, &stats[0]) == 0 && fstat(second, &stats[1]) == 0 &&
           stats[0].st_ino == stats[1].st_ino && stats[0].st_dev == stats[1].st_dev;
}

static void result_with_bytes(long result, int error, const void *bytes) {
    if (result > 0) {
        say_bytes(bytes, (size_t)result);
    }
    say_result(result, error);
}

static void step_read(struct generator *random) {
    const int file = descriptor_of(random, KIND_DATA);
    const size_t drawn = length_of(random);
    const size_t length = WITH_EMPTY_READS || drawn != 0 ? drawn : 3;
    say("read %d %zu", file, length);
    errno = 0;
    const long result = read(file, buffer, length);
    result_with_bytes(result, errno, buffer);
}

static void step_write(struct generator *random) {
    const int file = descriptor_of(random, KIND_DATA);
    const size_t length = length_of(random);
    say("write %d %zu", file, length);
    RESULT(write(file, data_of(random, length), length));
}

static void step_pread(struct generator *random) {
    const int file = WITH_SEEK_NAMELESS ? descriptor_of(random, KIND_FILE) : inode_of(random);
    const size_t length = length_of(random);
    const long offset = offset_of(random);
    say("pread %d %zu %ld", file, length, offset);
    errno = 0;
    const long result = pread(file, buffer, length, offset);
    result_with_bytes(result, errno, buffer);
}

static void step_pwrite(struct generator *random) {
    const int file = WITH_SEEK_NAMELESS ? descriptor_of(random, KIND_FILE) : inode_of(random);
    const size_t length = length_of(random);
    const long offset = offset_of(random);
    say("pwrite %d %zu %ld", file, length, offset);
    RESULT(pwrite(file, data_of(random, length), length, offset));
}

// Several pieces, some of them bad, perhaps at a place, perhaps with flags.
static void step_vectors(struct generator *random) {
    static const int flags[] = {
        0, 0, 0, 1 /* HIPRI */, 2 /* DSYNC */, 8 /* NOWAIT */, 16 /* APPEND */, 0x1000
    };
    const int file = descriptor_of(random, KIND_DATA);
    const int is_write = one_in(random, 2);
    const long offset = one_in(random, 2) ? -1 : offset_of(random);
    const int drawn = ELEMENT(random, flags);
    const int flag = WITH_SEEK_NAMELESS || !is_nameless(file) ? drawn : 0;
    struct iovec pieces[4];
    const int count = WITH_NO_BYTES ? (int)below(random, 5) : 1 + (int)below(random, 4);
    char *at = (char *)data_of(random, sizeof buffer);
    say("%s %d %ld %x", is_write ? "pwritev2" : "preadv2", file, offset, flag);
    for (int i = 0; i < count; i++) {
        const size_t length = length_of(random) % 5000 + (!WITH_NO_BYTES && i == 0);
        const int bad = one_in(random, 16);
        pieces[i] = (struct iovec){ bad ? (void *)16 : at, length };
        at += length;
        say(" %zu%s", length, bad ? "!" : "");
    }
    errno = 0;
    const long result = syscall(is_write ? SYS_pwritev2 : SYS_preadv2, file, pieces, count, offset,
                                offset < 0 ? -1l : 0l, flag);
    say_result(result, errno);
}

static void step_lseek(struct generator *random) {
    const int file = WITH_SEEK_NAMELESS ? descriptor_of(random, KIND_ANY) : inode_of(random);
    const unsigned whence = below(random, 6);
    const long offset = offset_of(random);
    say("lseek %d %ld %u", file, offset, whence);
    RESULT(lseek(file, offset, (int)whence));
}

static void step_ftruncate(struct generator *random) {
    const int file = descriptor_of(random, KIND_FILE);
    const long size = offset_of(random);
    say("ftruncate %d %ld", file, size);
    RESULT(ftruncate(file, size));
}

static void step_fallocate(struct generator *random) {
    static const int modes[] = { 0,
                                 FALLOC_FL_KEEP_SIZE,
                                 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                 FALLOC_FL_PUNCH_HOLE,
                                 FALLOC_FL_ZERO_RANGE * WITH_ZERO_RANGE,
                                 FALLOC_FL_COLLAPSE_RANGE,
                                 FALLOC_FL_INSERT_RANGE,
                                 FALLOC_FL_UNSHARE_RANGE,
                                 0x80 };
    const int file = descriptor_of(random, KIND_FILE);
    const int mode = ELEMENT(random, modes);
    const long offset = offset_of(random);
    const long length = (long)length_of(random);
    say("fallocate %d %x %ld %ld", file, mode, offset, length);
    RESULT(fallocate(file, mode, offset, length));
}

// Two places of one file, or of two.
static void step_copy_file_range(struct generator *random) {
    const int from = descriptor_of(random, KIND_FILE);
    const int to = descriptor_of(random, KIND_FILE);
    off64_t in = offset_of(random);
    off64_t out = offset_of(random);
    const int has_in = one_in(random, 2);
    const int has_out = one_in(random, 2);
    const size_t length = length_of(random);
    const unsigned flags = one_in(random, 16);
    say("copy_file_range %d %ld %d %ld %zu %u", from, has_in ? (long)in : -9l, to,
        has_out ? (long)out : -9l, length, flags);
    errno = 0;
    const long result = syscall(SYS_copy_file_range, from, has_in ? &in : NULL, to,
                                has_out ? &out : NULL, length, flags);
    const int error = errno;
    say(" to %ld %ld", (long)in, (long)out);
    say_result(result, error);
}

static void step_sendfile(struct generator *random) {
    const int to = descriptor_of(random, KIND_DATA);
    const int from = descriptor_of(random, KIND_FILE);
    off_t offset = offset_of(random);
    const int has_offset = one_in(random, 2);
    const size_t length = length_of(random);
    if (!WITH_SENDFILE_TO_ITSELF && is_same(from, to)) {
        return;
    }
    say("sendfile %d %d %ld %zu", to, from, has_offset ? (long)offset : -9l, length);
    errno = 0;
    const long result = sendfile(to, from, has_offset ? &offset : NULL, length);
    const int error = errno;
    say(" to %ld", (long)offset);
    say_result(result, error);
}

static void step_sync(struct generator *random) {
    const int file = descriptor_of(random, KIND_ANY);
    switch (below(random, 4)) {
    case 0:
        say("fsync %d", file);
        RESULT(fsync(file));
        break;
    case 1:
        say("fdatasync %d", file);
        RESULT(fdatasync(file));
        break;
    case 2:
        say("sync_file_range %d", file);
        RESULT(sync_file_range(file, 0, 4096, below(random, 10)));
        break;
    default:
        say("fadvise %d", file);
        RESULT(posix_fadvise(file, 0, 100, (int)below(random, 8)));
        break;
    }
}

static const struct step files_steps[] = {
    STEP(read),      STEP(read),      STEP(write),     STEP(write),
    STEP(pread),     STEP(pwrite),    STEP(vectors),   STEP(lseek),
    STEP(ftruncate), STEP(fallocate), STEP(fallocate), STEP(copy_file_range),
    STEP(sendfile),  STEP(sync),
};
FAMILY(files);

static void step_close(struct generator *random) {
    const int file = descriptor_of(random, KIND_ANY);
    say("close %d", file);
    RESULT(close(file));
}

static void step_dup(struct generator *random) {
    const int file = descriptor_of(random, KIND_ANY);
    const int to = (int)below(random, DESCRIPTORS + 2);
    const int flags = one_in(random, 2) ? O_CLOEXEC : one_in(random, 8) ? O_NONBLOCK : 0;
    long made;
    switch (below(random, 4)) {
    case 0:
        say("dup %d", file);
        made = RESULT(dup(file));
        break;
    case 1:
        say("dup2 %d %d", file, to);
        made = RESULT(dup2(file, to));
        break;
    case 2:
        say("dup3 %d %d", file, to);
        say_flags((unsigned)flags);
        made = RESULT(dup3(file, to, flags));
        break;
    default:
        say("F_DUPFD %d %d", file, to);
        made = RESULT(fcntl(file, flags ? F_DUPFD_CLOEXEC : F_DUPFD, to));
        break;
    }
    descriptor_copied(file, (int)made);
}

static void step_close_range(struct generator *random) {
    const unsigned first = below(random, 14);
    const unsigned last = one_in(random, 8) ? 2 : first + below(random, 3);
    static const unsigned flags[] = { 0, 0, 4 /* CLOEXEC */, 2 * WITH_UNSHARED_RANGE, 1 };
    const unsigned flag = ELEMENT(random, flags);
    say("close_range %u %u %x", first, last, flag);
    RESULT(syscall(436, first, last, flag));
}

static void step_fcntl(struct generator *random) {
    static const unsigned more[] = { O_APPEND, O_NOATIME, O_DIRECT, O_ASYNC, O_CREAT, O_RDWR };
    const int file = descriptor_of(random, KIND_ANY);
    const unsigned flags = SOME_OF(random, more) | O_NONBLOCK;
    int result;
    switch (below(random, 4)) {
    case 0:
        say("F_GETFD %d", file);
        RESULT(fcntl(file, F_GETFD));
        break;
    case 1:
        say("F_SETFD %d %x", file, flags & 3);
        RESULT(fcntl(file, F_SETFD, flags & 3));
        break;
    case 2:
        say("F_GETFL %d", file);
        errno = 0;
        result = fcntl(file, F_GETFL);
        if (result >= 0) {
            say_flags((unsigned)result);
            result = 0;
        }
        say_result(result, errno);
        break;
    default:
        say("F_SETFL %d", file);
        say_flags(flags);
        RESULT(fcntl(file, F_SETFL, flags));
        break;
    }
}

static void step_ioctl(struct generator *random) {
    const int file = descriptor_of(random, KIND_ANY);
    int value = 1;
    switch (below(random, 4)) {
    case 0:
        value = -7;
        say("FIONREAD %d", file);
        errno = 0;
        const int result = ioctl(file, FIONREAD, &value);
        const int error = errno;
        say(" %d", value);
        say_result(result, error);
        break;
    case 1:
        say("FIOCLEX %d", file);
        RESULT(ioctl(file, FIOCLEX));
        break;
    case 2:
        say("FIONCLEX %d", file);
        RESULT(ioctl(file, FIONCLEX));
        break;
    default:
        say("FIONBIO %d", file);
        RESULT(ioctl(file, FIONBIO, &value));
        break;
    }
}

static void step_memfd(struct generator *random) {
    static const unsigned more[] = { 1 /* CLOEXEC */, 2 /* ALLOW_SEALING */, 2, 16 };
    const unsigned flags = SOME_OF(random, more) & (WITH_SEALS ? ~0u : ~2u);
    say("memfd_create %x", flags);
    descriptor_note((int)RESULT(syscall(SYS_memfd_create, name_of(random), flags)));
}

static void step_seals(struct generator *random) {
    const int file = WITH_SEALS ? descriptor_of(random, KIND_FILE) : -1;
    if (one_in(random, 3)) {
        say("F_GET_SEALS %d", file);
        RESULT(fcntl(file, 1034));
        return;
    }
    const unsigned seals = 1u << below(random, 6);
    say("F_ADD_SEALS %d %x", file, seals);
    RESULT(fcntl(file, 1033, seals));
}

static const struct step descriptors_steps[] = {
    STEP(close), STEP(dup),   STEP(dup),   STEP(close_range), STEP(fcntl),
    STEP(fcntl), STEP(ioctl), STEP(memfd), STEP(seals),
};
FAMILY(descriptors);

static void step_flock(struct generator *random) {
    static const int ways[] = { LOCK_SH, LOCK_EX, LOCK_EX, LOCK_UN, LOCK_SH | LOCK_EX, 32 };
    const int file = WITH_OTHERS_LOCKED ? descriptor_of(random, KIND_ANY) : inode_of(random);
    const int way = ELEMENT(random, ways);
    say("flock %d %d", file, way);
    RESULT(flock(file, way | LOCK_NB));
}

static struct flock lock_of(struct generator *random) {
    return (struct flock){
        .l_type = (short)below(random, 4),
        .l_whence = (short)(one_in(random, 6) ? below(random, 4) : 0),
        .l_start = offset_of(random),
        .l_len = one_in(random, 3) ? 0 : (long)below(random, 200) - 20,
    };
}

// Those of the process, and those of the open file.
static void step_record_lock(struct generator *random) {
    const int file = WITH_OTHERS_LOCKED ? descriptor_of(random, KIND_ANY) : inode_of(random);
    struct flock lock = lock_of(random);
    const int is_of_file = one_in(random, 2);
    const int is_question = one_in(random, 3);
    say("%s%s %d %d %d %ld %ld", is_of_file ? "F_OFD" : "F_", is_question ? "GETLK" : "SETLK", file,
        lock.l_type, lock.l_whence, (long)lock.l_start, (long)lock.l_len);
    errno = 0;
    const int result = fcntl(file,
                             is_question ? (is_of_file ? F_OFD_GETLK : F_GETLK)
                                         : (is_of_file ? F_OFD_SETLK : F_SETLK),
                             &lock);
    const int error = errno;
    if (result == 0 && is_question) {
        say(" %d %d %ld %ld %s", lock.l_type, lock.l_whence, (long)lock.l_start, (long)lock.l_len,
            lock.l_pid == -1  ? "file's"
            : lock.l_pid == 0 ? "none"
                              : "somebody's");
    }
    say_result(result, error);
}

static const struct step locks_steps[] = {
    STEP(flock), STEP(flock), STEP(record_lock), STEP(record_lock), STEP(record_lock),
};
FAMILY(locks);
