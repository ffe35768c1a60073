"""A clock that tests wind."""

from datetime import UTC, datetime, timedelta

FIRST_MOMENT = datetime(2025, 11, 8, 1, 0, 0, tzinfo=UTC)


class WoundClock:
    """Shows the moment it was wound to, until it is wound on."""

    def __init__(self, moment: datetime = FIRST_MOMENT) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def wind(self, **span: float) -> None:
        """Wind on by so many `days`, `hours`, `minutes` or `seconds`."""
        self.moment += timedelta(**span)
