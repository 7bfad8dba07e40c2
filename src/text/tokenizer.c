/* Tokenizers: the public doors and the driver of an encode call. What the stages are is told in text.h.
 *
 * A bounded encode starts with a window of a few bytes for each id wanted and doubles it until the ids are there, so that it reads
 * little of a long document. The stages promise that ids from a window are those from the whole text. */
#include "text/text.h"
#include "base/file.h"
#include "base/utf8.h"
#include <stdlib.h>

/* ---- opening ---- */

static void *pcre_alloc(PCRE2_SIZE n, void *ctx) { return gg_alloc(ctx, n); }
static void pcre_drop(void *p, void *ctx) { gg_drop(ctx, p); }

gg_status gg__tokenizer_begin(gg_tokenizer **out, gg_context *ctx)
{
    gg_tokenizer *t = gg_new(ctx, gg_tokenizer, 1);
    if (!t)
        return GG_ENOMEM;
    t->ctx = ctx;
    t->bos = t->eos = t->unk = -1;
    t->max_word = 100;
    t->block = 1 << 15;
    t->per_id = 8;
    t->ahead = 512;
    memset(t->byte_id, 0xFF, sizeof t->byte_id);
    t->pcre_memory = pcre2_general_context_create(pcre_alloc, pcre_drop, ctx);
    t->pcre_limits = t->pcre_memory ? pcre2_match_context_create(t->pcre_memory) : NULL;
    if (!t->pcre_limits) {
        gg_tokenizer_free(t);
        return GG_ENOMEM;
    }
    pcre2_set_match_limit(t->pcre_limits, UINT32_MAX); /* a long run of spaces is no attack */
    pcre2_set_depth_limit(t->pcre_limits, UINT32_MAX);
    *out = t;
    return GG_OK;
}

static int longer(const void *a, const void *b) { return *(const int32_t *)b - *(const int32_t *)a; }

static gg_status build_matcher(gg__matcher *m, gg_tokenizer *t, bool normal, const char **text, size_t *len)
{
    int64_t n = 0;
    for (int64_t i = 0; i < t->n_added; i++) {
        const bool here = t->added[i].n > 0 && (t->added[i].normalized && t->n_norm) == normal;
        text[i] = here ? t->added[i].text : NULL;
        len[i] = t->added[i].n;
        n += here;
        t->strips_left |= t->added[i].lstrip;
        const uint8_t a = (uint8_t)t->added[i].text[0], b = len[i] > 1 ? (uint8_t)t->added[i].text[1] : 0;
        if (here && len[i] > 1)
            m->begins[a * 32 + b / 8] |= (uint8_t)(1 << b % 8);
        else if (here)
            memset(m->begins + a * 32, 0xFF, 32);
    }
    if (!n)
        return GG_OK;
    m->length = gg_new(t->ctx, int32_t, n);
    if (!m->length)
        return GG_ENOMEM;
    GG_TRY(gg__vocab_build(&m->texts, t->ctx, text, len, t->n_added));
    int32_t k = 0;
    for (int b = 0; b < 256; b++) {
        const int32_t from = m->at[b] = k;
        for (int64_t i = 0; i < t->n_added; i++)
            if (text[i] && (uint8_t)text[i][0] == b)
                m->length[k++] = (int32_t)len[i];
        qsort(m->length + from, (size_t)(k - from), sizeof *m->length, longer);
        int32_t unique = from;
        for (int32_t i = from; i < k; i++)
            if (i == from || m->length[i] != m->length[i - 1])
                m->length[unique++] = m->length[i];
        k = unique;
    }
    m->at[256] = k;
    return GG_OK;
}

static gg_status finish(gg_tokenizer *t)
{
    if (t->unk < 0 && !t->byte_fallback && !t->n_word_prefix && !t->n_word_suffix) {
        t->drops_unknown = t->model == GG__BPE_CHARS;
        for (int b = 0; b < 256; b++)
            t->drops_unknown |= t->model == GG__BPE_BYTES && t->byte_id[b] < 0;
    }
    if (!t->n_added)
        return GG_OK;
    const char **text = gg_new(t->ctx, const char *, t->n_added);
    size_t *len = gg_new(t->ctx, size_t, t->n_added);
    gg_status s = text && len ? build_matcher(&t->raw, t, false, text, len) : GG_ENOMEM;
    if (s == GG_OK)
        s = build_matcher(&t->normal, t, true, text, len);
    gg_drop(t->ctx, text);
    gg_drop(t->ctx, len);
    return s;
}

gg_status gg__added_add(gg_tokenizer *t, const gg__added *a)
{
    if ((t->n_added & (t->n_added - 1)) == 0) { /* grow at 0, 1, 2, 4, ... */
        gg__added *p = gg_renew(t->ctx, t->added, gg__added, t->n_added ? t->n_added * 2 : 1);
        if (!p)
            return GG_ENOMEM;
        t->added = p;
    }
    gg__added *x = t->added + t->n_added;
    *x = *a;
    x->text = gg_strndup(t->ctx, a->text, a->n);
    if (!x->text)
        return GG_ENOMEM;
    t->n_added++;
    return GG_OK;
}

gg_status gg_tokenizer_open_json(gg_tokenizer **out, gg_context *ctx, const char *path)
{
    gg_tokenizer *t = NULL;
    GG_TRY(gg__tokenizer_begin(&t, ctx));
    gg_status s = gg__tokenizer_from_json(t, path);
    if (s == GG_OK)
        s = finish(t);
    if (s != GG_OK) {
        gg_tokenizer_free(t);
        return s;
    }
    *out = t;
    return GG_OK;
}

gg_status gg_tokenizer_open(gg_tokenizer **out, gg_context *ctx, const gg_tensors *model)
{
    if (gg_tensors_kind_of(model) != GG_TENSORS_GGUF) {
        gg_str path = {.ctx = ctx};
        const char *p = gg_tensors_path(model), *slash = strrchr(p, '/');
        if (gg_tensors_kind_of(model) == GG_TENSORS_FOLDER)
            gg_str_printf(&path, "%s%stokenizer.json", p, slash && !slash[1] ? "" : "/");
        else /* a .safetensors file: beside it */
            gg_str_printf(&path, "%.*stokenizer.json", slash ? (int)(slash - p) + 1 : 0, p);
        const gg_status s = path.failed ? GG_ENOMEM : gg_tokenizer_open_json(out, ctx, path.data);
        gg_str_free(&path);
        return s;
    }
    gg_tokenizer *t = NULL;
    GG_TRY(gg__tokenizer_begin(&t, ctx));
    gg_status s = gg__tokenizer_from_gguf(t, model);
    if (s == GG_OK)
        s = finish(t);
    if (s != GG_OK) {
        gg_tokenizer_free(t);
        return gg_fail_prefix(ctx, s, "%s", gg_tensors_path(model));
    }
    *out = t;
    return GG_OK;
}

gg_status gg_tokenizer_open_path(gg_tokenizer **out, gg_context *ctx, const char *path)
{
    static const char name[] = "tokenizer.json", index[] = ".index.json"; /* the latter is of sharded weights */
    const size_t n = strlen(path), k = sizeof index - 1;
    if (n > 5 && !strcmp(path + n - 5, ".json") && !(n >= k && !strcmp(path + n - k, index)))
        return gg_tokenizer_open_json(out, ctx, path);
    gg_str inside = {.ctx = ctx};
    gg_str_printf(&inside, "%s%s%s", path, n && path[n - 1] == '/' ? "" : "/", name);
    gg_tensors *m = NULL;
    gg_status s = inside.failed ? GG_ENOMEM : GG_OK;
    if (s == GG_OK && gg_file_exists(inside.data)) /* the folder need not hold weights */
        s = gg_tokenizer_open_json(out, ctx, inside.data);
    else if (s == GG_OK && (s = gg_tensors_open(&m, ctx, path)) == GG_OK)
        s = gg_tokenizer_open(out, ctx, m);
    gg_tensors_free(m);
    gg_str_free(&inside);
    return s;
}

void gg_tokenizer_free(gg_tokenizer *t)
{
    if (!t)
        return;
    gg_context *ctx = t->ctx;
    gg__vocab_free(&t->vocab, ctx);
    gg__vocab_free(&t->raw.texts, ctx);
    gg__vocab_free(&t->normal.texts, ctx);
    gg__unigram_free(t);
    for (int i = 0; i < t->n_norm; i++) {
        pcre2_code_free(t->norm[i].code);
        gg_drop(ctx, t->norm[i].from);
        gg_drop(ctx, t->norm[i].to);
        gg_drop(ctx, t->norm[i].trie);
    }
    for (int i = 0; i < t->n_pre; i++) {
        pcre2_code_free(t->pre[i].code);
        gg_drop(ctx, t->pre[i].text);
    }
    for (int i = 0; i < t->n_dec; i++) {
        pcre2_code_free(t->dec[i].code);
        gg_drop(ctx, t->dec[i].from);
        gg_drop(ctx, t->dec[i].to);
    }
    for (int64_t i = 0; i < t->n_added; i++)
        gg_drop(ctx, t->added[i].text);
    void *const rest[] = {t->type, t->pair, t->first_rank, t->onwards, t->merge, t->word_prefix, t->word_suffix, t->key, t->score, t->bigram, t->start_mark,
                          t->inner_mark, t->norm, t->pre, t->dec, t->added, t->before, t->after, t->raw.length, t->normal.length};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        gg_drop(ctx, rest[i]);
    pcre2_match_context_free(t->pcre_limits);
    pcre2_general_context_free(t->pcre_memory);
    gg_drop(ctx, t);
}

const char *gg_tokenizer_kind(const gg_tokenizer *t) { return t->kind; }
int64_t gg_tokenizer_size(const gg_tokenizer *t) { return t->vocab.n; }
int64_t gg_tokenizer_bos(const gg_tokenizer *t) { return t->bos; }
int64_t gg_tokenizer_eos(const gg_tokenizer *t) { return t->eos; }

const char *gg_tokenizer_piece(const gg_tokenizer *t, int64_t id, size_t *n)
{
    size_t k;
    if (id < 0 || id >= t->vocab.n)
        return NULL;
    return gg__vocab_text(&t->vocab, id, n ? n : &k);
}

void gg_token_list_free(gg_token_list *l)
{
    if (l->ctx)
        gg_drop(l->ctx, l->id);
    *l = (gg_token_list){.ctx = l->ctx};
}

/* ---- encoding ---- */

gg_status gg__buffer_add(gg__encoder *e, gg__buffer *b, const char *s, size_t n)
{
    if (n > b->cap - b->n) {
        size_t need, cap;
        if (__builtin_add_overflow(b->n, n, &need) || __builtin_mul_overflow(need, 2, &cap))
            return gg_fail(e->ctx, GG_ENOMEM, "a text too long for the memory");
        cap = cap < 256 ? 256 : cap;
        char *p = gg_realloc(e->ctx, b->data, cap);
        if (!p)
            return GG_ENOMEM;
        b->data = p;
        b->cap = cap;
    }
    if (n)
        memcpy(b->data + b->n, s, n);
    b->n += n;
    return GG_OK;
}

gg_status gg__token_list_add(gg_token_list *l, gg_context *ctx, int32_t id)
{
    GG_TRY(gg_grow(ctx, &l->id, l->n, &l->cap, 128));
    l->id[l->n++] = id;
    return GG_OK;
}

gg_status gg__emit(gg__encoder *e, int32_t id)
{
    gg_token_list *l = e->ids;
    GG_TRY(gg__token_list_add(l, e->ctx, id));
    return e->max > 0 && l->n >= e->max ? GG_END : GG_OK;
}

static bool word_at(const char *s, size_t n, size_t at) /* the character that begins at `at` */
{
    int k;
    return at < n && gg__is_word(gg__utf8_get(s + at, &k));
}

static size_t back(const char *s, size_t at) /* where the character before `at` (> 0) begins */
{
    do
        at--;
    while (at && ((unsigned char)s[at] & 0xC0) == 0x80);
    return at;
}

static bool space_at(const char *s, size_t at, int *k) { return gg__is_space(gg__utf8_get(s + at, k)); }

/* Text with no added token in it, normalized. */
static gg_status segment(gg__encoder *e, const char *text, size_t n, bool first, bool open)
{
    e->text_start = first;
    if (e->t->prefix_per_segment && n) {
        gg__buffer *b = &e->prefixed;
        b->n = 0;
        GG_TRY(gg__buffer_add(e, b, GG__METASPACE, 3));
        GG_TRY(gg__buffer_add(e, b, text, n));
        text = b->data;
        n = b->n;
    }
    return gg__pre_run(e, 0, text, n, true, open);
}

/* Cuts the added tokens of m out, the leftmost first and the longest of those. What lies between goes on to the next stage. */
static gg_status cut_added(gg__encoder *e, const gg__matcher *m, const char *text, size_t n, bool first, bool open, bool normal);

static gg_status normalized_segment(gg__encoder *e, const char *text, size_t n, bool first, bool open)
{
    if (!e->t->n_norm)
        return segment(e, text, n, first, open);
    GG_TRY(gg__normalize(e, &text, &n, text, n, open));
    return cut_added(e, &e->t->normal, text, n, first, open, true);
}

static gg_status between(gg__encoder *e, const char *text, size_t n, bool first, bool open, bool normal)
{
    return normal ? segment(e, text, n, first, open) : normalized_segment(e, text, n, first, open);
}

static gg_status cut_added(gg__encoder *e, const gg__matcher *m, const char *text, size_t n, bool first, bool open, bool normal)
{
    const gg_tokenizer *t = e->t;
    const bool specials = e->flags & GG_TOKENIZE_PARSE_SPECIAL;
    size_t end = n, gap = 0;
    if (m->texts.n && open) { /* a token may begin in the last bytes, and looks one character further */
        const size_t margin = (size_t)m->texts.longest + 8;
        end = n > margin ? n - margin : 0;
        while (end && ((unsigned char)text[end] & 0xC0) == 0x80)
            end--;
    }
    int k;
    for (size_t i = 0; m->texts.n && i < end; i++) {
        const uint8_t b = (uint8_t)text[i], next = i + 1 < n ? (uint8_t)text[i + 1] : 0;
        if (!(m->begins[b * 32 + next / 8] >> next % 8 & 1))
            continue;
        for (int32_t l = m->at[b]; l < m->at[b + 1]; l++) {
            const size_t len = (size_t)m->length[l];
            const int32_t at = len <= n - i ? gg__vocab_find(&m->texts, text + i, len) : -1;
            const gg__added *a = t->added + at;
            if (at < 0 || (a->special && !specials) || (a->single_word && ((i > 0 && word_at(text, n, back(text, i))) || word_at(text, n, i + len))))
                continue;
            size_t from = i, to = i + len;
            while (a->lstrip && from > gap && space_at(text, back(text, from), &k))
                from = back(text, from);
            while (a->rstrip && to < n && space_at(text, to, &k))
                to += (size_t)k;
            if (from > gap)
                GG_TRY(between(e, text + gap, from - gap, first && gap == 0, false, normal));
            GG_TRY(gg__emit(e, a->id));
            gap = to;
            i = to - 1;
            break;
        }
    }
    if (open && t->strips_left)
        while (end > gap && space_at(text, back(text, end), &k))
            end = back(text, end);
    if (end < gap)
        end = gap;
    if (end == gap)
        return open ? gg__want_more(e) : GG_OK;
    GG_TRY(between(e, text + gap, end - gap, first && gap == 0, open, normal));
    return open ? gg__want_more(e) : GG_OK;
}

static gg_status window(gg__encoder *e, const char *text, size_t n, bool open)
{
    if (open) /* before a byte that begins something, so not through a character, and not among stray bytes that follow one */
        while (n && ((unsigned char)text[--n] & 0xC0) == 0x80)
            ;
    if (!gg_utf8_is_valid(text, n)) {
        if (n > SIZE_MAX / 3 || e->repaired.cap < 3 * n) {
            const size_t cap = gg_mul((int64_t)n, 3);
            char *p = gg_realloc(e->ctx, e->repaired.data, cap);
            if (!p)
                return GG_ENOMEM;
            e->repaired = (gg__buffer){.data = p, .cap = cap};
        }
        gg_utf8_repair(e->repaired.data, &e->repaired.n, text, n);
        text = e->repaired.data;
        n = e->repaired.n;
    }
    if (!n)
        return open ? gg__want_more(e) : GG_OK;
    return cut_added(e, &e->t->raw, text, n, true, open, false);
}

static gg_status encode(gg__encoder *e, const char *text, size_t n)
{
    const gg_tokenizer *t = e->t;
    const bool special = e->flags & GG_TOKENIZE_SPECIAL;
    const bool bounded = e->max > 0 && (size_t)e->max < n / (size_t)t->per_id && gg__norm_streams(t);
    gg_status s = GG_OK;
    for (size_t w = bounded ? (size_t)(e->max * t->per_id + t->ahead) : n;; w *= 2) {
        const bool open = w < n;
        e->ids->n = 0;
        e->more = false;
        for (int64_t i = 0; special && i < t->n_before && s == GG_OK; i++)
            s = gg__emit(e, t->before[i]);
        if (s == GG_OK)
            s = window(e, text, open ? w : n, open);
        for (int64_t i = 0; special && i < t->n_after && s == GG_OK && !open; i++)
            s = gg__emit(e, t->after[i]);
        if (!e->more || !open || (s != GG_OK && s != GG_END))
            break;
        s = GG_OK;
    }
    return s == GG_END ? GG_OK : s;
}

void gg__encoder_free(gg__encoder *e)
{
    pcre2_match_data_free(e->match);
    pcre2_match_context_free(e->limits);
    pcre2_jit_stack_free(e->stack);
    void *const rest[] = {e->next, e->prev, e->sym, e->heap, e->best, e->from, e->via, e->norm[0].data, e->norm[1].data, e->repaired.data, e->prefixed.data,
                          e->word.data, e->point};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        gg_drop(e->ctx, rest[i]);
    for (size_t i = 0; i < sizeof e->step / sizeof *e->step; i++)
        gg_drop(e->ctx, e->step[i].data);
}

gg_status gg_tokenizer_encode(const gg_tokenizer *t, gg_token_list *ids, const char *text, size_t n, int64_t max_tokens, int flags)
{
    if (!ids->ctx)
        ids->ctx = t->ctx;
    gg__encoder e = {.t = t, .ctx = ids->ctx, .ids = ids, .max = max_tokens, .flags = flags};
    e.match = pcre2_match_data_create(1, t->pcre_memory);
    gg_status s = e.match ? encode(&e, text, n) : GG_ENOMEM;
    gg__encoder_free(&e);
    if (s != GG_OK)
        ids->n = 0;
    return s;
}
