"""The error tree."""

import inspect

from backupd import errors
from backupd.errors import BackupdError

LEAVES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, BackupdError)
]


def test_the_docstring_draws_every_error_with_its_exit_code() -> None:
    drawn = {
        words[0]: int(words[2])
        for line in (errors.__doc__ or "").splitlines()
        if len(words := line.replace("│", " ").replace("├──", "").replace("└──", "").split()) > 2
        and words[1] == "exit"
    }
    assert drawn == {kind.__name__: kind.exit_code for kind in LEAVES}


def test_every_error_says_what_to_do() -> None:
    for kind in LEAVES:
        error = kind("It went wrong.")
        assert error.hint.endswith(".")
        assert kind("It went wrong.", hint="Do this.").hint == "Do this."
