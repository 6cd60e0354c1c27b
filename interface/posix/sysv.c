// SPDX-License-Identifier: MIT OR Apache-2.0
// sysv.c: ids, keys, owners and modes of System V IPC: sysvipc(7).
//
// An id is an index and, above it, a number that grows when indexes begin anew: so an id that was
// in use comes back late. Indexes are given out one after the other, as Linux does it.
#include "sysv.h"

#include "life.h"
#include "times.h"

#include <lib/string.h>

#define INDEX_BITS   15u
#define INDEX_COUNT  (1 << INDEX_BITS)
#define SEQUENCE_MAX (INT32_MAX >> INDEX_BITS)
#define CYCLE_LEAST  64 // indexes are not used again sooner

#define CAPABILITY_IPC_OWNER 15u

int32_t ipc_index(const struct ipc_entry *entry) {
    return entry->id & (INDEX_COUNT - 1);
}

static struct ipc_entry *entry_by_index(struct rbnode *node) {
    return node != NULL ? RB_ENTRY(node, struct ipc_entry, by_index) : NULL;
}

bool ipc_comes_first_by_index(const struct rbnode *a, const struct rbnode *b) {
    return ipc_index(RB_ENTRY(a, struct ipc_entry, by_index)) <
           ipc_index(RB_ENTRY(b, struct ipc_entry, by_index));
}

bool ipc_comes_first_by_key(const struct rbnode *a, const struct rbnode *b) {
    return RB_ENTRY(a, struct ipc_entry, by_key)->key < RB_ENTRY(b, struct ipc_entry, by_key)->key;
}

int64_t ipc_now(void) {
    time_ns_t now = 0;
    HX_IGNORE(clock_read(CLOCK_REALTIME, &now)); // it is there
    return now / NS_PER_SECOND;
}

int32_t ipc_caller(void) {
    const struct posix_process *process = posix_current();
    return process != NULL ? process->pid : 0;
}

// One ----------------------------------------------------------------------------------------

enum hx_status ipc_entry_init(struct ipc_entry *entry, const struct object_type *type, int32_t key,
                              uint32_t flags, int64_t pages) {
    struct account *account = account_current();
    if (account_charge(account, ACCOUNT_OBJECTS, 1) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    if (account_charge(account, ACCOUNT_FRAMES, pages) != HX_OK) {
        account_release(account, ACCOUNT_OBJECTS, 1);
        return HX_ERR_NO_MEMORY;
    }
    object_get(&account->object);
    struct credentials *credentials = posix_credentials(posix_current());
    object_init(&entry->object, type);
    entry->is_listed = false;
    entry->key = key;
    entry->mode = flags & IPC_MODES;
    entry->uid = credentials->euid;
    entry->gid = credentials->egid;
    entry->cuid = credentials->euid;
    entry->cgid = credentials->egid;
    entry->changed = ipc_now();
    entry->account = account;
    entry->pages = pages;
    credentials_put(credentials);
    return HX_OK;
}

void ipc_entry_fini(struct ipc_entry *entry) {
    account_release(entry->account, ACCOUNT_FRAMES, entry->pages);
    account_release(entry->account, ACCOUNT_OBJECTS, 1);
    object_put(&entry->account->object);
}

bool ipc_permits_locked(const struct ipc_entry *entry, const struct credentials *credentials,
                        uint32_t wanted) {
    const uint32_t bits = wanted >> 6 | wanted >> 3 | wanted;
    uint32_t granted = entry->mode;
    if (credentials->euid == entry->cuid || credentials->euid == entry->uid) {
        granted >>= 6;
    } else if (credentials_in_group(credentials, entry->cgid) ||
               credentials_in_group(credentials, entry->gid)) {
        granted >>= 3;
    }
    return (bits & ~granted & 7) == 0 || credentials_capable(credentials, CAPABILITY_IPC_OWNER);
}

static bool is_owner_locked(const struct ipc_entry *entry, const struct credentials *credentials) {
    return credentials->euid == entry->cuid || credentials->euid == entry->uid ||
           credentials_capable(credentials, CAPABILITY_SYS_ADMIN);
}

void ipc_touch(struct ipc_table *table, struct ipc_entry *entry) {
    const int64_t now = ipc_now();
    spin_lock(&table->lock);
    entry->changed = now;
    spin_unlock(&table->lock);
}

void ipc_describe(struct ipc_table *table, const struct ipc_entry *entry,
                  struct linux_ipc_perm *out_perm, int64_t *out_changed) {
    spin_lock(&table->lock);
    *out_changed = entry->changed;
    *out_perm = (struct linux_ipc_perm){
        .key = entry->key,
        .uid = entry->uid,
        .gid = entry->gid,
        .cuid = entry->cuid,
        .cgid = entry->cgid,
        .mode = entry->mode,
        .sequence = (uint16_t)(entry->id >> INDEX_BITS),
    };
    spin_unlock(&table->lock);
}

enum hx_status ipc_change_locked(struct ipc_entry *entry, const struct linux_ipc_perm *perm) {
    if (perm->uid == UINT32_MAX || perm->gid == UINT32_MAX) {
        return HX_ERR_INVALID;
    }
    entry->uid = perm->uid;
    entry->gid = perm->gid;
    entry->mode = (entry->mode & ~IPC_MODES) | (perm->mode & IPC_MODES);
    entry->changed = ipc_now();
    return HX_OK;
}

// All ----------------------------------------------------------------------------------------

struct ipc_entry *ipc_from_index_locked(const struct ipc_table *table, int32_t index) {
    struct rbnode *node = table->by_index.root;
    struct rbnode *found = NULL;
    while (node != NULL) {
        const bool is_lower = ipc_index(entry_by_index(node)) < index;
        found = is_lower ? found : node;
        node = is_lower ? node->right : node->left;
    }
    return entry_by_index(found);
}

static struct ipc_entry *find_index_locked(const struct ipc_table *table, int32_t index) {
    struct ipc_entry *entry = ipc_from_index_locked(table, index);
    return entry != NULL && ipc_index(entry) == index ? entry : NULL;
}

struct ipc_entry *ipc_find_locked(const struct ipc_table *table, int32_t id) {
    struct ipc_entry *entry = id >= 0 ? find_index_locked(table, id & (INDEX_COUNT - 1)) : NULL;
    return entry != NULL && entry->id == id ? entry : NULL;
}

static struct ipc_entry *find_key_locked(const struct ipc_table *table, int32_t key) {
    struct rbnode *node = table->by_key.root;
    while (node != NULL) {
        struct ipc_entry *entry = RB_ENTRY(node, struct ipc_entry, by_key);
        if (entry->key == key) {
            return entry;
        }
        node = entry->key < key ? node->right : node->left;
    }
    return NULL;
}

// The first free index from `first` on and below `end`; -1: there is none.
static int32_t free_index_locked(const struct ipc_table *table, int32_t first, int32_t end) {
    int32_t index = first;
    const struct ipc_entry *entry = ipc_from_index_locked(table, first);
    while (entry != NULL && ipc_index(entry) == index) {
        index++;
        entry = entry_by_index(rbtree_next(&entry->by_index));
    }
    return index < end ? index : -1;
}

static bool give_id_locked(struct ipc_table *table, struct ipc_entry *entry) {
    const int32_t end = MIN_OF(MAX_OF(table->count * 3 / 2, CYCLE_LEAST), INDEX_COUNT);
    int32_t index = free_index_locked(table, table->last_index + 1, end);
    if (index < 0) {
        index = free_index_locked(table, 0, end);
    }
    if (table->count >= table->limit || index < 0) {
        return false;
    }
    if (index <= table->last_index) {
        table->sequence = table->sequence < SEQUENCE_MAX - 1 ? table->sequence + 1 : 0;
    }
    table->last_index = index;
    entry->id = table->sequence << INDEX_BITS | index;
    return true;
}

// HX_ERR_EXISTS: somebody has made one of that key meanwhile; HX_ERR_NO_SPACE.
static enum hx_status insert(struct ipc_table *table, struct ipc_entry *entry, int32_t *out_id) {
    enum hx_status status = HX_OK;
    spin_lock(&table->lock);
    if (entry->key != 0 && find_key_locked(table, entry->key) != NULL) {
        status = HX_ERR_EXISTS;
    } else if (!give_id_locked(table, entry)) {
        status = HX_ERR_NO_SPACE;
    } else {
        *out_id = entry->id;
        rbtree_insert(&table->by_index, &entry->by_index);
        if (entry->key != 0) {
            rbtree_insert(&table->by_key, &entry->by_key);
        }
        entry->is_listed = true;
        table->count++;
    }
    spin_unlock(&table->lock);
    return status;
}

void ipc_forget_key_locked(struct ipc_table *table, struct ipc_entry *entry) {
    if (entry->key != 0) {
        rbtree_remove(&table->by_key, &entry->by_key);
        entry->key = 0;
    }
}

bool ipc_remove_locked(struct ipc_table *table, struct ipc_entry *entry) {
    if (!entry->is_listed) {
        return false;
    }
    ipc_forget_key_locked(table, entry);
    rbtree_remove(&table->by_index, &entry->by_index);
    entry->is_listed = false;
    table->count--;
    return true;
}

int32_t ipc_highest_index(struct ipc_table *table) {
    spin_lock(&table->lock);
    const struct ipc_entry *last = entry_by_index(rbtree_last(&table->by_index));
    const int32_t index = last != NULL ? ipc_index(last) : 0;
    spin_unlock(&table->lock);
    return index;
}

int32_t ipc_count(struct ipc_table *table) {
    spin_lock(&table->lock);
    const int32_t count = table->count;
    spin_unlock(&table->lock);
    return count;
}

// Calls ------------------------------------------------------------------------------------------

// Keeps it if the caller may have it.
static enum hx_status keep_locked(struct ipc_entry *entry, bool may, enum hx_status refusal,
                                  struct ipc_entry **out_entry) {
    if (entry == NULL || !may) {
        return entry == NULL ? HX_ERR_INVALID : refusal;
    }
    object_get(&entry->object);
    *out_entry = entry;
    return HX_OK;
}

enum hx_status ipc_hold(struct ipc_table *table, int32_t id, uint32_t wanted,
                        struct ipc_entry **out_entry) {
    struct credentials *credentials = posix_credentials(posix_current());
    spin_lock(&table->lock);
    struct ipc_entry *entry = ipc_find_locked(table, id);
    const bool may = entry != NULL && ipc_permits_locked(entry, credentials, wanted);
    const enum hx_status status = keep_locked(entry, may, HX_ERR_PERMISSION, out_entry);
    spin_unlock(&table->lock);
    credentials_put(credentials);
    return status;
}

enum hx_status ipc_check(struct ipc_table *table, const struct ipc_entry *entry, uint32_t wanted) {
    struct credentials *credentials = posix_credentials(posix_current());
    spin_lock(&table->lock);
    const bool may = ipc_permits_locked(entry, credentials, wanted);
    spin_unlock(&table->lock);
    credentials_put(credentials);
    return may ? HX_OK : HX_ERR_PERMISSION;
}

enum hx_status ipc_hold_to_tell(struct ipc_table *table, int32_t id, bool by_index, bool any,
                                struct ipc_entry **out_entry) {
    struct credentials *credentials = posix_credentials(posix_current());
    spin_lock(&table->lock);
    struct ipc_entry *entry =
        by_index ? find_index_locked(table, id & (INDEX_COUNT - 1)) : ipc_find_locked(table, id);
    const bool may = entry != NULL && (any || ipc_permits_locked(entry, credentials, IPC_READ));
    const enum hx_status status = keep_locked(entry, may, HX_ERR_PERMISSION, out_entry);
    spin_unlock(&table->lock);
    credentials_put(credentials);
    return status;
}

enum hx_status ipc_hold_owned(struct ipc_table *table, int32_t id, struct ipc_entry **out_entry) {
    struct credentials *credentials = posix_credentials(posix_current());
    spin_lock(&table->lock);
    struct ipc_entry *entry = ipc_find_locked(table, id);
    const bool may = entry != NULL && is_owner_locked(entry, credentials);
    const enum hx_status status = keep_locked(entry, may, HX_ERR_NOT_PERMITTED, out_entry);
    spin_unlock(&table->lock);
    credentials_put(credentials);
    return status;
}

struct request {
    struct ipc_table *table;
    int32_t key;
    uint32_t flags;
    uint64_t size;
    const struct ipc_maker *maker;
};

// HX_ERR_NOT_FOUND: there is none of that key.
static enum hx_status find_existing(const struct request *request, int32_t *out_id) {
    struct credentials *credentials = posix_credentials(posix_current());
    struct ipc_table *table = request->table;
    enum hx_status status = HX_OK;
    spin_lock(&table->lock);
    const struct ipc_entry *entry = request->key != 0 ? find_key_locked(table, request->key) : NULL;
    if (entry == NULL) {
        status = HX_ERR_NOT_FOUND;
    } else if ((request->flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL)) {
        status = HX_ERR_EXISTS;
    } else if (request->maker->fits != NULL && !request->maker->fits(entry, request->size)) {
        status = HX_ERR_INVALID;
    } else if (!ipc_permits_locked(entry, credentials, request->flags)) {
        status = HX_ERR_PERMISSION;
    } else {
        *out_id = entry->id;
    }
    spin_unlock(&table->lock);
    credentials_put(credentials);
    return status;
}

static enum hx_status create(const struct request *request, int32_t *out_id) {
    struct ipc_entry *entry;
    enum hx_status status =
        request->maker->create(request->key, request->flags, request->size, &entry);
    if (status != HX_OK) {
        return status;
    }
    status = insert(request->table, entry, out_id);
    if (status != HX_OK) {
        ipc_put(entry);
    }
    return status;
}

enum hx_status ipc_get(struct call *call, struct ipc_table *table, uint32_t flags, uint64_t size,
                       const struct ipc_maker *maker) {
    const struct request request = { table, call_int(call, 0), flags, size, maker };
    int32_t id = 0;
    for (;;) {
        enum hx_status status = find_existing(&request, &id);
        const bool makes =
            status == HX_ERR_NOT_FOUND && (request.key == 0 || (flags & IPC_CREAT) != 0);
        if (makes) {
            status = create(&request, &id);
        }
        if (!makes || status != HX_ERR_EXISTS) { // else somebody else was faster
            return status == HX_OK ? call_ok(call, id) : status;
        }
    }
}
