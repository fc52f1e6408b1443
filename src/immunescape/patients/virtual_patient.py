"""A virtual patient at diagnosis: covariates, parameters, state of the model, changes, earlier lines.

The parameters of a patient depend on nothing but the seed, the stream, the patient's number and the covariates, drug by
drug and mechanism by mechanism: the same patient can be given any drug afterwards, with the same clearance each time.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from immunescape.errors import InputError, several
from immunescape.model.absent_names import absent_name
from immunescape.model.specificity import DEFAULT, Specificity

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model.assembly import Model
    from immunescape.model.declarations import Mechanism
    from immunescape.patients.course import PatientCourse
    from immunescape.patients.courses import PatientCourses
    from immunescape.patients.relief import LimitingStep
    from immunescape.population.fit import PopulationFit
    from immunescape.trial.spec import PriorLine

__all__ = ["Change", "VirtualPatient"]

Change = float | str
"""A value in the unit of the parameter table, or a factor of the patient's own value, such as ``x2``."""
_SHOWN = (
    "age",
    "sex",
    "histology",
    "stage",
    "smoking",
    "ecog",
    "pdl1_tps",
    "tmb_mut_mb",
    "driver",
    "sld_mm",
    "n_lesions",
)
_NAMES = {
    "ecog": "ECOG",
    "pdl1_tps": "PD-L1 TPS",
    "tmb_mut_mb": "TMB",
    "sld_mm": "sum of diameters",
    "n_lesions": "lesions",
}


@dataclass(frozen=True, repr=False, kw_only=True)
class VirtualPatient:
    """A virtual patient at diagnosis; made by :func:`immunescape.patient` or ``result.patient(number)``.

    Attributes
    ----------
    number, seed, stream : the candidate that the patient was drawn as.
    draw : number of the parameter set, among those tried for the candidate, with which the tumour was diagnosed.
    covariates : column of the patient table -> value (`immunescape.population.covariates.COLUMNS` has the units).
    states : state of the model -> amount at diagnosis, in base units.
    biomarkers : observable -> value at diagnosis, in its declared unit (``patient.unit(name)`` is that of the model).
    days_to_diagnosis : days from the first cancer cells to diagnosis.
    changes : parameter -> what it is changed to from the start of the simulation on.
    prior : lines of treatment that come before what is simulated.
    fit : how distributions across patients are moved; None: the fit that ships.
    beyond_progression : probability that treatment goes on after progression, as in the arm that the patient is from.
    drugs : drugs that the model has beside those of the regimen: those of the trial that the patient is from, so that
        the integrator takes the same steps.
    scans : visit schedule of the trial that the patient is from, whose scans have their own days; None: no such trial.
    lesions : ``single``: the target lesions share one simulated tumour and new ones are drawn; ``several``: each lesion
        is simulated, as in trials. The table of a course always shows the first.
    specificity : of the model that made the patient; see :mod:`immunescape.model.specificity`.
    origin : where the patient is from, as text.
    measurable : whether the trial that the patient is from demands a measurable lesion after earlier lines; a patient
        without one is scanned again until there is one.
    rtol : relative tolerance with which the patient was made, and is simulated where nothing else is said.
    mechanisms : mechanisms beside the registered ones, with which the tumour has grown.
    conditioned : parameter -> value (in the unit of the parameter table) in place of the one that seed and number draw:
        those of a twin, which measurements have moved.
    """

    number: int
    seed: int
    stream: int
    draw: int
    covariates: Mapping[str, Any]
    states: Mapping[str, float]
    biomarkers: Mapping[str, float]
    days_to_diagnosis: float
    changes: Mapping[str, Change] = field(default_factory=dict)
    prior: tuple[PriorLine, ...] = ()
    fit: PopulationFit | None = None
    beyond_progression: float = 0.0
    drugs: tuple[str, ...] = ()
    scans: str | None = None
    lesions: Literal["single", "several"] = "several"
    specificity: Specificity = DEFAULT
    origin: str = "drawn"
    measurable: bool = False
    rtol: float = 1e-6
    mechanisms: tuple[Mechanism, ...] = ()
    conditioned: Mapping[str, float] = field(default_factory=dict)

    def changed(self, **changes: Change) -> VirtualPatient:
        """Return the patient with parameters changed from the start of the simulation on (the tumour is not regrown).

        Parameters
        ----------
        **changes
            Parameter = value in the unit of the parameter table, or a factor such as ``"x2"``. ``switch_NAME=0`` turns
            a mechanism off. `immunescape model` lists the parameters.

        Returns
        -------
        VirtualPatient
            A copy; this patient is unchanged.

        Raises
        ------
        InputError
            For a value that is neither a finite number nor a factor. Names are checked when the patient is simulated.
        """
        for name, change in changes.items():
            _checked(name, change)
        # numbers of numpy stand in result files and labels as Python's do
        plain = {n: c if isinstance(c, (str, int, float)) else float(c) for n, c in changes.items()}
        return replace(self, changes={**self.changes, **plain})

    def parameters(self, model: Model) -> dict[str, float]:
        """Return parameter -> value, in the units of the parameter tables, of all in which this patient differs.

        Parameters
        ----------
        model
            The model whose parameters are meant.

        Returns
        -------
        dict
            Parameter -> value.

        Raises
        ------
        InputError
            For a change of a parameter that the model does not have, or to a value that is not finite or is negative
            where that of the table is not.
        """
        from immunescape.population.linking import patient_parameters

        values = {
            name: float(value[0])
            for name, value in patient_parameters(
                model.parameters, self._covariate_row(), self.seed, self.stream, draw=self.draw, fit=self.fit
            ).items()
        }
        values |= {
            name: float(value) for name, value in self.conditioned.items() if name in (*values, *model.parameters)
        }
        for name, change in self.changes.items():
            if name not in model.parameters:
                raise absent_name("parameter", name, model.parameters, (d.name for d in model.drugs))
            current = values.get(name, float(model.parameters[name].value))
            values[name] = current * float(change[1:]) if isinstance(change, str) else float(change)
            if not math.isfinite(values[name]):
                raise InputError(f"'{name}' would be {values[name]}", hint="Give a number or a factor such as x2.")
            if values[name] < 0.0 <= model.parameters[name].value:
                raise InputError(
                    f"'{name}' would be {values[name]:g}", hint="It cannot be negative: give 0 or a positive number."
                )
        return values

    def table(self, model: Model) -> pd.DataFrame:
        """Return the patient as the one row of a population's table (see `immunescape.population.Population`).

        Parameters
        ----------
        model
            The model whose parameters the row holds.

        Returns
        -------
        DataFrame
            (1, columns): covariates, ``p:`` parameters in the units of their tables, ``x:`` states in base units.

        Raises
        ------
        InputError
            For a change of a parameter that the model does not have.
        """
        import pandas as pd

        row = self._covariate_row()
        numbers: dict[str, float] = {"weight": 1.0, "days_to_diagnosis": self.days_to_diagnosis}
        numbers |= {f"p:{k}": v for k, v in sorted(self.parameters(model).items())}
        numbers |= {f"x:{k}": v for k, v in self.states.items()}
        row_values = pd.DataFrame({k: [v] for k, v in numbers.items()}, index=row.index)
        row_values.insert(1, "draw", self.draw)
        return pd.concat([row, row_values], axis=1)

    def _covariate_row(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({k: [v] for k, v in self.covariates.items()}, index=pd.Index([self.number], name="id"))

    def simulate(self, regimen: str = "none", **options: Any) -> PatientCourse:
        """Simulate this patient under a regimen; see :func:`immunescape.patients.simulate.simulate_patient`.

        Parameters
        ----------
        regimen
            Regimen text with doses in clinical units; ``none`` for no treatment.
        **options
            ``months`` (24), ``conduct``, ``observe``, ``every_days``, ``scans``, ``engine``, ``rtol``, ``model`` and
            ``label``, as described there.

        Returns
        -------
        PatientCourse
            ``.table`` (days x outputs, each in its unit), ``.scans``, ``.doses``, ``.outcome``, ``.plot()``.

        Raises
        ------
        InputError
            For a regimen, name or number that cannot be used; names the nearest valid word.
        EngineError
            If the integration fails.

        Examples
        --------
        >>> patient.simulate("pembrolizumab 200 mg every 3 weeks", months=24).plot()  # doctest: +SKIP
        """
        from immunescape.patients.simulate import simulate_patient

        return simulate_patient(self, regimen, **options)

    def compare(self, regimens: str | Sequence[str], **options: Any) -> PatientCourses:
        """Simulate the patient under several regimens with the same random numbers.

        Parameters
        ----------
        regimens
            One or more regimen texts.
        **options
            As in :meth:`simulate`.

        Returns
        -------
        PatientCourses
            The courses in this order; ``.plot()`` draws them over each other, ``.table`` and ``.outcomes`` list them.

        Raises
        ------
        InputError
            For no regimen, and as :meth:`simulate`.
        """
        from immunescape.patients.courses import PatientCourses

        texts = several(regimens)
        if not texts:
            raise InputError("no regimen to compare", hint="Give one or more regimen texts.")
        return PatientCourses(tuple(self.simulate(text, **options) for text in texts))

    def sweep(
        self, parameter: str, values: Sequence[Change] | Change, regimen: str = "none", **options: Any
    ) -> PatientCourses:
        """Simulate the patient for several values of one parameter.

        Parameters
        ----------
        parameter
            Parameter of the model.
        values
            One or more values in the unit of its table, or factors such as ``"x2"``.
        regimen
            The treatment.
        **options
            As in :meth:`simulate`, but for ``label``: each course is named by its value.

        Returns
        -------
        PatientCourses
            One course per value, in this order.

        Raises
        ------
        InputError
            For an unknown parameter, for a value that is neither a finite number nor a factor, for no value, and as
            :meth:`simulate`.
        """
        from immunescape.patients.courses import PatientCourses

        chosen: Sequence[Change] = [values] if isinstance(values, (str, int, float, Real)) else values
        if not len(chosen):
            raise InputError(f"no value of '{parameter}' to simulate", hint="Give one or more values.")
        courses = []
        for value in chosen:
            text = f"{parameter} {value}" if isinstance(value, str) else f"{parameter} = {value:g}"
            courses.append(self.changed(**{parameter: value}).simulate(regimen, label=text, **options))
        return PatientCourses(tuple(courses))

    def limiting_step(self, regimen: str = "none", *, months: float = 6.0, engine: str = "auto") -> LimitingStep:
        """Find the step of the cancer–immunity cycle whose relief helps most; see `immunescape.patients.relief`.

        Parameters
        ----------
        regimen
            The treatment; all its planned doses are given.
        months
            When the tumour is measured.
        engine
            Engine by name.

        Returns
        -------
        LimitingStep
            The limiting step, if there is one, and the effect of relieving each.

        Raises
        ------
        InputError
            As :meth:`simulate`.
        """
        from immunescape.patients.relief import limiting_step

        return limiting_step(self, regimen, months=months, engine=engine)

    def _facts(self) -> list[tuple[str, str]]:
        from immunescape.knowledge.printed_units import printed_amount
        from immunescape.population.covariates import COLUMNS

        facts = []
        for name in _SHOWN:
            value, unit = self.covariates.get(name), COLUMNS[name][0]
            text = f"{value:.3g}" if isinstance(value, float) else str(value)
            facts.append((_NAMES.get(name, name), printed_amount(text, unit)))
        return facts

    def __repr__(self) -> str:
        facts = "; ".join(f"{name} {value}" for name, value in self._facts())
        changes = "".join(f"; with {m.name}" for m in self.mechanisms)
        changes += "".join(f"; {k} {v}" for k, v in self.changes.items())
        return f"VirtualPatient({self.origin}, number {self.number}, seed {self.seed}: {facts}{changes})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{html.escape(a)}</th><td>{html.escape(b)}</td></tr>" for a, b in self._facts()
        )
        head = html.escape(f"Virtual patient {self.number} ({self.origin}, seed {self.seed})")
        return f"<table><caption>{head}</caption>{rows}</table>"


def _checked(name: str, change: Change) -> None:
    """Refuse what is neither a finite number nor a factor."""
    text = change
    if isinstance(change, str):
        try:
            factor = float(change[1:]) if change[:1] in ("x", "×") else math.nan
        except ValueError:
            factor = math.nan
        text = factor
    if isinstance(text, bool) or not isinstance(text, (int, float, Real)) or not math.isfinite(text):
        raise InputError(
            f"'{name}' cannot be changed to {change!r}",
            hint="Give a number in the unit of the parameter table, or a factor such as x2.",
        )
