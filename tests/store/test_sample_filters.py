"""What a sample is drawn from: times, expressions, labels and cameras; and bursts."""

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sdindex import Index, QueryError, SampleError
from sdindex.sampling import blocks
from sdindex.store.database import Store
from tests.store.test_samples import paths, run
from tests.support.indexes import add, forget_frames, make_frames, put_labels


def test_the_end_of_time(index: Index, cameras: Path) -> None:
    assert len(index.select(99, since=date.min, until=date.max)) == 76
    with pytest.raises(SampleError, match="without a time zone"):
        index.select(9, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(index.select(9, balance="folder:99999999999999999999999")) == 9


def test_times(index: Index, cameras: Path) -> None:
    day = date(2026, 4, 2)
    assert {
        one.taken_at.date() for one in index.select(99, since=day, until=day) if one.taken_at
    } == {day}
    noon = datetime(2026, 4, 2, 12, 30)  # noqa: DTZ001
    assert index.select(99, until=noon) == index.select(99, until=day)
    assert len(index.select(99, until=datetime(2026, 4, 2))) == 12  # noqa: DTZ001
    add(cameras, {"undated.jpg": 5})
    assert "undated.jpg" not in paths(index.select(99, since=date(1, 1, 1)))
    done = run(
        cameras, "select", "-n", 99, "--since", "2026-04-02", "--until", "2026-04-02T12:29:59"
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert run(cameras, "select", "-n", 9, "--since", "yesterday").exit_code == 2


def test_where_reads_and_does_nothing_else(index: Index, cameras: Path) -> None:
    found = paths(index.select(99, where="path LIKE 'cam2/%' -- and no more"))
    assert len(found) == 12
    before = cameras.read_bytes()
    for hostile in (
        "1); DELETE FROM image; --",
        "load_extension('x')",
        "1) UNION SELECT id FROM image WHERE (writefile('x', 'y')",
        "no_such_column",
        "",
    ):
        with pytest.raises(QueryError):
            index.select(9, where=hostile)
    assert cameras.read_bytes() == before


def test_labels_choose_and_balance(index: Index, cameras: Path) -> None:
    every = paths(index.select(99))
    wolves, deer = every[:3], every[3:40]
    put_labels(cameras, dict.fromkeys(wolves, "wolf"), 0.9)
    put_labels(cameras, dict.fromkeys(wolves, "deer"), 0.3)
    put_labels(cameras, dict.fromkeys(deer, "deer"))
    put_labels(cameras, {every[50]: None})
    assert paths(index.select(99, labels="wolf")) == wolves
    assert set(paths(index.select(99, labels=["deer"], not_labels=["wolf"]))) == set(deer)
    assert index.select(1, labels="wolf")[0].labels == ("deer", "wolf")
    balanced = Counter(
        "wolf" if one.relative_path in wolves else "deer" if one.relative_path in deer else ""
        for one in index.select(9, balance="label")
    )
    assert balanced == {"wolf": 3, "deer": 3, "": 3}
    with pytest.raises(SampleError, match=r"no image has the label 'lynx'; .*: deer, wolf$"):
        index.select(9, labels="lynx")
    assert [(one.label, one.images) for one in index.labels()] == [
        ("deer", 40), ("wolf", 3), (None, 1),
    ]  # fmt: skip
    assert index.drop_labels("test") == 44
    with pytest.raises(SampleError, match="no labels are from 'test'; there are those of: none"):
        index.drop_labels("test")


def test_cameras_are_balanced_and_listed(index: Index, cameras: Path) -> None:
    sample = index.select(18, balance="camera")
    assert Counter(one.camera for one in sample) == {"cam1": 7, "cam2": 7, "cam10": 4}
    assert (
        Counter(paths_of.split("/")[0] for paths_of in paths(index.select(18, balance="folder:1")))[
            "cam10"
        ]
        == 4
    )
    assert [(one.camera, one.images) for one in index.cameras()] == [
        ("cam1", 60), ("cam2", 12), ("cam10", 4),
    ]  # fmt: skip
    for wrong in ("cameras", "folder", "folder:", "folder:0", "folder:x"):
        with pytest.raises(SampleError, match="balance is camera, label, label:RANK"):
            index.select(9, balance=wrong)


def test_bursts_give_one_image_each(index: Index, cameras: Path) -> None:
    sample = index.select(19, unit="burst")
    assert len({one.burst for one in sample}) == 19
    assert all(one.relative_path.endswith(("2.JPG", "6.JPG", "0.JPG", "4.JPG", "8.JPG"))
               for one in sample)  # fmt: skip
    assert Counter(one.burst for one in index.select(20, unit="burst")).most_common(1)[0][1] == 2
    assert len({one.burst for one in index.select(20, unit="burst", balance="camera")}) == 19
    assert len(index.select(76, unit="burst")) == 76


def test_a_burst_goes_on_where_a_block_of_the_frame_ends(
    index: Index, cameras: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(cameras).writing() as session:
        make_frames(session)  # and with it each image's motion
        session.commit()
    whole = index.select(12, unit="burst", balance="camera")
    for size in (1, 3, 7):
        monkeypatch.setattr(blocks, "MEAN_IMAGES", size)
        with Store(cameras).writing() as session:
            forget_frames(session)
            make_frames(session)
            session.commit()
        assert index.select(12, unit="burst", balance="camera") == whole
