// SPDX-License-Identifier: MIT OR Apache-2.0
// user/hxmod/watch.c: what happens to modules, for people and for the event bus.
//
// The kernel keeps the last events, and waits for nobody; a reader that is late knows by the
// numbers how many it lost. On the bus each subscriber has a queue of his own, so that one who is
// slow loses his events alone, and is told how many.
#include "hxmod.h"

#include <helix/ports/bus_wire.h>
#include <libhelix/calls.h>
#include <libhelix/client.h>
#include <libhelix/process.h>

#include <stdio.h>
#include <string.h>

#define TOPICS_MAX 64

static const char *const kinds[] = {
    [HX_LIFE_STARTED] = "started",     [HX_LIFE_DIED] = "died",
    [HX_LIFE_RESTARTED] = "restarted", [HX_LIFE_SWAPPED] = "swapped",
    [HX_LIFE_MOVED] = "moved",         [HX_LIFE_ROLLED_BACK] = "rolled-back",
    [HX_LIFE_GIVEN_UP] = "given-up",   [HX_LIFE_UNLOADED] = "unloaded",
    [HX_LIFE_REFUSED] = "refused",
};

static const char *kind_name(uint32_t kind) {
    return kind < sizeof(kinds) / sizeof(kinds[0]) && kinds[kind] != NULL ? kinds[kind] : "?";
}

static enum hx_status life_next(handle_t modules, uint64_t number, struct hx_module_life *out) {
    enum hx_status status;
    do {
        status = hx_module_life(modules, number, TIME_NEVER, out);
    } while (status == HX_ERR_INTERRUPTED);
    return status;
}

int watch(handle_t modules) {
    struct hx_module_life life;
    enum hx_status status;
    for (uint64_t number = 1; (status = life_next(modules, number, &life)) == HX_OK;
         number = life.number + 1) {
        if (life.number != number) {
            printf("lost %llu\n", (unsigned long long)(life.number - number));
        }
        printf("%llu.%06llu %s %s: %s\n", (unsigned long long)life.at / 1000000000,
               (unsigned long long)life.at / 1000 % 1000000, life.name, kind_name(life.kind),
               life.text);
        if (fflush(stdout) != 0) {
            return EXIT_REFUSED; // nobody reads it any more
        }
    }
    return refused("watch", status, "");
}

// ---- the bus

static struct topic {
    char name[HX_MODULE_NAME_BYTES];
    void *topic;
} topics[TOPICS_MAX];

// The topic of a module, declared when it is first used. NULL: it cannot be.
static void *topic_of(void *bus, const char *name, enum hx_status *out_status) {
    char topic[sizeof("modules/") + HX_MODULE_NAME_BYTES];
    uint32_t i = 0;
    while (i < TOPICS_MAX && topics[i].topic != NULL && strcmp(topics[i].name, name) != 0) {
        i++;
    }
    if (i == TOPICS_MAX) { // the names of one who comes last are those of one who came long ago
        HX_IGNORE(bus_wire_client.withdraw(topics[0].topic));
        memmove(topics, topics + 1, (TOPICS_MAX - 1) * sizeof(topics[0]));
        topics[--i].topic = NULL;
    }
    if (topics[i].topic == NULL) {
        (void)snprintf(topic, sizeof(topic), "modules/%s", name);
        (void)snprintf(topics[i].name, sizeof(topics[i].name), "%s", name);
        *out_status = bus_wire_client.declare(bus, topic, &topics[i].topic);
    }
    return topics[i].topic;
}

int publish(handle_t modules) {
    struct hx_module_life life;
    struct hx_client *client;
    handle_t end;
    uint32_t receivers;
    enum hx_status status = hx_handle_given(&end);
    if (status == HX_OK) {
        status = hx_client_open(end, &bus_wire, TIME_NEVER, &client);
    }
    for (uint64_t number = 1; status == HX_OK; number = life.number + 1) {
        status = life_next(modules, number, &life);
        void *topic = status == HX_OK
                          ? topic_of(hx_client_self(client), (const char *)life.name, &status)
                          : NULL;
        if (topic != NULL) {
            status = bus_wire_client.publish(topic, &life, sizeof(life), &receivers);
            // Who relies on the bus and is slow loses this one, as everybody does: nobody waits.
            status = status == HX_ERR_WOULD_BLOCK ? HX_OK : status;
        }
    }
    return refused("publish", status, "");
}
