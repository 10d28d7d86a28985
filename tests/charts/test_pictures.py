from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.charts.axis import Axis, marked, powers, rates, upto
from app.charts.frame import COLOURS, DASHES, Frame, as_image
from app.charts.lines import Series, histogram, lines, thinned
from app.charts.rows import Mark, Row, bars, intervals

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '<script>alert("x")</script>'


def texts(svg: str) -> list[str]:
    return [item.text or "" for item in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_line_is_marked_at_the_ticks_and_says_its_values() -> None:
    series = Series("vllm", [(1, 40.0), (8, 310.0), (32, 900.0)], whiskers=[(38, 42), (300, 320), (880, 920)])
    svg = lines("Tokens", marked("readers", (1, 8, 32), log=True), upto("", 900), [series], ("limit", 500))

    root = ET.fromstring(svg)
    assert [title.text for title in root.iter(f"{SVG}title")] == [
        "vllm 1: 40 (38 – 42)", "vllm 8: 310 (300 – 320)", "vllm 32: 900 (880 – 920)",
    ]  # fmt: skip
    assert texts(svg) == ["Tokens", "0", "200", "400", "600", "800", "1,000", "1", "8", "32", "readers", "limit"]
    circles = [float(circle.attrib["cx"]) for circle in root.iter(f"{SVG}circle")]
    assert (circles[1] - circles[0]) / (circles[2] - circles[0]) == pytest.approx(math.log(8) / math.log(32), abs=0.01)


def test_every_one_of_many_series_has_its_colour_and_its_name() -> None:
    series = [Series(f"engine {number}", [(0, number), (1, number + 1)]) for number in range(8)]
    svg = lines("Many", marked("", (0, 1)), upto("", 9), series)

    strokes = [item.attrib["stroke"] for item in ET.fromstring(svg).iter(f"{SVG}polyline")]
    assert strokes[:6] == list(COLOURS) and len(DASHES) == len(COLOURS)
    assert texts(svg)[-8:] == [item.name for item in series]
    inside = float(re.findall(r'viewBox="0 0 400 (\d+)"', svg)[0])
    assert max(float(item.attrib["y"]) for item in ET.fromstring(svg).iter(f"{SVG}text")) < inside


def test_numbers_of_an_axis_do_not_run_into_each_other() -> None:
    many = Axis("", 0, 100, [(tick, "1,000,000") for tick in range(101)])

    assert 3 <= len(re.findall("1,000,000", lines("", many, rates(), []))) <= 6


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-5, 5)), max_size=2000).map(sorted))
def test_of_very_many_points_the_extremes_stay(points: list[tuple[float, float]]) -> None:
    found = thinned(points)

    assert set(found) <= set(points) and len(found) <= max(402, len(points) if len(points) <= 400 else 0)
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    if points:
        assert {max(y for _, y in found), min(y for _, y in found)} == {
            max(y for _, y in points),
            min(y for _, y in points),
        }


def test_very_many_points_make_no_very_large_picture() -> None:
    points = [(at / 100, (at * 7919) % 1000) for at in range(50_000)]
    for kind in ("curve", "steps", "dots"):
        svg = lines("", upto("", 500), upto("", 1000), [Series("", points, kind=kind)])  # type: ignore[arg-type]
        assert len(svg) < 60_000


def test_bars_are_as_long_as_their_values() -> None:
    rows = [Row("hf", [Mark(0, 10, "10 → 20 GB", more=20), Mark(1, 40, "40 GB")]), Row("vllm", []), Row("x", [])]
    svg = bars("Memory", upto("GB", 40), rows, ["RAM", "GPU"])

    wide = [float(item.attrib["width"]) for item in ET.fromstring(svg).iter(f"{SVG}rect") if "opacity" in item.attrib]
    assert wide[0] == pytest.approx(wide[1], abs=0.2) and wide[2] == pytest.approx(4 * wide[0], abs=0.3)
    assert {"hf", "vllm", "x", "10 → 20 GB", "40 GB", "RAM", "GPU"} <= set(map(str.strip, texts(svg)))


def test_intervals_lie_around_their_points_and_a_border() -> None:
    rows = [Row("fp8", [Mark(0, 1.2, "1.2 ×", 0.9, 1.5)]), Row("ngram", [Mark(0, 1.4, "1.4 ×")])]
    svg = intervals("Gain", upto("times", 2), rows, [""], ("as before", 1.0))

    assert svg.count("<circle") == 2 and svg.count("<path") == 1 and svg.count("stroke-dasharray") == 1
    assert "as before" in texts(svg)


def test_the_words_of_an_interval_cover_no_name_and_no_border() -> None:
    rows = [Row("hf", [Mark(0, 0.3, "0.30 ×", 0.1, 0.5), Mark(1, 1.6, "1.60 ×", 1.4, 1.8)])]
    root = ET.fromstring(intervals("Gain", upto("times", 4), rows, ["few", "many"], ("as before", 1.0)))
    placed = {item.text: item.attrib for item in root.iter(f"{SVG}text")}
    assert "text-anchor" not in placed["0.30 ×"]  # before its interval it would stand on the name
    assert float(placed["0.30 ×"]["x"]) > float(placed["1"]["x"])
    assert float(placed["hf"]["x"]) < float(placed["0.30 ×"]["x"]) < float(placed["1.60 ×"]["x"])


@pytest.mark.parametrize(
    "svg",
    [
        lines(EVIL, marked(EVIL, (1, 2)), rates(), [Series(EVIL, [(1, 0.5)]), Series(EVIL, [])], (EVIL, 0.5)),
        lines("", powers(EVIL, 1, 10), rates(), [Series("", [], kind="steps")]),
        histogram(EVIL, EVIL, [(EVIL, [0.0, 1.0, 0.5]), ("y", [])], (EVIL, 0.5)),
        bars(EVIL, upto(EVIL, 1), [Row(EVIL, [Mark(0, 1, EVIL)])], [EVIL, "b"]),
        intervals(EVIL, upto(EVIL, 1), [Row(EVIL, [Mark(0, 1, EVIL, 0, 2)])], [EVIL, "b"], (EVIL, 1)),
        bars("", upto("", 0), [], []),
    ],
)
def test_names_in_charts_are_escaped(svg: str) -> None:
    assert "<script" not in svg and "nan" not in svg
    ET.fromstring(svg)


def test_long_names_are_cut_in_the_picture_and_whole_where_one_points() -> None:
    name = "通义千问三点零四十亿参数量化版本"
    rows = bars("", upto("", 1), [Row(name, [Mark(0, 1, "")])], ["a"])

    assert f"<title>{name}</title>" in rows and f">{name}<" not in rows.replace(f"<title>{name}</title>", "")


def test_an_image_keeps_its_name() -> None:
    image = as_image(lines('"quoted"', marked("", (1, 2)), rates(), [Series("", [(1, 0.5)])]))

    assert image.count('"') == 6 and 'alt="&quot;quoted&quot;"' in image


def test_the_frame_puts_values_where_they_belong() -> None:
    frame = Frame("", upto("", 10), upto("", 10), [])

    assert (frame.across(0), frame.across(10)) == (frame.left, frame.right)
    assert (frame.down(0), frame.down(10)) == (frame.bottom, frame.top)


# How the colour-blind see (Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB), and how far apart colours
# look (OKLab, Ottosson 2020).
SEEN = {
    "everyone": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deuteranopia": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritanopia": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
LMS = ((0.4122, 0.5363, 0.0514), (0.2119, 0.6807, 0.1074), (0.0883, 0.2817, 0.6300))
LAB = ((0.2105, 0.7936, -0.0041), (1.9780, -2.4286, 0.4506), (0.0259, 0.7828, -0.8087))


def times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix]


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def lab(colour: str, who: str) -> list[float]:
    seen = [min(1.0, max(0.0, part)) for part in times(SEEN[who], linear(colour))]
    return times(LAB, [part ** (1 / 3) for part in times(LMS, seen)])


@pytest.mark.parametrize("who", SEEN)
def test_colours_can_be_told_apart(who: str) -> None:
    for one, other in itertools.combinations(COLOURS, 2):
        assert math.dist(lab(one, who), lab(other, who)) > 0.12, (one, other)


@pytest.mark.parametrize("background", ["#ffffff", "#111817", "#0e1117"])
def test_colours_stand_out_from_light_and_dark(background: str) -> None:
    """3 to 1 is what WCAG 2.2 asks of graphics (1.4.11)."""

    def light(colour: str) -> float:
        return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))

    for colour in COLOURS:
        low, high = sorted((light(colour), light(background)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour
