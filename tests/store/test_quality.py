"""How good a sample of an index is, against plain Python: sets, and distances of integers."""

import csv
import io
import json
import sys
from collections import Counter
from datetime import UTC, datetime
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from sdindex import Index, Quality, SampledImage, SampleError, UsageError
from sdindex.cli.terminal import write_quality
from sdindex.sampling import quality
from sdindex.sampling.trim import stride
from sdindex.store.database import Store
from sdindex.store.tables import image, label
from tests.support import plain_rule
from tests.support.indexes import forget_frames, image_row, write_index
from tests.support.plain_rule import Shot


def apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def write_archives(db: Path) -> None:
    """Write 300 images of two archives: four cameras, five days, labels, bursts and scenes."""
    chance = np.random.default_rng(7)
    scenes = chance.integers(-(2**63), 2**63, 40)
    write_index(db, {"/data/a": {}, "/data/b": {}})
    with Store(db).writing() as connection:
        for number in range(300):
            scene, camera = int(scenes[number // 5 % 40]), f"cam{number % 200 // 100}"
            row = image_row(1 + number % 2, f"{camera}/IMG_{number}.JPG", 0, "scaled-1")
            row |= {
                "dhash": scene ^ int(chance.choice([0, 1, 3, 0xFFFF])),
                "camera": camera,
                "brightness": 10.0 if number % 4 else 90.0,
                "taken_at": datetime(2026, 4, 1 + number // 70, 12) if number % 9 else None,  # noqa: DTZ001
            }
            result = connection.execute(image.insert().values(row).returning(image.c.id))
            row_id = result.scalar_one()
            for step, name in ((7, "deer"), (30, "fox"), (150, "bird"), (8, None)):
                if not number % step:  # None: a failure
                    for source in ("me", "you")[: 1 + (name == "bird")]:
                        values = {"image_id": row_id, "source": source, "label": name}
                        connection.execute(label.insert(), values)
        forget_frames(connection)
        connection.commit()


def labels_of(sample: list[SampledImage], rare: set[str] | None = None) -> int:
    return len({name for one in sample for name in one.labels if rare is None or name in rare})


def reached(
    sample: list[SampledImage], bursts: dict[str, int], events: dict[str, int], rare: set[str]
) -> dict[str, int]:
    return {
        "labels": labels_of(sample),
        "rare labels": labels_of(sample, rare),
        "cameras": len({(one.archive, one.camera) for one in sample}),
        "bursts": len({bursts[one.path] for one in sample}),
        "events": len({events[one.path] for one in sample}),
        "days": len({one.taken_at.date() for one in sample if one.taken_at}),
        "buckets": len({one.bucket for one in sample}),
        "images by day": sum((one.brightness or 0) >= 20 for one in sample),
        "images by night": sum((one.brightness or 0) < 20 for one in sample),
    }


def evenness(sample: list[SampledImage], cameras: int) -> float:
    images = Counter((one.archive, one.camera) for one in sample)
    parts = [part / len(sample) for part in images.values()]
    most = min(cameras, len(sample))
    return -sum(part * log(part) for part in parts) / log(most) if most > 1 else 1


def in_company(sample: list[SampledImage], groups: dict[str, int]) -> float:
    sizes = Counter(groups[one.path] for one in sample)
    return sum(size for size in sizes.values() if size > 1) / len(sample)


def rare_labels(every: list[SampledImage]) -> set[str]:
    images = Counter(name for one in every for name in set(one.labels))
    labelled = sum(bool(one.labels) for one in every)
    return {name for name, number in images.items() if number < 0.03 * labelled}


def units_by_the_rule(
    every: list[SampledImage], distance: int | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the burst and the event of each image, by its path."""
    folders = [str(Path(one.path).parent) for one in every]
    cameras = [f"{one.archive} {one.camera}" for one in every]
    shots = [
        Shot(
            int(one.dhash, 16),
            None if one.taken_at is None else round(one.taken_at.replace(tzinfo=UTC).timestamp()),
            folders.index(folder),
            cameras.index(camera),
        )
        for one, folder, camera in zip(every, folders, cameras, strict=True)
    ]
    alone = plain_rule.timers(shots)
    found = plain_rule.bursts(shots, 10, distance, alone)
    events = plain_rule.events(shots, found, 30 * 60, alone)
    bursts = {every[at].path: burst[0] for burst in found for at in burst}
    return bursts, {one.path: event for one, event in zip(every, events, strict=True)}


def near(every: list[SampledImage], sample: list[SampledImage]) -> list[int]:
    chosen = [int(one.dhash, 16) for one in sample]
    return [min(apart(int(one.dhash, 16), other) for other in chosen) for one in every]


def by_hand(
    every: list[SampledImage],
    sample: list[SampledImage],
    told_by: int | None = None,
    taken: list[SampledImage] | None = None,
) -> dict[str, float]:
    distances, distance = near(every, sample), 10 if told_by is None else told_by
    doubled = [
        any(apart(int(one.dhash, 16), int(other.dhash, 16)) <= distance
            for other in sample if other is not one)
        for one in sample
    ]  # fmt: skip
    bursts, events = units_by_the_rule(taken or every, told_by)
    cameras = len({(one.archive, one.camera) for one in every})
    return reached(sample, bursts, events, rare_labels(every)) | {
        "evenness over cameras": evenness(sample, cameras),
        "share a burst": in_company(sample, bursts),
        "share an event": in_company(sample, events),
        "mean distance in bits": sum(distances) / len(distances),
        "greatest distance in bits": max(distances),
        "near-duplicates": sum(doubled) / len(doubled),
    }


def figures(found: Quality, of: str) -> dict[str, float]:
    """Return the figures of one column, but for those of samples of other sizes."""
    return {
        one.measure: getattr(one, of)
        for one in found.measures
        if not one.measure.startswith("labels at")
    }


@pytest.mark.parametrize("count", [1, 20, 299])
@pytest.mark.parametrize("options", [{}, {"unit": "burst", "burst_distance": 2}, {"bits": 6}])
def test_the_figures_are_those_of_plain_python(
    db: Path, index: Index, count: int, options: dict[str, object]
) -> None:
    write_archives(db)
    found = index.quality(count, **options)  # type: ignore[arg-type]
    bits: int = options.get("bits", 4)  # type: ignore[assignment]
    told_by: int | None = options.get("burst_distance")  # type: ignore[assignment]
    distance = 10 if told_by is None else told_by
    every = index.select(300, bits=bits)
    sample = index.select(count, **options)  # type: ignore[arg-type]
    evenly = [every[place] for place in stride(300, count)]
    assert figures(found, "sample") == pytest.approx(by_hand(every, sample, told_by))
    assert figures(found, "stride") == pytest.approx(by_hand(every, evenly, told_by))
    there = reached(every, *units_by_the_rule(every, told_by), rare_labels(every))
    assert figures(found, "of") == there | dict.fromkeys(list(figures(found, "of"))[len(there) :])
    assert (there["cameras"], there["days"], there["labels"]) == (4, 5, 3)
    assert (there["rare labels"], there["images by night"]) == (0, 225)
    assert (found.images, found.sampled, found.distance, found.note) == (300, count, distance, "")


@pytest.mark.parametrize("options", [{}, {"unit": "burst"}, {"balance": "camera"}])
def test_labels_are_told_for_samples_of_other_sizes(
    db: Path, index: Index, options: dict[str, object]
) -> None:
    write_archives(db)
    every = index.select(300)
    measures = {one.measure: one for one in index.quality(60, **options).measures}  # type: ignore[arg-type]
    images = Counter(name for one in every for name in set(one.labels))
    assert images["bird"] == 2, "each said twice"
    assert [name for name in measures if name.startswith("labels at")] == [
        "labels at 15 images", "labels at 30 images", "labels at 120 images",
    ]  # fmt: skip
    for count in (15, 30, 120):
        found = measures[f"labels at {count} images"]
        assert found.of == 3
        assert found.sample == labels_of(index.select(count, **options))  # type: ignore[arg-type]
        assert found.stride == labels_of([every[at] for at in stride(300, count)])
        chance = sum(1 - comb(300 - some, count) / comb(300, count) for some in images.values())
        assert found.random == pytest.approx(chance)


def test_sizes_that_cannot_be_drawn_are_not_told(db: Path, index: Index) -> None:
    write_archives(db)

    def sizes(**given: object) -> list[str]:
        measures = index.quality(**given).measures  # type: ignore[arg-type]
        return [one.measure.split()[2] for one in measures if one.measure.startswith("labels at")]

    assert sizes(count=299) == ["74", "149"]
    assert sizes(count=2) == ["1", "4"]
    some = [one.path for one in index.select(20)]
    assert sizes(count=60, include=some) == ["30", "120"]
    assert sizes(count=14, share="label:fox=50%") == ["3", "7"], "of 28 there are too few"
    index.select(20, save="spring")
    assert sizes(name="spring") == []


def test_rare_labels_are_those_of_few_of_the_labelled_images(db: Path, index: Index) -> None:
    write_archives(db)
    with Store(db).writing() as connection:
        rows = connection.scalars(sa.select(image.c.id).order_by(image.c.id)).all()
        for row in rows[:100]:
            connection.execute(label.insert(), {"image_id": row, "source": "it", "label": "grass"})
        forget_frames(connection)
        connection.commit()
    every = index.select(300)
    assert rare_labels(every) == {"bird"}
    found = index.quality(100)
    assert figures(found, "sample") == pytest.approx(by_hand(every, index.select(100)))
    assert figures(found, "of")["rare labels"] == 1


def test_random_is_what_chance_expects(db: Path, index: Index) -> None:
    write_archives(db)
    sizes = [one.images for one in index.buckets()]
    expected = sum(1 - comb(300 - size, 30) / comb(300, 30) for size in sizes)
    assert figures(index.quality(30), "random")["buckets"] == pytest.approx(expected, abs=0.6)
    assert index.quality(30) == index.quality(30)
    all_drawn = index.quality(300)
    assert figures(all_drawn, "random") == pytest.approx(figures(all_drawn, "sample"))
    assert figures(all_drawn, "random")["mean distance in bits"] == 0


def test_a_sample_is_held_against_what_passes_the_filters(
    db: Path, index: Index, tmp_path: Path
) -> None:
    write_archives(db)
    deer = index.quality(5, labels="deer", under="/data/a")
    every = index.select(300, labels="deer", under="/data/a")
    assert deer.images == len(every) < 30
    assert figures(deer, "sample") == pytest.approx(
        by_hand(every, index.select(5, labels="deer", under="/data/a"), taken=index.select(300))
    )
    assert figures(deer, "of")["cameras"] == 2
    some = [one.path for one in index.select(300)[:50]]
    assert index.quality(5, files=some).images == 50
    assert index.quality(9, include=some[:3], where="path LIKE 'cam1%'").sampled == 9


def test_a_saved_sample_is_held_against_all_there_are(db: Path, index: Index) -> None:
    write_archives(db)
    sample = index.select(20, save="spring", under="/data/a", bits=6)
    every = index.select(300, bits=6)
    assert figures(index.quality(name="spring"), "sample") == by_hand(every, sample)
    gone = [one.relative_path for one in sample[:5]]
    with Store(db).writing() as connection:
        missing = image.c.path.in_(gone) & (image.c.archive_id == 1)
        connection.execute(image.update().where(missing).values(missing_since=datetime(2026, 5, 1)))  # noqa: DTZ001
        connection.commit()
    found = index.quality(name="spring")
    assert (found.images, found.sampled) == (295, 15)
    with Store(db).writing() as connection:
        connection.execute(image.update().values(missing_since=datetime(2026, 5, 1)))  # noqa: DTZ001
        connection.commit()
    with pytest.raises(SampleError, match="none of the sample's images is there now"):
        index.quality(name="spring")
    with pytest.raises(SampleError, match="there is no image to measure"):
        index.quality(5)


def test_what_cannot_be_measured(db: Path, index: Index) -> None:
    write_archives(db)
    with pytest.raises(UsageError):
        index.quality()
    with pytest.raises(UsageError):
        index.quality(5, name="spring")
    with pytest.raises(UsageError):
        index.quality(name="spring", bits=3)
    with pytest.raises(SampleError, match="no saved sample 'spring'"):
        index.quality(name="spring")
    with pytest.raises(SampleError, match="count must be a whole number of at least 1"):
        index.quality(0)


def test_many_images_are_measured_from_an_even_subset(
    db: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archives(db)
    whole = index.quality(120, unit="burst")
    monkeypatch.setattr(quality, "MOST", 60)
    part = index.quality(120, unit="burst")
    assert part.note == (
        "Distances are from 60 of the 300 images to 60 of the "
        "120 sampled ones, and near-duplicates are counted among these."
    )
    assert index.quality(60).note == ("Distances are from 60 of the 300 images to the sample.")
    assert [one.of for one in part.measures] == [one.of for one in whole.measures]
    for of in ("sample", "stride"):
        some, every = figures(part, of), figures(whole, of)
        assert list(some.values())[:-3] == list(every.values())[:-3]
        assert some["mean distance in bits"] > every["mean distance in bits"]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_it_is_written_in_every_format(
    db: Path, index: Index, form: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    write_archives(db)
    found = index.quality(20)
    write_quality(found, form, sys.stdout.buffer)  # type: ignore[arg-type]
    sys.stdout.flush()
    written = capsysbinary.readouterr().out.decode()
    if form == "table":
        lines = [line.split() for line in written.splitlines()]
        assert lines[0] == ["measure", "of", "sample", "random", "stride"]
        share = figures(found, "sample")["near-duplicates"]
        assert lines[-1][:3] == ["near-duplicates", "-", f"{share:.0%}"]
        cameras = ["cameras", "4", str(figures(found, "sample")["cameras"])]
        assert cameras in [line[:3] for line in lines]
        even = figures(found, "sample")["evenness over cameras"]
        assert ["evenness", "over", "cameras", "-", f"{even:.0%}"] in [line[:5] for line in lines]
        return
    rows = json.loads(written) if form == "json" else list(csv.DictReader(io.StringIO(written)))
    assert [row["measure"] for row in rows] == [one.measure for one in found.measures]
    assert [float(row["random"]) for row in rows] == [one.random for one in found.measures]
