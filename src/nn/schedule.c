/* Schedules of the learning rate. cosine: Loshchilov & Hutter 2017, one descent. one_cycle: Smith & Topin 2018, as torch's OneCycleLR with
 * its defaults (cosine both ways, from lr / 25 to lr to lr / 25e4). plateau: torch's ReduceLROnPlateau, mode "min", threshold "rel". */
#include <golgi/optim.h>
#include <math.h>

static const char *const names[] = {
#define GG_X(code, name) #name,
    GG_SCHEDULE_MAP(GG_X)
#undef GG_X
};
const char *gg_schedule_name(gg_schedule_kind k) { return names[k]; }

static double or_else(double x, double otherwise) { return x == 0 ? otherwise : x; }

/* From a at part 0 to b at part 1. */
static double along_cosine(double a, double b, double part) { return b + (a - b) * 0.5 * (1 + cos(M_PI * part)); }

static double one_cycle(const gg_schedule *s, int64_t step)
{
    const double peak = or_else(s->rise, 0.3) * (double)s->steps - 1, end = (double)s->steps - 1, at = (double)step < end ? (double)step : end;
    const double first = s->lr / 25, last = or_else(s->lr_min, s->lr / 25e4);
    return at <= peak ? along_cosine(first, s->lr, peak > 0 ? at / peak : 1) : along_cosine(s->lr, last, end > peak ? (at - peak) / (end - peak) : 1);
}

double gg_schedule_at(const gg_schedule *s, int64_t step)
{
    if (step < s->warmup)
        return s->lr * (double)(step + 1) / (double)s->warmup;
    const int64_t since = step - s->warmup, every = s->steps > 0 ? s->steps : 1;
    switch (s->kind) {
    case GG_SCHEDULE_STEP: return s->lr * pow(or_else(s->gamma, 0.1), (double)(since / every));
    case GG_SCHEDULE_EXPONENTIAL: return s->lr * pow(or_else(s->gamma, 0.99), (double)since / (double)every);
    case GG_SCHEDULE_COSINE: {
        const double span = (double)(s->steps - s->warmup);
        return along_cosine(s->lr, s->lr_min, span > 0 && (double)since < span ? (double)since / span : 1);
    }
    case GG_SCHEDULE_ONE_CYCLE: return one_cycle(s, step);
    case GG_SCHEDULE_PLATEAU: return fmax(s->lr * or_else(s->factor, 1), s->lr_min);
    default: return s->lr;
    }
}

void gg_schedule_look(gg_schedule *s, double value)
{
    if (s->kind != GG_SCHEDULE_PLATEAU || isnan(value) || (s->factor == 0 && isinf(value))) /* such a score says nothing, or is no first best to compare with */
        return;
    if (s->factor == 0) { /* the first look */
        s->factor = 1;
        s->best = value;
        return;
    }
    const double gain = or_else(s->threshold, 1e-4);
    if (value < s->best - gain * fabs(s->best)) {
        s->best = value;
        s->looks = 0;
    } else if (++s->looks > (s->patience > 0 ? s->patience : 10)) {
        s->factor *= or_else(s->gamma, 0.1);
        s->looks = 0;
    }
}
