// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/node.c: derived capabilities of programs: who pays for them, and their numbers.
//
// Who derived one pays until it is freed, whoever has it by then. A number names one outside the
// kernel; it gets one when it is asked for, and no other one ever has the same. What is found by
// its number is not kept by it: what nobody has a handle for is gone.
#include "native.h"

#include <lib/rbtree.h>
#include <memory/account.h>
#include <memory/heap.h>

#define SHARDS 16u // of the numbers, by the address of what they name

struct node {
    struct capability_derived derived;
    struct account *account; // keeps
    uint64_t number;         // [shard] 0: none
    struct rbnode numbered;  // [shard] in its tree
};

static const struct lock_class shard_class = { "numbers of capabilities", LOCK_RANK_LEAF, false };
static struct shard {
    struct spinlock lock;
    struct rbtree nodes; // [lock] struct node.numbered, by number
    uint64_t given;      // [lock] numbers
} shards[SHARDS];

static bool number_less(const struct rbnode *a, const struct rbnode *b) {
    return RB_ENTRY(a, const struct node, numbered)->number <
           RB_ENTRY(b, const struct node, numbered)->number;
}

void native_numbers_init(void) {
    for (uint32_t i = 0; i < SHARDS; i++) {
        spinlock_init(&shards[i].lock, &shard_class);
        rbtree_init(&shards[i].nodes, number_less, NULL);
    }
}

static struct shard *shard_of(const struct node *node) {
    return &shards[((uintptr_t)node >> 8) % SHARDS];
}

static void node_free(struct node *node) {
    struct shard *shard = shard_of(node);
    spin_lock(&shard->lock);
    if (node->number != 0) {
        rbtree_remove(&shard->nodes, &node->numbered);
    }
    spin_unlock(&shard->lock);
    account_release(node->account, ACCOUNT_HANDLES, 1);
    object_put(&node->account->object);
    heap_free(node);
}

static void node_release(struct capability_derived *derived) {
    node_free(CONTAINER_OF(derived, struct node, derived));
}

// Charged to the account; NULL and a status: it is not.
static struct node *node_create(struct account *account, enum hx_status *out_status) {
    *out_status = account_charge(account, ACCOUNT_HANDLES, 1);
    if (*out_status != HX_OK) {
        return NULL;
    }
    struct node *node = heap_alloc(sizeof(*node), MEMORY_SLEEP);
    if (node == NULL) {
        account_release(account, ACCOUNT_HANDLES, 1);
        *out_status = HX_ERR_NO_MEMORY;
        return NULL;
    }
    object_get(&account->object);
    node->account = account;
    node->number = 0;
    return node;
}

enum hx_status native_derive(struct capability *parent, rights_t rights, handle_t *out_derived) {
    enum hx_status status;
    struct node *node = node_create(process_current()->account, &status);
    if (node == NULL) {
        return status;
    }
    status = capability_derive(parent, rights, &node->derived, node_release);
    if (status != HX_OK) {
        node_free(node);
        return status;
    }
    return native_give(&node->derived.capability, out_derived);
}

uint64_t native_number(struct capability *capability) {
    struct node *node = CONTAINER_OF(capability, struct node, derived.capability);
    struct shard *shard = shard_of(node);
    spin_lock(&shard->lock);
    if (node->number == 0) {
        node->number = ++shard->given * SHARDS + (uint64_t)(shard - shards);
        rbtree_insert(&shard->nodes, &node->numbered);
    }
    const uint64_t number = node->number;
    spin_unlock(&shard->lock);
    return number;
}

struct capability *native_numbered(uint64_t number) {
    struct shard *shard = &shards[number % SHARDS];
    struct capability *found = NULL;
    spin_lock(&shard->lock);
    const struct rbnode *at = shard->nodes.root;
    while (at != NULL && found == NULL) {
        struct node *node = RB_ENTRY(at, struct node, numbered);
        if (node->number == number) {
            // What nobody keeps any more waits there for the end of its grace period.
            found = object_try_get(&node->derived.own) ? &node->derived.capability : NULL;
            break;
        }
        at = number < node->number ? at->left : at->right;
    }
    spin_unlock(&shard->lock);
    return found;
}
