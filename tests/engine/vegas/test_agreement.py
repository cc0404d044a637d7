"""Agreement and voting, against published figures, slow obvious formulas and annotators whose errors are known."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2s_engine.errors import UsageError
from v2s_engine.vegas.agreement import Answers, dawid_skene, fleiss_kappa, majority, wilson_interval

FLEISS_1971 = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
"""The well-known worked example: 10 subjects, 14 raters, 5 categories; kappa 0.210."""


def answers_of(rows, questions=None, annotators=None):
    """Answers from (question, annotator, present)."""
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return Answers(
        columns[0],
        columns[1],
        columns[2],
        questions if questions is not None else int(columns[0].max()) + 1,
        annotators if annotators is not None else int(columns[1].max()) + 1,
    )


def simulated(rng, truth, sensitivity, specificity, votes):
    """Each question to `votes` different annotators, whose errors are as given."""
    rows = []
    for question, there in enumerate(truth):
        for annotator in rng.permutation(len(sensitivity))[:votes]:
            right = rng.random() < (sensitivity[annotator] if there else specificity[annotator])
            rows.append((question, annotator, int(there if right else not there)))
    return answers_of(rows, len(truth), len(sensitivity))


def pairwise(words_of_questions):
    """Observed and chance agreement by counting pairs: the definition, without its algebra."""
    rated = [words for words in words_of_questions if len(words) >= 2]
    pairs = [list(itertools.combinations(words, 2)) for words in rated]
    alike = [sum(a == b for a, b in each) / len(each) for each in pairs]
    everything = [word for words in rated for word in words]
    share = sum(everything) / len(everything)
    return sum(alike) / len(alike), share**2 + (1 - share) ** 2


def test_kappa_of_a_published_example():
    found = fleiss_kappa(FLEISS_1971)
    assert found.kappa == pytest.approx(0.210, abs=5e-4)
    assert found.agreement == pytest.approx(0.378, abs=5e-4)
    assert (found.questions, found.answers) == (10, 140)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), max_size=6), min_size=1, max_size=30))
def test_kappa_is_what_counting_pairs_gives_for_any_numbers_of_answers(words_of_questions):
    counts = np.array([[words.count(0), words.count(1)] for words in words_of_questions])
    found = fleiss_kappa(counts)
    if all(len(words) < 2 for words in words_of_questions):
        assert found == (0, 0, None, None)
        return
    observed, chance = pairwise(words_of_questions)
    assert found.agreement == pytest.approx(observed)
    if math.isclose(chance, 1.0):
        assert found.kappa is None
    else:
        assert found.kappa == pytest.approx((observed - chance) / (1 - chance))


def test_where_all_answers_are_alike_kappa_says_nothing():
    assert fleiss_kappa(np.array([[0, 3], [0, 3]])) == (2, 6, 1.0, None)


def test_questions_answered_once_do_not_count():
    both = np.array([[1, 2], [3, 0]])
    assert fleiss_kappa(np.vstack([both, [[1, 0], [0, 0]]])) == fleiss_kappa(both)


def test_kappa_ends_at_one_and_below_zero():
    assert fleiss_kappa(np.array([[3, 0], [0, 3]])).kappa == pytest.approx(1.0)
    assert fleiss_kappa(np.array([[1, 1], [1, 1]])).kappa == pytest.approx(-1.0)


def test_majority_wants_more_than_half():
    assert majority(np.array([[1, 2], [2, 1], [2, 2], [0, 0], [0, 1]])).tolist() == [True, False, False, False, True]


def test_dawid_skene_finds_the_error_rates_of_simulated_annotators():
    rng = np.random.default_rng(5)
    truth = rng.random(4000) < 0.6
    sensitivity = np.array([0.95, 0.9, 0.85, 0.7, 0.6])
    specificity = np.array([0.9, 0.95, 0.7, 0.85, 0.55])
    found = dawid_skene(simulated(rng, truth, sensitivity, specificity, votes=4))
    assert found.settled
    np.testing.assert_allclose(found.sensitivity, sensitivity, atol=0.04)
    np.testing.assert_allclose(found.specificity, specificity, atol=0.04)
    assert found.prevalence == pytest.approx([0.6], abs=0.03)


def test_dawid_skene_beats_majority_where_annotators_differ():
    rng = np.random.default_rng(6)
    truth = rng.random(2000) < 0.5
    # Two careful people among careless ones.
    skill = np.array([0.97, 0.97, 0.6, 0.6, 0.6])
    answers = simulated(rng, truth, skill, skill, votes=5)
    by_majority = np.mean(majority(answers.counts()) == truth)
    by_dawid_skene = np.mean((dawid_skene(answers).chance > 0.5) == truth)
    assert by_dawid_skene > by_majority + 0.05


def test_dawid_skene_tells_prevalences_of_groups_apart():
    rng = np.random.default_rng(7)
    groups = np.repeat([0, 1], 1500)
    truth = rng.random(3000) < np.where(groups == 0, 0.9, 0.3)
    found = dawid_skene(simulated(rng, truth, np.full(6, 0.85), np.full(6, 0.85), votes=3), groups=groups)
    np.testing.assert_allclose(found.prevalence, [0.9, 0.3], atol=0.04)


def test_known_answers_stay_and_tell_who_is_wrong():
    # Two against one throughout; gold says that the one is right.
    rows = [(question, annotator, int(annotator == 2)) for question in range(30) for annotator in range(3)]
    answers = answers_of(rows)
    known = np.where(np.arange(30) < 25, 1, -1)
    found = dawid_skene(answers, known=known)
    assert (found.chance[:25] == 1).all()
    assert (found.chance[25:] > 0.5).all()
    assert (dawid_skene(answers).chance < 0.5).all()


def test_an_annotator_of_one_answer_is_neither_perfect_nor_useless():
    rows = [(question, annotator, question % 2) for question in range(40) for annotator in range(3)]
    found = dawid_skene(answers_of([*rows, (1, 3, 1), (3, 4, 0)]))
    assert 0.8 < found.sensitivity[3] < 0.85
    assert 0.6 < found.sensitivity[4] < 0.7
    assert found.specificity[3] == pytest.approx(0.8, abs=0.01)


def test_a_question_that_nobody_answered_has_its_prevalence():
    rows = [(question, annotator, int(question < 6)) for question in range(8) for annotator in range(3)]
    found = dawid_skene(answers_of(rows, questions=9))
    assert found.chance[8] == pytest.approx(found.prevalence[0], abs=1e-6)
    assert 0.6 < found.chance[8] < 0.8


def test_nothing_in_nothing_out():
    found = dawid_skene(answers_of([], questions=0, annotators=0))
    assert found.chance.shape == found.prevalence.shape == found.sensitivity.shape == (0,)


def test_answers_that_do_not_fit_together_are_refused():
    with pytest.raises(UsageError, match="numbers from 0 to 1; got 0 to 2"):
        answers_of([(0, 0, 0), (1, 0, 2)])
    with pytest.raises(UsageError, match="a question, an annotator and a word each"):
        Answers(np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(2, np.int64), 1, 1)


@st.composite
def shuffled_votes(draw):
    """Answers, and the same with questions, annotators and rows in another order; the two permutations."""
    questions, annotators = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    cells = [(q, a) for q in range(questions) for a in range(annotators)]
    chosen = draw(st.lists(st.sampled_from(cells), unique=True, min_size=1, max_size=len(cells)))
    rows = [(q, a, draw(st.integers(0, 1))) for q, a in chosen]
    of_questions, of_annotators = (draw(st.permutations(range(count))) for count in (questions, annotators))
    moved = draw(st.permutations([(of_questions[q], of_annotators[a], word) for q, a, word in rows]))
    return (
        answers_of(rows, questions, annotators),
        answers_of(moved, questions, annotators),
        np.array(of_questions),
        np.array(of_annotators),
    )


@settings(max_examples=40, deadline=None)
@given(shuffled_votes())
def test_the_order_of_questions_annotators_and_votes_does_not_matter(case):
    answers, moved, of_questions, of_annotators = case
    assert fleiss_kappa(moved.counts()) == pytest.approx(fleiss_kappa(answers.counts()), nan_ok=True)
    assert (majority(moved.counts())[of_questions] == majority(answers.counts())).all()
    found, again = dawid_skene(answers), dawid_skene(moved)
    assert found.settled
    np.testing.assert_allclose(again.chance[of_questions], found.chance, atol=1e-5)
    np.testing.assert_allclose(again.sensitivity[of_annotators], found.sensitivity, atol=1e-5)
    assert ((found.chance > 0) & (found.chance < 1)).all()
    assert ((found.sensitivity > 0) & (found.sensitivity < 1)).all()


def test_wilson_interval_of_published_cases():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    for right, answers, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        found = wilson_interval(right, answers)
        assert found is not None
        assert found == pytest.approx((right / answers, low, high), abs=5e-5)
    assert wilson_interval(29, 29) == pytest.approx((1.0, 0.8830, 1.0), abs=5e-5)
    assert wilson_interval(0, 0) is None
