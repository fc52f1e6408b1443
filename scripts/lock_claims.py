"""Add rows to ``claims/lock.csv`` for claims, statements and counter-models that have none yet; rewrite no row.

    python scripts/lock_claims.py

Lock a new claim before it is run for the first time. A set-up that differs from its row is not locked anew: its change
belongs into ``claim_changes.yaml``, with date, reason, the form that it had and the digest of the form that stands.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import sys
from pathlib import Path

from immunescape.knowledge.claim_lock import locked_digests, setup_digest, unlisted_changes
from immunescape.knowledge.claim_records import shipped_claims
from immunescape.knowledge.counter_models import load_counter_models
from immunescape.knowledge.must_not_records import load_must_not

LOCK = Path(__file__).parents[1] / "src" / "immunescape" / "knowledge" / "claims" / "lock.csv"


def main() -> int:
    """Append the rows; 1 where a set-up has been changed without an entry in the list of changes."""
    claims = [c for c in shipped_claims() if c.kind != "context"]
    records = [*claims, *load_must_not(), *load_counter_models().values()]
    locked = locked_digests()
    new = [r for r in records if r.id not in locked]
    today = datetime.date.today().isoformat()
    with LOCK.open("a", encoding="utf-8", newline="") as stream:
        stream.writelines(f"{r.id},{setup_digest(r)},{today}\n" for r in new)
    for record in new:
        print(f"locked: {record.id}")
    changed = [name for name in unlisted_changes(records) if name in locked]
    for name in changed:
        digest = next(setup_digest(r) for r in records if r.id == name)
        print(f"changed since it was locked: {name}. List it in claim_changes.yaml with 'digest: {digest}'.")
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    whole = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    print(f"{len(lines) - 1} rows. For BATCHES of tests/evaluation/test_claim_lock.py: ({len(lines) - 1}, '{whole}')")
    return 1 if changed else 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
