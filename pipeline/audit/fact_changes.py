"""How two dataset.json differ: settings, stages with their versions and backends, rules, families, shards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from pipeline.audit.reading import DatasetFacts

RULE_KEY = ("stage", "why", "measurement", "comparator")


@dataclass(frozen=True, slots=True)
class FactChange:
    """One value of dataset.json. before, after: None where the other side alone has it."""

    path: str
    before: JsonValue
    after: JsonValue


def fact_changes(left: DatasetFacts, right: DatasetFacts) -> tuple[FactChange, ...]:
    """What differs, by dotted path; counts and roots are left out, for they follow from the rest."""
    one, other = (dict(flat("", comparable(facts))) for facts in (left, right))
    return tuple(
        FactChange(path, one.get(path), other.get(path))
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path) or (path in one) != (path in other)
    )


def comparable(facts: DatasetFacts) -> dict[str, JsonValue]:
    """The facts with lists that have no order of their own as mappings: a rule by what it asks, a shard by its path."""
    content = facts.model_dump(mode="json", exclude={"root", "counts"})
    content["rules"] = {rule_name(rule): rule for rule in facts.rules}
    content["shards"] = {shard.path: shard.sha256 for shard in facts.shards}
    return content


def rule_name(rule: JsonValue) -> str:
    """What tells a rule from the others."""
    if not isinstance(rule, Mapping):
        return str(rule)
    return " ".join(str(rule[key]) for key in RULE_KEY if key in rule)


def flat(path: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Nested mappings as dotted paths; a list is one value, and an empty mapping none."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, item in value.items():
        yield from flat(f"{path}.{key}" if path else str(key), item)
