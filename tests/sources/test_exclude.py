"""Gitignore patterns, decided as git decides them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backupd.sources.exclude import Excluder

NAMES = st.sampled_from(["a", "b", "log", "a.log", "vendor", "new\nline"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
SOME = ["a", "/a", "a/", "*.log", "!a.log", "**/b", "a/**", "a/**/b", "vendor/", "!vendor/", "?"]
MORE = ["/a/b", "[a-b]", "# no", "", "!b", "*", "!/a", "new*", "a/*", "/*/b", "!*/"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    return path


def git_excludes(repository: Path, patterns: list[str], path: str, *, is_directory: bool) -> bool:
    """Ask git about a path that is there, as asking about one that ends in '/' has its quirks."""
    (repository / path).parent.mkdir(parents=True, exist_ok=True)
    (repository / path).mkdir() if is_directory else (repository / path).touch()
    (repository / ".gitignore").write_text("\n".join(patterns) + "\n")
    command = ["git", "-C", str(repository), "check-ignore", "--no-index", "-q", "-z", "--stdin"]
    done = subprocess.run(command, input=path.encode(), check=False)
    first = repository / path.split("/", maxsplit=1)[0]
    shutil.rmtree(first) if first.is_dir() else first.unlink()
    return done.returncode == 0


def walk_excludes(patterns: list[str], path: str, *, is_directory: bool) -> bool:
    """Ask from the top down, as the walk does."""
    excluder = Excluder(patterns)
    parts = path.split("/")
    parents = ["/".join(parts[:length]) for length in range(1, len(parts))]
    return any(excluder.excludes(parent, is_directory=True) for parent in parents) or (
        excluder.excludes(path, is_directory=is_directory)
    )


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    patterns=st.lists(st.sampled_from(SOME + MORE), max_size=5),
    path=PATHS,
    is_directory=st.booleans(),
)
@example(patterns=["*.log", "!keep.log"], path="a/keep.log", is_directory=False)
@example(patterns=["vendor/", "!vendor/b"], path="vendor/b", is_directory=False)
@example(patterns=["/storage/logs"], path="app/storage/logs", is_directory=True)
@example(patterns=["a?c"], path="abc", is_directory=False)
def test_it_decides_as_git_does(
    repository: Path,
    patterns: list[str],
    path: str,
    is_directory: bool,  # noqa: FBT001  (hypothesis gives it)
) -> None:
    expected = git_excludes(repository, patterns, path, is_directory=is_directory)
    assert walk_excludes(patterns, path, is_directory=is_directory) == expected


def test_a_pattern_that_git_would_not_take_is_an_error() -> None:
    with pytest.raises(ValueError, match="'!'"):
        Excluder(["!"])
