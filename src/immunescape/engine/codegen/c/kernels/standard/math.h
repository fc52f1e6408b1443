/* What generated code needs of <math.h>, for a compiler without the headers of a C library. */
#ifndef IMMUNESCAPE_MATH_H
#define IMMUNESCAPE_MATH_H
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define HUGE_VAL __builtin_huge_val()
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define signbit(x) __builtin_signbit(x)
double fabs(double), floor(double), ceil(double), trunc(double), round(double), rint(double), sqrt(double), cbrt(double);
double sin(double), cos(double), tan(double), asin(double), acos(double), atan(double), atan2(double, double);
double sinh(double), cosh(double), tanh(double), asinh(double), acosh(double), atanh(double);
double exp(double), exp2(double), expm1(double), log(double), log2(double), log10(double), log1p(double);
double pow(double, double), fmod(double, double), hypot(double, double), fmin(double, double), fmax(double, double);
double fma(double, double, double), copysign(double, double), ldexp(double, int), frexp(double, int *), lgamma(double);
double erf(double), erfc(double), tgamma(double), nextafter(double, double);
#endif
