// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb.c: the first version of crumb.
#include "crumb.h"
