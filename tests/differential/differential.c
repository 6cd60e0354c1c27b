// SPDX-License-Identifier: MIT OR Apache-2.0
// WITH: output.c pools.c state.c steps_names.c steps_files.c steps_channels.c steps_events.c
// WITH: steps_processes.c steps_signals.c steps_memory.c
// Random programs, by their seeds; what they do is told in lines that two kernels are compared by.
//
//   differential digests FIRST COUNT   a line for each seed: the seed, the digest of its lines
//   differential show SEED [STEPS]     the lines of a seed; of these steps alone (as 0,3,7)
//   differential told                  what a program that was started anew sees; for the step exec
#include "program.h"

#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OUTPUT     "/tmp/differential.lines"
#define MOST_STEPS 64
#define LIMIT_S    20
#define SIZE       "size=4m,nr_inodes=1000,mode=755"

static const struct family *const families[] = {
    &family_names,    &family_attributes, &family_files,     &family_descriptors,
    &family_locks,    &family_pipes,      &family_sockets,   &family_events,
    &family_watches,  &family_queues,     &family_processes, &family_processes,
    &family_identity, &family_identity,   &family_signals,   &family_memory,
};

static unsigned chosen[COUNT(families)];
static size_t chosen_count;

// Few families, so that their steps meet; names and files are what many others need.
static void choose_families(struct generator *random) {
    chosen_count = 0;
    const size_t wanted = 1 + below(random, 4);
    if (one_in(random, 2)) {
        chosen[chosen_count++] = 0;
    }
    while (chosen_count < wanted) {
        chosen[chosen_count++] = below(random, COUNT(families));
    }
}

static void run_one(struct generator *random) {
    const struct family *family = families[chosen[below(random, (uint32_t)chosen_count)]];
    family->steps[below(random, (uint32_t)family->count)].run(random);
}

void run_some(struct generator *random) {
    const unsigned count = 1 + below(random, 5);
    for (unsigned i = 0; i < count; i++) {
        say("    ");
        run_one(random);
    }
}

// The program itself: in a fresh folder, with nothing open.
static void run_program(uint64_t seed, const bool *wanted) {
    const struct rlimit few = { DESCRIPTORS, DESCRIPTORS };
    alarm(LIMIT_S);
    if (chdir(PROGRAM_FOLDER) != 0 || setrlimit(RLIMIT_NOFILE, &few) != 0) {
        _exit(3);
    }
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    for (int i = 0; i < DESCRIPTORS; i++) {
        close(i);
    }
    struct generator whole = generator_of(seed, 1000);
    choose_families(&whole);
    const unsigned count = 20 + below(&whole, 41);
    for (unsigned step = 0; step < count; step++) {
        struct generator random = generator_of(seed, step);
        if (wanted[step]) {
            say("%2u  ", step);
            run_one(&random);
        }
    }
    state_tell();
    _exit(0);
}

static void must(bool good, const char *what) {
    if (!good) {
        dprintf(1, "differential: %s: %s\n", what, strerror(errno));
        exit(2);
    }
}

static void run_seed(uint64_t seed, const bool *wanted) {
    must(mount("tmpfs", PROGRAM_TOP, "tmpfs", 0, SIZE) == 0, "mount");
    must(mkdir(PROGRAM_TOP "/1", 0755) == 0 && mkdir(PROGRAM_TOP "/1/2", 0755) == 0 &&
             mkdir(PROGRAM_FOLDER, 0777) == 0 && chmod(PROGRAM_FOLDER, 0777) == 0,
         "mkdir");
    output_clear();
    const pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        run_program(seed, wanted);
    }
    int status = -1;
    must(waitpid(child, &status, 0) == child, "wait");
    if (status != 0) {
        say("ended by %x\n", status);
    }
    mq_unlink("/q1");
    mq_unlink("/q2");
    must(umount2(PROGRAM_TOP, MNT_DETACH) == 0, "umount");
}

static uint64_t digest(void) {
    size_t length;
    const char *text = output_text(&length);
    uint64_t value = 0xcbf29ce484222325ull; // FNV-1a
    for (size_t i = 0; i < length; i++) {
        value = (value ^ (unsigned char)text[i]) * 0x100000001b3ull;
    }
    return value;
}

static void write_all(const char *text, size_t length) {
    while (length > 0) {
        const long written = write(1, text, length);
        must(written > 0, "write");
        text += written;
        length -= (size_t)written;
    }
}

static int digests(uint64_t first, uint64_t count) {
    bool all[MOST_STEPS];
    memset(all, 1, sizeof all);
    for (uint64_t seed = first; seed < first + count; seed++) {
        run_seed(seed, all);
        dprintf(1, "%llu %016llx\n", (unsigned long long)seed, (unsigned long long)digest());
    }
    return 0;
}

static int show(uint64_t seed, const char *steps) {
    bool wanted[MOST_STEPS];
    memset(wanted, steps == NULL, sizeof wanted);
    for (const char *at = steps; at != NULL; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        wanted[(unsigned)atoi(at) % MOST_STEPS] = true;
    }
    run_seed(seed, wanted);
    size_t length;
    const char *text = output_text(&length);
    write_all(text, length);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "told") == 0) {
        output_open(OUTPUT, false);
        state_tell_process();
        state_tell_descriptors();
        return 9;
    }
    if (argc < 3) {
        return 2;
    }
    mkdir(PROGRAM_TOP, 0755);
    output_open(OUTPUT, true);
    const uint64_t first = strtoull(argv[2], NULL, 10);
    if (strcmp(argv[1], "digests") == 0 && argc == 4) {
        return digests(first, strtoull(argv[3], NULL, 10));
    }
    return strcmp(argv[1], "show") == 0 ? show(first, argc > 3 ? argv[3] : NULL) : 2;
}
