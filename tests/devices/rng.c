// SPDX-License-Identifier: MIT OR Apache-2.0
// A machine whose processors have no random instruction and that has a virtio entropy device: the
// generator is strong, soon after the boot.
// DEVICE: rng
#include "../scenario/check.h"

static int entropy(void) {
    char text[16] = "";
    const int file = open("/proc/sys/kernel/random/entropy_avail", O_RDONLY);
    NEED(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    return atoi(text);
}

static void becomes_strong(void) {
    const struct timespec pause = { 0, 10000000 };
    for (int i = 0; i < 1000 && entropy() == 0; i++) {
        nanosleep(&pause, NULL);
    }
    SAME(entropy(), 256);
}

static void gives_bytes(void) {
    unsigned char bytes[64] = { 0 };
    unsigned char zeroes[64] = { 0 };
    SAME(syscall(SYS_getrandom, bytes, sizeof bytes, 0), sizeof bytes);
    CHECK(memcmp(bytes, zeroes, sizeof bytes) != 0);
}

static const struct check_case cases[] = {
    CASE(becomes_strong),
    CASE(gives_bytes),
};

CHECK_MAIN(cases)
