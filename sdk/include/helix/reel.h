// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/reel.h>: bodies that one writes once and many read: a circle of bytes in shared memory
// that its readers can only read. The writer never waits: what is old is overwritten, and a reader
// that comes too late is told so. Pure.
//
// Positions count bytes, 64 bits wide. Before the writer overwrites, it says from where on bytes
// are still whole; a reader copies first and looks at that afterwards. Words are atomic, so that no
// access races; fences order them (writer: store, release fence, words; reader: words, acquire
// fence, load).
#pragma once

#include <helix/types.h>

#define HX_REEL_HEAD_BYTES 64u

struct hx_reel {
    _Atomic uint64_t whole; // what lies below this position is overwritten, or is being so
    uint64_t unused[7];
    _Atomic uint64_t words[];
};
_Static_assert(offsetof(struct hx_reel, words) == HX_REEL_HEAD_BYTES,
               "words on lines of their own");

struct hx_reel_writer {
    struct hx_reel *reel;
    uint64_t bytes;    // of the circle, a power of two
    uint64_t position; // where the next body goes
};

// Over zeroed memory of HX_REEL_HEAD_BYTES + `bytes`, a power of two from 8 up.
static inline struct hx_reel_writer hx_reel_writer_make(struct hx_reel *reel, uint64_t bytes) {
    return (struct hx_reel_writer){ .reel = reel, .bytes = bytes };
}

// From where on bytes are whole once a body of `length` is written.
static inline uint64_t hx_reel_whole_after(const struct hx_reel_writer *writer, uint32_t length) {
    const uint64_t end = writer->position + ALIGN_UP((uint64_t)length, (uint64_t)8);
    return end > writer->bytes ? end - writer->bytes : 0;
}

// Writes a body of at most the circle's bytes; where it lies.
static inline uint64_t hx_reel_write(struct hx_reel_writer *writer, const void *body,
                                     uint32_t length) {
    const uint8_t *from = body;
    const uint64_t at = writer->position;
    atomic_store_explicit(&writer->reel->whole, hx_reel_whole_after(writer, length),
                          memory_order_relaxed);
    atomic_thread_fence(memory_order_release); // before any of what it overwrites
    for (uint32_t done = 0; done < length; done += 8) {
        uint64_t word = 0;
        __builtin_memcpy(&word, from + done, MIN_OF(length - done, 8u));
        atomic_store_explicit(&writer->reel->words[((at + done) & (writer->bytes - 1)) / 8], word,
                              memory_order_relaxed);
    }
    writer->position = at + ALIGN_UP((uint64_t)length, (uint64_t)8);
    return at;
}

// Copies a body out; `bytes` are the circle's, a power of two from 8 up. Any position is taken.
// HX_ERR_NO_DATA: it is overwritten, what was copied is none; HX_ERR_INVALID: longer than the
// circle.
static inline enum hx_status hx_reel_read(const struct hx_reel *reel, uint64_t bytes,
                                          uint64_t position, void *body, uint32_t length) {
    uint8_t *to = body;
    if (length > bytes) {
        return HX_ERR_INVALID;
    }
    for (uint32_t done = 0; done < length; done += 8) {
        const uint64_t word = atomic_load_explicit(
            &reel->words[((position + done) & (bytes - 1)) / 8], memory_order_relaxed);
        __builtin_memcpy(to + done, &word, MIN_OF(length - done, 8u));
    }
    atomic_thread_fence(memory_order_acquire); // behind all of the words
    return position < atomic_load_explicit(&reel->whole, memory_order_relaxed) ? HX_ERR_NO_DATA
                                                                               : HX_OK;
}
