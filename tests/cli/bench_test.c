/* golgi bench nag: figures that belong together, operations counted as one counts them by hand, agreement of a format with itself, nothing left behind. */
#include "cli/program.h"
#include <golgi/golgi.h>
#include <math.h>

static double number(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);
    if (!json_is_number(v))
        fail_msg("%s is not there or no number", name);
    return json_number_value(v);
}

static json_t *bench(const char *words)
{
    char line[1024];
    snprintf(line, sizeof line, "bench nag --model $M --quiet --json %s", words);
    char tmp[4200];
    snprintf(tmp, sizeof tmp, "%s", D);
    setenv("TMPDIR", tmp, 1);
    json_t *j = must_json(line);
    unsetenv("TMPDIR");
    return j;
}

/* All products of all layers but the last layer's gate and down, for every token, and two products of n (n + 1) / 2 pairs a head. */
static double operations_a_token(double n)
{
    gg_context *ctx = NULL;
    gg_model *m = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    assert_int_equal(gg_model_open(&m, ctx, TINY, &(gg_model_options){.no_weights = true}), GG_OK);
    const gg_model_description *d = gg_model_describe(m);
    const double D_ = (double)d->d_model, F = (double)d->d_ff, q = (double)(d->n_heads * d->d_head), kv = (double)(d->n_kv_heads * d->d_head);
    assert_true(d->gated);
    const double sum = d->n_layers * (2 * (D_ * (q + 2 * kv) + q * D_ + 3 * D_ * F) + 2 * q * (n + 1)) - 2 * 2 * D_ * F;
    gg_model_free(m);
    gg_context_free(ctx);
    return sum;
}

static void figures_belong_together(void **state)
{
    (void)state;
    json_t *j = bench("--documents 30 --max-tokens 20 --repeats 2 --threads 2");
    assert_int_equal(number(j, "n_documents"), 30);
    assert_int_equal(number(j, "n_tokens"), 600);
    assert_true(fabs(number(j, "operations_per_token") - operations_a_token(20)) < 1e-6 * operations_a_token(20));
    const json_t *roof = json_object_get(j, "roof"), *one = json_object_get(roof, "one"), *list = json_object_get(j, "dtypes");
    assert_int_equal(number(roof, "threads"), 2);
    assert_true(number(one, "f32") > 0 && number(one, "memory") > 0);
    const json_t *f32 = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(f32, "dtype")), "f32");
    assert_int_equal(json_array_size(list), 1 + (number(one, "bf16") > 0) + (number(one, "i8") > 0));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *f = json_array_get(list, i), *phases = json_object_get(f, "cpu_seconds_by_phase"), *v;
        const char *name;
        double sum = 0;
        assert_true(fabs(number(f, "docs_per_s") * number(f, "seconds") - 30) < 1e-6);
        assert_true(fabs(number(f, "tokens_per_s") * number(f, "seconds") - 600) < 1e-6);
        assert_true(fabs(number(f, "roof_share") - number(f, "gflops") / number(json_object_get(f, "roof_gflops"), "all")) < 1e-6);
        json_object_foreach((json_t *)phases, name, v)
        {
            assert_true(json_number_value(v) >= 0);
            sum += json_number_value(v);
        }
        assert_true(number(phases, "gemm") > 0 && number(phases, "attention") > 0 && number(phases, "read") > 0 && number(phases, "topk") > 0);
        assert_true(fabs(sum - number(f, "cpu_seconds")) < 1e-6);
        assert_true(number(f, "start_up_s") > 0 && number(f, "peak_bytes") > number(f, "packed_bytes"));
        if (f == f32) {
            assert_null(json_object_get(f, "jaccard"));
            continue;
        }
        assert_true(number(f, "jaccard") > 0.5 && number(f, "jaccard") <= 1); /* fails for indices of other documents */
        assert_true(number(f, "spearman") > 0.3);
        assert_true(number(f, "packed_bytes") < 0.6 * number(f32, "packed_bytes"));
    }
    json_decref(j);
}

static void documents_of_a_pool_are_taken_from_the_front(void **state)
{
    (void)state;
    put_text(D, "pool.jsonl", "{\"docid\": \"a\", \"doc\": \"And God said\"}\n{\"docid\": \"b\", \"doc\": \"Let there be light: and there was light.\"}\n"
                              "{\"docid\": \"c\", \"doc\": \"int main(void)\"}\n");
    json_t *j = bench("--input $D/pool.jsonl --documents 2 --repeats 1 --dtypes f32");
    assert_int_equal(number(j, "n_documents"), 2);
    json_decref(j);
    j = bench("--input $D/pool.jsonl --repeats 1 --dtypes f32");
    assert_int_equal(number(j, "n_documents"), 3);
    json_decref(j);
    run(&s, D, "bench nag --model $M --quiet --input $D/pool.jsonl --repeats 1 --dtypes bf16"); /* nothing to compare with, and it is said */
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "agreement with f32 is told when --dtypes names it"));
    run(&s, D, "bench nag --model $M --quiet --input $D/pool.jsonl --repeats 1 --dtypes f32,bf16");
    assert_non_null(strstr(s.out, "bf16 against f32: jaccard of the top 10 "));
    assert_non_null(strstr(s.out, "spearman of the distances "));
    assert_null(strstr(s.out, "agreement with f32 is told"));
}

static void wrong_words_are_named(void **state)
{
    (void)state;
    run(&s, D, "bench nag --model $M --dtypes f32,f64");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "\"f64\" is none of f32, bf16, i8"));
    run(&s, D, "bench nag --model $M --dtypes f32,f32");
    assert_non_null(strstr(s.err, "names f32 twice"));
    run(&s, D, "bench nga");
    assert_non_null(strstr(s.err, "Did you mean \"nag\""));
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    char line[8192];
    snprintf(line, sizeof line, "test -z \"$(ls -d %s/golgi-bench-* 2>/dev/null)\"", D);
    assert_int_equal(system(line), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_belong_together),
        cmocka_unit_test(documents_of_a_pool_are_taken_from_the_front),
        cmocka_unit_test(wrong_words_are_named),
        cmocka_unit_test(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, prepare_folder, tidy);
}
