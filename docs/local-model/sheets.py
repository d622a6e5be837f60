"""Draws papers: pages, receipts, tables, cards, handwriting, formulas, and how a camera would see them.

ImageNet has no such classes, so the network is shown drawn samples; what it answers is the kind's
prototype.  Every function takes a seeded `random.Random` and returns an RGB picture.
"""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
_WORDS = (
    "data model report total price order page image search result name project table network test "
    "error status create open view settings help home account list item amount city street time "
    "value user system the and for with from this that which water light school family music paper"
)
WORDS = _WORDS.split()


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own typeface."""
    return ImageFont.load_default(size)


def words(random: Random, count: int) -> str:
    return " ".join(random.choice(WORDS) for _ in range(count))


def colour(random: Random, low: int = 0, high: int = 255) -> Colour:
    return random.randint(low, high), random.randint(low, high), random.randint(low, high)


def sheet(random: Random, *sizes: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A white or creamy sheet of one of the sizes."""
    paper = random.choice([(255, 255, 255), (255, 255, 255), (250, 247, 238), (236, 234, 228)])
    picture = Image.new("RGB", random.choice(sizes), paper)
    return picture, ImageDraw.Draw(picture)


def _lines(draw: ImageDraw.ImageDraw, random: Random, box: tuple[int, int, int, int], size: int) -> None:
    """Fills the box with lines of text, in paragraphs."""
    left, top, right, bottom = box
    while top < bottom - size:
        line = words(random, 30)
        while line and draw.textlength(line, font=font(size)) > (right - left) * random.choice(
            [1, 1, 1, 0.6]
        ):
            line = line.rpartition(" ")[0]
        draw.text((left, top), line, fill=(25, 25, 25), font=font(size))
        top += int(size * 1.4) + (size if random.random() < 0.1 else 0)


def text_page(random: Random) -> Image.Image:
    picture, draw = sheet(random, (600, 800), (620, 860), (700, 500), (800, 450))
    size, top = random.randint(12, 20), 40
    if random.random() < 0.6:
        draw.text((45, top), words(random, 3).title(), fill="black", font=font(size + 12))
        top += 60
    _lines(draw, random, (45, top, picture.width - 45, picture.height - 40), size)
    return picture


def newspaper(random: Random) -> Image.Image:
    picture, draw = sheet(random, (700, 900), (900, 700))
    draw.text((30, 15), words(random, 2).upper(), fill="black", font=font(70))
    draw.line((30, 105, picture.width - 30, 105), fill="black", width=3)
    columns = random.randint(3, 5)
    width = (picture.width - 60) // columns
    for column in range(columns):
        left, top = 30 + column * width, 120
        if random.random() < 0.5:
            draw.text((left, top), words(random, 2).title(), fill="black", font=font(22))
            top += 40
        if random.random() < 0.4:
            shade = random.randint(70, 180)
            draw.rectangle((left, top, left + width - 14, top + 140), fill=(shade, shade, shade))
            top += 155
        _lines(draw, random, (left, top, left + width - 14, picture.height - 30), 11)
    return picture


def receipt(random: Random) -> Image.Image:
    picture, draw = sheet(random, (360, 700), (420, 640), (500, 640))
    draw.text((picture.width // 4, 20), words(random, 2).upper(), fill="black", font=font(24))
    top = 80
    while top < picture.height - 100:
        price = f"{random.random() * 50:.2f}"
        draw.text((25, top), words(random, random.randint(1, 2)), fill=(30, 30, 30), font=font(17))
        draw.text((picture.width - 90, top), price, fill=(30, 30, 30), font=font(17))
        top += 27
    draw.line((25, top + 4, picture.width - 25, top + 4), fill=(40, 40, 40), width=2)
    draw.text((25, top + 14), f"TOTAL   {random.random() * 200:.2f}", fill="black", font=font(26))
    return picture


def table(random: Random) -> Image.Image:
    picture, draw = sheet(random, (900, 500), (800, 600))
    columns, rows = random.randint(4, 8), random.randint(10, 20)
    wide, high = picture.width / columns, picture.height / rows
    draw.rectangle((0, 0, picture.width, high), fill=colour(random, 150, 230))
    for row in range(rows):
        draw.line((0, row * high, picture.width, row * high), fill=(190, 190, 190))
        for column in range(columns):
            plain = column == 0 or row == 0
            cell = words(random, 1) if plain else f"{random.random() * 1000:.1f}"
            draw.text((column * wide + 8, row * high + 5), cell, fill=(30, 30, 30), font=font(14))
    for column in range(columns):
        draw.line((column * wide, 0, column * wide, picture.height), fill=(190, 190, 190))
    return picture


def card(random: Random) -> Image.Image:
    picture = Image.new("RGB", (640, 400), colour(random, 170, 250))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 640, random.choice([50, 70])), fill=colour(random, 0, 170))
    draw.text((20, 12), words(random, 2).upper(), fill="white", font=font(28))
    left = 30
    if random.random() < 0.6:
        shade = colour(random, 90, 200)
        draw.rectangle((30, 100, 190, 310), fill=colour(random, 180, 240))
        draw.ellipse((75, 130, 145, 215), fill=shade)
        draw.ellipse((45, 225, 175, 380), fill=shade)
        draw.rectangle((30, 311, 190, 390), fill=picture.getpixel((5, 395)))
        left = 220
    for row in range(random.randint(4, 7)):
        draw.text(
            (left, 100 + row * 36), words(random, random.randint(1, 3)), fill=(30, 30, 60), font=font(19)
        )
    draw.text(
        (30, 355), " ".join(str(random.randint(1000, 9999)) for _ in range(4)), fill="black", font=font(28)
    )
    return picture


def handwriting(random: Random) -> Image.Image:
    picture, draw = sheet(random, (700, 500), (600, 800))
    ink = random.choice([(20, 20, 40), (20, 40, 130), (40, 40, 40)])
    if random.random() < 0.5:
        for top in range(50, picture.height, 36):
            draw.line((0, top, picture.width, top), fill=(190, 205, 225))
    height, slant = random.randint(9, 14), random.uniform(0.2, 0.7)
    for base in range(50, picture.height - 20, 36 * random.choice([1, 1, 2])):
        at = random.randint(30, 60)
        while at < picture.width - 90:
            length = random.randint(18, 95)
            _scribble(draw, random, (at, base), length, height, slant, ink)
            at += length + 16
    return picture


def _scribble(
    draw: ImageDraw.ImageDraw,
    random: Random,
    start: tuple[int, int],
    length: int,
    height: int,
    slant: float,
    ink: Colour,
) -> None:
    """One word: loops of a running pen, some of them tall."""
    points, reach = [], 1.0
    for step in range(length * 2):
        if step % 14 == 0:
            reach = random.choice([0.6, 0.7, 1.0, 1.0, 1.9, -0.8])
        angle = step / 14 * 2 * math.pi
        rise = (1 - math.cos(angle)) / 2 * height * reach
        points.append((start[0] + step / 2 + 2.5 * math.sin(angle) + rise * slant, start[1] - rise))
    draw.line(points, fill=ink, width=random.choice([2, 2, 3]))


def formula(random: Random) -> Image.Image:
    picture, draw = sheet(random, (700, 240), (640, 340), (600, 450))
    for row in range(random.randint(1, max(1, picture.height // 170))):
        _equation(draw, random, 40 + row * 150, random.randint(34, 54), picture.width - 90)
    return picture


def _equation(draw: ImageDraw.ImageDraw, random: Random, top: int, size: int, width: int) -> None:
    """Symbols with exponents, fractions and sums in a row."""
    at, middle = 40.0, top + size
    while at < width:
        kind = random.random()
        symbol = random.choice(list("xyzabnkfEPRST")) + random.choice(["", "", "(x)", "'"])
        if kind < 0.25:
            draw.text((at + size * 0.2, middle - size * 1.25), symbol, fill="black", font=font(size))
            draw.line((at, middle, at + size * 1.9, middle), fill="black", width=3)
            draw.text(
                (at + size * 0.2, middle + 2), random.choice("abxyn") + "+1", fill="black", font=font(size)
            )
            at += size * 2.1
        elif kind < 0.4:
            left, right, high, low = at, at + size * 0.9, middle - size * 0.8, middle + size * 0.8
            points = [(right, high), (left, high), (left + size * 0.5, middle), (left, low), (right, low)]
            draw.line(points, fill="black", width=4)
            draw.text((left, low + 3), "i=0", fill="black", font=font(size // 2))
            at += size * 1.1
        else:
            draw.text((at, middle - size * 0.7), symbol, fill="black", font=font(size))
            at += draw.textlength(symbol, font=font(size))
            draw.text(
                (at, middle - size), random.choice(["2", "n", "", "T"]), fill="black", font=font(size // 2)
            )
            at += size * 0.35
        draw.text((at, middle - size * 0.7), random.choice("=+-=+"), fill="black", font=font(size))
        at += size * 0.8


def photographed(random: Random, picture: Image.Image) -> Image.Image:
    """The sheet as a camera sees it: on a table, a little turned, unevenly lit, not quite sharp."""
    width, height = picture.size
    border = random.randint(10, max(12, min(width, height) // 5))
    ground = colour(random, 40, 200)
    table_top = Image.new("RGB", (width + 2 * border, height + 2 * border), ground)
    table_top.paste(picture, (border, border))
    turned = table_top.rotate(random.uniform(-8, 8), Image.Resampling.BICUBIC, fillcolor=ground)
    light = Image.linear_gradient("L").rotate(random.choice([0, 90, 180, 270])).resize(turned.size)
    shade = Image.new("RGB", turned.size, (random.randint(40, 120),) * 3)
    lit = Image.composite(Image.blend(turned, shade, 0.35), turned, light)
    return lit.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.2)))
