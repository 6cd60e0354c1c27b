// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/exec.h: loading programs. Private to posix.
//
// A program is loaded into an address space of its own beside the running one, completely, stack
// included; what replaces the old program afterwards cannot fail.
#pragma once

#include <lib/elf.h>
#include <posix/process.h>

// A program that was loaded but does not run yet.
struct exec_image {
    struct aspace *aspace; // keeps
    struct file *file;     // keeps, as an execution: the program, not its interpreter
    uint64_t entry, stack_pointer;
    uint64_t brk_start;
    uint64_t arguments_start, arguments_end, environment_start, environment_end;
    uint64_t stack_top;
    uint64_t vdso;                   // address; 0: there is none
    struct credentials *credentials; // keeps; those that it will run with
    bool is_secure;                  // it runs with more rights than its caller
    bool is_unreadable;              // its caller may execute it, or its interpreter, not read it
    char command[THREAD_NAME_BYTES];
};

// Where argument strings come from: the program's memory, or the kernel's.
struct exec_strings {
    struct uaddr user;         // an array of pointers, ended by a null; null: empty
    const char *const *kernel; // used if not NULL; ends with NULL
};

struct exec_request {
    const struct lookup *lookup; // where `path` starts, and with which rights
    const char *path;
    const struct file *file; // borrows; the program, in place of `path`; NULL: none
    const char *name;        // what the program is told: AT_EXECFN, a script's argument
    struct exec_strings arguments, environment;
    struct account *account; // that the program will be charged to
};

// Loads for `process`, of which nothing changes. The statuses are execve(2)'s.
enum hx_status exec_load(struct posix_process *process, const struct exec_request *request,
                         struct exec_image *out_image);
// Drops an image that will not run.
void exec_image_put(struct exec_image *image);
// Puts what the process keeps of an image into it, and takes the image, but for its address space.
// image->file is the program that it had before then (NULL: none), for executable_put().
void exec_adopt(struct posix_process *process, struct exec_image *image);

// exec_open.c: files, and scripts that name an interpreter.

#define EXEC_HEAD_BYTES  256u // of a file, to find out what it is
#define EXEC_SCRIPTS_MAX 5u   // scripts that interpret each other

struct exec_script {
    char interpreter[EXEC_HEAD_BYTES];
    char argument[EXEC_HEAD_BYTES]; // empty: none
};

struct exec_file {
    struct file *file;                             // keeps, as an execution
    uint8_t head[EXEC_HEAD_BYTES];                 // zeroes beyond the end
    struct exec_script *scripts[EXEC_SCRIPTS_MAX]; // the outermost first
    uint32_t script_count;
};

// Opens what the request names, following scripts to the program in the end.
enum hx_status exec_file_open(const struct exec_request *request, struct exec_file *out_file);
void exec_file_close(struct exec_file *file);
// Whether who looks for the program may execute the file only: then others of his ids must not see
// it in the memory of what it becomes (would_dump() of Linux).
bool exec_is_unreadable(const struct lookup *lookup, const struct file *file);
// Opens one file that may be executed.
enum hx_status exec_open(const struct lookup *lookup, const char *path, struct file **out_file);
// Reads exactly; HX_ERR_BAD_IMAGE if the file is too short.
enum hx_status exec_read(struct file *file, uint64_t offset, void *to, size_t size_bytes);

// exec_elf.c: programs and their interpreters into an address space.

struct exec_layout {
    uint64_t entry;            // of the program
    uint64_t start;            // where to begin: the interpreter's entry, if there is one
    uint64_t interpreter_base; // 0: none
    uint64_t program_headers;  // address; 0: not mapped
    uint32_t program_count;
    uint64_t end;       // behind the last segment
    bool is_unreadable; // the interpreter, by who executes it
};

// `random_pages`: how far a position-independent program is moved.
enum hx_status exec_map(struct aspace *aspace, const struct lookup *lookup,
                        const struct exec_file *file, uint64_t random_pages,
                        struct exec_layout *out_layout);

// exec_stack.c: arguments, environment and auxiliary vector.

struct exec_stack {
    char *bytes; // all strings, one behind the other: arguments, environment
    size_t capacity, used;
    size_t arguments_bytes; // of `used`
    uint32_t argument_count, environment_count;
    size_t limit; // for strings and pointers together
};

// Copies all strings; HX_ERR_TOO_BIG beyond the limits. Ends with exec_stack_fini() in any case.
enum hx_status exec_stack_collect(struct exec_stack *stack, const struct exec_request *request,
                                  const struct exec_file *file, uint64_t stack_limit_bytes);
void exec_stack_fini(struct exec_stack *stack);
// Maps the stack below image->stack_top and writes it. Fills image's stack pointer and ranges.
enum hx_status exec_stack_build(const struct exec_stack *stack, const struct exec_request *request,
                                const struct exec_layout *layout, const uint8_t random[16],
                                uint64_t stack_limit_bytes, struct exec_image *image);
