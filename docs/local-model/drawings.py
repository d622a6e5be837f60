"""Draws screens, logos, posters and illustrations, and lists every drawn kind.

Every function takes a seeded `random.Random` and returns an RGB picture; see `sheets` for why.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import charts
import sheets
from PIL import Image, ImageDraw
from sheets import colour, font, words


def screenshot(random: Random) -> Image.Image:
    dark, accent = (
        random.random() < 0.15,
        random.choice([(0, 120, 212), colour(random, 0, 200), (36, 36, 40)]),
    )
    ground, ink = ((30, 30, 34), (220, 220, 220)) if dark else ((255, 255, 255), (40, 40, 40))
    picture = Image.new("RGB", random.choice([(1200, 700), (1200, 600), (1000, 800)]), ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, picture.width, random.choice([36, 48])), fill=accent)
    draw.text((14, 10), words(random, 3), fill="white", font=font(16))
    side = random.choice([0, 180, 220])
    if side:
        draw.rectangle((0, 48, side, picture.height), fill=(45, 45, 48) if dark else (244, 244, 244))
        for row in range(random.randint(6, 14)):
            draw.text((20, 70 + row * 34), words(random, 2), fill=ink, font=font(14))
    top = 70
    while top < picture.height - 60:
        top += _widget(draw, random, (side + 24, top), ink, accent)
    return picture


def _widget(
    draw: ImageDraw.ImageDraw, random: Random, at: tuple[int, int], ink: sheets.Colour, accent: sheets.Colour
) -> int:
    """A heading, a row of tiles, a button or a line; its height."""
    x, y = at
    kind = random.random()
    if kind < 0.2:
        draw.text(at, words(random, 4), fill=ink, font=font(24))
        return 46
    if kind < 0.35:
        for tile in range(random.randint(2, 4)):
            box = (x + tile * 200, y, x + tile * 200 + 180, y + 90)
            draw.rounded_rectangle(box, 6, outline=(200, 200, 200))
            draw.text((box[0] + 10, y + 10), words(random, 2), fill=ink, font=font(14))
        return 112
    if kind < 0.45:
        draw.rounded_rectangle((x, y, x + 120, y + 32), 4, fill=accent)
        draw.text((x + 20, y + 8), words(random, 1), fill="white", font=font(14))
        return 50
    draw.text(at, words(random, random.randint(4, 10)), fill=ink, font=font(14))
    return 24


def code(random: Random) -> Image.Image:
    dark = random.random() < 0.7
    picture = Image.new("RGB", (800, 500), (30, 30, 30) if dark else "white")
    draw = ImageDraw.Draw(picture)
    for top in range(10, 490, 22):
        x = 20 + random.choice([0, 30, 60])
        for _ in range(random.randint(1, 5)):
            part = random.choice(["def", "for", "if", "return", "import", "x =", *sheets.WORDS]) + " "
            draw.text(
                (x, top),
                part,
                fill=colour(random, 120, 255) if dark else colour(random, 0, 130),
                font=font(16),
            )
            x += int(draw.textlength(part, font=font(16)))
    return picture


def slide(random: Random) -> Image.Image:
    ground = random.choice(
        [(255, 255, 255), (245, 245, 245), colour(random, 0, 90), colour(random, 180, 250)]
    )
    ink = (20, 20, 20) if sum(ground) > 380 else (245, 245, 245)
    picture = Image.new("RGB", (960, 540), ground)
    draw = ImageDraw.Draw(picture)
    draw.text((60, 40), words(random, 3).title(), fill=ink, font=font(46))
    for row in range(random.randint(2, 5)):
        draw.text((80, 150 + row * 60), "- " + words(random, random.randint(2, 5)), fill=ink, font=font(28))
    if random.random() < 0.5:
        inset = random.choice([charts.bar_chart, charts.pie_chart, charts.diagram])(random).resize((360, 270))
        picture.paste(inset, (570, 180))
    return picture


def logo(random: Random) -> Image.Image:
    ground = random.choice([(255, 255, 255)] * 3 + [colour(random), colour(random, 0, 60)])
    picture = Image.new("RGB", random.choice([(600, 400), (500, 500), (800, 300)]), ground)
    draw, ink, middle = ImageDraw.Draw(picture), colour(random, 0, 230), picture.height // 2
    size, left = picture.height // 4, 60
    kind = random.randint(0, 3)
    if kind == 0:
        draw.ellipse((left, middle - size, left + 2 * size, middle + size), fill=ink)
        draw.ellipse(
            (left + size // 2, middle - size // 2, left + size * 3 // 2, middle + size // 2), fill=ground
        )
    elif kind == 1:
        draw.polygon(
            [(left, middle + size), (left + size, middle - size), (left + 2 * size, middle + size)], fill=ink
        )
    elif kind == 2:
        draw.rounded_rectangle((left, middle - size, left + 2 * size, middle + size), size // 3, fill=ink)
        draw.rectangle(
            (left + size // 2, middle - size // 2, left + size, middle + size // 2), fill=colour(random)
        )
    else:
        start = random.randint(0, 90)
        draw.pieslice((left, middle - size, left + 2 * size, middle + size), start, start + 270, fill=ink)
    if random.random() < 0.75:
        name = random.choice(sheets.WORDS).title()
        draw.text((left + 20 + 2 * size, middle - size // 2), name, fill=ink, font=font(int(size * 0.9)))
    return picture


def barcode(random: Random) -> Image.Image:
    picture = Image.new("RGB", (500, 500), "white")
    draw = ImageDraw.Draw(picture)
    if random.random() < 0.6:
        cells = random.choice([25, 29, 33])
        step = 420 / cells
        for x in range(cells):
            for y in range(cells):
                if random.random() < 0.5:
                    draw.rectangle(
                        (40 + x * step, 40 + y * step, 39 + (x + 1) * step, 39 + (y + 1) * step), fill="black"
                    )
        for x, y in ((40, 40), (460 - 7 * step, 40), (40, 460 - 7 * step)):
            for ring, fill in ((0, "black"), (1, "white"), (2, "black")):
                draw.rectangle(
                    (x + ring * step, y + ring * step, x + (7 - ring) * step, y + (7 - ring) * step),
                    fill=fill,
                )
    else:
        x = 40
        while x < 450:
            width = random.choice([2, 2, 4, 6])
            draw.rectangle((x, 120, x + width, 380), fill="black")
            x += width + random.choice([2, 3, 5])
        draw.text((120, 390), str(random.randint(10**11, 10**12)), fill="black", font=font(30))
    return picture


def poster(random: Random) -> Image.Image:
    picture = Image.new("RGB", random.choice([(500, 700), (600, 800)]), colour(random))
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for _ in range(random.randint(1, 4)):
        x, y = random.randint(0, width), random.randint(height // 4, height)
        size = random.randint(60, 260)
        shape = random.choice([draw.ellipse, draw.rectangle])
        shape((x - size, y - size, x + size, y + size), fill=colour(random))
    draw.text((30, 40), words(random, 1).upper(), fill=colour(random), font=font(random.randint(80, 120)))
    draw.text((30, 170), words(random, 2).title(), fill=colour(random), font=font(44))
    draw.text((30, height - 60), words(random, 4), fill=colour(random), font=font(24))
    return picture


def illustration(random: Random) -> Image.Image:
    """A flat-coloured scene with outlines: ground, sun, houses, trees."""
    picture = Image.new("RGB", random.choice([(700, 500), (600, 600)]), colour(random, 150, 255))
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    draw.rectangle((0, height * 2 // 3, width, height), fill=colour(random, 60, 220))
    draw.ellipse((40, 40, 130, 130), fill=(250, 220, 90), outline="black", width=3)
    for _ in range(random.randint(3, 7)):
        x, y, size = (
            random.randint(0, width),
            random.randint(height // 2, height - 40),
            random.randint(40, 110),
        )
        fill = colour(random, 40, 240)
        if random.random() < 0.5:
            draw.rectangle((x - size, y - size, x + size, y + size // 2), fill=fill, outline="black", width=3)
            draw.polygon(
                [(x - size - 10, y - size), (x, y - 2 * size), (x + size + 10, y - size)],
                fill=colour(random),
                outline="black",
            )
        else:
            draw.rectangle(
                (x - 8, y - size, x + 8, y + size // 2), fill=(120, 80, 50), outline="black", width=3
            )
            draw.ellipse(
                (x - size, y - 2 * size, x + size, y - size // 2), fill=fill, outline="black", width=3
            )
    return picture


KINDS: dict[str, Callable[[Random], Image.Image]] = {
    "text page": sheets.text_page,
    "newspaper": sheets.newspaper,
    "receipt": sheets.receipt,
    "table": sheets.table,
    "card": sheets.card,
    "handwriting": sheets.handwriting,
    "formula": sheets.formula,
    "line chart": charts.line_chart,
    "bar chart": charts.bar_chart,
    "pie chart": charts.pie_chart,
    "diagram": charts.diagram,
    "screenshot": screenshot,
    "code": code,
    "slide": slide,
    "logo": logo,
    "map": charts.map_sheet,
    "barcode": barcode,
    "poster": poster,
    "illustration": illustration,
}
"""Every drawn kind by its name in the lexicon."""

PAPER = frozenset(("text page", "newspaper", "receipt", "table", "card", "handwriting", "map", "poster"))
"""Kinds that are often photographed from paper."""
