/* The verbs, run as a person would: what comes out, under which names, with which exit code; and the same bytes whatever the
 * threads and the order of the pool. */
#include "cli/program.h"
#include <golgi/golgi.h>
#include <math.h>

#define N_DOCS 40

/* Documents of 1 to N_DOCS sentences, in order and reversed. */
static int prepare(void **state)
{
    (void)state;
    static const char *const sentence[] = {"And God said, Let there be light: and there was light. ", "The earth was without form, and void; ",
                                           "int main(void) { return 0; } ", "Café, naïve, 12345 and 日本語. "};
    static char forth[1 << 18], row[N_DOCS][1 << 13], back[1 << 18];
    size_t n = 0;
    D = make_folder();
    for (int i = 0; i < N_DOCS; i++) {
        int k = snprintf(row[i], sizeof row[i], "{\"docid\": \"d%02d\", \"domain\": \"%c\", \"doc\": \"", i, 'A' + i % 4);
        for (int j = 0; j <= i; j++)
            k += snprintf(row[i] + k, sizeof row[i] - (size_t)k, "%s", sentence[(i + j * j) % 4]);
        k += snprintf(row[i] + k, sizeof row[i] - (size_t)k, "\", \"token_num\": %d}\n", 10 * (i + 1));
        n += (size_t)snprintf(forth + n, sizeof forth - n, "%s", row[i]);
    }
    put_text(D, "pool.jsonl", forth);
    for (n = 0; n < N_DOCS; n++)
        strcat(back, row[N_DOCS - 1 - n]);
    put_text(D, "back.jsonl", back);
    put_text(D, "text.txt", "And God said, caf\xc3\xa9 12345");
    return 0;
}

static void the_same_bytes_with_one_thread_or_two(void **state)
{
    (void)state;
    must("nag extract --model $M --input $D/pool.jsonl --sites up,down,q,k,v,o --threads 1 --output $D/one.nag");
    must("nag extract --model $M --input $D/pool.jsonl --sites up,down,q,k,v,o --threads 2 --output $D/two.nag");
    shell("cmp $D/one.nag $D/two.nag");
    must("score --model $M --input $D/pool.jsonl --threads 1 --output $D/one.jsonl");
    must("score --model $M --input $D/pool.jsonl --threads 2 --output $D/two.jsonl");
    shell("cmp $D/one.jsonl $D/two.jsonl");
}

static void the_same_features_in_any_order_of_the_pool(void **state)
{
    (void)state;
    must("nag extract --model $M --input $D/pool.jsonl --output $D/forth.jsonl");
    must("nag extract --model $M --input $D/back.jsonl --output $D/back.out.jsonl");
    shell("sort $D/forth.jsonl >$D/a; sort $D/back.out.jsonl >$D/b; cmp $D/a $D/b");
    must("nag extract --model $M --input $D/pool.jsonl --output $D/p.nag");
    must("nag rank --target $D/p.nag --pool $D/forth.jsonl --output $D/r1.jsonl --all --payload $D/pool.jsonl");
    must("nag rank --target $D/p.nag --pool $D/back.out.jsonl --output $D/r2.jsonl --all --payload $D/back.jsonl");
    shell("cmp $D/r1.jsonl $D/r2.jsonl");
}

static void activations_are_named_by_document_layer_and_site(void **state)
{
    (void)state;
    gg_context *ctx = NULL;
    gg_tensors *t = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    must("activations --model $M --input $D/pool.jsonl --sites up,resid_out,final --layers last --logits --max-tokens 7 --output $D/a.safetensors");
    char path[4200];
    snprintf(path, sizeof path, "%s/a.safetensors", D);
    assert_int_equal(gg_tensors_open(&t, ctx, path), GG_OK);
    assert_int_equal(gg_tensors_count(t), 4 * N_DOCS);
    const gg_tensor *x = gg_tensors_find(t, "d03.L1.up");
    assert_non_null(x);
    assert_int_equal(x->n_dims, 2);
    assert_int_equal(x->shape[0], 7);
    assert_int_equal(x->shape[1], 96);
    assert_null(gg_tensors_find(t, "d03.L0.up"));
    assert_non_null(x = gg_tensors_find(t, "d39.logits"));
    assert_int_equal(x->shape[1], 512);
    assert_non_null(gg_tensors_find(t, "d39.final"));
    gg_tensors_free(t);
    gg_context_free(ctx);
}

/* Of the loss, and of a logit: the same shapes, `grad` behind the names; what a logit has to do with itself is 1. */
static void gradients_are_named_as_activations_are(void **state)
{
    (void)state;
    gg_context *ctx = NULL;
    gg_tensors *t = NULL;
    char path[4200];
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    must("activations --model $M --input $D/pool.jsonl --sites up,resid_in,final --layers last --gradients nll --max-tokens 7 --output $D/g.safetensors");
    must("activations --model $M --input $D/pool.jsonl --sites v --layers 0 --gradients logit:5 --logits --pool last --threads 1 --output $D/h.safetensors");
    snprintf(path, sizeof path, "%s/g.safetensors", D);
    assert_int_equal(gg_tensors_open(&t, ctx, path), GG_OK);
    assert_int_equal(gg_tensors_count(t), 3 * N_DOCS);
    const gg_tensor *x = gg_tensors_find(t, "d03.L1.up.grad");
    const char *what = NULL;
    assert_non_null(x);
    assert_true(x->n_dims == 2 && x->shape[0] == 7 && x->shape[1] == 96);
    assert_true(gg_tensors_text(t, "gradients", &what) && strcmp(what, "nll") == 0);
    x = gg_tensors_find(t, "d00.final.grad");
    assert_non_null(x);
    for (int64_t k = 0; k < x->shape[1]; k++) /* the last token predicts nothing */
        assert_true(((const float *)x->data)[6 * x->shape[1] + k] == 0 && ((const float *)x->data)[k] != 0);
    gg_tensors_free(t);
    snprintf(path, sizeof path, "%s/h.safetensors", D);
    assert_int_equal(gg_tensors_open(&t, ctx, path), GG_OK);
    assert_int_equal(gg_tensors_count(t), 2 * N_DOCS);
    assert_non_null(x = gg_tensors_find(t, "d07.logits.grad"));
    for (int64_t k = 0; k < x->shape[0]; k++)
        assert_true(((const float *)x->data)[k] == (k == 5 ? 1 : 0));
    assert_non_null(gg_tensors_find(t, "d07.L0.v.grad"));
    gg_tensors_free(t);
    gg_context_free(ctx);
}

/* Pooled values against the unpooled rows, added here. */
static void pooling_is_over_the_tokens_of_the_document(void **state)
{
    (void)state;
    gg_context *ctx = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    must("activations --model $M --input $D/pool.jsonl --sites up --output $D/none.safetensors");
    must("activations --model $M --input $D/pool.jsonl --sites up --pool mean-abs --output $D/mean-abs.safetensors");
    must("activations --model $M --input $D/pool.jsonl --sites up --pool max --output $D/max.safetensors");
    must("activations --model $M --input $D/pool.jsonl --sites up --pool last --output $D/last.safetensors");
    gg_tensors *t[4] = {0};
    static const char *const name[] = {"none", "mean-abs", "max", "last"};
    for (int i = 0; i < 4; i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/%s.safetensors", D, name[i]);
        assert_int_equal(gg_tensors_open(&t[i], ctx, path), GG_OK);
    }
    const gg_tensor *x[4];
    for (int i = 0; i < 4; i++)
        assert_non_null(x[i] = gg_tensors_find(t[i], "d20.L1.up"));
    assert_int_equal(x[1]->n_dims, 1);
    const int64_t n = x[0]->shape[0], width = x[0]->shape[1];
    for (int64_t k = 0; k < width; k++) {
        double mean_abs = 0, max = -INFINITY, last = 0;
        for (int64_t r = 0; r < n; r++) {
            last = ((const float *)x[0]->data)[r * width + k];
            mean_abs += fabs(last) / (double)n;
            max = last > max ? last : max;
        }
        assert_true(fabs(((const float *)x[1]->data)[k] - mean_abs) <= 1e-6 * (1 + mean_abs));
        assert_true(((const float *)x[2]->data)[k] == (float)max);
        assert_true(((const float *)x[3]->data)[k] == (float)last);
    }
    for (int i = 0; i < 4; i++)
        gg_tensors_free(t[i]);
    gg_context_free(ctx);
}

static void an_action_file_switches_neurons_off(void **state)
{
    (void)state;
    put_text(D, "off.json",
             "{\"golgi\": \"action\", \"version\": 1, \"actions\": [{\"neurons\": [\"L0.up[0-95]\", \"L1.up[0-95]\"], \"operation\": \"zero\"}]}");
    gg_context *ctx = NULL;
    gg_tensors *t = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    must("activations --model $M --input $D/pool.jsonl --sites up,mlp_out --layers 1 --pool mean-abs --action $D/off.json --output $D/off.safetensors");
    char path[4200];
    snprintf(path, sizeof path, "%s/off.safetensors", D);
    assert_int_equal(gg_tensors_open(&t, ctx, path), GG_OK);
    for (int64_t i = 0; i < gg_tensors_count(t); i++)
        for (int64_t k = 0; k < gg_tensors_at(t, i)->shape[0]; k++)
            assert_true(((const float *)gg_tensors_at(t, i)->data)[k] == 0.0f);
    gg_tensors_free(t);
    gg_context_free(ctx);
}

static void tokens_are_one_line_or_one_a_line(void **state)
{
    (void)state;
    must("tokenize --model $M $D/text.txt");
    assert_true(strlen(s.out) > 4 && strchr(s.out, '\n') == s.out + strlen(s.out) - 1);
    int n = 1;
    for (const char *c = s.out; *c; c++)
        n += *c == ' ';
    must("tokenize --model $M --pieces $D/text.txt");
    int lines = 0;
    for (const char *c = s.out; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, n);
}

static void every_verb_explains_itself(void **state)
{
    (void)state;
    static const char *const verbs[] = {"score", "activations", "tokenize", "model show", "model sites", "model get", "nag extract", "nag rank", "nag merge",
                                        "nag slice", "nag select", "nag show", "nag explain", "nag cluster", "nag deactivate", "bench", "bench nag"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        char words[64];
        snprintf(words, sizeof words, "%s --help", verbs[i]);
        must(words);
        char example[64];
        snprintf(example, sizeof example, "golgi %s", verbs[i]);
        assert_non_null(strstr(s.out, example));
        snprintf(words, sizeof words, "help %s", verbs[i]);
        must(words);
        assert_non_null(strstr(s.out, example));
    }
    run(&s, D, "");
    assert_int_equal(s.code, 2);
    must("list");
    assert_non_null(strstr(s.out, "nag"));
    must("version");
    assert_non_null(strstr(s.out, gg_version()));
}

/* Stopped while it waits for more: what was asked for is not written, and that is told. It is stopped when it certainly waits: the last line is not
 * finished, and longer than the pipe and the reader's window hold, so a writer that is through with it knows that all documents before it were taken;
 * they are more than the groups that may be read ahead or in flight, so some have come out. */
static void stopped_means_nothing_was_written(void **state)
{
    (void)state;
    enum { MUCH = 600, UNFINISHED = 3 << 19 };
#if defined(__SANITIZE_THREAD__) /* keeps a signal for itself while its thread waits for a mutex, as the first does when another one reads */
    const int threads = 1;
#else
    const int threads = 2;
#endif
    static const char *const verbs[] = {"score --output $D/stopped.out.jsonl", "activations --sites up --output $D/stopped.out.safetensors"};
    static char much[MUCH * 128 + UNFINISHED];
    size_t n = 0;
    for (int i = 0; i < MUCH; i++)
        n += (size_t)snprintf(much + n, sizeof much - n, "{\"docid\": \"m%03d\", \"doc\": \"And God said, Let there be light: and there was light. %d\"}\n",
                              i, i);
    const int begun = snprintf(much + n, sizeof much - n, "{\"docid\": \"unfinished\", \"doc\": \"");
    memset(much + n + begun, 'x', UNFINISHED - (size_t)begun);
    put_file(D, "much.jsonl", much, n + UNFINISHED);
    for (int i = 0; i < 2; i++)
        for (int term = 0; term < 2; term++) {
            char line[1000];
            snprintf(line, sizeof line,
                     "export D G M; mkfifo $D/idle; { cat $D/much.jsonl; touch $D/read; exec sleep 600; } >$D/idle & w=$!; "
                     "{ until test -e $D/read; do sleep 0.01; done; kill -s %s $(cat $D/pid); } & k=$!; "
                     "sh -c 'echo $$ >$D/pid; exec $G %s --model $M --threads %d --input - <$D/idle'; "
                     "r=$?; kill $w $k; wait; rm $D/idle $D/read $D/pid; exit $r",
                     term ? "TERM" : "INT", verbs[i], threads);
            run_line(&s, D, line);
            assert_int_equal(s.code, term ? 143 : 130);
            const char *after = strstr(s.err, "stopped after ");
            if (!after || atoi(after + strlen("stopped after ")) <= 0)
                fail_msg("%s: %s", line, s.err);
            assert_non_null(strstr(s.err, " was not written"));
            run_line(&s, D, "ls -A $D | grep stopped");
            assert_string_equal(s.out, "");
        }
}

static void json_is_json(void **state)
{
    (void)state;
    must("model show --json $M");
    json_t *j = json_said();
    assert_int_equal(json_integer_value(json_object_get(j, "n_layers")), 2);
    assert_string_equal(json_string_value(json_object_get(j, "family")), "llama");
    json_decref(j);
    must("model sites --json $M");
    j = json_said();
    json_decref(j);
    must("nag extract --model $M --input $D/pool.jsonl --output $D/j.nag");
    must("nag rank --target $D/j.nag --pool $D/j.nag --payload $D/pool.jsonl --output $D/j.jsonl --json");
    j = json_said();
    json_decref(j);
    must("score --model $M --input $D/pool.jsonl --output $D/j.score.jsonl --json");
    j = json_said();
    assert_int_equal(json_integer_value(json_object_get(j, "n_tokens")), json_integer_value(json_object_get(j, "n_predicted")) +
                                                                             json_integer_value(json_object_get(j, "n_documents")));
    assert_true(json_real_value(json_object_get(j, "mean_nll")) > 0);
    json_decref(j);
    must("score --model $M --input $D/pool.jsonl --output $D/j.score.jsonl --max-tokens 1 --json"); /* nothing is predicted from nothing */
    j = json_said();
    assert_true(json_is_null(json_object_get(j, "mean_nll")));
    json_decref(j);
    must("score --model $M --input $D/pool.jsonl --output $D/j.score.jsonl --max-tokens 1");
    assert_null(strstr(s.err, "nan"));
    must("activations --model $M --input $D/pool.jsonl --output $D/j.safetensors --json");
    j = json_said();
    assert_string_equal(json_string_value(json_object_get(j, "output")) + strlen(D), "/j.safetensors");
    json_decref(j);
}

/* The signal comes while the action file is read, which is a pipe here: the program has begun, and the model is not there yet. */
static void what_was_stopped_while_it_loaded_says_that_nothing_was_written(void **state)
{
    (void)state;
    static const char *const verbs[][2] = {{"score --output $D/loading.jsonl", "/loading.jsonl was not written"},
                                           {"activations --sites up --output $D/loading.safetensors", "/loading.safetensors was not written"}};
    for (int i = 0; i < 2; i++) {
        char line[600];
        snprintf(line, sizeof line, "mkfifo $D/act; $G %s --model $M --input $D/pool.jsonl --action $D/act & p=$!; { kill -TERM $p; "
                 "echo '{\"golgi\": \"action\", \"version\": 1, \"actions\": [{\"neurons\": [\"L0.up[0]\"], \"operation\": \"zero\"}]}'; } >$D/act & w=$!; "
                 "wait $p; r=$?; kill $w 2>/dev/null; rm $D/act; exit $r", verbs[i][0]);
        run_line(&s, D, line);
        if (s.code != 143 || !strstr(s.err, "stopped after 0 documents; ") || !strstr(s.err, verbs[i][1]))
            fail_msg("%s: exit %d, %s", line, s.code, s.err);
        run_line(&s, D, "ls -A $D | grep loading");
        assert_string_equal(s.out, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_with_one_thread_or_two),
        cmocka_unit_test(the_same_features_in_any_order_of_the_pool),
        cmocka_unit_test(activations_are_named_by_document_layer_and_site),
        cmocka_unit_test(gradients_are_named_as_activations_are),
        cmocka_unit_test(pooling_is_over_the_tokens_of_the_document),
        cmocka_unit_test(an_action_file_switches_neurons_off),
        cmocka_unit_test(tokens_are_one_line_or_one_a_line),
        cmocka_unit_test(every_verb_explains_itself),
        cmocka_unit_test(stopped_means_nothing_was_written),
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(what_was_stopped_while_it_loaded_says_that_nothing_was_written),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
