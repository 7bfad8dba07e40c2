/* Reading frozen vectors (JSON) in tests. */
#ifndef GG_TESTS_MATH_GOLDEN_H
#define GG_TESTS_MATH_GOLDEN_H
#include "support.h"
#include <jansson.h>

static inline json_t *golden_load(const char *path)
{
    json_error_t e;
    json_t *root = json_load_file(path, 0, &e);
    if (!root)
        fail_msg("%s:%d: %s (tests run from the root of the repository)", path, e.line, e.text);
    return root;
}

static inline json_t *golden_at(json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    if (!v)
        fail_msg("the golden file has no \"%s\"", key);
    return v;
}

static inline double golden_number(json_t *object, const char *key)
{
    return json_number_value(golden_at(object, key));
}

/* The numbers of nested lists, row after row; freed by free(). n and d may be NULL. */
static inline double *golden_numbers(int64_t *n, int64_t *d, json_t *list)
{
    const size_t rows = json_array_size(list), columns = json_is_array(json_array_get(list, 0)) ? json_array_size(json_array_get(list, 0)) : 0;
    double *x = malloc(sizeof *x * (rows * (columns ? columns : 1) + 1));
    for (size_t i = 0; i < rows; i++) {
        json_t *row = json_array_get(list, i);
        if (!columns)
            x[i] = json_number_value(row);
        for (size_t c = 0; c < columns; c++)
            x[i * columns + c] = json_number_value(json_array_get(row, c));
    }
    if (n)
        *n = (int64_t)rows;
    if (d)
        *d = (int64_t)columns;
    return x;
}

static inline int32_t *golden_labels(int64_t *n, json_t *list)
{
    double *x = golden_numbers(n, NULL, list);
    int32_t *label = malloc(sizeof *label * (json_array_size(list) + 1));
    for (size_t i = 0; i < json_array_size(list); i++)
        label[i] = (int32_t)x[i];
    free(x);
    return label;
}

#define assert_near(a, b, tolerance)                                                          \
    do {                                                                                      \
        const double a_ = (a), b_ = (b);                                                      \
        if (!(__builtin_fabs(a_ - b_) <= (tolerance)))                                        \
            fail_msg("%.17g is not %.17g (apart by %g)", a_, b_, __builtin_fabs(a_ - b_));    \
    } while (0)
#endif
