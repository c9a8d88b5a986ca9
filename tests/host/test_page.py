"""What the page gets and asks; stand-alone there is none."""

from __future__ import annotations

import asyncio
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from faceloom.host import page
from faceloom.host.download import DownloadError


def test_stand_alone_nobody_is_shown_or_told_anything():
    assert page.shown(torch.zeros(2, 3, 4, 5)) == []
    page.tell("faceloom.fetch", {"percent": 1})
    page.add_route("GET", "/faceloom/weights", dict)


class FakeRoutes(list):
    """As aiohttp's RouteTableDef, of which the host's server has one."""

    def route(self, method, path):
        def keep(handler):
            self.append(SimpleNamespace(method=method, path=path, handler=handler))
            return handler

        return keep


@pytest.fixture
def server(monkeypatch):
    """A host with a server, whose answers are their content and status."""
    module, aiohttp, web = ModuleType("server"), ModuleType("aiohttp"), ModuleType("aiohttp.web")
    web.json_response = lambda content, status=200: (content, status)
    made = SimpleNamespace(routes=FakeRoutes([SimpleNamespace(prefix="/static")]), sent=[])
    made.send_sync = lambda *event: made.sent.append(event)
    module.PromptServer = SimpleNamespace(instance=made)
    for name, fake in {"server": module, "aiohttp": aiohttp, "aiohttp.web": web}.items():
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.setattr(page, "inside_comfyui", lambda: True)
    return made


def ask(server, fields, method="POST", kind="application/json"):
    async def body():
        return json.loads(fields)

    request = SimpleNamespace(method=method, content_type=kind, query=fields, json=body)
    return asyncio.run(server.routes[-1].handler(request))


def test_answers_come_from_the_fields_of_either_kind_of_question(server):
    page.add_route("GET", "/a", lambda fields: {"got": fields["x"]})
    assert ask(server, {"x": "1"}, method="GET") == ({"got": "1"}, 200)
    page.add_route("POST", "/b", lambda fields: {"got": fields["x"]})
    assert ask(server, '{"x": "2"}') == ({"got": "2"}, 200)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_taken(server, kind):
    page.add_route("POST", "/b", lambda fields: pytest.fail("answered"))
    assert ask(server, '{"x": "2"}', kind=kind)[1] == 415


@pytest.mark.parametrize("body", ["{", "[]", '"x"', '{"x": 1}', '{"x": null}'])
def test_bodies_that_are_no_object_of_texts_are_refused(server, body):
    page.add_route("POST", "/b", lambda fields: pytest.fail("answered"))
    assert ask(server, body)[1] == 400


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, 400), (OSError, 502), (DownloadError, 502)]
)
def test_errors_reach_the_page_as_text(server, error, status):
    def answer(fields):
        raise error("why")

    page.add_route("POST", "/b", answer)
    assert ask(server, "{}") == ({"error": "why"}, status)


def test_of_two_copies_of_the_pack_the_first_answers(server):
    for copy in "12":
        page.add_route("GET", "/a", lambda fields, copy=copy: {"copy": copy})
    assert [getattr(route, "path", None) for route in server.routes] == [None, "/a"]
    assert ask(server, {}, method="GET") == ({"copy": "1"}, 200)


def test_events_are_sent_and_a_host_without_a_server_is_none(server):
    page.tell("faceloom.fetch", {"percent": 1})
    assert server.sent == [("faceloom.fetch", {"percent": 1})]
    del sys.modules["server"].PromptServer.instance
    page.tell("faceloom.fetch", {"percent": 2})
    page.add_route("GET", "/a", dict)
    assert len(server.routes) == 1
