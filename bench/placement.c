// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/placement.c: what it costs that a module is in a process of its own; on Helix alone. The
// same package, the same program: once in the kernel, once in ring 3.
//
// A row is two lines of the table, NAME_kernel and NAME_isolated: what is put there, and a round of
// calls. char: a write of a byte, one of 4 KiB, a read of a few bytes, all of helix.char; random: a
// read of 4 KiB from the image's own /dev/urandom, whose bytes the module has from the kernel;
// block: a read of a page from a disk, less what another process takes that runs while the disk
// works; files: a file of the root, which is ramfs's, is made and removed, and 4 KiB of one are
// read, which no module is asked for. restart_…: from where a module's death is noted to where its
// slots are open again, as the kernel counts it, in ns, which are instructions under -icount; of a
// module without and one with a device. The rule's pauses, which begin with the fifth death within
// a second, are none of it.
#include "bench.h"

#include <fcntl.h>
#include <helix/native.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PACKAGES   "/lib/helix/"
#define HEALTH     "/proc/helix/health"
#define PAGE       4096
#define OLD        "/placed"
#define NEW        "/placed-new"
#define PAUSE_NS   300000000
#define MOST_BYTES (1u << 20)

static int file = -1;
static pid_t filler;
static clockid_t filler_clock;
static uint8_t package[MOST_BYTES];
static long package_bytes;
static struct hx_module_report report;
static char page[PAGE] __attribute__((aligned(PAGE)));

// ---- modules

static bool read_package(const char *name) {
    char path[64];
    snprintf(path, sizeof(path), PACKAGES "%s.hxm", name);
    const int from = open(path, O_RDONLY);
    package_bytes = from >= 0 ? read(from, package, sizeof(package)) : -1;
    close(from);
    return package_bytes > 0 && package_bytes < (long)sizeof(package);
}

static bool crumb(bool isolated) {
    const long all = syscall(HX_CALL_module_all);
    const long how = isolated ? HX_CALL_module_isolate : HX_CALL_module_load;
    const bool good = all > 0 && read_package("crumb") &&
                      syscall(how, all, package, package_bytes, &report) == HX_OK;
    syscall(HX_CALL_handle_close, all);
    file = good ? open("/dev/crumb", O_RDWR) : -1;
    return file >= 0;
}

static void no_crumb(void) {
    static const struct hx_module_name name = { "crumb" };
    const long all = syscall(HX_CALL_module_all);
    close(file);
    syscall(HX_CALL_module_unload, all, &name, &report);
    syscall(HX_CALL_handle_close, all);
}

// Moves a module of the image, and opens what is driven by it.
static bool placed(const char *module, uint32_t placement, const char *path, int flags) {
    struct hx_module_name name = { "" };
    const long all = syscall(HX_CALL_module_all);
    snprintf((char *)name.bytes, sizeof(name.bytes), "%s", module);
    const bool good = all > 0 && read_package(module) &&
                      syscall(HX_CALL_module_move, all, &name, placement, package, package_bytes,
                              &report) == HX_OK;
    syscall(HX_CALL_handle_close, all);
    file = good ? open(path, flags, 0600) : -1;
    return file >= 0;
}

static bool crumb_kernel(void) {
    return crumb(false);
}

static bool crumb_isolated(void) {
    return crumb(true);
}

static bool mem(uint32_t placement) {
    return placed("mem", placement, "/dev/urandom", O_RDONLY);
}

static bool mem_kernel(void) {
    return mem(0);
}

static bool mem_isolated(void) {
    return mem(HX_MODULE_ISOLATED);
}

static void mem_back(void) {
    close(file);
    (void)mem(0);
    close(file);
}

// While a disk works its machine must not be idle: the counter would go on to the next timer. What
// it does instead, this counts.
static bool filler_begin(void) {
    filler = fork();
    if (filler == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            sched_yield();
        }
    }
    return filler > 0 && clock_getcpuclockid(filler, &filler_clock) == 0;
}

static void filler_end(void) {
    kill(filler, SIGKILL);
    (void)waitpid(filler, NULL, 0);
}

// In ns, each of which is an instruction.
static uint64_t filler_took(void) {
    struct timespec took = { 0 };
    return clock_gettime(filler_clock, &took) == 0
               ? (uint64_t)took.tv_sec * 1000000000 + (uint64_t)took.tv_nsec
               : BENCH_FAILED;
}

static bool block(uint32_t placement) {
    return filler_begin() && placed("virtio_blk", placement, "/dev/vda", O_RDONLY | O_DIRECT);
}

static bool block_kernel(void) {
    return block(0);
}

static bool block_isolated(void) {
    return block(HX_MODULE_ISOLATED);
}

static void block_back(void) {
    close(file);
    (void)placed("virtio_blk", 0, "/dev/vda", O_RDONLY | O_DIRECT);
    close(file);
    filler_end();
}

static bool files(uint32_t placement) {
    return placed("ramfs", placement, OLD, O_RDWR | O_CREAT | O_TRUNC) &&
           write(file, page, PAGE) == PAGE;
}

static bool files_kernel(void) {
    return files(0);
}

static bool files_isolated(void) {
    return files(HX_MODULE_ISOLATED);
}

static void files_back(void) {
    close(file);
    (void)files(0);
    close(file);
    unlink(OLD);
}

static bool disk(void) {
    file = open("/dev/vda", O_RDONLY | O_DIRECT);
    return file >= 0;
}

static void no_disk(void) {
    close(file);
}

// ---- calls

static long crumb_count(void) {
    char text[32] = "";
    return pread(file, text, sizeof(text) - 1, 0) > 0 ? atol(text) : -1;
}

static uint64_t writes(unsigned count, size_t bytes) {
    const long before = crumb_count();
    unsigned good = 0;
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += write(file, page, bytes) == (ssize_t)bytes;
    }
    const uint64_t took = bench_took(start, good == count);
    return before >= 0 && crumb_count() == before + (long)(count * bytes) ? took : BENCH_FAILED;
}

static uint64_t write_1(unsigned count) {
    return writes(count, 1);
}

static uint64_t write_page(unsigned count) {
    return writes(count, PAGE);
}

static uint64_t read_some(unsigned count) {
    char text[32];
    unsigned good = 0;
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        text[0] = 0;
        good += pread(file, text, sizeof(text), 0) == 2 && text[0] == '7';
    }
    return bench_took(start, good == count);
}

static uint64_t read_page(unsigned count) {
    uint64_t last = 0, next;
    unsigned good = 0;
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += read(file, page, PAGE) == PAGE;
        memcpy(&next, page + PAGE - sizeof(next), sizeof(next));
        good -= next == last;
        last = next;
    }
    return bench_took(start, good == count);
}

static uint64_t block_read(unsigned count) {
    unsigned good = 0;
    const uint64_t filled = filler_took();
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        uint64_t number = 0;
        good += pread(file, page, PAGE, (off_t)i * PAGE) == PAGE;
        memcpy(&number, page, sizeof(number));
        good -= number != i;
    }
    const uint64_t took = bench_took(start, good == count);
    return took != BENCH_FAILED && filled != BENCH_FAILED ? took - (filler_took() - filled)
                                                          : BENCH_FAILED;
}

static uint64_t files_read(unsigned count) {
    unsigned good = 0;
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += pread(file, page, PAGE, 0) == PAGE;
    }
    return bench_took(start, good == count);
}

static uint64_t files_create(unsigned count) {
    unsigned good = 0;
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        const int fresh = open(NEW, O_WRONLY | O_CREAT | O_EXCL, 0600);
        good += fresh >= 0 && close(fresh) == 0 && unlink(NEW) == 0;
    }
    return bench_took(start, good == count);
}

// ---- lives

struct life {
    char state[16];
    unsigned restarts;
    unsigned long long ns;
};

static bool life_of(const char *name, struct life *life) {
    char line[512], known[32];
    bool found = false;
    FILE *health = fopen(HEALTH, "r");
    while (health != NULL && !found && fgets(line, sizeof(line), health) != NULL) {
        found = sscanf(line, "%31s %15s %*u %u %llu", known, life->state, &life->restarts,
                       &life->ns) == 4 &&
                strcmp(known, name) == 0;
    }
    if (health != NULL) {
        fclose(health);
    }
    return found;
}

static bool strike(const char *name) {
    char words[64];
    const int length = snprintf(words, sizeof(words), "kill %s null 1", name);
    const int health = open(HEALTH, O_WRONLY);
    const bool good = write(health, words, (size_t)length) == length;
    close(health);
    return good;
}

// The next call of its SDK is its last; then it runs again, and what was open goes on.
static uint64_t restart(const char *name, bool (*works)(bool may_fail)) {
    const struct timespec pause = { 0, PAUSE_NS };
    struct life before, after;
    nanosleep(&pause, NULL);
    if (!life_of(name, &before) || !strike(name) || !works(true) || !works(false)) {
        return BENCH_FAILED;
    }
    do {
        if (!life_of(name, &after)) {
            return BENCH_FAILED;
        }
    } while (after.restarts == before.restarts || strcmp(after.state, "runs") != 0);
    return after.restarts == before.restarts + 1 && after.ns != 0 ? after.ns : BENCH_FAILED;
}

// Who is inside is told.
static bool crumb_works(bool may_fail) {
    return (crumb_count() == -1) == may_fail;
}

// Who reads a disk is not.
static bool disk_works(bool may_fail) {
    uint64_t block = 0;
    (void)may_fail;
    memset(page, 0xff, sizeof(page));
    const ssize_t got = pread(file, page, PAGE, (off_t)7 * PAGE);
    memcpy(&block, page, sizeof(block));
    return got == PAGE && block == 7;
}

static uint64_t restarts(unsigned count, const char *name, bool (*works)(bool may_fail)) {
    uint64_t all = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint64_t took = restart(name, works);
        if (took == BENCH_FAILED) {
            return BENCH_FAILED;
        }
        all += took;
    }
    return all;
}

static uint64_t restart_crumb(unsigned count) {
    return restarts(count, "crumb", crumb_works);
}

static uint64_t restart_disk(unsigned count) {
    return restarts(count, "virtio_blk", disk_works);
}

static const struct bench_operation table[] = {
    { "char_write_1_kernel", 500, crumb_kernel, write_1, no_crumb },
    { "char_write_1_isolated", 500, crumb_isolated, write_1, no_crumb },
    { "char_write_4k_kernel", 500, crumb_kernel, write_page, no_crumb },
    { "char_write_4k_isolated", 500, crumb_isolated, write_page, no_crumb },
    { "char_read_kernel", 500, crumb_kernel, read_some, no_crumb },
    { "char_read_isolated", 500, crumb_isolated, read_some, no_crumb },
    { "random_read_4k_kernel", 500, mem_kernel, read_page, mem_back },
    { "random_read_4k_isolated", 500, mem_isolated, read_page, mem_back },
    { "block_read_4k_kernel", 100, block_kernel, block_read, block_back },
    { "block_read_4k_isolated", 100, block_isolated, block_read, block_back },
    { "files_read_4k_kernel", 500, files_kernel, files_read, files_back },
    { "files_read_4k_isolated", 500, files_isolated, files_read, files_back },
    { "files_create_kernel", 100, files_kernel, files_create, files_back },
    { "files_create_isolated", 100, files_isolated, files_create, files_back },
    { "restart_char_kernel", 1, crumb_kernel, restart_crumb, no_crumb },
    { "restart_char_isolated", 1, crumb_isolated, restart_crumb, no_crumb },
    { "restart_disk_kernel", 1, disk, restart_disk, no_disk },
};

BENCH_MAIN(table)
