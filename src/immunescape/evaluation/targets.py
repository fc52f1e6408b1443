"""What a calibration fits to: published figures of the calibration trials, curves and cohorts, as residuals.

Every target compares one figure of weighted virtual patients with a published one on a scale where errors are near
normal (log odds of shares and survival, log of hazard ratios), divided by the standard error of the published figure,
to which a tolerance is added: no model of this kind is exact, and a target known to the third digit must not outweigh
all others.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.evaluation.curve_files import CURVES
from immunescape.evaluation.kinetics import patient_rates, read_lesions
from immunescape.evaluation.weighting import HIGH_TMB, SLD_MM, Sample, weighted_survival
from immunescape.stats.estimate import NORMAL_975
from immunescape.stats.weighted_cox import weighted_hazard_ratio
from immunescape.trial.spec import Published, PublishedArm, Trial

__all__ = [
    "TOLERANCE",
    "Target",
    "ctdna_targets",
    "curve_targets",
    "kinetics_targets",
    "oak_targets",
    "patient_rows",
    "percent",
    "response_by_btmb",
    "response_by_histology",
    "response_by_pdl1",
    "response_by_size",
    "response_by_sp142",
    "response_by_tmb",
    "share_sd",
    "stratum_targets",
    "trial_targets",
]

FloatArray = NDArray[np.float64]
Weighted = Mapping[tuple[str, str], tuple[Sample, FloatArray]]
TOLERANCE = {"orr": 0.12, "survival": 0.12, "hr": 0.05, "stratum": 0.15}
"""Standard deviation, on the scale of the residual, by which a target may be missed for the model's own sake."""
MEDIAN_WINDOW = 0.6
"""Months about a published median, or point of a curve, that count as the same time."""
CURVE_MONTHS = {"pfs": (3.0, 6.0, 9.0, 12.0, 18.0), "os": (3.0, 6.0, 9.0, 12.0, 18.0, 24.0)}
DEPENDENT = 2.0
"""Factor of the standard deviation of points of one curve or distribution: four of them count as one figure."""
LATE_MONTHS = 48.0
"""Published landmarks of OS from this month on are targets of their own."""
HIGH_BTMB_COUNT = 16.0
"""Mutations in blood that part low from high in OAK."""


@dataclass(frozen=True)
class Target:
    """One figure to fit.

    Attributes
    ----------
    name : trial, arm and figure, for tables. source : key of the reference.
    value : published, on the scale of the residual. sd : its standard error and the tolerance.
    figure : computes the same figure, on the same scale, from weighted patients.
    back : turns it into the unit of the report.
    arms : (trial, arm) of the virtual patients.
    kind : ``orr``, ``median`` or ``hr`` for figures that the scoreboard predicts, empty for others.
    tolerance : the part of `sd` that is not the error of the published figure.
    """

    name: str
    source: str
    value: float
    sd: float
    figure: Callable[[Weighted], float]
    back: Callable[[float], float]
    _: KW_ONLY
    arms: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    tolerance: float = 0.0

    def residual(self, weighted: Weighted, spread: float | None = None) -> float:
        """Error in standard deviations (`spread`, else `sd`); 0 where the figure cannot be computed."""
        figure = self.figure(weighted)
        return 0.0 if not math.isfinite(figure) else (figure - self.value) / (spread or self.sd)


def logit(p: float) -> float:
    """Log odds; shares are kept 0.5 % away from 0 and 1."""
    q = min(max(p, 0.005), 0.995)
    return math.log(q / (1.0 - q))


def percent(x: float) -> float:
    """Percent of log odds."""
    return 100.0 / (1.0 + math.exp(-x))


def share_sd(p: float, n: int, tolerance: float) -> float:
    """Standard deviation of the log odds of a share `p` of `n` patients, and a tolerance."""
    q = min(max(p, 0.01), 0.99)
    return math.hypot(1.0 / math.sqrt(n * q * (1.0 - q)), tolerance)


def trial_targets(trial: Trial) -> list[Target]:
    """Targets from the `published:` block: response, survival at medians and landmarks, hazard ratios."""
    if trial.published is None:
        raise InputError(f"trial '{trial.name}' has no published results to fit to", where=trial.file or None)
    out: list[Target] = []
    for arm in trial.published.arms:
        n = arm.n or next(a.n for a in trial.arms if a.name == arm.name)
        out += _arm_targets(trial.name, arm, n, trial.published.sources)
    for endpoint in ("pfs", "os"):
        ratio = getattr(trial.published, f"{endpoint}_hr")
        if ratio is not None and trial.control is not None and trial.experimental:
            out.append(_ratio_target(trial, trial.published, endpoint, ratio))
    return out


def _arm_targets(trial: str, arm: PublishedArm, n: int, sources: Mapping[str, str]) -> list[Target]:
    """Response, survival at the medians, and late survival of one arm of `n` patients."""
    out: list[Target] = []
    label, key = f"{trial}: {arm.name}", (trial, arm.name)
    if arm.orr_pct is not None:
        p = arm.orr_pct / 100.0
        out.append(
            Target(
                f"{label}, ORR (%)",
                sources.get("orr", ""),
                logit(p),
                share_sd(p, n, TOLERANCE["orr"]),
                lambda w: logit(float(w[key][0].response @ w[key][1])),
                percent,
                arms=(key,),
                kind="orr",
                tolerance=TOLERANCE["orr"],
            )
        )
    for endpoint, median in (("pfs", arm.pfs_median_months), ("os", arm.os_median_months)):
        if median is not None:
            out.append(
                Target(
                    f"{label}, {endpoint.upper()} at {median:g} months (%)",
                    sources.get(endpoint, ""),
                    0.0,
                    share_sd(0.5, n, TOLERANCE["survival"]),
                    _survival(key, endpoint, median, MEDIAN_WINDOW),
                    percent,
                    arms=(key,),
                    kind="median",
                    tolerance=TOLERANCE["survival"],
                )
            )
    for months, shown in arm.km.get("os", ()):
        if months >= LATE_MONTHS:
            p = shown / 100.0
            out.append(
                Target(
                    f"{label}, OS at {months:g} months (%)",
                    sources.get("km", ""),
                    logit(p),
                    share_sd(p, n, TOLERANCE["survival"]),
                    _survival(key, "os_last", months, 0.0),
                    percent,
                    arms=(key,),
                )
            )
    return out


def _survival(key: tuple[str, str], endpoint: str, months: float, window: float) -> Callable[[Weighted], float]:
    """Log odds of survival of an arm about a month."""
    at = np.array([months - window, months + window])

    def figure(w: Weighted) -> float:
        sample, weights = w[key]
        before, after = (logit(float(s)) for s in weighted_survival(*sample.times[endpoint], weights, at))
        # scans make curves of PFS staircases: a step that passes one half at the median agrees with it
        return min(before, 0.0) + max(after, 0.0) if endpoint == "pfs" else 0.5 * (before + after)

    return figure


def _ratio_target(trial: Trial, published: Published, endpoint: str, ratio: float) -> Target:
    """Hazard ratio of the first experimental arm against the control."""
    interval = getattr(published, f"{endpoint}_hr_ci")
    error = 0.15
    if interval and interval[0] and interval[1]:
        error = math.log(interval[1] / interval[0]) / (2.0 * NORMAL_975)
    if trial.control is None:
        raise ValueError("a hazard ratio needs a control")
    a, b = (trial.name, trial.experimental[0].name), (trial.name, trial.control.name)

    def log_ratio(w: Weighted) -> float:
        (first, wa), (second, wb) = w[a], w[b]
        return weighted_hazard_ratio(first.times[endpoint], wa, second.times[endpoint], wb)

    return Target(
        f"{trial.name}: {endpoint.upper()} hazard ratio",
        published.sources.get(endpoint, ""),
        math.log(ratio),
        math.hypot(error, TOLERANCE["hr"]),
        log_ratio,
        math.exp,
        arms=(a, b),
        kind="hr",
        tolerance=TOLERANCE["hr"],
    )


def curve_targets(folder: Path, trials: Sequence[Trial]) -> list[Target]:
    """Targets from event times read off published curves: CSV files ``time,event,arm`` (months) in a folder.

    Survival is compared at `CURVE_MONTHS`, as far as a tenth of the patients is still at risk. Curves of patients who
    had to survive to be analysed are left out.
    """
    simulated = {t.name for t in trials}
    out = []
    for stem, file in CURVES.items():
        path = folder / f"{stem}.csv"
        if file.trial not in simulated or file.selected or not path.is_file():
            continue
        for arm, rows in file.read(path).items():
            time, event = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
            out += _curve((file.trial, arm), file.endpoint, time, event, file.source)
    return out


def _curve(key: tuple[str, str], endpoint: str, time: FloatArray, event: FloatArray, source: str) -> list[Target]:
    """Targets of one arm's curve, from event times in months, as far as a tenth of the patients is still at risk."""
    out = []
    equal = np.full(len(time), 1.0 / len(time))
    for months in CURVE_MONTHS[endpoint]:
        if int((time >= months).sum()) < max(10, len(time) // 10):
            continue
        p = float(weighted_survival(time, event, equal, np.array([months]))[0])

        def figure(w: Weighted, m: float = months) -> float:
            sample, weights = w[key]
            at = np.array([m - MEDIAN_WINDOW, m + MEDIAN_WINDOW])
            return logit(float(weighted_survival(*sample.times[endpoint], weights, at).mean()))

        # points of one curve depend on each other, and on the median that counts already
        sd = DEPENDENT * share_sd(p, len(time), TOLERANCE["survival"])
        out.append(
            Target(
                f"{key[0]}: {key[1]}, {endpoint.upper()} at {months:g} months (%)",
                source,
                logit(p),
                sd,
                figure,
                percent,
                arms=(key,),
            )
        )
    return out


Patients = Literal["all", "training"]
"""Which of the real patients are read: all, or without the 30 % that nothing may be fitted to."""
SPLITS = {
    "oak_clinical": ("oak", "PtID"),
    "chowell_train_nsclc": ("loris_chowell", "SAMPLE_ID"),
    "shim_nsclc": ("loris_shim", "SAMPLE_ID"),
}
"""Table of patients -> study and column of the identifier by which it is split (`immunescape.knowledge.held_out`)."""


def patient_rows(path: Path, patients: Patients) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a table of patients with their line numbers; held-out ones only with ``all``."""
    from immunescape.knowledge.held_out import is_held_out

    study, column = SPLITS.get(path.stem, ("", ""))
    with path.open(encoding="utf-8-sig") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            if patients == "training" and study:
                if not row.get(column):
                    raise InputError(
                        f"no '{column}': the held-out patients cannot be identified",
                        where=f"{path}, row {number}",
                        hint="A fit leaves out 30 % of these patients by their identifiers.",
                    )
                if is_held_out(study, row[column]):
                    continue
            yield number, row


def oak_targets(path: Path, patients: Patients = "all") -> list[Target]:
    """Targets from OAK's patients: PFS and OS at `CURVE_MONTHS` by arm, and their hazard ratios by histology.

    The table has ``TRT01P``, ``HIST``, ``PFS``, ``OS`` (months) and ``PFS.CNSR``, ``OS.CNSR`` (1: censored).
    """
    arms: dict[tuple[str, str], dict[str, list[tuple[float, float, bool]]]] = {
        key: {"pfs": [], "os": []} for key in OAK_ARMS.values()
    }
    for number, row in patient_rows(path, patients):
        try:
            squamous = row["HIST"] == "SQUAMOUS"
            for endpoint, rows in arms[OAK_ARMS[row["TRT01P"]]].items():
                column = endpoint.upper()
                rows.append((float(row[column]), float(row[f"{column}.CNSR"] == "0"), squamous))
        except (KeyError, ValueError) as error:
            raise InputError(f"a cell is missing or wrong: {error}", where=f"{path}, row {number}") from None
    out = []
    for key, endpoints in arms.items():
        for endpoint, rows in endpoints.items():
            time, event, _ = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
            out += _curve(key, endpoint, time, event, "gandara2018")
    treated, two = OAK_ARMS["MPDL3280A"], OAK_ARMS["Docetaxel"]
    for endpoint, name in ((e, h) for e in ("pfs", "os") for h in ("squamous", "nonsquamous")):
        parts = [[r[:2] for r in arms[key][endpoint] if r[2] == (name == "squamous")] for key in (treated, two)]
        (ta, ea), (tb, eb) = (tuple(np.array(pairs).T) for pairs in parts)
        n = len(ta) + len(tb)
        ratio = weighted_hazard_ratio((ta, ea), np.full(len(ta), 1.0 / n), (tb, eb), np.full(len(tb), 1.0 / n))

        def figure(w: Weighted, name: str = name, endpoint: str = endpoint) -> float:
            (a, wa), (b, wb) = w[treated], w[two]
            wa, wb = wa * a.groups[name], wb * b.groups[name]
            return weighted_hazard_ratio(a.times[endpoint], wa / wa.sum(), b.times[endpoint], wb / wb.sum())

        # these patients count already in the ratio of the whole trial
        sd = DEPENDENT * math.hypot(math.sqrt(1.0 / ea.sum() + 1.0 / eb.sum()), TOLERANCE["hr"])
        label = f"oak: {endpoint.upper()} hazard ratio, {name}"
        out.append(Target(label, "gandara2018", ratio, sd, figure, math.exp, arms=(treated, two)))
    return out


KINETICS = {"Study_4_Arm_1": ("oak", "docetaxel"), "Study_4_Arm_2": ("oak", "atezolizumab")}
"""Arm of ``tumour_kinetics/oak.csv`` -> (trial, arm)."""
_QUANTILES = (0.25, 0.5, 0.75)


def kinetics_targets(path: Path, patients: Patients = "all") -> list[Target]:
    """Targets from growth of single lesions: shares of patients below the quartiles of growth and of best change."""
    from immunescape.knowledge.held_out import is_held_out

    lesions = read_lesions(path)
    out = []
    for code, key in KINETICS.items():
        if code not in lesions:
            raise InputError(f"arm '{code}' is missing", where=str(path))
        measured = lesions[code]
        if patients == "training":
            measured = {name: series for name, series in measured.items() if not is_held_out("oak", name)}
        rates = patient_rates(measured)
        n = len(rates["growth"])
        for rate in ("growth", "best_change"):
            for q in _QUANTILES:
                edge = float(np.quantile(rates[rate], q))
                share = float((rates[rate] <= edge).mean())

                def figure(w: Weighted, key: tuple[str, str] = key, rate: str = rate, edge: float = edge) -> float:
                    sample, weights = w[key]
                    finite = weights * np.isfinite(sample.values[rate])
                    return logit(float(finite @ (np.nan_to_num(sample.values[rate]) <= edge)) / float(finite.sum()))

                sd = DEPENDENT * share_sd(share, n, TOLERANCE["survival"])
                out.append(
                    Target(
                        f"{key[0]}: {key[1]}, {rate.replace('_', ' ')} of a lesion <= {edge:.3g} (%)",
                        "laleh2022",
                        logit(share),
                        sd,
                        figure,
                        percent,
                        arms=(key,),
                    )
                )
    return out


_RESPONSE = (("TPS<1", -1.0, 1.0), ("TPS 1-49", 1.0, 50.0), ("TPS>=50", 50.0, 101.0))


def response_by_pdl1(folder: Path, patients: Patients = "all") -> dict[str, tuple[int, int]]:
    """Responders and patients by stratum of PD-L1 TPS in tables with ``PDL1_TPS(%)`` and ``Response`` (0 or 1)."""
    counts = {name: [0, 0] for name, _, _ in _RESPONSE}
    for path in sorted(folder.glob("*.csv")):
        for number, row in patient_rows(path, patients):
            text, answer = row.get("PDL1_TPS(%)", ""), row.get("Response", "")
            if text in ("", "NA", "NaN", ".", None) or answer in ("", "NA", "NaN", ".", None):
                continue
            try:
                tps, responded = float(text), int(float(answer))
            except ValueError:
                raise InputError(f"'{text}' or '{answer}' is not a number", where=f"{path}, row {number}") from None
            for name, low, high in _RESPONSE:
                if low <= tps < high:
                    counts[name][0] += responded
                    counts[name][1] += 1
    return {name: (a, n) for name, (a, n) in counts.items()}


OAK_ARMS = {"MPDL3280A": ("oak", "atezolizumab"), "Docetaxel": ("oak", "docetaxel")}


def response_by_tmb(folder: Path, patients: Patients = "all") -> dict[str, dict[str, tuple[int, int]]]:
    """Responders and patients by TMB, apart for PD-L1 below 50 % and above, in the tables of `response_by_pdl1`.

    Patients whose PD-L1, TMB or response is not known are left out.
    """
    names = [f"TMB<{HIGH_TMB:g}", f"TMB>={HIGH_TMB:g}"]
    counts = {stratum: {f"{stratum}, {name}": [0, 0] for name in names} for stratum in ("TPS<50", "TPS>=50")}
    for path in sorted(folder.glob("*.csv")):
        for number, row in patient_rows(path, patients):
            texts = [row.get(column) or "" for column in ("PDL1_TPS(%)", "TMB", "Response")]
            if any(text in ("", "NA", "NaN", ".") for text in texts):
                continue
            try:
                tps, tmb, responded = (float(text) for text in texts)
            except ValueError:
                raise InputError(f"one of {texts} is not a number", where=f"{path}, row {number}") from None
            stratum = "TPS>=50" if tps >= 50 else "TPS<50"
            cell = counts[stratum][f"{stratum}, {names[tmb >= HIGH_TMB]}"]
            cell[0] += int(responded)
            cell[1] += 1
    return {stratum: {name: (a, n) for name, (a, n) in cells.items()} for stratum, cells in counts.items()}


def response_by_btmb(path: Path, patients: Patients = "all") -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """As `response_by_size`, by blood TMB (``btmb``, 16 mutations and more are high); unknown ones are left out."""
    names = ("low bTMB", "high bTMB")
    return _response_by(path, names, lambda row: names[float(row["btmb"]) >= HIGH_BTMB_COUNT], "btmb", patients)


def ctdna_targets(path: Path, patients: Patients = "all") -> list[Target]:
    """Hazard ratio of OS of OAK's patients with much ctDNA over those with little, by arm.

    Column ``MSAF`` (the highest allele frequency of somatic mutations) parts them at its median; the model's patients
    are parted by their concentration of ctDNA at diagnosis.
    """
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {key: [] for key in OAK_ARMS.values()}
    for number, row in patient_rows(path, patients):
        try:
            if row["MSAF"] not in ("", "NA", "."):
                record = (float(row["OS"]), float(row["OS.CNSR"] == "0"), float(row["MSAF"]))
                rows[OAK_ARMS[row["TRT01P"]]].append(record)
        except (KeyError, ValueError) as error:
            raise InputError(f"a cell is missing or wrong: {error}", where=f"{path}, row {number}") from None
    out = []
    for key, of_patients in rows.items():
        if not of_patients:
            continue
        time, event, shed = (np.array(column) for column in zip(*of_patients, strict=True))
        high = shed > np.median(shed)
        equal = np.full(len(time), 1.0 / len(time))
        ratio = weighted_hazard_ratio((time[high], event[high]), equal[high], (time[~high], event[~high]), equal[~high])

        def figure(w: Weighted, key: tuple[str, str] = key) -> float:
            sample, weights = w[key]
            much, little = weights * sample.groups["high ctDNA"], weights * sample.groups["low ctDNA"]
            return weighted_hazard_ratio(sample.times["os"], much, sample.times["os"], little)

        chance = math.sqrt(1.0 / event[high].sum() + 1.0 / event[~high].sum())
        name = f"{key[0]}: {key[1]}, OS hazard ratio of much over little ctDNA"
        sd = math.hypot(chance, TOLERANCE["stratum"])
        out.append(Target(name, "gandara2018", ratio, sd, figure, math.exp, arms=(key,)))
    return out


def response_by_sp142(path: Path, patients: Patients = "all") -> dict[str, tuple[int, int]]:
    """Responders and patients on atezolizumab by PD-L1 (SP142) in OAK's table: ``TC1IC1`` and ``TC3IC3``.

    The assay is another than that of the tumour proportion score; virtual patients are parted by the rank of their
    score into groups of the same shares. A missing best response counts as none.
    """
    names = ("PD-L1 low", "PD-L1 middle", "PD-L1 high")

    def stratum(row: Mapping[str, str]) -> str | None:
        if "UNKNOWN" in (row["TC1IC1"], row["TC3IC3"]):
            return None
        low, high = row["TC1IC1"] == "TC0 and IC0", row["TC3IC3"] == "TC3 or IC3"
        return names[0 if low else 2 if high else 1]

    return _response_by(path, names, stratum, "TC1IC1", patients)[OAK_ARMS["MPDL3280A"]]


def response_by_size(path: Path, patients: Patients = "all") -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """Responders and patients by sum of diameters at baseline in a table with ``TRT01P``, ``BCOR`` and ``blSLD`` (mm).

    A missing best response counts as none.
    """
    names = (f"SLD<{SLD_MM:g} mm", f"SLD>={SLD_MM:g} mm")
    return _response_by(path, names, lambda row: names[float(row["blSLD"]) >= SLD_MM], "blSLD", patients)


def response_by_histology(path: Path, patients: Patients = "all") -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """As `response_by_size`, by the column ``HIST``."""
    names = ("nonsquamous", "squamous")
    return _response_by(path, names, lambda row: names[row["HIST"] == "SQUAMOUS"], "HIST", patients)


def _response_by(
    path: Path,
    names: Sequence[str],
    stratum: Callable[[Mapping[str, str]], str | None],
    column: str,
    patients: Patients,
) -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """Arm -> stratum -> (responders, patients); rows with an empty `column` or of no stratum are left out."""
    counts = {key: {name: [0, 0] for name in names} for key in OAK_ARMS.values()}
    for number, row in patient_rows(path, patients):
        try:
            if row[column] in ("", "NA", "."):
                continue
            name = stratum(row)
            if name is None:
                continue
            cell = counts[OAK_ARMS[row["TRT01P"]]][name]
            cell[0] += row["BCOR"] in ("CR", "PR")
        except (KeyError, ValueError) as error:
            raise InputError(f"a cell is missing or wrong: {error}", where=f"{path}, row {number}") from None
        cell[1] += 1
    return {key: {n: (a, b) for n, (a, b) in rows.items()} for key, rows in counts.items()}


def stratum_targets(
    rates: Mapping[str, tuple[int, int]], arms: Sequence[tuple[str, str]], source: str, label: str
) -> list[Target]:
    """Targets for how response differs between strata, such as those of PD-L1.

    Parameters
    ----------
    rates
        Stratum (a name in `Sample.groups`) -> (responders, patients) of a cohort.
    arms
        (trial, arm) of the virtual patients, pooled.
    source, label
        Key of the reference; what is given, for the target's name.

    Returns
    -------
    One target for each stratum but the first: the log of the odds ratio against the first.
    """
    first = next(iter(rates))
    out = []
    base = rates[first]
    for name, (responders, n) in rates.items():
        if name == first:
            continue

        def figure(w: Weighted, name: str = name) -> float:
            odds = []
            for stratum in (name, first):
                got = mass = 0.0
                for key in arms:
                    if key in w:
                        sample, weights = w[key]
                        inside = weights * sample.groups[stratum]
                        got, mass = got + float(inside @ sample.response), mass + float(inside.sum())
                odds.append(logit(got / mass) if mass > 0 else math.nan)
            return odds[0] - odds[1]

        value = logit(responders / n) - logit(base[0] / base[1])
        variance = sum(1.0 / k + 1.0 / (m - k) for k, m in ((responders, n), base))
        out.append(
            Target(
                f"response to {label}, odds ratio {name} v {first}",
                source,
                value,
                math.hypot(math.sqrt(variance), TOLERANCE["stratum"]),
                figure,
                math.exp,
                arms=tuple(arms),
            )
        )
    return out
