"""The real images through a server of S3: as from the disk."""

import os
import shutil
from pathlib import Path

from sdindex import Index
from sdindex.hashing.methods import METHODS
from tests.conftest import LONG_AGO
from tests.contracts.conftest import Client
from tests.support.counting import counts, rows

WHAT = "SELECT path, size, dhash, brightness, error, taken_at, camera FROM image ORDER BY path"


def test_the_real_archive_is_the_same_through_a_bucket(
    real_archive: Path, s3: Client, tmp_path: Path
) -> None:
    s3.create_bucket(Bucket="real")
    files = sorted(path for path in real_archive.rglob("*") if path.is_file())
    for number, method in enumerate(METHODS):
        archive = tmp_path / method
        for path in files[number :: len(METHODS)]:  # each file by one of the methods
            key = path.relative_to(real_archive)
            (archive / key).parent.mkdir(parents=True, exist_ok=True)
            os.utime(shutil.copyfile(path, archive / key), (LONG_AGO, LONG_AGO))
            s3.put_object(Bucket="real", Key=f"{method}/{key.as_posix()}", Body=path.read_bytes())
        near, far = tmp_path / f"{method}-near.db", tmp_path / f"{method}-far.db"
        with Index(near) as disk, Index(far) as bucket:
            disk.update(archive, method=method)
            bucket.update(f"s3://real/{method}", method=method, workers=16)
            again = counts(bucket.update(f"s3://real/{method}"))
            there = counts(disk.update(archive))
            assert again == there
            assert "read" not in again
            for count in (10, 100):
                here, other = (
                    [image.relative_path for image in each.select(count)] for each in (disk, bucket)
                )
                assert here == other
        assert rows(near, WHAT) == rows(far, WHAT)
