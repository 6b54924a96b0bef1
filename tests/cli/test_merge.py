"""The command merge, and shards on the command line."""

from pathlib import Path

import pytest

from sdindex import Index
from tests.support.commands import run


def test_shards_are_made_shown_and_merged(archive: Path, db: Path, tmp_path: Path) -> None:
    shards = [str(tmp_path / f"{number}.db") for number in (1, 2)]
    for number, shard in enumerate(shards, 1):
        assert run("index", "--shard", f"{number}/2", archive, db=Path(shard)).exit_code == 0
    shown = run("status", db=Path(shards[0])).stdout
    assert f"only shard 1/2 of {archive}: join all with sdindex merge" in shown
    merged = run("merge", *shards, db=db)
    assert (merged.exit_code, merged.stdout) == (0, "")
    assert merged.stderr.startswith("12 files: 12 new")
    assert run("merge", "-q", *shards, db=db).stderr == ""
    with Index(db) as index:
        assert len(index.select(100)) == 12
        assert index.status().archives[0].shard is None


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["index", "--shard", "3/2", "."], 1, "Error: '3/2' is no shard: write its number, from"),
        (["index", "--shard", "1/2"], 1, "--shard and --accept-loss are meant for one archive"),
        (["merge"], 2, "Missing argument 'SHARD...'"),
        (["merge", "absent.db"], 1, "no index at absent.db"),
    ],
)
def test_what_is_wrong_is_one_line(words: list[str], status: int, why: str, db: Path) -> None:
    found = run(*words, db=db)
    assert found.exit_code == status
    assert why in found.stderr
    assert not db.exists()
