// SPDX-License-Identifier: MIT OR Apache-2.0
// A machine whose processors have no random instruction and that has a virtio entropy device: the
// generator is strong, soon after the boot.
// DEVICE: rng
#include "../native/native.h"

#include <sys/klog.h>

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

// The first token is sealed under a key that is as strong: the kernel's log would say otherwise.
static void seals_under_a_strong_key(void) {
    static char log[1 << 18];
    struct hx_token token;
    const handle_t lent = derive(event_new(), HX_RIGHT_DELEGATE);
    NEED(NATIVE(handle_seal, lent, HX_RIGHT_DELEGATE, TIME_NEVER, &token) == HX_OK);
    CHECK(NATIVE(handle_redeem, &token) > 0);
    NEED(klogctl(3, log, sizeof log - 1) > 0); // all of it
    CHECK(strstr(log, "Helix") != NULL && strstr(log, "tokens: the key is weak") == NULL);
}

static const struct check_case cases[] = {
    CASE(becomes_strong),
    CASE(seals_under_a_strong_key),
    CASE(gives_bytes),
};

CHECK_MAIN(cases)
