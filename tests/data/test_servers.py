"""The servers of the tests stop, and are asked for where they must be."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.data import servers
from tests.data.conftest import missing


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_server_stops_and_leaves_nothing_where_a_test_fails(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = servers.postgres_programs()
    if programs is None:
        missing("PostgreSQL: not installed")
    monkeypatch.setattr(servers.tempfile, "tempdir", str(open_folder))
    server = servers.postgres(programs)
    url = server.__enter__().replace("+psycopg", "")
    psycopg.connect(url).close()
    with pytest.raises(KeyError, match="a test failed"):
        server.gen.throw(KeyError("a test failed"))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
    assert list(open_folder.iterdir()) == []


def test_a_missing_server_is_skipped_with_its_reason_but_never_where_all_must_be_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TFDUAL_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs a server of S3: not installed"):
        missing("S3: not installed")
    monkeypatch.setenv("TFDUAL_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="needs a server of S3: not installed"):
        missing("S3: not installed")


def test_ci_requires_the_servers() -> None:
    script = Path(__file__).resolve().parents[2] / ".ci" / "run"
    assert "TFDUAL_REQUIRE_SERVERS=1" in script.read_text()
    assert os.access(script, os.X_OK)
