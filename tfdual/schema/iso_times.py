"""Times that text spells as ISO 8601; one without an offset is in UTC."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def iso_times(texts: pa.Array) -> pa.Array | None:
    """The times that all texts spell, in microseconds; None where one spells none, or where only some name an offset.

    Args:
        texts: pyarrow.Array of strings or bytes.
    """
    for zone in (None, "UTC"):
        try:
            return texts.cast(pa.string()).cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            continue
    return None


def iso_seconds(text: str) -> Decimal:
    """Seconds since 1970.

    Raises:
        ValueError: the text spells no time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Decimal((moment - _EPOCH) // _MICROSECOND).scaleb(-6)
