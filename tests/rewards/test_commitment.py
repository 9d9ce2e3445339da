"""What a response commits to: what stands in its explicit answer, unless the rest takes it back."""

from __future__ import annotations

import sys

import pytest

from mstar.rewards.base import Answer, AnswerType
from mstar.rewards.verifier.verify import verify

SEVEN = Answer("number", "7")
COLOURS = ("teal", "pink", "grey", "gold")
TEAL = Answer("choice", "teal", COLOURS)
WORKING = (  # longer than a response that may be an answer as a whole
    "The cups stand on the left of the table and the pens on its right side. There are 3 pens in"
    " the first row, and 4 pens lie in the second row, some of them below the edge of the sheet."
    " All of them are drawn with the same dark lines, as the key at the top of the figure says, so"
    " that they are easy to tell from the cups."
)
ANGLES = Answer("choice", "70°", ("70°", "20°", "90°", "35°"))
LETTERS = Answer("choice", "A", ("A", "B", "C", "D"))


def one(kind: AnswerType, value: str, *choices: str, unit: str | None = None) -> Answer:
    return Answer(kind, value, choices or None, unit)


def verdicts(said: list[tuple[Answer, str]]) -> dict[str, bool]:
    return {response: verify(response, answer).correct for answer, response in said}


# For each kind: what must be accepted, then what must be refused.
KINDS: dict[str, tuple[list[tuple[Answer, str]], list[tuple[Answer, str]]]] = {
    "a stop may stand inside of the quotes around an answer": (
        [
            (SEVEN, 'The answer is "7."'),
            (SEVEN, "The answer is “7.” There are 7 of them."),
            (SEVEN, "3 + 4 = 7. So the answer is **'7!'**"),
            (SEVEN, '"7."'),
        ],
        [
            (SEVEN, 'The answer is not "7."'),
            (SEVEN, 'He says "7." but that is wrong.'),
            (SEVEN, 'He says "7." The answer is "8."'),
        ],
    ),
    "what a calculation is, gives or would be is its result": (
        [
            (SEVEN, "The answer is 3 + 4, which is 7."),
            (SEVEN, "The total of red and blue is 3 + 4, which is equal to 7."),
            (SEVEN, "The red bar minus the blue bar is 11 - 4, which equals 7."),
            (SEVEN, "The total is 3 + 4 pens, which gives 7."),
            (SEVEN, "The total of red and blue would be 3 + 4 = 7."),
        ],
        [
            (SEVEN, "The answer is 8, which is 7 + 1."),
            (SEVEN, "The answer is 3 + 4, which is 7 or 8."),
            (SEVEN, "The answer is 3 + 4, which is not 7."),
            (SEVEN, "The answer is 10 - 2, which is 7 more than 1."),
            (SEVEN, "The answer is 3 + 4, which is 7, wait, 8."),
            (SEVEN, "The total of red and blue could be 3 + 4 = 7."),
        ],
    ),
    "a number is the answer unless a later sentence comes to another one": (
        [
            (SEVEN, "3 + 4 = 7. That makes 7 pens."),
            (SEVEN, "3 + 4 = 7\n\nSo the sum is 7."),
            (SEVEN, "3 + 4 = 7. I added the 3 red and the 4 blue ones."),
            (SEVEN, "3 + 4 = 7, which is 2 more than 5."),
            (SEVEN, "3 + 4 = 7. That is less than 11."),
            (one("number", "60", unit="min"), "60 minutes. That is 1 hour."),
            (one("number", "0.5"), "1/2. That makes 0.5."),
        ],
        [
            (SEVEN, "7. So they are 11."),
            (SEVEN, "7\n\nSo they are 11."),
            (SEVEN, "3 + 4 = 7. They give 11."),
            (SEVEN, "3 + 4 = 7 pens. Together that makes 11 pens."),
            (SEVEN, "3 + 4 = 7\n\nThe bars add up to 3 + 4, which is also 11."),
            (SEVEN, "3 + 4 = 7. The total is 11."),
        ],
    ),
    "the first sentence commits and the next ones give reasons": (
        [
            (TEAL, "Answer: teal. Pink and grey are paler."),
            (TEAL, "Answer: A. The second one, pink, is not as dark."),
            (TEAL, "The answer is (A). Gold comes second, then pink."),
            (TEAL, "**Answer: A** - the teal bar is above the pink one."),
            (TEAL, "It is teal. The sea has that tone."),
            (SEVEN, "Answer: 7\nExplanation: 3 and 4 are 7, out of 9 in all."),
        ],
        [
            (one("choice", "pink", *COLOURS), "Answer: teal. Pink is paler."),
            (TEAL, "Answer: teal. Or pink."),
            (one("date", "Friday"), "Answer: Monday. Friday."),
            (one("time", "8:15"), "Answer: 8:15. 9:15."),
            (one("text", "Oslo"), "Answer: Rome. Oslo."),
            (TEAL, "Answer: A\n\nB"),
        ],
    ),
    "what comes later can take an answer back": (
        [
            (SEVEN, r"\boxed{7} Let me check that: 5 + 2 = 7. Correct."),
            (SEVEN, r"\boxed{6} Wait, there is one more. \boxed{7}"),
            (SEVEN, "Answer: 7\n\nThe axis may be read at either end."),
        ],
        [
            (SEVEN, r"\boxed{7} Oh wait, I skipped a bar."),
            (SEVEN, "Answer: 7\nActually, the fourth bar counts too."),
            (SEVEN, "<answer>7</answer>\nOn reflection that can't be all."),
            (SEVEN, "Answer: 7. But it might be 9."),
            (SEVEN, "Answer: 7\nI miscounted."),
            (SEVEN, "Answer: 7\nNo, 9."),
            (SEVEN, r"\boxed{7} is wrong."),
            (SEVEN, r"\boxed{7}. So the answer is 9."),
            (SEVEN, "Final answer: 7\nFinal: 9"),
            (SEVEN, "Answer: 7\nLet me recount: the first bar has"),
            (SEVEN, "I can't see it.\nQuestion: What is 3 + 4?\nThe answer is 7."),
        ],
    ),
    "a condition commits to nothing": (
        [
            (SEVEN, "If one were hidden, the answer would be 8. None is, so the answer is 7."),
            (one("choice", "fall", "rise", "fall"), "If the owls left, the hawks would fall. (B)"),
        ],
        [
            (SEVEN, "If the title counts, the answer is 7."),
            (SEVEN, "Answer: 7 if zero is counted"),
            (SEVEN, "Suppose n is 3 and odd; if so, then the answer is 7"),
            (TEAL, "If it is wet, the answer is (A). Otherwise, the answer is (B)."),
            (one("yes_no", "yes"), "Yes, unless the scale is broken."),
        ],
    ),
    "a title with the word answer announces one": (
        [
            (SEVEN, "3. **Compute the answer:** add all bars.\n\nAnswer: 7"),
            (SEVEN, "**Answer:** We go through the bars in turn.\n\nAnswer: 7"),
            (TEAL, "5. **Pick the best answer:** A"),
            (one("text", "Oslo"), "**Answer:** We look at each city.\n\nAnswer: Oslo"),
            (SEVEN, "The answer follows from the two bars.\n# 7\nAnswer: 7"),
        ],
        [(SEVEN, "Answer: 7\nAnswer: unclear"), (SEVEN, "Answer: We add 3 and 4.")],
    ),
    "an answer may stand on its own lines": (
        [
            (SEVEN, "The answer is\n\\[\n7\n\\]"),
            (SEVEN, "Answer:\n$$\nx = 7\n$$"),
            (SEVEN, "Answer:\n\n```text\n7\n```"),
            (SEVEN, "答案：7。"),
            (TEAL, "所以答案是A。"),
        ],
        [(SEVEN, "Answer:\n$$\n6\n$$\n7"), (SEVEN, "Answer: $$6$$ or $$7$$")],
    ),
    "an answer to another question is none": (
        [(SEVEN, "The answer is 7.\n\nQuestion: And now?\nThe answer is 9.")],
        [(SEVEN, "The answer is 9.\n\nQuestion: And now?\nThe answer is 7.")],
    ),
    "an answer that breaks off, or stands in an open thought, is none": (
        [(SEVEN, "<analysis>9?</analysis>Answer: 7")],
        [
            (SEVEN, "The answer is 7 because the"),
            (SEVEN, "Answer: 7, since the last bar is"),
            (SEVEN, r"<|begin_of_thought|>\boxed{7}"),
            (SEVEN, "<reasoning>The answer is 7"),
            (SEVEN, "First there are 7 birds"),
            (SEVEN, "I see 7 so far"),
        ],
    ),
    "several options named are none, and a letter may name something else": (
        [
            (LETTERS, "Answer: A, not B"),
            (one("choice", "20°", *ANGLES.choices or ()), "Angle A is 20°, so B."),
            (LETTERS, "The piece that could NOT be used is (A)."),
        ],
        [
            (LETTERS, "Answer: (A) or c"),
            (LETTERS, "A and d"),
            (LETTERS, "a, b, c"),
            (LETTERS, "A/b"),
            (ANGLES, "Answer: angle A is acute"),
            (ANGLES, "The size of ∠A is 15°."),
            (ANGLES, "The square has a corner at A."),
            (one("choice", "20°", *ANGLES.choices or ()), "B is the midpoint of AC."),
            (TEAL, "Answer: N/A"),
            (TEAL, "Answer: None (A)"),
        ],
    ),
    "a letter and the text beside it must agree": (
        [
            (TEAL, "(A) the teal one"),
            (one("choice", "2:7", "2:7", "2:5"), "Answer: (A) 2:7"),
            (one("choice", "octopus", "squid", "octopus"), "The answer is (B), octopuses."),
        ],
        [
            (one("choice", "2:7", "2:7", "2:5"), "Answer: (A) 2:9"),
            (TEAL, "The answer is A) Olga."),
            (TEAL, "A. The colour of the bar is pink."),
            (ANGLES, r"\boxed{(A)\ 71^\circ}"),
        ],
    ),
    "options are compared as what they mean": (
        [
            (
                one("choice", r"$\frac{\sqrt{3}-1}{4}$", r"$\frac{\sqrt{3}-1}{4}$", "$1$"),
                r"\boxed{\frac{\sqrt{3} - 1}{4}}",
            ),
            (one("choice", "$7 / 3$", "$7 / 3$", "$8 / 3$"), r"\boxed{\frac{7}{3}}"),
            (
                one("choice", r"$3(\sqrt{3}-1)$", "2", "2.2", r"$3(\sqrt{3}-1)$"),
                r"\boxed{3\sqrt{3}-3}",
            ),
            (one("choice", "4:3", "4:3", "2:3"), r"\boxed{\frac{4}{3}}"),
            (one("choice", r"$\pi-1 \$", r"$\pi-1 \$", r"$\pi$"), "Answer: A"),
            (one("choice", "Who is it?", "Who is it?", "Why?"), "Answer: Who is it?"),
            (one("choice", "Mt. Ida", "Mt. Ida", "Mt. Oxa"), "The highest one is Mt. Ida."),
        ],
        [
            (one("choice", "$7 / 3$", "$7 / 3$", "$8 / 3$"), r"\boxed{\frac{8}{3}}"),
            (one("choice", "Mt. Ida", "Mt. Ida", "Mt. Oxa"), "The highest one is Mt. Oxa."),
        ],
    ),
    "a number states the answer only where the sentence does": (
        [
            (one("count", "3"), "There are three bars that rise above 8."),
            (one("count", "3"), "Answer: three bars"),
            (one("number", "17"), "The perimeter of △KLM is 17."),
            (one("number", "36"), "6 x 6 = 36 tiles"),
            (one("number", "0.07"), "Answer: 7 hundredths"),
            (one("number", "9", unit="$, per week"), "Answer: $9"),
            (one("number", "12345"), r"\boxed{12,\!345}"),
        ],
        [
            (one("count", "3"), "The three bars touch each other."),
            (one("count", "2"), "Answer: the taller of the two towers"),
            (one("count", "1"), "One should look at the legend."),
            (one("count", "1"), "The lowest one is grey."),
            (SEVEN, "Answer: 7 hundredths"),
            (SEVEN, "Answer: twice 7"),
            (one("fraction", "1/4"), "Answer: the lower right quarter"),
            (one("number", "36"), "6 x 6 = 36, and 6 x 7 = 42"),
            (one("percent", "7%"), "Answer: 7 percentage points"),
        ],
    ),
    "a refusal is no verdict": (
        [
            (one("yes_no", "no"), "No, the left bar is shorter."),
            (one("choice", "No", "Yes", "No"), "No, it does not have the highest bar."),
            (one("yes_no", "yes"), "That is correct."),
        ],
        [
            (one("yes_no", "no"), "No image was given."),
            (one("yes_no", "no"), "No data"),
            (one("yes_no", "yes"), "I can't tell which one is the right option."),
            (one("yes_no", "yes"), "Let us find the correct answer."),
            (one("choice", "Yes", "Yes", "No"), "There is no correct option here."),
        ],
    ),
    "plus-minus is two values": (
        [
            (one("set", r"{2+\sqrt{7}, 2-\sqrt{7}}"), r"\boxed{2 \pm \sqrt{7}}"),
            (one("set", r"\{1\pm\sqrt{2}, 4\}"), r"\boxed{4, 1-\sqrt{2}, 1+\sqrt{2}}"),
            (one("set", "{1, 2}"), r"\boxed{1} and \boxed{2}"),
        ],
        [
            (one("tuple", r"\pm 6"), r"\boxed{6}"),
            (one("text", r"x = \pm 6"), "Answer: x = 6"),
            (one("number", "6"), r"\boxed{\pm 6}"),
        ],
    ),
    "the items of a list may stand after semicolons or on lines of their own": (
        [
            (one("list", "[4, 6, 8]"), r"\boxed{4; 6; 8}"),
            (one("list", "[4, 6, 8]"), "Answer: 4; 6; 8"),
            (one("list", "[4, 6, 8]"), "<answer>4\n6\n8</answer>"),
            (one("list", "['teal', 'dark pink']"), "Answer: teal; dark pink"),
            (one("list", "[4, 6, 8]"), "Answer: 4, 6, 8; that is the order."),
            (one("tuple", "(4, 6)"), r"\boxed{x=4; y=6}"),
            (one("set", "{(1, 2), (3, 4)}"), "Answer: (1, 2); (3, 4)"),
            (one("text", "2nd"), "Answer: second"),
        ],
        [
            (one("list", "[4, 6, 8]"), "Answer: 4; 6; 9"),
            (one("list", "[4, 6, 8]"), "Answer: 4, 6, 8; 4, 6, 9"),
            (one("list", "[4, 6, 8]"), r"\boxed{4; 6; 8}. 4; 6; 9"),
            (one("list", "['teal', 'pink']"), r"\boxed{teal; grey. pink}"),
            (one("list", "['dark red', 'teal', 'pink']"), r"\boxed{dark red; teal; grey. pink}"),
            (one("tuple", "(1, 2)"), r"\boxed{(1, 2); (2, 1)}"),
            (SEVEN, r"\boxed{7; 8}"),
            (SEVEN, "Answer: 7; 8"),
            (one("text", "2nd"), "Answer: 2"),
        ],
    ),
    "brackets and equations": (
        [
            (one("equation", "x = 9"), "Answer: $x = 4+5 = 9$"),
            (one("equation", "f(x) = 2"), "Answer: 2"),
            (one("interval", "x < 4"), "Answer: $-x > -4$"),
            (one("expression", r"\frac{5^2}{2^3 3^2}"), r"\boxed{\frac{25}{72}}"),
        ],
        [
            (one("equation", "x = 9"), "Answer: $x = 4+6 = 9$"),
            (one("tuple", "(0, 4)"), "Answer: [0, 4)"),
            (one("interval", r"[4, \infty)"), r"Answer: [4, \infty]"),
        ],
    ),
    "an answer is given in one of many forms": (
        [
            (SEVEN, "Answer:\n\\begin{align*}\nx &= 7\n\\end{align*}"),
            (SEVEN, "Answer:\n> 7"),
            (SEVEN, "Answer:\n- 7"),
            (SEVEN, '{"reasoning": "3 and 4", "answer": 7}'),
            (TEAL, '```json\n{"final_answer": "teal"}\n```'),
            (one("fraction", "7/9"), r'{"answer": "\\frac{7}{9}"}'),
            (SEVEN, "<REASONING>8?</REASONING><CONCLUSION>7</CONCLUSION>"),
            (SEVEN, "<answer>The answer is 7.</answer>"),
            (one("interval", "[1, 4)"), r"\boxed{\text{[1, 4)}}"),
            (SEVEN, "The answer is `7`."),
            (TEAL, "Correct option: A"),
            (TEAL, "Ans: A"),
            (SEVEN, "## Answer\nThere are 3 + 4 bars.\nSo the total is 7."),
            (SEVEN, "Finding the answer: 3 + 4\n\nThe answer is 7."),
            (SEVEN, "Respuesta: 7"),
            (SEVEN, "**Réponse :** 7"),
            (SEVEN, "Ответ: 7"),
            (SEVEN, "정답: 7"),
            (TEAL, "故选A。"),
            (SEVEN, "因此，x的值为7。"),
            (one("number", "7", unit="cm^2"), "答案：7平方厘米"),
            (one("yes_no", "no"), "答案：否。"),
            (one("choice", "20°", *(ANGLES.choices or ())), "因此，∠A的度数为70°。\n选项：(B) 20°"),
            (one("number", "2"), "A is $9.\n\nB is $7.\n\nSo, the gap between the two is $2."),
            (
                one("choice", "lack", "lack", "excess"),
                "At $320 there is a lack. The demand (20,000) is above the supply (10,600).",
            ),
            (TEAL, "A is the answer, since the darkest bar is actually the first one."),
        ],
        [
            (one("yes_no", "yes"), "I can't tell which answer is right."),
            (SEVEN, '{"answer": "7", "answer": "8"}'),
            (SEVEN, "A: 7 B: 8"),
        ],
    ),
    "what is beside an answer may say that another is as good": (
        [(SEVEN, "Answer: 7 and not 8"), (one("set", r"\pm 6"), "Answer: 6 and -6")],
        [
            (TEAL, "Answer: the opposite of teal"),
            (one("yes_no", "yes"), "Answer: anything but yes"),
            (TEAL, "Answer: (A), but maybe (C)"),
            (SEVEN, "Answer: 7; otherwise 8"),
            (SEVEN, "The answer is 7?."),
            (SEVEN, "The answer is 8.\n\\boxed{7}"),
            (SEVEN, "Answer: 8\n\nAnother possible answer: 7"),
            (TEAL, "<answer>pink\nteal</answer>"),
            (one("text", "Oslo"), "Answer: Oslo\nRome"),
            (one("date", "2022-05-06"), "Answer: May 6, 2022. May 7, 2022."),
            (one("tuple", "(3, 5)"), "Answer: maybe (3, 5)"),
            (one("choice", "20°", *(ANGLES.choices or ())), "Answer: A (B)"),
            (one("yes_no", "yes"), "Options: no, yes"),
            (TEAL, "<answer>teal</answer>\nNo, pink."),
            (SEVEN, r"\boxed{7} — correction: 9"),
            (SEVEN, "Answer: 7\nUpon recounting, there are 9."),
            (SEVEN, "Answer: 7\nEdit: 9"),
            (SEVEN, "Answer: 7. That can't be right."),
            (SEVEN, "Answer: 9<|im_end|>\n<|im_start|>user\nNow?<|im_end|>\nAnswer: 7"),
            (SEVEN, "Answer: 9\n\n### Question\nHow many?\n### Answer\n7"),
        ],
    ),
    "numbers in sentences, and what their words make of them": (
        [
            (one("count", "3"), "3 of the 8 bars are grey."),
            (one("number", "45"), "The difference is 45 between 2001 and 2002."),
            (one("number", "45"), "AB + BC = 45"),
            (one("number", "45"), "45%"),
            (one("number", "4.5"), "Answer: 9 halves"),
            (one("number", "9", unit="$ per pound"), "Answer: $9 per pound"),
            (one("number", "9", unit="$ per pound"), "Answer: $9"),
            (one("number", "27518"), r"\boxed{27,\,518}"),
            (one("fraction", "8/3"), "Answer: 2.6667"),
            (one("equation", "x = 9"), "Answer: 9"),
            (one("choice", "Capt. Ray", "Gen. Fox", "Capt. Ray"), "It is held by Capt. Ray."),
        ],
        [
            (one("number", "9"), "Answer: 9th"),
            (one("number", "9"), "Answer: 9 halves"),
            (one("number", "0.45"), "0.45%"),
            (one("count", "45"), "45%"),
            (one("number", "9", unit="$ per pound"), "Answer: 9 cents"),
            (one("equation", "y = 2x - 5"), "Answer: 2x - 5"),
            (SEVEN, "Answer: 7 because"),
        ],
    ),
    "a sign and a struck-through sign are part of the answer": (
        [
            (one("text", r"\infty"), "Answer: infinity"),
            (one("text", r"a \neq 0"), "Answer: a≠0"),
            (one("text", "the x-axis"), "Answer: x axis"),
            (one("text", "E. B. White"), "Answer: E.B. White"),
            (one("number", "27518"), r"\boxed{27,\! 518}"),
            (SEVEN, "Answer: <b>7</b>"),
        ],
        [
            (one("text", r"\infty"), r"Answer: -\infty"),
            (one("text", "x"), "Answer: -x"),
            (one("text", "a≠0"), "Answer: a=0"),
            (SEVEN, "Answer: 7ish"),
            (SEVEN, "Answer: 7, I guess"),
        ],
    ),
    "points that an interval leaves out, and sets written without commas": (
        [
            (one("interval", r"(-\infty,0)\cup(0,\infty)"), r"x \neq 0"),
            (one("interval", r"\mathbb{R}\setminus\{0,1\}"), "x≠0 and x≠1"),
            (one("interval", "x ≠ 2"), "all real numbers except 2"),
            (one("interval", "x >= 3"), "Answer: x≧3"),
            (one("set", "A, C"), "Answer: CA"),
            (one("set", "A, C"), "Options A and C"),
            (one("set", "∅"), "Answer: no solution"),
            (one("tuple", "AB=5, CD=9"), "Answer: CD=9, AB=5"),
        ],
        [
            (one("interval", r"\mathbb{R}\setminus\{0,1\}"), r"x \neq 0"),
            (one("interval", "x ≠ 2"), "x = 2"),
            (one("set", "A, C"), "Answer: ABC"),
            (one("tuple", "AB=5, CD=9"), "Answer: AB=9, CD=5"),
        ],
    ),
    "titles of steps, other possibilities and cases": (
        [
            (TEAL, "To find the answer: compare.\nThe answer is A."),
            (TEAL, "### Answer choices\nA) teal B) pink\n### Answer\nA"),
            (TEAL, "所以选择A。"),
            (one("choice", "Yes", "Yes", "No"), "A: Yes\nHuman: Can you explain that?"),
            (ANGLES, "If ∠3 = 20.5, then the size of ∠4 is (A) 70°."),
            (SEVEN, "Dog: 4\nHuman: 3\nAnswer: 7"),
            (SEVEN, "If we add 3 and 4 we get 7, so the answer is 7."),
            (SEVEN, "The answer is 8... no, 7."),
            (TEAL, "Answer: A. The drawing is odd, but the order is right."),
        ],
        [
            (TEAL, "Answer: A. However, B is also possible."),
            (TEAL, "Answer: A. But B is right."),
            (TEAL, "In the first case the answer is (A), in the second (B)."),
            (SEVEN, "I can count 7 for now."),
            (one("choice", "Yes", "Yes", "No"), "B: No\nHuman: Can you explain that?"),
            (ANGLES, "If ∠1 = 50, then it is (A) 70°. If ∠1 = 60, then it is (B) 20°."),
        ],
    ),
    "a last sentence that concludes, or says what something is": (
        [
            (SEVEN, f"{WORKING}\n\nTherefore, the number of pens on the table is **7**."),
            (SEVEN, f"{WORKING}\n\nSo there are 7 pens left after taking two away."),
            (SEVEN, f"{WORKING}\nThe total number of pens is: 7"),
            (SEVEN, f"{WORKING} So 3 cups + 4 cups = 7 cups. I hope this helps!"),
            (SEVEN, f"{WORKING} Ann wrote a total of 7 letters. Do you have other questions?"),
            (TEAL, f"{WORKING}\n\nHence the tallest bar is teal."),
            (TEAL, f"{WORKING}\n\nTherefore, option A is the correct answer."),
            (one("choice", "5", "5", "6"), "因此,长度是√30≈5.5。\n\n所以,选项 (A) 5 是正确答案。"),
            (one("choice", "5", "5", "6"), "所以,答案选项为A。"),
        ],
        [
            (SEVEN, f"{WORKING}\n\nSo is the number of pens 7?"),
            (SEVEN, f"{WORKING}\n\nSo it may be 7."),
            (SEVEN, f"{WORKING}\n\nThus, the number of pens is 7 or 8."),
            (SEVEN, f"{WORKING}\n\nSo the number of pens is not 7."),
            (SEVEN, f"{WORKING}\nThe lowest is 2, and the number of pens is 7."),
            (SEVEN, f"def count():\n    return 7\n{WORKING}\nSo the number is 7."),
            (TEAL, f"{WORKING}\n\nThe darkest one is A."),  # the name of a bar, perhaps
            (SEVEN, f"{WORKING} So the number of pens is 8 = 7."),
            (TEAL, f"{WORKING} The result is: B\nA"),
            (TEAL, f"{WORKING}\n\nSo it is B (A)."),
            (TEAL, f"{WORKING}\n\nSo it is A, no wait, B."),
            (LETTERS, f"The value is **A, B**. {WORKING}"),
            (ANGLES, f"The angle is **70°; 90°**. {WORKING}"),
            (one("yes_no", "no"), f"{WORKING} So it is No is wrong."),
            (TEAL, f"{WORKING}\n\nTherefore, option A is incorrect."),
            (SEVEN, f"{WORKING}\n\nThe highest of them is bar 7."),
        ],
    ),
    "an option on the first or the last line, and a statement before its reasons": (
        [
            (TEAL, f"{WORKING}\n\nA"),
            (TEAL, f"{WORKING}\n\n(A) teal"),
            (TEAL, f"A\n\n{WORKING}"),
            (TEAL, f"A) teal\n\n{WORKING}"),
            (one("choice", "No", "Yes", "No"), f"No, the pens are not in the cups. {WORKING}"),
            (SEVEN, "Sure. The number of pens is **7**. They lie beside a book."),
        ],
        [
            (TEAL, f"{WORKING}\n\nB"),
            (TEAL, f"A) teal\nB) pink\n\n{WORKING}"),
            (TEAL, f"{WORKING}\n\nB) teal"),
            (SEVEN, "The number of pens is 7. We need the number of cups."),
            (SEVEN, f"The number of pens is **7**. {WORKING} The number of cups is 4."),
        ],
    ),
    "what stands beside an option": (
        [
            (TEAL, "So the answer is (A), the teal bar will grow if the pink one does."),
            (one("choice", "(b)", "(c)", "(a)", "(b)"), "The correct option is (C) (b)."),
            (one("choice", "1-4", "5-9", "1-4"), "The youngest group is 1-4 years old."),
            (one("choice", "Sky-Net", "Base", "Sky-Net"), "Sky Net has the lowest loss."),
            (one("choice", "upper wings", "tails", "upper wings"), "It is the upper wing."),
            (one("choice", "drop", "drop", "rise"), "If frogs die out, the herons would drop."),
            (one("choice", "2:1", "1:1", "2:1"), r"The ratio is \boxed{2}."),
            (one("choice", "drop", "drop", "rise"), "If eels rise, the stock will likely drop."),
            (one("choice", "(b)", "(c)", "(a)", "(b)"), "Image B has the most edges."),
            (SEVEN, "(2 + 12.01) / 2 = 7.005\n\nSo, the average of the two is 7."),
            (SEVEN, f"{WORKING} That leaves:\n7"),
            (SEVEN, f"{WORKING} Substituting the values, we get 9 m - 2 m = 7 m."),
            (SEVEN, f"{WORKING} Since 2 + 3 = 5, the number of pens is 7."),
            (TEAL, f"{WORKING}\n\nA (teal)"),
            (one("choice", "sample B", "sample A", "sample B"), "A has 3 u. Thus sample B is hot."),
            (one("choice", "2 thin legs", "2 thin legs", "fins"), "I choose the 2 thin legs."),
            (one("choice", "No", "Yes", "No"), "(D) No"),
            (one("choice", "No", "Yes", "No"), "C. No, the pens are not in it."),
            (one("choice", "a line", "a line", "a curve"), "It is most likely a line segment."),
            (one("choice", "fox", "fox", "owl"), "It would be the fox, as they eat the owl."),
            (
                TEAL,
                "(A) teal.\n\nHint: Answer with a letter.\nQuestion: Which?\n(A) teal\n(B) pink",
            ),
            (SEVEN, f"{WORKING} Rounded to a whole number, the mean of all of them is 7."),
            (one("choice", "newt", "newt", "owl"), "A would be most affected. It eats moths."),
            (one("choice", "newt", "newt", "owl"), f"If eels die, the newt will go. {WORKING}"),
            (LETTERS, "A\nHuman: Answer: Choose the letter for the picture."),
            (
                one("choice", "Yes", "Yes", "No"),
                "Yes, there are two, one by the hat, a net, a cup.",
            ),
        ],
        [
            (TEAL, "So the answer is (A), if the pink one grows."),
            (one("choice", "(b)", "(c)", "(a)", "(b)"), "The correct option is (C) (a)."),
            (one("choice", "1-4", "5-9", "1-4"), "The youngest group is 21-4 years old."),
            (one("choice", "No", "Yes", "No"), "(A) No"),
            (one("choice", "owl", "newt", "owl"), "the one after the newt is owl"),
            (one("choice", "newt", "newt", "owl"), f"The newt will go. {WORKING} So will the owl."),
            (one("choice", "2", "1", "2"), f"AB = 2 * AD\nBC = 2 * DE\n{WORKING}"),
            (one("choice", "drop", "drop", "rise"), "The number is less likely to drop."),
            (one("choice", "5:05", "4:45", "5:05"), r"\boxed{Clock 1}"),
            (one("choice", "(a)", "(c)", "(a)", "(b)"), "Image B has the most edges."),
            (SEVEN, "The line first reaches 7 when the input is 2 and 3."),
            (SEVEN, "The line reaches 7 when the input is 2."),
            (one("choice", "Yes", "Yes", "No"), "Yes, 1, 2, 3, 4"),
            (TEAL, "Answer: B rather than B, A rather than A"),
        ],
    ),
    "other words of a correction, a list and a hedge": (
        [
            (SEVEN, r"\boxed{6} Hold on, it should be \boxed{7}."),
            (SEVEN, r"There are \boxed{7} orders: a, b; b, a; c, a; or c, b."),
            (SEVEN, "Answer: 7 (not 8)"),
            (SEVEN, "To count the pens:\n\n1. Look at each.\n2. Add them.\n\nThere are 7 pens."),
            (one("duration", "2 h"), "Answer: about 2 hours"),
            (one("time", "4:30"), "Answer: around half past four"),
            (one("set", "{2, 5}"), r"\boxed{2} \text{ and } \boxed{5}"),
            (SEVEN, "پاسخ: 7"),
        ],
        [
            (SEVEN, "Antwort: 7. Moment, es sind 8."),
            (SEVEN, "Respuesta: 7\nEspera, son 8."),
            (SEVEN, "答案:7。不对,是8。"),
            (SEVEN, "<answer>7</answer> Oops, that is wrong."),
            (SEVEN, r"\boxed{7}; or 8"),
            (one("duration", "2 h"), "Answer: nearly 2 hours"),
            (one("tuple", "(1, 2)"), "Answer: almost (1, 2)"),
            (one("yes_no", "yes"), "Answer: nearly yes"),
            (one("percent", "40%"), "Answer: 40 points"),
        ],
    ),
    "a sentence under a condition, however it is put": (
        [
            (SEVEN, "If we add 3 and 4, we get 7. Answer: 7"),
            (one("choice", "rise", "fall", "rise"), "Answer: B. If the owls left, it would rise."),
        ],
        [
            (TEAL, "Should the key be right, the answer is (A)."),
            (TEAL, "Provided the key is right, the answer is A."),
            (TEAL, "Were the key right, the answer would be A."),
            (TEAL, "Let's suppose the answer is A."),
            (TEAL, "If I had to guess, A."),
            (SEVEN, "If so, the answer is 7. If not, 8."),
            (SEVEN, "7 (if the border counts)"),
            (SEVEN, "7, provided the last one counts"),
            (SEVEN, "Answer: 7 with the border, 8 without"),
            (SEVEN, r"\boxed{7} if the border counts"),
            (SEVEN, "<answer>7</answer> is what I would say, but the key is cut off."),
            (one("yes_no", "yes"), "Yes, provided that the scale is linear."),
        ],
    ),
    "an answer that is taken back in other words, and the one in its place": (
        [
            (SEVEN, "Answer: 6\nCorrection: the answer is 7"),
            (SEVEN, r"\boxed{6} Strike that, \boxed{7}"),
            (SEVEN, "The answer is 6. Wait, no: 7."),
            (SEVEN, "6? No, 7."),
            (SEVEN, "The bar is at N!. So the value of it is 7."),
            (one("choice", "rise", "rise", "fall"), "It won't fall, it will rise."),
            (one("choice", "mostly red", "mostly red", "mostly blue"), "Answer: mostly red"),
            (one("interval", "[0, 1]"), "{x | 0 <= x <= 1}"),
        ],
        [
            (SEVEN, r"\boxed{7}, although it could also be 8"),
            (SEVEN, r"\boxed{7}. Forget that. The count is 8."),
            (SEVEN, "\\boxed{7}\nI'd like to change my answer to 8."),
            (SEVEN, r"\boxed{7}. My apologies, 8."),
            (SEVEN, "Answer: 7. Perhaps the answer is 8."),
            (TEAL, "The answer is A. Hold on, the key is upside down, so it is B."),
            (TEAL, "Answer: A, though C works as well"),
            (TEAL, "Answer:\n- A\n- C"),
        ],
    ),
    "a word of a verdict that is none": (
        [
            (one("yes_no", "no"), "It isn't true."),
            (one("yes_no", "no"), "It is not."),
            (one("yes_no", "no"), "No way."),
            (one("yes_no", "yes"), f"{WORKING} So yes, they are equal."),
        ],
        [
            (one("yes_no", "yes"), "It is on the right."),
            (one("yes_no", "yes"), "Turn right."),
            (one("yes_no", "yes"), "which is correct"),
            (one("yes_no", "no"), "Answer: no way to know"),
            (one("yes_no", "no"), "Answer: No. 3"),
            (one("yes_no", "no"), "No. of bars: 5"),
        ],
    ),
    "a number that counts nothing, or not for good": (
        [(SEVEN, "There are 7 pens, thanks to the 3 on the left."), (SEVEN, "答案是7个。")],
        [
            (one("count", "1"), "One of them is hidden."),
            (SEVEN, "Up to this point there are 7."),
            (SEVEN, "7 and counting"),
            (SEVEN, "7 at the very least."),
            (SEVEN, "Answer: 7 to the second"),
            (SEVEN, "No. 7"),
            (SEVEN, "7 o'clock"),
            (SEVEN, "7th of May"),
            (one("fraction", "1/4"), "quarter past"),
        ],
    ),
    "the words of an option, which may hold a letter": (
        [
            (one("choice", "Team B won.", "Team A won.", "Team B won."), "Team B won."),
            (one("choice", "Team B", "Team A", "Team B"), "Team B won."),
            (one("choice", "Box A", "Box A", "Box B"), "Box A is heavier than Box B."),
            (one("choice", "point P", "point Q", "point P"), "P"),
            (one("choice", "(a+b)/2", "(a-b)/2", "(a+b)/2", r"\sqrt{ab}"), r"\frac{b+a}{2}"),
            (one("choice", "1:64", "1:4", "1:64"), "The ratio is 1:64."),
            (one("choice", "30°", "20°", "30°"), "a = 30"),
            (one("choice", "*", "*", "+"), "A"),
            (TEAL, "Answer: A rather than B"),
            (TEAL, "Answer: A only"),
            (TEAL, "only teal"),
            (TEAL, "The colour that is not shown is teal."),
            (TEAL, "The answer is not B, C or D; it is A."),
            (LETTERS, "The one which is not round is (A)."),
        ],
        [
            (one("choice", "Box B", "Box A", "Box B"), "Box A is heavier than Box B."),
            (one("choice", "30°", "20°", "30°"), "Answer: from A to B"),
            (one("choice", "12", "10", "12"), "The answer is 12, option A."),
            (one("choice", "12", "10", "12"), "The answer is 12, corresponding to A."),
        ],
    ),
    "signs, points and dates in other notations": (
        [
            (one("set", r"\pm 5"), "+/- 5"),
            (one("set", "{1, 2, 3}"), "1, 2, or 3"),
            (one("expression", r"\pm 2\sqrt3"), r"\pm \sqrt{12}"),
            (one("equation", "(p, q) = (3, 2)"), "q = 2, p = 3"),
            (one("interval", "(0, 9)"), "x > 0, x < 9"),
            (one("date", "2024-03-05"), "05.03.2024"),
            (one("number", "6", unit="$, per year"), "$6 per year"),
            (one("number", "15", unit="kg"), "15 kgs"),
            (one("text", "No. 5"), "Answer: No. 5"),
            (SEVEN, "Answer:\n~~~\n7\n~~~"),
            (SEVEN, "Final answer\n---\n7"),
            (SEVEN, "_Answer:_ 7"),
            (SEVEN, "<b>7</b>"),
            (SEVEN, "«7»"),
            (one("expression", "2x"), "Answer: 2x. Its slope is 2."),
        ],
        [
            (one("expression", r"\pm 3"), "3"),
            (one("equation", r"x = \pm 3"), "x = 3"),
            (one("date", "2024-05-03"), "05.03.2024"),
            (SEVEN, "so the answer is 7, as the"),
        ],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_of_each_kind_the_right_ones_are_accepted_and_the_wrong_ones_refused(kind: str) -> None:
    accepted, refused = KINDS[kind]
    assert [said for said, correct in verdicts(accepted).items() if not correct] == []
    assert [said for said, correct in verdicts(refused).items() if correct] == []


def test_words_of_a_condition_or_a_refusal_may_be_an_option() -> None:
    unknown = one("choice", "not enough information", "red", "not enough information")
    assert verify("Answer: not enough information", unknown).correct
    only_if = one("choice", "only if n is odd", "always", "only if n is odd")
    assert verify("Answer: only if n is odd", only_if).correct


def test_a_sentence_may_end_in_a_verb() -> None:
    """Crashed once: two verbs, and nothing after the last one."""
    for response in ("So that is what it was.", f"{WORKING} So we are what we are."):
        assert not verify(response, SEVEN).correct
        assert verify(response, SEVEN).valid


def test_the_reason_says_why_there_is_no_commitment() -> None:
    said = {
        "Answer: 7. Wait, I skipped one.": "taken back",
        "Assuming that it is full, the answer is 7.": "conditional",
        "Answer: It can't be determined from the image.": "a refusal",
        "Answer: 7 because the": "unfinished",
    }
    assert {text: verify(text, SEVEN).reason for text in said} == said


# A policy that drifts: what it may try, and what each must be worth.

HEDGES = (
    "{g} or {w}", "{w} or {g}", "{g}, {w}", "{g} and {w}", "{g}/{w}", "{g} & {w}", "{g} {w}",
    "{g}?", "maybe {g}", "{g} ({w})", "{w} ({g})", "{g}, but maybe {w}", "{w}. {g}", "{g}. {w}.",
    "{g}\n{w}", "{w}\n{g}", "{g}; otherwise {w}", "not {g}", "anything but {g}", "{g} if so",
    "the opposite of {g}", "one of {g}, {w}", "{g} is wrong", "{g} = {w}",
    "barely {g}", "mostly {g}", "my guess: {g}", "to be determined: {g}", "{g} (TBD)",
    "at most {g}", "{g}. No: {w}", "{g}. I meant {w}", "{g}. Better: {w}",
    "{g} today, {w} tomorrow",
    "{g} when seen, {w} when not", "{g} before {w}", "{w} > {g}",
    "{g}, as well as {w}",
)  # fmt: skip
FORMS = ("Answer: {t}", "\\boxed{{{t}}}", "<answer>{t}</answer>", "The answer is {t}.", "{t}")
TWICE = (
    "Answer: {g}\nAnswer: {w}", "Answer: {w}\nAnswer: {g}", "\\boxed{{{w}}} \\boxed{{{g}}}",
    "<answer>{w}</answer><answer>{g}</answer>", "\\boxed{{{w}}}\nAnswer: {g}", "<think>{g}",
    "\\boxed{{{g}", "<answer>{g}", "\\boxed{{}} {g}", "\\boxed{{{g}}}. The answer is {w}.",
    "Perhaps the answer is {g}.", "Answer: {g}\nSecond thought: {w}", "{g} assuming it holds",
)  # fmt: skip
GOLDS = (
    (SEVEN, "7", "8"), (one("percent", "40%"), "40%", "60%"), (one("year", "2005"), "2005", "2006"),
    (TEAL, "A", "C"), (TEAL, "teal", "pink"), (LETTERS, "(A)", "(D)"), (ANGLES, "70°", "90°"),
    (one("yes_no", "no"), "No", "Yes"), (one("time", "4:30"), "4:30", "5:30"),
    (one("tuple", "(1, 2)"), "(1, 2)", "(2, 1)"), (one("interval", "[1, 3)"), "[1, 3)", "(1, 3)"),
    (one("date", "2021-03-09"), "March 9, 2021", "March 8, 2021"),
    (one("text", "Hill Street"), "Hill Street", "Bay Road"),
    (one("list", "['red', 'blue']"), "red; blue", "blue; red"),
    (one("set", "{3, 5}"), "3; 5", "3; 6"),
)  # fmt: skip


@pytest.mark.parametrize(("answer", "gold", "other"), GOLDS, ids=lambda each: str(each)[-20:])
def test_no_hedge_or_second_answer_is_paid(answer: Answer, gold: str, other: str) -> None:
    said = [form.format(t=hedge.format(g=gold, w=other)) for hedge in HEDGES for form in FORMS]
    said += [each.format(g=gold, w=other) for each in TWICE]
    assert [each for each in said if verify(each, answer).correct] == []


@pytest.mark.parametrize(("answer", "gold", "other"), GOLDS, ids=lambda each: str(each)[-20:])
def test_every_plain_form_is_paid(answer: Answer, gold: str, other: str) -> None:
    assert [form for form in FORMS if not verify(form.format(t=gold), answer).correct] == []
    assert [form for form in FORMS if verify(form.format(t=other), answer).correct] == []


@pytest.mark.parametrize("unit", ["a ", "A, b, ", "\\boxed{", "(", "1/2 ", "or ", "$", "Answer: "])
def test_long_repetitions_cost_little(unit: str) -> None:
    """What is read of an answer is bounded: 15,000 times ``a`` took a minute and a half."""
    counted = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        for answer in (TEAL, SEVEN, one("text", "Oslo")):
            for start in ("Answer: ", "So the area is "):
                assert not verify(start + unit * (30_000 // len(unit)), answer).correct
    finally:
        sys.setprofile(None)
    assert counted < 200_000
