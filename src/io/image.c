/* Reads images into bytes, a plane a channel. Owns nothing.
 *
 *     PGM, PPM (netpbm.sourceforge.net): P2 P3 text, P5 P6 bytes; width height maximum, '#' begins a comment; values become 0..255
 *     PNG through libpng, JPEG through libjpeg: grey stays grey, all else becomes red, green, blue; what is transparent stands on black
 * Traps: libjpeg ends the program on an error unless it is caught; a truncated JPEG decodes to grey with a warning, which is taken for an error here;
 * a header of ten bytes can claim gigabytes, and libjpeg takes memory for a whole progressive image as soon as it starts: its size is checked before.
 */
#include "io/image.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/stream.h"
#include "io/tensors.h"
#include <stdio.h>
#ifdef GG_HAVE_IMAGES
#include <jpeglib.h>
#include <png.h>
#include <setjmp.h>
#endif

enum { PIXELS_MAX = 1 << 26 };

bool gg_image_is_named(const char *path)
{
    static const char *const endings[] = {".pgm", ".ppm", ".pnm", ".png", ".jpg", ".jpeg"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (gg_name_ends(path, endings[i]))
            return true;
    return false;
}

static gg_status start(gg_image *x, gg_context *ctx, const char *path, int64_t channels, int64_t height, int64_t width)
{
    if (height < 1 || width < 1 || height > PIXELS_MAX || width > PIXELS_MAX || height * width > PIXELS_MAX)
        return gg_fail(ctx, GG_EFORMAT, "%s: an image of %lld x %lld pixels", path, (long long)width, (long long)height);
    *x = (gg_image){channels, height, width, gg_alloc(ctx, gg_mul(channels, height * width))};
    return x->pixel ? GG_OK : GG_ENOMEM;
}

/* --- PGM, PPM ------------------------------------------------------------------------------------------------------------------------------- */
typedef struct pnm {
    const uint8_t *data;
    size_t at, size;
} pnm;

static bool blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* A number of the header, or of a text image. -1: none there. */
static int64_t take_number(pnm *p)
{
    while (p->at < p->size && (blank(p->data[p->at]) || p->data[p->at] == '#')) {
        if (p->data[p->at] == '#')
            while (p->at < p->size && p->data[p->at] != '\n')
                p->at++;
        else
            p->at++;
    }
    int64_t v = -1;
    for (; p->at < p->size && p->data[p->at] >= '0' && p->data[p->at] <= '9' && v < PIXELS_MAX; p->at++)
        v = (v < 0 ? 0 : v * 10) + (p->data[p->at] - '0');
    return v;
}

static gg_status read_pnm(gg_image *x, gg_context *ctx, const char *path, const uint8_t *data, size_t size)
{
    pnm p = {data, 2, size};
    const bool text = data[1] < '4';
    const int64_t channels = data[1] == '3' || data[1] == '6' ? 3 : 1, width = take_number(&p), height = take_number(&p), most = take_number(&p);
    if (width < 1 || height < 1 || most < 1)
        return gg_fail(ctx, GG_EFORMAT, "%s: byte %zu: expected width, height and the largest value", path, p.at);
    if (most > 255)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: values to %lld; golgi reads images of 8 bits", path, (long long)most);
    const size_t need = gg_mul((int64_t)gg_mul(width, height), channels), left = p.size - p.at;
    if (text ? need > left : !left || need > left - 1) /* text: a digit and a blank at least */
        return gg_fail(ctx, GG_EFORMAT, "%s: cut off: %lld x %lld pixels need %zu bytes, %zu are left", path, (long long)width, (long long)height, need, left);
    GG_TRY(start(x, ctx, path, channels, height, width));
    p.at++; /* one blank */
    for (int64_t i = 0; i < height * width * channels; i++) {
        const int64_t v = text ? take_number(&p) : p.data[p.at + (size_t)i];
        if (v < 0)
            return gg_fail(ctx, GG_EFORMAT, "%s: value %lld of its pixels is missing", path, (long long)i);
        if (v > most)
            return gg_fail(ctx, GG_EFORMAT, "%s: value %lld of its pixels is %lld: 0..%lld", path, (long long)i, (long long)v, (long long)most);
        x->pixel[(i % channels) * height * width + i / channels] = (uint8_t)(most == 255 ? v : (v * 255 + most / 2) / most);
    }
    return GG_OK;
}

/* --- PNG, JPEG ------------------------------------------------------------------------------------------------------------------------------- */
#ifdef GG_HAVE_IMAGES
/* (height, width, channels), as files have it, to planes */
static void to_planes(gg_image *x, const uint8_t *row, int64_t y)
{
    for (int64_t c = 0; c < x->channels; c++)
        for (int64_t i = 0; i < x->width; i++)
            x->pixel[(c * x->height + y) * x->width + i] = row[i * x->channels + c];
}

static gg_status read_png(gg_image *x, gg_context *ctx, const char *path, const uint8_t *data, size_t size)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    gg_status s = GG_OK;
    uint8_t *pixel = NULL;
    if (!png_image_begin_read_from_memory(&image, data, size))
        return gg_fail(ctx, GG_EFORMAT, "%s: no PNG that can be read: %s", path, image.message);
    const bool colour = image.format & PNG_FORMAT_FLAG_COLOR;
    s = start(x, ctx, path, colour ? 3 : 1, image.height, image.width);
    image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    if (s == GG_OK && !(pixel = gg_alloc(ctx, PNG_IMAGE_SIZE(image))))
        s = GG_ENOMEM;
    if (s == GG_OK && !png_image_finish_read(&image, &(png_color){0, 0, 0}, pixel, 0, NULL))
        s = gg_fail(ctx, GG_EFORMAT, "%s: a damaged PNG: %s", path, image.message);
    for (int64_t y = 0; s == GG_OK && y < x->height; y++)
        to_planes(x, pixel + y * x->width * x->channels, y);
    png_image_free(&image);
    gg_drop(ctx, pixel);
    return s;
}

typedef struct jpeg {
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
} jpeg;

static void jpeg_failed(j_common_ptr c)
{
    jpeg *j = c->client_data;
    c->err->format_message(c, j->message);
    longjmp(j->back, 1);
}

static void jpeg_said(j_common_ptr c, int level)
{
    if (level < 0) /* a warning: data are missing or damaged */
        jpeg_failed(c);
}

/* What may be changed between setjmp and longjmp lives in *x and *row. */
static gg_status decode_jpeg(gg_image *x, uint8_t **row, jpeg *j, gg_context *ctx, const char *path, const uint8_t *data, size_t size)
{
    if (setjmp(j->back))
        return gg_fail(ctx, GG_EFORMAT, "%s: a damaged JPEG: %s", path, j->message);
    jpeg_create_decompress(&j->d);
    jpeg_mem_src(&j->d, data, size);
    jpeg_read_header(&j->d, TRUE);
    if (j->d.jpeg_color_space == JCS_CMYK || j->d.jpeg_color_space == JCS_YCCK)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: a JPEG of four inks (CMYK); golgi reads grey and colour: convert it to RGB", path);
    const bool grey = j->d.jpeg_color_space == JCS_GRAYSCALE;
    j->d.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    GG_TRY(start(x, ctx, path, grey ? 1 : 3, j->d.image_height, j->d.image_width));
    jpeg_start_decompress(&j->d);
    if (!(*row = gg_alloc(ctx, gg_mul(x->channels, x->width))))
        return GG_ENOMEM;
    while (j->d.output_scanline < j->d.output_height) {
        const int64_t y = j->d.output_scanline;
        jpeg_read_scanlines(&j->d, row, 1);
        to_planes(x, *row, y);
    }
    jpeg_finish_decompress(&j->d);
    return GG_OK;
}

static gg_status read_jpeg(gg_image *x, gg_context *ctx, const char *path, const uint8_t *data, size_t size)
{
    jpeg *j = gg_new(ctx, jpeg, 1);
    uint8_t *row = NULL;
    if (!j)
        return GG_ENOMEM;
    j->d.err = jpeg_std_error(&j->errors);
    j->d.client_data = j;
    j->errors.error_exit = jpeg_failed;
    j->errors.emit_message = jpeg_said;
    const gg_status s = decode_jpeg(x, &row, j, ctx, path, data, size);
    jpeg_destroy_decompress(&j->d);
    gg_drop(ctx, row);
    gg_drop(ctx, j);
    return s;
}
#else
static gg_status read_png(gg_image *x, gg_context *ctx, const char *path, const uint8_t *data, size_t size)
{
    (void)x, (void)data, (void)size;
    return gg_fail(ctx, GG_EUNSUPPORTED, "%s: this golgi was built without PNG and JPEG (libpng-dev, libjpeg-dev); convert it to .pgm or .ppm", path);
}
#define read_jpeg read_png
#endif

static gg_status read_image(gg_image *x, gg_context *ctx, const char *path, const uint8_t *b, size_t n)
{
    char begin[GG__SHOWN];
    if (n >= 2 && b[0] == 'P' && (b[1] == '2' || b[1] == '3' || b[1] == '5' || b[1] == '6'))
        return read_pnm(x, ctx, path, b, n);
    if (n >= 8 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0)
        return read_png(x, ctx, path, b, n);
    if (n >= 3 && memcmp(b, "\xff\xd8\xff", 3) == 0)
        return read_jpeg(x, ctx, path, b, n);
    return gg_fail(ctx, GG_EFORMAT, "%s: no image that golgi knows: it begins with %s; expected PGM, PPM, PNG or JPEG", path, gg__begin(begin, b, n));
}

gg_status gg_image_read(gg_image *out, gg_context *ctx, const char *path)
{
    gg_map map;
    *out = (gg_image){0};
    GG_TRY(gg_map_open(&map, ctx, path));
    const gg_status s = read_image(out, ctx, path, map.data, map.size);
    gg_map_close(&map);
    if (s != GG_OK)
        gg_image_free(out, ctx);
    return s;
}

void gg_image_free(gg_image *x, gg_context *ctx)
{
    gg_drop(ctx, x->pixel);
    *x = (gg_image){0};
}
