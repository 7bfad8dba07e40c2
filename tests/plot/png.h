/* Reads the PNG files that gnuplot writes (8 bits a channel, not interlaced) after the specification, and refuses what is not whole: every check
 * sum is compared, every byte of picture data must be there, and IEND must be the end of the file. */
#ifndef GG_TESTS_PLOT_PNG_H
#define GG_TESTS_PLOT_PNG_H
#include "plot/support.h"
#include <zlib.h>

typedef struct png {
    int width, height;
    uint8_t *rgb; /* (height, width, 3), over white */
} png;

static inline uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline int paeth(int a, int b, int c)
{
    const int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

static inline png png_read(const char *name)
{
    size_t n;
    uint8_t *file = (uint8_t *)read_file(&n, at(name));
    if (n < 45 || memcmp(file, "\x89PNG\r\n\x1a\n", 8) != 0)
        fail_msg("%s is no PNG", name);
    const uint8_t *head = NULL;
    uint8_t *packed = malloc(n);
    size_t n_packed = 0, at = 8;
    bool ended = false;
    while (!ended) {
        assert_true(at + 12 <= n);
        const size_t length = big_endian(file + at);
        assert_true(length <= n - at - 12);
        const uint8_t *type = file + at + 4;
        assert_int_equal(crc32(0, type, (uInt)length + 4), big_endian(type + 4 + length));
        if (memcmp(type, "IHDR", 4) == 0)
            head = type + 4;
        if (memcmp(type, "IDAT", 4) == 0) {
            memcpy(packed + n_packed, type + 4, length);
            n_packed += length;
        }
        ended = memcmp(type, "IEND", 4) == 0;
        at += length + 12;
    }
    assert_int_equal(at, n);
    assert_non_null(head);
    const int channels = head[9] == 6 ? 4 : 3;
    assert_true(head[8] == 8 && (head[9] == 2 || head[9] == 6) && head[12] == 0);
    png p = {.width = (int)big_endian(head), .height = (int)big_endian(head + 4)};
    const size_t row = (size_t)p.width * (size_t)channels;
    uLongf size = (uLongf)((row + 1) * (size_t)p.height);
    const uLongf expected = size;
    uint8_t *raw = malloc(size), *blank = calloc(1, row);
    assert_int_equal(uncompress(raw, &size, packed, (uLong)n_packed), Z_OK);
    assert_int_equal(size, expected);
    p.rgb = malloc(3 * (size_t)p.width * (size_t)p.height);
    const uint8_t *above = blank;
    for (int y = 0; y < p.height; y++) {
        uint8_t *line = raw + (size_t)y * (row + 1), filter = *line++;
        assert_true(filter <= 4);
        for (size_t i = 0; i < row; i++) {
            const int a = i >= (size_t)channels ? line[i - (size_t)channels] : 0, b = above[i], c = i >= (size_t)channels ? above[i - (size_t)channels] : 0;
            const int add[] = {0, a, b, (a + b) / 2, paeth(a, b, c)};
            line[i] = (uint8_t)(line[i] + add[filter]);
        }
        for (int x = 0; x < p.width; x++)
            for (int k = 0; k < 3; k++) {
                const uint8_t *pixel = line + x * channels;
                const int alpha = channels == 4 ? pixel[3] : 255;
                p.rgb[3 * ((size_t)y * (size_t)p.width + (size_t)x) + (size_t)k] = (uint8_t)((pixel[k] * alpha + 255 * (255 - alpha)) / 255);
            }
        above = line;
    }
    free(raw);
    free(blank);
    free(packed);
    free(file);
    return p;
}

static inline int png_at(const png *p, int x, int y) /* 0xRRGGBB */
{
    const uint8_t *c = p->rgb + 3 * ((size_t)y * (size_t)p->width + (size_t)x);
    return c[0] << 16 | c[1] << 8 | c[2];
}

/* Pixels of a colour, each channel at most `tolerance` away; box: the smallest rectangle around them (x0, y0, x1, y1). */
static inline int64_t png_count(const png *p, int colour, int tolerance, int box[4])
{
    int64_t n = 0;
    int b[4] = {p->width, p->height, -1, -1};
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            const int c = png_at(p, x, y);
            if (abs((c >> 16) - (colour >> 16)) > tolerance || abs((c >> 8 & 255) - (colour >> 8 & 255)) > tolerance ||
                abs((c & 255) - (colour & 255)) > tolerance)
                continue;
            n++;
            b[0] = x < b[0] ? x : b[0];
            b[1] = y < b[1] ? y : b[1];
            b[2] = x > b[2] ? x : b[2];
            b[3] = y > b[3] ? y : b[3];
        }
    if (box)
        memcpy(box, b, sizeof b);
    return n;
}

static inline void png_free(png *p)
{
    free(p->rgb);
    p->rgb = NULL;
}
#endif
