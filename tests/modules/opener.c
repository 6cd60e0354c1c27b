// SPDX-License-Identifier: MIT OR Apache-2.0
// opener.c: takes the battery clock of firmware's tree, and asks for it again and again, in vain.
// It does not start where there is none, nor when a refusal or the clock is not what it must be.
#include <helix/env.h>
#include <helix/types.h>

#define TIMES 64

static const char *const names[] = { "arm,pl031", "google,goldfish-rtc" };

// HX_ERR_NOT_FOUND: there is none; HX_ERR_CORRUPT: what is said of one that is taken is wrong.
static enum hx_status opener_init(struct hx_env *env, void **out_self) {
    struct hx_device device;
    struct hx_device again;
    enum hx_status status = HX_ERR_NOT_FOUND;
    uint32_t which = 0;
    *out_self = NULL;
    for (uint32_t i = 0; i < ARRAY_SIZE(names) && status == HX_ERR_NOT_FOUND; i++) {
        status = hx_device_open(env, names[i], 0, &device);
        which = i;
    }
    for (uint32_t i = 0; i < TIMES && status == HX_OK; i++) {
        status =
            hx_device_open(env, names[which], 0, &again) == HX_ERR_BUSY ? HX_OK : HX_ERR_CORRUPT;
    }
    if (status == HX_OK && hx_device_read32(&device, 0) == 0) { // seconds, or nanoseconds
        status = HX_ERR_CORRUPT;
    }
    return status;
}

static const struct hx_module_ops operations = { .init = opener_init };

HX_MODULE(opener, .name = "opener", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .devices = names, .devices_count = ARRAY_SIZE(names),
          .capabilities = HX_CAPABILITY_DEVICES, .ops = &operations);
