"""Output of quantifiers and single cells, where genes x samples are asked for: what becomes a sample, in which unit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.profile.readers import Partial, get_reader

Profiled = Callable[..., Any]
SALMON = (
    "Name\tLength\tEffectiveLength\tTPM\tNumReads\n{}\t900\t750\t5.5\t40\n{}\t900\t750\t2.5\t20\n{}\t800\t650\t1\t7\n"
)
GENES = SALMON.format("TP53", "STK11", "KEAP1")
KALLISTO = "target_id\tlength\teff_length\test_counts\ttpm\nTP53\t900\t750\t40\t5.5\nSTK11\t900\t750\t20\t2.5\n"
RSEM = (
    "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n"
    "ENSG00000141510.18_TP53\tENST1,ENST2\t900\t750\t40.2\t5.5\t4\nENSG00000118046\tENST3\t900\t750\t20\t2.5\t2\n"
)
GDC = (
    "# gene-model: GENCODE v36\ngene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\t"
    "tpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded\nN_unmapped\t\t\t9\t9\t9\t\t\t\nN_noFeature\t\t\t9\t9\t9\t\t\t\n"
    "ENSG00000141510.18\tTP53\tprotein_coding\t40\t19\t21\t5.5\t4\t4\n"
    "ENSG00000118046.16\tSTK11\tprotein_coding\t20\t11\t9\t2.5\t2\t2\n"
)
STAR = (
    "N_unmapped\t5\t5\t5\nN_multimapping\t6\t6\t6\nN_noFeature\t2\t2\t8\nN_ambiguous\t2\t1\t5\n"
    "ENSG00000141510\t40\t19\t21\nENSG00000118046\t20\t11\t9\n"
)
HTSEQ = "TP53\t40\nSTK11\t20\n__no_feature\t900\n__ambiguous\t7\n"
FEATURE_COUNTS = (
    "# Program:featureCounts v2.0.1\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tout/A.sorted.bam\tout/B.bam\n"
    "TP53\t17\t1\t9\t-\t900\t40\t4\nSTK11\t19\t1\t9\t+\t900\t20\t2\n"
)
STRINGTIE = (
    "Gene ID\tGene Name\tReference\tStrand\tStart\tEnd\tCoverage\tFPKM\tTPM\n"
    "ENSG00000141510\tTP53\t17\t-\t1\t9\t3\t4\t5.5\nENSG00000118046\tSTK11\t19\t+\t1\t9\t2\t2\t2.5\n"
)


def read(text: str, tmp_path: Path, file: str = "x.tsv", name: str = "expression", **options: object) -> Partial:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return get_reader(name)(path, options)


@pytest.mark.parametrize(
    ("text", "file", "options", "unit", "sample", "values"),
    [
        (GENES, "tumour_7/quant.sf", {}, "tpm", "tumour_7", [5.5, 2.5]),
        (GENES, "tumour_7/quant.genes.sf", {"unit": "counts"}, "counts", "tumour_7", [40, 20]),
        (KALLISTO, "tumour_7/abundance.tsv", {}, "tpm", "tumour_7", [5.5, 2.5]),
        (RSEM, "S1.genes.results", {}, "tpm", "S1", [5.5, 2.5]),
        (RSEM, "S1.genes.results", {"unit": "counts"}, "counts", "S1", [40.2, 20]),
        (GDC, "ab-12.rna_seq.augmented_star_gene_counts.tsv", {}, "tpm", "ab-12", [5.5, 2.5]),
        (GDC, "x.tsv", {"unit": "counts", "sample": "S2"}, "counts", "S2", [40, 20]),
        (GDC, "x.tsv", {"strand": "reverse", "sample": "S2"}, "counts", "S2", [21, 9]),
        (STAR, "S3_ReadsPerGene.out.tab", {}, "counts", "S3", [40, 20]),
        (STAR, "S3.ReadsPerGene.out.tab", {"strand": "forward"}, "counts", "S3", [19, 11]),
        (STAR, "S6/ReadsPerGene.out.tab", {}, "counts", "S6", [40, 20]),
        (HTSEQ, "S4.counts.txt", {}, "counts", "S4", [40, 20]),
        (STRINGTIE, "S5_gene_abund.tab", {}, "tpm", "S5", [5.5, 2.5]),
    ],
)
@pytest.mark.parametrize("name", ["expression", "quantification"])
def test_one_quantity_of_one_sample_is_read(
    text: str,
    file: str,
    options: dict[str, str],
    unit: str,
    sample: str,
    values: list[float],
    name: str,
    tmp_path: Path,
) -> None:
    partial = read(text, tmp_path, file, name, **options)
    assert partial.expression is not None
    assert (partial.expression_unit, list(partial.expression.columns)) == (unit, [sample])
    assert partial.expression.loc[["TP53", "STK11"], sample].tolist() == values


def test_feature_counts_holds_several_samples(tmp_path: Path) -> None:
    partial = read(FEATURE_COUNTS, tmp_path)
    assert partial.expression is not None
    assert partial.expression.loc[["TP53", "STK11"]].to_dict("list") == {"A": [40, 20], "B": [4, 2]}


def test_files_of_patients_become_their_patients(profiled: Profiled) -> None:
    made = profiled(
        {
            "a/quant.sf": (GENES, {"format": "quantification", "patient": "P1"}),
            "b/quant.sf": (GENES.replace("5.5", "9"), {"format": "expression", "patient": "P2", "sample": "S2"}),
        }
    )
    assert sorted(made.study.patient_ids) == ["P1", "P2"]
    assert made.study.expression.loc["TP53"].to_dict() == {"a": 5.5, "S2": 9.0}


TRANSCRIPTS = SALMON.format("ENST00000269305.9", "ENST00000326873", "ENST00000413465.6")
GENCODE = SALMON.format(
    "ENST1.1|ENSG00000141510.18|x|TP53|", "ENST2.1|ENSG00000118046.16|x|", "ENST3.1|ENSG00000141510.1|"
)


def test_transcripts_are_summed_up_to_genes_or_refused(profiled: Profiled, tmp_path: Path) -> None:
    entry = {"format": "quantification", "patient": "P1", "sample": "S"}
    with pytest.raises(InputError, match="of 3 transcripts"):
        profiled({"q/quant.sf": (TRANSCRIPTS, entry)})
    map_ = "transcript,gene\nENST00000269305,TP53\nENST00000326873.11,STK11\nENST00000413465,TP53\n"
    made = profiled({"q/quant.sf": (TRANSCRIPTS, {**entry, "tx2gene": "map.csv"}), "map.csv": (map_, {})})
    assert made.study.expression["S"].to_dict() == {"TP53": 6.5, "STK11": 2.5}
    made = profiled({"q/quant.sf": (GENCODE, entry)})
    assert made.study.expression["S"].to_dict() == {"TP53": 6.5, "STK11": 2.5}
    with pytest.raises(InputError, match="tx2gene contains only 33 %"):
        profiled(
            {
                "q/quant.sf": (TRANSCRIPTS, {**entry, "tx2gene": "map.csv"}),
                "map.csv": ("t,g\nENST00000269305,TP53\n", {}),
            }
        )
    with pytest.raises(InputError, match="points outside"):
        profiled({"q/quant.sf": (TRANSCRIPTS, {**entry, "tx2gene": "../map.csv"})})


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (RSEM, {"unit": "log2_tpm1"}, "RSEM gives tpm and counts"),
        (STAR, {"unit": "tpm"}, "STAR gives counts"),
        (GENES, {"strand": "reverse"}, "strand: is for counts of STAR and GDC"),
        (GDC, {"strand": "both"}, "strand"),
        (FEATURE_COUNTS, {"patient": "P"}, "2 samples"),
        ("gene\tcounts\nTP53\t4\n", {"unit": "counts"}, "quantities, not samples"),
        ("gene,TPM,FPKM\nTP53,4,3\n", {"unit": "tpm"}, "quantities, not samples"),
        ("gene,baseMean,log2FoldChange,padj\nTP53,4,3,0.1\n", {"unit": "tpm"}, "quantities, not samples"),
        ("gene,S1_TPM,S1_FPKM,S2_TPM,S2_FPKM\nTP53,4,3,2,1\n", {"unit": "tpm"}, "several quantities"),
        ("gene,S1.tpm,S1.counts\nTP53,4,3\n", {"unit": "tpm"}, "several quantities"),
        ("gene,S1,S2\nTP53,4,3\n", {"unit": "tpm", "patient": "P"}, "genes x samples"),
        (GENES.partition("\n")[0] + "\n", {}, "no row"),
    ],
)
def test_what_is_no_sample_is_refused(text: str, options: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(text, tmp_path, **options)


def test_columns_of_annotation_are_left_out_and_told(tmp_path: Path) -> None:
    partial = read("gene,length,biotype,S1,S2\nTP53,900,x,4,3\nSTK11,800,x,5,6\n", tmp_path, unit="tpm")
    assert partial.expression is not None
    assert list(partial.expression.columns) == ["S1", "S2"]
    assert "length, biotype" in " ".join(partial.problems)


def test_real_output(shared_data: Path) -> None:
    folder = shared_data / "tool_outputs"
    reader = get_reader("quantification")
    gdc = next((folder / "gdc_star").glob("*protein_coding*"))
    partial = reader(gdc, {"sample": "S"})
    assert partial.expression is not None
    assert partial.expression_unit == "tpm"
    assert partial.expression.loc["TSPAN6", "S"] == 16.47
    assert partial.expression.shape == (10944, 1)
    partial = reader(folder / "rsem" / "ERR188021.first4500.genes.results", {"unit": "counts", "sample": "S"})
    assert partial.expression is not None
    assert partial.expression.loc["A1BG", "S"] == 55.0
    with pytest.raises(InputError, match="tx2gene"):
        reader(folder / "salmon" / "ERR188021.quant.first4500.sf", {})


def cells(names: list[str], zeros: float, genes: int = 3) -> str:
    values = (np.random.default_rng(1).random((genes, len(names))) >= zeros).astype(int) * 7
    rows = [f"{g}\t" + "\t".join(map(str, v)) for g, v in zip(("TP53", "STK11", "KEAP1"), values, strict=False)]
    return "gene\t" + "\t".join(names) + "\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize("form", ["{}-1", "{}", "s1_{}-1", "P1:{}x"])
def test_cells_named_by_barcodes_never_become_patients(form: str, tmp_path: Path) -> None:
    letters = np.random.default_rng(2).choice(list("ACGT"), (20, 16))
    names = [form.format("".join(x)) for x in letters]
    if form.endswith("x"):
        names = [n[:-1] for n in names]
    with pytest.raises(InputError, match="single cells, not samples"):
        read(cells(names, 0.5), tmp_path, unit="counts")
    assert read(cells(names, 0.5), tmp_path, unit="counts", bulk=True).expression is not None
    assert read(cells(["TCGA-05-4244", "CAT-1", "S3"], 0.0), tmp_path, unit="counts").expression is not None


def h5ad(folder: Path, obs: dict[str, list[object]], zeros: float, names: list[str], genes: int = 1500) -> Path:
    anndata = pytest.importorskip("anndata", reason="needs the extra 'profile'")
    pandas = pytest.importorskip("pandas")
    from immunescape.profile.genes import gene_table

    generator = np.random.default_rng(3)
    values = np.where(
        generator.random((len(names), genes)) < zeros, 0.0, generator.integers(1, 90, (len(names), genes))
    )
    table = anndata.AnnData(values, obs=pandas.DataFrame(obs, index=names))
    table.var_names = sorted(gene_table().symbols)[:genes]
    table.write_h5ad(folder / "x.h5ad")
    return folder / "x.h5ad"


NUMBERED = [f"c{i}" for i in range(40)]


@pytest.mark.parametrize(
    ("obs", "zeros", "names", "message"),
    [
        ({"leiden": list("01" * 20)}, 0.2, NUMBERED, "leiden"),
        ({"n_genes_by_counts": list(range(40))}, 0.2, NUMBERED, "n_genes_by_counts"),
        ({"donor_id": ["a", "b"] * 20}, 0.2, NUMBERED, "40 observations of 2 in 'donor_id'"),
        ({}, 0.93, NUMBERED, "93 % of the values"),
        ({}, 0.2, ["ACGTACGTACGTACG" + x + "-1" for x in "ACGT"], "barcodes"),
    ],
)
def test_an_h5ad_of_cells_points_to_single_cells(
    obs: dict[str, list[object]], zeros: float, names: list[str], message: str, tmp_path: Path
) -> None:
    path = h5ad(tmp_path, obs, zeros, names)
    with pytest.raises(InputError, match=message) as caught:
        get_reader("h5ad")(path, {"unit": "counts"})
    assert "format: single_cells" in str(caught.value)
    assert get_reader("h5ad")(path, {"unit": "counts", "bulk": True}).expression is not None


def test_an_h5ad_of_bulk_samples_is_read(tmp_path: Path) -> None:
    path = h5ad(tmp_path, {"patient": NUMBERED, "histology": ["luad"] * 40}, 0.3, NUMBERED)
    partial = get_reader("h5ad")(path, {"unit": "counts"})
    assert partial.expression is not None
    assert partial.expression.shape == (1500, 40)


def test_the_arrays_of_an_h5ad_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = h5ad(tmp_path, {}, 0.3, NUMBERED)
    monkeypatch.setenv("IMMUNESCAPE_LARGEST_FILE", "100000")
    with pytest.raises(InputError, match="IMMUNESCAPE_LARGEST_FILE"):
        get_reader("h5ad")(path, {"unit": "counts"})
