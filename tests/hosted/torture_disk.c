// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/torture_disk.c: pieces of work on the disk. What was written wholly is wholly there;
// what failed may have changed its own range alone, which is then written again until it succeeds.
//
// Each worker has a region, whose two halves are a process's two users, a thread each; all borders
// lie within sectors, so that neighbours change parts of the same one.
#include "torture.h"

#include <lib/string.h>

#define SECTOR     512u
#define PART_AT    (9u * SECTOR) // where the partition begins
#define FIRST      (PART_AT + 777u)
#define HALF       20011u // bytes of a user
#define MOST       (HALF / 2)
#define VICTIM     3001u // of them are the victim's
#define OPERATIONS 10u

#define BLKDISCARD 0x1277u

// Files: all of the disk, its partition, and all of it with O_DIRECT.
enum { WHOLE, PART, DIRECT, FILE_COUNT };

#define FILES (PAD + 0xb0000)
#define PIECE 512u

struct user {
    struct chance chance;
    uint64_t at;    // of its bytes, on the disk
    uint64_t seen;  // user memory that an operation moves
    uint64_t mine;  // what there ought to be
    uint64_t range; // for BLKDISCARD
};

static uint64_t file_of(uint32_t which) {
    return hosted_load(FILES + which * 8, 8);
}

static void files_close(uint32_t count) {
    while (count-- > 0) {
        SAME(CALL(close, file_of(count)), 0);
    }
}

static bool files_open(void) {
    static const char *const names[] = { "/dev/vda", "/dev/vda1", "/dev/vda" };
    for (uint32_t i = 0; i < FILE_COUNT; i++) {
        const int64_t file = CALL(openat, (uint64_t)AT_FDCWD, text_at(PATH, names[i]),
                                  O_RDWR | (i == DIRECT ? O_DIRECT : 0));
        if (!done(file)) {
            files_close(i);
            return false;
        }
        hosted_store(FILES + i * 8, (uint64_t)file, 8);
    }
    return true;
}

// How many of the bytes were moved. Less than all of them, and none for an error, are faults.
static uint64_t moved(const struct user *user, int64_t result, uint64_t size) {
    const bool in_peace = user->chance.in_peace;
    NEED(result == (int64_t)size ||
         (!in_peace && (result == -EIO || (result > 0 && result < (int64_t)size))) ||
         result == -ENOMEM);
    return result < 0 ? 0 : (uint64_t)result;
}

static void bytes_make(struct user *user, uint64_t to, uint64_t size) {
    uint64_t bytes[PIECE / 8];
    for (uint64_t done_bytes = 0; done_bytes < size; done_bytes += PIECE) {
        for (uint32_t i = 0; i < PIECE / 8; i++) {
            bytes[i] = (uint64_t)below(&user->chance, UINT32_MAX) << 32 | user->chance.state >> 32;
        }
        const uint64_t left = size - done_bytes;
        hosted_write(to + done_bytes, bytes, left < PIECE ? left : PIECE);
    }
}

static void bytes_are(uint64_t seen, uint64_t expected, uint64_t size) {
    uint8_t first[PIECE], second[PIECE];
    for (uint64_t at = 0; at < size; at += PIECE) {
        const size_t length = size - at < PIECE ? size - at : PIECE;
        hosted_read(first, seen + at, length);
        hosted_read(second, expected + at, length);
        SAME(memcmp(first, second, length), 0);
    }
}

// Through one of the files, which sees these bytes elsewhere.
static uint64_t place_of(uint32_t which, uint64_t at) {
    return which == PART ? at - PART_AT : at;
}

// Writes until all is there what ought to be there.
static void write_all(const struct user *user, uint32_t which, uint64_t offset, uint64_t size) {
    for (uint64_t count = 0; count < size;) {
        const uint64_t left = size - count;
        count += moved(user,
                       CALL(pwrite64, file_of(which), user->mine + offset + count, left,
                            place_of(which, user->at + offset + count)),
                       left);
        which = which == DIRECT ? WHOLE : which; // what is left need not be sectors
    }
}

static void reads(const struct user *user, uint32_t which, uint64_t offset, uint64_t size) {
    const uint64_t count = moved(
        user, CALL(pread64, file_of(which), user->seen, size, place_of(which, user->at + offset)),
        size);
    bytes_are(user->seen, user->mine + offset, count);
}

static void syncs(const struct user *user) {
    const int64_t result = CALL(fsync, file_of(WHOLE));
    NEED(result == 0 || result == -ENOMEM || (!user->chance.in_peace && result == -EIO));
}

// This disk has zeros where something was discarded.
static void discards(struct user *user, uint64_t offset, uint64_t size) {
    static const uint8_t zeros[SECTOR];
    const uint64_t range[2] = { user->at + offset, size };
    hosted_write(user->range, range, sizeof(range));
    const int64_t result = CALL(ioctl, file_of(WHOLE), BLKDISCARD, user->range);
    NEED(result == 0 || result == -ENOMEM || (!user->chance.in_peace && result == -EIO));
    for (uint64_t at = 0; result == 0 && at < size; at += SECTOR) {
        hosted_write(user->mine + offset + at, zeros, SECTOR);
    }
    if (result != 0) {
        write_all(user, WHOLE, offset, size); // nobody knows how much of it was
    }
}

// The sectors within; false: there is none.
static bool to_sectors(const struct user *user, uint64_t *inout_offset, uint64_t *inout_size) {
    const uint64_t end = user->at + *inout_offset + *inout_size;
    const uint64_t first = (user->at + *inout_offset + SECTOR - 1) & ~(uint64_t)(SECTOR - 1);
    *inout_offset = first - user->at;
    *inout_size = end > first ? (end - first) & ~(uint64_t)(SECTOR - 1) : 0;
    return *inout_size != 0;
}

static void operation(struct user *user) {
    const uint32_t what = below(&user->chance, 8);
    const uint32_t which = below(&user->chance, FILE_COUNT);
    uint64_t size = 1 + below(&user->chance, 2u << below(&user->chance, 13));
    size = size < MOST ? size : MOST;
    uint64_t offset = below(&user->chance, (uint32_t)(HALF - size));
    if ((which == DIRECT || what == 7) && !to_sectors(user, &offset, &size)) {
        return;
    }
    if (what < 3) {
        bytes_make(user, user->mine + offset, size);
        write_all(user, which, offset, size);
    } else if (what < 6) {
        reads(user, which, offset, size);
    } else if (what == 6) {
        syncs(user);
    } else {
        discards(user, offset, size);
    }
}

static int uses_disk(uint64_t argument) {
    // The lowest bits: who it is, and whether nothing is to fail.
    const uint64_t who = argument % 8;
    struct user user = {
        .chance = { argument | 1, who / 2, (argument & 8) != 0, false },
        .at = FIRST + who * HALF,
        .seen = PAD + 0x90000 + who % 2 * 0x10000,
        .mine = PAD + 0x98000 + who % 2 * 0x10000,
        .range = PAD + 0xb0100 + who % 2 * 0x100,
    };
    bytes_make(&user, user.mine, HALF);
    write_all(&user, PART, 0, HALF);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        operation(&user);
    }
    for (uint64_t at = 0; at < HALF; at += MOST) {
        reads(&user, WHOLE, at, HALF - at < MOST ? HALF - at : MOST);
    }
    return 0;
}

static uint64_t argument_of(struct chance *chance, uint64_t half) {
    (void)below(chance, 2);
    return (chance->state & ~(uint64_t)15) | (chance->in_peace ? 8u : 0u) |
           (chance->worker * 2 + half);
}

// Two threads, the second of which may not start.
void torture_disk(struct chance *chance) {
    if (!files_open()) {
        return;
    }
    const bool starts = thread_starts(uses_disk, argument_of(chance, 1));
    (void)uses_disk(argument_of(chance, 0));
    if (starts) {
        thread_join(TID_AT);
    }
    files_close(FILE_COUNT);
}

static int uses_disk_for_ever(uint64_t at) {
    const struct user user = { .at = at, .seen = PAD + 0x90000, .mine = PAD + 0x98000 };
    for (;;) {
        write_all(&user, WHOLE, 0, VICTIM);
        (void)moved(&user, CALL(pread64, file_of(PART), user.seen, VICTIM, at - PART_AT), VICTIM);
    }
}

// Somebody is killed while he reads or writes. What he wrote does not come later than that.
void torture_disk_victim(struct chance *chance) {
    const struct user user = { .chance = *chance,
                               .at = FIRST + chance->worker * 2 * HALF,
                               .seen = PAD + 0x90000,
                               .mine = PAD + 0x98000 };
    if (!files_open()) {
        return;
    }
    const int64_t pid = hosted_clone(uses_disk_for_ever, user.at, (const uint64_t[5]){ SIGCHLD });
    if (done(pid)) {
        for (uint32_t i = below(chance, 64); i > 0; i--) {
            CALL(sched_yield);
        }
        SAME(CALL(kill, (uint64_t)pid, SIGKILL), 0);
        SAME(CALL(wait4, (uint64_t)pid, WORDS + 0x800, 0, 0), pid);
        SAME(hosted_load(WORDS + 0x800, 4), KILLED(SIGKILL));
        struct user after = user;
        bytes_make(&after, after.mine, VICTIM);
        write_all(&after, PART, 0, VICTIM);
        for (uint32_t i = below(chance, 4); i > 0; i--) {
            reads(&after, DIRECT, SECTOR - after.at % SECTOR, 4 * SECTOR);
        }
        reads(&after, WHOLE, 0, VICTIM);
    }
    files_close(FILE_COUNT);
}

static int uses_faulty_disk(uint64_t worker) {
    SAME(CALL(getrandom, WORDS, 8, 0), 8);
    struct chance chance = { hosted_load(WORDS, 8) | 1, worker, false, false };
    for (uint32_t i = 0; i < 4; i++) {
        (below(&chance, 2) != 0 ? torture_disk : torture_disk_victim)(&chance);
    }
    return 0;
}

// Under --disk-faults it fails requests, forgets some and lies about others: then it is reset, and
// what it had fails. It works on each time, and what succeeded is there.
static void a_faulty_disk_works_on(void) {
    mount_at("/dev", "devtmpfs");
    for (uint64_t worker = 0; worker < 3; worker++) {
        (void)child_new(uses_faulty_disk, worker);
    }
    for (uint64_t worker = 0; worker < 3; worker++) {
        SAME(child_wait(-1), EXITED(0));
    }
}

static const struct check_case cases[] = {
    CASE(a_faulty_disk_works_on),
};
CHECK_PROGRAM(disk_faults, cases);
