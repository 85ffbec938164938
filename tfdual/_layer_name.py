"""Names of layers that are made of the names of columns."""

import re
import zlib

REFUSED = re.compile(r"[^A-Za-z0-9_.\\>-]")


def layer_name(name: str) -> str:
    """The name, if Keras and TensorFlow take it for a layer; else it with `_` for what they refuse, and a checksum.

    The checksum keeps apart what would else be called the same.

    Example:
        >>> layer_name("genre"), layer_name("release year")
        ('genre', 'release_year_8df7b43e')
    """
    valid = REFUSED.sub("_", name)
    return name if valid == name else f"{valid}_{zlib.crc32(name.encode()):08x}"
