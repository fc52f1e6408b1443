"""The ledger of predictions: a record each, a chain of hashes over them, and published results beside.

The chain makes a later change visible: the hash of a row covers the record and the row before, so that a record cannot
be altered, dropped or slipped in without all later rows changing. Who wants to rule out a new ledger as well keeps the
last hash of the chain somewhere else, such as in a signed tag or a preprint.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from immunescape.errors import InputError, unknown_word
from immunescape.files import check_folder, whole_file
from immunescape.knowledge.yaml_tables import load_table

if TYPE_CHECKING:
    from immunescape.evaluation.forecast import Forecast
    from immunescape.trial.spec import Trial

__all__ = [
    "Outcome",
    "Prediction",
    "check_ledger",
    "enter_outcome",
    "enter_prediction",
    "last_hash",
    "open_protocols",
    "read_outcomes",
    "read_predictions",
    "shipped_folder",
]

COLUMNS = ("number", "record", "date", "sha256", "chain")
START = "0" * 64
ENDPOINTS = ("orr_pct", "pfs_median_months", "os_median_months", "pfs_hr", "os_hr")
_REPAIR_HINT = "Restore the records as they were entered; `immunescape predictions check` lists all problems."
_UNENTERED_HINT = "Its entry was not completed, or it was added by hand: move it out of the folder."
_UNLISTED = "not in ledger.csv"
_SPACE_HINT = "Make room, or name another folder with --folder."


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """A prediction as entered.

    Attributes
    ----------
    record : name of its file. trial, registry, date : what was predicted, and when (ISO).
    question, declared : what the trial asks; what of its drugs or result was known when it was entered.
    protocol : text of the trial file. forecast : figures, probability of success, baselines, how it was run.
    """

    record: str
    trial: str
    registry: str
    date: str
    question: str
    declared: str
    protocol: str
    forecast: Mapping[str, Any]

    def figure(self, endpoint: str, arm: str | None = None) -> Mapping[str, Any] | None:
        """The first figure of an endpoint, of an arm where that is named; None where it was not predicted."""
        rows = [f for f in self.forecast["figures"] if f["endpoint"] == endpoint and arm in (None, f["arm"])]
        return rows[0] if rows else None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A published figure of a trial that had been predicted; `source` is a citation, `entered` the date (ISO)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    trial: str
    endpoint: str
    arm: str
    value: float
    low: float | None
    high: float | None
    source: str
    entered: str


def shipped_folder() -> Path:
    """Folder of the predictions that ship."""
    return Path(str(files("immunescape.predictions")))


def open_protocols(folder: Path | None = None) -> dict[str, Path]:
    """Trial -> protocol file of a folder of predictions (None: the one that ships)."""
    place = (folder or shipped_folder()) / "protocols"
    return {path.stem: path for path in sorted(place.glob("*.yaml"))}


@cache
def _published_registries() -> Mapping[str, str]:
    from immunescape.trial.loading import list_trials, load_trial

    trials = [load_trial(name) for name in list_trials()]
    return {t.registry.upper(): t.name for t in trials if t.registry and t.published is not None}


def published_as(trial: Trial) -> str | None:
    """The included trial with published results that has the registry number of a trial; None where there is none."""
    return _published_registries().get((trial.registry or "").strip().upper())


@cache
def _trials_of_evidence() -> frozenset[str]:
    """Trials whose published hazard ratios correct forecasts."""
    from immunescape.knowledge.tables import read_rows

    return frozenset(row["trial"] for name in ("class_evidence", "exchange_evidence") for row in read_rows(name))


def refuse_available_result(trial: Trial, folder: Path | None = None) -> None:
    """Refuse a trial whose result is known: in its file, under its registry number, or beside its earlier predictions.

    Raises
    ------
    InputError
        That says where the result is.
    """
    from immunescape.evaluation.trial_identity import names_of_same_trial

    hint = "Predict trials whose results are not yet known."
    if trial.published is not None:
        raise InputError(f"trial '{trial.name}' has published results in its file", hint=hint)
    if (included_trial := published_as(trial)) is not None:
        raise InputError(
            f"trial '{trial.name}' is {trial.registry}, whose result is in the included trial '{included_trial}'",
            hint=hint,
        )
    if evidence := sorted(names_of_same_trial(trial) & _trials_of_evidence()):
        raise InputError(
            f"the result of trial '{trial.name}' is part of what forecasts have learnt, as that of '{evidence[0]}'",
            hint=hint,
        )
    if entered := [o for o in read_outcomes(folder) if o.trial == trial.name]:
        raise InputError(
            f"the result of trial '{trial.name}' was entered beside its predictions on {entered[0].entered}", hint=hint
        )


# --- reading ---------------------------------------------------------------------------------------------------------


def _ledger_rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "ledger.csv"
    if not path.exists():
        return []
    try:
        with path.open("r", encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise InputError(
                    f"columns {', '.join(reader.fieldnames or ()) or 'none'}",
                    where=str(path),
                    hint=f"A ledger has the columns {', '.join(COLUMNS)}.",
                )
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", where=str(path), hint="Restore it from a copy.") from error
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():  # csv: more fields than columns, or fewer
            raise InputError(
                f"not {len(COLUMNS)} fields", where=f"{path}, row {number}", hint="Restore the ledger from a copy."
            )
    return rows


def _repair_hint(problems: Sequence[str]) -> str:
    """The next action: an interruption between a record and its row leaves one record that is not in the ledger."""
    return _UNENTERED_HINT if len(problems) == 1 and problems[0].endswith(_UNLISTED) else _REPAIR_HINT


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _link(previous: str, row: Mapping[str, str]) -> str:
    """Hash of a row of the ledger: covers the row before, the record's name, date and content."""
    return _digest("\x1f".join((previous, row["number"], row["record"], row["date"], row["sha256"])).encode())


def last_hash(folder: Path | None = None) -> str:
    """The last hash of the chain, which covers every record; zeros where nothing is entered."""
    rows = _ledger_rows(folder or shipped_folder())
    return rows[-1]["chain"] if rows else START


def check_ledger(folder: Path | None = None, kept: str = "") -> list[str]:
    """What is wrong with a ledger: records changed, missing or not listed, a broken chain; [] where nothing is.

    Parameters
    ----------
    folder
        Of predictions; None takes the one that ships.
    kept
        A hash of the chain that was kept elsewhere; a ledger that lost its last rows is seen by it alone.
    """
    place = folder or shipped_folder()
    problems: list[str] = []
    previous, listed = START, set()
    rows = _ledger_rows(place)
    for k, row in enumerate(rows, start=1):
        where = f"ledger.csv, row {k + 1}"
        if row["number"] != str(k):
            problems.append(f"{where}: number {row['number']}, expected {k}")
        path = place / "records" / row["record"]
        if row["record"] in listed:
            problems.append(f"{where}: record '{row['record']}' is listed twice")
        listed.add(row["record"])
        if Path(row["record"]).name != row["record"]:
            problems.append(f"{where}: record '{row['record']}' lies outside the folder")
        elif not path.is_file():
            problems.append(f"{where}: record '{row['record']}' is missing")
        elif _digest(path.read_bytes()) != row["sha256"]:
            problems.append(f"{where}: record '{row['record']}' was changed after it was entered")
        if _link(previous, row) != row["chain"]:
            problems.append(f"{where}: the chain of hashes is broken")
        previous = row["chain"]
    unlisted = [p.name for p in sorted((place / "records").glob("*.yaml")) if p.name not in listed]
    if unlisted and not (place / "ledger.csv").exists():
        problems.append(f"ledger.csv is missing, and records/ has {len(unlisted)} files")
    else:
        problems += [f"records/{name}: {_UNLISTED}" for name in unlisted]
    if kept and kept not in {row["chain"] for row in rows}:
        problems.append(f"ledger.csv: no row has the hash {kept}; rows were dropped, or the ledger was written anew")
    return problems


def read_predictions(folder: Path | None = None) -> list[Prediction]:
    """Every prediction of a folder, in the order of entry.

    Raises
    ------
    InputError
        Where the ledger is invalid: a prediction that may have been changed is not shown as one.
    """
    place = folder or shipped_folder()
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder} is not a folder", hint="Name a folder of predictions with --folder.")
    if problems := check_ledger(place):
        raise InputError(
            f"the ledger of predictions is invalid: {'; '.join(problems)}",
            where=str(place),
            hint=_repair_hint(problems),
        )
    return [_read(place / "records" / row["record"]) for row in _ledger_rows(place)]


class _Figure(BaseModel):
    model_config = ConfigDict(extra="allow")
    arm: str
    endpoint: str
    value: float | None
    low: float | None
    high: float | None
    monte_carlo_se: float | None = None


class _Forecast(BaseModel):
    """What readers of a record look up; later versions may hold more."""

    model_config = ConfigDict(extra="allow")
    figures: list[_Figure]
    probability_of_success: dict[str, float]
    baselines: dict[str, dict[str, float]]
    seeds: list[int]
    patients_per_arm_and_seed: int
    failed: int
    model: str
    version: str
    fit: str = ""


class _Record(BaseModel):
    """A record as its file holds it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    trial: str
    registry: str
    date: str
    question: str
    declared: str
    forecast: _Forecast
    protocol: str


class _Outcomes(BaseModel):
    model_config = ConfigDict(extra="forbid")
    outcomes: list[Outcome]


_Table = TypeVar("_Table", bound=BaseModel)


def _load(path: Path, table: type[_Table]) -> _Table:
    """A file of the folder; the error of one that is not valid names the whole path, as a user may keep several."""
    try:
        return load_table(path, table)
    except InputError as error:
        where = str(path) + (error.where or "").removeprefix(str(path)).removeprefix(path.name)
        raise InputError(error.message, where=where, hint="Restore the file from a copy.") from None


def _read(path: Path) -> Prediction:
    return Prediction(record=path.name, **_load(path, _Record).model_dump())


def read_outcomes(folder: Path | None = None) -> list[Outcome]:
    """Published results entered beside the predictions of a folder."""
    path = (folder or shipped_folder()) / "outcomes.yaml"
    if not path.is_file():
        return []
    return _load(path, _Outcomes).outcomes


def nothing_entered(folder: Path | None) -> InputError:
    """The error where a folder holds no prediction yet."""
    place = "the included folder" if folder is None else str(folder)
    return InputError(
        f"no prediction is entered in {place}",
        hint="`immunescape predictions make` enters one; --folder names another.",
    )


# --- entering --------------------------------------------------------------------------------------------------------


def enter_prediction(
    forecast: Forecast, folder: Path, *, question: str, declared: str, date: str | None = None
) -> Prediction:
    """Write a forecast as a record and append it to the ledger, unless the ledger has the same record.

    Parameters
    ----------
    forecast
        The forecast; its protocol is copied into the record.
    folder
        Of predictions; made where there is none.
    question
        What the trial asks, in a sentence.
    declared
        What was known of the trial's drugs or result when it was entered, and what stands in for what.
    date
        ISO date of entry; None: today.

    Raises
    ------
    InputError
        For a folder whose ledger does not hold, or that cannot be written; for an empty question or declaration; for a
        trial whose protocol holds published results.
    """
    import yaml

    trial = forecast.trial
    for name, text in (("question", question), ("declared", declared)):
        if not text.strip():
            raise InputError(f"'{name}' is empty", hint="Say what the trial asks, and what was known of it.")
    if problems := check_ledger(folder):
        raise InputError(f"the ledger is invalid: {problems[0]}", where=str(folder), hint=_repair_hint(problems))
    refuse_available_result(trial, folder)
    check_folder(folder, "--folder")
    day = date or datetime.date.today().isoformat()
    datetime.date.fromisoformat(day)
    rows = _ledger_rows(folder)
    taken = {row["record"] for row in rows}
    record = f"{trial.name}.{day}.yaml"
    for k in range(2, len(rows) + 3):
        if record not in taken:
            break
        record = f"{trial.name}.{day}.{k}.yaml"
    content = {
        "trial": trial.name,
        "registry": trial.registry or "",
        "date": day,
        "question": question.strip(),
        "declared": declared.strip(),
        "forecast": _plain(forecast.to_json()),
        "protocol": trial.text,
    }
    written = yaml.dump(content, sort_keys=False, allow_unicode=True, width=118, Dumper=_dumper()).encode()
    same = next((row["record"] for row in rows if row["sha256"] == _digest(written)), None)
    if same is not None:  # entered meanwhile, by another run of the same command
        return _read(folder / "records" / same)
    with whole_file(folder / "records" / record, "cannot store the prediction", hint=_SPACE_HINT) as stream:
        stream.write(written)
    row = {"number": str(len(rows) + 1), "record": record, "date": day, "sha256": _digest(written)}
    row["chain"] = _link(rows[-1]["chain"] if rows else START, row)
    lines = io.StringIO()
    writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*rows, row])
    try:
        with whole_file(folder / "ledger.csv", "cannot store the ledger", hint=_SPACE_HINT) as stream:
            stream.write(lines.getvalue().encode())
    except BaseException:  # Ctrl-C as well: a record without its row would make the whole folder unreadable
        if record not in {r["record"] for r in _ledger_rows(folder)}:
            (folder / "records" / record).unlink(missing_ok=True)
        raise
    return _read(folder / "records" / record)


def enter_outcome(folder: Path, outcome: Outcome) -> None:
    """Enter a published figure beside the predictions of a trial; no prediction is changed.

    Raises
    ------
    InputError
        For a trial, endpoint or arm that was not predicted, a value that cannot be, or a figure that is already there.
    """
    import yaml

    predictions = [p for p in read_predictions(folder)]
    of_trial = [p for p in predictions if p.trial == outcome.trial]
    if not predictions:
        raise nothing_entered(folder)
    if not of_trial:
        raise unknown_word("predicted trial", outcome.trial, sorted({p.trial for p in predictions}))
    if outcome.endpoint not in ENDPOINTS:
        raise unknown_word("endpoint", outcome.endpoint, ENDPOINTS)
    arms = [f["arm"] for f in of_trial[-1].forecast["figures"] if f["endpoint"] == outcome.endpoint]
    if not arms:
        raise InputError(
            f"{outcome.endpoint} of '{outcome.trial}' was not predicted",
            hint="`immunescape predictions show` lists what was.",
        )
    if outcome.arm not in arms:
        raise unknown_word(f"arm of {outcome.endpoint}", outcome.arm, arms)
    bounds = [x for x in (outcome.low, outcome.value, outcome.high) if x is not None]
    limit = 100.0 if outcome.endpoint == "orr_pct" else math.inf
    positive = outcome.endpoint != "orr_pct"
    if any(not math.isfinite(x) or x < 0 or x > limit or (positive and x == 0) for x in bounds) or bounds != sorted(
        bounds
    ):
        raise InputError(
            f"{outcome.endpoint} {' to '.join(f'{x:g}' for x in bounds)} is impossible",
            hint="The lower bound comes before the value and the upper bound; percentages lie between 0 and 100, ratios"
            " and medians above 0.",
        )
    if not outcome.source.strip():
        raise InputError("the source of a published figure is missing", hint="Give a citation with --source.")
    rows = read_outcomes(folder)
    if any(
        (o.trial, o.endpoint, o.arm, o.source) == (outcome.trial, outcome.endpoint, outcome.arm, outcome.source)
        for o in rows
    ):
        raise InputError(f"{outcome.endpoint} of '{outcome.arm}' has already been entered from this source")
    held = yaml.safe_dump({"outcomes": [asdict(o) for o in [*rows, outcome]]}, sort_keys=False, allow_unicode=True)
    with whole_file(folder / "outcomes.yaml", "cannot store the result", hint=_SPACE_HINT) as stream:
        stream.write(held.encode())


def _plain(value: Any) -> Any:
    """Numbers to four significant digits, as a reader needs them; containers as they are."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _dumper() -> Any:
    """YAML writer that keeps texts of several lines as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper
