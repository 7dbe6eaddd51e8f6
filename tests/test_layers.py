"""The floors of the house: imports run downward only. docs/architecture.md shows the same table."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "imgd"
PLUGINS = sorted(path.parent for path in REPOSITORY.glob("plugins/*/pyproject.toml"))

FLOORS: tuple[tuple[frozenset[str], ...], ...] = (
    # Within a floor, a later group may import an earlier one; parts of one group never import each other.
    (
        frozenset({"errors", "domain", "facts", "keylines", "model", "patience"}),
        frozenset({"analyzer", "config", "onnx_sessions"}),
        frozenset({"hookspecs"}),
    ),
    (frozenset({"plugins", "store", "decode", "weights"}),),
    (frozenset({"metadata", "index"}),),
    (frozenset({"analyzers", "watch"}),),
    (frozenset({"pipeline"}),),
    (frozenset({"search", "duplicates"}), frozenset({"control"})),
    (frozenset({"daemon"}),),
    (frozenset({"testing", "cli"}),),
)
HEIGHT = {
    part: height for height, group in enumerate(group for floor in FLOORS for group in floor) for part in group
}


def modules(package: Path) -> Iterator[tuple[str, Path]]:
    """Every module of a package, by dotted name."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules(PACKAGE))


def package_of(plugin: Path) -> Path:
    """The package of the plugin whose distribution lies in a folder."""
    (package,) = (path.parent for path in plugin.glob("*/__init__.py") if path.parent.name != "tests")
    return package


def imported_names(path: Path) -> Iterator[str]:
    """Dotted names that a file imports anywhere in it: at its top, in functions, for type checkers."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide what is imported"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(path: Path, modules: Mapping[str, Path] = MODULES) -> set[str]:
    """Those of `modules`, which are imgd's or a plugin's, that a file imports."""
    found = {name if name in modules else name.rpartition(".")[0] for name in imported_names(path)}
    return found & modules.keys()


def part_of(module: str) -> str:
    """`imgd.store.jobs` -> `store`."""
    return module.split(".")[1] if "." in module else ""


def test_every_part_of_the_house_has_its_floor() -> None:
    assert {part_of(module) for module in MODULES} - {""} == set(HEIGHT)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "imgd"])
def test_a_module_imports_only_from_below_and_from_its_own_package(module: str) -> None:
    mine = part_of(module)
    for imported in sorted(imported_modules(MODULES[module])):
        other = part_of(imported)
        if other == mine:
            continue
        if not other:
            # `imgd` itself is the plugin author's API; the house takes only its version from it.
            continue
        assert HEIGHT[other] < HEIGHT[mine], f"{module} imports {imported}, which is not below it"


def test_the_plugin_authors_api_is_not_used_inside_the_house() -> None:
    names = {
        module: {name for name in imported_names(path) if name.startswith("imgd.") and name not in MODULES}
        for module, path in MODULES.items()
    }
    used = {
        module: found
        for module, each in names.items()
        if (found := {name for name in each if name.count(".") == 1})
    }
    assert used == {}


@pytest.mark.parametrize("package", [PACKAGE, *map(package_of, PLUGINS)], ids=lambda path: path.name)
def test_no_module_imports_itself_by_way_of_others(package: Path) -> None:
    known = dict(modules(package))
    graph = {module: imported_modules(path, known) - {package.name, module} for module, path in known.items()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' -> '.join((*way[way.index(module) :], module))}"
        if module in done:
            return
        for imported in sorted(graph.get(module, ())):
            visit(imported, (*way, module))
        done.add(module)

    for module in sorted(graph):
        visit(module, ())


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_only_imgd_itself_and_its_own_dependencies(plugin: Path) -> None:
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    declared = [*project["dependencies"], *(each for extra in extras for each in extra)]
    wanted = {re.split(r"[^A-Za-z0-9_.-]", each)[0].lower().replace("_", "-") for each in declared}
    homes = importlib.metadata.packages_distributions()
    package = package_of(plugin)
    for path in sorted(package.rglob("*.py")):
        for name in imported_names(path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top == package.name:
                continue
            if top == "imgd":
                assert name.count(".") <= 1, f"{path}: {name} is not of the API that `imgd` itself offers"
                assert name not in MODULES, f"{path}: {name} is inside the house; import names from `imgd`"
            else:
                owners = {each.lower().replace("_", "-") for each in homes.get(top, ())}
                if not owners:  # of an extra that is not installed here
                    like = top.replace("_", "-")
                    owners = {each for each in wanted if each == like or each.startswith(f"{like}-")}
                assert owners & wanted, f"{path} imports {top}, which {plugin.name} does not depend on"


def test_the_documents_show_the_same_floors() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text()
    shown = {
        int(floor): set(re.findall(r"`(\w+)`", parts))
        for floor, parts in re.findall(r"^\| (\d) \| (.+?) \|", text, re.MULTILINE)
    }
    assert shown == {number: set().union(*floor) for number, floor in enumerate(FLOORS, start=1)}
