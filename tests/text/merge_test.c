/* Merging, Viterbi and longest match against naive twins: the definitions, a line each, over random vocabularies and texts. The library works in
 * blocks and with a heap; here blocks are made tiny, so that nearly every text crosses their ends.
 */
#include "support.h"
#include "text/text.h"

enum { LETTERS = 5, MAX_TOKENS = 200, MAX_TEXT = 3000 };

typedef struct toy {
    char text[MAX_TOKENS][64];
    int n;
    int left[MAX_TOKENS], right[MAX_TOKENS], merged[MAX_TOKENS], n_merges; /* by rank */
    float score[MAX_TOKENS];
} toy;

static int find(const toy *v, const char *s, size_t n)
{
    for (int i = v->n - 1; i >= 0; i--)
        if (strlen(v->text[i]) == n && !memcmp(v->text[i], s, n))
            return i;
    return -1;
}

static const char *const letter[2][LETTERS] = {{"a", "b", "c", "d", "e"}, {"a", "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80", "b"}};

/* Letters, then what random pairs of tokens give. No token is longer than 40 bytes. */
static toy random_toy(int set, int n_letters)
{
    toy v = {0};
    for (; v.n < n_letters; v.n++)
        strcpy(v.text[v.n], letter[set][v.n]);
    const int want = (int)rnd(80) + 1;
    for (int tries = 0; v.n_merges < want && tries < 1000; tries++) {
        const int a = (int)rnd((uint32_t)v.n), b = (int)rnd((uint32_t)v.n);
        char both[128];
        snprintf(both, sizeof both, "%s%s", v.text[a], v.text[b]);
        bool known = strlen(both) > 40;
        for (int i = 0; i < v.n_merges; i++)
            known = known || (v.left[i] == a && v.right[i] == b);
        if (known)
            continue;
        int id = find(&v, both, strlen(both)); /* one token may be made in several ways */
        if (id < 0 && v.n < MAX_TOKENS) {
            id = v.n++;
            strcpy(v.text[id], both);
        }
        if (id < 0)
            continue;
        v.left[v.n_merges] = a;
        v.right[v.n_merges] = b;
        v.merged[v.n_merges++] = id;
    }
    for (int i = v.n_merges - 1; i > 0; i--) { /* a long token may come early */
        const int j = (int)rnd((uint32_t)i + 1), l = v.left[i], r = v.right[i], m = v.merged[i];
        v.left[i] = v.left[j], v.right[i] = v.right[j], v.merged[i] = v.merged[j];
        v.left[j] = l, v.right[j] = r, v.merged[j] = m;
    }
    for (int i = 0; i < v.n; i++)
        v.score[i] = -(float)rnd(6) - 0.25f * (float)rnd(2); /* many ties */
    return v;
}

static size_t random_text(char *out, int set, int n_letters, int n)
{
    size_t len = 0;
    const bool runs = rnd(3) == 0;
    for (int i = 0, c = 0; i < n; i++) {
        if (!runs || rnd(8) == 0)
            c = (int)rnd((uint32_t)n_letters);
        memcpy(out + len, letter[set][c], strlen(letter[set][c]));
        len += strlen(letter[set][c]);
    }
    out[len] = 0;
    return len;
}

/* --- the twins ------------------------------------------------------------------------------------------------------- */

/* Merge the pair that comes first in the list, at its leftmost place, until none is left. */
static int naive_bpe(int32_t *id, const toy *v, const char *s, size_t n)
{
    int m = 0;
    for (size_t i = 0; i < n;) {
        const size_t k = (size_t)gg__utf8_len((unsigned char)s[i]);
        id[m++] = find(v, s + i, k);
        i += k;
    }
    for (;;) {
        int best = v->n_merges, at = -1;
        for (int i = 0; i + 1 < m; i++)
            for (int r = 0; r < best; r++)
                if (v->left[r] == id[i] && v->right[r] == id[i + 1]) {
                    best = r;
                    at = i;
                }
        if (at < 0)
            return m;
        id[at] = v->merged[best];
        memmove(id + at + 1, id + at + 2, sizeof *id * (size_t)(m - at - 2));
        m--;
    }
}

/* Join the two neighbours whose text is the token of the highest score, at the leftmost place, until no two join. */
static int naive_spm(int32_t *id, const toy *v, const char *s, size_t n)
{
    static size_t end[MAX_TEXT * 4];
    int m = 0;
    for (size_t i = 0; i < n; i += (size_t)gg__utf8_len((unsigned char)s[i]))
        end[m++] = i + (size_t)gg__utf8_len((unsigned char)s[i]);
    for (;;) {
        int at = -1, token = -1;
        for (int i = 0; i + 1 < m; i++) {
            const size_t from = i ? end[i - 1] : 0;
            const int t = end[i + 1] - from < 64 ? find(v, s + from, end[i + 1] - from) : -1;
            if (t >= 0 && (at < 0 || v->score[t] > v->score[token])) {
                at = i;
                token = t;
            }
        }
        if (at < 0)
            break;
        memmove(end + at, end + at + 1, sizeof *end * (size_t)(m - at - 1));
        m--;
    }
    for (int i = 0; i < m; i++)
        id[i] = find(v, s + (i ? end[i - 1] : 0), end[i] - (i ? end[i - 1] : 0));
    return m;
}

/* The cut with the largest sum of scores, sums in float32 from the left; of two the one whose last token begins earlier. */
static int naive_unigram(int32_t *id, const toy *v, const char *s, size_t n)
{
    static float best[MAX_TEXT * 4 + 1];
    static int via[MAX_TEXT * 4 + 1];
    best[0] = 0;
    for (size_t end = 1; end <= n; end++) {
        via[end] = -1;
        for (size_t from = end > 64 ? end - 64 : 0; from < end; from++) {
            const int t = from && via[from] < 0 ? -1 : find(v, s + from, end - from);
            if (t >= 0 && (via[end] < 0 || best[from] + v->score[t] > best[end])) {
                via[end] = t;
                best[end] = best[from] + v->score[t];
            }
        }
    }
    int m = 0;
    for (size_t at = n; at; at -= strlen(v->text[via[at]]))
        id[m++] = via[at];
    for (int i = 0; i < m / 2; i++) {
        const int32_t x = id[i];
        id[i] = id[m - 1 - i];
        id[m - 1 - i] = x;
    }
    return m;
}

/* --- comparing ------------------------------------------------------------------------------------------------------- */

typedef int naive(int32_t *id, const toy *v, const char *s, size_t n);

static void compare(gg_context *ctx, gg_tokenizer *t, const toy *v, naive *twin, int set, int n_letters)
{
    static char text[MAX_TEXT * 4 + 1];
    static int32_t want[MAX_TEXT * 4];
    static const int64_t blocks[] = {4, 7, 50, 64, 333, 1 << 15};
    gg_token_list got = {.ctx = ctx};
    for (int k = 0; k < 12; k++) {
        const size_t n = random_text(text, set, n_letters, 1 + (int)rnd(k < 8 ? 60 : k < 11 ? 400 : MAX_TEXT / 4));
        const int n_want = twin(want, v, text, n);
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            t->block = blocks[b];
            assert_ok_in(ctx, gg_tokenizer_encode(t, &got, text, n, 0, 0));
            assert_ids("all", text, n, &got, want, n_want);
            const int64_t max = 1 + rnd((uint32_t)n_want + 3);
            assert_ok_in(ctx, gg_tokenizer_encode(t, &got, text, n, max, 0));
            assert_ids("some", text, n, &got, want, max < n_want ? max : n_want);
        }
    }
    gg_token_list_free(&got);
}

static void toy_gguf(gguf *g, const toy *v, const char *kind)
{
    const char *text[MAX_TOKENS];
    for (int i = 0; i < v->n; i++)
        text[i] = v->text[i];
    gguf_text(g, "tokenizer.ggml.model", kind);
    gguf_text(g, "tokenizer.ggml.pre", "gpt-2");
    gguf_texts(g, "tokenizer.ggml.tokens", text, NULL, v->n);
    gguf_words(g, "tokenizer.ggml.scores", GGUF_F32, v->score, v->n);
    gguf_bool(g, "tokenizer.ggml.add_space_prefix", false);
}

static void byte_level_merges_are_the_definition(void **state)
{
    for (int k = 0; k < 60; k++) {
        const int n_letters = 1 + (int)rnd(LETTERS);
        const toy v = random_toy(0, n_letters);
        char merge[MAX_TOKENS][128];
        const char *merges[MAX_TOKENS];
        for (int i = 0; i < v.n_merges; i++) {
            snprintf(merge[i], sizeof merge[i], "%s %s", v.text[v.left[i]], v.text[v.right[i]]);
            merges[i] = merge[i];
        }
        gguf g = {0};
        toy_gguf(&g, &v, "gpt2");
        gguf_texts(&g, "tokenizer.ggml.merges", merges, NULL, v.n_merges);
        gg_tokenizer *t = open_gguf(*state, gguf_write(&g));
        compare(*state, t, &v, naive_bpe, 0, n_letters);
        gg_tokenizer_free(t);
    }
}

/* tokenizer.json without a pre-tokenizer: merging of characters, as llama's and Gemma's files have it. */
static void character_merges_are_the_definition(void **state)
{
    for (int k = 0; k < 60; k++) {
        const int n_letters = 1 + (int)rnd(LETTERS);
        const toy v = random_toy(1, n_letters);
        json_t *vocab = json_object(), *merges = json_array();
        for (int i = 0; i < v.n; i++)
            json_object_set_new(vocab, v.text[i], json_integer(i));
        for (int i = 0; i < v.n_merges; i++)
            json_array_append_new(merges, json_pack("[s, s]", v.text[v.left[i]], v.text[v.right[i]]));
        json_t *root = json_pack("{s:{s:s, s:o, s:o}}", "model", "type", "BPE", "vocab", vocab, "merges", merges);
        char *s = json_dumps(root, JSON_COMPACT);
        gg_tokenizer *t = open_json(*state, write_bytes("tokenizer.json", s, strlen(s)));
        compare(*state, t, &v, naive_bpe, 1, n_letters);
        gg_tokenizer_free(t);
        free(s);
        json_decref(root);
    }
}

static void joins_by_score_are_the_definition(void **state)
{
    for (int k = 0; k < 60; k++) {
        const int n_letters = 1 + (int)rnd(LETTERS);
        const toy v = random_toy(1, n_letters);
        gguf g = {0};
        toy_gguf(&g, &v, "llama");
        gg_tokenizer *t = open_gguf(*state, gguf_write(&g));
        compare(*state, t, &v, naive_spm, 1, n_letters);
        gg_tokenizer_free(t);
    }
}

static void unigram_cuts_are_the_best(void **state)
{
    for (int k = 0; k < 60; k++) {
        const int n_letters = 1 + (int)rnd(LETTERS);
        toy v = random_toy(1, n_letters);
        if (k % 2)
            for (int i = 0; i < v.n; i++)
                v.score[i] = -(float)rnd(1000000) / 70000;
        gguf g = {0};
        toy_gguf(&g, &v, "t5");
        gg_tokenizer *t = open_gguf(*state, gguf_write(&g));
        compare(*state, t, &v, naive_unigram, 1, n_letters);
        gg_tokenizer_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_level_merges_are_the_definition),
        cmocka_unit_test(character_merges_are_the_definition),
        cmocka_unit_test(joins_by_score_are_the_definition),
        cmocka_unit_test(unigram_cuts_are_the_best),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
