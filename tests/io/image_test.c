/* JPEG headers that cost more than they look, or that are of a kind which is not read. What decodes is set against Pillow in nn/data_files_test.c. */
#include "io/support.h"
#include "io/image.h"

/* The beginning of a JPEG, up to its first scan; Adobe's marker says how four components are mixed (-1: no marker). */
static const char *jpeg_header(bool progressive, int components, int height, int width, int adobe)
{
    uint8_t b[80] = {0xFF, 0xD8};
    size_t n = 2;
    if (adobe >= 0) {
        const uint8_t marker[] = {0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, (uint8_t)adobe};
        memcpy(b + n, marker, sizeof marker);
        n += sizeof marker;
    }
    const uint8_t frame[] = {0xFF, progressive ? 0xC2 : 0xC0, 0, (uint8_t)(8 + 3 * components), 8, (uint8_t)(height >> 8), (uint8_t)height,
                             (uint8_t)(width >> 8), (uint8_t)width, (uint8_t)components};
    memcpy(b + n, frame, sizeof frame);
    n += sizeof frame;
    for (int c = 1; c <= components; c++, n += 3)
        memcpy(b + n, (const uint8_t[]){(uint8_t)c, 0x11, 0}, 3);
    const uint8_t scan[] = {0xFF, 0xDA, 0, (uint8_t)(6 + 2 * components), (uint8_t)components};
    memcpy(b + n, scan, sizeof scan);
    n += sizeof scan;
    for (int c = 1; c <= components; c++, n += 2)
        memcpy(b + n, (const uint8_t[]){(uint8_t)c, 0}, 2);
    memcpy(b + n, (const uint8_t[]){0, progressive ? 0 : 63, 0}, 3);
    return write_bytes("a.jpg", b, n + 3);
}

static void refused(const char *path, gg_status want, const char *part)
{
    gg_image x;
    const gg_status s = gg_image_read(&x, ctx, path);
    if (s == GG_EUNSUPPORTED && strstr(gg_message(ctx), "built without PNG and JPEG"))
        skip();
    expect_message(part);
    assert_int_equal(s, want);
    assert_null(x.pixel);
}

/* Were the size looked at once decoding has started, these would be "damaged", after gigabytes of coefficients. */
static void a_jpeg_too_large_is_refused_before_it_is_started(void **state)
{
    (void)state;
    refused(jpeg_header(true, 3, 65500, 65500, -1), GG_EFORMAT, "a.jpg: an image of 65500 x 65500 pixels");
    refused(jpeg_header(true, 1, 8193, 8192, -1), GG_EFORMAT, "a.jpg: an image of 8192 x 8193 pixels");
    refused(jpeg_header(false, 3, 20000, 30000, -1), GG_EFORMAT, "a.jpg: an image of 30000 x 20000 pixels");
    refused(jpeg_header(true, 1, 16, 16, -1), GG_EFORMAT, "a.jpg: a damaged JPEG: "); /* of a size that is read, it gets there */
}

static void a_jpeg_of_four_inks_is_not_called_damaged(void **state)
{
    (void)state;
    refused(jpeg_header(false, 4, 16, 16, -1), GG_EUNSUPPORTED, "a.jpg: a JPEG of four inks (CMYK)");
    refused(jpeg_header(false, 4, 16, 16, 0), GG_EUNSUPPORTED, "a.jpg: a JPEG of four inks (CMYK)");
    refused(jpeg_header(true, 4, 16, 16, 2), GG_EUNSUPPORTED, "a.jpg: a JPEG of four inks (CMYK)"); /* YCCK */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jpeg_too_large_is_refused_before_it_is_started),
        cmocka_unit_test(a_jpeg_of_four_inks_is_not_called_damaged),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
