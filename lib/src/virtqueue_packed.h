// SPDX-License-Identifier: MIT OR Apache-2.0
// virtqueue_packed.h: the other layout of <lib/virtqueue.h>'s queues (Virtual I/O Device 1.2, 2.8).
// Each does what the function of its name there says, but the queue is known not to be corrupt;
// `kind` is what all descriptors of the chain say.
#pragma once

#include <lib/virtqueue.h>

bool packed_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint32_t count,
                void *token, uint32_t kind);
bool packed_publish(struct virtqueue *queue);
enum hx_status packed_take(struct virtqueue *queue, void **out_token, uint32_t *out_bytes);
// Takes the chain of that number apart.
void *packed_chain_free(struct virtqueue *queue, uint16_t id);
