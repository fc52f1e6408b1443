"""The simulated course of one patient: a table by day, doses, scans, outcome; how it shows itself and is kept."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError, unknown_word
from immunescape.release import installed_version

if TYPE_CHECKING:
    import pandas as pd
    import xarray
    from matplotlib.figure import Figure

    from immunescape.model.assembly import Model
    from immunescape.patients.virtual_patient import VirtualPatient
    from immunescape.trial.dosing import DoseRecord

__all__ = ["PatientCourse"]


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class PatientCourse:
    """Course of a patient under a regimen; made by :meth:`VirtualPatient.simulate`.

    Attributes
    ----------
    patient : the patient.
    regimen, label, conduct, months : what was simulated; see
        :func:`immunescape.patients.simulate.simulate_patient`.
    table : (t,) rows by ``day`` since the start of treatment, a column for each output in its declared unit
        (`units`, also in ``table.attrs["units"]``).
    units, meanings : output -> unit, meaning.
    doses : one row per dose that was given: ``day, drug, amount, unit, planned_day, planned_amount``.
    scans : one row per scan, the baseline first: ``day, sld_mm, change_pct, new_lesion, response``; empty for
        ``conduct="planned"``.
    outcome : best response, days of progression, death, end of treatment, and severe toxicity; {} for
        ``conduct="planned"``.
    start : ``states`` and ``parameters`` at day 0, in base units.
    model : the model that was integrated.
    given : the doses, as `doses` shows them.
    """

    patient: VirtualPatient
    regimen: str
    label: str
    conduct: str
    months: float
    table: pd.DataFrame
    units: Mapping[str, str]
    meanings: Mapping[str, str]
    doses: pd.DataFrame
    scans: pd.DataFrame
    outcome: Mapping[str, Any]
    start: Mapping[str, Mapping[str, float]]
    model: Model
    given: tuple[DoseRecord, ...] = ()

    @property
    def start_diameter_cm(self) -> float:
        """The model's tumour diameter at day 0."""
        from immunescape.model.values import evaluate_quantities

        states, parameters = self.start["states"], self.start["parameters"]
        return float(evaluate_quantities(self.model, states, parameters, 0.0, ("diameter_T",))["diameter_T"])

    def to_sbml(self) -> str:
        """Return SBML of this patient with the doses; see :func:`immunescape.patients.exchange.patient_sbml`.

        Returns
        -------
        str
            SBML Level 3 Version 2, in base units; time 0 is the start of treatment.
        """
        from immunescape.patients.exchange import patient_sbml

        return patient_sbml(self)

    def to_omex(self, path: str | Path) -> Path:
        """Write a COMBINE archive with SED-ML; see :func:`immunescape.patients.exchange.write_omex`.

        Parameters
        ----------
        path
            File to write, ending in ``.omex``.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            Without the extra ``exchange``, for days that are not evenly spaced, and for a file that cannot be written.
        """
        from immunescape.patients.exchange import write_omex

        return write_omex(self, path)

    def to_petab(self, folder: str | Path, estimate: str | Sequence[str] = ()) -> list[Path]:
        """Write a PEtab problem; see :func:`immunescape.patients.exchange.write_petab`.

        Parameters
        ----------
        folder
            Folder to write to.
        estimate
            One or more parameters to be estimated; the others are fixed at the patient's values.

        Returns
        -------
        list of Path
            The files written, the problem's YAML file among them.

        Raises
        ------
        InputError
            For a course without scans, an unknown parameter, and a folder that cannot be written to.
        """
        from immunescape.patients.exchange import write_petab

        return write_petab(self, folder, estimate)

    def plot(self, panels: str | Sequence[str] | None = None, path: str | Path | None = None) -> Figure:
        """Plot the course over months; see :func:`immunescape.patients.plot.plot_courses`.

        Parameters
        ----------
        panels
            Outputs to plot beside tumour and drugs; None takes the default ones.
        path
            PNG, SVG or PDF file to write; None writes none.

        Returns
        -------
        Figure
            A matplotlib figure.

        Raises
        ------
        InputError
            For an output that the course does not have, and for a file that cannot be written.
        """
        from immunescape.patients.plot import plot_courses

        return plot_courses([self], panels, path)

    def column(self, name: str) -> pd.Series:
        """Return one output by name.

        Parameters
        ----------
        name
            State, quantity or parameter that was put out.

        Returns
        -------
        Series
            (t,) values by ``day``, in the unit ``units[name]``.

        Raises
        ------
        InputError
            For an output that was not asked for; names the nearest.
        """
        if name not in self.table.columns:
            if name in self.model.quantities or name in self.model.states or name in self.model.parameters:
                raise InputError(
                    f"'{name}' is not an output of this course",
                    hint=f"Simulate with observe=['{name}', …] (`--observe {name}`).",
                )
            raise unknown_word("output of this course", name, [str(c) for c in self.table.columns])
        return self.table[name]

    def to_xarray(self) -> xarray.Dataset:
        """Return the table as an xarray dataset with units and meanings (needs the extra ``xarray``).

        Returns
        -------
        Dataset
            One variable per output over ``day``; ``units`` and ``long_name`` are attributes.
        """
        try:
            import xarray
        except ImportError:
            raise InputError("xarray is not installed", hint="pip install 'immunescape[xarray]'") from None
        data = xarray.Dataset.from_dataframe(self.table)
        data["day"].attrs["units"] = "day"
        for name in self.units:
            data[name].attrs.update(units=self.units[name], long_name=self.meanings[name])
        data.attrs.update(regimen=self.regimen, conduct=self.conduct, patient=repr(self.patient))
        return data

    def to_json(self) -> dict[str, Any]:
        """Return what was simulated and what came of it, without the table.

        Returns
        -------
        dict
            Plain data: text, numbers, lists and dictionaries.
        """
        from immunescape.trial.result import _clean

        values: dict[str, Any] = _clean(
            {
                "regimen": self.regimen,
                "label": self.label,
                "conduct": self.conduct,
                "months": self.months,
                "version": installed_version(),
                "patient": {
                    "number": self.patient.number,
                    "seed": self.patient.seed,
                    "stream": self.patient.stream,
                    "origin": self.patient.origin,
                    "covariates": dict(self.patient.covariates),
                    "changes": dict(self.patient.changes),
                    **_mechanisms_of_files(self.patient),
                },
                "outcome": dict(self.outcome),
                "doses": self.doses.to_dict("records"),
                "scans": self.scans.to_dict("records"),
                "outputs": {n: {"unit": self.units[n], "meaning": self.meanings[n]} for n in self.units},
            }
        )
        return values

    def save(self, folder: str | Path, *, figure: bool = True) -> list[Path]:
        """Write the course to a folder; see :func:`immunescape.patients.courses.save_courses`.

        Parameters
        ----------
        folder
            Folder to write to, created if absent.
        figure
            False writes no ``course.png``.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        InputError
            If the folder cannot be written to.
        """
        from immunescape.patients.courses import save_courses

        return save_courses([self], Path(folder), figure=figure)

    def sentences(self) -> list[str]:
        """Return what happened, one sentence each, in the order of time.

        Returns
        -------
        list of str
            Sentences, with times in months since the start of treatment.
        """
        from immunescape.units import DAYS_PER_MONTH

        def months(day: float) -> str:
            return f"month {day / DAYS_PER_MONTH:.1f}"

        if not self.outcome:
            last = float(self.table.index[-1])
            return [f"Every planned dose is given ({len(self.doses)}); followed to {months(last)}."]
        o = self.outcome
        change = o["best_change_pct"]
        lines = [
            (
                0.0,
                f"Best response {o['best_response']}"
                + (f", {change:+.0f} % in diameters." if change is not None else "."),
            )
        ]
        lines += [(t["day"], f"Severe toxicity in {months(t['day'])} ({t['outcome']}).") for t in o["toxicity"]]
        if o["progression_day"] is not None:
            how = " by a new lesion" if o["progression_by_new_lesion"] else ""
            lines.append((o["progression_day"], f"Progression{how} in {months(o['progression_day'])}."))
        if self.doses.shape[0]:
            lines.append(
                (
                    o["treatment_end_day"],
                    f"Treatment ends in {months(o['treatment_end_day'])} after {o['doses_given']} doses.",
                )
            )
        if o["death_day"] is not None:
            lines.append((o["death_day"] + 1e-6, f"Death in {months(o['death_day'])} ({o['death_cause']})."))
        else:
            lines.append((float("inf"), f"Alive at {months(float(self.table.index[-1]))}."))
        return [text for _, text in sorted(lines, key=lambda item: item[0])]

    def __repr__(self) -> str:
        what = " ".join(self.sentences())
        return (
            f"PatientCourse({self.label!r}, {len(self.table)} days x {self.table.shape[1]} outputs, patient "
            f"{self.patient.number} of seed {self.patient.seed}: {what})"
        )

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self.sentences())
        return f"<p><b>{html.escape(self.label)}</b></p><ul>{items}</ul>" + self.patient._repr_html_()


def _mechanisms_of_files(patient: VirtualPatient) -> dict[str, Any]:
    """The mechanisms beside the registered ones by name and file; nothing where there are none."""
    listed = [{"name": m.name, "file": str(getattr(m, "source", ""))} for m in patient.mechanisms]
    return {"mechanisms": listed} if listed else {}
