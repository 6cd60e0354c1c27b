// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/drop.h>: freeing what may hold more of its kind, without recursion and in bounded pieces.
//
// Whoever frees something pays for what goes with it, and for nothing that others free meanwhile:
// the list belongs to the thread. What is beyond the bound is left to a kernel worker, so that
// nobody who was handed a long chain has to take it apart.
#pragma once

#include <core/epoch.h>

#define DROPS_MAX 64u // in one call

// Calls free(item); inside a `free` on the same thread afterwards, or later, in a worker. Takes the
// item. Thread context.
void drop(struct epoch_item *item, void (*free)(struct epoch_item *item));
