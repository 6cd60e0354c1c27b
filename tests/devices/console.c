// SPDX-License-Identifier: MIT OR Apache-2.0
// A virtio console, which is /dev/console, too. suite_devices.py has sent 20,000 bytes before the
// machine started, and looks for what is written here.
// DEVICE: console
#include "../scenario/check.h"

#include <sys/sysmacros.h>
#include <termios.h>

#define SENT_BYTES    20000
#define WRITTEN_BYTES 30000

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

// All of it comes, though nobody took it for long: the sender was held off.
static void reads(void) {
    static unsigned char bytes[SENT_BYTES];
    const int file = raw_open("/dev/hvc0");
    size_t got = 0, wrong = 0;
    while (got < sizeof bytes) {
        const ssize_t moved = read(file, bytes + got, sizeof bytes - got);
        if (moved <= 0) {
            break;
        }
        got += (size_t)moved;
    }
    SAME(got, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        wrong += bytes[i] != letter(i);
    }
    SAME(wrong, 0);
}

static void writes(void) {
    static unsigned char bytes[WRITTEN_BYTES];
    const int file = raw_open("/dev/console");
    size_t put = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = letter(i) == '\n' ? '*' : (unsigned char)(letter(i) ^ 0x20);
    }
    while (put < sizeof bytes) {
        const ssize_t moved = write(file, bytes + put, sizeof bytes - put);
        NEED(moved > 0);
        put += (size_t)moved;
    }
    SAME(tcdrain(file), 0);
}

static const struct check_case cases[] = {
    CASE(numbers),
    CASE(reads),
    CASE(writes),
};
CHECK_MAIN(cases)
