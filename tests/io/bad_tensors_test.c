/* Tensor files that are damaged, foreign or hostile: each ends in a message that says what is wrong and where, and never in a read outside of the file
 * (every input lies in exactly as many bytes as it has, so that a sanitizer sees the next one) or in an allocation that the file's size does not bound.
 */
#include "io/tensor_files.h"

/* Parses n bytes from memory of exactly that size. *peak: the most bytes held meanwhile. */
static gg_status parse_exactly(const void *data, size_t n, const char *name, size_t *peak)
{
    static gg_context *c; /* its own, so that the peak is this file's */
    gg_context_free(c);
    assert_int_equal(gg_context_create(&c, &(gg_context_options){.n_threads = 1}), GG_OK);
    const size_t before = gg_context_bytes(c, NULL);
    uint8_t *own = malloc(n ? n : 1);
    memcpy(own, data, n);
    gg_tensors *t = NULL;
    const gg_status s = gg__tensors_parse(&t, c, own, n, name);
    if (s == GG_OK)
        touch(t);
    else if (t || !gg_message(c)[0])
        fail_msg("%s: a failure without a message, or with a result", name);
    if (s != GG_OK)
        gg_fail(ctx, s, "%s", gg_message(c));
    gg_tensors_free(t);
    free(own);
    assert_int_equal(gg_context_bytes(c, peak), before);
    *peak -= before;
    gg_context_free(c);
    c = NULL;
    return s;
}

static void expect_refused_part(const bytes *b, const char *name, gg_status want, const char *message)
{
    size_t peak;
    const gg_status s = parse_exactly(b->at, b->n, name, &peak);
    if (s != want || !strstr(gg_message(ctx), message))
        fail_msg("%s: expected %s \"%s\", found %s \"%s\"", name, gg_status_name(want), message, gg_status_name(s), gg_message(ctx));
    if (strncmp(gg_message(ctx), name, strlen(name)) != 0)
        fail_msg("the message \"%s\" does not begin with the file", gg_message(ctx));
    assert_in_range(peak, 0, 300000); /* arena blocks of 64 KiB and small tables; no count of the file sized it */
}

/* A file of this header and n_data zero bytes, and what is said to it. */
typedef struct damage {
    const char *header;
    size_t n_data;
    gg_status status;
    const char *message;
} damage;

static void expect_refused(const damage *files, size_t n, bytes (*make)(const char *header, size_t n_data), const char *name)
{
    for (size_t i = 0; i < n; i++) {
        const bytes b = make(files[i].header, files[i].n_data);
        expect_refused_part(&b, name, files[i].status, files[i].message);
    }
}

/* ---- foreign files ---- */

static void foreign_files_are_shown_with_what_they_begin_with(void **state)
{
    (void)state;
    static const struct {
        const char *name, *begin, *message;
    } files[] = {
        {"m.gguf", "", "the file is empty; expected GGUF"},
        {"m.gguf", "hello, world", "is not a GGUF file: it begins with 68 65 6c 6c 6f 2c 20 77 (\"hello, w\"); expected \"GGUF\""},
        {"m.gguf", "GG", "is not a GGUF file: it begins with 47 47 (\"GG\"); expected \"GGUF\""},
        {"m.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:", "It is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"},
        {"m.gguf", "<!DOCTYPE html>", "It is a web page: the download failed"},
        {"m.gguf", "tjgg\3", "older than GGUF"},
        {"m.safetensors", "", "the file is empty; expected"},
        {"m.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:", "It is a Git LFS pointer"},
        {"m.safetensors", "\x1f\x8b\x08",
         "is not a safetensors file: it begins with 1f 8b 08 (\"...\"); expected 8 bytes of header length and \"{\". It is compressed with gzip"},
        {"m.npy", "text", "is not an NPY file: it begins with 74 65 78 74 (\"text\")"},
        {"m.npz", "text", "is not an NPZ file"},
        {"model", "\x80\x02}q\x01", "expected GGUF, safetensors or NumPy (.npy, .npz). It looks like a Python pickle"},
        {"model", "\x89HDF\r\n", "It is an HDF5 file"},
        {"model", "\x28\xb5\x2f\xfd", "It is compressed with zstd"},
        {"model", "x", "no known tensor file: it begins with 78 (\"x\")"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        bytes b = {.n = 0};
        put(&b, files[i].begin, strlen(files[i].begin));
        expect_refused_part(&b, files[i].name, GG_EFORMAT, files[i].message);
    }
}

/* ---- GGUF ---- */

static void damaged_heads_and_keys_of_gguf(void **state)
{
    (void)state;
    bytes b = gguf_head(1, 0, 0);
    expect_refused_part(&b, "m.gguf", GG_EUNSUPPORTED, "GGUF version 1; golgi reads versions 2 and 3");
    b = gguf_head(4, 0, 0);
    expect_refused_part(&b, "m.gguf", GG_EUNSUPPORTED, "GGUF version 4; golgi reads versions 2 and 3");
    b = gguf_head(0x03000000, 0, 0);
    expect_refused_part(&b, "m.gguf", GG_EUNSUPPORTED, "a big-endian GGUF file (version 3");
    b = gguf_head(3, 0, UINT64_MAX);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "announces 18446744073709551615 metadata keys, but only 0 bytes follow");
    b = gguf_head(3, UINT64_MAX / 2, 0);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "announces 9223372036854775807 tensors, but only 0 bytes follow");
    b = gguf_head(3, 1000, 0);
    put_zeros(&b, 1000 * 24 - 20000);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "announces 1000 tensors, but only");

    b = gguf_head(3, 0, 1);
    put_u64(&b, UINT64_MAX);
    put_zeros(&b, 30);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "a metadata key needs 18446744073709551615 bytes at byte 32, the file ends at byte 62");
    b = gguf_head(3, 0, 1);
    put_key(&b, "", 4);
    put_zeros(&b, 4);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "an empty metadata key at byte 24");
    b = gguf_head(3, 0, 1);
    put_key(&b, "k", 13);
    put_zeros(&b, 8);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "key \"k\" has the unknown value type 13 before byte 37; expected 0 to 12");
    b = gguf_head(3, 0, 1);
    put_key(&b, "flag", 7);
    put(&b, "\2", 1);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "key \"flag\" is a truth value of 2 at byte 40; expected 0 or 1");
    b = gguf_head(3, 0, 2);
    for (int i = 0; i < 2; i++) {
        put_key(&b, "same", 4);
        put_u32(&b, 1);
    }
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "the metadata key \"same\" is there twice");
    b = gguf_head(3, 0, 1);
    put_u64(&b, 3);
    put(&b, "a\0b", 3);
    put_u32(&b, 0);
    put_zeros(&b, 1);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "the name of a metadata key has a NUL byte in it (\"a?b\")");
    b = gguf_head(3, 0, 1);
    put_key(&b, "bad\x1b[31m", 99);
    put_zeros(&b, 8);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "key \"bad?[31m\" has the unknown"); /* no escape reaches the terminal */
}

static void damaged_arrays_of_gguf(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        uint64_t n;
        const char *message;
    } arrays[] = {
        {8, UINT64_MAX, "key \"k\" announces 18446744073709551615 texts at byte 49, but only 16 bytes follow"},
        {8, 3, "key \"k\" announces 3 texts at byte 49, but only 16 bytes follow"},
        {4, UINT64_MAX, "an array of \"k\" needs 18446744073709551615 bytes"},
        {10, (UINT64_MAX / 8) + 2, "an array of \"k\" needs"}, /* 8 n wraps to 8 */
        {4, 5, "an array of \"k\" needs 20 bytes at byte 49, the file ends at byte 65"},
        {9, UINT64_MAX, "of \"k\" needs 8 bytes at byte 65, the file ends at byte 65"},
        {13, 1, "unknown value type 13"},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        bytes b = gguf_head(3, 0, 1);
        put_key(&b, "k", 9);
        put_u32(&b, arrays[i].type);
        put_u64(&b, arrays[i].n);
        put_zeros(&b, 16);
        expect_refused_part(&b, "m.gguf", GG_EFORMAT, arrays[i].message);
    }
    bytes b = gguf_head(3, 0, 1); /* an array in an array in ... */
    put_key(&b, "deep", 9);
    for (int i = 0; i < 300; i++) {
        put_u32(&b, 9);
        put_u64(&b, 1);
    }
    expect_refused_part(&b, "m.gguf", GG_EUNSUPPORTED, "key \"deep\" holds arrays more than 4 deep");
}

static void damaged_tensors_of_gguf(void **state)
{
    (void)state;
    static const struct {
        uint64_t columns, rows;
        uint32_t type;
        uint64_t offset;
        gg_status status;
        const char *message;
    } tensors[] = {
        {8, 2, 0, 32, GG_EFORMAT, "tensor \"w\" takes 64 bytes at offset 32 of the data, which begin at byte 96; the file ends at byte 160"},
        {8, 2, 0, 1ull << 63, GG_EFORMAT, "tensor \"w\" takes 64 bytes at offset 9223372036854775808 of the data"},
        {8, 2, 0, UINT64_MAX - 31, GG_EFORMAT, "tensor \"w\" takes 64 bytes"}, /* the sum wraps */
        {8, 3, 0, 0, GG_EFORMAT, "tensor \"w\" takes 96 bytes at offset 0 of the data, which begin at byte 96; the file ends at byte 160"},
        {8, 1, 0, 4, GG_EFORMAT, "begins at offset 4 of the data, which is no multiple of the alignment 32"},
        {1ull << 63, 1, 0, 0, GG_EFORMAT, "tensor \"w\" has an extent of 9223372036854775808"},
        {1ull << 32, 1ull << 31, 0, 0, GG_EFORMAT, "tensor \"w\" has more numbers than 64 bits count"},
        {1ull << 40, 1ull << 40, 0, 0, GG_EFORMAT, "tensor \"w\" has more numbers than 64 bits count"},
        {1ull << 62, 1ull << 2, 0, 0, GG_EFORMAT, "tensor \"w\" has more numbers than 64 bits count"},
        {31, 2, 2, 0, GG_EFORMAT, "tensor \"w\" has rows of 31 numbers; Q4_0 needs whole blocks of 32"},
        {16, 2, 3, 0, GG_EFORMAT, "tensor \"w\" has rows of 16 numbers; Q4_1 needs whole blocks of 32"}, /* although 16 x 2 is a block */
        {8, 2, 23, 0, GG_EUNSUPPORTED,
         "tensor \"w\" is in number format 23 (IQ4_XS), which golgi does not read; supported: F32 F16 BF16 F64 I8 I16 I32 I64 Q4_0 Q4_1"},
        {8, 2, 99, 0, GG_EUNSUPPORTED, "tensor \"w\" is in number format 99, which golgi does not read; supported: "},
        {8, 2, UINT32_MAX, 0, GG_EUNSUPPORTED, "tensor \"w\" is in number format 4294967295, which"},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        bytes b = gguf_head(3, 1, 0);
        put_tensor(&b, "w", tensors[i].columns, tensors[i].rows, tensors[i].type, tensors[i].offset);
        pad_to(&b, 32);
        put_zeros(&b, 64);
        expect_refused_part(&b, "m.gguf", tensors[i].status, tensors[i].message);
    }
    bytes b = gguf_head(3, 2, 0);
    put_tensor(&b, "same", 1, 1, 0, 0);
    put_tensor(&b, "same", 1, 1, 0, 32);
    pad_to(&b, 32);
    put_zeros(&b, 64);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "there are two tensors named \"same\"");
    b = gguf_head(3, 2, 0);
    put_tensor(&b, "a", 16, 1, 0, 0);
    put_tensor(&b, "b", 1, 1, 0, 32);
    pad_to(&b, 32);
    put_zeros(&b, 64);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "tensors \"a\" (bytes 128 to 192) and \"b\" (bytes 160 to 164) overlap");
    b = gguf_head(3, 1, 0);
    put_text(&b, "w");
    put_u32(&b, 7);
    put_zeros(&b, 100);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "tensor \"w\" has 7 dimensions");
    static const uint32_t alignments[] = {0, 1, 7, 12, 1u << 31};
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        char message[100];
        b = gguf_head(3, 0, 1);
        put_key(&b, "general.alignment", 4);
        put_u32(&b, alignments[i]);
        snprintf(message, sizeof message, "general.alignment is %u; expected a multiple of 8", alignments[i]);
        expect_refused_part(&b, "m.gguf", GG_EFORMAT, message);
    }
    b = gguf_head(3, 0, 2);
    put_key(&b, "split.no", 4);
    put_u32(&b, 3);
    put_key(&b, "split.count", 4);
    put_u32(&b, 3);
    expect_refused_part(&b, "m.gguf", GG_EFORMAT, "split.no 3 of split.count 3");
}

/* ---- safetensors ---- */

static void damaged_headers_of_safetensors(void **state)
{
    (void)state;
    static const damage files[] = {
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, GG_EFORMAT,
         "tensor \"w\" takes bytes 62 to 70 of the file, which ends at byte 69"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, GG_EFORMAT, "the file has 71 bytes, its tensors end at byte 70"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, GG_EFORMAT,
         "tensor \"w\": its shape as F32 needs 12 bytes, the file gives it 8"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, GG_EFORMAT, "tensor \"w\": expected \"data_offsets\" of the form [begin, end]"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, GG_EFORMAT, "expected \"data_offsets\" of the form"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, GG_EFORMAT, "expected \"data_offsets\" of the form"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9223372036854775807]}}", 8, GG_EFORMAT, "tensor \"w\" takes bytes"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,99999999999999999999]}}", 8, GG_EFORMAT, "expected \"data_offsets\" of the form"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, GG_EFORMAT, "expected whole extents of zero or more"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", 8, GG_EFORMAT, "expected whole extents of zero or more"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, GG_EFORMAT, "needs -1 bytes, the file gives it 8"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, GG_EFORMAT, "the file gives it 0"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, GG_EUNSUPPORTED,
         "tensor \"w\" has 7 dimensions; golgi handles up to 6"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, GG_EFORMAT, "expected \"shape\" with a list of extents"},
        {"{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, GG_EFORMAT, "expected \"dtype\""},
        {"{\"w\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, GG_EUNSUPPORTED,
         "tensor \"w\" is in number format \"F8_E4M3\", which golgi does not read; supported: F32 F16 BF16"},
        {"{\"w\":{\"dtype\":\"\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, GG_EUNSUPPORTED, "tensor \"w\" is in number format \"\""},
        {"{\"w\":7}", 8, GG_EFORMAT, "tensor \"w\": expected \"dtype\""},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", 6, GG_EFORMAT,
         "tensors \"a\" (bytes 113 to 117) and \"b\" (bytes 115 to 119) overlap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]}}", 6, GG_EFORMAT,
         "bytes 115 to 117 before tensor \"b\" belong to no tensor, which the format forbids"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, GG_EFORMAT,
         "a duplicate of a name"},
        {"{\"__metadata__\":{\"n\":3}}", 0, GG_EFORMAT, "__metadata__ key \"n\" is no text"},
        {"{\"__metadata__\":3}", 0, GG_EFORMAT, "__metadata__ is no object"},
        {"{\"w\":", 8, GG_EFORMAT, "m.safetensors:1:6: the header is no valid JSON: expected a value, found the end"},
        {"{\"\\u0000\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, GG_EFORMAT, "the header is no valid JSON"},
        {"{\"\xff\":1}", 2, GG_EFORMAT, "the header is no valid JSON"},
        {"{}", 3, GG_EFORMAT, "the file has 13 bytes, its tensors end at byte 10"},
    };
    expect_refused(files, sizeof files / sizeof *files, safe_file, "m.safetensors");
    bytes b = {.n = 0};
    put_u64(&b, UINT64_MAX);
    put(&b, "{}", 2);
    expect_refused_part(&b, "m.safetensors", GG_EFORMAT, "the header would have 18446744073709551615 bytes, more than the format's 100000000");
    b.n = 0;
    put_u64(&b, 50);
    put(&b, "{}", 2);
    expect_refused_part(&b, "m.safetensors", GG_EFORMAT, "the header takes bytes 8 to 58, the file ends at byte 10: it is truncated");
    b.n = 0;
    put_u64(&b, 3000);
    for (int i = 0; i < 3000; i++) /* deeper than any parser's stack should go */
        put(&b, i ? "[" : "{", 1);
    expect_refused_part(&b, "m.safetensors", GG_EFORMAT, "the header is no valid JSON");
}

/* ---- NPY and NPZ ---- */

static bytes npy(const char *header, size_t n_data)
{
    bytes b = {.n = 0};
    put(&b, "\x93NUMPY\x01\x00", 8);
    const uint16_t n = (uint16_t)strlen(header);
    put(&b, &n, 2);
    put(&b, header, n);
    put_zeros(&b, n_data);
    return b;
}

static void damaged_headers_of_npy(void **state)
{
    (void)state;
    static const damage files[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 11, GG_EFORMAT,
         "array \"m\" of its shape as F32 needs 12 bytes after byte 67, the file has 11"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 13, GG_EFORMAT, "needs 12 bytes after byte 67, the file has 13"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8, GG_EFORMAT, "expected an extent below 2^63 at byte"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952, 4), }", 0, GG_EFORMAT, "needs -1 bytes"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (4294967296, 4294967296), }", 8, GG_EFORMAT, "needs -1 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", 8, GG_EFORMAT, "expected an extent at byte"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 3, }", 12, GG_EFORMAT, "expected a shape such as (3, 4)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3 3), }", 12, GG_EFORMAT, "expected \",\" or \")\""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1), }", 4, GG_EUNSUPPORTED, "more than 6 dimensions"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (3,), }", 12, GG_EFORMAT, "expected True or False"},
        {"{'descr': '<f4', 'shape': (3,), }", 12, GG_EFORMAT, "the NPY header lacks \"fortran_order\""},
        {"{'fortran_order': False, 'shape': (3,), }", 12, GG_EFORMAT, "the NPY header lacks \"descr\""},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 12, GG_EFORMAT, "the NPY header has \"descr\" twice"},
        {"{'descr': '<f4', 'colour': 3}", 12, GG_EFORMAT, "has \"colour\" as a key, which the format does not know"},
        {"{'descr: <f4", 12, GG_EFORMAT, "expected a quoted key"},
        {"{'descr': <f4}", 12, GG_EFORMAT, "expected a type such as '<f4'"},
        {"{'descr' '<f4'}", 12, GG_EFORMAT, "expected \":\""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x", 12, GG_EFORMAT, "expected the end of the header"},
        {"{", 0, GG_EFORMAT, "expected a quoted key"},
        {"", 0, GG_EFORMAT, "expected \"{\""},
        {"{'descr': '', 'fortran_order': False, 'shape': (3,)}", 12, GG_EUNSUPPORTED, "is of NumPy type ''"},
        {"{'descr': '|S5', 'fortran_order': False, 'shape': (3,)}", 15, GG_EUNSUPPORTED, "is of NumPy type '|S5'"},
    };
    expect_refused(files, sizeof files / sizeof *files, npy, "m.npy");
    bytes b = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 12);
    b.at[6] = 4;
    expect_refused_part(&b, "m.npy", GG_EUNSUPPORTED, "NPY version 4.0; golgi reads 1.0, 2.0 and 3.0");
    b.at[6] = 1;
    b.at[9] = 0x7f;
    expect_refused_part(&b, "m.npy", GG_EFORMAT, "the NPY header ends at byte");
}

/* Finds the n-th place of a signature. */
static size_t place_of(const uint8_t *data, size_t n, const char *signature, int which)
{
    for (size_t i = 0; i + 4 <= n; i++)
        if (memcmp(data + i, signature, 4) == 0 && which-- == 0)
            return i;
    fail_msg("no such signature");
    return 0;
}

static void hostile_archives(void **state)
{
    (void)state;
    size_t n, peak;
    uint8_t *data = read_whole(&n, GOLDEN "deflated.npz");
    const size_t entry = place_of(data, n, "PK\1\2", 0), second = place_of(data, n, "PK\1\2", 1), end = place_of(data, n, "PK\5\6", 0);
    static const struct {
        int where; /* 0: first entry, 1: second, 2: end record, 3: the first member's data */
        size_t at;
        uint32_t value;
        int bytes;
        gg_status status;
        const char *message;
    } changes[] = {
        {0, 24, 0x7fffffff, 4, GG_EFORMAT, "claims to unpack from"},
        {0, 24, 90000, 4, GG_EFORMAT, "the member \"weights.npy\" cannot be unpacked"},
        {0, 24, 100, 4, GG_EFORMAT, "the member \"weights.npy\" cannot be unpacked"},
        {0, 24, UINT32_MAX, 4, GG_EFORMAT, "more than deflate can"},
        {0, 20, 0x7fffffff, 4, GG_EFORMAT, "takes 2147483647 bytes from byte"},
        {0, 20, 10, 4, GG_EFORMAT, "cannot be unpacked"},
        {0, 42, 0x7fffffff, 4, GG_EFORMAT, "no local header at byte 2147483647"},
        {0, 42, 5, 4, GG_EFORMAT, "no local header at byte 5"},
        {0, 16, 0, 4, GG_EFORMAT, "the checksum of the member \"weights.npy\" is wrong"},
        {0, 8, 1, 2, GG_EUNSUPPORTED, "the member \"weights.npy\" is encrypted"},
        {0, 10, 0, 2, GG_EFORMAT, "is stored, but has two sizes"},
        {0, 28, 0xffff, 2, GG_EFORMAT, "a directory entry that leaves the directory"},
        {0, 0, 0, 4, GG_EFORMAT, "no directory entry at byte"},
        {2, 16, 0x7fffffff, 4, GG_EFORMAT, "the directory begins behind its end"},
        {2, 10, 0xffff, 2, GG_EFORMAT, "no directory entry at byte"},
        {2, 0, 0, 4, GG_EFORMAT, "no end record of a ZIP archive"},
        {2, 20, 9, 2, GG_EFORMAT, "no end record of a ZIP archive"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t *own = malloc(n);
        memcpy(own, data, n);
        const size_t base = changes[i].where == 0 ? entry : changes[i].where == 1 ? second : end;
        memcpy(own + base + changes[i].at, &changes[i].value, (size_t)changes[i].bytes);
        const gg_status s = parse_exactly(own, n, "m.npz", &peak);
        if (s != changes[i].status || !strstr(gg_message(ctx), changes[i].message))
            fail_msg("change %zu: expected \"%s\", found %s \"%s\"", i, changes[i].message, gg_status_name(s), gg_message(ctx));
        assert_in_range(peak, 0, 600000);
        free(own);
    }
    free(data);
}

/* ---- every length, every byte ---- */

static const char *const valid[] = {GOLDEN "all.gguf",   GOLDEN "split-00001-of-00003.gguf", GOLDEN "all.safetensors", GOLDEN "odd.safetensors", GOLDEN "c.npy",
                                    GOLDEN "v2.npy", GOLDEN "fortran.npy", GOLDEN "stored.npz", GOLDEN "deflated.npz"};
enum { N_VALID = sizeof valid / sizeof *valid };

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (int f = 0; f < N_VALID; f++) {
        size_t n, peak;
        uint8_t *data = read_whole(&n, valid[f]);
        for (size_t cut = 0; cut < n; cut++) {
            const gg_status s = parse_exactly(data, cut, valid[f], &peak);
            if (s != GG_EFORMAT && strstr(valid[f], ".gguf") && n - cut < 32)
                continue; /* only the padding behind the last tensor is gone */
            if (s != GG_EFORMAT)
                fail_msg("%s cut to %zu of %zu bytes: %s %s", valid[f], cut, n, gg_status_name(s), gg_message(ctx));
            assert_in_range(peak, 0, 600000);
        }
        free(data);
    }
}

static void a_file_with_any_byte_changed_is_read_or_refused(void **state)
{
    (void)state;
    static const uint8_t change[] = {0x01, 0x80, 0xff};
    for (int f = 0; f < N_VALID; f++) {
        size_t n, peak;
        uint8_t *data = read_whole(&n, valid[f]);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < sizeof change; k++) {
                data[i] ^= change[k];
                const gg_status s = parse_exactly(data, n, valid[f], &peak);
                data[i] ^= change[k];
                if (s != GG_OK && s != GG_EFORMAT && s != GG_EUNSUPPORTED && s != GG_EINVAL)
                    fail_msg("%s, byte %zu: %s %s", valid[f], i, gg_status_name(s), gg_message(ctx));
                assert_in_range(peak, 0, 1200000);
            }
        free(data);
    }
}

static void files_that_are_not_there(void **state)
{
    (void)state;
    gg_tensors *t = NULL;
    assert_int_equal(gg_tensors_open(&t, ctx, at("absent.gguf")), GG_ENOENT);
    expect_message("absent.gguf: cannot open it");
    assert_int_equal(gg_tensors_open(&t, ctx, write_text_file("empty.gguf", "")), GG_EFORMAT);
    expect_message("empty.gguf: the file is empty; expected GGUF");
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_files_are_shown_with_what_they_begin_with),
        cmocka_unit_test(damaged_heads_and_keys_of_gguf),
        cmocka_unit_test(damaged_arrays_of_gguf),
        cmocka_unit_test(damaged_tensors_of_gguf),
        cmocka_unit_test(damaged_headers_of_safetensors),
        cmocka_unit_test(damaged_headers_of_npy),
        cmocka_unit_test(hostile_archives),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_file_with_any_byte_changed_is_read_or_refused),
        cmocka_unit_test(files_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
