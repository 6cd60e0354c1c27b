// SPDX-License-Identifier: MIT OR Apache-2.0
// fdt.c: the flattened format (Devicetree Specification 0.4, 5.2 to 5.4).
#include <lib/fdt.h>
#include <lib/format.h>
#include <lib/string.h>

#define MAGIC        0xd00dfeedu
#define LAST_VERSION 17u // readable by who knows this one (5.2, last_comp_version <= 17)

#define TOKEN_NODE     1u
#define TOKEN_NODE_END 2u
#define TOKEN_PROPERTY 3u
#define TOKEN_NOP      4u
#define TOKEN_END      9u

#define NAME_CAPACITY         32u // of a property: 31 letters (2.2.4.1)
#define CELLS_MOST            4u
#define ADDRESS_CELLS_DEFAULT 2u // 2.3.5
#define SIZE_CELLS_DEFAULT    1u

static uint32_t be32(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint64_t be64(const uint8_t *from) {
    return (uint64_t)be32(from) << 32 | be32(from + 4);
}

static uint32_t header_word(const void *block, uint32_t index) {
    return be32((const uint8_t *)block + (size_t)index * 4);
}

// Words of the header (5.2).
enum header { TOTAL = 1, OFF_STRUCT, OFF_STRINGS, OFF_RESERVED, VERSION, LAST_COMPATIBLE };
#define SIZE_STRINGS 8u
#define SIZE_STRUCT  9u

enum hx_status fdt_size(const void *header, size_t *out_size_bytes) {
    uint32_t total = header_word(header, TOTAL);
    if (header_word(header, 0) != MAGIC || total < FDT_HEADER_BYTES || total > FDT_SIZE_MAX) {
        return HX_ERR_CORRUPT;
    }
    *out_size_bytes = total;
    return HX_OK;
}

// One token of the structure. `next` is behind it and its data.
struct token {
    uint32_t kind;
    const char *name; // of a node or a property
    struct fdt_property property;
    uint32_t next;
};

// The terminated text at `offset`; NULL: it has no end.
static const char *text_at(const void *base, uint32_t bytes, uint32_t offset) {
    const char *text = (const char *)base + offset;
    return offset < bytes && memchr(text, '\0', bytes - offset) != NULL ? text : NULL;
}

static bool token_node(const struct fdt *fdt, uint32_t at, struct token *out) {
    out->name = text_at(fdt->structure, fdt->structure_bytes, at);
    if (out->name == NULL) {
        return false;
    }
    out->next = ALIGN_UP(at + (uint32_t)strlen(out->name) + 1, 4u);
    return true;
}

static bool token_property(const struct fdt *fdt, uint32_t at, struct token *out) {
    if (fdt->structure_bytes - at < 8) {
        return false;
    }
    const uint32_t size = be32(fdt->structure + at);
    out->name = text_at(fdt->strings, fdt->strings_bytes, be32(fdt->structure + at + 4));
    if (out->name == NULL || size > fdt->structure_bytes - at - 8) {
        return false;
    }
    out->property = (struct fdt_property){ fdt->structure + at + 8, size };
    out->next = ALIGN_UP(at + 8 + size, 4u);
    return true;
}

// The token at `at`, NOPs left out; false: it does not lie in the structure as a whole.
static bool token_read(const struct fdt *fdt, uint32_t at, struct token *out) {
    do {
        if (at > fdt->structure_bytes || fdt->structure_bytes - at < 4) {
            return false;
        }
        out->kind = be32(fdt->structure + at);
        at += 4;
    } while (out->kind == TOKEN_NOP);
    out->next = at;
    switch (out->kind) {
    case TOKEN_NODE:
        return token_node(fdt, at, out);
    case TOKEN_PROPERTY:
        return token_property(fdt, at, out);
    default:
        return out->kind == TOKEN_NODE_END || out->kind == TOKEN_END;
    }
}

// Whether the tokens nest: one root, properties before the nodes in their node, the end at its end.
static bool structure_is_valid(const struct fdt *fdt) {
    uint32_t depth = 0;
    uint32_t at = 0;
    bool properties = false; // may come here
    struct token token;
    while (token_read(fdt, at, &token)) {
        switch (token.kind) {
        case TOKEN_NODE:
            if (depth > FDT_DEPTH_MAX || (depth == 0 && at != 0)) {
                return false;
            }
            depth++;
            properties = true;
            break;
        case TOKEN_NODE_END:
            if (depth-- == 0) {
                return false;
            }
            properties = false;
            break;
        case TOKEN_PROPERTY:
            if (!properties) {
                return false;
            }
            break;
        default:
            return depth == 0 && at != 0;
        }
        at = token.next;
    }
    return false;
}

// Counts the reserved ranges up to the pair of zeros (5.3.2); false: it does not come.
static bool reserved_count(const uint8_t *block, uint32_t total, uint32_t offset, struct fdt *out) {
    if (offset > total || offset % 8 != 0) {
        return false;
    }
    out->reserved = block + offset;
    for (uint32_t left = total - offset; left >= 16; left -= 16, offset += 16) {
        if (be64(block + offset) == 0 && be64(block + offset + 8) == 0) {
            return true;
        }
        out->reserved_count++;
    }
    return false;
}

enum hx_status fdt_open(const void *block, size_t size_bytes, struct fdt *out_fdt) {
    size_t total;
    if (size_bytes < FDT_HEADER_BYTES || fdt_size(block, &total) != HX_OK || total > size_bytes ||
        header_word(block, VERSION) < LAST_VERSION ||
        header_word(block, LAST_COMPATIBLE) > LAST_VERSION) {
        return HX_ERR_CORRUPT;
    }
    const uint8_t *bytes = block;
    const uint32_t structure = header_word(block, OFF_STRUCT);
    const uint32_t strings = header_word(block, OFF_STRINGS);
    struct fdt fdt = { .structure_bytes = header_word(block, SIZE_STRUCT),
                       .strings_bytes = header_word(block, SIZE_STRINGS) };
    if (structure > total || fdt.structure_bytes > total - structure || structure % 4 != 0 ||
        strings > total || fdt.strings_bytes > total - strings) {
        return HX_ERR_CORRUPT;
    }
    fdt.structure = bytes + structure;
    fdt.strings = (const char *)bytes + strings;
    if (!reserved_count(bytes, (uint32_t)total, header_word(block, OFF_RESERVED), &fdt) ||
        !structure_is_valid(&fdt)) {
        return HX_ERR_CORRUPT;
    }
    *out_fdt = fdt;
    return HX_OK;
}

void fdt_reserved(const struct fdt *fdt, uint32_t index, uint64_t *out_base,
                  uint64_t *out_size_bytes) {
    *out_base = be64(fdt->reserved + (size_t)16 * index);
    *out_size_bytes = be64(fdt->reserved + (size_t)16 * index + 8);
}

static uint32_t cells_of(const struct fdt *fdt, const struct fdt_node *node, const char *name,
                         uint32_t absent) {
    struct fdt_property property;
    uint32_t cells = absent;
    if (fdt_property(fdt, node, name, &property) && fdt_u32(&property, 0, &cells) &&
        cells > CELLS_MOST) {
        cells = CELLS_MOST + 1; // no "reg" below is readable
    }
    return cells;
}

// Fills in the node whose begin is `token`, `depth` deep.
static void node_enter(const struct fdt *fdt, const struct token *token, uint32_t depth,
                       struct fdt_node *node) {
    const struct fdt_cells outside = depth > 0 ? node->stack[depth - 1] : (struct fdt_cells){ 0 };
    node->name = token->name;
    node->depth = depth;
    node->properties = token->next;
    node->next = token->next;
    node->address_cells = outside.address;
    node->size_cells = outside.size;
    node->interrupt_parent = outside.interrupt_parent;
    struct fdt_property property;
    if (fdt_property(fdt, node, "interrupt-parent", &property)) {
        (void)fdt_u32(&property, 0, &node->interrupt_parent);
    }
    node->stack[depth] = (struct fdt_cells){
        .address = (uint8_t)cells_of(fdt, node, "#address-cells", ADDRESS_CELLS_DEFAULT),
        .size = (uint8_t)cells_of(fdt, node, "#size-cells", SIZE_CELLS_DEFAULT),
        .interrupt_parent = node->interrupt_parent,
    };
}

void fdt_root(const struct fdt *fdt, struct fdt_node *out_node) {
    struct token token;
    (void)token_read(fdt, 0, &token); // fdt_open() saw it
    node_enter(fdt, &token, 0, out_node);
}

bool fdt_next(const struct fdt *fdt, struct fdt_node *node) {
    uint32_t depth = node->depth + 1; // of a node that begins here
    struct token token;
    for (uint32_t at = node->next; token_read(fdt, at, &token); at = token.next) {
        if (token.kind == TOKEN_NODE) {
            node_enter(fdt, &token, depth, node);
            return true;
        }
        if (token.kind == TOKEN_END) {
            return false;
        }
        depth -= token.kind == TOKEN_NODE_END;
    }
    return false;
}

bool fdt_property(const struct fdt *fdt, const struct fdt_node *node, const char *name,
                  struct fdt_property *out_property) {
    struct token token;
    for (uint32_t at = node->properties;
         token_read(fdt, at, &token) && token.kind == TOKEN_PROPERTY; at = token.next) {
        if (strcmp(token.name, name) == 0) {
            *out_property = token.property;
            return true;
        }
    }
    return false;
}

// Whether a node's name is the first `length` characters of `wanted`, its unit address aside if
// these have none.
static bool name_is(const char *name, const char *wanted, size_t length) {
    return strncmp(name, wanted, length) == 0 &&
           (name[length] == '\0' || (name[length] == '@' && memchr(wanted, '@', length) == NULL));
}

// The child of *node with that name.
static bool child_find(const struct fdt *fdt, const char *name, size_t length,
                       struct fdt_node *node) {
    const uint32_t depth = node->depth + 1;
    while (fdt_next(fdt, node) && node->depth >= depth) {
        if (node->depth == depth && name_is(node->name, name, length)) {
            return true;
        }
    }
    return false;
}

bool fdt_find(const struct fdt *fdt, const char *path, struct fdt_node *out_node) {
    struct fdt_node node;
    fdt_root(fdt, &node);
    while (*path != '\0') {
        path += *path == '/';
        size_t length = 0;
        while (path[length] != '\0' && path[length] != '/') {
            length++;
        }
        if (length != 0 && !child_find(fdt, path, length, &node)) {
            return false;
        }
        path += length;
    }
    *out_node = node;
    return true;
}

bool fdt_has_text(const struct fdt_property *property, const char *text) {
    const size_t length = strlen(text) + 1;
    uint32_t at = 0;
    while (at < property->size_bytes) {
        const char *here = text_at(property->data, property->size_bytes, at);
        if (here == NULL) {
            return false;
        }
        const size_t bytes = strlen(here) + 1;
        if (bytes == length && memcmp(here, text, length) == 0) {
            return true;
        }
        at += (uint32_t)bytes;
    }
    return false;
}

bool fdt_is_usable(const struct fdt *fdt, const struct fdt_node *node) {
    const char *status = fdt_text(fdt, node, "status");
    return status == NULL || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

bool fdt_next_compatible(const struct fdt *fdt, const char *name, struct fdt_node *node) {
    struct fdt_property property;
    while (fdt_next(fdt, node)) {
        if (fdt_property(fdt, node, "compatible", &property) && fdt_has_text(&property, name) &&
            fdt_is_usable(fdt, node)) {
            return true;
        }
    }
    return false;
}

bool fdt_u32(const struct fdt_property *property, uint32_t index, uint32_t *out_value) {
    if (property->size_bytes / 4 <= index) {
        return false;
    }
    *out_value = be32(property->data + (size_t)4 * index);
    return true;
}

bool fdt_number(const struct fdt_property *property, uint64_t *out_value) {
    if (property->size_bytes != 4 && property->size_bytes != 8) {
        return false;
    }
    *out_value = property->size_bytes == 4 ? be32(property->data) : be64(property->data);
    return true;
}

bool fdt_map_id(const struct fdt_property *map, uint32_t controller, uint32_t id,
                uint32_t *out_id) {
    uint32_t cells[4];
    for (uint32_t at = 0; fdt_u32(map, at + 3, &cells[3]); at += 4) {
        for (uint32_t i = 0; i < 3; i++) {
            (void)fdt_u32(map, at + i, &cells[i]); // the last one is there
        }
        if (cells[1] == controller && id >= cells[0] && id - cells[0] < cells[3]) {
            *out_id = cells[2] + (id - cells[0]);
            return *out_id >= cells[2];
        }
    }
    return false;
}

bool fdt_map_find(const struct fdt *fdt, const struct fdt_node *node, const char *name,
                  uint32_t controller, uint32_t id, uint32_t *out_id) {
    char mask_name[NAME_CAPACITY];
    struct fdt_property map;
    struct fdt_property mask;
    uint32_t kept = UINT32_MAX;
    (void)format_string(mask_name, sizeof(mask_name), "%s-mask", name);
    if (!fdt_property(fdt, node, name, &map) ||
        (fdt_property(fdt, node, mask_name, &mask) && !fdt_u32(&mask, 0, &kept))) {
        return false;
    }
    return fdt_map_id(&map, controller, id & kept, out_id);
}

const char *fdt_text(const struct fdt *fdt, const struct fdt_node *node, const char *name) {
    struct fdt_property property;
    return fdt_property(fdt, node, name, &property) ? text_at(property.data, property.size_bytes, 0)
                                                    : NULL;
}

static uint64_t cells_read(const uint8_t *from, uint32_t cells) {
    return cells == 0 ? 0 : cells == 1 ? be32(from) : be64(from);
}

bool fdt_reg(const struct fdt *fdt, const struct fdt_node *node, uint32_t index, uint64_t *out_base,
             uint64_t *out_size_bytes) {
    const uint32_t address = node->address_cells;
    const uint32_t size = node->size_cells;
    struct fdt_property property;
    if (address < 1 || address > 2 || size > 2 || !fdt_property(fdt, node, "reg", &property) ||
        property.size_bytes / ((address + size) * 4) <= index) {
        return false;
    }
    const uint8_t *entry = property.data + (size_t)index * (address + size) * 4;
    const uint64_t base = cells_read(entry, address);
    const uint64_t bytes = cells_read(entry + (size_t)address * 4, size);
    if (bytes > UINT64_MAX - base) {
        return false;
    }
    *out_base = base;
    *out_size_bytes = bytes;
    return true;
}
