// SPDX-License-Identifier: MIT OR Apache-2.0
// name.c: the names of sockets: texts in the table of a name space, and paths, whose inodes lead to
// the socket as long as it lives.
//
// Every socket is in a bucket of the table: one with a text by its text, any other by its address.
// A text belongs to one socket of each kind; the bucket's lock makes it so.
#include "private.h"

#include <core/random.h>
#include <lib/hash.h>
#include <lib/string.h>

#define BUCKETS 64u

struct name_bucket {
    struct spinlock lock;
    struct list sockets; // [lock] struct socket.names_link
};

struct socket_names {
    struct name_bucket buckets[BUCKETS];
    struct hash_key key;    // so that nobody can choose names for one bucket
    _Atomic uint32_t next;  // of the names that nobody chose
    _Atomic int64_t unread; // bytes of messages
    int64_t unread_max;
};

// Of the machine's memory, for messages that nobody has read.
#define MEMORY_PART 4u

static const struct lock_class bucket_class = { "socket names", LOCK_RANK_PIPE, false };

struct socket_names *socket_names_create(void) {
    struct socket_names *names = heap_alloc_zero(sizeof(*names), MEMORY_SLEEP);
    if (names == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        spinlock_init(&names->buckets[i].lock, &bucket_class);
        list_init(&names->buckets[i].sockets);
    }
    struct frame_stats stats;
    frame_stats(&stats);
    names->unread_max = (int64_t)(stats.total * PAGE_SIZE / MEMORY_PART);
    random_bytes(&names->key, sizeof(names->key));
    return names;
}

bool socket_memory_take(struct socket_names *names, uint32_t size_bytes) {
    const int64_t before =
        atomic_fetch_add_explicit(&names->unread, size_bytes, memory_order_relaxed);
    if (before + size_bytes > names->unread_max) {
        socket_memory_give(names, size_bytes);
        return false;
    }
    return true;
}

void socket_memory_give(struct socket_names *names, uint32_t size_bytes) {
    atomic_fetch_sub_explicit(&names->unread, size_bytes, memory_order_relaxed);
}

static struct name_bucket *bucket_of(struct socket_names *names, const void *bytes, size_t length) {
    return &names->buckets[hash_keyed(&names->key, bytes, length) % BUCKETS];
}

// Where a socket without a text is.
static struct name_bucket *bucket_by_address(const struct socket *socket) {
    return &socket->names->buckets[hash_u64((uintptr_t)socket) % BUCKETS];
}

void names_add(struct socket *socket) {
    struct name_bucket *bucket = bucket_by_address(socket);
    socket->bucket = bucket;
    spin_lock(&bucket->lock);
    list_push_back(&bucket->sockets, &socket->names_link);
    spin_unlock(&bucket->lock);
}

void names_remove(struct socket *socket) {
    struct name_bucket *bucket = socket->bucket;
    spin_lock(&bucket->lock);
    list_remove(&socket->names_link);
    spin_unlock(&bucket->lock);
}

static struct socket_name *name_of(const struct socket *socket) {
    return atomic_load_explicit(&socket->name, memory_order_acquire);
}

// Names
// -----------------------------------------------------------------------------------------------

static void name_destroy(struct object *object) {
    heap_free(CONTAINER_OF(object, struct socket_name, object));
}

static const struct object_type name_type = {
    .kind = OBJECT_SOCKET,
    .name = "socket name",
    .destroy = name_destroy,
};

static struct socket_name *name_create(const char *bytes, uint32_t length) {
    struct socket_name *name = heap_alloc(sizeof(*name) + length, MEMORY_SLEEP);
    if (name != NULL) {
        object_init(&name->object, &name_type);
        name->length = length;
        memcpy(name->bytes, bytes, length);
    }
    return name;
}

struct socket_name *socket_name_get(const struct socket *socket) {
    struct socket_name *name = name_of(socket);
    if (name != NULL) {
        object_get(&name->object);
    }
    return name;
}

enum hx_status socket_get_name(struct socket *socket, bool of_peer, struct socket_name **out_name) {
    struct socket *of = of_peer ? socket_peer_get(socket) : socket_get(socket);
    if (of == NULL) {
        return HX_ERR_NOT_CONNECTED;
    }
    *out_name = socket_name_get(of);
    socket_put(of);
    return HX_OK;
}

// The socket of a kind that has the text, if any. Needs the bucket's lock.
static struct socket *find_locked(const struct name_bucket *bucket, enum socket_kind kind,
                                  const char *bytes, uint32_t length) {
    list_for_each (link, &bucket->sockets) {
        struct socket *socket = LIST_ENTRY(link, struct socket, names_link);
        const struct socket_name *name = name_of(socket);
        if (socket->owns_text && socket->kind == kind && name->length == length &&
            memcmp(name->bytes, bytes, length) == 0) {
            return socket;
        }
    }
    return NULL;
}

static enum hx_status find_text(struct socket_names *names, enum socket_kind kind,
                                const struct socket_target *to, struct socket **out_socket) {
    struct name_bucket *bucket = bucket_of(names, to->bytes, to->length);
    spin_lock(&bucket->lock);
    struct socket *socket = find_locked(bucket, kind, to->bytes, to->length);
    if (socket != NULL) {
        (void)socket_get(socket);
    }
    spin_unlock(&bucket->lock);
    *out_socket = socket;
    return socket != NULL ? HX_OK : HX_ERR_REFUSED;
}

static enum hx_status find_inode(struct inode *inode, enum socket_kind kind,
                                 struct socket **out_socket) {
    if (inode_type(inode) != FS_MODE_SOCKET) {
        return HX_ERR_REFUSED;
    }
    rwlock_read(&inode->lock);
    struct socket *socket = inode->special;
    if (socket != NULL) {
        (void)socket_get(socket);
    }
    rwlock_read_done(&inode->lock);
    if (socket == NULL) {
        return HX_ERR_REFUSED;
    }
    if (socket->kind != kind) {
        socket_put(socket);
        return HX_ERR_WRONG_KIND;
    }
    *out_socket = socket;
    return HX_OK;
}

enum hx_status names_find(struct socket_names *names, enum socket_kind kind,
                          const struct socket_target *to, struct socket **out_socket) {
    if (to->bytes[0] == '\0') {
        return find_text(names, kind, to, out_socket);
    }
    struct path path;
    enum hx_status status = path_lookup(to->lookup, to->bytes, &path);
    if (status != HX_OK) {
        return status;
    }
    struct inode *inode = path_inode(path);
    status = inode_permission(inode, to->lookup->credentials, 2);
    if (status == HX_OK) {
        status = find_inode(inode, kind, out_socket);
    }
    path_put(path);
    return status;
}

// Binding
// -----------------------------------------------------------------------------------------------

// Of two that name a socket at once, the second one is too late.
static bool binding_begin(struct socket *socket) {
    spin_lock(&socket->lock);
    const bool is_free = name_of(socket) == NULL && !socket->is_binding;
    socket->is_binding |= is_free;
    spin_unlock(&socket->lock);
    return is_free;
}

static void binding_end(struct socket *socket) {
    spin_lock(&socket->lock);
    socket->is_binding = false;
    spin_unlock(&socket->lock);
}

static void set_name(struct socket *socket, struct socket_name *name) {
    atomic_store_explicit(&socket->name, name, memory_order_release);
}

// Takes the name on HX_OK. HX_ERR_ADDRESS_IN_USE.
static enum hx_status bind_text(struct socket *socket, struct socket_name *name) {
    struct name_bucket *bucket = bucket_of(socket->names, name->bytes, name->length);
    names_remove(socket);
    spin_lock(&bucket->lock);
    const bool is_taken = find_locked(bucket, socket->kind, name->bytes, name->length) != NULL;
    if (!is_taken) {
        socket->bucket = bucket;
        socket->owns_text = true;
        list_push_back(&bucket->sockets, &socket->names_link);
        set_name(socket, name);
    }
    spin_unlock(&bucket->lock);
    if (is_taken) {
        names_add(socket);
    }
    return is_taken ? HX_ERR_ADDRESS_IN_USE : HX_OK;
}

// The same for a path.
static enum hx_status bind_path(struct socket *socket, struct socket_name *name,
                                const struct lookup *lookup) {
    struct path path;
    enum hx_status status = vfs_create(lookup, name->bytes, FS_MODE_SOCKET | 0777, 0, &path);
    if (status != HX_OK) {
        return status == HX_ERR_EXISTS ? HX_ERR_ADDRESS_IN_USE : status;
    }
    struct inode *inode = path_inode(path);
    socket->path = path;
    set_name(socket, name);
    rwlock_write(&inode->lock);
    inode->special = socket;
    rwlock_write_done(&inode->lock);
    return HX_OK;
}

enum hx_status socket_bind(struct socket *socket, const struct socket_target *to) {
    struct socket_name *name = name_create(to->bytes, to->length);
    if (name == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = HX_ERR_INVALID;
    if (binding_begin(socket)) {
        status =
            to->bytes[0] == '\0' ? bind_text(socket, name) : bind_path(socket, name, to->lookup);
        binding_end(socket);
    }
    if (status != HX_OK) {
        socket_name_put(name);
    }
    return status;
}

// A zero and five digits, as Linux chooses them.
#define ANY_BYTES 6u
#define ANY_NAMES (1u << 4 * (ANY_BYTES - 1))

static void any_name(char *bytes, uint32_t number) {
    bytes[0] = '\0';
    for (uint32_t i = ANY_BYTES - 1; i > 0; i--) {
        bytes[i] = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
}

enum hx_status socket_bind_any(struct socket *socket) {
    enum hx_status status = HX_ERR_ADDRESS_IN_USE;
    for (uint32_t tries = 0; tries < ANY_NAMES && status == HX_ERR_ADDRESS_IN_USE; tries++) {
        char bytes[ANY_BYTES];
        any_name(bytes, atomic_fetch_add_explicit(&socket->names->next, 1, memory_order_relaxed));
        const struct socket_target to = { .bytes = bytes, .length = ANY_BYTES };
        status = name_of(socket) != NULL ? HX_OK : socket_bind(socket, &to);
        if ((thread_attention(thread_current()) & THREAD_KILL) != 0) {
            return HX_ERR_CANCELED;
        }
    }
    return status == HX_ERR_ADDRESS_IN_USE ? HX_ERR_NO_SPACE : status;
}

// Listing
// -----------------------------------------------------------------------------------------------

static void tell(struct socket *socket, void (*each)(void *context, const struct socket_info *info),
                 void *context) {
    const struct socket_info info = {
        .kind = socket->kind,
        .is_listening = socket_is_listening(socket),
        .is_connected = socket_state(socket) == SOCKET_CONNECTED,
        .id = atomic_load_explicit(&socket->id, memory_order_relaxed),
        .references = atomic_load_explicit(&socket->object.references, memory_order_relaxed),
        .name = name_of(socket),
    };
    each(context, &info);
}

void socket_names_each(struct socket_names *names,
                       void (*each)(void *context, const struct socket_info *info), void *context) {
    for (uint32_t i = 0; i < BUCKETS; i++) {
        struct name_bucket *bucket = &names->buckets[i];
        spin_lock(&bucket->lock);
        list_for_each (link, &bucket->sockets) {
            tell(LIST_ENTRY(link, struct socket, names_link), each, context);
        }
        spin_unlock(&bucket->lock);
    }
}
