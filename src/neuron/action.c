/* Actions on neurons. Owns: the list of what is done where, the action file, and doing it.
 *
 * A list is kept by place (layer, site), places in order, and at each place as ranges of neurons in the order given. What is done at
 * one place cannot change what is done at another, so this order is all that matters, and files that differ only in how they spell
 * the same ranges give the same hash. `final` and `logits` exist once in a model: their layer is kept as -1.
 */
#include <golgi/action.h>
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>

typedef struct range {
    int64_t first, last; /* inclusive; last -1: the whole site */
    gg_operation op;
    float value;
} range;

typedef struct place {
    int32_t layer;
    int32_t named; /* the layer as given; differs from `layer` only for final and logits */
    gg_site site;
    range *range;
    int64_t n, cap;
} place;

struct gg_actions {
    gg_context *ctx;
    char *source; /* the file's path, for messages; NULL: made in memory */
    char *model;  /* hash prefix of the model it was made for, or NULL */
    place *place; /* ordered by (layer, site) */
    int64_t n, cap;
};

static const char *const operation_names[] = {"zero", "scale", "set", "add"};
enum { N_OPERATIONS = 4, HASH_PREFIX_MIN = 8 };

gg_status gg_actions_create(gg_actions **out, gg_context *ctx)
{
    gg_actions *a = gg_new(ctx, gg_actions, 1);
    if (!a)
        return GG_ENOMEM;
    a->ctx = ctx;
    *out = a;
    return GG_OK;
}

void gg_actions_free(gg_actions *a)
{
    if (!a)
        return;
    for (int64_t i = 0; i < a->n; i++)
        gg_drop(a->ctx, a->place[i].range);
    gg_drop(a->ctx, a->place);
    gg_drop(a->ctx, a->source);
    gg_drop(a->ctx, a->model);
    gg_drop(a->ctx, a);
}

static bool is_once(gg_site s)
{
    return s == GG_SITE_FINAL || s == GG_SITE_LOGITS;
}

static int place_order(const place *p, int32_t layer, gg_site site)
{
    if (p->layer != layer)
        return p->layer < layer ? -1 : 1;
    return p->site == site ? 0 : p->site < site ? -1 : 1;
}

/* Index of the place, or where it would be inserted (then *found is false). */
static int64_t place_search(const gg_actions *a, int layer, gg_site site, bool *found)
{
    if (is_once(site))
        layer = -1;
    int64_t low = 0, high = a ? a->n : 0;
    *found = false;
    while (low < high && !*found) {
        const int64_t mid = low + (high - low) / 2;
        const int order = place_order(&a->place[mid], layer, site);
        if (order == 0) {
            *found = true;
            low = mid;
        } else if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static gg_status add_range(gg_actions *a, int32_t layer, gg_site site, range r)
{
    bool found;
    const int64_t i = place_search(a, layer, site, &found);
    if (!found) {
        GG_TRY(gg_grow(a->ctx, &a->place, a->n, &a->cap, 4));
        memmove(a->place + i + 1, a->place + i, sizeof(place) * (size_t)(a->n - i));
        a->place[i] = (place){.layer = is_once(site) ? -1 : layer, .named = layer, .site = site};
        a->n++;
    }
    place *p = &a->place[i];
    if (layer >= 0)
        p->named = layer;
    range *before = p->n ? &p->range[p->n - 1] : NULL;
    if (before && before->last >= 0 && before->last + 1 == r.first && r.last >= 0 && before->op == r.op && before->value == r.value) {
        before->last = r.last;
        return GG_OK;
    }
    GG_TRY(gg_grow(a->ctx, &p->range, p->n, &p->cap, 4));
    p->range[p->n++] = r;
    return GG_OK;
}

gg_status gg_actions_add(gg_actions *a, gg_neuron n, gg_operation op, float value)
{
    if ((unsigned)op >= N_OPERATIONS || (unsigned)n.site >= GG_SITE_COUNT || n.layer < (is_once(n.site) ? -1 : 0) || n.index < -1)
        return gg_fail(a->ctx, GG_EINVAL, "an action needs a layer, a site, a neuron and one of zero, scale, set, add");
    if (op == GG_OP_ZERO)
        value = 0;
    if (!isfinite(value))
        return gg_fail(a->ctx, GG_ENAN, "the value of an action must be a finite number");
    const range r = {.first = n.index < 0 ? 0 : n.index, .last = n.index, .op = op, .value = value};
    return add_range(a, n.layer, n.site, r);
}

int64_t gg_actions_count(const gg_actions *a)
{
    int64_t n = 0;
    for (int64_t i = 0; a && i < a->n; i++)
        for (int64_t j = 0; j < a->place[i].n; j++) {
            const range *r = &a->place[i].range[j];
            n += r->last < 0 ? 1 : r->last - r->first + 1;
        }
    return n;
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

/* "L3.up[20-29]": the range form that gg_neuron_parse does not know; everything else is left to it. */
static gg_status parse_neurons(gg_actions *a, const char *text, gg_operation op, float value)
{
    char plain[256];
    gg_neuron n, end;
    const char *bracket = strchr(text, '['), *dash = bracket ? strchr(bracket, '-') : NULL;
    if (!dash || dash == bracket + 1) {
        GG_TRY(gg_neuron_parse(&n, a->ctx, text));
        return gg_actions_add(a, n, op, value);
    }
    if (strlen(text) >= sizeof plain)
        return gg_fail(a->ctx, GG_EINVAL, "\"%.60s...\" is not a range of neurons: expected something like L3.up[20-29]", text);
    snprintf(plain, sizeof plain, "%.*s]", (int)(dash - text), text);
    GG_TRY(gg_neuron_parse(&n, a->ctx, plain));
    snprintf(plain, sizeof plain, "%.*s[%s", (int)(bracket - text), text, dash + 1);
    GG_TRY(gg_neuron_parse(&end, a->ctx, plain));
    if (end.index < n.index)
        return gg_fail(a->ctx, GG_EINVAL, "\"%.80s\" runs backwards: the first neuron of a range is the smaller one", text);
    return add_range(a, n.layer, n.site, (range){n.index, end.index, op, op == GG_OP_ZERO ? 0 : value});
}

static gg_status read_names(gg_actions *a, const json_t *names, gg_operation op, float value)
{
    if (json_is_string(names))
        return parse_neurons(a, json_string_value(names), op, value);
    if (!json_is_array(names) || json_array_size(names) == 0)
        return gg_fail(a->ctx, GG_EFORMAT, "\"neurons\" must be a list of names like \"L3.up[17]\"");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, i);
        if (!json_is_string(name))
            return gg_fail(a->ctx, GG_EFORMAT, "neurons[%zu] is not a text like \"L3.up[17]\"", i);
        GG_TRY(parse_neurons(a, json_string_value(name), op, value));
    }
    return GG_OK;
}

static gg_status read_indices(gg_actions *a, const json_t *site, const json_t *index, gg_operation op, float value)
{
    gg_neuron n;
    if (!json_is_string(site))
        return gg_fail(a->ctx, GG_EFORMAT, "\"site\" must be a text like \"L5.hid\"");
    GG_TRY(gg_neuron_parse(&n, a->ctx, json_string_value(site)));
    if (n.index >= 0)
        return gg_fail(a->ctx, GG_EFORMAT, "\"site\" is \"%.80s\": the neuron's number belongs into \"index\"", json_string_value(site));
    if (!index)
        return gg_actions_add(a, n, op, value);
    if (!json_is_array(index) || json_array_size(index) == 0)
        return gg_fail(a->ctx, GG_EFORMAT, "\"index\" must be a list of numbers like [4, 8, 15]");
    for (size_t i = 0; i < json_array_size(index); i++) {
        const json_t *k = json_array_get(index, i);
        if (!json_is_integer(k) || json_integer_value(k) < 0 || json_integer_value(k) > INT32_MAX)
            return gg_fail(a->ctx, GG_EFORMAT, "index[%zu] is not a neuron's number (0 or more)", i);
        n.index = json_integer_value(k);
        GG_TRY(gg_actions_add(a, n, op, value));
    }
    return GG_OK;
}

static gg_status read_action(gg_actions *a, const json_t *item)
{
    if (!json_is_object(item))
        return gg_fail(a->ctx, GG_EFORMAT, "expected an object with \"neurons\" and \"operation\"");
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)item, key, member)
        if (strcmp(key, "neurons") && strcmp(key, "site") && strcmp(key, "index") && strcmp(key, "operation") && strcmp(key, "value"))
            return gg_fail(a->ctx, GG_EFORMAT, "unknown key \"%.60s\"; known are neurons, site, index, operation, value", key);
    const json_t *operation = json_object_get(item, "operation"), *value = json_object_get(item, "value");
    const json_t *neurons = json_object_get(item, "neurons"), *site = json_object_get(item, "site"), *index = json_object_get(item, "index");
    int op = 0;
    const char *word = json_is_string(operation) ? json_string_value(operation) : "";
    while (op < N_OPERATIONS && strcmp(word, operation_names[op]) != 0)
        op++;
    if (op == N_OPERATIONS)
        return gg_fail(a->ctx, GG_EFORMAT, "operation \"%.60s\" is not known; there are zero, scale, set, add", word);
    if (op == GG_OP_ZERO ? value != NULL : !json_is_number(value))
        return gg_fail(a->ctx, GG_EFORMAT, op == GG_OP_ZERO ? "operation zero takes no \"value\"" : "operation %s needs a number as \"value\"", word);
    const float v = (float)json_number_value(value);
    if (!isfinite(v))
        return gg_fail(a->ctx, GG_ENAN, "\"value\" is too large for a 32-bit number");
    if (!neurons == !site || (neurons && index))
        return gg_fail(a->ctx, GG_EFORMAT, "expected either \"neurons\", or \"site\" with \"index\"");
    return neurons ? read_names(a, neurons, (gg_operation)op, v) : read_indices(a, site, index, (gg_operation)op, v);
}

static gg_status read_root(gg_actions *a, const json_t *root)
{
    const json_t *kind = json_object_get(root, "golgi"), *version = json_object_get(root, "version");
    const json_t *list = json_object_get(root, "actions"), *model = json_object_get(root, "model");
    if (!json_is_string(kind) || strcmp(json_string_value(kind), "action") != 0)
        return gg_fail(a->ctx, GG_EFORMAT, "not an action file: expected an object with \"golgi\": \"action\"");
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return gg_fail(a->ctx, GG_EUNSUPPORTED, "\"version\" must be 1, the only one this golgi reads");
    if (!json_is_array(list))
        return gg_fail(a->ctx, GG_EFORMAT, "\"actions\" must be a list");
    if (model && !json_is_null(model)) {
        const char *hex = json_is_string(model) ? json_string_value(model) : "";
        const size_t n = strspn(hex, "0123456789abcdef");
        if (hex[n] || n < HASH_PREFIX_MIN || n > 64)
            return gg_fail(a->ctx, GG_EFORMAT, "\"model\" must be the model's SHA-256: 8 to 64 digits of 0-9 a-f");
        if (!(a->model = gg_strdup(a->ctx, hex)))
            return GG_ENOMEM;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const gg_status s = read_action(a, json_array_get(list, i));
        if (s != GG_OK)
            return gg_fail_prefix(a->ctx, s, "actions[%zu]", i);
    }
    return GG_OK;
}

gg_status gg_actions_read(gg_actions **out, gg_context *ctx, const char *path)
{
    gg_actions *a = NULL;
    json_t *root;
    GG_TRY(gg_json_read_file(&root, ctx, path, "the action file"));
    gg_status s = gg_actions_create(&a, ctx);
    if (s == GG_OK && !(a->source = gg_strdup(ctx, path)))
        s = GG_ENOMEM;
    if (s == GG_OK && (s = read_root(a, root)) != GG_OK)
        s = gg_fail_prefix(ctx, s, "%s", path);
    json_decref(root);
    if (s != GG_OK) {
        gg_actions_free(a);
        return s;
    }
    *out = a;
    return GG_OK;
}

/* "L3.up[17]", "L3.up[20-29]", "L3.up", "final[4]" */
static void range_name(char *out, size_t n, const place *p, const range *r)
{
    char base[64];
    gg_neuron_name(base, sizeof base, (gg_neuron){.layer = p->layer, .site = p->site, .index = -1});
    if (r->last < 0)
        snprintf(out, n, "%s", base);
    else if (r->first == r->last)
        snprintf(out, n, "%s[%lld]", base, (long long)r->first);
    else
        snprintf(out, n, "%s[%lld-%lld]", base, (long long)r->first, (long long)r->last);
}

static gg_status write_all(gg_out *o, const gg_actions *a, const char *model_hash)
{
    GG_TRY(gg_out_printf(o, "{\"golgi\": \"action\", \"version\": 1,\n"));
    if (model_hash)
        GG_TRY(gg_out_printf(o, " \"model\": \"%s\",\n", model_hash));
    GG_TRY(gg_out_printf(o, " \"actions\": ["));
    bool first = true;
    for (int64_t i = 0; i < a->n; i++) {
        const place *p = &a->place[i];
        for (int64_t j = 0; j < p->n; first = false) { /* one object for each run of the same operation and value */
            const range *r = &p->range[j], *same = r;
            char name[128];
            GG_TRY(gg_out_printf(o, "%s\n  {\"neurons\": [", first ? "" : ","));
            for (; j < p->n && p->range[j].op == same->op && p->range[j].value == same->value; j++) {
                range_name(name, sizeof name, p, &p->range[j]);
                GG_TRY(gg_out_printf(o, "%s\"%s\"", &p->range[j] == same ? "" : ", ", name));
            }
            GG_TRY(gg_out_printf(o, "], \"operation\": \"%s\"", operation_names[same->op]));
            if (same->op != GG_OP_ZERO)
                GG_TRY(gg_out_printf(o, ", \"value\": %.9g", (double)same->value));
            GG_TRY(gg_out_printf(o, "}"));
        }
    }
    return gg_out_printf(o, "%s]}\n", first ? "" : "\n ");
}

gg_status gg_actions_write(const gg_actions *a, const char *path, const char *model_hash)
{
    if (model_hash && (strlen(model_hash) != 64 || strspn(model_hash, "0123456789abcdef") != 64))
        return gg_fail(a->ctx, GG_EINVAL, "\"%.80s\" is not a SHA-256: expected 64 digits of 0-9 a-f", model_hash);
    gg_out *o = NULL;
    GG_TRY(gg_out_open(&o, a->ctx, path));
    const gg_status s = write_all(o, a, model_hash);
    if (s != GG_OK) {
        gg_out_discard(o);
        return s;
    }
    return gg_out_commit(o);
}

void gg_actions_hash(const gg_actions *a, char hex[65])
{
    gg_hash *h = NULL;
    hex[0] = 0;
    if (gg_actions_count(a) == 0 || gg_hash_create(&h, a->ctx) != GG_OK)
        return;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t j = 0; j < a->place[i].n; j++) {
            const range *r = &a->place[i].range[j];
            char name[128], line[192];
            range_name(name, sizeof name, &a->place[i], r);
            const int n = snprintf(line, sizeof line, "%s %s %.9g\n", name, operation_names[r->op], (double)r->value);
            gg_hash_add(h, line, (size_t)n);
        }
    gg_hash_finish(h, hex);
}

/* --- use -------------------------------------------------------------------------------------------------------------- */

gg_status gg_actions_check(const gg_actions *a, const char *model_hash, int n_layers, int64_t (*width)(void *user, int layer, gg_site site), void *user)
{
    if (!a)
        return GG_OK;
    const char *source = a->source ? a->source : "the list of actions";
    if (a->model && model_hash && strncmp(a->model, model_hash, strlen(a->model)) != 0)
        return gg_fail(a->ctx, GG_EMISMATCH, "%s was made for the model %.12s, this one is %.12s; remove \"model\" from the file to use it all the same",
                       source, a->model, model_hash);
    for (int64_t i = 0; i < a->n; i++) {
        const place *p = &a->place[i];
        char name[64];
        gg_neuron_name(name, sizeof name, (gg_neuron){.layer = p->layer, .site = p->site, .index = -1});
        if (p->layer >= n_layers)
            return gg_fail(a->ctx, GG_ENOENT, "the model has layers 0 to %d, %s names %s", n_layers - 1, source, name);
        if (p->named != p->layer && p->named != n_layers)
            return gg_fail(a->ctx, GG_ENOENT, "%s comes once, after the last layer: write it without a layer; %s names L%d.%s", name, source, p->named, name);
        const int64_t n = width(user, p->layer < 0 ? n_layers : p->layer, p->site);
        if (n <= 0)
            return gg_fail(a->ctx, GG_ENOENT, "this model has no site %s, %s names %s", gg_site_name(p->site), source, name);
        for (int64_t j = 0; j < p->n; j++)
            if (p->range[j].last >= n) {
                const range *r = &p->range[j];
                if (r->first == r->last)
                    return gg_fail(a->ctx, GG_ENOENT, "%s has %lld neurons, %s names %lld", name, (long long)n, source, (long long)r->first);
                return gg_fail(a->ctx, GG_ENOENT, "%s has %lld neurons, %s names %lld..%lld", name, (long long)n, source,
                               (long long)(r->first > n ? r->first : n), (long long)r->last);
            }
    }
    return GG_OK;
}

bool gg_actions_at(const gg_actions *a, int layer, gg_site site)
{
    bool found;
    place_search(a, layer, site, &found);
    return found;
}

void gg_actions_apply(const gg_actions *a, int layer, gg_site site, float *x, int64_t n_rows, int64_t width)
{
    bool found;
    const int64_t i = place_search(a, layer, site, &found);
    for (int64_t j = 0; found && j < a->place[i].n; j++) {
        const range *r = &a->place[i].range[j];
        const int64_t last = r->last < 0 || r->last >= width ? width - 1 : r->last;
        for (int64_t t = 0; t < n_rows; t++)
            for (int64_t k = r->first; k <= last; k++) {
                float *v = &x[t * width + k];
                switch (r->op) {
                case GG_OP_ZERO: *v = 0; break;
                case GG_OP_SCALE: *v *= r->value; break;
                case GG_OP_SET: *v = r->value; break;
                case GG_OP_ADD: *v += r->value; break;
                }
            }
    }
}
