"""`skythought view` in a real browser; skipped where no Chromium or playwright is: make browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from view_site import Opened, run_folder, trace, write

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., Opened]
PATIENCE_MS = 180_000  # a busy machine proves nothing
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOSTILE = (
    "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\"> "
    '"><svg onload="document.title=\'hacked\'"> </main></body> '
    "$\\text{<img src=x onerror=document.title='hacked'>}$ \\(\\href{javascript:alert(1)}{x}\\) "
    "\u202e\u2066" + "a" + "\u0301" * 500 + "x" * 20_000
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        if found is None and not own.exists():
            pytest.skip(
                "no Chromium here: apt-get install chromium, or playwright install chromium"
            )
        # A sandbox of its own is not to be had for root.
        arguments = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        chromium = playwright.chromium.launch(executable_path=found, args=arguments)
        yield chromium
        chromium.close()


class Tab:
    """A page of a site, and all that went wrong or out on it."""

    def __init__(self, browser: Browser, site: Opened, **options: Any) -> None:
        self.wrong: list[str] = []
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.set_default_navigation_timeout(PATIENCE_MS)
        self.base = site.server.address.rstrip("/")
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.page.on("request", lambda asked: self._watch(asked.url))

    def _watch(self, url: str) -> None:
        if not url.startswith(self.base):
            self.wrong.append(f"asked elsewhere: {url}")

    def open(self, path: str) -> Page:
        answer = self.page.goto(self.base + path)
        assert answer is not None
        assert answer.ok, answer.status
        return self.page

    def at(self) -> str:
        return self.page.url.removeprefix(self.base)


@pytest.fixture
def tab(browser: Browser, opened: Open) -> Iterator[Callable[..., Tab]]:
    """Give what opens tabs; at the end nothing went wrong in any, or out.

    It asks for `opened` so that tabs are closed before the sites they may still be asking.
    """
    made: list[Tab] = []

    def start(site: Opened, **options: Any) -> Tab:
        made.append(Tab(browser, site, **options))
        return made[-1]

    yield start
    for one in made:
        one.context.close()
        assert one.wrong == []


@pytest.fixture
def site(opened: Open, tmp_path: Path) -> Opened:
    clean = write(tmp_path / "clean.jsonl", trace("c", "p1"))
    made = trace("d", "p1", parent="c", edits=["digits fraction=1 seed=0"])
    made["thought"] = made["thought"].replace("36", "99")
    perturbed = write(tmp_path / "digits.jsonl", made)
    many = write(tmp_path / "many.jsonl", *(trace(f"m{i}", f"p{i}") for i in range(120)))
    return opened(run_folder(tmp_path / "teacher"), clean, perturbed, many, measured=True)


def test_keys(tab: Callable[..., Tab], site: Opened) -> None:
    """From the list to a trace and back, all with keys."""
    one = tab(site)
    page = one.open("/?source=many")
    page.keyboard.press("n")
    page.wait_for_url("**page=2")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("tr.now").count() == 1
    assert page.evaluate("document.activeElement.matches('tr.now td.problem a')")
    page.keyboard.press("Enter")
    page.wait_for_url("**/trace/many/m51?source=many")
    page.keyboard.press("n")
    page.wait_for_url("**/trace/many/m52?source=many")
    page.keyboard.press("p")
    page.wait_for_url("**/trace/many/m51?source=many")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator(".step.now").get_attribute("id") == "step-2"
    assert page.locator("math").count() > 0
    page.keyboard.press("m")
    page.wait_for_url("**as=written")
    assert page.locator("math").count() == 0
    page.keyboard.press("c")
    page.wait_for_url("**/compare/**")
    page.keyboard.press("u")
    page.wait_for_url("**/trace/many/m51**")
    page.keyboard.press("u")
    page.wait_for_url("**/?source=many")
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog#keys").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("no such word j n ?")  # keys are text here
    page.keyboard.press("Enter")
    page.wait_for_url("**q=no**")
    assert page.locator("#found").inner_text() == "0 of 124 traces"


def test_filters_are_used_at_once(tab: Callable[..., Tab], site: Opened) -> None:
    one = tab(site)
    page = one.open("/")
    page.get_by_label("Verdict").select_option("no_answer")
    page.wait_for_url("**verdict=no_answer")
    assert one.at() == "/?verdict=no_answer"  # fields that are empty stay out
    assert page.locator("table.list tbody tr").count() == 1
    page.get_by_role("link", name="Remove the filter").click()
    page.wait_for_url(re.compile("/\\?$|/$"))
    page.get_by_role("link", name="tokens").click()
    assert page.locator("th[aria-sort=descending]").inner_text() == "tokens ↓"


def test_the_steps_of_one_role(tab: Callable[..., Tab], site: Opened) -> None:
    page = tab(site).open("/trace/clean/c")
    button = page.get_by_role("button", name=re.compile("compute"))
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    shown = page.locator(".step:visible .role").all_inner_texts()
    assert shown == ["compute"]
    button.click()
    assert page.locator(".step:visible").count() == 4
    page.goto(page.url.split("#")[0] + "#step-3")  # a deep link to a step
    assert page.locator(".step:target").get_attribute("id") == "step-3"


def test_the_theme_is_that_of_the_system_until_it_is_chosen(
    tab: Callable[..., Tab], site: Opened
) -> None:
    def dark(page: Page) -> bool:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) < 200

    assert dark(tab(site, color_scheme="dark").open("/"))
    one = tab(site, color_scheme="light")
    page = one.open("/")
    assert not dark(page)
    page.keyboard.press("t")
    assert dark(page)
    assert dark(one.open("/trace/clean/c"))  # kept


CONTRAST = """
() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!text || !e.checkVisibility() || e.closest(".off, svg, option")) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}
"""
UNNAMED = """
() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, svg[role=img]")]
  .filter((e) => !(e.getAttribute("aria-label") || e.innerText || e.labels?.length
    || e.closest("svg[aria-label]") || e.getAttribute("href")?.startsWith("#step")))
  .map((e) => e.outerHTML.slice(0, 80))
"""
PAGES = ("/", "/trace/teacher/a", "/diff/digits/d", "/compare/teacher/a/teacher/b")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(tab: Callable[..., Tab], site: Opened, scheme: str) -> None:
    """Contrast of WCAG AA, names for what can be used, one main heading, no sideways scrolling."""
    one = tab(site, color_scheme=scheme)
    for path in PAGES:
        page = one.open(path)
        assert page.evaluate(CONTRAST) == [], path
        assert page.evaluate(UNNAMED) == [], path
        assert page.locator("h1").count() == 1
        assert page.locator("html[lang=en]").count() == 1
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        for width in (1400, 380):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width, wide)


def test_it_works_without_scripts(tab: Callable[..., Tab], site: Opened) -> None:
    page = tab(site, java_script_enabled=False).open("/")
    page.get_by_label("Verdict").select_option("correct")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Tom has 3 bags").click()
    assert page.locator(".step").count() == 4


def test_hostile_texts_do_nothing(tab: Callable[..., Tab], opened: Open, tmp_path: Path) -> None:
    row = trace("h", HOSTILE[:300], model=HOSTILE, answer=HOSTILE, thought=f"{HOSTILE}\n\n2+2=5")
    row["messages"] = [{"role": "user", "content": HOSTILE}]
    more = row | {"id": "made", "parent": "h", "edits": [HOSTILE], "thought": f"x {HOSTILE}"}
    one = tab(opened(write(tmp_path / "h.jsonl", row, more), measured=True))
    for path in ("/", "/trace/h/h", "/diff/h/made", "/compare/h/h/h/made", "/?q=%3Cscript%3E"):
        page = one.open(path)
        page.wait_for_timeout(100)
        assert "hacked" not in page.title() or "<script>" in page.title()
        assert page.evaluate("document.images.length + document.scripts.length") == 1
        assert page.locator("main ~ dialog").count() == 1  # nothing closed the page early
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= page.evaluate("innerWidth")
