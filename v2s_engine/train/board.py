"""What a training tells, for TensorBoard: curves, sounds and spectrograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.train.journal import NATS_TO_BITS, StepRecord
from v2s_engine.train.preview import Preview

FOLDER = "tensorboard"
"""Below the output folder: `tensorboard --logdir OUTPUT`."""

_TAGS = {"held_out_nats": "loss/held_out_nats", "held_out_bits": "loss/held_out_bits"}


class Board:
    """Event files in OUTPUT/tensorboard; a resumed training goes on in the same curves."""

    def __init__(self, output: Path) -> None:
        self._folder = output / FOLDER
        self._writer: SummaryWriter | None = None

    def rewind(self, step: int) -> None:
        """Begin, or go on after `step`: points beyond it disappear from the curves."""
        self.close()
        self._writer = SummaryWriter(str(self._folder), purge_step=step + 1 if step else None)

    def add_step(self, record: StepRecord) -> None:
        """The curves of every step."""
        for tag, value in (
            ("loss/nats", record.loss),
            ("loss/bits", record.loss * NATS_TO_BITS),
            ("accuracy", record.accuracy),
            ("encoder_gradient_norm", record.encoder_gradient),
            ("learning_rate", record.learning_rate),
        ):
            self._open.add_scalar(tag, value, record.step)

    def add_checkpoint(self, entry: Mapping[str, float]) -> None:
        """What was measured at a checkpoint; the means over steps are in the curves already."""
        step = int(entry["step"])
        for name, value in entry.items():
            if name in _TAGS or name == "samples_per_second":
                self._open.add_scalar(_TAGS.get(name, name), value, step)
        self._open.flush()

    def add_previews(self, previews: Sequence[Preview], step: int) -> None:
        """Sounds by class and temperature, and their spectrograms."""
        for preview in previews:
            name = preview.sound_class
            self._open.add_audio(f"{name}/recorded", preview.recorded[None], step, SAMPLE_RATE)
            for temperature, sound in preview.generated.items():
                self._open.add_audio(f"{name}/T={temperature:g}", sound[None], step, SAMPLE_RATE)
            self._open.add_figure(f"{name}/spectrograms", preview.figure(), step, close=False)
        self._open.flush()

    def close(self) -> None:
        """Nothing more will come."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def _open(self) -> SummaryWriter:
        if self._writer is None:
            self._writer = SummaryWriter(str(self._folder))
        return self._writer
