"""How well the network predicts what it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from v2s_engine.corpus.clip_material import PreparedClip
from v2s_engine.corpus.recordings import Recording
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.train.chunks import ChunkStream
from v2s_engine.train.clip_stream import ClipStream, ClipStreamOptions
from v2s_engine.train.steps import Batch, begin, sums_of
from v2s_engine.train.stream import ExcerptStream, StreamOptions

_STREAM = StreamOptions(rows=16, gain_range=(0.0, 0.0), speeds=(1.0,), level_jitter=0.0, noise_share=0.0, seed=1)
_CHUNKS = 48

_CLIPS = 16
_CLIP_CHUNKS = 4 * SAMPLE_RATE // FRAME_LENGTH  # 4 s


def held_out_loss(model: SampleRNN, recordings: Sequence[Recording]) -> float:
    """Mean cross entropy in nats per sample over the same excerpts each time; states are carried as in training."""
    return stream_loss(model, ExcerptStream(recordings, model.config, _STREAM), _CHUNKS)


def held_out_clip_loss(model: SampleRNN, clips: Sequence[PreparedClip]) -> float:
    """The same over 4 s each of up to 16 clips, always the same ones, spread over the classes.

    Sounds are as recorded: what is shorter is followed by another clip, not looped. A window of pictures that the clip
    does not fill is looped, as in use. What is compared from checkpoint to checkpoint; `v2s evaluate` measures all
    clips, whole.
    """
    chosen = spread_over_classes(clips, _CLIPS)
    options = ClipStreamOptions(rows=len(chosen), chunk_length=FRAME_LENGTH, fill="mask", seed=1)
    return stream_loss(model, ClipStream(chosen, model.config, options), _CLIP_CHUNKS)


def spread_over_classes(clips: Sequence[PreparedClip], most: int) -> list[PreparedClip]:
    """At most so many of the clips: the first of each class, then the second of each, and so on."""
    by_class: dict[int, list[PreparedClip]] = {}
    for clip in clips:
        by_class.setdefault(clip.class_index, []).append(clip)
    ranked = [(rank, index, clip) for index, each in by_class.items() for rank, clip in enumerate(each)]
    return [clip for _, _, clip in sorted(ranked, key=lambda entry: entry[:2])[:most]]


@torch.no_grad()
def stream_loss(model: SampleRNN, stream: ChunkStream, chunks: int) -> float:
    """Mean cross entropy, nats per sample that counts, over the next chunks of a stream."""
    device = next(model.parameters()).device
    blank = torch.zeros(len(stream.rows), model.config.hidden_size, device=device)
    state = TierState(blank, blank)
    loss, count = 0.0, 0
    for _ in range(chunks):
        chunk = stream.next_chunk()
        batch = Batch.of(chunk, device)
        logits, state = model(batch.codes, batch.conditioning, begin(model, batch, state))
        loss += float(sums_of(logits, batch.targets).loss)
        count += int(chunk.mask.sum())
    return loss / max(count, 1)
