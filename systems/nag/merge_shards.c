/* Units joined to one file of features. Owns: which file holds which units, their order, the search for docids that come twice.
 *
 * A unit is known by its number, so the result does not depend on the order in which files are named or on what was joined before: units are
 * sorted, one that comes twice counts once, and documents are copied in that order through the writer that extraction uses. A file of
 * all units says nothing of units any more and is, byte for byte, what one process would have written; a file of some of them
 * names them with their counts and can be joined again.
 * Docids: 8 bytes of hash a document are kept and sorted in place; equal ones are looked up among the texts in a second pass, so that a
 * collision of hashes (at 2.5e8 documents one run in 600 has one) costs time and never a false alarm.
 * Trap: a file that was joined before is read at several places of the order, so its reader stays open; units on their own are
 * opened one at a time, or ten thousand of them would be mapped at once.
 */
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "base/input.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct file {
    char *path;
    gg_nag_reader *r;    /* NULL: not open */
    gg_nag_features f;   /* the batch read last */
    int64_t before;      /* documents of the batches before it */
    int64_t n_documents; /* as promised */
    int64_t n_entries;   /* not read yet */
} file;

typedef struct entry { /* a unit in a file */
    int64_t unit, n_documents, first; /* first: its first document in the file */
    int32_t file;
} entry;

typedef struct job {
    gg_context *ctx;
    file *file;
    int64_t n_files, cap_files;
    entry *entry;
    int64_t n_entries, cap_entries;
    gg_nag_header h; /* of the first file, which the others match */
    json_t *units;
    int64_t of;
} job;

/* --- what there is ------------------------------------------------------------------------------------------------------------------ */
static gg_status add_file(job *j, const char *folder, const char *name)
{
    GG_TRY(gg_grow(j->ctx, &j->file, j->n_files, &j->cap_files, 64));
    gg_str path = {.ctx = j->ctx};
    gg_str_printf(&path, "%s%s%s", folder ? folder : "", folder && folder[strlen(folder) - 1] != '/' ? "/" : "", name);
    if (path.failed)
        return GG_ENOMEM;
    j->file[j->n_files++] = (file){.path = path.data};
    return GG_OK;
}

static gg_status add_input(job *j, const char *path)
{
    if (!*path || !gg_file_is_folder(path))
        return add_file(j, NULL, path);
    gg_folder f;
    GG_TRY(gg_folder_names(&f, j->ctx, path));
    int64_t n = 0;
    gg_status st = GG_OK;
    for (int64_t i = 0; i < f.n && st == GG_OK; i++)
        if (gg__nag_is_binary(f.paths[i])) {
            st = add_file(j, path, f.paths[i]);
            n++;
        }
    gg_folder_free(&f, j->ctx);
    return st == GG_OK && n == 0 ? gg_fail(j->ctx, GG_ENOENT, "%s: no .nag file in this folder", path) : st;
}

static gg_status add_entry(job *j, entry e)
{
    GG_TRY(gg_grow(j->ctx, &j->entry, j->n_entries, &j->cap_entries, 64));
    j->entry[j->n_entries++] = e;
    return GG_OK;
}

/* The units that a header speaks of, checked against its footer. */
static gg_status take_units(job *j, int32_t which, const json_t *units)
{
    file *f = &j->file[which];
    const json_t *held = json_object_get(units, "held"), *counts = json_object_get(units, "counts");
    const size_t n = json_array_size(held);
    int64_t first = 0, before = -1;
    bool ok = n > 0 && (n == 1 || json_array_size(counts) == n);
    for (size_t i = 0; i < n && ok; i++) {
        const json_t *unit = json_array_get(held, i), *count = json_array_get(counts, i);
        const int64_t u = json_is_integer(unit) ? json_integer_value(unit) : -1;
        const int64_t c = !counts ? f->n_documents : json_is_integer(count) ? json_integer_value(count) : -1;
        ok = u > before && u < j->of && c >= 0 && c <= f->n_documents - first;
        if (ok)
            GG_TRY(add_entry(j, (entry){.unit = u, .n_documents = c, .first = first, .file = which}));
        before = u;
        first += c;
    }
    f->n_entries = (int64_t)n;
    return ok && first == f->n_documents
               ? GG_OK : gg_fail(j->ctx, GG_EFORMAT, "%s: its header and its footer disagree about the units in it; extract it again", f->path);
}

static gg_status look(job *j, int32_t which)
{
    file *f = &j->file[which];
    gg_nag_reader *r = NULL;
    if (!gg_file_exists(f->path))
        return gg_fail(j->ctx, GG_ENOENT, "%s: no such file or folder", f->path);
    if (!gg__nag_is_binary(f->path))
        return gg_fail(j->ctx, GG_EINVAL, "%s: units are .nag files, or folders of them", f->path);
    GG_TRY(gg_nag_reader_open(&r, j->ctx, f->path, 0));
    const gg_nag_header *h = gg_nag_reader_header(r);
    json_t *units = gg__nag_reader_units(r);
    gg_status st = gg__nag_reader_promised(&f->n_documents, r);
    if (st == GG_OK && f->n_documents < 0)
        st = gg_fail(j->ctx, GG_EFORMAT, "%s: it does not end with a footer: it was cut; extract it again", f->path);
    else if (st == GG_OK && !json_is_object(units))
        st = gg_fail(j->ctx, GG_EINVAL, "%s is not a unit of a larger input: there is nothing to join it with", f->path);
    if (st == GG_OK && which == 0) {
        j->h = *h;
        j->units = json_incref(units);
        j->of = json_integer_value(json_object_get(units, "of"));
    } else if (st == GG_OK)
        st = gg__nag_units_match(j->ctx, f->path, h, units, &j->h, j->units, "(\"now\" is what the first file says.) Join only units of one run.");
    if (st == GG_OK)
        st = take_units(j, which, units);
    gg_nag_reader_close(r);
    return st;
}

static int by_unit(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->unit != y->unit ? (x->unit > y->unit) - (x->unit < y->unit) : (x->file > y->file) - (x->file < y->file);
}

/* Each unit once. */
static gg_status settle_entries(job *j)
{
    int64_t n = 0;
    qsort(j->entry, (size_t)j->n_entries, sizeof *j->entry, by_unit);
    for (int64_t i = 0; i < j->n_entries; i++) {
        const entry *e = &j->entry[i], *last = n ? &j->entry[n - 1] : NULL;
        if (!last || last->unit != e->unit) {
            j->entry[n++] = *e;
            continue;
        }
        if (last->n_documents != e->n_documents)
            return gg_fail(j->ctx, GG_EMISMATCH, "unit %lld has %lld documents in %s and %lld in %s", (long long)e->unit, (long long)last->n_documents,
                           j->file[last->file].path, (long long)e->n_documents, j->file[e->file].path);
        j->file[e->file].n_entries--;
    }
    j->n_entries = n;
    return GG_OK;
}

/* "3, 7-9" of what is not there */
static gg_status missing(job *j, int64_t n_missing)
{
    gg_str list = {.ctx = j->ctx};
    int64_t next = 0, shown = 0;
    for (int64_t i = 0; i <= j->n_entries; i++) {
        const int64_t unit = i < j->n_entries ? j->entry[i].unit : j->of;
        if (unit > next && ++shown <= 10)
            gg_str_printf(&list, unit == next + 1 ? "%s%lld" : "%s%lld-%lld", list.len ? ", " : "", (long long)next, (long long)unit - 1);
        next = unit + 1;
    }
    if (shown > 10)
        gg_str_puts(&list, ", ...");
    const gg_status st = list.failed ? GG_ENOMEM
                                     : gg_fail(j->ctx, GG_EMISMATCH, "%lld of %lld units are missing: %s. Extract them, or join what is there with --partial.",
                                               (long long)n_missing, (long long)j->of, list.data);
    gg_str_free(&list);
    return st;
}

/* --- the documents, in order ---------------------------------------------------------------------------------------------------------- */
/* Documents [k, k + n) of a batch */
static gg_nag_features slice(const gg_nag_features *f, const gg_nag_header *h, int64_t k, int64_t n)
{
    gg_nag_features out = {.n = n, .docid = f->docid + k, .token_num = f->token_num + k, .n_scored = f->n_scored + k, .index_bytes = f->index_bytes};
    for (int s = 0; s < h->n_sites; s++)
        out.index[s] = (const char *)f->index[s] + k * h->n_layers * h->site[s].top_k * f->index_bytes;
    return out;
}

static gg_status next_batch(file *f)
{
    f->before += f->f.n;
    f->f.n = 0;
    return gg_nag_reader_next(f->r, &f->f);
}

typedef gg_status (*visitor)(void *user, const entry *e, const gg_nag_features *f);

static gg_status visit_entry(job *j, const entry *e, visitor visit, void *user)
{
    file *f = &j->file[e->file];
    gg_status st = GG_OK;
    if (!f->r) {
        f->f = (gg_nag_features){0};
        f->before = 0;
        st = gg_nag_reader_open(&f->r, j->ctx, f->path, 0);
    }
    for (int64_t at = e->first, end = e->first + e->n_documents; st == GG_OK && at < end;) {
        if (at >= f->before + f->f.n) {
            st = next_batch(f);
            continue;
        }
        const int64_t k = at - f->before, n = end - at < f->f.n - k ? end - at : f->f.n - k;
        const gg_nag_features part = slice(&f->f, &j->h, k, n);
        st = visit(user, e, &part);
        at += n;
    }
    return st == GG_END ? gg_fail(j->ctx, GG_EFORMAT, "%s became shorter while it was in use", f->path) : st;
}

static gg_status visit_all(job *j, visitor visit, void *user)
{
    gg_status st = GG_OK;
    int64_t *left = gg_new(j->ctx, int64_t, j->n_files);
    if (!left)
        return GG_ENOMEM;
    for (int64_t i = 0; i < j->n_files; i++)
        left[i] = j->file[i].n_entries;
    for (int64_t i = 0; i < j->n_entries && st == GG_OK; i++) {
        file *f = &j->file[j->entry[i].file];
        st = gg_context_stopped(j->ctx) ? gg_fail(j->ctx, GG_EINTR, "stopped; nothing was written") : visit_entry(j, &j->entry[i], visit, user);
        if (st == GG_OK && --left[j->entry[i].file] == 0) { /* to its end: the footer vouches for all blocks */
            while ((st = next_batch(f)) == GG_OK)
                ;
            st = st == GG_END ? GG_OK : st;
            gg_nag_reader_close(f->r);
            f->r = NULL;
        }
    }
    for (int64_t i = 0; i < j->n_files; i++) {
        gg_nag_reader_close(j->file[i].r);
        j->file[i].r = NULL;
    }
    gg_drop(j->ctx, left);
    return st;
}

/* --- docids that come twice ------------------------------------------------------------------------------------------------------------- */
static void swap(uint64_t *x, int64_t a, int64_t b)
{
    const uint64_t t = x[a];
    x[a] = x[b];
    x[b] = t;
}

/* In place, by one byte after the other from the top (McIlroy, Bostic & McIlroy 1993, "American flag sort"). */
static void sort_hashes(uint64_t *x, int64_t n, int shift)
{
    if (n <= 32) {
        for (int64_t i = 1; i < n; i++)
            for (int64_t k = i; k > 0 && x[k] < x[k - 1]; k--)
                swap(x, k, k - 1);
        return;
    }
    int64_t at[256] = {0}, end[256], sum = 0;
    for (int64_t i = 0; i < n; i++)
        at[x[i] >> shift & 255]++;
    for (int b = 0; b < 256; b++) {
        const int64_t count = at[b];
        at[b] = sum;
        end[b] = sum += count;
    }
    for (int b = 0; b < 256; b++)
        while (at[b] < end[b]) {
            const int to = x[at[b]] >> shift & 255;
            if (to == b)
                at[b]++;
            else
                swap(x, at[b], at[to]++);
        }
    for (int b = 0; b < 256 && shift > 0; b++) {
        const int64_t from = b ? end[b - 1] : 0;
        sort_hashes(x + from, end[b] - from, shift - 8);
    }
}

typedef struct suspect { /* one hash that came twice: whose docids? */
    job *j;
    uint64_t hash;
    char **docid; /* (n,) */
    int64_t *unit;
    int64_t n, cap;
} suspect;

static gg_status look_for(void *user, const entry *e, const gg_nag_features *f)
{
    suspect *s = user;
    gg_context *ctx = s->j->ctx;
    for (int64_t i = 0; i < f->n; i++) {
        const char *docid = f->docid[i];
        if (gg__xxh64(docid, strlen(docid), 1) != s->hash)
            continue;
        for (int64_t k = 0; k < s->n; k++)
            if (strcmp(s->docid[k], docid) == 0)
                return gg_fail(ctx, GG_EFORMAT, "the docid \"%.200s\" comes twice: in unit %lld (%s) and in unit %lld; ids must differ", docid,
                               (long long)s->unit[k], s->j->file[e->file].path, (long long)e->unit);
        if (s->n == s->cap) {
            const int64_t cap = s->cap ? 2 * s->cap : 4;
            char **texts = gg_renew(ctx, s->docid, char *, cap);
            s->docid = texts ? texts : s->docid;
            int64_t *units = texts ? gg_renew(ctx, s->unit, int64_t, cap) : NULL;
            if (!units)
                return GG_ENOMEM;
            s->unit = units;
            s->cap = cap;
        }
        if (!(s->docid[s->n] = gg_strdup(ctx, docid)))
            return GG_ENOMEM;
        s->unit[s->n++] = e->unit;
    }
    return GG_OK;
}

static gg_status check_docids(job *j, uint64_t *hash, int64_t n)
{
    gg_status st = GG_OK;
    sort_hashes(hash, n, 56);
    for (int64_t i = 1; i < n && st == GG_OK; i++) {
        if (hash[i] != hash[i - 1] || (i > 1 && hash[i] == hash[i - 2]))
            continue;
        suspect s = {.j = j, .hash = hash[i]};
        st = visit_all(j, look_for, &s);
        for (int64_t k = 0; k < s.n; k++)
            gg_drop(j->ctx, s.docid[k]);
        gg_drop(j->ctx, s.docid);
        gg_drop(j->ctx, s.unit);
    }
    return st;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------------------- */
typedef struct copier {
    gg_nag_writer *w;
    uint64_t *hash; /* (all documents,) */
    int64_t n;
} copier;

static gg_status copy(void *user, const entry *e, const gg_nag_features *f)
{
    copier *c = user;
    (void)e;
    for (int64_t i = 0; i < f->n; i++)
        c->hash[c->n++] = gg__xxh64(f->docid[i], strlen(f->docid[i]), 1);
    return gg_nag_writer_add(c->w, f);
}

/* "units" of a file that holds some: what all share, numbers and counts */
static json_t *units_held(const job *j)
{
    json_t *units = json_copy(j->units), *held = json_array(), *counts = json_array();
    const char *const of_one[] = {"input", "source", "from", "to", "counts"};
    bool ok = units && held && counts && json_object_size(units) == json_object_size(j->units); /* json_copy passes over what it lacks memory for */
    for (int64_t i = 0; i < j->n_entries && ok; i++)
        ok = json_array_append_new(held, json_integer(j->entry[i].unit)) == 0 && json_array_append_new(counts, json_integer(j->entry[i].n_documents)) == 0;
    for (size_t i = 0; i < sizeof of_one / sizeof *of_one && units; i++)
        json_object_del(units, of_one[i]);
    ok = ok && json_object_set(units, "held", held) == 0 && json_object_set(units, "counts", counts) == 0;
    json_decref(held);
    json_decref(counts);
    if (ok)
        return units;
    json_decref(units);
    return NULL;
}

static gg_status join(gg_nag_merge_shards_result *out, job *j, const char *path)
{
    gg_context *ctx = j->ctx;
    copier c = {0};
    json_t *units = NULL;
    for (int64_t i = 0; i < j->n_entries; i++)
        out->n_documents += j->entry[i].n_documents;
    if (out->n_missing && !gg__nag_is_binary(path))
        return gg_fail(ctx, GG_EINVAL, "%s: only a .nag can say that units are missing", path);
    if (out->n_missing && !(units = units_held(j)))
        return gg_fail(ctx, GG_ENOMEM, "out of memory (header of features)");
    c.hash = gg_new(ctx, uint64_t, out->n_documents);
    gg_status st = c.hash ? gg__nag_writer_open_units(&c.w, ctx, path, &j->h, units) : GG_ENOMEM;
    if (st == GG_OK)
        st = visit_all(j, copy, &c);
    if (st == GG_OK)
        st = check_docids(j, c.hash, c.n);
    gg_drop(ctx, c.hash);
    json_decref(units);
    if (st == GG_OK)
        return gg_nag_writer_commit(c.w);
    gg_nag_writer_discard(c.w);
    return st;
}

gg_status gg_nag_merge_shards(gg_nag_merge_shards_result *out, gg_context *ctx, const char *path, const char *const *inputs, int n_inputs, bool partial)
{
    job j = {.ctx = ctx};
    *out = (gg_nag_merge_shards_result){0};
    gg_status st = n_inputs > 0 ? GG_OK : gg_fail(ctx, GG_EINVAL, "nothing to join was given");
    for (int i = 0; i < n_inputs && st == GG_OK; i++)
        st = add_input(&j, inputs[i]);
    for (int32_t i = 0; i < j.n_files && st == GG_OK; i++)
        st = look(&j, i);
    if (st == GG_OK)
        st = settle_entries(&j);
    if (st == GG_OK) {
        out->n_units = j.n_entries;
        out->n_missing = j.of - j.n_entries;
        st = out->n_missing && !partial ? missing(&j, out->n_missing) : join(out, &j, path);
    }
    for (int64_t i = 0; i < j.n_files; i++)
        gg_drop(ctx, j.file[i].path);
    gg_drop(ctx, j.file);
    gg_drop(ctx, j.entry);
    json_decref(j.units);
    return st;
}
