"""Bursts, events, strata and orders of an index: drawn, saved, told in every format."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from sdindex import Index, SampledImage, SampleError
from sdindex.store.database import Store
from sdindex.store.tables import image, sample, sample_image
from tests.support.commands import run
from tests.support.indexes import NOW, add, make_frames, put_labels, write_index

DAY = datetime(2026, 4, 1, 12)  # noqa: DTZ001


@pytest.fixture
def visits(db: Path) -> Path:
    """Two cameras: bursts of four in two visits each, and in the third image most moved."""
    write_index(db, {"/data/archive": {}})
    number = 0
    for camera, folder in (("cam1", "100"), ("cam1", "101"), ("cam2", "100")):
        for burst in range(4):  # two bursts a minute apart, an hour later two more
            begin = DAY + timedelta(hours=burst // 2, minutes=burst % 2)
            for at in range(4):
                dhash = (burst * 0x9E37 << 40) ^ (-1 if at == 2 else 0)
                path = f"{camera}/DCIM/{folder}RECNX/IMG_{number}.JPG"
                add(db, {path: dhash}, taken_at=begin + timedelta(seconds=2 * at))
                number += 1
    with Store(db).writing() as session:
        make_frames(session)
        session.commit()
    return db


def paths(drawn: list[SampledImage]) -> list[str]:
    return [one.relative_path for one in drawn]


def number(drawn: SampledImage) -> int:
    return int(Path(drawn.relative_path).stem.removeprefix("IMG_"))


def _paths(index: Index, *positions: int) -> list[str]:
    """Return the paths of the images at these positions in natural order."""
    found = [one.relative_path for one in index.select(48)]
    return [found[position] for position in positions]


def test_each_burst_is_shown_by_the_frame_that_moved(index: Index, visits: Path) -> None:
    drawn = index.select(12, unit="burst")
    assert [number(one) for one in drawn] == [4 * burst + 2 for burst in range(12)]
    assert {show: number(index.select(12, unit="burst", show=show)[0]) for show in
            ("moved", "first", "middle", "last")} == {"moved": 2, "first": 0, "middle": 2,
                                                      "last": 3}  # fmt: skip


def test_an_event_is_a_visit_over_the_folders_of_a_camera(index: Index, visits: Path) -> None:
    # The two folders of the first camera were filled at the same times: by two at a time.
    assert len({one.event for one in index.select(48, with_bursts=True)}) == 4
    drawn = index.select(4, unit="event")
    assert [one.event for one in drawn] == _paths(index, 0, 8, 32, 40)
    assert len({one.event for one in index.select(2, unit="event", event_minutes=60)}) == 2


def test_a_burst_is_named_by_its_first_image_whatever_is_filtered(
    index: Index, visits: Path
) -> None:
    drawn = index.select(9, unit="burst", where="id NOT IN (1, 4)")
    assert {one.burst for one in drawn} <= {*_paths(index, *range(0, 48, 4))}
    all_told = index.select(48, with_bursts=True)
    firsts = _paths(index, *(at // 4 * 4 for at in range(48)))
    assert [one.burst for one in all_told] == firsts
    assert [(one.number_in_burst, one.burst_size) for one in all_told] == [
        (1 + at % 4, 4) for at in range(48)
    ]
    index.select(5, unit="burst", save="spring")
    told = {one.relative_path: (one.burst, one.event) for one in all_told}
    for one in index.sample("spring", with_bursts=True):
        assert (one.burst, one.event) == told[one.relative_path]
    assert all(one.event is None for one in index.sample("spring"))


@pytest.mark.parametrize("form", ["csv", "json", "coco", "camtrap-dp"])
def test_every_format_tells_the_same_bursts_and_events(
    index: Index, visits: Path, form: str, tmp_path: Path
) -> None:
    told = {one.relative_path: one for one in index.select(20, with_bursts=True)}
    is_package = form == "camtrap-dp"
    index.select(20, save="kept")
    asked: list[list[object]] = [["select", "-n", 20], ["samples", "show", "kept"]]
    for number, arguments in enumerate(asked):
        folder = tmp_path / str(number)
        more = ["--utc-offset", "+01:00", "-o", folder] if is_package else []
        done = run(*arguments, "--relative", "--format", form, *more, db=visits)
        assert done.exit_code == 0, done.output
        text = (folder / "observations.csv").read_text() if is_package else done.stdout
        found = dict(_told_by(form, text))
        assert found.keys() == told.keys()
        for path, (burst, event) in found.items():
            assert burst in (None, told[path].burst)
            assert event in (None, told[path].event)
            assert (burst, event) != (None, None)


def _told_by(form: str, text: str) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
    match form:
        case "csv":
            for row in csv.DictReader(text.splitlines()):
                yield row["path"], (row["burst"], row["event"])
        case "json":
            for row in json.loads(text):
                yield row["path"], (row["burst"], row["event"])
        case "camtrap-dp":
            for row in csv.DictReader(text.splitlines()):
                yield row["mediaID"], (None, row["eventID"])
        case _:
            images = json.loads(text)["images"]
            for row in images:
                assert 1 <= row["frame_num"] <= row["seq_num_frames"] == 4
                yield row["file_name"], (row["seq_id"], None)


def test_a_sample_by_the_order_even_can_be_drawn_again(index: Index, visits: Path) -> None:
    drawn = index.select(7, order="even", bits=2, save="spring")
    (saved,) = index.samples()
    assert len(saved.options["order"]) == 2
    assert index.select(7, order=saved.options["order"], bits=2) == drawn
    assert [one.bucket for one in index.sample("spring")] == [one.bucket for one in drawn]
    sizes = index.buckets(order=saved.options["order"], bits=2)
    assert {one.bucket for one in drawn} <= {one.bucket for one in sizes}
    assert sum(one.images for one in sizes) == 48


def test_no_bits_are_an_even_stride(index: Index, visits: Path) -> None:
    assert [number(one) for one in index.select(12, bits=0)] == [*range(0, 48, 4)]
    (bucket,) = index.buckets(bits=0)
    assert (bucket.bits, bucket.images) == ("", 48)
    moved = index.select(12, bits=0, prefer="motion")
    assert [number(one) % 4 for one in moved] == [2] * 12


def test_strata_are_crossed_capped_and_shared(index: Index, visits: Path) -> None:
    drawn = index.select(8, balance=["camera", "hour"])
    counted = Counter((one.camera, one.taken_at.hour) for one in drawn if one.taken_at)
    assert counted == {(c, h): 2 for c in ("cam1", "cam2") for h in (12, 13)}
    done = run("select", "-n", 30, "--balance", "camera", "--at-most", 5, db=visits)
    assert len(done.stdout.splitlines()) == 10
    assert "30 images were asked for, and --at-most 5 gives 10" in done.stderr
    drawn = index.select(10, share="camera:cam2=70%")
    assert Counter(one.camera for one in drawn) == {"cam1": 3, "cam2": 7}
    with pytest.raises(SampleError, match=r"is to be 24 of 30 images, and there are 16: enough for "
                       "a sample of 20"):  # fmt: skip
        index.select(30, share="camera:cam2=80%")
    with pytest.raises(SampleError, match="has the camera 'cam9'; there are: cam1, cam2"):
        index.select(20, share="camera:cam9=80%")
    with pytest.raises(SampleError, match="no image has a label"):
        index.select(9, balance="label")
    put_labels(visits, {"cam1/DCIM/100RECNX/IMG_0.JPG": "deer"})
    assert len(index.select(2, balance="label")) == 2
    with pytest.raises(SampleError, match="no label of this index has a genus"):
        index.select(9, balance="label:genus")


def test_every_kind_of_stratum_is_drawn_from(index: Index, visits: Path) -> None:
    for kind in ("day", "month", "hour", "night", "motion", "folder:3"):
        assert len(index.select(9, balance=[kind, "camera"])) == 9
    for share in ("month:2026-04=100%", "day:2026-04-01=100%", "hour:12=34%,13=66%"):
        assert len(index.select(3, share=share)) == 3


def test_an_excluded_image_shows_its_burst_also_where_a_filter_hides_it(
    index: Index, visits: Path
) -> None:
    index.select(1, where="id = 2", save="seen")  # the burst of images 1 to 4
    for where in (None, "id != 2"):
        drawn = index.select(11, unit="burst", exclude="seen", where=where)
        assert not {*_paths(index, 0)} & {one.burst for one in drawn}
    assert {*_paths(index, 0)} <= {
        one.burst for one in index.select(12, unit="burst", exclude="seen")
    }


def test_a_sample_of_an_older_version_is_read(index: Index, visits: Path) -> None:
    options = {"unit": "burst", "burst_distance": 12, "balance": "camera", "bits": 6}
    with Store(visits).writing() as session:
        row = {"name": "old", "made_at": NOW, "asked": 2, "program": "0.1.0", "drawn_from": 48}
        session.execute(sample.insert().values(row | {"options": json.dumps(options)}))
        of_id = session.scalar(sa.select(sample.c.id))
        for row_id, burst in ((2, 0), (6, 1)):
            values = {"sample_id": of_id, "image_id": row_id, "burst": burst}
            session.execute(sample_image.insert().values(values))
        assert session.scalar(sa.select(image.c.id).where(image.c.id == 2)) == 2
        session.commit()
    assert [one.burst for one in index.sample("old")] == [None, None]
    assert [saved.options for saved in index.samples()] == [options]
    assert "balance=camera" in run("samples", "list", db=visits).stdout
    assert index.quality(name="old").sampled == 2
    assert {2, 6} <= {1 + number(one) for one in index.select(9, extend="old", unit="burst")}
    assert [one.burst for one in index.sample("old", with_bursts=True)] == _paths(index, 0, 4)


def test_a_purpose_is_written_out_and_can_be_overridden(index: Index, visits: Path) -> None:
    done = run("select", "-n", 5, "--for", "labelling", "--order", "even", "--relative", db=visits)
    assert done.stderr == (
        "--for labelling: --unit burst --show moved --order even --balance camera\n"
    )
    drawn = index.select(5, unit="burst", order="even", balance="camera")
    assert done.stdout.splitlines() == paths(drawn)
    assert paths(index.select(5, purpose="labelling", order="even")) == paths(drawn)


def test_what_was_drawn_is_said_and_what_would_be_better(index: Index, visits: Path) -> None:
    said: list[str] = []
    index.select(18, when_drawn=said.append, where="id <= 2 OR id > 32")
    assert said == [
        "18 of 18 images; 100% share a burst with another one (--for labelling draws one of each)"
    ]
    list(index.paths(12, when_drawn=said.append, unit="burst"))
    assert said[1:] == ["12 of 48 images; none shares a burst with another one"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
def test_it_is_said_on_a_terminal_alone(index: Index, visits: Path) -> None:
    command = [sys.executable, "-m", "sdindex", "--db", str(visits), "select", "-n", "48"]
    assert run("select", "-n", 48, db=visits).stderr == ""
    master, slave = os.openpty()
    subprocess.run(command, stderr=slave, stdout=subprocess.DEVNULL, check=True)
    os.close(slave)
    said = os.read(master, 10_000).decode()
    os.close(master)
    assert said.strip() == (
        "48 of 48 images; 100% share a burst with another one (--for labelling draws one of each)"
    )


def test_cameras_tell_how_often_a_timer_took_an_image(index: Index, db: Path) -> None:
    write_index(db, {"/data/archive": {}})
    for camera, seconds in (("cam1", 900), ("cam2", 30), ("cam3", 7201), ("cam4", 0)):
        for step in range(30):
            path = f"{camera}/DCIM/100RECNX/IMG_{step}.JPG"
            add(db, {path: step}, taken_at=DAY + timedelta(seconds=step * seconds))
    with Store(db).writing() as session:
        make_frames(session)
    assert [one.timer for one in index.cameras()] == [900, 30, 7201, None]
    shown = run("cameras", db=db).stdout
    assert [line.rstrip().rpartition("  ")[2].strip() for line in shown.splitlines()[:4]] == [
        "timer", "every 15 min", "every 30 s", "every 2 h",
    ]  # fmt: skip
