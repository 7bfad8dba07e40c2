/* The bench on which the parts of `golgi reproduce nag` work. Owns the pool in memory, its features, and their files in the work folder:
 *
 *     WORK/KEY.nag              features of up, K = 20: shorter lists are their beginnings
 *     WORK/KEY.final.npy        mean activity after the last norm, of the same pass
 *     WORK/KEY.losses.json      see reproduce_losses.c
 *     WORK/KEY.utility.json     see reproduce_utility.c
 * KEY is a hash of golgi's version, the model, the options and every token of the pool, so what is found there is what this run would compute. The
 * files are written whole after every CHUNK documents: a run that was stopped or killed goes on there.
 */
#include <math.h>
#include <stdio.h>
#include "systems/nag/reproduce.h"
#include "base/file.h"

enum { CHUNK = 128 };

/* --- the pool ------------------------------------------------------------------------------------------------------------------------- */
typedef struct reader {
    gg__lab *lab;
    const gg_tokenizer *tokenizer;
    gg_token_list ids;
    int64_t cap_documents, cap_tokens;
    int64_t *taken; /* (n_labels,) documents of a label so far */
} reader;

static gg_status label_of(int *out, reader *r, const char *name)
{
    gg__lab *lab = r->lab;
    for (*out = 0; *out < lab->n_labels; ++*out)
        if (strcmp(lab->label_name[*out], name) == 0)
            return GG_OK;
    const char **names = gg_renew(lab->ctx, lab->label_name, const char *, lab->n_labels + 1);
    if (!names)
        return GG_ENOMEM;
    lab->label_name = names;
    int64_t *taken = gg_renew(lab->ctx, r->taken, int64_t, lab->n_labels + 1);
    if (!taken)
        return GG_ENOMEM;
    r->taken = taken;
    if (!(names[lab->n_labels] = gg_arena_strndup(&lab->arena, name, strlen(name))))
        return GG_ENOMEM;
    lab->n_labels++;
    return GG_OK;
}

static gg_status room(reader *r, int64_t n_tokens)
{
    gg__lab *lab = r->lab;
    if (lab->n == r->cap_documents) {
        const int64_t cap = 2 * lab->n + 64;
        const char **docid = gg_renew(lab->ctx, lab->docid, const char *, cap);
        if (docid)
            lab->docid = docid;
        int32_t *label = gg_renew(lab->ctx, lab->label, int32_t, cap);
        if (label)
            lab->label = label;
        int64_t *start = gg_renew(lab->ctx, lab->start, int64_t, cap + 1);
        if (start)
            lab->start = start;
        if (!docid || !label || !start)
            return GG_ENOMEM;
        r->cap_documents = cap;
    }
    if (lab->start[lab->n] + n_tokens > r->cap_tokens) {
        const int64_t cap = 2 * (lab->start[lab->n] + n_tokens);
        int32_t *token = gg_renew(lab->ctx, lab->token, int32_t, cap);
        if (!token)
            return GG_ENOMEM;
        lab->token = token;
        r->cap_tokens = cap;
    }
    return GG_OK;
}

static gg_status take(reader *r, const gg_document *d)
{
    gg__lab *lab = r->lab;
    const char *name = json_string_value(gg__nag_column(d->row, lab->label_column));
    int label;
    if (!name) {
        lab->n_unlabelled++;
        return GG_OK;
    }
    GG_TRY(label_of(&label, r, name));
    if (lab->per_domain > 0 && r->taken[label] >= lab->per_domain)
        return GG_OK;
    GG_TRY(gg_tokenizer_encode(r->tokenizer, &r->ids, d->text, d->n_text, lab->max_tokens, GG_TOKENIZE_PARSE_SPECIAL));
    GG_TRY(room(r, r->ids.n));
    if (!(lab->docid[lab->n] = gg_arena_strndup(&lab->arena, d->docid, strlen(d->docid))))
        return GG_ENOMEM;
    memcpy(lab->token + lab->start[lab->n], r->ids.id, sizeof *lab->token * (size_t)r->ids.n);
    lab->start[lab->n + 1] = lab->start[lab->n] + r->ids.n;
    lab->label[lab->n++] = label;
    r->taken[label]++;
    return GG_OK;
}

static gg_status group_by_label(gg__lab *lab)
{
    lab->member = gg_new(lab->ctx, int64_t, lab->n);
    lab->first = gg_new(lab->ctx, int64_t, lab->n_labels + 1);
    if (!lab->member || !lab->first)
        return GG_ENOMEM;
    for (int l = 0; l < lab->n_labels; l++) {
        int64_t at = lab->first[l];
        for (int64_t i = 0; i < lab->n; i++)
            if (lab->label[i] == l)
                lab->member[at++] = i;
        lab->first[l + 1] = at;
    }
    return GG_OK;
}

static gg_status make_key(gg__lab *lab)
{
    gg_hash *hash = NULL;
    char hex[65], model[65];
    const int64_t options[] = {lab->max_tokens, GG__LAB_K, lab->n};
    GG_TRY(gg_model_hash(lab->m, model));
    GG_TRY(gg_hash_create(&hash, lab->ctx));
    gg_hash_add(hash, GG_VERSION_TEXT, sizeof GG_VERSION_TEXT);
    gg_hash_add(hash, model, sizeof model);
    gg_hash_add(hash, options, sizeof options);
    gg_hash_add(hash, lab->start, sizeof *lab->start * (size_t)(lab->n + 1));
    gg_hash_add(hash, lab->token, sizeof *lab->token * (size_t)lab->start[lab->n]);
    gg_hash_finish(hash, hex);
    snprintf(lab->key, sizeof lab->key, "%.16s", hex);
    return GG_OK;
}

gg_status gg__lab_read_pool(gg__lab *lab)
{
    if (lab->n)
        return GG_OK;
    reader r = {.lab = lab, .ids = {.ctx = lab->ctx}};
    gg_documents *documents = NULL;
    gg_document d;
    lab->d_model = gg_model_width(lab->m, gg_model_describe(lab->m)->n_layers, GG_SITE_FINAL);
    GG_TRY(gg_model_need_tokenizer(&r.tokenizer, lab->m));
    const gg_documents_options columns = {.text_column = lab->text_column, .id_column = lab->id_column};
    GG_TRY(gg_documents_open(&documents, lab->ctx, lab->pool.at, lab->pool.n, &columns));
    gg_status s = room(&r, 0);
    while (s == GG_OK && (s = gg_documents_next(documents, &d)) == GG_OK) {
        s = take(&r, &d);
        json_decref(d.row);
    }
    gg_documents_close(documents);
    gg_token_list_free(&r.ids);
    gg_drop(lab->ctx, r.taken);
    GG_TRY(s == GG_END ? GG_OK : s);
    if (lab->n_labels < 2)
        return gg_fail(lab->ctx, GG_EINVAL, "%s: %lld documents of %d labels in column \"%s\"; the experiments need at least two domains (--label-column)",
                       lab->pool.at[0], (long long)lab->n, lab->n_labels, lab->label_column);
    GG_TRY(group_by_label(lab));
    for (int l = 0; l < lab->n_labels; l++)
        if (gg__lab_size(lab, l) < 10)
            return gg_fail(lab->ctx, GG_EINVAL, "%s: %lld documents of the domain \"%s\"; the experiments need at least 10 of each", lab->pool.at[0],
                           (long long)gg__lab_size(lab, l), lab->label_name[l]);
    return make_key(lab);
}

int64_t gg__lab_size(const gg__lab *lab, int label)
{
    return lab->first[label + 1] - lab->first[label];
}

int64_t gg__lab_shuffled(int64_t *out, const gg__lab *lab, int label, gg_random *r)
{
    const int64_t n = gg__lab_size(lab, label);
    memcpy(out, lab->member + lab->first[label], sizeof *out * (size_t)n);
    gg_random_shuffle(r, out, n);
    return n;
}

gg_status gg__lab_gather(int32_t **token, int64_t **start, const gg__lab *lab, const int64_t *document, int64_t n)
{
    *token = NULL;
    if (!(*start = gg_new(lab->ctx, int64_t, n + 1)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        (*start)[i + 1] = (*start)[i] + lab->start[document[i] + 1] - lab->start[document[i]];
    if (!(*token = gg_new(lab->ctx, int32_t, (*start)[n])))
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        memcpy(*token + (*start)[i], lab->token + lab->start[document[i]], sizeof **token * (size_t)((*start)[i + 1] - (*start)[i]));
    return GG_OK;
}

/* --- the work folder -------------------------------------------------------------------------------------------------------------------- */
gg_status gg__lab_work_path(gg_str *out, const gg__lab *lab, const char *ending)
{
    *out = (gg_str){.ctx = lab->ctx};
    gg_str_printf(out, "%s/%s.%s", lab->work, lab->key, ending);
    if (!out->failed)
        return GG_OK;
    gg_str_free(out);
    return GG_ENOMEM;
}

static size_t feature_bytes(const gg__lab *lab)
{
    return (size_t)lab->header.n_layers * GG__LAB_K * (size_t)gg_nag_index_bytes(&lab->header);
}

/* Features of the first n documents, as they are in memory. */
static gg_nag_features features(const gg__lab *lab, int64_t *unknown, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        unknown[i] = -1;
    return (gg_nag_features){.n = n, .docid = lab->docid, .token_num = unknown, .n_scored = unknown, .index_bytes = gg_nag_index_bytes(&lab->header),
                             .index = {lab->index}};
}

static gg_status save_features(const gg__lab *lab, int64_t n)
{
    gg_nag_writer *w = NULL;
    gg_str path;
    if (!lab->work)
        return GG_OK;
    GG_TRY(gg_file_mkdirs(lab->ctx, lab->work));
    int64_t *unknown = gg_new(lab->ctx, int64_t, n);
    if (!unknown)
        return GG_ENOMEM;
    gg_nag_features f = features(lab, unknown, n);
    gg_status s = gg__lab_work_path(&path, lab, "nag");
    if (s == GG_OK) {
        s = gg_nag_writer_open(&w, lab->ctx, path.data, &lab->header);
        for (int64_t i = 0; i < n && s == GG_OK; i += GG__NAG_BATCH) {
            gg_nag_features part = f;
            part.n = n - i < GG__NAG_BATCH ? n - i : GG__NAG_BATCH;
            part.docid += i;
            part.index[0] = (const char *)lab->index + (size_t)i * feature_bytes(lab);
            s = gg_nag_writer_add(w, &part);
        }
        if (s == GG_OK)
            s = gg_nag_writer_commit(w);
        else
            gg_nag_writer_discard(w);
        gg_str_free(&path);
    }
    gg_drop(lab->ctx, unknown);
    GG_TRY(s);
    GG_TRY(gg__lab_work_path(&path, lab, "final.npy"));
    s = gg_npy_write(lab->ctx, path.data, GG_F32, 2, (const int64_t[]){n, lab->d_model}, lab->embedding);
    gg_str_free(&path);
    return s;
}

/* What an earlier run left of both files; damaged ones count as none. */
static gg_status load_features(int64_t *n, gg__lab *lab)
{
    gg_str path;
    gg_nag_set *set = NULL;
    gg_tensors *t = NULL;
    *n = 0;
    if (!lab->work)
        return GG_OK;
    GG_TRY(gg__lab_work_path(&path, lab, "nag"));
    const bool there = gg_file_exists(path.data) && gg_nag_set_read(&set, lab->ctx, (const char *[]){path.data}, 1, 0) == GG_OK;
    gg_str_free(&path);
    if (!there)
        return GG_OK;
    gg_status s = gg__lab_work_path(&path, lab, "final.npy");
    if (s == GG_OK && gg_file_exists(path.data) && gg_tensors_open(&t, lab->ctx, path.data) == GG_OK) {
        const gg_tensor *x = gg_tensors_count(t) == 1 ? gg_tensors_at(t, 0) : NULL;
        if (x && x->dtype == GG_F32 && x->n_dims == 2 && x->shape[1] == lab->d_model && set->header.n_layers == lab->header.n_layers &&
            set->header.site[0].top_k == GG__LAB_K && set->f.n <= lab->n) {
            *n = set->f.n < x->shape[0] ? set->f.n : x->shape[0];
            memcpy(lab->index, set->f.index[0], (size_t)*n * feature_bytes(lab));
            memcpy(lab->embedding, x->data, sizeof(float) * (size_t)(*n * lab->d_model));
        }
        gg_tensors_free(t);
    }
    gg_str_free(&path);
    gg_nag_set_free(set);
    return s;
}

/* --- features ----------------------------------------------------------------------------------------------------------------------------- */
typedef struct pass {
    gg__lab *lab;
    int64_t n_index, n_embedding; /* documents handed over so far */
} pass;

static gg_status keep_index(void *user, const gg_nag_header *h, const gg_nag_features *f)
{
    (void)h;
    pass *p = user;
    memcpy((char *)p->lab->index + (size_t)p->n_index++ * feature_bytes(p->lab), f->index[0], feature_bytes(p->lab));
    return GG_OK;
}

/* The second listener of the pass: the mean over tokens of what leaves the last norm. */
static gg_status mean_open(void *user, void **state, const gg_group *g)
{
    const pass *p = user;
    *state = gg_alloc(p->lab->ctx, gg_mul(g->n_documents, p->lab->d_model * (int64_t)sizeof(double)));
    return *state ? GG_OK : GG_ENOMEM;
}

static gg_status mean_tap(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)user;
    double *sum = state;
    for (int d = 0; d < g->n_documents; d++)
        for (int64_t row = g->start[d]; row < g->start[d + 1]; row++)
            for (int64_t k = 0; k < t->width; k++)
                sum[d * t->width + k] += t->x[row * t->width + k];
    return GG_OK;
}

static gg_status mean_document(void *user, void *state, const gg_group *g, int i)
{
    pass *p = user;
    const int64_t d = p->lab->d_model, T = g->start[i + 1] - g->start[i];
    float *to = p->lab->embedding + p->n_embedding++ * d;
    for (int64_t k = 0; k < d; k++)
        to[k] = T > 0 ? (float)(((const double *)state)[i * d + k] / (double)T) : 0;
    return GG_OK;
}

static void mean_close(void *user, void *state)
{
    const pass *p = user;
    gg_drop(p->lab->ctx, state);
}

gg_status gg__lab_extract(gg__lab *lab)
{
    if (lab->have_features)
        return GG_OK;
    GG_TRY(gg__lab_read_pool(lab));
    pass p = {.lab = lab};
    const gg_listener mean = {.sites = 1u << GG_SITE_FINAL, .open = mean_open, .tap = mean_tap, .document = mean_document, .close = mean_close, .user = &p};
    gg_nag_extract_options o = {.top_k = GG__LAB_K, .max_tokens = lab->max_tokens, .others = &mean, .n_others = 1};
    GG_TRY(gg_model_act(lab->m, NULL));
    GG_TRY(gg_nag_header_of(&lab->header, lab->ctx, lab->m, &o));
    if (lab->header.site[0].top_k != GG__LAB_K)
        return gg_fail(lab->ctx, GG_EUNSUPPORTED, "a layer of this model has %lld up neurons; the experiments take the top %d",
                       (long long)lab->header.site[0].width, GG__LAB_K);
    lab->index = gg_alloc(lab->ctx, gg_mul(lab->n, (int64_t)feature_bytes(lab)));
    lab->embedding = gg_alloc(lab->ctx, gg_mul(lab->n, lab->d_model * (int64_t)sizeof(float)));
    if (!lab->index || !lab->embedding)
        return GG_ENOMEM;
    GG_TRY(load_features(&lab->n_kept, lab));
    p.n_index = p.n_embedding = lab->n_kept;
    GG_TRY(gg__lab_progress(lab, "features", "docs", lab->n));
    gg_progress_add(lab->progress, lab->n_kept);
    o.progress = lab->progress;
    gg_status s = GG_OK;
    while (p.n_index < lab->n && s == GG_OK) {
        gg_nag_extract_result r;
        const int64_t n = lab->n - p.n_index < CHUNK ? lab->n - p.n_index : CHUNK;
        s = gg_nag_extract_tokens(&r, lab->ctx, lab->m, lab->token, lab->start + p.n_index, n, &o, keep_index, &p);
        p.n_index = p.n_embedding = p.n_index < p.n_embedding ? p.n_index : p.n_embedding; /* a stop may fall between the two listeners */
        if ((s == GG_OK || s == GG_EINTR) && p.n_index > lab->n_kept) {
            const gg_status saved = save_features(lab, p.n_index);
            s = saved != GG_OK ? saved : s;
        }
    }
    GG_TRY(s);
    lab->have_features = true;
    return gg__lab_progress(lab, NULL, NULL, 0);
}

/* --- views -------------------------------------------------------------------------------------------------------------------------------- */
gg_status gg__lab_view_make(gg__lab_view *out, const gg__lab *lab, const int64_t *document, int64_t n, int64_t top_k, int first_layer)
{
    const int L = lab->header.n_layers - first_layer, bytes = gg_nag_index_bytes(&lab->header);
    const size_t one = (size_t)top_k * (size_t)bytes;
    char *index = gg_alloc(lab->ctx, gg_mul(n * L, (int64_t)one));
    *out = (gg__lab_view){.set = {.ctx = lab->ctx, .header = lab->header}, .unknown = gg_new(lab->ctx, int64_t, n)};
    const char **docid = gg_new(lab->ctx, const char *, n);
    gg_nag_header *h = &out->set.header;
    h->n_layers = L;
    h->site[0].top_k = top_k;
    for (int l = 0; l < L; l++)
        h->layer[l] = lab->header.layer[first_layer + l];
    out->set.f = (gg_nag_features){.n = n, .docid = docid, .token_num = out->unknown, .n_scored = out->unknown, .index_bytes = bytes, .index = {index}};
    if (!index || !docid || !out->unknown) {
        gg__lab_view_free(out);
        return GG_ENOMEM;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t d = document ? document[i] : i;
        out->unknown[i] = -1;
        docid[i] = lab->docid[d];
        for (int l = 0; l < L; l++)
            memcpy(index + (size_t)(i * L + l) * one,
                   (const char *)lab->index + (size_t)d * feature_bytes(lab) + (size_t)(first_layer + l) * GG__LAB_K * (size_t)bytes, one);
    }
    return GG_OK;
}

void gg__lab_view_free(gg__lab_view *v)
{
    gg_drop(v->set.ctx, (void *)v->set.f.index[0]);
    gg_drop(v->set.ctx, (void *)v->set.f.docid);
    gg_drop(v->set.ctx, v->unknown);
    *v = (gg__lab_view){.set = {.ctx = v->set.ctx}};
}

gg_status gg__lab_count(gg_nag_counts **out, const gg__lab *lab, const int64_t *document, int64_t n, int64_t top_k)
{
    gg__lab_view v;
    GG_TRY(gg__lab_view_make(&v, lab, document, n, top_k, 0));
    gg_status s = gg_nag_counts_create(out, lab->ctx, lab->header.n_layers, top_k, lab->header.site[0].width);
    if (s == GG_OK && (s = gg_nag_counts_add(*out, &v.set.f, 0)) != GG_OK) {
        gg_nag_counts_free(*out);
        *out = NULL;
    }
    gg__lab_view_free(&v);
    return s;
}

double gg__lab_mean(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] / (double)n;
    return sum;
}

double gg__lab_deviation(const double *x, int64_t n)
{
    double sum = 0, mean = gg__lab_mean(x, n);
    for (int64_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

void gg__lab_free(gg__lab *lab)
{
    gg_context *ctx = lab->ctx;
    gg_progress_free(lab->progress);
    gg_claims_free(lab->claims);
    gg_model_free(lab->m);
    for (int i = 0; i < lab->n_memos; i++)
        gg_drop(ctx, lab->memo[i].nll);
    gg_drop(ctx, lab->memo);
    gg_drop(ctx, lab->index);
    gg_drop(ctx, lab->embedding);
    gg_drop(ctx, lab->docid);
    gg_drop(ctx, lab->label);
    gg_drop(ctx, lab->label_name);
    gg_drop(ctx, lab->member);
    gg_drop(ctx, lab->first);
    gg_drop(ctx, lab->token);
    gg_drop(ctx, lab->start);
    gg_arena_free(&lab->arena);
}
