// SPDX-License-Identifier: MIT OR Apache-2.0
// A disk behind an IOMMU that goes to a page which it was lent once and is lent no more: the page
// stays as it is, nothing of it reaches the disk, and the log says so. How such a request ends is
// the device's to say.
// DEVICE: scratch
#include "../scenario/check.h"

#define PAGE 4096
#define AT   (8 << 20)

static unsigned char *page(int fill) {
    unsigned char *bytes =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(bytes != MAP_FAILED);
    memset(bytes, fill, PAGE);
    return bytes;
}

static int disk_open(void) {
    const int file = open("/dev/vda", O_RDWR | O_DIRECT);
    NEED(file >= 0);
    return file;
}

// While this is on, each lending is over before the device is told of it: also those of threads in
// ring 3, where the disk's driver may be.
static void lend_no_more(bool on) {
    const int file = open("/proc/helix/faults", O_WRONLY);
    NEED(file >= 0 && write(file, on ? "dma 1" : "dma 0", 5) == 5);
    close(file);
}

static bool is_all(const unsigned char *bytes, int value) {
    for (int i = 0; i < PAGE; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

static const char *slurp(const char *path) {
    static char text[256 << 10];
    const int file = open(path, O_RDONLY);
    NEED(file >= 0);
    size_t length = 0;
    ssize_t got;
    while (length < sizeof text - 1 &&
           (got = read(file, text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)got;
    }
    text[length] = '\0';
    close(file);
    return text;
}

static long faults(void) {
    const char *line = strstr(slurp("/proc/helix/trace/counts"), "DMA_FAULT ");
    return line != NULL ? atol(line + strlen("DMA_FAULT ")) : 0;
}

// The IOMMU tells of them when it likes.
static void wait_faults(long before) {
    const struct timespec pause = { 0, 10000000 };
    for (int i = 0; i < 1000 && faults() == before; i++) {
        nanosleep(&pause, NULL);
    }
    CHECK(faults() > before);
}

static void into_a_page(void) {
    const int file = disk_open();
    unsigned char *bytes = page(0x11);
    SAME(pwrite(file, bytes, PAGE, AT), PAGE);
    memset(bytes, 0x5a, PAGE);
    const long before = faults();
    lend_no_more(true);
    (void)!pread(file, bytes, PAGE, AT);
    lend_no_more(false);
    CHECK(is_all(bytes, 0x5a));
    wait_faults(before);
    SAME(pread(file, bytes, PAGE, AT), PAGE);
    CHECK(is_all(bytes, 0x11));
}

static void from_a_page(void) {
    const int file = disk_open();
    unsigned char *secret = page(0x77);
    unsigned char *back = page(0);
    const long before = faults();
    lend_no_more(true);
    (void)!pwrite(file, secret, PAGE, AT);
    lend_no_more(false);
    wait_faults(before);
    SAME(pread(file, back, PAGE, AT), PAGE);
    CHECK(!is_all(back, 0x77));
    SAME(pwrite(file, secret, PAGE, AT), PAGE);
    SAME(pread(file, back, PAGE, AT), PAGE);
    CHECK(is_all(back, 0x77));
}

// The disk works on, and the log names the device of the first ones.
static void named(void) {
    const int file = disk_open();
    unsigned char *bytes = page(0);
    SAME(pread(file, bytes, PAGE, AT), PAGE);
    const char *line = strstr(slurp("/proc/kmsg"), "virtio:2 (endpoint ");
    CHECK(line != NULL && strstr(line, " of memory at 0x") != NULL &&
          strstr(line, "was refused: not mapped") != NULL);
}

static const struct check_case cases[] = {
    CASE(into_a_page),
    CASE(from_a_page),
    CASE(named),
};

CHECK_MAIN(cases)
