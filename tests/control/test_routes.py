"""The endpoints, asked over a real socket."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from imgd.control.client import ControlClient, UnixConnection
from imgd.control.protocol import RetryRequest
from imgd.errors import (
    DaemonUnreachableError,
    IndexBuildingError,
    PhotoUnknownError,
    PreviewMissingError,
    QueryError,
    RequestError,
)
from imgd.search.options import SearchOptions


def ask(path: Path, method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    with closing(UnixConnection(path, 60.0)) as connection:
        connection.request(method, url, body)
        response = connection.getresponse()
        return response.status, response.read()


def test_status_counts_photos_and_jobs(client):
    status = client.status()
    assert (status.photos, status.missing) == (3, 1)
    assert {(queue.analyzer, queue.owed, queue.failed, queue.done) for queue in status.queue} == {
        ("technical", 1, 1, 0),
        ("labels", 0, 1, 1),
    }
    assert status.roots[0].photos == 3
    assert status.processes[0].pss_bytes > 1_000_000


def test_search_answers_typed_hits(client):
    hits = client.search("cat", 10).hits
    assert [(hit.path, hit.why) for hit in hits] == [("/photos/2023/may/cat.jpg", "tag cat 0.90")]
    assert client.search("submarine", 10).hits == ()


def test_search_sends_any_text_through(client):
    assert client.search("cät & cat = 100% #1 \udcff", 10).query == "cät & cat = 100% #1 ?"


def test_a_search_sends_only_what_was_asked_for(client, running):
    client.search("cat")
    client.search("cat", 3, sort="date", min_score=0.25, after="x y", cwd=b"/caf\xe9 a", explain=True)
    assert running.services.asked == [
        ("cat", SearchOptions()),
        ("cat", SearchOptions(3, "date", 0.25, "x y", b"/caf\xe9 a", explain=True)),
    ]


def test_a_preview_is_the_bytes_of_a_jpeg(client, running, library_services):
    assert client.preview(102) == library_services.preview_jpeg(102)
    with closing(UnixConnection(running.server.path, 60.0)) as connection:
        connection.request("GET", "/v1/photos/102/preview")
        assert connection.getresponse().headers["content-type"] == "image/jpeg"


def test_a_preview_that_is_not_there_says_what_makes_it(client):
    with pytest.raises(PreviewMissingError) as caught:
        client.preview(103)
    assert "`preview`" in caught.value.advice
    with pytest.raises(PhotoUnknownError, match="no photo has the id 7"):
        client.preview(7)
    assert client.preview(102).startswith(b"\xff\xd8")


def test_a_warming_is_begun_without_waiting_for_it(client, running, tmp_path):
    client.warm_search()
    assert running.services.warmed.wait(120)
    ControlClient(tmp_path / "nobody.sock").warm_search()


def test_a_half_typed_query_is_completed(client):
    assert client.complete("cam") == ("camera:", "camera:sony")
    assert client.complete("\udcff") == ()


def test_a_query_error_keeps_its_class_detail_and_hint(client):
    with pytest.raises(QueryError, match="a quote is not closed") as caught:
        client.search('"cat', 10)
    assert caught.value.advice == 'Write "words" in pairs of quotes.'


def test_what_may_be_asked_again_in_a_moment_is_told_as_that(client, running):
    with pytest.raises(IndexBuildingError, match="the text index is being built") as caught:
        client.search("soon", 10)
    assert caught.value.advice == "Try again in a moment."
    assert ask(running.server.path, "GET", "/v1/search?q=soon")[0] == 503


def test_show_tells_everything_with_its_origin(client):
    photo = client.show(1)
    assert (photo.path, photo.fingerprint, photo.route) == ("/photos/2023/may/cat.jpg", "00ff", "dct 1/2")
    assert photo.metadata == {"camera_make": "Canon", "iso": 200}
    assert [sidecar.name for sidecar in photo.sidecars] == ["cat.xmp"]
    labels, technical = photo.findings
    assert (technical.facts, technical.stale, technical.version) == ({"sharpness": 0.5}, True, "")
    assert (labels.stale, labels.version) == (False, "1")
    assert [(tag.label, tag.score) for tag in labels.tags] == [("cat", 0.9), ("sofa", 0.4)]
    assert labels.texts[0].text == "a cat on a sofa"
    assert labels.regions[0].box == (0.1, 0.2, 0.3, 0.4)
    assert (labels.vectors[0].space, labels.vectors[0].dimensions) == ("concept:test", 384)
    assert [(job.analyzer, job.state) for job in photo.jobs] == [("technical", "owed")]


def test_show_finds_a_photo_by_its_path_whatever_bytes_it_has(client, library_services):
    photo = client.show(b"/photos/" + library_services.ODD_NAME)
    assert photo.photo_id == 2
    assert photo.path == "/photos/caf\\xe9\n\x1b[31mred.jpg"
    assert photo.path_base64
    assert client.show(b"/photos/2023/../2023/may//cat.jpg").photo_id == 1


def test_an_unknown_photo_is_named(client):
    with pytest.raises(PhotoUnknownError, match="no photo has the id 77"):
        client.show(77)
    with pytest.raises(PhotoUnknownError, match="/elsewhere/cat"):
        client.show(b"/elsewhere/cat.jpg")


def test_failed_jobs_of_present_photos_come_in_pages(client):
    jobs = list(client.failed(page_size=1))
    assert [(job.photo_id, job.analyzer, job.attempts) for job in jobs] == [
        (2, "technical", 1),
        (2, "labels", 3),
    ]
    assert jobs[0].reason == "truncated file: 1 of 2 KiB"


def test_retry_owes_just_what_is_named(client):
    assert client.retry(RetryRequest((2,), "technical")) == 1
    assert [(job.photo_id, job.analyzer) for job in client.failed()] == [(2, "labels")]
    assert client.retry(RetryRequest()) == 2
    with pytest.raises(RequestError, match="no analyzer is named nobody"):
        client.retry(RetryRequest((), "nobody"))


def test_wait_returns_as_soon_as_all_is_done(client, running):
    assert not client.wait(0.0).finished
    answers = []

    def wait() -> None:
        with ControlClient(running.server.path) as other:
            answers.append(other.wait(30))

    waiting = threading.Thread(target=wait)
    waiting.start()
    running.call(running.services.work_done.set)
    waiting.join(120)
    assert answers[0].finished
    assert answers[0].blocked == ("labels: waiting for model",)


def test_events_tell_progress_until_the_daemon_stops(client, running):
    events = client.events()
    assert next(events).owed == 1
    running.call(running.services.work_done.set)
    assert next(events).idle
    ended = threading.Thread(target=running.stop)
    ended.start()
    assert list(events) == []
    ended.join(120)


def test_a_stop_does_not_wait_for_a_waiting_client(client, running):
    errors = []

    def wait() -> None:
        try:
            with ControlClient(running.server.path) as other:
                other.wait(600)
        except (RequestError, DaemonUnreachableError) as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    client.status()
    running.stop()
    waiting.join(120)
    assert not waiting.is_alive()
    assert errors


def test_an_unforeseen_error_is_a_plain_answer_and_the_daemon_goes_on(client, caplog):
    with pytest.raises(RequestError, match="an error of its own") as caught:
        client.search("crash", 1)
    assert "journalctl" in caught.value.advice
    assert "nobody thought of" in caplog.text
    assert client.search("cat", 1).hits


@pytest.mark.parametrize(
    ("method", "url", "body", "code", "words"),
    [
        ("GET", "/v1/nowhere", None, 404, "nothing at this address"),
        ("POST", "/v1/status", None, 405, "not asked that way"),
        ("GET", "/v1/search", None, 400, "`q` is missing"),
        ("GET", "/v1/search?q=x&limit=0", None, 400, "limit=0"),
        ("GET", "/v1/photos?path=cat.jpg", None, 400, "not an absolute path"),
        ("GET", "/v1/failed?after=x", None, 400, "is no cursor"),
        ("GET", "/v1/failed?after=1:99999999999999999999", None, 400, "is no cursor"),
        ("GET", "/v1/photos/99999999999999999999", None, 404, "no photo has the id 99999999999999999999"),
        ("GET", "/v1/photos/" + "9" * 5000, None, 404, "no photo has the id 9999"),
        ("GET", "/v1/photos/cat", None, 404, "no photo has the id cat"),
        ("GET", "/v1/search?q=x&sort=size", None, 400, "sort=size"),
        ("GET", "/v1/search?q=x&min_score=nan", None, 400, "from 0 to 1"),
        ("GET", "/v1/search?q=x&cwd=here", None, 400, "`cwd` is not"),
        ("GET", "/v1/photos/103/preview", None, 404, "no preview"),
        ("POST", "/v1/retry", b'{"photo_ids": "all"}', 400, "RetryRequest"),
        ("POST", "/v1/retry", b"{not json", 400, "RetryRequest"),
        ("POST", "/v1/retry", b" " * (2 << 20), 400, "longer than"),
    ],
)
def test_a_wrong_request_is_answered_with_a_problem(running, method, url, body, code, words):
    status, data = ask(running.server.path, method, url, body)
    problem = json.loads(data)
    assert status == code
    assert words in problem["message"] + problem["detail"]
    assert problem["error"]


def test_openapi_describes_every_endpoint_with_types_that_resolve(running):
    document = json.loads(ask(running.server.path, "GET", "/v1/openapi.json")[1])
    assert {"/v1/status", "/v1/search", "/v1/photos/{photo_id}", "/v1/photos", "/v1/events"} <= document[
        "paths"
    ].keys()
    schemas = document["components"]["schemas"]
    references = [part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]]
    assert references
    assert set(references) <= schemas.keys()
    assert "retry" in {
        operation["operationId"] for path in document["paths"].values() for operation in path.values()
    }


def test_metrics_are_there_for_prometheus(running):
    text = ask(running.server.path, "GET", "/metrics")[1].decode()
    assert "\nimgd_photos 3\n" in f"\n{text}"
    assert 'imgd_jobs_failed{analyzer="technical"} 1' in text


def test_pause_resume_rescan_and_models_reach_the_daemon(client, running):
    assert client.pause() == "paused"
    assert client.status().state == "paused"
    assert client.resume() == "running"
    assert client.rescan("/photos") == 1
    assert client.refresh_models() == 1
    assert running.services.rescans == ["/photos"]
    with pytest.raises(RequestError, match="/other is no root"):
        client.rescan("/other")


def test_every_answer_survives_the_wire(client):
    answer = client.analyzers()
    assert msgspec.json.decode(msgspec.json.encode(answer), type=type(answer)) == answer
    assert answer.analyzers[0].facts == {"sharpness": "float"}
