/* Whole feature files in memory: targets, maps, clusters. Owns copies of all it was read from, so the files may go.
 *
 * Several files, or the .nag files of a folder, become one set: the sites are those of the first, the others must match it. Binary and row files
 * do not mix when the first is binary with 2-byte indices, because rows promise no width.
 */
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "base/input.h"

/* --- files by name ------------------------------------------------------------------------------------------------------------ */
static gg_status add_file(gg__nag_files *f, int64_t *cap, gg_context *ctx, const char *folder, const char *name)
{
    GG_TRY(gg_grow(ctx, &f->path, f->n, cap, 16));
    gg_str path = {.ctx = ctx};
    const size_t n = strlen(folder);
    gg_str_puts(&path, folder);
    if (name)
        gg_str_printf(&path, "%s%s", n && folder[n - 1] == '/' ? "" : "/", name);
    if (path.failed) {
        gg_str_free(&path);
        return GG_ENOMEM;
    }
    f->path[f->n++] = path.data;
    return GG_OK;
}

static bool ends_with(const char *s, const char *ending)
{
    const size_t n = strlen(s), m = strlen(ending);
    return n > m && strcmp(s + n - m, ending) == 0;
}

gg_status gg__nag_files_ending(gg__nag_files *out, gg_context *ctx, const char *const *paths, int n_paths, const char *ending)
{
    int64_t cap = 0;
    gg_status st = GG_OK;
    *out = (gg__nag_files){0};
    for (int p = 0; p < n_paths && st == GG_OK; p++) {
        gg_folder names;
        const int before = out->n;
        if (!gg_file_is_folder(paths[p])) {
            st = add_file(out, &cap, ctx, paths[p], NULL);
            continue;
        }
        if ((st = gg_folder_names(&names, ctx, paths[p])) != GG_OK)
            break;
        for (int64_t i = 0; i < names.n && st == GG_OK; i++)
            if (ends_with(names.paths[i], ending))
                st = add_file(out, &cap, ctx, paths[p], names.paths[i]);
        gg_folder_free(&names, ctx);
        if (st == GG_OK && out->n == before)
            st = gg_fail(ctx, GG_ENOENT, "%s: the folder holds no %s files", paths[p], ending);
    }
    if (st != GG_OK)
        gg__nag_files_free(out, ctx);
    return st;
}

gg_status gg__nag_files_of(gg__nag_files *out, gg_context *ctx, const char *const *paths, int n_paths)
{
    return gg__nag_files_ending(out, ctx, paths, n_paths, ".nag");
}

void gg__nag_files_free(gg__nag_files *f, gg_context *ctx)
{
    for (int i = 0; i < f->n; i++)
        gg_drop(ctx, f->path[i]);
    gg_drop(ctx, f->path);
    *f = (gg__nag_files){0};
}

/* --- sets ----------------------------------------------------------------------------------------------------------------------- */
typedef struct set_store { /* what a gg_nag_set owns beside the public part */
    gg_nag_set set;
    int64_t cap;
    char **docid;
    int64_t *token_num, *n_scored;
    void *index[GG_NAG_TYPES];
    json_t **row;
} set_store;

void gg_nag_set_free(gg_nag_set *s)
{
    if (!s)
        return;
    set_store *m = (set_store *)s;
    gg_context *ctx = s->ctx;
    for (int64_t i = 0; i < s->f.n; i++) {
        gg_drop(ctx, m->docid[i]);
        if (m->row)
            json_decref(m->row[i]);
    }
    gg_drop(ctx, m->docid);
    gg_drop(ctx, m->token_num);
    gg_drop(ctx, m->n_scored);
    gg_drop(ctx, m->row);
    for (int t = 0; t < GG_NAG_TYPES; t++)
        gg_drop(ctx, m->index[t]);
    gg_drop(ctx, m);
}

#define GROW(p, n, size)                                          \
    do {                                                          \
        void *grown = gg_realloc(ctx, (p), gg_mul((n), (size)));  \
        if (!grown)                                               \
            return GG_ENOMEM;                                     \
        (p) = grown;                                              \
    } while (0)

static gg_status set_reserve(set_store *m, int64_t need)
{
    if (need <= m->cap)
        return GG_OK;
    gg_context *ctx = m->set.ctx;
    const int64_t cap = need > 2 * m->cap ? need : 2 * m->cap;
    GROW(m->docid, cap, (int64_t)sizeof *m->docid);
    GROW(m->token_num, cap, (int64_t)sizeof *m->token_num);
    GROW(m->n_scored, cap, (int64_t)sizeof *m->n_scored);
    GROW(m->row, cap, (int64_t)sizeof *m->row);
    for (int s = 0; s < m->set.header.n_sites; s++) {
        const int64_t one = m->set.header.n_layers * m->set.header.site[s].top_k * m->set.f.index_bytes;
        if (one > INT64_MAX / 8 / cap)
            return gg_fail(ctx, GG_ENOMEM, "out of memory (%lld documents of features)", (long long)cap);
        GROW(m->index[s], cap, one);
    }
    m->cap = cap;
    return GG_OK;
}

static gg_status set_add(set_store *m, const gg_nag_header *from, const gg_nag_features *f)
{
    gg_nag_set *set = &m->set;
    GG_TRY(set_reserve(m, set->f.n + f->n));
    for (int64_t i = 0; i < f->n; i++) {
        const int64_t at = set->f.n;
        if (!(m->docid[at] = gg_strdup(set->ctx, f->docid[i])))
            return GG_ENOMEM;
        m->token_num[at] = f->token_num[i];
        m->n_scored[at] = f->n_scored[i];
        m->row[at] = f->row ? json_incref(f->row[i]) : NULL;
        set->f.n++;
        for (int s = 0; s < set->header.n_sites; s++) {
            const int src = gg_nag_header_find(from, set->header.site[s].type);
            const int64_t n = set->header.n_layers * set->header.site[s].top_k;
            for (int64_t j = 0; j < n; j++) {
                const uint32_t k = f->index_bytes == 2 ? ((const uint16_t *)f->index[src])[i * n + j] : ((const uint32_t *)f->index[src])[i * n + j];
                if (set->f.index_bytes == 2)
                    ((uint16_t *)m->index[s])[at * n + j] = (uint16_t)k;
                else
                    ((uint32_t *)m->index[s])[at * n + j] = k;
            }
        }
    }
    return GG_OK;
}

static gg_status set_read_file(set_store *m, const char *path, const char *first, int n_layers)
{
    gg_nag_reader *r = NULL;
    GG_TRY(gg_nag_reader_open(&r, m->set.ctx, path, m->set.header.n_layers ? m->set.header.n_layers : n_layers));
    const gg_nag_header *h = gg_nag_reader_header(r);
    gg_status st = GG_OK;
    if (path == first) {
        m->set.header = *h;
        m->set.f.index_bytes = gg_nag_index_bytes(h);
    } else {
        for (int s = 0; s < m->set.header.n_sites && st == GG_OK; s++) {
            st = gg_nag_header_match(m->set.ctx, &m->set.header, first, h, path, m->set.header.site[s].type);
            const int src = gg_nag_header_find(h, m->set.header.site[s].type);
            if (st == GG_OK && m->set.header.site[s].width && !h->site[src].width)
                st = gg_fail(m->set.ctx, GG_EMISMATCH, "%s is binary and %s rows: give the row files first, or only one kind", first, path);
        }
    }
    gg_nag_features f;
    while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK)
        st = set_add(m, h, &f);
    gg_nag_reader_close(r);
    return st == GG_END ? GG_OK : st;
}

gg_status gg_nag_set_read(gg_nag_set **out, gg_context *ctx, const char *const *paths, int n_paths, int n_layers)
{
    if (n_paths < 1)
        return gg_fail(ctx, GG_EINVAL, "no feature files were given");
    set_store *m = gg_new(ctx, set_store, 1);
    if (!m)
        return GG_ENOMEM;
    m->set.ctx = ctx;
    gg__nag_files files = {0};
    gg_status st = gg__nag_files_of(&files, ctx, paths, n_paths);
    for (int i = 0; i < files.n && st == GG_OK; i++)
        st = set_read_file(m, files.path[i], files.path[0], n_layers);
    gg__nag_files_free(&files, ctx);
    if (st != GG_OK) {
        gg_nag_set_free(&m->set);
        return st;
    }
    gg_nag_features *f = &m->set.f;
    f->docid = (const char *const *)m->docid;
    f->token_num = m->token_num;
    f->n_scored = m->n_scored;
    f->row = f->n && m->row[0] ? m->row : NULL;
    for (int s = 0; s < m->set.header.n_sites; s++)
        f->index[s] = m->index[s];
    *out = &m->set;
    return GG_OK;
}
