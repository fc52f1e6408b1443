"""Rankings of all patients of a study: ``immunescape.rank_cohort(folder)``, kept by patient."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import quote

from immunescape.api.ranking_settings import RankingChanges, RankingSettings, settings_with
from immunescape.console import NOTICE, print_table
from immunescape.errors import ImmunescapeError, InputError
from immunescape.release import installed_version

if TYPE_CHECKING:
    from immunescape.api.profiles import ProfiledStudy
    from immunescape.knowledge.profile_records import PatientProfile
    from immunescape.twins.options import Option
    from immunescape.twins.recorded_patient import PatientRecord

__all__ = ["RankedCohort", "rank_cohort"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RankedCohort:
    """Ranked options of the patients of a study; made by :func:`rank_cohort`.

    Attributes
    ----------
    study : name of the folder.
    rankings : patient -> content of its ``ranking.json``.
    reasons : patient -> why it cannot be ranked.
    resumed : patients whose files were there already.
    outcomes : patient -> outcomes of the twins under each option (pandas).
    """

    study: str
    rankings: Mapping[str, Mapping[str, Any]]
    reasons: Mapping[str, str]
    resumed: int = 0
    outcomes: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return (
            f"RankedCohort({self.study!r}, {len(self.rankings)} patients ranked, {len(self.reasons)} not; .show() "
            "prints them)"
        )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row a ranked patient: setting, first choice and its figures, what to measure next."""
        return [_row(name, content) for name, content in self.rankings.items()]

    @property
    def table(self) -> Any:
        """The rows as a table (pandas), those who cannot be ranked with the reason."""
        import pandas as pd

        return pd.DataFrame([*self.rows, *({"patient": k, "not_ranked": v} for k, v in self.reasons.items())])

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``cohort.json``.

        Returns
        -------
        dict
            Plain data: text, numbers, lists and dictionaries.
        """
        return {
            "study": self.study,
            "patients": self.rows,
            "cannot_be_ranked": [{"patient": k, "reason": v} for k, v in self.reasons.items()],
            "notice": NOTICE,
        }

    def show(self) -> None:
        """Print a row for each patient, and the reasons why others have none."""
        from immunescape.twins.words import biomarker_title

        rows = [
            {
                "patient": r["patient"],
                "setting": r["setting"],
                "first choice": r["first_choice"] + (" (standard)" if r["first_is_standard"] else ""),
                "evidence": r["evidence_level"],
                "alive at 12 months, %": "{value:.0f} ({low:.0f} to {high:.0f})".format(**r["alive_at_12_months_pct"]),
                "against the standard": _against(r),
                "measure next": ", ".join(biomarker_title(n) for n in r["changes_the_first_choice"])
                or "nothing that changes the choice",
                "effective twins": f"{r['effective_twins']:.0f}",
            }
            for r in self.rows
        ]
        print()
        print_table(f"{self.study}: first choices of {len(rows)} patients", rows)
        if self.reasons:
            print()
            lacking = [{"patient": k, "reason": v} for k, v in self.reasons.items()]
            print_table(f"Cannot be ranked: {len(lacking)} patients", lacking)
        print(f"\n{NOTICE}")

    def save_design(self, path: str | Path) -> Path:
        """Write the biomarker-enriched trial that the twins of all ranked patients suggest, for `immunescape design`.

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
        from immunescape.api.twins import write_design

        return write_design(list(self.outcomes.values()), path)

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``cohort.json`` and ``cohort.csv``.

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

        target = Path(folder)
        make_folder(target)
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        flat = self.table.drop(columns=["alive_at_12_months_pct", "score_less_standard"], errors="ignore")
        if "changes_the_first_choice" in flat:
            flat["changes_the_first_choice"] = [
                ";".join(names) if isinstance(names, list) else "" for names in flat["changes_the_first_choice"]
            ]
        return [
            write_whole(target / "cohort.json", text.encode()),
            write_whole(target / "cohort.csv", flat.to_csv(index=False).encode()),
        ]


def _against(row: Mapping[str, Any]) -> str:
    """What the first choice is against the standard, in words."""
    if not row["has_standard"]:
        return "no standard in the table"
    if row["first_is_standard"]:
        return "the standard"
    return "distinguishable" if row["told_apart_from_standard"] else "not distinguishable"


def _row(patient: str, content: Mapping[str, Any]) -> dict[str, Any]:
    from immunescape.twins.options import STANDARD_ROLES

    first = content["options"][0]
    alive = {k: 100.0 * v for k, v in first["figures"]["os_12"].items()}
    reference = next(o for o in content["options"] if o["name"] == content["standard"])
    has_standard = reference["role"] in STANDARD_ROLES
    following = content.get("measure_next") or {"measurements": []}
    return {
        "patient": patient,
        "setting": content["setting"],
        "first_choice": first["title"],
        "evidence_level": first["evidence_level"],
        "first_is_standard": first["name"] == content["standard"] and has_standard,
        "has_standard": has_standard,
        "alive_at_12_months_pct": alive,
        "alive_12_months_pct": alive["value"],
        "score": first["score"]["value"],
        "score_less_standard": first["score_less_standard"],
        "told_apart_from_standard": first["told_apart_from_standard"],
        "changes_the_first_choice": [m["biomarker"] for m in following["measurements"] if m["told_from_chance"]],
        "effective_twins": content["effective_twins"],
    }


def rank_cohort(
    folder: str | Path,
    *,
    out: str | Path | None = None,
    patients: Collection[str] | None = None,
    at: float = 0.0,
    options: str | Path | None = None,
    units: dict[str, str] | None = None,
    progress: Progress | None = None,
    settings: RankingSettings | None = None,
    **changes: Unpack[RankingChanges],
) -> RankedCohort:
    """Rank the options of every patient of a study.

    Parameters
    ----------
    folder, at, options, units, settings, changes
        See :func:`immunescape.rank`.
    out
        Folder that receives ``patients/ID.json``, ``.html`` and ``.parquet`` (the twins' outcomes) of each patient as
        soon as it is done. A rerun takes from there what rests on the same files and settings; None keeps nothing.
    patients
        Identifiers; None takes all.
    progress
        Called with (patients done, patients in all).

    Returns
    -------
    RankedCohort
        ``.table`` (one row a patient), ``.reasons`` (patient -> why not ranked), ``.show()``, ``.save(folder)``.

    Raises
    ------
    InputError
        For a folder, unit or options file that cannot be used. What keeps one patient from being ranked is a reason
        beside that patient, and no error.
    """
    from immunescape.api.profiles import profile_study
    from immunescape.files import check_folder, make_folder
    from immunescape.twins.options import Setting, options_from_file

    used = settings_with(settings, changes)
    if options is not None:  # a file that nobody can use is refused once, not with every patient
        options_from_file(
            options, Setting(line=1, had_inhibitor=False, had_platinum=False, histology="", pdl1=None, driver="")
        )
    place = None if out is None else Path(out) / "patients"
    if place is not None:
        check_folder(Path(out or "."))
        make_folder(place)
    study = profile_study(folder, patients=patients, units=units)
    rankings: dict[str, Mapping[str, Any]] = {}
    reasons: dict[str, str] = {}
    outcomes: dict[str, Any] = {}
    resumed = 0
    for number, (patient, profile) in enumerate(study.patients.items(), start=1):
        try:
            record, chosen, left = _decision(study, profile, at, options)
            done = _ranked_or_kept(patient, record, chosen, left, used, place)
        except ImmunescapeError as error:
            reasons[patient] = _reason(error)
        else:
            resumed += done.kept
            if done.outcomes is not None:
                outcomes[patient] = done.outcomes
            if "ranking" in done.content:
                rankings[patient] = done.content["ranking"]
            else:
                reasons[patient] = str(done.content["cannot_be_ranked"])
        if progress is not None:
            progress(number, len(study.patients))
    return RankedCohort(study.name, rankings, reasons, resumed, outcomes)


@dataclass(frozen=True)
class _PatientDone:
    """One patient: content of the JSON file, outcomes of the twins, and whether an earlier run left both."""

    content: Mapping[str, Any]
    outcomes: Any
    kept: bool


def _decision(
    study: ProfiledStudy, profile: PatientProfile, at: float, options: str | Path | None
) -> tuple[PatientRecord, tuple[Option, ...], tuple[str, ...]]:
    """Return the patient on the day of the decision, the options, and sentences on what is not offered."""
    from immunescape.api.twins import choose_options
    from immunescape.twins.records import patient_record

    record = patient_record(study.done.study, profile, at)
    return (record, *choose_options(record, profile, options))


def _ranked_or_kept(
    patient: str,
    record: PatientRecord,
    options: tuple[Option, ...],
    left_out: tuple[str, ...],
    settings: RankingSettings,
    place: Path | None,
) -> _PatientDone:
    """Rank a patient, or take what an earlier run in `place` kept of the same files and settings."""
    import pandas as pd

    from immunescape.api.twins import rank_options

    key = _key(record, options, settings)
    kept = None if place is None else _kept(place, patient, key)
    if place is not None and kept is not None:
        table = pd.read_parquet(f"{_stem(place, patient)}.parquet") if "ranking" in kept else None
        return _PatientDone(kept, table, True)
    made = None
    try:
        made = rank_options(record, options, left_out, settings)
        content: dict[str, Any] = {"ranking": made.to_json()}
    except InputError as error:  # after drawing twins: as dear as a ranking, so kept as well
        content = {"cannot_be_ranked": _reason(error)}
    if place is not None:
        _keep(place, patient, key, content, made)
    return _PatientDone(content, None if made is None else made.outcomes, False)


def _reason(error: ImmunescapeError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _key(record: PatientRecord, options: Collection[Option], settings: RankingSettings) -> str:
    """Fingerprint of all that a ranking rests on."""
    from immunescape.engine.native.cache import fingerprint
    from immunescape.knowledge.profile_to_model import profile_links
    from immunescape.trial.coefficients import coefficients
    from immunescape.trial.runner import model_digest

    return fingerprint(
        installed_version(),
        model_digest(),
        repr(record),
        repr(tuple(options)),
        repr(sorted(settings.that_matter().items())),
        repr(profile_links()),
        repr(sorted(coefficients("twin_errors").items())),
    )


def _stem(place: Path, patient: str) -> Path:
    """Path of a patient's files without their ending, whatever signs the identifier has."""
    return place / quote(patient, safe=" ")


def _kept(place: Path, patient: str, key: str) -> dict[str, Any] | None:
    """What an earlier run kept of a patient; None where it rests on something else, or is not whole."""
    stem = _stem(place, patient)
    try:
        content = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("fingerprint") != key:
        return None
    whole = "cannot_be_ranked" in content or ("ranking" in content and Path(f"{stem}.parquet").exists())
    return content if whole else None


def _keep(place: Path, patient: str, key: str, content: Mapping[str, Any], made: Any) -> None:
    from immunescape.report.files import parquet_bytes, write_whole
    from immunescape.report.twin_report import write_ranking

    stem = _stem(place, patient)
    if made is not None:
        write_ranking(made.result, Path(f"{stem}.html"), NOTICE)
        write_whole(Path(f"{stem}.parquet"), parquet_bytes(made.outcomes))
    # the JSON is written last, so that it stands for all three
    text = json.dumps({"fingerprint": key, **content}, indent=1, ensure_ascii=False)
    write_whole(Path(f"{stem}.json"), text.encode())
