"""A headless Chromium, once for all tests; without one they are skipped and say what lacks."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (extra: browser)")
    services = pytest.importorskip("selenium.webdriver.chrome.service")
    binary = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        lacking = "a browser (Debian: chromium)" if binary is None else "its driver (Debian: chromium-driver)"
        pytest.skip(f"{lacking} is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has no sandbox for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    held = webdriver.Chrome(options=options, service=services.Service(driver))
    yield held
    held.quit()


class Tab:
    """One page in the browser, and what a test asks of it."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def open(
        self, file: Path, *, width: int = 1200, height: int = 900, dark: bool = False, first: str = ""
    ) -> "Tab":
        """Load a page of this size and scheme; `first` is a script that runs before any of its own."""
        self._logs()
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        added = self.ask("Page.addScriptToEvaluateOnNewDocument", source=first) if first else None
        self.browser.get(file.as_uri())
        if added:
            self.ask("Page.removeScriptToEvaluateOnNewDocument", **added)
        if self.run("return !!document.getElementById('viewer-data')"):
            self.wait("!document.getElementById('viewer-app').hidden && viewerIsDrawn()")
        return self

    def ask(self, command: str, **given: Any) -> Any:
        """Send one command of the DevTools protocol."""
        return self.browser.execute_cdp_cmd(command, given)

    def run(self, script: str, *given: Any) -> Any:
        """Run a script in the page, and return what it returns."""
        return self.browser.execute_script(_DRAWN + script, *given)

    def wait(self, condition: str, seconds: float = 5) -> None:
        """Wait until an expression is true."""
        script = (
            f"{_DRAWN} const done = arguments[0]; const till = performance.now() + {1000 * seconds};"
            f"(function look() {{ if ({condition}) done(true); else if (performance.now() > till) done(false);"
            " else requestAnimationFrame(look); })();"
        )
        assert self.browser.execute_async_script(script), f"not within {seconds} s: {condition}"

    def text(self, element: str) -> str:
        """Return what an element shows, by its id."""
        return self.run(f"return document.getElementById('{element}').textContent")

    def set(self, element: str, value: object, kind: str) -> None:
        """Give a control a value as a user would, and tell it by the event `kind`."""
        script = "const [id, value, kind] = arguments; const held = document.getElementById(id); held.value = value;"
        self.run(f"{script} held.dispatchEvent(new Event(kind, {{ bubbles: true }}));", element, value, kind)
        self.settle()

    def press(self, key: str, element: str = "viewer-map") -> None:
        """Press a key with the element focused."""
        self.browser.find_element("id", element).send_keys(key)
        self.settle()

    def settle(self) -> None:
        """Wait for two frames: what was asked for is drawn then."""
        done = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 30)))"
        self.browser.execute_async_script(f"{done};")

    def counts(self) -> dict[str, int]:
        """Return how many pixels of the map's canvas have each colour of the overlay."""
        return self.run(_COUNTS)

    def complaints(self) -> list[str]:
        """Return what the page wrote to the console since it was opened."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def requests(self) -> list[str]:
        """Return what was asked for since the page was opened, but for data in its own text."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        sent = [
            one["params"]["request"]["url"]
            for one in messages
            if one["method"] == "Network.requestWillBeSent"
        ]
        return [address for address in sent if not address.startswith("data:")]

    def _logs(self) -> None:
        self.browser.get("about:blank")
        for kind in ("browser", "performance"):
            self.browser.get_log(kind)


@pytest.fixture
def tab(browser: Any) -> Tab:
    return Tab(browser)


_DRAWN = """
// Read from a copy, as reading from a canvas itself changes how the browser keeps it.
function mapPixels() {
  const canvas = document.getElementById("viewer-map");
  if (!canvas || canvas.width < 10) return [];
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return context.getImageData(0, 0, copy.width, copy.height).data;
}
function viewerIsDrawn() {
  return mapPixels().some((value, at) => at % 4 === 3 && value);
}
"""
# The overlay is drawn at 225/255 over a grey of at most 55 %: what remains of it is far from the other colours.
_COUNTS = """
const style = getComputedStyle(document.documentElement);
const wanted = Object.fromEntries(["found", "missed", "invented", "truth"].map((name) => {
  const text = style.getPropertyValue(`--${name}`).trim();
  return [name, [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16))];
}));
const pixels = mapPixels();
const counts = { found: 0, missed: 0, invented: 0, truth: 0 };
for (let at = 0; at < pixels.length; at += 4) {
  for (const [name, colour] of Object.entries(wanted)) {
    const away = colour.map((value, band) => Math.abs(value - pixels[at + band]));
    if (Math.max(...away) <= 32) { counts[name] += 1; break; }
  }
}
return counts;
"""
