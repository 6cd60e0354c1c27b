// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/env.h>: the whole world of a module (with <helix/env_atomic.h>). Nothing else resolves
// when a module is linked, and the same calls exist in the kernel, in a ring-3 service and on the
// host.
//
// A module gets its `env` in init; every call through it is charged to the module and is written
// into its ledger, so that what a failed module held can be released. Context: thread, may sleep,
// no hx_spinlock held, unless said otherwise.
#pragma once

#include <helix/arena.h>
#include <helix/env_atomic.h>
#include <helix/module.h>

// Memory
// -------------------------------------------------------------------------------------------

// Zeroed memory, aligned to 16 bytes; NULL if there is none. Gives; ends with hx_free().
void *hx_alloc(struct hx_env *env, size_t size_bytes);
// Takes what hx_alloc() gave; NULL is allowed.
void hx_free(struct hx_env *env, void *memory);

// The arena
// ----------------------------------------------------------------------------------------

// What lasts when the module dies, or another version takes its place: objects with a number, a
// type and bytes. The manifest's `arena_version` is the schema of them. They are changed by
// updates: whoever dies before the commit has changed nothing. A store to an object outside of an
// update that has it is found by its checksum, after which the module is not started any more.
//
// An object may be in one update at a time; that nobody looks at one that another thread changes or
// frees is for the module's locks. With the module's other memory goes what it keeps in `local`.

// So many updates a module in ring 3 has at once.
#define HX_UPDATES_ISOLATED 256u

// An update, of one thread at a time, which is used again and again; NULL: no memory, or the
// manifest has no `arena_version`, or in ring 3 there are too many. Gives; ends
// with the module's life, or with hx_update_destroy(), which aborts it first.
struct hx_update *hx_update_create(struct hx_env *env);
void hx_update_destroy(struct hx_update *update);

// An object with zeroed bytes, aligned to 16, to be written until the commit; NULL: no memory.
void *hx_arena_new(struct hx_update *update, uint32_t type, size_t size_bytes);
// The object's bytes, to be written until the commit; NULL: no memory, or another update has it.
// 700 bytes of objects in an update need no memory.
void *hx_arena_change(struct hx_update *update, const void *object);
// The object goes with the commit, and is there until then. False: as above.
bool hx_arena_free(struct hx_update *update, const void *object);
// All that was done in the update is done, or nothing was.
void hx_arena_commit(struct hx_update *update);
void hx_arena_abort(struct hx_update *update);

// The bytes of an object; NULL: there is none of that number. Numbers are never used twice.
void *hx_arena_at(struct hx_env *env, uint64_t number);
// Fills `out_objects` with up to `capacity` objects behind `*inout_index`, at first 0, which moves
// on; gives how many, 0: no more. None is made or freed meanwhile.
uint32_t hx_arena_walk(struct hx_env *env, uint32_t *inout_index, void **out_objects,
                       uint32_t capacity);
// Whether lives in ring 3 may have written what is in the arena: before a life in the kernel relies
// on it, import_state checks it. True in ring 3.
bool hx_arena_is_foreign(struct hx_env *env);

// The log
// ------------------------------------------------------------------------------------------

enum hx_log_level {
    HX_LOG_ERROR = 3,
    HX_LOG_WARNING = 4,
    HX_LOG_NOTICE = 5,
    HX_LOG_INFO = 6,
    HX_LOG_DEBUG = 7,
};

// One line, without a line end; "name: " goes in front. Any context. No secret, no pointer.
void hx_log(struct hx_env *env, enum hx_log_level level, const char *format, ...) PRINTF(3, 4);

// Locks
// --------------------------------------------------------------------------------------------

// A sleeping mutex; the caller's storage; opaque. Not recursive.
struct LOCKABLE("hx_mutex") hx_mutex {
    alignas(8) uint8_t opaque[80];
};

// `name` is for checks and panics; borrowed for good.
void hx_mutex_init(struct hx_mutex *mutex, const char *name);
// Locks of one module nest in the order of their addresses only.
void hx_mutex_lock(struct hx_mutex *mutex) ACQUIRES(*mutex);
void hx_mutex_unlock(struct hx_mutex *mutex) RELEASES(*mutex);

// Devices
// ------------------------------------------------------------------------------------------

// I/O ports, where the machine has them; elsewhere reads give all ones. Any context.
// Needs HX_CAPABILITY_IO_PORTS, and a manifest that names them: without it reads give all ones and
// writes do nothing.
uint8_t hx_io_port_read8(struct hx_env *env, uint16_t port);
void hx_io_port_write8(struct hx_env *env, uint16_t port, uint8_t value);

// Calls `handler(context)` in a thread of the module's each time that the ISA interrupt `isa`
// comes; the line is masked until it returns. Needs HX_CAPABILITY_IRQ. Returns HX_OK,
// HX_ERR_ACCESS_DENIED, HX_ERR_BUSY (taken), HX_ERR_NO_DEVICE (no such line),
//         HX_ERR_NO_MEMORY
enum hx_status hx_irq_register(struct hx_env *env, uint32_t isa, void (*handler)(void *context),
                               void *context);

#define HX_DEVICE_WINDOWS 6u

// A device of the machine; opaque.
struct hx_device {
    struct hx_device_window {
        volatile void *registers;
        size_t size_bytes;
    } windows[HX_DEVICE_WINDOWS];
    uint32_t line;
    void *node;
};

// The device number `index` of those of that name, and its registers, for good: "virtio:2" for a
// virtio device of kind 2, over whatever bus; "pci8086,100e" for one on PCI, whose window N is BAR
// N; else what the machine's device tree calls compatible, with its registers as window 0. Those on
// PCI may then read and write memory. Needs HX_CAPABILITY_DEVICES, and a manifest that names it.
// Returns HX_OK, HX_ERR_ACCESS_DENIED, HX_ERR_NOT_FOUND (no more of them), HX_ERR_BUSY (a driver
//         has it), HX_ERR_NO_MEMORY
enum hx_status hx_device_open(struct hx_env *env, const char *name, uint32_t index,
                              struct hx_device *out_device);
// A register of 1, 2 or 4 bytes, at a multiple of them: one access, in order with others to this
// device, and before later loads of what the device wrote to memory. All ones behind the window's
// end. Any context.
uint32_t hx_device_read(const struct hx_device *device, uint32_t window, uint32_t offset,
                        uint32_t bytes);
// Writes one, after earlier stores to memory are visible to the device; nothing behind the end.
void hx_device_write(const struct hx_device *device, uint32_t window, uint32_t offset,
                     uint32_t bytes, uint32_t value);
// The same for 4 bytes of window 0.
uint32_t hx_device_read32(const struct hx_device *device, uint32_t offset);
void hx_device_write32(const struct hx_device *device, uint32_t offset, uint32_t value);
// The same for 1 byte.
uint8_t hx_device_read8(const struct hx_device *device, uint32_t offset);
void hx_device_write8(const struct hx_device *device, uint32_t offset, uint8_t value);
// A word of its PCI configuration, at a multiple of 4; all ones if it is not on PCI. Any context.
uint32_t hx_device_config(const struct hx_device *device, uint32_t offset);
bool hx_device_is_pci(const struct hx_device *device);
// As hx_irq_register(), for the device's first interrupt. *out_is_message, unless NULL: it comes as
// a message, the first of its table, and nobody else has the line; then the device is not to be
// asked whether it was the one. Lines of PCI may be shared: a handler may be called for nothing.
enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message);
// The same for message `index`, 1 and on, of a device whose first interrupt came as one; nobody
// else has the line. Once for each. Returns as above, and
//         HX_ERR_NOT_SUPPORTED  its table has no such message, or its interrupt is no message
//         HX_ERR_NO_DEVICE      no line is left: the device can do with those that it has
enum hx_status hx_device_message(struct hx_env *env, const struct hx_device *device, uint32_t index,
                                 void (*handler)(void *context), void *context);

// Memory that a device reads and writes: zeroed whole pages, one behind the other, and where the
// device sees the first one; up to 128 KiB. NULL: none, or HX_CAPABILITY_DEVICES is not granted.
// Gives; ends with hx_dma_free(), with that address, once the device does not use them any more.
void *hx_dma_alloc(struct hx_env *env, const struct hx_device *device, size_t size_bytes,
                   uint64_t *out_address);
void hx_dma_free(struct hx_env *env, const struct hx_device *device, void *memory,
                 uint64_t address);

// Pages that a port's call gave: they are somebody else's, who may change them meanwhile. In ring 3
// the module has but a name for each: there they are copied by these two, or lent to a device.
// What was given to be read can be read, what was given to be written can be written, as long as it
// was given. HX_OK, HX_ERR_INVALID (no such page, or beyond its end), HX_ERR_ACCESS_DENIED
enum hx_status hx_page_read(struct hx_env *env, const void *page, size_t offset, void *to,
                            size_t size_bytes);
enum hx_status hx_page_write(struct hx_env *env, void *page, size_t offset, const void *from,
                             size_t size_bytes);

#define HX_DMA_PAGES_MAX 64u
#define HX_DMA_READ      1u // by the device
#define HX_DMA_WRITE     2u

// Lends 1 to HX_DMA_PAGES_MAX pages that a port's call gave to a device: out_addresses[i] is where
// it sees pages[i], until hx_dma_unmap(). Behind an IOMMU the device reaches nothing else, and the
// addresses follow each other. May wait for the IOMMU, no longer than a few seconds. Needs
// HX_CAPABILITY_DEVICES.
// Returns HX_OK, HX_ERR_ACCESS_DENIED, HX_ERR_INVALID, HX_ERR_NO_MEMORY, HX_ERR_NOT_SUPPORTED (the
//         device touches no memory), HX_ERR_IO
enum hx_status hx_dma_map(struct hx_env *env, const struct hx_device *device,
                          const void *const *pages, uint32_t count, uint32_t access,
                          uint64_t *out_addresses);
// Ends `count` such lendings at once, each by its first address. Before the pages are anybody
// else's.
// Returns HX_OK           nobody translates for the device, or it reaches them no more
//         HX_ERR_IO       it may reach them for good
//         HX_ERR_INVALID  one of them is no lending; nothing was done
enum hx_status hx_dma_unmap(struct hx_env *env, const struct hx_device *device,
                            const uint64_t *addresses, uint32_t count);
// Whether the device reaches only what it was lent, even if it does not do what it is told.
bool hx_dma_is_bound(const struct hx_device *device);

// Entropy
// ------------------------------------------------------------------------------------------

// Fills with random bytes of the kernel's generator; whether they are strong is the system's to say
// (DESIGN section 11). Needs HX_CAPABILITY_RANDOM: without it returns HX_ERR_ACCESS_DENIED.
enum hx_status hx_random_fill(struct hx_env *env, void *to, size_t size_bytes);

// Mixes in bytes that a source of true randomness gave; with enough of them the generator is
// strong. Needs HX_CAPABILITY_ENTROPY.
enum hx_status hx_entropy_add(struct hx_env *env, const void *bytes, size_t size_bytes);

// Ports
// --------------------------------------------------------------------------------------------

// Installs this module as provider of `port` in the slot of that name, at the newest version that
// its manifest and the user of the port have. `operations` is the port's operations table, `self`
// what its methods get first; both are kept until the slot is given back (never, for a built-in
// module). Returns
//         HX_OK              installed: calls may come in before this returns
//         HX_ERR_INVALID     the manifest does not provide that port
//         HX_ERR_NOT_FOUND   nobody in this system uses that port
//         HX_ERR_BAD_IMAGE   the module and the user of the port have no minor version of it in
//                            common, or `operations` lacks a method; the log says what was expected
//                            and found
//         HX_ERR_EXISTS      the slot is taken
//         or what the user of the port refuses with
enum hx_status hx_port_provide(struct hx_env *env, const char *port, const char *slot,
                               const void *operations, void *self);
