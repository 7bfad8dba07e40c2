/* Claims: what a paper says, what was measured here, held or not. What `golgi reproduce NAME` prints, as a table, as JSON, in a report.
 *
 *     gg_claims *c = NULL;
 *     gg_claims_create(&c, ctx);
 *     gg_claims_part(c, "causality", "loss on held-out documents with neurons switched off");
 *     gg_claims_add(c, &(gg_claim){.claim = "the 5 most frequent neurons a layer matter 10 times as much as 5 random ones", .paper = "117 (accuracy)",
 *                                  .unit = "times", .over = "seeds", .relation = GG_AT_LEAST, .bound = 10}, ratio, 5);
 *     gg_claims_skip(c, &(gg_claim){.claim = "...", .relation = GG_AT_LEAST, .bound = 0.9}, "the pool has no such documents");
 *     gg_claims_print(c, stdout, 0);
 *     gg_claims_free(c);
 *
 * A verdict is computed here from the values that are handed in and cannot be given: a claim holds when the mean of its values stands in the
 * claim's relation to its bound. Without values it was not tried; a mean that is not a number holds nothing. Texts and values are copied.
 */
#ifndef GG_PLOT_CLAIMS_H
#define GG_PLOT_CLAIMS_H
#include <golgi/base.h>
#include <jansson.h>
#include <stdio.h>
#include "plot/plot.h"

typedef enum gg_relation { GG_AT_LEAST, GG_AT_MOST, GG_MORE_THAN, GG_RELATIONS } gg_relation;
typedef enum gg_verdict { GG_HELD, GG_NOT_HELD, GG_NOT_TRIED, GG_VERDICTS } gg_verdict;

typedef struct gg_claim {
    const char *claim;  /* a short sentence, without a full stop */
    const char *paper;  /* the paper's figure in words; NULL: it has none */
    const char *unit;   /* of values and bound: "nats"; NULL: none */
    const char *over;   /* what differs from value to value: "seeds", "domains"; NULL where there is one */
    gg_relation relation;
    double bound;
    const char *note;   /* what else there is to say; NULL */
} gg_claim;

typedef struct gg_claims gg_claims;
gg_status gg_claims_create(gg_claims **out, gg_context *ctx);
void gg_claims_free(gg_claims *c);
/* The rows that follow belong to this part. */
gg_status gg_claims_part(gg_claims *c, const char *name, const char *about);
/* value: (n,), n > 0, one for each seed (or whatever `over` names). GG_EINVAL: no part was begun, no values. */
gg_status gg_claims_add(gg_claims *c, const gg_claim *claim, const double *value, int64_t n);
/* Not tried, and why. */
gg_status gg_claims_skip(gg_claims *c, const gg_claim *claim, const char *why);

int gg_claims_parts(const gg_claims *c);
int gg_claims_count(const gg_claims *c, gg_verdict v);
const char *gg_verdict_name(gg_verdict v); /* "held", "not held", "not tried" */
/* The rows of one part, wrapped to at most 112 columns. */
void gg_claims_print(const gg_claims *c, FILE *to, int part);
/* [{"part", "about", "claims": [{"claim", "paper", "values", "mean", "sd", "over", "unit", "relation", "bound", "verdict", "note"}]}]; a new reference, NULL:
 * out of memory. Numbers that are not finite are null. */
json_t *gg_claims_json(const gg_claims *c);
/* The part's table into a report, in the section that is open. */
gg_status gg_claims_table(const gg_claims *c, gg_report *r, int part);
const char *gg_claims_part_name(const gg_claims *c, int part);
const char *gg_claims_part_about(const gg_claims *c, int part);
#endif
