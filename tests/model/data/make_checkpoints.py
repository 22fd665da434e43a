"""Makes the two checkpoints beside this file, each with what it must compute (expect.json, expect.safetensors).

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy tokenizers
    /tmp/venv/bin/python tests/model/data/make_checkpoints.py

The reference is written here from the papers, in float64 and one position at a time, and shares no code with
radixscope; token ids come from Hugging Face's own `tokenizers` library.

    qwen3-sharded-bf16   q/k norm, grouped-query attention, explicit head_dim, untied head, two shards with an
                         index, newer config spelling, NFC, the Qwen2 pattern, added tokens, a begin token
    mistral-linear-f16   linear RoPE scaling, older config spelling, tied head, SentencePiece-style BPE with
                         byte fallback and a Metaspace pre-tokenizer
"""
import json
import pathlib
import struct

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent

CORPUS = [
    "The radix tree keeps every prefix once. A request walks down the tree and finds what is there already.",
    "When two prompts part in the middle of an edge, the node is split, and both go on below it.",
    "Keys and values of tokens that were computed before need not be computed again: that is the whole trick.",
    "def match_prefix(self, key):\n    node = self.root\n    while key:\n        child = node.children.get(key[0])\n",
    "1 2 3 10 100 1000 2024-11-05 3.14159 42 rows, 16 positions, 8 heads",
    "Das Haus ist gr\u00fcn, \u0444\u0443\u043d\u043a\u0446\u0438\u044f, \u4e2d\u6587\u5b57\u7b26, caf\u00e9 na\u00efve r\u00e9sum\u00e9",
    "the cat sat on the mat; the dog sat on the cat; they were evicted least recently used first",
] * 4

TEXTS = [
    "", " ", "  two blanks", "The radix tree", "the tree's node isn't split, we'll see", "tabs\tand\n\nlines\r\n  end ",
    "caf\u00e9 cafe\u0301 na\u00efve", "1234567 rows in 2024", "\u4e2d\u6587 and \u0444\u0443\u043d\u043a\u0446\u0438\u044f",
    "emoji \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467", "<|im_start|>user\nhello<|im_end|>\n", "a<|end|>b", "<s>x</s>",
    "\u0000\u0001\u007f", "x=y*(z+1);//!?", "\u00a0nbsp\u2003em\u3000wide", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "CamelCase_snake_case kebab-case", "\u1e9e\u00df\u0130\u0131", "\u212bngstr\u00f6m \ufb01ne \u00bd", "ends with blank ", "\u2581under",
]


# ---------------------------------------------------------------- storing

def to_bf16(x):
    """float32 to the nearest bfloat16 (ties to even), as uint16."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(x):
    return (x.astype(np.uint32) << 16).view(np.float32)


def save(path, tensors, dtype):
    header, blobs, at = {}, [], 0
    for name, value in tensors.items():
        raw = value.tobytes()
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


# ---------------------------------------------------------------- the reference

def rms(x, w, eps):
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps) * w


def rope(x, position, freq):
    half = x.shape[-1] // 2
    a, b, c, s = x[..., :half], x[..., half:], np.cos(position * freq), np.sin(position * freq)
    return np.concatenate([a * c - b * s, b * c + a * s], -1)


def forward(c, w, ids):
    """Logits (positions, vocab), one position after another."""
    heads, kv, hd, out = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"], []
    freq = c["freq"]
    cache = [([], []) for _ in range(c["num_hidden_layers"])]
    for position, token in enumerate(ids):
        x = w["model.embed_tokens.weight"][token]
        for l, (keys, values) in enumerate(cache):
            p = f"model.layers.{l}."
            n = rms(x, w[p + "input_layernorm.weight"], c["rms_norm_eps"])
            q = (w[p + "self_attn.q_proj.weight"] @ n).reshape(heads, hd)
            k = (w[p + "self_attn.k_proj.weight"] @ n).reshape(kv, hd)
            if p + "self_attn.q_norm.weight" in w:
                q = rms(q, w[p + "self_attn.q_norm.weight"], c["rms_norm_eps"])
                k = rms(k, w[p + "self_attn.k_norm.weight"], c["rms_norm_eps"])
            keys.append(rope(k, position, freq))
            values.append((w[p + "self_attn.v_proj.weight"] @ n).reshape(kv, hd))
            q = rope(q, position, freq)
            mix = []
            for h in range(heads):
                g = h // (heads // kv)
                score = np.array([q[h] @ k[g] for k in keys]) / np.sqrt(hd)
                weight = np.exp(score - score.max())
                mix.append(sum(a * v[g] for a, v in zip(weight / weight.sum(), values)))
            x = x + w[p + "self_attn.o_proj.weight"] @ np.concatenate(mix)
            n = rms(x, w[p + "post_attention_layernorm.weight"], c["rms_norm_eps"])
            gate, up = w[p + "mlp.gate_proj.weight"] @ n, w[p + "mlp.up_proj.weight"] @ n
            x = x + w[p + "mlp.down_proj.weight"] @ (gate / (1 + np.exp(-gate)) * up)
        head = w["lm_head.weight"] if "lm_head.weight" in w else w["model.embed_tokens.weight"]
        out.append(head @ rms(x, w["model.norm.weight"], c["rms_norm_eps"]))
    return np.array(out)


def greedy(c, w, ids, n):
    ids, more, margin = list(ids), [], 1e9
    for _ in range(n):
        logits = forward(c, w, ids)[-1]
        best = np.sort(logits)[-2:]
        margin = min(margin, float(best[1] - best[0]))
        more.append(int(np.argmax(logits)))
        ids.append(more[-1])
    return more, margin


# ---------------------------------------------------------------- tokenizers

def qwen_tokenizer():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
               r"|\s+(?!\S)|\s+")
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=380, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                                      show_progress=False))
    t.add_special_tokens(["<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>"])
    begin = t.token_to_id("<|begin|>")
    t.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", begin)])
    return t


def mistral_tokenizer():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=150, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for b in range(256):
        vocab[f"<0x{b:02X}>"] = len(vocab)
    for token in sorted(model["vocab"], key=model["vocab"].get):
        vocab.setdefault(token, len(vocab))
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in model["merges"]]
    t = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in ("<unk>", "<s>", "</s>")])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t


# ---------------------------------------------------------------- the checkpoints

def random_weights(c, rng, pack, unpack):
    """Rounded to the stored precision: (as stored, as float64)."""
    width, kv = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    shape = {"model.embed_tokens.weight": (c["vocab_size"], c["hidden_size"])}
    for l in range(c["num_hidden_layers"]):
        p = f"model.layers.{l}."
        shape |= {p + "self_attn.q_proj.weight": (width, c["hidden_size"]),
                  p + "self_attn.k_proj.weight": (kv, c["hidden_size"]),
                  p + "self_attn.v_proj.weight": (kv, c["hidden_size"]),
                  p + "self_attn.o_proj.weight": (c["hidden_size"], width),
                  p + "mlp.gate_proj.weight": (c["intermediate_size"], c["hidden_size"]),
                  p + "mlp.up_proj.weight": (c["intermediate_size"], c["hidden_size"]),
                  p + "mlp.down_proj.weight": (c["hidden_size"], c["intermediate_size"]),
                  p + "input_layernorm.weight": (c["hidden_size"],),
                  p + "post_attention_layernorm.weight": (c["hidden_size"],)}
        if c["model_type"] == "qwen3":
            shape |= {p + "self_attn.q_norm.weight": (c["head_dim"],), p + "self_attn.k_norm.weight": (c["head_dim"],)}
    shape["model.norm.weight"] = (c["hidden_size"],)
    if not c["tie_word_embeddings"]:
        shape["lm_head.weight"] = (c["vocab_size"], c["hidden_size"])
    stored, exact = {}, {}
    for name, s in shape.items():
        x = rng.normal(1, 0.2, s) if len(s) == 1 else rng.normal(0, 1 if "embed" in name else 1.3 / np.sqrt(s[-1]), s)
        stored[name] = pack(x)
        exact[name] = unpack(stored[name]).astype(np.float64)
    return stored, exact


def write(name, config, tokenizer, freq, pack, unpack, dtype, shards, seed):
    out, rng = HERE / name, np.random.default_rng(seed)
    out.mkdir(exist_ok=True)
    config = {**config, "vocab_size": tokenizer.get_vocab_size() + 3}
    stored, exact = random_weights(config, rng, pack, unpack)
    if shards == 1:
        save(out / "model.safetensors", stored, dtype)
    else:
        names, index = list(stored), {}
        for i in range(shards):
            file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
            part = names[i * len(names) // shards:(i + 1) * len(names) // shards]
            save(out / file, {n: stored[n] for n in part}, dtype)
            index |= {n: file for n in part}
        (out / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}, indent=1))
    (out / "config.json").write_text(json.dumps(config, indent=1))
    (out / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=True))
    c = {**config, "freq": freq}
    prompts, logits = [], {}
    for i, n in enumerate((1, 7, 33)):
        ids = [int(v) for v in rng.integers(0, config["vocab_size"], n)]
        more, margin = greedy(c, exact, ids, 16)
        logits[f"logits.{i}"] = forward(c, exact, ids).astype(np.float32)
        prompts.append({"ids": ids, "logits": f"logits.{i}", "positions": "all", "greedy": more, "smallest_margin": margin})
    save(out / "expect.safetensors", logits, "F32")
    texts = []
    for text in TEXTS:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        texts.append({"text": text, "ids": tokenizer.encode(text).ids, "ids_without_specials": plain,
                      "decoded": tokenizer.decode(plain, skip_special_tokens=False)})
    made = {"model": name, "made_with": "make_checkpoints.py: numpy in float64, tokenizers", "prompts": prompts, "texts": texts}
    (out / "expect.json").write_text(json.dumps(made))


def main():
    qwen = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 32, "intermediate_size": 56,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12, "hidden_act": "silu",
            "max_position_embeddings": 256, "rms_norm_eps": 1e-06, "tie_word_embeddings": False, "dtype": "bfloat16",
            "rope_parameters": {"rope_theta": 20000.0, "rope_type": "default"}, "attention_bias": False,
            "use_sliding_window": False, "sliding_window": None, "bos_token_id": None, "eos_token_id": [381]}
    pairs = np.arange(6)
    write("qwen3-sharded-bf16", qwen, qwen_tokenizer(), 20000.0 ** (-pairs / 6), to_bf16, from_bf16, "BF16", 2, 1)
    mistral = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 40, "intermediate_size": 64,
               "num_hidden_layers": 3, "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 8,
               "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "tie_word_embeddings": True,
               "torch_dtype": "float16", "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0},
               "sliding_window": None, "bos_token_id": 1, "eos_token_id": 2}
    write("mistral-linear-f16", mistral, mistral_tokenizer(), 10000.0 ** (-np.arange(4) / 4) / 4,
          lambda x: np.asarray(x, np.float16), lambda x: x.astype(np.float32), "F16", 1, 2)


if __name__ == "__main__":
    main()
