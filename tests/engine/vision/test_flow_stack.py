"""Stacks of flow around each picture."""

import numpy as np
import pytest
from numpy.typing import NDArray

from v2s_engine.vision.flow_stack import FlowStacks, fields_around


def field(number: int, size: int = 3) -> NDArray[np.float32]:
    """Across it says which field it is, down the same negative; never 0."""
    return np.stack([np.full((size, size), number + 1), np.full((size, size), -number - 1)], axis=-1).astype(np.float32)


def stacks_of(count: int, length: int) -> list[NDArray[np.float32]]:
    stacks = FlowStacks(length)
    early = [stack for number in range(count) if (stack := stacks.add(field(number))) is not None]
    return [*early, *stacks.rest()]


@pytest.mark.parametrize(("length", "around"), [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (10, (4, 5))])
def test_a_stack_is_the_motion_around_its_picture(length: int, around: tuple[int, int]) -> None:
    assert fields_around(length) == around
    assert sum(around) + 1 == length


@pytest.mark.parametrize("length", [1, 2, 3, 10])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 23])
def test_every_picture_has_one_with_nothing_beyond_the_ends(count: int, length: int) -> None:
    behind, ahead = fields_around(length)
    stacks = stacks_of(count, length)

    assert len(stacks) == count
    for number, stack in enumerate(stacks):
        assert stack.shape == (2 * length, 3, 3)
        wanted = [i + 1 if 0 <= i < count else 0 for i in range(number - behind, number + ahead + 1)]
        assert stack[0::2, 1, 1].tolist() == wanted
        assert stack[1::2, 1, 1].tolist() == [-value for value in wanted]


def test_the_place_in_the_picture_stays() -> None:
    stacks = FlowStacks(1)
    one = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    stack = stacks.add(one)
    assert stack is not None
    assert np.array_equal(stack, one.transpose(2, 0, 1))


def test_stacks_come_as_soon_as_they_can_and_no_more_is_held() -> None:
    stacks = FlowStacks(10)
    assert [stacks.add(field(number)) is None for number in range(8)] == [True] * 5 + [False] * 3
    assert len(list(stacks.rest())) == 5


def test_a_stack_given_out_does_not_change_later() -> None:
    stacks = FlowStacks(2)
    stacks.add(field(0))
    first = stacks.add(field(1))
    assert first is not None
    kept = first.copy()
    stacks.add(field(2))
    assert np.array_equal(first, kept)
