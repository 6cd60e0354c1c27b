// SPDX-License-Identifier: MIT OR Apache-2.0
// <host/host.h>: what a test of a module has: the SDK on this machine, with one module and nothing
// else, all in the thread of the test.
//
// What a module must not do ends the program with a line (host_broken()): a lock taken twice, in
// the wrong order or not initialised, a call that may sleep under a spin lock, memory or lendings
// that are not its own, a return with a lock held, a device that goes where it was not let.
// A call with an `env` checks capabilities as the kernel does; without one (NULL, which a test may
// hand to functions of the module) all is granted.
#pragma once

#include <helix/env.h>

// What a test sets, and reads. host_begin() sets all of it.
extern struct host {
    // Set by the test.
    uint32_t cpu_count;           // 1
    uint32_t cpu;                 // where the module runs: 0
    time_ns_t time;               // 0
    enum hx_status map_status;    // HX_OK; what hx_dma_map() is refused with
    enum hx_status unmap_status;  // HX_OK; HX_ERR_IO: the device reaches the pages for good
    enum hx_status random_status; // HX_OK; of hx_random_fill()
    uint32_t dma_left;            // UINT32_MAX; calls of hx_dma_alloc() that find memory
    // What the module did.
    uint32_t blocks;        // of memory that it has, also for devices
    uint32_t entropy_bytes; // that it added, and the first of them
    uint8_t entropy[256];
    uint32_t lent_pages;  // that its devices reach, those of hx_dma_alloc() too
    uint32_t lendings;    // of hx_dma_map(), that did not end
    uint32_t lent_access; // HX_DMA_… of the last of them
    bool failed;          // the call that was to fail has been made
} host;

// All is as at the start: no module, no devices, no memory, an empty log. What an earlier module
// had is gone; its locks need not be free.
void host_begin(void);

// The n-th call from now that can be refused for want of memory is: hx_alloc(), hx_device_open(),
// hx_device_irq() and its like, hx_dma_alloc(), hx_dma_map(), hx_port_provide(). 0: none.
void host_fail_nth(uint64_t nth);

// Ends the program: the module, or the test, broke a rule.
NORETURN void host_broken(const char *format, ...) PRINTF(1, 2);

// The life of the module
// ------------------------------------------------------------------------------------------------

// Initialises and starts the only module of this program, or the one of that name (borrowed).
// Returns HX_OK, or what its init or start did: then it is gone (fini was called only if start
// failed), and host.blocks has what it left.
enum hx_status host_load_named(const char *name);
enum hx_status host_load(void);
// Stops and ends it; what it returns from stop. Not HX_OK: it goes on. Its ports are gone, its
// devices closed; host.blocks has what it left.
enum hx_status host_unload(void);
// It dies: all that it had is released as the kernel does it, and it can be loaded again. What it
// has in its arena is there in that life, and goes through its import_state.
void host_die(void);
// What its self-test and its health say; HX_OK if it has none.
enum hx_status host_self_test(void);
enum hx_status host_health(void);
// What its init gave, and its env. Only while it is loaded, or in its init.
void *host_self(void);
struct hx_env *host_env(void);
// Loads it (host_begin() before each), and unloads it at once, with each call that can fail for
// want of memory failing in turn; `prepare` (or NULL) is called behind host_begin(). Breaks if that
// is not what init or start return, unless `forgives` (the module goes on without), or if anything
// is left. Returns how many calls there were.
uint64_t host_load_failing(const char *name, void (*prepare)(void), bool forgives);

// Ports
// ------------------------------------------------------------------------------------------------

// The operations and the instance that the module gave for a port in a slot; breaks if it did not.
const void *host_operations(const char *port, const char *slot);
void *host_instance(const char *port, const char *slot);
uint32_t host_provided(void); // how many

// Makes the table that a client with all rights has: HOST_BIND(char, "hello", &ops) for helix.char
// in the slot "hello". A status.
#define HOST_BIND(port, slot, out_bound)                                                           \
    port##_bind(out_bound, host_operations("helix." #port, slot), HX_RIGHTS_ALL)

// The log
// ------------------------------------------------------------------------------------------------

// How many lines of that level there were; the last line that has `text`, or NULL.
uint32_t host_logged(enum hx_log_level level);
const char *host_log_find(const char *text);
// Called with each line before it is kept; NULL: nobody. host_begin() does not forget it.
void host_log_watch(void (*watch)(enum hx_log_level level, const char *line));

// Locks
// ------------------------------------------------------------------------------------------------

// That are held now, of both kinds.
uint32_t host_locks_held(void);

// Devices
// ------------------------------------------------------------------------------------------------

#define HOST_MESSAGES 8u

// A device, which the test plays; its storage, which stays until host_begin().
struct host_device {
    const char *name;       // by which hx_device_open() finds it; several may have one name
    bool is_pci;            // `config` may be NULL: all ones
    bool is_bound;          // behind an IOMMU, which is what hx_dma_is_bound() says
    bool refuses_dma;       // it touches no memory: lendings are refused
    uint32_t message_count; // 0: it interrupts by a line
    uint32_t message_lines; // that the machine has for its messages; 0: enough
    uint32_t window_bytes[HX_DEVICE_WINDOWS];
    enum hx_status open_status; // not HX_OK: it does not open
    enum hx_status irq_status;  // likewise its first interrupt
    uint32_t (*read)(void *context, uint32_t window, uint32_t offset, uint32_t bytes);
    void (*write)(void *context, uint32_t window, uint32_t offset, uint32_t bytes, uint32_t value);
    uint32_t (*config)(void *context, uint32_t offset);
    void *context;
    // The runtime's.
    struct host_device *next;
    bool is_open;
    struct {
        void (*handler)(void *context);
        void *context;
    } lines[HOST_MESSAGES];
};

// Adds a device behind those that are there (keeps).
void host_device_add(struct host_device *device);
// Its interrupt, or message `index`, comes, and the module's thread runs. False: nobody listens.
bool host_interrupt(struct host_device *device, uint32_t index);
// Likewise the ISA interrupt.
bool host_isa_interrupt(uint32_t isa);
// Who answers at I/O ports (borrowed); NULL: nobody, which reads as all ones.
void host_io_ports(uint8_t (*read)(uint16_t port), void (*write)(uint16_t port, uint8_t value));

// Where `size_bytes` at an address of the device lie, which must be within one lending or one
// allocation for devices that allows the access (HX_DMA_READ, HX_DMA_WRITE). NULL: not; the IOMMU
// stops it.
void *host_dma_find(const struct host_device *device, uint64_t address, size_t size_bytes,
                    uint32_t access);
// The same; breaks in place of NULL.
void *host_dma_at(const struct host_device *device, uint64_t address, size_t size_bytes,
                  uint32_t access);
