/* Lanes: W patients side by side in one vector, and the elementary functions on them.
 *
 * Every function does the same IEEE operations in the same order whatever W is, so that a patient's result does not
 * depend on how many neighbours it has. W is 1, 2, 4 or 8; the code must be compiled without contraction of a*b+c, because
 * where a product and a sum are rounded once only is said here (v_fma), not left to the compiler.
 */
#ifndef LANES_H
#define LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef W
#define W 4
#endif

#if W == 1
typedef double V;
typedef int64_t I;
#define MASK(c) (-(int64_t)(c))
static inline I bits(V a) { I b; memcpy(&b, &a, sizeof b); return b; }
static inline V real(I a) { V b; memcpy(&b, &a, sizeof b); return b; }
#else
typedef double V __attribute__((vector_size(8 * W), aligned(8 * W)));
typedef int64_t I __attribute__((vector_size(8 * W), aligned(8 * W)));
#define MASK(c) (c)
static inline I bits(V a) { return (I)a; }
static inline V real(I a) { return (V)a; }
#endif

/* a*b + c with one rounding, by the processor's instruction. A processor that lacks it (x86-64 before 2013) rounds twice:
 * to imitate one rounding would cost more than all the rest. So bits are the same at every width on one machine, and on
 * all machines that have the instruction; on one without it results differ by rounding. */
#if !defined(__FMA__) && (defined(__x86_64__) || defined(_M_X64) || defined(__i386__))
#define v_fma(a, b, c) ((a) * (b) + (c))
#elif W == 1
#define v_fma(a, b, c) __builtin_fma(a, b, c)
#elif defined(__clang__)
#define v_fma(a, b, c) __builtin_elementwise_fma((V)(a), (V)(b), (V)(c))
#elif defined(__FMA__) && W == 2
#define v_fma(a, b, c) ((V)__builtin_ia32_vfmaddpd(a, b, c))
#elif defined(__FMA__) && W == 4
#define v_fma(a, b, c) ((V)__builtin_ia32_vfmaddpd256(a, b, c))
#elif defined(__FMA__) && defined(__AVX512F__)
#define v_fma(a, b, c) ((V)__builtin_ia32_vfmaddpd512_mask(a, b, c, (unsigned char)-1, 4)) /* 4: rounding as set */
#else
static inline V v_fma(V a, V b, V c) {
    for (int l = 0; l < W; l++) ((double *)&c)[l] = __builtin_fma(((double *)&a)[l], ((double *)&b)[l], ((double *)&c)[l]);
    return c;
}
#endif
#define v_fms(a, b, c) v_fma(a, b, -(c))  /* a*b - c */
#define v_fnma(a, b, c) v_fma(-(a), b, c) /* c - a*b */

#define LANE(v, l) (((double *)&(v))[l])
#define MLANE(m, l) (((int64_t *)&(m))[l])

static inline V all(double a) { return (V){0} + a; }
static inline I alli(int64_t a) { return (I){0} + a; }
static inline V pick(I m, V a, V b) { return real((bits(a) & m) | (bits(b) & ~m)); }
static inline V truth(I m) { return real(m & alli(0x3ff0000000000000LL)); }
static inline I holds(V a) { return MASK(a != all(0.0)); }
static inline V v_abs(V a) { return real(bits(a) & alli(0x7fffffffffffffffLL)); }
/* A slope that is not finite, of sqrt(x) at zero, would hold its state where it is. Without it the step is consistent. */
static inline V v_slope(V a) { return pick(MASK(a - a == all(0.0)), a, all(0.0)); }
static inline V v_min(V a, V b) { return pick(MASK(a <= b) | MASK(a != a), a, b); }
static inline V v_max(V a, V b) { return pick(MASK(a >= b) | MASK(a != a), a, b); }

static inline int any(I m) {
    int64_t r = 0;
    for (int l = 0; l < W; l++) r |= MLANE(m, l);
    return r != 0;
}

/* One lane after the other, for functions that are exact or rare. */
#define PER_LANE(name, call) \
    static inline V name(V a) { \
        V r; \
        for (int l = 0; l < W; l++) LANE(r, l) = call(LANE(a, l)); \
        return r; \
    }
PER_LANE(v_sqrt, __builtin_sqrt)
PER_LANE(v_floor, floor)
PER_LANE(v_ceil, ceil)
PER_LANE(v_sin, sin)
PER_LANE(v_cos, cos)
PER_LANE(v_tan, tan)
PER_LANE(v_asin, asin)
PER_LANE(v_acos, acos)
PER_LANE(v_atan, atan)
PER_LANE(v_sinh, sinh)
PER_LANE(v_cosh, cosh)
PER_LANE(v_tanh, tanh)
PER_LANE(v_asinh, asinh)
PER_LANE(v_acosh, acosh)
PER_LANE(v_atanh, atanh)

/* Adding this to a double of size below 2^51 rounds it to a whole number, held in the low bits. */
#define SHIFTER 6755399441055744.0 /* 1.5 * 2^52 */
#define SHIFTER_BITS 0x4338000000000000LL

/* exp: x = n ln 2 + r, |r| <= ln 2 / 2; Taylor polynomial of degree 13 (next term below 4e-18). */
static inline V v_exp(V x) {
    V s = pick(MASK(x > all(710.0)), all(710.0), pick(MASK(x < all(-746.0)), all(-746.0), x));
    V k = s * all(1.4426950408889634) + all(SHIFTER);
    I n = bits(k) - alli(SHIFTER_BITS);
    V m = k - all(SHIFTER);
    V r = (s - m * all(6.93147180369123816490e-01)) - m * all(1.90821492927058770002e-10);
    V p = all(1.6059043836821613e-10);
    p = v_fma(p, r, all(2.08767569878681e-09));
    p = v_fma(p, r, all(2.505210838544172e-08));
    p = v_fma(p, r, all(2.755731922398589e-07));
    p = v_fma(p, r, all(2.7557319223985893e-06));
    p = v_fma(p, r, all(2.48015873015873e-05));
    p = v_fma(p, r, all(0.0001984126984126984));
    p = v_fma(p, r, all(0.001388888888888889));
    p = v_fma(p, r, all(0.008333333333333333));
    p = v_fma(p, r, all(0.041666666666666664));
    p = v_fma(p, r, all(0.16666666666666666));
    p = v_fma(p, r, all(0.5));
    p = v_fma(p, r * r, r);
    p = p + all(1.0);
    I half = n >> 1; /* two factors: their product may lie below the smallest normal number */
    V a = real((half + alli(1023)) << 52);
    V b = real((n - half + alli(1023)) << 52);
    V y = (p * a) * b;
    y = pick(MASK(x > all(709.782712893384)), all(INFINITY), y);
    return pick(MASK(x < all(-745.1332191019412)), all(0.0), y);
}

/* log: x = 2^k m with m in [sqrt(1/2), sqrt(2)); series in s = f / (2 + f), f = m - 1, minimax coefficients of fdlibm. */
static inline V v_log(V x) {
    I tiny = MASK(x < all(2.2250738585072014e-308));
    V y = pick(tiny, x * all(18014398509481984.0), x);
    I b = bits(y);
    I k = ((b >> 52) & alli(0x7ff)) - alli(1023) - (tiny & alli(54));
    V m = real((b & alli(0x000fffffffffffffLL)) | alli(0x3ff0000000000000LL));
    I big = MASK(m > all(1.4142135623730951));
    m = pick(big, m * all(0.5), m);
    k = k - big;
    V e = real(k + alli(SHIFTER_BITS)) - all(SHIFTER);
    V f = m - all(1.0);
    V s = f / (f + all(2.0));
    V z = s * s;
    V w = z * z;
    V t1 = w * (all(3.999999999940941908e-01) + w * (all(2.222219843214978396e-01) + w * all(1.531383769920937332e-01)));
    V t2 = z * (all(6.666666666666735130e-01) + w * (all(2.857142874366239149e-01) +
           w * (all(1.818357216161805012e-01) + w * all(1.479819860511658591e-01))));
    V q = all(0.5) * f * f;
    V r = e * all(6.93147180369123816490e-01) - ((q - (s * (q + (t1 + t2)) + e * all(1.90821492927058770002e-10))) - f);
    r = pick(MASK(x < all(INFINITY)), r, x); /* infinity and NaN stay */
    r = pick(MASK(x == all(0.0)), all(-INFINITY), r);
    return pick(MASK(x < all(0.0)), all(NAN), r);
}

static inline V v_logabs(V x) { return v_log(v_abs(x)); }
static inline V v_log10(V x) { return v_log(x) * all(0.4342944819032518); }

/* x to the power y, where l is the logarithm of |x|. A negative x needs a whole y. */
static inline V v_pow(V x, V y, V l) {
    V r = v_exp(y * l);
    I negative = MASK(x < all(0.0));
    if (any(negative)) {
        V k = y + all(SHIFTER);
        I whole = MASK(k - all(SHIFTER) == y);
        I odd = -((bits(k) - alli(SHIFTER_BITS)) & alli(1));
        V flipped = pick(odd, -r, r);
        r = pick(negative, pick(whole, flipped, all(NAN)), r);
    }
    return pick(MASK(y == all(0.0)), all(1.0), r);
}

#endif
