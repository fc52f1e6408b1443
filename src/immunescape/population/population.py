"""Populations of virtual patients at diagnosis."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError, ModelError
from immunescape.population.blocks import Block, BlockMaker, PopulationSpec, make_block
from immunescape.population.covariates import COLUMNS, Region
from immunescape.population.diagnosis import MAX_DAYS
from immunescape.population.eligibility import Eligibility
from immunescape.population.sampling import Method

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.engine.api import Engine
    from immunescape.model.assembly import Model

__all__ = ["Population"]

_METADATA = b"immunescape_population"


@dataclass(frozen=True, eq=False, kw_only=True)
class Population:
    """Virtual patients at diagnosis, before any treatment.

    Attributes
    ----------
    table : one row for each patient, indexed by its number among the candidates (`id`). Columns: the covariates;
        ``weight`` (prevalence weight, 1 where nothing was fitted); ``days_to_diagnosis``; ``p:<parameter>`` in the unit
        of the parameter table, for every parameter in which patients differ; ``b:<observable>`` at diagnosis in its
        declared unit; ``x:<state>`` at diagnosis in base units.
    model : the model, or None where the population was read from a file without one.
    seed, stream : candidate i depends only on (seed, stream, i).
    counts : candidates, and how many of them met each fate: accepted, ineligible, never diagnosed, failed,
        ``implausible: <observable>`` (the last draw's).
    draws : the same for every parameter set tried, over all eligible candidates.
    messages : id -> why its growth failed.
    """

    table: pd.DataFrame
    model: Model | None
    seed: int
    stream: int
    counts: Mapping[str, int]
    draws: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def generate(
        cls,
        model: Model,
        n: int | None = None,
        *,
        seed: int,
        stream: int = 0,
        candidates: int | None = None,
        eligibility: Eligibility | None = None,
        region: Region = "western",
        engine: Engine | None = None,
        rtol: float = 1e-6,
        max_days: float = MAX_DAYS,
        plausibility: bool = True,
        method: Method = "auto",
        draws: int = 10,
        block_size: int = 256,
        start_block: int = 0,
        max_candidates: int | None = None,
        progress: Callable[[int], None] | None = None,
        workers: int = 1,
        cluster: Any = None,
    ) -> Population:
        """Draw candidates in order until `n` of them are patients.

        Covariates are drawn first and eligibility is applied to them; only eligible tumours grow.

        Parameters
        ----------
        model
            The assembled model, with the drugs that the patients may get.
        n
            Patients wanted; None takes what `candidates` give.
        seed, stream
            Candidate i of a stream depends only on (seed, stream, i), whatever `n` and `block_size`.
        candidates
            Number of candidates to draw where `n` is None.
        eligibility, region, max_days, rtol, plausibility, method, draws, block_size
            See `PopulationSpec`.
        engine
            Engine that grows the tumours; None takes the fastest.
        start_block
            First block of candidates.
        max_candidates
            Give up beyond this number (default: 1000 for each patient wanted).
        progress
            Called with the number of patients found since the last call.
        workers, cluster
            Processes, or a ``distributed.Client`` or the address of a dask scheduler, that make the blocks; 1 makes
            them here. Patients do not depend on it.

        Raises
        ------
        InputError
            For a wrong specification, and where so few candidates become patients that `max_candidates` is reached.
        """
        _check_numbers(n, candidates)
        spec = PopulationSpec(
            seed,
            stream=stream,
            region=region,
            eligibility=eligibility,
            max_days=max_days,
            rtol=rtol,
            plausibility=plausibility,
            method=method,
            draws=draws,
            block_size=block_size,
        )
        if workers < 1:
            raise InputError(f"the number of workers is {workers}", hint="Use at least one.")
        limit = candidates if candidates is not None else (max_candidates or 1000 * (n or 1))
        maker = BlockMaker(model, spec, engine)
        blocks = _enough(_blocks(maker, start_block, limit, workers, cluster), n, progress)
        population = cls.from_blocks(model, seed, stream, blocks, n)
        if n is not None and len(population) < n:
            drawn = sum(len(block.fates) for block in blocks)
            raise InputError(
                f"{drawn} candidates gave {len(population)} of {n} patients",
                hint=f"Fates: {dict(population.counts)}; draws: {dict(population.draws)}. "
                "Widen the eligibility or raise max_candidates.",
            )
        return population

    @classmethod
    def from_blocks(
        cls, model: Model | None, seed: int, stream: int, blocks: Iterable[Block], n: int | None = None
    ) -> Population:
        """Put blocks together, in the order of their numbers.

        With `n`, the population ends with its n-th patient: later candidates are neither kept nor counted, so the
        result does not depend on the size of the blocks.
        """
        import pandas as pd

        ordered = sorted(blocks, key=lambda b: b.index)
        filled = [b.table for b in ordered if len(b.table)]
        table = pd.concat(filled) if filled else pd.DataFrame(index=pd.RangeIndex(0, name="id"))
        fates = pd.concat([b.fates for b in ordered]) if ordered else pd.Series(dtype=object)
        draws = pd.concat([b.draws for b in ordered]) if ordered else pd.DataFrame(columns=["id", "fate"])
        messages = {k: v for b in ordered for k, v in b.messages.items()}
        if n is not None and len(table) >= n:
            table = table.iloc[:n]
            fates = fates.loc[: table.index[-1]]
            draws = draws[draws["id"] <= table.index[-1]]
            messages = {k: v for k, v in messages.items() if k <= table.index[-1]}

        def count(values: pd.Series) -> dict[str, int]:
            return {str(k): int(v) for k, v in values.value_counts().sort_index().items()}

        counts = {"candidates": len(fates), **count(fates)}
        return cls(
            table=table,
            model=model,
            seed=seed,
            stream=stream,
            counts=counts,
            draws={"draws": len(draws), **count(draws["fate"])},
            messages=messages,
        )

    def _named(self, prefix: str) -> list[str]:
        return [c[len(prefix) :] for c in self.table.columns if str(c).startswith(prefix)]

    def parameters(self, model: Model | None = None) -> dict[str, NDArray[np.float64]]:
        """Return parameter -> (n,) values in base units, for those that the model has; fit for an engine's job."""
        used = model or self.model
        if used is None:
            raise ModelError("this population was read without a model", hint="Pass the model.")
        names = [p for p in self._named("p:") if p in used.parameters]
        return {p: np.asarray(used.to_base(p, self.table[f"p:{p}"].to_numpy(dtype=float))) for p in names}

    def initial(self, model: Model | None = None) -> dict[str, NDArray[np.float64]]:
        """Return state -> (n,) amounts at diagnosis in base units; fit for an engine's job.

        With a model, states that the population does not have (drugs) are zero.
        """
        names = self._named("x:")
        values_of_states = {s: self.table[f"x:{s}"].to_numpy(dtype=float) for s in names}
        if model is None:
            return values_of_states
        return {s: values_of_states.get(s, np.zeros(len(self))) for s in model.states}

    @property
    def covariates(self) -> pd.DataFrame:
        """Covariate columns."""
        return self.table[[c for c in COLUMNS if c in self.table.columns]]

    @property
    def acceptance(self) -> float:
        """Share of the parameter sets tried that gave a patient."""
        return self.draws.get("accepted", 0) / self.draws["draws"] if self.draws.get("draws") else float("nan")

    def summary(self) -> pd.DataFrame:
        """Weighted mean, and median and quartiles, of every numeric column; shares of truth values."""
        import pandas as pd

        rows = {}
        w = self.table["weight"].to_numpy(dtype=float)
        for name in self.table.columns:
            if str(name).startswith("x:") or name == "weight" or self.table[name].dtype == object:
                continue
            x = self.table[name].to_numpy(dtype=float)
            finite = np.isfinite(x)
            quartiles = np.quantile(x[finite], (0.25, 0.5, 0.75)) if finite.any() else (np.nan,) * 3
            mean = float(np.average(x[finite], weights=w[finite])) if finite.any() else np.nan
            rows[name] = (mean, *quartiles, int(finite.sum()))
        return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "q25", "median", "q75", "n"])

    def to_parquet(self, path: str | Path) -> None:
        """Write table, seed, stream and counts to a Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        meta: dict[str, Any] = {
            "seed": self.seed,
            "stream": self.stream,
            "counts": dict(self.counts),
            "draws": dict(self.draws),
            "messages": {str(k): v for k, v in self.messages.items()},
        }
        table = pa.Table.from_pandas(self.table)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _METADATA: json.dumps(meta).encode()})
        pq.write_table(table, Path(path))

    @classmethod
    def from_parquet(cls, path: str | Path, model: Model | None = None) -> Population:
        """Read what `to_parquet` wrote; `model` is attached to it."""
        import pyarrow.parquet as pq

        table = pq.read_table(Path(path))
        stored = (table.schema.metadata or {}).get(_METADATA)
        if stored is None:
            raise InputError(
                "the file contains no population", where=str(path), hint="It is written by Population.to_parquet."
            )
        meta = json.loads(stored)
        messages = {int(k): v for k, v in meta["messages"].items()}
        return cls(
            table=table.to_pandas(),
            model=model,
            seed=meta["seed"],
            stream=meta["stream"],
            counts=meta["counts"],
            draws=meta["draws"],
            messages=messages,
        )


def _check_numbers(n: int | None, candidates: int | None) -> None:
    """Refuse both or neither of two numbers of which one is needed, and none below 1."""
    if (n is None) == (candidates is None):
        raise InputError("give either n, the number of patients required, or candidates, the number to draw")
    if (n is not None and n < 1) or (candidates is not None and candidates < 1):
        raise InputError("the number of patients or candidates must be at least 1")


def _enough(blocks: Iterator[Block], n: int | None, progress: Callable[[int], None] | None) -> list[Block]:
    """Take blocks until they hold `n` patients (None: all), and report those that are new."""
    taken: list[Block] = []
    accepted = 0
    for block in blocks:
        taken.append(block)
        new = len(block.table) if n is None else min(len(block.table), n - accepted)
        accepted += len(block.table)
        if progress is not None and new > 0:
            progress(new)
        if n is not None and accepted >= n:
            break
    return taken


def _blocks(maker: BlockMaker, start: int, limit: int, workers: int, cluster: Any) -> Iterator[Block]:
    """Blocks in the order of their numbers, until `limit` candidates are drawn or the caller has enough."""
    size = maker.spec.block_size
    left = list(range(0, limit, size))  # candidates before each block
    if cluster is None and workers == 1:
        for k, before in enumerate(left):
            yield maker.block(start + k, limit=limit - before)
        return
    from immunescape.parallel import open_team

    ready: dict[int, Block] = {}

    def keep(key: Hashable, block: Block) -> None:
        assert isinstance(key, int)
        ready[key] = block

    team = open_team(workers, cluster)
    ahead, shown = 0, 0
    try:
        while shown < len(left):
            most = min(team.width, max(2, 2 * ahead))  # a few first: they may be enough
            while ahead < len(left) and team.under_way < most:
                name = f"block {start + ahead} of the population"
                team.submit(
                    ahead, name, make_block, maker.model, maker.spec, maker.engine, start + ahead, limit - left[ahead]
                )
                ahead += 1
            team.take(keep)
            while shown in ready:
                yield ready.pop(shown)
                shown += 1
    finally:
        team.close()
