"""Queries from end to end: what is found, in which order and with which score."""

import json
import os
import shutil

import album
import numpy as np
import pytest
import truth
from PIL import Image
from truth import check_ranking, cosines, ranked, standard


def draw_colour(path, colour, seed):
    """A photo that is mostly of one colour."""
    noise = np.random.default_rng(seed).integers(-25, 26, (36, 48, 3))
    pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)
    return path


COLOURS = {"red": (220, 20, 30), "green": (30, 150, 40), "blue": (30, 60, 220), "yellow": (255, 230, 0)}


@pytest.fixture
def colours(cli, double, tmp_path, monkeypatch):
    """Three photos of each of four colours, indexed; gives their paths."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    paths = [
        draw_colour(str(tmp_path / "colours" / f"{name}-{number}.jpg"), value, 10 * order + number)
        for order, (name, value) in enumerate(COLOURS.items())
        for number in range(3)
    ]
    assert cli("index", tmp_path / "colours").code == 0
    return paths


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "nothing to look for"),
        ([""], "the text is empty"),
        (["  ", "\n"], "the text is empty"),
        (["x", "-n", "0"], "--top takes a number from 1"),
        (["x", "-n", "-3"], "--top takes a number from 1"),
        (["x", "--top", "many"], "--top takes a number from 1"),
        (["x", "--top", "²"], "--top takes a number from 1"),
        (["x", "--min-score", "nan"], "--min-score takes a number"),
        (["x", "--min-score", "inf"], "--min-score takes a number"),
        (["x", "--metric", "euclidean", "--min-score", "0.1"], "does not go with distances"),
        (["x", "--metric", "euclidean", "--also", "y"], "compares with one text or picture"),
        (["--metric", "euclidean", "--not", "y"], "compares with one text or picture"),
        (["x", "--also", "0:y"], "says nothing"),
        (["x", "--also", "2: "], "says nothing"),
        (["x", "--not", ""], "says nothing"),
        (["x", "--not-image", "0:a.jpg"], "says nothing"),
        (["x", "-l", "-0"], "several formats"),
        (["x", "-l", "--format", "csv"], "several formats"),
        (["x", "--files-from", "a", "--files0-from", "b"], "exclude each other"),
        (["x", "--files-from", "nowhere.txt"], "nowhere.txt"),
        (["-i", "-", "-i", "-"], "standard input can be used once"),
        (["-", "-i", "-"], "standard input can be used once"),
        (["-", "--files-from", "-"], "standard input can be used once"),
        (["-i", "-", "--files0-from", "-"], "standard input can be used once"),
        (["-i", "-", "--not-image", "-"], "standard input can be used once"),
        (["-i", "-", "--not-image", "2:-"], "standard input can be used once"),
        (["--not-image", "3:-", "--not-image", "-"], "standard input can be used once"),
    ],
)
def test_wrong_usage(cli, library, double, argv, message):
    before = double.calls()
    result = cli("query", *argv)
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith("error: ")
    assert message in result.err
    assert "\nhint: " in result.err
    assert double.calls() == before


@pytest.mark.parametrize("kind", ["file", "folder", "dead link"])
def test_a_text_that_names_a_file_is_refused(cli, library, tmp_path, kind):
    name = library[0] if kind == "file" else str(tmp_path / "photos")
    if kind == "dead link":
        name = str(tmp_path / "link")
        os.symlink("nowhere", name)
    result = cli("query", name)
    assert (result.code, result.out) == (2, b"")
    assert name in result.err
    assert "--image" in result.err
    assert "--under" in result.err


def test_two_words_of_which_one_names_a_file_are_a_text(cli, library, home, double):
    (home / "red").mkdir()
    assert cli("query", "red", "car").code == 0
    assert double.requests[-1].text == "red car"


def test_no_index(cli, double):
    result = cli("query", "red")
    assert (result.code, result.out, double.calls()) == (7, b"", 0)
    assert "there is no index at" in result.err
    assert "hint: make one: cvsearch index PATH" in result.err


def test_an_index_without_a_vector(cli, double, tmp_path):
    album.write(tmp_path / "photos" / "broken.jpg", b"\xff\xd8\xff no picture")
    assert cli("index", tmp_path / "photos").code == 3
    result = cli("query", "red")
    assert (result.code, result.out, double.calls()) == (7, b"", 0)
    assert "nothing is indexed yet" in result.err


def test_nothing_for_this_provider(cli, library, double):
    before = double.calls()
    result = cli("query", "red", "--provider", "local")
    assert (result.code, double.calls()) == (7, before)
    assert "nothing is indexed yet by the provider local" in result.err
    assert "hint: index a folder: cvsearch index --provider local PATH" in result.err


def test_nothing_found(cli, library, tmp_path):
    (tmp_path / "empty").mkdir()
    unindexed = f"nothing is indexed there: {tmp_path}/empty (cvsearch index {tmp_path}/empty)\n"
    for argv, told in (
        (["--min-score", "0.9"], "nothing found\n"),
        (["--under", tmp_path / "empty"], f"{unindexed}nothing found\n"),
    ):
        result = cli("query", "red", *argv)
        assert (result.code, result.out, result.err) == (1, b"", told)
    assert cli("query", "red", "--min-score", "0.9", "-q").err == ""


def test_a_folder_that_is_nowhere_is_no_answer(cli, library, photos, double):
    calls = double.calls()
    result = cli("query", "never asked", "--under", photos, "--under", "/nowhere")
    assert (result.code, result.out, double.calls()) == (2, b"", calls)
    assert "error: no such file or folder: /nowhere" in result.err


@pytest.mark.parametrize("text", ["red", "a green car on a blue road", "Ähre 麦 🌾", "x" * 500])
def test_a_text_ranks_by_true_cosine(cli, colours, text):
    result = cli.json("query", text, "-n", "all")
    assert result.code == 0
    check_ranking(result.lines, ranked(colours, cosines(colours, truth.text(text))))


def test_the_colour_that_is_asked_for_comes_first(cli, colours):
    for colour in COLOURS:
        found = cli("query", colour, "-n", "3").out.decode().splitlines()
        assert {os.path.basename(path).split("-")[0] for path in found} == {colour}


def test_a_picture_ranks_by_true_cosine(cli, colours, tmp_path):
    sample = draw_colour(str(tmp_path / "sample.jpg"), (200, 40, 60), 99)
    result = cli.json("query", "--image", sample, "-n", "all")
    check_ranking(result.lines, ranked(colours, cosines(colours, truth.picture(sample))))


def test_several_words_are_one_text_and_space_does_not_matter(cli, library, double):
    before = double.calls()
    first = cli.json("query", "red", "car")
    assert cli.json("query", "  red \n car ").lines == first.lines
    assert double.calls() == before + 1
    assert double.requests[-1].text == "red car"


def test_euclidean_is_the_distance_between_the_vectors_as_received(cli, colours, tmp_path):
    vectors = np.array([truth.picture(path) for path in colours])
    sample = draw_colour(str(tmp_path / "sample.jpg"), (200, 40, 60), 99)
    for argv, asked in ((["red"], truth.text("red")), (["-i", sample], truth.picture(sample))):
        result = cli.json("query", *argv, "--metric", "euclidean", "-n", "all")
        expected = np.linalg.norm(vectors - asked, axis=1)
        assert [row["path"] for row in result.lines] == [colours[row] for row in np.argsort(expected)]
        assert np.allclose([row["score"] for row in result.lines], np.sort(expected), rtol=1e-5)


def test_euclidean_of_an_indexed_photo_begins_with_itself(cli, library):
    first = cli.json("query", "-i", library[2], "--metric", "euclidean").lines[0]
    assert first["path"] == library[2]
    assert 0 <= first["score"] < 0.1


def test_one_term_stays_the_plain_cosine_and_an_away_term_does_not(cli, colours):
    plain = cosines(colours, truth.text("red"))
    check_ranking(cli.json("query", "--also", "red", "-n", "all").lines, ranked(colours, plain))
    check_ranking(cli.json("query", "--also", "3:red", "-n", "all").lines, ranked(colours, plain))
    check_ranking(cli.json("query", "--not", "red", "-n", "all").lines, ranked(colours, -standard(plain)))


def test_terms_mix_as_weighted_standard_scores(cli, colours, tmp_path):
    sample = draw_colour(str(tmp_path / "sample.jpg"), (60, 90, 200), 99)
    result = cli.json(
        *("query", "car", "-i", sample, "--also", "2:red", "--not", "0.5:green"),
        *("--not-image", f"1.5:{colours[9]}", "-n", "all"),
    )
    weights = [1, 1, 2, -0.5, -1.5]
    asked = [truth.text("car"), truth.picture(sample), truth.text("red"), truth.text("green")]
    scores = [cosines(colours, vector) for vector in [*asked, truth.picture(colours[9])]]
    total = sum(weight * standard(score) for weight, score in zip(weights, scores, strict=True))
    expected = ranked(colours, total / np.sqrt(np.square(weights).sum()))
    assert [row["path"] for row in result.lines] == [path for path, _ in expected]
    assert np.allclose([row["score"] for row in result.lines], [score for _, score in expected], atol=1e-4)


def test_a_picture_does_not_drown_a_text(cli, colours):
    blue = next(path for path in colours if "blue" in path)
    pictures, texts = cosines(colours, truth.picture(blue)), cosines(colours, truth.text("red"))
    found = {row["path"]: row["score"] for row in cli.json("query", "red", "-i", blue, "-n", "all").lines}
    mixed = np.array([found[path] for path in colours])
    say = {
        name: np.corrcoef(mixed, scores)[0, 1] for name, scores in (("text", texts), ("picture", pictures))
    }
    assert say["text"] == pytest.approx(say["picture"], abs=1e-3)
    assert say["text"] > np.corrcoef(pictures + texts, texts)[0, 1] + 0.2


def test_a_number_before_a_colon_is_no_weight_in_the_text(cli, library, double):
    cli("query", "2:snow")
    assert double.requests[-1].text == "2:snow"
    cli("query", "x", "--also", "2:snow")
    assert [call.text for call in double.requests[-2:]] == ["x", "snow"]
    cli("query", "--also", "10:30 train")
    assert double.requests[-1].text == "30 train"
    cli("query", "--also", "a:b")
    assert double.requests[-1].text == "a:b"


def test_top(cli, library):
    assert len(cli.json("query", "red").lines) == 6
    everything = cli.json("query", "red", "--top", "all").lines
    for number in (1, 5, 6, 1000):
        assert cli.json("query", "red", "-n", str(number)).lines == everything[:number]


def test_ten_is_the_default(cli, colours):
    assert len(cli.json("query", "red").lines) == 10


def test_min_score_keeps_what_is_shown_as_that_score(cli, library):
    rows = cli.json("query", "red").lines
    for row in rows:
        kept = cli.json("query", "red", "--min-score", f"{row['score']:.6f}").lines
        assert kept == rows[: row["rank"]]
    assert cli.json("query", "red", "--min-score", "-1").lines == rows


def test_two_files_with_the_same_bytes_are_two_rows_in_the_order_of_their_names(
    cli, library, double, tmp_path
):
    names = [b"\xc3\xa9.jpg", b"\xff.jpg", b"Z.jpg", b"a.jpg"]
    copies = [os.path.join(os.fsencode(tmp_path / "photos"), name) for name in names]
    for copy in copies:
        shutil.copy(library[3], copy)
    before = double.calls()
    assert cli("index").code == 0
    assert double.calls() == before
    result = cli("query", "-i", library[3], "-0", "-n", "all")
    first = result.out.split(b"\0")[:5]
    assert first == sorted([*copies, os.fsencode(library[3])])
    rows = cli.json("query", "-i", library[3], "-n", "3").lines
    assert [row["score"] for row in rows] == [1.0, 1.0, 1.0]
    assert [row["rank"] for row in rows] == [1, 2, 3]


def test_under(cli, double, tmp_path):
    folders = [tmp_path / "photos" / name for name in ("a", "ab", "a/deep", "b")]
    paths = [album.fill(folder, 2, first=10 * number) for number, folder in enumerate(folders)]
    assert cli("index", tmp_path / "photos").code == 0
    score = {path: truth.cosine(truth.picture(path), truth.text("red")) for part in paths for path in part}

    def check(expected, *argv):
        rows = cli.json("query", "red", *argv).lines
        check_ranking(rows, ranked(expected, [score[path] for path in expected]))

    check(paths[0] + paths[2], "--under", folders[0])
    check(paths[0] + paths[2], "--under", f"{folders[0]}/")
    check(paths[1] + paths[3], "--under", folders[1], "--under", folders[3])
    check(paths[0] + paths[2], "--under", folders[0], "--under", folders[2])
    check(paths[2][:1], "--under", paths[2][0])
    os.chdir(folders[0])
    check(paths[2], "--under", "deep")
    check(paths[0] + paths[2], "--under", ".")
    check(paths[1], "--under", "../ab")


def test_under_counts_each_photo_once(cli, double, tmp_path):
    album.fill(tmp_path / "photos" / "a", 2)
    album.fill(tmp_path / "photos", 3, first=10)
    assert cli("index", tmp_path / "photos").code == 0
    argv = (
        "query",
        "red",
        "--format",
        "json",
        "--under",
        tmp_path / "photos",
        "--under",
        tmp_path / "photos/a",
    )
    assert json.loads(cli(*argv).out)["searched"] == 5


def test_only_among_listed_files(cli, library, home):
    chosen = [library[4], library[1]]
    expected = ranked(chosen, cosines(chosen, truth.text("red")))
    stranger = str(home / "stranger.jpg")
    for option, separator in (("--files-from", "\n"), ("--files0-from", "\0")):
        listed = separator.join([*chosen, stranger, ""]).encode()
        check_ranking(cli.json("query", "red", option, "-", stdin=listed).lines, expected)
        (home / "list").write_bytes(listed)
        check_ranking(cli.json("query", "red", option, home / "list").lines, expected)
    nothing = cli("query", "red", "--files-from", "-", stdin=b"")
    assert (nothing.code, nothing.out) == (1, b"")
    combined = cli.json("query", "red", "--files-from", home / "list", "--under", library[1])
    assert combined.code == 1  # the list is ended by NUL now: one long name
    names = "\n".join(chosen).encode()
    both = cli.json("query", "red", "--files-from", "-", "--under", library[1], stdin=names)
    assert [row["path"] for row in both.lines] == [library[1]]


def test_forgotten_photos_are_not_found_and_others_take_their_place(cli, library):
    rows = cli.json("query", "red").lines
    assert cli("forget", rows[0]["path"], rows[2]["path"]).code == 0
    left = cli.json("query", "red", "-n", "2").lines
    assert [row["path"] for row in left] == [rows[1]["path"], rows[3]["path"]]


def test_a_mixture_is_standardised_against_the_photos_that_are_there(cli, library):
    assert cli("forget", library[0]).code == 0
    left = library[1:]
    total = standard(cosines(left, truth.text("red"))) + standard(cosines(left, truth.text("blue")))
    rows = cli.json("query", "red", "--also", "blue").lines
    assert [row["path"] for row in rows] == [path for path, _ in ranked(left, total / np.sqrt(2))]


def test_json_tells_the_whole_story(cli, library, tmp_path):
    album.write(tmp_path / "photos" / "broken.jpg", b"\xff\xd8\xff no picture")
    assert cli("index").code == 3
    folder = str(tmp_path / "photos")
    limits = ("-n", "4", "--min-score", "-5", "--under", folder)
    document = json.loads(cli("query", "red", "--also", "2:car", "--format", "json", *limits).out)
    assert document["terms"] == [
        {"kind": "text", "value": "red", "weight": 1.0},
        {"kind": "text", "value": "car", "weight": 2.0},
    ]
    assert document["metric"] == "cosine"
    assert document["filters"] == {"top": 4, "min_score": -5.0, "under": [folder]}
    assert document["index"]["path"] == str(tmp_path / "index")
    assert 0 <= document["index"]["age_seconds"] < 60
    assert document["space"] == {
        "provider": "azure",
        "model": "2023-04-15",
        "preparation": "jpeg-1024",
        "dimension": 1024,
    }
    assert document["searched"] == 6
    assert sum(document["not_searched"].values()) == 1
    assert [match["rank"] for match in document["matches"]] == [1, 2, 3, 4]
    assert document["version"]
    assert document["time"].endswith("Z")
