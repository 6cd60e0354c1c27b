// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/module.c: the kernel's modules by handle: loaded, looked at, listed,
// swapped, unloaded.
//
// One object stands for all of them. Who may change what the kernel is made of is who has a handle
// for it with ADMIN; a package's bytes are copied in once, and read nowhere else.
#include "native.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>
#include <runtime/modules.h>

// NOLINTBEGIN(misc-redundant-expression): two names of one number
_Static_assert(HX_MODULE_TEXT_BYTES >= PACKAGE_REFUSAL_BYTES &&
                   HX_MODULE_TEXT_BYTES == MODULE_PORTS_BYTES,
               "what the kernel says goes in whole");
_Static_assert(HX_LIFE_STARTED == LIFE_STARTED && HX_LIFE_DIED == LIFE_DIED &&
                   HX_LIFE_RESTARTED == LIFE_RESTARTED && HX_LIFE_SWAPPED == LIFE_SWAPPED &&
                   HX_LIFE_MOVED == LIFE_MOVED && HX_LIFE_ROLLED_BACK == LIFE_ROLLED_BACK &&
                   HX_LIFE_GIVEN_UP == LIFE_GIVEN_UP && HX_LIFE_UNLOADED == LIFE_UNLOADED &&
                   HX_LIFE_REFUSED == LIFE_REFUSED && HX_LIFE_TEXT_BYTES == MODULE_LIFE_TEXT_BYTES,
               "programs see the kernel's kinds");
// NOLINTEND(misc-redundant-expression)

static struct {
    struct object object; // the first reference is for good
    struct capability root;
} all_modules;

static const struct object_type modules_type = { .kind = OBJECT_MODULE, .name = "modules" };

void native_modules_init(void) {
    object_init(&all_modules.object, &modules_type);
    capability_init_root(&all_modules.root, &all_modules.object, HX_RIGHTS_ALL);
}

enum hx_status native_module_all(handle_t *out_modules) {
    const bool administers = process_administers(process_current());
    return native_derive(&all_modules.root,
                         HX_RIGHT_READ | HX_RIGHT_DELEGATE |
                             (administers ? HX_RIGHT_ADMIN | HX_RIGHT_WAIT : 0),
                         out_modules);
}

// The report of a refusal; nothing is written for HX_OK.
static enum hx_status report(enum hx_status status, const struct package_refusal *refusal,
                             struct uaddr to) {
    struct hx_module_report text = { 0 };
    if (status == HX_OK) {
        return HX_OK;
    }
    memcpy(text.text, refusal->text, sizeof(refusal->text));
    enum hx_status copied = copy_to_user(to, &text, sizeof(text));
    return copied == HX_OK ? status : copied;
}

// The kernel's own copy of a package; ends with kernel_map_free().
static enum hx_status copy_in(uint64_t address, uint64_t size, void **out_bytes,
                              struct package_refusal *refusal) {
    if (size == 0 || size > PACKAGE_BYTES_MAX) {
        return package_refuse(refusal, HX_ERR_TOO_BIG, "expected 1 to %zu bytes, found %llu",
                              PACKAGE_BYTES_MAX, (unsigned long long)size);
    }
    void *bytes = kernel_map_alloc(size);
    if (bytes == NULL) {
        return package_refuse(refusal, HX_ERR_NO_MEMORY, "no memory for %llu bytes",
                              (unsigned long long)size);
    }
    enum hx_status status = copy_from_user(bytes, uaddr_make(address), size);
    if (status != HX_OK) {
        kernel_map_free(bytes, size);
        return package_refuse(refusal, status, "the package is not readable there");
    }
    *out_bytes = bytes;
    return HX_OK;
}

static enum hx_status load(uint64_t package, uint64_t size, enum module_placement placement,
                           struct uaddr out_report) {
    struct package_refusal refusal = { "" };
    void *bytes = NULL;
    enum hx_status status = copy_in(package, size, &bytes, &refusal);
    if (status == HX_OK) {
        status = modules_load(bytes, size, placement, &refusal);
        kernel_map_free(bytes, size);
    }
    return report(status, &refusal, out_report);
}

enum hx_status native_module_load(struct capability *modules, uint64_t package, uint64_t size,
                                  struct uaddr out_report) {
    (void)modules; // one object stands for all
    return load(package, size, MODULE_IN_KERNEL, out_report);
}

enum hx_status native_module_isolate(struct capability *modules, uint64_t package, uint64_t size,
                                     struct uaddr out_report) {
    (void)modules;
    return load(package, size, MODULE_ISOLATED, out_report);
}

static void name_text(const struct hx_module_name *name, char to[HX_MODULE_NAME_BYTES + 1]) {
    memcpy(to, name->bytes, sizeof(name->bytes));
    to[HX_MODULE_NAME_BYTES] = '\0';
}

enum hx_status native_module_unload(struct capability *modules, const struct hx_module_name *name,
                                    struct uaddr out_report) {
    struct package_refusal refusal = { "" };
    char text[HX_MODULE_NAME_BYTES + 1];
    (void)modules;
    name_text(name, text);
    enum hx_status status = modules_unload(text, &refusal);
    return report(status, &refusal, out_report);
}

enum hx_status native_module_swap(struct capability *modules, const struct hx_module_name *name,
                                  uint64_t package, uint64_t size, struct uaddr out_report) {
    struct package_refusal refusal = { "" };
    char text[HX_MODULE_NAME_BYTES + 1];
    void *bytes = NULL;
    (void)modules;
    name_text(name, text);
    enum hx_status status = size != 0 ? copy_in(package, size, &bytes, &refusal) : HX_OK;
    if (status == HX_OK) {
        status = modules_swap(text, bytes, size, &refusal);
    }
    if (bytes != NULL) {
        kernel_map_free(bytes, size);
    }
    return report(status, &refusal, out_report);
}

enum hx_status native_module_move(struct capability *modules, const struct hx_module_name *name,
                                  uint32_t placement, uint64_t package, uint64_t size,
                                  struct uaddr out_report) {
    struct package_refusal refusal = { "" };
    char text[HX_MODULE_NAME_BYTES + 1];
    void *bytes = NULL;
    (void)modules;
    name_text(name, text);
    enum hx_status status = copy_in(package, size, &bytes, &refusal);
    if (status == HX_OK) {
        status = modules_move(text, bytes, size,
                              placement == HX_MODULE_ISOLATED ? MODULE_ISOLATED : MODULE_IN_KERNEL,
                              &refusal);
        kernel_map_free(bytes, size);
    }
    return report(status, &refusal, out_report);
}

static enum hx_status give_info(const struct module_description *it, struct uaddr to) {
    struct hx_module_info info = {
        .version = { it->version.major, it->version.minor, it->version.patch },
        .runs = it->runs,
        .loaded = it->is_isolated ? HX_MODULE_ISOLATED : it->is_loaded,
        .capabilities = it->capabilities,
        .memory = it->memory_bytes,
    };
    memcpy(info.name, it->name, sizeof(info.name));
    memcpy(info.ports, it->ports, sizeof(info.ports));
    return copy_to_user(to, &info, sizeof(info));
}

enum hx_status native_module_check(struct capability *modules, uint64_t package, uint64_t size,
                                   struct uaddr out_info, struct uaddr out_report) {
    struct package_refusal refusal = { "" };
    struct module_description description;
    void *bytes = NULL;
    (void)modules;
    enum hx_status status = copy_in(package, size, &bytes, &refusal);
    if (status == HX_OK) {
        status = modules_check(bytes, size, &description, &refusal);
        kernel_map_free(bytes, size);
    }
    return status == HX_OK ? give_info(&description, out_info)
                           : report(status, &refusal, out_report);
}

enum hx_status native_module_info(struct capability *modules, uint32_t number,
                                  struct uaddr out_info) {
    struct module_description description;
    (void)modules;
    return modules_describe(number, &description) ? give_info(&description, out_info)
                                                  : HX_ERR_NOT_FOUND;
}

enum hx_status native_module_life(struct capability *modules, uint64_t number, time_ns_t deadline,
                                  struct uaddr out_life) {
    struct module_life life;
    (void)modules;
    enum hx_status status = modules_life(number, deadline, &life);
    if (status != HX_OK) {
        return status;
    }
    struct hx_module_life given = { .number = life.number, .at = life.at, .kind = life.kind };
    memcpy(given.name, life.name, sizeof(given.name));
    memcpy(given.text, life.text, sizeof(given.text));
    return copy_to_user(out_life, &given, sizeof(given));
}
