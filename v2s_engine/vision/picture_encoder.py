"""The visual encoder of the paper's conditionings as shipped: what a clip's pictures look like, by ONNX Runtime.

encoder.onnx        pictures [N, S, S, 3] uint8 (and flow [N, 2 L, S, S]) -> features [N, V]
conditioning.onnx   features [T, V] of one window -> state [1, d], where the model starts from pictures
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from v2s_engine.arrays import FloatArray, all_finite, joined, on_host
from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.video import Pictures
from v2s_engine.vision.chunks import checked, chunked
from v2s_engine.vision.flow import Flow, open_flow
from v2s_engine.vision.flow_stack import FlowStacks
from v2s_engine.vision.framing import read_framed
from v2s_engine.vision.session import CPU, device_of, open_session, run_bound

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CHUNK = 4
"""Pictures that go through the networks at once. More cost memory and no time is won on a CPU. The first goes alone, so
that sound can begin after it."""

PICTURES, FLOW, FEATURES, STATE = "pictures", "flow", "features", "state"
"""Names of the models' inputs and outputs."""

FORMAT_KEY, FORMAT = "v2s_format", "visual-1"
VISUAL_KEY, FLOW_KEY = "v2s_visual", "v2s_flow"
"""Entries in encoder.onnx's metadata: what it is, its `VisualConfig` as JSON, and the digest of the `Flow` that it was
exported with, where it looks at any."""

_Pictures = NDArray[np.uint8]
_Floats = NDArray[np.float32]


class PictureEncoder:
    """The networks of a bundle whose conditioning is `frame`, `sequence` or `flow`. Raises as `open_session`.

    `state_path` is `conditioning.onnx`, or None for `frame`; `threads` is how many threads a network may use. How a
    clip is cut into chunks does not show in the result beyond the rounding of sums.

    `on_device` is for a sampler that runs where these networks do: `parts` and `windows` are PyTorch's tensors there
    then, the same bits as otherwise, and do not pass host memory on their way to that sampler or to `state`. Whoever
    looks at pictures waits for each part, to see that its numbers are finite; whoever samples need not. Not yet run on
    a GPU.

    Raises `BundleDamagedError` where a model is not the one that `config` speaks of, or was exported with another flow
    than is measured here, and later where it gives features that are not finite; for `flow` the errors of `open_flow`.
    """

    def __init__(
        self,
        encoder_path: Path,
        state_path: Path | None,
        config: ModelConfig,
        providers: Sequence[str] = CPU,
        *,
        threads: int = 1,
        chunk: int = CHUNK,
        on_device: bool = False,
    ) -> None:
        if config.visual is None:
            raise UsageError(f"conditioning {config.conditioning!r} has no visual encoder; use `Encoder`")
        self.config = config
        self._visual: VisualConfig = config.visual
        self._chunk = chunk
        self._on_device = on_device
        self._path = encoder_path
        self._flow = open_flow(config.visual.flow_method) if config.visual.motion_features else None
        self._encoder = open_session(encoder_path, providers, threads)
        _check_encoder(self._encoder, encoder_path, config.visual, self._flow)
        self._state: InferenceSession | None = None
        if config.starts_from_pictures:
            if state_path is None:
                raise UsageError(f"conditioning {config.conditioning!r} wants conditioning.onnx; got no path")
            self._state = open_session(state_path, providers, threads)
            _check_ends(self._state, state_path, {FEATURES: [config.feature_size]}, {STATE: [config.hidden_size]})

    @property
    def providers(self) -> list[str]:
        """Execution providers that the encoder runs on."""
        return list(self._encoder.get_providers())

    def features(self, media: Pictures, times: Sequence[Fraction], progress: Progress | None = None) -> _Floats:
        """Features `[N, V]` of the pictures on screen at `times`, 64 ms apart.

        `times` are seconds from the file's first picture; falling for a reversed clip. In host memory, always. Raises
        the errors of `read_pictures`, `CancelledError`, and `BundleDamagedError` for features that are not finite.
        """
        return self._joined(self.parts(media, times, progress))

    def parts(
        self, media: Pictures, times: Sequence[Fraction], progress: Progress | None = None
    ) -> Iterator[FloatArray]:
        """`features` in parts `[n, V]`, each as soon as its pictures have been seen; the first is of one picture."""
        return self._chunks(self._framed(media, times), len(times), progress, media.name)

    def parts_of(self, pictures: Sequence[_Pictures], progress: Progress | None = None) -> Iterator[FloatArray]:
        """`features_of` in such parts."""
        return self._chunks(pictures, len(pictures), progress)

    def features_of(self, pictures: Iterable[_Pictures], progress: Progress | None = None) -> _Floats:
        """Features `[N, V]` of N pictures `[S, S, 3]` that come 64 ms apart."""
        return self._joined(self.parts_of(list(pictures), progress))

    def windows(
        self, media: Pictures, times: Sequence[Fraction], progress: Progress | None = None
    ) -> Iterator[FloatArray]:
        """`parts` in stretches of `encoder_window` pictures; the last one is as long as what is left."""
        held: list[FloatArray] = []
        count, each = 0, self.config.encoder_window
        for chunk in self.parts(media, times, progress):
            held.append(chunk)
            count += len(chunk)
            while count >= each:
                whole = joined(held)
                yield whole[:each]
                held, count = [whole[each:]], count - each
        if count:
            yield joined(held)

    def state(self, features: FloatArray) -> _Floats:
        """The state `[d]` that a whole window of features `[T, V]` gives. Raises `UsageError` where there is none.

        In host memory, always: it becomes part of a `SamplerState`, which lies there between calls of any sampler. It
        is a few kB for ten seconds of sound.
        """
        if self._state is None:
            raise UsageError("the conditioning frame has no state: give the sampler the features themselves")
        state: _Floats = run_bound(self._state, {FEATURES: features}, STATE).numpy()[0]
        return state

    def _framed(self, media: Pictures, times: Sequence[Fraction]) -> Iterable[_Pictures]:
        return read_framed(media, times, self._visual.picture_size) if times else ()

    def _joined(self, chunks: Iterable[FloatArray]) -> _Floats:
        held = [on_host(chunk) for chunk in chunks]
        return np.concatenate(held) if held else np.zeros((0, self.config.feature_size), np.float32)

    def _chunks(
        self, pictures: Iterable[_Pictures], count: int, progress: Progress | None, item: str = ""
    ) -> Iterator[FloatArray]:
        progress, done = progress or Progress(), 0
        for inputs in self._inputs(checked(pictures, progress)):
            features = self._looked(inputs)
            done += len(features)
            progress.step("encode", done, count, item)
            yield features

    def _looked(self, inputs: dict[str, NDArray[np.generic]]) -> FloatArray:
        """The features `[n, V]` of n pictures."""
        features: FloatArray
        if self._on_device:
            import torch  # noqa: PLC0415 - only who samples with it on a GPU asks for this

            shape, place = (len(inputs[PICTURES]), self._visual.feature_size), torch.device(device_of(self._encoder), 0)
            features = torch.empty(shape, dtype=torch.float32, device=place)
            run_bound(self._encoder, inputs, FEATURES, features)
        else:
            features = run_bound(self._encoder, inputs, FEATURES).numpy()
        if not all_finite(features):  # a network that takes them on may hide it
            raise BundleDamagedError(
                f"{self._path} gives features that are not finite numbers, as damaged weights do; export the bundle "
                "again, or look at the pictures with --device cpu"
            )
        return features

    def _inputs(self, pictures: Iterable[_Pictures]) -> Iterator[dict[str, NDArray[np.generic]]]:
        """What the network is given, `chunk` pictures at a time."""
        if self._flow is None:
            for some in chunked(pictures, self._chunk, first=1):
                yield {PICTURES: np.stack(some)}
            return
        stacks = _with_stacks(pictures, self._flow.restarted(), self._visual.flow_stack)
        for pairs in chunked(stacks, self._chunk, first=1):
            yield {
                PICTURES: np.stack([picture for picture, _ in pairs]),
                FLOW: np.stack([stack for _, stack in pairs]),
            }


def visual_metadata(visual: VisualConfig, flow: Flow | None) -> dict[str, str]:
    """What encoder.onnx says of itself."""
    told = {FORMAT_KEY: FORMAT, VISUAL_KEY: json.dumps(asdict(visual), sort_keys=True)}
    return told | {FLOW_KEY: flow.digest} if flow else told


def _with_stacks(pictures: Iterable[_Pictures], flow: Flow, length: int) -> Iterator[tuple[_Pictures, _Floats]]:
    """Every picture with the stack of flow fields around it; a stack is complete some pictures later."""
    stacks, waiting = FlowStacks(length), deque[_Pictures]()
    for picture in pictures:
        waiting.append(picture)
        stack = stacks.add(flow.step(picture))
        if stack is not None:
            yield waiting.popleft(), stack
    yield from zip(waiting, stacks.rest(), strict=True)


def _check_encoder(session: InferenceSession, path: Path, visual: VisualConfig, flow: Flow | None) -> None:
    size = visual.picture_size
    wanted = {PICTURES: [size, size, 3]}
    if visual.motion_features:
        wanted[FLOW] = [2 * visual.flow_stack, size, size]
    said, meant = dict(session.get_modelmeta().custom_metadata_map), visual_metadata(visual, flow)
    if flow and said.get(FLOW_KEY) != flow.digest:
        raise BundleDamagedError(
            f"{path} was exported with optical flow by {said.get(FLOW_KEY)!r}, and here it is measured by "
            f"{flow.digest!r}: the model would see other motion than it learned from; export the bundle again with "
            "the flow that is measured here"
        )
    if any(said.get(key) != value for key, value in meant.items()):
        raise BundleDamagedError(
            f"{path} is another visual encoder than bundle.json says: its metadata are {said}, wanted {meant}; "
            "export the bundle again"
        )
    _check_ends(session, path, wanted, {FEATURES: [visual.feature_size]})


def _check_ends(
    session: InferenceSession, path: Path, inputs: dict[str, list[int]], outputs: dict[str, list[int]]
) -> None:
    got_in = {end.name: list(end.shape)[1:] for end in session.get_inputs()}
    got_out = {end.name: list(end.shape)[1:] for end in session.get_outputs()}
    if (got_in, got_out) != (inputs, outputs):
        raise BundleDamagedError(
            f"{path} does not belong to this model: wanted inputs {inputs} and outputs {outputs}, sizes but the first, "
            f"got {got_in} and {got_out}; export the bundle again"
        )
