// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/isolated.c: modules in ring 3: the packages that run in the kernel, unchanged; how
// they die there; and one that tries what it may not.
#include "failing.h"
#include "packages.h"

#include <limits.h>

static void need_isolated(const char *name) {
    struct hx_module_info info;
    NEED(isolate(name) == HX_OK && find(name, &info));
    CHECK(info.runs == 1 && info.loaded == HX_MODULE_ISOLATED);
}

// One that serves
// ------------------------------------------------------------------------------------------------

static long crumb_count(void) {
    char line[32] = "";
    const int file = open("/dev/crumb", O_RDONLY);
    NEED(file >= 0 && read(file, line, sizeof line - 1) > 0);
    close(file);
    return atol(line);
}

static void serves(void) {
    need_isolated("crumb");
    SAME(crumb_count(), 7);
    static char many[10000];
    const int file = open("/dev/crumb", O_WRONLY);
    NEED(file >= 0);
    SAME(write(file, many, 5), 5);
    SAME(write(file, many, sizeof many), (long)sizeof many);
    SAME(crumb_count(), 7 + 5 + (long)sizeof many);
    SAME(isolate("crumb"), HX_ERR_EXISTS);
    SAME(load("crumb"), HX_ERR_EXISTS);
    SAME(unload("crumb"), HX_ERR_BUSY);
    SAME(write(file, many, 1), 1);
    close(file);
    SAME(unload("crumb"), HX_OK);
    REFUSED(open("/dev/crumb", O_RDONLY), ENOENT);
    SAME(load("crumb"), HX_OK); // the same bytes, in the kernel
    SAME(crumb_count(), 7);
    SAME(unload("crumb"), HX_OK);
}

#define WRITERS 12
#define ROUNDS  100

// More than it has workers at first, and than a slot takes at once.
static void serves_many(void) {
    need_isolated("crumb");
    for (int i = 0; i < WRITERS; i++) {
        if (fork() == 0) {
            const int file = open("/dev/crumb", O_WRONLY);
            for (int round = 0; round < ROUNDS; round++) {
                NEED(write(file, "x", 1) == 1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = -1;
        NEED(wait(&status) > 0 && status == 0);
    }
    SAME(crumb_count(), 7 + WRITERS * ROUNDS);
    SAME(unload("crumb"), HX_OK);
}

// How it ends
// ------------------------------------------------------------------------------------------------

static bool logged(const char *name, const char *what) {
    char said[160];
    snprintf(said, sizeof said, "dmesg | grep -q 'module %s, in ring 3: %s'", name, what);
    return WEXITSTATUS(system(said)) == 0;
}

// It has died so often, each time was followed by another life, and it can go.
static void has_lived_again(const char *name, unsigned deaths) {
    struct hx_module_info info;
    const struct life life = await_life(name, deaths, "runs");
    SAME(life.deaths, deaths);
    SAME(life.restarts, deaths);
    NEED(find(name, &info));
    CHECK(info.runs == 1 && info.loaded == HX_MODULE_ISOLATED);
    SAME(unload(name), HX_OK);
    CHECK(!find(name, &info));
}

static void dies(const char *name) {
    char path[64];
    char many[32] = "";
    need_isolated(name);
    snprintf(path, sizeof path, "/dev/%s", name);
    const int file = open(path, O_WRONLY);
    NEED(file >= 0);
    REFUSED(write(file, many, sizeof many), EIO);
    REFUSED(write(file, many, sizeof many), EIO);
    close(file);
    CHECK(logged(name, ".* at .*+0x[1-9a-f]"));
    has_lived_again(name, 2);
}

// Its code faults where it was told to, in the middle of a call; who has it open goes on with the
// next life.
static void is_doomed_to(const char *kind, const char *why) {
    char words[64], byte;
    need_isolated("crumb");
    const int file = open("/dev/crumb", O_RDONLY);
    NEED(file >= 0);
    snprintf(words, sizeof words, "kill crumb %s 1", kind);
    strike(words);
    REFUSED(pread(file, &byte, 1, 0), EIO);
    SAME(pread(file, &byte, 1, 0), 1);
    close(file);
    if (!logged("crumb", why)) {
        check_fail(__FILE_NAME__, __LINE__, "%s: nothing of '%s' in the log", kind, why);
    }
    has_lived_again("crumb", 1);
    SAME(system("dmesg -c >said"), 0);
}

static void is_doomed(void) {
    static const char *const kinds[][2] = {
        { "null", "address at host+0x[1-9a-f][0-9a-f]\\{1,5\\}, address 0x40$" },
        { "jump", "address at .* address 0x40$" },
        { "copy", "address at .* address 0x" },
        { "undefined", "\\(instruction\\|trap\\) at" },
        { "divide", "[a-z]* at" },
        { "spin", "address at .* address 0x40$" },
        { "overflow", "address at .* 0x3[0-7]" },
        { "assert", "assertion at" },
        { "loop", "no answer" },
    };
    SAME(system("dmesg -c >said"), 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        is_doomed_to(kinds[i][0], kinds[i][1]);
    }
}

// Where else it may be: each call of the SDK from the next on, and in each life.
static void is_doomed_again_and_again(void) {
    char words[64], byte;
    need_isolated("crumb");
    const int file = open("/dev/crumb", O_RDWR);
    NEED(file >= 0);
    for (unsigned nth = 1; nth <= 4; nth++) {
        snprintf(words, sizeof words, "kill crumb undefined %u", nth);
        strike(words);
        for (unsigned i = 1; i < nth; i++) {
            SAME(pread(file, &byte, 1, 0), 1);
        }
        REFUSED(pread(file, &byte, 1, 0), EIO);
        SAME(pread(file, &byte, 1, 0), 1);
    }
    close(file);
    has_lived_again("crumb", 4);
}

static void dies_of_null(void) {
    dies("crust_null");
}
static void code_is_not_written(void) {
    dies("crust_code");
}
static void constants_are_not_written(void) {
    dies("crust_constant");
}
static void data_is_not_run(void) {
    dies("crust_data");
}
static void stacks_are_guarded(void) {
    dies("crust_stack");
}

// /dev/hostile does what the letter says, of which it dies.
static void dies_of(char letter, const char *why) {
    need_isolated("hostile");
    const int file = open("/dev/hostile", O_WRONLY);
    NEED(file >= 0);
    REFUSED(write(file, &letter, 1), EIO);
    SAME(write(file, "-", 1), 1); // a new life, in another process
    close(file);
    if (!logged("hostile", why)) {
        check_fail(__FILE_NAME__, __LINE__, "%c: nothing of '%s' in the log", letter, why);
    }
    has_lived_again("hostile", 1);
}

static void reaches_nothing(void) {
    dies_of('k', "address at .* address 0xffffffffffff0000");
    dies_of('h', "address at");
    dies_of('x', "address at");
}

static void asks_for_more(void) {
    dies_of('l', "a call of the kernel");
    dies_of('n', "a call of the kernel");
    dies_of('u', "a call of the kernel");
}

static void overflows(void) {
    dies_of('o', "address at");
}

static void loops(void) {
    dies_of('s', "no answer");
}

// It dies of a quarter of the memory; the others have the rest.
static void eats_memory(void) {
    long least = LONG_MAX;
    int status = -1;
    need_isolated("hostile");
    const pid_t user = fork();
    if (user == 0) {
        const int file = open("/dev/hostile", O_WRONLY);
        NEED(file >= 0 && write(file, "m", 1) == -1 && errno == EIO);
        _exit(0);
    }
    while (waitpid(user, &status, WNOHANG) == 0) {
        const long left = meminfo_pages("MemFree:");
        least = left < least ? left : least;
    }
    SAME(status, 0);
    CHECK(logged("hostile", "address at"));
    has_lived_again("hostile", 1);
    if (least < meminfo_pages("MemTotal:") / 2) {
        check_fail(__FILE_NAME__, __LINE__, "%ld pages were left", least);
    }
}

// While one loops the others serve, and who waits for it waits no longer than the others.
static void others_go_on(void) {
    need_isolated("hostile");
    need_isolated("crumb");
    if (fork() == 0) {
        const int file = open("/dev/hostile", O_WRONLY);
        NEED(file >= 0 && write(file, "s", 1) == -1 && errno == EIO);
        _exit(0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        SAME(crumb_count(), 7);
    }
    int status = -1;
    NEED(wait(&status) > 0 && status == 0);
    has_lived_again("hostile", 1);
    SAME(unload("crumb"), HX_OK);
}

// Moving
// ------------------------------------------------------------------------------------------------

#define MOVES 20

// Who has it open goes on, also while it moves.
static void moves(void) {
    static const uint32_t placements[] = { HX_MODULE_ISOLATED, 0 };
    char text[8];
    NEED(load("crumb") == HX_OK);
    const int file = open("/dev/crumb", O_RDWR);
    NEED(file >= 0);
    const pid_t user = fork();
    if (user == 0) {
        for (;;) {
            NEED(pread(file, text, sizeof text, 0) == 2 && write(file, text, 0) == 0);
        }
    }
    for (int i = 0; i < MOVES; i++) {
        SAME(move_bytes("crumb", placements[i % 2]), HX_OK);
        SAME(placement_of("crumb"), i % 2 == 0 ? HX_MODULE_ISOLATED : 1);
    }
    struct life life;
    NEED(life_of("crumb", &life));
    CHECK(life.swaps == MOVES && life.rollbacks == 0 && life.deaths == 0);
    SAME(kill(user, SIGKILL), 0);
    int status = 0;
    NEED(wait(&status) == user && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static uint64_t random_word(void) {
    uint64_t word = 0;
    const int file = open("/dev/urandom", O_RDONLY);
    NEED(file >= 0);
    SAME(read(file, &word, sizeof word), (long)sizeof word);
    close(file);
    return word;
}

// One of the image's own, which asks the kernel for random bytes: by its manifest it may.
static void moves_one_of_the_image(void) {
    static uint8_t many[10000];
    const int file = open("/dev/urandom", O_RDONLY);
    NEED(file >= 0);
    read_package("mem");
    SAME(move_bytes("mem", HX_MODULE_ISOLATED), HX_OK);
    SAME(placement_of("mem"), HX_MODULE_ISOLATED);
    const uint64_t first = random_word();
    CHECK(first != random_word());
    SAME(read(file, many, sizeof many), (long)sizeof many); // as it was opened in the kernel
    CHECK(memcmp(many, many + sizeof many / 2, sizeof many / 2) != 0);
    SAME(move_bytes("mem", 0), HX_OK);
    SAME(placement_of("mem"), 1);
    CHECK(random_word() != first);
    close(file);
}

// A swap keeps the placement; what it dies of on probation brings the version before back, there,
// too.
static void stays_where_it_is(void) {
    NEED(isolate("crumb") == HX_OK);
    const int file = open("/dev/crumb", O_RDONLY);
    NEED(file >= 0);
    read_package("crumb_next");
    struct hx_module_name name = { "crumb" };
    SAME(NATIVE(module_swap, modules(), &name, package, package_bytes, &report), HX_OK);
    SAME(placement_of("crumb"), HX_MODULE_ISOLATED);
    SAME(NATIVE(module_swap, modules(), &name, 0, 0, &report), HX_OK); // for itself
    SAME(placement_of("crumb"), HX_MODULE_ISOLATED);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static void does_not_move(void) {
    read_package("turns");
    SAME(move_bytes("nobody", 0), HX_ERR_NOT_FOUND);
    NEED(load("crumb") == HX_OK);
    read_package("turns");
    SAME(move_bytes("crumb", HX_MODULE_ISOLATED), HX_ERR_INVALID); // of another name
    read_package("crumb");
    SAME(move_bytes("crumb", 1), HX_ERR_INVALID);
    SAME(move_bytes("crumb", 3), HX_ERR_INVALID);
    const handle_t weak = derive(modules(), HX_RIGHT_READ);
    const struct hx_module_name name = { "crumb" };
    SAME(NATIVE(module_move, weak, &name, 0, package, package_bytes, &report),
         HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_move, modules(), 8, 0, package, package_bytes, &report), HX_ERR_BAD_ADDRESS);
    SAME(placement_of("crumb"), 1);
    SAME(unload("crumb"), HX_OK);
    struct life life;
    NEED(load("turns") == HX_OK);
    SAME(move_bytes("turns", HX_MODULE_ISOLATED), HX_ERR_NOT_SUPPORTED);
    SAME(placement_of("turns"), 1);
    NEED(life_of("turns", &life) && life.deaths == 0);
    SAME(unload("turns"), HX_OK);
}

// What it is refused
// ------------------------------------------------------------------------------------------------

static void need_right(int file) {
    char wrong = '?';
    SAME(pread(file, &wrong, 1, 0), 1);
    SAME(wrong, '0');
}

static void is_refused(void) {
    need_isolated("hostile");
    const int file = open("/dev/hostile", O_RDWR);
    NEED(file >= 0);
    SAME(write(file, "p", 1), 1);
    need_right(file);
    SAME(write(file, "e", 1), 1);
    need_right(file);
    SAME(write(file, "a", 1), 1);
    need_right(file);
    SAME(WEXITSTATUS(system("dmesg | grep -q 'hostile:  \\[2J   two'")), 0); // no commands
    close(file);
    SAME(unload("hostile"), HX_OK);
}

// An answer that is none is an error of the device's; nobody else notices.
static void answers_nonsense(void) {
    static const char letters[] = "rbg";
    for (const char *letter = letters; *letter != '\0'; letter++) {
        need_isolated("hostile");
        const int file = open("/dev/hostile", O_RDWR);
        NEED(file >= 0);
        REFUSED(write(file, letter, 1), EIO);
        for (int i = 0; i < 10; i++) { // whatever else comes of it
            char any;
            const ssize_t length = pread(file, &any, 1, 0);
            if (length != 1 && !(length == -1 && errno == EIO)) {
                check_fail(__FILE_NAME__, __LINE__, "%c: read gives %zd, errno %d", *letter, length,
                           errno);
            }
        }
        close(file);
        SAME(unload("hostile"), HX_OK);
    }
}

static void refused_for_what_it_is(void) {
    SAME(isolate("turns"), HX_ERR_NOT_SUPPORTED); // helix.sched is for the kernel alone
    SAME(isolate("bad_start"), HX_ERR_NO_SPACE);
    SAME(isolate("bad_fault"), HX_ERR_PEER_DIED);
    SAME(isolate("bad_port"), HX_ERR_BAD_IMAGE);
    SAME(isolate("bad_sdk"), HX_ERR_NOT_SUPPORTED);
    CHECK(says("expected a module for SDK"));
    SAME(isolate("bad_import"), HX_ERR_NOT_FOUND);
    CHECK(says("expected functions of the SDK, found 'frame_alloc'"));
    SAME(isolate("bad_need"), HX_ERR_NOT_FOUND);
    read_package("crumb");
    package[package_bytes - 1] ^= 1;
    SAME(isolate_bytes(), HX_ERR_CORRUPT);
    const handle_t weak = derive(modules(), HX_RIGHT_READ);
    read_package("crumb");
    SAME(NATIVE(module_isolate, weak, package, package_bytes, &report), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_isolate, modules(), 8, package_bytes, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_isolate, modules(), package, 0, &report), HX_ERR_TOO_BIG);
}

// Resources
// ------------------------------------------------------------------------------------------------

static int come_and_go(void) {
    const struct hx_module_name crumb = { "crumb" };
    const int64_t all = NATIVE(module_all);
    if (all < 0) {
        errno = ENOMEM;
        return -1;
    }
    int64_t status = NATIVE(module_isolate, all, package, package_bytes, &report);
    if (status == HX_OK) {
        status = NATIVE(module_unload, all, &crumb, &report);
    }
    NATIVE(handle_close, all);
    errno = status == HX_ERR_NO_MEMORY || status == HX_ERR_LIMIT ? ENOMEM : EPROTO;
    return status == HX_OK ? 0 : -1;
}

static void without_memory(void) {
    struct hx_module_info info;
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    read_package("crumb");
    exhaust("a module in ring 3", come_and_go);
    CHECK(!find("crumb", &info));
}

#define COMINGS       100
#define COMINGS_LEAST 20 // what a machine does in 15 s that has others to serve

// A life takes some hundred pages.
static void leaves_nothing(void) {
    read_package("crumb");
    for (int i = 0; i < 10; i++) { // caches are as full as they get
        SAME(come_and_go(), 0);
    }
    const long before = meminfo_pages("MemFree:");
    const time_ns_t end = native_after_ms(15000);
    for (int i = 0; i < COMINGS && (i < COMINGS_LEAST || native_after_ms(0) < end); i++) {
        SAME(come_and_go(), 0);
    }
    const long after = meminfo_pages("MemFree:");
    if (after < before - 150) { // what caches keep
        check_fail(__FILE_NAME__, __LINE__, "%ld pages less than before", before - after);
    }
}

static void program(void) {
    SAME(WEXITSTATUS(system("/sbin/hxmod load --isolated " FOLDER "crumb.hxm && "
                            "/sbin/hxmod list | grep -q 'crumb .* ring 3' && "
                            "/sbin/hxmod info crumb | grep -qx 'placed ring 3' && "
                            "/sbin/hxmod unload crumb")),
         0);
    SAME(WEXITSTATUS(system("/sbin/hxmod load " FOLDER "crumb.hxm && "
                            "/sbin/hxmod move crumb isolated && "
                            "/sbin/hxmod info crumb | grep -qx 'placed ring 3' && "
                            "/sbin/hxmod move crumb kernel " FOLDER "crumb.hxm && "
                            "/sbin/hxmod info crumb | grep -qx 'placed kernel' && "
                            "/sbin/hxmod unload crumb")),
         0);
    SAME(WEXITSTATUS(system("/sbin/hxmod move crumb elsewhere 2>said; test $? = 2")), 0);
    SAME(WEXITSTATUS(system("/sbin/hxmod load --isolated 2>said; test $? = 2")), 0);
    SAME(WEXITSTATUS(system("/sbin/hxmod load --isolated nothing 2>said; test $? = 1")), 0);
}

static const struct check_case cases[] = {
    CASE(serves),
    CASE(serves_many),
    CASE(is_doomed),
    CASE(is_doomed_again_and_again),
    CASE(dies_of_null),
    CASE(code_is_not_written),
    CASE(constants_are_not_written),
    CASE(data_is_not_run),
    CASE(stacks_are_guarded),
    CASE(reaches_nothing),
    CASE(asks_for_more),
    CASE(overflows),
    CASE(loops),
    CASE(eats_memory),
    CASE(others_go_on),
    CASE(moves),
    CASE(moves_one_of_the_image),
    CASE(stays_where_it_is),
    CASE(does_not_move),
    CASE(is_refused),
    CASE(answers_nonsense),
    CASE(refused_for_what_it_is),
    CASE(without_memory),
    CASE(leaves_nothing),
    CASE(program),
};

CHECK_MAIN(cases)
