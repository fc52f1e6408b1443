"""Learn how `twin` and `rank` combine the twins' forecast with statistical ones; ``--write`` writes the shipped file.

Usage: ``python scripts/fit_combined.py ../shared/data --runs judged [--write]``. ``--runs`` is the folder of
`immunescape judge --out`: its finished virtual patients are used, and simulated where there are none. Patients that
`immunescape.knowledge.held_out` names enter no fit; the last table printed is of them alone.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from fit_response import ESTABLISHED, ESTABLISHED_WIDER, RIDGE, fit, predict, training
from response_cohorts import Cohorts, read_cohorts

from immunescape.knowledge.held_out import is_held_out
from immunescape.profile.scores.response_inputs import observe
from immunescape.profile.scores.response_model import ResponseModel, condition, load_response_model
from immunescape.trial.runner import numbers_digest
from immunescape.twins.combined import ENDS, Combination, held_out_words, log_odds
from immunescape.twins.judging.cohorts import RealCohort, read_real_cohorts
from immunescape.twins.judging.combining import Learners, held_out_scores, learnt_combination
from immunescape.twins.judging.pools import Pool, forecasts_of, made_pools
from immunescape.twins.judging.rivals import FOLDS

OUT = Path(__file__).parents[1] / "src/immunescape/knowledge/data/combined_forecasts.json"
SEED = 1
SETTING = {"chemotherapy": 0, "ctla4": 0}


def odds_out_of_fold(cohorts: Cohorts) -> np.ndarray:
    """Log odds of response (n,): of a patient who may be fitted to by a model fitted to the other folds.

    Held-out patients get those of the model that ships, which was fitted without them.
    """
    odds = np.full(len(cohorts.outcome), np.nan)
    held = cohorts.outcome["held_out"].to_numpy(bool)
    odds[held] = predict(load_response_model(), cohorts.inputs[held])["response"][:, 3]
    train = training(cohorts)
    fold = np.random.default_rng([len(train.outcome), 53]).permutation(len(train.outcome)) % FOLDS
    beside = np.zeros(len(train.outcome))
    for k in range(FOLDS):
        rest = fold != k
        model = fit(train.inputs[rest], train.outcome[rest].reset_index(drop=True), replicates=0)
        beside[fold == k] = predict(model, train.inputs[fold == k])["response"][:, 3]
    odds[~held] = beside
    return odds


def means_of(inputs: pd.DataFrame, model: ResponseModel) -> np.ndarray:
    """Inputs (n, k) given what was measured, standardised."""
    rows = []
    for row in inputs.to_dict("records"):
        x, v = model.standardise({n: o for n, value in row.items() if (o := observe(n, value, model)) is not None})
        rows.append(condition(v, ~np.isnan(x), model.correlation)[0] @ np.nan_to_num(x))
    return np.array(rows)


def learners(cohorts: Cohorts, real: tuple[RealCohort, ...], pools: Mapping[str, Pool]) -> Learners:
    """Patients on an inhibitor alone whom both readers know, with the forecasts of each."""
    model = load_response_model()
    place = {key: i for i, key in enumerate(zip(cohorts.outcome["cohort"], cohorts.outcome["patient"], strict=True))}
    odds = odds_out_of_fold(cohorts)
    parts, rows = [], []
    for cohort in real:
        alone = cohort.where(arm="inhibitor")
        keys = list(zip(alone.table["study"], alone.table["patient"], strict=True))
        use = np.array([key in place for key in keys])
        parts.append(pd.concat([alone.table, forecasts_of(pools, alone).add_prefix("twin_")], axis=1)[use])
        rows += [place[key] for key, there in zip(keys, use, strict=True) if there]
    table = pd.concat(parts, ignore_index=True)
    inputs = cohorts.inputs.iloc[rows].assign(
        **SETTING, prior_therapy=(table["setting"] == "later line").astype(int).to_numpy()
    )
    held = np.array([is_held_out(s, p) for s, p in zip(table["study"], table["patient"], strict=True)])
    wider = np.where(np.isin(model.inputs, ESTABLISHED), ESTABLISHED_WIDER, 1.0)
    return Learners(
        study=table["study"].to_numpy(str),
        held=held,
        response=table["response"].to_numpy(float),
        months={end: table[end].to_numpy(float) for end in ENDS},
        events={end: table[f"{end}_event"].to_numpy(float) for end in ENDS},
        odds=odds[rows],
        means=means_of(inputs, model),
        prior_sd=RIDGE["response"] * wider,
        twin_odds=np.array([log_odds(p) for p in table["twin_response"]]),
        twin_rates={end: -np.log(np.maximum(table[f"twin_mean_{end}"].to_numpy(float), 0.05)) for end in ENDS},
    )


def printed(learnt: Combination, held_out: Mapping[str, Any]) -> None:
    """Print weights and the scores on held-out patients."""
    errors = np.sqrt(np.diag(learnt.response_covariance))
    print(f"learnt from {dict(learnt.learnt_from)}")
    for name, b, s in zip(("intercept", "statistical", "twins"), learnt.response, errors, strict=True):
        print(f"response: {name} {b:.3f} ± {s:.3f}")
    for end, h in learnt.hazards.items():
        for name, b, s in zip(("statistical", "twins"), h.weights, np.sqrt(np.diag(h.weights_covariance)), strict=True):
            print(f"{end}: {name} {b:.3f} ± {s:.3f}")
        print(f"{end}: SD between cohorts {h.between**0.5:.3f}, combined {h.combined_between**0.5:.3f}")
        strongest = sorted(zip(np.abs(h.coefficients), learnt.inputs, h.coefficients, strict=True), reverse=True)[:6]
        print(f"{end}: " + ", ".join(f"{name} {b:+.2f}" for _, name, b in strongest))
    for sentence in held_out_words(held_out):
        print(sentence)


def main() -> None:
    """Learn, print, and write with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="folder of `immunescape judge --out`")
    parser.add_argument("--patients", "-n", type=int, default=2000, help="virtual patients of each setting")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    pools = made_pools(args.patients, SEED, out=args.runs)
    patients = learners(read_cohorts(args.shared), read_real_cohorts(args.shared), pools)
    learnt = learnt_combination(patients, load_response_model().inputs)
    held_out = held_out_scores(patients, learnt, SEED)
    printed(learnt, held_out)
    if args.write:
        object.__setattr__(learnt, "held_out", held_out)
        object.__setattr__(
            learnt,
            "provenance",
            {
                "script": "scripts/fit_combined.py",
                "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
                "seed": SEED,
                "virtual_patients": {name: len(pool) for name, pool in pools.items()},
                "numbers": numbers_digest(),
                "sources": ["chowell2022", "chang2024", "gandara2018", "derosa2024"],
                "note": "Learnt from 70 % of the patients of each cohort; the 30 % of immunescape.knowledge.held_out "
                "are in no fit, and held_out holds their scores.",
            },
        )
        text = json.dumps(learnt.to_json(), indent=None, ensure_ascii=False)
        OUT.write_text(text.replace('], "', '],\n "').replace('}, "', '},\n "') + "\n", encoding="utf-8")
        print(f"wrote {OUT}")


if __name__ == "__main__":
    main()
