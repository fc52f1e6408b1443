"""One block of candidates: covariates, eligibility, growth to diagnosis, emergence of clones, plausibility.

Prevalences are known among diagnosed patients, so a candidate keeps its covariates, and its model parameters are drawn
again, up to `PopulationSpec.draws` times, until its tumour is diagnosed and plausible: parameters are conditioned on
diagnosis, covariates are not distorted by it. Every draw is counted, and so is a candidate who never becomes a patient.

A block depends only on the model, the specification and its number, so blocks may be made in any order and by any
number of processes.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, unknown_word
from immunescape.population.covariates import REGIONS, Region, sample_covariates
from immunescape.population.diagnosis import MAX_DAYS, Grower, emerge
from immunescape.population.eligibility import Eligibility, check_eligibility, eligible
from immunescape.population.fit import PopulationFit
from immunescape.population.linking import DIAMETER, patient_parameters
from immunescape.population.plausibility import baseline, implausible
from immunescape.population.sampling import Method, check_method

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.engine.api import Engine
    from immunescape.model.assembly import Model

FloatArray = NDArray[np.float64]

__all__ = ["FATES", "Block", "BlockMaker", "PopulationSpec", "generate_block", "make_block"]

FATES = ("accepted", "ineligible", "never diagnosed", "failed", "implausible")


@dataclass(frozen=True)
class PopulationSpec:
    """What a population is drawn from.

    Attributes
    ----------
    seed, stream : candidate i depends only on (seed, stream, i).
    region : whose prevalences.
    eligibility : see `immunescape.population.eligibility`; None admits all.
    max_days : days from the seed within which the tumour has to reach its diameter at diagnosis.
    rtol : relative tolerance of the growth.
    plausibility : reject patients out of the plausibility bounds.
    method : see `immunescape.population.sampling`.
    draws : parameter sets tried for one candidate.
    block_size : candidates in one block; the patients do not depend on it.
    fit : how distributions are moved; None takes the fit that ships.
    """

    seed: int
    _: KW_ONLY
    stream: int = 0
    region: Region = "western"
    eligibility: Eligibility | None = None
    max_days: float = MAX_DAYS
    rtol: float = 1e-6
    plausibility: bool = True
    method: Method = "auto"
    draws: int = 10
    block_size: int = 256
    fit: PopulationFit | None = None

    def __post_init__(self) -> None:
        check_method(self.method)
        if self.region not in REGIONS:
            raise unknown_word("region", self.region, REGIONS)
        if self.eligibility is not None and not callable(self.eligibility):
            check_eligibility(self.eligibility)
        for name in ("seed", "stream"):
            if int(getattr(self, name)) < 0:
                raise InputError(f"{name} is negative")
        if self.draws < 1:
            raise InputError(f"draws is {self.draws}; at least one parameter set is tried")
        if self.block_size < 1:
            raise InputError(f"block_size is {self.block_size}; a block has at least one candidate")
        if not self.max_days > 0.0:
            raise InputError(f"max_days is {self.max_days:g}; it must be positive")
        if not 0.0 < self.rtol < 0.1:
            raise InputError(f"rtol is {self.rtol:g}; it must lie between 0 and 0.1")


@dataclass(frozen=True)
class Block:
    """Candidates ``index * size .. (index + 1) * size - 1``.

    Attributes
    ----------
    index : number of the block.
    table : one row for each accepted patient (see `Population`).
    fates : last fate of every candidate, by id: one of `FATES`, ``implausible: <observable>`` where out of bounds.
    draws : one row for each parameter set tried: ``id``, ``draw``, ``fate``.
    messages : id -> why its growth failed.
    """

    index: int
    table: pd.DataFrame
    fates: pd.Series
    draws: pd.DataFrame
    messages: dict[int, str] = field(default_factory=dict)


class BlockMaker:
    """Makes blocks of one population; the model is compiled once, at the first block that has somebody to grow."""

    def __init__(self, model: Model, spec: PopulationSpec, engine: Engine | None = None) -> None:
        self.model, self.spec, self._engine = model, spec, engine
        self._grower: Grower | None = None

    @property
    def engine(self) -> Engine | None:
        """The engine that was asked for."""
        return self._engine

    @property
    def grower(self) -> Grower:
        """The compiled model that grows tumours."""
        if self._grower is None:
            from immunescape.engine import get_engine

            engine = self._engine or get_engine("auto")
            self._grower = Grower(self.model, engine, rtol=self.spec.rtol, max_days=self.spec.max_days)
        return self._grower

    def block(self, index: int, *, limit: int | None = None) -> Block:
        """Make a block; `limit` cuts it to its first candidates."""
        import pandas as pd

        spec, size = self.spec, self.spec.block_size
        n = size if limit is None else min(size, limit)
        covariates = sample_covariates(index * size, n, spec.seed, spec.stream, region=spec.region, method=spec.method)
        fates = pd.Series("ineligible", index=covariates.index, dtype=object, name="fate")
        waiting = covariates[eligible(spec.eligibility, covariates)]
        return self._grown(index, waiting, fates)

    def grow(self, covariates: pd.DataFrame) -> Block:
        """Make patients of given covariates, whoever they belong to; eligibility is not applied.

        Parameters
        ----------
        covariates
            Rows as `sample_covariates` gives them (single values may have been replaced), by number of the candidate
            in increasing order.

        Returns
        -------
        A block of number 0 with these candidates.
        """
        import pandas as pd

        fates = pd.Series("ineligible", index=covariates.index, dtype=object, name="fate")
        return self._grown(0, covariates, fates)

    def parameters(self, covariates: pd.DataFrame, draw: int) -> dict[str, FloatArray]:
        """Parameters (n,) of candidates at one of their draws, in the units of the parameter tables."""
        spec = self.spec
        return patient_parameters(
            self.model.parameters, covariates, spec.seed, spec.stream, method=spec.method, draw=draw, fit=spec.fit
        )

    def _grown(self, index: int, waiting: pd.DataFrame, fates: pd.Series) -> Block:
        """Draw parameters for those who wait until they are patients, or `PopulationSpec.draws` sets were tried."""
        import pandas as pd

        tables, draws = [], []
        messages: dict[int, str] = {}
        for draw in range(self.spec.draws):
            if not len(waiting):
                break
            table, fate, failures = self._try(waiting, draw)
            fates[waiting.index] = fate
            messages.update(failures)
            draws.append(pd.DataFrame({"id": waiting.index, "draw": draw, "fate": fate}))
            if len(table):
                tables.append(table)
            waiting = waiting[(fate != "accepted") & (fate != "failed")]  # a failure is reported, not drawn again
        return Block(
            index,
            pd.concat(tables).sort_index() if tables else pd.DataFrame(),
            fates,
            pd.concat(draws, ignore_index=True) if draws else pd.DataFrame(columns=["id", "draw", "fate"]),
            messages,
        )

    def _try(self, covariates: pd.DataFrame, draw: int) -> tuple[pd.DataFrame, NDArray[np.object_], dict[int, str]]:
        """Draw parameters for candidates and grow them: accepted patients, fate of each, messages of failures."""
        import pandas as pd

        spec, model = self.spec, self.model
        ids = covariates.index.to_numpy()
        values = self.parameters(covariates, draw)
        in_base_units = {k: np.asarray(model.to_base(k, v)) for k, v in values.items() if k in model.parameters}
        growth = self.grower.grow(in_base_units, values[DIAMETER])
        messages = {int(ids[i]): text for i, text in growth.messages.items()}
        fate = np.where(growth.failed, "failed", np.where(growth.reached, "accepted", "never diagnosed")).astype(object)
        grown = np.flatnonzero(growth.reached)
        if not len(grown):
            return pd.DataFrame(), fate, messages
        values = {k: v[grown] for k, v in values.items()}
        in_base_units = {k: v[grown] for k, v in in_base_units.items()}
        states = {k: v[grown] for k, v in growth.states.items()}
        states = emerge(model, states, in_base_units, ids[grown].tolist(), spec.seed, spec.stream)
        observed = baseline(model, states, in_base_units)
        if spec.plausibility:
            reason = implausible(model, observed)
            fate[grown] = np.where(reason == "", "accepted", "implausible: " + reason.astype(str))
        accepted = fate[grown] == "accepted"
        columns: dict[str, FloatArray] = {
            "weight": np.ones(len(grown)),
            "days_to_diagnosis": growth.days[grown],
            **{f"p:{k}": values[k] for k in sorted(values)},
            **{f"b:{k}": v for k, v in observed.items()},
            **{f"x:{k}": v for k, v in states.items()},
        }
        # one array, because a table of some hundred single columns takes milliseconds to make
        numbers = np.empty((int(accepted.sum()), len(columns)))
        for k, column in enumerate(columns.values()):
            numbers[:, k] = column[accepted]
        rows = covariates.iloc[grown[accepted]]
        number_columns = pd.DataFrame(numbers, columns=list(columns), index=rows.index)
        number_columns.insert(1, "draw", np.full(len(rows), draw))
        return pd.concat([rows, number_columns], axis=1), fate, messages


def generate_block(model: Model, spec: PopulationSpec, index: int, *, engine: Engine | None = None) -> Block:
    """Make one block of candidates. To make many, keep a `BlockMaker`: it compiles the model once."""
    return BlockMaker(model, spec, engine).block(index)


_MAKERS: dict[str, tuple[bytes, BlockMaker]] = {}
"""What a worker process keeps between blocks: the maker of the last population, and what it was made from."""


def make_block(model: Model, spec: PopulationSpec, engine: Engine | None, index: int, limit: int) -> Block:
    """Make a block in a worker process, which compiles the model at its first."""
    import hashlib
    import pickle

    key = hashlib.sha256(pickle.dumps((model, spec, engine), protocol=5)).digest()
    if _MAKERS.get("current", (b"",))[0] != key:
        _MAKERS["current"] = (key, BlockMaker(model, spec, engine))
    return _MAKERS["current"][1].block(index, limit=limit)
