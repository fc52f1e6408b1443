"""Trial designs from Python: :func:`load_design`, its run, and the files that a run leaves."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError

if TYPE_CHECKING:
    from immunescape.design.records import Design
    from immunescape.design.simulation import OperatingCharacteristics

__all__ = ["DesignRun", "VirtualDesign", "design_sizes", "designs_table", "load_design", "run_designs"]

REPLICATES = 5000
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class VirtualDesign:
    """A design that is ready to run; made by :func:`load_design`."""

    file: str
    text: str

    @property
    def name(self) -> str:
        """Name of the design."""
        import yaml

        try:
            content = yaml.safe_load(self.text)
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            content = None  # reading the design says where the text is not YAML
        return str(content.get("name", Path(self.file).stem)) if isinstance(content, dict) else Path(self.file).stem

    def load(self, *, workers: int | None = None, progress: Progress | None = None) -> Design:
        """Read the design; simulates its virtual population if that is not stored yet (minutes).

        Parameters
        ----------
        workers
            Processes for the virtual population; None takes one per usable core.
        progress
            Called with (patients done, patients in all).

        Returns
        -------
        Design
            The checked design.

        Raises
        ------
        InputError
            For a file that cannot be used: names the line, the field and the nearest valid term.
        """
        from immunescape.design.loading import read_design

        return read_design(self.file, self.text, workers=workers, progress=progress)

    def run(
        self,
        replicates: int = REPLICATES,
        seed: int = 1,
        workers: int | None = None,
        out: str | Path | None = None,
        cluster: Any = None,
        progress: Progress | None = None,
    ) -> DesignRun:
        """Simulate the design under its scenarios and under the null.

        Parameters
        ----------
        replicates
            Simulated trials per scenario.
        seed
            Everything random follows from it; results do not depend on workers or cluster.
        workers
            Processes; one per core by default.
        out
            Folder: keeps finished blocks (a rerun resumes or grows) and receives design.json, report.html, the YAML
            and reproduce.py. None keeps nothing.
        cluster
            A ``distributed.Client`` or the address of a dask scheduler, in place of processes.
        progress
            Called with (done, all).

        Returns
        -------
        DesignRun
            Operating characteristics: power or type I error, patients and months, with Monte Carlo errors.

        Raises
        ------
        InputError
            For a design, number or folder that cannot be used.
        """
        return _run([self], replicates, seed=seed, workers=workers, cluster=cluster, out=out, progress=progress)

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.name)}</b> ({html.escape(str(self.file))})</p>"


@dataclass(frozen=True)
class DesignRun:
    """Operating characteristics of one design, or of several side by side over the same random numbers."""

    results: tuple[OperatingCharacteristics, ...]

    @property
    def result(self) -> OperatingCharacteristics:
        """The first (or only) design."""
        return self.results[0]

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``design.json``.

        Returns
        -------
        dict
            Plain data: text, numbers, lists and dictionaries.
        """
        from immunescape.design.simulation import DesignComparison, plain

        if len(self.results) == 1:
            return self.result.to_json()
        return {
            "designs": [r.to_json() for r in self.results],
            "comparison": plain(DesignComparison(self.results).rows()),
        }

    def show(self) -> None:
        """Print boundaries and operating characteristics."""
        from immunescape.report.design_report import print_designs

        print_designs(self.results)

    def save(self, folder: str | Path) -> list[Path]:
        """Write design.json, report.html, and the YAML and script that reproduce them.

        Parameters
        ----------
        folder
            Folder to write to, created if absent; files of the same names are replaced.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        InputError
            If the folder cannot be created or written to.
        """
        from immunescape.console import NOTICE
        from immunescape.report.design_report import save

        return save(self.results, self.to_json(), Path(folder), NOTICE)


def load_design(name: str | Path) -> VirtualDesign:
    """Load a trial design that ships with the package, by name, or one of your own, by the path of its YAML file.

    Parameters
    ----------
    name
        An included design (`designs_table` lists them), one of an installed plug-in, or the path of a YAML file
        (``immunescape design --template`` prints one).

    Returns
    -------
    VirtualDesign
        The design, ready to run; its content is checked when it is loaded or run.

    Raises
    ------
    InputError
        If there is neither, with the nearest name.
    """
    from immunescape.design.loading import resolve

    return VirtualDesign(*resolve(name))


def run_designs(
    names: Sequence[str | Path],
    replicates: int = REPLICATES,
    seed: int = 1,
    *,
    workers: int | None = None,
    cluster: Any = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> DesignRun:
    """Simulate one design, or several side by side with common random numbers; see :meth:`VirtualDesign.run`.

    Parameters
    ----------
    names
        Names or paths, as for :func:`load_design`.
    replicates, seed, workers, cluster, out, progress
        As for :meth:`VirtualDesign.run`.

    Returns
    -------
    DesignRun
        One result per design, in this order.

    Raises
    ------
    InputError
        For no design, or two of the same name.
    """
    virtual = [load_design(n) for n in names]
    labels = [v.name for v in virtual]
    if not labels or len(set(labels)) != len(labels):
        raise InputError(f"designs need names of their own, not {labels}", hint="Give each file its own 'name'.")
    return _run(virtual, replicates, seed=seed, workers=workers, cluster=cluster, out=out, progress=progress)


def _run(
    virtual: Sequence[VirtualDesign],
    replicates: int,
    *,
    seed: int,
    workers: int | None,
    cluster: Any,
    out: str | Path | None,
    progress: Progress | None,
) -> DesignRun:
    from immunescape.design.simulation import simulate
    from immunescape.files import check_folder
    from immunescape.parallel import usable_cores

    cores = workers if workers is not None else usable_cores()
    if out is not None:
        check_folder(Path(out))
    loaded = [v.load(workers=cores, progress=progress) for v in virtual]
    run = DesignRun(
        tuple(simulate(d, replicates, seed, workers=cores, cluster=cluster, out=out, progress=progress) for d in loaded)
    )
    if out is not None:
        run.save(out)
    return run


def design_sizes(name: str | Path, *, workers: int | None = None) -> dict[str, dict[str, Any] | None]:
    """Power and sizes of a design by formula, without a simulation: scenario -> figures, None where no formula holds.

    Parameters
    ----------
    name
        As for :func:`load_design`.
    workers
        Processes for a virtual population that is not stored yet; None takes one per usable core.

    Returns
    -------
    dict
        For each scenario ``cumulative_power`` and ``months`` by look, and ``size_for_power`` (events and patients for
        80 and 90 %).

    Raises
    ------
    InputError
        For a design that does not exist or cannot be used.
    """
    from immunescape.design.complaints import planned
    from immunescape.design.planning import planning
    from immunescape.design.simulation import plain

    loaded = load_design(name).load(workers=workers)
    plan = planned(loaded)
    return {s: plain(planning(loaded, plan, s)) for s in loaded.truths}


def designs_table() -> list[dict[str, Any]]:
    """One row for each trial design that can be named: the included ones and those of plug-ins.

    Returns
    -------
    list of dict
        ``name``, ``kind`` (of the decision rule), ``patients`` (in all) and ``title``.
    """
    import yaml

    from immunescape.design.loading import list_designs, resolve

    rows = []
    for name in list_designs():
        content = yaml.safe_load(resolve(name)[1])
        rows.append({"name": name, "kind": content["kind"], "patients": content["patients"], "title": content["title"]})
    return rows
