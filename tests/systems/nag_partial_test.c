/* Rankings in pieces: merged in any order and grouping they are the same bytes, and choose what one run over the whole pool chooses. */
#include <limits.h>
#include <math.h>
#include "ration.h"
#include "context.h"
#include "systems/nag/partial.h"
#include "base/work.h"

static int make_folder(void **state)
{
    (void)state;
    return begin_folder("partial", 2);
}

static int drop_folder(void **state)
{
    return end_folder(state);
}

/* Documents from..to-1 of a pool that the seed makes; few neurons, so that distances are often equal (every fourth seed: all of them). */
enum { LAYERS = 2, K = 3, WIDTH = 14, POOL = 300 };
static int64_t max_tokens = 120;
static void write_features(const char *path, uint64_t seed, const char *prefix, int from, int to)
{
    gg_nag_header h = {.model = "none", .dtype = "f32", .max_tokens = max_tokens, .n_layers = LAYERS, .layer = {0, 1}, .n_sites = 1,
                       .site = {{GG_NAG_UP, WIDTH, K}}};
    memset(h.model_hash, 'a', 64);
    gg_nag_writer *w = NULL;
    assert_ok(gg_nag_writer_open(&w, ctx, path, &h));
    for (int i = from; i < to; i++) {
        gg_random r = gg_random_of(seed, (uint64_t)i);
        uint16_t index[LAYERS * K];
        char name[32];
        const char *docid = name;
        const int64_t tokens = gg_random_below(&r, 5) ? gg_random_below(&r, 60) : 0;
        for (int j = 0; j < LAYERS * K; j++)
            index[j] = (uint16_t)gg_random_below(&r, seed % 4 == 3 ? 1 : WIDTH);
        snprintf(name, sizeof name, "%s%d", prefix, i * 7919 % 100003);
        assert_ok(gg_nag_writer_add(w, &(gg_nag_features){.n = 1, .docid = &docid, .token_num = &tokens, .n_scored = &tokens, .index_bytes = 2,
                                                          .index = {index}}));
    }
    assert_ok(gg_nag_writer_commit(w));
}

static gg_nag_target targets[3];
static void make_targets(int n)
{
    static const char *path[3][1];
    static const char *const name[3] = {"arc", "law", "poetry"};
    for (int t = 0; t < n; t++) {
        path[t][0] = at("target-%d.nag", t);
        write_features(path[t][0], 900 + (uint64_t)t, "t", 0, 3 + t);
        targets[t] = (gg_nag_target){name[t], path[t], 1};
    }
}

static void assert_same_ranking(const gg_nag_ranking *a, const gg_nag_ranking *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_tokens, b->n_tokens);
    assert_int_equal(a->budget, b->budget);
    assert_int_equal(a->n_targets, b->n_targets);
    assert_int_equal(a->n_selected, b->n_selected);
    assert_int_equal(a->n_selected_tokens, b->n_selected_tokens);
    assert_int_equal(a->n_ends, b->n_ends);
    for (int64_t i = 0; i < a->n_selected; i++) {
        assert_string_equal(a->row[i].docid, b->row[i].docid);
        assert_true(a->row[i].distance == b->row[i].distance && a->row[i].score == b->row[i].score);
        assert_int_equal(a->row[i].token_num, b->row[i].token_num);
    }
    for (int i = 0; i < a->n_ends; i++) {
        assert_string_equal(a->near[i].docid, b->near[i].docid);
        assert_string_equal(a->far[i].docid, b->far[i].docid);
        assert_true(a->far[i].score == b->far[i].score);
    }
}

static void options_of(gg_nag_rank_options *o, const char *pool, double fraction)
{
    *o = (gg_nag_rank_options){.pool = {pool}, .n_pool = 1, .fraction = fraction, .chosen_only = true};
}

/* --- sketches ---------------------------------------------------------------------------------------------------------------- */
static void cells_rise_with_scores_and_end_where_they_say(void **state)
{
    (void)state;
    gg_random r = gg_random_of(3, 3);
    double last = -1;
    for (int i = 0; i < 200000; i++) {
        const double a = gg_random_uniform(&r) * (i % 3 ? 1 : 2), b = i % 5 ? gg_random_uniform(&r) * 2 : nextafter(a, 3);
        const int ca = gg__nag_sketch_cell(a), cb = gg__nag_sketch_cell(b);
        assert_true(a <= b ? ca <= cb : ca >= cb);
        assert_true(a <= gg__nag_sketch_end(ca));
        if (ca > 0)
            assert_true(a > gg__nag_sketch_end(ca - 1));
    }
    for (int c = 0; c < GG__NAG_CELLS; c++) {
        assert_true(gg__nag_sketch_end(c) > last);
        last = gg__nag_sketch_end(c);
        if (isfinite(last)) {
            assert_int_equal(gg__nag_sketch_cell(last), c);
            assert_int_equal(gg__nag_sketch_cell(nextafter(last, INFINITY)), c + 1);
        }
    }
    assert_int_equal(gg__nag_sketch_cell(0), 0);
    assert_int_equal(gg__nag_sketch_cell(-0x1p-53), 0);
}

/* --- merging ------------------------------------------------------------------------------------------------------------------- */
enum { MOST_PIECES = 5 };

/* Merges the files by random pairs until one is left; its path. */
static const char *merge_somehow(gg_random *r, const char **file, int n, const char *tag)
{
    const char *left[MOST_PIECES];
    memcpy(left, file, sizeof *left * (size_t)n);
    for (int step = 0; n > 1; step++) {
        const char *some[MOST_PIECES];
        const int m = 2 + (int)gg_random_below(r, n - 1);
        for (int i = 0; i < m; i++) {
            const int64_t k = i + gg_random_below(r, n - i);
            GG__NAG_SWAP(const char *, left[i], left[k]);
            some[i] = left[i];
        }
        const char *out = at("merged-%s-%d.rank", tag, step);
        assert_ok(gg_nag_partial_merge(ctx, some, m, out));
        left[0] = out;
        memmove(left + 1, left + m, sizeof *left * (size_t)(n - m));
        n -= m - 1;
    }
    return left[0];
}

static void pieces_merge_to_the_ranking_of_the_whole(void **state)
{
    (void)state;
    int too_short = 0, far_enough = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        gg_random rnd = gg_random_of(seed, 8);
        const int n_targets = 1 + (int)(seed % 3), n_pieces = 2 + (int)gg_random_below(&rnd, MOST_PIECES - 1), n = 20 + (int)gg_random_below(&rnd, POOL - 20);
        const double fraction = seed % 5 == 0 ? 1 : 0.02 + gg_random_uniform(&rnd) * 0.6, keep = gg_random_uniform(&rnd);
        int cut[MOST_PIECES + 1] = {0};
        for (int p = 1; p <= n_pieces; p++)
            cut[p] = p == n_pieces ? n : cut[p - 1] + (int)gg_random_below(&rnd, n - cut[p - 1] + 1);
        make_targets(n_targets);
        write_features(at("whole.nag"), seed, "d", 0, n);
        const char *piece[MOST_PIECES], *part[MOST_PIECES];
        gg_nag_rank_options o, merged;
        for (int p = 0; p < n_pieces; p++) {
            piece[p] = at("piece-%d.nag", p);
            part[p] = at("piece-%d.rank", p);
            write_features(piece[p], seed, "d", cut[p], cut[p + 1]);
        }
        gg_nag_ranking *want[3] = {NULL}, *got[GG_NAG_MAX_TARGETS] = {NULL};
        int n_got;
        options_of(&o, at("whole.nag"), fraction);
        assert_ok(gg_nag_rank_many(want, ctx, &o, targets, n_targets));
        for (int turn = 0; turn < 2; turn++) { /* all rows, then only some */
            for (int p = 0; p < n_pieces; p++) {
                options_of(&o, piece[p], fraction);
                assert_ok(gg_nag_partial_write(ctx, &o, targets, n_targets, part[p], turn ? keep : 1, INFINITY));
            }
            assert_ok(gg_nag_partial_merge(ctx, part, n_pieces, at("all.rank")));
            for (int k = 0; k < 2; k++) {
                const char *other = merge_somehow(&rnd, part, n_pieces, k ? "b" : "a");
                assert_same_file(at("all.rank"), other);
            }
            /* merged by the ranking, or before it */
            for (int k = 0; k < 2; k++) {
                options_of(&merged, "", fraction);
                gg_status st = k ? gg_nag_partial_rank(got, &n_got, ctx, (const char *[]){at("all.rank")}, 1, &merged)
                                 : gg_nag_partial_rank(got, &n_got, ctx, part, n_pieces, &merged);
                if (turn && k == 0) {
                    too_short += st != GG_OK;
                    far_enough += st == GG_OK;
                }
                double up_to = 0; /* the message says how far the pieces must reach for a target, and then they do */
                for (int again = 0; st == GG_EMISMATCH && turn && again < n_targets; again++) {
                    const char *word = strstr(gg_message(ctx), "--up-to "), *made[MOST_PIECES];
                    assert_true(word || strstr(gg_message(ctx), "--keep 1"));
                    up_to = fmax(up_to, word ? strtod(word + 8, NULL) : INFINITY);
                    for (int p = 0; p < n_pieces; p++) {
                        made[p] = at("again-%d.rank", p);
                        options_of(&o, piece[p], fraction);
                        assert_ok(gg_nag_partial_write(ctx, &o, targets, n_targets, made[p], 1, up_to));
                    }
                    st = gg_nag_partial_rank(got, &n_got, ctx, made, n_pieces, &merged);
                }
                if (st != GG_OK)
                    fail_msg("seed %d: %s: %s", (int)seed, gg_status_name(st), gg_message(ctx));
                assert_int_equal(n_got, n_targets);
                for (int t = 0; t < n_targets; t++) {
                    assert_same_ranking(got[t], want[t]);
                    gg_nag_ranking_free(got[t]);
                }
            }
        }
        for (int t = 0; t < n_targets; t++)
            gg_nag_ranking_free(want[t]);
    }
    assert_true(too_short > 1 && far_enough > 1); /* both were seen */
}

static void equal_scores_beyond_the_end_of_a_piece_are_not_sure(void **state)
{
    (void)state;
    gg_nag_rank_options o;
    gg_nag_ranking *got[GG_NAG_MAX_TARGETS], *want[1];
    int n;
    make_targets(1);
    for (int p = 0; p < 2; p++) { /* one keeps the first documents of all that are equally far, the other all of them */
        write_features(at("tie-%d.nag", p), 3, "d", 60 * p, 60 * p + 60);
        options_of(&o, at("tie-%d.nag", p), 0.3);
        assert_ok(gg_nag_partial_write(ctx, &o, targets, 1, at("tie-%d.rank", p), p ? 1 : 0.1, INFINITY));
    }
    const char *parts[2] = {at("tie-0.rank"), at("tie-1.rank")};
    assert_says(GG_EMISMATCH, gg_nag_partial_rank(got, &n, ctx, parts, 2, &o), "tie-0.rank");
    options_of(&o, at("tie-0.nag"), 0.3);
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 1, parts[0], 1, 1));
    assert_ok(gg_nag_partial_rank(got, &n, ctx, parts, 2, &o));
    options_of(&o, at("tie-0.nag"), 0.3);
    o.pool[o.n_pool++] = at("tie-1.nag");
    assert_ok(gg_nag_rank_many(want, ctx, &o, targets, 1));
    assert_true(want[0]->near[0].score == want[0]->far[0].score);
    assert_same_ranking(got[0], want[0]);
    gg_nag_ranking_free(got[0]);
    gg_nag_ranking_free(want[0]);
}

static void a_folder_of_parts_is_ranked_by_name(void **state)
{
    (void)state;
    gg_nag_rank_options o;
    gg_nag_ranking *got[GG_NAG_MAX_TARGETS], *want[1];
    int n;
    bool partial;
    make_targets(1);
    assert_ok(gg_file_mkdirs(ctx, at("ranks")));
    assert_ok(gg_file_mkdirs(ctx, at("units")));
    for (int p = 0; p < 3; p++) {
        write_features(at("units/%d.nag", p), 5, "d", 100 * p, 100 * p + 100);
        options_of(&o, at("units/%d.nag", p), 0.3);
        assert_ok(gg_nag_partial_write(ctx, &o, targets, 1, at("ranks/%d.rank", p), 0.9, INFINITY));
    }
    assert_ok(gg__nag_is_partial(&partial, ctx, at("ranks")));
    assert_true(partial);
    assert_ok(gg__nag_is_partial(&partial, ctx, at("units")));
    assert_false(partial);
    assert_ok(gg_nag_partial_rank(got, &n, ctx, (const char *[]){at("ranks")}, 1, &o));
    options_of(&o, at("units"), 0.3);
    assert_ok(gg_nag_rank_many(want, ctx, &o, targets, 1));
    assert_same_ranking(got[0], want[0]);
    gg_nag_ranking_free(got[0]);
    gg_nag_ranking_free(want[0]);
}

/* --- what is refused ---------------------------------------------------------------------------------------------------------------- */
static void pieces_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    gg_nag_rank_options o;
    gg_nag_ranking *got[GG_NAG_MAX_TARGETS];
    int n;
    make_targets(2);
    write_features(at("a.nag"), 5, "d", 0, 50);
    write_features(at("b.nag"), 5, "d", 50, 90);
    options_of(&o, at("a.nag"), 0.3);
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 2, at("a.rank"), 0.5, INFINITY));
    assert_says(GG_EMISMATCH, gg_nag_partial_rank(got, &n, ctx, (const char *[]){at("a.rank"), at("a.rank")}, 2, &o), "50 documents are in two");
    options_of(&o, at("b.nag"), 0.3);
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 1, at("b.rank"), 0.5, INFINITY));
    assert_says(GG_EMISMATCH, gg_nag_partial_merge(ctx, (const char *[]){at("a.rank"), at("b.rank")}, 2, at("no.rank")), "2 targets");
    assert_ok(gg_nag_partial_write(ctx, &o, (gg_nag_target[]){targets[1], targets[0]}, 2, at("b.rank"), 0.5, INFINITY));
    assert_says(GG_EMISMATCH, gg_nag_partial_merge(ctx, (const char *[]){at("a.rank"), at("b.rank")}, 2, at("no.rank")), "\"law\"");
    o.power = 2;
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 2, at("b.rank"), 0.5, INFINITY));
    assert_says(GG_EMISMATCH, gg_nag_partial_merge(ctx, (const char *[]){at("a.rank"), at("b.rank")}, 2, at("no.rank")), "power 2");
    o.power = 1;
    /* a document in two pieces, where the selection sees it */
    write_features(at("b.nag"), 5, "d", 0, 90);
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 2, at("b.rank"), 1, INFINITY));
    o.fraction = 1;
    assert_says(GG_EFORMAT, gg_nag_partial_rank(got, &n, ctx, (const char *[]){at("a.rank"), at("b.rank")}, 2, &o), "have no document in common");
    o.fraction = 0;
    assert_says(GG_EINVAL, gg_nag_partial_rank(got, &n, ctx, (const char *[]){at("a.rank")}, 1, &o), "(0, 1]");
    options_of(&o, at("b.nag"), 0.3);
    o.weights = GG_NAG_CONTRAST;
    assert_says(GG_EUNSUPPORTED, gg_nag_partial_write(ctx, &o, targets, 1, at("no.rank"), 0.5, INFINITY), "whole pool");
    o.weights = GG_NAG_FREQUENCY;
    o.quality_column = "q";
    assert_says(GG_EUNSUPPORTED, gg_nag_partial_write(ctx, &o, targets, 1, at("no.rank"), 0.5, INFINITY), "whole pool");
    o.quality_column = NULL;
    assert_says(GG_EINVAL, gg_nag_partial_write(ctx, &o, targets, 1, at("no.rank"), 1.5, INFINITY), "--keep");
    assert_false(gg_file_exists(at("no.rank")));
    /* what the pieces' headers may differ in does not depend on the order */
    max_tokens = 60;
    write_features(at("b.nag"), 5, "d", 50, 90);
    max_tokens = 120;
    options_of(&o, at("b.nag"), 0.3);
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 2, at("b.rank"), 0.5, INFINITY));
    assert_ok(gg_nag_partial_merge(ctx, (const char *[]){at("a.rank"), at("b.rank")}, 2, at("ab.rank")));
    assert_ok(gg_nag_partial_merge(ctx, (const char *[]){at("b.rank"), at("a.rank")}, 2, at("ba.rank")));
    assert_same_file(at("ab.rank"), at("ba.rank"));
    /* a piece of nothing adds nothing */
    write_features(at("empty.nag"), 5, "d", 0, 0);
    options_of(&o, at("empty.nag"), 0.3);
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 2, at("empty.rank"), 0.5, INFINITY));
    assert_ok(gg_nag_partial_merge(ctx, (const char *[]){at("empty.rank"), at("a.rank"), at("empty.rank")}, 3, at("with.rank")));
    assert_same_file(at("with.rank"), at("a.rank"));
    assert_says(GG_EINVAL, gg_nag_partial_rank(got, &n, ctx, (const char *[]){at("empty.rank")}, 1, &o), "nothing to rank");
}

static void every_cut_and_every_changed_byte_is_noticed(void **state)
{
    (void)state;
    gg_nag_rank_options o;
    gg_nag_ranking *got[GG_NAG_MAX_TARGETS];
    int n_got, accepted = 0;
    size_t n;
    make_targets(1);
    write_features(at("a.nag"), 5, "d", 0, 12);
    options_of(&o, at("a.nag"), 0.3);
    assert_ok(gg_nag_partial_write(ctx, &o, targets, 1, at("a.rank"), 0.9, INFINITY));
    char *bytes = read_file(&n, at("a.rank"));
    for (size_t i = 0; i < n; i += i < 64 || i + 64 > n ? 1 : 3) {
        FILE *f = fopen(at("bad.rank"), "w");
        fwrite(bytes, 1, i, f);
        fclose(f);
        assert_says(GG_EFORMAT, gg_nag_partial_rank(got, &n_got, ctx, (const char *[]){at("bad.rank")}, 1, &o), "bad.rank");
    }
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 0x10;
        FILE *f = fopen(at("bad.rank"), "w");
        fwrite(bytes, 1, n, f);
        fclose(f);
        bytes[i] ^= 0x10;
        if (gg_nag_partial_rank(got, &n_got, ctx, (const char *[]){at("bad.rank")}, 1, &o) == GG_OK) {
            gg_nag_ranking_free(got[0]);
            accepted++;
        }
    }
    assert_int_equal(accepted, 4); /* the footer's spare bytes */
    free(bytes);
}

/* --- memory that is refused ------------------------------------------------------------------------------------------------------------- */
static void each_allocation_may_fail(void **state)
{
    (void)state;
    gg_nag_rank_options o;
    make_targets(2);
    static char path[2][128];
    for (int t = 0; t < 2; t++)
        snprintf(path[t], sizeof path[t], "%s", targets[t].path[0]);
    const char *own_path[2] = {path[0], path[1]};
    const gg_nag_target two[2] = {{"arc", &own_path[0], 1}, {"law", &own_path[1], 1}};
    for (int p = 0; p < 2; p++) {
        write_features(at("p%d.nag", p), 5, "d", 30 * p, 30 * p + 30);
        options_of(&o, at("p%d.nag", p), 0.3);
        assert_ok(gg_nag_partial_write(ctx, &o, targets, 2, at("p%d.rank", p), 0.9, INFINITY));
    }
    char part[2][128];
    const char *parts[2] = {part[0], part[1]};
    for (int p = 0; p < 2; p++)
        snprintf(part[p], sizeof part[p], "%s", at("p%d.rank", p));
    char pool[128], out[128];
    snprintf(pool, sizeof pool, "%s", at("p0.nag")); /* at() forgets what it said long ago */
    snprintf(out, sizeof out, "%s", at("out.rank"));
    options_of(&o, pool, 0.3);
    for (int what = 0; what < 3; what++) { /* a piece, a merge, a ranking */
        long long last = 0;
        for (long long k = 1; k <= last || last == 0; k++) {
            ration x = {.fail_at = last == 0 ? LLONG_MAX : k};
            gg_context *own = NULL;
            gg_nag_ranking *got[GG_NAG_MAX_TARGETS];
            int n = 0;
            if (gg_context_create(&own, &(gg_context_options){.n_threads = 1, .allocator = {rationed, &x}}) != GG_OK)
                continue;
            unlink(out);
            const gg_status st = what == 0   ? gg_nag_partial_write(own, &o, two, 2, out, 0.9, INFINITY)
                                 : what == 1 ? gg_nag_partial_merge(own, parts, 2, out)
                                             : gg_nag_partial_rank(got, &n, own, parts, 2, &o);
            if (st == GG_OK) {
                assert_true(last == 0);
                last = x.n;
                k = 0;
                for (int t = 0; t < n; t++)
                    gg_nag_ranking_free(got[t]);
            } else if (last == 0 || !(st == GG_ENOMEM || strstr(gg_message(own), "memory"))) {
                fail_msg("%d, allocation %lld: %s %s", what, k, gg_status_name(st), gg_message(own));
            } else {
                assert_false(gg_file_exists(out));
            }
            assert_int_equal(gg_context_bytes(own, NULL), 0);
            gg_context_free(own);
        }
        assert_true(last > 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_rise_with_scores_and_end_where_they_say),
        cmocka_unit_test(pieces_merge_to_the_ranking_of_the_whole),
        cmocka_unit_test(equal_scores_beyond_the_end_of_a_piece_are_not_sure),
        cmocka_unit_test(a_folder_of_parts_is_ranked_by_name),
        cmocka_unit_test(pieces_that_do_not_belong_together_are_refused),
        cmocka_unit_test(every_cut_and_every_changed_byte_is_noticed),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
