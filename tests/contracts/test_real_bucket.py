"""The real images through a server of S3: as from the disk."""

from pathlib import Path

from sdindex import Index
from sdindex.hashing.methods import METHODS
from tests.contracts.conftest import Client
from tests.support.counting import counts, rows

WHAT = "SELECT path, size, dhash, brightness, error, taken_at, camera FROM image ORDER BY path"


def test_the_real_archive_is_the_same_through_a_bucket(
    real_archive: Path, s3: Client, tmp_path: Path
) -> None:
    s3.create_bucket(Bucket="real")
    for path in (path for path in real_archive.rglob("*") if path.is_file()):
        key = path.relative_to(real_archive).as_posix()
        s3.put_object(Bucket="real", Key=f"archive/{key}", Body=path.read_bytes())
    for method in METHODS:
        near, far = tmp_path / f"{method}-near.db", tmp_path / f"{method}-far.db"
        with Index(near) as disk, Index(far) as bucket:
            disk.update(real_archive, method=method)
            bucket.update("s3://real/archive", method=method, workers=16)
            again = counts(bucket.update("s3://real/archive"))
            there = counts(disk.update(real_archive))
            assert again == there
            assert "read" not in again
            for count in (10, 100):
                here, other = (
                    [image.relative_path for image in each.select(count)] for each in (disk, bucket)
                )
                assert here == other
        assert rows(near, WHAT) == rows(far, WHAT)
