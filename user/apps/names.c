// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/names.c: a name service. Who knows it registers a service by name, or is connected to
// one: the name service makes a channel and hands one end to each of the two. From then on they
// talk without it. A service that dies is seen by its clients, and its name is free.
//
// Everybody has a channel to the name service; the parent makes these channels and hands them out,
// so that nobody is found who was not meant to be.
#include "app.h"

#define CLIENTS_MAX 8u
#define NAME_BYTES  32u

enum kind { REGISTER = 1, LOOK_UP, DONE, UNKNOWN, TAKEN, CONNECTED };

struct client {
    struct hx_end end;
    char name[NAME_BYTES]; // what it registered; empty: nothing
};

// ---- the name service

static struct client clients[CLIENTS_MAX];
static uint32_t client_count;

static struct client *find(const char *name) {
    for (uint32_t i = 0; i < client_count; i++) {
        if (name[0] != '\0' && strcmp(clients[i].name, name) == 0) {
            return &clients[i];
        }
    }
    return NULL;
}

static void connect_to(struct client *service, struct client *client) {
    handle_t ends[2] = { 0 };
    NEED(hx_channel_create(16, ends));
    app_send_handle(&service->end, CONNECTED, ends[0]);
    app_send_handle(&client->end, CONNECTED, ends[1]);
}

static void answer(struct client *client, const struct hx_slot *request) {
    char name[NAME_BYTES] = "";
    memcpy(name, request->data, request->length < NAME_BYTES ? request->length : NAME_BYTES - 1);
    struct client *service = find(name);
    if (request->kind == LOOK_UP && service != NULL) {
        connect_to(service, client);
    } else if (request->kind == REGISTER && service == NULL) {
        memcpy(client->name, name, sizeof(name));
        app_send(&client->end, DONE, "", 0);
    } else {
        app_send(&client->end, request->kind == REGISTER ? TAKEN : UNKNOWN, "", 0);
    }
}

// What a client asked for by now. False: it has gone.
static bool serve(struct client *client) {
    struct hx_slot request;
    uint32_t n = 0;
    enum hx_status status;
    while ((status = hx_end_receive(&client->end, &request, 1, 0, &n)) == HX_OK) {
        answer(client, &request);
    }
    return status == HX_ERR_TIMED_OUT;
}

static void forget(struct client *client) {
    hx_end_close(&client->end);
    *client = clients[--client_count];
}

// A sleep of each consumer, then one wait for all of them.
static void sleep_for_all(struct hx_end *parent) {
    struct hx_wait_item items[CLIENTS_MAX + 1];
    uint32_t ready = 0;
    for (uint32_t i = 0; i <= client_count; i++) {
        struct hx_end *end = i < client_count ? &clients[i].end : parent;
        items[i] = (struct hx_wait_item){ .handle = end->handle,
                                          .mask = HX_STATE_READABLE | HX_STATE_CLOSED };
    }
    NEED(hx_wait(items, client_count + 1, TIME_NEVER, &ready));
}

// Whether nobody has anything to say, and all will wake us when they have.
static bool all_quiet(struct hx_end *parent) {
    bool quiet = true;
    for (uint32_t i = 0; i <= client_count; i++) {
        struct hx_end *end = i < client_count ? &clients[i].end : parent;
        hx_consumer_sleep(&end->in);
        NEED(hx_channel_arm(end->handle, HX_STATE_READABLE));
        quiet &= hx_consumer_must_wait(&end->in);
    }
    return quiet;
}

static void all_awake(struct hx_end *parent) {
    for (uint32_t i = 0; i <= client_count; i++) {
        hx_consumer_awake(i < client_count ? &clients[i].end.in : &parent->in);
    }
}

static int name_service(void) {
    struct hx_end parent;
    struct hx_slot message;
    uint32_t n = 0;
    enum hx_status status;
    app_parent(&parent);
    do {
        if (all_quiet(&parent)) {
            sleep_for_all(&parent);
        }
        all_awake(&parent);
        for (uint32_t i = client_count; i-- > 0;) {
            if (!serve(&clients[i])) {
                forget(&clients[i]);
            }
        }
        status = hx_end_receive(&parent, &message, 1, 0, &n);
        if (status == HX_OK && client_count < CLIENTS_MAX) {
            handle_t end = 0;
            NEED(hx_end_take_handle(&parent, &message, &end));
            clients[client_count] = (struct client){ .name = "" };
            NEED(hx_end_open(&clients[client_count++].end, end));
        }
    } while (status == HX_OK || status == HX_ERR_TIMED_OUT);
    return 0; // the parent has closed
}

// ---- a service: gives back what it is sent, in capital letters

static int upper(void) {
    struct hx_end parent, names, client;
    struct hx_slot message;
    uint32_t n = 0;
    app_parent(&parent);
    NEED(hx_end_open(&names, app_receive_handle(&parent)));
    app_send(&names, REGISTER, "upper", 5);
    ALWAYS(app_receive(&names).kind == DONE);
    app_send(&parent, DONE, "", 0);
    NEED(hx_end_open(&client, app_receive_handle(&names))); // one client is enough here
    while (hx_end_receive(&client, &message, 1, TIME_NEVER, &n) == HX_OK) {
        for (uint32_t i = 0; i < message.length; i++) {
            const uint8_t c = message.data[i];
            message.data[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
        }
        NEED(hx_end_send_all(&client, &message, 1, TIME_NEVER));
    }
    return 0;
}

// ---- the parent, which is a client itself

// A channel to the name service: one end goes there, the other one is the result.
static handle_t introduced(struct hx_end *service) {
    handle_t ends[2] = { 0 };
    NEED(hx_channel_create(16, ends));
    app_send_handle(service, 1, ends[1]);
    return ends[0];
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return strcmp(argv[1], "names") == 0 ? name_service() : upper();
    }
    struct hx_end service, worker, names, client;
    struct hx_slot message;
    uint32_t n = 0;
    const handle_t name_process = app_start("names", &service);
    const handle_t process = app_start("upper", &worker);
    NEED(hx_end_open(&names, introduced(&service)));
    app_send(&names, LOOK_UP, "upper", 5);
    ALWAYS(app_receive(&names).kind == UNKNOWN); // not yet
    app_send_handle(&worker, 1, introduced(&service));
    ALWAYS(app_receive(&worker).kind == DONE);
    app_send(&names, REGISTER, "upper", 5);
    ALWAYS(app_receive(&names).kind == TAKEN);
    app_send(&names, LOOK_UP, "upper", 5);
    NEED(hx_end_open(&client, app_receive_handle(&names)));
    app_send(&client, 1, "found by name", 13);
    message = app_receive(&client);
    ALWAYS(message.length == 13 && memcmp(message.data, "FOUND BY NAME", 13) == 0);
    NEED(hx_process_kill(process)); // its clients see it, and its name is free
    ALWAYS(hx_end_receive(&client, &message, 1, TIME_NEVER, &n) == HX_ERR_PEER_DIED);
    ALWAYS(app_end(process) == 9);
    do { // the name service sees it by itself, some time
        app_send(&names, REGISTER, "upper", 5);
        message = app_receive(&names);
    } while (message.kind == TAKEN);
    ALWAYS(message.kind == DONE);
    hx_end_close(&service);
    ALWAYS(app_end(name_process) == 0);
    printf("found by name, and gone\n");
    return 0;
}
