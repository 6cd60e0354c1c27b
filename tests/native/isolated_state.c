// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/isolated_state.c: what lasts of modules in ring 3: their arenas, which the kernel
// has. keep (tests/modules) tells what is in its arena.
#include "failing.h"
#include "packages.h"

#include <limits.h>
#include <sys/mount.h>

static int64_t move(const char *name, uint32_t placement) {
    read_package(name);
    return move_bytes(name, placement);
}

static bool tell(const char *what) {
    const int file = open("/dev/keep", O_WRONLY);
    const long length = (long)strlen(what);
    NEED(file >= 0);
    const bool is_done = write(file, what, strlen(what)) == length;
    close(file);
    return is_done;
}

static void keeps(unsigned long count, unsigned long sum) {
    char line[64] = "";
    unsigned long counted = 0, summed = 0;
    const int file = open("/dev/keep", O_RDONLY);
    NEED(file >= 0 && read(file, line, sizeof line - 1) > 0);
    close(file);
    NEED(sscanf(line, "%lu %lu", &counted, &summed) == 2);
    SAME(counted, count);
    SAME(summed, sum);
}

static void updates(void) {
    SAME(isolate("keep"), HX_OK);
    keeps(0, 0);
    CHECK(tell("+4"));
    keeps(4, 10);
    CHECK(tell("=3"));
    keeps(4, 22);
    CHECK(tell("-1"));
    keeps(3, 15);
    CHECK(!tell("x")); // nothing of it
    keeps(3, 15);
    CHECK(!tell("l"));
    CHECK(tell("+600"));
    keeps(603, 15 + 600 * 3 + 600 * 601 / 2);
    CHECK(tell("-600"));
    keeps(3, 15);
    SAME(unload("keep"), HX_OK);
    SAME(isolate("keep"), HX_OK); // it went with the module
    keeps(0, 0);
    SAME(unload("keep"), HX_OK);
}

#define STEPS 4096ul

// Of more steps than an update may have, those that were refused were not done.
static void refused_steps(void) {
    SAME(isolate("keep"), HX_OK);
    CHECK(tell("+2"));
    CHECK(tell("m"));
    keeps(2 + STEPS, 3 + STEPS * 2 + STEPS * (STEPS + 1) / 2);
    CHECK(!tell("!"));
    keeps(2 + STEPS, 3 + STEPS * 2 + STEPS * (STEPS + 1) / 2);
    SAME(unload("keep"), HX_OK);
}

// It dies in the middle of an update: that is undone, and the rest is there.
static void dies_in_the_middle(void) {
    SAME(isolate("keep"), HX_OK);
    CHECK(tell("+10"));
    for (unsigned i = 1; i <= 4; i++) {
        CHECK(!tell("!7"));
        keeps(10, 55); // waits for the next life
        const struct life life = await_life("keep", i, "runs");
        SAME(life.restarts, i);
    }
    CHECK(tell("?")); // that no update knows is in that life alone
    keeps(10, 1055);
    CHECK(!tell("!1"));
    keeps(10, 55);
    CHECK(tell("-10"));
    keeps(0, 0);
    SAME(unload("keep"), HX_OK);
}

// The module gives the kernel what is not its own, and ends, and nothing else does.
static void dies_of(const char *ways) {
    CHECK(tell("+10"));
    for (unsigned i = 0; ways[i] != '\0'; i++) {
        const char words[] = { 'f', ways[i], '\0' };
        CHECK(!tell(words));
        keeps(10, 55); // waits for the next life
        SAME(await_life("keep", i + 1, "runs").restarts, i + 1);
    }
    SAME(unload("keep"), HX_OK);
}

static void has_wrong_pointers(void) {
    SAME(load("keep"), HX_OK);
    dies_of("012");
    SAME(load("keep"), HX_OK);
    dies_of("345");
    SAME(load("keep"), HX_OK);
    dies_of("67");
    SAME(isolate("keep"), HX_OK);
    dies_of("01234");
}

static void is_swapped(void) {
    struct hx_module_name name = { "keep" };
    SAME(isolate("keep"), HX_OK);
    CHECK(tell("+300"));
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0) {
            read_package("keep");
        }
        SAME(
            NATIVE(module_swap, modules(), &name, package, i % 2 == 0 ? package_bytes : 0, &report),
            HX_OK);
        keeps(300, 300 * 301 / 2);
        SAME(placement_of("keep"), HX_MODULE_ISOLATED);
    }
    SAME(unload("keep"), HX_OK);
}

#define MOVES 12

// A writer goes on meanwhile; each of its updates is there, in the end, once.
static void moves(void) {
    int told[2];
    unsigned long done = 0;
    char any;
    NEED(load("keep") == HX_OK && pipe(told) == 0);
    CHECK(tell("+20"));
    const pid_t user = fork();
    if (user == 0) {
        close(told[0]);
        for (;;) {
            NEED(tell("=1") && write(told[1], "=", 1) == 1);
        }
    }
    close(told[1]);
    for (int i = 0; i < MOVES; i++) {
        SAME(move("keep", i % 2 == 0 ? HX_MODULE_ISOLATED : 0), HX_OK);
        SAME(placement_of("keep"), i % 2 == 0 ? HX_MODULE_ISOLATED : 1);
        NEED(read(told[0], &any, 1) == 1);
        done++;
    }
    SAME(kill(user, SIGSTOP), 0);
    SAME(kill(user, SIGKILL), 0);
    int status = 0;
    NEED(wait(&status) == user && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(told[0], &any, 1) == 1) {
        done++;
    }
    close(told[0]);
    char line[64] = "";
    unsigned long count = 0, sum = 0;
    const int file = open("/dev/keep", O_RDONLY);
    NEED(file >= 0 && read(file, line, sizeof line - 1) > 0);
    close(file);
    NEED(sscanf(line, "%lu %lu", &count, &sum) == 2);
    SAME(count, 20);
    CHECK(sum == 210 + 20 * done || sum == 210 + 20 * (done + 1)); // the last one told nobody
    CHECK(tell("!3") == false);
    keeps(20, sum);
    SAME(move("keep", HX_MODULE_ISOLATED), HX_OK);
    keeps(20, sum);
    SAME(unload("keep"), HX_OK);
}

static void does_what(const char *letters) {
    struct hx_module_info info;
    char wrong = '?';
    NEED(isolate("hostile") == HX_OK && find("hostile", &info));
    const int file = open("/dev/hostile", O_RDWR);
    NEED(file >= 0);
    SAME(write(file, letters, 1), 1);
    SAME(pread(file, &wrong, 1, 0), 1);
    SAME(wrong, '0');
    close(file);
    struct life life;
    NEED(life_of("hostile", &life) && life.deaths == 0);
}

static void is_refused(void) {
    does_what("c");
    SAME(move("hostile", HX_MODULE_ISOLATED), HX_OK); // what it has committed is right
    SAME(unload("hostile"), HX_OK);
}

static void mounted_begin(void) {
    SAME(isolate("spoilfs"), HX_OK);
    NEED(mount("none", "at", "crumbfs", 0, NULL) == 0 && mkdir("at/sub", 0755) == 0);
    const int file = open("at/sub/f", O_WRONLY | O_CREAT, 0600);
    NEED(file >= 0);
    close(file);
}

static void mounted_end(void) {
    SAME(umount("at"), 0);
    int64_t status;
    while ((status = unload("crumbfs")) == HX_ERR_BUSY) { // until what was unmounted is gone
        usleep(10000);
    }
    SAME(status, HX_OK);
}

// What a file system has damaged there itself (spoilfs) does not come into the kernel with it, nor
// begins another life anywhere: it is gone, with its files. What it has put right does.
static void is_checked(void) {
    static const char damages[] = "lntrscde";
    struct stat about;
    NEED(mkdir("at", 0755) == 0);
    for (size_t i = 0; damages[i] != '\0'; i++) {
        const char path[] = { 'a', 't', '/', 's', 'u', 'b', '/', '!', damages[i], '\0' };
        mounted_begin();
        REFUSED(mkdir(path, 0700), EEXIST);
        read_package(i % 2 == 0 ? "crumbfs" : "spoilfs");
        SAME(move_bytes("crumbfs", i % 2 == 0 ? 0 : HX_MODULE_ISOLATED), HX_ERR_CORRUPT);
        CHECK(says("consistency"));
        await_life("crumbfs", 0, "gone"); // the old version does not begin with that, either
        REFUSED(stat("at/sub/g", &about), EIO);
        mounted_end();
    }
    mounted_begin();
    REFUSED(mkdir("at/sub/!l", 0700), EEXIST);
    REFUSED(mkdir("at/!-", 0700), EEXIST);
    SAME(move("crumbfs", 0), HX_OK);
    SAME(placement_of("crumbfs"), 1);
    SAME(unlink("at/sub/f"), 0);
    SAME(rmdir("at/sub"), 0);
    mounted_end();
    SAME(rmdir("at"), 0);
}

#define MANY 257 // one more than there are updates in ring 3

// What has no room in ring 3 stays in the kernel, with its files.
static void has_too_many(void) {
    char path[32];
    NEED(load("crumbfs") == HX_OK && mkdir("at", 0755) == 0);
    for (int i = 0; i < MANY; i++) {
        NEED(mount("none", "at", "crumbfs", 0, NULL) == 0);
        snprintf(path, sizeof path, "at/%d", i);
        NEED(mkdir(path, 0755) == 0);
    }
    SAME(move("crumbfs", HX_MODULE_ISOLATED), HX_ERR_LIMIT);
    SAME(placement_of("crumbfs"), 1);
    for (int i = MANY - 1; i >= 0; i--) {
        snprintf(path, sizeof path, "at/%d", i);
        SAME(rmdir(path), 0);
        if (i != 0) {
            SAME(umount("at"), 0);
        }
    }
    mounted_end();
    SAME(rmdir("at"), 0);
}

// A quarter of the memory is what it gets; the others have the rest.
static void has_limits(void) {
    long least = LONG_MAX;
    int status = -1;
    const pid_t user = fork();
    if (user == 0) {
        does_what("C");
        _exit(check_failures);
    }
    while (waitpid(user, &status, WNOHANG) == 0) {
        const long left = meminfo_pages("MemFree:");
        least = left < least ? left : least;
    }
    SAME(status, 0);
    if (least < meminfo_pages("MemTotal:") / 2) {
        check_fail(__FILE_NAME__, __LINE__, "%ld pages were left", least);
    }
    SAME(unload("hostile"), HX_OK);
    const long after = meminfo_pages("MemFree:");
    if (after < meminfo_pages("MemTotal:") * 3 / 4) {
        check_fail(__FILE_NAME__, __LINE__, "%ld pages are left", after);
    }
}

// ---- resources

static int64_t all;

static int come_and_go(void) {
    const struct hx_module_name keep = { "keep" };
    int64_t status = NATIVE(module_isolate, all, package, package_bytes, &report);
    if (status != HX_OK) {
        errno = status == HX_ERR_NO_MEMORY || status == HX_ERR_LIMIT ? ENOMEM : EPROTO;
        return -1;
    }
    const int file = open("/dev/keep", O_WRONLY);
    const bool is_done = file >= 0 && write(file, "+3", 2) == 2 && write(file, "-1", 2) == 2;
    const int said = errno;
    if (file >= 0) {
        close(file);
    }
    status = NATIVE(module_swap, all, &keep, 0, 0, &report);
    NEED(NATIVE(module_unload, all, &keep, &report) == HX_OK);
    if (!is_done) {
        errno = said == EIO ? ENOMEM : said; // it has died of having no page
        return -1;
    }
    errno = status == HX_ERR_NO_MEMORY || status == HX_ERR_LIMIT ? ENOMEM : EPROTO;
    return status == HX_OK ? 0 : -1;
}

static void without_memory(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    all = modules();
    NEED(control >= 0);
    read_package("keep");
    exhaust("a module in ring 3 with an arena", come_and_go);
}

static const struct check_case cases[] = {
    CASE(updates),      CASE(refused_steps), CASE(dies_in_the_middle), CASE(has_wrong_pointers),
    CASE(is_swapped),   CASE(moves),         CASE(is_refused),         CASE(is_checked),
    CASE(has_too_many), CASE(has_limits),    CASE(without_memory),
};

CHECK_MAIN(cases)
