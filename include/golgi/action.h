/* golgi/action.h - what is done to neurons: zero, scale, set, add; read from an action file. Floor 4.
 *
 *     #include <golgi/action.h>
 *
 *     int main(void)
 *     {
 *         gg_context *ctx = NULL;
 *         gg_actions *a = NULL;
 *         gg_neuron n;
 *         gg_context_create(&ctx, NULL);
 *         gg_actions_create(&a, ctx);
 *         gg_neuron_parse(&n, ctx, "L3.up[17]");
 *         gg_actions_add(a, n, GG_OP_ZERO, 0);
 *         const gg_status s = gg_actions_write(a, "off.json", NULL); // or gg_model_act(model, a)
 *         gg_actions_free(a);
 *         gg_context_free(ctx);
 *         return s != GG_OK;
 *     }
 *
 *     { "golgi": "action", "version": 1,
 *       "model": "b179c9523d0e...",                         optional: SHA-256 of the model it was made for (checked)
 *       "actions": [ {"neurons": ["L3.up[17]", "L3.up[20-29]"], "operation": "zero"},
 *                    {"site": "L5.hid", "index": [4, 8, 15], "operation": "scale", "value": 0.5} ] }
 *
 * operation: zero | scale (value) | set (value) | add (value). Applied to the site's output for every token, in the order of the file.
 */
#ifndef GOLGI_ACTION_H
#define GOLGI_ACTION_H
#include <golgi/site.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_operation { GG_OP_ZERO, GG_OP_SCALE, GG_OP_SET, GG_OP_ADD } gg_operation;

typedef struct gg_actions gg_actions;
GG_API gg_status gg_actions_create(gg_actions **out, gg_context *ctx); /* empty */
GG_API gg_status gg_actions_read(gg_actions **out, gg_context *ctx, const char *path);
GG_API gg_status gg_actions_write(const gg_actions *a, const char *path, const char *model_hash); /* model_hash may be NULL */
GG_API void gg_actions_free(gg_actions *a);
GG_API gg_status gg_actions_add(gg_actions *a, gg_neuron n, gg_operation op, float value);
GG_API int64_t gg_actions_count(const gg_actions *a); /* neurons acted on */
/* SHA-256 (hex) of the normalised list, for the headers of outputs; "" for NULL or an empty list. */
GG_API void gg_actions_hash(const gg_actions *a, char hex[65]);

/* Checks every neuron: width(user, layer, site) gives the neurons of that site (0: no such site). model_hash may be NULL.
 * GG_ENOENT: "L7.up has 1536 neurons, action.json names 1536..1540". GG_EMISMATCH: made for another model. */
GG_API gg_status gg_actions_check(const gg_actions *a, const char *model_hash, int n_layers,
                                  int64_t (*width)(void *user, int layer, gg_site site), void *user);
/* Is anything done at this site? */
GG_API bool gg_actions_at(const gg_actions *a, int layer, gg_site site);
/* x: (n_rows, width) in place. */
GG_API void gg_actions_apply(const gg_actions *a, int layer, gg_site site, float *x, int64_t n_rows, int64_t width);

#ifdef __cplusplus
}
#endif
#endif
