// SPDX-License-Identifier: MIT OR Apache-2.0
// A file system that lies (tests/modules/hostilefs.c), in ring 3 and in the kernel: about what its
// nodes are, how large they are, how they are called, how much it gives; that, in ring 3, says
// nothing, and that dies. Whoever uses it gets errors or nonsense; the kernel and the files of
// others are as they were.
// DEVICE: packages
// LIMIT: 400
#define MODULE "hostilefs"
#include "../native/failing.h"
#include "files_load.h"
#include "versions.h"

#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define ROUNDS 400

static bool is_in_kernel;

static int64_t start(void) {
    memset(&report, 0, sizeof report);
    const size_t size = read_package(MODULE);
    return is_in_kernel ? NATIVE(module_load, modules(), package, size, &report)
                        : NATIVE(module_isolate, modules(), package, size, &report);
}

static int64_t unload(void) {
    const struct hx_module_name name = { MODULE };
    int64_t status = HX_ERR_BUSY;
    for (int i = 0; i < 500 && status == HX_ERR_BUSY; i++) { // until what was unmounted is gone
        status = NATIVE(module_unload, modules(), &name, &report);
        pause_ms(10);
    }
    return status;
}

static const char *const types[] = { "lies", "lies_paged", "lies_uncached", "lies_generated" };
#define TYPES (sizeof types / sizeof *types)

// What a program does that meets a file that it does not know. Of the answers only that they come.
static void touch(const char *path) {
    struct stat about;
    static char bytes[65536]; // more than a piece of an attribute
    (void)!lstat(path, &about);
    (void)!stat(path, &about);
    (void)!readlink(path, bytes, sizeof bytes);
    const int file = open(path, O_RDWR | O_NONBLOCK);
    const int reader = file >= 0 ? file : open(path, O_RDONLY | O_NONBLOCK);
    if (reader >= 0) {
        (void)!pread(reader, bytes, sizeof bytes, 0);
        (void)!pread(reader, bytes, sizeof bytes, INT64_MAX - 4096);
        (void)!pwrite(reader, bytes, 10, 4096);
        (void)!fstat(reader, &about);
        (void)!syscall(SYS_getdents64, reader, bytes, sizeof bytes);
        (void)!ftruncate(reader, 100);
        (void)!flock(reader, LOCK_EX | LOCK_NB);
        char *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
        if (mapped != MAP_FAILED && about.st_size >= 4096 && S_ISREG(about.st_mode)) {
            (void)!write(-1, mapped, 1);
            munmap(mapped, 4096);
        }
        close(reader);
    }
    (void)!setxattr(path, "user.a", bytes, sizeof bytes, 0);
    (void)!lgetxattr(path, "trusted.a", bytes, sizeof bytes);
    (void)!llistxattr(path, bytes, sizeof bytes);
    (void)!removexattr(path, "user.a");
    (void)!chmod(path, 0777);
    (void)!truncate(path, 5000);
    (void)!access(path, R_OK);
}

static const char letters[] = "dflpcrzbnsme";

static void make(const char *at, char what) {
    char path[64], other[64];
    snprintf(path, sizeof path, "%s/-%c", at, what);
    snprintf(other, sizeof other, "%s/-%cx", at, what == 'd' ? 'f' : 'd');
    const int file = open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0666);
    if (file >= 0) {
        (void)!write(file, "abc", 3);
        (void)!ftruncate(file, 8192);
        close(file);
    }
    touch(path);
    (void)!mkdir(other, 0777);
    touch(other);
    (void)!link(path, other);
    (void)!rename(path, other);
    (void)!symlink("f", path);
    touch(path);
    (void)!mkfifo(other, 0666);
    (void)!unlink(path);
    (void)!rmdir(other);
    const int nameless = open(at, O_RDWR | O_TMPFILE, 0600);
    if (nameless >= 0) {
        (void)!write(nameless, "abc", 3);
        close(nameless);
    }
}

static void everything(const char *at) {
    char path[64], deeper[128];
    struct statfs about;
    (void)!statfs(at, &about);
    for (const char *what = letters; *what != '\0'; what++) {
        snprintf(path, sizeof path, "%s/%c", at, *what);
        touch(path);
        make(at, *what);
        for (const char *then = letters; *then != '\0'; then++) {
            snprintf(deeper, sizeof deeper, "%s/%c", path, *then);
            touch(deeper);
            (void)!rename(path, deeper);
            (void)!rename(deeper, path);
            (void)!syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, deeper, 2);
        }
        (void)!unlink(path);
        (void)!rmdir(path);
    }
    touch(at);
}

static void others_are_well(void) {
    struct stat about;
    put("mine", "mine");
    has("mine", "mine");
    SAME(unlink("mine"), 0);
    SAME(stat("/sbin/runner", &about), 0);
    CHECK(S_ISREG(about.st_mode));
}

static void lies(void) {
    alarm(200);
    SAME(start(), HX_OK);
    NEED(mkdir("at", 0755) == 0);
    for (unsigned i = 0; i < TYPES; i++) {
        NEED(mount("none", "at", types[i], 0, NULL) == 0);
        everything("at");
        everything("at");
        SAME(umount("at"), 0);
        others_are_well();
    }
    SAME(health().deaths, 0);
    SAME(unload(), HX_OK);
    SAME(rmdir("at"), 0);
}

// Names that are none never reach a program, and a directory ends.
static void names_are_names(void) {
    SAME(start(), HX_OK);
    NEED(mkdir("at", 0755) == 0 && mount("none", "at", "lies", 0, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        DIR *stream = opendir("at");
        const struct dirent *entry;
        NEED(stream != NULL);
        for (int count = 0; (entry = readdir(stream)) != NULL; count++) {
            CHECK(strchr(entry->d_name, '/') == NULL && entry->d_name[0] != '\0');
            if (count > ROUNDS) {
                check_fail(__FILE_NAME__, __LINE__, "no end");
                break;
            }
        }
        closedir(stream);
    }
    SAME(umount("at"), 0);
    SAME(unload(), HX_OK);
    SAME(rmdir("at"), 0);
}

// What is said of a node is what it was made as, or nothing. In the kernel an instance may be
// NULL: that is its own affair.
static void types_stay(void) {
    struct stat about;
    SAME(start(), HX_OK);
    NEED(mkdir("at", 0755) == 0 && mount("none", "at", "lies", 0, NULL) == 0);
    REFUSED(open("at/-d", O_RDWR | O_CREAT | O_EXCL, 0666), EIO);
    REFUSED(mkdir("at/-f", 0777), EIO);
    REFUSED(mkfifo("at/-fy", 0777), EIO);
    REFUSED(stat("at/z", &about), EIO);
    REFUSED(stat("at/b", &about), EIO);
    SAME(umount("at"), 0);
    REFUSED(mount("none", "at", "lies", 0, "file"), EIO);
    REFUSED(mount("none", "at", "lies", 0, "z"), EIO);
    for (int i = 0; is_in_kernel && i < 2; i++) {
        SAME(mount("none", "at", "lies", 0, "0"), 0);
        SAME(umount("at"), 0);
    }
    if (!is_in_kernel) {
        REFUSED(mount("none", "at", "lies", 0, "0"), EIO);
    }
    SAME(unload(), HX_OK);
    SAME(rmdir("at"), 0);
}

// Nothing but what each directory has, and then an error.
static void no_names(const char *path) {
    DIR *stream = opendir(path);
    const struct dirent *entry;
    NEED(stream != NULL);
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        CHECK(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    }
    const int said = errno;
    SAME(said, EIO);
    closedir(stream);
}

// Who says that he gave more than there was room for, or took more than there was, did neither.
static void counts_are_counted(void) {
    char bytes[64];
    SAME(start(), HX_OK);
    NEED(mkdir("at", 0755) == 0 && mount("none", "at", "lies", 0, NULL) == 0);
    REFUSED(readlink("at/n", bytes, sizeof bytes), EIO);
    no_names("at/m");
    no_names("at/e");
    SAME(umount("at"), 0);
    NEED(mount("none", "at", "lies_generated", 0, NULL) == 0);
    const int file = open("at/f", O_RDWR);
    NEED(file >= 0);
    REFUSED(read(file, bytes, sizeof bytes), EIO);
    REFUSED(write(file, bytes, sizeof bytes), EIO);
    close(file);
    REFUSED(readlink("at/n", bytes, sizeof bytes), EIO);
    SAME(umount("at"), 0);
    SAME(health().deaths, 0);
    SAME(unload(), HX_OK);
    SAME(rmdir("at"), 0);
}

// What never has the pieces that it was given is not asked for ever; and bytes do not change if the
// capability that they would have cannot go.
static void attributes(void) {
    static char value[65536];
    struct stat about;
    SAME(start(), HX_OK);
    NEED(mkdir("at", 0755) == 0 && mount("none", "at", "lies", 0, NULL) == 0);
    REFUSED(setxattr("at/f", "user.lost", value, sizeof value, 0), EIO);
    REFUSED(setxattr("at/f", "user.lost", value, 1, 0), EIO);
    const int file = open("at/f", O_RDWR);
    NEED(file >= 0 && fstat(file, &about) == 0);
    SAME(about.st_size, 4096);
    REFUSED(write(file, "bytes", 5), EIO);
    REFUSED(ftruncate(file, 10), EIO);
    REFUSED(fallocate(file, 0, 0, 8192), EIO);
    REFUSED(fchown(file, 1000, 1000), EIO);
    SAME(read(file, value, 5), 5);
    CHECK(memcmp(value, "\0\0\0\0\0", 5) == 0);
    NEED(fstat(file, &about) == 0);
    CHECK(about.st_size == 4096 && about.st_uid == 0);
    close(file);
    SAME(umount("at"), 0);
    SAME(health().deaths, 0);
    SAME(unload(), HX_OK);
    SAME(rmdir("at"), 0);
}

static void in_the_kernel(void) {
    is_in_kernel = true;
    lies();
    names_are_names();
    types_stay();
    counts_are_counted();
    attributes();
    is_in_kernel = false;
}

// Nobody else waits for one that does not answer, and its callers do not wait for ever.
static void late(void) {
    struct stat about;
    SAME(start(), HX_OK);
    NEED(mkdir("at", 0755) == 0 && mount("none", "at", "lies", 0, NULL) == 0);
    pid_t waits;
    CHILD(waits) {
        REFUSED(stat("at/w", &about), EIO);
    }
    struct load *load = load_begin();
    for (int i = 0; i < ROUNDS / 10; i++) {
        others_are_well();
    }
    CHECK(health().deaths == 0); // it was not waited for
    load_end(load);
    EXITS(waits, 0);
    others_are_well();
    while (umount("at") != 0) {
        pause_ms(10);
    }
    SAME(unload(), HX_OK);
    SAME(rmdir("at"), 0);
}

static const struct check_case cases[] = { CASE(lies),         CASE(names_are_names),
                                           CASE(types_stay),   CASE(counts_are_counted),
                                           CASE(attributes),   CASE(late),
                                           CASE(in_the_kernel) };

CHECK_MAIN(cases)
