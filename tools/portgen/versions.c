// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/versions.c: the minor versions of a port. What stands behind "since 1.1" came with
// 1.1; so the operations table of 1.0 is the first part of that of 1.1, and a method that is new is
// one that a provider may lack.
#include "portgen.h"

#include <string.h>

static void check_numbers(struct compiler *compiler, struct port *port) {
    uint32_t minor = port->minor + 1 - port->version_count;
    if (port->version_count > port->minor + 1) {
        fail(compiler, &port->versions->next->place,
             "there are more versions than %u.%u has before it; count them up to it", port->major,
             port->minor);
        return;
    }
    port->versions->major = port->major;
    port->versions->minor = minor;
    for (const struct version *each = port->versions; each != NULL; each = each->next, minor++) {
        if (each->major != port->major || each->minor != minor) {
            fail(compiler, &each->place,
                 "%u.%u is not the next version; the one here is %u.%u, and the last one the "
                 "port's own",
                 each->major, each->minor, port->major, minor);
        }
    }
}

// Whether a version adds a method or an event.
static bool has_new(const struct method *method, uint32_t version) {
    while (method != NULL && method->since != version) {
        method = method->next;
    }
    return method != NULL;
}

static void check_methods(struct compiler *compiler, const struct port *port) {
    for (const struct method *method = port->methods; method != NULL; method = method->next) {
        const bool is_told = method->optional != NULL && method->optional_method == NULL &&
                             strcmp(method->optional, "OK") != 0;
        if (method->since > 0 && !is_told) {
            const struct version *version = version_since(port, method->since);
            fail(compiler, &method->place,
                 "'%s' is new in %u.%u, and who provides %u.%u lacks it; write 'optional STATUS', "
                 "which its callers are told then",
                 method->name, version->major, version->minor, version->major, version->minor - 1);
        }
    }
}

// attach() is the first function of a table, so a table without one is no part of one that has it.
static void check_first_event(struct compiler *compiler, const struct port *port) {
    if (port->events != NULL && port->events->since > 0) {
        fail(compiler, &port->events->place,
             "'%s' is the first event, and tables of older versions have no attach(); write a port "
             "of another major version",
             port->events->name);
    }
}

void versions_check(struct compiler *compiler, struct port *port) {
    const struct version *before = NULL;
    uint32_t number = 0;
    check_numbers(compiler, port);
    if (compiler->failed) {
        return;
    }
    check_methods(compiler, port);
    check_first_event(compiler, port);
    for (struct version *each = port->versions; each != NULL; before = each, each = each->next) {
        each->abi = port_abi(port, number);
        if (before != NULL && each->after != before->abi) {
            fail(compiler, &each->place,
                 "what stands above is %u.%u with ABI 0x%016llx; if that version is in use, undo "
                 "what was changed in it, else write 'after 0x%016llx'",
                 before->major, before->minor, (unsigned long long)before->abi,
                 (unsigned long long)before->abi);
        }
        if (number > 0 && !has_new(port->methods, number) && !has_new(port->events, number)) {
            fail(compiler, &each->place,
                 "%u.%u has no method and no event that is new; add one, or remove the version",
                 each->major, each->minor);
        }
        port->abi = each->abi;
        number++;
    }
}
