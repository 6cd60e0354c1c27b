// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_many.c: a version of crumb that says that it has more nodes than fit.
#define CRUMB_NODES 1000000u
#include "crumb.h"
