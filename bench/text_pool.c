/* A synthetic pool of documents, as large as you like: build/bench/text_pool OUT.jsonl[.gz|.zst] BYTES [--seed S]   (make build/bench/text_pool)
 *
 * BYTES (4G, 500M, ...) are of JSONL before it is compressed. Rows {docid, doc, token_num} of 200 to 6,000 bytes: words made of syllables, the short
 * ones common, sentences and paragraphs, about as compressible as prose. token_num is a guess, so that nobody has to count. For measuring what
 * reading a pool costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "base/work.h"
#include <golgi/rows.h>

enum { WORDS = 1 << 13, LONGEST = 24 };
static char vocabulary[WORDS][LONGEST];

static void make_vocabulary(gg_random *r)
{
    for (int i = 0; i < WORDS; i++) {
        const int syllables = 1 + (i > 40) + (i > 600) + (int)gg_random_below(r, 2);
        for (int k = 0, n = 0; k < syllables; k++)
            n += snprintf(vocabulary[i] + n, (size_t)(LONGEST - n), "%c%c%s", "bdfgklmnprstvz"[gg_random_below(r, 14)], "aeiou"[gg_random_below(r, 5)],
                          gg_random_below(r, 3) ? "" : "n");
    }
}

/* About n bytes; how many words. */
static int64_t make_text(gg_str *text, gg_random *r, int64_t n)
{
    int64_t words = 0;
    text->len = 0;
    while ((int64_t)text->len < n && !text->failed) {
        const uint64_t z = gg_random_u64(r);
        const uint64_t rank = (z & 0xffffff) * (z >> 24 & 0xffffff) >> 24; /* small ones are common */
        gg_str_puts(text, vocabulary[rank * (z >> 48 & 0xff) >> 19]);
        words++;
        gg_str_puts(text, words % 13 ? " " : words % 91 ? ". " : ".\n\n");
    }
    return words;
}

static int64_t bytes_of(const char *text)
{
    char *end;
    const double x = strtod(text, &end);
    return (int64_t)(x * (*end == 'G' ? 0x1p30 : *end == 'M' ? 0x1p20 : *end == 'K' ? 0x1p10 : 1));
}

int main(int argc, char **argv)
{
    if (argc != 3 && !(argc == 5 && strcmp(argv[3], "--seed") == 0)) {
        fprintf(stderr, "text_pool OUT.jsonl[.gz|.zst] BYTES [--seed S]\n");
        return 2;
    }
    const int64_t wanted = bytes_of(argv[2]);
    gg_random r = gg_random_of(argc == 5 ? strtoull(argv[4], NULL, 10) : 1, 0x74657874);
    gg_context *ctx = NULL;
    gg_rows_writer *w = NULL;
    if (gg_context_create(&ctx, NULL) != GG_OK)
        return 2;
    make_vocabulary(&r);
    gg_str text = {.ctx = ctx};
    int64_t done = 0, n = 0;
    gg_status s = gg_rows_writer_open(&w, ctx, argv[1]);
    for (; done < wanted && s == GG_OK; n++) {
        const int64_t words = make_text(&text, &r, 200 + gg_random_below(&r, 5800));
        json_t *docid = json_sprintf("text-%lld", (long long)n);
        json_t *row = text.failed ? NULL : json_pack("{s:O, s:s, s:I}", "docid", docid, "doc", text.data, "token_num", (json_int_t)(2 * words));
        json_decref(docid);
        s = row ? gg_rows_writer_add(w, row) : gg_fail(ctx, GG_ENOMEM, "out of memory");
        json_decref(row);
        done += (int64_t)text.len + 60;
    }
    if (s == GG_OK)
        s = gg_rows_writer_commit(w);
    else
        gg_rows_writer_discard(w);
    if (s == GG_OK)
        printf("%s: %lld documents, about %.2f GB of JSONL\n", argv[1], (long long)n, 1e-9 * (double)done);
    else
        fprintf(stderr, "%s\n", gg_message(ctx));
    gg_str_free(&text);
    gg_context_free(ctx);
    return s == GG_OK ? 0 : 1;
}
