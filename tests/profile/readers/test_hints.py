"""What an error advises can be done: its options exist for that format, and a mapping that it asks for is taken."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from test_fuzz import SEEDS

import immunescape.profile.readers as readers
from immunescape.errors import InputError
from immunescape.profile.loading import load_study
from immunescape.profile.readers import Partial, all_readers
from immunescape.profile.readers._advice import GENERAL, OPTION_NAMES, options_in

FOLDER = Path(readers.__file__).parent
NO_TABLES = {
    "biom",
    "cbioportal",
    "fhir",
    "geo_series_matrix",
    "h5ad",
    "phenopackets",
    "single_cells",
    "space_anndata",
    "space_parquet",
    "vcf",
}
TABLES = sorted(set(SEEDS) - NO_TABLES)
CELLS = ("x",)
MOST = 5
"""Columns of a wide seed that are tried."""


def read(name: str, text: str, folder: Path, options: dict[str, Any]) -> Partial:
    path = folder / f"x.{'csv' if ',' in text.splitlines()[-1] and chr(9) not in text else 'tsv'}"
    path.write_text(text)
    return all_readers()[name](path, options)


def parts(text: str) -> tuple[list[str], str, int]:
    """Lines, separator, and the line of the header."""
    lines = text.splitlines()
    head = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return lines, "\t" if "\t" in lines[head] else ",", head


def renamed(text: str, column: int, name: str) -> tuple[str, str]:
    lines, sep, head = parts(text)
    cells = lines[head].split(sep)
    old, cells[column] = cells[column], name
    return "\n".join([*lines[:head], sep.join(cells), *lines[head + 1 :]]) + "\n", old


def columns(text: str) -> int:
    lines, sep, head = parts(text)
    return len(lines[head].split(sep))


def accepted(name: str) -> set[str]:
    return set(all_readers()[name].options) | (set() if name in NO_TABLES else set(GENERAL))


def hint_of(name: str, text: str, folder: Path, options: dict[str, Any]) -> str:
    """Return what the error advises, or ''."""
    try:
        read(name, text, folder, dict(options))
    except InputError as error:
        return f"{error.message}\n{error.hint or ''}"
    return ""


def hints_of_source(path: Path) -> list[str]:
    """Every hint that a module can write; what is filled in stands as X."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            found.append(
                "".join(
                    "X" if isinstance(p, ast.FormattedValue) else str(p.value)
                    for j in ast.walk(node.value)
                    for p in (j.values if isinstance(j, ast.JoinedStr) else [j] if isinstance(j, ast.Constant) else [])
                    if isinstance(p, ast.FormattedValue | ast.Constant)
                )
            )
    return found


def test_every_option_that_readers_know_is_one_that_hints_are_checked_for() -> None:
    known = {o for r in all_readers().values() for o in r.options} | set(GENERAL)
    assert OPTION_NAMES <= known
    assert known - OPTION_NAMES <= {"genome_build", "pass_only", "taxa", "rank", "site", "body_site"} | known


@pytest.mark.parametrize("module", sorted(p.stem for p in FOLDER.glob("*.py")))
def test_no_hint_in_the_source_names_an_option_that_no_format_has(module: str) -> None:
    known = {o for r in all_readers().values() for o in r.options} | set(GENERAL)
    own = [r for r in all_readers().values() if r.function.__module__.endswith(f".{module}")]
    options = {o for r in own for o in (*r.options, *GENERAL)} if own else known
    for hint in hints_of_source(FOLDER / f"{module}.py"):
        assert set(options_in(hint)) <= options, hint


@pytest.mark.parametrize("name", sorted(set(SEEDS) - {"h5ad", "single_cells", "space_anndata", "space_parquet"}))
def test_every_hint_that_a_format_gives_can_be_followed(name: str, tmp_path: Path) -> None:
    """Each column is renamed and dropped, each cell of the first row replaced: no advice names a missing option."""
    text, options = SEEDS[name]
    cases = [text[: len(text) // 2], "", "x"]
    if name in TABLES:
        lines, sep, head = parts(text)
        row = next((i for i in range(head + 1, len(lines))), head)
        for column in range(min(columns(text), MOST)):
            cases.append(renamed(text, column, "zz_9")[0])
            for cell in CELLS:
                cells = lines[row].split(sep)
                if column < len(cells):
                    cells[column] = cell
                    cases.append("\n".join([*lines[:row], sep.join(cells), *lines[row + 1 :]]) + "\n")
    else:
        cases += [re.sub(r"\d+", word, text) for word in ("x", "-5", "1e9")]
        cases += [text.replace(word, "zz_9") for word in set(re.findall(r"[A-Za-z_]{4,}", text))]
    hints = [h for case in cases if (h := hint_of(name, case or " ", tmp_path, options))]
    hints += [h for case in cases[:8] if (h := hint_of(name, case or " ", tmp_path, {}))]
    assert hints or name not in TABLES
    assert [h for h in hints if not set(options_in(h.partition("\n")[2])) <= accepted(name)] == []


OTHER_WORDS = ("cna", "expression", "species_table", "metaphlan", "cna_allele_specific")
"""Wide tables, whose columns are samples or species; and one that is read in two ways, by its columns."""


@pytest.mark.parametrize("name", [n for n in TABLES if n not in OTHER_WORDS])
def test_a_column_of_any_name_can_be_named(name: str, tmp_path: Path) -> None:
    """A renamed column that is missed is named with the option of the hint, and the file is read as before."""
    text, options = SEEDS[name]
    before = read(name, text, tmp_path, dict(options)).tables
    for column in range(min(columns(text), MOST)):
        other, old = renamed(text, column, "zz_9")
        hint = hint_of(name, other, tmp_path, options)
        advised = re.search(r"columns: \{([^:]+): (\S+)\}", hint)
        if advised is None:
            continue
        wanted = old if re.search(rf"\b{re.escape(old)}\b", hint.split("\n")[0]) else advised.group(1)
        given = dict(options) | {"columns": dict(options.get("columns") or {}) | {wanted: "zz_9"}}
        after = read(name, other, tmp_path, given).tables
        for kind, table in before.items():
            shared = [c for c in table.columns if c in after[kind].columns]
            assert after[kind][shared].to_csv() == table[shared].to_csv(), (name, old)


def test_names_that_are_no_columns_are_refused_with_the_nearest(tmp_path: Path) -> None:
    text, _ = SEEDS["maf"]
    with pytest.raises(InputError, match="Hugo_Symbol"):
        read("maf", text, tmp_path, {"columns": {"Hugo_Symbol": "Hugo_Symbl"}})
    with pytest.raises(InputError, match="Hugo_Symbol"):
        read("maf", text, tmp_path, {"columns": {"Hugo_Symbl": "Hugo_Symbol"}})
    with pytest.raises(InputError, match="not a mapping"):
        read("maf", text, tmp_path, {"columns": "Hugo_Symbol"})
    with pytest.raises(InputError, match="Variant_Classification"):
        read("maf", text, tmp_path, {"values": {"Variant_Clasification": {"a": "b"}}})


def test_words_of_a_maf_are_translated(tmp_path: Path) -> None:
    word = "Nonsense_Mutation"
    odd = "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\nSTK11\tS1\thurts\n"
    with pytest.raises(InputError, match=r"values: \{classification: \{'hurts': "):
        read("maf", odd, tmp_path, {})
    for key in ("classification", "Variant_Classification"):
        out = read("maf", odd, tmp_path, {"values": {key: {"hurts": word}}})
        assert word in set(out.tables["mutations"]["classification"])


@pytest.mark.parametrize("name", ["fhir", "phenopackets", "biom", "geo_series_matrix"])
def test_formats_without_columns_take_no_names_of_columns(name: str, tmp_path: Path) -> None:
    text, options = SEEDS[name]
    if "columns" in all_readers()[name].options:
        return
    with pytest.raises(InputError, match="unknown option"):
        read(name, text, tmp_path, dict(options) | {"columns": {"a": "b"}})


def test_hints_of_a_study_folder_speak_of_the_command_line(tmp_path: Path) -> None:
    head = "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tt_vaf\n"
    (tmp_path / "data_clinical_patient.txt").write_text("PATIENT_ID\nP1\n")
    (tmp_path / "data_clinical_sample.txt").write_text("PATIENT_ID\tSAMPLE_ID\nP1\tS1\n")
    (tmp_path / "data_mutations.txt").write_text(head + "TP53\tS1\tSilent\t0.3\n")
    with pytest.raises(InputError, match="--unit vaf=fraction"):
        load_study(tmp_path)
    assert load_study(tmp_path, {"vaf": "fraction"}).mutations["vaf"].tolist() == [0.3]
    (tmp_path / "data_mutations.txt").write_text(head.replace("Hugo_Symbol", "G") + "TP53\tS1\tSilent\t0.3\n")
    with pytest.raises(InputError) as refused:
        load_study(tmp_path, {"vaf": "fraction"})
    assert "columns:" not in str(refused.value)
    assert "Correct the file" in str(refused.value)
