"""Lay out the public reference data that some tests and fits take, from their own sources.

python scripts/public_data.py list                 what there is, from where, under which licence
python scripts/public_data.py fetch FOLDER [NAME]  download what can be, say what must be fetched by hand
python scripts/public_data.py fetch --dry-run …    say what would be downloaded and to where, without a download
python scripts/public_data.py check FOLDER         which files are there, and whether they are those that were used

Nothing of it is part of the package. FOLDER is the `data` folder: tests look for ``../shared/data`` beside the
repository, or for ``data`` in the folder that ``IMMUNESCAPE_SHARED`` names. ``public_data.sha256`` holds the hash of
each file that the results of this repository were computed with. Addresses were entered from memory and the listings
of the repositories; a source that has moved is answered with its name.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath

HERE = Path(__file__).resolve().parent
LARGEST = 500_000_000
"""Bytes: nothing larger is downloaded."""
Opener = Callable[[str], bytes]


def sources() -> list[dict[str, str]]:
    """Return the rows of ``public_data.csv``."""
    with (HERE / "public_data.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def hashes() -> dict[str, str]:
    """Return file -> SHA-256 of what was used."""
    lines = (HERE / "public_data.sha256").read_text(encoding="utf-8").splitlines()
    return {name: value for value, name in (line.split("  ", 1) for line in lines)}


def download(address: str) -> bytes:
    """Return what an address gives, over https only."""
    if not address.startswith("https://"):
        raise ValueError(f"not an https address: {address}")
    with urllib.request.urlopen(address, timeout=120) as answer:
        content = answer.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST // 1_000_000} MB: {address}")
    return content


def unpacked(content: bytes, target: Path) -> list[Path]:
    """Write the plain files of a tar archive below a folder, without their top folder and never outside of it."""
    written = []
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            pieces = PurePosixPath(member.name).parts[1:]
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is None or not pieces or ".." in pieces or any(p.startswith(("/", "\\")) for p in pieces):
                continue
            path = target.joinpath(*pieces)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stream.read())
            written.append(path)
    return written


def fetch(folder: Path, names: list[str], get: Opener = download) -> int:
    """Download what is missing; return how many sources failed."""
    known = {row["folder"] for row in sources()}
    for name in names:
        if name not in known:
            raise SystemExit(f"unknown folder '{name}'; known: {', '.join(sorted(known))}")
    failed = 0
    for row in sources():
        if names and row["folder"] not in names:
            continue
        place = folder / row["folder"]
        if row["how"] == "by hand":
            print(f"{row['folder']}: by hand: {row['target']}")
            print(f"    from {row['address']} ({row['source']}; {row['licence']})")
            continue
        target = place if row["target"] == "." else place / row["target"]
        if target.is_file() or (target.is_dir() and any(target.iterdir())):
            print(f"{row['folder']}: {row['target']} is there")
            continue
        try:
            content = get(row["address"])
            if row["how"] == "archive":
                written = unpacked(content, place)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(gzip.decompress(content) if row["how"] == "gzip" else content)
                written = [target]
        except (OSError, ValueError, tarfile.TarError, urllib.error.URLError) as error:
            print(
                f"{row['folder']}: {row['address']}: {error}\n    Look for {row['source']} by its name.",
                file=sys.stderr,
            )
            failed += 1
            continue
        print(f"{row['folder']}: {len(written)} files from {row['address']}")
    return failed


def check(folder: Path) -> dict[str, int]:
    """Compare the files of a folder with those that were used; return how many are equal, differ and are absent."""
    counts = {"equal": 0, "different": 0, "absent": 0}
    for name, value in hashes().items():
        path = folder / name
        if not path.is_file():
            state = "absent"
        else:
            state = "equal" if hashlib.sha256(path.read_bytes()).hexdigest() == value else "different"
        counts[state] += 1
        if state != "equal":
            print(f"{state:9}  {name}")
    print(", ".join(f"{n} {word}" for word, n in counts.items()))
    return counts


def plan(folder: Path, names: list[str]) -> int:
    """Say of each source where it would be downloaded from and to, or that it is fetched by hand; 2: unknown name."""
    rows = sources()
    if unknown := sorted(set(names) - {row["folder"] for row in rows}):
        print(f"unknown: {', '.join(unknown)}. Known: {', '.join(row['folder'] for row in rows)}", file=sys.stderr)
        return 2
    for row in rows:
        if not names or row["folder"] in names:
            target = "" if row["target"] == "." else row["target"]
            place = folder / row["folder"] / (target if row["how"] != "by hand" else "")
            how = f"by hand: {target}" if row["how"] == "by hand" else f"would be downloaded to {place}"
            print(f"{row['folder']}: {how}, from {row['address']} ({row['licence']})")
    return 0


def main(arguments: list[str]) -> int:
    """Run the command."""
    if not {"-h", "--help"}.isdisjoint(arguments):
        print(__doc__)
        return 0
    dry = "--dry-run" in arguments
    arguments = [a for a in arguments if a != "--dry-run"]
    if unknown := [a for a in arguments if a.startswith("-")]:
        print(f"unknown option {unknown[0]}\n\n{__doc__}", file=sys.stderr)
        return 2
    match arguments:
        case ["fetch", folder, *names] if dry:
            return plan(Path(folder), names)
        case ["list"]:
            for row in sources():
                print(f"{row['folder']:20} {row['how']:8} {row['source']:16} {row['licence']:12} {row['address']}")
            return 0
        case ["fetch", folder, *names]:
            return 1 if fetch(Path(folder), names) else 0
        case ["check", folder]:
            return 0 if check(Path(folder))["different"] == 0 else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
