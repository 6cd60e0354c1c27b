// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_dies.c: a version of crumb that dies when it is written to.
#define CRUMB_VERSION 1, 4, 0
#define CRUMB_WRITES  __builtin_trap()
#include "crumb.h"
