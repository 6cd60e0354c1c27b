// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc as far as ps, top, free, mount and C libraries read it; mounts.
#include "check.h"
#include "machine.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>

// Reads a whole file; its length, or -1.
static ssize_t slurp(const char *name, char *text, size_t capacity) {
    int fd = open(name, O_RDONLY);
    if (fd < 0) {
        return -1;
    }
    size_t filled = 0;
    ssize_t count;
    while (filled < capacity - 1 && (count = read(fd, text + filled, capacity - 1 - filled)) > 0) {
        filled += (size_t)count;
    }
    close(fd);
    text[filled] = 0;
    return (ssize_t)filled;
}

static char text[65536];

static void own_status(void) {
    int pid = 0;
    int parent = 0;
    int group = 0;
    int session = 0;
    char state = 0;
    char name[32] = "";
    NEED(slurp("/proc/self/stat", text, sizeof text) > 0);
    SAME(sscanf(text, "%d (%31[^)]) %c %d %d %d", &pid, name, &state, &parent, &group, &session),
         6);
    SAME(pid, getpid());
    SAME(parent, getppid());
    SAME(group, getpgrp());
    SAME(session, getsid(0));
    SAME(state, 'R');
    CHECK(strcmp(name, "proc") == 0);
    int fields = 0;
    for (char *at = strrchr(text, ')'); (at = strchr(at + 1, ' ')); fields++) {
    }
    SAME(fields, 50);
    NEED(slurp("/proc/self/status", text, sizeof text) > 0);
    CHECK(strstr(text, "Name:\tproc\n") && strstr(text, "\nPid:\t") && strstr(text, "\nVmRSS:") &&
          strstr(text, "\nUid:\t0\t0\t0\t0\n") && strstr(text, "\nThreads:\t1\n"));
    NEED(slurp("/proc/self/statm", text, sizeof text) > 0);
    long size = 0;
    long resident = 0;
    SAME(sscanf(text, "%ld %ld", &size, &resident), 2);
    CHECK(size >= resident && resident > 0);
}

static void command_line(void) {
    ssize_t length = slurp("/proc/self/cmdline", text, sizeof text);
    CHECK(length > 0 && text[length - 1] == 0 && strstr(text, "proc"));
    CHECK(slurp("/proc/1/cmdline", text, sizeof text) > 0);
    CHECK(slurp("/proc/cmdline", text, sizeof text) > 0 &&
          strstr(text, "console=" MACHINE_CONSOLE) && strstr(text, "rdinit="));
}

static void links(void) {
    char target[256] = "";
    CHECK(readlink("/proc/self", target, sizeof target) > 0);
    SAME(atoi(target), getpid());
    memset(target, 0, sizeof target);
    CHECK(readlink("/proc/self/exe", target, sizeof target) > 0);
    CHECK(strcmp(target, "/tests/proc") == 0);
    char here[256];
    NEED(getcwd(here, sizeof here) != NULL);
    memset(target, 0, sizeof target);
    CHECK(readlink("/proc/self/cwd", target, sizeof target) > 0);
    CHECK(strcmp(target, here) == 0);
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    memset(target, 0, sizeof target);
    CHECK(readlink(name, target, sizeof target) > 0);
    strcat(here, "/f");
    CHECK(strcmp(target, here) == 0);
    int again = open(name, O_WRONLY); // opens the file anew
    CHECK(again >= 0);
    SAME(write(again, "x", 1), 1);
    char byte;
    SAME(pread(fd, &byte, 1, 0), 1);
}

static void descriptors_are_listed(void) {
    int fd = open("/dev/null", O_RDONLY);
    int found = 0;
    DIR *folder = opendir("/proc/self/fd");
    NEED(folder != NULL);
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        found += entry->d_name[0] != '.' && atoi(entry->d_name) == fd;
    }
    SAME(found, 1);
}

static void processes_are_listed(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    DIR *folder = opendir("/proc");
    NEED(folder != NULL);
    int found = 0;
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        int number = atoi(entry->d_name);
        found += number == 1 || number == pid || number == getpid();
    }
    SAME(found, 3);
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    char state = 0;
    while (state != 'S') {
        NEED(slurp(name, text, sizeof text) > 0);
        state = strrchr(text, ')')[2];
        sched_yield();
    }
    kill(pid, SIGSTOP);
    SAME(waitpid(pid, NULL, WUNTRACED), pid);
    NEED(slurp(name, text, sizeof text) > 0);
    SAME(strrchr(text, ')')[2], 'T');
    kill(pid, SIGKILL);
    siginfo_t info;
    SAME(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    NEED(slurp(name, text, sizeof text) > 0);
    SAME(strrchr(text, ')')[2], 'Z');
    KILLED(pid, SIGKILL);
    SAME(slurp(name, text, sizeof text), -1);
    REFUSED(open(name, O_RDONLY), ENOENT);
}

static void figures(void) {
    CHECK(slurp("/proc/meminfo", text, sizeof text) > 0);
    long total = 0;
    long free_kb = 0;
    CHECK(sscanf(text, "MemTotal: %ld kB MemFree: %ld kB", &total, &free_kb) == 2);
    CHECK(total > free_kb && free_kb > 0);
    CHECK(strstr(text, "\nMemAvailable:") && strstr(text, "\nCached:") &&
          strstr(text, "\nBuffers:") && strstr(text, "\nSwapTotal:"));
    double up = -1;
    double idle = -1;
    CHECK(slurp("/proc/uptime", text, sizeof text) > 0);
    SAME(sscanf(text, "%lf %lf", &up, &idle), 2);
    CHECK(up > 0 && idle >= 0);
    CHECK(slurp("/proc/stat", text, sizeof text) > 0);
    CHECK(strncmp(text, "cpu ", 4) == 0 && strstr(text, "\ncpu0 ") && strstr(text, "\nbtime "));
    CHECK(slurp("/proc/loadavg", text, sizeof text) > 0);
    CHECK(sscanf(text, "%lf %lf", &up, &idle) == 2);
    CHECK(slurp("/proc/version", text, sizeof text) > 0);
    CHECK(slurp("/proc/cpuinfo", text, sizeof text) > 0 && strstr(text, "processor\t: 0"));
    CHECK(slurp("/proc/filesystems", text, sizeof text) > 0 && strstr(text, "tmpfs") &&
          strstr(text, "proc"));
    CHECK(slurp("/proc/mounts", text, sizeof text) > 0 && strstr(text, " /proc proc "));
    REFUSED(open("/proc/absent", O_RDONLY), ENOENT);
    REFUSED(open("/proc/new", O_CREAT | O_RDWR, 0600), ENOENT);
    REFUSED(mkdir("/proc/new", 0700), ENOENT);
}

static void parts_at_offsets(void) {
    ssize_t length = slurp("/proc/self/maps", text, sizeof text);
    NEED(length > 100);
    int fd = open("/proc/self/maps", O_RDONLY);
    char piece[7];
    char head[50];
    SAME(read(fd, head, 50), 50);
    CHECK(memcmp(head, text, 50) == 0);
    SAME(lseek(fd, 0, SEEK_SET), 0);
    for (int at = 0; at < 49; at += 7) {
        SAME(read(fd, piece, 7), 7);
        CHECK(memcmp(piece, text + at, 7) == 0);
    }
}

static void own_memory(void) {
    static volatile int value = 1234;
    int fd = open("/proc/self/mem", O_RDONLY);
    CHECK(fd >= 0);
    int got = 0;
    SAME(pread(fd, &got, sizeof got, (off_t)(uintptr_t)&value), sizeof got);
    SAME(got, 1234);
    REFUSED(pread(fd, &got, sizeof got, 8), EIO);
}

// Nothing in it can be renamed; asking takes all the locks.
static void renames(void) {
    REFUSED(rename("/proc/version", "/proc/renamed"), ENOENT);
    REFUSED(rename("/proc/self/comm", "/proc/renamed"), ENOENT);
    REFUSED(rename("/proc/version", "/proc/uptime"), EPERM);
}

static void mounts(void) {
    SAME(mkdir("m", 0755), 0);
    int below = open("m/hidden", O_CREAT | O_RDWR, 0600);
    CHECK(below >= 0);
    SAME(mount("tmpfs", "m", "tmpfs", 0, NULL), 0);
    REFUSED(access("m/hidden", F_OK), ENOENT);
    int fd = open("m/f", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0);
    struct stat outside;
    struct stat inside;
    SAME(stat(".", &outside), 0);
    SAME(stat("m", &inside), 0);
    CHECK(outside.st_dev != inside.st_dev);
    SAME(stat("m/..", &inside), 0);
    SAME(outside.st_ino, inside.st_ino);
    REFUSED(rename("m/f", "f"), EXDEV);
    REFUSED(link("m/f", "f"), EXDEV);
    REFUSED(rmdir("m"), EBUSY);
    REFUSED(umount("m"), EBUSY); // a file is open
    close(fd);
    SAME(umount("m"), 0);
    SAME(access("m/hidden", F_OK), 0);
    REFUSED(umount("m"), EINVAL);
    REFUSED(mount("x", "m", "no-such-type", 0, NULL), ENODEV);
    REFUSED(mount("x", "absent", "tmpfs", 0, NULL), ENOENT);
    REFUSED(mount("x", "m/hidden", "tmpfs", 0, NULL), ENOTDIR);
    REFUSED(umount("absent"), ENOENT);
    SAME(mount("proc", "m", "proc", 0, NULL), 0);
    SAME(access("m/self/stat", F_OK), 0);
    struct statfs system;
    SAME(statfs("m", &system), 0);
    SAME(system.f_type, 0x9fa0);
    SAME(umount2("m", MNT_DETACH), 0);
    pid_t pid;
    CHILD(pid) {
        NEED(chmod(".", 0755) == 0 && setuid(1000) == 0);
        REFUSED(mount("tmpfs", "m", "tmpfs", 0, NULL), EPERM);
        REFUSED(umount("/proc"), EPERM);
    }
    EXITS(pid, 0);
}

static void read_only_mounts(void) {
    SAME(mkdir("m", 0755), 0);
    SAME(mount("tmpfs", "m", "tmpfs", 0, NULL), 0);
    int fd = open("m/f", O_CREAT | O_RDWR, 0600);
    close(fd);
    SAME(mount("tmpfs", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    REFUSED(open("m/f", O_RDWR), EROFS);
    REFUSED(open("m/g", O_CREAT | O_RDWR, 0600), EROFS);
    REFUSED(mkdir("m/d", 0700), EROFS);
    REFUSED(unlink("m/f"), EROFS);
    REFUSED(chmod("m/f", 0777), EROFS);
    REFUSED(access("m/f", W_OK), EROFS);
    SAME(close(open("m/f", O_RDONLY)), 0);
    SAME(umount("m"), 0);
}

// The text of a long link is paid for by the size, too, and given back.
static void long_links(void) {
    char target[3001] = "", name[16];
    memset(target, 'x', sizeof(target) - 1);
    SAME(mount("tmpfs", "m", "tmpfs", 0, "size=64k"), 0);
    for (int round = 0; round < 3; round++) {
        int links = 0;
        do {
            snprintf(name, sizeof(name), "m/%d", links);
        } while (symlink(target, name) == 0 && ++links < 100);
        REFUSED(symlink(target, name), ENOSPC);
        CHECK(links > 0 && links <= 16);
        SAME(symlink("short", "m/short"), 0);
        SAME(unlink("m/short"), 0);
        while (links-- > 0) {
            snprintf(name, sizeof(name), "m/%d", links);
            SAME(unlink(name), 0);
        }
    }
    SAME(umount("m"), 0);
}

static void sized_mounts(void) {
    static char block[16 * 4096];
    struct statfs system;
    NEED(mkdir("m", 0755) == 0);
    SAME(mount("tmpfs", "m", "tmpfs", 0, "size=48k,nr_inodes=4,mode=750,uid=7,gid=8"), 0);
    struct stat root;
    SAME(stat("m", &root), 0);
    CHECK((root.st_mode & 07777) == 0750 && root.st_uid == 7 && root.st_gid == 8);
    int fd = open("m/f", O_CREAT | O_RDWR, 0600);
    SAME(write(fd, block, sizeof block), 12 * 4096);
    REFUSED(write(fd, block, 1), ENOSPC);
    SAME(link("m/f", "m/g"), 0);
    SAME(mkdir("m/d", 0700), 0);
    SAME(statfs("m", &system), 0);
    CHECK(system.f_blocks == 12 && system.f_bfree == 0);
    CHECK(system.f_files == 4 && system.f_ffree == 0);
    REFUSED(open("m/h", O_CREAT | O_RDWR, 0600), ENOSPC);
    REFUSED(symlink("f", "m/h"), ENOSPC);
    REFUSED(link("m/f", "m/h"), ENOSPC);
    SAME(unlink("m/g"), 0);
    SAME(symlink("f", "m/h"), 0);
    SAME(ftruncate(fd, 4096), 0);
    SAME(unlink("m/f"), 0);
    SAME(statfs("m", &system), 0);
    CHECK(system.f_bfree == 11 && system.f_ffree == 0); // the file is open
    close(fd);
    SAME(statfs("m", &system), 0);
    CHECK(system.f_bfree == 12 && system.f_ffree == 1);
    SAME(umount("m"), 0);
    REFUSED(mount("tmpfs", "m", "tmpfs", 0, "nr_inodes=x"), EINVAL);
    long_links();
    SAME(rmdir("m"), 0);
}

// The file system that came with the kernel does not eat the memory: neither by contents nor by
// names.
static void root_is_limited(void) {
    static char block[1 << 20];
    struct statfs before, after;
    int fd = open("/root-limit", O_CREAT | O_RDWR | O_EXCL, 0600);
    NEED(fd >= 0);
    SAME(statfs("/", &before), 0);
    CHECK(before.f_blocks > before.f_bfree && before.f_files > before.f_ffree);
    uint64_t written = 0;
    for (ssize_t done; (done = write(fd, block, sizeof(block))) > 0;) {
        written += (uint64_t)done;
    }
    REFUSED(write(fd, block, 1), ENOSPC);
    SAME(written, before.f_bfree * (uint64_t)before.f_bsize);
    close(fd);
    SAME(unlink("/root-limit"), 0);
    SAME(statfs("/", &after), 0);
    SAME(after.f_bfree, before.f_bfree);
    NEED(mkdir("/many", 0700) == 0);
    uint64_t names = 0;
    char name[32];
    do {
        snprintf(name, sizeof(name), "/many/%lu", (unsigned long)names);
    } while (mknod(name, S_IFREG | 0600, 0) == 0 && ++names <= before.f_ffree);
    REFUSED(mknod(name, S_IFREG | 0600, 0), ENOSPC);
    SAME(names, before.f_ffree); // the folder instead of the file
    while (names-- > 0) {
        snprintf(name, sizeof(name), "/many/%lu", (unsigned long)names);
        NEED(unlink(name) == 0);
    }
    SAME(rmdir("/many"), 0);
}

// slabinfo(5): one line for each cache; dropping what is cached leaves it so.
static void kernel_memory(void) {
    char line[512], name[32];
    unsigned long long used, total, size, per_slab;
    FILE *file = fopen("/proc/slabinfo", "r");
    NEED(file != NULL && fgets(line, sizeof(line), file) != NULL);
    CHECK(strcmp(line, "slabinfo - version: 2.1\n") == 0);
    NEED(fgets(line, sizeof(line), file) != NULL && strncmp(line, "# name ", 7) == 0);
    int count = 0;
    for (; fgets(line, sizeof(line), file) != NULL; count++) {
        CHECK(sscanf(line, "%31s %llu %llu %llu %llu", name, &used, &total, &size, &per_slab) == 5);
        CHECK(used <= total && size > 0 && per_slab > 0);
    }
    CHECK(count > 10);
    fclose(file);
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    NEED(fd >= 0);
    REFUSED(write(fd, "0", 1), EINVAL);
    REFUSED(write(fd, "5", 1), EINVAL);
    REFUSED(write(fd, "x", 1), EINVAL);
    SAME(write(fd, "3", 1), 1);
    SAME(write(fd, "2\n", 2), 2);
    close(fd);
}

static const struct check_case cases[] = {
    CASE(own_status),
    CASE(sized_mounts),
    CASE(command_line),
    CASE(links),
    CASE(descriptors_are_listed),
    CASE(processes_are_listed),
    CASE(figures),
    CASE(parts_at_offsets),
    CASE(own_memory),
    CASE(renames),
    CASE(mounts),
    CASE(read_only_mounts),
    CASE(root_is_limited),
    CASE(kernel_memory),
};
CHECK_MAIN(cases)
