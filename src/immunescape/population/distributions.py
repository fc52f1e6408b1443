"""Distributions of parameters across patients, drawn by their inverse cumulative distribution functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunescape.errors import InputError, unknown_word

__all__ = ["KINDS", "Distribution", "latent_correlation", "nearest_correlation", "normal_copula"]

_SPARSE_TAIL = 0.001
"""Quantile beyond which a group of a sparse distribution is cut, so that the silent stay below the active."""
KINDS = ("lognormal", "normal", "loguniform", "uniform", "sparse")


@dataclass(frozen=True)
class Distribution:
    """How one number varies across patients.

    Attributes
    ----------
    name : what it is the distribution of.
    kind : ``""`` (the same for all), ``lognormal``, ``normal``, ``loguniform``, ``uniform`` or ``sparse``.
    value : the value of the reference patient; the median of a lognormal, the mean of a normal before truncation, the
        mean of a sparse one.
    spread : standard deviation of ln(x) (lognormal) or of x (normal).
    lower, upper : bounds; required for (log)uniform, truncation of the others (None: none).
    prevalence, silent : of a sparse one: share of patients in whom it is active, and its mean in the others relative to
        `value`; `spread` is the standard deviation of ln(x) within each of the two groups.
    """

    name: str
    _: KW_ONLY
    kind: str = ""
    value: float = math.nan
    spread: float | None = None
    lower: float | None = None
    upper: float | None = None
    prevalence: float | None = None
    silent: float | None = None

    def __post_init__(self) -> None:
        where = f"distribution of '{self.name}'"
        if self.kind not in ("", *KINDS):
            raise unknown_word("distribution", self.kind, KINDS, where=where)
        lower, upper = self.lower, self.upper
        if lower is not None and upper is not None and not lower < upper:
            raise InputError(f"lower bound {lower:g} is not below upper bound {upper:g}", where=where)
        if self.kind in ("lognormal", "normal"):
            if self.spread is None or not self.spread > 0.0 or not math.isfinite(self.spread):
                raise InputError(
                    f"{self.kind} needs a positive spread", where=where, hint="Give the standard deviation."
                )
            if not math.isfinite(self.value) or (self.kind == "lognormal" and self.value <= 0.0):
                raise InputError(
                    f"{self.kind} needs a finite{' positive' * (self.kind == 'lognormal')} value", where=where
                )
            if self.kind == "lognormal" and lower is not None and lower < 0.0:
                raise InputError("lower bound of a lognormal is negative", where=where)
        if self.kind == "sparse":
            shares = (self.prevalence, self.silent, self.spread)
            if not all(share is not None and 0.0 < share < 1.0 for share in shares) or not self.value > 0.0:
                raise InputError(
                    "sparse needs a positive value, and prevalence, silent and spread in (0, 1)", where=where
                )
        if self.kind in ("loguniform", "uniform"):
            if lower is None or upper is None:
                raise InputError(f"{self.kind} needs a lower and an upper bound", where=where)
            if self.kind == "loguniform" and lower <= 0.0:
                raise InputError("loguniform needs positive bounds", where=where)

    @classmethod
    def from_row(cls, row: Any) -> Distribution:
        """Read the fields name, value, distribution, spread, lower, upper of a parameter table's row.

        `row` is a mapping or an object with these attributes; empty text, None and NaN are "not given".
        """

        def get(key: str) -> Any:
            return row.get(key) if isinstance(row, Mapping) else getattr(row, key, None)

        def number(key: str) -> float | None:
            raw = get(key)
            if raw is None or (isinstance(raw, str) and not raw.strip()):
                return None
            value = float(raw)
            return None if math.isnan(value) else value

        kind = get("distribution") or ""
        value = number("value")
        return cls(
            str(get("name")),
            kind="" if isinstance(kind, float) else str(kind).strip(),
            value=math.nan if value is None else value,
            spread=number("spread"),
            lower=number("lower"),
            upper=number("upper"),
            prevalence=number("prevalence"),
            silent=number("silent"),
        )

    @property
    def varies(self) -> bool:
        """Whether patients differ."""
        return self.kind != ""

    @cached_property
    def _tails(self) -> tuple[float, float, float, float]:
        """Mean and standard deviation on the normal scale, and the shares of the whole below each bound."""
        from scipy.special import ndtr

        mean, spread, low, high = self._transform()
        return mean, spread, float(ndtr(low)), float(ndtr(high))

    def _transform(self) -> tuple[float, float, float, float]:
        """Mean and standard deviation on the normal scale and the bounds as standard scores."""
        assert self.spread is not None
        log = self.kind == "lognormal"
        mean = math.log(self.value) if log else self.value
        bounds = []
        for bound, default in ((self.lower, -math.inf), (self.upper, math.inf)):
            if bound is None or (log and bound == 0.0):
                bounds.append(default)
            else:
                bounds.append(((math.log(bound) if log else bound) - mean) / self.spread)
        return mean, self.spread, bounds[0], bounds[1]

    def _groups(self) -> tuple[float, tuple[float, float], float, float]:
        """Share of the silent, mean of the silent and of the active, and mean and SD of ln(x / mean) in each."""
        assert self.prevalence is not None
        assert self.silent is not None
        assert self.spread is not None
        low = self.silent * self.value
        high = (self.value - (1.0 - self.prevalence) * low) / self.prevalence
        return 1.0 - self.prevalence, (low, high), -0.5 * self.spread**2, self.spread

    def _range(self) -> tuple[float, float]:
        """Both bounds of a (log)uniform."""
        assert self.lower is not None
        assert self.upper is not None
        return self.lower, self.upper

    def ppf(self, u: ArrayLike) -> NDArray[np.float64]:
        """Inverse cumulative distribution function of `u` in (0, 1), same shape; constant where nothing varies."""
        from scipy.special import ndtri

        p = np.asarray(u, dtype=float)
        if not self.varies:
            return np.full(p.shape, self.value)
        if self.kind == "sparse":
            silent, levels, mean, spread = self._groups()
            within = np.where(p < silent, p / silent, (p - silent) / (1.0 - silent))
            z = ndtri(np.clip(within, _SPARSE_TAIL, 1.0 - _SPARSE_TAIL))
            return np.asarray(np.where(p < silent, levels[0], levels[1]) * np.exp(spread * z + mean))
        if self.kind in ("uniform", "loguniform"):
            lower, upper = self._range()
            if self.kind == "uniform":
                x = lower + p * (upper - lower)
            else:
                x = np.exp(math.log(lower) + p * (math.log(upper) - math.log(lower)))
        else:
            mean, spread, a, b = self._tails
            if b - a < 1e-12:
                raise InputError("the bounds exclude the whole distribution", where=f"distribution of '{self.name}'")
            z = mean + spread * ndtri(a + p * (b - a))
            x = np.exp(z) if self.kind == "lognormal" else z
        return np.clip(x, self.lower, self.upper) if not (self.lower is None and self.upper is None) else x

    def cdf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Cumulative distribution function."""
        from scipy.special import ndtr

        v = np.asarray(x, dtype=float)
        if not self.varies:
            return (v >= self.value).astype(float)
        if self.kind == "sparse":
            silent, levels, mean, spread = self._groups()
            active = v > math.sqrt(levels[0] * levels[1])
            z = (np.log(np.maximum(v, 1e-300) / np.where(active, levels[1], levels[0])) - mean) / spread
            return np.asarray(np.where(active, silent + (1.0 - silent) * ndtr(z), silent * ndtr(z)))
        if self.kind in ("uniform", "loguniform"):
            lower, upper = self._range()
            v = np.clip(v, lower, upper)
            if self.kind == "uniform":
                values: NDArray[np.float64] = (v - lower) / (upper - lower)
                return values
            values = np.log(v / lower) / math.log(upper / lower)
            return values
        mean, spread, low, high = self._transform()
        with np.errstate(divide="ignore"):
            z = ((np.log(np.maximum(v, 0.0)) if self.kind == "lognormal" else v) - mean) / spread
        a, b = ndtr(low), ndtr(high)
        values = np.clip((ndtr(z) - a) / (b - a), 0.0, 1.0)
        return values


def latent_correlation(spearman: float) -> float:
    """Correlation of the normal copula that gives this rank correlation (exact for continuous marginals)."""
    return 2.0 * math.sin(math.pi * spearman / 6.0)


def nearest_correlation(matrix: NDArray[np.float64], floor: float = 1e-6) -> NDArray[np.float64]:
    """Clip negative eigenvalues of a symmetric matrix with unit diagonal and rescale it to a correlation matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    if values.min() >= floor:
        return matrix
    fixed = (vectors * np.maximum(values, floor)) @ vectors.T
    scale = 1.0 / np.sqrt(np.diag(fixed))
    result: NDArray[np.float64] = fixed * np.outer(scale, scale)
    return result


def normal_copula(
    u: NDArray[np.float64], names: Sequence[str], pairs: Mapping[tuple[str, str], float]
) -> NDArray[np.float64]:
    """Standard normal scores with the given correlations from independent uniforms.

    Parameters
    ----------
    u
        (n, d) independent numbers in (0, 1).
    names
        The d names.
    pairs
        (name, name) -> correlation of the normal scores; pairs not named are uncorrelated.

    Returns
    -------
    (n, d) normal scores. A matrix that is not positive definite is replaced by the nearest one after eigenvalue
    clipping; a change of more than 0.02 in any entry raises InputError.
    """
    from scipy.special import ndtri

    index = {name: i for i, name in enumerate(names)}
    matrix = np.eye(len(names))
    for (a, b), rho in pairs.items():
        for name in (a, b):
            if name not in index:
                raise unknown_word("name in a correlation", name, names)
        if not -1.0 < rho < 1.0:
            raise InputError(f"correlation of '{a}' and '{b}' is {rho:g}, not inside (-1, 1)")
        matrix[index[a], index[b]] = matrix[index[b], index[a]] = rho
    fixed = nearest_correlation(matrix)
    if np.abs(fixed - matrix).max() > 0.02:
        raise InputError("the correlations are inconsistent with each other: the matrix is far from positive definite")
    scores, factor = ndtri(u), np.linalg.cholesky(fixed)
    # added up column by column, so that a row's last bit does not depend on how many rows there are (BLAS's would)
    out = np.zeros_like(scores)
    for k in range(len(names)):
        out += scores[:, k : k + 1] * factor[:, k]
    values: NDArray[np.float64] = out
    return values
