"""Values of the model as JSON and back."""

from __future__ import annotations

from typing import Any

from attrs import asdict

from gateway.model import BodyPreference, PolicyState, SyncOptions, Wipe, WipeState

Json = dict[str, Any]


def dump_options(options: SyncOptions) -> Json:
    """Sticky options as they are kept with a key; what has its default is left out."""
    plain = asdict(options)
    default = asdict(SyncOptions())
    return {name: value for name, value in plain.items() if value != default[name]}


def load_options(plain: Json) -> SyncOptions:
    """The reverse of L{dump_options}."""
    if not plain:
        return SyncOptions()
    values = dict(plain)
    values["bodies"] = tuple(BodyPreference(**body) for body in plain.get("bodies", ()))
    values["part"] = BodyPreference(**plain["part"]) if plain.get("part") else None
    return SyncOptions(**values)


def dump_policy(policy: PolicyState) -> Json:
    """The policy keys of a device."""
    return asdict(policy)


def load_policy(plain: Json | None) -> PolicyState:
    """The reverse of L{dump_policy}."""
    return PolicyState(**(plain or {}))


def dump_wipe(wipe: Wipe | None) -> Json | None:
    """A remote wipe."""
    return None if wipe is None else {**asdict(wipe), "state": wipe.state.value}


def load_wipe(plain: Json | None) -> Wipe | None:
    """The reverse of L{dump_wipe}."""
    return Wipe(**{**plain, "state": WipeState(plain["state"])}) if plain else None


def dump_admission(admitted: bool, told: str) -> Json:
    """Whether a device was let in, and what its user was told."""
    return {"admitted": admitted, "told": told}


def load_admission(plain: Json | None) -> tuple[bool, str]:
    """The reverse of L{dump_admission}; devices from before there was one have long been let in."""
    return (True, "") if plain is None else (plain["admitted"], plain["told"])
