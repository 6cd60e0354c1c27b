// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_endless.c: a version of crumb whose node has a name without an end.
#define CRUMB_NAME { [0 ... CHAR_NAME_MAX] = 'c' }
#include "crumb.h"
