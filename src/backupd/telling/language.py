"""English and French: texts from a catalog; dates, spans and sizes as each writes them."""

import gettext
import io
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files

from babel.dates import format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.units import format_unit

from backupd.telling.phrasebook import translated

_SIZES = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")
_STEP = 1000
_NIGHT = timedelta(hours=20)
_DAY = timedelta(days=1)


@cache
def _catalog(code: str) -> gettext.NullTranslations:
    """Compile a catalog in memory; English is what the texts are written in."""
    if code == "en":
        return gettext.NullTranslations()
    source = (files("backupd.telling") / "locale" / f"{code}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """How people are spoken to: `code` is `en` or `fr`, moments are shown in `zone`."""

    code: str
    zone: tzinfo

    def gettext(self, text: str) -> str:
        """Translate a text."""
        return _catalog(self.code).gettext(text)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """Translate a text that counts, and put the count where it says `%(count)s`."""
        text = _catalog(self.code).ngettext(one, many, count)
        return text % {"count": self.number(count)}

    def sentence(self, text: str) -> str:
        """Say a finding or an error; one that is not known is introduced as being English."""
        if self.code == "en" or not text:
            return text
        unknown = self.gettext("In English: %(text)s") % {"text": text}
        return translated(text, self.code) or unknown

    def number(self, count: int) -> str:
        """Write a whole number, with the language's own digit groups."""
        return str(format_decimal(count, locale=self.code))

    def moment(self, when: datetime) -> str:
        """Write a moment, as `Sat 8 Nov 01:00`."""
        return str(format_datetime(when, "EEE d MMM HH:mm", tzinfo=self.zone, locale=self.code))

    def day(self, when: datetime) -> str:
        """Write a day, as `8 Nov`."""
        return str(format_datetime(when, "d MMM", tzinfo=self.zone, locale=self.code))

    def month(self, when: datetime) -> str:
        """Write a month, as `Nov`."""
        return str(format_datetime(when, "LLL", tzinfo=self.zone, locale=self.code))

    def full(self, when: datetime) -> str:
        """Write a moment with its year and zone, as `8 November 2025, 01:00 +0100`."""
        pattern = "d MMMM yyyy, HH:mm z"
        return str(format_datetime(when, pattern, tzinfo=self.zone, locale=self.code))

    def lasting(self, span: timedelta) -> str:
        """Write how long a trouble went on: in nights if it was more than most of one."""
        if span >= _NIGHT:
            return self.ngettext("%(count)s night", "%(count)s nights", round(span / _DAY))
        return self.span(span)

    def span(self, span: timedelta) -> str:
        """Write how long something took or is ago, in its largest unit."""
        return str(format_timedelta(span, locale=self.code, threshold=1))

    def size(self, count: int) -> str:
        """Write bytes in decimal units, as `45.3 MB` or `45,3 Mo`."""
        value, unit = float(count), 0
        while value >= _STEP and unit < len(_SIZES) - 1:
            value, unit = value / _STEP, unit + 1
        shown = round(value, 1) if unit else int(value)
        return str(format_unit(shown, _SIZES[unit], length="short", locale=self.code))
