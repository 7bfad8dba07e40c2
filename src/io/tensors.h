/* The common table behind every tensor file: what the readers fill, what golgi/tensors.h shows. Internal to src/io.
 *
 * A reader gets bytes in memory and a table, checks everything, and adds tensors and metadata; it never opens files itself, so that it can be
 * called on any memory (tests, fuzzing). Texts that come from a file go through gg__shown before they enter a message.
 */
#ifndef GG_IO_TENSORS_H
#define GG_IO_TENSORS_H
#include <golgi/tensors.h>
#include "base/file.h"
#include "base/memory.h"

/* Names in order, found by hash (FNV-1a, linear probing, at most half full). The keys are not owned. */
typedef struct gg__names {
    gg_context *ctx;
    const char **key; /* (n,) */
    int64_t n, cap;
    int64_t *slot;    /* (n_slots,): index + 1, 0 is empty */
    int64_t n_slots;
} gg__names;
int64_t gg__names_find(const gg__names *h, const char *key);            /* -1: absent */
gg_status gg__names_add(gg__names *h, const char *key, bool *is_new);    /* unchanged when present */
void gg__names_free(gg__names *h);

typedef enum gg__value_kind {
    GG__NULL,   /* JSON null; also what golgi does not look into */
    GG__INT,
    GG__UINT,   /* above INT64_MAX */
    GG__DOUBLE,
    GG__BOOL,
    GG__TEXT,
    GG__ITEMS,  /* array of values, from JSON */
    GG__PACKED, /* array of numbers in the file, unaligned, little-endian */
    GG__TEXTS,  /* array of texts in the file, each with its length in the 8 bytes before it */
    GG__NESTED  /* array of arrays: counted, not opened */
} gg__value_kind;

typedef enum gg__number { GG__U8, GG__I8, GG__U16, GG__I16, GG__U32, GG__I32, GG__F32, GG__BOOL8, GG__U64, GG__I64, GG__F64 } gg__number;

typedef struct gg__value {
    gg__value_kind kind;
    gg__number number; /* of GG__PACKED */
    int64_t n;         /* elements of an array, bytes of a text */
    union {
        int64_t i;
        uint64_t u;
        double d;
        bool b;
        const char *text; /* NUL-terminated */
        const struct gg__value *items;
        const uint8_t *packed;
        const char *const *texts;
    };
} gg__value;

typedef struct gg__source {
    gg_map map;
    char *path;
} gg__source;

struct gg_tensors {
    gg_context *ctx;
    gg_tensors_kind kind;
    char *path;
    gg_arena arena;       /* names, texts, arrays of metadata */
    gg__source *source;   /* files, in the order of the hash */
    int n_sources;
    gg_tensor *tensor;    /* (names.n,) */
    int64_t tensor_cap;
    gg__names names;
    gg__value *value;     /* (keys.n,) */
    int64_t value_cap;
    gg__names keys;
    void **copy;          /* data that could not stay in the mapping (misaligned, compressed, Fortran order) */
    int64_t n_copies, copy_cap;
    int64_t copied_bytes;
    char hash[65];
};

gg_status gg__tensors_create(gg_tensors **out, gg_context *ctx, const char *path, gg_tensors_kind kind);
/* Maps a file and keeps it with t. */
gg_status gg__tensors_map(gg_map *out, gg_tensors *t, const char *path);

/* Adds a tensor of n_bytes at data. name: n_name bytes from the file `file`. Refuses duplicates, NUL in the name and sizes that do not fit shape and dtype.
 * Data that is not aligned for its type is copied (old safetensors headers have odd lengths): typed pointers into it would be undefined. */
gg_status gg__tensors_add(gg_tensors *t, const char *file, const char *name, size_t n_name, gg_dtype dtype, int n_dims, const int64_t *shape,
                          const void *data, int64_t n_bytes);
/* Elements of a shape; -1 when negative or too many (zeros counted as ones for that test). */
int64_t gg__shape_count(int n_dims, const int64_t *shape);
/* Memory that lives with t, for a reader that must unpack. */
gg_status gg__tensors_copy(void **out, gg_tensors *t, size_t bytes);

/* Adds metadata under a key of n_key bytes. A key that is present: GG_EFORMAT. Text is copied into the arena by gg__tensors_text_value. */
gg_status gg__tensors_put(gg_tensors *t, const char *file, const char *key, size_t n_key, gg__value v);
gg_status gg__tensors_text_value(gg__value *out, gg_tensors *t, const char *text, size_t n);
/* The i-th number of a packed array. */
gg__value gg__packed_at(const gg__value *a, int64_t i);
const gg__value *gg__tensors_get(const gg_tensors *t, const char *key);

/* n bytes from a file as a short printable text: control characters and broken UTF-8 become '?', the end of a long one is "...". Returns buf. */
#define GG__SHOWN 96
const char *gg__shown(char buf[GG__SHOWN], const void *text, size_t n);
#define gg__show(text, n) gg__shown((char[GG__SHOWN]){0}, (text), (n))
/* The first bytes of a file for a message: "68 65 6c 6c (\"hell\")". */
const char *gg__begin(char buf[GG__SHOWN], const uint8_t *data, size_t n);

/* What a foreign file probably is and what to do about it, ". It is ..." or "". */
const char *gg__guess(const uint8_t *data, size_t size);

/* Two byte ranges of one file that must not share bytes. */
typedef struct gg__span {
    uint64_t begin, end;
    int64_t tensor; /* index in the table */
} gg__span;
/* Sorts by begin and names the first two that overlap. */
gg_status gg__spans_check(gg_tensors *t, const char *file, gg__span *span, int64_t n);

/* Readers. `file` is the name used in messages. n_parts: in how many files this GGUF is split (1: it is whole). */
gg_status gg__gguf_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file, int64_t part, int64_t *n_parts);
gg_status gg__safetensors_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file, bool with_metadata);
gg_status gg__npy_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file, const char *name);
gg_status gg__npz_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file);
/* JSON object, flattened with dots, into the metadata. */
gg_status gg__config_parse(gg_tensors *t, const char *data, size_t size, const char *file);
/* A Hugging Face model folder; and the index of a sharded checkpoint. */
gg_status gg__folder_open(gg_tensors **out, gg_context *ctx, const char *path);
gg_status gg__index_load(gg_tensors *t, const uint8_t *data, size_t size, const char *path);

/* A whole file in memory of any single-file format, recognised by its first bytes; the entry for fuzzing. data must outlive *out. */
gg_status gg__tensors_parse(gg_tensors **out, gg_context *ctx, const uint8_t *data, size_t size, const char *file);
#endif
