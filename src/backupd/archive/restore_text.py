"""`RESTORE.txt`: how to get everything out of this archive without backupd."""

from collections.abc import Sequence

from backupd.model import ArchiveHeader

RESTORE_PATH = "RESTORE.txt"
SEALED_PATH = "contents.zip"
"""The archive inside an archive whose names are hidden."""

_HEAD = """\
{header.archive}

A backup of '{header.set_name}' ({header.scope}), taken {header.created_at:%Y-%m-%d %H:%M:%S} UTC
by backupd {header.version}. You do not need backupd to get your data back.
"""
_PLAIN = """\
1. Extract everything into a new directory, with one of

     unzip {archive} -d restored
     7z x -orestored {archive}
     mkdir restored && bsdtar -xpf {archive} -C restored
"""
_ENCRYPTED = """\
1. Extract everything into a new directory. The archive is encrypted (AES-256, WinZip's AE-2);
   7-Zip and bsdtar ask for the password, which was BACKUP_ARCHIVE_PASSWORD on that day:

     7z x -orestored {archive}
     mkdir restored && bsdtar -xpf {archive} -C restored
"""
_FILES = """\
2. What should be there: .backupd/manifest.json has the SHA-256, size, mode, owner and time of
   every member.

3. Put the files where they belong; this keeps modes, owners and times:

     cp -a restored/. /PATH/OF/THE/APPLICATION/
"""
_DATABASES = """\
4. Put the databases back, while the application is stopped, and remove the -wal and -shm files
   that stand beside the old ones:

"""

_SEALED = """\
This archive is encrypted (AES-256, WinZip's AE-2), the names of its files, too. The password is
the one that was BACKUP_ARCHIVE_PASSWORD on that day. Extract it in two steps, with 7-Zip

     7z x {archive} {sealed}
     7z x -orestored {sealed}

or with bsdtar:

     bsdtar -xf {archive} {sealed}
     mkdir restored && bsdtar -xpf {sealed} -C restored

What to do then is written in restored/RESTORE.txt. Remove {sealed}: it is not encrypted.
"""


def sealed_restore_text(header: ArchiveHeader) -> str:
    """Write the instructions that stand outside; they name nothing that is inside."""
    sealed = _SEALED.format(archive=header.archive, sealed=SEALED_PATH)
    return f"{_HEAD.format(header=header)}\n{sealed}"


def restore_text(header: ArchiveHeader, dumps: Sequence[str], *, encrypted: bool) -> str:
    """Write the instructions for one archive; `dumps` are the paths of its database dumps."""
    steps = [
        _HEAD.format(header=header),
        (_ENCRYPTED if encrypted else _PLAIN).format(archive=header.archive),
        _FILES,
    ]
    databases = [dump for dump in dumps if dump.endswith(".sqlite")]
    if databases:
        commands = [f"     cp restored/{dump} PATH-OF-THE-DATABASE\n" for dump in databases]
        steps.append(_DATABASES + "".join(commands))
    return "\n".join(steps)
