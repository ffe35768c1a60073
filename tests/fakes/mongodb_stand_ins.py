"""Stand-ins for MongoDB's programs over a pretended server, which is one JSON file.

They take what the real ones' manuals say: a configuration with the address, an archive from
standard input or to standard output, names of namespaces. That the real ones do is not proved here.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

_COMMON = """
import json, os, re, sys
from urllib.parse import urlsplit
state, seen = {state!r}, {seen!r}
options = [tuple(each.partition('=')[::2]) for each in sys.argv[1:]]
given = lambda name: [value for key, value in options if key == name]
with open(seen, 'a') as notes:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=notes)
held = json.load(open(state))
def keep():
    json.dump(held, open(state, 'w'))
def database(uri):
    drill = re.match('mongodb://drill:p%40[a-zA-Z0-9]+-drill-[a-zA-Z0-9]+@', uri)
    assert drill or uri.startswith('mongodb://db.example'), uri
    return urlsplit(uri).path.strip('/')
def configured():
    if given('--uri'):
        return database(given('--uri')[0])
    text = open(given('--config')[0]).read()
    return database(json.loads(text.removeprefix('uri: ')))
"""
_DUMP = r"""
wanted = configured()
content = {name: rows for name, rows in held.items() if wanted in ('', name.partition('.')[0])}
for name, rows in content.items():
    print(f'2026-11-22T01:00:01.000+0000\tdone dumping {name} ({rows} documents)', file=sys.stderr)
os.write(1, b'\x6d\xe2\x99\x81' + json.dumps(content).ljust(80).encode() + b'\xff\xff\xff\xff')
"""
_RESTORE = r"""
assert configured() == ''
archive = given('--archive')[0]
content = json.loads((open(archive, 'rb') if archive else sys.stdin.buffer).read()[4:-4])
def renamed(name):
    for source, target in reversed([*zip(given('--nsFrom'), given('--nsTo'), strict=True)]):
        pattern = ''.join('(.*?)' if number % 2 else re.escape(part)
                          for number, part in enumerate(source.split('$')))
        names = source.split('$')[1::2]
        if match := re.fullmatch(pattern, name):
            values = dict(zip(names, match.groups()))
            return ''.join(values[part] if number % 2 else part
                           for number, part in enumerate(target.split('$')))
    return name
for name, rows in content.items():
    if any(name.startswith(each.removesuffix('*')) for each in given('--nsExclude')):
        continue
    if renamed(name) in held and not [key for key, _ in options if key == '--drop']:
        sys.exit('Failed: E11000 duplicate key error collection: ' + renamed(name))
    held[renamed(name)] = rows - {lost}
keep()
"""
_SHELL = r"""
script = open(sys.argv[sys.argv.index('--file') + 1]).read()
match = re.fullmatch(r'connect\((".*")\)\.dropDatabase\(\);\n', script)
if {fails}:
    sys.exit('MongoServerError: not authorized on it to execute command')
gone = database(json.loads(match[1]))
held = {{name: rows for name, rows in held.items() if name.partition('.')[0] != gone}}
keep()
"""


@dataclass(frozen=True, slots=True)
class PretendedServer:
    """A folder with the programs, and what the server that they speak to holds."""

    folder: Path

    def put(self, **documents: int) -> None:
        """Say how many documents there are, by `database__collection`."""
        held = {name.replace("__", ".", 1): count for name, count in documents.items()}
        (self.folder / "state").write_text(json.dumps(held))

    @property
    def held(self) -> dict[str, int]:
        """How many documents there are, by `database.collection`."""
        found: dict[str, int] = json.loads((self.folder / "state").read_text())
        return found

    @property
    def seen(self) -> list[list[str]]:
        """The programs that were run, each with its arguments."""
        return [json.loads(line) for line in (self.folder / "seen").read_text().splitlines()]

    def install(self, *, lost: int = 0, shell_fails: bool = False) -> None:
        """Write the programs; mongorestore may lose documents, and the shell have no rights."""
        common = _COMMON.format(state=str(self.folder / "state"), seen=str(self.folder / "seen"))
        bodies = {
            "mongodump": _DUMP,
            "mongorestore": _RESTORE.replace("{lost}", str(lost)),
            "mongosh": _SHELL.format(fails=shell_fails),
        }
        for name, body in bodies.items():
            program = self.folder / name
            program.write_text(f"#!{sys.executable} -I\n{common}\n{body}")
            program.chmod(0o755)
