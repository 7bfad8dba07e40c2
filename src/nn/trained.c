/* A trained net in its folder: model.json says what it is, best.safetensors holds its parameters.
 *
 *     {"format": "golgi net 1", "config": the configuration, "file": where it was, "input": {"shape", "n_vocab"}, "scaler", "schema",
 *      "target": {"kind", "classes", "weight": of classes in the loss, "values", "shift", "scale"}}
 */
#include "nn/trainer.h"
#include "base/file.h"
#include "base/json.h"
#include "io/stream.h"
#include "nn/net.h"
#include "nn/train.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const kinds[] = {"auto", "none", "class", "value", "token"};

/* --- writing ------------------------------------------------------------------------------------------------------------------------------------------ */
static json_t *target_json(const gg_data_description *d, const gg__trainer_parts *p, const gg_loss *l)
{
    const int64_t n_classes = d->target == GG_TARGET_CLASS ? d->n_classes : 0;
    return json_pack("{s:s, s:o, s:o, s:I, s:o, s:o}", "kind", kinds[d->target], "classes", gg__json_texts(d->class_name, n_classes), "weight",
                     gg__json_numbers(l->class_weight, n_classes), "values", (json_int_t)d->n_values, "shift", gg__json_numbers(p->value_shift, d->n_values),
                     "scale", gg__json_numbers(p->value_scale, d->n_values));
}

gg_status gg__trained_write(gg_trainer *t, const char *folder)
{
    gg_context *ctx = gg__net_context(gg_trainer_net(t));
    const gg__trainer_parts p = gg__trainer_look(t);
    const gg_data *train = gg_trainer_data(t, GG_PART_TRAIN);
    const gg_data_description *d = gg_data_describe(train);
    json_t *schema = NULL, *scaler = NULL, *shape = NULL;
    gg_str path = {.ctx = ctx}, file = {.ctx = ctx};
    char *here = *p.file == '/' ? NULL : getcwd(NULL, 0); /* who opens the model may stand in another folder */
    gg_str_printf(&file, "%s%s%s", here ? here : "", here ? "/" : "", p.file);
    gg_status s = file.failed ? GG_ENOMEM : gg_data_schema(&schema, train);
    if (s == GG_OK && p.scaler)
        s = gg_scaler_save(&scaler, p.scaler);
    if (s == GG_OK)
        shape = json_array();
    for (int i = 0; i < d->sample.n && shape; i++)
        gg_json_add(&shape, json_integer(d->sample.d[i]));
    json_t *j = s == GG_OK ? json_pack("{s:s, s:O, s:s, s:{s:o, s:I}, s:O, s:O, s:o}", "format", "golgi net 1", "config", gg_trainer_config(t), "file",
                                       file.data, "input", "shape", shape, "n_vocab", (json_int_t)(d->tokens ? d->n_vocab : 0), "schema", schema, "scaler",
                                       scaler ? scaler : json_null(), "target", target_json(d, &p, &gg_trainer_plan(t)->loss))
                           : NULL;
    gg_str_printf(&path, "%s/model.json", folder);
    if (s == GG_OK)
        s = path.failed ? GG_ENOMEM : gg_json_write_file(ctx, path.data, j, 2);
    json_decref(j);
    json_decref(schema);
    json_decref(scaler);
    free(here);
    gg_str_free(&file);
    gg_str_free(&path);
    return s;
}

/* --- reading -------------------------------------------------------------------------------------------------------------------------------------------- */
struct gg_trained {
    gg_context *ctx;
    gg__config file;      /* model.json */
    gg__data_config data;
    gg__plan_config plan;
    gg_net *net;
    gg_scaler *scaler;
    double *shift, *scale;
    gg_target_kind target;
    const char **class_name; /* (n_classes,) */
    int64_t n_classes;
    const char *config_file;
    json_t *schema;
};

static gg_status damaged(const gg_trained *m, const char *what) { return gg_fail(m->ctx, GG_EFORMAT, "%s is no model of golgi train: %s", m->file.file, what); }

/* Weights of classes in the loss; none when all are alike. */
static gg_status read_weights(gg_trained *m, const gg__place *root)
{
    gg__place target, weight;
    gg__plan_config *p = &m->plan;
    gg_drop(m->ctx, p->class_weight); /* as they were asked for; "balanced" is known to the training part alone */
    p->class_weight = NULL;
    p->n_weight = 0;
    gg__place_member(&target, root, "target");
    if (!gg__place_member(&weight, &target, "weight") || (json_is_array(weight.value) && json_array_size(weight.value) == 0))
        return GG_OK;
    GG_TRY(gg__place_numbers(&p->class_weight, &p->n_weight, &weight));
    if (p->n_weight != m->n_classes)
        return damaged(m, "the weights of its classes are not told");
    p->o.loss.class_weight = p->class_weight;
    return GG_OK;
}

static gg_status read_target(gg_trained *m, const json_t *j)
{
    const json_t *target = json_object_get(j, "target"), *classes = json_object_get(target, "classes"), *shift = json_object_get(target, "shift"),
                 *scale = json_object_get(target, "scale");
    const char *kind = json_string_value(json_object_get(target, "kind"));
    for (int i = 0; kind && i < 5; i++)
        if (strcmp(kind, kinds[i]) == 0)
            m->target = (gg_target_kind)i;
    m->n_classes = (int64_t)json_array_size(classes);
    if (m->target < GG_TARGET_CLASS || json_array_size(shift) != json_array_size(scale) || (m->target == GG_TARGET_CLASS && m->n_classes < 1))
        return damaged(m, "its target is not told");
    if (!(m->class_name = gg_new(m->ctx, const char *, m->n_classes)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < m->n_classes; i++)
        if (!(m->class_name[i] = json_string_value(json_array_get(classes, (size_t)i))))
            return damaged(m, "a class has no name");
    const int64_t n = (int64_t)json_array_size(shift);
    if (n == 0)
        return GG_OK;
    if (n != (int64_t)json_integer_value(json_object_get(target, "values")))
        return damaged(m, "the scale of its values is not told");
    if (!(m->shift = gg_new(m->ctx, double, n)) || !(m->scale = gg_new(m->ctx, double, n)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        m->shift[i] = json_number_value(json_array_get(shift, (size_t)i));
        m->scale[i] = json_number_value(json_array_get(scale, (size_t)i));
    }
    return GG_OK;
}

static gg_status read_input(gg_net_input *in, const gg_trained *m, const json_t *j)
{
    const json_t *input = json_object_get(j, "input"), *shape = json_object_get(input, "shape");
    *in = (gg_net_input){.sample = {.n = (int)json_array_size(shape)}, .n_vocab = (int64_t)json_integer_value(json_object_get(input, "n_vocab"))};
    if (in->sample.n < 1 || in->sample.n >= GG_MAX_DIMS || in->n_vocab < 0 || in->n_vocab > INT32_MAX)
        return damaged(m, "the shape of its input is not told");
    for (int i = 0; i < in->sample.n; i++)
        if ((in->sample.d[i] = (int64_t)json_integer_value(json_array_get(shape, (size_t)i))) < 1 || in->sample.d[i] > INT32_MAX)
            return damaged(m, "the shape of its input is not told");
    return GG_OK;
}

static gg_status read_model(gg_trained *m, const char *parameters)
{
    const json_t *j = m->file.root, *scaler = json_object_get(j, "scaler");
    const char *format = json_string_value(json_object_get(j, "format"));
    gg__place config, data, model;
    gg_net_input in;
    const gg__place root = gg__place_root(&m->file);
    if (!format || strcmp(format, "golgi net 1") != 0)
        return damaged(m, "\"format\": \"golgi net 1\" is not there");
    if (!gg__place_member(&config, &root, "config") || !gg__place_member(&data, &config, "data") || !gg__place_member(&model, &config, "model"))
        return damaged(m, "its configuration is not there");
    m->config_file = json_string_value(json_object_get(j, "file"));
    m->schema = json_object_get(j, "schema");
    if (!m->config_file || !json_is_object(m->schema))
        return damaged(m, "the schema of its data is not there");
    GG_TRY(gg__data_config_read(&m->data, &data));
    GG_TRY(gg__plan_config_read(&m->plan, &config));
    GG_TRY(read_target(m, j));
    GG_TRY(read_weights(m, &root));
    GG_TRY(read_input(&in, m, j));
    if (json_is_object(scaler))
        GG_TRY(gg_scaler_load(&m->scaler, m->ctx, scaler));
    GG_TRY(gg__net_create(&m->net, m->ctx, &model, &in));
    m->plan.o.scaler = m->scaler;
    m->plan.o.value_shift = m->shift;
    m->plan.o.value_scale = m->scale;
    return gg_net_load(m->net, parameters);
}

gg_status gg_trained_open(gg_trained **out, gg_context *ctx, const char *folder, const char *parameters)
{
    gg_str path = {.ctx = ctx}, best = {.ctx = ctx};
    *out = NULL;
    gg_trained *m = gg_new(ctx, gg_trained, 1);
    if (!m)
        return GG_ENOMEM;
    m->ctx = ctx;
    gg_str_printf(&path, "%s/model.json", folder);
    gg_str_printf(&best, "%s/best.safetensors", folder);
    gg_status s = path.failed || best.failed ? GG_ENOMEM : GG_OK;
    if (s == GG_OK && !gg_file_exists(path.data))
        s = gg_fail(ctx, GG_ENOENT, "%s is not there: --model is the folder that golgi train wrote", path.data);
    if (s == GG_OK && (s = gg__config_read(&m->file, ctx, path.data)) == GG_OK)
        s = read_model(m, parameters ? parameters : best.data);
    gg_str_free(&path);
    gg_str_free(&best);
    if (s != GG_OK) {
        gg_trained_free(m);
        return s;
    }
    *out = m;
    return GG_OK;
}

void gg_trained_free(gg_trained *m)
{
    if (!m)
        return;
    gg_net_free(m->net);
    gg_scaler_free(m->scaler);
    gg__plan_config_free(&m->plan, m->ctx);
    gg__data_config_free(&m->data, m->ctx);
    gg__config_free(&m->file);
    gg_drop(m->ctx, m->class_name);
    gg_drop(m->ctx, m->shift);
    gg_drop(m->ctx, m->scale);
    gg_drop(m->ctx, m);
}

gg_net *gg_trained_net(gg_trained *m) { return m->net; }
gg_train_options *gg_trained_options(gg_trained *m) { return &m->plan.o; }
gg_target_kind gg_trained_target(const gg_trained *m) { return m->target; }
int64_t gg_trained_classes(const gg_trained *m, const char *const **name)
{
    if (name)
        *name = m->class_name;
    return m->n_classes;
}

static gg_status no_targets(const gg_trained *m, const char *path)
{
    const char *column = json_string_value(json_object_get(json_object_get(m->schema, "target"), "name"));
    if (gg_name_ends(path, ".npy"))
        return gg_fail(m->ctx, GG_ENOENT, "%s has no targets to judge by: put them and the samples into one .npz, as \"y\" and \"x\"", path);
    return gg_fail(m->ctx, GG_ENOENT, "%s has no targets to judge by%s%s%s", path, column ? ": the model learned column \"" : "", column ? column : "",
                   column ? "\"" : "");
}

gg_status gg_trained_data(gg_data **out, gg_trained *m, const char *path, bool targets)
{
    const gg__data_config *d = &m->data;
    gg_str tokens = {.ctx = m->ctx};
    gg_tokenizer *tokenizer = NULL;
    gg_status s = GG_OK;
    if (d->tokenizer && (s = gg__path_beside(&tokens, m->config_file, d->tokenizer)) == GG_OK)
        s = gg_tokenizer_open_path(&tokenizer, m->ctx, tokens.data);
    if (s == GG_OK)
        s = gg_data_open(out, m->ctx, path,
                         &(gg_data_options){.target = targets ? m->target : GG_TARGET_NONE,
                                            .no_header = !d->header,
                                            .missing_mean = d->missing == 1,
                                            .schema = m->schema,
                                            .x = d->x,
                                            .y = gg__data_config_y(d, path),
                                            .n_classes = m->n_classes,
                                            .tokenizer = tokenizer,
                                            .length = d->length,
                                            .stride = d->stride});
    gg_tokenizer_free(tokenizer);
    gg_str_free(&tokens);
    if (s != GG_OK)
        return s;
    const gg_data_description *is = gg_data_describe(*out);
    const gg_net_input *in = gg_net_takes(m->net);
    bool same = is->sample.n == in->sample.n && is->tokens == (in->n_vocab > 0);
    for (int i = 0; i < is->sample.n && same; i++)
        same = is->sample.d[i] == in->sample.d[i];
    if (same && (!targets || is->target == m->target))
        return GG_OK;
    if (!same)
        s = gg_fail(m->ctx, GG_EMISMATCH, "%s: a sample has another shape than those that the model was trained on", path);
    else if (is->target == GG_TARGET_NONE)
        s = no_targets(m, path);
    else
        s = gg_fail(m->ctx, GG_EMISMATCH, "%s: its targets are no %s, which the model was trained on", path,
                    m->target == GG_TARGET_CLASS ? "classes" : "values");
    gg_data_free(*out);
    *out = NULL;
    return s;
}
