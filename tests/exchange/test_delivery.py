"""What the library and the command line say of files that are put somewhere."""

import os
from concurrent.futures import Executor
from pathlib import Path

from click.testing import CliRunner

from sdindex import Index
from sdindex.cli.main import cli
from tests.conftest import make_image


def test_copies_of_changed_originals_are_said(
    index: Index, archive: Path, db: Path, tmp_path: Path, threads: Executor
) -> None:
    index.update(archive, executor=threads)
    sample = index.select(12)
    assert index.put_files(sample, tmp_path / "before").changed == 0
    make_image(archive / "cam0/IMG_1.JPG", 99)
    done = index.put_files(index.select(12), tmp_path / "after", name="spring")
    assert (done.new, done.changed) == (12, 1)
    arguments = ["--db", str(db), "select", "-n", "12", "--copy-to", str(tmp_path / "cli")]
    said = CliRunner().invoke(cli, arguments).stderr
    assert "; 1 has changed since they were indexed (such as " in said
    index.update(archive, executor=threads)
    assert index.put_files(index.select(12), tmp_path / "after").changed == 0
    assert os.listdir(tmp_path / "cli") == os.listdir(tmp_path / "after")
