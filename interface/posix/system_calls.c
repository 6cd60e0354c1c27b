// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/system_calls.c: the machine as a whole: uname, sysinfo, names, entropy, the log,
// the end.
#include "life.h"
#include "pids.h"
#include "times.h"
#include "uts.h"
#include "vdso.h"

#include <core/log.h>
#include <core/random.h>
#include <core/sched.h>
#include <hal/cpu.h>
#include <helix/names_page.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>
#include <posix/linux.h>
#include <posix/release.h>
#include <runtime/boot.h>

// uname ------------------------------------------------------------------------------------------

_Static_assert(sizeof(struct uts_values) == HX_NAMES_BYTES, "the vDSO gives it as well");

void uts_init(struct uts_names *names) {
    static const struct lock_class uts_class = { .name = "uts", .rank = LOCK_RANK_LEAF };
    spinlock_init(&names->lock, &uts_class);
    names->values = (struct uts_values){ .system = POSIX_SYSTEM_NAME,
                                         .node = "(none)",
                                         .release = POSIX_RELEASE,
                                         .version = POSIX_VERSION,
                                         .domain = "(none)" };
    string_copy(names->values.machine, UTS_BYTES, hal_platform());
    vdso_names_set(&names->values);
}

enum hx_status sys_uname(struct call *call) {
    struct uts_names *names = call->process->process->ns->uts;
    alignas(8) struct uts_values values;
    spin_lock(&names->lock);
    values = names->values;
    spin_unlock(&names->lock);
    return copy_to_user(call_address(call, 0), &values, sizeof(values));
}

void uts_set(struct uts_names *names, char *field, const char name[UTS_BYTES]) {
    spin_lock(&names->lock);
    memcpy(field, name, UTS_BYTES);
    vdso_names_set(&names->values);
    spin_unlock(&names->lock);
}

// `field`: one of the two names of the caller's.
static enum hx_status set_name(struct call *call, struct uts_names *names, char *field) {
    char name[UTS_BYTES] = { 0 };
    const uint64_t length = call->args[1];
    if (!posix_capable(CAPABILITY_SYS_ADMIN)) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (length >= UTS_BYTES) {
        return HX_ERR_INVALID;
    }
    if (copy_from_user(name, call_address(call, 0), length) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    uts_set(names, field, name);
    return HX_OK;
}

enum hx_status sys_sethostname(struct call *call) {
    struct uts_names *names = call->process->process->ns->uts;
    return set_name(call, names, names->values.node);
}

enum hx_status sys_setdomainname(struct call *call) {
    struct uts_names *names = call->process->process->ns->uts;
    return set_name(call, names, names->values.domain);
}

// sysinfo ----------------------------------------------------------------------------------------

// struct sysinfo of the 64-bit machines.
struct sysinfo_user {
    int64_t uptime;
    uint64_t loads[3];
    uint64_t total, free, shared, buffers, swap_total, swap_free;
    uint16_t processes, padding;
    uint32_t alignment;
    uint64_t high_total, high_free;
    uint32_t unit;
    uint32_t end;
};

enum hx_status sys_sysinfo(struct call *call) {
    struct frame_stats frames;
    frame_stats(&frames);
    const struct sysinfo_user out = {
        .uptime = time_now() / NS_PER_SECOND,
        .total = frames.total * PAGE_SIZE,
        .free = frames.free * PAGE_SIZE,
        .processes = (uint16_t)atomic_load_explicit(&pids()->threads, memory_order_relaxed),
        .unit = 1,
    };
    return copy_to_user(call_address(call, 0), &out, sizeof(out));
}

// getrandom --------------------------------------------------------------------------------------

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

#define RANDOM_CHUNK 256u

enum hx_status sys_getrandom(struct call *call) {
    uint8_t bytes[RANDOM_CHUNK];
    const uint64_t size = MIN_OF(call->args[1], (uint64_t)INT32_MAX);
    const uint32_t flags = call_uint(call, 2);
    if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE)) {
        return HX_ERR_INVALID;
    }
    uint64_t done = 0;
    enum hx_status status = HX_OK;
    while (done < size && status == HX_OK) {
        const size_t part = MIN_OF(size - done, (uint64_t)sizeof(bytes));
        random_bytes(bytes, part);
        status = copy_to_user(uaddr_add(call_address(call, 0), done), bytes, part);
        done += status == HX_OK ? part : 0;
        if (done != 0 && done < size && posix_signal_pending(call->thread)) {
            break;
        }
    }
    memset(bytes, 0, sizeof(bytes));
    __asm__ volatile("" : : "r"(bytes) : "memory"); // the wipe is not dead code
    return status == HX_OK || done != 0 ? call_ok(call, (int64_t)done) : status;
}

// syslog -----------------------------------------------------------------------------------------

enum {
    SYSLOG_CLOSE,
    SYSLOG_OPEN,
    SYSLOG_READ,
    SYSLOG_READ_ALL,
    SYSLOG_READ_CLEAR,
    SYSLOG_CLEAR,
    SYSLOG_CONSOLE_OFF,
    SYSLOG_CONSOLE_ON,
    SYSLOG_CONSOLE_LEVEL,
    SYSLOG_SIZE_UNREAD,
    SYSLOG_SIZE_BUFFER,
};

#define LOG_CHUNK        1024u
#define LOG_BUFFER_BYTES 65536

static _Atomic uint64_t log_cleared; // READ_ALL starts here

// The last `size` bytes of the log since `from`.
static enum hx_status read_log(struct call *call, uint64_t from, uint64_t size) {
    char *text = heap_alloc(LOG_CHUNK, MEMORY_SLEEP);
    if (text == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uint64_t end = log_end();
    uint64_t position = end > size ? MAX_OF(from, end - size) : from;
    uint64_t done = 0;
    enum hx_status status = HX_OK;
    while (status == HX_OK && done < size) {
        const size_t got = log_read(&position, text, MIN_OF((uint64_t)LOG_CHUNK, size - done));
        if (got == 0) {
            break;
        }
        status = copy_to_user(uaddr_add(call_address(call, 1), done), text, got);
        done += got;
    }
    heap_free(text);
    call->result = (int64_t)done;
    return status;
}

enum hx_status sys_syslog(struct call *call) {
    const int32_t size = call_int(call, 2);
    const uint64_t cleared = atomic_load_explicit(&log_cleared, memory_order_relaxed);
    const int32_t type = call_int(call, 0);
    enum hx_status status;
    if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER &&
        !posix_capable(CAPABILITY_SYS_ADMIN)) {
        return HX_ERR_NOT_PERMITTED;
    }
    switch (type) {
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN:
    case SYSLOG_CONSOLE_OFF:
    case SYSLOG_CONSOLE_ON:
        return HX_OK;
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR:
        if (call->args[1] == 0 || size < 0) {
            return HX_ERR_INVALID;
        }
        status = read_log(call, cleared, (uint64_t)size);
        if (status == HX_OK && type == SYSLOG_READ_CLEAR) {
            atomic_store_explicit(&log_cleared, log_end(), memory_order_relaxed);
        }
        return status;
    case SYSLOG_CLEAR:
        atomic_store_explicit(&log_cleared, log_end(), memory_order_relaxed);
        return HX_OK;
    case SYSLOG_CONSOLE_LEVEL:
        if (size < 1 || size > 8) {
            return HX_ERR_INVALID;
        }
        log_console_level((enum log_level)(size - 1)); // Linux prints what is below the level
        return HX_OK;
    case SYSLOG_SIZE_BUFFER:
        return call_ok(call, LOG_BUFFER_BYTES);
    default:
        return HX_ERR_INVALID; // reading line by line is /proc/kmsg's
    }
}

// reboot -----------------------------------------------------------------------------------------

#define REBOOT_MAGIC1    0xfee1deadu
#define REBOOT_MAGIC2    672274793u
#define REBOOT_MAGIC2_A  85072278u
#define REBOOT_MAGIC2_B  369367448u
#define REBOOT_MAGIC2_C  537993216u
#define REBOOT_CAD_OFF   0x00000000u
#define REBOOT_CAD_ON    0x89abcdefu
#define REBOOT_HALT      0xcdef0123u
#define REBOOT_RESTART   0x01234567u
#define REBOOT_RESTART2  0xa1b2c3d4u
#define REBOOT_POWER_OFF 0x4321fedcu

static bool is_magic(uint32_t first, uint32_t second) {
    return first == REBOOT_MAGIC1 && (second == REBOOT_MAGIC2 || second == REBOOT_MAGIC2_A ||
                                      second == REBOOT_MAGIC2_B || second == REBOOT_MAGIC2_C);
}

enum hx_status sys_reboot(struct call *call) {
    if (!posix_capable(CAPABILITY_SYS_BOOT)) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (!is_magic(call_uint(call, 0), call_uint(call, 1))) {
        return HX_ERR_INVALID;
    }
    switch (call_uint(call, 2)) {
    case REBOOT_CAD_OFF:
    case REBOOT_CAD_ON:
        return HX_OK; // there is no such key
    case REBOOT_HALT:
        log_write(LOG_NOTICE, "System halted");
        kernel_halt();
    case REBOOT_POWER_OFF:
        log_write(LOG_NOTICE, "Power down");
        kernel_power_off();
    case REBOOT_RESTART:
    case REBOOT_RESTART2:
        log_write(LOG_NOTICE, "Restarting system");
        kernel_restart();
    default:
        return HX_ERR_INVALID;
    }
}
