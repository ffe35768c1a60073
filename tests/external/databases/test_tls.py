"""TLS to real servers, with an authority of the tests' own."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from external.databases.engines import loader_of, source_of
from external.databases.samples import content, facts, failure_of, load, only_member
from external.databases.servers import RunningServer, start_mariadb, start_postgresql

NAMED = "127.0.0.1"
"""What the servers' certificates say; `localhost` leads there too, and is another name."""
STRICT = {
    "postgresql": "sslmode=verify-full&sslrootcert=",
    "mariadb": "ssl-mode=verify-identity&ssl-ca=",
}
LOOSE = {"postgresql": "sslmode=require", "mariadb": "ssl-mode=required"}
ONLY_ENCRYPTED = {
    "postgresql": "CREATE USER encrypted SUPERUSER;",
    "mariadb": f"GRANT ALL ON *.* TO encrypted@'{NAMED}' IDENTIFIED BY '' REQUIRE SSL;",
}
"""The servers let this user in by TLS only."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def untrusted(tmp_path: Path) -> Path:
    trustme.CA().cert_pem.write_to_path(tmp_path / "another.pem")
    return tmp_path / "another.pem"


def certified(folder: Path, authority: trustme.CA, user: str) -> tuple[Path, Path]:
    """Give a server its certificate and key."""
    issued = authority.issue_cert(NAMED)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(key, user)
    return certificate, key


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(
    request: pytest.FixtureRequest, authority: trustme.CA, server_folder: Callable[[], Path]
) -> Iterator[RunningServer]:
    """Run a server that speaks TLS, with a small database."""
    folder = server_folder()
    if request.param == "postgresql":
        certificate, key = certified(folder, authority, "postgres")
        server = start_postgresql(folder, ssl="on", ssl_cert_file=certificate, ssl_key_file=key)
    else:
        certificate, key = certified(folder, authority, "mysql")
        server = start_mariadb(folder, ssl_cert=certificate, ssl_key=key)
    server.sql("CREATE DATABASE shop;")
    server.sql("CREATE TABLE orders (n int); INSERT INTO orders VALUES (1), (2);", "shop")
    server.sql(ONLY_ENCRYPTED[server.kind])
    yield server
    server.process.terminate()
    server.process.wait(60)


def address(server: RunningServer, options: str, host: str = NAMED, user: str = "encrypted") -> str:
    return f"{server.kind}://{user}@{host}:{server.port}/shop?{options}"


def test_a_trusted_server_is_dumped_and_loaded_over_tls(
    server: RunningServer, trusted: Path
) -> None:
    options = f"{STRICT[server.kind]}{trusted}"
    member = only_member(source_of(address(server, options)))
    try:
        loader = loader_of(address(server, options).replace("/shop", "/copy"))
        load(loader, member)
        assert set(loader.tables().values()) == {2}
        assert loader.tables() == facts(member).tables
    finally:
        server.sql("DROP DATABASE IF EXISTS copy;")


def test_encryption_without_proof_is_there_for_who_asks_for_it(server: RunningServer) -> None:
    assert content(only_member(source_of(address(server, LOOSE[server.kind]))))


def test_a_server_of_another_authority_is_refused_in_one_line(
    server: RunningServer, untrusted: Path
) -> None:
    source = source_of(address(server, f"{STRICT[server.kind]}{untrusted}"))
    error = failure_of(lambda: only_member(source))
    assert "certificate" in str(error)
    assert "\n" not in str(error)
    assert "the certificate of the authority" in error.hint


def test_a_server_of_another_name_is_refused_in_one_line(
    server: RunningServer, trusted: Path
) -> None:
    source = source_of(address(server, f"{STRICT[server.kind]}{trusted}", "localhost"))
    error = failure_of(lambda: only_member(source))
    assert "server certificate" in str(error)
    assert "\n" not in str(error)
    assert "the host's name" in error.hint


def test_an_authority_that_is_not_there_is_said_to_be_missing(server: RunningServer) -> None:
    source = source_of(address(server, f"{STRICT[server.kind]}/nowhere/authority.pem"))
    assert "the certificate of the authority" in failure_of(lambda: only_member(source)).hint


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_server_without_tls_is_refused_where_tls_is_asked_for(
    request: pytest.FixtureRequest,
    trusted: Path,
    kind: str,
    strict: bool,  # noqa: FBT001
) -> None:
    plain: RunningServer = request.getfixturevalue(kind)
    options = f"{STRICT[kind]}{trusted}" if strict else LOOSE[kind]
    user = "postgres" if kind == "postgresql" else "root"
    error = failure_of(lambda: only_member(source_of(address(plain, options, user=user))))
    assert "Let the server offer TLS" in error.hint
