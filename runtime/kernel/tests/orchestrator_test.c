// SPDX-License-Identifier: MIT OR Apache-2.0
// Lives of a module with two slots, and swaps of it, while it dies at every awkward moment: of
// orchestrator.c and swap.c, with the gates of core and stand-ins for what else they call. Whenever
// what a life held is given back, nobody may get into a slot.
#include "../lives.c"
#include "../orchestrator.c"
#include "../supervise.c"
#include "../swap.c"
#include "gates.h"

#include <setjmp.h>

#define SLOTS 2u
#define MOST  10u // deaths

const struct supervise_rule supervise_rule = { 1000000000, 4, 1000000, MOST };

static enum hx_status nothing_to_stop(void *module) {
    (void)module;
    return HX_OK;
}

static enum hx_status self_test(void *module);
static const struct hx_module_ops ops = { .stop = nothing_to_stop, .self_test = self_test };
static const struct hx_module manifest = { .name = "disk", .version = { 1, 0, 0 }, .ops = &ops };
static struct package next = { .manifest = { .version = { 1, 1, 0 }, .ops = &ops } };
static struct hx_env env;
static struct gate *slots[SLOTS];
static jmp_buf waiting;
static enum hx_status init_status;
static uint32_t lives, lost_in, ended, released, resumed, closed, restarted, dropped; // how often
// The thread of its interrupts faults meanwhile, once.
static bool waits_for_process; // who is inside, until that ends
static bool dies_in_init, dies_in_test, dies_when_opened, dies_now;

static void die(void) {
    const struct gate_death death = { time_now(), "fault", "interrupt", 0, 0, true };
    gate_kill_module(env.gate, &death);
}

static void die_if(bool *dies) {
    if (*dies) {
        *dies = false;
        die();
    }
}

static enum hx_status self_test(void *module) {
    (void)module;
    die_if(&dies_in_test);
    return HX_OK;
}

// What they call ----------------------------------------------------------------------------------

enum hx_status module_run(struct hx_env *run) {
    CHECK(run == &env && gate_is_open(env.gate));
    die_if(&dies_in_init);
    lives++;
    for (uint32_t i = 0; i < SLOTS; i++) {
        CHECK(!gate_is_open(slots[i]));
        slots[i]->is_vacant = init_status != HX_OK || (i == 1 && lives == lost_in);
    }
    dies_now = dies_when_opened;
    dies_when_opened = false;
    return init_status;
}

void cpu_barrier(void) {
    die_if(&dies_now);
}

void ledger_release(struct ledger *ledger, bool is_quiet) {
    CHECK(ledger == &env.ledger && is_quiet);
    for (uint32_t i = 0; i < SLOTS; i++) {
        CHECK(!gate_is_open(slots[i]));
    }
    released++;
    CHECK(ended == released);
}

void isolated_kill(const struct hx_env *of) {
    CHECK(of == &env);
    crowded = waits_for_process ? NULL : crowded;
}

// Before anything that it could use is somebody else's.
void isolated_end(struct hx_env *of) {
    CHECK(of == &env);
    ended++;
}

uint64_t ledger_held(struct ledger *ledger) {
    (void)ledger;
    return 0;
}

bool io_devices_end(const char *driver) {
    return driver == env.name;
}

void io_devices_release(const char *driver) {
    CHECK(driver == env.name);
}

void claims_release(const char *driver) {
    CHECK(driver == env.name);
}

void lines_silence(const struct hx_env *silent) {
    CHECK(silent == &env);
}

time_ns_t doom_struck(void) {
    return 0;
}

bool port_is_replaceable(const char *port, bool has_arena) {
    CHECK(has_arena == (env.state != NULL));
    return strcmp(port, "helix.block") == 0;
}

// The module has no arena.
void state_destroy(struct state *state) {
    CHECK(state == NULL);
}

enum hx_status state_copy(struct state *from, struct state **out_copy, uint64_t *out_number) {
    (void)out_copy;
    (void)out_number;
    CHECK(from != NULL);
    return HX_ERR_NO_MEMORY;
}

enum hx_status state_follow(struct state *from, struct state *to, uint64_t *out_number) {
    (void)out_number;
    CHECK(from != NULL && to != NULL);
    return HX_ERR_NO_MEMORY;
}

void port_resume(const struct gate *gate) {
    CHECK(gate->port != NULL);
    resumed++;
}

// Before anything of it is taken away.
void port_drop(const struct gate *gate) {
    CHECK(gate->port != NULL);
    dropped++;
}

void loader_restart(const struct loaded *loaded) {
    CHECK(loaded == &env.package->loaded);
    for (uint32_t i = 0; i < SLOTS; i++) {
        CHECK(!gate_is_open(slots[i]));
    }
    restarted++;
}

void package_close(struct package *package) {
    closed += package != NULL;
}

void trace(enum trace_type type, uint64_t first, uint64_t second) {
    (void)type;
    (void)first;
    (void)second;
}

void *kernel_stack_alloc(size_t size_bytes) {
    (void)size_bytes;
    return &orchestrator; // nobody runs on it
}

void thread_init(struct thread *thread, const char *name, void *stack_low, size_t stack_bytes,
                 void (*entry)(void *argument), void *argument) {
    (void)thread;
    (void)name;
    (void)stack_low;
    (void)stack_bytes;
    (void)entry;
    (void)argument;
}

void thread_set_sched(struct thread *thread, const struct sched_params *params) {
    (void)thread;
    CHECK(params->sched_class == SCHED_CLASS_FIFO);
}

void thread_start(struct thread *thread) {
    (void)thread;
}

// Nothing has changed: the test goes on.
enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    CHECK(object == &deaths && flags == 0);
    if (waitable_sequence(object) == sequence) {
        now = deadline != TIME_NEVER ? MAX_OF(now, deadline) : now;
        longjmp(waiting, 1);
    }
    return HX_OK;
}

// Tests -------------------------------------------------------------------------------------------

static void begin_test(void) {
    const char *name = manifest.name;
    gates_begin();
    CHECK(orchestrator_init() == HX_OK);
    watched_count = 0;
    env = (struct hx_env){ .name = name, .module = &manifest };
    lives = lost_in = ended = released = resumed = closed = restarted = dropped = 0;
    init_status = HX_OK;
    dies_in_init = dies_in_test = dies_when_opened = dies_now = false;
    CHECK(gate_create(name, NULL, name, &env.gate) == HX_OK);
    CHECK(gate_create("vda", "helix.block", name, &slots[0]) == HX_OK);
    CHECK(gate_create("vdb", "helix.block", name, &slots[1]) == HX_OK);
    CHECK(orchestrator_watch(&env) == HX_OK);
}

// The orchestrator has done all that there is for it to do.
static void settle(void) {
    if (setjmp(waiting) == 0) {
        orchestrate(NULL);
    }
}

static bool slots_are_open(void) {
    return gate_is_open(slots[0]) && gate_is_open(slots[1]);
}

static bool slots_are_gone(void) {
    return gate_is_gone(slots[0]) && gate_is_gone(slots[1]) && !slots_are_open();
}

// Whether this and nothing else was told since `number`, which goes on.
static bool are_told(uint64_t *number, const enum module_life_kind *kinds, uint32_t count) {
    struct module_life life;
    bool are = true;
    for (uint32_t i = 0; i < count; i++, ++*number) {
        are = are && life_find(*number, &life) && life.number == *number && life.kind == kinds[i] &&
              strcmp(life.name, "disk") == 0;
    }
    return are && !life_find(*number, &life);
}

static bool reads(const struct gate_death *death, const char *expected) {
    char text[GATE_DEATH_BYTES];
    return strcmp(gate_death_text(death, text, sizeof(text)), expected) == 0;
}

// A place is told where there was one, and none is made up.
static void test_deaths_in_words(void) {
    const struct gate_death placed = { 1, "address", "keep_get", 0x12, 8, true };
    const struct gate_death refusal = { .at = 1, .what = "refusal", .symbol = "no device" };
    const struct gate_death silence = { .at = 1, .what = "no answer" };
    CHECK(reads(&placed, "address at keep_get+0x12, address 0x8"));
    CHECK(reads(&refusal, "refusal (no device)"));
    CHECK(reads(&silence, "no answer"));
}

static void test_told(void) {
    static const enum module_life_kind lived[] = { LIFE_DIED, LIFE_RESTARTED };
    static const enum module_life_kind left[] = { LIFE_DIED, LIFE_GIVEN_UP };
    static const enum module_life_kind back[] = { LIFE_ROLLED_BACK };
    uint64_t number = last_number + 1;
    struct module_life life;
    begin_test();
    die();
    settle();
    CHECK(are_told(&number, lived, 2));
    CHECK(life_find(number - 2, &life) && strncmp(life.text, "fault at interrupt+0x0", 22) == 0);
    module_swap_note(&env, 1, 0);
    CHECK(are_told(&number, NULL, 0));
    module_swap_note(&env, 0, 1);
    CHECK(are_told(&number, back, 1));
    crowded = slots[1];
    die();
    settle();
    CHECK(are_told(&number, left, 2));
    CHECK(life_find(number - 1, &life) &&
          strcmp(life.text, "somebody is inside and does not leave") == 0);
}

// The last ones are kept; a number that is gone gives the oldest.
static void test_kept(void) {
    struct module_life life;
    const uint64_t before = last_number;
    for (uint32_t i = 0; i < 3 * MODULE_LIVES + 7; i++) {
        life_tell("a name that is longer than what there is room for", LIFE_STARTED, "%u", i);
    }
    CHECK(last_number == before + 3 * MODULE_LIVES + 7);
    for (uint64_t number = last_number - MODULE_LIVES + 1; number <= last_number; number++) {
        CHECK(life_find(number, &life) && life.number == number);
    }
    CHECK(strlen(life.name) == sizeof(life.name) - 1);
    CHECK(life_find(0, &life) && life.number == last_number - MODULE_LIVES + 1);
    CHECK(life_find(last_number - MODULE_LIVES, &life) &&
          life.number == last_number - MODULE_LIVES + 1);
    CHECK(!life_find(last_number + 1, &life) && !life_find(UINT64_MAX, &life));
    CHECK(modules_life(last_number, 0, &life) == HX_OK && life.number == last_number);
}

static void test_lives_again(void) {
    begin_test();
    die();
    CHECK(!gate_is_open(slots[0]) && !gate_is_open(slots[1]));
    settle();
    CHECK(slots_are_open() && env.health.state == MODULE_RUNS && resumed == SLOTS);
    CHECK(dropped == SLOTS);
    CHECK(lives == 1 && released == 1 && env.health.deaths == 1 && env.health.restarts == 1);
}

// Its init has registered an interrupt, whose thread faults; init itself returns HX_OK. Its slots
// were dead then, and stay so.
static void test_dies_in_init(void) {
    begin_test();
    dies_in_init = true;
    die();
    settle();
    CHECK(slots_are_open() && env.health.state == MODULE_RUNS && resumed == SLOTS);
    CHECK(lives == 2 && released == 2 && env.health.deaths == 2 && env.health.restarts == 1);
}

// The same a moment later, when the first slot is about to live.
static void test_dies_when_opened(void) {
    begin_test();
    dies_when_opened = true;
    die();
    settle();
    CHECK(slots_are_open() && env.health.state == MODULE_RUNS);
    CHECK(lives == 2 && released == 2 && env.health.deaths == 2 && env.health.restarts == 2);
}

static void test_refuses(void) {
    begin_test();
    init_status = HX_ERR_NO_DEVICE;
    die();
    settle();
    CHECK(slots_are_gone() && env.health.state == MODULE_GONE && env.health.restarts == 0);
    CHECK(lives == MOST && released == MOST + 1 && resumed >= SLOTS);
}

static void test_is_not_left(void) {
    begin_test();
    crowded = slots[1];
    die();
    settle();
    CHECK(slots_are_gone() && env.health.state == MODULE_GONE && lives == 0 && released == 0);
}

// Who is inside waits for a process that has nothing to do with the death.
static void test_is_waited_for(void) {
    begin_test();
    crowded = slots[1];
    waits_for_process = true;
    die();
    settle();
    CHECK(slots_are_open() && env.health.state == MODULE_RUNS && lives == 1 && ended == 1);
    waits_for_process = false;
}

// What was gone once is not there again in a later life: its clients were told.
static void test_slot_gone(void) {
    begin_test();
    lost_in = 1;
    for (uint32_t i = 0; i < 2; i++) {
        die();
        settle();
        CHECK(gate_is_open(slots[0]) && gate_is_dead(slots[1]) && gate_is_gone(slots[1]));
    }
    CHECK(lives == 2 && env.health.restarts == 2);
}

// A module that nobody watches: it is gone when it dies, and its clients are told.
static void test_unwatched(void) {
    struct gate *other;
    const struct gate_death death = { .at = time_now(), .what = "fault", .symbol = "method" };
    begin_test();
    CHECK(gate_create("ttyS9", "helix.console", "other", &other) == HX_OK);
    settle();
    CHECK(resumed == 0);
    const uint32_t sequence = waitable_sequence(&deaths);
    gate_kill_module(other, &death);
    CHECK(gate_is_gone(other) && slots_are_open() && waitable_sequence(&deaths) != sequence);
    settle();
    CHECK(resumed == 1 && lives == 0 && released == 0);
}

static void forget(const struct hx_env *gone) {
    mutex_lock(&lives_lock);
    orchestrator_forget(gone);
    mutex_unlock(&lives_lock);
}

// One that is about to be unloaded dies: that is nobody's business any more, and the others' rows
// stay where they are.
static void test_forgotten(void) {
    struct hx_env other = { .name = "other", .module = &manifest };
    struct module_health health;
    begin_test();
    CHECK(gate_create(other.name, NULL, other.name, &other.gate) == HX_OK);
    CHECK(orchestrator_watch(&other) == HX_OK && module_health_at(1, &health));
    CHECK(module_find("disk") == env.name);
    die();
    forget(&env);
    settle();
    CHECK(lives == 0 && released == 0 && module_find("disk") == NULL);
    CHECK(module_health_at(0, &health) && health.name == other.name);
    CHECK(!module_health_at(1, &health));
    forget(&other);
}

static enum hx_status swap(void) {
    struct package_refusal refusal;
    mutex_lock(&lives_lock);
    enum hx_status status = module_swap(&env, &next, &refusal);
    mutex_unlock(&lives_lock);
    return status;
}

static void test_swap(void) {
    begin_test();
    CHECK(swap() == HX_OK && slots_are_open() && env.module == &next.manifest && released == 1);
    CHECK(env.health.swaps == 1 && env.health.state == MODULE_PROBATION && closed == 0);
    CHECK(restarted == 1);
    settle();
    settle(); // the probation is over
    CHECK(env.health.state == MODULE_RUNS && env.before.module == NULL && env.health.deaths == 0);
}

// The new version's interrupt faults behind its init, or while it tests itself: the old one is
// back, and nobody was in the new one.
static void test_swap_dies(bool *when) {
    begin_test();
    *when = true;
    CHECK(swap() == HX_ERR_PEER_DIED && slots_are_open() && env.module == &manifest);
    settle();
    CHECK(env.health.rollbacks == 1 && env.health.swaps == 0 && env.health.deaths == 0);
    CHECK(lives == 2 && released == 2 && closed == 1 && resumed == SLOTS);
}

// Or when the gates are about to open: then it has died on probation.
static void test_swap_dies_when_opened(void) {
    begin_test();
    dies_when_opened = true;
    CHECK(swap() == HX_OK);
    settle();
    CHECK(slots_are_open() && env.module == &manifest && env.health.state == MODULE_RUNS);
    CHECK(env.health.rollbacks == 1 && env.health.deaths == 1 && env.health.restarts == 1);
    CHECK(lives == 2 && released == 2 && closed == 1);
}

// Given up, it is brought back by another version: its slots live, and its deaths are forgotten.
// One that does not start leaves it as it was.
static void test_swap_gone(void) {
    begin_test();
    init_status = HX_ERR_NO_DEVICE;
    die();
    settle();
    CHECK(slots_are_gone());
    CHECK(swap() == HX_ERR_NO_DEVICE && slots_are_gone() && env.health.state == MODULE_GONE);
    CHECK(env.module == &manifest && closed == 1 && env.health.swaps == 0);
    settle();
    CHECK(slots_are_gone());
    init_status = HX_OK;
    lost_in = lives + 1; // half of it
    CHECK(swap() == HX_ERR_NO_DEVICE && slots_are_gone());
    CHECK(swap() == HX_OK && slots_are_open() && env.module == &next.manifest);
    CHECK(env.health.state == MODULE_RUNS && env.health.swaps == 1 && env.before.module == NULL);
    CHECK(!gate_is_gone(env.gate) && !gate_is_gone(slots[0]) && !gate_is_gone(slots[1]));
    die();
    settle();
    CHECK(slots_are_open() && env.health.state == MODULE_RUNS && !gate_is_gone(slots[0]));
}

// Somebody is still inside: it cannot be brought back.
static void test_swap_crowded(void) {
    begin_test();
    crowded = slots[1];
    die();
    settle();
    CHECK(swap() == HX_ERR_BUSY && slots_are_gone() && lives == 0 && closed == 1);
    crowded = NULL;
    CHECK(swap() == HX_OK && slots_are_open());
}

// Somebody waits for the old one's process in its own gate: it goes, and he comes out.
static void test_swap_waited_for(void) {
    begin_test();
    crowded = env.gate;
    waits_for_process = true;
    CHECK(swap() == HX_OK && slots_are_open() && env.health.state != MODULE_GONE);
    waits_for_process = false;
}

// A slot that was lost is back with a version that provides it.
static void test_swap_lost(void) {
    begin_test();
    lost_in = 1;
    die();
    settle();
    CHECK(gate_is_gone(slots[1]) && gate_is_open(slots[0]));
    lost_in = 2;
    CHECK(swap() == HX_OK && gate_is_gone(slots[1]) && gate_is_open(slots[0]));
    CHECK(swap() == HX_OK && slots_are_open() && !gate_is_gone(slots[1]));
}

int main(void) {
    test_deaths_in_words();
    test_told();
    test_kept();
    test_lives_again();
    test_dies_in_init();
    test_dies_when_opened();
    test_refuses();
    test_is_not_left();
    test_is_waited_for();
    test_slot_gone();
    test_unwatched();
    test_forgotten();
    test_swap();
    test_swap_dies(&dies_in_init);
    test_swap_dies(&dies_in_test);
    test_swap_dies_when_opened();
    test_swap_gone();
    test_swap_crowded();
    test_swap_waited_for();
    test_swap_lost();
    return check_result();
}
