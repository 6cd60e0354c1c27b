// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/watched.c: what happens to modules, as programs hear it: in order, by the call and
// over the event bus; who may not; who is slow.
#include "packages.h"
#include "services.h"

#include <pthread.h>
#include <sys/time.h>

static struct hx_module_life life;

static int64_t next_of(handle_t all, uint64_t number, time_ns_t deadline) {
    memset(&life, 0, sizeof life);
    return NATIVE(module_life, all, number, deadline, &life);
}

// The number of what happens next.
static uint64_t next_number(handle_t all) {
    uint64_t number = 1;
    while (next_of(all, number, 1) == HX_OK) {
        number = life.number + 1;
    }
    return number;
}

// The next one of crumb: others may have lives of their own.
static uint64_t happened(handle_t all, uint64_t number, uint32_t kind, const char *text) {
    do {
        NEED(next_of(all, number, native_after_ms(20000)) == HX_OK);
        SAME(life.number, number);
        number++;
    } while (strcmp((const char *)life.name, "crumb") != 0);
    SAME(life.kind, kind);
    if (strstr((const char *)life.text, text) == NULL) {
        check_fail(__FILE_NAME__, __LINE__, "no '%s' in: %s", text, (const char *)life.text);
    }
    return number;
}

static void without_crumb(void) {
    const int64_t status = unload("crumb");
    NEED(status == HX_OK || status == HX_ERR_NOT_FOUND);
}

static void die(void) {
    char byte;
    const int file = open("/dev/crumb", O_RDONLY);
    NEED(file >= 0);
    strike("kill crumb null 1");
    REFUSED(read(file, &byte, 1), EIO);
    close(file);
}

// A life of everything that can happen.
static void live(void) {
    NEED(load("crumb") == HX_OK);
    die();
    (void)await_life("crumb", 1, "runs");
    NEED(swap("crumb", "crumb_next") == HX_OK);
    die();
    (void)await_life("crumb", 2, "runs");
    NEED(swap("crumb", "turns") == HX_ERR_INVALID);
    read_package("crumb");
    NEED(move_bytes("crumb", HX_MODULE_ISOLATED) == HX_OK);
    NEED(unload("crumb") == HX_OK);
}

static const struct {
    uint32_t kind;
    const char *text;
} lived[] = {
    { HX_LIFE_STARTED, "1.2.3 in the kernel" },
    { HX_LIFE_DIED, ", address 0x" },
    { HX_LIFE_RESTARTED, " us after its death" },
    { HX_LIFE_SWAPPED, "1.3.0 in the kernel" },
    { HX_LIFE_DIED, ", address 0x" },
    { HX_LIFE_ROLLED_BACK, "to 1.2.3" },
    { HX_LIFE_RESTARTED, " us after its death" },
    { HX_LIFE_REFUSED, "swap: turns" },
    { HX_LIFE_MOVED, "1.2.3 in ring 3" },
    { HX_LIFE_UNLOADED, "" },
};
#define LIVED (sizeof lived / sizeof lived[0])

static void in_order(void) {
    const handle_t all = modules();
    without_crumb();
    uint64_t number = next_number(all);
    const time_ns_t before = native_after_ms(0);
    live();
    time_ns_t last = before;
    for (size_t i = 0; i < LIVED; i++) {
        number = happened(all, number, lived[i].kind, lived[i].text);
        CHECK(life.at >= last && life.at <= native_after_ms(0));
        last = life.at;
    }
    SAME(next_of(all, number, 1), HX_ERR_TIMED_OUT);
}

// Also what never was a module is heard of.
static void refused_to_start(void) {
    const handle_t all = modules();
    uint64_t number = next_number(all);
    NEED(load("bad_start") == HX_ERR_NO_SPACE);
    do {
        NEED(next_of(all, number++, native_after_ms(20000)) == HX_OK);
    } while (strcmp((const char *)life.name, "bad_start") != 0);
    SAME(life.kind, HX_LIFE_REFUSED);
    CHECK(strncmp((const char *)life.text, "load: that init refuses: ", 25) == 0);
}

// One that dies too often is given up, and says why.
static void given_up(void) {
    const handle_t all = modules();
    without_crumb();
    const uint64_t number = next_number(all);
    NEED(load("crumb") == HX_OK);
    strike("doom crumb null 1");
    const int file = open("/dev/crumb", O_RDONLY);
    char byte;
    (void)read(file, &byte, 1);
    (void)await_life("crumb", 1, "gone");
    strike("doom crumb null 0");
    close(file);
    uint64_t at = number;
    do {
        NEED(next_of(all, at, native_after_ms(20000)) == HX_OK);
        at = life.number + 1;
    } while (life.kind != HX_LIFE_GIVEN_UP);
    CHECK(strcmp((const char *)life.name, "crumb") == 0);
    CHECK(strcmp((const char *)life.text, "it died too often") == 0);
    SAME(unload("crumb"), HX_OK);
}

// Who waits for what has not happened is woken by it.
static void is_awaited(void) {
    const handle_t all = modules();
    without_crumb();
    const uint64_t number = next_number(all);
    const pid_t child = fork();
    if (child == 0) {
        (void)happened(modules(), number, HX_LIFE_STARTED, "1.2.3");
        _exit(0);
    }
    NEED(load("crumb") == HX_OK);
    SAME(check_wait(child), 0);
    NEED(unload("crumb") == HX_OK);
}

// Whoever is late begins with the oldest one that is kept, and sees by its number what he lost.
static void late(void) {
    const handle_t all = modules();
    without_crumb();
    const uint64_t number = next_number(all);
    read_package("crumb");
    for (int i = 0; i < 80; i++) {
        NEED(load_bytes(package_bytes) == HX_OK && unload("crumb") == HX_OK);
    }
    const uint64_t end = next_number(all);
    CHECK(end >= number + 160);
    SAME(next_of(all, number, 1), HX_OK);
    SAME(life.number, end - 128);
    SAME(next_of(all, life.number, 1), HX_OK);
    SAME(life.number, end - 128);
    SAME(next_of(all, end - 1, 1), HX_OK);
    SAME(life.kind, HX_LIFE_UNLOADED);
    SAME(next_of(all, UINT64_MAX, 1), HX_ERR_TIMED_OUT);
}

// WAIT is what it takes, and nothing else; administrators have it, and who is given it.
static void needs_a_right(void) {
    const handle_t all = modules();
    const handle_t wait = derive(all, HX_RIGHT_WAIT), read = derive(all, HX_RIGHT_READ);
    struct hx_module_info info;
    SAME(next_of(wait, 1, 1), HX_OK);
    SAME(NATIVE(module_info, wait, 0, &info), HX_ERR_ACCESS_DENIED);
    SAME(unload("nobody"), HX_ERR_NOT_FOUND);
    SAME(next_of(read, 1, 1), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_life, wait, 1, 1, 8), HX_ERR_BAD_ADDRESS);
    NEED(setgid(65534) == 0 && setuid(65534) == 0);
    SAME(next_of(modules(), 1, 1), HX_ERR_ACCESS_DENIED);
    SAME(next_of(wait, 1, 1), HX_OK);
    SAME(NATIVE(handle_revoke, wait), HX_ERR_ACCESS_DENIED);
}

static void on_signal(int number) {
    (void)number;
}

static handle_t revoked;

static void *waits(void *ready) {
    struct hx_module_life none;
    NEED(write(*(const int *)ready, "x", 1) == 1);
    SAME(NATIVE(module_life, revoked, UINT64_MAX, TIME_NEVER, &none), HX_ERR_REVOKED);
    return NULL;
}

// A wait ends with its capability, and with a signal.
static void ends(void) {
    const handle_t all = modules();
    pthread_t thread;
    int ready[2];
    char byte;
    revoked = derive(all, HX_RIGHT_WAIT | HX_RIGHT_ADMIN);
    NEED(pipe(ready) == 0 && pthread_create(&thread, NULL, waits, &ready[1]) == 0);
    NEED(read(ready[0], &byte, 1) == 1);
    SAME(NATIVE(handle_revoke, revoked), HX_OK);
    NEED(pthread_join(thread, NULL) == 0);
    const struct sigaction action = { .sa_handler = on_signal };
    const struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
    NEED(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    SAME(next_of(all, UINT64_MAX, TIME_NEVER), HX_ERR_INTERRUPTED);
    NEED(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

// ---- hxmod

static int run(const char *command) {
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void program(void) {
    without_crumb();
    SAME(run("/sbin/hxmod watch >watched & for i in $(seq 200); do grep -q . watched && break; "
             "sleep 0.1; done; /sbin/hxmod load " FOLDER "crumb.hxm && /sbin/hxmod unload crumb && "
             "for i in $(seq 200); do tail -n 1 watched | grep -q 'crumb unloaded' && break; "
             "sleep 0.1; done; kill $!; "
             "tail -n 2 watched | head -n 1 | "
             "grep -qE '^[0-9]+\\.[0-9]{6} crumb started: 1\\.2\\.3 in the kernel$' && "
             "tail -n 1 watched | grep -q ' crumb unloaded: '"),
         0);
}

// ---- the bus

static struct user root;
static struct hx_inlet first, slow;

static handle_t connection(uint32_t may, const char *subscribes, const char *publishes) {
    handle_t handle = 0;
    NEED(bus->connect(root.self, may, subscribes, publishes, &handle) == HX_OK);
    return handle;
}

static struct user listener(struct hx_inlet *inlet, uint32_t slots) {
    handle_t queue = 0;
    struct user user = use(connection(BUS_MAY_SUBSCRIBE, "modules/**", "nothing"), &bus_wire);
    NEED(bus->listen(user.self, slots, false, &queue) == HX_OK);
    NEED(hx_inlet_open(inlet, queue) == HX_OK);
    NEED(bus->subscribe(user.self, "modules/crumb") == HX_OK);
    SAME(bus->subscribe(user.self, "others/**"), HX_ERR_ACCESS_DENIED);
    return user;
}

static handle_t publisher(handle_t end) {
    static const int32_t descriptors[] = { 0, 1, 2 };
    const char *const arguments[] = { "/sbin/hxmod", "publish", NULL };
    handle_t its = 0;
    NEED(hx_spawn(arguments[0], arguments, descriptors, 3, end, &its) == HX_OK);
    return its;
}

// The next event; how many were lost before it.
static uint64_t heard(struct hx_inlet *inlet) {
    struct hx_event event;
    memset(&life, 0, sizeof life);
    enum hx_status status = hx_inlet_next(inlet, &life, sizeof life, hx_after(LONG_NS), &event);
    NEED(status == HX_OK);
    return event.lost;
}

static void hear_next(uint32_t kind, const char *text) {
    SAME(heard(&first), 0);
    SAME(life.kind, kind);
    CHECK(strcmp((const char *)life.name, "crumb") == 0);
    CHECK(strstr((const char *)life.text, text) != NULL);
}

// The first one that it has is from before: all that is kept comes, until this.
static void hear_up_to(uint64_t number) {
    do {
        (void)heard(&first);
    } while (life.number < number);
}

static void over_the_bus(void) {
    const handle_t all = modules();
    without_crumb();
    const handle_t service = start("/sbin/bus", &bus_wire, &root);
    struct user user = listener(&first, 256), late;
    NEED(load("crumb") == HX_OK && unload("crumb") == HX_OK); // the last ones of before
    const uint64_t number = next_number(all);
    const handle_t its = publisher(connection(BUS_MAY_PUBLISH, "nothing", "modules/**"));
    hear_up_to(number - 1);
    live();
    for (size_t i = 0; i < LIVED; i++) {
        hear_next(lived[i].kind, lived[i].text);
    }
    // Who is slow loses what he has no room for, and is told how many; nobody else loses anything.
    late = listener(&slow, 4);
    read_package("crumb");
    for (int i = 0; i < 20; i++) {
        NEED(load_bytes(package_bytes) == HX_OK && unload("crumb") == HX_OK);
    }
    for (int i = 0; i < 20; i++) {
        hear_next(HX_LIFE_STARTED, "1.2.3 in the kernel");
        hear_next(HX_LIFE_UNLOADED, "");
    }
    uint64_t lost = 0, got = 0;
    while (lost + got < 40) {
        lost += heard(&slow);
        got += life.number != 0;
    }
    CHECK(lost > 0 && got > 0); // its slots also carry what a topic is called
    SAME(lost + got, 40);
    hx_client_close(late.client);
    hx_client_close(user.client);
    NEED(NATIVE(process_kill, its) == HX_OK);
    stop(service, &root);
}

// Its scope is what it may publish.
static void only_its_topics(void) {
    const handle_t service = start("/sbin/bus", &bus_wire, &root);
    const handle_t its = publisher(connection(BUS_MAY_PUBLISH, "nothing", "others/**"));
    int32_t status = -1;
    SAME(hx_process_wait(its, hx_after(LONG_NS), &status), HX_OK);
    SAME(status, 1 << 8);
    stop(service, &root);
}

static const struct check_case cases[] = {
    CASE(in_order),     CASE(refused_to_start), CASE(given_up), CASE(is_awaited),
    CASE(late),         CASE(needs_a_right),    CASE(ends),     CASE(program),
    CASE(over_the_bus), CASE(only_its_topics),
};

CHECK_MAIN(cases)
