"""The model from Python: assembling it, and one drug, mechanism or trial as text or plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.console import print_table
from immunescape.errors import InputError, unknown_word

if TYPE_CHECKING:
    from immunescape.engine.oracle.bench import Workload
    from immunescape.model import Mechanism, Model
    from immunescape.model.from_sbml import SbmlMechanism
    from immunescape.profile.biomarkers import Biomarker

__all__ = [
    "bench_example",
    "build_model",
    "drugs_table",
    "mechanism_from_sbml",
    "mechanisms_table",
    "model_summary",
    "print_bounds",
    "print_model",
    "show",
    "shown",
]


def drugs_table() -> list[dict[str, Any]]:
    """One row for each drug that a regimen may name, those of plug-ins included.

    Returns
    -------
    list of dict
        ``name``, ``class``, ``targets``, ``tested`` (the strictest evidence that tests one of the mechanisms through
        which it acts: trials, data, claims or nothing), ``doses`` (units in which it may be dosed) and ``synonyms``.
    """
    from immunescape.evaluation.mechanism_labels import brief_drug_label
    from immunescape.model.registry import drugs

    return [
        {
            "name": d.name,
            "class": d.drug_class,
            "targets": ", ".join(d.targets),
            "tested": brief_drug_label(d),
            "doses": ", ".join(d.dose_units),
            "synonyms": ", ".join(d.synonyms),
        }
        for d in drugs().values()
    ]


def mechanisms_table() -> list[dict[str, Any]]:
    """One row for each mechanism of the model, those of plug-ins included.

    Returns
    -------
    list of dict
        ``name``, ``title``, ``tested`` (the strictest evidence that tests it: trials, data, claims or nothing),
        ``states`` (their number), ``requires`` (other mechanisms) and ``summary``.
    """
    from immunescape.evaluation.mechanism_labels import short_label
    from immunescape.model.registry import mechanisms

    return [
        {
            "name": m.name,
            "title": m.title,
            "tested": short_label(m.name),
            "states": len(m.states),
            "requires": ", ".join(m.requires),
            "summary": m.summary,
        }
        for m in mechanisms().values()
    ]


def _split_names(text: str) -> list[str]:
    return [w.strip() for w in text.split(",") if w.strip()]


def build_model(
    *,
    drugs: str | Sequence[str] = "all",
    without: str | Sequence[str] = (),
    mechanisms: Mechanism | Sequence[Mechanism] = (),
) -> Model:
    """Assemble the model.

    Parameters
    ----------
    drugs
        Names, or one comma-separated text; ``"all"`` takes every registered drug, ``""`` none.
    without
        Mechanisms to leave out, likewise.
    mechanisms
        One or more beside the registered ones: declarations, or what :func:`mechanism_from_sbml` reads.

    Returns
    -------
    Model
        ``.equations()``, ``.to_sbml()`` and ``.cite()`` show it; its base units are day, cm, cell, nmol and mg.

    Raises
    ------
    InputError
        For a drug or mechanism that does not exist, with the nearest one.
    ModelError
        If another mechanism requires one that is left out, or a mechanism breaks the rules of the model (units, names).
    """
    from immunescape.model import Mechanism, Model
    from immunescape.model.registry import drugs as registered
    from immunescape.population.reference_baseline import with_reference_strengths

    if isinstance(drugs, str):
        drugs = list(registered()) if drugs.strip() == "all" else _split_names(drugs)
    if isinstance(without, str):
        without = _split_names(without)
    if added := (mechanisms,) if isinstance(mechanisms, Mechanism) else tuple(mechanisms):
        from immunescape.population.reference_baseline import extended_model

        return extended_model(added, tuple(drugs), without=tuple(without))
    return with_reference_strengths(Model.build(drugs=drugs, without=without))


def mechanism_from_sbml(
    path: str | Path, couple: Mapping[str, Any] | str | Path | None = None, *, name: str = ""
) -> SbmlMechanism:
    """Read a mechanism from an SBML file; see :func:`immunescape.model.from_sbml.mechanism_from_sbml`.

    Parameters
    ----------
    path
        SBML file.
    couple
        How its states act on the model and the reverse: a mapping, or a YAML file; None takes ``my.coupling.yaml``
        beside ``my.xml``, if there is one.
    name
        Name of the mechanism; '' takes that of the coupling, else the id of the model in the file.

    Returns
    -------
    SbmlMechanism
        To be passed as ``mechanisms`` to :func:`immunescape.patient` and :func:`build_model`.

    Raises
    ------
    InputError, ModelError, EngineError
        For a file or coupling that cannot be used: names the element and the next action.

    Examples
    --------
    >>> itaconate = immunescape.mechanism_from_sbml("itaconate.xml")  # doctest: +SKIP
    >>> immunescape.patient(seed=3, mechanisms=[itaconate]).simulate("none").plot()  # doctest: +SKIP
    """
    from immunescape.model.from_sbml import mechanism_from_sbml as read

    return read(path, couple, name=name)


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
            {
                "observable": b.observable,
                "lower": b.lower,
                "upper": b.upper,
                "unit": b.unit,
                "grade": b.grade,
                "source": ";".join(b.sources),
                "note": b.note,
            }
            for b in table
            if b.observable in model.quantities or b.observable == "doubling_time"
        ]
        print_table(title, rows)


def show(name: str) -> None:
    """Print one trial, drug, mechanism, biomarker, or name of the model: sources, equations, claims.

    Parameters
    ----------
    name
        Name of any of these; also the path of a trial's YAML file.

    Raises
    ------
    InputError
        For a name that does not exist, with the nearest ones.
    """
    from immunescape.model.registry import get_drug, mechanisms
    from immunescape.trial.loading import list_trials

    if name in list_trials() or name.endswith((".yaml", ".yml")):
        from immunescape.report.text import print_trial
        from immunescape.trial.loading import load_trial

        print_trial(load_trial(name))
        return
    if name in mechanisms():
        _show_component(name, None)
        return
    try:
        drug = get_drug(name)
    except InputError:
        from immunescape.api.model_names import name_facts, print_name
        from immunescape.profile.biomarkers import biomarkers
        from immunescape.report.text import print_biomarker

        facts = None if name in biomarkers() else name_facts(name)
        if facts is None:
            print_biomarker(_biomarker(name))
        else:
            print_name(facts)
        return
    _show_component(drug.name, drug.name)


def _biomarker(name: str) -> Biomarker:
    """Return a biomarker; a name that nothing has is refused with the nearest of all that can be shown."""
    from immunescape.api.model_names import names_of_the_model
    from immunescape.errors import nearest
    from immunescape.model.registry import drugs, mechanisms
    from immunescape.profile.biomarkers import biomarkers
    from immunescape.trial.loading import list_trials

    if name not in biomarkers():
        names = [*list_trials(), *mechanisms(), *drugs(), *biomarkers()]
        inner = nearest(name, names_of_the_model())
        if inner and not nearest(name, names):
            names = inner
        raise unknown_word("trial, drug, mechanism, biomarker or name of the model", name, names)
    return biomarkers()[name]


def shown(name: str) -> dict[str, Any]:
    """Return what :func:`show` prints as plain data."""
    from immunescape.model import Model
    from immunescape.model.describe import parameter_table
    from immunescape.model.drug_effects import citation_keys_of
    from immunescape.model.registry import get_drug, mechanisms
    from immunescape.report.reference_pages import claims_about
    from immunescape.trial.loading import list_trials, load_trial

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
        kind, model, target = "mechanism", Model.build(drugs=[]), name
    else:
        try:
            target = get_drug(name).name
        except InputError:
            from immunescape.api.model_names import name_facts
            from immunescape.profile.biomarkers import biomarkers
            from immunescape.report.text import biomarker_facts

            if name not in biomarkers() and (facts := name_facts(name)) is not None:
                return facts
            return {"kind": "biomarker", **biomarker_facts(_biomarker(name))}
        kind, model = "drug", Model.build(drugs=[target])
    module = next(m for m in (*model.mechanisms, *model.drugs) if m.name == target)
    rows = [r for r in parameter_table(model) if r["mechanism"] == target]
    facts = next((r for r in drugs_table() if r["name"] == target), {}) if kind == "drug" else {}
    return {
        "kind": kind,
        "name": target,
        "title": module.title,
        "summary": module.summary,
        **{k: v for k, v in facts.items() if k != "name"},
        "tested": _tested(target, kind == "drug"),
        "parameters": rows,
        **({"effect_parameters": _effect_rows(model, target)} if kind == "drug" else {}),
        "equations": model.equations(target),
        "claims": [{"id": c.id, "text": c.text, "observe": c.observe, "day": c.day} for c in claims_about(target)],
        "references": citation_keys_of(model, module),
    }


def _effect_rows(model: Model, drug: str) -> list[dict[str, Any]]:
    """Parameters of a drug's effect that stand in the tables of mechanisms."""
    from immunescape.model.describe import parameter_table
    from immunescape.model.drug_effects import effect_parameters

    rows = {r["name"]: r for r in parameter_table(model)}
    return [rows[name] for name in effect_parameters(model, drug)]


def _tested(name: str, drug: bool) -> str:
    """What a mechanism, or what a drug acts through, was tested by (see `immunescape ablate`)."""
    from immunescape.evaluation.mechanism_labels import label_text, ranks
    from immunescape.model.registry import get_drug

    if not drug:
        return label_text(name)
    may, why = ranks(get_drug(name))
    return why if may else f"{why}, so no treatment is ranked"


def _show_component(name: str, drug: str | None) -> None:
    from immunescape.knowledge.references import format_reference, get_reference, load_references
    from immunescape.model import Model
    from immunescape.model.describe import parameter_table
    from immunescape.model.drug_effects import citation_keys_of

    model = Model.build(drugs=[drug] if drug else [])
    module = next(m for m in (*model.mechanisms, *model.drugs) if m.name == name)
    print(f"{module.title}\n{'=' * len(module.title)}\n{module.summary}\n")
    print(f"Ablation: {_tested(name, bool(drug))}\n")
    if drug:
        row = next(r for r in drugs_table() if r["name"] == name)
        print("\n".join(f"{k}: {v}" for k, v in row.items() if k not in ("name", "tested") and v) + "\n")
    rows = [r for r in parameter_table(model) if r["mechanism"] == name]
    print_table("Parameters", [{k: v for k, v in r.items() if k != "mechanism"} for r in rows])
    if drug and (held := _effect_rows(model, name)):
        print_table("Parameters of its effect in the tables of mechanisms", held)
    print(model.equations(name))
    if drug:
        _show_toxicity(name)
    from immunescape.report.text import print_claims

    print_claims(name)
    keys, references = citation_keys_of(model, module), load_references()
    print("References\n" + "\n".join(f"  [{k}] {format_reference(get_reference(k, references))}" for k in keys))


def _show_toxicity(drug: str) -> None:
    from immunescape.report.tables import toxicity_rows

    rows = toxicity_rows([drug])
    if rows:
        print_table("Toxicity", rows)


HARD_TO_LOAD = (
    "cgas_sting",
    "killing",
    "memory",
    "nk_cells",
    "tryptophan",
    "checkpoints_tim3_lag3_tigit",
    "hypoxia",
    "vessels",
    "ifn_gamma",
    "antigen_presentation",
    "type1_interferon",
)


def bench_example(full: bool = False) -> tuple[str, str, Workload]:
    """SBML, name and workload that ``immunescape bench engine`` times when no model is named.

    Without eleven mechanisms, whose nested rules other simulators need minutes to load, and without events, which one
    of them cannot be given; pembrolizumab every three weeks, as boluses. `full`: the whole model of KEYNOTE-024,
    untreated.
    """
    import libsbml
    import numpy as np

    from immunescape.engine.api import Doses
    from immunescape.engine.oracle.bench import Workload
    from immunescape.trial.loading import load_trial

    times = np.linspace(0.0, 400.0, 401)
    if full:
        drugs = load_trial("keynote-024").drugs
        return build_model(drugs=drugs).to_sbml(), "immunescape, keynote-024", Workload(times)
    document = libsbml.readSBMLFromString(build_model(drugs=("pembrolizumab",), without=HARD_TO_LOAD).to_sbml())
    while document.getModel().getNumEvents():
        document.getModel().removeEvent(0)
    days = np.arange(0.0, 399.0, 21.0)
    doses = Doses(days, ("pembrolizumab_C",) * len(days), np.full(len(days), 1342.0), np.zeros(len(days)))  # 200 mg
    name = "immunescape's model without eleven mechanisms and events, pembrolizumab every three weeks"
    return libsbml.writeSBMLToString(document), name, Workload(times, doses=doses)
