"""Pages of the documentation that the registries write: one for each mechanism, drug and biomarker.

`reference_pages` returns them all as Markdown; `claims_about` and `uses_of_biomarker` serve the command line as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from immunescape.console import markdown_table
from immunescape.model.declarations import Mechanism
from immunescape.model.drug_effects import citation_keys_of, effect_parameters
from immunescape.report.tables import cited, toxicity_rows

if TYPE_CHECKING:
    from immunescape.knowledge.claim_records import Claim
    from immunescape.knowledge.references import Reference
    from immunescape.model.assembly import Model
    from immunescape.model.parameters import Parameter
    from immunescape.profile.biomarkers import Biomarker

__all__ = [
    "biomarker_page",
    "claims_about",
    "drug_page",
    "mechanism_page",
    "reference_pages",
    "uses_of_biomarker",
]

_TITLES = {"mechanisms": "Mechanisms", "drugs": "Drugs and cell products", "biomarkers": "Biomarkers one by one"}


def cell(text: object) -> str:
    """Write a value as the cell of a Markdown table."""
    if isinstance(text, float):
        text = f"{text:.6g}"
    plain = " ".join(str(text).split()) or "–"
    for sign in "\\|*<[$":
        plain = plain.replace(sign, "\\" + sign)
    return plain


def claims_about(name: str) -> list[Claim]:
    """Claims whose effect a mechanism or drug carries, or whose set-up gives the drug or switches the mechanism off."""

    def concerns(claim: Claim) -> bool:
        settings = (claim.background, claim.change, claim.against, *([claim.modifies] if claim.modifies else []))
        given = {dose.split()[0] for s in settings for dose in s.give if dose.split()}
        return name in claim.mechanism or name in given or any(name in s.off for s in settings)

    return [c for c in _claims_with_an_effect() if concerns(c)]


def uses_of_biomarker(name: str) -> dict[str, list[str]]:
    """What reads a biomarker: resistance mechanisms that it helps to call, and what it says of a virtual patient."""
    from immunescape.knowledge.mechanism_rules import load_rules, measurements
    from immunescape.knowledge.profile_to_model import profile_links

    calls = [f"{key}: {rule.title}" for key, rule in load_rules().mechanisms.items() if name in measurements(rule)]
    hints = [
        f"{link.kind} {link.target}{' where ' + ' or '.join(link.when) if link.when else ''}: {link.transformation} "
        f"{link.factor} ({link.grade}; {', '.join(link.source)})"
        for link in profile_links()
        if link.biomarker == name
    ]
    return {"calls": calls, "virtual_patient": hints}


def mechanism_page(name: str, model: Model | None = None) -> str:
    """Write the page of one mechanism as Markdown.

    Parameters
    ----------
    name
        A registered mechanism.
    model
        The model that its equations are taken from; None assembles all mechanisms without drugs.
    """
    from immunescape.evaluation.mechanism_labels import label_text
    from immunescape.model import Model as Assembled
    from immunescape.model.registry import get_mechanism

    mechanism = get_mechanism(name)
    model = Assembled.build(drugs=[]) if model is None else model
    lines = _head(mechanism)
    lines += [f"Ablation: {cell(label_text(name))}", ""]
    if mechanism.requires:
        lines += ["Requires: " + ", ".join(f"`{n}`" for n in mechanism.requires) + ".", ""]
    lines += _parameters(model, name) + _structure(mechanism) + _equations(model, name)
    return "\n".join(lines + _claims(name) + _references(model, mechanism))


def drug_page(name: str, model: Model | None = None) -> str:
    """Write the page of one drug as Markdown; parameters as in `mechanism_page`."""
    from immunescape.evaluation.mechanism_labels import ranks
    from immunescape.model import Model as Assembled
    from immunescape.model.registry import get_drug

    drug = get_drug(name)
    model = Assembled.build(drugs=[drug.name]) if model is None else model
    facts = [
        ("class", drug.drug_class),
        ("targets", ", ".join(drug.targets)),
        ("doses in", ", ".join(drug.dose_units)),
        ("usual route", drug.route),
        ("infusion", f"{drug.infusion_hours:g} h" if drug.infusion_hours else "bolus or oral"),
        ("synonyms", ", ".join(drug.synonyms)),
    ]
    lines = _head(drug) + markdown_table(("", ""), [(heading, cell(text)) for heading, text in facts if text])
    lines += ["", f"Ablation: {cell(ranks(drug)[1])}", ""]
    lines += _parameters(model, drug.name) + _effect_parameters(model, drug.name)
    lines += _structure(drug) + _equations(model, drug.name)
    harm = toxicity_rows([drug.name])
    if harm:
        rows = [
            (
                cell(r["regimen"]),
                cell(r["quantity"]),
                cell(r["value"]),
                cell(r["unit"]),
                r["grade"],
                _keys(r["source"]),
            )
            for r in harm
        ]
        lines += ["## Toxicity", "", *markdown_table(("regimen", "quantity", "value", "unit", "grade", "source"), rows)]
    trials = [trial for trial, given in _drugs_by_trial().items() if drug.name in given]
    if trials:
        lines += ["## Included trials that give it", "", ", ".join(f"`{t}`" for t in trials), ""]
    return "\n".join(lines + _claims(drug.name) + _references(model, drug))


def biomarker_page(biomarker: Biomarker) -> str:
    """Write the page of one biomarker as Markdown."""
    facts = [
        ("family", biomarker.family.replace("_", " ")),
        ("unit", biomarker.unit),
        ("words", ", ".join(biomarker.words)),
        ("thresholds", biomarker.thresholds),
        ("needs any of", ", ".join(n.replace("_", " ") for n in biomarker.needs)),
        ("limits", biomarker.limits),
    ]
    lines = [f"# {cell(biomarker.title)}", "", f"`{biomarker.name}`", "", cell(biomarker.definition), ""]
    lines += markdown_table(("", ""), [(heading, cell(text)) for heading, text in facts if text])
    uses = uses_of_biomarker(biomarker.name)
    for title, entries in (
        ("Resistance mechanisms that it is used to call", uses["calls"]),
        ("What it implies for a virtual patient", uses["virtual_patient"]),
    ):
        if entries:
            lines += [f"## {title}", "", *(f"- {cell(e)}" for e in entries), ""]
    keys = biomarker.references
    if keys:
        lines += [
            "## References",
            "",
            *(_reference(k) for k in keys),
            "",
        ]
    return "\n".join(lines)


def reference_pages(only: Iterable[str] | None = None) -> dict[str, str]:
    """Write all pages.

    Parameters
    ----------
    only
        Names of mechanisms, drugs and biomarkers; None takes all. The three lists are of what is taken.

    Returns
    -------
    dict
        File (``mechanisms/killing.md``) -> Markdown; ``mechanisms.md``, ``drugs.md`` and ``biomarkers.md`` list them.
    """
    from immunescape.model import Model as Assembled
    from immunescape.model.registry import drugs, mechanisms
    from immunescape.profile.biomarkers import biomarkers

    chosen = None if only is None else set(only)

    def taken(names: Mapping[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in names.items() if chosen is None or n in chosen}

    bare, treated = Assembled.build(drugs=[]), Assembled.build(drugs=list(drugs()))
    listed = {"mechanisms": taken(mechanisms()), "drugs": taken(drugs()), "biomarkers": taken(biomarkers())}
    pages = {f"mechanisms/{n}.md": mechanism_page(n, bare) for n in listed["mechanisms"]}
    pages |= {f"drugs/{n}.md": drug_page(n, treated) for n in listed["drugs"]}
    pages |= {f"biomarkers/{n}.md": biomarker_page(b) for n, b in listed["biomarkers"].items()}
    pages = {path: f"---\norphan: true\n---\n\n{text}\n" for path, text in pages.items()}
    return pages | {f"{kind}.md": _list(kind, members) for kind, members in listed.items()}


@cache
def _claims_with_an_effect() -> tuple[Claim, ...]:
    from immunescape.knowledge.claim_records import load_claims

    return tuple(c for c in load_claims() if c.kind != "context")


@cache
def references() -> Mapping[str, Reference]:
    """Return the bibliography, read once: some hundred pages take their entries from it."""
    from immunescape.knowledge.references import load_references

    return load_references()


def _reference(key: str) -> str:
    """Line of a list of references, its DOI or PubMed identifier linked."""
    from immunescape.knowledge.references import format_reference, get_reference

    entry = get_reference(key, references())
    text = cell(format_reference(entry))
    for said, address in (
        (f"doi:{cell(entry.doi)}", f"https://doi.org/{entry.doi}") if entry.doi else ("", ""),
        (f"PMID: {entry.pmid}", f"https://pubmed.ncbi.nlm.nih.gov/{entry.pmid}/") if entry.pmid else ("", ""),
    ):
        if said and said in text:
            text = text.replace(said, f"[{said}](<{address}>)")
    return f"- `{key}` {text}"


@cache
def _drugs_by_trial() -> dict[str, tuple[str, ...]]:
    from immunescape.trial.loading import list_trials, load_trial

    return {name: tuple(load_trial(name).drugs) for name in list_trials()}


def _list(kind: str, members: Mapping[str, Any]) -> str:
    rows: list[tuple[str, ...]]
    if kind == "mechanisms":
        head: tuple[str, ...] = ("name", "title", "states", "parameter table")
        rows = [(m.name, cell(m.title), str(len(m.states)), cell(_file_name(m.parameters))) for m in members.values()]
    elif kind == "drugs":
        head = ("name", "class", "targets", "doses in")
        rows = [
            (d.name, cell(d.drug_class), cell(", ".join(d.targets)), cell(", ".join(d.dose_units)))
            for d in members.values()
        ]
    else:
        head = ("name", "title", "family", "unit")
        rows = [(b.name, cell(b.title), cell(b.family), cell(b.unit)) for b in members.values()]
    linked = [(f"[`{name}`]({kind}/{name}.md)", *rest) for name, *rest in rows]
    title = _TITLES[kind]
    text = [f"# {title}", "", f"{len(rows)}, each with a page. On the command line: `immunescape show NAME`.", ""]
    return "\n".join([*text, *markdown_table(head, linked)])


def _file_name(path: object) -> str:
    return str(path).replace("\\", "/").rsplit("/", 1)[-1]


def _head(record: Mechanism) -> list[str]:
    return [f"# {cell(record.title)}", "", f"`{record.name}`", "", cell(record.summary), ""]


def _keys(cited_: str) -> str:
    """What `cited` wrote, with the keys as code."""
    prefix = "direction from " if cited_.startswith("direction from ") else ""
    keys = cited_.removeprefix(prefix).split("; ")
    return prefix + ", ".join("assumed" if k == "assumed" else f"`{k}`" for k in keys)


def _parameters(model: Model, owner: str) -> list[str]:
    listed = [p for p in model.parameters.values() if p.owner == owner and p.grade != "defined"]
    head = ("name", "value", "unit", "across patients", "grade", "source", "note")
    if not listed:
        return ["No parameters.", ""]
    return ["## Parameters", "", *markdown_table(head, map(_parameter_cells, listed))]


def _effect_parameters(model: Model, drug: str) -> list[str]:
    """Parameters of a drug's effect that stand in the tables of mechanisms."""
    held = [model.parameters[name] for name in effect_parameters(model, drug)]
    if not held:
        return []
    head = ("name", "mechanism", "value", "unit", "across patients", "grade", "source", "note")
    rows = []
    for p in held:
        name, *rest = _parameter_cells(p)
        rows.append((name, f"`{p.owner}`", *rest))
    return ["## Parameters of its effect in the tables of mechanisms", "", *markdown_table(head, rows)]


def _parameter_cells(p: Parameter) -> tuple[str, ...]:
    """Name, value, unit, distribution, grade, source and note."""
    spread = "" if p.spread is None else f" {p.spread:.4g}"
    bounds = "" if p.lower is None and p.upper is None else f" [{_end(p.lower)}, {_end(p.upper)}]"
    return (
        f"`{p.name}`",
        cell(p.value),
        cell(p.unit),
        cell(f"{p.distribution}{spread}{bounds}"),
        p.grade,
        _keys(cited(p.grade, p.sources)),
        cell(p.note),
    )


def _end(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _structure(record: Mechanism) -> list[str]:
    """What it opens to others and what it does to processes that others open."""
    lines = []
    if record.processes:
        lines += ["Processes that other mechanisms may modulate:", ""]
        lines += [f"- `{name}`: {cell(meaning)}" for name, meaning in record.processes.items()] + [""]
    if record.pools:
        lines += ["Pools to which other mechanisms may contribute:", ""]
        lines += [f"- `{pool.name}` ({cell(pool.unit)}): {cell(pool.meaning)}" for pool in record.pools] + [""]
    if record.modulations:
        rows = [(f"`{m.process}`", str(m.effect), f"`{m.pathway}`", f"`{m.strength}`") for m in record.modulations]
        lines += ["Acts on:", "", *markdown_table(("process", "effect", "pathway", "strength"), rows)]
    if record.contributions:
        terms = [(f"`{c.pool}`", f"`{c.expression}`") for c in record.contributions]
        lines += ["Adds to:", "", *markdown_table(("sum", "term"), terms)]
    if record.clones:
        lines += ["Clones of cancer cells:", "", *(f"- `{c.name}`: {cell(c.meaning)}" for c in record.clones), ""]
    return ["## What it opens and acts on", "", *lines] if lines else []


def _equations(model: Model, name: str) -> list[str]:
    return ["## Equations", "", "```text", model.equations(name).rstrip(), "```", ""]


def _claims(name: str) -> list[str]:
    rows = [
        (f"`{c.id}`", cell(c.text), f"`{c.observe}`", f"{c.day:g}", cell(c.expect or "")) for c in claims_about(name)
    ]
    if not rows:
        return []
    intro = "Statements of the literature that concern it; `immunescape claims --only ID` simulates one."
    return ["## Claims", "", intro, "", *markdown_table(("id", "statement", "looked at", "day", "expected"), rows)]


def _references(model: Model, record: Mechanism) -> list[str]:
    lines = [_reference(key) for key in citation_keys_of(model, record)]
    return ["## References", "", *lines, ""] if lines else []
