"""Options that travel with a model: one frozen dataclass is the header of every checkpoint and bundle."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, FRAME_LENGTH

Quantisation = Literal["linear", "mu-law"]
"""How an amplitude becomes one of 256 codes; in both, code 128 is silence and decodes to exactly 0."""

ConditioningName = Literal["envelope", "frame", "sequence", "flow"]
"""What the coarsest tier is told about the pictures: ours, and the three of "Visual to Sound" section 4."""

PictureNetworkName = Literal["vgg19", "small"]
"""What looks at single pictures: fc6 of VGG19 as in the paper, or a small network for experiments and tests."""

FlowMethod = Literal["dis", "raft"]
"""How optical flow is measured: OpenCV's DIS, or torchvision's RAFT (better, and wants a GPU)."""

LEVELS = 256
SILENCE_CODE = 128

ENVELOPE_WINDOW = 4
"""Envelope steps told to the coarsest tier at once: the one before, the current one, and two to come."""

TIMBRE_BANDS = 64
"""Bands of the spectral envelope that a source-filter model is told of (see `v2s_engine.timbre`)."""

TIMBRE_SIZE = 2 + 2 * TIMBRE_BANDS
"""Numbers per envelope step that say what a sound's timbre is: pitch and its strength, and levels at both ends."""

PAPER_WINDOW = 156
"""Pictures in the 10 s that the paper cuts or loops every clip to: 156 x 1,024 = 159,744 samples."""


@dataclass(frozen=True)
class VisualConfig:
    """What pictures are looked at with, where the conditioning is one of the paper's. Raises `UsageError`.

    One feature vector per picture, [picture network's | motion network's]. How many numbers the paper's motion network
    gives is not known; 4,096 (an fc6, like the picture network's) is our choice.
    """

    picture_network: PictureNetworkName = "vgg19"
    picture_size: int = 224
    """Pixels, width and height of what both networks see."""
    picture_features: int = 4096
    """Numbers per picture; always 4,096 for `vgg19`."""
    motion_features: int = 0
    """Numbers per picture from the temporal network on optical flow; 0 without one."""
    flow_method: FlowMethod = "dis"
    flow_stack: int = 10
    """Flow fields that the temporal network sees at once, L; they are 2 L channels (two-stream networks, 2014)."""

    def __post_init__(self) -> None:
        for name, known in (("picture_network", PictureNetworkName), ("flow_method", FlowMethod)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(f"VisualConfig.{name} must be one of {get_args(known)}; got {getattr(self, name)!r}")
        if self.picture_network == "vgg19" and self.picture_features != 4096:
            raise UsageError(f"fc6 of VGG19 gives 4096 features; got picture_features {self.picture_features}")
        if self.picture_size < 32 or self.picture_size % 16:
            raise UsageError(f"VisualConfig.picture_size wants a multiple of 16 from 32; got {self.picture_size}")
        if self.picture_features < 1 or self.motion_features < 0 or self.flow_stack < 1:
            raise UsageError(
                "VisualConfig wants picture_features and flow_stack of at least 1 and motion_features of at least 0; "
                f"got {self.picture_features}, {self.flow_stack}, {self.motion_features}"
            )

    @property
    def feature_size(self) -> int:
        """Numbers per picture in all, V."""
        return self.picture_features + self.motion_features


@dataclass(frozen=True)
class ModelConfig:
    """Shape of one SampleRNN and what it expects. Raises `UsageError` where fields contradict each other.

    Three tiers as in "Visual to Sound" section 3 on top of SampleRNN (Mehri et al. 2017): two GRUs at `coarse_unit`
    and `mid_unit` samples per step and an MLP over the last `window` samples.
    """

    sound_classes: tuple[str, ...]
    """What this model can sound like; the position in the tuple is the class index."""
    hidden_size: int = 256
    """Width of both GRUs."""
    mlp_size: int = 256
    """Width of the MLP of the finest tier."""
    coarse_unit: int = 8
    """Samples that one step of the coarsest tier covers; divides 256."""
    mid_unit: int = 2
    """Samples that one step of the middle tier covers; divides `coarse_unit`."""
    window: int = 4
    """Past samples that the finest tier sees directly."""
    embedding_size: int = 256
    """Size of the embedding of one code in the finest tier."""
    quantisation: Quantisation = "mu-law"
    pre_emphasis: float = 0.0
    """Coefficient a of y[t] = x[t] - a x[t-1], applied before quantisation and undone after it; 0 switches it off."""
    source_filter: bool = False
    """Whether the network makes a nearly white excitation that filters colour by a timbre chosen for the sound, and is
    told of that timbre (see `v2s_engine.timbre`); only for `envelope`, without pre-emphasis."""
    conditioning: ConditioningName = "envelope"
    visual: VisualConfig | None = None
    """What looks at the pictures; wanted by all conditionings but `envelope`, whose encoder has options of its own."""
    sample_expansion: int = 0
    """Width that the samples of a coarse unit are expanded to before they enter the coarsest GRU; 0: they go in as they
    are. The paper has 4,096 where frames are joined to them, so that both weigh the same."""
    encoder_window: int = PAPER_WINDOW
    """Pictures that `sequence` and `flow` see as a whole; longer clips are encoded window by window."""
    weight_norm: bool = False
    """Whether training reparametrises all linear layers and GRUs by weight norm; gone in every exported model."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sound_classes", tuple(self.sound_classes))
        if not self.sound_classes or len(set(self.sound_classes)) != len(self.sound_classes):
            raise UsageError(
                f"ModelConfig.sound_classes must name at least one class, each once; got {self.sound_classes!r}"
            )
        for name in ("hidden_size", "mlp_size", "mid_unit", "window", "embedding_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"ModelConfig.{name} must be at least 1; got {getattr(self, name)}")
        if self.coarse_unit % self.mid_unit or ENVELOPE_LENGTH % self.coarse_unit:
            raise UsageError(
                f"ModelConfig wants mid_unit to divide coarse_unit and coarse_unit to divide {ENVELOPE_LENGTH}; "
                f"got mid_unit {self.mid_unit}, coarse_unit {self.coarse_unit}"
            )
        if self.quantisation not in get_args(Quantisation):
            raise UsageError(
                f"ModelConfig.quantisation must be one of {get_args(Quantisation)}; got {self.quantisation!r}"
            )
        if self.conditioning not in get_args(ConditioningName):
            raise UsageError(
                f"ModelConfig.conditioning must be one of {get_args(ConditioningName)}; got {self.conditioning!r}"
            )
        if not 0 <= self.pre_emphasis < 1:
            raise UsageError(f"ModelConfig.pre_emphasis must lie in [0, 1); got {self.pre_emphasis}")
        if self.source_filter and (self.conditioning != "envelope" or self.pre_emphasis):
            raise UsageError(
                "ModelConfig.source_filter belongs to the conditioning envelope and wants pre_emphasis 0, since its "
                f"filters do that and more; got {self.conditioning!r} and {self.pre_emphasis}"
            )
        self._check_pictures()

    def _check_pictures(self) -> None:
        if (self.visual is None) != (self.conditioning == "envelope"):
            raise UsageError(
                f"ModelConfig.visual belongs to the conditionings frame, sequence and flow, and to no other; "
                f"got conditioning {self.conditioning!r} with visual {self.visual}"
            )
        if self.visual and (self.visual.motion_features > 0) != (self.conditioning == "flow"):
            raise UsageError(
                f"VisualConfig.motion_features belongs to the conditioning flow, and to no other; "
                f"got {self.visual.motion_features} for {self.conditioning!r}"
            )
        if self.sample_expansion < 0 or self.encoder_window < 1:
            raise UsageError(
                "ModelConfig wants sample_expansion of at least 0 and encoder_window of at least 1; "
                f"got {self.sample_expansion}, {self.encoder_window}"
            )

    @property
    def conditioning_size(self) -> int:
        """Numbers per conditioning vector, C: what is told of pictures or envelope, and the sound class as one-hot."""
        classes = len(self.sound_classes)
        if self.conditioning == "envelope":
            return 2 * ENVELOPE_WINDOW + (TIMBRE_SIZE if self.source_filter else 0) + classes
        return classes + (self.feature_size if self.conditioning == "frame" else 0)

    @property
    def feature_size(self) -> int:
        """Numbers per picture that the visual encoder gives, V; 0 for `envelope`."""
        return self.visual.feature_size if self.visual else 0

    @property
    def starts_from_pictures(self) -> bool:
        """Whether the coarsest tier starts each window from a state that the pictures gave (`sequence`, `flow`)."""
        return self.conditioning in ("sequence", "flow")

    @property
    def encoder_window_length(self) -> int:
        """Samples that `encoder_window` pictures last."""
        return self.encoder_window * FRAME_LENGTH

    @property
    def conditioning_length(self) -> int:
        """Samples that one conditioning vector covers."""
        return ENVELOPE_LENGTH if self.conditioning == "envelope" else FRAME_LENGTH

    @property
    def history_length(self) -> int:
        """Past codes that a step at the start of a unit needs."""
        return max(self.coarse_unit, self.window)

    def class_index(self, sound_class: str) -> int:
        """Position of a sound class; raises `UsageError` that lists the known ones."""
        if sound_class not in self.sound_classes:
            raise UsageError(f"this model has no sound class {sound_class!r}; it has: {', '.join(self.sound_classes)}")
        return self.sound_classes.index(sound_class)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for `bundle.json` and checkpoints."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelConfig:
        """Inverse of `to_json`; raises `UsageError` that names an unknown or missing field."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(data) - known):
            raise UsageError(f"unknown model option {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        try:
            visual = data.get("visual")
            return cls(**{**data, "visual": VisualConfig(**visual) if visual else None})
        except TypeError as error:
            raise UsageError(f"model options are not complete: {error}") from error
