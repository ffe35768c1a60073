"""Which backup, and which of its members: pure choices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pathspec import GitIgnoreSpec

from backupd.archive.honesty import parents
from backupd.archive.reader import OpenArchive, StoredMember
from backupd.catalog import dated_by_now
from backupd.errors import ObjectNotFoundError, RefusedError
from backupd.model import Backup, Condition, MemberKind, Scope
from backupd.naming import LATEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The members to restore: all, or only dumps, only files, only what gitignore patterns name."""

    scope: Scope = Scope.FULL
    patterns: tuple[str, ...] = ()
    """They may begin as paths of the live application do, too: with `./`, or with `root`."""
    root: Path | None = None
    """The application's."""

    def select(self, archive: OpenArchive) -> "Selected":
        """Choose among the members.

        Raises:
            RefusedError: there are none, or what is asked for was not taken into the backup.
        """
        members = archive.members
        chosen = [member for member in members if self._wants(member)]
        if self.patterns:
            spec = GitIgnoreSpec.from_lines(self._lines())
            chosen = [member for member in chosen if spec.match_file(_asked(member))]
            if all(member.entry.kind is MemberKind.DIRECTORY for member in chosen):
                self._refuse_what_was_not_taken(spec, archive)
        if not chosen:
            what = " ".join(self.patterns) or self.scope
            raise RefusedError(
                f"The backup has nothing that '{what}' names.",
                hint="Patterns are those of .gitignore, relative to the backup's top: "
                "'storage/app/**'. 'restore --dry-run' lists what there is.",
            )
        return _with_parents(chosen, members)

    def _refuse_what_was_not_taken(self, spec: GitIgnoreSpec, archive: OpenArchive) -> None:
        """Refuse if there could be something, but for what could not be read."""
        for omission in archive.manifest.omissions if archive.manifest else ():
            within = f"{omission.path}/"
            below = any(pattern.lstrip("/").startswith(within) for pattern in self._lines())
            if below or spec.match_file(within):
                raise RefusedError(
                    f"{omission.path} could not be read when the backup was taken "
                    f"({omission.reason}), so the backup does not have it.",
                    hint="Look for it in an earlier one: 'backupd list --backups' names them.",
                )

    def _lines(self) -> Iterator[str]:
        """Give each pattern, and what it means if it is a path of the live application."""
        bases = (".",) if self.root is None else (".", str(self.root))
        for pattern in self.patterns:
            yield pattern
            path = pattern.removeprefix("!")
            sign = pattern.removesuffix(path)
            for base in bases:
                if path == base or path.startswith(f"{base}/"):
                    left = path.removeprefix(base)
                    yield sign + (left if left.strip("/") else "/**")

    def _wants(self, member: StoredMember) -> bool:
        is_dump = member.entry.kind is MemberKind.DUMP
        if self.scope is Scope.ONLY_DB:
            return is_dump
        return not (self.scope is Scope.ONLY_FILES and is_dump)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Members to restore, by what is done about them."""

    content: tuple[StoredMember, ...]
    """Files, links and dumps."""
    directories: tuple[StoredMember, ...]
    """Chosen ones, which get their mode and time even if they are there already."""
    passed: tuple[StoredMember, ...]
    """Directories on the way to what was chosen, which are made if they are missing."""


def _with_parents(chosen: Sequence[StoredMember], members: Sequence[StoredMember]) -> Selected:
    paths = {member.entry.path for member in chosen}
    above = {parent for path in paths for parent in parents(path)} - paths
    is_directory = MemberKind.DIRECTORY
    return Selected(
        content=tuple(member for member in chosen if member.entry.kind is not is_directory),
        directories=tuple(member for member in chosen if member.entry.kind is is_directory),
        passed=tuple(member for member in members if member.entry.path in above),
    )


def _asked(member: StoredMember) -> str:
    is_directory = member.entry.kind is MemberKind.DIRECTORY
    return member.entry.path + ("/" if is_directory else "")


def passed_over(
    backups: Sequence[Backup],
    chosen: Sequence[Backup],
    *,
    now: datetime,
    at: datetime | None,
    scope: Scope,
) -> tuple[str, ...]:
    """Name the backups that the newest would be among if they were not known to be damaged."""
    newest = max(backup.rank[1:] for backup in chosen)
    newer = [
        backup
        for backup in dated_by_now(backups, now)
        if backup.rank[1:] > newest
        and backup.scope in {Scope.FULL, scope}
        and (at is None or backup.created_at <= at)
    ]
    return tuple(sorted({backup.key for backup in newer}, reverse=True))


def from_the_future(
    backups: Sequence[Backup], chosen: Sequence[Backup], *, now: datetime, at: datetime | None
) -> tuple[str, ...]:
    """Name the backups not after `at` that are dated in the future, and were not chosen."""
    keys = {
        backup.key
        for backup in backups
        if backup.created_at > now and (at is None or backup.created_at <= at)
    }
    return tuple(sorted(keys - {backup.key for backup in chosen}, reverse=True))


def choose_backup(
    backups: Sequence[Backup],
    *,
    now: datetime,
    name: str = LATEST,
    at: datetime | None = None,
    scope: Scope = Scope.FULL,
) -> tuple[Backup, ...]:
    """Pick a backup by name, or the newest, or the newest not after `at`; give all its copies.

    The newest is one that is not dated in the future, that is not known to be damaged, and that
    holds all of `scope`, if there is one. Copies keep the order of `backups`, in which the nearest
    destination comes first; damaged ones come last.

    Raises:
        ObjectNotFoundError: there is no such backup.
    """
    if name != LATEST:
        copies = [backup for backup in backups if backup.key in {name, f"{name}.zip"}]
        if not copies:
            raise ObjectNotFoundError(f"There is no backup named {name}.")
    else:
        early = [backup for backup in backups if at is None or backup.created_at <= at]
        if not early:
            when = f" not after {at:%Y-%m-%d %H:%M:%S %Z}" if at else ""
            raise ObjectNotFoundError(f"There is no backup{when}.")
        newest = max(
            dated_by_now(early, now),
            key=lambda backup: (backup.scope in {Scope.FULL, scope}, backup.rank),
        )
        copies = [backup for backup in early if backup.key == newest.key]
    return tuple(sorted(copies, key=lambda backup: backup.condition is Condition.DAMAGED))
