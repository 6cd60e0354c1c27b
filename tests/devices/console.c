// SPDX-License-Identifier: MIT OR Apache-2.0
// A virtio console, which is /dev/console, too. suite_devices.py has sent 20,000 bytes before the
// machine started, and looks for what is written here. In the middle of them its driver dies again
// and again, and is swapped: the file stays as it is, and so do those who read and write.
// DEVICE: console
#define MODULE "virtio_console"
#include "../native/native.h"
#include "health.h"

#include <sys/sysmacros.h>
#include <termios.h>

#define SENT_BYTES    20000
#define WRITTEN_BYTES 30000
#define HELD_BYTES    6000
#define DEATHS        8
#define SWAPS         16

static int raw_open(const char *name) {
    struct termios settings;
    const int file = open(name, O_RDWR | O_NOCTTY);
    NEED(file >= 0 && tcgetattr(file, &settings) == 0);
    cfmakeraw(&settings);
    settings.c_cc[VMIN] = 0;
    settings.c_cc[VTIME] = 50; // what does not come within 5 s does not come
    NEED(tcsetattr(file, TCSANOW, &settings) == 0);
    return file;
}

static unsigned char letter(size_t at) {
    return at % 50 == 49 ? '\n' : (unsigned char)('a' + at % 23);
}

static void numbers(void) {
    struct stat info;
    SAME(stat("/dev/hvc0", &info), 0);
    CHECK(S_ISCHR(info.st_mode) && info.st_rdev == makedev(229, 0));
    CHECK(open("/dev/hvc1", O_RDWR) == -1);
}

// How many come, of so many.
static size_t take(int file, unsigned char *bytes, size_t count) {
    size_t got = 0;
    while (got < count) {
        const ssize_t moved = read(file, bytes + got, count - got);
        if (moved <= 0) {
            break;
        }
        got += (size_t)moved;
    }
    return got;
}

// All of it comes, though nobody took it for long: the sender was held off.
static void reads(void) {
    static unsigned char bytes[SENT_BYTES / 2];
    const int file = raw_open("/dev/hvc0");
    size_t wrong = 0;
    SAME(take(file, bytes, sizeof bytes), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        wrong += bytes[i] != letter(i);
    }
    SAME(wrong, 0);
    close(file);
}

// What the device had taken is lost when it is reset, at most its four buffers each time.
static void outlives_its_driver(void) {
    static unsigned char bytes[SENT_BYTES / 2];
    const int file = raw_open("/dev/hvc0");
    const struct health before = health();
    size_t got = 0;
    for (unsigned death = 0; death < DEATHS; death++) {
        doom("kill", kinds[death % KINDS], (int)death + 1);
        while (health().deaths == before.deaths + death && check_failures == 0) {
            SAME(write(file, ".", 1), 1);
            got += take(file, bytes, 50);
        }
        await(before.deaths + death + 1);
        pause_ms(130); // so that the rule does not give it up
    }
    SAME(tcdrain(file), 0);
    got += take(file, bytes, sizeof bytes - got);
    if (got < sizeof bytes - (size_t)DEATHS * 4 * 48) {
        check_fail(__FILE_NAME__, __LINE__, "%zu bytes of %zu came", got, sizeof bytes);
    }
    SAME(health().restarts, before.restarts + DEATHS);
    SAME(health().held, before.held);
    close(file);
}

// Who writes waits meanwhile, with the terminal's lock, and goes on with the new one.
static void outlives_its_swaps(void) {
    static struct hx_module_name name = { .bytes = MODULE };
    static struct hx_module_report report;
    static char dots[20000];
    const struct health before = health();
    const int64_t modules = NATIVE(module_all);
    pid_t child;
    NEED(modules > 0);
    CHILD(child) {
        const int file = raw_open("/dev/hvc0");
        memset(dots, '.', sizeof dots);
        for (int i = 0; i < 10; i++) {
            SAME(write(file, dots, sizeof dots), sizeof dots);
        }
        SAME(tcdrain(file), 0);
    }
    for (int i = 0; i < SWAPS; i++) {
        SAME(NATIVE(module_swap, (handle_t)modules, &name, NULL, 0, &report), HX_OK);
        pause_ms(5);
    }
    EXITS(child, 0);
    SAME(health().swaps, before.swaps + SWAPS);
    SAME(health().held, before.held);
}

static void writes(void) {
    static unsigned char bytes[WRITTEN_BYTES];
    const int file = raw_open("/dev/console");
    size_t put = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = letter(i) == '\n' ? '*' : (unsigned char)(letter(i) ^ 0x20);
    }
    // More waits than a driver takes at once.
    SAME(tcflow(file, TCOOFF), 0);
    for (size_t end = HELD_BYTES; put < sizeof bytes;) {
        const ssize_t moved = write(file, bytes + put, end - put);
        NEED(moved > 0);
        put += (size_t)moved;
        if (put == HELD_BYTES) {
            SAME(tcflow(file, TCOON), 0);
            end = sizeof bytes;
        }
    }
    SAME(tcdrain(file), 0);
}

static const struct check_case cases[] = {
    CASE(numbers), CASE(reads), CASE(outlives_its_driver), CASE(outlives_its_swaps), CASE(writes),
};
CHECK_MAIN(cases)
