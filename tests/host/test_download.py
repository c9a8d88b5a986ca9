"""Fetching a file from a server in this process: whole, in parts, broken off, wrong, absent."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from faceloom.host import download as module
from faceloom.host.download import CHUNK, DownloadError, download
from faceloom.host.progress import Interrupted
from faceloom.host.session import Session, using

CONTENT = random.Random(5).randbytes(3 * CHUNK + 1000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range", "")
        server.asked.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(asked[len("bytes=") : -1]) if asked and server.knows_range else 0
        if start >= len(server.content) > 0:
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if server.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.breaks_after])
        self.close_connection = True


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked, server.status = CONTENT, [], 200
    server.knows_range, server.says_length, server.breaks_after = True, True, None
    server.url = f"http://127.0.0.1:{server.server_port}/net.onnx"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "net.onnx"


@pytest.fixture
def part(target):
    target.parent.mkdir()
    return target.with_name("net.onnx.part")


def files(target):
    return sorted(path.name for path in target.parent.iterdir())


def failure(*arguments):
    with pytest.raises(DownloadError) as caught:
        download(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("net.onnx could not be fetched: ")
    address, target, sha256 = arguments[:3]
    # Enough to do it by hand.
    assert all(text in message for text in (address, str(target), sha256))
    return message


@pytest.mark.parametrize("size", [len(CONTENT), None])
@pytest.mark.parametrize("says_length", [True, False])
def test_a_whole_file_comes_with_progress(server, target, size, says_length):
    server.says_length = says_length
    seen = []
    with using(Session(report=lambda done, total: seen.append((done, total)))):
        assert download(server.url, target, SHA256, size) == target
    assert target.read_bytes() == CONTENT
    assert files(target) == ["net.onnx"]
    total = 4 if size or says_length else 1
    assert seen == [(done, total) for done in range(1, 5)]


def test_a_broken_off_file_is_continued(server, target):
    server.breaks_after = CHUNK + 7
    assert f"after {CHUNK + 7} of {len(CONTENT)} bytes" in failure(server.url, target, SHA256)
    assert files(target) == ["net.onnx.part"]
    server.breaks_after = None
    download(server.url, target, SHA256, len(CONTENT))
    assert server.asked == ["", f"bytes={CHUNK + 7}-"]
    assert target.read_bytes() == CONTENT
    assert files(target) == ["net.onnx"]


def test_a_server_without_ranges_sends_it_all_again(server, target, part):
    part.write_bytes(CONTENT[:CHUNK])
    server.knows_range = False
    download(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_the_beginning_of_another_version_is_thrown_away(server, target, part):
    part.write_bytes(bytes(CHUNK))
    download(server.url, target, SHA256, len(CONTENT))
    assert server.asked == [f"bytes={CHUNK}-", ""]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [0, 5])
@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_part_that_is_complete_or_too_long(server, target, part, extra, size):
    part.write_bytes(CONTENT + bytes(extra))
    download(server.url, target, SHA256, size)
    assert target.read_bytes() == CONTENT
    if size and not extra:
        assert server.asked == []  # works offline


def test_a_wrong_hash_installs_nothing(server, target):
    server.content = bytes(len(CONTENT))
    message = failure(server.url, target, SHA256, len(CONTENT))
    assert hashlib.sha256(server.content).hexdigest() in message
    assert "was removed" in message
    assert files(target) == []


def test_a_file_of_another_size_is_not_even_begun(server, target):
    server.content = b"<html>Sign in</html>"
    assert "offers 20 bytes where" in failure(server.url, target, SHA256, len(CONTENT))
    assert target.with_name("net.onnx.part").stat().st_size == 0


def test_more_bytes_than_the_file_has_are_refused(server, target):
    server.says_length = False
    assert "more than its 1000 bytes" in failure(server.url, target, SHA256, 1000)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_of_the_server_is_told(server, target, status):
    server.status = status
    assert f"the server answers {status} " in failure(server.url, target, SHA256)


def test_offline(target):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/net.onnx"
    assert "refused" in failure(url, target, SHA256)


def test_only_addresses_of_the_web_are_opened(target, tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    assert "not an address of the web" in failure(f"file://{tmp_path}/secret", target, SHA256)


def test_a_full_disk_is_told_before_it_is(server, target, monkeypatch):
    usage = module.shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    assert "the disk has 10 left" in failure(server.url, target, SHA256)


def test_a_folder_that_cannot_be_is_told(server, tmp_path):
    (tmp_path / "file").touch()
    assert "file" in failure(server.url, tmp_path / "file" / "net.onnx", SHA256)


def test_an_interrupt_keeps_what_has_come(server, target):
    session = Session(report=lambda done, total: session.interrupt.set())
    with using(session), pytest.raises(Interrupted):
        download(server.url, target, SHA256, len(CONTENT))
    assert files(target) == ["net.onnx.part"]
    download(server.url, target, SHA256, len(CONTENT))
    assert server.asked == ["", f"bytes={CHUNK}-"]
    assert target.read_bytes() == CONTENT


def test_two_fetches_of_a_file_do_not_meet(server, target):
    messages = []

    def report(done, total):
        if done == 2:
            messages.append(failure(server.url, target, SHA256, len(CONTENT)))

    with using(Session(report=report)):
        download(server.url, target, SHA256, len(CONTENT))
    assert "another fetch of it is under way" in messages[0]
    assert len(messages) == 1
    assert target.read_bytes() == CONTENT


def test_many_fetches_at_once_leave_one_good_file(server, target):
    results = []

    def fetch():
        try:
            results.append(download(server.url, target, SHA256, len(CONTENT)))
        except DownloadError as error:
            results.append(str(error))

    threads = [threading.Thread(target=fetch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target in results
    assert target.read_bytes() == CONTENT
    assert files(target) == ["net.onnx"]
