"""`v2s train-visual`: the networks that look at clips for the paper's conditionings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import JsonOption

DataOption = Annotated[
    Path,
    typer.Option("--data", metavar="INDEX", help="Clips: a folder <category>/<clip>, or a CSV with file,category."),
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the weights and a log.")]
StreamOption = Annotated[
    str, typer.Option("--stream", metavar="picture|motion|both", help="What looks: at single pictures, or at flow.")
]
NetworkOption = Annotated[str, typer.Option("--network", metavar="small|vgg19", help="Size of the networks.")]
SizeOption = Annotated[
    int | None, typer.Option("--size", metavar="PIXELS", help="Width and height of what they see; else 64, or 224.")
]
FeaturesOption = Annotated[
    int | None, typer.Option("--features", metavar="N", help="Numbers per picture of each; else 128, or 4096.")
]
FlowOption = Annotated[str, typer.Option("--flow", metavar="dis|raft", help="How flow is measured.")]
FlowWeightsOption = Annotated[
    str, typer.Option("--flow-weights", metavar="default|FILE|random", help="Of RAFT, where that measures flow.")
]
StackOption = Annotated[int, typer.Option("--flow-stack", metavar="L", help="Fields of flow seen at once.")]
PassesOption = Annotated[int, typer.Option("--passes", metavar="N", help="How often each clip is seen.")]
MemoryOption = Annotated[
    int, typer.Option("--memory", metavar="MIB", help="For what is seen of the clips; else it is read at each look.")
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same training.")]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda", help="Where to train.")]


def train_visual_command(
    data: DataOption,
    output: OutputOption,
    *,
    stream: StreamOption = "picture",
    network: NetworkOption = "small",
    size: SizeOption = None,
    features: FeaturesOption = None,
    flow: FlowOption = "dis",
    flow_weights: FlowWeightsOption = "default",
    flow_stack: StackOption = 10,
    passes: PassesOption = 20,
    memory: MemoryOption = 1024,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> int:
    """Train the networks that look at pictures.

    They learn to tell clips' categories. Clips that are not for training are held out and say how well it went.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.cli.extras import needs_extra
    from v2s_plugin.cli.talk import say, watched_progress

    with needs_extra("training", "train"):
        from v2s_engine.corpus.clips import read_clips
        from v2s_engine.train.trainer import check_device
        from v2s_engine.train.visual import VisualTrainOptions, named_streams, train_visual, visual_config

    streams = named_streams(stream)
    config = visual_config(network, streams, size=size, features=features, flow=flow, flow_stack=flow_stack)
    options = VisualTrainOptions(
        output,
        config,
        streams,
        passes=passes,
        seed=seed,
        device=check_device(device),
        memory=memory * 2**20,
        flow_weights=flow_weights,
    )
    index = read_clips(data)
    with watched_progress() as progress:
        result = train_visual(index.clips, options, progress)
    for name, reason in (*index.left_out, *result.left_out):
        say(f"left out: {name}: {reason}")
    for name, trained in result.streams.items():
        if trained.accuracy is not None:
            say(
                f"{name}: right for {trained.accuracy:.0%} of {result.held} held-out clips; "
                f"guessing among {len(result.categories)} categories: {1 / len(result.categories):.0%}"
            )
    if as_json:
        told = {
            name: {"weights": str(each.weights), "held_accuracy": each.accuracy}
            for name, each in result.streams.items()
        }
        answer_json({"streams": told, "held": result.held, "categories": list(result.categories)})
    else:
        print("\n".join(str(each.weights) for each in result.streams.values()))
    return EXIT_DONE
