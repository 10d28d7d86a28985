"""A small PDF writer for the tests: text at places, Chinese too, pages, outlines, passwords."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_PERMISSIONS = (0xFFFFFFFC).to_bytes(4, "little")  # everything allowed
_ID = b"0123456789abcdef"


@dataclass(frozen=True)
class Text:
    """Words at a place: points from the lower left corner of a page of 612 x 792."""

    x: float
    y: float
    words: str
    size: float = 12.0


def paragraph(
    *lines: str, x: float = 72, y: float = 700, size: float = 12, leading: float = 14
) -> list[Text]:
    """``lines`` one below the other, from ``y`` downwards."""
    return [Text(x, y - index * leading, line, size) for index, line in enumerate(lines)]


def pdf(
    *pages: Sequence[Text],
    outline: Sequence[tuple[int, str]] = (),
    rotate: int = 0,
    password: bytes | None = None,
    owner: bytes = b"owner",
) -> bytes:
    """A PDF of ``pages``. ``outline``: (page from 0, title). ``password`` encrypts it (RC4, 40 bits)."""
    key, encryption = (b"", b"") if password is None else _encryption(password, owner)
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def stream(content: bytes) -> int:
        number = len(objects) + 1
        sealed = _rc4(_object_key(key, number), content) if key else content
        return add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(sealed), sealed))

    catalog, tree = add(b""), add(b"")
    latin = add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    han = add(
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts"
        b" [<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> >>] >>"
    )
    numbers = []
    for texts in pages:
        content = stream(b"\n".join(map(_show, texts)))
        numbers.append(
            add(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] /Rotate %d /Contents %d 0 R"
                b" /Resources << /Font << /F1 %d 0 R /F2 %d 0 R >> >> >>"
                % (tree, rotate, content, latin, han)
            )
        )
    root = b""
    if outline:
        first = len(objects) + 2
        last = first + len(outline) - 1
        root = b" /Outlines %d 0 R" % add(b"<< /Type /Outlines /First %d 0 R /Last %d 0 R >>" % (first, last))
        for index, (page, title) in enumerate(outline):
            following = b" /Next %d 0 R" % (first + index + 1) if first + index < last else b""
            words = ("\ufeff" + title).encode("utf-16-be").hex().encode()
            add(
                b"<< /Title <%s> /Parent %d 0 R%s /Dest [%d 0 R /Fit] >>"
                % (words, first - 1, following, numbers[page])
            )
    objects[catalog - 1] = b"<< /Type /Catalog /Pages %d 0 R%s >>" % (tree, root)
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    objects[tree - 1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(numbers))
    return _file(objects, encryption)


def _show(text: Text) -> bytes:
    if text.words.isascii():
        escaped = text.words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode()
        font, words = b"F1", b"(%s)" % escaped
    else:
        font, words = b"F2", b"<%s>" % text.words.encode("utf-16-be").hex().encode()
    return b"BT /%s %g Tf 1 0 0 1 %g %g Tm %s Tj ET" % (font, text.size, text.x, text.y, words)


def _file(objects: list[bytes], encryption: bytes) -> bytes:
    body = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    body += b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"trailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        encryption,
        table,
    )
    return bytes(body)


def _encryption(password: bytes, owner: bytes) -> tuple[bytes, bytes]:
    """The file's key and the trailer's entries: the standard security handler of PDF 1.4, revision 2."""
    secret = _rc4(hashlib.md5(_padded(owner)).digest()[:5], _padded(password))
    key = hashlib.md5(_padded(password) + secret + _PERMISSIONS + _ID).digest()[:5]
    user = _rc4(key, _PAD)
    entries = b" /ID [<%s><%s>] /Encrypt << /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>" % (
        *(_ID.hex().encode(),) * 2,
        secret.hex().encode(),
        user.hex().encode(),
    )
    return key, entries


def _padded(password: bytes) -> bytes:
    return (password + _PAD)[:32]


def _object_key(key: bytes, number: int) -> bytes:
    return hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10]


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
