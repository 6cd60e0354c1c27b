// SPDX-License-Identifier: MIT OR Apache-2.0
// tools/portgen/portgen.h: the compiler of .port files: from text to a checked tree to C.
//
// Everything of a run lies in one arena and ends with it. The first error is told, with its place
// and its mend, and ends the reading: after it the tree must not be used.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BODY_MAX      65536u // bytes of a message's body, both ways
#define PAGES_MAX     64u
#define ARGUMENTS_MAX 12u
#define NESTING_MAX   8u // structs in structs, ports that use ports

// Memory and text ---------------------------------------------------------------------------------

struct arena {
    struct block *blocks;
};

// Zeroed memory; ends the program if there is none.
void *arena_alloc(struct arena *arena, size_t size_bytes);
char *arena_copy(struct arena *arena, const char *text, size_t length);
void arena_free(struct arena *arena);

struct text { // grows; always terminated once something was added
    char *data;
    size_t length, capacity;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_upper(struct text *text, const char *name);
// A comment of several lines as "// " lines, each behind `indent`.
void text_comment(struct text *text, const char *indent, const char *doc);
void text_free(struct text *text);

// The tree ----------------------------------------------------------------------------------------

struct place {
    const char *path;
    uint32_t line, column;
};

enum kind {
    KIND_U8,
    KIND_U16,
    KIND_U32,
    KIND_U64,
    KIND_I32,
    KIND_I64,
    KIND_BOOL,
    KIND_TIME,
    KIND_REQUEST, // the number of an accepted request
    KIND_SCALARS, // those above are scalars
    KIND_ID,      // declared: a number that the provider gives
    KIND_ENUM,
    KIND_FLAGS,
    KIND_STRUCT,
    KIND_TEXT,     // declared: bytes with a length
    KIND_INSTANCE, // declared: what the provider made, a pointer in the kernel form
    KIND_OBJECT,   // declared, of calls: what a handle names
    KIND_STRING,   // ends with a zero
    KIND_BYTES,
    KIND_ARRAY,
    KIND_PAGES,
    KIND_HANDLE,
    KIND_REF, // a pointer; atomic ports alone
};

struct constant { // also a value of an enum, a bit of a flag set
    struct constant *next;
    struct place place;
    const char *name, *doc;
    const char *literal; // as written
    uint64_t value;
    uint32_t since; // of a port: the number of the version that has it first
};

struct type {
    enum kind kind;
    const struct declaration *declaration; // of ID … INSTANCE, REF; an array's element
    enum kind element;                     // of an array
    uint64_t bound;                        // of TEXT, STRING, BYTES, ARRAY, PAGES
    const char *bound_text;                // as C
    uint64_t fixed;                        // in a struct: T[fixed]; 0: a single one
    uint64_t align;                        // in a struct; 0: natural
    uint64_t rights;                       // of HANDLE, OBJECT
    uint64_t within;                       // of a scalar of calls: the bits it may have; 0: all
};

enum direction {
    DIRECTION_IN,
    DIRECTION_OUT,
    DIRECTION_INOUT,
    DIRECTION_RESULT, // behind the arrow
};

struct field { // of a struct, or a parameter
    struct field *next;
    struct place place;
    const char *name, *doc;
    struct type type;
    enum direction direction;
    uint64_t offset; // in a struct
};

struct declaration { // of a type
    struct declaration *next;
    struct place place;
    enum kind kind;
    const struct port *port;
    const char *name, *doc;
    struct constant *values; // of ENUM, FLAGS; OBJECT: its number
    struct field *fields;    // of STRUCT
    uint64_t size, align;    // of STRUCT
    uint32_t depth;          // of STRUCT: how deep structs lie in it
    uint32_t since;
};

struct status_name {
    struct status_name *next;
    const char *name; // without HX_ERR_
};

struct method { // or event, or call
    struct method *next;
    struct place place;
    const char *name, *doc;
    struct field *fields;
    uint64_t rights;
    struct status_name *fails;
    const char *optional; // status or method that stands for an absent one; NULL: never absent
    const struct method *optional_method;
    const char *completed_by;
    bool idempotent, atomic, ends;
    uint32_t number;
    uint32_t since;
    uint64_t call;  // of a call: its number
    const char *by; // of a call: the part of the kernel that serves it
};

struct use {
    struct use *next;
    const struct port *port;
};

struct version { // a minor version of a port that is described: it adds to the one before
    struct version *next;
    struct place place; // of its `since`
    uint32_t major, minor;
    uint64_t after; // the ABI of the one before, as written
    uint64_t abi;
};

struct port {
    struct place place;
    const char *name;   // "helix.fs"
    const char *family; // "fs": the last part of the name
    const char *prefix; // "fs": of names in C
    const char *upper;  // "FS"
    const char *doc;
    uint32_t major, minor;
    struct version *versions; // the oldest one first; the last one is the port's own
    uint32_t version_count;
    bool is_calls; // a set of system calls; then `methods` are the calls, and the prefix is "hx"
    bool atomic;
    bool has_context; // it was said
    struct use *uses;
    struct constant *constants;
    struct declaration *declarations;
    struct status_name *fails;
    struct method *methods, *events;
    uint64_t abi;
};

// Errors ------------------------------------------------------------------------------------------

struct compiler {
    struct arena arena;
    struct text errors; // "file:line:column: what is wrong; the mend"
    bool failed;
    uint32_t depth; // of files that are being read
    // The text of NAME.port for `use NAME`, in the arena; NULL: there is none.
    char *(*load)(struct compiler *compiler, const char *name, const char **out_path);
    void *context;
};

// Only the first is kept.
void fail(struct compiler *compiler, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The steps ---------------------------------------------------------------------------------------

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_ARROW,
    TOKEN_SIGN, // one of ( ) { } [ ] < > , ; : . | =
};

struct token {
    enum token_kind kind;
    struct place place;
    const char *start;
    size_t length;
    const char *doc;      // comment lines directly above
    const char *trailing; // comment behind the token before, on its line
};

struct lexer {
    struct compiler *compiler;
    const char *path, *at, *end, *line_start;
    uint32_t line;
    uint32_t token_line; // of the token before
};

void lexer_init(struct lexer *lexer, struct compiler *compiler, const char *path, const char *text,
                size_t length);
// TOKEN_END for ever at the end and after an error.
struct token lexer_next(struct lexer *lexer);

// Reads and checks a file; NULL after an error.
struct port *port_read(struct compiler *compiler, const char *path, const char *text,
                       size_t length);
// What can be told only when all of the file was read: layouts, references, bounds, the ABI hash.
void port_check(struct compiler *compiler, struct port *port);

// The same for what is special about calls.
void calls_check(struct compiler *compiler, const struct port *port);
// That the C of a name, or of some parameters, has no word of C's and no name twice.
void check_name(struct compiler *compiler, const struct place *place, const char *name);
void check_names(struct compiler *compiler, const struct field *fields);
// That an array holds scalars or structs.
void check_element(struct compiler *compiler, const struct field *field);

// Over names, types and order, of the version with that number and those before it.
uint64_t port_abi(const struct port *port, uint32_t version);
// That each version adds to the one before what a provider may lack, and that the one before is
// what it was; with all ABIs.
void versions_check(struct compiler *compiler, struct port *port);
// Of a method or an event: the version that has it first; NULL: all have it.
const struct version *version_since(const struct port *port, uint32_t since);

bool is_status(const char *name);
// 0: not the name of a right.
uint64_t right_of(const char *name);
// "READ | WRITE"
void put_rights(uint64_t rights, struct text *out);
// " HX_ERR_IO HX_ERR_…"
void put_statuses(const struct status_name *status, struct text *out);
const char *scalar_name(enum kind kind);   // as in .port files
const char *scalar_c_name(enum kind kind); // as in C
uint64_t scalar_size(enum kind kind);
// The scalar that carries an id, an enum or a flag set; other kinds stay.
enum kind carrier_of(enum kind kind);
// Whether the isolated form has it.
bool is_isolated(const struct port *port, const struct method *method);
// Size and alignment in C of one element of a struct's field; 0 if it cannot be one.
void type_layout(const struct type *type, uint64_t *out_size, uint64_t *out_align);
// Most bytes that it takes in a message's body.
uint64_t body_size(const struct field *field, bool is_reply);

// What is generated -------------------------------------------------------------------------------

// <helix/ports/NAME_port.h>: types and the operations table; and the functions behind it.
void emit_header(const struct port *port, struct text *out);
void emit_source(const struct port *port, struct text *out);
// <helix/ports/NAME_wire.h> and its source: the isolated form.
void emit_wire_header(const struct port *port, struct text *out);
void emit_wire_source(const struct port *port, struct text *out);
void emit_numbered(const struct port *port, struct text *out);
// <core/ports/NAME_calls.h>: its methods as the kernel calls them.
void emit_calls(const struct port *port, struct text *out);
// Constants and types of either, as C.
void emit_types(const struct port *port, struct text *out);
// <helix/NAME.h> of calls: types and numbers; <libhelix/calls.h>: functions for programs.
void emit_calls_header(const struct port *port, struct text *out);
void emit_calls_stubs(const struct port *port, struct text *out);
// FAMILY_table.h and .c, for the part of the kernel that serves them `by` FAMILY: what it defines,
// and the table that leads there, which decodes and checks arguments.
void emit_table_header(const struct port *port, const char *family, struct text *out);
void emit_table_source(const struct port *port, const char *family, struct text *out);
// The page of calls.
void emit_calls_page(const struct port *port, struct text *out);
// Pieces of pages.
void put_page_type(const struct port *port, const struct type *type, struct text *out);
void put_page_doc(const char *doc, struct text *out);
void put_page_types(const struct port *port, struct text *out);
// NAME.md: the reference page.
void emit_page(const struct port *port, struct text *out);

// How the C parameters of a method, without the first, are written.
enum style {
    STYLE_DECLARE, // ", uint32_t minor"
    STYLE_PASS,    // ", minor"
    STYLE_UNUSED,  // "    (void)minor;" and a line's end
    STYLE_FIELD,   // "    uint32_t minor;" and a line's end
    STYLE_CALL,    // ", call->minor"
};

void emit_parameters(const struct method *method, enum style style, struct text *out);
// "void *self", or the instance that stands for it.
const char *first_parameter(const struct method *method);
// The C type of a scalar, id, enum, flag set, struct: "uint32_t ", "struct fs_info ".
void emit_type(enum kind kind, const struct declaration *declaration, struct text *out);
