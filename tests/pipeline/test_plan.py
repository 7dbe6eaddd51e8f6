from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from imgd import Analyzer, Device, Needs
from imgd.domain import FileStat, OwedJob, OwedPhoto
from imgd.pipeline.plan import ActiveAnalyzer, make_spec, model_edges, of_sidecars, plan_photo

CPU, MODEL = Device.CPU, Device.MODEL


def declare(**analyzers: Any) -> dict[int, ActiveAnalyzer]:
    """`name=(edge, device, *after)`, with ids in their order, from 1."""
    active = {}
    for number, (name, (edge, device, *after)) in enumerate(analyzers.items(), 1):
        attributes = {
            "name": name,
            "version": "1",
            "needs": Needs(edge),
            "device": device,
            "after": tuple(after),
            "analyze": lambda self, photos: [],
        }
        declaration = type(name, (Analyzer,), attributes)
        active[number] = ActiveAnalyzer(number, declaration, make_spec(declaration, None, {}, None))
    return active


def plan(active: dict[int, ActiveAnalyzer], *names: str) -> Any:
    """The plan for a photo that owes `names`, each with what is compared here."""
    ids = {each.name: number for number, each in active.items()}
    jobs = tuple(OwedJob(ids.get(name, 99), 0) for name in names)
    made = plan_photo(OwedPhoto(1, 1, b"/a.jpg", FileStat(1, 1, 1, 1), (), jobs), active)
    if made is None:
        return None
    return SimpleNamespace(
        inline=list(made.inline),
        models=list(made.models),
        edges=list(made.model_edges),
        reads=set(made.reads),
        complete=made.complete,
        needs_worker=made.needs_worker,
    )


def test_one_pass_runs_all_that_is_owed():
    active = declare(exif=(0, CPU), sharp=(1200, CPU), tags=(320, MODEL), faces=(640, MODEL))
    made = plan(active, "faces", "exif", "tags", "sharp")
    assert set(made.inline) == {"exif", "sharp"}
    assert set(made.models) == {"tags", "faces"}
    assert made.edges == [320, 640]
    assert made.complete


def test_what_is_not_owed_neither_runs_nor_raises_the_size():
    active = declare(exif=(0, CPU), tags=(320, MODEL), faces=(640, MODEL))
    made = plan(active, "tags")
    assert (made.inline, made.models, made.edges) == ([], ["tags"], [320])


def test_models_of_one_size_share_their_pixels():
    assert plan(declare(a=(320, MODEL), b=(320, MODEL)), "a", "b").edges == [320]


def test_inline_analyzers_run_behind_those_they_read():
    active = declare(c=(0, CPU, "b"), b=(0, CPU, "a"), a=(0, CPU))
    made = plan(active, "a", "b", "c")
    assert made.inline == ["a", "b", "c"]
    assert made.reads == set()


def test_a_stored_finding_is_read_where_its_maker_owes_nothing():
    active = declare(a=(0, CPU), b=(0, CPU, "a"), m=(64, MODEL, "a", "b"))
    made = plan(active, "b", "m")
    assert (made.inline, made.models, made.reads) == (["b"], ["m"], {"a"})


def test_a_model_runs_in_the_same_pass_as_the_inline_analyzer_it_reads():
    made = plan(declare(a=(0, CPU), m=(64, MODEL, "a")), "a", "m")
    assert (made.inline, made.models, made.complete) == (["a"], ["m"], True)


def test_a_model_that_reads_a_model_runs_behind_it_in_the_same_pass():
    active = declare(caption=(64, MODEL, "m"), described=(0, MODEL, "caption"), m=(64, MODEL))
    made = plan(active, "caption", "described", "m")
    assert (made.models, made.edges, made.complete) == (["m", "caption", "described"], [64], True)


def test_an_inline_analyzer_that_reads_a_model_waits_for_a_later_pass():
    active = declare(m=(64, MODEL), words=(0, CPU, "m"), told=(0, MODEL, "words"))
    first = plan(active, "m", "words", "told")
    assert (first.inline, first.models, first.complete) == ([], ["m"], False)
    second = plan(active, "words", "told")
    assert (second.inline, second.models, second.reads, second.complete) == (["words"], ["told"], {"m"}, True)


def test_a_model_without_pixels_needs_neither_slot_nor_worker():
    active = declare(m=(64, MODEL), described=(0, MODEL, "m"))
    assert not plan(active, "described").needs_worker
    assert plan(active, "m", "described").needs_worker
    assert model_edges(active.values()) == [64]


def test_nothing_is_planned_where_nothing_can_run():
    active = declare(a=(0, CPU, "b"), b=(0, CPU, "a"))
    assert plan(active, "a", "b") is None
    assert plan(active, "unknown") is None


def test_the_slots_hold_every_size_that_lanes_ask_for_and_no_other():
    active = declare(a=(1200, CPU), b=(640, MODEL), c=(320, MODEL), d=(640, MODEL))
    assert model_edges(active.values()) == [320, 640]


def test_a_child_is_told_where_to_find_a_class_by_name():
    from toy_analyzers import Shape

    spec = make_spec(Shape, "settings", {"m": Path("/m")}, Path("/cache"))
    assert (spec.name, spec.module, spec.qualname) == ("shape", "toy_analyzers", "Shape")
    assert (spec.settings, spec.model_dirs, spec.cache_dir) == ("settings", {"m": Path("/m")}, Path("/cache"))


def test_what_reads_findings_that_depend_on_sidecars_does_so_too():
    active = declare(
        judge=(0, MODEL, "lengths"),
        lengths=(0, MODEL, "captions", "exif"),
        captions=(320, MODEL),
        exif=(0, CPU),
        gone=(0, CPU, "switched-off"),
    )
    assert of_sidecars(active.values()) == set()
    active[4].declaration.reads_sidecars = True
    assert of_sidecars(active.values()) == {"exif", "lengths", "judge"}
