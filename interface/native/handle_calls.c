// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/handle_calls.c: handles: close, derive, revoke, look at.
#include "native.h"

#include <memory/account.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

int64_t native_give(struct capability *capability) {
    handle_t handle;
    enum hx_status status = handle_add(process_current(), capability, &handle);
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    return handle;
}

int64_t native_handle_close(const uint64_t *args) {
    return handle_close(process_current(), (handle_t)args[0]);
}

// A derived capability. Who derived it pays until it is freed, whoever has it by then.
struct node {
    struct capability_derived derived;
    struct account *account; // keeps
};

static void node_free(struct node *node) {
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
    return node;
}

static int64_t derive(struct capability *parent, rights_t rights) {
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
    return native_give(&node->derived.capability);
}

int64_t native_handle_derive(const uint64_t *args) {
    struct capability *parent;
    enum hx_status status = handle_find(process_current(), (handle_t)args[0], &parent);
    if (status != HX_OK) {
        return status;
    }
    int64_t result = derive(parent, args[1]);
    capability_put(parent);
    return result;
}

int64_t native_handle_revoke(const uint64_t *args) {
    struct capability *capability;
    enum hx_status status = handle_find(process_current(), (handle_t)args[0], &capability);
    if (status != HX_OK) {
        return status;
    }
    // Not entered: who revokes acts under nothing.
    status = (capability_rights(capability) & HX_RIGHT_ADMIN) != 0 ? capability_revoke(capability)
                                                                   : capability_refusal(capability);
    capability_put(capability);
    return status;
}

enum hx_status native_movable(handle_t handle, struct capability **out_capability) {
    enum hx_status status = handle_find(process_current(), handle, out_capability);
    if (status == HX_OK && (capability_rights(*out_capability) & HX_RIGHT_DELEGATE) == 0) {
        status = capability_refusal(*out_capability);
        capability_put(*out_capability);
    }
    return status;
}

int64_t native_handle_bequeath(const uint64_t *args) {
    struct capability *capability;
    enum hx_status status = native_movable((handle_t)args[0], &capability);
    if (status != HX_OK) {
        return status;
    }
    status = handle_close(process_current(), (handle_t)args[0]);
    if (status != HX_OK) {
        capability_put(capability); // another thread was faster
        return status;
    }
    process_bequeath(process_current(), capability);
    return HX_OK;
}

int64_t native_handle_given(const uint64_t *args) {
    handle_t handle;
    (void)args;
    enum hx_status status = handle_take_given(process_current(), &handle);
    return status == HX_OK ? (int64_t)handle : (int64_t)status;
}

int64_t native_handle_info(const uint64_t *args) {
    struct capability *capability;
    enum hx_status status = handle_find(process_current(), (handle_t)args[0], &capability);
    if (status != HX_OK) {
        return status;
    }
    const struct hx_handle_info info = {
        .object = native_object(capability->object),
        .live = capability_is_live(capability),
        .rights = capability_rights(capability),
    };
    capability_put(capability);
    return copy_to_user(uaddr_make(args[1]), &info, sizeof(info));
}
