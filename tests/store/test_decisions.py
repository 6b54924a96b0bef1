"""Decisions of reviews: kept in the index, and what samples and people are told of them."""

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from sdindex import Index, SampleError
from sdindex.cli.main import cli
from sdindex.sampling.options import SampleOptions
from sdindex.store import decisions
from sdindex.store.database import Session, Store
from sdindex.store.lookup import ids_of
from tests.support.straight import connected

COUNT = 5


@pytest.fixture
def recording(filled: Index, db: Path) -> Iterator[Session]:
    with Store(db).recording() as session:
        yield session


def ids(session: Session, index: Index) -> list[int]:
    return ids_of(session, index.select(COUNT))


def start(session: Session, name: str = "spring") -> int:
    return decisions.keep(session, name, COUNT, SampleOptions())


def drawn(index: Index, **options: object) -> list[str]:
    return [image.relative_path for image in index.select(COUNT, **options)]  # type: ignore[arg-type]


def test_what_is_rejected_is_replaced_in_whatever_is_drawn_as_the_review_decided(
    recording: Session, filled: Index
) -> None:
    first, second, *_ = ids(recording, filled)
    before = drawn(filled)
    review = start(recording)
    decisions.decide(recording, review, [first], "rejected", observer="ann")
    decisions.decide(recording, review, [second], "kept", observer="ann")
    recording.commit()
    after = drawn(filled, review="spring")
    assert len(after) == COUNT
    assert set(before) - set(after) == {before[0]}
    assert drawn(filled) == before
    everything = [image.relative_path for image in filled.select(100, review="spring")]
    assert before[0] not in everything
    assert len(everything) == 11
    assert drawn(filled, rejected_by="ann") == [before[0]]
    assert filled.quality(COUNT, review="spring").measures


def test_what_is_alike_is_rejected_with_an_image(recording: Session, filled: Index) -> None:
    first, *_ = ids(recording, filled)
    before, review = drawn(filled), start(recording)
    decisions.decide(recording, review, [first], "rejected", observer="ann", within=64)
    recording.commit()
    assert drawn(filled, review="spring") == []  # all are within 64 bits
    decisions.decide(recording, review, [ids(recording, filled)[1]], "kept", observer="ann")
    recording.commit()
    assert drawn(filled, review="spring") == [before[1]]


def test_of_several_decisions_the_last_counts_and_the_last_is_undone(
    recording: Session, filled: Index
) -> None:
    first, second, *_ = ids(recording, filled)
    review = start(recording)
    for what in decisions.WHAT:
        decisions.decide(recording, review, [first], what, observer="ann")
    decisions.decide(recording, review, [first], "left", observer="ann")  # it is so already
    decisions.decide(recording, review, [second], "kept", observer="bob", why="a fox")
    decisions.annotate(recording, review, first, "blurred", observer="ann")
    known = [(one.image, one.what, one.why) for one in decisions.latest(recording, review)]
    assert known == [(first, "left", "blurred"), (second, "kept", "a fox")]
    assert decisions.undo(recording, review, observer="ann") == first
    assert decisions.latest(recording, review)[0].what == "rejected"
    for _ in range(2):
        assert decisions.undo(recording, review, observer="ann") == first
    assert decisions.undo(recording, review, observer="ann") is None
    assert [one.image for one in decisions.latest(recording, review)] == [second]


def test_a_review_keeps_what_it_was_last_of(recording: Session) -> None:
    assert decisions.free_name(recording) == "review-1"
    review = start(recording, "review-1")
    assert decisions.free_name(recording) == "review-2"
    options = SampleOptions(unit="burst", balance=("camera",))
    assert decisions.keep(recording, "review-1", 7, options) == review
    found = decisions.require(recording, "review-1")
    assert (found.asked, SampleOptions(**found.options)) == (7, options)
    with pytest.raises(SampleError, match=r"no review 'other'; those there are: review-1"):
        decisions.require(recording, "other")


def test_decisions_are_told_as_a_table_and_in_sql(
    recording: Session, filled: Index, db: Path, archive: Path
) -> None:
    first, *_ = ids(recording, filled)
    review = start(recording)
    decisions.decide(recording, review, [first], "rejected", observer="ann", why="=1+1")
    recording.commit()
    recording.connection.close()
    filled.select(COUNT, save="saved", review="spring")
    for name in ("spring", "saved"):  # the review, and the sample that came from it
        command = ["--db", str(db), "samples", "show", name, "--decisions", "csv"]
        rows = list(csv.DictReader(CliRunner().invoke(cli, command).stdout.splitlines()))
        assert [(row["what"], row["observer"], row["why"]) for row in rows] == [
            ("rejected", "ann", "'=1+1")
        ]
        assert Path(rows[0]["path"]) == archive / filled.select(COUNT)[0].relative_path
    query = "SELECT what, observer, name FROM decision JOIN review ON review.id = review_id"
    with filled.sql(query) as answer:
        assert list(answer.rows) == [("rejected", "ann", "spring")]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"review": "none"}, "there is no review 'none'; those there are: none"),
        ({"rejected_by": "zoe"}, "'zoe' decided nothing in this index; the observers are: none"),
    ],
)
def test_what_nobody_decided_is_said(filled: Index, options: dict[str, str], line: str) -> None:
    with pytest.raises(SampleError, match=line):
        filled.select(COUNT, **options)  # type: ignore[arg-type]
    filled.select(COUNT, save="plain")
    with pytest.raises(SampleError, match="nobody decided on the sample 'plain'"):
        filled.decisions("plain")


def test_more_that_is_kept_than_is_asked_for_is_refused(recording: Session, filled: Index) -> None:
    decisions.decide(recording, start(recording), ids(recording, filled), "kept", observer="ann")
    recording.commit()
    with pytest.raises(SampleError, match="the review keeps 5 images, more than the 3"):
        filled.select(3, review="spring")


def test_prune_keeps_a_missing_image_that_was_decided_on(
    recording: Session, filled: Index, archive: Path
) -> None:
    first, *_ = ids(recording, filled)
    path = archive / filled.select(COUNT)[0].relative_path
    decisions.decide(recording, start(recording), [first], "rejected", observer="ann")
    recording.commit()
    recording.connection.close()
    path.unlink()
    filled.update(archive)
    filled.prune()
    assert [Path(one.path) for one in filled.decisions("spring")] == [path]


def test_a_decision_waits_for_no_program_that_reads_an_archive(filled: Index, db: Path) -> None:
    store = Store(db)
    with store.writing(), Store(db).recording() as session:  # as `index` holds it between batches
        start(session)
        session.commit()
    with Store(db).reading() as session:
        assert decisions.find(session, "spring") is not None


def test_what_is_decided_is_on_the_disk_when_it_is_committed(
    recording: Session, filled: Index, db: Path
) -> None:
    decisions.decide(recording, start(recording), ids(recording, filled), "kept", observer="ann")
    recording.commit()
    if db.exists():
        with closing(connected(db)) as other:
            assert other.execute("SELECT count(*) FROM decision").fetchone() == (COUNT,)
