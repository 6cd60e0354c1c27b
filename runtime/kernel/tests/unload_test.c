// SPDX-License-Identifier: MIT OR Apache-2.0
// Modules that go while somebody is inside: of unload.c, with the gates of core and stand-ins for
// what else it calls. What is forgotten is empty.
#include "../unload.c"
#include "gates.h"

#include <stdlib.h>

static enum hx_status stop(void *self);
static void fini(void *self);
static const struct hx_module_ops ops = { .stop = stop, .fini = fini };
static const struct hx_module manifest = { .name = "crumb", .ops = &ops };
struct mutex lives_lock;
static struct hx_env env;
static struct gate *slot;
static uint32_t stops, ends, stays, leaves, forgotten, unwatched; // how often
static uint32_t put_away, silenced, lines_gone, killed;
static const char *put_away_status;
static bool stays_inside;
static enum hx_status stop_status, leave_status;

static enum hx_status stop(void *self) {
    (void)self;
    stops++;
    crowded = stays_inside ? env.gate : NULL; // a thread of its lines
    return stop_status;
}

static void fini(void *self) {
    (void)self;
    CHECK(silenced == 1);
    ends++;
}

// What it calls ----------------------------------------------------------------------------------

enum hx_status port_leave(struct gate *gate, enum port_leaving step) {
    CHECK(gate == slot);
    leaves += step == PORT_LEAVES;
    stays += step == PORT_STAYS;
    if (step == PORT_LEFT) {
        CHECK(crowded != slot && unwatched == 1 && lines_gone == 1);
        forgotten++;
        gate_release(gate);
    }
    return step == PORT_LEAVES ? leave_status : HX_OK;
}

// Its slots are closed, or dead, and empty.
const char *module_put_away(struct hx_env *away) {
    CHECK(away == &env && crowded == NULL && !gate_is_open(slot) && !gate_is_open(env.gate));
    put_away++;
    return put_away_status;
}

void lines_silence(const struct hx_env *silent) {
    CHECK(silent == &env && crowded == NULL && !gate_is_open(env.gate) && ends == 0);
    silenced++;
}

// Nobody waits at a gate any more.
void lines_forget(const struct hx_env *gone) {
    CHECK(gone == &env && put_away == 1 && gate_is_gone(env.gate) && gate_is_gone(slot));
    lines_gone++;
}

struct gate *module_gate(const struct hx_env *its, uint32_t *inout_index) {
    while (*inout_index < GATES_MAX) {
        struct gate *gate = gate_at((*inout_index)++);
        if (gate != NULL && gate_module(gate) == its->name) {
            return gate;
        }
    }
    return NULL;
}

void module_kill(const struct hx_env *its, const char *what, const char *why) {
    const struct gate_death death = { .at = time_now(), .what = what, .symbol = why };
    gate_kill_module(its->gate, &death);
    killed++;
}

void orchestrator_forget(const struct hx_env *gone) {
    CHECK(gone == &env && crowded != slot && forgotten == 0);
    unwatched++;
}

void cpu_barrier(void) {}

// Nobody comes to a gate of a test that is closed.
enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    (void)object;
    (void)sequence;
    (void)deadline;
    (void)flags;
    abort();
}

// Tests -------------------------------------------------------------------------------------------

static void begin_test(bool runs) {
    const char *name = manifest.name;
    gates_begin();
    env = (struct hx_env){ .name = name, .module = &manifest, .runs = runs };
    stops = ends = stays = leaves = forgotten = unwatched = 0;
    put_away = silenced = lines_gone = killed = 0;
    put_away_status = NULL;
    stays_inside = false;
    stop_status = leave_status = HX_OK;
    CHECK(gate_create(name, NULL, name, &env.gate) == HX_OK);
    CHECK(gate_create("crumb", "helix.char", name, &slot) == HX_OK);
}

static void die(void) {
    const struct gate_death death = { .at = time_now(), .what = "fault", .symbol = "read" };
    gate_kill_module(slot, &death);
}

static enum hx_status let_go(void) {
    struct package_refusal refusal;
    mutex_lock(&lives_lock);
    enum hx_status status = module_let_go(&env, &refusal);
    mutex_unlock(&lives_lock);
    return status;
}

static bool is_as_before(void) {
    return gate_at(slot->hal.number) == slot && forgotten + unwatched == 0 && stays == leaves;
}

static void test_goes(void) {
    begin_test(true);
    CHECK(let_go() == HX_OK && stops == 1 && ends == 1 && forgotten == 1);
    begin_test(false); // it never ran
    CHECK(let_go() == HX_OK && stops == 0 && ends == 0 && forgotten == 1);
    begin_test(true);
    die();
    CHECK(let_go() == HX_OK && stops == 0 && ends == 0 && forgotten == 1);
}

static void test_stays(void) {
    begin_test(true);
    leave_status = HX_ERR_BUSY;
    CHECK(let_go() == HX_ERR_BUSY && forgotten == 0 && gate_is_open(slot));
    begin_test(true);
    stop_status = HX_ERR_WOULD_BLOCK;
    CHECK(let_go() == HX_ERR_BUSY && is_as_before() && gate_is_open(slot) && ends == 0);
}

// Also one that is dead: who was inside when it died has not come out.
static void test_is_not_left(bool is_dead) {
    begin_test(true);
    if (is_dead) {
        die();
    }
    crowded = slot;
    CHECK(let_go() == HX_ERR_BUSY && is_as_before() && gate_is_open(slot) == !is_dead);
    CHECK(stops == 0 && ends == 0);
    crowded = NULL;
    CHECK(let_go() == HX_OK && forgotten == 1 && stops == !is_dead);
}

// It has stopped, but a thread of its interrupts stays inside: the orchestrator is told, since it
// does not work any more.
static void test_half_stopped(void) {
    begin_test(true);
    stays_inside = true;
    CHECK(let_go() == HX_ERR_BUSY && is_as_before() && killed == 1 && gate_is_dead(slot));
    CHECK(ends == 0 && put_away == 0 && silenced == 0);
    crowded = NULL;
    CHECK(let_go() == HX_OK && forgotten == 1 && stops == 1 && ends == 0);
}

// A device that may go on to use memory keeps that, and the module goes.
static void test_loud(void) {
    begin_test(true);
    put_away_status = "a device";
    CHECK(let_go() == HX_OK && forgotten == 1 && put_away == 1 && lines_gone == 1);
}

int main(void) {
    test_half_stopped();
    test_loud();
    test_goes();
    test_stays();
    test_is_not_left(false);
    test_is_not_left(true);
    return check_result();
}
