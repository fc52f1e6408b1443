"""Body site of a microbiome sample: words for it, and what its genera say where no word is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from immunescape.errors import unknown_word
from immunescape.knowledge.tables import read_rows
from immunescape.profile.file_limits import limit

__all__ = ["GUT", "SITE_SYNONYMS", "body_site", "looks_like"]

GUT = "gut"
SITE_SYNONYMS = {
    GUT: "gut stool feces faeces fecal faecal intestine colon rectum rectal",
    "oral": "oral mouth saliva tongue plaque gingiva throat oropharynx buccal",
    "airway": "airway lung bal bronchoalveolar sputum bronchus nasal nose nasopharynx",
    "skin": "skin",
    "vagina": "vagina vaginal",
    "tumour": "tumour tumor tissue biopsy",
    "blood": "blood plasma serum urine",
}
"""Site -> words that mean it."""


def body_site(text: str, where: str) -> str:
    """Return the site that a word means (``stool`` is the gut).

    Raises
    ------
    InputError
        For a word of no site.
    """
    tokens = {w for w in re.split(r"[^a-z]+", text.casefold()) if w}
    for site, meant in SITE_SYNONYMS.items():
        if tokens & set(meant.split()):
            return site
    raise unknown_word("body site", text, [w for m in SITE_SYNONYMS.values() for w in m.split()], where=where)


@lru_cache(maxsize=1)
def _sites() -> dict[str, str]:
    return {row["genus"]: row["site"] for row in read_rows("body_site_genera")}


def looks_like(shares: Mapping[str, float]) -> tuple[str, str]:
    """Return the site that a sample's genera are typical of, where it is another than the gut, and a sentence on it.

    Parameters
    ----------
    shares
        Species or genera (``Rothia_mucilaginosa``, ``Rothia``) -> share of the sample.

    Returns
    -------
    tuple
        Site and sentence; both empty where genera of other sites are less than those of the gut, or few.
    """
    totals: dict[str, float] = {}
    for name, share in shares.items():
        site = _sites().get(re.split(r"[_ ]", name)[0])
        if site and share > 0:
            totals[site] = totals.get(site, 0.0) + share
    whole = sum(v for v in shares.values() if v > 0)
    if not whole > 0:
        return "", ""
    others = {s: t / whole for s, t in totals.items() if s != GUT}
    gut, other = totals.get(GUT, 0.0) / whole, sum(others.values())
    if other <= gut or other < limit("site_other"):
        return "", ""
    site = max(others, key=lambda s: (others[s], s))
    return (
        site,
        f"{100 * other:.0f} % are genera typical of other sites ({site} above all), {100 * gut:.0f} % of the gut",
    )
