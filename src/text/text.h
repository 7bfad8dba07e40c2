/* Inside the tokenizer: what its files share. The way of a text, each stage lazy so that a bounded encode does bounded work:
 *
 *     repair of UTF-8 -> added tokens cut out -> normalizers -> added tokens again -> pre-tokenizer steps -> model -> ids
 *
 * Every stage takes `open`: the text goes on behind its end in a way not known yet. It then hands on only what no continuation can
 * change and asks for more text (encoder.more). The driver (tokenizer.c) starts with a short window and doubles it.
 * Stages return GG_OK, GG_END (enough ids, or more text wanted: unwind) or a failure.
 */
#ifndef GG_TEXT_TEXT_H
#define GG_TEXT_TEXT_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/memory.h"
#include "text/token_list.h"
#include <pcre2.h>

/* ---- vocabulary: texts by id, ids by text (vocab.c) ---- */
typedef struct gg__vocab {
    char *bytes;        /* all texts end to end */
    int64_t *at;        /* (n + 1,) where each begins */
    int64_t n;
    uint64_t *slot;     /* open addressing: high half of the hash << 32 | id + 1; 0 is empty */
    uint64_t mask;
    int64_t longest;    /* bytes of the longest text */
} gg__vocab;
/* Copies n texts; text[i] = NULL is a hole that no text finds. Of equal texts the last one is found. */
gg_status gg__vocab_build(gg__vocab *v, gg_context *ctx, const char *const *text, const size_t *len, int64_t n);
void gg__vocab_free(gg__vocab *v, gg_context *ctx);
int32_t gg__vocab_find(const gg__vocab *v, const char *text, size_t n); /* -1: absent */
static inline const char *gg__vocab_text(const gg__vocab *v, int64_t id, size_t *n)
{
    *n = (size_t)(v->at[id + 1] - v->at[id]);
    return v->bytes + v->at[id];
}

/* ---- UTF-8; the texts below are valid (repaired or checked before) ---- */
static inline int gg__utf8_len(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }
static inline int32_t gg__utf8_get(const char *s, int *len)
{
    const unsigned char *p = (const unsigned char *)s;
    *len = gg__utf8_len(p[0]);
    switch (*len) {
    case 1: return p[0];
    case 2: return (p[0] & 31) << 6 | (p[1] & 63);
    case 3: return (p[0] & 15) << 12 | (p[1] & 63) << 6 | (p[2] & 63);
    default: return (p[0] & 7) << 18 | (p[1] & 63) << 12 | (p[2] & 63) << 6 | (p[3] & 63);
    }
}
static inline int gg__utf8_put(char *s, int32_t c)
{
    if (c < 0x80)
        return s[0] = (char)c, 1;
    if (c < 0x800)
        return s[0] = (char)(0xC0 | c >> 6), s[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return s[0] = (char)(0xE0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 63)), s[2] = (char)(0x80 | (c & 63)), 3;
    return s[0] = (char)(0xF0 | c >> 18), s[1] = (char)(0x80 | (c >> 12 & 63)), s[2] = (char)(0x80 | (c >> 6 & 63)), s[3] = (char)(0x80 | (c & 63)), 4;
}
static inline bool gg__is_space(int32_t c) /* White_Space */
{
    return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}
#define GG__METASPACE "\xE2\x96\x81" /* U+2581, the visible space of SentencePiece */

bool gg__is_word(int32_t c); /* letters, marks, digits, connectors */

/* The characters that stand for bytes in byte-level vocabularies: printable Latin-1 for itself, the rest from U+0100 on (GPT-2's table). */
int32_t gg__byte_char(uint8_t byte);
int gg__char_byte(int32_t c); /* -1: stands for none */

/* ---- steps ---- */
typedef enum gg__behaviour { GG__ISOLATED, GG__REMOVED, GG__WITH_PREVIOUS, GG__WITH_NEXT, GG__CONTIGUOUS } gg__behaviour;
typedef enum gg__prepend { GG__NEVER, GG__FIRST, GG__ALWAYS } gg__prepend;
typedef enum gg__pre_kind { GG__PRE_REGEX, GG__PRE_LITERAL, GG__PRE_METASPACE, GG__PRE_BYTES, GG__PRE_PREFIX } gg__pre_kind;
typedef struct gg__pre {
    gg__pre_kind kind;
    gg__behaviour how;
    bool invert;
    pcre2_code *code;
    char *text;         /* the literal; Metaspace: its replacement; the prefix; of an expression what it was made from */
    size_t n_text;
    gg__prepend prepend;
    bool split;         /* Metaspace: also cut before each replacement */
} gg__pre;

typedef enum gg__norm_kind {
    GG__NORM_FORM, GG__NORM_LOWER, GG__NORM_REPLACE, GG__NORM_REGEX, GG__NORM_PREPEND, GG__NORM_STRIP, GG__NORM_STRIP_MARKS, GG__NORM_STRIP_NONSPACING,
    GG__NORM_BERT_CLEAN, GG__NORM_BERT_CJK, GG__NORM_NMT, GG__NORM_CHARSMAP, GG__NORM_SP_SPACES, GG__NORM_BYTES
} gg__norm_kind;
typedef struct gg__norm {
    gg__norm_kind kind;
    bool compose, compat;        /* FORM: NFC/NFKC compose, NFKC/NFKD compat */
    bool left, right;            /* STRIP */
    bool longest;                /* CHARSMAP: SentencePiece's longest match (GGUF), not the per-grapheme rule of tokenizer.json */
    bool merge, prefix;          /* SP_SPACES: runs of spaces become one; one in front */
    pcre2_code *code;
    char *from, *to;             /* REPLACE, REGEX, PREPEND */
    size_t n_from, n_to;
    uint32_t *trie;              /* CHARSMAP: double array */
    int64_t n_trie;
} gg__norm;

typedef enum gg__dec_kind {
    GG__DEC_BYTES, GG__DEC_METASPACE, GG__DEC_WORDPIECE, GG__DEC_BYTE_FALLBACK, GG__DEC_FUSE, GG__DEC_STRIP, GG__DEC_REPLACE, GG__DEC_SUFFIX, GG__DEC_SPACES
} gg__dec_kind;
typedef struct gg__dec {
    gg__dec_kind kind;
    char *from, *to; /* METASPACE, WORDPIECE and SUFFIX: from is the mark; STRIP: from is the character */
    size_t n_from, n_to;
    pcre2_code *code; /* REPLACE by a regular expression */
    int64_t start, stop;
    bool flag;       /* METASPACE: drops the first space; WORDPIECE: cleans up spaces before punctuation */
} gg__dec;

/* Texts that are tokens by themselves wherever they stand. */
typedef struct gg__added {
    char *text;
    size_t n;
    int32_t id;
    bool special, normalized, lstrip, rstrip, single_word;
} gg__added;

/* Finds added tokens in a text: a hash of their texts, and which lengths to try for each first byte. Found are indices into gg_tokenizer.added. */
typedef struct gg__matcher {
    gg__vocab texts;
    uint8_t begins[8192]; /* bit 256 a + b: some text begins with the bytes a, b (or is a alone) */
    int32_t at[257];  /* lengths of texts that begin with byte b: length[at[b]] .. length[at[b + 1] - 1], longest first */
    int32_t *length;
} gg__matcher;

typedef enum gg__model_kind { GG__BPE_BYTES, GG__BPE_CHARS, GG__SPM, GG__UNIGRAM, GG__WORDPIECE } gg__model_kind;

typedef struct gg__pair { /* of two neighbouring tokens: what they merge to, and how early */
    int32_t left, right;
    uint32_t rank;
    int32_t id;
} gg__pair;

typedef struct gg__merge {
    int32_t next; /* with the same left side, earlier in the list; -1: none */
    int32_t right;
    uint32_t rank;
} gg__merge;

enum { GG__TYPE_NORMAL = 1, GG__TYPE_UNKNOWN, GG__TYPE_CONTROL, GG__TYPE_USER, GG__TYPE_UNUSED, GG__TYPE_BYTE }; /* as GGUF numbers them */

#define GG__NO_RANK UINT32_MAX

struct gg_tokenizer {
    gg_context *ctx;
    char kind[64];
    gg__model_kind model;
    gg__vocab vocab;
    uint8_t *type;              /* (vocab.n,) GG__TYPE_* */
    int32_t bos, eos, unk;      /* -1: none */
    int32_t byte_id[256];       /* the token of a byte: byte-level BPE, or <0xXX>; -1: none */
    bool byte_fallback, fuse_unk;

    /* BPE */
    gg__pair *pair;             /* open addressing, left < 0 is empty */
    uint64_t pair_mask;
    int64_t block;              /* bytes of a piece that are merged at once */
    int64_t per_id, ahead;      /* a bounded encode reads at first so many bytes for each id, and these; tests make all three small */
    uint32_t *first_rank;       /* (vocab.n,) SPM: of the tokens that begin with this one the one that merges first; GG__NO_RANK: none */
    int32_t *onwards;           /* (vocab.n,) first of the merges that have this token on its left, in merge[]; -1: none */
    gg__merge *merge;           /* (n_merge,) */
    int64_t n_merge;
    bool drops_unknown;         /* characters that are no token vanish: no unknown token, and some characters are none */
    bool ignore_merges;         /* a pre-token that is a token stays whole */
    char *word_prefix, *word_suffix; /* continuing_subword_prefix, end_of_word_suffix */
    size_t n_word_prefix, n_word_suffix;

    /* SPM, unigram: priority or score of each token */
    uint32_t *key;              /* (vocab.n,) SPM: smaller merges earlier; GG__NO_RANK: never */
    double *score;              /* (vocab.n,) unigram */
    double unk_score;
    bool single;                /* sums of scores are rounded to float32, as SentencePiece does; who ties with whom depends on it */
    struct gg__trie *trie;      /* unigram */

    /* Two characters that stand side by side in no token: text may be cut between them (hashed, so a set bit says only "perhaps"). */
    uint64_t *bigram;           /* NULL: never cut */
    uint64_t bigram_mask;       /* in bits */

    /* WordPiece */
    char *start_mark, *inner_mark; /* "" and "##", or U+2581 and "" (GGUF) */
    int64_t max_word;              /* characters of a word, longer ones are unknown */

    gg__norm *norm;
    int n_norm;
    gg__pre *pre;
    int n_pre;
    gg__dec *dec;
    int n_dec;
    gg__added *added;
    int64_t n_added;
    gg__matcher raw, normal;    /* of `added`: matched before and after normalizing */
    bool strips_left;           /* an added token takes the spaces before it */
    bool prefix_per_segment;    /* SPM: a space before the text and after each added token */
    int32_t *before, *after;           /* special tokens around a text */
    int64_t n_before, n_after;

    pcre2_general_context *pcre_memory;
    pcre2_match_context *pcre_limits;
};

/* ---- one encode call ---- */
typedef struct gg__heap_item {
    uint32_t key, pos, size; /* size of both together when pushed; 0: the right side is not known from here on */
    int32_t id;              /* what they become */
} gg__heap_item;

typedef struct gg__buffer {
    char *data;
    size_t n, cap;
} gg__buffer;

typedef struct gg__encoder {
    const gg_tokenizer *t;
    gg_context *ctx;
    gg_token_list *ids;
    int64_t max;
    int flags;
    bool more;           /* unwound because the window was too short */
    bool last_unk;       /* the last id was the unknown token, in the same piece: fuse_unk */
    bool text_start;     /* the segment begins where the text begins */
    pcre2_match_data *match; /* (1 pair) */
    pcre2_match_context *limits; /* with a large JIT stack, made when first needed */
    pcre2_jit_stack *stack;
    int32_t *next, *prev, *sym; /* (cap_sym,) */
    int64_t cap_sym;
    gg__heap_item *heap;
    int64_t n_heap, cap_heap;
    double *best;               /* Viterbi */
    int32_t *from, *via;
    int64_t cap_best;
    gg__buffer step[16];        /* rewriting pre-tokenizer steps, one each */
    gg__buffer norm[2], repaired, prefixed, word;
    int32_t *point;             /* code points for normal forms */
    int64_t cap_point;
} gg__encoder;

gg_status gg__emit(gg__encoder *e, int32_t id);                      /* GG_END when that was the last one wanted */
static inline gg_status gg__want_more(gg__encoder *e) { e->more = true; return GG_END; }
void gg__encoder_free(gg__encoder *e);
gg_status gg__buffer_add(gg__encoder *e, gg__buffer *b, const char *s, size_t n);

/* pretokenize.c */
gg_status gg__regex_compile(pcre2_code **out, gg_tokenizer *t, const char *pattern, size_t n); /* Oniguruma's dialect, as published */
int gg__regex_match(gg__encoder *e, const pcre2_code *code, const char *text, size_t n, size_t at, bool open); /* pcre2's result */
gg_status gg__pre_add(gg_tokenizer *t, gg__pre **out);               /* one more step */
gg_status gg__pre_regex(gg_tokenizer *t, const char *pattern, gg__behaviour how, bool invert);
gg_status gg__pre_punctuation(gg_tokenizer *t, gg__behaviour how);
gg_status gg__bert_pre_tokenizer(gg_tokenizer *t);
gg_status gg__pre_named(gg_tokenizer *t, const char *name);          /* the table of GGUF's names */
bool gg__pre_ignores_merges(const char *name);                       /* does this name also say that a pre-token that is a token stays whole? */
const char *gg__pre_name(const gg_tokenizer *t);                     /* the first name that stands for just these steps; NULL: none does */
gg_status gg__pre_run(gg__encoder *e, int step, const char *text, size_t n, bool first, bool open);
/* bpe.c */
gg_status gg__pairs_alloc(gg_tokenizer *t, int64_t n_merges);
gg_status gg__pairs_add(gg_tokenizer *t, int32_t left, int32_t right, uint32_t rank, int32_t id, bool last);
gg_status gg__bigrams_alloc(gg_tokenizer *t, int64_t n);
void gg__bigrams_add(gg_tokenizer *t, int32_t a, int32_t b);
gg_status gg__bigrams_of_vocab(gg_tokenizer *t);
bool gg__may_join(const gg_tokenizer *t, int32_t a, int32_t b);
gg_status gg__bpe_encode(gg__encoder *e, const char *text, size_t n, bool open);
/* spm.c */
gg_status gg__spm_prepare(gg_tokenizer *t, const float *score);
/* unigram.c, wordpiece.c */
gg_status gg__unigram_prepare(gg_tokenizer *t, int64_t n_scores); /* tokens behind n_scores have none */
void gg__unigram_free(gg_tokenizer *t);
gg_status gg__unigram_encode(gg__encoder *e, const char *text, size_t n, bool open);
gg_status gg__wordpiece_encode(gg__encoder *e, const char *text, size_t n, bool open);
gg_status gg__emit_unknown(gg__encoder *e, const char *text, size_t n); /* bytes, or the unknown token, or nothing */
/* normalizer.c: *out is text itself or a buffer of e; *n_out the part that is settled when open */
gg_status gg__normalize(gg__encoder *e, const char **out, size_t *n_out, const char *text, size_t n, bool open);
gg_status gg__norm_add(gg_tokenizer *t, gg__norm **out);
gg_status gg__bert_normalizer(gg_tokenizer *t, bool clean, bool cjk, bool strip_accents, bool lower);
gg_status gg__norm_charsmap(gg_tokenizer *t, const void *data, size_t n, bool longest);
bool gg__norm_streams(const gg_tokenizer *t);
/* detokenize.c */
gg_status gg__dec_add(gg_tokenizer *t, gg__dec **out);
gg_status gg__tokenizer_begin(gg_tokenizer **out, gg_context *ctx); /* an empty one */
/* tokenizer_gguf.c, tokenizer_json.c: fill an empty tokenizer */
gg_status gg__tokenizer_from_gguf(gg_tokenizer *t, const gg_tensors *m);
gg_status gg__tokenizer_from_json(gg_tokenizer *t, const char *path);
void gg__find_bytes(gg_tokenizer *t); /* fills byte_id with <0x00> .. <0xFF> */
int gg__byte_of(const char *s, size_t n); /* 0xE2 of "<0xE2>"; -1: another text */
gg_status gg__added_add(gg_tokenizer *t, const gg__added *a); /* copies the text */
#endif
