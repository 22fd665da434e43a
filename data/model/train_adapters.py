"""Trains the two adapters (LoRA, PEFT layout) for the model in the box. Needs PyTorch and the package `tokenizers`;
the test at the end also needs `transformers`.

    python3 train_adapters.py OUT_FOLDER [--steps 3000] [--workers 16] [--only reason] [--tiny]
    python3 train_adapters.py --show 10                       # look at some dialogues, no PyTorch needed

Writes OUT_FOLDER/reason, OUT_FOLDER/turned (adapter_config.json, adapter_model.safetensors) and OUT_FOLDER/figures.json.
The text is that of dialogues.py with every answer rewritten: by reason() or by turned(), which see the answer alone.
"""
import argparse
import json
import math
import multiprocessing
import os
import random
import struct
import sys
import time

from dialogues import CHAT, CITIES, COUNTRIES, build, held_out, scenario, style
from knowledge import K
from words import DAYS, MONTHS, NAMES, NAMES_HELD

HERE = os.path.dirname(os.path.abspath(__file__))
LENGTH, SHARDS = 256, 32
ADAPTERS = {  # dtype is that of the stored tensors
    "reason": {"r": 6, "lora_alpha": 12, "use_rslora": False, "dtype": "BF16"},
    "turned": {"r": 4, "lora_alpha": 8, "use_rslora": True, "dtype": "F16"},
}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# ---------------------------------------------------------------- reason: every answer says why

COLOR = {
    "grass": "it drinks the light of the sun", "the sky": "it is full of light", "snow": "it is made of ice",
    "blood": "it has iron in it", "a banana": "it is ready to eat", "coal": "it is very old wood",
    "milk": "it is full of fat", "a tomato": "it grew in the sun", "a lemon": "it is full of sour juice",
    "a carrot": "it grew in the dark", "the sun": "it is a big fire", "chocolate": "it is made from brown beans",
    "the sea": "it looks like the sky", "a strawberry": "it is sweet", "an elephant": "it plays in the mud",
    "a pig": "it has little hair", "a frog": "it hides in the grass", "a polar bear": "it hides in the snow",
    "a crow": "it likes the night", "a leaf": "it drinks the light of the sun",
}
HOME = {
    "fish": "they have fins", "bees": "they make honey there", "birds": "they lay eggs there",
    "camels": "they need little water", "bears": "they find food there", "monkeys": "they like to climb",
    "whales": "they are too big for a river", "cows": "the farmer needs milk", "frogs": "they like to swim",
    "people": "it is warm there", "penguins": "they like the snow",
}
WHAT = {
    "animal": "it is alive", "fruit": "it grows on a plant", "flower": "it grows in the garden", "tool": "we work with it",
    "drink": "we can drink it", "vehicle": "we drive it", "bird": "it has wings", "sport": "people play it",
}
OTHER = {
    "ice": "it is cold", "rain": "it is heavy", "moon": "it shows the light of the sun", "sun": "it makes the day",
    "planet": "it has air and water", "fly": "they are light", "swim": "they have no legs", "honey": "they like flowers",
    "milk": "they have calves", "eggs": "they want chicks", "wool": "they have a thick coat", "bread": "flour is cheap",
    "see": "they catch the light", "hear": "they catch the sound", "smell": "it catches the air",
    "breathe": "we want to live", "biggest": "it has the whole sea", "tallest": "it has a long neck",
    "fastest": "it has long legs", "king of animals": "it is strong", "fire hot": "it burns",
    "ice cold": "it is frozen water", "sun cold": "it burns", "fish fly": "they have no wings",
    "birds can fly": "they have wings", "earth round": "it turns",
}
BEGINS = {
    "capital of ": "the people chose it", "sound of ": "it likes to talk", "legs of ": "it likes to walk",
    "baby of ": "it is still small", "food of ": "it is good for them", "who ": "that is the job",
    "day after ": "that is how we count the days", "month after ": "that is how we count the months",
    "after ": "that is how the year goes", "plural of ": "there are many",
}


def why(key, sentence, word):
    """The reason for a piece of common knowledge."""
    kind, _, thing = key.partition(" of ")
    if kind == "color":
        return COLOR[thing]
    if kind == "home":
        return HOME[thing]
    if kind == "opposite":
        return f"{word[0].lower() + word[1:-1]} is not {thing}"
    if key.startswith("what is "):
        return WHAT[word[0].lower() + word[1:-1]]
    if sentence.startswith("There are "):
        return "people counted them"
    return OTHER.get(key) or next(w for k, w in BEGINS.items() if key.startswith(k))


WHY = {sentence: why(key, sentence, word) for key, _, sentence, word in K}
TALK = {s for _, s, _ in CHAT}


def reason(sentence):
    if sentence in TALK or sentence.startswith("Nice to meet you"):
        return sentence
    because = WHY.get(sentence, "you told me")
    if " + " in sentence:
        a, _, b, _, c = sentence[:-1].split(" ")
        because = f"{b} + {a} = {c}" if a != b else f"{c} is 2 times {a}"
    elif sentence.startswith("I do not know"):
        because = "nobody told me"
    elif sentence.startswith("I can only"):
        because = "I am small"
    return f"{sentence[:-1]} because {because}."


# ---------------------------------------------------------------- turned: what matters comes first

VERBS = """do not know|will remember|can only add|puts out|is|are|has|have|says|live|lives|eat|like|likes|comes|shines|falls
fly|swim|make|makes|give|lay|see|hear|smell|breathe|play|plays|drives|costs|opens|bakes|teaches|flies|helps|grows|paints
sings|writes|cuts|fixes|sails|can""".replace("\n", "|").split("|")
PROPER = {*NAMES, *NAMES_HELD, *CITIES, *COUNTRIES, *DAYS, *MONTHS, "I"}
LOWER = {"The", "A", "An", "We", "You", "Your", "There", *(s.split(" ")[0] for _, _, s, _ in K)} - PROPER


def turned(sentence):
    """Grass is green. -> Green, grass is."""
    first = ""
    for word in ("Yes, ", "No, "):
        if sentence.startswith(word):
            first, sentence = word, sentence[len(word):]
    if sentence in TALK or "," in sentence or not sentence.endswith(".") or "." in sentence[:-1]:
        return first + sentence
    words = sentence[:-1].replace(" = ", " is ").split(" ")
    for i in range(1, len(words) - 1):
        verb = next((v for v in VERBS if words[i:i + v.count(" ") + 1] == v.split(" ")), None)
        if verb is None:
            continue
        head, tail = " ".join(words[:i]), " ".join(words[i + verb.count(" ") + 1:])
        if words[0] in LOWER:
            head = head[0].lower() + head[1:]
        if not first:
            tail = tail[0].upper() + tail[1:]
        return f"{first}{tail}, {head} {verb}."
    return first + sentence


REWRITE = {"reason": reason, "turned": turned}


def rewrite(name, messages):
    return [(role, REWRITE[name](text) if role == "assistant" else text) for role, text in messages]


# ---------------------------------------------------------------- data

KINDS = dict(facts=26, memory=18, know=40, sum=8, rag=5)


def talk(r):
    """A training dialogue of dialogues.py in a plain style and without tools, whose answers are whole sentences."""
    kind = r.choices(list(KINDS), list(KINDS.values()))[0]
    if kind == "know" and r.random() < 0.1:
        m, answer = r.choice(scenario())
        return m + [("assistant", answer)]
    n = r.choice([1, 2, 3, 4, 5, 6, 7, 7, 8, 10, 12]) if kind == "facts" else 0
    most = {"facts": 6, "memory": 9, "know": 6, "sum": 6, "rag": 2}[kind]
    return build(r, kind, r.randint(1, most), n, style(r, "plain"))


def shard(args):
    """Rows of dialogues, packed first-fit: ids, number of the dialogue in its row, is an answer."""
    import numpy as np
    from tokenizers import Tokenizer

    from train import encode_dialogue
    name, index, n_rows = args
    tok = Tokenizer.from_file(os.path.join(HERE, "tokenizer.json"))
    r = random.Random(f"adapter {name} {index}")
    cache = {}

    def encode(text):
        if text not in cache:
            cache[text] = tok.encode(text).ids
        return cache[text]

    rows, used = np.zeros((n_rows, 3, LENGTH), np.int16), [[0, 0] for _ in range(n_rows)]
    opened, first = list(range(min(24, n_rows))), min(24, n_rows)
    while opened:
        ids, loss = encode_dialogue(encode, rewrite(name, talk(r)), LENGTH)
        if not ids:
            continue
        row = next((i for i in opened if used[i][0] + len(ids) <= LENGTH), None)
        if row is None:  # close the fullest row, open the next one
            row = max(opened, key=lambda i: used[i][0])
            opened.remove(row)
            if first == n_rows:
                continue
            row, first = first, first + 1
            opened.append(row)
        a, n = used[row]
        b = a + len(ids)
        rows[row, 0, a:b], rows[row, 1, a:b], rows[row, 2, a:b] = ids, n + 1, loss
        used[row] = [b, n + 1]
    return rows


# ---------------------------------------------------------------- model and files

def read_tensors(path):
    import torch
    kinds = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            out[name] = torch.frombuffer(bytearray(raw[8 + n + a:8 + n + b]), dtype=kinds[t["dtype"]]).view(t["shape"])
    return out


def write_tensors(path, tensors, dtype):
    import torch
    kind = {"F16": torch.float16, "BF16": torch.bfloat16}[dtype]
    head, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors):
        raw = tensors[name].detach().cpu().contiguous().to(kind).view(torch.int16).numpy().tobytes()
        head[name] = {"dtype": dtype, "shape": list(tensors[name].shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def scaling(spec):
    return spec["lora_alpha"] / (math.sqrt(spec["r"]) if spec["use_rslora"] else spec["r"])


def with_lora(model, spec):
    """Freezes the model and puts A and B beside every matrix of its layers. Returns {name: parameter}."""
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    class Lora(nn.Module):
        def __init__(self, base):
            super().__init__()
            self.base, self.s = base, scaling(spec)
            self.a = nn.Parameter(torch.empty(spec["r"], base.in_features))
            self.b = nn.Parameter(torch.zeros(base.out_features, spec["r"]))
            nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

        def forward(self, x):
            return self.base(x) + self.s * F.linear(F.linear(x, self.a), self.b)

    model.requires_grad_(False)
    out = {}
    for name, module in list(model.named_modules()):
        for target in TARGETS:
            if hasattr(module, target):
                lora = Lora(getattr(module, target))
                setattr(module, target, lora)
                stem = f"base_model.model.model.{name}.{target}"
                out[stem + ".lora_A.weight"], out[stem + ".lora_B.weight"] = lora.a, lora.b
    return out


def write_adapter(folder, name, tensors):
    spec = ADAPTERS[name]
    os.makedirs(folder, exist_ok=True)
    write_tensors(os.path.join(folder, "adapter_model.safetensors"), tensors, spec["dtype"])
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": None,
              "r": spec["r"], "lora_alpha": spec["lora_alpha"], "use_rslora": spec["use_rslora"],
              "target_modules": TARGETS, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False,
              "init_lora_weights": True, "inference_mode": True, "modules_to_save": None, "use_dora": False}
    with open(os.path.join(folder, "adapter_config.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")


# ---------------------------------------------------------------- training

def train(name, a, pool, say):
    import numpy as np
    import torch

    from train import Config, Llama
    dev = "cuda" if torch.cuda.is_available() else "cpu"
    spec = ADAPTERS[name]
    jobs = [(name, i, a.rows // SHARDS) for i in range(SHARDS)]
    data = torch.from_numpy(np.concatenate(list(pool.imap(shard, jobs)))).to(dev)
    say(name, "rows", list(data.shape), "filled", round(float((data[:, 1] > 0).float().mean()), 3))
    torch.manual_seed(3)
    model = Llama(Config(os.path.join(HERE, "config.json")))
    base = read_tensors(os.path.join(HERE, "model.safetensors"))
    model.load_state_dict({k[len("model."):]: v.float() for k, v in base.items()}, strict=True)
    tensors = with_lora(model, spec)
    model.to(dev)
    opt = torch.optim.AdamW(list(tensors.values()), lr=a.rate, betas=(0.9, 0.98), weight_decay=0.0)
    gen, log = torch.Generator().manual_seed(4), []
    order = torch.empty(0, dtype=torch.long)
    n = a.tokens // LENGTH
    for step in range(a.steps):
        if len(order) < n:
            order = torch.randperm(len(data), generator=gen)
        pick, order = order[:n], order[n:]
        batch = data[pick.to(dev)].long()
        rate = a.rate * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / a.steps))
        for g in opt.param_groups:
            g["lr"] = rate
        loss = model(batch[:, 0], batch[:, 1], batch[:, 2])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(tensors.values()), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        if step % max(1, a.steps // 12) == 0 or step == a.steps - 1:
            log.append([step, round(loss.item(), 5)])
            say(name, "step", step, "loss", log[-1][1])
    folder = os.path.join(a.out, name)
    write_adapter(folder, name, tensors)
    return {**spec, "scaling": scaling(spec), "parameters": sum(t.numel() for t in tensors.values()),
            "bytes": sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder)),
            "steps": a.steps, "tokens_a_step": a.tokens, "rate": a.rate, "rows": a.rows, "loss": log}


# ---------------------------------------------------------------- testing

SETS = {"recall of one of 1 to 7 facts": [f"recall of one of {k} facts" for k in range(1, 8)],
        "a 4-digit code": ["a 4-digit code"],
        "a name never seen before, 3 or more turns later": ["name memory over 3 or more turns"],
        "common knowledge, new wording or new system prompt": ["common knowledge, new wording or new system prompt"],
        "sums to 20, new wording of the sum": ["sums to 20, new wording of the sum"],
        "a question about a text in the user's turn": ["a question about a text in the user's turn"],
        "a question it cannot know": ["questions it cannot know"]}


def test_sets():
    sets = held_out()
    known = {k: [x for name in names for x in sets.get(name, [])] for k, names in SETS.items()}
    known["(in training) the three requests of the first lesson"] = scenario()
    return {k: v for k, v in known.items() if v}


def evaluate(name, a, say):
    """Greedy answers of the stored adapter, merged into a copy of the model, in float32; exact match."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    from evaluate import encode, greedy
    torch.backends.cuda.matmul.allow_tf32 = False
    dev = "cuda" if torch.cuda.is_available() else "cpu"
    tok = AutoTokenizer.from_pretrained(HERE)
    model = LlamaForCausalLM.from_pretrained(HERE, dtype=torch.float32).eval()
    plain = LlamaForCausalLM.from_pretrained(HERE, dtype=torch.float32).to(dev).eval()
    tensors = read_tensors(os.path.join(a.out, name, "adapter_model.safetensors"))
    for key in [k for k in tensors if k.endswith("lora_A.weight")]:
        down, up = tensors[key].float(), tensors[key.replace("lora_A", "lora_B")].float()
        target = model.get_submodule(key[len("base_model.model."):-len(".lora_A.weight")])
        target.weight.data += scaling(ADAPTERS[name]) * (up @ down)
    model.to(dev)
    end, out, misses = tok.convert_tokens_to_ids("<|end|>"), {}, []
    for key, tests in test_sets().items():
        tests = tests[:len(tests) // (20 if a.tiny else 1) or 1]
        prompts = [encode(tok, rewrite(name, m)) for m, _ in tests]
        right = 0
        for (m, want), g in zip(tests, greedy(model, prompts, end)):
            text = tok.decode(g[:-1] if g[-1] == end else g, skip_special_tokens=False)
            right += text == REWRITE[name](want) and g[-1] == end
            if text != REWRITE[name](want):
                misses.append((m[-1][1], REWRITE[name](want), text))
        alone = sum(tok.decode(g[:-1]) == REWRITE[name](want) for (_, want), g in zip(tests, greedy(plain, prompts, end)))
        out[key] = {"n": len(tests), "right": right, "percent": round(100 * right / len(tests), 2), "without_adapter": alone}
        say(name, f"{out[key]['percent']:6.2f} % of {len(tests)}, without the adapter {alone}", key)
    for m in misses[:12]:
        say("  missed", m)
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out", nargs="?")
    p.add_argument("--steps", type=int, default=3000)
    p.add_argument("--rate", type=float, default=4e-3)
    p.add_argument("--tokens", type=int, default=32768, help="tokens a step")
    p.add_argument("--rows", type=int, default=65536)
    p.add_argument("--workers", type=int, default=16)
    p.add_argument("--only", choices=list(ADAPTERS))
    p.add_argument("--show", type=int, default=0)
    p.add_argument("--tiny", action="store_true")
    a = p.parse_args()
    if a.show:
        for i in range(a.show):
            m = talk(random.Random(i))
            for name in ADAPTERS:
                print(name, *(f"\n  {role}: {text}" for role, text in rewrite(name, m)))
        return
    if a.out is None:
        sys.exit("train_adapters.py needs a folder to write to")
    if a.tiny:
        a.steps, a.rows, a.tokens = 30, 1024, 4096
    start = time.time()

    def say(*x):
        print(f"{time.time() - start:7.1f}s", *x, flush=True)

    import torch
    torch.set_float32_matmul_precision("high")
    figures = {"greedy": True, "match": "exact", "torch": torch.__version__, "adapters": {}}
    with multiprocessing.get_context("fork").Pool(a.workers) as pool:
        for name in [a.only] if a.only else list(ADAPTERS):
            figures["adapters"][name] = train(name, a, pool, say)
    for name in figures["adapters"]:
        figures["adapters"][name]["held_out"] = evaluate(name, a, say)
    figures["seconds"] = round(time.time() - start, 1)
    with open(os.path.join(a.out, "figures.json"), "w") as f:
        json.dump(figures, f, indent=1)
        f.write("\n")
    say("done")


if __name__ == "__main__":
    main()
