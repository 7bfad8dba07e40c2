/* Strict JSON: values with places. Owns the text, its value, and what was set from outside.
 *
 * jansson keeps no line numbers. The text is known to be valid once it was parsed, so the line of a value is found by walking the text again along its
 * pointer - only when something is wrong.
 */
#include "nn/config.h"
#include "base/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_BYTES = 16 << 20, MAX_DEPTH = 64 };

gg_status gg__config_read(gg__config *c, gg_context *ctx, const char *path)
{
    *c = (gg__config){.ctx = ctx, .file = gg_strdup(ctx, path)};
    gg_status s = c->file ? gg_file_read(&c->text, &c->n, ctx, path) : GG_ENOMEM;
    if (s == GG_OK && c->n > MAX_BYTES)
        s = gg_fail(ctx, GG_EFORMAT, "%s: %zu bytes are no configuration of training", path, c->n);
    if (s == GG_OK)
        s = gg_json_document(&c->root, ctx, c->text, c->n, path, "the configuration");
    if (s != GG_OK)
        gg__config_free(c);
    return s;
}

void gg__config_free(gg__config *c)
{
    json_decref(c->root);
    gg_drop(c->ctx, c->text);
    gg_drop(c->ctx, c->file);
    *c = (gg__config){.ctx = c->ctx};
}

/* --- changes from outside ------------------------------------------------------------------------------------------------------------------ */
/* From `at` to its part `name`, which the last step sets to value; made when it is missing in an object. Borrowed. GG_ENOENT: there is no such part. */
static gg_status part_of(json_t **at, const char *name, bool last, json_t *value)
{
    if (json_is_array(*at)) {
        char *end;
        const long i = strtol(name, &end, 10);
        if (*end || end == name || i < 0 || (size_t)i >= json_array_size(*at))
            return GG_ENOENT;
        if (last)
            return json_array_set(*at, (size_t)i, value) == 0 ? GG_OK : GG_ENOMEM;
        *at = json_array_get(*at, (size_t)i);
        return GG_OK;
    }
    if (!json_is_object(*at))
        return GG_ENOENT;
    if (last)
        return json_object_set(*at, name, value) == 0 ? GG_OK : GG_ENOMEM;
    json_t *next = json_object_get(*at, name);
    if (!next && json_object_set_new(*at, name, next = json_object()) != 0)
        return GG_ENOMEM;
    *at = next;
    return GG_OK;
}

/* JSON, or a text where it is none. */
static gg_status value_of(json_t **out, gg_context *ctx, const char *text)
{
    gg_str scratch = {.ctx = ctx};
    gg_json_error e;
    int64_t repaired = 0;
    gg_status s = gg_json_parse(out, &scratch, text, strlen(text), &repaired, &e);
    gg_str_free(&scratch);
    if (s == GG_EFORMAT)
        s = (*out = json_string(text)) ? GG_OK : gg_fail(ctx, GG_EINVAL, "--set: \"%s\" is no text in UTF-8, or there is no memory for it", text);
    return s;
}

static gg_status set_one(gg__config *c, const char *text)
{
    const char *equal = strchr(text, '=');
    if (!equal || equal == text)
        return gg_fail(c->ctx, GG_EINVAL, "--set %s: NAME=VALUE is needed, as training.epochs=5 or model.0.n=64", text);
    char *path = gg_strndup(c->ctx, text, (size_t)(equal - text)), *rest = path, *name;
    json_t *value = NULL, *at = c->root;
    gg_status s = path ? value_of(&value, c->ctx, equal + 1) : GG_ENOMEM;
    while (s == GG_OK && (name = strsep(&rest, "."))) {
        s = *name ? part_of(&at, name, !rest, value) : GG_ENOENT;
        if (s == GG_ENOENT)
            s = gg_fail(c->ctx, GG_EINVAL, "--set %s: %s has no part \"%s\"", text, c->file, name);
        else if (s != GG_OK)
            s = gg_fail(c->ctx, s, "--set %s: out of memory", text);
    }
    json_decref(value);
    gg_drop(c->ctx, path);
    return s;
}

gg_status gg__config_set(gg__config *c, const char *const *set, int n_set)
{
    c->set = set;
    c->n_set = n_set;
    for (int i = 0; i < n_set; i++)
        GG_TRY(set_one(c, set[i]));
    return GG_OK;
}

/* --- places ------------------------------------------------------------------------------------------------------------------------------------ */
gg__place gg__place_root(const gg__config *c) { return (gg__place){.c = c, .value = c->root}; }

bool gg__place_member(gg__place *out, const gg__place *p, const char *key)
{
    json_t *v = json_object_get(p->value, key);
    *out = (gg__place){.c = p->c, .up = p, .key = key, .value = v};
    return v && !json_is_null(v);
}

gg__place gg__place_item(const gg__place *p, int index)
{
    return (gg__place){.c = p->c, .up = p, .index = index, .value = json_array_get(p->value, (size_t)index)};
}

static int chain_of(const gg__place *chain[MAX_DEPTH], const gg__place *p)
{
    int n = 0;
    for (; p->up && n < MAX_DEPTH; p = p->up)
        chain[n++] = p;
    for (int i = 0; i < n / 2; i++) {
        const gg__place *t = chain[i];
        chain[i] = chain[n - 1 - i];
        chain[n - 1 - i] = t;
    }
    return n;
}

/* The text at s is one valid value with white space before: to its first byte, and past its end. */
static const char *skip_space(const char *s)
{
    return s + strspn(s, " \t\r\n");
}
static const char *skip_string(const char *s)
{
    for (s++; *s && *s != '"'; s++)
        if (*s == '\\' && s[1])
            s++;
    return *s ? s + 1 : s;
}
static const char *skip_value(const char *s)
{
    int depth = 0;
    s = skip_space(s);
    do {
        if (*s == '"') {
            s = skip_string(s);
            continue;
        }
        if (*s == '{' || *s == '[')
            depth++;
        else if (*s == '}' || *s == ']') {
            if (depth-- == 0)
                break; /* of what is around: a bare number or word ends here */
        } else if (*s == ',' && depth == 0)
            break;
        s++;
    } while (*s && (depth > 0 || !strchr(",]} \t\r\n", *s)));
    return s;
}

/* To the part of the object or list at s that a step names; NULL: it is not in the text. */
static const char *step_into(const char *s, const gg__place *step)
{
    const bool object = *s == '{';
    if ((!object && *s != '[') || object != (step->key != NULL))
        return NULL;
    s = skip_space(s + 1);
    for (int i = 0; *s && *s != '}' && *s != ']'; i++) {
        bool here = !object && i == step->index;
        if (object) {
            const size_t n = strlen(step->key);
            const char *end = skip_string(s);
            here = (size_t)(end - s) == n + 2 && memcmp(s + 1, step->key, n) == 0;
            s = skip_space(end);
            s = skip_space(*s == ':' ? s + 1 : s);
        }
        if (here)
            return s;
        s = skip_space(skip_value(s));
        if (*s == ',')
            s = skip_space(s + 1);
    }
    return NULL;
}

/* Line of the value, or of the nearest one around it that the file has; 0: the file is not there. */
static int line_of(const gg__place *const *chain, int n, const gg__config *c)
{
    if (!c->text || !c->n)
        return 0;
    const char *at = skip_space(c->text), *next;
    for (int i = 0; i < n && (next = step_into(at, chain[i])); i++)
        at = next;
    int line = 1;
    for (const char *s = c->text; s < at; s++)
        line += *s == '\n';
    return line;
}

/* The change from outside that made this value, or what is around it; NULL: none. */
static const char *set_of(const gg__place *const *chain, int n, const gg__config *c)
{
    for (int k = c->n_set - 1; k >= 0; k--) {
        const char *s = c->set[k], *end = strchr(s, '=');
        for (int i = 0; i < n && end; i++) {
            char index[16];
            snprintf(index, sizeof index, "%d", chain[i]->index);
            const char *name = chain[i]->key ? chain[i]->key : index;
            const size_t len = strlen(name);
            if (strncmp(s, name, len) != 0 || (s[len] != '.' && s[len] != '='))
                break;
            s += len;
            if (s == end)
                return c->set[k];
            s++;
        }
    }
    return NULL;
}

static void pointer_of(gg_str *out, const gg__place *const *chain, int n)
{
    for (int i = 0; i < n; i++) {
        if (!chain[i]->key) {
            gg_str_printf(out, "/%d", chain[i]->index);
            continue;
        }
        gg_str_puts(out, "/");
        for (const char *k = chain[i]->key; *k; k++)
            if (*k == '~' || *k == '/')
                gg_str_puts(out, *k == '~' ? "~0" : "~1");
            else
                gg_str_add(out, k, 1);
    }
    if (n == 0)
        gg_str_puts(out, "the configuration");
}

gg_status gg__place_prefix(const gg__place *p, gg_status s)
{
    const gg__place *chain[MAX_DEPTH];
    const int n = chain_of(chain, p), line = line_of(chain, n, p->c);
    const char *set = set_of(chain, n, p->c);
    gg_str where = {.ctx = p->c->ctx};
    if (set)
        gg_str_printf(&where, "--set %s: ", set);
    else if (line > 0)
        gg_str_printf(&where, "%s:%d: ", p->c->file, line);
    else
        gg_str_printf(&where, "%s: ", p->c->file);
    pointer_of(&where, chain, n);
    if (!where.failed)
        gg_fail_prefix(p->c->ctx, s, "%s", where.data);
    gg_str_free(&where);
    return s;
}

gg_status gg__place_fail(const gg__place *p, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gg_fail(p->c->ctx, GG_EINVAL, "%s", text);
    return gg__place_prefix(p, GG_EINVAL);
}

gg_status gg__place_unknown(const gg__place *p, const char *what, const char *word, const char *const *known, int n)
{
    gg_str list = {.ctx = p->c->ctx};
    for (int i = 0; i < n; i++)
        gg_str_printf(&list, "%s%s", i ? ", " : "", known[i]);
    const char *near = gg_nearest(word, known, n);
    const gg_status s = list.failed ? GG_ENOMEM
                                    : gg__place_fail(p, "unknown %s \"%.60s\"; known: %s%s%s%s", what, word, n ? list.data : "none",
                                                     near ? ". Did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    gg_str_free(&list);
    return s;
}

/* --- objects ------------------------------------------------------------------------------------------------------------------------------------ */
static void range_text(char out[96], const gg__key *k)
{
    const char *low = k->flags & GG__KEY_ABOVE ? "above" : "at least", *high = k->flags & GG__KEY_BELOW ? "below" : "at most";
    if (isfinite(k->min) && isfinite(k->max))
        snprintf(out, 96, "%s %.15g and %s %.15g", low, k->min, high, k->max);
    else if (isfinite(k->min))
        snprintf(out, 96, "%s %.15g", low, k->min);
    else
        snprintf(out, 96, "%s %.15g", high, k->max);
}

static gg_status in_range(const gg__place *p, const gg__key *k, double x)
{
    char range[96];
    if ((k->flags & GG__KEY_ABOVE ? x > k->min : x >= k->min) && (k->flags & GG__KEY_BELOW ? x < k->max : x <= k->max))
        return GG_OK;
    range_text(range, k);
    return gg__place_fail(p, "%.15g is outside its range: %s", x, range);
}

static gg_status read_int(int64_t *out, const gg__place *p, const gg__key *k)
{
    const double x = json_number_value(p->value);
    if (!json_is_integer(p->value) && !(json_is_real(p->value) && x == floor(x) && fabs(x) < 0x1p53))
        return json_is_real(p->value) ? gg__place_fail(p, "a whole number is needed, not %.15g", x)
                                      : gg__place_fail(p, "a whole number is needed, not %s", gg_json_kind(p->value));
    GG_TRY(in_range(p, k, x));
    *out = json_is_integer(p->value) ? (int64_t)json_integer_value(p->value) : (int64_t)x;
    return GG_OK;
}

static gg_status read_word(int *out, const gg__place *p, const gg__key *k)
{
    enum { MOST = 32 };
    char copy[512], *rest = copy;
    const char *word[MOST];
    int n = 0;
    if (!json_is_string(p->value))
        return gg__place_fail(p, "one of %s is needed, not %s", k->words, gg_json_kind(p->value));
    snprintf(copy, sizeof copy, "%s", k->words);
    for (char *w; n < MOST && (w = strsep(&rest, "|"));) {
        if (strcmp(w, json_string_value(p->value)) == 0) {
            *out = n;
            return GG_OK;
        }
        word[n++] = w;
    }
    return gg__place_unknown(p, "word", json_string_value(p->value), word, n);
}

static gg_status read_pair(int64_t out[2], const gg__place *p, const gg__key *k)
{
    if (!json_is_array(p->value)) {
        GG_TRY(read_int(&out[0], p, k));
        out[1] = out[0];
        return GG_OK;
    }
    if (json_array_size(p->value) != 2)
        return gg__place_fail(p, "one whole number or two are needed, not %zu", json_array_size(p->value));
    for (int i = 0; i < 2; i++) {
        const gg__place item = gg__place_item(p, i);
        GG_TRY(read_int(&out[i], &item, k));
    }
    return GG_OK;
}

gg_status gg__place_value(void *to, const gg__place *p, const gg__key *k)
{
    void *field = (char *)to + k->offset;
    switch (k->type) {
    case GG__KEY_INT: return read_int(field, p, k);
    case GG__KEY_NUMBER:
        if (!json_is_number(p->value))
            return gg__place_fail(p, "a number is needed, not %s", gg_json_kind(p->value));
        GG_TRY(in_range(p, k, json_number_value(p->value)));
        *(double *)field = json_number_value(p->value);
        return GG_OK;
    case GG__KEY_FLAG:
        if (!json_is_boolean(p->value))
            return gg__place_fail(p, "true or false is needed, not %s", gg_json_kind(p->value));
        *(bool *)field = json_is_true(p->value);
        return GG_OK;
    case GG__KEY_TEXT:
        if (!json_is_string(p->value) || strlen(json_string_value(p->value)) != json_string_length(p->value))
            return gg__place_fail(p, "a text is needed, not %s", json_is_string(p->value) ? "one with a NUL" : gg_json_kind(p->value));
        *(const char **)field = json_string_value(p->value);
        return GG_OK;
    case GG__KEY_WORD: return read_word(field, p, k);
    case GG__KEY_PAIR: return read_pair(field, p, k);
    case GG__KEY_ANY: break;
    }
    return GG_OK;
}

static const gg__key *key_named(const gg__key *key, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(key[i].name, name) == 0 || (key[i].also && strcmp(key[i].also, name) == 0))
            return &key[i];
    return NULL;
}

gg_status gg__place_object(void *to, const gg__place *p, const char *what, const gg__key *key, int n)
{
    enum { MOST = 64 };
    const char *name, *known[MOST];
    json_t *value;
    if (!json_is_object(p->value))
        return gg__place_fail(p, "%s is an object, not %s", what, gg_json_kind(p->value));
    for (int i = 0; i < n && i < MOST; i++)
        known[i] = key[i].name;
    json_object_foreach (p->value, name, value) {
        const gg__key *k = key_named(key, n, name);
        if (!k)
            return gg__place_unknown(p, "key", name, known, n < MOST ? n : MOST);
        const gg__place at = {.c = p->c, .up = p, .key = name, .value = value};
        if (k->also && strcmp(name, k->also) == 0 && json_object_get(p->value, k->name))
            return gg__place_fail(&at, "the same as \"%s\", which is given too", k->name);
        if (!json_is_null(value))
            GG_TRY(gg__place_value(to, &at, k));
    }
    for (int i = 0; i < n; i++)
        if (key[i].flags & GG__KEY_REQUIRED) {
            gg__place at;
            if (!gg__place_member(&at, p, key[i].name) && !(key[i].also && gg__place_member(&at, p, key[i].also)))
                return gg__place_fail(p, "%s needs \"%s\"", what, key[i].name);
        }
    return GG_OK;
}

gg_status gg__place_numbers(double **out, int64_t *n, const gg__place *p)
{
    *out = NULL;
    if (!json_is_array(p->value) || json_array_size(p->value) == 0)
        return gg__place_fail(p, "a list of numbers is needed, not %s", json_is_array(p->value) ? "an empty one" : gg_json_kind(p->value));
    const int64_t size = (int64_t)json_array_size(p->value);
    double *x = gg_new(p->c->ctx, double, size);
    if (!x)
        return GG_ENOMEM;
    for (int64_t i = 0; i < size; i++) {
        const gg__place item = gg__place_item(p, (int)i);
        if (!json_is_number(item.value)) {
            gg_drop(p->c->ctx, x);
            return gg__place_fail(&item, "a number is needed, not %s", gg_json_kind(item.value));
        }
        x[i] = json_number_value(item.value);
    }
    *out = x;
    *n = size;
    return GG_OK;
}

json_t *gg__json_numbers(const double *x, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; x && i < n; i++)
        gg_json_add(&list, json_real(x[i]));
    return list;
}

json_t *gg__json_texts(const char *const *names, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; names && i < n; i++)
        gg_json_add(&list, json_string(names[i]));
    return list;
}
