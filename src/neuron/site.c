/* Names of sites and neurons. Owns: the table of names and aliases, and the grammar
 *
 *     neuron = prefix layer "." site [ "[" index "]" ]      L12.up[345]  model.layers.12.mlp.up_proj[345]  blk.12.ffn_up
 *            | site [ "[" index "]" ]                        only for what a model has once: final[3], lm_head[17]
 *
 * Trap: an alias may hold dots ("mlp.up_proj"), so a name is split at the layer number, not at the last dot.
 */
#include <golgi/site.h>
#include "base/command.h"
#include "base/memory.h"
#include <stdio.h>

typedef struct site_name {
    const char *name, *aliases; /* comma-separated */
} site_name;

static const site_name site_names[GG_SITE_COUNT] = {
#define GG_X(code, name, aliases) {#name, aliases},
    GG_SITE_MAP(GG_X)
#undef GG_X
};

/* What stands before the layer number in the three traditions and in our own. */
static const char *const layer_prefixes[] = {
    "L", "blocks.", "blk.", "model.layers.", "layers.", "transformer.h.", "h.", "gpt_neox.layers.",
};

const char *gg_site_name(gg_site s)
{
    return (unsigned)s < GG_SITE_COUNT ? site_names[s].name : "?";
}

const char *gg_site_aliases(gg_site s)
{
    return (unsigned)s < GG_SITE_COUNT ? site_names[s].aliases : "";
}

/* Is text (n bytes) one of the comma-separated words? */
static bool is_among(const char *words, const char *text, size_t n)
{
    for (const char *w = words; *w;) {
        const size_t len = strcspn(w, ",");
        if (len == n && memcmp(w, text, n) == 0)
            return true;
        w += len + (w[len] == ',');
    }
    return false;
}

static bool site_find(gg_site *out, const char *text, size_t n)
{
    for (int s = 0; s < GG_SITE_COUNT; s++)
        if (n > 0 && (is_among(site_names[s].name, text, n) || is_among(site_names[s].aliases, text, n))) {
            *out = (gg_site)s;
            return true;
        }
    return false;
}

static gg_status site_unknown(gg_context *ctx, const char *text, size_t n)
{
    enum { SHOWN = 60 };
    char word[SHOWN + 1], list[256] = "";
    snprintf(word, sizeof word, "%.*s", (int)(n < SHOWN ? n : SHOWN), text);
    const char *names[GG_SITE_COUNT];
    size_t len = 0;
    for (int s = 0; s < GG_SITE_COUNT; s++) {
        names[s] = site_names[s].name;
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", s ? ", " : "", names[s]);
    }
    const char *near = gg_nearest(word, names, GG_SITE_COUNT);
    return gg_fail(ctx, GG_ENOENT, "no site is called \"%s\"%s%s%s; there are %s", word, near ? ", did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "", list);
}

gg_status gg_site_parse(gg_site *out, gg_context *ctx, const char *text)
{
    const size_t n = strlen(text);
    return site_find(out, text, n) ? GG_OK : site_unknown(ctx, text, n);
}

/* The next word of a comma-separated list without the blanks around it; NULL after the last. */
static const char *next_word(const char **at, size_t *n)
{
    if (!*at)
        return NULL;
    const char *w = *at;
    size_t len = strcspn(w, ",");
    *at = w[len] ? w + len + 1 : NULL;
    while (len && (*w == ' ' || *w == '\t')) {
        w++;
        len--;
    }
    while (len && (w[len - 1] == ' ' || w[len - 1] == '\t'))
        len--;
    *n = len;
    return w;
}

gg_status gg_site_list_parse(uint32_t *mask, gg_context *ctx, const char *text)
{
    uint32_t m = 0;
    size_t n;
    for (const char *at = text, *w; (w = next_word(&at, &n));) {
        gg_site s;
        if (!site_find(&s, w, n))
            return site_unknown(ctx, w, n);
        m |= 1u << s;
    }
    *mask = m;
    return GG_OK;
}

/* Decimal digits at *at, moved past them. False: none there, or more than limit. */
static bool number(int64_t *out, const char **at, const char *end, int64_t limit)
{
    const char *p = *at;
    int64_t v = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        v = v * 10 + (*p - '0');
        if (v > limit)
            return false;
    }
    if (p == *at)
        return false;
    *at = p;
    *out = v;
    return true;
}

gg_status gg_neuron_parse(gg_neuron *out, gg_context *ctx, const char *text)
{
    const char *end = text + strlen(text), *bracket = strchr(text, '['), *p = text;
    gg_neuron r = {.layer = -1, .index = -1};
    if (bracket) {
        const char *q = bracket + 1;
        if (!number(&r.index, &q, end, INT32_MAX) || q + 1 != end || *q != ']')
            return gg_fail(ctx, GG_EINVAL, "\"%.80s\" is not a neuron: expected a number below 2147483648 in the brackets, as in L12.up[345]", text);
        end = bracket;
    }
    for (size_t i = 0; i < sizeof layer_prefixes / sizeof *layer_prefixes && r.layer < 0; i++) {
        const size_t n = strlen(layer_prefixes[i]);
        const char *q = p + n;
        int64_t layer;
        if (strncmp(p, layer_prefixes[i], n) == 0 && number(&layer, &q, end, INT32_MAX) && q < end && *q == '.') {
            r.layer = (int32_t)layer;
            p = q + 1;
        }
    }
    if (!site_find(&r.site, p, (size_t)(end - p))) {
        if (r.layer >= 0 || (strcspn(p, ".") == strlen(p) && p < end))
            return site_unknown(ctx, p, (size_t)(end - p));
        return gg_fail(ctx, GG_EINVAL, "\"%.80s\" is not a neuron or a site: expected a name like L12.up[345] or L12.up", text);
    }
    if (r.layer < 0 && r.site != GG_SITE_FINAL && r.site != GG_SITE_LOGITS)
        return gg_fail(ctx, GG_EINVAL, "\"%.80s\" names no layer: expected a name like L12.%s[345]", text, gg_site_name(r.site));
    *out = r;
    return GG_OK;
}

void gg_neuron_name(char *out, size_t n, gg_neuron x)
{
    char layer[16] = "", index[32] = "";
    if (x.layer >= 0)
        snprintf(layer, sizeof layer, "L%d.", x.layer);
    if (x.index >= 0)
        snprintf(index, sizeof index, "[%lld]", (long long)x.index);
    snprintf(out, n, "%s%s%s", layer, gg_site_name(x.site), index);
}

static bool is_word(const char *w, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(w, word, n) == 0;
}

gg_status gg_layer_list_parse(bool *on, gg_context *ctx, const char *text, int n_layers)
{
    size_t n;
    for (int pass = 0; pass < 2; pass++) { /* first look, then touch `on` */
        if (pass)
            memset(on, 0, sizeof *on * (size_t)n_layers);
        for (const char *at = text, *w; (w = next_word(&at, &n));) {
            int64_t first, last;
            const char *p = w;
            if (is_word(w, n, "all")) {
                first = 0;
                last = n_layers - 1;
            } else if (is_word(w, n, "first")) {
                first = last = 0;
            } else if (is_word(w, n, "last")) {
                first = last = n_layers - 1;
            } else {
                bool good = number(&first, &p, w + n, INT32_MAX);
                last = first;
                if (good && p < w + n && *p == '-') {
                    p++;
                    good = number(&last, &p, w + n, INT32_MAX);
                }
                if (!good || p != w + n || last < first)
                    return gg_fail(ctx, GG_EINVAL, "\"%.*s\" is not a list of layers: expected something like 0-3,7,first,last,all",
                                   (int)(n < 60 ? n : 60), w);
            }
            if (last >= n_layers)
                return gg_fail(ctx, GG_EINVAL, "there is no layer %lld: the layers are 0 to %d", (long long)last, n_layers - 1);
            for (int64_t l = first; pass && l <= last; l++)
                on[l] = true;
        }
    }
    return GG_OK;
}
