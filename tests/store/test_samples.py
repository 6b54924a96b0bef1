"""Samples that are saved, extended, narrowed and balanced, and the filters; over many histories."""

import csv
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from click.testing import CliRunner, Result

from sdindex import ArchiveError, Index, IndexUnusableError, SampledImage, SampleError
from sdindex.cli.main import cli
from sdindex.store.database import Store
from sdindex.store.schema import migrations_folder
from tests.support.indexes import NOW, add, change, image_row, make_frames, put_labels

MISSING = {"missing_since": NOW}
BACK = {"missing_since": None}


def paths(sample: list[SampledImage]) -> list[str]:
    return [one.relative_path for one in sample]


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
    assert saved.options == {"unit": "burst", "balance": ["camera"]}
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
        make_frames(connection)
        connection.commit()
    assert paths(index.select(9)) == paths(plain)


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
    with pytest.raises(SampleError, match="neither a saved sample nor a file named nowhere"):
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


@pytest.mark.sqlite_file
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
    assert "give it with --utc-offset" in done.stderr
    assert index.samples() == []


def test_text_that_no_database_stores_is_one_line(cameras: Path) -> None:
    done = run(cameras, "labels", "drop", "h\udce4")
    said = "Error: --source must be a text of whole characters, not 'h\\udce4'\n"
    assert (done.exit_code, done.stderr) == (1, said)


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


@pytest.mark.sqlite_file
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
    assert (row["camera"], row["labels"], row["burst"]) == ("cam1", "a fox|deer", given)
    done = CliRunner().invoke(
        cli, ["--db", str(cameras), *map(str, arguments), "--format", "json"], input=given
    )
    assert json.loads(done.stdout)[0]["labels"] == ["a fox", "deer"]
