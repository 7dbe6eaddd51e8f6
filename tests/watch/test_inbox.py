from __future__ import annotations

from imgd.watch.inbox import Inbox
from imgd.watch.inotify import Event, EventKind


def test_too_many_events_become_one_that_says_so():
    inbox = Inbox(limit=3)
    for number in range(5):
        inbox.put(Event(EventKind.CLOSED, b"%d" % number))
    assert inbox.take(0, at_rest=False) == [
        Event(EventKind.LOST),
        Event(EventKind.CLOSED, b"3"),
        Event(EventKind.CLOSED, b"4"),
    ]


def test_an_inbox_is_busy_until_its_taker_is_back_with_nothing_to_do():
    inbox = Inbox()
    assert inbox.busy
    inbox.take(0, at_rest=True)
    assert not inbox.busy
    inbox.put(Event(EventKind.CLOSED, b"1"))
    assert inbox.busy
    assert inbox.take(0, at_rest=True)
    assert inbox.busy
    inbox.take(0, at_rest=True)
    assert not inbox.busy
