/* golgi bench nag: extraction as a whole - reading, tokenising, the model, features to a file - in documents a second and as a part of the
 * machine's roof, in each number format.
 *
 *     share of the roof = operations that had to be done / (time * roof of that format)
 * once over wall time and the roof of all threads, and once over the threads' CPU time and the roof of one: on an idle machine they agree, on
 * a busy one the second says what golgi does with the time that it gets. Operations are those of the products and of attention's causal half;
 * time is that of the pass over the documents, the start-up is told apart. The roof is measured before and after each format; the larger counts.
 *
 * Agreement with float32, where that is among the formats:
 *     jaccard    mean over documents and layers of |A & B| / |A | B|, A and B the K neurons found in either format
 *     spearman   of the documents' distances to a target (the first and every TARGET_STEP-th document), others only
 */
#include "systems/nag/cmd.h"
#include "base/file.h"
#include "math/roof.h"
#include <golgi/cluster.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MADE_UP = 200, TARGET_STEP = 10 };

typedef struct figures {
    gg_dtype dtype;
    gg_roof one, all;
    gg_nag_extract_result r;   /* of the best pass */
    gg_clock clock;            /* of the best pass */
    double start_up;           /* seconds from nothing to the first document's features */
    double cpu;                /* seconds of all threads in the best pass */
    int64_t peak, weights;     /* bytes */
    uint32_t *index;           /* (n_documents, n_layers, K) */
    double jaccard, spearman;  /* with float32; NaN: not compared */
} figures;

typedef struct bench {
    gg_context *ctx;
    gg_nag_source source;
    gg_nag_extract_options o;
    gg_nag_header h;
    const char *model, *path; /* path: where features go */
    int64_t n_documents, repeats;
    gg_progress *progress;
} bench;

static double of_roof(const gg_roof *r, gg_dtype t) { return 1e9 * (t == GG_BF16 ? r->bf16 : t == GG_I8 ? r->i8 : r->f32); }
static const char *short_name(gg_dtype t) { return t == GG_BF16 ? "bf16" : t == GG_I8 ? "i8" : "f32"; }

/* --- documents ---------------------------------------------------------------------------------------------------------------- */

/* Made-up words, so many that no document is shorter than max_tokens: a word of letters is at least one token. */
static gg_status make_up_documents(gg_context *ctx, const char *path, int64_t n, int64_t max_tokens)
{
    gg_rows_writer *w = NULL;
    gg_random r = gg_random_of(gg_context_seed(ctx), 0x62656e6368);
    gg_str text = {.ctx = ctx};
    GG_TRY(gg_rows_writer_open(&w, ctx, path));
    gg_status s = GG_OK;
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        text.len = 0;
        for (int64_t word = 0; word <= max_tokens; word++) {
            const int64_t syllables = 1 + gg_random_below(&r, 3);
            for (int64_t k = 0; k < syllables; k++)
                gg_str_printf(&text, "%c%c", "bdfgklmnprstvz"[gg_random_below(&r, 14)], "aeiou"[gg_random_below(&r, 5)]);
            gg_str_puts(&text, word % 12 == 11 ? ".\n" : " ");
        }
        json_t *row = text.failed ? NULL : json_pack("{s:o, s:s}", "docid", json_sprintf("made-up-%lld", (long long)i), "doc", text.data);
        s = row ? gg_rows_writer_add(w, row) : gg_fail(ctx, GG_ENOMEM, "out of memory");
        json_decref(row);
    }
    gg_str_free(&text);
    if (s == GG_OK)
        return gg_rows_writer_commit(w);
    gg_rows_writer_discard(w);
    return s;
}

/* The first n documents of a source, so that every pass reads the same. n < 0: all of them. */
static gg_status copy_documents(gg_context *ctx, const char *path, const gg_nag_source *from, int64_t n)
{
    gg_documents *d = NULL;
    gg_rows_writer *w = NULL;
    GG_TRY(gg_documents_open(&d, ctx, from->paths, from->n_paths, &from->options));
    gg_status s = gg_rows_writer_open(&w, ctx, path);
    gg_document doc;
    for (int64_t i = 0; s == GG_OK && i != n && (s = gg_documents_next(d, &doc)) == GG_OK; i++) {
        json_t *row = json_pack("{s:s, s:s%}", "docid", doc.docid, "doc", doc.text, (size_t)doc.n_text);
        s = row ? gg_rows_writer_add(w, row) : gg_fail(ctx, GG_ENOMEM, "out of memory");
        json_decref(row);
        json_decref(doc.row);
    }
    gg_documents_close(d);
    if (s == GG_OK || s == GG_END)
        return gg_rows_writer_commit(w);
    gg_rows_writer_discard(w);
    return s;
}

/* --- memory ------------------------------------------------------------------------------------------------------------------- */

/* The largest resident set since the last reset, of /proc. Where that cannot be reset, the largest of the whole process. What the C library
 * keeps of the format before is given back first. */
static void reset_peak(void)
{
    malloc_trim(0);
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f) {
        fputs("5", f);
        fclose(f);
    }
}

static int64_t peak_bytes(void)
{
    char line[256];
    long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lld kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

/* --- one format --------------------------------------------------------------------------------------------------------------- */

typedef struct taker {
    const bench *b;
    figures *f;
    gg_nag_writer *w;
    double begun; /* 0: the first document was here */
    int64_t n;
} taker;

static gg_status take(void *user, const gg_nag_header *h, const gg_nag_features *f)
{
    taker *t = user;
    const int64_t size = h->n_layers * h->site[0].top_k;
    if (t->begun > 0) {
        t->f->start_up = gg_time() - t->begun;
        t->begun = 0;
    }
    for (int64_t i = 0; i < size && t->n < t->b->n_documents; i++)
        t->f->index[t->n * size + i] = f->index_bytes == 2 ? ((const uint16_t *)f->index[0])[i] : ((const uint32_t *)f->index[0])[i];
    t->n++;
    gg_progress_add(t->b->progress, 1);
    return gg_nag_writer_add(t->w, f);
}

static gg_status pass(figures *f, const bench *b, gg_model *m, double begun)
{
    gg_documents *d = NULL;
    gg_nag_extract_result r;
    gg_clock clock = {0};
    taker t = {.b = b, .f = f, .begun = begun};
    gg_nag_extract_options o = b->o;
    o.clock = &clock;
    GG_TRY(gg_documents_open(&d, b->ctx, b->source.paths, b->source.n_paths, &b->source.options));
    gg_nag_header h = b->h;
    snprintf(h.dtype, sizeof h.dtype, "%s", short_name(f->dtype));
    gg_status s = gg_nag_writer_open(&t.w, b->ctx, b->path, &h);
    if (s == GG_OK && (s = gg_nag_extract(&r, b->ctx, m, d, &o, take, &t)) == GG_OK) {
        s = gg_nag_writer_commit(t.w);
        t.w = NULL;
    }
    gg_nag_writer_discard(t.w);
    gg_documents_close(d);
    if (s != GG_OK || (f->r.seconds > 0 && r.seconds >= f->r.seconds))
        return s;
    f->r = r;
    f->clock = clock;
    f->cpu = 0;
    for (int i = 0; i < GG_PHASE_COUNT; i++)
        f->cpu += clock.seconds[i];
    return GG_OK;
}

static gg_status measure_roof(figures *f, gg_context *ctx)
{
    gg_roof one, all;
    GG_TRY(gg_roof_measure(&one, &all, ctx));
#define LARGER(field) (f->field = field > f->field ? field : f->field)
    LARGER(one.f32), LARGER(one.bf16), LARGER(one.i8), LARGER(one.memory), LARGER(all.f32), LARGER(all.bf16), LARGER(all.i8), LARGER(all.memory);
#undef LARGER
    return GG_OK;
}

static gg_status run_format(figures *f, const bench *b)
{
    gg_model *m = NULL;
    GG_TRY(measure_roof(f, b->ctx));
    if (!(f->index = gg_new(b->ctx, uint32_t, b->n_documents * b->h.n_layers * b->h.site[0].top_k)))
        return GG_ENOMEM;
    reset_peak();
    const double begun = gg_time();
    gg_status s = gg_model_open(&m, b->ctx, b->model, &(gg_model_options){.dtype = f->dtype, .no_head = true});
    for (int64_t i = 0; i < b->repeats && s == GG_OK; i++)
        s = pass(f, b, m, i == 0 ? begun : 0);
    if (s == GG_OK) {
        f->peak = peak_bytes();
        f->weights = gg_model_packed_bytes(m);
        s = measure_roof(f, b->ctx);
    }
    gg_model_free(m);
    return s;
}

/* --- agreement ---------------------------------------------------------------------------------------------------------------- */

static double jaccard(const bench *b, const figures *x, const figures *y)
{
    const int64_t k = b->h.site[0].top_k, n = b->n_documents * b->h.n_layers;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t shared = 0;
        for (int64_t p = 0; p < k; p++)
            for (int64_t q = 0; q < k; q++)
                shared += x->index[i * k + p] == y->index[i * k + q];
        sum += (double)shared / (double)(2 * k - shared);
    }
    return n ? sum / (double)n : 1;
}

/* Of the documents that are not of the target, in order; *n of them. */
static gg_status distances(double *out, int64_t *n, const bench *b, const figures *x)
{
    const int64_t size = b->h.n_layers * b->h.site[0].top_k;
    gg_nag_counts *counts = NULL;
    gg_nag_profile *p = NULL;
    GG_TRY(gg_nag_counts_create(&counts, b->ctx, b->h.n_layers, b->h.site[0].top_k, b->h.site[0].width));
    gg_status s = GG_OK;
    for (int64_t i = 0; i < b->n_documents && s == GG_OK; i += TARGET_STEP)
        s = gg_nag_counts_add(counts, &(gg_nag_features){.n = 1, .index_bytes = 4, .index = {x->index + i * size}}, 0);
    if (s == GG_OK)
        s = gg_nag_profile_frequency(&p, counts, 1);
    *n = 0;
    for (int64_t i = 0; i < b->n_documents && s == GG_OK; i++)
        if (i % TARGET_STEP != 0)
            gg_nag_distance(out + (*n)++, p, &(gg_nag_features){.n = 1, .index_bytes = 4, .index = {x->index + i * size}}, 0);
    gg_nag_profile_free(p);
    gg_nag_counts_free(counts);
    return s;
}

static gg_status compare(figures *f, const bench *b, const figures *reference)
{
    int64_t n = 0;
    double *d = gg_new(b->ctx, double, 2 * b->n_documents);
    if (!d)
        return GG_ENOMEM;
    f->jaccard = jaccard(b, f, reference);
    gg_status s = distances(d, &n, b, f);
    if (s == GG_OK)
        s = distances(d + b->n_documents, &n, b, reference);
    if (s == GG_OK && n > 2)
        s = gg_spearman(&f->spearman, b->ctx, d, d + b->n_documents, n);
    gg_drop(b->ctx, d);
    return s;
}

/* --- telling ------------------------------------------------------------------------------------------------------------------ */

static const char *const phase_names[GG_PHASE_COUNT] = {"read", "tokenise", "gemm", "attention", "elementwise", "topk", "write"};

static double wall_share(const figures *f) { return f->r.operations / f->r.seconds / of_roof(&f->all, f->dtype); }
static double cpu_share(const figures *f) { return f->r.operations / f->cpu / of_roof(&f->one, f->dtype); }

static void tell(const bench *b, const figures *f, int n, double load)
{
    const gg_nag_extract_result *r = &f[0].r;
    char a[32], c[32];
    printf("%s, %d thread%s of %s, load of the machine %.2f\n", b->h.model, gg_context_threads(b->ctx), gg_context_threads(b->ctx) == 1 ? "" : "s",
           gg_roof_isa(), load);
    printf("%s documents, %s tokens (at most %lld each), %.1f million operations a token\n\n", gg__nag_count_text(a, r->n_documents),
           gg__nag_count_text(c, r->n_tokens), (long long)b->h.max_tokens, 1e-6 * r->operations / (double)r->n_tokens);
    printf("          docs/s  tokens/s    GF/s  of the roof  of it in CPU time  first document  peak memory  packed weights\n");
    for (int i = 0; i < n; i++)
        printf("  %-4s %9.1f %9.0f %7.1f %10.1f %% %16.1f %% %13.2f s %8.0f MiB %11.0f MiB\n", short_name(f[i].dtype),
               (double)f[i].r.n_documents / f[i].r.seconds, (double)f[i].r.n_tokens / f[i].r.seconds, 1e-9 * f[i].r.operations / f[i].r.seconds,
               100 * wall_share(&f[i]), 100 * cpu_share(&f[i]), f[i].start_up, (double)f[i].peak / 0x1p20, (double)f[i].weights / 0x1p20);
    printf("\nwhere CPU time goes, %%");
    for (int p = 0; p < GG_PHASE_COUNT; p++)
        printf("%12s", phase_names[p]);
    for (int i = 0; i < n; i++) {
        printf("\n  %-20s", short_name(f[i].dtype));
        for (int p = 0; p < GG_PHASE_COUNT; p++)
            printf("%12.2f", 100 * f[i].clock.seconds[p] / f[i].cpu);
    }
    printf("\n");
    bool f32 = false;
    for (int i = 0; i < n; i++)
        f32 = f32 || f[i].dtype == GG_F32;
    if (!f32)
        printf("\nagreement with f32 is told when --dtypes names it\n");
    for (int i = 0; i < n; i++)
        if (f[i].jaccard == f[i].jaccard)
            printf("%s%s against f32: jaccard of the top %lld %.4f, spearman of the distances %.4f\n",
                   i == 0 || f[i - 1].jaccard != f[i - 1].jaccard ? "\n" : "", short_name(f[i].dtype), (long long)b->h.site[0].top_k, f[i].jaccard,
                   f[i].spearman);
}

static json_t *format_json(const figures *f)
{
    json_t *phases = json_object(), *roof = json_object();
    for (int p = 0; p < GG_PHASE_COUNT; p++)
        gg_json_put(&phases, phase_names[p], json_real(f->clock.seconds[p]));
    gg_json_put(&roof, "one", json_real(1e-9 * of_roof(&f->one, f->dtype)));
    gg_json_put(&roof, "all", json_real(1e-9 * of_roof(&f->all, f->dtype)));
    json_t *j = json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:o, s:o}", "dtype", short_name(f->dtype), "docs_per_s",
                          (double)f->r.n_documents / f->r.seconds, "tokens_per_s", (double)f->r.n_tokens / f->r.seconds, "gflops",
                          1e-9 * f->r.operations / f->r.seconds, "roof_share", wall_share(f), "roof_share_cpu", cpu_share(f), "seconds", f->r.seconds,
                          "cpu_seconds", f->cpu, "start_up_s", f->start_up, "peak_bytes", (json_int_t)f->peak, "packed_bytes", (json_int_t)f->weights,
                          "cpu_seconds_by_phase", phases, "roof_gflops", roof);
    if (f->jaccard == f->jaccard) {
        gg_json_put(&j, "jaccard", json_real(f->jaccard));
        gg_json_put(&j, "spearman", json_real(f->spearman));
    }
    return j;
}

static gg_status write_json(const bench *b, const figures *f, int n, double load)
{
    gg_str text = {.ctx = b->ctx};
    json_t *list = json_array();
    gg_roof_json(&text, &f[0].one, &f[0].all, gg_context_threads(b->ctx));
    for (int i = 0; i < n; i++)
        gg_json_add(&list, format_json(&f[i]));
    json_t *j = json_pack("{s:o, s:f, s:s, s:I, s:I, s:I, s:f, s:o}", "roof", text.failed ? NULL : json_loadb(text.data, text.len, 0, NULL), "load", load,
                          "model", b->h.model, "n_documents", (json_int_t)f[0].r.n_documents, "n_tokens", (json_int_t)f[0].r.n_tokens, "max_tokens",
                          (json_int_t)b->h.max_tokens, "operations_per_token", f[0].r.operations / (double)f[0].r.n_tokens, "dtypes", list);
    gg_str_free(&text);
    return gg_json_print(b->ctx, j);
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------- */

enum { FORMATS = 3 };

/* "f32,bf16" into f, in the order given. NULL: all that this processor has instructions for. */
static gg_status parse_formats(figures *f, int *n, gg_context *ctx, const char *text)
{
    static const gg_dtype all[FORMATS] = {GG_F32, GG_BF16, GG_I8};
    *n = 0;
    if (!text) {
        gg_roof one, threads;
        GG_TRY(gg_roof_measure(&one, &threads, ctx));
        for (int k = 0; k < FORMATS; k++)
            if (of_roof(&one, all[k]) > 0)
                f[(*n)++].dtype = all[k];
        return GG_OK;
    }
    for (const char *at = text; *at;) {
        const size_t len = strcspn(at, ",");
        int k = 0;
        while (k < FORMATS && (strlen(short_name(all[k])) != len || strncmp(short_name(all[k]), at, len) != 0))
            k++;
        for (int i = 0; i < *n && k < FORMATS; i++)
            if (f[i].dtype == all[k])
                return gg_fail(ctx, GG_EINVAL, "--dtypes names %s twice", short_name(all[k]));
        if (k == FORMATS)
            return gg_fail(ctx, GG_EINVAL, "--dtypes: \"%.*s\" is none of f32, bf16, i8", (int)len, at);
        f[(*n)++].dtype = all[k];
        at += len + (at[len] == ',');
    }
    return *n ? GG_OK : gg_fail(ctx, GG_EINVAL, "--dtypes names none of f32, bf16, i8");
}

/* The header of a float32 extraction: what is compared is the same in every format but for that. */
static gg_status describe(bench *b)
{
    gg_model *m = NULL;
    GG_TRY(gg_model_open(&m, b->ctx, b->model, &(gg_model_options){.no_weights = true}));
    const gg_status s = gg_nag_header_of(&b->h, b->ctx, m, &b->o);
    gg_model_free(m);
    return s;
}

static gg_status count_documents(bench *b)
{
    GG_TRY(gg__nag_count(&b->n_documents, b->ctx, &b->source));
    return b->n_documents > 0 ? GG_OK : gg_fail(b->ctx, GG_EINVAL, "there is no document to measure with");
}

static gg_status run(bench *b, figures *f, int n, gg_command *c, const gg_nag_source *input, int64_t n_documents)
{
    const char *documents = b->source.paths[0];
    GG_TRY(describe(b));
    GG_TRY(input->n_paths ? copy_documents(b->ctx, documents, input, n_documents ? n_documents : -1)
                          : make_up_documents(b->ctx, documents, n_documents ? n_documents : MADE_UP, b->h.max_tokens));
    GG_TRY(count_documents(b));
    GG_TRY(gg_command_progress(&b->progress, c, b->ctx, NULL, "docs", b->n_documents * b->repeats * n));
    gg_status s = GG_OK;
    for (int i = 0; i < n && s == GG_OK; i++)
        s = run_format(&f[i], b);
    gg_progress_free(b->progress);
    for (int r = 0; r < n && s == GG_OK; r++)
        for (int i = 0; f[r].dtype == GG_F32 && i < n && s == GG_OK; i++)
            if (i != r)
                s = compare(&f[i], b, &f[r]);
    return s;
}

int gg_nag_bench(int argc, char **argv)
{
    gg__nag_run_words w = {GG__NAG_RUN_DEFAULTS};
    gg_texts input = {0};
    const char *dtypes = NULL;
    int64_t n_documents = 0, repeats = 3;
    const gg_option options[] = {
        GG__NAG_OPT_MODEL(w),
        {NULL, "input", GG_OPT_TEXTS, &input, "POOL", "documents; without it 200 are made up, each of max-tokens tokens", NULL, false, 0, 0},
        {NULL, "documents", GG_OPT_INT, &n_documents, "N", "only the first N documents, or so many made up", NULL, false, 0, 1e9},
        GG__NAG_OPT_COLUMNS(w),
        GG__NAG_OPT_METHOD(w),
        {"Machine", "dtypes", GG_OPT_TEXT, &dtypes, "LIST", "number formats of the products, of f32, bf16, i8; without it all that this processor computes",
         NULL, false, 0, 0},
        {NULL, "repeats", GG_OPT_INT, &repeats, "N", "passes over the documents in each format, of which the best counts", NULL, false, 1, 1000},
    };
    gg_command c = {.name = "bench nag",
                    .sentence = "Extracts the features of documents and says how fast, as a part of this machine's roof, and where the time goes.",
                    .example = "golgi bench nag --model M.gguf",
                    .notes = "Use an idle machine: the load is printed. The agreement of bf16 and i8 with f32 is that of these documents: made-up ones are "
                             "much alike, which makes their order hard to keep; take a pool of your own for it.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    bench b = {.model = w.model, .repeats = repeats};
    figures f[FORMATS] = {0};
    int n = 0;
    double load = 0;
    char folder[4096], documents[4120], features[4120];
    const char *paths[] = {documents};
    const char *tmp = getenv("TMPDIR");
    const gg_nag_source source = {.paths = input.at, .n_paths = input.n, .options = gg__nag_documents_options_of(&w)};
    if (getloadavg(&load, 1) != 1)
        load = 0;
    for (int i = 0; i < FORMATS; i++)
        f[i].jaccard = f[i].spearman = (double)NAN;
    snprintf(folder, sizeof folder, "%s/golgi-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if ((s = gg_command_context(&b.ctx, &c)) == GG_OK && (s = parse_formats(f, &n, b.ctx, dtypes)) == GG_OK &&
        (s = gg__nag_extract_options_of(&b.o, b.ctx, &w, NULL)) == GG_OK &&
        (s = mkdtemp(folder) ? GG_OK : gg_fail(b.ctx, GG_EIO, "no folder can be made in %s", folder)) == GG_OK) {
        snprintf(documents, sizeof documents, "%s/documents.jsonl.zst", folder);
        snprintf(features, sizeof features, "%s/features.nag", folder);
        b.path = features;
        b.source = (gg_nag_source){.paths = paths, .n_paths = 1};
        s = run(&b, f, n, &c, &source, n_documents);
        gg_file_remove(b.ctx, documents);
        gg_file_remove(b.ctx, features);
        gg_file_remove(b.ctx, folder);
    }
    if (s == GG_OK && c.json)
        s = write_json(&b, f, n, load);
    else if (s == GG_OK)
        tell(&b, f, n, load);
    for (int i = 0; i < FORMATS; i++)
        gg_drop(b.ctx, f[i].index);
    return gg_command_close(&c, b.ctx, s);
}
