// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/accounts.c: who pays, and that nobody notices a program that takes all it can.
// RUN: musl glibc
#include "native.h"

#include <fcntl.h>
#include <libhelix/end.h>
#include <libhelix/process.h>
#include <libhelix/wait.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PAGE        4096u
#define SELF        "/proc/self/exe"
#define ALL         (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_CREATE | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)
#define PATIENCE_NS 60000000000 // for what ends by itself

static const int32_t usual[] = { 0, 1, 2 };
static const struct hx_account_amounts nothing;

static handle_t own(void) {
    handle_t account = 0;
    NEED(hx_account_own(&account) == HX_OK);
    return account;
}

static handle_t made(handle_t above) {
    handle_t account = 0;
    NEED(hx_account_create(above, &nothing, &account) == HX_OK);
    return account;
}

static struct hx_account_info info_of(handle_t account) {
    struct hx_account_info info = { 0 };
    SAME(hx_account_info(account, &info), HX_OK);
    return info;
}

static uint64_t used(handle_t account, uint32_t item) {
    return info_of(account).used[item];
}

static handle_t child_in(handle_t account, const char *word, handle_t given) {
    const char *const arguments[] = { "child", word, NULL };
    handle_t process = 0;
    NEED(hx_spawn_into(account, SELF, arguments, usual, 3, given, &process) == HX_OK);
    return process;
}

static int32_t end_of(handle_t process) {
    int32_t status = -1;
    SAME(hx_process_wait(process, hx_after(PATIENCE_NS), &status), HX_OK);
    return status;
}

// Some of what is given back waits for other processors.
static void settles(handle_t account, uint32_t item, uint64_t amount) {
    const time_ns_t end = hx_after(PATIENCE_NS);
    while (used(account, item) != amount && hx_after(0) < end) {
        sched_yield();
    }
    SAME(used(account, item), amount);
}

static void all_given_back(handle_t account) {
    for (uint32_t item = 0; item < HX_ACCOUNT_ITEMS; item++) {
        settles(account, item, 0);
    }
}

// ---- what children do

static void touch(volatile char *memory, uint64_t pages) {
    for (uint64_t i = 0; i < pages; i++) {
        memory[i * PAGE] = 1;
    }
}

static volatile char *anonymous(uint64_t pages) {
    volatile char *memory =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(memory != MAP_FAILED);
    return memory;
}

static volatile char *of_object(uint64_t pages) {
    handle_t memory = 0;
    uint64_t at = 0;
    NEED(hx_memory_create(pages * PAGE, &memory) == HX_OK);
    NEED(hx_memory_map(memory, 0, pages * PAGE, HX_PROTECTION_READ | HX_PROTECTION_WRITE, &at) ==
         HX_OK);
    return (volatile char *)(uintptr_t)at;
}

// As many children as there may be, which stay.
static uint32_t forks(void) {
    uint32_t count = 0;
    pid_t pid;
    while (count < 100 && (pid = fork()) >= 0) {
        if (pid == 0) {
            pause();
            _exit(0);
        }
        count++;
    }
    CHECK(pid < 0 && count < 100);
    return count;
}

// Children that were waited for count no more, though descriptors stand for them.
static void keeps_descriptors(void) {
    for (int i = 0; i < 10; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        NEED(pid > 0 && syscall(SYS_pidfd_open, pid, 0) >= 0);
        check_wait(pid);
        settles(own(), HX_ACCOUNT_PROCESSES, 1);
    }
}

static int child_forks(void) {
    keeps_descriptors();
    SAME(forks(), 2); // of three processes
    REFUSED(fork(), EAGAIN);
    SAME(used(own(), HX_ACCOUNT_PROCESSES), 3);
    handle_t process;
    const char *const arguments[] = { "child", "waits", NULL };
    SAME(hx_spawn(SELF, arguments, usual, 3, 0, &process), HX_ERR_LIMIT);
    kill(0, SIGTERM); // all of them
    return check_failures;
}

// Where the account is full, a page that is touched for the first time would end the child.
static int child_pairs(void) {
    int files[100] = { 0 };
    uint32_t count = 0;
    close(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    while (count < 100 && (files[count] = open("/dev/ptmx", O_RDWR | O_NOCTTY)) >= 0) {
        count++;
    }
    const int error = errno;
    for (uint32_t i = 0; i < count; i++) {
        close(files[i]);
    }
    SAME(error, ENOMEM);
    CHECK(count > 3 && count * 8 < 300);
    return check_failures;
}

static int child_handles(void) {
    enum hx_status status;
    handle_t handle = 0, account = own();
    uint32_t count = 0;
    while ((status = hx_event_create(0, &handle)) == HX_OK && count < 1000) {
        count++;
    }
    SAME(status, HX_ERR_LIMIT);
    SAME(count, 18); // one for the account, and its derived capability
    SAME(used(account, HX_ACCOUNT_HANDLES), 20);
    SAME(hx_handle_close(handle), HX_OK);
    SAME(hx_event_create(0, &handle), HX_OK);
    return check_failures;
}

static int child_objects(void) {
    int ends[2];
    handle_t handle;
    struct hx_account_info info = info_of(own());
    while (info.used[HX_ACCOUNT_OBJECTS] < info.limit[HX_ACCOUNT_OBJECTS]) {
        NEED(hx_event_create(0, &handle) == HX_OK);
        info.used[HX_ACCOUNT_OBJECTS]++;
    }
    SAME(hx_event_create(0, &handle), HX_ERR_LIMIT);
    SAME(hx_timer_create(&handle), HX_ERR_LIMIT);
    SAME(hx_memory_create(PAGE, &handle), HX_ERR_LIMIT);
    SAME(hx_channel_create(4, (handle_t[2]){ 0, 0 }), HX_ERR_LIMIT);
    SAME(hx_account_create(own(), &nothing, &handle), HX_ERR_LIMIT);
    REFUSED(pipe(ends), ENOMEM);
    REFUSED(fork(), EAGAIN); // its thread
    return check_failures;
}

// Nothing that a process in an account can do gets it more than that.
static int child_stays(void) {
    const handle_t account = own();
    handle_t below = made(account);
    const struct hx_account_amounts much = { .amounts = { 1u << 20 } };
    SAME(hx_account_limit(account, HX_ACCOUNT_FRAMES, 1u << 30), HX_ERR_ACCESS_DENIED);
    SAME(hx_account_create(account, &much, &below), HX_ERR_LIMIT);
    const int fd = open("/proc/helix/account", O_WRONLY);
    REFUSED(write(fd, "frames 1000000", 14), EPERM);
    SAME(hx_account_limit(below, HX_ACCOUNT_FRAMES, 1u << 30), HX_OK); // that above still counts
    const handle_t child = child_in(below, "greedy", 0);
    SAME(end_of(child), SIGKILL);
    return check_failures;
}

static void send_to_parent(handle_t sent) {
    handle_t end = 0;
    NEED(hx_handle_given(&end) == HX_OK && hx_channel_send(end, sent) == HX_OK);
}

static int child_hands_over(void) {
    handle_t memory = 0;
    uint64_t at = 0;
    NEED(hx_memory_create(10 * PAGE, &memory) == HX_OK);
    NEED(hx_memory_map(memory, 0, 10 * PAGE, HX_PROTECTION_READ | HX_PROTECTION_WRITE, &at) ==
         HX_OK);
    touch((char *)(uintptr_t)at, 10);
    send_to_parent(memory);
    return check_failures;
}

static int child_greedy(void) {
    touch(anonymous(1u << 20), 1u << 20);
    return 1; // not reached
}

static int child_greedy_object(void) {
    touch(of_object(1u << 20), 1u << 20);
    return 1;
}

// Takes all it can of everything, then all memory, for ever.
static int __attribute__((noreturn)) child_hostile(void) {
    int ends[2];
    handle_t handle, pair[2];
    (void)forks();
    while (hx_channel_create(4096, pair) == HX_OK || hx_event_create(0, &handle) == HX_OK) {
    }
    while (pipe(ends) == 0) {
    }
    for (;;) {
        const pid_t pid = fork();
        if (pid <= 0) {
            touch(anonymous(1u << 20), 1u << 20);
        }
    }
}

static int child_spins(void) {
    struct timespec now;
    do {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while (now.tv_sec == 0 && now.tv_nsec < 50000000);
    return 0;
}

// As many events as there are, of files of long names: how many come before those that are lost.
static int events_of(int file, int count) {
    char names[2][220];
    char bytes[8192];
    for (int i = 0; i < 2; i++) {
        memset(names[i], 'a' + i, 200);
        names[i][200] = '\0';
        const int made_one = open(names[i], O_WRONLY | O_CREAT, 0600);
        NEED(made_one >= 0);
        close(made_one);
    }
    NEED(inotify_add_watch(file, ".", IN_ATTRIB) > 0);
    const uint64_t before = used(own(), HX_ACCOUNT_FRAMES);
    for (int i = 0; i < count; i++) {
        NEED(chmod(names[i & 1], 0600) == 0);
    }
    CHECK(used(own(), HX_ACCOUNT_FRAMES) > before + 5);
    int events = 0;
    ssize_t length;
    while ((length = read(file, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0; at < length; events++) {
            const struct inotify_event *event = (const void *)(bytes + at);
            if (event->mask == IN_Q_OVERFLOW) {
                return events;
            }
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return events;
}

// The memory of its account is full long before the queue is.
static int child_events(void) {
    int file = inotify_init1(IN_NONBLOCK);
    SAME(events_of(file, 200), 200); // what it runs on is there from here on
    close(file);
    file = inotify_init1(IN_NONBLOCK);
    const int events = events_of(file, 2000);
    CHECK(events > 100 && events < 1900);
    return check_failures;
}

static int child_a_queue(void) {
    struct mq_attr large = { .mq_maxmsg = 90, .mq_msgsize = 8192 };
    REFUSED(mq_open("/paid", O_CREAT | O_EXCL | O_RDWR, 0600, &large), ENOMEM);
    CHECK(mq_open("/paid", O_CREAT | O_EXCL | O_RDWR, 0600, NULL) >= 0);
    return check_failures;
}

// Tells what it uses, then waits to send a large message.
static int child_sends(void) {
    static char bytes[8192];
    const mqd_t queue = mq_open("/full", O_WRONLY | O_NONBLOCK);
    const mqd_t report = mq_open("/report", O_WRONLY);
    const struct mq_attr waiting = { .mq_flags = 0 };
    memset(bytes, 'x', sizeof bytes);
    NEED(queue >= 0 && report >= 0);
    uint64_t before = 0;
    for (int i = 0; i < 2; i++) { // what it runs on is there the second time
        REFUSED(mq_send(queue, bytes, sizeof bytes, 0), EAGAIN);
        before = used(own(), HX_ACCOUNT_FRAMES);
        NEED(mq_setattr(queue, i == 0 ? NULL : &waiting, NULL) == 0);
        NEED(mq_send(report, (const char *)&before, sizeof before, 0) == 0);
    }
    return mq_send(queue, bytes, sizeof bytes, 0);
}

static int __attribute__((noreturn)) child_waits(void) {
    for (;;) {
        pause();
    }
}

static const struct {
    const char *word;
    int (*run)(void);
} children[] = {
    { "forks", child_forks },     { "pairs", child_pairs },
    { "handles", child_handles }, { "objects", child_objects },
    { "stays", child_stays },     { "hands over", child_hands_over },
    { "greedy", child_greedy },   { "greedy object", child_greedy_object },
    { "hostile", child_hostile }, { "spins", child_spins },
    { "waits", child_waits },     { "events", child_events },
    { "a queue", child_a_queue }, { "sends", child_sends },
};

static int child_main(const char *word) {
    for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
        if (strcmp(word, children[i].word) == 0) {
            return children[i].run() != 0;
        }
    }
    return 99;
}

// ---- what is expected of them

static void a_tree(void) {
    struct hx_handle_info about;
    handle_t none = 0;
    const handle_t mine = own(), above = made(mine), below = made(above);
    SAME(hx_handle_info(above, &about), HX_OK);
    SAME(about.object, HX_OBJECT_ACCOUNT);
    SAME(about.rights, ALL);
    SAME(info_of(above).depth, info_of(mine).depth + 1);
    SAME(info_of(below).depth, info_of(mine).depth + 2);
    SAME(used(above, HX_ACCOUNT_OBJECTS), 1); // the one below
    SAME(info_of(below).limit[HX_ACCOUNT_FRAMES], HX_ACCOUNT_NO_LIMIT);
    SAME(hx_account_limit(above, HX_ACCOUNT_OBJECTS, 1), HX_OK);
    SAME(hx_account_create(above, &nothing, &none), HX_ERR_LIMIT);
    SAME(hx_account_create(below, &nothing, &none), HX_ERR_LIMIT); // that above refuses
    SAME(hx_account_limit(above, HX_ACCOUNT_OBJECTS, HX_ACCOUNT_NO_LIMIT), HX_OK);
    SAME(hx_account_limit(above, HX_ACCOUNT_ITEMS, 1), HX_ERR_INVALID);
    SAME(hx_account_limit(above, 0, HX_ACCOUNT_NO_LIMIT + 1), HX_ERR_INVALID);
    SAME(NATIVE(account_info, above, 8), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(account_create, above, 8), HX_ERR_BAD_ADDRESS);
    SAME(hx_handle_close(below), HX_OK);
    settles(above, HX_ACCOUNT_OBJECTS, 0);
    handle_t deepest = above;
    enum hx_status status;
    for (uint32_t i = 0; (status = hx_account_create(deepest, &nothing, &none)) == HX_OK; i++) {
        SAME(hx_handle_close(deepest), HX_OK); // what is below keeps it
        deepest = none;
        NEED(i < 20);
    }
    SAME(status, HX_ERR_LIMIT);
    SAME(info_of(deepest).depth, 8);
}

static void rights(void) {
    handle_t weak = 0, lent = 0, none = 0;
    struct hx_account_info info;
    const handle_t account = made(own());
    NEED(hx_handle_derive(account, ALL & ~HX_RIGHT_READ, &weak) == HX_OK);
    SAME(hx_account_info(weak, &info), HX_ERR_ACCESS_DENIED);
    NEED(hx_handle_derive(account, ALL & ~HX_RIGHT_WRITE, &weak) == HX_OK);
    SAME(hx_account_limit(weak, 0, 1), HX_ERR_ACCESS_DENIED);
    NEED(hx_handle_derive(account, ALL & ~HX_RIGHT_CREATE, &weak) == HX_OK);
    SAME(hx_account_create(weak, &nothing, &none), HX_ERR_ACCESS_DENIED);
    const char *const arguments[] = { "child", "waits", NULL };
    SAME(hx_spawn_into(weak, SELF, arguments, usual, 3, 0, &none), HX_ERR_ACCESS_DENIED);
    NEED(hx_handle_derive(account, ALL, &lent) == HX_OK && hx_handle_revoke(lent) == HX_OK);
    SAME(hx_account_info(lent, &info), HX_ERR_REVOKED);
    SAME(hx_spawn_into(lent, SELF, arguments, usual, 3, 0, &none), HX_ERR_REVOKED);
    SAME(hx_spawn_into(77, SELF, arguments, usual, 3, 0, &none), HX_ERR_BAD_HANDLE);
    NEED(hx_event_create(0, &weak) == HX_OK);
    SAME(hx_account_info(weak, &info), HX_ERR_BAD_HANDLE);
    SAME(hx_spawn_into(weak, SELF, arguments, usual, 3, 0, &none), HX_ERR_BAD_HANDLE);
}

static void reserved(void) {
    const struct hx_account_amounts some = { .amounts = { [HX_ACCOUNT_HANDLES] = 4 } };
    const struct hx_account_amounts more = { .amounts = { [HX_ACCOUNT_HANDLES] = 7 } };
    struct hx_account_amounts wrong = { .amounts = { [HX_ACCOUNT_PINNED] = -1ull } };
    handle_t account = 0, none = 0, above = 0;
    NEED(hx_account_create(own(), &more, &above) == HX_OK);
    SAME(hx_account_create(above, &wrong, &none), HX_ERR_INVALID);
    NEED(hx_account_create(above, &some, &account) == HX_OK);
    SAME(info_of(account).reserved[HX_ACCOUNT_HANDLES], 4);
    SAME(used(account, HX_ACCOUNT_HANDLES), 0);
    SAME(used(above, HX_ACCOUNT_HANDLES), 4); // used or not
    SAME(hx_account_create(above, &some, &none), HX_ERR_LIMIT);
    SAME(used(above, HX_ACCOUNT_HANDLES), 4);
    SAME(hx_handle_close(account), HX_OK);
    settles(above, HX_ACCOUNT_HANDLES, 0);
    SAME(hx_account_limit(above, HX_ACCOUNT_HANDLES, 3), HX_OK);
    SAME(hx_account_create(above, &some, &none), HX_ERR_LIMIT);
}

// Reserves no item in `account`: a single one is too much.
static void reserves_nothing(handle_t account) {
    for (uint32_t item = 0; item < HX_ACCOUNT_ITEMS; item++) {
        for (uint32_t much = 0; much < 2; much++) {
            struct hx_account_amounts some = { 0 };
            handle_t none = 0;
            some.amounts[item] = much ? HX_ACCOUNT_NO_LIMIT : 1;
            SAME(hx_account_create(account, &some, &none), HX_ERR_LIMIT);
        }
    }
}

// What the machine has is an administrator's to give away; nobody else gives more than he was
// given.
static void pledged(void) {
    const struct hx_account_amounts some = { .amounts = { [HX_ACCOUNT_FRAMES] = 4 } };
    handle_t none = 0, account = 0, weak = 0;
    NEED(hx_account_create(own(), &some, &account) == HX_OK);
    reserves_nothing(made(own()));
    NEED(hx_handle_derive(own(), ALL & ~HX_RIGHT_ADMIN, &weak) == HX_OK);
    reserves_nothing(weak);
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(setresuid(1000, 1000, 1000) == 0);
        reserves_nothing(own());
        reserves_nothing(made(own()));
        _exit(check_failures != 0);
    }
    EXITS(pid, 0);
    SAME(hx_account_create(account, &some, &none), HX_OK); // without being asked who it is
    SAME(hx_account_create(account, &some, &none), HX_ERR_LIMIT);
}

static handle_t limited(uint32_t item, uint64_t limit) {
    const handle_t account = made(own());
    SAME(hx_account_limit(account, item, limit), HX_OK);
    return account;
}

static void processes(void) {
    const handle_t account = limited(HX_ACCOUNT_PROCESSES, 3);
    setpgid(0, 0);
    signal(SIGTERM, SIG_IGN); // not the children's: they start as by default
    SAME(end_of(child_in(account, "forks", 0)), SIGTERM);
    all_given_back(account);
    SAME(hx_account_limit(account, HX_ACCOUNT_PROCESSES, 0), HX_OK);
    const char *const arguments[] = { "child", "waits", NULL };
    handle_t process;
    SAME(hx_spawn_into(account, SELF, arguments, usual, 3, 0, &process), HX_ERR_LIMIT);
    all_given_back(account);
}

static void handles(void) {
    const handle_t account = limited(HX_ACCOUNT_HANDLES, 20);
    SAME(end_of(child_in(account, "handles", 0)), 0);
    all_given_back(account);
}

static void objects(void) {
    const handle_t account = limited(HX_ACCOUNT_OBJECTS, 20);
    SAME(end_of(child_in(account, "objects", 0)), 0);
    all_given_back(account);
}

// Whoever is in the account has to go, and nobody else.
static void memory(void) {
    static const char *const words[] = { "greedy", "greedy object" };
    volatile char *mine = anonymous(2000); // more than the child has
    touch(mine, 2000);
    for (uint32_t i = 0; i < 2; i++) {
        const handle_t account = limited(HX_ACCOUNT_FRAMES, 1000);
        const handle_t bystander = child_in(0, "waits", 0);
        SAME(end_of(child_in(account, words[i], 0)), SIGKILL);
        all_given_back(account);
        struct hx_process_info info;
        SAME(hx_process_info(bystander, &info), HX_OK);
        SAME(info.has_ended, 0);
        SAME(hx_process_kill(bystander), HX_OK);
        SAME(end_of(bystander), SIGKILL);
    }
}

static void cannot_leave(void) {
    const handle_t account = limited(HX_ACCOUNT_FRAMES, 1000);
    SAME(end_of(child_in(account, "stays", 0)), 0);
    all_given_back(account);
}

static void outlives(void) {
    handle_t ends[2], memory = 0;
    struct hx_end end;
    const handle_t account = made(own());
    NEED(hx_channel_create(4, ends) == HX_OK && hx_end_open(&end, ends[0]) == HX_OK);
    SAME(end_of(child_in(account, "hands over", ends[1])), 0);
    SAME(hx_channel_receive(ends[0], &memory), HX_OK);
    settles(account, HX_ACCOUNT_PROCESSES, 0);
    settles(account, HX_ACCOUNT_FRAMES, 10); // the account's until it is freed
    settles(account, HX_ACCOUNT_OBJECTS, 1);
    SAME(hx_handle_close(memory), HX_OK);
    all_given_back(account);
}

static void processor_time(void) {
    const handle_t above = made(own()), account = made(above);
    SAME(end_of(child_in(account, "spins", 0)), 0);
    settles(account, HX_ACCOUNT_PROCESSES, 0);
    const uint64_t ran = info_of(account).run_ns;
    CHECK(ran >= 50000000 && ran < (uint64_t)PATIENCE_NS);
    SAME(info_of(above).run_ns, ran);
    const handle_t process = child_in(account, "spins", 0);
    while (info_of(account).run_ns < ran + 25000000) { // while it runs
        sched_yield();
    }
    SAME(end_of(process), 0);
}

// Goes on with whatever others take.
static void works(void) {
    handle_t event = 0;
    volatile char *memory = anonymous(16);
    touch(memory, 16);
    NEED(hx_event_create(0, &event) == HX_OK && hx_handle_close(event) == HX_OK);
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        _exit(3);
    }
    EXITS(pid, 3);
    NEED(munmap((void *)memory, 16 * PAGE) == 0);
}

static void hostile(void) {
    setpgid(0, 0);
    const handle_t account = limited(HX_ACCOUNT_FRAMES, 3000);
    SAME(hx_account_limit(account, HX_ACCOUNT_OBJECTS, 300), HX_OK);
    SAME(hx_account_limit(account, HX_ACCOUNT_HANDLES, 200), HX_OK);
    SAME(hx_account_limit(account, HX_ACCOUNT_PROCESSES, 10), HX_OK);
    SAME(hx_handle_close(child_in(account, "hostile", 0)), HX_OK); // it would keep the process
    for (uint32_t i = 0; i < 200; i++) {
        works();
        const struct hx_account_info info = info_of(account);
        for (uint32_t item = 0; item < HX_ACCOUNT_ITEMS; item++) {
            CHECK(info.used[item] <= info.limit[item]);
        }
    }
    // What forked is known by its account alone.
    SAME(hx_account_limit(account, HX_ACCOUNT_PROCESSES, 0), HX_OK);
    signal(SIGTERM, SIG_IGN);
    while (used(account, HX_ACCOUNT_PROCESSES) != 0) {
        kill(0, SIGTERM);
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        sched_yield();
    }
    all_given_back(account);
}

static uint64_t handles_limit(const char *text, const char *name) {
    char *line = strstr(text, name);
    NEED(line != NULL);
    line = strstr(line, "handles ");
    NEED(line != NULL);
    (void)strtoull(line + 8, &line, 10);
    return strtoull(line, NULL, 10);
}

// Process 1 has handles left when all others have used up theirs.
static void shown(void) {
    static char text[65536];
    const handle_t account = made(own());
    const int fd = open("/proc/helix/accounts", O_RDONLY);
    NEED(read(fd, text, sizeof text - 1) > 0);
    CHECK(strncmp(text, "1 0 machine ", 12) == 0);
    CHECK(strstr(text, "\n2 1 programs ") != NULL);
    CHECK(strstr(text, " account 0 frames 0 9223372036854775807 0 objects 0 ") != NULL);
    CHECK(handles_limit(text, "machine") > handles_limit(text, "programs"));
    CHECK(handles_limit(text, "programs") > 1000);
    SAME(hx_handle_close(account), HX_OK);
}

// ---- what is not made of pages, but takes as many

// A terminal's two rings, and the places of a long pipe, are paid for by who made them.
static void rings(void) {
    const handle_t account = made(own());
    SAME(hx_account_limit(account, HX_ACCOUNT_FRAMES, 300), HX_OK);
    SAME(end_of(child_in(account, "pairs", 0)), 0);
    all_given_back(account);
    int ends[2];
    NEED(pipe(ends) == 0);
    const uint64_t before = used(own(), HX_ACCOUNT_FRAMES);
    SAME(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
    SAME(used(own(), HX_ACCOUNT_FRAMES), before + 1); // 256 places of 16 bytes
    SAME(fcntl(ends[1], F_SETPIPE_SZ, 1 << 16), 1 << 16);
    SAME(used(own(), HX_ACCOUNT_FRAMES), before);
    NEED(write(ends[1], "x", 1) == 1);
    SAME(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
    close(ends[0]);
    close(ends[1]);
    settles(own(), HX_ACCOUNT_FRAMES, before);
}

// So are events that nobody reads.
static void events(void) {
    const handle_t account = made(own());
    SAME(hx_account_limit(account, HX_ACCOUNT_FRAMES, 100), HX_OK);
    SAME(end_of(child_in(account, "events", 0)), 0);
    all_given_back(account);
    int file = inotify_init1(IN_NONBLOCK);
    SAME(events_of(file, 400), 400); // what it runs on is there from here on
    close(file);
    const uint64_t before = used(own(), HX_ACCOUNT_FRAMES);
    file = inotify_init1(IN_NONBLOCK);
    SAME(events_of(file, 400), 400);
    SAME(used(own(), HX_ACCOUNT_FRAMES), before + 1); // of the watch
    close(file);
    settles(own(), HX_ACCOUNT_FRAMES, before);
}

// All that a message queue may hold is paid for as long as it is there.
static void queues(void) {
    const handle_t account = made(own());
    SAME(hx_account_limit(account, HX_ACCOUNT_FRAMES, 150), HX_OK);
    SAME(end_of(child_in(account, "a queue", 0)), 0);
    settles(account, HX_ACCOUNT_FRAMES, 21); // 10 messages of 8192 bytes, and 128 each
    const mqd_t queue = mq_open("/paid", O_RDWR);
    NEED(queue >= 0 && mq_unlink("/paid") == 0 && mq_send(queue, "x", 1, 0) == 0);
    SAME(used(account, HX_ACCOUNT_FRAMES), 21);
    mq_close(queue);
    all_given_back(account);
    SAME(hx_handle_close(account), HX_OK);
}

static uint64_t free_frames(void) {
    char text[4096];
    const int file = open("/proc/meminfo", O_RDONLY);
    const ssize_t length = read(file, text, sizeof text - 1);
    NEED(length > 0);
    close(file);
    text[length] = '\0';
    const char *line = strstr(text, "MemFree:");
    NEED(line != NULL);
    return strtoull(line + 8, NULL, 10) / 4;
}

// No queue takes more memory than was paid for, nor much less, however long its messages are.
static void full_queues(void) {
    static const long sizes[] = { 500, 1900, 3000, 4000, 4200, 8192, 20000 };
    static char bytes[20000];
    const struct rlimit much = { 1 << 24, 1 << 24 };
    NEED(setrlimit(RLIMIT_MSGQUEUE, &much) == 0);
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mq_attr size = { .mq_maxmsg = (2 << 20) / sizes[i], .mq_msgsize = sizes[i] };
        const uint64_t paid = used(own(), HX_ACCOUNT_FRAMES);
        const mqd_t queue = mq_open("/filled", O_CREAT | O_EXCL | O_RDWR, 0600, &size);
        NEED(queue >= 0 && mq_unlink("/filled") == 0);
        const uint64_t before = free_frames();
        for (long j = 0; j < size.mq_maxmsg; j++) {
            NEED(mq_send(queue, bytes, (size_t)sizes[i], 0) == 0);
        }
        const uint64_t taken = before - free_frames(),
                       price = used(own(), HX_ACCOUNT_FRAMES) - paid;
        CHECK(price > 512 && taken < price + 40 && taken + 40 > price / 2);
        mq_close(queue);
        const time_ns_t end = hx_after(PATIENCE_NS);
        while (used(own(), HX_ACCOUNT_FRAMES) > paid + 20) { // what this runs on is paid, too
            NEED(hx_after(0) < end);
            sched_yield();
        }
    }
}

// Who waits to send pays for its message as long as it waits.
static void senders(void) {
    struct mq_attr one = { .mq_maxmsg = 1, .mq_msgsize = 8192 };
    uint64_t before = 0;
    const handle_t account = made(own());
    const mqd_t full = mq_open("/full", O_CREAT | O_EXCL | O_RDWR, 0600, &one);
    one.mq_msgsize = sizeof before;
    const mqd_t report = mq_open("/report", O_CREAT | O_EXCL | O_RDWR, 0600, &one);
    NEED(full >= 0 && report >= 0 && mq_send(full, "x", 1, 0) == 0);
    const handle_t child = child_in(account, "sends", 0);
    for (int i = 0; i < 2; i++) {
        NEED(mq_receive(report, (char *)&before, sizeof before, NULL) == sizeof before);
    }
    settles(account, HX_ACCOUNT_FRAMES, before + 3); // two pages, and what they are held by
    SAME(hx_process_kill(child), HX_OK);
    SAME(end_of(child), SIGKILL);
    NEED(mq_unlink("/full") == 0 && mq_unlink("/report") == 0);
    all_given_back(account);
}

static const struct check_case cases[] = {
    CASE(a_tree),         CASE(rights),      CASE(reserved), CASE(pledged),      CASE(processes),
    CASE(handles),        CASE(objects),     CASE(memory),   CASE(cannot_leave), CASE(outlives),
    CASE(processor_time), CASE(hostile),     CASE(shown),    CASE(rings),        CASE(events),
    CASE(queues),         CASE(full_queues), CASE(senders),
};

int main(int argc, char **argv) {
    return argc > 1 && strcmp(argv[0], "child") == 0
               ? child_main(argv[1])
               : check_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
