// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/module.h>: what a module says about itself (its manifest) and the operations of its life.
//
// A module is one folder compiled against the SDK alone. It defines one HX_MODULE(), which embeds
// the manifest in the object; whoever loads the object (the kernel's registry, a service host, a
// test) reads it before any code of the module runs. Everything that a manifest points to is
// static and lives as long as the module.
//
// Life: registered -> initialised (init, import_state) -> running (start) -> stopped (stop) -> gone
// (fini). All operations run in thread context and may sleep, but are bounded. Absent operations
// are NULL and count as successful.
#pragma once

#include <helix/types.h>

// Grows by one with each incompatible change of sdk/include.
#define HX_SDK_ABI 9u

struct hx_env; // the module's world: <helix/env.h>

// Semantic version 2.0.0.
struct hx_version {
    uint16_t major;
    uint16_t minor;
    uint16_t patch;
};

// A port that the module provides, and a version that it implements: FS_PORT_PROVIDED of
// <helix/ports/fs_port.h>, which is one such line for each minor version, the newest one first. The
// ABI is a hash of the port's names, types and their order, so that a
// module built against another description of the same version is found out.
struct hx_port_provided {
    const char *port; // "helix.fs"
    struct hx_version version;
    uint64_t abi;
};

// The minor versions of a port that a description of it has: what two sides that were built against
// different ones may have in common. <helix/ports/fs_port.h> has fs_versions.
struct hx_port_minor {
    uint16_t minor;
    uint32_t ops_bytes; // of the operations table: a version's is the first part of the next one's
    uint64_t abi;
    uint32_t methods; // that it has: the first ones
};
struct hx_port_versions {
    const char *port;
    uint16_t major;
    uint16_t count;
    const struct hx_port_minor *minors; // the newest one first
};

// A port that the module calls: any version from `least` on, below `below`, of that ABI:
// FS_PORT_REQUIRED.
struct hx_port_required {
    const char *port;
    struct hx_version least;
    struct hx_version below;
    uint64_t abi;
};

// When a built-in module is started. A failure of a deferred one never stops the boot.
enum hx_phase {
    HX_PHASE_CRITICAL = 1,    // memory, processors, console
    HX_PHASE_NORMAL = 2,      // scheduler, communication, root file system
    HX_PHASE_DEFERRED = 3,    // the rest
    HX_PHASE_PERSONALITY = 4, // what runs programs; after everything else
};

// Capabilities that a module may ask for; a call of <helix/env.h> that needs one that was not
// granted is refused with HX_ERR_ACCESS_DENIED.
#define HX_CAPABILITY_IO_PORTS (1u << 0)
#define HX_CAPABILITY_IRQ      (1u << 1)
#define HX_CAPABILITY_RANDOM   (1u << 2)
#define HX_CAPABILITY_DEVICES  (1u << 3)
#define HX_CAPABILITY_ENTROPY  (1u << 4)

// I/O ports, `count` of them from `first` on.
struct hx_io_ports {
    uint16_t first;
    uint16_t count;
};

#define HX_MODULE_ATOMIC (1u << 0) // provides a port whose methods run in atomic context

struct hx_module_ops {
    // Prepares the module: allocates, probes its device, provides its ports. `env` stays valid
    // until fini returns. *out_self is handed to all other operations.
    enum hx_status (*init)(struct hx_env *env, void **out_self);
    enum hx_status (*start)(void *self);
    enum hx_status (*stop)(void *self);
    void (*fini)(void *self);
    // Takes over the arena of a predecessor, or of an earlier life, whose schema has the given
    // version: it makes of it what init has not, and, of another schema, objects of its own.
    // Between init and start, if there was anything in the arena before init; no client is inside.
    enum hx_status (*import_state)(void *self, uint32_t schema_version);
    // Checks the module without effects that a client could see.
    enum hx_status (*self_test)(void *self);
    enum hx_status (*health)(void *self);
    enum hx_status (*suspend)(void *self);
    enum hx_status (*resume)(void *self);
};

struct hx_module {
    uint32_t sdk_abi; // HX_SDK_ABI of the compilation; set by HX_MODULE()
    uint32_t flags;   // HX_MODULE_…
    const char *name; // unique in an image; also its prefix in the log
    struct hx_version version;
    enum hx_phase phase;
    const struct hx_port_provided *provides;
    uint32_t provides_count;
    const struct hx_port_required *needs;
    uint32_t needs_count;
    uint32_t capabilities; // HX_CAPABILITY_… that it asks for
    // Of HX_CAPABILITY_DEVICES: the names of those that it may open, as hx_device_open() has them.
    const char *const *devices;
    uint32_t devices_count;
    // Of HX_CAPABILITY_IO_PORTS: those that it may use, on machines that have any.
    const struct hx_io_ports *io_ports;
    uint32_t io_ports_count;
    uint32_t arena_version; // schema of its durable state; 0: it has none
    uint32_t arena_least;   // the earliest schema that import_state takes; 0: its own alone
    const struct hx_module_ops *ops;
};

// Defines the module: HX_MODULE(ramfs, .name = "ramfs", .version = { 1, 0, 0 }, …); once per
// module, at file scope. The section holds one pointer per module.
#define HX_MODULE(identifier, ...)                                                                 \
    static const struct hx_module hx_module_##identifier = { .sdk_abi = HX_SDK_ABI, __VA_ARGS__ }; \
    __attribute__((used, section("helix_modules"))) static const struct hx_module                  \
        *const hx_module_pointer_##identifier = &hx_module_##identifier
