"""What to measure next: value of information on made-up twins whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunescape.knowledge.profile_to_model import profile_links
from immunescape.twins.conditioning import TwinPopulation
from immunescape.twins.courses import Courses
from immunescape.twins.facts import Fact
from immunescape.twins.options import options_for
from immunescape.twins.ranking import HORIZON, paired_scores, ranked
from immunescape.twins.recorded_patient import PatientRecord
from immunescape.twins.results import PossibleResults, _of_numbers, _seen, in_words, possible_results
from immunescape.twins.twin import MONTH, Followed
from immunescape.twins.value import frequency_text, measure_next, value_of_information

N = 320


def of_words(name: str, place: np.ndarray) -> PossibleResults:
    kinds = np.unique(place)
    return PossibleResults(name, name, tuple(f"result {k}" for k in kinds), (place[:, None] == kinds).astype(float))


def two_options(decides: np.ndarray, gain: float = 0.4, noise: float = 0.1, seed: int = 1) -> dict[str, np.ndarray]:
    """Option B is worse by 0.2 in twins without the feature, better by `gain` in those with it."""
    rng = np.random.default_rng(seed)
    a = 0.5 + noise * rng.standard_normal(len(decides))
    return {"A": a, "B": a + np.where(decides, gain, -0.2) + noise * rng.standard_normal(len(decides))}


def test_a_feature_that_decides_has_the_gain_that_is_computed_by_hand():
    decides = np.arange(N) % 4 == 0
    useless = np.random.default_rng(5).integers(0, 2, N)
    scores = two_options(decides)
    w = np.full(N, 1 / N)
    answer = value_of_information([of_words("hla_loh", decides), of_words("tmb", useless)], scores, w, "A")
    first, second = answer.rows
    lead = scores["B"] - scores["A"]
    assert first.biomarker == "hla_loh"
    assert first.gain == pytest.approx((lead * decides).mean(), abs=1e-12)
    assert first.low < 0.25 * 0.4 < first.high
    assert first.changed == pytest.approx(0.25)
    assert (first.shown, second.shown) == (True, False)
    assert second.gain == pytest.approx(0.0, abs=0.005)
    would = "HLA class I loss of heterozygosity would change the first choice in 1 of 4 twins (result True: B)"
    assert answer.words[0].startswith(would)
    assert (
        "In no twin can a change of the first choice be distinguished from chance by: tumour mutational burden."
        in answer.words
    )


def test_many_measurements_without_a_value_are_counted_and_not_named_in_a_sentence():
    decides = np.arange(N) % 4 == 0
    rng = np.random.default_rng(5)
    useless = [of_words(f"x{k}", rng.integers(0, 2, N)) for k in range(47)]
    w = np.full(N, 1 / N)
    answer = value_of_information([of_words("hla_loh", decides), *useless], two_options(decides), w, "A")
    rest = sum(not row.shown for row in answer.rows)
    assert rest > 40
    assert (
        f"In no twin can a change of the first choice be distinguished from chance by any of {rest} other measurements."
        in (answer.words)
    )
    assert max(map(len, answer.words)) < 400


def test_of_many_names_the_first_are_printed_with_a_count_of_the_others():
    from immunescape.report.twin_text import first_of

    names = [f"x{k}" for k in range(48)]
    assert first_of(names).endswith("x9 and 38 more")
    assert first_of(names[:11]).endswith("x9, x10")


def test_what_a_feature_explains_of_the_benefit_narrows_its_range():
    decides = np.arange(N) % 2 == 0
    scores = two_options(decides, gain=0.1, noise=0.1)  # variance 0.15 squared between, 0.1 squared within
    useless = np.random.default_rng(5).integers(0, 2, N)
    w = np.full(N, 1 / N)
    answer = value_of_information([of_words("hla_loh", decides), of_words("tmb", useless)], scores, w, "A")
    by = {r.biomarker: r for r in answer.rows}
    assert by["hla_loh"].narrowing == pytest.approx(1.0 - np.sqrt(0.01 / 0.0325), abs=0.05)
    assert by["tmb"].narrowing == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_useless_measurements_rarely_claim_anything_and_gain_nothing_on_average(noise):
    gains, claims = [], 0
    w = np.full(N, 1 / N)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        a, b = 0.5 + noise * rng.standard_normal((2, N))
        scores = {"A": a, "B": b} if a.mean() >= b.mean() else {"B": a, "A": b}
        first = max(scores, key=lambda n: scores[n].mean())
        some = [of_words(f"x{k}", rng.integers(0, 4, N)) for k in range(10)]
        answer = value_of_information(some, scores, w, first, permutations=39)
        gains += [r.gain for r in answer.rows]
        claims += any(r.shown for r in answer.rows)
    assert claims <= 3  # 5 % of 12 are expected
    assert np.mean(gains) == pytest.approx(0.0, abs=0.02 * noise)
    # choosing and scoring on the same twins would be far above zero
    assert np.mean(gains) < 0.005


def test_weights_of_twins_count():
    decides = np.arange(N) % 2 == 0
    w = np.where(decides, 1.0, 4.0)
    answer = value_of_information([of_words("hla_loh", decides)], two_options(decides, noise=0.02), w, "A")
    row = answer.rows[0]
    assert row.changed == pytest.approx(0.2)
    assert row.gain == pytest.approx(0.2 * 0.4, abs=0.005)
    assert [c.share for c in row.choices] == pytest.approx([0.8, 0.2])
    twice = value_of_information([of_words("hla_loh", decides)], two_options(decides, noise=0.02), 7.0 * w, "A")
    assert twice.rows[0].gain == pytest.approx(row.gain)


def test_twins_of_no_weight_do_not_speak():
    decides = np.arange(N) % 2 == 0
    w = np.where(decides, 0.0, 1.0)
    answer = value_of_information([of_words("hla_loh", decides)], two_options(decides), w, "A")
    assert answer.rows[0].gain == 0.0
    assert not answer.rows[0].shown


def test_a_measurement_with_error_is_worth_less_than_the_truth():
    decides = np.arange(N) % 2 == 0
    scores = two_options(decides)
    sure = of_words("sure", decides)
    doubtful = PossibleResults("doubtful", "x", ("no", "yes"), 0.75 * sure.shares + 0.25 * sure.shares[:, ::-1])
    w = np.full(N, 1 / N)
    by = {r.biomarker: r for r in value_of_information([sure, doubtful], scores, w, "A").rows}
    # right three times in four: 0.5 (0.75 * 0.4 - 0.25 * 0.2) after 0.5 * 0.4
    assert by["sure"].gain == pytest.approx(0.2, abs=0.02)
    assert by["doubtful"].gain == pytest.approx(0.125, abs=0.02)


def test_the_only_option_of_its_level_cannot_change():
    decides = np.arange(N) % 2 == 0
    answer = value_of_information([of_words("hla_loh", decides)], {"A": two_options(decides)["A"]}, np.ones(N), "A")
    assert "the only option of its level" in answer.words[0]
    assert answer.rows[0].gain == 0.0


def test_shares_are_said_as_a_reader_would():
    assert [frequency_text(s) for s in (0.0, 0.02, 0.25, 0.34, 0.6, 1.0)] == [
        "none",
        "1 of 50",
        "1 of 4",
        "1 of 3",
        "3 of 5",
        "1 of 1",
    ]


@pytest.mark.parametrize(
    ("biomarker", "words"),
    [
        ("pdl1_tps", "PD-L1 tumour proportion score"),
        ("sc_treg_of_t", "regulatory T cells among T cells"),
        ("cell_score_b", "B-cell score"),
        ("cell_score_m2", "M2 macrophage score"),
        ("signature_cgas_sting", "cGAS–STING signature"),
        ("akkermansia_level", "Akkermansia level"),
        ("tcr_clonality", "T cell receptor clonality"),
        ("albumin", "serum albumin"),
        ("hla_loh_of_no_table", "HLA LOH of no table"),
    ],
)
def test_a_biomarker_is_called_by_its_title_within_a_sentence(biomarker, words):
    assert in_words(biomarker) == words


def twins_table(n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "tmb_mut_mb": rng.lognormal(2.0, 0.8, n),
            "akkermansia": rng.random(n) < 0.4,
            "pdl1_tps": rng.uniform(0, 100, n),
            "driver": np.where(rng.random(n) < 0.2, "EGFR", "none"),
            "p:f_b2m_null": np.linspace(0.0, 0.9, n),
            "p:f_hla_loh": np.where(np.arange(n) % 4 == 0, 0.7, 0.05),
        },
        index=pd.RangeIndex(n, name="id"),
    )


def test_results_are_those_that_the_table_of_facts_names():
    table, w = twins_table(), np.full(N, 1 / N)
    names = list(dict.fromkeys(link.biomarker for link in profile_links()))
    tps = Fact("pdl1_tps", "covariate", value=80.0, spread=10.0, scale="sd")
    made, left = possible_results([*names, "nonsense"], (tps,), table, w, None)
    by = {r.biomarker: r for r in made}
    assert {"tmb", "akkermansia_level", "b2m_status", "hla_loh", "egfr_status"} <= set(by)
    for r in made:
        assert r.shares.sum(axis=1) == pytest.approx(np.ones(N))
        assert r.shares.shape == (N, len(r.names))
    assert w @ by["hla_loh"].shares == pytest.approx([0.25, 0.75])
    assert by["hla_loh"].names == ("present", "absent")
    assert w @ by["egfr_status"].shares == pytest.approx(
        [(table["driver"] == "EGFR").mean(), (table["driver"] != "EGFR").mean()]
    )
    assert by["b2m_status"].names == ("biallelic loss", "subclonal biallelic loss", "wild type")
    assert w @ by["b2m_status"].shares == pytest.approx([4 / 9, 1 / 2, 1 / 18], abs=0.01)
    reasons = dict(left)
    assert "measured in another way" in reasons["pdl1_stratum"]
    assert "do not represent" in reasons["cell_score_cd8"]
    assert "no counterpart in the model" in reasons["nonsense"]


def test_a_number_is_read_with_its_error_in_classes_of_equal_weight():
    table, w = twins_table(), np.full(N, 1 / N)
    (tmb,), _ = possible_results(["tmb"], (), table, w, None)
    assert len(tmb.names) == 4
    assert all("/Mb" in name for name in tmb.names)
    assert w @ tmb.shares == pytest.approx(np.full(4, 0.25), abs=0.08)
    low, high = table["tmb_mut_mb"].to_numpy() < 3, table["tmb_mut_mb"].to_numpy() > 30
    assert tmb.shares[low, 0].mean() > 0.6
    assert tmb.shares[high, 3].mean() > 0.95
    assert ((tmb.shares > 0) & (tmb.shares < 1)).any()  # a count has an error


def test_the_error_of_a_share_shows_none_below_zero():
    link = next(k for k in profile_links() if k.biomarker == "sc_treg_of_t")
    share = np.random.default_rng(1).uniform(0.0, 0.1, N)  # smaller than its error of 0.1
    seen = _seen(link, share, 50, np.random.default_rng(2))
    assert seen.min() == 0.0
    assert seen.mean(axis=0).std() > 0.0
    names, _ = _of_numbers(link, share, np.full(N, 1 / N), np.random.default_rng(2))
    assert not any("-" in name for name in names)


def ranking_of(n: int = N):
    """Twins of a patient in whom HLA LOH decides between the two options that are tested."""
    tps = Fact("pdl1_tps", "covariate", value=80.0, spread=10.0, scale="sd", biomarker="pdl1_tps")
    driver = Fact("driver", "covariate", allowed=("none",), biomarker="driver")
    histology = Fact("histology", "covariate", allowed=("nonsquamous",), biomarker="histology")
    record = PatientRecord("P", 0.0, (driver, histology, tps), open_questions=("hla_loh", "akkermansia_level", "nlr"))
    options = options_for(record)[0][:2]
    table = twins_table(n)
    lost = table["p:f_hla_loh"].to_numpy() > 0.5
    rng = np.random.default_rng(3)
    rows = []
    for k, option in enumerate(options):
        months = 12.0 + rng.normal(0.0, 2.0, n) + (np.where(lost, 8.0, -4.0) if k else 0.0)
        for i in range(n):
            rows.append(
                {
                    "id": i,
                    "arm": option.name,
                    "best_response": "PR",
                    "progression_day": months[i] * MONTH / 2,
                    "death_day": months[i] * MONTH,
                    "grade3_day": None,
                    "toxicity_stop_day": None,
                }
            )
    w = np.full(n, 1 / n)
    twins = TwinPopulation(
        patient="P", table=table, weights=w, facts=record.facts, effective=float(n), candidates=n, surprise={}, seed=1
    )
    followed = Followed(twins, Courses(pd.DataFrame(rows), pd.DataFrame()), w)
    return record, followed, options, ranked(followed, options, discrepancy={})


def test_scores_of_twins_have_the_mean_that_the_ranking_shows():
    _, followed, options, ranking = ranking_of()
    paired = paired_scores(followed, [o.name for o in options], ranking.weights)
    for r in ranking.rows:
        assert paired.weights @ paired.scores[r.option.name] == pytest.approx(r.score.value)


def test_what_to_measure_next_comes_from_the_twins_of_the_ranking():
    record, followed, options, ranking = ranking_of()
    answer = measure_next(record, followed, ranking, None)
    assert ranking.rows[0].option.name == options[0].name
    first = answer.rows[0]
    assert first.biomarker == "hla_loh"
    # 8 months of life and 4 without progression, of 24, in a quarter of the twins
    assert first.gain == pytest.approx(0.25 * (8.0 + 0.5 * 4.0) / HORIZON, abs=0.02)
    assert f"1 of 4 twins (present: {options[1].title})" in answer.words[0]
    told = answer.to_json()
    assert told["measurements"][0]["told_from_chance"]
    assert [m["biomarker"] for m in told["measurements"] if not m["told_from_chance"]] == ["akkermansia_level"]
    assert told["not_valued"] == [{"biomarker": "nlr", "reason": "the twins do not represent nlr"}]
    assert measure_next(record, followed, ranking, None).to_json() == told
