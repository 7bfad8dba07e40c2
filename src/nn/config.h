/* A configuration in JSON that is read strictly: every value has a place, and what is wrong with it is told there.
 *
 *     cnn.json:14: /model/3/kernel: 0 is too small: at least 1
 *     cnn.json:22: /optimizer: unknown key "learning_rate"; known: name, lr, momentum, ... Did you mean "lr"?
 *
 * Objects are read through tables of keys, from which come the checks, the defaults' places and the list of known names.
 */
#ifndef GG_NN_CONFIG_H
#define GG_NN_CONFIG_H
#include <golgi/base.h>
#include <jansson.h>

/* The text and its value. Changes made by gg__config_set are told apart from what stands in the file. */
typedef struct gg__config {
    gg_context *ctx;
    char *file; /* for messages */
    char *text; /* (n,) as read; NULL: made in memory */
    size_t n;
    json_t *root;
    const char *const *set; /* (n_set,) "training.epochs=5", borrowed */
    int n_set;
} gg__config;

gg_status gg__config_read(gg__config *c, gg_context *ctx, const char *path);
/* set: NAME.NAME=VALUE, numbers count in lists; VALUE is JSON, or a text where it is none. Objects on the way are made. */
gg_status gg__config_set(gg__config *c, const char *const *set, int n_set);
void gg__config_free(gg__config *c);

/* Where a value stands: a chain on the callers' stacks, written as a JSON pointer only when something is wrong. */
typedef struct gg__place {
    const gg__config *c;
    const struct gg__place *up; /* NULL: the whole file */
    const char *key;            /* in an object; else NULL */
    int index;                  /* in a list */
    json_t *value;              /* borrowed */
} gg__place;
gg__place gg__place_root(const gg__config *c);
bool gg__place_member(gg__place *out, const gg__place *p, const char *key); /* false: absent (null counts as absent) */
gg__place gg__place_item(const gg__place *p, int index);
/* "FILE:LINE: POINTER: ..." */
gg_status gg__place_fail(const gg__place *p, const char *format, ...) GG_PRINTF(2, 3);
/* The same before the message that is there. */
gg_status gg__place_prefix(const gg__place *p, gg_status s);
gg_status gg__place_unknown(const gg__place *p, const char *what, const char *word, const char *const *known, int n);

typedef enum gg__key_type {
    GG__KEY_INT,    /* int64_t, min..max */
    GG__KEY_NUMBER, /* double, min..max */
    GG__KEY_FLAG,   /* bool */
    GG__KEY_TEXT,   /* const char *, lives with the configuration */
    GG__KEY_WORD,   /* int: which of words "a|b|c" */
    GG__KEY_PAIR,   /* int64_t[2]: one number for both, or a list of two */
    GG__KEY_ANY     /* read by the caller */
} gg__key_type;
typedef struct gg__key {
    const char *name, *also; /* also: the same in PyTorch's words; NULL */
    gg__key_type type;
    size_t offset;           /* of the field, which holds the default */
    double min, max;
    const char *words;
    unsigned flags;
} gg__key;
enum { GG__KEY_REQUIRED = 1, GG__KEY_ABOVE = 2 /* min itself is outside */, GG__KEY_BELOW = 4 /* max is */ };
/* Fills the fields of `to` from the object at p. Names in the table twice (name and also) are refused, as are unknown ones. */
gg_status gg__place_object(void *to, const gg__place *p, const char *what, const gg__key *key, int n);
/* One value by its key: into the key's field of `to`. */
gg_status gg__place_value(void *to, const gg__place *value, const gg__key *k);
/* (*n,) doubles of a list of numbers, freed by gg_drop. */
gg_status gg__place_numbers(double **out, int64_t *n, const gg__place *p);

/* Lists of n of them; NULL: out of memory. x and names may be NULL: empty lists. */
json_t *gg__json_numbers(const double *x, int64_t n);
json_t *gg__json_texts(const char *const *names, int64_t n);
#endif
