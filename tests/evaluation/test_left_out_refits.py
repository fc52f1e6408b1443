"""A refit without a trial finds the fit that the other trials ask for, and predicts the trial from fresh patients."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.evaluation.test_response_surface import MOVING, population, surface_about, targets, truth

from immunescape.errors import ImmunescapeError
from immunescape.evaluation.fit_terms import coordinates
from immunescape.evaluation.left_out_refits import TRIAL_SEED, Refit, check_refitted, mean_errors, refit_without
from immunescape.evaluation.response_surface import Surface
from immunescape.evaluation.surface_steps import STEP_SEED, StepPlan
from immunescape.evaluation.targets import Target
from immunescape.trial.loading import load_trial

KEYS = (("keynote-189", "a"), ("oak", "a"))
OWN, OTHER = np.array([0.25, 0.1]), np.array([-0.2, -0.1])
PLAN = StepPlan(count=3, fresh=4000, moving=MOVING, held=())


@dataclass(frozen=True)
class Simulator:
    """Stands in for the simulator of trials: every arm has patients of the same population."""

    trials: tuple[Any, ...]
    calls: list[tuple[tuple[str, ...], int, str]] = field(default_factory=list)

    def weighted(self, fit: Any, patients: int, offset: int, folder: str, progress: Any = None) -> Any:
        self.calls.append((tuple(t.name for t in self.trials), offset, folder))
        x = coordinates(fit, MOVING)
        made: dict[Any, Any] = {}
        for key in KEYS:
            if key[0] in {t.name for t in self.trials}:
                made |= population(patients, offset, x, key)
        return {key: (s, np.full(len(s), 1.0 / len(s))) for key, s in made.items()}


def target_of(target: Target, key: tuple[str, str]) -> Target:
    """The target of an arm of another name."""
    figure = target.figure
    return replace(target, name=f"{key[0]} {target.name}", arms=(key,), figure=lambda w: figure(w, key))  # type: ignore[call-arg]


@pytest.fixture
def two_trials() -> tuple[Simulator, list[Target], Surface]:
    """Two trials that ask for different fits, and a surface about no change."""
    aims = [target_of(t, KEYS[0]) for t in targets(OWN)] + [target_of(t, KEYS[1]) for t in targets(OTHER)]
    about = surface_about(np.zeros(2))
    twice = Surface(
        about.centre,
        about.half,
        *(np.concatenate([m, m]) for m in (about.value, about.value_se, about.slope, about.slope_se)),
    )
    return Simulator(tuple(load_trial(name) for name, _ in KEYS)), aims, twice


def refit(two_trials: Any, told: list[Any] | None = None) -> Refit:
    simulator, aims, surface = two_trials

    def report(number: int, simulated: str) -> None:
        if told is not None:
            told.append((number, simulated))

    return refit_without("keynote-189", simulator, aims, (surface, surface), PLAN, report)


def test_a_refit_ends_where_the_other_trials_alone_have_it(two_trials: Any) -> None:
    made = refit(two_trials)
    expected = truth(OTHER)
    assert [f.name for f in made.figures] == ["keynote-189 response", "keynote-189 late"]
    assert [f.refit for f in made.figures] == pytest.approx(expected, abs=0.12)
    assert [f.published for f in made.figures] == pytest.approx(truth(OWN))
    for f, aim in zip(made.figures, truth(OWN), strict=True):
        assert f.refit_error == pytest.approx(f.refit - aim)
        assert f.surface_error == pytest.approx(f.surface - aim)
        assert f.virtual_se == pytest.approx(math.sqrt(4.2 / 4000), rel=0.4)


def test_no_patient_of_the_trial_is_used_before_it_is_predicted_and_then_others(two_trials: Any) -> None:
    told: list[Any] = []
    refit(two_trials, told)
    *steps, last = two_trials[0].calls
    assert [names for names, _, _ in steps] == [("oak",)] * PLAN.count
    assert last == (("keynote-189",), TRIAL_SEED, "without-keynote-189/keynote-189")
    assert len({folder for _, _, folder in two_trials[0].calls}) == PLAN.count + 1
    assert STEP_SEED not in {offset for _, offset, _ in two_trials[0].calls}
    assert [number for number, _ in told] == [5, 6, 7, 8]  # after the round of the fresh patients, which is the fourth


def test_strata_of_a_trial_are_left_out_with_it(two_trials: Any) -> None:
    simulator, aims, surface = two_trials
    stratum = SimpleNamespace(name="stratum", registry=simulator.trials[0].registry.lower())
    joined = replace(simulator, trials=(*simulator.trials, stratum))
    made = refit_without("keynote-189", joined, aims, (surface, surface), PLAN, lambda *_: None)
    assert made.left_out == ("keynote-189", "stratum")
    assert "stratum" not in {name for names, _, _ in joined.calls for name in names}


def test_means_are_those_of_the_errors_of_each_kind(two_trials: Any) -> None:
    made = refit(two_trials)
    means = mean_errors([made, made])
    response = made.figures[0]
    assert set(means) == {"orr", "median"}
    assert means["orr"]["figures"] == 2
    assert means["orr"]["refit"] == pytest.approx(abs(response.refit_error))
    assert means["orr"]["refit_bias"] == pytest.approx(response.refit_error)
    assert made.to_json()["figures"][0]["surface_error"] == round(response.surface_error, 4)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["keynote-198"], "keynote-189"), (["oak", "oak"], "named twice"), (["all"], "no trial is left")],
)
def test_trials_that_cannot_be_left_out_are_refused(names: list[str], message: str) -> None:
    strata = [SimpleNamespace(name=name, registry="NCT02220894") for name in ("all", "high")]
    fitted: list[Any] = strata if "all" in names else [load_trial(name) for name in ("keynote-189", "oak")]
    with pytest.raises(ImmunescapeError, match=message):
        check_refitted(fitted, names)
