"""The servers of the tests stop, and are asked for where they must be."""

import os
from pathlib import Path

import psycopg
import pytest

from tests.data import servers
from tests.data.conftest import missing


def test_a_server_stops_and_leaves_nothing_where_a_test_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = servers.postgres_programs()
    if programs is None:
        missing("PostgreSQL: not installed")
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    monkeypatch.setattr(servers.tempfile, "tempdir", str(tmp_path))
    urls = []
    with pytest.raises(KeyError), servers.postgres(programs) as url:
        urls.append(url.replace("+psycopg", ""))
        psycopg.connect(urls[0]).close()
        raise KeyError
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls[0], connect_timeout=5)
    assert list(tmp_path.iterdir()) == []


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
