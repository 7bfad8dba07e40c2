/* golgi lm and golgi model convert, run as a person would: from a text to a folder, a GGUF and a text again; stopped and gone on; and mistakes. */
#include "cli/program.h"

#define SMALL_LOUD " --input $D/text.txt --layers 2 --width 32 --heads 4 --context 32 --batch 8 --lr 5e-3"
#define SMALL SMALL_LOUD " --eval-every 40 --quiet"
#if defined(__SANITIZE_ADDRESS__) /* products are instrumented number by number: a few steps are made, and little is learned */
enum { LEARNS = 0 };
#define STEPS "6"
#define LONG_RUN "60"
#else
enum { LEARNS = 1 };
#define STEPS "200"
#define LONG_RUN "600"
#endif

/* "a1 b2 c3 ..." over and over, ten letters: soon known by heart. */
static int prepare(void **state)
{
    (void)state;
    static char text[12001];
    D = make_folder();
    for (int i = 0; i < 4000; i++)
        memcpy(text + 3 * i, (char[3]){(char)('a' + i % 10), (char)('0' + i % 10), ' '}, 3);
    put_text(D, "text.txt", text);
    return 0;
}

static void a_text_is_learned_saved_and_written_again(void **state)
{
    (void)state;
    for (int gpt2 = 0; gpt2 < 2; gpt2++) {
        char line[512];
        snprintf(line, sizeof line, "lm train --characters --arch %s --steps " STEPS " --gguf q8_0 --output $D/%d --json" SMALL, gpt2 ? "gpt2" : "llama", gpt2);
        json_t *j = must_json(line);
        assert_true(json_real_value(json_object_get(j, "val_loss")) < (LEARNS ? 0.25 : 4));
        json_decref(j);
        snprintf(line, sizeof line, "lm generate --model $D/%d --prompt 'c2 d3' --tokens 11 --temperature 0 --quiet", gpt2);
        must(line);
        assert_true(!LEARNS || strcmp(s.out, "c2 d3 e4 f5 g6 h\n") == 0);
        snprintf(line, sizeof line, "lm generate --model $D/%d/model.gguf --prompt 'c2 d3' --tokens 11 --temperature 0.05 --seed 4 --quiet", gpt2);
        must(line);
        assert_true(!LEARNS || strcmp(s.out, "c2 d3 e4 f5 g6 h\n") == 0);
        snprintf(line, sizeof line, "model convert --model $D/%d --output $D/%d.gguf --dtype f32 --quiet", gpt2, gpt2);
        must(line);
        snprintf(line, sizeof line, "lm generate --model $D/%d.gguf --prompt 'c2 d3' --tokens 60 --seed 4 --json", gpt2);
        json_t *one = must_json(line);
        snprintf(line, sizeof line, "lm generate --model $D/%d --prompt 'c2 d3' --tokens 60 --seed 4 --json", gpt2);
        json_t *other = must_json(line);
        assert_true(json_equal(one, other));
        assert_int_equal(json_array_size(json_object_get(one, "ids")), 5 + 60); /* more than the model sees */
        json_decref(one);
        json_decref(other);
    }
}

static void an_end_goes_between_documents_and_ends_a_text(void **state)
{
    (void)state;
    if (!LEARNS)
        skip();
    run_line(&s, D,
             "for i in $(seq 300); do echo '{\"docid\": \"'$i'\", \"text\": \"one two\"}'; done > $D/many.jsonl && "
             "$G lm train --input $D/many.jsonl --characters --layers 1 --width 32 --heads 4 --context 32 --batch 8 --steps 150 --lr 1e-2 --quiet --output "
             "$D/ends && "
             "$G lm generate --model $D/ends --prompt 'one' --tokens 100 --temperature 0 --json");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "\"text\":\"one two\""));
    assert_non_null(strstr(s.out, ",0]")); /* <|endoftext|> is the last id */
}

/* Begins the run and stops it once it has looked at the validation tokens; a run that was faster than the signal is begun again. */
#define CUT "$G lm train --characters --steps " LONG_RUN " --dropout 0.1 --output $D/cut" SMALL_LOUD
#define INTERRUPT                                                                                                                                       \
    "for i in 1 2 3 4 5; do rm -rf $D/cut; " CUT " --eval-every 2 2> $D/said & p=$!; while kill -0 $p && ! grep -q 'step 2:' $D/said; do sleep 0.01; done; " \
    "kill -TERM $p; wait $p; code=$?; [ $code = 143 ] && break; done; cat $D/said >&2; test -e $D/cut/checkpoint.safetensors && exit $code"

static void training_goes_on_where_it_was_and_ends_with_the_same_bits(void **state)
{
    (void)state;
    must("lm train --characters --steps " LONG_RUN " --dropout 0.1 --output $D/whole" SMALL);
    run_line(&s, D, INTERRUPT);
    if (s.code != 143 || !strstr(s.err, "the same command goes on from there"))
        fail_msg("exit %d: %s", s.code, s.err);
    run_line(&s, D, CUT " --log-json --json");
    json_t *j = json_said();
    const int64_t from = json_integer_value(json_object_get(j, "from_step"));
    assert_true(from >= 2 && from < atoi(LONG_RUN));
    json_decref(j);
    assert_non_null(strstr(s.err, "\"done\":" LONG_RUN ",\"total\":" LONG_RUN ",")); /* the steps before count as done */
    shell("cmp $D/whole/model.safetensors $D/cut/model.safetensors");
    /* the log is of all sittings, and stays when there is nothing left to do */
    shell("test $(wc -l < $D/whole/train.csv) = $((" LONG_RUN " + 1))");
    for (int again = 0; again < 2; again++) {
        shell("cut -d , -f 1,2,4 $D/whole/train.csv > $D/whole.txt; cut -d , -f 1,2,4 $D/cut/train.csv | cmp - $D/whole.txt");
        shell("awk -F , 'NR > 1 { if ($5 <= 0 + before) exit 1; before = $5 }' $D/cut/train.csv");
        run_line(&s, D, CUT " --quiet");
        assert_int_equal(s.code, 0);
    }
    run_line(&s, D, "flock $D/cut/checkpoint.safetensors.lock " CUT);
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "another process is writing it"));
    run(&s, D, "lm train --characters --steps " LONG_RUN " --dropout 0.2 --output $D/cut" SMALL);
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "was made with other options; remove it to begin anew"));
}

/* What is printed as JSON is JSON whatever the folder is called, and a number that is not there is null; as text it is left out. */
static void names_and_gaps_are_told(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "$G tokenizer train --input $D/text.txt --characters --output \"$D/$odd/t.json\"",
        ("$G lm train --characters --steps 2 --val-fraction 0 --output \"$D/$odd/m\"" SMALL_LOUD),
        "$G model convert --model \"$D/$odd/m\" --output \"$D/$odd/m.gguf\"",
    };
    static const char *const outputs[] = {"t.json", "m", "m.gguf"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char line[1024], output[512];
        snprintf(line, sizeof line, "odd='a \"b\" \\c'; mkdir -p \"$D/$odd\"; %s --json", commands[i]);
        run_line(&s, D, line);
        json_t *j = json_said();
        snprintf(output, sizeof output, "%s/a \"b\" \\c/%s", D, outputs[i]);
        assert_string_equal(json_string_value(json_object_get(j, "output")), output);
        if (i == 1)
            assert_true(json_is_null(json_object_get(j, "val_loss")) && json_is_real(json_object_get(j, "loss")));
        json_decref(j);
    }
    /* The same once more: nothing is left to do, so there is no loss. */
    json_t *j = must_json("lm train --characters --steps 2 --val-fraction 0 --output \"$D/a \\\"b\\\" \\\\c/m\" --json" SMALL_LOUD);
    assert_true(json_is_null(json_object_get(j, "loss")) && json_integer_value(json_object_get(j, "from_step")) == 2);
    json_decref(j);
    must("lm train --characters --steps 2 --val-fraction 0 --output $D/gap" SMALL_LOUD);
    assert_non_null(strstr(s.err, " nats a token; "));
    assert_null(strstr(s.err, "validation"));
    assert_null(strstr(s.err, "nan"));
    /* Every line of --log-json is an object. */
    static const char *const told[] = {"tokenizer train --input $D/text.txt --characters --output $D/t.json",
                                       ("lm train --characters --steps 2 --output $D/events" SMALL_LOUD),
                                       "model convert --model $D/events --output $D/events.gguf"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        char line[1024];
        snprintf(line, sizeof line, "%s --log-json", told[i]);
        must(line);
        int n = 0;
        for (char *at = s.err, *end; (end = strchr(at, '\n')); at = end + 1, n++) {
            json_t *event = json_loadb(at, (size_t)(end - at), 0, NULL);
            if (!event)
                fail_msg("golgi %s: no event: %.*s", line, (int)(end - at), at);
            json_decref(event);
        }
        assert_true(n >= 1 && strstr(s.err, "\"event\":\"said\""));
    }
}

static void fails(const char *words, int code, const char *part)
{
    run(&s, D, words);
    if (s.code != code || !strstr(s.err, part))
        fail_msg("golgi %s: exit %d, \"%s\" does not say \"%s\"", words, s.code, s.err, part);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    fails("model convert --model $M --output $D/x.gguf", 1, "is a GGUF already");
    fails("model convert --model tests/golden/tiny/qwen3 --output $D/x.gguf", 1, "families llama and gpt2");
    fails("model convert --model tests/golden/tiny/llama --output $D/x.gguf --dtype q4_0", 2, "q8_0");
    fails("lm generate --model tests/golden/tiny/llama", 1, "tokenizer");
    fails("lm generate --model $M --prompt ''", 1, "gives no token to go on from");
    fails("lm train --characters --steps 1 --output $D/y --warmup 2" SMALL, 2, "--warmup");
    run_line(&s, D, "ls $D");
    assert_null(strstr(s.out, "x.gguf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_learned_saved_and_written_again),
        cmocka_unit_test(an_end_goes_between_documents_and_ends_a_text),
        cmocka_unit_test(training_goes_on_where_it_was_and_ends_with_the_same_bits),
        cmocka_unit_test(names_and_gaps_are_told),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
