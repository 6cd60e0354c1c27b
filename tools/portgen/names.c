// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/names.c: the words that stand for statuses, rights and types.
#include "portgen.h"

#include <helix/status.h>
#include <string.h>

static const char *const statuses[] = {
#define X(name, value, errno_value, text) #name,
    HX_STATUS_TABLE(X)
#undef X
};

bool is_status(const char *name) {
    for (size_t i = 1; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (strcmp(statuses[i] + strlen("HX_ERR_"), name) == 0) {
            return true;
        }
    }
    return false;
}

// In the order of their bits, HX_RIGHT_….
static const char *const rights[] = { "READ",      "WRITE",  "EXECUTE", "MAP",
                                      "DELETE",    "CREATE", "ADMIN",   "DELEGATE",
                                      "EXCLUSIVE", "SIGNAL", "WAIT" };

uint64_t right_of(const char *name) {
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        if (strcmp(rights[i], name) == 0) {
            return UINT64_C(1) << i;
        }
    }
    return 0;
}

void put_rights(uint64_t set, struct text *out) {
    const char *separator = "";
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        if ((set >> i & 1) != 0) {
            text_add(out, "%s%s", separator, rights[i]);
            separator = " | ";
        }
    }
}

void put_statuses(const struct status_name *status, struct text *out) {
    for (; status != NULL; status = status->next) {
        text_add(out, " HX_ERR_%s", status->name);
    }
}

static const struct {
    const char *name, *c_name;
    uint64_t size;
} scalars[KIND_SCALARS] = {
    [KIND_U8] = { "u8", "uint8_t", 1 },
    [KIND_U16] = { "u16", "uint16_t", 2 },
    [KIND_U32] = { "u32", "uint32_t", 4 },
    [KIND_U64] = { "u64", "uint64_t", 8 },
    [KIND_I32] = { "i32", "int32_t", 4 },
    [KIND_I64] = { "i64", "int64_t", 8 },
    [KIND_BOOL] = { "bool", "bool", 1 },
    [KIND_TIME] = { "time", "time_ns_t", 8 },
    [KIND_REQUEST] = { "request", "uint64_t", 8 },
};

const char *scalar_name(enum kind kind) {
    return scalars[kind].name;
}

const char *scalar_c_name(enum kind kind) {
    return scalars[carrier_of(kind)].c_name;
}

uint64_t scalar_size(enum kind kind) {
    return scalars[carrier_of(kind)].size;
}

enum kind carrier_of(enum kind kind) {
    return kind == KIND_ID ? KIND_U64 : kind == KIND_ENUM || kind == KIND_FLAGS ? KIND_U32 : kind;
}
