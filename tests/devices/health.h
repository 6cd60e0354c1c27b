// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/devices/health.h: /proc/helix/health of one MODULE, which the test defines, and its deaths.
#pragma once

#include "../scenario/check.h"

static const char *const kinds[] = { "null",   "jump", "copy", "undefined", "divide",
                                     "assert", "loop", "spin", "overflow" };
#define KINDS (sizeof kinds / sizeof *kinds)

struct health {
    char state[16];
    unsigned deaths, restarts;
    unsigned long long restart_ns, worst_ns, held, freeze_ns, worst_freeze_ns, detection_ns;
    unsigned swaps, rollbacks;
    char reason[128];
};

static inline struct health health_of(const char *module) {
    char name[32];
    struct health found;
    FILE *file = fopen("/proc/helix/health", "r");
    NEED(file != NULL);
    while (fscanf(file, "%31s %15s %u %u %llu %llu %llu %u %u %llu %llu %llu %127[^\n]", name,
                  found.state, &found.deaths, &found.restarts, &found.restart_ns, &found.worst_ns,
                  &found.held, &found.swaps, &found.rollbacks, &found.freeze_ns,
                  &found.worst_freeze_ns, &found.detection_ns, found.reason) == 13) {
        if (strcmp(name, module) == 0) {
            fclose(file);
            return found;
        }
    }
    check_fail(__FILE_NAME__, __LINE__, "no line of %s", module);
    _exit(1);
}

static inline struct health health(void) {
    return health_of(MODULE);
}

static inline void doom(const char *verb, const char *kind, int nth) {
    char text[64];
    const int length = snprintf(text, sizeof text, "%s " MODULE " %s %d", verb, kind, nth);
    const int file = open("/proc/helix/health", O_WRONLY);
    NEED(file >= 0 && write(file, text, (size_t)length) == length);
    close(file);
}

static inline void pause_ms(int ms) {
    const struct timespec pause = { 0, ms * 1000000L };
    nanosleep(&pause, NULL);
}

// Until it has died and lives again so often.
static inline void await(unsigned deaths) {
    for (int i = 0; i < 20000; i++) {
        const struct health now = health();
        if (now.deaths >= deaths && strcmp(now.state, "runs") == 0) {
            return;
        }
        pause_ms(1);
    }
    check_fail(__FILE_NAME__, __LINE__, "%u deaths, not %u: %s", health().deaths, deaths,
               health().state);
}
