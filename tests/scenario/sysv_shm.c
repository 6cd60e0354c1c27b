// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Shared memory of System V: segments, keys and rights, attaching, what becomes of attachments.
#include "sysv.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/shm.h>

#define PAGE 4096ul
#define KEY  0x48780001

#ifndef SHM_EXEC
#define SHM_EXEC 0100000
#endif
#define OF_HUGE_PAGES 04000
#define OF_HUGE_LOG   26

static void *const nowhere = (void *)-1;

static int made(size_t size) {
    const int id = shmget(IPC_PRIVATE, size, 0600);
    NEED(id >= 0);
    return id;
}

static struct shmid_ds state_of(int id) {
    struct shmid_ds state;
    memset(&state, 0x55, sizeof state);
    NEED(shmctl(id, IPC_STAT, &state) == 0);
    return state;
}

static long attached(int id) {
    return (long)state_of(id).shm_nattch;
}

static char *at(int id, const void *place, int flags) {
    char *memory = shmat(id, place, flags);
    NEED(memory != nowhere);
    return memory;
}

static void removed(int id) {
    SAME(shmctl(id, IPC_RMID, NULL), 0);
}

static void keys(void) {
    REFUSED(shmget(KEY, PAGE, 0600), ENOENT);
    const int id = shmget(KEY, 5000, IPC_CREAT | 0640);
    NEED(id >= 0);
    SAME(shmget(KEY, 0, 0), id);
    SAME(shmget(KEY, 5000, 0600), id);
    SAME(shmget(KEY, 100, IPC_CREAT), id);
    REFUSED(shmget(KEY, 5001, 0), EINVAL);
    REFUSED(shmget(KEY, 5001, IPC_CREAT | IPC_EXCL), EEXIST);
    REFUSED(shmget(KEY, 100, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    REFUSED(shmget(KEY + 1, 0, IPC_CREAT | 0600), EINVAL);
    REFUSED(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    REFUSED(shmget(IPC_PRIVATE, SIZE_MAX, 0600), EINVAL);
    const struct shmid_ds state = state_of(id);
    SAME(state.shm_perm.__key, KEY);
    SAME(state.shm_perm.mode, 0640);
    SAME(state.shm_perm.uid, 0);
    SAME(state.shm_perm.cuid, 0);
    SAME(state.shm_segsz, 5000);
    SAME(state.shm_cpid, getpid());
    SAME(state.shm_lpid, 0);
    SAME(state.shm_atime, 0);
    SAME(state.shm_dtime, 0);
    CHECK(state.shm_ctime > 0 && state.shm_ctime <= time(NULL));
    SAME(state.shm_nattch, 0);
    removed(id);
    REFUSED(shmget(KEY, 0, 0), ENOENT);
    REFUSED(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }), EINVAL);
    REFUSED(shmctl(id, IPC_RMID, NULL), EINVAL);
    REFUSED((long)shmat(id, NULL, 0), EINVAL);
}

// An id does not come back soon, though its index does.
static void ids(void) {
    const int first = made(PAGE);
    removed(first);
    bool same = false;
    int last = first;
    for (int i = 0; i < 200; i++) {
        const int id = made(PAGE);
        same |= id == first || id == last;
        last = id;
        removed(id);
    }
    CHECK(!same);
}

static void memory(void) {
    const int id = made(3 * PAGE - 100);
    char *first = at(id, NULL, 0);
    char *second = at(id, NULL, 0);
    CHECK(first != second);
    SAME(attached(id), 2);
    SAME(first[2 * PAGE], 0);
    strcpy(first + PAGE, "text");
    SAME(strcmp(second + PAGE, "text"), 0);
    first[3 * PAGE - 1] = 1; // the last page is whole
    SAME(second[3 * PAGE - 1], 1);
    SAME(shmdt(first), 0);
    SAME(attached(id), 1);
    REFUSED(shmdt(first), EINVAL);
    REFUSED(shmdt(second + PAGE), EINVAL);
    REFUSED(shmdt(second + 1), EINVAL);
    REFUSED(shmdt(NULL), EINVAL);
    SAME(shmdt(second), 0);
    SAME(attached(id), 0);
    first = at(id, NULL, 0); // it is all there
    SAME(strcmp(first + PAGE, "text"), 0);
    const struct shmid_ds state = state_of(id);
    SAME(state.shm_lpid, getpid());
    CHECK(state.shm_atime >= state.shm_ctime && state.shm_dtime >= state.shm_ctime);
    removed(id);
}

static void writes(char *memory) {
    pid_t pid;
    CHILD(pid) {
        *(volatile char *)memory = 1;
    }
    KILLED(pid, SIGSEGV);
}

static void reads_only(void) {
    const int id = made(PAGE);
    char *memory = at(id, NULL, 0);
    const char *read_only = at(id, NULL, SHM_RDONLY);
    memory[10] = 77;
    SAME(read_only[10], 77);
    writes((char *)read_only);
    REFUSED(mprotect((char *)read_only, PAGE, PROT_READ | PROT_WRITE), EACCES);
    SAME(mprotect(memory, PAGE, PROT_READ), 0);
    writes(memory);
    SAME(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), 0);
    memory[11] = 78;
    SAME(read_only[11], 78);
    const char *code = at(id, NULL, SHM_RDONLY | SHM_EXEC);
    SAME(code[11], 78);
    removed(id);
}

static void places(void) {
    const int id = made(2 * PAGE);
    char *room = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(room != MAP_FAILED);
    REFUSED((long)shmat(id, room, 0), EINVAL);
    REFUSED((long)shmat(id, room + 1, 0), EINVAL);
    REFUSED((long)shmat(id, NULL, SHM_REMAP), EINVAL);
    REFUSED((long)shmat(id, (void *)5, SHM_REMAP | SHM_RND), EINVAL);
    REFUSED((long)shmat(-1, NULL, 0), EINVAL);
    REFUSED((long)shmat(0x7fffffff, NULL, 0), EINVAL);
    SAME(attached(id), 0);
    room[2 * PAGE] = 5;
    NEED(munmap(room, 2 * PAGE) == 0);
    SAME((long)shmat(id, room + 100, SHM_RND), (long)room);
    SAME(room[0], 0);
    REFUSED((long)shmat(id, room + PAGE, 0), EINVAL);
    SAME((long)shmat(id, room + 2 * PAGE + 9, SHM_RND | SHM_REMAP), (long)(room + 2 * PAGE));
    SAME(room[2 * PAGE], 0);
    SAME(attached(id), 2);
    SAME((long)shmat(id, room, SHM_REMAP), (long)room); // over itself
    SAME(attached(id), 2);
    // What is unmapped, or mapped over, is detached.
    NEED(munmap(room + 2 * PAGE, 2 * PAGE) == 0);
    SAME(attached(id), 1);
    NEED(mmap(room, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == room);
    SAME(attached(id), 0);
    removed(id);
}

// Each piece of a mapping counts, as on Linux.
static void pieces(void) {
    const int id = made(4 * PAGE);
    char *memory = at(id, NULL, 0);
    SAME(mprotect(memory + PAGE, PAGE, PROT_READ), 0);
    SAME(attached(id), 3);
    SAME(mprotect(memory + PAGE, PAGE, PROT_READ | PROT_WRITE), 0); // may be one again
    SAME(munmap(memory + PAGE, PAGE), 0);
    CHECK(attached(id) >= 2);
    REFUSED(shmdt(memory + PAGE), EINVAL);
    SAME(shmdt(memory), 0); // all that is left of it
    SAME(attached(id), 0);
    memory = at(id, NULL, 0);
    SAME(munmap(memory, PAGE), 0);
    SAME(shmdt(memory), 0); // the rest is known by its place
    SAME(attached(id), 0);
    memory = at(id, NULL, 0);
    char *moved =
        mremap(memory, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory - 16 * PAGE);
    SAME((long)moved, (long)(memory - 16 * PAGE));
    SAME(attached(id), 1);
    SAME(shmdt(moved), 0);
    SAME(attached(id), 0);
    removed(id);
}

// It goes when nobody has it attached any more; till then it has its id, but no key.
static void removal(void) {
    const int id = shmget(KEY + 2, PAGE, IPC_CREAT | 0600);
    NEED(id >= 0);
    char *memory = at(id, NULL, 0);
    memory[0] = 9;
    removed(id);
    REFUSED(shmget(KEY + 2, 0, 0), ENOENT);
    const struct shmid_ds state = state_of(id);
    SAME(state.shm_perm.__key, IPC_PRIVATE);
    SAME(state.shm_perm.mode, 01600);
    const int other = shmget(KEY + 2, PAGE, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other >= 0 && other != id);
    removed(other);
    char *again = at(id, NULL, 0);
    SAME(again[0], 9);
    removed(id);
    SAME(shmdt(memory), 0);
    SAME(attached(id), 1);
    SAME(shmdt(again), 0);
    REFUSED(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }), EINVAL);
}

static void children(void) {
    const int id = made(PAGE);
    volatile char *memory = at(id, NULL, 0);
    int line[2];
    pid_t pid;
    char byte;
    NEED(pipe(line) == 0);
    CHILD(pid) {
        SAME(attached(id), 2);
        memory[1] = 42;
        SAME(shmdt((char *)memory), 0);
        SAME(attached(id), 1);
        SAME(state_of(id).shm_lpid, getpid());
    }
    EXITS(pid, 0);
    SAME(memory[1], 42);
    SAME(attached(id), 1);
    CHILD(pid) { // ends with it
        SAME(attached(id), 2);
    }
    EXITS(pid, 0);
    SAME(attached(id), 1);
    SAME(state_of(id).shm_lpid, pid);
    CHILD(pid) { // is killed with it
        NEED(write(line[1], "x", 1) == 1);
        for (;;) {
            pause();
        }
    }
    NEED(read(line[0], &byte, 1) == 1);
    SAME(attached(id), 2);
    NEED(kill(pid, SIGKILL) == 0);
    KILLED(pid, SIGKILL);
    SAME(attached(id), 1);
    removed(id); // and is there until the last one ends
    CHILD(pid) {
        SAME(memory[1], 42);
        SAME(attached(id), 2);
    }
    EXITS(pid, 0);
    SAME(attached(id), 1);
    SAME(shmdt((char *)memory), 0);
    REFUSED(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }), EINVAL);
}

// The next program has nothing attached.
static void exec(void) {
    const int id = made(PAGE);
    char *memory = at(id, NULL, 0);
    int line[2];
    pid_t pid;
    memory[0] = 1;
    NEED(pipe(line) == 0);
    CHILD(pid) {
        SAME(attached(id), 2);
        NEED(dup2(line[0], 0) == 0);
        close(line[1]);
        execl("/proc/self/exe", "waits", "for the end", NULL);
        _exit(99);
    }
    close(line[0]);
    NEED(write(line[1], "a", 1) == 1);
    while (attached(id) != 1) { // it is on its way
        sched_yield();
    }
    close(line[1]);
    EXITS(pid, 0);
    SAME(attached(id), 1);
    removed(id);
}

static void rights(void) {
    const int id = made(PAGE);
    const int readable = shmget(KEY + 3, PAGE, IPC_CREAT | 0604);
    const int grouped = shmget(KEY + 4, PAGE, IPC_CREAT | 0060);
    struct shmid_ds state = state_of(grouped);
    pid_t pid;
    NEED(readable >= 0);
    state.shm_perm.gid = SOMEGROUP;
    SAME(shmctl(grouped, IPC_SET, &state), 0);
    CHILD(pid) {
        become(SOMEWHO, SOMEWHO);
        REFUSED((long)shmat(id, NULL, 0), EACCES);
        REFUSED((long)shmat(id, NULL, SHM_RDONLY), EACCES);
        REFUSED(shmctl(id, IPC_STAT, &state), EACCES);
        REFUSED(shmctl(id, IPC_RMID, NULL), EPERM);
        REFUSED(shmctl(id, IPC_SET, &state), EPERM);
        REFUSED(shmctl(id, SHM_LOCK, NULL), EPERM);
        REFUSED(shmctl(id, SHM_UNLOCK, NULL), EPERM);
        REFUSED(shmget(KEY + 3, 0, 0600), EACCES);
        SAME(shmget(KEY + 3, 0, 0400), readable);
        SAME(shmget(KEY + 3, 0, 0), readable);
        SAME(shmctl(readable, IPC_STAT, &state), 0);
        REFUSED((long)shmat(readable, NULL, 0), EACCES);
        REFUSED((long)shmat(readable, NULL, SHM_RDONLY | SHM_EXEC), EACCES);
        CHECK(shmat(readable, NULL, SHM_RDONLY) != nowhere);
        REFUSED((long)shmat(grouped, NULL, 0), EACCES);
        REFUSED(shmget(IPC_PRIVATE, PAGE, OF_HUGE_PAGES | 0600), EPERM);
    }
    EXITS(pid, 0);
    CHILD(pid) {
        become(SOMEWHO, SOMEGROUP);
        CHECK(shmat(grouped, NULL, 0) != nowhere);
        REFUSED(shmctl(grouped, IPC_RMID, NULL), EPERM);
        const int own = made(PAGE);
        state = state_of(own);
        SAME(state.shm_perm.cuid, SOMEWHO);
        SAME(state.shm_perm.cgid, SOMEGROUP);
        state.shm_perm.uid = 5;
        state.shm_perm.mode = 07000;
        SAME(shmctl(own, IPC_SET, &state), 0);
        REFUSED((long)shmat(own, NULL, 0), EACCES); // its maker is still one of its owners
        state.shm_perm.mode = 0600;
        SAME(shmctl(own, IPC_SET, &state), 0);
        CHECK(shmat(own, NULL, 0) != nowhere);
        state = state_of(own);
        SAME(state.shm_perm.uid, 5);
        SAME(state.shm_perm.cuid, SOMEWHO);
        SAME(state.shm_perm.mode, 0600);
        removed(own);
    }
    EXITS(pid, 0);
    state.shm_perm.uid = (uid_t)-1;
    REFUSED(shmctl(id, IPC_SET, &state), EINVAL);
    removed(id);
    removed(readable);
    removed(grouped);
}

static void refusals(void) {
    const int id = made(PAGE);
    struct shmid_ds state;
    REFUSED(shmctl(id, 99, &state), EINVAL);
    REFUSED(shmctl(id, -1, &state), EINVAL);
    REFUSED(shmctl(-1, IPC_STAT, &state), EINVAL);
    REFUSED(shmctl(-1, IPC_INFO, &state), EINVAL);
    REFUSED(syscall(SYS_shmctl, id, IPC_STAT, 8), EFAULT);
    REFUSED(syscall(SYS_shmctl, id, IPC_SET, 8), EFAULT);
    REFUSED(syscall(SYS_shmctl, -1 & 0x7fffffff, IPC_SET, 8), EFAULT);
    REFUSED(shmctl(0x7fffffff, IPC_RMID, NULL), EINVAL);
    REFUSED(shmctl(0x7fffffff, SHM_LOCK, NULL), EINVAL);
    REFUSED(syscall(SYS_shmctl, 0, SHM_INFO, 8), EFAULT);
    REFUSED(syscall(SYS_shmctl, 0, IPC_INFO, 8), EFAULT);
    REFUSED(shmget(IPC_PRIVATE, PAGE, OF_HUGE_PAGES | 0600), ENOMEM);
    REFUSED(shmget(IPC_PRIVATE, PAGE, OF_HUGE_PAGES | 5 << OF_HUGE_LOG | 0600), EINVAL);
    SAME(shmctl(id, SHM_LOCK, NULL), 0);
    SAME(state_of(id).shm_perm.mode, 02600);
    SAME(shmctl(id, SHM_UNLOCK, NULL), 0);
    SAME(state_of(id).shm_perm.mode, 0600);
    const struct rlimit none = { 2 * PAGE, 2 * PAGE };
    NEED(setrlimit(RLIMIT_AS, &none) == 0);
    REFUSED(syscall(SYS_shmat, id, NULL, 0), ENOMEM);
    SAME(attached(id), 0);
    removed(id);
}

// What lists of segments are made of.
static void lists(void) {
    const int id = made(3 * PAGE);
    char *memory = at(id, NULL, 0);
    struct shminfo limits;
    struct shm_info usage;
    struct shmid_ds state;
    memory[0] = 1;
    memory[PAGE] = 1;
    const int highest = shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&limits);
    CHECK(highest >= (id & 0x7fff));
    SAME(limits.shmmax, ULONG_MAX - (1ul << 24));
    SAME(limits.shmmin, 1);
    SAME(limits.shmmni, 4096);
    SAME(limits.shmseg, 4096);
    SAME(limits.shmall, ULONG_MAX - (1ul << 24));
    SAME(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&usage), highest);
    CHECK(usage.used_ids >= 1);
    CHECK(usage.shm_tot >= 3);
    CHECK(usage.shm_rss >= 2);
    SAME(shmctl(id & 0x7fff, SHM_STAT, &state), id);
    SAME(state.shm_segsz, 3 * PAGE);
    SAME(shmctl(id & 0x7fff, 15 /* SHM_STAT_ANY */, &state), id);
    REFUSED(shmctl(0x7ffe, SHM_STAT, &state), EINVAL);
    pid_t pid;
    CHILD(pid) {
        become(SOMEWHO, SOMEWHO);
        REFUSED(shmctl(id & 0x7fff, SHM_STAT, &state), EACCES);
        SAME(shmctl(id & 0x7fff, 15, &state), id);
        CHECK(line_of("/proc/sysvipc/shm", id) != NULL);
    }
    EXITS(pid, 0);
    removed(id);
}

static void in_proc(void) {
    const int id = shmget(KEY + 5, 3 * PAGE, IPC_CREAT | 0640);
    NEED(id >= 0);
    char *memory = at(id, NULL, 0);
    char wanted[512];
    memory[0] = 1;
    CHECK(
        strncmp(contents("/proc/sysvipc/shm"),
                "       key      shmid perms                  size  cpid  lpid nattch   uid   gid "
                " cuid  cgid      atime      dtime      ctime                   rss             "
                "     swap\n",
                160) == 0);
    const struct shmid_ds state = state_of(id);
    snprintf(wanted, sizeof wanted,
             "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu",
             KEY + 5, id, 0640u, 3 * PAGE, getpid(), getpid(), 1ul, 0u, 0u, 0u, 0u,
             (unsigned long)state.shm_atime, 0ul, (unsigned long)state.shm_ctime, PAGE, 0ul);
    const char *line = line_of("/proc/sysvipc/shm", id);
    CHECK(line != NULL && strcmp(line, wanted) == 0);
    snprintf(wanted, sizeof wanted, "%d /SYSV%08x (deleted)\n", id, (unsigned)(KEY + 5));
    char range[64];
    snprintf(range, sizeof range, "%lx-%lx rw-s 00000000 ", (unsigned long)memory,
             (unsigned long)memory + 3 * PAGE);
    char *found = strstr(contents("/proc/self/maps"), range);
    CHECK(found != NULL);
    char *name = found != NULL ? strstr(found, "/SYSV") : NULL;
    snprintf(wanted, sizeof wanted, "/SYSV%08x (deleted)\n", (unsigned)(KEY + 5));
    CHECK(name != NULL && strncmp(name, wanted, strlen(wanted)) == 0);
    removed(id);
    SAME(strcmp(contents("/proc/sys/kernel/shmmax"), "18446744073692774399\n"), 0);
    SAME(strcmp(contents("/proc/sys/kernel/shmall"), "18446744073692774399\n"), 0);
    SAME(strcmp(contents("/proc/sys/kernel/shmmni"), "4096\n"), 0);
}

// Many, and all of them go again.
static void many(void) {
    enum { COUNT = 4096 };
    static int ids[COUNT + 1];
    int count = 0;
    while (count <= COUNT && (ids[count] = shmget(IPC_PRIVATE, 1, 0600)) >= 0) {
        count++;
    }
    REFUSED(shmget(IPC_PRIVATE, 1, 0600), ENOSPC);
    struct shm_info usage;
    CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&usage) >= 0);
    SAME(usage.used_ids, COUNT);
    CHECK(count > COUNT - 100);
    for (int i = 0; i < count; i++) {
        SAME(shmctl(ids[i], IPC_RMID, NULL), 0);
    }
}

// Processes that attach and detach while it is removed find it, or that it is gone.
static void races(void) {
    for (int round = 0; round < 20; round++) {
        const int id = made(PAGE);
        pid_t pids[3];
        for (int i = 0; i < 3; i++) {
            CHILD(pids[i]) {
                for (;;) {
                    char *memory = shmat(id, NULL, 0);
                    if (memory == nowhere) {
                        const int error = errno;
                        CHECK(error == EINVAL || error == EIDRM);
                        break;
                    }
                    memory[0]++;
                    SAME(shmdt(memory), 0);
                }
            }
        }
        while (state_of(id).shm_atime == 0) {
            sched_yield();
        }
        removed(id);
        for (int i = 0; i < 3; i++) {
            EXITS(pids[i], 0);
        }
        REFUSED(shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }), EINVAL);
    }
}

static const struct check_case cases[] = {
    CASE(keys),     CASE(ids),     CASE(memory),   CASE(reads_only), CASE(places),
    CASE(pieces),   CASE(removal), CASE(children), CASE(exec),       CASE(rights),
    CASE(refusals), CASE(lists),   CASE(in_proc),  CASE(many),       CASE(races),
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[0], "waits") == 0) {
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
        return 0;
    }
    return check_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
