/* Is what was chosen worth training on? For each seed and domain: five target documents, a quarter of every domain set aside, and a fifth of the tokens
 * of the rest chosen by each method; small byte-level language models, the same weights at first and the same number of steps, are trained on each choice
 * and judged on the part set aside of the target's domain, and of the others.
 *
 * The paper's own experiment (1.2B parameters, 30B tokens, accuracy of benchmarks) is out of reach of two cores; the question is the same.
 * Runs are independent, one thread each: as many side by side as there are threads. With a work folder each is remembered:
 *
 *     WORK/KEY.utility.json     {"<seed> <domain> <method> <steps>": [the looks, and the losses on the target's domain, the second's, the others]}
 */
#include "systems/nag/reproduce.h"
#include "systems/nag/ngrams.h"
#include "base/file.h"
#include "base/json.h"
#include <golgi/lm.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TARGETS = 5, K = 10, LOOKS = 5, CONTEXT = 128 };
enum { RANDOM, FREQUENCY, CONTRAST, NGRAMS, EMBEDDING, MIXTURE, METHODS };
static const char *const method_name[METHODS] = {"random", "NAG, frequency", "NAG, contrast", "n-gram importance", "embedding", "NAG, two targets"};

typedef struct trial { /* of one seed and domain */
    uint64_t seed;
    int label, second;                /* the other target of MIXTURE */
    int64_t *target, *second_target;  /* (TARGETS,) */
    int64_t *pool, n_pool;
    int64_t *aside, *first;           /* documents set aside by label: aside[first[l] .. first[l + 1] - 1] */
} trial;

typedef struct outcome {
    double look[LOOKS];               /* loss on the target's domain along the way */
    double target, second, off;       /* at the end: on the target's domain, on the second's, on the others */
} outcome;

typedef struct study {
    gg__lab *lab;
    char **text; /* (n,) */
    size_t *n_text;
    trial *trial;
    int64_t n_trials, n_labels, steps;
    int64_t **chosen, *n_chosen;      /* (n_trials, METHODS) */
    outcome *outcome;                 /* (n_trials, METHODS) */
    bool *known;                      /* (n_trials, METHODS) */
    json_t *memo;                     /* the work folder's file; NULL: none */
    pthread_mutex_t writing;
} study;

/* --- texts ---------------------------------------------------------------------------------------------------------------------------------- */
static gg_status read_texts(study *st)
{
    gg__lab *lab = st->lab;
    const gg_tokenizer *t = NULL;
    GG_TRY(gg_model_need_tokenizer(&t, lab->m));
    for (int64_t i = 0; i < lab->n; i++) {
        char *text = NULL;
        size_t n;
        GG_TRY(gg_tokenizer_decode(t, &text, &n, lab->token + lab->start[i], lab->start[i + 1] - lab->start[i], true));
        st->text[i] = gg_arena_strndup(&lab->arena, text, n);
        st->n_text[i] = n;
        gg_tokenizer_text_free(lab->ctx, text);
        if (!st->text[i])
            return GG_ENOMEM;
    }
    return GG_OK;
}

/* Bytes of documents end to end: 1 + byte, a 0 before each. */
static gg_status join(int32_t **token, int64_t *n, const study *st, const int64_t *document, int64_t n_documents)
{
    *n = 0;
    for (int64_t i = 0; i < n_documents; i++)
        *n += (int64_t)st->n_text[document[i]] + 1;
    if (!(*token = gg_new(st->lab->ctx, int32_t, *n)))
        return GG_ENOMEM;
    int64_t at = 0;
    for (int64_t i = 0; i < n_documents; i++) {
        (*token)[at++] = 0;
        for (size_t k = 0; k < st->n_text[document[i]]; k++)
            (*token)[at++] = 1 + (uint8_t)st->text[document[i]][k];
    }
    return GG_OK;
}

/* --- trials ----------------------------------------------------------------------------------------------------------------------------------- */
static gg_status make_trial(trial *t, study *st, uint64_t seed, int label)
{
    gg__lab *lab = st->lab;
    gg_random r = gg_random_of(seed, GG__LAB_UTILITY);
    int64_t *order = gg_arena_alloc(&lab->arena, gg_mul(4 * lab->n, (int64_t)sizeof *order));
    *t = (trial){.seed = seed,
                 .label = label,
                 .second = (label + 1) % lab->n_labels,
                 .aside = order + lab->n,
                 .pool = order + 2 * lab->n,
                 .target = order + 3 * lab->n,
                 .second_target = order + 3 * lab->n + TARGETS,
                 .first = gg_arena_alloc(&lab->arena, gg_mul(lab->n_labels + 1, (int64_t)sizeof *t->first))};
    if (!order || !t->first)
        return GG_ENOMEM;
    for (int l = 0; l < lab->n_labels; l++) { /* the same draw whatever the label: the targets of a domain differ by seed alone */
        const int64_t n = gg__lab_shuffled(order, lab, l, &r), aside = n / 4;
        memcpy(t->aside + t->first[l], order, sizeof *order * (size_t)aside);
        t->first[l + 1] = t->first[l] + aside;
        int64_t at = aside;
        for (int side = 0; side < 2; side++)
            if (l == (side ? t->second : t->label)) {
                memcpy(side ? t->second_target : t->target, order + at, sizeof *order * TARGETS);
                at += TARGETS;
            }
        memcpy(t->pool + t->n_pool, order + at, sizeof *order * (size_t)(n - at));
        t->n_pool += n - at;
    }
    return GG_OK;
}

/* --- choices ------------------------------------------------------------------------------------------------------------------------------------- */
static gg_status by_neurons(double *score, const study *st, const trial *t, const int64_t *target, bool contrast)
{
    const gg__lab *lab = st->lab;
    gg_nag_counts *c = NULL, *all = NULL;
    gg_nag_profile *p = NULL;
    gg__lab_view v;
    GG_TRY(gg__lab_view_make(&v, lab, t->pool, t->n_pool, K, 0));
    gg_status s = gg__lab_count(&c, lab, target, TARGETS, K);
    if (s == GG_OK && contrast)
        s = gg__lab_count(&all, lab, t->pool, t->n_pool, K);
    if (s == GG_OK)
        s = contrast ? gg_nag_profile_contrast(&p, c, all) : gg_nag_profile_frequency(&p, c, 1);
    if (s == GG_OK)
        gg_nag_distance(score, p, &v.set.f, 0);
    gg_nag_counts_free(c);
    gg_nag_counts_free(all);
    gg_nag_profile_free(p);
    gg__lab_view_free(&v);
    return s;
}

static gg_status by_ngrams(double *score, const study *st, const trial *t, gg_random *r)
{
    gg_context *ctx = st->lab->ctx;
    double *target = gg_new(ctx, double, 4 * GG__NGRAM_BUCKETS);
    if (!target)
        return GG_ENOMEM;
    double *raw = target + GG__NGRAM_BUCKETS, *ratio = raw + GG__NGRAM_BUCKETS, *own = ratio + GG__NGRAM_BUCKETS;
    for (int i = 0; i < TARGETS; i++)
        gg__ngrams_add(target, st->text[t->target[i]], st->n_text[t->target[i]]);
    for (int64_t i = 0; i < t->n_pool; i++)
        gg__ngrams_add(raw, st->text[t->pool[i]], st->n_text[t->pool[i]]);
    gg__ngrams_ratios(ratio, target, raw);
    for (int64_t i = 0; i < t->n_pool; i++) {
        memset(own, 0, GG__NGRAM_BUCKETS * sizeof *own);
        gg__ngrams_add(own, st->text[t->pool[i]], st->n_text[t->pool[i]]);
        const double u = gg_random_uniform(r), gumbel = -log(-log(u > 0 ? u : 0x1p-53));
        score[i] = -(gg__ngrams_weight(own, ratio) + gumbel);
    }
    gg_drop(ctx, target);
    return GG_OK;
}

static gg_status by_embedding(double *score, const study *st, const trial *t)
{
    const gg__lab *lab = st->lab;
    const int64_t d = lab->d_model;
    double *mean = gg_new(lab->ctx, double, d);
    if (!mean)
        return GG_ENOMEM;
    for (int i = 0; i < TARGETS; i++)
        for (int64_t k = 0; k < d; k++)
            mean[k] += lab->embedding[t->target[i] * d + k];
    for (int64_t i = 0; i < t->n_pool; i++) {
        double dot = 0, own = 0, other = 0;
        for (int64_t k = 0; k < d; k++) {
            const double x = lab->embedding[t->pool[i] * d + k];
            dot += x * mean[k];
            own += x * x;
            other += mean[k] * mean[k];
        }
        score[i] = 1 - dot / sqrt(own * other + 1e-30);
    }
    gg_drop(lab->ctx, mean);
    return GG_OK;
}

/* The nearest documents within `share` of the pool's tokens, added to out. */
static gg_status take_nearest(int64_t *out, int64_t *n, const study *st, const trial *t, const double *score, double share)
{
    const gg__lab *lab = st->lab;
    gg_nag_row *row = gg_new(lab->ctx, gg_nag_row, t->n_pool);
    int64_t budget, total;
    if (!row)
        return GG_ENOMEM;
    /* the number of the document travels as its label, in the row */
    for (int64_t i = 0; i < t->n_pool; i++)
        row[i] = (gg_nag_row){
            .docid = lab->docid[t->pool[i]], .score = score[i], .token_num = lab->start[t->pool[i] + 1] - lab->start[t->pool[i]], .label = (int32_t)i};
    gg_nag_sort(row, t->n_pool);
    const int64_t taken = gg_nag_budget(&budget, &total, row, t->n_pool, share);
    for (int64_t i = 0; i < taken; i++)
        out[(*n)++] = t->pool[row[i].label];
    gg_drop(lab->ctx, row);
    return GG_OK;
}

static gg_status choose(study *st, const trial *t, int method, int64_t **out, int64_t *n)
{
    gg__lab *lab = st->lab;
    gg_random r = gg_random_of(t->seed, GG__LAB_UTILITY + 1000 + (uint64_t)(t->label * METHODS + method));
    double *score = gg_new(lab->ctx, double, t->n_pool);
    *out = gg_arena_alloc(&lab->arena, gg_mul(2 * t->n_pool, (int64_t)sizeof **out));
    *n = 0;
    gg_status s = score && *out ? GG_OK : GG_ENOMEM;
    for (int side = 0; side < (method == MIXTURE ? 2 : 1) && s == GG_OK; side++) {
        switch (method) {
        case RANDOM:
            for (int64_t i = 0; i < t->n_pool; i++)
                score[i] = gg_random_uniform(&r);
            break;
        case NGRAMS: s = by_ngrams(score, st, t, &r); break;
        case EMBEDDING: s = by_embedding(score, st, t); break;
        default: s = by_neurons(score, st, t, side ? t->second_target : t->target, method == CONTRAST);
        }
        if (s == GG_OK)
            s = take_nearest(*out, n, st, t, score, method == MIXTURE ? 0.1 : 0.2);
    }
    if (s == GG_OK) /* not in the order of the ranking */
        gg_random_shuffle(&r, *out, *n);
    gg_drop(lab->ctx, score);
    return s;
}

/* --- the work folder ----------------------------------------------------------------------------------------------------------------------------------- */
enum { NUMBERS = LOOKS + 3 };

static void name_of(char name[64], const study *st, int64_t i)
{
    const trial *t = &st->trial[i / METHODS];
    snprintf(name, 64, "%llu %d %d %lld", (unsigned long long)t->seed, t->label, (int)(i % METHODS), (long long)st->steps);
}

/* A file that is no such list is left alone and overwritten in the end. */
static gg_status remember(study *st)
{
    gg__lab *lab = st->lab;
    gg_str path;
    if (!lab->work)
        return GG_OK;
    GG_TRY(gg__lab_work_path(&path, lab, "utility.json"));
    const gg_status s = gg_file_exists(path.data) ? gg_json_read_file(&st->memo, lab->ctx, path.data, "the list of models trained") : GG_OK;
    gg_str_free(&path);
    if (s == GG_ENOMEM)
        return s;
    if (!json_is_object(st->memo)) {
        json_decref(st->memo);
        if (!(st->memo = json_object()))
            return gg_fail(lab->ctx, GG_ENOMEM, "out of memory (the models trained)");
    }
    for (int64_t i = 0; i < st->n_trials * METHODS; i++) {
        char name[64];
        name_of(name, st, i);
        const json_t *x = json_object_get(st->memo, name);
        bool whole = json_array_size(x) == NUMBERS;
        for (size_t k = 0; whole && k < NUMBERS; k++)
            whole = json_is_real(json_array_get(x, k));
        if (!whole)
            continue;
        outcome *o = &st->outcome[i];
        for (size_t k = 0; k < LOOKS; k++)
            o->look[k] = json_real_value(json_array_get(x, k));
        o->target = json_real_value(json_array_get(x, LOOKS));
        o->second = json_real_value(json_array_get(x, LOOKS + 1));
        o->off = json_real_value(json_array_get(x, LOOKS + 2));
        st->known[i] = true;
        lab->n_models_kept++;
    }
    return GG_OK;
}

static gg_status write_memo(const study *st)
{
    gg__lab *lab = st->lab;
    gg_str path;
    GG_TRY(gg__lab_work_path(&path, lab, "utility.json"));
    gg_status s = gg_file_mkdirs(lab->ctx, lab->work);
    if (s == GG_OK)
        s = gg_json_write_file(lab->ctx, path.data, st->memo, 0);
    gg_str_free(&path);
    return s;
}

static gg_status keep(study *st, int64_t i)
{
    const outcome *o = &st->outcome[i];
    const double rest[3] = {o->target, o->second, o->off};
    char name[64];
    if (!st->memo)
        return GG_OK;
    name_of(name, st, i);
    pthread_mutex_lock(&st->writing);
    json_t *x = json_array();
    for (int k = 0; k < NUMBERS; k++)
        gg_json_add(&x, json_real(k < LOOKS ? o->look[k] : rest[k - LOOKS]));
    const gg_status s = json_object_set_new(st->memo, name, x) == 0
                            ? write_memo(st)
                            : gg_fail(st->lab->ctx, GG_ENOMEM, "out of memory (the models trained)");
    pthread_mutex_unlock(&st->writing);
    return s;
}

/* --- training ---------------------------------------------------------------------------------------------------------------------------------------- */
typedef struct watch {
    outcome *out;
    int n;
} watch;

static gg_status look(void *user, const gg_lm_step *s)
{
    watch *w = user;
    if (!isnan(s->val_loss) && w->n < LOOKS)
        w->out->look[w->n++] = s->val_loss;
    return GG_OK;
}

static gg_status judge(double *loss, study *st, gg_lm *lm, const trial *t, int from, int to, int except)
{
    int64_t *document = gg_new(st->lab->ctx, int64_t, st->lab->n), n = 0, n_token;
    int32_t *token = NULL;
    if (!document)
        return GG_ENOMEM;
    for (int l = from; l < to; l++)
        for (int64_t i = t->first[l]; i < t->first[l + 1] && l != except; i++)
            document[n++] = t->aside[i];
    gg_status s = join(&token, &n_token, st, document, n);
    if (s == GG_OK)
        s = gg_lm_loss(loss, lm, token, n_token, 1);
    gg_drop(st->lab->ctx, token);
    gg_drop(st->lab->ctx, document);
    return s;
}

static gg_status run_one(void *user, int64_t i, int worker)
{
    (void)worker;
    study *st = user;
    gg__lab *lab = st->lab;
    const trial *t = &st->trial[i / METHODS];
    outcome *out = &st->outcome[i];
    gg_lm *lm = NULL;
    gg_lm_result r;
    int32_t *token = NULL, *val = NULL;
    int64_t n, n_val;
    watch w = {.out = out};
    if (st->known[i]) {
        gg_progress_add(lab->progress, 1);
        return GG_OK;
    }
    gg_status s = join(&token, &n, st, st->chosen[i], st->n_chosen[i]);
    if (s == GG_OK)
        s = join(&val, &n_val, st, t->aside + t->first[t->label], t->first[t->label + 1] - t->first[t->label]);
    if (s == GG_OK)
        s = gg_lm_create(&lm, lab->ctx, &(gg_lm_options){.n_layers = 5, .d_model = 128, .n_heads = 4, .n_vocab = 257, .n_ctx = CONTEXT}, t->seed);
    if (s == GG_OK)
        s = gg_lm_train(&r, lm, token, n, val, n_val,
                        &(gg_lm_train_options){.batch = 8,
                                               .steps = st->steps,
                                               .optim = {.lr = 2e-3},
                                               .seed = t->seed,
                                               .n_threads = 1,
                                               .eval_every = st->steps / LOOKS,
                                               .look = look,
                                               .user = &w});
    if (s == GG_OK)
        out->target = r.val_loss;
    if (s == GG_OK && (s = judge(&out->second, st, lm, t, t->second, t->second + 1, -1)) == GG_OK)
        s = judge(&out->off, st, lm, t, 0, lab->n_labels, t->label);
    if (s == GG_OK)
        s = keep(st, i);
    gg_lm_free(lm);
    gg_drop(lab->ctx, token);
    gg_drop(lab->ctx, val);
    gg_progress_add(lab->progress, 1);
    return s;
}

/* --- telling ------------------------------------------------------------------------------------------------------------------------------------------- */
typedef double (*reading)(const outcome *of /* (METHODS,) */);
static double random_target(const outcome *o) { return o[RANDOM].target; }
static double gain_frequency(const outcome *o) { return o[RANDOM].target - o[FREQUENCY].target; }
static double gain_contrast(const outcome *o) { return o[RANDOM].target - o[CONTRAST].target; }
static double ngrams_less_frequency(const outcome *o) { return o[NGRAMS].target - o[FREQUENCY].target; }
static double embedding_less_frequency(const outcome *o) { return o[EMBEDDING].target - o[FREQUENCY].target; }
static double frequency_less_contrast(const outcome *o) { return o[FREQUENCY].target - o[CONTRAST].target; }
static double off_cost(const outcome *o) { return o[FREQUENCY].off - o[RANDOM].off; }
static double mixture_gain(const outcome *o) { return 0.5 * (o[RANDOM].target + o[RANDOM].second - o[MIXTURE].target - o[MIXTURE].second); }

/* value: (n_seeds,), each the mean over the domains. */
static void read_seeds(double *value, const study *st, reading f)
{
    for (int64_t seed = 0; seed < st->lab->n_seeds; seed++) {
        value[seed] = 0;
        for (int64_t l = 0; l < st->n_labels; l++)
            value[seed] += f(&st->outcome[(seed * st->n_labels + l) * METHODS]) / (double)st->n_labels;
    }
}

/* Of each method the loss on the target's domain (off: on the others), mean over the domains: value (METHODS, n_seeds). */
static void read_methods(double *value, const study *st, bool off)
{
    const int64_t S = st->lab->n_seeds;
    for (int m = 0; m < METHODS; m++)
        for (int64_t seed = 0; seed < S; seed++) {
            value[m * S + seed] = 0;
            for (int64_t l = 0; l < st->n_labels; l++) {
                const outcome *o = &st->outcome[(seed * st->n_labels + l) * METHODS + m];
                value[m * S + seed] += (off ? o->off : o->target) / (double)st->n_labels;
            }
        }
}

/* What the models of each method lose: "mean loss on the target's domain (elsewhere): random 2.612 (2.597), ..." */
static gg_status say_methods(char *note, size_t size, const study *st)
{
    gg__lab *lab = st->lab;
    const int64_t S = lab->n_seeds;
    double *target = gg_arena_alloc(&lab->arena, gg_mul(METHODS * S, (int64_t)sizeof *target)),
           *off = gg_arena_alloc(&lab->arena, gg_mul(METHODS * S, (int64_t)sizeof *off));
    if (!target || !off)
        return GG_ENOMEM;
    read_methods(target, st, false);
    read_methods(off, st, true);
    size_t at = (size_t)snprintf(note, size, "mean loss on the target's domain (elsewhere)%s:", S > 1 ? ", +- over seeds" : "");
    for (int m = 0; m < METHODS && at < size; m++) {
        const double *x = target + m * S, *y = off + m * S;
        at += S > 1 ? (size_t)snprintf(note + at, size - at, "%s %s %.3f +- %.3f (%.3f +- %.3f)", m ? "," : "", method_name[m], gg__lab_mean(x, S),
                                       gg__lab_deviation(x, S), gg__lab_mean(y, S), gg__lab_deviation(y, S))
                    : (size_t)snprintf(note + at, size - at, "%s %s %.3f (%.3f)", m ? "," : "", method_name[m], gg__lab_mean(x, S), gg__lab_mean(y, S));
    }
    return GG_OK;
}

/* How many standard deviations of chance over the seeds a gain of so much is. */
static gg_status claim_deviations(study *st, double gain)
{
    gg__lab *lab = st->lab;
    const gg_claim sd = {.claim = "that gain in standard deviations of the random choice over seeds",
                         .paper = "7 (sd 0.18 to 0.55 over 5 runs)",
                         .relation = GG_MORE_THAN,
                         .bound = 3};
    if (lab->n_seeds < 2)
        return gg_claims_skip(lab->claims, &sd, "one seed has no spread");
    double *chance = gg_arena_alloc(&lab->arena, gg_mul(lab->n_seeds, (int64_t)sizeof *chance));
    if (!chance)
        return GG_ENOMEM;
    read_seeds(chance, st, random_target);
    const double in_sd = gain / gg__lab_deviation(chance, lab->n_seeds);
    return gg_claims_add(lab->claims, &sd, &in_sd, 1);
}

static gg_status tell(study *st)
{
    gg__lab *lab = st->lab;
    char about[200], note[480];
    double *value = gg_arena_alloc(&lab->arena, gg_mul(lab->n_seeds, (int64_t)sizeof *value));
    if (!value)
        return GG_ENOMEM;
    GG_TRY(say_methods(note, sizeof note, st));
    snprintf(about, sizeof about,
             "language models of 1 million parameters, %lld steps on a fifth of the tokens chosen for %d targets; loss in nats a byte on documents set aside, "
             "%lld domains",
             (long long)st->steps, TARGETS, (long long)st->n_labels);
    GG_TRY(gg_claims_part(lab->claims, "utility", about));
    const struct {
        reading read;
        const char *claim, *paper;
        gg_relation relation; /* to 0 */
        const char *note;
    } row[] = {
        {gain_frequency, "a model trained on NAG's choice knows the target's domain better than one trained on a random choice: loss gained",
         "4.9 points of accuracy (49.8 against 44.9)", GG_MORE_THAN, note},
        {ngrams_less_frequency, "NAG's choice is not worse than importance resampling by n-grams (DSIR): its loss less NAG's", NULL, GG_AT_LEAST, NULL},
        {embedding_less_frequency, "NAG's choice is not worse than the nearest mean embeddings: their loss less NAG's", "1.0 point (BETR, 48.8)",
         GG_AT_LEAST, NULL},
        {gain_contrast, "with contrast weights too: loss gained over a random choice", NULL, GG_MORE_THAN, "beyond the paper"},
        {frequency_less_contrast, "contrast chooses better than frequency: loss gained", NULL, GG_MORE_THAN, "beyond the paper"},
        {mixture_gain, "a tenth for each of two targets serves both: mean loss gained over a random fifth", "3.6 points (six targets, 48.5)",
         GG_MORE_THAN, NULL},
        {off_cost, "elsewhere such a model is worse than one trained on a random choice: loss added", NULL, GG_MORE_THAN,
         "the price of choosing for one domain"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const gg_claim claim = {.claim = row[i].claim, .paper = row[i].paper, .unit = "nats a byte", .over = "seeds",
                                .relation = row[i].relation, .note = row[i].note};
        read_seeds(value, st, row[i].read);
        GG_TRY(gg_claims_add(lab->claims, &claim, value, lab->n_seeds));
        if (row[i].read == gain_frequency)
            GG_TRY(claim_deviations(st, gg__lab_mean(value, lab->n_seeds)));
    }
    return GG_OK;
}

static gg_status draw_price(study *st)
{
    gg__lab *lab = st->lab;
    const int64_t S = lab->n_seeds;
    const char *path = gg__lab_figure_path(lab, "utility-price");
    double *x = gg_arena_alloc(&lab->arena, gg_mul(METHODS * S, (int64_t)sizeof *x)), *y = gg_arena_alloc(&lab->arena, gg_mul(METHODS * S, (int64_t)sizeof *y));
    gg_plot_series series[METHODS];
    if (!path || !x || !y)
        return path ? GG_ENOMEM : GG_OK;
    read_methods(x, st, false);
    read_methods(y, st, true);
    for (int m = 0; m < METHODS; m++)
        series[m] = (gg_plot_series){.name = method_name[m], .x = x + m * S, .y = y + m * S, .n = S};
    return gg__lab_figure_add(lab,
                              gg_plot_curves(lab->ctx, path, "What is gained on the target's domain and lost elsewhere", series, METHODS,
                                             &(gg_plot_axis){.label = "loss on the target's domain (nats a byte)"},
                                             &(gg_plot_axis){.label = "loss on the other domains (nats a byte)"}),
                              path,
                              "The same models, one point a seed, mean over domains: further left is better on the target's domain, further down elsewhere.");
}

static gg_status draw(study *st)
{
    gg__lab *lab = st->lab;
    const char *path = gg__lab_figure_path(lab, "utility");
    double x[LOOKS], y[METHODS][LOOKS] = {{0}};
    gg_plot_series series[METHODS];
    if (!path)
        return GG_OK;
    for (int k = 0; k < LOOKS; k++) {
        x[k] = (double)((k + 1) * (st->steps / LOOKS));
        for (int m = 0; m < METHODS; m++)
            for (int64_t i = 0; i < st->n_trials; i++)
                y[m][k] += st->outcome[i * METHODS + m].look[k] / (double)st->n_trials;
    }
    for (int m = 0; m < METHODS; m++)
        series[m] = (gg_plot_series){.name = method_name[m], .x = x, .y = y[m], .n = LOOKS, .line = true};
    GG_TRY(gg__lab_figure_add(lab,
                              gg_plot_curves(lab->ctx, path, "Loss on the target's domain, by what was trained on", series, METHODS,
                                             &(gg_plot_axis){.label = "training steps"}, &(gg_plot_axis){.label = "loss on documents set aside (nats a byte)"}),
                              path, "Small language models trained on a fifth of the pool's tokens, chosen by each method; mean over domains and seeds."));
    return draw_price(st);
}

static gg_status run(study *st)
{
    gg__lab *lab = st->lab;
    const int64_t runs = st->n_trials * METHODS;
    GG_TRY(read_texts(st));
    for (int64_t i = 0; i < st->n_trials; i++)
        GG_TRY(make_trial(&st->trial[i], st, gg_context_seed(lab->ctx) + (uint64_t)(i / st->n_labels), (int)(i % st->n_labels)));
    GG_TRY(remember(st));
    for (int64_t i = 0; i < runs; i++)
        if (!st->known[i])
            GG_TRY(choose(st, &st->trial[i / METHODS], (int)(i % METHODS), &st->chosen[i], &st->n_chosen[i]));
    GG_TRY(gg__lab_progress(lab, "utility", "models", runs));
    GG_TRY(gg_parallel(lab->ctx, runs, run_one, st));
    GG_TRY(gg__lab_progress(lab, NULL, NULL, 0));
    GG_TRY(tell(st));
    return draw(st);
}

gg_status gg__nag_lab_utility(gg__lab *lab)
{
    GG_TRY(gg__lab_extract(lab));
    for (int l = 0; l < lab->n_labels; l++)
        if (gg__lab_size(lab, l) < 4 * TARGETS)
            return gg_fail(lab->ctx, GG_EINVAL, "utility needs %d documents of each domain; \"%s\" has %lld", 4 * TARGETS, lab->label_name[l],
                           (long long)gg__lab_size(lab, l));
    study st = {.lab = lab, .steps = lab->steps, .n_labels = lab->quick && lab->n_labels > 2 ? 2 : lab->n_labels};
    st.n_trials = lab->n_seeds * st.n_labels;
    const int64_t runs = st.n_trials * METHODS;
    st.text = gg_arena_alloc(&lab->arena, gg_mul(lab->n, (int64_t)sizeof *st.text));
    st.n_text = gg_arena_alloc(&lab->arena, gg_mul(lab->n, (int64_t)sizeof *st.n_text));
    st.trial = gg_arena_alloc(&lab->arena, gg_mul(st.n_trials, (int64_t)sizeof *st.trial));
    st.chosen = gg_arena_alloc(&lab->arena, gg_mul(runs, (int64_t)sizeof *st.chosen));
    st.n_chosen = gg_arena_alloc(&lab->arena, gg_mul(runs, (int64_t)sizeof *st.n_chosen));
    st.outcome = gg_arena_alloc(&lab->arena, gg_mul(runs, (int64_t)sizeof *st.outcome));
    st.known = gg_arena_alloc(&lab->arena, gg_mul(runs, (int64_t)sizeof *st.known));
    if (!st.known || !st.text || !st.n_text || !st.trial || !st.chosen || !st.n_chosen || !st.outcome)
        return GG_ENOMEM;
    pthread_mutex_init(&st.writing, NULL);
    const gg_status s = run(&st);
    pthread_mutex_destroy(&st.writing);
    json_decref(st.memo);
    return s;
}
