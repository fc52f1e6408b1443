"""One module per file format; each registers its readers."""

from immunescape.profile.readers._base import Partial, Reader, all_readers, get_reader, reader

__all__ = ["Partial", "Reader", "all_readers", "get_reader", "reader"]
