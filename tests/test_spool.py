"""What the spool keeps, what it lets go of, and what it never touches."""

from pathlib import Path
from zoneinfo import ZoneInfo

from backupd.spool import Spool

NAME = "shop-2025-11-08-01-00-00.zip"


def test_an_archive_that_is_a_destinations_own_file_stays(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / NAME).write_bytes(b"the only copy")
    (tmp_path / "again").symlink_to(tmp_path / "backups")
    spool = Spool(
        path=tmp_path / "again",
        set_name="shop",
        zone=ZoneInfo("UTC"),
        destinations=[tmp_path / "not-there-yet", tmp_path / "backups"],
    )
    spool.remove(NAME)
    assert (tmp_path / "backups" / NAME).read_bytes() == b"the only copy"
