/* golgi/tensors.h - named tensors and their metadata, mapped from files. Floor 3.
 *
 *     #include <golgi/tensors.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         gg_context *ctx = NULL;
 *         gg_tensors *t = NULL;
 *         const gg_tensor *w = NULL;
 *         int64_t heads = 0;
 *         gg_context_create(&ctx, NULL);
 *         if (gg_tensors_open(&t, ctx, argc > 1 ? argv[1] : "model.gguf") == GG_OK && gg_tensors_need(&w, t, "blk.0.ffn_up.weight") == GG_OK)
 *             gg_tensors_int(t, "llama.attention.head_count", &heads);
 *         if (w)
 *             printf("%lld heads; %s: %lld bytes of %s, mapped\n", (long long)heads, w->name, (long long)w->n_bytes, gg_dtype_name(w->dtype));
 *         gg_tensors_free(t); // and what w points to
 *         gg_context_free(ctx);
 *         return heads == 0;
 *     }
 *
 * Opens by content, then by name: GGUF v2/v3 (also the first of split files *-00001-of-0000N.gguf), .safetensors, a sharded
 * model.safetensors.index.json, .npy, .npz, and a Hugging Face model folder (config.json + safetensors).
 * Everything in a file is checked before anything points into it; messages name file and byte. A folder with one GGUF and no safetensors is that GGUF.
 * The one array of x.npy is named "x"; arrays in Fortran order come in C order.
 *
 * (*) Except what cannot be used where it is: compressed members of .npz, Fortran order, and tensors that an old safetensors or an .npz file puts at an
 * odd address. Those are copied when the file is opened.
 */
#ifndef GOLGI_TENSORS_H
#define GOLGI_TENSORS_H
#include <golgi/array.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_tensors gg_tensors;

typedef struct gg_tensor {
    const char *name;
    gg_dtype dtype;
    int n_dims;
    int64_t shape[GG_MAX_DIMS]; /* slowest first, also for GGUF (which stores them reversed) */
    const void *data;           /* in the mapping (*); row-major, aligned for dtype; lives as long as the gg_tensors */
    int64_t n_bytes;
} gg_tensor;

typedef enum gg_tensors_kind { GG_TENSORS_GGUF, GG_TENSORS_SAFETENSORS, GG_TENSORS_FOLDER, GG_TENSORS_NUMPY } gg_tensors_kind;

/* GG_ENOENT, GG_EIO, GG_EFORMAT, GG_EUNSUPPORTED (an unknown number format, with its number), GG_ENOMEM. */
GG_API gg_status gg_tensors_open(gg_tensors **out, gg_context *ctx, const char *path);
GG_API void gg_tensors_free(gg_tensors *t);
GG_API const char *gg_tensors_path(const gg_tensors *t);
GG_API gg_tensors_kind gg_tensors_kind_of(const gg_tensors *t);
/* SHA-256 over the bytes of all files, in order (parts by number; config.json, index, shards as the index names them); 64 hexadecimal digits. Computed at the
 * first call. */
GG_API gg_status gg_tensors_hash(gg_tensors *t, char hex[65]);

GG_API int64_t gg_tensors_count(const gg_tensors *t);
GG_API const gg_tensor *gg_tensors_at(const gg_tensors *t, int64_t i);
GG_API const gg_tensor *gg_tensors_find(const gg_tensors *t, const char *name); /* NULL: absent. O(1) */
/* The same or GG_ENOENT with a message that names the nearest present name. */
GG_API gg_status gg_tensors_need(const gg_tensor **out, const gg_tensors *t, const char *name);

/* Metadata: GGUF keys; config.json of a folder flattened with dots ("rope_scaling.factor"); safetensors' __metadata__.
 * Each returns false and leaves *out when the key is absent, null, or of another kind (integers convert to double, 0/1 not to bool). */
GG_API bool gg_tensors_has(const gg_tensors *t, const char *key);
GG_API bool gg_tensors_int(const gg_tensors *t, const char *key, int64_t *out);
GG_API bool gg_tensors_double(const gg_tensors *t, const char *key, double *out);
GG_API bool gg_tensors_bool(const gg_tensors *t, const char *key, bool *out);
GG_API bool gg_tensors_text(const gg_tensors *t, const char *key, const char **out); /* NUL-terminated, lives with t */
/* Arrays: n elements (-1: no such array), then one at a time. Text may hold NUL, hence the length. O(1) each. */
GG_API int64_t gg_tensors_array(const gg_tensors *t, const char *key);
GG_API bool gg_tensors_array_text(const gg_tensors *t, const char *key, int64_t i, const char **out, size_t *n);
GG_API bool gg_tensors_array_double(const gg_tensors *t, const char *key, int64_t i, double *out);
GG_API bool gg_tensors_array_int(const gg_tensors *t, const char *key, int64_t i, int64_t *out);
GG_API bool gg_tensors_array_bool(const gg_tensors *t, const char *key, int64_t i, bool *out);
/* For listings: the i-th key in file order, NULL past the end; a short printable value ("32", "[49152 texts]"). */
GG_API const char *gg_tensors_key(const gg_tensors *t, int64_t i);
GG_API void gg_tensors_describe(const gg_tensors *t, const char *key, char *out, size_t n);

/* Writes .safetensors tensor by tensor, whole or not at all. Data goes to a temporary file as it comes; memory holds names only. */
typedef struct gg_tensors_writer gg_tensors_writer;
GG_API gg_status gg_tensors_writer_open(gg_tensors_writer **out, gg_context *ctx, const char *path);
GG_API gg_status gg_tensors_writer_text(gg_tensors_writer *w, const char *key, const char *value); /* __metadata__ */
GG_API gg_status gg_tensors_writer_add(gg_tensors_writer *w, const char *name, gg_dtype t, int n_dims, const int64_t *shape, const void *data);
GG_API gg_status gg_tensors_writer_commit(gg_tensors_writer *w); /* frees w */
GG_API void gg_tensors_writer_discard(gg_tensors_writer *w);

/* Writes GGUF, version 3, whole or not at all: the metadata, then what tensors there will be (at least one), then their numbers in the same order.
 * Calls out of that order, and names or keys given twice: GG_EINVAL. path may be "-" or a pipe. */
typedef struct gg_gguf_writer gg_gguf_writer;
GG_API gg_status gg_gguf_writer_open(gg_gguf_writer **out, gg_context *ctx, const char *path);
GG_API gg_status gg_gguf_writer_text(gg_gguf_writer *w, const char *key, const char *value);
GG_API gg_status gg_gguf_writer_uint(gg_gguf_writer *w, const char *key, uint32_t value);
GG_API gg_status gg_gguf_writer_float(gg_gguf_writer *w, const char *key, float value);
GG_API gg_status gg_gguf_writer_bool(gg_gguf_writer *w, const char *key, bool value);
GG_API gg_status gg_gguf_writer_texts(gg_gguf_writer *w, const char *key, const char *const *text, const size_t *len, int64_t n);
GG_API gg_status gg_gguf_writer_ints(gg_gguf_writer *w, const char *key, const int32_t *value, int64_t n);
/* name: up to 63 bytes, as ggml keeps them. shape: slowest first, 1 to 4 dimensions, rows of whole blocks. */
GG_API gg_status gg_gguf_writer_tensor(gg_gguf_writer *w, const char *name, gg_dtype t, int n_dims, const int64_t *shape);
/* All numbers of the next tensor, turned into its format (gg_from_f32). GG_EINVAL: a number that is too large for float16. */
GG_API gg_status gg_gguf_writer_data(gg_gguf_writer *w, const float *x);
GG_API gg_status gg_gguf_writer_commit(gg_gguf_writer *w); /* frees w, whatever comes back */
GG_API void gg_gguf_writer_discard(gg_gguf_writer *w);

/* One array as .npy (format 1.0, C order). */
GG_API gg_status gg_npy_write(gg_context *ctx, const char *path, gg_dtype t, int n_dims, const int64_t *shape, const void *data);

#ifdef __cplusplus
}
#endif
#endif
