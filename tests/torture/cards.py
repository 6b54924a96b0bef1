"""Memory cards with the same file names: told apart, also where a card is away."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from pathlib import Path

from sdindex import ArchiveError, Index
from tests.torture.states import update
from tests.torture.support import LONG_AGO, Row, check, image_bytes, images, write


def cards(folder: Path, count: int, seed: int) -> Row:
    """Index cards with the file names of a card that is away; move that card, and relocate it."""
    outcomes: Counter[str] = Counter()
    for trial in range(seed, seed + count):
        outcomes[_met(folder / "cards", trial)] += 1
        shutil.rmtree(folder / "cards")
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "cards with the file names of a card that is away",
        f"{count:,}",
        f"each is taken for what it is, labels stay with their pictures ({said})",
    )


def _met(folder: Path, trial: int) -> str:
    """Index a card, take it away, and index another or the same elsewhere; return which."""
    chance = random.Random(trial)
    again = f"seed {trial}"
    count = chance.choice((3, 20, 60))
    first, away, other = (folder / name for name in ("first", "away", "other"))
    db = folder / "sdindex.db"
    images(first, count)
    update(db, first)
    with Index(db) as index:
        (folder / "labels.csv").write_text("path,label\n0/IMG_0.JPG,fox\n")
        index.import_labels(folder / "labels.csv")
        before = index.hashes([first / "0" / "IMG_0.JPG"])
        first.rename(away)
        if chance.random() < 0.5:
            _copy(away, other, chance, count // 3)
            _check_same(index, first, other, again)
            return "the same card, with some files more and some times to 2 s"
        _make_other(away, other, chance)
        update(db, other)
        _check_other(index, first, other, count, again)
        after = index.hashes([first / "0" / "IMG_0.JPG"])
        check(after == before, f"what was known of the first is {after}; {again}")
        return "another card"


def _copy(source: Path, target: Path, chance: random.Random, more: int) -> None:
    """Copy a card as exFAT keeps it: some times are of the next two seconds."""
    shutil.copytree(source, target)
    for file in sorted(target.rglob("*.JPG")):
        times = file.stat().st_mtime_ns + chance.choice((0, 0, 999_999_999, 1_999_999_999))
        os.utime(file, ns=(times, times))
    for number in range(chance.randrange(more + 1)):
        write(target / "0" / f"NEW_{number}.JPG", image_bytes(90_000 + number))


def _make_other(source: Path, target: Path, chance: random.Random) -> None:
    """Make a card of the same names, of other sizes, or other times, or both."""
    shutil.copytree(source, target)
    shift = chance.choice((0, 86_400, 1_000_000))
    for number, file in enumerate(sorted(target.rglob("*.JPG"))):
        content = image_bytes(50_000 + number)
        # Where the times are the same, the sizes are not.
        padded = content + bytes(1 + chance.randrange(900)) if not shift else content
        write(file, padded, LONG_AGO + shift + number)
        if not shift:
            shutil.copystat(source / file.relative_to(target), file)


def _check_same(index: Index, first: Path, other: Path, again: str) -> None:
    """Check that the same card elsewhere is known again, and keeps its labels there."""
    try:
        index.update(other)
        check(holds=False, said=f"it is taken for a new card; {again}")
    except ArchiveError as problem:
        check("relocate" in str(problem), f"{problem}; {again}")
    index.relocate(first, other)
    (labelled,) = index.select(1, label="fox")
    check(labelled.path == str(other / "0" / "IMG_0.JPG"), f"{labelled.path}; {again}")


def _check_other(index: Index, first: Path, other: Path, count: int, again: str) -> None:
    """Check that another card is an archive of its own, and is not relocated to."""
    roots = {archive.root for archive in index.status().archives}
    check(roots == {str(first), str(other)}, f"the archives are {roots}; {again}")
    sampled = [image for image in index.select(10**6) if image.archive == str(other)]
    check(len(sampled) == count, f"{len(sampled)} images of {count}; {again}")
    labelled = index.select(10**6, label="fox")
    right = [image.archive for image in labelled] == [str(first)]
    check(right, f"labelled are {[image.path for image in labelled]}; {again}")
    try:
        index.relocate(first, other)
        check(holds=False, said=f"the first was relocated to the other; {again}")
    except ArchiveError as problem:
        check("\n" not in str(problem), f"{problem}; {again}")
