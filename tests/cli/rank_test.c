/* golgi nag rank as a person runs it: several targets, folders, pieces on many machines, and what a killed run leaves. */
#include "cli/program.h"
#include <dirent.h>
#include <golgi/base.h>
#include <math.h>
#include <signal.h>
#include <time.h>
#include "base/work.h"
#include "systems/nag/nag.h"

enum { LAYERS = 6, K = 10, WIDTH = 200, POOL = 3000 };

static void write_features_of(const char *name, uint64_t seed, int from, int to, int64_t max_tokens)
{
    gg_context *ctx = NULL;
    gg_nag_writer *w = NULL;
    char path[4200];
    gg_nag_header h = {.model = "none", .dtype = "f32", .max_tokens = max_tokens, .n_layers = LAYERS, .layer = {0, 1, 2, 3, 4, 5}, .n_sites = 1,
                       .site = {{GG_NAG_UP, WIDTH, K}}};
    memset(h.model_hash, 'a', 64);
    snprintf(path, sizeof path, "%s/%s", D, name);
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    assert_int_equal(gg_nag_writer_open(&w, ctx, path, &h), GG_OK);
    for (int i = from; i < to; i++) {
        gg_random r = gg_random_of(seed, (uint64_t)i);
        uint16_t index[LAYERS * K];
        char text[32];
        const char *docid = text;
        const int64_t tokens = 10 + gg_random_below(&r, 90);
        for (int j = 0; j < LAYERS * K; j++)
            index[j] = (uint16_t)gg_random_below(&r, WIDTH);
        snprintf(text, sizeof text, "doc-%05d", i);
        assert_int_equal(gg_nag_writer_add(w, &(gg_nag_features){.n = 1, .docid = &docid, .token_num = &tokens, .n_scored = &tokens, .index_bytes = 2,
                                                                 .index = {index}}), GG_OK);
    }
    assert_int_equal(gg_nag_writer_commit(w), GG_OK);
    gg_context_free(ctx);
}

static void write_features(const char *name, uint64_t seed, int from, int to)
{
    write_features_of(name, seed, from, to, 120);
}

static int prepare(void **state)
{
    (void)state;
    D = make_folder();
    char path[4200];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", D, (const char *[]){"units", "ranks", "t", "t/law"}[i]);
        mkdir(path, 0777);
    }
    write_features("pool.nag", 1, 0, POOL);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "units/%d.nag", i);
        write_features(path, 1, i * POOL / 3, (i + 1) * POOL / 3);
    }
    write_features("t/target-arc.nag", 7, 0, 20);
    write_features("t/law/1.nag", 8, 0, 5);
    write_features("t/law/2.nag", 8, 5, 12);
    return 0;
}

static void several_targets_leave_a_selection_a_summary_and_a_text_each(void **state)
{
    (void)state;
    must("nag rank --targets $D/t/target-arc.nag $D/t/law/ poetry=$D/t/law/1.nag --pool $D/pool.nag --fraction 0.1 --output $D/chosen");
    must("nag rank --target $D/t/target-arc.nag --pool $D/units --fraction 0.1 --output $D/arc.jsonl");
    assert_true(same_file("arc.jsonl", "chosen/arc.jsonl"));
    must("nag rank --target $D/t/law/1.nag $D/t/law/2.nag --pool $D/units/0.nag $D/units/1.nag $D/units/2.nag --fraction 0.1 --output $D/law.jsonl --json");
    assert_true(same_file("law.jsonl", "chosen/law.jsonl"));
    json_t *one = json_said();
    char path[4200];
    snprintf(path, sizeof path, "%s/chosen/law.json", D);
    json_t *of_many = json_load_file(path, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(one, "n_targets")), 12);
    static const char *const keys[] = {"n_documents", "n_selected", "n_tokens", "budget", "nearest", "farthest", "n_targets"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(json_equal(json_object_get(one, keys[i]), json_object_get(of_many, keys[i])));
    json_decref(one);
    json_decref(of_many);
    assert_true(present(D, "chosen/poetry.jsonl") && present(D, "chosen/poetry.json") && present(D, "chosen/poetry.txt"));
    must("nag rank --targets $D/t/target-arc.nag poetry=$D/t/law/1.nag --pool $D/pool.nag --fraction 0.1 --output $D/of-{}.jsonl.zst --json");
    json_t *both = json_said();
    assert_int_equal(json_array_size(both), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(both, 1), "target")), "poetry");
    json_decref(both);
    assert_true(present(D, "of-arc.jsonl.zst") && present(D, "of-poetry.jsonl.zst"));
    must("nag rank --targets $D/t/target-arc.nag $D/t/law --pool $D/pool.nag --fraction 0.1 --output $D/again");
    assert_non_null(strstr(s.err, "law"));
    assert_non_null(strstr(s.err, "again/arc.jsonl"));
}

static void pieces_merge_to_the_selection_of_one_run(void **state)
{
    (void)state;
    must("nag rank --targets arc=$D/t/target-arc.nag law=$D/t/law --pool $D/pool.nag --fraction 0.2 --output $D/whole");
    for (int i = 0; i < 3; i++) {
        char words[512];
        snprintf(words, sizeof words,
                 "nag rank --targets arc=$D/t/target-arc.nag law=$D/t/law --pool $D/units/%d.nag --fraction 0.2 --output $D/ranks/%d.rank", i, i);
        must(words);
    }
    must("nag rank --pool $D/ranks --fraction 0.2 --output $D/merged");
    assert_true(same_file("merged/arc.jsonl", "whole/arc.jsonl"));
    assert_true(same_file("merged/law.jsonl", "whole/law.jsonl"));
    must("nag rank --pool $D/ranks/2.rank $D/ranks/0.rank --output $D/half.rank");
    must("nag rank --pool $D/half.rank $D/ranks/1.rank --fraction 0.2 --output $D/steps");
    assert_true(same_file("steps/law.jsonl", "whole/law.jsonl"));
    must("nag rank --target $D/t/law --pool $D/units/0.nag --keep 0.01 --output $D/short.rank");
    run(&s, D, "nag rank --pool $D/short.rank --fraction 0.5 --output $D/no.jsonl");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "short.rank"));
    assert_non_null(strstr(s.err, "--up-to"));
    assert_false(present(D, "no.jsonl"));
}

static void what_makes_no_sense_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *words, *says;
    } cases[] = {
        {"nag rank --pool $D/pool.nag --output $D/no.jsonl", "--target is missing"},
        {"nag rank --target $D/t/law --targets $D/t/law --pool $D/pool.nag --output $D/no.jsonl", "one of the two"},
        {"nag rank --targets $D/t/law $D/t/law --pool $D/pool.nag --output $D/no", "both be called \"law\""},
        {"nag rank --targets .x=$D/t/law --pool $D/pool.nag --output $D/no", "cannot name a target"},
        {"nag rank --targets $D/t/law --pool $D/pool.nag --output -", "several targets need several files"},
        {"nag rank --target $D/t/law --pool $D/units/0.nag --weights contrast --output $D/no.rank", "whole pool"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&s, D, cases[i].words);
        assert_int_equal(s.code, 1);
        if (!strstr(s.err, cases[i].says))
            fail_msg("%s: %s", cases[i].words, s.err);
    }
    must("nag rank --target $D/t/law --pool $D/units/0.nag --output $D/r.rank");
    run(&s, D, "nag rank --target $D/t/law --pool $D/r.rank --output $D/no.jsonl");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "--target: the pool is made of .rank files"));
    assert_false(present(D, "no.jsonl") || present(D, "no") || present(D, "no.rank"));
}

/* Of a pool of many files, each read more than once, it is said once that the target's were made in another way. */
static void a_warning_is_said_once(void **state)
{
    (void)state;
    static const char *const cases[] = {"nag rank --target $D/short.nag --pool $D/units --fraction 0.2 --output $D/warned.jsonl",
                                        "nag rank --target $D/short.nag --pool $D/units/1.nag --output $D/warned.rank",
                                        "nag explain --target $D/short.nag --pool $D/units --docid doc-00007"};
    write_features_of("short.nag", 7, 0, 5, 50);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        must(cases[i]);
        int n = 0;
        for (const char *at = s.err; (at = strstr(at, "were not extracted in the same way")); at++)
            n++;
        if (n != 1)
            fail_msg("%s: said %d times", cases[i], n);
    }
}

/* Starts a ranking that writes out.jsonl. */
static pid_t start_rank(void)
{
    const pid_t child = fork();
    if (child != 0)
        return child;
    char law[4200], pool[4200], out[4200];
    snprintf(law, sizeof law, "%s/t/law", D);
    snprintf(pool, sizeof pool, "%s/pool.nag", D);
    snprintf(out, sizeof out, "%s/out.jsonl", D);
    setenv("GCOV_PREFIX", "/dev/null", 1);
    execl(golgi(), "golgi", "nag", "rank", "--quiet", "--target", law, "--pool", pool, "--fraction", "0.5", "--output", out, (char *)NULL);
    _exit(127);
}

/* Killed at moments spread over a whole run and a little more, measured here: the output is the old one or the whole new one; the old one as long as it
 * ran, the new one when it came to its end. No moment is between the two: the old file is never written to, as its other name shows. */
static void a_killed_run_leaves_the_old_output_or_the_new(void **state)
{
    (void)state;
    enum { MOMENTS = 13 };
    must("nag rank --target $D/t/law --pool $D/pool.nag --fraction 0.5 --output $D/new.jsonl");
    put_text(D, "old.jsonl", "{\"docid\":\"old\"}\n");
    char copy[8400];
    snprintf(copy, sizeof copy, "cd %s && rm -f out.jsonl was.jsonl && cp old.jsonl out.jsonl && ln out.jsonl was.jsonl", D);
    double whole = 0;
    int kept = 0, killed = 0;
    for (int i = -1; i < MOMENTS; i++) { /* the first one runs to its end */
        int status;
        assert_int_equal(system(copy), 0);
        assert_true(same_file("out.jsonl", "old.jsonl"));
        const double start = gg_time();
        const pid_t child = start_rank();
        if (i >= 0) {
            const double nap = i * whole / 10;
            nanosleep(&(struct timespec){.tv_sec = (time_t)nap, .tv_nsec = (long)(1e9 * (nap - floor(nap)))}, NULL);
            kill(child, SIGKILL);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (i < 0)
            whole = gg_time() - start;
        const bool old = same_file("out.jsonl", "old.jsonl"), new = same_file("out.jsonl", "new.jsonl");
        assert_true(same_file("was.jsonl", "old.jsonl"));
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            assert_true(new);
        } else {
            assert_true(i >= 0 && WTERMSIG(status) == SIGKILL);
            assert_true(old || new);
        }
        killed += WIFSIGNALED(status);
        kept += old;
    }
    print_message("killed %d of %d times within %.3f s and more, the old output was there %d times\n", killed, MOMENTS, whole, kept);
    assert_true(kept > 0);
    must("nag rank --target $D/t/law --pool $D/pool.nag --fraction 0.5 --output $D/out.jsonl");
    assert_true(same_file("out.jsonl", "new.jsonl"));
    run_line(&s, D, "ls -A $D | grep -E 'tmp$|lock$'"); /* what the dead left is gone */
    assert_string_equal(s.out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_targets_leave_a_selection_a_summary_and_a_text_each),
        cmocka_unit_test(pieces_merge_to_the_selection_of_one_run),
        cmocka_unit_test(what_makes_no_sense_is_told), cmocka_unit_test(a_warning_is_said_once),
        cmocka_unit_test(a_killed_run_leaves_the_old_output_or_the_new),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
