"""`index --regrey`: images of older programs get their greys, and no others are read."""

import os
from concurrent.futures import Executor
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from sdindex import Index
from sdindex.cli.main import cli
from sdindex.indexing import sections
from sdindex.store import frames
from sdindex.store.database import Session, Store
from sdindex.store.images import frame_up_to_date
from sdindex.store.tables import image
from tests.conftest import LONG_AGO, make_image
from tests.support.indexes import hold_all


def values(db: Path) -> list[tuple[object, ...]]:
    with Store(db).reading() as session:
        columns = image.c.path, image.c.dhash, image.c.grey, image.c.colour, image.c.motion
        return [tuple(row) for row in session.execute(sa.select(*columns).order_by(image.c.path))]


def forget_greys(session: Session, condition: sa.ColumnElement[bool]) -> None:
    """Make some images ones that an older program indexed."""
    hold_all(session)
    session.execute(image.update().where(condition).values(grey=None, colour=None))
    frames.note(session, condition)
    frame_up_to_date(session)
    session.commit()


def test_only_images_without_greys_are_read(
    index: Index, archive: Path, db: Path, threads: Executor, opened: list[str]
) -> None:
    (archive / "broken.jpg").write_bytes(b"no image")
    os.utime(archive / "broken.jpg", (LONG_AGO, LONG_AGO))
    index.update(archive, executor=threads)
    before = values(db)
    with Store(db).writing() as session:
        forget_greys(session, image.c.path.like("cam0/%"))
    of_hashes = values(db)
    assert [row[4] for row in of_hashes] != [row[4] for row in before]
    assert all(row[4] is not None for row in of_hashes if row[1] is not None)
    opened.clear()
    assert index.update(archive, executor=threads).read == 0
    assert not opened
    summary = index.update(archive, executor=threads, regrey=True)
    assert (summary.read, summary.unchanged, summary.changed, summary.regreyed) == (6, 12, 0, 6)
    assert ", 6 of them for their greys" in str(summary)
    assert sorted(map(Path, opened)) == sorted((archive / "cam0").iterdir())
    assert values(db) == before
    assert index.update(archive, executor=threads, regrey=True).read == 0


def test_what_changed_is_read_as_ever(
    index: Index, archive: Path, db: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    with Store(db).writing() as session:
        forget_greys(session, image.c.path == "cam0/IMG_1.JPG")
    make_image(archive / "cam0/IMG_1.JPG", 99)
    make_image(archive / "cam0/new.jpg", 98)
    summary = index.update(archive, executor=threads, regrey=True)
    assert (summary.new, summary.changed, summary.regreyed, summary.damaged) == (1, 1, 0, [])


@pytest.mark.parametrize("option", ["regrey", "verify"])
def test_workers_that_compare_sections_know_it(
    index: Index, archive: Path, db: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    make_image(archive / "cam2/IMG_1.JPG", 50)
    index.update(archive)
    monkeypatch.setattr(sections, "SECTION_IMAGES", 5)
    with Store(db).writing() as session:
        forget_greys(session, image.c.id < 6)
    read = index.update(
        archive, workers=2, regrey=option == "regrey", verify=option == "verify"
    ).read
    assert read == (5 if option == "regrey" else 13)


def test_what_is_read_again_and_as_it_was_counts_as_unchanged(
    index: Index, archive: Path, threads: Executor
) -> None:
    """One with another size is another, whatever it shows."""
    copied, other = archive / "cam0/IMG_1.JPG", archive / "cam1/IMG_2.JPG"
    os.utime(archive / "cam0/IMG_3.JPG")  # just now: not settled
    index.update(archive, executor=threads)
    for file, more in ((copied, b""), (other, b"more")):
        file.write_bytes(file.read_bytes() + more)
        os.utime(file, (LONG_AGO + 99, LONG_AGO + 99))
    again = index.update(archive, executor=threads, verify=True)
    assert (again.changed, again.unchanged, again.damaged) == (1, 11, [])
    os.utime(copied, (LONG_AGO + 9, LONG_AGO + 9))
    assert index.update(archive, executor=threads).changed == 1, "told by its time alone"


def test_a_file_that_was_not_settled_and_is_as_it_was_did_not_change(
    index: Index, archive: Path, threads: Executor
) -> None:
    os.utime(archive / "cam0/IMG_3.JPG")
    index.update(archive, executor=threads)
    again = index.update(archive, executor=threads)
    assert (again.read, again.changed, again.unchanged) == (1, 0, 12)


def test_the_command_says_what_it_read(archive: Path, db: Path) -> None:
    def run(*options: str) -> str:
        done = CliRunner().invoke(cli, ["--db", str(db), "index", *options, str(archive)])
        assert done.exit_code == 0
        return done.stderr

    run()
    with Store(db).writing() as session:
        forget_greys(session, image.c.id < 6)
    assert "5 of them for their greys" in run("--regrey", "--no-progress")
    assert "greys" not in run("--regrey")
