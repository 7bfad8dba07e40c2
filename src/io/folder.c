/* A model folder as Hugging Face lays it out: config.json and safetensors, whole or sharded. Owns: which files of a folder are opened, and what is said
 * when they are not the expected ones.
 *
 *     model.safetensors.index.json   the shards that it names
 *     model.safetensors              else this one
 *     *.safetensors                  else the only one
 *     *.gguf                         else the only one, or the first part of the only split one; the folder then is that GGUF file
 *
 * The order of the hash: config.json, then index and shards in the order of the index.
 */
#include "io/tensors.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* The names in a folder that end in a given text, sorted; few. */
typedef struct listing {
    gg_context *ctx;
    char **name;
    int n, cap;
} listing;

static void listing_free(listing *l)
{
    for (int i = 0; i < l->n; i++)
        gg_drop(l->ctx, l->name[i]);
    gg_drop(l->ctx, l->name);
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_in(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static gg_status listing_add(listing *l, const char *name)
{
    if (l->n == l->cap) {
        const int cap = l->cap ? 2 * l->cap : 16;
        char **grown = gg_renew(l->ctx, l->name, char *, cap);
        if (!grown)
            return GG_ENOMEM;
        l->name = grown;
        l->cap = cap;
    }
    l->name[l->n] = gg_strdup(l->ctx, name);
    if (!l->name[l->n])
        return GG_ENOMEM;
    l->n++;
    return GG_OK;
}

static gg_status list(listing *out, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return gg_fail(out->ctx, GG_EIO, "%s: the folder cannot be read", folder);
    gg_status s = GG_OK;
    for (const struct dirent *e; s == GG_OK && (e = readdir(dir));)
        if (ends_in(e->d_name, ".safetensors") || ends_in(e->d_name, ".gguf") || ends_in(e->d_name, ".bin") || ends_in(e->d_name, ".pt") || ends_in(e->d_name, ".pth"))
            s = listing_add(out, e->d_name);
    closedir(dir);
    if (s == GG_OK && out->n)
        qsort(out->name, (size_t)out->n, sizeof *out->name, name_order);
    return s;
}

/* How many names end so; *first is the first of them. */
static int count_of(const listing *l, const char *end, const char **first)
{
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (ends_in(l->name[i], end) && n++ == 0)
            *first = l->name[i];
    return n;
}

/* True for "-00002-of-00003.gguf": a later part of a split file, opened through its first. */
static bool is_later_part(const char *name)
{
    const char *end = strstr(name, "-of-");
    for (const char *next; end && (next = strstr(end + 1, "-of-"));)
        end = next;
    return end && end - name >= 6 && strlen(end) == 14 && end[-6] == '-' && strncmp(end - 5, "00001", 5) != 0;
}

static int count_gguf(const listing *l, const char **first)
{
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (ends_in(l->name[i], ".gguf") && !is_later_part(l->name[i]) && n++ == 0)
            *first = l->name[i];
    return n;
}

static gg_status join(char **out, gg_context *ctx, const char *folder, const char *name)
{
    gg_str s = {.ctx = ctx};
    const size_t n = strlen(folder);
    gg_str_printf(&s, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
    if (s.failed) {
        gg_str_free(&s);
        return GG_ENOMEM;
    }
    *out = s.data;
    return GG_OK;
}

static gg_status load_config(gg_tensors *t)
{
    char *path;
    GG_TRY(join(&path, t->ctx, t->path, "config.json"));
    gg_status s = GG_OK;
    gg_map map;
    if (gg_file_exists(path)) {
        s = gg__tensors_map(&map, t, path);
        if (s == GG_OK)
            s = gg__config_parse(t, (const char *)map.data, map.size, path);
    }
    gg_drop(t->ctx, path);
    return s;
}

/* name: the index or the one file. */
static gg_status load_weights(gg_tensors *t, const char *name, bool is_index)
{
    char *path;
    GG_TRY(join(&path, t->ctx, t->path, name));
    gg_map map;
    gg_status s = gg__tensors_map(&map, t, path);
    if (s == GG_OK)
        s = is_index ? gg__index_load(t, map.data, map.size, path) : gg__safetensors_parse(t, map.data, map.size, path, false);
    gg_drop(t->ctx, path);
    return s;
}

static gg_status open_checkpoint(gg_tensors **out, gg_context *ctx, const char *folder, const char *name, bool is_index)
{
    gg_tensors *t;
    GG_TRY(gg__tensors_create(&t, ctx, folder, GG_TENSORS_FOLDER));
    gg_status s = load_config(t);
    if (s == GG_OK)
        s = load_weights(t, name, is_index);
    if (s != GG_OK) {
        gg_tensors_free(t);
        return s;
    }
    *out = t;
    return GG_OK;
}

static gg_status open_gguf(gg_tensors **out, gg_context *ctx, const char *folder, const char *name)
{
    char *path;
    GG_TRY(join(&path, ctx, folder, name));
    const gg_status s = gg_tensors_open(out, ctx, path);
    gg_drop(ctx, path);
    return s;
}

static gg_status choose(gg_tensors **out, gg_context *ctx, const char *folder, const listing *l, bool has_index)
{
    const char *safe = NULL, *gguf = NULL, *pickle = NULL;
    if (has_index)
        return open_checkpoint(out, ctx, folder, "model.safetensors.index.json", true);
    const int n_safe = count_of(l, ".safetensors", &safe), n_gguf = count_gguf(l, &gguf);
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->name[i], "model.safetensors") == 0)
            return open_checkpoint(out, ctx, folder, "model.safetensors", false);
    if (n_safe == 1)
        return open_checkpoint(out, ctx, folder, safe, false);
    if (n_safe > 1)
        return gg_fail(ctx, GG_ENOENT, "%s: %d safetensors files, but neither model.safetensors nor model.safetensors.index.json: name one file", folder, n_safe);
    if (n_gguf == 1)
        return open_gguf(out, ctx, folder, gguf);
    if (n_gguf > 1)
        return gg_fail(ctx, GG_ENOENT, "%s: %d GGUF files in the folder (the first is %s): name one of them", folder, n_gguf, gguf);
    if (count_of(l, ".bin", &pickle) || count_of(l, ".pth", &pickle) || count_of(l, ".pt", &pickle))
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: the weights are only there as a PyTorch pickle (%s), which can run code when opened: convert them to safetensors, "
                                             "model.save_pretrained(folder, safe_serialization=True)", folder, pickle);
    return gg_fail(ctx, GG_ENOENT, "%s: no model in the folder; expected model.safetensors (with config.json), model.safetensors.index.json or one .gguf", folder);
}

gg_status gg__folder_open(gg_tensors **out, gg_context *ctx, const char *path)
{
    char *index;
    GG_TRY(join(&index, ctx, path, "model.safetensors.index.json"));
    const bool has_index = gg_file_exists(index);
    gg_drop(ctx, index);
    listing l = {.ctx = ctx};
    gg_status s = list(&l, path);
    if (s == GG_OK)
        s = choose(out, ctx, path, &l, has_index);
    listing_free(&l);
    return s;
}
