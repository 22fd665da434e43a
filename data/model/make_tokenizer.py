"""Trains tokenizer.json: byte-level BPE with 2,048 tokens.

    python3 make_tokenizer.py [OUT_FOLDER]       needs the Python package `tokenizers`

The text is given by its words and how often each occurs: tokenizer_words.tsv.gz holds them, counted on text that
dialogues.py wrote (with every digit standing alone, so that numbers are always read digit by digit). It is kept because
the tokens must not change when the generator learns to write something new.
"""
import gzip
import json
import os
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
SPECIAL = ["<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"]
VOCAB = 2048
TEMPLATE = ("{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def words():
    with gzip.open(os.path.join(HERE, "tokenizer_words.tsv.gz"), "rt") as f:
        for line in f:
            n, word = line.rstrip("\n").split("\t")
            word = json.loads(f'"{word}"')
            for _ in range(int(n)):
                yield word


def main(out):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(words(), trainers.BpeTrainer(
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
    main(sys.argv[1] if len(sys.argv) > 1 else HERE)
