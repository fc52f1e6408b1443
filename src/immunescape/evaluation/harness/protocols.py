"""The trials that the harness scores, and each protocol file compared with the table row that it stands for.

Trials come from four places: those that ship with a role, those of ``curve_trials.csv`` (calibration trials with
digitised curves, whose protocols stand beside this module), the protocol files of a data folder (``trial_files/``, with
the rows of ``trials.csv`` and ``combinations.csv``), and a protocol of the harness's own for the odds ratios of
biomarkers. The tables have the columns of their header; a cell that is empty says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from immunescape.errors import InputError, unknown_word
from immunescape.evaluation.harness.tables import COMBINATIONS, CURVE_TRIALS, HOW, TRIALS, included_rows, read_table
from immunescape.evaluation.trial_classes import roles
from immunescape.knowledge.tables import Row
from immunescape.trial.loading import list_trials, load_trial
from immunescape.trial.spec import Arm, Trial

__all__ = ["Deviation", "Protocol", "curve_trials", "deviations", "protocol_file", "protocols"]

_ALIASES = {
    "sintilimab + anlotinib phase ib": "sintilimab-anlotinib",
    "alt-803 + nivolumab phase ib": "nivolumab-alt-803",
    "til + nivolumab phase i": "til-nivolumab",
    "keynote-042 tps>=50": "keynote-042-high",
    "checkmate 227 part 1, pd-l1>=1": "checkmate-227",
}
"""Rows of ``trials.csv`` whose trial is not named as its protocol."""
PROBE = "all-comers-pembrolizumab"
"""The protocol of the harness's own."""
SUBGROUPS = ("keynote-042-high",)
"""Trials whose patients are part of another one's: shown, but not counted among the scores."""


@dataclass(frozen=True)
class Protocol:
    """A trial to be scored.

    Attributes
    ----------
    trial : its protocol.
    role : calibration or validation; ``none`` for the harness's own protocol.
    kind : class of the comparison: ``addon``, ``switch``, ``single``, or the regimen class of a trial that ships.
    rows : rows of the data folder's tables about it, by arm (``experimental``, ``control``).
    met : whether its primary endpoint was met; None where it is not known or there is no comparison.
    checked : what the table says about the source of the published figures.
    """

    trial: Trial
    role: str
    kind: str
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    met: bool | None = None
    checked: str = ""

    @property
    def counted(self) -> bool:
        """Whether it counts among the scores."""
        return self.role != "none" and self.trial.name not in SUBGROUPS


@dataclass(frozen=True)
class Deviation:
    """A field in which a protocol file and its table row differ."""

    trial: str
    field: str
    file: str
    table: str

    def row(self) -> dict[str, str]:
        """As a row of a table."""
        return {"trial": self.trial, "field": self.field, "protocol": self.file, "table": self.table}


def protocols(data: Path | None, names: Iterable[str] = ()) -> list[Protocol]:
    """Trials to be scored, sorted by name; `names` keeps only these.

    Raises
    ------
    InputError
        For a folder without the tables, a protocol that a table names but the folder lacks, or an unknown trial.
    """
    shipped = {name: load_trial(name) for name in list_trials() if name in roles()}
    tables: dict[str, dict[str, dict[str, str]]] = {}
    made: dict[str, Protocol] = {}
    combinations: dict[str, dict[str, str]] = {}
    if data is not None:
        for row in read_table(data / "trials.csv", TRIALS):
            tables.setdefault(_name(row["trial"]), {})[row["arm"]] = row
        for row in read_table(data / "combinations.csv", COMBINATIONS):
            combinations[row["trial_file"].removesuffix(".yaml")] = row
        for file in sorted((data / "trial_files").glob("*.yaml")):
            trial = load_trial(file)
            if trial.name in shipped:
                continue
            made[trial.name] = _of_file(trial, file, tables, combinations)
        if missing := sorted(set(combinations) - set(made)):
            raise InputError(f"no protocol for {', '.join(missing)}", where=str(data / "trial_files"), hint=HOW)
    for name, trial in shipped.items():
        role, kind = roles()[name]
        made[name] = Protocol(trial, role, kind, tables.get(name, {}))
    for curve in curve_trials():
        met = {"yes": True, "no": False}.get(curve["primary_endpoint_met"])
        trial = load_trial(str(protocol_file(curve["trial"])))
        made[trial.name] = Protocol(trial, curve["role"], curve["kind"], {}, met, curve["checked"])
    made[PROBE] = Protocol(load_trial(str(protocol_file(PROBE))), "none", "single")
    chosen = list(dict.fromkeys(names)) or sorted(made)
    for name in chosen:
        if name not in made:
            unknown = unknown_word("trial", name, sorted(made))
            if data is None:
                unknown.hint = f"{unknown.hint} Trials of a data folder need --data FOLDER."
            raise unknown
    return [made[name] for name in chosen]


def curve_trials() -> tuple[Row, ...]:
    """Rows of ``curve_trials.csv``: calibration trials of which there are curves, beyond those that ship."""
    return included_rows(Path(str(files("immunescape.evaluation.harness") / "curve_trials.csv")), CURVE_TRIALS)


def protocol_file(name: str) -> Path:
    """File of one of the harness's own protocols."""
    return Path(str(files("immunescape.evaluation.harness") / "protocols" / f"{name}.yaml"))


def _of_file(
    trial: Trial,
    file: Path,
    tables: Mapping[str, dict[str, dict[str, str]]],
    combinations: Mapping[str, Mapping[str, str]],
) -> Protocol:
    if file.stem in combinations:
        row = combinations[file.stem]
        met = {"yes": True, "no": False}.get(row["primary_endpoint_met"])
        return Protocol(trial, "calibration", row["kind"], {"combination": row}, met, row.get("checked", ""))
    if trial.name in tables:
        rows = tables[trial.name]
        first = next(iter(rows.values()))
        kind = "ici and chemotherapy" if "chemotherapy" in trial.arms[0].name else "ici"
        note = "recalled" if "recalled" in first["reference"] else ""
        return Protocol(trial, first["role"], kind, rows, None, note)
    raise InputError(f"no row for '{trial.name}' in trials.csv or combinations.csv", where=str(file), hint=HOW)


def _name(text: str) -> str:
    label = text.strip().casefold()
    return _ALIASES.get(label, label.replace(" ", "-"))


# --- protocol against table ------------------------------------------------------------------------------------------


def deviations(chosen: Iterable[Protocol]) -> list[Deviation]:
    """Where protocols and table rows differ: arms, n, line, histology, PD-L1, drivers, crossover, published figures."""
    return [d for protocol in chosen for d in _deviations(protocol)]


class _Differences:
    """Collects the fields in which a protocol and its table row differ."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.rows: list[Deviation] = []

    def compare(self, field: str, file: Any, table: Any) -> None:
        """Record a field whose texts differ."""
        if str(file) != str(table):
            self.rows.append(Deviation(self.trial.name, field, str(file), str(table)))


@dataclass(frozen=True, kw_only=True)
class _TableFigures:
    """What the tables say of a trial: a row with its setting; patients and response rates by role; hazard ratios."""

    setting: Mapping[str, str]
    sizes: Mapping[str, str]
    ratios: Mapping[str, str]
    rates: Mapping[str, str]


def _deviations(protocol: Protocol) -> list[Deviation]:
    if not protocol.rows:
        return []
    differences = _Differences(protocol.trial)
    combination = protocol.rows.get("combination")
    if combination is not None:
        table = _of_combination(differences, combination)
    else:
        table = _of_monotherapy(differences, protocol)
    _compare_patients(differences, table)
    _compare_published(differences, table)
    return differences.rows


def _of_combination(differences: _Differences, row: Mapping[str, str]) -> _TableFigures:
    """Compare what only combinations.csv has, and return the rest."""
    trial = differences.trial
    differences.compare("arms", len(trial.arms), 2 if row["control regimen"] else 1)
    east = "China" in row["setting"] or "east Asia" in row["setting"]
    differences.compare("region", trial.population.region, "east_asian" if east else "western")
    prior = "after PD-(L)1" in row["setting"]
    differences.compare("inhibitor before", "yes" if _inhibitor_before(trial) else "no", "yes" if prior else "no")
    if row["stand_in"]:
        differences.rows.append(Deviation(trial.name, "drug", row["stand_in"], row["experimental regimen"]))
    return _TableFigures(
        setting=row,
        sizes={"experimental": row["n_exp"], "control": row["n_ctl"]},
        ratios={e: row[f"{e}_hr"] for e in ("pfs", "os")},
        rates={"experimental": row["orr_exp"], "control": row["orr_ctl"]},
    )


def _of_monotherapy(differences: _Differences, protocol: Protocol) -> _TableFigures:
    """Compare what only trials.csv has, the share that crosses over, and return the rest."""
    control = protocol.trial.control
    text = protocol.rows.get("control", {}).get("crossover_pct", "")
    if control is not None and re.search(r"\d+(?:-\d+)?", text):
        numbers = [float(x) for x in re.findall(r"\d+", text) if float(x) > 5]
        given = 100 * _switching(control)
        if not min(numbers) - 5 <= given <= max(numbers) + 5:
            differences.compare("later inhibitor or crossover (% of control)", f"{given:g}", text)
    return _TableFigures(
        setting=next(iter(protocol.rows.values())),
        sizes={arm: row["n"] for arm, row in protocol.rows.items()},
        ratios={e: protocol.rows.get("experimental", {}).get(f"{e}_hr", "") for e in ("pfs", "os")},
        rates={arm: row["orr_pct"] for arm, row in protocol.rows.items()},
    )


def _compare_patients(differences: _Differences, table: _TableFigures) -> None:
    """Numbers of patients, line, histology, PD-L1 and drivers."""
    trial, compare, setting = differences.trial, differences.compare, table.setting
    for arm, role in ((trial.experimental[0], "experimental"), (trial.control, "control")):
        if arm is not None and table.sizes.get(role):
            compare(f"n ({role})", arm.n, int(float(table.sizes[role])))
    last = "+" if trial.population.line[1] is None else ""
    compare("line", f"{trial.population.line[0]}{last}", setting["line"])
    criteria = {c.covariate: c for c in trial.population.criteria}
    histology = criteria.get("histology")
    histology_name = "any" if histology is None else str(histology.allowed[0]).replace("nonsquamous", "non-squamous")
    compare("histology", histology_name, setting["histology"])
    tps = criteria.get("pdl1_tps")
    low = 0 if tps is None else tps.low
    needed = re.search(r"(\d+)", setting["pdl1"]) if "any" not in setting["pdl1"] else None
    compare("PD-L1 at least (%)", f"{low:g}", needed.group(1) if needed else "0")
    allowed = criteria["driver"].allowed if "driver" in criteria else ()
    if "no EGFR/ALK" in setting["driver"] and (not allowed or {"EGFR", "ALK"} & set(allowed)):
        compare("driver", "any", setting["driver"])
    if setting["driver"].startswith("any") and allowed:
        compare("driver", f"{', '.join(map(str, allowed))} only", setting["driver"])


def _compare_published(differences: _Differences, table: _TableFigures) -> None:
    """Published hazard ratios and response rates, as far as the protocol has them."""
    trial, published = differences.trial, differences.trial.published
    if published is None:
        return
    for end, value in table.ratios.items():
        written = getattr(published, f"{end}_hr")
        if value and written is not None and abs(written - float(value)) > 0.005:
            differences.compare(f"{end} hazard ratio", f"{written:g}", value)
    for arm, role in ((trial.experimental[0], "experimental"), (trial.control, "control")):
        if arm is None or not table.rates.get(role):
            continue
        of_arm = published.arm(arm.name)
        if of_arm is not None and of_arm.orr_pct is not None and abs(of_arm.orr_pct - float(table.rates[role])) > 0.6:
            differences.compare(f"response ({role}, %)", f"{of_arm.orr_pct:g}", table.rates[role])


def _switching(arm: Arm) -> float:
    """Share of the arm that crosses over or receives later therapy, as the protocol writes it."""
    crossing = arm.crossover.fraction if arm.crossover else 0.0
    return crossing + sum(option.fraction for option in arm.subsequent if option.stated)


def _inhibitor_before(trial: Trial) -> bool:
    from immunescape.trial.toxicity import contains_class

    return any(contains_class(choice.regimen.drugs, "ici") for line in trial.prior for choice in line.choices)
