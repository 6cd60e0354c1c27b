// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_1_1.c: crumb with what helix.char has since 1.1.
#define CRUMB_VERSION 1, 1, 0
#define CRUMB_FIRST   100
#define CRUMB_SYNCED  1000
#include "crumb.h"
