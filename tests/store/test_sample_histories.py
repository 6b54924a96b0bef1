"""What is promised of saved samples holds over many histories of an index."""

import random
from pathlib import Path
from typing import Any

import pytest

from sdindex import Index, SampleError
from tests.store.test_samples import BACK, MISSING, paths
from tests.support.indexes import add, change, write_index


class History:
    """A random history of an archive and its samples, and what must be true after each step."""

    def __init__(self, db: Path, seed: int) -> None:
        self.db, self.chance = db, random.Random(seed)
        write_index(db, {"/data/archive": {}})
        self.present: set[str] = set()
        self.gone: set[str] = set()
        self.saved: dict[str, set[str]] = {}
        self.made = 0

    def grow(self) -> None:
        camera = self.chance.choice(["a", "b", "c/d"])
        hashes = [self.chance.getrandbits(63) for _ in range(3)]
        new = {}
        for _ in range(self.chance.randint(1, 25)):
            self.made += 1
            new[f"{camera}/{self.made}.jpg"] = self.chance.choice(hashes) ^ self.chance.getrandbits(
                2
            )
        add(self.db, new)
        self.present |= set(new)

    def delete(self) -> None:
        lost = self.some(self.present)
        change(self.db, list(lost), **MISSING)
        self.present -= lost
        self.gone |= lost

    def restore(self) -> None:
        back = self.some(self.gone)
        change(self.db, list(back), **BACK)
        self.gone -= back
        self.present |= back

    def prune(self) -> None:
        with Index(self.db) as index:
            index.prune()
        held = set.union(set(), *self.saved.values())
        self.gone &= held

    def drop(self) -> None:
        if self.saved:
            name = self.chance.choice(sorted(self.saved))
            with Index(self.db) as index:
                index.drop_sample(name)
            del self.saved[name]

    def some(self, of: set[str]) -> set[str]:
        return set(self.chance.sample(sorted(of), self.chance.randint(0, len(of) // 2)))

    def maybe_saved(self) -> str | None:
        return self.chance.choice([None, *sorted(self.saved)])

    def sample(self) -> None:
        options: dict[str, Any] = {
            "unit": self.chance.choice(["image", "burst"]),
            "balance": self.chance.choice([None, "camera", "folder:1"]),
            "bits": self.chance.choice([1, 4, 9]),
        }
        extend, exclude, within = (self.maybe_saved() for _ in range(3))
        eligible = set(self.present)
        fixed: set[str] = set()
        if within:
            options["within"] = within
            eligible &= self.saved[within]
        if exclude:
            options["exclude"] = exclude
            eligible -= self.saved[exclude]
        if extend:
            options["extend"] = extend
            fixed = self.saved[extend] & self.present
        count, name = self.chance.randint(1, 40), f"sample {len(self.saved)} {self.made}"
        impossible = len(fixed) > count or bool(
            exclude and fixed & self.saved[exclude] & self.present
        )
        with Index(self.db) as index:
            if name in self.saved:
                return
            if impossible:
                with pytest.raises(SampleError, match=r"fixed already|both to be included"):
                    index.select(count, save=name, **options)
                return
            drawn = index.select(count, save=name, **options)
            found = paths(drawn)
            assert index.sample(name) == drawn
        assert len(found) == len(set(found)) == min(count, len(eligible | fixed)), options
        assert fixed <= set(found) <= eligible | fixed
        self.saved[name] = set(found)

    def check(self) -> None:
        with Index(self.db) as index:
            for name, images in self.saved.items():
                assert set(paths(index.sample(name))) == images & self.present
                gone = {path.removeprefix("/data/archive/") for path in index.missing_of(name)}
                assert gone == images - self.present
            assert len(index.select(10)) == min(10, len(self.present)) if self.present else True

    def run(self, steps: int) -> None:
        actions = [self.grow, self.grow, self.delete, self.restore, self.prune, self.drop]
        for _ in range(steps):
            self.chance.choice([*actions, *[self.sample] * 5])()
        self.check()


@pytest.mark.parametrize("seed", range(20))
def test_every_promise_holds_over_a_random_history(tmp_path: Path, seed: int) -> None:
    History(tmp_path / "sdindex.db", seed).run(steps=12)
