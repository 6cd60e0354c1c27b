// SPDX-License-Identifier: MIT OR Apache-2.0
// The lines that a program tells.
#include "program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define OUTPUT_SIZE (512u * 1024)
#define SHOWN       48u     // of a path
#define RUNS        12      // of equal bytes
#define OLD         1000000 // seconds: a time that a step has set

struct output {
    size_t length;
    char text[OUTPUT_SIZE - sizeof(size_t)];
};

static struct output *output;

void output_open(const char *path, int create) {
    const int file = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0666);
    if (file < 0 || (create && (fchmod(file, 0666) != 0 || ftruncate(file, OUTPUT_SIZE) != 0))) {
        _exit(3);
    }
    output = mmap(NULL, OUTPUT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (output == MAP_FAILED) {
        _exit(3);
    }
    close(file);
}

void output_clear(void) {
    output->length = 0;
}

const char *output_text(size_t *out_length) {
    *out_length = output->length;
    return output->text;
}

void say(const char *format, ...) {
    const size_t room = sizeof output->text - output->length;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(output->text + output->length, room, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < room) {
        output->length += (size_t)length;
    }
}

// Equal bytes once, with their number.
void say_bytes(const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    say(" '");
    for (int run = 0; length > 0 && run < RUNS; run++) {
        size_t same = 1;
        while (same < length && at[same] == at[0]) {
            same++;
        }
        say(at[0] > ' ' && at[0] < 127 ? "%c" : "\\%02x", at[0]);
        if (same > 1) {
            say("*%zu ", same);
        }
        at += same;
        length -= same;
    }
    uint32_t digest = 5381;
    for (size_t i = 0; i < length; i++) {
        digest = digest * 33 + at[i];
    }
    if (length > 0) {
        say("... %zu more, %08x", length, digest);
    }
    say("'");
}

void say_flags(unsigned flags) {
    static const struct {
        unsigned bit;
        const char *name;
    } known[] = {
        { O_CREAT, "creat" },
        { O_EXCL, "excl" },
        { O_TRUNC, "trunc" },
        { O_APPEND, "append" },
        { O_NONBLOCK, "nonblock" },
        { O_TMPFILE & ~O_DIRECTORY, "tmpfile" },
        { O_PATH, "path" },
        { O_DIRECTORY, "directory" },
        { O_NOFOLLOW, "nofollow" },
        { O_CLOEXEC, "cloexec" },
        { O_DIRECT, "direct" },
        { O_NOATIME, "noatime" },
        { O_SYNC, "sync" },
        { O_DSYNC, "dsync" },
        { O_ASYNC, "async" },
        { O_LARGEFILE, "" },
        { 0100000, "" }, // of the machine, where libc says 0
    };
    static const char *const ways[] = { "read", "write", "both", "neither" };
    say(" %s", ways[flags & 3]);
    flags &= ~3u;
    for (size_t i = 0; i < COUNT(known); i++) {
        if (known[i].bit != 0 && (flags & known[i].bit) == known[i].bit) {
            say("%s%s", known[i].name[0] == '\0' ? "" : "+", known[i].name);
            flags &= ~known[i].bit;
        }
    }
    if (flags != 0) {
        say("+%x", flags);
    }
}

void say_path(const char *path) {
    const size_t length = strlen(path);
    if (length > SHOWN) {
        say(" %.8s...(%zu)", path, length);
    } else {
        say(length == 0 ? " ''%s" : " %s", path);
    }
}

void say_result(long result, int error) {
    if (result == -1) {
        say(" = %s\n", error == 0 ? "-1" : strerror(error));
    } else {
        say(" = %ld\n", result);
    }
}

static void say_time(const char *name, time_t seconds) {
    if (seconds < OLD) {
        say(" %s %ld", name, (long)seconds);
    }
}

void say_stat(const char *what, int result, const struct stat *stat) {
    if (result != 0) {
        say("%s", what);
        say_result(-1, errno);
        return;
    }
    if ((stat->st_mode & S_IFMT) == 0 && !WITH_ANONYMOUS_INODES) {
        say("%s nameless\n", what);
        return;
    }
    const bool is_channel = S_ISFIFO(stat->st_mode) || S_ISSOCK(stat->st_mode);
    say("%s mode %o links %ld", what, stat->st_mode, (long)stat->st_nlink);
    if (WITH_PIPE_OWNERS || !is_channel) {
        say(" user %u group %u", stat->st_uid, stat->st_gid);
    }
    if (S_ISREG(stat->st_mode) || S_ISLNK(stat->st_mode)) {
        say(" size %ld blocks %ld", (long)stat->st_size, (long)stat->st_blocks);
    }
    if (S_ISCHR(stat->st_mode) || S_ISBLK(stat->st_mode)) {
        say(" device %u:%u", major(stat->st_rdev), minor(stat->st_rdev));
    }
    if (!WITH_PIPE_OWNERS && !S_ISREG(stat->st_mode) && !S_ISDIR(stat->st_mode)) {
        say("\n");
        return;
    }
    say_time("atime", stat->st_atime);
    say_time("mtime", stat->st_mtime);
    say("\n");
}
