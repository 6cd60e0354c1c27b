// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/modules.c: packages: one that is loaded and serves, those that are refused, and who
// may do it at all. What is loaded stays for the cases behind.
#include "failing.h"
#include "packages.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <termios.h>

// What is in the image
// ------------------------------------------------------------------------------------------------

static int64_t check(struct hx_module_info *out_info) {
    memset(&report, 0, sizeof report);
    return NATIVE(module_check, modules(), package, package_bytes, out_info, &report);
}

static void listed(void) {
    struct hx_module_info info;
    const handle_t all = modules();
    uint32_t count = 0;
    while (NATIVE(module_info, all, count, &info) == HX_OK) {
        CHECK(info.name[0] != '\0');
        count++;
    }
    CHECK(count > 4);
    SAME(NATIVE(module_info, all, count, &info), HX_ERR_NOT_FOUND);
    SAME(NATIVE(module_info, all, (uint64_t)UINT32_MAX, &info), HX_ERR_NOT_FOUND);
    NEED(find("ramfs", &info));
    CHECK(info.runs == 1 && info.loaded == 0 && info.memory == 0);
    CHECK(strcmp((const char *)info.ports, "provides helix.fs 1.1\nprovides helix.fs 1.0\n") == 0);
    CHECK(!find("crumbs", &info));
}

// Every module of this kernel is also a package that it would load; those that are there already
// are not loaded twice.
static void packages_of_the_image(void) {
    static const char *const names[] = { "ramfs",      "rr",         "mem",
                                         "virtio_rng", "virtio_blk", "virtio_console" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct hx_module_info info, image;
        read_package(names[i]);
        SAME(check(&info), HX_OK);
        CHECK(report.text[0] == '\0' && info.runs == 0 && info.loaded == 1 && info.memory != 0);
        NEED(find(names[i], &image));
        CHECK(strcmp((const char *)info.name, names[i]) == 0);
        CHECK(memcmp(info.ports, image.ports, sizeof info.ports) == 0);
        CHECK(info.capabilities == image.capabilities);
        SAME(load_bytes(package_bytes), HX_ERR_EXISTS);
        CHECK(says("expected a module that is not there yet"));
    }
}

// One that is loaded
// ------------------------------------------------------------------------------------------------

static long crumb_count(void) {
    char line[32] = "";
    const int file = open("/dev/crumb", O_RDONLY);
    NEED(file >= 0 && read(file, line, sizeof line - 1) > 0);
    close(file);
    return atol(line);
}

static void need_crumb(void) {
    const int64_t status = load("crumb");
    NEED(status == HX_OK || status == HX_ERR_EXISTS);
}

#define PORTS "provides helix.char 1.1\nprovides helix.char 1.0\nprovides helix.crumb 1.0\n"

static void serves(void) {
    struct hx_module_info info;
    need_crumb();
    NEED(find("crumb", &info));
    CHECK(info.runs == 1 && info.loaded == 1 && info.memory >= 4 * 4096);
    CHECK(info.version[0] == 1 && info.version[1] == 2 && info.version[2] == 3);
    CHECK(strcmp((const char *)info.ports, PORTS) == 0);
    const long before = crumb_count();
    CHECK(before >= 7);
    const int file = open("/dev/crumb", O_WRONLY);
    NEED(file >= 0);
    SAME(write(file, "12345", 5), 5);
    SAME(crumb_count(), before + 5);
    close(file);
    SAME(load("crumb"), HX_ERR_EXISTS);
    SAME(crumb_count(), before + 5);
}

#define ROUNDS 200

// Processors that are in it at once.
static void serves_many(void) {
    need_crumb();
    const long before = crumb_count();
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            const int file = open("/dev/crumb", O_WRONLY);
            for (int round = 0; round < ROUNDS; round++) {
                NEED(write(file, "x", 1) == 1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status = -1;
        NEED(wait(&status) > 0 && status == 0);
    }
    SAME(crumb_count(), before + 4 * ROUNDS);
}

// A module that was loaded dies as those of the image do: who called it is told, nobody else; the
// next call goes to its next life.
static void dies(const char *name) {
    char path[64];
    char many[32] = ""; // reaches over the guard of crust_stack, and not far
    NEED(load(name) == HX_OK);
    snprintf(path, sizeof path, "/dev/%s", name);
    const int file = open(path, O_WRONLY);
    NEED(file >= 0);
    REFUSED(write(file, many, sizeof many), EIO);
    REFUSED(write(file, many, sizeof many), EIO);
    close(file);
    SAME(await_life(name, 2, "runs").restarts, 2);
    char said[128]; // where: the module's name stands for a symbol
    snprintf(said, sizeof said, "dmesg | grep -q 'slot %s: .* at %s+0x[1-9a-f]'", name, name);
    SAME(WEXITSTATUS(system(said)), 0);
    need_crumb();
    CHECK(crumb_count() >= 7);
    struct hx_module_info info;
    SAME(unload(name), HX_OK);
    CHECK(!find(name, &info));
    REFUSED(open(path, O_WRONLY), ENOENT);
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

// Unloading
// ------------------------------------------------------------------------------------------------

static void comes_and_goes(void) {
    struct hx_module_info info;
    need_crumb();
    const int file = open("/dev/crumb", O_RDWR);
    NEED(file >= 0);
    SAME(unload("crumb"), HX_ERR_BUSY);
    CHECK(says("expected that slot crumb has no clients"));
    SAME(write(file, "1234567", 7), 7); // it goes on
    const int second = open("/dev/crumb", O_RDWR);
    NEED(second >= 0);
    close(file);
    SAME(unload("crumb"), HX_ERR_BUSY);
    close(second);
    SAME(unload("crumb"), HX_OK);
    CHECK(!find("crumb", &info));
    REFUSED(open("/dev/crumb", O_RDONLY), ENOENT);
    SAME(unload("crumb"), HX_ERR_NOT_FOUND);
    CHECK(says("found no module of that name"));
    SAME(load("crumb"), HX_OK);
    SAME(crumb_count(), 7); // its data is new
}

// A node that a program has made shows the device while it is there.
static void nodes_of_others(void) {
    need_crumb();
    unlink("own");
    NEED(mknod("own", S_IFCHR | 0600, makedev(240, 0)) == 0);
    SAME(closed(open("own", O_RDONLY)), 0);
    NEED(unlink("/dev/crumb") == 0 && closed(open("/dev/crumb", O_CREAT | O_WRONLY, 0600)) == 0);
    SAME(unload("crumb"), HX_OK);
    REFUSED(open("own", O_RDONLY), ENXIO);
    SAME(unlink("/dev/crumb"), 0); // it was not the module's
    SAME(load("crumb"), HX_OK);
    SAME(closed(open("own", O_RDONLY)), 0);
}

static void who_stays(void) {
    struct hx_module_info info;
    SAME(unload("ramfs"), HX_ERR_NOT_PERMITTED);
    CHECK(says("found one of the image"));
    SAME(unload(""), HX_ERR_NOT_FOUND);
    const int64_t status = load("crumb_stays");
    CHECK(status == HX_OK || status == HX_ERR_EXISTS);
    SAME(unload("crumb_stays"), HX_ERR_BUSY);
    CHECK(says("expected that it stops, found: not ready"));
    NEED(find("crumb_stays", &info));
    SAME(info.runs, 1);
    char byte;
    const int file = open("/dev/crumb_stays", O_RDONLY);
    NEED(file >= 0);
    SAME(read(file, &byte, 1), 0); // it is called as before
    close(file);
    const handle_t weak = derive(modules(), HX_RIGHT_READ);
    const struct hx_module_name crumb = { "crumb" };
    need_crumb();
    SAME(NATIVE(module_unload, weak, &crumb, &report), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_unload, modules(), 8, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_unload, modules(), &(struct hx_module_name){ "nobody" }, 8),
         HX_ERR_BAD_ADDRESS);
    struct hx_module_name endless;
    memset(&endless, 'x', sizeof endless);
    SAME(NATIVE(module_unload, modules(), &endless, &report), HX_ERR_NOT_FOUND);
    CHECK(crumb_count() >= 7);
}

static void needed_by_another(void) {
    need_crumb();
    SAME(unload("crumb"), HX_OK);
    SAME(load("crumb_user"), HX_ERR_NOT_FOUND);
    CHECK(says("expected a provider of helix.crumb 1.0"));
    need_crumb();
    SAME(load("crumb_user"), HX_OK);
    SAME(unload("crumb"), HX_ERR_BUSY);
    CHECK(says("expected that nobody needs it, found crumb_user"));
    SAME(unload("crumb_user"), HX_OK);
    SAME(unload("crumb"), HX_OK);
}

// What was unmounted is gone a little later.
static int64_t unload_unmounted(const char *name) {
    int64_t status;
    const time_ns_t end = native_after_ms(20000);
    do {
        status = unload(name);
    } while (status == HX_ERR_BUSY && native_after_ms(0) < end);
    return status;
}

static void file_system(void) {
    NEED(load("crumbfs") == HX_OK);
    NEED(mkdir("at", 0755) == 0);
    NEED(mount("none", "at", "crumbfs", 0, NULL) == 0);
    const int file = open("at/file", O_CREAT | O_RDWR, 0600);
    NEED(file >= 0);
    char text[6] = "";
    SAME(write(file, "crumbs", 6), 6);
    SAME(pread(file, text, 6, 0), 6);
    CHECK(memcmp(text, "crumbs", 6) == 0);
    SAME(unload("crumbfs"), HX_ERR_BUSY);
    CHECK(says("expected that slot crumbfs has no clients"));
    NEED(umount2("at", MNT_DETACH) == 0);
    SAME(unload("crumbfs"), HX_ERR_BUSY); // the file is open
    SAME(pread(file, text, 6, 0), 6);
    close(file);
    SAME(unload_unmounted("crumbfs"), HX_OK);
    REFUSED(mount("none", "at", "crumbfs", 0, NULL), ENODEV);
    NEED(load("crumbfs") == HX_OK && mount("none", "at", "crumbfs", 0, NULL) == 0);
    REFUSED(open("at/file", O_RDONLY), ENOENT);
    NEED(umount("at") == 0);
    SAME(unload_unmounted("crumbfs"), HX_OK);
}

#define COMINGS       1000
#define COMINGS_LEAST 200 // what a machine does in 30 s that has others to serve

// Each time it is loaded it takes 5 pages, a gate, a node and some pieces of the heap.
static void leaves_nothing(void) {
    long before = 0;
    int count = 0;
    const time_ns_t end = native_after_ms(30000);
    unload("crumb");
    read_package("crumb");
    for (int i = 0; i < 100; i++) { // caches are as full as they get
        NEED(load_bytes(package_bytes) == HX_OK && unload("crumb") == HX_OK);
    }
    before = meminfo_pages("MemFree:");
    for (; count < COMINGS && (count < COMINGS_LEAST || native_after_ms(0) < end); count++) {
        NEED(load_bytes(package_bytes) == HX_OK && unload("crumb") == HX_OK);
    }
    const long after = meminfo_pages("MemFree:");
    if (after < before - 250) { // what caches keep
        check_fail(__FILE_NAME__, __LINE__, "%ld pages less than before %d times", before - after,
                   count);
    }
}

// While it comes and goes, others open it: they have it, or they do not.
static void while_others_open(void) {
    _Atomic bool *over =
        mmap(NULL, sizeof *over, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(over != MAP_FAILED);
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            while (!atomic_load(over)) {
                char text[16] = "";
                const int file = open("/dev/crumb", O_RDONLY);
                const int error = errno;
                NEED(file >= 0 || error == ENOENT || error == ENXIO);
                NEED(file < 0 || read(file, text, sizeof text) == 2);
                close(file);
            }
            _exit(0);
        }
    }
    for (uint32_t gone = 0; gone < 10;) {
        const int64_t status = load("crumb");
        NEED(status == HX_OK || status == HX_ERR_EXISTS);
        gone += unload("crumb") == HX_OK;
    }
    atomic_store(over, true);
    for (int i = 0; i < 3; i++) {
        int status = -1;
        NEED(wait(&status) > 0 && status == 0);
    }
}

// Refusals
// ------------------------------------------------------------------------------------------------

static void not_a_package(void) {
    memset(package, 'x', sizeof package);
    SAME(load_bytes(4096), HX_ERR_BAD_IMAGE);
    CHECK(says("found something else"));
    SAME(load_bytes(1), HX_ERR_BAD_IMAGE);
    SAME(load_bytes(0), HX_ERR_TOO_BIG);
    CHECK(says("expected 1 to 1048576 bytes, found 0"));
    SAME(load_bytes(MOST_BYTES + 1), HX_ERR_TOO_BIG);
    SAME(load_bytes(SIZE_MAX), HX_ERR_TOO_BIG);
}

static int run(const char *command) {
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void not_signed(void) {
    read_package("mem");
    SAME(load_bytes(package_bytes - 112), HX_ERR_NOT_PERMITTED); // as the linker made it
    CHECK(says("not signed, or cut off"));
    SAME(load_bytes(package_bytes - 1), HX_ERR_NOT_PERMITTED);
    package[package_bytes - 90] ^= 1; // who has signed it
    SAME(run("dmesg -c >said"), 0);
    SAME(load_bytes(package_bytes), HX_ERR_NOT_PERMITTED);
    CHECK(says("expected a signature by key"));
    SAME(run("dmesg | grep -q 'a package is not loaded: expected a signature by key'"), 0);
    package[package_bytes - 90] ^= 1;
    package[package_bytes - 1] ^= 1;
    SAME(load_bytes(package_bytes), HX_ERR_CORRUPT);
    package[package_bytes - 1] ^= 1;
    for (size_t at = 5; at < package_bytes - 112; at += 1009) {
        package[at] ^= 0x40;
        SAME(load_bytes(package_bytes), HX_ERR_CORRUPT);
        CHECK(says("expected the bytes that were signed"));
        package[at] ^= 0x40;
    }
    SAME(load_bytes(package_bytes), HX_ERR_EXISTS); // it is good again
}

static void bad(const char *name, int64_t status, const char *why) {
    struct hx_module_info info;
    SAME(load(name), status);
    CHECK(says(why));
    CHECK(!find(name, &info));
}

static void refused_for_what_it_is(void) {
    bad("bad_sdk", HX_ERR_NOT_SUPPORTED, "expected a module for SDK");
    bad("bad_import", HX_ERR_NOT_FOUND, "expected functions of the SDK, found 'frame_alloc'");
    bad("bad_need", HX_ERR_NOT_FOUND, "expected a provider of helix.nothing 1.2");
    bad("bad_name", HX_ERR_BAD_IMAGE, "expected a manifest with a name");
    bad("bad_two", HX_ERR_BAD_IMAGE, "expected one manifest, found 2");
}

static void refused_for_what_it_does(void) {
    for (int i = 0; i < 100; i++) { // each leaves its place
        bad("bad_start", HX_ERR_NO_SPACE, "found that init refuses: no space left");
        bad("bad_fault", HX_ERR_PEER_DIED, "found that it died in init: address at bad_fault+0x");
        bad("bad_port", HX_ERR_BAD_IMAGE, "found that init refuses: ");
    }
}

// They hold up loading for as long as a call may run, and no longer.
static void never_comes_back(void) {
    bad("bad_loop", HX_ERR_PEER_DIED, "found that it died in init: loop at bad_loop+0x");
    SAME(load("bad_end"), HX_OK);
    SAME(unload("bad_end"), HX_OK);
    SAME(load("bad_end"), HX_OK);
    SAME(unload("bad_end"), HX_OK);
}

static void bad_addresses(void) {
    const handle_t all = modules();
    struct hx_module_info info;
    read_package("mem");
    SAME(NATIVE(module_load, all, 8, 4096, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_load, all, -4096ll, 4096, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_load, all, package, 4096, 8), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_check, all, package, package_bytes, 8, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_check, all, 8, package_bytes, &info, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_info, all, 0, 8), HX_ERR_BAD_ADDRESS);
}

// Authority
// ------------------------------------------------------------------------------------------------

static void needs_a_right(void) {
    struct hx_module_info info;
    const handle_t weak = derive(modules(), HX_RIGHT_READ);
    const handle_t none = derive(modules(), HX_RIGHT_DELEGATE);
    const handle_t event = event_new();
    read_package("crumb");
    SAME(NATIVE(module_load, weak, package, package_bytes, &report), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_check, weak, package, package_bytes, &info, &report), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_info, weak, 0, &info), HX_OK);
    SAME(NATIVE(module_info, none, 0, &info), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_load, event, package, package_bytes, &report), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(handle_revoke, modules()), HX_OK); // its own; others go on
    SAME(NATIVE(module_info, weak, 0, &info), HX_OK);
    struct hx_handle_info seen;
    SAME(NATIVE(handle_info, weak, &seen), HX_OK);
    SAME(seen.object, HX_OBJECT_MODULE);
}

static void revoked(void) {
    struct hx_module_info info;
    const handle_t lent = derive(modules(), HX_RIGHTS_ALL);
    const handle_t theirs = derive(lent, HX_RIGHTS_ALL);
    read_package("crumb");
    SAME(NATIVE(module_info, theirs, 0, &info), HX_OK);
    SAME(NATIVE(handle_revoke, lent), HX_OK);
    SAME(NATIVE(module_info, theirs, 0, &info), HX_ERR_REVOKED);
    SAME(NATIVE(module_load, theirs, package, package_bytes, &report), HX_ERR_REVOKED);
}

static void only_for_administrators(void) {
    struct hx_module_info info;
    read_package("crumb");
    NEED(setgid(65534) == 0 && setuid(65534) == 0);
    SAME(NATIVE(module_info, modules(), 0, &info), HX_OK);
    SAME(load_bytes(package_bytes), HX_ERR_ACCESS_DENIED);
    CHECK(report.text[0] == '\0');
}

// Resources
// ------------------------------------------------------------------------------------------------

static int check_once(void) {
    struct hx_module_info info;
    const int64_t all = NATIVE(module_all);
    if (all < 0) {
        errno = ENOMEM;
        return -1;
    }
    const int64_t status = NATIVE(module_check, all, package, package_bytes, &info, &report);
    NATIVE(handle_close, all);
    errno = status == HX_ERR_NO_MEMORY ? ENOMEM : EINVAL;
    return status == HX_OK ? 0 : -1;
}

static int start_once(void) {
    const int64_t all = NATIVE(module_all);
    if (all < 0) {
        errno = ENOMEM;
        return -1;
    }
    const int64_t status = NATIVE(module_load, all, package, package_bytes, &report);
    NATIVE(handle_close, all);
    errno = status == HX_ERR_NO_MEMORY ? ENOMEM : EINVAL;
    return status == HX_ERR_NO_SPACE ? 0 : -1;
}

static int come_and_go_once(void) {
    return load_and_unload("crumb");
}

static void without_memory(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    read_package("ramfs");
    exhaust("module_check", check_once);
    read_package("bad_start");
    exhaust("module_load", start_once);
    unload("crumb");
    read_package("crumb");
    exhaust("module_unload", come_and_go_once);
}

// A terminal's line
// ------------------------------------------------------------------------------------------------

#define LINE       "/dev/crust_line0"
#define LINE_BYTES 65536 // far more than a terminal keeps

static void fill_line(void) {
    static char bytes[LINE_BYTES];
    const int line = open(LINE, O_WRONLY | O_NOCTTY);
    NEED(line >= 0);
    SAME(write(line, bytes, sizeof bytes), sizeof bytes);
    SAME(tcdrain(line), 0);
}

static bool is_full(void) {
    struct pollfd line = { open(LINE, O_WRONLY | O_NOCTTY), POLLOUT, 0 };
    NEED(line.fd >= 0);
    const bool full = poll(&line, 1, 0) == 0;
    close(line.fd);
    return full;
}

// What poll() says of a full terminal is what write() says.
static void line_fills(void) {
    static char bytes[LINE_BYTES];
    NEED(load("crust_line") == HX_OK);
    const int line = open(LINE, O_WRONLY | O_NOCTTY | O_NONBLOCK);
    NEED(line >= 0 && !is_full());
    const ssize_t fits = write(line, bytes, sizeof bytes);
    CHECK(fits > 0 && fits < LINE_BYTES);
    REFUSED(write(line, bytes, sizeof bytes), EAGAIN);
    CHECK(is_full());
    SAME(tcflush(line, TCOFLUSH), 0);
    CHECK(!is_full());
    close(line);
}

// What it says to have taken beyond what there was is in nobody's count.
static void line_lies(void) {
    int unsent = -1;
    const int line = open(LINE, O_WRONLY | O_NOCTTY | O_NONBLOCK);
    NEED(line >= 0);
    SAME(write(line, "This", 4), 4);
    SAME(ioctl(line, TIOCOUTQ, &unsent), 0);
    SAME(unsent, 0);
    CHECK(!is_full());
    close(line);
}

static char state_of(pid_t pid) {
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    NEED(file != NULL && fscanf(file, "%*d %*s %c", &state) == 1);
    fclose(file);
    return state;
}

// The driver of a terminal dies for good while a program waits to write and another one polls: both
// go on, as do those who come later. Last: who has terminals is not unloaded.
static void line_dies(void) {
    const int device = open("/dev/crust_line", O_WRONLY);
    NEED(device >= 0);
    pid_t writer, poller;
    CHILD(writer) {
        fill_line();
    }
    while (!is_full() || state_of(writer) != 'S') {
        sched_yield();
    }
    CHILD(poller) {
        struct pollfd line = { open(LINE, O_WRONLY | O_NOCTTY), POLLOUT, 0 };
        SAME(poll(&line, 1, -1), 1);
        SAME(line.revents, POLLOUT);
    }
    while (state_of(poller) != 'S') {
        sched_yield();
    }
    strike("doom crust_line null 1"); // so does each next life
    REFUSED(write(device, "x", 1), EIO);
    EXITS(writer, 0);
    EXITS(poller, 0);
    strike("kill crust_line null 0");
    fill_line();
    close(device);
    SAME(unload("crust_line"), HX_ERR_BUSY);
}

static void program(void) {
    SAME(run("/sbin/hxmod list >listed && grep -q 'ramfs .* running .* kernel .* image' listed"),
         0);
    SAME(run("/sbin/hxmod info ramfs >shown && grep -qx 'provides helix.fs 1.0' shown"), 0);
    SAME(run("/sbin/hxmod info " FOLDER "crumb.hxm >shown && grep -qx 'version 1.2.3' shown"), 0);
    SAME(run("/sbin/hxmod info nobody 2>said; test $? = 1 && grep -q nobody said"), 0);
    SAME(run("/sbin/hxmod load " FOLDER "bad_import.hxm 2>said; test $? = 1 && "
             "grep -q \"expected functions of the SDK, found 'frame_alloc'\" said"),
         0);
    SAME(run("/sbin/hxmod load nothing 2>said; test $? = 1 && "
             "grep -q 'nothing: there is no such file, and no such package in /lib/helix' said"),
         0);
    SAME(run("/sbin/hxmod load /nothing 2>said; test $? = 1 && grep -q '/nothing: No such file' "
             "said"),
         0);
    SAME(run("/sbin/hxmod load /bin 2>said; test $? = 1 && grep -q 'found a folder' said"), 0);
    SAME(run("/sbin/hxmod load /dev/null 2>said; test $? = 1 && grep -q 'not a file' said"), 0);
    SAME(run(": >empty; /sbin/hxmod load empty 2>said; test $? = 1 && grep -q 'an empty' said"), 0);
    SAME(run("/sbin/hxmod load 2>said; test $? = 2"), 0);
    SAME(run("/sbin/hxmod load --foo empty 2>said; test $? = 2 && grep -q 'found --foo' said"), 0);
    SAME(run("/sbin/hxmod health >shown && grep -q '^module .* last death$' shown && "
             "grep -qE '^ramfs +runs +0 +0 .* -$' shown"),
         0);
    SAME(run("/sbin/hxmod health nobody 2>said; test $? = 1 && grep -q 'no module' said"), 0);
    SAME(run("umount /proc && { /sbin/hxmod health 2>said; test $? = 1 && grep -q /proc said; "
             "found=$?; mount -t proc proc /proc; exit $found; }"),
         0);
    SAME(run("/sbin/hxmod health ramfs more 2>said; test $? = 2"), 0);
    need_crumb();
    SAME(run("/sbin/hxmod list | grep -q 'crumb .* 1.2.3 .* package'"), 0);
    SAME(run("/sbin/hxmod unload crumb 2>said"), 0);
    SAME(run("/sbin/hxmod unload crumb 2>said; test $? = 1 && grep -q 'no module' said"), 0);
    SAME(run("/sbin/hxmod swap virtio_blk 2>said; test $? = 1 && grep -q 'found one without a "
             "slot' said"),
         0);
    SAME(run("/sbin/hxmod unload ramfs 2>said; test $? = 1 && grep -q 'of the image' said"), 0);
    SAME(run("/sbin/hxmod load crumb && test -c /dev/crumb"), 0);
}

static const struct check_case cases[] = {
    CASE(listed),
    CASE(packages_of_the_image),
    CASE(serves),
    CASE(serves_many),
    CASE(dies_of_null),
    CASE(code_is_not_written),
    CASE(constants_are_not_written),
    CASE(data_is_not_run),
    CASE(stacks_are_guarded),
    CASE(comes_and_goes),
    CASE(nodes_of_others),
    CASE(who_stays),
    CASE(needed_by_another),
    CASE(file_system),
    CASE(leaves_nothing),
    CASE(while_others_open),
    CASE(not_a_package),
    CASE(not_signed),
    CASE(refused_for_what_it_is),
    CASE(refused_for_what_it_does),
    CASE(never_comes_back),
    CASE(bad_addresses),
    CASE(needs_a_right),
    CASE(revoked),
    CASE(only_for_administrators),
    CASE(without_memory),
    CASE(program),
    CASE(line_fills),
    CASE(line_lies),
    CASE(line_dies),
};

CHECK_MAIN(cases)
