/* golgi/data.h - data sets to learn from: tables, images, text; parts of them, batches, standardisation. Floor 5.
 *
 *     #include <golgi/data.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         float x[40 * 3], in[8 * 3];
 *         int32_t y[40], label[8];
 *         for (int i = 0; i < 40; i++) // two classes, apart in the first feature; the third is always 7
 *             x[3 * i] = 100 * (float)(y[i] = i % 2) + (float)i, x[3 * i + 1] = (float)(i % 5), x[3 * i + 2] = 7;
 *         gg_context *ctx = NULL;
 *         gg_data *all = NULL, *part[2] = {NULL, NULL};
 *         gg_scaler *scaler = NULL;
 *         gg_batches *batches = NULL;
 *         gg_batch b;
 *         gg_context_create(&ctx, NULL);
 *         gg_status s = gg_data_create(&all, ctx, &(gg_data_arrays){.x = gg_array_rows(x, GG_F32, 40, 3), .label = y, .n_classes = 2});
 *         if (s == GG_OK && (s = gg_data_split(part, all, (const double[]){0.8, 0.2}, 2, &(gg_split_options){.stratify = true, .seed = 1})) == GG_OK)
 *             s = gg_scaler_fit(&scaler, part[0], GG_SCALE_STANDARD);     // on the training part only
 *         if (s == GG_OK && (s = gg_batches_create(&batches, part[0], &(gg_batches_options){.size = 8, .shuffle = true, .seed = 1})) == GG_OK)
 *             while ((s = gg_batches_next(&b, batches)) == GG_OK) {         // one epoch; the next call after GG_END begins another
 *                 gg_data_read(in, part[0], b.index, b.n, scaler);          // (n, 3), standardised
 *                 gg_data_labels(label, part[0], b.index, b.n);             // (n,)
 *             }
 *         puts(s == GG_END ? "an epoch" : gg_message(ctx));
 *         gg_batches_free(batches);
 *         gg_scaler_free(scaler);
 *         gg_data_free(part[0]);
 *         gg_data_free(part[1]);
 *         gg_data_free(all);
 *         gg_context_free(ctx);
 *         return s != GG_END;
 *     }
 *
 * A gg_data is read-only. Parts of it are views: they share its memory, which goes with the last of them, in whatever order they are freed.
 * Everything random is a function of a seed, never of threads or time. Samples are counted from 0, lines of files from 1.
 * Errors: GG_EINVAL an option or a label outside its range, an empty class; GG_ENAN with sample and feature (line and column); GG_EFORMAT a damaged or
 * ragged file with the place; GG_EMISMATCH images and labels of different numbers, images of different sizes, columns that are not those of a schema.
 */
#ifndef GOLGI_DATA_H
#define GOLGI_DATA_H
#include <golgi/grad.h>
#include <golgi/tokenizer.h>
#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_data gg_data;

typedef enum gg_target_kind {
    GG_TARGET_AUTO,  /* of tables: texts are classes, numbers are values; elsewhere what there is */
    GG_TARGET_NONE,
    GG_TARGET_CLASS, /* one of n_classes a sample */
    GG_TARGET_VALUE, /* n_values numbers a sample */
    GG_TARGET_TOKEN  /* the next token at each place of a sequence */
} gg_target_kind;

typedef struct gg_data_description {
    int64_t n;                       /* samples */
    gg_shape sample;                 /* of one: (features), (channels, height, width), (tokens) */
    gg_dtype dtype;                  /* as they are in memory */
    bool tokens;                     /* samples are ids in [0, n_vocab), else numbers */
    bool missing;                    /* some numbers are missing: a scaler fills them with means */
    int64_t n_vocab;
    gg_target_kind target;           /* never AUTO */
    int64_t n_classes;
    const char *const *class_name;   /* (n_classes,); "0", "1", ... where nobody gave names */
    int64_t n_values;
    const char *const *feature_name; /* (numbers of a sample,) of tables; else NULL */
    bool groups;                     /* each sample is of a group */
} gg_data_description;

/* --- where data come from ----------------------------------------------------------------------------------------------------------------- */
/* x: (n, ...) of F32, F64, F16 or an integer format, any strides; I32 with tokens > 0 are ids below it. */
typedef struct gg_data_arrays {
    gg_array x;
    bool borrow;                   /* x stays where it is and outlives the data; else copied, as all else is */
    bool missing;                  /* NaN is a number that is missing, which a scaler fills with the mean; else refused */
    int64_t tokens;                /* size of the vocabulary; 0: x are numbers */
    const int32_t *label;          /* (n,) in [0, n_classes), or NULL */
    int64_t n_classes;             /* 0: the largest label + 1 */
    const char *const *class_name; /* (n_classes,) or NULL */
    const float *value;            /* (n, n_values), or NULL */
    int64_t n_values;
    const int64_t *group;          /* (n,) any numbers, or NULL */
} gg_data_arrays;
GG_API gg_status gg_data_create(gg_data **out, gg_context *ctx, const gg_data_arrays *a);
GG_API void gg_data_free(gg_data *d);

typedef struct gg_data_options {
    gg_target_kind target;      /* what the target is taken for */
    const json_t *schema;       /* of the data a model was trained on: the same columns, categories and classes in the same order, samples of one shape */
    bool missing_mean;          /* missing numbers (NaN; of tables "", NA, null, ?) are filled by the scaler with the mean; else an error with the place */
    /* tables */
    const char *target_column;  /* a name, or a number from 1, from the end when negative ("-1"); NULL: the last; with GG_TARGET_NONE nobody looks */
    const char *group_column;   /* samples of one group are never split; no feature. NULL: none */
    const char *const *ignore;  /* (n_ignore,) columns that are no features (ids) */
    int n_ignore;
    bool no_header;             /* the first line is a sample; columns are called "1", "2", ... */
    /* images */
    const char *labels;         /* IDX: the file of labels; NULL: the images' path with "labels" for "images" and idx1 for idx3 */
    /* arrays */
    const char *x, *y;          /* NPZ: names of the arrays ("x", "y"). NPY: y is the path of the targets */
    int64_t n_classes;          /* IDX, NPY, NPZ; 0: the largest label + 1 */
    /* text */
    const gg_tokenizer *tokenizer;
    int64_t length;             /* tokens of a sample (64) */
    int64_t stride;             /* from the start of one to that of the next (length) */
} gg_data_options;
/* By name: tables .csv .tsv .jsonl (.gz .zst too) .parquet, .npy, .npz, .txt (needs a tokenizer), a folder (images: one folder a class, .pgm .ppm .png .jpg;
 * golgi says when it was built without the last two), all else IDX (.gz too). options may be NULL.
 *
 * Tables: numbers are features as they are, columns of texts one feature a category ("colour=red"), in the order of their bytes. Classes: in the order
 * of their bytes, or of their size when all are numbers. A target that is a class may be written in numbers. */
GG_API gg_status gg_data_open(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *options);
/* A token file laid end to end: sample i is token[i stride ... + length), its target the same one further on. Copied. */
GG_API gg_status gg_data_tokens(gg_data **out, gg_context *ctx, const int32_t *token, int64_t n, int64_t n_vocab, int64_t length, int64_t stride);

/* --- what is in them ---------------------------------------------------------------------------------------------------------------------- */
GG_API const gg_data_description *gg_data_describe(const gg_data *d); /* lives with d */
/* Columns, categories, classes (their names may be changed), the shape of a sample: for gg_data_options.schema when the model predicts. */
GG_API gg_status gg_data_schema(json_t **out, const gg_data *d);
/* n samples by their numbers in this view (NULL: the first n). They allocate nothing. GG_EMISMATCH when the data are of another kind. */
typedef struct gg_scaler gg_scaler;
GG_API gg_status gg_data_read(float *out, const gg_data *d, const int64_t *index, int64_t n, const gg_scaler *s); /* (n, sample); s may be NULL */
GG_API gg_status gg_data_read_tokens(int32_t *out, const gg_data *d, const int64_t *index, int64_t n);            /* (n, length) */
GG_API gg_status gg_data_labels(int32_t *out, const gg_data *d, const int64_t *index, int64_t n); /* (n,); GG_TARGET_TOKEN: (n, length) */
GG_API gg_status gg_data_values(float *out, const gg_data *d, const int64_t *index, int64_t n);   /* (n, n_values) */
GG_API int64_t gg_data_group(const gg_data *d, int64_t i);                                        /* the first group met is 0 */
/* count: (n_classes,) samples of each class. */
GG_API gg_status gg_data_class_counts(int64_t *count, const gg_data *d);
/* GG_EINVAL with the class's name when one has no sample; what: "the training part". */
GG_API gg_status gg_data_need_classes(const gg_data *d, const char *what);

/* --- parts -------------------------------------------------------------------------------------------------------------------------------- */
/* The samples index[0 .. n), repeated ones too. */
GG_API gg_status gg_data_subset(gg_data **out, const gg_data *d, const int64_t *index, int64_t n);

typedef struct gg_split_options {
    bool stratify;  /* each part has the classes in the proportion of the whole; every class in every part, or GG_EINVAL with its name */
    bool grouped;   /* no group is in two parts: sizes are then as near as whole groups allow. Not with stratify */
    bool ordered;   /* the first samples are the first part; no drawing. Not with the others */
    uint64_t seed;
} gg_split_options;
/* out: (n_parts,) views, in the order of the data. part: fractions when they sum to at most 1 (rest unused), else whole numbers of samples. Data of
 * classes: the first part has every class, or GG_EINVAL. Nothing is left in out on failure. */
GG_API gg_status gg_data_split(gg_data **out, const gg_data *d, const double *part, int n_parts, const gg_split_options *o);
/* Fold `fold` of k, 0 <= fold < k: the k test parts are disjoint and together all of d. */
GG_API gg_status gg_data_fold(gg_data **train, gg_data **test, const gg_data *d, int k, int fold, const gg_split_options *o);

/* --- standardisation ------------------------------------------------------------------------------------------------------------------------ */
/* y = (x - shift) / scale, each feature (each channel) its own. Missing numbers become the mean. A constant feature has scale 1. */
typedef enum gg_scale_kind {
    GG_SCALE_NONE,     /* shift 0, scale 1: fills what is missing */
    GG_SCALE_STANDARD, /* mean and standard deviation (population) of each feature */
    GG_SCALE_CHANNEL,  /* of each channel: samples (channels, ...) */
    GG_SCALE_RANGE,    /* the least to 0, the greatest to 1, each feature */
    GG_SCALE_UNIT,     /* x / 255: bytes to [0, 1] */
    GG_SCALES
} gg_scale_kind;
GG_API const char *gg_scale_name(gg_scale_kind k); /* "standard" */
GG_API gg_status gg_scaler_fit(gg_scaler **out, const gg_data *d, gg_scale_kind kind);
GG_API void gg_scaler_free(gg_scaler *s);
/* For checkpoints: numbers come back bit for bit. */
GG_API gg_status gg_scaler_save(json_t **out, const gg_scaler *s);
GG_API gg_status gg_scaler_load(gg_scaler **out, gg_context *ctx, const json_t *json);
GG_API int64_t gg_scaler_size(const gg_scaler *s);         /* features, or channels */
GG_API const double *gg_scaler_shift(const gg_scaler *s);  /* (size,) */
GG_API const double *gg_scaler_factor(const gg_scaler *s); /* (size,) what is divided by */

/* --- batches -------------------------------------------------------------------------------------------------------------------------------- */
typedef struct gg_batches gg_batches;
typedef struct gg_batches_options {
    int64_t size;    /* samples of a batch (32) */
    bool shuffle;    /* each epoch in an order of its own, a function of (seed, epoch) alone; else in the order of the data */
    bool drop_last;  /* an incomplete last batch is left out */
    uint64_t seed;
} gg_batches_options;
typedef struct gg_batch {
    const int64_t *index; /* (n,) samples; valid until the next call */
    int64_t n;
    int64_t epoch, at;    /* from 0; the number of the batch in its epoch */
} gg_batch;
/* d outlives it. GG_EINVAL: no batch would come. options may be NULL. */
GG_API gg_status gg_batches_create(gg_batches **out, const gg_data *d, const gg_batches_options *options);
GG_API void gg_batches_free(gg_batches *b);
/* GG_END after the last batch of each epoch; the call after it begins the next. Allocates nothing. */
GG_API gg_status gg_batches_next(gg_batch *out, gg_batches *b);
GG_API int64_t gg_batches_count(const gg_batches *b); /* in an epoch */
/* The place of the next batch, and going on from one: what a checkpoint needs. at may be the count: GG_END comes next. */
GG_API void gg_batches_tell(const gg_batches *b, int64_t *epoch, int64_t *at);
GG_API gg_status gg_batches_seek(gg_batches *b, int64_t epoch, int64_t at);

#ifdef __cplusplus
}
#endif
#endif
