from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupd.sources.database_url import DatabaseAddress, kind_of, parse_database_url

printable = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)


@given(user=printable, password=printable, database=printable)
def test_what_is_put_together_is_taken_apart(user: str, password: str, database: str) -> None:
    address = DatabaseAddress(
        kind="mysql",
        scheme="mysql",
        host="db.example",
        port=3307,
        user=user,
        password=password,
        database=database,
        options={"ssl-mode": "required"},
    )
    assert parse_database_url(address.uri) == address


def test_an_address_needs_no_more_than_its_kind() -> None:
    assert parse_database_url("postgresql:///shop") == DatabaseAddress(
        kind="postgresql", scheme="postgresql", database="shop"
    )


def test_a_url_without_a_name_means_all_databases() -> None:
    assert not parse_database_url("mariadb://root@db.example/").database


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@%2Frun%2Fpostgresql/shop",
        "postgresql:///shop?host=/run/postgresql",
        "postgresql://u@db.example/shop?host=%2Frun%2Fpostgresql",
    ],
)
def test_a_socket_directory_of_postgresql_is_written_as_libpq_has_it(url: str) -> None:
    address = parse_database_url(url)
    assert (address.host, address.socket) == ("", "/run/postgresql")


def test_a_socket_of_mysql_is_an_option() -> None:
    address = parse_database_url("mysql://u@/shop?socket=/run/mysqld/mysqld.sock")
    assert (address.host, address.socket) == ("", "/run/mysqld/mysqld.sock")


def test_an_address_of_version_6_is_in_brackets() -> None:
    address = parse_database_url("mysql://u@[::1]:3307/shop")
    assert (address.host, address.port) == ("::1", 3307)


def test_several_hosts_of_mongodb_stay_together() -> None:
    url = "mongodb://u:p%40ss@a.example:27017,b.example:27018/shop?replicaSet=rs0&tls=true"
    address = parse_database_url(url)
    assert address.host == "a.example:27017,b.example:27018"
    assert address.password == "p@ss"
    assert address.uri == url


def test_an_at_sign_in_a_password_is_understood_as_long_as_it_can_be() -> None:
    assert parse_database_url("mysql://u:p@ss@db.example/shop").password == "p@ss"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("shop", "an address that starts with postgresql://"),
        ("oracle://u@h/shop", "an address that starts with postgresql://"),
        ("mysql://u:p/ss@db.example/shop", r"the password by itself, as it is, in …__PASSWORD"),
        ("mysql://u:p#ss@db.example/shop", r"the password by itself, as it is, in …__PASSWORD"),
        ("mysql://u:100%@db.example/shop", r"two hexadecimal digits"),
        ("mysql://db.example:99999/shop", "a port from 1 to 65535"),
        ("mysql://db.example:a/shop", r"two hexadecimal digits"),
        ("mysql://u:a%0Ab@db.example/shop", "a password without control characters"),
        ("mysql://u:%ff@db.example/shop", "percent-encoded characters of UTF-8"),
        ("mysql://h/shop?tls=yes", "an address with the options connect_timeout, socket, ssl-ca"),
        ("mysql://h/shop?socket", r"options as \?name=value"),
        ("postgresql://h/shop?sslrootcert=/ca", "an authority together with sslmode=verify-full"),
        ("postgresql://h/shop?sslrootcert=/ca&sslmode=prefer", "together with sslmode=verify-full"),
        ("mysql://h/shop?ssl-ca=/ca", "an authority together with ssl-mode=verify-identity"),
        ("postgresql://h/shop?sslmode=yes", "a mode of TLS from allow, disable, prefer"),
    ],
)
def test_a_mistake_says_what_is_allowed_and_nothing_secret(url: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed) as caught:
        parse_database_url(url)
    assert "ss@" not in str(caught.value)


def test_a_password_is_in_no_representation() -> None:
    address = parse_database_url("mysql://u:s3cr3t@db.example/shop")
    assert "s3cr3t" not in repr(address)
    assert "s3cr3t" not in repr(replace(address, host="other.example"))


def test_other_names_of_a_kind_are_known() -> None:
    assert [kind_of(f"{scheme}://x") for scheme in ("postgres", "mongodb+srv", "sqlite")] == [
        "postgresql",
        "mongodb",
        "sqlite",
    ]
