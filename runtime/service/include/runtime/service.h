// SPDX-License-Identifier: MIT OR Apache-2.0
// <runtime/service.h>: what the kernel and the code that runs a module in ring 3 agree on.
//
// A module in its isolated form is a process of its own, with nothing in it but this folder's code
// (the host), the module's package, and its threads, the workers. It knows no file, no name and no
// Linux call: all it can ask for are the calls below, each of which stands for a function of
// <helix/env.h> and is checked as if the module had called it in the kernel.
//
// A worker asks for work (SERVICE_NEXT), finds it in its area, does it, leaves the answer there,
// and asks again. So a call of a port and its answer are one system call of the module's side.
#pragma once

#include <helix/types.h>
#include <lib/wire.h>

#define SERVICE_CALL_FIRST   0x7000u // numbers of the calls; no Linux call of any machine has them
#define SERVICE_NAME_BYTES   32u     // of ports and slots, with their end
#define SERVICE_LINE_BYTES   256u    // of the log, with its end
#define SERVICE_WORKERS_MAX  16u
#define SERVICE_SLOTS_MAX    16u
#define SERVICE_DEVICES_MAX  32u
#define SERVICE_LINES_MAX    64u                   // interrupts that it hears
#define SERVICE_DMA_MAX      ((uint64_t)128 << 10) // bytes in one call
#define SERVICE_RANDOM_MAX   256u                  // bytes in one call
#define SERVICE_MEMORY_MAX   ((uint64_t)1 << 30)   // bytes in one call
#define SERVICE_ADDRESS_HOST 0x10000000u
#define SERVICE_ADDRESS_CODE 0x20000000u // of the module
#define SERVICE_ADDRESS_LENT 0x40000000u // of pages that calls lend: names, nothing is there
#define SERVICE_LENT_MAX     1024u       // pages of a slot
#define SERVICE_LENDINGS_MAX 16u         // that one call ends

// Arguments are numbers and addresses in the order given; the result is a value from 0 up or a
// status, unless said otherwise.
enum service_call {
    SERVICE_AREA = SERVICE_CALL_FIRST, // () -> address of the worker's area
    SERVICE_POOL,                      // () -> address of the first area
    SERVICE_NEXT,    // (): answers what is in the area, if something is, and fills in what is next
    SERVICE_PROVIDE, // (port, slot, number): names; SERVICE_WORK_CALL says the number
    SERVICE_EVENT,   // (number, message): its body, if it is paged, lies in the pool
    SERVICE_LOG,     // (level, text, bytes)
    SERVICE_MEMORY,  // (bytes) -> address of zeroed pages
    SERVICE_GIVE,    // (address, bytes): back
    SERVICE_WAIT,    // (address, value): until SERVICE_WAKE, unless the 32 bits there differ
    SERVICE_WAKE,    // (): all who wait
    SERVICE_TIME,    // () -> ns
    SERVICE_CPU,     // () -> number of the processor
    SERVICE_CPUS,    // () -> how many there are
    SERVICE_RANDOM,  // (to, bytes)
    SERVICE_ENTROPY, // (from, bytes)
    SERVICE_IN8,     // (port) -> value
    SERVICE_OUT8,    // (port, value)
    SERVICE_ARENA,   // (what, update or 0, …): see enum service_arena
    // A device has the number that its opening gives.
    SERVICE_DEVICE_OPEN,    // (name, index, struct service_device *) -> its number
    SERVICE_DEVICE_READ,    // (device, window, offset, bytes) -> value; all ones if there is none
    SERVICE_DEVICE_WRITE,   // (device, window, offset, bytes, value)
    SERVICE_DEVICE_CONFIG,  // (device, offset) -> value
    SERVICE_IRQ,            // (isa, number): SERVICE_WORK_INTERRUPT says the number
    SERVICE_DEVICE_IRQ,     // (device, number) -> 1: it is a message; 0: it is a line
    SERVICE_DEVICE_MESSAGE, // (device, index, number)
    SERVICE_DMA_ALLOC,      // (device, bytes, struct service_dma *)
    SERVICE_DMA_FREE,       // (address): where the module has it
    SERVICE_DMA_MAP,        // (device, names of pages, how many, access, addresses)
    SERVICE_DMA_UNMAP,      // (device, addresses, how many)
    SERVICE_PAGE_READ,      // (name of a page, offset, to, bytes)
    SERVICE_PAGE_WRITE,     // (name of a page, offset, from, bytes)
    SERVICE_CALL_END,       // behind the last one
};

// What is done with the module's arena: the first argument of SERVICE_ARENA has it below, and above
// the number of an update, or what is said otherwise. INVALID: it is none of these, or there is no
// such update.
enum service_arena {
    SERVICE_ARENA_MAKE,   // () -> an update's number; NO_MEMORY, LIMIT
    SERVICE_ARENA_END,    // (): it is rolled back, and gone
    SERVICE_ARENA_NEW,    // (type << 32 | bytes, address) -> number of the object; NO_MEMORY, LIMIT
    SERVICE_ARENA_CHANGE, // (number, address): NOT_FOUND, NO_MEMORY (or another has it), LIMIT
    SERVICE_ARENA_FREE,   // (number): as above
    SERVICE_ARENA_UNDO,   // (): the last one of these three was not
    // What is new and what was changed is read from the addresses that were given. BAD_ADDRESS:
    // nothing was done
    SERVICE_ARENA_COMMIT,
    SERVICE_ARENA_ABORT,
    // Above: an index. (to, room) -> bytes that are used, by whole objects behind that index: a
    // struct service_object and its bytes, up to 8; of one that has no room, its head; 0: no more
    SERVICE_ARENA_READ,
};

struct service_object {
    uint64_t number; // its index below
    uint32_t type, size_bytes;
};

#define SERVICE_UPDATE_STEPS 4096u                // of one update: they are done in one piece
#define SERVICE_OBJECT_MAX   ((uint32_t)64 << 10) // bytes
#define SERVICE_STATE_MAX    (SERVICE_OBJECT_MAX + (uint32_t)PAGE_SIZE)

// What a worker is given to do.
enum service_work {
    SERVICE_WORK_NONE,
    SERVICE_WORK_LIFE,      // area->number is an enum service_life
    SERVICE_WORK_CALL,      // of slot area->number: area->message, which becomes the reply
    SERVICE_WORK_INTERRUPT, // number area->number: its line is masked until it is answered
};

// An operation of struct hx_module_ops.
enum service_life {
    SERVICE_INIT, // area->argument: address of the module's struct hx_package
    SERVICE_START,
    SERVICE_STOP,
    SERVICE_FINI,
    SERVICE_SELF_TEST,
    SERVICE_IMPORT, // area->argument: schema
};

// What a device is.
struct service_device {
    uint64_t window_bytes[6];
    uint32_t is_pci;
    uint32_t is_bound; // it reaches only what it was lent
};

// Memory that a device reads and writes.
struct service_dma {
    uint64_t address; // where the module has it
    uint64_t device;  // where the device sees it
};

// Pages of a worker's area. A body is what does not fit into a message.
#define SERVICE_PAGE_REQUEST 1u
#define SERVICE_PAGE_REPLY   8u
#define SERVICE_PAGE_SCRATCH 16u // the worker's own
#define SERVICE_AREA_PAGES   32u
#define SERVICE_EVENT_PAGES  64u // behind the areas: bodies of events
#define SERVICE_POOL_PAGES   (SERVICE_WORKERS_MAX * SERVICE_AREA_PAGES + SERVICE_EVENT_PAGES)
_Static_assert(SERVICE_POOL_PAGES <= HX_POOL_PAGES_MAX, "one pool holds all");

// The first page of an area. Pages that messages name count from the first worker's area on.
struct service_area {
    uint32_t kind;   // enum service_work
    uint32_t number; // see there
    uint64_t argument;
    int64_t status; // the answer of SERVICE_WORK_LIFE
    struct wire_message message;
};

// How a module is made to fault on purpose (<runtime/health.h>): where one of its workers goes on,
// in the place of what it was about.
enum service_doom {
    SERVICE_DOOM_NULL,
    SERVICE_DOOM_JUMP,
    SERVICE_DOOM_COPY,
    SERVICE_DOOM_UNDEFINED,
    SERVICE_DOOM_DIVIDE,
    SERVICE_DOOM_LOOP,
    SERVICE_DOOM_SPIN,
    SERVICE_DOOM_OVERFLOW,
    SERVICE_DOOM_PLACES, // of the host's code; for what follows the kernel ends the worker itself
    SERVICE_DOOM_ASSERT = SERVICE_DOOM_PLACES,
};

struct export; // a function by name: runtime/kernel/exports.h

// What the host's image exports in the place of a package's struct.
struct service_image {
    void (*start)(void);            // where a worker begins
    const struct export *functions; // of the SDK; ends with a row without a name
    uintptr_t *guard;               // of its stacks, made up by the kernel
    void (*doom[SERVICE_DOOM_PLACES])(void);
};

// A port that a module may provide there.
struct service_port {
    const char *name; // "helix.char"
    const struct wire_port *wire;
    const void *client; // the operations that send; NULL: it has instances, by number
};
// NULL: none of that name. Any context.
const struct service_port *service_port_find(const char *name);

// Of the transport of both ends: none of these ports carries handles.
bool service_handle_has(void *context, handle_t handle, rights_t rights);
void service_handle_drop(void *context, handle_t handle);
