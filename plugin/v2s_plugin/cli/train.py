"""`v2s train`: a SampleRNN from folders of recordings, or from an index of clips with pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import JsonOption

SoundsOption = Annotated[
    Path | None,
    typer.Option(
        "--sounds",
        metavar="DIR",
        help="Folder with one sub-folder of recordings per sound class; with --name, of recordings of one sound.",
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="--sounds: one sound of your own of this name, up to its bundle."),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="INDEX", help="Clips: a folder <class>/<clip>, or a CSV of them.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder for checkpoints, log and previews; with --name else ./NAME.v2s-training.",
    ),
]
ClassOption = Annotated[
    list[str] | None, typer.Option("--class", metavar="CLASS", help="A sound class to train; again for more. Else all.")
]
ManifestOption = Annotated[
    Path | None,
    typer.Option("--manifest", metavar="CSV", help="--sounds: which may be trained on or are held back; credits."),
]
SyntheticOption = Annotated[
    Path | None,
    typer.Option("--synthetic", metavar="DIR", help="--sounds: what `v2s corpus sounds` made joins the recordings."),
]
PresetOption = Annotated[
    str | None, typer.Option("--preset", metavar="NAME", help="starter, paper-frame, paper-sequence or paper-flow.")
]
PerClassOption = Annotated[bool, typer.Option("--per-class", help="--data: one model per class, in OUTPUT/CLASS.")]
MergeOption = Annotated[
    str | None, typer.Option("--merge", metavar="NAME", help="--data: take all clips as one sound class of this name.")
]
WeightsOption = Annotated[
    str | None, typer.Option("--weights", metavar="default|FILE|random", help="--data: of the picture network.")
]
MotionWeightsOption = Annotated[
    str | None,
    typer.Option("--motion-weights", metavar="FILE|random", help="--data: of the motion network (paper-flow)."),
]
FlowWeightsOption = Annotated[
    str | None,
    typer.Option("--flow-weights", metavar="default|FILE|random", help="--data: of RAFT, where that measures flow."),
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="--data: where features are kept. Else OUTPUT/cache.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="--data: clips looked at side by side; else 1.")
]
TruncationOption = Annotated[
    str | None,
    typer.Option("--truncation", metavar="chunk|coarse-tier", help="What the coarsest tier is learned through."),
]
StepsOption = Annotated[int | None, typer.Option("--max-steps", "--steps", metavar="N", help="Optimiser steps in all.")]
HoursOption = Annotated[
    float | None, typer.Option("--max-hours", metavar="H", help="Stop, with a checkpoint, after so many hours.")
]
PatienceOption = Annotated[
    int | None, typer.Option("--patience", metavar="N", help="Stop after N checkpoints without a lower held-out loss.")
]
KeepOption = Annotated[int, typer.Option("--keep", metavar="K", help="Keep the last K checkpoints, numbered.")]
RowsOption = Annotated[int | None, typer.Option("--rows", metavar="N", help="Streams side by side: the minibatch.")]
ChunkOption = Annotated[
    int | None, typer.Option("--chunk-length", metavar="N", help="Samples per truncated back-propagation.")
]
FillOption = Annotated[
    str | None,
    typer.Option("--fill", metavar="loop|mask", help="--data: what short clips are filled with; else loop."),
]
RateOption = Annotated[float | None, typer.Option("--learning-rate", metavar="X", help="Adam's, at its highest.")]
EveryOption = Annotated[int | None, typer.Option("--checkpoint-every", metavar="N", help="Steps between checkpoints.")]
PreviewOption = Annotated[
    float | None,
    typer.Option(
        "--preview-seconds",
        metavar="S",
        help="Length of the sounds at each checkpoint; 0 for none. Else 4, or 1 where --hidden-size is above 512.",
    ),
]
TemperatureOption = Annotated[
    list[float] | None,
    typer.Option(
        "--preview-temperature", metavar="T", help="Of those sounds; again for more. Else what fits the preset."
    ),
]
TensorBoardOption = Annotated[
    bool, typer.Option("--tensorboard/--no-tensorboard", help="Curves and sounds in OUTPUT/tensorboard.")
]
PrecisionOption = Annotated[
    bool, typer.Option("--mixed-precision/--full-precision", help="bfloat16 where it does no harm, or float32.")
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same training.")]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda", help="Where to train.")]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="CKPT|BUNDLE|none",
        help="Start from the weights of a checkpoint or bundle; a training that is resumed goes on with its own. With "
        "--name else starter; none: random weights.",
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in the output folder.")]
HiddenOption = Annotated[int | None, typer.Option("--hidden-size", metavar="N", help="Another size of the GRUs.")]
MlpOption = Annotated[int | None, typer.Option("--mlp-size", metavar="N", help="Another size of the MLP.")]
EmbeddingOption = Annotated[int | None, typer.Option("--embedding-size", metavar="N", help="Another embedding.")]
CoarseUnitOption = Annotated[
    int | None, typer.Option("--coarse-unit", metavar="N", help="Samples per step of the coarsest tier; divides 256.")
]
MidUnitOption = Annotated[
    int | None, typer.Option("--mid-unit", metavar="N", help="Samples per step of the middle tier.")
]
PastOption = Annotated[int | None, typer.Option("--window", metavar="N", help="Past samples that the MLP sees.")]
ExpansionOption = Annotated[int | None, typer.Option("--sample-expansion", metavar="N", help="Another expansion.")]
WindowOption = Annotated[
    int | None,
    typer.Option("--encoder-window", metavar="N", help="Pictures seen as a whole; the paper's 156 are 10 s."),
]
NetworkOption = Annotated[
    str | None, typer.Option("--picture-network", metavar="vgg19|small", help="Another network for pictures.")
]
PictureSizeOption = Annotated[int | None, typer.Option("--picture-size", metavar="N", help="Pixels that it sees.")]
FeaturesOption = Annotated[int | None, typer.Option("--picture-features", metavar="N", help="Numbers per picture.")]
MotionFeaturesOption = Annotated[
    int | None, typer.Option("--motion-features", metavar="N", help="Numbers per picture from optical flow.")
]
FlowOption = Annotated[str | None, typer.Option("--flow-method", metavar="dis|raft", help="How flow is measured.")]
StackOption = Annotated[int | None, typer.Option("--flow-stack", metavar="L", help="Fields of flow seen at once.")]


def train_command(
    output: OutputOption = None,
    *,
    sounds: SoundsOption = None,
    name: NameOption = None,
    data: DataOption = None,
    classes: ClassOption = None,
    manifest: ManifestOption = None,
    synthetic: SyntheticOption = None,
    preset: PresetOption = None,
    per_class: PerClassOption = False,
    merge: MergeOption = None,
    weights: WeightsOption = None,
    motion_weights: MotionWeightsOption = None,
    flow_weights: FlowWeightsOption = None,
    cache: CacheOption = None,
    workers: WorkersOption = None,
    truncation: TruncationOption = None,
    max_steps: StepsOption = None,
    max_hours: HoursOption = None,
    patience: PatienceOption = None,
    keep: KeepOption = 0,
    rows: RowsOption = None,
    chunk_length: ChunkOption = None,
    fill: FillOption = None,
    learning_rate: RateOption = None,
    checkpoint_every: EveryOption = None,
    preview_seconds: PreviewOption = None,
    preview_temperatures: TemperatureOption = None,
    tensorboard: TensorBoardOption = True,
    mixed_precision: PrecisionOption = True,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    origin: FromOption = None,
    resume: ResumeOption = False,
    hidden_size: HiddenOption = None,
    mlp_size: MlpOption = None,
    embedding_size: EmbeddingOption = None,
    coarse_unit: CoarseUnitOption = None,
    mid_unit: MidUnitOption = None,
    window: PastOption = None,
    sample_expansion: ExpansionOption = None,
    encoder_window: WindowOption = None,
    picture_network: NetworkOption = None,
    picture_size: PictureSizeOption = None,
    picture_features: FeaturesOption = None,
    motion_features: MotionFeaturesOption = None,
    flow_method: FlowOption = None,
    flow_stack: StackOption = None,
    as_json: JsonOption = False,
) -> int:
    """Train a model on recordings or clips.

    --sounds: folders of recordings; no pictures needed. --data: clips with their own sound. At each checkpoint there
    is a sound and a spectrogram per class in OUTPUT/previews. What is not given follows from the preset. Exit code 3:
    done, and some clips (--data) were left out.

    --sounds DIR --name NAME: one sound of your own, from its recordings to a bundle and a report in OUTPUT; how long it
    takes is said at the start (about 20 minutes on a CPU).

    On several GPUs: torchrun --nproc-per-node N -m v2s_plugin.cli train

    With --from, sounds of your own are learned from where another model stands, e.g. --from starter. Sizes must be that
    model's; sound classes and conditioning may differ.
    """
    from v2s_engine.errors import UsageError
    from v2s_plugin.cli.extras import needs_extra

    given = dict(locals())
    if name is None and output is None:
        raise UsageError("v2s train wants --output DIR, a folder for what it leaves; only with --name it has a default")
    with needs_extra("training", "train"):
        from v2s_plugin.cli.own_training import run_own_training
        from v2s_plugin.cli.training import TrainArguments, run_training
    given["output"] = output or Path(f"{name}.v2s-training")
    arguments = TrainArguments(**{field: given[field] for field in TrainArguments.__dataclass_fields__})
    return run_training(arguments) if name is None else run_own_training(arguments, name)
