"""Trains tokenizer.json: byte-level BPE with 2,048 tokens on text from the dialogue generator.

    python3 make_tokenizer.py [OUT_FOLDER]       needs the Python package `tokenizers`
"""
import json
import os
import random
import re
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from dialogues import PERSONA, SCENARIO, SCENARIO_SYSTEM, dialogue
from knowledge import K
from words import CATEGORY, CITIES, COLORS, COUNTRIES, FOODS, GAMES, JOBS, NAMES, OPPOSITE, PLACES, PLURAL

SPECIAL = ["<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"]
VOCAB = 2048
TEMPLATE = ("{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def texts():
    r = random.Random("tokenizer")
    for i in range(25000):
        for role, text in dialogue(r):
            yield text
    for _ in range(150):  # words that should be one token, at the start of a text and inside it
        for _, asks, sentence, word in K:
            yield from [asks[0], sentence, word]
        for w in [*NAMES, *CITIES, *COUNTRIES, *OPPOSITE, *PLURAL, *CATEGORY, *FOODS, *PLACES, *JOBS, *GAMES, *COLORS]:
            yield from [w, "a " + w]
    for _ in range(2000):
        yield from [SCENARIO_SYSTEM, *SCENARIO, *PERSONA,
                    "Grass is green.", "Fish live in water.", "Birds fly with wings."]


def corpus():
    for t in texts():
        # every digit stands alone, so that numbers are always read digit by digit
        yield re.sub(r"(?<=\d)(?=\d)", "\n", t)


def main(out):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=VOCAB - len(SPECIAL), show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    assert tok.get_vocab_size() == VOCAB
    tok.save(os.path.join(out, "tokenizer.json"))
    config = {
        "add_prefix_space": False,
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|end|>",
        "pad_token": "<|end|>",
        "model_max_length": 1024,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    with open(os.path.join(out, "tokenizer_config.json"), "w") as f:
        f.write(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))
