// SPDX-License-Identifier: MIT OR Apache-2.0
// dnotify.c: signals for what happens in a directory: F_NOTIFY of fcntl(2).
//
// A notice is a watch (<vfs/watch.h>) that one descriptor table has asked for by one open file, and
// ends when the table closes any descriptor of that. Signals are sent by who tells of the event,
// after the lock of the watches, before which signals' locks come. All but what never changes is
// guarded by watches_lock.
#include "descriptor.h"
#include "life.h"
#include "pids.h"
#include "signals.h"

#include <memory/account.h>
#include <memory/heap.h>
#include <vfs/watch.h>

#define DN_ACCESS    0x00000001u
#define DN_MODIFY    0x00000002u
#define DN_CREATE    0x00000004u
#define DN_DELETE    0x00000008u
#define DN_RENAME    0x00000010u
#define DN_ATTRIB    0x00000020u
#define DN_MULTISHOT 0x80000000u

#define POLL_MSG      3     // si_code
#define POLL_MSG_BAND 0x441 // POLLIN, POLLRDNORM and POLLMSG
#define SI_SIGIO      (-5)  // in its place where the signal has codes of its own

// Notices of a user: each event goes through those of its directory, with locks held. (Linux has no
// such limit.)
#define NOTICES_MAX 1024

struct notice {
    struct inode_watch watch;
    struct watch_told told;
    uint32_t references; // the watch, and who sends for it
    struct account *account;
    struct posix_user *user;        // keeps, and counts for
    const struct file *file;        // both as long as the watch lasts, by which they are known
    const struct file_table *table; //
    uint32_t wanted;                // DN_…
    int32_t fd;
    int32_t pid;        // who is told, and
    uint64_t process;   // the native process's, in case that the number comes again
    uint32_t uid, euid; // of who asked
    uint32_t cookie;    // of what was moved out last
    int32_t number;     // which one; 0: SIGIO, without anything
};

static struct notice *notice_of(struct inode_watch *watch) {
    return CONTAINER_OF(watch, struct notice, watch);
}

static void notice_put(struct notice *notice) {
    spin_lock(&watches_lock);
    const bool is_last = --notice->references == 0;
    spin_unlock(&watches_lock);
    if (is_last) {
        atomic_fetch_sub_explicit(&notice->user->notices, 1, memory_order_relaxed);
        posix_user_put(notice->user);
        account_release(notice->account, ACCOUNT_OBJECTS, 1);
        object_put(&notice->account->object);
        heap_free(notice);
    }
}

// Telling ----------------------------------------------------------------------------------------

// Without room for one more that queues, and without F_SETSIG, it is a plain SIGIO.
static void signal_once(struct posix_process *process, int32_t number, int32_t fd) {
    const bool has_codes =
        number == SIGCHLD || (number != 0 && (SIGNAL_BIT(number) & SIGNALS_SYNCHRONOUS) != 0);
    struct posix_siginfo info = { .number = number,
                                  .code = has_codes ? SI_SIGIO : POLL_MSG,
                                  .band = POLL_MSG_BAND,
                                  .status = fd };
    if (number != 0 &&
        signal_send(process, NULL, number, &info, number >= SIGNAL_REALTIME) == HX_OK) {
        return;
    }
    info = (struct posix_siginfo){ .number = SIGIO, .code = SI_KERNEL };
    HX_IGNORE(signal_send(process, NULL, SIGIO, &info, false)); // nothing of it can fail
}

// The process may be one of more power by now, which who asked may not signal (sigio_perm() of
// Linux).
static bool may_signal(struct posix_process *process, uint32_t uid, uint32_t euid) {
    struct credentials *target = posix_credentials(process);
    const bool may = euid == 0 || euid == target->suid || euid == target->uid ||
                     uid == target->suid || uid == target->uid;
    credentials_put(target);
    return may;
}

static void send_due(struct watch_told *told, uint32_t count) {
    struct notice *notice = CONTAINER_OF(told, struct notice, told);
    spin_lock(&watches_lock);
    const int32_t number = notice->number;
    const int32_t fd = notice->fd;
    const int32_t pid = notice->pid;
    const uint64_t id = notice->process;
    const uint32_t uid = notice->uid;
    const uint32_t euid = notice->euid;
    spin_unlock(&watches_lock);
    struct posix_process *process = posix_process_find(pid);
    if (process != NULL) {
        const bool may = process->process->id == id && may_signal(process, uid, euid);
        for (uint32_t i = 0; i < count && may; i++) {
            signal_once(process, number, fd);
        }
        process_put(process->process);
    }
    notice_put(notice);
}

// What of an event somebody hears.
static uint32_t events_of(uint32_t wanted) {
    return ((wanted & DN_ACCESS) ? WATCH_ACCESS : 0) | ((wanted & DN_MODIFY) ? WATCH_MODIFY : 0) |
           ((wanted & DN_CREATE) ? WATCH_CREATE | WATCH_MOVED_TO : 0) |
           ((wanted & DN_DELETE) ? WATCH_DELETE | WATCH_MOVED_FROM : 0) |
           ((wanted & DN_ATTRIB) ? WATCH_ATTRIB : 0);
}

// What it must hear for that: a name that is given in the directory leaves and comes.
static uint32_t events_for(uint32_t wanted) {
    return events_of(wanted) | ((wanted & DN_RENAME) ? WATCH_MOVED_FROM | WATCH_MOVED_TO : 0);
}

static bool happened(struct inode_watch *watch, uint32_t what, uint32_t cookie, struct fs_name name,
                     struct list *told) REQUIRES(watches_lock) {
    struct notice *notice = notice_of(watch);
    (void)name;
    const bool is_renamed = (what & WATCH_MOVED_TO) != 0 && notice->cookie == cookie &&
                            (notice->wanted & DN_RENAME) != 0;
    const uint32_t signals =
        ((events_of(notice->wanted) & what & WATCH_EVENTS) != 0 ? 1 : 0) + (is_renamed ? 1 : 0);
    if ((what & WATCH_MOVED_FROM) != 0) {
        notice->cookie = cookie;
    }
    if (signals == 0) {
        return true;
    }
    const bool goes_on = (notice->wanted & DN_MULTISHOT) != 0;
    notice->told.count += goes_on ? signals : 1;
    notice->number = atomic_load_explicit(&notice->file->signal, memory_order_relaxed);
    // What another one has not sent yet is sent here, too: whose call made it happen finds the
    // signal when the call returns.
    notice->references += list_is_linked(&notice->told.link) ? 0 : 1;
    list_remove(&notice->told.link);
    list_push_back(told, &notice->told.link);
    return goes_on;
}

static void gone(struct inode_watch *watch, uint32_t what) {
    (void)watch;
    (void)what;
}

static void freed(struct inode_watch *watch) {
    notice_put(notice_of(watch));
}

// Asking -----------------------------------------------------------------------------------------

// `table` NULL: any.
static struct notice *find_locked(const struct file_table *table, const struct file *file)
    REQUIRES(watches_lock) {
    list_for_each (link, &file->inode->watches) {
        struct inode_watch *watch = LIST_ENTRY(link, struct inode_watch, link);
        if (watch->happened == happened && notice_of(watch)->file == file &&
            (table == NULL || notice_of(watch)->table == table)) {
            return notice_of(watch);
        }
    }
    return NULL;
}

// NULL: no memory, the account is full, or the user has too many.
static struct notice *notice_create(const struct file_table *table, const struct file *file,
                                    struct posix_process *process) {
    struct account *account = process->process->account;
    struct posix_user *user = posix_user_of(process);
    struct notice *notice = heap_alloc_zero(sizeof(*notice), MEMORY_SLEEP);
    const int32_t before = atomic_fetch_add_explicit(&user->notices, 1, memory_order_relaxed);
    if (notice == NULL || before >= NOTICES_MAX ||
        account_charge(account, ACCOUNT_OBJECTS, 1) != HX_OK) {
        atomic_fetch_sub_explicit(&user->notices, 1, memory_order_relaxed);
        posix_user_put(user);
        heap_free(notice);
        return NULL;
    }
    notice->user = user;
    object_get(&account->object);
    notice->account = account;
    notice->references = 1;
    notice->table = table;
    notice->file = file;
    notice->told.run = send_due;
    notice->watch.happened = happened;
    notice->watch.gone = gone;
    notice->watch.freed = freed;
    list_init(&notice->told.link);
    return notice;
}

static bool end_one(const struct file_table *table, struct file *file) {
    if (list_is_empty(&file->inode->watches)) { // this table's were begun by its own threads
        return false;
    }
    spin_lock(&watches_lock);
    struct notice *notice = find_locked(table, file);
    if (notice != NULL) {
        watch_end_locked(&notice->watch);
    }
    spin_unlock(&watches_lock);
    if (notice != NULL) {
        inode_put(notice->watch.inode);
        notice_put(notice);
    }
    return notice != NULL;
}

void dnotify_closed(struct file_table *table, struct file *file) {
    (void)end_one(table, file);
}

void dnotify_released(struct file *file) {
    while (file->inode != NULL && end_one(NULL, file)) {
    }
}

static bool is_still_open(struct call *call, const struct file *file) {
    struct descriptor descriptor;
    if (descriptor_get(call, call_int(call, 0), 0, &descriptor) != HX_OK) {
        return false;
    }
    const bool is_same = descriptor.file == file;
    descriptor_put(&descriptor);
    return is_same;
}

enum hx_status dnotify_set(struct call *call, struct file *file) {
    const uint32_t wanted = call_uint(call, 2);
    struct file_table *table = call->process->files;
    struct process *process = call->process->process;
    if ((wanted & ~DN_MULTISHOT) == 0) {
        if (file->inode != NULL) {
            dnotify_closed(table, file);
        }
        return HX_OK;
    }
    if (file->inode == NULL || inode_type(file->inode) != FS_MODE_DIRECTORY) {
        return HX_ERR_NOT_DIRECTORY;
    }
    struct notice *fresh = notice_create(table, file, call->process);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct credentials *credentials = posix_credentials(call->process);
    atomic_fetch_or_explicit(&file->flags, FILE_WATCHED, memory_order_relaxed);
    spin_lock(&watches_lock);
    struct notice *notice = find_locked(table, file);
    if (notice == NULL) {
        notice = fresh;
        fresh = NULL;
        watch_begin_locked(&notice->watch, file->inode);
    }
    notice->wanted |= wanted;
    notice->fd = call_int(call, 0);
    notice->pid = call->process->pid;
    notice->process = process->id;
    notice->uid = credentials->uid;
    notice->euid = credentials->euid;
    watch_change_locked(&notice->watch, events_for(notice->wanted));
    spin_unlock(&watches_lock);
    credentials_put(credentials);
    if (fresh != NULL) {
        notice_put(fresh);
    }
    if (!is_still_open(call, file)) { // another thread has closed it: nobody would end it
        dnotify_closed(table, file);
    }
    return HX_OK;
}
