// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_other.c: a version of crumb whose node is another one.
#define CRUMB_VERSION 1, 5, 0
#define CRUMB_MODE    0600
#include "crumb.h"
