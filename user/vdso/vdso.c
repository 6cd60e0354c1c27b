// SPDX-License-Identifier: MIT OR Apache-2.0
// user/vdso/vdso.c: what a program is told without entering the kernel. The kernel maps this, a
// small shared object (vdso(7)), behind the pages of <helix/names_page.h> and <helix/clock_page.h>.
// What it cannot answer it asks the kernel, so that errors are the kernel's own.
#include <vdso_arch.h>

#include <helix/clock_page.h>
#include <helix/names_page.h>
#include <helix/native.h>
#include <stddef.h>

#define HIDDEN  __attribute__((visibility("hidden")))
#define VISIBLE __attribute__((visibility("default")))

#define NS_PER_SECOND 1000000000

#define CLOCK_REALTIME         0
#define CLOCK_MONOTONIC        1
#define CLOCK_MONOTONIC_RAW    4
#define CLOCK_REALTIME_COARSE  5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME         7

struct timespec {
    int64_t seconds, nanoseconds;
};

struct timeval {
    int64_t seconds, microseconds;
};

extern const struct hx_clock_page vdso_clock_page HIDDEN; // vdso.ld knows where
extern const struct hx_names_page vdso_names_page HIDDEN;
extern const struct hx_process_page vdso_process_page HIDDEN;

VISIBLE int VDSO_NAME(clock_gettime)(int clock, struct timespec *time);
VISIBLE int VDSO_NAME(gettimeofday)(struct timeval *time, void *zone);

static int64_t monotonic(void) {
    return hx_clock_at(&vdso_clock_page, vdso_counter());
}

static int64_t real(void) {
    return monotonic() + hx_clock_real_offset(&vdso_clock_page);
}

int VDSO_NAME(clock_gettime)(int clock, struct timespec *time) {
    int64_t now;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        now = real();
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        now = monotonic();
        break;
    default:
        return vdso_call(VDSO_CLOCK_GETTIME, (uint64_t)clock, (uint64_t)time);
    }
    *time = (struct timespec){ now / NS_PER_SECOND, now % NS_PER_SECOND };
    return 0;
}

int VDSO_NAME(gettimeofday)(struct timeval *time, void *zone) {
    if (zone != NULL || time == NULL) {
        return vdso_call(VDSO_GETTIMEOFDAY, (uint64_t)time, (uint64_t)zone);
    }
    const int64_t now = real();
    *time = (struct timeval){ now / NS_PER_SECOND, now % NS_PER_SECOND / 1000 };
    return 0;
}

#ifdef VDSO_HAS_TIME
VISIBLE int64_t VDSO_NAME(time)(int64_t *out_seconds);

int64_t VDSO_NAME(time)(int64_t *out_seconds) {
    const int64_t seconds = real() / NS_PER_SECOND;
    if (out_seconds != NULL) {
        *out_seconds = seconds;
    }
    return seconds;
}
#endif

// What Linux's vDSO does not have, for libposix_x (user/posix-x).

#define HELIX_NAME(name) __helix_##name

VISIBLE int HELIX_NAME(getpid)(void);
VISIBLE int HELIX_NAME(uname)(char *names); // as the call does it: 0, or a negative errno

int HELIX_NAME(getpid)(void) {
    const int pid = atomic_load_explicit(&vdso_process_page.pid, memory_order_relaxed);
    return pid != 0 ? pid : vdso_call(HX_CALL_process_pid, (uint64_t)&vdso_process_page, 0);
}

int HELIX_NAME(uname)(char *names) {
    return hx_names_read(&vdso_names_page, names) ? 0 : vdso_call(VDSO_UNAME, (uint64_t)names, 0);
}
