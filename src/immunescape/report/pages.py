"""One page for each mechanism and drug: equations, parameters with source and grade, references, what it does.

``python -m immunescape.report.pages OUT [NAME ...]`` writes Markdown with pictures. The pictures come from short
simulations of the reference patient from diagnosis on: a mechanism that is strong against the reference
(`page_courses`), a drug given against not given.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.console import markdown_table
from immunescape.errors import ImmunescapeError, unknown_word
from immunescape.report.page_courses import strongest

if TYPE_CHECKING:
    from immunescape.engine.api import Compiled
    from immunescape.model.assembly import Model
    from immunescape.model.declarations import Mechanism

__all__ = ["ReferenceCourse", "page", "regimen_of", "write_pages"]

FloatArray = NDArray[np.float64]
DAYS = 84.0
_DAYS = np.arange(0.0, DAYS + 0.5, 1.0)
_PANELS = 6


@dataclass(frozen=True)
class ReferenceCourse:
    """Course of the reference patient with and without a mechanism or drug.

    `panels` : (name, meaning, unit, with, without) over `days`.
    """

    days: FloatArray
    panels: tuple[tuple[str, str, str, FloatArray, FloatArray], ...]
    label: str
    other: str


def regimen_of(drug: str) -> str:
    """Return a regimen of a drug: as a shipped claim gives it, else its largest usual dose every three weeks."""
    from immunescape.knowledge.claim_records import load_claims
    from immunescape.model.drug_tables import usual_doses
    from immunescape.trial.grammar import parse_regimen

    for claim in load_claims():
        for setting in (claim.change, claim.background, claim.against):
            for text in setting.give:
                try:
                    regimen = parse_regimen(text)
                except ImmunescapeError:
                    continue
                if drug in regimen.drugs and (len(regimen.drugs) == 1 or regimen.phases):
                    rules = [str(r) for p in regimen.phases for r in p.rules if r.drug == drug]
                    return rules[0]
    usual = usual_doses().get(drug)
    if usual is None:
        return ""
    return f"{drug} {usual.value:g} {usual.unit} every 3 weeks"


def shown(model: Model, mechanism: Mechanism) -> list[str]:
    """Return what a page plots: own observables, factors of the processes that are modulated, the tumour's volume."""
    observables = [n for n, q in model.quantities.items() if q.owner == mechanism.name and q.observable]
    factors = list(dict.fromkeys(f"f_{m.process}" for m in mechanism.modulations))
    pools = list(dict.fromkeys(c.pool for c in mechanism.contributions if "{" not in c.pool))
    names = [
        n for n in [*observables[:3], *factors[:2], *pools[:1], *factors[2:], *observables[3:]] if n in model.quantities
    ]
    names = [n for n in dict.fromkeys(names) if n != "V_T"]
    return [*names[: _PANELS - 1], "V_T"]


def _course(
    shown_: Sequence[str], model: Model, with_: FloatArray, without: FloatArray, labels: Sequence[str]
) -> ReferenceCourse:
    panels = tuple(
        (name, model.quantities[name].meaning, model.unit(name), with_[:, k], without[:, k])
        for k, name in enumerate(shown_)
    )
    return ReferenceCourse(_DAYS, panels, labels[0], labels[1])


def _given(
    model: Model, compiled: Compiled, base: dict[str, float], mechanism: Mechanism, given: Any, text: str
) -> ReferenceCourse:
    """Simulate the reference patient without a drug and with it."""
    from immunescape.engine.api import Doses, Job

    names = shown(model, mechanism)
    result = compiled.run(
        Job(
            n=2,
            times=_DAYS,
            outputs=tuple(names),
            initial={s: base.get(s, 0.0) for s in compiled.states},
            doses=[Doses.none(), given],
            rtol=1e-6,
            atol=model.atol(),
        )
    )
    values = result.values * np.array([model.scale(n) for n in names])
    return _course(names, model, values[1], values[0], (text, "not given"))


def simulate_courses(names: Sequence[str] = ()) -> dict[str, ReferenceCourse]:
    """Simulate the reference patient for mechanisms and drugs, all where none is named."""
    from immunescape.engine import get_engine
    from immunescape.evaluation.scenarios import DRUGS_PER_MODEL
    from immunescape.model import registry
    from immunescape.model.assembly import Model
    from immunescape.population.reference_baseline import reference_baseline, with_reference_strengths
    from immunescape.trial.dosing import BodySize, administered, to_doses
    from immunescape.trial.grammar import parse_regimen

    bare = with_reference_strengths(Model.build(check_units=False))
    base = dict(reference_baseline(bare).states)
    engine = get_engine("auto")
    mechanisms = [m for m in bare.mechanisms if not names or m.name in names]
    strong = strongest(bare, engine.compile(bare.to_sbml()), base, mechanisms, shown, _DAYS) if mechanisms else {}
    components = {m.name: m for m in mechanisms}
    courses = {
        name: _course(shown(bare, components[name]), bare, with_, plain, (label, "reference patient"))
        for name, (label, with_, plain) in strong.items()
    }
    drugs = [d for d in registry.drugs() if (not names or d in names) and regimen_of(d)]
    for start in range(0, len(drugs), DRUGS_PER_MODEL):
        group = drugs[start : start + DRUGS_PER_MODEL]
        model = with_reference_strengths(Model.build(drugs=group, check_units=False))
        compiled = engine.compile(model.to_sbml())
        for drug in group:  # one at a time, as each has its own label
            text = regimen_of(drug)
            given = to_doses(administered(parse_regimen(text), BodySize(), until_days=DAYS))
            module = model.drug(drug)
            courses[drug] = _given(model, compiled, base, module, given, text)
    return courses


def page(model: Model, component: Mechanism, course: ReferenceCourse | None, picture: str) -> str:
    """Return the Markdown of one page.

    Parameters
    ----------
    model
        A model that has the part.
    component
        Mechanism or drug.
    course, picture
        What was simulated, and the file name of its picture.
    """
    from immunescape.evaluation.mechanism_labels import label_text, ranks
    from immunescape.knowledge.references import format_reference, get_reference, load_references
    from immunescape.model.declarations import Drug
    from immunescape.model.describe import parameter_table
    from immunescape.model.drug_effects import citation_keys_of, effect_parameters

    lines = [f"# {component.title}", "", f"`{component.name}` – {component.summary}", ""]
    if not isinstance(component, Drug):
        lines += [f"Ablation: {label_text(component.name)}", ""]
    else:
        facts = [f"class: {component.drug_class}", f"targets: {', '.join(component.targets)}"]
        facts.append(f"doses: {', '.join(component.dose_units)}")
        lines += ["; ".join(facts) + ".", "", f"Ablation: {ranks(component)[1]}", ""]
    if component.requires:
        lines += ["Requires: " + ", ".join(f"`{r}`" for r in component.requires) + ".", ""]
    if component.modulations:
        lines += ["Acts on:", ""]
        lines += [f"- `{m.process}` ({m.effect}, pathway `{m.pathway}`): `{m.strength}`" for m in component.modulations]
        lines += [""]
    if component.clones:
        lines += ["Clones:", "", *(f"- `{c.name}`: {c.meaning}" for c in component.clones), ""]
    if course is not None:
        what = f"{course.label} (solid) and {course.other} (dashed)"
        lines += ["## What it does", "", f"![{component.title}: {what}]({picture})", ""]
        lines += [f"*The reference patient from diagnosis on: {what}.*", ""]
    lines += ["## Equations", "", "```text", model.equations(component.name).rstrip(), "```", ""]
    table = {r["name"]: r for r in parameter_table(model)}
    rows = [r for r in table.values() if r["mechanism"] == component.name]
    lines += ["## Parameters", "", *_table([{k: v for k, v in r.items() if k != "mechanism"} for r in rows])]
    if isinstance(component, Drug) and (held := [table[n] for n in effect_parameters(model, component.name)]):
        lines += ["## Parameters of its effect in the tables of mechanisms", "", *_table(held)]
    keys = citation_keys_of(model, component)
    references = load_references()
    lines += ["## References", ""]
    lines += [f"- [{k}] {format_reference(get_reference(k, references))}" for k in keys if k in references]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lines of a table of parameters."""
    if not rows:
        return ["None of its own.", ""]

    def cell(value: Any) -> str:
        return (f"{value:g}" if isinstance(value, float) else str(value)).replace("|", "\\|")

    return markdown_table(rows[0], ([cell(value) for value in row.values()] for row in rows))


def draw(course: ReferenceCourse, path: Path) -> None:
    """Draw a course to a PNG file: one panel each, units on the axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from immunescape.report.figures import ARM_COLOURS

    rows = -(-len(course.panels) // 3)
    figure = Figure(figsize=(10.5, 2.6 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 3, squeeze=False).ravel()
    for ax, (name, _, unit, with_, without) in zip(axes, course.panels, strict=False):
        ax.plot(course.days, with_, color=ARM_COLOURS[0], lw=1.8, label=course.label)
        ax.plot(course.days, without, color=ARM_COLOURS[1], lw=1.5, ls="--", label=course.other)
        ax.set_title(name, fontsize=9)
        ax.set_ylabel("" if unit == "dimensionless" else unit, fontsize=8)
        ax.set_xlabel("Days from diagnosis", fontsize=8)
        ax.tick_params(labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
        top = float(np.nanmax([with_, without]))
        if np.isfinite(top) and top > 0:
            ax.set_ylim(0, 1.08 * top)
    for ax in axes[len(course.panels) :]:
        ax.set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    figure.savefig(path)


def write_pages(folder: str | Path, names: Sequence[str] = (), *, pictures: bool = True) -> list[Path]:
    """Write the pages and their index.

    Parameters
    ----------
    folder
        Where; it is made.
    names
        Mechanisms and drugs; all where none is named.
    pictures
        Simulate and draw what each does. It takes minutes where the models are not compiled yet.

    Raises
    ------
    InputError
        For an unknown name, with the nearest.
    """
    from immunescape.evaluation.summary import model_counts
    from immunescape.model import registry
    from immunescape.model.assembly import Model

    drugs = registry.drugs()
    pages = [*registry.mechanisms(), *drugs]
    for name in names:
        if name not in pages:
            raise unknown_word("mechanism or drug", name, pages)
    chosen = [n for n in pages if not names or n in names]
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    model = Model.build(drugs=list(drugs), check_units=False)
    components = {m.name: m for m in (*model.mechanisms, *model.drugs)}
    courses = simulate_courses(chosen) if pictures else {}
    written = []
    for name in chosen:
        course = courses.get(name)
        if course is not None:
            draw(course, target / f"{name}.png")
        path = target / f"{name}.md"
        path.write_text(page(model, components[name], course, f"{name}.png"), encoding="utf-8")
        written.append(path)
    counts = model_counts(model)
    lines = ["# Mechanisms and drugs", "", "Written by `python -m immunescape.report.pages`.", "", "| | |", "|---|---|"]
    lines += [f"| {k.replace('_', ' ')} | {v} |" for k, v in counts.items()]
    for title, group in (("Mechanisms", registry.mechanisms()), ("Drugs", drugs)):
        here = [n for n in group if n in chosen]
        lines += ["", f"## {title}", "", *(f"- [{components[n].title}]({n}.md)" for n in here)]
    lines += ["", "```{toctree}", ":hidden:", "", *chosen, "```"]
    index = target / "index.md"
    index.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [index, *written]


def _main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print("python -m immunescape.report.pages OUT [NAME ...] [--no-pictures]")
        return 0 if arguments else 2
    names = [a for a in arguments[1:] if a != "--no-pictures"]
    try:
        written = write_pages(arguments[0], names, pictures="--no-pictures" not in arguments)
    except ImmunescapeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"Written: {len(written)} pages in {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
