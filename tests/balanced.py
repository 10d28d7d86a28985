"""Whether HTML is whole."""

from __future__ import annotations

from html.parser import HTMLParser


class Balanced(HTMLParser):
    """Fails where tags do not close in the order in which they open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None: ...

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
