// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/table.c: what files there are.
//
// The order inside a directory is the order of its listing.
#include "procfs.h"

#define DIRECTORY(file_name, parent, permissions, file_flags)                                      \
    { .name = (file_name),                                                                         \
      .directory = (parent),                                                                       \
      .mode = FS_MODE_DIRECTORY | (permissions),                                                   \
      .flags = (file_flags) }
#define TEXT(file_name, parent, permissions, reader, writer)                                       \
    { .name = (file_name),                                                                         \
      .directory = (parent),                                                                       \
      .mode = FS_MODE_REGULAR | (permissions),                                                     \
      .flags = (parent) == PROC_PID ? PROC_OWNED : 0,                                              \
      .read = (reader),                                                                            \
      .write = (writer) }
#define LINK(file_name, parent, maker, jumper)                                                     \
    { .name = (file_name),                                                                         \
      .directory = (parent),                                                                       \
      .mode = FS_MODE_LINK | 0777,                                                                 \
      .flags = (parent) == PROC_PID ? PROC_OWNED : 0,                                              \
      .link = (maker),                                                                             \
      .jump = (jumper) }

const struct proc_entry proc_entries[] = {
    [PROC_ROOT] = DIRECTORY("", PROC_NONE, 0555, 0),
    [PROC_SYS] = DIRECTORY("sys", PROC_ROOT, 0555, 0),
    [PROC_SYS_KERNEL] = DIRECTORY("kernel", PROC_SYS, 0555, 0),
    [PROC_SYS_RANDOM] = DIRECTORY("random", PROC_SYS_KERNEL, 0555, 0),
    [PROC_SYS_VM] = DIRECTORY("vm", PROC_SYS, 0555, 0),
    [PROC_SYS_FS] = DIRECTORY("fs", PROC_SYS, 0555, 0),
    [PROC_SYS_FS_INOTIFY] = DIRECTORY("inotify", PROC_SYS_FS, 0555, 0),
    [PROC_SYS_FS_MQUEUE] = DIRECTORY("mqueue", PROC_SYS_FS, 0555, 0),
    [PROC_SYSVIPC] = DIRECTORY("sysvipc", PROC_ROOT, 0555, 0),
    [PROC_NET] = DIRECTORY("net", PROC_ROOT, 0555, 0),
    [PROC_HELIX] = DIRECTORY("helix", PROC_ROOT, 0555, 0),
    [PROC_TRACE] = DIRECTORY("trace", PROC_HELIX, 0555, 0),
    [PROC_PID] = DIRECTORY("", PROC_NONE, 0555, PROC_OWNED),
    [PROC_TASKS] = DIRECTORY("task", PROC_PID, 0555, PROC_OWNED | PROC_NOT_TASK),
    [PROC_TASK] = DIRECTORY("", PROC_NONE, 0555, PROC_OWNED),
    [PROC_FDS] = DIRECTORY("fd", PROC_PID, 0500, PROC_OWNED),
    [PROC_FD] = { .name = "",
                  .directory = PROC_NONE,
                  .mode = FS_MODE_LINK,
                  .flags = PROC_OWNED,
                  .link = proc_fd_link,
                  .jump = proc_fd_jump },
    [PROC_FDINFOS] = DIRECTORY("fdinfo", PROC_PID, 0555, PROC_OWNED),
    [PROC_FDINFO] = { .name = "",
                      .directory = PROC_NONE,
                      .mode = FS_MODE_REGULAR | 0444,
                      .flags = PROC_OWNED,
                      .read = proc_fdinfo },

    TEXT("cgroup", PROC_PID, 0444, proc_empty, NULL),
    TEXT("cmdline", PROC_PID, 0444, proc_cmdline, NULL),
    TEXT("comm", PROC_PID, 0644, proc_comm, proc_comm_set),
    LINK("cwd", PROC_PID, proc_jump_link, proc_cwd_jump),
    TEXT("environ", PROC_PID, 0400, proc_environ, NULL),
    LINK("exe", PROC_PID, proc_jump_link, proc_exe_jump),
    TEXT("limits", PROC_PID, 0444, proc_limits, NULL),
    TEXT("maps", PROC_PID, 0444, proc_maps, NULL),
    TEXT("mem", PROC_PID, 0600, proc_memory, NULL),
    TEXT("mounts", PROC_PID, 0444, proc_mounts, NULL),
    TEXT("oom_score_adj", PROC_PID, 0644, proc_oom_score_adj, proc_oom_score_adj_set),
    LINK("root", PROC_PID, proc_jump_link, proc_root_jump),
    TEXT("smaps", PROC_PID, 0444, proc_smaps, NULL),
    TEXT("smaps_rollup", PROC_PID, 0444, proc_smaps_rollup, NULL),
    TEXT("stat", PROC_PID, 0444, proc_stat, NULL),
    TEXT("statm", PROC_PID, 0444, proc_statm, NULL),
    TEXT("status", PROC_PID, 0444, proc_status, NULL),
    TEXT("wchan", PROC_PID, 0444, proc_wchan, NULL),

    TEXT("cmdline", PROC_ROOT, 0444, proc_command_line, NULL),
    TEXT("cpuinfo", PROC_ROOT, 0444, proc_cpuinfo, NULL),
    TEXT("devices", PROC_ROOT, 0444, proc_devices, NULL),
    TEXT("filesystems", PROC_ROOT, 0444, proc_filesystems, NULL),
    TEXT("interrupts", PROC_ROOT, 0444, proc_interrupts, NULL),
    TEXT("kmsg", PROC_ROOT, 0400, proc_kmsg, NULL),
    TEXT("loadavg", PROC_ROOT, 0444, proc_loadavg, NULL),
    TEXT("meminfo", PROC_ROOT, 0444, proc_meminfo, NULL),
    LINK("mounts", PROC_ROOT, proc_mounts_link, NULL),
    TEXT("partitions", PROC_ROOT, 0444, proc_partitions, NULL),
    LINK("self", PROC_ROOT, proc_self_link, NULL),
    TEXT("slabinfo", PROC_ROOT, 0400, proc_slabinfo, NULL),
    TEXT("stat", PROC_ROOT, 0444, proc_system_stat, NULL),
    LINK("thread-self", PROC_ROOT, proc_thread_self_link, NULL),
    TEXT("uptime", PROC_ROOT, 0444, proc_uptime, NULL),
    TEXT("version", PROC_ROOT, 0444, proc_version, NULL),
    TEXT("vmstat", PROC_ROOT, 0444, proc_vmstat, NULL),

    TEXT("msg", PROC_SYSVIPC, 0444, proc_sysvipc_msg, NULL),
    TEXT("sem", PROC_SYSVIPC, 0444, proc_sysvipc_sem, NULL),
    TEXT("shm", PROC_SYSVIPC, 0444, proc_sysvipc_shm, NULL),

    TEXT("unix", PROC_NET, 0444, proc_net_unix, NULL),

    TEXT("cap_last_cap", PROC_SYS_KERNEL, 0444, proc_cap_last_cap, NULL),
    TEXT("core_pattern", PROC_SYS_KERNEL, 0444, proc_core_pattern, NULL),
    TEXT("domainname", PROC_SYS_KERNEL, 0444, proc_domainname, NULL),
    TEXT("hostname", PROC_SYS_KERNEL, 0644, proc_hostname, proc_hostname_set),
    TEXT("msgmax", PROC_SYS_KERNEL, 0444, proc_msg_bytes_max, NULL),
    TEXT("msgmnb", PROC_SYS_KERNEL, 0444, proc_msg_queue_bytes, NULL),
    TEXT("msgmni", PROC_SYS_KERNEL, 0444, proc_msg_queues_max, NULL),
    TEXT("ngroups_max", PROC_SYS_KERNEL, 0444, proc_ngroups_max, NULL),
    TEXT("osrelease", PROC_SYS_KERNEL, 0444, proc_osrelease, NULL),
    TEXT("ostype", PROC_SYS_KERNEL, 0444, proc_ostype, NULL),
    TEXT("pid_max", PROC_SYS_KERNEL, 0444, proc_pid_max, NULL),
    TEXT("printk", PROC_SYS_KERNEL, 0644, proc_printk, proc_printk_set),
    TEXT("sem", PROC_SYS_KERNEL, 0444, proc_sem_limits, NULL),
    TEXT("shmall", PROC_SYS_KERNEL, 0444, proc_shm_size_max, NULL),
    TEXT("shmmax", PROC_SYS_KERNEL, 0444, proc_shm_size_max, NULL),
    TEXT("shmmni", PROC_SYS_KERNEL, 0444, proc_shm_segments_max, NULL),
    TEXT("threads-max", PROC_SYS_KERNEL, 0444, proc_threads_max, NULL),
    TEXT("version", PROC_SYS_KERNEL, 0444, proc_osversion, NULL),
    TEXT("boot_id", PROC_SYS_RANDOM, 0444, proc_boot_id, NULL),
    TEXT("entropy_avail", PROC_SYS_RANDOM, 0444, proc_entropy_avail, NULL),
    TEXT("uuid", PROC_SYS_RANDOM, 0444, proc_uuid, NULL),
    TEXT("drop_caches", PROC_SYS_VM, 0200, proc_write_only, proc_drop_caches_set),
    TEXT("max_map_count", PROC_SYS_VM, 0444, proc_max_map_count, NULL),
    TEXT("overcommit_memory", PROC_SYS_VM, 0444, proc_overcommit_memory, NULL),
    TEXT("file-max", PROC_SYS_FS, 0444, proc_file_max, NULL),
    TEXT("nr_open", PROC_SYS_FS, 0444, proc_nr_open, NULL),
    TEXT("max_queued_events", PROC_SYS_FS_INOTIFY, 0444, proc_inotify_events, NULL),
    TEXT("max_user_instances", PROC_SYS_FS_INOTIFY, 0444, proc_inotify_instances, NULL),
    TEXT("max_user_watches", PROC_SYS_FS_INOTIFY, 0444, proc_inotify_watches, NULL),
    TEXT("msg_default", PROC_SYS_FS_MQUEUE, 0444, proc_mqueue_messages, NULL),
    TEXT("msg_max", PROC_SYS_FS_MQUEUE, 0444, proc_mqueue_messages_max, NULL),
    TEXT("msgsize_default", PROC_SYS_FS_MQUEUE, 0444, proc_mqueue_bytes, NULL),
    TEXT("msgsize_max", PROC_SYS_FS_MQUEUE, 0444, proc_mqueue_bytes_max, NULL),
    TEXT("queues_max", PROC_SYS_FS_MQUEUE, 0444, proc_mqueue_queues_max, NULL),
    TEXT("pipe-max-size", PROC_SYS_FS, 0444, proc_pipe_max_size, NULL),

    TEXT("account", PROC_HELIX, 0644, proc_account, proc_account_set),
    TEXT("accounts", PROC_HELIX, 0444, proc_accounts, NULL),
    TEXT("boot", PROC_HELIX, 0444, proc_helix_boot, NULL),
    TEXT("fail_nth", PROC_HELIX, 0600, proc_fail_nth, proc_fail_nth_set),
    TEXT("faults", PROC_HELIX, 0600, proc_faults, proc_faults_set),
    TEXT("calls", PROC_HELIX, 0444, proc_helix_calls, NULL),
    TEXT("health", PROC_HELIX, 0600, proc_health, proc_health_set),
    TEXT("inputs", PROC_HELIX, 0444, proc_helix_inputs, NULL),
    TEXT("scheduler", PROC_HELIX, 0644, proc_scheduler, proc_scheduler_set),
    TEXT("slots", PROC_HELIX, 0444, proc_slots, NULL),

    TEXT("counts", PROC_TRACE, 0400, proc_trace_counts, NULL),
    TEXT("events", PROC_TRACE, 0400, proc_trace_events, NULL),
    TEXT("last", PROC_TRACE, 0400, proc_trace_last, NULL),
    TEXT("names", PROC_TRACE, 0444, proc_trace_names, NULL),
    TEXT("on", PROC_TRACE, 0600, proc_trace_on, proc_trace_on_set),
    TEXT("rings", PROC_TRACE, 0400, proc_trace_rings, NULL),
    TEXT("threads", PROC_TRACE, 0400, proc_trace_threads, NULL),
};

const uint32_t proc_entry_count = ARRAY_SIZE(proc_entries);
