"""What `v2s evaluate --json` measured, as it goes into bundle.json: tables of figures, and nothing of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from v2s_engine.errors import UsageError

Rows = Iterator[tuple[str, dict[str, Any]]]

_LOCAL_PATH = re.compile(r"""(?:^|[\s"'(=,:])(?:~?/[\w.]|[A-Za-z]:[\\/]|\\\\\w|file:)""")

_TIMING = {
    "onset_f1": "onset F1",
    "correlation": "envelope correlation",
    "best_correlation": "envelope correlation at its best lag",
    "lag_ms": "that lag, ms",
    "align": "AV-Align",
}


def bundle_quality(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an evaluation for bundle.json and the model card: `{table: {row: {column: figure}}}`.

    Of an evaluation on clips the tables are kept, one row per method; which clips were left out, and where they lie, is
    not. Of anything else (an evaluation on recordings, notes of one's own) all is kept but texts that hold a path of
    this machine. Raises `UsageError` for an evaluation on clips that is not whole.
    """
    if "methods" not in measured:
        return dict(_without_paths(measured))
    try:
        tables = {
            "cross_entropy": dict(_cross_entropy(measured)),
            "shuffled_pictures": dict(_shuffled(measured)),
            "retrieval": dict(_retrieval(measured)),
            "timing": dict(_timing(measured)),
            "onsets": dict(_onsets(measured)),
            "sound": dict(_sound(measured)),
        }
        clips = ", ".join(f"{count} {split}" for split, count in measured["clips"].items())
        about = f"clips: {clips}; categories: {', '.join(measured['categories'])}; seed {measured['seed']}"
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"--quality holds no whole evaluation: {error!r}; give what this version's `v2s evaluate --json` said"
        ) from error
    return {"measured_on": about, **{name: rows for name, rows in tables.items() if rows}}


def _cross_entropy(measured: Mapping[str, Any]) -> Rows:
    for method in measured["methods"]:
        for cell in method["cross_entropy"]:
            nats = cell["nats"]
            yield (
                f"{method['name']}, {cell['split']}",
                {"clips": nats["n"], **_interval(nats, "nats"), "bits": cell["bits"]},
            )


def _shuffled(measured: Mapping[str, Any]) -> Rows:
    for method in measured["methods"]:
        for shuffle in method["shuffles"]:
            found = shuffle["difference"]
            figures = {"clips": found["n"], **_interval(found, "difference"), "p": found["p_value"]}
            yield f"{method['name']}, {shuffle['kind']}", {**figures, "clips_helped": shuffle["helped"]}


def _retrieval(measured: Mapping[str, Any]) -> Rows:
    for method in measured["methods"]:
        found = method["retrieval"]
        if not found:
            continue
        told = " (class told)" if found["class_told"] else ""
        for rank in ("by_loss", "by_gain"):
            shares: dict[str, Any] = {"clips": found["n"]}
            for name, hit in found[rank].items():
                shares |= {name: hit["share"]["mean"], f"{name}_p": hit["p_value"]}
            yield f"{method['name']}, {rank.replace('_', ' ')}{told}", shares
        yield f"chance among {found['n']}", {"clips": found["n"], **found["chance"]}


def _timing(measured: Mapping[str, Any]) -> Rows:
    for method, made in _made(measured):
        for key, name in _TIMING.items():
            found = made[key]
            yield (
                f"{method}, {name}",
                {
                    "clips": found["value"]["n"],
                    "value": found["value"]["mean"],
                    "null": found["null"]["mean"],
                    **_interval(found["difference"], "value_minus_null"),
                    "p": found["difference"]["p_value"],
                    "null_within_a_class": found["null_within"]["mean"],
                    "p_within_a_class": found["difference_within"]["p_value"],
                },
            )


def _onsets(measured: Mapping[str, Any]) -> Rows:
    for method, made in _made(measured):
        for key, name in (("onsets", ""), ("onsets_null", ", null"), ("onsets_null_within", ", null within a class")):
            found = made[key]
            shares = ("clips", "true", "predicted", "matched", "recall", "precision", "f1", "average_precision")
            yield f"{method}{name}", {share: found[share] for share in shares}


def _sound(measured: Mapping[str, Any]) -> Rows:
    for method, made in _made(measured):
        for key, name in (("quality", method), ("quality_recorded", f"recorded, beside {method}")):
            found = made[key]
            means = ("loudness_lufs", "true_peak_dbtp", "silence")
            figures = {"clips": found["silence"]["n"], **{each: found[each]["mean"] for each in means}}
            yield name, {**figures, "clipped_clips": found["clipped_clips"]}


def _made(measured: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Methods that sounds were made by."""
    for method in measured["methods"]:
        if method["generated"]:
            yield method["name"], method["generated"]


def _interval(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: found["mean"], "low": found["low"], "high": found["high"]}


def _without_paths(value: Any) -> Any:
    """The same without texts, listed or named, that hold a path from this machine's root or home."""
    if isinstance(value, Mapping):
        return {key: _without_paths(each) for key, each in value.items() if not (_is_local(key) or _is_local(each))}
    if isinstance(value, list):
        return [_without_paths(each) for each in value if not _is_local(each)]
    return value


def _is_local(value: Any) -> bool:
    return isinstance(value, str) and _LOCAL_PATH.search(value) is not None
