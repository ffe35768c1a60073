"""`backupd report`: one self-contained page for people who have no shell."""

from pathlib import Path

import click

from backupd.cli.invocation import Invocation, global_options
from backupd.cli.render import print_json
from backupd.errors import BackupdError


@click.command(short_help="Write one web page on the state of the backups.")
@click.option(
    "--html",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page here.",
)
@global_options
@click.pass_obj
def report(invocation: Invocation, html: Path) -> int:
    """Write one web page: calendar, sizes, destinations, last drill, what ran."""
    from backupd.operations.page import report_page  # noqa: PLC0415  (costs 0.2 s)

    app = invocation.app()
    page = report_page(app.status(), app.channels.voice())
    partial = html.with_name(f".{html.name}.partial")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(html)
    except OSError as error:
        raise BackupdError(
            f"The report {html} cannot be written: {error.strerror}.",
            hint="Name a file in a directory that you may write to.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    if invocation.json:
        print_json({"html": html, "bytes": len(page.encode())})
    elif invocation.verbosity != "quiet":
        click.echo(f"The report is in {html}")
    return 0
