"""Pictures to search with: a path, an address, or bytes on standard input."""

import os
import socket
import threading
import time
from contextlib import suppress

import album
import pytest
import truth
from truth import check_ranking, cosines, ranked
from web import Page, Web

MOST = 20 * 1024 * 1024


@pytest.fixture
def web():
    with Web() as server:
        yield server


@pytest.fixture
def refused(cli, library, double):
    """Runs a query that must end with an error of two lines, and no call."""
    before = double.calls()

    def check(source, *messages, code=2):
        result = cli("query", "-i", source)
        assert (result.code, result.out) == (code, b""), result
        assert result.err.startswith("error: ")
        assert result.err.count("\n") == 2
        assert "\nhint: " in result.err
        for message in messages:
            assert message in result.err
        assert double.calls() == before

    return check


def test_a_path_that_is_not_there(refused, tmp_path):
    refused(tmp_path / "no.jpg", "the picture cannot be read", str(tmp_path / "no.jpg"), "No such file")


def test_a_folder(refused, tmp_path):
    refused(tmp_path, "the picture cannot be read", "directory")


@pytest.mark.parametrize("status", [204, 403, 404, 500])
def test_a_status_that_is_no_picture(refused, web, status):
    web.pages["/a.jpg"] = Page(b"" if status == 204 else b"x", status)
    refused(f"{web.address}/a.jpg", f"{web.address}/a.jpg", f"status {status}")


def test_an_address_where_nobody_listens(refused):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    refused(f"http://127.0.0.1:{port}/a.jpg", "cannot be fetched", str(port))


@pytest.mark.parametrize("address", ["http://", "http://[", "https://exa mple/", "HTTP://:x/"])
def test_no_address(refused, address):
    refused(address, address)


def test_an_address_offline(cli, library, web):
    web.pages["/a.jpg"] = Page(album.jpeg(50))
    result = cli("query", "-i", f"{web.address}/a.jpg", "--offline")
    assert (result.code, result.out) == (4, b"")
    assert "--offline forbids fetching" in result.err
    assert web.asked == []


def test_an_address(cli, library, web, double):
    data = album.jpeg(50)
    web.pages["/a.jpg"] = Page(data)
    before = double.calls()
    result = cli.json("query", "-i", f"{web.address}/a.jpg", "-n", "all")
    assert (result.code, result.err) == (0, "")
    check_ranking(result.lines, ranked(library, cosines(library, truth.picture(data))))
    assert double.calls() == before + 1
    assert double.bodies[double.requests[-1].number] == data
    assert cli.json("query", "-i", f"{web.address}/a.jpg", "-n", "all").lines == result.lines
    assert double.calls() == before + 1


def test_an_indexed_photo_behind_an_address_costs_no_call(cli, library, web, double):
    with open(library[1], "rb") as file:
        web.pages["/x"] = Page(file.read())
    before = double.calls()
    assert cli.json("query", "-i", f"{web.address}/x").lines[0]["path"] == library[1]
    assert double.calls() == before


def test_the_key_is_not_sent_there(cli, library, web, double):
    web.pages["/a.jpg"] = Page(album.jpeg(50))
    assert cli("query", "-i", f"{web.address}/a.jpg").code == 0
    told = str(web.headers)
    assert "secret-key" not in told
    assert "ocp-apim" not in told


def lay_redirects(web, count, end):
    for number in range(count):
        following = f"/{number + 1}" if number + 1 < count else end
        web.pages[f"/{number}"] = Page(status=302, headers={"Location": following})


@pytest.mark.parametrize("count", [1, 3])
def test_redirects_are_followed(cli, library, web, count):
    lay_redirects(web, count, "/a.jpg")
    web.pages["/a.jpg"] = Page(album.jpeg(50))
    assert cli("query", "-i", f"{web.address}/0").code == 0
    assert len(web.asked) == count + 1


@pytest.mark.parametrize("end", ["/a.jpg", "/0"])
def test_more_than_three_redirects(refused, web, end):
    lay_redirects(web, 4, end)
    web.pages["/a.jpg"] = Page(album.jpeg(50))
    refused(f"{web.address}/0", "cannot be fetched", "redirect")
    assert len(web.asked) == 4


def test_a_redirect_out_of_the_web(refused, web, library):
    web.pages["/a"] = Page(status=302, headers={"Location": f"file://{library[0]}"})
    refused(f"{web.address}/a", "cannot be fetched")


def test_20_mb_and_no_more(cli, library, web, refused):
    padded = album.jpeg(50) + bytes(MOST - len(album.jpeg(50)))
    web.pages["/most"] = Page(padded)
    assert cli("query", "-i", f"{web.address}/most").code == 0


def test_one_byte_more(refused, web):
    web.pages["/more"] = Page(bytes(MOST + 1))
    refused(f"{web.address}/more", "larger than 20 MB")
    web.pages["/said"] = Page(bytes(MOST + 1), headers={"Content-Length": str(MOST + 1)})
    refused(f"{web.address}/said", "larger than 20 MB")


def test_an_endless_picture_is_not_read_to_its_end(refused, web):
    sent = 0

    def pour(write, stopping):
        nonlocal sent
        while not stopping.is_set():
            write(bytes(1 << 20))
            sent += 1 << 20

    web.pages["/endless"] = Page(send=pour)
    refused(f"{web.address}/endless", "larger than 20 MB")
    assert sent < 3 * MOST


def test_a_compressed_bomb(refused, web):
    import gzip

    web.pages["/bomb"] = Page(gzip.compress(bytes(3 * MOST)), headers={"Content-Encoding": "gzip"})
    refused(f"{web.address}/bomb", "larger than 20 MB")


def test_a_server_that_says_nothing(refused, web, monkeypatch):
    monkeypatch.setattr("cvsearch.embedding.sources._SECONDS", 0.2)
    web.pages["/mute"] = Page(send=lambda write, stopping: stopping.wait(20))
    began = time.monotonic()
    refused(f"{web.address}/mute", "cannot be fetched")
    assert time.monotonic() - began < 5


def test_a_server_that_drips(refused, web, monkeypatch):
    monkeypatch.setattr("cvsearch.embedding.sources._SECONDS", 0.3)

    def drip(write, stopping):
        for _ in range(200):  # four seconds, if nobody gives up
            write(b"x")
            if stopping.wait(0.02):
                break

    web.pages["/drip"] = Page(send=drip)
    began = time.monotonic()
    refused(f"{web.address}/drip", "took longer than")
    assert time.monotonic() - began < 3


def test_a_server_that_drips_its_headers(refused, monkeypatch):
    monkeypatch.setattr("cvsearch.embedding.sources._SECONDS", 0.3)
    ended = threading.Event()

    def drip():
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not ended.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        refused(f"http://127.0.0.1:{listener.getsockname()[1]}/a.jpg", "took longer than")
        assert time.monotonic() - began < 3
        ended.set()


def test_redirects_share_one_deadline(refused, web, monkeypatch):
    monkeypatch.setattr("cvsearch.embedding.sources._SECONDS", 0.5)
    for number in range(3):
        wait = lambda write, stopping: stopping.wait(0.3) or write(b"x")  # noqa: E731 - it takes its time
        headers = {"Location": f"/{number + 1}", "Content-Length": "1"}
        web.pages[f"/{number}"] = Page(status=302, headers=headers, send=wait)
    refused(f"{web.address}/0", "took longer than")


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "pipe"])
def test_what_is_no_regular_file(refused, home, name):
    os.mkfifo(home / "pipe")
    refused(name, "the picture cannot be read", "not a regular file")


def test_a_file_or_standard_input_without_end(cli, refused, home, monkeypatch):
    monkeypatch.setattr("cvsearch.embedding.sources.MOST_FILE_BYTES", 1000)
    (home / "big.jpg").write_bytes(bytes(1001))
    refused("big.jpg", "larger than 1 GiB")
    result = cli("query", "-i", "-", stdin=bytes(1001))
    assert (result.code, result.out) == (2, b"")
    assert "larger than 1 GiB: standard input" in result.err


def test_a_connection_that_breaks(refused, web):
    web.pages["/cut"] = Page(album.jpeg(50), headers={"Content-Length": "100000"})
    refused(f"{web.address}/cut", "cannot be fetched")


def test_a_page_that_is_no_picture(refused, web):
    web.pages["/page"] = Page(b"<html>a page</html>", headers={"Content-Type": "text/html"})
    refused(f"{web.address}/page", "cannot be searched with", f"{web.address}/page")


def test_ten_seconds_and_three_redirects_are_the_limits():
    from cvsearch.embedding import sources

    assert (sources.MOST_BYTES, sources._SECONDS, sources._REDIRECTS) == (MOST, 10, 3)


def test_a_name_that_looks_like_an_address_but_is_a_file(cli, library, home):
    os.makedirs(home / "http:")
    album.write(home / "http:" / "a.jpg", album.jpeg(50))
    assert cli("query", "-i", "http:/a.jpg").code == 0


def test_bytes_on_standard_input(cli, library):
    result = cli.json("query", "-i", "-", stdin=album.jpeg(50))
    check_ranking(result.lines, ranked(library, cosines(library, truth.picture(album.jpeg(50)))))


def test_away_from_bytes_on_standard_input(cli, library):
    plain = cli.json("query", "-i", "-", stdin=album.jpeg(50))
    for source in ("-", "2:-"):
        away = cli.json("query", "--not-image", source, stdin=album.jpeg(50))
        assert [row["path"] for row in away.lines] == [row["path"] for row in reversed(plain.lines)]
