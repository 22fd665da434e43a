"""Checks that training never contained what the held-out prompts ask for. Needs Python alone.

    python3 check.py [DIALOGUES]

Draws that many training dialogues (100,000 unless told otherwise) and looks for held-out prompts, names, codes, facts,
wordings of personas and system prompts in them.
"""
import random
import re
import sys

import dialogues as d
from words import NAMES_HELD


def prompts(messages):
    """Every beginning that an answer follows."""
    for i, (role, _) in enumerate(messages):
        if role == "assistant":
            yield "".join(f"<|{a}|>{b}<|end|>" for a, b in messages[:i])


def main(n):
    tests = {k: [("".join(f"<|{a}|>{b}<|end|>" for a, b in m), w) for m, w in v] for k, v in d.held_out().items()}
    held = {p for v in tests.values() for p, _ in v}
    names = re.compile(r"\b(" + "|".join(NAMES_HELD) + r")\b")
    personas = {d.persona_ask_held(p).format("a " + p) for p in d.PERSONA}
    bad, answers = {}, 0

    def count(what, text):
        bad.setdefault(what, []).append(text)

    r = random.Random("check")
    for i in range(n):
        m = d.dialogue(r, long=i % 8 == 0)
        for p in prompts(m):
            answers += 1
            if p in held:
                count("a held-out prompt", p)
        text = " ".join(t for _, t in m)
        if names.search(text):
            count("a held-out name", text)
        for c in re.findall(r"code (?:for the \w+ )?is (\d{4})", text):
            if d.held("code", int(c)):
                count("a held-out code", text)
        if m[0][0] == "system" and m[0][1] in personas:
            count("a held-out wording of a persona", text)
        for a, b in re.findall(r"([A-Z]\w+) lives in ([A-Z]\w+)\.", text):
            if d.held("fact", "lives", a, b) and f"{a} has" not in text and "I do not know" not in text:
                count("a held-out fact", f"{a} {b}")
    print(f"{n} dialogues, {answers} answers, {len(held)} held-out prompts")
    for k, v in bad.items():
        print(len(v), k, v[:2])
    print("nothing found" if not bad else "FOUND")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000))
