// SPDX-License-Identifier: MIT OR Apache-2.0
// mqueue_calls.c: names and calls of POSIX message queues: mq_overview(7), mq_open(3) and its
// family; what they refuse, and in which order, is Linux's.
//
// The names are files in a folder of their own, which no name leads to; but the links of /proc/N/fd
// lead to a queue that is open. So modes, owners, times, removal and the lives of queues, which end
// with their last name and their last user, are those of files. A descriptor's position and its
// read() are those of a text that tells of the queue.
#include "descriptor.h"
#include "life.h"
#include "mqueue.h"
#include "times.h"

#include <core/log.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/account.h>
#include <net/socket.h>

#define SIGEV_NONE   1
#define SIGEV_THREAD 2

#define MODE_BITS  07777u
#define WANT_READ  4u // of inode_permission()
#define WANT_WRITE 2u

#define SEEK_SET  0u
#define SEEK_DATA 3u
#define SEEK_HOLE 4u

#define STATUS_BYTES 80u // st_size; the text is shorter
#define COOKIE_BYTES 32u // that SIGEV_THREAD would be told by

struct linux_mq_attr {
    int64_t flags, messages, message_bytes, current;
    int64_t reserved[4];
};
_Static_assert(sizeof(struct linux_mq_attr) == 64, "struct mq_attr of 64-bit machines");

struct linux_sigevent {
    uint64_t value;
    int32_t number, notify;
    int32_t padding[12];
};
_Static_assert(sizeof(struct linux_sigevent) == 64, "struct sigevent of 64-bit machines");

#define MQUEUE_MAGIC 0x19800202u // of statfs(2)

// Names are looked up, made and removed under it: outside of the locks of mounts, of renaming and
// of directories, and inside of that of a process, which no look-up takes.
static const struct lock_class folder_class = { .name = "message queue names",
                                                .rank = LOCK_RANK_MOUNT - 3 };
static struct mutex folder_lock;
static struct path folder;
static _Atomic int32_t queues;

void mqueues_init(void) {
    mutex_init(&folder_lock, &folder_class);
    struct credentials *credentials = credentials_create_root();
    // The space is there for good. A queue is no program, whatever its mode.
    if (credentials == NULL || mount_space_create(&folder) == NULL ||
        inode_set_mode(path_inode(folder), credentials, 01777) != HX_OK ||
        vfs_mount(NULL, "", "", folder, MOUNT_REMOUNT | MOUNT_NO_EXECUTE | MOUNT_NO_DEVICES, "") !=
            HX_OK) {
        panic("no memory for message queues");
    }
    credentials_put(credentials);
}

// Files ------------------------------------------------------------------------------------------

static struct mqueue *queue_of(const struct file *file) {
    return file->data;
}

// What Linux tells of a queue.
static size_t describe(struct mqueue *queue, char text[STATUS_BYTES]) {
    spin_lock(&queue->lock);
    const struct mqueue_notice notice = queue->notice;
    const uint64_t bytes = queue->bytes;
    spin_unlock(&queue->lock);
    const int32_t kind = notice.pid != 0 ? notice.kind : 0;
    const int32_t number = notice.pid != 0 && kind == SIGEV_SIGNAL ? notice.number : 0;
    const size_t length =
        format_string(text, STATUS_BYTES, "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
                      (unsigned long)bytes, (int)kind, (int)number, (int)notice.pid);
    return MIN_OF(length, (size_t)STATUS_BYTES - 1);
}

static enum hx_status mqueue_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                  size_t *out_moved) {
    char text[STATUS_BYTES];
    const size_t length = describe(queue_of(file), text);
    if (offset >= length) {
        return HX_OK;
    }
    return io_buffer_put(to, text + offset, length - offset, out_moved);
}

static enum hx_status mqueue_seek(struct file *file, int64_t offset, uint32_t whence,
                                  uint64_t *out_position) {
    const uint64_t size = inode_size(file->inode);
    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        return position_seek(file, offset, whence, size, out_position);
    }
    if (offset < 0 || (uint64_t)offset >= size) {
        return HX_ERR_NO_DEVICE;
    }
    const uint64_t place = whence == SEEK_DATA ? (uint64_t)offset : size; // there is no hole
    return position_seek(file, (int64_t)place, SEEK_SET, size, out_position);
}

static struct waitable *mqueue_waitable(struct file *file) {
    return &queue_of(file)->waitable;
}

// The size of the file means nothing; Linux lets it be set.
static enum hx_status mqueue_truncate(struct file *file, uint64_t size_bytes) {
    return inode_truncate(file->inode, size_bytes);
}

// What has a name is there without who has it open.
static void mqueue_file_tally(struct file *file, struct tally *tally) {
    struct fs_info info;
    inode_info(file->inode, &info);
    if (info.links == 0) {
        mqueue_tally(queue_of(file), tally);
    }
}

static void mqueue_flush(struct file *file) {
    mqueue_notice_end(queue_of(file));
}

static const struct file_ops mqueue_ops = {
    .read = mqueue_read,
    .seek = mqueue_seek,
    .waitable = mqueue_waitable,
    .truncate = mqueue_truncate,
    .flush = mqueue_flush,
    .tally = mqueue_file_tally,
};

static enum hx_status kind_open(struct file *file) {
    if ((file_flags(file) & FILE_DIRECT) != 0) {
        return HX_ERR_INVALID;
    }
    file->ops = &mqueue_ops;
    file->data = file->inode->special;
    return HX_OK;
}

static void kind_end(struct inode *inode) {
    mqueue_destroy(inode->special);
    atomic_fetch_sub_explicit(&queues, 1, memory_order_relaxed);
}

static const struct inode_kind mqueue_kind = { .open = kind_open,
                                               .end = kind_end,
                                               .magic = MQUEUE_MAGIC };

// Names ------------------------------------------------------------------------------------------

// A name of the program's, and the look-up in the folder; ends with name_end().
struct queue_name {
    struct user_text text;
    struct lookup lookup;
};

// It is one component. HX_ERR_PERMISSION, as Linux has it.
static enum hx_status name_check(const struct queue_name *name) {
    const char *text = name->text.text;
    const bool is_dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
    return is_dots || strchr(text, '/') != NULL ? HX_ERR_PERMISSION : HX_OK;
}

static enum hx_status name_begin(struct call *call, struct queue_name *out_name) {
    enum hx_status status = user_text_begin(call_address(call, 0), &out_name->text);
    if (status != HX_OK) {
        return status;
    }
    status = out_name->text.text[0] == '\0' ? HX_ERR_NOT_FOUND
                                            : lookup_begin(call, AT_FDCWD, 0, &out_name->lookup);
    if (status != HX_OK) {
        user_text_end(&out_name->text);
        return status;
    }
    out_name->lookup.base = path_get(folder);
    return HX_OK;
}

static void name_end(struct queue_name *name) {
    lookup_end(&name->lookup);
    user_text_end(&name->text);
}

// Opening ----------------------------------------------------------------------------------------

struct opening {
    uint32_t flags, mode; // Linux's
    bool has_size;
    struct linux_mq_attr attributes;
};

// HX_ERR_INVALID: more than the caller may ask for, or nothing.
static enum hx_status choose_size(const struct opening *opening, struct mqueue_size *out_size) {
    int64_t messages = MQUEUE_MESSAGES;
    int64_t bytes = MQUEUE_BYTES;
    if (opening->has_size) {
        messages = opening->attributes.messages;
        bytes = opening->attributes.message_bytes;
    }
    const bool is_free = posix_capable(CAPABILITY_SYS_RESOURCE);
    if (messages <= 0 || bytes <= 0 ||
        messages > (is_free ? MQUEUE_MESSAGES_HARD : MQUEUE_MESSAGES_MAX) ||
        bytes > (is_free ? MQUEUE_BYTES_HARD : MQUEUE_BYTES_MAX)) {
        return HX_ERR_INVALID;
    }
    *out_size = (struct mqueue_size){ (uint64_t)messages, (uint64_t)bytes };
    return HX_OK;
}

// The file gets the queue before anybody can open it: names are looked up under folder_lock alone.
static enum hx_status create_file(const struct queue_name *name, uint32_t mode,
                                  struct mqueue *queue, struct path *out_path) {
    const enum hx_status status = vfs_create(&name->lookup, name->text.text,
                                             FS_MODE_REGULAR | (mode & MODE_BITS), 0, out_path);
    if (status == HX_OK) {
        struct inode *inode = path_inode(*out_path);
        inode->special = queue;
        inode->kind = &mqueue_kind;
        // What the file holds is never looked at; who cannot be told how large it is finds it
        // empty.
        HX_IGNORE(inode_truncate(inode, STATUS_BYTES));
    }
    return status;
}

static enum hx_status create_locked(const struct queue_name *name, const struct opening *opening,
                                    struct path *out_path) {
    struct mqueue_size size;
    struct mqueue *queue;
    if (atomic_load_explicit(&queues, memory_order_relaxed) >= MQUEUE_QUEUES_MAX &&
        !posix_capable(CAPABILITY_SYS_RESOURCE)) {
        return HX_ERR_NO_SPACE;
    }
    enum hx_status status = choose_size(opening, &size);
    if (status == HX_OK) {
        status = mqueue_create(size, &queue);
    }
    if (status != HX_OK) {
        return status;
    }
    status = create_file(name, opening->mode, queue, out_path);
    if (status != HX_OK) {
        mqueue_destroy(queue);
        return status;
    }
    atomic_fetch_add_explicit(&queues, 1, memory_order_relaxed);
    return HX_OK;
}

static enum hx_status check_existing(const struct queue_name *name, const struct opening *opening,
                                     struct path path) {
    static const uint32_t wants[] = { WANT_READ, WANT_WRITE, WANT_READ | WANT_WRITE };
    const uint32_t access = opening->flags & O_ACCMODE;
    if ((opening->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return HX_ERR_EXISTS;
    }
    if (access == O_ACCMODE) {
        return HX_ERR_INVALID;
    }
    return inode_permission(path_inode(path), name->lookup.credentials, wants[access]);
}

static uint32_t file_flags_of(uint32_t flags) {
    static const uint32_t accesses[] = { FILE_READ, FILE_WRITE, FILE_READ | FILE_WRITE, 0 };
    if ((flags & O_PATH) != 0) {
        return FILE_PATH_ONLY;
    }
    return accesses[flags & O_ACCMODE] | ((flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0) |
           ((flags & O_APPEND) != 0 ? FILE_APPEND : 0) | ((flags & O_DSYNC) != 0 ? FILE_SYNC : 0) |
           ((flags & O_NOATIME) != 0 ? FILE_NOATIME : 0) |
           ((flags & HAL_O_DIRECT) != 0 ? FILE_DIRECT : 0);
}

// Opens what is there, or what is made. A queue that was made for nothing goes again, if it can;
// where there is no memory for that it stays, as it always does on Linux.
static enum hx_status open_locked(struct call *call, const struct queue_name *name,
                                  const struct opening *opening) {
    struct path path;
    enum hx_status status = path_lookup(&name->lookup, name->text.text, &path);
    const bool is_new = status == HX_ERR_NOT_FOUND && (opening->flags & O_CREAT) != 0;
    if (is_new) {
        status = create_locked(name, opening, &path);
    } else if (status == HX_OK) {
        status = check_existing(name, opening, path);
        if (status != HX_OK) {
            path_put(path);
        }
    }
    if (status != HX_OK) {
        return status;
    }
    struct file *file;
    status = file_open_path(path, file_flags_of(opening->flags), &file);
    path_put(path);
    if (status == HX_OK) {
        status = call_add_file(call, file, true); // mq_open(3): never over an exec
    }
    if (status != HX_OK && is_new) {
        HX_IGNORE(vfs_unlink(&name->lookup, name->text.text, false)); // nobody else knows it
    }
    return status;
}

enum hx_status sys_mq_open(struct call *call) {
    struct opening opening = { .flags = call_uint(call, 1),
                               .mode = call_uint(call, 2),
                               .has_size = call->args[3] != 0 };
    struct queue_name name;
    if (opening.has_size && copy_from_user(&opening.attributes, call_address(call, 3),
                                           sizeof(opening.attributes)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    enum hx_status status = name_begin(call, &name);
    if (status != HX_OK) {
        return status;
    }
    status = call_check_room(call);
    if (status == HX_OK) {
        status = name_check(&name);
    }
    if (status == HX_OK) {
        mutex_lock(&folder_lock);
        status = open_locked(call, &name, &opening);
        mutex_unlock(&folder_lock);
    }
    name_end(&name);
    return status;
}

enum hx_status sys_mq_unlink(struct call *call) {
    struct queue_name name;
    enum hx_status status = name_begin(call, &name);
    if (status != HX_OK) {
        return status;
    }
    status = name_check(&name);
    if (status == HX_OK) {
        mutex_lock(&folder_lock);
        status = vfs_unlink(&name.lookup, name.text.text, false);
        mutex_unlock(&folder_lock);
    }
    name_end(&name);
    return status;
}

// Messages ---------------------------------------------------------------------------------------

// A message queue that was opened for that: FILE_READ, FILE_WRITE, or (0) anything.
// HX_ERR_BAD_HANDLE; HX_ERR_ACCESS_DENIED, HX_ERR_REVOKED.
static enum hx_status queue_get(struct call *call, rights_t need, uint32_t access,
                                struct descriptor *out_descriptor) {
    const enum hx_status status = descriptor_get(call, call_int(call, 0), need, out_descriptor);
    if (status != HX_OK) {
        return status;
    }
    if (out_descriptor->file->ops != &mqueue_ops ||
        (file_flags(out_descriptor->file) & access) != access) {
        descriptor_put(out_descriptor);
        return HX_ERR_BAD_HANDLE;
    }
    return HX_OK;
}

// Until when to wait, by argument 4. HX_ERR_BAD_ADDRESS, HX_ERR_INVALID: even if it will not wait.
static enum hx_status deadline_get(const struct call *call, time_ns_t *out_deadline) {
    time_ns_t moment;
    *out_deadline = TIME_NEVER;
    if (call->args[4] == 0) {
        return HX_OK;
    }
    const enum hx_status status = timespec_from_user(call_address(call, 4), &moment);
    return status == HX_OK ? clock_to_monotonic(CLOCK_REALTIME, moment, out_deadline) : status;
}

static bool waits(const struct file *file) {
    return (file_flags(file) & FILE_NONBLOCK) == 0;
}

// Takes the program's message to the queue.
static enum hx_status send(struct call *call, struct file *file, time_ns_t deadline) {
    struct mqueue_message *message;
    enum hx_status status =
        mqueue_message_create(call_address(call, 1), call->args[2], call_uint(call, 3), &message);
    if (status != HX_OK) {
        return status;
    }
    status = mqueue_send(queue_of(file), message, waits(file), deadline);
    if (status != HX_OK) {
        mqueue_message_free(message);
    }
    return restart_if_interrupted(status);
}

// What is in the queue was paid for with it; who waits to send pays for what it holds meanwhile.
static enum hx_status send_paying(struct call *call, struct file *file, time_ns_t deadline) {
    struct account *account = account_current();
    const uint64_t length = call->args[2];
    if (length > queue_of(file)->size.message_bytes) {
        return HX_ERR_MESSAGE_TOO_LONG;
    }
    const uint64_t cost = mqueue_message_cost(length);
    const int64_t frames = (int64_t)(ALIGN_UP(cost, PAGE_SIZE) / PAGE_SIZE);
    if (account_charge(account, ACCOUNT_FRAMES, frames) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    const enum hx_status status = send(call, file, deadline);
    account_release(account, ACCOUNT_FRAMES, frames);
    return status;
}

enum hx_status sys_mq_timedsend(struct call *call) {
    time_ns_t deadline;
    struct descriptor descriptor;
    enum hx_status status = deadline_get(call, &deadline);
    if (status == HX_OK && call_uint(call, 3) >= MQUEUE_PRIORITIES) {
        status = HX_ERR_INVALID;
    }
    if (status == HX_OK) {
        status = queue_get(call, HX_RIGHT_WRITE, FILE_WRITE, &descriptor);
    }
    if (status == HX_OK) {
        status = send_paying(call, descriptor.file, deadline);
        descriptor_put(&descriptor);
    }
    return status;
}

// The priority goes first, if it is wanted. A message that cannot be given is lost.
static enum hx_status give(struct call *call, const struct mqueue_message *message) {
    enum hx_status status = HX_OK;
    if (call->args[3] != 0) {
        status = copy_to_user(call_address(call, 3), &message->priority, sizeof(message->priority));
    }
    if (status == HX_OK) {
        status = mqueue_message_copy(message, message->length, call_address(call, 1));
    }
    return status == HX_OK ? call_ok(call, (int64_t)message->length) : status;
}

static enum hx_status receive(struct call *call, struct file *file, time_ns_t deadline) {
    struct mqueue_message *message;
    if (call->args[2] < queue_of(file)->size.message_bytes) {
        return HX_ERR_MESSAGE_TOO_LONG;
    }
    enum hx_status status = mqueue_receive(queue_of(file), waits(file), deadline, &message);
    if (status != HX_OK) {
        return restart_if_interrupted(status);
    }
    status = give(call, message);
    mqueue_message_free(message);
    return status;
}

enum hx_status sys_mq_timedreceive(struct call *call) {
    time_ns_t deadline;
    struct descriptor descriptor;
    enum hx_status status = deadline_get(call, &deadline);
    if (status == HX_OK) {
        status = queue_get(call, HX_RIGHT_READ, FILE_READ, &descriptor);
    }
    if (status == HX_OK) {
        status = receive(call, descriptor.file, deadline);
        descriptor_put(&descriptor);
    }
    return status;
}

// Attributes and notices -------------------------------------------------------------------------

// SIGEV_THREAD tells the C library by a netlink socket, and there are none: what Linux says of any
// other file.
static enum hx_status check_socket(struct call *call, const struct linux_sigevent *event) {
    uint8_t cookie[COOKIE_BYTES];
    struct descriptor descriptor;
    if (copy_from_user(cookie, uaddr_make(event->value), sizeof(cookie)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    enum hx_status status = descriptor_get(call, event->number, 0, &descriptor);
    if (status == HX_OK) {
        status = socket_of(descriptor.file) != NULL ? HX_ERR_INVALID : HX_ERR_NOT_SOCKET;
        descriptor_put(&descriptor);
    }
    return status;
}

static enum hx_status check_event(struct call *call, const struct linux_sigevent *event) {
    switch (event->notify) {
    case SIGEV_NONE:
        return HX_OK;
    case SIGEV_SIGNAL: // number 0 is allowed, and tells nobody
        return (uint32_t)event->number <= POSIX_SIGNALS ? HX_OK : HX_ERR_INVALID;
    case SIGEV_THREAD:
        return check_socket(call, event);
    default:
        return HX_ERR_INVALID;
    }
}

enum hx_status sys_mq_notify(struct call *call) {
    struct linux_sigevent event;
    struct descriptor descriptor;
    const bool begins = call->args[1] != 0;
    enum hx_status status = HX_OK;
    if (begins) {
        status = copy_from_user(&event, call_address(call, 1), sizeof(event));
        if (status == HX_OK) {
            status = check_event(call, &event);
        }
    }
    if (status == HX_OK) {
        status = queue_get(call, HX_RIGHT_ADMIN, 0, &descriptor);
    }
    if (status != HX_OK) {
        return status;
    }
    struct mqueue *queue = queue_of(descriptor.file);
    if (begins) {
        status = mqueue_notice_set(queue, event.notify, event.number, event.value);
    } else {
        mqueue_notice_end(queue);
    }
    descriptor_put(&descriptor);
    return status;
}

static struct linux_mq_attr attributes_of(struct file *file) {
    struct mqueue *queue = queue_of(file);
    spin_lock(&queue->lock);
    const struct linux_mq_attr attributes = {
        .flags = waits(file) ? 0 : O_NONBLOCK,
        .messages = (int64_t)queue->size.messages,
        .message_bytes = (int64_t)queue->size.message_bytes,
        .current = queue->count,
    };
    spin_unlock(&queue->lock);
    return attributes;
}

// Of all attributes one can be changed: whether calls wait.
enum hx_status sys_mq_getsetattr(struct call *call) {
    struct linux_mq_attr wanted;
    struct descriptor descriptor;
    const bool changes = call->args[1] != 0;
    if (changes && copy_from_user(&wanted, call_address(call, 1), sizeof(wanted)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (changes && (wanted.flags & ~(int64_t)O_NONBLOCK) != 0) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = queue_get(call, changes ? HX_RIGHT_ADMIN : 0, 0, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    const struct linux_mq_attr before = attributes_of(descriptor.file);
    if (changes && wanted.flags != 0) {
        atomic_fetch_or_explicit(&descriptor.file->flags, FILE_NONBLOCK, memory_order_relaxed);
    } else if (changes) {
        atomic_fetch_and_explicit(&descriptor.file->flags, ~FILE_NONBLOCK, memory_order_relaxed);
    }
    descriptor_put(&descriptor);
    return call->args[2] == 0 ? HX_OK
                              : copy_to_user(call_address(call, 2), &before, sizeof(before));
}
