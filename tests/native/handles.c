// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/handles.c: handles, what they allow, derivation, revocation, events and waiting.
// RUN: musl glibc
#include "native.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define USER(n) (1u << (8 + (n)))
#define ALL     (HX_RIGHT_SIGNAL | HX_RIGHT_WAIT | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

// What a wait that does not block says about one handle: its state, or a negative status.
static int64_t look(handle_t handle, uint32_t mask) {
    struct hx_wait_item item = { .handle = handle, .mask = mask };
    const int64_t result = NATIVE(wait, &item, 1, 0);
    return result == 1 ? (int64_t)item.out_state : result;
}

static void events(void) {
    handle_t event = event_new();
    SAME(look(event, USER(0)), HX_ERR_TIMED_OUT);
    SAME(NATIVE(event_update, event, 0, USER(0) | USER(3)), HX_OK);
    SAME(look(event, USER(0) | USER(1)), USER(0));
    SAME(NATIVE(event_update, event, USER(0), USER(1)), HX_OK);
    SAME(look(event, USER(0)), HX_ERR_TIMED_OUT);
    SAME(look(event, HX_STATE_USER), USER(1) | USER(3));
    const int64_t set = NATIVE(event_create, USER(7));
    SAME(look((handle_t)set, USER(7)), USER(7));
    SAME(NATIVE(event_create, 1), HX_ERR_INVALID);
    SAME(NATIVE(event_update, event, 1, 0), HX_ERR_INVALID);
}

static void closed_handles_name_nothing(void) {
    handle_t event = event_new();
    SAME(NATIVE(handle_close, event), HX_OK);
    SAME(NATIVE(handle_close, event), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(event_update, event, 0, 0), HX_ERR_BAD_HANDLE);
    SAME(look(event, USER(0)), HX_ERR_BAD_HANDLE);
    // Whatever takes its place has another number.
    for (int i = 0; i < 5000; i++) {
        handle_t other = event_new();
        CHECK(other != event);
        NATIVE(handle_close, other);
    }
    SAME(NATIVE(event_update, event, 0, 0), HX_ERR_BAD_HANDLE);
}

static void odd_handles(void) {
    const handle_t odd[] = { 0, 1, 0xffff, 0x20000, 0x7fffffff, 0xffffffff, 31, 32, 33 };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        SAME(NATIVE(handle_close, odd[i]), HX_ERR_BAD_HANDLE);
        SAME(NATIVE(handle_derive, odd[i], ALL), HX_ERR_BAD_HANDLE);
        SAME(NATIVE(handle_revoke, odd[i]), HX_ERR_BAD_HANDLE);
    }
    event_new(); // there is a table now
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        SAME(look(odd[i], USER(0)), HX_ERR_BAD_HANDLE);
    }
}

static void rights_only_shrink(void) {
    struct hx_handle_info info;
    handle_t event = event_new();
    SAME(NATIVE(handle_info, event, &info), HX_OK);
    SAME(info.object, HX_OBJECT_EVENT);
    SAME(info.rights, ALL);
    handle_t listen = derive(event, HX_RIGHT_WAIT | HX_RIGHT_READ);
    SAME(NATIVE(handle_info, listen, &info), HX_OK);
    SAME(info.rights, HX_RIGHT_WAIT);
    handle_t wider = derive(listen, ALL);
    SAME(NATIVE(handle_info, wider, &info), HX_OK);
    SAME(info.rights, HX_RIGHT_WAIT);
    SAME(NATIVE(event_update, listen, 0, USER(0)), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(handle_revoke, listen), HX_ERR_ACCESS_DENIED);
    SAME(look(listen, USER(0)), HX_ERR_TIMED_OUT);
    handle_t speak = derive(event, HX_RIGHT_SIGNAL);
    SAME(NATIVE(event_update, speak, 0, USER(0)), HX_OK);
    SAME(look(speak, USER(0)), HX_ERR_ACCESS_DENIED);
    SAME(look(listen, USER(0)), USER(0));
}

static void revocation(void) {
    struct hx_handle_info info;
    handle_t event = event_new();
    SAME(NATIVE(handle_revoke, event), HX_ERR_NOT_PERMITTED);
    handle_t a = derive(event, ALL);
    handle_t b = derive(a, ALL);
    handle_t beside = derive(event, ALL);
    SAME(NATIVE(handle_revoke, a), HX_OK);
    SAME(NATIVE(event_update, a, 0, USER(0)), HX_ERR_REVOKED);
    SAME(NATIVE(event_update, b, 0, USER(0)), HX_ERR_REVOKED);
    SAME(NATIVE(handle_derive, b, ALL), HX_ERR_REVOKED);
    SAME(NATIVE(handle_revoke, b), HX_ERR_REVOKED);
    SAME(look(b, USER(0)), HX_STATE_REVOKED);
    SAME(NATIVE(handle_info, b, &info), HX_OK);
    SAME(info.live, 0);
    SAME(info.rights, 0);
    SAME(NATIVE(event_update, beside, 0, USER(0)), HX_OK);
    SAME(NATIVE(event_update, event, 0, USER(0)), HX_OK);
    SAME(NATIVE(handle_close, a), HX_OK);
    SAME(NATIVE(handle_close, b), HX_OK);
}

struct waiter {
    pthread_t thread;
    handle_t handle;
    int64_t result;
    uint32_t state;
};

static void *wait_forever(void *argument) {
    struct waiter *waiter = argument;
    struct hx_wait_item item = { .handle = waiter->handle, .mask = USER(0) };
    waiter->result = NATIVE(wait, &item, 1, TIME_NEVER);
    waiter->state = item.out_state;
    return NULL;
}

static void start(struct waiter *waiter, handle_t handle) {
    waiter->handle = handle;
    NEED(pthread_create(&waiter->thread, NULL, wait_forever, waiter) == 0);
}

// Whoever waits when the handle dies is told; who waits for the same object otherwise is not.
static void revoked_while_waiting(void) {
    handle_t event = event_new();
    for (int round = 0; round < 50; round++) {
        handle_t derived = derive(event, ALL);
        struct waiter under, beside;
        start(&under, derived);
        start(&beside, event);
        if (round % 2) {
            usleep(500); // they may wait already, or not
        }
        SAME(NATIVE(handle_revoke, derived), HX_OK);
        pthread_join(under.thread, NULL);
        SAME(under.result, 1);
        SAME(under.state, HX_STATE_REVOKED);
        SAME(NATIVE(event_update, event, 0, USER(0)), HX_OK);
        pthread_join(beside.thread, NULL);
        SAME(beside.result, 1);
        SAME(beside.state, USER(0));
        SAME(NATIVE(event_update, event, USER(0), 0), HX_OK);
        NATIVE(handle_close, derived);
    }
}

static void waits_for_many(void) {
    struct hx_wait_item items[HX_WAIT_MAX];
    memset(items, 0, sizeof items);
    for (uint32_t i = 0; i < HX_WAIT_MAX; i++) {
        items[i] = (struct hx_wait_item){ .handle = event_new(), .mask = USER(2) };
    }
    SAME(NATIVE(wait, items, HX_WAIT_MAX, native_after_ms(5)), HX_ERR_TIMED_OUT);
    SAME(NATIVE(event_update, items[63].handle, 0, USER(2)), HX_OK);
    SAME(NATIVE(event_update, items[5].handle, 0, USER(2) | USER(3)), HX_OK);
    SAME(NATIVE(wait, items, HX_WAIT_MAX, TIME_NEVER), 2);
    SAME(items[63].out_state, USER(2));
    SAME(items[5].out_state, USER(2));
    SAME(items[0].out_state, 0);
    SAME(NATIVE(wait, items, HX_WAIT_MAX + 1, 0), HX_ERR_INVALID);
    SAME(NATIVE(wait, NULL, 1, 0), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(wait, NULL, 0, 0), HX_ERR_TIMED_OUT);
    items[1].zero = 1;
    SAME(NATIVE(wait, items, 2, 0), HX_ERR_INVALID);
    items[1].zero = 0;
    items[1].mask = HX_STATE_REVOKED;
    SAME(NATIVE(wait, items, 2, 0), HX_ERR_INVALID);
}

static void on_signal(int number) {
    (void)number;
}

static void signals_end_waits(void) {
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGALRM, &action, NULL);
    handle_t event = event_new();
    struct hx_wait_item item = { .handle = event, .mask = USER(0) };
    ualarm(20000, 20000); // the first one may come before the wait
    SAME(NATIVE(wait, &item, 1, TIME_NEVER), HX_ERR_INTERRUPTED);
}

// Threads open, derive, revoke and close what the others use.
static handle_t shared[8];
static _Atomic int odd_results;

static void *churn(void *argument) {
    unsigned random = (unsigned)(uintptr_t)argument * 2654435761u + 1;
    for (int i = 0; i < 3000; i++) {
        random = random * 1664525 + 1013904223;
        handle_t *place = &shared[random >> 20 & 7];
        const handle_t handle = *(volatile handle_t *)place;
        int64_t result = 0;
        switch (random >> 28) {
        case 0:
        case 1:
            result = NATIVE(event_create, 0);
            *(volatile handle_t *)place = result > 0 ? (handle_t)result : 0;
            result = 0;
            break;
        case 2:
            result = NATIVE(handle_close, handle);
            break;
        case 3:
            result = NATIVE(handle_revoke, handle);
            break;
        case 4:
        case 5:
            result = NATIVE(handle_derive, handle, ALL);
            *(volatile handle_t *)place = result > 0 ? (handle_t)result : 0;
            result = 0;
            break;
        case 6:
            result = look(handle, USER(0));
            result = result > 0 ? 0 : result;
            break;
        default:
            result = NATIVE(event_update, handle, USER(1), USER(0));
            break;
        }
        if (result != 0 && result != HX_ERR_BAD_HANDLE && result != HX_ERR_REVOKED &&
            result != HX_ERR_NOT_PERMITTED && result != HX_ERR_TIMED_OUT) {
            odd_results++;
            check_fail(__FILE_NAME__, __LINE__, "operation %u gives %lld", random >> 28,
                       (long long)result);
        }
    }
    return NULL;
}

static void all_at_once(void) {
    pthread_t threads[6];
    for (uintptr_t i = 0; i < 6; i++) {
        NEED(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
    }
    SAME(odd_results, 0);
}

static void fork_and_exec_pass_none_on(void) {
    handle_t event = event_new();
    pid_t pid;
    CHILD(pid) {
        SAME(NATIVE(event_update, event, 0, USER(0)), HX_ERR_BAD_HANDLE);
        handle_t own = event_new();
        SAME(NATIVE(event_update, own, 0, USER(0)), HX_OK);
    }
    EXITS(pid, 0);
    SAME(look(event, USER(0)), HX_ERR_TIMED_OUT);
}

// ---- what a child is given, over exec

static const char *own_path;

// The program that a child becomes. `expected` is what it finds: "handle" or "nothing".
static int program_given(const char *expected) {
    const int64_t given = NATIVE(handle_given);
    if (strcmp(expected, "handle") != 0) {
        SAME(given, HX_ERR_NOT_FOUND);
        return check_failures != 0;
    }
    struct hx_handle_info info;
    NEED(given > 0);
    SAME(NATIVE(handle_info, given, &info), HX_OK);
    SAME(info.rights, HX_RIGHT_SIGNAL | HX_RIGHT_DELEGATE);
    SAME(NATIVE(event_update, given, 0, USER(1)), HX_OK);
    SAME(NATIVE(handle_given), HX_ERR_NOT_FOUND); // once
    while (NATIVE(event_update, given, 0, USER(2)) == HX_OK) {
        sched_yield();
    }
    SAME(NATIVE(event_update, given, 0, USER(2)), HX_ERR_REVOKED);
    return check_failures != 0;
}

// A child that becomes program_given() by two execs.
static pid_t program_start(const char *expected, bool takes) {
    const pid_t pid = fork();
    if (pid == 0) {
        if (takes) {
            CHECK(NATIVE(handle_given) > 0);
        }
        execl(own_path, own_path, "again", expected, NULL);
        _exit(9);
    }
    return pid;
}

static void given_over_exec(void) {
    const handle_t event = event_new();
    const handle_t top = derive(event, ALL);
    SAME(NATIVE(handle_bequeath, derive(top, HX_RIGHT_SIGNAL | HX_RIGHT_DELEGATE)), HX_OK);
    const pid_t pid = program_start("handle", false);
    struct hx_wait_item item = { .handle = event, .mask = USER(2) };
    SAME(NATIVE(wait, &item, 1, TIME_NEVER), 1);
    SAME(look(event, USER(1)), USER(1));
    SAME(NATIVE(handle_revoke, top), HX_OK);
    EXITS(pid, 0);
    // What it has taken is a handle like others, which exec closes.
    SAME(NATIVE(handle_bequeath, derive(event, ALL)), HX_OK);
    EXITS(program_start("nothing", true), 0);
    EXITS(program_start("nothing", false), 0); // nothing was bequeathed
}

static void no_such_call(void) {
    REFUSED(syscall(4095), ENOSYS);
    REFUSED(syscall(4223), ENOSYS);
    REFUSED(syscall(0x7fffffff), ENOSYS);
}

// ---- large trees, and who pays for them

static void account_read(int64_t *out_used, int64_t *out_limit) {
    char text[512] = { 0 };
    const int file = open("/proc/helix/account", O_RDONLY);
    NEED(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    const char *line = strstr(text, "\nhandles ");
    NEED(line != NULL);
    char *end;
    *out_used = strtoll(line + 9, &end, 10);
    *out_limit = strtoll(end, NULL, 10);
}

static int64_t account_used(void) {
    int64_t used, limit;
    account_read(&used, &limit);
    return used;
}

static void account_limit(int64_t limit) {
    char text[64];
    const int length = snprintf(text, sizeof text, "handles %lld", (long long)limit);
    const int file = open("/proc/helix/account", O_WRONLY);
    NEED(file >= 0 && write(file, text, (size_t)length) == length);
    close(file);
}

// Until what was dropped is freed, and this is used.
static void account_settles(int64_t used) {
    int64_t now = account_used();
    for (int i = 0; i < 5000 && now != used; i++) {
        usleep(1000);
        now = account_used();
    }
    SAME(now, used);
}

// A capability is paid for as long as there is one, not only while a handle names it.
static void capabilities_are_paid_for(void) {
    handle_t event = event_new();
    const int64_t before = 1; // nobody else has handles
    account_settles(before);  // what others had is freed
    handle_t last = derive(event, ALL);
    SAME(account_used(), before + 2);
    for (int i = 1; i < 20; i++) {
        handle_t next = derive(last, ALL);
        SAME(NATIVE(handle_close, last), HX_OK); // the next one keeps it
        last = next;
    }
    SAME(account_used(), before + 21);
    pid_t pid;
    CHILD(pid) {
        handle_t own = event_new();
        derive(own, ALL); // ends with the process
    }
    EXITS(pid, 0);
    account_settles(before + 21);
    SAME(NATIVE(handle_close, last), HX_OK);
    account_settles(before);
}

static void nobody_derives_past_a_limit(void) {
    int64_t before, limit, last;
    handle_t event = event_new();
    account_settles(1);
    account_read(&before, &limit);
    CHECK(limit < INT64_MAX);
    account_limit(before + 100);
    handle_t head = event;
    int derived = 0;
    while ((last = NATIVE(handle_derive, head, ALL)) > 0) {
        if (head != event) {
            SAME(NATIVE(handle_close, head), HX_OK);
        }
        head = ++derived % 60 == 0 ? event : (handle_t)last; // chains of 60, and the last's handle
    }
    account_limit(limit);
    SAME(last, HX_ERR_LIMIT);
    CHECK(derived > 90 && derived <= 100);
    derive(event, ALL);
}

// A tree of `count` capabilities below `top`: pseudo-random, or, with a width, chains side by side.
static void tree_grow(handle_t *nodes, uint32_t count, uint32_t width) {
    uint32_t random = count + width;
    for (uint32_t i = 1; i < count; i++) {
        random = random * 1664525 + 1013904223;
        const uint32_t parent = width == 0 ? (random >> 8) % i : i <= width ? 0 : i - width;
        nodes[i] = derive(nodes[parent], ALL);
    }
}

static uint32_t count_live(const handle_t *nodes, uint32_t count) {
    struct hx_handle_info info;
    uint32_t live = 0;
    for (uint32_t i = 0; i < count; i++) {
        SAME(NATIVE(handle_info, nodes[i], &info), HX_OK);
        live += info.live;
    }
    return live;
}

#define LARGE 50000u

static void large_trees(void) {
    static handle_t nodes[LARGE];
    const uint32_t widths[] = { LARGE, LARGE / 60, 0 };
    for (uint32_t i = 0; i < 3; i++) {
        handle_t event = event_new();
        nodes[0] = derive(event, ALL);
        tree_grow(nodes, LARGE, widths[i]);
        SAME(NATIVE(handle_revoke, nodes[0]), HX_OK);
        SAME(count_live(nodes, LARGE), 0);
        SAME(NATIVE(event_update, event, 0, USER(0)), HX_OK);
        for (uint32_t k = 0; k < LARGE; k++) {
            SAME(NATIVE(handle_close, nodes[k]), HX_OK);
        }
        SAME(NATIVE(handle_close, event), HX_OK);
    }
}

// Three threads derive below the nodes of a tree, drop what they derived, and revoke parts of it,
// while all of it is revoked. What is derived while the tree lives is dead when it is.
#define GROWN 2000u
#define ADDED 3000u

static handle_t grown[GROWN];
static _Atomic int grow_ready, grow_over;

static void *grows(void *argument) {
    static handle_t added[3][ADDED];
    handle_t *mine = added[(uintptr_t)argument];
    uint32_t random = (uint32_t)(uintptr_t)argument * 2654435761u + 7, count = 0;
    int64_t result = 1;
    grow_ready++;
    while (count < ADDED && !grow_over) {
        random = random * 1664525 + 1013904223;
        const handle_t parent =
            random & 1 && count ? mine[(random >> 8) % count] : grown[(random >> 8) % GROWN];
        result = NATIVE(handle_derive, parent, ALL);
        if (result > 0) {
            mine[count++] = (handle_t)result;
        } else if (result != HX_ERR_REVOKED && result != HX_ERR_LIMIT) {
            SAME(result, HX_ERR_REVOKED);
        }
        if (random >> 26 == 0 && count) {
            result = NATIVE(handle_revoke, mine[--count]);
            CHECK(result == HX_OK || result == HX_ERR_REVOKED);
            SAME(NATIVE(handle_close, mine[count]), HX_OK);
        }
    }
    while (!grow_over) {
        usleep(100);
    }
    SAME(count_live(mine, count), 0);
    while (count) {
        SAME(NATIVE(handle_close, mine[--count]), HX_OK);
    }
    return NULL;
}

static void revoked_while_it_grows(void) {
    for (int round = 0; round < 10; round++) {
        pthread_t threads[3];
        handle_t event = event_new();
        grown[0] = derive(event, ALL);
        tree_grow(grown, GROWN, 0);
        grow_over = grow_ready = 0;
        for (uintptr_t i = 0; i < 3; i++) {
            NEED(pthread_create(&threads[i], NULL, grows, (void *)i) == 0);
        }
        while (grow_ready != 3) {
            sched_yield();
        }
        usleep((useconds_t)(round * 300));
        SAME(NATIVE(handle_revoke, grown[0]), HX_OK);
        SAME(count_live(grown, GROWN), 0);
        grow_over = 1;
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
        for (uint32_t i = 0; i < GROWN; i++) {
            SAME(NATIVE(handle_close, grown[i]), HX_OK);
        }
        NATIVE(handle_close, event);
    }
}

// A process cannot have more than its table holds, and what it had is usable afterwards.
static void full_table(void) {
    int64_t last = 0, handle;
    uint32_t count = 0;
    while ((handle = NATIVE(event_create, 0)) > 0) {
        last = handle;
        count++;
    }
    SAME(handle, HX_ERR_TABLE_FULL);
    SAME(count, 65536);
    SAME(NATIVE(event_update, last, 0, USER(0)), HX_OK);
    SAME(NATIVE(handle_close, last), HX_OK);
}

static const struct check_case cases[] = {
    CASE(events),
    CASE(closed_handles_name_nothing),
    CASE(odd_handles),
    CASE(rights_only_shrink),
    CASE(revocation),
    CASE(revoked_while_waiting),
    CASE(waits_for_many),
    CASE(signals_end_waits),
    CASE(all_at_once),
    CASE(fork_and_exec_pass_none_on),
    CASE(given_over_exec),
    CASE(no_such_call),
    CASE(capabilities_are_paid_for),
    CASE(nobody_derives_past_a_limit),
    CASE(large_trees),
    CASE(revoked_while_it_grows),
    CASE(full_table),
};

int main(int argc, char **argv) {
    own_path = argv[0];
    if (argc == 3 && strcmp(argv[1], "again") == 0) {
        execl(own_path, own_path, "given", argv[2], NULL);
    }
    if (argc == 3 && strcmp(argv[1], "given") == 0) {
        return program_given(argv[2]);
    }
    return check_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
