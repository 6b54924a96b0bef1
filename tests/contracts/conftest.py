"""A server of S3, moto's, for the contract suites."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.bucket import package, spoken_to

Client = Any  # botocore's


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Yield the address of a server on this machine that others wrote."""
    server = package("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def s3(s3_address: str) -> Iterator[Client]:
    """Have ``s3://`` mean that server, and yield a client of it."""
    with spoken_to(s3_address):
        session = package("botocore.session").Session()
        client = session.create_client("s3", endpoint_url=s3_address)
        yield client
        client.close()
