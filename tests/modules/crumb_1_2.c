// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_1_2.c: crumb as it will be built when helix.char is 1.2.
#define CRUMB_VERSION 1, 2, 0
#define CRUMB_FIRST   200
#define CRUMB_SYNCED  2000
#define CRUMB_TELLS
#include "crumb.h"
