"""Draws charts, diagrams and maps.

Every function takes a seeded `random.Random` and returns an RGB picture; see `sheets` for why.
"""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

from PIL import Image, ImageDraw
from sheets import colour, font, words


def _axes(random: Random) -> tuple[Image.Image, ImageDraw.ImageDraw, tuple[int, int, int, int]]:
    picture = Image.new("RGB", random.choice([(600, 400), (800, 450), (500, 500)]), "white")
    draw = ImageDraw.Draw(picture)
    box = (60, 50, picture.width - 30, picture.height - 50)
    draw.text((picture.width // 3, 12), words(random, 3), fill="black", font=font(18))
    grid = random.random() < 0.6
    for step in range(6):
        y = box[1] + (box[3] - box[1]) * step // 5
        draw.text((20, y - 6), f"{100 - 20 * step}", fill="black", font=font(12))
        if grid:
            draw.line((box[0], y, box[2], y), fill=(215, 215, 215))
    draw.rectangle(box, outline=(60, 60, 60))
    return picture, draw, box


def line_chart(random: Random) -> Image.Image:
    picture, draw, (left, top, right, bottom) = _axes(random)
    for _ in range(random.randint(1, 5)):
        level, drift, points = random.uniform(0.2, 0.8), random.uniform(0.01, 0.07), []
        for step in range(50):
            level = min(0.98, max(0.02, level + random.gauss(0, drift)))
            points.append((left + (right - left) * step / 49, bottom - (bottom - top) * level))
        draw.line(points, fill=colour(random, 0, 220), width=random.choice([1, 2, 3]))
    return picture


def bar_chart(random: Random) -> Image.Image:
    picture, draw, (left, top, right, bottom) = _axes(random)
    count, one = random.randint(3, 12), colour(random, 20, 200)
    flat, many = random.random() < 0.3, random.random() < 0.4
    for bar in range(count):
        value, fill = random.uniform(0.1, 1), colour(random, 20, 220) if many else one
        if flat:
            step = (bottom - top) / count
            y = top + bar * step
            draw.rectangle((left, y + 3, left + (right - left) * value, y + step - 3), fill=fill)
        else:
            step = (right - left) / count
            x = left + bar * step
            draw.rectangle((x + 4, bottom - (bottom - top) * value, x + step - 4, bottom), fill=fill)
    return picture


def pie_chart(random: Random) -> Image.Image:
    picture = Image.new("RGB", (560, 440), "white")
    draw = ImageDraw.Draw(picture)
    angle, parts = random.uniform(0, 360), [random.uniform(0.1, 1) for _ in range(random.randint(3, 7))]
    for part in parts:
        span = 360 * part / sum(parts)
        draw.pieslice((120, 60, 440, 380), angle, angle + span, fill=colour(random, 30, 240), outline="white")
        middle = math.radians(angle + span / 2)
        at = (280 + 200 * math.cos(middle) - 20, 220 + 185 * math.sin(middle) - 8)
        draw.text(at, words(random, 1), fill="black", font=font(15))
        angle += span
    return picture


def diagram(random: Random) -> Image.Image:
    picture = Image.new("RGB", random.choice([(900, 500), (700, 700), (1000, 400)]), "white")
    draw, columns, count = ImageDraw.Draw(picture), random.randint(2, 5), random.randint(4, 10)
    fill, rounded, boxes = colour(random, 130, 240), random.random() < 0.6, []
    rows = -(-count // columns)
    for index in range(count):
        x = 40 + (index % columns) * (picture.width - 60) // columns
        y = 40 + (index // columns) * (picture.height - 60) // rows
        width = (picture.width - 60) // columns - 50
        shape = draw.rounded_rectangle if rounded else draw.rectangle
        shape((x, y, x + width, y + 60), fill=fill, outline="black", width=2)
        draw.text((x + 8, y + 20), words(random, 2), fill="black", font=font(15))
        boxes.append((x, y, width))
    for (x, y, width), (to, lower, _) in pairwise(boxes):
        end = (to, lower + 30)
        draw.line((x + width, y + 30, *end), fill=(50, 50, 50), width=2)
        draw.polygon([end, (to - 9, lower + 24), (to - 9, lower + 36)], fill=(50, 50, 50))
    return picture


def map_sheet(random: Random) -> Image.Image:
    picture = Image.new("RGB", random.choice([(700, 600), (900, 600)]), (240, 236, 224))
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    for fill in ((200, 226, 180), (170, 210, 240), (225, 220, 205)):
        for _ in range(random.randint(1, 4)):
            x, y = random.randint(0, width), random.randint(0, height)
            corners = [(x + random.gauss(0, 120), y + random.gauss(0, 120)) for _ in range(7)]
            draw.polygon(sorted(corners, key=lambda p: math.atan2(p[1] - y, p[0] - x)), fill=fill)
    for _ in range(random.randint(12, 40)):
        x, y, turn = random.randint(0, width), random.randint(0, height), random.uniform(0, math.pi)
        points = []
        for step in range(-12, 13):
            bend = turn + 0.02 * step
            points.append((x + step * 50 * math.cos(bend), y + step * 50 * math.sin(bend)))
        draw.line(
            points,
            fill=random.choice([(255, 255, 255), (250, 210, 120), (180, 180, 180)]),
            width=random.choice([2, 4, 7]),
        )
    for _ in range(random.randint(8, 30)):
        at = (random.randint(0, width), random.randint(0, height))
        draw.text(at, words(random, 1).title(), fill=(60, 60, 60), font=font(random.choice([12, 14, 20])))
    return picture
