"""Two releases of a tier side by side, for people: what came, what went, and what changed."""

from __future__ import annotations

from pathlib import Path

from cohelix.errors import ConfigError
from cohelix.qc.report.disclosure import shown
from cohelix.release.keys import Keys
from cohelix.release.lines import FileLine
from cohelix.release.manifest import Manifest, read


def compare(before: Path, after: Path, keys: Keys) -> list[str]:
    """Lines of text. Both manifests are checked against the signature; files are not read.

    Raises ConfigError where the releases are of two tiers, IntegrityError where one was tampered with. Differences of
    1 to 20 rows are not told apart: a row may be a person.
    """
    old, new = read(before, keys.verifying()), read(after, keys.verifying())
    if old.tier != new.tier or old.dataset != new.dataset:
        raise ConfigError("expected two releases of one tier of one program, found two tiers or programs.")
    lines = [f"{new.program}, {new.tier}: {old.name} (serial {old.serial}) and {new.name} (serial {new.serial})"]
    lines += [f"{what}: {a or 'none'} -> {b or 'none'}" for what, a, b in _facts(old, new) if a != b]
    former = {line.path: line for line in old.files}
    later = {line.path: line for line in new.files}
    lines += [f"only in {old.name}: {path}" for path in sorted(former.keys() - later.keys())]
    lines += [f"only in {new.name}: {path}{_rows(later[path])}" for path in sorted(later.keys() - former.keys())]
    both = sorted(former.keys() & later.keys())
    same = [path for path in both if former[path].sha256 == later[path].sha256]
    lines += [_changed(former[path], later[path]) for path in both if path not in set(same)]
    return [*lines, f"the same in both: {len(same)} of {len(both)} files"]


def _facts(old: Manifest, new: Manifest) -> list[tuple[str, str, str]]:
    names = ("issued", "policy", "cohelix", "key_id")
    facts = [(name, str(getattr(old, name)), str(getattr(new, name))) for name in names]
    facts.append(("duo", ", ".join(old.duo), ", ".join(new.duo)))
    for name in sorted({*old.params, *new.params}):
        facts.append((name, str(old.params.get(name, "")), str(new.params.get(name, ""))))
    return facts


def _rows(line: FileLine) -> str:
    return "" if line.rows is None else f" ({line.rows:,} rows)"


def _changed(old: FileLine, new: FileLine) -> str:
    if old.rows is None or new.rows is None:
        return f"changed: {new.path}"
    change = new.rows - old.rows
    said = "as many rows" if not change else f"{shown(abs(change))} rows {'more' if change > 0 else 'fewer'}"
    return f"changed: {new.path} ({said})"
