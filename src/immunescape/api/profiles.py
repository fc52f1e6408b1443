"""Profiles from Python: ``immunescape.profile_study(folder)``, its result, and what that can show and write."""

from __future__ import annotations

import html
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.console import NOTICE, print_table
from immunescape.errors import several
from immunescape.profile.study_tables import StudyTables
from immunescape.release import installed_version

if TYPE_CHECKING:
    from immunescape.profile.assemble import Assembled

__all__ = ["ProfiledStudy", "biomarkers_table", "build_reference", "profile_study"]


@dataclass(frozen=True)
class ProfiledStudy(StudyTables):
    """Profiles of the patients of a study, with ways to look at them; made by :func:`profile_study`."""

    def __repr__(self) -> str:
        read = sum(bool(rows) for rows in self.done.measured.values())
        return f"ProfiledStudy({self.name!r}, {len(self.patients)} patients, {read} biomarkers; .show() prints it)"

    def to_polars(self) -> dict[str, Any]:
        """Return biomarkers and calls as polars data frames (extra ``polars``).

        Returns
        -------
        dict
            ``biomarkers`` and ``calls`` -> one row per patient and biomarker, or mechanism.
        """
        from immunescape.profile.export import to_polars

        return to_polars(self.done)

    def to_anndata(self) -> Any:
        """Return the numeric biomarkers as AnnData (extra ``anndata``).

        Returns
        -------
        AnnData
            Patients x biomarkers; not assessable is NaN.
        """
        from immunescape.profile.export import to_anndata

        return to_anndata(self.done)

    def to_mudata(self) -> Any:
        """Return biomarkers, calls and expression as MuData (extra ``mudata``).

        Returns
        -------
        MuData
            One modality each, over the same patients.
        """
        from immunescape.profile.export import to_mudata

        return to_mudata(self.done)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``profile.json`` (its schema: ``immunescape profile --schema``).

        Returns
        -------
        dict
            Plain data: text, numbers, lists and dictionaries.
        """
        from immunescape.profile.profile_json import study_json

        return study_json(self.done, NOTICE, installed_version())

    def show(self, patient: str | None = None) -> None:
        """Print the study, or one patient: calls with their evidence, stratum, scores, options.

        Parameters
        ----------
        patient
            Identifier; None prints the study, or the patient of a study of one.

        Raises
        ------
        InputError
            For a patient that the study does not have, with the nearest one.
        """
        from immunescape.report.profile_text import print_patient, print_study

        if patient is None and len(self.patients) > 1:
            print_study(self)
        else:
            print_patient(self, patient or next(iter(self.patients), ""))
        print(f"\n{NOTICE}")

    def show_associations(self, endpoints: str | Collection[str] | None = None) -> None:
        """Print the tests of :meth:`associations`, smallest p first.

        Parameters
        ----------
        endpoints
            As for :meth:`associations`.

        Raises
        ------
        InputError
            For an unknown endpoint.
        """
        from immunescape.report.profile_outcome import association_lines

        table, _ = self.associations(endpoints)
        titles = {n: r.title for n, r in self.done.calls.rules.mechanisms.items()}
        for endpoint, rows in table.groupby("endpoint", sort=False):
            lines = association_lines(rows, titles)
            print()
            print_table(f"{endpoint}: {len(lines)} of {len(rows)} comparisons could be tested", lines)
        if table.empty:
            print("The files contain no such outcome.")

    def show_interactions(self, treated: str, endpoint: str = "os") -> None:
        """Print the tests of :meth:`interactions`, smallest p first.

        Parameters
        ----------
        treated, endpoint
            As for :meth:`interactions`.

        Raises
        ------
        InputError
            For an arm or endpoint that the files do not have.
        """
        from immunescape.report.profile_outcome import interaction_lines

        table = self.interactions(treated, endpoint)
        lines = interaction_lines(table, {n: r.title for n, r in self.done.calls.rules.mechanisms.items()})
        print()
        print_table(f"{endpoint}: interaction with {treated}, {len(lines)} of {len(table)} could be tested", lines)

    def report(self, path: str | Path, statistics: bool = True) -> Path:
        """Write the one-file HTML report.

        Parameters
        ----------
        path
            HTML file to write.
        statistics
            False leaves out the associations with outcome.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        from immunescape.report.profile_report import write_report

        return write_report(self, Path(path), NOTICE, statistics)

    def save_statistics(
        self, folder: str | Path, endpoints: str | Collection[str] | None = None, treated: str | None = None
    ) -> list[Path]:
        """Write what :meth:`associations` and :meth:`interactions` find, and the report, into a folder.

        Parameters
        ----------
        folder
            Where ``associations.csv``, ``associations.json`` (the same tests, with the study they are of),
            ``outcomes.csv`` (one row a patient), ``report.html`` and, with `treated`, ``interactions_pfs.csv`` and
            ``interactions_os.csv`` go.
        endpoints
            As for :meth:`associations`.
        treated
            Name of the experimental arm; None tests no interaction.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        InputError
            For an endpoint or arm that the files do not have.
        """
        from immunescape.files import make_folder
        from immunescape.report.files import write_whole

        target = Path(folder)
        table, outcome = self.associations(endpoints)
        tables = {"associations.csv": table, "outcomes.csv": outcome.rename_axis("patient").reset_index()}
        if treated is not None:
            for endpoint in [e for e in several(endpoints or ["os"]) if e in ("pfs", "os")] or ["os"]:
                tables[f"interactions_{endpoint}.csv"] = self.interactions(treated, endpoint)
        make_folder(target)
        content = {
            "notice": NOTICE,
            "study": self.name,
            "immunescape": installed_version(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "treated": treated,
            "associations": json.loads(table.to_json(orient="records", double_precision=10)),
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        written = [write_whole(target / "associations.json", text.encode("utf-8"))]
        for name, rows in tables.items():
            written.append(write_whole(target / name, rows.to_csv(index=False).encode("utf-8")))
        return [*written, self.report(target / "report.html")]

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``profile.json``, ``biomarkers.parquet`` and ``report.html`` into a folder.

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
        from immunescape.profile.export import long_table
        from immunescape.profile.profile_json import json_text
        from immunescape.report.files import parquet_bytes, write_pieces, write_whole

        target = Path(folder)
        make_folder(target)
        paths = [target / name for name in ("profile.json", "biomarkers.parquet", "report.html")]
        write_pieces(paths[0], json_text(self.done, NOTICE, installed_version()))
        write_whole(paths[1], parquet_bytes(long_table(self.done)))
        self.report(paths[2])
        return paths

    def _repr_html_(self) -> str:
        table = self.prevalence.to_html(border=0)
        return f"<h4>{html.escape(self.name)}: {len(self.patients)} patients</h4>{table}<p><i>{NOTICE}</i></p>"


def profile_study(
    folder: str | Path,
    *,
    patients: str | Collection[str] | None = None,
    rules: str | Path | None = None,
    reference: str | Path | None = None,
    units: Mapping[str, str] | None = None,
) -> ProfiledStudy:
    """Read a study folder and profile its patients.

    Parameters
    ----------
    folder
        A cBioPortal study folder as downloaded, or a folder with ``manifest.yaml`` (`immunescape profile --template`).
    patients
        Patients to profile; None takes all.
    rules
        A rule file of your own; None takes the one that ships.
    reference
        Name or folder of a frozen reference that percentiles of expression are taken from (`immunescape reference
        build`); None: the one that the manifest names, else no percentiles, and what needs them is not assessable.
    units
        For a cBioPortal study: column, analyte or name of an expression file -> unit, where the study says none.

    Returns
    -------
    ProfiledStudy
        ``.calls`` and ``.biomarkers`` as tables, ``.patients`` as records, ``.show()``, ``.save(folder)``.

    Raises
    ------
    InputError
        Naming file, row, the nearest valid word and the next action.
    """
    from immunescape.knowledge.mechanism_rules import load_rules
    from immunescape.profile.assemble import assemble
    from immunescape.profile.biomarkers.registry import biomarkers
    from immunescape.profile.loading import load_study

    rule_set = None if rules is None else load_rules(rules, allowed=biomarkers())
    study = load_study(folder, units)
    if reference is not None:
        from immunescape.profile.biomarkers.expression import load_reference

        study.expression_reference = load_reference(reference)
    chosen = None if patients is None else several(patients)
    return ProfiledStudy(_by_setting(assemble(study, rule_set, chosen)))


def _by_setting(done: Assembled) -> Assembled:
    """Say of every patient's strategies what line and history say of them, where the files record treatment."""
    from dataclasses import replace

    from immunescape.twins.strategy_setting import strategies_in_setting

    patients = {
        name: replace(p, options=strategies_in_setting(done.study, p)) for name, p in done.profile.patients.items()
    }
    return replace(done, profile=replace(done.profile, patients=patients))


def build_reference(
    folder: str | Path, name: str, out: str | Path | None = None, units: Mapping[str, str] | None = None
) -> Path:
    """Build a frozen reference from the expression of a study folder; returns the folder it was written to.

    Parameters
    ----------
    folder
        Study folder with expression of at least 20 samples.
    name
        Name that `profile` finds it by.
    out
        Where to write; None writes to the folder that names are looked up in.
    units
        For a cBioPortal study: name of an expression file -> unit, where the study says none.
    """
    from immunescape.files import check_folder
    from immunescape.profile.biomarkers.expression import reference_build, reference_target
    from immunescape.profile.loading import load_study

    check_folder(reference_target(name, out))
    return reference_build(load_study(folder, units), name, out)


def biomarkers_table() -> list[dict[str, Any]]:
    """One row for each biomarker: name, family, unit, label, what it needs, definition."""
    from immunescape.knowledge.biomarker_labels import biomarker_label
    from immunescape.profile.biomarkers.registry import biomarkers

    return [
        {
            "name": b.name,
            "family": b.family,
            "unit": b.unit or ", ".join(b.words) or "true or false",
            "label": biomarker_label(b.name).label,
            "needs": ", ".join(b.needs),
            "definition": b.definition,
        }
        for b in biomarkers().values()
    ]


def print_biomarkers() -> None:
    """Print the register of biomarkers."""
    print_table("Biomarkers", biomarkers_table())
