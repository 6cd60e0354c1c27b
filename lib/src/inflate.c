// SPDX-License-Identifier: MIT OR Apache-2.0
// inflate.c: zlib's decompressor behind <lib/inflate.h>. zlib counts in 32 bits, so long inputs and
// outputs are handed over in pieces.
#include <lib/inflate.h>

#include "bytes.h"

#include <zlib.h>

#define PIECE_MAX   (1u << 30)
#define SINK_BYTES  ((size_t)32 * 1024)
#define MEMBER_MIN  18u       // a header of 10 and a trailer of 8 bytes
#define GZIP_WINDOW (16 + 15) // gzip framing only, the largest window
#define BLOCK_HEAD  16u       // before each block, for its size; keeps the alignment

// zlib releases by pointer alone; the size that our caller wants back stands before the block.
static voidpf zlib_allocate(voidpf opaque, uInt items, uInt size) {
    const struct inflate_memory *memory = opaque;
    size_t total = (size_t)items * size + BLOCK_HEAD;
    uint8_t *block = memory->allocate(memory->context, total);
    if (block == NULL) {
        return NULL;
    }
    *(size_t *)block = total;
    return block + BLOCK_HEAD;
}

static void zlib_release(voidpf opaque, voidpf address) {
    const struct inflate_memory *memory = opaque;
    uint8_t *block = (uint8_t *)address - BLOCK_HEAD;
    memory->release(memory->context, block, *(size_t *)block);
}

bool gzip_is_member(const void *bytes, size_t size_bytes) {
    const uint8_t *in = bytes;
    return size_bytes >= 3 && in[0] == 0x1f && in[1] == 0x8b && in[2] == 8;
}

uint32_t gzip_size_hint(const void *bytes, size_t size_bytes) {
    const uint8_t *in = bytes;
    return size_bytes < MEMBER_MIN ? 0 : read_u32(in + size_bytes - 4);
}

// What is left of the input, outside zlib's 32-bit window on it.
struct input {
    const uint8_t *next;
    size_t left;
};

static enum hx_status stream_open(z_stream *stream, const struct inflate_memory *memory) {
    *stream =
        (z_stream){ .zalloc = zlib_allocate, .zfree = zlib_release, .opaque = (voidpf)memory };
    return inflateInit2(stream, GZIP_WINDOW) == Z_OK ? HX_OK : HX_ERR_NO_MEMORY;
}

// zlib never writes through next_in, but not every configuration of its header says so.
static void stream_feed(z_stream *stream, struct input *input) {
    if (stream->avail_in == 0 && input->left != 0) {
        uInt piece = (uInt)MIN_OF(input->left, (size_t)PIECE_MAX);
        stream->next_in = (z_const Bytef *)input->next;
        stream->avail_in = piece;
        input->next += piece;
        input->left -= piece;
    }
}

// What an answer other than Z_OK and Z_STREAM_END means. Z_BUF_ERROR: there was no progress; with
// room for output that is for want of input.
static enum hx_status stream_error(int answer) {
    return answer == Z_MEM_ERROR ? HX_ERR_NO_MEMORY : HX_ERR_CORRUPT;
}

enum hx_status gzip_to_buffer(const struct inflate_memory *memory, const void *from,
                              size_t size_bytes, struct inflate_buffer *to, size_t *out_consumed) {
    z_stream stream;
    enum hx_status status = stream_open(&stream, memory);
    if (status != HX_OK) {
        return status;
    }
    struct input input = { from, size_bytes };
    uint8_t nothing; // an empty buffer must have an address, too
    size_t room = to->capacity;
    int answer = Z_OK;
    stream.next_out = room != 0 ? to->bytes : &nothing;
    while (answer == Z_OK) {
        stream_feed(&stream, &input);
        if (stream.avail_out == 0 && room != 0) {
            stream.avail_out = (uInt)MIN_OF(room, (size_t)PIECE_MAX);
            room -= stream.avail_out;
        }
        // With the last pieces in its hands, zlib needs no window beside the output.
        bool last = input.left == 0 && room == 0;
        answer = inflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
    }
    if (answer == Z_STREAM_END) {
        *out_consumed = size_bytes - input.left - stream.avail_in;
        to->written = to->capacity - room - stream.avail_out;
    } else if (answer == Z_BUF_ERROR && stream.avail_out == 0 && room == 0 &&
               stream.avail_in + input.left != 0) {
        status = HX_ERR_RANGE;
    } else {
        status = stream_error(answer);
    }
    (void)inflateEnd(&stream);
    return status;
}

enum hx_status gzip_to_sink(const struct inflate_memory *memory, const void *from,
                            size_t size_bytes, inflate_sink_t sink, void *sink_context,
                            size_t *out_consumed) {
    uint8_t *piece = memory->allocate(memory->context, SINK_BYTES);
    if (piece == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    z_stream stream;
    enum hx_status status = stream_open(&stream, memory);
    if (status != HX_OK) {
        memory->release(memory->context, piece, SINK_BYTES);
        return status;
    }
    struct input input = { from, size_bytes };
    int answer = Z_OK;
    while (status == HX_OK && answer != Z_STREAM_END) {
        stream_feed(&stream, &input);
        stream.next_out = piece;
        stream.avail_out = SINK_BYTES;
        answer = inflate(&stream, Z_NO_FLUSH);
        size_t length = SINK_BYTES - stream.avail_out;
        if (answer != Z_OK && answer != Z_STREAM_END) {
            status = stream_error(answer);
        } else if (length != 0) {
            status = sink(sink_context, piece, length);
        }
    }
    if (status == HX_OK) {
        *out_consumed = size_bytes - input.left - stream.avail_in;
    }
    (void)inflateEnd(&stream);
    memory->release(memory->context, piece, SINK_BYTES);
    return status;
}
