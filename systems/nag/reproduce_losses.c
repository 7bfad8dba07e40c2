/* Losses of documents with neurons switched off, each measured once; and what the parts show while they work. Owns the memo of losses:
 *
 *     WORK/KEY.losses.json      {"<hash of the actions, or none>": {"<number of the document>": mean nats a token}}
 * written whole after every set of actions.
 * Trap: a loss belongs to a document and to a set of actions, not to a part: the parts share them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/reproduce.h"
#include "base/file.h"
#include "base/json.h"

static gg_status memo_of(gg__lab_memo **out, gg__lab *lab, const char *hash)
{
    for (int i = 0; i < lab->n_memos; i++)
        if (strcmp(lab->memo[i].hash, hash) == 0) {
            *out = &lab->memo[i];
            return GG_OK;
        }
    gg__lab_memo *memo = gg_renew(lab->ctx, lab->memo, gg__lab_memo, lab->n_memos + 1);
    if (!memo)
        return GG_ENOMEM;
    lab->memo = memo;
    gg__lab_memo *m = &memo[lab->n_memos];
    snprintf(m->hash, sizeof m->hash, "%s", hash);
    if (!(m->nll = gg_new(lab->ctx, double, lab->n)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < lab->n; i++)
        m->nll[i] = NAN;
    lab->n_memos++;
    *out = m;
    return GG_OK;
}

/* What an earlier run measured. A file that is no such list is left alone and overwritten in the end. */
static gg_status load_losses(gg__lab *lab)
{
    gg_str path;
    gg__lab_memo *m;
    json_t *all = NULL;
    GG_TRY(memo_of(&m, lab, ""));
    if (!lab->work)
        return GG_OK;
    GG_TRY(gg__lab_work_path(&path, lab, "losses.json"));
    gg_status s = gg_file_exists(path.data) ? gg_json_read_file(&all, lab->ctx, path.data, "the list of losses") : GG_OK;
    gg_str_free(&path);
    if (s == GG_ENOMEM)
        return s;
    s = GG_OK;
    const char *hash, *document;
    json_t *losses, *value;
    json_object_foreach(all, hash, losses) {
        if (strcmp(hash, "none") != 0 && strlen(hash) != 64)
            continue;
        if (s == GG_OK && (s = memo_of(&m, lab, strcmp(hash, "none") == 0 ? "" : hash)) == GG_OK)
            json_object_foreach(losses, document, value) {
                const long long i = atoll(document);
                if (i >= 0 && i < lab->n && json_is_real(value)) {
                    m->nll[i] = json_real_value(value);
                    lab->n_losses_kept++;
                }
            }
    }
    json_decref(all);
    return s;
}

static gg_status save_losses(const gg__lab *lab)
{
    gg_str path;
    if (!lab->work)
        return GG_OK;
    json_t *all = json_object();
    for (int m = 0; m < lab->n_memos; m++) {
        json_t *one = json_object();
        for (int64_t i = 0; i < lab->n; i++) {
            char name[32];
            snprintf(name, sizeof name, "%lld", (long long)i);
            if (!isnan(lab->memo[m].nll[i]))
                gg_json_put(&one, name, json_real(lab->memo[m].nll[i]));
        }
        gg_json_put(&all, lab->memo[m].hash[0] ? lab->memo[m].hash : "none", one);
    }
    gg_status s = gg__lab_work_path(&path, lab, "losses.json");
    if (s == GG_OK) {
        if ((s = gg_file_mkdirs(lab->ctx, lab->work)) == GG_OK)
            s = gg_json_write_file(lab->ctx, path.data, all, 0);
        gg_str_free(&path);
    }
    json_decref(all);
    return s;
}

typedef struct scoring {
    const int64_t *document; /* those that run, in this order */
    double *nll;             /* of the memo */
    int64_t n;
} scoring;

static gg_status keep_loss(void *user, const gg_score_row *r)
{
    scoring *s = user;
    s->nll[s->document[s->n++]] = r->mean_nll;
    return GG_OK;
}

/* Runs documents that no memo knows. */
static gg_status run_losses(gg__lab *lab, double *nll, const gg_actions *a, const int64_t *todo, int64_t n)
{
    gg_run_result r;
    int32_t *token;
    int64_t *start;
    scoring k = {.document = todo, .nll = nll};
    gg_status s = gg__lab_gather(&token, &start, lab, todo, n);
    if (s == GG_OK && (s = gg_model_act(lab->m, a)) == GG_OK) {
        s = gg_score_tokens(&r, lab->m, token, start, n, &(gg_run_options){.progress = lab->progress}, 0, keep_loss, &k);
        gg_model_act(lab->m, NULL);
    }
    gg_drop(lab->ctx, start);
    gg_drop(lab->ctx, token);
    lab->n_losses_run += k.n;
    if (k.n > 0 && (s == GG_OK || s == GG_EINTR)) {
        const gg_status saved = save_losses(lab);
        s = saved != GG_OK ? saved : s;
    }
    return s;
}

gg_status gg__lab_losses(double *out, gg__lab *lab, const gg_actions *a, const int64_t *document, int64_t n)
{
    char hash[65];
    gg__lab_memo *m;
    int64_t n_todo = 0;
    if (!lab->n_memos)
        GG_TRY(load_losses(lab));
    gg_actions_hash(a, hash);
    GG_TRY(memo_of(&m, lab, hash));
    int64_t *todo = gg_new(lab->ctx, int64_t, n);
    if (!todo)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        if (isnan(m->nll[document[i]]))
            todo[n_todo++] = document[i];
    gg_progress_add(lab->progress, n - n_todo);
    const gg_status s = n_todo > 0 ? run_losses(lab, m->nll, a, todo, n_todo) : GG_OK;
    for (int64_t i = 0; i < n; i++)
        out[i] = m->nll[document[i]];
    gg_drop(lab->ctx, todo);
    return s;
}

double gg__lab_rise(const gg__lab *lab, const double *a, const double *b, const int64_t *document, int64_t n)
{
    double sum = 0, tokens = 0;
    for (int64_t i = 0; i < n; i++) {
        const double T = (double)(lab->start[document[i] + 1] - lab->start[document[i]] - 1);
        sum += T * (b[i] - (a ? a[i] : 0));
        tokens += T;
    }
    return sum / tokens;
}

/* --- what is shown ------------------------------------------------------------------------------------------------------------------------ */
gg_status gg__lab_progress(gg__lab *lab, const char *title, const char *unit, int64_t total)
{
    gg_progress_free(lab->progress);
    lab->progress = NULL;
    return title ? gg_command_progress(&lab->progress, lab->c, lab->ctx, title, unit, total) : GG_OK;
}

const char *gg__lab_figure_path(gg__lab *lab, const char *name)
{
    if (!lab->report || lab->no_pictures || lab->n_figures == GG__LAB_FIGURES)
        return NULL;
    const size_t n = strlen(lab->report) + strlen(name) + 2;
    char *path = gg_arena_alloc(&lab->arena, n);
    if (path)
        snprintf(path, n, "%s/%s", lab->report, name);
    return path;
}

gg_status gg__lab_figure_add(gg__lab *lab, gg_status plotted, const char *path, const char *caption)
{
    if (plotted == GG_EUNSUPPORTED) {
        gg_log(lab->ctx, GG_LOG_WARNING, "%s; the report goes without pictures", gg_message(lab->ctx));
        lab->no_pictures = true;
        return GG_OK;
    }
    GG_TRY(plotted);
    gg__lab_figure *f = &lab->figure[lab->n_figures];
    char *svg = gg_arena_alloc(&lab->arena, strlen(path) + 5);
    f->caption = gg_arena_strndup(&lab->arena, caption, strlen(caption));
    if (!svg || !f->caption)
        return GG_ENOMEM;
    sprintf(svg, "%s.svg", path);
    f->svg = svg;
    f->part = gg_claims_parts(lab->claims) - 1;
    lab->n_figures++;
    return GG_OK;
}
