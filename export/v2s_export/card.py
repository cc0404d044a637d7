"""The model card: what stands in bundle.json, to be read by whoever thinks of using the bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.options import ModelConfig

_NETWORKS = {"vgg19": "VGG19 up to fc6", "small": "a small convolutional network"}
_FLOWS = {"dis": "DIS", "raft": "RAFT"}


def model_card(description: Mapping[str, Any]) -> str:
    """`MODEL_CARD.md` from what bundle.json holds and nothing else. Raises `UsageError` for a config that cannot be."""
    config = ModelConfig.from_json(dict(description["config"]))
    name, classes = description["name"], config.sound_classes
    parts = [
        f"# {name}",
        description.get("summary") or "No summary was given.",
        f"**Sounds:** {', '.join(classes)}  \n**Licence:** {description.get('licence') or 'not stated'}",
        "## How to use it",
        f"```\nv2s generate cut.otio --bundle {name} --sound {classes[0]}\n```",
        f"A bundle that did not come with V2S is named by its folder: `--bundle path/to/{name}`. A marker "
        f"`v2s:sound={classes[-1]}` on a clip says what that clip sounds like.",
        *_following(config),
        "## What was measured",
        *_measured(description),
        "## What it was trained on",
        *_material(description),
        "## What it cannot do",
        _bullets(_limits(config, description)),
        "## What is in it",
        _bullets(_sizes(config, description)),
    ]
    return "\n\n".join(parts) + "\n"


def _following(config: ModelConfig) -> Iterator[str]:
    """How sound and picture go together, in words an editor can use."""
    yield "## How it follows the picture"
    duration = config.encoder_window * FRAME_LENGTH / SAMPLE_RATE
    if config.conditioning == "envelope":
        yield (
            "From the pictures it guesses how loud the sound should be and where it starts, every 16 ms. A marker "
            "`v2s:cue` says it better: a sound starts there."
        )
        return
    yield {
        "frame": "Every 64 ms it is shown the picture, so what is heard can change with what is seen at that moment.",
        "sequence": f"It looks at {duration:.1f} s of pictures, then sounds them from memory; nothing tells it when.",
        "flow": f"It looks at {duration:.1f} s of pictures and of motion, then sounds them from memory; nothing tells "
        "it when.",
    }[config.conditioning]
    yield "Markers `v2s:cue` cannot be obeyed; clips that carry one are skipped."


def _measured(description: Mapping[str, Any]) -> Iterator[str]:
    found = False
    for title, figures in _figures(description):
        found = True
        yield f"**{title}**"
        yield _table(figures)
    quality = description.get("quality") or {}
    for key, value in quality.items():
        if isinstance(value, (str, int, float)):
            found = True
            yield f"{_title(key)}: {value}."
    if "cross_entropy" in quality:
        yield "*low* and *high* bound the 95 % interval over clips; *p* is how likely chance alone does as well."
    if description.get("encoder_training"):
        yield (
            "Onset F1 is 1 where every start of a sound is found in the pictures and none is invented. *shuffled* is "
            "the same network shown the pictures of another clip, *motion* a rule that takes all motion for sound."
        )
    if not found:
        yield "Nothing was measured of this bundle, or nothing was written down."


def _figures(description: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Mapping[str, Any]]]]:
    """Everything measured that is a table: rows by name, each with the same kind of numbers."""
    titles = {
        "following": "The sound's loudness follows the one asked for (1: exactly)",
        "held_scenes": "Timing found in rendered scenes that were not trained on",
        "test_clips": "Timing found in real clips that were not trained on",
        "cross_entropy": "Cross entropy, nats per sample: lower is better, 5.545 is an even guess",
        "shuffled_pictures": "Loss with the wrong pictures minus the right ones: above 0, the pictures help",
        "retrieval": "Sounds found by pictures: share of queries with a hit in the first or the first five places",
        "timing": "Sounds made from pictures beside the recorded ones; null: with the sound made for another clip",
        "onsets": "Starts of made sounds within 100 ms of those recorded",
        "sound": "Level of the made sounds and of the recorded ones",
    }
    for part in ("quality", "encoder_training"):
        for key, value in (description.get(part) or {}).items():
            if isinstance(value, Mapping) and value and all(isinstance(row, Mapping) for row in value.values()):
                yield titles.get(key, _title(key)), value


def _table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = ["| | " + " | ".join(_words(name) for name in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {_words(name)} | " + " | ".join(_figure(row.get(column)) for column in columns) + " |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def _material(description: Mapping[str, Any]) -> Iterator[str]:
    material: Sequence[Mapping[str, Any]] = description.get("material") or []
    if not material:
        yield "No recordings are listed."
    else:
        yield _table(_totals(material))
        yield "Whom to credit, by licence:"
        yield _bullets(_credits(material))
    if seen := (description.get("encoder_training") or {}).get("material"):
        yield "The network that looks at pictures learnt from rendered scenes and from these clips:"
        yield _bullets(_credits(seen))


def _totals(material: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    totals: dict[str, dict[str, Any]] = {}
    for each in material:
        row = totals.setdefault(str(each.get("sound_class", "any")), {"files": 0, "seconds": 0.0, "synthetic": 0.0})
        row["files"] += 1
        row["synthetic" if each.get("synthetic") else "seconds"] += float(each.get("duration") or 0)
    return {name: _whole(row) for name, row in totals.items()}


def _whole(row: Mapping[str, Any]) -> dict[str, Any]:
    """Files and seconds of a class; how much of it was recorded, where some was not."""
    recorded, synthetic = row["seconds"], row["synthetic"]
    if not synthetic:
        return {"files": row["files"], "seconds": round(recorded)}
    return {
        "files": row["files"],
        "seconds": round(recorded + synthetic),
        "synthetic_seconds": round(synthetic),
        "recorded_share": f"{recorded / (recorded + synthetic):.0%}",
    }


def _credits(material: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    authors: dict[str, dict[str, int]] = {}
    for each in material:
        of_licence = authors.setdefault(each.get("licence") or "licence not stated", {})
        author = each.get("attribution") or "author not stated"
        of_licence[author] = of_licence.get(author, 0) + 1
    for licence, names in sorted(authors.items()):
        listed = "; ".join(f"{name} ({count})" if count > 1 else name for name, count in sorted(names.items()))
        yield f"{licence}: {listed}"


def _limits(config: ModelConfig, description: Mapping[str, Any]) -> Iterator[str]:
    yield f"It makes {', '.join(config.sound_classes)} and nothing else: no speech, no music, no ambience around it."
    yield f"Mono, and nothing above {SAMPLE_RATE // 2000} kHz, whatever the rate of the WAV."
    if config.quantisation == "linear" and not config.pre_emphasis:
        yield "8 bits, linear: what is quieter than about -42 dBFS is lost, and soft sounds carry noise."
    if config.source_filter:
        yield "Its timbres are those of the recordings it holds: it varies and joins them, and invents none."
    if config.starts_from_pictures:
        duration = config.encoder_window * FRAME_LENGTH / SAMPLE_RATE
        yield f"Longer clips are looked at in stretches of {duration:.1f} s, each knows nothing of the others."
    if config.visual is not None:
        yield "Only the square in the middle of the picture is looked at."
    if not description.get("quality"):
        yield "How good it is was not written down; listen before you rely on it."


def _sizes(config: ModelConfig, description: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"SampleRNN, three tiers of {config.coarse_unit}, {config.mid_unit} and 1 samples, {config.hidden_size} wide; "
        f"256 levels, {config.quantisation}; conditioning `{config.conditioning}`"
        f"{'; it makes an excitation, filters give it its timbre' if config.source_filter else ''}"
    )
    if visual := config.visual:
        motion = (
            f", and {visual.motion_features} of {_FLOWS[visual.flow_method]} flow" if visual.motion_features else ""
        )
        size, network = visual.picture_size, _NETWORKS[visual.picture_network]
        yield f"Looks at pictures of {size} x {size} with {network}: {visual.picture_features} numbers each{motion}"
    for key, value in (description.get("visual") or {}).items():
        yield f"{_title(key)}: {value}"
    training = description.get("training") or {}
    if samples := training.get("samples"):
        hours = samples / SAMPLE_RATE / 3600
        start = f", from the weights of {training['started_from']}" if training.get("started_from") else ""
        yield f"Trained for {training.get('steps', '?')} steps on {hours:.1f} hours of sound, repeats counted{start}"
    precision = description.get("precision", "fp32")
    yield f"Weights stored in {precision}, sampled at temperature {description['temperature']}"
    yield from rounding_lines(description)
    for name, digest in (description.get("files") or {}).items():
        yield f"`{name}`, SHA-256 {digest}"


def rounding_lines(description: Mapping[str, Any]) -> Iterator[str]:
    """What storing the sampler's weights in fewer bits costs, a line for each precision that was tried."""
    rounding = description.get("rounding") or {}
    for precision, nats in rounding.get("nats_per_sample", {}).items():
        taken = "" if precision == description["precision"] else "; not taken"
        yield (
            f"Rounded to {precision}, what a sample is drawn from moves by {nats['mean']:.2g} nats (Kullback-Leibler "
            f"divergence from fp32, mean over {rounding['samples']:,} samples: {rounding['measured_on']}; the worst "
            f"sample {nats['worst']:.2g}, allowed in the mean {rounding['max_nats_per_sample']:g}){taken}"
        )


def _bullets(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _words(name: str) -> str:
    return (
        name.replace("_", " ")
        .replace("onset f1", "onset F1")
        .replace("top1", "top-1")
        .replace("top5", "top-5")
        .replace("sha256", "SHA-256")
    )


def _title(name: str) -> str:
    words = _words(name)
    return words[:1].upper() + words[1:]


def _figure(value: object) -> str:
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"
