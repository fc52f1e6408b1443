"""Rows as read -> rows of the study: types, terms, units, impossible values."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from immunescape.errors import InputError, unknown_word
from immunescape.profile.body_sites import GUT, body_site, looks_like
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._bounds import bounds_as_categories
from immunescape.profile.readers._cells import finish_cell_counts, finish_cells_in_space
from immunescape.profile.readers._consequence import classifications
from immunescape.profile.readers._text import number_column, rows_of
from immunescape.profile.readers._units import convert_labs, vaf_fraction
from immunescape.profile.receptor_loci import B_CELL_LOCI, T_CELL_LOCI, is_class_two, receptor_locus
from immunescape.profile.study import COLUMNS
from immunescape.units import MONTHS_PER

__all__ = [
    "BUILDS",
    "CLASSES",
    "canonical_build",
    "chromosome_name",
    "event_value",
    "finish",
    "longest",
    "recist_category",
    "truth_column",
]

BUILDS = {
    "grch37": "GRCh37",
    "hg19": "GRCh37",
    "37": "GRCh37",
    "b37": "GRCh37",
    "hs37d5": "GRCh37",
    "grch38": "GRCh38",
    "hg38": "GRCh38",
    "38": "GRCh38",
}
CLASSES = (
    "Missense_Mutation",
    "Nonsense_Mutation",
    "Nonstop_Mutation",
    "Silent",
    "Splice_Site",
    "Splice_Region",
    "Translation_Start_Site",
    "Frame_Shift_Del",
    "Frame_Shift_Ins",
    "In_Frame_Del",
    "In_Frame_Ins",
    "De_novo_Start_InFrame",
    "De_novo_Start_OutOfFrame",
    "Start_Codon_SNP",
    "3'UTR",
    "5'UTR",
    "3'Flank",
    "5'Flank",
    "Intron",
    "IGR",
    "RNA",
    "Targeted_Region",
    "Fusion",
    "Unknown",
)
"""Variant classifications of the MAF specification."""

_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0", "detected", "positive", "clonal", "germline", "lost", "loh"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0", "not detected", "negative", "subclonal", "somatic", "kept"})
_MEGA = {
    "GRCh37": "249.3 243.2 198.1 191.2 181.0 171.2 159.2 146.4 141.3 135.6 135.1 133.9 115.2 107.4 102.6 90.4 81.2 "
    "78.1 59.2 63.1 48.2 51.4 155.3 59.4",
    "GRCh38": "249.0 242.2 198.3 190.3 181.6 170.9 159.4 145.2 138.4 133.8 135.1 133.3 114.4 107.1 102.0 90.4 83.3 "
    "80.4 58.7 64.5 46.8 50.9 156.1 57.3",
}
_CHROMS = [*(str(i) for i in range(1, 23)), "X", "Y"]
LENGTHS = {
    b: {c: (float(m) + 0.05) * 1e6 for c, m in zip(_CHROMS, text.split(), strict=True)} for b, text in _MEGA.items()
}
"""Upper bound of each chromosome's length (bases; rounded up), from GRCh37 and GRCh38."""

_RECIST = {"CR": "CR", "PR": "PR", "SD": "SD", "PD": "PD", "NE": "NE", "NA": "NE"}
_RECIST |= {"COMPLETE RESPONSE": "CR", "PARTIAL RESPONSE": "PR", "STABLE DISEASE": "SD", "PROGRESSIVE DISEASE": "PD"}
_RECIST |= {"COMPLETE REMISSION": "CR", "PARTIAL REMISSION": "PR", "PROGRESSION": "PD", "PROGRESSIVE": "PD"}
_RECIST |= {"PROGRESSION OF DISEASE": "PD", "CLINICAL PROGRESSION": "PD", "CLINICAL PROGRESSIVE DISEASE": "PD"}
_RECIST |= {"INEVALUABLE": "NE", "UNEVALUABLE": "NE", "NOT EVALUATED": "NE", "UNABLE TO EVALUATE": "NE", "IRPD": "PD"}
_RECIST |= {
    "NOT EVALUABLE": "NE",
    "NON-CR/NON-PD": "SD",
    "NON CR/NON PD": "SD",
    "IRPR": "PR",
    "IRCR": "CR",
    "IRSD": "SD",
}
_EVENTS = {"living": 0.0, "alive": 0.0, "censored": 0.0, "not progressed": 0.0, "diseasefree": 0.0}
_EVENTS |= {"deceased": 1.0, "dead": 1.0, "died": 1.0, "progressed": 1.0, "progression": 1.0, "event": 1.0}
_EVENTS |= {"recurred/progressed": 1.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def recist_category(text: object) -> str | None:
    """Return the RECIST category of a term (``Partial Response``, ``cPR``, ``Stable disease (SD)``), or None."""
    if not isinstance(text, str):
        return None
    response = re.sub(r"[\s_]+", " ", text).strip().upper()
    if response in _RECIST:
        return _RECIST[response]
    code = re.fullmatch(r"(?:I|IR|C|U)?(CR|PR|SD|PD|NE)", response) or re.search(
        r"[(\[](CR|PR|SD|PD|NE)[)\]]$", response
    )
    code = code or re.match(r"(CR|PR|SD|PD|NE)\s*[-:–]\s", response)
    return code.group(1) if code else None


def event_value(text: object) -> float | None:
    """Return 1 for an event (``1:DECEASED``), 0 for censored (``LIVING``), or None for any other term."""
    if not isinstance(text, str):
        return None
    head = text.partition(":")[0].strip()
    if head in ("0", "1", "0.0", "1.0"):
        return float(head)
    return _EVENTS.get(text.strip().casefold())


def canonical_build(text: str, where: str) -> str:
    """Return ``GRCh37`` or ``GRCh38`` for any spelling of it.

    Raises
    ------
    InputError
        For any other genome.
    """
    build = BUILDS.get(text.strip().casefold().partition(".")[0])
    if build is None:
        raise unknown_word("genome build", text, ("GRCh37", "GRCh38", "hg19", "hg38"), where=where)
    return build


def truth_column(values: pd.Series, file: str, name: str) -> pd.Series:
    """Convert yes/no terms to True, False or None."""

    def truth_of(line: object, value: object) -> bool | None:
        if value is None or value != value:
            return None
        if isinstance(value, bool | np.bool_):
            return bool(value)
        entry = str(value).strip().casefold()
        if entry in _TRUE:
            return True
        if entry in _FALSE:
            return False
        raise InputError(
            f"'{str(value)[:40]}' in the column '{name}' is neither yes nor no", where=f"{file}, line {line}"
        )

    return pd.Series([truth_of(i, v) for i, v in values.items()], index=values.index, dtype=object)


def _events(values: pd.Series, file: str, name: str) -> pd.Series:
    """Read ``1:DECEASED``, ``LIVING``, ``1``; 1 is an event, 0 censored."""

    def event_of(value: object) -> object:
        event = event_value(value)
        return value if event is None else event

    numbers = number_column(values.map(event_of), file, name)
    bad = numbers.notna() & ~numbers.isin((0.0, 1.0))
    if bad.any():
        line = numbers.index[bad][0]
        raise InputError(
            f"'{values[line]}' in '{name}' is not an event code",
            where=f"{file}, line {line}",
            hint="Use 1 for an event and 0 for censored, or map your terms with values: in the manifest.",
        )
    return numbers


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    return None if value is None or value != value else str(value)


def _texts(values: pd.Series) -> np.ndarray:
    codes, texts = pd.factorize(values)
    if all(isinstance(w, str) for w in texts):
        return np.array([*map(_text, texts), None], dtype=object)[codes]
    return np.array([*map(_text, values.tolist()), None], dtype=object)[:-1]


def _types(kind: str, frame: pd.DataFrame, file: str) -> pd.DataFrame:
    columns = {}
    for name, kind_of in COLUMNS[kind].items():
        if name not in frame.columns:
            values: pd.Series = pd.Series([np.nan if kind_of == "n" else None] * len(frame), index=frame.index)
            columns[name] = values.astype(float if kind_of == "n" else object)
            continue
        values = frame[name]
        if name.endswith("_event"):
            columns[name] = _events(values, file, name)
        elif kind_of == "n":
            columns[name] = number_column(values, file, name)
        elif kind_of == "o":
            columns[name] = truth_column(values, file, name)
        else:
            columns[name] = pd.Series(_texts(values), index=values.index, dtype=object)
    extra = {c: frame[c] for c in frame.columns if c not in columns}
    return pd.DataFrame(columns | extra, index=frame.index)


def _need_ids(kind: str, frame: pd.DataFrame, file: str) -> None:
    key = "sample" if kind == "samples" else "patient"
    either = frame["patient"].notna() if "patient" in frame else frame[key].notna()
    if "sample" in frame.columns and kind not in ("patients",):
        either = either | frame["sample"].notna()
    if kind == "samples":
        either = frame["sample"].notna()
    if not either.all():
        raise InputError(
            f"the {key} is missing", where=f"{file}, line {frame.index[~either][0]}", hint="Every row needs one."
        )


def _range(frame: pd.DataFrame, name: str, low: float, high: float, file: str, unit: str) -> None:
    bad = (frame[name] < low) | (frame[name] > high)
    if bad.any():
        line = frame.index[bad][0]
        raise InputError(
            f"{name} is {frame.loc[line, name]:g}; the possible range is {low:g} to {high:g} {unit}".rstrip(),
            where=f"{file}, line {line}",
            hint="Correct the row, or declare the unit in the manifest.",
        )


def _positions(frame: pd.DataFrame, build: str, file: str) -> None:
    """Reject positions outside their chromosome; if the build is not known, outside that of both builds."""
    limits = frame["chrom"].map(longest(build))
    lowest = 0 if "end" in frame else 1  # segments may count from 0
    for column in ("start", "end"):
        if column not in frame:
            continue
        bad = (frame[column] > limits) | (frame[column] < lowest)
        if bad.any():
            line = frame.index[bad][0]
            raise InputError(
                f"position {frame.loc[line, column]:,.0f} lies outside chromosome {frame.loc[line, 'chrom']} "
                f"of {build or 'GRCh37 and GRCh38'}",
                where=f"{file}, line {line}",
                hint="Is it another genome build? Set genome_build in the manifest.",
            )


def longest(build: str) -> dict[str, float]:
    """Return the length of each chromosome in a build; where it is not known, the larger of both."""
    if build in LENGTHS:
        return LENGTHS[build]
    return {c: max(lengths[c] for lengths in LENGTHS.values()) for c in _CHROMS}


def _copies(frame: pd.DataFrame, file: str, problems: list[str]) -> pd.DataFrame:
    for name in ("total_cn", "minor_cn", "copy_number", "low", "high"):
        if name not in frame or not (frame[name] < 0).any():
            continue
        low = frame[name] < 0
        problems.append(
            f"{file}: {int(low.sum())} negative {name} (lowest {frame[name].min():g}) set to 0: a caller's estimate of "
            "no copies"
        )
        frame.loc[low, name] = 0.0
    return frame


def finish(
    kind: str,
    frame: pd.DataFrame,
    file: str,
    problems: list[str],
    units: Mapping[str, str] | None = None,
    build: str = "",
) -> pd.DataFrame:
    """Convert rows as read to the study's columns, types, terms and units.

    Parameters
    ----------
    kind
        Table of the study.
    frame
        Rows; index = line in the file; cells are text, numbers or None.
    file
        Name of the file, for messages.
    problems
        Receives what was changed or inferred.
    units
        Column or analyte -> declared unit.
    build
        Genome build, to check positions against.

    Raises
    ------
    InputError
        Naming file, line and value of an impossible entry.
    """
    if not frame.index.is_unique:  # several rows of the study from one line of the file
        turn = pd.Series(frame.index).groupby(frame.index.to_numpy()).cumcount().to_numpy()
        finished = [
            finish(kind, frame.iloc[turn == t], file, problems, units, build) for t in range(int(turn.max()) + 1)
        ]
        problems[:] = list(dict.fromkeys(problems))
        return pd.concat(finished)
    units = dict(units or {})
    frame = bounds_as_categories(kind, frame, file, problems)
    out = _types(kind, frame, file)
    _need_ids(kind, out, file)
    if "gene" in out and kind in ("mutations", "copy_number", "neoantigens"):
        out["gene"] = _genes(out["gene"], file, problems)
    for column in ("gene1", "gene2"):
        if column in out:
            out[column] = pd.Series(to_symbols(out[column]), index=out.index, dtype=object)
    if "chrom" in out:
        out["chrom"] = out["chrom"].map(chromosome_name)
        _positions(out, build, file)
    if kind == "mutations":
        out["classification"] = classifications(out, CLASSES, file, problems)
    if kind in ("mutations", "neoantigens"):
        out["vaf"] = vaf_fraction(out["vaf"], units.get("vaf"), file, problems)
        out["ccf"] = out["ccf"].clip(upper=1.0) if bool((out["ccf"] <= 1.5).all()) else out["ccf"]
        _range(out, "ccf", 0.0, 1.0, file, "(fraction of cancer cells)")
    if kind == "mutations" and bool((out["vaf"] == 0).any()):
        none = out["vaf"] == 0
        problems.append(
            f"{file}: {int(none.sum())} variants have a VAF of 0 and are left out, as absent from the tumour "
            f"(lines {rows_of(out, none)})"
        )
        out = out[~none]
    if kind in ("copy_number", "segments", "hla_loh"):
        out = _copies(out, file, problems)
    special = _SPECIAL.get(kind)
    return special(out, file, problems, units) if special else out


def _genes(values: pd.Series, file: str, problems: list[str]) -> pd.Series:
    symbols = pd.Series(to_symbols(values), index=values.index, dtype=object)
    lost = symbols.isna() & values.notna()
    if lost.any():
        line = symbols.index[lost][0]
        problems.append(
            f"{file}: {int(lost.sum())} rows have a gene identifier that is not in the gene table (first: "
            f"'{values[line]}', line {line}) and are not assigned to any gene, so that an altered gene may appear "
            "unaltered: use HGNC symbols"
        )
    return symbols


def chromosome_name(value: object) -> object:
    """Return a chromosome as 1 to 22, X, Y or MT, however it is spelt; other text is unchanged."""
    if not isinstance(value, str):
        return value
    chromosome = re.sub(r"^chr", "", value.strip(), flags=re.IGNORECASE).removesuffix(".0").upper()
    return {"23": "X", "24": "Y", "M": "MT"}.get(chromosome, chromosome)


def _months(out: pd.DataFrame, file: str, units: Mapping[str, str]) -> None:
    for name in ("os_months", "pfs_months"):
        unit = units.get(name, "months")
        factor = MONTHS_PER.get(unit)
        if factor is None:
            raise unknown_word(f"unit of {name}", unit, ("months", "days", "weeks", "years"), where=file)
        out[name] = out[name] * factor
        _range(out, name, 0.0, 600.0, file, "months")


def _sex(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {"f": "female", "m": "male", "woman": "female", "man": "male"}.get(value.casefold(), value.casefold())


def _recist(values: pd.Series, file: str) -> pd.Series:
    def category_of(line: object, value: object) -> object:
        if not isinstance(value, str):
            return None
        category = recist_category(value)
        if category is None:
            raise unknown_word("RECIST response", value, ("CR", "PR", "SD", "PD", "NE"), where=f"{file}, line {line}")
        return category

    return pd.Series([category_of(i, v) for i, v in values.items()], index=values.index, dtype=object)


def _patients(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    _months(out, file, units)
    _range(out, "age", 0.0, 120.0, file, "years")
    _range(out, "ecog", 0.0, 5.0, file, "")
    out["sex"] = out["sex"].map(_sex)
    out["best_response"] = _recist(out["best_response"], file)
    return out


def _samples(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    purity = out["tumour_purity"]
    unit = units.get("tumour_purity")
    if bool((purity > 1).any()) and unit is None:
        problems.append(f"{file}: tumour_purity is read as percent, because values reach {purity.max():g}")
        unit = "percent"
    if unit == "percent":
        out["tumour_purity"] = purity / 100.0
    _range(out, "tumour_purity", 0.0, 1.0, file, "(fraction)")
    _range(out, "tmb", 0.0, 5000.0, file, "mutations per Mb")
    return out


def _labs(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    from immunescape.profile.readers._units import canonical_analyte

    if units:
        named = {canonical_analyte(a): u for a, u in units.items()}
        declared = out["analyte"].map(lambda a: named.get(canonical_analyte(a)) if isinstance(a, str) else None)
        out["unit"] = out["unit"].where(out["unit"].notna(), declared)
    if (out["analyte"].isna()).any():
        raise InputError("the analyte is missing", where=f"{file}, line {out.index[out['analyte'].isna()][0]}")
    out = convert_labs(out, file, problems)
    negative = out["value"] < 0
    if negative.any():
        line = out.index[negative][0]
        raise InputError(f"{out.loc[line, 'analyte']} is negative", where=f"{file}, line {line}")
    return out


def _pdl1(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    out["score"] = out["score"].map(lambda s: s.casefold() if isinstance(s, str) else s)
    if units.get("value_percent") == "fraction":
        out["value_percent"] = out["value_percent"] * 100.0
    _range(out, "value_percent", 0.0, 100.0 if not bool((out["score"] == "cps").all()) else 1e4, file, "percent")
    positive = out["value_percent"][out["value_percent"] > 0]
    between = bool((positive < 1.0).any())  # pathologists report whole percents
    if "value_percent" not in units and (len(positive) >= 5 or between) and bool((positive <= 1.0).all()):
        raise InputError(
            (
                f"all {len(positive)} positive PD-L1 values are"
                if len(positive) > 1
                else "the one positive PD-L1 value is"
            )
            + " at most 1: percent or fraction?",
            where=f"{file}, line {positive.index[0]}",
            hint="Declare it in the manifest: units: {value_percent: fraction} or units: {value_percent: percent}",
        )
    return out


def _unlike_stool(out: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the samples that are declared as stool but have the genera of another site, and why."""
    stool = out[(out["site"] == GUT) & (out["rank"].isna() | (out["rank"] == "species")) & (out["abundance"] > 0)]
    problems_of_rows = []
    for name, rows in stool.groupby(stool["sample"].fillna(stool["patient"]), sort=False):
        names = rows["taxon"].map(lambda t: re.sub(r"^[a-z]__", "", str(t)))
        site, why = looks_like(dict(zip(names, rows["abundance"].astype(float), strict=True)))
        if site:
            problems_of_rows.append((str(name), why))
    return problems_of_rows[:5]


def _microbiome(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    negative = out["abundance"] < 0
    if negative.any():
        raise InputError("negative abundance", where=f"{file}, line {out.index[negative][0]}")
    sites = {w: body_site(w, file) for w in out["site"].dropna().unique()}
    out["site"] = out["site"].map(lambda w: sites.get(w))
    bare = out[out["site"].isna() & (out["rank"].isna() | (out["rank"] == "species")) & (out["abundance"] > 0)]
    strange: list[str] = []
    names: list[str] = []
    for name, rows in bare.groupby(bare["sample"].fillna(bare["patient"]), sort=False):
        shares: dict[str, float] = {}
        for taxon, share in zip(rows["taxon"], rows["abundance"], strict=True):
            shares[re.sub(r"^[a-z]__", "", str(taxon))] = float(share)
        site, why = looks_like(shares)
        (strange if site else names).append(f"{name}: {why}" if site else str(name))
    for name, why in _unlike_stool(out):
        problems.append(f"{file}: {name} is declared as stool, but {why}: check the site")
    if strange:
        problems.append(
            f"{file}: {len(strange)} samples are not treated as stool: {'; '.join(strange[:3])}. Set site: in the "
            "manifest (stool, oral, lung, skin) to declare their site"
        )
    if names:
        problems.append(f"{file}: no body site is given; {len(names)} samples are treated as stool (set site: stool)")
    return out


def _tcr(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    loci = {w: receptor_locus(w) for w in out["locus"].dropna().unique()}
    for gene_name, locus in loci.items():
        if locus is None:
            line = out.index[out["locus"] == gene_name][0]
            raise unknown_word("locus", str(gene_name), (*T_CELL_LOCI, *B_CELL_LOCI), where=f"{file}, line {line}")
    out["locus"] = out["locus"].map(lambda w: loci.get(w))
    if others := int(out["locus"].isin(B_CELL_LOCI).sum()):
        problems.append(f"{file}: {others} rows are B-cell receptors and are not counted")
    if bare := int(out["locus"].isna().sum()):
        problems.append(f"{file}: no locus is given in {bare} rows; they are assumed to be TRB")
    return out


def _neoantigens(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    if second := sum(map(is_class_two, out["allele"])):
        problems.append(
            f"{file}: {second} peptides bind class II alleles and are not counted, as the load refers to class I"
        )
    return out


def _ctdna(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    declared = units.get("value")
    if declared:
        out["unit"] = out["unit"].where(out["unit"].notna(), declared)
    measured = out["value"].notna() & out["unit"].isna()
    if measured.any():
        raise InputError(
            "ctDNA value without unit",
            where=f"{file}, line {out.index[measured][0]}",
            hint="Add a unit column (VAF fraction, VAF percent, MTM/mL), or units: {value: ...} in the manifest.",
        )
    percent = out["unit"].map(lambda u: isinstance(u, str) and u.casefold().strip() in ("%", "vaf percent", "percent"))
    out.loc[percent, ["value", "lod"]] = out.loc[percent, ["value", "lod"]] / 100.0
    fraction = out["unit"].map(
        lambda u: isinstance(u, str) and u.casefold().strip() in ("fraction", "vaf fraction", "vaf")
    )
    out.loc[percent | fraction, "unit"] = "vaf_fraction"
    wrong = (percent | fraction) & ((out["value"] > 1) | (out["value"] < 0))
    if wrong.any():
        raise InputError("a VAF outside 0..1", where=f"{file}, line {out.index[wrong][0]}", hint="Check its unit.")
    unknown = out["detected"].isna() & out["value"].notna()
    limit = out["lod"].fillna(0.0)
    out.loc[unknown, "detected"] = ((out["value"] > 0) & (out["value"] >= limit))[unknown].astype(object)
    return out


def _responses(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    out["recist"] = _recist(out["recist"], file)
    unit = units.get("sld_mm", "mm")
    if unit not in ("mm", "cm"):
        raise unknown_word("unit of sld_mm", unit, ("mm", "cm"), where=file)
    out["sld_mm"] = out["sld_mm"] * (10.0 if unit == "cm" else 1.0)
    _range(out, "sld_mm", 0.0, 2000.0, file, "mm")
    return out


def _treatments(out: pd.DataFrame, file: str, problems: list[str], units: Mapping[str, str]) -> pd.DataFrame:
    wrong = out["end_day"] < out["start_day"]
    if wrong.any():
        raise InputError("a treatment ends before it starts", where=f"{file}, line {out.index[wrong][0]}")
    return out


_SPECIAL = {
    "patients": _patients,
    "samples": _samples,
    "labs": _labs,
    "pdl1": _pdl1,
    "microbiome": _microbiome,
    "tcr": _tcr,
    "neoantigens": _neoantigens,
    "ctdna": _ctdna,
    "responses": _responses,
    "treatments": _treatments,
    "cell_counts": finish_cell_counts,
    "cells_in_space": finish_cells_in_space,
}
