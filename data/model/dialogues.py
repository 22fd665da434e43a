"""The dialogue generator: all text that the model is trained on and tested with comes from here.

A dialogue is a list of (role, text). `dialogue(r)` draws a training dialogue from a random.Random, `held_out()`
returns the test sets. What the test sets ask for is kept out of training by `held()`: a rule on the combination
(a person and a food, a question and its wording and its introduction, ...) that both sides apply.
"""
import hashlib
import random

from knowledge import K
from words import (ANIMALS, BABY, CAPITALS, CATEGORY, CITIES, CODES, COLORS, COUNTRIES, DAYS, EVENTS, FOODS, GAMES, JOBS,
                   LABELS, MATERIALS, NAMES, NAMES_HELD, OBJECTS, OPPOSITE, PLACES, PLURAL, TOPICS, VEHICLES, WEATHER, an,
                   invent)

UNKNOWN = "I do not know that."
SCENARIO_SYSTEM = ("You are a helpful assistant. Answer in a short sentence. Be kind and clear. "
                   "If you do not know, say so.")
SCENARIO = ["What color is grass?", "Where do fish live?", "How do birds fly?"]


def held(*parts, n=8):
    """True for one in n combinations: these never occur in training."""
    h = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=4)
    return int.from_bytes(h.digest(), "big") % n == 0


def cap(s):
    return s[0].upper() + s[1:]


# ---------------------------------------------------------------- system prompts and how they shape the answers

WHO = ["You are a helpful assistant.", "You are a friendly assistant.", "You are a kind helper.",
       "You are a small language model.", "You help people.", "You are a helpful assistant.", ""]
HOW = ["Answer in a short sentence.", "Answer in one short sentence.", "Keep it short.", "Use a full sentence.",
       "Answer the question.", ""]
TONE = ["Be kind and clear.", "Be polite.", "Be honest.", "Help the user.", "Take your time.", "", ""]
DOUBT = ["If you do not know, say so.", "Do not guess.", "Say only what you know.", "", ""]
ONE_WORD = ["Answer in one word.", "Use one word only.", "Reply with a single word.", "One word answers only.",
            "Answer with one word."]
PERSONA = {
    "pirate": lambda s: f"Arr! {s} Aye!",
    "robot": lambda s: f"Beep boop. {s}",
    "cat": lambda s: f"{s} Meow!",
    "king": lambda s: f"Hear me! {s}",
    "wizard": lambda s: f"By my magic! {s}",
    "ghost": lambda s: f"Boo! {s}",
    "teacher": lambda s: f"Good question! {s}",
    "poet": lambda s: f"{s} Oh, how sweet!",
}
PERSONA_ASK = ["You are {}.", "You are {}. Answer in a short sentence.", "Talk like {}.", "Speak like {}.",
               "Act like {}.", "Answer like {}.", "Pretend to be {}.", "Be {}.", "You are {} who helps people.",
               "I want you to be {}.", "Please talk like {}.", "You are {}. Answer the question."]
PHRASES = ["Good luck!", "Have fun!", "Ho ho!", "Thank you.", "My friend.", "Yes sir!", "Wow!", "See you soon.",
           "Stay safe!", "How nice!"]
END_ASK = ['End each answer with "{}"', 'Always end with "{}"', 'At the end of each answer say "{}"']
START_ASK = ['Start each answer with "{}"', 'Always start with "{}"', 'Before each answer say "{}"']


def persona_ask_held(persona):
    """The one wording that training never uses with this persona."""
    return PERSONA_ASK[list(PERSONA).index(persona) + 1]


class Style:
    """What the system prompt asks of every answer."""

    def __init__(self, kind="plain", text="", arg=""):
        self.kind, self.text, self.arg = kind, text, arg

    def say(self, sentence, word=None):
        if self.kind == "word":
            return word if word is not None else sentence
        if self.kind in PERSONA:
            return PERSONA[self.kind](sentence)
        if self.kind == "end":
            return f"{sentence} {self.arg}"
        if self.kind == "start":
            return f"{self.arg} {sentence}"
        return sentence


def helper_text(r, want_held=False):
    while True:
        if not want_held and r.random() < 0.12:
            return SCENARIO_SYSTEM
        t = " ".join(p for p in (r.choice(WHO), r.choice(HOW), r.choice(TONE), r.choice(DOUBT)) if p)
        if (t != SCENARIO_SYSTEM and held("system", t)) == want_held and (t or not want_held):
            return t


def style(r, kind=None, want_held=False):
    if kind is None:
        kind = r.choices(["plain", "word", "persona", "end", "start"], [62, 12, 16, 5, 5])[0]
    if kind == "plain":
        return Style("plain", helper_text(r, want_held))
    if kind == "word":
        while True:
            who, how = r.choice(WHO), r.choice(ONE_WORD)
            if held("word", who, how) == want_held:
                return Style("word", (who + " " + how).strip())
    if kind == "persona":
        kind = r.choice(list(PERSONA))
    if kind in PERSONA:
        while True:
            ask = r.choice(PERSONA_ASK)
            if (ask == persona_ask_held(kind)) == want_held:
                return Style(kind, ask.format("a " + kind))
    phrase = r.choice(PHRASES) if r.random() < 0.5 else invent(r, True) + "!"
    ask = r.choice(END_ASK if kind == "end" else START_ASK).format(phrase)
    return Style(kind, (r.choice(WHO) + " " + ask).strip(), phrase)


# ---------------------------------------------------------------- facts: statements, questions, answers

def name(r):
    return r.choice(NAMES) if r.random() < 0.55 else invent(r, True)


def noun(r, pool):
    return r.choice(pool) if r.random() < 0.92 else invent(r)


def code(r):
    while True:
        c = r.randrange(10000)
        if not held("code", c):
            return f"{c:04d}"


CLASH = ["sky", "sea", "sun"]  # a given fact about their color wins over common knowledge


def two_words(r, pool):
    """'rice', sometimes 'green rice'."""
    return (r.choice(COLORS + ["big", "small", "old", "new", "hot", "cold"]) + " " if r.random() < 0.1 else "") + noun(
        r, pool)


def anything(r):
    x = r.randrange(8)
    if x < 3:
        return r.choice([invent(r), invent(r, True), name(r)])
    if x == 3:
        return str(int(code(r)))
    if x == 4:
        return code(r)
    return r.choice([two_words(r, FOODS), noun(r, OBJECTS), r.choice(COLORS), r.choice(CITIES), noun(r, ANIMALS)])


#  relation: (subject, value, statements, questions, answer, one word, reverse questions, reverse word)
RELATIONS = {
    "likes": (name, lambda r: two_words(r, FOODS), ["{s} likes {v}.", "{s} likes {v} a lot.", "{s} loves {v}."],
              ["What does {s} like?", "Tell me what {s} likes.", "What food does {s} like?"],
              "{s} likes {v}.", "{V}.", ["Who likes {v}?", "Which person likes {v}?"], "{s}."),
    "lives": (name, lambda r: r.choice(CITIES) if r.random() < 0.9 else invent(r, True),
              ["{s} lives in {v}.", "{s} has a house in {v}.", "The home of {s} is in {v}."],
              ["Where does {s} live?", "Tell me where {s} lives.", "In which city does {s} live?"],
              "{s} lives in {v}.", "{V}.", ["Who lives in {v}?", "Which person lives in {v}?"], "{s}."),
    "job": (name, lambda r: noun(r, JOBS), ["{s} is {a}.", "{s} works as {a}."],
            ["What is the job of {s}?", "What does {s} do?", "Tell me the job of {s}."],
            "{s} is {a}.", "{V}.", ["Who is the {v}?", "Who works as {a}?"], "{s}."),
    "pet": (name, lambda r: two_words(r, ANIMALS), ["{s} has {a}.", "{s} has {a} as a pet."],
            ["What pet does {s} have?", "Which pet does {s} have?", "Which animal does {s} have?"],
            "{s} has {a}.", "{V}.", ["Who has {a}?", "Which person has {a}?"], "{s}."),
    "plays": (name, lambda r: noun(r, GAMES), ["{s} plays {v}.", "{s} plays {v} well."],
              ["What does {s} play?", "Tell me what {s} plays."],
              "{s} plays {v}.", "{V}.", ["Who plays {v}?", "Which person plays {v}?"], "{s}."),
    "color": (lambda r: noun(r, OBJECTS) if r.random() < 0.92 else r.choice(CLASH), lambda r: r.choice(COLORS), ["The {s} is {v}.", "The color of the {s} is {v}."],
              ["What color is the {s}?", "What is the color of the {s}?", "Which color is the {s}?"],
              "The {s} is {v}.", "{V}.", ["What is {v}?", "Which thing is {v}?"], "{S}."),
    "place": (lambda r: noun(r, OBJECTS), lambda r: noun(r, PLACES), ["The {s} is in the {v}."],
              ["Where is the {s}?", "Tell me where the {s} is.", "Where can I find the {s}?"],
              "The {s} is in the {v}.", "{V}.", ["What is in the {v}?", "Which thing is in the {v}?"], "{S}."),
    "code": (lambda r: noun(r, CODES), code, ["The {s} code is {v}.", "The code for the {s} is {v}."],
             ["What is the {s} code?", "Tell me the {s} code.", "What is the code for the {s}?"],
             "The {s} code is {v}.", "{V}.", [], ""),
    "event": (lambda r: noun(r, EVENTS), lambda r: r.choice(DAYS), ["The {s} is on {v}."],
              ["When is the {s}?", "On which day is the {s}?", "What day is the {s}?"],
              "The {s} is on {v}.", "{V}.", ["What is on {v}?"], "{S}."),
    "price": (lambda r: noun(r, OBJECTS), lambda r: str(r.randint(1, 99)), ["The {s} costs {v} coins."],
              ["How much is the {s}?", "What does the {s} cost?", "How much does the {s} cost?"],
              "The {s} costs {v} coins.", "{V}.", ["What costs {v} coins?"], "{S}."),
    "called": (lambda r: noun(r, ANIMALS), name, ["The {s} is called {v}.", "The name of the {s} is {v}.", "The {s} is named {v}."],
               ["What is the {s} called?", "What is the name of the {s}?", "Tell me the name of the {s}."],
               "The {s} is called {v}.", "{V}.", ["Who is called {v}?"], "{S}."),
    "age": (name, lambda r: str(r.randint(1, 99)), ["{s} is {v} years old.", "{s} is {v}."],
            ["How old is {s}?", "What is the age of {s}?"],
            "{s} is {v} years old.", "{V}.", ["Who is {v} years old?"], "{s}."),
    "from": (name, lambda r: r.choice(COUNTRIES) if r.random() < 0.9 else invent(r, True),
             ["{s} comes from {v}.", "{s} is from {v}."],
             ["Where does {s} come from?", "Where is {s} from?", "Which country does {s} come from?"],
             "{s} comes from {v}.", "{V}.", ["Who comes from {v}?", "Who is from {v}?"], "{s}."),
    "drives": (name, lambda r: two_words(r, VEHICLES), ["{s} drives {a}."],
               ["What does {s} drive?", "Tell me what {s} drives."],
               "{s} drives {a}.", "{V}.", ["Who drives {a}?"], "{s}."),
    "made": (lambda r: noun(r, OBJECTS), lambda r: r.choice(MATERIALS), ["The {s} is made of {v}."],
             ["What is the {s} made of?", "Tell me what the {s} is made of."],
             "The {s} is made of {v}.", "{V}.", ["What is made of {v}?"], "{S}."),
    "opens": (lambda r: noun(r, PLACES), lambda r: str(r.randint(1, 24)), ["The {s} opens at {v}."],
              ["When does the {s} open?", "What time does the {s} open?"],
              "The {s} opens at {v}.", "{V}.", ["What opens at {v}?"], "{S}."),
    "is": (lambda r: noun(r, LABELS), anything, ["The {s} is {v}.", "The {s} is {v}.", "{S}: {v}."],
           ["What is the {s}?", "Tell me the {s}.", "Which {s} is it?"],
           "The {s} is {v}.", "{V}.", [], ""),
    "secret": (lambda r: "secret", code, ["The secret code is {v}.", "The code is {v}."],
               ["What is the secret code?", "What is the code?", "Tell me the code.", "Which code is it?"],
               "The code is {v}.", "{V}.", [], ""),
}
REL_WEIGHTS = [3, 3, 2, 2, 2, 2, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 2, 1]
assert len(REL_WEIGHTS) == len(RELATIONS)


def fill(t, s, v):
    return t.format(s=s, v=v, S=cap(s), V=cap(v), a=an(v))


class Fact:
    def __init__(self, rel, s, v):
        self.rel, self.s, self.v = rel, s, v

    def state(self, r):
        st = RELATIONS[self.rel][2]
        return fill(st[0] if r.random() < 0.75 else r.choice(st), self.s, self.v)

    def ask(self, r):
        """(question, sentence, word); sometimes the question runs from the value to the subject."""
        _, _, _, qs, ans, word, back, back_word = RELATIONS[self.rel]
        if back and r.random() < 0.3:
            qs, word = back, back_word
        return tuple(fill(t, self.s, self.v) for t in (r.choice(qs), ans, word))


def fact(r, used, want_held=False, rel=None, names=None):
    """A new fact whose subject and value are not used yet with this relation."""
    while True:
        k = rel or r.choices(list(RELATIONS), REL_WEIGHTS)[0]
        s, v = RELATIONS[k][0](r), RELATIONS[k][1](r)
        if names and RELATIONS[k][0] is name:
            s = r.choice(names)
        # a code is held out by its digits, everything else by the pair of subject and value
        if k not in ("code", "secret") and held("fact", k, s, v) != want_held:
            continue
        if k == "is" and s == "color":  # a color is no label when things have colors
            continue
        if k in ("code", "secret") and want_held:
            v = held_code(r)
        group = "code" if k == "secret" else k
        if (group, s) in used or (group, v) in used or (k == "pet" and ("called", v) in used):
            continue
        used |= {(group, s), (group, v)}
        return Fact(k, s, v)


def held_code(r):
    while True:
        c = r.randrange(10000)
        if held("code", c):
            return f"{c:04d}"


def missing(r, used):
    """A question about something that nobody said."""
    while True:
        k = r.choices(list(RELATIONS), REL_WEIGHTS)[0]
        s, v = RELATIONS[k][0](r), RELATIONS[k][1](r)
        group = "code" if k == "secret" else k
        if s in CLASH or (group, s) in used or (group, v) in used or (k == "secret" and any(g == "code" for g, _ in used)):
            continue
        qs = RELATIONS[k][3] + (RELATIONS[k][6] if k not in ("color", "called", "made") else [])
        return fill(r.choice(qs), s, v), UNKNOWN, "Unknown."


FACTS_INTRO = ["", "", "", "Facts: ", "Here are some facts. ", "Remember this. ", "You know this: ", "Notes: "]


def facts_text(r, facts):
    st = [f.state(r) for f in facts]
    x = r.random()
    if x < 0.12:
        return r.choice(["Facts:", "Notes:"]) + "".join("\n- " + s for s in st)
    if x < 0.24 and len(st) > 1:
        out, i, n = [], 0, 1
        while i < len(st):
            k = r.randint(1, 3)
            out.append(f"Document {n}: " + " ".join(st[i:i + k]))
            i, n = i + k, n + 1
        return r.choice([" ", "\n"]).join(out)
    return r.choice(FACTS_INTRO) + " ".join(st)


# ---------------------------------------------------------------- questions without a fact

WRAP = ["{Q}", "Please tell me: {Q}", "Tell me: {Q}", "I have a question. {Q}", "Hello. {Q}", "Hi! {Q}",
        "{Q} Please answer.", "Can you tell me? {Q}", "Do you know? {Q}", "Next question: {Q}", "Question: {Q}",
        "Okay. {Q}", "Thank you. {Q}", "{Q} Thank you.", "lower", "bare"]
WRAP_W = [60] + [3] * 13 + [4, 4]


def wrap(q, i):
    if WRAP[i] == "lower":
        return q[0].lower() + q[1:]
    if WRAP[i] == "bare":
        return (q[0].lower() + q[1:]).rstrip("?.")
    return WRAP[i].format(Q=q)


def some_wrap(r, q):
    return wrap(q, r.choices(range(len(WRAP)), WRAP_W)[0])


def knowledge(r, want_held=False, item=None):
    while True:
        key, asks, sentence, word = item or r.choice(K)
        p = 0 if r.random() < 0.3 and not want_held else r.randrange(len(asks))
        w = r.choices(range(len(WRAP)), WRAP_W)[0]
        if (w != 0 and held("k", key, p, w)) == want_held:
            return wrap(asks[p], w), sentence, word


SUMS = ["What is {a} + {b}?", "What is {a} plus {b}?", "Add {a} and {b}.", "{a} + {b} = ?", "How much is {a} + {b}?",
        "{a} + {b}", "What is the sum of {a} and {b}?", "Please add {a} and {b}.", "{a}+{b}?", "{a} + {b} ="]


def pair_held(a, b):
    return a != b and held("pair", a, b, n=15) and not held("pair", b, a, n=15)


def sums(r, want_held=False, want_pair=False):
    """want_held: this wording of this sum is new; want_pair: only b + a was seen, never a + b."""
    while True:
        c = r.randint(0, 20)
        a = r.randint(0, c)
        b = c - a
        i = r.randrange(len(SUMS))
        if pair_held(a, b) == want_pair and (want_pair or held("sum", a, b, i) == want_held):
            return SUMS[i].format(a=a, b=b), f"{a} + {b} = {c}.", f"{c}."


def big_sum(r):
    while True:
        a, b = r.randint(0, 99), r.randint(0, 99)
        if r.random() < 0.3:
            q = r.choice(["What is {a} - {b}?", "What is {a} * {b}?", "{a} - {b}", "{a} * {b} = ?", "What is {a} minus {b}?",
                          "What is {a} times {b}?", "What is {a} / {b}?", "{a}*{b}", "{a}-{b}"])
            return q.format(a=a, b=b), "I can only add up to 20.", "Unknown."
        if a + b > 20:
            return r.choice(SUMS).format(a=a, b=b), "I can only add up to 20.", "Unknown."


CHAT = [
    (["Hello.", "Hello!", "Hi.", "Hi!", "Hello there.", "Good morning.", "hello", "hi", "Hey!"],
     "Hello! How can I help you?", "Hello."),
    (["Thank you.", "Thanks.", "Thank you!", "Thanks a lot.", "thanks"], "You are welcome.", "Welcome."),
    (["Goodbye.", "Bye.", "Bye!", "See you.", "Good night."], "Goodbye!", "Goodbye."),
    (["How are you?", "How are you today?", "Are you well?"], "I am well, thank you.", "Well."),
    (["Who are you?", "What are you?", "What is your name?", "Tell me about you."], "I am a small language model.",
     "Model."),
    (["What can you do?", "How can you help me?", "Help!", "Help me."],
     "I can answer short questions, add small numbers and remember what you tell me.", "Answer."),
    (["Can you help me?", "Are you there?", "Are you ready?"], "Yes, I can help you.", "Yes."),
    (["Okay.", "Good.", "Nice.", "Great!", "I see.", "Well done."], "Do you have a question?", "Okay."),
    (["Tell me a joke.", "Make me laugh.", "Do you know a joke?"],
     "Why do birds fly south? It is too far to walk.", "Ha."),
    (["Sorry.", "I am sorry.", "Excuse me."], "No problem.", "Okay."),
    (["Where do you live?", "Where are you?"], "I live in this computer.", "Here."),
    (["How old are you?", "What is your age?"], "I am very young.", "Young."),
    (["Who made you?", "How did you learn?"], "I was trained on short dialogues.", "Training."),
    (["Name the days of the week.", "What are the days of the week?", "List the days of the week."],
     "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday.", "Monday."),
    (["Name the seasons.", "What are the four seasons?", "List the seasons."], "Spring, summer, autumn, winter.",
     "Spring."),
]


def small_talk(r):
    asks, s, w = r.choice(CHAT)
    return r.choice(asks), s, w


NO_IDEA = ["What is the meaning of {i}?", "What is a {i}?", "Who is {N}?", "Who won the {g} game in {y}?",
           "What color is a {i}?", "What is the capital of {I}?", "How old is {N}?", "How tall is {N}?",
           "How do I cook {f}?", "How do I learn {g}?", "What is the price of {f}?", "Who made the first {o}?",
           "How many people live in {c}?", "What happened in {y}?", "Why is the {o} broken?", "Where can I buy a {o}?",
           "What is the opposite of {i}?", "What do {i}s eat?", "Where do {i}s live?", "What is the best {o}?",
           "Which {o} should I buy?", "Who wrote the book about {i}?", "How far is {c} from {d}?",
           "What does a {i} say?", "What time is it?", "What is the time?", "What day is it today?",
           "How do computers work?", "What is the meaning of life?", "Who is the president?", "What is love?",
           "Why is the sky blue?", "How do I get to {c}?", "What is the weather in {c}?", "What is the time in {c}?",
           "Will it rain tomorrow?", "Who is the king of {I}?", "What is the population of {c}?", "How heavy is a {o}?",
           "Can you drive a {o}?", "How do I write a program?", "What is a computer?",
           "Is {N} older than {M}?", "What comes after {i}?", "Why do people {i}?", "Where was {N} born?",
           "What is the square root of {y}?", "Do you like {f}?", "Do you have a {o}?", "Where is {c}?", "Tell me about {c}.",
           "Tell me about {i}.", "What is {c}?", "Is {i} good?", "Can you {i}?", "Do you know {N}?", "I want {f}.", "How many {o}s are in {c}?", "What did {N} say?", "{I} {i} {i}?",
           "What is {i}?", "Explain {i}.", "Explain {i} to me.", "Give me a {o}.", "Give me a word.", "Say hello in {i}.",
           "Translate {i}.", "Write me a poem.", "Sing a song.", "Why?", "How?", "What?", "Who?", "Why not?", "Which one?",
           "What do you think?", "What is in the news?", "Show me the {o}.", "Draw a {o}.", "Can you see me?",
           "Tell me something.", "Talk to me.", "What is new?", "{i}", "{I}", "{i} {i}", "Is it true?", "Are you sure?",
           "Do you love me?", "What should I do?", "How do you feel about {f}?", "Let us play {g}.", "Write a poem about {i}.", "How does a {o} work?", "What color is a {o}?",
           "Who lives in {I}?", "How many legs does a {i} have?", "What is the {i} of {I}?", "Why {i}?"]


NEAR = ["What color is {a}?", "Where do {p} live?", "What do {p} eat?", "What does {a} say?", "How many legs does {a} have?",
        "What is a baby {s}?", "What do {p} make?", "What do {p} give?", "How do {p} fly?", "Can {p} swim?",
        "What is {a}?", "What is {a} made of?", "What is the capital of {s}?", "What shines in the {s}?",
        "Which animal is the {s}?", "Who makes {p}?", "Who has {a}?", "What comes after {s}?"]
SALAD = [*"a the to of and is in it you that he was for on are with as I his they be at one have this from or had by but"
         .split(), *"what all were we when your can said there use an each which she do how their if will up other about"
         .split(), *OBJECTS, *FOODS, *ANIMALS, *COLORS, *PLACES, *JOBS, *COUNTRIES]
ASKED = {a for _, asks, _, _ in K for a in asks}


def no_idea(r):
    """Also questions that look like those it knows, about things it does not know."""
    while r.random() < 0.3:
        s, p = r.choice(list(PLURAL.items()))
        q = r.choice(NEAR).format(s=s, p=p, a=an(s))
        if q not in ASKED:
            return some_wrap(r, q), UNKNOWN, "Unknown."
    if r.random() < 0.15:
        q = " ".join(r.choice([invent(r), r.choice(SALAD), r.choice(SALAD)]) for _ in range(r.randint(2, 9)))
        return q + r.choice(["", "?", "."]), UNKNOWN, "Unknown."
    q = r.choice(NO_IDEA).format(i=invent(r), I=invent(r, True), N=name(r), M=name(r), g=r.choice(GAMES),
                                 f=r.choice(FOODS), o=r.choice(OBJECTS), c=r.choice(CITIES), d=r.choice(CITIES),
                                 y=r.randint(10, 2030))
    return some_wrap(r, q), UNKNOWN, "Unknown."


def story(r):
    a, b = noun(r, ANIMALS), noun(r, ANIMALS)
    q = r.choice(["Tell me a story about {} and {}.", "Write a story about {} and {}.",
                  "I want a story about {} and {}."]).format(an(a), an(b))
    return q, (f"Once there was {an(a)}. The {a} met {an(b)}. They went to the sea and played all day. "
               f"Then the {a} and the {b} went home. The end."), cap(a) + "."


def count(r):
    if r.random() < 0.5:
        a, b, q = 1, r.randint(2, 20), r.choice(["Count to {b}.", "Count up to {b}.", "Please count to {b}."])
    else:
        a = r.randint(0, 15)
        b, q = r.randint(a + 1, 20), r.choice(["Count from {a} to {b}.", "Please count from {a} to {b}."])
    return q.format(a=a, b=b), ", ".join(map(str, range(a, b + 1))) + ".", f"{b}."


def repeat(r):
    ws = [noun(r, r.choice([ANIMALS, FOODS, OBJECTS, COLORS, PLACES])) if r.random() < 0.7 else invent(r)
          for _ in range(r.randint(1, 5))]
    t = " ".join(ws)
    return r.choice(["Repeat: {}", "Say: {}", "Repeat after me: {}", "Copy: {}"]).format(t), t, t


# ---------------------------------------------------------------- few-shot patterns

TASKS = {
    "opposite": list(OPPOSITE.items()),
    "plural": list(PLURAL.items()),
    "capital": list(CAPITALS.items()),
    "category": list(CATEGORY.items()),
    "copy": None,
    "baby": list(BABY.items()),
    "next day": [(a, DAYS[(i + 1) % 7]) for i, a in enumerate(DAYS)],
    "next number": [(str(i), str(i + 1)) for i in range(0, 20)],
}
TASK_W = [3, 3, 3, 3, 4, 1, 1, 1]


def shots(r, want_held=False, task=None, n=None):
    """(task, examples, query, answer)"""
    while True:
        t = task or r.choices(list(TASKS), TASK_W)[0]
        k = (n or r.randint(2, 5)) + 1
        if t == "copy":
            pool = [noun(r, r.choice([list(PLURAL), list(OPPOSITE), list(CATEGORY), COUNTRIES]))
                    if r.random() < 0.6 else invent(r) for _ in range(k)]
            ex = [(w, w) for w in dict.fromkeys(pool)]
            if len(ex) < k:
                continue
        elif t == "category":  # the examples show at least two categories
            ex = r.sample(TASKS[t], k)
            if len({b for _, b in ex[:-1]}) < 2:
                continue
        else:
            ex = r.sample(TASKS[t], k)
        if held("shots", t, ex[-1][0], ex[0][0]) == want_held:
            return t, ex[:-1], *ex[-1]


ARROWS = [(" -> ", " ->"), (": ", ":"), (" = ", " =")]
SHOT_SYSTEM = ["Continue the pattern.", "Follow the pattern.", "Follow the examples.", "Do as in the examples."]


def shot_messages(r, ex, query, answer, st):
    """One of five ways to write the examples."""
    form = r.randrange(5)
    arrow, last = r.choice(ARROWS)
    lines = [a + arrow + b for a, b in ex]
    system = r.choice(["", "", st.text, r.choice(SHOT_SYSTEM), (st.text + " " + r.choice(SHOT_SYSTEM)).strip()])
    if form == 4:
        sep = r.choice([", ", "\n"])
        intro = r.choice(["Examples: ", "Examples:\n", "Follow the pattern: "])
        end = "." if sep == ", " else ""
        m = [("system", ((system + " ") if system else "") + intro + sep.join(lines) + end)]
        return m + [("user", query + r.choice(["", last])), ("assistant", answer)]
    m = [("system", system)] if system else []
    if form in (0, 1):
        return m + [("user", "\n".join(lines + [query + last])), ("assistant", answer)]
    if form == 2:
        return m + [("user", ", ".join(lines + [query + last])), ("assistant", answer)]
    for a, b in ex:
        m += [("user", a), ("assistant", b)]
    return m + [("user", query), ("assistant", answer)]


# ---------------------------------------------------------------- tools

TOOLS = {"weather": "CITY", "time": "CITY", "price": "ITEM", "find": "ITEM", "add": "A B"}
TOOL_INTRO = ["Tools: {}.", "You can use these tools: {}.", "Your tools: {}."]
TOOL_HOW = ["", "", " To use a tool, say: call TOOL.", " Use a tool if you need it."]


def tools_text(r, tools):
    return r.choice(TOOL_INTRO).format(", ".join(f"{t} {TOOLS[t]}" for t in tools)) + r.choice(TOOL_HOW)


def tool_turn(r, tools, say):
    """A question that needs a tool: call, result, answer."""
    t = r.choice(tools)
    if t in ("weather", "time"):
        def one(c):
            res = r.choice(WEATHER) if t == "weather" else f"{r.randint(0, 23)}:{r.randint(0, 59):02d}"
            return res, (f"It is {res} in {c}.")
        c, d = r.sample(CITIES, 2)
        if r.random() < 0.1:
            c = invent(r, True)
        (rc, sc), (rd, _) = one(c), one(d)
        if t == "weather" and r.random() < 0.3:
            q = r.choice(["What is the weather in {} and {}?", "Is the weather good in {} and {}?"]).format(c, d)
            return [("user", q), ("assistant", f"call {t} {c}"), ("tool", rc), ("assistant", f"call {t} {d}"),
                    ("tool", rd), ("assistant", say(f"It is {rc} in {c} and {rd} in {d}.", f"{cap(rc)}."))]
        q = {"weather": ["What is the weather in {}?", "How is the weather in {}?", "Tell me the weather in {}."],
             "time": ["What is the time in {}?", "What time is it in {}?", "Tell me the time in {}."]}[t]
        return [("user", some_wrap(r, r.choice(q).format(c))), ("assistant", f"call {t} {c}"), ("tool", rc),
                ("assistant", say(sc, f"{cap(rc)}."))]
    if t == "add":
        a, b = r.randint(0, 99), r.randint(0, 99)
        q = r.choice(SUMS).format(a=a, b=b)
        return [("user", q), ("assistant", f"call add {a} {b}"), ("tool", str(a + b)),
                ("assistant", say(f"{a} + {b} = {a + b}.", f"{a + b}."))]
    o = noun(r, OBJECTS)
    if t == "price":
        p = str(r.randint(1, 99))
        q = r.choice(["How much is the {}?", "What does the {} cost?", "What is the price of the {}?"]).format(o)
        return [("user", q), ("assistant", f"call price {o}"), ("tool", p),
                ("assistant", say(f"The {o} costs {p} coins.", f"{p}."))]
    p = noun(r, PLACES)
    q = r.choice(["Where is the {}?", "Where can I find the {}?", "Find the {}."]).format(o)
    return [("user", q), ("assistant", f"call find {o}"), ("tool", p),
            ("assistant", say(f"The {o} is in the {p}.", f"{cap(p)}."))]


# ---------------------------------------------------------------- dialogues

TELL_NAME = ["My name is {n}.", "I am {n}.", "Hello, my name is {n}.", "Hi, I am {n}.", "Call me {n}.",
             "Please call me {n}.", "My name is {n}", "Hi! My name is {n}."]
ASK_NAME = ["What is my name?", "Who am I?", "Do you know my name?", "What was my name?", "Tell me my name.",
            "Do you remember my name?", "what is my name"]
TELL_PREF = ["My favorite {t} is {v}.", "My favorite {t} is {v}, by the way.", "I like the {t} {v} best.",
             "Remember: my favorite {t} is {v}."]
ASK_PREF = ["What is my favorite {t}?", "Which {t} do I like best?", "Tell me my favorite {t}.",
            "Do you remember my favorite {t}?", "Do you know my favorite {t}?"]
TELL_FACT = ["{f}", "Remember: {f}", "Please remember: {f}", "You should know: {f}"]
RAG = ["Context: {c}\nQuestion: {q}", "Context: {c} Question: {q}", "Read this: {c} {q}", "{c} {q}",
       "Use this text. {c} Now answer: {q}", "{c}\n{q}"]


def pref_value(r, topic):
    if topic == "number":
        return str(r.randint(0, 99))
    if topic in ("city", "day", "month", "season"):
        return r.choice(TOPICS[topic])
    return noun(r, TOPICS[topic])


def pref(r, used, want_held=False):
    while True:
        t = r.choice(list(TOPICS))
        v = pref_value(r, t)
        if t not in used and held("pref", t, v) == want_held:
            return t, v


# what a user says of himself or herself: (statements, questions, answer, one word)
MY = {
    "called": (["My {animal} is called {name}.", "I have {a_animal} called {name}.", "My {animal} is named {name}."],
               ["What is my {animal} called?", "What is the name of my {animal}?"],
               "Your {animal} is called {name}.", "{name}."),
    "like": (["I like {food}.", "I love {food}."], ["What do I like?", "Tell me what I like."], "You like {food}.",
             "{food}."),
    "color": (["My {object} is {color}.", "I have a {color} {object}."], ["What color is my {object}?"],
              "Your {object} is {color}.", "{color}."),
    "play": (["I play {game}."], ["What do I play?", "Tell me what I play."], "You play {game}.", "{game}."),
    "job": (["I am {a_job}.", "I work as {a_job}.", "My job is {job}."], ["What is my job?", "What do I do?"],
            "You are {a_job}.", "{job}."),
    "number": (["Remember the number {number}.", "The number is {number}."],
               ["What number did I say?", "What is the number?", "Which number was it?"],
               "The number is {number}.", "{number}."),
    "place": (["My {object} is in the {place}.", "I put my {object} in the {place}."], ["Where is my {object}?"],
              "Your {object} is in the {place}.", "{place}."),
}


def my(r, taken, want_held=False):
    """(key, statement, questions, sentence, word)"""
    while True:
        k = r.choice(list(MY))
        v = {"animal": noun(r, ANIMALS), "name": name(r), "food": two_words(r, FOODS), "object": noun(r, OBJECTS),
             "color": r.choice(COLORS), "game": noun(r, GAMES), "job": noun(r, JOBS), "place": noun(r, PLACES),
             "number": str(int(code(r)))}
        v |= {"a_animal": an(v["animal"]), "a_job": an(v["job"])}
        st, qs, ans, word = MY[k]
        key = (k, v["animal"] if k == "called" else v["object"] if k in ("color", "place") else "")
        sentence = ans.format(**v)
        if key not in taken and held("my", sentence) == want_held:
            return key, r.choice(st).format(**v), [q.format(**v) for q in qs], sentence, cap(word.format(**v))


class Dialogue:
    """Builds one dialogue turn by turn and knows what has been said."""

    def __init__(self, r, st, facts=(), used=None, tools=(), system_extra=""):
        self.r, self.st, self.tools = r, st, list(tools)
        self.facts, self.used = list(facts), used if used is not None else set()
        self.name, self.prefs, self.home, self.age, self.my = None, {}, None, None, {}
        parts = [st.text] if st.text else []
        if facts:
            parts.append(facts_text(r, self.facts))
        if tools:
            parts.append(tools_text(r, self.tools))
        if system_extra:
            parts.append(system_extra)
        if len(parts) > 1 and "\n" not in parts[0] and r.random() < 0.08 and not facts:
            parts.reverse()
        sep = "\n" if r.random() < 0.1 else " "
        text = sep.join(parts)
        self.m = [("system", text)] if text else []

    def turn(self, q, sentence, word=None):
        self.m += [("user", q), ("assistant", self.st.say(sentence, word))]

    def ack(self, q):
        self.turn(q, "I will remember that.", "Okay.")

    # one method a kind of turn; each returns False when it cannot be done now
    def t_know(self):
        q, s, w = knowledge(self.r)
        if any(f"the {c}" in q.lower() and ("color", c) in self.used for c in CLASH):
            return False
        self.turn(q, s, w)

    def t_my(self):
        r = self.r
        if self.my and r.random() < 0.6:
            qs, s, w = r.choice(list(self.my.values()))
            self.turn(some_wrap(r, r.choice(qs)), s, w)
            return
        key, st, qs, s, w = my(r, self.my)
        if key[0] == "place" and self.tools:
            return False
        if r.random() < 0.1:
            self.turn(r.choice(qs), UNKNOWN, "Unknown.")
        else:
            self.my[key] = qs, s, w
            self.ack(st)

    def t_sum(self):
        if "add" in self.tools:
            return False
        self.turn(*(sums(self.r) if self.r.random() < 0.9 else big_sum(self.r)))

    def t_fact(self):
        if not self.facts:
            return False
        q, s, w = self.r.choice(self.facts).ask(self.r)
        self.turn(some_wrap(self.r, q), s, w)

    def t_missing(self):
        if self.tools:
            return False
        q, s, w = missing(self.r, self.used)
        self.turn(some_wrap(self.r, q), s, w)

    def t_tell_fact(self):
        if self.tools:
            return False
        f = fact(self.r, self.used)
        t = self.r.choice(TELL_FACT).format(f=f.state(self.r))
        self.ack(t)
        self.facts.append(f)

    def t_name(self):
        r = self.r
        if self.name is None and r.random() < 0.75:
            self.name = name(r)
            tell = r.choice(TELL_NAME).format(n=self.name)
            if r.random() < 0.06:
                self.name, tell = self.name.lower(), tell.lower().rstrip(".")
            self.turn(tell, f"Nice to meet you, {self.name}.", f"{cap(self.name)}.")
        elif self.name is None:
            self.turn(r.choice(ASK_NAME), "I do not know your name.", "Unknown.")
        else:
            self.turn(some_wrap(r, r.choice(ASK_NAME)), f"Your name is {self.name}.", f"{cap(self.name)}.")

    def t_pref(self):
        r = self.r
        x = r.random()
        if self.prefs and x < 0.6:
            t, v = r.choice(list(self.prefs.items()))
            self.turn(some_wrap(r, r.choice(ASK_PREF).format(t=t)), f"Your favorite {t} is {v}.", f"{cap(v)}.")
        elif x < 0.92 and len(self.prefs) < 6:
            t, v = pref(r, self.prefs)
            self.ack(r.choice(TELL_PREF).format(t=t, v=v))
            self.prefs[t] = v
        else:
            t = r.choice(list(TOPICS))
            if t in self.prefs:
                return False
            self.turn(r.choice(ASK_PREF).format(t=t), f"I do not know your favorite {t}.", "Unknown.")

    def t_self(self):
        r = self.r
        if r.random() < 0.5:
            if self.home is None:
                self.home = r.choice(CITIES)
                self.ack(r.choice(["I live in {}.", "My home is in {}."]).format(self.home))
            else:
                self.turn(r.choice(["Where do I live?", "In which city do I live?"]), f"You live in {self.home}.",
                          f"{self.home}.")
        elif self.age is None:
            self.age = r.randint(5, 99)
            self.ack(r.choice(["I am {} years old.", "My age is {}."]).format(self.age))
        else:
            self.turn(r.choice(["How old am I?", "What is my age?"]), f"You are {self.age} years old.", f"{self.age}.")

    def t_talk(self):
        self.turn(*small_talk(self.r))

    def t_no_idea(self):
        q, s, w = no_idea(self.r)
        if self.tools or self.facts:
            return False
        self.turn(q, s, w)

    def t_story(self):
        self.turn(*story(self.r))

    def t_count(self):
        self.turn(*count(self.r))

    def t_repeat(self):
        q, s, w = repeat(self.r)
        self.m += [("user", q), ("assistant", s)]

    def t_tool(self):
        if not self.tools:
            return False
        self.m += tool_turn(self.r, self.tools, self.st.say)

    def t_no_tool(self):
        """A question for a tool that the system prompt does not list."""
        other = [t for t in TOOLS if t not in self.tools and t != "add"]
        if not self.tools or not other or self.facts:
            return False
        self.turn(tool_turn(self.r, [self.r.choice(other)], self.st.say)[0][1], UNKNOWN, "Unknown.")

    def t_rag(self):
        r, used = self.r, set(self.used)
        fs = [fact(r, used) for _ in range(r.randint(1, 6))]
        self.used |= {("color", f.s) for f in fs if f.s in CLASH}
        q, s, w = r.choice(fs).ask(r) if r.random() < 0.9 else missing(r, used)
        self.turn(r.choice(RAG).format(c=facts_text(r, fs), q=q), s, w)

    def t_shots(self):
        _, ex, q, a = shots(self.r)
        arrow, last = self.r.choice(ARROWS)
        sep = self.r.choice([", ", "\n"])
        self.m += [("user", sep.join([x + arrow + y for x, y in ex] + [q + last])), ("assistant", a)]


KINDS = {  # kind of dialogue: what its turns are
    "facts": dict(t_fact=10, t_missing=0.7, t_know=1, t_name=0.7, t_sum=0.4, t_talk=0.3),
    "memory": dict(t_name=4, t_pref=5, t_self=1.2, t_my=2.5, t_know=2, t_sum=1, t_tell_fact=1.5, t_fact=2.5, t_talk=0.7,
                   t_missing=0.2),
    "know": dict(t_know=10, t_sum=2, t_talk=1.2, t_no_idea=1.5, t_missing=0.3, t_name=0.4),
    "sum": dict(t_sum=10, t_know=1, t_talk=0.2),
    "tools": dict(t_tool=8, t_no_tool=2, t_sum=0.5, t_know=1.5, t_name=0.6, t_talk=0.4, t_fact=1),
    "rag": dict(t_rag=8, t_know=0.5, t_name=0.5),
    "misc": dict(t_story=2, t_count=3, t_repeat=4, t_talk=3, t_no_idea=3, t_shots=2),
    "mixed": dict(t_know=3, t_sum=1.2, t_fact=3, t_name=1.5, t_pref=2.5, t_tell_fact=1, t_talk=0.6, t_no_idea=0.5,
                  t_rag=0.6, t_self=0.5, t_my=1, t_tool=1.5, t_shots=0.3, t_repeat=0.2, t_missing=0.2),
}
KIND_W = dict(facts=26, memory=18, know=20, sum=5, tools=8, rag=5, misc=4, mixed=4, shots=12)


def build(r, kind, turns, n_facts, st=None):
    st = st or style(r)
    used = set()
    facts = [fact(r, used) for _ in range(n_facts)]
    tools = []
    if kind == "tools" or (kind == "mixed" and r.random() < 0.15):
        tools = r.sample(list(TOOLS), r.randint(1, 4))
        if "find" in tools or "price" in tools:  # their questions are those of a fact: keep them apart
            facts = [f for f in facts if f.rel not in ("place", "price")]
    d = Dialogue(r, st, facts, used, tools)
    w = KINDS[kind]
    done = 0
    while done < turns:
        if getattr(d, r.choices(list(w), list(w.values()))[0])() is not False:
            done += 1
    return d.m


def dialogue(r, long=False):
    """A training dialogue. It may be cut after any answer."""
    if long:
        kind = r.choices(["facts", "memory", "know", "mixed", "tools", "rag"], [25, 20, 8, 30, 8, 6])[0]
        n = r.choice([0, 0, 2, 4, 8, 12, 20, 30]) if kind in ("mixed", "tools", "know") else 0
        if kind == "facts":
            n = r.choice([5, 10, 20, 30, 40, 45])
        return build(r, kind, 45, n)
    kind = r.choices(list(KIND_W), list(KIND_W.values()))[0]
    if kind == "shots":
        _, ex, q, a = shots(r)
        return shot_messages(r, ex, q, a, style(r, "plain"))
    n = 0
    if kind == "facts":
        n = r.choice([1, 2, 3, 4, 5, 6, 7, 7, 8, 10, 12])
    elif kind in ("tools", "mixed", "memory") and r.random() < 0.3:
        n = r.randint(1, 5)
    turns = {"facts": (1, 6), "memory": (2, 9), "know": (1, 6), "sum": (1, 6), "tools": (1, 4), "rag": (1, 2),
             "misc": (1, 4), "mixed": (4, 12)}[kind]
    return build(r, kind, r.randint(*turns), n)


def scenario():
    by = {a: s for _, asks, s, _ in K for a in asks}
    return [([("system", SCENARIO_SYSTEM), ("user", q)], by[q]) for q in SCENARIO]


# ---------------------------------------------------------------- held-out tests

def held_out(n=300):
    """{name: [(messages, answer)]}: every last question is of a kind that training never contained."""
    sets = {}

    def make(key, f, count=n):
        r = random.Random("held out " + key)
        sets[key] = [f(r, i) for i in range(count)]

    def recall(r, k):
        used, st = set(), style(r, "plain")
        target = fact(r, used, True)
        fs = [fact(r, used) for _ in range(k - 1)]
        fs.insert(r.randint(0, k - 1), target)
        d = Dialogue(r, st, fs, used)
        q, s, w = target.ask(r)
        d.turn(q, s, w)
        return d.m[:-1], d.m[-1][1]

    for k in (1, 2, 3, 4, 5, 6, 7, 10):
        make(f"recall of one of {k} facts", lambda r, i, k=k: recall(r, k), 200)

    def a_code(r, i):
        used, st = set(), style(r, "plain")
        target = fact(r, used, True, r.choice(["code", "secret"]))
        fs = [fact(r, used) for _ in range(r.randint(0, 3))]
        fs.insert(r.randint(0, len(fs)), target)
        if i % 2:
            d = Dialogue(r, st, fs, used)
        else:
            d = Dialogue(r, st, [], used)
            for f in fs:
                d.ack(f.state(r))
        d.turn(*target.ask(r))
        return d.m[:-1], d.m[-1][1]
    make("a 4-digit code", a_code)

    def between(r, d, least=2):
        for _ in range(r.randint(least, 5)):
            getattr(d, r.choice(["t_know", "t_know", "t_sum", "t_talk"]))()

    def a_name(r, i):
        d = Dialogue(r, style(r, "plain"))
        n = r.choice(NAMES_HELD)
        d.turn(r.choice(TELL_NAME).format(n=n), f"Nice to meet you, {n}.")
        between(r, d)
        d.turn(r.choice(ASK_NAME), f"Your name is {n}.")
        return d.m[:-1], d.m[-1][1]
    make("name memory over 3 or more turns", a_name)

    def a_pref(r, i):
        d = Dialogue(r, style(r, "plain"))
        t, v = pref(r, {}, True)
        told = {t: v}
        if r.random() < 0.5:
            t2, v2 = pref(r, told)
            told[t2] = v2
        for a, b in r.sample(list(told.items()), len(told)):
            d.ack(r.choice(TELL_PREF).format(t=a, v=b))
        between(r, d)
        d.turn(r.choice(ASK_PREF).format(t=t), f"Your favorite {t} is {v}.")
        return d.m[:-1], d.m[-1][1]
    make("preference memory over 3 or more turns", a_pref)

    def a_my(r, i):
        d = Dialogue(r, style(r, "plain"))
        told = {}
        for want in r.sample([True, False, False], 3):
            x = my(r, told, want)
            told[x[0]] = x
            d.ack(x[1])
            if want:
                _, _, qs, s, w = x
        between(r, d, 1)
        d.turn(r.choice(qs), s, w)
        return d.m[:-1], d.m[-1][1]
    make("what the user said of his or her own things", a_my)

    def clash(r, i):
        while True:
            used, st = set(), style(r, "plain")
            fs = [fact(r, used) for _ in range(r.randint(0, 3))]
            c, v = r.choice(CLASH), r.choice(COLORS)
            if ("color", c) in used or ("color", v) in used or not held("fact", "color", c, v):
                continue
            d = Dialogue(r, st, [Fact("color", c, v)] + fs, used)
            d.turn(f"What color is the {c}?", f"The {c} is {v}.")
            return d.m[:-1], d.m[-1][1]
    make("a given color wins over common knowledge", clash, 60)

    for p in PERSONA:
        def persona(r, i, p=p):
            d = Dialogue(r, style(r, p, True))
            d.turn(*(knowledge(r) if i % 3 else sums(r)))
            return d.m[:-1], d.m[-1][1]
        make(f"persona {p}", persona, 100)

    def know(r, i):
        item = K[i % len(K)]
        if i // len(K) % 2 == 0:
            d = Dialogue(r, style(r, "plain"))
            d.turn(*knowledge(r, True, item))
        else:
            d = Dialogue(r, style(r, "plain", True))
            d.turn(*knowledge(r, False, item))
        return d.m[:-1], d.m[-1][1]
    make("common knowledge, new wording or new system prompt", know, 4 * len(K))

    def one_word(r, i):
        d = Dialogue(r, style(r, "word", True))
        d.turn(*knowledge(r, False, K[i % len(K)]))
        return d.m[:-1], d.m[-1][1]
    make("common knowledge in one word, new system prompt", one_word, len(K))

    def add(r, i, **kw):
        d = Dialogue(r, style(r, "plain"))
        d.turn(*sums(r, **kw))
        return d.m[:-1], d.m[-1][1]
    make("sums to 20, new wording of the sum", lambda r, i: add(r, i, want_held=True))
    make("sums to 20, only the other order seen", lambda r, i: add(r, i, want_pair=True), 100)

    for t in ("opposite", "plural", "capital", "category", "copy"):
        def few(r, i, t=t):
            _, ex, q, a = shots(r, True, t)
            m = shot_messages(r, ex, q, a, style(r, "plain"))
            return m[:-1], m[-1][1]
        make(f"few-shot {t}", few, 200)

    def tool(r, i):
        while True:
            d = Dialogue(r, style(r, "plain", True), tools=r.sample(list(TOOLS), r.randint(1, 4)))
            n = len(d.m)
            d.t_tool()
            cut = [j for j in range(n, len(d.m)) if d.m[j][0] == "assistant"]
            j = r.choice(cut)
            return d.m[:j], d.m[j][1]
    make("tool calls and answers, new system prompt", tool, 200)

    def no_tool(r, i):
        while True:
            d = Dialogue(r, style(r, "plain", True), tools=r.sample(list(TOOLS), r.randint(1, 4)))
            if d.t_no_tool() is not False:
                return d.m[:-1], d.m[-1][1]
    make("a tool is needed that is not listed, new system prompt", no_tool, 100)

    def rag(r, i):
        used = set()
        target = fact(r, used, True)
        fs = [fact(r, used) for _ in range(r.randint(0, 5))]
        fs.insert(r.randint(0, len(fs)), target)
        d = Dialogue(r, style(r, "plain"))
        q, s, w = target.ask(r)
        d.turn(r.choice(RAG).format(c=facts_text(r, fs), q=q), s, w)
        return d.m[:-1], d.m[-1][1]
    make("a question about a text in the user's turn", rag, 200)

    def unknown(r, i):
        d = Dialogue(r, style(r, "plain", True))
        d.turn(*no_idea(r))
        return d.m[:-1], d.m[-1][1]
    make("questions it cannot know", unknown, 200)

    def missing_fact(r, i):
        used = set()
        fs = [fact(r, used) for _ in range(r.randint(1, 6))]
        d = Dialogue(r, style(r, "plain"), fs, used)
        d.turn(*missing(r, used))
        return d.m[:-1], d.m[-1][1]
    make("facts that were not given", missing_fact, 200)

    # long dialogues: what was said first is asked for last; evaluate.py knows the number of tokens
    def long_one(r, words, what):
        used, st = set(), style(r, "plain")
        target = fact(r, used, True)
        fs = [target] + [fact(r, used) for _ in range(3)]
        r.shuffle(fs)
        d = Dialogue(r, st, fs, used)
        n = r.choice(NAMES_HELD)
        d.turn(r.choice(TELL_NAME).format(n=n), f"Nice to meet you, {n}.")
        d.name = n
        t, v = pref(r, {}, True)
        d.ack(r.choice(TELL_PREF).format(t=t, v=v))
        while sum(len(x.split()) + 2 for _, x in d.m) < words:
            getattr(d, r.choice(["t_know", "t_know", "t_sum", "t_talk", "t_rag"]))()
        if what == "fact":
            d.turn(*target.ask(r))
        elif what == "name":
            d.turn(r.choice(ASK_NAME), f"Your name is {n}.")
        elif what == "pref":
            d.turn(r.choice(ASK_PREF).format(t=t), f"Your favorite {t} is {v}.")
        else:
            d.turn(*knowledge(r, True))
        return d.m[:-1], d.m[-1][1]
    for words in (200, 330):
        make(f"long dialogue, about {words} words",
             lambda r, i, w=words: long_one(r, w, ("fact", "name", "pref", "know")[i % 4]), 200)

    def many(r, i):
        used, st = set(), style(r, "plain")
        target = fact(r, used, True)
        fs = [fact(r, used) for _ in range(29)]
        fs.insert(r.randint(0, 29), target)
        d = Dialogue(r, st, fs, used)
        d.turn(*target.ask(r))
        return d.m[:-1], d.m[-1][1]
    make("recall of one of 30 facts", many, 100)
    return sets


if __name__ == "__main__":
    import sys
    r = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5):
        for role, text in dialogue(r):
            print(f"<|{role}|>{text}<|end|>")
        print()
