// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/failures.c: every call that allocates, with each of its allocations failing in turn.
// A call that fails says so and has done nothing; afterwards it works.
// LIMIT: 240
#include "failing.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

// ---- processes

static int call_fork(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(3);
    }
    return pid < 0 || check_wait(pid) < 0 ? -1 : 0;
}

static int call_vfork(void) {
    const pid_t pid = vfork();
    if (pid == 0) {
        _exit(9);
    }
    return pid < 0 || check_wait(pid) < 0 ? -1 : 0;
}

// A child counts its own failing allocations in exec; its end says how it went.
static void exec_child(int nth) {
    fail_nth(nth);
    execl("/bin/busybox", "busybox", "true", NULL);
    const int error = errno;
    fail_nth(0);
    _exit(may_fail_with(error) || error == E2BIG ? 40 : 41);
}

static void exec(void) {
    int nth = 1;
    for (; nth < MOST; nth++) {
        const uint64_t before = failures();
        const pid_t pid = fork();
        if (pid == 0) {
            exec_child(nth);
        }
        const int status = check_wait(pid);
        // Past the point of no return there is nobody to tell: it is killed, or the new program
        // finds that its own calls fail and ends with 127.
        CHECK(
            (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 40 ||
                                   WEXITSTATUS(status) == 127)) ||
            (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV)));
        if (failures() == before) {
            break;
        }
    }
    CHECK(nth > 5 && nth < MOST);
    fail_nth(0);
}

// The pid gets into the vDSO's first page, two before its image, or stays the call's to tell.
static void ask_pid(int nth) {
    const volatile pid_t *page = (const pid_t *)(getauxval(AT_SYSINFO_EHDR) - 8192);
    fail_nth(nth);
    const long first = NATIVE(process_pid, page);
    fail_nth(0);
    SAME(first, getpid());
    CHECK(*page == 0 || *page == getpid());
    SAME(NATIVE(process_pid, page), getpid());
    SAME(*page, getpid());
}

static void pid(void) {
    int nth = 1;
    for (; nth < MOST; nth++) {
        const uint64_t before = failures();
        pid_t child;
        CHILD(child) {
            ask_pid(nth);
        }
        EXITS(child, 0);
        if (failures() == before) {
            break;
        }
    }
    CHECK(nth > 1 && nth < MOST);
}

static void *thread_main(void *argument) {
    return argument;
}

static int call_thread(void) {
    pthread_t thread;
    errno = pthread_create(&thread, NULL, thread_main, NULL);
    return errno != 0 ? -1 : (pthread_join(thread, NULL), 0);
}

static void processes(void) {
    exhaust("fork", call_fork);
    exhaust("vfork", call_vfork);
    exhaust("pthread_create", call_thread);
    pid();
}

// ---- memory

static int call_mmap(void) {
    char *memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return -1;
    }
    memset(memory, 1, 1 << 16); // a fault without memory waits and is tried again
    return munmap(memory, 1 << 16);
}

static int call_shared(void) {
    char *memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return -1;
    }
    memset(memory, 1, 1 << 16);
    return munmap(memory, 1 << 16);
}

static char *pages;

static int call_protect_back(int result) {
    const int error = errno;
    fail_nth(0);
    SAME(mprotect(pages, 1 << 16, PROT_READ | PROT_WRITE), 0);
    errno = error;
    return result;
}

static int call_split(void) {
    return call_protect_back(mprotect(pages + 4096, 4096, PROT_READ));
}

static int call_hole(void) {
    const int result = munmap(pages + 8192, 4096);
    const int error = errno;
    fail_nth(0);
    if (result == 0) {
        CHECK(mmap(pages + 8192, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == pages + 8192);
    }
    errno = error;
    return result;
}

static int call_move(void) {
    char *from = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (from == MAP_FAILED) {
        return -1;
    }
    from[0] = from[65535] = 5;
    char *to = mremap(from, 1 << 16, 1 << 17, MREMAP_MAYMOVE);
    const int error = errno;
    fail_nth(0);
    if (to == MAP_FAILED) {
        CHECK(from[0] == 5 && from[65535] == 5);
        SAME(munmap(from, 1 << 16), 0);
        errno = error;
        return -1;
    }
    CHECK(to[0] == 5 && to[65535] == 5 && to[131071] == 0);
    return munmap(to, 1 << 17);
}

static void memory(void) {
    pages = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, 1, 1 << 16);
    exhaust("mmap", call_mmap);
    exhaust("mmap shared", call_shared);
    exhaust("mprotect", call_split);
    exhaust("munmap", call_hole);
    exhaust("mremap", call_move);
}

// ---- files

static int call_create(void) {
    const int fd = open("new", O_RDWR | O_CREAT, 0600);
    if (fd < 0) {
        return -1;
    }
    const ssize_t wrote = write(fd, "text", 4);
    const int error = errno;
    close(fd);
    errno = error;
    const int result = wrote == 4 ? 0 : -1;
    fail_nth(0);
    unlink("new");
    errno = error;
    return result;
}

static int undone(int result, int (*undo)(const char *), const char *name) {
    const int error = errno;
    fail_nth(0);
    if (result == 0) {
        SAME(undo(name), 0);
    } else {
        CHECK(access(name, F_OK) != 0); // a call that failed has done nothing
    }
    errno = error;
    return result;
}

static int call_mkdir(void) {
    return undone(mkdir("folder", 0700), rmdir, "folder");
}

static int call_symlink(void) {
    return undone(symlink("target", "soft"), unlink, "soft");
}

static int call_link(void) {
    return undone(link("file", "hard"), unlink, "hard");
}

static int call_mknod(void) {
    return undone(mknod("fifo", S_IFIFO | 0600, 0), unlink, "fifo");
}

static int call_rename(void) {
    const int result = rename("file", "renamed");
    const int error = errno;
    fail_nth(0);
    CHECK(access(result == 0 ? "renamed" : "file", F_OK) == 0);
    CHECK(access(result == 0 ? "file" : "renamed", F_OK) != 0);
    rename("renamed", "file");
    errno = error;
    return result;
}

static int call_mount(void) {
    const int result = mount("none", "point", "tmpfs", 0, "");
    const int error = errno;
    fail_nth(0);
    if (result == 0) {
        SAME(umount("point"), 0);
    }
    errno = error;
    return result;
}

static int call_large_write(void) {
    static char block[1 << 16];
    const int fd = open("file", O_RDWR);
    if (fd < 0) {
        return -1;
    }
    const ssize_t wrote = write(fd, block, sizeof block);
    const int error = errno;
    fail_nth(0);
    ftruncate(fd, 0);
    close(fd);
    errno = error;
    return wrote > 0 ? 0 : -1; // a short write is allowed
}

static int call_stat(void) {
    struct stat info;
    return stat("file", &info);
}

// A value of several pieces, in place of another, which stays if there is no memory for it.
static int call_xattr(void) {
    static char value[1 << 16], found[1 << 16];
    memset(value, 'v', sizeof value);
    const int was_set = setxattr("file", "trusted.a", value, sizeof value, 0);
    const ssize_t length =
        was_set == 0 ? getxattr("file", "trusted.a", found, sizeof found) : was_set;
    const int error = errno;
    fail_nth(0);
    SAME(getxattr("file", "trusted.a", NULL, 0), was_set == 0 ? (long)sizeof value : 3);
    CHECK(length < 0 || memcmp(found, value, sizeof value) == 0);
    SAME(setxattr("file", "trusted.a", "old", 3, 0), 0);
    errno = error;
    return length < 0 ? -1 : 0;
}

static int call_listxattr(void) {
    return listxattr("file", NULL, 0) == 10 ? 0 : -1;
}

static int call_removexattr(void) {
    if (setxattr("file", "trusted.r", "old", 3, 0) != 0) {
        return -1;
    }
    const int result = removexattr("file", "trusted.r");
    const int error = errno;
    fail_nth(0);
    SAME(getxattr("file", "trusted.r", NULL, 0), result == 0 ? -1 : 3);
    errno = error;
    return result;
}

// A file of three bytes with a capability is written to: both change, or neither does.
static int call_privileged_write(void) {
    static const uint32_t capability[] = { 0x02000001, 0x400, 0, 0, 0 };
    char bytes[4] = "";
    const int fd = open("file", O_RDWR);
    if (fd < 0 || pwrite(fd, "old", 3, 0) != 3 ||
        fsetxattr(fd, "security.capability", capability, sizeof capability, 0) != 0) {
        const int error = errno;
        fail_nth(0);
        close(fd);
        errno = error;
        return -1;
    }
    const ssize_t wrote = pwrite(fd, "new", 3, 0);
    const int error = errno;
    fail_nth(0);
    SAME(fgetxattr(fd, "security.capability", NULL, 0), wrote == 3 ? -1 : (long)sizeof capability);
    SAME(pread(fd, bytes, 3, 0), 3);
    CHECK(strcmp(bytes, wrote == 3 ? "new" : "old") == 0);
    close(fd);
    errno = error;
    return wrote == 3 ? 0 : -1;
}

static void files(void) {
    SAME(closed(open("file", O_RDWR | O_CREAT, 0600)), 0);
    SAME(mkdir("point", 0700), 0);
    exhaust("open", call_create);
    exhaust("mkdir", call_mkdir);
    exhaust("symlink", call_symlink);
    exhaust("link", call_link);
    exhaust("mknod", call_mknod);
    exhaust("rename", call_rename);
    exhaust("mount", call_mount);
    exhaust("write", call_large_write);
    exhaust("stat", call_stat);
    exhaust("setxattr", call_xattr);
    exhaust("listxattr", call_listxattr);
    exhaust("removexattr", call_removexattr);
    exhaust("write with capability", call_privileged_write);
}

// ---- native calls

static int native_errno(int64_t result) {
    errno = result == HX_ERR_NO_MEMORY ? ENOMEM : result < 0 ? EIO : 0;
    return result < 0 ? -1 : 0;
}

static int call_event(void) {
    const int64_t handle = NATIVE(event_create, 0);
    if (handle > 0) {
        const int64_t derived = NATIVE(handle_derive, handle, HX_RIGHT_WAIT);
        struct hx_wait_item item = { .handle = (handle_t)handle, .mask = HX_STATE_USER };
        const int64_t waited = NATIVE(wait, &item, 1, 0);
        NATIVE(handle_close, handle);
        if (derived < 0 || waited != HX_ERR_TIMED_OUT) {
            return native_errno(derived < 0 ? derived : waited);
        }
        NATIVE(handle_close, derived);
    }
    return native_errno(handle);
}

static int call_redeem(void) {
    static struct hx_token token;
    static int64_t sealed;
    if (sealed == 0) {
        const int64_t event = NATIVE(event_create, 0);
        sealed = NATIVE(handle_derive, event, HX_RIGHTS_ALL);
        NEED(sealed > 0 && NATIVE(handle_seal, sealed, ~0ull, TIME_NEVER, &token) == HX_OK);
    }
    const int64_t handle = NATIVE(handle_redeem, &token);
    return handle < 0 ? native_errno(handle) : native_errno(NATIVE(handle_close, handle));
}

static int call_channel(void) {
    handle_t ends[2];
    struct hx_channel_view view;
    const int64_t made = NATIVE(channel_create, 64, ends);
    if (made != HX_OK) {
        return native_errno(made);
    }
    const int64_t mapped = NATIVE(channel_map, ends[0], &view);
    fail_nth(0);
    if (mapped == HX_OK) {
        SAME(munmap((void *)(uintptr_t)view.address, 3 * 4096), 0);
    }
    SAME(NATIVE(handle_close, ends[0]), HX_OK);
    SAME(NATIVE(handle_close, ends[1]), HX_OK);
    return native_errno(mapped);
}

static int call_memory(void) {
    const int64_t memory = NATIVE(memory_create, 64 * 4096);
    if (memory < 0) {
        return native_errno(memory);
    }
    const int64_t at = NATIVE(memory_map, memory, 4096, 8192, HX_PROTECTION_READ);
    fail_nth(0);
    if (at > 0) {
        SAME(munmap((void *)(uintptr_t)at, 8192), 0);
    }
    SAME(NATIVE(handle_close, memory), HX_OK);
    return native_errno(at);
}

static int call_resize(void) {
    static int64_t memory;
    if (memory == 0) {
        memory = NATIVE(memory_create, 64 * 4096);
        const int64_t at = NATIVE(memory_map, memory, 0, 64 * 4096, 3);
        NEED(at > 0);
        for (int64_t i = 0; i < 64; i++) {
            *(volatile char *)(uintptr_t)(at + i * 4096) = 1;
        }
    }
    const int64_t less = NATIVE(memory_resize, memory, 8 * 4096);
    return native_errno(less != HX_OK ? less : NATIVE(memory_resize, memory, 64 * 4096));
}

static int call_native_timer(void) {
    const int64_t timer = NATIVE(timer_create);
    if (timer < 0) {
        return native_errno(timer);
    }
    const int64_t set = NATIVE(timer_set, timer, 1, 0);
    fail_nth(0);
    SAME(NATIVE(handle_close, timer), HX_OK);
    return native_errno(set);
}

// In `account`, or the caller's (0); by a handle of its file (0: by its path).
static int spawn_true(handle_t account, handle_t file) {
    static const char *const arguments[] = { "true", NULL };
    static const int32_t descriptors[] = { 0, 1, 2 };
    const struct hx_spawn spawn = { .path = (uintptr_t)"/bin/true",
                                    .arguments = (uintptr_t)arguments,
                                    .account = account,
                                    .file = file };
    const int64_t process = NATIVE(process_spawn, &spawn, descriptors, 3);
    fail_nth(0);
    if (process < 0) {
        REFUSED(waitpid(-1, NULL, 0), ECHILD);
        return native_errno(process);
    }
    EXITS(-1, 0);
    SAME(NATIVE(handle_close, process), HX_OK);
    return 0;
}

static int call_spawn(void) {
    return spawn_true(0, 0);
}

static int call_spawn_file(void) {
    static int64_t file;
    if (file == 0) {
        file = NATIVE(file_handle, open("/bin/true", O_RDONLY));
        NEED(file > 0);
    }
    return spawn_true(0, (handle_t)file);
}

// An account, and a child in it, to which nothing is charged any more when the last call returns.
static int call_account(void) {
    const struct hx_account_amounts some = { .amounts = { 5, 5, 5, 5, 5 } };
    const int64_t own = NATIVE(account_own);
    if (own < 0) {
        return native_errno(own);
    }
    const int64_t account = NATIVE(account_create, own, &some);
    const int result = account < 0 ? native_errno(account) : spawn_true((handle_t)account, 0);
    const int error = errno;
    fail_nth(0);
    SAME(NATIVE(handle_close, own), HX_OK);
    if (account > 0) {
        SAME(NATIVE(handle_close, account), HX_OK);
    }
    errno = error;
    return result;
}

// What is in use of the kernel's caches, by /proc/slabinfo; `line_format` says of which.
static long objects_of(const char *line_format) {
    char line[256];
    long sum = 0, active;
    const int caches = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    NEED(caches >= 0);
    SAME(write(caches, "3", 1), 1);
    close(caches);
    FILE *file = fopen("/proc/slabinfo", "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        sum += sscanf(line, line_format, &active) == 1 ? active : 0;
    }
    fclose(file);
    NEED(sum > 0);
    return sum;
}

// Whether fewer than `limit` are in use, as soon as what was retired has been freed: grace periods
// of busy processors take their time.
static bool falls_below(const char *line_format, long limit) {
    for (int i = 0; i < 500; i++) {
        if (objects_of(line_format) < limit) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

#define SLABS_BYTES 8192

static void slabs_read(char *out_text) {
    const int file = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);
    const ssize_t length = read(file, out_text, SLABS_BYTES - 1);
    close(file);
    NEED(length > 0);
    out_text[length] = 0;
}

// Which caches have more in use than they had in `before`, for who looks for what was left behind.
static void tell_grown(const char *before) {
    char after[SLABS_BYTES], name[64];
    long active, then;
    slabs_read(after);
    for (const char *line = strchr(after, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        if (sscanf(line, " %63s %ld", name, &active) != 2) {
            continue;
        }
        const char *same = strstr(before, name);
        if (same != NULL && sscanf(same, "%*s %ld", &then) == 1 && active > then) {
            dprintf(1, "%s: %ld, then %ld\n", name, then, active);
        }
    }
}

// A child that does not come to be leaves nothing behind.
static void spawns(void) {
    const int rounds = 20;
    char slabs[SLABS_BYTES];
    // Once each, and a look: what they keep for good, and what the C library maps for itself, is
    // there before it is counted.
    SAME(call_spawn() | call_account() | call_resize() | call_spawn_file(), 0);
    slabs_read(slabs);
    (void)objects_of("%*s %ld");
    const long before = objects_of("%*s %ld");
    slabs_read(slabs);
    for (int i = 0; i < rounds; i++) {
        exhaust("spawn", call_spawn);
    }
    for (int i = 0; i < rounds; i++) {
        exhaust("account", call_account);
        exhaust("resize", call_resize);
        exhaust("spawn by handle", call_spawn_file);
    }
    const bool is_clean = falls_below("%*s %ld", before + rounds / 2);
    CHECK(is_clean);
    if (!is_clean) {
        tell_grown(slabs);
    }
}

// In a process without handles: the allocations of a channel, and those of the table for its ends.
// Gives whether there were so many.
static bool first_channel(int nth) {
    const pid_t pid = fork();
    if (pid == 0) {
        handle_t ends[2];
        fail_nth(nth);
        const int64_t result = NATIVE(channel_create, 64, ends);
        fail_nth(0);
        CHECK(result == HX_OK || result == HX_ERR_NO_MEMORY);
        _exit(check_failures != 0 ? 2 : result == HX_OK);
    }
    const int status = check_wait(pid);
    CHECK(status == 0 || status == 1 << 8);
    return status == 0;
}

// Each round ends with one that works, or a full slab would hide what the others lose.
static void first_channels(void) {
    const int rounds = 100;
    int nth;
    const long before = objects_of("heap-%*s %ld");
    for (int i = 0; i < rounds; i++) {
        for (nth = 1; nth < MOST && first_channel(nth); nth++) {
        }
        CHECK(nth > 4 && nth < MOST);
    }
    CHECK(falls_below("heap-%*s %ld", before + rounds / 2));
}

// A process whose first block of handles is full: what cannot be received is still there, in its
// order.
static void receiving_child(void) {
    const int64_t end = NATIVE(handle_given);
    for (int i = 1; i < 32; i++) {
        CHECK(NATIVE(event_create, 0) > 0);
    }
    fail_nth(1);
    const int64_t refused = NATIVE(channel_receive, end);
    fail_nth(0);
    SAME(refused, HX_ERR_NO_MEMORY);
    for (uint32_t i = 0; i < 2; i++) {
        struct hx_wait_item item = { .mask = HX_STATE_USER };
        const int64_t got = NATIVE(channel_receive, end);
        CHECK(got > 0);
        item.handle = (handle_t)got;
        SAME(NATIVE(wait, &item, 1, 0), 1);
        SAME(item.out_state, 1u << (8 + i));
    }
    _exit(check_failures != 0);
}

static void receiving(void) {
    handle_t ends[2];
    SAME(NATIVE(channel_create, 64, ends), HX_OK);
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t event = NATIVE(event_create, 1u << (8 + i));
        SAME(NATIVE(channel_send, ends[0], event), HX_OK);
    }
    SAME(NATIVE(handle_bequeath, ends[1]), HX_OK);
    const pid_t pid = fork();
    if (pid == 0) {
        receiving_child();
    }
    SAME(check_wait(pid), 0);
}

// A process that has no table of handles yet keeps what it was given.
static void being_given(void) {
    const int64_t event = NATIVE(event_create, 0);
    SAME(NATIVE(handle_bequeath, event), HX_OK);
    const pid_t pid = fork();
    if (pid == 0) {
        fail_nth(1);
        const int64_t refused = NATIVE(handle_given);
        fail_nth(0);
        SAME(refused, HX_ERR_NO_MEMORY);
        CHECK(NATIVE(handle_given) > 0);
        _exit(check_failures != 0);
    }
    SAME(check_wait(pid), 0);
}

// A process that has no table yet.
static int call_first_event(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(3);
    }
    return pid < 0 ? -1 : (check_wait(pid), call_event());
}

static void native(void) {
    exhaust("event", call_event);
    exhaust("memory", call_memory);
    exhaust("timer", call_native_timer);
    exhaust("account", call_account);
    exhaust("first event", call_first_event);
    first_channels();
    exhaust("redeem", call_redeem);
    exhaust("channel", call_channel);
    receiving();
    being_given();
}

// ---- faults at random

static int faults = -1; // /proc/helix/faults

static void faults_set(const char *text) {
    while (pwrite(faults, text, strlen(text), 0) < 0) {
        const int error = errno; // it may be struck itself
        SAME(error, ENOMEM);
    }
}

// How often a kind struck.
static uint64_t struck(const char *kind) {
    char text[256] = { 0 };
    NEED(pread(faults, text, sizeof text - 1, 0) > 0);
    const char *line = strstr(text, kind);
    unsigned one_in = 1;
    unsigned long long count = 0;
    NEED(line != NULL && sscanf(line + strlen(kind), "%u %llu", &one_in, &count) == 2);
    SAME(one_in, 0);
    return count;
}

static void *answer(void *pipes) {
    const int *ends = pipes;
    char byte;
    while (read(ends[0], &byte, 1) == 1 && write(ends[3], &byte, 1) == 1) {
    }
    return NULL;
}

// Each byte comes back once, however often somebody wakes for nothing.
static void ping_pong(void) {
    int ends[4];
    char got;
    pthread_t thread;
    SAME(pipe(ends), 0);
    SAME(pipe(ends + 2), 0);
    SAME(pthread_create(&thread, NULL, answer, ends), 0);
    faults_set("wake 2");
    for (int i = 0; i < 300; i++) {
        const char sent = (char)i;
        SAME(write(ends[1], &sent, 1), 1);
        SAME(read(ends[2], &got, 1), 1);
        SAME(got, sent);
    }
    faults_set("wake 0");
    close(ends[1]);
    pthread_join(thread, NULL);
    for (int i = 0; i < 4; i++) {
        close(ends[i]);
    }
}

static void at_random(void) {
    static const char *const wrong[] = {
        "x", "wake", "wake ", "wake -1", "wake 4294967296", "allocation 1"
    };
    faults = open("/proc/helix/faults", O_RDWR | O_CLOEXEC);
    NEED(faults >= 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        REFUSED(pwrite(faults, wrong[i], strlen(wrong[i]), 0), EINVAL);
    }
    const uint64_t before = struck("allocation");
    int opened = 0, refused = 0;
    faults_set("allocation 3");
    for (int i = 0; i < 200; i++) {
        int fd = eventfd(0, 0);
        opened += fd >= 0;
        refused += fd < 0 && errno == ENOMEM;
        close(fd);
    }
    faults_set("allocation 0");
    SAME(opened + refused, 200);
    CHECK(opened > 0 && refused > 0 && struck("allocation") - before >= (uint64_t)refused);
    const uint64_t woken = struck("wake");
    ping_pong();
    CHECK(struck("wake") > woken);
    close(faults);
}

static void begin(void) {
    control = open("/proc/helix/fail_nth", O_RDWR | O_CLOEXEC);
    NEED(control >= 0);
}

#define WITH(name)                                                                                 \
    static void failing_##name(void) {                                                             \
        begin();                                                                                   \
        name();                                                                                    \
    }
WITH(processes)
WITH(exec)
WITH(memory)
WITH(files)
WITH(native)
WITH(spawns)

static const struct check_case cases[] = {
    CASE(failing_processes), CASE(failing_exec),   CASE(failing_memory), CASE(failing_files),
    CASE(failing_native),    CASE(failing_spawns), CASE(at_random),
};
CHECK_MAIN(cases)
