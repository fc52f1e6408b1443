"""The package's face: what `import immunescape` offers, and how results show themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError, unknown_word

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.engine.bench import Workload
    from immunescape.model import Model
    from immunescape.patients import VirtualPatient
    from immunescape.profile.biomarkers import Biomarker
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = [
    "VirtualResult",
    "VirtualTrial",
    "bench_example",
    "build_model",
    "drugs_table",
    "mechanisms_table",
    "model_summary",
    "patient",
    "print_bounds",
    "print_model",
    "print_table",
    "show",
    "shown",
    "trial",
    "trials_table",
]

NOTICE = (
    "immunescape is research software. It is no medical device, it has not been validated for clinical use, and "
    "nothing that it prints is treatment advice."
)


@dataclass(frozen=True)
class VirtualTrial:
    """A trial that is ready to run; made by :func:`trial`."""

    spec: Trial

    @property
    def name(self) -> str:
        """Name of the trial."""
        return self.spec.name

    def run(
        self,
        patients: int | None = None,
        seed: int = 1,
        workers: int | None = None,
        out: str | Path | None = None,
        engine: str = "auto",
        paired: bool = False,
        progress: Callable[[int, int], None] | None = None,
        attribute: int | None = None,
        cluster: Any = None,
    ) -> VirtualResult:
        """Simulate the trial.

        Parameters
        ----------
        patients
            Virtual patients per arm; None takes the protocol's numbers, at most 150.
        seed
            Everything random follows from it; the same seed gives bit-identical results on one machine.
        workers
            Processes; None takes the cores at hand. Results do not depend on it.
        out
            Folder that keeps finished blocks of patients, so that an interrupted run resumes; None keeps nothing.
        engine
            ``auto``, ``native``, ``roadrunner`` or ``reference``.
        paired
            Both arms share the same patients; differences are then estimated by a paired bootstrap.
        progress
            Called with (patients done, patients in all).
        attribute
            For so many patients whose disease resisted, find the mechanism that carried the escape.
        cluster
            A ``distributed.Client`` or the address of a dask scheduler, whose workers make the patients in place of
            processes of this machine.
        """
        from dataclasses import replace

        from immunescape.trial.runner import run_trial

        result = run_trial(
            self.spec,
            patients=patients,
            seed=seed,
            workers=workers,
            out=None if out is None else Path(out),
            engine=engine,
            paired=paired,
            progress=progress,
            cluster=cluster,
        )
        if attribute is not None:
            from immunescape.trial.attribution import attribute as attribute_escape

            escape = attribute_escape(
                self.spec, result.patients, seed=seed, engine=result.engine, paired=paired, number=attribute
            )
            result = replace(result, escape=escape)
        return VirtualResult(result)

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{self.spec.title}</b><br>" + "<br>".join(f"{a.name}: {a.regimen}" for a in self.spec.arms) + "</p>"
        )


@dataclass(frozen=True)
class VirtualResult:
    """Result of a virtual trial, with ways to look at it."""

    result: TrialResult

    @property
    def patients(self) -> pd.DataFrame:
        """One row per virtual patient: covariates, response, times (months) and events."""
        return self.result.patients

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``result.json``."""
        return self.result.to_json()

    def show(self) -> None:
        """Print predicted beside published results."""
        from immunescape.report.text import print_result

        print_result(self.result, NOTICE)

    def report(self, path: str | Path) -> Path:
        """Write the one-file HTML report."""
        from immunescape.report.trial_report import write_report

        return write_report(self.result, Path(path), NOTICE)

    def figure(self, path: str | Path) -> Path:
        """Write predicted and published Kaplan-Meier curves as a PNG picture."""
        from immunescape.report.trial_report import write_figure

        return write_figure(self.result, Path(path))

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``result.json``, ``patients.parquet``, ``scans.parquet``, ``report.html`` and ``survival.png``."""
        from immunescape.report.trial_report import save

        return save(self.result, Path(folder), NOTICE)

    def patient(self, number: int, arm: str | None = None) -> VirtualPatient:
        """Make one of the virtual patients again, as it was at diagnosis, to simulate it under any regimen.

        Parameters
        ----------
        number
            ``id`` of the row of :attr:`patients`.
        arm
            Name of the arm, where the number occurs in more than one.
        """
        from immunescape.patients import patient_of_trial

        return patient_of_trial(self.result, number, arm)

    def __repr__(self) -> str:
        r = self.result
        arms = ", ".join(f"{arm.name} {int((r.patients['arm'] == arm.name).sum())}" for arm in r.trial.arms)
        return f"VirtualResult({r.trial.name}, seed {r.seed}; patients: {arms}; .show() prints the figures)"

    def _repr_html_(self) -> str:
        from immunescape.report.text import result_html

        return result_html(self.result, NOTICE)


def trial(name: str | Path) -> VirtualTrial:
    """Load a trial that ships with the package, by name, or one of your own, by the path of its YAML file."""
    from immunescape.trial.spec import load_trial

    return VirtualTrial(load_trial(name))


def patient(seed: int = 1, **options: Any) -> VirtualPatient:
    """Draw one virtual patient; see :func:`immunescape.patients.draw_patient`.

    Parameters
    ----------
    seed
        Everything random follows from it.
    **options
        Covariates that the patient has (``pdl1_tps=60, stk11=True, histology="nonsquamous"``), ``region``, ``number``.

    Examples
    --------
    >>> patient = immunescape.patient(seed=7, pdl1_tps=60)  # doctest: +SKIP
    >>> patient.simulate("pembrolizumab 200 mg every 3 weeks", months=24).plot()  # doctest: +SKIP
    """
    from immunescape.patients import draw_patient

    return draw_patient(seed, **options)


def trials_table() -> list[dict[str, Any]]:
    """One row for each trial that ships."""
    from immunescape.trial.spec import list_trials, load_trial

    rows = []
    for name in list_trials():
        spec = load_trial(name)
        rows.append(
            {
                "name": name,
                "title": spec.title,
                "arms": " | ".join(arm.name for arm in spec.arms),
                "n": "/".join(str(arm.n) for arm in spec.arms),
                "registry": spec.registry or "",
            }
        )
    return rows


def drugs_table() -> list[dict[str, Any]]:
    """One row for each drug that a regimen may name."""
    from immunescape.model.registry import drugs

    return [
        {
            "name": d.name,
            "class": d.drug_class,
            "targets": ", ".join(d.targets),
            "doses": ", ".join(d.dose_units),
            "synonyms": ", ".join(d.synonyms),
        }
        for d in drugs().values()
    ]


def mechanisms_table() -> list[dict[str, Any]]:
    """One row for each mechanism of the model."""
    from immunescape.model.registry import mechanisms

    return [
        {
            "name": m.name,
            "title": m.title,
            "states": len(m.states),
            "requires": ", ".join(m.requires),
            "summary": m.summary,
        }
        for m in mechanisms().values()
    ]


def _words(text: str) -> list[str]:
    return [w.strip() for w in text.split(",") if w.strip()]


def build_model(*, drugs: str | Sequence[str] = "all", without: str | Sequence[str] = ()) -> Model:
    """Assemble the model.

    Parameters
    ----------
    drugs
        Names, or one comma-separated text; ``"all"`` takes every registered drug, ``""`` none.
    without
        Mechanisms to leave out, likewise.
    """
    from immunescape.model import Model
    from immunescape.model.registry import drugs as registered
    from immunescape.population.reference import with_reference_strengths

    if isinstance(drugs, str):
        drugs = list(registered()) if drugs.strip() == "all" else _words(drugs)
    if isinstance(without, str):
        without = _words(without)
    return with_reference_strengths(Model.build(drugs=drugs, without=without))


def model_summary(model: Model) -> dict[str, Any]:
    """States and parameters of a model as plain data."""
    from immunescape.model.describe import parameter_table, state_table

    return {
        "mechanisms": [m.name for m in model.mechanisms],
        "drugs": [d.name for d in model.drugs],
        "states": state_table(model),
        "parameters": parameter_table(model),
    }


def print_model(model: Model) -> None:
    """Print mechanisms, states and parameters with their grades."""
    from immunescape.model.describe import parameter_table, state_table, summary

    print(summary(model))
    print_table("States (amounts)", state_table(model))
    print_table("Parameters", [{k: v for k, v in row.items() if k != "note"} for row in parameter_table(model)])


def print_bounds(model: Model) -> None:
    """Print the bounds of observables at diagnosis and along trajectories, with source and grade."""
    from immunescape.population.plausibility import bounds
    from immunescape.population.trajectories import trajectory_bounds

    kinds = (("At diagnosis", bounds()), ("Along trajectories, wherever there is a tumour", trajectory_bounds()))
    for title, table in kinds:
        rows = [
            {"observable": b.observable, "lower": b.lower, "upper": b.upper, "unit": b.unit, "grade": b.grade,
             "source": ";".join(b.sources), "note": b.note}
            for b in table
            if b.observable in model.quantities or b.observable == "doubling_time"
        ]  # fmt: skip
        print_table(title, rows)


def show(name: str) -> None:
    """Print one trial, drug, mechanism or biomarker: what it is, parameters with sources, equations, claims."""
    from immunescape.model.registry import get_drug, mechanisms
    from immunescape.trial.spec import list_trials

    if name in list_trials() or name.endswith((".yaml", ".yml")):
        from immunescape.report.text import print_trial
        from immunescape.trial.spec import load_trial

        print_trial(load_trial(name))
        return
    if name in mechanisms():
        _show_part(name, None)
        return
    try:
        drug = get_drug(name)
    except InputError:
        from immunescape.report.text import print_biomarker

        print_biomarker(_biomarker(name))
        return
    _show_part(drug.name, drug.name)


def _biomarker(name: str) -> Biomarker:
    """Return a biomarker; a name that nothing has is refused with the nearest of all that can be shown."""
    from immunescape.model.registry import drugs, mechanisms
    from immunescape.profile.biomarkers import biomarkers
    from immunescape.trial.spec import list_trials

    if name not in biomarkers():
        names = [*list_trials(), *mechanisms(), *drugs(), *biomarkers()]
        raise unknown_word("trial, drug, mechanism or biomarker", name, names)
    return biomarkers()[name]


def shown(name: str) -> dict[str, Any]:
    """Return what :func:`show` prints of a trial, drug, mechanism or biomarker as plain data."""
    from immunescape.model import Model
    from immunescape.model.describe import parameter_table
    from immunescape.model.registry import get_drug, mechanisms
    from immunescape.report.reference_pages import claims_about
    from immunescape.trial.spec import list_trials, load_trial

    if name in list_trials() or name.endswith((".yaml", ".yml")):
        spec = load_trial(name)
        return {
            "kind": "trial",
            "name": spec.name,
            "title": spec.title,
            "arms": [{"name": a.name, "role": a.role, "n": a.n, "regimen": a.regimen} for a in spec.arms],
            "criteria": [str(c) for c in spec.population.criteria],
            "published": None if spec.published is None else spec.published.as_result(),
            "references": list(spec.references),
        }
    if name in mechanisms():
        kind, model, own = "mechanism", Model.build(drugs=[]), name
    else:
        try:
            own = get_drug(name).name
        except InputError:
            from immunescape.report.text import biomarker_facts

            return {"kind": "biomarker", **biomarker_facts(_biomarker(name))}
        kind, model = "drug", Model.build(drugs=[own])
    part = next(m for m in (*model.mechanisms, *model.drugs) if m.name == own)
    rows = [r for r in parameter_table(model) if r["mechanism"] == own]
    facts = next((r for r in drugs_table() if r["name"] == own), {}) if kind == "drug" else {}
    return {
        "kind": kind,
        "name": own,
        "title": part.title,
        "summary": part.summary,
        **{k: v for k, v in facts.items() if k != "name"},
        "parameters": rows,
        "equations": model.equations(own),
        "claims": [{"id": c.id, "text": c.text, "observe": c.observe, "day": c.day} for c in claims_about(own)],
        "references": sorted(
            {*part.references, *(k for p in model.parameters.values() if p.owner == own for k in p.sources)}
        ),
    }


def _show_part(name: str, drug: str | None) -> None:
    from immunescape.knowledge.references import format_reference, get_reference, load_references
    from immunescape.model import Model
    from immunescape.model.describe import parameter_table

    model = Model.build(drugs=[drug] if drug else [])
    part = next(m for m in (*model.mechanisms, *model.drugs) if m.name == name)
    print(f"{part.title}\n{'=' * len(part.title)}\n{part.summary}\n")
    if drug:
        row = next(r for r in drugs_table() if r["name"] == name)
        print("\n".join(f"{k}: {v}" for k, v in row.items() if k != "name" and v) + "\n")
    rows = [r for r in parameter_table(model) if r["mechanism"] == name]
    print_table("Parameters", [{k: v for k, v in r.items() if k != "mechanism"} for r in rows])
    print(model.equations(name))
    if drug:
        _show_toxicity(name)
    from immunescape.report.text import print_claims

    print_claims(name)
    keys = {*part.references, *(k for p in model.parameters.values() if p.owner == name for k in p.sources)}
    references = load_references()
    print("References\n" + "\n".join(f"  [{k}] {format_reference(get_reference(k, references))}" for k in sorted(keys)))


def _show_toxicity(drug: str) -> None:
    from immunescape.report.text import toxicity_rows

    rows = toxicity_rows([drug])
    if rows:
        print_table("Toxicity (knowledge/data/toxicity.csv)", rows)


_HARD_TO_LOAD = (
    "cgas_sting", "killing", "memory", "nk_cells", "tryptophan", "checkpoints_tim3_lag3_tigit", "hypoxia", "vessels",
    "ifn_gamma", "antigen_presentation", "type1_interferon",
)  # fmt: skip


def bench_example(full: bool = False) -> tuple[str, str, Workload]:
    """SBML, name and workload that ``immunescape bench engine`` times when no model is named.

    Without eleven mechanisms, whose nested rules other simulators need minutes to load, and without events, which one
    of them cannot be given; pembrolizumab every three weeks, as boluses. `full`: the whole model of KEYNOTE-024,
    untreated.
    """
    import libsbml
    import numpy as np

    from immunescape.engine.api import Doses
    from immunescape.engine.bench import Workload
    from immunescape.trial.spec import load_trial

    times = np.linspace(0.0, 400.0, 401)
    if full:
        drugs = load_trial("keynote-024").drugs
        return build_model(drugs=drugs).to_sbml(), "immunescape, keynote-024", Workload(times)
    document = libsbml.readSBMLFromString(build_model(drugs=("pembrolizumab",), without=_HARD_TO_LOAD).to_sbml())
    while document.getModel().getNumEvents():
        document.getModel().removeEvent(0)
    days = np.arange(0.0, 399.0, 21.0)
    doses = Doses(days, ("pembrolizumab_C",) * len(days), np.full(len(days), 1342.0), np.zeros(len(days)))  # 200 mg
    name = "immunescape's model without eleven mechanisms and events, pembrolizumab every three weeks"
    return libsbml.writeSBMLToString(document), name, Workload(times, doses=doses)


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table that fits the terminal and breaks no word.

    Where the longest words of the columns do not fit side by side, a terminal shows each row as a list of its own, and
    a file or pipe receives a wider table.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not rows:
        console.print(f"{title}: none")
        return
    shown = [[f"{v:g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    columns = [[name, *(cells[k] for cells in shown)] for k, name in enumerate(rows[0])]
    longest = [max((len(word) for text in texts for word in text.split()), default=1) for texts in columns]
    widest = [max(len(line) for text in texts for line in (text.splitlines() or [""])) for texts in columns]
    # two spaces between columns, one where that is what makes the longest words fit
    gap = 2 if sum(longest) + 2 * (len(columns) - 1) <= console.width else 1
    least = sum(longest) + gap * (len(columns) - 1)
    if least > console.width and console.is_terminal:
        console.print(title, style="bold", markup=False)
        for cells in shown:
            for name, text in zip(rows[0], cells, strict=True):
                console.print(f"  {name}: {text}", markup=False, highlight=False)
            console.print()
        return
    widths = _column_widths(longest, widest, console.width - gap * (len(columns) - 1))
    console = Console(width=max(sum(widths) + gap * (len(columns) - 1), len(title)))
    table = Table(
        title=Text(title), title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, gap, 0, 0)
    )
    for column, width in zip(rows[0], widths, strict=True):
        numeric = all(isinstance(r[column], int | float) for r in rows)
        table.add_column(Text(column), justify="right" if numeric else "left", width=width)
    for cells in shown:
        table.add_row(*[Text(text) for text in cells])
    console.print(table)


def _column_widths(longest: list[int], widest: list[int], room: int) -> list[int]:
    """Widths of columns: at least their longest word, at most their widest text, together `room` where that is enough.

    What is left after the longest words goes, character by character, to the column that would otherwise need the most
    lines.
    """
    widths = list(longest)
    while sum(widths) < room:
        lines = [wide / width if width < wide else 0.0 for wide, width in zip(widest, widths, strict=True)]
        if max(lines) <= 0:
            break
        widths[lines.index(max(lines))] += 1
    return widths
