// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/system.c: what procfs tells of the whole machine.
//
// Formats are Linux 6.1's (fs/proc). What is not counted is zero.
#include "procfs.h"

#include "../pids.h"

#include <core/cpu.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/sched.h>
#include <core/trace.h>
#include <hal/irq.h>
#include <io/block.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <runtime/boot.h>

#define NS_PER_S    1000000000ll
#define NS_PER_TICK 10000000ll

static void put_memory(struct proc_text *text, const char *name, uint64_t frames) {
    text_put(text, "%-16s%8llu kB\n", name, (unsigned long long)frames << (PAGE_SHIFT - 10));
}

enum hx_status proc_meminfo(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct frame_stats stats;
    frame_stats(&stats);
    put_memory(text, "MemTotal:", stats.total);
    put_memory(text, "MemFree:", stats.free);
    put_memory(text, "MemAvailable:", stats.free);
    put_memory(text, "Buffers:", 0);
    put_memory(text, "Cached:", 0);
    put_memory(text, "SwapCached:", 0);
    put_memory(text, "Active:", stats.user);
    put_memory(text, "Inactive:", 0);
    put_memory(text, "SwapTotal:", 0);
    put_memory(text, "SwapFree:", 0);
    put_memory(text, "Dirty:", 0);
    put_memory(text, "Writeback:", 0);
    put_memory(text, "AnonPages:", stats.user);
    put_memory(text, "Mapped:", 0);
    put_memory(text, "Shmem:", 0);
    put_memory(text, "Slab:", stats.slab);
    put_memory(text, "SReclaimable:", 0);
    put_memory(text, "SUnreclaim:", stats.slab);
    put_memory(text, "KernelStack:", 0);
    put_memory(text, "PageTables:", stats.table);
    put_memory(text, "CommitLimit:", stats.total);
    put_memory(text, "Committed_AS:", stats.user);
    return HX_OK;
}

static time_ns_t idle_all(void) {
    struct cpu_times times;
    time_ns_t idle = 0;
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        (void)cpu_times(cpu, &times); // zero where there is none
        idle += times.idle;
    }
    return idle;
}

static void put_cpu(struct proc_text *text, const struct cpu_times *times) {
    text_put(text, " %lld 0 %lld %lld 0 0 0 0 0 0\n", (long long)(times->user / NS_PER_TICK),
             (long long)(times->system / NS_PER_TICK), (long long)(times->idle / NS_PER_TICK));
}

// No line ever shows less than before.
static void put_cpus(struct proc_text *text) {
    struct cpu_times times;
    struct cpu_times sum = { 0 };
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        (void)cpu_times(cpu, &times); // zero where there is none
        sum.user += times.user;
        sum.system += times.system;
        sum.idle += times.idle;
    }
    text_put(text, "cpu ");
    put_cpu(text, &sum);
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        if (cpu_times(cpu, &times)) {
            text_put(text, "cpu%u", cpu);
            put_cpu(text, &times);
        }
    }
}

enum hx_status proc_system_stat(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    put_cpus(text);
    uint64_t interrupts = 0;
    for (uint32_t line = 0; line < HAL_IRQ_LINES; line++) {
        interrupts += irq_count(line);
    }
    text_put(text, "intr %llu\nctxt %llu\nbtime %lld\nprocesses %llu\n",
             (unsigned long long)interrupts, (unsigned long long)sched_switches(),
             (long long)(time_real_offset() / NS_PER_S),
             (unsigned long long)trace_count(TRACE_PROCESS_START));
    text_put(text, "procs_running %u\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
             sched_runnable());
    return HX_OK;
}

static void put_seconds(struct proc_text *text, time_ns_t time, const char *end) {
    text_put(text, "%lld.%02lld%s", (long long)(time / NS_PER_S),
             (long long)(time % NS_PER_S / NS_PER_TICK), end);
}

enum hx_status proc_uptime(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    put_seconds(text, time_now(), " ");
    put_seconds(text, idle_all(), "\n");
    return HX_OK;
}

// Load averages without a timer of their own: at each look, the processors' mean business since
// the last one is folded in, in steps of five seconds as Linux has them, in units of 1/2048.
#define LOAD_ONE     2048u
#define LOAD_STEP_NS (5 * NS_PER_S)
#define LOAD_STEPS   720 // one hour; older load is forgotten

static const uint32_t load_decay[3] = { 1884, 2014, 2037 }; // 1/exp(5 s / 1, 5, 15 min)

static const struct lock_class load_class = { .name = "load", .rank = LOCK_RANK_LEAF };
static struct spinlock load_lock = SPINLOCK_INIT(&load_class);
static uint32_t load[3];    // [load_lock]
static time_ns_t load_time; // [load_lock] up to when
static time_ns_t load_idle; // [load_lock] idle time of all processors then

static void load_update_locked(time_ns_t now, time_ns_t idle, uint32_t cpus) {
    const int64_t steps = (now - load_time) / LOAD_STEP_NS;
    if (steps == 0) {
        return;
    }
    const time_ns_t span = now - load_time;
    const time_ns_t idle_span = MIN_OF(idle - load_idle, span * cpus);
    const time_ns_t busy = span * cpus - idle_span;
    const uint64_t mean = (uint64_t)(busy / (span / LOAD_ONE));
    for (uint32_t i = 0; i < 3; i++) {
        for (int64_t step = 0; step < MIN_OF(steps, LOAD_STEPS); step++) {
            load[i] = (uint32_t)((load[i] * (uint64_t)load_decay[i] +
                                  mean * (LOAD_ONE - load_decay[i]) + LOAD_ONE / 2) /
                                 LOAD_ONE);
        }
    }
    load_time = now;
    load_idle = idle;
}

enum hx_status proc_loadavg(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    const uint32_t cpus = cpu_online_count();
    const time_ns_t idle = idle_all();
    uint32_t now[3];
    spin_lock(&load_lock);
    load_update_locked(time_now(), idle, cpus);
    memcpy(now, load, sizeof(now));
    spin_unlock(&load_lock);
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t rounded = now[i] + LOAD_ONE / 200;
        text_put(text, "%u.%02u ", rounded / LOAD_ONE, rounded % LOAD_ONE * 100 / LOAD_ONE);
    }
    struct pid_space *space = pids();
    const unsigned long state = spin_lock_irq(&space->lock);
    const int32_t last = space->last;
    spin_unlock_irq(&space->lock, state);
    text_put(text, "%u/%u %d\n", sched_runnable(),
             atomic_load_explicit(&space->threads, memory_order_relaxed), last);
    return HX_OK;
}

enum hx_status proc_cpuinfo(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    char *description = heap_alloc(PAGE_SIZE, MEMORY_SLEEP);
    if (description == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uint32_t count = cpu_online_count();
    for (uint32_t cpu = 0; cpu < count && !text_is_full(text); cpu++) {
        text_put(text, "processor\t: %u\n", cpu);
        const size_t length = hal_cpu_describe(cpu, description, PAGE_SIZE);
        text_bytes(text, description, MIN_OF(length, PAGE_SIZE - 1));
        text_put(text, "\n");
    }
    heap_free(description);
    return HX_OK;
}

enum hx_status proc_command_line(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "%s\n", kernel_boot()->info->command_line);
    return HX_OK;
}

enum hx_status proc_filesystems(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    uint32_t length = 0;
    enum hx_status status = vfs_filesystems_text(text->skip, text->buffer, text->capacity, &length);
    if (status == HX_OK) {
        text->length = length;
    }
    return status;
}

// Majors are Linux's; which drivers there are is not counted anywhere, so the fixed ones are shown.
enum hx_status proc_devices(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "Character devices:\n  1 mem\n  4 /dev/vc/0\n  4 tty\n  4 ttyS\n"
                   "  5 /dev/tty\n  5 /dev/console\n\nBlock devices:\n");
    text_put(text, "%3u virtblk\n", BLOCK_MAJOR);
    return HX_OK;
}

enum hx_status proc_partitions(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct block_line line;
    for (uint32_t i = 0; block_line_at(i, &line); i++) {
        text_put(text, "%s%4u  %7u %10llu %s\n", i == 0 ? "major minor  #blocks  name\n\n" : "",
                 BLOCK_MAJOR, line.minor, (unsigned long long)(line.bytes >> 10), line.name);
    }
    return HX_OK;
}

// Every line is routed to the boot processor.
enum hx_status proc_interrupts(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    const uint32_t count = cpu_online_count();
    text_put(text, "    ");
    for (uint32_t cpu = 0; cpu < count; cpu++) {
        text_put(text, "       CPU%-1u", cpu);
    }
    text_put(text, "\n");
    for (uint32_t line = 0; line < HAL_IRQ_LINES; line++) {
        const uint64_t interrupts = irq_count(line);
        if (interrupts == 0) {
            continue;
        }
        text_put(text, "%3u:", line);
        for (uint32_t cpu = 0; cpu < count; cpu++) {
            text_put(text, " %10llu", cpu == 0 ? (unsigned long long)interrupts : 0ull);
        }
        text_put(text, "\n");
    }
    return HX_OK;
}

// The log from the reader's own position on. At its end a read gives nothing; it does not wait.
enum hx_status proc_kmsg(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    uint64_t position = text->skip;
    text->skip = 0;
    text->length = (uint32_t)log_read(&position, text->buffer, text->capacity);
    return HX_OK;
}

// slabinfo(5), version 2.1.
enum hx_status proc_slabinfo(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct heap_cache_info *infos = heap_alloc(HEAP_CACHES_MAX * sizeof(*infos), MEMORY_SLEEP);
    if (infos == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uint32_t count = heap_cache_infos(infos, HEAP_CACHES_MAX);
    text_put(text,
             "slabinfo - version: 2.1\n"
             "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> "
             ": tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
             "<num_slabs> <sharedavail>\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct heap_cache_info *info = &infos[i];
        text_put(text,
                 "%-17s %6llu %6llu %6u %4u %4u : tunables    0    0    0 : slabdata %6llu %6llu "
                 "     0\n",
                 info->name, (unsigned long long)info->used, (unsigned long long)info->total,
                 info->object_bytes, info->per_slab, info->slab_pages,
                 (unsigned long long)info->slabs, (unsigned long long)info->slabs);
    }
    heap_free(infos);
    return HX_OK;
}

enum hx_status proc_vmstat(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct frame_stats stats;
    frame_stats(&stats);
    text_put(text, "nr_free_pages %llu\nnr_anon_pages %llu\nnr_page_table_pages %llu\n",
             (unsigned long long)stats.free, (unsigned long long)stats.user,
             (unsigned long long)stats.table);
    text_put(text, "nr_slab_unreclaimable %llu\n", (unsigned long long)stats.slab);
    return HX_OK;
}
