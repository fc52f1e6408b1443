"""Gene-set scores against R GSVA, and the expression biomarkers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.references import load_references
from immunescape.profile.biomarkers import biomarkers, measure
from immunescape.profile.biomarkers.expression import (
    load_reference,
    mean_rank,
    mean_score,
    reference_build,
    signatures,
    ssgsea,
    zscore,
)
from immunescape.profile.biomarkers.expression.signatures import GENES
from immunescape.profile.genes import gene_table
from immunescape.profile.loading import load_study
from immunescape.profile.study import Study

ORACLES = Path(__file__).parents[2] / "oracles"


def _sets(genes: list[str]) -> dict[str, list[str]]:
    return {
        "first": genes[:20],
        "last": genes[280:],
        "spread": genes[::13],
        "pair": [genes[4], genes[149]],
        "large": genes[:200],
        "one": [genes[76]],
        "reversed": genes[39:60][::-1],
        "unknown": [*genes[9:15], "NOT_A_GENE"],
    }


@pytest.mark.parametrize("alpha", [0.25, 1.0])
def test_ssgsea_equals_r_gsva_with_ties(alpha: float) -> None:
    x = pd.read_csv(ORACLES / "gsva_expression.csv", index_col=0)
    frozen = pd.read_csv(ORACLES / "gsva_scores.csv")
    frozen = frozen[frozen["alpha"] == alpha].set_index("set").drop(columns="alpha")
    ours = ssgsea(x, _sets(list(x.index)), alpha)
    assert len(frozen) == 8
    assert np.abs(ours.loc[frozen.index] - frozen).max().max() < 1e-9


def _running_sum(column: np.ndarray, inside: np.ndarray, alpha: float) -> float:
    """Walk down the list gene by gene, as Barbie 2009 defines the score."""
    rank = pd.Series(column).rank().to_numpy().astype(int)
    order = sorted(range(len(column)), key=lambda i: (-column[i], i))
    weight = sum(rank[i] ** alpha for i in order if inside[i])
    hit = miss = total = 0.0
    for i in order:
        hit += rank[i] ** alpha / weight if inside[i] else 0.0
        miss += 0.0 if inside[i] else 1.0 / (len(column) - inside.sum())
        total += hit - miss
    return total


def test_ssgsea_equals_its_definition() -> None:
    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.poisson(2, (60, 5)).astype(float), index=[f"g{i}" for i in range(60)])
    chosen = ["g3", "g17", "g40", "g59"]
    inside = np.isin(x.index, chosen)
    ours = ssgsea(x, {"s": chosen}).loc["s"]
    for j in x.columns:
        assert ours[j] == pytest.approx(_running_sum(x[j].to_numpy(), inside, 0.25), abs=1e-9)


def test_a_score_does_not_depend_on_the_batch() -> None:
    x = pd.read_csv(ORACLES / "gsva_expression.csv", index_col=0)
    sets = _sets(list(x.index))
    for function in (ssgsea, mean_rank, mean_score):
        whole = function(x, sets)
        alone = pd.concat([function(x[[s]], sets) for s in x.columns], axis=1)
        assert np.allclose(whole, alone, rtol=0, atol=1e-12, equal_nan=True)
    mean, deviation = x.mean(axis=1), x.std(axis=1)
    whole = zscore(x, sets, mean, deviation)
    alone = pd.concat([zscore(x[[s]], sets, mean, deviation) for s in x.columns], axis=1)
    assert np.allclose(whole, alone)


def test_signatures_have_sources_and_current_symbols() -> None:
    keys = load_references()
    for signature in signatures().values():
        assert signature.source == "assumed" or signature.source in keys
        assert (signature.grade == "assumed") == (signature.source == "assumed")
        assert set(signature.genes) <= gene_table().symbols
        assert set(signature.references) <= set(keys)
    assert len(signatures()["signature_t_cell_inflamed"].genes) == 18
    assert {
        f"cell_score_{c}" for c in "cd8 cd4 treg nk b macrophage m2 neutrophil mdsc dendritic fibroblast".split()
    } <= set(signatures())


def _study(samples: int, genes: int = 5500, unit: str = "tpm", seed: int = 0) -> Study:
    names = sorted(gene_table().symbols)
    needed = sorted({g for s in signatures().values() for g in s.genes} | set(GENES))
    rest = [n for n in names if n not in set(needed)]
    names = (needed + rest)[:genes]
    rng = np.random.default_rng(seed)
    x = rng.lognormal(0, 2, (len(names), samples))
    if unit == "tpm":
        x = x / x.sum(axis=0) * 1e6
    ids = [f"p{i}" for i in range(samples)]
    table = Study().samples.reindex(range(samples))
    table["sample"] = table["patient"] = ids
    return Study(
        patients=pd.DataFrame({"patient": ids}),
        samples=table,
        expression=pd.DataFrame(x, index=names, columns=ids),
        expression_unit=unit,  # type: ignore[arg-type]
        given={"expression", "patients", "samples"},
        sources={"expression": ("x.tsv",)},
    )


_NAMES = [n for n in biomarkers() if n.startswith(("signature_", "cell_score_", "expression_"))]


def test_every_signature_of_a_whole_transcriptome_is_measured() -> None:
    found = measure(_study(3), _NAMES)
    assert len(_NAMES) > 45
    for name, per_patient in found.items():
        for m in per_patient.values():
            assert m.status == "measured", (name, m.note)
            assert m.percentile is None
            assert m.coverage == 1.0
    one = measure(_study(1), _NAMES)
    for name in _NAMES:
        assert one[name]["p0"].status == "measured"


def test_missing_genes_are_not_assessable() -> None:
    study = _study(2)
    study.expression = study.expression.drop(index=["GZMA", "CD274", "CCL2", "CCL3", "CCL4"])
    found = measure(
        study, ["signature_cytolytic", "expression_CD274", "signature_b_cell_tls", "signature_t_cell_inflamed"]
    )
    assert found["signature_cytolytic"]["p0"].status == "not_assessable"
    assert "GZMA" in found["signature_cytolytic"]["p0"].note
    assert "CD274 is not in" in found["expression_CD274"]["p0"].note
    assert found["signature_b_cell_tls"]["p0"].coverage == pytest.approx(9 / 12)
    assert found["signature_b_cell_tls"]["p0"].status == "not_assessable"
    assert found["signature_t_cell_inflamed"]["p0"].status == "measured"
    assert found["signature_t_cell_inflamed"]["p0"].coverage == pytest.approx(17 / 18)


def test_a_small_panel_gives_no_ranks() -> None:
    found = measure(_study(2, genes=700), ["signature_hypoxia", "cell_score_cd8"])
    assert "5000" in found["signature_hypoxia"]["p0"].note
    assert found["cell_score_cd8"]["p0"].status == "measured"
    counts = measure(_study(2, genes=700, unit="counts"), ["cell_score_cd8"])
    assert counts["cell_score_cd8"]["p0"].status == "not_assessable"


def test_reference_gives_percentiles_that_do_not_move(tmp_path: Path) -> None:
    built = reference_build(_study(40, seed=7), "lung", tmp_path / "lung")
    reference = load_reference(built)
    study = _study(5, seed=8)
    study.expression_reference = reference
    five = measure(study, ["cell_score_cd8", "signature_hypoxia"])
    alone = _study(5, seed=8)
    alone.expression = alone.expression[["p2"]]
    alone.samples = alone.samples[alone.samples["sample"] == "p2"]
    alone.patients = alone.patients[alone.patients["patient"] == "p2"]
    alone.expression_reference = reference
    one = measure(alone, ["cell_score_cd8", "signature_hypoxia"])
    for name in five:
        a, b = five[name]["p2"], one[name]["p2"]
        assert a.percentile == pytest.approx(b.percentile, rel=1e-9)
        assert a.percentile is not None
        assert 0 <= a.percentile <= 100
        assert a.reference == reference.label
        assert a.value == pytest.approx(b.value, rel=1e-12)
    logs = np.log2(_study(40, seed=7).expression + 1)
    z = reference.zscores(logs)
    assert abs(float(z.loc["cell_score_cd8"].mean())) < 1e-6
    assert (
        reference_build(_study(40, seed=7), "lung", tmp_path / "again").joinpath("reference.json").read_text()
        == (built / "reference.json").read_text()
    )


def test_a_reference_in_another_unit_gives_no_percentile(tmp_path: Path) -> None:
    reference = load_reference(reference_build(_study(20, unit="counts"), "counts", tmp_path / "c"))
    study = _study(2)
    study.expression_reference = reference
    m = measure(study, ["cell_score_cd8"])["cell_score_cd8"]["p0"]
    assert m.percentile is None
    assert "CPM" in m.note


def test_a_changed_reference_is_refused(tmp_path: Path) -> None:
    built = reference_build(_study(20), "x", tmp_path / "x")
    with (built / "quantiles.csv").open("a") as file:
        file.write("more," + ",".join("0" * 101) + "\n")
    with pytest.raises(InputError, match="changed after it was built"):
        load_reference(built)
    with pytest.raises(InputError, match="unknown reference"):
        load_reference(tmp_path / "none")
    with pytest.raises(InputError, match="too few"):
        reference_build(_study(5), "y", tmp_path / "y")
    with pytest.raises(InputError, match="not a valid name"):
        reference_build(_study(20), "../y")


def test_gse126044(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real counts: everything is scored; the T cell scores are higher in the 5 responders of 16."""
    monkeypatch.setenv("IMMUNESCAPE_SHARED", str(shared_data.parent))
    study = load_study(Path(__file__).parents[1] / "manifests" / "gse126044.yaml")
    found = measure(study, _NAMES)
    assert all(m.status == "measured" for per in found.values() for m in per.values())
    responder = (study.patients["response"] == "responder").to_numpy()
    for name in ("signature_t_cell_inflamed", "cell_score_cd8", "signature_cytolytic"):
        values = np.array([float(found[name][p].value) for p in study.patient_ids])  # type: ignore[arg-type]
        pairs = np.subtract.outer(values[responder], values[~responder])
        assert ((pairs > 0) + 0.5 * (pairs == 0)).mean() > 0.6
