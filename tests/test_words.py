from datetime import timedelta

import pytest

from backupd.words import age, few, plural, size


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (45_300_000, "45.3 MB"),
        (225_000_000, "225 MB"),
        (999_999_999, "1 GB"),
        (5 * 10**12, "5 TB"),
    ],
)
def test_sizes_are_decimal_as_people_say_them(count: int, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(0), "1 second"),
        (timedelta(seconds=59), "59 seconds"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=12), "12 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=45), "45 days"),
        (timedelta(days=800), "2 years"),
    ],
)
def test_ages_are_said_in_their_largest_unit(span: timedelta, said: str) -> None:
    assert age(span) == said


def test_counts_and_lists() -> None:
    assert (plural(1, "backup"), plural(0, "backup")) == ("1 backup", "0 backups")
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
