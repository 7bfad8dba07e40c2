/* Ranking pools that need not fit in memory: the same bytes as a sort of everything, for any pool, any number of targets, threads and files. */
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include "ration.h"
#include "context.h"
#include "systems/nag/rank.h"
#include "base/file.h"
#include "base/work.h"

static int make_folder(void **state)
{
    (void)state;
    return begin_folder("rank", 3);
}

static int drop_folder(void **state)
{
    return end_folder(state);
}

/* --- pools -------------------------------------------------------------------------------------------------------------------- */
enum { MANY = 700 }; /* documents of a pool: more than a block */
typedef struct pool {
    int n, layers, K, width;
    int64_t token_num[MANY];
    char docid[MANY][24];
    uint16_t *index; /* (n, layers, K) */
} pool;

/* Few neurons make equal distances; docids come in no order; counts of 0 and one document that is most of the pool are among them. */
static pool *random_pool(uint64_t seed, int n, int layers, int K, int width)
{
    gg_random r = gg_random_of(seed, 3);
    pool *p = calloc(1, sizeof *p);
    *p = (pool){.n = n, .layers = layers, .K = K, .width = width, .index = malloc(sizeof *p->index * (size_t)(n * layers * K))};
    int64_t place[MANY];
    for (int i = 0; i < n; i++)
        place[i] = i;
    gg_random_shuffle(&r, place, n);
    for (int i = 0; i < n; i++) {
        const int64_t kind = gg_random_below(&r, 6);
        snprintf(p->docid[i], sizeof p->docid[i], "%s%lld", kind & 1 ? "document-" : "d", (long long)place[i]);
        p->token_num[i] = kind == 0 ? 0 : 1 + gg_random_below(&r, 50);
    }
    if (gg_random_below(&r, 4) == 0)
        p->token_num[gg_random_below(&r, n)] = 100000;
    for (int j = 0; j < n * layers * K; j++)
        p->index[j] = (uint16_t)gg_random_below(&r, width);
    return p;
}

static void drop_pool(pool *p)
{
    free(p->index);
    free(p);
}

static gg_nag_header header_of(const pool *p)
{
    gg_nag_header h = {.model = "none", .dtype = "f32", .max_tokens = 120, .n_layers = p->layers, .n_sites = 1, .site = {{GG_NAG_UP, p->width, p->K}}};
    memset(h.model_hash, 'a', 64);
    for (int l = 0; l < p->layers; l++)
        h.layer[l] = l;
    return h;
}

static void write_pool(const char *path, const pool *p, int from, int to)
{
    const gg_nag_header h = header_of(p);
    gg_nag_writer *w = NULL;
    assert_ok(gg_nag_writer_open(&w, ctx, path, &h));
    for (int i = from; i < to; i++) {
        const char *docid = p->docid[i];
        assert_ok(gg_nag_writer_add(w, &(gg_nag_features){.n = 1, .docid = &docid, .token_num = &p->token_num[i], .n_scored = &p->token_num[i],
                                                          .index_bytes = 2,
                                                          .index = {p->index + (int64_t)i * p->layers * p->K}}));
    }
    assert_ok(gg_nag_writer_commit(w));
}

/* --- the definition, by sorting everything ------------------------------------------------------------------------------------- */
static gg_nag_row *sorted_rows(const pool *p, const pool *target)
{
    gg_nag_counts *c = NULL;
    gg_nag_profile *profile = NULL;
    double d[MANY];
    gg_nag_row *row = calloc((size_t)p->n, sizeof *row);
    assert_ok(gg_nag_counts_create(&c, ctx, p->layers, p->K, p->width));
    assert_ok(gg_nag_counts_add(c, &(gg_nag_features){.n = target->n, .index_bytes = 2, .index = {target->index}}, 0));
    assert_ok(gg_nag_profile_frequency(&profile, c, 1));
    gg_nag_distance(d, profile, &(gg_nag_features){.n = p->n, .index_bytes = 2, .index = {p->index}}, 0);
    for (int i = 0; i < p->n; i++)
        row[i] = (gg_nag_row){.docid = p->docid[i], .distance = d[i], .score = d[i], .token_num = p->token_num[i], .label = -1};
    gg_nag_sort(row, p->n);
    gg_nag_profile_free(profile);
    gg_nag_counts_free(c);
    return row;
}

static void compare(const gg_nag_ranking *r, const gg_nag_row *want, int64_t n, double fraction)
{
    int64_t budget, total;
    const int64_t chosen = gg_nag_budget(&budget, &total, want, n, fraction);
    assert_int_equal(r->n, n);
    assert_int_equal(r->n_selected, chosen);
    assert_int_equal(r->budget, budget);
    assert_int_equal(r->n_tokens, total);
    int64_t tokens = 0;
    for (int64_t i = 0; i < chosen; i++)
        tokens += want[i].token_num;
    assert_int_equal(r->n_selected_tokens, tokens);
    for (int64_t i = 0; i < r->n_rows; i++) {
        assert_string_equal(r->row[i].docid, want[i].docid);
        assert_true(r->row[i].distance == want[i].distance);
        assert_int_equal(r->row[i].token_num, want[i].token_num);
    }
    assert_int_equal(r->n_ends, n < GG_NAG_ENDS ? n : GG_NAG_ENDS);
    for (int i = 0; i < r->n_ends; i++) {
        assert_string_equal(r->near[i].docid, want[i].docid);
        assert_string_equal(r->far[i].docid, want[n - 1 - i].docid);
        assert_string_equal(gg_nag_ranking_row(r, n - 1 - i)->docid, want[n - 1 - i].docid);
    }
    assert_null(gg_nag_ranking_row(r, n));
}

static void a_stream_chooses_what_a_sort_of_everything_chooses(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        gg_random rnd = gg_random_of(seed, 9);
        const int n = 1 + (int)gg_random_below(&rnd, seed % 4 ? 40 : MANY), width = 2 + (int)gg_random_below(&rnd, 12);
        pool *p = random_pool(seed, n, 2, 2, width), *t = random_pool(seed + 1000, 3, 2, 2, width);
        gg_nag_row *want = sorted_rows(p, t);
        int64_t total = 0;
        for (int i = 0; i < n; i++)
            total += p->token_num[i];
        const int cut = (int)gg_random_below(&rnd, n);
        write_pool(at("t.nag"), t, 0, t->n);
        write_pool(at("a.nag"), p, 0, cut);
        write_pool(at("b.nag"), p, cut, n);
        /* any fraction, and the budgets that just fit a prefix or just do not */
        for (int turn = 0; turn < 8; turn++) {
            double fraction = gg_random_uniform(&rnd);
            if (turn > 2 && total > 0) {
                int64_t sum = 0;
                for (int64_t i = gg_random_below(&rnd, n); i >= 0; i--)
                    sum += want[i].token_num;
                fraction = ((double)sum + (turn % 3 - 1)) / (double)total;
            }
            if (!(fraction > 0 && fraction <= 1))
                fraction = 1;
            gg_nag_rank_options o = {.target = {at("t.nag")}, .n_target = 1, .pool = {at("a.nag"), at("b.nag")}, .n_pool = 2, .fraction = fraction,
                                     .chosen_only = turn & 1};
            gg_nag_ranking *r = NULL;
            if (total == 0) {
                assert_says(GG_EINVAL, gg_nag_rank(&r, ctx, &o), "all token counts of the pool are 0");
                continue;
            }
            assert_ok(gg_nag_rank(&r, ctx, &o));
            assert_int_equal(r->n_rows, o.chosen_only ? r->n_selected : n);
            compare(r, want, n, fraction);
            gg_nag_ranking_free(r);
        }
        free(want);
        drop_pool(p);
        drop_pool(t);
    }
}

static void a_front_is_the_prefix_whatever_the_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        gg_random rnd = gg_random_of(seed, 17);
        enum { most = 200 };
        const int64_t n = 1 + gg_random_below(&rnd, most), values = 1 + gg_random_below(&rnd, seed % 3 ? 20 : 2);
        gg_nag_row row[most], sorted[most];
        char docid[most][8];
        int64_t total = 0, order[most];
        for (int64_t i = 0; i < n; i++) {
            snprintf(docid[i], sizeof docid[i], "%lld", (long long)i);
            row[i] = (gg_nag_row){.docid = docid[i], .score = (double)gg_random_below(&rnd, values) - 1, .token_num = gg_random_below(&rnd, 4)};
            total += row[i].token_num;
            order[i] = i;
        }
        memcpy(sorted, row, sizeof row);
        gg_nag_sort(sorted, n);
        for (int turn = 0; turn < 4; turn++) {
            const int kind = (seed & 1 ? GG__NAG_BY_COUNT : GG__NAG_BY_TOKENS) | (seed & 2 ? GG__NAG_FROM_THE_END : 0);
            const int64_t bound = gg_random_below(&rnd, (kind & GG__NAG_BY_COUNT ? n : total) + 3);
            gg__nag_front f;
            gg__nag_front_init(&f, ctx, bound, kind);
            f.full = f.least = 4;
            gg_random_shuffle(&rnd, order, n);
            for (int64_t i = 0; i < n; i++)
                assert_ok(gg__nag_front_add(&f, &row[order[i]], 1));
            assert_ok(gg__nag_front_finish(&f));
            int64_t sum = 0, prefix = 0;
            while (prefix < n) {
                const gg_nag_row *x = kind & GG__NAG_FROM_THE_END ? &sorted[n - 1 - prefix] : &sorted[prefix];
                sum += kind & GG__NAG_BY_COUNT ? 1 : x->token_num;
                assert_string_equal(f.row[prefix].docid, x->docid);
                assert_true(f.row[prefix].docid != x->docid); /* a copy */
                prefix++;
                if (sum > bound)
                    break;
            }
            assert_int_equal(f.n, prefix);
            assert_int_equal(f.is_cut, prefix < n);
            gg__nag_front_free(&f);
        }
    }
}

/* --- distances ------------------------------------------------------------------------------------------------------------------- */
static void many_profiles_have_the_bits_of_each_alone(void **state)
{
    (void)state;
    static const int Ks[] = {1, 2, 7, 8, 9, 10, 13, 16, 20, 127, 128, 129, 300};
    enum { n = 37, layers = 3, width = 400, profiles = 19 };
    gg_random rnd = gg_random_of(5, 5);
    gg_nag_profile p[profiles];
    const gg_nag_profile *list[profiles];
    for (int i = 0; i < profiles; i++) {
        p[i] = (gg_nag_profile){.ctx = ctx, .n_layers = layers, .width = i == 4 ? width - 50 : width}; /* one saw fewer neurons */
        p[i].weight = malloc(sizeof(double) * layers * width);
        for (int j = 0; j < layers * width; j++)
            p[i].weight[j] = gg_random_uniform(&rnd) * (gg_random_below(&rnd, 3) > 0) / 7;
        list[i] = &p[i];
    }
    for (size_t k = 0; k < sizeof Ks / sizeof *Ks; k++) {
        const int K = Ks[k];
        uint16_t *two = malloc(sizeof *two * (size_t)(n * layers * K));
        uint32_t *four = malloc(sizeof *four * (size_t)(n * layers * K));
        for (int j = 0; j < n * layers * K; j++)
            four[j] = two[j] = (uint16_t)gg_random_below(&rnd, width + (k & 1 ? 30 : 0)); /* and some beyond the width */
        for (int i = 0; i < profiles; i++)
            p[i].top_k = K;
        for (int m = 1; m <= profiles; m += m == 1 ? 1 : 8)
            for (int isa = 0; isa < GG__NAG_ISAS; isa++)
                for (int bytes = 2; bytes <= 4; bytes += 2) {
                    gg__nag_table *t = NULL;
                    gg__nag_lists lists[2];
                    void *scratch[2] = {NULL};
                    int64_t cap[2] = {0}, stride;
                    assert_ok(gg__nag_table_create(&t, ctx, list, m));
                    if (!gg__nag_table_force(t, isa)) {
                        gg__nag_table_free(t);
                        continue;
                    }
                    double *out = gg_new(ctx, double, gg__nag_table_numbers(t, n)), want[n];
                    gg_nag_features f = {.index_bytes = bytes};
                    for (int half = 0; half < 2; half++) { /* two lists: 20 documents and 17 */
                        const int64_t from = half ? 20 : 0, j = from * layers * K;
                        f.n = half ? n - 20 : 20;
                        f.index[0] = bytes == 2 ? (const void *)(two + j) : (const void *)(four + j);
                        assert_ok(gg__nag_lists_of(&lists[half], &scratch[half], &cap[half], t, &f, 0, gg__nag_largest(f.index[0], bytes, f.n * layers * K)));
                    }
                    const int64_t before = gg_context_allocations(ctx);
                    gg__nag_table_distance(out, t, lists, 2);
                    assert_int_equal(gg_context_allocations(ctx), before);
                    f.n = n;
                    f.index[0] = bytes == 2 ? (const void *)two : (const void *)four;
                    for (int i = 0; i < m; i++) {
                        const double *column = gg__nag_table_column(&stride, t, out, n, i);
                        gg_nag_distance(want, &p[i], &f, 0);
                        for (int j = 0; j < n; j++)
                            assert_true(column[j * stride] == want[j]);
                    }
                    gg_drop(ctx, out);
                    gg_drop(ctx, scratch[0]);
                    gg_drop(ctx, scratch[1]);
                    gg__nag_table_free(t);
                }
        free(two);
        free(four);
    }
    for (int i = 0; i < profiles; i++)
        free(p[i].weight);
}

static void sixty_four_targets_are_sixty_four_runs(void **state)
{
    (void)state;
    enum { n_targets = 64 };
    pool *p = random_pool(77, MANY, 4, 10, 60);
    static pool *t[n_targets];
    gg_nag_target target[n_targets];
    static const char *path[n_targets][1];
    static char name[n_targets][8];
    gg_nag_ranking *many[n_targets] = {NULL};
    const char *out[n_targets];
    write_pool(at("p.nag"), p, 0, p->n);
    for (int i = 0; i < n_targets; i++) {
        t[i] = random_pool(1000 + (uint64_t)i, 1 + i % 7, 4, 10, 60);
        snprintf(name[i], sizeof name[i], "t%d", i);
        path[i][0] = at("%s.nag", name[i]);
        write_pool(path[i][0], t[i], 0, t[i]->n);
        target[i] = (gg_nag_target){name[i], path[i], 1};
        out[i] = at("many-%d.jsonl", i);
    }
    gg_nag_rank_options o = {.pool = {at("p.nag")}, .n_pool = 1, .fraction = 0.13, .chosen_only = true};
    assert_ok(gg_nag_rank_many(many, ctx, &o, target, n_targets));
    assert_ok(gg_nag_rankings_write(many, n_targets, &o, out, false));
    for (int i = 0; i < n_targets; i++) {
        gg_nag_row *want = sorted_rows(p, t[i]);
        compare(many[i], want, p->n, o.fraction);
        free(want);
        gg_nag_rank_options one = o;
        gg_nag_ranking *r = NULL;
        one.target[one.n_target++] = path[i][0];
        assert_ok(gg_nag_rank(&r, ctx, &one));
        assert_ok(gg_nag_ranking_write(r, &one, at("one.jsonl"), false));
        assert_same_file(out[i], at("one.jsonl"));
        gg_nag_ranking_free(r);
        gg_nag_ranking_free(many[i]);
    }
    gg_nag_target twice[65];
    for (int i = 0; i < 65; i++)
        twice[i] = target[i % 64];
    assert_says(GG_EINVAL, gg_nag_rank_many(many, ctx, &o, twice, 65), "at most 64");
    for (int i = 0; i < n_targets; i++)
        drop_pool(t[i]);
    drop_pool(p);
}

/* --- many documents: fronts that are full, blocks by several threads --------------------------------------------------------------- */
static void a_long_pool_gives_the_same_with_any_threads_and_files(void **state)
{
    (void)state;
    enum { n = 60000, layers = 1, K = 2, width = 900, files = 5 };
    gg_random rnd = gg_random_of(4, 4);
    gg_nag_header h = header_of(&(pool){.layers = layers, .K = K, .width = width});
    assert_ok(gg_file_mkdirs(ctx, at("long")));
    gg_nag_row *rows = calloc(n, sizeof *rows);
    char (*docid)[16] = calloc(n, sizeof *docid);
    uint16_t *index = calloc(n, sizeof *index * K);
    double *distance = calloc(n, sizeof *distance);
    for (int64_t i = 0; i < n; i++) {
        snprintf(docid[i], sizeof docid[i], "doc%lld", (long long)(i * 7919 % n));
        rows[i] = (gg_nag_row){.docid = docid[i], .token_num = gg_random_below(&rnd, 100), .label = -1};
        for (int k = 0; k < K; k++)
            index[i * K + k] = (uint16_t)gg_random_below(&rnd, width);
    }
    for (int f = 0; f < files; f++) {
        gg_nag_writer *w = NULL;
        assert_ok(gg_nag_writer_open(&w, ctx, at("long/%c.nag", "dbace"[f]), &h));
        for (int64_t i = f * (n / files); i < (f + 1) * (n / files); i++)
            assert_ok(gg_nag_writer_add(w, &(gg_nag_features){.n = 1, .docid = &rows[i].docid, .token_num = &rows[i].token_num,
                                                              .n_scored = &rows[i].token_num, .index_bytes = 2,
                                                              .index = {index + i * K}}));
        assert_ok(gg_nag_writer_commit(w));
    }
    assert_ok(gg_file_write(ctx, at("long/notes.txt"), "not features", 12));
    pool *t = random_pool(9, 200, layers, K, width);
    write_pool(at("long-target.nag"), t, 0, t->n);
    gg_nag_counts *c = NULL;
    gg_nag_profile *p = NULL;
    assert_ok(gg_nag_counts_create(&c, ctx, layers, K, width));
    assert_ok(gg_nag_counts_add(c, &(gg_nag_features){.n = t->n, .index_bytes = 2, .index = {t->index}}, 0));
    assert_ok(gg_nag_profile_frequency(&p, c, 1));
    gg_nag_distance(distance, p, &(gg_nag_features){.n = n, .index_bytes = 2, .index = {index}}, 0);
    for (int64_t i = 0; i < n; i++)
        rows[i].score = rows[i].distance = distance[i];
    gg_nag_sort(rows, n);
    for (int threads = 1; threads <= 4; threads++) {
        gg_context *own = NULL;
        gg_nag_ranking *r = NULL;
        assert_int_equal(gg_context_create(&own, &(gg_context_options){.n_threads = threads}), GG_OK);
        gg_nag_rank_options o = {.target = {at("long-target.nag")}, .n_target = 1, .pool = {at("long")}, .n_pool = 1, .fraction = 0.05 * threads,
                                 .chosen_only = threads != 4};
        if (gg_nag_rank(&r, own, &o) != GG_OK)
            fail_msg("%s", gg_message(own));
        compare(r, rows, n, o.fraction);
        gg_nag_ranking_free(r);
        assert_int_equal(gg_context_bytes(own, NULL), 0);
        gg_context_free(own);
    }
    /* what is held is what is chosen: less than the rows alone would be */
    gg_context *own = NULL;
    gg_nag_ranking *r = NULL;
    size_t some = 0, all = 0;
    for (int every = 0; every < 2; every++) {
        assert_int_equal(gg_context_create(&own, &(gg_context_options){.n_threads = 2}), GG_OK);
        gg_nag_rank_options o = {.target = {at("long-target.nag")}, .n_target = 1, .pool = {at("long")}, .n_pool = 1, .fraction = 0.001, .chosen_only = !every};
        assert_int_equal(gg_nag_rank(&r, own, &o), GG_OK);
        gg_context_bytes(own, every ? &all : &some);
        gg_nag_ranking_free(r);
        gg_context_free(own);
    }
    assert_true(some < all / 2);
    /* a folder without features, and sets of folders */
    gg_nag_set *s = NULL;
    assert_ok(gg_nag_set_read(&s, ctx, (const char *[]){at("long")}, 1, 0));
    assert_int_equal(s->f.n, n);
    assert_string_equal(s->f.docid[0], docid[2 * (n / files)]); /* a.nag is the third that was written */
    gg_nag_set_free(s);
    assert_ok(gg_file_mkdirs(ctx, at("empty")));
    assert_says(GG_ENOENT, gg_nag_set_read(&s, ctx, (const char *[]){at("empty")}, 1, 0), "holds no .nag files");
    gg_nag_profile_free(p);
    gg_nag_counts_free(c);
    drop_pool(t);
    free(rows);
    free(docid);
    free(index);
    free(distance);
}

/* --- payloads ---------------------------------------------------------------------------------------------------------------------- */
/* Columns by definition: a payload in another order, with rows too many and too few, numbers as texts, gaps. */
static void columns_of_a_payload_reach_their_documents(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        gg_random rnd = gg_random_of(seed, 21);
        pool *p = random_pool(seed, 150, 2, 3, 9), *t = random_pool(seed + 1, 4, 2, 3, 9);
        gg_nag_row *all = sorted_rows(p, t), want[MANY];
        double q[MANY], d[MANY];
        int64_t n = 0, unpaid = 0, unrated = 0, uncounted = 0, label_tokens[3] = {0};
        FILE *out = fopen(at("payload.jsonl"), "w");
        for (int i = 149; i >= 0; i--) { /* i: rank, so not the features' order */
            const int64_t kind = gg_random_below(&rnd, 8);
            if (kind == 0) {
                unpaid++;
                continue;
            }
            const double quality = (double)gg_random_below(&rnd, 30) / 8;
            const int64_t count = gg_random_below(&rnd, 40), label = gg_random_below(&rnd, 3);
            fprintf(out, "{\"docid\":\"%s\",\"doc\":\"the text of %s\",\"meta\":{\"words\":%s%lld%s}", all[i].docid, all[i].docid, kind == 1 ? "\"" : "",
                    (long long)count, kind == 1 ? "\"" : "");
            if (label < 2)
                fprintf(out, ",\"domain\":\"%s\"", label ? "law" : "poetry");
            if (kind != 2)
                fprintf(out, ",\"quality\":%g", quality);
            fprintf(out, "}\n{\"docid\":\"stranger-%d\",\"meta\":{\"words\":1000000},\"quality\":-99}\n", i);
            if (kind == 2) {
                unrated++;
                continue;
            }
            label_tokens[label] += count;
            q[n] = quality;
            want[n] = all[i];
            want[n].token_num = count;
            want[n++].quality = quality;
        }
        fclose(out);
        for (int64_t i = 0; i < n; i++)
            d[i] = want[i].distance;
        gg_nag_minmax(d, d, n);
        gg_nag_minmax(q, q, n);
        for (int64_t i = 0; i < n; i++)
            want[i].score = d[i] + (seed & 1 ? 1.0 - q[i] : q[i]);
        gg_nag_sort(want, n);
        write_pool(at("q.nag"), p, 0, 60);
        write_pool(at("r.nag"), p, 60, p->n);
        write_pool(at("t.nag"), t, 0, t->n);
        gg_nag_rank_options o = {.target = {at("t.nag")}, .n_target = 1, .pool = {at("q.nag"), at("r.nag")}, .n_pool = 2, .payload = {at("payload.jsonl")},
                                 .n_payload = 1,
                                 .fraction = 0.3,
                                 .token_column = "meta.words", .quality_column = "quality", .invert_quality = seed & 1, .label_column = "domain",
        .chosen_only = seed & 2};
        gg_nag_ranking *r = NULL;
        assert_ok(gg_nag_rank(&r, ctx, &o));
        compare(r, want, n, 0.3);
        assert_int_equal(r->n_unpaid, unpaid);
        assert_int_equal(r->n_unrated, unrated);
        assert_int_equal(r->n_uncounted, uncounted);
        assert_int_equal(r->n_labels, 2);
        for (int i = 0; i < 2; i++)
            assert_int_equal(r->label_tokens[i], label_tokens[strcmp(r->label[i], "law") == 0]);
        assert_int_equal(r->label_tokens[2], label_tokens[2]);
        assert_ok(gg_nag_ranking_write(r, &o, at("chosen.jsonl"), false));
        gg_rows *in = NULL;
        json_t *row;
        assert_ok(gg_rows_open(&in, ctx, at("chosen.jsonl")));
        for (int64_t i = 0; i < r->n_selected; i++) {
            char text[64];
            assert_ok(gg_rows_next(in, &row));
            snprintf(text, sizeof text, "the text of %s", want[i].docid);
            assert_string_equal(json_string_value(json_object_get(row, "doc")), text);
            assert_true(json_real_value(json_object_get(row, "combined_score")) == want[i].score);
            json_decref(row);
        }
        assert_int_equal(gg_rows_next(in, &row), GG_END);
        gg_rows_close(in);
        if (o.chosen_only && r->n_selected < r->n)
            assert_says(GG_EINVAL, gg_nag_ranking_write(r, &o, at("no.jsonl"), true), "only the");
        gg_nag_ranking_free(r);
        free(all);
        drop_pool(p);
        drop_pool(t);
    }
    assert_false(gg_file_exists(at("no.jsonl")));
}

static void damage_is_found_whichever_thread_meets_it(void **state)
{
    (void)state;
    pool *p = random_pool(31, MANY, 2, 3, 9);
    write_pool(at("good.nag"), p, 0, p->n);
    char *bytes;
    size_t n;
    assert_ok(gg_file_read(&bytes, &n, ctx, at("good.nag")));
    gg_nag_rank_options o = {.target = {at("good.nag")}, .n_target = 1, .pool = {at("good.nag"), at("bad.nag")}, .n_pool = 1, .fraction = 0.5,
                             .chosen_only = true};
    gg_nag_ranking *r = NULL;
    assert_ok(gg_nag_rank(&r, ctx, &o));
    gg_nag_ranking_free(r);
    o.pool[0] = at("bad.nag");
    gg_random rnd = gg_random_of(1, 1);
    for (int i = 0; i < 60; i++) {
        const int64_t at_byte = 64 + gg_random_below(&rnd, (int64_t)n - 64);
        bytes[at_byte] ^= 4;
        assert_ok(gg_file_write(ctx, at("bad.nag"), bytes, n));
        bytes[at_byte] ^= 4;
        const gg_status st = gg_nag_rank(&r, ctx, &o);
        if (st == GG_OK) { /* the footer's spare bytes */
            assert_true(at_byte >= (int64_t)n - 28 && at_byte < (int64_t)n - 24);
            gg_nag_ranking_free(r);
        } else if (st != GG_EFORMAT && st != GG_EMISMATCH && st != GG_EUNSUPPORTED) { /* the header's words may still be words */
            fail_msg("byte %lld: %s %s", (long long)at_byte, gg_status_name(st), gg_message(ctx));
        }
    }
    gg_drop(ctx, bytes);
    drop_pool(p);
}

/* --- memory that is refused ------------------------------------------------------------------------------------------------------------ */
static void each_allocation_may_fail(void **state)
{
    (void)state;
    pool *p = random_pool(51, 40, 2, 3, 9), *t = random_pool(52, 4, 2, 3, 9);
    write_pool(at("p.nag"), p, 0, p->n);
    write_pool(at("t.nag"), t, 0, t->n);
    FILE *f = fopen(at("payload.jsonl"), "w");
    for (int i = 0; i < p->n; i++)
        fprintf(f, "{\"docid\":\"%s\",\"doc\":\"text\",\"domain\":\"%s\",\"quality\":%d}\n", p->docid[i], i % 2 ? "law" : "poetry", i % 5);
    fclose(f);
    long long last = 0;
    for (long long k = 1; k <= last || last == 0; k++) {
        ration x = {.fail_at = last == 0 ? LLONG_MAX : k};
        gg_context *own = NULL;
        if (gg_context_create(&own, &(gg_context_options){.n_threads = 1, .allocator = {rationed, &x}}) != GG_OK)
            continue; /* the context itself */
        const char *target_path[1] = {at("t.nag")}, *out[2] = {at("out-a.jsonl"), at("out-b.jsonl")};
        const gg_nag_target target[2] = {{"law", target_path, 1}, {"poetry", target_path, 1}};
        gg_nag_rank_options o = {.pool = {at("p.nag")}, .n_pool = 1, .payload = {at("payload.jsonl")}, .n_payload = 1, .fraction = 0.3,
                                 .quality_column = "quality",
                                 .label_column = "domain", .chosen_only = true};
        gg_nag_ranking *r[2] = {NULL};
        gg_status st = gg_nag_rank_many(r, own, &o, target, 2);
        if (st == GG_OK)
            st = gg_nag_rankings_write(r, 2, &o, out, false);
        for (int i = 0; i < 2; i++)
            gg_nag_ranking_free(r[i]);
        if (st == GG_OK) {
            assert_true(last == 0);
            last = atomic_load(&x.n);
            k = 0;
            unlink(out[0]);
            unlink(out[1]);
        } else {
            if (st != GG_ENOMEM || !strstr(gg_message(own), "out of memory"))
                fail_msg("allocation %lld: %s %s", k, gg_status_name(st), gg_message(own));
            assert_false(gg_file_exists(out[0]));
            assert_false(gg_file_exists(out[1]));
        }
        assert_int_equal(gg_context_bytes(own, NULL), 0);
        gg_context_free(own);
    }
    assert_true(last > 100);
    drop_pool(p);
    drop_pool(t);
}

static void each_allocation_of_a_merge_may_fail(void **state)
{
    (void)state;
    const char *in[2] = {at("a.jsonl"), at("b.jsonl")}, *out = at("both.jsonl");
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(in[i], "w");
        for (int k = 0; k < 20; k++)
            fprintf(f, "{\"docid\":\"d%d\",\"nag_distance\":0.5}\n", k + 10 * i);
        fclose(f);
    }
    long long last = 0;
    for (long long k = 1; k <= last || last == 0; k++) {
        ration x = {.fail_at = last == 0 ? LLONG_MAX : k};
        gg_context *own = NULL;
        gg_nag_merge_result r;
        if (gg_context_create(&own, &(gg_context_options){.n_threads = 1, .allocator = {rationed, &x}}) != GG_OK)
            continue;
        const gg_status st = gg_nag_merge(&r, own, out, in, 2, true);
        if (st == GG_OK) {
            assert_true(last == 0);
            assert_int_equal(r.n_rows, 30);
            last = atomic_load(&x.n);
            k = 0;
            unlink(out);
        } else {
            if (st != GG_ENOMEM || !strstr(gg_message(own), "out of memory"))
                fail_msg("allocation %lld: %s %s", k, gg_status_name(st), gg_message(own));
            assert_false(gg_file_exists(out));
        }
        assert_int_equal(gg_context_bytes(own, NULL), 0);
        gg_context_free(own);
    }
    assert_true(last > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_chooses_what_a_sort_of_everything_chooses),
        cmocka_unit_test(a_front_is_the_prefix_whatever_the_order),
        cmocka_unit_test(many_profiles_have_the_bits_of_each_alone),
        cmocka_unit_test(sixty_four_targets_are_sixty_four_runs),
        cmocka_unit_test(a_long_pool_gives_the_same_with_any_threads_and_files),
        cmocka_unit_test(columns_of_a_payload_reach_their_documents),
        cmocka_unit_test(damage_is_found_whichever_thread_meets_it),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(each_allocation_of_a_merge_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
