/* Training from lists of layers: planted classes and values are learned and shuffled ones are not; the same bits with any threads and after stops and
 * kills at any step; the best epoch is the one that is kept; what is wrong is told where it is. */
#include "grad/support.h"
#include <golgi/trainer.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { N = 600, F = 6 };
static float x[N * F], value[N];
static int32_t label[N], shuffled[N];

/* Three classes by the signs of two features - no plane parts them - and a value that is a product; four features of noise. */
static int set_up(void **state)
{
    if (context_open(state))
        return 1;
    gg_random r = gg_random_of(7, 1);
    int64_t order[N];
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < F; k++)
            x[i * F + k] = (float)gg_random_normal(&r) * (k == 5 ? 100.0f : 1.0f);
        label[i] = x[i * F] * x[i * F + 1] > 0 ? 0 : x[i * F] > 0 ? 1 : 2;
        value[i] = 50 + 20 * tanhf(x[i * F + 2]) + 10 * x[i * F];
        order[i] = i;
    }
    gg_random_shuffle(&r, order, N);
    for (int i = 0; i < N; i++)
        shuffled[i] = label[order[i]];
    /* In memory where there is such a place: checkpoints are written at every step. */
    snprintf(test_folder, sizeof test_folder, "%s/golgi-trainer-test-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(test_folder) == NULL;
}

typedef struct setting {
    gg_data *all, *part[3];
    gg_scaler *scaler;
    gg_net *net;
    gg_train_options o;
} setting;

static gg_net *net_of(const char *text)
{
    gg_net *net = NULL;
    json_t *layers = json_loads(text, 0, NULL);
    assert_non_null(layers);
    assert_ok(gg_net_create(&net, ctx, layers, &(gg_net_input){.sample = GG_SHAPE(F)}));
    json_decref(layers);
    return net;
}

static setting begin(const int32_t *labels, const float *values, const char *layers)
{
    setting s = {.o = {.batch_size = 32, .epochs = 40, .optim = {.kind = GG_OPTIM_ADAM, .lr = 0.01}, .seed = 3}};
    assert_ok(gg_data_create(
        &s.all, ctx,
        &(gg_data_arrays){.x = gg_array_rows(x, GG_F32, N, F), .label = labels, .n_classes = labels ? 3 : 0, .value = values, .n_values = values ? 1 : 0}));
    assert_ok(gg_data_split(s.part, s.all, (const double[]){0.6, 0.2, 0.2}, 3, &(gg_split_options){.seed = 1}));
    assert_ok(gg_scaler_fit(&s.scaler, s.part[0], GG_SCALE_STANDARD));
    s.o.scaler = s.scaler;
    s.net = net_of(layers);
    return s;
}

static void finish(setting *s)
{
    gg_net_free(s->net);
    gg_scaler_free(s->scaler);
    for (int i = 0; i < 3; i++)
        gg_data_free(s->part[i]);
    gg_data_free(s->all);
}

static const char mlp[] = "[{\"layer\": \"linear\", \"n\": 32}, \"tanh\", {\"layer\": \"linear\", \"n\": 3}]";
static const char mlp_drop[] =
    "[{\"layer\": \"linear\", \"n\": 32}, {\"layer\": \"batch_norm\"}, \"relu\", {\"layer\": \"dropout\", \"p\": 0.2}, {\"layer\": \"linear\", \"n\": 3}]";
static const char one[] = "[{\"layer\": \"linear\", \"out_features\": 16}, {\"activation\": \"silu\"}, {\"layer\": \"linear\", \"n\": 1}]";

static void planted_classes_are_learned_and_shuffled_ones_are_not(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        gg_train_result r;
        gg_scores test;
        int64_t confusion[9], total = 0;
        setting s = begin(kind ? shuffled : label, NULL, mlp);
        s.o.metric = GG_METRIC_LOSS;
        assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
        assert_int_equal(r.last.epoch, 40);
        assert_int_equal(r.last.step, 40 * 12); /* 360 samples, batches of 32, the last one of 8 */
        assert_ok(gg_net_scores(&test, confusion, s.net, s.part[2], &s.o));
        for (int i = 0; i < 9; i++)
            total += confusion[i];
        assert_int_equal(total, 120);
        assert_true(fabs((double)(confusion[0] + confusion[4] + confusion[8]) / 120 - test.value[GG_METRIC_ACCURACY]) < 1e-12);
        if (kind == 0)
            assert_true(test.value[GG_METRIC_ACCURACY] > 0.9 && test.value[GG_METRIC_AUROC] > 0.97 && test.value[GG_METRIC_ECE] < 0.15);
        else /* half of them are of the first class */
            assert_true(test.value[GG_METRIC_ACCURACY] < 0.62 && test.value[GG_METRIC_AUROC] < 0.65 && r.best.val.value[GG_METRIC_LOSS] > 0.95);
        finish(&s);
    }
}

static void planted_values_are_learned_in_their_own_units(void **state)
{
    (void)state;
    gg_train_result r;
    gg_scores test;
    float said[120], truth[120];
    double worst = 0;
    setting s = begin(NULL, value, one);
    s.o.loss.kind = GG_LOSS_MSE;
    s.o.value_shift = (const double[]){50};
    s.o.value_scale = (const double[]){17};
    assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
    assert_ok(gg_net_scores(&test, NULL, s.net, s.part[2], &s.o));
    assert_true(test.value[GG_METRIC_R2] > 0.97 && test.value[GG_METRIC_MAE] < 4);
    assert_true(fabs(test.value[GG_METRIC_LOSS] * 17 * 17 - test.value[GG_METRIC_RMSE] * test.value[GG_METRIC_RMSE]) < 1e-2);
    assert_ok(gg_net_predict(said, s.net, s.part[2], &s.o));
    assert_ok(gg_data_values(truth, s.part[2], NULL, 120));
    for (int i = 0; i < 120; i++)
        worst += fabs((double)said[i] - (double)truth[i]) / 120;
    assert_true(fabs(worst - test.value[GG_METRIC_MAE]) < 1e-4);
    finish(&s);
}

static gg_status stop_later(void *user, const gg_epoch *e)
{
    if (e->epoch == *(int *)user)
        gg_context_stop(ctx);
    return GG_OK;
}

/* Threads, a stop between epochs, a stop within one: nothing changes a bit of what comes out. */
static void threads_and_stops_change_no_bit(void **state)
{
    float *whole = NULL;
    size_t bytes = 0;
    gg_train_result first = {0};
    for (int way = 0; way < 4; way++) {
        gg_train_result r;
        int stop = way == 2 ? 5 : 0;
        setting s = begin(label, NULL, mlp_drop);
        s.o.schedule = (gg_schedule){.kind = GG_SCHEDULE_COSINE, .lr = 0.01, .warmup = 20, .steps = 12 * 12};
        s.o.epochs = 12;
        s.o.n_threads = way == 1 ? 2 : 1;
        if (way >= 2) {
            s.o.folder = at(way == 2 ? "stopped" : "every");
            s.o.checkpoint_seconds = way == 3 ? -1 : 30;
            s.o.look = stop_later;
            s.o.user = &stop;
        }
        if (way == 2) {
            assert_int_equal(gg_train(&r, s.net, s.part[0], s.part[1], &s.o), GG_EINTR);
            assert_non_null(strstr(gg_message(ctx), "stopped after step"));
            finish(&s);
            context_close(state);
            assert_int_equal(context_open(state), 0);
            s = begin(label, NULL, mlp_drop);
            s.o.schedule = (gg_schedule){.kind = GG_SCHEDULE_COSINE, .lr = 0.01, .warmup = 20, .steps = 12 * 12};
            s.o.epochs = 12;
            s.o.folder = at("stopped");
        }
        assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
        assert_true((r.from_step > 0) == (way == 2));
        gg_params *p = gg_net_params(s.net);
        if (way == 0) {
            bytes = (size_t)gg_params_extent(p) * sizeof *whole;
            whole = malloc(bytes);
            memcpy(whole, gg_params_value(p, -1), bytes);
            first = r;
        }
        assert_memory_equal(whole, gg_params_value(p, -1), bytes);
        assert_int_equal(r.best.epoch, first.best.epoch);
        assert_true(r.last.val.value[GG_METRIC_LOSS] == first.last.val.value[GG_METRIC_LOSS] && r.last.train_loss == first.last.train_loss);
        if (way == 2) { /* finished: the same call gives the same again, other options are refused */
            gg_train_result again;
            assert_ok(gg_train(&again, s.net, s.part[0], s.part[1], &s.o));
            assert_int_equal(again.from_step, 144);
            assert_memory_equal(whole, gg_params_value(p, -1), bytes);
            assert_int_equal(unlink(at("stopped/best.safetensors")), 0); /* without it, it begins anew */
            assert_ok(gg_train(&again, s.net, s.part[0], s.part[1], &s.o));
            assert_int_equal(again.from_step, 0);
            assert_memory_equal(whole, gg_params_value(p, -1), bytes);
            s.o.optim.lr = 0.02;
            s.o.batch_size = 16;
            assert_int_equal(gg_train(&r, s.net, s.part[0], s.part[1], &s.o), GG_EMISMATCH);
            assert_non_null(strstr(gg_message(ctx), "/optimizer/lr: 0.01 there, 0.02 now"));
            assert_non_null(strstr(gg_message(ctx), "/training/batch_size: 32 there, 16 now"));
        }
        finish(&s);
    }
    free(whole);
}

static void stop_at(void *user, int64_t step, double loss)
{
    (void)loss;
    if (step == *(const int64_t *)user)
        gg_context_stop(ctx);
}

/* Stopped (or killed) after the last step and before its epoch was judged: what that finds is kept, too. */
static void a_stop_after_the_last_step_loses_nothing(void **state)
{
    int64_t last = 4 * 12;
    gg_train_result r;
    setting s = begin(label, NULL, mlp);
    s.o.epochs = 4;
    s.o.folder = at("last");
    s.o.step = stop_at;
    s.o.user = &last;
    assert_int_equal(gg_train(&r, s.net, s.part[0], s.part[1], &s.o), GG_EINTR);
    finish(&s);
    context_close(state);
    assert_int_equal(context_open(state), 0);
    s = begin(label, NULL, mlp);
    s.o.epochs = 4;
    s.o.folder = at("last");
    assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
    assert_int_equal(r.from_step, last);
    assert_int_equal(r.best.epoch, 4);
    gg_params *p = gg_net_params(s.net);
    const size_t bytes = (size_t)gg_params_extent(p) * sizeof(float);
    float *best = malloc(bytes);
    memcpy(best, gg_params_value(p, -1), bytes);
    assert_ok(gg_net_load(s.net, at("last/best.safetensors")));
    assert_memory_equal(best, gg_params_value(p, -1), bytes);
    free(best);
    finish(&s);
}

/* Convolutions and loops over time, whose work is cut in other ways. */
static void images_and_times_give_the_same_bits_with_any_threads(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "[{\"layer\": \"conv2d\", \"n\": 8, \"kernel\": 3, \"padding\": 1}, \"relu\", {\"layer\": \"max_pool2d\", \"kernel\": 2}, \"flatten\", {\"layer\": "
        "\"linear\", \"n\": 3}]",
        "[{\"layer\": \"unflatten\", \"shape\": [12, 12]}, {\"layer\": \"lstm\", \"n\": 16}, {\"layer\": \"linear\", \"n\": 3}]"};
    enum { IMAGES = 96, SIDE = 12 };
    static float image[IMAGES * SIDE * SIDE];
    int32_t kind[IMAGES];
    gg_random r = gg_random_of(5, 5);
    for (int i = 0; i < IMAGES; i++) {
        kind[i] = i % 3;
        for (int k = 0; k < SIDE * SIDE; k++) /* stripes across, along, or neither */
            image[i * SIDE * SIDE + k] = (float)gg_random_normal(&r) / 2 + (kind[i] == 0 ? (float)(k % SIDE % 2) : kind[i] == 1 ? (float)(k / SIDE % 2) : 0.5f);
    }
    for (int l = 0; l < 2; l++) {
        float *first = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            gg_data *d = NULL;
            gg_net *net = NULL;
            gg_train_result t;
            json_t *list = json_loads(lists[l], 0, NULL);
            gg_array a = {.data = image, .dtype = GG_F32, .n_dims = 4, .shape = {IMAGES, 1, SIDE, SIDE}, .stride = {SIDE * SIDE, SIDE * SIDE, SIDE, 1}};
            assert_ok(gg_data_create(&d, ctx, &(gg_data_arrays){.x = a, .label = kind, .n_classes = 3}));
            assert_ok(gg_net_create(&net, ctx, list, &(gg_net_input){.sample = GG_SHAPE(1, SIDE, SIDE)}));
            assert_ok(gg_train(&t, net, d, NULL,
                               &(gg_train_options){.epochs = 15, .batch_size = 40, .optim = {.kind = GG_OPTIM_ADAM, .lr = 0.01}, .n_threads = threads}));
            assert_true(t.last.train_loss < (l ? 0.8 : 0.1));
            gg_params *p = gg_net_params(net);
            const size_t bytes = (size_t)gg_params_extent(p) * sizeof *first;
            if (!first) {
                first = malloc(bytes);
                memcpy(first, gg_params_value(p, -1), bytes);
            }
            assert_memory_equal(first, gg_params_value(p, -1), bytes);
            gg_net_free(net);
            gg_data_free(d);
            json_decref(list);
        }
        free(first);
    }
}

/* What a child does and is to do, in memory that it shares. */
typedef struct doomed {
    int64_t first, n, last; /* its first step, and how many it has done; of these it does not survive */
} doomed;

static void doomed_step(void *user, int64_t step, double loss)
{
    doomed *d = user;
    (void)loss;
    if (d->n++ == 0)
        d->first = step;
    if (d->n == d->last)
        kill(getpid(), SIGKILL);
    if (!d->last)
        usleep(300);
}

/* Trains in a child; after `wait` microseconds, unless it is 0, it is killed. Was it? */
static bool killed(const setting *s, unsigned wait)
{
    int status;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        gg_train_result r;
        _exit(gg_train(&r, s->net, s->part[0], s->part[1], &s->o) != GG_OK);
    }
    if (wait) {
        usleep(wait);
        kill(child, SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* SIGKILL at drawn steps and at moments of its own: the same call goes on and ends with the bits of a run that nobody disturbed. */
static void kills_change_no_bit(void **state)
{
    (void)state;
    enum { STEPS = 10 * 8 };
    float *whole = NULL;
    gg_random random = gg_random_of(11, 0);
    setting s = begin(label, NULL, mlp_drop);
    s.o.epochs = 10;
    s.o.batch_size = 48;
    gg_train_result r;
    assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
    assert_int_equal(r.last.step, STEPS);
    gg_params *p = gg_net_params(s.net);
    const size_t bytes = (size_t)gg_params_extent(p) * sizeof *whole;
    whole = malloc(bytes);
    memcpy(whole, gg_params_value(p, -1), bytes);
    doomed *d = mmap(NULL, sizeof *d, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(d != MAP_FAILED);
    s.o.folder = at("killed");
    s.o.checkpoint_seconds = -1;
    s.o.step = doomed_step;
    s.o.user = d;
    int64_t kept = 0;
    for (int round = 0; round < 12; round++) { /* the step at which it dies is not kept, those before are */
        *d = (doomed){.last = 1 + (int64_t)gg_random_below(&random, 9)};
        assert_true(killed(&s, 0));
        assert_int_equal(d->first, kept + 1);
        kept += d->last - 1;
    }
    assert_true(kept > 0 && kept < STEPS - 9);
    for (int round = 0; round < 6; round++) {
        *d = (doomed){0};
        if (!killed(&s, 1000 + (unsigned)gg_random_below(&random, 10000)))
            break;
    }
    *d = (doomed){0};
    assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
    assert_true(r.from_step >= kept);
    assert_memory_equal(whole, gg_params_value(p, -1), bytes);
    memset(gg_params_value(p, -1), 0, bytes);
    assert_ok(gg_net_load(s.net, at("killed/best.safetensors")));
    assert_memory_equal(whole, gg_params_value(p, -1), bytes);
    munmap(d, sizeof *d);
    free(whole);
    finish(&s);
}

/* The samples that choose the best epoch are part of a run: others of the same number are told. */
static void other_validation_samples_are_told(void **state)
{
    (void)state;
    gg_train_result r;
    setting s = begin(label, NULL, mlp);
    s.o.epochs = 2;
    s.o.folder = at("validated");
    assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
    s.o.epochs = 3;
    assert_int_equal(gg_train(&r, s.net, s.part[0], s.part[2], &s.o), GG_EMISMATCH);
    assert_non_null(strstr(gg_message(ctx), "the samples are others"));
    assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
    assert_int_equal(r.from_step, 2 * 12);
    finish(&s);
}

/* L-BFGS asks for the loss several times a step, and its history is part of a checkpoint. */
static void lbfgs_learns_and_goes_on(void **state)
{
    (void)state;
    float *whole = NULL;
    size_t bytes = 0;
    for (int way = 0; way < 2; way++) {
        gg_train_result r;
        setting s = begin(label, NULL, mlp);
        s.o.optim = (gg_optim_options){.kind = GG_OPTIM_LBFGS, .max_iter = 5, .history = 6, .strong_wolfe = true};
        s.o.batch_size = 360;
        s.o.epochs = way ? 4 : 12;
        s.o.folder = way ? at("lbfgs") : NULL;
        assert_ok(gg_train(&r, s.net, s.part[0], NULL, &s.o));
        if (way) {
            finish(&s);
            s = begin(label, NULL, mlp);
            s.o.optim = (gg_optim_options){.kind = GG_OPTIM_LBFGS, .max_iter = 5, .history = 6, .strong_wolfe = true};
            s.o.batch_size = 360;
            s.o.epochs = 12;
            s.o.folder = at("lbfgs");
            assert_ok(gg_train(&r, s.net, s.part[0], NULL, &s.o));
            assert_int_equal(r.from_step, 4);
        }
        assert_true(r.last.train_loss < 0.2);
        gg_params *p = gg_net_params(s.net);
        if (!way) {
            bytes = (size_t)gg_params_extent(p) * sizeof *whole;
            whole = malloc(bytes);
            memcpy(whole, gg_params_value(p, -1), bytes);
        }
        assert_memory_equal(whole, gg_params_value(p, -1), bytes);
        finish(&s);
    }
    free(whole);
}

typedef struct curve {
    double loss[100];
    int n;
} curve;
static gg_status keep_loss(void *user, const gg_epoch *e)
{
    curve *c = user;
    c->loss[c->n++] = e->val.value[GG_METRIC_LOSS];
    return GG_OK;
}

static void it_stops_early_and_keeps_the_best(void **state)
{
    (void)state;
    curve c = {{0}, 0};
    gg_train_result r;
    gg_scores val;
    setting s = begin(shuffled, NULL, mlp); /* nothing to learn: the loss on others rises */
    s.o.epochs = 100;
    s.o.patience = 4;
    s.o.look = keep_loss;
    s.o.user = &c;
    assert_ok(gg_train(&r, s.net, s.part[0], s.part[1], &s.o));
    int best = 0;
    for (int i = 1; i < c.n; i++)
        best = c.loss[i] < c.loss[best] ? i : best;
    assert_true(r.stopped_early && c.n < 100);
    assert_int_equal(r.best.epoch, best + 1);
    assert_int_equal(c.n, best + 1 + 4);
    assert_ok(gg_net_scores(&val, NULL, s.net, s.part[1], &s.o));
    assert_true(val.value[GG_METRIC_LOSS] == c.loss[best]);
    finish(&s);
}

static void a_number_that_is_not_finite_is_told_with_its_step(void **state)
{
    (void)state;
    gg_train_result r;
    setting s = begin(label, NULL, mlp);
    s.o.optim = (gg_optim_options){.kind = GG_OPTIM_SGD, .lr = 1e38};
    assert_int_equal(gg_train(&r, s.net, s.part[0], NULL, &s.o), GG_ENAN);
    assert_non_null(strstr(gg_message(ctx), "step "));
    assert_non_null(strstr(gg_message(ctx), "of training (epoch 1)"));
    finish(&s);
    s = begin(label, NULL, "[{\"layer\": \"linear\", \"n\": 8}, \"exp\", \"exp\", \"exp\", {\"layer\": \"linear\", \"n\": 3}]");
    s.o.optim = (gg_optim_options){.kind = GG_OPTIM_SGD, .lr = 1};
    assert_int_equal(gg_train(&r, s.net, s.part[0], NULL, &s.o), GG_ENAN);
    assert_non_null(strstr(gg_message(ctx), "exp"));
    finish(&s);
}

/* --- lists of layers ------------------------------------------------------------------------------------------------------------------------------- */
/* Numbers, texts of ids (no axes), rows of tokens or images. */
static gg_net_input input_of(int axes)
{
    return (gg_net_input){.sample = axes == 1   ? GG_SHAPE(6)
                                    : axes == 3 ? GG_SHAPE(1, 28, 28)
                                    : axes == 2 ? GG_SHAPE(5, 6)
                                                : GG_SHAPE(5),
                          .n_vocab = axes ? 0 : 9};
}

static void lists_are_refused_where_they_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        int axes; /* of the input: 1 (6), 3 (1, 28, 28), 2 (5, 6), 0 tokens (5) */
        const char *said;
    } cases[] = {
        {"{}", 1, "a model is a list of layers, not an object"},
        {"[]", 1, "0 layers"},
        {"[3]", 1, "/0: a layer is an object or a word, not a number"},
        {"[{}]", 1, "/0: \"layer\" or \"activation\" is needed"},
        {"[{\"layer\": \"liner\", \"n\": 3}]", 1, "/0/layer: unknown layer \"liner\"; known: linear, conv1d"},
        {"[{\"layer\": \"liner\", \"n\": 3}]", 1, "Did you mean \"linear\"?"},
        {"[\"linear\"]", 1, "/0: linear needs \"n\""},
        {"[{\"layer\": \"linear\"}]", 1, "/0: linear needs \"n\""},
        {"[{\"layer\": \"linear\", \"n\": 3, \"size\": 4}]", 1, "/0: unknown key \"size\"; known: layer, name, n, bias"},
        {"[{\"layer\": \"linear\", \"n\": 0}]", 1, "/0/n: 0 is outside its range: at least 1"},
        {"[{\"layer\": \"linear\", \"n\": 2.5}]", 1, "/0/n: a whole number is needed, not 2.5"},
        {"[{\"layer\": \"linear\", \"n\": \"8\"}]", 1, "/0/n: a whole number is needed, not a text"},
        {"[{\"layer\": \"linear\", \"n\": 3, \"out_features\": 3}]", 1, "/0/out_features: the same as \"n\", which is given too"},
        {"[{\"layer\": \"linear\", \"n\": 3, \"bias\": 1}]", 1, "/0/bias: true or false is needed, not a number"},
        {"[\"relu\", {\"activation\": \"linear\"}]", 1, "/1/activation: unknown activation \"linear\"; known: relu"},
        {"[{\"layer\": \"dropout\", \"p\": 1}]", 1, "/0/p: 1 is outside its range: at least 0 and below 1"},
        {"[{\"layer\": \"conv2d\", \"n\": 3, \"kernel\": 3}]", 1, "/0: conv2d 0 of (1, 6): (N, C, H, W) is needed"},
        {"[{\"layer\": \"conv2d\", \"n\": 3, \"kernel\": 40}]", 3, "/0: conv of (1, 1, 28, 28) by (3, 1, 40, 40)"},
        {"[{\"layer\": \"conv2d\", \"n\": 3, \"kernel\": 2, \"padding\": \"same\"}]", 3, "/0: padding \"same\" needs stride 1"},
        {"[{\"layer\": \"conv2d\", \"n\": 3, \"kernel\": 3, \"padding\": \"both\"}]", 3, "/0/padding: unknown word \"both\"; known: same, valid"},
        {"[{\"layer\": \"conv2d\", \"n\": 3, \"kernel\": [3, 3, 3]}]", 3, "/0/kernel: one whole number or two are needed, not 3"},
        {"[{\"layer\": \"conv2d\", \"n\": 3, \"kernel\": [3, 0]}]", 3, "/0/kernel/1: 0 is outside"},
        {"[\"flatten\", {\"layer\": \"max_pool2d\", \"kernel\": 2}]", 3, "/1: max_pool2d of (1, 784): (N, C, H, W) is needed"},
        {"[{\"layer\": \"unflatten\", \"shape\": [2, 2]}]", 1, "/0: "},
        {"[{\"layer\": \"unflatten\", \"shape\": [2, 0]}]", 1, "/0/shape: 0 is no length"},
        {"[{\"layer\": \"embedding\", \"n\": 4}]", 1, "/0: embedding of numbers (1, 6): token ids are needed"},
        {"[{\"layer\": \"linear\", \"n\": 4}]", 0, "/0: linear of token ids: an embedding comes first"},
        {"[{\"layer\": \"embedding\", \"n\": 4, \"rows\": 5}]", 0, "/0: embedding of 5 tokens: the data have 9"},
        {"[{\"layer\": \"lstm\", \"n\": 4}]", 1, "/0: lstm of (1, 6): (N, T, K) is needed"},
        {"[{\"layer\": \"lstm\", \"n\": 4, \"output\": \"all\"}]", 2, "/0/output: unknown word \"all\"; known: last, sequence"},
        {"[{\"layer\": \"block\", \"heads\": 4}]", 2, "/0: block 0 of (1, 5, 6) with 4 heads"},
        {"[{\"layer\": \"residual\", \"model\": [{\"layer\": \"linear\", \"n\": 4}]}]", 1, "/0: residual: (1, 6) comes in and (1, 4) out"},
        {"[{\"layer\": \"residual\", \"model\": [{\"layer\": \"linear\"}]}]", 1, "/0/model/0: linear needs \"n\""},
        {"[{\"layer\": \"linear\", \"n\": 4, \"name\": \"a\"}, {\"layer\": \"linear\", \"n\": 4, \"name\": \"a\"}]", 1,
         "/1: its name \"a\" is that of layer 0 too"},
        {"[{\"layer\": \"linear\", \"n\": 4, \"name\": \"\"}]", 1, "/0/name: a name is a text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gg_net *net = NULL;
        json_t *list = json_loads(cases[i].list, 0, NULL);
        assert_non_null(list);
        const gg_net_input in = input_of(cases[i].axes);
        assert_int_equal(gg_net_create(&net, ctx, list, &in), GG_EINVAL);
        if (!strstr(gg_message(ctx), cases[i].said))
            fail_msg("case %zu, %s: \"%s\", not \"%s\"", i, cases[i].list, gg_message(ctx), cases[i].said);
        json_decref(list);
    }
}

/* Every layer once: what it gives and holds, and that it runs forwards and back with numbers that are finite. */
static void every_layer_gives_the_shape_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        int axes;
        const char *shape;
        int64_t n_params;
    } cases[] = {
        {"[{\"layer\": \"linear\", \"n\": 4, \"bias\": false}]", 1, "4", 24},
        {"[{\"layer\": \"conv2d\", \"n\": 4, \"kernel\": [3, 5], \"stride\": 2, \"padding\": [1, 2], \"groups\": 1}, \"relu6\"]", 3, "4 14 14", 64},
        {"[{\"layer\": \"conv2d\", \"n\": 4, \"kernel\": 3, \"padding\": \"same\", \"dilation\": 2}, {\"layer\": \"batch_norm\"}, {\"layer\": \"group_norm\", "
         "\"groups\": 2}]",
         3, "4 28 28", 56},
        {"[{\"layer\": \"conv_transpose2d\", \"n\": 2, \"kernel\": 2, \"stride\": 2}, {\"layer\": \"adaptive_avg_pool2d\", \"n\": [3, 2]}]", 3, "2 3 2", 10},
        {"[{\"layer\": \"max_pool2d\", \"kernel\": 2}, {\"layer\": \"avg_pool2d\", \"kernel\": 2, \"stride\": 1}, {\"layer\": \"global_max_pool\"}]", 3, "1",
         0},
        {"[{\"layer\": \"adaptive_max_pool2d\", \"n\": 4}, \"flatten\", {\"layer\": \"unflatten\", \"shape\": [2, -1]}]", 3, "2 8", 0},
        {"[\"transpose\", {\"layer\": \"conv1d\", \"n\": 4, \"kernel\": 3, \"causal\": true}, {\"layer\": \"max_pool1d\", \"kernel\": 2}, \"global_avg_pool\"]",
         2, "4", 76},
        {"[{\"layer\": \"conv1d\", \"n\": 4, \"kernel\": 3}, {\"layer\": \"conv_transpose1d\", \"n\": 2, \"kernel\": 3}, {\"layer\": \"adaptive_avg_pool1d\", "
         "\"n\": 3}]",
         2, "2 3", 90},
        {"[{\"layer\": \"rnn\", \"n\": 3, \"nonlinearity\": \"relu\"}]", 2, "3", 33},
        {"[{\"layer\": \"gru\", \"n\": 3, \"output\": \"sequence\"}, {\"layer\": \"mean\", \"axis\": 1}]", 2, "3", 99},
        {"[{\"layer\": \"lstm\", \"hidden_size\": 3, \"output\": \"sequence\"}, {\"layer\": \"max\", \"dim\": -2}]", 2, "3", 132},
        {"[{\"layer\": \"positional_embedding\"}, {\"layer\": \"block\", \"heads\": 2, \"d_ff\": 8}, {\"layer\": \"layer_norm\"}, {\"layer\": \"rms_norm\"}]",
         2, "5 6", 30 + 168 + 8 * 6 + 14 + 12 + 12 + 6 + 24 + 24},
        {"[{\"layer\": \"transformer_encoder_layer\", \"nhead\": 3, \"dim_feedforward\": 8, \"norm_first\": true, \"inner\": \"gelu\"}]", 2, "5 6",
         168 + 104 + 6 + 24},
        {"[{\"layer\": \"residual\", \"model\": [{\"layer\": \"linear\", \"n\": 6}, \"gelu\"]}, {\"activation\": \"leaky_relu\", \"slope\": 0.2}, "
         "{\"activation\": \"elu\"}]",
         1, "6", 42},
        {"[{\"layer\": \"embedding\", \"embedding_dim\": 4}, {\"layer\": \"dropout\"}, \"flatten\"]", 0, "20", 36},
        {"[\"gelu_tanh\", \"silu\", \"tanh\", \"sigmoid\", \"softplus\", \"softmax\", \"log_softmax\", \"exp\", \"sin\", \"abs\", \"square\", \"selu\", "
         "\"hard_sigmoid\", \"hard_swish\", \"mish\"]",
         1, "6", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gg_net *net = NULL;
        gg_graph *g = NULL;
        char shape[64] = "";
        int64_t n_params = 0;
        json_t *list = json_loads(cases[i].list, 0, NULL);
        assert_non_null(list);
        const gg_net_input in = input_of(cases[i].axes);
        if (gg_net_create(&net, ctx, list, &in) != GG_OK)
            fail_msg("case %zu: %s", i, gg_message(ctx));
        const gg_shape out = gg_net_shape(net);
        for (int k = 0; k < out.n; k++)
            snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%lld", k ? " " : "", (long long)out.d[k]);
        for (int k = 0; k < gg_net_count(net); k++)
            n_params += gg_net_at(net, k)->n_params;
        if (strcmp(shape, cases[i].shape) != 0 || (cases[i].n_params != n_params && !strstr(cases[i].list, "block")))
            fail_msg("case %zu: %s and %lld parameters, not %s and %lld", i, shape, (long long)n_params, cases[i].shape, (long long)cases[i].n_params);
        assert_ok(gg_graph_create(&g, ctx, NULL));
        gg_shape batch = {.n = in.sample.n + 1, .d = {3}};
        memcpy(batch.d + 1, in.sample.d, (size_t)in.sample.n * sizeof *batch.d);
        gg_var *v = cases[i].axes ? gg_graph_input(g, "x", batch) : gg_graph_index(g, "x", batch), *y = gg_net_output(net, g, v);
        gg_var *loss = gg_var_mean(gg_var_square(y), GG_ALL_AXES, false);
        gg_graph_backward(loss);
        assert_ok(gg_graph_plan(g, (gg_var *const[]){y, loss}, 2));
        assert_ok(gg_nn_init(gg_net_params(net), 4));
        gg_graph_set_training(g, true, 1);
        if (cases[i].axes)
            for (int64_t k = 0; k < gg_var_size(v); k++)
                ((float *)gg_var_data(v))[k] = x[k % (N * (F - 1))] / 10;
        assert_ok(gg_graph_run_checked(g));
        assert_int_equal(gg_var_shape(y).d[0], 3);
        gg_graph_free(g);
        gg_net_free(net);
        json_decref(list);
    }
}

static void files_of_other_nets_are_told_apart(void **state)
{
    (void)state;
    gg_net *a = net_of(mlp), *b = net_of("[{\"layer\": \"linear\", \"n\": 16}, \"tanh\", {\"layer\": \"linear\", \"n\": 3}, {\"layer\": \"layer_norm\"}]");
    assert_ok(gg_nn_init(gg_net_params(a), 1));
    assert_ok(gg_net_save(a, at("a.safetensors")));
    assert_int_equal(gg_net_load(b, at("a.safetensors")), GG_EMISMATCH);
    assert_non_null(strstr(gg_message(ctx), "0.weight is F32 (32, 6) there, the model needs F32 (16, 6)"));
    assert_non_null(strstr(gg_message(ctx), "3.weight (3,) is missing"));
    gg_net_free(b);
    b = net_of("[{\"layer\": \"linear\", \"n\": 32}]");
    assert_int_equal(gg_net_load(b, at("a.safetensors")), GG_EMISMATCH);
    assert_non_null(strstr(gg_message(ctx), "2.weight is there, the model has no such parameter"));
    gg_net_free(b);
    b = net_of(mlp);
    assert_ok(gg_nn_init(gg_net_params(b), 2));
    assert_ok(gg_net_load(b, at("a.safetensors")));
    assert_memory_equal(gg_params_value(gg_net_params(a), -1), gg_params_value(gg_net_params(b), -1),
                        (size_t)gg_params_extent(gg_net_params(a)) * sizeof(float));
    gg_net_free(a);
    gg_net_free(b);
}

/* --- model.json ------------------------------------------------------------------------------------------------------------------------------------ */
static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static int n_tried;
/* Opens the folder with each part of j in turn missing, or something else; none may do harm, and what opens can be asked. */
static void with_parts_changed(json_t *whole, json_t *j)
{
    static const char *const other[] = {"null", "-1", "1e300", "\"x\"", "[]", "{}", "[[3]]", "true"};
    const bool object = json_is_object(j);
    const size_t n = object ? json_object_size(j) : json_array_size(j);
    for (size_t i = 0; i < n; i++) {
        void *at_key = object ? json_object_iter(j) : NULL;
        for (size_t k = 0; k < i && at_key; k++)
            at_key = json_object_iter_next(j, at_key);
        const char *key = object ? json_object_iter_key(at_key) : NULL;
        json_t *was = json_incref(object ? json_object_iter_value(at_key) : json_array_get(j, i));
        for (size_t k = 0; k < sizeof other / sizeof *other; k++) {
            json_t *now = json_loads(other[k], JSON_DECODE_ANY, NULL);
            gg_trained *m = NULL;
            gg_data *d = NULL;
            if (object)
                json_object_set_new(j, key, now);
            else
                json_array_set_new(j, i, now);
            char *text = json_dumps(whole, 0);
            write_text(at("trained/model.json"), text);
            free(text);
            const gg_status s = gg_trained_open(&m, ctx, at("trained"), NULL);
            if (s == GG_OK) {
                float p[40 * 64];
                const gg_shape out = gg_net_shape(gg_trained_net(m));
                if (gg_trained_data(&d, m, at("table.csv"), false) == GG_OK && out.n == 1 && out.d[0] <= 64)
                    gg_net_predict(p, gg_trained_net(m), d, gg_trained_options(m));
            } else {
                assert_true(*gg_message(ctx) != 0);
            }
            gg_data_free(d);
            gg_trained_free(m);
            n_tried++;
            if (object)
                json_object_set(j, key, was);
            else
                json_array_set(j, i, was);
        }
        if (json_is_object(was) || json_is_array(was))
            with_parts_changed(whole, was);
        json_decref(was);
    }
}

static void any_part_of_a_models_file_may_be_damaged(void **state)
{
    (void)state;
    char table[4096] = "a,b,kind\n";
    for (int i = 0; i < 40; i++)
        snprintf(table + strlen(table), sizeof table - strlen(table), "%d,%s,%s\n", i % 7, i % 3 ? "red" : "blue", i % 7 > 3 ? "ant" : "bee");
    write_text(at("table.csv"), table);
    write_text(at("trained.json"), "{\"data\": {\"train\": \"table.csv\", \"validation\": 0.2}, \"model\": [{\"layer\": \"linear\", \"n\": 4}, \"relu\", "
                                   "{\"layer\": \"linear\", \"n\": 2}],"
                                   "\"loss\": \"cross_entropy\", \"optimizer\": \"adam\", \"training\": {\"epochs\": 2}}");
    gg_trainer *t = NULL;
    gg_train_result r;
    assert_ok(gg_trainer_open(&t, ctx, at("trained.json"), &(gg_trainer_options){.folder = at("trained")}));
    assert_ok(gg_trainer_run(&r, t, NULL, NULL, NULL));
    gg_trainer_free(t);
    json_t *whole = json_load_file(at("trained/model.json"), 0, NULL);
    assert_non_null(whole);
    with_parts_changed(whole, whole);
    assert_true(n_tried > 200);
    json_decref(whole);
}

#define SMALL_RUN "\"optimizer\": \"adam\", \"training\": {\"epochs\": 2}}"

/* Values that are all the same are moved to 0 and not divided: their sum in parts is not exact, and would leave 1e-17 to divide by. */
static void a_constant_value_is_not_divided(void **state)
{
    (void)state;
    char table[8192] = "a,y\n";
    for (int i = 0; i < 300; i++)
        snprintf(table + strlen(table), sizeof table - strlen(table), "%d,0.1\n", i % 7);
    write_text(at("constant.csv"), table);
    write_text(at("constant.json"),
               "{\"data\": {\"train\": \"constant.csv\", \"scale_target\": true},"
               "\"model\": [{\"layer\": \"linear\", \"n\": 1}], \"loss\": \"mse\"," SMALL_RUN);
    gg_trainer *t = NULL;
    assert_ok(gg_trainer_open(&t, ctx, at("constant.json"), NULL));
    assert_true(gg_trainer_plan(t)->value_scale[0] == 1 && gg_trainer_plan(t)->value_shift[0] == (double)0.1f);
    gg_trainer_free(t);
}

/* A .npy of samples has its targets in another file: each part in its own, never that of the training part. */
static void targets_of_npy_files_are_their_own(void **state)
{
    (void)state;
    gg_trainer *t = NULL;
    gg_trained *m = NULL;
    gg_data *d = NULL;
    gg_train_result r;
    int32_t other[N], said[N];
    for (int i = 0; i < N; i++)
        other[i] = 2 - label[i];
    assert_ok(gg_npy_write(ctx, at("x.npy"), GG_F32, 2, (const int64_t[]){N, F}, x));
    assert_ok(gg_npy_write(ctx, at("y.npy"), GG_I32, 1, (const int64_t[]){N}, label));
    assert_ok(gg_npy_write(ctx, at("other.npy"), GG_I32, 1, (const int64_t[]){N}, other));
    write_text(at("npy.json"), "{\"data\": {\"train\": \"x.npy\", \"y\": \"y.npy\"}, \"model\": [{\"layer\": \"linear\", \"n\": 3}],"
                               "\"loss\": \"cross_entropy\"," SMALL_RUN);
    for (int test = 0; test < 2; test++) {
        const char *const bare[] = {test ? "data.test=x.npy" : "data.validation=x.npy"};
        const char *const whole[] = {bare[0], test ? "data.test_labels=other.npy" : "data.validation_labels=other.npy"};
        assert_int_equal(gg_trainer_open(&t, ctx, at("npy.json"), &(gg_trainer_options){.set = bare, .n_set = 1}), GG_EINVAL);
        assert_non_null(strstr(gg_message(ctx), test ? "name their file, \"test_labels\"" : "name their file, \"validation_labels\""));
        assert_ok(gg_trainer_open(&t, ctx, at("npy.json"), &(gg_trainer_options){.set = whole, .n_set = 2}));
        assert_ok(gg_data_labels(said, gg_trainer_data(t, test ? GG_PART_TEST : GG_PART_VALIDATION), NULL, N));
        assert_memory_equal(said, other, sizeof other);
        gg_trainer_free(t);
    }
    const char *const labels[] = {"data.y=null", "data.labels=other.npy"};
    assert_ok(gg_trainer_open(&t, ctx, at("npy.json"), &(gg_trainer_options){.set = labels, .n_set = 2, .folder = at("npy")}));
    assert_ok(gg_data_labels(said, gg_trainer_data(t, GG_PART_TRAIN), NULL, N));
    assert_memory_equal(said, other, sizeof other);
    gg_trainer_free(t);
    assert_ok(gg_trainer_open(&t, ctx, at("npy.json"), &(gg_trainer_options){.folder = at("npy")}));
    assert_ok(gg_trainer_run(&r, t, NULL, NULL, NULL));
    gg_trainer_free(t);
    assert_ok(gg_trained_open(&m, ctx, at("npy"), NULL));
    assert_int_equal(gg_trained_data(&d, m, at("x.npy"), true), GG_ENOENT);
    assert_non_null(strstr(gg_message(ctx), "put them and the samples into one .npz"));
    assert_ok(gg_trained_data(&d, m, at("x.npy"), false));
    gg_data_free(d);
    gg_trained_free(m);
}

static void runs_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    gg_train_result r;
    setting s = begin(label, NULL, mlp);
    s.o.epochs = 0;
    assert_int_equal(gg_train(&r, s.net, s.part[0], NULL, &s.o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "no epochs and no steps"));
    s.o.epochs = 1;
    s.o.loss.kind = GG_LOSS_MSE;
    assert_int_equal(gg_train(&r, s.net, s.part[0], NULL, &s.o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "the loss mse learns values: mse, mae, huber, the data have classes"));
    s.o.loss.kind = GG_LOSS_BCE_WITH_LOGITS;
    assert_int_equal(gg_train(&r, s.net, s.part[0], NULL, &s.o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "tells two classes apart, the data have 3"));
    s.o.loss = (gg_loss){.class_weight = (const double[]){1, -1, 1}};
    assert_int_equal(gg_train(&r, s.net, s.part[0], NULL, &s.o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "the weight of class 1 is -1"));
    s.o.loss = (gg_loss){.kind = GG_LOSS_CROSS_ENTROPY};
    s.o.metric = GG_METRIC_R2;
    assert_int_equal(gg_train(&r, s.net, s.part[0], s.part[1], &s.o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "by r2, which such data do not have"));
    gg_net *other = net_of("[{\"layer\": \"linear\", \"n\": 4}]");
    assert_int_equal(gg_train(&r, other, s.part[0], NULL, &s.o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "the last layer gives (4,) for each sample, the data have 3 classes: (3,) is needed"));
    gg_net_free(other);
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_classes_are_learned_and_shuffled_ones_are_not),
        cmocka_unit_test(planted_values_are_learned_in_their_own_units),
        cmocka_unit_test(threads_and_stops_change_no_bit),
        cmocka_unit_test(a_stop_after_the_last_step_loses_nothing),
        cmocka_unit_test(images_and_times_give_the_same_bits_with_any_threads),
        cmocka_unit_test(kills_change_no_bit),
        cmocka_unit_test(other_validation_samples_are_told),
        cmocka_unit_test(lbfgs_learns_and_goes_on),
        cmocka_unit_test(it_stops_early_and_keeps_the_best),
        cmocka_unit_test(a_number_that_is_not_finite_is_told_with_its_step),
        cmocka_unit_test(lists_are_refused_where_they_are_wrong),
        cmocka_unit_test(every_layer_gives_the_shape_it_says),
        cmocka_unit_test(files_of_other_nets_are_told_apart),
        cmocka_unit_test(any_part_of_a_models_file_may_be_damaged),
        cmocka_unit_test(a_constant_value_is_not_divided),
        cmocka_unit_test(targets_of_npy_files_are_their_own),
        cmocka_unit_test(runs_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, end_folder);
}
