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
#include "base/input.h"

static bool ends_in(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* How many names end so; *first is the first of them. */
static int64_t count_of(const gg_folder *l, const char *end, const char **first)
{
    int64_t n = 0;
    for (int64_t i = 0; i < l->n; i++)
        if (ends_in(l->paths[i], end) && n++ == 0)
            *first = l->paths[i];
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

static int64_t count_gguf(const gg_folder *l, const char **first)
{
    int64_t n = 0;
    for (int64_t i = 0; i < l->n; i++)
        if (ends_in(l->paths[i], ".gguf") && !is_later_part(l->paths[i]) && n++ == 0)
            *first = l->paths[i];
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

static bool has(const gg_folder *l, const char *name)
{
    for (int64_t i = 0; i < l->n; i++)
        if (strcmp(l->paths[i], name) == 0)
            return true;
    return false;
}

static gg_status choose(gg_tensors **out, gg_context *ctx, const char *folder, const gg_folder *l)
{
    const char *safe = NULL, *gguf = NULL, *pickle = NULL;
    if (has(l, "model.safetensors.index.json"))
        return open_checkpoint(out, ctx, folder, "model.safetensors.index.json", true);
    if (has(l, "model.safetensors"))
        return open_checkpoint(out, ctx, folder, "model.safetensors", false);
    const int64_t n_safe = count_of(l, ".safetensors", &safe), n_gguf = count_gguf(l, &gguf);
    if (n_safe == 1)
        return open_checkpoint(out, ctx, folder, safe, false);
    if (n_safe > 1)
        return gg_fail(ctx, GG_ENOENT, "%s: %lld safetensors files, but neither model.safetensors nor model.safetensors.index.json: name one file", folder,
                       (long long)n_safe);
    if (n_gguf == 1)
        return open_gguf(out, ctx, folder, gguf);
    if (n_gguf > 1)
        return gg_fail(ctx, GG_ENOENT, "%s: %lld GGUF files in the folder (the first is %s): name one of them", folder, (long long)n_gguf, gguf);
    if (count_of(l, ".bin", &pickle) || count_of(l, ".pth", &pickle) || count_of(l, ".pt", &pickle))
        return gg_fail(ctx, GG_EUNSUPPORTED,
                       "%s: the weights are only there as a PyTorch pickle (%s), which can run code when opened: convert them to safetensors, "
                       "model.save_pretrained(folder, safe_serialization=True)",
                       folder, pickle);
    return gg_fail(ctx, GG_ENOENT, "%s: no model in the folder; expected model.safetensors (with config.json), model.safetensors.index.json or one .gguf",
                   folder);
}

gg_status gg__folder_open(gg_tensors **out, gg_context *ctx, const char *path)
{
    gg_folder l;
    GG_TRY(gg_folder_names(&l, ctx, path));
    const gg_status s = choose(out, ctx, path, &l);
    gg_folder_free(&l, ctx);
    return s;
}
