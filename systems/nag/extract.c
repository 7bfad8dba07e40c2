/* Extraction to a file that survives being stopped. Owns: the units beside the output.
 *
 *     PATH.parts/KEY-0000000000.nag, KEY-0000000128.nag, ...     KEY-n holds the documents from number n on, whole
 * Each unit is written whole (temporary, fsync, rename), so what is there is right, and at most one unit of work is lost to SIGKILL. On
 * a stop the unit that is being filled is closed early and kept too. KEY is a hash of the model, the options and the bytes of the
 * source: other options begin anew. In the end the units are copied to PATH and removed.
 * The hash of the bytes is found on a thread beside, unless there is work to go on from: the first unit gets its name when it is whole.
 * PATH.lock lets one process do this at a time.
 * Traps: a source that cannot be read twice has no key, hence no units; documents that a unit holds are read again, not run again, and
 * their docids are compared, so that a unit never stands for other documents.
 */
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "base/input.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/work.h"
#include "io/parts.h"
#include "io/stream.h"
#include <stdio.h>
#include <stdlib.h>

enum { UNIT_DOCUMENTS = 128, COUNT_BYTES = 64 << 20, PACKED_RATIO = 4 }; /* counting takes a fifth of a second at most */

typedef struct units {
    gg_context *ctx;
    char *folder;
    gg__nag_seal *seal;
    char key[17];       /* "": the seal is not known yet */
    gg_nag_header h;
    json_t *of;         /* what PATH is a part of, for its header; NULL: nothing */
    gg_nag_writer *w;   /* of the unit that is being filled */
    int64_t first, n;   /* its first document; documents in it */
} units;

/* --- key ------------------------------------------------------------------------------------------------------------------------ */
bool gg__nag_source_is_stream(const gg_nag_source *source)
{
    for (int i = 0; i < source->n_paths; i++)
        if (gg_file_is_stream(source->paths[i]))
            return true;
    return false;
}

static gg_status find_hash(void *user)
{
    gg__nag_seal *s = user;
    const gg_nag_source *source = s->source;
    const char *const column[] = {source->options.text_column, source->options.id_column, source->options.token_column};
    gg_hash *hash = NULL;
    char hex[65];
    GG_TRY(gg_hash_create(&hash, s->ctx));
    for (int i = 0; i < 3; i++)
        gg_hash_add(hash, column[i] ? column[i] : "", column[i] ? strlen(column[i]) + 1 : 1);
    gg_status st = GG_OK;
    for (int i = 0; i < source->n_paths && st == GG_OK; i++) {
        st = gg_part_hash(hex, s->ctx, source->paths[i], source->options.part);
        gg_hash_add(hash, hex, sizeof hex);
    }
    gg_hash_finish(hash, hex);
    if (st == GG_OK)
        memcpy(s->hex, hex, sizeof hex);
    return st;
}

gg_status gg__nag_seal_begin(gg__nag_seal *s) { return s->hex[0] || s->beside ? GG_OK : gg_beside_start(&s->beside, s->ctx, find_hash, s); }

gg_status gg__nag_seal_wait(gg__nag_seal *s)
{
    gg_beside *b = s->beside;
    s->beside = NULL;
    return b ? gg_beside_end(b) : s->hex[0] ? GG_OK : find_hash(s);
}

void gg__nag_seal_drop(gg__nag_seal *s)
{
    gg_beside_drop(s->beside);
    s->beside = NULL;
}

static gg_status key_of(char key[17], gg_context *ctx, const gg_nag_header *h, const char *input)
{
    gg_hash *hash = NULL;
    char hex[65];
    json_t *j = gg__nag_header_json(h);
    gg_str text = {.ctx = ctx, .failed = !j};
    gg_json_write(&text, j, 0);
    json_decref(j);
    const gg_status st = text.failed ? gg_fail(ctx, GG_ENOMEM, "out of memory (key of the features)") : gg_hash_create(&hash, ctx);
    if (st == GG_OK) {
        gg_hash_add(hash, text.data, text.len + 1);
        gg_hash_add(hash, input, strlen(input));
        gg_hash_finish(hash, hex);
        snprintf(key, 17, "%.16s", hex);
    }
    gg_str_free(&text);
    return st;
}

gg_status gg__nag_key_sealed(char key[17], const gg_nag_header *h, gg__nag_seal *s)
{
    GG_TRY(gg__nag_seal_wait(s));
    return key_of(key, s->ctx, h, s->hex);
}

gg_status gg_nag_key(char key[17], gg_context *ctx, const gg_nag_header *h, const gg_nag_source *source)
{
    key[0] = 0;
    return gg__nag_source_is_stream(source) ? GG_OK : gg__nag_key_sealed(key, h, &(gg__nag_seal){.ctx = ctx, .source = source});
}

gg_status gg__nag_count(int64_t *out, gg_context *ctx, const gg_nag_source *source)
{
    gg_documents *d = NULL;
    int64_t total = 0, n = 0, done, bytes = 0;
    *out = -1;
    if (gg__nag_source_is_stream(source))
        return GG_OK;
    GG_TRY(gg_documents_open(&d, ctx, source->paths, source->n_paths, &source->options));
    gg_documents_position(d, &done, &bytes);
    bool packed = false;
    for (int i = 0; i < source->n_paths; i++)
        packed |= gg_name_ends(source->paths[i], ".gz") || gg_name_ends(source->paths[i], ".zst") || gg_name_ends(source->paths[i], ".parquet");
    bytes *= packed ? PACKED_RATIO : 1;
    gg_status st = bytes > COUNT_BYTES ? GG_END : GG_OK;
    for (gg_document doc; st == GG_OK && (st = gg_documents_next(d, &doc)) == GG_OK; n++)
        json_decref(doc.row);
    if (st == GG_END && bytes <= COUNT_BYTES)
        total = n;
    gg_documents_close(d);
    if (st != GG_END)
        return st;
    *out = bytes > COUNT_BYTES ? -1 : total;
    return GG_OK;
}

/* --- units ---------------------------------------------------------------------------------------------------------------------- */
static gg_status know_key(units *u) { return u->key[0] ? GG_OK : gg__nag_key_sealed(u->key, &u->h, u->seal); }

static gg_status unit_path(gg_str *out, const units *u, int64_t first)
{
    *out = (gg_str){.ctx = u->ctx};
    gg_str_printf(out, "%s/%s-%010lld.nag", u->folder, u->key[0] ? u->key : "begun", (long long)first);
    if (!out->failed)
        return GG_OK;
    gg_str_free(out);
    return GG_ENOMEM;
}

static gg_status close_unit(units *u)
{
    if (!u->w)
        return GG_OK;
    if (!u->key[0]) {
        gg_str path;
        GG_TRY(know_key(u));
        GG_TRY(unit_path(&path, u, u->first));
        const gg_status st = gg__nag_writer_becomes(u->w, path.data);
        gg_str_free(&path);
        GG_TRY(st);
    }
    gg_nag_writer *w = u->w;
    u->w = NULL;
    GG_TRY(gg_nag_writer_commit(w));
    u->first += u->n;
    u->n = 0;
    return GG_OK;
}

static gg_status take(void *user, const gg_nag_header *h, const gg_nag_features *f)
{
    units *u = user;
    if (!u->w) {
        gg_str path;
        GG_TRY(gg_file_mkdirs(u->ctx, u->folder));
        GG_TRY(unit_path(&path, u, u->first));
        const gg_status st = gg_nag_writer_open(&u->w, u->ctx, path.data, h);
        gg_str_free(&path);
        GG_TRY(st);
    }
    GG_TRY(gg_nag_writer_add(u->w, f));
    return ++u->n == UNIT_DOCUMENTS ? close_unit(u) : GG_OK;
}

/* Calls each(user, f) for the documents of the units from 0 on; *n: how many there were. Damaged or foreign units end the row. */
static gg_status each_unit(int64_t *n, units *u, gg_status (*each)(void *user, const gg_nag_features *f), void *user)
{
    *n = 0;
    for (gg_status st = GG_OK; st == GG_OK;) {
        gg_str path;
        gg_nag_reader *r = NULL;
        GG_TRY(unit_path(&path, u, *n));
        if (!gg_file_exists(path.data)) {
            gg_str_free(&path);
            return GG_OK;
        }
        int64_t in_unit = 0;
        for (int pass = 0; pass < 2 && st == GG_OK; pass++) { /* a unit is known to be whole before anything is done with it */
            gg_nag_features f;
            st = gg_nag_reader_open(&r, u->ctx, path.data, 0);
            while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK)
                if (pass == 0)
                    in_unit += f.n;
                else if ((st = each(user, &f)) != GG_OK)
                    break;
            gg_nag_reader_close(r);
            r = NULL;
            st = st == GG_END ? GG_OK : st;
            if (pass == 0 && st == GG_EFORMAT) { /* cut by a crash of the machine: begin again there */
                gg_log(u->ctx, GG_LOG_WARNING, "%s; made again", gg_message(u->ctx));
                st = gg_file_remove(u->ctx, path.data);
                gg_str_free(&path);
                return st;
            }
        }
        gg_str_free(&path);
        if (st != GG_OK || in_unit == 0)
            return st;
        *n += in_unit;
    }
    return GG_OK;
}

typedef struct skipper {
    gg_context *ctx;
    gg_documents *documents;
    gg_nag_extract_result *result;
} skipper;

static gg_status skip(void *user, const gg_nag_features *f)
{
    skipper *s = user;
    for (int64_t i = 0; i < f->n; i++) {
        gg_document d;
        const gg_status st = gg_documents_next(s->documents, &d);
        if (st != GG_OK)
            return st == GG_END ? gg_fail(s->ctx, GG_EMISMATCH, "the kept units hold more documents than the source") : st;
        const bool same = strcmp(d.docid, f->docid[i]) == 0;
        json_decref(d.row);
        if (!same)
            return gg_fail(s->ctx, GG_EMISMATCH, "the kept units hold document \"%s\" where the source has another; remove them to begin anew", f->docid[i]);
        s->result->n_reused++;
        s->result->n_tokens += f->n_scored[i] > 0 ? f->n_scored[i] : 0;
        s->result->n_cut += f->token_num[i] > f->n_scored[i];
    }
    return GG_OK;
}

static gg_status copy(void *user, const gg_nag_features *f) { return gg_nag_writer_add(user, f); }

static gg_status assemble(units *u, const char *path, int64_t n_documents)
{
    gg_nag_writer *w = NULL;
    int64_t n = 0;
    GG_TRY(know_key(u)); /* of a source without a document */
    if (u->of && json_object_set_new(u->of, "input", json_string(u->seal->hex)) != 0)
        return gg_fail(u->ctx, GG_ENOMEM, "out of memory (header of a unit)");
    GG_TRY(gg__nag_writer_open_units(&w, u->ctx, path, &u->h, u->of));
    gg_status st = each_unit(&n, u, copy, w);
    if (st == GG_OK && n != n_documents)
        st = gg_fail(u->ctx, GG_EIO, "%s: %lld documents were put there and %lld are there now; did another process use it?", u->folder, (long long)n_documents,
                     (long long)n);
    if (st != GG_OK) {
        gg_nag_writer_discard(w);
        return st;
    }
    return gg_nag_writer_commit(w);
}

/* Removes the units and, when nothing else is in it, the folder. */
static void remove_units(units *u)
{
    for (int64_t first = 0;;) {
        gg_str path;
        gg_nag_reader *r = NULL;
        gg_nag_features f;
        int64_t n = 0;
        if (unit_path(&path, u, first) != GG_OK)
            return;
        if (!gg_file_exists(path.data) || gg_nag_reader_open(&r, u->ctx, path.data, 0) != GG_OK) {
            gg_str_free(&path);
            break;
        }
        while (gg_nag_reader_next(r, &f) == GG_OK)
            n += f.n;
        gg_nag_reader_close(r);
        gg_file_remove(u->ctx, path.data);
        gg_str_free(&path);
        first += n;
    }
    gg_file_remove(u->ctx, u->folder); /* fails, rightly, while something is in it */
}

void gg__nag_tidy(gg_context *ctx, const char *path)
{
    gg_str name = {.ctx = ctx};
    gg_lock *lock = NULL;
    gg_folder f = {0};
    gg_str_printf(&name, "%s.lock", path);
    bool left = !name.failed && gg_file_exists(name.data);
    name.len = 0;
    gg_str_printf(&name, "%s.parts", path);
    left = !name.failed && (left || gg_file_exists(name.data));
    if (left && gg_lock_take(&lock, ctx, path) == GG_OK) {
        gg_lock_sweep(ctx, path);
        gg_lock_sweep_folder(ctx, name.data);
        const size_t n = name.len;
        if (gg_file_is_folder(name.data) && gg_folder_names(&f, ctx, name.data) == GG_OK)
            for (int64_t i = 0; i < f.n; i++) {
                name.len = n;
                gg_str_printf(&name, "/%s", f.paths[i]);
                if (!name.failed && gg__nag_is_binary(name.data))
                    gg_file_remove(ctx, name.data);
            }
        gg_folder_free(&f, ctx);
        if (!name.failed) {
            name.data[n] = 0;
            gg_file_remove(ctx, name.data);
        }
    }
    gg_lock_free(lock);
    gg_str_free(&name);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------ */
static gg_status take_straight(void *user, const gg_nag_header *h, const gg_nag_features *f)
{
    (void)h;
    return gg_nag_writer_add(user, f);
}

static gg_status straight(gg_nag_extract_result *out, units *u, gg_model *m, gg_documents *d, const char *path, const gg_nag_extract_options *o)
{
    gg_nag_writer *w = NULL;
    GG_TRY(gg__nag_writer_open_units(&w, u->ctx, path, &u->h, u->of));
    const gg_status st = gg_nag_extract(out, u->ctx, m, d, o, take_straight, w);
    if (st == GG_OK)
        return gg_nag_writer_commit(w);
    gg_nag_writer_discard(w);
    return st;
}

static gg_status by_units(gg_nag_extract_result *out, units *u, gg_model *m, gg_documents *d, const char *path, const gg_nag_extract_options *o)
{
    gg_nag_extract_result kept = {0};
    skipper s = {.ctx = u->ctx, .documents = d, .result = &kept};
    if (!gg_file_exists(u->folder)) {
        GG_TRY(gg__nag_seal_begin(u->seal));
    } else {
        GG_TRY(know_key(u));
        GG_TRY(each_unit(&u->first, u, skip, &s));
    }
    if (kept.n_reused)
        gg_log(u->ctx, GG_LOG_INFO, "%s: %lld documents were done before; going on from there", u->folder, (long long)kept.n_reused);
    gg_progress_before(o->progress, kept.n_reused);
    gg_status st = gg_nag_extract(out, u->ctx, m, d, o, take, u);
    out->n_documents += kept.n_reused;
    out->n_tokens += kept.n_tokens;
    out->n_cut += kept.n_cut;
    out->n_reused = kept.n_reused;
    if (st == GG_OK)
        st = close_unit(u);
    if (st == GG_OK)
        st = assemble(u, path, out->n_documents);
    if (st == GG_OK) {
        remove_units(u);
    } else if (st == GG_EINTR && u->first + u->n > 0 && close_unit(u) == GG_OK) {
        gg_fail(u->ctx, st, "stopped after %lld documents, which are kept in %s; the same command goes on from there", (long long)u->first, u->folder);
    } else if (u->first == 0) {
        gg_nag_writer_discard(u->w);
        u->w = NULL;
        gg_str message = {.ctx = u->ctx}; /* removing must not put its own message over the cause */
        gg_str_puts(&message, gg_message(u->ctx));
        gg_file_remove(u->ctx, u->folder);
        if (!message.failed)
            gg_fail(u->ctx, st, st == GG_EINTR && u->n > 0 ? "stopped; the documents that were done could not be kept (%s)" : "%s", message.data);
        gg_str_free(&message);
    }
    return st;
}

gg_status gg__nag_extract_held(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, gg_documents *documents, const char *path, gg__nag_seal *seal,
                               json_t *of, const gg_nag_extract_options *o)
{
    units u = {.ctx = ctx, .seal = seal, .of = of};
    GG_TRY(gg_nag_header_of(&u.h, ctx, m, o));
    gg_status st = GG_OK;
    if (seal) {
        gg_str folder = {.ctx = ctx};
        gg_str_printf(&folder, "%s.parts", path);
        u.folder = folder.data;
        if (!folder.failed)
            gg_lock_sweep_folder(ctx, folder.data); /* or they would keep the folder from being removed in the end */
        st = folder.failed ? GG_ENOMEM : by_units(out, &u, m, documents, path, o);
        gg_nag_writer_discard(u.w);
        gg_str_free(&folder);
    } else {
        st = straight(out, &u, m, documents, path, o);
    }
    out->n_empty = gg_documents_empty(documents);
    snprintf(out->empty, sizeof out->empty, "%s", gg_documents_empty_list(documents));
    out->n_repaired = gg_documents_repaired(documents);
    return st;
}

gg_status gg__nag_extract_sealed(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const char *path, gg__nag_seal *seal,
                                 const gg_nag_extract_options *o)
{
    const gg_nag_source *source = seal->source;
    gg_nag_header h;
    gg_documents *d = NULL;
    gg_lock *lock = NULL;
    *out = (gg_nag_extract_result){0};
    GG_TRY(gg_nag_header_of(&h, ctx, m, o));
    GG_TRY(gg_documents_open(&d, ctx, source->paths, source->n_paths, &source->options));
    gg_status st = GG_OK;
    bool keep = false;
    if (!gg_file_is_stream(path)) {
        gg_nag_writer *w = NULL; /* a place that cannot be written is told before the model is run for hours */
        st = gg_nag_writer_open(&w, ctx, path, &h);
        gg_nag_writer_discard(w);
        if (st == GG_OK)
            st = gg_lock_take(&lock, ctx, path);
        if (st == GG_OK)
            gg_lock_sweep(ctx, path);
        keep = !o->scores && !gg__nag_source_is_stream(source); /* whole vectors are not kept in units */
    }
    if (st == GG_OK)
        st = gg__nag_extract_held(out, ctx, m, d, path, keep ? seal : NULL, NULL, o);
    gg_documents_close(d);
    gg_lock_free(lock);
    return st;
}

gg_status gg_nag_extract_file(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const gg_nag_source *documents, const char *path,
                              const gg_nag_extract_options *o)
{
    gg__nag_seal seal = {.ctx = ctx, .source = documents};
    const gg_status st = gg__nag_extract_sealed(out, ctx, m, path, &seal, o);
    gg__nag_seal_drop(&seal);
    return st;
}
