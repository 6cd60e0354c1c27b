// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/process.c: what procfs tells of one process or thread: stat, statm, status and the small
// ones.
//
// Formats are Linux 6.1's (fs/proc/array.c, proc(5)). What this kernel does not count is zero, as
// in a Linux that was built without it.
#include "procfs.h"

#include "../inspect.h"
#include "../pids.h"
#include "../signals.h"
#include "../usage.h"

#include <core/cpu.h>
#include <core/sched.h>
#include <core/trace.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <tty/tty.h>

#define NS_PER_TICK 10000000ll // USER_HZ is 100

#define COPY_BYTES_MAX (128u * PAGE_SIZE) // of an argument list that is shown

// Everything about a process that is collected under locks, before text is made.
struct snapshot {
    struct posix_kinship kinship;
    char name[THREAD_NAME_BYTES];
    char state;
    bool is_stopped; // by job control
    int32_t id;      // pid, or tid of a task
    int32_t tty_number, tty_group;
    uint32_t threads;
    int32_t priority, nice, realtime, policy;
    uint32_t cpu;
    struct usage usage, waited_for;
    uint64_t switches_voluntary, switches_forced; // of the one thread that the rest is about
    uint64_t affinity;
    uint64_t virtual_bytes, resident_pages;
    uint64_t pending, pending_shared, blocked, ignored, caught;
};

static char state_letter(uint32_t state) {
    switch (state) {
    case THREAD_NEW:
    case THREAD_READY:
    case THREAD_RUNNING:
        return 'R';
    case THREAD_STOPPED:
        return 'T';
    case THREAD_DEAD:
        return 'X';
    default:
        return 'S';
    }
}

static void take_terminal(struct posix_process *process, struct snapshot *snapshot) {
    struct tty *tty = posix_terminal(process);
    snapshot->tty_group = -1;
    if (tty != NULL) {
        const uint64_t device = (uint64_t)tty_device_major(tty) << 32 | tty_device_minor(tty);
        snapshot->tty_number = (int32_t)device_encode(device);
        snapshot->tty_group = tty_foreground(tty);
        tty_put(tty);
    }
}

static void take_signals(const struct proc_target *target, const struct posix_thread *thread,
                         struct snapshot *snapshot) {
    struct posix_process *process = target->process;
    const unsigned long state = spin_lock_irq(&process->signal_lock);
    snapshot->is_stopped = process->stopped;
    snapshot->pending_shared = process->pending.set;
    if (thread != NULL) {
        snapshot->pending = thread->pending.set;
        snapshot->blocked = thread->blocked;
    }
    for (uint32_t i = 1; process->actions != NULL && i <= POSIX_SIGNALS; i++) {
        const uint64_t handler = signal_action_locked(process, (int32_t)i).handler;
        const uint64_t bit = (uint64_t)1 << (i - 1);
        snapshot->ignored |= handler == SIG_IGN ? bit : 0;
        snapshot->caught |= handler != SIG_IGN && handler != SIG_DFL ? bit : 0;
    }
    spin_unlock_irq(&process->signal_lock, state);
}

static void take_thread(struct thread *thread, struct snapshot *snapshot) {
    string_copy(snapshot->name, sizeof(snapshot->name), thread->name);
    snapshot->state = state_letter(atomic_load_explicit(&thread->state, memory_order_relaxed));
    const struct sched_params *params = &thread->own;
    snapshot->cpu = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    snapshot->affinity = atomic_load_explicit(&thread->affinity, memory_order_relaxed);
    snapshot->nice = params->nice;
    snapshot->policy = (int32_t)params->sched_class;
    const bool realtime =
        params->sched_class == SCHED_CLASS_FIFO || params->sched_class == SCHED_CLASS_ROUND_ROBIN;
    snapshot->realtime = realtime ? (int32_t)params->priority : 0;
    const uint32_t urgency = thread_urgency(thread); // with what it is lent
    snapshot->priority = urgency != 0 ? -1 - (int32_t)urgency : 20 + params->nice;
    snapshot->switches_voluntary =
        atomic_load_explicit(&thread->switches_voluntary, memory_order_relaxed);
    snapshot->switches_forced =
        atomic_load_explicit(&thread->switches_forced, memory_order_relaxed);
}

// Of the one thread, or of all, those that have left included.
static void take_usage(const struct proc_target *target, struct snapshot *snapshot) {
    if (target->thread != NULL) {
        thread_usage(&target->thread->native->thread, &snapshot->usage);
    } else {
        process_usage(target->process, &snapshot->usage);
    }
    mutex_lock(&pids()->tree_lock);
    snapshot->waited_for = target->process->waited_for;
    mutex_unlock(&pids()->tree_lock);
}

static void take_memory(const struct proc_target *target, struct snapshot *snapshot) {
    struct aspace *aspace = process_aspace(target->process->process);
    if (aspace != NULL) {
        snapshot->virtual_bytes = aspace_virtual_pages(aspace) << PAGE_SHIFT;
        snapshot->resident_pages = aspace_resident_pages(aspace);
        aspace_put(aspace);
    }
}

static void take(const struct proc_target *target, struct snapshot *snapshot) {
    struct posix_process *process = target->process;
    *snapshot = (struct snapshot){ .state = 'Z', .priority = 20 };
    posix_kinship(process, &snapshot->kinship);
    snapshot->id = target->thread != NULL ? target->thread->tid : process->pid;
    snapshot->threads = process_thread_count(process->process);
    string_copy(snapshot->name, sizeof(snapshot->name), process->command);
    take_terminal(target->process, snapshot);
    struct posix_thread *thread = snapshot->kinship.zombie ? NULL : proc_thread(target);
    take_signals(target, thread, snapshot);
    if (thread != NULL) {
        take_thread(&thread->native->thread, snapshot);
        // At its stop point a thread waits like any other.
        if (snapshot->is_stopped && snapshot->state == 'S') {
            snapshot->state = 'T';
        }
        proc_thread_put(thread);
    }
    take_usage(target, snapshot);
    take_memory(target, snapshot);
}

static uint64_t limit_of(struct posix_process *process, uint32_t which) {
    return atomic_load_explicit(&process->limits[which].soft, memory_order_relaxed);
}

enum hx_status proc_stat(const struct proc_target *target, struct proc_text *text) {
    struct snapshot s;
    take(target, &s);
    struct posix_process *p = target->process;
    const bool open = inspect_allowed(p, INSPECT_FS_IDS); // addresses are nobody else's business
    text_put(text, "%d (%s) %c %d %d %d %d %d %u", s.id, s.name, s.state, s.kinship.parent,
             s.kinship.group, s.kinship.session, s.tty_number, s.tty_group, 0u);
    text_put(text, " %llu %llu %llu %llu", (unsigned long long)s.usage.faults_minor,
             (unsigned long long)s.waited_for.faults_minor,
             (unsigned long long)s.usage.faults_major,
             (unsigned long long)s.waited_for.faults_major);
    text_put(text, " %lld %lld %lld %lld %d %d %u 0 %llu",
             (long long)(s.usage.user_ns / NS_PER_TICK),
             (long long)(s.usage.system_ns / NS_PER_TICK),
             (long long)(s.waited_for.user_ns / NS_PER_TICK),
             (long long)(s.waited_for.system_ns / NS_PER_TICK), s.priority, s.nice, s.threads,
             (unsigned long long)(p->start_ns / NS_PER_TICK));
    text_put(text, " %llu %llu %llu", (unsigned long long)s.virtual_bytes,
             (unsigned long long)s.resident_pages, (unsigned long long)limit_of(p, RLIMIT_RSS));
    text_put(text, " 0 0 %llu 0 0", (unsigned long long)(open ? p->stack_top : 0));
    text_put(
        text, " %llu %llu %llu %llu 0 0 0 %d %u %d %d 0 0 0",
        (unsigned long long)(s.pending & 0x7fffffff), (unsigned long long)(s.blocked & 0x7fffffff),
        (unsigned long long)(s.ignored & 0x7fffffff), (unsigned long long)(s.caught & 0x7fffffff),
        p->exit_signal, s.cpu, s.realtime, s.policy);
    text_put(text, " 0 0 %llu %llu %llu %llu %llu %d\n",
             (unsigned long long)(open ? p->brk_start : 0),
             (unsigned long long)(open ? p->arguments_start : 0),
             (unsigned long long)(open ? p->arguments_end : 0),
             (unsigned long long)(open ? p->environment_start : 0),
             (unsigned long long)(open ? p->environment_end : 0),
             open && s.kinship.zombie ? p->exit_status : 0);
    return HX_OK;
}

// What the mappings are for: text, data and stack, in pages; files that are mapped.
struct memory_kinds {
    uint64_t text, data, stack, shared, file_resident;
};

static void count_mappings(const struct proc_target *target, struct memory_kinds *kinds) {
    *kinds = (struct memory_kinds){ 0 };
    struct aspace *aspace = process_aspace(target->process->process);
    if (aspace == NULL) {
        return;
    }
    struct mapping_info info;
    for (uint64_t at = 0; aspace_next_mapping(aspace, at, &info); at = info.end) {
        const uint64_t pages = (info.end - info.start) >> PAGE_SHIFT;
        const bool writes = (info.protection & ASPACE_WRITE) != 0;
        if ((info.flags & ASPACE_GROWSDOWN) != 0) {
            kinds->stack += pages;
        } else if ((info.protection & ASPACE_EXECUTE) != 0) {
            kinds->text += pages;
        } else if (writes && (info.flags & ASPACE_SHARED) == 0) {
            kinds->data += pages;
        }
        if ((info.flags & ASPACE_SHARED) != 0) {
            kinds->shared += info.resident_pages;
        }
        if (info.file != NULL) {
            kinds->file_resident += writes ? 0 : info.resident_pages;
            object_put(info.file);
        }
    }
    aspace_put(aspace);
}

enum hx_status proc_statm(const struct proc_target *target, struct proc_text *text) {
    struct snapshot s;
    take(target, &s);
    struct memory_kinds kinds;
    count_mappings(target, &kinds);
    const uint64_t pages = s.virtual_bytes >> PAGE_SHIFT;
    const uint64_t data = kinds.data + kinds.stack;
    const uint64_t shared = kinds.file_resident + kinds.shared;
    text_put(text, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)pages,
             (unsigned long long)s.resident_pages, (unsigned long long)shared,
             (unsigned long long)kinds.text, (unsigned long long)data);
    return HX_OK;
}

static const char *state_name(char letter) {
    switch (letter) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    default:
        return "X (dead)";
    }
}

static void put_kb(struct proc_text *text, const char *name, uint64_t pages) {
    const uint64_t size_kb = pages << (PAGE_SHIFT - 10);
    text_put(text, "%s:\t%8llu kB\n", name, (unsigned long long)size_kb);
}

static void put_who(const struct proc_target *target, const struct snapshot *s,
                    struct proc_text *text) {
    struct posix_process *p = target->process;
    mutex_lock(&p->process->lock);
    const uint32_t umask =
        p->fs != NULL ? atomic_load_explicit(&p->fs->umask, memory_order_relaxed) : 0;
    const uint32_t capacity = p->files != NULL ? file_table_capacity(p->files) : 0;
    mutex_unlock(&p->process->lock);
    text_put(text, "Name:\t%s\n", s->name);
    if (!s->kinship.zombie) {
        text_put(text, "Umask:\t0%u%u%u\n", umask >> 6 & 7, umask >> 3 & 7, umask & 7);
    }
    text_put(text, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
             state_name(s->state), p->pid, s->id, s->kinship.parent);
    struct credentials *c = posix_credentials(p);
    text_put(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", c->uid,
             c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid, capacity);
    for (uint32_t i = 0; i < c->group_count; i++) {
        text_put(text, i == 0 ? "%u" : " %u", c->groups[i]);
    }
    credentials_put(c);
    text_put(text, " \nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p->pid, s->id,
             s->kinship.group, s->kinship.session);
}

static void put_memory(const struct proc_target *target, const struct snapshot *s,
                       struct proc_text *text) {
    struct memory_kinds kinds;
    count_mappings(target, &kinds);
    const uint64_t virtual_pages = s->virtual_bytes >> PAGE_SHIFT;
    put_kb(text, "VmPeak", virtual_pages);
    put_kb(text, "VmSize", virtual_pages);
    put_kb(text, "VmLck", 0);
    put_kb(text, "VmPin", 0);
    put_kb(text, "VmHWM", MAX_OF(s->resident_pages, s->usage.maximum_resident_pages));
    put_kb(text, "VmRSS", s->resident_pages);
    const uint64_t other = kinds.file_resident + kinds.shared;
    put_kb(text, "RssAnon", s->resident_pages > other ? s->resident_pages - other : 0);
    put_kb(text, "RssFile", kinds.file_resident);
    put_kb(text, "RssShmem", kinds.shared);
    put_kb(text, "VmData", kinds.data);
    put_kb(text, "VmStk", kinds.stack);
    put_kb(text, "VmExe", kinds.text);
    put_kb(text, "VmLib", 0);
    put_kb(text, "VmPTE", 0);
    put_kb(text, "VmSwap", 0);
    text_put(text, "CoreDumping:\t0\n");
}

static void put_signals(const struct proc_target *target, const struct snapshot *s,
                        struct proc_text *text) {
    text_put(text, "Threads:\t%u\nSigQ:\t0/%llu\n", s->threads,
             (unsigned long long)limit_of(target->process, RLIMIT_SIGPENDING));
    text_put(text,
             "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\n"
             "SigCgt:\t%016llx\n",
             (unsigned long long)s->pending, (unsigned long long)s->pending_shared,
             (unsigned long long)s->blocked, (unsigned long long)s->ignored,
             (unsigned long long)s->caught);
}

// A set of processors as Linux lists them: "0-3,5".
static void put_cpu_list(struct proc_text *text, uint64_t mask) {
    bool first = true;
    for (uint32_t cpu = 0; cpu < 64; cpu++) {
        if ((mask >> cpu & 1) == 0) {
            continue;
        }
        uint32_t last = cpu;
        while (last < 63 && (mask >> (last + 1) & 1) != 0) {
            last++;
        }
        text_put(text, first ? "%u" : ",%u", cpu);
        if (last != cpu) {
            text_put(text, "-%u", last);
        }
        first = false;
        cpu = last;
    }
}

static void put_rights(const struct proc_target *target, const struct snapshot *s,
                       struct proc_text *text) {
    struct credentials *c = posix_credentials(target->process);
    text_put(text,
             "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\n"
             "CapAmb:\t%016llx\nNoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n",
             (unsigned long long)c->inheritable, (unsigned long long)c->permitted,
             (unsigned long long)c->effective, (unsigned long long)c->bounding, 0ull,
             target->process->no_new_privileges ? 1 : 0);
    credentials_put(c);
    const uint64_t cpus = s->affinity & cpu_online_mask();
    text_put(text, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t", (unsigned long long)cpus);
    put_cpu_list(text, cpus);
    text_put(text,
             "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%llu\n"
             "nonvoluntary_ctxt_switches:\t%llu\n",
             (unsigned long long)s->switches_voluntary, (unsigned long long)s->switches_forced);
}

enum hx_status proc_status(const struct proc_target *target, struct proc_text *text) {
    struct snapshot s;
    take(target, &s);
    put_who(target, &s, text);
    if (!s.kinship.zombie) {
        put_memory(target, &s, text);
    }
    put_signals(target, &s, text);
    put_rights(target, &s, text);
    return HX_OK;
}

enum hx_status proc_comm(const struct proc_target *target, struct proc_text *text) {
    struct snapshot s;
    take(target, &s);
    text_put(text, "%s\n", s.name);
    return HX_OK;
}

enum hx_status proc_comm_set(const struct proc_target *target, const char *text) {
    if (target->process != posix_current()) {
        return HX_ERR_INVALID;
    }
    struct posix_thread *thread = proc_thread(target);
    if (thread == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    char name[THREAD_NAME_BYTES];
    string_copy(name, sizeof(name), text); // cut, as Linux cuts it
    memcpy(thread->native->thread.name, name, sizeof(name));
    if (thread->tid == target->process->pid) {
        memcpy(target->process->command, name, sizeof(name));
    }
    trace_name(&thread->native->thread);
    proc_thread_put(thread);
    return HX_OK;
}

// Appends what lies at [start, end) in memory of a process. What cannot be read ends the text.
static enum hx_status put_process_memory(struct aspace *aspace, uint64_t start, uint64_t end,
                                         struct proc_text *text) {
    if (start == 0 || end <= start || end - start > COPY_BYTES_MAX) {
        return HX_OK;
    }
    const uint64_t skipped = MIN_OF(text->skip, end - start);
    const uint64_t length = MIN_OF(end - start - skipped, (uint64_t)text->capacity);
    enum hx_status status =
        aspace_read_other(aspace, uaddr_make(start + skipped), text->buffer, length);
    if (status == HX_OK) {
        text->length = (uint32_t)length;
    }
    return status == HX_ERR_BAD_ADDRESS ? HX_OK : status;
}

enum hx_status proc_cmdline(const struct proc_target *target, struct proc_text *text) {
    struct posix_process *p = target->process;
    mutex_lock(&p->exec_lock); // the place is the memory's: what else lies there is not for all
    struct aspace *aspace = process_aspace(p->process);
    const uint64_t start = p->arguments_start;
    const uint64_t end = p->arguments_end;
    mutex_unlock(&p->exec_lock);
    if (aspace == NULL) {
        return HX_OK;
    }
    enum hx_status status = put_process_memory(aspace, start, end, text);
    aspace_put(aspace);
    return status;
}

enum hx_status proc_environ(const struct proc_target *target, struct proc_text *text) {
    struct posix_process *p = target->process;
    struct aspace *aspace;
    enum hx_status status = inspect_aspace(p, INSPECT_FS_IDS, &aspace);
    if (status != HX_OK) { // a zombie has none
        return status == HX_ERR_NO_PROCESS ? HX_OK : proc_refusal(status);
    }
    status = put_process_memory(aspace, p->environment_start, p->environment_end, text);
    aspace_put(aspace);
    return status;
}

struct limit_name {
    const char *name;
    const char *unit;
};

static const struct limit_name limit_names[RLIMIT_COUNT] = {
    [RLIMIT_CPU] = { "Max cpu time", "seconds" },
    [RLIMIT_FSIZE] = { "Max file size", "bytes" },
    [RLIMIT_DATA] = { "Max data size", "bytes" },
    [RLIMIT_STACK] = { "Max stack size", "bytes" },
    [RLIMIT_CORE] = { "Max core file size", "bytes" },
    [RLIMIT_RSS] = { "Max resident set", "bytes" },
    [RLIMIT_NPROC] = { "Max processes", "processes" },
    [RLIMIT_NOFILE] = { "Max open files", "files" },
    [RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
    [RLIMIT_AS] = { "Max address space", "bytes" },
    [RLIMIT_LOCKS] = { "Max file locks", "locks" },
    [RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
    [RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
    [RLIMIT_NICE] = { "Max nice priority", "" },
    [RLIMIT_RTPRIO] = { "Max realtime priority", "" },
    [RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void put_limit(struct proc_text *text, uint64_t limit) {
    if (limit == RLIMIT_INFINITY) {
        text_put(text, "%-20s ", "unlimited");
    } else {
        text_put(text, "%-20llu ", (unsigned long long)limit);
    }
}

enum hx_status proc_limits(const struct proc_target *target, struct proc_text *text) {
    text_put(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (uint32_t i = 0; i < RLIMIT_COUNT; i++) {
        const struct posix_limit *limit = &target->process->limits[i];
        text_put(text, "%-25s ", limit_names[i].name);
        put_limit(text, atomic_load_explicit(&limit->soft, memory_order_relaxed));
        put_limit(text, atomic_load_explicit(&limit->hard, memory_order_relaxed));
        if (limit_names[i].unit[0] != '\0') {
            text_put(text, "%-10s", limit_names[i].unit);
        }
        text_put(text, "\n");
    }
    return HX_OK;
}

// Linux shows 0 to whoever may not see addresses, and that is everybody here.
enum hx_status proc_wchan(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "0");
    return HX_OK;
}

// Nothing is killed for lack of memory by its score, so only the neutral value is taken.
enum hx_status proc_oom_score_adj(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "0\n");
    return HX_OK;
}

enum hx_status proc_oom_score_adj_set(const struct proc_target *target, const char *text) {
    (void)target;
    return strcmp(text, "0") == 0 ? HX_OK : HX_ERR_NOT_PERMITTED;
}

enum hx_status proc_empty(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    (void)text;
    return HX_OK;
}
