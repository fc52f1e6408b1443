/* Derivatives of states by parameters, integrated along with the states by the same method and the same factors.
 *
 * With S = dx/dp, the pair (x, S) is one system whose Jacobian is block-triangular: the stage equations of S have the matrix
 * of the stage equations of x, and on their right-hand side what x's stage adds: B k, B = d(J S + df/dp)/dx at the start of
 * the step. The code generated for a model without sensitivities includes only the empty hooks at the end. */
#ifdef NSENS

/* A second derivative may be infinite where a Hill term starts from zero. Without it the step is still consistent. */
static inline V if_finite(V v) { return pick(MASK(v - v == all(0.0)), v, all(0.0)); }

static void sens_point(const int stage, const V *base, const V *k, V *out) {
    for (int i = 0; i < NX; i++) out[i] = base[i];
    for (int j = 0; j < stage; j++) {
        if (STAGE_A[stage][j] == 0.0) continue;
        const V a = all(STAGE_A[stage][j]);
        for (int i = 0; i < NX; i++) out[i] = v_fma(a, k[j * NX + i], out[i]);
    }
}

static void sens_load(struct lanes *s, const int *loaded) {
    V dz[SPAN(NSENS * NDZ)], dx[SPAN(NSENS * NX)];
    for (int m = 0; m < NSENS; m++)
        sens_start(m, s->zs, all(s->job->times[0]), s->job->z_fixed, s->job->x_fixed, dz + m * NDZ, dx + m * NX);
    for (int l = 0; l < W; l++) {
        if (!loaded[l]) continue;
        for (int i = 0; i < NSENS * NDZ; i++) LANE(s->dz[i], l) = LANE(dz[i], l);
        for (int i = 0; i < NSENS * NX; i++) LANE(s->s[i], l) = LANE(dx[i], l);
    }
}

/* From here on the derivatives of this lane are not known (an event at a moment that depends on the parameters). */
static void sens_lose(struct lanes *s, int l) {
    for (int i = 0; i < NSENS * NX; i++) LANE(s->s[i], l) = NAN;
}

static void sens_step(struct lanes *s, V h) {
    const V ih = all(1.0) / h;
    V y[SPAN(NX)], w[SPAN(NX)], g[SPAN(NX)], b[SPAN(NSENS * NB)], u[SPAN(NSENS * NX)];
    V jx[SPAN(NJX)], jz[SPAN(NJZ)], hx[SPAN(NHX)], hz[SPAN(NHZ)];
    second_derivatives(s->x, s->z, s->c, within(s->t, s->lo, s->hi), hx, hz);
    for (int m = 0; m < NSENS; m++) {
        V *bm = b + m * NB, *um = u + m * NX;
        for (int e = 0; e < NB; e++) bm[e] = all(0.0);
        for (int i = 0; i < NX; i++) um[i] = all(0.0);
        for (int e = 0; e < NHX; e++) {
            V v = if_finite(hx[e] * s->s[m * NX + HX_STATE[e]]);
            if (HX_PLACE[e] >= 0) bm[HX_PLACE[e]] = bm[HX_PLACE[e]] + v;
            else um[-1 - HX_PLACE[e]] = um[-1 - HX_PLACE[e]] + v;
        }
        for (int e = 0; e < NHZ; e++) {
            V v = if_finite(hz[e] * s->dz[m * NDZ + HZ_FIXED[e]]);
            if (HZ_PLACE[e] >= 0) bm[HZ_PLACE[e]] = bm[HZ_PLACE[e]] + v;
            else um[-1 - HZ_PLACE[e]] = um[-1 - HZ_PLACE[e]] + v;
        }
    }
    for (int stage = 0; stage < STAGES; stage++) {
        sens_point(stage, s->x, s->k, y);
        first_derivatives(y, s->z, s->c, within(s->t + all(STAGE_NODE[stage]) * h, s->lo, s->hi), jx, jz);
        for (int m = 0; m < NSENS; m++) {
            V *l = s->l + m * STAGES * NX;
            sens_point(stage, s->s + m * NX, l, w);
            for (int i = 0; i < NX; i++) g[i] = all(0.0);
            for (int j = 0; j < stage; j++)
                for (int i = 0; i < NX; i++) g[i] = v_fma(all(STAGE_C[stage][j]), l[j * NX + i], g[i]);
            for (int i = 0; i < NX; i++) g[i] = g[i] * ih + h * all(STAGE_D[stage]) * u[m * NX + i];
            for (int e = 0; e < NJX; e++) g[JX_ROW[e]] = v_fma(jx[e], w[JX_COLUMN[e]], g[JX_ROW[e]]);
            for (int e = 0; e < NJZ; e++) g[JZ_ROW[e]] = g[JZ_ROW[e]] + jz[e] * s->dz[m * NDZ + JZ_FIXED[e]];
            for (int e = 0; e < NB; e++) g[B_ROW[e]] = g[B_ROW[e]] + b[m * NB + e] * s->k[stage * NX + B_COLUMN[e]];
            solve(s->z, s->c, s->lu, g, l + stage * NX);
        }
    }
    for (int m = 0; m < NSENS; m++) {
        V *l = s->l + m * STAGES * NX;
        sens_point(STAGES - 1, s->s + m * NX, l, s->sy + m * NX);
        for (int i = 0; i < NX; i++) s->sy[m * NX + i] = s->sy[m * NX + i] + l[(STAGES - 1) * NX + i];
    }
    for (int m = 0; m < NSENS; m++)
        for (int i = 0; i < NX; i++) dense_rows(s->l + m * STAGES * NX, i, s->sd + (m * NX + i) * DENSE);
}

static void sens_dense(struct lanes *s, V theta, V *out) {
    V rest = all(1.0) - theta;
    for (int i = 0; i < NSENS * NX; i++) {
        V p = s->sd[i * DENSE + DENSE - 1];
        for (int row = DENSE - 2; row >= 0; row--) p = v_fma(theta, p, s->sd[i * DENSE + row]);
        out[i] = v_fma(theta, v_fma(rest, p, s->sy[i]), rest * s->s[i]);
    }
}

static void sens_move(struct lanes *s, I keep, V theta) {
    V inside[SPAN(NSENS * NX)];
    sens_dense(s, theta, inside);
    I end = MASK(theta >= all(1.0));
    for (int i = 0; i < NSENS * NX; i++) s->s[i] = pick(keep, pick(end, s->sy[i], inside[i]), s->s[i]);
}

/* Derivatives of the outputs at states x with derivatives d. */
static void sens_outputs(struct lanes *s, const V *x, const V *d, V time) {
    V ox[SPAN(NOX)], oz[SPAN(NOZ)];
    output_derivatives(x, s->z, s->c, time, ox, oz);
    for (int i = 0; i < NOUT * NSENS; i++) s->so[i] = all(0.0);
    for (int m = 0; m < NSENS; m++) {
        for (int e = 0; e < NOX; e++)
            s->so[OX_ROW[e] * NSENS + m] = s->so[OX_ROW[e] * NSENS + m] + ox[e] * d[m * NX + OX_STATE[e]];
        for (int e = 0; e < NOZ; e++)
            s->so[OZ_ROW[e] * NSENS + m] = s->so[OZ_ROW[e] * NSENS + m] + oz[e] * s->dz[m * NDZ + OZ_FIXED[e]];
    }
}

static void sens_inside(struct lanes *s, V theta, V time) {
    V d[SPAN(NSENS * NX)];
    sens_dense(s, theta, d);
    sens_outputs(s, s->xd, d, time);
}

static void sens_here(struct lanes *s) { sens_outputs(s, s->x, s->s, s->t); }

static void sens_row(struct lanes *s, int64_t place, int l) {
    double *row = s->job->sensitivities + place * NOUT * NSENS;
    for (int i = 0; i < NOUT * NSENS; i++) row[i] = LANE(s->so[i], l);
}

#else
#define sens_load(s, loaded)
#define sens_lose(s, l)
#define sens_step(s, h)
#define sens_move(s, keep, theta)
#define sens_inside(s, theta, time)
#define sens_here(s)
#define sens_row(s, place, l)
#endif
