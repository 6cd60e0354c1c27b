// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/env.c: the SDK as calls of the kernel, for a module in ring 3. Who may do what is
// the kernel's to say, by the manifest that it has read itself.
#include "host.h"

#include <helix/env_atomic.h>
#include <lib/format.h>

#define NO_LOCK_ANALYSIS HX_ATTR(no_thread_safety_analysis)

// ---- locks: 0 is free, 1 held, 2 held while others may wait

static _Atomic uint32_t *word_of(void *opaque) {
    return opaque;
}

static void word_lock(_Atomic uint32_t *word) {
    uint32_t seen = 0;
    if (atomic_compare_exchange_strong_explicit(word, &seen, 1, memory_order_acquire,
                                                memory_order_relaxed)) {
        return;
    }
    while (atomic_exchange_explicit(word, 2, memory_order_acquire) != 0) {
        (void)service_call(SERVICE_WAIT, service_address((const void *)word), 2, 0);
    }
}

static void word_unlock(_Atomic uint32_t *word) {
    if (atomic_exchange_explicit(word, 0, memory_order_release) == 2) {
        (void)service_call(SERVICE_WAKE, 0, 0, 0);
    }
}

void hx_mutex_init(struct hx_mutex *mutex, const char *name) {
    (void)name;
    atomic_init(word_of(mutex->opaque), 0);
}

NO_LOCK_ANALYSIS void hx_mutex_lock(struct hx_mutex *mutex) {
    word_lock(word_of(mutex->opaque));
}

NO_LOCK_ANALYSIS void hx_mutex_unlock(struct hx_mutex *mutex) {
    word_unlock(word_of(mutex->opaque));
}

// What excludes the module's threads from each other: nothing runs there with interrupts off.
void hx_spinlock_init(struct hx_spinlock *spinlock, const char *name) {
    (void)name;
    atomic_init(word_of(spinlock->opaque), 0);
}

NO_LOCK_ANALYSIS void hx_spinlock_acquire(struct hx_spinlock *spinlock) {
    word_lock(word_of(spinlock->opaque));
}

NO_LOCK_ANALYSIS void hx_spinlock_release(struct hx_spinlock *spinlock) {
    word_unlock(word_of(spinlock->opaque));
}

// ---- time and processors

uint32_t hx_cpu_count(void) {
    return (uint32_t)service_call(SERVICE_CPUS, 0, 0, 0);
}

uint32_t hx_cpu_current(void) {
    return (uint32_t)service_call(SERVICE_CPU, 0, 0, 0);
}

time_ns_t hx_time_now(void) {
    return service_call(SERVICE_TIME, 0, 0, 0);
}

// ---- the log

void hx_log(struct hx_env *env, enum hx_log_level level, const char *format, ...) {
    char text[SERVICE_LINE_BYTES];
    va_list arguments;
    (void)env;
    va_start(arguments, format);
    const size_t length = format_string_list(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)service_call(SERVICE_LOG, level, service_address(text), MIN_OF(length, sizeof(text) - 1));
}

// ---- entropy

enum hx_status hx_random_fill(struct hx_env *env, void *to, size_t size_bytes) {
    uint8_t *bytes = to;
    enum hx_status status = HX_OK;
    (void)env;
    for (size_t done = 0; done < size_bytes && status == HX_OK;) {
        const size_t part = MIN_OF(size_bytes - done, (size_t)SERVICE_RANDOM_MAX);
        status =
            (enum hx_status)service_call(SERVICE_RANDOM, service_address(bytes + done), part, 0);
        done += part;
    }
    return status;
}

enum hx_status hx_entropy_add(struct hx_env *env, const void *bytes, size_t size_bytes) {
    const uint8_t *from = bytes;
    enum hx_status status = HX_OK;
    (void)env;
    for (size_t done = 0; done < size_bytes && status == HX_OK;) {
        const size_t part = MIN_OF(size_bytes - done, (size_t)SERVICE_RANDOM_MAX);
        status =
            (enum hx_status)service_call(SERVICE_ENTROPY, service_address(from + done), part, 0);
        done += part;
    }
    return status;
}

// ---- I/O ports

uint8_t hx_io_port_read8(struct hx_env *env, uint16_t port) {
    (void)env;
    return (uint8_t)service_call(SERVICE_IN8, port, 0, 0);
}

void hx_io_port_write8(struct hx_env *env, uint16_t port, uint8_t value) {
    (void)env;
    (void)service_call(SERVICE_OUT8, port, value, 0);
}
