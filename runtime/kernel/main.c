// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/main.c: from boot's call to a running system, layer by layer.
#include "private.h"

#include <boot/boot_info.h>
#include <core/cpu.h>
#include <core/init.h>
#include <core/input.h>
#include <core/log.h>
#include <core/random.h>
#include <core/sched.h>
#include <core/selftest.h>
#include <core/trace.h>
#include <execution/process.h>
#include <hal/init.h>
#include <hal/io.h>
#include <hal/mmu.h>
#include <hal/time.h>
#include <hal/trap.h>
#include <io/block.h>
#include <io/device.h>
#include <io/iommu.h>
#include <lib/cmdline.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <memory/init.h>
#include <memory/selftest.h>
#include <net/socket.h>
#include <runtime/boot.h>
#include <tty/tty.h>
#include <vfs/selftest.h>
#include <vfs/vfs.h>

static struct kernel_boot boot;
static struct cmdline cmdline;
static struct cmdline_init init_words;
static char command_line[BOOT_COMMAND_MAX];

// Words that init must not get: ours, the personality's, and those of Linux that callers commonly
// give and that mean nothing here (Documentation/admin-guide/kernel-parameters.rst). Words with a
// dot are not init's in any case.
static const char *const known_words[] = {
    "console",
    "init",
    "rdinit",
    "root",
    "rootfstype",
    "rootflags",
    "rw",
    "ro",
    "quiet",
    "panic",
    "ip",
    "trace",
    "trace_buffer",
    "selftest",
    "sched",
    "maxcpus",
    "mmu",
    "no4lvl",
    "no5lvl",
    "nosmp",
    "initrd",
    "loglevel",
    "debug",
    "ignore_loglevel",
    "BOOT_IMAGE",
    "rootwait",
    "rootdelay",
    "noinitrd",
    "reboot",
    "pci",
    "acpi",
    "noapic",
    "nolapic",
    "nokaslr",
    "earlyprintk",
    "earlycon",
    "keep_bootcon",
    "tsc",
    "clocksource",
    "hpet",
    "no_timer_check",
    "noreplace-smp",
    "mitigations",
    "apparmor",
    "selinux",
    "enforcing",
    "audit",
    "lsm",
    "security",
    "norandmaps",
    "init_on_alloc",
    "init_on_free",
    "randomize_kstack_offset",
    "vga",
    "nomodule",
    "nomodules",
    "mem",
    "memmap",
    "iommu",
    "intel_iommu",
    "swiotlb",
    "idle",
    "nohz",
    "nohz_full",
    "isolcpus",
    "rcu_nocbs",
    "nowatchdog",
    "nmi_watchdog",
    "crashkernel",
    "hugepages",
    "elevator",
    "resume",
    "noresume",
    "preempt",
    "transparent_hugepage",
};

const struct kernel_boot *kernel_boot(void) {
    return &boot;
}

void kernel_boot_release_initrd(void) {
    boot.initrd = NULL;
    boot.initrd_bytes = 0;
    memory_release_initrd(boot.info);
}

static void must(const char *what, enum hx_status status) {
    if (status != HX_OK) {
        panic("%s: %s", what, hx_status_name(status));
    }
}

// "5", "-1": false if it is not a number.
static bool parse_number(const char *text, int64_t *out_value) {
    bool negative = text[0] == '-';
    uint64_t value;
    if (!string_to_u64(text + (negative ? 1 : 0), 10, &value) || value > INT32_MAX) {
        return false;
    }
    *out_value = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static int64_t number_word(const char *key, int64_t absent) {
    const char *text = cmdline_get(&cmdline, key);
    int64_t value = absent;
    if (text != NULL && !parse_number(text, &value)) {
        log_warning("command line: %s= wants a number", key);
    }
    return value;
}

static void read_command_line(const struct boot_info *info) {
    (void)string_copy(command_line, sizeof(command_line), info->command_line);
    if (cmdline_parse(&cmdline, command_line) != HX_OK || info->command_line_cut) {
        log_warning("command line: too long, the rest is ignored");
    }
    if (cmdline_init_words(&cmdline, known_words, ARRAY_SIZE(known_words), &init_words) != HX_OK) {
        log_warning("command line: too many words for init, the rest is ignored");
    }
    if (cmdline_get(&cmdline, "quiet") != NULL) {
        log_console_level(LOG_WARNING);
    }
    int64_t level = number_word("loglevel", -1);
    if (level >= 0) {
        const int64_t least = MIN_OF(level, (int64_t)LOG_DEBUG + 1) - 1;
        log_console_level((enum log_level)MAX_OF(least, 0)); // NOLINT: 0 … LOG_DEBUG, as Linux's
    }
    if (cmdline_get(&cmdline, "debug") != NULL ||
        cmdline_get(&cmdline, "ignore_loglevel") != NULL) {
        log_console_level(LOG_DEBUG);
    }
    panic_timeout_set(number_word("panic", 0));
    boot.cmdline = &cmdline;
    boot.init = &init_words;
}

// A loader may say that it lies where nothing is.
static void find_initrd(const struct boot_info *info) {
    if (info->initrd_bytes == 0) {
        return;
    }
    if (!boot_memory_holds(info, info->initrd, info->initrd_bytes)) {
        log_error("the initramfs is said to lie at %#lx, %lu bytes, which is no memory",
                  (unsigned long)info->initrd.value, (unsigned long)info->initrd_bytes);
        return;
    }
    boot.initrd = hal_phys_to_virt(info->initrd);
    boot.initrd_bytes = info->initrd_bytes;
}

static void tell_long_map(const struct boot_info *info) {
    if (info->memory_left_out_bytes != 0 || info->memory_joined != 0) {
        log_warning("memory: the loader lists more than %u ranges: %lu KiB of the smallest are not "
                    "used; %u ranges that are not for use became one with the next",
                    BOOT_MEMORY_MAX - 1, (unsigned long)(info->memory_left_out_bytes / 1024),
                    info->memory_joined);
    }
}

// The machine and memory: nothing here may sleep, interrupts are off.
static void bring_up_machine(const struct boot_info *info) {
    hal_console_init(info);
    hal_handlers_set(core_handlers());
    core_init_early();
    boot.info = info;
    boot.entry_counter = input_counter();
    hal_init_early(info);
    read_command_line(info);
    log_info("Helix, started by %s, entry counter %lu", info->loader,
             (unsigned long)boot.entry_counter);
    if (!hal_console_is_there()) {
        log_warning("no early console: a panic will show nothing");
    }
    tell_long_map(info);
    memory_init_early(info);
    must("page tables", hal_mmu_init(info));
    memory_init(info);
    must("machine", hal_init(info));
    find_initrd(info);
}

static void enlarge_trace(void) {
    int64_t slots = number_word("trace_buffer", 0);
    if (slots < 0 || trace_enlarge((uint64_t)slots) != HX_OK) {
        log_warning("trace: no room for %ld events a processor", (long)slots);
    }
}

static void start_processors(void) {
    int64_t limit = number_word("maxcpus", CPU_MAX);
    if (cmdline_get(&cmdline, "nosmp") != NULL || limit < 1) {
        limit = 1;
    }
    core_start_processors((uint32_t)MIN_OF(limit, (int64_t)CPU_MAX));
    log_info("%u of %u processors, counter at %lu kHz", cpu_online_count(), hal_cpu_count(),
             (unsigned long)(hal_counter_hz() / 1000));
}

static void switch_trace(void) {
    const char *parts = cmdline_get(&cmdline, "trace");
    if (parts != NULL && trace_switch_list(parts) != HX_OK) {
        log_warning("command line: trace= wants a list of %s and %s, or all",
                    trace_part_name(TRACE_CALLS), trace_part_name(TRACE_METHODS));
    }
}

// Uses up its stack: the page below has no memory.
static uint64_t overflow(uint64_t depth) { // NOLINT(misc-no-recursion): that is the point
    volatile uint64_t words[16];
    words[depth % ARRAY_SIZE(words)] = depth;
    return depth == UINT64_MAX ? 0 : overflow(depth + 1) + words[depth % ARRAY_SIZE(words)];
}

static void overflow_entry(void *argument) {
    (void)argument;
    (void)overflow(0);
}

static NORETURN void run_overflow(void) {
    static struct thread thread;
    void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    must("stack", stack != NULL ? HX_OK : HX_ERR_NO_MEMORY);
    thread_init(&thread, "overflow", stack, THREAD_STACK_BYTES, overflow_entry, NULL);
    thread_start(&thread);
    sched_run_idle();
}

static const struct {
    const char *name;
    bool (*run)(void);
} selftests[] = { { "core", core_selftest },
                  { "memory", memory_selftest },
                  { "vfs", vfs_selftest } };

// `selftest=core` (or another of the above, or `all`) runs tests instead of a system;
// `selftest=panic` shows a panic, `selftest=panic-others` one that stops busy processors,
// `selftest=overflow` one of a stack that is too small, `selftest=user-read` and
// `selftest=user-run` those of a kernel that goes astray in a program's memory.
static void run_selftest(void) {
    const char *what = cmdline_get(&cmdline, "selftest");
    if (what == NULL) {
        return;
    }
    if (strcmp(what, "panic") == 0) {
        panic("asked for by selftest=panic");
    }
    if (strcmp(what, "panic-others") == 0) {
        core_selftest_panic();
    }
    if (strcmp(what, "user-read") == 0 || strcmp(what, "user-run") == 0) {
        memory_selftest_guard(strcmp(what, "user-run") == 0);
    }
    if (strcmp(what, "overflow") == 0) {
        run_overflow();
    }
    bool found = false;
    bool passed = true;
    for (uint32_t i = 0; i < ARRAY_SIZE(selftests); i++) {
        if (strcmp(what, selftests[i].name) == 0 || strcmp(what, "all") == 0) {
            found = true;
            passed = selftests[i].run() && passed;
        }
    }
    log_info("selftest: %s %s", what, found && passed ? "passed" : "FAILED");
    hal_debug_exit(found && passed ? SELFTEST_PASS_CODE : SELFTEST_FAIL_CODE);
    hal_power_off();
}

// What was written is safe, and can be read, before its driver stops.
static void stop_devices(void) {
    block_flush_all();
    tty_settle();
    registry_stop();
}

void kernel_power_off(void) {
    stop_devices();
    hal_power_off();
}

void kernel_restart(void) {
    stop_devices();
    hal_restart();
}

void kernel_halt(void) {
    stop_devices();
    hal_halt();
}

// Without them all works, but nobody tells of faults.
static void listen_to_iommus(void) {
    struct line_user user = { .handler = io_iommu_interrupt };
    struct io_device *device;
    for (uint32_t i = 0; io_iommu_at(i, &device, &user.context); i++) {
        user.device = device;
        // Relaxed: this thread's own.
        const bool is_message = atomic_load_explicit(&device->is_message, memory_order_relaxed);
        enum hx_status status = line_register(device->line, &user, !is_message);
        if (status == HX_OK) {
            io_device_line_on(device);
        } else {
            log_warning("%s: faults are not heard: %s", device->name, hx_status_name(status));
        }
    }
}

// Only what the image begins with, and its first policy.
static bool is_safe(void) {
    return cmdline_get(&cmdline, "helix.safe") != NULL;
}

void kernel_main(const struct boot_info *info) {
    bring_up_machine(info);
    must("core", core_init());
    enlarge_trace();
    hal_irq_on();
    start_processors();
    switch_trace();
    if (!is_safe()) {
        sched_want(cmdline_get(&cmdline, "sched"));
    }
    must("execution", execution_init());
    must("vfs", vfs_init());
    must("net", sockets_init());
    must("tty", tty_init());
    if (random_is_weak()) {
        log_warning("random: no hardware entropy; the generator is weak");
    }
    must("block", block_init());
    io_devices_find(&cmdline);
    listen_to_iommus();
    must("orchestrator", orchestrator_init());
    loader_tell_key();
    // What fails was logged; the boot goes on without it.
    HX_IGNORE(registry_start(HX_PHASE_CRITICAL));
    HX_IGNORE(registry_start(HX_PHASE_NORMAL));
    if (!is_safe()) {
        HX_IGNORE(registry_start(HX_PHASE_DEFERRED));
    }
    log_info("scheduler %s", sched_policy_name());
    run_selftest();
    trace(TRACE_BOOT, HX_PHASE_PERSONALITY, 0);
    must("personality", registry_start(HX_PHASE_PERSONALITY));
    // From here on the threads that were started carry the system; this one ends.
    sched_run_idle();
}
