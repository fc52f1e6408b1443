/* Integrates a queue of patients, W at a time. Each lane has its own time, step, doses and events; a lane that is done takes
 * the next patient. Nothing that one lane computes enters another. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdlib.h>

enum { DOSE = 1, EVENT = 2 };
enum { OK = 0, STOPPED = 1, FAILED = 2 };
enum { FINE = 0, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE, ENDLESS_EVENTS };
#define CROWD 1000  /* so many events in a row, */
#define CLOSE 1e-9  /* each within this share of the job, come to no end */
enum { IN_X = 0, IN_Z = 1, IN_Q = 2 };
enum { ADD_X = 0, ADD_Z = 1, SET_RATE = 2, INPUT_TURNS = 3, INPUT_JUMPS = 4 };

/* The same fields in the same order as in batch.py. */
struct job {
    int64_t n, nt, nout, npz, npx, nslot, nstate, max_steps;
    const double *times, *z_default, *pz, *px, *action_time, *action_value, *stop_value, *until, *atol;
    const int32_t *pz_index, *px_index, *action_index, *slot_state, *out_index, *final_index, *gone_index;
    const int32_t *action_kind, *out_kind, *final_kind;
    const int64_t *action_row, *action_start;
    const unsigned char *z_fixed, *x_fixed, *need, *stop_need, *initial_trigger;
    double rtol, foresight;
    int64_t stop_kind, stop_index, stop_rising, has_stop, ngone;
    double *values, *final, *end_time;
    int64_t *steps, *rejected;
    int8_t *status, *coarse, *unseen;
    int32_t *code;
    int64_t *next, *done;
    const int32_t *cancel;
    double *sensitivities; /* n * nt * nout * parameters, or nothing */
};

#define NTRIGGER (NEVENT + NSWITCH)
#define PATTERNS 8       /* patterns of doses that a lane remembers; the oldest makes room */
#define TELLING 1e-3     /* error, as a share of the tolerance, from which a step says how long the next may be */
#define FASTEST_START 1e3 /* growth of a young step */

struct lanes {
    const struct job *job;
    struct rates_in in;
    int64_t id[W], action[W], action_end[W], out[W], taken[W], refused[W];
    double end[W], stop_at[W];
    int64_t crowd[W];      /* events in a row, each close behind the one before */
    double last_event[W];
    int fresh[W]; /* a discontinuity lies behind: choose a new step; EVENT: the step before may still do */
    int shy[W];   /* the step before was refused: do not grow */
    int young[W]; /* a step was chosen anew, and none since has shown an error that tells how long steps may be */
    uint64_t pattern[W];              /* what the last doses did, whatever their amounts; 0: something else */
    uint64_t met[W][PATTERNS];        /* patterns of this patient so far */
    double usual[W][PATTERNS];        /* the first step to try after each */
    int met_next[W];
    V t, h, lo, hi;
    V x[SPAN(NX)], y[SPAN(NX)], xd[SPAN(NX)], fix[SPAN(NX)], r[SPAN(NX)], slope[SPAN(NX)];
    V atol[SPAN(NX)], top[SPAN(NX)]; /* error allowed whatever the size; largest size so far */
    double share[SPAN(NX)];          /* of that size, which atol follows; 0 where the job gives atol itself */
    int learns;
    V k[SPAN(NX) * STAGES], d[SPAN(NX) * DENSE], lu[SPAN(NLU)];
    V z[SPAN(NZ)], zs[SPAN(NZ)], c[SPAN(NC)], q[SPAN(NQ)];
    V was[SPAN(NTRIGGER)], is[SPAN(NTRIGGER)], values[SPAN(NEVENT) * LONGEST_EVENT], moment[SPAN(NBREAK)];
#ifdef NSENS
    V s[SPAN(NSENS * NX)], sy[SPAN(NSENS * NX)], sd[SPAN(NSENS * NX) * DENSE], l[SPAN(NSENS * NX) * STAGES];
    V dz[SPAN(NSENS * NDZ)], so[SPAN(NOUT * NSENS)];
#endif
    V rate[]; /* one for each infused state */
};

#include "sensitivity.h"

static inline double value_of(struct lanes *s, int32_t kind, int32_t index, const V *x, int l) {
    return kind == IN_X ? LANE(x[index], l) : kind == IN_Z ? LANE(s->z[index], l) : LANE(s->q[index], l);
}

static void write_row(struct lanes *s, const V *x, int l) {
    const struct job *j = s->job;
    double *row = j->values + (s->id[l] * j->nt + s->out[l]) * j->nout;
    for (int64_t o = 0; o < j->nout; o++) row[o] = value_of(s, j->out_kind[o], j->out_index[o], x, l);
    sens_row(s, s->id[l] * j->nt + s->out[l], l);
    s->out[l]++;
}

/* Were all states larger than the error that their tolerance allows? A bound on the error that came from a forecast and
 * turned out too wide marks the patient, one that the job gave marks the state. */
static void resolved(struct lanes *s, int l) {
    const struct job *j = s->job;
    for (int i = 0; i < NX; i++) {
        double top = LANE(s->top[i], l), atol = LANE(s->atol[i], l);
        if (top == 0.0) continue;
        if (s->share[i] > 0.0 && atol > 0.1 * j->rtol * top) j->coarse[s->id[l]] = 1;
        if (s->share[i] == 0.0 && j->atol[i] > 0.1 * top) j->unseen[i] = 1;
    }
}

static void finish(struct lanes *s, int l, int status, int code) {
    const struct job *j = s->job;
    int64_t id = s->id[l];
    resolved(s, l);
    double *end = j->values + (id + 1) * j->nt * j->nout;
    for (double *v = j->values + (id * j->nt + s->out[l]) * j->nout; v < end; v++) *v = NAN;
    for (int64_t i = 0; i < j->nstate; i++)
        j->final[id * j->nstate + i] = value_of(s, j->final_kind[i], j->final_index[i], s->x, l);
    j->end_time[id] = LANE(s->t, l);
    j->steps[id] = s->taken[l];
    j->rejected[id] = s->refused[l];
    j->status[id] = (int8_t)status;
    j->code[id] = code;
    s->id[l] = -1;
    __atomic_fetch_add(j->done, 1, __ATOMIC_RELAXED);
}

static int beyond(struct lanes *s, const V *x, int l) {
    const struct job *j = s->job;
    double v = value_of(s, (int32_t)j->stop_kind, (int32_t)j->stop_index, x, l), limit = j->stop_value[s->id[l]];
    return j->stop_rising ? v >= limit : v <= limit;
}

/* Are all states zero without which nothing comes back? The rest of the patient's time is then not integrated. */
static int gone(const struct lanes *s, int l) {
    const struct job *j = s->job;
    for (int64_t i = 0; i < j->ngone; i++)
        if (LANE(s->x[j->gone_index[i]], l) != 0.0) return 0;
    return j->ngone > 0;
}

#define LEAST 1e-140 /* smallest weight: the product of two is still a normal number */

/* The tolerance of a state follows the largest size that it has had, so that no unit is finer than another. */
static void learn(struct lanes *s, const V *x, I which) {
    for (int i = 0; i < NX; i++) {
        V size = v_abs(x[i]);
        s->top[i] = pick(which & MASK(size > s->top[i]), size, s->top[i]);
        if (s->share[i] == 0.0) continue;
        V least = all(s->share[i]) * s->top[i];
        s->atol[i] = pick(which & MASK(least > s->atol[i]), least, s->atol[i]);
    }
}

/* A size for states that are zero and have never been anything else: the largest of a few linearised implicit Euler steps,
 * each far longer than the one before, up to the end. Without it a state that grows like a power of time would be asked for
 * digits that no step, however small, can give. A forecast that was far too large is noticed at the end (`resolved`). */
static void foresee(struct lanes *s, const int *which) {
    int wanted = 0;
    I open = {0};
    V span = all(1.0);
    for (int l = 0; l < W; l++) {
        if (!which[l]) continue;
        LANE(span, l) = s->end[l] - LANE(s->t, l);
        if (!(LANE(span, l) > 0.0)) continue;
        MLANE(open, l) = -1;
        for (int i = 0; i < NX; i++) wanted |= s->share[i] > 0.0 && LANE(s->atol[i], l) == 0.0;
    }
    if (!wanted) return;
    V growth;
    for (int i = 0; i < NX; i++) s->xd[i] = s->x[i], s->y[i] = all(0.0);
    for (int round = 0; round < 5; round++) {
        V h = span * all(round == 0 ? 1e-9 : round == 1 ? 1e-6 : round == 2 ? 1e-4 : round == 3 ? 1e-2 : 1.0);
        for (int i = 0; i < NX; i++) s->r[i] = all(0.0);
        infuse(&s->in, s->r);
        first_stage(s->xd, s->z, s->c, within(s->t, s->lo, s->hi), all(1.0) / h, all(0.0), s->r, s->slope, s->lu, s->k,
                    &growth);
        for (int i = 0; i < NX; i++) {
            V size = v_abs(s->xd[i] + s->k[i]);
            I good = MASK(size < all(1e200));
            s->xd[i] = pick(good, s->xd[i] + s->k[i], s->xd[i]);
            s->y[i] = pick(good & MASK(size > s->y[i]), size, s->y[i]);
        }
    }
    for (int i = 0; i < NX; i++) {
        if (s->share[i] == 0.0) continue;
        V least = all(s->share[i] * s->job->foresight) * s->y[i];
        s->atol[i] = pick(open & MASK(s->atol[i] == all(0.0)), least, s->atol[i]);
    }
}

/* Root mean square of v over the weights at x and y. Two states share a division. */
static V norm(struct lanes *s, const V *v, const V *x, const V *y) {
    V sum = all(0.0), rtol = all(s->job->rtol);
    for (int i = 0; i < NX; i += 2) {
        int m = i + 1 < NX ? i + 1 : i;
        V a = v_abs(x[i]), b = v_abs(y[i]), d = v_abs(x[m]), e = v_abs(y[m]);
        V p = v_fma(rtol, pick(MASK(a > b), a, b), s->atol[i]) + all(LEAST);
        V q = v_fma(rtol, pick(MASK(d > e), d, e), s->atol[m]) + all(LEAST);
        V both = all(1.0) / (p * q);
        V f = v[i] * q * both, g = v[m] * p * both;
        sum = v_fma(f, f, sum);
        if (m > i) sum = v_fma(g, g, sum);
    }
    return v_sqrt(sum * all(1.0 / SPAN(NX)));
}

/* A first step for lanes that start afresh: one hundredth of the time in which the weighted state would move by itself. */
static void choose_steps(struct lanes *s) {
    int wanted = 0;
    for (int l = 0; l < W; l++) wanted |= s->id[l] >= 0 && s->fresh[l];
    if (!wanted) return;
    int fresh[W];
    I which;
    for (int l = 0; l < W; l++) {
        fresh[l] = s->id[l] >= 0 && s->fresh[l];
        MLANE(which, l) = fresh[l] ? -1 : 0;
    }
    learn(s, s->x, which);
    if (s->learns) foresee(s, fresh);
    rates(s->x, s->z, s->c, within(s->t, s->lo, s->hi), s->r);
    infuse(&s->in, s->r);
    V size = norm(s, s->x, s->x, s->x), speed = norm(s, s->r, s->x, s->x);
    for (int l = 0; l < W; l++) {
        if (s->id[l] < 0 || !s->fresh[l]) continue;
        int reason = s->fresh[l];
        s->fresh[l] = 0;
        double span = s->end[l] - LANE(s->t, l), a = LANE(size, l), b = LANE(speed, l);
        if (!(b < INFINITY)) { /* also NaN */
            finish(s, l, FAILED, NOT_FINITE);
            continue;
        }
        double h = b * span > 1e-5 * (a + 1.0) ? 0.01 * (a + 1e-3) / b : span * 1e-3;
        s->young[l] = reason == DOSE;
        if (reason == DOSE && s->pattern[l])
            for (int p = 0; p < PATTERNS; p++)
                if (s->met[l][p] == s->pattern[l]) h = s->usual[l][p];
        if (reason == EVENT) { /* many events change little: then the step before them is kept */
            double before = LANE(s->h, l);
            h = 30.0 * h < before ? 30.0 * h : before;
        }
        LANE(s->h, l) = h < span ? h : span;
    }
}

/* Everything that happens at a point where lanes have arrived: doses, events, stop, output, the next point to step onto. */
static void settle(struct lanes *s, const int *arrived) {
    const struct job *j = s->job;
    int moved = 0;
    for (int l = 0; l < W; l++) {
        if (!arrived[l]) continue;
        double now = LANE(s->t, l);
        s->pattern[l] = 0;
        for (; s->action[l] < s->action_end[l] && j->action_time[s->action[l]] <= now; s->action[l]++) {
            int32_t index = j->action_index[s->action[l]];
            double v = j->action_value[s->action[l]];
            switch (j->action_kind[s->action[l]]) {
            case ADD_X: LANE(s->x[index], l) += v; break;
            case ADD_Z: LANE(s->z[index], l) += v; moved = 1; break;
            case INPUT_TURNS: continue; /* stepped onto so that it is seen; nothing jumps */
            case INPUT_JUMPS: break;
            default: LANE(s->rate[index], l) = v;
            }
            s->fresh[l] = DOSE;
            uint64_t what = (uint64_t)(index * 6 + j->action_kind[s->action[l]] * 2 + (v != 0.0)) + 1;
            s->pattern[l] = (s->pattern[l] ^ what) * 1099511628211u + 1; /* as FNV-1a does with bytes */
        }
    }
    if (moved) hoist(s->z, s->c);
#if NTRIGGER > 0
    for (int round = 0;; round++) {
        int fired[SPAN(NEVENT)][W], any_fired = 0;
        triggers(s->x, s->z, s->c, s->t, s->is);
        for (int e = 0; e < NTRIGGER; e++)
            for (int l = 0; l < W; l++) {
                if (e < NEVENT) fired[e][l] = 0;
                if (!arrived[l] || s->id[l] < 0) continue;
                if (e < NEVENT && LANE(s->is[e], l) != 0.0 && LANE(s->was[e], l) == 0.0) fired[e][l] = any_fired = 1;
                if (e >= NEVENT && LANE(s->is[e], l) != LANE(s->was[e], l) && s->out[l] > 0) sens_lose(s, l);
                LANE(s->was[e], l) = LANE(s->is[e], l);
            }
        if (!any_fired) break;
        int now[SPAN(NEVENT)];
        for (int e = 0; e < NEVENT; e++) {
            now[e] = 0;
            for (int l = 0; l < W; l++) now[e] |= fired[e][l];
            if (now[e]) event_values(e, s->x, s->z, s->c, s->t, s->values + e * LONGEST_EVENT);
        }
        for (int e = 0; e < NEVENT; e++) {
            if (!now[e]) continue;
            if (!event_snapshot[e]) event_values(e, s->x, s->z, s->c, s->t, s->values + e * LONGEST_EVENT);
            for (int l = 0; l < W; l++) {
                if (!fired[e][l]) continue;
                if (!s->fresh[l]) s->fresh[l] = EVENT;
                for (int i = 0; i < event_size[e]; i++) {
                    const int *target = event_target[e][i];
                    V *where = (target[0] ? s->z : s->x) + target[1];
                    LANE(*where, l) = LANE(s->values[e * LONGEST_EVENT + i], l);
                }
            }
            if (event_sets_z[e]) hoist(s->z, s->c);
            for (int l = 0; l < W; l++)
                if (fired[e][l]) sens_lose(s, l);
        }
        if (round == 0)
            for (int l = 0; l < W; l++) {
                int any = 0;
                for (int e = 0; e < NEVENT; e++) any |= fired[e][l];
                if (!any || s->id[l] < 0) continue;
                double now = LANE(s->t, l);
                s->crowd[l] = now - s->last_event[l] < CLOSE * (s->end[l] - j->times[0]) ? s->crowd[l] + 1 : 0;
                s->last_event[l] = now;
                if (s->crowd[l] >= CROWD) finish(s, l, FAILED, ENDLESS_EVENTS);
            }
        if (round >= 100) {
            for (int l = 0; l < W; l++)
                if (arrived[l] && s->id[l] >= 0) finish(s, l, FAILED, ENDLESS_EVENTS);
            break;
        }
    }
#endif
    int stopped[W] = {0};
    if (j->has_stop) {
        if (j->stop_kind == IN_Q) quantities(s->x, s->z, s->c, s->t, s->q, j->stop_need);
        for (int l = 0; l < W; l++) stopped[l] = arrived[l] && s->id[l] >= 0 && beyond(s, s->x, l);
    }
    int due = 0;
    for (int l = 0; l < W; l++)
        due |= arrived[l] && s->id[l] >= 0 && s->out[l] < j->nt && j->times[s->out[l]] <= LANE(s->t, l);
    if (due) {
        quantities(s->x, s->z, s->c, s->t, s->q, j->need);
        sens_here(s);
        for (int l = 0; l < W; l++)
            if (arrived[l] && s->id[l] >= 0 && s->out[l] < j->nt && j->times[s->out[l]] <= LANE(s->t, l)) write_row(s, s->x, l);
    }
    if (NBREAK > 0) breaks(s->z, s->c, s->moment);
    for (int l = 0; l < W; l++) {
        if (!arrived[l] || s->id[l] < 0) continue;
        double now = LANE(s->t, l);
        if (stopped[l]) {
            finish(s, l, STOPPED, FINE);
            continue;
        }
        if (now >= s->end[l] || gone(s, l)) {
            finish(s, l, OK, FINE);
            continue;
        }
        double next = s->end[l];
        if (s->action[l] < s->action_end[l] && j->action_time[s->action[l]] < next) next = j->action_time[s->action[l]];
        for (int b = 0; b < NBREAK; b++) {
            double m = LANE(s->moment[b], l);
            if (m > now && m < next) next = m;
        }
        s->stop_at[l] = next;
        if (TIMED) {
            double margin = 1e-12 * (next - now), least = 4e-16 * (fabs(now) > fabs(next) ? fabs(now) : fabs(next));
            if (margin < least) margin = least;
            LANE(s->lo, l) = now + margin;
            LANE(s->hi, l) = next - margin;
            if (NBREAK > 0) s->fresh[l] = DOSE;
        }
    }
}

/* Give idle lanes the next patients. */
static void refill(struct lanes *s) {
    const struct job *j = s->job;
    int loaded[W], any_loaded = 0;
    for (int l = 0; l < W; l++) {
        loaded[l] = 0;
        if (s->id[l] >= 0) continue;
        int64_t id = __atomic_load_n(j->next, __ATOMIC_RELAXED) < j->n ? __atomic_fetch_add(j->next, 1, __ATOMIC_RELAXED) : j->n;
        if (id >= j->n) continue;
        s->id[l] = id;
        loaded[l] = any_loaded = 1;
        for (int i = 0; i < NZ; i++) LANE(s->zs[i], l) = j->z_default[i];
        for (int64_t i = 0; i < j->npz; i++) LANE(s->zs[j->pz_index[i]], l) = j->pz[id * j->npz + i];
        for (int64_t i = 0; i < j->npx; i++) LANE(s->xd[j->px_index[i]], l) = j->px[id * j->npx + i];
    }
    if (!any_loaded) return;
    start(s->zs, s->xd, all(j->times[0]), j->z_fixed, j->x_fixed);
    for (int l = 0; l < W; l++) {
        if (!loaded[l]) continue;
        int64_t id = s->id[l], row = j->action_row[id];
        for (int i = 0; i < NZ; i++) LANE(s->z[i], l) = LANE(s->zs[i], l);
        for (int i = 0; i < NX; i++) LANE(s->x[i], l) = LANE(s->xd[i], l);
        for (int64_t i = 0; i < j->nslot; i++) LANE(s->rate[i], l) = 0.0;
        for (int e = 0; e < NEVENT; e++) LANE(s->was[e], l) = (double)j->initial_trigger[e];
        s->action[l] = j->action_start[row];
        s->action_end[l] = j->action_start[row + 1];
        s->out[l] = s->taken[l] = s->refused[l] = 0;
        s->crowd[l] = 0;
        s->last_event[l] = -INFINITY;
        s->shy[l] = s->young[l] = s->met_next[l] = 0;
        s->pattern[l] = 0;
        for (int p = 0; p < PATTERNS; p++) s->met[l][p] = 0;
        LANE(s->t, l) = j->times[0];
        s->end[l] = j->times[j->nt - 1];
        if (j->until && j->until[id] < s->end[l]) s->end[l] = j->until[id];
        s->fresh[l] = DOSE;
        for (int i = 0; i < NX; i++) {
            LANE(s->top[i], l) = 0.0;
            LANE(s->atol[i], l) = s->share[i] > 0.0 ? 0.0 : j->atol[i];
        }
    }
    hoist(s->z, s->c);
    sens_load(s, loaded);
    settle(s, loaded);
}

static inline V dense_state(const struct lanes *s, V theta, int i) {
    V p = s->d[i * DENSE + DENSE - 1];
    for (int row = DENSE - 2; row >= 0; row--) p = v_fma(theta, p, s->d[i * DENSE + row]);
    V rest = all(1.0) - theta;
    return v_fma(theta, v_fma(rest, p, s->y[i]), rest * s->x[i]);
}

static void dense_at(struct lanes *s, V theta) {
    for (int i = 0; i < NX; i++) s->xd[i] = dense_state(s, theta, i);
}

/* Only the states that triggers and switches read. */
static void dense_watched(struct lanes *s, V theta) {
    for (int n = 0; n < NWATCHED; n++) s->xd[watched[n]] = dense_state(s, theta, watched[n]);
}

/* Make interpolated states follow their equations. A state that is fast against the step is interpolated badly: it should
 * sit where its rate matches its slope. One step of Newton's method with the factors at hand, xd += (I fac - J)^-1 (f(xd) - xd'),
 * takes its error away; for slow states it changes nothing that the method's order would show. */
static void refine(struct lanes *s, V theta, V h) {
    V rest = all(1.0) - theta, ih = all(1.0) / h, time = s->t + theta * h;
    for (int i = 0; i < NX; i++) {
        V p = s->d[i * DENSE + DENSE - 1], q = all(0.0);
        for (int row = DENSE - 2; row >= 0; row--) {
            q = v_fma(theta, q, p);
            p = v_fma(theta, p, s->d[i * DENSE + row]);
        }
        s->r[i] = v_fnma(theta * rest, q, v_fnma(rest - theta, p, s->x[i] - s->y[i])) * ih;
    }
    infuse(&s->in, s->r);
    stage(s->xd, s->z, s->c, within(time, s->lo, s->hi), s->r, s->lu, s->fix);
    I inside = MASK(theta < all(1.0));
    for (int i = 0; i < NX; i++) {
        I good = inside & MASK(s->fix[i] - s->fix[i] == all(0.0));
        s->xd[i] = pick(good, s->xd[i] + s->fix[i], s->xd[i]);
    }
}

/* Does anything that ends the step lie at or before (xd or y, time)? Lanes as a bit set. */
static unsigned crossed(struct lanes *s, const V *x, V time, const int *accepted) {
    const struct job *j = s->job;
    unsigned hit = 0;
#if NTRIGGER > 0
    triggers(x, s->z, s->c, time, s->is);
    for (int e = 0; e < NTRIGGER; e++)
        for (int l = 0; l < W; l++) {
            double is = LANE(s->is[e], l), was = LANE(s->was[e], l);
            if (accepted[l] && (e < NEVENT ? is > was : is != was)) hit |= 1u << l;
        }
#endif
    if (j->has_stop) {
        if (j->stop_kind == IN_Q) quantities(x, s->z, s->c, time, s->q, j->stop_need);
        for (int l = 0; l < W; l++)
            if (accepted[l] && beyond(s, x, l)) hit |= 1u << l;
    }
    return hit;
}

#include "inside.h"

/* After the same doses the same patient needs about the same first step: one that brings a fifth of the error allowed. */
static void remember(struct lanes *s, int l, double step) {
    if (!s->pattern[l]) return;
    int place = -1;
    for (int p = 0; p < PATTERNS; p++)
        if (s->met[l][p] == s->pattern[l]) place = p;
    if (place < 0) {
        place = s->met_next[l];
        s->met_next[l] = (place + 1) % PATTERNS;
    }
    s->met[l][place] = s->pattern[l];
    s->usual[l][place] = step;
}

static int step_all(struct lanes *s) {
    const struct job *j = s->job;
    V h = s->h, growth;
    int arrived[W], accepted[W], active = 0;
    for (int l = 0; l < W; l++) {
        arrived[l] = accepted[l] = 0;
        if (s->id[l] < 0) continue;
        active = 1;
        double left = s->stop_at[l] - LANE(s->t, l), step = LANE(s->h, l);
        if (step >= left * 0.999999) arrived[l] = 1, step = left;
        else if (2.0 * step > left) step = 0.5 * left;
        LANE(h, l) = step;
    }
    if (!active) return 0;
    attempt(s->x, s->z, s->c, s->t, h, s->lo, s->hi, &s->in, s->k, s->y, s->r, s->lu, s->slope, &growth);
    V error = norm(s, s->k + (STAGES - 1) * NX, s->x, s->y);
    V factor = all(0.9) * v_exp(v_log(error) * all(-ERROR_EXPONENT));
    V after = s->t + h;
    int any_accepted = 0;
    for (int l = 0; l < W; l++) {
        if (s->id[l] < 0) continue;
        s->taken[l]++;
        double e = LANE(error, l), f = LANE(factor, l), step = LANE(h, l), now = LANE(s->t, l);
        if (e <= 1.0 && LANE(growth, l) < 1e13) {
            accepted[l] = any_accepted = 1;
            double most = s->shy[l] ? 1.0 : s->young[l] ? FASTEST_START : 6.0;
            if (s->young[l] && (e > TELLING || s->shy[l] || arrived[l])) {
                s->young[l] = 0;
                remember(s, l, step * (arrived[l] ? 1.0 : f < 6.0 ? 0.8 * f : 4.8));
            }
            s->shy[l] = 0;
            f = f < most ? f : most;
            f = f > 0.2 ? f : 0.2;
            double proposed = step * f;
            if (step < LANE(s->h, l) && proposed < LANE(s->h, l)) proposed = f >= 1.0 ? LANE(s->h, l) : proposed;
            LANE(s->h, l) = proposed;
            if (arrived[l]) LANE(after, l) = s->stop_at[l];
        } else {
            arrived[l] = 0;
            f = f < 0.9 ? f : 0.9; /* false for NaN */
            if (!(f > 0.1) || !(e < INFINITY) || !(LANE(growth, l) < 1e13)) f = 0.1;
            LANE(s->h, l) = step * f;
            s->refused[l]++;
            s->shy[l] = 1;
            if (!(0.1 * step * f > 1.2e-16 * fabs(now)) || step < 1e-290)
                finish(s, l, FAILED, e < INFINITY ? STEP_TOO_SMALL : NOT_FINITE);
        }
        if (s->id[l] >= 0 && s->taken[l] >= j->max_steps && !(accepted[l] && LANE(after, l) >= s->end[l])) {
            finish(s, l, FAILED, TOO_MANY_STEPS);
            accepted[l] = arrived[l] = 0;
        }
    }
    if (!any_accepted) return 1;
    sens_step(s, h);

    int dense_known = 0;
    V theta_end = all(1.0);
    V low = all(0.0), high = all(1.0);
    unsigned inside_step = look_inside(s, h, accepted, &low, &high, &dense_known), hit = inside_step;
    if (NTRIGGER > 0 || j->has_stop) hit |= crossed(s, s->y, after, accepted);
    if (hit) {
        if (!dense_known)
            for (int i = 0; i < NX; i++) dense_rows(s->k, i, s->d + i * DENSE);
        dense_known = 1;
        for (int n = 0; n < 52; n++) {
            V middle = all(0.5) * (low + high);
            if (j->has_stop) dense_at(s, middle);
            else dense_watched(s, middle);
            unsigned m = crossed(s, s->xd, s->t + middle * h, accepted);
            for (int l = 0; l < W; l++) {
                if (m >> l & 1) LANE(high, l) = LANE(middle, l);
                else LANE(low, l) = LANE(middle, l);
            }
        }
        /* The state at the crossing is interpolated in full. Where rounding leaves it on the near side, nothing would fire
         * there, and every further step would come back to the same place: go on until it lies on the far side. */
        V gap = high - low;
        for (int n = 0; n < 60; n++) {
            dense_at(s, high);
            unsigned near_side = hit & ~crossed(s, s->xd, s->t + high * h, accepted);
            int any_near = 0;
            for (int l = 0; l < W; l++) {
                if (!(near_side >> l & 1) || LANE(high, l) >= 1.0) continue;
                double further = LANE(high, l) + LANE(gap, l);
                LANE(high, l) = further < 1.0 ? further : 1.0;
                LANE(gap, l) *= 2.0;
                any_near = 1;
            }
            if (!any_near) break;
        }
        for (int l = 0; l < W; l++)
            if (hit >> l & 1) {
                arrived[l] = 1;
                if (LANE(high, l) == 1.0) continue;
                LANE(theta_end, l) = LANE(high, l);
                LANE(after, l) = LANE(s->t, l) + LANE(high, l) * LANE(h, l);
            }
    }

    /* A step that a crossing has cut short counts towards the limit as well: crossings may follow each other closely. */
    for (int l = 0; l < W; l++)
        if (hit >> l & 1 && s->id[l] >= 0 && s->taken[l] >= j->max_steps && LANE(after, l) < s->end[l]) {
            finish(s, l, FAILED, TOO_MANY_STEPS);
            accepted[l] = arrived[l] = 0;
        }

    /* Output inside the step. */
    for (;;) {
        V theta = all(1.0);
        int due[W], any_due = 0;
        for (int l = 0; l < W; l++) {
            due[l] = 0;
            if (!accepted[l] || s->out[l] >= j->nt) continue;
            double at = j->times[s->out[l]];
            if (arrived[l] ? at < LANE(after, l) : at <= LANE(after, l)) {
                due[l] = any_due = 1;
                double share = (at - LANE(s->t, l)) / LANE(h, l);
                LANE(theta, l) = share < 1.0 ? share : 1.0;
            }
        }
        if (!any_due) break;
        if (!dense_known) {
            for (int i = 0; i < NX; i++) dense_rows(s->k, i, s->d + i * DENSE);
            dense_known = 1;
        }
        dense_at(s, theta);
        refine(s, theta, h);
        quantities(s->xd, s->z, s->c, s->t + theta * h, s->q, j->need);
        sens_inside(s, theta, s->t + theta * h);
        for (int l = 0; l < W; l++)
            if (due[l]) write_row(s, s->xd, l);
    }

    /* Move on. */
    I keep;
    for (int l = 0; l < W; l++) MLANE(keep, l) = accepted[l] ? -1 : 0;
    if (hit) {
        dense_at(s, theta_end);
        I cut;
        for (int l = 0; l < W; l++) MLANE(cut, l) = LANE(theta_end, l) < 1.0 ? -1 : 0;
        for (int i = 0; i < NX; i++) s->y[i] = pick(cut, s->xd[i], s->y[i]);
    }
    for (int i = 0; i < NX; i++) s->x[i] = pick(keep, s->y[i], s->x[i]);
    learn(s, s->x, keep);
    sens_move(s, keep, theta_end);
    s->t = pick(keep, after, s->t);
    int any_arrived = 0;
    for (int l = 0; l < W; l++) any_arrived |= arrived[l];
#if NTRIGGER > 0
    if (!hit || any_arrived) triggers(s->x, s->z, s->c, s->t, s->is);
    for (int e = 0; e < NTRIGGER; e++)
        for (int l = 0; l < W; l++)
            if (accepted[l] && !arrived[l]) LANE(s->was[e], l) = LANE(s->is[e], l);
#endif
    if (any_arrived) settle(s, arrived);
    return 1;
}

/* Integrate patients until the queue is empty or `cancel` is set, in `size` bytes of memory. */
static void integrate(struct lanes *s, size_t size, const struct job *job) {
    memset(s, 0, size);
    s->job = job;
    s->in.n = job->nslot;
    s->in.state = job->slot_state;
    s->in.rate = s->rate;
    s->h = s->hi = all(1.0);
    for (int i = 0; i < NX; i++) {
        s->share[i] = job->atol[i] < 0.0 ? -job->atol[i] * job->rtol : 0.0;
        s->learns |= s->share[i] > 0.0;
    }
    for (int l = 0; l < W; l++) s->id[l] = -1;
    do {
        refill(s);
        choose_steps(s);
        if (__atomic_load_n(job->cancel, __ATOMIC_RELAXED)) break;
    } while (step_all(s) || __atomic_load_n(job->next, __ATOMIC_RELAXED) < job->n);
}

#ifdef THREADS
#include "threads.h"
#else
/* Returns 0, or 1 where memory is missing. */
int immunescape_run(const struct job *job) {
    size_t size = sizeof(struct lanes) + sizeof(V) * (size_t)SPAN(job->nslot);
    size = (size + 63) / 64 * 64;
    struct lanes *s = aligned_alloc(64, size);
    if (!s) return 1;
    integrate(s, size, job);
    free(s);
    return 0;
}

int immunescape_lanes(void) { return W; }
#endif

#endif
