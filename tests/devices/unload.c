// SPDX-License-Identifier: MIT OR Apache-2.0
// Drivers that are packages come and go, with a disk, an entropy device and a console: while
// somebody uses what they drive they stay; else what they drive goes with them and comes again.
// DEVICE: loaded
// LIMIT: 300
#include "../native/failing.h"
#include "../native/packages.h"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#define ROUNDS        60
#define PART_BYTES    (2048 * 512) // of the second partition
#define SMALLEST_PART 4096

static void without(const char *module) {
    struct hx_module_info info;
    if (find(module, &info)) {
        SAME(unload(module), HX_OK);
    }
}

static void with(const char *module) {
    const int64_t status = load(module);
    NEED(status == HX_OK || status == HX_ERR_EXISTS);
}

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

static size_t partitions(void) {
    char text[1024];
    const int file = open("/proc/partitions", O_RDONLY);
    NEED(file >= 0);
    const ssize_t size = read(file, text, sizeof text);
    close(file);
    return size < 0 ? 99 : (size_t)size;
}

// Disks
// ------------------------------------------------------------------------------------------------

static void disk_comes_and_goes(void) {
    without("virtio_blk");
    REFUSED(open("/dev/vda", O_RDONLY), ENOENT);
    SAME(partitions(), 0);
    with("virtio_blk");
    const int file = open_part();
    check_part(file, 0, PART_BYTES);
    SAME(unload("virtio_blk"), HX_ERR_BUSY);
    CHECK(says("expected that slot block.0 has no clients"));
    check_part(file, 0, PART_BYTES); // it goes on
    const int whole = open("/dev/vda", O_RDWR);
    NEED(whole >= 0);
    close(file);
    SAME(unload("virtio_blk"), HX_ERR_BUSY);
    close(whole);
    unlink("own");
    NEED(mknod("own", S_IFBLK | 0600, makedev(254, 0)) == 0);
    SAME(closed(open("own", O_RDONLY)), 0);
    SAME(unload("virtio_blk"), HX_OK);
    REFUSED(open("/dev/vda", O_RDONLY), ENOENT);
    REFUSED(open("/dev/vda1", O_RDONLY), ENOENT);
    REFUSED(open("own", O_RDONLY), ENXIO);
    SAME(partitions(), 0);
    sync(); // there is nothing to be flushed
    with("virtio_blk");
    CHECK(partitions() > 20);
    SAME(closed(open("own", O_RDONLY)), 0);
    const int again = open_part();
    check_part(again, 0, PART_BYTES);
    close(again);
}

// It can do what one of the image can.
static void driver_lives(void) {
    unsigned char bytes[SMALLEST_PART];
    struct life life;
    without("virtio_blk");
    with("virtio_blk");
    const int file = open_part();
    strike("kill virtio_blk null 3");
    for (int i = 0; i < 4; i++) {
        check_part(file, 0, SMALLEST_PART);
    }
    (void)await_life("virtio_blk", 1, "runs");
    SAME(swap("virtio_blk", "blk_next"), HX_OK);
    check_part(file, 0, PART_BYTES);
    strike("kill virtio_blk jump 1");
    check_part(file, 0, PART_BYTES);
    SAME(await_life("virtio_blk", 2, "runs").rollbacks, 1);
    SAME(swap("virtio_blk", "blk_start"), HX_ERR_NO_SPACE);
    SAME(pread(file, bytes, sizeof bytes, 0), sizeof bytes);
    close(file);
    SAME(swap("virtio_blk", "blk_next"), HX_OK);
    SAME(unload("virtio_blk"), HX_OK); // both versions
    CHECK(!life_of("virtio_blk", &life));
    // A first start that fails has the device no more.
    SAME(load("blk_start"), HX_ERR_NO_SPACE);
    SAME(load("blk_fault"), HX_ERR_PEER_DIED);
    with("virtio_blk");
    const int again = open_part();
    check_part(again, 0, PART_BYTES);
    close(again);
}

// What was read for who is killed is under way while the driver goes.
static void readers_killed(void) {
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child;
        int64_t status;
        with("virtio_blk");
        CHILD(child) {
            const int file = open_part();
            for (;;) {
                check_part(file, 0, PART_BYTES);
            }
        }
        usleep((useconds_t)(round * 100));
        kill(child, SIGKILL);
        (void)check_wait(child);
        const time_ns_t end = native_after_ms(20000); // files are closed a little later
        do {
            status = unload("virtio_blk");
        } while (status == HX_ERR_BUSY && native_after_ms(0) < end);
        SAME(status, HX_OK);
    }
    with("virtio_blk");
    const int file = open_part();
    check_part(file, 0, PART_BYTES);
    close(file);
}

// Others
// ------------------------------------------------------------------------------------------------

static int entropy(void) {
    char text[16] = "";
    const int file = open("/proc/sys/kernel/random/entropy_avail", O_RDONLY);
    NEED(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    return atoi(text);
}

static void entropy_comes_and_goes(void) {
    for (int round = 0; round < ROUNDS; round++) {
        without("virtio_rng");
        with("virtio_rng");
    }
    const time_ns_t end = native_after_ms(20000);
    while (entropy() != 256 && native_after_ms(0) < end) {
    }
    SAME(entropy(), 256);
    without("virtio_rng");
}

static void console_comes_and_goes(void) {
    struct termios settings;
    pid_t child;
    without("virtio_console");
    REFUSED(open("/dev/hvc0", O_RDWR | O_NOCTTY), ENOENT);
    with("virtio_console");
    const int line = open("/dev/hvc0", O_RDWR | O_NOCTTY);
    NEED(line >= 0);
    SAME(write(line, "line\n", 5), 5);
    SAME(tcdrain(line), 0);
    NEED(tcgetattr(line, &settings) == 0);
    CHECK((settings.c_lflag & ICANON) != 0);
    settings.c_lflag &= ~(tcflag_t)ICANON;
    SAME(tcsetattr(line, TCSANOW, &settings), 0);
    SAME(ioctl(line, TIOCEXCL), 0);
    SAME(unload("virtio_console"), HX_ERR_BUSY);
    close(line);
    SAME(unload("virtio_console"), HX_OK);
    REFUSED(open("/dev/hvc0", O_RDWR | O_NOCTTY), ENOENT);
    with("virtio_console");
    // As new: nobody's settings, nobody's alone.
    const int again = open("/dev/hvc0", O_RDWR | O_NOCTTY);
    NEED(again >= 0 && tcgetattr(again, &settings) == 0);
    CHECK((settings.c_lflag & ICANON) != 0);
    NEED(chmod("/dev/hvc0", 0666) == 0);
    CHILD(child) {
        NEED(setgid(65534) == 0 && setuid(65534) == 0);
        SAME(closed(open("/dev/hvc0", O_RDWR | O_NOCTTY)), 0);
    }
    EXITS(child, 0);
    close(again);
    // A session that has it needs it, though nobody has it open.
    CHILD(child) {
        NEED(setsid() > 0);
        const int own = open("/dev/hvc0", O_RDWR);
        NEED(own >= 0 && tcgetsid(own) == getpid());
        close(own);
        SAME(unload("virtio_console"), HX_ERR_BUSY);
        SAME(closed(open("/dev/tty", O_RDWR)), 0);
    }
    EXITS(child, 0);
    SAME(unload("virtio_console"), HX_OK);
}

// All at once, and what is left
// ------------------------------------------------------------------------------------------------

static void for_3_seconds(void (*once)(unsigned round)) {
    const time_ns_t end = native_after_ms(3000);
    for (unsigned round = 0; native_after_ms(0) < end; round++) {
        once(round);
    }
}

static void load_once(unsigned round) {
    static const char *const names[] = { "virtio_blk", "virtio_console", "virtio_rng" };
    const char *name = names[round / 2 % 3];
    const int64_t status = round % 2 == 0 ? load(name) : unload(name);
    CHECK(status == HX_OK || status == HX_ERR_BUSY || status == HX_ERR_NOT_FOUND ||
          status == HX_ERR_EXISTS || status == HX_ERR_PEER_DIED);
}

static void kill_once(unsigned round) {
    static const char *const names[] = { "virtio_blk", "virtio_console", "virtio_rng" };
    char words[64];
    snprintf(words, sizeof words, "kill %s null %u", names[round % 3], 1 + round % 23);
    const int file = open("/proc/helix/health", O_WRONLY);
    NEED(file >= 0);
    const ssize_t done = write(file, words, strlen(words));
    const int error = errno;
    CHECK(done > 0 || error == ENOENT);
    close(file);
    usleep(60000); // who dies all the time is given up
}

static void read_once(unsigned round) {
    const int file = open("/dev/vda2", O_RDONLY);
    const int error = errno;
    CHECK(file >= 0 || error == ENOENT || error == ENXIO);
    if (file >= 0) {
        check_part(file, round % 16 * SMALLEST_PART, SMALLEST_PART);
        close(file);
    }
}

static void write_once(unsigned round) {
    const int line = open("/dev/hvc0", O_WRONLY | O_NOCTTY);
    const int error = errno;
    (void)round;
    CHECK(line >= 0 || error == ENOENT || error == ENXIO);
    if (line >= 0) {
        SAME(write(line, "0123456789", 10), 10);
        close(line);
    }
}

static void all_at_once(void) {
    static void (*const parts[])(unsigned round) = { load_once, kill_once, read_once, write_once };
    pid_t children[4];
    for (size_t i = 0; i < 4; i++) {
        CHILD(children[i]) {
            for_3_seconds(parts[i]);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        EXITS(children[i], 0);
    }
    strike("kill ramfs null 0");
    disk_comes_and_goes();
    without("virtio_console");
    without("virtio_rng");
}

static int come_and_go(void) {
    return load_and_unload("virtio_blk");
}

static void without_memory(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    without("virtio_blk");
    read_package("virtio_blk");
    exhaust("load and unload", come_and_go);
    with("virtio_blk");
    const int file = open_part();
    check_part(file, 0, PART_BYTES);
    close(file);
}

// A round takes some 20 pages for each driver.
static void leaves_nothing(void) {
    static const char *const names[] = { "virtio_blk", "virtio_console", "virtio_rng" };
    long before = 0;
    for (int round = -10; round < ROUNDS; round++) {
        if (round == 0) {
            before = meminfo_pages("MemFree:");
        }
        for (size_t i = 0; i < 3; i++) {
            without(names[i]);
            with(names[i]);
        }
    }
    const long after = meminfo_pages("MemFree:");
    if (after < before - 150) { // what caches keep
        check_fail(__FILE_NAME__, __LINE__, "%ld pages less than before", before - after);
    }
}

// This profile (modular) has other limits than most: after 12 deaths within a second, one more is
// the end.
static void given_up_later(void) {
    unsigned char bytes[SMALLEST_PART];
    struct life life;
    without("virtio_blk");
    with("virtio_blk");
    const int file = open_part();
    strike("doom virtio_blk null 1");
    REFUSED(pread(file, bytes, sizeof bytes, 0), EIO);
    strike("kill virtio_blk null 0");
    NEED(life_of("virtio_blk", &life));
    CHECK(strcmp(life.state, "gone") == 0);
    SAME(life.deaths, 13);
    SAME(swap("virtio_blk", "virtio_blk"), HX_OK);
    check_part(file, 0, SMALLEST_PART);
    close(file);
}

static const struct check_case cases[] = {
    CASE(disk_comes_and_goes), CASE(driver_lives),           CASE(given_up_later),
    CASE(readers_killed),      CASE(entropy_comes_and_goes), CASE(console_comes_and_goes),
    CASE(all_at_once),         CASE(without_memory),         CASE(leaves_nothing),
};

CHECK_MAIN(cases)
