// SPDX-License-Identifier: MIT OR Apache-2.0
// A disk of 16 MiB with two partitions. What suite_devices.py wrote to the second one is read here;
// what is written to the first one is read there, once the machine has ended.
// DEVICE: disk
// LIMIT: 240
#include "../native/native.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define SECTOR      512
#define DISK_BYTES  (16 << 20)
#define FIRST_AT    (2048 * SECTOR)
#define FIRST_SIZE  (4096 * SECTOR)
#define SECOND_SIZE (2048 * SECTOR)
#define SCRATCH_AT  (8 << 20) // behind both
#define SYNC_AT     (15 << 20)

#define GETSIZE64 0x80081272u
#define GETSIZE   0x1260u
#define SSZGET    0x1268u
#define ROGET     0x125eu
#define FLSBUF    0x1261u
#define DISCARD   0x1277u

static unsigned char pattern(size_t at) {
    return (unsigned char)(at * 7 + at / 251);
}

static int disk_open(const char *name, int flags) {
    const int file = open(name, flags);
    NEED(file >= 0);
    return file;
}

static unsigned char *buffer(size_t size) {
    unsigned char *bytes =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(bytes != MAP_FAILED);
    return bytes;
}

static void sizes(void) {
    const int file = disk_open("/dev/vda", O_RDONLY);
    uint64_t bytes = 0;
    unsigned long units = 0;
    int number = -1;
    struct stat info;
    SAME(ioctl(file, GETSIZE64, &bytes), 0);
    SAME(bytes, DISK_BYTES);
    SAME(ioctl(file, GETSIZE, &units), 0);
    SAME(units, DISK_BYTES / 512);
    SAME(ioctl(file, SSZGET, &number), 0);
    SAME(number, SECTOR);
    SAME(ioctl(file, ROGET, &number), 0);
    SAME(number, 0);
    SAME(ioctl(file, FLSBUF, 0), 0);
    CHECK(ioctl(file, GETSIZE64, (void *)1) == -1 && errno == EFAULT);
    CHECK(ioctl(file, 0x5401, &number) == -1 && errno == ENOTTY);
    SAME(lseek(file, 0, SEEK_END), DISK_BYTES);
    CHECK(lseek(file, 1, SEEK_END) == -1 && errno == EINVAL);
    SAME(fstat(file, &info), 0);
    CHECK(S_ISBLK(info.st_mode));
    close(file);
    const int part = disk_open("/dev/vda2", O_RDONLY);
    SAME(ioctl(part, GETSIZE64, &bytes), 0);
    SAME(bytes, SECOND_SIZE);
    CHECK(open("/dev/vda3", O_RDONLY) == -1 && errno == ENOENT);
    NEED(mknod("absent", S_IFBLK | 0600, (dev_t)254 << 8 | 3) == 0);
    CHECK(open("absent", O_RDONLY) == -1 && errno == ENXIO);
}

static void listed(void) {
    char text[1024] = "";
    const int file = open("/proc/partitions", O_RDONLY);
    NEED(file >= 0 && read(file, text, sizeof text - 1) > 0);
    CHECK(strstr(text, " 254        0      16384 vda\n") != NULL);
    CHECK(strstr(text, " 254        1       2048 vda1\n") != NULL);
    CHECK(strstr(text, " 254        2       1024 vda2\n") != NULL);
}

static void host_bytes(void) {
    const int file = disk_open("/dev/vda2", O_RDONLY);
    unsigned char *bytes = buffer(SECOND_SIZE + 1);
    size_t wrong = 0;
    SAME(read(file, bytes, SECOND_SIZE + 1), SECOND_SIZE);
    for (size_t i = 0; i < SECOND_SIZE; i++) {
        wrong += bytes[i] != pattern(i);
    }
    SAME(wrong, 0);
    SAME(read(file, bytes, 1), 0);
    SAME(pread(file, bytes, 100, SECOND_SIZE - 10), 10);
    SAME(bytes[9], pattern(SECOND_SIZE - 1));
    SAME(pread(file, bytes, 1, SECOND_SIZE + 5), 0);
}

static void guest_bytes(void) {
    const int file = disk_open("/dev/vda1", O_WRONLY);
    unsigned char *bytes = buffer(FIRST_SIZE);
    for (size_t i = 0; i < FIRST_SIZE; i++) {
        bytes[i] = (unsigned char)(pattern(i) ^ 0xff);
    }
    SAME(write(file, bytes, FIRST_SIZE), FIRST_SIZE);
    CHECK(write(file, bytes, 1) == -1 && errno == ENOSPC);
    SAME(pwrite(file, bytes + FIRST_SIZE - 10, 100, FIRST_SIZE - 10), 10);
    SAME(fsync(file), 0);
    const int whole = disk_open("/dev/vda", O_RDONLY);
    unsigned char part[1000];
    SAME(pread(whole, part, sizeof part, FIRST_AT + 4321), sizeof part);
    CHECK(memcmp(part, bytes + 4321, sizeof part) == 0);
}

// Any bytes anywhere, beside a copy in memory.
static void anywhere(void) {
    enum { SIZE = 1 << 20 };
    const int file = disk_open("/dev/vda", O_RDWR);
    unsigned char *copy = buffer(SIZE);
    unsigned char *bytes = buffer(SIZE);
    uint32_t seed = 4711;
    SAME(pwrite(file, copy, SIZE, SCRATCH_AT), SIZE);
    for (int round = 0; round < 150; round++) {
        seed = seed * 1664525 + 1013904223;
        const size_t at = seed % SIZE;
        seed = seed * 1664525 + 1013904223;
        size_t size = 1 + (round % 10 == 0 ? seed % SIZE : seed % 5000);
        size = size > SIZE - at ? SIZE - at : size;
        memset(copy + at, round + 1, size);
        SAME(pwrite(file, copy + at, size, (off_t)(SCRATCH_AT + at)), size);
        SAME(pread(file, bytes, size, (off_t)(SCRATCH_AT + at)), size);
        CHECK(memcmp(bytes, copy + at, size) == 0);
    }
    SAME(pread(file, bytes, SIZE, SCRATCH_AT), SIZE);
    CHECK(memcmp(bytes, copy, SIZE) == 0);
}

// Each writes its own bytes of the same sectors.
static void beside_each_other(void) {
    enum { WRITERS = 4, SIZE = 4096, ROUNDS = 20 };
    pid_t pids[WRITERS];
    const int file = disk_open("/dev/vda", O_RDWR);
    unsigned char bytes[SIZE] = { 0 };
    size_t wrong = 0;
    SAME(pwrite(file, bytes, SIZE, SCRATCH_AT), SIZE);
    for (int writer = 0; writer < WRITERS; writer++) {
        CHILD(pids[writer]) {
            for (int i = 0; i < ROUNDS * WRITERS; i++) {
                const unsigned char byte = (unsigned char)(writer + 1);
                SAME(pwrite(file, &byte, 1, SCRATCH_AT + i * WRITERS + writer), 1);
            }
        }
    }
    for (int writer = 0; writer < WRITERS; writer++) {
        EXITS(pids[writer], 0);
    }
    SAME(pread(file, bytes, SIZE, SCRATCH_AT), SIZE);
    for (int i = 0; i < ROUNDS * WRITERS * WRITERS; i++) {
        wrong += bytes[i] != i % WRITERS + 1;
    }
    SAME(wrong, 0);
}

// More at once than the device takes.
static void many_at_once(void) {
    enum { READERS = 12, ROUNDS = 6, SIZE = 512 << 10 };
    pid_t pids[READERS];
    for (int reader = 0; reader < READERS; reader++) {
        CHILD(pids[reader]) {
            const int file = disk_open("/dev/vda2", O_RDONLY);
            unsigned char *bytes = buffer(SIZE);
            for (int i = 0; i < ROUNDS; i++) {
                const size_t at = (size_t)(reader * 4096 + i * 512);
                SAME(pread(file, bytes, SIZE, (off_t)at), SIZE);
                CHECK(bytes[0] == pattern(at) && bytes[SIZE - 1] == pattern(at + SIZE - 1));
            }
        }
    }
    for (int reader = 0; reader < READERS; reader++) {
        EXITS(pids[reader], 0);
    }
}

static void direct(void) {
    const int file = disk_open("/dev/vda2", O_RDONLY | O_DIRECT);
    unsigned char *bytes = buffer(8192);
    SAME(pread(file, bytes, 4096, 512), 4096);
    SAME(bytes[0], pattern(512));
    CHECK(pread(file, bytes, 4096, 1) == -1 && errno == EINVAL);
    CHECK(pread(file, bytes, 100, 0) == -1 && errno == EINVAL);
}

static size_t differences(const unsigned char *bytes, size_t size, int change) {
    size_t wrong = 0;
    for (size_t i = 0; i < size; i++) {
        wrong += bytes[i] != (unsigned char)(pattern(i) ^ change);
    }
    return wrong;
}

// Whole pages of the caller's go to the device itself: those that were never touched, too, in any
// kind of memory, and what lies beside them is left alone.
static void lent(void) {
    enum { SIZE = 1 << 20, PAGE = 4096 };
    const int file = disk_open("/dev/vda", O_RDWR | O_DIRECT);
    const int second = disk_open("/dev/vda2", O_RDONLY | O_DIRECT);
    unsigned char *fresh = buffer(SIZE + 2 * PAGE);
    unsigned char *shared =
        mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(shared != MAP_FAILED);
    memset(fresh, 0x11, PAGE);
    SAME(pread(second, fresh + PAGE, SIZE, 0), SIZE);
    SAME(differences(fresh + PAGE, SIZE, 0), 0);
    CHECK(fresh[PAGE - 1] == 0x11 && fresh[SIZE + PAGE] == 0);
    for (size_t i = 0; i < SIZE; i++) {
        fresh[PAGE + i] = (unsigned char)(pattern(i) ^ 0x55);
    }
    NEED(mprotect(fresh + PAGE, SIZE, PROT_READ) == 0);
    SAME(pwrite(file, fresh + PAGE, SIZE, SCRATCH_AT), SIZE);
    SAME(pread(file, shared, SIZE, SCRATCH_AT), SIZE);
    SAME(differences(shared, SIZE, 0x55), 0);
    // Memory that may not be written, in the middle: as far as it goes, or not at all.
    NEED(mprotect(fresh + PAGE, SIZE, PROT_READ | PROT_WRITE) == 0);
    NEED(mprotect(fresh + 9 * PAGE, PAGE, PROT_READ) == 0);
    const ssize_t moved = pread(second, fresh + PAGE, SIZE, 0);
    CHECK((moved == -1 && errno == EFAULT) || (moved >= 0 && moved <= 8 * PAGE));
    CHECK(fresh[9 * PAGE] == (unsigned char)(pattern(8 * PAGE) ^ 0x55));
    // A copy in a child, and a program that was forked from.
    NEED(mprotect(fresh, SIZE, PROT_READ | PROT_WRITE) == 0);
    memset(fresh, 0, SIZE);
    pid_t pid;
    CHILD(pid) {
        SAME(pread(second, fresh, SIZE / 2, 0), SIZE / 2);
        SAME(differences(fresh, SIZE / 2, 0), 0);
    }
    EXITS(pid, 0);
    CHECK(fresh[1] == 0 && fresh[SIZE / 2 - 1] == 0);
    SAME(pread(second, fresh + 512, PAGE, 0), PAGE); // not at a page: copied
    SAME(differences(fresh + 512, PAGE, 0), 0);
}

static _Atomic bool pinner_ends;

static void *pinner(void *bytes) {
    while (!pinner_ends) {
        CHECK(mlock(bytes, 65536) == 0 && munlock(bytes, 65536) == 0);
    }
    return NULL;
}

// The pages stay the program's, though another thread asks for them, to be written, meanwhile.
static void lent_and_pinned(void) {
    const int file = disk_open("/dev/vda2", O_RDONLY | O_DIRECT);
    unsigned char *bytes = buffer(65536);
    pthread_t thread;
    memset(bytes, 0, 65536);
    pinner_ends = false;
    NEED(pthread_create(&thread, NULL, pinner, bytes) == 0);
    size_t wrong = 0;
    for (int round = 0; round < 100; round++) {
        memset(bytes, 0, 65536);
        SAME(pread(file, bytes, 65536, 0), 65536);
        wrong += differences(bytes, 65536, 0);
    }
    pinner_ends = true;
    pthread_join(thread, NULL);
    SAME(wrong, 0);
}

// Several pieces of memory, some of whole pages and some not.
static void scattered(void) {
    const int file = disk_open("/dev/vda2", O_RDONLY | O_DIRECT);
    unsigned char *bytes = buffer(16 * 4096);
    unsigned char whole[3 * 4096 + 1024];
    const struct iovec pieces[] = { { bytes, 4096 },
                                    { bytes + 8192 + 512, 512 },
                                    { bytes + 4 * 4096, 2 * 4096 },
                                    { bytes + 8 * 4096, 512 } };
    SAME(preadv(file, pieces, 4, 0), sizeof whole);
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        memcpy(whole + at, pieces[i].iov_base, pieces[i].iov_len);
        at += pieces[i].iov_len;
    }
    SAME(differences(whole, sizeof whole, 0), 0);
}

// From each processor, alone and beside the others: where a disk has many queues, each goes by one
// of its own, which suite_devices.py looks for.
static void from_each_processor(void) {
    enum { ROUNDS = 25, SIZE = 16384 };
    pid_t pids[64];
    const int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    NEED(count > 0 && count <= 64);
    for (int cpu = 0; cpu < count; cpu++) {
        CHILD(pids[cpu]) {
            const int file = disk_open("/dev/vda2", O_RDONLY | O_DIRECT);
            unsigned char *bytes = buffer(SIZE);
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET((size_t)cpu, &set);
            NEED(sched_setaffinity(0, sizeof set, &set) == 0);
            for (int i = 0; i < ROUNDS; i++) {
                memset(bytes, 0, SIZE);
                SAME(pread(file, bytes, SIZE, 0), SIZE);
                SAME(differences(bytes, SIZE, 0), 0);
            }
        }
    }
    for (int cpu = 0; cpu < count; cpu++) {
        EXITS(pids[cpu], 0);
    }
}

static void discarded(void) {
    uint64_t range[2] = { SCRATCH_AT, 1 << 20 };
    const int file = disk_open("/dev/vda", O_RDWR);
    SAME(ioctl(file, DISCARD, range), 0);
    range[0] += 1;
    CHECK(ioctl(file, DISCARD, range) == -1 && errno == EINVAL);
    range[0] = DISK_BYTES;
    CHECK(ioctl(file, DISCARD, range) == -1 && errno == EINVAL);
    const int reader = disk_open("/dev/vda", O_RDONLY);
    range[0] = SCRATCH_AT;
    CHECK(ioctl(reader, DISCARD, range) == -1 && errno == EBADF);
}

static void bad_memory(void) {
    const int file = disk_open("/dev/vda", O_RDWR);
    unsigned char *bytes = buffer(8192);
    NEED(munmap(bytes + 4096, 4096) == 0);
    memset(bytes, 0x5a, 4096);
    SAME(pwrite(file, bytes, 8192, SCRATCH_AT), 4096);
    CHECK(pwrite(file, (void *)16, 512, SCRATCH_AT) == -1 && errno == EFAULT);
    SAME(pread(file, bytes, 8192, SCRATCH_AT), 4096);
    CHECK(pread(file, (void *)16, 512, SCRATCH_AT) == -1 && errno == EFAULT);
    CHECK(bytes[4095] == 0x5a);
}

// Killed in the middle: the disk works on for others, and nothing comes behind what they write.
static void killed(void) {
    unsigned char *mine = buffer(65536), *seen = buffer(65536);
    const int file = disk_open("/dev/vda", O_RDWR);
    for (int round = 0; round < 10; round++) {
        const struct timespec pause = { 0, 1000000 * round };
        const pid_t pid = fork();
        if (pid == 0) {
            unsigned char *bytes = buffer(4 << 20);
            for (;;) {
                SAME(pwrite(file, bytes, 4 << 20, SCRATCH_AT), 4 << 20);
            }
        }
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        KILLED(pid, SIGKILL);
        memset(mine, round + 1, 65536);
        SAME(pwrite(file, mine, 65536, SCRATCH_AT), 65536);
        SAME(fsync(file), 0);
        SAME(pread(file, seen, 65536, SCRATCH_AT), 65536);
        CHECK(memcmp(mine, seen, 65536) == 0);
    }
    host_bytes();
}

// The calls that say so may be refused on purpose themselves.
static void faults(const char *text) {
    const ssize_t length = (ssize_t)strlen(text);
    ssize_t written = -1;
    for (int i = 0; i < 100 && written != length; i++) {
        const int file = open("/proc/helix/faults", O_WRONLY);
        written = file < 0 ? -1 : write(file, text, (size_t)length);
        close(file);
    }
    NEED(written == length);
}

// Errors and short transfers on purpose: each read is right or fails, and what was written once is
// there when they are over.
static void faulty(void) {
    enum { SIZE = 256 << 10, ROUNDS = 60 };
    const int file = disk_open("/dev/vda", O_RDWR);
    unsigned char *bytes = buffer(SIZE);
    unsigned char *back = buffer(SIZE);
    int failed = 0, shortened = 0;
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = pattern(i + 1);
    }
    faults("short 2");
    for (size_t at = 0; at < SIZE;) {
        const ssize_t moved = pwrite(file, bytes + at, SIZE - at, SCRATCH_AT + 7 + (off_t)at);
        CHECK(moved > 0);
        at += (size_t)moved;
    }
    faults("disk 3");
    for (int i = 0; i < ROUNDS; i++) {
        const ssize_t moved = pread(file, back, 4096, SCRATCH_AT + 7);
        const int error = errno;
        CHECK((moved > 0 && moved <= 4096) || (moved == -1 && error == EIO));
        CHECK(moved < 0 || memcmp(back, bytes, (size_t)moved) == 0);
        failed += moved < 0;
        shortened += moved > 0 && moved < 4096;
    }
    faults("disk 0");
    faults("method 3");
    for (int i = 0; i < ROUNDS; i++) {
        const ssize_t moved = pread(file, back, 512, SCRATCH_AT);
        const int error = errno;
        CHECK(moved == 512 || (moved == -1 && error == EIO));
        failed += moved != 512;
    }
    faults("method 0");
    faults("short 0");
    CHECK(failed > ROUNDS / 8);
    CHECK(shortened > ROUNDS / 20);
    SAME(pread(file, back, SIZE, SCRATCH_AT + 7), SIZE);
    CHECK(memcmp(back, bytes, SIZE) == 0);
}

// Whatever memory is refused, a call works or says so, and the next one works.
static void without_memory(void) {
    const int file = disk_open("/dev/vda", O_RDWR);
    unsigned char bytes[1000] = { 1 };
    int refused = 0;
    for (int nth = 1; nth < 60; nth++) {
        char text[16];
        snprintf(text, sizeof text, "%d", nth);
        const int control = open("/proc/helix/fail_nth", O_WRONLY);
        NEED(control >= 0 && write(control, text, strlen(text)) > 0);
        const ssize_t moved = pwrite(file, bytes, sizeof bytes, SCRATCH_AT + 100);
        const int error = errno;
        while (write(control, "0", 1) != 1) { // it may be refused memory itself, once
        }
        close(control);
        CHECK(moved > 0 || (moved == -1 && error == ENOMEM));
        refused += moved != sizeof bytes;
    }
    CHECK(refused > 0);
    SAME(pwrite(file, bytes, sizeof bytes, SCRATCH_AT + 100), sizeof bytes);
}

// What is written before sync() is safe before what comes later; suite_devices.py looks, once, into
// what reached the disk. It also looks for a flush at the end: the machine ends soon after this.
static void synced(void) {
    unsigned char bytes[512] = { 1 };
    const int file = disk_open("/dev/vda", O_RDWR);
    SAME(pwrite(file, bytes, sizeof bytes, SYNC_AT), sizeof bytes);
    sync();
    SAME(pwrite(file, bytes, sizeof bytes, SYNC_AT + 4096), sizeof bytes);
}

// Who reads with the device's own hand, into `bytes`, until he is stopped.
struct reading {
    int file;
    _Atomic unsigned done;
    unsigned char *bytes;
};

#define READING_BYTES (1 << 20)

static void *reads_on(void *argument) {
    struct reading *reading = argument;
    while (pread(reading->file, reading->bytes, READING_BYTES, 0) == READING_BYTES) {
        reading->done++;
    } // the last one failed, or was cut short
    REFUSED(pread(reading->file, reading->bytes, READING_BYTES, 0), EBADF);
    return NULL;
}

static void after_some(const struct reading *reading, unsigned reads) {
    while (reading->done < reads) {
        sched_yield();
    }
}

// He was stopped: from now on his bytes are the test's alone.
static void nothing_comes(const struct reading *reading, int file) {
    unsigned char *others = buffer(READING_BYTES);
    size_t wrong = 0;
    memset(reading->bytes, 0xa5, READING_BYTES);
    SAME(pread(file, others, READING_BYTES, 0), READING_BYTES); // behind whatever the device did
    for (size_t i = 0; i < READING_BYTES; i++) {
        wrong += reading->bytes[i] != 0xa5;
    }
    SAME(wrong, 0);
    SAME(munmap(others, READING_BYTES), 0);
}

static int narrowed(int file, handle_t *out_handle) {
    const int64_t root = NATIVE(file_handle, file);
    NEED(root > 0);
    const int64_t handle = NATIVE(handle_derive, (handle_t)root, HX_RIGHTS_ALL);
    NEED(handle > 0);
    SAME(NATIVE(handle_close, (handle_t)root), HX_OK);
    const int64_t narrow = NATIVE(file_descriptor, (handle_t)handle, 1);
    NEED(narrow >= 0);
    *out_handle = (handle_t)handle;
    return (int)narrow;
}

static void revoked_in_the_middle(void) {
    const int file = disk_open("/dev/vda", O_RDONLY | O_DIRECT);
    struct reading reading = { .bytes = buffer(READING_BYTES) };
    for (unsigned round = 0; round < 16; round++) {
        handle_t handle;
        pthread_t thread;
        reading.file = narrowed(file, &handle);
        reading.done = 0;
        NEED(pthread_create(&thread, NULL, reads_on, &reading) == 0);
        after_some(&reading, 1 + round % 3);
        SAME(NATIVE(handle_revoke, handle), HX_OK);
        nothing_comes(&reading, file);
        SAME(pthread_join(thread, NULL), 0);
        SAME(close(reading.file), 0);
        SAME(NATIVE(handle_close, handle), HX_OK);
    }
    SAME(close(file), 0);
}

// The memory is not his alone, so that it outlives him.
static void killed_in_the_middle(void) {
    const int file = disk_open("/dev/vda", O_RDONLY | O_DIRECT);
    const size_t size = READING_BYTES + 4096;
    unsigned char *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(shared != MAP_FAILED);
    struct reading *reading = (struct reading *)(void *)(shared + READING_BYTES);
    *reading = (struct reading){ .file = file, .bytes = shared };
    for (unsigned round = 0; round < 16; round++) {
        reading->done = 0;
        const pid_t pid = fork();
        if (pid == 0) {
            reads_on(reading);
            _exit(1);
        }
        after_some(reading, 1 + round % 3);
        SAME(kill(pid, SIGKILL), 0);
        KILLED(pid, SIGKILL);
        nothing_comes(reading, file);
    }
    SAME(munmap(shared, size), 0);
    SAME(close(file), 0);
}

static const struct check_case cases[] = {
    CASE(sizes),
    CASE(listed),
    CASE(host_bytes),
    CASE(guest_bytes),
    CASE(anywhere),
    CASE(beside_each_other),
    CASE(many_at_once),
    CASE(direct),
    CASE(discarded),
    CASE(lent),
    CASE(scattered),
    CASE(bad_memory),
    CASE(faulty),
    CASE(without_memory),
    CASE(killed),
    CASE(synced),
    CASE(lent_and_pinned),
    CASE(from_each_processor),
    CASE(revoked_in_the_middle),
    CASE(killed_in_the_middle),
};
CHECK_MAIN(cases)
