// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_more.c: a version of crumb that says that it has read and written more than it was asked
// for.
#define CRUMB_VERSION 1, 6, 0
#define CRUMB_MORE    1000000u
#include "crumb.h"
