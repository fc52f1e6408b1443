"""A product and the sum it goes into are one operation with one rounding, the same at every width."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest
from tests.engine.small import sbml

from immunescape.engine import Job
from immunescape.engine.codegen.c.generate import headers
from immunescape.engine.codegen.tape import Tape
from immunescape.engine.native.compilers import find_toolchain
from immunescape.engine.native.engine import NativeEngine
from immunescape.engine.native.processor import _cpu_flags, fused_flags, machine_lanes

WIDTHS = [w for w in (1, 2, 4, 8) if w <= machine_lanes()]


def _lines(build) -> list[str]:
    tape = Tape({})
    a, b, c, d = (tape.leaf(name) for name in "abcd")
    return [line.split(" = ")[-1] for line in tape.program([("r", build(tape, a, b, c, d))])[:-1]]


@pytest.mark.parametrize(
    ("build", "written"),
    [
        (lambda t, a, b, c, d: t.add(c, t.mul(a, b)), ["v_fma(a, b, c);"]),
        (lambda t, a, b, c, d: t.sub(c, t.mul(a, b)), ["v_fnma(a, b, c);"]),
        (lambda t, a, b, c, d: t.sub(t.mul(a, b), c), ["v_fms(a, b, c);"]),
        (lambda t, a, b, c, d: t.sub(t.mul(a, b), t.mul(c, d)), ["a * b;", "v_fnma(c, d, v4);"]),
    ],
)
def test_a_product_that_one_sum_reads_becomes_part_of_it(build, written) -> None:
    assert _lines(build) == written


def test_a_product_that_two_sums_read_is_computed_once() -> None:
    def build(tape, a, b, c, d):
        product = tape.mul(a, b)
        return tape.mul(tape.add(product, c), tape.sub(product, d))

    assert not any("fm" in line for line in _lines(build))


def test_a_product_that_is_a_result_itself_stays() -> None:
    tape = Tape({})
    product = tape.mul(tape.leaf("a"), tape.leaf("b"))
    text = "\n".join(tape.program([("p", product), ("r", tape.add(product, tape.leaf("c")))]))
    assert "fma" not in text
    assert re.search(r"p = v\d+;", text)


@pytest.mark.skipif(not fused_flags() and "fma" not in _cpu_flags(), reason="this processor has no such instruction")
@pytest.mark.parametrize("lanes", WIDTHS)
def test_there_is_one_rounding(lanes: int) -> None:
    """(1 + e)(1 - e) - 1 = -e^2, of which two roundings leave nothing."""
    e = 2.0**-30
    text = sbml({"x": (0.0, "u - 1")}, {"a": 1.0, "b": 1.0}, rules={"u": "1", "y": "(x + a) * (x + b) - 1"})
    job = Job(lanes, np.array([0.0, 1.0]), ("y",), parameters={"a": np.full(lanes, 1 + e), "b": np.full(lanes, 1 - e)})
    assert np.all(NativeEngine(lanes=lanes).compile(text).run(job)["y"][:, 0] == -(e**2))


def _two_widths(text: str, job: Job) -> list[np.ndarray]:
    return [NativeEngine(lanes=lanes).compile(text).run(job).values for lanes in (WIDTHS[0], WIDTHS[-1])]


def test_a_processor_without_the_instruction_gives_one_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = sbml({"x": (1.0, "-k * x + 0.3 * y * x"), "y": (0.5, "k * x - 0.3 * y * x - 0.1 * y")}, {"k": 0.7})
    job = Job(5, np.linspace(0.0, 10.0, 6), ("x", "y"), parameters={"k": np.linspace(0.2, 2.0, 5)})
    here = _two_widths(text, job)
    monkeypatch.setattr("immunescape.engine.native.toolchain.fused_flags", lambda: ())
    monkeypatch.setattr("immunescape.engine.native.shipped.fused_flags", lambda: ())
    without = _two_widths(text, job)
    assert np.array_equal(*here)
    assert np.array_equal(*without)
    np.testing.assert_allclose(here[0], without[0], rtol=1e-7)


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="widths of x86-64")
@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_every_width_compiles_with_and_without_the_instruction(
    tmp_path, monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    (tmp_path / "lanes.h").write_text(headers()["lanes.h"])
    source = tmp_path / "try.c"
    source.write_text('#include "lanes.h"\nV f(V a, V b, V c) { return v_fms(a, b, v_fnma(a, c, v_fma(b, c, a))); }\n')
    toolchain = find_toolchain()
    for flags in (("-mfma",), ()):
        monkeypatch.setattr("immunescape.engine.native.toolchain.fused_flags", lambda flags=flags: flags)
        monkeypatch.setattr("immunescape.engine.native.shipped.fused_flags", lambda flags=flags: flags)
        toolchain.call(toolchain.compile_command(source, tmp_path / "try.o", lanes))
