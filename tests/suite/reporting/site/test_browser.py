"""The page of a report in a headless Chromium: `tox -e browser`."""

import re
import shutil

import pytest
from site_runs import HOSTILE

from suite import results
from suite.reporting import leaderboard, site

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs the extra 'browser': pip install 'squeezemark[browser]'"
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LOCAL = ("file:", "data:", "blob:")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        installed = next(filter(None, map(shutil.which, BROWSERS)), None)
        try:
            opened = engine.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        except playwright.Error:
            pytest.skip("no Chromium on this machine: `playwright install chromium` brings one")
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """`visit(folder, hash)` opens a report; what goes wrong in it, or leaves the machine, fails the test."""
    contexts, wrong = [], []

    def visit(folder, address="", **settings):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda r: None if r.url.startswith(LOCAL) else wrong.append(r.url))
        page.goto((folder / site.PAGE_FILE).as_uri() + address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def column(page, table, title):
    """The texts of a table's column."""
    titles = [text.strip(" ↕↑↓") for text in page.locator(f"{table} thead th").all_inner_texts()]
    return page.locator(f"{table} tbody tr > :nth-child({titles.index(title) + 1})").all_inner_texts()


def test_the_first_board_is_the_published_one(visit, current):
    page = visit(current)
    board = leaderboard.build(results.read(current))
    page.get_by_role("button", name=re.compile(f"Show all {len(board.rows)}")).click()
    assert column(page, "#board-table", "codec") == [row["codec"] for row in board.rows]
    assert column(page, "#board-table", "total ratio") == [f"{row['total_ratio']:.3f}" for row in board.rows]
    assert column(page, "#board-table", "geometric mean") == [
        f"{row['geomean_ratio']:.3f}" for row in board.rows
    ]


def test_a_filtered_board_is_the_breakdown_of_the_tables(visit, current):
    page = visit(current, "#board?role=weights&codec=zstd")
    board = leaderboard.build(results.read(current))
    weights = {row["codec"]: f"{row['role=weights']:.3f}" for row in board.rows if row["complete"]}
    shown = dict(
        zip(column(page, "#board-table", "codec"), column(page, "#board-table", "total ratio"), strict=True)
    )
    assert len(shown) >= 5
    assert all("zstd" in codec and weights[codec] == ratio for codec, ratio in shown.items())
    page.locator("#filters select[name=role]").select_option("errors")
    assert page.evaluate("location.hash") == "#board?role=errors&codec=zstd"
    assert column(page, "#board-table", "total ratio") != list(shown.values())
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate("location.hash") == "#board"
    assert len(column(page, "#board-table", "codec")) == 20


def test_speeds_are_those_of_the_tables(visit, current):
    page = visit(current)
    page.locator("#filters select[name=split]").select_option("")
    speeds = {row["codec"]: row["decode_mb_s"] for row in leaderboard.times(results.read(current))}
    hardware = {row["codec"] for row in leaderboard.build(results.read(current)).rows} - speeds.keys()
    shown = zip(
        column(page, "#board-table", "codec"), column(page, "#board-table", "decode MB/s"), strict=True
    )
    for codec, rate in shown:
        if codec in hardware:
            assert rate == "–"
        else:
            assert float(rate) == pytest.approx(speeds[codec], rel=0.006)


@pytest.mark.parametrize("table", ["#board-table", "#traces-table", "#speed table"])
def test_tables_sort_by_mouse_and_keyboard(visit, current, table):
    page = visit(current)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    heading = page.locator(f"{table} thead th.n").nth(1)
    title = heading.inner_text().strip(" ↕↑↓")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    falling = [
        float(re.match(r"[\d.]+(e-?\d+)?", text)[0]) for text in column(page, table, title) if text != "–"
    ]
    assert falling == sorted(falling, reverse=True)
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    rising = [
        float(re.match(r"[\d.]+(e-?\d+)?", text)[0]) for text in column(page, table, title) if text != "–"
    ]
    assert rising == sorted(rising)
    assert page.locator(f"{table} thead th[aria-sort]").count() == 1


def test_every_chart_is_drawn_in_both_colours(visit, current):
    page = visit(current, color_scheme="dark")
    holders = page.locator("[data-chart]")
    assert holders.count() == len(list((current / site.CHARTS_FOLDER).glob("*.svg"))) >= 10
    for n in range(holders.count()):
        holders.nth(n).scroll_into_view_if_needed()
        holders.nth(n).locator("svg.marks").wait_for()
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Change between light and dark").click()
    assert page.evaluate(background) != dark
    page.wait_for_function(f"document.querySelectorAll('svg.marks').length === {holders.count()}")


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("address", ["", "#codec=raw", "#trace=gpt%2Ffloat32-s0%2Fweights%2Fblocks.2.down"])
def test_nothing_is_wider_than_the_screen(visit, current, width, address):
    page = visit(current, address, viewport={"width": width, "height": 800})
    for n in range(page.locator("#report:not([hidden]) [data-chart]").count()):
        page.locator("[data-chart]").nth(n).scroll_into_view_if_needed()
        page.locator("[data-chart]").nth(n).locator("svg.marks").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_codecs_and_traces_have_pages(visit, current):
    page = visit(current)
    page.locator("#board-table").get_by_role("link", name="pcodec:level=8").click()
    assert page.get_by_role("heading", level=1).inner_text() == "pcodec:level=8"
    assert page.title().startswith("pcodec:level=8")
    page.locator("#detail tbody th a").first.click()
    page.wait_for_function("document.title.includes('/')")
    name = page.get_by_role("heading", level=1).inner_text()
    assert name in results.read(current)["trace"].to_list()
    assert len(page.locator("#detail tbody tr").all()) == results.read(current)["codec"].n_unique()
    page.go_back()
    page.get_by_role("link", name="← The whole report").click()
    assert page.locator("#board-table").is_visible()


def test_an_address_of_nothing_says_so(visit, current):
    page = visit(current, "#codec=%E0%A4%A")
    assert "There is no codec" in page.get_by_role("heading", level=1).inner_text()


def test_the_list_of_traces_is_filtered_by_words(visit, current):
    page = visit(current)
    page.locator("#trace-filter input").fill("KV gpt s90")
    shown = column(page, "#traces-table", "trace")
    assert shown
    assert all("gpt" in name and "/kv/" in name and "s90" in name for name in shown)


def test_hostile_names_are_text(visit, small):
    page = visit(small)
    assert HOSTILE in page.locator("#report").inner_text()
    page.locator("#board-table").get_by_role("link", name=HOSTILE).click()
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    page.go_back()
    for n in range(page.locator("[data-chart]").count()):
        page.locator("[data-chart]").nth(n).scroll_into_view_if_needed()
        page.locator("[data-chart]").nth(n).locator("svg.marks").wait_for()


def test_lossy_codecs_stand_apart_and_unranked(visit, small):
    page = visit(small)
    assert "zfp" not in column(page, "#board-table", "codec")
    page.locator("#filters select[name=lossless]").select_option("no")
    assert column(page, "#board-table", "codec") == ["zfp"]
    assert column(page, "#board-table", "rank") == ["–"]
    assert "never ranked" in page.locator("#board-status").inner_text()


def test_hardware_has_effective_ratios_in_place_of_speeds(visit, current):
    page = visit(current)
    page.locator("#filters select[name=kind]").select_option("hardware")
    board = leaderboard.build(results.read(current))
    rows = [row for row in board.rows if row["kind"] == "hardware"]
    page.get_by_role("button", name=re.compile(f"Show all {len(rows)}")).click()
    assert column(page, "#board-table", "rank") == [str(row["rank"]) for row in rows]
    for granule in (32, 64):
        shown = column(page, "#board-table", f"effective, {granule} B")
        assert shown == [f"{row[f'effective_ratio_{granule}']:.3f}" for row in rows]
    page.locator("#filters select[name=kind]").select_option("")
    assert len(column(page, "#board-table", "encode MB/s")) == 20


def test_a_choice_without_traces_says_so(visit, small):
    page = visit(small, "#board?role=activations&precision=int8")
    assert "No trace has all of these" in page.locator("#board-status").inner_text()


def test_the_keyboard_reaches_the_board_first(visit, small):
    page = visit(small)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the leaderboard"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#board"


def test_colours_have_contrast(visit, small):
    """WCAG AA: 4.5:1 for text on its background, in both schemes."""
    for scheme in ("light", "dark"):
        page = visit(small, color_scheme=scheme)
        ratios = page.evaluate(CONTRAST)
        assert len(ratios) > 20
        assert min(ratios.values()) >= 4.5, sorted(ratios.items(), key=lambda item: item[1])[:5]


CONTRAST = """() => {
  const light = (css) => {
    const channel = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = css.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)|transparent/.test(colour)) return colour;
    }
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim()) continue;
    if (element.closest("script, style, svg, noscript, .vega-embed")) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    found[`${element.tagName} ${element.className} ${walker.currentNode.data.trim().slice(0, 30)}`] =
      (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}"""
