"""The pages about S3 say what the code does."""

import json
import re

from backupd.destinations import s3_advice
from backupd.destinations.s3_advice import BY_CODE, IAM_ACTIONS, Advice
from pages import DOCS, blocks, rows

HOW_TO = DOCS / "how-to"


def as_written(text: str) -> str:
    return re.sub(r"\{\w+\}", "…", text)


def codes_of(advice: Advice) -> frozenset[str]:
    return frozenset(code for code, its in BY_CODE.items() if its is advice and not code.isdigit())


def test_the_table_of_troubles_is_the_one_of_the_code() -> None:
    advice = [each for each in vars(s3_advice).values() if isinstance(each, Advice)]
    expected = {
        (as_written(each.sentence), codes_of(each), as_written(each.hint)) for each in advice
    }
    table = rows((HOW_TO / "s3-troubleshooting.md").read_text(encoding="utf-8"))
    written = {
        (sentence, frozenset(re.findall(r"`(\w+)`", codes)), hint)
        for sentence, codes, hint in table
    }
    assert written == expected


def test_the_policies_allow_what_the_code_asks_for_and_nothing_else() -> None:
    least, full = (
        {action for statement in json.loads(block)["Statement"] for action in statement["Action"]}
        for block in blocks(HOW_TO / "s3.md", "json")
    )
    assert full == set(IAM_ACTIONS.values())
    assert full - least == {
        "s3:GetObject",
        "s3:DeleteObject",
        "s3:GetBucketObjectLockConfiguration",
    }
