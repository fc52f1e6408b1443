"""The references of expression that ship: what they hold, whom they fit, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from tests.script_modules import load_script

from immunescape.errors import InputError
from immunescape.knowledge.references import load_references
from immunescape.profile.assemble import assemble
from immunescape.profile.biomarkers import measure
from immunescape.profile.biomarkers.expression import (
    available_references,
    compare,
    load_reference,
    reference_build,
    shipped_reference,
    signatures,
)
from immunescape.profile.biomarkers.expression.frozen_reference import SHIPPED, histology_class
from immunescape.profile.biomarkers.expression.scoring import smoothed_quantiles
from immunescape.profile.loading import load_study
from immunescape.profile.study import Study, empty_table

CPM, TPM = "log2(CPM + 1)", "log2(TPM + 1)"


def _script() -> ModuleType:
    return load_script("build_expression_references")


def _tumours(n: int, seed: int = 0, histology: str | None = None, noise: float = 1.0, **patient: object) -> Study:
    """Made-up counts around the gene means of the shipped reference with the most genes."""
    statistics = load_reference("tcga-nsclc-cpm-pure").statistics
    rng = np.random.default_rng(seed)
    logs = statistics["mean"].to_numpy()[:, None] + noise * statistics["deviation"].to_numpy()[:, None] * rng.normal(
        size=(len(statistics), n)
    )
    cpm = np.maximum(np.exp2(logs) - 1, 0)
    ids = [f"p{i}" for i in range(n)]
    table = empty_table("samples").reindex(range(n))
    table["sample"] = table["patient"] = ids
    patients = empty_table("patients").reindex(range(n))
    patients["patient"], patients["histology"] = ids, histology
    for column, value in patient.items():
        patients[column] = value
    return Study(
        patients=patients,
        samples=table,
        expression=pd.DataFrame(np.round(cpm * 40), statistics.index, ids),
        expression_unit="counts",
        given={"expression", "patients", "samples"},
    )


def _of(study: Study, *names: str) -> dict[str, dict[str, float | None]]:
    return {n: {p: m.percentile for p, m in found.items()} for n, found in measure(study, names).items()}


def test_references_that_ship_say_what_they_are() -> None:
    keys = load_references()
    for name in ("tcga-nsclc-cpm", "tcga-nsclc-cpm-pure", "tcga-nsclc-tpm"):
        reference = load_reference(name)
        assert available_references()[name] == SHIPPED / name
        assert reference.limits
        assert reference.tissue
        assert set(reference.citation) <= set(keys)
        assert reference.strata["all"] == reference.samples
        grids = reference.quantiles.to_numpy(float)
        assert (np.nan_to_num(np.diff(grids, axis=1), nan=0.0) >= -1e-9).all()
    counts = load_reference("tcga-nsclc-cpm")
    assert counts.strata == {"all": 113, "adenocarcinoma": 49, "squamous": 64}
    assert shipped_reference(CPM).version == counts.version  # type: ignore[union-attr]
    assert shipped_reference(TPM).name == "tcga-nsclc-tpm"  # type: ignore[union-attr]
    assert sum(f.stat().st_size for f in SHIPPED.rglob("*") if f.is_file()) < 400_000


def test_a_reference_holds_no_value_of_a_sample() -> None:
    """Quantiles are weighted means of all order statistics; for a normal sample they are its quantiles."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(1, 60))
    levels = np.array([0.05, 0.5, 0.95])
    made = smoothed_quantiles(values, levels)[0]
    assert not np.isin(np.round(made, 9), np.round(values, 9)).any()
    assert np.allclose(made, np.quantile(values, levels), atol=0.4)
    many = smoothed_quantiles(rng.normal(size=(1, 20000)), levels)[0]
    assert np.allclose(many, [-1.645, 0.0, 1.645], atol=0.04)
    from scipy.stats.mstats import hdquantiles

    assert np.allclose(made, np.asarray(hdquantiles(values[0], levels)), atol=1e-9)


@pytest.mark.parametrize(
    ("word", "stratum"),
    [
        ("Lung Adenocarcinoma", "adenocarcinoma"),
        ("LUAD", "adenocarcinoma"),
        ("LUSC", "squamous"),
        ("Squamous cell carcinoma", "squamous"),
        ("non-squamous", ""),
        ("Lung Adenosquamous Carcinoma", ""),
        ("large cell", ""),
        (None, ""),
    ],
)
def test_histology_words(word: str | None, stratum: str) -> None:
    assert histology_class(word) == stratum


def test_counts_of_a_tumour_get_percentiles_without_a_word_from_the_user() -> None:
    study = _tumours(3, histology="adenocarcinoma")
    found = measure(study, ["signature_b_cell_tls", "expression_CD274", "cell_score_treg", "expression_CGAS"])
    m = found["signature_b_cell_tls"]["p0"]
    assert m.percentile is not None
    assert m.reference.startswith("tcga-nsclc-cpm@")
    assert "49 samples (adenocarcinoma)" in m.note
    assert "95 % interval" in m.note
    treg = found["cell_score_treg"]["p0"]
    assert treg.reference.startswith("tcga-nsclc-cpm-pure@")
    assert "purity" in treg.note
    assert found["expression_CGAS"]["p0"].percentile is None
    unknown = measure(_tumours(3), ["expression_CD274"])["expression_CD274"]["p0"]
    assert "113 samples" in unknown.note


def test_a_percentile_is_the_same_whoever_else_is_in_the_study() -> None:
    names = ("signature_b_cell_tls", "signature_t_cell_inflamed", "cell_score_m2", "expression_B2M")
    together = _of(_tumours(4), *names)
    study = _tumours(4)
    alone = replace(
        study,
        expression=study.expression[["p2"]],
        samples=study.samples[study.samples["sample"] == "p2"].reset_index(drop=True),
        patients=study.patients[study.patients["patient"] == "p2"].reset_index(drop=True),
    )
    for name, found in _of(alone, *names).items():
        assert found["p2"] == pytest.approx(together[name]["p2"], abs=1e-9)


def test_genes_beyond_the_reference_move_no_percentile() -> None:
    """Ranks and counts per million are made over the reference's genes, however many the table holds."""
    names = ("signature_b_cell_tls", "signature_hypoxia", "cell_score_m2", "expression_B2M")
    study = _tumours(2)
    more = pd.DataFrame(5e5, index=[f"XX{i}" for i in range(4000)], columns=study.expression.columns)
    larger = replace(study, expression=pd.concat([study.expression, more]))
    before, after = _of(study, *names), _of(larger, *names)
    for name in names:
        assert after[name]["p0"] == pytest.approx(before[name]["p0"], abs=1e-9)


def test_missing_genes_give_no_percentile_rather_than_another() -> None:
    study = _tumours(2)
    lacking = replace(study, expression=study.expression.drop(index=["CCL5"]))
    m = measure(lacking, ["signature_b_cell_tls", "cell_score_m2"])
    assert m["signature_b_cell_tls"]["p0"].percentile is None
    assert "CCL5" in m["signature_b_cell_tls"]["p0"].note
    assert m["cell_score_m2"]["p0"].percentile is not None
    needed = set(signatures()["signature_hypoxia"].genes)
    others = [g for g in study.expression.index if g not in needed]
    few = replace(study, expression=study.expression.drop(index=others[:2000]))
    m = measure(few, ["signature_hypoxia"])
    assert all(x.percentile is None for x in m["signature_hypoxia"].values())
    assert "95% are needed" in m["signature_hypoxia"]["p0"].note


def test_another_unit_gets_its_own_reference_and_never_that_of_counts() -> None:
    study = _tumours(2)
    tpm = replace(study, expression=study.expression / study.expression.sum() * 1e6, expression_unit="tpm")
    found = measure(tpm, ["expression_CD274", "signature_hypoxia"])
    assert all("tcga-nsclc-cpm" not in m.reference for per in found.values() for m in per.values())
    tpm.expression_reference = load_reference("tcga-nsclc-cpm")
    m = measure(tpm, ["expression_CD274"])["expression_CD274"]["p0"]
    assert m.percentile is None
    assert "CPM" in m.note


def test_a_sample_unlike_the_reference_gets_no_percentile_unless_asked_for() -> None:
    """Values that are shuffled in part stand for another library: the rank correlation with the mean sample falls."""
    study = _tumours(2, noise=3.0)
    m = measure(study, ["expression_B2M"])["expression_B2M"]["p0"]
    assert m.percentile is None
    assert "rank correlation" in m.note
    said = assemble(study).profile.problems
    assert any("2 of 2 samples get no percentile" in p and "immunescape reference build" in p for p in said)
    study.expression_reference = load_reference("tcga-nsclc-cpm")
    m = measure(study, ["expression_B2M"])["expression_B2M"]["p0"]
    assert m.percentile is not None
    assert "doubtful" in m.note


def test_ffpe_is_not_compared_with_fresh_frozen() -> None:
    study = _tumours(2, preservation="FFPE block")
    m = measure(study, ["expression_B2M"])["expression_B2M"]["p0"]
    assert m.percentile is None
    assert "FFPE" in m.note
    same = _tumours(2, preservation="fresh frozen")
    assert measure(same, ["expression_B2M"])["expression_B2M"]["p0"].percentile is not None


def test_a_reference_of_your_own_keeps_histologies_apart(tmp_path: Path) -> None:
    study = _tumours(50)
    study.patients["histology"] = ["adenocarcinoma"] * 25 + ["squamous"] * 25
    study.expression.loc["CD274", [f"p{i}" for i in range(25, 50)]] *= 8
    reference = load_reference(reference_build(study, "own", tmp_path / "own"))
    assert reference.strata == {"all": 50, "adenocarcinoma": 25, "squamous": 25}
    study.expression_reference = reference
    found = _of(study, "expression_CD274")["expression_CD274"]
    for part in (range(25), range(25, 50)):
        assert np.median([found[f"p{i}"] for i in part]) == pytest.approx(50, abs=6)  # type: ignore[arg-type]


def test_calls_appear_with_the_reference_and_not_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(study: Study) -> set[str]:
        states = assemble(study).calls.states
        return {m for m in states if states[m].isin(["present", "absent", "conflicting"]).any()}

    study = _tumours(12, seed=5)
    with_reference = called(study)
    assert {"t_cell_cold", "b_cell_tls_absence", "treg_suppression", "hypoxia_angiogenesis"} <= with_reference
    monkeypatch.setattr("immunescape.profile.biomarkers.expression.comparison.shipped_reference", lambda unit: None)
    assert called(study) == set()


@pytest.mark.slow
def test_a_new_patient_s_percentiles_are_uniform(shared_data: Path, tmp_path: Path) -> None:
    """Built on half of each histology and source, tried on the other half: two-sample Kolmogorov-Smirnov."""
    script = _script()
    pooled = script.pooled_study(shared_data / "expression")
    assert pooled.patients["patient"].is_unique
    assert len(pooled.patients) == 113
    histology = dict(zip(pooled.patients["patient"], pooled.patients["histology"], strict=True))
    owner = dict(zip(pooled.samples["sample"], pooled.samples["patient"], strict=True))
    ids = np.array(pooled.expression.columns)
    group = np.array([f"{histology[owner[s]]} {len(s) > 12}" for s in ids])  # the first source names aliquots
    rng = np.random.default_rng(0)
    chosen = set()
    for word in np.unique(group):
        members = rng.permutation(ids[group == word])
        chosen |= set(members[: (len(members) + 1) // 2])
    halves = []
    for part in ([s for s in ids if s in chosen], [s for s in ids if s not in chosen]):
        samples = pooled.samples[pooled.samples["sample"].isin(part)].reset_index(drop=True)
        patients = pooled.patients[pooled.patients["patient"].isin(samples["patient"])].reset_index(drop=True)
        halves.append(replace(pooled, expression=pooled.expression[list(part)], samples=samples, patients=patients))
    first, second = halves
    assert not set(first.patients["patient"]) & set(second.patients["patient"])
    reference = load_reference(reference_build(first, "half", tmp_path / "half"))
    names = sorted({f for _, f in reference.quantiles.index} - {"similarity"})
    places = []
    for study in (first, second):
        study.expression_reference = reference
        places.append(_of(study, *names))
    assert len(names) >= 25
    p = [ks_2samp(*(list(half[n].values()) for half in places)).pvalue for n in names]
    assert min(p) > 0.05 / len(p)
    values = np.array([v for found in places[1].values() for v in found.values()], dtype=float)
    assert np.mean(values <= 10) == pytest.approx(0.10, abs=0.05)
    assert np.mean(values >= 90) == pytest.approx(0.10, abs=0.05)


@pytest.mark.slow
def test_the_shipped_reference_is_what_the_script_builds(shared_data: Path, tmp_path: Path) -> None:
    script = _script()
    script.SHIPPED = tmp_path
    script.main(shared_data / "expression")
    for place in SHIPPED.glob("*/reference.json"):
        made, kept = load_reference(tmp_path / place.parent.name), load_reference(place.parent)
        assert np.allclose(made.quantiles.to_numpy(float), kept.quantiles.to_numpy(float), rtol=1e-4, equal_nan=True)
        assert list(made.statistics.index) == list(kept.statistics.index)


def test_aliquots_that_are_probably_ffpe_are_told_apart(shared_data: Path) -> None:
    folder = shared_data / "expression"
    sheet = pd.read_csv(folder / "tcga_nsclc_rsem_counts_samples.tsv", sep="\t", keep_default_na=False)
    doubtful = list(sheet[(sheet["tissue"] == "tumour") & (sheet["aliquot_note"] != "")]["sample"])
    table = pd.read_csv(
        folder / "tcga_nsclc_tumour_rsem_counts_n67.tsv.gz", sep="\t", index_col=0, usecols=["gene", *doubtful]
    )
    study = _script().study_of(table, "counts", {s: s for s in table}, dict.fromkeys(table, "adenocarcinoma"), "x")
    places = compare(study, scored=False).places  # type: ignore[union-attr]
    assert sum(bool(p.why_not) for p in places.values()) >= 4
    assert len(places) == 5


def test_gse126044_is_not_like_the_reference(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another library (half of it FFPE): no call by default; named, every percentile says that it is doubtful."""
    monkeypatch.setenv("IMMUNESCAPE_SHARED", str(shared_data.parent))
    study = load_study(Path(__file__).parents[1] / "manifests" / "gse126044.yaml")
    comparison = compare(study)
    assert comparison is not None
    assert all(place.why_not for place in comparison.places.values())
    states = assemble(study).calls.states
    assert not states.isin(["present", "absent", "conflicting"]).any().any()
    study.expression_reference = load_reference("tcga-nsclc-cpm")
    states = assemble(study).calls.states
    assert states.isin(["present", "absent"]).any().sum() >= 10
    assert all("doubtful" in m.note for m in measure(study, ["expression_B2M"])["expression_B2M"].values())


def test_a_name_that_is_no_reference_answers_with_those_that_ship() -> None:
    with pytest.raises(InputError, match="tcga-nsclc-cpm"):
        load_reference("tcga-nsclc-cmp")
