"""Fetch the scripts that pages load, from their npm packages: ``python book/vendor.py``.

``book/vendored.csv`` says which file of which package, in which version, and its SHA-256. Pages
load these copies and nothing from elsewhere, so that the book works without a network. To take a
new version, change its row and run ``python book/vendor.py --renew``, which writes the new hashes.

npm is needed for this alone; whoever builds or reads the book never runs it.
"""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "book/vendored.csv"


def rows() -> list[dict[str, str]]:
    """Return the table: file, package, version, source, licence, sha256."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(row: dict[str, str]) -> None:
    """Write the file of one row from its package."""
    with tempfile.TemporaryDirectory() as folder:
        name = f"{row['package']}@{row['version']}"
        packed = subprocess.run(
            ["npm", "pack", "--silent", name],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        with tarfile.open(Path(folder) / packed.stdout.split()[-1]) as package:
            stored = package.extractfile(f"package/{row['source']}")
            assert stored is not None
            target = ROOT / row["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(stored.read())


def main(renew: bool) -> int:
    """Fetch every file; return how many differ from the table, or write the table anew."""
    table = rows()
    for row in table:
        fetch(row)
        found = sha256(ROOT / row["file"])
        if not renew and found != row["sha256"]:
            print(f"{row['file']}: SHA-256 is {found}, the table says {row['sha256']}")
            return 1
        row["sha256"] = found
        print(f"{row['file']} from {row['package']} {row['version']}")
    if renew:
        with TABLE.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, table[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(renew="--renew" in sys.argv[1:]))
