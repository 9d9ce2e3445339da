"""Stored studies: their tables come from their rows, and the README's from those tables."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from stored_results import RESULTS, ROOT, packed

from mstar.agents.star import Star
from mstar.experiments.evaluation.compare import gain_table
from mstar.experiments.evaluation.evaluate import values
from mstar.experiments.make_vlm.make import perception_table
from mstar.experiments.make_vlm.train import STAGES
from mstar.experiments.markdown import percent
from mstar.experiments.packed_rows import stored_rows
from mstar.experiments.rows import Row
from mstar.experiments.stats import estimate
from mstar.experiments.studies import rows as study_rows
from mstar.experiments.studies.hinted_reasons import bare_share, counted, reasons_table
from mstar.experiments.studies.page import TABLES, markdown, missing
from mstar.experiments.studies.plan import PLAN, saved_plan
from mstar.experiments.studies.rows import StudyRows, load
from mstar.experiments.studies.selection_headroom import headroom, sentence
from mstar.experiments.studies.tables import accuracies, compared, costs, differences
from mstar.rewards.pseudo_labels import VOTES

STORED = sorted(path.parent for path in RESULTS.glob(f"*/{TABLES}"))


def stored(folder: Path) -> StudyRows:
    (described,) = stored_rows(folder, PLAN)
    plan = saved_plan(folder, described["name"])
    assert plan is not None
    with pytest.MonkeyPatch.context() as patch:  # other tests have read the same file
        patch.setattr(study_rows, "unpack", lambda path: packed(path.parent.name))
        return load(plan, folder)


def table_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_the_studies_that_the_findings_speak_of_are_stored() -> None:
    assert {"method-interval", "online", "selection"} <= {folder.name for folder in STORED}


@pytest.mark.parametrize("folder", STORED, ids=lambda folder: folder.name)
def test_the_tables_of_a_stored_study_are_what_its_rows_give(folder: Path) -> None:
    rows = stored(folder)
    made = markdown(rows, accuracies(rows), differences(rows), costs(rows))
    written = (folder / TABLES).read_text()
    assert table_lines(made) == table_lines(written)
    for absent in missing(rows):
        assert absent in written, f"{absent} is missing, and the tables do not say so"


def test_a_problem_has_headroom_if_it_has_more_distinct_right_responses_than_are_kept() -> None:
    wrong = {"problem": "a", "response": "no", "score/correctness": 0.0}
    rollouts = [
        {"problem": problem, "response": text, "score/correctness": 1.0}
        for problem, texts in {"a": "xxy", "b": "xyz"}.items()
        for text in texts
    ]
    counts = headroom([wrong, *rollouts], keep=2)
    assert counts == {"solved": 2, "different": 5, "to_choose": 1}
    told = sentence([{"keep": 2, **counts}])
    assert told == (
        "of 2 solved problems, 50.0% have more than 2 different right responses; the mean is 2.50"
    )


def test_bare_answers_are_counted_among_the_right_ones_with_and_without_a_hint() -> None:
    rollouts = [
        {"problem": problem, "response": text, "extra": extra, "oracle": right}
        for problem, extra, text, right in [
            ("a", False, "Answer: 3", True),
            ("a", False, "red is 3\nAnswer: 3", True),
            ("a", False, "Answer: 4", False),
            ("b", False, "Answer: 4", False),
            ("b", True, "Answer: 3", True),
            ("b", True, "Answer: 3", True),
        ]
    ]
    found = {hinted: counted(rollouts, hinted) for hinted in (False, True)}
    assert found == {False: {"right": [2], "bare": [1]}, True: {"right": [2], "bare": [2]}}
    rows = [{"round": 1, "hinted": hinted, **row} for hinted, row in found.items()]
    told = "| 1 | 50.0 [50.0, 50.0] | 1 | 100.0 [100.0, 100.0] | 1 |"
    assert reasons_table(rows).splitlines()[-1] == told


def test_what_is_said_of_bare_answers_to_hints_is_in_the_rows() -> None:
    rows = packed("hints")["hinted_reasons.jsonl"]
    hinted, plain = (bare_share(rows, 1, was_hinted) for was_hinted in (True, False))
    assert hinted.low > plain.high
    for text in ((RESULTS / "README.md").read_text(), str(Star.__doc__)):
        told = " ".join(text.split())
        assert f"{100 * hinted.mean:.0f} % of" in told
        assert f"bare answer, {100 * plain.mean:.0f} % of those without one" in told


def test_what_is_said_of_the_language_model_is_in_its_rows() -> None:
    files = packed("language-model")
    base = [files[f"base/seed-{seed}.jsonl"] for seed in range(3)]
    evolved = [files[f"continuous/seed-{seed}/evaluation.jsonl"] for seed in range(3)]
    text = (RESULTS / "README.md").read_text()
    assert gain_table([[*b, *e] for b, e in zip(base, evolved, strict=True)]) in text
    told = " ".join(text.split())
    first = [files[f"continuous/seed-{seed}/rounds.jsonl"][1] for seed in range(3)]
    sampled = first[0]["problems"] * first[0]["plan"]["samples"]
    kept = sorted(row["selection"]["kept"] for row in first)
    assert f"from {kept[0]} to {kept[-1]} right responses out of {sampled}" in told
    cut = [
        100 * float(np.mean([share for rows in files for row in rows for share in row["cut"]]))
        for files in (base, evolved)
    ]
    assert (
        f"{cut[0]:.0f} % were cut off at 48 tokens; of the evolved models', {cut[1]:.0f} %" in told
    )
    rows = [row for rows in evolved for row in rows]
    unions = [any([row["greedy"], *row["samples"]]) for row in rows if row["template"] == "union"]
    assert (sum(unions), f"the {len(unions)} problems that ask for a union" in told) == (0, True)
    bars = [row for row in rows if row["family"] == "BarChart"]
    sums, differences = (
        [row["greedy"] for row in bars if row["template"] == name] for name in ("sum", "difference")
    )
    assert (
        f"{sum(sums)} of {len(sums)} sums greedily, but {sum(differences)} of {len(differences)}"
        in told
    )


def test_the_tables_of_the_language_model_stand_in_its_studies() -> None:
    study = [
        line
        for name in (
            *("language-model", "language-model-tuned", "language-model-unlabelled"),
            "language-model-examples",
        )
        for line in (RESULTS / name / TABLES).read_text().splitlines()
    ]
    text = (RESULTS / "README.md").read_text()
    part = text.partition("## A language model that nobody made for this")[2].partition("\n## ")[0]
    (gains, *others) = [block for block in part.split("\n\n") if block.startswith("| ")]
    assert gains.startswith("| test problems")  # held by the test above
    lines = [
        line
        for block in others
        if not block.startswith("| pass@8")  # held by the test below
        for line in table_lines(block)
    ]
    assert len(lines) > 18
    assert [line for line in lines if line not in study] == []


def test_what_worked_solutions_bring_within_reach_is_in_their_rows() -> None:
    files = packed("language-model-examples")
    study = stored(RESULTS / "language-model-examples")
    tested = {
        "base": [files[f"base/seed-{seed}.jsonl"] for seed in study.plan.seeds],
        **{
            arm: [files[f"{arm}/seed-{seed}/evaluation.jsonl"] for seed in study.of(arm)]
            for arm in study.plan.arms
        },
    }
    text = (RESULTS / "README.md").read_text()
    for family in study.runs[0].recipe.families:
        name = family.partition("-v")[0]
        cells = [
            percent(
                estimate(
                    [values([r for r in rows if r["family"] == name], "pass@k") for rows in runs]
                )
            )
            for runs in tested.values()
        ]
        assert f"| {name} | {' | '.join(cells)} |" in text
    cut = [
        round(
            100 * float(np.mean([share for rows in runs for row in rows for share in row["cut"]]))
        )
        for runs in tested.values()
    ]
    assert (
        f"{cut[0]} % of the base's test responses are cut off at 48 tokens, {cut[1]} % with `own`, "
        f"{cut[2]} % with `examples` and {cut[3]} % with `imitation`"
    ) in " ".join(text.split())
    for a, b in zip(tested["imitation"], tested["examples"], strict=True):
        assert [row["id"] for row in a] == [row["id"] for row in b]
    for metric in ("pass@1", "pass@k"):
        apart = [
            values(a, metric) - values(b, metric)
            for a, b in zip(tested["imitation"], tested["examples"], strict=True)
        ]
        assert f"{percent(estimate(apart), '+')}" in " ".join(text.split())


def test_the_table_of_the_real_sets_is_what_their_rows_give() -> None:
    files = packed("real-sets")
    page = (RESULTS / "real-sets" / "README.md").read_text()
    for name in ("PuzzleVQA", "AlgoPuzzleVQA", "NLVR", "TabMWP"):
        tested = [files[f"{name.lower()}/{policy}.jsonl"] for policy in ("base", "evolved")]
        cells = [
            percent(estimate([values(rows, metric)]))
            for metric in ("greedy", "pass@1", "pass@k")
            for rows in tested
        ]
        assert f"| {name} | {len(tested[0])} | {' | '.join(cells)} |" in page


def test_the_page_of_the_model_with_eyes_is_what_its_rows_give() -> None:
    rows = packed("eyes")
    page = (RESULTS / "eyes" / "README.md").read_text()
    assert perception_table(rows["perception.jsonl"]) in page
    tested = [rows[f"image/continuous/seed-{seed}/evaluation.jsonl"] for seed in range(3)]
    assert gain_table(tested) in page
    for family in rows["make_vlm.json"][0]["families"]:
        shares = [
            percent(estimate([values(rows[f"base/{shown}-1/{family}.jsonl"], metric)]))
            for shown in ("image", "none", "caption")
            for metric in ("pass@1", "pass@k")
        ]
        assert f"| {family} | {' | '.join(shares)} |" in page
    updates = [[row["stage"] for row in rows["losses.jsonl"]].count(s) for s in ("see", "speak")]
    words = " ".join(page.split())
    assert f"learned in {updates[0]:,} updates of 96 images" in words
    assert f"with it in {updates[1]:,};" in words
    same = sum(row["before"] == row["after"] for row in rows["language.jsonl"])
    assert (same, "None of its 50 greedy answers" in words) == (0, True)
    last = [rows[f"image/continuous/seed-{seed}/rounds.jsonl"][-1] for seed in range(3)]
    assert all("drift" in [alarm["name"] for alarm in row["alarms"]] for row in last)
    assert (
        f"after {', '.join(str(row['number']) for row in last[:2])} and {last[2]['number']}"
        in words
    )


def gentler_lines(files: dict[str, list[Row]]) -> list[str]:
    """What the usual second stage of `make-vlm`, a gentle one and one without a LoRA come to."""
    cells: dict[str, list[str]] = {}
    for where in ("", "gentle/", "none/"):
        losses, read = files[f"{where}losses.jsonl"], files[f"{where}perception.jsonl"]
        stages = [sum(row["stage"] == stage for row in losses) for stage in STAGES]
        cells.setdefault("updates, see and speak", []).append(f"{stages[0]:,} and {stages[1]}")
        for key, name in (
            *(("kind", kind) for kind in ("value", "position")),
            *(("family", family) for family in ("BarChart", "Counting", "Venn")),
        ):
            right = [row["right"] for row in read if row[key] == name]
            shown = f"{percent(estimate([np.array(right, float)]))}, n = {len(right)}"
            cells.setdefault(f"{name}, parts right, %", []).append(shown)
        said = files[f"{where}language.jsonl"]
        same = sum(row["before"] == row["after"] for row in said)
        cells.setdefault("plain answers the same", []).append(f"{same} of {len(said)}")
        known = [row["nats_after"] - row["nats_before"] for row in said if "nats_after" in row]
        cost = estimate([np.array(known)]) if known else None
        told = f"{cost.mean:+.3f} [{cost.low:+.3f}, {cost.high:+.3f}]" if cost else ""
        cells.setdefault("an old token costs more by, nats", []).append(told)
        for shown, family in (("image", "Counting"), ("caption", "Venn"), ("caption", "BarChart")):
            rows = files[f"{where}base/{shown}-1/{family}.jsonl"]
            right_now = percent(estimate([values(rows, "pass@1")]))
            cells.setdefault(f"{family} by {shown}, pass@1, %", []).append(
                f"{right_now}, n = {len(rows)}"
            )
    return [f"| {name} | {' | '.join(several)} |" for name, several in cells.items()]


def test_the_models_of_gentler_second_stages_are_what_their_rows_give() -> None:
    files = packed("eyes")
    page = (RESULTS / "eyes" / "README.md").read_text()
    assert "\n".join(gentler_lines(files)) in page
    tested = [files[f"gentle/image/continuous/seed-{seed}/evaluation.jsonl"] for seed in range(3)]
    assert gain_table(tested) in page
    losses = [
        [row["loss"] for row in files[f"{where}losses.jsonl"] if row["stage"] == STAGES[1]][85:100]
        for where in ("gentle/", "none/", "")
    ]
    gentle, none, usual = (f"{np.mean(each):.2f}" for each in losses)
    assert f"the loss was {gentle} and {none} against {usual}" in " ".join(page.split())


def test_the_findings_say_what_hints_cost() -> None:
    tables = (RESULTS / "hints" / TABLES).read_text()
    costs = next(part for part in tables.split("\n\n") if part.startswith("| mean of a run"))
    place = [cell.strip() for cell in costs.splitlines()[0].split("|")].index("tokens")
    tokens = {
        line.split("|")[1].strip(): int(line.split("|")[place].replace(",", ""))
        for line in costs.splitlines()[2:]
    }
    more = tokens["star"] / tokens["rest-em"] - 1
    assert f"{100 * more:.0f} % more tokens" in " ".join(
        (RESULTS / "README.md").read_text().split()
    )


def test_the_findings_say_how_much_there_was_to_choose_from() -> None:
    rows = packed("selection")["selection_headroom.jsonl"]
    text = " ".join((RESULTS / "README.md").read_text().split())
    share = sum(row["to_choose"] for row in rows) / sum(row["solved"] for row in rows)
    assert f"{share:.0%} of the solved problems".replace("%", " %") in text


def test_every_row_of_a_study_in_the_findings_stands_in_its_tables() -> None:
    text = (RESULTS / "README.md").read_text()
    told = [line for line in table_lines(text) if line.count("|") == 8 and "[" in line]
    there = {line for folder in STORED for line in table_lines((folder / TABLES).read_text())}
    shown = [line for line in told if line.split("|")[2].strip() in ("greedy", "pass@1", "pass@k")]
    studied = [line for line in shown if not line.startswith(("| trained |", "| not trained |"))]
    assert studied
    assert not [line for line in studied if line not in there]


def test_every_difference_on_the_front_page_stands_on_the_results_page_or_in_a_study() -> None:
    difference = re.compile(r"[+-]\d+\.\d \[[+-]\d+\.\d, [+-]\d+\.\d\]")
    pages = [RESULTS / "README.md", *RESULTS.glob(f"*/{TABLES}")]
    stored = {found for page in pages for found in difference.findall(flat(page))}
    front = flat(ROOT / "README.md")
    shown = set(difference.findall(front[front.index("## Findings") :]))
    assert len(shown) > 10
    assert shown <= stored


def flat(page: Path) -> str:
    return " ".join(page.read_text().split())


@pytest.mark.parametrize(
    ("study", "arm", "metric"),
    [
        ("online", "grpo", "pass@1"),
        ("selection", "process-2", "greedy"),
        ("method-interval", "continuous-25", "pass@1"),
        ("online-long", "rloo", "pass@1"),
        ("online-long", "grpo", "pass@k"),
        ("exploration", "cool", "pass@1"),
        ("exploration", "reward-pass@2", "pass@1"),
        ("exploration", "paired", "pass@1"),
        ("exploration", "by-prompt", "pass@1"),
        ("unlabelled", "mix-in-0", "greedy"),
        ("unlabelled", "adaptive-gold", "pass@1"),
        ("hints", "star", "greedy"),
        ("hints", "star", "pass@1"),
    ],
)
def test_the_differences_in_the_sentences_of_the_findings_stand_in_the_tables(
    study: str, arm: str, metric: str
) -> None:
    tables = (RESULTS / study / TABLES).read_text()
    (apart,) = (part for part in tables.split("\n\n") if part.startswith("| trained, minus"))
    (line,) = (row for row in table_lines(apart) if row.startswith(f"| {arm} | {metric} |"))
    assert line.split("|")[3].strip() in " ".join((RESULTS / "README.md").read_text().split())


@pytest.mark.parametrize(
    ("study", "arm", "other", "metric", "group"),
    [
        ("exploration", "free", "cool", "pass@1", "trained"),
        ("exploration", "free", "by-prompt", "pass@1", "trained"),
        ("exploration", "tampo", "cool", "pass@1", "trained"),
        ("exploration", "noisy", "cool", "pass@1", "trained"),
        ("exploration", "grpo-noisy", "grpo-cool", "pass@1", "trained"),
        ("exploration", "grpo-noisy", "grpo-cool", "greedy", "trained"),
        ("exploration", "grpo-noisy", "grpo-cool", "pass@1", "not trained"),
        *(
            ("unlabelled", f"{vote}-{guards}", "few-labels", "greedy", "trained")
            for vote in ("agreement", "judged")
            for guards in ("watch", "act")
        ),
        *(
            ("language-model-unlabelled", f"{vote}-{guards}", "few-labels", "pass@1", "trained")
            for vote in VOTES
            for guards in ("watch", "act")
        ),
        ("plateau", "grounded", "default", "greedy", "trained"),
        ("plateau", "grounded", "default", "pass@1", "not trained"),
        ("plateau", "reading", "default", "greedy", "trained"),
    ],
)
def test_differences_of_arms_with_few_seeds_are_told_as_the_rows_have_them(
    study: str, arm: str, other: str, metric: str, group: str
) -> None:
    rows = stored(RESULTS / study)
    pairs = {s: (run, rows.of(other)[s]) for s, run in rows.of(arm).items()}
    (found,) = compared(group, metric, {arm: pairs})
    apart = found.over_problems
    told = f"{100 * apart.mean:+.1f} [{100 * apart.low:+.1f}, {100 * apart.high:+.1f}]"
    assert told in flat(RESULTS / "README.md")


def test_what_is_said_of_the_first_pseudo_labels_is_in_the_rows() -> None:
    files = packed("unlabelled")
    shares = [
        round(100 * files[f"{vote}-watch/seed-0/rounds.jsonl"][1]["pseudo"]["label_accuracy"])
        for vote in ("agreement", "judged", "vote", "guarded")
    ]
    soft, plain, guarded = f"{shares[0]} and {shares[1]} %", f"{shares[2]} %", f"{shares[3]} %"
    assert (
        f"{soft} of what they labelled was right, {plain} under the plain vote and {guarded} under "
        "the guarded one"
    ) in flat(RESULTS / "README.md")


def test_the_findings_say_where_a_cool_run_and_grpo_end() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    for study, arm in (("exploration", "cool"), ("online", "grpo")):
        tables = (RESULTS / study / TABLES).read_text()
        line = next(row for row in table_lines(tables) if row.startswith(f"| {arm} | pass@1 |"))
        assert line.split("|")[3].strip() in text


def test_what_the_findings_say_mstar_spent_stands_in_the_table_of_costs() -> None:
    text = (RESULTS / "README.md").read_text()
    tables = (RESULTS / "online" / TABLES).read_text()
    costs = next(part for part in tables.split("\n\n") if part.startswith("| mean of a run"))
    cells = {
        row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:]]
        for row in table_lines(costs)[1:]
    }
    head = [cell.strip() for cell in table_lines(costs)[0].split("|")[2:]]
    tokens, flops = head.index("tokens"), head.index("FLOP")
    assert f"({cells['mstar'][tokens]} tokens)" in " ".join(text.split())
    quarter = float(cells["continuous"][flops]) / float(cells["grpo"][flops])
    assert "a quarter of GRPO's" in " ".join(text.split())
    assert round(4 * quarter) == 1


def test_runs_that_solved_nothing_are_named_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="no response of these runs is right by a label"):
        sentence([{"keep": 2, **headroom([{"problem": "a", "response": "x"}], keep=2)}])


def test_runs_without_hints_are_named_in_one_sentence() -> None:
    rollouts = [{"problem": "a", "response": "Answer: 3", "extra": False, "oracle": True}]
    rows = [{"round": 1, "hinted": hint, **counted(rollouts, hint)} for hint in (False, True)]
    with pytest.raises(ValueError, match="both to hints and without"):
        reasons_table(rows)


@pytest.mark.parametrize("folder", STORED, ids=lambda folder: folder.name)
def test_the_table_of_results_says_how_long_a_study_took(folder: Path) -> None:
    files = packed(folder.name)
    seconds = [rows[-1]["cost"]["seconds"] for name, rows in files.items() if "rounds" in name]
    (line,) = re.findall(rf"^\| `{folder.name}` .*$", (RESULTS / "README.md").read_text(), re.M)
    assert line.endswith(f"| {len(seconds)} | {sum(seconds) / 3600:.1f} |")
