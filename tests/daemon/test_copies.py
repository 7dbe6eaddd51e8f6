"""A copy that comes to a folder is found like the photo that it is a copy of, and has metadata of its own."""

from __future__ import annotations

import hashlib
import shutil

from daemon_process import daemon
from sample_photos import make_photo, make_sidecar


def test_a_copy_is_found_by_what_was_found_of_its_twin_and_by_its_own_sidecar() -> None:
    with daemon() as library:
        twin = make_photo(library.root / "twin.jpg", 1, keyword="seaside")
        library.start()
        library.wait()
        copy = library.base / "copy.jpg"
        shutil.copyfile(twin, copy)
        make_sidecar(library.root / "copy.xmp", "mountain")
        copy = copy.rename(library.root / "copy.jpg")
        library.sees(copy)
        library.wait()
        assert sorted(library.found("seaside")) == ["copy.jpg", "twin.jpg"]
        assert library.found("mountain") == ["copy.jpg"]
        assert sorted(library.found("brightness:>=0")) == ["copy.jpg", "twin.jpg"]
        shown = [library.show(each) for each in (twin, copy)]
        digest = hashlib.sha256(twin.read_bytes()).hexdigest()
        assert [each["content_hash"] for each in shown] == [digest, digest]
        findings = [library.findings(each) for each in (twin, copy)]
        assert findings[0]["technical"]["facts"] == findings[1]["technical"]["facts"] != {}
        assert library.failed() == {}
