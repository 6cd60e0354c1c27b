// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/line.c: the line discipline. POSIX.1-2017 chapter 11; what POSIX leaves open (word
// erase, literal next, reprint, echo of control characters) is done as Linux's N_TTY does it.

#include <lib/string.h>
#include <tty/line.h>

#define MARK_DELIMITER 0x0100u
#define MARK_EOF       0x0200u // a delimiter that is not a byte

#define CELL_MASK (LINE_CELLS - 1)
#define DISABLED  0u // _POSIX_VDISABLE

#define SIGNAL_INTERRUPT 2
#define SIGNAL_QUIT      3
#define SIGNAL_SUSPEND   20

void line_init(struct line *line, const struct line_events *events, void *context) {
    static const uint8_t characters[TERMIOS_CHARACTERS] = {
        [VINTR] = 3,     [VQUIT] = 28,   [VERASE] = 127, [VKILL] = 21, [VEOF] = 4,
        [VMIN] = 1,      [VSTART] = 17,  [VSTOP] = 19,   [VSUSP] = 26, [VREPRINT] = 18,
        [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
    };
    memset(line, 0, sizeof(*line));
    line->settings.input = ICRNL | IXON;
    line->settings.output = OPOST | ONLCR;
    line->settings.control = B38400 | CS8 | CREAD | HUPCL;
    line->settings.local = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
    memcpy(line->settings.characters, characters, sizeof(characters));
    line->events = events;
    line->context = context;
}

static bool has_local(const struct line *line, uint32_t flag) {
    return (line->settings.local & flag) != 0;
}

static bool has_input(const struct line *line, uint32_t flag) {
    return (line->settings.input & flag) != 0;
}

static bool is_character(const struct line *line, uint32_t index, uint8_t byte) {
    uint8_t wanted = line->settings.characters[index];
    return wanted != DISABLED && wanted == byte;
}

static uint32_t used_cells(const struct line *line) {
    return line->tail - line->head;
}

uint32_t line_room(const struct line *line) {
    return LINE_CELLS - used_cells(line);
}

// Echo --------------------------------------------------------------------------------------------

static void echo_byte(struct line *line, uint8_t byte) {
    uint8_t out[LINE_OUTPUT_MAX];
    uint32_t count = line_output(line, byte, out);
    line->events->echo(line->context, out, count);
}

static bool shows_as_caret(const struct line *line, uint8_t byte) {
    return has_local(line, ECHOCTL) && (byte < 32 || byte == 127) && byte != '\n' && byte != '\t';
}

static void echo_typed(struct line *line, uint8_t byte) {
    if (shows_as_caret(line, byte)) {
        echo_byte(line, '^');
        echo_byte(line, byte ^ 0x40);
    } else {
        echo_byte(line, byte);
    }
}

static bool is_continuation(const struct line *line, uint8_t byte) {
    return has_input(line, IUTF8) && (byte & 0xc0) == 0x80;
}

// Screen column after the bytes of the line being edited that lie before `end`.
static uint32_t column_at(const struct line *line, uint32_t start, uint32_t end) {
    uint32_t column = line->edit_column;
    for (uint32_t at = start; at != end; at++) {
        uint8_t byte = (uint8_t)line->cells[at & CELL_MASK];
        if (byte == '\t') {
            column = (column | 7) + 1;
        } else if (shows_as_caret(line, byte)) {
            column += 2;
        } else if (byte >= 32 && byte != 127 && !is_continuation(line, byte)) {
            column++;
        }
    }
    return column;
}

// Editing -----------------------------------------------------------------------------------------

// Position of the first cell of the line being edited.
static uint32_t edit_start(const struct line *line) {
    uint32_t at = line->tail;
    while (at != line->head && !(line->cells[(at - 1) & CELL_MASK] & MARK_DELIMITER)) {
        at--;
    }
    return at;
}

// Takes back the cells from `to` on and wipes them from the screen.
static void erase_to(struct line *line, uint32_t start, uint32_t to) {
    uint32_t before = column_at(line, start, line->tail);
    uint32_t after = column_at(line, start, to);
    line->tail = to;
    if (!has_local(line, ECHO) || !has_local(line, ECHOE)) {
        return;
    }
    for (uint32_t i = after; i < before; i++) {
        line->events->echo(line->context, (const uint8_t *)"\b \b", 3);
        line->column -= line->column > 0;
    }
}

static uint32_t previous_character(const struct line *line, uint32_t start, uint32_t at) {
    at--;
    while (at != start && is_continuation(line, (uint8_t)line->cells[at & CELL_MASK])) {
        at--;
    }
    return at;
}

static void erase_character(struct line *line) {
    uint32_t start = edit_start(line);
    if (line->tail == start) {
        return;
    }
    erase_to(line, start, previous_character(line, start, line->tail));
    if (has_local(line, ECHO) && !has_local(line, ECHOE)) {
        echo_typed(line, line->settings.characters[VERASE]);
    }
}

static bool is_word_byte(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}

static void erase_word(struct line *line) {
    uint32_t start = edit_start(line);
    uint32_t at = line->tail;
    bool in_word = false;
    while (at != start) {
        uint8_t byte = (uint8_t)line->cells[(at - 1) & CELL_MASK];
        if (is_word_byte(byte)) {
            in_word = true;
        } else if (in_word) {
            break;
        }
        at--;
    }
    erase_to(line, start, at);
}

static void erase_line(struct line *line) {
    uint32_t start = edit_start(line);
    if (has_local(line, ECHOKE) && has_local(line, ECHOE)) {
        erase_to(line, start, start);
        return;
    }
    line->tail = start;
    if (has_local(line, ECHO)) {
        echo_typed(line, line->settings.characters[VKILL]);
        if (has_local(line, ECHOK)) {
            echo_byte(line, '\n');
        }
    }
}

static void reprint(struct line *line) {
    echo_typed(line, line->settings.characters[VREPRINT]);
    echo_byte(line, '\n');
    line->edit_column = line->column;
    for (uint32_t at = edit_start(line); at != line->tail; at++) {
        echo_typed(line, (uint8_t)line->cells[at & CELL_MASK]);
    }
}

// Of those that IEXTEN allows.
static bool edit_extended(struct line *line, uint8_t byte) {
    if (is_character(line, VWERASE, byte)) {
        erase_word(line);
    } else if (is_character(line, VREPRINT, byte) && has_local(line, ECHO)) {
        reprint(line);
    } else if (is_character(line, VLNEXT, byte)) {
        line->literal_next = true;
        if (has_local(line, ECHO) && has_local(line, ECHOCTL)) {
            line->events->echo(line->context, (const uint8_t *)"^\b", 2);
        }
    } else {
        return false;
    }
    return true;
}

// True if `byte` was an editing command of canonical mode.
static bool edit(struct line *line, uint8_t byte) {
    if (is_character(line, VERASE, byte)) {
        erase_character(line);
    } else if (is_character(line, VKILL, byte)) {
        erase_line(line);
    } else {
        return has_local(line, IEXTEN) && edit_extended(line, byte);
    }
    return true;
}

// Input -------------------------------------------------------------------------------------------

// Stores a cell; in canonical mode the last cell is kept for a delimiter, so that a line that is
// too long can still be ended.
static void store(struct line *line, uint16_t cell) {
    uint32_t keep = has_local(line, ICANON) && !(cell & MARK_DELIMITER) ? 1 : 0;
    if (line_room(line) <= keep) {
        if (has_input(line, IMAXBEL)) {
            echo_byte(line, '\a');
        }
        return;
    }
    line->cells[line->tail & CELL_MASK] = cell;
    line->tail++;
    line->delimiters += (cell & MARK_DELIMITER) != 0;
}

static bool send_signal(struct line *line, uint8_t byte) {
    static const struct {
        uint32_t index;
        int32_t number;
    } table[] = { { VINTR, SIGNAL_INTERRUPT }, { VQUIT, SIGNAL_QUIT }, { VSUSP, SIGNAL_SUSPEND } };
    for (uint32_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (!is_character(line, table[i].index, byte)) {
            continue;
        }
        if (!has_local(line, NOFLSH)) {
            line_flush_input(line);
            line->events->flush_output(line->context);
        }
        line->stopped = false;
        if (has_local(line, ECHO)) {
            echo_typed(line, byte);
        }
        line->events->signal(line->context, table[i].number);
        return true;
    }
    return false;
}

// Start and stop characters. True if `byte` was one.
static bool flow_control(struct line *line, uint8_t byte) {
    if (is_character(line, VSTOP, byte)) {
        line->stopped = true;
        return true;
    }
    if (is_character(line, VSTART, byte)) {
        line->stopped = false;
        return true;
    }
    return false;
}

// Mapping of carriage return and newline. False: the byte is dropped.
static bool map_input(const struct line *line, uint8_t *byte) {
    if (*byte == '\r') {
        if (has_input(line, IGNCR)) {
            return false;
        }
        if (has_input(line, ICRNL)) {
            *byte = '\n';
        }
    } else if (*byte == '\n' && has_input(line, INLCR)) {
        *byte = '\r';
    } else if (has_input(line, IUCLC) && has_local(line, IEXTEN) && *byte >= 'A' && *byte <= 'Z') {
        *byte = (uint8_t)(*byte + ('a' - 'A'));
    }
    return true;
}

static bool ends_line(const struct line *line, uint8_t byte) {
    return byte == '\n' || is_character(line, VEOL, byte) ||
           (has_local(line, IEXTEN) && is_character(line, VEOL2, byte));
}

static bool edits_nothing(const struct line *line) {
    return line->tail == line->head ||
           (line->cells[(line->tail - 1) & CELL_MASK] & MARK_DELIMITER) != 0;
}

static void echo_stored(struct line *line, uint8_t byte) {
    if (has_local(line, ECHO)) {
        if (edits_nothing(line)) {
            line->edit_column = line->column;
        }
        echo_typed(line, byte);
    } else if (byte == '\n' && has_local(line, ECHONL) && has_local(line, ICANON)) {
        echo_byte(line, byte);
    }
}

static void receive_canonical(struct line *line, uint8_t byte) {
    if (edit(line, byte)) {
        return;
    }
    if (is_character(line, VEOF, byte)) {
        store(line, MARK_EOF | MARK_DELIMITER);
        return;
    }
    echo_stored(line, byte);
    store(line, ends_line(line, byte) ? byte | MARK_DELIMITER : byte);
}

void line_receive(struct line *line, uint8_t byte) {
    if (has_input(line, ISTRIP)) {
        byte &= 0x7f;
    }
    if (line->literal_next) {
        line->literal_next = false;
        echo_stored(line, byte);
        store(line, byte);
        return;
    }
    if (has_input(line, IXON)) {
        if (flow_control(line, byte)) {
            return;
        }
        line->stopped = line->stopped && !has_input(line, IXANY);
    }
    if (has_local(line, ISIG) && send_signal(line, byte)) {
        return;
    }
    if (!map_input(line, &byte)) {
        return;
    }
    if (has_local(line, ICANON)) {
        receive_canonical(line, byte);
    } else {
        echo_stored(line, byte);
        store(line, byte);
    }
}

void line_flush_input(struct line *line) {
    line->head = line->tail;
    line->delimiters = 0;
    line->literal_next = false;
}

// Reading -----------------------------------------------------------------------------------------

bool line_is_readable(const struct line *line) {
    return has_local(line, ICANON) ? line->delimiters > 0 : used_cells(line) > 0;
}

bool line_is_worth_reading(const struct line *line) {
    const uint8_t *characters = line->settings.characters;
    if (has_local(line, ICANON) || characters[VTIME] > 0) {
        return line_is_readable(line);
    }
    return used_cells(line) >= MAX_OF(characters[VMIN], 1u);
}

uint32_t line_available(const struct line *line) {
    if (!has_local(line, ICANON)) {
        return used_cells(line);
    }
    uint32_t count = 0;
    uint32_t seen = 0;
    for (uint32_t at = line->head; at != line->tail && seen < line->delimiters; at++) {
        uint16_t cell = line->cells[at & CELL_MASK];
        seen += (cell & MARK_DELIMITER) != 0;
        count += !(cell & MARK_EOF);
    }
    return count;
}

static uint32_t read_canonical(struct line *line, uint8_t *to, uint32_t capacity) {
    uint32_t count = 0;
    while (line->delimiters > 0) {
        uint16_t cell = line->cells[line->head & CELL_MASK];
        if (cell & MARK_EOF) {
            // An end of file behind bytes only ends this read; it is consumed with them.
            line->head++;
            line->delimiters--;
            break;
        }
        if (count == capacity) {
            break;
        }
        to[count++] = (uint8_t)cell;
        line->head++;
        if (cell & MARK_DELIMITER) {
            line->delimiters--;
            break;
        }
    }
    return count;
}

uint32_t line_read(struct line *line, uint8_t *to, uint32_t capacity) {
    if (has_local(line, ICANON)) {
        return read_canonical(line, to, capacity);
    }
    uint32_t count = 0;
    while (count < capacity && used_cells(line) > 0) {
        to[count++] = (uint8_t)line->cells[line->head & CELL_MASK];
        line->head++;
    }
    return count;
}

// Output ------------------------------------------------------------------------------------------

static uint32_t output_tab(struct line *line, uint8_t *out) {
    uint32_t next = (line->column | 7) + 1;
    uint32_t count = next - line->column;
    line->column = next;
    if ((line->settings.output & TABDLY) != TABDLY) {
        out[0] = '\t';
        return 1;
    }
    memset(out, ' ', count);
    return count;
}

uint32_t line_output(struct line *line, uint8_t byte, uint8_t *out) {
    uint32_t flags = line->settings.output;
    if (!(flags & OPOST)) {
        out[0] = byte;
        return 1;
    }
    switch (byte) {
    case '\n':
        if (flags & (ONLCR | ONLRET)) {
            line->column = 0;
        }
        out[0] = '\r';
        out[(flags & ONLCR) ? 1 : 0] = '\n';
        return (flags & ONLCR) ? 2 : 1;
    case '\r':
        if ((flags & ONOCR) && line->column == 0) {
            return 0;
        }
        out[0] = (flags & OCRNL) ? '\n' : '\r';
        line->column = (flags & OCRNL) && !(flags & ONLRET) ? line->column : 0;
        return 1;
    case '\t':
        return output_tab(line, out);
    case '\b':
        line->column -= line->column > 0;
        break;
    default:
        if ((flags & OLCUC) && byte >= 'a' && byte <= 'z') {
            byte = (uint8_t)(byte - ('a' - 'A'));
        }
        line->column += byte >= 32 && byte != 127 && (byte & 0xc0) != 0x80;
        break;
    }
    out[0] = byte;
    return 1;
}

// Settings ----------------------------------------------------------------------------------------

// Leaving canonical mode: all bytes become readable, end-of-file marks go.
static void drop_marks(struct line *line) {
    uint32_t to = line->head;
    for (uint32_t at = line->head; at != line->tail; at++) {
        uint16_t cell = line->cells[at & CELL_MASK];
        if (!(cell & MARK_EOF)) {
            line->cells[to & CELL_MASK] = cell & 0xff;
            to++;
        }
    }
    line->tail = to;
    line->delimiters = 0;
}

void line_set(struct line *line, const struct termios *settings) {
    bool was = has_local(line, ICANON);
    line->settings = *settings;
    bool is = has_local(line, ICANON);
    if (was && !is) {
        drop_marks(line);
    } else if (!was && is && used_cells(line) > 0) {
        // What raw mode left behind is one line that ends here.
        line->cells[(line->tail - 1) & CELL_MASK] |= MARK_DELIMITER;
        line->delimiters = 1;
    }
    if (!has_input(line, IXON)) {
        line->stopped = false;
    }
}
