/* What generated code needs besides lanes: infusions, and a clock that stays inside a smooth piece. */
#ifndef MODEL_H
#define MODEL_H

#define NOINLINE __attribute__((noinline))
#define HIDDEN __attribute__((visibility("hidden")))
#define SPAN(n) ((n) > 0 ? (n) : 1)

/* Zero-order inputs: `rate[j]` is added to the rate of state `state[j]`. */
struct rates_in {
    int64_t n;
    const int32_t *state;
    const V *rate;
};

static inline void infuse(const struct rates_in *in, V *restrict r) {
    for (int64_t j = 0; j < in->n; j++) r[in->state[j]] = r[in->state[j]] + in->rate[j];
}

/* Times given to the rates lie strictly inside the piece from lo to hi, so that `time < 5` has one value in a step. */
static inline V within(V t, V lo, V hi) { return pick(MASK(t < lo), lo, pick(MASK(t > hi), hi, t)); }

#endif
