"""How an archive of another program lies over an application that is to be put back in place."""

from dataclasses import replace

from backupd.operations.select import Selected
from backupd.operations.staging import Application, cut


def laid_out(application: Application, selected: Selected) -> tuple[Application, Selected]:
    """Let absolute names lead into the application, and leave out the files of live databases.

    laravel-backup names members by their whole path unless told otherwise, and takes a SQLite
    database both as a file and as a dump. A file that takes the place of a live one would meet
    the write-ahead log of that; so databases are put back by their dumps alone.
    """
    home = cut(application.root) + "/"
    live = {cut(path) for path in application.live}
    live |= {path.removeprefix(home) for path in live}
    content = tuple(each for each in selected.content if each.entry.path not in live)
    if any(each.entry.path.startswith(home) for each in content):
        outside = (*application.outside, application.root)
        application = replace(application, outside=outside)
    return application, replace(selected, content=content)
