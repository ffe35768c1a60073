"""Every error that backupd raises on purpose; anything else that reaches `perform` is a bug.

BackupdError               exit 1
├── SettingsError          exit 78   the settings are wrong; nothing was started
├── UnknownNameError       exit 2    nothing is set under the name that was asked for
├── LockedError            exit 75   another operation holds the backup set's lock
├── SourceError            exit 1    a file tree or a database could not be read
│   └── DumpError          exit 1    a database's dump failed
├── LoadError              exit 1    a dump could not be loaded into a database
├── ArchiveError           exit 1    an archive could not be written, or is damaged
│   ├── DamagedError       exit 1    what is read is not what was written
│   └── WrongPasswordError exit 1    the archive's password is another one
├── DestinationError       exit 1    a destination did not do what it was asked
│   └── ObjectNotFoundError exit 1   nothing is kept there under that key
├── NotifierError          exit 1    a channel did not take a message
├── RefusedError           exit 1    the operation would do harm; the hint names the way round
└── Interrupted            exit 130  Ctrl-C, or systemd asked the program to stop

An error is one sentence for the operator and a hint that says what to do next. Errors of
libraries and of the system are translated where they enter, `from` their cause.
"""

from typing import ClassVar


class BackupdError(Exception):
    """What all errors raised on purpose have in common: a sentence, a hint and an exit code."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = "See the log for what led to this."

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or self.default_hint


class SettingsError(BackupdError):
    """One or more settings are wrong; `mistakes` has one complete sentence for each."""

    exit_code = 78
    default_hint = "Correct the settings and try again; 'backupd config check' reads them anew."

    def __init__(self, *mistakes: str, hint: str = "") -> None:
        super().__init__("\n".join(mistakes), hint=hint)
        self.mistakes = mistakes


class UnknownNameError(BackupdError):
    """A destination, database or channel was named that the settings do not have."""

    exit_code = 2
    default_hint = "'backupd config show' and 'backupd list --backups' name what there is."


class LockedError(BackupdError):
    """Another operation on the same backup set is at work."""

    exit_code = 75
    default_hint = "Wait until it ends, then try again."


class SourceError(BackupdError):
    """A source cannot give its members."""

    default_hint = "Check the BACKUP_SOURCE__… settings, and that backupd may read what they name."


class DumpError(SourceError):
    """A database's dump failed; `exit_status` and `stderr` come from the dump program, if any."""

    default_hint = "Check that the database can be read with its BACKUP_DATABASES__…__URL."

    def __init__(
        self, message: str, *, hint: str = "", exit_status: int | None = None, stderr: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.exit_status = exit_status
        self.stderr = stderr


class LoadError(BackupdError):
    """A dump could not be loaded into a database."""

    default_hint = "Check the database server, and load the dump by hand as RESTORE.txt says."


class ArchiveError(BackupdError):
    """An archive cannot be written or read."""

    default_hint = "Check the free space and the health of the disk that holds BACKUP_SPOOL."


class DamagedError(ArchiveError):
    """An archive, or a member of it, is not what was written: nothing of it counts as restored."""

    default_hint = (
        "Restore from another destination or an older backup (--destination, --at), or leave out "
        "what is damaged (--skip-damaged)."
    )

    def __init__(self, message: str, *, what: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.what = what or message
        """The same without the member's name, for where that is said already."""


class WrongPasswordError(ArchiveError):
    """The archive was encrypted with another password."""

    default_hint = "Set BACKUP_ARCHIVE_PASSWORD to the password of the day the backup was taken."


class DestinationError(BackupdError):
    """A destination failed; nothing can be said of the object that was asked for.

    `temporary` tells whether the same request may succeed when it is tried again.
    """

    default_hint = "Run 'backupd doctor' to see what this destination allows."

    def __init__(self, message: str, *, hint: str = "", temporary: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.temporary = temporary


class ObjectNotFoundError(DestinationError):
    """The destination answered, and it keeps nothing under that key."""

    default_hint = "Run 'backupd list --backups' to see what there is."


class NotifierError(BackupdError):
    """A channel did not take a message; `temporary` tells whether its other end is in trouble.

    A temporary one concerns every message of the channel; any other concerns this message.
    """

    default_hint = "Check the channel's settings, then run 'backupd notify test'."

    def __init__(self, message: str, *, hint: str = "", temporary: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.temporary = temporary


class RefusedError(BackupdError):
    """Doing what was asked would do harm, so nothing was done."""

    default_hint = "Look at what was refused before you override it."


class Interrupted(BackupdError):  # noqa: N818  (it is named for what happened, as KeyboardInterrupt is)
    """The operation was asked to stop."""

    exit_code = 130
    default_hint = "Nothing partial counts as a backup; run the command again when you are ready."
