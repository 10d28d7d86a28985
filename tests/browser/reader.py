"""Someone in front of the page: types, clicks, and waits for what is seen instead of for time to pass."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

# Streamlit says on its root element whether the script runs and whether the server is there.
_IDLE = """() => {
  const app = document.querySelector('[data-testid="stApp"]')
  const idle = app?.dataset.testScriptState === 'notRunning' && app?.dataset.testConnectionState === 'CONNECTED'
  const now = performance.now()
  window.idleSince = idle ? (window.idleSince ?? now) : null
  return idle && now - window.idleSince > 400
}"""
PATIENCE = 90_000  # ms: the first answer loads the models, on a busy machine


class Reader:
    """A tab."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.foreign: list[str] = []
        page.on("request", lambda request: self._watch(request.url))

    def _watch(self, url: str) -> None:
        own = (self.url, self.url.replace("http", "ws"), "data:", "blob:")
        if not url.startswith(own):
            self.foreign.append(url)

    def open(self, path: str = "/") -> Reader:
        """Load a page and wait until it is drawn."""
        self.page.goto(self.url + path)
        self.idle()
        return self

    def idle(self) -> None:
        """Until the script has been still for 400 ms."""
        self.page.wait_for_function(_IDLE, timeout=PATIENCE)

    def keyed(self, key: str) -> Locator:
        """What carries this key; with a trailing * what begins with it."""
        return self.page.locator(f'[class*="st-key-{key[:-1]}"]' if key.endswith("*") else f".st-key-{key}")

    def press(self, key: str) -> None:
        """Click the button that carries this key; a tooltip may keep a second, hidden copy of it."""
        self.keyed(key).locator("button:visible").first.click()

    @property
    def messages(self) -> Locator:
        """What was said."""
        return self.page.get_by_test_id("stChatMessage")

    def type(self, question: str) -> None:
        """Send a question, wait for nothing."""
        box = self.keyed("question").locator("textarea")
        box.fill(question)
        box.press("Enter")

    def ask(self, question: str) -> Locator:
        """Send a question and wait for the whole answer."""
        before = self.messages.count()
        self.type(question)
        expect(self.messages).to_have_count(before + 2, timeout=PATIENCE)
        expect(self.keyed("stop")).to_have_count(0, timeout=PATIENCE)
        self.idle()
        return self.messages.last

    def open_source(self, label: str) -> Locator:
        """Click the source whose button says ``label`` in the last answer; the panel."""
        self.messages.last.locator("button", has_text=label).first.click()
        panel = self.keyed("source-panel")
        expect(panel).to_be_visible()
        self.idle()
        return panel

    def upload(self, *files: Path) -> None:
        """Give files to the library."""
        self.keyed("upload").locator("input[type=file]").set_input_files([str(file) for file in files])
