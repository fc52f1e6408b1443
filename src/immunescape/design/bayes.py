"""Bayesian multi-arm designs with a binary endpoint: adaptive randomisation, posterior and predictive stopping.

Beta posteriors are compared by quadrature, not by sampling, so that decisions carry no Monte Carlo noise of their own.
The threshold of superiority can be calibrated to a target type I error: under the null, the largest posterior
probability over looks and arms is recorded, and its upper quantile is the threshold.

Sources: adaptive randomisation [thall2007]; predictive probability [lee2008]; predictive power [spiegelhalter1994].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from immunescape.design.cohort import Cohort, Milestone, Streams
from immunescape.design.complaints import FieldError
from immunescape.design.records import Decided, Design, Rule
from immunescape.design.truth import Truth
from immunescape.errors import InputError

__all__ = [
    "Bayesian",
    "posterior_superiority",
    "predictive_power",
    "predictive_probability",
    "probability_best",
]

Floats = NDArray[np.float64]
_X, _W = np.polynomial.legendre.leggauss(96)
_P, _W = (_X + 1) / 2, _W / 2


def _log_beta(a: Floats, b: Floats) -> Floats:
    """(..., 96) log density of Beta(a, b) at the nodes."""
    norm = special.betaln(a, b)[..., None]
    values: Floats = (a[..., None] - 1) * np.log(_P) + (b[..., None] - 1) * np.log1p(-_P) - norm
    return values


def posterior_superiority(a1: ArrayLike, b1: ArrayLike, a0: ArrayLike, b0: ArrayLike) -> Floats:
    """P(rate 1 > rate 0) for independent Beta(a1, b1) and Beta(a0, b0); any shapes that broadcast."""
    a1, b1, a0, b0 = (np.asarray(x, dtype=float) for x in (a1, b1, a0, b0))
    a1, b1, a0, b0 = np.broadcast_arrays(a1, b1, a0, b0)
    weight = np.exp(_log_beta(a0, b0)) * _W
    above = special.betaincc(a1[..., None], b1[..., None], _P)
    values: Floats = np.clip((weight * above).sum(axis=-1) / weight.sum(axis=-1), 0.0, 1.0)
    return values


def probability_best(a: Floats, b: Floats, active: NDArray[np.bool_]) -> Floats:
    """(R, A) probability that each active arm has the largest rate, for Beta(a, b) posteriors [thall2007]."""
    density = np.exp(_log_beta(a, b)) * _W
    below = np.where(active[..., None], special.betainc(a[..., None], b[..., None], _P), 1.0)
    best = np.empty(a.shape)
    for k in range(a.shape[1]):
        others = np.delete(below, k, axis=1).prod(axis=1)
        best[:, k] = (density[:, k] * others).sum(axis=-1)
    best = np.where(active, best, 0.0)
    total = best.sum(axis=1, keepdims=True)
    values: Floats = np.divide(best, total, out=np.zeros_like(best), where=total > 0)
    return values


def predictive_probability(
    responses: int, seen: int, total: int, target: float, threshold: float, prior: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Probability that one arm ends with P(rate > target) above `threshold`, given the data so far.

    Source: [lee2008].

    Parameters
    ----------
    responses, seen : so far. total : patients at the end. target : rate to exceed. prior : Beta prior.
    """
    if not 0 <= responses <= seen <= total:
        raise InputError(f"{responses} responses of {seen} patients of {total}")
    a, b = prior[0] + responses, prior[1] + seen - responses
    left = total - seen
    more = np.arange(left + 1)
    chance = stats.betabinom.pmf(more, left, a, b) if left else np.ones(1)
    success = stats.beta.sf(target, a + more, b + left - more) > threshold
    return float(chance[success].sum())


def predictive_power(z: ArrayLike, fraction: ArrayLike, critical: float) -> Floats:
    """Probability to end with Z above `critical`, averaged over the posterior under a flat prior.

    Source: [spiegelhalter1994].
    """
    t = np.asarray(fraction, dtype=float)
    values: Floats = special.ndtr(
        (np.asarray(z, dtype=float) - critical * np.sqrt(t)) / np.sqrt(np.maximum(1 - t, 1e-12))
    )
    return values


@dataclass(frozen=True)
class Bayesian(Rule):
    """Bayesian comparison of one or several arms with a control [thall2007], [lee2008].

    Attributes
    ----------
    endpoint : a response. threshold : posterior probability of superiority that stops for efficacy (None: calibrated to
        the design's alpha). futility : drop an arm whose predictive power is below
        this: the chance of a posterior probability at the end above the threshold (where that is calibrated: above
        1 - alpha).
    adaptive : whether allocation follows P(best); `power` its exponent (None: n / (2 N), growing), `floor` the least
        share of an arm that is open; the control keeps its planned share.
    prior : Beta prior of every arm. calibration : null replicates for the threshold.
    """

    kind: ClassVar[str] = "bayesian"
    fixed_allocation: ClassVar[bool] = False

    endpoint: str
    _: KW_ONLY
    threshold: float | None = None
    futility: float = 0.0
    adaptive: bool = False
    power: float | None = None
    floor: float = 0.1
    prior: tuple[float, float] = (1.0, 1.0)
    calibration: int = 4000

    def check(self, design: Design) -> None:
        """See :class:`Rule`."""
        _ = design.control
        if not design.experimental:
            raise InputError("a Bayesian comparison needs an experimental arm")
        if design.endpoint(self.endpoint).kind != "response":
            raise InputError(f"the Bayesian rule compares response rates; '{self.endpoint}' is a survival endpoint")
        for k, look in enumerate(design.looks):
            if look.events is not None and look.endpoint != self.endpoint:
                raise FieldError(
                    f"a look by events of '{look.endpoint}' in a comparison of '{self.endpoint}'",
                    hint=f"Set it by patients, by months, or by responses: {{events: 30, endpoint: {self.endpoint}}}.",
                    field=("looks", k),
                )
        if self.threshold is None and design.alpha is None:
            raise InputError("a threshold is needed, or alpha to calibrate it to")
        if self.threshold is not None and not 0.5 < self.threshold < 1:
            raise InputError(f"a threshold of superiority must lie between 0.5 and 1, not {self.threshold}")
        if not 0 <= self.futility < 1:
            raise InputError("a futility threshold must lie between 0 and 1")
        if self.threshold is not None and self.futility >= self.threshold:
            raise InputError("the futility threshold lies above the threshold of superiority")
        if not 0 <= self.floor <= 1 / (len(design.arms)):
            raise InputError(f"the least share of {len(design.arms)} arms is at most {1 / len(design.arms):.2f}")
        if min(self.prior) <= 0:
            raise InputError("Beta priors have parameters above 0")
        if self.calibration < 500:
            raise InputError("calibration needs at least 500 replicates")

    def hypotheses(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return tuple(design.arms[k].name for k in design.experimental)

    def selections(self, design: Design) -> tuple[str, ...]:
        """See :class:`Rule`."""
        return self.hypotheses(design)

    def cautions(self, design: Design) -> list[str]:
        """See :class:`Rule`."""
        if self.threshold is None or design.alpha is None:
            return []
        return [
            f"the posterior threshold of {self.threshold:g} is given, not calibrated, so the type I error is not "
            f"controlled at {100 * design.alpha:g} % (leave 'threshold' out to calibrate it)"
        ]

    def plan(self, design: Design) -> dict[str, Any]:
        """Threshold; where it is calibrated, from null replicates of their own seed."""
        if self.threshold is not None:
            return {"threshold": self.threshold, "calibrated": False}
        assert design.alpha is not None
        largest = []
        truth = design.scenario("null")
        for block in range(-(-self.calibration // 250)):
            _, stopped = self._simulate(design, truth, Streams(20180711, block, 250), 2.0)
            largest.append(stopped)
        peak = np.sort(np.concatenate(largest))
        # the smallest threshold whose error, counted over n null replicates, does not exceed alpha
        place = min(int(np.ceil((1 - design.alpha) * len(peak))), len(peak) - 1)
        return {"threshold": float(peak[place]), "calibrated": True, "replicates": len(peak)}

    def run(self, design: Design, truth: Truth, streams: Streams, plan: Mapping[str, Any]) -> Decided:
        """See :class:`Rule`."""
        return self._simulate(design, truth, streams, float(plan["threshold"]))[0]

    def _simulate(self, design: Design, truth: Truth, streams: Streams, threshold: float) -> tuple[Decided, Floats]:
        """One block; also the largest posterior probability reached by each replicate."""
        cohort = design.cohort(truth, streams, assign=False)
        replicates, patients = cohort.entry.shape
        arms, control, looks = design.experimental, design.control, len(design.looks)
        shares = np.array([a.allocation for a in design.arms], dtype=float)
        probability = np.broadcast_to(shares / shares.sum(), (replicates, len(shares))).copy()
        u = streams.uniform("arm", patients)
        open_arms = np.ones((replicates, len(arms)), dtype=bool)
        rejected = np.zeros((replicates, len(arms)), dtype=bool)
        running = np.ones(replicates, dtype=bool)
        stage, reason = np.full(replicates, looks), np.zeros(replicates, dtype=np.int64)
        peak = np.zeros(replicates)
        by_look = {n: np.full((replicates, looks), np.nan) for n in ("months", "patients", "events", "control_share")}
        done = np.zeros(replicates, dtype=np.int64)
        month = np.zeros(replicates)
        total = self._read_at_the_end(design)
        # futility refers to a fixed bound, not to the threshold, so that the calibration uses the same rule
        critical = float(special.ndtri(self.threshold if self.threshold is not None else 1.0 - (design.alpha or 0.025)))
        for k, look in enumerate(design.looks):
            if look.events is not None:
                # until that many have responded, new patients are assigned as after the previous look
                self._assign(cohort, done, np.full(replicates, patients), probability, u)
            month = np.maximum(cohort.month_of(look), month)
            # patients who enter before this look are assigned with the probabilities of the previous look
            upto = np.minimum((cohort.entry <= month[:, None]).sum(axis=1), patients)
            if look.events is not None:
                cohort.arm = np.where(np.arange(patients) >= upto[:, None], -1, cohort.arm)
            self._assign(cohort, done, upto, probability, u)
            done = np.maximum(done, upto)
            view = cohort.view(self.endpoint, month)
            n = np.stack([(view.use & (cohort.arm == a)).sum(axis=1) for a in range(len(shares))], axis=1)
            x = np.stack([(view.event & (cohort.arm == a)).sum(axis=1) for a in range(len(shares))], axis=1)
            a, b = self.prior[0] + x, self.prior[1] + n - x
            better = posterior_superiority(a[:, arms], b[:, arms], a[:, [control]], b[:, [control]])
            counted = open_arms & running[:, None]
            peak = np.maximum(peak, np.where(counted, better, 0.0).max(axis=1))
            rejected |= counted & (better > threshold)
            won = np.asarray(rejected.any(axis=1))
            if k + 1 < looks and self.futility > 0:
                z = special.ndtri(np.clip(better, 1e-12, 1 - 1e-12))
                fraction = n.sum(axis=1) / total
                open_arms &= predictive_power(z, np.minimum(fraction, 0.999)[:, None], critical) >= self.futility
            by_look["months"][running, k] = month[running]
            by_look["patients"][running, k] = upto[running]
            by_look["events"][running, k] = x.sum(axis=1)[running]
            by_look["control_share"][running, k] = ((cohort.arm == control).sum(axis=1) / np.maximum(upto, 1))[running]
            end = running & (won | ~open_arms.any(axis=1))
            if k + 1 < looks:
                stage[end] = k + 1
                reason[end] = np.where(won[end], 1, 2)
                running &= ~end
                probability = self._allocation(design, a, b, open_arms, done)
        last = (np.arange(replicates), stage - 1)
        in_best = np.zeros((replicates, len(arms)))
        for j, arm in enumerate(arms):
            in_best[:, j] = ((cohort.arm == arm) & (np.arange(patients) < by_look["patients"][last][:, None])).sum(
                axis=1
            )
        extra = {f"patients: {design.arms[arm].name}": in_best[:, j] for j, arm in enumerate(arms)}
        chosen = np.zeros((replicates, len(arms)), dtype=bool)
        chosen[np.arange(replicates), np.where(open_arms, better, -1.0).argmax(axis=1)] = True
        chosen &= open_arms
        return (
            Decided.at_last_look(
                rejected,
                stage,
                reason,
                selected=chosen,
                by_look=by_look,
                extra=extra,
            ),
            peak,
        )

    @staticmethod
    def _read_at_the_end(design: Design) -> float:
        """Patients read at the last look: those that it names, or all where it is set by months or responses."""
        last = design.looks[-1]
        return float(design.patients if last.patients is None else last.patients)

    def _assign(self, cohort: Cohort, start: NDArray[np.int64], end: NDArray[np.int64], p: Floats, u: Floats) -> None:
        place = np.arange(cohort.entry.shape[1])
        now = (place >= start[:, None]) & (place < end[:, None])
        edges = np.cumsum(p, axis=1)[:, :-1]
        arm = (u[:, :, None] > edges[:, None, :]).sum(axis=2)
        cohort.arm = np.where(now, arm, cohort.arm)
        cohort.draw()

    def _allocation(
        self, design: Design, a: Floats, b: Floats, open_arms: NDArray[np.bool_], done: NDArray[np.int64]
    ) -> Floats:
        """(R, arms) allocation until the next look."""
        shares = np.array([arm.allocation for arm in design.arms], dtype=float)
        arms, control = design.experimental, design.control
        keep = shares[control] / shares.sum()
        out = np.zeros((len(a), len(shares)))
        if self.adaptive:
            power = np.full(len(a), self.power) if self.power is not None else done / (2.0 * design.patients)
            weight = np.where(open_arms, probability_best(a[:, arms], b[:, arms], open_arms) ** power[:, None], 0.0)
        else:
            weight = np.where(open_arms, shares[arms], 0.0)
        total = weight.sum(axis=1, keepdims=True)
        weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        if self.adaptive:
            lowest = self.floor / (1 - keep)
            count = open_arms.sum(axis=1, keepdims=True)
            weight = np.where(open_arms, lowest + weight * np.maximum(1 - lowest * count, 0.0), 0.0)
            weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
        out[:, arms] = weight * (1 - keep)
        out[:, control] = 1 - out[:, arms].sum(axis=1)
        return out

    def expected_table(self, design: Design, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See :class:`Rule`."""
        how = f"calibrated on {plan['replicates']} null replicates" if plan["calibrated"] else "given"
        return [
            {
                "hypothesis": "each arm",
                "look": k + 1,
                "at": str(look),
                "test": f"posterior superiority ({how})",
                "information": _fraction(look, design.looks[-1]),
                "threshold": float(plan["threshold"]),
                "futility": self.futility or None,
            }
            for k, look in enumerate(design.looks)
        ]


def _fraction(look: Milestone, last: Milestone) -> float | None:
    """Size of a look over that of the last one, where both are set by the same thing."""
    same = (look.patients is None, look.events is None) == (last.patients is None, last.events is None)
    return look.size / last.size if same else None
