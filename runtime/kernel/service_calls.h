// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/service_calls.h: calls of modules in ring 3, by the files that do them.
#pragma once

#include "isolated.h"

struct call {
    struct worker *worker;
    struct domain *domain;
    uint64_t a, b, c, d, e;
};

// A value from 0 up, or a status. By a worker, in its thread.
typedef int64_t service_function(const struct call *call);

// A name with its end; HX_ERR_INVALID: it is too long, or has nothing in it; HX_ERR_BAD_ADDRESS.
enum hx_status service_name_copy(char to[SERVICE_NAME_BYTES], uint64_t from);

// reach.c
service_function do_device_open, do_device_read, do_device_write, do_device_config, do_irq,
    do_device_irq, do_device_message, do_dma_alloc, do_dma_free;

// borrow.c
service_function do_dma_map, do_dma_unmap, do_page_read, do_page_write;
