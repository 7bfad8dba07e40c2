/* safetensors and Hugging Face folders: what the safetensors package wrote is read, what golgi writes is read back. */
#include "io/tensor_files.h"

static void every_number_format_is_what_python_wrote(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "all.safetensors");
    assert_int_equal(gg_tensors_kind_of(t), GG_TENSORS_SAFETENSORS);
    static const struct {
        const char *name;
        gg_dtype dtype;
    } plain[] = {{"float64", GG_F64}, {"float32", GG_F32}, {"float16", GG_F16}, {"int64", GG_I64}, {"int32", GG_I32}, {"int16", GG_I16}, {"int8", GG_I8},
                 {"uint64", GG_U64},  {"uint32", GG_U32},  {"uint16", GG_U16},  {"uint8", GG_U8},  {"bool", GG_BOOL}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        const gg_tensor *w = gg_tensors_find(t, plain[i].name);
        expect_shape(w, plain[i].dtype, 2, 2, 3, 0);
        expect_ramp(w);
    }
    const gg_tensor *scalar = gg_tensors_find(t, "scalar");
    expect_shape(scalar, GG_F32, 0, 0, 0, 0);
    assert_true(*(const float *)scalar->data == 7.5f);
    expect_shape(gg_tensors_find(t, "none"), GG_F32, 2, 0, 4, 0);
    assert_int_equal(gg_tensors_find(t, "none")->n_bytes, 0);
    expect_ramp(gg_tensors_find(t, "Grüße \"x\""));
    const char *text = NULL;
    assert_true(gg_tensors_text(t, "author", &text));
    assert_string_equal(text, "Golgi \"C.\"");
    assert_int_equal(t->n_copies, 0);
    gg_tensors_free(t);
}

static void data_at_odd_addresses_are_copied_to_aligned_ones(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "odd.safetensors");
    expect_ramp(gg_tensors_find(t, "a"));
    expect_ramp(gg_tensors_find(t, "b"));
    assert_int_equal((uintptr_t)gg_tensors_find(t, "b")->data % 8, 0);
    assert_int_equal(t->n_copies, 2);
    gg_tensors_free(t);
}

static void a_sharded_folder_is_one_model_with_its_configuration(void **state)
{
    (void)state;
    gg_tensors *t = opened(GOLDEN "sharded");
    assert_int_equal(gg_tensors_kind_of(t), GG_TENSORS_FOLDER);
    assert_string_equal(gg_tensors_path(t), GOLDEN "sharded");
    assert_int_equal(gg_tensors_count(t), 4);
    expect_ramp(gg_tensors_find(t, "embed.weight"));
    expect_ramp_plus(gg_tensors_find(t, "layer.1.weight"), 1);
    double d = 0;
    int64_t v = 0;
    bool b = true;
    size_t n = 0;
    const char *text = NULL;
    assert_true(gg_tensors_double(t, "rope_scaling.factor", &d) && d == 8);
    assert_false(gg_tensors_int(t, "rope_scaling.factor", &v)); /* 8.0 is no integer */
    assert_true(gg_tensors_double(t, "rope_scaling.inner.bands", &d) == false);
    assert_true(gg_tensors_array_double(t, "rope_scaling.inner.bands", 0, &d) && d == 1);
    assert_true(gg_tensors_text(t, "rope_scaling.inner.rope_type", &text));
    assert_string_equal(text, "llama3");
    assert_true(gg_tensors_bool(t, "tie_word_embeddings", &b) && !b);
    assert_false(gg_tensors_has(t, "head_dim")); /* null */
    assert_false(gg_tensors_int(t, "head_dim", &v));
    assert_false(gg_tensors_has(t, "rope_scaling")); /* an object: its members are */
    assert_int_equal(gg_tensors_array(t, "eos_token_id"), 2);
    assert_true(gg_tensors_array_int(t, "eos_token_id", 1, &v) && v == 106);
    assert_true(gg_tensors_array_text(t, "layer_types", 1, &text, &n) && n == 6);
    assert_true(gg_tensors_array_bool(t, "flags", 0, &b) && b);
    assert_int_equal(gg_tensors_array(t, "mixed"), 5);
    assert_true(gg_tensors_array_text(t, "mixed", 1, &text, &n));
    assert_false(gg_tensors_array_int(t, "mixed", 2, &v) || gg_tensors_array_int(t, "mixed", 3, &v));
    assert_true(gg_tensors_array_double(t, "mixed", 4, &d) && d == 4.5);
    assert_int_equal(gg_tensors_array(t, "empty"), 0);
    gg_tensors_free(t);

    t = opened(GOLDEN "sharded/model.safetensors.index.json"); /* the tensors alone */
    assert_int_equal(gg_tensors_kind_of(t), GG_TENSORS_SAFETENSORS);
    assert_int_equal(gg_tensors_count(t), 4);
    assert_false(gg_tensors_has(t, "hidden_size"));
    gg_tensors_free(t);
}

static void the_small_decoders_open_as_folders(void **state)
{
    (void)state;
    static const char *const families[] = {"llama", "llama3-rope", "mistral-window", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3", "olmo2", "phi3",
                                           "phi3-longrope", "phi3-shortrope", "gpt2", "pythia", "pythia-serial"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        char path[200];
        snprintf(path, sizeof path, "tests/golden/tiny/%s", families[i]);
        gg_tensors *t = opened(path);
        const char *type = NULL;
        int64_t vocabulary = 0;
        assert_true(gg_tensors_text(t, "model_type", &type));
        assert_true(gg_tensors_int(t, "vocab_size", &vocabulary) && vocabulary == 80);
        assert_int_equal(t->n_copies, 0);
        gg_tensors_free(t);
        snprintf(path, sizeof path, "tests/golden/tiny/%s/expected.safetensors", families[i]);
        t = opened(path);
        expect_shape(gg_tensors_find(t, "logits"), GG_F32, 3, 2, 24, 80);
        expect_shape(gg_tensors_find(t, "hidden.3"), GG_F32, 3, 2, 24, 32);
        expect_shape(gg_tensors_find(t, "input_ids"), GG_I32, 2, 2, 24, 0);
        gg_tensors_free(t);
    }
}

static const char *folder_with(const char *name, const char *file, const char *text)
{
    static char folder[600];
    snprintf(folder, sizeof folder, "%s", at(name));
    assert_int_equal(gg_file_mkdirs(ctx, folder), GG_OK);
    char path[100];
    assert_in_range(snprintf(path, sizeof path, "%s/%s", name, file), 1, sizeof path - 1);
    write_text_file(path, text);
    return folder;
}

static void folders_that_cannot_be_opened_say_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *name, *file, *text, *message;
        gg_status status;
    } bad[] = {
        {"pickle", "pytorch_model.bin", "x", "PyTorch pickle (pytorch_model.bin), which can run code when opened: convert them to safetensors",
         GG_EUNSUPPORTED},
        {"two", "a.safetensors", "x", "a.safetensors is not a safetensors file: it begins with 78 (\"x\")", GG_EFORMAT},
        {"two", "b.safetensors", "x", "2 safetensors files, but neither model.safetensors nor model.safetensors.index.json", GG_ENOENT},
        {"noshard", "model.safetensors.index.json", "{\"weight_map\": {\"w\": \"gone.safetensors\"}}",
         "the shard \"gone.safetensors\" that it names is not there", GG_ENOENT},
        {"outside", "model.safetensors.index.json", "{\"weight_map\": {\"w\": \"../gone.safetensors\"}}",
         "is no plain file name: shards lie beside their index", GG_EFORMAT},
        {"parent", "model.safetensors.index.json", "{\"weight_map\": {\"w\": \"..\"}}", "is no plain file name", GG_EFORMAT},
        {"number", "model.safetensors.index.json", "{\"weight_map\": {\"w\": 3}}", "weight_map[\"w\"] is no file name", GG_EFORMAT},
        {"nomap", "model.safetensors.index.json", "{\"weights\": {}}", "no object \"weight_map\"", GG_EFORMAT},
        {"broken", "model.safetensors.index.json", "{\"weight_map\":\n {,}}", "index.json:2:3: the file is no valid JSON: expected a name in quotes",
         GG_EFORMAT},
        {"twice", "model.safetensors.index.json", "{\"weight_map\": {\"w\": \"a\", \"w\": \"b\"}}", "a duplicate of a name", GG_EFORMAT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gg_tensors *t = NULL;
        const gg_status s = gg_tensors_open(&t, ctx, folder_with(bad[i].name, bad[i].file, bad[i].text));
        assert_null(t);
        if (s != bad[i].status)
            fail_msg("%s: %s: %s", bad[i].name, gg_status_name(s), gg_message(ctx));
        expect_message(bad[i].message);
    }
    gg_tensors *t = NULL;
    folder_with("lies", "model.safetensors.index.json", "{\"weight_map\": {\"a\": \"a.safetensors\", \"ghost\": \"a.safetensors\"}}");
    const bytes b = safe_file("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    write_bytes("lies/a.safetensors", b.at, b.n);
    assert_int_equal(gg_tensors_open(&t, ctx, at("lies")), GG_EFORMAT);
    expect_message("tensor \"ghost\" should be in \"a.safetensors\", but is not there");
    folder_with("broken-config", "config.json", "{\"hidden_size\": 3");
    write_bytes("broken-config/model.safetensors", b.at, b.n);
    assert_int_equal(gg_tensors_open(&t, ctx, at("broken-config")), GG_EFORMAT);
    expect_message("broken-config/config.json:1:");
    folder_with("list-config", "config.json", "[1]");
    write_bytes("list-config/model.safetensors", b.at, b.n);
    assert_int_equal(gg_tensors_open(&t, ctx, at("list-config")), GG_EFORMAT);
    expect_message("the file is JSON, but not an object");
}

static void integers_beyond_64_bits_spoil_nothing_else(void **state)
{
    (void)state;
    const bytes b = safe_file("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    folder_with("big", "config.json",
                "{\"hidden_size\": 576, \"model_max_length\": 1000000000000000019884624838656, \"eps\": 1e-5, \"pad\": -1, \"list\": [3, 0.5]}");
    write_bytes("big/model.safetensors", b.at, b.n);
    gg_tensors *t = opened(at("big"));
    int64_t v = 0;
    double d = 0;
    assert_true(gg_tensors_int(t, "hidden_size", &v) && v == 576);
    assert_true(gg_tensors_int(t, "pad", &v) && v == -1);
    assert_false(gg_tensors_int(t, "model_max_length", &v));
    assert_true(gg_tensors_double(t, "model_max_length", &d) && d == 1e30);
    assert_true(gg_tensors_double(t, "eps", &d) && d == 1e-5);
    assert_true(gg_tensors_array_int(t, "list", 0, &v) && v == 3);
    gg_tensors_free(t);
}

static void a_folder_without_configuration_has_tensors_alone(void **state)
{
    (void)state;
    const bytes b = safe_file("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    assert_int_equal(gg_file_mkdirs(ctx, at("plain")), GG_OK);
    write_bytes("plain/weights.safetensors", b.at, b.n);
    gg_tensors *t = opened(at("plain"));
    assert_int_equal(gg_tensors_count(t), 1);
    assert_null(gg_tensors_key(t, 0));
    gg_tensors_free(t);
}

/* ---- writing ---- */

static int files_in_test_folder(void)
{
    int n = 0;
    char command[600];
    snprintf(command, sizeof command, "ls -A %s | wc -l", test_folder);
    FILE *p = popen(command, "r");
    assert_int_equal(fscanf(p, "%d", &n), 1);
    pclose(p);
    return n;
}

static void what_is_written_is_read_back_and_aligned(void **state)
{
    (void)state;
    const char *path = at("written.safetensors");
    gg_tensors_writer *w = NULL;
    assert_int_equal(gg_tensors_writer_open(&w, ctx, path), GG_OK);
    const uint8_t small[5] = {1, 2, 3, 4, 5};
    const double wide[4] = {0.5, -1, 2, 1e300};
    const float many[6] = {1, 2, 3, 4, 5, 6};
    const uint16_t half[3] = {0x3c00, 0x3f80, 7};
    assert_int_equal(gg_tensors_writer_add(w, "small", GG_U8, 1, (const int64_t[]){5}, small), GG_OK);
    assert_int_equal(gg_tensors_writer_add(w, "half", GG_BF16, 1, (const int64_t[]){3}, half), GG_OK);
    assert_int_equal(gg_tensors_writer_add(w, "docs/1.L0.up", GG_F32, 2, (const int64_t[]){2, 3}, many), GG_OK);
    assert_int_equal(gg_tensors_writer_add(w, "wide \"\\ Grüße\n", GG_F64, 2, (const int64_t[]){2, 2}, wide), GG_OK);
    assert_int_equal(gg_tensors_writer_add(w, "scalar", GG_I64, 0, NULL, &(int64_t){-3}), GG_OK);
    assert_int_equal(gg_tensors_writer_add(w, "none", GG_F32, 2, (const int64_t[]){0, 7}, NULL), GG_OK);
    assert_int_equal(gg_tensors_writer_text(w, "model", "a \"b\"\n\\"), GG_OK);
    assert_int_equal(gg_tensors_writer_text(w, "seed", "1"), GG_OK);
    assert_false(gg_file_exists(path)); /* not before it is whole */
    assert_int_equal(gg_tensors_writer_commit(w), GG_OK);

    gg_tensors *t = opened(path);
    assert_int_equal(gg_tensors_count(t), 6);
    assert_int_equal(t->n_copies, 0); /* so everything is aligned */
    assert_memory_equal(gg_tensors_find(t, "small")->data, small, sizeof small);
    assert_memory_equal(gg_tensors_find(t, "half")->data, half, sizeof half);
    assert_memory_equal(gg_tensors_find(t, "docs/1.L0.up")->data, many, sizeof many);
    assert_memory_equal(gg_tensors_find(t, "wide \"\\ Grüße\n")->data, wide, sizeof wide);
    expect_shape(gg_tensors_find(t, "scalar"), GG_I64, 0, 0, 0, 0);
    expect_shape(gg_tensors_find(t, "none"), GG_F32, 2, 0, 7, 0);
    const char *text = NULL;
    assert_true(gg_tensors_text(t, "model", &text));
    assert_string_equal(text, "a \"b\"\n\\");
    gg_tensors_free(t);
}

static void an_empty_file_of_tensors_is_a_file(void **state)
{
    (void)state;
    gg_tensors_writer *w = NULL;
    assert_int_equal(gg_tensors_writer_open(&w, ctx, at("empty.safetensors")), GG_OK);
    assert_int_equal(gg_tensors_writer_commit(w), GG_OK);
    gg_tensors *t = opened(at("empty.safetensors"));
    assert_int_equal(gg_tensors_count(t), 0);
    gg_tensors_free(t);
}

static void mistakes_of_the_caller_are_refused_and_leave_nothing(void **state)
{
    (void)state;
    const int before = files_in_test_folder();
    gg_tensors_writer *w = NULL;
    assert_int_equal(gg_tensors_writer_open(&w, ctx, at("never.safetensors")), GG_OK);
    const float x[2] = {1, 2};
    const int64_t two = 2, negative = -2;
    assert_int_equal(gg_tensors_writer_add(w, "a", GG_F32, 1, &two, x), GG_OK);
    assert_int_equal(gg_tensors_writer_add(w, "a", GG_F32, 1, &two, x), GG_EINVAL);
    expect_message("a tensor named \"a\" is there already");
    assert_int_equal(gg_tensors_writer_add(w, "q", GG_Q4_0, 1, &(int64_t){32}, x), GG_EINVAL);
    expect_message("safetensors has no number format Q4_0");
    assert_int_equal(gg_tensors_writer_add(w, "b", GG_F32, 1, &negative, x), GG_EINVAL);
    assert_int_equal(gg_tensors_writer_add(w, "c", GG_F32, 2, (const int64_t[]){1ll << 62, 8}, x), GG_EINVAL);
    assert_int_equal(gg_tensors_writer_add(w, "d", GG_F32, 7, (const int64_t[]){1, 1, 1, 1, 1, 1, 1}, x), GG_EINVAL);
    assert_int_equal(gg_tensors_writer_add(w, "\xff\xfe", GG_F32, 1, &two, x), GG_EINVAL);
    expect_message("the name \"??\" is not valid UTF-8");
    assert_int_equal(gg_tensors_writer_add(w, "__metadata__", GG_F32, 1, &two, x), GG_EINVAL);
    assert_int_equal(gg_tensors_writer_text(w, "k", "v"), GG_OK);
    assert_int_equal(gg_tensors_writer_text(w, "k", "w"), GG_EINVAL);
    gg_tensors_writer_discard(w);
    gg_tensors_writer_discard(NULL);
    w = NULL;
    assert_int_equal(gg_tensors_writer_open(&w, ctx, "-"), GG_EUNSUPPORTED);
    expect_message("standard output: safetensors has its index at its head and needs a file with a name");
    assert_int_equal(gg_tensors_writer_open(&w, ctx, at("no/such/folder.safetensors")), GG_ENOENT);
    assert_null(w);
    assert_int_equal(files_in_test_folder(), before);
}

static gg_status open_and_write(gg_context *c)
{
    gg_tensors *t = NULL;
    GG_TRY(gg_tensors_open(&t, c, GOLDEN "sharded"));
    gg_tensors_free(t);
    GG_TRY(gg_tensors_open(&t, c, GOLDEN "odd.safetensors"));
    gg_tensors_free(t);
    gg_tensors_writer *w = NULL;
    GG_TRY(gg_tensors_writer_open(&w, c, at("few.safetensors")));
    gg_status s = GG_OK;
    for (int i = 0; s == GG_OK && i < 40; i++) {
        char name[20];
        snprintf(name, sizeof name, "t%d", i);
        s = gg_tensors_writer_add(w, name, GG_F32, 1, &(int64_t){1}, &(float){1});
    }
    if (s == GG_OK)
        s = gg_tensors_writer_text(w, "k", "v");
    if (s != GG_OK) {
        gg_tensors_writer_discard(w);
        return s;
    }
    return gg_tensors_writer_commit(w);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    const int before = files_in_test_folder();
    every_allocation_may_fail(open_and_write);
    assert_int_equal(files_in_test_folder(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_format_is_what_python_wrote),
        cmocka_unit_test(data_at_odd_addresses_are_copied_to_aligned_ones),
        cmocka_unit_test(a_sharded_folder_is_one_model_with_its_configuration),
        cmocka_unit_test(the_small_decoders_open_as_folders),
        cmocka_unit_test(folders_that_cannot_be_opened_say_what_to_do),
        cmocka_unit_test(integers_beyond_64_bits_spoil_nothing_else),
        cmocka_unit_test(a_folder_without_configuration_has_tensors_alone),
        cmocka_unit_test(what_is_written_is_read_back_and_aligned),
        cmocka_unit_test(an_empty_file_of_tensors_is_a_file),
        cmocka_unit_test(mistakes_of_the_caller_are_refused_and_leave_nothing),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
