// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/exec_open.c: the file that execve names: may it be executed, is it a script?
//
// A script starts with "#!", the path of an interpreter, and perhaps one argument, which is
// everything up to the end of the line (execve(2), "Interpreter scripts"; fs/binfmt_script.c of
// Linux 6.1 for the corner cases).
#include "exec.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <vfs/watch.h>

enum hx_status exec_read(struct file *file, uint64_t offset, void *to, size_t size_bytes) {
    size_t done = 0;
    while (done < size_bytes) {
        struct io_buffer buffer;
        size_t moved;
        io_buffer_kernel(&buffer, (char *)to + done, size_bytes - done);
        const enum hx_status status = file_read_at(file, &buffer, offset + done, &moved);
        if (status != HX_OK) {
            return status;
        }
        if (moved == 0) {
            return HX_ERR_BAD_IMAGE;
        }
        done += moved;
    }
    return HX_OK;
}

static enum hx_status open_path(struct path path, const struct credentials *credentials,
                                struct file **out_file) {
    struct inode *inode = path_inode(path);
    struct fs_info info;
    if (inode_type(inode) != FS_MODE_REGULAR || (path_mount_flags(path) & MOUNT_NO_EXECUTE)) {
        return HX_ERR_PERMISSION;
    }
    enum hx_status status = inode_permission(inode, credentials, 1);
    if (status != HX_OK) {
        return status;
    }
    inode_info(inode, &info);
    if ((info.mode & 0111) == 0) {
        return HX_ERR_PERMISSION; // not even for the administrator
    }
    status = inode_execute_begin(inode);
    if (status != HX_OK) {
        return status;
    }
    status = file_open_path(path, FILE_READ, out_file);
    if (status != HX_OK) {
        inode_execute_end(inode);
        return status;
    }
    watch_file(*out_file, WATCH_OPEN);
    return HX_OK;
}

enum hx_status exec_open(const struct lookup *lookup, const char *path, struct file **out_file) {
    struct path found;
    enum hx_status status = path_lookup(lookup, path, &found);
    if (status == HX_OK) {
        status = open_path(found, lookup->credentials, out_file);
        path_put(found);
    }
    return status;
}

bool exec_is_unreadable(const struct lookup *lookup, const struct file *file) {
    return inode_permission(file->inode, lookup->credentials, 4) != HX_OK;
}

static void close_executed(struct file *file) {
    inode_execute_end(file->inode);
    file_put(file);
}

static enum hx_status read_head(struct exec_file *file) {
    const uint64_t size = inode_size(file->file->inode);
    memset(file->head, 0, sizeof(file->head));
    return exec_read(file->file, 0, file->head, MIN_OF(size, (uint64_t)sizeof(file->head)));
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *from, const char *end) {
    while (from < end && is_blank(*from)) {
        from++;
    }
    return from;
}

static const char *find_blank(const char *from, const char *end) {
    while (from < end && !is_blank(*from) && *from != '\0') {
        from++;
    }
    return from;
}

static void copy_text(char *to, const char *from, const char *end) {
    const size_t length = (size_t)(end - from);
    memcpy(to, from, length);
    to[length] = '\0';
}

// Takes the first line apart. HX_ERR_BAD_IMAGE: no interpreter, or its path is cut off.
static enum hx_status parse_script(const uint8_t head[EXEC_HEAD_BYTES], struct exec_script *out) {
    const char *text = (const char *)head + 2;
    const char *limit = (const char *)head + EXEC_HEAD_BYTES - 1;
    const char *end = memchr(text, '\n', (size_t)(limit - text));
    if (end == NULL) {
        const char *name = skip_blanks(text, limit);
        if (name == limit || find_blank(name, limit) == limit) {
            return HX_ERR_BAD_IMAGE;
        }
        end = limit;
    }
    while (end > text && is_blank(end[-1])) {
        end--;
    }
    const char *name = skip_blanks(text, end);
    const char *name_end = find_blank(name, end);
    if (name == name_end) {
        return HX_ERR_BAD_IMAGE;
    }
    copy_text(out->interpreter, name, name_end);
    // The text ends at a zero.
    const char *argument = name_end < end && *name_end != '\0' ? skip_blanks(name_end, end) : end;
    copy_text(out->argument, argument, end);
    return HX_OK;
}

static enum hx_status follow_script(const struct lookup *lookup, struct exec_file *file) {
    if (file->script_count == EXEC_SCRIPTS_MAX) {
        return HX_ERR_TOO_MANY_LINKS;
    }
    struct exec_script *script = heap_alloc(sizeof(*script), MEMORY_SLEEP);
    if (script == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    file->scripts[file->script_count++] = script;
    enum hx_status status = parse_script(file->head, script);
    if (status != HX_OK) {
        return status;
    }
    // A relative interpreter starts at the working directory, wherever the script is.
    struct lookup plain = { .context = lookup->context,
                            .credentials = lookup->credentials,
                            .flags = LOOKUP_FOLLOW };
    struct file *next;
    status = exec_open(&plain, script->interpreter, &next);
    if (status == HX_OK) {
        close_executed(file->file);
        file->file = next;
        status = read_head(file);
    }
    return status;
}

// Opens an open file's place anew: how it is open now does not matter, its mode does.
static enum hx_status open_again(const struct file *file, const struct credentials *credentials,
                                 struct file **out_file) {
    return file->path.name != NULL ? open_path(file->path, credentials, out_file)
                                   : HX_ERR_PERMISSION; // a pipe or the like
}

static bool is_script(const struct exec_file *file) {
    return file->head[0] == '#' && file->head[1] == '!';
}

enum hx_status exec_file_open(const struct exec_request *request, struct exec_file *out_file) {
    const struct lookup *lookup = request->lookup;
    memset(out_file, 0, offsetof(struct exec_file, head));
    out_file->script_count = 0;
    enum hx_status status = request->file != NULL
                                ? open_again(request->file, lookup->credentials, &out_file->file)
                                : exec_open(lookup, request->path, &out_file->file);
    if (status != HX_OK) {
        return status;
    }
    status = read_head(out_file);
    if (status == HX_OK && request->file != NULL && is_script(out_file)) {
        status = HX_ERR_BAD_IMAGE; // what its interpreter opens by name may be another file
    }
    while (status == HX_OK && is_script(out_file)) {
        status = follow_script(lookup, out_file);
    }
    if (status != HX_OK) {
        exec_file_close(out_file);
    }
    return status;
}

void exec_file_close(struct exec_file *file) {
    if (file->file != NULL) {
        close_executed(file->file);
        file->file = NULL;
    }
    for (uint32_t i = 0; i < file->script_count; i++) {
        heap_free(file->scripts[i]);
    }
    file->script_count = 0;
}
