// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton.c: a character device with a text in memory, through helix.char.
#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/string.h>

#define SKELETON_MAJOR 240u // for local use, as Linux has it
#define SKELETON_MINOR SKELETON_NUMBER
#define TEXT_BYTES     64u

struct skeleton {
    struct hx_env *env;
    struct hx_mutex lock;
    char text[TEXT_BYTES]; // [lock]
    uint32_t length;       // [lock]
};

static const char greeting[] = "hello from skeleton\n";
_Static_assert(sizeof(greeting) <= TEXT_BYTES, "the text has room");

static enum hx_status skeleton_describe(void *self, struct char_node *nodes, uint32_t capacity,
                                        uint32_t *out_count) {
    static const struct char_node node = { "skeleton", SKELETON_MAJOR, SKELETON_MINOR, 0666, 0 };
    (void)self;
    *out_count = MIN_OF(capacity, 1u);
    memcpy(nodes, &node, *out_count * sizeof(node));
    return HX_OK;
}

static enum hx_status skeleton_read(void *self, uint32_t minor, uint64_t offset, void *buffer,
                                    uint32_t capacity, uint32_t *out_length) {
    struct skeleton *skeleton = self;
    (void)minor;
    hx_mutex_lock(&skeleton->lock);
    const uint32_t from = (uint32_t)MIN_OF(offset, (uint64_t)skeleton->length);
    *out_length = MIN_OF(skeleton->length - from, capacity);
    memcpy(buffer, skeleton->text + from, *out_length);
    hx_mutex_unlock(&skeleton->lock);
    return HX_OK;
}

// The text is what one call brings, wherever in the file.
static enum hx_status skeleton_write(void *self, uint32_t minor, uint64_t offset, const void *data,
                                     uint32_t length, uint32_t *out_length) {
    struct skeleton *skeleton = self;
    (void)minor;
    (void)offset;
    if (length > TEXT_BYTES) {
        return HX_ERR_NO_SPACE;
    }
    hx_mutex_lock(&skeleton->lock);
    memcpy(skeleton->text, data, length);
    skeleton->length = length;
    hx_mutex_unlock(&skeleton->lock);
    *out_length = length;
    return HX_OK;
}

static const struct char_ops skeleton_ops = {
    .describe = skeleton_describe,
    .read = skeleton_read,
    .write = skeleton_write,
};

static enum hx_status skeleton_init(struct hx_env *env, void **out_self) {
    struct skeleton *skeleton = hx_alloc(env, sizeof(*skeleton));
    if (skeleton == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    skeleton->env = env;
    hx_mutex_init(&skeleton->lock, "skeleton");
    skeleton->length = sizeof(greeting) - 1;
    memcpy(skeleton->text, greeting, skeleton->length);
    // Calls may come from here on.
    enum hx_status status = hx_port_provide(env, "helix.char", "skeleton", &skeleton_ops, skeleton);
    if (status != HX_OK) {
        hx_free(env, skeleton);
        return status;
    }
    *out_self = skeleton;
    return HX_OK;
}

// Nobody calls any more.
static void skeleton_fini(void *self) {
    struct skeleton *skeleton = self;
    hx_free(skeleton->env, skeleton);
}

static const struct hx_port_provided provided[] = { CHAR_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = skeleton_init, .fini = skeleton_fini };

HX_MODULE(skeleton, .name = "skeleton", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .ops = &operations);
