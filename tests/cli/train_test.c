/* golgi train, eval and predict as a person runs them: a table is learned end to end, seeds and grids side by side give the bits of runs alone, a killed run
 * goes on, and every mistake in a configuration or in the data is told with its place. */
#include "cli/program.h"
#include "base/lock.h"
#include <signal.h>
#include <time.h>

enum { ROWS = 240 };
/* A table: kind follows from a, b and colour; noise does not matter. From a fixed sequence, so that every machine has the same. */
static void write_table(const char *name, bool with_kind, const char *extra)
{
    char path[256];
    uint32_t r = 12345;
    snprintf(path, sizeof path, "%s/%s", D, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "a,b,colour,noise%s\n", with_kind ? ",kind" : "");
    for (int i = 0; i < ROWS; i++) {
        double u[4];
        for (int k = 0; k < 4; k++) {
            r = r * 1664525u + 1013904223u;
            u[k] = (double)(r >> 8) / 0x1p24 * 2 - 1;
        }
        const char *kind = u[2] > 0.2 ? "ant" : u[0] + u[1] > 0 ? "bee" : "cat";
        fprintf(f, "%.4f,%.4f,%s,%.4f%s%s\n", u[0], u[1], u[2] > 0.2 ? "red" : "blue", 100 * u[3], with_kind ? "," : "", with_kind ? kind : "");
    }
    fputs(extra, f);
    fclose(f);
}

#define MODEL "[{\"layer\": \"linear\", \"n\": 16}, \"relu\", {\"layer\": \"dropout\", \"p\": 0.1}, {\"layer\": \"linear\", \"n\": 3}]"
static const char config[] = "{\n"
                             "  \"data\": {\"train\": \"table.csv\", \"target\": \"kind\", \"validation\": 0.2, \"test\": 0.25},\n"
                             "  \"model\": " MODEL ",\n"
                             "  \"loss\": \"cross_entropy\",\n"
                             "  \"optimizer\": {\"name\": \"adamw\", \"lr\": 0.02},\n"
                             "  \"schedule\": {\"name\": \"cosine\", \"warmup\": 1},\n"
                             "  \"training\": {\"epochs\": 60, \"batch_size\": 16, \"seed\": 4}\n"
                             "}\n";

static int set_up(void **state)
{
    (void)state;
    D = make_folder_in_memory();
    write_table("table.csv", true, "");
    put_text(D, "config.json", config);
    return 0;
}

static void says(const char *text, const char *what)
{
    if (!strstr(s.err, text) && !strstr(s.out, text))
        fail_msg("%s: \"%s\" is not said; exit %d, output \"%.600s\", error \"%.600s\"", what, text, s.code, s.out, s.err);
}

static double number_at(const json_t *j, const char *a, const char *b) { return json_number_value(json_object_get(b ? json_object_get(j, a) : j, b ? b : a)); }

/* The text of a report. */
#define PLAIN "sed \"s/<[^>]*>//g; s/&#39;/'/g\" $D/%s/report.html"

static void a_table_is_learned_end_to_end(void **state)
{
    (void)state;
    char line[512];
    json_t *j = must_json("train $D/config.json --output $D/one --json");
    assert_true(number_at(j, "test", "accuracy") >= 0.9 && number_at(j, "test", "auroc") > 0.97);
    assert_int_equal((int)number_at(j, "samples", "train"), 132);
    assert_int_equal((int)number_at(j, "samples", "validation"), 48);
    assert_int_equal((int)number_at(j, "samples", "test"), 60);
    assert_int_equal((int)number_at(j, "epochs", NULL), 60);
    assert_int_equal(json_array_size(json_object_get(j, "confusion")), 3);
    json_decref(j);
    static const char *const files[] = {"best.safetensors", "last.safetensors", "state.json", "model.json",
                                        "metrics.json",     "log.csv",          "log.jsonl",  "report.html"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[64];
        snprintf(name, sizeof name, "one/%s", files[i]);
        assert_true(present(D, name));
    }
    run_line(&s, D, "wc -l < $D/one/log.csv; wc -l < $D/one/log.jsonl; head -1 $D/one/log.csv");
    says("61\n60\nepoch,step,train_loss,val_loss,val_accuracy", "logs");
    /* Once more: nothing is done, the same is said. */
    run_line(&s, D,
             "cp $D/one/metrics.json $D/before.json && touch -d 2001-01-01 $D/one/last.safetensors && $G train $D/config.json --output $D/one && find $D/one "
             "-name last.safetensors ! -newermt 2002-01-01");
    says("one/last.safetensors", "a finished run");
    says("best epoch", "a finished run");
    assert_true(same_file("one/metrics.json", "before.json"));
    /* Without its report: that is written; of other samples: they are refused, and the result stays. */
    snprintf(line, sizeof line, "rm $D/one/report.html && $G train $D/config.json --output $D/one && " PLAIN, "one");
    run_line(&s, D, line);
    says("/config.json --output ", "the report's command");
    assert_true(same_file("one/metrics.json", "before.json"));
    run_line(&s, D,
             "cp $D/table.csv $D/all.csv && head -121 $D/all.csv > $D/table.csv && $G train $D/config.json --output $D/one; code=$?; mv $D/all.csv "
             "$D/table.csv; exit $code");
    assert_int_equal(s.code, 1);
    says("the samples are others", "a finished run of other samples");
    assert_true(same_file("one/metrics.json", "before.json"));
    run(&s, D, "train $D/config.json --output $D/one --set optimizer.lr=0.5");
    assert_int_equal(s.code, 1);
    says("/optimizer/lr: 0.02 there, 0.5 now", "a finished run of another configuration");
    assert_true(same_file("one/metrics.json", "before.json"));
    /* Two threads: the same bits. */
    must("train $D/config.json --output $D/two --threads 2 --quiet");
    assert_true(same_file("one/best.safetensors", "two/best.safetensors"));
    must("train $D/config.json --output $D/three --threads 1 --seed 9 --quiet --set 'optimizer.betas=[0.9, 0.99]'");
    snprintf(line, sizeof line, PLAIN, "three");
    run_line(&s, D, line);
    says(" --set 'optimizer.betas=[0.9, 0.99]' --seed 9 --output ", "the report's command");
    assert_false(same_file("one/best.safetensors", "three/best.safetensors"));
}

/* What chose the best epoch of a finished run is a part of what it was made with, and so is where it ended when that was later. */
static void a_finished_run_is_not_taken_for_another(void **state)
{
    (void)state;
    run(&s, D, "train $D/config.json --describe --set data.validation=few.csv");
    says("few.csv", "a file that is not there");
    run_line(&s, D, "head -61 $D/table.csv > $D/few.csv; $G train $D/config.json --output $D/few --quiet --set data.validation=few.csv schedule=constant "
                    "training.epochs=3; cp $D/few/metrics.json $D/few.json");
    assert_int_equal(s.code, 0);
    run(&s, D, "train $D/config.json --output $D/few --quiet --set data.validation=few.csv schedule=constant training.epochs=2");
    assert_int_equal(s.code, 1);
    says("few/last.safetensors has made 36 steps, 24 are asked for now", "fewer epochs than it made");
    run_line(&s, D, "sed -i '2s/^[^,]*/0.5/' $D/few.csv; $G train $D/config.json --output $D/few --quiet --set data.validation=few.csv schedule=constant "
                    "training.epochs=3");
    assert_int_equal(s.code, 1);
    says("\n  the samples are others", "one number of the validation samples");
    assert_true(same_file("few/metrics.json", "few.json"));
}

static void its_layers_are_described(void **state)
{
    (void)state;
    run(&s, D, "train $D/config.json --describe");
    says("132 samples to train on, 48 for validation, 60 for the test; 3 classes", "--describe");
    says("0   linear                    (16,)                             96", "--describe");
    says("147 parameters", "--describe");
    json_t *j = must_json("train $D/config.json --describe --json");
    assert_int_equal((int)number_at(j, "parameters", NULL), 147);
    assert_int_equal(json_array_size(json_object_get(j, "layers")), 4);
    json_decref(j);
}

static void others_are_judged_and_told(void **state)
{
    (void)state;
    run(&s, D, "train $D/config.json --output $D/judged --quiet");
    json_t *j = must_json("eval --model $D/judged --data $D/table.csv --json");
    const double accuracy = number_at(j, "accuracy", NULL);
    assert_true(accuracy > 0.93 && number_at(j, "samples", NULL) == ROWS && json_object_get(j, "ece") && json_array_size(json_object_get(j, "by_class")) == 3);
    json_decref(j);
    run(&s, D, "eval --model $D/judged --data $D/table.csv");
    says("predicted as", "eval");
    says("precision", "eval");
    /* Predictions: those of eval; without the target, with columns elsewhere, in other formats. */
    write_table("bare.csv", false, "");
    run_line(&s, D, "awk -F, -v OFS=, '{ print $4, $1, $3, \"x\", $2 }' $D/bare.csv | sed '1s/x/unused/' > $D/turned.csv");
    run_line(&s, D,
             "$G predict --model $D/judged --input $D/table.csv --output $D/p.csv && $G predict --model $D/judged --input $D/bare.csv --output $D/q.csv && cmp "
             "$D/p.csv $D/q.csv");
    assert_int_equal(s.code, 0);
    says("240 samples -> ", "predict");
    run_line(&s, D,
             "cut -d, -f5 $D/table.csv > $D/truth; cut -d, -f2 $D/p.csv | paste -d' ' - $D/truth | awk 'NR > 1 { n++; hit += $1 == $2 } END { printf \"%.6f "
             "%d\", hit / n, n }'");
    double hits = 0;
    int n = 0;
    assert_int_equal(sscanf(s.out, "%lf %d", &hits, &n), 2);
    assert_int_equal(n, ROWS);
    assert_true(hits - accuracy < 1e-5 && accuracy - hits < 1e-5);
    run_line(&s, D, "$G predict --model $D/judged --input $D/table.csv | head -1");
    says("{\"sample\":1,\"class\":\"", "predict");
    says("\"p_cat\":", "predict");
    run_line(&s, D, "$G predict --model $D/judged --input $D/table.csv --output $D/p.npy --quiet && head -c 100 $D/p.npy | tr -cd '[:print:]'");
    says("(240, 3)", "predict");
    run(&s, D, "eval --model $D/judged --data $D/table.csv --parameters $D/judged/last.safetensors --json");
    json_decref(json_said());
}

static void values_are_learned_and_told_in_their_units(void **state)
{
    (void)state;
    run_line(&s, D, "awk -F, -v OFS=, 'NR == 1 { print \"a,b,noise,y\"; next } { print $1, $2, $4, 1000 + 300 * $1 - 100 * $2 }' $D/table.csv > $D/values.csv");
    put_text(
        D, "values.json",
        "{\"data\": {\"train\": \"values.csv\", \"target\": \"y\", \"scale_target\": true, \"test\": 0.2, \"validation\": 0.2},\n"
        "\"model\": [{\"layer\": \"linear\", \"n\": 8}, \"tanh\", {\"layer\": \"linear\", \"n\": 1}], \"loss\": \"mse\",\n"
        "\"optimizer\": {\"name\": \"adam\", \"lr\": 0.02}, \"training\": {\"epochs\": 80, \"early_stopping\": {\"metric\": \"val_r2\", \"mode\": \"max\"}}}");
    json_t *j = must_json("train $D/values.json --output $D/values --json");
    assert_true(number_at(j, "test", "r2") > 0.97 && number_at(j, "test", "mae") < 30);
    json_decref(j);
    run_line(&s, D, "$G predict --model $D/values --input $D/values.csv --output - | head -1");
    double said = 0;
    assert_int_equal(sscanf(s.out, "{\"sample\":1,\"value\":%lf}", &said), 1);
    assert_true(said > 500 && said < 1500);
}

/* Files that are judged need the columns that were learned from and no others; a column given by its number is found again by its name, and the loss is weighed
 * as it was. */
static void other_files_need_only_what_was_learned(void **state)
{
    (void)state;
    run_line(&s, D,
             "awk -F, -v OFS=, '{ print NR == 1 ? \"who\" : \"p\" NR % 9, $4, $1, $2, $3, $5 }' $D/table.csv > $D/wide.csv; "
             "cut -d, -f3- $D/wide.csv > $D/thin.csv");
    put_text(D, "wide.json",
             "{\"data\": {\"train\": \"wide.csv\", \"target\": -1, \"group\": \"who\", \"grouped\": true, \"ignore\": [\"noise\"], "
             "\"validation\": \"thin.csv\", \"test\": \"thin.csv\"},\n"
             "\"model\": " MODEL ", \"loss\": {\"name\": \"cross_entropy\", \"weight\": \"balanced\"},\n"
             "\"optimizer\": \"adam\", \"training\": {\"epochs\": 5}}");
    json_t *j = must_json("train $D/wide.json --output $D/wide_run --json");
    const double loss = number_at(j, "test", "loss");
    json_decref(j);
    j = must_json("eval --model $D/wide_run --data $D/thin.csv --json");
    assert_true(loss > 0 && number_at(j, "loss", NULL) == loss);
    json_decref(j);
    must("predict --model $D/wide_run --input $D/thin.csv --output $D/thin.said.csv");
    gg_context *ctx = NULL;
    gg_lock *held = NULL;
    char path[300];
    snprintf(path, sizeof path, "%s/held.csv", D);
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    assert_int_equal(gg_lock_take(&held, ctx, path), GG_OK); /* as another process would that writes there */
    run(&s, D, "predict --model $D/wide_run --input $D/thin.csv --output $D/held.csv");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "is writing it"));
    assert_false(present(D, "held.csv"));
    gg_lock_free(held);
    gg_context_free(ctx);
    must("predict --model $D/wide_run --input $D/thin.csv --output $D/held.csv");
    run_line(&s, D, "cut -d, -f1-3 $D/thin.csv > $D/bare.csv; $G eval --model $D/wide_run --data $D/bare.csv");
    assert_int_equal(s.code, 1);
    says("the model learned column \"kind\"", "a file without the target");
}

/* Text through a tokenizer: each place learns the next token. */
static void text_is_learned_token_by_token(void **state)
{
    (void)state;
    run_line(&s, D,
             "for i in $(seq 150); do printf 'the cat sat on the mat. a dog ran to it. '; done > $D/text.txt; $G tokenizer train --input $D/text.txt --vocab "
             "257 --output $D/bytes.json --quiet");
    assert_int_equal(s.code, 0);
    put_text(D, "text.json",
             "{\"data\": {\"train\": \"text.txt\", \"tokenizer\": \"bytes.json\", \"length\": 16, \"test\": 0.2, \"ordered\": true},\n"
             "\"model\": [{\"layer\": \"embedding\", \"n\": 16}, \"positional_embedding\", {\"layer\": \"block\", \"heads\": 2, \"causal\": true},"
             " {\"layer\": \"linear\", \"n\": 257}], \"loss\": \"cross_entropy\",\n"
             "\"optimizer\": {\"name\": \"adamw\", \"lr\": 0.01}, \"training\": {\"epochs\": 8, \"batch_size\": 16}}\n");
    json_t *j = must_json("train $D/text.json --output $D/text --json --no-report");
    assert_true(number_at(j, "test", "perplexity") < 2 && number_at(j, "test", "accuracy") > 0.8);
    json_decref(j);
    assert_false(present(D, "text/report.html"));
    run(&s, D, "eval --model $D/text --data $D/text.txt");
    says("perplexity", "eval of text");
    run_line(&s, D,
             "g=$(realpath $G); cd $D && $g train text.json --output here --no-report --quiet --set training.epochs=1 && cd / && "
             "$g eval --model $D/here --data $D/text.txt");
    says("perplexity", "eval from another folder than it was trained in");
    run(&s, D, "predict --model $D/text --input $D/text.txt");
    assert_int_equal(s.code, 1);
    says("golgi eval judges it", "predict of text");
    run(&s, D, "train $D/text.json --describe --set model.3.n=250");
    says("the last layer gives (16, 250) for each sample; (16, 257) is needed", "another vocabulary");
}

static void seeds_and_grids_run_side_by_side(void **state)
{
    (void)state;
    char line[512];
    json_t *j = must_json("train $D/config.json --output $D/many --seeds 3 --jobs 2 --grid training.epochs=3,5 model.0.n=4,8 --json");
    const json_t *points = json_object_get(j, "points");
    assert_int_equal(json_array_size(points), 4);
    assert_int_equal(json_array_size(json_object_get(j, "runs")), 12);
    assert_string_equal(json_string_value(json_object_get(json_array_get(points, 1), "name")), "training.epochs=3,model.0.n=8");
    const json_t *score = json_object_get(json_object_get(json_array_get(points, 0), "scores"), "test accuracy");
    double mean = 0;
    for (size_t i = 0; i < 3; i++)
        mean += json_number_value(json_array_get(json_object_get(score, "values"), i)) / 3;
    assert_true(mean - json_number_value(json_object_get(score, "mean")) < 1e-12 && json_number_value(json_object_get(score, "sd")) >= 0);
    json_decref(j);
    run_line(&s, D, "wc -l < $D/many/summary.csv; grep -c 'training.epochs=5,model.0.n=4' $D/many/report.html");
    says("13\n", "summary.csv");
    assert_false(strstr(s.out, "\n0\n"));
    /* A run alone has the bits of the one among others; what is finished is not done again, what is missing is. */
    must("train $D/config.json --output $D/alone --set training.epochs=5 model.0.n=8 training.seed=5 --quiet");
    assert_true(same_file("alone/best.safetensors", "many/training.epochs=5,model.0.n=8/seed-5/best.safetensors"));
    run_line(&s, D,
             "rm -r $D/many/training.epochs=3,model.0.n=4/seed-6; $G train $D/config.json --output $D/many --seeds 3 --jobs 1 --grid training.epochs=3,5 "
             "model.0.n=4,8");
    says("12 runs, 11 done before", "the second time");
    says("training.epochs=5,model.0.n=8  3 seeds", "the second time");
    /* Commas in brackets are the value's; a seed's axis would be the same run under several names. */
    j = must_json("train $D/config.json --output $D/betas --set training.epochs=2 --grid 'optimizer.betas=[0.9,0.99],[0.8,0.9]' --jobs 2 --json");
    assert_int_equal(json_array_size(json_object_get(j, "points")), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(j, "points"), 1), "name")), "optimizer.betas=[0.8,0.9]");
    json_decref(j);
    snprintf(line, sizeof line, PLAIN, "betas");
    run_line(&s, D, line);
    says(" --grid 'optimizer.betas=[0.9,0.99],[0.8,0.9]' --jobs 2 --output ", "the report's command");
    run(&s, D, "train $D/config.json --output $D/seeds --grid training.seed=5,6");
    assert_int_equal(s.code, 1);
    says("--grid training.seed=5,6: seeds are given by --seeds N", "an axis of seeds");
    run(&s, D, "train $D/config.json --output $D/seeds --grid training.seed=");
    assert_int_equal(s.code, 1);
    says("--grid training.seed=: NAME=VALUE,VALUE,... is needed", "an axis without a value");
    run(&s, D, "train $D/config.json --output $D/seeds --grid 'optimizer.betas=[0.9,0.99],'");
    assert_int_equal(s.code, 1);
    says("--grid optimizer.betas=[0.9,0.99],: value 2 is empty", "an empty value");
    assert_false(present(D, "seeds"));
    run(&s, D, "train $D/config.json --output $D/bad --seeds 2 --grid model.0.n=4,0");
    assert_int_equal(s.code, 1);
    says("--set model.0.n=0: /model/0/n: 0 is outside its range", "a bad point");
}

/* Begins the run, waits until it has written its state anew, and a little longer, and sends the signal. */
#define LONG_RUN "$G train $D/config.json --output $D/%s --set training.epochs=1500 training.checkpoint_seconds=0.02 --threads 1"
#define LONG_BUSY "$G train $D/config.json --output $D/busy --set training.epochs=100000000 training.checkpoint_seconds=0.02 --threads 1 --quiet"
#define INTERRUPT                                                                                                                              \
    "rm -f $D/killed/last.safetensors; " LONG_RUN " 2> $D/said & p=$!; while kill -0 $p 2> /dev/null && [ ! -e $D/killed/last.safetensors ]; do sleep 0.01; done; " \
    "sleep %s; kill -%s $p 2> /dev/null; wait $p; echo code $?; cat $D/said >&2"

/* SIGKILL at three moments, SIGTERM at one: the same command ends with the bits of a run that nobody disturbed. */
static void killed_runs_go_on(void **state)
{
    (void)state;
    char line[2048];
    size_t done = 0;
    snprintf(line, sizeof line, LONG_RUN " --quiet", "calm");
    shell(line);
    run_line(&s, D, "mkdir -p $D/busy; " LONG_BUSY " & p=$!; while kill -0 $p 2> /dev/null && [ ! -e $D/busy/last.safetensors ]; do sleep 0.01; done; "
                    "$G train $D/config.json --output $D/busy; kill -TERM $p; wait $p; echo code $?");
    says("is writing it, since", "a folder that is in use");
    says("code 143", "SIGTERM");
    says("the same command goes on from there", "SIGTERM");
    static const char *const moments[][3] = {
        {"0", "KILL", "code 137\n"}, {"0.03", "KILL", "code 137\n"}, {"0.01", "TERM", "code 143\n"}, {"0.05", "KILL", "code 137\n"}};
    for (int sitting = 0; sitting < 20 && done < 4; sitting++) {
        snprintf(line, sizeof line, INTERRUPT, "killed", moments[done][0], moments[done][1]);
        run_line(&s, D, line);
        if (strcmp(s.out, "code 0\n") == 0) { /* it was faster than the signal: from the beginning */
            run_line(&s, D, "rm -r $D/killed");
            done = 0;
            continue;
        }
        says(moments[done][2], "a run that was hit");
        assert_true(present(D, "killed/last.safetensors"));
        done++;
    }
    assert_int_equal(done, 4);
    snprintf(line, sizeof line, LONG_RUN " --quiet", "killed");
    shell(line);
    assert_true(same_file("calm/best.safetensors", "killed/best.safetensors"));
    run_line(&s, D, "ls -A $D/killed | grep -E 'tmp|lock'"); /* nothing half written is left */
    assert_int_equal(s.code, 1);
    run_line(&s, D, "cut -d, -f1-11 $D/calm/log.csv > $D/a; cut -d, -f1-11 $D/killed/log.csv | cmp - $D/a && head -1 $D/a");
    assert_int_equal(s.code, 0);
}

/* --- mistakes ------------------------------------------------------------------------------------------------------------------------------------ */
static void mistakes_in_configurations_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *set, *said;
    } cases[] = {
        {"training.epochs=0", "--set training.epochs=0: /training/epochs: 0 is outside its range: at least 1"},
        {"training.epochs=\"many\"", "/training/epochs: a whole number is needed, not a text"},
        {"training.steps=5", "/training: one of epochs and steps is needed, not both"},
        {"training.epoch=5", "/training: unknown key \"epoch\"; known: epochs, steps, batch_size"},
        {"training.epoch=5", "Did you mean \"epochs\"?"},
        {"trainin.epochs=5", "the configuration: unknown key \"trainin\"; known: data, model, loss, optimizer, schedule, training"},
        {"optimizer.lr=0", "/optimizer/lr: 0 is outside its range: above 0"},
        {"optimizer.momentum=0.9", "/optimizer: unknown key \"momentum\"; known: name, lr, betas, eps, weight_decay"},
        {"optimizer.name=adamx", "/optimizer/name: unknown word \"adamx\"; known: sgd, adam, adamw"},
        {"optimizer.betas=[0.9]", "/optimizer/betas: two numbers are needed, not 1"},
        {"optimizer.betas=[0.9,1]", "/optimizer/betas: 1 is outside its range: above 0 and below 1"},
        {"optimizer=[]", "/optimizer: "},
        {"schedule.gamma=0.5", "/schedule: unknown key \"gamma\"; known: name, warmup, lr_min"},
        {"schedule=quick", "--set schedule=quick: /schedule/name: unknown word \"quick\"; known: constant, step"},
        {"loss=mse", "--set loss=mse: /loss: the loss mse learns values"},
        {"loss=bce_with_logits", "/loss: bce_with_logits tells two classes apart, the data have 3"},
        {"loss={\"name\":\"cross_entropy\",\"delta\":1}", "/loss: delta goes with huber"},
        {"loss={\"name\":\"cross_entropy\",\"weight\":[1,2]}", "/loss: 2 weights for 3 classes"},
        {"loss={\"name\":\"cross_entropy\",\"weight\":\"heavy\"}", "/loss/weight: a list of numbers, one a class, or \"balanced\" is needed"},
        {"model.3.n=4", "/model: the last layer gives (4,) for each sample, the data have 3 classes: (3,) is needed"},
        {"model.0.layer=conv2d", "/model/0: conv2d needs \"kernel\""},
        {"model.0.kernel=3", "/model/0: unknown key \"kernel\"; known: layer, name, n, bias"},
        {"model.7.n=3", "has no part \"7\""},
        {"model", "NAME=VALUE is needed"},
        {"data.target=species", "species"},
        {"data.train=other.csv", "other.csv"},
        {"data.test=1.5", "/data/test: 1.5 is outside its range"},
        {"data.test=0.9", "/data: validation 0.2 and test 0.9 leave nothing to train on"},
        {"data.test=true", "/data/test: a file's path, or the part of \"train\" that is kept aside (0.2), is needed, not a truth value"},
        {"data.task=none", "/data/task: unknown word \"none\"; known: auto, class, value"},
        {"data.scale=big", "/data/scale: unknown word \"big\"; known: none, standard, channel, range, unit"},
        {"data.ignore=noise", "/data/ignore: a list of texts is needed, not a text"},
        {"training.early_stopping={\"metric\":\"val_acc\"}", "/training/early_stopping/metric: unknown metric \"val_acc\"; known: val_loss, val_accuracy"},
        {"training.early_stopping={\"metric\":\"val_r2\"}", "/training/early_stopping: val_r2 is no score of these targets"},
        {"training.early_stopping={\"metric\":\"val_loss\"}' 'data.validation=0", "/training/early_stopping: there is no validation part"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[1024];
        snprintf(line, sizeof line, "set -f; $G train $D/config.json --describe --set '%s'", cases[i].set);
        run_line(&s, D, line);
        if (s.code != 1)
            fail_msg("%s: exit %d, %s", cases[i].set, s.code, s.err);
        says(cases[i].said, cases[i].set);
    }
    /* In the file itself: its line. */
    static const struct {
        const char *from, *to, *said;
    } files[] = {
        {"\"n\": 16", "\"n\": -1", "bad.json:3: /model/0/n: -1 is outside its range"},
        {"\"p\": 0.1", "\"q\": 0.1", "bad.json:3: /model/2: unknown key \"q\"; known: layer, name, p"},
        {"\"lr\": 0.02", "\"lr\": \"fast\"", "bad.json:5: /optimizer/lr: a number is needed, not a text"},
        {"\"warmup\": 1", "\"warmup\": -1", "bad.json:6: /schedule/warmup: -1 is outside its range: at least 0"},
        {"\"loss\": \"cross_entropy\",", "", "bad.json:1: the configuration: the configuration needs \"loss\""},
        {"\"batch_size\"", "\"epochs\"", "bad.json:7:"},
        {"\"seed\": 4", "\"seed\": 4,", "bad.json:7:"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char text[2048], *at = strstr(strcpy(text, config), files[i].from);
        assert_non_null(at);
        char rest[2048];
        strcpy(rest, at + strlen(files[i].from));
        strcpy(at, files[i].to);
        strcat(text, rest);
        put_text(D, "bad.json", text);
        run(&s, D, "train $D/bad.json --describe");
        assert_int_equal(s.code, 1);
        says(files[i].said, files[i].to);
    }
}

static void mistakes_in_data_and_models_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"write='0.1,0.2,red,nan,ant'; $G train $D/more.json --output $D/x", "more.csv:242"},
        {"write='0.1,inf,red,1,ant'; $G train $D/more.json --output $D/x", "more.csv:242"},
        {"write='0.1,0.2,red,1,'; $G train $D/more.json --output $D/x", "more.csv:242"},
        {"write='0.1,0.2,red'; $G train $D/more.json --output $D/x", "more.csv:242"},
        {"write='0.1,0.2,red,1,dog'; $G train $D/more.json --output $D/x --set data.ordered=true", "dog"},
        {"write='0.1,0.2,red,1,dog'; $G eval --model $D/base --data $D/more.csv", "dog"},
        {"write='0.1,0.2,green,1,ant'; $G predict --model $D/base --input $D/more.csv", "green"},
        {"write='0.1,0.2,red,1,ant'; cut -d, -f1,3- $D/more.csv > $D/less.csv; $G eval --model $D/base --data $D/less.csv", "less.csv"},
        {"write='0.1,0.2,red,1,ant'; cut -d, -f1-4 $D/more.csv > $D/bare2.csv; $G eval --model $D/base --data $D/bare2.csv", "kind"},
        {"write=; $G eval --model $D/nowhere --data $D/table.csv", "--model is the folder that golgi train wrote"},
        {"write=; mkdir -p $D/odd; echo '{}' > $D/odd/model.json; $G eval --model $D/odd --data $D/table.csv", "odd/model.json is no model of golgi train"},
        {"write=; $G eval --model $D/base --parameters $D/wide/best.safetensors --data $D/table.csv",
         "0.weight is F32 (24, 5) there, the model needs F32 (16, 5)"},
        {"write=; $G train $D/config.json --output $D/base --set training.epochs=2 optimizer.lr=0.5", "/optimizer/lr: 0.02 there, 0.5 now"},
        {"write=; $G train $D/config.json --output $D/base --set training.epochs=2 model.0.n=20", "/model/0/n: 16 there, 20 now"},
        {"write='0.1,0.2,red,1,ant'; cp $D/config.json $D/base.json; cp $D/more.csv $D/table2.csv; $G train $D/base.json --output $D/base --set "
         "training.epochs=2 data.train=table2.csv",
         "/data/train: \\\"table.csv\\\" there"},
    };
    must("train $D/config.json --output $D/base --set training.epochs=2 --quiet");
    must("train $D/config.json --output $D/wide --set training.epochs=2 model.0.n=24 --quiet");
    run_line(&s, D, "sed 's/table.csv/more.csv/' $D/config.json > $D/more.json; cp $D/base/model.json $D/model.before");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[1024];
        snprintf(line, sizeof line, "rm -rf $D/x; %.*s; cp $D/table.csv $D/more.csv; [ -z \"$write\" ] || echo \"$write\" >> $D/more.csv; %s",
                 (int)(strchr(cases[i].line, ';') - cases[i].line), cases[i].line, strchr(cases[i].line, ';') + 1);
        run_line(&s, D, line);
        if (s.code != 1)
            fail_msg("%s: exit %d, %.300s %.300s", cases[i].line, s.code, s.err, s.out);
        char said[256], *to = said;
        for (const char *c = cases[i].said; *c; c++)
            if (*c != '\\')
                *to++ = *c;
        *to = 0;
        says(said, cases[i].line);
    }
    assert_true(same_file("base/model.json", "model.before")); /* what was refused has changed nothing */
}

static void progress_and_events_are_told(void **state)
{
    (void)state;
    must("train $D/config.json --output $D/events --log-json --set training.epochs=4");
    says("\"event\":\"progress\"", "--log-json");
    says("\"event\":\"said\"", "--log-json");
    /* Of a run that goes on, the steps before count as done. */
    run(&s, D, "train $D/config.json --output $D/more --quiet --set schedule=constant training.epochs=4");
    must("train $D/config.json --output $D/more --log-json --set schedule=constant training.epochs=6");
    says("\"done\":54,\"total\":54", "the progress of a run that goes on");
    run(&s, D, "train $D/config.json --output $D/verbose --verbose --set training.epochs=4");
    says("epoch 4  loss ", "--verbose");
    run(&s, D, "train");
    assert_int_equal(s.code, 2);
    run(&s, D, "help train");
    says("--grid NAME=V,V,...", "help");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_learned_end_to_end),
        cmocka_unit_test(a_finished_run_is_not_taken_for_another),
        cmocka_unit_test(its_layers_are_described),
        cmocka_unit_test(others_are_judged_and_told),
        cmocka_unit_test(values_are_learned_and_told_in_their_units),
        cmocka_unit_test(other_files_need_only_what_was_learned),
        cmocka_unit_test(text_is_learned_token_by_token),
        cmocka_unit_test(seeds_and_grids_run_side_by_side),
        cmocka_unit_test(killed_runs_go_on),
        cmocka_unit_test(mistakes_in_configurations_are_told_with_their_place),
        cmocka_unit_test(mistakes_in_data_and_models_are_told),
        cmocka_unit_test(progress_and_events_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tidy);
}
