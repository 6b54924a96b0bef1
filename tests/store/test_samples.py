"""Samples that are saved, extended, narrowed and balanced, and the filters; over many histories."""

import csv
import json
import random
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from click.testing import CliRunner, Result

from sdindex import ArchiveError, Index, IndexUnusableError, QueryError, SampledImage, SampleError
from sdindex.archive.cameras import camera_of
from sdindex.cli.main import cli
from sdindex.sampling import blocks
from sdindex.store import frames
from sdindex.store.database import Store
from sdindex.store.schema import migrations_folder
from sdindex.store.tables import image as image_table
from sdindex.store.tables import label as label_table
from tests.store.test_selection import NOW, forget_frames, image_row, write_index

MISSING = {"missing_since": NOW}
BACK = {"missing_since": None}


def add(db: Path, paths: dict[str, int], **columns: object) -> None:
    with Store(db).writing() as connection:
        rows = [
            image_row(1, path, dhash, "scaled-1") | {"camera": camera_of(path)} | columns
            for path, dhash in paths.items()
        ]
        connection.execute(image_table.insert(), rows)
        forget_frames(connection)
        connection.commit()


def change(db: Path, paths: list[str], **columns: object) -> None:
    with Store(db).writing() as connection:
        connection.execute(
            image_table.update().where(image_table.c.path.in_(paths)).values(**columns)
        )
        forget_frames(connection)
        connection.commit()


def put_labels(db: Path, labels: dict[str, str | None], confidence: float | None = None) -> None:
    with Store(db).writing() as connection:
        for path, label in labels.items():
            row = connection.scalar(sa.select(image_table.c.id).where(image_table.c.path == path))
            said = {
                "label": label,
                "confidence": confidence,
                "failure": None if label else "broken",
            }
            connection.execute(label_table.insert(), {"image_id": row, "source": "test", **said})
        forget_frames(connection)
        connection.commit()


def paths(sample: list[SampledImage]) -> list[str]:
    return [one.relative_path for one in sample]


@pytest.fixture
def cameras(db: Path) -> Path:
    """Three cameras of 60, 12 and 4 images, each in bursts of four that look alike."""
    write_index(db, {"/data/archive": {}})
    chance = random.Random(7)
    for camera, images in {"cam1": 60, "cam2": 12, "cam10": 4}.items():
        for burst in range(images // 4):
            dhash = chance.getrandbits(63) - chance.getrandbits(63)
            day = datetime(2026, 4, 1 + burst, 12, 30)  # noqa: DTZ001
            add(
                db,
                {f"{camera}/DCIM/100RECNX/IMG_{4 * burst + n}.JPG": dhash ^ n for n in range(4)},
                taken_at=day,
            )
    return db


def run(db: Path, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), *map(str, arguments)])


def test_a_saved_sample_reads_back_the_same_after_the_archive_grew(
    index: Index, cameras: Path
) -> None:
    sample = index.select(10, unit="burst", balance="camera", save="spring")
    add(cameras, {f"cam1/DCIM/101RECNX/IMG_{n}.JPG": n << 58 for n in range(30)})
    assert index.sample("spring") == sample
    (saved,) = index.samples()
    assert (saved.name, saved.asked, saved.images, saved.missing) == ("spring", 10, 10, 0)
    assert saved.options == {"unit": "burst", "balance": "camera"}
    assert (saved.drawn_from, saved.program) == (76, "0.1.0")
    with pytest.raises(SampleError, match="there is a sample 'spring' already"):
        index.select(3, save="spring")
    index.drop_sample("spring")
    assert index.samples() == []
    with pytest.raises(SampleError, match="no saved sample 'spring'; those there are: none"):
        index.sample("spring")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J"])
def test_what_is_no_name(index: Index, cameras: Path, name: str) -> None:
    with pytest.raises(SampleError, match="is no name for a sample"):
        index.select(3, save=name)
    assert index.samples() == []


def test_what_is_missing_of_a_saved_sample_is_named_and_kept(index: Index, cameras: Path) -> None:
    sample = paths(index.select(5, save="spring"))
    change(cameras, sample[:2], **MISSING)
    assert paths(index.sample("spring")) == sample[2:]
    assert index.missing_of("spring") == [f"/data/archive/{path}" for path in sample[:2]]
    shown = run(cameras, "samples", "show", "spring", "--relative")
    assert shown.stdout.splitlines() == sample[2:]
    assert "2 images of spring are missing" in shown.stderr
    for more in (["--relative"], ["--format", "csv"], ["--copy-to", "there"]):
        refused = run(cameras, "samples", "show", "spring", "--missing", *more)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "gives absolute paths alone" in refused.stderr
    assert index.prune() == 0
    with pytest.raises(ArchiveError, match=r"saved samples hold images .*: spring; forget these"):
        index.prune("/data/archive")
    change(cameras, sample[:2], **BACK)
    assert paths(index.sample("spring")) == sample
    index.drop_sample("spring")
    assert index.prune("/data/archive") == 76


def test_extending_keeps_all_and_adds_what_is_far_from_it(index: Index, cameras: Path) -> None:
    spring = set(paths(index.select(8, save="spring")))
    more = set(paths(index.select(20, extend="spring")))
    assert spring < more
    assert len(more) == 20
    with pytest.raises(SampleError, match="8 images are fixed already, more than the 5"):
        index.select(5, extend="spring")
    assert set(paths(index.select(8, extend="spring"))) == spring
    assert set(paths(index.select(30, include=sorted(spring), under="cam1"))) >= spring


def test_with_nothing_fixed_it_is_the_plain_rule(
    index: Index, cameras: Path, tmp_path: Path
) -> None:
    plain = index.select(9)
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    assert index.select(9, include=empty) == plain
    with Store(cameras).writing() as connection:
        frames.bring_up_to_date(connection)
        connection.commit()
    assert index.select(9) == plain


def test_excluding_narrowing_and_lists(index: Index, cameras: Path, tmp_path: Path) -> None:
    spring = paths(index.select(20, save="spring"))
    assert not set(spring) & set(paths(index.select(30, exclude="spring")))
    inner = paths(index.select(7, within="spring", save="few"))
    assert set(inner) < set(spring)
    assert len(inner) == 7
    rest = paths(index.select(99, within="spring", exclude="few"))
    assert sorted(rest + inner) == sorted(spring)
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(spring[:5]))
    assert paths(index.select(99, files=listed)) == spring[:5]
    assert (
        paths(index.select(99, files=[f"/data/archive/{path}" for path in spring[:5]]))
        == (spring[:5])
    )
    as_json = tmp_path / "list.json"
    as_json.write_bytes(run(cameras, "samples", "show", "few", "--format", "json").stdout_bytes)
    assert paths(index.select(99, files=as_json)) == inner
    assert not set(paths(index.select(99, exclude=[str(as_json)]))) & set(inner)
    with pytest.raises(SampleError, match="7 images are both to be included and excluded"):
        index.select(50, extend="spring", exclude="few")
    with pytest.raises(SampleError, match="1 of 1 listed images are not in the index"):
        index.select(5, files=["/elsewhere/a.jpg"])
    with pytest.raises(SampleError, match="cannot read nowhere"):
        index.select(5, exclude="nowhere")


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1}',
        "[1, 2]",
        '[{"name": "a"}]',
        '{"images": 3}',
        r'["a\u0000b"]',
        r'["\ud800"]',
        "[" * 99_999 + "]",
    ],
    ids=range(7),
)
def test_what_is_no_list(index: Index, cameras: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "list").write_text(content)
    with pytest.raises(SampleError, match="is no list of paths: expected JSON such as"):
        index.select(5, files=tmp_path / "list")


def test_a_list_from_stdin_by_zero_bytes(cameras: Path) -> None:
    wanted = b"cam1/DCIM/100RECNX/IMG_3.JPG\0cam10/DCIM/100RECNX/IMG_0.JPG\0"
    arguments = ["--db", str(cameras), "select", "-n", "5", "--from", "-", "--relative"]
    done = CliRunner().invoke(cli, [*arguments, "--format", "null"], input=wanted)
    assert done.stdout_bytes == wanted


def test_a_list_of_odd_paths(index: Index, cameras: Path, tmp_path: Path) -> None:
    add(cameras, {"[x] site/a.jpg": 5})
    listed = tmp_path / "list"
    listed.write_bytes(b"\xef\xbb\xbf[x] site/a.jpg\n")
    assert paths(index.select(9, files=listed)) == ["[x] site/a.jpg"]
    listed.write_bytes("a.jpg".encode("utf-16"))
    with pytest.raises(SampleError, match="is UTF-16; save it as UTF-8"):
        index.select(9, files=listed)


def test_a_list_that_can_be_read_once_excludes(cameras: Path) -> None:
    every = run(cameras, "select", "-n", 99, "--relative").stdout
    done = CliRunner().invoke(
        cli, ["--db", str(cameras), "select", "-n", "99", "--exclude", "-"], input=every
    )
    assert (done.exit_code, done.stdout) == (0, "")


def burst_names(sample: list[SampledImage]) -> set[tuple[str, int]]:
    """Return the bursts as they were made: four images that follow each other."""
    names = (one.relative_path.removesuffix(".JPG").split("IMG_") for one in sample)
    return {(folder, int(number) // 4) for folder, number in names}


def test_new_bursts_are_not_those_of_excluded_images(index: Index, cameras: Path) -> None:
    spring = index.select(6, unit="burst", save="spring")
    new = index.select(13, unit="burst", exclude="spring")
    assert len(burst_names(spring)) == 6
    assert len(burst_names(new) - burst_names(spring)) == 13
    assert burst_names(index.select(19, unit="burst", extend="spring")) == burst_names(spring + new)
    assert len(index.select(99, unit="burst", exclude="spring")) == 70


def test_the_index_is_not_written_over(cameras: Path, index: Index) -> None:
    index.select(3, save="spring")
    before = cameras.read_bytes()
    done = run(cameras, "samples", "show", "spring", "--missing", "-o", cameras)
    assert done.exit_code == 1
    assert "is the index itself" in done.stderr
    assert cameras.read_bytes() == before


def test_an_offset_is_asked_for_before_a_sample_is_kept(cameras: Path, index: Index) -> None:
    done = run(cameras, "select", "-n", 3, "--save", "spring", "--format", "camtrap-dp")
    assert done.exit_code == 2
    assert "--utc-offset go together" in done.stderr
    assert index.samples() == []


def test_text_that_no_database_stores_is_one_line(cameras: Path) -> None:
    done = run(cameras, "labels", "drop", "h\udce4")
    said = "Error: source must be a text of whole characters, not 'h\\udce4'\n"
    assert (done.exit_code, done.stderr) == (1, said)


def test_the_end_of_time(index: Index, cameras: Path) -> None:
    assert len(index.select(99, since=date.min, until=date.max)) == 76
    with pytest.raises(SampleError, match="knows no time zone"):
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
        with pytest.raises(SampleError, match="balance is camera, label, or folder:K"):
            index.select(9, balance=wrong)


def test_bursts_give_one_image_each(index: Index, cameras: Path) -> None:
    sample = index.select(19, unit="burst")
    assert len({one.burst for one in sample}) == 19
    assert all(one.relative_path.endswith(("2.JPG", "6.JPG", "0.JPG", "4.JPG", "8.JPG"))
               for one in sample)  # fmt: skip
    assert Counter(one.burst for one in index.select(20, unit="burst")).most_common(1)[0][1] == 2
    assert len({one.burst for one in index.select(20, unit="burst", balance="camera")}) == 19
    assert len(index.select(76, unit="burst")) == 76


def first_revision(db: Path) -> None:
    """Make an index as the first version did, with thirty images of three cameras."""
    engine = sa.create_engine(f"sqlite:///{db}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(migrations_folder()))
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO archive (id, root, sort_key, method, added_at) "
            "VALUES (1, '/data', x'00', 'scaled', '2026-01-01 00:00:00')"
        )
        rows = [
            image_row(1, f"cam{number % 3}/DCIM/100MEDIA/{number}.jpg", number << 58, "scaled-1")
            for number in range(30)
        ]
        table = sa.table("image", *(sa.column(name) for name in rows[0]))
        connection.execute(table.insert(), [row | {"indexed_at": "2026-01-01"} for row in rows])
    engine.dispose()


def test_an_index_of_the_first_revision_gets_cameras(db: Path) -> None:
    first_revision(db)
    with Index(db) as index:
        with pytest.raises(IndexUnusableError, match="older sdindex"):
            index.select(3)
        assert index.prune() == 0  # whatever writes upgrades
        assert [(one.camera, one.images) for one in index.cameras()] == [
            ("cam0", 10), ("cam1", 10), ("cam2", 10),
        ]  # fmt: skip
        assert len(index.select(9, balance="camera", save="first")) == 9
    assert Path(f"{db}.schema-0001").exists()


def test_every_output_has_camera_and_labels(index: Index, cameras: Path) -> None:
    put_labels(cameras, {"cam1/DCIM/100RECNX/IMG_0.JPG": "deer"})
    put_labels(cameras, {"cam1/DCIM/100RECNX/IMG_0.JPG": "a fox"})
    arguments = ["select", "-n", 1, "--from", "-", "--unit", "burst"]
    given = "cam1/DCIM/100RECNX/IMG_0.JPG"
    done = CliRunner().invoke(
        cli, ["--db", str(cameras), *map(str, arguments), "--format", "csv"], input=given
    )
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["camera"], row["labels"], row["burst"]) == ("cam1", "a fox|deer", "0")
    done = CliRunner().invoke(
        cli, ["--db", str(cameras), *map(str, arguments), "--format", "json"], input=given
    )
    assert json.loads(done.stdout)[0]["labels"] == ["a fox", "deer"]


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


def test_a_burst_goes_on_where_a_block_of_the_frame_ends(
    index: Index, cameras: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = index.select(12, unit="burst", balance="camera")
    for size in (1, 3, 7):
        monkeypatch.setattr(blocks, "MEAN_IMAGES", size)
        with Store(cameras).writing() as session:
            forget_frames(session)
            frames.bring_up_to_date(session)
            session.commit()
        assert index.select(12, unit="burst", balance="camera") == whole
