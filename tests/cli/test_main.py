"""`backupd` misused: what it says on standard error, and to programs."""

import json

import pytest

from conftest import Program


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--nonsense", "--json"], "No such option '--nonsense'."),
        (["--json", "nonsense"], "No such command 'nonsense'."),
        (["run", "--json", "--only-db", "--only-files"], "--only-db and --only-files exclude"),
        (["restore", "--json", "--at"], "Option '--at' requires an argument."),
        (["--json"], "Missing command."),
    ],
)
def test_bad_usage_is_one_document_too(program: Program, arguments: list[str], said: str) -> None:
    done = program(*arguments)
    document = json.loads(done.out)
    assert done.code == document["exit_code"] == 2
    assert len(document["errors"]) == 1
    assert document["errors"][0].startswith(said)
    assert document["hint"].endswith("--help")
    assert document["errors"][0] in done.err


def test_without_json_bad_usage_says_nothing_on_standard_output(program: Program) -> None:
    done = program("run", "--nonsense")
    assert (done.code, done.out) == (2, "")
