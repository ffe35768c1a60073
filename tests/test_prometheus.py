"""The alert rules fire when they should, and rules and dashboard ask only for what there is."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backupd.operations.figures import METRICS
from fakes.promtool import promtool
from pages import REFERENCE, ROOT, rows, section

RULES = ROOT / "packaging" / "prometheus" / "backupd.rules.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "backupd.json"
SCENES = Path(__file__).with_name("prometheus_rules.yml")


def checked(*arguments: str | Path) -> None:
    done = subprocess.run(
        [promtool(), *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alert_rules_are_valid() -> None:
    checked("check", "rules", RULES)


def test_every_alert_fires_when_it_should_and_not_before() -> None:
    checked("test", "rules", SCENES)


def test_every_alert_has_a_scene_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))
    tested = re.findall(
        r"alertname: (\w+)\n +exp_alerts:( \[\])?", SCENES.read_text(encoding="utf-8")
    )
    assert {(name, fires) for name in alerts for fires in (True, False)} == {
        (name, not nothing) for name, nothing in tested
    }


def targets() -> Iterator[tuple[str, str]]:
    """Give each expression of the dashboard, and the words under its line."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"], target["legendFormat"]


def test_every_expression_of_the_dashboard_is_prometheus(tmp_path: Path) -> None:
    """Grafana puts values in the place of its variables, which stand in strings only."""
    expressions = [expression for expression, _ in targets()]
    assert len(expressions) > 10
    rules: dict[str, Any] = {
        "groups": [
            {
                "name": "dashboard",
                "rules": [
                    {"record": f"dashboard:{number}", "expr": expression.replace("$set", ".*")}
                    for number, expression in enumerate(expressions)
                ],
            }
        ]
    }
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps(rules))  # JSON is YAML
    checked("check", "rules", path)


def test_the_dashboard_s_selectors_and_legends_use_labels_that_its_metrics_have() -> None:
    labels = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in rows(section(REFERENCE / "metrics.md", "Metrics"))
    }
    for expression, legend in targets():
        (metric,) = re.findall(r"backupd_\w+", expression)
        used = {*re.findall(r"(\w+)=~?\"", expression), *re.findall(r"{{(\w+)}}", legend)}
        assert used <= labels[metric], expression


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=["rules", "dashboard"])
def test_rules_and_dashboard_use_metrics_that_exist(file: Path) -> None:
    used = set(re.findall(r"backupd_\w+", file.read_text(encoding="utf-8")))
    assert used
    assert used <= {metric.name for metric in METRICS}
