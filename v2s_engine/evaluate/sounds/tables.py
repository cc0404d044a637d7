"""The Markdown page of a bundle's sounds, in tables ready for a model card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from v2s_engine.evaluate.sounds.confusion import Confusion
from v2s_engine.evaluate.sounds.results import LEAST_KNOWN, Apart, ClassResult, Range, SoundsResult

NOTHING = "–"

_TRAITS = (
    ("floor_db", "floor, dB", "{:.0f}"),
    ("dc", "DC", "{:.4f}"),
    ("clipped", "clipped", "{:.1%}"),
    ("loop_s", "loop, s", "{:.2f}"),
    ("bandwidth_hz", "95 % below, Hz", "{:.0f}"),
)


def sounds_page(result: SoundsResult) -> str:
    """All tables as one page."""
    lines = [
        f"# Sounds of the bundle `{result.bundle}`",
        "",
        f"Takes of 4 s at temperature {result.temperature:g}, seed {result.seed}, as the sampler makes them, before "
        "any gain. – : nothing to measure.",
        *_judge(result),
        *_judged(result),
        *_followed(result.classes),
        *_natural(result.classes),
    ]
    return "\n".join(lines) + "\n"


def _judge(result: SoundsResult) -> Iterator[str]:
    accuracy = result.real_accuracy
    held = result.judge_held
    trained = ", ".join(f"{name} {count}" for name, count in result.judge_recordings.items())
    yield from (
        "",
        "## The judge",
        "",
        f"Trained on recordings held for testing ({trained}) and on painted sounds of all classes. "
        f"Right on recordings that it never heard: {_percent(accuracy.overall)} of all, "
        f"{_percent(accuracy.balanced)} as mean over classes. On held recordings, their own sources left out: "
        f"{_percent(held.overall)} of all, {_percent(held.balanced)} as mean over classes. "
        "Noise is a verdict of its own (`none`).",
    )
    if accuracy.overall is not None and accuracy.overall < 0.8:
        yield from ("", "**That is below 80 %: its verdicts on generated sounds say little.**")
    yield from ("", "What recordings that it never heard are taken for:", "")
    yield from _confusion(result.judge_unheard)


def _confusion(confusion: Confusion) -> Iterator[str]:
    verdicts = sorted({verdict for row in confusion.counts.values() for verdict in row})
    rows = [
        (name, *(str(row.get(each, "")) for each in verdicts), _percent(confusion.share(name)))
        for name, row in confusion.counts.items()
    ]
    yield from _table(("is", *verdicts, "right"), rows)


def _judged(result: SoundsResult) -> Iterator[str]:
    header = ("class", "takes", "judged right", "mean p", "real, held", "real, unheard", "noise", "other classes", "as")
    yield from ("", "## Is it that class?", "")
    really = [each for each in result.classes if each.judged.really]
    painted = [each for each in result.classes if not each.judged.really]
    if really:
        known = ", ".join(each.sound_class for each in result.known) or "none"
        yield (
            f"Classes judged on real recordings; mean **{_percent(result.known_share)}** over those of which the judge "
            f"recognises at least {_percent(LEAST_KNOWN)} of the real recordings that it never heard ({known}); "
            f"{_percent(result.mean_share)} over all."
        )
        yield ""
        yield from _table(header, [_judged_row(each) for each in really])
    if painted:
        yield from ("", "Classes judged on painted sounds alone, which proves little; in no mean.", "")
        yield from _table(header, [_judged_row(each) for each in painted])
    yield from (
        "",
        "Ceilings: real recordings held for testing, by judges that did not hear their source, and real recordings "
        "that no judge heard. Floors: noise shaped by the same envelopes, and all other classes' takes. "
        "`as`: what the takes are taken for.",
    )


def _judged_row(each: ClassResult) -> Sequence[str]:
    judged = each.judged
    verdicts = ", ".join(f"{name} {count}" for name, count in judged.verdicts.items())
    shares = (judged.held, judged.unheard, judged.noise, judged.others)
    return (
        each.sound_class,
        str(each.takes),
        _percent(judged.share),
        f"{judged.probability:.2f}",
        *map(_percent, shares),
        verdicts,
    )


def _followed(classes: Sequence[ClassResult]) -> Iterator[str]:
    yield from ("", "## Does it follow?", "")
    header = (
        "class",
        "envelopes",
        "rank",
        "noise",
        "cues",
        "within 20 ms",
        "noise",
        "missed",
        "lag, ms",
        "silence kept",
    )
    rows = [
        (
            each.sound_class,
            each.followed.envelopes,
            _number(each.followed.correlation, 3),
            _number(each.followed.noise_correlation, 3),
            str(each.followed.cues or NOTHING),
            _percent(each.followed.on_time),
            _percent(each.followed.noise_on_time),
            _percent(each.followed.missed),
            _number(each.followed.lag_ms, 1),
            _percent(each.followed.silent),
        )
        for each in classes
    ]
    yield from _table(header, rows)
    yield from (
        "",
        "Rank correlation of loudness over steps of 16 ms above -55 dBFS; cues in silence; silence kept: at most -55 "
        "dBFS from 100 ms after the last sound asked for. Noise: shaped by the same envelopes.",
    )


def _natural(classes: Sequence[ClassResult]) -> Iterator[str]:
    found = [(each.sound_class, each.natural) for each in classes if each.natural]
    if not found:
        return
    distances = ("halves", "ratio", "other real")
    yield from ("", "## Is it natural?", "")
    yield from _table(
        ("class", "real", "log-mel, dB", *distances, "Fréchet", *distances, "takes differ, dB", "real differ"),
        [
            (
                name,
                f"{each.recordings} {each.reference}",
                *_apart(each.mel, 1),
                *_apart(each.frechet, 2),
                _number(each.difference, 1),
                _number(each.real_difference, 1),
            )
            for name, each in found
        ],
    )
    yield from (
        "",
        "Distances from real recordings; of two halves of these from each other, and the ratio; of real recordings "
        "from other sources, those for training: a model that learned from them can hardly be nearer.",
        "",
        "Median over sounds, and 5th to 95th percentile; above generated, below real.",
        "",
    )
    rows = []
    for name, each in found:
        rows += [
            (label, *(_range(ranges[trait], form) for trait, _, form in _TRAITS))
            for label, ranges in ((name, each.generated), (f"{name}, real", each.real))
        ]
    yield from _table(("class", *(title for _, title, _ in _TRAITS)), rows)


def _apart(apart: Apart | None, digits: int) -> tuple[str, ...]:
    if apart is None:
        return (NOTHING,) * 4
    generated, halves, others = (_number(each, digits) for each in (apart.generated, apart.halves, apart.others))
    return generated, halves, _number(apart.ratio, 2), others


def _range(values: Range, form: str) -> str:
    median, low, high = (form.format(each) for each in (values.median, values.low, values.high))
    return f"{median} ({low} to {high})"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.0f} %"


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
