/* Events and stops that begin and end inside one step.
 *
 * What turns a trigger is a gap (the difference of the two sides of a comparison) that passes through zero. Along a step each
 * gap is followed as the polynomial of order 4 through five points of the interpolant, which itself is of order 4: for gaps
 * that are linear in states and time it is exact. Its zeros (also pairs of them about an extremum) cut the step into pieces
 * in which no trigger changes; one probe in each piece tells what holds there. What is missed lies between two zeros closer
 * than 1/64 of a step whose gap has no extremum that the interpolant shows, or within the tolerance of the integration. */
#ifndef INSIDE_H
#define INSIDE_H

enum { POINTS = 5, MESH = 64, MOST_PROBES = 64 };

struct probes {
    int n[W];
    double at[W][MOST_PROBES];
};

/* The polynomial through values at 0, 1/4, 1/2, 3/4, 1. */
static double through(const double *g, double u) {
    double v = 4.0 * u;
    double d1 = g[1] - g[0], d2 = g[2] - 2.0 * g[1] + g[0], d3 = g[3] - 3.0 * (g[2] - g[1]) - g[0];
    double d4 = g[4] - 4.0 * (g[3] + g[1]) + 6.0 * g[2] + g[0];
    return g[0] + v * (d1 + (v - 1.0) / 2.0 * (d2 + (v - 2.0) / 3.0 * (d3 + (v - 3.0) / 4.0 * d4)));
}

static double zero_between(const double *g, double a, double b) {
    double left = through(g, a);
    for (int n = 0; n < 40; n++) {
        double m = 0.5 * (a + b), v = through(g, m);
        if ((v < 0.0) == (left < 0.0)) a = m;
        else b = m;
    }
    return 0.5 * (a + b);
}

/* Zeros of one gap inside the step, in `root`; returns how many, at most `room`. */
static int zeros(const double *g, double *root, int room) {
    double least = INFINITY, low = INFINITY, high = -INFINITY;
    for (int j = 0; j < POINTS; j++) {
        if (!(g[j] - g[j] == 0.0)) return 0;
        least = fabs(g[j]) < least ? fabs(g[j]) : least;
        low = g[j] < low ? g[j] : low;
        high = g[j] > high ? g[j] : high;
    }
    if (least > high - low) return 0; /* too far away to come to zero between the points */
    int n = 0;
    double a = g[0], b = through(g, 1.0 / MESH);
    for (int k = 1; k <= MESH && n < room; k++) {
        double from = (double)(k - 1) / MESH, to = (double)k / MESH;
        if ((a < 0.0) != (b < 0.0) && a != 0.0) root[n++] = zero_between(g, from, to);
        if (k == MESH) break;
        double c = k + 1 == MESH ? g[POINTS - 1] : through(g, (double)(k + 1) / MESH);
        double bend = a - 2.0 * b + c;
        if ((a < 0.0) == (b < 0.0) && (b < 0.0) == (c < 0.0) && fabs(b) <= fabs(a) && fabs(b) <= fabs(c) && bend != 0.0) {
            double top = to + 0.5 / MESH * (a - c) / bend, v = through(g, top);
            if ((v < 0.0) != (b < 0.0) && n + 2 <= room) {
                root[n++] = zero_between(g, from, top);
                root[n++] = zero_between(g, top, (double)(k + 1) / MESH);
            }
        }
        a = b;
        b = c;
    }
    return n;
}

/* Points of the step, one in each piece between zeros of the gaps, for accepted lanes. */
static int find_probes(struct lanes *s, V h, const int *accepted, struct probes *probes, int *dense_known) {
    const struct job *j = s->job;
    int any = 0;
    for (int l = 0; l < W; l++) probes->n[l] = 0;
    if (NGAP == 0 && !j->has_stop) return 0;
    if (!*dense_known)
        for (int i = 0; i < NX; i++) dense_rows(s->k, i, s->d + i * DENSE);
    *dense_known = 1;
    V g[POINTS][SPAN(NGAP) + 1];
    for (int k = 0; k < POINTS; k++) {
        V theta = all(0.25 * k);
        if (j->has_stop) dense_at(s, theta);
        else dense_watched(s, theta);
        V time = within(s->t + theta * h, s->lo, s->hi);
#if NGAP > 0
        gaps(s->xd, s->z, s->c, time, g[k]);
#endif
        if (j->has_stop) {
            if (j->stop_kind == IN_Q) quantities(s->xd, s->z, s->c, time, s->q, j->stop_need);
            for (int l = 0; l < W; l++)
                if (s->id[l] >= 0)
                    LANE(g[k][NGAP], l) =
                        value_of(s, (int32_t)j->stop_kind, (int32_t)j->stop_index, s->xd, l) - j->stop_value[s->id[l]];
        }
    }
    for (int l = 0; l < W; l++) {
        if (!accepted[l] || s->id[l] < 0) continue;
        double root[MOST_PROBES];
        int n = 0;
        for (int e = 0; e < NGAP + (int)j->has_stop; e++) {
            double line[POINTS];
            for (int k = 0; k < POINTS; k++) line[k] = LANE(g[k][e], l);
            n += zeros(line, root + n, MOST_PROBES - 1 - n);
        }
        for (int a = 1; a < n; a++)
            for (int b = a; b > 0 && root[b] < root[b - 1]; b--) {
                double swap = root[b];
                root[b] = root[b - 1];
                root[b - 1] = swap;
            }
        double before = 0.0;
        int count = 0;
        for (int a = 0; a < n; a++) {
            if (root[a] > before) probes->at[l][count++] = 0.5 * (before + root[a]);
            before = root[a];
        }
        if (count && before < 1.0) probes->at[l][count++] = 0.5 * (before + 1.0);
        probes->n[l] = count;
        any |= count > 0;
    }
    return any;
}

/* Look at the probes in order. Lanes in which something has turned get the piece [low, high] that holds it; in the others
 * `was` follows what holds, so that a trigger that was true, ends and comes back is seen to come back. */
static unsigned look_inside(struct lanes *s, V h, const int *accepted, V *low, V *high, int *dense_known) {
    struct probes probes;
    unsigned found = 0;
    if (!find_probes(s, h, accepted, &probes, dense_known)) return 0;
    for (int k = 0; k < MOST_PROBES; k++) {
        int wanted[W], any = 0;
        V theta = all(1.0);
        for (int l = 0; l < W; l++) {
            wanted[l] = accepted[l] && !(found >> l & 1) && k < probes.n[l];
            any |= wanted[l];
            if (wanted[l]) LANE(theta, l) = probes.at[l][k];
        }
        if (!any) break;
        dense_at(s, theta);
        refine(s, theta, h);
        unsigned m = crossed(s, s->xd, s->t + theta * h, wanted);
        for (int l = 0; l < W; l++) {
            if (!wanted[l]) continue;
            if (m >> l & 1) {
                found |= 1u << l;
                LANE(*high, l) = LANE(theta, l);
                continue;
            }
            LANE(*low, l) = LANE(theta, l);
#if NTRIGGER > 0
            for (int e = 0; e < NEVENT; e++) LANE(s->was[e], l) = LANE(s->is[e], l);
#endif
        }
    }
    return found;
}

#endif
