"""`cohelix release build`: from the results of the other commands to a signed release of one tier."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import __version__, storage
from cohelix.dataset import canonical_json, digest_of
from cohelix.errors import CohelixError, ConfigError
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.omop import parse_date
from cohelix.jobs.releases import ledger
from cohelix.jobs.releases.cover import lacking
from cohelix.jobs.releases.digests import digests_of
from cohelix.jobs.releases.former import Former, former_of
from cohelix.jobs.releases.kinds import check_kinds, said_by_entry
from cohelix.jobs.releases.order import Order
from cohelix.jobs.releases.people import people_of
from cohelix.jobs.work_folder import work_folder, working
from cohelix.omop.source import Cdm, open_cdm
from cohelix.release import describe, known_issues
from cohelix.release.aggregates import counts, frequencies
from cohelix.release.describe import Head
from cohelix.release.draft import Draft, Root, check_release_name, open_root
from cohelix.release.ids import Ids
from cohelix.release.keys import Keys, key_id
from cohelix.release.labels import Controlled, L, Labelled, Public, Registered
from cohelix.release.lines import FileLine
from cohelix.release.manifest import Manifest, sign
from cohelix.release.matrix import controlled as matrix
from cohelix.release.people import People
from cohelix.release.policy import Policy, load_policy
from cohelix.release.records import controlled as records_controlled
from cohelix.release.records import registered as records_registered
from cohelix.release.schema import Inputs, MadeFile, ReleaseParams
from cohelix.tier import Tier


@dataclass(frozen=True)
class Request:
    """What is asked for. supersedes: name of an earlier release in `root`, "" for a first one. issued: a date or ""."""

    tier: Tier
    root: str
    name: str
    supersedes: str = ""
    as_of: str | None = None
    issued: str = ""


@dataclass(frozen=True)
class Making:
    """What the parts of a release are made from.

    people: of the tier. counted: of the public tier: aggregates are of them in every tier, and the same in each, lest
    their differences tell of those whom a tier leaves out.
    """

    cdm: Cdm
    inputs: Inputs
    people: People
    counted: People
    ids: Ids
    policy: Policy
    params: ReleaseParams
    former: Path | None


Part = tuple[str, Callable[[Path], Labelled[list[MadeFile], L]]]


def public_parts(made: Making) -> list[Part[Public]]:
    """Aggregates alone."""
    parts: list[Part[Public]] = [
        ("counts", lambda at: counts.public(made.cdm, made.counted, made.inputs, made.params, made.former, at))
    ]
    if made.inputs.callset:
        parts.append((
            "frequencies",
            lambda at: frequencies.public(
                made.inputs.callset, made.counted, made.params, made.former, at, made.inputs.sites_qc
            ),
        ))  # fmt: skip
    return parts


def registered_parts(made: Making) -> list[Part[Registered]]:
    """Health records with shifted dates, and what is public."""
    records: Part[Registered] = (
        "records",
        lambda at: records_registered(made.cdm, made.people, made.ids, made.policy, made.params, at),
    )
    issues: Part[Registered] = (
        "known-issues",
        lambda at: known_issues.registered(made.inputs, made.people, made.ids, at),
    )
    return [records, issues, *public_parts(made)]


def controlled_parts(made: Making) -> list[Part[Controlled]]:
    """Matrices and what was computed from them by person, health records with true dates, and what is public."""
    records: Part[Controlled] = (
        "records",
        lambda at: records_controlled(made.cdm, made.people, made.ids, made.policy, made.params, at),
    )
    genomes: Part[Controlled] = ("matrix", lambda at: _matrix(made, at))
    issues: Part[Controlled] = (
        "known-issues",
        lambda at: known_issues.controlled(made.inputs, made.people, made.ids, at),
    )
    return [records, genomes, issues, *public_parts(made)]


def _matrix(made: Making, folder: Path) -> Labelled[list[MadeFile], Controlled]:
    if "mt" not in made.params.formats:
        return matrix(made.inputs, made.people, made.ids, made.params, folder)
    from cohelix.genotypes.on_hail import export_matrix  # starts a JVM: only where it is asked for

    return matrix(made.inputs, made.people, made.ids, made.params, folder, matrix_table=export_matrix)


def build(order: Order, request: Request, keys: Keys, params: ReleaseParams) -> Path:
    """Make and publish a release; returns its folder. A run that was stopped goes on where it was.

    Raises ConfigError for a name that is taken or not allowed and for a root of another tier, DisclosureError where
    the policy lets nothing be published, and what the inputs' readers raise.
    """
    check_release_name(request.name)
    if request.issued:
        parse_date(request.issued)  # goes into what everybody reads
    with said_by_entry(order.inputs):
        if request.tier is Tier.PUBLIC:
            return _build(order, request, keys, params, open_root(request.root, Public), public_parts, describe.public)
        if request.tier is Tier.REGISTERED:
            registered = open_root(request.root, Registered)
            return _build(order, request, keys, params, registered, registered_parts, describe.registered)
        controlled = open_root(request.root, Controlled)
        return _build(order, request, keys, params, controlled, controlled_parts, describe.controlled)


def _build(
    order: Order,
    request: Request,
    keys: Keys,
    params: ReleaseParams,
    root: Root[L],
    parts: Callable[[Making], Sequence[Part[L]]],
    described: Callable[[describe.About, Sequence[Head], Path], Labelled[list[MadeFile], L]],
) -> Path:
    target, out = root.path / request.name, root.path.with_name(root.path.name + ".making")
    taken = ConfigError(f"release {request.name} exists already, and releases never change. Choose another name.")
    if target.exists() and not work_folder(out).exists():
        raise taken
    check_kinds(order.inputs)
    with working(str(out), "release build") as work:
        work.chmod(0o700)
        draft = Draft(root, request.name, keys, work / "done")
        cdm, policy = open_cdm(order.inputs.omop), load_policy()
        said = _work(order, request, keys, params, cdm, policy)
        if target.exists():  # a run that was stopped behind its last step: the folder of its work goes now
            if not ledger.opened(order.program.ledger, keys).has(request.tier, request.name, said):
                raise taken
            return target
        draft.begin(digest_of(said))
        try:
            former = former_of(root.path, request.supersedes, keys, work)
            everybody, gone = people_of(cdm, order, request.as_of)
            people = _admitted(everybody, request.tier, policy, params)
            counted = _admitted(everybody, Tier.PUBLIC, policy, params)
            books = ledger.opened(order.program.ledger, keys)
            books.check(people)
            beside: dict[str, Any] = {"lacking": lacking(order.inputs, everybody)}
            making = Making(cdm, order.inputs, people, counted, Ids(keys, request.tier), policy, params, former.folder)
            lines, heads, rows_out = _made(draft, parts(making), work)
            page = described(_about(order, request, policy, people, params), heads, work / "describe")
            lines += draft.put("describe", page)
            sign(draft.folder, _manifest(order, request, keys, params, former, policy, lines), keys)
            # Before it is published: else a run that ends between the two would forget who has left.
            beside |= {"persons": len(people), "excluded": people.excluded, "rows": rows_out}
            books.record(request.tier, request.name, gone, said | beside)
            return draft.publish()
        except CohelixError:
            draft.abandon()
            raise


def _work(
    order: Order, request: Request, keys: Keys, params: ReleaseParams, cdm: Cdm, policy: Policy
) -> dict[str, Any]:
    """What decides a release's bytes: a run that was stopped is gone on with only by the same work."""
    return {
        "request": dataclasses.asdict(request) | {"tier": request.tier.word, "root": ""},
        "params": dataclasses.asdict(params),
        "program": dataclasses.asdict(order.program) | {"ledger": ""},
        "withdrawn": [dataclasses.asdict(rule) for rule in order.withdrawn],
        "inputs": digests_of(order.inputs, cdm),
        "cohelix": __version__,
        "policy": policy.digest,
        "key": key_id(keys.verifying()),
    }


def _admitted(people: People, tier: Tier, policy: Policy, params: ReleaseParams) -> People:
    """Without those whom the tier leaves out by age, counted among the excluded."""
    if not policy.drops_old(tier):
        return people
    stays = people.age <= params.age_cap
    fewer = people.taken(np.flatnonzero(stays))
    reason = {f"person older than {params.age_cap}": int((~stays).sum())}
    return dataclasses.replace(fewer, excluded=people.excluded | reason)


def _made(
    draft: Draft[L], parts: Sequence[Part[L]], work: Path
) -> tuple[list[FileLine], list[Head], dict[str, dict[str, int]]]:
    """Every part made and sealed, or recalled; and by table, how many rows of the source are not in it, and why.

    The plain files go when they are sealed.
    """
    lines: list[FileLine] = []
    heads: list[Head] = []
    rows_out: dict[str, dict[str, int]] = {}
    for name, make in parts:
        plain, head = work / "parts" / name, work / "heads" / f"{name}.json"
        known = draft.recall(name)
        if known is None or not head.is_file():
            shutil.rmtree(plain, ignore_errors=True)
            plain.mkdir(parents=True)
            made = make(plain)
            known = draft.put(name, made)
            told = [dataclasses.asdict(describe.head_of(one)) | {"left_out": one.left_out} for one in made.value]
            storage.write(str(head), canonical_json(told))
            shutil.rmtree(plain)
        lines += known
        for said in json.loads(head.read_bytes()):
            heads.append(Head(said["name"], said["rows"], said["table"], tuple(map(tuple, said["columns"]))))
            rows_out |= {said["table"]: said["left_out"]} if said["left_out"] else {}
    return lines, heads, rows_out


def _about(order: Order, request: Request, policy: Policy, people: People, params: ReleaseParams) -> describe.About:
    build = open_callset(order.inputs.callset).build if order.inputs.callset else ""
    return describe.About(
        program=order.program.name,
        name=request.name,
        tier=request.tier,
        policy=policy.version,
        build=build,
        issued=request.issued,
        supersedes=request.supersedes,
        persons=None if request.tier is Tier.PUBLIC else len(people),
        genomes=int((people.genome >= 0).sum()) if request.tier is Tier.CONTROLLED else 0,
        arrays=int((people.array >= 0).sum()) if request.tier is Tier.CONTROLLED else 0,
        duo=order.program.duo,
        params=params,
    )


def _manifest(
    order: Order,
    request: Request,
    keys: Keys,
    params: ReleaseParams,
    former: Former,
    policy: Policy,
    lines: list[FileLine],
) -> Manifest:
    seen = {"least": params.least, "max_power": params.max_power, "differencing": params.differencing}
    seen |= {
        "frequencies": params.frequencies,
        "epsilon": params.epsilon,
        "age_cap": params.age_cap,
        "age_band": params.age_band,
    }
    return Manifest(
        program=order.program.name,
        dataset=order.program.dataset,
        duo=order.program.duo,
        tier=request.tier.word,
        name=request.name,
        serial=former.serial + 1,
        supersedes=former.manifest,
        issued=request.issued,
        policy=policy.version,
        cohelix=__version__,
        key_id=key_id(keys.verifying()),
        params=seen,
        files=tuple(sorted(lines, key=lambda line: line.path)),
    )
