"""The fixed point of the reference strengths is found where plain steps towards it swing or drift away."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from immunescape.errors import ModelError
from immunescape.population import reference_baseline as module
from immunescape.population.reference_baseline import Baseline, reference_strengths

AT = np.array([3.0, 0.4, 12.0])
KEYS = [("killing", "a", "a"), ("priming", "b", "b"), ("infiltration", "c", "c")]


def stand_in(monkeypatch: pytest.MonkeyPatch, slopes: tuple[float, ...], *, lost_above: float = np.inf) -> list[int]:
    """A patient whose strengths, grown with x, are AT + slopes (x - AT): three numbers in place of two hundred."""
    grown: list[int] = []

    def grow(model, compiled, strengths, rtol, killing=1.0, changed=None):
        x = np.array([strengths[k] for k in KEYS])
        if (x > lost_above).any():
            raise ModelError("the reference patient is never diagnosed")
        grown.append(1)
        found = np.maximum(AT + np.array(slopes) * (x - AT), 0.0)
        return Baseline(1000.0, {}, dict(zip(map(str, KEYS), found.tolist(), strict=True)))

    monkeypatch.setattr(module, "_bare", lambda model: model)
    monkeypatch.setattr(module, "_compile", lambda model, engine: None)
    monkeypatch.setattr(module, "_grow", grow)
    monkeypatch.setattr(module, "strengths_from_state", lambda model, q: {k: q[str(k)] for k in KEYS})
    return grown


@pytest.mark.parametrize(
    "slopes",
    [
        pytest.param((0.1, 0.5, -0.3), id="settles by itself"),
        pytest.param((-1.0, 0.5, 0.2), id="swings"),
        pytest.param((-3.5, 0.5, 0.2), id="swings however often steps are halved once"),
        pytest.param((0.99, -3.5, 0.0), id="drifts and swings"),
    ],
)
def test_the_fixed_point_is_found(monkeypatch: pytest.MonkeyPatch, slopes: tuple[float, ...]) -> None:
    grown = stand_in(monkeypatch, slopes)
    model = SimpleNamespace(modulations=KEYS)
    start = dict(zip(KEYS, (2.5, 0.5, 11.0), strict=True))
    found, baseline = reference_strengths(model, start=start)  # type: ignore[arg-type]
    assert [found[k] for k in KEYS] == pytest.approx(AT, rel=1e-5)
    assert baseline.days == 1000.0
    assert len(grown) < 100


def test_a_step_that_goes_too_far_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, (-1.0, -1.2, 0.95), lost_above=25.0)
    model = SimpleNamespace(modulations=KEYS)
    start = dict(zip(KEYS, (2.5, 0.5, 11.0), strict=True))
    found, _ = reference_strengths(model, start=start)  # type: ignore[arg-type]
    assert [found[k] for k in KEYS] == pytest.approx(AT, rel=1e-5)


def test_a_patient_who_is_never_diagnosed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, (0.5, 0.5, 0.5), lost_above=1.0)
    with pytest.raises(ModelError, match="never diagnosed"):
        reference_strengths(SimpleNamespace(modulations=KEYS), start=dict.fromkeys(KEYS, 2.0))  # type: ignore[arg-type]
