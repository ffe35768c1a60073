import json

from conftest import Program


def test_the_next_times_of_every_operation_are_shown_with_their_zone(program: Program) -> None:
    program.set(SCHEDULE__BACKUP="30 2 * * mon", TIMEZONE="Asia/Tokyo")
    done = program("schedule")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["backup", "clean", "monitor", "drill"]
    assert "Mon" in lines[2]
    assert "02:30 JST" in lines[2]


def test_as_json_times_are_in_utc(program: Program) -> None:
    rows = json.loads(program("schedule", "--json").out)
    assert [row["operation"] for row in rows] == ["backup", "clean", "monitor", "drill"]
    assert rows[0]["schedule"] == "01:00"
    assert len(rows[0]["next_runs"]) == 3
    assert rows[0]["next_runs"][0].endswith("T01:00:00+00:00")
    assert rows[0]["timezone"] == "UTC"
