// SPDX-License-Identifier: MIT OR Apache-2.0
// portgen_test.c: every file of tests/bad is refused with the one line that its first line holds,
// and the ABI hash changes with what crosses a boundary and with nothing else.
#include "../portgen.h"

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static char folder[4096]; // of this file

static char *read_whole(struct arena *arena, const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    char *text = arena_alloc(arena, 65536);
    (void)fread(text, 1, 65535, file);
    (void)fclose(file);
    return text;
}

static char *load(struct compiler *compiler, const char *name, const char **out_path) {
    static const char twin[] = "port helix.brother 1.0 { method go(); }";
    struct text path = { 0 };
    if (strcmp(name, "twin") == 0) { // it is not what its name says
        *out_path = "twin.port";
        return arena_copy(&compiler->arena, twin, strlen(twin));
    }
    text_add(&path, "%s/bad/%s.port", folder, name);
    char *text = read_whole(&compiler->arena, path.data);
    *out_path = strrchr(arena_copy(&compiler->arena, path.data, path.length), '/') + 1;
    text_free(&path);
    return text;
}

static void end(struct compiler *compiler) {
    text_free(&compiler->errors);
    arena_free(&compiler->arena);
}

// Errors ------------------------------------------------------------------------------------------

static void check_bad(const char *name) {
    struct compiler compiler = { .load = load };
    const char *path;
    char base[256];
    (void)snprintf(base, sizeof(base), "%.*s", (int)strcspn(name, "."), name);
    const char *text = load(&compiler, base, &path);
    CHECK(port_read(&compiler, name, text, strlen(text)) == NULL);
    CHECK(compiler.failed && compiler.errors.length > 3);
    const char *wanted = text + strlen("// ");
    size_t length = strcspn(wanted, "\n");
    bool is_same = strncmp(text, "// ", 3) == 0 && compiler.errors.length == length + 1 &&
                   memcmp(compiler.errors.data, wanted, length) == 0;
    CHECK(is_same);
    if (!is_same) {
        (void)fprintf(stderr, "wanted %.*s\nfound  %s", (int)length, wanted, compiler.errors.data);
    }
    end(&compiler);
}

static void test_errors(void) {
    struct text path = { 0 };
    text_add(&path, "%s/bad", folder);
    DIR *bad = opendir(path.data);
    uint32_t count = 0;
    CHECK(bad != NULL);
    for (struct dirent *entry = readdir(bad); entry != NULL; entry = readdir(bad)) {
        if (strstr(entry->d_name, ".port") != NULL) {
            check_bad(entry->d_name);
            count++;
        }
    }
    CHECK(count > 60);
    (void)closedir(bad);
    text_free(&path);
}

// The ABI -----------------------------------------------------------------------------------------

static uint64_t abi_of(const char *text) {
    struct compiler compiler = { .load = load };
    struct port *port = port_read(&compiler, "abi.port", text, strlen(text));
    uint64_t abi = port != NULL ? port->abi : 0;
    CHECK(port != NULL && abi != 0);
    end(&compiler);
    return abi;
}

#define PORT(version, fields, method)                                                              \
    "port helix.abi " version " { struct s { " fields " } method go(a: s, " method "; }"
#define FIELDS "a: u32; b: u32;"

static void test_abi(void) {
    uint64_t abi = abi_of(PORT("1.0", FIELDS, "b: u32) -> (c: bytes<8>)"));
    CHECK(abi == abi_of("// Words.\n" PORT("1.0", FIELDS, "b: u32) -> (c: bytes<8>)")));
    CHECK(abi == abi_of(PORT("1.0", "a : u32; // x\n b:u32;", "b: u32) -> (c: bytes<0x8>)")));
    CHECK(abi == abi_of(PORT("1.0", FIELDS, "b: u32) -> (c: bytes<8>) fails IO rights READ")));
    static const char *const others[] = {
        PORT("1.1", FIELDS, "b: u32) -> (c: bytes<8>)"),
        PORT("1.0", "b: u32; a: u32;", "b: u32) -> (c: bytes<8>)"),
        PORT("1.0", "a: u32; b: i32;", "b: u32) -> (c: bytes<8>)"),
        PORT("1.0", "a: u32; b: u32; c: u64;", "b: u32) -> (c: bytes<8>)"),
        PORT("1.0", "a: u32; b: bool[4];", "b: u32) -> (c: bytes<8>)"),
        PORT("1.0", FIELDS, "b: u64) -> (c: bytes<8>)"),
        PORT("1.0", FIELDS, "d: u32) -> (c: bytes<8>)"),
        PORT("1.0", FIELDS, "b: u32) -> (c: bytes<9>)"),
        PORT("1.0", FIELDS, "b: u32)"),
        PORT("1.0", FIELDS, "b: u32) -> (c: bytes<8>); method more()"),
        PORT("1.0", FIELDS, "b: u32) -> (c: bytes<8>); event more()"),
        PORT("1.0", FIELDS, "b: u32) -> (c: bytes<8>); const A = 1"),
    };
    uint64_t seen[sizeof(others) / sizeof(others[0])];
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        seen[i] = abi_of(others[i]);
        CHECK(seen[i] != abi);
        for (size_t j = 0; j < i; j++) {
            CHECK(seen[j] != seen[i]);
        }
    }
    CHECK(abi_of("port helix.a 1.0 { method go(a: handle<READ>); }") !=
          abi_of("port helix.a 1.0 { method go(a: handle<WRITE>); }"));
    uint64_t calls = abi_of("calls helix.a 1.0 { object o = 1; call 4096 go(a: o<READ>); }");
    CHECK(calls != abi_of("calls helix.a 1.0 { object o = 1; call 4097 go(a: o<READ>); }"));
    CHECK(calls != abi_of("calls helix.a 1.0 { object o = 2; call 4096 go(a: o<READ>); }"));
    CHECK(calls != abi_of("calls helix.a 1.0 { object o = 1; call 4096 go(a: o<WRITE>); }"));
    CHECK(abi_of("calls helix.a 1.0 { call 4096 go(a: u32<1>); }") !=
          abi_of("calls helix.a 1.0 { call 4096 go(a: u32<2>); }"));
    CHECK(abi_of("port helix.a 1.0 { enum e { A = 1; } method go(a: e); }") !=
          abi_of("port helix.a 1.0 { enum e { A = 2; } method go(a: e); }"));
}

// Versions ----------------------------------------------------------------------------------------

#define FIRST  "struct s { a: u32; } const A = 1; method go(a: s); event came(a: u32);"
#define SECOND "const B = 2; struct t { a: u64; } method more(a: t) optional NOT_SUPPORTED;"
#define THIRD  "event gone(b: u32); "

// A port of which the last version is `minor`; `first` is what 1.0 has.
static uint64_t versions_abi(const char *first, unsigned minor, uint64_t after_0,
                             uint64_t after_1) {
    struct text text = { 0 };
    text_add(&text, "port helix.abi 1.%u { %s ", minor, first);
    if (minor > 0) {
        text_add(&text, "since 1.1 after 0x%llx; %s ", (unsigned long long)after_0, SECOND);
    }
    if (minor > 1) {
        text_add(&text, "since 1.2 after 0x%llx; %s ", (unsigned long long)after_1, THIRD);
    }
    text_add(&text, "}");
    struct compiler compiler = { .load = load };
    struct port *port = port_read(&compiler, "abi.port", text.data, text.length);
    const uint64_t abi = port != NULL ? port->abi : 0;
    CHECK(port == NULL || port->version_count == minor + 1);
    text_free(&text);
    end(&compiler);
    return abi;
}

// A version's ABI is the same when others have come after it, and nothing before one can change.
static void test_versions(void) {
    const uint64_t zero = versions_abi(FIRST, 0, 0, 0);
    const uint64_t one = versions_abi(FIRST, 1, zero, 0);
    const uint64_t two = versions_abi(FIRST, 2, zero, one);
    CHECK(zero != 0 && one != 0 && two != 0 && zero != one && one != two && zero != two);
    CHECK(versions_abi(FIRST, 1, zero + 1, 0) == 0 && versions_abi(FIRST, 1, one, 0) == 0);
    CHECK(versions_abi(FIRST, 2, zero, two) == 0 && versions_abi(FIRST, 2, one, zero) == 0);
    static const char *const changed[] = {
        "struct s { a: u64; } const A = 1; method go(a: s); event came(a: u32);",
        "struct s { a: u32; } const A = 2; method go(a: s); event came(a: u32);",
        "struct s { a: u32; } const A = 1; method do(a: s); event came(a: u32);",
        "struct s { a: u32; } const A = 1; method go(a: s); event came(a: u64);",
        "struct s { a: u32; } const A = 1; method go(a: s); method b(); event came(a: u32);",
        "struct s { a: u32; } const A = 1; const C = 1; method go(a: s); event came(a: u32);",
        "struct s { a: u32; } const A = 1; method go(a: s);",
    };
    for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
        CHECK(versions_abi(changed[i], 1, zero, 0) == 0);
    }
}

// What is generated of several versions: who provides the last one provides all, and tables of the
// first ones end where the next one began.
static void test_version_output(void) {
    static const char port_text[] =
        "port helix.p 2.3 { method a(); event e(); since 2.2 after 0x%llx; event f(); "
        "since 2.3 after 0x%llx; method b() optional NOT_SUPPORTED; method c() optional IO; }";
    static const char *const wanted[] = {
        "#define P_PORT_PROVIDED { \"helix.p\", { 2, 3, 0 }, ",
        ", { \"helix.p\", { 2, 2, 0 }, ",
        ", { \"helix.p\", { 2, 1, 0 }, ",
        "#define P_PORT_REQUIRED P_PORT_REQUIRED_2_3\n",
        "#define P_PORT_REQUIRED_2_1 { \"helix.p\", { 2, 1, 0 }, { 3, 0, 0 }, ",
        "#define P_PORT_REQUIRED_2_3 { \"helix.p\", { 2, 3, 0 }, { 3, 0, 0 }, ",
        "    // Since 2.3.\n",
        "    { 3, sizeof(struct p_ops), ",
        "    { 2, offsetof(struct p_ops, b), ",
        "    { 1, offsetof(struct p_ops, b), ",
        "p_versions = { \"helix.p\", 2, 3, minors };"
    };
    const unsigned long long first = abi_of("port helix.p 2.1 { method a(); event e(); }");
    struct text text = { 0 }, out = { 0 };
    struct compiler compiler = { .load = load };
    text_add(&text,
             "port helix.p 2.2 { method a(); event e(); since 2.2 after 0x%llx; event f(); }",
             first);
    const unsigned long long second = abi_of(text.data);
    text.length = 0;
    text_add(&text, port_text, first, second);
    struct port *port = port_read(&compiler, "p.port", text.data, text.length);
    CHECK(port != NULL);
    if (port != NULL) {
        emit_header(port, &out);
        emit_source(port, &out);
        const char *at = out.data;
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && at != NULL; i++) {
            at = strstr(at, wanted[i]); // in this order
            CHECK(at != NULL);
        }
    }
    text_free(&text);
    text_free(&out);
    end(&compiler);
}

// What another port lends is hashed as of the first version that has it, so that more of it changes
// nothing here.
static char *load_base(struct compiler *compiler, const char *name, const char **out_path) {
    *out_path = name;
    return arena_copy(&compiler->arena, compiler->context, strlen(compiler->context));
}

static uint64_t abi_over(const char *base, const char *text) {
    struct compiler compiler = { .load = load_base, .context = (void *)(uintptr_t)base };
    struct port *port = port_read(&compiler, "over.port", text, strlen(text));
    const uint64_t abi = port != NULL ? port->abi : 0;
    end(&compiler);
    return abi;
}

static void test_version_used(void) {
    static const char old[] = "port helix.base 1.0 { id k; method go(a: k); }";
    static const char first[] = "use base; port helix.o 1.0 { method m(a: base.k); }";
    static const char third[] =
        "use base; port helix.o 1.0 { struct s { a: base.n; } method m(a: s); }";
    static const char start[] = "port helix.base 1.%u { id k; method go(a: k); "
                                "since 1.1 after 0x%llx; id n; "
                                "method more(a: n) optional NOT_SUPPORTED; ";
    const unsigned long long before = abi_of(old);
    char base[256], more[256], last[128];
    (void)snprintf(base, sizeof(base), start, 1u, before);
    (void)strcat(base, "}");
    (void)snprintf(more, sizeof(more), start, 2u, before);
    (void)snprintf(last, sizeof(last), "since 1.2 after 0x%llx; method most() optional IO; }",
                   (unsigned long long)abi_of(base));
    (void)strcat(more, last);
    CHECK(abi_over(old, first) != 0 && abi_over(old, first) == abi_over(base, first));
    CHECK(abi_over(base, third) != 0 && abi_over(base, third) == abi_over(more, third));
}

// The example of docs/ports.md is the port that the build compiles, to the byte; and its page names
// what it has.
static void test_example(void) {
    struct compiler compiler = { .load = load };
    struct text path = { 0 };
    struct text page = { 0 };
    text_add(&path, "%s/ports/mailbox.port", folder);
    const char *example = read_whole(&compiler.arena, path.data);
    path.length = 0;
    text_add(&path, "%s/../../../docs/ports.md", folder);
    const char *manual = read_whole(&compiler.arena, path.data);
    CHECK(example != NULL && manual != NULL && strstr(manual, example) != NULL);
    struct port *port = port_read(&compiler, "mailbox.port", example, strlen(example));
    CHECK(port != NULL);
    emit_page(port, &page);
    static const char *const wanted[] = {
        "# example.mailbox 1.0\n",
        "| `MAILBOX_TEXT_MAX` | 200 | ",
        "### instance box\n",
        "| `MAILBOX_URGENT` | 0x1 |  |\n| `MAILBOX_SEEN` | 0x2 | ", // not the numbers of the bits
        "| 12 | `text` | `name<200>` | ",
        "224 bytes.",
        "- needs DELETE\n",
        "`peek(box: box) -> (letters: array<letter, 16>)`",
        "- may be absent, which stands for OK\n",
        "### event arrived\n",
        "- ends its instance\n",
        "pages: pages<16>",
        "owner: string<31>",
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        CHECK(strstr(page.data, wanted[i]) != NULL);
    }
    text_free(&page);
    text_free(&path);
    end(&compiler);
}

// What the kernel gets of a call: each check of the description is there, before the call, and what
// was acquired is given back in reverse order.
static void test_table(void) {
    static const char calls[] =
        "calls helix.c 1.0 { object file = 1; enum e { A = 1; B = 5; } flags f { X = 3; }"
        "struct s { a: u64; }"
        "call 4100 go(file: file<READ>, e: e, f: f, mask: u32<0xf0>, s: s) -> (n: u32);"
        "call 4098 move(sent: handle<DELEGATE>, to: file, data: bytes<100>, i: i32);"
        "call 4200 other() by posix; }";
    static const char *const wanted[] = {
        "if (args[1] != 1 && args[1] != 5) {\n        return HX_ERR_INVALID;",
        "if ((args[2] & ~UINT64_C(8)) != 0) {",
        "if ((args[3] & ~UINT64_C(240)) != 0) {",
        "result = copy_from_user(&s, uaddr_make(args[4]), sizeof(s));",
        "result = native_enter(args[0], OBJECT_FILE, 1, &file);",
        "c_go(file, (enum hx_e)args[1], (uint32_t)args[2], (uint32_t)args[3], &s, &out_n);",
        "if (args[0] > UINT32_MAX) {\n        return HX_ERR_BAD_HANDLE;",
        "if (args[3] > 100) {",
        "result = native_find((handle_t)args[0], 128, &sent);",
        "goto undo_sent;",
        "c_move((handle_t)args[0], sent, to, ",
        "    handle_leave(to);\nundo_sent:\n    capability_put(sent);",
        "[2] = { call_go, \"go\" },\n    [0] = { call_move, \"move\" },",
        ".first = 4098",
    };
    struct compiler compiler = { .load = load };
    struct text table = { 0 };
    struct port *port = port_read(&compiler, "c.calls", calls, strlen(calls));
    CHECK(port != NULL && port->is_calls);
    emit_table_source(port, "c", &table);
    const char *at = table.data;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && at != NULL; i++) {
        at = strstr(at, wanted[i]); // in this order
        CHECK(at != NULL);
    }
    CHECK(strstr(table.data, "other") == NULL);
    text_free(&table);
    end(&compiler);
}

int main(void) {
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(__FILE__, '/') - __FILE__),
                   __FILE__);
    test_errors();
    test_abi();
    test_versions();
    test_version_output();
    test_version_used();
    test_example();
    test_table();
    return check_result();
}
