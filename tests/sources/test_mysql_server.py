import pytest

from backupd.sources.mysql_server import client_version, is_granted, quoted, server_version


@pytest.mark.parametrize(
    ("grant", "sees"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO `u`@`h` WITH GRANT OPTION", True),
        ("GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `u`@`h`", True),
        ("GRANT SELECT ON `sh%`.* TO `u`@`h`", True),
        ("GRANT SELECT ON `s_op`.* TO `u`@`h`", True),
        (r"GRANT SELECT ON `s\_op`.* TO `u`@`h`", False),
        ("GRANT SELECT ON `shop2`.* TO `u`@`h`", False),
        ("GRANT SELECT ON `shop`.`orders` TO `u`@`h`", False),
        ("GRANT SHOW VIEW ON `shop`.* TO `u`@`h`", False),
        ("GRANT USAGE ON *.* TO `u`@`h` IDENTIFIED BY PASSWORD '*AB'", False),
        ("GRANT `backup_role` TO `u`@`h`", True),
    ],
)
def test_who_may_read_a_whole_database_is_known_from_the_grants(grant: str, sees: bool) -> None:  # noqa: FBT001  (a table of cases)
    assert is_granted(["GRANT USAGE ON *.* TO `u`@`h`", grant], "SELECT", "shop") is sees


def test_a_name_with_a_quote_in_it_is_granted_as_it_is_written() -> None:
    assert is_granted(["GRANT SELECT ON `a``b`.* TO `u`@`h`"], "SELECT", "a`b")
    assert quoted("a`b") == "`a``b`"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)", (8, 0)),
        ("mariadb-dump  Ver 10.19 Distrib 10.11.6-MariaDB, for debian-linux-gnu", (10, 11)),
        ("mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)", (11, 4)),
        ("a script of somebody's own", ()),
    ],
)
def test_a_client_s_version_is_read_from_what_it_says(said: str, version: tuple[int, ...]) -> None:
    assert client_version(said) == version


def test_a_server_s_version_is_read_from_what_it_says() -> None:
    assert server_version("10.11.6-MariaDB-0+deb12u1") == (10, 11)
    assert server_version("5.5.5-10.11.6-MariaDB") == (10, 11)
    assert server_version("8.0.36-0ubuntu0.22.04.1") == (8, 0)
