// SPDX-License-Identifier: MIT OR Apache-2.0
// virtio.c: a device's registers. Sections: Virtual I/O Device 1.2.
#include <lib/virtio.h>
#include <lib/virtqueue.h>

// MMIO (4.2.2); those marked are of legacy devices (4.2.4).
#define MMIO_MAGIC         0x000u
#define MMIO_VERSION       0x004u
#define MMIO_DEVICE        0x008u
#define MMIO_FEATURES      0x010u
#define MMIO_FEATURES_WORD 0x014u
#define MMIO_DRIVER        0x020u
#define MMIO_DRIVER_WORD   0x024u
#define MMIO_PAGE_BYTES    0x028u // legacy
#define MMIO_QUEUE         0x030u
#define MMIO_QUEUE_ROOM    0x034u
#define MMIO_QUEUE_SIZE    0x038u
#define MMIO_QUEUE_ALIGN   0x03cu // legacy
#define MMIO_QUEUE_PAGE    0x040u // legacy
#define MMIO_QUEUE_READY   0x044u
#define MMIO_NOTIFY        0x050u
#define MMIO_INTERRUPT     0x060u
#define MMIO_ACKNOWLEDGE   0x064u
#define MMIO_STATUS        0x070u
#define MMIO_QUEUE_MEMORY  0x080u // descriptors; driver's part 0x10 behind, device's 0x20
#define MMIO_GENERATION    0x0fcu
#define MMIO_CONFIG        0x100u
#define MMIO_MAGIC_VALUE   0x74726976u

// PCI's common structure (4.1.4.3).
#define COMMON_FEATURES_WORD 0x00u
#define COMMON_FEATURES      0x04u
#define COMMON_DRIVER_WORD   0x08u
#define COMMON_DRIVER        0x0cu
#define COMMON_CONFIG_VECTOR 0x10u
#define COMMON_STATUS        0x14u
#define COMMON_GENERATION    0x15u
#define COMMON_QUEUE         0x16u
#define COMMON_QUEUE_SIZE    0x18u
#define COMMON_QUEUE_VECTOR  0x1au
#define COMMON_QUEUE_ENABLE  0x1cu
#define COMMON_QUEUE_NOTIFY  0x1eu
#define COMMON_QUEUE_MEMORY  0x20u // 8 bytes each
#define COMMON_BYTES         0x38u

#define KIND_COMMON    1u // 4.1.4
#define KIND_NOTIFY    2u
#define KIND_INTERRUPT 3u
#define KIND_DEVICE    4u

#define STATUS_ACKNOWLEDGED 0x01u // 2.1
#define STATUS_DRIVER       0x02u
#define STATUS_GO           0x04u
#define STATUS_FEATURES     0x08u
#define STATUS_BROKEN       0x40u

#define POLL_LIMIT 100000u

static uint32_t mmio_get(const struct virtio *virtio, uint32_t at) {
    return virtio->access.read(virtio->access.context, 0, at, 4);
}

static void mmio_set(const struct virtio *virtio, uint32_t at, uint32_t value) {
    virtio->access.write(virtio->access.context, 0, at, 4, value);
}

static uint32_t common_get(const struct virtio *virtio, uint32_t at, uint32_t bytes) {
    return virtio->access.read(virtio->access.context, virtio->common.bar,
                               virtio->common.offset + at, bytes);
}

static void common_set(const struct virtio *virtio, uint32_t at, uint32_t bytes, uint32_t value) {
    virtio->access.write(virtio->access.context, virtio->common.bar, virtio->common.offset + at,
                         bytes, value);
}

static bool is_pci(const struct virtio *virtio) {
    return virtio->access.config != NULL;
}

static uint32_t status_get(const struct virtio *virtio) {
    return is_pci(virtio) ? common_get(virtio, COMMON_STATUS, 1) : mmio_get(virtio, MMIO_STATUS);
}

static void status_set(const struct virtio *virtio, uint32_t status) {
    if (is_pci(virtio)) {
        common_set(virtio, COMMON_STATUS, 1, status);
    } else {
        mmio_set(virtio, MMIO_STATUS, status);
    }
}

static enum hx_status pci_open(struct virtio *virtio) {
    const struct pci_config *config = virtio->access.config;
    if (!pci_virtio_window(config, KIND_COMMON, &virtio->common) ||
        !pci_virtio_window(config, KIND_NOTIFY, &virtio->notify) ||
        !pci_virtio_window(config, KIND_INTERRUPT, &virtio->interrupt) ||
        virtio->common.size_bytes < COMMON_BYTES) {
        return HX_ERR_NO_DEVICE;
    }
    // Not all devices have one (4.1.4.6).
    if (!pci_virtio_window(config, KIND_DEVICE, &virtio->device)) {
        virtio->device = (struct pci_window){ 0 };
    }
    return HX_OK;
}

enum hx_status virtio_open(struct virtio *virtio, const struct virtio_access *access) {
    *virtio = (struct virtio){ .access = *access };
    if (is_pci(virtio)) {
        return pci_open(virtio);
    }
    const uint32_t version = mmio_get(virtio, MMIO_VERSION);
    if (mmio_get(virtio, MMIO_MAGIC) != MMIO_MAGIC_VALUE || version < 1 || version > 2) {
        return HX_ERR_NO_DEVICE;
    }
    virtio->is_legacy = version == 1;
    return HX_OK;
}

uint32_t virtio_mmio_kind(const struct virtio *virtio) {
    return mmio_get(virtio, MMIO_DEVICE);
}

enum hx_status virtio_reset(struct virtio *virtio) {
    status_set(virtio, 0);
    for (uint32_t i = 0; i < POLL_LIMIT; i++) {
        if (status_get(virtio) == 0) {
            return HX_OK;
        }
    }
    return HX_ERR_IO;
}

uint64_t virtio_offered(const struct virtio *virtio) {
    uint64_t features = 0;
    for (uint32_t word = 0; word < 2; word++) {
        uint32_t part;
        if (is_pci(virtio)) {
            common_set(virtio, COMMON_FEATURES_WORD, 4, word);
            part = common_get(virtio, COMMON_FEATURES, 4);
        } else {
            mmio_set(virtio, MMIO_FEATURES_WORD, word);
            part = mmio_get(virtio, MMIO_FEATURES);
        }
        features |= (uint64_t)part << (32 * word);
    }
    return features;
}

static void features_set(const struct virtio *virtio, uint64_t features) {
    for (uint32_t word = 0; word < 2; word++) {
        const uint32_t part = (uint32_t)(features >> (32 * word));
        if (is_pci(virtio)) {
            common_set(virtio, COMMON_DRIVER_WORD, 4, word);
            common_set(virtio, COMMON_DRIVER, 4, part);
        } else {
            mmio_set(virtio, MMIO_DRIVER_WORD, word);
            mmio_set(virtio, MMIO_DRIVER, part);
        }
    }
}

// The order is that of 3.1.1.
enum hx_status virtio_start(struct virtio *virtio, uint64_t wanted) {
    uint32_t status = STATUS_ACKNOWLEDGED | STATUS_DRIVER;
    if (virtio_reset(virtio) != HX_OK) {
        return HX_ERR_IO;
    }
    status_set(virtio, STATUS_ACKNOWLEDGED);
    status_set(virtio, status);
    const uint64_t offered = virtio_offered(virtio);
    if (virtio->is_legacy) {
        virtio->features = offered & wanted & UINT32_MAX;
        features_set(virtio, virtio->features);
        mmio_set(virtio, MMIO_PAGE_BYTES, VIRTQUEUE_ALIGN);
        return HX_OK;
    }
    virtio->features = offered & (wanted | VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_PLATFORM);
    if ((virtio->features & VIRTIO_FEATURE_VERSION_1) == 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    features_set(virtio, virtio->features);
    status_set(virtio, status | STATUS_FEATURES);
    return (status_get(virtio) & STATUS_FEATURES) != 0 ? HX_OK : HX_ERR_NOT_SUPPORTED;
}

static void queue_select(const struct virtio *virtio, uint32_t queue) {
    if (is_pci(virtio)) {
        common_set(virtio, COMMON_QUEUE, 2, queue);
    } else {
        mmio_set(virtio, MMIO_QUEUE, queue);
    }
}

uint32_t virtio_queue_room(struct virtio *virtio, uint32_t queue) {
    if (queue >= VIRTIO_QUEUES_MAX) {
        return 0;
    }
    queue_select(virtio, queue);
    return is_pci(virtio) ? common_get(virtio, COMMON_QUEUE_SIZE, 2)
                          : mmio_get(virtio, MMIO_QUEUE_ROOM);
}

// Descriptors, driver's part, device's part.
static uint64_t part_address(uint32_t part, uint16_t size, uint64_t address) {
    const size_t offsets[] = { 0, virtqueue_driver_offset(size), virtqueue_device_offset(size) };
    return address + offsets[part];
}

static void legacy_queue_set(const struct virtio *virtio, uint16_t size, uint64_t address) {
    mmio_set(virtio, MMIO_QUEUE_SIZE, size);
    mmio_set(virtio, MMIO_QUEUE_ALIGN, VIRTQUEUE_ALIGN);
    mmio_set(virtio, MMIO_QUEUE_PAGE, (uint32_t)(address / VIRTQUEUE_ALIGN));
}

static void mmio_queue_set(const struct virtio *virtio, uint16_t size, uint64_t address) {
    mmio_set(virtio, MMIO_QUEUE_SIZE, size);
    for (uint32_t i = 0; i < 3; i++) {
        const uint64_t part = part_address(i, size, address);
        mmio_set(virtio, MMIO_QUEUE_MEMORY + 0x10 * i, (uint32_t)part);
        mmio_set(virtio, MMIO_QUEUE_MEMORY + 0x10 * i + 4, (uint32_t)(part >> 32));
    }
    mmio_set(virtio, MMIO_QUEUE_READY, 1);
}

static enum hx_status pci_queue_set(struct virtio *virtio, uint32_t queue, uint16_t size,
                                    uint64_t address, uint16_t vector) {
    common_set(virtio, COMMON_QUEUE_SIZE, 2, size);
    common_set(virtio, COMMON_QUEUE_VECTOR, 2, vector);
    if (common_get(virtio, COMMON_QUEUE_VECTOR, 2) != vector) {
        return HX_ERR_NOT_SUPPORTED; // it has no room for the vector (4.1.5.1.2)
    }
    for (uint32_t i = 0; i < 3; i++) {
        const uint64_t part = part_address(i, size, address);
        common_set(virtio, COMMON_QUEUE_MEMORY + 8 * i, 4, (uint32_t)part);
        common_set(virtio, COMMON_QUEUE_MEMORY + 8 * i + 4, 4, (uint32_t)(part >> 32));
    }
    const uint64_t step = common_get(virtio, COMMON_QUEUE_NOTIFY, 2);
    const uint64_t at = step * virtio->notify.extra;
    if (at + 2 > virtio->notify.size_bytes || at % 2 != 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    virtio->notify_at[queue] = virtio->notify.offset + (uint32_t)at;
    common_set(virtio, COMMON_QUEUE_ENABLE, 2, 1);
    return HX_OK;
}

enum hx_status virtio_queue_set(struct virtio *virtio, uint32_t queue, uint16_t size,
                                uint64_t address, uint16_t vector) {
    queue_select(virtio, queue);
    if (is_pci(virtio)) {
        return pci_queue_set(virtio, queue, size, address, vector);
    }
    if (virtio->is_legacy && address / VIRTQUEUE_ALIGN > UINT32_MAX) {
        return HX_ERR_NOT_SUPPORTED;
    }
    if (virtio->is_legacy) {
        legacy_queue_set(virtio, size, address);
    } else {
        mmio_queue_set(virtio, size, address);
    }
    return HX_OK;
}

void virtio_go(struct virtio *virtio) {
    if (is_pci(virtio)) {
        common_set(virtio, COMMON_CONFIG_VECTOR, 2, VIRTIO_NO_VECTOR);
    }
    status_set(virtio, status_get(virtio) | STATUS_GO);
}

void virtio_notify(const struct virtio *virtio, uint32_t queue) {
    if (is_pci(virtio)) {
        virtio->access.write(virtio->access.context, virtio->notify.bar, virtio->notify_at[queue],
                             2, queue);
    } else {
        mmio_set(virtio, MMIO_NOTIFY, queue);
    }
}

uint32_t virtio_interrupt(const struct virtio *virtio) {
    if (is_pci(virtio)) { // reading acknowledges (4.1.4.5)
        return virtio->access.read(virtio->access.context, virtio->interrupt.bar,
                                   virtio->interrupt.offset, 1);
    }
    const uint32_t pending = mmio_get(virtio, MMIO_INTERRUPT);
    mmio_set(virtio, MMIO_ACKNOWLEDGE, pending);
    return pending;
}

bool virtio_is_broken(const struct virtio *virtio) {
    return (status_get(virtio) & STATUS_BROKEN) != 0;
}

static uint32_t generation(const struct virtio *virtio) {
    if (is_pci(virtio)) {
        return common_get(virtio, COMMON_GENERATION, 1);
    }
    return virtio->is_legacy ? 0 : mmio_get(virtio, MMIO_GENERATION);
}

// What lies behind the structure in its BAR is not the configuration.
static bool has_config(const struct virtio *virtio, uint32_t offset, uint32_t bytes) {
    return !is_pci(virtio) ||
           (bytes <= virtio->device.size_bytes && offset <= virtio->device.size_bytes - bytes);
}

static uint32_t config_part(const struct virtio *virtio, uint32_t offset, uint32_t bytes) {
    const uint32_t base = is_pci(virtio) ? virtio->device.offset : MMIO_CONFIG;
    const uint32_t window = is_pci(virtio) ? virtio->device.bar : 0;
    return has_config(virtio, offset, bytes)
               ? virtio->access.read(virtio->access.context, window, base + offset, bytes)
               : UINT32_MAX >> (32 - 8 * bytes);
}

// A field of 8 bytes is read in two parts, until its generation is the same before and after
// (2.5.1); a device that changes it all the time gets what it deserves.
uint64_t virtio_config(const struct virtio *virtio, uint32_t offset, uint32_t bytes) {
    uint64_t value = 0;
    if (bytes < 8) {
        return config_part(virtio, offset, bytes);
    }
    for (uint32_t i = 0; i < 16; i++) {
        const uint32_t before = generation(virtio);
        value = config_part(virtio, offset, 4);
        value |= (uint64_t)config_part(virtio, offset + 4, 4) << 32;
        if (generation(virtio) == before) {
            break;
        }
    }
    return value;
}

void virtio_config_set(const struct virtio *virtio, uint32_t offset, uint8_t value) {
    const uint32_t base = is_pci(virtio) ? virtio->device.offset : MMIO_CONFIG;
    const uint32_t window = is_pci(virtio) ? virtio->device.bar : 0;
    if (has_config(virtio, offset, 1)) {
        virtio->access.write(virtio->access.context, window, base + offset, 1, value);
    }
}

static bool digit_of(char letter, uint32_t base, uint32_t *out_digit) {
    const char low = (char)(letter | 0x20);
    if (letter >= '0' && letter <= '9') {
        *out_digit = (uint32_t)(letter - '0');
    } else if (low >= 'a' && low <= 'f') {
        *out_digit = (uint32_t)(low - 'a') + 10;
    } else {
        return false;
    }
    return *out_digit < base;
}

// A number, decimal or with 0x, and goes behind it; false: none, or too large.
static bool number_next(const char **text, uint64_t *out_value) {
    const char *at = *text;
    const bool is_hex = at[0] == '0' && (at[1] | 0x20) == 'x';
    const uint32_t base = is_hex ? 16 : 10;
    uint64_t value = 0;
    uint32_t digit;
    at += is_hex ? 2 : 0;
    const char *first = at;
    for (; digit_of(*at, base, &digit); at++) {
        if (value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *out_value = value;
    *text = at;
    return at != first;
}

// The same behind a letter.
static bool part_next(const char **text, char letter, uint64_t *out_value) {
    if (**text != letter) {
        return false;
    }
    ++*text;
    return number_next(text, out_value);
}

bool virtio_word_parse(const char *text, struct virtio_word *out_word) {
    struct virtio_word word;
    uint64_t interrupt;
    if (!number_next(&text, &word.size_bytes)) {
        return false;
    }
    const char unit = (char)(*text | 0x20);
    const uint32_t shift = unit == 'k' ? 10 : unit == 'm' ? 20 : 0;
    text += shift != 0;
    if (word.size_bytes > UINT32_MAX || !part_next(&text, '@', &word.base) ||
        !part_next(&text, ':', &interrupt) || interrupt > UINT32_MAX ||
        (*text != '\0' && *text != ':')) {
        return false;
    }
    word.size_bytes <<= shift;
    word.interrupt = (uint32_t)interrupt;
    *out_word = word;
    return true;
}
