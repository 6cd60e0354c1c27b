// SPDX-License-Identifier: MIT OR Apache-2.0
// <tty/termios.h>: a terminal's settings: numbers of Linux's generic termios ABI, which all
// machines share.
#pragma once

#include <helix/types.h>

#define TERMIOS_CHARACTERS 19u

// struct termios of the kernel interface (TCGETS); termios2 appends the two speeds.
struct termios {
    uint32_t input, output, control, local;
    uint8_t line;
    uint8_t characters[TERMIOS_CHARACTERS];
};
_Static_assert(sizeof(struct termios) == 36, "struct termios crosses the ABI");

struct termios2 {
    struct termios base;
    uint32_t input_speed, output_speed;
};
_Static_assert(sizeof(struct termios2) == 44, "struct termios2 crosses the ABI");

struct window_size {
    uint16_t rows, columns, x_pixels, y_pixels;
};

// Indices of characters[].
enum {
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2,
};

// input
#define IGNBRK  0000001u
#define BRKINT  0000002u
#define ISTRIP  0000040u
#define INLCR   0000100u
#define IGNCR   0000200u
#define ICRNL   0000400u
#define IUCLC   0001000u
#define IXON    0002000u
#define IXANY   0004000u
#define IMAXBEL 0020000u
#define IUTF8   0040000u
// output
#define OPOST  0000001u
#define OLCUC  0000002u
#define ONLCR  0000004u
#define OCRNL  0000010u
#define ONOCR  0000020u
#define ONLRET 0000040u
#define TABDLY 0014000u
// control
#define B38400 0000017u
#define CS8    0000060u
#define CREAD  0000200u
#define HUPCL  0002000u
#define CLOCAL 0004000u
// local
#define ISIG    0000001u
#define ICANON  0000002u
#define ECHO    0000010u
#define ECHOE   0000020u
#define ECHOK   0000040u
#define ECHONL  0000100u
#define NOFLSH  0000200u
#define TOSTOP  0000400u
#define ECHOCTL 0001000u
#define ECHOKE  0004000u
#define IEXTEN  0100000u
