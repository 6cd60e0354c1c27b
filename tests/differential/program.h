// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/differential/program.h: what the steps of the random programs share.
//
// A program is a list of steps that follow from its seed alone. Each step draws its arguments from
// a generator of its own (so that the others stay as they are when one is left out), calls the
// kernel, and tells the call and what came of it in one line. A line has nothing that may differ
// between two runs on one kernel: no times, numbers of processes, inodes or devices. All lines, and
// the state at the end, are what two kernels are compared by.
//
// Nothing waits: each descriptor is made with O_NONBLOCK. What runs beside the program (a child, a
// thread) runs alone: the program waits for it.
#pragma once

#include "../fuzz/random.h"
#include "left_out.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/types.h>

#define PROGRAM_TOP    "/tmp/differential"
#define PROGRAM_FOLDER PROGRAM_TOP "/1/2/3" // so that a few ".." lead nowhere else
#define DESCRIPTORS    32                   // the limit that a program begins with
#define OTHER_USER     1000

struct step {
    const char *name;
    void (*run)(struct generator *random);
};

// Steps of one area; a program has some of the families only, which lets them meet more often.
struct family {
    const char *name;
    const struct step *steps;
    size_t count;
};

#define STEP(name) { #name, step_##name }
#define FAMILY(name)                                                                               \
    const struct family family_##name = { #name, name##_steps, COUNT(name##_steps) }

extern const struct family family_names, family_attributes, family_files, family_descriptors,
    family_locks, family_pipes, family_sockets, family_events, family_watches, family_queues,
    family_processes, family_identity, family_signals, family_memory;

// output.c: the lines. They are in memory that all processes of a program share, so they are there
// whatever becomes of who wrote them.
void output_open(const char *path, int create);
void output_clear(void);
const char *output_text(size_t *out_length);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_bytes(const void *bytes, size_t length);
void say_flags(unsigned flags); // of open() and F_GETFL
void say_path(const char *path);
void say_result(long result, int error);
void say_stat(const char *what, int result, const struct stat *stat);

// Tells what a call gives, and ends the line.
#define RESULT(call)                                                                               \
    ({                                                                                             \
        errno = 0;                                                                                 \
        const long result_ = (long)(call);                                                         \
        const int error_ = errno;                                                                  \
        say_result(result_, error_);                                                               \
        result_;                                                                                   \
    })

// pools.c: what calls are given.
enum kind {
    KIND_FILE = 1,
    KIND_FOLDER = 2,
    KIND_PIPE = 4,
    KIND_SOCKET = 8,
    KIND_EVENT = 16,
    KIND_TIMER = 32,
    KIND_SIGNAL = 64,
    KIND_EPOLL = 128,
    KIND_WATCH = 256,
    KIND_QUEUE = 512,
    KIND_PATH = 1024,
    KIND_OTHER = 2048,
    KIND_DATA = KIND_FILE | KIND_PIPE | KIND_SOCKET,
    KIND_ANY = 4095,
};

const char *path_of(struct generator *random);
const char *name_of(struct generator *random);
unsigned mode_of(struct generator *random);
int descriptor_of(struct generator *random, unsigned kinds);
int inode_of(struct generator *random);  // something whose mode, owner and locks are its own
int folder_of(struct generator *random); // AT_FDCWD, mostly
void descriptor_is(int descriptor, enum kind kind);
void descriptor_copied(int from, int to);
void descriptor_note(int descriptor); // finds the kind of a file
size_t length_of(struct generator *random);
long offset_of(struct generator *random);
unsigned some_of(struct generator *random, const unsigned *bits, size_t count);
#define SOME_OF(random, bits) some_of(random, bits, COUNT(bits))
// Bytes to write: a letter that tells the call.
const char *data_of(struct generator *random, size_t length);

// state.c: what there is when a program ends.
void state_tell(void);
void state_tell_descriptors(void);
void state_tell_process(void);

// differential.c: steps inside another step: in a child, in a thread, as another user.
void run_some(struct generator *random);
