"""Virtual trials from Python: :func:`load_trial`, its run, and how the result shows itself."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.console import NOTICE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from immunescape.patients import VirtualPatient
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["VirtualResult", "VirtualTrial", "load_trial", "patient", "trials_table"]


@dataclass(frozen=True)
class VirtualTrial:
    """A trial that is ready to run; made by :func:`load_trial`."""

    spec: Trial

    @property
    def name(self) -> str:
        """Name of the trial."""
        return self.spec.name

    def with_curves(self, folder: str | Path) -> VirtualTrial:
        """Return the trial with published Kaplan-Meier curves, which figures then draw whole.

        Parameters
        ----------
        folder
            Folder with event times; see :func:`immunescape.evaluation.published_curves.curves_at_hand`.

        Returns
        -------
        VirtualTrial
            A copy; this trial is unchanged.

        Raises
        ------
        InputError
            For a trial without published results, or a folder without its curves.
        """
        from dataclasses import replace

        from immunescape.errors import InputError
        from immunescape.evaluation.published_curves import curves_at_hand

        published = self.spec.published
        if published is None:
            raise InputError(f"'{self.name}' has no published results", hint="Give it a `published:` block.")
        curves = {**published.curves, **curves_at_hand(self.spec, Path(folder))}
        return VirtualTrial(replace(self.spec, published=replace(published, curves=curves)))

    def run(
        self,
        patients: int | None = None,
        seed: int = 1,
        *,
        workers: int | None = None,
        out: str | Path | None = None,
        engine: str = "auto",
        paired: bool = False,
        progress: Callable[[int, int], None] | None = None,
        attribute: int | None = None,
        cluster: Any = None,
    ) -> VirtualResult:
        """Simulate the trial.

        Parameters
        ----------
        patients
            Virtual patients per arm; None takes the protocol's numbers, at most 150.
        seed
            Everything random follows from it; the same seed gives bit-identical results on one machine.
        workers
            Processes; one per core by default. Results do not depend on it.
        out
            Folder that keeps finished blocks of patients, so that an interrupted run resumes; None keeps nothing.
        engine
            ``auto``, ``native``, ``roadrunner`` or ``reference``.
        paired
            Both arms share the same patients; differences are then estimated by a paired bootstrap.
        progress
            Called with (patients done, patients in all).
        attribute
            For so many patients whose disease resisted, find the mechanism that carried the escape.
        cluster
            A ``distributed.Client`` or the address of a dask scheduler, whose workers make the patients in place of
            processes of this machine.

        Returns
        -------
        VirtualResult
            With the table of patients, the figures of each arm, and methods that print and write them.

        Raises
        ------
        InputError
            For a number of patients, seed, workers or engine that cannot be used, and for a folder `out` that cannot
            be written to.
        EngineError
            If the model cannot be compiled, or patients cannot be integrated.
        """
        from dataclasses import replace

        from immunescape.trial.runner import run_trial

        result = run_trial(
            self.spec,
            patients=patients,
            seed=seed,
            workers=workers,
            out=None if out is None else Path(out),
            engine=engine,
            paired=paired,
            progress=progress,
            cluster=cluster,
        )
        if attribute is not None:
            from immunescape.trial.attribution import attribute as attribute_escape

            escape = attribute_escape(
                self.spec, result.patients, seed=seed, engine=result.engine, paired=paired, number=attribute
            )
            result = replace(result, escape=escape)
        return VirtualResult(result)

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{html.escape(self.spec.title)}</b><br>"
            + "<br>".join(html.escape(f"{a.name}: {a.regimen}") for a in self.spec.arms)
            + "</p>"
        )


@dataclass(frozen=True)
class VirtualResult:
    """Result of a virtual trial, with ways to look at it."""

    result: TrialResult

    @property
    def patients(self) -> pd.DataFrame:
        """One row per virtual patient: covariates, response, times (months) and events."""
        return self.result.patients

    @property
    def units(self) -> dict[str, str]:
        """Unit of each column of :attr:`patients`; '' for words and truth values."""
        return {column: note["unit"] for column, note in self._notes().items()}

    @property
    def meanings(self) -> dict[str, str]:
        """Meaning of each column of :attr:`patients`."""
        return {column: note["description"] for column, note in self._notes().items()}

    def _notes(self) -> dict[str, dict[str, str]]:
        from immunescape.report.result_files import column_notes

        trial = self.result.trial
        return column_notes([str(c) for c in self.patients.columns], trial.drugs, trial.specificity)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``result.json`` (its schema: ``immunescape trial --result-schema``).

        Returns
        -------
        dict
            Plain data: text, numbers, lists and dictionaries.
        """
        return self.result.to_json()

    def show(self) -> None:
        """Print predicted beside published results."""
        from immunescape.report.text import print_result

        print_result(self.result, NOTICE)

    def report(self, path: str | Path) -> Path:
        """Write the one-file HTML report.

        Parameters
        ----------
        path
            HTML file to write.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        from immunescape.report.trial_report import write_report

        return write_report(self.result, Path(path), NOTICE)

    def plot(self) -> Figure:
        """Return predicted and published Kaplan-Meier curves as a figure that shows itself in a notebook.

        Returns
        -------
        matplotlib.figure.Figure
            Survival over months, one panel for each endpoint.
        """
        from immunescape.report.trial_report import survival_plot

        return survival_plot(self.result)

    def figure(self, path: str | Path) -> Path:
        """Write predicted and published Kaplan-Meier curves, over months, as a PNG picture.

        Parameters
        ----------
        path
            PNG file to write.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        from immunescape.report.trial_report import write_figure

        return write_figure(self.result, Path(path))

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``result.json``, ``patients.parquet``, ``scans.parquet``, ``report.html`` and ``survival.png``.

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
        from immunescape.report.trial_report import save

        return save(self.result, Path(folder), NOTICE)

    def patient(self, number: int, arm: str | None = None) -> VirtualPatient:
        """Make one of the virtual patients again, as it was at diagnosis, to simulate it under any regimen.

        Parameters
        ----------
        number
            ``id`` of the row of :attr:`patients`.
        arm
            Name of the arm, where the number occurs in more than one.

        Returns
        -------
        VirtualPatient
            The patient at diagnosis, with the earlier lines of the trial.

        Raises
        ------
        InputError
            For a number or arm that the trial does not have, and for a number in several arms if none is named.
        """
        from immunescape.patients import patient_of_trial

        return patient_of_trial(self.result, number, arm)

    def __repr__(self) -> str:
        r = self.result
        arms = ", ".join(f"{arm.name} {int((r.patients['arm'] == arm.name).sum())}" for arm in r.trial.arms)
        return f"VirtualResult({r.trial.name}, seed {r.seed}; patients: {arms}; .show() prints the figures)"

    def _repr_html_(self) -> str:
        from immunescape.report.text import result_html

        return result_html(self.result, NOTICE)


def load_trial(name: str | Path) -> VirtualTrial:
    """Load a trial that ships with the package, by name, or one of your own, by the path of its YAML file.

    Parameters
    ----------
    name
        An included trial (`trials_table` lists them), one of an installed plug-in, or the path of a YAML file
        (``immunescape trial --template`` prints one).

    Returns
    -------
    VirtualTrial
        The trial, ready to run.

    Raises
    ------
    InputError
        For a name that does not exist, with the nearest one, and for a file that cannot be used, with its line.

    Examples
    --------
    >>> immunescape.load_trial("keynote-024").run(patients=200, seed=1).show()  # doctest: +SKIP
    """
    from immunescape.trial import loading

    return VirtualTrial(loading.load_trial(name))


def patient(seed: int = 1, **options: Any) -> VirtualPatient:
    """Draw one virtual patient; see :func:`immunescape.patients.draw_patient`.

    Parameters
    ----------
    seed
        Seed of all random numbers.
    **options
        Covariates that the patient has (``pdl1_tps=60, stk11=True, histology="nonsquamous"``), ``region``, ``number``,
        ``mechanisms`` (beside the registered ones, see :func:`immunescape.mechanism_from_sbml`).

    Returns
    -------
    VirtualPatient
        The patient at diagnosis; its ``simulate``, ``compare`` and ``sweep`` give courses by day.

    Raises
    ------
    InputError
        For an unknown covariate or value, and for covariates with which no tumour is diagnosed.

    Examples
    --------
    >>> patient = immunescape.patient(seed=7, pdl1_tps=60)  # doctest: +SKIP
    >>> patient.simulate("pembrolizumab 200 mg every 3 weeks", months=24).plot()  # doctest: +SKIP
    """
    from immunescape.patients import draw_patient

    return draw_patient(seed, **options)


def trials_table() -> list[dict[str, Any]]:
    """One row for each trial that can be named: the included ones and those of plug-ins.

    Returns
    -------
    list of dict
        ``name``, ``title``, ``arms`` (separated by ``|``), ``n`` (patients per arm, separated by ``/``) and
        ``registry`` (trial number, '' if none).
    """
    from immunescape.trial import loading

    rows = []
    for name in loading.list_trials():
        spec = loading.load_trial(name)
        rows.append(
            {
                "name": name,
                "title": spec.title,
                "arms": " | ".join(arm.name for arm in spec.arms),
                "n": "/".join(str(arm.n) for arm in spec.arms),
                "registry": spec.registry or "",
            }
        )
    return rows
