// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/tally.h>: what memory goes with a process beside what it has mapped: what it keeps by
// handles and descriptors, and what these keep in turn.
//
// One thread at a time makes a tally (it decides who is killed when there is no memory). It meets
// each thing once: the number of the last tally that met it lies in the thing. What has things
// inside that may have others inside puts them into the tally's list, so there is no recursion.
#pragma once

#include <core/object.h>
#include <helix/types.h>

struct aspace;
struct memory_object;
struct tally;

// Lies in what may be met often, or has things inside.
struct tally_mark {
    uint64_t number; // of the tally that met it last; 0: none
    struct tally_mark *next;
    struct object *object; // keeps, while it is in the list
};

struct tally {
    uint64_t number; // never 0
    uint64_t pages;
    struct aspace *aspace;      // borrows; what is translated there counts as mapped; may be NULL
    struct tally_mark *pending; // whose insides are looked at later
};

void tally_begin(struct tally *tally, struct aspace *aspace);
// Adds what goes with the object, by its type's `tally`; the caller holds a reference.
void tally_object(struct tally *tally, struct object *object);
// For types: whether this is the first time.
bool tally_meet(struct tally *tally, struct tally_mark *mark);
// For types: calls the type's `tally_inside` for the object later.
void tally_later(struct tally *tally, struct tally_mark *mark, struct object *object);
// For types: the pages of a memory object, once, but those that are mapped.
void tally_memory(struct tally *tally, struct memory_object *memory);
