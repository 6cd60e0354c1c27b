// SPDX-License-Identifier: MIT OR Apache-2.0
// A firmware of UEFI that says what the test wants, and fails at the call that the test wants.
#include "../src/uefi_load.h"

#include "bytes.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES 5000u
#define ALIGNMENT   16384u
#define MAP_MOST    8u
#define FILES       3u

static struct {
    const char *options; // load options; NULL: none
    bool has_tree;
    const char *loader; // the archive that LoadFile2 gives; NULL: there is none
    const char *names[FILES], *contents[FILES];
    uint32_t map_changes;                  // how often exit_boot_services() is refused
    uint32_t fail_at;                      // this call fails; 0: none
    uint32_t loader_fail_at, loader_calls; // the same of LoadFile2, which says that there is none
    bool grows;                            // the archive, between its size and its bytes
    bool is_folder;                        // each file
    uint32_t calls, pages, files, lines;
    void *taken[UEFI_TAKEN_MAX]; // where pages are
    bool ended;
} firmware;

static uint8_t tree[48];
static uint16_t options[BOOT_COMMAND_MAX + 8];
static struct boot_info info;
static char image_handle;
static char device_handle;

// Whether this call is to fail. After the end, nothing but the map and the end may be asked for.
static bool fails(void) {
    CHECK(!firmware.ended);
    return ++firmware.calls == firmware.fail_at;
}

static uefi_status_t fake_allocate(uint32_t type, uint32_t kind, size_t npages, uint64_t *inout) {
    CHECK(type == UEFI_ALLOCATE_MAX_ADDRESS && kind == UEFI_LOADER_DATA);
    CHECK(*inout == 0xffffffff);
    if (fails()) {
        return UEFI_OUT_OF_RESOURCES;
    }
    firmware.taken[firmware.pages] = aligned_alloc(PAGE_SIZE, npages * PAGE_SIZE);
    *inout = (uint64_t)(uintptr_t)firmware.taken[firmware.pages++];
    return UEFI_OK;
}

static uefi_status_t fake_free(uint64_t address, size_t npages) {
    CHECK(npages > 0);
    CHECK(firmware.pages > 0 && (uintptr_t)firmware.taken[--firmware.pages] == address);
    free(firmware.taken[firmware.pages]);
    return UEFI_OK;
}

static uefi_status_t fake_map(size_t *inout_size, void *map, size_t *out_key,
                              size_t *out_descriptor, uint32_t *out_version) {
    struct {
        struct uefi_memory_descriptor known;
        uint64_t more;
    } descriptor = { .known = { UEFI_CONVENTIONAL, 0x40000000, 0, 16, UEFI_MEMORY_WB } };
    const size_t needed = 2 * sizeof(descriptor);
    CHECK(!firmware.ended);
    *out_descriptor = sizeof(descriptor);
    *out_version = 1;
    *out_key = 100 + firmware.map_changes;
    if (fails()) {
        return UEFI_INVALID_PARAMETER;
    }
    const bool fits = *inout_size >= needed;
    *inout_size = needed;
    if (!fits) {
        return UEFI_BUFFER_TOO_SMALL;
    }
    memcpy(map, &descriptor, sizeof(descriptor));
    descriptor.known.type = UEFI_ACPI_RECLAIM;
    descriptor.known.physical_start = 0x40004000;
    descriptor.known.number_of_pages = 2;
    memcpy((char *)map + sizeof(descriptor), &descriptor, sizeof(descriptor));
    return UEFI_OK;
}

static uefi_status_t fake_exit(void *image, size_t key) {
    CHECK(image == &image_handle && key == 100 + firmware.map_changes);
    if (firmware.map_changes > 0) {
        firmware.map_changes--;
        return UEFI_INVALID_PARAMETER;
    }
    firmware.ended = true;
    return UEFI_OK;
}

static uefi_status_t fake_output(struct uefi_text_output *self, const uint16_t *text) {
    (void)self;
    CHECK(!firmware.ended);
    for (size_t i = 0; text[i] != 0; i++) {
        firmware.lines += text[i] == '\n';
    }
    return UEFI_OK;
}

struct fake_file {
    struct uefi_file file;
    const char *contents;
    size_t at;
};

static uefi_status_t fake_close(struct uefi_file *self) {
    firmware.files--;
    free(self);
    return UEFI_OK;
}

// Two bytes at a time.
static uefi_status_t fake_read(struct uefi_file *self, size_t *inout_size, void *buffer) {
    struct fake_file *file = (struct fake_file *)self;
    const size_t left = strlen(file->contents) - file->at;
    if (fails()) {
        return UEFI_LOAD_ERROR;
    }
    *inout_size = *inout_size < 2 ? *inout_size : 2;
    *inout_size = *inout_size < left ? *inout_size : left;
    memcpy(buffer, &file->contents[file->at], *inout_size);
    file->at += *inout_size;
    return UEFI_OK;
}

static uefi_status_t fake_info(struct uefi_file *self, const struct uefi_guid *type,
                               size_t *inout_size, void *buffer) {
    struct uefi_file_info *file = buffer;
    CHECK(type->a == 0x09576e92 && *inout_size >= sizeof(*file));
    if (fails()) {
        return UEFI_LOAD_ERROR;
    }
    file->file_bytes = strlen(((struct fake_file *)self)->contents);
    file->attribute = firmware.is_folder ? 0x10 : 0x20;
    return UEFI_OK;
}

static uefi_status_t fake_open(struct uefi_file *self, struct uefi_file **out, const uint16_t *name,
                               uint64_t mode, uint64_t attributes);

static struct uefi_file *file_new(const char *contents) {
    struct fake_file *file = calloc(1, sizeof(*file));
    file->file = (struct uefi_file){
        .open = fake_open, .close = fake_close, .read = fake_read, .get_info = fake_info
    };
    file->contents = contents;
    firmware.files++;
    return &file->file;
}

static bool same(const uint16_t *name, const char *text) {
    size_t i = 0;
    while (text[i] != '\0' && name[i] == (uint8_t)text[i]) {
        i++;
    }
    return text[i] == '\0' && name[i] == 0;
}

static uefi_status_t fake_open(struct uefi_file *self, struct uefi_file **out, const uint16_t *name,
                               uint64_t mode, uint64_t attributes) {
    (void)self;
    CHECK(mode == UEFI_FILE_READ && attributes == 0);
    if (fails()) {
        return UEFI_LOAD_ERROR;
    }
    for (uint32_t i = 0; i < FILES; i++) {
        if (firmware.names[i] != NULL && same(name, firmware.names[i])) {
            *out = file_new(firmware.contents[i]);
            return UEFI_OK;
        }
    }
    return UEFI_NOT_FOUND;
}

static uefi_status_t fake_volume(struct uefi_file_system *self, struct uefi_file **out_root) {
    (void)self;
    *out_root = file_new("");
    return UEFI_OK;
}

static uefi_status_t fake_load_file(struct uefi_load_file *self,
                                    const struct uefi_device_path *path, bool boot_policy,
                                    size_t *inout_size, void *buffer) {
    (void)self;
    CHECK(path->type == 0x7f && !boot_policy);
    const size_t needed = strlen(firmware.loader);
    const bool fits = buffer != NULL && *inout_size >= needed;
    if (fails()) {
        return UEFI_LOAD_ERROR;
    }
    if (++firmware.loader_calls == firmware.loader_fail_at) {
        return UEFI_NOT_FOUND;
    }
    *inout_size = buffer != NULL && firmware.grows ? needed + 1 : needed;
    if (!fits) {
        return UEFI_BUFFER_TOO_SMALL;
    }
    memcpy(buffer, firmware.loader, needed);
    return UEFI_OK;
}

static uefi_status_t fake_protocol(void *handle, const struct uefi_guid *guid, void **out) {
    static struct uefi_loaded_image image;
    static struct uefi_file_system system = { .open_volume = fake_volume };
    static struct uefi_load_file load_file = { fake_load_file };
    if (guid->a == 0x5b1b31a1) {
        CHECK(handle == &image_handle);
        image = (struct uefi_loaded_image){ .device = &device_handle };
        if (firmware.options != NULL) {
            for (size_t i = 0; i <= strlen(firmware.options); i++) {
                options[i] = (uint8_t)firmware.options[i];
            }
            image.load_options = options;
            image.load_options_bytes = (uint32_t)(2 * strlen(firmware.options) + 2);
        }
        *out = &image;
    } else if (guid->a == 0x964e5b22) {
        CHECK(handle == &device_handle);
        *out = &system;
    } else {
        CHECK(guid->a == 0x4006c0c1);
        *out = &load_file;
    }
    return fails() ? UEFI_UNSUPPORTED : UEFI_OK;
}

static uefi_status_t fake_locate(const struct uefi_guid *guid, const struct uefi_device_path **path,
                                 void **out_handle) {
    CHECK(guid->a == 0x4006c0c1 && (*path)->type == 4 && (*path)->length[0] == 20);
    if (firmware.loader == NULL) {
        return UEFI_NOT_FOUND;
    }
    *path = (const void *)((const char *)*path + 20);
    *out_handle = &device_handle;
    return UEFI_OK;
}

static void *place;

static uefi_status_t load(void) {
    static struct uefi_boot_services boot = { .allocate_pages = fake_allocate,
                                              .free_pages = fake_free,
                                              .get_memory_map = fake_map,
                                              .handle_protocol = fake_protocol,
                                              .locate_device_path = fake_locate,
                                              .exit_boot_services = fake_exit };
    static struct uefi_text_output output = { .output_string = fake_output };
    static struct uefi_table tables[2] = {
        { .guid = { .a = 1 } },
        { { 0xb1b621d5, 0xf19c, 0x41a5, { 0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0 } }, tree }
    };
    struct uefi_system_table system = { .output = &output, .boot = &boot, .tables = tables };
    static const uint8_t head[8] = { 0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, sizeof(tree) };
    memcpy(tree, head, sizeof(head));
    system.table_count = firmware.has_tree ? 2 : 1;
    memset(&info, 0xa5, sizeof(info));
    return uefi_load(&image_handle, &system, IMAGE_BYTES, ALIGNMENT, &info, &place);
}

// What a load that went well, or that the firmware did not let go, keeps.
static void forget(void) {
    while (firmware.pages > 0) {
        free(firmware.taken[--firmware.pages]);
    }
    firmware.ended = false;
}

static void begin(const char *words) {
    forget();
    memset(&firmware, 0, sizeof(firmware));
    firmware.has_tree = true;
    firmware.options = words;
}

static void *memory_at(struct paddr address) {
    return (void *)(uintptr_t)address.value; // NOLINT(performance-no-int-to-ptr)
}

static bool initrd_is(const char *contents) {
    return info.initrd_bytes == strlen(contents) &&
           memcmp(memory_at(info.initrd), contents, strlen(contents)) == 0;
}

static void check_whole(void) {
    CHECK(firmware.ended && firmware.files == 0 && firmware.lines == 0);
    CHECK(info.memory_count == 3 && info.memory[0].base.value == 0x40000000);
    CHECK(info.memory[1].kind == BOOT_MEMORY_ACPI && info.memory[1].size_bytes == 0x2000);
    CHECK(info.device_tree_bytes == sizeof(tree));
    CHECK(memcmp(memory_at(info.device_tree), tree, sizeof(tree)) == 0);
    CHECK((uintptr_t)place % ALIGNMENT == 0);
    memset(place, 0, IMAGE_BYTES); // the sanitizer looks
}

static void test_loader(void) {
    begin("one two");
    firmware.loader = "archive";
    CHECK(load() == UEFI_OK);
    check_whole();
    CHECK(strcmp(info.command_line, "one two") == 0 && !info.command_line_cut);
    CHECK(initrd_is("archive"));
    begin("initrd=ignored");
    firmware.loader = "archive";
    firmware.map_changes = 1;
    CHECK(load() == UEFI_OK);
    check_whole();
    begin(NULL);
    CHECK(load() == UEFI_OK);
    check_whole();
    CHECK(info.initrd_bytes == 0 && info.command_line[0] == '\0');
}

static void test_files(void) {
    begin("a initrd=/x/one b initrd=two");
    firmware.names[0] = "\\x\\one";
    firmware.contents[0] = "first";
    firmware.names[1] = "two";
    firmware.contents[1] = "second";
    CHECK(load() == UEFI_OK);
    check_whole();
    CHECK(initrd_is("firstsecond"));
    forget();
    firmware.names[1] = NULL;
    CHECK(load() == UEFI_NOT_FOUND);
    CHECK(!firmware.ended && firmware.lines == 1);
    begin(NULL);
    firmware.names[0] = "\\helix.cmd";
    firmware.contents[0] = "quiet\r\ninitrd=two\n";
    firmware.names[1] = "two";
    firmware.contents[1] = "second";
    CHECK(load() == UEFI_OK);
    check_whole();
    CHECK(strcmp(info.command_line, "quiet  initrd=two ") == 0);
    CHECK(initrd_is("second"));
}

// Who brings an archive, and then says that he does not, when asked for its size or for its bytes:
// files are not taken in its place.
static void test_fickle_loader(void) {
    for (uint32_t at = 1; at <= 2; at++) {
        begin("initrd=two");
        firmware.loader = "archive";
        firmware.loader_fail_at = at;
        firmware.names[0] = "two";
        firmware.contents[0] = "abc";
        CHECK(load() == UEFI_NOT_FOUND);
        CHECK(!firmware.ended && firmware.lines == 1 && firmware.pages == 0);
    }
}

// What has the name of an archive and is a directory, or has no name that a firmware can have.
static void test_folders(void) {
    static const char *const words[] = { "initrd=x", "initrd=\xc3\xa4" };
    for (uint32_t i = 0; i < 2; i++) {
        begin(words[i]);
        firmware.names[0] = i == 0 ? "x" : "";
        firmware.contents[0] = "";
        firmware.is_folder = true;
        CHECK(load() == UEFI_UNSUPPORTED);
        CHECK(firmware.lines == 1 && firmware.pages == 0 && firmware.files == 0);
    }
}

// Words that are too many, from each of their sources.
static void test_long(void) {
    static char words[BOOT_COMMAND_MAX + 3];
    memset(words, 'x', sizeof(words) - 1);
    begin(words);
    CHECK(load() == UEFI_OK);
    CHECK(info.command_line_cut && strlen(info.command_line) == BOOT_COMMAND_MAX - 1);
    begin(NULL);
    firmware.names[0] = "\\helix.cmd";
    firmware.contents[0] = words;
    CHECK(load() == UEFI_OK);
    CHECK(info.command_line_cut && strlen(info.command_line) == BOOT_COMMAND_MAX - 1);
}

static void test_refusals(void) {
    begin("one");
    firmware.has_tree = false;
    CHECK(load() == UEFI_UNSUPPORTED);
    CHECK(firmware.lines == 1 && firmware.pages == 0);
    begin("one");
    firmware.map_changes = 2; // more often than it may
    CHECK(load() == UEFI_INVALID_PARAMETER);
    CHECK(firmware.lines == 0);
    begin("one");
    firmware.loader = "archive";
    firmware.grows = true;
    CHECK(load() == UEFI_LOAD_ERROR);
    CHECK(firmware.lines == 1 && firmware.pages == 0);
}

// Each call of a load fails once. What may be missing is done without; else all is given back.
static void test_failures(const char *loader) {
    uint32_t refused = 0;
    for (uint32_t n = 1;; n++) {
        begin(NULL);
        firmware.loader = loader;
        firmware.names[0] = "\\helix.cmd";
        firmware.contents[0] = "initrd=two";
        firmware.names[1] = "two";
        firmware.contents[1] = "abc";
        firmware.fail_at = n;
        const uefi_status_t status = load();
        CHECK(firmware.files == 0);
        if (firmware.calls < n) {
            CHECK(status == UEFI_OK && refused > 5);
            return;
        }
        CHECK(firmware.ended == (status == UEFI_OK));
        if (status != UEFI_OK && firmware.lines == 1) {
            CHECK(firmware.pages == 0);
            refused++;
        }
    }
}

static void test_text(void) {
    static const uint16_t from[] = {
        'a', 0xe4, 0x20ac, 0xd83d, 0xde00, 0xd83d, 'b', 0xde00, 0xd83d
    };
    static const char whole[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80?b??";
    char to[sizeof(whole)];
    CHECK(uefi_text(to, sizeof(to), from, sizeof(from)));
    CHECK(strcmp(to, whole) == 0);
    for (size_t capacity = 1; capacity < sizeof(whole); capacity++) {
        char *small = malloc(capacity);
        CHECK(!uefi_text(small, capacity, from, sizeof(from)));
        CHECK(strncmp(small, whole, strlen(small)) == 0 && strlen(small) + 4 >= capacity);
        free(small);
    }
    CHECK(uefi_text(to, 2, from, 3) && strcmp(to, "a") == 0); // half a unit
    CHECK(uefi_text(to, 1, from, 0) && to[0] == '\0');
}

static void test_words(void) {
    static const char words[] = "xinitrd=no initrd= initrd=a/b\tinitrd=longer1 initrd=\xc3\xa4 z";
    uint16_t name[8];
    size_t at = 0;
    CHECK(uefi_initrd_word(words, &at, name, 8) && same(name, "a\\b"));
    CHECK(uefi_initrd_word(words, &at, name, 8) && same(name, "longer1"));
    CHECK(uefi_initrd_word(words, &at, name, 8) && same(name, ""));
    CHECK(!uefi_initrd_word(words, &at, name, 8));
    at = 0;
    CHECK(uefi_initrd_word("initrd=longer12", &at, name, 8) && same(name, ""));
}

static void test_memory(void) {
    struct uefi_memory_descriptor map[] = {
        { UEFI_LOADER_CODE, 0x1000, 0, 4, UEFI_MEMORY_WB },
        { 0, 0x2000, 0, 1, UEFI_MEMORY_WB },
        { UEFI_CONVENTIONAL, 0x10000, 0, 1, 0 }, // cannot be cached
        { 6, 0x11000, 0, 1, UEFI_MEMORY_WB },    // the firmware's services that go on
        { UEFI_ACPI_NVS, 0x12000, 0, 1, UEFI_MEMORY_WB },
        { UEFI_BOOT_SERVICES_DATA, UINT64_MAX - 0x2fff, 0, UINT64_MAX, UEFI_MEMORY_WB },
        { UEFI_CONVENTIONAL, 0x20000, 0, 0, UEFI_MEMORY_WB },
    };
    memset(&info, 0, sizeof(info));
    uefi_memory(&info, map, sizeof(map), sizeof(map[0]));
    CHECK(info.memory_count == 6);
    CHECK(info.memory[0].size_bytes == 0x1000 && info.memory[0].kind == BOOT_MEMORY_USABLE);
    CHECK(info.memory[1].base.value == 0x2000 && info.memory[1].kind == BOOT_MEMORY_RESERVED);
    CHECK(info.memory[2].base.value == 0x3000 && info.memory[2].size_bytes == 0x2000);
    CHECK(info.memory[3].base.value == 0x10000 && info.memory[3].size_bytes == 0x2000);
    CHECK(info.memory[3].kind == BOOT_MEMORY_RESERVED);
    CHECK(info.memory[4].kind == BOOT_MEMORY_NVS);
    CHECK(info.memory[5].size_bytes == 0x2000);
    info.memory_count = 0;
    uefi_memory(&info, map, sizeof(map), sizeof(map[0]) - 1);
    CHECK(info.memory_count == 0);
}

int main(void) {
    test_text();
    test_words();
    test_memory();
    test_loader();
    test_files();
    test_fickle_loader();
    test_folders();
    test_long();
    test_refusals();
    test_failures(NULL);
    test_failures("archive");
    forget();
    return check_result();
}
