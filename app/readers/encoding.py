"""Bytes to text: which encoding a file is in, and whether it is text at all.

Order: byte order mark, UTF-8, UTF-16 by its NULs, the encoding that the file declares, GB18030 where the
outcome is Chinese, then a guess (charset-normalizer) among the encodings still met, else Windows-1252.
A character cut in two at the very end, as a broken download leaves it, is dropped.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache

from app.errors import DamagedDocument
from app.readers.kinds import kind_of, misnamed

_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Older labels stand for their supersets, as browsers take them.
_WIDER = {
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("ascii", "iso8859-1"), "cp1252"),
    "big5": "cp950",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
_DECLARABLE = re.compile(r"gb18030|big5hkscs|cp(?:932|949|950|125\d)|iso8859-\d+|koi8-[ru]|euc_jp|mac-roman")
_GUESSES = ["cp950", "cp932", "euc_jp", "cp949", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp1250"]
_SAMPLE = 65_536
_PLAIN_CONTROLS = frozenset("\t\n\v\f\r\b\x1a\x1b\x85")  # of layout, terminals and DOS
_PRINT_MARKS = frozenset("‘’‚“”„–—…•‹›«»°·§©®™£€¥¿¡×±½¼¾ªº\xa0\xad")
_MOST_STRANGE = 0.02  # of random bytes read as Windows-1252, 0.13 are


def decode(name: str, data: bytes, declared: str | None = None) -> str:
    """The text in ``data``, without its byte order mark, its newlines untouched.

    ``declared`` is the encoding that the file itself names, if it does.
    Raises DamagedDocument for what is no text.
    """
    kind = kind_of(data)
    if kind and kind.suffix != ".html":
        raise misnamed(name, kind)
    text = _decode(data, declared)
    if text is None or _strangeness(text) > _MOST_STRANGE:
        raise DamagedDocument(
            f"{name} is not text: it holds binary data.",
            "Open it in the program that made it and save it as text.",
        )
    return text


def _decode(data: bytes, declared: str | None) -> str | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            body = data[len(mark) :]
            text = _strict(body, encoding)
            return _mostly_utf8(body) if text is None and encoding == "utf-8" else text
    if b"\0" in data:
        return _utf16(data)
    return _utf8(data) or _as_declared(data, declared) or _utf16_han(data) or _chinese(data) or _guess(data)


def _strict(data: bytes, encoding: str) -> str | None:
    """``data`` decoded without tolerance, but for a last character that is cut short."""
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(data)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _utf8(data: bytes) -> str | None:
    text = _strict(data, "utf-8")
    if text is None:
        return _mostly_utf8(data)
    tail = len(data) - len(text.encode("utf-8"))
    # ASCII and one byte more is rather "café" of an older encoding than a UTF-8 character cut short.
    return None if tail == 1 and text.isascii() else text


def _mostly_utf8(data: bytes) -> str | None:
    """UTF-8 with a few foreign bytes in it, as logs of several programs have."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(not char.isascii() for char in text) - bad
    return text if good >= 50 * bad else None


def _as_declared(data: bytes, declared: str | None) -> str | None:
    try:
        label = codecs.lookup(declared or "").name
    except (LookupError, ValueError):
        return None
    encoding = _WIDER.get(label, label)
    return _strict(data, encoding) if _DECLARABLE.fullmatch(encoding) else None


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: NULs are the halves of its ASCII characters."""
    plain = data.replace(b"\0", b"")
    few = len(data) - len(plain) < len(data) / 5
    if few and (text := _strict(plain, "utf-8")) and _strangeness(text) <= _MOST_STRANGE:
        return None  # text with NULs in it, as a crash leaves in logs; not UTF-16
    candidates = [text for encoding in ("utf-16-le", "utf-16-be") if (text := _strict(data, encoding))]
    likely = [text for text in candidates if _strangeness(text) <= _MOST_STRANGE and _familiar(text) > 0.1]
    return max(likely, key=_familiar, default=None)


def _utf16_han(data: bytes) -> str | None:
    """UTF-16 without a mark, of Chinese alone: no NULs, but Chinese in one byte order only."""
    candidates = [text for encoding in ("utf-16-le", "utf-16-be") if (text := _strict(data, encoding))]
    return next((text for text in candidates if len(text) >= 6 and _familiar(text) > 0.9), None)


def _familiar(text: str) -> float:
    """The share of ``text`` that is ASCII or everyday Chinese."""
    sample = text[:_SAMPLE]
    return sum(char.isascii() or char in _everyday_han() for char in sample) / max(1, len(sample))


def _chinese(data: bytes) -> str | None:
    """GB18030, where the outcome reads as Chinese: other encodings decode to rare characters there."""
    text = _strict(data, "gb18030")
    if text is None:
        return None
    foreign = [char for char in text[:_SAMPLE] if not char.isascii() and char not in _PRINT_MARKS]
    marks = sum("\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uffef" for char in foreign)
    everyday = sum(char in _everyday_han() for char in foreign)
    if not everyday or everyday < 0.6 * (len(foreign) - marks) or _korean(data):
        return None
    return text


def _korean(data: bytes) -> bool:
    """Whether ``data`` is rather Korean: its syllables lie where GB18030 has its everyday Chinese.

    Longer Chinese text in that reading always has characters that are not Hangul.
    """
    text = _strict(data, "euc_kr")
    foreign = [char for char in (text or "")[:_SAMPLE] if not char.isascii()]
    return len(foreign) >= 12 and all("\uac00" <= char <= "\ud7a3" for char in foreign)


@lru_cache(maxsize=1)
def _everyday_han() -> frozenset[str]:
    """The 3,755 characters of GB 2312's first level (rows 16-55) and the Chinese full stops and commas."""
    pairs = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return frozenset("".join(pair.decode("gb2312", "ignore") for pair in pairs) + "，。、；：？！（）“”《》")


def _guess(data: bytes) -> str:
    western = data.decode("cp1252", "replace")
    if _western(western):
        return western
    import charset_normalizer

    best = charset_normalizer.from_bytes(data[:_SAMPLE], cp_isolation=_GUESSES).best()
    return (_strict(data, best.encoding) if best else None) or western


def _western(text: str) -> bool:
    """Whether a reading as Windows-1252 gives words with an accent here and there, and the marks of print."""
    foreign = [char for char in text[:_SAMPLE] if not char.isascii()]
    letters = sum(char.isalpha() for char in text[:_SAMPLE])
    accents = sum(char.isalpha() for char in foreign)
    return accents <= letters / 3 and all(char.isalpha() or char in _PRINT_MARKS for char in foreign)


def _strangeness(text: str) -> float:
    """The share of characters that text has no use for: controls, unassigned, private, replaced."""
    sample = text[:_SAMPLE]
    strange = sum(
        char == "\ufffd" or (unicodedata.category(char) in ("Cc", "Cn", "Co") and char not in _PLAIN_CONTROLS)
        for char in sample
    )
    return strange / max(1, len(sample))
