from __future__ import annotations

from imgd.domain import RootState
from imgd.store.photos import mark_missing, register
from imgd.store.purge import purge
from imgd.store.roots import (
    configure,
    confirm,
    hold_if_sudden,
    read_roots,
    release_if_back,
    set_scanned,
    set_state,
)


def _fill(library, root, seen, count):
    files = [seen(f"{n:04}.jpg") for n in range(count)]
    library.write(lambda c: register(c, root, files, now=0.0))
    return [row[0] for row in library.rows("SELECT id FROM photos ORDER BY id")]


def test_a_root_that_leaves_the_configuration_goes_offline_and_its_photos_are_missing(library, root, seen):
    _fill(library, root, seen, 3)
    library.write(lambda c: configure(c, [b"/other"], 100.0))
    old, new = library.write(read_roots)
    assert (old.state, old.reason, old.removed_at) == (RootState.OFFLINE, "no longer configured", 100.0)
    assert new.state is RootState.ONLINE
    assert library.rows("SELECT DISTINCT state, missing_since FROM photos") == [("missing", 100.0)]
    assert library.value("SELECT MIN(change_seq) FROM photos") == library.value("SELECT value FROM counters")
    assert library.value("SELECT COUNT(*) FROM jobs") == 6


def test_the_photos_of_a_root_that_comes_back_are_not_analyzed_again(library, root, seen):
    files = [seen("1.jpg")]
    library.write(lambda c: register(c, root, files, now=0.0))
    library.write(lambda c: c.execute("DELETE FROM jobs"))
    library.write(lambda c: c.execute("INSERT INTO findings SELECT 1, id, 1, 1, 0, '{}', '' FROM analyzers"))
    library.write(lambda c: configure(c, [], 100.0))
    library.write(lambda c: configure(c, [b"/photos"], 200.0))
    assert library.write(lambda c: register(c, root, files, now=300.0)).back == 1
    assert library.rows("SELECT state, revision FROM photos") == [("present", 1)]
    assert not library.rows("SELECT * FROM jobs")


def test_a_root_that_comes_back_is_purged_only_after_a_scan(library, root, seen):
    _fill(library, root, seen, 1)
    library.write(lambda c: configure(c, [], 100.0))
    library.write(lambda c: configure(c, [b"/photos"], 200.0))
    library.write(lambda c: set_state(c, root, RootState.ONLINE))
    assert library.write(lambda c: purge(c, 300.0, 60.0)) == 0
    library.write(lambda c: set_scanned(c, root, 300.0, ""))
    assert library.write(lambda c: purge(c, 300.0, 60.0)) == 1


def test_a_root_that_comes_back_into_the_configuration_is_as_before(library, root):
    library.write(lambda c: configure(c, [], 100.0))
    (again,) = library.write(lambda c: configure(c, [b"/photos"], 200.0))
    assert (again.id, again.removed_at) == (root, None)


def test_the_photos_of_a_removed_root_are_purged_after_the_grace_period(library, root, seen):
    _fill(library, root, seen, 3)
    library.write(lambda c: configure(c, [b"/other"], 100.0))
    assert library.write(lambda c: purge(c, 150.0, 60.0)) == 0
    assert library.write(lambda c: purge(c, 161.0, 60.0, limit=2)) == 2
    assert library.write(lambda c: purge(c, 161.0, 60.0, limit=2)) == 1
    assert library.write(lambda c: purge(c, 161.0, 60.0)) == 0
    assert [each.path for each in library.write(read_roots)] == [b"/other"]


def test_a_state_is_news_once(library, root):
    assert library.write(lambda c: set_state(c, root, RootState.OFFLINE, "not there"))
    assert not library.write(lambda c: set_state(c, root, RootState.OFFLINE, "not there"))


def test_long_missing_photos_are_purged_and_leave_a_trace_for_the_indexes(library, root, seen):
    photos = _fill(library, root, seen, 4)
    library.write(lambda c: mark_missing(c, photos[:1], 100.0))
    library.write(lambda c: set_scanned(c, root, 100.0, ""))
    before = library.value("SELECT value FROM counters")
    assert library.write(lambda c: purge(c, 150.0, 60.0)) == 0
    assert library.write(lambda c: purge(c, 161.0, 60.0)) == 1
    assert library.rows("SELECT photo_id FROM removed_photos WHERE change_seq > ?", before) == [(photos[0],)]


def test_nothing_is_purged_of_a_root_that_is_offline(library, root, seen):
    photos = _fill(library, root, seen, 2)
    library.write(lambda c: mark_missing(c, photos, 100.0))
    library.write(lambda c: set_scanned(c, root, 100.0, ""))
    library.write(lambda c: set_state(c, root, RootState.OFFLINE, "not there"))
    assert library.write(lambda c: purge(c, 1e9, 60.0)) == 0


def test_half_a_root_gone_at_once_is_held_until_confirmed(library, root, seen):
    photos = _fill(library, root, seen, 50)
    library.write(lambda c: mark_missing(c, photos[:26], 100.0))
    library.write(lambda c: set_scanned(c, root, 100.0, ""))
    assert library.write(lambda c: hold_if_sudden(c, root, 100.0))
    assert library.write(lambda c: purge(c, 1e9, 60.0)) == 0
    assert library.write(lambda c: release_if_back(c, root))
    library.write(lambda c: confirm(c, root, 110.0))
    assert library.write(lambda c: purge(c, 1e9, 60.0)) == 26


def test_what_was_confirmed_is_not_held_again(library, root, seen):
    photos = _fill(library, root, seen, 100)
    library.write(lambda c: mark_missing(c, photos[:55], 100.0))
    assert library.write(lambda c: hold_if_sudden(c, root, 100.0))
    library.write(lambda c: confirm(c, root, 110.0))
    library.write(lambda c: mark_missing(c, photos[55:56], 120.0))
    assert not library.write(lambda c: hold_if_sudden(c, root, 120.0))
    assert not library.write(lambda c: release_if_back(c, root))
    assert not library.write(read_roots)[0].purge_held
    library.write(lambda c: mark_missing(c, photos[56:80], 130.0))
    assert library.write(lambda c: hold_if_sudden(c, root, 130.0))


def test_a_root_that_is_thinned_out_slowly_is_not_held(library, root, seen):
    photos = _fill(library, root, seen, 50)
    for hour in range(40):
        library.write(lambda c, n=hour: mark_missing(c, photos[n : n + 1], 7200.0 * n))
        library.write(lambda c, n=hour: hold_if_sudden(c, root, 7200.0 * n))
    assert not library.write(lambda c: release_if_back(c, root))


def test_a_few_deleted_photos_are_no_fault(library, root, seen):
    photos = _fill(library, root, seen, 20)
    library.write(lambda c: mark_missing(c, photos, 100.0))
    assert not library.write(lambda c: hold_if_sudden(c, root, 100.0))


def test_a_hold_ends_when_the_photos_are_back(library, root, seen):
    files = [seen(f"{n}.jpg") for n in range(50)]
    library.write(lambda c: register(c, root, files, now=0.0))
    library.write(lambda c: mark_missing(c, list(range(1, 51)), 100.0))
    library.write(lambda c: hold_if_sudden(c, root, 100.0))
    library.write(lambda c: register(c, root, files, now=200.0))
    assert not library.write(lambda c: release_if_back(c, root))
    assert not library.write(read_roots)[0].purge_held
