// SPDX-License-Identifier: MIT OR Apache-2.0
// Drivers in ring 3: the packages that run in the kernel, unchanged, with their devices.
// DEVICE: loaded
// LIMIT: 300
#include "../native/failing.h"
#include "../native/packages.h"
#include "disk_load.h"

#include <sys/klog.h>
#include <termios.h>

#define MOVES   16
#define WORKERS 3

#define PART_BYTES (2048 * 512) // of the second partition

// Byte `at` of the second partition.
static unsigned char byte_at(size_t at) {
    return (unsigned char)(at * 7 + at / 251);
}

static void check_part(int file, size_t from, size_t size) {
    static unsigned char bytes[PART_BYTES];
    size_t wrong = 0;
    SAME(pread(file, bytes, size, (off_t)from), size);
    for (size_t i = 0; i < size; i++) {
        wrong += bytes[i] != byte_at(from + i);
    }
    SAME(wrong, 0);
}

static int open_part(void) {
    const int file = open("/dev/vda2", O_RDONLY);
    NEED(file >= 0);
    return file;
}

// Entropy: registers, an interrupt, memory that the device writes
// ------------------------------------------------------------------------------------------------

static int entropy(void) {
    char text[16] = "";
    const int file = open("/proc/sys/kernel/random/entropy_avail", O_RDONLY);
    NEED(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    return atoi(text);
}

// Nobody else gives any: the processors here have no random instruction.
static void entropy_comes(void) {
    SAME(entropy(), 0);
    NEED(isolate("virtio_rng") == HX_OK);
    SAME(placement_of("virtio_rng"), HX_MODULE_ISOLATED);
    const time_ns_t end = native_after_ms(20000);
    while (entropy() != 256 && native_after_ms(0) < end) {
    }
    SAME(entropy(), 256);
    SAME(load("virtio_rng"), HX_ERR_EXISTS);
    SAME(unload("virtio_rng"), HX_OK);
    SAME(load("virtio_rng"), HX_OK); // its device was given back
    SAME(unload("virtio_rng"), HX_OK);
}

// A disk: pages that are lent beyond a call
// ------------------------------------------------------------------------------------------------

static void disk_reads(void) {
    NEED(isolate("virtio_blk") == HX_OK);
    SAME(placement_of("virtio_blk"), HX_MODULE_ISOLATED);
    const int file = open_part();
    check_part(file, 0, PART_BYTES);
    SAME(unload("virtio_blk"), HX_ERR_BUSY);
    close(file);
    SAME(unload("virtio_blk"), HX_OK);
}

// Who uses it sees nothing of that: neither of moves, nor of another version, nor of one that is
// refused, nor of deaths.
static void disk_moves(void) {
    static const uint32_t placements[] = { HX_MODULE_ISOLATED, 0 };
    NEED(load("virtio_blk") == HX_OK);
    struct load *load = load_begin(WORKERS);
    for (unsigned i = 0; i < MOVES; i++) {
        const unsigned rounds = load->rounds;
        read_package("virtio_blk");
        SAME(move_bytes("virtio_blk", placements[i % 2]), HX_OK);
        CHECK((placement_of("virtio_blk") == HX_MODULE_ISOLATED) == (i % 2 == 0));
        if (i % 4 == 0) { // in ring 3
            SAME(swap("virtio_blk", "blk_next"), HX_OK);
            SAME(swap("virtio_blk", "blk_start"), HX_ERR_NO_SPACE);
            SAME(swap("virtio_blk", "virtio_blk"), HX_OK);
            SAME(placement_of("virtio_blk"), HX_MODULE_ISOLATED);
            strike("kill virtio_blk null 5");
            (void)await_life("virtio_blk", i / 4 + 1, "runs");
        }
        load_await(load, rounds);
    }
    load_end(load);
    struct life life;
    NEED(life_of("virtio_blk", &life));
    SAME(life.deaths, MOVES / 4);
    SAME(life.restarts, MOVES / 4);
    SAME(unload("virtio_blk"), HX_OK);
}

// Consoles
// ------------------------------------------------------------------------------------------------

// What a program writes goes out; the log has another way meanwhile.
static void console_moves(void) {
    static char many[3000];
    NEED(load("virtio_console") == HX_OK);
    const int line = open("/dev/hvc0", O_RDWR | O_NOCTTY);
    NEED(line >= 0);
    memset(many, '.', sizeof many);
    for (int i = 0; i < MOVES; i++) {
        read_package("virtio_console");
        SAME(move_bytes("virtio_console", i % 2 == 0 ? HX_MODULE_ISOLATED : 0), HX_OK);
        SAME(write(line, many, sizeof many), sizeof many);
        SAME(tcdrain(line), 0);
    }
    close(line);
    SAME(unload("virtio_console"), HX_OK);
}

// What it reaches
// ------------------------------------------------------------------------------------------------

static int reacher(void) {
    const int file = open("/dev/reacher", O_RDWR);
    NEED(file >= 0);
    return file;
}

static const char *log_of(const char *what) {
    static char log[1 << 18];
    const int size = klogctl(3, log, sizeof log - 1);
    NEED(size > 0);
    log[size] = '\0';
    return strstr(log, what);
}

// Nothing but its own windows, lines and memory.
static void reaches_its_own(void) {
    char wrong = 0;
    NEED(isolate("reacher") == HX_OK);
    const int file = reacher();
    SAME(write(file, "w", 1), 1);
    SAME(write(file, "i", 1), 1);
    SAME(write(file, "d", 1), 1);
    SAME(pread(file, &wrong, 1, 0), 1);
    SAME(wrong, '0');
    REFUSED(write(file, "f", 1), EIO); // what it gave back is not there any more
    SAME(write(file, "-", 1), 1);
    SAME(await_life("reacher", 1, "runs").restarts, 1);
    close(file);
    SAME(unload("reacher"), HX_OK);
}

static long dma_faults(void) {
    static char text[1 << 16];
    const int file = open("/proc/helix/trace/counts", O_RDONLY);
    NEED(file >= 0);
    const ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    NEED(size > 0);
    text[size] = '\0';
    const char *line = strstr(text, "DMA_FAULT ");
    return line != NULL ? atol(line + strlen("DMA_FAULT ")) : 0;
}

// One more than there were.
static void await_dma_fault(long before) {
    const time_ns_t end = native_after_ms(20000);
    while (dma_faults() == before && native_after_ms(0) < end) {
    }
    CHECK(dma_faults() > before);
}

// Eight lines are logged in 10 s, a little behind the trace.
static void await_log(const char *line) {
    const time_ns_t end = native_after_ms(20000);
    while (log_of(line) == NULL && native_after_ms(0) < end) {
    }
    CHECK(log_of(line) != NULL);
}

// Its device reaches no more than it does, where an IOMMU is; else the log says that it is trusted.
static bool device_is_bound(void) {
    char bound = 0;
    NEED(isolate("reacher") == HX_OK);
    const int file = reacher();
    const long before = dma_faults();
    SAME(pread(file, &bound, 1, 1), 1);
    if (bound == 'b') {
        SAME(write(file, "b", 1), 1);
        await_dma_fault(before);
        await_log("virtio:4 (endpoint");
    } else {
        CHECK(log_of("DMA is trusted") != NULL);
    }
    dprintf(1, "DMA is %s\n", bound == 'b' ? "bound" : "trusted");
    close(file);
    SAME(unload("reacher"), HX_OK);
    return bound == 'b';
}

// What a disk's driver was lent, and no more
// ------------------------------------------------------------------------------------------------

#define BLOCK   ((size_t)4096)
#define ARMS    16 // a page of the disk: tests/modules/blk_reacher.c
#define REACHES 3  // ways to reach out: at all, behind the end, to what was given back
#define REACHED 64 // the page of the disk that is read and written

static unsigned char area[3 * BLOCK] __attribute__((aligned(4096)));
static unsigned char given[BLOCK] __attribute__((aligned(4096)));

#define BESIDE 0xee
#define BEHIND 0xcc
#define KEPT   0xdd

static bool all_are(const unsigned char *bytes, unsigned char wanted) {
    return bytes[0] == wanted && memcmp(bytes, bytes + 1, BLOCK - 1) == 0;
}

// The middle of an area is transferred, with the device told of more or of something else. An
// emulator may say that this was done, though nothing was moved: its disk is what such a driver may
// spoil, and nothing else.
static void middle_transferred(int file, bool is_write, unsigned char written) {
    unsigned char *middle = area + BLOCK, *behind = middle + BLOCK;
    memset(area, BESIDE, BLOCK);
    memset(middle, is_write ? written + 1 : BESIDE, BLOCK);
    memset(behind, BEHIND, BLOCK);
    const ssize_t done = is_write ? pwrite(file, middle, BLOCK, REACHED * (off_t)BLOCK)
                                  : pread(file, middle, BLOCK, REACHED * (off_t)BLOCK);
    CHECK(done == (ssize_t)BLOCK || (done == -1 && errno == EIO));
    CHECK(all_are(area, BESIDE) && all_are(behind, BEHIND));
    CHECK(is_write ? all_are(middle, written + 1)
                   : all_are(middle, written) || all_are(middle, BESIDE));
}

// Nothing of what the device was not lent is on the disk.
static void disk_has_nothing_else(int file, bool is_write, unsigned char written) {
    SAME(pread(file, area, 2 * BLOCK, REACHED * (off_t)BLOCK), 2 * BLOCK);
    CHECK(all_are(area, written) || (is_write && (all_are(area, written + 1) || all_are(area, 0))));
    CHECK(all_are(area + BLOCK, 0));
}

// The driver is ended then, whatever its device makes of it; its next life is an honest one.
static void reaches_out(int how, bool is_write, unsigned deaths) {
    const unsigned char written = (unsigned char)(7 * deaths);
    const int file = open("/dev/vda", O_RDWR | O_DIRECT);
    pid_t child;
    NEED(file >= 0);
    memset(given, written, BLOCK);
    SAME(pwrite(file, given, BLOCK, REACHED * (off_t)BLOCK), BLOCK);
    SAME(pread(file, given, BLOCK, (ARMS + how) * (off_t)BLOCK), BLOCK);
    memset(given, KEPT, BLOCK);
    const long before = dma_faults();
    CHILD(child) {
        middle_transferred(file, is_write, written);
    }
    await_dma_fault(before);
    CHECK(all_are(given, KEPT));
    strike("kill virtio_blk null 1");
    SAME(pread(file, area, BLOCK, 0), BLOCK);
    EXITS(child, 0);
    SAME(await_life("virtio_blk", deaths, "runs").restarts, deaths);
    disk_has_nothing_else(file, is_write, written);
    close(file);
}

static void device_reaches_its_own(void) {
    if (!device_is_bound()) {
        return;
    }
    NEED(isolate("blk_reacher") == HX_OK);
    SAME(placement_of("virtio_blk"), HX_MODULE_ISOLATED);
    for (unsigned i = 0; i < 2 * REACHES; i++) {
        reaches_out((int)(i / 2), i % 2 != 0, i + 1);
    }
    SAME(unload("virtio_blk"), HX_OK);
}

static const struct check_case cases[] = {
    CASE(reaches_its_own), CASE(device_reaches_its_own), CASE(entropy_comes), CASE(disk_reads),
    CASE(disk_moves),      CASE(console_moves),
};

CHECK_MAIN(cases)
