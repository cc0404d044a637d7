"""How long a training on own recordings takes, and how long is left."""

from pathlib import Path

import pytest

from v2s_engine.errors import UsageError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.train.own_plan import (
    OwnPlan,
    TimeLeft,
    default_steps,
    duration_text,
    steps_between_checkpoints,
    steps_within,
)

STEP = 16 * 512
MINUTE = 60 * 16_000


def test_minutes_take_twenty_minutes_little_takes_less_and_hours_are_heard_once() -> None:
    twenty_minutes = 20 * 60 * 35_000 / STEP
    assert default_steps(5 * MINUTE, STEP) == pytest.approx(twenty_minutes, rel=0.01)
    assert default_steps(MINUTE // 6, STEP) == round(100 * MINUTE / 6 / STEP)
    assert default_steps(60 * MINUTE, STEP) * STEP == pytest.approx(60 * MINUTE, rel=0.01)


def test_a_limit_leaves_time_for_what_is_not_training() -> None:
    assert 0.7 < steps_within(1, 35_000, STEP) / (3600 * 35_000 / STEP) < 1
    assert steps_within(1e-9, 35_000, STEP) == 1


def test_there_is_something_to_hear_every_few_minutes() -> None:
    assert 120 <= steps_between_checkpoints(5_000, 35_000, STEP) * STEP / 35_000 <= 240
    assert steps_between_checkpoints(50, 35_000, STEP) == 10
    assert steps_between_checkpoints(1, 35_000, STEP) == 1


def test_the_time_left_follows_what_was_measured() -> None:
    now = 100.0
    left = TimeLeft(600, stop_after=1_000, clock=lambda: now)
    heard: list[ProgressEvent] = []
    progress = left.watching(Progress(heard.append))
    assert left.seconds() == 600
    now = 110.0
    progress.step("train", 10, 1000, "loss 3")
    now = 130.0
    progress.step("train", 20, 1000, "loss 3")  # 2 s a step, whatever was planned
    assert left.seconds() == pytest.approx(970)  # stopped before its 1960 s are over
    assert heard[-1].item == "loss 3, about 16 min left"
    now = 150.0
    progress.step("train", 990, 1000, "loss 3")
    assert left.seconds() < 10
    progress.step("preview", 1, 2, "dog")
    assert heard[-1].item == "dog"


def test_times_in_words() -> None:
    assert [duration_text(each) for each in (5, 700, 9_000)] == ["less than a minute", "about 12 min", "about 2.5 h"]


def test_a_plan_is_read_again_and_missing_or_damaged_is_said(tmp_path: Path) -> None:
    plan = OwnPlan(100, 20, 30_000, 4.5)
    plan.write(tmp_path / "new")
    assert OwnPlan.read(tmp_path / "new") == plan
    for content in (None, "{", '{"steps": 1}'):
        if content:
            (tmp_path / "plan.json").write_text(content)
        with pytest.raises(UsageError, match="use another --output"):
            OwnPlan.read(tmp_path)
