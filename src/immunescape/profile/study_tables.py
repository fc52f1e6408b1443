"""The tables of a profiled study: patients, biomarkers, calls, their prevalence, and their tests against outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.knowledge.profile_records import PatientProfile
    from immunescape.profile.assemble import Assembled

__all__ = ["StudyTables"]


@dataclass(frozen=True)
class StudyTables:
    """What was made of a study, as tables; reports are written from it."""

    done: Assembled

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.done.profile.study

    @property
    def patients(self) -> Mapping[str, PatientProfile]:
        """Patient -> profile."""
        return self.done.profile.patients

    @property
    def biomarkers(self) -> pd.DataFrame:
        """Patients x biomarkers; missing where not assessable."""
        from immunescape.profile.biomarkers.registry import values_frame

        return values_frame(self.done.measured)

    @property
    def calls(self) -> pd.DataFrame:
        """Patients x mechanisms: present, absent, not_assessable or conflicting."""
        return self.done.calls.states

    @property
    def prevalence(self) -> pd.DataFrame:
        """Mechanisms x states: patients, the share present of those assessed, and its bounds over all; `prevalence`."""
        from immunescape.profile.prevalence import prevalence

        return prevalence(self.calls)

    @property
    def response(self) -> pd.DataFrame:
        """Patients x probabilities of response and of benefit at 12 months, with 95 % intervals and the setting."""
        import pandas as pd

        from immunescape.profile.scores.response import TITLES

        rows = []
        for p in self.patients.values():
            row: dict[str, Any] = {}
            for e, s in p.response.standings.items():
                row |= {e: s.probability, f"{e}_low": s.low, f"{e}_high": s.high}
            rows.append(row | {"inputs": len(p.response.values), "setting": p.response.setting})
        columns = [f"{e}{end}" for e in TITLES for end in ("", "_low", "_high")] + ["inputs", "setting"]
        return pd.DataFrame(rows, index=pd.Index(list(self.patients), name="patient"), columns=columns)

    def associations(
        self, endpoints: str | Collection[str] | None = None, minimum: int = 5
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Test mechanisms and biomarkers against outcomes.

        Parameters
        ----------
        endpoints
            Any of ``response``, ``benefit``, ``pfs``, ``os``; None takes all that the study holds.
        minimum
            Smallest group, or number of events, that is tested.

        Returns
        -------
        (table, outcomes)
            One row a test with estimate, interval, p and q (false discovery rate over the tests of one endpoint); the
            outcomes of each patient.

        Raises
        ------
        InputError
            For an unknown endpoint.
        """
        from immunescape.errors import several
        from immunescape.profile.cohort import ENDPOINTS, associate, outcomes

        outcome = outcomes(self.done.study)
        tested = ENDPOINTS if endpoints is None else several(endpoints)
        return associate(self._explanatory(), outcome, tested, minimum), outcome

    def interactions(self, treated: str, endpoint: str = "os") -> pd.DataFrame:
        """Test whether mechanisms and biomarkers change the effect of an arm: biomarker x treatment interaction.

        Parameters
        ----------
        treated
            Name of the experimental arm; all other patients are the control.
        endpoint
            ``pfs`` or ``os``.

        Returns
        -------
        DataFrame
            One row a biomarker, as :class:`immunescape.profile.cohort.interaction.Interaction` describes, and ``q``,
            the false discovery rate.

        Raises
        ------
        InputError
            For an unknown endpoint, and for an arm that the study does not have.
        """
        from immunescape.errors import InputError, unknown_word
        from immunescape.profile.cohort import interactions

        if endpoint not in ("pfs", "os"):
            raise unknown_word("endpoint", endpoint, ("pfs", "os"))
        _, outcome = self.associations(())
        arms = [str(a) for a in outcome["arm"].dropna().unique()]
        if not arms:
            raise InputError("the study has no arms", where=self.name, hint="Give a column 'arm' with the patients.")
        if treated not in arms:
            raise unknown_word("arm", treated, arms, where=self.name)
        arm = outcome["arm"].map(lambda a: None if a is None or a != a else float(a == treated)).astype(float)
        return interactions(self._explanatory(), arm, outcome, endpoint)

    def _explanatory(self) -> pd.DataFrame:
        """Patients x mechanisms and biomarkers, each name once."""
        import pandas as pd

        from immunescape.profile.cohort_values import biomarker_values, mechanism_values

        values = pd.concat([mechanism_values(self.done), biomarker_values(self.done)], axis=1)
        return values.loc[:, ~values.columns.duplicated()]
