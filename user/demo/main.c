// SPDX-License-Identifier: MIT OR Apache-2.0
// user/demo/main.c: a disk whose driver is killed or swapped again and again under two programs:
// one reads the disk's beginning and sums it up, the other writes behind that and reads it back.
//
//   demo heal|swap TIMES MIB
//
// Prints lines for tools/helix/demo.py: "sample US BYTES BYTES" (since the start: read, written and
// verified), "heal US NS NS" (detection, restart), "swap US NS" (freeze), and in the end "sum N"
// and "passes N N". Exit status 1: a program got an error or a wrong byte, which stderr tells of.
#include <libhelix/calls.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MODULE    "virtio_blk"
#define NEXT      "/lib/helix/virtio_blk.hxm"
#define DISK      "/dev/vda"
#define HEALTH    "/proc/helix/health"
#define CHUNK     ((size_t)256 << 10)
#define WRITTEN   ((size_t)4 << 20) // bytes behind what is read
#define SAMPLE_US 20000u
#define HEAL_US                                                                                    \
    130000u // between deaths: the rule gives up who dies more often than 10 times a second
#define SWAP_US 50000u
#define WAIT_US 20000000u

static const char *const kinds[] = { "null", "jump", "copy", "undefined", "divide", "assert" };

// What the programs tell each other.
static struct shared {
    _Atomic uint64_t read, written; // bytes
    _Atomic uint64_t reads, writes; // passes
    _Atomic uint32_t sum;
    _Atomic bool ends;
} *shared;

static uint64_t began_us;
static size_t read_bytes;

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - began_us;
}

static void __attribute__((noreturn)) fail(const char *what) {
    (void)fprintf(stderr, "demo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *memory(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        fail("memory");
    }
    return at;
}

// The two programs
// ------------------------------------------------------------------------------------------------

// Adler-32 (RFC 1950, section 8.2), from a chunk to the next one.
static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t size) {
    uint32_t a = sum & 0xffff;
    uint32_t b = sum >> 16;
    while (size != 0) {
        size_t part = size < 5552 ? size : 5552; // as many as do not overflow
        size -= part;
        while (part-- != 0) {
            a += *bytes++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

static uint32_t read_pass(int file, uint8_t *chunk) {
    uint32_t sum = 1;
    for (size_t at = 0; at < read_bytes; at += CHUNK) {
        if (pread(file, chunk, CHUNK, (off_t)at) != (ssize_t)CHUNK) {
            fail("read");
        }
        sum = sum_add(sum, chunk, CHUNK);
        shared->read += CHUNK;
    }
    shared->reads++;
    return sum;
}

static void reader(void) {
    const int file = open(DISK, O_RDONLY | O_DIRECT);
    uint8_t *chunk = memory(CHUNK);
    if (file < 0) {
        fail(DISK);
    }
    shared->sum = read_pass(file, chunk);
    while (!shared->ends) {
        if (read_pass(file, chunk) != shared->sum) {
            errno = EILSEQ;
            fail("read: another sum");
        }
    }
}

static void write_pass(int file, uint32_t seed, uint8_t *chunk, uint8_t *seen) {
    for (size_t at = 0; at < WRITTEN; at += CHUNK) {
        const off_t place = (off_t)(read_bytes + at);
        for (size_t i = 0; i < CHUNK; i += sizeof(seed)) {
            seed = seed * 1664525 + 1013904223;
            memcpy(chunk + i, &seed, sizeof(seed));
        }
        if (pwrite(file, chunk, CHUNK, place) != (ssize_t)CHUNK ||
            pread(file, seen, CHUNK, place) != (ssize_t)CHUNK) {
            fail("write");
        }
        if (memcmp(chunk, seen, CHUNK) != 0) {
            errno = EILSEQ;
            fail("write: other bytes");
        }
        shared->written += CHUNK;
    }
    if (fsync(file) != 0) {
        fail("fsync");
    }
    shared->writes++;
}

static void writer(void) {
    const int file = open(DISK, O_RDWR);
    uint8_t *chunk = memory(CHUNK);
    uint8_t *seen = memory(CHUNK);
    if (file < 0) {
        fail(DISK);
    }
    for (uint32_t pass = 1; !shared->ends; pass++) {
        write_pass(file, pass, chunk, seen);
    }
}

static pid_t start(void (*program)(void)) {
    const pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        program();
        exit(0);
    }
    return pid;
}

// Who ended before he was told has met with an error.
static void check_alive(void) {
    if (waitpid(-1, NULL, WNOHANG) != 0) {
        shared->ends = true;
        exit(1);
    }
}

// What befalls the driver
// ------------------------------------------------------------------------------------------------

struct health {
    char state[16];
    unsigned deaths, restarts, swaps, rollbacks;
    unsigned long long restart_ns, worst_ns, held, freeze_ns, worst_freeze_ns, detection_ns;
};

static struct health health(void) {
    char name[32];
    struct health it = { .state = "" };
    FILE *file = fopen(HEALTH, "re");
    if (file == NULL) {
        fail(HEALTH);
    }
    while (fscanf(file, "%31s %15s %u %u %llu %llu %llu %u %u %llu %llu %llu%*[^\n]", name,
                  it.state, &it.deaths, &it.restarts, &it.restart_ns, &it.worst_ns, &it.held,
                  &it.swaps, &it.rollbacks, &it.freeze_ns, &it.worst_freeze_ns,
                  &it.detection_ns) == 12 &&
           strcmp(name, MODULE) != 0) {
    }
    (void)fclose(file);
    return it;
}

static void sample(void) {
    printf("sample %llu %llu %llu\n", (unsigned long long)now_us(),
           (unsigned long long)shared->read, (unsigned long long)shared->written);
}

static void samples(uint64_t span_us) {
    const uint64_t end = now_us() + span_us;
    while (now_us() < end) {
        const struct timespec pause = { 0, SAMPLE_US * 1000L };
        nanosleep(&pause, NULL);
        sample();
        check_alive();
    }
}

static void heal_once(unsigned number) {
    char text[64];
    const unsigned deaths = health().deaths;
    const int file = open(HEALTH, O_WRONLY | O_CLOEXEC);
    const int length = snprintf(text, sizeof(text), "kill " MODULE " %s %u", kinds[number % 6],
                                1 + number * 37 % 101);
    if (file < 0 || write(file, text, (size_t)length) != length) {
        fail(HEALTH);
    }
    close(file);
    const uint64_t end = now_us() + WAIT_US;
    struct health now = health();
    while (now.deaths == deaths || strcmp(now.state, "runs") != 0) {
        const struct timespec pause = { 0, 1000000 };
        nanosleep(&pause, NULL);
        check_alive();
        now = health();
        if (now_us() > end) {
            errno = ETIMEDOUT;
            fail("the driver does not come back");
        }
    }
    printf("heal %llu %llu %llu\n", (unsigned long long)now_us(), now.detection_ns, now.restart_ns);
    samples(HEAL_US);
}

static struct {
    handle_t modules;
    const void *package;
    uint64_t size;
} next;

static void swap_open(void) {
    struct stat found;
    const int file = open(NEXT, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &found) != 0) {
        fail(NEXT);
    }
    next.size = (uint64_t)found.st_size;
    next.package = mmap(NULL, next.size, PROT_READ, MAP_PRIVATE, file, 0);
    if (next.package == MAP_FAILED || hx_module_all(&next.modules) != HX_OK) {
        fail("the modules");
    }
    close(file);
}

static void swap_once(void) {
    static const struct hx_module_name name = { MODULE };
    struct hx_module_report report = { 0 };
    enum hx_status status =
        hx_module_swap(next.modules, &name, (uint64_t)(uintptr_t)next.package, next.size, &report);
    if (status != HX_OK) {
        (void)fprintf(stderr, "demo: swap: %s: %s\n", hx_status_name(status),
                      (const char *)report.text);
        exit(1);
    }
    printf("swap %llu %llu\n", (unsigned long long)now_us(), health().freeze_ns);
    samples(SWAP_US);
}

static bool ended_well(pid_t pid) {
    int status = -1;
    return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int count, char **words) {
    if (count != 4) {
        (void)fputs("usage: demo heal|swap TIMES MIB\n", stderr);
        return 2;
    }
    const unsigned times = (unsigned)strtoul(words[2], NULL, 10);
    const bool heals = strcmp(words[1], "heal") == 0;
    read_bytes = strtoul(words[3], NULL, 10) << 20;
    shared = memory(sizeof(*shared));
    began_us = now_us();
    const pid_t pids[] = { start(reader), start(writer) };
    if (!heals) {
        swap_open();
    }
    while (shared->reads == 0) { // the sum is taken
        samples(SAMPLE_US);
    }
    for (unsigned i = 0; i < times; i++) {
        if (heals) {
            heal_once(i);
        } else {
            swap_once();
        }
        (void)fflush(stdout);
    }
    shared->ends = true;
    const bool read_well = ended_well(pids[0]);
    const bool wrote_well = ended_well(pids[1]);
    sample();
    printf("sum %u\npasses %llu %llu\n", shared->sum, (unsigned long long)shared->reads,
           (unsigned long long)shared->writes);
    return read_well && wrote_well ? 0 : 1;
}
