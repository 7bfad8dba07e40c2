/* A copy of a tiny model with something changed: a line of config.json, the numbers, name or shape of a tensor. */
#ifndef GG_TESTS_MODEL_EDIT_H
#define GG_TESTS_MODEL_EDIT_H
#include "support.h"

static char edit_folder[] = "/tmp/golgi-model-XXXXXX";

static inline int make_edit_folder(void **state)
{
    return mkdtemp(edit_folder) ? make_context(state) : 1;
}

static inline int drop_edit_folder(void **state)
{
    static const char *const names[] = {"config.json", "model.safetensors", "pool.jsonl"};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", edit_folder, names[i]);
        unlink(path);
    }
    rmdir(edit_folder);
    return drop_context(state);
}

/* What is done to a tensor: the first whose name holds `name`. */
typedef struct edit {
    const char *config, *config_becomes; /* a piece of config.json; NULL: as it is */
    const char *name;                    /* NULL: no tensor is changed */
    bool leave_out, turn;                /* turn: shape (a, b) -> (b, a) */
    void (*numbers)(float *x, const int64_t *shape);
} edit;

static inline void edit_config(const char *folder, const edit *e)
{
    char path[256], text[8192], *at;
    snprintf(path, sizeof path, TINY "%s/config.json", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    const size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    snprintf(path, sizeof path, "%s/config.json", edit_folder);
    f = fopen(path, "w");
    assert_non_null(f);
    if (e->config) {
        at = strstr(text, e->config);
        if (!at)
            fail_msg("config.json of %s has no %s", folder, e->config);
        fprintf(f, "%.*s%s%s", (int)(at - text), text, e->config_becomes, at + strlen(e->config));
    } else
        fputs(text, f);
    fclose(f);
}

/* Returns the path of the copy. */
static inline const char *edited(gg_context *ctx, const char *folder, const edit *e)
{
    char path[256];
    gg_tensors *t = NULL;
    gg_tensors_writer *w = NULL;
    bool done = !e->name;
    edit_config(folder, e);
    snprintf(path, sizeof path, TINY "%s", folder);
    assert_ok_in(ctx, gg_tensors_open(&t, ctx, path));
    snprintf(path, sizeof path, "%s/model.safetensors", edit_folder);
    assert_ok_in(ctx, gg_tensors_writer_open(&w, ctx, path));
    for (int64_t i = 0; i < gg_tensors_count(t); i++) {
        const gg_tensor *x = gg_tensors_at(t, i);
        int64_t shape[2] = {x->shape[0], x->n_dims > 1 ? x->shape[1] : 1};
        float *copy = malloc((size_t)x->n_bytes);
        memcpy(copy, x->data, (size_t)x->n_bytes);
        const bool it = !done && strstr(x->name, e->name);
        done = done || it;
        if (it && e->numbers)
            e->numbers(copy, shape);
        if (it && e->turn) {
            shape[0] = x->shape[1];
            shape[1] = x->shape[0];
        }
        if (!it || !e->leave_out)
            assert_ok_in(ctx, gg_tensors_writer_add(w, x->name, x->dtype, x->n_dims, shape, copy));
        free(copy);
    }
    assert_ok_in(ctx, gg_tensors_writer_commit(w));
    gg_tensors_free(t);
    if (!done)
        fail_msg("%s has no tensor %s", folder, e->name);
    return edit_folder;
}
#endif
