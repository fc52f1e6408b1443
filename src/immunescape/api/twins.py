"""Public functions of the twins, ``immunescape.twin`` and ``immunescape.rank``, and the display of their results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from immunescape.api.ranking_settings import RankingChanges, RankingSettings, check_run, settings_with
from immunescape.console import NOTICE
from immunescape.errors import InputError, unknown_word

if TYPE_CHECKING:
    from immunescape.api.profiles import ProfiledStudy
    from immunescape.knowledge.profile_records import PatientProfile
    from immunescape.patients import VirtualPatient
    from immunescape.twins.options import Option
    from immunescape.twins.ranking import RankedPatient
    from immunescape.twins.recorded_patient import PatientRecord
    from immunescape.twins.twin import TwinResult

__all__ = ["RankedOptions", "Twins", "rank", "twin"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Twins:
    """Twins of one patient, with ways to look at them; made by :func:`twin`."""

    result: TwinResult

    def __repr__(self) -> str:
        t = self.result.twins
        return f"Twins({t.patient!r}, {len(t)} twins, {t.effective:.0f} effective; .show() prints them)"

    @property
    def table(self) -> Any:
        """Twins at diagnosis (pandas), with their ``weight``."""
        return self.result.twins.table.assign(weight=self.result.twins.weights)

    def patient(self, number: int) -> VirtualPatient:
        """Make one of the twins a patient, to simulate it under any regimen from diagnosis on.

        Parameters
        ----------
        number
            Index of the row of :attr:`table`. Its parameters are those of the twin, and no earlier line comes before.

        Returns
        -------
        VirtualPatient
            The twin at diagnosis.

        Raises
        ------
        InputError
            For a number that is not in the table.
        """
        from immunescape.patients import patient_of_twins

        twins = self.result.twins
        return patient_of_twins(twins.table, number, twins.seed, f"twin of {twins.patient}")

    @property
    def forecast(self) -> dict[str, Any]:
        """Forecast of the line on the day of the decision."""
        return dict(self.result.now)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``twins.json``.

        Returns
        -------
        dict
            Plain data: text, numbers, lists and dictionaries.
        """
        return {**self.result.to_json(), "notice": NOTICE}

    def show(self) -> None:
        """Print what the twins were conditioned on, how many are effective, and the forecast."""
        from immunescape.report.twin_text import print_twins

        print_twins(self.result)
        print(f"\n{NOTICE}")

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``twins.json``, ``twins.parquet`` and ``twins.html``.

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
        from immunescape.files import make_folder
        from immunescape.report.files import parquet_bytes, write_whole
        from immunescape.report.twin_report import write_twins

        target = Path(folder)
        make_folder(target)
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        table = self.table[[c for c in self.table.columns if not str(c).startswith("x:")]]
        return [
            write_whole(target / "twins.json", text.encode()),
            write_whole(target / "twins.parquet", parquet_bytes(table)),
            write_twins(self.result, target / "twins.html", NOTICE),
        ]


def _profiled(
    folder: str | Path | None, patient: str | None, units: dict[str, str] | None
) -> tuple[ProfiledStudy, str]:
    """The study with one patient profiled; None is the example that ships, and its first patient."""
    from immunescape.api.profiles import profile_study
    from immunescape.profile.loading import example_folder

    place = example_folder() if folder is None else folder
    if patient is None:
        if folder is not None:
            raise InputError("name a patient", hint="immunescape twin FOLDER --patient ID")
        patient = EXAMPLE
    study = profile_study(place, patients=[patient], units=units)
    if patient not in study.patients:
        raise unknown_word("patient", patient, study.done.study.patient_ids)
    return study, patient


EXAMPLE = "EX-01"
"""Patient of the example study whose twins `--example` makes."""


def twin(
    folder: str | Path | None = None,
    patient: str | None = None,
    *,
    at: float = 0.0,
    regimen: str | None = None,
    twins: int = 400,
    seed: int = 1,
    workers: int | None = None,
    engine: str = "auto",
    region: str = "western",
    units: dict[str, str] | None = None,
    enough: int | None = None,
    progress: Progress | None = None,
) -> Twins:
    """Draw the twins of a patient: the virtual population conditioned on what was measured.

    Parameters
    ----------
    folder
        Study folder, as of ``immunescape.profile_study``; None takes the example that ships.
    patient
        Identifier; None takes the example's patient.
    at
        Day of the decision, counted from the first dose of immunotherapy; nothing later is read.
    regimen
        What the forecast is of, as regimen text; None takes the line that the files name, else the standard of the
        setting.
    twins, seed, workers, engine, region
        Twins wanted; everything random follows from the seed and not from the number of processes.
    units
        For a cBioPortal study: column -> unit, where the study says none.
    enough
        Effective twins that there must be; None: 200.
    progress
        Called with (effective candidates, those wanted), and then with (twins done, twins in all).

    Returns
    -------
    Twins
        ``.table`` (one row a twin, with its weight), ``.forecast``, ``.show()``, ``.save(folder)``.

    Raises
    ------
    InputError
        For a patient or unit that is not known, and where too few twins are effective: names the measurement that the
        population finds least likely.
    """
    from immunescape.parallel import usable_cores
    from immunescape.twins.conditioning import ENOUGH, check_number_of_twins
    from immunescape.twins.records import patient_record
    from immunescape.twins.twin import made_twins

    check_run(twins=twins, seed=seed, workers=workers, engine=engine, region=region)
    if regimen is not None and not isinstance(regimen, str):
        raise InputError(f"the regimen is {regimen!r}", hint="Regimen text: 'docetaxel 75 mg/m2 every 3 weeks'.")
    check_number_of_twins(twins, ENOUGH if enough is None else enough)
    study, patient = _profiled(folder, patient, units)
    record = patient_record(study.done.study, study.patients[patient], at)
    label, text = _line_of(record, regimen)
    cores = usable_cores() if workers is None else workers
    result = made_twins(
        record,
        label,
        text,
        twins=twins,
        seed=seed,
        workers=cores,
        engine=engine,
        region=region,
        enough=ENOUGH if enough is None else enough,
        progress=progress,
    )
    return Twins(result)


def _line_of(record: PatientRecord, regimen: str | None) -> tuple[str, str]:
    """Name and regimen text of the line that is forecast."""
    from immunescape.twins.courses import regimen_of, usual_regimen
    from immunescape.twins.options import standard_of

    if regimen is not None:
        return regimen, str(regimen_of(regimen)) if regimen_of(regimen).drugs else "none"
    line = record.ongoing or record.planned
    if line is not None:
        return line.title, usual_regimen(line.drugs)
    standard = standard_of(record)
    return standard.title, standard.regimen


@dataclass(frozen=True)
class RankedOptions:
    """Options of one patient, ranked on the same twins; made by :func:`rank`."""

    result: RankedPatient
    outcomes: Any = field(default=None, repr=False)
    """A row for each twin and option (pandas): weight, survival, response, and what each measurement would show."""

    def __repr__(self) -> str:
        r = self.result
        return f"RankedOptions({r.record.patient!r}, {len(r.ranking.rows)} options; .show() prints them)"

    @property
    def table(self) -> Any:
        """One row an option (pandas): level, figures, probabilities."""
        import pandas as pd

        rows = []
        for r in self.result.ranking.rows:
            row: dict[str, Any] = {"option": r.option.title, "evidence": r.option.level, "role": r.option.role}
            row |= {k: f.value for k, f in r.figures.items()}
            row |= {"score": r.score.value, "best": r.best, "not_worse": r.not_worse, "told_apart": r.distinguishable}
            rows.append(row)
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``ranking.json``.

        Returns
        -------
        dict
            Plain data: text, numbers, lists and dictionaries.
        """
        return {**self.result.to_json(), "notice": NOTICE}

    def show(self) -> None:
        """Print the options in order, with their evidence level, and what the ranking says."""
        from immunescape.report.twin_text import print_ranking

        print_ranking(self.result)
        print(f"\n{NOTICE}")

    def save_design(self, path: str | Path) -> Path:
        """Write the biomarker-enriched trial that the twins suggest, as YAML for `immunescape design`.

        Parameters
        ----------
        path
            YAML file to write.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            If no measurement defines a group of twins in which an option is ahead of the standard, or if the file
            cannot be written.
        """
        return write_design([self.outcomes], path)

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``ranking.json`` and ``ranking.html``.

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
        from immunescape.files import make_folder
        from immunescape.report.files import write_whole
        from immunescape.report.twin_report import write_ranking

        target = Path(folder)
        make_folder(target)
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        return [
            write_whole(target / "ranking.json", text.encode()),
            write_ranking(self.result, target / "ranking.html", NOTICE),
        ]


def write_design(outcomes: Sequence[Any], path: str | Path) -> Path:
    """Write the enriched trial that the twins of some patients suggest."""
    from immunescape.files import whole_file
    from immunescape.twins.enriched import design_text, enriched_trial

    text, target = design_text(enriched_trial(outcomes)), Path(path)
    hint = "Choose another file with --design."
    with whole_file(target, f"cannot write {target}", hint=hint, where="", parents=True, error=InputError) as file:
        file.write(text.encode())
    return target


def rank(
    folder: str | Path | None = None,
    patient: str | None = None,
    *,
    at: float = 0.0,
    options: str | Path | None = None,
    units: dict[str, str] | None = None,
    progress: Progress | None = None,
    settings: RankingSettings | None = None,
    **changes: Unpack[RankingChanges],
) -> RankedOptions:
    """Rank the regimens that a patient's setting allows on the patient's twins.

    Parameters
    ----------
    folder, patient, at, units, progress
        See :func:`twin`.
    options
        YAML file with the user's own regimens, ranked beside those of the setting.
    settings, changes
        Number of twins, seed, weights of benefit and harm and what else a ranking is computed with, as a record
        (:class:`RankingSettings`), as keywords (``twins=200``), or both: keywords replace fields of the record.

    Returns
    -------
    RankedOptions
        ``.table`` (one row an option, in order), ``.show()``, ``.save(folder)``.

    Raises
    ------
    InputError
        As :func:`twin`, for an options file that cannot be used, and for a keyword that is no setting.
    """
    from immunescape.twins.conditioning import ENOUGH, check_number_of_twins
    from immunescape.twins.records import patient_record

    used = settings_with(settings, changes)
    check_number_of_twins(used.twins, ENOUGH if used.enough is None else used.enough)
    study, patient = _profiled(folder, patient, units)
    profile = study.patients[patient]
    record = patient_record(study.done.study, profile, at)
    chosen, left = choose_options(record, profile, options)
    return rank_options(record, chosen, left, used, progress=progress)


def choose_options(
    record: PatientRecord, profile: PatientProfile, options: str | Path | None = None
) -> tuple[tuple[Option, ...], tuple[str, ...]]:
    """Options of a patient's setting and the user's own, and sentences on what is not offered.

    Raises
    ------
    InputError
        Where the patient is on a line without progression, or nothing is for the setting.
    """
    from immunescape.twins.options import options_for, options_from_file, setting_of

    if record.ongoing is not None:
        begun = record.ongoing.start
        when = f"with --at {begun:g}, the day it begins, or " if begun >= 0.0 else ""
        raise InputError(
            f"on day {record.at:g} the patient is on {record.ongoing.title} without progression",
            hint=f"`immunescape twin --at {record.at:g}` shows the forecast of that line. Rank {when}on a day after "
            "progression or its last dose.",
        )
    present = frozenset(name for name, call in profile.calls.items() if call.state == "present")
    chosen, left = options_for(record, present, profile.biomarkers)
    if options is not None:
        chosen = (*chosen, *options_from_file(options, setting_of(record), [o.name for o in chosen]))
    if not chosen:
        raise InputError(
            f"no regimen of the table is for this setting ({setting_of(record).text})",
            hint="Name regimens with --options FILE.",
        )
    return chosen, left


def rank_options(
    record: PatientRecord,
    options: Sequence[Option],
    left_out: Sequence[str] = (),
    settings: RankingSettings | None = None,
    *,
    progress: Progress | None = None,
    **changes: Unpack[RankingChanges],
) -> RankedOptions:
    """Draw the twins of a patient, follow them under each option, rank, and say what to measure next.

    Parameters
    ----------
    record
        The patient on the day of the decision.
    options, left_out
        See :func:`choose_options`.
    settings, changes, progress
        See :func:`rank`.
    """
    from immunescape.parallel import usable_cores
    from immunescape.twins.conditioning import ENOUGH
    from immunescape.twins.crew import crew_of
    from immunescape.twins.fit_weights import fit_factors
    from immunescape.twins.options import setting_of
    from immunescape.twins.outcomes import outcomes_of
    from immunescape.twins.population import reference_observables
    from immunescape.twins.ranking import MARGIN, RankedPatient, comparisons_of, ranked
    from immunescape.twins.ranking_uncertainty import FIT_DRAWS, shipped_uncertainty
    from immunescape.twins.steps import limiting_steps, steps_moved
    from immunescape.twins.twin import twins_on
    from immunescape.twins.value import measure_next

    used = settings_with(settings, changes)
    with crew_of(usable_cores() if used.workers is None else used.workers) as crew:
        followed = twins_on(
            record,
            tuple((o.name, o.regimen) for o in options),
            twins=used.twins,
            seed=used.seed,
            workers=crew,
            engine=used.engine,
            region=used.region,
            months=used.months,
            enough=ENOUGH if used.enough is None else used.enough,
            progress=progress,
        )
        reference = reference_observables("east_asian" if used.region == "east_asian" else "western", crew)
    limiting = limiting_steps(followed.twins.table, followed.twins.weights, reference)
    first_line = not record.history and not record.unknown_lines
    regimens = {o.name: o.regimen for o in options}
    early = steps_moved(followed, regimens, reference, used.engine) if first_line else {}
    ranking = ranked(
        followed,
        options,
        weights=used.weights,
        margin=MARGIN if used.margin is None else used.margin,
        uncertainty=shipped_uncertainty(fit_factors(followed, FIT_DRAWS, used.seed)),
        seed=used.seed,
        early=early,
        limiting=limiting,
    )
    following = measure_next(record, followed, ranking, reference, seed=used.seed)
    beside = comparisons_of(record, followed, options)
    result = RankedPatient(
        record, followed, ranking, tuple(left_out), setting_of(record).text, following, comparisons=beside
    )
    return RankedOptions(result, outcomes_of(result, reference, months=used.months, seed=used.seed))
