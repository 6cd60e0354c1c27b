// SPDX-License-Identifier: MIT OR Apache-2.0
// host_test.c: the host's SDK itself: what it gives, what it refuses, and each rule that ends a
// program, in a process of its own.
#include <host/host.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static enum hx_status init_status, start_status, stop_status, test_status;
static bool keeps_lock;
static int fini_calls;
static struct hx_mutex first, second;
static struct hx_spinlock spin;
static struct hx_env *env;
static struct hx_device device;
static struct host_device chip;
static uint32_t registers[4], heard;
static uint8_t port_value;

// The module
// ------------------------------------------------------------------------------------------------

HX_ATTR(no_thread_safety_analysis)
static enum hx_status probe_init(struct hx_env *given, void **out_self) {
    env = given;
    hx_mutex_init(&first, "first");
    hx_mutex_init(&second, "second");
    hx_spinlock_init(&spin, "spin");
    if (keeps_lock) {
        hx_mutex_lock(&first);
    }
    *out_self = &heard;
    return init_status;
}

static enum hx_status probe_start(void *self) {
    CHECK(self == &heard);
    return start_status;
}

static enum hx_status probe_stop(void *self) {
    CHECK(self == &heard);
    return stop_status;
}

static void probe_fini(void *self) {
    CHECK(self == &heard);
    fini_calls++;
}

static enum hx_status probe_test(void *self) {
    CHECK(self == &heard);
    return test_status;
}

static uint32_t imported; // the schema that it was told; 0: it was not called
static enum hx_status import_says;

static enum hx_status probe_import(void *self, uint32_t schema) {
    CHECK(self != NULL);
    imported = schema;
    return import_says;
}

static const struct hx_port_provided provides[] = { { "helix.probe", { 1, 0, 0 }, 1 } };
static const struct hx_module_ops operations = { .init = probe_init,
                                                 .start = probe_start,
                                                 .stop = probe_stop,
                                                 .fini = probe_fini,
                                                 .import_state = probe_import,
                                                 .self_test = probe_test };

static const char *const devices[] = { "acme,chip", "other" };
static const struct hx_io_ports io_ports[] = { { 1, 4 } };

HX_MODULE(probe, .name = "probe", .devices = devices, .devices_count = ARRAY_SIZE(devices),
          .io_ports = io_ports, .io_ports_count = ARRAY_SIZE(io_ports), .arena_version = 1,
          .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL, .provides = provides,
          .provides_count = ARRAY_SIZE(provides),
          .capabilities = HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ | HX_CAPABILITY_RANDOM |
                          HX_CAPABILITY_IO_PORTS,
          .ops = &operations);

// A module that asks for nothing, and forgets what it had when something fails.
static bool leaks;
static enum hx_status refusal = HX_ERR_NO_MEMORY;

static enum hx_status poor_init(struct hx_env *given, void **out_self) {
    uint8_t *one = hx_alloc(given, 16);
    void *other = one != NULL ? hx_alloc(given, 16) : NULL;
    const bool has_all = other != NULL;
    *out_self = one;
    hx_free(given, other);
    if (!has_all && !leaks) {
        hx_free(given, one);
    }
    env = given;
    return has_all ? HX_OK : refusal;
}

static void poor_fini(void *self) {
    hx_free(env, self);
}

static const struct hx_module_ops poor_operations = { .init = poor_init, .fini = poor_fini };

HX_MODULE(poor, .name = "poor", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .ops = &poor_operations);

static void begin(void) {
    host_begin();
    init_status = start_status = stop_status = test_status = HX_OK;
    keeps_lock = false;
    fini_calls = 0;
    CHECK(host_load_named("probe") == HX_OK);
}

// Rules
// ------------------------------------------------------------------------------------------------

// Whether the program ends with a line that has `line`.
static bool breaks(void (*body)(void), const char *line) {
    char said[4096] = "";
    int ends[2];
    int status = 0;
    size_t length = 0;
    if (pipe(ends) != 0) {
        return false;
    }
    const pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], 2);
        body();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got = 1; got > 0 && length < sizeof(said) - 1; length += (size_t)MAX_OF(got, 0)) {
        got = read(ends[0], said + length, sizeof(said) - 1 - length);
    }
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    return (!WIFEXITED(status) || WEXITSTATUS(status) != 0) && strstr(said, line) != NULL;
}

#define UNCHECKED HX_ATTR(no_thread_safety_analysis) static void

UNCHECKED lock_twice(void) {
    hx_mutex_lock(&first);
    hx_mutex_lock(&first);
}

UNCHECKED lock_backwards(void) {
    const bool ascends = (uintptr_t)&first < (uintptr_t)&second;
    hx_mutex_lock(ascends ? &second : &first);
    hx_mutex_lock(ascends ? &first : &second);
}

UNCHECKED lock_unmade(void) {
    struct hx_mutex mutex = { 0 };
    hx_mutex_lock(&mutex);
}

UNCHECKED release_free(void) {
    hx_spinlock_release(&spin);
}

UNCHECKED sleep_under_spin(void) {
    hx_spinlock_acquire(&spin);
    hx_mutex_lock(&first);
}

UNCHECKED alloc_under_spin(void) {
    hx_spinlock_acquire(&spin);
    free(hx_alloc(env, 1));
}

UNCHECKED interrupt_under_lock(void) {
    hx_mutex_lock(&first);
    host_interrupt(&chip, 0);
}

UNCHECKED keep_in_handler(void *context) {
    (void)context;
    hx_mutex_lock(&first);
}

static void handler_keeps(void) {
    CHECK(hx_irq_register(env, 3, keep_in_handler, NULL) == HX_OK);
    host_isa_interrupt(3);
}

static void init_keeps(void) {
    keeps_lock = true;
    CHECK(host_unload() == HX_OK);
    (void)host_load_named("probe");
}

static void free_foreign(void) {
    static uint8_t byte;
    hx_free(env, &byte);
}

static void free_twice(void) {
    void *memory = hx_alloc(env, 8);
    hx_free(env, memory);
    hx_free(env, memory);
}

static void load_twice(void) {
    (void)host_load_named("probe");
}

static void load_nobody(void) {
    host_begin();
    (void)host_load_named("nobody");
}

static void load_any(void) { // of two
    host_begin();
    (void)host_load();
}

static void ask_for_no_port(void) {
    (void)host_operations("helix.probe", "probe");
}

static void log_two_lines(void) {
    hx_log(env, HX_LOG_INFO, "one\ntwo");
}

static void log_one_line(void) {
    hx_log(env, HX_LOG_INFO, "one");
}

static void leak(void) {
    leaks = true;
    host_load_failing("poor", NULL, false);
}

static void lie(void) {
    refusal = HX_ERR_IO;
    host_load_failing("poor", NULL, false);
}

static void test_rules(void) {
    begin();
    host_device_add(&chip);
    CHECK(breaks(lock_twice, "the mutex first is taken twice"));
    CHECK(breaks(lock_backwards, "which lies behind it"));
    CHECK(breaks(lock_unmade, "was not initialised"));
    CHECK(breaks(release_free, "the spin lock spin is released that nobody holds"));
    CHECK(breaks(sleep_under_spin, "hx_mutex_lock(), which may sleep, under the spin lock spin"));
    CHECK(breaks(alloc_under_spin, "hx_alloc(), which may sleep"));
    CHECK(breaks(handler_keeps, "returns with its mutex first held"));
    CHECK(breaks(init_keeps, "returns with its mutex first held"));
    CHECK(breaks(free_foreign, "the module does not have"));
    CHECK(breaks(free_twice, "the module does not have"));
    CHECK(breaks(load_twice, "there is a module already"));
    CHECK(breaks(load_nobody, "no module called nobody"));
    CHECK(breaks(load_any, "more than one module"));
    CHECK(breaks(ask_for_no_port, "nobody provides helix.probe in the slot probe"));
    CHECK(breaks(log_two_lines, "a line of the log"));
    CHECK(!breaks(log_one_line, "")); // a program that goes on is none that breaks
    CHECK(breaks(leak, "1 blocks and 0 lent pages are left"));
    CHECK(breaks(lie, "call 1 for memory fails, and the module says"));
    host_begin();
    CHECK(host_load_failing("poor", NULL, false) == 2);
}

// What works
// ------------------------------------------------------------------------------------------------

HX_ATTR(no_thread_safety_analysis) static void test_locks(void) {
    const bool ascends = (uintptr_t)&first < (uintptr_t)&second;
    struct hx_mutex *low = ascends ? &first : &second, *high = ascends ? &second : &first;
    begin();
    hx_mutex_lock(low);
    hx_mutex_lock(high);
    hx_spinlock_acquire(&spin);
    CHECK(host_locks_held() == 3);
    hx_spinlock_release(&spin);
    hx_mutex_unlock(low); // not in the order in which they were taken
    hx_mutex_unlock(high);
    CHECK(host_locks_held() == 0);
}

static void test_life(void) {
    begin();
    CHECK(host_self() == &heard && host_self_test() == HX_OK && host_health() == HX_OK);
    test_status = HX_ERR_IO;
    CHECK(host_self_test() == HX_ERR_IO);
    stop_status = HX_ERR_BUSY;
    CHECK(host_unload() == HX_ERR_BUSY && fini_calls == 0);
    stop_status = HX_OK;
    CHECK(host_unload() == HX_OK && fini_calls == 1);
    init_status = HX_ERR_IO;
    CHECK(host_load_named("probe") == HX_ERR_IO && fini_calls == 1);
    init_status = HX_OK;
    start_status = HX_ERR_NO_DEVICE;
    CHECK(host_load_named("probe") == HX_ERR_NO_DEVICE && fini_calls == 2);
}

static void test_memory(void) {
    begin();
    uint8_t *bytes = hx_alloc(env, 33);
    CHECK((uintptr_t)bytes % 16 == 0 && host.blocks == 1);
    for (uint32_t i = 0; i < 33; i++) {
        CHECK(bytes[i] == 0);
    }
    host_fail_nth(2);
    void *other = hx_alloc(env, 1);
    CHECK(other != NULL && !host.failed && hx_alloc(env, 1) == NULL && host.failed);
    void *third = hx_alloc(env, 1);
    CHECK(third != NULL && host.blocks == 3); // only the one
    hx_free(env, NULL);
    hx_free(env, bytes);
    hx_free(env, third);
    hx_free(env, other);
    CHECK(host.blocks == 0);
    CHECK(hx_alloc(env, 8) != NULL);
    host_begin();
    CHECK(host.blocks == 0); // the module is gone with all it had
}

static void test_ports(void) {
    static const int table;
    begin();
    CHECK(hx_port_provide(env, "helix.other", "probe", &table, env) == HX_ERR_INVALID);
    host_fail_nth(1);
    CHECK(hx_port_provide(env, "helix.probe", "probe", &table, env) == HX_ERR_NO_MEMORY);
    CHECK(host_provided() == 0);
    CHECK(hx_port_provide(env, "helix.probe", "probe", &table, env) == HX_OK);
    CHECK(hx_port_provide(env, "helix.probe", "probe", &table, env) == HX_ERR_EXISTS);
    CHECK(host_provided() == 1 && host_operations("helix.probe", "probe") == &table);
    CHECK(host_instance("helix.probe", "probe") == env);
    CHECK(host_unload() == HX_OK && host_provided() == 0);
}

static uint32_t watched;

static void watch(enum hx_log_level level, const char *line) {
    watched += level == HX_LOG_WARNING && strcmp(line, "2 of these") == 0;
}

static void test_log(void) {
    begin();
    host_log_watch(watch);
    hx_log(env, HX_LOG_WARNING, "%u of these", 2u);
    host_log_watch(NULL);
    hx_log(env, HX_LOG_ERROR, "%s of those", "none");
    CHECK(watched == 1 && host_logged(HX_LOG_WARNING) == 1 && host_logged(HX_LOG_INFO) == 0);
    CHECK(strcmp(host_log_find("of"), "none of those") == 0 && host_log_find("2 of") != NULL);
    for (uint32_t i = 0; i < 64; i++) {
        hx_log(env, HX_LOG_DEBUG, "more");
    }
    CHECK(host_log_find("of") == NULL && host_logged(HX_LOG_DEBUG) == 64);
    host_begin();
    CHECK(host_log_find("more") == NULL && host_logged(HX_LOG_DEBUG) == 0);
}

static void test_machine(void) {
    uint8_t bytes[2][32];
    begin();
    host.cpu_count = 4;
    host.cpu = 3;
    host.time = 1000;
    CHECK(hx_cpu_count() == 4 && hx_cpu_current() == 3 && hx_time_now() == 1000);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(hx_random_fill(env, bytes[i], 32) == HX_OK);
    }
    CHECK(memcmp(bytes[0], bytes[1], 32) != 0);
    host.random_status = HX_ERR_IO;
    CHECK(hx_random_fill(env, bytes[0], 32) == HX_ERR_IO);
    CHECK(hx_entropy_add(env, bytes, 7) == HX_ERR_ACCESS_DENIED); // it did not ask for that
    for (uint32_t i = 0; i < 40; i++) {
        CHECK(hx_entropy_add(NULL, bytes[1], 7) == HX_OK && host.entropy_bytes == 7 * (i + 1));
    }
    CHECK(memcmp(host.entropy, bytes[1], 7) == 0 && memcmp(host.entropy + 7, bytes[1], 7) == 0);
    host_begin();
    CHECK(host.cpu_count == 1 && host.cpu == 0 && host.time == 0 && host.entropy_bytes == 0);
}

// What was committed is there in the next life, and nothing else.
static void test_arena(void) {
    void *found[4];
    uint32_t index = 0;
    begin();
    struct hx_update *update = hx_update_create(env);
    uint32_t *kept = hx_arena_new(update, 1, sizeof(*kept));
    *kept = 7;
    hx_arena_commit(update);
    *(uint32_t *)hx_arena_change(update, kept) = 8;
    CHECK(hx_arena_new(update, 1, 4) != NULL && host.blocks == 0 && imported == 0);
    host_die();
    import_says = HX_ERR_IO;
    CHECK(host_load_named("probe") == HX_ERR_IO && imported == 1); // and is gone
    imported = 0;
    import_says = HX_OK;
    CHECK(host_load_named("probe") == HX_OK && imported == 1);
    imported = 0;
    CHECK(hx_arena_walk(env, &index, found, 4) == 1 && *(uint32_t *)found[0] == 7);
    host_fail_nth(1);
    CHECK(hx_update_create(env) == NULL && host.failed);
    host_begin();
    CHECK(host_load_named("poor") == HX_OK && hx_update_create(env) == NULL); // no arena_version
    begin();
    index = 0;
    CHECK(hx_arena_walk(env, &index, found, 4) == 0 && imported == 0); // another machine
}

// Devices
// ------------------------------------------------------------------------------------------------

static uint32_t chip_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    CHECK(context == registers && window == 1);
    uint32_t value = 0;
    memcpy(&value, (uint8_t *)registers + offset, bytes);
    return value;
}

static void chip_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                       uint32_t value) {
    CHECK(context == registers && window == 1);
    memcpy((uint8_t *)registers + offset, &value, bytes);
}

static uint32_t chip_config(void *context, uint32_t offset) {
    CHECK(context == registers);
    return offset + 1;
}

static struct host_device chip = { .name = "acme,chip",
                                   .is_pci = true,
                                   .message_count = 3,
                                   .window_bytes = { 0, sizeof(registers) },
                                   .read = chip_read,
                                   .write = chip_write,
                                   .config = chip_config,
                                   .context = registers };

static void handler(void *context) {
    heard += *(uint32_t *)context;
}

static void begin_device(void) {
    begin();
    heard = 0;
    chip.is_bound = chip.refuses_dma = false;
    chip.message_count = 3;
    chip.message_lines = 0;
    chip.open_status = chip.irq_status = HX_OK;
    host_device_add(&chip);
    CHECK(hx_device_open(env, "acme,chip", 0, &device) == HX_OK);
}

static void test_open(void) {
    struct hx_device other;
    begin_device();
    CHECK(hx_device_open(env, "acme,chip", 0, &other) == HX_ERR_BUSY);
    CHECK(hx_device_open(env, "acme,chip", 1, &other) == HX_ERR_NOT_FOUND);
    CHECK(hx_device_open(env, "other", 0, &other) == HX_ERR_NOT_FOUND);
    CHECK(hx_device_open(env, "acme", 0, &other) == HX_ERR_ACCESS_DENIED); // not in its manifest
    begin();
    host_device_add(&chip);
    host_fail_nth(1);
    CHECK(hx_device_open(env, "acme,chip", 0, &other) == HX_ERR_NO_MEMORY);
    chip.open_status = HX_ERR_IO;
    CHECK(hx_device_open(env, "acme,chip", 0, &other) == HX_ERR_IO);
    host_begin();
    CHECK(host_load_named("poor") == HX_OK);
    host_device_add(&chip);
    CHECK(hx_device_open(env, "acme,chip", 0, &other) == HX_ERR_ACCESS_DENIED);
    CHECK(hx_irq_register(env, 1, handler, NULL) == HX_ERR_ACCESS_DENIED);
    CHECK(hx_random_fill(env, &other, 1) == HX_ERR_ACCESS_DENIED);
}

static void go_to_registers(void) {
    *(volatile uint32_t *)device.windows[1].registers = 1;
}

static void test_registers(void) {
    begin_device();
    CHECK(device.windows[0].registers == NULL && device.windows[1].size_bytes == sizeof(registers));
    CHECK(breaks(go_to_registers, "SEGV")); // by the calls alone
    hx_device_write(&device, 1, 4, 4, 0x12345678);
    CHECK(hx_device_read(&device, 1, 4, 4) == 0x12345678 &&
          hx_device_read(&device, 1, 6, 2) == 0x1234);
    hx_device_write(&device, 1, 13, 1, 7);
    CHECK(hx_device_read(&device, 1, 13, 1) == 7);
    hx_device_write(&device, 1, 16, 4, 7); // behind the end
    hx_device_write(&device, 1, 6, 4, 7);  // not at a multiple
    hx_device_write(&device, 6, 0, 4, 7);  // no such window
    CHECK(hx_device_read(&device, 1, 16, 4) == UINT32_MAX);
    CHECK(hx_device_read(&device, 1, 2, 4) == UINT32_MAX &&
          hx_device_read(&device, 1, 0, 3) == UINT32_MAX);
    CHECK(hx_device_read32(&device, 0) == UINT32_MAX &&
          hx_device_read8(&device, 0) == 0xff); // window 0
    CHECK(hx_device_is_pci(&device) && hx_device_config(&device, 8) == 9);
    CHECK(hx_device_config(&device, 9) == UINT32_MAX);
}

static uint8_t ports_read(uint16_t port) {
    return (uint8_t)(port + port_value);
}

static void ports_write(uint16_t port, uint8_t value) {
    port_value = (uint8_t)(port + value);
}

static void test_io_ports(void) {
    begin();
    hx_io_port_write8(env, 1, 1);
    CHECK(hx_io_port_read8(env, 1) == 0xff && port_value == 0);
    host_io_ports(ports_read, ports_write);
    hx_io_port_write8(env, 1, 2);
    CHECK(port_value == 3 && hx_io_port_read8(env, 4) == 7);
    hx_io_port_write8(env, 5, 9); // not in its manifest
    hx_io_port_write8(env, 0, 9);
    CHECK(port_value == 3 && hx_io_port_read8(env, 5) == 0xff && hx_io_port_read8(env, 0) == 0xff);
    CHECK(host_unload() == HX_OK && host_load_named("poor") == HX_OK);
    hx_io_port_write8(env, 1, 9);
    CHECK(port_value == 3 && hx_io_port_read8(env, 4) == 0xff);
}

static void test_interrupts(void) {
    static uint32_t one = 1, ten = 10;
    bool is_message = false;
    begin_device();
    CHECK(!host_interrupt(&chip, 0) && !host_isa_interrupt(3));
    CHECK(hx_device_message(env, &device, 1, handler, &ten) ==
          HX_ERR_NOT_SUPPORTED); // not the first
    CHECK(hx_device_irq(env, &device, handler, &one, &is_message) == HX_OK && is_message);
    CHECK(hx_device_message(env, &device, 3, handler, &ten) == HX_ERR_NOT_SUPPORTED);
    host_fail_nth(1);
    CHECK(hx_device_message(env, &device, 2, handler, &ten) == HX_ERR_NO_MEMORY);
    CHECK(hx_device_message(env, &device, 2, handler, &ten) == HX_OK);
    CHECK(hx_device_message(env, &device, 2, handler, &ten) == HX_ERR_BUSY);
    CHECK(host_interrupt(&chip, 0) && host_interrupt(&chip, 2) && !host_interrupt(&chip, 1));
    CHECK(heard == 11);
    chip.message_lines = 1; // as many as it has already
    CHECK(hx_device_message(env, &device, 1, handler, &ten) == HX_ERR_NO_DEVICE);
    CHECK(hx_irq_register(env, 16, handler, &one) == HX_ERR_NO_DEVICE);
    CHECK(hx_irq_register(env, 3, handler, &ten) == HX_OK);
    CHECK(hx_irq_register(env, 3, handler, &ten) == HX_ERR_BUSY);
    CHECK(host_isa_interrupt(3) && heard == 21);
    CHECK(breaks(interrupt_under_lock, "entered with its mutex first held"));
    begin_device();
    chip.message_count = 0;
    chip.irq_status = HX_ERR_BUSY;
    CHECK(hx_device_irq(env, &device, handler, &one, &is_message) == HX_ERR_BUSY);
    chip.irq_status = HX_OK;
    CHECK(hx_device_irq(env, &device, handler, &one, &is_message) == HX_OK && !is_message);
    CHECK(hx_device_message(env, &device, 1, handler, &one) == HX_ERR_NOT_SUPPORTED);
}

// Memory of devices
// ------------------------------------------------------------------------------------------------

static uint64_t address;
static void *dma;

static void free_by_another(void) {
    hx_dma_free(env, &device, dma, address + 1);
}

static void free_as_plain(void) {
    hx_free(env, dma);
}

static void go_behind(void) {
    (void)host_dma_at(&chip, address + PAGE_SIZE, PAGE_SIZE + 1, HX_DMA_READ);
}

static void test_dma_alloc(void) {
    begin_device();
    dma = hx_dma_alloc(env, &device, PAGE_SIZE + 1, &address);
    CHECK(dma != NULL && (uintptr_t)dma % PAGE_SIZE == 0 && address != (uintptr_t)dma);
    CHECK(host.blocks == 1 && host.lent_pages == 2);
    CHECK(host_dma_at(&chip, address + 8, 2 * PAGE_SIZE - 8, HX_DMA_WRITE) == (uint8_t *)dma + 8);
    CHECK(host_dma_find(&chip, address + PAGE_SIZE, PAGE_SIZE + 1, HX_DMA_READ) == NULL);
    CHECK(host_dma_find(&chip, address - 1, 1, HX_DMA_READ) == NULL);
    CHECK(breaks(go_behind, "where it was not let"));
    CHECK(breaks(free_by_another, "by another address") && breaks(free_as_plain, "does not have"));
    CHECK(hx_dma_unmap(env, &device, &address, 1) == HX_ERR_INVALID); // it is no lending
    hx_dma_free(env, &device, dma, address);
    CHECK(host.blocks == 0 && host.lent_pages == 0);
    CHECK(host_dma_find(&chip, address, 1, HX_DMA_READ) == NULL);
    CHECK(hx_dma_alloc(env, &device, 0, &address) == NULL);
    CHECK(hx_dma_alloc(env, &device, ((size_t)128 << 10) + 1, &address) == NULL);
    host_fail_nth(1);
    CHECK(hx_dma_alloc(env, &device, 1, &address) == NULL && host.failed);
    host.dma_left = 1;
    CHECK(hx_dma_alloc(env, &device, 1, &address) != NULL && host.lendings == 0);
    CHECK(hx_dma_alloc(env, &device, 1, &address) == NULL);
}

// What it had is there for its next life, as for anybody.
static void test_death(void) {
    static const int table;
    static uint32_t one = 1;
    begin_device();
    CHECK(hx_alloc(env, 1) != NULL && hx_dma_alloc(env, &device, 1, &address) != NULL);
    CHECK(hx_port_provide(env, "helix.probe", "probe", &table, env) == HX_OK);
    CHECK(hx_device_irq(env, &device, handler, &one, NULL) == HX_OK);
    CHECK(hx_irq_register(env, 3, handler, &one) == HX_OK);
    hx_log(env, HX_LOG_ERROR, "ouch");
    host_die();
    CHECK(fini_calls == 0 && host.blocks == 0 && host.lent_pages == 0 && host_provided() == 0);
    CHECK(!host_interrupt(&chip, 0) && !host_isa_interrupt(3) && heard == 0);
    CHECK(host_log_find("ouch") != NULL);
    CHECK(host_load_named("probe") == HX_OK);
    CHECK(hx_device_open(env, "acme,chip", 0, &device) == HX_OK);
    CHECK(hx_device_irq(env, &device, handler, &one, NULL) == HX_OK);
    CHECK(host_unload() == HX_OK && !chip.is_open);
}

static void test_dma_map(bool is_bound) {
    static alignas(4096) uint8_t pages[2][4096];
    const void *const list[2] = { pages[1], pages[0] };
    uint64_t at[2];
    begin_device();
    chip.is_bound = is_bound;
    CHECK(hx_dma_is_bound(&device) == is_bound);
    CHECK(hx_dma_map(env, &device, list, 2, HX_DMA_READ, at) == HX_OK);
    CHECK((at[1] == at[0] + PAGE_SIZE) == is_bound && host.lent_access == HX_DMA_READ);
    CHECK(host_dma_at(&chip, at[1] + 5, 1, HX_DMA_READ) == pages[0] + 5);
    CHECK(host_dma_find(&chip, at[0], 1, HX_DMA_WRITE) == NULL);            // read alone
    CHECK(host_dma_find(&chip, at[0], PAGE_SIZE + 1, HX_DMA_READ) == NULL); // no neighbours here
    CHECK(hx_dma_unmap(env, &device, &at[1], 1) == HX_ERR_INVALID);         // not its first address
    host.unmap_status = HX_ERR_IO;
    CHECK(hx_dma_unmap(env, &device, at, 1) == HX_ERR_IO && host.lent_pages == 2);
    host.unmap_status = HX_OK;
    chip.is_bound = !is_bound; // what is lent stays where it is
    CHECK(host.lendings == 1 && host_dma_at(&chip, at[1], 1, HX_DMA_READ) == pages[0]);
    chip.is_bound = is_bound;
    CHECK(hx_dma_unmap(env, &device, at, 1) == HX_OK && host.lent_pages == 0);
    CHECK(host.lendings == 0);
    CHECK(hx_dma_map(env, &device, list, 2, 0, at) == HX_ERR_INVALID);
    CHECK(hx_dma_map(env, &device, list, 65, HX_DMA_READ, at) == HX_ERR_INVALID);
    host_fail_nth(1);
    CHECK(hx_dma_map(env, &device, list, 2, HX_DMA_READ, at) == HX_ERR_NO_MEMORY);
    host.map_status = HX_ERR_IO;
    CHECK(hx_dma_map(env, &device, list, 2, HX_DMA_READ, at) == HX_ERR_IO);
    chip.refuses_dma = true;
    CHECK(hx_dma_map(env, &device, list, 2, HX_DMA_READ, at) == HX_ERR_NOT_SUPPORTED);
}

int main(void) {
    test_life();
    test_locks();
    test_memory();
    test_ports();
    test_log();
    test_machine();
    test_arena();
    test_open();
    test_registers();
    test_io_ports();
    test_interrupts();
    test_dma_alloc();
    test_death();
    test_dma_map(false);
    test_dma_map(true);
    test_rules();
    return check_result();
}
