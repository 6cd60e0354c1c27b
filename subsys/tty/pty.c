// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/pty.c: pairs of a terminal and a file that is the other end of its line (pty(7)): what
// a program writes there the terminal receives, and what the terminal puts out is read there.
//
// /dev/ptmx makes a pair; the terminal is /dev/pts/N, which devpts.c shows. The pair lives as long
// as somebody has either end open, or a session has the terminal; its number is taken until then.
#include <core/time.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/heap.h>
#include <memory/tally.h>

#include "private.h"

#define MAJOR_TTY_AUX 5u
#define MINOR_PTMX    2u
#define MAJOR_PTS     136u
#define PTY_MAX       1024u
#define PTY_RESERVED  64u // of them for the privileged, who want to log in
#define CHUNK_BYTES   256u

// ioctl_tty(2), those of the other end.
enum {
    TCFLSH = 0x540b,
    TCXONC = 0x540a,
    FIONREAD = 0x541b,
    TIOCPKT = 0x5420,
    TIOCOUTQ = 0x5411,
};
#define TIOCGPTN   0x80045430ull
#define TIOCSPTLCK 0x40045431ull
#define TIOCSIG    0x40045436ull
#define TIOCGPKT   0x80045438ull
#define TIOCGPTLCK 0x80045439ull

// What a read in packet mode begins with: 0, or these bits alone (ioctl_tty(2)).
#define PACKET_FLUSH_READ  (1u << 0)
#define PACKET_FLUSH_WRITE (1u << 1)
#define PACKET_STOP        (1u << 2)
#define PACKET_START       (1u << 3)
#define PACKET_NO_STOP     (1u << 4) // Ctrl-S and Ctrl-Q are characters like others
#define PACKET_DO_STOP     (1u << 5)

struct pty {
    struct tty tty;
    struct waitable waitable; // the other end's
    uint32_t slaves;          // [tty.lock] files of the terminal
    bool was_open;            // [tty.lock] there was one
    bool is_locked;           // [tty.lock] until TIOCSPTLCK
    bool is_packet;           // [tty.lock] TIOCPKT
    bool was_stopped;         // [tty.lock] and was told so
    bool stops;               // [tty.lock] the same of Ctrl-S and Ctrl-Q
    uint8_t told;             // [tty.lock] PACKET_… that were not read
    bool is_there;            // [table_lock] the other end is open
    struct pty_node node;     // [table_lock]
    struct account *account;  // keeps; who made it, charged for it
    struct tally_mark tally;
};
// That the heap takes for one.
#define PTY_FRAMES 8
_Static_assert(sizeof(struct pty) <= (size_t)PTY_FRAMES * PAGE_SIZE &&
                   sizeof(struct pty) > (size_t)PTY_FRAMES / 2 * PAGE_SIZE,
               "a power of two");

static const struct lock_class table_class = { .name = "ptys", .rank = LOCK_RANK_LEAF };
static struct spinlock table_lock = SPINLOCK_INIT(&table_class);
static struct pty *table[PTY_MAX]; // [table_lock] until they are destroyed
static uint64_t last_id;           // [table_lock]

static struct pty *pty_of(struct tty *tty) {
    return CONTAINER_OF(tty, struct pty, tty);
}

// The table
// ------------------------------------------------------------------------------------------------

static bool table_add(struct pty *pty, uint32_t most) {
    const unsigned long irq = spin_lock_irq(&table_lock);
    uint32_t number = 0;
    while (number < most && table[number] != NULL) {
        number++;
    }
    const bool is_added = number < most;
    if (is_added) {
        table[number] = pty;
        pty->node.id = ++last_id;
        pty->node.number = number;
        pty->tty.minor = number;
        pty->is_there = true;
    }
    spin_unlock_irq(&table_lock, irq);
    return is_added;
}

// With a reference; NULL: there is none.
static struct pty *table_get(uint32_t number) {
    const unsigned long irq = spin_lock_irq(&table_lock);
    struct pty *pty = number < PTY_MAX ? table[number] : NULL;
    if (pty != NULL && (!pty->is_there || !object_try_get(&pty->tty.object))) {
        pty = NULL;
    }
    spin_unlock_irq(&table_lock, irq);
    return pty;
}

bool pty_next(uint32_t from, struct pty_node *out_node) {
    bool is_found = false;
    const unsigned long irq = spin_lock_irq(&table_lock);
    for (uint32_t i = from; i < PTY_MAX && !is_found; i++) {
        is_found = table[i] != NULL && table[i]->is_there;
        if (is_found) {
            *out_node = table[i]->node;
        }
    }
    spin_unlock_irq(&table_lock, irq);
    return is_found;
}

static struct pty *find_locked(uint64_t id) {
    for (uint32_t i = 0; i < PTY_MAX; i++) {
        if (table[i] != NULL && table[i]->is_there && table[i]->node.id == id) {
            return table[i];
        }
    }
    return NULL;
}

bool pty_find(uint64_t id, struct pty_node *out_node) {
    const unsigned long irq = spin_lock_irq(&table_lock);
    const struct pty *pty = find_locked(id);
    if (pty != NULL) {
        *out_node = pty->node;
    }
    spin_unlock_irq(&table_lock, irq);
    return pty != NULL;
}

bool pty_change(uint64_t id, const struct fs_info *info, uint32_t what) {
    const unsigned long irq = spin_lock_irq(&table_lock);
    struct pty *pty = find_locked(id);
    struct pty_node *node = pty != NULL ? &pty->node : NULL;
    if (node != NULL && (what & FS_SET_MODE) != 0) {
        node->mode = info->mode & 07777;
    }
    if (node != NULL && (what & FS_SET_OWNER) != 0) {
        node->uid = info->uid;
        node->gid = info->gid;
    }
    if (node != NULL) {
        node->accessed = (what & FS_SET_ACCESSED) != 0 ? info->accessed : node->accessed;
        node->modified = (what & FS_SET_MODIFIED) != 0 ? info->modified : node->modified;
        node->changed = (what & FS_SET_CHANGED) != 0 ? info->changed : node->changed;
    }
    spin_unlock_irq(&table_lock, irq);
    return pty != NULL;
}

// One that the account of the caller pays for. NULL: no memory, or that refuses.
static struct pty *pty_alloc(void) {
    struct account *account = account_current();
    if (account_charge(account, ACCOUNT_OBJECTS, 1) != HX_OK) {
        return NULL;
    }
    struct pty *pty = NULL;
    if (account_charge(account, ACCOUNT_FRAMES, PTY_FRAMES) == HX_OK) {
        pty = heap_alloc_zero(sizeof(*pty), MEMORY_SLEEP);
        if (pty == NULL) {
            account_release(account, ACCOUNT_FRAMES, PTY_FRAMES);
        }
    }
    if (pty == NULL) {
        account_release(account, ACCOUNT_OBJECTS, 1);
        return NULL;
    }
    object_get(&account->object);
    pty->account = account;
    return pty;
}

static void pty_free(struct pty *pty) {
    struct account *account = pty->account;
    heap_free(pty);
    account_release(account, ACCOUNT_FRAMES, PTY_FRAMES);
    account_release(account, ACCOUNT_OBJECTS, 1);
    object_put(&account->object);
}

static void pty_destroy(struct object *object) {
    struct pty *pty = pty_of(CONTAINER_OF(object, struct tty, object));
    const unsigned long irq = spin_lock_irq(&table_lock);
    table[pty->node.number] = NULL;
    spin_unlock_irq(&table_lock, irq);
    pty_free(pty);
}

static const struct object_type pty_type = { .kind = OBJECT_INODE,
                                             .name = "pty",
                                             .destroy = pty_destroy };

// The terminal's side. All that looks at a pair has the lock of its terminal.
// ------------------------------------------------------------------------------------------------

static bool is_left(const struct pty *pty) {
    return pty->was_open && pty->slaves == 0;
}

// Bytes that the other end can read now: Ctrl-S holds them, as long as somebody could type Ctrl-Q.
static uint32_t output_of(const struct pty *pty) {
    return pty->tty.line.stopped && !is_left(pty) ? 0 : tty_pending(&pty->tty);
}

// Without a line that could be read, bytes that have no room are lost, as the line discipline does
// it: to wait for a reader would be for ever.
static bool is_full(const struct line *line) {
    return line_room(line) <= 1 && line_is_readable(line);
}

static bool stops_by_keys(const struct line *line) {
    return (line->settings.input & IXON) != 0 && line->settings.characters[VSTOP] == 19 &&
           line->settings.characters[VSTART] == 17;
}

// One of two that exclude each other.
static void packet_say(struct pty *pty, bool *was, bool is, uint8_t yes, uint8_t no) {
    if (is != *was) {
        *was = is;
        pty->told = (uint8_t)((pty->told & ~(yes | no)) | (is ? yes : no));
    }
}

static void packet_note(struct pty *pty) {
    const struct line *line = &pty->tty.line;
    packet_say(pty, &pty->was_stopped, line->stopped, PACKET_STOP, PACKET_START);
    packet_say(pty, &pty->stops, stops_by_keys(line), PACKET_DO_STOP, PACKET_NO_STOP);
    pty->told |= (pty->tty.flushed & TTY_FLUSHED_INPUT) != 0 ? PACKET_FLUSH_READ : 0;
    pty->told |= (pty->tty.flushed & TTY_FLUSHED_OUTPUT) != 0 ? PACKET_FLUSH_WRITE : 0;
    pty->told = pty->is_packet ? pty->told : 0;
}

// What the other end can do now. Only a real change wakes it: who looked in vain must be able to
// sleep.
static void pty_flush(struct tty *tty) {
    static const uint32_t all = WAIT_READABLE | WAIT_WRITABLE | WAIT_PRIORITY | WAIT_HANGUP;
    struct pty *pty = pty_of(tty);
    packet_note(pty);
    const uint32_t levels = (output_of(pty) > 0 || pty->told != 0 ? WAIT_READABLE : 0) |
                            (is_full(&tty->line) ? 0 : WAIT_WRITABLE) |
                            (pty->told != 0 ? WAIT_PRIORITY : 0) | (is_left(pty) ? WAIT_HANGUP : 0);
    if (tty->changed || waitable_state(&pty->waitable) != levels) {
        waitable_update(&pty->waitable, all & ~levels, levels);
    }
}

static void pty_throttle(struct tty *tty) {
    (void)tty; // pty_flush() tells it
}

static enum hx_status pty_open(struct tty *tty) {
    struct pty *pty = pty_of(tty);
    const bool may_always = tty_jobs->caller_is_privileged();
    mutex_lock(&tty->lock);
    const bool is_refused = tty->is_hung || pty->is_locked;
    const bool is_others = tty->exclusive && !may_always;
    if (!is_refused && !is_others) {
        tty_get(tty);
        pty->slaves++;
        pty->was_open = true;
        tty->changed = true;
    }
    tty_finish(tty);
    return is_refused ? HX_ERR_IO : is_others ? HX_ERR_BUSY : HX_OK;
}

static void pty_closed(struct tty *tty) {
    mutex_lock(&tty->lock);
    pty_of(tty)->slaves--;
    tty->changed = true;
    tty_finish(tty);
    tty_put(tty);
}

static const struct tty_end pty_end = {
    .open = pty_open,
    .closed = pty_closed,
    .flush = pty_flush,
    .throttle = pty_throttle,
};

// By its own node alone: another one of that number says nothing of who may open it, nor does the
// one of an earlier pair.
static enum hx_status open_slave(struct file *file, uint32_t minor) {
    struct pty *pty = table_get(minor);
    if (pty == NULL) {
        return HX_ERR_IO;
    }
    enum hx_status status = HX_ERR_IO;
    if (devpts_is_node(file->inode, pty->node.id)) {
        status = tty_open(file, &pty->tty, true);
    }
    tty_put(&pty->tty);
    return status;
}

// The other end
// ------------------------------------------------------------------------------------------------

static uint32_t output_take(struct tty *tty, uint8_t *bytes, uint32_t most) REQUIRES(tty -> lock) {
    const uint32_t count = MIN_OF(tty_pending(tty), most);
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = tty->output[tty->output_head++ & (TTY_OUTPUT_BYTES - 1)];
    }
    return count;
}

// A piece of what there is to read; `is_first`: nothing was read yet. 0 bytes: nothing more.
static enum hx_status piece_take(struct pty *pty, bool is_first, uint8_t *bytes, uint32_t most,
                                 uint32_t *out_count) {
    struct tty *tty = &pty->tty;
    enum hx_status status = HX_OK;
    uint32_t count = 0;
    mutex_lock(&tty->lock);
    if (is_first && pty->is_packet && (pty->told != 0 || output_of(pty) > 0)) {
        bytes[count++] = pty->told;
    }
    if (count != 0 && pty->told != 0) {
        pty->told = 0;
    } else if (output_of(pty) > 0) {
        count += output_take(tty, bytes + count, most - count);
    } else if (is_first) {
        status = is_left(pty) ? HX_ERR_IO : HX_ERR_WOULD_BLOCK;
    }
    tty->changed |= count > 0;
    tty_finish(tty);
    *out_count = count;
    return status;
}

static enum hx_status read_now(struct pty *pty, struct io_buffer *to, size_t *out_moved) {
    uint32_t count;
    bool is_over = false;
    while (to->remaining > 0 && !is_over) {
        uint8_t bytes[CHUNK_BYTES];
        const uint32_t most = (uint32_t)MIN_OF(to->remaining, (uint64_t)CHUNK_BYTES);
        enum hx_status status = piece_take(pty, *out_moved == 0, bytes, most, &count);
        size_t moved = 0;
        if (status == HX_OK) {
            status = io_buffer_put(to, bytes, count, &moved);
        }
        *out_moved += moved;
        if (status != HX_OK) {
            return *out_moved > 0 ? HX_OK : status;
        }
        is_over = count < most;
    }
    return HX_OK;
}

static enum hx_status wait_for_room_or_news(struct file *file, struct pty *pty, uint32_t sequence) {
    if (atomic_load_explicit(&file->flags, memory_order_relaxed) & FILE_NONBLOCK) {
        return HX_ERR_WOULD_BLOCK;
    }
    return wait_change(&pty->waitable, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
}

static enum hx_status master_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                  size_t *out_moved) {
    (void)offset;
    struct pty *pty = file->data;
    enum hx_status status;
    *out_moved = 0;
    do {
        const uint32_t sequence = waitable_sequence(&pty->waitable);
        status = read_now(pty, to, out_moved);
        if (status != HX_ERR_WOULD_BLOCK) {
            return status;
        }
        status = wait_for_room_or_news(file, pty, sequence);
    } while (status == HX_OK);
    return status;
}

// How many of the bytes the terminal has received.
static uint32_t receive(struct tty *tty, const uint8_t *bytes, uint32_t count) {
    uint32_t done = 0;
    mutex_lock(&tty->lock);
    while (done < count && !is_full(&tty->line)) {
        line_receive(&tty->line, bytes[done++]);
    }
    tty->changed |= done > 0;
    tty_finish(tty);
    return done;
}

static enum hx_status write_piece(struct file *file, struct pty *pty, const uint8_t *bytes,
                                  uint32_t count, size_t *out_moved) {
    uint32_t done = 0;
    while (done < count) {
        const uint32_t sequence = waitable_sequence(&pty->waitable);
        const uint32_t more = receive(&pty->tty, bytes + done, count - done);
        done += more;
        *out_moved += more;
        if (more == 0) {
            const enum hx_status status = wait_for_room_or_news(file, pty, sequence);
            if (status != HX_OK) {
                return status;
            }
        }
    }
    return HX_OK;
}

static enum hx_status master_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                   size_t *out_moved) {
    (void)offset;
    enum hx_status status = HX_OK;
    *out_moved = 0;
    while (status == HX_OK && from->remaining > 0) {
        uint8_t bytes[CHUNK_BYTES];
        size_t count = 0;
        status = io_buffer_take(from, bytes, sizeof(bytes), &count);
        if (count == 0) {
            break;
        }
        const enum hx_status written =
            write_piece(file, file->data, bytes, (uint32_t)count, out_moved);
        status = written != HX_OK ? written : status;
    }
    return *out_moved > 0 ? HX_OK : status;
}

static struct waitable *master_waitable(struct file *file) {
    struct pty *pty = file->data;
    return &pty->waitable;
}

static void master_release(struct file *file) {
    struct pty *pty = file->data;
    const unsigned long irq = spin_lock_irq(&table_lock);
    pty->is_there = false;
    spin_unlock_irq(&table_lock, irq);
    tty_hang_up(&pty->tty);
    tty_put(&pty->tty);
}

// Control
// ------------------------------------------------------------------------------------------------

static enum hx_status put_int(uint64_t argument, int32_t value) {
    return copy_to_user(uaddr_make(argument), &value, sizeof(value));
}

static enum hx_status set_flag(struct pty *pty, bool *flag, uint64_t argument) {
    int32_t value;
    const enum hx_status status = copy_from_user(&value, uaddr_make(argument), sizeof(value));
    if (status == HX_OK) {
        mutex_lock(&pty->tty.lock);
        *flag = value != 0;
        tty_finish(&pty->tty);
    }
    return status;
}

static enum hx_status get_flag(struct pty *pty, const bool *flag, uint64_t argument) {
    mutex_lock(&pty->tty.lock);
    const bool value = *flag;
    mutex_unlock(&pty->tty.lock);
    return put_int(argument, value);
}

// Its input is the terminal's output, and the other way round.
static enum hx_status flush_queues(struct pty *pty, uint64_t which) {
    struct tty *tty = &pty->tty;
    if (which > 2) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&tty->lock);
    if (which != 1) {
        tty_flush_output(tty);
    }
    if (which != 0) {
        tty_flush_input(tty);
    }
    tty_finish(tty);
    return HX_OK;
}

static enum hx_status signal_front(struct pty *pty, uint64_t number) {
    static const uint32_t allowed = 1u << 2 | 1u << 3 | 1u << 20; // SIGINT, SIGQUIT, SIGTSTP
    if (number > 31 || (allowed >> number & 1) == 0) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&pty->tty.lock);
    pty->tty.signals |= 1u << (number - 1);
    tty_finish(&pty->tty);
    return HX_OK;
}

static enum hx_status count_output(struct pty *pty, uint64_t argument) {
    mutex_lock(&pty->tty.lock);
    const uint32_t count = output_of(pty);
    mutex_unlock(&pty->tty.lock);
    return put_int(argument, (int32_t)count);
}

static enum hx_status master_control(struct file *file, uint64_t request, uint64_t argument,
                                     int64_t *out_result) {
    struct pty *pty = file->data;
    *out_result = 0;
    switch (request) {
    case TIOCGPTN:
        return put_int(argument, (int32_t)pty->tty.minor);
    case TIOCSPTLCK:
        return set_flag(pty, &pty->is_locked, argument);
    case TIOCGPTLCK:
        return get_flag(pty, &pty->is_locked, argument);
    case TIOCPKT:
        return set_flag(pty, &pty->is_packet, argument);
    case TIOCGPKT:
        return get_flag(pty, &pty->is_packet, argument);
    case TIOCSIG:
        return signal_front(pty, argument);
    case TCFLSH:
        return flush_queues(pty, argument);
    case FIONREAD:
        return count_output(pty, argument);
    case TIOCOUTQ:
        return put_int(argument, 0);
    case TCXONC:
        return HX_ERR_NOT_TTY; // what is written here is received at once
    default:
        return tty_control_far(file, &pty->tty, request, argument);
    }
}

static void master_tally(struct file *file, struct tally *tally) {
    struct pty *pty = file->data;
    if (tally_meet(tally, &pty->tally)) {
        tally->pages += PTY_FRAMES;
    }
}

static const struct file_ops master_file_ops = {
    .name = "ptmx",
    .read = master_read,
    .write = master_write,
    .waitable = master_waitable,
    .control = master_control,
    .tally = master_tally,
    .release = master_release,
};

static void node_setup(struct pty_node *node) {
    const time_ns_t now = time_now() + time_real_offset();
    node->accessed = node->modified = node->changed = now;
    tty_jobs->caller_owner(&node->uid, &node->gid);
    devpts_defaults(node);
}

static enum hx_status open_master(struct file *file, uint32_t minor) {
    (void)minor;
    struct pty *pty = pty_alloc();
    if (pty == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    tty_setup(&pty->tty, &pty_type, &pty_end);
    waitable_init(&pty->waitable, WAIT_WRITABLE);
    pty->tty.name = "pts";
    pty->tty.major = MAJOR_PTS;
    pty->is_locked = pty->stops = true;
    mutex_lock(&pty->tty.lock);
    tty_reset(&pty->tty);
    mutex_unlock(&pty->tty.lock);
    node_setup(&pty->node);
    const uint32_t kept = tty_jobs->caller_is_privileged() ? 0 : PTY_RESERVED;
    if (!table_add(pty, PTY_MAX - kept)) {
        pty_free(pty);
        return HX_ERR_NO_SPACE;
    }
    file->data = pty;
    file->ops = &master_file_ops;
    return HX_OK;
}

enum hx_status pty_init(void) {
    static struct device_open master = { .major = MAJOR_TTY_AUX,
                                         .minor_first = MINOR_PTMX,
                                         .minor_last = MINOR_PTMX,
                                         .open = open_master };
    static struct device_open slaves = {
        .major = MAJOR_PTS, .minor_first = 0, .minor_last = PTY_MAX - 1, .open = open_slave
    };
    enum hx_status status = device_open_register(&master);
    if (status == HX_OK) {
        status = device_open_register(&slaves);
    }
    if (status == HX_OK) {
        status = device_node_add("ptmx", 0666, MAJOR_TTY_AUX, MINOR_PTMX);
    }
    return status == HX_OK ? devpts_init() : status;
}
