// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/procfs.h: the parts of procfs among themselves.
//
// A file is a row of a table: its name, the directory that it is in, its mode, and the function
// that makes its text, takes a text, or follows its link. A node number holds the row, and for what
// belongs to a process its id and a part of the process's number since boot, so that a reused pid
// is not taken for the old one.
#pragma once

#include "../descriptor.h"

#include <posix/procfs.h>

// A text that is being made; only the part that the reader wants is kept.
struct proc_text {
    char *buffer;
    uint32_t capacity;
    uint32_t length;
    uint64_t skip; // bytes before the wanted part that are still to come
};

void text_init(struct proc_text *text, uint64_t offset, char *buffer, uint32_t capacity);
// Appends. Text beyond what the reader wants is dropped.
void text_put(struct proc_text *text, const char *format, ...) PRINTF(2, 3);
void text_bytes(struct proc_text *text, const char *bytes, size_t length);
// The reader has all that it wants; going on changes nothing.
bool text_is_full(const struct proc_text *text);

// What a file is about. References are held for the time of the call.
struct proc_target {
    struct posix_process *process; // NULL: the whole system
    struct posix_thread *thread;   // of /proc/PID/task/TID; NULL in /proc/PID
    int32_t fd;                    // of fd/N, fdinfo/N
    enum hx_status (*jump)(const struct proc_target *target, struct path *out_path); // of links
};

typedef enum hx_status (*proc_read_t)(const struct proc_target *target, struct proc_text *text);
// Takes a text of at most one page, terminated, without the end of the line.
typedef enum hx_status (*proc_write_t)(const struct proc_target *target, const char *text);
// The text of a link.
typedef enum hx_status (*proc_link_t)(const struct proc_target *target, char *buffer,
                                      uint32_t capacity, uint32_t *out_length);
// The place that a link leads to, for who may look into the process. HX_ERR_PERMISSION.
typedef enum hx_status (*proc_jump_t)(const struct proc_target *target, struct path *out_path);

// Directories and other rows that code names; the others follow in the table.
enum proc_row {
    PROC_NONE,
    PROC_ROOT,
    PROC_SYS,
    PROC_SYS_KERNEL,
    PROC_SYS_RANDOM,
    PROC_SYS_VM,
    PROC_SYS_FS,
    PROC_SYS_FS_INOTIFY,
    PROC_SYS_FS_MQUEUE,
    PROC_SYSVIPC,
    PROC_NET,
    PROC_HELIX,
    PROC_TRACE,
    PROC_PID,   // /proc/PID
    PROC_TASKS, // /proc/PID/task
    PROC_TASK,  // /proc/PID/task/TID
    PROC_FDS,   // /proc/PID/fd
    PROC_FD,    // /proc/PID/fd/N
    PROC_FDINFOS,
    PROC_FDINFO,
    PROC_NAMED_ROWS,
};

#define PROC_OWNED    (1u << 0) // belongs to the process's user, not to root
#define PROC_NOT_TASK (1u << 1) // not in /proc/PID/task/TID

struct proc_entry {
    const char *name;
    enum proc_row directory; // PROC_PID stands for PROC_TASK, too
    uint32_t mode;           // type and permissions
    uint32_t flags;          // PROC_OWNED …
    proc_read_t read;
    proc_write_t write;
    proc_link_t link;
    proc_jump_t jump;
};

extern const struct proc_entry proc_entries[];
extern const uint32_t proc_entry_count;

// What procfs says where inspect.h says no: HX_ERR_PERMISSION.
enum hx_status proc_refusal(enum hx_status status);
// The thread that a file of the target is about: the one, or the first. With a reference on its
// object; NULL if it is gone.
struct posix_thread *proc_thread(const struct proc_target *target);
void proc_thread_put(struct posix_thread *thread);

// Makers of texts, by file.
enum hx_status proc_stat(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_statm(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_status(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_comm(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_comm_set(const struct proc_target *target, const char *text);
enum hx_status proc_cmdline(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_environ(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_limits(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_wchan(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_oom_score_adj(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_oom_score_adj_set(const struct proc_target *target, const char *text);
enum hx_status proc_empty(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_maps(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_fdinfo(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_memory(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_smaps(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_smaps_rollup(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_mounts(const struct proc_target *target, struct proc_text *text);

// Links.
enum hx_status proc_self_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                              uint32_t *out_length);
enum hx_status proc_thread_self_link(const struct proc_target *target, char *buffer,
                                     uint32_t capacity, uint32_t *out_length);
enum hx_status proc_mounts_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                                uint32_t *out_length);
// The path that the jump gives, as the caller sees it; of a file without one, its kind.
enum hx_status proc_jump_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                              uint32_t *out_length);
enum hx_status proc_exe_jump(const struct proc_target *target, struct path *out_path);
enum hx_status proc_cwd_jump(const struct proc_target *target, struct path *out_path);
enum hx_status proc_root_jump(const struct proc_target *target, struct path *out_path);
enum hx_status proc_fd_jump(const struct proc_target *target, struct path *out_path);
enum hx_status proc_fd_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                            uint32_t *out_length);
// The file at the target's number, with a reference, for who may look into the process.
// HX_ERR_NOT_FOUND, HX_ERR_PERMISSION.
enum hx_status proc_fd_file(const struct proc_target *target, struct file **out_file);
// The first used number of a process that is not below `from`; false at the end.
bool proc_fd_next(const struct posix_process *process, int32_t from, int32_t *out_fd,
                  uint32_t *out_flags);

// The whole system.
enum hx_status proc_meminfo(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_partitions(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_system_stat(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_uptime(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_loadavg(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_version(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_cpuinfo(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_command_line(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_filesystems(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_devices(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_interrupts(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_kmsg(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_vmstat(const struct proc_target *target, struct proc_text *text);

// /proc/sys.
enum hx_status proc_hostname(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_hostname_set(const struct proc_target *target, const char *text);
enum hx_status proc_domainname(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_ostype(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_osrelease(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_osversion(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_pid_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_threads_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_write_only(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_drop_caches_set(const struct proc_target *target, const char *text);
enum hx_status proc_printk(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_printk_set(const struct proc_target *target, const char *text);
enum hx_status proc_ngroups_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_cap_last_cap(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_core_pattern(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_boot_id(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_uuid(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_entropy_avail(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_overcommit_memory(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_max_map_count(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_file_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_nr_open(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_pipe_max_size(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_inotify_events(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_inotify_instances(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_inotify_watches(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_mqueue_messages(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_mqueue_messages_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_mqueue_bytes(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_mqueue_bytes_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_mqueue_queues_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_shm_size_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_shm_segments_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_msg_bytes_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_msg_queue_bytes(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_msg_queues_max(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_sysvipc_msg(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_sem_limits(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_sysvipc_sem(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_sysvipc_shm(const struct proc_target *target, struct proc_text *text);

// /proc/helix.
enum hx_status proc_account(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_accounts(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_account_set(const struct proc_target *target, const char *text);
enum hx_status proc_net_unix(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_helix_boot(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_helix_calls(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_helix_inputs(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_health(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_health_set(const struct proc_target *target, const char *text);
enum hx_status proc_scheduler(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_scheduler_set(const struct proc_target *target, const char *text);
enum hx_status proc_slots(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_fail_nth(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_slabinfo(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_faults(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_faults_set(const struct proc_target *target, const char *text);
enum hx_status proc_fail_nth_set(const struct proc_target *target, const char *text);

// /proc/helix/trace.
enum hx_status proc_trace_counts(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_trace_events(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_trace_last(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_trace_on(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_trace_on_set(const struct proc_target *target, const char *text);
enum hx_status proc_trace_names(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_trace_rings(const struct proc_target *target, struct proc_text *text);
enum hx_status proc_trace_threads(const struct proc_target *target, struct proc_text *text);
