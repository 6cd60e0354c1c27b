// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/user_image.c: what goes into the address space of a module in ring 3: the host,
// which is in the kernel's image as the bytes of an ELF shared object, and the module's package.
// Both are laid out here, once, for the addresses that they have there; each life gets a copy.
#include "exports.h"
#include "isolated.h"

#include <hal/user_abi.h>
#include <helix/package.h>
#include <lib/string.h>
#include <memory/heap.h>

extern const uint8_t service_image_start[], service_image_end[]; // build/service.cmake

static struct user_image host; // [lives_lock] until it has bytes

void user_image_free(struct user_image *image) {
    if (image->bytes != NULL) {
        kernel_map_free(image->bytes, image->span_bytes);
    }
    *image = (struct user_image){ 0 };
}

// Where the kernel has what lies at a user address of the image; NULL: it is not in there.
static const void *at_user(const struct user_image *image, uint64_t address, size_t bytes) {
    const uint64_t offset = address - image->address;
    return offset < image->span_bytes && bytes <= image->span_bytes - offset ? image->bytes + offset
                                                                             : NULL;
}

// What the package imports is the host's.
static uint64_t resolve_in_host(const char *name) {
    const struct service_image *it = at_user(&host, host.entry, sizeof(*it));
    const struct export *row = at_user(&host, (uintptr_t)it->functions, sizeof(*row));
    for (; row != NULL && row->name != NULL;
         row = at_user(&host, host.address + (uint64_t)((const uint8_t *)(row + 1) - host.bytes),
                       sizeof(*row))) {
        const char *its = at_user(&host, (uintptr_t)row->name, 1);
        if (its != NULL && strcmp(its, name) == 0) {
            return row->address;
        }
    }
    return 0;
}

static uint64_t resolve_nothing(const char *name) {
    (void)name;
    return 0;
}

static enum hx_status parts_note(const struct package_image *image, struct user_image *out_image) {
    struct package_part part;
    uint32_t cursor = 0;
    while (package_next_part(image, &cursor, &part)) {
        if (out_image->part_count == USER_PARTS_MAX) {
            return HX_ERR_BAD_IMAGE;
        }
        out_image->parts[out_image->part_count++] = part;
    }
    return HX_OK;
}

static enum hx_status place(const struct package_image *image, uint64_t address,
                            uint64_t (*resolve)(const char *name), size_t entry_bytes,
                            struct user_image *out_image, struct package_refusal *refusal) {
    struct user_image made = { .span_bytes = image->span_bytes, .address = address };
    uint64_t entry = 0;
    made.bytes = kernel_map_alloc(made.span_bytes);
    if (made.bytes == NULL) {
        return package_refuse(refusal, HX_ERR_NO_MEMORY, "no memory for %zu bytes",
                              made.span_bytes);
    }
    const struct package_place where = { made.bytes, address, resolve };
    enum hx_status status =
        package_place(image, hal_package_machine(), &where, entry_bytes, &entry, refusal);
    if (status == HX_OK && parts_note(image, &made) != HX_OK) {
        status = package_refuse(refusal, HX_ERR_BAD_IMAGE, "expected at most %u parts, found more",
                                USER_PARTS_MAX);
    }
    if (status != HX_OK) {
        user_image_free(&made);
        return status;
    }
    made.entry = address + entry;
    *out_image = made;
    return HX_OK;
}

enum hx_status host_image(const struct user_image **out_image) {
    const size_t bytes = (size_t)(service_image_end - service_image_start);
    struct package_image parsed;
    struct package_refusal refusal;
    *out_image = &host;
    if (host.bytes != NULL) {
        return HX_OK;
    }
    if (bytes == 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    enum hx_status status =
        package_parse(service_image_start, bytes, hal_package_machine(), &parsed, &refusal);
    if (status == HX_OK) {
        status = place(&parsed, SERVICE_ADDRESS_HOST, resolve_nothing, sizeof(struct service_image),
                       &host, &refusal);
    }
    if (status == HX_OK) {
        const struct service_image *it = at_user(&host, host.entry, sizeof(*it));
        host.start = (uintptr_t)it->start;
        host.guard = (uintptr_t)it->guard;
    }
    return status;
}

uint64_t host_doom(enum service_doom kind) {
    const struct service_image *it = at_user(&host, host.entry, sizeof(*it));
    return (uintptr_t)it->doom[kind];
}

// The kernel's own copy was verified, and checked: what its entry points to lies within the
// package.
enum hx_status isolated_image(const void *bytes, size_t size_bytes, struct user_image *out_image,
                              struct package_refusal *refusal) {
    const struct user_image *unused;
    struct package_image parsed;
    enum hx_status status = host_image(&unused);
    if (status != HX_OK) {
        return package_refuse(refusal, status, "expected that modules can run in ring 3, found: %s",
                              hx_status_name(status));
    }
    status = package_parse(bytes, size_bytes - PACKAGE_TRAILER_BYTES, hal_package_machine(),
                           &parsed, refusal);
    if (status == HX_OK) {
        status = place(&parsed, SERVICE_ADDRESS_CODE, resolve_in_host, sizeof(struct hx_package),
                       out_image, refusal);
    }
    if (status == HX_OK) {
        const struct hx_package *it = at_user(out_image, out_image->entry, sizeof(*it));
        out_image->guard = (uintptr_t)it->guard;
    }
    return status;
}
