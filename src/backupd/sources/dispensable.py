"""A source that a backup can do without: what fails in it is left out, and said."""

from collections.abc import Iterator
from dataclasses import dataclass

from backupd.errors import DumpError
from backupd.model import Member, Omission, OmissionReason
from backupd.ports import Source


@dataclass(frozen=True, slots=True)
class Dispensable:
    """Gives what `source` gives; a dump that fails makes the backup partial and not a failure."""

    source: Source

    @property
    def name(self) -> str:
        """The source's own name."""
        return self.source.name

    def members(self) -> Iterator[Member | Omission]:
        """Walk the source, and end with an omission if it fails."""
        try:
            for item in self.source.members():
                yield item._replace(optional=True) if isinstance(item, Member) else item
        except DumpError as error:
            failed = OmissionReason.DUMP_FAILED
            yield Omission(
                path=f"db-dumps/{self.name}", reason=failed, detail=f"{error} {error.hint}"
            )
