/* golgi/optim.h - optimisers over the parameters of a graph, and schedules of their learning rate. Floor 5.
 *
 *     #include <golgi/optim.h>
 *     #include <stdio.h>
 *
 *     int main(void) // the smallest of (w - 3)^2
 *     {
 *         gg_context *ctx = NULL;
 *         gg_params *p = NULL;
 *         gg_graph *g = NULL;
 *         gg_optim *o = NULL;
 *         gg_context_create(&ctx, NULL);
 *         gg_params_create(&p, ctx, GG_F32);
 *         gg_params_add(p, "w", GG_SHAPE(1), 0);
 *         gg_graph_create(&g, ctx, NULL);
 *         gg_var *loss = gg_var_sum(gg_var_square(gg_var_shift(gg_graph_param(g, p, "w"), -3)), GG_ALL_AXES, false);
 *         gg_graph_backward(loss);
 *         gg_graph_plan(g, &loss, 1);
 *         gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_ADAMW, .weight_decay = 1e-9, .clip_norm = 1});
 *         for (int64_t step = 0; step < 1000; step++) {
 *             gg_optim_set_lr(o, gg_schedule_at(&(gg_schedule){.kind = GG_SCHEDULE_COSINE, .lr = 0.02, .warmup = 100, .steps = 1000}, step));
 *             gg_graph_run(g);  // fills the gradients
 *             gg_optim_step(o); // one pass over values, gradients and state
 *         }
 *         const float w = *(const float *)gg_params_value(p, 0);
 *         printf("w %.3f\n", (double)w);
 *         gg_optim_free(o);
 *         gg_graph_free(g);
 *         gg_params_free(p);
 *         gg_context_free(ctx);
 *         return !(w > 2.9f && w < 3.1f);
 *     }
 *
 * Each update is PyTorch's of the same name (torch.optim), term by term. A step allocates nothing. Frozen parameters stay as they are; those with
 * GG_PARAM_NO_DECAY are spared weight decay. Errors: GG_EINVAL with the option and its range; GG_ENAN when clipping finds no finite norm.
 */
#ifndef GOLGI_OPTIM_H
#define GOLGI_OPTIM_H
#include <golgi/grad.h>

#ifdef __cplusplus
extern "C" {
#endif

/* code, name, blocks of state (lbfgs: and two more for each step of its history) */
#define GG_OPTIM_MAP(X) \
    X(SGD, sgd, 1) X(ADAM, adam, 2) X(ADAMW, adamw, 2) X(RMSPROP, rmsprop, 3) X(ADAGRAD, adagrad, 1) X(RPROP, rprop, 2) X(LBFGS, lbfgs, 2)
typedef enum gg_optim_kind {
#define GG_X(code, name, blocks) GG_OPTIM_##code,
    GG_OPTIM_MAP(GG_X)
#undef GG_X
    GG_OPTIMS
} gg_optim_kind;
GG_API const char *gg_optim_name(gg_optim_kind k); /* "adamw" */

/* A zero reads as the default, as in PyTorch; so a true zero of beta, alpha or eps cannot be asked for. */
typedef struct gg_optim_options {
    gg_optim_kind kind;
    double lr;            /* learning rate; default 1e-3 (rmsprop, adagrad, rprop: 1e-2; lbfgs: 1) */
    double momentum;      /* sgd, rmsprop; 0: none */
    double dampening;     /* sgd */
    bool nesterov;        /* sgd */
    double beta1, beta2;  /* adam, adamw: 0.9, 0.999 */
    double alpha;         /* rmsprop: 0.99 */
    bool centered;        /* rmsprop: variance instead of mean square */
    double eps;           /* 1e-8 (adagrad 1e-10) */
    double weight_decay;  /* adamw: decoupled, w (1 - lr wd); all others: wd w is added to the gradient (L2) */
    double lr_decay;      /* adagrad: lr / (1 + (t - 1) lr_decay) */
    double eta_minus, eta_plus, step_min, step_max; /* rprop: 0.5, 1.2, 1e-6, 50 */
    int64_t max_iter, max_eval; /* lbfgs: iterations and looks at the loss a step, 20 and 5/4 max_iter */
    int history;          /* lbfgs: steps it remembers, 100 */
    bool strong_wolfe;    /* lbfgs: a line search instead of steps of length lr */
    double tolerance_grad, tolerance_change; /* lbfgs: a step ends when no gradient, or no change, is larger: 1e-7, 1e-9 */
    double clip_norm;     /* largest L2 norm of all gradients together; 0: any */
    double clip_value;    /* largest |gradient|; 0: any */
} gg_optim_options;

typedef struct gg_optim gg_optim;
/* params outlives it. Freed by gg_optim_free. */
GG_API gg_status gg_optim_create(gg_optim **out, gg_context *ctx, gg_params *params, const gg_optim_options *options);
GG_API void gg_optim_free(gg_optim *o);
/* A group: parameters whose names begin with prefix learn at `rate` times the learning rate, with a weight decay of their own (negative: as before; those
 * with GG_PARAM_NO_DECAY stay spared). Later calls overrule earlier ones. GG_ENOENT: nothing is called so. Not for lbfgs. */
GG_API gg_status gg_optim_group(gg_optim *o, const char *prefix, double rate, double weight_decay);
/* Holds numbers of a parameter at zero: keep (as many as it has), 0 where one is. They are put to zero now, and take no part in steps or norms. (A sparse
 * net, a wiring.) */
GG_API gg_status gg_optim_mask(gg_optim *o, const char *name, const double *keep);
GG_API gg_status gg_optim_step(gg_optim *o);
/* The loss at the parameters as they are, and its gradients in the parameters (gg_graph_run does it). */
typedef gg_status (*gg_optim_evaluate)(void *user, double *loss);
/* A step with a function to call. lbfgs needs it and calls it up to max_eval times, with other parameters; all others call it once and step. *loss (may be
 * NULL): at the beginning of the step. */
GG_API gg_status gg_optim_step_with(gg_optim *o, gg_optim_evaluate evaluate, void *user, double *loss);
GG_API void gg_optim_set_lr(gg_optim *o, double lr);
GG_API double gg_optim_lr(const gg_optim *o);
GG_API double gg_optim_norm(const gg_optim *o); /* of the gradients at the last step, before clipping; NaN unless clip_norm is on */
/* For checkpoints: the steps made, and the blocks of state, each of gg_params_extent numbers of the parameters' format. */
GG_API int64_t gg_optim_steps(const gg_optim *o);
GG_API void gg_optim_set_steps(gg_optim *o, int64_t steps);
GG_API int gg_optim_blocks(const gg_optim *o);
GG_API void *gg_optim_block(gg_optim *o, int i);

/* --- schedules: the learning rate as a function of the step, 0 the first ------------------------------------------------------------ */
#define GG_SCHEDULE_MAP(X) X(CONSTANT, constant) X(STEP, step) X(EXPONENTIAL, exponential) X(COSINE, cosine) X(ONE_CYCLE, one_cycle) X(PLATEAU, plateau)
typedef enum gg_schedule_kind {
#define GG_X(code, name) GG_SCHEDULE_##code,
    GG_SCHEDULE_MAP(GG_X)
#undef GG_X
    GG_SCHEDULES
} gg_schedule_kind;
GG_API const char *gg_schedule_name(gg_schedule_kind k);

typedef struct gg_schedule {
    gg_schedule_kind kind;
    double lr;          /* the peak */
    double lr_min;      /* cosine, plateau: the lowest. one_cycle: the last (0: lr / 25e4) */
    int64_t warmup;     /* steps of linear rise before all else: lr (step + 1) / warmup */
    int64_t steps;      /* cosine, one_cycle: the whole, warm-up included. step, exponential: between two decays (0 reads as 1) */
    double gamma;       /* step, exponential, plateau: the factor of a decay (0 reads as 0.1; exponential 0.99) */
    double rise;        /* one_cycle: part of the steps that rise (0 reads as 0.3), from lr / 25, both ways along a cosine */
    int64_t patience;   /* plateau: looks without a better value before a decay (0 reads as 10) */
    double threshold;   /* plateau: relative gain that counts as better (0 reads as 1e-4) */
    /* plateau's memory, zero at the start; part of a checkpoint */
    double best, factor;
    int64_t looks;
} gg_schedule;
GG_API double gg_schedule_at(const gg_schedule *s, int64_t step);
/* plateau: tells it the watched value (lower is better), once an epoch. Others: nothing. */
GG_API void gg_schedule_look(gg_schedule *s, double value);

#ifdef __cplusplus
}
#endif
#endif
