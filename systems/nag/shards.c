/* A large input extracted by many processes that need not know each other. Owns: the plan (how the input is cut into units), a folder of units.
 *
 *     FOLDER/00000000.nag, 00000001.nag, ...     features of unit 0, 1, ...; a .nag each, so the sorted names are the input's order
 * The plan follows from the input's sizes and the unit size alone, so every process has the same. A unit is written whole, under a lock, with the
 * hash of its input in its header: what is there is done and never done again, whoever did it, and an interrupted unit goes on from
 * UNIT.nag.parts/ (extract.c). Features of other options or of other bytes under a unit's name are refused with what differs.
 * Traps: a folder that holds units of another plan would be completed with units of this one, so the first file there is looked at
 * before anything is run; two processes may share a unit only by mistake (an array started twice): one does it, the other goes on to the next.
 */
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "base/input.h"
#include "base/lock.h"
#include "base/work.h"
#include "io/parts.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_UNITS = 99999999 };

struct gg_nag_plan {
    gg_context *ctx;
    gg_model *m;
    gg_nag_extract_options o;
    gg_documents_options columns;
    gg_nag_header h;
    gg_parts parts;
    int64_t unit_bytes;
    char *folder;
    json_t *units; /* what the headers of all units share */
};

int64_t gg_nag_plan_units(const gg_nag_plan *p) { return p->parts.n; }

/* --- what differs ------------------------------------------------------------------------------------------------------------------ */
static void differ(gg_str *out, const char *what, const char *there, const char *now)
{
    if (strcmp(there, now) != 0)
        gg_str_printf(out, "\n  %s: %s there, %s now", what, *there ? there : "none", *now ? now : "none");
}

static void differ_int(gg_str *out, const char *what, int64_t there, int64_t now)
{
    char a[32], b[32];
    snprintf(a, sizeof a, "%lld", (long long)there);
    snprintf(b, sizeof b, "%lld", (long long)now);
    differ(out, what, a, b);
}

static void differ_headers(gg_str *out, const gg_nag_header *there, const gg_nag_header *now)
{
    const gg_nag_header *const h[2] = {there, now};
    char model[2][160], action[2][16], sites[2][64];
    for (int i = 0; i < 2; i++) {
        snprintf(model[i], sizeof model[i], "%s (%.8s)", h[i]->model, h[i]->model_hash);
        snprintf(action[i], sizeof action[i], "%.8s", h[i]->action_hash);
        sites[i][0] = 0;
        for (int s = 0; s < h[i]->n_sites; s++)
            snprintf(sites[i] + strlen(sites[i]), sizeof sites[i] - strlen(sites[i]), "%s%s", s ? "," : "", gg_nag_type_name(h[i]->site[s].type));
    }
    if (strcmp(there->model_hash, now->model_hash) != 0)
        differ(out, "--model", model[0], model[1]);
    if (strcmp(there->action_hash, now->action_hash) != 0)
        differ(out, "--action", action[0], action[1]);
    differ(out, "--dtype", there->dtype, now->dtype);
    differ_int(out, "--max-tokens", there->max_tokens, now->max_tokens);
    differ(out, "--special", there->special ? "yes" : "no", now->special ? "yes" : "no");
    differ(out, "--sites", sites[0], sites[1]);
    for (int s = 0; s < now->n_sites && strcmp(sites[0], sites[1]) == 0; s++)
        if (there->site[s].top_k != now->site[s].top_k) {
            differ_int(out, "--top-k", there->site[s].top_k, now->site[s].top_k);
            break;
        }
    if (there->n_layers != now->n_layers || memcmp(there->layer, now->layer, sizeof *now->layer * (size_t)now->n_layers) != 0)
        gg_str_printf(out, "\n  layers: %d there, %d now", there->n_layers, now->n_layers);
}

static const char *text_of(const json_t *units, const char *key)
{
    const char *s = json_string_value(json_object_get(units, key));
    return s ? s : "";
}

static int64_t int_of(const json_t *units, const char *key) { return json_integer_value(json_object_get(units, key)); }

gg_status gg__nag_units_match(gg_context *ctx, const char *path, const gg_nag_header *there, const json_t *units_there, const gg_nag_header *now,
                              const json_t *units_now, const char *advice)
{
    gg_str d = {.ctx = ctx};
    differ_headers(&d, there, now);
    differ(&d, "--text-column", text_of(units_there, "text_column"), text_of(units_now, "text_column"));
    differ(&d, "--id-column", text_of(units_there, "id_column"), text_of(units_now, "id_column"));
    differ(&d, "--token-column", text_of(units_there, "token_column"), text_of(units_now, "token_column"));
    differ_int(&d, "--unit-size", int_of(units_there, "bytes"), int_of(units_now, "bytes"));
    differ_int(&d, "units of the input", int_of(units_there, "of"), int_of(units_now, "of"));
    if (d.len == 0 && strcmp(text_of(units_there, "plan"), text_of(units_now, "plan")) != 0)
        gg_str_puts(&d, "\n  the files of the input: their sizes or their order are not what they were");
    gg_status st = d.failed ? GG_ENOMEM : d.len == 0 ? GG_OK : gg_fail(ctx, GG_EMISMATCH, "%s was made in another way%s\n  %s", path, d.data, advice);
    gg_str_free(&d);
    return st;
}

#define ADVICE "Use the same options and input, or name another --output folder."

/* --- the plan ---------------------------------------------------------------------------------------------------------------------- */
static gg_status hash_plan(char key[17], gg_context *ctx, const gg_parts *p)
{
    gg_hash *h = NULL;
    char hex[65];
    GG_TRY(gg_hash_create(&h, ctx));
    for (int64_t i = 0; i < p->n; i++) {
        const int64_t facts[3] = {p->at[i].rows.from, p->at[i].rows.to, p->at[i].bytes};
        gg_hash_add(h, facts, sizeof facts);
    }
    gg_hash_finish(h, hex);
    snprintf(key, 17, "%.16s", hex);
    return GG_OK;
}

static gg_status describe(gg_nag_plan *p)
{
    const struct {
        const char *name, *value;
    } columns[] = {{"text_column", p->columns.text_column}, {"id_column", p->columns.id_column}, {"token_column", p->columns.token_column}};
    char plan[17];
    GG_TRY(hash_plan(plan, p->ctx, &p->parts));
    p->units = json_pack("{s:I, s:I, s:s}", "of", (json_int_t)p->parts.n, "bytes", (json_int_t)p->unit_bytes, "plan", plan);
    bool ok = p->units != NULL;
    for (int i = 0; i < 3 && ok; i++)
        ok = !columns[i].value || json_object_set_new(p->units, columns[i].name, json_string(columns[i].value)) == 0;
    return ok ? GG_OK : gg_fail(p->ctx, GG_ENOMEM, "out of memory (header of a unit)");
}

/* The first .nag of the folder, if there is one, must be of this plan. */
static gg_status check_folder(gg_nag_plan *p)
{
    gg_folder f;
    if (!gg_file_exists(p->folder))
        return GG_OK;
    if (!gg_file_is_folder(p->folder))
        return gg_fail(p->ctx, GG_EINVAL, "%s: units need a folder, and this is a file", p->folder);
    GG_TRY(gg_folder_names(&f, p->ctx, p->folder));
    int64_t i = 0;
    while (i < f.n && !gg__nag_is_binary(f.paths[i]))
        i++;
    gg_nag_reader *r = NULL;
    gg_str path = {.ctx = p->ctx};
    gg_status st = GG_OK;
    if (i < f.n) {
        gg_str_printf(&path, "%s/%s", p->folder, f.paths[i]);
        st = path.failed ? GG_ENOMEM : gg_nag_reader_open(&r, p->ctx, path.data, 0);
        if (st == GG_OK && !gg__nag_reader_units(r))
            st = gg_fail(p->ctx, GG_EMISMATCH, "%s is not a unit of a larger input. " ADVICE, path.data);
        if (st == GG_OK)
            st = gg__nag_units_match(p->ctx, path.data, gg_nag_reader_header(r), gg__nag_reader_units(r), &p->h, p->units, ADVICE);
        gg_nag_reader_close(r);
        if (st == GG_EFORMAT) /* its own process will say so and make it anew */
            st = GG_OK;
    }
    gg_str_free(&path);
    gg_folder_free(&f, p->ctx);
    return st;
}

gg_status gg_nag_plan_open(gg_nag_plan **out, gg_context *ctx, gg_model *m, const gg_nag_source *source, const char *folder, int64_t unit_bytes,
                           const gg_nag_extract_options *o)
{
    *out = NULL;
    if (o->scores)
        return gg_fail(ctx, GG_EUNSUPPORTED, "whole impact vectors are written by one process into one file: leave --scores out, or the shards");
    gg_nag_plan *p = gg_new(ctx, gg_nag_plan, 1);
    if (!p)
        return GG_ENOMEM;
    *p = (gg_nag_plan){.ctx = ctx, .m = m, .o = *o, .columns = source->options, .unit_bytes = unit_bytes, .folder = gg_strdup(ctx, folder)};
    for (size_t n = p->folder ? strlen(p->folder) : 0; n > 1 && p->folder[n - 1] == '/'; n--)
        p->folder[n - 1] = 0;
    gg_status st = p->folder ? gg_parts_cut(&p->parts, ctx, source->paths, source->n_paths, unit_bytes) : GG_ENOMEM;
    if (st == GG_OK && p->parts.n > MAX_UNITS)
        st = gg_fail(ctx, GG_EINVAL, "--unit-size %lld makes %lld units; at most %d (the digits of their names)", (long long)unit_bytes, (long long)p->parts.n,
                     MAX_UNITS);
    if (st == GG_OK)
        st = gg_nag_header_of(&p->h, ctx, m, o);
    if (st == GG_OK)
        st = describe(p);
    if (st == GG_OK)
        st = check_folder(p);
    if (st == GG_OK)
        st = gg_file_mkdirs(ctx, p->folder);
    if (st != GG_OK) {
        gg_nag_plan_close(p);
        return st;
    }
    *out = p;
    return GG_OK;
}

void gg_nag_plan_close(gg_nag_plan *p)
{
    if (!p)
        return;
    gg_parts_free(&p->parts, p->ctx);
    json_decref(p->units);
    gg_drop(p->ctx, p->folder);
    gg_drop(p->ctx, p);
}

gg_status gg_nag_plan_count(int64_t *n, gg_context *ctx, const gg_nag_source *source, int64_t unit_bytes)
{
    gg_parts parts;
    GG_TRY(gg_parts_cut(&parts, ctx, source->paths, source->n_paths, unit_bytes));
    *n = parts.n;
    gg_parts_free(&parts, ctx);
    return GG_OK;
}

gg_status gg_nag_plan_assign(int32_t *shard, const gg_nag_plan *p, int32_t n_shards) { return gg_parts_assign(shard, p->ctx, &p->parts, n_shards); }

/* --- one unit ---------------------------------------------------------------------------------------------------------------------- */
/* units of this one: what is shared, its number, what it was made from; the hash of that is filled in when it is known */
static json_t *units_of(const gg_nag_plan *p, int64_t i, gg_rows_part rows)
{
    const char *path = p->parts.at[i].path, *slash = strrchr(path, '/');
    json_t *j = json_copy(p->units), *more = json_pack("{s:[I], s:s, s:s, s:I, s:I}", "held", (json_int_t)i, "input", "", "source", slash ? slash + 1 : path,
                                                       "from", (json_int_t)rows.from, "to", (json_int_t)rows.to);
    if (!j || !more || json_object_size(j) != json_object_size(p->units) ||
        json_object_update(j, more) != 0) { /* json_copy passes over what it lacks memory for */
        json_decref(j);
        j = NULL;
    }
    json_decref(more);
    return j;
}

/* Is unit i done? Damaged files are not, and are written anew. */
static gg_status is_done(bool *done, int64_t *n_documents, const gg_nag_plan *p, int64_t i, const char *path, gg__nag_seal *seal)
{
    gg_nag_reader *r = NULL;
    *done = false;
    if (!gg_file_exists(path))
        return GG_OK;
    GG_TRY(gg__nag_seal_wait(seal));
    gg_status st = gg_nag_reader_open(&r, p->ctx, path, 0);
    *n_documents = -1;
    if (st == GG_OK)
        st = gg__nag_reader_promised(n_documents, r);
    if (st == GG_EFORMAT || (st == GG_OK && *n_documents < 0)) {
        gg_log(p->ctx, GG_LOG_WARNING, "%s is damaged; made again", path);
        gg_nag_reader_close(r);
        return GG_OK;
    }
    if (st == GG_OK) {
        const json_t *units = gg__nag_reader_units(r), *held = json_object_get(units, "held");
        st = gg__nag_units_match(p->ctx, path, gg_nag_reader_header(r), units, &p->h, p->units, ADVICE);
        if (st == GG_OK && (json_array_size(held) != 1 || json_integer_value(json_array_get(held, 0)) != i))
            st = gg_fail(p->ctx, GG_EMISMATCH, "%s does not hold unit %lld, as its name says; was it renamed? Remove it.", path, (long long)i);
        else if (st == GG_OK && strcmp(text_of(units, "input"), seal->hex) != 0)
            st = gg_fail(p->ctx, GG_EMISMATCH, "%s was made from other bytes: %s has changed since then. Remove %s to make it again.", path,
                         p->parts.at[i].path, path);
        *done = st == GG_OK;
    }
    gg_nag_reader_close(r);
    return st;
}

gg_status gg_nag_plan_run(gg_nag_extract_result *out, gg_nag_plan *p, int64_t i)
{
    gg_context *ctx = p->ctx;
    const gg_part *part = &p->parts.at[i];
    gg_nag_source source = {.paths = &part->path, .n_paths = 1, .options = p->columns};
    gg__nag_seal seal = {.ctx = ctx, .source = &source};
    gg_str path = {.ctx = ctx};
    int64_t n_documents = 0;
    bool done = false;
    gg_lock *lock = NULL;
    gg_documents *d = NULL;
    json_t *units = NULL;
    *out = (gg_nag_extract_result){0};
    gg_str_printf(&path, "%s/%08lld.nag", p->folder, (long long)i);
    gg_status st = path.failed ? GG_ENOMEM : gg_part_settle(&source.options.part, ctx, part);
    if (st == GG_OK)
        st = is_done(&done, &n_documents, p, i, path.data, &seal);
    if (st == GG_OK && !done) {
        if ((st = gg_lock_take(&lock, ctx, path.data)) == GG_OK)
            st = is_done(&done, &n_documents, p, i, path.data, &seal); /* by who held the lock until now */
    }
    if (st == GG_OK && done) {
        gg_lock_free(lock);
        lock = NULL;
        gg__nag_tidy(ctx, path.data);
        out->n_documents = out->n_reused = n_documents;
        gg_progress_before(p->o.progress, n_documents);
    } else if (st == GG_OK) {
        gg_lock_sweep(ctx, path.data);
        if (!(units = units_of(p, i, source.options.part)))
            st = gg_fail(ctx, GG_ENOMEM, "out of memory (header of a unit)");
        if (st == GG_OK)
            st = gg_documents_open(&d, ctx, source.paths, 1, &source.options);
        if (st == GG_OK)
            st = gg__nag_extract_held(out, ctx, p->m, d, path.data, &seal, units, &p->o);
    }
    gg__nag_seal_drop(&seal);
    gg_documents_close(d);
    gg_lock_free(lock);
    json_decref(units);
    gg_str_free(&path);
    return st;
}

/* --- a shard ------------------------------------------------------------------------------------------------------------------------- */
void gg__nag_result_add(gg_nag_extract_result *sum, const gg_nag_extract_result *r)
{
    sum->n_documents += r->n_documents;
    sum->n_tokens += r->n_tokens;
    sum->n_empty += r->n_empty;
    sum->n_cut += r->n_cut;
    sum->n_repaired += r->n_repaired;
    sum->n_reused += r->n_reused;
    sum->seconds += r->seconds;
    if (r->empty[0] && !sum->empty[0])
        snprintf(sum->empty, sizeof sum->empty, "%s", r->empty);
}

gg_status gg_nag_plan_run_shard(gg_nag_shard_result *out, gg_nag_plan *p, int32_t shard, int32_t n_shards)
{
    gg_context *ctx = p->ctx;
    *out = (gg_nag_shard_result){.n_units = p->parts.n};
    if (n_shards < 1 || shard < 0 || shard >= n_shards)
        return gg_fail(ctx, GG_EINVAL, "shard %d of %d: shards are counted from 0 to %d", shard, n_shards, n_shards - 1);
    int32_t *whose = gg_new(ctx, int32_t, p->parts.n);
    gg_status st = whose ? gg_nag_plan_assign(whose, p, n_shards) : GG_ENOMEM;
    int64_t turn = 0;
    gg_str busy = {.ctx = ctx};
    for (int64_t i = 0; i < p->parts.n; i++)
        out->n_mine += st == GG_OK && whose[i] == shard;
    for (int64_t i = 0; i < p->parts.n && st == GG_OK; i++) {
        if (whose[i] != shard)
            continue;
        char note[96];
        gg_nag_extract_result r;
        snprintf(note, sizeof note, "unit %lld of %lld", (long long)++turn, (long long)out->n_mine);
        gg_progress_note(p->o.progress, note);
        st = gg_context_stopped(ctx) ? gg_fail(ctx, GG_EINTR, "stopped") : gg_nag_plan_run(&r, p, i);
        if (st == GG_OK)
            gg__nag_result_add(&out->sum, &r);
        out->n_done += st == GG_OK;
        out->n_before += st == GG_OK && r.n_reused == r.n_documents;
        if (st == GG_EBUSY) { /* another process is at it: that is as good, and there is other work */
            out->n_busy++;
            if (busy.len == 0)
                gg_str_puts(&busy, gg_message(ctx));
            st = busy.failed ? GG_ENOMEM : GG_OK;
        }
    }
    if (st == GG_EINTR)
        st = gg_fail(ctx, st, "stopped after %lld of this shard's %lld units; what was begun is kept in %s, and the same command goes on from there",
                     (long long)out->n_done, (long long)out->n_mine, p->folder);
    else if (st == GG_OK && out->n_busy)
        st = gg_fail(ctx, GG_EBUSY, "%lld of this shard's %lld units are being made by others (%s). The same command looks at them again.",
                     (long long)out->n_busy, (long long)out->n_mine, busy.data);
    gg_str_free(&busy);
    gg_drop(ctx, whose);
    return st;
}
