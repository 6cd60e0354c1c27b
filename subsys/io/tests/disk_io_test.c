// SPDX-License-Identifier: MIT OR Apache-2.0
// Waiting for a disk that is slow, silent, or silent after each reset: of src/disk_io.c, with
// stand-ins for what it calls and a clock that passes while somebody waits.
#include "../src/disk_io.c"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SECOND ((time_ns_t)1000000000)
#define NEVER  INT64_MAX
#define TAKEN  128u

_Atomic uint32_t inject_armed[INJECT_KIND_COUNT];
_Atomic bool hosted_branches[TRACE_PARTS];

uint64_t hosted_direct_base;

static time_ns_t now;
static struct disk disk;
static struct gate gate;
static struct frame frames[LENT_BYTES >> PAGE_SHIFT];
static uint32_t frames_used;
static uint32_t ends; // of the module's devices
static bool is_bound; // by an IOMMU

// The device: it has taken what has these numbers, answers at `answers_at` if it does, says
// something of others each `chatter_ns` until `chatter_end`, and may refuse to be reset.
static struct {
    uint64_t taken[TAKEN];
    uint32_t count, resets, accepts;
    uint64_t bytes, next_page; // of what it took
    bool is_jumbled;
    time_ns_t takes_ns, answers_at, chatter_ns, chatter_end;
    bool refuses_reset, is_gone;
    // Its module: when it dies and when it lives again, whether it dies in the next call, once it
    // has taken all, and how many requests its next life has room for.
    time_ns_t dies_at, lives_at;
    bool dies_in_call, has_died;
    uint32_t room;
} chip;

// What it calls -----------------------------------------------------------------------------------

time_ns_t time_now(void) {
    return now;
}

int64_t hal_gate_call(struct hal_gate *hal, int64_t (*method)(void *argument), void *argument) {
    (void)hal;
    if (gate_is_dead(&gate)) {
        return HX_ERR_PEER_DIED;
    }
    const int64_t result = method(argument);
    const bool has_died = chip.has_died; // in the innermost call
    chip.has_died = false;
    return has_died ? HX_ERR_PEER_DIED : result;
}

enum hx_status gate_call_slow(struct gate *slow, int64_t (*method)(void *argument),
                              void *argument) {
    (void)slow;
    (void)method;
    (void)argument;
    abort();
}

void trace_method(uint32_t port, uint32_t method) {
    (void)port;
    (void)method;
}

void trace_method_end(uint32_t port, uint32_t method, enum hx_status status) {
    (void)port;
    (void)method;
    (void)status;
}

bool inject_draw(enum inject_kind kind) {
    (void)kind;
    return false;
}

void log_write(enum log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

bool io_devices_end(const char *owner) {
    CHECK(strcmp(owner, "virtio_blk") == 0 && gate_is_dead(&gate));
    ends++;
    return is_bound;
}

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return malloc(size_bytes);
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return calloc(1, size_bytes);
}

void heap_free(void *memory) {
    free(memory);
}

struct frame *frame_alloc(enum memory_mode mode, bool zero) {
    (void)mode;
    (void)zero;
    return &frames[frames_used++ % ARRAY_SIZE(frames)];
}

struct frame *frame_of(struct paddr address) {
    return &frames[address.value >> PAGE_SHIFT];
}

struct aspace *aspace_current(void) {
    return NULL;
}

enum hx_status aspace_frames_lend(struct aspace *aspace, struct uaddr base, uint32_t count,
                                  uint32_t access, struct frame **out_frames) {
    (void)aspace;
    CHECK(base.value == PAGE_SIZE && access == ASPACE_WRITE);
    for (uint32_t i = 0; i < count; i++) {
        out_frames[i] = frame_alloc(MEMORY_SLEEP, false);
    }
    return HX_OK;
}

void frame_put(struct frame *frame) {
    (void)frame;
    frames_used--;
}

HX_ATTR(no_thread_safety_analysis) unsigned long spin_lock_irq(struct spinlock *lock) {
    (void)lock;
    return 0;
}

HX_ATTR(no_thread_safety_analysis)
void spin_unlock_irq(struct spinlock *lock, unsigned long irq_state) {
    (void)lock;
    (void)irq_state;
}

HX_ATTR(no_thread_safety_analysis) void mutex_lock(struct mutex *mutex) {
    (void)mutex;
}

HX_ATTR(no_thread_safety_analysis) void mutex_unlock(struct mutex *mutex) {
    (void)mutex;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    atomic_init(&waitable->state, state);
    atomic_init(&waitable->sequence, 0);
}

void waitable_update(struct waitable *waitable, uint32_t clear, uint32_t set) {
    atomic_store(&waitable->state, (atomic_load(&waitable->state) & ~clear) | set);
    waitable_pulse(waitable);
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add(&waitable->sequence, 1);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load(&waitable->sequence);
}

static void end_all(uint32_t outcome) {
    for (uint32_t count = chip.count; count > 0; count--) {
        const struct block_completion done = { .id = chip.taken[count - 1], .outcome = outcome };
        chip.count--;
        disk_events.completed(&disk, &done, 1);
    }
}

static void module_dies(void) {
    atomic_store(&gate.hal.closed, GATE_DEAD);
    chip.count = 0; // and its device was reset
    waitable_pulse(&gate.changed);
}

static void module_lives(void) {
    disk.life++;
    atomic_store(&gate.hal.closed, 0);
    waitable_pulse(&gate.changed);
}

static void chatter(void) {
    const struct block_completion done = { .id = UINT64_MAX, .outcome = BLOCK_DONE };
    disk_events.completed(&disk, &done, 1);
}

static bool is_ready(const struct wait_item *items, uint32_t count) {
    bool is_any = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct waitable *object = items[i].object;
        is_any |= (atomic_load(&object->state) & items[i].mask) != 0;
        is_any |= items[i].use_sequence && waitable_sequence(object) != items[i].sequence;
    }
    return is_any;
}

// Time passes, by seconds.
enum hx_status wait_for(struct wait_item *items, uint32_t count, time_ns_t deadline, uint32_t flags,
                        struct wait_observer *observers) {
    (void)flags;
    (void)observers;
    while (!is_ready(items, count)) {
        if (now >= deadline) {
            return HX_ERR_TIMED_OUT;
        }
        now += SECOND;
        if (now == chip.takes_ns) {
            const struct block_completion nothing = { 0 };
            disk_events.completed(&disk, &nothing, 0);
        }
        if (now == chip.dies_at) {
            module_dies();
        }
        if (now == chip.lives_at) {
            module_lives();
        }
        if (now >= chip.answers_at) {
            end_all(BLOCK_DONE);
        }
        if (chip.chatter_ns != 0 && now % chip.chatter_ns == 0 && now <= chip.chatter_end) {
            chatter();
        }
    }
    return HX_OK;
}

// The module --------------------------------------------------------------------------------------

static enum hx_status chip_read(void *self, const struct block_transfer *transfers, uint32_t count,
                                void *const *pages, uint32_t page_count, uint32_t *out_accepted) {
    (void)self;
    *out_accepted = 0;
    if (chip.is_gone) {
        return HX_ERR_NO_DEVICE;
    }
    for (uint32_t i = 0; i < count && now >= chip.takes_ns && chip.count < chip.room; i++) {
        for (uint32_t j = 0; j < chip.count; j++) {
            CHECK(chip.taken[j] != transfers[i].id); // once in a life
        }
        const size_t page = (uintptr_t)pages[transfers[i].page] >> PAGE_SHIFT;
        chip.is_jumbled |= page != chip.next_page || transfers[i].sector != chip.bytes / 512 ||
                           transfers[i].page + 4 > page_count;
        chip.next_page = page + transfers[i].bytes / PAGE_SIZE;
        chip.bytes += transfers[i].bytes;
        chip.taken[chip.count++ % TAKEN] = transfers[i].id;
        ++*out_accepted;
    }
    chip.accepts++;
    if (chip.dies_in_call) {
        chip.dies_in_call = false;
        chip.has_died = true;
        module_dies();
    }
    return HX_OK;
}

static enum hx_status chip_reset(void *self) {
    (void)self;
    chip.resets++;
    end_all(chip.refuses_reset ? BLOCK_LOST : BLOCK_FAILED);
    return chip.refuses_reset ? HX_ERR_IO : HX_OK;
}

static void setup(void) {
    chip.answers_at = NEVER;
    chip.count = chip.resets = chip.accepts = 0;
    chip.takes_ns = chip.chatter_ns = chip.chatter_end = 0;
    chip.refuses_reset = chip.is_gone = false;
    chip.dies_at = chip.lives_at = 0;
    chip.dies_in_call = chip.has_died = false;
    chip.room = TAKEN;
    atomic_store(&gate.hal.closed, 0);
    disk =
        (struct disk){ .port = { .gate = &gate, .ops = { .read = chip_read, .reset = chip_reset } },
                       .life = 1,
                       .info = { .sectors = 100, .sector_bytes = 512, .transfer_pages = 4 } };
    waitable_init(&disk.room, 0);
    now += 1000 * SECOND; // long after anything was heard
    frames_used = 0;
}

// How long it took, and how it ended.
static time_ns_t read_one(enum hx_status *out_status) {
    const time_ns_t began = now;
    struct disk_io *io = disk_io_create(512, false);
    *out_status = disk_transfer(&disk, io, false, 0, 512);
    disk_io_put(io);
    return now - began;
}

// Tests -------------------------------------------------------------------------------------------

static void test_works(void) {
    enum hx_status status;
    setup();
    chip.answers_at = now + 29 * SECOND;
    CHECK(read_one(&status) == 29 * SECOND && status == HX_OK);
    CHECK(chip.resets == 0 && frames_used == 0);
}

static void test_silent(void) {
    enum hx_status status;
    setup();
    CHECK(read_one(&status) == 30 * SECOND && status == HX_ERR_IO && chip.resets == 1);
    CHECK(!is_dead(&disk) && frames_used == 0);
}

// A request that takes minutes, on a disk that answers others meanwhile.
static void test_slow(void) {
    enum hx_status status;
    setup();
    chip.chatter_ns = 20 * SECOND;
    chip.chatter_end = NEVER;
    chip.answers_at = now + 301 * SECOND;
    CHECK(read_one(&status) == 301 * SECOND && status == HX_OK && chip.resets == 0);
}

// The last that is heard is what the silence begins with.
static void test_falls_silent(void) {
    enum hx_status status;
    setup();
    chip.chatter_ns = 20 * SECOND;
    chip.chatter_end = now + 100 * SECOND;
    CHECK(read_one(&status) == 130 * SECOND && status == HX_ERR_IO && chip.resets == 1);
}

static void test_silent_again(void) {
    enum hx_status status;
    setup();
    for (uint32_t i = 1; i <= DISK_SILENCES; i++) {
        CHECK(read_one(&status) == 30 * SECOND && chip.resets == i && !is_dead(&disk));
    }
    CHECK(read_one(&status) == 30 * SECOND && status == HX_ERR_IO && is_dead(&disk));
    CHECK(chip.resets == DISK_SILENCES + 1); // what it still does must not reach lent pages
    CHECK(read_one(&status) == 0 && status == HX_ERR_IO);
}

// What it does in between counts.
static void test_silent_sometimes(void) {
    enum hx_status status;
    setup();
    for (uint32_t i = 1; i <= 3 * DISK_SILENCES; i++) {
        chip.answers_at = NEVER;
        CHECK(read_one(&status) == 30 * SECOND && status == HX_ERR_IO && chip.resets == i);
        chip.answers_at = now + SECOND;
        CHECK(read_one(&status) == SECOND && status == HX_OK);
    }
}

static void test_refuses_reset(void) {
    enum hx_status status;
    setup();
    chip.refuses_reset = true;
    CHECK(read_one(&status) == 30 * SECOND && status == HX_ERR_IO && is_dead(&disk));
    CHECK(frames_used == 1); // the device may write there for ever
}

static void test_gone(void) {
    enum hx_status status;
    setup();
    chip.is_gone = true;
    CHECK(read_one(&status) == 0 && status == HX_ERR_IO);
}

// The module dies while the device has the page: if that cannot reach it any more, it is anybody's.
static void dies(bool bound) {
    setup();
    is_bound = bound;
    ends = 0;
    atomic_store(&gate.module, "virtio_blk");
    struct disk_io *io = disk_io_create(PAGE_SIZE, false);
    uint64_t id;
    CHECK(io != NULL && slot_take(&disk, io, DISK_READ, &id) && frames_used == 1);
    atomic_store(&gate.hal.closed, GATE_DEAD | GATE_GONE);
    CHECK(!is_alive(&disk) && ends == 1);
    CHECK(atomic_load(&io->outcome) == (bound ? BLOCK_FAILED : BLOCK_LOST));
    disk_io_put(io);
    CHECK(frames_used == (bound ? 0 : 1));
    atomic_store(&gate.hal.closed, 0);
}

// More pages than a call has, in parts that follow each other, under way at once.
static void test_large(void) {
    setup();
    struct disk_io *io = disk_io_lend(uaddr_make(PAGE_SIZE), LENT_BYTES, false);
    CHECK(io != NULL && io->page_count == LENT_BYTES / PAGE_SIZE);
    chip.bytes = chip.next_page = 0;
    chip.is_jumbled = false;
    chip.answers_at = now + SECOND;
    const time_ns_t began = now;
    CHECK(disk_transfer(&disk, io, false, 0, LENT_BYTES) == HX_OK && now - began == SECOND);
    CHECK(chip.bytes == LENT_BYTES && !chip.is_jumbled);
    disk_io_put(io);
    CHECK(frames_used == 0);
}

// The module dies while the device has the request: its next life gets it, and the reader goes on.
static void test_dies_with_it(void) {
    enum hx_status status;
    setup();
    chip.dies_at = now + 3 * SECOND;
    chip.lives_at = now + 5 * SECOND;
    chip.answers_at = now + 8 * SECOND;
    CHECK(read_one(&status) == 8 * SECOND && status == HX_OK);
    CHECK(chip.accepts == 2 && chip.resets == 0 && frames_used == 0);
}

// It dies in the call itself: what it took counts as taken.
static void test_dies_in_call(void) {
    enum hx_status status;
    setup();
    chip.dies_in_call = true;
    chip.lives_at = now + 2 * SECOND;
    chip.answers_at = now + 3 * SECOND;
    CHECK(read_one(&status) == 3 * SECOND && status == HX_OK && chip.accepts == 2);
    CHECK(frames_used == 0);
}

// Nobody is there: the call is made once somebody is.
static void test_comes_while_dead(void) {
    enum hx_status status;
    setup();
    module_dies();
    chip.lives_at = now + 2 * SECOND;
    chip.answers_at = now + 3 * SECOND;
    CHECK(read_one(&status) == 3 * SECOND && status == HX_OK && chip.accepts == 1);
}

// Many parts, a next life that has less room, and one more death in between.
static void test_dies_with_many(void) {
    setup();
    struct disk_io *io = disk_io_lend(uaddr_make(PAGE_SIZE), LENT_BYTES, false);
    CHECK(io != NULL);
    chip.dies_at = now + SECOND;
    chip.lives_at = now + 2 * SECOND;
    chip.room = 7;
    chip.answers_at = now + 4 * SECOND;
    CHECK(disk_transfer(&disk, io, false, 0, LENT_BYTES) == HX_OK);
    disk_io_put(io);
    CHECK(frames_used == 0 && chip.resets == 0);
    for (uint32_t i = 0; i < DISK_SLOTS; i++) {
        CHECK(disk.slots[i].io == NULL);
    }
}

// Who was killed leaves his part to the device; whoever comes next offers it again.
static void test_dies_with_a_dead_readers(void) {
    enum hx_status status;
    setup();
    struct disk_io *io = disk_io_create(PAGE_SIZE, false);
    size_t done = 0;
    CHECK(io != NULL && batch_submit(&disk, io, DISK_READ, 0, PAGE_SIZE, &done) == HX_OK);
    disk_io_put(io);
    module_dies();
    module_lives();
    chip.answers_at = now + SECOND;
    CHECK(read_one(&status) == SECOND && status == HX_OK && frames_used == 0);
    CHECK(chip.accepts == 3);
}

static void submit_one(void) {
    struct disk_io *io = disk_io_create(PAGE_SIZE, false);
    size_t done = 0;
    CHECK(io != NULL && batch_submit(&disk, io, DISK_READ, 0, PAGE_SIZE, &done) == HX_OK);
    disk_io_put(io);
}

// Not in the order of their slots: the first one's is that of the last one.
static void test_offers_in_order(void) {
    setup();
    submit_one();
    submit_one();
    const struct block_completion first = { .id = chip.taken[0], .outcome = BLOCK_DONE };
    disk_events.completed(&disk, &first, 1);
    submit_one();
    const uint64_t second = chip.taken[1];
    const uint64_t third = chip.taken[2];
    CHECK((uint32_t)third < (uint32_t)second);
    module_dies();
    module_lives();
    CHECK(resubmit(&disk) && chip.count == 2);
    CHECK(chip.taken[0] == second && chip.taken[1] == third);
    end_all(BLOCK_DONE);
    CHECK(frames_used == 0);
}

// It takes nothing while it is reset; an event without completions says that it does again.
static void test_back_again(void) {
    enum hx_status status;
    setup();
    chip.takes_ns = now + 5 * SECOND;
    chip.answers_at = now + 8 * SECOND;
    CHECK(read_one(&status) == 8 * SECOND && status == HX_OK);
}

int main(void) {
    for (uint32_t i = 0; i < ARRAY_SIZE(frames); i++) {
        frames[i].number = i;
    }
    test_works();
    test_silent();
    test_slow();
    test_falls_silent();
    test_silent_again();
    test_silent_sometimes();
    test_refuses_reset();
    test_gone();
    dies(false);
    dies(true);
    test_large();
    test_offers_in_order();
    test_back_again();
    test_dies_with_it();
    test_dies_in_call();
    test_comes_while_dead();
    test_dies_with_many();
    test_dies_with_a_dead_readers();
    return check_result();
}
