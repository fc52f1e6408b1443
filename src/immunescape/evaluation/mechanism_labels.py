"""What each mechanism was tested by: the labels of the last ablation that was recorded, and what follows for drugs.

``mechanism_labels.csv`` beside this file is written by ``immunescape ablate --record``: for each mechanism its label,
how much worse trials and patients' data are predicted without it, with how many patients and seeds, the digest of the
model that was run (``model``), which every edit of its code changes, and that of its tables of numbers (``numbers``). A
label holds of a model with the same numbers. A mechanism without a row was never ablated.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from immunescape.errors import InputError
from immunescape.files import whole_file
from immunescape.knowledge.tables import Row, parse_rows, read_rows

if TYPE_CHECKING:
    from immunescape.evaluation.ablation import Ablation, AblationResult
    from immunescape.model.declarations import Drug

__all__ = [
    "FILE",
    "GROUPS",
    "LABELS",
    "NOT_TESTED",
    "TOGETHER",
    "MechanismLabel",
    "ablatable",
    "acts_through",
    "brief_drug_label",
    "brief_label",
    "drug_label",
    "explanation",
    "label_text",
    "labelled",
    "mechanism_labels",
    "outdated_text",
    "owner_label",
    "ranks",
    "record_labels",
    "short_label",
    "step_mechanism",
    "through_text",
    "title_labelled",
]

FILE = Path(__file__).parent / "mechanism_labels.csv"
GROUPS = ("trials", "courses", "odds", "kinetics")
"""Kinds of what is predicted: left-out trials; and of patients: courses, odds ratios, growth of single lesions."""
LABELS = ("by trials", "by patients' data", "by claims only", "by nothing")
COLUMNS = (
    "mechanism",
    "label",
    "claims",
    *(f"{g}_{v}" for g in GROUPS for v in ("difference", "se")),
    "patients",
    "seeds",
    "rounds",
    "trials",
    "model",
    "numbers",
    "date",
    "note",
)
_BRIEF = dict(zip(LABELS, ("trials", "data", "claims", "nothing"), strict=True))
NOT_TESTED, FIXED = "never ablated", "cannot be switched off"
_STAYS = "body and tumour cannot be switched off, and a mechanism that acts on no other leaves nothing to compare"
TOGETHER = "+"
"""Joins the names of mechanisms that are switched off together."""


@dataclass(frozen=True, kw_only=True)
class MechanismLabel:
    """One row: label (one of `LABELS`, or empty), claims that name it, kind -> (difference, se), and what was run."""

    mechanism: str
    label: str
    claims: int
    differences: Mapping[str, tuple[float, float | None]]
    patients: int
    seeds: int
    trials: tuple[str, ...]
    model: str
    numbers: str
    date: str
    note: str = ""

    @property
    def current(self) -> bool:
        """Whether it was measured with the numbers of this model: parameters, links, fit and hazards."""
        return bool(self.numbers) and _released_numbers().startswith(self.numbers)


@lru_cache(maxsize=1)
def _released_numbers() -> str:
    """Digest of the installed tables of numbers, which is read from some hundred files."""
    from immunescape.trial.runner import numbers_digest

    return numbers_digest()


def _rows(path: Path) -> tuple[Row, ...]:
    return parse_rows(path.read_text(encoding="utf-8"), COLUMNS, str(path))


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> dict[str, MechanismLabel]:
    labels: dict[str, MechanismLabel] = {}
    for row in _rows(path):
        if row["label"] not in (*LABELS, ""):
            raise InputError(f"'{row['label']}' is not a label", where=row.where, hint=f"One of {', '.join(LABELS)}.")
        if row["mechanism"] in labels:
            raise InputError(f"'{row['mechanism']}' occurs twice", where=row.where)
        try:
            numbers = {
                g: (float(row[f"{g}_difference"]), float(row[f"{g}_se"]) if row[f"{g}_se"] else None)
                for g in GROUPS
                if row[f"{g}_difference"]
            }
            labels[row["mechanism"]] = MechanismLabel(
                mechanism=row["mechanism"],
                label=row["label"],
                claims=int(row["claims"]),
                differences=numbers,
                patients=int(row["patients"]),
                seeds=int(row["seeds"]),
                trials=tuple(row["trials"].split(";")),
                model=row["model"],
                numbers=row["numbers"],
                date=row["date"],
                note=row["note"],
            )
        except ValueError as error:
            raise InputError(f"a cell is wrong: {error}", where=row.where) from None
    return labels


def mechanism_labels(path: Path = FILE) -> dict[str, MechanismLabel]:
    """Return mechanism -> its recorded label; none where nothing was recorded."""
    return dict(_read(path, path.stat().st_mtime_ns)) if path.is_file() else {}


def short_label(mechanism: str, path: Path = FILE) -> str:
    """Label of a mechanism, or why there is none, in a few words for a column of a table."""
    label = mechanism_labels(path).get(mechanism)
    if label is None:
        return NOT_TESTED if mechanism in ablatable() else FIXED
    return label.label or "not decided"


def owner_label(owner: str, path: Path = FILE) -> str:
    """Label of what a parameter belongs to, for a column of a table; a dash for a drug."""
    from immunescape.model.registry import mechanisms

    return short_label(owner, path) if owner in mechanisms() else "–"


def brief_label(mechanism: str, path: Path = FILE) -> str:
    """What a mechanism was tested by in one word, for a line of 80 columns; a dash where that is not known."""
    return _BRIEF.get(short_label(mechanism, path), "–")


def labelled(mechanism: str, path: Path = FILE) -> str:
    """Name of a mechanism with its label in one word, ``killing [trials]``; the name alone of a drug."""
    from immunescape.model.registry import mechanisms

    return f"{mechanism} [{brief_label(mechanism, path)}]" if mechanism in mechanisms() else mechanism


def title_labelled(mechanism: str, path: Path = FILE) -> str:
    """Title of a mechanism with its label in one word, ``Glutamine [claims]``; empty for what is no mechanism."""
    from immunescape.model.registry import mechanisms

    record = mechanisms().get(mechanism)
    return f"{record.title} [{brief_label(mechanism, path)}]" if record is not None else ""


def explanation(path: Path = FILE) -> str:
    """What the words of `labelled` mean, for a line below a table; says as well where labels are outdated."""
    text = (
        "In brackets: what a mechanism was tested by when it was switched off (immunescape ablate). trials: left-out "
        "trials are predicted worse without it; data: patients' data are; claims: only claims of the review name it; "
        "nothing: not even those; –: never ablated, or not decided."
    )
    return f"{text} {outdated_text(path)}".rstrip()


def label_text(mechanism: str, path: Path = FILE) -> str:
    """Say in a line what a mechanism was tested by."""
    label = mechanism_labels(path).get(mechanism)
    if label is None:
        return NOT_TESTED if mechanism in ablatable() else f"{NOT_TESTED}: {_STAYS}"
    if label.note:
        return label.note
    said = f"tested {label.label}" if label.label else "not decided (too few seeds)"
    parts = [
        f"{group} {d:+.2g}{'' if se is None else f' (se {se:.2g})'}" for group, (d, se) in label.differences.items()
    ]
    return (
        f"{said}; without it mean errors change by {', '.join(parts)} SD ({label.patients} patients an arm, "
        f"{label.seeds} seeds, {label.date}, numbers {label.numbers[:8] or 'not recorded'}"
        f"{'' if label.current else ', not those of this model'}); {label.claims} claims name it"
    )


def outdated_text(path: Path = FILE) -> str:
    """Say how many labels were measured with other numbers than those of this model; empty where none was."""
    labels = mechanism_labels(path).values()
    outdated = [label for label in labels if not label.current]
    if not outdated:
        return ""
    which = "All labels" if len(outdated) == len(labels) else f"{len(outdated)} of {len(labels)} labels"
    return f"{which} were measured with other parameters than those of this model (to repeat: immunescape ablate)."


def ablatable() -> list[str]:
    """Names of the mechanisms that act on others, in the order of the registry; body and tumour stay."""
    from immunescape.model.registry import mechanisms

    return [
        m.name
        for m in mechanisms().values()
        if m.name not in ("body", "tumour_growth") and (m.modulations or m.clones or m.contributions or m.reactions)
    ]


def acts_through(drug: Drug) -> tuple[str, ...]:
    """Mechanisms through which a drug acts: owners of the pools that it feeds and of the processes that it modulates.

    A drug that changes states of a mechanism itself, as cells that are given do, acts through that as well.
    """
    from immunescape.model.registry import mechanisms

    every = mechanisms().values()
    owner = {p.name: m.name for m in every for p in m.pools}
    owner |= {p: m.name for m in every for p in m.processes}
    owner |= {s.name: m.name for m in every for s in m.states}
    touched = [c.pool for c in drug.contributions] + [m.process for m in drug.modulations]
    touched += [name for r in drug.reactions for name in (*r.reactants, *r.products)]
    return tuple(sorted({owner[name] for name in touched if name in owner}))


def through_text(drug: Drug, path: Path = FILE, titles: bool = False) -> str:
    """Mechanisms through which a drug acts, by what tested them: ``by trials: killing; by nothing: helper_t``.

    Parameters
    ----------
    drug, path
        The drug, and the table of labels.
    titles
        Give titles of mechanisms in place of their names.
    """
    from immunescape.model.registry import mechanisms

    between = _BETWEEN_TITLES if titles else ", "
    groups = {
        label: between.join(mechanisms()[name].title if titles else name for name in names)
        for label, names in _by_label(drug, path).items()
    }
    return "; ".join(f"{label}: {names}" for label, names in groups.items()) or "none"


def _by_label(drug: Drug, path: Path) -> dict[str, list[str]]:
    """Label, or why there is none -> mechanisms through which a drug acts; labels first."""
    grouped: dict[str, list[str]] = {}
    for mechanism in acts_through(drug):
        grouped.setdefault(short_label(mechanism, path), []).append(mechanism)
    return {label: grouped[label] for label in sorted(grouped, key=lambda label: (label not in LABELS, label))}


_BETWEEN_TITLES = " + "
"""Titles contain commas."""


@lru_cache(maxsize=16)
def step_mechanism(step: str) -> str:
    """Mechanism of a step of the cancer–immunity cycle: owner of the parameter that relieves it (``cycle_relief``).

    Presentation, which has no relief of its own, is read from MHC class I.
    """
    from immunescape.model.parameters import load_parameters
    from immunescape.model.registry import mechanisms

    relieved_by = {r["step"]: r["parameter"] for r in read_rows("cycle_relief")} | {"presentation": "K_mhc1"}
    for m in mechanisms().values() if step in relieved_by else ():
        if m.parameters and relieved_by[step] in load_parameters(m.parameters, m.name):
            return m.name
    return ""


def drug_label(drug: Drug, path: Path = FILE) -> str:
    """Best label of the mechanisms through which a drug acts; empty where one of them was never ablated or decided."""
    labels = mechanism_labels(path)
    through = acts_through(drug)
    labels_through = [labels[m].label if m in labels else "" for m in through]
    for label in LABELS[:2]:
        if label in labels_through:
            return label
    if not labels_through or "" in labels_through:
        return ""
    return next(label for label in LABELS[2:] if label in labels_through)


def brief_drug_label(drug: Drug, path: Path = FILE) -> str:
    """Best of what the mechanisms were tested by through which a drug acts, in one word; a dash where that is unknown.

    Unlike `drug_label` it says so too where another of the mechanisms cannot be switched off.
    """
    grouped = _by_label(drug, path)
    return next((_BRIEF[label] for label in LABELS if label in grouped), "–")


def ranks(drug: Drug, path: Path = FILE) -> tuple[bool, str]:
    """Whether the effect of a drug may rank it against others, and why.

    A drug that acts only through mechanisms that are tested by nothing may not, nor one that acts on other drugs alone.
    A mechanism that could be ablated and never was, such as that of a plug-in, is tested by nothing so far.
    """
    from immunescape.model.registry import mechanisms

    names = acts_through(drug)
    through = _BETWEEN_TITLES.join(mechanisms()[name].title for name in names)
    if not names:
        return False, "acts on no mechanism itself"
    if drug_label(drug, path) == LABELS[3]:
        return False, f"acts only through what is tested by nothing ({through})"
    grouped = _by_label(drug, path)
    if not {*LABELS[:3], FIXED} & set(grouped):
        return False, f"acts only through what was never ablated, or is tested by nothing ({through})"
    return True, _acts(grouped)


def _acts(grouped: Mapping[str, list[str]]) -> str:
    """Sentence on what a drug acts through, by label, and what of it has none."""
    from immunescape.model.registry import mechanisms

    titles = {label: _BETWEEN_TITLES.join(mechanisms()[n].title for n in names) for label, names in grouped.items()}
    tested = "; ".join(f"{label}: {said}" for label, said in titles.items() if label in LABELS)
    without = [
        f"through {said}, which {label if label == FIXED else f'{_was(grouped[label])} {label}'}"
        for label, said in titles.items()
        if label not in LABELS
    ]
    parts = [f"through mechanisms tested {tested}"] if tested else []
    return f"acts {'; and '.join([*parts, *without])}"


def _was(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def record_labels(result: AblationResult, date: str, path: Path = FILE) -> list[str]:
    """Write the rows of a run into the table, in place of older ones of the same mechanisms; return their names.

    Rows without a label, of too few seeds, are written as well and say so; one that could not be switched off says why.
    Mechanisms that were switched off together have no label of their own and are left out.
    """
    kept = {}
    if path.is_file():
        kept = {row["mechanism"]: dict(row) for row in _rows(path)}
    alone = [row for row in result.rows if TOGETHER not in row.mechanism]
    for row in alone:
        kept[row.mechanism] = _cells(row, result, date)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept[name] for name in sorted(kept))
    with whole_file(path, "cannot write the labels", hint="Run it where the package is installed for editing.") as file:
        file.write(text.getvalue().encode())
    return [row.mechanism for row in alone]


def _cells(row: Ablation, result: AblationResult, date: str) -> dict[str, str]:
    cells = {
        "mechanism": row.mechanism,
        "label": row.label,
        "claims": str(row.claims),
        "patients": str(result.patients),
        "seeds": str(len(result.seeds)),
        "rounds": str(result.rounds),
        "trials": ";".join(result.trials),
        "model": result.model[:16],
        "numbers": result.numbers[:16],
        "date": date,
        "note": f"cannot be switched off: {row.why}" if row.why else "",
    }
    for group, d in row.differences.items():
        cells[f"{group}_difference"] = f"{d.mean:.4g}"
        cells[f"{group}_se"] = "" if d.se is None else f"{d.se:.4g}"
    return cells
