"""The sentences for people that stand in the program's own code, read from its syntax."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import backupd

HOLE = "\N{WHITE SQUARE}"
"""Stands where a sentence has a name or a figure."""

_SAYING = {"Finding", "Problem", "Objection", "Advice"}
_SAID_BY_KEYWORD = {"message", "text", "hint", "sentence"}
_SAID_BY_NAME = {"text", "hint", "times", "how_long", "why", "side", "what", "message", "more"}
_SAID_BY_NAME |= {"ended", "purpose", "default_hint"}


def sentences_of(module: str) -> Iterator[str]:
    """Give what findings, problems and errors of a module say, with holes."""
    path = Path(backupd.__file__).parent / f"{module.replace('.', '/')}.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            if name in _SAYING or (name.endswith("Error") and name != "AssertionError"):
                yield from _said(*node.args[:1])
            values = [each.value for each in node.keywords if each.arg in _SAID_BY_KEYWORD]
            yield from _said(*values)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if {getattr(each, "id", "") for each in targets} & _SAID_BY_NAME:
                yield from _said(node.value)


def _said(*nodes: ast.expr) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.IfExp(body=one, orelse=other):
                yield from _said(one, other)
            case ast.BoolOp(values=values):
                yield from _said(*values)
            case ast.Constant(value=str(text)) if " " in text or text.endswith("."):
                yield re.sub(r"\{\w+\}", HOLE, text)
            case ast.JoinedStr(values=parts):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else HOLE for part in parts
                )
            case _:
                pass
