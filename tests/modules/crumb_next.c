// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_next.c: the next version of crumb.
#define CRUMB_VERSION 1, 3, 0
#define CRUMB_FIRST   9
#include "crumb.h"
