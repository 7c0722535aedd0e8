"""Line charts as SVG: no more than the plots of these measurements need."""

from dataclasses import dataclass
from html import escape
from math import floor, log10
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 320, 64, 190, 36, 44
COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce", "#b91c1c", "#0f766e", "#a16207", "#475569")

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """``lines`` by name. With ``logarithmic`` the x axis is; the y axis begins at zero always."""

    title: str
    x_label: str
    y_label: str
    lines: dict[str, Points]
    logarithmic: bool = False

    def save(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.svg())

    def svg(self) -> str:
        points = [point for line in self.lines.values() for point in line]
        xs = sorted({x for x, _ in points})
        top = _round_up(max(y for _, y in points))
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            'font-size="12" fill="#1f2937">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            _text(LEFT, 20, self.title, size=14),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, self.x_label, anchor="middle"),
            _text(LEFT - 8, TOP - 10, self.y_label, anchor="end", size=11),
        ]
        for step in range(5):
            value = top * step / 4
            y = self._y(value, top)
            parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e5e7eb"/>')
            parts.append(_text(LEFT - 8, y + 4, f"{value:,.10g}", anchor="end"))
        for x in xs if len(xs) <= 8 else [xs[len(xs) * part // 5] for part in range(5)] + [xs[-1]]:
            parts.append(_text(self._x(x, xs), HEIGHT - BOTTOM + 18, f"{x:,.10g}", anchor="middle"))
        for number, (name, line) in enumerate(self.lines.items()):
            parts += self._line(name, line, xs, top, number)
        return "\n".join([*parts, "</svg>", ""])

    def _line(self, name: str, line: Points, xs: list[float], top: float, number: int) -> list[str]:
        colour = COLOURS[number % len(COLOURS)]
        places = [(self._x(x, xs), self._y(y, top)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places if len(places) <= 8]
        height = TOP + 12 + 18 * number
        legend = f'<rect x="{WIDTH - RIGHT + 16}" y="{height - 9}" width="10" height="10" fill="{colour}"/>'
        drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        return [drawn, *dots, legend, _text(WIDTH - RIGHT + 32, height, name)]

    def _x(self, value: float, xs: list[float]) -> float:
        low, high, value = (log10(each) if self.logarithmic else each for each in (xs[0], xs[-1], value))
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / ((high - low) or 1)

    def _y(self, value: float, top: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _round_up(value: float) -> float:
    """To a number that reads well on an axis, also when it is quartered."""
    power = 10.0 ** floor(log10(value or 1))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)
