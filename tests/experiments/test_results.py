"""The numbers that README and cards give come from rows that are stored."""

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from stored_results import RESULTS, ROOT, packed

from mstar.agents.catalog import AGENTS
from mstar.agents.explore.data_mix import wilson
from mstar.agents.judges.step_judge import STEP_JUDGE, StepJudge
from mstar.experiments.bench.kills import kills_table
from mstar.experiments.bench.memory import memory_table
from mstar.experiments.bench.soak import RUNS, flatness_table
from mstar.experiments.bench.train import speed_table
from mstar.experiments.estimate.estimate import KEPT
from mstar.experiments.evaluation.compare import gain_table, policy_table
from mstar.experiments.evaluation.evaluate import gain
from mstar.experiments.evaluation.votes import votes_table
from mstar.experiments.judges.best_of import advantage, advantages, best_of_table
from mstar.experiments.judges.errors import error_table, family_table
from mstar.experiments.judges.label_agreement import agreement_table
from mstar.experiments.markdown import percent
from mstar.experiments.rows import Row
from mstar.experiments.stats import estimate


@cache
def evaluated() -> list[list[Row]]:
    """The test rows of each seed of the demo."""
    return [packed("demo")[f"demo-seed-{seed}/evaluation.jsonl"] for seed in range(3)]


@cache
def demo_table() -> str:
    return gain_table(evaluated())


def test_the_table_of_the_demo_is_what_the_stored_rows_give() -> None:
    assert demo_table() in (RESULTS / "README.md").read_text()


def test_what_the_front_page_says_of_the_demo_stands_in_that_table() -> None:
    (row,) = re.findall(r"^\| What does `make demo` .*$", (ROOT / "README.md").read_text(), re.M)
    table = demo_table()
    estimates = re.findall(r"[+-]?\d+\.\d \[[^]]+\]", row)
    assert len(estimates) == 4
    assert [estimate for estimate in estimates if f"| {estimate} |" not in table] == []


def test_the_table_of_the_embedded_model_is_what_the_stored_rows_give() -> None:
    card = (ROOT / "agents" / "policy" / "embedded_model" / "README.md").read_text()
    assert policy_table(evaluated(), "base") in card


def test_what_is_said_of_guesses_and_reasoning_is_in_the_stored_rows() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    shares = []
    for policy in ("base", "evolved"):
        rows = [row for run in evaluated() for row in run if row["policy"] == policy]
        reasoned = [row for row in rows if not row["response"].startswith("Answer")]
        right = sum(row["greedy"] for row in reasoned) / len(reasoned)
        shares.append((len(rows), 1 - len(reasoned) / len(rows), right))
    (n, guessed, right), (_, still, better) = shares
    assert f"{guessed:.0%} of the base's".replace("%", " %") in text
    assert f"{still:.0%} of the evolved".replace("%", " %") in text
    found = f"right in {right:.0%} and the evolved model in {better:.0%}".replace("%", " %")
    assert f"{found} (n = {n:,})" in text


@pytest.mark.parametrize("metric", ["greedy", "pass@1"])
@pytest.mark.parametrize("seed", range(3))
def test_every_seed_gains_ten_points_on_unseen_problems(seed: int, metric: str) -> None:
    rows = [row for row in evaluated()[seed] if row["group"] == "trained"]
    base = [row for row in rows if row["policy"] == "base"]
    evolved = [row for row in rows if row["policy"] == "evolved"]
    assert len(base) >= 500
    change = gain([base], [evolved], metric)
    assert change.mean >= 0.1
    assert change.low > 0


def test_the_tables_of_the_step_judge_are_what_the_stored_rows_give() -> None:
    card = (ROOT / "agents" / "judges" / "step_judge_model" / "README.md").read_text()
    rows = packed("step_judge")
    errors, best = rows["errors.jsonl"], rows["best_of.jsonl"]
    assert {row["seed"] for row in errors} == {row["seed"] for row in best} == {0, 1, 2}
    assert error_table(errors) in card
    assert family_table(errors) in card
    assert family_table(rows["errors_other.jsonl"]) in card
    assert best_of_table(best) in card
    assert advantages(best) in card
    assert agreement_table(rows["label_agreement.jsonl"]) in card


def test_the_tables_of_training_speed_are_what_the_stored_rows_give() -> None:
    written = (RESULTS / "training-speed" / "README.md").read_text()
    rows = packed("training-speed")
    assert speed_table(rows["speed.jsonl"]) in written
    for row in rows["speed.jsonl"]:
        shared = row["operations_per_token"] < 0.6 * row["plain_operations_per_token"]
        assert shared == (row["work"] == "grpo")
    for arm in ("grpo-cool", "rloo"):
        own = [row for row in rows["groups.jsonl"] if row["arm"] == arm]
        for metric, name in (("greedy", "_greedy"), ("pass@1", "")):
            whole, shuffled = (
                np.array([row[f"{kind}{name}"] for row in own], float)
                for kind in ("whole", "shuffled")
            )
            gain = percent(estimate([whole - shuffled]), "+")
            cells = f"{percent(estimate([shuffled]))} | {percent(estimate([whole]))} | {gain}"
            assert f"| {arm} | {metric} | {cells} | {len(own)} |" in written
    for row in rows["runs.jsonl"]:
        told = f"{row['flops']:.2e}".replace("+", "")
        assert (
            f"{told} before" in written or f"{told} now" in written or f"{told}\nFLOPs" in written
        )


def test_the_tables_of_memory_are_what_the_stored_rows_give() -> None:
    written = (RESULTS / "memory" / "README.md").read_text()
    rows = packed("memory")
    assert memory_table(rows["returned.jsonl"]) in written
    assert memory_table(rows["default.jsonl"]) in written
    for row in (*rows["returned.jsonl"], *rows["default.jsonl"]):
        assert abs(row["error"]) < 0.1, row
        said = np.clip(row["peak"], row["estimated"], row["estimated"] + row["kept"])
        assert row["error"] == pytest.approx(said / row["peak"] - 1, abs=2e-3)
        kept = KEPT * (row["estimated"] - row["libraries"])
        assert row["kept"] == pytest.approx(kept * (row in rows["default.jsonl"]), abs=2e-3)
    kept, *given_back = rows["demo.jsonl"]
    peaks = [f"{row['peak']:.2f}" for row in given_back]
    told = (
        f"`make demo` took {kept['peak']:.2f} GiB without that and {' and '.join(peaks)} GiB in two"
    )
    flat = " ".join(written.split())
    assert told in flat
    for row in given_back:
        assert f"of six, the pilot said {row['expected']:.2f} GiB" in flat
        assert row["expected"] == pytest.approx(row["peak"], rel=0.1)
    for row in rows["default.jsonl"]:
        assert row["expected_error"] == pytest.approx(row["expected"] / row["peak"] - 1, abs=2e-3)
        assert abs(row["expected_error"]) < 0.1, row


def test_what_is_said_of_data_sets_is_in_the_stored_rows() -> None:
    text, rows = (RESULTS / "data-sets" / "README.md").read_text(), packed("data-sets")
    for row in rows["sets.jsonl"]:
        (line,) = re.findall(rf"^\| {re.escape(row['set'])} \|.*$", text, re.M)
        for code in ("before", "first", "now"):
            right = [
                r["right"]
                for r in rows["read.jsonl"]
                if (r["set"], r["code"]) == (row["set"], code)
            ]
            assert f"| {right.count(False)} of {len(right)} |" in line
        low, high = wilson(right.count(False), len(right))
        assert f"| [{100 * low:.1f}, {100 * high:.1f}] |" in line
        assert f"| {row['refused_before']} | {row['refused_now']} |" in line
    for row in rows["forms.jsonl"]:
        counts = " | ".join(str(row[f"wrong_{code}"]) for code in ("before", "first", "now"))
        assert f"| {row['form']} | {counts} |" in text
    old, new, again = (row["cpu_seconds"] for row in rows["cost.jsonl"])
    assert (
        f"{old:.1f} CPU seconds before and {new:.1f} now ({new / old:.0%}".replace("%", " %")
        in text
    )
    assert f"{again:.1f} once more" in text


def test_the_tables_of_kills_and_soak_are_what_the_stored_rows_give() -> None:
    kills, soak = packed("kills")["kills.jsonl"], packed("soak")["soak.jsonl"]
    assert {row["kind"] for row in kills} == {"default", *AGENTS}
    assert all(row["equal"] for row in kills)
    assert kills_table(kills) in (RESULTS / "kills" / "README.md").read_text()
    assert [row["round"] for row in soak] == [*range(1, 301)] * len(RUNS)
    assert flatness_table(soak) in (RESULTS / "soak" / "README.md").read_text()


def test_the_card_names_the_threshold_that_ships() -> None:
    card = (STEP_JUDGE / "README.md").read_text()
    assert f"a line below {StepJudge.load().threshold} counts as an error" in card


def test_the_step_judge_picks_better_than_votes_that_do_not_look() -> None:
    rows = packed("step_judge")["best_of.jsonl"]
    for vote in ("majority", "weighted vote, number of lines"):
        assert advantage(rows, "best of N, lowest step", vote).low > 0


def test_the_tables_of_the_page_on_gpus_are_what_its_rows_give() -> None:
    rows = packed("gpu")
    page = (RESULTS / "gpu" / "README.md").read_text()
    for row in rows["sampler.jsonl"]:
        if row.get("device"):
            told = f"{row['tokens_per_second']:,} | {row['peak_gigabytes']} |"
            assert f"| {row['variant']} | {row['shape']} | {row['step_ms']} | {told}" in page
    for row in (*rows["updates.jsonl"], *rows["updates-without-cudnn.jsonl"]):
        times = " | ".join(str(row[name]) for name in ("forward_ms", "backward_ms", "both_ms"))
        assert f"| {times} | {100 * row['share']:.1f} | {row['tower_ms']} |" in page
    for row in (*rows["train.jsonl"], *rows["train-without-cudnn.jsonl"]):
        rates = f"{row['tokens_per_second']:,} | {row['plain_tokens_per_second']:,}"
        shares = f"{100 * row['peak_share']:.1f} | {100 * row['plain_peak_share']:.1f}"
        told = f"| {rates} | {row['over_plain']} | {shares} | {row['peak_gigabytes']} |"
        assert told in page
    for cudnn, again in ((True, 0), (True, 1), (False, 0), (False, 1)):
        found = [r for r in rows["lengths.jsonl"] if (r["cudnn"], r.get("again")) == (cudnn, again)]
        ranges = [
            sorted({f"{row[part]:.2f}" for row in found}) for part in ("forward_s", "backward_s")
        ]
        told = " | ".join(" to ".join(dict.fromkeys((each[0], each[-1]))) for each in ranges)
        assert f"| {told} |" in page
    same = [row for row in rows["checks.jsonl"] if row["pair"] == "fixed/graph"]
    assert [row["largest_difference"] for row in same] == [0.0] * 3


def test_the_table_of_learning_rates_is_what_its_rows_give() -> None:
    rows = packed("language-model-rates")["rates.jsonl"]
    page = (RESULTS / "language-model-rates" / "README.md").read_text()
    for arm in dict.fromkeys(row["arm"] for row in rows):
        cells = []
        for rate in (1e-4, 3e-4, 9e-4):
            *_, last = [row for row in rows if (row["arm"], row["rate"]) == (arm, rate)]
            wrong = last["problems"] - last["right"]
            cells.append(percent(estimate([np.repeat([1.0, 0.0], [last["right"], wrong])])))
        assert f"| {arm} | {last['round']} | {' | '.join(cells)} |" in page


def test_the_table_of_votes_on_a_language_model_is_what_its_rows_give() -> None:
    rows = packed("language-model-votes")["votes.jsonl"]
    page = (RESULTS / "language-model-votes" / "README.md").read_text()
    for arm in ("continuous", "iterative-rft"):
        assert votes_table([row for row in rows if row["run"].startswith(arm)]) in page


def right_when_asked(arm: str, axis: str, variant: str) -> list[np.ndarray[Any, Any]]:
    """Whether each problem was answered rightly under one instruction, an array a seed."""
    rows = packed("language-model-prompts")["prompts.jsonl"]
    asked = [
        row for row in rows if (row["arm"], row["axis"], row["variant"]) == (arm, axis, variant)
    ]
    seeds = sorted({row["seed"] for row in asked})
    return [np.array([row["right"] for row in asked if row["seed"] == s], float) for s in seeds]


def test_the_table_of_other_prompts_is_what_its_rows_give() -> None:
    rows = packed("language-model-prompts")["prompts.jsonl"]
    page = (RESULTS / "language-model-prompts" / "README.md").read_text()
    for axis, variant in dict.fromkeys((row["axis"], row["variant"]) for row in rows):
        arms = [right_when_asked(arm, axis, variant) for arm in ("continuous", "iterative-rft")]
        cells = " | ".join(percent(estimate(right)) for right in arms)
        assert f"| {variant} | {cells} | {sum(map(len, arms[0]))} | {len(arms[0])} |" in page
    drawn = right_when_asked("continuous", "instruction", "as drawn")
    brief = right_when_asked("continuous", "instruction", "instruction=brief")
    lost = estimate([before - after for before, after in zip(drawn, brief, strict=True)])
    assert percent(lost) in page
    boxed = [row["response"] for row in rows if row["variant"] == "instruction=boxed"]
    assert f"{sum('boxed' in each for each in boxed)} of {len(boxed)} responses" in page
