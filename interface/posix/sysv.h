// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/sysv.h: what the three kinds of System V IPC have in common: ids, keys, owners
// and modes (sysvipc(7)). Private to posix.
//
// A table per kind keeps what has an id, with one reference, until it is removed; who uses it, or
// waits there, keeps it longer. Thread context throughout. The `_locked` functions need the table's
// lock.
#pragma once

#include <lib/rbtree.h>
#include <memory/account.h>
#include <posix/call.h>
#include <posix/linux.h>
#include <posix/process.h>

// Linux's numbers, and its limits by default.
#define IPC_RMID 0
#define IPC_SET  1
#define IPC_STAT 2
#define IPC_INFO 3

#define IPC_CREAT  01000u
#define IPC_EXCL   02000u
#define IPC_NOWAIT 04000u

#define IPC_READ  0444u // what a caller wants to do, in the bits of a mode
#define IPC_WRITE 0222u
#define IPC_MODES 0777u

#define SHM_SIZE_MAX     (UINT64_MAX - (UINT64_C(1) << 24)) // bytes of one; pages of all
#define SHM_SEGMENTS_MAX 4096
#define SEM_SETS_MAX     32000
#define SEM_COUNT_MAX    32000 // in one set
#define SEM_TOTAL_MAX    (SEM_SETS_MAX * SEM_COUNT_MAX)
#define SEM_OPS_MAX      500
#define MSG_QUEUES_MAX   32000
#define MSG_BYTES_MAX    8192  // of one message
#define MSG_QUEUE_BYTES  16384 // of all in a queue, by default

struct ipc_entry {
    struct object object;                // the table keeps one reference
    struct rbnode by_index, by_key;      // [table lock]
    bool is_listed;                      // [table lock]
    int32_t id;                          // written once
    int32_t key;                         // [table lock] 0, IPC_PRIVATE: it cannot be found by one
    uint32_t mode, uid, gid, cuid, cgid; // [table lock]
    int64_t changed;                     // [table lock] when, in seconds
    struct account *account;             // keeps; pays for one object and the pages
    int64_t pages;
};

struct ipc_table {
    struct spinlock lock;
    struct rbtree by_index, by_key; // [lock]
    int32_t limit;                  // how many there may be
    int32_t count;                  // [lock]
    int32_t last_index, sequence;   // [lock] of the one that was made last
};

bool ipc_comes_first_by_index(const struct rbnode *a, const struct rbnode *b);
bool ipc_comes_first_by_key(const struct rbnode *a, const struct rbnode *b);

// An empty table for a variable.
#define IPC_TABLE(lock_class, most)                                                                \
    { .lock = SPINLOCK_INIT(lock_class),                                                           \
      .by_index = { .less = ipc_comes_first_by_index },                                            \
      .by_key = { .less = ipc_comes_first_by_key },                                                \
      .limit = (most),                                                                             \
      .last_index = -1 }

// struct ipc64_perm.
struct linux_ipc_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid, mode;
    uint16_t sequence, padding[3];
    uint64_t unused[2];
};
_Static_assert(sizeof(struct linux_ipc_perm) == 48, "struct ipc64_perm of 64-bit machines");

// How one kind is made. `create` gives one reference, of an entry that ipc_entry_init() has seen;
// `fits` says whether one that is there is what a caller wants, under the table's lock.
struct ipc_maker {
    enum hx_status (*create)(int32_t key, uint32_t flags, uint64_t size,
                             struct ipc_entry **out_entry);
    bool (*fits)(const struct ipc_entry *entry, uint64_t size);
};

// semget(2) and its like: the result is the id. HX_ERR_NOT_FOUND, HX_ERR_EXISTS, HX_ERR_INVALID,
// HX_ERR_PERMISSION, HX_ERR_NO_SPACE, and what the maker says.
enum hx_status ipc_get(struct call *call, struct ipc_table *table, uint32_t flags, uint64_t size,
                       const struct ipc_maker *maker);

// Fills a new one, of the current process, which pays for one object and `pages`. HX_ERR_NO_MEMORY
enum hx_status ipc_entry_init(struct ipc_entry *entry, const struct object_type *type, int32_t key,
                              uint32_t flags, int64_t pages);
// What it was charged goes back: the type's destroy calls it.
void ipc_entry_fini(struct ipc_entry *entry);

// By id; NULL: there is none.
struct ipc_entry *ipc_find_locked(const struct ipc_table *table, int32_t id);
// The first one whose index is at least that; NULL: there is none.
struct ipc_entry *ipc_from_index_locked(const struct ipc_table *table, int32_t index);
int32_t ipc_index(const struct ipc_entry *entry);

// Whether who has the credentials may do what is wanted with it: IPC_READ, IPC_WRITE, or a mode.
bool ipc_permits_locked(const struct ipc_entry *entry, const struct credentials *credentials,
                        uint32_t wanted);

// The one of that id, with a reference, if the current process may do that with it.
// HX_ERR_INVALID, HX_ERR_PERMISSION.
enum hx_status ipc_hold(struct ipc_table *table, int32_t id, uint32_t wanted,
                        struct ipc_entry **out_entry);
// Whether the current process may do that with one that it holds. HX_ERR_PERMISSION
enum hx_status ipc_check(struct ipc_table *table, const struct ipc_entry *entry, uint32_t wanted);
// For IPC_STAT and its like: by id, or by index if `by_index`; without a look at its mode if `any`.
enum hx_status ipc_hold_to_tell(struct ipc_table *table, int32_t id, bool by_index, bool any,
                                struct ipc_entry **out_entry);
// For who owns it, as IPC_RMID and IPC_SET want it. HX_ERR_INVALID, HX_ERR_NOT_PERMITTED.
enum hx_status ipc_hold_owned(struct ipc_table *table, int32_t id, struct ipc_entry **out_entry);
static inline void ipc_put(struct ipc_entry *entry) {
    object_put(&entry->object);
}

// Takes it out of the table, if it is there; the caller then drops the table's reference. False: it
// was not there.
bool ipc_remove_locked(struct ipc_table *table, struct ipc_entry *entry);
// Nobody finds it by its key any more.
void ipc_forget_key_locked(struct ipc_table *table, struct ipc_entry *entry);

// What programs are told of its owner and mode; and when it was changed.
void ipc_describe(struct ipc_table *table, const struct ipc_entry *entry,
                  struct linux_ipc_perm *out_perm, int64_t *out_changed);
// It was changed now.
void ipc_touch(struct ipc_table *table, struct ipc_entry *entry);
// IPC_SET: another owner, another mode. HX_ERR_INVALID: an id that nobody can have.
enum hx_status ipc_change_locked(struct ipc_entry *entry, const struct linux_ipc_perm *perm);
// The highest index in use; 0: none is.
int32_t ipc_highest_index(struct ipc_table *table);
// How many there are.
int32_t ipc_count(struct ipc_table *table);

// The time of day in seconds.
int64_t ipc_now(void);
// The process that calls; 0: none does.
int32_t ipc_caller(void);
// HX_ERR_REVOKED, which says that what the caller waits at was removed, is EIDRM.
static inline enum hx_status ipc_refusal(struct call *call, enum hx_status status) {
    return status == HX_ERR_REVOKED ? call_fail(call, status, EIDRM) : status;
}

// One line of /proc/sysvipc each.
struct ipc_line {
    struct linux_ipc_perm perm;
    int32_t id;
    int64_t values[9]; // by kind: see procfs/sysvipc.c
};
// The first one from that index on; its index. -1: there is none.
int32_t shm_line(int32_t index, struct ipc_line *out_line);

int32_t msg_line(int32_t index, struct ipc_line *out_line);
int32_t sem_line(int32_t index, struct ipc_line *out_line);

// sysv_shm.c
struct file;
#define SHM_NAME_BYTES 32u
// The name that a mapping of the file has in /proc/PID/maps. False: it is no shared memory segment.
bool shm_mapping_name(const struct file *file, char name[SHM_NAME_BYTES]);
