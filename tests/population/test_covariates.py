"""Marginals and dependencies against the sources named in the tables, and against patient-level data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.references import load_references
from immunescape.knowledge.tables import parse_rows, read_rows
from immunescape.population.covariates import (
    COLUMNS,
    DRIVERS,
    LEVELS,
    body_surface_area,
    creatinine_clearance,
    sample_covariates,
)
from immunescape.population.tables import ConditionalTable

N = 8192


@pytest.fixture(scope="module")
def western() -> pd.DataFrame:
    return sample_covariates(0, N, seed=1)


@pytest.fixture(scope="module")
def east_asian() -> pd.DataFrame:
    return sample_covariates(0, N, seed=1, region="east_asian")


def tps_shares(tps: pd.Series) -> tuple[float, float, float]:
    return float((tps < 1).mean()), float(tps.between(1, 49).mean()), float((tps >= 50).mean())


def test_columns_levels_and_ranges(western):
    assert list(western.columns) == list(COLUMNS)
    assert not western.isna().any().any()
    for column, levels in LEVELS.items():
        assert set(western[column]) <= set(levels)
    assert western.age.between(18, 90).all()
    assert western.pdl1_tps.between(0, 100).all()
    assert (western.pdl1_tps == western.pdl1_tps.round()).all()
    assert western.n_target_lesions.between(1, 5).all()
    assert (western.n_lesions >= western.n_target_lesions).all()
    assert (western.sld_mm >= 10 * western.n_target_lesions).all()
    assert western.weight_kg.between(25, 200).all()
    assert not western.loc[western.stage == "III", ["liver_mets", "brain_mets"]].any().any()
    assert not (western.kras & (western.driver != "none")).any()
    assert not (western.kras_g12c & ~western.kras).any()


def test_a_patient_depends_only_on_seed_stream_and_number(western):
    pd.testing.assert_frame_equal(sample_covariates(1000, 77, seed=1), western.iloc[1000:1077], check_exact=True)
    assert not sample_covariates(0, 10, seed=1, stream=1).age.equals(western.age.iloc[:10])


# Prevalences: (what, value in the source, tolerance = sampling error of the source and of ours).
def test_pdl1_prevalence_matches_trials(western):
    nonsquamous = western[(western.histology == "nonsquamous") & ~western.driver.isin(["EGFR", "ALK"])]
    # KEYNOTE-189, 578 evaluable patients without EGFR or ALK: 33, 32, 35 %
    np.testing.assert_allclose(tps_shares(nonsquamous.pdl1_tps), (0.33, 0.32, 0.35), atol=0.03)
    # KEYNOTE-407: 63 % at or above 1 %, 26 % at or above 50 %
    squamous = western[western.histology == "squamous"]
    assert tps_shares(squamous.pdl1_tps)[2] == pytest.approx(0.26, abs=0.03)
    assert 1 - tps_shares(squamous.pdl1_tps)[0] == pytest.approx(0.63, abs=0.04)
    # all: screened for KEYNOTE-001, -010 and -024; real-world 27 % at or above 50 % without EGFR or ALK (EXPRESS)
    below, middle, above = tps_shares(western.pdl1_tps)
    assert below == pytest.approx(0.33, abs=0.05)
    assert middle == pytest.approx(0.38, abs=0.06)
    assert 0.26 <= above <= 0.33
    # within 1-49 % and 50-100 %: medians 10 and 80 in chowell2022 and shim2020 pooled
    assert western.pdl1_tps[western.pdl1_tps.between(1, 49)].median() == pytest.approx(10, abs=4)
    assert western.pdl1_tps[western.pdl1_tps >= 50].median() == pytest.approx(80, abs=8)


def test_pdl1_is_lower_with_stk11_and_egfr_higher_with_kras(western):
    plain = western[(western.histology == "nonsquamous") & (western.driver == "none")]
    by_stk11 = plain.groupby("stk11").pdl1_tps.mean()
    assert by_stk11[True] < 0.65 * by_stk11[False]
    by_kras = plain.groupby("kras").pdl1_tps.mean()
    assert by_kras[True] > by_kras[False]
    # the shift keeps the shares of the group
    np.testing.assert_allclose(tps_shares(plain.pdl1_tps), (0.33, 0.32, 0.35), atol=0.02)
    assert western[western.driver == "EGFR"].pdl1_tps.mean() < plain.pdl1_tps.mean()


def test_driver_prevalence_matches_cohorts(western, east_asian):
    nonsquamous = western[western.histology == "nonsquamous"]
    share = nonsquamous.driver.value_counts(normalize=True)
    # barlesi2016 (17664 patients): EGFR 11, ALK 5, BRAF 2, HER2 1 %; KRAS 29 %
    assert share["EGFR"] == pytest.approx(0.11, abs=0.02)
    assert share["ALK"] == pytest.approx(0.05, abs=0.015)
    assert share["BRAF"] == pytest.approx(0.02, abs=0.01)
    assert share["HER2"] == pytest.approx(0.02, abs=0.01)
    assert nonsquamous.kras.mean() == pytest.approx(0.29, abs=0.03)
    # frampton2015: MET exon 14 3 %; bergethon2012: ROS1 1.7 %; lipson2012: RET 1-2 %
    assert share["MET"] == pytest.approx(0.03, abs=0.01)
    assert share["ROS1"] == pytest.approx(0.017, abs=0.007)
    assert share["RET"] == pytest.approx(0.015, abs=0.007)
    # lim2023: G12C in 10-13 % of Western, 1.4-4.3 % of Asian nonsquamous tumours
    assert 0.10 <= nonsquamous.kras_g12c.mean() <= 0.14
    asian = east_asian[east_asian.histology == "nonsquamous"]
    assert 0.01 <= asian.kras_g12c.mean() <= 0.05
    # shi2014: 51.4 % EGFR in Asian adenocarcinoma
    assert (asian.driver == "EGFR").mean() == pytest.approx(0.514, abs=0.05)
    assert (western.driver.isin(DRIVERS)).mean() < 0.25


def test_stk11_and_keap1_match_the_cohort(western):
    # rizvi2018, nonsquamous: STK11 52 of 206 (US, many smokers), KEAP1 47 of 206, KEAP1 given STK11 46 %
    nonsquamous = western[western.histology == "nonsquamous"]
    assert nonsquamous.stk11.mean() == pytest.approx(0.20, abs=0.05)
    assert nonsquamous.keap1.mean() == pytest.approx(0.19, abs=0.05)
    assert nonsquamous[nonsquamous.stk11].keap1.mean() == pytest.approx(0.46, abs=0.05)


def test_blood_and_body_match_sources(western):
    assert western.age.median() == pytest.approx(64, abs=1.5)
    assert (western.sex == "M").mean() == pytest.approx(0.61, abs=0.01)
    assert western.albumin_g_l.mean() == pytest.approx(38.9, abs=0.3)
    assert western.nlr.median() == pytest.approx(4.08, rel=0.05)
    assert (western.ldh_uln > 1).mean() == pytest.approx(0.35, abs=0.02)
    # ahamadi2017: reference weight 76.8 kg, albumin 39.6 g/L, filtration 88 mL/min/1.73 m2 (three tumours)
    assert western.weight_kg.median() == pytest.approx(76.8, rel=0.10)
    assert western.crcl_ml_min.median() == pytest.approx(88, rel=0.10)


def test_disease_extent_matches_sources(western):
    metastatic = western[western.stage == "IV"]
    # KEYNOTE-189: 115 of 616 with liver, 108 of 616 with brain metastases
    assert metastatic.liver_mets.mean() == pytest.approx(0.187, abs=0.03)
    assert metastatic.brain_mets.mean() == pytest.approx(0.175, abs=0.03)
    # hillman2009
    shares = western.n_target_lesions.value_counts(normalize=True)
    np.testing.assert_allclose([shares[k] for k in (1, 2, 3, 4, 5)], [0.49, 0.28, 0.12, 0.06, 0.05], atol=0.01)
    np.testing.assert_allclose(western.sld_mm.quantile([0.25, 0.5, 0.75]), [41, 66, 99], rtol=0.06)
    # laleh2022: longest diameter of one target lesion in OAK, median 37 mm, SD of ln 0.59
    lesion = western.sld_mm / western.n_target_lesions
    assert lesion.median() == pytest.approx(37, rel=0.15)
    assert np.log(lesion).std() == pytest.approx(0.59, abs=0.08)


def test_rank_correlations_match_the_table(western):
    rho = western[["age", "albumin_g_l", "nlr", "ldh_uln", "sld_mm"]].corr("spearman")
    assert rho.loc["albumin_g_l", "nlr"] == pytest.approx(-0.30, abs=0.03)
    assert rho.loc["age", "albumin_g_l"] == pytest.approx(-0.17, abs=0.03)
    assert rho.loc["ldh_uln", "sld_mm"] == pytest.approx(0.30, abs=0.03)
    # more sites, more liver metastases (derosa2024: 7 % with one site, 37 % with four)
    metastatic = western[western.stage == "IV"]
    by_sites = metastatic.groupby("n_sites").liver_mets.mean()
    assert by_sites[1] < 0.10
    assert by_sites[4] > 0.20


def test_tmb_matches_sources(western):
    # rizvi2018: 8.8 in ever, 3.9 in never smokers; chalmers2017: 7.2 in all lung cancer
    medians = western.groupby(western.smoking != "never").tmb_mut_mb.median()
    assert medians[True] == pytest.approx(8.8, rel=0.12)
    assert medians[False] == pytest.approx(3.9, rel=0.12)
    assert western.tmb_mut_mb.median() == pytest.approx(7.2, rel=0.1)


def test_marginals_match_oak_patients(western, shared_data):
    oak = pd.read_csv(shared_data / "oak" / "oak_clinical.csv", na_values=[".", "NA", "NaN"])
    white = oak[oak.race2 == "WHITE"]
    ours = western[western.ecog < 2]
    assert ours.age.mean() == pytest.approx(oak.BAGE.mean(), abs=1.0)
    assert ours.age.std() == pytest.approx(oak.BAGE.std(), abs=0.8)
    assert (ours.smoking == "never").mean() == pytest.approx((white.TOBHX == "NEVER").mean(), abs=0.02)
    assert (ours.histology == "squamous").mean() == pytest.approx((white.HIST == "SQUAMOUS").mean(), abs=0.02)
    sites = oak.METSITES.clip(1, 7).value_counts(normalize=True)
    metastatic = ours[ours.stage == "IV"].n_sites.value_counts(normalize=True)
    assert (metastatic - sites).abs().max() < 0.03
    rho = oak[["blSLD", "METSITES"]].corr("spearman").iloc[0, 1]
    assert ours[ours.stage == "IV"][["sld_mm", "n_sites"]].corr("spearman").iloc[0, 1] == pytest.approx(rho, abs=0.05)


def test_blood_counts_match_chowell_patients(western, shared_data):
    frames = [pd.read_csv(shared_data / "loris" / f"{n}.csv") for n in ("chowell_train_nsclc", "shim_nsclc")]
    both = pd.concat(frames)
    np.testing.assert_allclose(
        western.nlr.quantile([0.1, 0.5, 0.9]), both.NLR.dropna().quantile([0.1, 0.5, 0.9]), rtol=0.12
    )
    np.testing.assert_allclose(
        western.albumin_g_l.quantile([0.1, 0.5, 0.9]), 10 * both.Albumin.dropna().quantile([0.1, 0.5, 0.9]), rtol=0.04
    )


def test_formulas():
    one = np.array([1.0])
    # Du Bois: 70 kg and 170 cm is 1.81 m2; Cockcroft-Gault: (140 - 60) * 72 / (72 * 1) = 80 mL/min, 85 % of it in women
    assert body_surface_area(70 * one, 170 * one)[0] == pytest.approx(1.81, abs=0.005)
    assert creatinine_clearance(60 * one, 72 * one, 88.4 * one, np.array([False]))[0] == pytest.approx(80.0)
    assert creatinine_clearance(60 * one, 72 * one, 88.4 * one, np.array([True]))[0] == pytest.approx(68.0)


def test_every_number_has_a_source_that_resolves():
    keys = set(load_references())
    tables = {
        "covariates_nsclc": ConditionalTable.columns,
        "covariate_correlations": ("first", "second", "spearman", "source", "grade", "note"),
        "covariate_links": ("parameter", "score", "weight", "source", "grade", "note"),
        "plausibility_bounds": ("observable", "lower", "upper", "unit", "source", "grade", "note"),
    }
    for name, columns in tables.items():
        for row in read_rows(name, columns):
            assert set(row.sources) <= keys, f"{row.where}: {set(row.sources) - keys}"
            assert row.sources or row["grade"] == "assumed", row.where


def test_bad_rows_are_refused_with_their_line():
    header = "name,condition,value,unit,source,grade,note\n"
    with pytest.raises(InputError, match=r"x\.csv, line 2: the row has no source"):
        parse_rows(header + "a,,1,kg,,measured,\n", ConditionalTable.columns, "x.csv")
    with pytest.raises(InputError, match="measured"):
        parse_rows(header + "a,,1,kg,s,measurd,\n", ConditionalTable.columns, "x.csv")
    with pytest.raises(InputError, match="a row has 7 cells, this one 8"):
        parse_rows(header + "a,,1,kg,s,measured,one,two\n", ConditionalTable.columns, "x.csv")
    with pytest.raises(InputError, match="not a number"):
        ConditionalTable(parse_rows(header + "a,,one,kg,s,measured,\n", ConditionalTable.columns, "x.csv"))
    table = ConditionalTable(parse_rows(header + "a,sex=F,1,kg,s,measured,\n", ConditionalTable.columns, "x.csv"))
    with pytest.raises(InputError, match="no row of 'a'"):
        table.values("a", {"sex": np.array(["F", "M"])})
    np.testing.assert_array_equal(table.values("a", {"sex": np.array(["F", "M"])}, default=2.0), [1.0, 2.0])
    with pytest.raises(InputError, match="unknown covariate number"):
        table.values("b", {"sex": np.array(["F"])})


def test_unknown_region_names_the_nearest():
    with pytest.raises(InputError, match="western"):
        sample_covariates(0, 1, 0, region="westrn")  # type: ignore[arg-type]
