"""Originals that change behind the index: copied, labelled, sampled, or gone before a read."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from sdindex import Index
from sdindex.cli.main import cli
from sdindex.indexing.executors import Threads
from tests.torture.states import update
from tests.torture.support import LONG_AGO, Row, check, check_refusal, image_bytes, images, write

IMAGES = 20
WAYS = ("--copy-to", "--link-to", "--symlink-to")


def changed(folder: Path, count: int, seed: int) -> Row:
    """Change originals after they were indexed; what is said of each is true."""
    outcomes: Counter[str] = Counter()
    for trial in range(seed, seed + count):
        outcomes[Changed(folder / "world", trial).outcome()] += 1
        shutil.rmtree(folder / "world")
    said = ", ".join(f"{times:,} {outcome}" for outcome, times in sorted(outcomes.items()))
    return Row(
        "originals that change, or go, behind the index",
        f"{count:,}",
        "no old hash is in a manifest or a sample; how many have changed is said, and how many "
        f"of them have labels ({said})",
    )


class Changed:
    """An archive that is indexed, labelled and sampled, and in which then some files change."""

    def __init__(self, folder: Path, trial: int) -> None:
        self._chance = random.Random(trial)
        self._again = f"seed {trial}"
        self._folder = folder
        self._archive = images(folder / "archive", IMAGES, seed=trial)
        self._db = folder / "sdindex.db"
        update(self._db, self._archive)
        self._files = sorted(self._archive.rglob("*.JPG"))
        self._labelled = set(self._chance.sample(self._files, IMAGES // 2))
        labels = "".join(f"{file.relative_to(self._archive)},fox\n" for file in self._labelled)
        (folder / "labels.csv").write_text(f"path,label\n{labels}")
        self._run("labels", "import", str(folder / "labels.csv"))
        self._run("select", "-n", f"{IMAGES}", "--save", "all")
        self._old = {image.path: image.dhash for image in self._sample()}

    def outcome(self) -> str:
        """Change some, and see what is said: of the copies, of the labels, and of the hashes."""
        chosen = set(self._chance.sample(self._files, self._chance.randrange(6)))
        for file in chosen:
            self._change(file)
        gone = {file for file in chosen if self._chance.random() < 0.1}
        for file in gone:
            file.unlink()
        outcome = self._put(chosen, gone)
        self._index(chosen - gone)
        return outcome

    def _change(self, file: Path) -> None:
        """Have a file be another: of another time, another size, or both."""
        content = image_bytes(self._chance.randrange(10**6, 10**7))
        if self._chance.random() < 0.5:
            content = content.ljust(file.stat().st_size, b"\0")
        write(file, content, LONG_AGO + 10_000 + self._chance.randrange(10**6))

    def _put(self, chosen: set[Path], gone: set[Path]) -> str:
        """Put all files below a folder: changed ones are counted, and have no hash."""
        way = self._chance.choice(WAYS)
        target = self._folder / "files"
        result = self._run("samples", "show", "all", way, str(target), fails=bool(gone))
        if gone:
            check(not target.exists(), f"something was put; {self._again}")
            return "refused, as some are gone"
        count = re.search(r"(\d+) (?:has|have) changed", result.stderr)
        told = int(count[1]) if count else 0
        check(told == len(chosen), f"it says {result.stderr!r} of {len(chosen)}; {self._again}")
        with (target / "sdindex-manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        check(len(rows) == IMAGES, f"the manifest has {len(rows)} rows; {self._again}")
        for row in rows:
            known = Path(row["original"]) not in chosen
            check(bool(row["hash"]) == known, f"the manifest says {row}; {self._again}")
            same = (target / row["path"]).read_bytes() == Path(row["original"]).read_bytes()
            check(same, f"{row['path']} is not the original; {self._again}")
        return f"put by {way}"

    def _index(self, rewritten: set[Path]) -> None:
        """Bring the index up to date, while some files vanish before they are read."""
        vanishing = {file for file in rewritten if self._chance.random() < 0.3}
        with Vanishing(2, set(vanishing)) as executor, Index(self._db) as index:
            summary = index.update(self._archive, executor=executor)
        labelled = len((rewritten - vanishing) & self._labelled)
        said = re.search(r"(\d+) (?:has|have) labels", str(summary))
        told = int(said[1]) if said else 0
        check(told == labelled, f"{summary} of {labelled} with labels; {self._again}")
        for image in self._sample():
            file = Path(image.path)
            check(file not in vanishing, f"{file.name} is gone, and drawn; {self._again}")
            stale = file in rewritten and image.dhash == self._old[image.path]
            check(not stale, f"{file.name} is drawn with its old hash; {self._again}")

    def _sample(self) -> list[Any]:
        with Index(self._db) as index:
            return index.select(10**6)

    def _run(self, *arguments: str, fails: bool = False) -> Result:
        result = CliRunner().invoke(cli, ["--db", str(self._db), *arguments])
        if fails:
            check_refusal(result.exit_code, result.stderr, self._again)
        else:
            check(not result.exit_code, f"{result.stderr or result.exception}; {self._again}")
        return result


class Vanishing(Threads):
    """Threads before whose first call some files go."""

    def __init__(self, count: int, files: set[Path]) -> None:
        super().__init__(count)
        self._files = set(files)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        while self._files:
            os.unlink(self._files.pop())
        return super().submit(function, *args, **kwargs)
