/* A Hugging Face folder as a GGUF: float32 gives every neuron the same bits as the folder, the narrower formats what they can hold; and what a GGUF
 * cannot say is refused. That llama.cpp reads it too is tried by tests/golden/lm. */
#include "edit.h"

enum { N = 24 };

static const char *output(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/model.gguf", edit_folder);
    return path;
}

static gg_status convert(gg_context *ctx, const char *folder, gg_dtype t)
{
    gg_model *m = open_model(ctx, folder, &(gg_model_options){.no_weights = true});
    const gg_status s = gg_model_convert(m, output(), t);
    gg_model_free(m);
    return s;
}

static recording *look(gg_context *ctx, const char *path)
{
    int32_t ids[N];
    gg_model *m = open_model(ctx, path, NULL);
    for (int i = 0; i < N; i++)
        ids[i] = (int32_t)((i * 37 + 11) % gg_model_describe(m)->n_vocab);
    recording *r = record_ids(m, ids, 1, N, 0, all_sites(m));
    gg_model_free(m);
    return r;
}

static double difference(const recording *a, const recording *b)
{
    double worst = 0;
    for (int l = 0; l < RECORD_LAYERS; l++)
        for (int s = 0; s < GG_SITE_COUNT; s++) {
            assert_int_equal(a->rows[l][s], b->rows[l][s]);
            assert_int_equal(a->width[l][s], b->width[l][s]);
            if (a->rows[l][s])
                worst = fmax(worst, distance(b->x[l][s], a->x[l][s], a->rows[l][s] * a->width[l][s]));
        }
    return worst;
}

static void float32_keeps_every_bit_and_the_others_what_they_hold(void **state)
{
    gg_context *ctx = *state;
    static const char *const folders[] = {TINY "llama", TINY "gpt2", TINY "llama3-rope"};
    static const struct {
        gg_dtype t;
        double most;
    } formats[] = {{GG_F32, 0}, {GG_F16, 4e-3}, {GG_BF16, 3e-2}, {GG_Q8_0, 8e-2}};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        recording *want = look(ctx, folders[f]);
        for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
            assert_ok_in(ctx, convert(ctx, folders[f], formats[i].t));
            recording *found = look(ctx, output());
            const double d = difference(want, found);
            /* the frequencies of Llama 3 come back through a float32 divisor */
            const double most = formats[i].t == GG_F32 && strstr(folders[f], "rope") ? 1e-5 : formats[i].most;
            if (!(d <= most) || (i && d == 0))
                fail_msg("%s as %s is off by %g, at most %g was expected", folders[f], gg_dtype_name(formats[i].t), d, most);
            drop_recording(found);
        }
        drop_recording(want);
    }
    unlink(output());
}

static void what_a_gguf_cannot_say_is_refused(void **state)
{
    gg_context *ctx = *state;
    assert_int_equal(convert(ctx, TINY "qwen3", GG_F32), GG_EUNSUPPORTED);
    assert_text_has(gg_message(ctx), "families llama and gpt2 are converted, this one is qwen3");
    assert_int_equal(convert(ctx, TINY "llama", GG_Q4_0), GG_EINVAL);
    assert_text_has(gg_message(ctx), "not as Q4_0");
    assert_int_equal(convert(ctx, edited(ctx, "llama", &(edit){.config = "\"silu\"", .config_becomes = "\"relu\""}), GG_F32), GG_EUNSUPPORTED);
    assert_text_has(gg_message(ctx), "another activation");
    assert_int_equal(convert(ctx, edited(ctx, "llama", &(edit){.name = "up_proj", .turn = true}), GG_F32), GG_EFORMAT);
    assert_text_has(gg_message(ctx), "up_proj.weight is (32, 72), expected (72, 32)");
    assert_int_equal(convert(ctx, edited(ctx, "llama", &(edit){.name = "v_proj", .leave_out = true}), GG_F32), GG_ENOENT);
    assert_text_has(gg_message(ctx), "v_proj");
    assert_int_equal(access(output(), F_OK), -1);
    assert_ok_in(ctx, convert(ctx, TINY "llama", GG_F32));
    gg_model *m = open_model(ctx, output(), &(gg_model_options){.no_weights = true});
    const gg_tokenizer *t;
    assert_int_equal(gg_model_need_tokenizer(&t, m), GG_ENOENT);
    assert_int_equal(gg_model_convert(m, output(), GG_F32), GG_EINVAL);
    assert_text_has(gg_message(ctx), "is a GGUF already");
    gg_model_free(m);
    unlink(output());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_keeps_every_bit_and_the_others_what_they_hold),
        cmocka_unit_test(what_a_gguf_cannot_say_is_refused),
    };
    return cmocka_run_group_tests(tests, make_edit_folder, drop_edit_folder);
}
