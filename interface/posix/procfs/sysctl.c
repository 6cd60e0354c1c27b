// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/sysctl.c: /proc/version and the values below /proc/sys.
#include "procfs.h"

#include "../life.h"
#include "../pids.h"
#include "../sysv.h"
#include "../uts.h"

#include <core/log.h>
#include <core/random.h>
#include <lib/string.h>
#include <memory/frame.h>
#include <posix/release.h>

#define CAP_LAST_CAP   40
#define MAP_COUNT_MAX  65530
#define NGROUPS_MAX    CREDENTIALS_GROUPS_MAX
#define ENTROPY_STRONG 256

#define UUID_BYTES 16u

enum hx_status proc_version(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "%s version %s %s\n", POSIX_SYSTEM_NAME, POSIX_RELEASE, POSIX_VERSION);
    return HX_OK;
}

// A value that does not change.
#define CONSTANT_TEXT(function, ...)                                                               \
    enum hx_status function(const struct proc_target *target, struct proc_text *text) {            \
        (void)target;                                                                              \
        text_put(text, __VA_ARGS__);                                                               \
        return HX_OK;                                                                              \
    }

CONSTANT_TEXT(proc_ostype, "%s\n", POSIX_SYSTEM_NAME)
CONSTANT_TEXT(proc_osrelease, "%s\n", POSIX_RELEASE)
CONSTANT_TEXT(proc_osversion, "%s\n", POSIX_VERSION)
CONSTANT_TEXT(proc_pid_max, "%d\n", PID_MAX)
CONSTANT_TEXT(proc_threads_max, "%u\n", pids()->threads_max)
CONSTANT_TEXT(proc_ngroups_max, "%u\n", NGROUPS_MAX)
CONSTANT_TEXT(proc_cap_last_cap, "%d\n", CAP_LAST_CAP)
CONSTANT_TEXT(proc_core_pattern, "core\n")
CONSTANT_TEXT(proc_overcommit_memory, "1\n") // memory is given when it is touched
CONSTANT_TEXT(proc_max_map_count, "%d\n", MAP_COUNT_MAX)
CONSTANT_TEXT(proc_file_max, "%lld\n", (long long)INT64_MAX)
CONSTANT_TEXT(proc_nr_open, "%u\n", FILE_TABLE_MAX)
CONSTANT_TEXT(proc_pipe_max_size, "%u\n", PIPE_BYTES_UNPRIVILEGED)
CONSTANT_TEXT(proc_inotify_events, "%u\n", INOTIFY_EVENTS_MAX)
CONSTANT_TEXT(proc_inotify_instances, "%d\n", INOTIFY_INSTANCES_MAX)
CONSTANT_TEXT(proc_inotify_watches, "%d\n", INOTIFY_WATCHES_MAX)
CONSTANT_TEXT(proc_mqueue_messages, "%d\n", MQUEUE_MESSAGES)
CONSTANT_TEXT(proc_mqueue_messages_max, "%d\n", MQUEUE_MESSAGES_MAX)
CONSTANT_TEXT(proc_mqueue_bytes, "%d\n", MQUEUE_BYTES)
CONSTANT_TEXT(proc_mqueue_bytes_max, "%d\n", MQUEUE_BYTES_MAX)
CONSTANT_TEXT(proc_mqueue_queues_max, "%d\n", MQUEUE_QUEUES_MAX)
CONSTANT_TEXT(proc_msg_bytes_max, "%d\n", MSG_BYTES_MAX)
CONSTANT_TEXT(proc_msg_queue_bytes, "%d\n", MSG_QUEUE_BYTES)
CONSTANT_TEXT(proc_msg_queues_max, "%d\n", MSG_QUEUES_MAX)
CONSTANT_TEXT(proc_sem_limits, "%d\t%d\t%d\t%d\n", SEM_COUNT_MAX, SEM_TOTAL_MAX, SEM_OPS_MAX,
              SEM_SETS_MAX)
CONSTANT_TEXT(proc_shm_size_max, "%llu\n", (unsigned long long)SHM_SIZE_MAX)
CONSTANT_TEXT(proc_shm_segments_max, "%d\n", SHM_SEGMENTS_MAX)
CONSTANT_TEXT(proc_entropy_avail, "%d\n", random_is_weak() ? 0 : ENTROPY_STRONG)

// Linux's console level is one more than the highest level that is printed.
enum hx_status proc_printk(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "%u\t4\t1\t7\n", (unsigned)log_console_level_get() + 1);
    return HX_OK;
}

// Only the first of the four numbers means something here.
enum hx_status proc_printk_set(const struct proc_target *target, const char *text) {
    (void)target;
    const uint32_t level = (uint32_t)(text[0] - '0');
    const bool ends = text[0] != '\0' && (text[1] == '\0' || text[1] == ' ' || text[1] == '\t');
    if (level < 1 || level > LOG_DEBUG + 1 || !ends) {
        return HX_ERR_INVALID;
    }
    log_console_level((enum log_level)(level - 1));
    return HX_OK;
}

enum hx_status proc_write_only(const struct proc_target *target, struct proc_text *text) {
    (void)target, (void)text;
    return HX_ERR_INVALID;
}

// Linux's bits: 1 pages of files, of which none can be had again here, 2 the rest, 4 to be quiet.
enum hx_status proc_drop_caches_set(const struct proc_target *target, const char *text) {
    (void)target;
    uint64_t what;
    if (!string_to_u64(text, 10, &what) || what < 1 || what > 4) {
        return HX_ERR_INVALID;
    }
    if (what & 2) {
        memory_drop_caches();
    }
    return HX_OK;
}

enum name_kind { NAME_NODE, NAME_DOMAIN };

static void put_uts(struct proc_text *text, enum name_kind kind) {
    struct posix_process *self = posix_current();
    struct uts_names *uts = self->process->ns->uts;
    char name[UTS_BYTES];
    spin_lock(&uts->lock);
    memcpy(name, kind == NAME_NODE ? uts->values.node : uts->values.domain, sizeof(name));
    spin_unlock(&uts->lock);
    text_put(text, "%s\n", name);
}

enum hx_status proc_hostname(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    put_uts(text, NAME_NODE);
    return HX_OK;
}

enum hx_status proc_domainname(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    put_uts(text, NAME_DOMAIN);
    return HX_OK;
}

enum hx_status proc_hostname_set(const struct proc_target *target, const char *text) {
    (void)target;
    struct posix_process *self = posix_current();
    struct credentials *credentials = posix_credentials(self);
    const bool may = credentials_capable(credentials, CAPABILITY_SYS_ADMIN);
    credentials_put(credentials);
    if (!may) {
        return HX_ERR_NOT_PERMITTED;
    }
    struct uts_names *uts = self->process->ns->uts;
    char name[UTS_BYTES] = { 0 };
    (void)string_copy(name, sizeof(name), text); // cut, as Linux cuts it
    uts_set(uts, uts->values.node, name);
    return HX_OK;
}

// RFC 4122, version 4: random but for six bits.
static void make_uuid(uint8_t uuid[UUID_BYTES]) {
    random_bytes(uuid, UUID_BYTES);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static void put_uuid(struct proc_text *text, const uint8_t uuid[UUID_BYTES]) {
    for (uint32_t i = 0; i < UUID_BYTES; i++) {
        const bool dash = i == 4 || i == 6 || i == 8 || i == 10;
        text_put(text, dash ? "-%02x" : "%02x", uuid[i]);
    }
    text_put(text, "\n");
}

enum hx_status proc_uuid(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    uint8_t uuid[UUID_BYTES];
    make_uuid(uuid);
    put_uuid(text, uuid);
    return HX_OK;
}

static const struct lock_class boot_id_class = { .name = "boot id", .rank = LOCK_RANK_LEAF - 1 };
static struct spinlock boot_id_lock = SPINLOCK_INIT(&boot_id_class);
static uint8_t boot_id[UUID_BYTES]; // [boot_id_lock] made by the first reader
static bool boot_id_made;           // [boot_id_lock]

enum hx_status proc_boot_id(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    uint8_t uuid[UUID_BYTES];
    spin_lock(&boot_id_lock);
    if (!boot_id_made) {
        make_uuid(boot_id);
        boot_id_made = true;
    }
    memcpy(uuid, boot_id, sizeof(uuid));
    spin_unlock(&boot_id_lock);
    put_uuid(text, uuid);
    return HX_OK;
}
