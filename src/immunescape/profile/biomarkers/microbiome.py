"""Gut microbiome: diversity, Akkermansia, TOPOSCORE, and antibiotics around the start of immunotherapy.

Abundances are those of MetaPhlAn species, renormalised to sum to one in each sample. The prefix ``s__`` and the SGB
number of named species (``Akkermansia_muciniphila_SGB9226``) are removed. Only stool is used: samples from another body
site, or with genera typical of one if no site is given, are not assessable. The baseline sample is the last up to
day 0, else the first. A species that is not listed for a sample counts as not detected in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

import immunescape.knowledge
from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.diversity import hill
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.body_sites import GUT, looks_like
from immunescape.profile.study import Study

__all__ = ["AKKERMANSIA_HIGH", "TOPOSCORE_CLASSES", "species_name", "topo_groups", "toposcore_class"]

TABLE = Path(immunescape.knowledge.__file__).parent / "data" / "toposcore_species.csv"
AKKERMANSIA_HIGH = 0.04799
"""Share above which A. muciniphila is high (77th percentile of the discovery cohort, derosa2022)."""
FEWEST_SPECIES = 3
"""With fewer of the 82 species detected, their absence may be due to the table and not the gut: no score (assumed)."""
SIG1_MOST, SIG2_LEAST = 0.5351, 0.7911
AKKERMANSIA_LEVELS = ("zero", "low", "high")
TOPOSCORE_CLASSES = ("SIG1+", "SIG2+")
_NAMED = re.compile(r"^([A-Z][a-z]+_[a-z]{3,}.*?)_SGB\d+(_group)?$")


@dataclass(frozen=True)
class MicrobiomeSample:
    """Species and their shares in one sample; `unnamed`: Akkermansia of unspecified species.

    `elsewhere` says why the sample is not of the gut; '' where it is.
    """

    sample: str
    day: float | None
    shares: Mapping[str, float]
    total: float
    unnamed: float = 0.0
    elsewhere: str = ""

    @property
    def recognised(self) -> int:
        """How many of the species that the gut scores look at were found."""
        return sum(self.shares.get(n, 0.0) > 0 for names in topo_groups().values() for n in names)


@lru_cache(maxsize=1)
def topo_groups() -> dict[str, tuple[str, ...]]:
    """Return the species of the two groups: SIG1 (37, resistance) and SIG2 (45, response)."""
    groups: dict[str, list[str]] = {}
    for row in read_rows(TABLE):
        groups.setdefault(row["group"], []).append(row["species"])
    return {group: tuple(names) for group, names in groups.items()}


@lru_cache(maxsize=100_000)
def species_name(taxon: str) -> str:
    """Return a species' name without rank prefixes and without the SGB number of a named species."""
    name = re.split(r"[|;]", taxon.strip())
    last = next((n for n in reversed(name) if not n.strip().startswith("t__")), name[-1]).strip()
    last = re.sub(r"^[a-z]__", "", last).replace(" ", "_")
    unclassified = "unclassified" in last
    named = None if unclassified else _NAMED.match(last)
    return named.group(1) if named else last


def _samples(study: Study) -> dict[str, MicrobiomeSample]:
    frame = study.microbiome
    species = frame[frame["rank"].isna() | (frame["rank"] == "species")]
    rows: dict[str, dict[tuple[str, float], dict[str, float]]] = {}
    columns = ["patient", "sample", "day", "taxon", "abundance"]
    sites: dict[tuple[str, str, float], object] = {}
    given = species["site"] if "site" in species else [None] * len(species)
    for (patient, sample, day, taxon, abundance), site in zip(
        species[columns].to_numpy(dtype=object).tolist(), given, strict=True
    ):
        if not isinstance(taxon, str) or abundance is None or math.isnan(abundance):
            continue
        key = (sample if isinstance(sample, str) else "", math.nan if day is None else float(day))
        key = (key[0], 1e9 if math.isnan(key[1]) else key[1])
        shares = rows.setdefault(patient, {}).setdefault(key, {})
        sites[patient, *key] = site
        name = species_name(taxon)
        shares[name] = shares.get(name, 0.0) + float(abundance)
    genus = _genus(study)
    sample_of: dict[str, MicrobiomeSample] = {}
    for patient, samples in rows.items():
        elsewhere = {k: _elsewhere(sites[patient, *k], shares) for k, shares in samples.items()}
        samples = {k: v for k, v in samples.items() if not elsewhere[k]} or samples
        before = [k for k in samples if k[1] <= 0]
        best = max(before, key=lambda k: (k[1], k[0])) if before else min(samples, key=lambda k: (k[1], k[0]))
        shares = dict(sorted(samples[best].items()))
        why = elsewhere[best]
        total = sum(shares.values())
        if total > 0:
            normal = {n: v / total for n, v in shares.items()}
            named = sum(v for n, v in shares.items() if n.startswith("Akkermansia"))
            unnamed = max(genus.get((patient, *best), 0.0) - named, 0.0)
            unnamed = unnamed if unnamed > 1e-6 * total + 1e-9 else 0.0
            sample_of[patient] = MicrobiomeSample(
                best[0], None if best[1] == 1e9 else best[1], normal, total, unnamed, why
            )
    return sample_of


def _elsewhere(site: object, shares: Mapping[str, float]) -> str:
    """Return why a sample is not from the gut: its site, or genera of other sites if none is given; '' if it is."""
    if isinstance(site, str):
        return "" if site == GUT else f"the sample is from another site ({site}), not stool"
    other, why = looks_like(shares)
    return f"{why}: not treated as stool (set site: stool if it is)" if other else ""


def _genus(study: Study) -> dict[tuple[str, str, float], float]:
    """Return (patient, sample, day) -> abundance of the genus Akkermansia, if the table lists genera."""
    frame = study.microbiome
    frame = frame[(frame["rank"] == "genus") & frame["taxon"].astype(str).str.contains("Akkermansia", regex=False)]
    abundance_of: dict[tuple[str, str, float], float] = {}
    columns = ["patient", "sample", "day", "abundance"]
    for patient, sample, day, abundance in frame[columns].to_numpy(dtype=object).tolist():
        if abundance is None or math.isnan(abundance):
            continue
        at = 1e9 if day is None or math.isnan(day) else float(day)
        key = (patient, sample if isinstance(sample, str) else "", at)
        abundance_of[key] = abundance_of.get(key, 0.0) + float(abundance)
    return abundance_of


def _unclear(s: MicrobiomeSample) -> str:
    """Return why the level of A. muciniphila is not known; '' if it is."""
    if s.elsewhere:
        return s.elsewhere
    if _akkermansia_share(s) == 0 and s.unnamed > 0:
        return f"Akkermansia is present ({s.unnamed:.2g} of the total), but the table does not give its species"
    if "Akkermansia_muciniphila" not in s.shares and s.recognised == 0:
        return _few(s)
    return ""


def _few(s: MicrobiomeSample) -> str:
    """Return why no score can be computed: not stool, or too few of the scored species; '' if it can."""
    if s.elsewhere:
        return s.elsewhere
    if s.recognised >= FEWEST_SPECIES:
        return ""
    return (
        f"{s.recognised} of the 82 species of the score were detected in the sample, at least {FEWEST_SPECIES} are "
        "needed: the names may be those of another database or rank"
    )


def _all(study: Study) -> dict[str, MicrobiomeSample]:
    return shared(study, "stool_samples", _samples)


def _fields(study: Study, sample: MicrobiomeSample, method: str, citation: tuple[str, ...]) -> dict[str, object]:
    source = study.sources.get("microbiome", ())
    return {
        "method": method,
        "citation": citation,
        "source": source,
        "sample": sample.sample or None,
        "day": sample.day,
    }


def _diversity(name: str, what: str) -> Callable[[Study], Mapping[str, Measurement]]:
    method = f"{what} of species after renormalisation"

    def function(study: Study) -> dict[str, Measurement]:
        measurements: dict[str, Measurement] = {}
        for patient, s in _all(study).items():
            unit = "nat" if name.endswith("shannon") else "1"
            if s.elsewhere:
                fields = _fields(study, s, method, ("hill1973", "routy2018"))
                measurements[patient] = Measurement.not_assessable(name, unit, s.elsewhere, **fields)
                continue
            shares = np.array(list(s.shares.values()))
            value = math.log(hill(shares, 1)) if name.endswith("shannon") else hill(shares, 2)
            note = f"{int((shares > 0).sum())} species; their abundances summed to {s.total:.3g} before renormalisation"
            measurements[patient] = Measurement(
                name,
                value,
                "nat" if name.endswith("shannon") else "1",
                "measured",
                note=note,
                **_fields(study, s, method, ("hill1973", "routy2018")),  # type: ignore[arg-type]
            )
        return measurements

    return function


def _akkermansia_share(s: MicrobiomeSample) -> float:
    return s.shares.get("Akkermansia_muciniphila", 0.0)


def _level(share: float) -> str:
    return "zero" if share == 0 else "high" if share >= AKKERMANSIA_HIGH else "low"


def _akkermansia(study: Study) -> dict[str, Measurement]:
    measurements: dict[str, Measurement] = {}
    for patient, s in _all(study).items():
        share = _akkermansia_share(s)
        fields = _fields(study, s, "Share of A. muciniphila among species", ("derosa2022",))
        if why := _unclear(s):
            measurements[patient] = Measurement.not_assessable("akkermansia", "fraction", why, **fields)
            continue
        others = sum(v for n, v in s.shares.items() if n.startswith("Akkermansia") and n != "Akkermansia_muciniphila")
        note = f"level {_level(share)} (zero; low; high from {100 * AKKERMANSIA_HIGH:g} %)"
        note += f"; other Akkermansia {100 * others:.3g} %" if others else ""
        measurements[patient] = Measurement(
            "akkermansia",
            share,
            "fraction",
            "measured",
            note=note,
            **fields,  # type: ignore[arg-type]
        )
    return measurements


def _akkermansia_level(study: Study) -> dict[str, Measurement]:
    measurements: dict[str, Measurement] = {}
    for patient, s in _all(study).items():
        share = _akkermansia_share(s)
        fields = _fields(study, s, "Three levels of A. muciniphila", ("derosa2022",))
        if why := _unclear(s):
            measurements[patient] = Measurement.not_assessable("akkermansia_level", "", why, **fields)
            continue
        measurements[patient] = Measurement(
            "akkermansia_level",
            _level(share),
            "",
            "measured",
            note=f"{100 * share:.3g} % of species",
            **fields,  # type: ignore[arg-type]
        )
    return measurements


def toposcore_class(score: float, akkermansia: str) -> str:
    """Return SIG1+ (resistance) or SIG2+ (response) of a score and the level of A. muciniphila.

    Parameters
    ----------
    score
        TOPOSCORE, 0 to 1.
    akkermansia
        ``zero``, ``low`` or ``high``; decides between the two thresholds, with low indicating response.
    """
    if score <= SIG1_MOST:
        return "SIG1+"
    if score >= SIG2_LEAST:
        return "SIG2+"
    return "SIG2+" if akkermansia == "low" else "SIG1+"


def _scored(s: MicrobiomeSample) -> tuple[float, str]:
    """Return the score and how many species of each group were detected."""
    groups = topo_groups()
    present = {g: [n for n in names if s.shares.get(n, 0.0) > 0] for g, names in groups.items()}
    first, second = (len(present[g]) / len(groups[g]) for g in ("SIG1", "SIG2"))
    score = (second - first + 1) / 2
    note = ", ".join(f"{g} {len(present[g])} of {len(groups[g])} species" for g in ("SIG1", "SIG2"))
    return score, note


def _toposcore(study: Study) -> dict[str, Measurement]:
    measurements: dict[str, Measurement] = {}
    for patient, s in _all(study).items():
        method = "Share of SIG2 minus share of SIG1 species present, scaled to 0..1"
        fields = _fields(study, s, method, ("derosa2024",))
        if why := _few(s):
            measurements[patient] = Measurement.not_assessable("toposcore", "1", why, **fields)
            continue
        score, note = _scored(s)
        note += f"; A. muciniphila {_level(_akkermansia_share(s))}"
        measurements[patient] = Measurement(
            "toposcore",
            score,
            "1",
            "measured",
            note=note,
            **fields,  # type: ignore[arg-type]
        )
    return measurements


def _topo_class(study: Study) -> dict[str, Measurement]:
    measurements: dict[str, Measurement] = {}
    for patient, s in _all(study).items():
        fields = _fields(study, s, "Score, and Akkermansia between the thresholds", ("derosa2024",))
        score, note = _scored(s)
        decided = not SIG1_MOST < score < SIG2_LEAST
        if why := _few(s) or ("" if decided else _unclear(s)):
            measurements[patient] = Measurement.not_assessable("toposcore_class", "", why, **fields)
            continue
        topo_class = toposcore_class(score, _level(_akkermansia_share(s)))
        measurements[patient] = Measurement(
            "toposcore_class",
            topo_class,
            "",
            "measured",
            note=f"score {score:.4f}; {note}",
            **fields,  # type: ignore[arg-type]
        )
    return measurements


_LIMITS = "The species detected depend on DNA extraction, sequencing depth and the release of the reference database."
for _name, _title, _unit, _definition, _function, _levels, _thresholds, _references in (
    (
        "microbiome_shannon",
        "Gut diversity (Shannon)",
        "nat",
        "Shannon entropy of species after renormalisation.",
        _diversity("microbiome_shannon", "Shannon's entropy"),
        (),
        "none accepted",
        ("routy2018", "hill1973"),
    ),
    (
        "microbiome_inverse_simpson",
        "Gut diversity (inverse Simpson)",
        "1",
        "Inverse Simpson concentration of species after renormalisation.",
        _diversity("microbiome_inverse_simpson", "Inverse Simpson"),
        (),
        "none accepted",
        ("hill1973",),
    ),
    (
        "akkermansia",
        "Akkermansia muciniphila",
        "fraction",
        "Share of A. muciniphila (SGB9226 included by name).",
        _akkermansia,
        (),
        "0 and 0.04799",
        ("derosa2022",),
    ),
    (
        "akkermansia_level",
        "Akkermansia level",
        "",
        "zero, low or high: only low is associated with longer survival.",
        _akkermansia_level,
        AKKERMANSIA_LEVELS,
        "0 and 0.04799",
        ("derosa2022",),
    ),
    (
        "toposcore",
        "TOPOSCORE",
        "1",
        "((present SIG2 species / 45) - (present SIG1 species / 37) + 1) / 2; SIG1 is associated with resistance, SIG2 "
        "with response.",
        _toposcore,
        (),
        "0.5351 and 0.7911",
        ("derosa2024",),
    ),
    (
        "toposcore_class",
        "TOPOSCORE class",
        "",
        "SIG1+ up to 0.5351, SIG2+ from 0.7911; in between, SIG2+ if A. muciniphila is low, else SIG1+.",
        _topo_class,
        TOPOSCORE_CLASSES,
        "0.5351 and 0.7911",
        ("derosa2024",),
    ),
):
    register(
        Biomarker(
            name=_name,
            title=_title,
            family="microbiome",
            unit=_unit,
            definition=_definition,
            function=_function,
            needs=("microbiome",),
            words=_levels,
            thresholds=_thresholds,
            references=_references,
            limits=_LIMITS,
        )
    )
