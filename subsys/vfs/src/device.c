// SPDX-License-Identifier: MIT OR Apache-2.0
// device.c: device files: numbers with an opener of their own (terminals), and character devices
// that modules provide through helix.char.
//
// A module whose nodes nobody has open may leave. One that dies or is swapped is followed by
// another life, with which open files go on: who was inside when it died is told, who comes after
// that waits for the next life. A module sees kernel memory only: bytes go through a page.
#include "file_kinds.h"
#include "mount.h"

#include <core/log.h>
#include <core/port.h>
#include <core/ports/char_calls.h>
#include <core/thread.h>
#include <helix/ports/char_port.h>
#include <lib/string.h>
#include <memory/heap.h>

#define ZEROES_BATCH ((size_t)1 << 20) // between two looks for signals

static const struct lock_class table_class = { "device numbers", LOCK_RANK_FILE + 5, false };

struct char_binding { // a node of a character device
    struct list link;
    struct char_node node;
    struct char_port port; // its operations stay while somebody is inside, as self does
    void *self;
    uint32_t opens;  // [table_lock] files that are open on it
    bool is_leaving; // [table_lock] there will be no more
};

static struct mutex table_lock;
static struct list openers = LIST_INIT(openers);   // [table_lock] struct device_open
static struct list bindings = LIST_INIT(bindings); // [table_lock]

static struct device_open *find_opener(bool is_block, uint32_t major, uint32_t first,
                                       uint32_t last) {
    list_for_each (link, &openers) {
        struct device_open *opener = LIST_ENTRY(link, struct device_open, link);
        if (opener->is_block == is_block && opener->major == major && opener->minor_first <= last &&
            opener->minor_last >= first) {
            return opener;
        }
    }
    return NULL;
}

static struct char_binding *find_binding(uint32_t major, uint32_t minor) {
    list_for_each (link, &bindings) {
        struct char_binding *binding = LIST_ENTRY(link, struct char_binding, link);
        if (binding->node.major == major && binding->node.minor == minor) {
            return binding;
        }
    }
    return NULL;
}

enum hx_status device_open_register(struct device_open *device) {
    enum hx_status status = HX_ERR_EXISTS;
    mutex_lock(&table_lock);
    if (find_opener(device->is_block, device->major, device->minor_first, device->minor_last) ==
        NULL) {
        list_push_back(&openers, &device->link);
        status = HX_OK;
    }
    mutex_unlock(&table_lock);
    return status;
}

// Character devices of modules
// -----------------------------------------------------------------------------------------------

static bool is_told_to_stop(void) {
    return (thread_attention(thread_current()) & (THREAD_SIGNAL | THREAD_KILL)) != 0 ||
           capability_lost();
}

static enum hx_status read_zeroes(struct io_buffer *to, size_t *out_moved) {
    size_t moved = 0;
    enum hx_status status = HX_OK;
    while (status == HX_OK && to->remaining > 0 && !(moved > 0 && is_told_to_stop())) {
        size_t done = 0;
        status = io_buffer_put_zero(to, MIN_OF(to->remaining, ZEROES_BATCH), &done);
        moved += done;
    }
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

// A call of the module, made inside its slot: another life comes while nobody is inside.
struct char_call {
    const struct char_binding *binding;
    uint64_t offset;
    void *bytes;
    uint32_t size_bytes;
    uint32_t done;
    bool was_inside;
};

static int64_t read_inside(void *argument) {
    struct char_call *call = argument;
    const struct char_binding *binding = call->binding;
    call->was_inside = true;
    return char_call_read(&binding->port, binding->self, binding->node.minor, call->offset,
                          call->bytes, call->size_bytes, &call->done);
}

static int64_t write_inside(void *argument) {
    struct char_call *call = argument;
    const struct char_binding *binding = call->binding;
    call->was_inside = true;
    return char_call_write(&binding->port, binding->self, binding->node.minor, call->offset,
                           call->bytes, call->size_bytes, &call->done);
}

static int64_t sync_inside(void *argument) {
    struct char_call *call = argument;
    const struct char_binding *binding = call->binding;
    call->was_inside = true;
    return char_call_sync(&binding->port, binding->self, binding->node.minor);
}

// HX_ERR_PEER_DIED: the module died of this call, or for good; else what the method or the wait for
// its next life returns. What a module that died says it has done does not count.
static enum hx_status char_enter(struct char_call *call, int64_t (*inside)(void *argument)) {
    struct gate *gate = call->binding->port.gate;
    for (;;) {
        const uint32_t sequence = waitable_sequence(&gate->changed);
        enum hx_status status = gate_call(gate, inside, call);
        if (status == HX_OK && call->done > call->size_bytes) {
            status = HX_ERR_IO; // it says that it has done more than it was asked for
        }
        call->done = status == HX_OK ? call->done : 0;
        if (status != HX_ERR_PEER_DIED || call->was_inside || gate_is_gone(gate)) {
            return status;
        }
        // Refused on purpose, it is neither dead nor was a moment ago.
        if (gate_is_dead(gate) || waitable_sequence(&gate->changed) != sequence) {
            status = wait_change(&gate->changed, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        }
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status char_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                size_t *out_moved) {
    const struct char_binding *binding = file->data;
    size_t moved = 0;
    enum hx_status status = HX_OK;
    if ((binding->node.flags & CHAR_NODE_ZEROES) != 0) {
        return read_zeroes(to, out_moved);
    }
    char *buffer = heap_alloc(PAGE_SIZE, MEMORY_SLEEP);
    if (buffer == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    while (status == HX_OK && to->remaining > 0 && !(moved > 0 && is_told_to_stop())) {
        size_t done = 0;
        struct char_call call = { .binding = binding,
                                  .offset = offset,
                                  .bytes = buffer,
                                  .size_bytes = (uint32_t)MIN_OF(to->remaining, PAGE_SIZE) };
        status = char_enter(&call, read_inside);
        if (status == HX_OK && call.done == 0) {
            break;
        }
        if (status == HX_OK) {
            status = io_buffer_put(to, buffer, call.done, &done);
        }
        moved += done;
        offset += done;
    }
    heap_free(buffer);
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

static enum hx_status char_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                 size_t *out_moved) {
    const struct char_binding *binding = file->data;
    size_t moved = 0;
    enum hx_status status = HX_OK;
    if ((binding->node.flags & CHAR_NODE_SINK) != 0) {
        *out_moved = from->remaining;
        from->remaining = 0;
        return HX_OK;
    }
    char *buffer = heap_alloc(PAGE_SIZE, MEMORY_SLEEP);
    if (buffer == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    while (status == HX_OK && from->remaining > 0 && !(moved > 0 && is_told_to_stop())) {
        size_t taken = 0;
        status = io_buffer_take(from, buffer, PAGE_SIZE, &taken);
        struct char_call call = {
            .binding = binding, .offset = offset, .bytes = buffer, .size_bytes = (uint32_t)taken
        };
        if (taken != 0) {
            enum hx_status copied = status;
            status = char_enter(&call, write_inside);
            status = status == HX_OK ? copied : status;
        }
        moved += call.done;
        offset += call.done;
        if (call.done < taken) {
            break;
        }
    }
    heap_free(buffer);
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

// HX_ERR_INVALID: it keeps nothing, or was built before there was such a method.
static enum hx_status char_sync(struct file *file) {
    struct char_call call = { .binding = file->data };
    return char_enter(&call, sync_inside);
}

// /dev/null and its like take any lseek(2) and stay at 0.
static enum hx_status char_seek(struct file *file, int64_t offset, uint32_t whence,
                                uint64_t *out_position) {
    (void)offset;
    (void)whence;
    file->position = 0;
    *out_position = 0;
    return HX_OK;
}

static enum hx_status char_map(struct file *file, uint32_t protection, bool shared,
                               struct memory_object **out_object) {
    (void)protection;
    (void)shared;
    const struct char_binding *binding = file->data;
    if ((binding->node.flags & CHAR_NODE_ZEROES) == 0) {
        return HX_ERR_NO_DEVICE;
    }
    *out_object = memory_object_create_plain(&account_root, UINT64_MAX);
    return *out_object == NULL ? HX_ERR_NO_MEMORY : HX_OK;
}

static void char_release(struct file *file) {
    struct char_binding *binding = file->data;
    mutex_lock(&table_lock);
    binding->opens--;
    mutex_unlock(&table_lock);
}

static const struct file_ops char_file_ops = {
    .read = char_read,
    .write = char_write,
    .seek = char_seek,
    .map = char_map,
    .sync = char_sync,
    .release = char_release,
};

static bool is_open_locked(const struct gate *gate) {
    list_for_each (link, &bindings) {
        const struct char_binding *binding = LIST_ENTRY(link, struct char_binding, link);
        if (binding->port.gate == gate && binding->opens != 0) {
            return true;
        }
    }
    return false;
}

static void set_leaving_locked(const struct gate *gate, bool is_leaving) {
    list_for_each (link, &bindings) {
        struct char_binding *binding = LIST_ENTRY(link, struct char_binding, link);
        if (binding->port.gate == gate) {
            binding->is_leaving = is_leaving;
        }
    }
}

// Off the list one by one: nodes are removed without the table's lock.
static struct char_binding *take_locked(const struct gate *gate) {
    list_for_each (link, &bindings) {
        struct char_binding *binding = LIST_ENTRY(link, struct char_binding, link);
        if (binding->port.gate == gate) {
            list_remove(&binding->link);
            return binding;
        }
    }
    return NULL;
}

static void forget(const struct gate *gate) {
    struct char_binding *binding;
    do {
        mutex_lock(&table_lock);
        binding = take_locked(gate);
        mutex_unlock(&table_lock);
        if (binding != NULL) {
            device_node_remove(binding->node.name);
            heap_free(binding);
        }
    } while (binding != NULL);
}

static enum hx_status char_leave(const struct gate *gate, enum port_leaving step) {
    enum hx_status status = HX_OK;
    if (step == PORT_LEFT) {
        forget(gate);
        return HX_OK;
    }
    mutex_lock(&table_lock);
    if (step == PORT_LEAVES && is_open_locked(gate)) {
        status = HX_ERR_BUSY;
    } else {
        set_leaving_locked(gate, step == PORT_LEAVES);
    }
    mutex_unlock(&table_lock);
    return status;
}

// Whether what a module says of its nodes can be.
static bool are_sound(const struct char_node *nodes, uint32_t count) {
    if (count > CHAR_NODES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const size_t length = strnlen(nodes[i].name, sizeof(nodes[i].name));
        if (length == 0 || length == sizeof(nodes[i].name)) {
            return false;
        }
    }
    return true;
}

static bool is_same_node(const struct char_node *one, const struct char_node *other) {
    return strcmp(one->name, other->name) == 0 && one->major == other->major &&
           one->minor == other->minor && one->mode == other->mode && one->flags == other->flags;
}

// Whether these are the nodes that the slot has, in the order in which they came.
static bool are_same_locked(const struct gate *gate, const struct char_node *nodes,
                            uint32_t count) {
    uint32_t same = 0;
    list_for_each (link, &bindings) {
        const struct char_binding *binding = LIST_ENTRY(link, struct char_binding, link);
        if (binding->port.gate == gate) {
            if (same == count || !is_same_node(&binding->node, &nodes[same])) {
                return false;
            }
            same++;
        }
    }
    return same == count;
}

static void rebind_locked(const struct gate *gate, const struct char_ops *ops, void *self) {
    list_for_each (link, &bindings) {
        struct char_binding *binding = LIST_ENTRY(link, struct char_binding, link);
        if (binding->port.gate == gate) {
            binding->port.ops = *ops;
            binding->self = self;
        }
    }
}

// The next life of a module, or another version: with the same nodes.
static enum hx_status char_replace(const struct port_provider *provider) {
    struct char_ops ops;
    struct char_node nodes[CHAR_NODES_MAX] = { 0 }; // who dies in describe() gives nothing back
    uint32_t count = 0;
    enum hx_status status = char_bind(&ops, provider->operations, ~(rights_t)0);
    if (status == HX_OK) {
        status = ops.describe(provider->self, nodes, CHAR_NODES_MAX, &count);
    }
    mutex_lock(&table_lock);
    if (status == HX_OK &&
        (!are_sound(nodes, count) || !are_same_locked(provider->gate, nodes, count))) {
        log_error("%s: the device has other nodes than before", provider->slot);
        status = HX_ERR_INVALID;
    }
    if (status == HX_OK) {
        rebind_locked(provider->gate, &ops, provider->self);
    }
    mutex_unlock(&table_lock);
    return status;
}

// The user of the port helix.char.
static const struct port_used char_port =
    PORT_USED_AS(CHAR, char, char_leave, char_replace, NULL); // files look at the gate

static enum hx_status node_add(const struct char_node *node, const struct char_port *port,
                               void *self) {
    struct char_binding *binding = heap_alloc_zero(sizeof(*binding), MEMORY_SLEEP);
    if (binding == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *binding = (struct char_binding){ .node = *node, .port = *port, .self = self };
    mutex_lock(&table_lock);
    bool is_taken = find_binding(node->major, node->minor) != NULL;
    if (!is_taken) {
        list_push_back(&bindings, &binding->link);
    }
    mutex_unlock(&table_lock);
    if (is_taken) {
        heap_free(binding);
        return HX_ERR_EXISTS;
    }
    return device_node_add(binding->node.name, node->mode, node->major, node->minor);
}

static enum hx_status char_install(const struct port_provider *provider) {
    struct char_port port = { .gate = provider->gate };
    uint32_t count = 0;
    enum hx_status status = char_bind(&port.ops, provider->operations, ~(rights_t)0);
    if (status != HX_OK) {
        return status;
    }
    struct char_node *nodes = heap_alloc_zero(CHAR_NODES_MAX * sizeof(*nodes), MEMORY_SLEEP);
    if (nodes == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    status = char_call_describe(&port, provider->self, nodes, CHAR_NODES_MAX, &count);
    if (status == HX_OK && !are_sound(nodes, count)) {
        log_error("%s: the device has %u nodes, or some without a name", provider->slot, count);
        status = HX_ERR_INVALID;
    }
    for (uint32_t i = 0; status == HX_OK && i < count; i++) {
        status = node_add(&nodes[i], &port, provider->self);
    }
    heap_free(nodes);
    if (status != HX_OK) {
        forget(provider->gate);
    }
    return status;
}

// Opening
// -----------------------------------------------------------------------------------------------

enum hx_status device_open(struct file *file) {
    uint32_t major = (uint32_t)(file->inode->info.device >> 32);
    uint32_t minor = (uint32_t)file->inode->info.device;
    const bool is_block = inode_type(file->inode) == FS_MODE_BLOCK;
    mutex_lock(&table_lock);
    struct device_open *opener = find_opener(is_block, major, minor, minor);
    struct char_binding *binding = opener == NULL && !is_block ? find_binding(major, minor) : NULL;
    if (binding != NULL && binding->is_leaving) {
        binding = NULL;
    }
    if (binding != NULL) {
        binding->opens++;
    }
    mutex_unlock(&table_lock);
    if (opener != NULL) {
        return opener->open(file, minor);
    }
    if (binding == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    file->ops = &char_file_ops;
    file->data = binding;
    return HX_OK;
}

enum hx_status char_devices_init(void) {
    mutex_init(&table_lock, &table_class);
    return port_installer_register(&char_port, char_install);
}
