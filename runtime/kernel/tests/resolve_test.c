// SPDX-License-Identifier: MIT OR Apache-2.0
// The order of modules, and why they are left out: of resolve.c, with manifests by hand, and with a
// hundred thousand sets of them by chance, none of which may end in anything but an order that
// holds.
#include "../resolve.c"

#include <check.h>

#define MOST 8u

static struct hx_port_provided provides[MOST][2];
static struct hx_port_required needs[MOST][2];
static struct hx_module modules[MOST];
static const struct hx_module *list[MOST];
static struct resolve resolve;
static struct package_refusal refusal;
static const char *running; // a port

enum hx_status package_refuse(struct package_refusal *to, enum hx_status status, const char *format,
                              ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)format_string_list(to->text, sizeof(to->text), format, arguments);
    va_end(arguments);
    return status;
}

static bool is_met(const struct hx_port_required *wanted) {
    return running != NULL && strcmp(running, wanted->port) == 0;
}

static void begin(uint32_t count) {
    static const char *const names[MOST] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    running = NULL;
    for (uint32_t i = 0; i < MOST; i++) {
        modules[i] =
            (struct hx_module){ .name = names[i], .provides = provides[i], .needs = needs[i] };
        list[i] = &modules[i];
    }
    resolve = (struct resolve){ .modules = list, .count = count, .is_met = is_met };
}

static void gives(uint32_t number, const char *port, uint16_t major, uint16_t minor) {
    struct hx_module *module = &modules[number];
    provides[number][module->provides_count++] =
        (struct hx_port_provided){ port, { major, minor, 0 }, major };
}

// From MAJOR.MINOR on, below the next major version.
static void takes(uint32_t number, const char *port, uint16_t major, uint16_t minor) {
    struct hx_module *module = &modules[number];
    needs[number][module->needs_count++] = (struct hx_port_required){
        port, { major, minor, 0 }, { (uint16_t)(major + 1), 0, 0 }, major
    };
}

static bool order_is(const char *names) {
    char found[MOST + 1] = "";
    resolve_order(&resolve);
    for (uint32_t i = 0; i < resolve.ordered; i++) {
        found[i] = resolve.modules[resolve.order[i]]->name[0];
    }
    return strcmp(found, names) == 0;
}

static bool says(uint32_t number, enum hx_status status, const char *text) {
    const enum hx_status found = resolve_why(&resolve, number, &refusal);
    const bool same = found == status && strcmp(refusal.text, text) == 0;
    if (!same) {
        printf("%d, not %d: %s\n", (int)found, (int)status, refusal.text);
    }
    return same;
}

static void test_order(void) {
    begin(4);
    CHECK(order_is("abcd")); // as it was given
    takes(0, "x", 1, 0);
    takes(1, "y", 1, 2);
    gives(1, "x", 1, 5);
    gives(3, "y", 1, 2);
    CHECK(order_is("cdba"));
    running = "y";
    CHECK(order_is("bacd"));
}

static void test_versions(void) {
    begin(2);
    takes(0, "x", 2, 3);
    gives(1, "x", 2, 2);
    CHECK(order_is("b") &&
          says(0, HX_ERR_NOT_SUPPORTED, "expected x from 2.3 on, below 3.0, found b with 2.2"));
    provides[1][0].version.minor = 3;
    CHECK(order_is("ba"));
    provides[1][0].version.major = 3;
    CHECK(order_is("b") &&
          says(0, HX_ERR_NOT_SUPPORTED, "expected x from 2.3 on, below 3.0, found b with 3.3"));
    // The first one that is too late, with the same description.
    provides[1][0].version = (struct hx_version){ 3, 0, 0 };
    CHECK(order_is("b"));
    provides[1][0].version = (struct hx_version){ 2, 3, 0 };
    provides[1][0].abi = 9;
    CHECK(order_is("b") && says(0, HX_ERR_BAD_IMAGE,
                                "expected x with ABI 0000000000000002, found b with ABI "
                                "0000000000000009"));
    gives(1, "x", 2, 3); // two versions: the one that is wanted is told
    provides[1][0].version.minor = 4;
    provides[1][1].abi = 7;
    CHECK(order_is("b") && says(0, HX_ERR_BAD_IMAGE,
                                "expected x with ABI 0000000000000002, found b with ABI "
                                "0000000000000007"));
    provides[1][0].port = provides[1][1].port = "z";
    CHECK(order_is("b") && says(0, HX_ERR_NOT_FOUND, "expected a provider of x 2.3, found none"));
}

static void test_cycle(void) {
    begin(4);
    takes(0, "x", 1, 0); // a is behind the cycle, not in it
    gives(1, "x", 1, 0);
    takes(1, "y", 1, 0);
    gives(2, "y", 1, 0);
    takes(2, "x", 1, 0);
    CHECK(order_is("d"));
    CHECK(says(0, HX_ERR_WOULD_BLOCK, "expected x from b, found that it is left out"));
    CHECK(says(1, HX_ERR_INVALID,
               "expected modules that do not need each other, found that b needs c needs b"));
    CHECK(says(2, HX_ERR_INVALID,
               "expected modules that do not need each other, found that c needs b needs c"));
    begin(1);
    takes(0, "x", 1, 0);
    gives(0, "x", 1, 0);
    CHECK(order_is("") &&
          says(0, HX_ERR_INVALID,
               "expected modules that do not need each other, found that a needs a"));
}

static void test_twice(void) {
    begin(2);
    modules[1].name = "a";
    CHECK(order_is("a") && says(1, HX_ERR_EXISTS, "expected one module of that name, found two"));
}

static uint32_t random_next(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

// Whatever they need: who is in the order has all that he needs before him, and who is not is told
// why.
static void test_any(uint32_t seed) {
    static const char *const ports[] = { "x", "y", "z", "v" };
    uint32_t state = seed;
    begin(1 + random_next(&state) % MOST);
    for (uint32_t i = 0; i < 2 * MOST; i++) {
        const uint32_t it = random_next(&state) % MOST;
        const char *port = ports[random_next(&state) % 4];
        if (random_next(&state) % 2 == 0 && modules[it].needs_count < 2) {
            takes(it, port, 1, (uint16_t)(random_next(&state) % 3));
        } else if (modules[it].provides_count < 2) {
            gives(it, port, 1, (uint16_t)(random_next(&state) % 3));
        }
    }
    resolve_order(&resolve);
    const uint32_t ordered = resolve.ordered;
    for (uint32_t i = 0; i < resolve.count; i++) {
        CHECK(is_ordered(&resolve, i) || resolve_why(&resolve, i, &refusal) != HX_OK);
    }
    for (resolve.ordered = 0; resolve.ordered < ordered; resolve.ordered++) {
        CHECK(missing_of(&resolve, resolve.order[resolve.ordered]) == NULL);
    }
}

int main(void) {
    test_order();
    test_versions();
    test_cycle();
    test_twice();
    for (uint32_t seed = 0; seed < 100000; seed++) {
        test_any(seed);
    }
    return check_result();
}
