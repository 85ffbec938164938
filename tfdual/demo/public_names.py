"""The name by which people know a definition, from the re-exports of its package."""

import sys
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tfdual.demo.source_files import SourceModule


@dataclass(frozen=True)
class _Found:
    module: str
    name: str | None


def public_names(modules: Mapping[str, SourceModule], hidden: Collection[str] = ()) -> dict[tuple[str, str], str]:
    """Find the shortest public dotted name of each top-level definition that has one.

    Args:
        modules: dict of dotted name -> `SourceModule`.
        hidden: top-level modules that are known by the names that others give them only, as `posixpath` by `os.path`.
            Those that begin with an underscore are hidden anyway.

    Returns:
        `(defining module, name) -> public name`, e.g. `("numpy.linalg._linalg", "norm") -> "numpy.linalg.norm"`.
    """
    return _Names(modules, frozenset(hidden)).walk()


class _Names:
    def __init__(self, modules: Mapping[str, SourceModule], hidden: frozenset[str]) -> None:
        self.modules = modules
        self.hidden = hidden
        self.children: dict[str, dict[str, None]] = {}
        self.roots: dict[str, None] = {}
        for module in sorted(modules):
            parts = module.split(".")
            self.roots.setdefault(parts[0])
            for depth in range(1, len(parts)):
                self.children.setdefault(".".join(parts[:depth]), {}).setdefault(parts[depth])

    def walk(self) -> dict[tuple[str, str], str]:
        """Breadth first, so that the first name of a definition is one of the shortest."""
        names: dict[tuple[str, str], str] = {}
        queue = deque((root, root) for root in self.roots if not self._is_hidden(root))
        visited = {root for root, _ in queue}
        while queue:
            shown, module = queue.popleft()
            for name in self._listed(module):
                found = self._look_up(module, name, set())
                if found is None or not self._may_be_named(found.module, shown):
                    continue
                if found.name is not None:
                    names.setdefault((found.module, found.name), f"{shown}.{name}")
                elif found.module not in visited:
                    visited.add(found.module)
                    queue.append((f"{shown}.{name}", found.module))
        return names

    def _is_hidden(self, module: str) -> bool:
        top = module.split(".")[0]
        return top.startswith("_") or top in self.hidden

    def _may_be_named(self, module: str, shown: str) -> bool:
        top, shown_top = module.split(".")[0], shown.split(".")[0]
        is_one_origin = (top in sys.stdlib_module_names) == (shown_top in sys.stdlib_module_names)
        return top == shown_top or (is_one_origin and self._is_hidden(module))

    def _listed(self, module: str) -> list[str]:
        source = self.modules.get(module)
        names: dict[str, None] = {}
        if source is not None:
            names.update(source.defined)
            names.update(dict.fromkeys(name for name in source.imports if self._is_re_export(source, name)))
            for star in source.stars:
                names.update(self._starred(star, {module}))
        names.update(self.children.get(module, {}))
        return [name for name in names if not name.startswith("_")]

    def _is_re_export(self, source: SourceModule, name: str) -> bool:
        if source.exported is not None:
            return name in source.exported
        return source.is_package or name in source.same_name_imports

    def _starred(self, module: str, seen: set[str]) -> dict[str, None]:
        source = self.modules.get(module)
        if source is None or module in seen:
            return {}
        if source.exported is not None:
            return dict.fromkeys(source.exported)
        names = dict.fromkeys([*source.defined, *source.imports])
        for star in source.stars:
            names.update(self._starred(star, seen | {module}))
        return {name: None for name in names if not name.startswith("_")}

    def _look_up(self, module: str, name: str, seen: set[tuple[str, str]]) -> _Found | None:
        source = self.modules.get(module)
        if source is not None and (module, name) not in seen:
            seen.add((module, name))
            if name in source.defined:
                return _Found(module, name)
            if name in source.imports:
                origin, original = source.imports[name]
                found = self._look_up(origin, original, seen) if original else self._as_module(origin)
                if found is not None:
                    return found
            for star in source.stars:
                found = self._look_up(star, name, seen) if name in self._starred(star, set()) else None
                if found is not None:
                    return found
        return self._as_module(f"{module}.{name}")

    def _as_module(self, module: str) -> _Found | None:
        return _Found(module, None) if module in self.modules or module in self.children else None
