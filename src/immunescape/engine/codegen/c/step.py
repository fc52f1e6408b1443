"""Writes one step of a Rosenbrock method as C, with the method's coefficients as literals."""

from __future__ import annotations

from collections.abc import Sequence

from immunescape.engine.codegen.rosenbrock import Rosenbrock
from immunescape.engine.codegen.tape import literal

__all__ = ["step_code"]


def step_code(method: Rosenbrock, timed: bool) -> str:
    """One step for all lanes: stages in `k`, the new value in `y`."""
    s = method.stages
    lines = [
        "static void attempt(const V *restrict x, const V *restrict z, const V *restrict c, const V t, const V h,",
        "        const V lo, const V hi, const struct rates_in *in, V *restrict k, V *restrict y, V *restrict r,",
        "        V *restrict lu, V *restrict slope, V *restrict growth)",
        "{",
        "    const V ih = all(1.0) / h;",
        "    for (int i = 0; i < NX; i++) r[i] = all(0.0);",
        "    infuse(in, r);",
        f"    first_stage(x, z, c, {_clock(0.0, timed)}, ih * all({literal(1.0 / method.gamma)}), "
        f"h * all({literal(method.slopes[0])}), r, slope, lu, k, growth);",
    ]
    for stage in range(2, s + 1):
        loads = ", ".join(f"k{j} = k[{j - 1} * NX + i]" for j in range(1, stage))
        # The last two stages of a Rodas method start where the one before has ended, for which tables have no row.
        if stage <= s - 2 or len(method.a) >= stage - 1:
            row = method.a[stage - 2]
            value = _weighted_sum(row, "x[i]")
        else:
            value = f"y[i] + k{stage - 1}"
        sums = _weighted_sum(method.c[stage - 2])
        lines += [
            "    for (int i = 0; i < NX; i++) {",
            f"        const V {loads};",
            f"        y[i] = {value};",
            # the method in transformed stages: no product with the Jacobian, only sums of earlier stages over h
            f"        r[i] = ({sums}) * ih;",
            "    }",
        ]
        # d(rate)/dt enters each stage once; where no rate depends on time the term is left out of the code
        if timed and method.slopes[stage - 1]:
            share = literal(method.slopes[stage - 1])
            lines.append(f"    for (int i = 0; i < NX; i++) r[i] = v_fma(h * all({share}), slope[i], r[i]);")
        lines += [
            "    infuse(in, r);",
            f"    stage(y, z, c, {_clock(method.nodes[stage - 1], timed)}, r, lu, k + {stage - 1} * NX);",
        ]
    lines += [f"    for (int i = 0; i < NX; i++) y[i] = y[i] + k[{s - 1} * NX + i];", "}", ""]
    rows = len(method.dense)
    # coefficients of the polynomial in between steps, for outputs and for finding where a stop is crossed
    lines += ["static void dense_rows(const V *restrict k, const int i, V *restrict d)", "{"]
    lines.append(
        "    const V " + ", ".join(f"k{j} = k[{j - 1} * NX + i]" for j in range(1, len(method.dense[0]) + 1)) + ";"
    )
    for m, row in enumerate(method.dense):
        lines.append(f"    d[{m}] = {_weighted_sum(row)};")
    lines += ["}", ""]
    head = [
        f"/* {method.name}: {method.source} */",
        f"#define STAGES {s}",
        f"#define DENSE {rows}",
        f"#define ERROR_EXPONENT {literal(1.0 / (method.error_order + 1))}",
    ]
    return "\n".join([*head, *lines])


def _weighted_sum(weights: Sequence[float], start: str = "") -> str:
    """C expression of ``start + sum_j weights[j] k_j``, one rounding for each term."""
    for j, weight in enumerate(weights, 1):
        # zeros of the tables cost no operation; fused, each term is rounded once
        if weight:
            term = f"all({literal(weight)})"
            start = f"v_fma({term}, k{j}, {start})" if start else f"{term} * k{j}"
    return start


def _clock(node: float, timed: bool) -> str:
    if not timed:
        return "t"
    value = "t" if node == 0.0 else ("t + h" if node == 1.0 else f"t + all({literal(node)}) * h")
    return f"within({value}, lo, hi)"
