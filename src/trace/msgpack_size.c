#include "trace/msgpack_size.h"

#include <stdbool.h>
#include <stdint.h>

enum { DEEPEST = 16 };

/* What the first byte says: bytes of a length behind it, bytes that follow in any case, values inside. */
struct form {
    unsigned length, fixed;  /* bytes */
    uint64_t payload;        /* bytes that follow */
    uint64_t values;
    unsigned each;           /* values for every one that the length counts (maps: 2); 0: it counts bytes */
    bool bad;
};

static struct form form_of(uint8_t b)
{
    if (b <= 0x7f || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3)
        return (struct form){0};
    if (b <= 0x8f)
        return (struct form){.values = (b & 15u) * 2};
    if (b <= 0x9f)
        return (struct form){.values = b & 15u};
    if (b <= 0xbf)
        return (struct form){.payload = b & 31u};
    switch (b) {
    case 0xc4: case 0xc5: case 0xc6: return (struct form){.length = 1u << (b - 0xc4)};             /* bin */
    case 0xc7: case 0xc8: case 0xc9: return (struct form){.length = 1u << (b - 0xc7), .fixed = 1}; /* ext */
    case 0xca: return (struct form){.payload = 4};
    case 0xcb: return (struct form){.payload = 8};
    case 0xcc: case 0xcd: case 0xce: case 0xcf: return (struct form){.payload = 1u << (b - 0xcc)};
    case 0xd0: case 0xd1: case 0xd2: case 0xd3: return (struct form){.payload = 1u << (b - 0xd0)};
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return (struct form){.payload = 1 + (1u << (b - 0xd4))};
    case 0xd9: case 0xda: case 0xdb: return (struct form){.length = 1u << (b - 0xd9)};             /* str */
    case 0xdc: case 0xdd: return (struct form){.length = 2u << (b - 0xdc), .each = 1};             /* array */
    case 0xde: case 0xdf: return (struct form){.length = 2u << (b - 0xde), .each = 2};             /* map */
    default: return (struct form){.bad = true};
    }
}

static uint64_t big_endian(const char *bytes, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | (uint8_t)bytes[i];
    return v;
}

/* 0: *cut says whether there are only too few bytes. */
static size_t size_at(const char *bytes, size_t len, int depth, bool *cut)
{
    if (depth > DEEPEST) {
        *cut = false;
        return 0;
    }
    struct form f = len > 0 ? form_of((uint8_t)bytes[0]) : (struct form){0};
    *cut = !f.bad;
    if (f.bad || len < 1 + (size_t)f.length)
        return 0;
    uint64_t counted = big_endian(bytes + 1, f.length), values = f.values + counted * f.each;
    uint64_t payload = f.payload + f.fixed + (f.each == 0 ? counted : 0);
    size_t at = 1 + f.length;
    if (payload > len - at || values > len - at) /* every value is a byte at least */
        return 0;
    at += payload;
    for (; values > 0; values--) {
        size_t n = size_at(bytes + at, len - at, depth + 1, cut);
        if (n == 0)
            return 0;
        at += n;
    }
    return at;
}

size_t msgpack_size(const char *bytes, size_t len, bool *cut)
{
    *cut = false;
    return size_at(bytes, len, 0, cut);
}
