"""Single cells and cells in space: files of made-up tissue with known truth in, biomarkers and calls out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.sparse import csr_matrix
from scipy.stats import binomtest

from immunescape.api.profiles import ProfiledStudy, profile_study
from immunescape.errors import InputError
from immunescape.profile.biomarkers.single_cells import binomial_interval
from immunescape.profile.biomarkers.space import lymphoid_structures
from immunescape.profile.readers._cells import micrometres
from immunescape.profile.readers.single_cells import value_kind

GENES = ["TCF7", "CXCR5", "TOX", "ENTPD1", "HAVCR2", "CXCL9", "SPP1", "HLA-A", "HLA-B", "HLA-C", "B2M", "GAPDH"]


def _study(folder: Path, **entry: Any) -> ProfiledStudy:
    patients = folder / "patients.csv"
    if not patients.exists():
        patients.write_text("patient\nP1\nP2\n")
    files = [{"file": "patients.csv", "format": "patients"}, entry]
    (folder / "manifest.yaml").write_text(yaml.safe_dump({"study": "made-up", "files": files}))
    return profile_study(folder)


def _h5ad(path: Path, form: str = "counts") -> None:
    """P1: 200 CD8, 140 exhausted, 20 progenitor, no B cells; P2: 120 CD8, 2 exhausted, 60 progenitor, 80 B cells."""
    anndata = pytest.importorskip("anndata", reason="needs the extra 'profile' (anndata)")
    rng = np.random.default_rng(0)
    rows: list[tuple[str, str, list[str]]] = []

    def add(patient: str, kind: str, number: int, *genes: str) -> None:
        rows.extend((patient, kind, list(genes)) for _ in range(number))

    add("P1", "CD8 T", 140, "HAVCR2", "TOX")
    add("P1", "CD8 T", 20, "TCF7")
    add("P1", "CD8 T", 40)
    add("P1", "CD4 T", 300)
    add("P1", "Treg", 60)
    add("P1", "Macrophage", 60, "SPP1")
    add("P1", "Malignant", 100)
    add("P2", "CD8 T", 2, "HAVCR2", "ENTPD1")
    add("P2", "CD8 T", 60, "CXCR5")
    add("P2", "CD8 T", 58)
    add("P2", "CD4 T", 100)
    add("P2", "B", 80)
    add("P2", "Macrophage", 20, "CXCL9")
    add("P2", "Malignant", 10)
    counts = np.zeros((len(rows), len(GENES)))
    for i, (_, kind, genes) in enumerate(rows):
        for gene in genes:
            counts[i, GENES.index(gene)] = 2
        for gene in ("HLA-A", "HLA-B", "HLA-C", "B2M"):
            counts[i, GENES.index(gene)] = 5 if kind == "Malignant" else 40
        counts[i, GENES.index("GAPDH")] = 400 - counts[i].sum()
    obs = pd.DataFrame({"donor_id": [r[0] for r in rows], "leiden": [r[1] for r in rows]})
    obs.index = [f"CELL{i}-1" for i in range(len(rows))]
    obs = obs.astype("category")
    if form == "log1p":
        values = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    elif form == "scaled":
        values = (counts - counts.mean(axis=0)) / (counts.std(axis=0) + 1)
    else:
        values = counts
    order = rng.permutation(len(rows))
    matrix = values[order].astype(np.float32)
    if form == "sparse":  # as scanpy writes it
        matrix = csr_matrix(matrix)
    data = anndata.AnnData(matrix, obs.iloc[order], pd.DataFrame(index=GENES))
    if form == "scaled":
        data.layers["counts"] = counts[order].astype(np.float32)
    data.write_h5ad(path)


ENTRY = {"file": "cells.h5ad", "format": "single_cells", "columns": {"cell_type": "leiden"}}


@pytest.mark.parametrize("form", ["counts", "sparse", "log1p"])
def test_cells_become_fractions_of_patients(tmp_path: Path, form: str) -> None:
    _h5ad(tmp_path / "cells.h5ad", form)
    done = _study(tmp_path, **ENTRY, types={"B": "b"})
    assert list(done.patients) == ["P1", "P2"]
    one, two = done.patients["P1"].biomarkers, done.patients["P2"].biomarkers
    m = one["sc_cd8_exhausted"]
    assert m.value == pytest.approx(140 / 200)
    exact = binomtest(140, 200).proportion_ci()
    assert (m.low, m.high) == (pytest.approx(exact.low), pytest.approx(exact.high))
    assert "140 of 200" in m.note
    assert one["sc_cd8_progenitor"].value == pytest.approx(0.1)
    assert two["sc_cd8_progenitor"].value == pytest.approx(0.5)
    assert one["sc_treg_of_t"].value == pytest.approx(60 / 560)
    assert one["sc_tam_spp1"].value == 1.0
    assert two["sc_tam_spp1"].value is None  # 20 macrophages
    assert "too few" in two["sc_tam_spp1"].note
    assert one["sc_b_plasma_of_immune"].value == 0.0  # the file tells B cells apart, and this patient has none
    assert two["sc_b_plasma_of_immune"].value == pytest.approx(80 / 320)
    assert "apart" in one["sc_mdsc_of_immune"].note
    assert one["sc_tumour_mhc1"].value == pytest.approx(-3.0, abs=0.1)  # 5 of 400 against 40 of 400
    assert two["sc_tumour_mhc1"].value is None
    calls = done.calls
    assert calls.loc["P1", "t_cell_exhaustion"] == "present"
    assert calls.loc["P2", "t_cell_exhaustion"] == "absent"
    assert calls.loc["P1", "b_cell_tls_absence"] == "present"
    assert calls.loc["P2", "b_cell_tls_absence"] == "absent"
    assert any("single cells are read as" in p for p in done.done.profile.problems)


def test_a_patient_s_fractions_do_not_depend_on_other_patients(tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="needs the extra 'profile' (anndata)")
    _h5ad(tmp_path / "cells.h5ad")
    both = _study(tmp_path, **ENTRY, types={"B": "b"}).patients["P1"].biomarkers
    data = anndata.read_h5ad(tmp_path / "cells.h5ad")
    data[data.obs["donor_id"] == "P1"].copy().write_h5ad(tmp_path / "cells.h5ad")
    alone = _study(tmp_path, **ENTRY, types={"B": "b"}).patients["P1"].biomarkers
    for name in both:
        if name.startswith("sc_"):
            assert alone[name].value == both[name].value


def test_labels_of_states_and_clusters_are_mapped_by_the_manifest(tmp_path: Path) -> None:
    _h5ad(tmp_path / "cells.h5ad")
    done = _study(tmp_path, **ENTRY, types={"Malignant": "cd8/exhausted", "B": "b"})
    m = done.patients["P1"].biomarkers["sc_cd8_exhausted"]
    assert m.value == pytest.approx(100 / 300)  # named states stand; genes are not asked
    with pytest.raises(InputError, match=r"state of cd8 'exausted'|exhausted"):
        _study(tmp_path, **ENTRY, types={"Malignant": "cd8/exausted"})
    with pytest.raises(InputError, match="macrophage"):
        _study(tmp_path, **ENTRY, types={"Malignant": "macrofage"})


def test_scaled_values_are_refused_and_the_layer_is_read(tmp_path: Path) -> None:
    _h5ad(tmp_path / "cells.h5ad", "scaled")
    with pytest.raises(InputError, match="scaled") as refused:
        _study(tmp_path, **ENTRY)
    assert "layer: counts" in str(refused.value)
    done = _study(tmp_path, **ENTRY, layer="counts")
    assert done.patients["P1"].biomarkers["sc_cd8_exhausted"].value == pytest.approx(0.7)


def test_cells_without_a_patient_column_never_become_patients(tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="needs the extra 'profile' (anndata)")
    _h5ad(tmp_path / "cells.h5ad")
    data = anndata.read_h5ad(tmp_path / "cells.h5ad")
    data.obs = data.obs.rename(columns={"donor_id": "who"})
    data.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(InputError, match="gives the patient") as refused:
        _study(tmp_path, **ENTRY)
    assert "who" in str(refused.value)
    done = _study(tmp_path, **{**ENTRY, "columns": {"patient": "who", "cell_type": "leiden"}})
    assert set(done.patients) == {"P1", "P2"}


def test_values_that_tell_neither_counts_nor_logs_are_asked_for() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="neither raw counts nor log1p"):
        value_kind(rng.random((50, 20)), None, "x.h5ad", [])
    with pytest.raises(InputError, match="not whole"):
        value_kind(rng.random((50, 20)), "counts", "x.h5ad", [])
    assert value_kind(rng.poisson(3, (50, 20)), None, "x.h5ad", []) == "counts"


def test_selected_cells_give_no_share_of_immune_cells(tmp_path: Path) -> None:
    rows = ["patient,sample,cell_type,state,cells,selection"]
    rows += [f"P1,S1,{t},,{n},CD3+" for t, n in (("CD8 T cells", 900), ("CD4", 600), ("B cells", 2))]
    (tmp_path / "counts.csv").write_text("\n".join(rows) + "\n")
    found = _study(tmp_path, file="counts.csv", format="cell_counts").patients["P1"].biomarkers
    assert "CD3+" in found["sc_cd8_of_immune"].note
    assert found["sc_cd8_of_immune"].value is None
    assert found["sc_b_plasma_of_immune"].value is None
    (tmp_path / "counts.csv").write_text("patient,sample,cell_type,cells\nP1,S1,cd8,0.4\n")
    with pytest.raises(InputError, match="not a number of cells"):
        _study(tmp_path, file="counts.csv", format="cell_counts")


def test_the_binomial_interval_is_exact() -> None:
    for hits, of in ((0, 50), (3, 80), (80, 80)):
        exact = binomtest(hits, of).proportion_ci(method="exact")
        assert binomial_interval(hits, of) == (pytest.approx(exact.low), pytest.approx(exact.high))


def _tissue(cd8_tumour: int, cd8_stroma: int, structures: int = 0, seed: int = 0) -> pd.DataFrame:
    """1 mm2 of tumour (x below 1000) and 1 mm2 of stroma, 2000 um x 1000 um, with cells of known number."""
    rng = np.random.default_rng(seed)

    def place(number: int, left: float, right: float, kind: str) -> pd.DataFrame:
        xy = np.column_stack([rng.uniform(left, right, number), rng.uniform(0, 1000, number)])
        return pd.DataFrame(xy, columns=["x", "y"]).assign(cell_type=kind)

    parts = [
        place(4000, 0, 1000, "tumour"),
        place(3000, 1000, 2000, "fibroblast"),
        place(cd8_tumour, 0, 1000, "cd8"),
        place(cd8_stroma, 1000, 2000, "cd8"),
        place(60, 0, 2000, "cd4"),
        place(40, 0, 2000, "b"),
    ]
    for k in range(structures):
        centre = np.array([1300.0 + 300 * k, 500.0])
        for kind, number in (("b", 150), ("cd4", 60)):
            xy = centre + rng.normal(0, 30, (number, 2))
            parts.append(pd.DataFrame(xy, columns=["x", "y"]).assign(cell_type=kind))
    frame = pd.concat(parts, ignore_index=True)
    frame["pdl1"] = (frame["cell_type"] == "tumour") & (frame["x"] < 500)
    return frame


def _space(folder: Path, cells: pd.DataFrame, unit: str | None = "um", **more: Any) -> ProfiledStudy:
    cells.assign(patient="P1", sample="S1").to_csv(folder / "cells.csv", index=False)
    units = {} if unit is None else {"units": {"x": unit}}
    return _study(folder, file="cells.csv", format="cells_in_space", **units, **more)


@pytest.mark.parametrize(
    ("tumour", "stroma", "word", "cold", "exclusion"),
    [
        (600, 300, "inflamed", "absent", "absent"),
        (30, 600, "excluded", "not_assessable", "present"),
        (20, 25, "desert", "present", "not_assessable"),
    ],
)
def test_immune_phenotypes_of_made_up_tissue(
    tmp_path: Path, tumour: int, stroma: int, word: str, cold: str, exclusion: str
) -> None:
    done = _space(tmp_path, _tissue(tumour, stroma))
    found = done.patients["P1"].biomarkers
    assert found["immune_phenotype"].value == word
    assert "mm2 examined" in found["immune_phenotype"].note
    density = found["space_cd8_density_tumour"]
    assert density.value == pytest.approx(tumour, rel=0.25)
    assert density.unit == "1/mm2"
    assert density.low < tumour < density.high  # type: ignore[operator]
    assert done.calls.loc["P1", "t_cell_cold"] == cold
    assert done.calls.loc["P1", "tgfb_stromal_exclusion"] == exclusion


def test_a_density_about_the_limit_leaves_the_phenotype_open(tmp_path: Path) -> None:
    m = _space(tmp_path, _tissue(100, 400)).patients["P1"].biomarkers["immune_phenotype"]
    assert m.value is None
    assert "include the threshold" in m.note


def test_given_compartments_are_used(tmp_path: Path) -> None:
    cells = _tissue(300, 300)
    cells["compartment"] = np.where(cells["x"] < 500, "tumour", "stroma")
    found = _space(tmp_path, cells).patients["P1"].biomarkers["space_cd8_density_tumour"]
    assert "0.50 mm2 of tumour" in found.note
    assert "as given" in found.note


def test_distances_equal_those_by_hand(tmp_path: Path) -> None:
    cells = _tissue(300, 300)
    found = _space(tmp_path, cells).patients["P1"].biomarkers
    xy = cells[["x", "y"]].to_numpy()
    cd8 = xy[cells["cell_type"] == "cd8"]
    for name, mask in (("tumour", cells["cell_type"] == "tumour"), ("pdl1", cells["pdl1"])):
        apart = np.sqrt(((cd8[:, None] - xy[mask.to_numpy()][None]) ** 2).sum(axis=2)).min(axis=1)
        assert found[f"space_cd8_{name}_distance"].value == pytest.approx(np.median(apart), rel=1e-6)
    assert found["space_cd8_tumour_distance"].unit == "um"


def test_lymphoid_structures_are_counted(tmp_path: Path) -> None:
    two = _space(tmp_path, _tissue(300, 300, structures=2))
    m = two.patients["P1"].biomarkers["space_tls_density"]
    assert m.note.startswith("2 structures")
    assert two.calls.loc["P1", "b_cell_tls_absence"] == "absent"
    none = _space(tmp_path, _tissue(300, 300))
    assert none.patients["P1"].biomarkers["space_tls_density"].value == 0.0
    assert none.calls.loc["P1", "b_cell_tls_absence"] == "present"
    small = _tissue(300, 300)
    small = small[(small["x"] > 700) & (small["x"] < 1300)]
    few = _space(tmp_path, small)
    assert few.patients["P1"].biomarkers["space_tls_density"].value is None
    assert few.calls.loc["P1", "b_cell_tls_absence"] == "not_assessable"


def test_a_structure_needs_t_cells_and_enough_b_cells() -> None:
    rng = np.random.default_rng(1)
    ball = rng.normal(0, 25, (120, 2))
    assert lymphoid_structures(ball, rng.normal(0, 25, (40, 2))) != ()
    assert lymphoid_structures(ball, np.empty((0, 2))) == ()
    assert lymphoid_structures(ball, rng.normal(2000, 25, (40, 2))) == ()
    assert lymphoid_structures(ball[:40], rng.normal(0, 25, (40, 2))) == ()
    assert lymphoid_structures(rng.uniform(0, 5000, (400, 2)), rng.uniform(0, 5000, (400, 2))) == ()


def test_pixels_are_told_from_micrometres(tmp_path: Path) -> None:
    cells = _tissue(300, 300)
    pixels = cells.assign(x=cells["x"] / 0.5, y=cells["y"] / 0.5)
    right = _space(tmp_path, cells).patients["P1"].biomarkers
    again = _space(tmp_path, pixels, "0.5 um/pixel").patients["P1"].biomarkers
    for name in ("space_cd8_tumour_distance", "space_cd8_density_tumour", "space_tls_density"):
        assert again[name].value == pytest.approx(right[name].value, rel=1e-6)
    with pytest.raises(InputError, match="unit of the coordinates is not declared"):
        _space(tmp_path, cells, None)
    with pytest.raises(InputError, match="Pixels require their size"):
        _space(tmp_path, pixels, "pixel")
    for wrong in (
        cells.assign(x=cells["x"] / 1000, y=cells["y"] / 1000),
        cells.assign(x=cells["x"] * 50, y=cells["y"] * 50),
    ):
        with pytest.raises(InputError, match="nearest neighbour"):
            _space(tmp_path, wrong, "um")
    assert micrometres("0.2125 µm per px", "x") == pytest.approx(0.2125)


def test_cell_types_are_known_words_or_mapped(tmp_path: Path) -> None:
    cells = _tissue(300, 300)
    cells["cell_type"] = cells["cell_type"].replace({"cd8": "Tc"})
    with pytest.raises(InputError, match="cell type 'Tc'"):
        _space(tmp_path, cells)
    done = _space(tmp_path, cells, values={"cell_type": {"Tc": "cd8"}})
    assert done.patients["P1"].biomarkers["immune_phenotype"].value == "inflamed"


def test_no_cd8_label_is_no_desert(tmp_path: Path) -> None:
    cells = _tissue(300, 300)
    cells = cells[~cells["cell_type"].isin(["cd8", "cd4"])]
    done = _space(tmp_path, cells)
    assert done.calls.loc["P1", "t_cell_cold"] == "not_assessable"
    assert "not examined" in done.patients["P1"].biomarkers["immune_phenotype"].note


def test_anndata_and_parquet_give_what_csv_gives(tmp_path: Path) -> None:
    cells = _tissue(300, 300, structures=1)
    right = _space(tmp_path, cells).patients["P1"].biomarkers
    names = [n for n in right if n.startswith("space_") or n == "immune_phenotype"]
    cells.assign(patient="P1", sample="S1").to_parquet(tmp_path / "cells.parquet")
    other = _study(tmp_path, file="cells.parquet", format="space_parquet", units={"x": "um"})
    assert {n: other.patients["P1"].biomarkers[n].value for n in names} == {n: right[n].value for n in names}
    anndata = pytest.importorskip("anndata", reason="needs the extra 'profile' (anndata)")
    obs = cells.drop(columns=["x", "y"]).assign(patient="P1", sample="S1").set_index(cells.index.astype(str))
    data = anndata.AnnData(np.zeros((len(cells), 1), dtype=np.float32), obs, pd.DataFrame(index=["CD8A"]))
    data.obsm["spatial"] = cells[["x", "y"]].to_numpy()
    data.write_h5ad(tmp_path / "space.h5ad")
    again = _study(tmp_path, file="space.h5ad", format="space_anndata", units={"x": "um"})
    assert {n: again.patients["P1"].biomarkers[n].value for n in names} == {n: right[n].value for n in names}


def test_regions_lie_apart(tmp_path: Path) -> None:
    cells = _tissue(300, 300)
    both = pd.concat([cells.assign(region="1"), cells.assign(region="2", x=cells["x"] + 0.001)])
    found = _space(tmp_path, both).patients["P1"].biomarkers
    single = _space(tmp_path, cells.assign(region="1")).patients["P1"].biomarkers
    assert found["space_cd8_density_tumour"].value == pytest.approx(single["space_cd8_density_tumour"].value, rel=1e-2)
    assert found["space_cd8_tumour_distance"].value == pytest.approx(
        single["space_cd8_tumour_distance"].value, rel=1e-2
    )
