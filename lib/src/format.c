// SPDX-License-Identifier: MIT OR Apache-2.0
// format.c: one pass over the format; each conversion is first read into a `struct conversion`,
// then put out as padding, prefix, zeros and body.
#include <lib/format.h>
#include <lib/string.h>

#define DIGITS_MAX 24u   // of 2^64 - 1 in base 10, with room
#define WIDTH_MAX  4096u // a larger width or precision is a mistake, and would flood the log

struct output {
    format_sink_t sink;
    void *context;
    size_t total;
};

enum length { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG };

struct conversion {
    bool left;
    bool zero;
    bool plus;
    bool space;
    bool alternative;
    bool has_precision;
    size_t width;
    size_t precision;
    enum length length;
};

static void put(struct output *output, const char *text, size_t length) {
    if (length != 0) {
        output->sink(output->context, text, length);
        output->total += length;
    }
}

static void put_repeated(struct output *output, char character, size_t count) {
    char run[32];
    memset(run, character, sizeof(run));
    while (count != 0) {
        size_t part = MIN_OF(count, sizeof(run));
        put(output, run, part);
        count -= part;
    }
}

// Puts the text with spaces around it up to the width.
static void put_text(struct output *output, const struct conversion *conversion, const char *text,
                     size_t length) {
    size_t padding = conversion->width > length ? conversion->width - length : 0;
    if (!conversion->left) {
        put_repeated(output, ' ', padding);
    }
    put(output, text, length);
    if (conversion->left) {
        put_repeated(output, ' ', padding);
    }
}

// Puts a number: `prefix` is its sign or its 0x.
static void put_number(struct output *output, const struct conversion *conversion,
                       const char *prefix, uint64_t value, unsigned base, bool upper) {
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char body[DIGITS_MAX];
    size_t start = sizeof(body);
    for (; value != 0; value /= base) {
        body[--start] = digits[value % base];
    }
    size_t length = sizeof(body) - start;
    size_t wanted = conversion->has_precision ? conversion->precision : 1;
    size_t zeros = wanted > length ? wanted - length : 0;
    size_t prefix_length = strlen(prefix);
    size_t whole = prefix_length + zeros + length;
    size_t padding = conversion->width > whole ? conversion->width - whole : 0;
    if (conversion->zero && !conversion->left && !conversion->has_precision) {
        zeros += padding;
        padding = 0;
    }
    if (!conversion->left) {
        put_repeated(output, ' ', padding);
    }
    put(output, prefix, prefix_length);
    put_repeated(output, '0', zeros);
    put(output, body + start, length);
    if (conversion->left) {
        put_repeated(output, ' ', padding);
    }
}

static void put_signed(struct output *output, const struct conversion *conversion, int64_t value) {
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    const char *prefix = value < 0 ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";
    put_number(output, conversion, prefix, magnitude, 10, false);
}

static void put_hex(struct output *output, const struct conversion *conversion, uint64_t value,
                    bool upper) {
    bool has_prefix = conversion->alternative && value != 0;
    const char *prefix = !has_prefix ? "" : upper ? "0X" : "0x";
    put_number(output, conversion, prefix, value, 16, upper);
}

static const char *read_flags(const char *format, struct conversion *conversion) {
    for (;; format++) {
        switch (*format) {
        case '-':
            conversion->left = true;
            break;
        case '0':
            conversion->zero = true;
            break;
        case '+':
            conversion->plus = true;
            break;
        case ' ':
            conversion->space = true;
            break;
        case '#':
            conversion->alternative = true;
            break;
        default:
            return format;
        }
    }
}

static const char *read_digits(const char *format, size_t *out_value) {
    size_t value = 0;
    for (; *format >= '0' && *format <= '9'; format++) {
        value = MIN_OF(value * 10 + (size_t)(*format - '0'), (size_t)WIDTH_MAX);
    }
    *out_value = value;
    return format;
}

static const char *read_length(const char *format, struct conversion *conversion) {
    switch (*format) {
    case 'h':
        conversion->length = format[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        return format + (format[1] == 'h' ? 2 : 1);
    case 'l':
        conversion->length = LENGTH_LONG;
        return format + (format[1] == 'l' ? 2 : 1);
    case 'z':
    case 't':
    case 'j':
        conversion->length = LENGTH_LONG;
        return format + 1;
    default:
        return format;
    }
}

// va_list is an array on some machines and a struct on others; inside a struct it can be passed on
// by reference everywhere.
struct arguments {
    va_list list;
};
_Static_assert(sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(size_t) == 8,
               "l, ll, z, t and j are read as one 64-bit type");

static int64_t next_signed(struct arguments *arguments, enum length length) {
    if (length == LENGTH_LONG) {
        return va_arg(arguments->list, int64_t);
    }
    int value = va_arg(arguments->list, int);
    return length == LENGTH_CHAR    ? (signed char)value
           : length == LENGTH_SHORT ? (short)value
                                    : value;
}

static uint64_t next_unsigned(struct arguments *arguments, enum length length) {
    if (length == LENGTH_LONG) {
        return va_arg(arguments->list, uint64_t);
    }
    unsigned value = va_arg(arguments->list, unsigned);
    return length == LENGTH_CHAR    ? (unsigned char)value
           : length == LENGTH_SHORT ? (unsigned short)value
                                    : value;
}

// Reads flags, width, precision and length.
static const char *read_conversion(const char *format, struct conversion *conversion,
                                   struct arguments *arguments) {
    format = read_flags(format, conversion);
    if (*format == '*') {
        int width = va_arg(arguments->list, int);
        conversion->left = conversion->left || width < 0;
        uint64_t magnitude = width < 0 ? 0 - (uint64_t)width : (uint64_t)width;
        conversion->width = MIN_OF(magnitude, WIDTH_MAX);
        format++;
    } else {
        format = read_digits(format, &conversion->width);
    }
    if (*format == '.') {
        format++;
        conversion->has_precision = true;
        if (*format == '*') {
            int precision = va_arg(arguments->list, int);
            conversion->has_precision = precision >= 0;
            conversion->precision = precision < 0 ? 0 : MIN_OF((size_t)precision, WIDTH_MAX);
            format++;
        } else {
            format = read_digits(format, &conversion->precision);
        }
    }
    return read_length(format, conversion);
}

static void put_string(struct output *output, const struct conversion *conversion,
                       const char *text) {
    if (text == NULL) {
        text = "(null)";
    }
    // With a precision the text need not be terminated.
    size_t length = conversion->has_precision ? strnlen(text, conversion->precision) : strlen(text);
    put_text(output, conversion, text, length);
}

// Puts one conversion out; false if there is no such letter.
static bool put_conversion(struct output *output, char letter, struct conversion *conversion,
                           struct arguments *arguments) {
    switch (letter) {
    case 'd':
    case 'i':
        put_signed(output, conversion, next_signed(arguments, conversion->length));
        return true;
    case 'u':
        put_number(output, conversion, "", next_unsigned(arguments, conversion->length), 10, false);
        return true;
    case 'x':
    case 'X':
        put_hex(output, conversion, next_unsigned(arguments, conversion->length), letter == 'X');
        return true;
    case 'p':
        put_number(output, conversion, "0x", (uintptr_t)va_arg(arguments->list, void *), 16, false);
        return true;
    case 'c': {
        char character = (char)va_arg(arguments->list, int);
        put_text(output, conversion, &character, 1);
        return true;
    }
    case 's':
        put_string(output, conversion, va_arg(arguments->list, const char *));
        return true;
    case '%':
        put(output, "%", 1);
        return true;
    default:
        return false;
    }
}

size_t format_to_sink(format_sink_t sink, void *sink_context, const char *format,
                      va_list arguments) {
    struct output output = { .sink = sink, .context = sink_context };
    struct arguments copy;
    va_copy(copy.list, arguments);
    while (*format != '\0') {
        const char *start = format;
        while (*format != '\0' && *format != '%') {
            format++;
        }
        put(&output, start, (size_t)(format - start));
        if (*format == '\0') {
            break;
        }
        start = format;
        struct conversion conversion = { 0 };
        format = read_conversion(format + 1, &conversion, &copy);
        if (*format != '\0' && put_conversion(&output, *format, &conversion, &copy)) {
            format++;
        } else {
            put(&output, start, (size_t)(format - start));
        }
    }
    va_end(copy.list);
    return output.total;
}

struct buffer {
    char *text;
    size_t capacity;
    size_t length;
};

static void buffer_sink(void *context, const char *text, size_t length) {
    struct buffer *buffer = context;
    if (buffer->length < buffer->capacity) {
        memcpy(buffer->text + buffer->length, text,
               MIN_OF(length, buffer->capacity - buffer->length));
    }
    buffer->length += length;
}

size_t format_string_list(char *buffer, size_t capacity, const char *format, va_list arguments) {
    struct buffer target = { .text = buffer, .capacity = capacity };
    size_t length = format_to_sink(buffer_sink, &target, format, arguments);
    if (capacity != 0) {
        buffer[MIN_OF(length, capacity - 1)] = '\0';
    }
    return length;
}

size_t format_string(char *buffer, size_t capacity, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_string_list(buffer, capacity, format, arguments);
    va_end(arguments);
    return length;
}
