"""The Markdown page of an evaluation: the paper's tables, and the ones that it does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from v2s_engine.evaluate.generated import Compared, GeneratedResult, QualityMeans
from v2s_engine.evaluate.onset_scores import TOLERANCE_LENGTH, OnsetScores
from v2s_engine.evaluate.results import EvaluationResult, MethodResult
from v2s_engine.evaluate.retrieval import HitShare, RetrievalScores
from v2s_engine.evaluate.statistics import Mean, PairedDifference
from v2s_engine.grid import SAMPLE_RATE

NOTHING = "–"

Row = Sequence[str]


def markdown_page(result: EvaluationResult) -> str:
    """All tables as one page. Intervals are 95 % bootstrap intervals over clips; n is said in every table."""
    clips = ", ".join(f"{count} {split}" for split, count in result.clips.items())
    lines = [
        "# Evaluation",
        "",
        f"Clips: {clips}; {len(result.categories)} categories ({', '.join(result.categories)}). Seed {result.seed}.",
        "In brackets: 95 % bootstrap interval over clips. – : not computed, the reason is in the notes.",
        *_cross_entropy(result.methods),
        *_shuffles(result.methods),
        *_retrieval(result.methods),
        *_timing(result.methods),
        *_onsets(result.methods),
        *_quality(result.methods),
        *_notes(result),
    ]
    return "\n".join(lines) + "\n"


def _cross_entropy(methods: Sequence[MethodResult]) -> Iterator[str]:
    yield from _heading(
        "Cross entropy (lower is better)",
        "Teacher-forced, per sample. An even guess among 256 codes: 5.545 nats, 8 bits.",
    )
    yield from _table(
        ("method", "parameters", "split", "n", "nats", "bits"),
        [
            (
                method.name,
                f"{method.parameters:,}",
                cell.split,
                str(cell.nats.n),
                _mean(cell.nats, 4),
                _number(cell.bits, 4),
            )
            for method in methods
            for cell in method.cross_entropy
        ],
    )


def _shuffles(methods: Sequence[MethodResult]) -> Iterator[str]:
    yield from _heading(
        "Shuffled pictures",
        "Loss with another clip's pictures minus loss with the right ones; above 0: the pictures help. "
        "p: two-sided sign-flip permutation test over clips.",
    )
    yield from _table(
        ("method", "shuffle", "n", "difference (nats)", "p", "clips helped"),
        [
            (
                method.name,
                shuffle.kind,
                str(shuffle.difference.n),
                _difference(shuffle.difference, 5),
                _p(shuffle.difference),
                _percent(shuffle.helped),
            )
            for method in methods
            for shuffle in method.shuffles
        ],
    )


def _retrieval(methods: Sequence[MethodResult]) -> Iterator[str]:
    found = [(method, method.retrieval) for method in methods if method.retrieval and method.retrieval.n]
    if not found:
        return
    yield from _heading(
        "Retrieval (query: pictures, database: sounds)",
        "Share of queries with a hit in the first 1 or 5. By loss: as in the paper. By gain: each sound's mean loss "
        "over all queries taken off, so that quiet sounds do not always come first. Chance: from these very clips. "
        "In brackets: interval over queries; p: one-sided permutation test against chance.",
    )
    rows: list[Row] = []
    for method, result in found:
        n, longest = str(result.n), f"{result.longest / SAMPLE_RATE:.2f} s"
        told = "yes" if result.class_told else "no"
        rows.append((method.name, "by loss", told, n, longest, *_shares(result.by_loss)))
        rows.append((method.name, "by gain", told, n, longest, *_shares(result.by_gain)))
    chances = {result.chance: result.n for _, result in found}
    for chance, clips in chances.items():
        expected = (chance.category_top1, chance.category_top5, chance.instance_top1, chance.instance_top5)
        rows.append(("chance", NOTHING, NOTHING, str(clips), NOTHING, *map(_percent, expected)))
    top = ("category top-1", "category top-5", "instance top-1", "instance top-5")
    yield from _table(("method", "ranked", "class told", "n", "sounds up to", *top), rows)


def _timing(methods: Sequence[MethodResult]) -> Iterator[str]:
    figures: dict[str, Callable[[GeneratedResult], Compared]] = {
        "onset F1, mean over clips": lambda made: made.onset_f1,
        "envelope correlation": lambda made: made.correlation,
        "envelope correlation at its best lag": lambda made: made.best_correlation,
        "that lag, ms (lower is better)": lambda made: made.lag_ms,
        "AV-Align, ±64 ms": lambda made: made.align,
        "AV-Align, ±1 frame of the file": lambda made: made.align_frame,
    }
    rows: list[Row] = []
    for method, made in _generated(methods):
        for name, figure in figures.items():
            value = figure(made)
            nulls = (
                ("another clip", value.null, value.difference),
                ("within a class", value.null_within, value.difference_within),
            )
            rows += [
                (
                    method.name,
                    name,
                    str(value.value.n),
                    _mean(value.value, 3),
                    kind,
                    str(difference.n),
                    _mean(null, 3),
                    _difference(difference, 3),
                    _p(difference),
                )
                for kind, null, difference in nulls
            ]
        reached = made.align_recorded
        rows.append(("recorded sound", "AV-Align, ±64 ms", str(reached.n), _mean(reached, 3), *[NOTHING] * 5))
    if rows:
        yield from _heading(
            "Generated sounds in time",
            "Made from the test clips' pictures. Null: the recording (for AV-Align: the pictures) of one clip with the "
            "sound made for another, looped or cut to its length. Apart from any clip's: the sounds fit; apart from "
            "those within a class too: they fit in time.",
        )
        names = ("method", "figure", "n", "value", "null", "pairs", "value of the null", "value − null", "p")
        yield from _table(names, _unique(rows))


def _onsets(methods: Sequence[MethodResult]) -> Iterator[str]:
    rows: list[Row] = []
    for method, made in _generated(methods):
        for name, scores in (
            (method.name, made.onsets),
            (f"{method.name}, null: another clip", made.onsets_null),
            (f"{method.name}, null: within a class", made.onsets_null_within),
        ):
            rows.append((name, *_onset_cells(scores)))
    if rows:
        yield from _heading(
            "Onsets",
            f"Events of the made sound within {TOLERANCE_LENGTH * 1000 // SAMPLE_RATE} ms of the recording's, one to "
            "one, all clips together. Recall is what others call onset accuracy.",
        )
        names = ("method", "clips", "true", "made", "matched", "recall", "precision", "F1", "average precision")
        yield from _table(names, rows)


def _onset_cells(scores: OnsetScores) -> Row:
    counts = (scores.clips, scores.true, scores.predicted, scores.matched)
    means = scores.over_clips
    shares = [_mean(each, 3) for each in (means.recall, means.precision, means.f1)]
    return [*map(str, counts), *shares, _number(scores.average_precision, 3)]


def _quality(methods: Sequence[MethodResult]) -> Iterator[str]:
    rows: list[Row] = []
    for method, made in _generated(methods):
        rows.append((method.name, *_quality_cells(made.quality), _mean(made.diversity, 2)))
        rows.append(("recorded sound", *_quality_cells(made.quality_recorded), NOTHING))
    if rows:
        yield from _heading(
            "Sound",
            "Loudness and true peak by BS.1770; silence: share of 16 ms steps below -50 dBFS. Diversity: log-spectral "
            "distance between takes; 0: the seed is ignored.",
        )
        names = ("LUFS", "spread, dB", "true peak, dBTP", "silence", "lead, ms", "tail, ms", "clipped clips", "DC")
        yield from _table(("method", "n", *names, "diversity, dB"), _unique(rows))


def _quality_cells(means: QualityMeans) -> Row:
    return [
        str(means.silence.n),
        _number(means.loudness_lufs.mean, 1),
        _number(means.loudness_spread, 1),
        _number(means.true_peak_dbtp.mean, 1),
        _percent(means.silence.mean),
        _number(means.lead_ms.mean, 0),
        _number(means.tail_ms.mean, 0),
        str(means.clipped_clips),
        _number(means.dc_offset.mean, 4),
    ]


def _notes(result: EvaluationResult) -> Iterator[str]:
    notes = [f"- {method.name}: {note}" for method in result.methods for note in method.notes]
    missing = [("", *each) for each in result.left_out]
    missing += [(f"{method.name}: ", *each) for method in result.methods for each in method.left_out]
    if notes:
        yield from ("", "## Notes", "", *notes)
    if missing:
        yield from ("", "## Left out", "", *(f"- {who}{name}: {reason}" for who, name, reason in missing))


def _generated(methods: Sequence[MethodResult]) -> list[tuple[MethodResult, GeneratedResult]]:
    return [(method, method.generated) for method in methods if method.generated and method.generated.n]


def _heading(title: str, text: str) -> Iterator[str]:
    yield from ("", f"## {title}", "", text, "")


def _table(names: Row, rows: Sequence[Row]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _unique(rows: Sequence[Row]) -> list[Row]:
    """Rows that several methods share, such as the recorded sound's, once."""
    return list({tuple(row): row for row in rows}.values())


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return NOTHING
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}"


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"


def _mean(mean: Mean, digits: int) -> str:
    if mean.mean is None:
        return NOTHING
    if mean.low is None or mean.high is None:
        return _number(mean.mean, digits)
    return f"{_number(mean.mean, digits)} [{_number(mean.low, digits)}, {_number(mean.high, digits)}]"


def _difference(difference: PairedDifference, digits: int) -> str:
    if difference.mean is None:
        return NOTHING
    if difference.low is None or difference.high is None:
        return _signed(difference.mean, digits)
    return f"{_signed(difference.mean, digits)} [{_signed(difference.low, digits)}, {_signed(difference.high, digits)}]"


def _p(tested: PairedDifference | HitShare) -> str:
    if tested.p_value is None:
        return NOTHING
    return f"{tested.p_value:.4f}" if tested.p_value >= 1e-4 else "< 0.0001"


def _shares(scores: RetrievalScores) -> Row:
    shares = (scores.category_top1, scores.category_top5, scores.instance_top1, scores.instance_top5)
    return [_share(share) for share in shares]


def _share(hit: HitShare) -> str:
    share = hit.share
    if share.low is None or share.high is None:
        return _percent(share.mean)
    return f"{_percent(share.mean)} [{100 * share.low:.1f}, {100 * share.high:.1f}], p {_p(hit)}"
